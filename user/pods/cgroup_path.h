/* SPDX-License-Identifier: GPL-2.0-only */
/* From the path of a cgroup to the pod and container that it belongs to. Pure: no file is read here. */
#ifndef IMDSNOOP_CGROUP_PATH_H
#define IMDSNOOP_CGROUP_PATH_H

#include <stddef.h>

#include "runtime.h"

#define POD_UID_SIZE 37	     /* 36 characters with dashes, or 32 hex digits of a static pod, and a NUL */
#define CONTAINER_ID_SIZE 65 /* 64 hex digits and a NUL */

struct cgroup_ids { /* strings are empty where the path has no such part */
	char pod_uid[POD_UID_SIZE];
	char container_id[CONTAINER_ID_SIZE]; /* the outermost one in the pod, the one that the kubelet knows */
	char around_id[CONTAINER_ID_SIZE]; /* of the container that the pod is in: a node of kind, or a tenant's forgery */
	size_t container_at, around_at; /* where the folder with that id begins in the path; what is before it made it */
	size_t owner_len;		/* of the path up to the pod's folder, without a pod the container's */
};

/*
 * The outermost pod counts, and the outermost container in it: what is below was made by a tenant and names nobody.
 * Nested runtimes (kind) have a container around their pods. Returns 0, or -ENOENT for a path outside any pod and
 * container: a host service, a normal case.
 */
int cgroup_path_parse(const char *path, size_t len, struct cgroup_ids *ret_ids);

/* Who runs what is at path, as its form tells; ids as parsed from it. What has no id is systemd's or nobody's. */
enum runtime cgroup_path_runtime(const char *path, const struct cgroup_ids *ids);

/* The user in whose own tree ("user-1000.slice", "user@1000.service") the first len bytes of path are, 0: in nobody's. */
unsigned int cgroup_path_user(const char *path, size_t len);

/*
 * Picks the most telling path from the text of /proc/PID/cgroup (cgroups(7)): one that names a pod, then a container,
 * then any but "/"; among equals the v2 line. ret_path points into text. Returns 0, or -ENOENT when no line has a path.
 */
int cgroup_path_from_proc(const char *text, size_t len, const char **ret_path, size_t *ret_len);

/* True for the two forms of a UID: 8-4-4-4-12 lower-case hex digits, or 32 without dashes. */
int cgroup_path_is_uid(const char *s, size_t len);

/* How many lower-case hex digits s starts with. */
size_t cgroup_path_hex_span(const char *s, size_t len);

#endif
