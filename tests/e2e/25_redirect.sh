#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# REDIRECT in the OUTPUT chain of a client's own network: ecs-init's rule for tasks on the host's network, a sidecar's for its pod.
# The packets leave for 127.0.0.1 and the answers come from the service's address: the request is seen whole, and whose rule it was.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
t=$LAB_ROOT/trace r=$LAB_ROOT/report
ecs=169.254.170.2
lab_pod_bridge meshed --namespace shop || e2e_die "pod meshed comes up"
lab_pod_bridge lonely --namespace shop || e2e_die "pod lonely comes up"
lab_pod_bridge moved --namespace shop || e2e_die "pod moved comes up"
lab_sidecar meshed proxy
lab_host_client task
lab_host_client ecs-agent

serve_at() {			# serve_at CLIENT PORT: a service on loopback, in that client's cgroup and network
	(lab_exec "$1" "$LAB_BIN/imds_server" --listen "127.0.0.1:$2" --log "$LAB_ROOT/$1.log" --pidfile "$LAB_ROOT/$1.pid" \
		--control "$LAB_ROOT/$1.control" >/dev/null 2>&1 </dev/null &)
	lab_wait_for 5 test -s "$LAB_ROOT/$1.pid" || e2e_die "the service of $1 starts"
}
redirect() {			# redirect NETNS-SUFFIX ADDRESS PORT
	lab_in "$1" iptables -w -t nat -A OUTPUT -p tcp -d "$2" --dport 80 -j REDIRECT --to-ports "$3"
}
serve_at ecs-agent 51679
serve_at meshed+proxy 15001
redirect node $ecs 51679
redirect p-meshed "$LAB_IMDS4" 15001
redirect p-lonely "$LAB_IMDS4" 15001		# its sidecar is not up
lab_in p-moved iptables -w -t nat -A OUTPUT -p tcp -d "$LAB_IMDS4" --dport 80 -j DNAT --to-destination 172.31.0.1:80
IMDSNOOP=$(e2e_in_node) report_start "$r"
trace_start "$t"
check "lab: the task is answered by the agent" equal "$(lab_exec task curl -s -o /dev/null -m 2 -w '%{http_code}' "http://$ecs/v2/credentials/x")" 200
check "lab: the pod is answered by its sidecar" equal "$(put meshed)" 200
get meshed >/dev/null
put lonely >/dev/null
# to another address, where it is answered; its client keeps the connection
raw moved connect 'send:GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: imds\r\n\r\n' recv:300 sleep:2500 close >"$LAB_ROOT/moved" &
moved=$!
sleep 1
check "lab: so is the one that is sent elsewhere" grep -q "200 OK" "$LAB_ROOT/moved"
trace_stop
report_stop
wait $moved

expect_trace "$t" "ECS: one credentials request, answered 200, none redirected away" '[requests[] | select(.provider == "ecs")] |
	length == 1 and (.[0] | .kind == "credentials" and .status == 200 and .outcome == "ok")'
expect_trace "$t" "the pod's requests are seen whole, at no hop" 'of("meshed") | length == 2 and all_are(.outcome == "ok" and .hops == 0) and
	(map(.kind) | sort == ["data", "token"])'
expect_report "$r" "and it is told that a rule of its own redirects them" '[.findings[] | select(.pod == "meshed" and .code == "intercepted")] |
	length == 1 and (.[0] | [.summary, .evidence[]] | join(" ") | test("own network") and test("127.0.0.1:15001"))'
expect_report "$r" "nobody listens there: refused, by that rule" '[.findings[] | select(.pod == "lonely" and .code == "endpoint-refused")] |
	length == 1 and (.[0].summary | test("own network") and test("127.0.0.1:15001, where nobody listens"))'
expect_trace "$t" "sent elsewhere: no stall" 'map(select(.pod == "moved")) == []'
expect_report "$r" "and nothing that failed" 'pod("moved").outcomes == { redirected: 1 } and codes("moved") == ["intercepted"]'
expect_report "$r" "no segment is left over" '.losses.segment == 0'
