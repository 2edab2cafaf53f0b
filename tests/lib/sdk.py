# SPDX-License-Identifier: GPL-2.0-only
# As sdk.js, for botocore.
import json, time
import botocore.session

session = botocore.session.Session()
start = time.monotonic()
credentials = session.get_credentials()
print(json.dumps({"milliseconds": int((time.monotonic() - start) * 1000), "got": credentials is not None, "error": None}))
