#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Packets that die with TTL 1 and are not the answer that a pod waits for, or die of something else: a policy behind the
# forward, a stranger's forgery, another network with the same addresses. Nobody is told to raise the hop limit for them.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tc iptables
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
head="PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\n$E2E_TTL\r\n\r\n"
pods() { lab_pod_bridge policy && policy_veth=veth$lab_n && lab_pod_bridge victim && lab_pod_bridge evil &&
	lab_pod_inner inner-a && lab_pod_inner inner-b && lab_pod_host agent && lab_pod_bridge older && lab_pod_host older-host &&
	lab_pod_bridge uplink; }
pods || e2e_die "pods come up"
# a pod on a switch of its own: the node forwards, the switch only passes on
lab_pod_bridge switched && lab_pod_load switched && lab_netns switch || e2e_die "the switch comes up"
lab_ip node link set "veth$lab_n" netns "$LAB_ID-switch"
lab_ip node link add up0 type veth peer name uplink netns "$LAB_ID-switch"
lab_ip node link set up0 master docker0 up
lab_ip switch <<-END || e2e_die "the switch has its ports"
	link add br0 type bridge
	link set uplink master br0 up
	link set veth$lab_n master br0 up
	link set br0 up
END
# connections older than the watch, which does not know in whose network they are; a program that drops what has TTL 1 is
# where no forward is left: in the pod's own network, and where packets for the node itself come in
older() {			# older POD: asks on a connection that was used before, once $LAB_ROOT/POD.go is there
	# shellcheck disable=SC2016
	lab_exec "$1" timeout 60 bash -c 'exec 3<>"/dev/tcp/$0/80" && printf "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\n\r\n" >&3
		head -c 10 <&3 >/dev/null; : >"$1.up"; until [ -e "$1.go" ]; do sleep 0.05; done; printf "$2" >&3; sleep 1' \
		"$LAB_IMDS4" "$LAB_ROOT/$1" "$head" &
	lab_wait_for 5 test -e "$LAB_ROOT/$1.up" || e2e_die "$1 is connected"
}
older older
o=$!
older older-host
h=$!
lab_in p-older tc qdisc add dev eth0 clsact
lab_in p-older tc filter add dev eth0 ingress bpf da obj "$LAB_BIN/tc_ttl_drop.bpf.o" sec tc
IMDSNOOP=$(e2e_in_node) report_start "$r"
IMDSNOOP=$(e2e_in_node) trace_start "$t"
check "hop limit 2 is enough for one forward" equal "$(put policy)$(put switched)" 200200

# a policy on the switch, where packets come in: what it drops has TTL 1, for the node has forwarded it; no process of the
# node has told what the hop limit is
lab_in switch tc qdisc add dev uplink clsact
lab_in switch tc filter add dev uplink ingress bpf da obj "$LAB_BIN/tc_ttl_drop.bpf.o" sec tc
check "the policy of the switch keeps the answer away" equal "$(put switched 1)$(put agent)" 000200

# a network policy on the host's side of the pod's device: what it drops has TTL 1, for the forward is behind
lab_in node tc qdisc add dev "$policy_veth" clsact
lab_in node tc filter add dev "$policy_veth" egress bpf da obj "$LAB_BIN/tc_ttl_drop.bpf.o" sec tc
check "the policy keeps the answer away" equal "$(put policy 1)" 000
: >"$LAB_ROOT/older.go"
wait $o

# two nodes in containers, each with a pod of the same address that asks from the same port: the answer to one has a
# forward too many, the service is silent to the other
raw inner-a port:41000 connect "send:$head" recv:1600 close >/dev/null &
a=$!
sleep 0.2
lab_server_set silent-token 1
raw inner-b port:41000 connect "send:$head" recv:1200 close >/dev/null &
b=$!

# a neighbour forges an answer's packet, TTL 1, while the victim waits for a service that is silent
lab_pod_load victim
victim=$pod_ip
raw victim port:42000 connect "send:$head" recv:1000 close >/dev/null &
v=$!
sleep 0.3
lab_exec evil "$LAB_BIN/packet_client" forge eth0 02:42:00:00:00:01 "$LAB_IMDS4" 80 "$victim" 42000 1 "forged answer"
wait $a $b $v
lab_server_set silent-token 0
lab_server_set hop-limit 1
lab_tc_drop on
: >"$LAB_ROOT/older-host.go"
wait $h
# at limit 1, a policy on the node's uplink, ahead of the forward: it drops an answer to a GET with TTL 64 just as well
lab_tc_drop off
lab_in node tc qdisc add dev eth0 clsact
lab_in node tc filter add dev eth0 ingress bpf da obj "$LAB_BIN/tc_ttl_drop.bpf.o" sec policy
check "the policy of the uplink keeps all answers away" equal "$(put uplink)$(get uplink 0.6)$(put uplink)" 000000000
trace_stop
report_stop

expect_trace "$t" "a policy's drop is no death by TTL" 'tokens("policy") | length == 2 and .[0].outcome == "ok" and
	.[1].outcome != "hop-limit" and .[1].drops > 0'
expect_trace "$t" "nor is that of a switch" 'tokens("switched") | length == 2 and .[0].outcome == "ok" and
	.[1].outcome == "blocked" and .[1].ttl_dropped == 1'
expect_trace "$t" "a forged packet is no death of the victim's" 'tokens("victim") | length == 1 and .[0].outcome == "no-response"'
expect_trace "$t" "the network whose answer died is told so" 'tokens("inner-a") | length == 1 and (.[0] |
	.outcome == "hop-limit" and .confidence == "proven" and .required_hop_limit == 3)'
for p in older older-host; do
	expect_trace "$t" "$p: a program's drop behind all forwards is no death" "tokens(\"$p\") | length == 1 and (.[0] |
		.outcome == \"blocked\" and .ttl_dropped == 1)"
done
expect_report "$r" "nor are its packets counted as such where the place is known" 'pod("switched") | .drops.TC_INGRESS > 0 and .hop_limit_drops == 0'
expect_trace "$t" "what drops answers whatever their TTL is a policy" 'gets("uplink")[0].outcome == "blocked" and
	tokens("uplink")[1].outcome == "blocked"'
expect_finding "$r" uplink hop-limit-exhausted "its first token's death is told with what speaks against a higher limit" \
	'$all | test("a tc program dropped answers with TTL 64, too")'
# arithmetic is against it all the same: two forwards, and the node has TTL 2
expect_trace "$t" "its twin with the same addresses has no death of its own" 'tokens("inner-b") | length == 1 and (.[0] |
	.confidence != "proven" and .drops == 0)'
expect_report "$r" "no finding names the hop limit for the others" \
	'[.findings[] | select(.code == "hop-limit-exhausted") | .pod] - ["inner-a", "inner-b", "uplink"] == []'
