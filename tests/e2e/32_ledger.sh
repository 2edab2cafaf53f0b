#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The ledger: kept by an agent that has given up its rights, across kill -9 and restarts, read while it is written; `ready`
# over it and over reports: yes, no and unknown, and never yes by silence.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq
e2e_lab --hop-limit 2
lab_pod_bridge web-7d9f6c5b8-x2x4q --namespace shop --container app
lab_pod_bridge old-0 --namespace shop --container app
lab_pod_host agent-5k2p9 --namespace kube-system --container agent
state=$LAB_ROOT/state
ready() { "$IMDSNOOP" ready --from-state "$state" "$@"; }

serve_start --state "$state"
put web-7d9f6c5b8-x2x4q >/dev/null
get old-0 >/dev/null
put agent-5k2p9 >/dev/null
put agent-5k2p9 >/dev/null
sleep 0.5
check "a second writer is refused, before it says that it listens" equal "$(LAB_ARGS=() && lab_args && "$IMDSNOOP" serve "${LAB_ARGS[@]}" --listen 127.0.0.1:0 --state "$state" 2>&1 |
	grep -c 'another imdsnoop writes\|listening')" 1
check "seccomp and a user of its own do not stop it" grep -q 'seccomp on' "$SERVE_ERR"
serve_stop >/dev/null
check "nothing went wrong with the ledger" equal "$(grep -c 'ledger\|cannot write' "$SERVE_ERR")" 0
ready --json >"$LAB_ROOT/ready"
is() { e2e_jq "$LAB_ROOT/ready" "$1"; }
check "web needs hop limit 2: it would break" is '.workloads[] | select(.workload == "web") | .verdict == "breaks" and .required_hop_limit == 2'
check "old asks without a token: it would break" is '.workloads[] | select(.workload == "old") | .verdict == "breaks" and .v1_requests == 1'
check "agent is near, but was watched for seconds only: unknown" is '.workloads[] | select(.workload == "agent") |
	.verdict == "unknown" and .token_requests == 2 and (.reason | length > 0)'
check "the answer is no" is '(.headline | startswith("No: 2 of ")) and .counts.safe == 0 and .nodes == 1'
cp -r "$state" "$LAB_ROOT/copy"
check "a node told of twice is one, by folders" equal "$("$IMDSNOOP" ready --from-state "$state" "$LAB_ROOT/copy" 2>&1 | grep -c skipped)" 0
check "a node told of twice is one" e2e_jq <("$IMDSNOOP" ready --json --from-state "$state" "$LAB_ROOT/copy" | jq '[.nodes, (.workloads | map(.nodes) | max)]') '. == [1, 1]'
check "hop limit 2 and no more: web does not break, nor is it safe" e2e_jq <(ready --json --what-if hop-limit=2) \
	'.workloads[] | select(.workload == "web") | .verdict == "unknown"'
check "endpoint off: all break" e2e_jq <(ready --json --what-if endpoint=off) '.counts.breaks == 3'
check "exit code" equal "$(ready >/dev/null; echo $?) $(ready --exit-code >/dev/null; echo $?)" "0 10"

# --- kill -9, and a successor that adds to it ---
serve_start --state "$state"
put agent-5k2p9 >/dev/null
sleep 0.4
kill -KILL "$SERVE_PID"
wait "$SERVE_PID" 2>/dev/null
ready --json >"$LAB_ROOT/ready"
check "killed before its minute was over: what it saw then is not there, nor claimed" is \
	'.workloads[] | select(.workload == "agent") | .token_requests == 2'
serve_start --state "$state"
get old-0 >/dev/null
check "read while it is written" is '.counts.breaks == 2'
sleep 0.4
serve_stop >/dev/null
ready --json >"$LAB_ROOT/ready"
check "restarts add up" is '.workloads[] | select(.workload == "old") | .v1_requests == 2'

# --- full disk: a file system of half a MiB ---
small=$LAB_ROOT/small
if mkdir "$small" && mount -t tmpfs -o size=512k tmpfs "$small" 2>/dev/null; then
	e2e_later umount "$small"
	serve_start --state "$small"
	put agent-5k2p9 >/dev/null
	dd if=/dev/zero of="$small/fill" bs=4k 2>/dev/null
	sleep 0.4
	check "full disk: the agent serves on" equal "$(ask /healthz)" ok
	serve_stop >/dev/null
	rm "$small/fill"
	check "full disk: the ledger is whole" e2e_jq <("$IMDSNOOP" ready --json --from-state "$small") '.nodes == 1'
else
	echo "skip full disk: no tmpfs here"
fi

# --- reports ---
report_start "$LAB_ROOT/report.json"
put agent-5k2p9 >/dev/null
sleep 1.1
report_stop
check "a report breaks what it saw, and makes nothing safe" e2e_jq <("$IMDSNOOP" ready --json "$LAB_ROOT/report.json") \
	'.counts.safe == 0 and .counts.unknown == 1'
hours() { jq -c '[.coverage_percent > 0, (.workloads | map([.workload, .token_requests]))]' <("$IMDSNOOP" ready --json --since 1h "$@"); }
check "a watch of one cgroup folder is none of its node" equal "$(hours "$LAB_ROOT/report.json")" '[false,[["agent",1]]]'
check "nor is the ledger of such a watch" equal "$(ready --json --since 1h | jq .coverage_percent)" "$(jq -n 0.0)"
check "the report says which folder" equal "$(jq -r .scope "$LAB_ROOT/report.json")" "$LAB_CG/node"
whole() { jq '.scope = "node"' "$1" >"$LAB_ROOT/whole" && mv "$LAB_ROOT/whole" "$1"; }		# as if the lab's folder were the node's
whole "$LAB_ROOT/report.json"
check "a report given twice counts once" equal "$(hours "$LAB_ROOT/report.json" "$LAB_ROOT/report.json")" '[true,[["agent",1]]]'
jq '.losses.head_cut = 5 | .losses.ring_cgroup = 9 | .pods[0].untracked = 5 | .totals.untracked = 5' "$LAB_ROOT/report.json" >"$LAB_ROOT/own.json"
jq '.losses.head_cut = 6' "$LAB_ROOT/own.json" >"$LAB_ROOT/lossy.json"
check "what a pod lost of its own makes no time of its node unwatched" equal "$(hours "$LAB_ROOT/own.json")" '[true,[["agent",1]]]'
check "what nobody is known to have lost does" equal "$(hours "$LAB_ROOT/lossy.json")" '[false,[["agent",1]]]'
jq '.boot_id = null' "$LAB_ROOT/report.json" >"$LAB_ROOT/capture.json"
check "one of a capture is no time watched" equal "$(hours "$LAB_ROOT/capture.json")" '[false,[["agent",1]]]'
report_start "$LAB_ROOT/part.json" --namespace shop
put agent-5k2p9 >/dev/null
get old-0 >/dev/null
report_stop
whole "$LAB_ROOT/part.json"
check "what a filter left out was not watched" equal "$(hours "$LAB_ROOT/part.json")" '[false,[["old",0]]]'
report_start "$LAB_ROOT/other.json" --endpoint 169.254.169.254
report_stop
whole "$LAB_ROOT/other.json"
check "nor was an address that nobody looked at" equal "$(hours "$LAB_ROOT/other.json" | cut -c1-6)" '[false'
"$IMDSNOOP" ready --json --what-if role-delivery=2.0 "$LAB_ROOT/part.json" >"$LAB_ROOT/ready"
check "a request without a token that got no credentials breaks nothing of role delivery" is '.counts.breaks == 0'
check "no input: wrong usage; a folder without a ledger: cannot run" equal \
	"$("$IMDSNOOP" ready 2>/dev/null; echo $?) $("$IMDSNOOP" ready --from-state /nonexistent 2>/dev/null; echo $?)" "2 1"
check "of one that cannot be read, one line" equal "$("$IMDSNOOP" ready --from-state /nonexistent 2>&1; "$IMDSNOOP" ready /nonexistent 2>&1)" \
	"imdsnoop: cannot read '/nonexistent': no ledger in '/nonexistent': No such file or directory
imdsnoop: cannot read '/nonexistent': No such file or directory"
