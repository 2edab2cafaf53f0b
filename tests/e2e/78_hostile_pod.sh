#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it fills the processors; with less of them than it counts on, records are lost.
# A hundred pods, one of them hostile in eleven ways at once (hostile_pod.py): the other 99 lose nothing, their requests and
# deaths are those that the server and the clients know of, the agent answers its probes and stays small, and the hostile
# one is told by name.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq python3
SECONDS_OF_IT=8
e2e_lab --hop-limit 1
lab_pod_bridge evil --namespace bad --container app
for i in 1 2 3; do lab_pod_bridge "victim-$i" --namespace three --container app; done
pod_of() { lab_pod_load "$1"; echo "$pod_ip"; }
m=$LAB_ROOT/metrics a=$LAB_ROOT/attack

serve_start --max-flows 4096
lab_exec evil python3 "$LAB_DIR/hostile_pod.py" $SECONDS_OF_IT "$(pod_of victim-1)" \
	"kubepods-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-$(printf 'a%.0s' {1..64}).scope" >"$a" 2>&1 &
attack=$!
sleep 1.5
# 96 pods of one request each, three that are asked again and again and get no token, and the agent's own readers
lab_in node "$LAB_BIN/churn" --cgroup "$(lab_cgroup)" --logs "$LAB_ROOT/node/log" --alive 96 --pods 96 \
	--target 169.254.169.254:80 >"$LAB_ROOT/churn" &
churn=$!
slowest=0
for i in 1 2 3 4; do
	[ $i != 3 ] || lab_server_set slow-token-ms 600	# the answer dies behind its client's close
	for v in 1 2 3; do put "victim-$v" 0.4 >/dev/null & puts[v]=$!; done
	begin=$(date +%s%N)
	ask /healthz -m 5 -o /dev/null || slowest=9999
	took=$((($(date +%s%N) - begin) / 1000000))
	[ $took -le $slowest ] || slowest=$took
	ask /api/v1/report -o /dev/null &
	wait "${puts[@]}" $!
done
wait $churn $attack
sleep 1.5
ask /metrics >"$m"
ask /api/v1/report >"$LAB_ROOT/report"
sed 's/^/# /' "$a"
sum() { awk -v p="namespace=\"$1\"" -v w="$2" 'index($0, "imdsnoop_requests_total{") == 1 && index($0, p) && index($0, w) { n += $NF } END { print n + 0 }' "$m"; }
lost() { awk -v w="imdsnoop_events_lost_total{loss=\"$1\"}" 'index($0, w) == 1 { print $NF }' "$m"; }
grep -E '^imdsnoop_events_lost_total' "$m" | grep -v ' 0$' | sed 's/^/# /'

check "it ran: eleven ways" equal "$(grep -c ' times, ' "$a")" 11
check "the 96: each was answered" e2e_jq "$LAB_ROOT/churn" '.ok == 96 and .failed == 0'
check "the 96: each request is counted, and well" equal "$(sum shop 'outcome="ok"') $(sum shop '')" "96 96"
check "the three: each death is told, and nothing else" equal "$(sum three 'outcome="hop-limit"') $(sum three '')" "12 12"
check "the three: proven" equal "$(awk 'index($0, "imdsnoop_hop_limit_exceeded_total{namespace=\"three\"") == 1 && /proven/ { n += $NF } END { print n }' "$m")" 12
check "nobody has the name that it took" e2e_jq "$LAB_ROOT/report" '[.pods[] | select(.pod_uid == "11111111-2222-3333-4444-555555555555")] == []'
check "the hostile one is told by name" e2e_jq "$LAB_ROOT/report" '.findings[] | select(.code == "beyond-share") | .pod == "evil"'
check "the hostile one: what it lost is counted under it" e2e_jq "$LAB_ROOT/report" \
	'([.pods[] | select(.pod != "evil") | .untracked] | add) == 0 and (.pods[] | select(.pod == "evil") | .untracked) > 0'
check "no record of the other 99 was lost: what the ring did not take is the hostile one's" e2e_jq "$LAB_ROOT/report" \
	'([.pods[] | select(.pod != "evil") | .records_lost] | add) == 0 and
	.losses.ring_request + .losses.record_share == ([.pods[] | select(.pod == "evil") | .records_lost] | add)'
check "no drop was lost, and the table of connections had room" equal "$(lost ring_drop) $(lost flow_table_full)" "0 0"
check "/healthz within a second: $slowest ms" test "$slowest" -lt 1000
check "the agent is ready" equal "$(ask /readyz -o /dev/null -w '%{http_code}')" 200
# the kernel tells of each table what it takes (6.4; before, what it would)
tables=$(cat /proc/"$SERVE_PID"/fdinfo/* 2>/dev/null | awk '/^memlock/ { n += $2 } END { print int(n / 1024) }')
resident=$(awk '/^VmHWM/ { print $2 }' "/proc/$SERVE_PID/status")
most=$("$IMDSNOOP" check --json --max-flows 4096 | jq -r '.features[] | select(.name == "memory") | .why' |
	sed -n 's/^at most \([0-9]*\) MiB.*/\1/p')
check "memory: $((tables / 1024)) MiB of the kernel's and $((resident / 1024)) are no more than said" \
	test $((tables + resident)) -le $((most * 1024))
check "the agent is small" test "$(awk '/^VmHWM/ { print $2 }' "/proc/$SERVE_PID/status")" -lt 65536
serve_stop
check "it ends well" equal $? 0
check "it ends within 2 s" test "$SERVE_TOOK_MS" -lt 2000
