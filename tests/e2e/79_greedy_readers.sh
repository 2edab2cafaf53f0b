#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# 60 readers that ask for the report again and again, during 1,900 requests a second: no request is lost, a probe is answered
# within a second, and the readers share what is rendered.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq
e2e_lab --hop-limit 2
lab_pod_host web-1 --namespace shop
l=$LAB_ROOT/load

reader() {			# reader FILE: for six seconds
	local end=$((SECONDS + 6))
	while [ $SECONDS -lt $end ]; do ask /api/v1/report -o /dev/null -w '%{http_code}\n'; done >"$1"
}
serve_start
lab_in node "$LAB_BIN/churn" --cgroup "$(lab_cgroup)" --logs "$LAB_ROOT/node/log" --alive 100 --pods 100 \
	--target 169.254.169.254:80 >"$LAB_ROOT/churn"
lab_exec web-1 "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 1900 --seconds 5 >"$l" &
load=$!
readers=()
for i in {1..60}; do reader "$LAB_ROOT/reader.$i" & readers+=($!); done
for i in {1..12}; do
	ask /healthz -o /dev/null -w '%{time_total} %{http_code}\n'
	sleep 0.3
done >"$LAB_ROOT/probes"
wait $load "${readers[@]}"
sleep 1
check "probes: all answered within a second" awk '$2 != 200 || $1 >= 1 { bad++ } END { exit bad || NR != 12 }' "$LAB_ROOT/probes"
check "readers: answered, and often" test "$(cat "$LAB_ROOT"/reader.* | grep -c '^200$')" -ge 100
check "the traffic went on" e2e_jq "$l" '.ok == 9500 and .failed == 0'
check "nothing was lost meanwhile" equal "$(ask /metrics | awk '/^imdsnoop_requests_total/ { n += $NF } END { print n + 0 }')" \
	"$(wc -l <"$(lab_server_log)")"
check "the ring was never full" equal "$(metric 'imdsnoop_events_lost_total{loss="ring_request"}')" 0
serve_stop
check "it ends well" equal $? 0
