#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What is no connection to nobody's harm, and no hop limit: a request that the pod's own filter drops on a connection that
# stands, and a rule of the node that uses up the TTL of every answer.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need python3
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
for p in request again ruled reader; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
lab_pod_load request
lab_in "$pod_netns" iptables -w -A OUTPUT -d "$LAB_IMDS4" -m length --length 100:1500 -j DROP
lab_pod_load again		# the first of its packets with a request is lost, the next one arrives
lab_iptables node -I FORWARD -s "$pod_ip" -m length --length 100:1500 -m limit --limit 1/hour --limit-burst 1 -j DROP
# its FIN is lost: a late answer comes to a socket that waits for the acknowledgement of that
lab_pod_v6 unfinished || e2e_die "pod unfinished comes up"
lab_iptables node -6 -I FORWARD -s "$pod_ip" -p tcp --tcp-flags FIN FIN -j DROP
lab_pod_load ruled
IMDSNOOP=$(e2e_in_node)
report_start "$r"
trace_start "$t"
check "a request that is dropped" equal "$(put request 0.6)" 000
lab_server_set silent-token 1
check "a request that is sent again, to a service that is silent" equal "$(put again 1)" 000
lab_server_set silent-token 0
lab_server_set slow-token-ms 800
check "a client that leaves before the answer" equal "$(put unfinished 0.4)" 000
lab_server_set slow-token-ms 0
sleep 0.6

# a client that reads late: the service asks again and again whether there is room, and its TCP throws that away
(lab_in imds timeout 20 python3 -c '
import socket, sys
with socket.create_server(("169.254.169.254", 8088)) as listening:
    open(sys.argv[1], "w").write("x")
    s = listening.accept()[0]
    s.recv(4096)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2000000)
    s.recv(1)' "$LAB_ROOT/big" &)
lab_wait_for 5 test -s "$LAB_ROOT/big"
check "a client that reads late gets all" equal "$(lab_exec reader timeout 20 python3 -c '
import socket, time
s = socket.create_connection(("169.254.169.254", 8088))
s.send(b"GET /latest/user-data HTTP/1.1\r\n\r\n")
time.sleep(1.5)
n = 0
while n < 2000000:
    n += len(s.recv(65536))
print(n > 2000000)')" True
trace_stop
lab_in node iptables -w -t mangle -A PREROUTING -s "$LAB_IMDS4" -j TTL --ttl-set 1
check "an answer whose TTL is used up" equal "$(put ruled 0.6)" 000
report_stop

expect_trace "$t" "its own filter's, found by its socket" 'of("request") | length == 1 and all_are(.outcome == "blocked" and
	.cause == "filtered" and .drop_match == "socket")'
expect_trace "$t" "acknowledged after all: its loss explains nothing" 'of("again") | length == 1 and all_are(.outcome == "no-response" and
	.cause == "silent" and .drops > 0)'
expect_trace "$t" "answered too late, whatever the socket still waited for" 'of("unfinished") | length == 1 and
	all_are(.outcome == "no-response" and .cause == "slow")'
expect_trace "$t" "what a socket threw away and then took was answered" 'of("reader") | length == 1 and all_are(.outcome == "ok" and
	.drops > 0)'
"$IMDSNOOP" report --json --from "$t" >"$LAB_ROOT/again" 2>/dev/null
expect_report "$LAB_ROOT/again" "and again from the trace's lines" 'pod("request").outcomes == { blocked: 1 }'
expect_report "$r" "the report says whose" 'codes("request") == ["blocked-by-policy"] and
	(.findings[] | select(.pod == "request") | .summary | test("in the pod.s own network"))'
expect_report "$r" "the TTL's death is told, and no hop limit is asked for" 'pod("ruled").outcomes == { "hop-limit": 1 } and
	(pod("ruled").required_hop_limit == null) and (.headline.text | test("no metadata answer: the answers die") and (test("hop limit") | not)) and
	([.findings[].advice[]] | join(" ") | test("http-put-response-hop-limit [0-9]") | not)'
