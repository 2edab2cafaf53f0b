#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A sandbox with a network stack of its own (gVisor) asks through a packet socket: no socket and no cgroup hook sees it. Its
# dead answers are told all the same, by address, and by name where the address tells it.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
r=$LAB_ROOT/report
root=$LAB_ROOT/root
request=$'PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n'

# sandbox POD: gVisor takes the addresses from the device; its sentry lives in the pod's cgroup and network namespace
sandbox() {
	lab_pod_load "$1"
	lab_ip "$pod_netns" addr flush dev eth0
	(lab_exec "$1" sleep 600 &) 2>/dev/null
}
packets() {			# packets POD GATEWAY-MAC: one token request
	lab_pod_load "$1"
	lab_in "$pod_netns" "$LAB_BIN/packet_client" eth0 "$2" "$pod_ip" "$LAB_IMDS4" 80 "$request" 300
}
lab_pod_bridge bridged --namespace shop
lab_pod_routed routed --namespace shop
lab_pod_bridge known --namespace shop		# a plugin's file tells its address; its network namespace would not
lab_pod_bridge nobody
lab_pod_bridge micro
lab_pod_bridge guest				# libvirt has a machine with this device
mkdir -p "$root/run/libvirt/qemu"
# shellcheck disable=SC2154	# set by lab_pod_bridge
printf "<domstatus state='running'>\n  <domain type='kvm' id='1'>\n    <name>web-vm</name>\n    <devices>\n      <interface type='bridge'>
        <target dev='%s'/>\n" "veth$lab_n" >"$root/run/libvirt/qemu/web-vm.xml"
for p in bridged routed; do sandbox $p; done
for p in known nobody guest; do lab_pod_load $p; lab_ip "$pod_netns" addr flush dev eth0; done
lab_pod_load known
mkdir -p "$root/var/lib/cni/networks/pods" "$root/var/lib/cni/results"
printf '%s\r\neth0' "$pod_id" >"$root/var/lib/cni/networks/pods/$pod_ip"
lab_hex 64			# a container that has ended, of the same address
printf '{"kind":"cniCacheV1","containerId":"%s","result":{"ips":[{"address":"%s/20"}]}}' "$lab_hex" "$pod_ip" \
	>"$root/var/lib/cni/results/pods-$lab_hex-eth0"

# Firecracker: the tap hangs from the bridge, and only the descriptor of its process tells whose it is
lab_pod_load micro
lab_ip "$pod_netns" addr flush dev eth0
lab_ip node tuntap add fctap0 mode tap && lab_ip node link set fctap0 master docker0 up
# whoever has a network namespace of its own may give a tap of its own the same name
lab_pod_load nobody
lab_ip "$pod_netns" tuntap add fctap0 mode tap && lab_ip "$pod_netns" link set fctap0 up
(exec -a firecracker nsenter --net="/run/netns/$LAB_ID-$pod_netns" "$LAB_BIN/packet_client" tap:fctap0 02:42:00:00:00:01 192.0.2.1 \
	192.0.2.2 80 x 300000 --id not-web-vm >/dev/null 2>&1) &
e2e_later kill $!

# as on a node: only deaths in its own network namespace are of its pods
IMDSNOOP=$(e2e_in_node) report_start "$r" --runtime-dirs "$root"
IMDSNOOP=$(e2e_in_node) trace_start "$LAB_ROOT/trace" --runtime-dirs "$root"
lab_pod_load routed
read -r mac < <(lab_ip node -o link show "eni${pod_id:0:11}" | sed -n 's/.*ether \([0-9a-f:]*\).*/\1/p')
for _ in 1 2; do packets bridged 02:42:00:00:00:01 >/dev/null; done	# each try has another port
check "the sandbox connects, and gets no answer" equal "$(packets routed "$mac"; echo $?)" 3
for p in bridged known nobody guest; do packets $p 02:42:00:00:00:01 >/dev/null; done
asked_by_tap() { lab_ip node -j -s link show fctap0 | jq -e '.[0].stats64.rx.packets > 2'; }
lab_pod_load micro
(exec -a firecracker nsenter --net="/run/netns/$LAB_ID-node" "$LAB_BIN/packet_client" tap:fctap0 02:42:00:00:00:01 "$pod_ip" \
	"$LAB_IMDS4" 80 "$request" 60000 --id web-vm-2 --api-sock /run/fc.sock >/dev/null 2>"$LAB_ROOT/tap.err") &
tap=$!
lab_wait_for 10 asked_by_tap
sleep 1.5			# the answer dies, and who has the tap is looked for
trace_stop
report_stop
kill $tap

name_of() { lab_pod_load "$1"; echo ".unowned[] | select(.address | startswith(\"$pod_ip:\"))"; }
expect_report "$r" "no request of a connection is seen" '.totals.requests == 0'
expect_report "$r" "behind a bridge: named by the network namespace behind the port" \
	"[$(name_of bridged)] | length == 1 and (.[0] | .name == \"shop/bridged\" and (.device | startswith(\"veth\")) and .packets > 0)"
expect_report "$r" "behind a routed veth too" "[$(name_of routed)] | length == 1 and (.[0] | .name == \"shop/routed\" and (.device | startswith(\"eni\")))"
expect_report "$r" "by a network plugin's file" "[$(name_of known)] | length == 1 and .[0].name == \"shop/known\""
expect_report "$r" "by the virtual machine's device" "[$(name_of guest)] | length == 1 and .[0].name == \"web-vm\""
expect_report "$r" "by the process that has the tap" "[$(name_of micro)] | length == 1 and .[0].name == \"web-vm-2\""
expect_report "$r" "else by address alone" "[$(name_of nobody)] | length == 1 and .[0].name == \"\""
expect_report "$r" "told as answers that die, by name; nobody is called safe" \
	'[.findings[] | select(.code == "unowned-ttl-deaths" or .code == "unknown-owner")] | length == 1 and
	(.[0].evidence | any(test("shop/bridged")))'
# from the trace's lines
dead() { jq -c '.unowned | map([.address, .name, .device]) | sort' "$1"; }
"$IMDSNOOP" report --json --from "$LAB_ROOT/trace" >"$r.again"
check "the same from the lines of a trace" equal "$(dead "$r.again")" "$(dead "$r")"
expect_report "$r.again" "which is not called quiet" 'any(.findings[]; .code == "unknown-owner") and
	(.headline.level | IN("quiet", "ok", "note") | not)'

# One that asked before the watch began, and is answered what needs no token meanwhile.
lab_pod_bridge early --namespace shop
resent() { lab_in imds ss -Htni sport = :80 and dport = :47001 | grep -q "backoff:$1"; }
raw early port:47001 connect "send:$request" recv:60000 >/dev/null &
early=$!
check "lab: its answer dies" lab_wait_for 10 resent 1
IMDSNOOP=$(e2e_in_node) report_start "$r"
get early >/dev/null
backoff=$(lab_in imds ss -Htni sport = :80 and dport = :47001 | sed -n 's/.*backoff:\([0-9]*\).*/\1/p')
lab_wait_for 60 resent "$((backoff + 1))"
report_stop
kill $early
expect_report "$r" "asked before the watch: its answer's death is told all the same" "[$(name_of early)] | length == 1 and .[0].packets > 0"
