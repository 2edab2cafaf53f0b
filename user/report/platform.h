/* SPDX-License-Identifier: GPL-2.0-only */
/* Where this node is: which cloud's service answers it, and what runs its containers. Learned from what was seen. Pure. */
#ifndef IMDSNOOP_PLATFORM_H
#define IMDSNOOP_PLATFORM_H

#include "../model/snapshot.h"

struct platform {
	enum provider cloud;  /* OTHER: not known */
	enum runtime runtime; /* of most containers that spoke; NONE: not known */
	bool is_eks;	      /* Kubernetes on EC2 with EKS's own agents or names */
};

struct platform platform_learn(const struct snapshot *s);
/* Of one row, by its names and cgroup. */
enum runtime platform_runtime(const struct pod_identity *who);

#endif
