/* SPDX-License-Identifier: GPL-2.0-only */
#include "merge_part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"

/* --- copies ---------------------------------------------------------------------------------------------------------- */

size_t merge_length(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max)
		return n;
	for (n = max; n && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

size_t merge_room(const struct merge_field *fields, size_t len)
{
	size_t room = 0;

	for (size_t i = 0; i < len; i++)
		room += merge_length(fields[i].from, fields[i].max) + 1;
	return room;
}

char *merge_put(const struct merge_field *fields, size_t len, char *buf)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = merge_length(fields[i].from, fields[i].max);

		memcpy(buf, fields[i].from, n);
		buf[n] = '\0';
		*fields[i].to = buf;
		buf += n + 1;
	}
	return buf;
}

/* --- nodes ----------------------------------------------------------------------------------------------------------- */

int merge_by_node(const struct merge_node *x, const struct merge_node *y)
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

int merge_by_node_at(const void *a, const void *b)
{
	return merge_by_node(*(const struct merge_node *const *)a, *(const struct merge_node *const *)b);
}

static int add_node(struct merged *m, const struct report_doc *d, const struct merge_node **ret, const char **ret_twin)
{
	const char *node, *started, *lasted, *file, *version, *kernel;
	char duration[32];
	const struct merge_field fields[] = {
		{ &node, d->node, NAME_MAX_LEN },	{ &started, d->started, WORD_MAX_LEN },
		{ &lasted, duration, WORD_MAX_LEN },	{ &file, d->file, CGROUP_MAX_LEN },
		{ &version, d->version, WORD_MAX_LEN }, { &kernel, d->kernel, WORD_MAX_LEN },
	};
	const struct merge_node **more;
	struct merge_node *n, *twin;
	size_t key_len, room;

	snprintf(duration, sizeof(duration), "%.6f", d->duration_s);
	room = merge_room(fields, LEN(fields));
	n = calloc(1, sizeof(*n) + room);
	if (!n)
		return -ENOMEM;
	merge_put(fields, LEN(fields), n->key);
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
	more = with_room(m->nodes, m->nodes_len, &m->nodes_room, 64, sizeof(struct merge_node *));
	if (!more) {
		free(n);
		return -ENOMEM;
	}
	m->nodes = more;
	HASH_ADD_KEYPTR(hh, m->by_key, n->key, key_len, n);
	if (!HASH_ADDED(n))
		return -ENOMEM;
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
	c = report_name_order(&p->who, &q->who);
	return c ? c : merge_by_node(p->node, q->node);
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
	const struct merge_field fields[] = {
		{ &p.namespace, from->namespace, NAME_MAX_LEN }, { &p.pod, from->pod, NAME_MAX_LEN },
		{ &p.container, from->container, NAME_MAX_LEN }, { &p.cgroup, from->cgroup, CGROUP_MAX_LEN },
		{ &p.workload, from->workload, NAME_MAX_LEN },	 { &p.text, from->text, WORD_MAX_LEN },
	};
	const size_t room = merge_room(fields, LEN(fields));
	char *block;

	if (m->pods_len == m->pods_room && pods_grow(m))
		return -ENOMEM;
	block = malloc(room);
	if (!block)
		return -ENOMEM;
	merge_put(fields, LEN(fields), block);
	m->pods[m->pods_len++] = p;
	m->pods_seen++;
	m->hop_limit_pods += p.hop_limit_requests > 0;
	m->hop_limit_tokens |= p.hop_limit_requests && from->token_requests;
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
	c = c ? c : report_name_order(&p->who, &q->who);
	return c ? c : (int)q->other - (int)p->other;
}

static int by_place_and_node(const void *a, const void *b)
{
	const struct merge_pod *p = a, *q = b;
	int c = by_place(p, q);

	return c ? c : p->node == q->node ? 0 : merge_by_node(p->node, q->node);
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

/* --- all of it ------------------------------------------------------------------------------------------------------- */

/* The words of the gravest report; among equals, of the first by name. */
static void add_words(struct merged *m, const struct merge_node *node, const char *headline)
{
	m->alike = node->level > m->level || !m->said_node ? 0 : m->alike;
	if (!m->alike || (node->level == m->level && strcmp(node->node, m->said_node) < 0)) {
		snprintf(m->said, sizeof(m->said), "%.*s", (int)merge_length(headline, sizeof(m->said) - 1), headline);
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
	err = err ? err : merge_add_findings(m, node, d);
	return err ? err : merge_add_facts(m, node, d);
}

/* The sentence of one host's own reports, for all of them. */
static void say_hop_limit(struct merged *m)
{
	size_t len = sizeof(m->headline);

	snprintf(m->headline, len, "%zu pod%s on %zu node%s: no metadata %s", m->hop_limit_pods,
		 ENDING(m->hop_limit_pods), m->hosts, ENDING(m->hosts),
		 m->hop_limit_tokens ? "token, the hop limit is too low"
				     : "answer, the answers die on the node, TTL used up");
	if (m->hop_limit_tokens && m->exhausted_hop_limit)
		text_add(m->headline, len, ", %d is needed", m->exhausted_hop_limit);
	if (m->seconds_lost >= 0.05)
		text_add(m->headline, len, "; %.1f s lost", m->seconds_lost);
}

/* How many findings, and the sentence of the gravest. */
static void say_gravest(struct merged *m)
{
	const size_t errors = m->severities[SEVERITY_ERROR], warnings = m->severities[SEVERITY_WARNING];
	char problems[64] = "", lesser[64] = "";

	if (errors)
		snprintf(problems, sizeof(problems), "%zu problem%s", errors, ENDING(errors));
	if (warnings)
		snprintf(lesser, sizeof(lesser), "%zu warning%s", warnings, ENDING(warnings));
	snprintf(m->headline, sizeof(m->headline), "%s%s%s on %zu node%s: %.800s", problems,
		 errors && warnings ? " and " : "", lesser, m->hosts, ENDING(m->hosts), m->groups[0]->summary);
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
			 m->hosts, ENDING(m->hosts), m->said);
	else if (m->level == LEVEL_NOTE && first)
		snprintf(m->headline, len, "nothing to mend on %zu node%s, but to know: %.800s", m->hosts,
			 ENDING(m->hosts), first->summary);
	else if (m->level == LEVEL_QUIET)
		snprintf(m->headline, len, "nothing asked a metadata service on %zu node%s", m->hosts, ENDING(m->hosts));
	else
		snprintf(m->headline, len, "no problem on %zu node%s: %llu request%s, %llu answered", m->hosts,
			 ENDING(m->hosts), (unsigned long long)m->requests, ENDING(m->requests),
			 (unsigned long long)m->answered);
}

int merge_end(struct merged *m)
{
	if (merge_end_findings(m))
		return -ENOMEM;
	if (m->nodes_len)
		qsort(m->nodes, m->nodes_len, sizeof(*m->nodes), merge_by_node_at);
	add_totals(m);
	if (m->pods_len)
		join_pods(m);
	if (m->pods_len)
		keep_worst(m, MERGE_PODS_MAX);
	add_headline(m);
	return merge_end_facts(m);
}

void merge_clear(struct merged *m)
{
	struct merge_node *n, *next_node;

	merge_clear_facts(m);
	merge_clear_findings(m);
	for (size_t i = 0; i < m->pods_len; i++)
		pod_clear(&m->pods[i]);
	free(m->pods);
	HASH_ITER (hh, m->by_key, n, next_node) {
		HASH_DEL(m->by_key, n); /* NOLINT(clang-analyzer-unix.Malloc): it takes it off the list */
		free(n);
	}
	free(m->nodes);
	*m = (struct merged){ 0 };
}
