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
