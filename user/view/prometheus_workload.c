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

static void write_lost_seconds(struct writer *w, const struct series *of)
{
	real_sample(w, "_total", of, NULL, of->workload->sum.lost_us / 1e6);
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
	{ "imdsnoop_workload_requests", "counter", "Metadata requests of a workload that ended.", .row = write_requests },
	{ "imdsnoop_workload_token_requests", "counter", "Of these, requests for a token.", WORKLOAD(sum.token_requests) },
	{ "imdsnoop_workload_required_hop_limit", "gauge",
	  "Lowest HttpPutResponseHopLimit with which token answers reach all its pods.", .row = write_required },
	{ "imdsnoop_workload_lost_seconds", "counter", "Time that its processes waited for answers that never came.",
	  .row = write_lost_seconds },
	{ "imdsnoop_workload_fallbacks", "counter", "IMDSv1 requests after an unanswered token request.",
	  WORKLOAD(sum.fallbacks) },
	{ "imdsnoop_workload_findings", "gauge", "Findings about its pods now, by code.", .row = write_findings },
	{ "imdsnoop_workload_last_v1_timestamp_seconds", "gauge", "Its newest IMDSv1 request, since the epoch.",
	  .row = write_last_v1 },
	{ "imdsnoop_workload_pods", "gauge", "Its containers that asked and are still known.", .row = write_pods },
	{ .name = NULL }
};
