#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Pods that live 100 ms and are deleted in mid-request keep their names.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1 --slow-ms 3000
t=$LAB_ROOT/trace
trace_start "$t"
for i in 1 2 3 4 5; do
	lab_pod_bridge "job-$i" --namespace batch --container step
	lab_exec "job-$i" curl -s -o /dev/null -m 5 http://169.254.169.254/latest/meta-data/ami-id 2>/dev/null &
	lab_wait_for 3 lab_in "p-job-$i" grep -q ':0050 01 00000000:' /proc/net/tcp	# established, all sent
	sleep 0.05
	lab_pod_delete "job-$i" || e2e_die "pod is deleted"
done 2>/dev/null
lab_server_set slow-ms 0
for i in 6 7 8; do		# the process is gone before anybody could look into /proc
	lab_pod_bridge "job-$i" --namespace batch --container step
	raw "job-$i" 'send:GET /latest/meta-data/ami-id HTTP/1.1\r\n\r\n' >/dev/null
	lab_pod_delete "job-$i"
done
kill -STOP "$LAB_TRACE_PID"	# a whole life while nobody looks: only the kernel's records tell which cgroup it was
lab_pod_bridge job-9 --namespace batch --container step
get job-9 >/dev/null
lab_pod_load job-9
lab_cgroup_remove "${pod_cgroup%/*}"
kill -CONT "$LAB_TRACE_PID"
sleep 0.3
trace_stop
for i in 1 2 3 4 5; do
	expect_trace "$t" "job-$i, deleted in mid-request, is named" "of(\"job-$i\") | length == 1 and "'all_are(
		.namespace == "batch" and .container == "step" and (.pod_uid | length == 36) and .status == null and
		.outcome != "ok" and .outcome != "hop-limit" and .path == "/latest/meta-data/ami-id")'
done
for i in 6 7 8; do
	expect_trace "$t" "job-$i, gone at once, is named" "of(\"job-$i\") | length == 1 and "'all_are(.namespace == "batch" and
		.comm == "raw_client")'
done
expect_trace "$t" "job-9, which lived while imdsnoop was stopped, is named by its logs" 'of("job-9") | length == 1 and
	all_are(.outcome == "ok" and .namespace == "batch" and .container == "step")'
expect_trace "$t" "nobody is nameless" 'requests | all_are(.pod != "" and .cgroup != "")'
