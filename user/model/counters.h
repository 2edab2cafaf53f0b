/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of a row that only grow, as one list: to add rows up, and to tell what was added since a moment. Pure.
 */
#ifndef IMDSNOOP_COUNTERS_H
#define IMDSNOOP_COUNTERS_H

#include "snapshot.h"

/* All that grows, except histograms' fine steps. into's kinds are freed by counters_free_kinds(). */
void counters_add(struct pod_stats *into, const struct pod_stats *from);
/* For totals: with fine steps and what runs now, without kinds. */
void counters_add_totals(struct pod_stats *into, const struct pod_stats *from);
void counters_add_drop(struct pod_stats *into, const char *reason, uint64_t packets);
void counters_add_drops(struct pod_stats *into, const struct pod_stats *from); /* packets dropped alone */
/* Those alike are one; what is over POD_STATS_ERRORS and POD_STATS_NOTES is in responses and causes alone. */
void counters_add_error(struct pod_stats *into, const struct error_count *from);
void counters_add_note(struct pod_stats *into, const struct drop_note *from);

/* The figures of one kind, made if there are none yet; NULL: no memory. */
struct kind_stats *counters_kind(struct pod_stats *p, enum imds_kind kind);
void counters_free_kinds(struct pod_stats *p);
void counters_add_kind(struct kind_stats *into, const struct kind_stats *from); /* without fine steps */

/*
 * What a report shows of a row, small: modulo 2^32, so a difference is right as long as less than that was added
 * between (lost time in milliseconds).
 */
#define COUNTERS_MARK_LEN 152
struct counters_mark {
	uint32_t v[COUNTERS_MARK_LEN];
};
void counters_mark(const struct pod_stats *p, struct counters_mark *ret);

/* What mark `to` has more than `from`, as figures: those that counters_since() has, drops and processes left out. */
void counters_between(const struct counters_mark *from, const struct counters_mark *to, struct pod_stats *ret);
/*
 * Leaves in p what was added since mark. p->latency.fine must not be shared: it is set to NULL, so that percentiles come
 * from the buckets. Returns false when nothing was added.
 */
bool counters_since(struct pod_stats *p, const struct counters_mark *mark);

#endif
