#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Whose error it is, and what it says: of a request that lacks what the service requires, of a path that it does not have, of
# a token that is over, of a sidecar, of a redirect to nobody; and blocks in the pod's own network, of answers alone, of a
# pod's first moments, on purpose. Each is one pod.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
for p in bare headed account slash stale plain lost home answers late redirected mesh meant foreign aside; do
	lab_pod_bridge $p || e2e_die "pod $p comes up"
done
lab_pod_host agent --namespace kube-system
lab_ip node addr add 169.254.170.23/32 dev lo
lab_exec agent "$LAB_BIN/imds_server" --listen 169.254.170.23:80 --pidfile "$LAB_ROOT/agent.pid" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/agent.pid" || e2e_die "the agent comes up"
IMDSNOOP=$(e2e_in_node)
r=$LAB_ROOT/report

with() { e2e_with_status "$@"; }
ask() { lab_exec "$1" curl -s -o /dev/null -m 2 -w '%{http_code}' "${@:2}"; }
said() { expect_finding "$r" "$@"; }

report_start "$r"
google=http://169.254.169.254/computeMetadata/v1/instance
check "lab: GCE's errors" equal "$(with 403 ask bare $google/id)$(with 403 ask headed -H 'Metadata-Flavor: Google' $google/id
	)$(ask account -H 'Metadata-Flavor: Google' $google/id
	)$(with 404 ask account -H 'Metadata-Flavor: Google' "$google/service-accounts/default/?recursive=true")$(with 403 get foreign)" 403403200404403
check "lab: server errors, once and for one path" equal "$(with 500 get lost 2 /latest/meta-data/ami-id)$(get lost 2 /latest/meta-data/ami-id
	)$(with 500 get aside 2 /latest/meta-data/instance-type)$(get aside)" 500200500200
report_stop
said bare credentials-refused "the header that it lacks" '$all | test("lacked the header Metadata-Flavor") and (test("workloadIdentity|v1beta1") | not)'
said headed credentials-refused "not the header, which it has" '$all | test("workloadIdentityUser") and (test("Metadata-Flavor|v1beta1") | not)'
expect_report "$r" "foreign: a client of EC2's on GCE met no switch of EC2's" 'pod("foreign") | .cause == "not-this-cloud" and .cause_text == "not EC2\u0027s service"'
said lost credentials-refused "the same request is served since" '.summary | test("1 answer 500; answered since$")'
said aside credentials-refused "another one is" '.summary | test("1 answer 500$")'
said account credentials-refused "no service account, though all else is served" '.severity == "warning" and (.summary | test("service account.* 404"))'

t=http://169.254.169.254/latest/api/token
lab_pod_load answers
lab_iptables node -I FORWARD -d "$pod_ip" -s "$LAB_IMDS4" -j DROP
lab_pod_load redirected
lab_iptables node -t nat -A PREROUTING -s "$pod_ip" -d "$LAB_IMDS4" -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8181
lab_sysctl node net/ipv4/conf/all/route_localnet=1
lab_iptables p-home -A OUTPUT -d "$LAB_IMDS4" -j DROP
lab_iptables p-mesh -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 15001
lab_sidecar mesh istio-proxy || e2e_die "the sidecar comes up"
lab_exec mesh+istio-proxy "$LAB_BIN/imds_server" --listen 0.0.0.0:15001 --status 502 --pidfile "$LAB_ROOT/mesh.pid" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/mesh.pid" || e2e_die "the sidecar listens"
# the node's own proxy has the same port of another 127.0.0.1
lab_exec agent "$LAB_BIN/imds_server" --listen 127.0.0.1:15001 --pidfile "$LAB_ROOT/proxy.pid" >/dev/null 2>&1 &
lab_wait_for 5 test -s "$LAB_ROOT/proxy.pid" || e2e_die "the proxy listens"
lab_ip p-meant route add blackhole "$LAB_IMDS4"
report_start "$r"
check "lab: EC2's errors" equal "$(with 403 ask slash -X PUT -H "$E2E_TTL" $t/)$(put stale
	)$(with 401 ask stale -H 'X-aws-ec2-metadata-token: old' http://169.254.169.254/latest/meta-data/spot/instance-action
	)$(with 400 get plain 2 /2009-04-04/meta-data/ami-id)$(with 404 get lost 2 /2009-04-04/meta-data/instance-id)" 403200401400404
lab_drop late
check "lab: a client of Google's on EC2, one with credentials from elsewhere" equal "$(with 404 ask foreign \
	-H 'Metadata-Flavor: Google' $google/service-accounts/default/token)$(ask aside -H 'Authorization: x' \
	http://169.254.170.23/v1/credentials)$(with 401 get aside)" 404200401
check "lab: blocked, redirected" equal "$(get home 1)$(get answers 1)$(get late 1)$(get redirected)$(
	ask mesh -H 'Authorization: x' http://169.254.170.23/v1/credentials)" 000000000000502
lab_undrop late
check "lab: what is served" equal "$(get late)$(ask meant -H 'Authorization: x' http://169.254.170.23/v1/credentials)$(get meant)" 200200000
report_stop
said slash credentials-refused "another path than the token's, no endpoint that is off" '$all | test("slash at its end") and (test("endpoint is off|Endpoint=disabled") | not)'
said stale credentials-refused "the token is over" '.severity == "warning" and (.summary | test("gets tokens.* 401")) and ($all | test("expired"))'
said plain credentials-refused "400 to a GET wants no token's header" '$all | test("ttl-seconds") | not'
said lost credentials-refused "404 to what each service has" '.severity == "warning" and ($all | test("a role.s name") | not)'
said home blocked-by-policy "a rule of the pod's own network is no NetworkPolicy" '$all | test("nsenter -t PID -n nft") and (test("networkpolicy") | not)'
said answers blocked-by-policy "it is the answers" '$all | test("ct state established")'
said late blocked-by-policy "answered since" '(.summary | test("; answered since$")) and ($all | test("let clients ask again"))'
said redirected endpoint-refused "who should listen" '$all | test("Who should listen there") and (test("metadata service is off") | not)'
said mesh credentials-refused "the sidecar, not the agent, nor who has its port on the node" '(.summary | test("15001, where a rule in its own network")) and ($all | test("excludeOutboundIPRanges") and (test("agent should answer") | not))'
said foreign credentials-refused "another cloud's client" '$all | test("the service here is EC2.s") and (test("gcloud") | not)'
said aside token-required "nothing to mend" '.severity == "info" and ($all | test("come from EKS Pod Identity") and (test("IRSA") | not))'
said meant not-sent "on purpose" '.severity == "info" and ($all | test("on purpose") and (test("bpftool") | not))'
