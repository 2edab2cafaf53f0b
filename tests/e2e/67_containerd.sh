#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Tasks of a real containerd at hop limit 1: a pod's container with the CRI plugin's annotations and no kubelet's folders,
# nerdctl's, and ctr's, whose ids are names.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/docker.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/docker.sh"
dk_need
e2e_lab --hop-limit 1
lab_pod_bridge net
root=$LAB_ROOT/host
mkdir -p "$root/run/containerd" "$LAB_ROOT/containerd" "$LAB_ROOT/rootfs/bin" "$LAB_CG/node/system.slice/containerd.service"
cp "$LAB_BIN/raw_client" "$LAB_ROOT/rootfs/bin"
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$LAB_ROOT/containerd/config.toml"
# shellcheck disable=SC2016
sh -c 'echo $$ >"$0" && exec "$@"' "$LAB_CG/node/system.slice/containerd.service/cgroup.procs" containerd \
	--config "$LAB_ROOT/containerd/config.toml" --root "$LAB_ROOT/containerd/root" --state "$root/run/containerd" \
	--address "$LAB_ROOT/containerd/sock" </dev/null >"$LAB_ROOT/containerd/log" 2>&1 &
containerd=$!
down() {
	local dir
	kill "$containerd" 2>/dev/null && lab_wait_for 5 lab_is_gone "$containerd"
	for dir in /sys/fs/cgroup/*/"$LAB_ID"; do
		[ ! -d "$dir" ] || [ "$dir" = "$LAB_CG" ] || lab_cgroup_remove "$dir"
	done
	awk -v root="$LAB_ROOT/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r | while read -r dir; do umount "$dir"; done
}
e2e_later down
task() { ctr --address "$LAB_ROOT/containerd/sock" "$@"; }
check "containerd starts" lab_wait_for 20 task version || { tail -5 "$LAB_ROOT/containerd/log"; exit 1; }

put=(/bin/raw_client "$LAB_IMDS4" 80
	'send:PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n' recv:600 close)
spec() {			# spec CGROUP ANNOTATIONS: an OCI configuration as a runtime gets it
	jq -n --arg cgroup "$1" --argjson annotations "$2" --arg netns "/run/netns/$LAB_ID-p-net" --arg rootfs "$LAB_ROOT/rootfs" \
		'{ ociVersion: "1.0.2", process: { user: { uid: 0, gid: 0 }, args: $ARGS.positional, env: ["PATH=/bin"], cwd: "/",
		noNewPrivileges: true }, root: { path: $rootfs, readonly: true }, annotations: $annotations, mounts: [
		{ destination: "/proc", type: "proc", source: "proc" }], linux: { cgroupsPath: $cgroup, namespaces: [
		{ type: "pid" }, { type: "ipc" }, { type: "uts" }, { type: "mount" }, { type: "network", path: $netns }] } }' \
		--args "${put[@]}"
}
t=$LAB_ROOT/trace
trace_start "$t" --runtime-dirs "$root"
lab_hex 64 && pod=$lab_hex
lab_hex 64 && web=$lab_hex
uid=0a1b2c3d-1111-4222-8333-0123456789ab
spec "/$LAB_ID/node/kubepods/pod$uid/$pod" '{ "io.kubernetes.cri.container-type": "container",
	"io.kubernetes.cri.container-name": "app", "io.kubernetes.cri.sandbox-name": "cart-7d9f8b6c5-x2x4q",
	"io.kubernetes.cri.sandbox-namespace": "shop" }' >"$LAB_ROOT/pod.json"
spec "/$LAB_ID/node/default/$web" '{ "nerdctl/name": "web", "nerdctl/namespace": "default" }' >"$LAB_ROOT/web.json"
spec "/$LAB_ID/node/default/batch" '{}' >"$LAB_ROOT/batch.json"
check "pod's container: gets no token" task -n k8s.io run --rm --config "$LAB_ROOT/pod.json" "$pod"
check "nerdctl's container: gets no token" task -n default run --rm --config "$LAB_ROOT/web.json" "$web"
check "ctr's container: gets no token" task -n default run --rm --config "$LAB_ROOT/batch.json" batch
trace_stop
expect_trace "$t" "each request once: hop limit, proven, needs 2" 'requests | length == 3 and all_are(.outcome == "hop-limit" and
	.confidence == "proven" and .required_hop_limit == 2)'
named='def named: requests | map([.runtime, .namespace, .pod, .container, .workload]);'
expect_trace "$t" "pod: its names without the kubelet's folders" "$named"' named | index([["kubernetes", "shop",
	"cart-7d9f8b6c5-x2x4q", "app", "cart"]]) != null'
expect_trace "$t" "nerdctl: its name" "$named"' named | index([["containerd", "", "", "web", "web"]]) != null'
expect_trace "$t" "ctr: its id is its name" "$named"' named | index([["containerd", "", "", "batch", "batch"]]) != null'
