#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A real Prometheus scrapes the agents of three nodes: its sums equal the metadata server's log, every query of the
# dashboard and of the rules runs and gives something, the alert of the hop limit fires for the pod that is hit.
# shellcheck disable=SC2016	# Grafana's variables
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need prometheus promtool jq curl
rules=$LAB_TREE/scripts/prometheus grafana=$LAB_TREE/scripts/grafana
dashboard=$grafana/imdsnoop.json fleet=$grafana/imdsnoop-fleet.json

check "rules: promtool finds nothing to say" promtool check rules "$rules/imdsnoop-rules.yml" "$rules/imdsnoop-alerts.yml"
check "rules: their cases hold" promtool test rules "$rules/imdsnoop_test.yml"
check "rules: each alert has a summary, a description and a runbook" equal \
	"$(grep -cE '^ +(summary|description|runbook_url):' "$rules/imdsnoop-alerts.yml")" \
	$((3 * $(grep -c 'alert:' "$rules/imdsnoop-alerts.yml")))
check "rules: each runbook_url leads to a heading, that of its alert" equal "$(sed -n 's/.*runbook_url: .*#\(.*\)"$/\1/p' "$rules/imdsnoop-alerts.yml")" \
	"$(sed -n 's/.*alert: //p' "$rules/imdsnoop-alerts.yml" | while read -r a; do grep -qx "### $a" "$rules/README.md" && echo "${a,,}"; done)"
check "rules: each alert has a case" equal "$(sed -n 's/.*alert: //p' "$rules/imdsnoop-alerts.yml" | while read -r a; do
	grep -q "\"$a\"\|alertname: $a\|$a|\||$a" "$rules/imdsnoop_test.yml" || echo "$a"; done)" ""

# --- three nodes, a Prometheus on the metadata service's side --------------------------------------------------------

started=()
start() {			# start NETNS LOG COMMAND...: in the background until the test ends
	local ns=$1 log=$2
	shift 2
	(exec nsenter --net="/run/netns/$LAB_ID-$ns" -- "$@") </dev/null >"$log" 2>&1 &
	started+=($!)
}
# shellcheck disable=SC2317	# called when the test ends
stop_all() {
	local pid
	kill -TERM "${started[@]}" 2>/dev/null
	for pid in "${started[@]}"; do lab_wait_for 3 lab_is_gone "$pid" || kill -KILL "$pid"; done
}
e2e_later stop_all
e2e_lab --hop-limit 1
nodes=(node n1 n2)
{ lab_node n1 && lab_node n2; } || e2e_die "three nodes come up"
for i in 0 1 2; do
	LAB_NODE=${nodes[i]}
	{ lab_pod_bridge "web-$i" --namespace shop && lab_pod_host "agent-$i" --namespace kube-system; } ||
		e2e_die "pods of $LAB_NODE come up"
	lab_args
	start "$LAB_NODE" "$LAB_ROOT/serve.$i" "$IMDSNOOP" serve "${LAB_ARGS[@]}" --listen "172.31.$i.10:9754" --node "$LAB_NODE"
done
{ lab_pod_bridge walled --namespace shop && lab_drop walled; } || e2e_die "a walled pod comes up"
LAB_NODE=node
lab_args
start node "$LAB_ROOT/serve.few" "$IMDSNOOP" serve "${LAB_ARGS[@]}" --listen 172.31.0.10:9755 --node node --metrics node
dir=$LAB_ROOT/prometheus
mkdir "$dir"
cat >"$dir/config.yml" <<-END
	global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s }
	rule_files: ['$rules/imdsnoop-rules.yml', '$rules/imdsnoop-alerts.yml']
	scrape_configs:
	  - job_name: imdsnoop
	    honor_labels: true
	    static_configs:
	      - { targets: ['172.31.0.10:9754'], labels: { node: node } }
	      - { targets: ['172.31.1.10:9754'], labels: { node: n1 } }
	      - { targets: ['172.31.2.10:9754'], labels: { node: n2 } }
	  - job_name: few
	    static_configs: [{ targets: ['172.31.0.10:9755'], labels: { node: node } }]
END
start imds "$dir/log" prometheus --config.file="$dir/config.yml" --storage.tsdb.path="$dir/data" --log.level=warn \
	--web.listen-address=127.0.0.1:9090

api() { lab_in imds curl -sf -m 5 -G "http://127.0.0.1:9090/api/v1/$1" "${@:2}"; }
query() { api query --data-urlencode "query=$1"; }
value() { query "$1" | jq -r '[.data.result[].value[1]] | join(" ")'; }		# of a query that gives one
is() { [ "$(value "$1")" = "$2" ]; }
becomes() { lab_wait_for 2 is "$1" "$2" || { echo "'$1' is '$(value "$1")', wanted '$2'"; tail -3 "$dir/log"; return 1; }; }
check "prometheus: scrapes three agents" becomes 'sum(up{job="imdsnoop"})' 3

# --- what the pods do ------------------------------------------------------------------------------------------------

# Each says who it is in the query, which the server logs and imdsnoop does not keep.
pids=()
for i in 0 1 2; do
	for who in "web-$i" "agent-$i"; do
		lab_exec "$who" "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 20 --seconds 2 --concurrency 2 \
			--path "/latest/meta-data/instance-id?pod=$who" >"$LAB_ROOT/load.$who" &
		pids+=($!)
	done
done
put_as() { lab_exec "$1" curl -s -o /dev/null -m 0.6 -X PUT -H "$E2E_TTL" "http://$LAB_IMDS4/latest/api/token?pod=$1"; }
for who in web-0 web-0 web-2 agent-0 agent-1 agent-1; do put_as $who; done
lab_exec web-0 curl -s -o /dev/null "http://$LAB_IMDS4/latest/meta-data/instance-id?pod=web-0"	# falls back
get walled 0.5 >/dev/null
wait "${pids[@]}"
jq -s 'map(select(.query | startswith("pod="))) | group_by([.query, .method]) |
	map({ pod: .[0].query[4:], method: .[0].method, n: length })' "$(lab_server_log)" >"$LAB_ROOT/served"
served() { jq --arg pod "$1" --arg method "$2" '[.[] | select(.pod == $pod and .method == $method) | .n] | add // 0' "$LAB_ROOT/served"; }
check "server: logged them" equal "$(served web-0 PUT) $(served web-1 PUT) $(served agent-1 PUT) $(served web-2 GET)" "2 0 2 40"

for i in 0 1 2; do
	for who in "web-$i" "agent-$i"; do
		check "$who: data requests equal the server's log" becomes \
			"sum(imdsnoop_requests_total{pod=\"$who\",kind=\"data\",outcome=\"ok\"})" "$(served "$who" GET)"
	done
	check "web-$i: lost answers equal the tokens that the server sent" becomes \
		"sum(imdsnoop_hop_limit_exceeded_total{pod=\"web-$i\",confidence=\"proven\"})" "$(served "web-$i" PUT)"
	check "agent-$i: token requests, all answered, equal it" becomes \
		"sum(imdsnoop_requests_total{pod=\"agent-$i\",kind=\"token\",outcome=\"ok\"}) or vector(0)" "$(served "agent-$i" PUT)"
done
check "all: answers by status equal it" becomes 'sum(imdsnoop_responses_total{code="2xx"})' \
	"$(jq '[.[] | select(.method == "GET" or (.pod | startswith("agent"))) | .n] | add' "$LAB_ROOT/served")"
check "all: durations were taken of the same number" becomes 'sum(imdsnoop_request_duration_seconds_count)' \
	"$(value 'sum(imdsnoop_responses_total)')"
check "all: walled pod is blocked, not a hop-limit case" becomes \
	'sum(imdsnoop_requests_total{pod="walled",outcome="blocked"}) + sum(imdsnoop_hop_limit_exceeded_total{pod="walled"})' 1
check "hop limit that the cluster needs, by rule" becomes 'cluster:imdsnoop_required_hop_limit:max' 2
check "series of a pod come from its own node only" equal "$(query 'count by (pod, node) (imdsnoop_packets_total{pod=~"web-.*"})' |
	jq -c '[.data.result[].metric | [.pod, .node]] | sort')" '[["web-0","node"],["web-1","n1"],["web-2","n2"]]'
lost() { query "imdsnoop_events_lost_total{job=\"imdsnoop\",$1} > 0" | jq -c '[.data.result[] | [.metric.node, .metric.loss, .value[1]]]'; }
check "nothing was lost" equal "$(value 'count(imdsnoop_events_lost_total{loss="ring_request"})') $(lost 'loss!="events_missed"')" "3 []"
missed() {			# of the three nodes, as the kernel counts and as they tell
	local kernel
	kernel=$(for pid in "${started[@]:0:3}"; do e2e_missed "$pid"; done | awk '{ n += $1 } END { print n }')
	is 'sum(imdsnoop_events_lost_total{job="imdsnoop",loss="events_missed"})' "$kernel"
}
check "what the kernel could not tell of drops is told" lab_wait_for 5 missed
firing='ALERTS{alertname="ImdsHopLimitExhausted",alertstate="firing"}'
check "alert: fires for the workload that is hit, and for no other" becomes "count($firing)" 1
check "alert: and names it" equal "$(query "$firing" | jq -c '[.data.result[].metric | [.namespace, .workload]]')" '[["shop","web"]]'
few='ALERTS{alertname="ImdsNodeHopLimitExhausted",alertstate="firing"}'
check "alert: an agent that gives series of its node alone tells of the node" becomes "count($few)" 1
check "alert: and no agent that names the workload does" equal "$(query "$few" | jq -r '.data.result[].metric.instance')" 172.31.0.10:9755
check "alert: none of the agents" equal "$(value 'count(ALERTS{alertname=~"Imdsnoop.*",alertstate="firing"})')" ""

# --- every query of the dashboard and of the rules -------------------------------------------------------------------

for file in "$dashboard" "$fleet"; do
	check "${file##*/}: is what Grafana imports" jq -e '.title and .uid and .schemaVersion and (.panels | length > 12) and
		([.panels[].id] | length == (unique | length))' "$file"
	check "${file##*/}: each panel says what it shows and reads the chosen data source" jq -e '[.panels[] | select(.type != "row")] |
		all(.[]; (.title | length > 0) and .datasource.uid == "${datasource}" and (.targets | length > 0))' "$file"
	check "${file##*/}: no panel covers another" jq -e '[.panels[].gridPos | . as $p | range($p.x; $p.x + $p.w) as $x |
		range($p.y; $p.y + $p.h) as $y | [$x, $y]] | length == (unique | length)' "$file"
	check "${file##*/}: leads to the other" jq -e --arg other "$(jq -r .uid "$dashboard" "$fleet" | grep -vx "$(jq -r .uid "$file")")" \
		'.links[0].url == "/d/" + $other' "$file"
done
is_recorded() { test "$(value 'count(namespace_pod_container:imdsnoop_request_duration_seconds:p99_rate5m)')" != ""; }
lab_wait_for 5 is_recorded
{ jq -r '.. | .expr? // empty | gsub("\\$__rate_interval"; "15s") | gsub("\\$__range_s"; "60") | gsub("\\$__range"; "1m") |
	gsub("\\$namespace|\\$pod|\\$instance"; ".*") | gsub("\n"; " ")' "$dashboard" "$fleet"
	sed -n 's/.*- record: //p' "$rules/imdsnoop-rules.yml"; } | sort -u >"$dir/queries"
# one curl for all of them: a transfer each, an answer a line
jq -Rr '"next", "get", "silent", "max-time = 5", "url = \"http://127.0.0.1:9090/api/v1/query\"", "write-out = \"\\n\"",
	"data-urlencode = \("query=" + . | tojson)"' "$dir/queries" | sed 1d >"$dir/curl"
lab_in imds curl -K "$dir/curl" >"$dir/answers"
check "queries: all of them give a result" equal \
	"$(jq -c '.status == "success" and (.data.result | length > 0)' "$dir/answers" | paste - "$dir/queries" | grep -v '^true')" ""
check "queries: there are enough" test "$(wc -l <"$dir/queries")" -ge 60
for name in namespace instance; do
	q=$(jq -r --arg name $name '.templating.list[] | select(.name == $name) | .definition' "$fleet")
	q=${q#label_values(}
	check "fleet: variable $name has values" jq -e '.data | length > 1' <(api "label/$name/values" --data-urlencode "match[]=${q%,*}")
done
for name in namespace pod; do
	q=$(jq -r --arg name $name '.templating.list[] | select(.name == $name) | .definition | gsub("\\$namespace"; ".*")' "$dashboard")
	q=${q#label_values(}
	check "variable $name: has values" jq -e '.data | length > 1' <(api "label/$name/values" --data-urlencode "match[]=${q%,*}")
done
stat() {			# stat TITLE [DASHBOARD]: what that panel shows for the last minute
	value "$(jq -r --arg title "$1" '.panels[] | select(.title == $title) | .targets[0].expr | gsub("\\$__range_s"; "60") |
		gsub("\\$__range"; "1m") | gsub("\\$namespace|\\$pod|\\$instance"; ".*")' "${2:-$dashboard}")"
}
check "dashboard: shows the answers lost, those of new pods too" equal "$(stat 'Answers lost to the hop limit')" 3
check "dashboard: shows the pods hit" equal "$(stat 'Pods hit')" 2
check "dashboard: shows the hop limit needed" equal "$(stat 'Hop limit needed')" 2
check "dashboard: shows what was blocked" equal "$(stat 'Blocked or refused')" 1
check "fleet: shows the workload that needs more than hop limit 1" equal "$(stat 'Workloads that need more than hop limit 1' "$fleet")" 1
check "fleet: shows who uses IMDSv1" equal "$(stat 'Workloads that use IMDSv1' "$fleet")" 2
# a snapshot serves all who ask within its second, so that a few seconds tell it roughly
check "fleet: shows that all was watched" becomes 'min(rate(imdsnoop_observed_seconds_total[10s])) > bool 0.7' 1
# these agents watch the lab's folder: true, and no coverage of a node
check "rule: time of an agent that watches a part of its node is none of the cluster's" becomes \
	'cluster:imdsnoop_observed_seconds:ratio_rate1h' 0
check "scrape.yml: promtool finds nothing to say" promtool check config --syntax-only \
	<(sed '/kubernetes_sd_configs:/,/namespaces:/d' "$rules/scrape.yml")	# which Debian's promtool does not know
check "metrics: promtool finds nothing to say" equal \
	"$(lab_in imds curl -s http://172.31.0.10:9754/metrics | promtool check metrics 2>&1)" ""
