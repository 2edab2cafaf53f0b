#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What is known too late, or of another: the answer to a request pipelined behind a dead token's, a limit that was lowered
# since the node's own token, a wait of another program, an answer that the client's socket refused, a connection that stood
# only after seconds.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need iptables wget python3
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
pods() { lab_pod_bridge before && lab_pod_bridge lowered && lab_pod_bridge piped && lab_pod_bridge programs &&
	lab_pod_bridge script && lab_pod_bridge late && lab_pod_bridge refused &&
	lab_pod_host agent; }
pods || e2e_die "pods come up"
IMDSNOOP=$(e2e_in_node) report_start "$r"
IMDSNOOP=$(e2e_in_node) trace_start "$t"

lab_exec refused python3 -c 'import ctypes, socket, struct, sys
s = socket.create_connection((sys.argv[1], 80), 1.5)
none = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))	# ret 0
s.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", 1, ctypes.addressof(none)))	# SO_ATTACH_FILTER
s.send(("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % sys.argv[2]).encode())
s.recv(1)' "$LAB_IMDS4" "$E2E_TTL" 2>"$LAB_ROOT/refused"
put agent >/dev/null; put before >/dev/null
lab_server_set hop-limit 1
put lowered >/dev/null

put programs >/dev/null
sleep 1.5
lab_exec programs wget -q -O /dev/null -T 2 "http://$LAB_IMDS4/latest/meta-data/instance-id"
# shellcheck disable=SC2016 # for the other shell
lab_exec script sh -c 'token() { curl -s -m 0.6 -X PUT -H "$2" "http://$1/latest/api/token"; }
	TOKEN=$(token "$@" | cat); curl -s -o /dev/null -m 1 "http://$1/latest/meta-data/instance-id"' - "$LAB_IMDS4" "$E2E_TTL"

lab_iptables imds -I INPUT -p tcp --syn -j DROP
get late 9 >"$LAB_ROOT/late" & late=$!
sleep 2.5
lab_iptables imds -D INPUT -p tcp --syn -j DROP
wait $late

# in the service's place: it does not wait for an acknowledgement of one answer before it sends the next
lab_server_stop
cat >"$LAB_ROOT/service.py" <<'END'
import socket, time
s = socket.create_server(("169.254.169.254", 80))
c = s.accept()[0]
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for body in b"TOKEN-TOKEN", b"i-0123":
    c.recv(4096)
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
time.sleep(9)
END
(exec nsenter --net="/run/netns/$LAB_ID-imds" python3 "$LAB_ROOT/service.py" </dev/null >"$LAB_ROOT/service.out" 2>&1) &
e2e_later kill $!
listens() { lab_in imds ss -Hltn 'sport = :80' | grep -q 169.254.169.254; }
lab_wait_for 5 listens || e2e_die "the service listens: $(cat "$LAB_ROOT/service.out")"
lab_iptables imds -t mangle -A OUTPUT -p tcp --sport 80 -m string --algo bm --string TOKEN-TOKEN -j TTL --ttl-set 1
raw piped connect "send:PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n$E2E_TTL\r\n\r\n" sleep:300 \
	"send:GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\n\r\n" recv:600 close >/dev/null
trace_stop
report_stop

check "refused: its own socket takes nothing" grep -q timed.out "$LAB_ROOT/refused"
expect_trace "$t" "what its socket refused left the client waiting" 'tokens("refused") | length == 1 and
	(.[0] | .outcome == "blocked" and .cause == "refused-at-socket" and .duration_us > 1400000)'
expect_report "$r" "that is time lost" 'pod("refused").seconds_lost | . > 1.4 and . < 2.5'
expect_trace "$t" "a token's answer that died is not the next one, which came ahead" 'tokens("piped") | length == 1 and
	(.[0] | .outcome == "hop-limit" and .confidence == "proven" and .ttl_response == null and .duration_us > 500000)'
expect_report "$r" "piped: the hop limit is blamed for it" 'codes("piped") | index("hop-limit-exhausted") and (index("dropped-on-node") | not)'
expect_trace "$t" "lowered: what its answer had left tells the limit" 'tokens("lowered")[0] | .outcome == "hop-limit" and .hops == 1 and
	.required_hop_limit == 2'
expect_words "$r" lowered "no other limit is told, and no rule suspected" 'test("limit 2") and (test("limit 3|a rule changes|has 2") | not)'
expect_trace "$t" "another program's request is no fallback" 'gets("programs") | length == 1 and (.[0].fallback | not)'
expect_trace "$t" "a script's next curl is one" 'gets("script") | length == 1 and .[0].fallback'
check "late: answered" equal "$(cat "$LAB_ROOT/late")" 200
# shellcheck disable=SC2016 # for jq
expect_finding "$r" late slow "the seconds before its connection stood" '.severity == "warning" and ($all | test("the slowest after [23]\\.[0-9] s"))'
