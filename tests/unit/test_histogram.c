/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/model/histogram.c */
#include "../../user/model/histogram.h"
#include "unit.h"

static void empty_has_no_percentiles(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	assert_int_equal(histogram_quantile_us(&h, 0.5), 0);
	histogram_clear(&h);
}

static void bounds_rise_and_end_open(void **state)
{
	size_t i;

	(void)state;
	for (i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
	assert_true(histogram_bounds_us[HISTOGRAM_BUCKETS - 1] == UINT64_MAX);
}

/* A bucket holds its own upper bound, as Prometheus's `le` wants it. */
static void value_on_a_bound_belongs_below(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	histogram_add(&h, 100);
	histogram_add(&h, 101);
	histogram_add(&h, 5000001);
	histogram_add(&h, UINT64_MAX);
	assert_int_equal(h.bucket[0], 1);
	assert_int_equal(h.bucket[1], 1);
	assert_int_equal(h.bucket[HISTOGRAM_BUCKETS - 1], 2);
	assert_int_equal(h.count, 4);
	histogram_clear(&h);
}

static void one_value_is_each_percentile(void **state)
{
	static const uint64_t values[] = { 0,	 1,	15,    16,	17,	  31,	    32,	       999,
					   3000, 65535, 65536, 4400000, 67108863, 67108864, UINT64_MAX };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct histogram h = { 0 };

		histogram_add(&h, values[i]);
		assert_true(histogram_quantile_us(&h, 0) == values[i]);
		assert_true(histogram_quantile_us(&h, 0.5) == values[i]);
		assert_true(histogram_quantile_us(&h, 1) == values[i]);
		histogram_clear(&h);
	}
}

static void percentiles_err_less_than_a_step(void **state)
{
	static const double quantiles[] = { 0.01, 0.5, 0.9, 0.99, 1 };
	struct histogram h = { 0 };
	uint64_t n = 100000, v;
	size_t i;

	(void)state;
	for (v = 1; v <= n; v++)
		histogram_add(&h, v);
	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		double exact = quantiles[i] * (double)n, got = (double)histogram_quantile_us(&h, quantiles[i]);

		assert_true(got >= exact && got <= exact * 1.0625);
	}
	assert_int_equal(h.max_us, n);
	assert_int_equal(h.sum_us, n * (n + 1) / 2);
	histogram_clear(&h);
}

static void merge_equals_adding_all(void **state)
{
	struct histogram a = { 0 }, b = { 0 }, all = { 0 }, empty = { 0 };
	size_t i;

	(void)state;
	for (i = 1; i < 2000; i++) {
		histogram_add(i % 3 ? &a : &b, i * i);
		histogram_add(&all, i * i);
	}
	histogram_merge(&a, &empty);
	histogram_merge(&empty, &b);
	histogram_merge(&a, &empty);
	for (i = 0; i <= 100; i++)
		assert_true(histogram_quantile_us(&a, (double)i / 100) == histogram_quantile_us(&all, (double)i / 100));
	assert_memory_equal(a.bucket, all.bucket, sizeof(a.bucket));
	assert_int_equal(a.count, all.count);
	assert_int_equal(a.sum_us, all.sum_us);
	assert_int_equal(a.max_us, all.max_us);
	histogram_clear(&a);
	histogram_clear(&b);
	histogram_clear(&all);
	histogram_clear(&empty);
}

/* 64 bytes a power of two, from the smallest value to the largest, in whatever order they come. */
static void only_the_span_of_the_values_is_held(void **state)
{
	static const uint64_t values[] = { 1000, 1001, 400, 3, 5000, UINT64_MAX, 0 };
	static const uint16_t steps[] = { 16, 16, 32, 112, 160, 368, 368 };
	struct histogram h = { 0 }, small = { 0 }, large = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		histogram_add(&h, values[i]);
		assert_int_equal(h.fine_len, steps[i]);
	}
	assert_int_equal(histogram_quantile_us(&h, 0.25), 3);
	histogram_add(&small, 20);
	histogram_add(&large, 70000);
	histogram_merge(&large, &small);
	assert_int_equal(histogram_quantile_us(&large, 0.5), 20);
	assert_int_equal(histogram_quantile_us(&large, 1), 70000);
	histogram_merge(&small, &large);
	assert_int_equal(histogram_quantile_us(&small, 0.6), 20);
	assert_int_equal(histogram_quantile_us(&small, 1), 70000);
	histogram_clear(&h);
	histogram_clear(&small);
	histogram_clear(&large);
}

/* As after a failed allocation: buckets answer, and nothing half-filled comes back by a merge. */
static void without_memory_buckets_answer(void **state)
{
	struct histogram h = { 0 }, fine = { 0 };

	(void)state;
	histogram_add(&h, 120);
	free(h.fine);
	h.fine = NULL;
	histogram_add(&h, 3000);
	assert_null(h.fine);
	assert_int_equal(histogram_quantile_us(&h, 0.5), 250);
	assert_int_equal(histogram_quantile_us(&h, 1), 3000);
	histogram_add(&fine, 7000);
	histogram_merge(&fine, &h);
	assert_null(fine.fine);
	assert_int_equal(histogram_quantile_us(&fine, 0.3), 250);
	histogram_clear(&fine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_has_no_percentiles),
		cmocka_unit_test(bounds_rise_and_end_open),
		cmocka_unit_test(value_on_a_bound_belongs_below),
		cmocka_unit_test(one_value_is_each_percentile),
		cmocka_unit_test(percentiles_err_less_than_a_step),
		cmocka_unit_test(merge_equals_adding_all),
		cmocka_unit_test(only_the_span_of_the_values_is_held),
		cmocka_unit_test(without_memory_buckets_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
