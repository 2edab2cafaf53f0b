#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# VPC CNI's way: /32 veth, policy routes, SNAT --random-fully, so that the uplink shows other ports than the pod.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
lab_pod_routed web-1 --namespace shop --container app --runtime crio
lab_host_client updater
t=$LAB_ROOT/trace

trace_start "$t"
put web-1 >/dev/null
get web-1 >/dev/null
put updater >/dev/null
lab_server_set hop-limit 2
put web-1 >/dev/null
trace_stop
expect_trace "$t" "limit 1: hop-limit, proven, required 2" 'tokens("web-1")[0] | .outcome == "hop-limit" and
	.confidence == "proven" and .hops == 1 and .required_hop_limit == 2 and .ttl_dropped == 1 and
	(.drop_location | test("ip_forward")) and (.local | test("^10\\.245\\."))'
expect_trace "$t" "v1 request: ok" 'gets("web-1") | length == 1 and all_are(.outcome == "ok" and .fallback)'
expect_trace "$t" "node service: ok, required 1" \
	'requests | map(select(.pod == "")) | all_are(.outcome == "ok" and .required_hop_limit == 1)'
expect_trace "$t" "limit 2 raised live: ok" 'tokens("web-1") | length == 2 and (.[1] | .outcome == "ok" and .drops == 0 and
	.required_hop_limit == 2 and .ttl_response == 1)'
