/* SPDX-License-Identifier: GPL-2.0-only */
/* What changed between two reports: the check after a fix. Pure. Pods are matched by workload, as their names change. */
#ifndef IMDSNOOP_COMPARE_H
#define IMDSNOOP_COMPARE_H

#include "report_doc.h"

enum change_kind { CHANGE_NEW, CHANGE_STILL, CHANGE_GONE, CHANGE_KIND_COUNT };

struct finding_change {
	enum change_kind kind;
	const struct report_finding *before, *after; /* the gravest of the workload; NULL: there is none */
	bool spoke_after; /* gone: its workload was seen asking for the same again; else it may only have been silent */
};

struct workload_figures {
	size_t pods; /* rows; 0: did not speak */
	FIGURES_HERE;
	int64_t p50_us, p99_us; /* of the slowest row; -1: nothing was answered */
};

struct workload_change {
	const char *namespace, *workload, *container, *cgroup;
	struct workload_figures before, after;
};

/* Borrows from both reports, which must outlive it. */
struct changes {
	const struct report_doc *before, *after;
	struct finding_change *findings; /* new, still, gone; each in its report's order */
	size_t findings_len;
	size_t counts[CHANGE_KIND_COUNT];
	struct workload_change *workloads; /* most time lost, before or after, first */
	size_t workloads_len;
};

/* Returns 0 or -ENOMEM. */
int compare_reports(const struct report_doc *before, const struct report_doc *after, struct changes *ret);
void compare_clear(struct changes *c);

const char *change_word(enum change_kind kind); /* "new", "still", "gone" */

#endif
