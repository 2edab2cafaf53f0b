/* SPDX-License-Identifier: GPL-2.0-only */
/* Between findings.c, which collects, and finding_rules.c, which knows the cases. */
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
	enum severity severity;
	struct lines summary; /* one line */
	struct lines evidence, advice;
};

struct finding_rule {
	enum finding_code code;
	bool (*find)(struct draft *d); /* false: does not apply, and the draft is as it was */
};

/* Ends with a rule without find. */
extern const struct finding_rule finding_rules[];

bool finding_rule_unowned(struct draft *d);
bool finding_rule_gone(struct draft *d);
bool finding_rule_incomplete(struct draft *d);

#endif
