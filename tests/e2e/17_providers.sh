#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Other metadata services and what is no HTTP: told apart by address, path and header.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
lab_pod_bridge web-1
t=$LAB_ROOT/trace
ask() { lab_exec web-1 curl -s -o /dev/null -m 2 "$@"; }

trace_start "$t"
ask -H 'Metadata-Flavor: Google' http://169.254.169.254/computeMetadata/v1/instance/id
ask -H 'Metadata: true' 'http://169.254.169.254/metadata/instance?api-version=2021-02-01'
ask -H 'Authorization: Bearer Oracle' http://169.254.169.254/opc/v2/instance/
ask http://169.254.169.254/openstack/latest/meta_data.json
ask http://169.254.170.2/v2/credentials/x
ask http://169.254.169.254/latest/dynamic/instance-identity/document
# shellcheck disable=SC2016
lab_exec web-1 timeout 2 bash -c 'exec 3<>/dev/udp/169.254.169.254/53
	printf "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03foo\x00\x00\x01\x00\x01" >&3
	[ "$(dd bs=512 count=1 <&3 2>/dev/null | wc -c)" -gt 11 ]'
check "lab: the name server answered" equal $? 0
trace_stop
is() { expect_trace "$t" "$1" "requests | map(select(.pod == \"web-1\"))[$2] | $3"; }
is "GCE" 0 '.provider == "gce" and .imds_version == null and .status == 200 and .path == "/computeMetadata/v1/instance/id"'
is "Azure" 1 '.provider == "azure" and .imds_version == null and .status == 200 and .path == "/metadata/instance"'
is "Oracle" 2 '.provider == "oracle" and .imds_version == null and .status == 200'
is "OpenStack" 3 '.provider == "openstack" and .imds_version == null and .status == 200'
is "ECS credentials" 4 '.provider == "ecs" and .kind == "credentials" and .imds_version == null and
	.endpoint == "169.254.170.2:80"'
is "EC2 identity document" 5 '.provider == "ec2" and .kind == "identity" and .imds_version == "v1"'
is "DNS is timed, and not read as HTTP" 6 '.kind == "dns" and .outcome == "ok" and .method == "" and .status == null and
	.endpoint == "169.254.169.254:53" and .first_byte_us > 0'
expect_trace "$t" "no more than these" 'of("web-1") | length == 7'
