#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The agent: metrics that agree with what was sent, health, the report, bounds against bad clients, rights given up, signals.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq
e2e_lab --hop-limit 1
lab_pod_bridge web-1 --namespace shop --container app
lab_pod_host agent-1 --namespace kube-system --container agent
lab_host_client updater
serve_start

web='namespace="shop",pod="web-1",container="app"'
agent='namespace="kube-system",pod="agent-1",container="agent"'
node="namespace=\"\",pod=\"\",container=\"$LAB_ID/node/system.slice/updater.service\""
for p in web-1 agent-1 updater; do put $p >/dev/null; done
get web-1 >/dev/null
sleep 0.4

# --- metrics ---
m=$LAB_ROOT/metrics
ask /metrics -D "$LAB_ROOT/head" >"$m"
check "metrics: text 0.0.4 by default" grep -qi '^content-type: text/plain; version=0.0.4' "$LAB_ROOT/head"
check "metrics: the pod's token request died" equal "$(metric \
	"imdsnoop_requests_total{$web,kind=\"token\",imds_version=\"v2\",outcome=\"hop-limit\"}")" 1
check "metrics: proven" equal "$(metric "imdsnoop_hop_limit_exceeded_total{$web,confidence=\"proven\"}")" 1
check "metrics: its fallback" equal "$(metric "imdsnoop_fallbacks_total{$web}")" 1
check "metrics: time lost" awk -v s="$(metric "imdsnoop_lost_seconds_total{$web}")" 'BEGIN { exit !(s > 0.5 && s < 1) }'
check "metrics: required hop limit" equal "$(metric "imdsnoop_required_hop_limit{$web}")" 2
check "metrics: neighbour is fine" equal "$(metric "imdsnoop_hop_limit_exceeded_total{$agent,confidence=\"proven\"}")" 0
check "metrics: neighbour's answer" equal "$(metric "imdsnoop_responses_total{$agent,code=\"2xx\"}")" 1
check "metrics: a node service is named by its cgroup" equal "$(metric "imdsnoop_responses_total{$node,code=\"2xx\"}")" 1
check "metrics: histogram ends in its count" equal \
	"$(metric "imdsnoop_request_duration_seconds_bucket{$web,kind=\"data\",le=\"+Inf\"}")" 1
check "metrics: features, tables, losses, process" equal "$(metric 'imdsnoop_feature_enabled{feature="cgroup_skb"}') $(
	metric 'imdsnoop_table_entries{table="pods"}') $(metric 'imdsnoop_events_lost_total{loss="ring_request"}') $(
	ask /metrics | grep -c '^process_[a-z_]* [0-9]')" "1 3 0 6"
check "metrics: resident memory is no fancy" test "$(metric process_resident_memory_bytes)" -gt 2000000
check "metrics: each series once" equal "$(grep -v '^#' "$m" | sed 's/ [^ ]*$//' | sort | uniq -d)" ""
if command -v promtool >/dev/null; then
	check "metrics: promtool has nothing to say" equal "$(promtool check metrics <"$m" 2>&1)" ""
else
	echo "skip metrics: no promtool here"
fi
ask /metrics -D "$LAB_ROOT/head" -H 'Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4' >"$m.open"
sleep 3				# what was made is not taken any more
code=(-s -o /dev/null -w '%{http_code} ' "$SERVE_URL/metrics")
check "who asks for one format takes it from nobody who asks for the other" equal "$(curl "${code[@]}" --next "${code[@]}" \
	-H 'Accept: application/openmetrics-text' --next "${code[@]}" --next "${code[@]}" -H 'Accept: application/openmetrics-text')" "200 200 200 200 "
check "OpenMetrics when asked" grep -qi '^content-type: application/openmetrics-text; version=1.0.0' "$LAB_ROOT/head"
check "OpenMetrics: ends in EOF" equal "$(tail -1 "$m.open")" "# EOF"
check "OpenMetrics: family without _total" grep -qx '# TYPE imdsnoop_requests counter' "$m.open"
check "gzip when asked" equal "$(ask /metrics -H 'Accept-Encoding: gzip' | gunzip | grep -c '^# TYPE')" "$(grep -c '^# TYPE' "$m")"
check "no gzip at q=0" equal "$(ask /metrics -H 'Accept-Encoding: gzip;q=0' | grep -c '^# TYPE')" "$(grep -c '^# TYPE' "$m")"

check "metrics: the workload's requests" equal "$(metric \
	'imdsnoop_workload_requests_total{namespace="shop",workload="web",imds_version="v1",outcome="ok"}')" 1
check "metrics: the workload's need" equal "$(metric 'imdsnoop_workload_required_hop_limit{namespace="shop",workload="web"}')" 2
check "metrics: the node's series are few" test "$(grep -c '^imdsnoop_node_\|^imdsnoop_observed' "$m")" -ge 20

# --- health and report ---
check "healthz" equal "$(ask /healthz -w '%{http_code}')" $'ok\n200'
check "readyz" equal "$(ask /readyz -o /dev/null -w '%{http_code}')" 200
ask /api/v1/report >"$LAB_ROOT/api"
expect_report "$LAB_ROOT/api" "report: blames the pod" \
	'.schema == "imdsnoop.report/1" and (codes("web-1") | index("hop-limit-exhausted") != null)'
expect_report "$LAB_ROOT/api" "report: latency buckets add up" \
	'pod("web-1") | ([.latency_buckets_us[]] | add) == .outcomes.ok and .drop_reason != null'
ask '/api/v1/report?since=5m' >"$LAB_ROOT/api5"
expect_report "$LAB_ROOT/api5" "report since 5m, younger: all of it, and says so" \
	'.totals.requests == 4 and .window.asked_s == 300 and .window.covered_s < 60'
for q in since=1 since=x since=1h since= 'since=%35m'; do
	check "report?$q is refused" equal "$(ask "/api/v1/report?$q" -o /dev/null -w '%{http_code}')" 400
done

# --- HTTP ---
status() { ask "$@" -o /dev/null -w '%{http_code}'; }
check "page" equal "$(status /)" 200
check "unknown path" equal "$(status /etc/passwd)" 404
check "path with dots" equal "$(status /../../etc/passwd --path-as-is)" 404
check "POST is not allowed" equal "$(ask /metrics -X POST -D - -o /dev/null | tr -d '\r' | sed -n '1p;s/^Allow: //p' | xargs)" \
	"HTTP/1.1 405 Method Not Allowed GET, HEAD"
check "a body is refused" equal "$(status /metrics -d x)" 413
check "HEAD has GET's length and no body" equal "$(ask /app.js -I | tr -d '\r' | sed -n 's/^Content-Length: //p')" \
	"$(ask /app.js | wc -c)"
check "a long head is refused" equal "$(status / -H "X: $(head -c 9000 /dev/zero | tr '\0' x)")" 400
check "many headers are refused" equal "$(eval "status / $(printf -- '-H X%s:1 ' {1..80})")" 431
check "page may load nothing foreign" equal "$(ask / -I | grep -ci "^content-security-policy: default-src 'none'")" 1

slow_clients() {		# slow_clients N PORT: N that never finish a request; a byte a second keeps each read alive
	local fds=() fd i
	for ((i = 0; i < $1; i++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$2" && fds+=("$fd") && printf 'GET /metrics HTTP/1.1\r\nX: ' >&"$fd"
	done
	echo ready
	for ((i = 0; i < 14; i++)); do
		sleep 1
		for fd in "${fds[@]}"; do printf y >&"$fd"; done
	done
}
slow() {			# slow N: in the background
	: >"$LAB_ROOT/slow.out"
	(trap '' PIPE; trap - EXIT; slow_clients "$1" "${SERVE_URL##*:}") >"$LAB_ROOT/slow.out" 2>/dev/null &
	SLOW_PID=$!
	lab_wait_for 5 grep -q ready "$LAB_ROOT/slow.out"
}
slow 50
begin=$(date +%s%N)
check "50 slow clients: the next one is served" equal "$(status /metrics)" 200
check "50 slow clients: without delay" test $((($(date +%s%N) - begin) / 1000000)) -lt 2000	# a slow one holds on for seconds
put agent-1 >/dev/null
sleep 0.4
check "50 slow clients: counting goes on" equal "$(metric "imdsnoop_responses_total{$agent,code=\"2xx\"}")" 2
check "50 slow clients: they are seen" test "$(metric imdsnoop_http_connections)" -ge 50
wait $SLOW_PID
check "slow clients: cut, and counted" test "$(metric 'imdsnoop_http_refused_total{reason="too_slow"}')" -ge 50
slow 80
sleep 0.3
kill $SLOW_PID 2>/dev/null; wait $SLOW_PID 2>/dev/null
sleep 0.7
check "80 clients: 16 or more refused, and counted" test "$(metric 'imdsnoop_http_refused_total{reason="too_many"}')" -ge 16
check "80 clients: served again afterwards" equal "$(status /healthz)" 200

# the folder of the kubelet's logs goes and comes back while the agent runs
logs=$LAB_ROOT/$LAB_NODE/log/pods
pod_logs() { get agent-1 >/dev/null; ask /api/v1/report | jq -r '.features[] | select(.name == "pod_logs") | .state + " " + .why'; }
# shellcheck disable=SC2053	# a pattern
says_pod_logs() { [[ $(pod_logs) == $1 ]]; }
mv "$logs" "$logs.away"
check "report: a folder of names that went is missing" lab_wait_for 10 says_pod_logs "missing '$logs'*No such file or directory*"
mv "$logs.away" "$logs"
check "report: and ok when it is back" lab_wait_for 10 says_pod_logs "ok "

# --- rights ---
s=/proc/$SERVE_PID/status
field() { awk -v f="$1:" '$1 == f { $1 = ""; print substr($0, 2) }' "$s"; }
check "runs as nobody" equal "$(field Uid | tr -d '\t ')" "$(id -u nobody | sed 's/.*/&&&&/')"
check "keeps no capability but those that reading may need" equal "$((0x$(field CapPrm) & ~((1 << 34) | (1 << 39) | (1 << 2) | (1 << 21))))" 0
check "no_new_privs" equal "$(field NoNewPrivs)" 1
check "seccomp filter" equal "$(field Seccomp)" 2
lab_pod_bridge late-1 --namespace shop --container app
lab_server_set hop-limit 2
put late-1 >/dev/null
sleep 0.4
check "after that: a new pod has its name and its answer" equal "$(metric \
	"imdsnoop_requests_total{namespace=\"shop\",pod=\"late-1\",container=\"app\",kind=\"token\",imds_version=\"v2\",outcome=\"ok\"}")" 1

# --- signals ---
kill -HUP "$SERVE_PID"
sleep 0.3
check "SIGHUP does no harm" equal "$(ask /healthz) $(wc -l <"$SERVE_ERR")" "ok 2"
serve_stop
check "SIGTERM ends it well" equal $? 0
check "SIGTERM: within 1 s" test "$SERVE_TOOK_MS" -lt 1000
serve_start --drop-privileges 12345:54321
check "user by number" equal "$(awk '/^[UG]id:/ { print $2 }' "/proc/$SERVE_PID/status" | xargs)" "12345 54321"
serve_stop INT
check "SIGINT ends it well" equal $? 0
serve_start --drop-privileges root
check "root keeps its user" equal "$(awk '/^Uid:/ { print $2 }' "/proc/$SERVE_PID/status")" 0
"$IMDSNOOP" serve --cgroup "$(lab_cgroup)" --listen "127.0.0.1:${SERVE_URL##*:}" >"$LAB_ROOT/second" 2>&1
check "a port in use: exit 1 and why" equal "$? $(grep -c 'cannot listen on .*Address already in use' "$LAB_ROOT/second")" "1 1"
"$IMDSNOOP" serve --cgroup "$(lab_cgroup)" --listen 127.0.0.1:0 --drop-privileges no-such-user >"$LAB_ROOT/second" 2>&1
check "an unknown user: exit 1 and why" equal "$? $(grep -c "no user 'no-such-user'" "$LAB_ROOT/second")" "1 1"
serve_stop

# --- the service manager ---
if command -v python3 >/dev/null; then
	cat >"$LAB_ROOT/manager.py" <<'P'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1]); s.settimeout(15); print("bound", flush=True)
print(s.recv(64).decode(), flush=True); print(s.recv(64).decode(), flush=True); print(s.recv(64).decode(), flush=True)
P
	python3 "$LAB_ROOT/manager.py" "$LAB_ROOT/notify" >"$LAB_ROOT/told" 2>&1 &
	manager=$!
	lab_wait_for 5 grep -q bound "$LAB_ROOT/told"
	export NOTIFY_SOCKET=$LAB_ROOT/notify
	serve_start
	unset NOTIFY_SOCKET
	wait $manager
	check "manager: told that it is ready, and the watchdog is fed" equal "$(tr '\n' ' ' <"$LAB_ROOT/told")" "bound READY=1 WATCHDOG=1 WATCHDOG=1 "
	serve_stop
fi

# --- a Unix socket ---
lab_args
"$IMDSNOOP" serve "${LAB_ARGS[@]}" --listen "unix:$LAB_ROOT/http.sock" --drop-privileges root >"$LAB_ROOT/unix" 2>&1 &
SERVE_PID=$!
e2e_later serve_kill $SERVE_PID
lab_wait_for 5 test -S "$LAB_ROOT/http.sock"
check "Unix socket: mode" equal "$(stat -c %a "$LAB_ROOT/http.sock")" 660
check "Unix socket: answers" equal "$(curl -s -m 5 --unix-socket "$LAB_ROOT/http.sock" http://agent/healthz)" ok
serve_stop
check "Unix socket: ends well" equal $? 0
