#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# 200 short connections a second from 20 pods: counts equal the server's own log, pod by pod.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
r=$LAB_ROOT/report t=$LAB_ROOT/trace c=$LAB_ROOT/clients
mkdir "$c"
for i in $(seq 20); do
	case $((i % 4)) in
	0) lab_pod_routed "p$i" ;;
	1) lab_pod_host "p$i" ;;
	*) lab_pod_bridge "p$i" ;;
	esac || e2e_die "pod p$i comes up"
done
report_start "$r"
trace_start "$t"
pids=()
for i in $(seq 20); do
	lab_exec "p$i" "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 10 --seconds 5 --concurrency 4 \
		--path "/latest/meta-data/instance-id?pod=p$i" >"$c/p$i" &
	pids+=($!)
done
wait "${pids[@]}"
sleep 0.5
trace_stop
report_stop
check "clients: all 1000 were answered" e2e_jq <(cat "$c"/*) 'map(.ok) | add == 1000 and length == 20' -s
jq -s 'group_by(.query) | map({ key: (.[0].query | ltrimstr("pod=")), value: length }) | from_entries' \
	"$(lab_server_log)" >"$LAB_ROOT/served"
served=$(jq -cS . "$LAB_ROOT/served")
check "server: its log has 20 pods" equal "$(jq length "$LAB_ROOT/served")" 20
check "report: requests per pod equal the server's log" equal \
	"$(jq -cS '[.pods[] | { key: .pod, value: .requests }] | from_entries' "$r")" "$served"
check "report: answered per pod equal it, too" equal \
	"$(jq -cS '[.pods[] | { key: .pod, value: .outcomes.ok }] | from_entries' "$r")" "$served"
check "trace: lines per pod equal it, too" equal "$(jq -cS -s \
	'map(select(.type == "request")) | group_by(.pod) | map({ key: .[0].pod, value: length }) | from_entries' "$t")" "$served"
expect_trace "$t" "trace: no path carries its query" 'requests | all_are(.path == "/latest/meta-data/instance-id")'
expect_nothing_lost "$r" "report: nothing lost"
expect_report "$r" "report: latency figures are in order" '.pods | all_are(.latency_us | .p50 > 0 and .p50 <= .p90 and
	.p90 <= .p99 and .p99 <= .max)'
