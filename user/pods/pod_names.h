/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who a cgroup is: cgroup id -> path -> pod UID and container id -> namespace, pod and container name.
 * Sources: the cgroup v2 tree (folder inode = cgroup id), the kubelet's log folders, and the container runtimes' own state.
 * No API server.
 */
#ifndef IMDSNOOP_POD_NAMES_H
#define IMDSNOOP_POD_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pod_identity.h"

struct pod_names_options {
	int cgroup_fd;		    /* open folder of the whole cgroup v2 mount's root; not owned */
	const char *pod_logs;	    /* /var/log/pods */
	const char *container_logs; /* /var/log/containers */
	const char *runtime_dirs;   /* what is "/" to the container runtimes' state; NULL: do not look */
	const char *node;	    /* name of the node, static pods have it in theirs; NULL: unknown */
	size_t max_entries;	    /* cgroups kept; the least recently used of the gone ones goes first */
	/*
	 * What is seen lies below this folder, as the kernel gives paths, without a leading '/'; NULL: anywhere. What comes
	 * and goes elsewhere takes no room; it is read from the tree when somebody asks.
	 */
	const char *watched;
	bool whole; /* cgroup_fd is the hierarchy's root: what it holds is at the paths that the kernel gives */
};

struct pod_names;

/*
 * Scans the tree once. Returns 0 or a negative errno. Missing log folders are no error: names stay
 * unknown and pod_logs_err of the stats says so.
 */
int pod_names_new(const struct pod_names_options *options, struct pod_names **ret_names);
void pod_names_free(struct pod_names *names);

/* From the cgroup_mkdir and cgroup_rmdir tracepoints; path as the kernel gives it, from the hierarchy's root. */
void pod_names_on_mkdir(struct pod_names *names, uint64_t cgroup_id, const char *path);
void pod_names_on_rmdir(struct pod_names *names, uint64_t cgroup_id, uint64_t now_ns);

/*
 * Never NULL: an unknown cgroup gets an identity whose cgroup is "cgroup:<id>". The pointer stays valid until the
 * next call that takes a non-const struct pod_names. Names still missing are looked up again once a log folder has
 * changed, which is looked at every 5 ms at most. pid (0: unknown) helps on nodes with cgroup v1 only, through
 * /proc/PID/cgroup.
 */
const struct pod_identity *pod_names_get(struct pod_names *names, uint64_t cgroup_id, uint32_t pid, uint64_t now_ns);

/*
 * The same for what a process did at since_ns (CLOCK_MONOTONIC): a process that began later has only got its pid, and
 * names nobody.
 */
const struct pod_identity *pod_names_get_since(struct pod_names *names, uint64_t cgroup_id, uint32_t pid,
					       uint64_t since_ns, uint64_t now_ns);

/* Drops names of cgroups that are gone since more than keep_ns. */
void pod_names_expire(struct pod_names *names, uint64_t now_ns, uint64_t keep_ns);

/* Of whom most of stats.beyond_share are, by one of its cgroups; NULL: not known. As pod_names_get() gives it. */
const struct pod_identity *pod_names_most_beyond(struct pod_names *names, uint64_t now_ns);

/* True when the cgroup still exists as far as we know. */
int pod_names_is_alive(const struct pod_names *names, uint64_t cgroup_id);

/*
 * Calls fn for each cgroup known now that belongs to a container and still exists (for `probe`). Stops when fn returns
 * non-zero and returns that.
 */
typedef int (*pod_names_fn)(void *arg, const struct pod_identity *who);
int pod_names_for_each(struct pod_names *names, uint64_t now_ns, pod_names_fn fn, void *arg);

/*
 * How many folders below this cgroup rows are told apart, when it is a pod's, or a container's outside any pod
 * (POD_NAMES_ANY_DEPTH); -1 when it is neither.
 */
#define POD_NAMES_ANY_DEPTH 0xff
int pod_names_owner_depth(struct pod_names *names, uint64_t cgroup_id);
/* Calls fn for each cgroup that may be one. fn may ask for its depth. */
typedef void (*pod_names_owner_fn)(void *arg, uint64_t cgroup_id);
void pod_names_each_owner(struct pod_names *names, pod_names_owner_fn fn, void *arg);

struct pod_names_stats {
	size_t cgroups; /* entries held now */
	size_t limit;
	uint64_t unknown;	/* look-ups that found no cgroup path */
	uint64_t unnamed;	/* a pod UID or container id without a log folder */
	uint64_t evicted;	/* entries thrown out because the table was full */
	uint64_t beyond_share;	/* entries thrown out, or not taken, because their maker had an eighth of the table */
	uint64_t unreadable;	/* cgroup folders that scans had no right to read */
	uint64_t rescans;	/* scans of the tree after the first one */
	uint64_t files_skipped; /* state files of runtimes that were broken, half written, too large, no regular files */
	uint64_t deferred;	/* looks into these put off, for too much was read in that second */
	int pod_logs_err;	/* of reading that folder last: 0, a negative errno, -EAGAIN before the first time */
	int container_logs_err;
};
void pod_names_get_stats(const struct pod_names *names, struct pod_names_stats *ret_stats);

#endif
