#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What dies is not the answer to a token request as a whole: the rest behind its head, a reset in its place, the answer to a
# GET. Each is told with its place, none is called given up by the client, and the hop limit is blamed for the last only.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need iptables python3
e2e_lab
t=$LAB_ROOT/trace r=$LAB_ROOT/report
pods() { lab_pod_bridge filtered && lab_pod_bridge used-up && lab_pod_bridge reset && lab_pod_bridge data &&
	lab_pod_bridge silent; }
pods || e2e_die "pods come up"

# in the service's place; the query says what becomes of the answer
lab_server_stop
cat >"$LAB_ROOT/service.py" <<'END'
import socket, struct, threading, time
def serve(c):
    line = c.recv(4096).split(b"\r\n")[0]
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head, body = b"HTTP/1.1 200 OK\r\nContent-Length: 56\r\n\r\n", b"A" * 56
    if b"?silent" in line: # the acknowledgement of the head's rest dies
        c.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        return time.sleep(3)
    if b"?reset" in line:
        c.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return c.close()
    if b"?data" not in line:
        c.send(head)
        time.sleep(0.1)
    if b"?filtered" in line:
        c.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
    else:
        c.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    c.send(body if b"?data" not in line else head + body)
    time.sleep(3)
s = socket.create_server(("169.254.169.254", 80))
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
END
(exec nsenter --net="/run/netns/$LAB_ID-imds" python3 "$LAB_ROOT/service.py" </dev/null >"$LAB_ROOT/service.out" 2>&1) &
e2e_later kill $!
listens() { lab_in imds ss -Hltn 'sport = :80' | grep -q 169.254.169.254; }
lab_wait_for 5 listens || e2e_die "the service listens: $(cat "$LAB_ROOT/service.out")"
lab_iptables node -t mangle -A FORWARD -o docker0 -m tos --tos 0x28/0xfc -j DROP

IMDSNOOP=$(e2e_in_node) report_start "$r"
IMDSNOOP=$(e2e_in_node) trace_start "$t"
asks() { lab_exec "$1" curl -s -o /dev/null -m 1 "${@:2}" "http://$LAB_IMDS4/latest/${QUERY:-api/token}?$1" >/dev/null; }
for p in filtered used-up reset; do asks $p -X PUT -H "$E2E_TTL"; done
QUERY=meta-data/instance-id asks data
# shellcheck disable=SC2016 # for the other shell
lab_exec silent bash -c 'exec 3<>/dev/tcp/$1/80; printf "PUT /latest/api/token?silent HTTP/1.1\r\n" >&3; sleep 0.2
	printf "Host: $1\r\n$2\r\n\r\n" >&3; read -r -t 1 <&3' - "$LAB_IMDS4" "$E2E_TTL" 2>/dev/null
trace_stop
report_stop

is() { expect_trace "$t" "$1: $2" "of(\"$1\") | length == 1 and (.[0] | $3)"; }
is filtered "the head came, a filter dropped the rest" '.status == 200 and .outcome == "blocked" and .cause == "filtered" and
	.drop_reason != null'
is used-up "the head came, the rest died of its TTL" '.status == 200 and .outcome == "dropped" and .ttl_dropped == 1 and
	(.drop_location | test("forward|^$"))'
is reset "a reset that died is no answer that died" '.outcome == "dropped" and .confidence == null and .ttl_dropped == 1'
is silent "only acknowledgements died: a guess" '.outcome == "hop-limit" and .confidence == "likely"'
is data "the answer to a GET dies of its TTL" '.outcome == "hop-limit" and .confidence == "proven"'
expect_report "$r" "the hop limit is blamed for none but the GET and what only its acknowledgements speak of" \
	'[.findings[] | select(.code == "hop-limit-exhausted") | .pod] | sort == ["data", "silent"]'
expect_report "$r" "a client that waited gave nothing up" 'all(.findings[]; [.summary, .evidence[]] | all(test("given up|not seen") | not))'
expect_report "$r" "the reset is told" 'any(.findings[]; .pod == "reset" and (.summary | test("sent a reset instead of an answer")))'
expect_report "$r" "what waited for the GET lost its time" 'pod("data").seconds_lost | . > 0.8 and . < 1.2'
