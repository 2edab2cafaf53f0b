/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * May the fleet be set so? Judged for each workload from what ledgers and reports hold: it breaks, it is safe, or nobody can
 * know. Silence never makes safe: what was not watched, what was lost and what has no name count against it. Pure.
 */
#ifndef IMDSNOOP_READY_H
#define IMDSNOOP_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READY_COVERAGE 0.95   /* of the asked time, at least */
#define READY_UNANSWERED 0.01 /* share of unanswered requests from which on nothing can be said */
#define READY_ACTIVE_HOURS 3  /* fewer: too rare a caller to know its rhythm */
#define READY_REASON_LEN 200
#define READY_COUNTS 9

struct ready_question {
	unsigned int hop_limit; /* 0: as it is */
	bool tokens_required, endpoint_off;
	bool role_delivery; /* ec2:RoleDelivery 2.0: credentials got without a token are refused */
};

/* A workload as one node saw it. Strings are borrowed, "" where unknown. */
struct ready_seen {
	const char *namespace, *name;
	bool nameless; /* its owner is not known: it may be any workload */
	bool may_be_ec2;
	int required_hop_limit; /* 0: unknown */
	bool at_least;		/* and perhaps more */
	union {
		struct { /* v1: and those of whose head too little was seen to tell */
			uint64_t v1, v1_answered, v1_credentials, v2, others, tokens, tokens_answered, unanswered;
			uint64_t lost; /* of its own: of a ledger, days with such */
		};
		uint64_t counts[READY_COUNTS];
	};
	uint64_t first_s, last_s, last_v1_s; /* since 1970; 0: never */
	unsigned int active_hours, longest_gap_h;
};

/*
 * What one ledger or one report knows of a node. Those of one name are one node, unless their ids differ and both watched at
 * the same time: two networks have nodes of one name.
 */
struct ready_node {
	const char *name; /* "": a node of its own */
	const char *id;	  /* of the ledger, or of the boot that the report is of; NULL: unknown */
	uint16_t *hours;  /* seconds watched without a loss, for each hour of the window; ready_judge() joins them */
	uint64_t from_s, to_s; /* what `seen` is of */
	size_t heard;	       /* hour of the window from which on it is known to be there */
	bool is_ledger;	       /* the rhythm in `seen` is known; else it asked at some time from from_s to to_s */
	bool lossy;	       /* some was watched with losses, or in part: not in hours */
	uint64_t unowned;      /* answers that died and had no owner */
	struct ready_seen *seen;
	size_t seen_len;
	struct ready_node *whole; /* set by ready_judge(): the one that stands for the node, perhaps itself */
};

enum ready_verdict { READY_BREAKS, READY_UNKNOWN, READY_SAFE, READY_VERDICT_COUNT };

struct ready_row {
	const char *namespace, *name;
	enum ready_verdict verdict;
	char reason[READY_REASON_LEN]; /* "" when safe */
	double coverage;	       /* of the time of the nodes that it was seen on, 0..1 */
	struct ready_seen sum;
	size_t nodes;
};

struct ready {
	struct ready_question question;
	char title[120];
	uint64_t from_s, to_s; /* the window, whole hours */
	size_t nodes;
	double coverage; /* of all nodes' time */
	double watched;	 /* share of the window in which any node was watched */
	double rarest_s; /* a caller that asks this often would have been seen, with 1 in 1,000 to miss it; 0: none */
	size_t counts[READY_VERDICT_COUNT];
	struct ready_row *rows; /* what breaks first */
	size_t rows_len;
};

/*
 * What a report knows of its node, of the window [from_s, to_s) in whole hours. *ret owns its strings; free by
 * ready_free_node(). Returns 0 or -ENOMEM, then there is nothing to free.
 */
struct report_doc;
int ready_from_report(const struct report_doc *d, uint64_t from_s, uint64_t to_s, struct ready_node *ret);
void ready_free_node(struct ready_node *n);

/* from_s and to_s: the window that nodes[].hours is of. Borrows names. Returns 0 or -ENOMEM; free by ready_clear(). */
int ready_judge(const struct ready_question *q, struct ready_node *nodes, size_t nodes_len, uint64_t from_s,
		uint64_t to_s, struct ready *ret);
/* Both of EC2's addresses are among the watched ones (as text, NULL-ended): else silence means nothing. */
bool ready_is_watched(const char *const *endpoints);
void ready_clear(struct ready *r);
const char *ready_word(enum ready_verdict v); /* "breaks", "unknown", "safe" */

#endif
