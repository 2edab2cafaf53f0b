#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Full packets are lost outside the node, small ones pass: a link of a smaller MTU whose ICMP does not come back. An answer
# that lacks its beginning is none; a request that is never acknowledged is not the agent's silence; an IPv6 attempt beside
# IPv4 that serves is a note.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tc
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
role=/latest/meta-data/iam/security-credentials/node-role
for p in small answer request both own; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
lab_pod_load own
lab_iptables node -t nat -I POSTROUTING -s "$pod_ip" -j ACCEPT	# leaves with its own address, which nobody outside knows
# segments of 348 bytes, one at a time, as on a wire
lab_ip imds link set node0 mtu 400 gso_max_segs 1 || e2e_die "the service's link has its MTU"
IMDSNOOP=$(e2e_in_node)
report_start "$r"
trace_start "$t"
check "lab: all passes" equal "$(put small)$(get small 2 $role)" 200200
lab_in imds tc qdisc add dev node0 clsact
for d in ingress egress; do lab_in imds tc filter add dev node0 $d bpf da obj "$LAB_BIN/tc_ttl_drop.bpf.o" sec lose; done
check "lab: what is small passes" equal "$(put answer)" 200
check "lab: the answer's beginning is lost" equal "$(get answer 2 $role)" 000
check "lab: a long request is lost" equal "$(lab_exec request curl -s -o /dev/null -m 2 -w '%{http_code}' \
	-H "X-Long: $(printf '%0900d' 0)" http://169.254.169.254/latest/meta-data/)" 000
check "lab: who leaves with its own address gets nothing" equal "$(put own 1)" 000
lab_exec both curl -s -o /dev/null -m 1 "http://[fd00:ec2::254]/latest/meta-data/"
get both >/dev/null
trace_stop
report_stop

said() { expect_report "$r" "$1: $2" "[.findings[] | select(.pod == \"$1\" and .severity != \"info\")] | length == 1 and (.[0] |
	.code == \"no-response\" and ([.summary, .evidence[], .advice[]] | join(\" \") | $3))"; }
said answer "its beginning is missing, an MTU is thought of" \
	'test("1 time: the end of an answer came, and its beginning did not") and test("smaller MTU") and (test("SNAT, masq") | not)'
said request "it was never acknowledged" \
	'test("1 time: the connection stood, and the request itself was never acknowledged") and test("smaller MTU")'
said own "others were answered: its own way is to be looked at" \
	'test("Others on this node were answered") and test("no SNAT") and (test("Ask from the node itself") | not)'
expect_trace "$t" "neither is the client's impatience" '[requests[] | select(.outcome == "aborted")] == []'
expect_report "$r" "both: IPv6 that is not there is a note" '[.findings[] | select(.pod == "both" and .code == "not-sent")] |
	length == 1 and .[0].severity == "info" and (.[0].summary | test("fd00:ec2::254"))'
expect_report "$r" "nobody is told of the hop limit" '[.findings[] | select(.code == "hop-limit-exhausted")] == []'
