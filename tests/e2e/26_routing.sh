#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The node's own routing keeps the packets away: by a route that forbids, by none, by forwarding that is off, by a neighbour that
# does not answer. Each has its words and its cure; none is a packet filter, a refusing service or the hop limit.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
t=$LAB_ROOT/trace r=$LAB_ROOT/report
table=100
for p in blackhole prohibit unreachable none still; do
	lab_pod_bridge $p || e2e_die "pod $p comes up"
	lab_pod_load $p
	lab_ip node rule add from "$pod_ip" lookup $((++table)) prio $table
	case $p in
	none) lab_ip node rule add from "$pod_ip" unreachable prio $((table + 100)) ;;	# its own table has nothing
	still) lab_ip node route add 169.254.169.254 via 172.31.0.99 dev eth0 onlink table $table ;;
	*) lab_ip node route add $p 169.254.169.254/32 table $table ;;
	esac
done
lab_pod_bridge off || e2e_die "pod off comes up"
lab_pod_bridge moved || e2e_die "pod moved comes up"
lab_pod_load moved
lab_in node iptables -w -t nat -A PREROUTING -s "$pod_ip" -d "$LAB_IMDS4" -p tcp --dport 80 -j DNAT --to-destination 172.31.0.98:8181
IMDSNOOP=$(e2e_in_node)
report_start "$r"
trace_start "$t"
lab_pod_bridge own || e2e_die "pod own comes up"
lab_in p-own iptables -w -A OUTPUT -d "$LAB_IMDS4" -j DROP
for p in blackhole prohibit unreachable none own; do put $p 1 >/dev/null; done
put moved 1 >/dev/null &	# gives up before the kernel does, as SDKs do
put still 5 >/dev/null
wait $!
lab_sysctl node net/ipv4/ip_forward=0
put off 1 >/dev/null
lab_sysctl node net/ipv4/ip_forward=1
trace_stop
report_stop

foreign='packet filter|networkpolicy|policy drop|Nothing listens'	# what would send the reader elsewhere
said() {			# said POD CODE WORDS: what its one finding says
	expect_report "$r" "$1: $3" ".findings | map(select(.pod == \"$1\" and .severity != \"info\")) | length == 1 and (.[0] |
		.code == \"$2\" and (.summary | test(\"$3\")) and ([.summary, .advice[]] | join(\" \") | test(\"$foreign\") | not))"
}
for p in blackhole prohibit unreachable; do said $p blocked-by-policy "route of this node"; done
said none endpoint-refused "this node has no route to the metadata service"
said still dropped-on-node "nobody on this network has the service's address"
expect_report "$r" "a filter in the pod's own network is told as such" '.findings | map(select(.pod == "own")) | length == 1 and
	(.[0] | .code == "blocked-by-policy" and (.summary | test("in the pod'"'"'s own network")))'
said off dropped-on-node "forwarding is off"
said moved dropped-on-node "no neighbour has the address that it redirects to: 172.31.0.98:8181"
expect_trace "$t" "each has its cause" '[requests[] | [.pod, .cause]] | sort == ([["blackhole", "no-route"], ["moved", "no-neighbour"], ["none", "no-route"],
	["off", "forwarding-off"], ["own", "filtered"], ["prohibit", "no-route"], ["still", "no-neighbour"], ["unreachable", "no-route"]])'
expect_report "$r" "nobody claims that nothing was dropped" '[.findings[].evidence[] | select(test("no packet of these was seen dropped"))] == []'
