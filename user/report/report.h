/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is said, concluded once from a snapshot: every view draws this struct, none concludes anything of its own. Its JSON
 * is that of `report --json`, so a stored report, the page and `merge` say the same. Pure.
 */
#ifndef IMDSNOOP_REPORT_H
#define IMDSNOOP_REPORT_H

#include "../model/snapshot.h"
#include "path.h"
#include "platform.h"
#include "pod_count.h"

#define REPORT_SUBJECT_LEN 512

/* One row of the table, in the order of snapshot.pods. */
struct report_row {
	const struct pod_stats *p;
	char subject[REPORT_SUBJECT_LEN]; /* "shop/cart-7d9f (app)"; names are from outside */
	enum level level;		  /* the gravest of its findings; OK without one, QUIET if it asked nothing */
	enum cause cause;		  /* NONE: nothing failed */
	char text[80];			  /* of level OK "ok", else the cause in a few words: "hop limit 1, needs 2" */
	struct path path;		  /* len 0: no TTL and no drop was seen */
};

struct report {
	const struct snapshot *s; /* borrowed, with its rows, findings, unowned, features and losses */
	enum level level;
	char *headline;		   /* the one sentence; names in it are from outside */
	char brief[81];		   /* level, what, how many: for monitoring checks; ASCII */
	uint64_t answered, failed; /* of s->totals */
	struct platform platform;
	struct report_row *rows;
	size_t rows_len; /* s->pods_len */
	struct pod_count pods;
};

/*
 * s->findings must have been collected (findings_collect()) from the same rows. *ret borrows from s. Returns 0 or -ENOMEM;
 * free by report_clear() in any case.
 */
int report_build(const struct snapshot *s, struct report *ret);
void report_clear(struct report *r);

/*
 * The filters chose nothing out of whole: level BLIND, and the names nearest to what was wanted. wanted: NULL-ended pairs
 * of option and value ("--pod", "crat-*"). Returns 0 or -ENOMEM.
 */
int report_filter_missed(struct report *r, const struct snapshot *whole, const char *const *wanted);

/* "PROBLEM", "WARNING", "NOTE", "OK", "QUIET", "BLIND" */
const char *report_level_word(enum level level);
/* Whether --exit-code shows it: PROBLEM, WARNING, BLIND. */
bool report_level_is_bad(enum level level);
enum level report_level_of(enum severity severity);

#endif
