/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings of all reports by workload: which pods and nodes have them, and the words of the gravest. */
#include "merge_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"

static int by_gravity(const void *a, const void *b)
{
	const struct merge_group *x = *(const struct merge_group *const *)a, *y = *(const struct merge_group *const *)b;
	int c;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->seconds_lost != y->seconds_lost)
		return x->seconds_lost > y->seconds_lost ? -1 : 1;
	if (x->pods != y->pods)
		return x->pods > y->pods ? -1 : 1;
	c = strcmp(x->code, y->code);
	return c ? c : report_name_order(&x->who, &y->who);
}

/* A row of one report, to be found by its names. */
static int by_names(const void *a, const void *b)
{
	return report_name_order(&(*(const struct report_pod *const *)a)->who,
				 &(*(const struct report_pod *const *)b)->who);
}

static const struct report_pod *pod_of(const struct report_name *n, const struct report_pod **index, size_t len)
{
	const struct report_pod want = { .who = *n }, *key = &want, **found;

	found = len ? bsearch(&key, index, len, sizeof(*index), by_names) : NULL;
	return found ? *found : NULL;
}

static void words_clear(struct merge_group *g)
{
	free((char *)g->summary);
	free(g->advice);
}

/* The words of f, in two blocks. */
static int set_words(struct merge_group *g, const struct merge_node *node, const struct report_finding *f)
{
	const char *lines[MERGE_ADVICE_MAX + 1] = { NULL }, *summary;
	struct merge_field fields[MERGE_ADVICE_MAX + 1] = { { &summary, f->summary, TEXT_MAX_LEN } };
	const char **advice;
	size_t n = 0;
	char *block;

	for (; n < MERGE_ADVICE_MAX && f->advice[n]; n++)
		fields[n + 1] = (struct merge_field){ &lines[n], f->advice[n], TEXT_MAX_LEN };
	block = malloc(merge_room(fields, n + 1));
	advice = calloc(n + 1, sizeof(*advice));
	if (!block || !advice) {
		free(block);
		free(advice);
		return -ENOMEM;
	}
	merge_put(fields, n + 1, block);
	memcpy(advice, lines, n * sizeof(*advice));
	words_clear(g);
	g->summary = summary;
	g->advice = advice;
	g->worst = node;
	g->severity = f->severity;
	return 0;
}

/* The group of f, made when there is none. *ret NULL: there are too many already. */
static int group_of(struct merged *m, const struct report_finding *f, struct merge_group **ret)
{
	struct merge_group *g, names;
	const struct merge_field fields[] = {
		{ &names.code, f->code, WORD_MAX_LEN },
		{ &names.namespace, f->namespace, NAME_MAX_LEN },
		{ &names.workload, f->workload, NAME_MAX_LEN },
		{ &names.container, f->container, NAME_MAX_LEN },
		{ &names.cgroup, f->workload[0] ? "" : f->cgroup, CGROUP_MAX_LEN },
	};
	char key[WORD_MAX_LEN + 3 * NAME_MAX_LEN + CGROUP_MAX_LEN + LEN(fields)];
	size_t len = merge_room(fields, LEN(fields));

	merge_put(fields, LEN(fields), key);
	HASH_FIND(hh, m->by_group, key, len, g);
	*ret = g;
	if (g || m->groups_len == MERGE_GROUPS_MAX)
		return 0;
	g = calloc(1, sizeof(*g) + len);
	if (!g)
		return -ENOMEM;
	merge_put(fields, LEN(fields), g->key);
	g->code = names.code;
	g->who = names.who;
	HASH_ADD_KEYPTR(hh, m->by_group, g->key, len, g);
	if (!HASH_ADDED(g))
		return -ENOMEM;
	m->groups_len++;
	*ret = g;
	return 0;
}

static uint64_t hash_text(uint64_t hash, const char *s)
{
	return hash_key(hash, s, strlen(s));
}

static struct merge_seen *seen_place(struct merge_seen *seen, size_t room, uint64_t hash)
{
	size_t i = (size_t)(hash ^ hash >> 32) & (room - 1);

	while (seen[i].by && seen[i].hash != hash)
		i = (i + 1) & (room - 1);
	return &seen[i];
}

static int seen_grow(struct merged *m)
{
	size_t room = m->seen_room ? m->seen_room * 2 : 1024;
	struct merge_seen *more = calloc(room, sizeof(*more));

	if (!more)
		return -ENOMEM;
	for (size_t i = 0; i < m->seen_room; i++)
		if (m->seen[i].by)
			*seen_place(more, room, m->seen[i].hash) = m->seen[i];
	free(m->seen);
	m->seen = more;
	m->seen_room = room;
	return 0;
}

/*
 * *ret_fresh: whether no other report of this node told the same before. Told by a hash: two that agree in it are one too
 * few, of thousands of millions. Beyond MERGE_SEEN_MAX all are fresh.
 */
static int see(struct merged *m, const struct merge_node *node, uint64_t hash, bool *ret_fresh)
{
	struct merge_seen *place;

	*ret_fresh = true;
	if (!node->node[0])
		return 0;
	if (m->seen_len * 2 >= m->seen_room) {
		if (m->seen_room == MERGE_SEEN_MAX)
			return 0;
		if (seen_grow(m))
			return -ENOMEM;
	}
	place = seen_place(m->seen, m->seen_room, hash);
	if (place->by) {
		*ret_fresh = place->by == node;
		return 0;
	}
	*place = (struct merge_seen){ hash, node };
	m->seen_len++;
	return 0;
}

/* A pod of group g, whose hash is that of the group and node. pod: its row, NULL unknown. */
static int add_member(struct merged *m, struct merge_group *g, const struct merge_node *node, uint64_t hash,
		      const struct report_name *name, const struct report_pod *pod)
{
	bool fresh;

	hash = hash_text(hash_text(hash_text(hash, name->name), name->container), name->cgroup);
	if (see(m, node, hash, &fresh))
		return -ENOMEM;
	if (!fresh)
		return 0;
	g->pods++;
	if (!pod)
		return 0;
	g->seconds_lost += pod->seconds_lost;
	if (pod->required_hop_limit > g->required_hop_limit)
		g->required_hop_limit = pod->required_hop_limit;
	return 0;
}

/* index: rows of its report by name. */
static int add_finding(struct merged *m, const struct merge_node *node, const struct report_finding *f,
		       const struct report_pod **index, size_t len)
{
	const struct report_name *names = f->pods_len ? f->pods : &f->who;
	size_t names_len = f->pods_len ? f->pods_len : 1;
	struct merge_group *g;
	uint64_t hash;
	bool fresh;
	int err = 0;

	if (group_of(m, f, &g))
		return -ENOMEM;
	if (!g) {
		m->groups_lost++;
		return 0;
	}
	if ((!g->summary || f->severity > g->severity ||
	     (f->severity == g->severity && g->worst != node && merge_by_node(node, g->worst) < 0)) &&
	    set_words(g, node, f))
		return -ENOMEM;
	hash = hash_text((uintptr_t)g, node->node);
	if (see(m, node, hash, &fresh))
		return -ENOMEM;
	g->nodes += fresh && g->newest != node;
	g->newest = node;
	for (size_t i = 0; !err && i < names_len; i++)
		err = add_member(m, g, node, hash, &names[i], pod_of(&names[i], index, len));
	return err;
}

int merge_add_findings(struct merged *m, const struct merge_node *node, const struct report_doc *d)
{
	const struct report_pod **index = calloc(d->pods_len + 1, sizeof(*index));
	int err = index ? 0 : -ENOMEM;

	for (size_t i = 0; index && i < d->pods_len; i++)
		index[i] = &d->pods[i];
	if (index && d->pods_len)
		qsort(index, d->pods_len, sizeof(*index), by_names);
	for (size_t i = 0; !err && i < d->findings_len; i++)
		err = add_finding(m, node, &d->findings[i], index, d->pods_len);
	free(index);
	return err;
}

int merge_end_findings(struct merged *m)
{
	const struct merge_group *g;
	size_t n = 0;

	m->groups = calloc(m->groups_len + 1, sizeof(struct merge_group *));
	if (!m->groups)
		return -ENOMEM;
	for (g = m->by_group; g; g = g->hh.next) {
		m->groups[n++] = g;
		m->severities[g->severity]++;
	}
	qsort(m->groups, n, sizeof(*m->groups), by_gravity);
	return 0;
}

void merge_clear_findings(struct merged *m)
{
	struct merge_group *g, *next;

	HASH_ITER (hh, m->by_group, g, next) {
		HASH_DEL(m->by_group, g); /* NOLINT(clang-analyzer-unix.Malloc): it takes it off the list */
		words_clear(g);
		free(g);
	}
	free(m->groups);
	free(m->seen);
}
