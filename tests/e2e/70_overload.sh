#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it fills the processors.
# Ring overflow by readers that stand still, full tables, more pods than rows, churn: it lives, memory is bounded, totals are
# exact or the loss is counted and told, and every byte passes unharmed.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_lab --hop-limit 2
r=$LAB_ROOT/report t=$LAB_ROOT/trace l=$LAB_ROOT/load
RSS_MAX=32768			# KiB, kernel maps are not in it

load() {			# load POD [OPTIONS...]
	local pod=$1
	shift
	lab_exec "$pod" "$LAB_BIN/load_client" --target 169.254.169.254:80 "$@"
}
served() { wc -l <"$(lab_server_log)"; }
peak_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }
small() { [ "$(peak_kib "$1")" -le $RSS_MAX ] || { echo "peak $(peak_kib "$1") KiB"; return 1; }; }
number() { jq "$2" "$1"; }

# 1. No reader runs for 10 s in the middle of the load. 20000 records of more than 424 bytes do not fit into 4 MiB.
lab_pod_bridge web-1
report_start "$r"
trace_start "$t"
serve_start
bytes_mark
load web-1 --rate 2000 --seconds 10.8 --keepalive >"$l" &
pid=$!
sleep 0.3
kill -STOP "$E2E_REPORT_PID" "$LAB_TRACE_PID" "$SERVE_PID"
sleep 10
kill -CONT "$E2E_REPORT_PID" "$LAB_TRACE_PID" "$SERVE_PID"
wait $pid
check "ring: memory of report is bounded" small "$E2E_REPORT_PID"
check "ring: memory of trace is bounded" small "$LAB_TRACE_PID"
check "ring: memory of serve is bounded" small "$SERVE_PID"
check "ring: serve is ready again" equal "$(ask /readyz -o /dev/null -w '%{http_code}')" 200
check "ring: serve counts what the server does" equal "$(ask /metrics | awk '/^imdsnoop_requests_total/ { n += $NF } END { print n }')" \
	"$(served)"
check "ring: serve counts its loss" test "$(metric 'imdsnoop_events_lost_total{loss="ring_request"}')" -gt 1000
serve_stop
check "ring: serve lived" equal $? 0
trace_stop
check "ring: trace lived" equal $? 0
report_stop
check "ring: report lived" equal $? 0
check "ring: every request was answered" e2e_jq "$l" '.failed == 0 and .ok == .sent'
check "ring: hashes at both ends agree" bytes_agree "$l"
expect_report "$r" "ring: it did overflow, and the loss is counted" '.losses.ring_request > 1000'
check "ring: the total is the server's" equal "$(number "$r" .totals.requests)" "$(served)"
expect_report "$r" "ring: outcomes and kinds are exact, too" '.totals.outcomes == { ok: .totals.requests } and
	.totals.kinds.data == .totals.requests and .totals.responses["2xx"] == .totals.requests'
expect_report "$r" "ring: the pod lacks exactly the lost records" 'pod("web-1").requests == .totals.requests and
	.totals.records_lost == .losses.ring_request'
expect_report "$r" "ring: the report says that it is incomplete" '.findings | any(.code == "observation-incomplete" and
	.severity != "error")'
expect_trace "$t" "ring: lines and lost records are the server's requests" ".[-1] as \$last | \$last.type == \"end\" and
	(requests | length) + \$last.losses.ring_request == $(served) and \$last.totals.requests == $(served)"

# 2. 64 connections at once, room for 16. Each carries one request.
lab_server_set slow-ms 200
before=$(served)
bytes_mark
report_start "$r" --max-flows 16
load web-1 --rate 400 --seconds 1 --concurrency 64 >"$l"
check "flows: memory is bounded" small "$E2E_REPORT_PID"
report_stop
check "flows: it lived" equal $? 0
lab_server_set slow-ms 0
asked=$(($(served) - before))
check "flows: every request was answered" e2e_jq "$l" '.failed == 0 and .ok == .sent'
check "flows: hashes at both ends agree" bytes_agree "$l"
expect_report "$r" "flows: what did not fit is counted" '.losses.flow_table_full > 0'
expect_report "$r" "flows: each request is in the total or in the counted loss, one a connection" \
	".totals.requests < $asked and .totals.requests + .losses.flow_table_full == $asked"
expect_report "$r" "flows: the report says so" '.findings | any(.code == "observation-incomplete")'

# 3. Eight pods, three rows.
for i in $(seq 8); do lab_pod_host "many-$i" || e2e_die "pod many-$i comes up"; done
before=$(served)
bytes_mark
report_start "$r" --max-pods 3
for i in $(seq 8); do load "many-$i" --rate 200 --seconds 0.1 >>"$LAB_ROOT/many"; done
report_stop
check "pods: it lived" equal $? 0
asked=$(($(served) - before))
check "pods: all asked" equal $asked 160
check "pods: hashes at both ends agree" bytes_agree "$LAB_ROOT/many"
expect_report "$r" "pods: three rows and one for the rest" '.pods | length == 4'
expect_report "$r" "pods: the total is the server's" ".totals.requests == $asked and (.pods | map(.requests) | add) == $asked"
expect_report "$r" "pods: what is over the limit is counted and told" '(.pods | map(select(.other)) |
	length == 1 and .[0].requests == 100) and .losses.pods_over_limit == 100 and
	(.findings | any(.code == "observation-incomplete"))'

# 4. Room for 4 counters of packets and 16 of requests, and 8 pods with three kinds of answers each, while the ring is full.
before=$(served)
bytes_mark
report_start "$r" --max-pods 1
kill -STOP "$E2E_REPORT_PID"
pids=()
for i in $(seq 8); do
	for what in "--path /latest/meta-data/ami-id" "--path /latest/nothing-here" --token; do
		# shellcheck disable=SC2086
		load "many-$i" --rate 1000 --seconds 0.6 --keepalive --concurrency 2 --timeout-ms 10000 $what
	done >"$LAB_ROOT/counters.$i" &
	pids+=($!)
done
wait "${pids[@]}"
kill -CONT "$E2E_REPORT_PID"
check "counters: memory is bounded" small "$E2E_REPORT_PID"
report_stop
check "counters: it lived" equal $? 0
asked=$(($(served) - before))
check "counters: all asked, all answered" equal "$asked $(jq -s 'map(.ok) | add' "$LAB_ROOT"/counters.*)" "14400 14400"
check "counters: hashes at both ends agree" bytes_agree "$LAB_ROOT"/counters.*
expect_report "$r" "counters: what had no room is counted, in the table or in a pod's share of it" "
	(.losses.counter_table_full // 0) + .totals.untracked >= $asked - .totals.requests"
expect_report "$r" "counters: only requests that had neither record nor counter are missing" ".totals.requests < $asked and
	.losses.ring_request > .totals.records_lost and
	.totals.requests + .losses.ring_request - .totals.records_lost == $asked"
expect_report "$r" "counters: the report says so" '.totals.untracked as $beyond | .losses.counter_table_full as $full | .findings |
	any(.code == "observation-incomplete" and (.evidence | join(" ") | (($full // 0) == 0 or test("counter_table_full")))) and
	any(.code == "beyond-share") == ($beyond > 0)'

# 5. 300 containers that live for one request each.
before=$(served)
bytes_mark
report_start "$r" --max-pods 64
trace_start "$t" --max-pods 1000
lab_in node "$LAB_BIN/churn" --cgroup "$(lab_cgroup)" --pods 300 --target 169.254.169.254:80 >"$l"
check "churn: all were answered" e2e_jq "$l" '.ok == 300 and .failed == 0'
check "churn: hashes at both ends agree" bytes_agree "$l"
check "churn: memory of report is bounded" small "$E2E_REPORT_PID"
check "churn: memory of trace is bounded" small "$LAB_TRACE_PID"
trace_stop
check "churn: trace lived" equal $? 0
report_stop
check "churn: report lived" equal $? 0
check "churn: all asked" equal $(($(served) - before)) 300
expect_trace "$t" "churn: each had its own identity" 'requests | length == 300 and
	(map(.container_id) | unique | length == 300 and all(.[]; length == 64))'
expect_nothing_lost "$t" "churn: nothing lost with room enough" -s
expect_report "$r" "churn: the total is exact, rows are bounded, the rest is told" '.totals.requests == 300 and
	(.pods | length == 65) and (.pods | map(select(.other)) | .[0].requests == 236) and .losses.pods_over_limit == 236'
expect_report "$r" "churn: packets of more cgroups than counters are a counted loss" '.losses.counter_table_full > 0'
