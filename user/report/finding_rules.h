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
	bool many; /* the subject is several pods */
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

/* About the node, not a row; each is false when it does not apply. */
bool finding_rule_unowned(struct draft *d);
bool finding_rule_gone(struct draft *d);
bool finding_rule_incomplete(struct draft *d);

/* Of the providers asked: those whose requests failed; where none did, all of them. */
unsigned int finding_providers(const struct pod_stats *p);
/* The endpoint that failed, or else that was asked, as text without its port. 64 bytes suffice. Returns buf. */
const char *finding_endpoint(const struct snapshot *s, const struct pod_stats *p, char *buf, size_t len);
/* Asked nothing but services that a process on the node gives: no cloud's network is in it. */
bool finding_is_local_service(const struct pod_stats *p);
/* A host-network process of this node that got answers: then "ask from the node" is done already. NULL: none. */
const struct pod_stats *finding_answered_host(const struct snapshot *s);
/* What stopped the most requests; p may be NULL. NULL: nothing was seen to. */
const struct drop_note *finding_main_note(const struct pod_stats *p);
/* Nothing of the row's own was dropped but what was addressed to another host. */
bool finding_is_another_host(const struct pod_stats *p);
/* Its 503 is that of a proxy which reaches nobody behind it (OpenStack's, a sidecar); other services throttle by 503. */
bool finding_reaches_nobody(const struct pod_stats *p);
/* Where answers of this status came from among the errors of p: whether any did. */
bool finding_has_status(const struct pod_stats *p, unsigned int status);

#endif
