#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# 50 slow HTTP clients of the agent, of four kinds: a well-behaved one is still served at once, memory and connections are
# bounded, the slow ones are cut after the idle limit and counted, the counting of requests and the traffic go on.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
CONNECTIONS_MAX=64		# HTTP_CONNECTIONS_MAX
UNTAKEN_MAX_KIB=49152		# HTTP_UNTAKEN_MAX
e2e_need curl jq
e2e_lab --hop-limit 2
lab_pod_host web-1
l=$LAB_ROOT/load

resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$SERVE_PID/status"; }
peak_kib() { awk '/^VmHWM/ { print $2 }' "/proc/$SERVE_PID/status"; }
served() { wc -l <"$(lab_server_log)"; }
counted() { ask /metrics | awk '/^imdsnoop_requests_total/ { n += $NF } END { print n + 0 }'; }
slow() {			# slow FILE SECONDS KIND=N...: in the background; returns when all are there
	local file=$1
	shift
	"$LAB_BIN/slow_clients" "${SERVE_URL#http://}" "$@" >"$file" 2>&1 &
	SLOW_PID=$!
	lab_wait_for 5 grep -q ready "$file" || { cat "$file"; e2e_die "slow clients connect"; }
}
fast() {			# a scrape by a good client: whole, and within 2 s
	local begin took
	begin=$(date +%s%N)
	ask /metrics >"$LAB_ROOT/scrape" || return
	took=$((($(date +%s%N) - begin) / 1000000))
	equal "$(grep -c '^# TYPE' "$LAB_ROOT/scrape")" "$families" || return
	[ $took -lt 2000 ] || { echo "took $took ms"; return 1; }
}
all_fast() { local i; for i in 1 2 3 4 5 6; do fast || return; sleep 1; done; }
connections() { metric imdsnoop_http_connections; }
refused() { metric "imdsnoop_http_refused_total{reason=\"$1\"}"; }

serve_start
# Rows enough for an answer that does not fit into a socket.
lab_in node "$LAB_BIN/churn" --cgroup "$(lab_cgroup)" --pods 300 --alive 16 --target 169.254.169.254:80 >"$LAB_ROOT/rows"
sleep 0.4
ask /metrics >"$LAB_ROOT/scrape"
families=$(grep -c '^# TYPE' "$LAB_ROOT/scrape")
size=$(($(wc -c <"$LAB_ROOT/scrape") / 1024))	# KiB
before=$(resident_kib)
bytes_mark

slow "$LAB_ROOT/slow" 13 drip=20 idle=10 gone=10 unread=10
# A scraper that keeps its connection and comes again later than the limit is no slow client.
"$LAB_BIN/raw_client" 127.0.0.1 "${SERVE_URL##*:}" 'send:GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' expect:ok sleep:12500 close >/dev/null &
kept=$!
are_seen() { [ "$(connections)" -ge 50 ]; }	# an answer is shared for a moment
check "they are seen" lab_wait_for 2 are_seen
lab_exec web-1 "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 200 --seconds 5 >"$l" &
load=$!
check "another client is served at once, again and again" all_fast
during=$(resident_kib)
wait $load $SLOW_PID $kept
check "the slow ones are cut after the idle limit" e2e_jq <(tail -1 "$LAB_ROOT/slow") '[.idle, .drip] |
	all(.[]; .cut == .clients and .first_ms > 8000 and .last_ms < 12500)'
check "those that are gone or do not read, too: nobody is left" equal "$(connections)" 1
check "they are counted, and nobody else" equal "$(refused too_slow)" 50
check "memory: no more than the answers that were not taken" test $((during - before)) -le $((11 * size + 4096))
check "the traffic went on" e2e_jq "$l" '.ok == 1000 and .failed == 0'
check "hashes at both ends agree" bytes_agree "$l"
check "nothing was lost meanwhile" equal "$(counted)" "$(served)"

# More than there is room for, in connections and in answers: the rest is refused at once, and who comes when they are cut is
# served.
slow "$LAB_ROOT/slow" 12 unread=40 idle=70
check "110 clients: those above the limit are refused" lab_wait_for 16 fast
wait $SLOW_PID
check "110 clients: counted" test $(($(refused too_many) + $(refused overloaded))) -ge $((110 - CONNECTIONS_MAX))
check "110 clients: answers above the limit are refused and counted" test "$(refused overloaded)" -ge $((40 - UNTAKEN_MAX_KIB / size - 2))
check "110 clients: memory is bounded" test $(($(peak_kib) - before)) -le $((UNTAKEN_MAX_KIB + 2 * size + 4096))
check "110 clients: all are gone in the end" equal \
	"$(tail -1 "$LAB_ROOT/slow" | jq -c '.idle | [.cut, .first_ms < 2000, .last_ms < 12000]') $(connections)" "[70,true,true] 1"

serve_stop
check "it ends well" equal $? 0
