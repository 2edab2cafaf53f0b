#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Real containers of podman behind its own bridge, hop limit 1: named by their cgroup without Kubernetes, and by pod when
# the cgroup parent is the kubelet's and its log folders are there.
# shellcheck disable=SC2016	# $ENV is jq's
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/container.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/container.sh"
e2e_need podman buildah runc
e2e_lab --hop-limit 1
ctr_up
check "image: client builds from scratch" ctr_build_client || exit
r=$LAB_ROOT/report t=$LAB_ROOT/trace
# podman's list of containers is where its storage.conf says, for imdsnoop as for podman
mkdir -p "$CTR_ROOT/etc/containers" && printf '[storage]\ngraphroot = "/root"\n' >"$CTR_ROOT/etc/containers/storage.conf"
report_start "$r" --runtime-dirs "$CTR_ROOT"
trace_start "$t" --runtime-dirs "$CTR_ROOT"

# plain: no Kubernetes
check "container: gets no token" ctr_run --name plain localhost/client "${CTR_PUT[@]}"
check "container: gets v1 data" equal "$(ctr_run --name plain-get localhost/client "${CTR_GET[@]}" | head -1 | cut -d' ' -f2)" 200
id=$(ctr_podman inspect --format '{{.Id}}' plain)

# in the cgroup that a kubelet with the cgroupfs driver makes, with its log folders beside it
lab_pod_prepare cart-1 --namespace shop --driver cgroupfs || e2e_die "the pod's cgroup and folders are made"
parent=${pod_cgroup%/*}
CTR_PARENT=${parent#"$LAB_CGROUP2"} ctr_create --name cart localhost/client "${CTR_PUT[@]}" >/dev/null ||
	e2e_die "the pod's container is made"
pod_ctr=$(ctr_podman inspect --format '{{.Id}}' cart)
ln -s "$LAB_ROOT/node/log/pods/shop_cart-1_$pod_uid/app/0.log" "$LAB_ROOT/node/log/containers/cart-1_shop_app-$pod_ctr.log"
check "pod: gets no token" ctr_podman start --attach cart

# host network: needs no forward, gets its token
check "host network: gets a token" equal "$(ctr_run --name agent --network host localhost/client "${CTR_PUT[@]}" |
	head -1 | cut -d' ' -f2)" 200
trace_stop
check "trace ends well" equal $? 0
report_stop
check "report ends well" equal $? 0
agent=$(ctr_podman inspect --format '{{.Id}}' agent)

export id pod_ctr agent pod_uid
expect_trace "$t" "each request once" 'requests | length == 4'
expect_trace "$t" "container: hop-limit, proven, required 2" 'tokens("") | map(select(.container_id == $ENV.id)) |
	length == 1 and all_are(.outcome == "hop-limit" and .confidence == "proven" and .hops == 1 and
	.required_hop_limit == 2 and .ttl_dropped == 1 and (.local | test("^10\\.88\\.")))'
expect_trace "$t" "container: its name, and podman" 'tokens("") | map(select(.container_id == $ENV.id)) |
	all_are(.container == "plain" and .workload == "plain" and .runtime == "podman")'
expect_trace "$t" "container: its cgroup" 'tokens("") | map(select(.container_id == $ENV.id)) |
	all_are(.namespace == "" and .pod_uid == "" and (.cgroup | endswith("libpod-" + $ENV.id)) and .comm == "raw_client")'
expect_trace "$t" "pod: hop-limit, proven, required 2" 'tokens("cart-1") | length == 1 and all_are(.outcome == "hop-limit" and
	.confidence == "proven" and .required_hop_limit == 2)'
expect_trace "$t" "pod: its names" 'tokens("cart-1") | all_are(.namespace == "shop" and .container == "app" and
	.pod_uid == $ENV.pod_uid and .container_id == $ENV.pod_ctr and (.cgroup | endswith("libpod-" + $ENV.pod_ctr)))'
expect_trace "$t" "host network: ok, required 1" 'requests | map(select(.container_id == $ENV.agent)) | length == 1 and
	all_are(.outcome == "ok" and .required_hop_limit == 1 and .status == 200)'
expect_report "$r" "report: blames the container by its name" '[.findings[] | select(.code == "hop-limit-exhausted" and
	.pod == "" and .container == "plain")] | length == 1'
expect_report "$r" "report: container's row" '[.pods[] | select(.container_id == $ENV.id)] | length == 1 and
	.[0].hop_limit == "exhausted" and .[0].required_hop_limit == 2'
expect_report "$r" "report: blames the pod by name" 'codes("cart-1") | index("hop-limit-exhausted") != null'
expect_report "$r" "report: does not blame the host network" '[.pods[] | select(.container_id == $ENV.agent)] |
	length == 1 and .[0].hop_limit == "ok"'
expect_nothing_lost "$r" "report: nothing lost"
