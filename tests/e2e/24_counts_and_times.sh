#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Seconds lost, and what is slow: waits at the same time are one wait, a long poll is none, a socket of MPTCP is closed when
# its process closes it, and what the kernel says again for a process that is gone is no request.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
t=$LAB_ROOT/trace r=$LAB_ROOT/report
for p in twice tries mptcp poll left plain closed typing; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
raw closed connect "send:GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: imds\r\n\r\n" recv:300 "send:PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\n$E2E_TTL\r\n\r\n" recv:100 close >/dev/null
report_start "$r" --slow 300ms
trace_start "$t" --slow 300ms
url=http://$LAB_IMDS4

# one process asks twice at once, as cloud-init does over IPv4 and IPv6; another one tries twice in a row, and sleeps
lab_exec twice curl -s -o /dev/null -m 1 -Z --parallel-immediate -X PUT -H "$E2E_TTL" "$url/latest/api/token" "$url/latest/api/token?"
for _ in 1 2; do put tries 0.5 >/dev/null; sleep 1; done
mptcp=$(sysctl -n net.mptcp.enabled 2>/dev/null)
[ "$mptcp" != 1 ] || raw mptcp mptcp connect "send:PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\n$E2E_TTL\r\n\r\n" recv:600 close >/dev/null

raw typing connect "send:GET /latest/meta-data/instance-id HTTP/1.1\r\n" sleep:700 "send:Host: imds\r\n\r\n" recv:200 close >/dev/null

lab_server_set slow-ms 500
get plain >/dev/null
get poll 2 '/computeMetadata/v1/instance/attributes/?wait_for_change=true&timeout_sec=60' >/dev/null
get left 0.4 '/computeMetadata/v1/instance/attributes/?recursive=true&wait_for_change=true' >/dev/null
sleep 2
trace_stop
report_stop

lost() { expect_report "$r" "$1: $4" "pod(\"$1\").seconds_lost | . >= $2 and . <= $3"; }
lost twice 0.9 1.5 "two waits at once are one"
lost tries 0.9 1.4 "the sleep between two tries is none"
# it is told again after 1.4, 3 and 6.2 seconds
expect_report "$r" "closed before we came: nobody asks" '[.pods[] | select(.pod == "closed") | .requests] | add // 0 | . == 0'
expect_trace "$t" "twice: both are told" 'tokens("twice") | length == 2 and all_are(.outcome == "hop-limit")'
if [ "$mptcp" = 1 ]; then
	lost mptcp 0.5 0.9 "it waited until its process closed it"
	expect_trace "$t" "mptcp: one request, ended" 'tokens("mptcp") | length == 1 and .[0].outcome == "hop-limit"'
else
	echo "skip mptcp: this kernel has none"
fi
expect_report "$r" "a slow answer is slow" 'pod("plain").slow == 1 and (codes("plain") | index("slow") != null)'
expect_report "$r" "a long poll is not" 'pod("poll") | .slow == 0 and .answered == 1 and .latency_us.max == null'
expect_trace "$t" "a long poll makes no stall" 'map(select(.pod == "poll" or .pod == "left") | .type) | unique == ["request"]'
expect_trace "$t" "nor does a client that is still sending its head" 'map(select(.pod == "typing")) | length == 1 and
	(.[0] | .type == "request" and .outcome == "ok")'
expect_trace "$t" "one that its client leaves is no silence" 'of("left") | length == 1 and .[0].outcome == "aborted"'
