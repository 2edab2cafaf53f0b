/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The node in few series: always there, at most 40 of them, whatever its pods do. No label has a value from outside but
 * those of imdsnoop_build_info.
 */
#include "prometheus_part.h"

#include <string.h>

static void write_build_info(struct writer *w)
{
	integer_sample(w, "", NULL, PAIRS("version", w->s->version, "kernel", w->s->kernel, "libbpf", w->agent->libbpf),
		       1);
}

static void write_observed(struct writer *w)
{
	real_sample(w, "_total", NULL, NULL, w->o->observed_s);
}

static void write_lost(struct writer *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->s->losses_len; i++)
		sum += w->s->losses[i].count;
	integer_sample(w, "_total", NULL, NULL, sum);
}

static void write_missing(struct writer *w)
{
	unsigned int n = 0;

	for (size_t i = 0; i < w->s->features_len; i++)
		n += !strcmp(w->s->features[i].state, "missing");
	integer_sample(w, "", NULL, NULL, n);
}

static void write_outcomes(struct writer *w)
{
	for (int i = 0; i < OUTCOME_COUNT; i++)
		integer_sample(w, "_total", NULL, PAIRS("outcome", outcome_word(i)), w->s->totals.outcomes[i]);
}

static void write_versions(struct writer *w)
{
	const struct pod_stats *t = &w->s->totals;

	integer_sample(w, "_total", NULL, PAIRS("imds_version", "v1"), t->v1_requests);
	integer_sample(w, "_total", NULL, PAIRS("imds_version", "v2"), t->v2_requests);
	integer_sample(w, "_total", NULL, PAIRS("imds_version", "unknown"), t->version_unknown);
}

/* The highest that a row which asks for tokens needs: for others the hop limit means nothing. */
static void write_required(struct writer *w)
{
	int highest = 0;

	for (size_t i = 0; i < w->s->pods_len; i++)
		if (w->s->pods[i]->token_requests && w->s->pods[i]->required_hop_limit > highest)
			highest = w->s->pods[i]->required_hop_limit;
	if (highest)
		integer_sample(w, "", NULL, NULL, highest);
}

static void write_whole(struct writer *w)
{
	integer_sample(w, "", NULL, NULL, !w->s->part);
}

static void write_hop_limit(struct writer *w)
{
	if (w->s->node_token_ttl)
		integer_sample(w, "", NULL, NULL, w->s->node_token_ttl);
}

static void write_pods(struct writer *w)
{
	integer_sample(w, "", NULL, NULL, w->s->pods_len);
}

static void write_findings(struct writer *w)
{
	uint64_t n[SEVERITY_ERROR + 1] = { 0 };

	for (size_t i = 0; i < w->s->findings_len; i++)
		n[w->s->findings[i].severity]++;
	for (int i = SEVERITY_INFO; i <= SEVERITY_ERROR; i++)
		integer_sample(w, "", NULL, PAIRS("severity", severity_word(i)), n[i]);
}

static void write_unowned(struct writer *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->s->unowned_len; i++)
		sum += w->s->unowned[i].packets;
	integer_sample(w, "_total", NULL, NULL, sum);
}

static void write_workloads(struct writer *w)
{
	struct workload_table_stats stats;

	if (!w->o->workloads)
		return;
	workload_table_get_stats(w->o->workloads, &stats);
	integer_sample(w, "", NULL, NULL, stats.workloads);
}

static void write_workloads_over(struct writer *w)
{
	struct workload_table_stats stats;

	if (!w->o->workloads)
		return;
	workload_table_get_stats(w->o->workloads, &stats);
	integer_sample(w, "_total", NULL, NULL, stats.overflowed);
}

static void write_last_v1(struct writer *w)
{
	uint64_t newest = 0;
	size_t len = 0;
	struct workload *const *list = w->o->workloads ? workload_table_list(w->o->workloads, &len) : NULL;

	for (size_t i = 0; i < len; i++)
		if (list[i]->last_v1_s > newest)
			newest = list[i]->last_v1_s;
	integer_sample(w, "", NULL, NULL, newest);
}

const struct family prometheus_node[] = {
	{ "imdsnoop_build_info", "gauge", "Always 1; version of the agent, the kernel and libbpf.",
	  .agent = write_build_info },
	{ "imdsnoop_observed_seconds", "counter", "Time in which this node's requests were counted.",
	  .agent = write_observed },
	{ "imdsnoop_node_whole", "gauge", "1 when all of this node is watched, 0 with --cgroup below its root.",
	  .agent = write_whole },
	{ "imdsnoop_node_events_lost", "counter", "What the figures lack, all causes.", .agent = write_lost },
	{ "imdsnoop_node_features_missing", "gauge", "Parts that do not work on this node.", .agent = write_missing },
	{ "imdsnoop_node_requests", "counter", "Metadata requests of this node that ended.", .agent = write_outcomes },
	{ "imdsnoop_node_version_requests", "counter", "The same, by IMDS version.", .agent = write_versions },
	{ "imdsnoop_node_hop_limit_exceeded", "counter", "Requests whose answer died of its hop limit.",
	  TOTALS(outcomes[OUTCOME_HOP_LIMIT]) },
	{ "imdsnoop_node_fallbacks", "counter", "IMDSv1 requests after an unanswered token request.", TOTALS(fallbacks) },
	{ "imdsnoop_node_lost_seconds", "counter", "Time waited for answers that never came.", TOTALS(seconds_lost) },
	{ "imdsnoop_node_required_hop_limit", "gauge",
	  "Hop limit with which all pods here that ask for tokens get them.", .agent = write_required },
	{ "imdsnoop_node_hop_limit", "gauge", "Hop limit that is set, as the node itself saw it.",
	  .agent = write_hop_limit },
	{ "imdsnoop_node_pods", "gauge", "Containers and services that asked.", .agent = write_pods },
	{ "imdsnoop_node_requests_in_flight", "gauge", "Requests that wait for an answer now.", TOTALS(in_flight) },
	{ "imdsnoop_node_findings", "gauge", "Findings now.", .agent = write_findings },
	{ "imdsnoop_node_unowned_packets", "counter",
	  "Answers that died with no socket to die for (gVisor, virtual machines).", .agent = write_unowned },
	{ "imdsnoop_node_workloads", "gauge", "Workloads told apart.", .agent = write_workloads },
	{ "imdsnoop_node_workloads_over_limit_requests", "counter", "Requests of workloads over --max-workloads.",
	  .agent = write_workloads_over },
	{ "imdsnoop_node_last_v1_timestamp_seconds", "gauge", "Newest IMDSv1 request; 0: none seen.",
	  .agent = write_last_v1 },
	{ "process_cpu_seconds", "counter", "User and system CPU time of the agent.", AGENT(cpu_seconds) },
	{ "process_start_time_seconds", "gauge", "Start of the agent since the epoch.", AGENT(start_seconds) },
	{ "process_resident_memory_bytes", "gauge", "Resident memory of the agent.", AGENT(resident_bytes) },
	{ .name = NULL }
};
