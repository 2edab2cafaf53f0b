#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Who answers in the metadata service's place: a process of the node behind a redirect, one in a pod of its own, nobody behind
# a redirect, an agent at a link-local address of the node. Each pod is one case; what is said is said of that process.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
for p in plain proxied relayed refused agent moved; do lab_pod_bridge $p --namespace shop || e2e_die "pod $p comes up"; done
lab_pod_host kube2iam --namespace kube-system
lab_pod_host ecs-agent
lab_pod_bridge relay --namespace kube-system
t=$LAB_ROOT/trace r=$LAB_ROOT/report

IMDSNOOP=$(e2e_in_node)	# connections are tracked there

serve_in() {			# serve_in POD ADDRESS:PORT [OPTIONS...]
	local pod=$1 address=$2
	shift 2
	lab_exec "$pod" "$LAB_BIN/imds_server" --listen "$address" --pidfile "$LAB_ROOT/$pod.pid" "$@" >/dev/null 2>&1 &
	lab_wait_for 5 test -s "$LAB_ROOT/$pod.pid"
}
redirect() {			# redirect POD ADDRESS TO: on the node
	lab_pod_load "$1"
	lab_iptables node -t nat -A PREROUTING -s "$pod_ip" -d "$2" -p tcp --dport 80 -j DNAT --to-destination "$3"
}
ask() { lab_exec "$1" curl -s -o /dev/null -m 2 -w '%{http_code}' "http://$2"; }

lab_sysctl node net/ipv4/conf/all/route_localnet=1
lab_ip node addr add 169.254.170.23/32 dev lo
check "servers come up" serve_in kube2iam 127.0.0.1:8181
serve_in ecs-agent 169.254.170.23:80 --status 429
lab_pod_load relay
serve_in relay "$pod_ip:8181"
redirect relayed "$LAB_IMDS4" "$pod_ip:8181"
redirect proxied "$LAB_IMDS4" 127.0.0.1:8181
redirect refused "$LAB_IMDS4" 127.0.0.1:988

report_start "$r"
trace_start "$t"
get plain >/dev/null
get proxied >/dev/null
get relayed >/dev/null
get refused >/dev/null
ask agent 169.254.170.23/v1/credentials >/dev/null
again='send:GET /latest/meta-data/ami-id HTTP/1.1\r\nHost: x\r\n\r\n'
raw moved "$again" recv sleep:1200 "$again" recv close >/dev/null &
sleep 0.6
redirect moved "$LAB_IMDS4" 127.0.0.1:8181
get moved >/dev/null
wait $!
trace_stop
report_stop

by() { expect_trace "$t" "$1: $2" "of(\"$1\") | last | $3"; }
by plain "the service itself" '.outcome == "ok" and .answered_by == null'
by proxied "a process of the node, with its pod" \
	'.outcome == "ok" and (.answered_by | .process == "imds_server" and .pid > 0 and .namespace == "kube-system" and .pod == "kube2iam" and .address == "127.0.0.1:8181")'
by relayed "a pod with a network of its own" '.answered_by | .pod == "relay" and (.address | endswith(":8181"))'
by refused "nobody, behind a redirect" '.outcome == "refused" and (.answered_by | .pod == "" and .pid == 0 and .address == "127.0.0.1:988")'
by agent "an agent at an address of the node" '.status == 429 and (.answered_by | .pod == "ecs-agent" and .process == "imds_server")'
expect_trace "$t" "moved: the older connection by the service, the newer one by the process" \
	'of("moved") | map(.answered_by.pod) | sort_by(. // "") == [null, null, "kube2iam"]'

said() { expect_report "$r" "$1: $2" "[.findings[] | select(.pod == \"$1\")] | $3"; }
said plain "nothing of it" 'all(.[]; .code != "intercepted" and .code != "ttl-rewritten")'
said proxied "intercepted, by name; no rule raises a TTL" \
	'any(.[]; .code == "intercepted" and (.summary | test("imds_server of kube-system/kube2iam"))) and all(.[]; .code != "ttl-rewritten")'
said proxied "the day tokens are required is not what it has to fear" 'all(.[]; .advice | all(test("http-tokens") | not))'
said relayed "by the pod's name" 'any(.[]; .code == "intercepted" and (.summary | test("kube-system/relay")))'
said refused "refused by this node, with the target" \
	'any(.[]; .code == "endpoint-refused" and (.summary | test("refused by this node.*127.0.0.1:988, where nobody listens")))'
said agent "the agent throttles" 'any(.[]; .code == "throttled" and (.summary | test("by imds_server of .*ecs-agent")))'
said moved "two servers, and who the second is" \
	'any(.[]; .code == "two-servers" and (.evidence | any(test("kube-system/kube2iam")))) and any(.[]; .code == "intercepted")'
expect_report "$r" "rows: in a few words, by whom" \
	'pod("agent").cause_text == "throttled by imds_server" and (pod("refused").cause_text | test("refused by 127.0.0.1:988"))'
expect_report "$r" "the rows name them too" \
	'pod("proxied").answered_by.pod == "kube2iam" and pod("plain").answered_by == null'

# a stored trace says the same of them
"$IMDSNOOP" report --from "$t" --json >"$r.from"
check "a report from the trace has the same answerers and findings" equal \
	"$(jq -c '[.pods[] | {pod, answered_by}] | sort' "$r.from")$(jq -c '[.findings[] | [.code, .summary]] | sort' "$r.from")" \
	"$(jq -c '[.pods[] | {pod, answered_by}] | sort' "$r")$(jq -c '[.findings[] | [.code, .summary]] | sort' "$r")"
