#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Filters, bounds and ends of trace and report; the text for people.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge cart-1 --namespace shop
lab_pod_bridge cart-2 --namespace shop
lab_pod_host agent-1 --namespace kube-system
t=$LAB_ROOT/trace r=$LAB_ROOT/report

all_ask() { for p in cart-1 cart-2 agent-1; do put $p 0.4 >/dev/null; get $p >/dev/null; done; }
filter() {			# filter NAME JQ OPTIONS...
	local name=$1 jq=$2
	shift 2
	trace_start "$t" "$@"
	all_ask
	trace_stop
	expect_trace "$t" "$name" "requests | $jq"
}
filter "--namespace" 'length == 2 and all_are(.namespace == "kube-system")' --namespace kube-system
filter "--pod with a pattern" 'length == 4 and all_are(.pod | startswith("cart-"))' --pod 'cart-*'
filter "--problems" 'length == 4 and all_are(.pod | startswith("cart-"))' --problems
filter "--no-drops: blamed by the pod's side alone, at most likely" 'map(select(.pod == "cart-2" and .kind == "token"))[0] |
	.outcome == "hop-limit" and .confidence == "likely" and .drops == 0' --no-drops
filter "--no-process" 'length == 6 and all_are(.pid == 0 and .comm == "")' --no-process

rm -f "$t"		# an older start is not the one to wait for
lab_imdsnoop trace --json --count 2 --duration 20s --output "$t" &
pid=$!
lab_wait_for 10 grep -qs '"start"' "$t"
all_ask
wait $pid
check "--count ends by itself" equal $? 0
expect_trace "$t" "--count 2" 'requests | length == 2'
check "--duration ends by itself" lab_imdsnoop trace --duration 500ms --json --output "$t"
# by the watch's own clock: to load the programs takes seconds where many do
expect_trace "$t" "--duration 500ms" '.[-1] | .type == "end" and .duration_s >= 0.49 and .duration_s < 5'

report_start "$r" --exit-code
all_ask
report_stop
check "--exit-code: 10 with findings" equal $? 10
lab_imdsnoop report --duration 300ms --exit-code --format json --output "$r" 2>/dev/null
check "--exit-code: 0 without" equal $? 0
expect_report "$r" "an empty report has no request and no blame" '.totals.requests == 0 and (blames | length == 0)'
lab_imdsnoop report --duration 300ms >"$r" 2>/dev/null
check "no finding is a clear answer, too" grep -qiE '^(no |nothing)' "$r"

report_start "$r" --format text
all_ask
report_stop
check "text: the verdict comes first" sh -c "head -1 '$r' | grep -qi 'hop limit'"
check "text: it names pod and place" grep -qE 'shop/cart-1' "$r"
check "text: the way of the packet is drawn" grep -qE 'TTL 1.*ip_forward|ip_forward.*TTL' "$r"
check "text: it tells how to change it" grep -q 'modify-instance-metadata-options.*--http-put-response-hop-limit 2' "$r"
check "text: no colour in a file" sh -c "! grep -q \$(printf '\033') '$r'"

rm -f "$t"
{ lab_imdsnoop trace --json --duration 20s 2>"$t.err"; : >"$LAB_ROOT/ended"; } | head -1 >"$t" &
lab_wait_for 10 test -s "$t"		# it is attached, and head has gone
put cart-1 0.4 >/dev/null
check "stdout closed early: it ends, with one line that says so" lab_wait_for 5 test -e "$LAB_ROOT/ended"
check "stdout closed early: one line" test "$(wc -l <"$t.err")" -le 1
check "check tells of every hook" sh -c "'$IMDSNOOP' check --cgroup '$(lab_cgroup)' | grep -qi cgroup"
check "check --json" e2e_jq <("$IMDSNOOP" check --json --cgroup "$(lab_cgroup)") '.features | length > 3 and
	all(.[]; .name != "" and (.state | test("^(ok|degraded|missing)$")))'
