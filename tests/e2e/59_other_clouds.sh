#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# An AWS client on a cloud that has neither EC2's roles nor a name here (DigitalOcean), Oracle's legacy paths, Azure
# throttling while it is updated, kube2iam that may not take a role or is down, a proxy that asks for others. Each has its
# words, and a report from the trace has the same.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need curl
e2e_lab --hop-limit 2
for p in app monitor denied down; do lab_pod_bridge $p --namespace shop || e2e_die "pod $p comes up"; done
lab_pod_host kube2iam --namespace kube-system
lab_pod_host proxy --namespace kube-system
IMDSNOOP=$(e2e_in_node)
t=$LAB_ROOT/trace r=$LAB_ROOT/report
cp "$(command -v curl)" "$LAB_ROOT/tinyproxy"

ask() { lab_exec "$1" curl -s -o /dev/null -m 2 -w '%{http_code}' "${@:3}" "http://$LAB_IMDS4$2"; }
with() { e2e_with_status "$1" ask "${@:2}"; }
watch() { report_start "$r" && trace_start "$t"; }
told() {			# told NAME: as the live report, from the trace
	trace_stop
	report_stop
	"$IMDSNOOP" report --from "$t" --format json >"$r.from"
	check "$1: the trace tells the same" equal \
		"$(jq -c '[.headline], [.pods[] | .cause_text], [.findings[] | [.code, .summary, .advice]] | sort' "$r.from")" \
		"$(jq -c '[.headline], [.pods[] | .cause_text], [.findings[] | [.code, .summary, .advice]] | sort' "$r")"
}
said() { expect_finding "$r" "$@"; }
roles=/latest/meta-data/iam/security-credentials/

watch
check "lab: DigitalOcean's path is served, and no roles" equal "$(with 200 monitor /metadata/v1/id)$(with 404 app $roles)" 200404
told DigitalOcean
said app no-role "another cloud's, no role is missing" '(.summary | test("another cloud.s, which has no roles of EC2")) and
	($all | test("AWS_EC2_METADATA_DISABLED") and (test("attached|instance profile") | not))'
expect_report "$r" "app: nor in its row" 'pod("app").cause_text | test("role") | not'

watch
check "lab: Oracle's" equal "$(ask app /opc/v2/instance/ -H 'Authorization: Bearer Oracle')$(with 404 app /opc/v1/instance/)" 200404
told Oracle
said app credentials-refused "Oracle's legacy paths are off" '.severity == "info" and ($all | test("ask below /opc/v2/"))'

watch
azure='/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x'
check "lab: Azure's" equal "$(with 429 app "$azure" -H 'Metadata: true')$(with 410 app "$azure" -H 'Metadata: true')" 429410
told Azure
said app throttled "throttled, and updated" '(.summary | test("1 answer 429, 1 more 410$")) and ($all | test("for 70 s"))'

serve() {			# serve PORT STATUS: in kube2iam
	lab_exec kube2iam "$LAB_BIN/imds_server" --listen "127.0.0.1:$1" --status "$2" --pidfile "$LAB_ROOT/$1.pid" >/dev/null 2>&1 &
	lab_wait_for 5 test -s "$LAB_ROOT/$1.pid" || e2e_die "kube2iam listens"
}
redirect() {			# redirect -I|-R POD PORT
	lab_pod_load "$2"
	lab_iptables node -t nat "$1" PREROUTING 1 -s "$pod_ip" -d "$LAB_IMDS4" -p tcp --dport 80 \
		-j DNAT --to-destination "127.0.0.1:$3"
}
lab_sysctl node net/ipv4/conf/all/route_localnet=1
serve 8181 404
serve 8182 500
redirect -I down 8183
watch
get down >/dev/null
redirect -I denied 8181
check "lab: kube2iam knows no tokens" equal "$(put denied 2)" 404
redirect -R denied 8182
# on a connection that stays until its process has been looked for
role="send:GET ${roles}app HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
check "lab: kube2iam may not take the role" equal "$(raw denied "$role" recv sleep:600 "$role" recv sleep:600 close | grep -c ' 500 ')" 2
lab_exec proxy "$LAB_ROOT/tinyproxy" -s -o /dev/null -m 2 "http://$LAB_IMDS4$roles"
told kube2iam
said denied credentials-refused "the role, by whom" '.severity == "error" and (.summary | test("security-credentials/app answered 500 by imds_server")) and
	($all | test("trust the role of the node") and (test("knows no role") | not))'
said denied not-this-cloud "its tokens are a note" '.severity == "info"'
said down endpoint-refused "where it leads to is said once" '$all | [match("127.0.0.1:8183"; "g")] | length == 1'
said proxy imdsv1-in-use "for others" '$all | test("NO_PROXY") and (test("end the day") | not)'
