/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of snapshots added up to workloads: what a controller makes anew again and again is one line. Sums only grow, also
 * when rows leave. Bounded by max_workloads; what is over goes to one workload, `other`. Knows no clock and no kernel.
 */
#ifndef IMDSNOOP_WORKLOAD_TABLE_H
#define IMDSNOOP_WORKLOAD_TABLE_H

#include "../pods/workload.h"
#include "snapshot.h"

/* uint64_t alone, for sums and differences. */
struct workload_counts {
	uint64_t requests[IMDS_VERSION_COUNT][OUTCOME_COUNT];
	uint64_t v1_answered, v1_credentials; /* as in struct pod_stats */
	uint64_t token_requests, token_answered;
	uint64_t fallbacks, lost_us;
	uint64_t lost; /* its own losses */
};

struct workload {
	const char *namespace,
	    *name;    /* of a compose service or a task: project or cluster; of nothing such: "", its cgroup */
	bool other;   /* holds what is over max_workloads, and the row of what is over --max-pods */
	bool unnamed; /* a container whose owner's name never came */
	struct workload_counts sum;
	struct workload_counts saved; /* the ledger's: what of sum it has written */
	unsigned int providers;	      /* bit per enum provider */
	int required_hop_limit;	      /* the highest that was seen needed; 0: unknown */
	bool at_least;		      /* and one of the rows of now may need more */
	size_t pods;		      /* rows now */
	size_t findings[FINDING_COUNT];
	/* seconds since 1970; 0: never */
	uint64_t first_s, last_s, last_v1_s;
};

struct workload_table;

/* saves: a ledger keeps `saved`; what it has not written yet does not leave. Returns 0 or -ENOMEM. */
int workload_table_new(size_t max_workloads, bool saves, struct workload_table **ret_table);
void workload_table_free(struct workload_table *t);

/*
 * Adds what the rows of s have more than at the last call; to be called more often than rows leave (every 5 minutes).
 * Workloads without a row leave a day after their last request. Returns 0 or -ENOMEM: then it is counted in `missed`.
 */
int workload_table_update(struct workload_table *t, const struct snapshot *s);

/* By namespace and name, `other` last; valid until the next update. */
struct workload *const *workload_table_list(const struct workload_table *t, size_t *ret_len);

struct workload_table_stats {
	size_t workloads, limit;
	uint64_t overflowed; /* requests that went to `other` for want of room */
	uint64_t missed;     /* updates that found no memory */
};
void workload_table_get_stats(const struct workload_table *t, struct workload_table_stats *ret_stats);

/* The sum over all outcomes of one version. */
uint64_t workload_requests(const struct workload_counts *c, enum imds_version version);
/* Requests that left without an answer: not aborted ones, and not what went elsewhere. */
uint64_t workload_unanswered(const struct workload_counts *c);

#endif
