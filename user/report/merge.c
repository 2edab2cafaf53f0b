/* SPDX-License-Identifier: GPL-2.0-only */
#include "merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 253 /* of a namespace, pod, container or node */
#define CGROUP_MAX_LEN 512
#define TEXT_MAX_LEN 1023 /* of a summary, or a line of advice */
#define WORD_MAX_LEN 95	  /* a code, a version, a moment, a cause */

/* --- copies ---------------------------------------------------------------------------------------------------------- */

/* Length of s, at most max, and no character cut in two. */
static size_t length_of(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max)
		return n;
	for (n = max; n && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* A text of a row: where its copy belongs, and how much of it is kept. */
struct field {
	const char **to;
	const char *from;
	size_t max;
};

static size_t room_for(const struct field *fields, size_t len)
{
	size_t room = 0;

	for (size_t i = 0; i < len; i++)
		room += length_of(fields[i].from, fields[i].max) + 1;
	return room;
}

/* Into buf, one behind the other. Returns the end. */
static char *put(const struct field *fields, size_t len, char *buf)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = length_of(fields[i].from, fields[i].max);

		memcpy(buf, fields[i].from, n);
		buf[n] = '\0';
		*fields[i].to = buf;
		buf += n + 1;
	}
	return buf;
}

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- nodes ----------------------------------------------------------------------------------------------------------- */

static int by_node(const struct merge_node *x, const struct merge_node *y)
{
	int c = strcmp(x->node, y->node);

	if (c || x->started_s == y->started_s)
		return c ? c : strcmp(x->started, y->started);
	return x->started_s < y->started_s ? -1 : 1;
}

/* A report that does not name its node is of a node of its own. */
static bool is_same_node(const struct merge_node *x, const struct merge_node *y)
{
	return x == y || (x->node[0] && !strcmp(x->node, y->node));
}

static int by_node_at(const void *a, const void *b)
{
	return by_node(*(const struct merge_node *const *)a, *(const struct merge_node *const *)b);
}

static int add_node(struct merged *m, const struct report_doc *d, const struct merge_node **ret, const char **ret_twin)
{
	const char *node, *started, *lasted, *file, *version, *kernel;
	char duration[32];
	const struct field fields[] = {
		{ &node, d->node, NAME_MAX_LEN },	{ &started, d->started, WORD_MAX_LEN },
		{ &lasted, duration, WORD_MAX_LEN },	{ &file, d->file, CGROUP_MAX_LEN },
		{ &version, d->version, WORD_MAX_LEN }, { &kernel, d->kernel, WORD_MAX_LEN },
	};
	struct merge_node *n, *twin;
	size_t key_len, room;

	snprintf(duration, sizeof(duration), "%.6f", d->duration_s);
	room = room_for(fields, LEN(fields));
	n = calloc(1, sizeof(*n) + room);
	if (!n)
		return -ENOMEM;
	put(fields, LEN(fields), n->key);
	key_len = (size_t)(file - n->key);
	HASH_FIND(hh, m->by_key, n->key, key_len, twin);
	if (twin || m->nodes_len == MERGE_NODES_MAX) {
		*ret_twin = twin ? twin->file : NULL;
		free(n);
		return twin ? -EEXIST : -E2BIG;
	}
	n->node = node;
	n->started = started;
	n->file = file;
	n->version = version;
	n->kernel = kernel;
	n->started_s = d->started_s;
	n->duration_s = d->duration_s;
	n->figures = d->figures;
	n->node_token_ttl = d->node_token_ttl;
	n->lost = d->lost;
	n->level = d->level;
	if (m->nodes_len == m->nodes_room) {
		size_t most = m->nodes_room ? m->nodes_room * 2 : 64;
		const struct merge_node **more = realloc(m->nodes, most * sizeof(struct merge_node *));

		if (!more) {
			free(n);
			return -ENOMEM;
		}
		m->nodes = more;
		m->nodes_room = most;
	}
	HASH_ADD_KEYPTR(hh, m->by_key, n->key, key_len, n);
	if (!n->hh.tbl) {
		free(n);
		return -ENOMEM;
	}
	m->nodes[m->nodes_len++] = n;
	*ret = n;
	return 0;
}

/*
 * Whether report i begins a stretch of time in which none of its node's had watched. end_s: end of the stretch so far. A
 * moment that is not known is taken for one within.
 */
static bool begins_stretch(const struct merged *m, size_t i, double *end_s)
{
	const struct merge_node *n = m->nodes[i];
	bool first = !i || !is_same_node(m->nodes[i - 1], n);
	bool fresh = first || (*end_s > 0 && n->started_s + 0.001 >= *end_s);
	double end = n->started_s > 0 ? n->started_s + n->duration_s : 0;

	*end_s = fresh || end > *end_s ? end : *end_s;
	return fresh;
}

static void add_more(uint64_t *sum, uint64_t *most, uint64_t n)
{
	if (n <= *most)
		return;
	figures_add_count(sum, n - *most);
	*most = n;
}

/* What two reports of one stretch may both have counted counts once: the most that one of them did. */
static void add_totals(struct merged *m)
{
	struct merge_node most = { 0 };
	size_t stretch = 0;
	double end_s = 0;

	for (size_t i = 0; i < m->nodes_len; i++) {
		const struct merge_node *n = m->nodes[i];
		bool fresh = begins_stretch(m, i, &end_s);

		m->hosts += !i || !is_same_node(m->nodes[i - 1], n);
		m->overlapping += !fresh;
		stretch += fresh;
		((struct merge_node *)n)->stretch = stretch;
		if (fresh)
			most = (struct merge_node){ 0 };
		figures_add_more(&m->figures, &most.figures, &n->figures);
		add_more(&m->lost, &most.lost, n->lost);
	}
	if (m->overlapping)
		snprintf(m->note, sizeof(m->note),
			 "%zu report%s in time with another one of the same node: what two of them may have counted "
			 "counts once, so these figures are at least so high",
			 m->overlapping, m->overlapping == 1 ? " overlaps" : "s overlap");
}

/* --- pods ------------------------------------------------------------------------------------------------------------ */

static int by_pod(const void *a, const void *b)
{
	const struct merge_pod *p = a, *q = b;
	int c;

	if (p->level != q->level)
		return p->level > q->level ? -1 : 1;
	if (p->hop_limit_requests != q->hop_limit_requests)
		return p->hop_limit_requests > q->hop_limit_requests ? -1 : 1;
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
	return c ? c : by_node(p->node, q->node);
}

/* The names begin the row's block. */
static void pod_clear(struct merge_pod *p)
{
	free((char *)p->namespace);
}

static void keep_worst(struct merged *m, size_t max)
{
	qsort(m->pods, m->pods_len, sizeof(*m->pods), by_pod);
	while (m->pods_len > max)
		pod_clear(&m->pods[--m->pods_len]);
}

static int pods_grow(struct merged *m)
{
	/* some more than are kept, so that the sorting is seldom */
	size_t most = MERGE_PODS_MAX + MERGE_PODS_MAX / 4, room = m->pods_room ? m->pods_room * 2 : 256;
	struct merge_pod *more;

	if (m->pods_room == most) {
		keep_worst(m, MERGE_PODS_MAX);
		return 0;
	}
	room = room < most ? room : most;
	more = realloc(m->pods, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	m->pods = more;
	m->pods_room = room;
	return 0;
}

static int add_pod(struct merged *m, const struct merge_node *node, const struct report_pod *from)
{
	struct merge_pod p = {
		.node = node,
		.figures = from->figures,
		.hop_limit_requests = from->outcomes[OUTCOME_HOP_LIMIT],
		.p50_us = from->p50_us,
		.p99_us = from->p99_us,
		.required_hop_limit = from->required_hop_limit,
		.level = from->level,
		.hop_limit = from->hop_limit,
		.other = from->other,
	};
	const struct field fields[] = {
		{ &p.namespace, from->namespace, NAME_MAX_LEN }, { &p.pod, from->pod, NAME_MAX_LEN },
		{ &p.container, from->container, NAME_MAX_LEN }, { &p.cgroup, from->cgroup, CGROUP_MAX_LEN },
		{ &p.workload, from->workload, NAME_MAX_LEN },	 { &p.text, from->text, WORD_MAX_LEN },
	};
	const size_t room = room_for(fields, LEN(fields));
	char *block;

	if (m->pods_len == m->pods_room && pods_grow(m))
		return -ENOMEM;
	block = malloc(room);
	if (!block)
		return -ENOMEM;
	put(fields, LEN(fields), block);
	m->pods[m->pods_len++] = p;
	m->pods_seen++;
	m->hop_limit_pods += p.hop_limit_requests > 0;
	if (p.hop_limit_requests && p.required_hop_limit > m->exhausted_hop_limit)
		m->exhausted_hop_limit = p.required_hop_limit;
	if (from->token_requests && p.required_hop_limit > m->required_hop_limit)
		m->required_hop_limit = p.required_hop_limit;
	return 0;
}

/* By node and names: as the reports of one node call the same container. */
static int by_place(const struct merge_pod *p, const struct merge_pod *q)
{
	int c = strcmp(p->node->node, q->node->node);

	if (!c && !is_same_node(p->node, q->node))
		c = p->node < q->node ? -1 : 1;
	c = c ? c : strcmp(p->namespace, q->namespace);
	c = c ? c : strcmp(p->pod, q->pod);
	c = c ? c : strcmp(p->container, q->container);
	c = c ? c : strcmp(p->cgroup, q->cgroup);
	return c ? c : (int)q->other - (int)p->other;
}

static int by_place_and_node(const void *a, const void *b)
{
	const struct merge_pod *p = a, *q = b;
	int c = by_place(p, q);

	return c ? c : p->node == q->node ? 0 : by_node(p->node, q->node);
}

/* Two rows of one report are two containers, whatever they are called. */
static bool are_of_different_reports(const struct merge_pod *rows, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (rows[i].node == rows[i - 1].node)
			return false;
	return true;
}

/* The figures of row p, of a stretch that begins with it or not. most: of that stretch so far. */
static void join_figures(struct merge_pod *sum, struct merge_pod *most, const struct merge_pod *p, bool fresh)
{
	if (fresh)
		*most = (struct merge_pod){ 0 };
	figures_add_more(&sum->figures, &most->figures, &p->figures);
	add_more(&sum->hop_limit_requests, &most->hop_limit_requests, p->hop_limit_requests);
	sum->p50_us = p->p50_us > sum->p50_us ? p->p50_us : sum->p50_us;
	sum->p99_us = p->p99_us > sum->p99_us ? p->p99_us : sum->p99_us;
	if (p->required_hop_limit > sum->required_hop_limit)
		sum->required_hop_limit = p->required_hop_limit;
	if (p->hop_limit != HOP_LIMIT_UNKNOWN) /* the newest that is known */
		sum->hop_limit = p->hop_limit;
}

/* Joins rows [0, len) of one container into the first place, with the words of the gravest. */
static void join_rows(struct merge_pod *rows, size_t len)
{
	struct merge_pod sum = { .p50_us = -1, .p99_us = -1 }, most = { 0 };
	size_t gravest = 0;

	for (size_t i = 0; i < len; i++) {
		join_figures(&sum, &most, &rows[i], !i || rows[i].node->stretch != rows[i - 1].node->stretch);
		gravest = rows[i].level > rows[gravest].level ? i : gravest;
	}
	for (size_t i = 0; i < len; i++)
		if (i != gravest)
			pod_clear(&rows[i]);
	rows[0] = rows[gravest];
	rows[0].figures = sum.figures;
	rows[0].hop_limit_requests = sum.hop_limit_requests;
	rows[0].p50_us = sum.p50_us;
	rows[0].p99_us = sum.p99_us;
	rows[0].required_hop_limit = sum.required_hop_limit;
	rows[0].hop_limit = sum.hop_limit;
}

/* The rows of one container in several reports of its node become one. */
static void join_pods(struct merged *m)
{
	size_t n = 0;

	if (m->hosts == m->nodes_len)
		return;
	qsort(m->pods, m->pods_len, sizeof(*m->pods), by_place_and_node);
	for (size_t i = 0, len; i < m->pods_len; i += len) {
		for (len = 1; i + len < m->pods_len && !by_place(&m->pods[i], &m->pods[i + len]); len++)
			;
		if (len > 1 && are_of_different_reports(&m->pods[i], len)) {
			for (size_t k = 0, deaths = 0; k < len; k++) {
				deaths += m->pods[i + k].hop_limit_requests > 0;
				m->hop_limit_pods -= deaths > 1 && m->pods[i + k].hop_limit_requests;
			}
			join_rows(&m->pods[i], len);
			m->pods[n++] = m->pods[i];
			m->pods_seen -= len - 1;
			continue;
		}
		memmove(&m->pods[n], &m->pods[i], len * sizeof(*m->pods));
		n += len;
	}
	m->pods_len = n;
}

/* --- findings by workload -------------------------------------------------------------------------------------------- */

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
	c = c ? c : strcmp(x->namespace, y->namespace);
	c = c ? c : strcmp(x->workload, y->workload);
	c = c ? c : strcmp(x->container, y->container);
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

static const struct report_pod *pod_of(const struct report_name *n, const struct report_pod **index, size_t len)
{
	const struct report_pod want = {
		.namespace = n->namespace, .pod = n->pod, .container = n->container, .cgroup = n->cgroup,
	}, *key = &want, **found;

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
	struct field fields[MERGE_ADVICE_MAX + 1] = { { &summary, f->summary, TEXT_MAX_LEN } };
	const char **advice;
	size_t n = 0;
	char *block;

	for (; n < MERGE_ADVICE_MAX && f->advice[n]; n++)
		fields[n + 1] = (struct field){ &lines[n], f->advice[n], TEXT_MAX_LEN };
	block = malloc(room_for(fields, n + 1));
	advice = calloc(n + 1, sizeof(*advice));
	if (!block || !advice) {
		free(block);
		free(advice);
		return -ENOMEM;
	}
	put(fields, n + 1, block);
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
	const struct field fields[] = {
		{ &names.code, f->code, WORD_MAX_LEN },
		{ &names.namespace, f->namespace, NAME_MAX_LEN },
		{ &names.workload, f->workload, NAME_MAX_LEN },
		{ &names.container, f->container, NAME_MAX_LEN },
		{ &names.cgroup, f->workload[0] ? "" : f->cgroup, CGROUP_MAX_LEN },
	};
	char key[WORD_MAX_LEN + 3 * NAME_MAX_LEN + CGROUP_MAX_LEN + LEN(fields)];
	size_t len = room_for(fields, LEN(fields));

	put(fields, LEN(fields), key);
	HASH_FIND(hh, m->by_group, key, len, g);
	*ret = g;
	if (g || m->groups_len == MERGE_GROUPS_MAX)
		return 0;
	g = calloc(1, sizeof(*g) + len);
	if (!g)
		return -ENOMEM;
	put(fields, LEN(fields), g->key);
	g->code = names.code;
	g->namespace = names.namespace;
	g->workload = names.workload;
	g->container = names.container;
	g->cgroup = names.cgroup;
	HASH_ADD_KEYPTR(hh, m->by_group, g->key, len, g);
	if (!g->hh.tbl) {
		free(g);
		return -ENOMEM;
	}
	m->groups_len++;
	*ret = g;
	return 0;
}

#define FNV_BASIS 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static uint64_t hash_text(uint64_t hash, const char *s)
{
	do {
		hash = (hash ^ (unsigned char)*s) * FNV_PRIME;
	} while (*s++);
	return hash;
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

	hash = hash_text(hash_text(hash_text(hash, name->pod), name->container), name->cgroup);
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
	const struct report_name own = { f->namespace, f->pod, f->container, f->cgroup };
	const struct report_name *names = f->pods_len ? f->pods : &own;
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
	     (f->severity == g->severity && g->worst != node && by_node(node, g->worst) < 0)) &&
	    set_words(g, node, f))
		return -ENOMEM;
	hash = hash_text(FNV_BASIS ^ (uintptr_t)g, node->node);
	if (see(m, node, hash, &fresh))
		return -ENOMEM;
	g->nodes += fresh && g->newest != node;
	g->newest = node;
	for (size_t i = 0; !err && i < (f->pods_len ? f->pods_len : 1); i++)
		err = add_member(m, g, node, hash, &names[i], pod_of(&names[i], index, len));
	return err;
}

static int add_findings(struct merged *m, const struct merge_node *node, const struct report_doc *d)
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

/* --- in what nodes differ -------------------------------------------------------------------------------------------- */

static struct merge_value *value_get(struct merge_difference *d, const char *text)
{
	char value[sizeof(d->values->value)];

	snprintf(value, sizeof(value), "%.*s", (int)length_of(text, sizeof(value) - 1), text);
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

	snprintf(whole, sizeof(whole), "%s%.*s", what, (int)length_of(name, 40), name);
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
	struct merge_difference *d;
	struct merge_value *v;

	if (difference_get(m, what, name, &d))
		return -ENOMEM;
	if (!d)
		return 0;
	v = value_get(d, value);
	if (v->nodes_len && v->nodes[v->nodes_len - 1] == node)
		return 0; /* said twice */
	if (v->nodes_len == v->room) {
		size_t room = v->room ? v->room * 2 : 16;
		const struct merge_node **more = realloc(v->nodes, room * sizeof(struct merge_node *));

		if (!more)
			return -ENOMEM;
		v->nodes = more;
		v->room = room;
	}
	v->nodes[v->nodes_len++] = node;
	d->known++;
	return 0;
}

#define FEATURE "feature "

static int add_facts(struct merged *m, const struct merge_node *node, const struct report_doc *d)
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
	qsort(said, n, sizeof(*said), by_node_at);
	for (size_t i = 0; !err && i < m->nodes_len; i++) { /* both are sorted */
		while (at < n && by_node(said[at], m->nodes[i]) < 0)
			at++;
		if (at == n || said[at] != m->nodes[i])
			err = add_fact(m, m->nodes[i], FEATURE, d->what + strlen(FEATURE), "unknown to its version");
	}
	free(said);
	return err;
}

/* What all say alike is no difference. */
static int keep_differences(struct merged *m)
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
				      by_node_at);
		qsort(d->values, d->values_len, sizeof(*d->values), by_frequency);
		m->differences[kept++] = *d;
	}
	m->differences_len = kept;
	if (kept)
		qsort(m->differences, kept, sizeof(*m->differences), by_what);
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------------------------------- */

/* The words of the gravest report; among equals, of the first by name. */
static void add_words(struct merged *m, const struct merge_node *node, const char *headline)
{
	m->alike = node->level > m->level || !m->said_node ? 0 : m->alike;
	if (!m->alike || (node->level == m->level && strcmp(node->node, m->said_node) < 0)) {
		snprintf(m->said, sizeof(m->said), "%.*s", (int)length_of(headline, sizeof(m->said) - 1), headline);
		m->said_node = node->node;
	}
	m->alike += node->level >= m->level;
	if (node->level > m->level)
		m->level = node->level;
}

int merge_add(struct merged *m, const struct report_doc *d, const char **ret_twin)
{
	const struct merge_node *node = NULL;
	int err = add_node(m, d, &node, ret_twin);

	if (err)
		return err;
	add_words(m, node, d->headline ? d->headline : "");
	for (size_t i = 0; !err && i < d->pods_len; i++)
		err = add_pod(m, node, &d->pods[i]);
	err = err ? err : add_findings(m, node, d);
	return err ? err : add_facts(m, node, d);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* The sentence of one host's own reports, for all of them. */
static void say_hop_limit(struct merged *m)
{
	size_t len = sizeof(m->headline);
	int at = snprintf(m->headline, len, "%zu pod%s on %zu node%s: no metadata token, the hop limit is too low",
			  m->hop_limit_pods, plural(m->hop_limit_pods), m->hosts, plural(m->hosts));

	if (m->exhausted_hop_limit)
		at += snprintf(m->headline + at, len - (size_t)at, ", %d is needed", m->exhausted_hop_limit);
	if (m->seconds_lost >= 0.05)
		snprintf(m->headline + at, len - (size_t)at, "; %.1f s lost", m->seconds_lost);
}

/* How many findings, and the sentence of the gravest. */
static void say_gravest(struct merged *m)
{
	const size_t errors = m->severities[SEVERITY_ERROR], warnings = m->severities[SEVERITY_WARNING];
	char problems[64] = "", lesser[64] = "";

	if (errors)
		snprintf(problems, sizeof(problems), "%zu problem%s", errors, plural(errors));
	if (warnings)
		snprintf(lesser, sizeof(lesser), "%zu warning%s", warnings, plural(warnings));
	snprintf(m->headline, sizeof(m->headline), "%s%s%s on %zu node%s: %.800s", problems,
		 errors && warnings ? " and " : "", lesser, m->hosts, plural(m->hosts), m->groups[0]->summary);
}

/* What the reports say, said again of all: their levels are not judged anew. */
static void add_headline(struct merged *m)
{
	const struct merge_group *first = m->groups_len ? m->groups[0] : NULL;
	const bool grave = first && first->severity != SEVERITY_INFO;
	size_t len = sizeof(m->headline);

	if (m->nodes_len == 1 && m->said[0])
		snprintf(m->headline, len, "%s", m->said);
	else if (grave && m->level == LEVEL_PROBLEM && m->hop_limit_pods &&
		 !strcmp(first->code, finding_word(FINDING_HOP_LIMIT_EXHAUSTED)))
		say_hop_limit(m);
	else if (grave && (m->level == LEVEL_PROBLEM || m->level == LEVEL_WARNING))
		say_gravest(m);
	else if (m->level != LEVEL_OK && m->level != LEVEL_QUIET && m->level != LEVEL_NOTE && m->said[0])
		snprintf(m->headline, len, "%zu of %zu node%s: %.900s", m->alike < m->hosts ? m->alike : m->hosts,
			 m->hosts, plural(m->hosts), m->said);
	else if (m->level == LEVEL_NOTE && first)
		snprintf(m->headline, len, "nothing to mend on %zu node%s, but to know: %.800s", m->hosts,
			 plural(m->hosts), first->summary);
	else if (m->level == LEVEL_QUIET)
		snprintf(m->headline, len, "nothing asked a metadata service on %zu node%s", m->hosts, plural(m->hosts));
	else
		snprintf(m->headline, len, "no problem on %zu node%s: %llu request%s, %llu answered", m->hosts,
			 plural(m->hosts), (unsigned long long)m->requests, plural(m->requests),
			 (unsigned long long)m->answered);
}

int merge_end(struct merged *m)
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
	if (m->nodes_len)
		qsort(m->nodes, m->nodes_len, sizeof(*m->nodes), by_node_at);
	add_totals(m);
	if (m->pods_len)
		join_pods(m);
	if (m->pods_len)
		keep_worst(m, MERGE_PODS_MAX);
	add_headline(m);
	return keep_differences(m);
}

void merge_clear(struct merged *m)
{
	struct merge_group *g, *next_group;
	struct merge_node *n, *next_node;

	for (size_t i = 0; i < m->differences_len; i++)
		difference_clear(&m->differences[i]);
	free(m->differences);
	HASH_ITER (hh, m->by_group, g, next_group) {
		HASH_DEL(m->by_group, g);
		words_clear(g);
		free(g);
	}
	free(m->groups);
	for (size_t i = 0; i < m->pods_len; i++)
		pod_clear(&m->pods[i]);
	free(m->pods);
	HASH_ITER (hh, m->by_key, n, next_node) {
		HASH_DEL(m->by_key, n);
		free(n);
	}
	free(m->nodes);
	free(m->seen);
	*m = (struct merged){ 0 };
}
