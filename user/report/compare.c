/* SPDX-License-Identifier: GPL-2.0-only */
#include "compare.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"

const char *change_word(enum change_kind kind)
{
	static const char *const words[CHANGE_KIND_COUNT] = { "new", "still", "unknown", "gone" };

	return kind < CHANGE_KIND_COUNT ? words[kind] : "";
}

/* The workload, or the cgroup of what is no pod. */
static struct report_name name_of(const struct report_name *who, const char *workload)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a change that is gone has the finding before it */
	return (struct report_name){ who->namespace, workload, who->container, workload[0] ? "" : who->cgroup };
}

/* One pod or finding of either report, to be sorted by who it is about, so that equals meet. */
struct entry {
	struct report_name who;
	const char *code; /* "" for a pod */
	bool is_after;
	const struct report_pod *pod;
	const struct report_finding *finding;
};

static int by_entry(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = report_name_order(&x->who, &y->who);

	c = c ? c : strcmp(x->code, y->code);
	c = c ? c : x->is_after - y->is_after;
	if (c)
		return c;
	return x->finding < y->finding ? -1 : x->finding > y->finding; /* a report's order: worst first */
}

static bool same(const struct entry *x, const struct entry *y)
{
	return !report_name_order(&x->who, &y->who) && !strcmp(x->code, y->code);
}

static void add_figures(struct workload_figures *f, const struct report_pod *p)
{
	if (!f->pods++)
		f->p50_us = f->p99_us = -1;
	figures_add(&f->figures, &p->figures);
	figures_add_count(&f->credentials, p->credentials);
	if (p->p50_us > f->p50_us)
		f->p50_us = p->p50_us;
	if (p->p99_us > f->p99_us)
		f->p99_us = p->p99_us;
}

static size_t put_pods(struct entry *e, const struct report_doc *d, bool is_after)
{
	for (size_t i = 0; i < d->pods_len; i++)
		e[i] = (struct entry){ name_of(&d->pods[i].who, d->pods[i].workload), "", is_after, &d->pods[i], NULL };
	return d->pods_len;
}

/* A dry run of the earlier report says nothing about what was. */
static size_t put_findings(struct entry *e, const struct report_doc *d, bool is_after)
{
	size_t n = 0;

	for (size_t i = 0; i < d->findings_len; i++) {
		const struct report_finding *f = &d->findings[i];

		if (strcmp(f->code, finding_word(FINDING_WOULD_BREAK)))
			e[n++] = (struct entry){ name_of(&f->who, f->workload), f->code, is_after, NULL, f };
	}
	return n;
}

static int by_lost(const void *a, const void *b)
{
	const struct workload_change *x = a, *y = b;
	double p = x->before.seconds_lost > x->after.seconds_lost ? x->before.seconds_lost : x->after.seconds_lost;
	double q = y->before.seconds_lost > y->after.seconds_lost ? y->before.seconds_lost : y->after.seconds_lost;

	if (p != q)
		return p > q ? -1 : 1;
	return report_name_order(&x->who, &y->who);
}

static int compare_workloads(struct changes *c)
{
	size_t n = c->before->pods_len + c->after->pods_len;
	struct entry *e = calloc(n + 1, sizeof(*e));

	c->workloads = calloc(n + 1, sizeof(*c->workloads));
	if (!e || !c->workloads) {
		free(e);
		return -ENOMEM;
	}
	n = put_pods(e, c->before, false);
	n += put_pods(e + n, c->after, true);
	qsort(e, n, sizeof(*e), by_entry);
	for (size_t i = 0; i < n; i++) {
		struct workload_change *w;

		if (!i || !same(&e[i - 1], &e[i])) {
			w = &c->workloads[c->workloads_len++];
			w->who = e[i].who;
		}
		w = &c->workloads[c->workloads_len - 1];
		add_figures(e[i].is_after ? &w->after : &w->before, e[i].pod);
	}
	free(e);
	/* findings look workloads up by key: sorted by that now, by time lost at the end */
	return 0;
}

/*
 * The figure of the later report that must have grown for a finding to be gone, besides `answered`: what would have shown it
 * again was asked for.
 */
static const struct {
	enum finding_code code;
	size_t figure; /* into struct workload_figures */
} proofs[] = {
	{ FINDING_HOP_LIMIT_EXHAUSTED, offsetof(struct workload_figures, token_answered) },
	{ FINDING_IMDSV1_FALLBACK, offsetof(struct workload_figures, token_answered) },
	{ FINDING_NOT_THIS_CLOUD, offsetof(struct workload_figures, token_answered) },
	{ FINDING_FORWARDED_HEADER, offsetof(struct workload_figures, token_answered) },
	{ FINDING_IMDSV1_IN_USE, offsetof(struct workload_figures, v2_requests) },
	{ FINDING_TOKEN_REQUIRED, offsetof(struct workload_figures, v2_requests) },
	{ FINDING_CREDENTIALS_REFUSED, offsetof(struct workload_figures, credentials) },
	{ FINDING_NO_ROLE, offsetof(struct workload_figures, credentials) },
};

/* Whatever kept tokens away may do so still, as long as none was asked for. */
static bool is_proven(const struct workload_figures *before, const struct workload_figures *after, const char *code)
{
	if (before->token_requests > before->token_answered && !after->token_answered)
		return false;
	for (size_t i = 0; i < LEN(proofs); i++)
		if (!strcmp(code, finding_word(proofs[i].code)) &&
		    !*(const uint64_t *)((const char *)after + proofs[i].figure))
			return false;
	return after->answered > 0;
}

static bool is_gone(const struct changes *c, const struct report_finding *f)
{
	const struct report_name who = name_of(&f->who, f->workload);
	size_t low = 0, high = c->workloads_len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct workload_change *w = &c->workloads[mid];
		int order = report_name_order(&who, &w->who);

		if (!order)
			return is_proven(&w->before, &w->after, f->code);
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	/* the node was watched again, and this time nothing was missed; what else is said of a node as a whole may be silent */
	return !who.name[0] && !who.cgroup[0] && !strcmp(f->code, finding_word(FINDING_OBSERVATION_INCOMPLETE));
}

static int by_change(const void *a, const void *b)
{
	const struct finding_change *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->after)
		return x->after < y->after ? -1 : x->after > y->after;
	return x->before < y->before ? -1 : x->before > y->before;
}

static int compare_findings(struct changes *c)
{
	size_t n = c->before->findings_len + c->after->findings_len;
	struct entry *e = calloc(n + 1, sizeof(*e));

	c->findings = calloc(n + 1, sizeof(*c->findings));
	if (!e || !c->findings) {
		free(e);
		return -ENOMEM;
	}
	n = put_findings(e, c->before, false);
	n += put_findings(e + n, c->after, true);
	qsort(e, n, sizeof(*e), by_entry);
	for (size_t i = 0; i < n; i++) {
		struct finding_change *f;

		if (!i || !same(&e[i - 1], &e[i]))
			c->findings_len++;
		f = &c->findings[c->findings_len - 1];
		if (e[i].is_after && !f->after)
			f->after = e[i].finding;
		else if (!e[i].is_after && !f->before)
			f->before = e[i].finding;
	}
	free(e);
	for (size_t i = 0; i < c->findings_len; i++) {
		struct finding_change *f = &c->findings[i];

		f->kind = f->after		  ? (f->before ? CHANGE_STILL : CHANGE_NEW)
			  : is_gone(c, f->before) ? CHANGE_GONE
						  : CHANGE_UNKNOWN;
		c->counts[f->kind]++;
	}
	qsort(c->findings, c->findings_len, sizeof(*c->findings), by_change);
	return 0;
}

int compare_reports(const struct report_doc *before, const struct report_doc *after, struct changes *ret)
{
	*ret = (struct changes){ .before = before, .after = after };
	if (compare_workloads(ret) || compare_findings(ret)) {
		compare_clear(ret);
		return -ENOMEM;
	}
	qsort(ret->workloads, ret->workloads_len, sizeof(*ret->workloads), by_lost);
	return 0;
}

void compare_clear(struct changes *c)
{
	free(c->findings);
	free(c->workloads);
	*c = (struct changes){ 0 };
}
