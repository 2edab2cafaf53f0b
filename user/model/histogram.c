/* SPDX-License-Identifier: GPL-2.0-only */
#include "histogram.h"

#include <stdlib.h>

/*
 * Fine steps: values below 16 us have one each, then 16 per power of two up to 2^26 us (67 s, longer than any client
 * waits). What is above shares the last one, for which max_us answers. 1472 bytes: a node has a thousand pods, each
 * with a handful of histograms in use.
 */
#define STEPS 16
#define TOP_BIT 25
#define FINE_LEN ((TOP_BIT - 3) * STEPS + STEPS)

const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 50000, 100000, 250000, 500000, 1000000, 5000000, UINT64_MAX,
};

static size_t fine_index(uint64_t us)
{
	int top;

	if (us < STEPS)
		return us;
	top = 63 - __builtin_clzll(us);
	if (top > TOP_BIT)
		return FINE_LEN - 1;
	return (size_t)(top - 3) * STEPS + ((us >> (top - 4)) & (STEPS - 1));
}

static uint64_t fine_upper_us(size_t i)
{
	unsigned int shift;

	if (i < STEPS)
		return i;
	if (i == FINE_LEN - 1)
		return UINT64_MAX;
	shift = i / STEPS - 1;
	return ((STEPS + i % STEPS + 1ull) << shift) - 1;
}

static void add_saturated(uint32_t *to, uint64_t n)
{
	*to = n > UINT32_MAX - *to ? UINT32_MAX : *to + (uint32_t)n;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	size_t b = 0;

	/* Only before the first value: half of the values in fine[] would give wrong percentiles. */
	if (!h->count)
		h->fine = calloc(FINE_LEN, sizeof(*h->fine));
	while (us > histogram_bounds_us[b])
		b++;
	h->bucket[b]++;
	h->count++;
	h->sum_us += us;
	if (us > h->max_us)
		h->max_us = us;
	if (h->fine)
		add_saturated(&h->fine[fine_index(us)], 1);
}

uint64_t histogram_quantile_us(const struct histogram *h, double quantile)
{
	double wanted = quantile * (double)h->count;
	uint64_t rank, seen = 0, edge = UINT64_MAX;
	size_t i;

	if (!h->count)
		return 0;
	if (!(wanted > 1))		/* NaN too */
		rank = 1;
	else if (quantile >= 1)
		rank = h->count;
	else
		rank = (uint64_t)wanted + ((double)(uint64_t)wanted < wanted);
	if (h->fine) {
		for (i = 0; i < FINE_LEN && seen < rank; i++) {
			seen += h->fine[i];
			edge = fine_upper_us(i);
		}
	} else {
		for (i = 0; i < HISTOGRAM_BUCKETS && seen < rank; i++) {
			seen += h->bucket[i];
			edge = histogram_bounds_us[i];
		}
	}
	return edge < h->max_us ? edge : h->max_us;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	size_t i;

	if (!from->count)
		return;
	if (!into->count && from->fine)
		into->fine = calloc(FINE_LEN, sizeof(*into->fine));
	if (into->fine && !from->fine) {
		free(into->fine);
		into->fine = NULL;
	}
	if (into->fine)
		for (i = 0; i < FINE_LEN; i++)
			add_saturated(&into->fine[i], from->fine[i]);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->count += from->count;
	into->sum_us += from->sum_us;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
}

void histogram_clear(struct histogram *h)
{
	free(h->fine);
	*h = (struct histogram){ 0 };
}
