#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Other tools at the same packets: tcpdump, bpftrace, suricata, and a program of a pod's cgroup as systemd's IPAddressDeny. Each
# counts what the server counts before, beside and after imdsnoop; so does imdsnoop, and it blames who denied.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need bpftool tcpdump
e2e_lab --hop-limit 2
lab_pod_bridge web-1
lab_pod_bridge denied
d=$LAB_ROOT/beside pin=/sys/fs/bpf/$LAB_ID
mkdir -p "$d"
tools=()
stop() {
	[ ${#tools[@]} = 0 ] || kill "${tools[@]}" 2>/dev/null
	wait "${tools[@]}" 2>/dev/null
	tools=()
}
e2e_later stop
bpftool prog load "$LAB_BIN/cgroup_deny.bpf.o" "$pin" || e2e_die "the denying program loads"
e2e_later rm -f "$pin"
lab_pod_load denied
bpftool cgroup attach "$pod_cgroup" egress pinned "$pin" multi || e2e_die "it attaches"

nsenter --net="/run/netns/$LAB_ID-node" -- tcpdump -i docker0 -U -w "$d/pcap" 'tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and host 169.254.169.254' 2>"$d/tcpdump" &
tools+=($!)
lab_wait_for 10 grep -q 'listening on' "$d/tcpdump"
cp "$LAB_BIN/load_client" "$d/$LAB_ID"		# a process name of this lab's
comm=${LAB_ID:0:15}
if command -v bpftrace >/dev/null; then
	bpftrace -e "tracepoint:sock:inet_sock_set_state /comm == \"$comm\" && args->newstate == 2/ { @connects = count(); } tracepoint:skb:kfree_skb { @drops = count(); }
		BEGIN { printf(\"ready\\n\"); }" >"$d/bpftrace" 2>&1 &
	tools+=($!)
	lab_wait_for 40 grep -q ready "$d/bpftrace" || { echo "skip bpftrace: $(tail -1 "$d/bpftrace")"; rm -f "$d/bpftrace"; }
else
	echo "skip bpftrace: not here"
fi
root=$LAB_TREE/build/debian/suricata
log=/tmp/$LAB_ID		# as suricata sees it
if "$LAB_DIR/fetch_debian" suricata; then
	mkdir -p "$root$log"
	e2e_later rm -rf "${root:?}$log"
	cat >"$root$log/suricata.yaml" <<-END
		%YAML 1.1
		---
		outputs:
		  - eve-log: { enabled: yes, filetype: regular, filename: eve.json, types: [ http ] }
		af-packet: [ { interface: docker0, cluster-id: 99, cluster-type: cluster_flow, threads: 1 } ]
		app-layer: { protocols: { http: { enabled: yes } } }
		stream: { checksum-validation: no }
	END
	nsenter --net="/run/netns/$LAB_ID-node" -- chroot "$root" /usr/bin/suricata -c "$log/suricata.yaml" -l "$log" --af-packet --runmode single -S /dev/null \
		>"$d/suricata" 2>&1 &
	tools+=($!)
	lab_wait_for 40 grep -qiE 'engine started|all .* threads' "$d/suricata" ||
		{ echo "skip suricata: $(tail -1 "$d/suricata" | cut -c1-150)"; root=; }
else
	echo "skip suricata: no mirror gives it"
	root=
fi

load() {			# 40 requests, each with a connection of its own
	lab_exec web-1 "$d/$LAB_ID" --target 169.254.169.254:80 --rate 40 --seconds 1 --concurrency 4 \
		--path "/latest/meta-data/instance-id" >"$d/load.$1"
}
load before
r=$LAB_ROOT/report
report_start "$r"
load beside
put denied 1 >/dev/null
sleep 0.3
report_stop
load after
sleep 1
stop
all=$(grep -c instance-id "$(lab_server_log)")
connects=$(tcpdump -r "$d/pcap" "src host $(lab_pod_load web-1; echo "$pod_ip")" 2>/dev/null | wc -l)
check "lab: 120 were asked and answered" e2e_jq <(cat "$d"/load.*) 'map(.ok) | add == 120 and length == 3' -s
check "lab: the server's log has them" equal "$all" 120
expect_report "$r" "imdsnoop: 40 answered, nothing lost" 'pod("web-1") | .requests == 40 and .outcomes.ok == 40'
expect_report "$r" "nothing lost" '.losses | all(.[]; . == 0)'
expect_report "$r" "who is denied by its cgroup's program: blocked there, not the hop limit" 'pod("denied") | .requests == 1 and
	.outcomes.blocked == 1 and .hop_limit != "exhausted"'
expect_report "$r" "and told so" 'codes("denied") | index("blocked-by-policy") != null and index("hop-limit-exhausted") == null'
check "tcpdump: each connection" equal "$connects" 120
[ ! -s "$d/bpftrace" ] || check "bpftrace: each connect" equal "$(sed -n 's/^@connects: //p' "$d/bpftrace")" 120
[ -z "$root" ] || check "suricata: each request" equal "$(grep -c '"/latest/meta-data/instance-id"' "$root$log/eve.json")" 120
check "the denying program is still attached" eval 'bpftool cgroup show "$pod_cgroup" | grep -q cgroup_deny'
