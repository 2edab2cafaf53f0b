#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Deaths by TTL that are easy to miss: after the client has left, of a request in unusual form, behind an earlier copy that
# was freed elsewhere. Each is told as what it is.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need iptables python3
e2e_lab --hop-limit 1
t=$LAB_ROOT/trace r=$LAB_ROOT/report
token="PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\n$E2E_TTL\r\n"
pods() { lab_pod_bridge late && lab_pod_bridge expect && lab_pod_bridge piped && lab_pod_bridge wordy && lab_pod_bridge open &&
	lab_pod_inner nested && lab_pod_bridge neighbour &&
	lab_pod_bridge hasty && lab_pod_bridge lossy && lab_pod_bridge behind && lab_pod_bridge patient; }
pods || e2e_die "pods come up"
IMDSNOOP=$(e2e_in_node) report_start "$r"
IMDSNOOP=$(e2e_in_node) trace_start "$t"

pids=()
raw expect connect "send:${token}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n" expect:Continue sleep:300 send:xx recv: recv:700 close >/dev/null &
pids+=($!)
raw piped connect "send:$token\r\n$token\r\n$token\r\n$token\r\n$token\r\n$token\r\n" recv:1000 close >/dev/null &
pids+=($!)
# what was asked behind a token whose answer dies has none of its own, nor when that is sent again after the close; a rule, for
# the service itself would send all again with the TTL of the second answer
lab_iptables node -t mangle -A PREROUTING -s "$LAB_IMDS4" -p tcp --dport 43000 --tcp-flags PSH PSH -j TTL --ttl-set 1
raw behind port:43000 connect "send:$token\r\n" sleep:300 'send:GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: imds\r\n\r\n' recv:1000 close >/dev/null &
pids+=($!)
printf -v long '%06000d' 0
raw wordy connect "send:${token}X-Long: $long\r\n\r\n" recv:1000 close >/dev/null &
pids+=($!)
# its client asks without a token while the socket that waits is still open
raw open connect "send:$token\r\n" recv:1500 close >/dev/null &
pids+=($!)
sleep 0.7
get open >/dev/null
wait "${pids[@]}"

# the answer dies when its client is gone
lab_server_set slow-token-ms 600
# beside a pod that leaves 300 at a time: no more of them wait for what becomes of the answer than are its share
lab_exec hasty python3 -c '
import socket
for i in range(300):
    with socket.create_connection(("169.254.169.254", 80)) as s:
        s.send(b"PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n")
' || e2e_die "300 requests are left"
put late 0.4 >/dev/null
# nor does it matter that its first SYN was lost: the connection stood all the same
lab_pod_load lossy
lab_iptables node -I FORWARD -s "$pod_ip" -p tcp --syn -m limit --limit 1/hour --limit-burst 1 -j DROP
put lossy 1.4 >/dev/null
sleep 0.5
lab_server_set slow-token-ms 0

# and when its request has long been told as silent
lab_server_set slow-token-ms 5600
put patient 0.5 >/dev/null
sleep 6
lab_server_set slow-token-ms 0

# docker0 floods what it has forgotten: a neighbour's copy is freed first, then the answer dies in the inner node
lab_server_set hop-limit 2
lab_in node ip link set docker0 type bridge ageing_time 0
put nested 1 >/dev/null
sleep 1
trace_stop
report_stop

died() { expect_trace "$t" "$1: $2" "tokens(\"$1\") | length == ${3:-1} and all_are(.outcome == \"hop-limit\" and .confidence == \"proven\")"; }
died late "a death after the client's close is its request's"
died lossy "a lost SYN explains nothing once the connection stood"
died expect "a request in two parts, with Expect: 100-continue"
died piped "six requests at once" 6
died wordy "a head of six kilobytes keeps its kind"
died nested "a flooded copy freed before hides nothing"
died open "a request that waits"
died behind "a token with a request behind it"
expect_trace "$t" "behind: that request has no death of its own" 'gets("behind") | length == 1 and .[0].outcome == "no-response"'
expect_report "$r" "patient: a death long after the close is told with the silence" '[.findings[] | select(.pod == "patient" and
	.code == "no-response") | .summary] | length == 1 and (.[0] | test("died on this node with its TTL used up"))'
expect_trace "$t" "nested: two forwards, three are needed" 'tokens("nested")[0] | .required_hop_limit == 3 and (.drop_location | test("forward|^$"))'
expect_trace "$t" "open: what came next is the fallback" 'gets("open") | length == 1 and .[0].fallback == true'
expect_report "$r" "each is named" '[.findings[] | select(.code == "hop-limit-exhausted") | .pod] | sort ==
	["behind", "expect", "hasty", "late", "lossy", "nested", "open", "piped", "wordy"]'
# shellcheck disable=SC2016
expect_report "$r" "the share of one pod that waits: beyond it requests are counted under its name alone" '.losses.held_share as $n |
	$n > 100 and (pod("hasty") | .judged_early == $n and .requests == 300 and .outcomes["hop-limit"] <= 300 - $n) and
	([.pods[] | select(.pod != "hasty") | .judged_early] | add) == 0'
expect_report "$r" "and told" 'codes("hasty") | index("beyond-share")'
