/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/memory_limit.c */
#include "../../user/kernel/memory_limit.h"
#include "unit.h"
#include "tree.h"

/* The tightest limit counts, whatever level and version it is on; what cannot be read is none. */
static void tightest_limit(void **state)
{
	static const struct {
		const char *self, *outer, *inner, *v1;
		uint64_t want;
	} rows[] = {
		{ "0::/a/b\n", "max\n", "max\n", "4096\n", UINT64_MAX },
		{ "0::/a/b\n", "max\n", "335544320\n", "4096\n", 335544320 },
		{ "0::/a/b\n", "104857600\n", "335544320\n", "4096\n", 104857600 },
		{ "4:memory:/p\n0::/\n", "max\n", "max\n", "4096\n", 4096 },
		{ "4:memory:/p\n0::/a/b\n", "2048\n", "max\n", "9223372036854771712\n", 2048 },
		{ "0::/elsewhere\n", "2048\n", "2048\n", "2048\n", UINT64_MAX },
		{ "nonsense\n", "2048\n", "2048\n", "2048\n", UINT64_MAX },
	};
	char root[] = "/tmp/test_memory_limit.XXXXXX", self[64], v2[64], v1[64];
	int fd;

	(void)state;
	fd = tree_new(root);
	snprintf(self, sizeof(self), "%s/self", root);
	snprintf(v2, sizeof(v2), "%s/v2", root);
	snprintf(v1, sizeof(v1), "%s/v1", root);
	assert_true(memory_limit(self, v2, v1) == UINT64_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		tree_put(fd, "self", rows[i].self);
		tree_put(fd, "v2/a/memory.max", rows[i].outer);
		tree_put(fd, "v2/a/b/memory.max", rows[i].inner);
		tree_put(fd, "v1/p/memory.limit_in_bytes", rows[i].v1);
		assert_true(memory_limit(self, v2, v1) == rows[i].want);
	}
	tree_put(fd, "self", "0::/a/b\n");
	assert_true(memory_limit(self, NULL, v1) == UINT64_MAX);
	tree_remove(root, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tightest_limit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
