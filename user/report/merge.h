/* SPDX-License-Identifier: GPL-2.0-only */
/* Reports of many nodes joined into one. Pure. */
#ifndef IMDSNOOP_MERGE_H
#define IMDSNOOP_MERGE_H

#include "report_doc.h"

/* One finding code of one workload, over all nodes. */
struct merge_group {
	enum severity severity; /* the gravest */
	const char *code, *namespace, *workload, *container, *cgroup;
	size_t pods, nodes;		    /* with this finding */
	double seconds_lost;		    /* of these pods */
	int required_hop_limit;		    /* the highest; 0: unknown */
	const struct report_finding *worst; /* its words stand for all */
};

struct merge_pod {
	const struct report_doc *doc;
	const struct report_pod *pod;
};

/* A fact in which the nodes differ, and which of them say what. */
struct merge_value {
	char value[96];
	const struct report_doc **docs;
	size_t docs_len;
};
struct merge_difference {
	char what[64];		    /* "kernel", "version", "hop limit", "feature drops" */
	struct merge_value *values; /* the most frequent first */
	size_t values_len;
};

/* Borrows from the reports, which must outlive it. */
struct merged {
	const struct report_doc *const *docs; /* by node name */
	size_t docs_len;
	enum level level;    /* the gravest of the reports' own */
	char headline[1024]; /* a single report's own; names in it are from outside */
	uint64_t requests, answered, failed, lost;
	double seconds_lost;
	size_t hop_limit_pods;	 /* exhausted ones */
	size_t severities[3];	 /* groups by enum severity */
	int required_hop_limit;	 /* the highest of all pods that use tokens; 0: unknown */
	int exhausted_hop_limit; /* the highest of the exhausted ones; 0: unknown */
	struct merge_pod *pods;	 /* worst first */
	size_t pods_len;
	struct merge_group *groups; /* worst first */
	size_t groups_len;
	struct merge_difference *differences;
	size_t differences_len;
};

/* Sorts docs. Returns 0 or -ENOMEM. */
int merge_reports(const struct report_doc **docs, size_t docs_len, struct merged *ret);
void merge_clear(struct merged *m);

#endif
