/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kubelet's two log folders say: pod UID -> namespace and pod, container id -> container. Listings are kept as
 * tables, read again only when a folder's mtime has changed, and names that vanished stay for LOG_DIRS_KEEP_NS.
 */
#ifndef IMDSNOOP_LOG_DIRS_H
#define IMDSNOOP_LOG_DIRS_H

#include <stddef.h>
#include <stdint.h>

#define LOG_DIRS_KEEP_NS 60000000000ull

struct log_dirs;

struct log_who { /* never NULL; container is empty where it is not known */
	const char *ns;
	const char *pod;
	const char *container;
};

/*
 * A folder of NULL is a missing one. limit: names kept per folder. clock: CLOCK_MONOTONIC, that log_dirs_refresh is given
 * too; what a read costs is measured by it. Reads nothing yet. Returns 0 or -ENOMEM.
 */
int log_dirs_new(const char *pod_logs, const char *container_logs, size_t limit, uint64_t (*clock)(void),
		 struct log_dirs **ret_dirs);
void log_dirs_free(struct log_dirs *dirs);

/*
 * Looks at the folders unless that was done just now, and reads what has changed: cheap enough to call at each miss.
 * Returns a number, never 0, that moves when the tables may have changed.
 */
uint32_t log_dirs_refresh(struct log_dirs *dirs, uint64_t now_ns);

/*
 * Who has this pod UID and container id (either may be empty). Returns 0, or -ENOENT when neither is known. The strings
 * live until the next refresh.
 */
int log_dirs_find(struct log_dirs *dirs, const char *uid, const char *id, struct log_who *ret_who);

/* Of the last look at a folder: 0 or the negative errno; -EAGAIN before the first. */
int log_dirs_pod_err(const struct log_dirs *dirs);
int log_dirs_container_err(const struct log_dirs *dirs);

/* Names that found no room. */
uint64_t log_dirs_dropped(const struct log_dirs *dirs);

#endif
