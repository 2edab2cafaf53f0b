/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a cgroup is. */
#ifndef IMDSNOOP_POD_IDENTITY_H
#define IMDSNOOP_POD_IDENTITY_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "runtime.h"

/* No member is ever NULL; an empty string means unknown. cgroup is relative to the cgroup root, without a leading '/'. */
struct pod_identity {
	uint64_t cgroup_id;
	const char *namespace;
	const char *pod;
	const char *container;
	const char *pod_uid;
	const char *container_id;
	const char *cgroup;
	const char *workload; /* the name without what a controller generated, compose service, task family, unit */
	const char *project;  /* compose project, swarm stack, ECS cluster */
	enum runtime runtime;
	uint64_t maker; /* who may make cgroups of this kind, as a number: a pod, container, user, folder; 0: none of these */
};

/* What is counted for nobody. */
#define POD_IDENTITY_NOBODY                                                                                   \
	{                                                                                                     \
		.namespace = "", .pod = "", .container = "", .pod_uid = "", .container_id = "", .cgroup = "", \
		.workload = "", .project = "",                                                                \
	}

/* Copies who; its strings into one allocation, which begins at namespace (free(3) that). Returns 0 or -ENOMEM. */
static inline int pod_identity_copy(struct pod_identity *to, const struct pod_identity *who)
{
	const char *from[] = { who->namespace,	  who->pod,    who->container, who->pod_uid,
			       who->container_id, who->cgroup, who->workload,  who->project };
	const char **into[] = { &to->namespace,	   &to->pod,	&to->container, &to->pod_uid,
				&to->container_id, &to->cgroup, &to->workload,	&to->project };
	const size_t n = LEN(from);
	size_t len = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		len += strlen(from[i]) + 1;
	p = malloc(len);
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		*into[i] = p;
		p = stpcpy(p, from[i]) + 1;
	}
	to->cgroup_id = who->cgroup_id;
	to->runtime = who->runtime;
	to->maker = who->maker;
	return 0;
}

#endif
