/* SPDX-License-Identifier: GPL-2.0-only */
/* Between findings.c, which collects, and the finding_*.c, which know the cases. */
#ifndef IMDSNOOP_FINDING_RULES_H
#define IMDSNOOP_FINDING_RULES_H

#include "advice.h"
#include "platform.h"

#define SUBJECT_LEN 512

struct draft {
	const struct snapshot *s;
	struct platform platform;
	const struct pod_stats *p; /* NULL for the node as a whole */
	char subject[SUBJECT_LEN];
	bool many; /* the subject is several pods */
	enum severity severity;
	struct lines summary; /* one line */
	struct lines evidence, advice;
};

/* What follows a rule's own evidence, in this order. */
enum {
	THEN_ANSWERER = 1 << 0,
	THEN_PAST = 1 << 1, /* in the summary, and no graver than a warning */
	THEN_LOST = 1 << 2,
	THEN_PROCESSES = 1 << 3,
	THEN_BACK = 1 << 4, /* as THEN_PAST, or "; answered since" where it is over only just */
};

struct finding_rule {
	enum finding_code code;
	bool (*find)(struct draft *d); /* false: does not apply, and the draft's lines are as they were */
	enum severity severity;	       /* where find sets no other */
	unsigned int then;
	unsigned int about; /* a bit for each outcome that it tells of; 0: of any */
};

/* Each ends with a rule without find. Those of one code stand in one table: the first comes first. */
extern const struct finding_rule finding_rules_path[], finding_rules_answers[], finding_rules_server[],
    finding_rules_share[];
/* About the node, not a row: d->p is NULL. */
extern const struct finding_rule finding_rules_node[];

/*
 * Whether the rule applies; then the draft is whole but for its advice. d->p may be left pointing to *part: the row with its
 * failures narrowed to what the rule is about.
 */
bool finding_rule_apply(const struct finding_rule *r, struct draft *d, struct pod_stats *part);

#endif
