/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Container id -> names, from the container runtimes' own state on disk: Docker, containerd (CRI, nerdctl, ctr), CRI-O,
 * podman, rootless ones too. Looked up when asked, kept for a while; what is not found is kept too, for less long.
 */
#ifndef IMDSNOOP_RUNTIME_NAMES_H
#define IMDSNOOP_RUNTIME_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "runtime_files.h"

struct runtime_names;

struct runtime_who { /* no part is NULL; "" unknown */
	enum runtime runtime;
	const char *part[RUNTIME_PART_COUNT];
};

/*
 * root: where the node's "/" is ("/" in most cases, a mount in a container); limit: ids kept. A root that is not there is
 * no error: nothing is found, see runtime_names_state(). Returns 0 or -ENOMEM.
 */
int runtime_names_new(const char *root, size_t limit, struct runtime_names **ret_names);
void runtime_names_free(struct runtime_names *names);

/*
 * Who has this id. owner: the user that could make the container's cgroup. A user's own stores tell of its own containers
 * only, and the node's of the node's only: nobody can take another's name. NULL: not known (now). Valid until the next
 * call of this or of runtime_names_find_task().
 */
const struct runtime_who *runtime_names_find(struct runtime_names *names, const char *id, uint32_t owner,
					     uint64_t now_ns);

/* The same by cgroup path "<namespace>/<id>", as `ctr` makes it, whose ids are names that a person chose. */
const struct runtime_who *runtime_names_find_task(struct runtime_names *names, const char *path, uint64_t now_ns);

/* What is on this node of each runtime, in runtime_state order; for `check`. */
struct runtime_state {
	const char *name;  /* "docker", "containerd", "crio", "podman" */
	const char *place; /* folder that was looked at, the last one when none is there */
	const char *below; /* what of it holds the containers, "" or "/containers" */
	int err;	   /* 0: readable; -ENOENT: not on this node, or not mounted; else why not */
	size_t containers;
};
#define RUNTIME_STATES 4
/* What was found of each runtime at the newest look; names are ours. */
void runtime_names_state(struct runtime_names *names, struct runtime_state ret_states[RUNTIME_STATES]);

struct runtime_names_stats {
	size_t entries;
	uint64_t skipped;  /* files that were broken, half written, too large, or no regular files */
	uint64_t deferred; /* look-ups put off, for more was read in this second than we allow */
	uint64_t evicted;  /* from memory, to be looked up again: the cache was full */
};
void runtime_names_get_stats(const struct runtime_names *names, struct runtime_names_stats *ret_stats);

#endif
