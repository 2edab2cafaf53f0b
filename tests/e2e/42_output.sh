#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# --output: tried before the watch, complete or not at all; links, pipes, devices, modes; the counting line on a terminal.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge cart-7d9f6c5b8-x2x4q --namespace shop --container app
t=$LAB_ROOT/trace.jsonl d=$LAB_ROOT/out
mkdir "$d"
trace_start "$t"
put cart-7d9f6c5b8-x2x4q 0.4 >/dev/null
trace_stop

from() { "$IMDSNOOP" report --from "$t" "$@"; }
alone() { equal "$(find "$d" -mindepth 1 | wc -l)" "$1"; }
mode() { stat -c %a "$1"; }

from -o "$d/new" 2>/dev/null
check "a new file is its owner's alone" equal "$(mode "$d/new")" 600
from >"$LAB_ROOT/plain"
check "the file holds what standard output gets" cmp "$LAB_ROOT/plain" "$d/new"
echo old >"$d/old"
chmod 644 "$d/old"
ln "$d/old" "$LAB_ROOT/hard"
from --output "$d/old"
check "an existing file keeps its mode" equal "$(mode "$d/old")" 644
check "an existing file is replaced, not written over" equal "$(cat "$LAB_ROOT/hard")" old
ln -s old "$d/link"
from -o "$d/link"
check "a link stays one" test -L "$d/link"
check "nothing is left beside them" alone 3

# a disk that is full
mkdir "$LAB_ROOT/small"
mount -t tmpfs -o size=16k none "$LAB_ROOT/small"
echo before >"$LAB_ROOT/small/r"
dd if=/dev/zero of="$LAB_ROOT/small/filler" 2>/dev/null
from -o "$LAB_ROOT/small/r" 2>"$LAB_ROOT/err"
check "full disk: exit 1" equal $? 1
check "full disk: one line says so" equal "$(grep -c 'No space left' "$LAB_ROOT/err") $(wc -l <"$LAB_ROOT/err")" "1 1"
check "full disk: what was there stays" equal "$(cat "$LAB_ROOT/small/r") $(find "$LAB_ROOT/small" -type f | wc -l)" "before 2"
umount "$LAB_ROOT/small"

# what is no file
mkfifo "$d/pipe"
cat "$d/pipe" >"$LAB_ROOT/through" &
from -o "$d/pipe"
wait $!
check "a named pipe" cmp "$LAB_ROOT/plain" "$LAB_ROOT/through"
check "a process substitution" cmp "$LAB_ROOT/plain" <(from -o >(cat) | cat)
from -o /dev/stdout >"$LAB_ROOT/direct"
check "/dev/stdout" cmp "$LAB_ROOT/plain" "$LAB_ROOT/direct"
{ echo first; from -o /dev/stdout; } >"$LAB_ROOT/direct"
check "/dev/stdout goes on where others wrote" equal "$(head -1 "$LAB_ROOT/direct")" first
check "- is standard output" cmp "$LAB_ROOT/plain" <(from -o -)

# before the watch
refused() {			# refused NAME FILE
	local start=$SECONDS
	lab_imdsnoop report -d 30s -o "$2" 2>"$LAB_ROOT/err"
	check "$1: exit 1 before the watch" test $? = 1 -a $((SECONDS - start)) -lt 10
	check "$1: one line" equal "$(wc -l <"$LAB_ROOT/err")" 1
}
refused "a folder that is not there" "$d/nothing/r"
refused "a folder" "$d"
lab_imdsnoop trace -d 30s -o "$d/nothing/r" 2>/dev/null
check "trace: a folder that is not there" equal $? 1

# a pipe that nobody opens to read
unread() {			# unread NAME ARGS...: a signal ends it, and it was waited for
	local signal start
	for signal in INT TERM; do
		[ "$signal $2" != "INT report" ] || continue	# which prints the report, and the next one ends it
		lab_args
		env --default-signal=INT "$IMDSNOOP" "${@:2}" "${LAB_ARGS[@]}" 2>"$LAB_ROOT/err" >"$LAB_ROOT/through" &
		pid=$!
		e2e_later unread_kill $pid
		lab_wait_for 10 unread_waits $pid
		kill -$signal $pid
		check "$1: SIG$signal ends it within 2 s" lab_wait_for 2 lab_is_gone $pid
		unread_kill $pid
		wait $pid 2>/dev/null
	done
	start=$SECONDS
	timeout -s KILL 20 "$IMDSNOOP" "${@:2}" "${LAB_ARGS[@]}" -d 1s 2>"$LAB_ROOT/err" >"$LAB_ROOT/through"
	check "$1: --duration ends it, exit 1" equal "$? $((SECONDS - start < 10))" "1 1"
	check "$1: told in one line" equal "$(grep -c 'nobody reads it' "$LAB_ROOT/err") $(wc -l <"$LAB_ROOT/err")" "1 1"
}
unread_kill() { lab_is_gone "$1" || kill -KILL "$1"; }
unread_waits() { grep -q poll "/proc/$1/wchan"; }
unread "unread pipe: trace" trace -o "$d/pipe"
unread "unread pipe: trace --pcapng" trace --pcapng "$d/pipe"
unread "unread pipe: report" report -o "$d/pipe"

# the line that counts
lab_args
script -qfec "$IMDSNOOP report ${LAB_ARGS[*]} -d 6s -o $d/r" "$LAB_ROOT/screen" >/dev/null </dev/null &
script=$!
lab_wait_for 10 grep -q ' of 6 s: ' "$LAB_ROOT/screen"
put cart-7d9f6c5b8-x2x4q 0.4 >/dev/null
wait $script
check "terminal: it counts" grep -q '[2-5] of 6 s: 1 request, 1 pod dying' "$LAB_ROOT/screen"
lab_imdsnoop report -d 1s -o "$d/r" 2>"$LAB_ROOT/err"
check "no terminal: not a word" equal "$(wc -c <"$LAB_ROOT/err")" 0
