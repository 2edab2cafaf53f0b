#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# top in a real terminal: its screens at two sizes, its keys, and a terminal that comes back however top ends.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tmux
e2e_lab --hop-limit 1
lab_pod_bridge cart-1 --namespace shop
lab_pod_bridge block-1 --namespace shop
lab_pod_host agent-1 --namespace kube-system
lab_drop block-1
lab_args
printf -v top '%q ' "$IMDSNOOP" top "${LAB_ARGS[@]}"

screens=0
tm() { tmux -L "$LAB_ID-$screens" -f /dev/null "$@"; }
e2e_later tm kill-server
screen_new() {			# screen_new COLUMNS ROWS LOCALE [TERM]: a shell without rc files in a terminal
	[ $screens = 0 ] || tm kill-server
	screens=$((screens + 1))
	tm new-session -d -x "$1" -y "$2" -e LC_ALL="$3" -e TERM="${4:-tmux-256color}" -e PS1='ready$ ' \
		'exec env -u NO_COLOR bash --norc --noprofile' || e2e_die "tmux starts"
	tm set-option -g status off
	type_in "PS1='ready\$ '; clear" Enter
	soon screen_has '^ready\$'
}
# Each look costs some processes, so not every 10 ms.
soon() {			# soon COMMAND...: within 10 s
	local end=$((SECONDS + 10))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
screen() { tm capture-pane -p; }
screen_has() { screen | grep -qE -- "$1"; }
screen_lacks() { ! screen | grep -qE -- "$1"; }
is_coloured() { tm capture-pane -pe | grep -q $'\e\\[[0-9;]*3[1-7]m'; }
is_plain() { ! is_coloured; }
type_in() { tm send-keys "$@"; }
sees() {			# sees NAME PATTERN: soon
	soon screen_has "$2" && { echo "ok $1"; return; }
	check "$1" sh -c 'cat; echo "no $0 on this screen"; exit 1' "$2" < <(screen)
}
sees_no() { soon screen_lacks "$2"; check "$1" screen_lacks "$2"; }
top_pid() { pgrep -P "$(tm display-message -p '#{pane_pid}')" -x imdsnoop; }
all_ask() { for p in cart-1 block-1 agent-1; do put $p 0.4 >/dev/null; get $p 0.3 >/dev/null; done; }
start_top() {			# start_top [PREFIX] [ARGS]: and waits for the first screen
	type_in "$1$top$2" Enter
	soon screen_has '^imdsnoop top' || { screen; e2e_die "top starts"; }
}
fits() {			# no line longer than the screen, nothing wrapped: as many lines as it has
	equal "$(screen | wc -l)" "$2" && [ "$(screen | wc -L)" -le "$1" ]
}

screen_new 80 24 C.UTF-8
start_top '' ''
sees "empty table: says so" 'No pod has asked a metadata service yet'
check "empty table: QUIET" screen_has '^QUIET'
all_ask
all_ask
sees "80x24: the exhausted pod, worst first" '^shop/cart-1 \(app\) +4 +2 +2 .*hop limit, needs 2'
check "80x24: it stands above the others" sh -c 'grep -nE "^(shop|kube)" | head -1 | grep -q cart-1' < <(screen)
sees "80x24: the blocked pod" '^shop/block-1 \(app\) +4 +0 +4 .*dropped by a filter'
sees "80x24: the host-network pod" '^kube-syste…t-1 \(app\) +4 +4 +0 .*ok'
sees "80x24: columns" '^POD +REQS +ANSW +FAIL +.*CAUSE'
sees "80x24: verdict" '^PROBLEM .* 1 of 3 pods'
sees "80x24: totals" '^12 requests: 6 answered, 6 failed, '
check "80x24: it fits" fits 80 24
type_in n
sees "sort by name" 'sorted by name'
check "sorted by name: agent first" sh -c 'grep -nE "^(shop|kube)" | head -1 | grep -q kube' < <(screen)
type_in w
sees_no "sort by worst again" 'sorted by'
type_in / c a r
sees "filter: prompt" '^Show names with: car_'
sees_no "filter: others are gone" '^shop/block-1'
type_in Enter
sees "filter: stays" "only names with 'car'"
type_in Escape
sees "filter: Esc shows all" '^shop/block-1'
type_in '?'
sees "help: keys" 'Enter +open the pod'
sees "help: sort keys" 'w +worst first'
sees "help: columns" 'ANSW +answered, whatever'
type_in x
sees "help: any key leads back" '^POD +REQS'
type_in Home Enter
sees "one pod: its name" '^shop/cart-1 \(app\)'
sees "one pod: the way of the packet" 'IMDS ──TTL 1──▶ node ✖ dies in ip_forward'
sees "one pod: requests with outcome" 'curl +PUT /latest/api/token +- hop-limit proven +[34][0-9][0-9] ms'
sees "one pod: the finding" 'error hop-limit-exhausted'
put cart-1 1 >/dev/null &
sees "one pod: a request comes, stalled" 'PUT /latest/api/token +- stalled'
sees_no "one pod: and takes its end in the same place" ' stalled '
type_in NPage NPage
sees "one pod: advice, a command to its end" 'enabled$'
check "one pod: it fits" fits 80 24
type_in Escape
sees "Esc leads back to the table" '^POD +REQS'
type_in p
sees "pause: says so" 'PAUSED'
get agent-1 >/dev/null
sleep 1.5
check "pause: stands still" screen_has '^kube-syste.* 4 +4 +0 '
type_in p
sees "pause ends: catches up" '^kube-syste.* 5 +5 +0 '
tm resize-window -x 200 -y 50
sees "resize to 200x50: all columns" \
	'^POD +REQS +V1 +V2 +ANSW +FAIL +WAIT +LOST +P50 +P99 +MAX +/S +TTL +HOPS +DROPS +CAUSE +LATENCY'
sees "200x50: TTL, hops and drops" '^shop/cart-1 \(app\) .* 63 +1/2 +[0-9]+ '
check "200x50: it fits" fits 200 50
sees "200x50: latency of answered requests as a line" '^kube-system.*[▁▂▃▄▅▆▇█]{4}'
check "colour on a terminal" is_coloured
tm resize-window -x 30 -y 5
sees "tiny: no crash" 'too small'
tm resize-window -x 80 -y 24
sees "and back" '^shop/cart-1'

# However it ends: the shell's screen is back, the cursor shows, and the terminal's settings are the old ones.
ends_well() {			# ends_well NAME
	sees "$1: the shell's screen is back" '^ready\$ '
	check "$1: not the other screen" equal "$(tm display-message -p '#{alternate_on}')" 0
	check "$1: cursor" equal "$(tm display-message -p '#{cursor_flag}')" 1
	check "$1: keypad" equal "$(tm display-message -p '#{keypad_cursor_flag}#{keypad_flag}')" 00
	check "$1: settings" equal "$(settings)" "$settings"
	type_in "clear; echo visi''ble" Enter
	sees "$1: what is typed works" '^visible$'
	type_in clear Enter
}
settings() {			# of the terminal while the shell runs a command: readline has its own
	local f=$LAB_ROOT/stty
	rm -f "$f"
	type_in " stty -a >$f.new; mv $f.new $f" Enter
	soon test -s "$f"
	cat "$f"
}
type_in q
soon screen_has '^ready\$ '
settings=$(settings)
check "q: the settings are those of before" sh -c 'echo "$0" | grep -q " echo " && echo "$0" | grep -q " icanon"' "$settings"
type_in clear Enter
start_top '' ''
type_in q
ends_well q
start_top '' '; echo code=$?'
type_in q
sees "q: exit 0" '^code=0$'
type_in clear Enter
for sig in TERM INT HUP SEGV ABRT; do
	start_top '' ''
	soon top_pid
	kill -$sig "$(top_pid)"
	ends_well "kill -$sig"
	type_in 'clear' Enter
done
start_top '' '; echo code=$?'
kill -SEGV "$(top_pid)"
sees "a crash stays a crash for who waits" '^code=139$'
type_in clear Enter
start_top '' '--duration 1s'
ends_well --duration
start_top '' ''
kill -KILL "$(top_pid)"		# nothing can be done about this; the next start must work
type_in reset Enter

screen_new 80 24 C
start_top '' '--no-color'
all_ask
type_in Home Enter
sees "ASCII: the way" 'IMDS --TTL 1--> node X dies in ip_forward'
sees_no "ASCII: nothing above it" '[^ -~]'
check "--no-color" is_plain
type_in Escape
tm resize-window -x 200 -y 50
sees "ASCII: latency" '^kube-system.*[_.:=+*#-]{2} *$'
tm resize-window -x 80 -y 24
type_in q
type_in clear Enter
start_top 'NO_COLOR=1 ' ''
all_ask
sees "NO_COLOR: still a table" '^shop/cart-1'
check "NO_COLOR" is_plain
type_in q

out=$(lab_imdsnoop top 2>&1 </dev/null | cat)
lab_imdsnoop top >/dev/null 2>&1 </dev/null
check "not a terminal: exit 1" equal $? 1
check "not a terminal: one clear line" sh -c '[ "$(echo "$0" | wc -l)" = 1 ] && echo "$0" | grep -q "needs a terminal"' "$out"
type_in clear Enter
type_in "TERM=nonsense ${top}; echo code=\$?" Enter
sees "unknown terminal: says so" "cannot draw on terminal type 'nonsense'"
sees "unknown terminal: exit 1" '^code=1'
