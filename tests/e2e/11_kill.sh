#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 leaves no program, map, link or cgroup attachment behind.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need bpftool
e2e_lab --hop-limit 1
lab_pod_bridge web-1
t=$LAB_ROOT/trace

ids() { sed -n "s/^$2_id:[[:space:]]*//p" "/proc/$1/fdinfo/"* 2>/dev/null | sort -un; }	# bpf objects that a process holds
gone() {
	local kind=$1 id
	shift
	for id; do
		! bpftool "$kind" show id "$id" >/dev/null 2>&1 || { echo "$kind $id is still there"; return 1; }
	done
}
attached() { bpftool -j cgroup tree "$(lab_cgroup)" 2>/dev/null | jq '[.. | .programs? // empty | .[]] | length'; }

for round in start load; do
	trace_start "$t"
	pid=$LAB_TRACE_PID
	mapfile -t progs < <(ids "$pid" prog)
	mapfile -t maps < <(ids "$pid" map)
	mapfile -t links < <(ids "$pid" link)
	check "$round: it holds programs, maps and links" test ${#progs[@]} -ge 2 -a ${#maps[@]} -ge 2 -a ${#links[@]} -ge 2
	check "$round: it is attached to the cgroup" test "$(attached)" -ge 2
	if [ $round = load ]; then
		lab_exec web-1 "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 500 --seconds 1 >"$LAB_ROOT/load" &
		load=$!
		sleep 0.5
	fi
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	LAB_TRACE_PID=
	check "$round: its programs are gone" lab_wait_for 2 gone prog "${progs[@]}"
	check "$round: its maps are gone" lab_wait_for 2 gone map "${maps[@]}"
	check "$round: its links are gone" lab_wait_for 2 gone link "${links[@]}"
	check "$round: the cgroup is clean" equal "$(attached)" 0
done
wait "$load"
check "the traffic went on undisturbed" e2e_jq "$LAB_ROOT/load" '.ok == 500 and .failed == 0'
check "no folder was left in the bpf file system" sh -c '! ls /sys/fs/bpf 2>/dev/null | grep -i imdsnoop'
