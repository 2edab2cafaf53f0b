#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Real clients: the AWS SDK for JavaScript of the published case (4 s at hop limit 1, then IMDSv1), and curl.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need node
"$LAB_DIR/fetch_npm" || e2e_skip_all "the npm registry does not give aws-sdk"
export NODE_PATH=$LAB_TREE/build/npm/node_modules
e2e_lab --hop-limit 1
lab_pod_bridge sdk --namespace shop --container api
lab_pod_bridge shell --namespace shop
t=$LAB_ROOT/trace r=$LAB_ROOT/report c=$LAB_ROOT/client

report_start "$r"
trace_start "$t"
lab_exec sdk node "$LAB_DIR/aws_sdk.js" >"$c" &
lab_exec shell curl -s -o /dev/null -m 1 -X PUT -H "$E2E_TTL" http://169.254.169.254/latest/api/token
wait $!
sleep 0.5
trace_stop
report_stop
check "lab: the SDK waited about 4 s, then had the node's credentials" e2e_jq "$c" \
	'.milliseconds > 3900 and .milliseconds < 6000 and .access_key == "ASIAPLANTEDSECRET0001"'
lost=$(jq .milliseconds "$c")
expect_trace "$t" "SDK: four token requests, all hop-limit and proven" 'tokens("sdk") | length == 4 and
	all_are(.outcome == "hop-limit" and .confidence == "proven" and .required_hop_limit == 2 and .comm == "node")'
expect_trace "$t" "SDK: then v1, as a fallback" 'gets("sdk") | length == 2 and
	all_are(.outcome == "ok" and .imds_version == "v1" and .kind == "credentials" and .fallback)'
expect_report "$r" "SDK: the token attempts" 'pod("sdk") | .outcomes["hop-limit"] == 4 and .kinds.token == 4 and .fallbacks >= 1'
expect_report "$r" "SDK: seconds lost within 10 % of the client's own time" \
	"pod(\"sdk\") | (.seconds_lost * 1000 / $lost) as \$x | \$x > 0.9 and \$x < 1.1"
expect_report "$r" "SDK: process name" 'pod("sdk").processes | tostring | test("node")'
expect_report "$r" "SDK: findings" 'codes("sdk") | index("hop-limit-exhausted") != null and index("imdsv1-fallback") != null'
expect_report "$r" "curl: waited its 1 s, no fallback" '(pod("shell") | .outcomes["hop-limit"] == 1 and
	.fallbacks == 0 and .seconds_lost > 0.9 and .seconds_lost < 1.1) and (codes("shell") | index("imdsv1-fallback")) == null'

lab_server_set hop-limit 2
report_start "$r"
lab_exec sdk node "$LAB_DIR/aws_sdk.js" >"$c"
report_stop
check "lab: at hop limit 2 the SDK is quick" e2e_jq "$c" '.milliseconds < 1000'
expect_report "$r" "limit 2: v2 only, nothing lost, nothing found" 'pod("sdk") | .v1_requests == 0 and .v2_requests == 3 and
	.seconds_lost == 0 and .hop_limit == "ok"'
expect_report "$r" "limit 2: no finding" 'blames | length == 0'
