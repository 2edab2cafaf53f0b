/* SPDX-License-Identifier: GPL-2.0-only */
#include "counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"

/* A run of uint64_t members of struct pod_stats. */
struct span {
	size_t offset, count;
};

#define SPAN(field)                                                                                          \
	{                                                                                                    \
		offsetof(struct pod_stats, field), sizeof(((struct pod_stats *)0)->field) / sizeof(uint64_t) \
	}
#define HISTOGRAM(field) SPAN(field.count), SPAN(field.sum_us), SPAN(field.bucket)

#define FIGURE_SPAN(member, key) SPAN(member),
#define NO_SPAN(member, key)
#define ONE(member, key) +1
#define NONE(member, key)

static const struct span reported[] = {
	FIGURES(FIGURE_SPAN, NO_SPAN, NO_SPAN) SPAN(outcomes),
	SPAN(causes),
	SPAN(credentials_requests),
	SPAN(credentials_ok),
	SPAN(confidences),
	SPAN(kinds),
	SPAN(responses),
	SPAN(v1_unauthorized),
	SPAN(fallback_answered_us_sum),
	SPAN(fallbacks_answered),
	SPAN(hop_limit_drops),
	SPAN(policy_drops),
	SPAN(packets),
	SPAN(silences),
	SPAN(late_after),
	SPAN(late_died),
	SPAN(slow_connects),
	HISTOGRAM(latency),
};
static const struct span others[] = { SPAN(bytes), HISTOGRAM(connect) };

#define PROCESS_FIGURES 3

static uint64_t *at(struct pod_stats *p, const struct span *span)
{
	return (uint64_t *)((char *)p + span->offset);
}

static const uint64_t *at_const(const struct pod_stats *p, const struct span *span)
{
	return (const uint64_t *)((const char *)p + span->offset);
}

static void add_spans(struct pod_stats *into, const struct pod_stats *from, const struct span *spans, size_t len)
{
	for (size_t i = 0; i < len; i++)
		for (size_t k = 0; k < spans[i].count; k++)
			at(into, &spans[i])[k] += at_const(from, &spans[i])[k];
}

void counters_add_drop(struct pod_stats *into, const char *reason, uint64_t packets)
{
	size_t i = 0;

	while (i < into->drops_len && strcmp(into->drops[i].reason, reason))
		i++;
	if (i == POD_STATS_REASONS)
		i--;
	if (i == into->drops_len)
		into->drops_len++;
	if (!into->drops[i].packets)
		snprintf(into->drops[i].reason, sizeof(into->drops[i].reason), "%s",
			 i == POD_STATS_REASONS - 1 ? "other" : reason);
	into->drops[i].packets += packets;
}

void counters_add_drops(struct pod_stats *into, const struct pod_stats *from)
{
	for (size_t i = 0; i < from->drops_len; i++)
		counters_add_drop(into, from->drops[i].reason, from->drops[i].packets);
}

void counters_add_error(struct pod_stats *into, const struct error_count *from)
{
	struct error_count *e = into->errors;

	for (; e < into->errors + into->errors_len; e++)
		if (e->status == from->status && e->kind == from->kind && e->method == from->method &&
		    e->forwarded == from->forwarded && e->header == from->header && !strcmp(e->path, from->path)) {
			e->requests += from->requests;
			e->served &= from->served;
			return;
		}
	if (into->errors_len < POD_STATS_ERRORS)
		into->errors[into->errors_len++] = *from;
}

void counters_add_note(struct pod_stats *into, const struct drop_note *from)
{
	struct drop_note *n = into->notes;

	for (; n < into->notes + into->notes_len; n++)
		if (n->cause == from->cause && n->from_endpoint == from->from_endpoint && n->where == from->where &&
		    n->hop_limit == from->hop_limit && !strcmp(n->reason, from->reason) &&
		    !strcmp(n->location, from->location)) {
			if (from->to[0])
				memcpy(n->to, from->to, sizeof(n->to));
			n->ttl = from->ttl > n->ttl ? from->ttl : n->ttl;
			n->requests += from->requests;
			return;
		}
	if (into->notes_len < POD_STATS_NOTES)
		into->notes[into->notes_len++] = *from;
}

struct kind_stats *counters_kind(struct pod_stats *p, enum imds_kind kind)
{
	if (!p->by_kind[kind])
		p->by_kind[kind] = calloc(1, sizeof(*p->by_kind[kind]));
	return p->by_kind[kind];
}

void counters_free_kinds(struct pod_stats *p)
{
	for (int k = 0; k < IMDS_KIND_COUNT; k++) {
		if (p->by_kind[k])
			histogram_clear(&p->by_kind[k]->latency);
		free(p->by_kind[k]);
		p->by_kind[k] = NULL;
	}
}

void counters_add_kind(struct kind_stats *into, const struct kind_stats *from)
{
	for (int v = 0; v < IMDS_VERSION_COUNT; v++)
		for (int o = 0; o < OUTCOME_COUNT; o++)
			into->cells[v][o] += from->cells[v][o];
	into->latency.count += from->latency.count;
	into->latency.sum_us += from->latency.sum_us;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->latency.bucket[i] += from->latency.bucket[i];
}

void counters_add(struct pod_stats *into, const struct pod_stats *from)
{
	add_spans(into, from, reported, LEN(reported));
	add_spans(into, from, others, LEN(others));
	for (int k = 0; k < IMDS_KIND_COUNT; k++)
		if (from->by_kind[k] && counters_kind(into, k))
			counters_add_kind(into->by_kind[k], from->by_kind[k]);
	into->seconds_lost += from->seconds_lost;
	counters_add_drops(into, from);
}

void counters_add_totals(struct pod_stats *into, const struct pod_stats *from)
{
	const struct histogram latency = into->latency;

	add_spans(into, from, reported, LEN(reported));
	into->latency = latency;
	histogram_merge(&into->latency, &from->latency); /* with its fine steps, which no span has */
	for (int i = 0; i < IMDS_DIRECTION_COUNT; i++)
		into->bytes[i] += from->bytes[i];
	into->in_flight += from->in_flight;
	into->seconds_lost += from->seconds_lost;
	if (from->last_failed_ns > into->last_failed_ns)
		into->last_failed_ns = from->last_failed_ns;
	if (from->last_broken_ns > into->last_broken_ns)
		into->last_broken_ns = from->last_broken_ns;
	counters_add_drops(into, from);
}

static uint32_t *process_figures(uint32_t *v, const struct process_count *c)
{
	*v++ = c->requests;
	*v++ = c->v1_requests;
	*v++ = c->token_unanswered;
	return v;
}

void counters_mark(const struct pod_stats *p, struct counters_mark *ret)
{
	uint32_t *v = ret->v;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < LEN(reported); i++)
		for (size_t k = 0; k < reported[i].count; k++)
			*v++ = at_const(p, &reported[i])[k];
	*v++ = (uint64_t)(p->seconds_lost * 1000);
	for (size_t i = 0; i < POD_STATS_REASONS; i++)
		*v++ = p->drops[i].packets;
	for (size_t i = 0; i < POD_STATS_PROCESSES; i++)
		v = process_figures(v, &p->processes[i]);
	for (size_t i = 0; i < POD_STATS_ERRORS; i++)
		*v++ = p->errors[i].requests;
	for (size_t i = 0; i < POD_STATS_NOTES; i++)
		*v++ = p->notes[i].requests;
}

/* Members that a mark holds, counted by the compiler. */
_Static_assert(0 FIGURES(ONE, NONE, NONE) + 8 + OUTCOME_COUNT + CAUSE_COUNT + CONFIDENCE_COUNT + IMDS_KIND_COUNT +
		       IMDS_STATUS_COUNT + IMDS_DIRECTION_COUNT + 2 + HISTOGRAM_BUCKETS + 1 + POD_STATS_REASONS +
		       PROCESS_FIGURES * POD_STATS_PROCESSES + SILENCE_COUNT + 3 + POD_STATS_ERRORS + POD_STATS_NOTES <=
		   COUNTERS_MARK_LEN,
	       "a mark holds every figure");

void counters_between(const struct counters_mark *from, const struct counters_mark *to, struct pod_stats *ret)
{
	size_t at_v = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < LEN(reported); i++)
		for (size_t k = 0; k < reported[i].count; k++, at_v++)
			at(ret, &reported[i])[k] = (uint32_t)(to->v[at_v] - from->v[at_v]);
	ret->seconds_lost = (uint32_t)(to->v[at_v] - from->v[at_v]) / 1e3;
}

/* Those of a list that counted something, in their order. */
#define KEEP(list, len, count)                           \
	do {                                             \
		size_t n = 0;                            \
		for (size_t i = 0; i < (len); i++)       \
			if ((list)[i].count)             \
				(list)[n++] = (list)[i]; \
		(len) = n;                               \
	} while (0)

static void keep_seen(struct pod_stats *p)
{
	KEEP(p->processes, p->processes_len, requests);
	KEEP(p->drops, p->drops_len, packets);
	KEEP(p->errors, p->errors_len, requests);
	KEEP(p->notes, p->notes_len, requests);
}

bool counters_since(struct pod_stats *p, const struct counters_mark *mark)
{
	const uint64_t slow_connects = p->slow_connects, late = p->causes[CAUSE_SLOW];
	const uint32_t *v = mark->v;
	bool any = false;

	for (size_t i = 0; i < LEN(reported); i++)
		for (size_t k = 0; k < reported[i].count; k++, v++) {
			uint64_t *n = &at(p, &reported[i])[k];

			*n = (uint32_t)(*n - *v);
			any |= *n != 0;
		}
	p->seconds_lost = (uint32_t)((uint64_t)(p->seconds_lost * 1000) - *v++) / 1e3;
	for (size_t i = 0; i < POD_STATS_REASONS; i++)
		p->drops[i].packets = (uint32_t)(p->drops[i].packets - *v++);
	for (size_t i = 0; i < POD_STATS_PROCESSES; i++) {
		struct process_count *c = &p->processes[i];

		c->requests = (uint32_t)(c->requests - *v++);
		c->v1_requests = (uint32_t)(c->v1_requests - *v++);
		c->token_unanswered = (uint32_t)(c->token_unanswered - *v++);
	}
	for (size_t i = 0; i < POD_STATS_ERRORS; i++)
		p->errors[i].requests = (uint32_t)(p->errors[i].requests - *v++);
	for (size_t i = 0; i < POD_STATS_NOTES; i++)
		p->notes[i].requests = (uint32_t)(p->notes[i].requests - *v++);
	keep_seen(p);
	/* the longest is of all time: of what came since only where that is all of it */
	if (p->slow_connects != slow_connects)
		p->connect.max_us = 0;
	if (p->causes[CAUSE_SLOW] != late)
		p->late_waited_us = p->late_took_us = 0;
	p->latency.fine = NULL;
	for (int i = HISTOGRAM_BUCKETS - 1; i >= 0; i--)
		if (p->latency.bucket[i]) { /* the longest of all time may be older than the mark */
			if (histogram_bounds_us[i] < p->latency.max_us)
				p->latency.max_us = histogram_bounds_us[i];
			break;
		}
	return any;
}
