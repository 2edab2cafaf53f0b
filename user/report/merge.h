/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports of many nodes joined into one, each given once and not kept: what stays of it is copied, cut and bounded, so
 * that a node that lies costs its own rows only. Pure.
 */
#ifndef IMDSNOOP_MERGE_H
#define IMDSNOOP_MERGE_H

#include "../base/hash.h"
#include "report_doc.h"

#define MERGE_NODES_MAX 20000
#define MERGE_PODS_MAX 200000 /* rows, the worst ones; the sums are of all */
#define MERGE_GROUPS_MAX 20000
#define MERGE_DIFFERENCES_MAX 64 /* facts that are compared */
#define MERGE_VALUES_MAX 32	 /* of one fact; what is over is one more, "other values" */
#define MERGE_ADVICE_MAX 16	 /* lines */
#define MERGE_SEEN_MAX \
	(1u << 19) /* findings of pods and of nodes that are told from those of another report of theirs */

/* A report: its node's names, its own counts. Everything in one block. */
struct merge_node {
	const char *file, *version, *node, *kernel, *started;
	double started_s, duration_s; /* since 1970; 0: not known */
	int node_token_ttl;
	FIGURES_HERE;
	uint64_t lost;
	enum level level;
	size_t stretch; /* of time in which reports of its node overlap: a number of its own, after merge_end() */
	UT_hash_handle hh;
	char key[]; /* node, NUL, started, NUL, and how long */
};

/* One row of one report; its names are in one block of its own. */
struct merge_pod {
	const struct merge_node *node;
	NAMES_HERE(pod);
	const char *workload, *text;
	FIGURES_HERE;
	uint64_t hop_limit_requests;
	int64_t p50_us, p99_us;
	int required_hop_limit;
	enum level level;
	enum hop_limit_state hop_limit;
	bool other;
};

/* One finding code of one workload, over all nodes. The words of the gravest stand for all; among equals, those of the
 * first node by name. */
struct merge_group {
	enum severity severity; /* the gravest */
	const char *code;
	NAMES_HERE(workload);
	size_t pods, nodes;	/* with this finding */
	double seconds_lost;	/* of these pods */
	int required_hop_limit; /* the highest; 0: unknown */
	const char *summary;
	const char **advice;		 /* NULL-ended */
	const struct merge_node *worst;	 /* whose words these are */
	const struct merge_node *newest; /* report that had it */
	UT_hash_handle hh;
	char key[]; /* code, namespace, workload, container, cgroup, each with its NUL */
};

struct merge_seen {
	uint64_t hash;
	const struct merge_node *by; /* NULL: free */
};

/* A fact in which the nodes differ, and which of them say what. */
struct merge_value {
	char value[96];
	const struct merge_node **nodes;
	size_t nodes_len, room;
};
struct merge_difference {
	char what[64];		    /* "kernel", "version", "hop limit", "feature drops" */
	size_t known;		    /* nodes that say anything of it */
	struct merge_value *values; /* the most frequent first */
	size_t values_len;
};

/* All zeros before the first merge_add(). Sums stop at INT64_MAX, which JSON can hold. */
struct merged {
	const struct merge_node **nodes; /* reports; by name and start after merge_end() */
	size_t nodes_len, nodes_room;
	size_t hosts;		 /* nodes that they are of; the rest of these there after merge_end(), the sums too */
	size_t overlapping;	 /* reports that began before another one of the same node had ended */
	char note[256];		 /* what that means for the sums, "" without any */
	struct merge_seen *seen; /* whose finding was counted */
	size_t seen_len, seen_room;
	struct merge_node *by_key;
	enum level level;    /* the gravest of the reports' own */
	char headline[1024]; /* a single report's own; names in it are from outside */
	char said[1024];     /* by the first of the gravest reports */
	const char *said_node;
	size_t alike; /* reports of that level */
	FIGURES_HERE;
	uint64_t lost;
	size_t hop_limit_pods;	 /* exhausted ones */
	bool hop_limit_tokens;	 /* one of them asked for a token: the response hop limit is the tokens' alone */
	size_t severities[3];	 /* groups by enum severity */
	int required_hop_limit;	 /* the highest of all pods that use tokens; 0: unknown */
	int exhausted_hop_limit; /* the highest of the exhausted ones; 0: unknown */
	struct merge_pod *pods;	 /* worst first after merge_end() */
	size_t pods_len, pods_room;
	size_t pods_seen; /* rows in the reports, those not kept too */
	struct merge_group *by_group;
	const struct merge_group **groups; /* worst first; there after merge_end() */
	size_t groups_len, groups_lost;	   /* lost: findings of workloads beyond the bound */
	struct merge_difference *differences;
	size_t differences_len, differences_lost; /* lost: facts beyond the bound, of all reports */
};

/*
 * Adds what d says; borrows nothing. Returns 0, -ENOMEM, -E2BIG beyond MERGE_NODES_MAX, or -EEXIST when a report of that
 * node and start was added before: *ret_twin is where that was read from.
 */
int merge_add(struct merged *m, const struct report_doc *d, const char **ret_twin);
/* Sorts and sums up, once all are added. Returns 0 or -ENOMEM. */
int merge_end(struct merged *m);
void merge_clear(struct merged *m);

#endif
