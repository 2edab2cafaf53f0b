# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154	# work, get, port, watch_pid: of guest
# The case "clock" of a guest, to be sourced by tests/kernels/guest: the wall clock is set a day ahead, two days back and a day
# ahead again while trace, report and serve watch. Never on a host: the clock is everybody's.

wall() { date -u +%s.%N | emit "clock.$1"; }

clock_ask() {			# clock_ask NAME: two pods ask; the wall clock before and after
	wall "$1.before"
	ask "$get" web-1 agent-1
	wall "$1.after"
}

clock_told() { [ "$(grep -c '"type":"request"' "$work/clock.trace")" -ge "$1" ]; }

# What is kept for readers of a window may be ten seconds old where a report takes long to make.
clock_window() { http "$port" '/api/v1/report?since=10m' - | grep -q "\"totals\":{\"pods\":[0-9]*,\"requests\":$1,"; }

clock_set() {			# clock_set NAME STEP TOLD ALL: while a request waits 2 s for its answer, and those before are told
	lab_wait_for 60 clock_told "$3"
	lab_server_set slow-ms 2000
	ask "$get" web-1 &
	sleep 1
	date -s "$2" >/dev/null
	wait $!
	lab_server_set slow-ms 0
	clock_ask "$1"
	lab_pod_host "new-$1" --namespace shop && ask "$get" "new-$1"	# its log folder is of another day
	lab_wait_for 60 clock_window "$4"
	http "$port" '/api/v1/report?since=10m' "clock.$1.window"
}

clock_case() {
	local report trace serve port begin end
	[ -e /case ] || { echo "not in a guest" >&2; return 1; }
	lab_server_set hop-limit 2
	serve_start
	watch clock.report report --format json --duration 300s
	report=$watch_pid
	watch clock.trace trace --json --stall 500ms
	trace=$watch_pid
	clock_ask start
	clock_set ahead '+1 day' 2 6
	clock_set back '-2 days' 6 10
	clock_set home '+1 day' 10 14
	sleep 1.5		# another report so soon after a slow one is refused: "ask again in a second"
	wall recent.before
	http "$port" '/api/v1/report?since=10s' clock.recent
	wall recent.after
	http "$port" /readyz clock.readyz
	http "$port" /metrics clock.metrics
	stop clock.trace "$trace"
	stop clock.report "$report"
	# a duration is a duration, whatever the wall clock does meanwhile
	read -r begin _ </proc/uptime
	watch clock.timed report --format json --duration 8s
	date -s '+1 day' >/dev/null
	wait "$watch_pid"
	echo $? | emit clock.timed.code
	read -r end _ </proc/uptime
	echo "$begin $end" | emit clock.timed.uptime
	emit clock.timed <"$work/clock.timed"
	date -s '-1 day' >/dev/null
	kill -TERM $serve
	wait $serve
	echo $? | emit clock.serve.code
	tail -n 20 "$work/serve.err" | emit clock.serve.err
}
