#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Two imdsnoop at once, and beside another cgroup_skb program.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need bpftool
e2e_lab --hop-limit 1
lab_pod_bridge web-1
a=$LAB_ROOT/a b=$LAB_ROOT/b
pin=/sys/fs/bpf/$LAB_ID

passes() { bpftool -j map dump pinned "$pin/maps/pass_count" | jq -r '.[0] | .formatted.value // .value'; }
bpftool prog loadall "$LAB_BIN/cgroup_pass.bpf.o" "$pin" pinmaps "$pin/maps" || e2e_die "the other program loads"
e2e_later rm -rf "$pin"
bpftool cgroup attach "$(lab_cgroup)" egress pinned "$pin/cgroup_pass" multi || e2e_die "the other program attaches"

trace_start "$a"
first=$LAB_TRACE_PID
trace_start "$b"
second=$LAB_TRACE_PID
before=$(passes)
put web-1 >/dev/null
get web-1 >/dev/null
between=$(passes)
check "the other program counts on beside both" test "$between" -gt "$((before + 5))"
LAB_TRACE_PID=$first trace_stop
put web-1 >/dev/null
LAB_TRACE_PID=$second trace_stop
expect_trace "$a" "the first saw all of its time" 'tokens("web-1") | length == 1 and all_are(.outcome == "hop-limit" and
	.confidence == "proven")'
expect_trace "$b" "the second saw all of its time" 'tokens("web-1") | length == 2 and all_are(.outcome == "hop-limit" and
	.confidence == "proven")'
expect_trace "$b" "the second was not disturbed by the end of the first" 'gets("web-1") | length == 1 and .[0].outcome == "ok"'
check "the other program is still attached" sh -c \
	"bpftool cgroup show '$(lab_cgroup)' | grep -q cgroup_pass"
put web-1 0.2 >/dev/null
check "and still counts" test "$(passes)" -gt "$between"

# Another program at connect(2), there before us, sends requests elsewhere: they are seen, as such, and told with their target.
r=$LAB_ROOT/r
bpftool prog load "$LAB_BIN/connect_rewrite.bpf.o" "$pin/connect_rewrite" || e2e_die "the program at connect loads"
bpftool cgroup attach "$(lab_cgroup)" connect4 pinned "$pin/connect_rewrite" multi || e2e_die "the program at connect attaches"
lab_exec web-1 "$LAB_BIN/imds_server" --listen 127.0.0.1:8181 --pidfile "$LAB_ROOT/stand-in" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/stand-in"
report_start "$r"
check "the stand-in answers" equal "$(get web-1)" 200
report_stop
if jq -e '.features[] | select(.name == "other_programs" and .state == "ok")' "$r" >/dev/null; then
	expect_report "$r" "ours comes first: redirected, and where to" 'pod("web-1") | .outcomes.redirected == 1 and .failed == 0 and
		.answered_by.address == "127.0.0.1:8181"'
	expect_report "$r" "told as a note" '.headline.level == "note" and (.findings | any(.code == "intercepted" and (.summary | test("redirected before they left"))))'
else	# before 6.15 it comes first, and we see nothing
	expect_report "$r" "nothing is seen, and not called quiet" '.totals.requests == 0 and .headline.level == "blind" and (.headline.text | test("nothing asked") | not)'
fi
