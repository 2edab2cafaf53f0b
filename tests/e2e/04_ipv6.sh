#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The IPv6 endpoint: forwarded without NAT, dies in ip6_forward().
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
lab_pod_v6 six --namespace shop
t=$LAB_ROOT/trace

trace_start "$t"
put six >/dev/null
get six >/dev/null
lab_exec six curl -s -o /dev/null -m 2 -X PUT -H "$E2E_TTL" "http://[$LAB_IMDS6]/2021-03-23/api/token"
lab_exec six "$LAB_BIN/raw_client" "$LAB_IMDS6" 80 close
lab_server_set hop-limit 2
put six >/dev/null
trace_stop
expect_trace "$t" "limit 1: hop-limit, proven, required 2" 'tokens("six")[0] | .outcome == "hop-limit" and
	.confidence == "proven" and .hops == 1 and .required_hop_limit == 2 and .ttl_dropped == 1 and
	(.drop_location | test("ip6_forward")) and .ttl_synack == 63'
expect_trace "$t" "addresses" \
	'tokens("six")[0] | .endpoint == "[fd00:ec2::254]:80" and (.local | test("^\\[fd00:244:0:1::2\\]:[0-9]+$"))'
expect_trace "$t" "v1 request: ok" 'gets("six") | all_are(.outcome == "ok" and .status == 200 and .ttl_response == 63)'
expect_trace "$t" "versioned token path: 403, an http-error" \
	'requests | map(select(.status == 403)) | all_are(.outcome == "http-error")'
expect_trace "$t" "what only connects asks EC2: nobody else has that address" 'requests | map(select(.kind == "connect-only")) |
	length == 1 and all_are(.provider == "ec2" and .outcome != "hop-limit")'
expect_trace "$t" "limit 2: ok" 'tokens("six") | last | .outcome == "ok" and .status == 200 and .ttl_response == 1'
