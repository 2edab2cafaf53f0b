#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it fills the processors.
# Thousands of pods created and deleted while the agent runs: memory, tables and the scrape stay bounded, totals are exact,
# what has no room is counted. PODS=10000 is the real thing, with MAX_PODS=1024 (the default) RSS_MAX=40960 GROWTH=16384;
# FORGET=1 also waits six minutes until the gone pods must have left.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
PODS=${PODS:-2000}
MAX_PODS=${MAX_PODS:-64}
RSS_MAX=${RSS_MAX:-24576}	# KiB
GROWTH=${GROWTH:-1024}	# KiB, from a fifth of the pods to all of them
e2e_need curl jq
e2e_lab --hop-limit 2
m=$LAB_ROOT/metrics

served() { wc -l <"$(lab_server_log)"; }
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$SERVE_PID/status"; }
in_scrape() { awk -v want="$1" 'index($0, want " ") == 1 { print $NF }' "$m"; }	# of the newest one
sum_of() { awk -v want="$1{" 'index($0, want) == 1 { n += $NF } END { print n + 0 }' "$m"; }
churn() {			# churn FIRST N: with 16 pods there at a time
	lab_in node "$LAB_BIN/churn" --cgroup "$(lab_cgroup)" --logs "$LAB_ROOT/node/log" --alive 16 --first "$1" --pods "$2" \
		--target 169.254.169.254:80
}
scrape() {			# scrape FILE: and what it needs to be given out
	sleep 0.4		# more than a tick
	ask /metrics >"$m"
	cp "$m" "$1"
}

serve_start --max-pods "$MAX_PODS"
lab_host_client steady		# lives on, in the midst of it
get steady >/dev/null
bytes_mark
begin=$SECONDS
part=$((PODS / 5))
churn 1 $part >"$LAB_ROOT/churn.1"
ask /api/v1/report >/dev/null	# what making one takes is no growth
scrape "$LAB_ROOT/early"
early=$(resident_kib)
resident=$early
for i in 2 3 4 5; do
	churn $(((i - 1) * part + 1)) $part >"$LAB_ROOT/churn.$i"
	[ "$i" != 3 ] || ask /api/v1/report >"$LAB_ROOT/report"
	resident+=" $(resident_kib)"
done
took=$((SECONDS - begin))
scrape "$LAB_ROOT/late"
late=$(resident_kib)
echo "# $((5 * part)) pods in $took s; resident after each $part: $resident KiB; $(wc -l <"$LAB_ROOT/late") lines of metrics"
grep -E '^imdsnoop_(events_lost|table)' "$m" | grep -v ' 0$' | sed 's/^/# /'

check "all were answered" e2e_jq <(jq -cs . "$LAB_ROOT"/churn.*) "(map(.ok) | add) == $((5 * part)) and all(.[]; .failed == 0)"
check "hashes at both ends agree" bytes_agree "$LAB_ROOT"/churn.*
check "it lives and is ready" equal "$(ask /readyz -o /dev/null -w '%{http_code}')" 200
check "every request is counted" equal "$(sum_of imdsnoop_requests_total)" "$(served)"
check "nothing of it was lost in the ring" equal "$(in_scrape 'imdsnoop_events_lost_total{loss="ring_request"}') $(
	in_scrape 'imdsnoop_events_lost_total{loss="ring_cgroup"}')" "0 0"
check "rows are bounded" test "$(in_scrape 'imdsnoop_table_entries{table="pods"}')" -le "$MAX_PODS"
other='imdsnoop_requests_total{namespace="",pod="other",container="",kind="data",imds_version="v1",outcome="ok"}'
check "the rest is in \`other\`, counted and told" equal "$(in_scrape 'imdsnoop_events_lost_total{loss="pods_over_limit"}')" \
	"$(in_scrape "$other")"
check "names are bounded" test "$(in_scrape 'imdsnoop_table_entries{table="names"}')" -le \
	"$(in_scrape 'imdsnoop_table_limit{table="names"}')"
check "forgotten names are counted" test "$(in_scrape 'imdsnoop_events_lost_total{loss="names_evicted"}')" -gt 0
check "counters are bounded" test "$(in_scrape 'imdsnoop_table_entries{table="packet_counters"}')" -le $((4 * MAX_PODS))
# Counters of gone pods leave each 30 s, so a larger table does not fill.
[ "$MAX_PODS" -gt 64 ] || check "what had no room in them is counted" test \
	"$(in_scrape 'imdsnoop_events_lost_total{loss="counter_table_full"}')" -gt 0
check "the scrape is bounded" test "$(wc -l <"$LAB_ROOT/late")" -le $(($(wc -l <"$LAB_ROOT/early") + 20))	# the row of the rest may be new
check "pods have their names" e2e_jq "$LAB_ROOT/report" \
	'.pods | map(select(.other | not) | .pod) | length > 0 and (map(select(test("^churn-"))) | length) * 10 >= length * 9'
check "report: incomplete, and why" e2e_jq "$LAB_ROOT/report" '.losses.pods_over_limit > 0 and
	(.findings | any(.code == "observation-incomplete"))'
check "memory is bounded" test "$late" -le "$RSS_MAX"
check "memory does not grow with the pods that come and go" test $((late - early)) -le "$GROWTH"
get steady >/dev/null
scrape "$m.steady"
check "the pod that stays is still counted" equal "$(in_scrape "imdsnoop_requests_total{namespace=\"\",pod=\"\",container=\"$(
	)$LAB_ID/node/system.slice/steady.service\",kind=\"data\",imds_version=\"v1\",outcome=\"ok\"}")" 2

if [ -n "${FORGET:-}" ]; then
	sleep 370		# GONE_NS and the pass over the tables each 30 s
	get steady >/dev/null
	scrape "$m.forgotten"
	echo "# after six minutes: $(resident_kib) KiB, $(wc -l <"$m") lines of metrics"
	check "gone pods have left" equal "$(in_scrape 'imdsnoop_table_entries{table="pods"}')" 1
	check "and their counters" test "$(in_scrape 'imdsnoop_table_entries{table="packet_counters"}')" -le 4
	check "and their names" test "$(in_scrape 'imdsnoop_table_entries{table="names"}')" -lt 1000
fi
serve_stop
check "it ends well" equal $? 0
