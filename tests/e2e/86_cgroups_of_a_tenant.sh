#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A tenant that may make cgroups below its own names them after another pod's, behind a pod that nobody knows or at the end of a
# path of which only the tail is kept; and it makes them by the thousand, alive. Nobody else is accused, nobody else
# loses a name, and who is asked about the others gets an answer.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq python3
e2e_lab --hop-limit 1
lab_pod_bridge victim --namespace shop
lab_pod_bridge evil --namespace bad
r=$LAB_ROOT/report
hex() { printf "$1%.0s" {1..64}; }
stranger=11111111-2222-3333-4444-555555555555

# a token asked for, from evil's network, by a process of that cgroup
token_from() {
	mkdir -p "$1"
	# shellcheck disable=SC2016
	nsenter --net="/run/netns/$LAB_ID-p-evil" -- sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$1" \
		curl -s -o /dev/null -m 0.4 -X PUT -H "$E2E_TTL" http://169.254.169.254/latest/api/token
}

# --- a docker container's: outside any pod each nested cgroup has a row of its own ---

lab_pod_load victim
own=$(lab_cgroup)/system.slice/docker-$(hex d).scope other=$(lab_cgroup)/system.slice/docker-$(hex e).scope
of_victim=kubepods-burstable-pod${pod_uid//-/_}.slice/cri-containerd-$pod_id.scope
deep=$(printf 'x%.0s' {1..250})
mkdir -p "$own" "$other"
report_start "$r"
token_from "$own/kubepods/pod$stranger/$of_victim"
token_from "$own/$deep/$deep/$of_victim"
token_from "$own/$deep/$deep/docker-$(hex e).scope"
report_stop
check "report ends well" equal $? 0
expect_report "$r" "each death is counted" '[.pods[] | .outcomes["hop-limit"] // 0] | add == 3'
expect_report "$r" "the pod that it names is not accused" '[.pods[] | select(.pod == "victim")] == [] and
	[.findings[] | select(.pod == "victim")] == []'
expect_report "$r" "nor the container" "[.pods[] | select(.container_id == \"$(hex e)\")] == []"

# --- a pod's, by the thousand ---

lab_server_set hop-limit 2
lab_pod_load evil
report_start "$r" --max-pods 64 --what-if hop-limit=2
python3 - "$pod_cgroup" "$own" <<'P'
import os, sys, uuid
for i in range(1500):
    os.mkdir("%s/n%d" % (sys.argv[1], i))
    os.mkdir("%s/kubepods-pod%s.slice" % (sys.argv[2], str(uuid.uuid4()).replace("-", "_")))
P
for i in 1 2 3; do
	lab_pod_bridge late-$i --namespace shop
	put late-$i 2 >/dev/null
	lab_pod_delete late-$i
done
put victim 2 >/dev/null
report_stop
check "thousands: report ends well" equal $? 0
expect_report "$r" "thousands: pods that come and go have their names" '[.pods[] | select(.namespace == "shop") | .requests] == [1, 1, 1, 1]'
expect_report "$r" "thousands: nobody else lost a name, what its maker lost is told" '.losses.names_evicted == 0 and
	.losses.ring_cgroup == 0 and .losses.names_share > 2000'
expect_report "$r" "thousands: and who made most of them" '.findings[] | select(.code == "observation-incomplete") | .evidence |
	join(" ") | test("names_share the most are of bad/evil \\(app\\)|the most are of .*docker-d")'
expect_report "$r" "thousands: who would break is answered" '[.findings[] | select(.code == "would-break")] == [] and
	(.what_if.verdict == "No pod that works now would break.")'
