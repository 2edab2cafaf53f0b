/* SPDX-License-Identifier: GPL-2.0-only */
/* What a container of a pod gives: sums over the rows that share its labels. */
#include "prometheus_part.h"

#include <string.h>

#include "../model/counters.h"

#define SUM_OF(of, member, i) series_sum(of, offsetof(struct pod_stats, member) + (i) * sizeof(uint64_t))

/* In *sum only when there are more than one to add up; NULL: none of that kind. */
static const struct kind_stats *sum_kind(const struct series *of, enum imds_kind kind, struct kind_stats *sum)
{
	const struct kind_stats *found = NULL;

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before) {
			if (!p->by_kind[kind])
				continue;
			if (found && found != sum) {
				memset(sum, 0, sizeof(*sum));
				counters_add_kind(sum, found);
				found = sum;
			}
			if (found)
				counters_add_kind(sum, p->by_kind[kind]);
			else
				found = p->by_kind[kind];
		}
	return found;
}

static void write_requests(struct writer *w, const struct series *of)
{
	for (int k = 0; k < IMDS_KIND_COUNT; k++) {
		struct kind_stats room;
		const struct kind_stats *kind = sum_kind(of, k, &room);

		for (int i = 0; kind && i < IMDS_VERSION_COUNT * OUTCOME_COUNT; i++) {
			uint64_t n = kind->cells[i / OUTCOME_COUNT][i % OUTCOME_COUNT];
			const char *version = version_word(i / OUTCOME_COUNT);

			if (n)
				integer_sample(w, "_total", of,
					       PAIRS("kind", kind_word(k), "imds_version", version ? version : "none",
						     "outcome", outcome_word(i % OUTCOME_COUNT)),
					       n);
		}
	}
}

static void write_responses(struct writer *w, const struct series *of)
{
	for (int i = IMDS_STATUS_NONE + 1; i < IMDS_STATUS_COUNT; i++) {
		uint64_t n = SUM_OF(of, responses, i);

		if (n)
			integer_sample(w, "_total", of, PAIRS("code", status_class_word(i)), n);
	}
}

/* Upper bounds in seconds, as text: the same in every scrape. */
static const char *const bounds[HISTOGRAM_BUCKETS] = {
	"0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
	"0.05",	  "0.1",     "0.25",   "0.5",	"1.0",	  "5.0",   "+Inf",
};

/* pairs: further labels */
static void write_histogram(struct writer *w, const struct series *of, const struct histogram *h, const char *const *pairs)
{
	uint64_t so_far = 0;

	if (!h->count)
		return;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		so_far += h->bucket[i];
		begin_sample(w, "_bucket", of, pairs);
		w->at -= 2; /* "} ": one more label */
		put_text(w, ",le=\"");
		put_text(w, bounds[i]);
		put_text(w, "\"} ");
		put_integer(w, so_far);
		put_bytes(w, "\n", 1);
	}
	real_sample(w, "_sum", of, pairs, h->sum_us / 1e6);
	integer_sample(w, "_count", of, pairs, so_far);
}

static void write_durations(struct writer *w, const struct series *of)
{
	for (int k = 0; k < IMDS_KIND_COUNT; k++) {
		struct kind_stats room;
		const struct kind_stats *kind = sum_kind(of, k, &room);

		if (kind)
			write_histogram(w, of, &kind->latency, PAIRS("kind", kind_word(k)));
	}
}

static void write_connects(struct writer *w, const struct series *of)
{
	struct histogram sum = { .count = 0 };

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			histogram_merge(&sum, &p->connect);
	write_histogram(w, of, &sum, NULL);
}

/* Zeros too: an alert on the increase must see where it began. */
static void write_hop_limit(struct writer *w, const struct series *of)
{
	for (int i = CONFIDENCE_NONE + 1; i < CONFIDENCE_COUNT; i++)
		integer_sample(w, "_total", of, PAIRS("confidence", confidence_word(i)), SUM_OF(of, confidences, i));
}

static void write_drops(struct writer *w, const struct series *of)
{
	struct pod_stats sum = { .drops_len = 0 };

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			counters_add_drops(&sum, p);
	for (size_t i = 0; i < sum.drops_len; i++)
		integer_sample(w, "_total", of, PAIRS("reason", sum.drops[i].reason), sum.drops[i].packets);
}

static void write_required_hop_limit(struct writer *w, const struct series *of)
{
	int highest = 0;

	for (size_t i = 0; i < of->rows_len; i++)
		if (of->rows[i]->required_hop_limit > highest)
			highest = of->rows[i]->required_hop_limit;
	if (highest)
		integer_sample(w, "", of, NULL, highest);
}

static void write_response_ttl(struct writer *w, const struct series *of)
{
	const struct pod_stats *newest = NULL;

	for (size_t i = 0; i < of->rows_len; i++)
		if (of->rows[i]->ttl_response && (!newest || of->rows[i]->last_ns > newest->last_ns))
			newest = of->rows[i];
	if (newest)
		integer_sample(w, "", of, NULL, newest->ttl_response);
}

static void write_packets(struct writer *w, const struct series *of)
{
	integer_sample(w, "_total", of, PAIRS("direction", "egress"), SUM_OF(of, packets, IMDS_EGRESS));
	integer_sample(w, "_total", of, PAIRS("direction", "ingress"), SUM_OF(of, packets, IMDS_INGRESS));
}

/* Mostly none: a series says that it is one of the few. */
static void write_untracked(struct writer *w, const struct series *of)
{
	uint64_t n = SUM_OF(of, untracked, 0);

	if (n)
		integer_sample(w, "_total", of, NULL, n);
}

const struct family prometheus_pods[] = {
	{ "imdsnoop_requests", "counter", "Metadata requests that ended.", .row = write_requests },
	{ "imdsnoop_responses", "counter", "Answers by HTTP status.", .row = write_responses },
	{ "imdsnoop_request_duration_seconds", "histogram",
	  "Time from a request's first byte to its answer's last one, answered requests only.", .row = write_durations },
	{ "imdsnoop_connect_duration_seconds", "histogram", "Time from SYN to SYN-ACK.", .row = write_connects },
	{ "imdsnoop_hop_limit_exceeded", "counter",
	  "Requests whose answer died because its IP TTL (hop limit) was used up.", .row = write_hop_limit },
	{ "imdsnoop_drops", "counter", "Packets of metadata connections that the kernel dropped, by its reason.",
	  .row = write_drops },
	{ "imdsnoop_fallbacks", "counter", "IMDSv1 requests that followed an unanswered token request.", POD(fallbacks) },
	{ "imdsnoop_lost_seconds", "counter", "Time that processes waited for answers that never came.",
	  POD(seconds_lost) },
	{ "imdsnoop_required_hop_limit", "gauge", "Lowest HttpPutResponseHopLimit with which token answers arrive.",
	  .row = write_required_hop_limit },
	{ "imdsnoop_response_ttl", "gauge", "IP TTL of the newest answer as received.", .row = write_response_ttl },
	{ "imdsnoop_packets", "counter", "Packets to and from metadata endpoints.", .row = write_packets },
	{ "imdsnoop_requests_in_flight", "gauge", "Requests that wait for their answer now.", POD(in_flight) },
	{ "imdsnoop_untracked", "counter", "Connections, queries and requests beyond what is followed of one pod.",
	  .row = write_untracked },
	{ .name = NULL }
};
