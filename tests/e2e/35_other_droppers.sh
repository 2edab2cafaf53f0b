#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What keeps packets away on a node and is no rule of netfilter: an XDP program, an IPsec policy, a shaped queue, the client's
# own TTL, the reverse path filter on the pod's side, a gateway that is gone. Each is told by its name, with the tool that
# shows it; the service's address is not said to be nobody's while others are answered.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tc ip
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
declare -A veth
for p in fine generic native ipsec queue ttl source gateway; do
	lab_pod_bridge $p || e2e_die "pod $p comes up"
	veth[$p]=veth$lab_n
done
lab_ip node link set dev "${veth[generic]}" xdpgeneric obj "$LAB_BIN/xdp_drop.bpf.o" sec xdp || e2e_die "generic XDP attaches"
lab_ip node link set dev "${veth[native]}" xdpdrv obj "$LAB_BIN/xdp_drop.bpf.o" sec xdp || e2e_die "native XDP attaches"
lab_pod_load ipsec
lab_ip node xfrm policy add src "$pod_ip" dst "$LAB_IMDS4" dir fwd action block || e2e_die "the IPsec policy is there"
lab_in node tc qdisc add dev "${veth[queue]}" root tbf rate 8kbit burst 1600 limit 100 || e2e_die "the queue is shaped"
lab_sysctl p-ttl net/ipv4/ip_default_ttl=1
gw=$(lab_ip p-source route show default | awk '{ print $3 }')
lab_ip p-source addr add 10.99.0.9/32 dev lo
lab_exec source ping -c 1 -W 1 "$gw" >/dev/null 2>&1
lab_ip p-source neigh replace "$gw" dev eth0 lladdr "$(lab_ip node -j link show docker0 | jq -r '.[0].address')" nud permanent
lab_ip p-source route replace default via "$gw" src 10.99.0.9
lab_sysctl node net/ipv4/conf/docker0/rp_filter=1
lab_ip p-gateway route replace default via "${gw%.*}.250"
IMDSNOOP=$(e2e_in_node)
report_start "$r"
trace_start "$t"
check "lab: another pod is answered" equal "$(put fine)" 200
for p in generic native ipsec ttl source; do put $p 1 >/dev/null; done
get queue 2 >/dev/null &
put gateway 5 >/dev/null
wait $!
trace_stop
report_stop

foreign='packet filter|networkpolicy|nft list|nobody on this network|Nothing listens|EC2_METADATA_DISABLED=true.*laptop'
said() {			# said POD CODE WORDS TOOL: what its one finding says
	expect_report "$r" "$1: $3" ".findings | map(select(.pod == \"$1\" and .severity != \"info\")) | length == 1 and (.[0] |
		.code == \"$2\" and (.summary | test(\"$3\")) and (.advice | any(test(\"$4\"))) and
		([.summary, .advice[]] | join(\" \") | test(\"$foreign\") | not))"
}
said generic blocked-by-policy "by an XDP program" "bpftool net"
said native blocked-by-policy "by an XDP program" "bpftool net"
said ipsec blocked-by-policy "by an IPsec policy" "ip xfrm policy"
said queue dropped-on-node "an interface's queue" "tc -s qdisc show"
said ttl dropped-on-node "the client sends its packets with a TTL that is used up here" "ip_default_ttl"
said source dropped-on-node "the pod's packets come in by another interface" "rp_filter=2"
said gateway dropped-on-node "in the pod's own network: the packets find nobody .*, nor a gateway to it" "ip neigh"
expect_report "$r" "nobody is told of the hop limit" '[.findings[] | select(.code == "hop-limit-exhausted")] == []'
