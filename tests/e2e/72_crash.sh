#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it kills under load.
# The traffic is never harmed: every cgroup program returns 1 on every path, payloads arrive as they were sent while
# imdsnoop is attached and while it is killed at random moments, and a killed one leaves nothing behind.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need bpftool
e2e_lab --hop-limit 2
lab_pod_bridge web-1
lab_pod_host web-2
t=$LAB_ROOT/trace
KILLS=${KILLS:-30}		# 200 is the real thing, with E2E_LIMIT=1000
MEGABYTES=8
BULK=172.31.0.1:8181		# an endpoint of ours, for which no server listens

# --- the loaded programs ---

ids() { sed -n "s/^$2_id:[[:space:]]*//p" "/proc/$1/fdinfo/"* 2>/dev/null | sort -un; }
# The main function of a program has one exit, the instruction in front of it sets 1, and nothing jumps in between.
passes_all() {
	bpftool prog dump xlated id "$1" | awk '
		/^[a-z_].*\):$/ && seen++ { exit }		# the functions that it calls return other things
		/^ *[0-9]+: / {
			at = $1 + 0
			if (match($0, /(goto pc|may_goto pc)[+-][0-9]+/)) {
				hop = substr($0, RSTART, RLENGTH)
				sub(/.*pc/, "", hop)
				target[at + 1 + hop] = 1
			}
			if ($2 == "(95)") { exits++; end = at; one = before ~ /\((b4|b7)\) [rw]0 = 1$/ }
			before = $0
		}
		END {
			if (exits != 1 || !one || target[end]) {
				print "exits " exits ", 1 is set in front of it: " one ", jumped at: " target[end] + 0
				exit 1
			}
		}'
}
trace_start "$t"
n=0
for id in $(ids "$LAB_TRACE_PID" prog); do
	name=$(bpftool -j prog show id "$id" | jq -r 'select(.type | startswith("cgroup")) | .type + " " + .name')
	[ -n "$name" ] || continue
	n=$((n + 1))
	check "$name returns 1 on every path" passes_all "$id"
done
check "all cgroup programs were read" test $n -ge 5
trace_stop

# --- payloads ---

bulk() {			# bulk FILE: some megabytes each way from a pod; keeps what both ends hashed
	lab_in imds "$LAB_BIN/payload" listen "$BULK" $MEGABYTES >"$1.server" &
	lab_wait_for 5 listening || return
	lab_exec web-1 "$LAB_BIN/payload" connect "$BULK" $MEGABYTES >"$1.client"
	wait $!
}
listening() { lab_in imds grep -qi ':1FF5 00000000:0000 0A' /proc/net/tcp; }
agree() {			# agree FILE: what one end sent is what the other received
	equal "$(jq -c '[.sent, .received, .bytes]' "$1.client")" "$(jq -c '[.received, .sent, .bytes]' "$1.server")" &&
		equal "$(jq .bytes "$1.client")" $((MEGABYTES << 20))
}
trace_start "$t" --endpoint 169.254.169.254 --endpoint "$BULK"
bulk "$LAB_ROOT/attached"
check "attached: payload hashes at both ends agree" agree "$LAB_ROOT/attached"
trace_stop
check "attached: trace lived" equal $? 0
expect_trace "$t" "attached: it was looked at" '.[-1].totals.requests + (.[-1].losses | add) > 0'

# --- kill -9 ---

held() { sed -n "s/^$1_id:[[:space:]]*//p" /proc/[0-9]*/fdinfo/* 2>/dev/null | sort -un; }
all() { bpftool -j "$1" show 2>/dev/null | jq ".[] | select(\"$1\" == \"link\" or (.name // \"\" | startswith(\"imds\"))) | .id" | sort -un; }
# What is there now, was not at the start, and no process has: left over by a killed one (others may be testing, too).
left() {
	local kind=$1
	comm -23 <(comm -23 <(all "$kind" | sort) <(sort "$LAB_ROOT/$kind.before")) <(held "$kind" | sort)
}
nothing_left() { [ -z "$(left "$1")" ] || { left "$1"; return 1; }; }
attached() { bpftool -j cgroup tree "$(lab_cgroup)" 2>/dev/null | jq '[.. | .programs? // empty | .[]] | length'; }

for kind in prog map link; do all $kind >"$LAB_ROOT/$kind.before"; done
(i=0
while [ ! -e "$LAB_ROOT/enough" ]; do
	bulk "$LAB_ROOT/bulk.$((++i))" || exit 1
	sleep 0.2
done) &
bulks=$!
bytes_mark
lab_exec web-2 "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 300 --seconds $((KILLS * 5 / 10)) >"$LAB_ROOT/load" &
load=$!
two_links() { [ "$(lab_links "$1")" -ge 2 ]; }
killed=0 armed=0
RANDOM=${SEED:-$$}
lab_args
for ((k = 0; k < KILLS && SECONDS < ${E2E_LIMIT:-120} * 6 / 10; k++)); do	# fewer on a machine that is busy otherwise
	"$IMDSNOOP" trace "${LAB_ARGS[@]}" --endpoint 169.254.169.254 --endpoint "$BULK" --json --output "$t.$k" \
		</dev/null >/dev/null 2>&1 &
	pid=$!
	# every other one while it loads, the rest once it is attached
	[ $((k % 2)) = 0 ] || lab_wait_for 5 two_links $pid
	sleep "$(printf 0.%03d $((RANDOM % 400)))"
	! two_links $pid || armed=$((armed + 1))
	kill -KILL $pid 2>/dev/null && killed=$((killed + 1))
	wait $pid 2>/dev/null
done
echo "# SEED=${SEED:-$$} KILLS=$KILLS, $armed of $killed were attached"
touch "$LAB_ROOT/enough"
wait $bulks
check "killed: bulk connections ended well" equal $? 0
wait $load
check "killed: each time, $k of $KILLS" equal $killed "$k"
check "killed: some of them attached" test $armed -gt $((k / 4))
for kind in prog map link; do
	check "killed: no $kind is left" lab_wait_for 3 nothing_left $kind
done
check "killed: the cgroup is clean" equal "$(attached)" 0
check "killed: every request was answered" e2e_jq "$LAB_ROOT/load" '.failed == 0 and .ok == .sent'
check "killed: hashes of requests and answers agree, too" bytes_agree "$LAB_ROOT/load"
bulks_agree() {
	local sent
	sent=$(cat "$LAB_ROOT"/bulk.*.client | jq -cs 'map([.sent, .received, .bytes])')
	equal "$(cat "$LAB_ROOT"/bulk.*.server | jq -cs 'map([.received, .sent, .bytes])')" "$sent" &&
		jq -e "length > 0 and all(.[]; .[2] == $((MEGABYTES << 20)))" <<<"$sent" >/dev/null
}
check "killed: payload hashes at both ends agree" bulks_agree
