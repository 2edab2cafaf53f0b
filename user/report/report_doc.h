/* SPDX-License-Identifier: GPL-2.0-only */
/* A report as it was written to JSON, read back: what `merge` joins and `--baseline` compares. Nothing is ever NULL. */
#ifndef IMDSNOOP_REPORT_DOC_H
#define IMDSNOOP_REPORT_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../model/figures.h"
#include "../model/words.h"
#include "../pods/workload.h"

/* What a row or a finding is about: a pod, or a workload. "" where unknown. */
struct report_name {
	const char *namespace, *name, *container, *cgroup;
};

/* In a struct that has them: each by its own name, second being `pod` or `workload`, and all as `who`. */
#define NAMES_HERE(second)                                                   \
	union {                                                              \
		struct report_name who;                                      \
		struct {                                                     \
			const char *namespace, *second, *container, *cgroup; \
		};                                                           \
	}

static inline int report_name_order(const struct report_name *a, const struct report_name *b)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): each counted workload has been filled in */
	int c = strcmp(a->namespace, b->namespace);

	c = c ? c : strcmp(a->name, b->name);
	c = c ? c : strcmp(a->container, b->container);
	return c ? c : strcmp(a->cgroup, b->cgroup);
}

/* Strings are borrowed from `owner`; "" where unknown. */
struct report_pod {
	NAMES_HERE(pod);
	char workload[WORKLOAD_LEN]; /* "" for what is no pod */
	bool other;		     /* the row of what is over --max-pods */
	enum level level;	     /* as it was said; so are the next two */
	const char *text;	     /* "ok", or the cause in a few words */
	FIGURES_HERE;
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t credentials;	/* requests for these */
	int64_t p50_us, p99_us; /* -1: nothing was answered */
	int required_hop_limit; /* 0: unknown */
	bool hops_known;	/* else that is needed at least */
	unsigned int providers; /* bit per enum provider; 0: not told */
	enum hop_limit_state hop_limit;
};

struct report_finding {
	enum severity severity;
	const char *code; /* a word, perhaps of a later version */
	NAMES_HERE(pod);
	const char *summary;
	char workload[WORKLOAD_LEN];
	const char **advice;	  /* NULL-ended */
	struct report_name *pods; /* that it is about; none in reports before these were said: the one above */
	size_t pods_len;
};

struct report_feature {
	const char *name, *state;
};

struct report_doc {
	const char *file; /* where it was read from; borrowed */
	const char *version, *node, *kernel, *started;
	const char *boot_id; /* "": of no live watch, or of a version that did not tell */
	const char *scope;   /* "node", or the cgroup folder that was watched; "": no live watch, or not told */
	double started_s;    /* the same since 1970; 0: not known */
	double duration_s;
	enum level level;	/* as it was said; of reports before there were levels, the gravest finding's */
	const char *headline;	/* "" where none was said */
	FIGURES_HERE;		/* the totals */
	int node_token_ttl;	/* the hop limit set, where a host-network process asked; 0: unknown */
	uint64_t lost;		/* sum of losses */
	uint64_t counts_lost;	/* of these, all but names */
	bool is_counted;	/* what ready counts is all there, the losses too; else a part of them may be missing */
	uint64_t unowned;	/* packets of answers that died and had no owner */
	const char **endpoints; /* NULL-ended */
	struct report_feature *features;
	size_t features_len;
	struct report_pod *pods;
	size_t pods_len;
	struct report_finding *findings;
	size_t findings_len;
	size_t left_out; /* features and lines of advice beyond what is read */
	void *owner;	 /* of the strings */
};

#endif
