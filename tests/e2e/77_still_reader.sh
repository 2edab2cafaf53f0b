#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A reader of trace that stands still (a paused pager, a full pipe, a terminal stopped by Ctrl-S) loses lines, which are
# counted and told, and blocks nothing: records are read, signals and --duration end it within 2 s.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need jq python3
e2e_lab --hop-limit 2
lab_pod_host web-1 --namespace shop
err=$LAB_ROOT/err out=$LAB_ROOT/out pipe=$LAB_ROOT/pipe
mkfifo "$pipe"

load() { lab_exec web-1 "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 4000 --seconds 3 >"$LAB_ROOT/load"; }
still() {			# still ARGS...: a trace into a pipe that is open and that nobody reads
	local LAB_ARGS
	lab_args
	exec {reader}<>"$pipe"
	"$IMDSNOOP" trace "${LAB_ARGS[@]}" "$@" >"$pipe" 2>"$err" </dev/null &
	TRACE=$!
	e2e_later still_kill $TRACE
	lab_attached $TRACE || e2e_die "imdsnoop trace attaches"
}
still_kill() { lab_is_gone "$1" || kill -KILL "$1"; }
ends() {			# ends MS [SIGNAL]
	local begin took
	begin=$(date +%s%N)
	[ -z "${2:-}" ] || kill "-$2" $TRACE
	lab_wait_for 8 lab_is_gone $TRACE
	took=$((($(date +%s%N) - begin) / 1000000))
	[ $took -le "$1" ] || { echo "took $took ms"; return 1; }
}

still --json
load
served=$(jq .ok "$LAB_ROOT/load")
# the reader reads again: what waited comes, and the last line says what is missing
timeout 20 cat <"$pipe" >"$out" &
cat=$!
sleep 1
kill -INT $TRACE
wait $TRACE
check "reads again: it ends well" equal $? 0
exec {reader}>&-
wait $cat
check "reads again: each line is whole" jq -c . "$out"
check "reads again: many lines came" test "$(wc -l <"$out")" -gt 2000
expect_trace "$out" "reads again: what is missing is counted" "(map(select(.type == \"end\")) | first) as \$last |
	\$last.lines_lost > 1000 and (requests | length) + (stalls | length) + \$last.lines_lost + \$last.losses.ring_request +
	\$last.losses.record_share == $served"
check "reads again: records were read meanwhile" e2e_jq <(tail -1 "$out") '.losses.ring_request == 0'
check "reads again: told" grep -q 'lines were lost: the reader of the output stood still' "$err"

for signal in INT TERM; do
	still
	load
	check "stands still: SIG$signal ends it within 2 s" ends 2300 $signal
	wait $TRACE
	check "stands still: SIG$signal, the lines are told" grep -q 'lines_lost [1-9]' "$err"
	exec {reader}>&-
done
still --json --duration 2s
sleep 1.8
check "stands still: --duration ends it" ends 1000
exec {reader}>&-

# A report is written at its end: until SIGTERM it has no reader that could hold it up.
exec {reader}<>"$pipe"
head -c 65536 /dev/zero >"$pipe"	# it is full
lab_args
"$IMDSNOOP" report "${LAB_ARGS[@]}" --json >"$pipe" 2>"$err" </dev/null &
TRACE=$!
e2e_later still_kill $TRACE
lab_attached $TRACE || e2e_die "imdsnoop report attaches"
check "stands still: SIGTERM ends a report within 2 s" ends 2800 TERM
exec {reader}>&-

# A terminal that was stopped: top is stuck in a write of ncurses, and is killed by its own clock with the settings put back.
cat >"$LAB_ROOT/stopped.py" <<'P'
import os, pty, signal, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
time.sleep(2)
os.read(fd, 65536)
slave = os.open(os.readlink("/proc/%d/fd/1" % pid), os.O_RDWR | os.O_NOCTTY)
termios.tcflow(slave, termios.TCOOFF)
time.sleep(2)
begin = time.time()
os.kill(pid, signal.SIGTERM)
while time.time() - begin < 6:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        break
    time.sleep(0.05)
else:
    os.kill(pid, signal.SIGKILL)
echo = bool(termios.tcgetattr(fd)[3] & termios.ICANON)
print("%.1f %s" % (time.time() - begin, echo))
P
lab_args
TERM=xterm timeout 20 python3 "$LAB_ROOT/stopped.py" "$IMDSNOOP" top "${LAB_ARGS[@]}" >"$LAB_ROOT/stopped" 2>&1
read -r seconds canonical <"$LAB_ROOT/stopped"
check "top at a stopped terminal: SIGTERM ends it within 3 s" awk -v s="$seconds" 'BEGIN { exit !(s != "" && s < 3) }'
check "top at a stopped terminal: its settings are back" equal "$canonical" True

# Who starts it may have signals blocked, or ignored as a shell has them for its background jobs: while it starts, and later.
cat >"$LAB_ROOT/deaf.py" <<'P'
import signal, subprocess, sys, time
both = {signal.SIGTERM, signal.SIGINT}
def blocked(): signal.pthread_sigmask(signal.SIG_BLOCK, both)
def ignored(): [signal.signal(s, signal.SIG_IGN) for s in both]
for deaf in blocked, ignored:
    for sig in both:
        for moment in "start", "end":
            p = subprocess.Popen(sys.argv[1:], preexec_fn=deaf, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            if moment == "end":
                p.stdout.readline()	# its first line: attached
            else:
                time.sleep(0.05)
            p.send_signal(sig)
            try:
                p.wait(4)
            except subprocess.TimeoutExpired:
                print(deaf.__name__, sig.name, "at its", moment)
                p.kill()
                p.wait()
P
check "started with signals blocked or ignored: they end it all the same" equal "$(python3 "$LAB_ROOT/deaf.py" "$IMDSNOOP" trace "${LAB_ARGS[@]}" --json 2>&1)" ""
