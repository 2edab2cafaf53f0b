/* SPDX-License-Identifier: GPL-2.0-only */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "../model/counters.h"
#include "findings.h"
#include "../model/pod_table.h"

#define LOSSES_MAX 32
#define STEP_NS (WINDOW_STEP_S * 1000000000ull)

/* A mark without its zeros, which are most of it. */
struct point {
	uint64_t step; /* number of the step at which the row had these figures for the first time */
	uint8_t has[COUNTERS_MARK_LEN / 8];
	uint32_t v[]; /* those with their bit set in has, in order */
};

struct row_history {
	uint64_t first_ns; /* of the row: another one of that name begins anew */
	uint64_t seen_step;
	uint64_t taken; /* number of the newest question that it was there for */
	size_t len;
	struct point **points; /* oldest first */
	UT_hash_handle hh;
	char key[];
};

struct step {
	uint64_t at_ns;
	uint64_t losses[LOSSES_MAX];
};

struct window {
	struct step steps[WINDOW_STEPS]; /* step n is at n % WINDOW_STEPS */
	uint64_t next;			 /* number of the next step */
	uint64_t questions;
	struct row_history *rows;
};

int window_new(struct window **ret_window)
{
	*ret_window = calloc(1, sizeof(**ret_window));
	return *ret_window ? 0 : -ENOMEM;
}

static struct point *point_new(uint64_t step, const struct counters_mark *mark)
{
	struct point *p;
	size_t n = 0;

	for (size_t i = 0; i < COUNTERS_MARK_LEN; i++)
		n += mark->v[i] != 0;
	p = calloc(1, sizeof(*p) + n * sizeof(*p->v));
	if (!p)
		return NULL;
	p->step = step;
	n = 0;
	for (size_t i = 0; i < COUNTERS_MARK_LEN; i++) {
		if (!mark->v[i])
			continue;
		p->has[i / 8] |= 1u << i % 8;
		p->v[n++] = mark->v[i];
	}
	return p;
}

static struct counters_mark point_mark(const struct point *p)
{
	struct counters_mark mark = { .v = { 0 } };
	size_t n = 0;

	for (size_t i = 0; i < COUNTERS_MARK_LEN; i++)
		if (p->has[i / 8] & 1u << i % 8)
			mark.v[i] = p->v[n++];
	return mark;
}

static void row_drop(struct window *w, struct row_history *r)
{
	HASH_DEL(w->rows, r);
	for (size_t i = 0; i < r->len; i++)
		free(r->points[i]);
	free(r->points);
	free(r);
}

void window_free(struct window *w)
{
	struct row_history *r, *tmp;

	if (!w)
		return;
	HASH_ITER (hh, w->rows, r, tmp)
		row_drop(w, r);
	free(w);
}

static const struct step *newest_step(const struct window *w)
{
	return w->next ? &w->steps[(w->next - 1) % WINDOW_STEPS] : NULL;
}

bool window_is_due(const struct window *w, uint64_t now_ns)
{
	const struct step *newest = newest_step(w);

	return !newest || now_ns >= newest->at_ns + STEP_NS;
}

static const char *key_of(const struct pod_stats *p)
{
	return *p->who.container_id ? p->who.container_id : p->who.cgroup;
}

static struct row_history *row_find(struct window *w, const struct pod_stats *p)
{
	const char *key = key_of(p);
	struct row_history *r;

	HASH_FIND_STR(w->rows, key, r);
	if (r && r->first_ns != p->first_ns) {
		row_drop(w, r);
		return NULL;
	}
	return r;
}

static struct row_history *row_new(struct window *w, const struct pod_stats *p)
{
	const char *key = key_of(p);
	struct row_history *r = calloc(1, sizeof(*r) + strlen(key) + 1);

	if (!r)
		return NULL;
	strcpy(r->key, key);
	r->first_ns = p->first_ns;
	HASH_ADD_STR(w->rows, key, r);
	return HASH_ADDED(r);
}

/* The oldest step that a window may begin at needs one point at or before it; what is older goes. */
static void forget_old(struct row_history *r, uint64_t step)
{
	uint64_t oldest = step >= WINDOW_STEPS ? step - WINDOW_STEPS + 1 : 0;
	size_t drop = 0;

	while (drop + 1 < r->len && r->points[drop + 1]->step <= oldest)
		free(r->points[drop++]);
	if (!drop)
		return;
	memmove(r->points, r->points + drop, (r->len - drop) * sizeof(*r->points));
	r->len -= drop;
}

static int keep_row(struct window *w, const struct pod_stats *p)
{
	struct row_history *r = row_find(w, p);
	struct counters_mark mark, newest;
	struct point **points;

	if (!r)
		r = row_new(w, p);
	if (!r)
		return -ENOMEM;
	r->seen_step = w->next;
	forget_old(r, w->next);
	counters_mark(p, &mark);
	if (r->len) {
		newest = point_mark(r->points[r->len - 1]);
		if (!memcmp(&newest, &mark, sizeof(mark)))
			return 0;
	}
	points = realloc(r->points, (r->len + 1) * sizeof(*points));
	if (!points)
		return -ENOMEM;
	r->points = points;
	points[r->len] = point_new(w->next, &mark);
	if (!points[r->len])
		return -ENOMEM;
	r->len++;
	return 0;
}

int window_keep(struct window *w, const struct snapshot *s)
{
	struct step *step = &w->steps[w->next % WINDOW_STEPS];
	struct row_history *r, *tmp;
	int err = 0;

	step->at_ns = s->now_ns;
	for (size_t i = 0; i < LOSSES_MAX; i++)
		step->losses[i] = i < s->losses_len ? s->losses[i].count : 0;
	for (size_t i = 0; i < s->pods_len; i++)
		if (keep_row(w, s->pods[i]))
			err = -ENOMEM;
	HASH_ITER (hh, w->rows, r, tmp) /* a row that left stays as long as a window may begin before that */
		if (w->next - r->seen_step >= WINDOW_STEPS)
			row_drop(w, r);
	w->next++;
	return err;
}

/* The newest step that is since_ns old; false: none, the window begins with s. */
static bool find_step(const struct window *w, uint64_t now_ns, uint64_t since_ns, uint64_t *ret_step)
{
	for (uint64_t n = w->next; n > 0 && n + WINDOW_STEPS > w->next; n--) {
		if (w->steps[(n - 1) % WINDOW_STEPS].at_ns + since_ns > now_ns)
			continue;
		*ret_step = n - 1;
		return true;
	}
	return false;
}

/* What the row had at step. */
static struct counters_mark mark_at(const struct row_history *r, uint64_t step)
{
	struct counters_mark mark = { .v = { 0 } };

	for (size_t i = 0; i < r->len && r->points[i]->step <= step; i++)
		mark = point_mark(r->points[i]);
	return mark;
}

/* Turns p into what came after step. False: nothing. */
static bool row_since(struct window *w, struct pod_stats *p, uint64_t step)
{
	struct counters_mark mark = { .v = { 0 } };
	struct row_history *r = row_find(w, p);

	if (r) {
		r->taken = w->questions;
		mark = mark_at(r, step);
	}
	p->before = NULL;
	return counters_since(p, &mark) || p->in_flight;
}

void window_release(struct snapshot *s)
{
	findings_free(s->findings, s->findings_len);
	counters_free_kinds(&s->totals);
	for (size_t i = 0; i < s->pods_len; i++)
		free((struct pod_stats *)s->pods[i]);
	free((void *)s->pods);
	if (s->gone)
		counters_free_kinds((struct pod_stats *)s->gone);
	free((struct pod_stats *)s->gone);
	free((struct loss *)s->losses);
	free((struct unowned *)s->unowned);
	memset(s, 0, sizeof(*s));
}

static int fill_rows(struct window *w, const struct snapshot *s, uint64_t step, struct snapshot *ret)
{
	const struct pod_stats **rows = calloc(s->pods_len + 1, sizeof(*rows));
	struct pod_stats scratch;

	if (!rows)
		return -ENOMEM;
	ret->pods = rows;
	for (size_t i = 0; i < s->pods_len; i++) {
		struct pod_stats *copy;

		scratch = *s->pods[i];
		if (!row_since(w, &scratch, step))
			continue;
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = scratch;
		rows[ret->pods_len++] = copy;
		counters_add(&ret->totals, copy);
		ret->totals.in_flight += copy->in_flight;
		if (copy->latency.max_us > ret->totals.latency.max_us)
			ret->totals.latency.max_us = copy->latency.max_us;
	}
	qsort(rows, ret->pods_len, sizeof(*rows), pod_table_worse);
	return 0;
}

/* What rows that have left did after step. They had been quiet for long, so the newest step has all of it. */
static int fill_gone(struct window *w, const struct snapshot *s, uint64_t step, struct snapshot *ret)
{
	struct pod_stats *sum = calloc(1, sizeof(*sum)), part;
	struct row_history *r, *tmp;

	if (!sum)
		return -ENOMEM;
	sum->hops = -1;
	HASH_ITER (hh, w->rows, r, tmp) {
		struct counters_mark from, to;

		if (r->taken == w->questions || !r->len)
			continue;
		from = mark_at(r, step);
		to = point_mark(r->points[r->len - 1]);
		counters_between(&from, &to, &part);
		if (!part.requests)
			continue;
		counters_add(sum, &part);
		counters_add(&ret->totals, &part);
		ret->gone_rows++;
	}
	sum->last_failed_ns = sum->failed ? s->now_ns : 0; /* within the window, that is */
	ret->gone = sum;
	return 0;
}

static int fill_losses(const struct window *w, const struct snapshot *s, uint64_t step, struct snapshot *ret)
{
	struct loss *losses = calloc(s->losses_len + 1, sizeof(*losses));

	if (!losses)
		return -ENOMEM;
	for (size_t i = 0; i < s->losses_len; i++) {
		losses[i] = s->losses[i];
		if (i < LOSSES_MAX)
			losses[i].count -= w->steps[step % WINDOW_STEPS].losses[i];
	}
	ret->losses = losses;
	ret->losses_len = s->losses_len;
	return 0;
}

/* Those of whom something died after step; their packets are all of the watch, of which a window keeps no count. */
static int fill_unowned(const struct window *w, const struct snapshot *s, uint64_t step, struct snapshot *ret)
{
	struct unowned *rows = calloc(s->unowned_len + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < s->unowned_len; i++)
		if (!s->unowned[i].last_ns || s->unowned[i].last_ns >= w->steps[step % WINDOW_STEPS].at_ns)
			rows[ret->unowned_len++] = s->unowned[i];
	ret->unowned = rows;
	return 0;
}

int window_since(struct window *w, const struct snapshot *s, uint64_t since_s, struct snapshot *ret)
{
	uint64_t step;
	int err;

	if (!find_step(w, s->now_ns, since_s * 1000000000ull, &step))
		return -ENOENT;
	*ret = *s;
	ret->pods = NULL;
	ret->pods_len = 0;
	ret->losses = NULL;
	ret->losses_len = 0;
	ret->unowned = NULL;
	ret->unowned_len = 0;
	ret->findings = NULL;
	ret->findings_len = 0;
	ret->totals = (struct pod_stats){ .who = s->totals.who, .hops = -1 };
	ret->gone = NULL;
	ret->gone_rows = 0;
	w->questions++;
	err = fill_rows(w, s, step, ret);
	if (!err)
		err = fill_gone(w, s, step, ret);
	if (!err)
		err = fill_losses(w, s, step, ret);
	if (!err)
		err = fill_unowned(w, s, step, ret);
	if (!err)
		err = findings_collect(ret, &ret->findings, &ret->findings_len);
	if (err) {
		window_release(ret);
		return err;
	}
	ret->started_ns = w->steps[step % WINDOW_STEPS].at_ns;
	ret->started_wall_ns = s->now_wall_ns - (s->now_ns - ret->started_ns);
	return 0;
}
