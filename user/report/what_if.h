/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dry run: which pods that work now would lose their tokens or their v1 calls if the node were set so. Pure; judged
 * only from what was seen while watching.
 */
#ifndef IMDSNOOP_WHAT_IF_H
#define IMDSNOOP_WHAT_IF_H

#include "../model/snapshot.h"

struct what_if {
	unsigned int hop_limit; /* 0: as it is */
	bool tokens_required;	/* HttpTokens=required: v1 is answered 401 */
};

enum what_if_fate {
	WHAT_IF_UNTOUCHED, /* works and would not notice */
	WHAT_IF_BREAKS,
	WHAT_IF_UNKNOWN, /* what it needs, or all that it asks, was not seen */
	WHAT_IF_BROKEN,	 /* gets no tokens now, and would not then */
	WHAT_IF_CURED,	 /* gets no tokens now; with that hop limit it would */
	WHAT_IF_FATE_COUNT
};

struct what_if_result {
	struct what_if question;
	char title[64];		  /* "hop limit 1, tokens required" */
	struct finding *findings; /* would-break, gravest first; what_if_clear() frees them */
	size_t findings_len;
	size_t counts[WHAT_IF_FATE_COUNT];
	char *lines[WHAT_IF_FATE_COUNT]; /* "3 pods would not notice: a, b, c"; NULL where none, and for BREAKS */
	char *verdict; /* "No pod that works now would break.": only where nothing speaks against it */
	bool open;     /* not all could be judged */
	char *basis;   /* "judged only from what was seen in 30 s: ..." */
};

/* Of one row. s: the whole that it is from. */
enum what_if_fate what_if_fate(const struct what_if *w, const struct snapshot *s, const struct pod_stats *p);

/* Returns 0 or -ENOMEM. Findings borrow names from s. */
int what_if_ask(const struct what_if *w, const struct snapshot *s, struct what_if_result *ret);
void what_if_clear(struct what_if_result *r);

#endif
