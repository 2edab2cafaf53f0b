#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Two forwards between node and pod (kind, Docker in Docker): hop limit 2 dies in the inner router, 3 is needed.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
E2E_CAPTURES=1
lab_pod_extra nested --namespace ci
lab_pod_bridge plain --namespace ci
t=$LAB_ROOT/trace r=$LAB_ROOT/report

report_start "$r"
trace_start "$t"
put nested >/dev/null
get nested >/dev/null
put plain >/dev/null
trace_stop
report_stop
expect_trace "$t" "limit 2: hop-limit, proven, required 3" 'tokens("nested")[0] | .outcome == "hop-limit" and
	.confidence == "proven" and .hops == 2 and .required_hop_limit == 3 and .ttl_dropped == 1'
expect_trace "$t" "limit 2: the pod with one forward is ok" \
	'tokens("plain") | all_are(.outcome == "ok" and .required_hop_limit == 2)'
expect_report "$r" "advice names 3" '[.findings[] | select(.code == "hop-limit-exhausted")] | length == 1 and
	(.[0] | .pod == "nested" and (.advice | join(" ") | test("3")))'

lab_server_set hop-limit 1
trace_start "$t"
put nested >/dev/null
lab_server_set hop-limit 3
put nested >/dev/null
trace_stop
expect_trace "$t" "limit 1: dies on the node already, still hop-limit" 'tokens("nested")[0] | .outcome == "hop-limit" and
	.confidence == "proven" and .required_hop_limit == 3'
expect_trace "$t" "limit 3: ok" 'tokens("nested")[1] | .outcome == "ok" and .ttl_response == 1'
