#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Pods by any cgroup driver, runtime and class, sidecars and host networking, with and without log folders.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
t=$LAB_ROOT/trace
lab_pod_bridge before --namespace ns1				# exists before imdsnoop starts
trace_start "$t"
lab_pod_bridge crio --runtime crio --container c1
lab_pod_bridge docker --runtime docker
lab_pod_bridge guaranteed --qos guaranteed
lab_pod_bridge best --qos besteffort
lab_pod_bridge fs --driver cgroupfs
lab_pod_bridge fsg --driver cgroupfs --qos guaranteed
lab_pod_bridge static --uid 0123456789abcdef0123456789abcdef	# the kubelet's MD5 form
lab_pod_host agent --namespace kube-system
lab_sidecar crio envoy
lab_pod_bridge bare --no-logs
for p in before crio docker guaranteed best fs fsg static agent crio+envoy bare; do get $p >/dev/null; done
trace_stop
for p in before crio docker guaranteed best fs fsg static agent; do
	lab_pod_load $p
	expect_trace "$t" "$p" "of(\"$p\") | map(select(.container == \"$pod_container\")) | length == 1 and
		(.[0] | .namespace == \"$pod_namespace\" and .container_id == \"$pod_id\" and .pod_uid == \"$pod_uid\")"
done
expect_trace "$t" "sidecar has its own row" 'of("crio") | map(.container) | sort == ["c1", "envoy"]'
lab_pod_load bare
expect_trace "$t" "without logs: UID and container id, no name" "requests | map(select(.pod_uid == \"$pod_uid\")) |
	length == 1 and (.[0] | .container_id == \"$pod_id\" and .outcome == \"ok\")"

# A kubelet in a container in a pod: what a pod makes below its own cgroup stays in its own row, also where the path is longer
# than a record (511 bytes), whether the cgroup is older than imdsnoop (read from the tree) or younger (told by the kernel).
nest() {			# nest NAME PARENT: a container's cgroup far below PARENT's
	local h
	lab_pod_load "$2"
	lab_hex 64
	pod_cgroup=$pod_cgroup/system.slice/docker-$lab_hex.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice
	lab_hex 32
	h=$lab_hex
	pod_cgroup=$pod_cgroup/kubelet-kubepods-burstable-pod${h:0:8}_${h:8:4}_${h:12:4}_${h:16:4}_${h:20:12}.slice
	lab_hex 64
	pod_name=$1 pod_cgroup=$pod_cgroup/cri-containerd-$lab_hex.scope
	mkdir -p "$pod_cgroup" && lab_pod_save
}
nest nested-old before
trace_start "$t.nested"
nest nested-new before
lab_pod_load nested-new
check "the path is longer than a record's" test $((${#pod_cgroup} - ${#LAB_CGROUP2})) -gt 511
get nested-old >/dev/null
get nested-new >/dev/null
trace_stop
lab_pod_load before
expect_trace "$t.nested" "what a pod nests, however deep, is the pod's own container's" "(requests | length) == 2 and
	(requests | all_are(.pod == \"before\" and .container_id == \"$pod_id\"))"

# What is no pod's and no container's: a machine, a job, a build, a service without systemd. Each by the name that its people use.
forms='lxc.payload.web/init none web
machine.slice/systemd-nspawn@mail.service/payload systemd mail
nomad.slice/share.slice/0a1b2c3d-1111-4222-8333-0123456789ab.api.scope systemd api
system.slice/slurmstepd.scope/job_42/step_0/user/task_0 systemd job_42
system.slice/system.slice:docker:jvifp9a6b1lxa1kuw8bwfcovf docker docker build
openrc.nginx none nginx
system.slice/actions.runner.org-repo.host.service systemd actions.runner.org-repo.host'
lab_pod_bridge outside --namespace none
trace_start "$t.forms"
while read -r cgroup _; do
	mkdir -p "$(lab_cgroup)/$cgroup"
	# shellcheck disable=SC2016
	nsenter --net="/run/netns/$LAB_ID-p-outside" -- sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$(lab_cgroup)/$cgroup" \
		curl -s -o /dev/null -m 2 "http://$LAB_IMDS4/latest/meta-data/instance-id"
done <<<"$forms"
trace_stop
got=$(jq -r --arg root "${LAB_CG##*/}/$LAB_NODE/" 'select(.type == "request") |
	"\(.cgroup | ltrimstr($root)) \(.runtime) \(.workload)"' "$t.forms" | sort)
check "what is no container has the name that its people use" equal "$got" "$(sort <<<"$forms")"
