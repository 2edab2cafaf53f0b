/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of others, read without being led astray: below a folder no symbolic link is followed, and only a regular file
 * of a bounded size is read, without waiting (a FIFO would block). Needs no openat2(2), which kernels before 5.6 and
 * some containers' seccomp profiles lack.
 */
#ifndef IMDSNOOP_SAFE_FILE_H
#define IMDSNOOP_SAFE_FILE_H

#include <stddef.h>

/*
 * Opens the folder at path (absolute) as seen from root_fd as "/": links on the way are followed (a data folder is often
 * one), but never out of root. Returns a descriptor or a negative errno.
 */
int safe_open_root(int root_fd, const char *path);

/* Opens the folder at path, relative to dir_fd; -ELOOP or -ENOTDIR where a part of it is a link. */
int safe_open_dir(int dir_fd, const char *path);

/*
 * The whole of a regular file at path, relative to dir_fd, with a NUL behind it, into *ret_text (free(3)). Returns its
 * length, or a negative errno: -EFBIG above max bytes, -EINVAL for what is no regular file.
 */
long safe_read_file(int dir_fd, const char *path, size_t max, char **ret_text);

#endif
