/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts in which the nodes differ: kernel, version, hop limit, features. */
#include "merge_part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"

static struct merge_value *value_get(struct merge_difference *d, const char *text)
{
	char value[sizeof(d->values->value)];

	snprintf(value, sizeof(value), "%.*s", (int)merge_length(text, sizeof(value) - 1), text);
	for (size_t i = 0; i < d->values_len; i++)
		if (!strcmp(d->values[i].value, value))
			return &d->values[i];
	if (d->values_len == MERGE_VALUES_MAX)
		return &d->values[MERGE_VALUES_MAX]; /* the place behind them is for all others */
	snprintf(d->values[d->values_len].value, sizeof(value), "%s", value);
	return &d->values[d->values_len++];
}

/* *ret NULL: there are too many facts already. */
static int difference_get(struct merged *m, const char *what, const char *name, struct merge_difference **ret)
{
	char whole[sizeof(m->differences->what)];
	struct merge_difference *d;

	snprintf(whole, sizeof(whole), "%s%.*s", what, (int)merge_length(name, 40), name);
	for (size_t i = 0; i < m->differences_len; i++) {
		*ret = &m->differences[i];
		if (!strcmp((*ret)->what, whole))
			return 0;
	}
	*ret = NULL;
	if (m->differences_len == MERGE_DIFFERENCES_MAX) {
		m->differences_lost++;
		return 0;
	}
	if (!m->differences)
		m->differences = calloc(MERGE_DIFFERENCES_MAX, sizeof(*m->differences));
	if (!m->differences)
		return -ENOMEM;
	d = &m->differences[m->differences_len];
	d->values = calloc(MERGE_VALUES_MAX + 1, sizeof(*d->values));
	if (!d->values)
		return -ENOMEM;
	memcpy(d->what, whole, sizeof(whole));
	snprintf(d->values[MERGE_VALUES_MAX].value, sizeof(d->values->value), "other values");
	m->differences_len++;
	*ret = d;
	return 0;
}

static int add_fact(struct merged *m, const struct merge_node *node, const char *what, const char *name, const char *value)
{
	const struct merge_node **more;
	struct merge_difference *d;
	struct merge_value *v;

	if (difference_get(m, what, name, &d))
		return -ENOMEM;
	if (!d)
		return 0;
	v = value_get(d, value);
	if (v->nodes_len && v->nodes[v->nodes_len - 1] == node)
		return 0; /* said twice */
	more = with_room(v->nodes, v->nodes_len, &v->room, 16, sizeof(struct merge_node *));
	if (!more)
		return -ENOMEM;
	v->nodes = more;
	v->nodes[v->nodes_len++] = node;
	d->known++;
	return 0;
}

#define FEATURE "feature "

int merge_add_facts(struct merged *m, const struct merge_node *node, const struct report_doc *d)
{
	char limit[16];
	int err = 0;

	snprintf(limit, sizeof(limit), "%d", d->node_token_ttl);
	if (d->node_token_ttl) /* else no host-network process asked: nothing to compare */
		err = add_fact(m, node, "hop limit", "", limit);
	err = err ? err : add_fact(m, node, "kernel", "", d->kernel);
	err = err ? err : add_fact(m, node, "version", "", d->version);
	for (size_t i = 0; !err && i < d->features_len; i++)
		err = add_fact(m, node, FEATURE, d->features[i].name, d->features[i].state);
	return err;
}

static int by_frequency(const void *a, const void *b)
{
	const struct merge_value *x = a, *y = b;

	if (x->nodes_len != y->nodes_len)
		return x->nodes_len > y->nodes_len ? -1 : 1;
	return strcmp(x->value, y->value);
}

static int by_what(const void *a, const void *b)
{
	static const char *const first[] = { "hop limit", "kernel", "version" };
	const struct merge_difference *x = a, *y = b;

	for (size_t i = 0; i < LEN(first); i++)
		if (!strcmp(x->what, first[i]) != !strcmp(y->what, first[i]))
			return strcmp(x->what, first[i]) ? 1 : -1;
	return strcmp(x->what, y->what);
}

static void difference_clear(struct merge_difference *d)
{
	for (size_t i = 0; d->values && i <= MERGE_VALUES_MAX; i++)
		free(d->values[i].nodes);
	free(d->values);
}

/* Of a feature that some reports do not name, those do not know it. */
static int add_silent(struct merged *m, struct merge_difference *d)
{
	const struct merge_node **said;
	size_t n = 0, at = 0;
	int err = 0;

	if (strncmp(d->what, FEATURE, strlen(FEATURE)) || d->known >= m->nodes_len)
		return 0;
	said = calloc(d->known + 1, sizeof(struct merge_node *));
	if (!said)
		return -ENOMEM;
	for (size_t i = 0; i <= MERGE_VALUES_MAX; i++)
		for (size_t k = 0; k < d->values[i].nodes_len; k++)
			said[n++] = d->values[i].nodes[k];
	qsort(said, n, sizeof(*said), merge_by_node_at);
	for (size_t i = 0; !err && i < m->nodes_len; i++) { /* both are sorted */
		while (at < n && merge_by_node(said[at], m->nodes[i]) < 0)
			at++;
		if (at == n || said[at] != m->nodes[i])
			err = add_fact(m, m->nodes[i], FEATURE, d->what + strlen(FEATURE), "unknown to its version");
	}
	free(said);
	return err;
}

/* What all say alike is no difference. */
int merge_end_facts(struct merged *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->differences_len; i++)
		if (add_silent(m, &m->differences[i]))
			return -ENOMEM;
	for (size_t i = 0; i < m->differences_len; i++) {
		struct merge_difference *d = &m->differences[i];

		d->values_len += d->values[MERGE_VALUES_MAX].nodes_len > 0;
		if (d->values_len < 2) {
			difference_clear(d);
			continue;
		}
		for (size_t k = 0; k < d->values_len; k++)
			if (d->values[k].nodes_len)
				qsort(d->values[k].nodes, d->values[k].nodes_len, sizeof(*d->values[k].nodes),
				      merge_by_node_at);
		qsort(d->values, d->values_len, sizeof(*d->values), by_frequency);
		m->differences[kept++] = *d;
	}
	m->differences_len = kept;
	if (kept)
		qsort(m->differences, kept, sizeof(*m->differences), by_what);
	return 0;
}

void merge_clear_facts(struct merged *m)
{
	for (size_t i = 0; i < m->differences_len; i++)
		difference_clear(&m->differences[i]);
	free(m->differences);
}
