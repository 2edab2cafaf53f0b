#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A metadata mock within the pod, which has the service's address itself, is a server and no client that gave up. Tokens that
# die are not over when something is answered without one. The agent that gives a pod its credentials is not who leaves the
# service's own requests unanswered.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
for p in mocked dying healed task; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
lab_sidecar mocked mock || e2e_die "the mock's container comes up"
lab_ip p-mocked addr add "$LAB_IMDS4/32" dev lo
lab_exec mocked+mock "$LAB_BIN/imds_server" --listen "$LAB_IMDS4:80" --pidfile "$LAB_ROOT/mock.pid" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/mock.pid" || e2e_die "the mock comes up"
lab_pod_host agent --namespace kube-system
lab_ip node addr add 169.254.170.23/32 dev lo
lab_exec agent "$LAB_BIN/imds_server" --listen 169.254.170.23:80 --pidfile "$LAB_ROOT/agent.pid" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/agent.pid" || e2e_die "the agent comes up"
IMDSNOOP=$(e2e_in_node)
report_start "$r"
trace_start "$t"
check "lab: the mock answers" equal "$(put mocked)$(get mocked)" 200200
lab_server_set hop-limit 1
check "lab: tokens die" equal "$(put dying)$(put healed)" 000000
lab_server_set hop-limit 2
sleep 6				# longer than what is still "just now"
check "lab: one goes on without a token, one gets it" equal "$(get dying)$(put healed)" 200200
lab_server_set silent 1
check "lab: the agent gives credentials, the service is silent" equal "$(lab_exec task curl -s -o /dev/null -m 2 -H 'Authorization: token' -w '%{http_code}' \
	http://169.254.170.23/v1/credentials)$(get task 1)" 200000
trace_stop
report_stop

expect_trace "$t" "mock: its own end is no request" '[requests[] | select(.container == "mock")] == []'
expect_trace "$t" "mock: the client's end is one each" 'of("mocked") | length == 2 and all(.[]; .outcome == "ok")'
expect_report "$r" "mock: it has no row, and nobody gave up" '([.pods[] | select(.container == "mock")] == []) and
	([.findings[] | select(.pod == "mocked" and .code == "no-response")] == [])'
said() { expect_report "$r" "$1: $2" ".findings | map(select(.pod == \"$1\" and .code == \"hop-limit-exhausted\")) |
	length == 1 and (.[0] | $3)"; }
said dying "what was answered without a token is no cure" \
	'.severity == "error" and (.summary | test("gets no metadata token") and (test("answered since") | not))'
said healed "past is past" '.severity == "warning" and (.summary | test("got no metadata token.*answered since"))'
expect_report "$r" "the headline counts the one that is left" '.headline | tostring | test("1 of 4 pods")'
expect_report "$r" "task: the agent is not accused of the service's silence" '.findings | map(select(.pod == "task" and .code == "no-response")) |
	length == 1 and (.[0] | [.summary, .evidence[], .advice[]] | join(" ") | test("agent|in the service.s place") | not)'
expect_report "$r" "task: nor in its row" 'pod("task").answered_by == null'
