#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: `check` tells of other programs at the root's hooks, and without CAP_SYS_ADMIN cannot tell another imdsnoop's.
# The image runs as the DaemonSet runs it: only its capabilities, read-only root, the runtime's default seccomp profile,
# cgroup and log folders read-only, no host network and no host PIDs; and sees what a pod and a container do.
# shellcheck disable=SC2016	# $(NODE_NAME) is the kubelet's
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/container.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/container.sh"
e2e_need podman buildah runc readelf
! readelf -lW "$IMDSNOOP" | grep -q INTERP || e2e_skip_all "imdsnoop is linked with shared libraries here"
e2e_lab --hop-limit 1
ctr_up
lab_pod_bridge web-1 --namespace shop --container app

mkdir "$CTR_ROOT/tree" && cp "$IMDSNOOP" "$CTR_ROOT/tree/imdsnoop"
check "image builds from scratch" ctr_build localhost/imdsnoop "$LAB_TREE/scripts/container/Containerfile" "$CTR_ROOT/tree" ||
	exit
check "image holds the binary and nothing else" equal \
	"$(ctr_podman save localhost/imdsnoop | tar -xOf - --wildcards '*.tar' | tar -tf - | grep -v '/$')" imdsnoop

# the manifests' own lists, so that these and the test can only change together
caps_of() { sed -n 's/^ *add: \[\(.*\)\].*/\1/p' "$LAB_TREE/scripts/k8s/$1" | tr -d ,; }
read -ra caps <<<"$(caps_of base/daemonset.yaml)"
read -ra more <<<"$(caps_of overlays/sys-admin/daemonset.yaml)"
check "the DaemonSets name their capabilities" test ${#caps[@]} -ge 3 -a ${#more[@]} -gt ${#caps[@]}
# as the hostPath: with all that is mounted below it; a lab without a mount of its own has only its v2 tree
case $LAB_CGROUP2/ in
/sys/fs/cgroup/*) host_cgroup=/sys/fs/cgroup ;;
*) host_cgroup=$LAB_CGROUP2 ;;
esac
cgroup=/sys/fs/cgroup${LAB_CG#"$host_cgroup"}/node
args=(--network none --read-only --cap-drop all --security-opt no-new-privileges
	--volume "$host_cgroup:/sys/fs/cgroup:ro,rbind" --volume "$LAB_ROOT/node/log/pods:/var/log/pods:ro"
	--volume "$LAB_ROOT/node/log/containers:/var/log/containers:ro" --volume /sys/kernel/btf:/sys/kernel/btf:ro)

# Debian's profile is CRI-O's: bpf() needs CAP_SYS_ADMIN. containerd since 1.6.9 and Docker since 23 let CAP_BPF have it.
profile=/usr/share/containers/seccomp.json
[ -s $profile ] || e2e_skip_all "no seccomp profile in '$profile'"
with_rules() {			# with_rules RULES: the profile with these rules for bpf() in place of its own
	jq ".syscalls = [.syscalls[] | .names -= [\"bpf\", \"perf_event_open\"] | select(.names != [])] + $1" $profile
}
with_rules '[{ names: ["bpf"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }]' >"$CTR_ROOT/forbidden.json"
with_rules '[{ names: ["bpf"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_BPF"] } },
	{ names: ["perf_event_open"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_PERFMON"] } }]' >"$CTR_ROOT/containerd.json"
run_check() {			# run_check NAME PROFILE CAPABILITY...: imdsnoop check in a container, into a file
	local name=$1 profile=$2
	shift 2
	ctr_run --name "$name" "${args[@]}" "${@/#/--cap-add=}" --security-opt "seccomp=$profile" localhost/imdsnoop \
		check --json >"$LAB_ROOT/$name"
}
all_ok='.ok and ([.features[] | select(.state != "ok") | .name] == [])'
check "check: runs with the DaemonSet's capabilities" run_check base "$CTR_ROOT/containerd.json" "${caps[@]}"
expect_report "$LAB_ROOT/base" "check: all that it needs is ok" "$all_ok"
check "check: runs with the sys-admin overlay's under CRI-O's profile" run_check overlay $profile "${more[@]}"
expect_report "$LAB_ROOT/overlay" "check: all that it needs is ok there" "$all_ok"
check "check: a profile that forbids bpf() fails" equal "$(run_check forbidden "$CTR_ROOT/forbidden.json" "${caps[@]}"; echo $?)" 1
expect_report "$LAB_ROOT/forbidden" "check: and that is what it says" \
	'.ok == false and ([.features[] | select(.name == "cgroup_skb") | .why | test("seccomp")] == [true])'

args+=("${caps[@]/#/--cap-add=}" --security-opt "seccomp=$CTR_ROOT/containerd.json")
r=$LAB_ROOT/report
agent_start() {			# agent_start NAME ARGS...: in the background, sets agent_pid
	local name=$1
	shift
	ctr_run --name "$name" --detach "${args[@]}" localhost/imdsnoop "$@" >"$LAB_ROOT/id" || e2e_die "the $name's container starts"
	agent_pid=$(ctr_podman inspect --format '{{.State.Pid}}' "$name")
	check "$name attaches" lab_attached "$agent_pid" || { ctr_podman logs "$name"; exit 1; }
}
caps_now() {			# of the process, as the manifest writes them
	capsh --decode="$(sed -n 's/^CapEff:\t//p' "/proc/$1/status")" | sed 's/^[^=]*=//; s/cap_//g' | tr , '\n' | sort
}
ask() { nsenter --net="/proc/$agent_pid/ns/net" -- curl -s -m 5 "http://127.0.0.1:9754$1"; }

# the session
agent_start report report --cgroup "$cgroup" --format json --duration 60s --quiet
check "report has the DaemonSet's capabilities only" equal "$(caps_now "$agent_pid")" "$(printf '%s\n' "${caps[@],,}" | sort)"
check "pod gets no token" equal "$(put web-1 1)" 000
check "pod gets v1 data" equal "$(get web-1)" 200
sleep 0.4
ctr_podman kill --signal INT report >/dev/null
check "Ctrl-C ends it well" equal "$(ctr_podman wait report)" 0
ctr_podman logs report >"$r" 2>"$r.err"
check "it says no error" equal "$(cat "$r.err")" ""
expect_report "$r" "report: the pod by name, exhausted, needs 2" 'pod("web-1") | .namespace == "shop" and .container == "app" and
	.hop_limit == "exhausted" and .required_hop_limit == 2 and .requests == 2 and .fallbacks == 1'
expect_report "$r" "report: proven, from a container" '.totals.confidences == { proven: 1 } and ([.findings[] |
	select(.code == "hop-limit-exhausted" and .severity == "error")] | length == 1)'
expect_nothing_lost "$r" "report: nothing lost"

# the agent, with the DaemonSet's arguments
mapfile -t agent_args < <(awk '/^          args:/ { on = 1; next } on && !/^ *- / { exit } on { print $2 }' \
	"$LAB_TREE/scripts/k8s/base/daemonset.yaml" | sed 's/\$(NODE_NAME)/node-1/; /--quiet/d')
agent_start agent "${agent_args[@]}" --cgroup "$cgroup"
is_ready() { test "$(ask /readyz)" = "attached and reading"; }	# asked anew each time: it becomes so at its first tick
check "agent is ready" lab_wait_for 5 is_ready
check "agent is healthy" equal "$(ask /healthz)" ok
check "agent has left root" equal "$(awk '/^Uid:|^Gid:/ { print $2, $3, $4, $5 }' "/proc/$agent_pid/status" | uniq)" \
	"65534 65534 65534 65534"
check "agent keeps at most bpf and syslog" equal "$(caps_now "$agent_pid" | grep -vx -e bpf -e syslog -e '')" ""
check "pod gets no token, again" equal "$(put web-1 1)" 000
sleep 0.6
ask /metrics >"$LAB_ROOT/metrics"
check "agent counts it, proven, by name" grep -qF \
	'imdsnoop_hop_limit_exceeded_total{namespace="shop",pod="web-1",container="app",confidence="proven"} 1' "$LAB_ROOT/metrics"
check "agent reports its node" equal "$(ask /api/v1/report | jq -r .node)" node-1
charged=$(awk -F: '$2 == "memory" { print $3 }' "/proc/$agent_pid/cgroup")
echo "agent's memory: $(awk '/^Rss:/ { print $2 }' "/proc/$agent_pid/smaps_rollup") KiB resident, cgroup: $(
	cat "/sys/fs/cgroup/memory$charged/memory.max_usage_in_bytes" "$(sed -n "s|^0::|$LAB_CGROUP2|p" \
	"/proc/$agent_pid/cgroup")/memory.peak" 2>/dev/null) bytes at most"
check "SIGTERM ends it well" equal "$(ctr_podman stop --time 5 agent >/dev/null; ctr_podman wait agent)" 0
