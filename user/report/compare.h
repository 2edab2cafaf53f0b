/* SPDX-License-Identifier: GPL-2.0-only */
/* What changed between two reports: the check after a fix. Pure. Pods are matched by workload, as their names change. */
#ifndef IMDSNOOP_COMPARE_H
#define IMDSNOOP_COMPARE_H

#include "report_doc.h"

/* gone: what shows it was asked for again, and answered; unknown: it is not in the later report, which may be silence only. */
enum change_kind { CHANGE_NEW, CHANGE_STILL, CHANGE_UNKNOWN, CHANGE_GONE, CHANGE_KIND_COUNT };

struct finding_change {
	enum change_kind kind;
	const struct report_finding *before, *after; /* the gravest of the workload; NULL: there is none */
};

struct workload_figures {
	size_t pods; /* rows; 0: did not speak */
	FIGURES_HERE;
	uint64_t credentials;	/* requests for these */
	int64_t p50_us, p99_us; /* of the slowest row; -1: nothing was answered */
};

struct workload_change {
	NAMES_HERE(workload);
	struct workload_figures before, after;
};

/* Borrows from both reports, which must outlive it. */
struct changes {
	const struct report_doc *before, *after;
	struct finding_change *findings; /* by kind; each in its report's order */
	size_t findings_len;
	size_t counts[CHANGE_KIND_COUNT];
	struct workload_change *workloads; /* most time lost, before or after, first */
	size_t workloads_len;
};

/* Returns 0 or -ENOMEM. */
int compare_reports(const struct report_doc *before, const struct report_doc *after, struct changes *ret);
void compare_clear(struct changes *c);

const char *change_word(enum change_kind kind); /* "new", "still", "unknown", "gone" */

#endif
