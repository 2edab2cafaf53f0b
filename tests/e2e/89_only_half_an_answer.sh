#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What looks answered, or lost, and is neither: a redirect in place of credentials (a doubled slash, an ingress with a hostPort),
# part of them, TLS to the port of plain HTTP, the host's own output rule, a mesh's proxy that turns away. Each is one pod.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
for p in moved listed part tls mesh; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
lab_pod_host agent --namespace kube-system
lab_iptables p-mesh -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 15001
lab_sidecar mesh istio-proxy || e2e_die "the sidecar comes up"
lab_exec mesh+istio-proxy "$LAB_BIN/imds_server" --listen 0.0.0.0:15001 --status 503 --pidfile "$LAB_ROOT/mesh.pid" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/mesh.pid" || e2e_die "the sidecar listens"
lab_iptables node -I OUTPUT -d "$LAB_IMDS4" -m owner --uid-owner 4321 -j DROP
IMDSNOOP=$(e2e_in_node)
t=$LAB_ROOT/trace r=$LAB_ROOT/report
roles=http://169.254.169.254/latest/meta-data/iam/security-credentials

with() { e2e_with_status "$@"; }
ask() { lab_exec "$1" curl -s -o /dev/null -m 2 -w '%{http_code}' "${@:2}"; }
said() { expect_finding "$r" "$@"; }

report_start "$r"
trace_start "$t"
check "lab: redirected, in part, a list of roles by its short name" equal "$(put moved)$(with 301 ask moved $roles/node-role)$(
	with 301 ask listed $roles)$(ask listed $roles/)$(ask listed $roles/node-role)$(ask part $roles/node-role)$(
	with 404 ask part $roles/nobody)" 200301301200200200404
check "lab: TLS to port 80 fails" equal "$(ask tls -k https://169.254.169.254:80/)" 000
check "lab: the host's rule for others than root" equal "$(ask agent http://169.254.169.254/latest/meta-data/ami-id)$(lab_exec agent \
	setpriv --reuid 4321 --clear-groups curl -s -o /dev/null -m 1 -w '%{http_code}' http://169.254.169.254/latest/meta-data/ami-id)" 200000
check "lab: the mesh turns away" equal "$(put mesh)$(get mesh)" 503503
trace_stop
report_stop

expect_trace "$t" "a redirect is no credentials, and is a list of roles" \
	'(gets("moved") | all_are(.outcome == "http-error")) and (gets("listed") | length == 3 and all_are(.outcome == "ok"))'
said moved credentials-refused "PROBLEM, the redirect" '.severity == "error" and (.summary | test("answered 301")) and ($all | test("doubled slash"))'
expect_report "$r" "listed: nothing grave" '[.findings[] | select(.pod == "listed" and .severity != "info")] == [] and pod("listed").failed == 0'
said part credentials-refused "no OK beside a failure" '.severity == "warning" and (.summary | test("only in part: 1 answer 404"))'
expect_report "$r" "tls: what it sent is no HTTP, and no link's MTU" '.findings | map(select(.pod == "tls")) | length == 1 and
	(.[0] | [.summary, .evidence[], .advice[]] | join(" ") | test("no whole HTTP request.*speaks plain HTTP") and (test("MTU|acknowledged|Neutron") | not))'
said agent blocked-by-policy "the host's own output" '$all | test("-m owner")'
said mesh throttled "leave the address out of the redirect" '$all | test("excludeOutboundIPRanges") and (test("Neutron") | not)'
