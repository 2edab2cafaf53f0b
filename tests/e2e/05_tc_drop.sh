#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# An eBPF data path (Cilium, Calico) drops the expired answer before NAT is undone: only TCP's numbers tell whose it was.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
E2E_CAPTURES=1
lab_pod_bridge web-1
lab_pod_routed web-2
lab_pod_v6 six
lab_tc_drop on || e2e_die "tc program loads"
t=$LAB_ROOT/trace

trace_start "$t"
for p in web-1 web-2 six; do
	put $p >/dev/null
	get $p >/dev/null
done
lab_server_set hop-limit 2
put web-1 >/dev/null
trace_stop
for p in web-1 web-2 six; do
	expect_trace "$t" "$p: hop-limit, proven by fingerprint, required 2" "tokens(\"$p\")[0] | "'.outcome == "hop-limit" and
		.confidence == "proven" and .ttl_dropped == 1 and .drops >= 1 and .required_hop_limit == 2 and
		(.drop_location | test("ip6?_forward") | not) and (.drop_reason | test("TC_|^$|NOT_SPECIFIED"))'
	expect_trace "$t" "$p: v1 request is ok" "gets(\"$p\") | "'all_are(.outcome == "ok" and .drops == 0)'
done
expect_trace "$t" "limit 2 passes" 'tokens("web-1")[1].outcome == "ok"'
