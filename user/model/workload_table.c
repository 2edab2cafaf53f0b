/* SPDX-License-Identifier: GPL-2.0-only */
#include "workload_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "../pods/cgroup_path.h"

#define KEEP_S 86400 /* a workload without rows */
#define KEY_LEN 1024

struct entry {
	struct workload w;
	UT_hash_handle hh;
	char key[]; /* namespace, '/', name: no namespace has a slash */
};

/* What was counted of a row. */
struct mark {
	uint64_t first_ns; /* another one: a new row of that name */
	uint64_t round;
	struct workload_counts counts;
	UT_hash_handle hh;
	char key[];
};

struct workload_table {
	size_t max;
	bool saves; /* what is not saved yet does not leave */
	struct entry *entries, *other;
	struct mark *marks;
	struct workload **list;
	size_t list_len;
	uint64_t round, overflowed, missed;
};

int workload_table_new(size_t max_workloads, bool saves, struct workload_table **ret_table)
{
	struct workload_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->max = max_workloads;
	t->saves = saves;
	*ret_table = t;
	return 0;
}

static void drop_entry(struct workload_table *t, struct entry *e)
{
	HASH_DEL(t->entries, e);
	free(e);
}

static void drop_mark(struct workload_table *t, struct mark *m)
{
	HASH_DEL(t->marks, m);
	free(m);
}

void workload_table_free(struct workload_table *t)
{
	struct entry *e, *next_e;
	struct mark *m, *next_m;

	if (!t)
		return;
	HASH_ITER (hh, t->entries, e, next_e)
		drop_entry(t, e);
	HASH_ITER (hh, t->marks, m, next_m)
		drop_mark(t, m);
	free(t->other);
	free(t->list);
	free(t);
}

/* --- names ------------------------------------------------------------------------------------------------------------ */

static struct entry *entry_new(const char *key, bool other)
{
	struct entry *e = calloc(1, sizeof(*e) + strlen(key) + 1);
	char *slash;

	if (!e)
		return NULL;
	strcpy(e->key, key);
	slash = strchr(e->key, '/');
	*slash = '\0';
	e->w.namespace = e->key;
	e->w.name = slash + 1;
	e->w.other = other;
	return e;
}

static struct entry *entry_other(struct workload_table *t)
{
	if (!t->other)
		t->other = entry_new("/other", true);
	return t->other;
}

static bool has_workload(const struct pod_identity *who)
{
	return who->workload && *who->workload;
}

/* A container, or a cgroup that a container's runtime made, without a pod's name. */
static bool is_unnamed(const struct pod_identity *who)
{
	return !*who->pod && !has_workload(who) &&
	       (*who->pod_uid || *who->container_id || !strncmp(who->cgroup, "cgroup:", 7));
}

/*
 * Kubernetes' namespace, else the compose project or the ECS cluster: two projects have a `web` each. A user names what it
 * runs as it likes: it is the user's, none of the node's.
 */
static const char *space_of(const struct pod_identity *who, char *buf, size_t len)
{
	const char *project = who->project && !strchr(who->project, '/') ? who->project : "";
	unsigned int user = cgroup_path_user(who->cgroup, strlen(who->cgroup));

	if (*who->namespace || !user)
		return *who->namespace ? who->namespace : project;
	snprintf(buf, len, "user@%u%s%s", user, *project ? ":" : "", project);
	return buf;
}

static struct entry *entry_get(struct workload_table *t, const struct pod_stats *p, const char *node)
{
	char key[KEY_LEN], name[WORKLOAD_LEN], space[KEY_LEN];
	struct entry *e;
	size_t len;

	if (p->other)
		return entry_other(t);
	len = snprintf(key, sizeof(key), "%s/%s", space_of(&p->who, space, sizeof(space)),
		       has_workload(&p->who) ? p->who.workload
		       : *p->who.pod	     ? workload_name(p->who.pod, node, name, sizeof(name))
					     : p->who.cgroup);
	if (len >= sizeof(key))
		len = sizeof(key) - 1;
	/* stored with the slash cut out, so it is looked up that way */
	*strchr(key, '/') = '\0';
	HASH_FIND(hh, t->entries, key, len, e);
	if (e)
		return e;
	if (HASH_COUNT(t->entries) >= t->max)
		return entry_other(t);
	key[strlen(key)] = '/';
	e = entry_new(key, false);
	if (!e)
		return NULL;
	e->w.unnamed = is_unnamed(&p->who);
	HASH_ADD_KEYPTR(hh, t->entries, e->key, len, e);
	return HASH_ADDED(e);
}

static struct mark *mark_get(struct workload_table *t, const struct pod_stats *p)
{
	const char *key = p->other ? "" : *p->who.container_id ? p->who.container_id : p->who.cgroup;
	struct mark *m;

	HASH_FIND_STR(t->marks, key, m);
	if (!m) {
		m = calloc(1, sizeof(*m) + strlen(key) + 1);
		if (!m)
			return NULL;
		strcpy(m->key, key);
		HASH_ADD_STR(t->marks, key, m);
		if (!HASH_ADDED(m))
			return NULL;
	}
	if (m->first_ns != p->first_ns) {
		/* a row that began with packets alone gets its first request later: nothing was counted then */
		memset(&m->counts, 0, sizeof(m->counts));
		m->first_ns = p->first_ns;
	}
	return m;
}

/* --- counts ----------------------------------------------------------------------------------------------------------- */

static void counts_of(const struct pod_stats *p, struct workload_counts *ret)
{
	*ret = (struct workload_counts){
		.v1_answered = p->v1_answered,
		.v1_credentials = p->v1_credentials,
		.token_requests = p->token_requests,
		.token_answered = p->token_answered,
		.fallbacks = p->fallbacks,
		.lost_us = (uint64_t)(p->seconds_lost * 1e6),
		.lost = figures_own_losses(&p->figures),
	};
	for (int k = 0; k < IMDS_KIND_COUNT; k++)
		for (int v = 0; p->by_kind[k] && v < IMDS_VERSION_COUNT; v++)
			for (int o = 0; o < OUTCOME_COUNT; o++)
				ret->requests[v][o] += p->by_kind[k]->cells[v][o];
}

/* Adds now - before to sum. A figure that went back (a row judged anew) adds nothing. */
static uint64_t add_difference(struct workload_counts *sum, const struct workload_counts *now,
			       const struct workload_counts *before)
{
	const uint64_t *n = (const uint64_t *)now, *b = (const uint64_t *)before;
	uint64_t *s = (uint64_t *)sum, any = 0;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*s); i++)
		if (n[i] > b[i]) {
			s[i] += n[i] - b[i];
			any += n[i] - b[i];
		}
	return any;
}

uint64_t workload_requests(const struct workload_counts *c, enum imds_version version)
{
	uint64_t sum = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++)
		sum += c->requests[version][o];
	return sum;
}

uint64_t workload_unanswered(const struct workload_counts *c)
{
	uint64_t sum = 0;

	for (int v = 0; v < IMDS_VERSION_COUNT; v++)
		for (int o = 0; o < OUTCOME_COUNT; o++)
			if (o != OUTCOME_OK && o != OUTCOME_HTTP_ERROR && o != OUTCOME_ABORTED && o != OUTCOME_REDIRECTED)
				sum += c->requests[v][o];
	return sum;
}

static int add_row(struct workload_table *t, const struct snapshot *s, const struct pod_stats *p)
{
	struct entry *e = entry_get(t, p, s->node ? s->node : "");
	struct mark *m = e ? mark_get(t, p) : NULL;
	uint64_t now_s = s->now_wall_ns / 1000000000, v1;
	struct workload_counts now;
	struct workload *w;

	if (!m)
		return -ENOMEM;
	w = &e->w;
	w->pods++;
	w->providers |= p->providers;
	if (p->required_hop_limit > w->required_hop_limit && !pod_stats_seems_near(p))
		w->required_hop_limit = p->required_hop_limit;
	w->at_least |= p->required_hop_limit > 0 && p->hops < 0;
	counts_of(p, &now);
	v1 = workload_requests(&w->sum, IMDS_VERSION_V1);
	if (add_difference(&w->sum, &now, &m->counts)) {
		w->last_s = now_s;
		if (!w->first_s)
			w->first_s = now_s;
		if (workload_requests(&w->sum, IMDS_VERSION_V1) > v1)
			w->last_v1_s = now_s;
		if (w->other && !p->other)
			t->overflowed++;
	}
	m->counts = now;
	m->round = t->round;
	return 0;
}

static void add_finding(struct workload_table *t, const struct snapshot *s, const struct finding *f)
{
	struct entry *e;

	if (finding_row(f) >= s->pods_len)
		return;
	e = entry_get(t, s->pods[finding_row(f)], s->node ? s->node : "");
	if (e)
		e->w.findings[f->code]++;
}

/* --- the whole -------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct workload *x = *(struct workload *const *)a, *y = *(struct workload *const *)b;
	int c = x->other - y->other;

	c = c ? c : strcmp(x->namespace, y->namespace);
	return c ? c : strcmp(x->name, y->name);
}

static int make_list(struct workload_table *t)
{
	struct workload **list = calloc(HASH_COUNT(t->entries) + 1, sizeof(*list));
	struct entry *e, *next;

	if (!list)
		return -ENOMEM;
	free(t->list);
	t->list = list;
	t->list_len = 0;
	HASH_ITER (hh, t->entries, e, next)
		list[t->list_len++] = &e->w;
	if (t->other)
		list[t->list_len++] = &t->other->w;
	qsort(list, t->list_len, sizeof(*list), by_name);
	return 0;
}

static void forget_rows(struct workload *w)
{
	w->at_least = false;
	w->pods = 0;
	memset(w->findings, 0, sizeof(w->findings));
}

static void begin_round(struct workload_table *t)
{
	struct entry *e, *next;

	t->round++;
	t->list_len = 0;
	HASH_ITER (hh, t->entries, e, next)
		forget_rows(&e->w);
	if (t->other)
		forget_rows(&t->other->w);
}

static void forget(struct workload_table *t, uint64_t now_s)
{
	struct entry *e, *next_e;
	struct mark *m, *next_m;

	HASH_ITER (hh, t->marks, m, next_m)
		if (m->round != t->round)
			drop_mark(t, m);
	HASH_ITER (hh, t->entries, e, next_e)
		if (!e->w.pods && e->w.last_s + KEEP_S < now_s &&
		    !(t->saves && memcmp(&e->w.sum, &e->w.saved, sizeof(e->w.sum))))
			drop_entry(t, e);
}

int workload_table_update(struct workload_table *t, const struct snapshot *s)
{
	int err = 0;

	begin_round(t);
	for (size_t i = 0; i < s->pods_len; i++)
		if (add_row(t, s, s->pods[i]))
			err = -ENOMEM;
	for (size_t i = 0; i < s->findings_len; i++)
		add_finding(t, s, &s->findings[i]);
	if (!err) /* else a mark that was not found would count its row twice */
		forget(t, s->now_wall_ns / 1000000000);
	if (make_list(t))
		err = -ENOMEM;
	t->missed += err != 0;
	return err;
}

struct workload *const *workload_table_list(const struct workload_table *t, size_t *ret_len)
{
	*ret_len = t->list_len;
	return t->list;
}

void workload_table_get_stats(const struct workload_table *t, struct workload_table_stats *ret_stats)
{
	*ret_stats = (struct workload_table_stats){
		.workloads = HASH_COUNT(t->entries),
		.limit = t->max,
		.overflowed = t->overflowed,
		.missed = t->missed,
	};
}
