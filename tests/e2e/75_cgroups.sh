#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Cgroups that may not be read, at the start or later, and those that came and went unseen: their requests are counted under the
# cgroup's number, what is missing is counted and told, everybody else is named as ever. A user who makes
# cgroups without end fills a share of the table, and not the table.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq setpriv
e2e_lab --hop-limit 2
lab_pod_bridge old-1 --namespace shop
lab_pod_host old-2 --namespace shop --qos guaranteed
burstable=$LAB_CG/node/kubepods.slice/kubepods-burstable.slice
r=$LAB_ROOT/report

load() {			# load POD N
	lab_exec "$1" "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 5000 --seconds "$(awk "BEGIN { print $2 / 5000 }")" --keepalive
}
served() { wc -l <"$(lab_server_log)"; }
cgroup_id() { lab_pod_load "$1" && stat -c %i "$pod_cgroup"; }
# Root that has lost the right to read past permissions.
bounded=(setpriv "--bounding-set=-dac_override,-dac_read_search")

# --- at the start ---

id=$(cgroup_id old-1)
chmod 0 "$burstable"
lab_args
check "--cgroup that may not be read: says so in one line" eval '! "${bounded[@]}" "$IMDSNOOP" trace --cgroup "$burstable" --duration 1s 2>"$r.err" &&
	equal "$(wc -l <"$r.err")" 1 && grep -q "cannot open cgroup folder.*Permission denied" "$r.err"'
bytes_mark
"${bounded[@]}" "$IMDSNOOP" report "${LAB_ARGS[@]}" --json --output "$r" --duration 60s 2>"$r.err" &
E2E_REPORT_PID=$!
lab_attached $E2E_REPORT_PID || e2e_die "imdsnoop report attaches"
lab_pod_bridge new-1 --namespace shop
for pod in old-1 old-2 new-1; do load $pod 10 >"$LAB_ROOT/load.$pod"; done
report_stop
check "unreadable at the start: it lived" equal $? 0
check "unreadable at the start: hashes at both ends agree" bytes_agree "$LAB_ROOT"/load.*
expect_report "$r" "unreadable at the start: all is counted" '.totals.requests == 30 and (.pods | length == 3)'
expect_report "$r" "unreadable at the start: whoever came later or is elsewhere has a name" \
	'pod("new-1").requests == 10 and pod("old-2").requests == 10'
# With cgroup v1 beside v2 the process tells its cgroup; else the number is all there is.
expect_report "$r" "unreadable at the start: who was there is counted apart" ".pods | map(select(.cgroup_id == $id)) |
	length == 1 and .[0].requests == 10 and (.[0].pod == \"old-1\" or .[0].cgroup == \"cgroup:$id\")"
expect_report "$r" "unreadable at the start: counted and told" '.losses.cgroup_unreadable > 0 and
	(.findings[] | select(.code == "observation-incomplete") | .evidence | join(" ") | test("cgroup_unreadable: [1-9]"))'
chmod 755 "$burstable"

# --- later, and unseen: the agent stands still while the ring of cgroups and drops is full ---

printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${bounded[*]}" "$IMDSNOOP" >"$LAB_ROOT/bounded"
chmod 755 "$LAB_ROOT/bounded"
IMDSNOOP=$LAB_ROOT/bounded serve_start
ring_cgroup() { metric 'imdsnoop_events_lost_total{loss="ring_cgroup"}'; }
by_number() { metric "imdsnoop_requests_total{namespace=\"\",pod=\"\",container=\"cgroup:$1\",kind=\"data\",imds_version=\"v1\",outcome=\"ok\"}"; }
by_name() { metric "imdsnoop_requests_total{namespace=\"shop\",pod=\"$1\",container=\"app\",kind=\"data\",imds_version=\"v1\",outcome=\"ok\"}"; }
before=$(served)
bytes_mark
kill -STOP "$SERVE_PID"
# 560 bytes each, and 1 MiB; requests have a ring of their own and push nothing out
mkdir "$LAB_CG"/flood{1..2500} && rmdir "$LAB_CG"/flood{1..2500}
load old-2 12000 >"$LAB_ROOT/late.old-2"
lab_pod_host ghost-1 --namespace shop
ghost=$(cgroup_id ghost-1)
load ghost-1 20 >"$LAB_ROOT/late.ghost-1"
lab_pod_delete ghost-1
lab_pod_host hidden-1 --namespace shop
hidden=$(cgroup_id hidden-1)
load hidden-1 30 >"$LAB_ROOT/late.hidden-1"
chmod 0 "$burstable"
kill -CONT "$SERVE_PID"
lab_wait_for 5 curl -sf -m 2 -o /dev/null "$SERVE_URL/readyz"
sleep 0.5
check "unseen: hashes at both ends agree" bytes_agree "$LAB_ROOT"/late.*
check "unseen: every request is counted" equal "$(ask /metrics | awk '/^imdsnoop_requests_total/ { n += $NF } END { print n }')" \
	$(($(served) - before))
check "unseen: a pod that came and went is counted by its number" equal "$(by_number "$ghost")" 20
check "unseen: a pod in an unreadable folder, too" equal "$(by_number "$hidden")" 30
check "unseen: counted, each with its cause" test "$(ring_cgroup)" -ge 4 -a \
	"$(metric 'imdsnoop_events_lost_total{loss="cgroup_unreadable"}')" -gt 0
lab_pod_host newer-1 --namespace shop
load newer-1 10 >"$LAB_ROOT/late.newer-1"
sleep 0.4
check "unreadable later: a new pod in it has its name all the same" equal "$(by_name newer-1)" 10
chmod 755 "$burstable"
check "it is alive" equal "$(ask /healthz)" ok
serve_stop
check "it ends well" equal $? 0

# --- a user's own, without end ---

serve_start --max-pods 64
user=$(lab_cgroup)/user.slice/user-1000.slice/user@1000.service/app.slice
mkdir -p "$user"
# shellcheck disable=SC2016
for i in {1..300}; do # more than the kernel has counters for, at --max-pods 64
	mkdir "$user/run-$i.scope"
	lab_in node sh -c 'echo $$ >"$1" && exec curl -s -m 2 -o /dev/null http://169.254.169.254/latest/meta-data/instance-id' sh \
		"$user/run-$i.scope/cgroup.procs"
done
lab_pod_host after-1 --namespace shop
load after-1 10 >"$LAB_ROOT/late.after-1"
sleep 1.2
ask /api/v1/report >"$r"
expect_report "$r" "a user's cgroups: no more rows than its share" '[.pods[] | select(.cgroup | test("run-[0-9]"))] | length <= 32'
expect_report "$r" "a user's cgroups: the rest is counted together, and told" '([.pods[] | select(.other) | .requests] | add) >= 68 and
	.losses.pods_over_limit >= 68'
expect_report "$r" "a user's cgroups: each request is counted" '[.pods[] | select(.pod != "after-1") | .requests] | add == 300'
expect_report "$r" "a user's cgroups: who comes later has its row" 'pod("after-1").requests == 10'
# what the user has beyond its share of the kernel's counters is one for all its cgroups
expect_report "$r" "a user's cgroups: the kernel's counters have room for others" '.losses.counter_table_full == 0'
check "a user's cgroups: who comes later has its packets counted" test \
	"$(metric 'imdsnoop_packets_total{namespace="shop",pod="after-1",container="app",direction="egress"}')" -ge 10
serve_stop
check "it ends well, too" equal $? 0
