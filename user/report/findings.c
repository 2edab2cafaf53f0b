/* SPDX-License-Identifier: GPL-2.0-only */
#include "findings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "finding_rules.h"

char *findings_duration(uint64_t us, char *buf, size_t len)
{
	if (us < 1000)
		snprintf(buf, len, "%llu us", (unsigned long long)us);
	else if (us < 10000)
		snprintf(buf, len, "%.1f ms", (double)us / 1e3);
	else if (us < 1000000)
		snprintf(buf, len, "%.0f ms", (double)us / 1e3);
	else
		snprintf(buf, len, "%.1f s", (double)us / 1e6);
	return buf;
}

char *findings_subject(const struct pod_identity *who, char *buf, size_t len)
{
	char name[SUBJECT_LEN];

	if (who->pod[0])
		snprintf(name, sizeof(name), "%s%s%s", who->namespace, who->namespace[0] ? "/" : "", who->pod);
	else if (who->pod_uid[0])
		snprintf(name, sizeof(name), "pod %s", who->pod_uid);
	else if (who->runtime == RUNTIME_ECS && who->workload[0])
		snprintf(name, sizeof(name), "%s%s%s", who->project, who->project[0] ? "/" : "", who->workload);
	else {
		/* outside Kubernetes a container's name is all that its people know */
		snprintf(buf, len, "%s",
			 who->container[0] ? who->container
			 : who->cgroup[0]  ? who->cgroup
					   : "(unknown)");
		return buf;
	}
	if (who->container[0])
		snprintf(buf, len, "%s (%s)", name, who->container);
	else
		snprintf(buf, len, "%s", name);
	return buf;
}

static void draft_clear(struct draft *d)
{
	lines_free(d->summary.v);
	lines_free(d->evidence.v);
	lines_free(d->advice.v);
}

struct list {
	struct finding *v;
	size_t len, room;
};

/* Moves the draft into the list, or frees it. */
static int list_take(struct list *list, struct draft *d, enum finding_code code, size_t pod_index)
{
	static const struct pod_identity nobody = POD_IDENTITY_NOBODY;
	const struct pod_identity *who = d->p ? &d->p->who : &nobody;

	if (d->p)
		advice_add(&d->advice, code, d->s, d->p);
	if (list->len == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct finding *v = realloc(list->v, room * sizeof(*v));

		if (v) {
			list->v = v;
			list->room = room;
		}
	}
	if (!d->advice.v && !d->advice.failed) { /* empty lists are lists too */
		d->advice.v = calloc(1, sizeof(*d->advice.v));
		d->advice.failed = !d->advice.v;
	}
	if (list->len == list->room || d->summary.failed || d->evidence.failed || d->advice.failed) {
		draft_clear(d);
		return -ENOMEM;
	}
	list->v[list->len++] = (struct finding){
		.severity = d->severity,
		.code = code,
		.namespace = who->namespace,
		.pod = who->pod,
		.container = who->container,
		.cgroup = who->cgroup,
		.summary = d->summary.v[0],
		.evidence = d->evidence.v,
		.advice = d->advice.v,
		.pod_index = pod_index,
	};
	free(d->summary.v);
	return 0;
}

static int by_gravity(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	return x->pod_index < y->pod_index ? -1 : x->pod_index > y->pod_index;
}

int findings_collect(const struct snapshot *s, struct finding **ret, size_t *ret_len)
{
	struct list list = { 0 };
	struct draft d;

	for (size_t i = 0; i < s->pods_len; i++) {
		for (const struct finding_rule *r = finding_rules; r->find; r++) {
			d = (struct draft){ .s = s, .p = s->pods[i] };
			if (d.p->other)
				snprintf(d.subject, sizeof(d.subject), "the pods beyond --max-pods");
			else
				findings_subject(&d.p->who, d.subject, sizeof(d.subject));
			if (r->find(&d) && list_take(&list, &d, r->code, i))
				goto no_memory;
		}
	}
	d = (struct draft){ .s = s };
	if (finding_rule_incomplete(&d) && list_take(&list, &d, FINDING_OBSERVATION_INCOMPLETE, SIZE_MAX))
		goto no_memory;
	if (list.len)
		qsort(list.v, list.len, sizeof(*list.v), by_gravity);
	*ret = list.v;
	*ret_len = list.len;
	return 0;
no_memory:
	findings_free(list.v, list.len);
	return -ENOMEM;
}

void findings_free(struct finding *findings, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		free(findings[i].summary);
		lines_free(findings[i].evidence);
		lines_free(findings[i].advice);
	}
	free(findings);
}
