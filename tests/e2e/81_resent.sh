#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# An answer that dies behind NAT is sent again long after its connection is forgotten, to an address that no pod has: it stays
# that request's. A stranger's to the same address is still told as one without an owner.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge web-1 --namespace shop
lab_pod_bridge sandbox --namespace shop
lab_tc_drop on || e2e_die "tc program loads"
a=$LAB_ROOT/report b=$LAB_ROOT/longer
request=$'PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n'
resent() { lab_in imds ss -Htni sport = :80 | grep -q "backoff:$1"; }

IMDSNOOP=$(e2e_in_node) report_start "$b"
longer=$E2E_REPORT_PID
IMDSNOOP=$(e2e_in_node) report_start "$a"
put web-1 >/dev/null
# 0.2 s, 0.4 s, ...: the pause before the 7th is longer than the 10 s for which a closed connection is kept
check "the answer is sent again for long" lab_wait_for 40 resent 7
report_stop
expect_report "$a" "it is the pod's, by hop limit, proven" 'pod("web-1") | .outcomes == { "hop-limit": 1 } and .confidences == { proven: 1 }'
expect_report "$a" "and nobody else's" '.unowned == [] and ([.findings[].code] | index("unknown-owner") == null)'

lab_pod_load sandbox	# its packets have no socket
lab_ip "$pod_netns" addr flush dev eth0
lab_in "$pod_netns" "$LAB_BIN/packet_client" eth0 02:42:00:00:00:01 "$pod_ip" "$LAB_IMDS4" 80 "$request" 300 >/dev/null
E2E_REPORT_PID=$longer
report_stop
expect_report "$b" "a stranger's answer that dies at that address has no owner" '(.unowned | length == 1 and all(.packets > 0 and
	.packets < 7)) and .totals.requests == 1'
