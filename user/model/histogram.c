/* SPDX-License-Identifier: GPL-2.0-only */
#include "histogram.h"

#include <stdlib.h>
#include <string.h>

/*
 * Fine steps: values below 16 us have one each, then 16 per power of two up to 2^26 us (67 s, longer than any client
 * waits). What is above shares the last one, for which max_us answers. Only the powers of two between the smallest and
 * the largest value are held: the answers that one pod gets lie close together, and a node has a thousand pods.
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

/* Without memory fine[] goes for good: half of the values in it would give wrong percentiles. */
static void make_room(struct histogram *h, size_t first, size_t last)
{
	size_t from = first / STEPS * STEPS, to = (last / STEPS + 1) * STEPS;
	uint32_t *fine;

	if (h->fine) {
		size_t end = h->fine_from + h->fine_len;

		from = from < h->fine_from ? from : h->fine_from;
		to = to > end ? to : end;
		if (to - from == h->fine_len)
			return;
	}
	fine = calloc(to - from, sizeof(*fine));
	if (fine && h->fine)
		memcpy(fine + (h->fine_from - from), h->fine, h->fine_len * sizeof(*fine));
	free(h->fine);
	h->fine = fine;
	h->fine_from = (uint16_t)from;
	h->fine_len = (uint16_t)(to - from);
}

void histogram_add(struct histogram *h, uint64_t us)
{
	size_t b = 0, step = fine_index(us);

	if (!h->count || h->fine)
		make_room(h, step, step);
	while (us > histogram_bounds_us[b])
		b++;
	h->bucket[b]++;
	h->count++;
	h->sum_us += us;
	if (us > h->max_us)
		h->max_us = us;
	if (h->fine)
		add_saturated(&h->fine[step - h->fine_from], 1);
}

uint64_t histogram_quantile_us(const struct histogram *h, double quantile)
{
	double wanted = quantile * (double)h->count;
	uint64_t rank, seen = 0, edge = UINT64_MAX;
	size_t i;

	if (!h->count)
		return 0;
	if (!(wanted > 1)) /* NaN too */
		rank = 1;
	else if (quantile >= 1)
		rank = h->count;
	else
		rank = (uint64_t)wanted + ((double)(uint64_t)wanted < wanted);
	if (h->fine) {
		for (i = 0; i < h->fine_len && seen < rank; i++) {
			seen += h->fine[i];
			edge = fine_upper_us(h->fine_from + i);
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
	if (from->fine && (!into->count || into->fine)) {
		make_room(into, from->fine_from, from->fine_from + from->fine_len - 1u);
	} else {
		free(into->fine);
		into->fine = NULL;
	}
	if (into->fine)
		for (i = 0; i < from->fine_len; i++)
			add_saturated(&into->fine[from->fine_from - into->fine_from + i], from->fine[i]);
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
