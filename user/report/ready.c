/* SPDX-License-Identifier: GPL-2.0-only */
#include "ready.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"

#define HOUR 3600
#define WEEK_HOURS 168
#define MISSED 0.001 /* chance to miss that rarest_s allows */

const char *ready_word(enum ready_verdict v)
{
	static const char *const words[] = { "breaks", "unknown", "safe" };

	return words[v];
}

/* One workload on one node. */
struct piece {
	const struct ready_seen *seen;
	const struct ready_node *node;
};

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By workload, then by node, then by time. */
static int by_name(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int c = strcmp(x->seen->namespace, y->seen->namespace);

	c = c ? c : strcmp(x->seen->name, y->seen->name);
	c = c ? c : x->seen->nameless - y->seen->nameless;
	c = c ? c : compare((uintptr_t)x->node->whole, (uintptr_t)y->node->whole);
	c = c ? c : compare(x->node->from_s, y->node->from_s);
	return c ? c : compare((uintptr_t)x->node, (uintptr_t)y->node);
}

static bool same_workload(const struct piece *x, const struct piece *y)
{
	return !strcmp(x->seen->namespace, y->seen->namespace) && !strcmp(x->seen->name, y->seen->name) &&
	       x->seen->nameless == y->seen->nameless;
}

/* Pieces of one workload: whether piece i is of the node of the one before. */
static bool same_node(const struct piece *p, size_t i)
{
	return i && p[i].node->whole == p[i - 1].node->whole;
}

bool ready_is_watched(const char *const *endpoints)
{
	bool v4 = false, v6 = false;

	for (const char *const *e = endpoints; e && *e; e++) {
		v4 |= !strcmp(*e, "169.254.169.254:80") || !strcmp(*e, "169.254.169.254");
		v6 |= !strcmp(*e, "[fd00:ec2::254]:80") || !strcmp(*e, "fd00:ec2::254");
	}
	return v4 && v6;
}

/* --- nodes ------------------------------------------------------------------------------------------------------------ */

#define AT_ONCE_S 60 /* two that take turns within an hour may both claim so much of it, by their clocks */

static int by_node(const void *a, const void *b)
{
	const struct ready_node *const *x = a, *const *y = b;
	int c = strcmp((*x)->name, (*y)->name);

	return c ? c : compare((uintptr_t)*x, (uintptr_t)*y);
}

static bool are_two(const struct ready_node *a, const struct ready_node *b, size_t hours)
{
	if (!a->id || !b->id || a->is_ledger != b->is_ledger || !strcmp(a->id, b->id))
		return false;
	for (size_t h = 0; h < hours; h++)
		if (a->hours[h] + b->hours[h] > HOUR + AT_ONCE_S)
			return true;
	return false;
}

/* The node that n is a part of: the first before it in which nothing speaks against it. */
static struct ready_node *whole_of(struct ready_node *const *sorted, size_t first, size_t i, size_t hours)
{
	for (size_t k = first; k < i; k++) {
		bool fits = sorted[k]->whole == sorted[k];

		for (size_t m = k; fits && m < i; m++)
			fits = sorted[m]->whole != sorted[k] || !are_two(sorted[m], sorted[i], hours);
		if (fits)
			return sorted[k];
	}
	return sorted[i];
}

/* An hour of a node counts as often as it was watched best: never more than was seen. */
static int join_nodes(struct ready_node *nodes, size_t len, size_t hours)
{
	struct ready_node **sorted = calloc(len + 1, sizeof(struct ready_node *));
	size_t first = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		sorted[i] = &nodes[i];
	qsort(sorted, len, sizeof(struct ready_node *), by_node);
	for (size_t i = 0; i < len; i++) {
		if (!sorted[i]->name[0] || strcmp(sorted[i]->name, sorted[first]->name) != 0)
			first = i;
		sorted[i]->whole = whole_of(sorted, first, i, hours);
	}
	free(sorted);
	for (size_t i = 0; i < len; i++) {
		struct ready_node *n = &nodes[i], *to = n->whole;

		to->lossy |= n->lossy;
		to->heard = n->heard < to->heard ? n->heard : to->heard;
		for (size_t h = 0; h < hours; h++)
			to->hours[h] = n->hours[h] > to->hours[h] ? n->hours[h] : to->hours[h];
	}
	return 0;
}

/* --- time ------------------------------------------------------------------------------------------------------------- */

/* Time watched, and the time since the node was first heard of to the end of the window: nobody knows that it ended. */
static void add_time(const struct ready_node *n, size_t hours, double *watched_s, double *all_s)
{
	size_t first = n->heard < hours ? n->heard : hours;

	*all_s += (double)(hours - first) * HOUR;
	for (size_t h = first; h < hours; h++)
		*watched_s += n->hours[h] < HOUR ? n->hours[h] : HOUR;
}

/*
 * A rhythm may meet a rhythm: an agent that is restarted each night never sees what is asked each night. Of each hour of the
 * week (of the day, in less than a week): how much of it was watched over the weeks, and in the week in which it was watched
 * best, which is what a weekly caller needs to be seen once. True when one falls short; *ret_hour counts from Monday 00:00
 * UTC. The last hour may not be over.
 */
static bool rhythms_meet(const struct piece *p, size_t len, uint64_t from_s, size_t hours, size_t cycle, size_t *ret_hour)
{
	double seen[WEEK_HOURS] = { 0 }, all[WEEK_HOURS] = { 0 }, best[WEEK_HOURS] = { 0 };

	for (size_t h = 0; h + 1 < hours; h++) {
		size_t at = (from_s / HOUR + h + 72) % cycle; /* 1970 began on a Thursday */
		double sum = 0, most = 0;

		for (size_t i = 0; i < len; i++) {
			if (same_node(p, i))
				continue;
			sum += p[i].node->whole->hours[h];
			most += HOUR;
		}
		seen[at] += sum;
		all[at] += most;
		if (sum / most > best[at])
			best[at] = sum / most;
	}
	for (size_t at = 0; at < cycle; at++)
		if (all[at] > 0 && (seen[at] < 0.5 * all[at] || best[at] < READY_COVERAGE)) {
			*ret_hour = at;
			return true;
		}
	return false;
}

/* --- what speaks against it --------------------------------------------------------------------------------------------- */

/* True, for who asks whether anything was said. */
__attribute__((format(printf, 2, 3))) static bool say(struct ready_row *r, const char *format, ...)
{
	size_t at = strlen(r->reason);
	va_list ap;

	if (at && at + 2 < sizeof(r->reason)) {
		strcpy(r->reason + at, "; ");
		at += 2;
	}
	va_start(ap, format);
	vsnprintf(r->reason + at, sizeof(r->reason) - at, format, ap);
	va_end(ap);
	return true;
}

/* One that was got before the watch began is asked for again within six hours. */
static bool uses_tokens(const struct ready_seen *s)
{
	return s->tokens || s->v2;
}

static bool breaks(const struct ready_question *q, struct ready_row *r)
{
	const struct ready_seen *s = &r->sum;
	uint64_t answered = s->v1 + s->v2 + s->others;
	bool any = false;

	if (!s->may_be_ec2)
		return false;
	if (q->hop_limit && uses_tokens(s) && s->required_hop_limit > (int)q->hop_limit)
		any = say(r, "%s tokens and needs hop limit %d", s->tokens ? "asks for" : "uses", s->required_hop_limit);
	if (q->tokens_required && s->v1_answered)
		any =
		    say(r, "%llu answered IMDSv1 request%s", (unsigned long long)s->v1_answered, ENDING(s->v1_answered));
	if (q->role_delivery && s->v1_credentials)
		any = say(r, "got credentials without a token %llu time%s", (unsigned long long)s->v1_credentials,
			  ENDING(s->v1_credentials));
	if (q->endpoint_off && answered > s->unanswered)
		any = say(r, "%llu answered request%s", (unsigned long long)(answered - s->unanswered),
			  ENDING(answered - s->unanswered));
	return any;
}

static bool is_unclear(const struct ready_question *q, struct ready_row *r)
{
	const struct ready_seen *s = &r->sum;
	uint64_t all = s->v1 + s->v2 + s->others;
	bool any = false;

	if (s->nameless)
		any = say(r, "its owner was never named");
	if (s->may_be_ec2 && q->hop_limit && uses_tokens(s) && s->required_hop_limit <= 0)
		any = say(r, "%s tokens, from how many hops away was not seen", s->tokens ? "asks for" : "uses");
	if (s->may_be_ec2 && q->hop_limit && uses_tokens(s) && s->at_least)
		any = say(r, "needs hop limit %d at least, perhaps more", s->required_hop_limit);
	if (s->may_be_ec2 && s->tokens && !s->tokens_answered)
		any = say(r, "never got a token now");
	if (s->may_be_ec2 && q->tokens_required && s->v1 > s->v1_answered)
		any = say(r, "asks without a token (%llu time%s): refused or not answered now, or a head not seen whole",
			  (unsigned long long)s->v1 - s->v1_answered, ENDING(s->v1 - s->v1_answered));
	if (s->lost)
		any = say(r, "some of what it asked could not be followed");
	if (all && (double)s->unanswered / (double)all > READY_UNANSWERED)
		any = say(r, "%llu of %llu requests unanswered", (unsigned long long)s->unanswered,
			  (unsigned long long)all);
	return any;
}

static bool is_rare(const struct ready *all, struct ready_row *r)
{
	size_t hours = (all->to_s - all->from_s) / HOUR;
	const struct ready_seen *s = &r->sum;

	if (s->active_hours < READY_ACTIVE_HOURS)
		return say(r, "asked in %u hour%s only: too rare to know what it does", s->active_hours,
			   ENDING(s->active_hours));
	if (s->first_s > all->from_s && (all->to_s - s->first_s) * 3 < all->to_s - all->from_s)
		return say(r, "known for %llu h only", (unsigned long long)(all->to_s - s->first_s) / HOUR);
	if ((size_t)s->longest_gap_h * 3 > hours)
		return say(r, "silent for up to %u h: its period may be longer than what was seen", s->longest_gap_h);
	return false;
}

static bool is_unwatched(const struct ready *all, struct ready_row *r, const struct piece *p, size_t len)
{
	static const char *const days[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" };
	size_t hours = (all->to_s - all->from_s) / HOUR, cycle = hours < WEEK_HOURS ? 24 : WEEK_HOURS, at = 0;
	bool lossy = false;

	for (size_t i = 0; i < len; i++)
		lossy |= p[i].node->whole->lossy;
	if (all->watched < READY_COVERAGE)
		return say(r, "only %.0f %% of the asked time was watched", all->watched * 100);
	if (r->coverage < READY_COVERAGE)
		return say(r, "only %.1f %% of its nodes' time was watched%s", r->coverage * 100,
			   lossy ? ", some with losses or in part" : "");
	if (all->coverage < READY_COVERAGE)
		return say(r, "only %.1f %% of all nodes' time was watched, and it may have run there",
			   all->coverage * 100);
	if (rhythms_meet(p, len, all->from_s, hours, cycle, &at))
		return cycle == 24 ? say(r, "never wholly watched at %02zu:00 UTC", at)
				   : say(r, "never wholly watched on %ss at %02zu:00 UTC", days[at / 24], at % 24);
	return false;
}

/* Requests of nobody known that would break may be of any workload; so may dead answers without an owner. */
static void find_nobodies(const struct ready_question *q, const struct ready_node *nodes, size_t len, bool *ret_named,
			  uint64_t *ret_unowned)
{
	*ret_named = true;
	*ret_unowned = 0;
	for (size_t i = 0; i < len; i++) {
		*ret_unowned += nodes[i].unowned;
		for (size_t k = 0; k < nodes[i].seen_len; k++) {
			struct ready_row row = { .sum = nodes[i].seen[k] };

			if (!row.sum.nameless)
				continue;
			row.sum.nameless = false;
			if (breaks(q, &row) || is_unclear(q, &row))
				*ret_named = false;
		}
	}
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* at_once: of the same node and time, so that the same requests may be in both. */
static void add_seen(struct ready_seen *sum, const struct ready_seen *s, bool at_once)
{
	sum->may_be_ec2 |= s->may_be_ec2;
	sum->at_least |= s->at_least;
	/* unknown on one node is unknown: its pods there may be farther away */
	if (s->required_hop_limit > sum->required_hop_limit)
		sum->required_hop_limit = s->required_hop_limit;
	for (int i = 0; i < READY_COUNTS; i++)
		sum->counts[i] = at_once ? larger(sum->counts[i], s->counts[i]) : sum->counts[i] + s->counts[i];
	if (s->first_s && (!sum->first_s || s->first_s < sum->first_s))
		sum->first_s = s->first_s;
	if (s->last_s > sum->last_s)
		sum->last_s = s->last_s;
	if (s->last_v1_s > sum->last_v1_s)
		sum->last_v1_s = s->last_v1_s;
	/* its rhythm is that of the node that knows it best */
	if (s->active_hours > sum->active_hours) {
		sum->active_hours = s->active_hours;
		sum->longest_gap_h = s->longest_gap_h;
	}
}

/* The pieces of one ledger or report that begin at p[at], which may hold several pods of the workload; returns the next. */
static size_t read_piece(const struct piece *p, size_t at, size_t len, struct ready_seen *ret)
{
	const struct ready_node *n = p[at].node;

	*ret = (struct ready_seen){ .active_hours = 0 };
	for (; at < len && p[at].node == n; at++)
		add_seen(ret, p[at].seen, false);
	return at;
}

static unsigned int hours_of(uint64_t s)
{
	return (unsigned int)((s + HOUR - 1) / HOUR);
}

/*
 * One workload on one node: what overlaps in time counts once, as the one that saw most of it; what follows is added. Of a
 * report it is only known that it asked at some time: of the first of two at its beginning, perhaps, of the second at its end.
 */
static size_t read_node(const struct piece *p, size_t at, size_t len, uint64_t to_s, struct ready_seen *ret)
{
	const struct ready_node *whole = p[at].node->whole;
	unsigned int active = 0, gap = 0;
	uint64_t from = 0, to = 0;
	struct ready_seen most = { .active_hours = 0 }, one;
	bool has_ledger = false;

	*ret = (struct ready_seen){ .active_hours = 0 };
	while (at < len && p[at].node->whole == whole) {
		const struct ready_node *n = p[at].node;

		at = read_piece(p, at, len, &one);
		if (n->from_s >= to) {
			add_seen(ret, &most, false);
			most = (struct ready_seen){ .active_hours = 0 };
			if (!n->is_ledger) {
				unsigned int since = hours_of(n->to_s - (to ? from : n->from_s));

				active += one.active_hours > 0;
				gap = since > gap ? since : gap;
			}
			from = n->from_s;
		}
		has_ledger |= n->is_ledger;
		add_seen(&most, &one, true);
		to = larger(to, n->to_s);
	}
	add_seen(ret, &most, false);
	if (has_ledger)
		return at;
	ret->active_hours = active;
	ret->longest_gap_h = larger(gap, larger(hours_of(to - from), to_s > from ? hours_of(to_s - from) : 0));
	return at;
}

static void judge_row(struct ready *all, struct ready_row *r, const struct piece *p, size_t len, bool named,
		      uint64_t unowned)
{
	bool unclear, unwatched, rare;
	size_t hours = (all->to_s - all->from_s) / HOUR;
	double watched = 0, time = 0;
	bool blind_node = false;

	*r = (struct ready_row){ .namespace = p->seen->namespace, .name = p->seen->name };
	r->sum = (struct ready_seen){ .namespace = r->namespace, .name = r->name, .nameless = p->seen->nameless };
	for (size_t i = 0; i < len;) {
		struct ready_seen seen;

		r->nodes++;
		add_time(p[i].node->whole, hours, &watched, &time);
		i = read_node(p, i, len, all->to_s, &seen);
		add_seen(&r->sum, &seen, false);
	}
	for (size_t i = 0; i < len; i++)
		blind_node |= uses_tokens(p[i].seen) && p[i].seen->required_hop_limit <= 0;
	r->coverage = time > 0 ? watched / time : 0;
	r->verdict = READY_UNKNOWN;
	if (breaks(&all->question, r)) {
		r->verdict = READY_BREAKS;
		return;
	}
	/* each of them tells its reason: all are asked */
	unclear = is_unclear(&all->question, r);
	unwatched = is_unwatched(all, r, p, len);
	rare = is_rare(all, r);
	if (unclear || unwatched || rare)
		return;
	if (blind_node && all->question.hop_limit && r->sum.may_be_ec2) {
		say(r, "asks for tokens, on a node where the hops were not seen");
		return;
	}
	if (!named) {
		say(r, "requests of owners never named would break, and may be its own");
		return;
	}
	if (unowned && all->question.hop_limit) {
		say(r, "answers died that fit no socket, and may be its own");
		return;
	}
	r->verdict = READY_SAFE;
}

static int by_gravity(const void *a, const void *b)
{
	const struct ready_row *x = a, *y = b;
	int c;

	if (x->verdict != y->verdict)
		return x->verdict < y->verdict ? -1 : 1;
	c = strcmp(x->namespace, y->namespace);
	return c ? c : strcmp(x->name, y->name);
}

static void make_title(const struct ready_question *q, char *buf, size_t len)
{
	const char *parts[4];
	char limit[24];
	size_t n = 0;

	snprintf(limit, sizeof(limit), "hop limit %u", q->hop_limit);
	if (q->hop_limit)
		parts[n++] = limit;
	if (q->tokens_required)
		parts[n++] = "tokens required";
	if (q->endpoint_off)
		parts[n++] = "the endpoint off";
	if (q->role_delivery)
		parts[n++] = "ec2:RoleDelivery 2.0";
	buf[0] = '\0';
	for (size_t i = 0; i < n; i++)
		text_add(buf, len, "%s%s", i ? ", " : "", parts[i]);
}

static void measure(struct ready *r, const struct ready_node *nodes, size_t len)
{
	double all;
	size_t hours = (r->to_s - r->from_s) / HOUR, any = 0;
	double watched = 0, time = 0, missed;
	int calls = 1;

	for (size_t i = 0; i < len; i++) {
		if (nodes[i].whole != &nodes[i])
			continue;
		add_time(&nodes[i], hours, &watched, &time);
		r->nodes++;
	}
	r->coverage = time > 0 ? watched / time : 0;
	for (size_t h = 0; h < hours; h++)
		for (size_t i = 0; i < len; i++)
			if (nodes[i].hours[h] >= HOUR / 2) {
				any++;
				break;
			}
	r->watched = hours ? (double)any / (double)hours : 0;
	missed = 1 - r->coverage;
	/* of a caller that asks k times all are missed with missed ^ k */
	if (r->watched < READY_COVERAGE || missed > 0.5)
		return;
	all = missed;
	while (all > MISSED) {
		all *= missed;
		calls++;
	}
	r->rarest_s = (double)hours * HOUR / calls;
}

int ready_judge(const struct ready_question *q, struct ready_node *nodes, size_t nodes_len, uint64_t from_s,
		uint64_t to_s, struct ready *ret)
{
	struct piece *pieces;
	uint64_t unowned;
	size_t n = 0, end;
	bool named;

	*ret = (struct ready){ .question = *q, .from_s = from_s, .to_s = to_s };
	make_title(q, ret->title, sizeof(ret->title));
	for (size_t i = 0; i < nodes_len; i++)
		n += nodes[i].seen_len;
	pieces = calloc(n + 1, sizeof(*pieces));
	ret->rows = calloc(n + 1, sizeof(*ret->rows));
	if (!pieces || !ret->rows || join_nodes(nodes, nodes_len, (to_s - from_s) / HOUR)) {
		free(pieces);
		ready_clear(ret);
		return -ENOMEM;
	}
	n = 0;
	for (size_t i = 0; i < nodes_len; i++)
		for (size_t k = 0; k < nodes[i].seen_len; k++)
			pieces[n++] = (struct piece){ &nodes[i].seen[k], &nodes[i] };
	qsort(pieces, n, sizeof(*pieces), by_name);
	measure(ret, nodes, nodes_len);
	find_nobodies(q, nodes, nodes_len, &named, &unowned);
	for (size_t i = 0; i < n; i = end) {
		struct ready_row *r = &ret->rows[ret->rows_len++];

		for (end = i + 1; end < n && same_workload(&pieces[i], &pieces[end]); end++)
			;
		judge_row(ret, r, &pieces[i], end - i, named, unowned);
		ret->counts[r->verdict]++;
	}
	free(pieces);
	qsort(ret->rows, ret->rows_len, sizeof(*ret->rows), by_gravity);
	return 0;
}

void ready_clear(struct ready *r)
{
	free(r->rows);
	*r = (struct ready){ .rows = NULL };
}
