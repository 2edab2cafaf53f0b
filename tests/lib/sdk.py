# SPDX-License-Identifier: GPL-2.0-only
# As sdk.js, for botocore, for awscli's session, and for cloud-init as it asks at the first boot on a cloud: sdk.py
# [awscli|Ec2|Azure|Oracle]. What cloud-init finds out before (which cloud it is on, whether names are resolved) is told to it.
import importlib, json, sys, tempfile, time


def botocore():
    import botocore.session

    return botocore.session.Session().get_credentials


def awscli():
    from awscli.clidriver import create_clidriver

    return create_clidriver().session.get_credentials


def cloud_init(name):
    from cloudinit import helpers, settings, util

    util._DNS_REDIRECT_IP = set()
    source = importlib.import_module("cloudinit.sources.DataSource" + name)
    place = tempfile.mkdtemp()
    paths = helpers.Paths({"cloud_dir": place, "run_dir": place, "templates_dir": place})
    # its defaults are 120 seconds and 50 a try; IPv4 alone
    asked = {"datasource": {"Ec2": {"max_wait": 3, "timeout": 2, "metadata_urls": ["http://169.254.169.254"]}}}
    if name == "Azure":
        return lambda: source.get_metadata_from_imds(retries=1)
    if name == "Oracle":
        return source.read_opc_metadata
    source.identify_platform = lambda: source.CloudNames.AWS
    return source.DataSourceEc2(util.mergemanydict([asked, settings.CFG_BUILTIN]), None, paths)._get_data


name = sys.argv[1] if sys.argv[1:] else "botocore"
ask = {"botocore": botocore, "awscli": awscli}[name]() if name in ("botocore", "awscli") else cloud_init(name)
start = time.monotonic()
got = ask()
print(json.dumps({"milliseconds": int((time.monotonic() - start) * 1000), "got": bool(got), "error": None}))
