/* SPDX-License-Identifier: GPL-2.0-only */
/* Durations: a log-linear histogram (16 steps per power of two, error below 6.25 %) for percentiles, and Prometheus buckets. */
#ifndef IMDSNOOP_HISTOGRAM_H
#define IMDSNOOP_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 14 /* upper bounds in histogram_bounds_us, the last is +Inf */

struct histogram {
	uint64_t count;
	uint64_t sum_us;
	uint64_t max_us;
	uint64_t bucket[HISTOGRAM_BUCKETS]; /* not cumulative */
	/* the fine steps from fine_from on; NULL: empty, or no memory (percentiles from bucket[]) */
	uint32_t *fine;
	uint16_t fine_from, fine_len;
};

/* 100us 250us 500us 1ms 2.5ms 5ms 10ms 50ms 100ms 250ms 500ms 1s 5s +Inf (UINT64_MAX) */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS];

/* One more, of us microseconds. */
void histogram_add(struct histogram *h, uint64_t us);
/* quantile in 0..1; 0 when empty. Upper edge of the step that holds it, never above max_us. */
uint64_t histogram_quantile_us(const struct histogram *h, double quantile);
void histogram_merge(struct histogram *into, const struct histogram *from);
void histogram_clear(struct histogram *h); /* frees fine */

#endif
