/* SPDX-License-Identifier: GPL-2.0-only */
#include "safe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 16
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

/* Cuts the first part off *at into part; its length, 0: none is left, negative: too long. */
static int next_part(const char **at, char part[NAME_MAX + 1])
{
	size_t n;

	while (**at == '/')
		(*at)++;
	n = strcspn(*at, "/");
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(part, *at, n);
	part[n] = '\0';
	*at += n;
	return n;
}

/* As safe_open_dir(), leaving out the last part, which comes back in last. */
static int open_parent(int dir_fd, const char *path, char last[NAME_MAX + 1])
{
	int fd = openat(dir_fd, ".", DIR_FLAGS), sub, n = next_part(&path, last);
	char part[NAME_MAX + 1];

	if (fd < 0)
		return -errno;
	while (n > 0 && strcmp(last, "..")) {
		n = next_part(&path, part);
		if (!n)
			return fd;
		if (n < 0)
			break;
		sub = openat(fd, last, DIR_FLAGS);
		if (sub < 0) {
			n = -errno;
			break;
		}
		close(fd);
		fd = sub;
		memcpy(last, part, sizeof(part));
	}
	close(fd);
	return n < 0 ? n : -EINVAL;
}

int safe_open_dir(int dir_fd, const char *path)
{
	char last[NAME_MAX + 1];
	int fd, parent;

	if (!path[strspn(path, "/")])
		path = ".";
	parent = open_parent(dir_fd, path, last);
	if (parent < 0)
		return parent;
	fd = openat(parent, last, DIR_FLAGS);
	if (fd < 0)
		fd = -errno;
	close(parent);
	return fd;
}

/* Takes the last part off a path of whole parts. */
static void pop(char *done)
{
	char *slash = strrchr(done, '/');

	if (slash)
		*slash = '\0';
}

int safe_open_root(int root_fd, const char *path)
{
	char done[PATH_MAX] = ".", rest[2 * PATH_MAX], link[PATH_MAX], part[NAME_MAX + 1];
	const char *at = rest;
	int links = 0, n;

	if ((size_t)snprintf(rest, sizeof(rest), "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	while ((n = next_part(&at, part)) > 0) {
		size_t len = strlen(done);
		ssize_t target;

		if (!strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			pop(done);
			continue;
		}
		if (len + n + 2 > sizeof(done))
			return -ENAMETOOLONG;
		done[len] = '/';
		memcpy(done + len + 1, part, n + 1);
		target = readlinkat(root_fd, done, link, sizeof(link) - 1);
		if (target < 0)
			continue;
		if (++links > LINKS_MAX)
			return -ELOOP;
		link[target] = '\0';
		done[*link == '/' ? 1 : len] = '\0';
		if (strlen(at) + target + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		memmove(rest + target + 1, at, strlen(at) + 1);
		memcpy(rest, link, target);
		rest[target] = '/';
		at = rest;
	}
	return n < 0 ? n : safe_open_dir(root_fd, done);
}

static long read_all(int fd, size_t max, char **ret_text)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;
	char *text;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return -EFBIG;
	text = malloc(st.st_size + 1);
	if (!text)
		return -ENOMEM;
	/* what grows meanwhile is read to the size that it had: its parser will refuse it */
	while (len < (size_t)st.st_size && (n = read(fd, text + len, st.st_size - len)) > 0)
		len += n;
	if (n < 0) {
		n = -errno;
		free(text);
		return n;
	}
	text[len] = '\0';
	*ret_text = text;
	return len;
}

long safe_read_file(int dir_fd, const char *path, size_t max, char **ret_text)
{
	char last[NAME_MAX + 1];
	int parent = open_parent(dir_fd, path, last), fd;
	long ret;

	*ret_text = NULL;
	if (parent < 0)
		return parent;
	fd = openat(parent, last, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ret = fd < 0 ? -errno : read_all(fd, max, ret_text);
	if (fd >= 0)
		close(fd);
	close(parent);
	return ret;
}
