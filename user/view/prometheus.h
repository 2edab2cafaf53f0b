/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metrics in Prometheus's text format 0.0.4 or OpenMetrics 1.0.
 *
 * Labels of a row: a container of a pod has its namespace, pod and container. A cgroup whose pod is not known, or which is
 * none, has namespace="", pod="" and its cgroup path as container. The row for what is over --max-pods has pod="other".
 * Rows that share their labels (a container that was started again) are added up to one series. A workload has namespace
 * and workload; names of one level are never those of another, or a sum over them would count twice.
 */
#ifndef IMDSNOOP_PROMETHEUS_H
#define IMDSNOOP_PROMETHEUS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>

#include "../base/usage.h"
#include "../model/snapshot.h"
#include "../model/workload_table.h"

#define PROMETHEUS_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define PROMETHEUS_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What the agent says of itself. */
struct agent_stats {
	const char *libbpf; /* version */
	struct tracer_table tables[8];
	size_t tables_len;
	struct tracer_program programs[24];
	size_t programs_len;
	struct http_server_stats http;
	/* from /proc/self */
	double cpu_seconds, start_seconds;
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds;
};

/* Fills the last group. fds: /proc/self/fd, opened while we were still allowed to; NULL: not counted. */
void prometheus_read_process(struct agent_stats *a, DIR *fds);

/* How far the series go down; each holds those above it. The node's own are at most 40, in 8 KiB. */
enum metrics_level { METRICS_NODE, METRICS_WORKLOAD, METRICS_POD };

struct metrics_options {
	enum metrics_level level;
	bool openmetrics;
	const struct workload_table *workloads; /* of s; NULL: none are shown */
	double observed_s;			/* how long requests were counted */
};

/* Returns 0 or -ENOMEM. Errors of out are the caller's to ask for. */
int prometheus_write(FILE *out, const struct snapshot *s, const struct agent_stats *a, const struct metrics_options *o);

#endif
