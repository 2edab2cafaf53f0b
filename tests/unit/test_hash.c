/* SPDX-License-Identifier: GPL-2.0-only */
#include "../../user/base/hash.h"
#include "unit.h"

#define KEYS 300000 /* of 32 bits: about ten pairs meet */

struct hashed {
	uint32_t hash, key;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static uint32_t hash_of(uint32_t key)
{
	char name[32];
	uint32_t value;

	snprintf(name, sizeof(name), "kubepods-pod%u.slice", key);
	HASH_FUNCTION(name, strlen(name), value);
	return value;
}

static void names_that_meet_once_do_not_meet_the_next_time(void **state)
{
	struct hashed *keys = calloc(KEYS, sizeof(*keys));
	int met = 0, again = 0;

	assert_non_null(keys);
	for (uint32_t i = 0; i < KEYS; i++)
		keys[i] = (struct hashed){ hash_of(i), i };
	qsort(keys, KEYS, sizeof(*keys), by_hash);
	hash_draw_secret();
	for (int i = 1; i < KEYS; i++)
		if (keys[i - 1].hash == keys[i].hash) {
			met++;
			again += hash_of(keys[i - 1].key) == hash_of(keys[i].key);
		}
	free(keys);
	assert_in_range(met, 1, 40);
	assert_int_equal(again, 0);
}

static void a_hash_goes_on_from_another_and_knows_lengths(void **state)
{
	assert_true(hash_key(hash_key(0, "ab", 2), "c", 1) != hash_key(hash_key(0, "a", 1), "bc", 2));
	assert_true(hash_key(0, "a\0", 2) != hash_key(0, "a", 1));
	assert_true(hash_key(0, "12345678a", 9) != hash_key(0, "12345678b", 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_meet_once_do_not_meet_the_next_time),
		cmocka_unit_test(a_hash_goes_on_from_another_and_knows_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
