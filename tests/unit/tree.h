/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of the test's own, and what it puts there. After cmocka.h. */
#ifndef TEST_TREE_H
#define TEST_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* root: "/tmp/NAME.XXXXXX", and its name afterwards. Returns its descriptor. */
static inline int tree_new(char *root)
{
	int fd;

	assert_non_null(mkdtemp(root));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The folders that lead to path. */
static inline void tree_above(int fd, const char *path)
{
	char buf[1024];

	snprintf(buf, sizeof(buf), "%s", path);
	for (char *slash = buf; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		assert_true(!mkdirat(fd, buf, 0755) || errno == EEXIST);
	}
}

/* A folder, with those that lead to it. Returns its inode. */
static inline uint64_t tree_folder(int fd, const char *path)
{
	struct stat st;

	tree_above(fd, path);
	assert_true(!mkdirat(fd, path, 0755) || errno == EEXIST);
	assert_int_equal(fstatat(fd, path, &st, 0), 0);
	return st.st_ino;
}

/* A file anew, with the folders that lead to it. */
static inline void tree_put(int fd, const char *path, const char *text)
{
	int file;

	tree_above(fd, path);
	file = openat(fd, path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, text, strlen(text)), strlen(text));
	close(file);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void tree_remove(const char *root, int fd)
{
	close(fd);
	nftw(root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
