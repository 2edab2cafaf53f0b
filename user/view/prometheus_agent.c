/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent says of itself, in full: features, losses, tables, programs, its HTTP server. */
#include "prometheus_part.h"

#include <string.h>

static void write_features(struct writer *w)
{
	for (size_t i = 0; i < w->s->features_len; i++) {
		const char *state = w->s->features[i].state;

		integer_sample(w, "", NULL, PAIRS("feature", w->s->features[i].name),
			       !strcmp(state, "ok") || !strcmp(state, "degraded"));
	}
}

static void write_losses(struct writer *w)
{
	for (size_t i = 0; i < w->s->losses_len; i++)
		integer_sample(w, "_total", NULL, PAIRS("loss", w->s->losses[i].name), w->s->losses[i].count);
}

static void write_entries(struct writer *w)
{
	for (size_t i = 0; i < w->agent->tables_len; i++)
		integer_sample(w, "", NULL, PAIRS("table", w->agent->tables[i].name), w->agent->tables[i].entries);
}

static void write_limits(struct writer *w)
{
	for (size_t i = 0; i < w->agent->tables_len; i++)
		integer_sample(w, "", NULL, PAIRS("table", w->agent->tables[i].name), w->agent->tables[i].limit);
}

static void write_run_seconds(struct writer *w)
{
	for (size_t i = 0; i < w->agent->programs_len; i++)
		real_sample(w, "_total", NULL, PAIRS("program", w->agent->programs[i].name),
			    w->agent->programs[i].run_ns / 1e9);
}

static void write_runs(struct writer *w)
{
	for (size_t i = 0; i < w->agent->programs_len; i++)
		integer_sample(w, "_total", NULL, PAIRS("program", w->agent->programs[i].name),
			       w->agent->programs[i].runs);
}

static void write_http_refused(struct writer *w)
{
	integer_sample(w, "_total", NULL, PAIRS("reason", "too_many"), w->agent->http.refused);
	integer_sample(w, "_total", NULL, PAIRS("reason", "too_slow"), w->agent->http.expired);
	integer_sample(w, "_total", NULL, PAIRS("reason", "overloaded"), w->agent->http.overloaded);
}

const struct family prometheus_agent[] = {
	{ "imdsnoop_feature_enabled", "gauge", "1 when this part works on this node, wholly or in part.",
	  .agent = write_features },
	{ "imdsnoop_events_lost", "counter", "What the figures lack, by cause.", .agent = write_losses },
	{ "imdsnoop_table_entries", "gauge", "Entries in a bounded table.", .agent = write_entries },
	{ "imdsnoop_table_limit", "gauge", "Bound of that table.", .agent = write_limits },
	{ "imdsnoop_program_run_seconds", "counter", "Time in a BPF program; 0 unless kernel.bpf_stats_enabled is set.",
	  .agent = write_run_seconds },
	{ "imdsnoop_program_runs", "counter", "Runs of a BPF program; 0 unless kernel.bpf_stats_enabled is set.",
	  .agent = write_runs },
	{ "imdsnoop_http_requests", "counter", "HTTP requests to the agent itself.", AGENT(http.requests) },
	{ "imdsnoop_http_connections", "gauge", "HTTP connections to the agent that are open.", AGENT(http.connections) },
	{ "imdsnoop_http_refused", "counter", "HTTP clients of the agent turned away.", .agent = write_http_refused },
	{ "process_virtual_memory_bytes", "gauge", "Virtual memory of the agent.", AGENT(virtual_bytes) },
	{ "process_open_fds", "gauge", "Open file descriptors of the agent.", AGENT(open_fds) },
	{ "process_max_fds", "gauge", "Most file descriptors that the agent may open.", AGENT(max_fds) },
	{ .name = NULL }
};
