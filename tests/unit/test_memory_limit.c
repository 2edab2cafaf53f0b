/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/memory_limit.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/kernel/memory_limit.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void write_at(int root, const char *path, const char *text)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

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
	assert_non_null(mkdtemp(root));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (const char *const *s = (const char *const[]){ "v2", "v2/a", "v2/a/b", "v1", "v1/p", NULL }; *s; s++)
		assert_int_equal(mkdirat(fd, *s, 0700), 0);
	snprintf(self, sizeof(self), "%s/self", root);
	snprintf(v2, sizeof(v2), "%s/v2", root);
	snprintf(v1, sizeof(v1), "%s/v1", root);
	assert_true(memory_limit(self, v2, v1) == UINT64_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_at(fd, "self", rows[i].self);
		write_at(fd, "v2/a/memory.max", rows[i].outer);
		write_at(fd, "v2/a/b/memory.max", rows[i].inner);
		write_at(fd, "v1/p/memory.limit_in_bytes", rows[i].v1);
		assert_true(memory_limit(self, v2, v1) == rows[i].want);
	}
	write_at(fd, "self", "0::/a/b\n");
	assert_true(memory_limit(self, NULL, v1) == UINT64_MAX);
	close(fd);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tightest_limit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
