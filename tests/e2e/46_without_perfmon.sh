#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Without CAP_PERFMON: no drops are seen. Who lives in the node's network, and when a client gave up, is known all the same, so
# that a silent service is not called the hop limit where the node's own token shows that the limit is enough.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need setpriv
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace r=$LAB_ROOT/report
pods() { lab_pod_bridge web && lab_pod_v6 six && lab_pod_extra far && lab_pod_host agent; }
pods || e2e_die "pods come up"
bare=$LAB_ROOT/bare
# nsenter needs CAP_SYS_ADMIN: it comes first
printf '#!/bin/sh\nexec nsenter --net=%s -- setpriv --bounding-set -perfmon,-sys_admin --inh-caps -perfmon,-sys_admin %s "$@"\n' \
	"/run/netns/$LAB_ID-node" "$IMDSNOOP" >"$bare"
chmod +x "$bare"
IMDSNOOP=$bare report_start "$r"
IMDSNOOP=$bare trace_start "$t"
for p in web six far; do get $p >/dev/null; done
put agent >/dev/null
lab_server_set silent-token 1
for p in web six; do put $p 1 >/dev/null; done
lab_server_set silent-token 0
put far 1 >/dev/null
trace_stop
report_stop

expect_report "$r" "connect and release are watched, drops are not" '.features | map({ (.name): .state }) | add |
	.process != "missing" and .release == "ok" and .drops == "missing"'
expect_trace "$t" "each socket's network is known" 'requests | all_are(.host_network == (.pod == "agent"))'
for p in web six; do
	expect_trace "$t" "$p: the limit is enough, so the service is silent" "tokens(\"$p\") | length == 1 and all_are(.outcome == \"no-response\")"
done
expect_trace "$t" "far: two forwards, and the node's limit is 2" 'tokens("far") | length == 1 and
	all_are(.outcome == "hop-limit" and .confidence == "strong" and .required_hop_limit == 3)'
expect_report "$r" "far alone is told to have another limit" '[.findings[] | select(.code == "hop-limit-exhausted") | .pod] == ["far"]'
expect_report "$r" "a wait ends when its client closes" '[.pods[] | select(.pod != "agent") | .seconds_lost] | all(. > 0.9 and . < 1.3)'
