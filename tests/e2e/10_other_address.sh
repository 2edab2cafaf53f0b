#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The same bytes to another address, and to another port of the metadata address, are ignored.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge web-1
t=$LAB_ROOT/trace r=$LAB_ROOT/report
report_start "$r"
trace_start "$t"
check "lab: the server answers at another address" equal "$(lab_exec web-1 curl -s -o /dev/null -m 2 -w '%{http_code}' \
	http://172.31.0.1/latest/meta-data/ami-id)" 200
lab_exec web-1 curl -s -o /dev/null -m 0.4 -X PUT -H "$E2E_TTL" http://172.31.0.1/latest/api/token
lab_exec web-1 curl -s -o /dev/null -m 0.4 http://169.254.169.254:81/latest/meta-data/ami-id
trace_stop
report_stop
expect_trace "$t" "trace: nothing about the other address" 'requests | all(.[]; .endpoint | startswith("169.254.169.254"))'
expect_trace "$t" "trace: no HTTP request was seen" 'requests | all(.[]; .method == "")'
expect_report "$r" "report: nothing answered, nothing dead" '[.pods[].outcomes["hop-limit"] // 0] | add // 0 == 0'

trace_start "$t" --endpoint 172.31.0.1:80
put web-1 0.4 >/dev/null
lab_exec web-1 curl -s -o /dev/null -m 0.6 -X PUT -H "$E2E_TTL" http://172.31.0.1/latest/api/token
trace_stop
expect_trace "$t" "--endpoint replaces the list" \
	'requests | length == 1 and .[0].endpoint == "172.31.0.1:80" and (.[0].path == "/latest/api/token")'
