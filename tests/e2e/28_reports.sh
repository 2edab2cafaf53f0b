#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Networks of public reports whose cause the kernel knew: answers with another host's MAC address behind SNAT, DNS of the same
# address blocked, a proxy's 503 on OpenStack, a relay whose SYN-ACK is filtered.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
for p in mac dns stack relayed; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
lab_pod_bridge relay --namespace kube-system
IMDSNOOP=$(e2e_in_node)
t=$LAB_ROOT/trace r=$LAB_ROOT/report

serve_in() {			# serve_in POD ADDRESS:PORT
	lab_exec "$1" "$LAB_BIN/imds_server" --listen "$2" --pidfile "$LAB_ROOT/$1.pid" >/dev/null 2>&1 &
	lab_wait_for 5 test -s "$LAB_ROOT/$1.pid"
}
lab_pod_load relay
check "a relay comes up" serve_in relay "$pod_ip:8181"
lab_iptables node -t raw -A PREROUTING -s "$pod_ip" -p tcp --sport 8181 -j DROP
relay_ip=$pod_ip
lab_pod_load relayed
lab_iptables node -t nat -A PREROUTING -s "$pod_ip" -d "$LAB_IMDS4" -p tcp --dport 80 -j DNAT --to-destination "$relay_ip:8181"
lab_iptables node -t nat -A POSTROUTING -p tcp --dport 8181 -j MASQUERADE
lab_pod_load dns
lab_iptables node -I FORWARD -s "$pod_ip" -p udp --dport 53 -j DROP

report_start "$r"
trace_start "$t"
get dns >/dev/null
# shellcheck disable=SC2016 # the inner shell expands
lab_exec dns timeout 2 bash -c 'exec 3<>"/dev/udp/$0/53" && printf "$1" >&3 && read -r -t 1 <&3' "$LAB_IMDS4" \
	'\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x08metadata\x06google\x08internal\0\0\x01\0\x01'
put relayed 1 >/dev/null
lab_server_set status 503
get stack 1 /openstack/latest/meta_data.json >/dev/null
lab_server_set status 0
node_ip=$(lab_in node ip -4 -o addr show dev eth0 | awk '{ sub("/.*", "", $4); print $4; exit }')
lab_in imds ip neigh replace "$node_ip" lladdr 02:00:00:00:00:99 dev "$(lab_in imds ip route get "$node_ip" | sed -n 's/.* dev \([^ ]*\).*/\1/p')"
put mac 1.5 >/dev/null
sleep 4
trace_stop
report_stop

said() { expect_words "$r" "$@"; }
said mac "its answers are addressed to another host" 'test("thrown away as another host.s") and test("ip neigh") and (test("cause not seen|hop limit") | not)'
said dns "DNS is blocked, the service is not" 'test("kept from DNS at the metadata server.s address")'
said stack "unavailable, not throttled" 'test("service unavailable.*503") and test("reaches nobody") and (test("limits queries|is throttled") | not)'
said relayed "the answer of who stands in its place is filtered" 'test("packet filter, which drops the answers") and (test("cause not seen") | not)'
expect_report "$r" "stack: its row says so" 'pod("stack").cause_text == "service unavailable"'
