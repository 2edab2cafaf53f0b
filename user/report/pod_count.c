/* SPDX-License-Identifier: GPL-2.0-only */
#include "pod_count.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct named_row {
	const struct pod_identity *who;
	size_t row;
};

static bool is_named(const struct pod_identity *who)
{
	return who->pod[0] || who->pod_uid[0];
}

static int by_pod(const struct pod_identity *a, const struct pod_identity *b)
{
	int c = strcmp(a->namespace, b->namespace);

	c = c ? c : strcmp(a->pod, b->pod);
	return c || a->pod[0] ? c : strcmp(a->pod_uid, b->pod_uid);
}

static int by_pod_and_row(const void *a, const void *b)
{
	const struct named_row *x = a, *y = b;
	int c = by_pod(x->who, y->who);

	return c ? c : (x->row > y->row) - (x->row < y->row);
}

int pod_count_of(const struct snapshot *s, struct pod_count *c)
{
	struct named_row *rows = calloc(s->pods_len + 1, sizeof(*rows));

	*c = (struct pod_count){ .rows = s->pods_len };
	c->pod_of = calloc(s->pods_len + 1, sizeof(*c->pod_of));
	c->counted = calloc(s->pods_len + 1, sizeof(*c->counted));
	if (!rows || !c->pod_of || !c->counted) {
		free(rows);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->pods_len; i++)
		rows[i] = (struct named_row){ .who = &s->pods[i]->who, .row = i };
	qsort(rows, s->pods_len, sizeof(*rows), by_pod_and_row);
	for (size_t i = 0; i < s->pods_len; i++) {
		bool same = i && is_named(rows[i].who) && !by_pod(rows[i - 1].who, rows[i].who);

		c->pod_of[rows[i].row] = same ? c->pod_of[rows[i - 1].row] : rows[i].row;
		c->pods += !same;
	}
	free(rows);
	return 0;
}

void pod_count_clear(struct pod_count *c)
{
	free(c->pod_of);
	free(c->counted);
	*c = (struct pod_count){ 0 };
}

void pod_count_begin(struct pod_count *c)
{
	memset(c->counted, 0, c->rows * sizeof(*c->counted));
}

bool pod_count_add(struct pod_count *c, size_t row)
{
	bool first = !c->counted[c->pod_of[row]];

	c->counted[c->pod_of[row]] = true;
	return first;
}
