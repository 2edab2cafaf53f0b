#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The live table, driven as a person does, through tmux: screens, keys, sizes, and the terminal given back on every way out.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tmux
e2e_lab --hop-limit 1
lab_pod_bridge web-1 --namespace shop --container app
lab_pod_host agent-1 --namespace kube-system --container agent
lab_args
export LC_ALL=C.UTF-8
mux() { tmux -L "$LAB_ID" -f /dev/null "$@"; }
e2e_later mux kill-server
screen() { mux capture-pane -p -t "$1"; }
shows() { screen "$1" | grep -qE -- "$2"; }
wait_shows() { lab_wait_for 10 shows "$1" "$2" || { screen "$1"; return 1; }; }
top_start() {			# NAME WIDTH HEIGHT [ENVIRONMENT]: in a shell that tells the exit code and the terminal's state
	mux new-session -d -s "$1" -x "$2" -y "$3" "stty -a >'$LAB_ROOT/$1.before'; ${4:-} '$IMDSNOOP' top ${LAB_ARGS[*]@Q}
		echo exit \$?; stty -a >'$LAB_ROOT/$1.after'; sleep 60"
	wait_shows "$1" 'imdsnoop top'
}
same_terminal() { wait_shows "$1" '^exit ' && sleep 0.2 && equal "$(sed 1d "$LAB_ROOT/$1.after")" "$(sed 1d "$LAB_ROOT/$1.before")"; }	# line 1: size
pid_of() { pgrep -P "$(mux display-message -p -t "$1" '#{pane_pid}')" -x imdsnoop; }

check "80x24: starts" top_start small 80 24
check "200x50, ASCII, no colour: starts" top_start large 200 50 "LC_ALL=C NO_COLOR=1"
check "quiet before anybody asks" shows small '^QUIET'
put web-1 >/dev/null
put agent-1 >/dev/null
get web-1 >/dev/null
check "80x24: verdict" wait_shows small '^PROBLEM  1 of 2 pods'
check "80x24: worst first, selected" wait_shows small '^>shop/web-1'
check "80x24: no line wraps" sh -c "! tmux -L '$LAB_ID' capture-pane -p -t small | sed -n '5,\$p' | grep -E '^ +[0-9.]+ (us|ms|s) '"
check "200x50: all columns" wait_shows large 'TTL NEEDS +DROPS LATENCY'
check "200x50: TTL 63, needs 2" wait_shows large 'shop/web-1 \(app\) .* 63 +2 '
check "200x50: ASCII only" sh -c "! tmux -L '$LAB_ID' capture-pane -p -t large | LC_ALL=C grep -q '[^ -~]'"
mux send-keys -t small Enter
check "Enter opens the pod: the way of the packet" wait_shows small 'TTL 1.*dies in ip_forward'
check "and its finding" wait_shows small 'needs hop limit 2'
mux send-keys -t small Escape
check "Escape goes back" wait_shows small 'sort: worst'
mux send-keys -t small /
mux send-keys -t small agent Enter
check "filter" wait_shows small '^1 of 2 pods'
mux send-keys -t small '?'
check "help" wait_shows small 'imdsnoop top: keys'
mux send-keys -t small x p
check "pause" wait_shows small PAUSED
mux send-keys -t small n p
check "sort by name" wait_shows small 'sort: name'
mux resize-window -t small -x 120 -y 40
check "resize" wait_shows small '^1 of 2 pods'
mux send-keys -t small q
check "q: exit 0" wait_shows small '^exit 0'
check "q: terminal as before" same_terminal small
kill -TERM "$(pid_of large)"
check "SIGTERM: exit 0" wait_shows large '^exit 0'
check "SIGTERM: terminal as before" same_terminal large
top_start crash 80 24
kill -SEGV "$(pid_of crash)"
check "crash: told by the exit code" wait_shows crash '^exit 139'
check "crash: terminal as before" same_terminal crash
check "not a terminal: one line, exit 1" sh -c "'$IMDSNOOP' top ${LAB_ARGS[*]@Q} </dev/null >/dev/null 2>'$LAB_ROOT/err'
	test \$? = 1 && test \"\$(wc -l <'$LAB_ROOT/err')\" = 1"
