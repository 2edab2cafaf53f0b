#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it watches the machine's root, and so every lab that is there.
# Without --cgroup all of the machine is seen; the lab's own server in it is no client and changes nothing.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
ns=root-$LAB_ID
lab_pod_bridge web-1 --namespace "$ns"
t=$LAB_ROOT/trace
"$IMDSNOOP" trace --json --output "$t" --pod-logs "$LAB_ROOT/node/log/pods" --container-logs "$LAB_ROOT/node/log/containers" \
	</dev/null 2>"$t.err" &
LAB_TRACE_PID=$!		# for trace_stop
lab_wait_for 10 grep -qs '"type": *"start"' "$t" || { cat "$t.err"; e2e_die "trace attaches to the root by itself"; }
put web-1 >/dev/null
get web-1 >/dev/null
trace_stop
expect_trace "$t" "the pod's two requests, once each" "of(\"web-1\") | map(select(.namespace == \"$ns\")) | length == 2 and "'
	(.[0] | .outcome == "hop-limit" and .confidence == "proven") and (.[1] | .outcome == "ok" and .fallback)'
expect_trace "$t" "nothing is charged to the server" \
	"requests | all(.[]; .cgroup | contains(\"$LAB_ID/system.slice/imds.service\") | not)"

# cgroup v1 alone is mounted (Docker's hosts before 2021, EKS' AL2): the v2 tree is mounted for the program itself
# shellcheck disable=SC2016	# of the inner shell
"$(command -v unshare)" --mount sh -c 'umount "$1" && shift && exec "$@"' sh "$LAB_CGROUP2" "$IMDSNOOP" trace --json --output "$t.v1" \
	--pod-logs "$LAB_ROOT/node/log/pods" --container-logs "$LAB_ROOT/node/log/containers" </dev/null 2>"$t.err" &
LAB_TRACE_PID=$!
lab_wait_for 10 grep -qs '"type": *"start"' "$t.v1" || { cat "$t.err"; e2e_die "trace attaches without a v2 mount"; }
put web-1 >/dev/null
trace_stop
expect_trace "$t.v1" "without a v2 mount: named and proven" "of(\"web-1\") | map(select(.namespace == \"$ns\")) | length == 1 and "'
	(.[0] | .outcome == "hop-limit" and .confidence == "proven")'
check "no mount is left" equal "$(grep -c cgroup2 /proc/mounts)" "$(grep -c " $LAB_CGROUP2 cgroup2" /proc/mounts)"
