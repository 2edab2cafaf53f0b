#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The main case: a pod behind a docker-like bridge at hop limit 1, its host-network neighbours, then hop limit 2.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
lab_pod_bridge web-1 --namespace shop --container app
lab_pod_host agent-1 --namespace kube-system --container agent
lab_host_client updater
t=$LAB_ROOT/limit1 r=$LAB_ROOT/report1

report_start "$r"
trace_start "$t"
check "lab: pod gets no token" equal "$(put web-1 1)" 000
check "lab: pod gets v1 data" equal "$(get web-1)" 200
check "lab: host-network pod gets a token" equal "$(put agent-1)" 200
check "lab: node service gets a token" equal "$(put updater)" 200
trace_stop
check "trace ends well on Ctrl-C" equal $? 0
report_stop
check "report ends well on Ctrl-C" equal $? 0

expect_trace "$t" "first line start, last line end" '.[0].type == "start" and .[-1].type == "end"'
expect_trace "$t" "start line has version, kernel, node, endpoints, features" \
	'.[0] | (.version, .kernel, .node | type == "string") and (.endpoints | length >= 2) and (.features | length > 0)'
expect_trace "$t" "each request once" 'requests | length == 4'
expect_trace "$t" "pod's token request: hop-limit, proven, required 2" 'tokens("web-1") | length == 1 and all_are(
	.outcome == "hop-limit" and .confidence == "proven" and .hops == 1 and .required_hop_limit == 2 and .status == null)'
expect_trace "$t" "its identity" 'tokens("web-1")[0] | .namespace == "shop" and .container == "app" and .comm == "curl" and
	(.pid > 0) and (.pod_uid | length == 36) and (.container_id | length == 64) and (.cgroup | test("kubepods")) and
	(.cgroup_id > 1) and (.ancestors | length > 0)'
expect_trace "$t" "its addresses as the pod sees them" \
	'tokens("web-1")[0] | .endpoint == "169.254.169.254:80" and (.local | test("^10\\.244\\.0\\.2:[0-9]+$"))'
expect_trace "$t" "what it asked" 'tokens("web-1")[0] | .provider == "ec2" and .kind == "token" and .imds_version == "v2" and
	.method == "PUT" and .path == "/latest/api/token" and .bytes_out > 50 and .bytes_in == 0 and .fallback == false'
expect_trace "$t" "where its answer died" 'tokens("web-1")[0] | .drops >= 1 and .ttl_dropped == 1 and
	(.drop_location | test("ip_forward")) and (.drop_reason | test("IP_INHDR|^$"))'
expect_trace "$t" "connected fast, no first byte, ended by the client" 'tokens("web-1")[0] | .connect_us > 0 and
	.connect_us < 200000 and .first_byte_us == null and .duration_us > 900000 and .duration_us < 2000000'
expect_trace "$t" "SYN-ACK's TTL seen, answer's not" 'tokens("web-1")[0] | .ttl_synack == 63 and .ttl_response == null'
expect_trace "$t" "host-network pod: ok, required 1" 'of("agent-1") | length == 1 and all_are(.outcome == "ok" and
	.hops == 0 and .required_hop_limit == 1 and .ttl_response == 1 and .confidence == null and .status == 200)'
expect_trace "$t" "node service: named by its cgroup, ok" 'requests | map(select(.pod == "")) | length == 1 and all_are(
	.outcome == "ok" and .namespace == "" and .container == "" and (.cgroup | test("system.slice/updater.service$")))'
expect_trace "$t" "v1 request: ok, fallback" 'gets("web-1") | length == 1 and all_are(.outcome == "ok" and
	.imds_version == "v1" and .fallback == true and .status == 200 and .ttl_response == 63 and .bytes_in > 19 and
	.kind == "data" and .first_byte_us > 0)'
expect_trace "$t" "a stall line came first" 'stalls | map(select(.pod == "web-1")) | length == 1 and .[0].kind == "token"'

expect_report "$r" "report: schema and sums" '.schema == "imdsnoop.report/1" and (.pods | map(.requests) | add) == 4'
expect_report "$r" "report: the pod is exhausted, needs 2" 'pod("web-1") | .hop_limit == "exhausted" and
	.required_hop_limit == 2 and .hops == 1 and .outcomes["hop-limit"] == 1 and .outcomes.ok == 1 and .fallbacks == 1 and
	.v1_requests == 1 and .v2_requests == 1 and .seconds_lost > 0.9 and .seconds_lost < 1.3'
expect_report "$r" "report: neighbours are ok" 'pod("agent-1") | .hop_limit == "ok" and .required_hop_limit == 1'
expect_report "$r" "report: blames that pod for both" \
	'codes("web-1") | index("hop-limit-exhausted") != null and index("imdsv1-fallback") != null'
expect_report "$r" "report: blames nobody else" 'blames | all_are(.pod == "web-1")'
expect_report "$r" "report: says evidence and advice" '.findings[] | select(.code == "hop-limit-exhausted") |
	(.evidence | length >= 2) and (.advice | length >= 1) and (.advice | join(" ") | test("hop.limit 2"))'
expect_nothing_lost "$r" "report: nothing lost"

t=$LAB_ROOT/limit2 r=$LAB_ROOT/report2
lab_server_set hop-limit 2
report_start "$r"
trace_start "$t"
for p in web-1 agent-1 updater; do put $p >/dev/null; done
trace_stop
report_stop
expect_trace "$t" "limit 2: all ok" 'requests | length == 3 and all_are(.outcome == "ok" and .drops == 0)'
expect_trace "$t" "limit 2: pod's answer had TTL 1 left, required 2" \
	'tokens("web-1") | all_are(.ttl_response == 1 and .required_hop_limit == 2)'
expect_report "$r" "limit 2: nothing to say" 'blames | length == 0'
