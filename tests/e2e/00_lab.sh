#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The lab itself, by curl and without imdsnoop: which hop limit lets the token answer reach which topology.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need curl iptables

e2e_lab --hop-limit 1
pods() {
	lab_pod_bridge bridge && lab_pod_bridge cgroupfs --driver cgroupfs && lab_pod_routed routed &&
		lab_pod_extra extra && lab_pod_v6 v6 && lab_pod_host host && lab_host_client service
}
pods || e2e_die "pods come up"

reaches() { equal "$(put "$1" 0.3)" "$2"; }
for p in bridge routed extra v6; do
	check "limit 1: no token for $p" reaches $p 000
	check "limit 1: v1 answers $p" equal "$(get $p)" 200
done
check "limit 1: token for a host-network pod" reaches host 200
check "limit 1: token for the node's own service" reaches service 200
lab_server_set tokens required
check "limit 1, tokens required: 401 reaches the pod" equal "$(get bridge)" 401
lab_server_set tokens optional

lab_server_set hop-limit 2
for p in bridge cgroupfs routed v6; do check "limit 2: token for $p" reaches $p 200; done
check "limit 2: no token behind a router" reaches extra 000
lab_server_set hop-limit 3
check "limit 3: token behind a router" reaches extra 200

lab_tc_drop on
for p in bridge routed v6; do check "tc: limit 3 passes to $p" reaches $p 200; done
lab_server_set hop-limit 1
# shellcheck disable=SC2016
header_errors() { lab_in node awk '/^Ip:/ { n = $5 } END { print n }' /proc/net/snmp; }
before=$(header_errors)
for p in bridge routed v6 host; do check "tc: limit 1 is dropped for $p, even on the host" reaches $p 000; done
check "tc: the node's IP stack never saw an expired answer" equal "$(header_errors)" "$before"
lab_tc_drop off

lab_drop bridge
lab_reject routed
check "DROP: nothing for that pod" equal "$(get bridge 0.3)" 000
check "DROP: the pod beside it is answered" equal "$(get cgroupfs)" 200
check "REJECT: nothing for that pod" equal "$(get routed 0.3)" 000
lab_undrop bridge
lab_undrop routed
check "after DROP: answered again" equal "$(get bridge)" 200
check "after REJECT: answered again" equal "$(get routed)" 200

lab_pod_load bridge
check "a process is in its pod's cgroup" grep -q "${pod_cgroup#"$LAB_CGROUP2"}\$" <(lab_exec bridge cat /proc/self/cgroup)
check "log folder names the pod" test -e "$LAB_ROOT/node/log/pods/default_bridge_$pod_uid/app/0.log"
lab_exec bridge sleep 60 &
sleep 0.1
check "a pod with a running process is deleted" lab_pod_delete bridge
check "its cgroup is gone" test ! -e "$pod_cgroup"
check "the world outside is not reachable" lab_exec routed sh -c '! curl -s -m 0.3 http://192.0.2.1/'
check "the server logged each answer as JSON" e2e_jq "$(lab_server_log)" 'length > 20 and all(.[]; .status > 0)' -s
