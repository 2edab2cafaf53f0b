/* SPDX-License-Identifier: GPL-2.0-only */
#include "merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_node(const void *a, const void *b)
{
	const struct report_doc *x = *(const struct report_doc *const *)a, *y = *(const struct report_doc *const *)b;
	int c = strcmp(x->node, y->node);

	return c ? c : strcmp(x->started, y->started);
}

/* --- pods ------------------------------------------------------------------------------------------------------------ */

static int by_pod(const void *a, const void *b)
{
	const struct merge_pod *x = a, *y = b;
	const struct report_pod *p = x->pod, *q = y->pod;
	int c;

	if (p->level != q->level)
		return p->level > q->level ? -1 : 1;
	if (p->outcomes[OUTCOME_HOP_LIMIT] != q->outcomes[OUTCOME_HOP_LIMIT])
		return p->outcomes[OUTCOME_HOP_LIMIT] > q->outcomes[OUTCOME_HOP_LIMIT] ? -1 : 1;
	if (p->seconds_lost != q->seconds_lost)
		return p->seconds_lost > q->seconds_lost ? -1 : 1;
	if (p->failed != q->failed)
		return p->failed > q->failed ? -1 : 1;
	if (p->p99_us != q->p99_us)
		return p->p99_us > q->p99_us ? -1 : 1;
	c = strcmp(p->namespace, q->namespace);
	c = c ? c : strcmp(p->pod, q->pod);
	c = c ? c : strcmp(p->container, q->container);
	c = c ? c : strcmp(p->cgroup, q->cgroup);
	return c ? c : by_node(&x->doc, &y->doc);
}

static int add_pods(struct merged *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->docs_len; i++)
		n += m->docs[i]->pods_len;
	m->pods = calloc(n + 1, sizeof(*m->pods));
	if (!m->pods)
		return -ENOMEM;
	for (size_t i = 0; i < m->docs_len; i++) {
		const struct report_doc *d = m->docs[i];

		m->requests += d->requests;
		m->answered += d->answered;
		m->failed += d->failed;
		m->seconds_lost += d->seconds_lost;
		m->lost += d->lost;
		for (size_t j = 0; j < d->pods_len; j++) {
			const struct report_pod *p = &d->pods[j];
			int required = p->required_hop_limit;
			bool exhausted = p->outcomes[OUTCOME_HOP_LIMIT];

			m->pods[m->pods_len++] = (struct merge_pod){ d, p };
			m->hop_limit_pods += exhausted;
			if (exhausted && required > m->exhausted_hop_limit)
				m->exhausted_hop_limit = required;
			if (p->token_requests && required > m->required_hop_limit)
				m->required_hop_limit = required;
		}
	}
	qsort(m->pods, m->pods_len, sizeof(*m->pods), by_pod);
	return 0;
}

/* --- findings by workload -------------------------------------------------------------------------------------------- */

struct entry {
	const struct report_doc *doc;
	const struct report_finding *finding;
	const struct report_pod *pod; /* NULL: about the node */
};

static int by_group(const struct entry *x, const struct entry *y)
{
	const struct report_finding *f = x->finding, *g = y->finding;
	int c = strcmp(f->code, g->code);

	c = c ? c : strcmp(f->namespace, g->namespace);
	c = c ? c : strcmp(f->workload, g->workload);
	c = c ? c : strcmp(f->container, g->container);
	if (c || f->workload[0])
		return c;
	return strcmp(f->cgroup, g->cgroup);
}

static int by_entry(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = by_group(x, y);

	if (c)
		return c;
	if (x->doc != y->doc)
		return by_node(&x->doc, &y->doc);
	return x->finding < y->finding ? -1 : x->finding > y->finding;
}

static int by_gravity(const void *a, const void *b)
{
	const struct merge_group *x = a, *y = b;
	int c;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->seconds_lost != y->seconds_lost)
		return x->seconds_lost > y->seconds_lost ? -1 : 1;
	if (x->pods != y->pods)
		return x->pods > y->pods ? -1 : 1;
	c = strcmp(x->code, y->code);
	c = c ? c : strcmp(x->namespace, y->namespace);
	c = c ? c : strcmp(x->workload, y->workload);
	return c ? c : strcmp(x->cgroup, y->cgroup);
}

/* A row of one report, to be found by its names. */
static int by_names(const void *a, const void *b)
{
	const struct report_pod *p = *(const struct report_pod *const *)a, *q = *(const struct report_pod *const *)b;
	int c = strcmp(p->namespace, q->namespace);

	c = c ? c : strcmp(p->pod, q->pod);
	c = c ? c : strcmp(p->container, q->container);
	return c ? c : strcmp(p->cgroup, q->cgroup);
}

static size_t put_findings(struct entry *e, const struct report_doc *d, const struct report_pod **index)
{
	for (size_t i = 0; i < d->pods_len; i++)
		index[i] = &d->pods[i];
	if (d->pods_len)
		qsort(index, d->pods_len, sizeof(*index), by_names);
	for (size_t i = 0; i < d->findings_len; i++) {
		const struct report_finding *f = &d->findings[i];
		const struct report_pod want = {
			.namespace = f->namespace, .pod = f->pod, .container = f->container, .cgroup = f->cgroup,
		}, *key = &want, **found;

		found = d->pods_len ? bsearch(&key, index, d->pods_len, sizeof(*index), by_names) : NULL;
		e[i] = (struct entry){ d, f, found ? *found : NULL };
	}
	return d->findings_len;
}

static int add_groups(struct merged *m)
{
	const struct report_pod **index;
	size_t n = 0, pods = 0;
	struct entry *e;

	for (size_t i = 0; i < m->docs_len; i++) {
		n += m->docs[i]->findings_len;
		if (m->docs[i]->pods_len > pods)
			pods = m->docs[i]->pods_len;
	}
	e = calloc(n + 1, sizeof(*e));
	index = calloc(pods + 1, sizeof(*index));
	m->groups = calloc(n + 1, sizeof(*m->groups));
	if (!e || !index || !m->groups) {
		free(e);
		free(index);
		return -ENOMEM;
	}
	n = 0;
	for (size_t i = 0; i < m->docs_len; i++)
		n += put_findings(e + n, m->docs[i], index);
	qsort(e, n, sizeof(*e), by_entry);
	for (size_t i = 0; i < n; i++) {
		const struct report_finding *f = e[i].finding;
		bool fresh = !i || by_group(&e[i - 1], &e[i]);
		struct merge_group *g;

		if (fresh)
			m->groups[m->groups_len++] = (struct merge_group){
				f->severity, f->code,	   f->namespace,
				f->workload, f->container, f->workload[0] ? "" : f->cgroup,
				.worst = f,
			};
		g = &m->groups[m->groups_len - 1];
		g->pods++;
		g->nodes += fresh || e[i - 1].doc != e[i].doc;
		if (f->severity > g->severity) {
			g->severity = f->severity;
			g->worst = f;
		}
		if (e[i].pod) {
			g->seconds_lost += e[i].pod->seconds_lost;
			if (e[i].pod->required_hop_limit > g->required_hop_limit)
				g->required_hop_limit = e[i].pod->required_hop_limit;
		}
	}
	free(e);
	free(index);
	for (size_t i = 0; i < m->groups_len; i++)
		m->severities[m->groups[i].severity]++;
	qsort(m->groups, m->groups_len, sizeof(*m->groups), by_gravity);
	return 0;
}

/* --- in what nodes differ -------------------------------------------------------------------------------------------- */

static struct merge_value *value_get(struct merge_difference *d, const char *value, size_t docs)
{
	struct merge_value *v;

	for (size_t i = 0; i < d->values_len; i++)
		if (!strncmp(d->values[i].value, value, sizeof(v->value) - 1))
			return &d->values[i];
	v = &d->values[d->values_len];
	v->docs = calloc(docs, sizeof(*v->docs));
	if (!v->docs)
		return NULL;
	snprintf(v->value, sizeof(v->value), "%s", value);
	d->values_len++;
	return v;
}

static int by_frequency(const void *a, const void *b)
{
	const struct merge_value *x = a, *y = b;

	if (x->docs_len != y->docs_len)
		return x->docs_len > y->docs_len ? -1 : 1;
	return strcmp(x->value, y->value);
}

static void difference_clear(struct merge_difference *d)
{
	for (size_t i = 0; i < d->values_len; i++)
		free(d->values[i].docs);
	free(d->values);
}

typedef const char *(*fact_fn)(const struct report_doc *d, const char *feature, char *buf, size_t len);

static const char *fact_kernel(const struct report_doc *d, const char *feature, char *buf, size_t len)
{
	return d->kernel;
}

static const char *fact_version(const struct report_doc *d, const char *feature, char *buf, size_t len)
{
	return d->version;
}

static const char *fact_hop_limit(const struct report_doc *d, const char *feature, char *buf, size_t len)
{
	if (!d->node_token_ttl)
		return NULL; /* no host-network process asked: nothing to compare */
	snprintf(buf, len, "%d", d->node_token_ttl);
	return buf;
}

static const char *fact_feature(const struct report_doc *d, const char *feature, char *buf, size_t len)
{
	for (size_t i = 0; i < d->features_len; i++)
		if (!strcmp(d->features[i].name, feature))
			return d->features[i].state;
	return "unknown to its version";
}

/* Adds the difference when there is one; a fact that is NULL is not known of that node. */
static int add_difference(struct merged *m, const char *what, fact_fn fact, const char *feature)
{
	struct merge_difference d = { .values = calloc(m->docs_len + 1, sizeof(*d.values)) }, *more;

	if (!d.values)
		return -ENOMEM;
	snprintf(d.what, sizeof(d.what), "%s%s", what, feature);
	for (size_t i = 0; i < m->docs_len; i++) {
		char buf[16];
		const char *value = fact(m->docs[i], feature, buf, sizeof(buf));
		struct merge_value *v;

		if (!value)
			continue;
		v = value_get(&d, value, m->docs_len);
		if (!v)
			goto no_memory;
		v->docs[v->docs_len++] = m->docs[i];
	}
	if (d.values_len < 2) {
		difference_clear(&d);
		return 0;
	}
	qsort(d.values, d.values_len, sizeof(*d.values), by_frequency);
	more = realloc(m->differences, (m->differences_len + 1) * sizeof(*more));
	if (!more)
		goto no_memory;
	m->differences = more;
	m->differences[m->differences_len++] = d;
	return 0;
no_memory:
	difference_clear(&d);
	return -ENOMEM;
}

static bool is_first_of(const struct merged *m, size_t doc, size_t feature)
{
	const char *name = m->docs[doc]->features[feature].name;

	for (size_t i = 0; i <= doc; i++)
		for (size_t j = 0; j < (i == doc ? feature : m->docs[i]->features_len); j++)
			if (!strcmp(m->docs[i]->features[j].name, name))
				return false;
	return true;
}

static int add_differences(struct merged *m)
{
	int err = add_difference(m, "hop limit", fact_hop_limit, "");

	err = err ? err : add_difference(m, "kernel", fact_kernel, "");
	err = err ? err : add_difference(m, "version", fact_version, "");
	for (size_t i = 0; i < m->docs_len && !err; i++)
		for (size_t j = 0; j < m->docs[i]->features_len && !err; j++)
			if (is_first_of(m, i, j))
				err = add_difference(m, "feature ", fact_feature, m->docs[i]->features[j].name);
	return err;
}

/* What the reports say, said again of all: their levels are not judged anew. */
static void add_headline(struct merged *m)
{
	const char *nodes = m->docs_len == 1 ? "" : "s", *text = "";
	size_t len = sizeof(m->headline), alike = 0;
	int at;

	for (size_t i = 0; i < m->docs_len; i++)
		if (m->docs[i]->level > m->level)
			m->level = m->docs[i]->level;
	for (size_t i = 0; i < m->docs_len; i++)
		if (m->docs[i]->level == m->level && !alike++)
			text = m->docs[i]->headline;
	if (m->docs_len == 1 && text[0]) {
		snprintf(m->headline, len, "%s", text);
	} else if (m->hop_limit_pods && m->level == LEVEL_PROBLEM) {
		at = snprintf(m->headline, len, "%zu pod%s on %zu node%s: no metadata token, the hop limit is too low",
			      m->hop_limit_pods, m->hop_limit_pods == 1 ? "" : "s", m->docs_len, nodes);
		if (m->exhausted_hop_limit)
			at += snprintf(m->headline + at, len - (size_t)at, ", %d is needed", m->exhausted_hop_limit);
		if (m->seconds_lost >= 0.05)
			snprintf(m->headline + at, len - (size_t)at, "; %.1f s lost", m->seconds_lost);
	} else if (m->level == LEVEL_PROBLEM || m->level == LEVEL_WARNING) {
		snprintf(m->headline, len, "%zu problem%s and %zu warning%s on %zu node%s", m->severities[SEVERITY_ERROR],
			 m->severities[SEVERITY_ERROR] == 1 ? "" : "s", m->severities[SEVERITY_WARNING],
			 m->severities[SEVERITY_WARNING] == 1 ? "" : "s", m->docs_len, nodes);
	} else if (m->level == LEVEL_BLIND && text[0]) {
		snprintf(m->headline, len, "%zu of %zu node%s: %s", alike, m->docs_len, nodes, text);
	} else if (m->level == LEVEL_QUIET) {
		snprintf(m->headline, len, "nothing asked a metadata service on %zu node%s", m->docs_len, nodes);
	} else {
		snprintf(m->headline, len, "no problem on %zu node%s: %llu request%s, %llu answered", m->docs_len, nodes,
			 (unsigned long long)m->requests, m->requests == 1 ? "" : "s", (unsigned long long)m->answered);
	}
}

int merge_reports(const struct report_doc **docs, size_t docs_len, struct merged *ret)
{
	qsort(docs, docs_len, sizeof(*docs), by_node);
	*ret = (struct merged){ .docs = docs, .docs_len = docs_len };
	if (add_pods(ret) || add_groups(ret) || add_differences(ret)) {
		merge_clear(ret);
		return -ENOMEM;
	}
	add_headline(ret);
	return 0;
}

void merge_clear(struct merged *m)
{
	for (size_t i = 0; i < m->differences_len; i++)
		difference_clear(&m->differences[i]);
	free(m->differences);
	free(m->groups);
	free(m->pods);
	*m = (struct merged){ 0 };
}
