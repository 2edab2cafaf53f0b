/* SPDX-License-Identifier: GPL-2.0-only */
/* How many pods rows are: the containers of one pod are one, what is no pod is one by itself. Pure. */
#ifndef IMDSNOOP_POD_COUNT_H
#define IMDSNOOP_POD_COUNT_H

#include "../model/snapshot.h"

struct pod_count {
	size_t *pod_of; /* of each row of the snapshot: the first row of its pod */
	bool *counted;
	size_t rows, pods;
};

/* c->pods: of all rows. Returns 0 or -ENOMEM; free by pod_count_clear() in any case. */
int pod_count_of(const struct snapshot *s, struct pod_count *c);
void pod_count_clear(struct pod_count *c);

/* To count some of them: begin, then add rows in any order; true: the first of its pod. */
void pod_count_begin(struct pod_count *c);
bool pod_count_add(struct pod_count *c, size_t row);

#endif
