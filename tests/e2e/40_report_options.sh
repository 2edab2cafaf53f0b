#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# report: from a trace, what-if, baseline, HTML, exit code; over the same traffic as a live report.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge cart-7d9f6c5b8-x2x4q --namespace shop --container app
lab_pod_host agent-5k2p9 --namespace kube-system --container agent
lab_host_client updater
t=$LAB_ROOT/trace.jsonl live=$LAB_ROOT/live.json
cart=cart-7d9f6c5b8-x2x4q agent=agent-5k2p9

from() {			# from FILE [ARGS...]
	local file=$1
	shift
	"$IMDSNOOP" report --from "$file" "$@"
}
# Without times of running, and what is measured: two observers stamp the same packet at times of their own, and dead
# answers go on dying between the end of the one and of the other.
same_facts() {			# same_facts A B
	local filter='del(.started, .duration_s, .boot_id) |
		del(.. | .seconds_lost?, .latency_us?, .latency_buckets_us?, .hop_limit_drops?, .drops?) |
		.pods |= sort_by(.cgroup) | .findings |= sort_by(.code, .cgroup) |
		walk(if type == "string" then gsub("[0-9.]+ (us|ms|s|answer packets?)\\b"; "N") else . end)'
	diff <(jq -S "$filter" "$1") <(jq -S "$filter" "$2")
}

report_start "$live"
trace_start "$t"
put $cart >/dev/null
get $cart >/dev/null
put $agent >/dev/null
put updater >/dev/null
get updater >/dev/null
# still without an answer when both end
lab_exec $cart curl -s -o /dev/null -m 30 -X PUT -H "$E2E_TTL" "http://$LAB_IMDS4/latest/api/token" &
hang=$!
sleep 0.7
trace_stop
report_stop
kill $hang

from "$t" --json >"$LAB_ROOT/from1" 2>"$LAB_ROOT/from.err"
check "from a trace: fine" equal $? 0
from "$t" --json >"$LAB_ROOT/from2"
check "from a trace: no complaint" equal "$(cat "$LAB_ROOT/from.err")" ""
check "from a trace twice: the same bytes" cmp "$LAB_ROOT/from1" "$LAB_ROOT/from2"
check "from a trace: what a live report of the same traffic says" same_facts "$live" "$LAB_ROOT/from1"
expect_report "$LAB_ROOT/from1" "from a trace: dead packets are in it" \
	'pod("cart-7d9f6c5b8-x2x4q") | .hop_limit_drops > 0 and (.drops | add) >= .hop_limit_drops'
expect_report "$LAB_ROOT/from1" "from a trace: the hanging request is in it" \
	'pod("cart-7d9f6c5b8-x2x4q") | .outcomes["hop-limit"] == 2 and .in_flight == 1'
check "from standard input: the same bytes" cmp <(from - --json <"$t") "$LAB_ROOT/from1"

# --- damaged and foreign files ---------------------------------------------------------------------------------------
{ head -3 "$t"; echo '{"type":"request"}'; echo 'garbage'; tail -n +4 "$t"; } >"$LAB_ROOT/damaged"
from "$LAB_ROOT/damaged" --json >"$LAB_ROOT/from3" 2>"$LAB_ROOT/from.err"
check "damaged trace: still a report" equal $? 0
check "damaged trace: lines counted, the first named" grep -q '2 of .* lines skipped, the first is line 4:' \
	"$LAB_ROOT/from.err"
expect_report "$LAB_ROOT/from3" "damaged trace: the report says so" \
	'.losses.trace_lines_bad == 2 and ([.findings[].code] | index("observation-incomplete") != null)'
check "damaged trace: the rest counts" \
	equal "$(jq .totals.requests "$LAB_ROOT/from3")" "$(jq .totals.requests "$LAB_ROOT/from1")"
grep -v '"type":"end"' "$t" >"$LAB_ROOT/cut"
from "$LAB_ROOT/cut" --json 2>/dev/null >"$LAB_ROOT/from4"
expect_report "$LAB_ROOT/from4" "cut trace: the report says so" '.losses.trace_cut == 1'
for foreign in /bin/true /dev/null "$live" "$LAB_ROOT/nothing"; do
	from "$foreign" >"$LAB_ROOT/out" 2>"$LAB_ROOT/from.err"
	check "foreign file ${foreign##*/}: exit 1" equal $? 1
	check "foreign file ${foreign##*/}: one line, no report" \
		equal "$(wc -l <"$LAB_ROOT/from.err") $(wc -c <"$LAB_ROOT/out")" "1 0"
done

# --- exit code -------------------------------------------------------------------------------------------------------
from "$t" --exit-code >/dev/null 2>&1
check "exit code: 10 with findings" equal $? 10
from "$t" --exit-code --namespace kube-system >/dev/null 2>&1
check "exit code: 0 when those shown have none" equal $? 0
check "selection: only that namespace, totals whole" e2e_jq <(from "$t" --json --namespace kube-system) \
	'(.pods | length == 1) and .pods[0].pod == "agent-5k2p9" and .totals.requests == 6 and .findings == []'

# --- HTML ------------------------------------------------------------------------------------------------------------
from "$t" --format html --output "$LAB_ROOT/page.html"
check "html: written" equal $? 0
no_outside() { ! grep -Eio '<script|src=|href=|@import|url\(|https?:/' "$LAB_ROOT/page.html"; }
check "html: no script, nothing from outside" no_outside
check "html: verdict, pod, way, cause" grep -Pzq '(?s)PROBLEM.*shop/cart-7d9f6c5b8-x2x4q.*<svg.*TTL 1.*ip_forward' \
	"$LAB_ROOT/page.html"
well_formed() {
	command -v python3 >/dev/null || return 0
	python3 - "$LAB_ROOT/page.html" <<'PY'
import sys, html.parser
class P(html.parser.HTMLParser):
    void = {"meta", "br", "link"}
    def __init__(self): super().__init__(); self.open = []
    def handle_starttag(self, tag, attrs):
        if tag not in self.void: self.open.append(tag)
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())
p = P(); p.feed(open(sys.argv[1], encoding="utf-8").read()); assert not p.open, p.open
PY
}
check "html: valid UTF-8, each element closed" well_formed

# --- after the fix: baseline and what-if -----------------------------------------------------------------------------
lab_server_set hop-limit 2
trace_start "$LAB_ROOT/after.jsonl"
put $cart >/dev/null
put updater >/dev/null
get updater >/dev/null
trace_stop
from "$LAB_ROOT/after.jsonl" --json --baseline "$live" >"$LAB_ROOT/changed"
check "baseline: fine" equal $? 0
expect_report "$LAB_ROOT/changed" "baseline: the finding is gone, and the pod was heard again" \
	'.changes.gone | map(select(.code == "hop-limit-exhausted" and .workload == "cart" and .asked_since)) | length == 1'
expect_report "$LAB_ROOT/changed" "baseline: seconds lost before and after" '.changes.workloads |
	map(select(.workload == "cart")) | length == 1 and .[0].before.seconds_lost > 0.5 and .[0].after.seconds_lost == 0 and
	.[0].after.latency_us.p99 > 0'
expect_report "$LAB_ROOT/changed" "baseline: who did not speak now" \
	'.changes.workloads | map(select(.workload == "agent")) | length == 1 and .[0].after == null'
expect_report "$LAB_ROOT/changed" "baseline: nothing is new but v1 of the node's service" \
	'[.changes.new[].code] | all(. == "imdsv1-in-use" or . == "observation-incomplete")'
check "baseline: told as text" grep -q 'gone .*hop-limit-exhausted: shop/cart' \
	<(from "$LAB_ROOT/after.jsonl" --baseline "$live" | tr '\n' ' ')
from "$LAB_ROOT/after.jsonl" --baseline "$t" >/dev/null 2>&1
check "baseline: a file that is none, exit 1" equal $? 1

from "$LAB_ROOT/after.jsonl" --json --what-if hop-limit=1,tokens=required >"$LAB_ROOT/whatif"
expect_report "$LAB_ROOT/whatif" "what-if: the pod would lose its tokens, an error" '[.findings[] |
	select(.code == "would-break" and .pod == "cart-7d9f6c5b8-x2x4q")] | length == 1 and .[0].severity == "error"'
expect_report "$LAB_ROOT/whatif" "what-if: v1 of the node's service would end, a warning" '[.findings[] |
	select(.code == "would-break" and .pod == "")] | length == 1 and .[0].severity == "warning"'
expect_report "$LAB_ROOT/whatif" "what-if: counted, and says on what it rests" \
	'.what_if.would_break == 2 and .what_if.would_not_notice == 0 and (.what_if.basis | test("seen"))'
expect_report <(from "$LAB_ROOT/after.jsonl" --json --what-if hop-limit=2) "what-if of what is: nobody breaks" \
	'.what_if.would_break == 0 and .what_if.would_not_notice == 2'
from "$LAB_ROOT/after.jsonl" --exit-code --what-if hop-limit=1 >"$LAB_ROOT/out" 2>/dev/null
check "what-if: exit code 10" equal $? 10
check "what-if: told as text" grep -q 'BREAKS shop/cart' "$LAB_ROOT/out"
