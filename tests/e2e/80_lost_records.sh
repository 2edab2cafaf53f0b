#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it fills a ring of records, which takes all the processors that there are.
# More answers die than the ring has records for while the reader stands still. What is lost is detail: each request keeps its
# outcome and its cause, for the counters' key has the death.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
r=$LAB_ROOT/report
n=11000				# records of 448 bytes do not fit into 4 MiB
lab_pod_bridge web-1 --namespace shop
lab_pod_bridge web-2 --namespace shop
load() {			# load POD OPTIONS...
	lab_exec "$1" "$LAB_BIN/load_client" --target 169.254.169.254:80 "${@:2}"
}

IMDSNOOP=$(e2e_in_node) report_start "$r" --duration 300s
reader=$(pgrep -P "$E2E_REPORT_PID" || echo "$E2E_REPORT_PID")
kill -STOP "$reader"
load web-1 --token --rate 500 --seconds 22 --concurrency 1024 --timeout-ms 2000 >"$LAB_ROOT/load"
load web-2 --rate 100 --seconds 1 >>"$LAB_ROOT/load"
kill -CONT "$reader"
report_stop
check "report ends well" equal $? 0
check "no token came, all else did" equal "$(jq -s '[.[0].sent, .[0].failed, .[1].ok]' -c "$LAB_ROOT/load")" "[$n,$n,100]"
expect_report "$r" "the ring did overflow" '.losses.ring_request > 1000 and .totals.records_lost == .losses.ring_request'
expect_report "$r" "each request has its outcome, with its record and without" \
	'(pod("web-1") | .requests == '$n' and .outcomes == { "hop-limit": '$n' }) and (pod("web-2") | .outcomes == { ok: 100 })'
expect_report "$r" "and its cause" 'pod("web-1").causes == { "hop-limit": '$n' } and (pod("web-2").causes == {})'
expect_report "$r" "what is found names the pod and the limit, and nothing of unseen causes" \
	'(codes("web-1") == ["hop-limit-exhausted"]) and codes("web-2") - ["imdsv1-in-use"] == [] and
	(.findings | map(.summary) | all(test("cause not seen") | not)) and .headline.level == "problem"'
expect_report "$r" "the loss is told" '.findings | any(.code == "observation-incomplete" and (.evidence | join(" ") | test("ring_request")))'
