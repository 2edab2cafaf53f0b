/* SPDX-License-Identifier: GPL-2.0-only */
#include "ready.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int by_name(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int c = strcmp(x->seen->namespace, y->seen->namespace);

	c = c ? c : strcmp(x->seen->name, y->seen->name);
	c = c ? c : x->seen->nameless - y->seen->nameless;
	return c ? c : strcmp(x->node->name, y->node->name);
}

static bool same_workload(const struct piece *x, const struct piece *y)
{
	return !strcmp(x->seen->namespace, y->seen->namespace) && !strcmp(x->seen->name, y->seen->name) &&
	       x->seen->nameless == y->seen->nameless;
}

/* Pieces of one workload: whether piece i is of the node of the one before. A node without a name is its own. */
static bool same_node(const struct piece *p, size_t i)
{
	return i && (p[i].node == p[i - 1].node || (p[i].node->name[0] && !strcmp(p[i].node->name, p[i - 1].node->name)));
}

/* --- time ------------------------------------------------------------------------------------------------------------- */

/* Time watched, and the time since the node was first heard of to the end of the window: nobody knows that it ended. */
static void add_time(const struct ready_node *n, size_t hours, double *watched_s, double *all_s)
{
	size_t first = 0;

	while (first < hours && !n->hours[first])
		first++;
	*all_s += (double)(hours - first) * HOUR;
	for (size_t h = first; h < hours; h++)
		*watched_s += n->hours[h] < HOUR ? n->hours[h] : HOUR;
}

/*
 * A rhythm may meet a rhythm: an agent that is restarted each night never sees what is asked each night. Of each hour of the
 * week: how much of it was watched over the weeks, and in the week in which it was watched best, which is what a weekly
 * caller needs to be seen once. True when one falls short; *ret_hour counts from Monday 00:00 UTC.
 */
static bool rhythms_meet(const struct piece *p, size_t len, uint64_t from_s, size_t hours, size_t *ret_hour)
{
	double seen[WEEK_HOURS] = { 0 }, all[WEEK_HOURS] = { 0 }, best[WEEK_HOURS] = { 0 };

	for (size_t h = 0; h < hours; h++) {
		size_t at = (from_s / HOUR + h + 72) % WEEK_HOURS; /* 1970 began on a Thursday */
		double sum = 0, most = 0;

		for (size_t i = 0; i < len; i++) {
			if (same_node(p, i))
				continue;
			sum += p[i].node->hours[h];
			most += HOUR;
		}
		seen[at] += sum;
		all[at] += most;
		if (sum / most > best[at])
			best[at] = sum / most;
	}
	for (size_t at = 0; at < WEEK_HOURS; at++)
		if (seen[at] < 0.5 * all[at] || best[at] < READY_COVERAGE) {
			*ret_hour = at;
			return true;
		}
	return false;
}

/* --- what speaks against it --------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(struct ready_row *r, const char *format, ...)
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
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static bool breaks(const struct ready_question *q, struct ready_row *r)
{
	const struct ready_seen *s = &r->sum;
	uint64_t answered = s->v1 + s->v2 + s->others;
	bool any = false;

	if (!s->may_be_ec2)
		return false;
	if (q->hop_limit && s->tokens && s->required_hop_limit > (int)q->hop_limit) {
		say(r, "asks for tokens and needs hop limit %d", s->required_hop_limit);
		any = true;
	}
	if (q->tokens_required && s->v1_answered) {
		say(r, "%llu answered IMDSv1 request%s", (unsigned long long)s->v1_answered, plural(s->v1_answered));
		any = true;
	}
	if (q->role_delivery && s->v1_credentials) {
		say(r, "got credentials without a token %llu time%s", (unsigned long long)s->v1_credentials,
		    plural(s->v1_credentials));
		any = true;
	}
	if (q->endpoint_off && answered > s->unanswered) {
		say(r, "%llu answered request%s", (unsigned long long)(answered - s->unanswered),
		    plural(answered - s->unanswered));
		any = true;
	}
	return any;
}

static bool is_unclear(const struct ready_question *q, struct ready_row *r)
{
	const struct ready_seen *s = &r->sum;
	uint64_t all = s->v1 + s->v2 + s->others;
	bool any = false;

	if (s->nameless) {
		say(r, "its owner was never named");
		any = true;
	}
	if (s->may_be_ec2 && q->hop_limit && s->tokens && s->required_hop_limit <= 0) {
		say(r, "asks for tokens, from how many hops away was not seen");
		any = true;
	}
	if (s->may_be_ec2 && s->tokens && !s->tokens_answered) {
		say(r, "never got a token now");
		any = true;
	}
	if (s->may_be_ec2 && q->tokens_required && s->v1 > s->v1_answered) {
		say(r, "asks without a token (%llu time%s), not answered now",
		    (unsigned long long)s->v1 - s->v1_answered, plural(s->v1 - s->v1_answered));
		any = true;
	}
	if (all && (double)s->unanswered / (double)all > READY_UNANSWERED) {
		say(r, "%llu of %llu requests unanswered", (unsigned long long)s->unanswered, (unsigned long long)all);
		any = true;
	}
	return any;
}

static bool is_rare(const struct ready *all, struct ready_row *r)
{
	size_t hours = (all->to_s - all->from_s) / HOUR;
	const struct ready_seen *s = &r->sum;

	if (s->active_hours < READY_ACTIVE_HOURS) {
		say(r, "asked in %u hour%s only: too rare to know what it does", s->active_hours,
		    plural(s->active_hours));
		return true;
	}
	if (s->first_s > all->from_s && (all->to_s - s->first_s) * 3 < all->to_s - all->from_s) {
		say(r, "known for %llu h only", (unsigned long long)(all->to_s - s->first_s) / HOUR);
		return true;
	}
	if ((size_t)s->longest_gap_h * 3 > hours) {
		say(r, "silent for up to %u h: its period may be longer than what was seen", s->longest_gap_h);
		return true;
	}
	return false;
}

static bool is_unwatched(const struct ready *all, struct ready_row *r, const struct piece *p, size_t len)
{
	static const char *const days[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" };
	size_t hours = (all->to_s - all->from_s) / HOUR, at = 0;
	bool lossy = false;

	for (size_t i = 0; i < len; i++)
		lossy |= p[i].node->lossy;
	if (all->watched < READY_COVERAGE) {
		say(r, "only %.0f %% of the asked time was watched", all->watched * 100);
		return true;
	}
	if (r->coverage < READY_COVERAGE) {
		say(r, "only %.1f %% of its nodes' time was watched%s", r->coverage * 100,
		    lossy ? ", part of it with losses" : "");
		return true;
	}
	if (all->coverage < READY_COVERAGE) {
		say(r, "only %.1f %% of all nodes' time was watched, and it may have run there", all->coverage * 100);
		return true;
	}
	if (hours >= 2 * WEEK_HOURS && rhythms_meet(p, len, all->from_s, hours, &at)) {
		say(r, "never wholly watched on %ss at %02zu:00 UTC", days[at / 24], at % 24);
		return true;
	}
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

static void add_seen(struct ready_seen *sum, const struct ready_seen *s)
{
	sum->may_be_ec2 |= s->may_be_ec2;
	/* unknown on one node is unknown: its pods there may be farther away */
	if (s->required_hop_limit > sum->required_hop_limit)
		sum->required_hop_limit = s->required_hop_limit;
	sum->v1 += s->v1;
	sum->v1_answered += s->v1_answered;
	sum->v1_credentials += s->v1_credentials;
	sum->v2 += s->v2;
	sum->others += s->others;
	sum->tokens += s->tokens;
	sum->tokens_answered += s->tokens_answered;
	sum->unanswered += s->unanswered;
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

static void judge_row(struct ready *all, struct ready_row *r, const struct piece *p, size_t len, bool named,
		      uint64_t unowned)
{
	bool unclear, unwatched, rare;
	size_t hours = (all->to_s - all->from_s) / HOUR;
	double watched = 0, time = 0;
	bool blind_node = false;

	*r = (struct ready_row){ .namespace = p->seen->namespace, .name = p->seen->name };
	r->sum = (struct ready_seen){ .namespace = r->namespace, .name = r->name, .nameless = p->seen->nameless };
	for (size_t i = 0; i < len; i++) {
		add_seen(&r->sum, p[i].seen);
		blind_node |= p[i].seen->tokens && p[i].seen->required_hop_limit <= 0;
		if (!same_node(p, i)) {
			r->nodes++;
			add_time(p[i].node, hours, &watched, &time);
		}
	}
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
	size_t n = 0, at = 0;

	snprintf(limit, sizeof(limit), "hop limit %u", q->hop_limit);
	if (q->hop_limit)
		parts[n++] = limit;
	if (q->tokens_required)
		parts[n++] = "tokens required";
	if (q->endpoint_off)
		parts[n++] = "the endpoint off";
	if (q->role_delivery)
		parts[n++] = "ec2:RoleDelivery 2.0";
	for (size_t i = 0; i < n && at < len; i++)
		at += snprintf(buf + at, len - at, "%s%s", i ? ", " : "", parts[i]);
}

static void measure(struct ready *r, const struct ready_node *nodes, size_t len)
{
	double all;
	size_t hours = (r->to_s - r->from_s) / HOUR, any = 0;
	double watched = 0, time = 0, missed;
	int calls = 1;

	for (size_t i = 0; i < len; i++) {
		if (nodes[i].again)
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

int ready_judge(const struct ready_question *q, const struct ready_node *nodes, size_t nodes_len, uint64_t from_s,
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
	if (!pieces || !ret->rows) {
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
