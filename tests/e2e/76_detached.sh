#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Another tool takes our programs off their hooks, or their folder goes away: it is seen and told at once, attached again
# where the rights are there, counted as time not watched, and nobody is blamed for what was not seen. An agent that has
# given up its rights is not ready, and ends so that its supervisor starts it.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq bpftool
e2e_lab --hop-limit 2
lab_pod_bridge web-1 --namespace shop --container app
r=$LAB_ROOT/report.json t=$LAB_ROOT/trace

cgroup_links() {		# cgroup_links PID [WHICH]: ids of its links at cgroups; WHICH: those of that attach type
	local f id
	for f in /proc/"$1"/fdinfo/*; do
		grep -q '^cgroup_id' "$f" 2>/dev/null || continue
		[ -z "${2:-}" ] || grep -q "^attach_type:[[:space:]]*$2\$" "$f" || continue
		id=$(sed -n 's/^link_id:[[:space:]]*//p' "$f")
		echo "$id"
	done
}
detach() {			# detach PID [WHICH]
	local id n=0
	for id in $(cgroup_links "$@"); do bpftool link detach id "$id" && n=$((n + 1)); done
	[ $n -gt 0 ]
}
status() { ask "$@" -o /dev/null -w '%{http_code}'; }
answers() { equal "$(status "$1")" "$2"; }

# --- the agent: it may not attach again ---
serve_start
get web-1 >/dev/null
check "agent: is ready" answers /readyz 200
check "agent: its programs can be detached" detach "$SERVE_PID"
detached=$SECONDS
check "agent: not ready within 2 s" lab_wait_for 2 answers /readyz 503
get web-1 >/dev/null
check "agent: alive" answers /healthz 200
check "agent: the feature is off" equal "$(metric 'imdsnoop_feature_enabled{feature="cgroup_skb"}')" 0
check "agent: time not watched is counted" test "$(metric 'imdsnoop_events_lost_total{loss="detached_s"}')" -ge 1
check "agent: told on standard error" grep -q 'blind since .*detached' "$SERVE_ERR"
ask /api/v1/report >"$r"
expect_report "$r" "agent: the report says so" '.headline.level == "blind" and (.headline.text | test("blind")) and
	(.features[] | select(.name == "cgroup_skb") | .state == "missing" and (.why | test("detached")))'

# --- a report: some of them, and attached again ---
report_start "$r"
put web-1 >/dev/null
check "report: its ingress can be detached" detach "$E2E_REPORT_PID" 0
check "report: a request while it sees half" equal "$(get web-1)" 200
lab_wait_for 3 grep -q 'attached again' "$r.err"
check "report: attached again within 3 s" grep -q 'attached again' "$r.err"
check "report: a request afterwards" equal "$(get web-1)" 200
report_stop
check "report: ends well" equal $? 0
expect_report "$r" "report: nobody is blamed" \
	'.totals.failed == 0 and ([.findings[].code] | map(select(. == "no-response" or . == "hop-limit-exhausted" or . == "dropped-on-node")) == [])'
expect_report "$r" "report: what was before and after is there" '.totals.answered >= 2'
expect_report "$r" "report: it is no clean one" '.headline.level == "blind" and .losses.detached_s >= 1 and
	.losses.detached_s <= 4 and (.headline.text | test("^blind for up to [0-9]+ of "))'

# --- a trace: all of them; and its folder goes and comes ---
trace_start "$t"
detach "$LAB_TRACE_PID"
check "trace: attached again" lab_wait_for 3 grep -q 'attached again' "$t.err"
check "trace: a request afterwards" equal "$(get web-1)" 200
trace_stop
expect_trace "$t" "trace: it is told" '(of("web-1") | length == 1) and
	(map(select(.type == "end")) | first | .losses.detached_s >= 1)'

folder=$(lab_cgroup)/short-lived
mkdir "$folder"
"$IMDSNOOP" trace --cgroup "$folder" >"$t.out" 2>"$t.err" &
pid=$!
e2e_later serve_kill $pid
lab_attached $pid
rmdir "$folder"
check "folder removed: told" lab_wait_for 3 grep -q 'folder was removed' "$t.err"
mkdir "$folder"
check "folder made again: attached again" lab_wait_for 3 grep -q 'attached again' "$t.err"
kill -INT $pid
wait $pid
check "folder: it ends well" equal $? 0
rmdir "$folder"

check "agent: ends by itself" lab_wait_for $((25 - SECONDS + detached)) lab_is_gone "$SERVE_PID"
serve_kill "$SERVE_PID"
wait "$SERVE_PID"
check "agent: with 1, for its supervisor" equal $? 1
