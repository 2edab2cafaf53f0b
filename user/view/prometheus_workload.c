/* SPDX-License-Identifier: GPL-2.0-only */
/* What a workload gives: few series, which outlive its pods. */
#include "prometheus_part.h"

static void write_requests(struct writer *w, const struct series *of)
{
	for (int i = 0; i < IMDS_VERSION_COUNT * OUTCOME_COUNT; i++) {
		uint64_t n = of->workload->sum.requests[i / OUTCOME_COUNT][i % OUTCOME_COUNT];
		const char *version = version_word(i / OUTCOME_COUNT);

		if (n)
			integer_sample(w, "_total", of,
				       PAIRS("imds_version", version ? version : "none", "outcome",
					     outcome_word(i % OUTCOME_COUNT)),
				       n);
	}
}

static void write_required(struct writer *w, const struct series *of)
{
	if (of->workload->required_hop_limit)
		integer_sample(w, "", of, NULL, of->workload->required_hop_limit);
}

/* Asked for one: else the hop limit means nothing to it. */
static void write_tokens(struct writer *w, const struct series *of)
{
	integer_sample(w, "_total", of, NULL, of->workload->sum.token_requests);
}

static void write_lost_seconds(struct writer *w, const struct series *of)
{
	real_sample(w, "_total", of, NULL, of->workload->sum.lost_us / 1e6);
}

static void write_fallbacks(struct writer *w, const struct series *of)
{
	integer_sample(w, "_total", of, NULL, of->workload->sum.fallbacks);
}

static void write_findings(struct writer *w, const struct series *of)
{
	for (int i = 0; i < FINDING_COUNT; i++)
		if (of->workload->findings[i])
			integer_sample(w, "", of, PAIRS("code", finding_word(i)), of->workload->findings[i]);
}

static void write_last_v1(struct writer *w, const struct series *of)
{
	if (of->workload->last_v1_s)
		integer_sample(w, "", of, NULL, of->workload->last_v1_s);
}

static void write_pods(struct writer *w, const struct series *of)
{
	integer_sample(w, "", of, NULL, of->workload->pods);
}

const struct family prometheus_workloads[] = {
	{ "imdsnoop_workload_requests", "counter", "Metadata requests of a workload that ended.", write_requests, NULL },
	{ "imdsnoop_workload_token_requests", "counter", "Of these, requests for a token.", write_tokens, NULL },
	{ "imdsnoop_workload_required_hop_limit", "gauge",
	  "Lowest HttpPutResponseHopLimit with which token answers reach all its pods.", write_required, NULL },
	{ "imdsnoop_workload_lost_seconds", "counter", "Time that its processes waited for answers that never came.",
	  write_lost_seconds, NULL },
	{ "imdsnoop_workload_fallbacks", "counter", "IMDSv1 requests after an unanswered token request.",
	  write_fallbacks, NULL },
	{ "imdsnoop_workload_findings", "gauge", "Findings about its pods now, by code.", write_findings, NULL },
	{ "imdsnoop_workload_last_v1_timestamp_seconds", "gauge", "Its newest IMDSv1 request, since the epoch.",
	  write_last_v1, NULL },
	{ "imdsnoop_workload_pods", "gauge", "Its containers that asked and are still known.", write_pods, NULL },
	{ .name = NULL }
};
