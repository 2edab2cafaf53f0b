#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A service that answers many seconds after its client has closed: later than any request waits for its verdict. And one that
# accepts the connection when its client has given up.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
for p in late silent queue; do lab_pod_bridge $p || e2e_die "pod $p comes up"; done
r=$LAB_ROOT/report

# shellcheck disable=SC2016 # awk.s
has_reset() { lab_exec "$1" awk '/^Tcp:/ { resets = $15 } END { exit !(resets > 0) }' /proc/net/snmp; }	# by an answer to nobody

lab_pod_load queue
get queue >/dev/null		# it and the bridge know each other
veth=$(lab_ip node -o link show master docker0 | sed -n 's/^[0-9]*: \([^@]*\)@.*/\1/p' | tail -1)
lab_in node tc qdisc add dev "$veth" root tbf rate 8kbit burst 1600 limit 20000 || e2e_die "the queue is shaped"

report_start "$r"
# 2.9 s of other packets ahead of the SYN-ACK
# shellcheck disable=SC2016 # bash -c expands
lab_in node bash -c 'for _ in {1..32}; do printf %100s >"/dev/udp/$0/9"; done' "$pod_ip"
check "lab: nobody waits for the connection" equal "$(put queue 1)" 000
lab_server_set slow-token-ms 6500
check "lab: nobody waits that long" equal "$(put late 0.5)" 000
lab_server_set slow-token-ms 0
lab_server_set silent 1
check "lab: nobody answers" equal "$(get silent 0.5)" 000
lab_wait_for 15 has_reset late || e2e_die "the answer comes"
report_stop
said() { expect_words "$r" "$@"; }
said late "the answer came after all" 'test("without an answer in time") and test("1 answer came after all") and (test("cause not seen|linklocal") | not)'
said queue "it would have been accepted, too late" 'test("answered too late") and test("did reach the pod") and (test("cause not seen") | not)'
said silent "nothing came" 'test("cause not seen") and (test("came after all") | not)'
expect_report "$r" "no answer is counted" '.totals.answered == 0 and .totals.failed == 3'
