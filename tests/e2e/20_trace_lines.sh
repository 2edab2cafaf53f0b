#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Lines of a trace: each at once while little happens, gathered under load, and what is said when they cannot be written.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
lab_pod_bridge web-1 || e2e_die "pod web-1 comes up"
t=$LAB_ROOT/trace
load() { lab_exec web-1 "$LAB_BIN/load_client" --target 169.254.169.254:80 "$@"; }

# How long a record lay in the ring, in ms, sorted.
# shellcheck disable=SC2016
lay='requests | map((.facts.judged_ns - .facts.record_ns) / 1e6) | sort'

# --- little happens: a reader of the pipe sees a line without a next one ---

mkfifo "$LAB_ROOT/lines"
lab_args
"$IMDSNOOP" trace "${LAB_ARGS[@]}" --json >"$LAB_ROOT/lines" 2>"$t.err" &
pid=$!
e2e_later kill $pid '2>/dev/null'
exec 5<"$LAB_ROOT/lines"
read -r -t 20 line <&5 || e2e_die "trace starts"
for i in 1 2 3 4 5 6 7 8 9; do
	sleep "0.2$i"
	get web-1 >/dev/null
	read -r -t 2 line <&5 || break
	printf '%s\n' "$line"
done >"$t"
kill $pid
wait $pid
exec 5<&-
expect_trace "$t" "little happens: each line comes by itself" 'requests | length == 9'
expect_trace "$t" "little happens: it is read at once, not at the next tick" "$lay | .[4] < 60"

# --- much happens: woken a few times a second, all lines are there ---

trace_start "$t"
before=$(awk '/^voluntary/ { print $2 }' "/proc/$LAB_TRACE_PID/status")
load --rate 1000 --seconds 2 --concurrency 8 >"$LAB_ROOT/load"
woken=$(($(awk '/^voluntary/ { print $2 }' "/proc/$LAB_TRACE_PID/status") - before))
trace_stop
ok=$(jq .ok "$LAB_ROOT/load")
check "much happens: clients were answered" test "$ok" -ge 1000
expect_trace "$t" "much happens: a line for each request" "requests | length == $ok"
check "much happens: woken once for many" test $((woken * 5)) -lt "$ok"
expect_trace "$t" "much happens: no line waits for the next tick" "$lay | .[length * 9 / 10 | floor] < 100"

# --- no room, and no reader ---

mkdir "$LAB_ROOT/small"
mount -t tmpfs -o size=64k none "$LAB_ROOT/small" || e2e_die "a small tmpfs"
e2e_later umount -l "$LAB_ROOT/small"
fills() {			# fills OPTION...: the disk is full after some lines
	head -c 53248 /dev/zero >"$LAB_ROOT/small/rest"
	rm -f "$LAB_ROOT/small/out"
	"$IMDSNOOP" trace "${LAB_ARGS[@]}" --quiet "$@" --output "$LAB_ROOT/small/out" 2>"$t.err" &
	pid=$!
	lab_attached $pid
	load --rate 200 --seconds 2 >/dev/null
	lab_wait_for 10 lab_is_gone $pid || kill $pid
	wait $pid
	equal $? 1 && cat "$t.err" && equal "$(wc -l <"$t.err")" 1 && grep -q 'No space left on device' "$t.err"
}
check "disk full: trace says why" fills
check "disk full: trace --json says why" fills --json
check "a reader that left is no error" sh -c '"$@" 2>"$0" | head -1 >/dev/null; cat "$0"; test ! -s "$0"' "$t.err" \
	timeout 20 "$IMDSNOOP" trace "${LAB_ARGS[@]}" --json --quiet --duration 2s
