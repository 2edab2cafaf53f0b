#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# report --what-if: nobody is said to be safe by silence, by a filter, or by the nearer one of two networks in a pod.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 3
lab_pod_bridge web-1 --namespace shop
lab_pod_bridge docker-1 --namespace ci
lab_pod_inner inner-1 --namespace ci
lab_pod_host agent-1 --namespace kube-system
r=$LAB_ROOT/report

put_inside() {			# put_inside POD: from inner-1's network, in POD's cgroup: a container in that pod
	lab_pod_load "$1"
	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$pod_cgroup" nsenter --net="/run/netns/$LAB_ID-p-inner-1" \
		curl -s -m 2 -o "$LAB_ROOT/token" -w '%{http_code}' -X PUT -H "$E2E_TTL" "http://$LAB_IMDS4/latest/api/token"
}
report_start "$r" --what-if hop-limit=2
check "the inner container gets a token" equal "$(put_inside docker-1)" 200
for p in docker-1 web-1 agent-1; do put $p >/dev/null; done
report_stop
expect_report "$r" "Docker in a pod: it needs what its farther network does" 'pod("docker-1") | .required_hop_limit == 3 and .hops == 2'
expect_report "$r" "Docker in a pod: it would break, though the pod itself would not" \
	'([.findings[] | select(.code == "would-break") | .pod] == ["docker-1"]) and .what_if.would_not_notice == 2 and
	.what_if.verdict == "1 pod would break."'

# A rule in its own network that raises the TTL makes a pod look as near as the node.
lab_pod_bridge raised-1 --namespace ci
lab_in p-raised-1 iptables -w -t mangle -A PREROUTING -s "$LAB_IMDS4" -j TTL --ttl-set 64
IMDSNOOP=$(e2e_in_node) report_start "$r" --what-if hop-limit=1
for p in raised-1 agent-1; do put $p >/dev/null; done
report_stop
expect_report "$r" "a TTL that a rule raises: it is not called safe" \
	'.what_if | .unknown == 1 and .would_not_notice == 1 and .all_judged == false and (.not_noticing | test("agent-1"))'
expect_report "$r" "nor is a process accused for it alone" \
	'[.findings[] | select(.pod == "raised-1") | .summary] | length > 0 and all(test("or a rule sets the TTL"))'

# Of more than sixteen requests that wait on one connection the rest is not followed: the last one, here, bears no token.
report_start "$r" --what-if tokens=required
for n in 15 16; do
	lab_pod_bridge "pipe-$n" --namespace ci
	token=$(lab_exec "pipe-$n" curl -s -m 2 -X PUT -H "$E2E_TTL" "http://$LAB_IMDS4/latest/api/token")
	many=
	for ((i = 0; i < n; i++)); do
		many+="GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: a\r\nX-aws-ec2-metadata-token: $token\r\n\r\n"
	done
	raw "pipe-$n" "send:${many}GET /latest/meta-data/iam/security-credentials/ HTTP/1.0\r\nHost: a\r\n\r\n" expect: >/dev/null
done
report_stop
expect_report "$r" "sixteen at once: the one without a token is seen" 'pod("pipe-15") | .v1_credentials == 1 and .untracked == 0'
expect_report "$r" "seventeen: what was not followed is its own loss" 'pod("pipe-16") | .v1_credentials == 0 and .untracked == 1'
expect_report "$r" "seventeen: it is not called safe" '.what_if | .would_break == 1 and .would_not_notice == 0 and .unknown == 1'

report_start "$r" --what-if hop-limit=1 --problems --exit-code
put web-1 >/dev/null
report_stop
check "--problems: exit 10" equal $? 10
expect_report "$r" "--problems: what works now is judged all the same" '.what_if.would_break == 1'
report_start "$r" --what-if hop-limit=1 --namespace kube-system
for p in web-1 agent-1; do put $p >/dev/null; done
report_stop
expect_report "$r" "--namespace: those chosen, and it is said that others asked" '.what_if |
	(.verdict | test("of those chosen")) and (.basis | test("1 of these are of pods that .* not judged"))'
report_start "$r" --what-if hop-limit=1 --exit-code
report_stop
check "nobody asked: exit 10" equal $? 10
expect_report "$r" "nobody asked: nothing is known" '.what_if | (.verdict | test("not known")) and .all_judged == false'
report_start "$r" --format text --what-if hop-limit=1
report_stop
check "nobody asked: text says so" grep -q "who would break is not known" "$r"
