/* SPDX-License-Identifier: GPL-2.0-only */
#include "timeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "../base/small.h"
#include "findings.h"

static struct event_entry *add(struct timeline *t, enum event_type type, uint64_t ns, const struct pod_identity *who)
{
	struct event_entry *e;

	e = t->len < TIMELINE_MAX ? with_room(t->events, t->len, &t->room, 64, sizeof(*e)) : NULL;
	if (!e) {
		t->more++;
		return NULL;
	}
	t->events = e;
	e = &t->events[t->len++];
	*e = (struct event_entry){ .type = type, .ns = ns };
	findings_subject(who, e->who, sizeof(e->who));
	return e;
}

void timeline_add_request(struct timeline *t, const struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	struct event_entry *e = add(t, r->running ? EVENT_STALL : EVENT_REQUEST, request_start_ns(r), r->who);
	int64_t took_us = request_duration_us(r, now_ns);

	if (!e)
		return;
	e->took_us = took_us > 0 ? (uint64_t)took_us : 0;
	e->outcome = r->outcome;
	if (q->method == IMDS_METHOD_NONE)
		snprintf(e->what, sizeof(e->what), "%s", kind_word(q->kind));
	else
		snprintf(e->what, sizeof(e->what), "%s %.*s", method_word(q->method), IMDS_PATH_LEN,
			 q->path[0] ? q->path : kind_word(q->kind));
}

void timeline_add_drop(struct timeline *t, const struct pod_identity *who, const struct imds_drop *drop,
		       const char *reason, const char *location)
{
	struct event_entry *e = add(t, EVENT_DROP, drop->ts_ns, who);

	if (!e)
		return;
	snprintf(e->what, sizeof(e->what), "%s%s%s, TTL %u", reason[0] ? reason : "dropped", location[0] ? " in " : "",
		 location, drop->ttl);
}

static int by_time(const void *a, const void *b)
{
	const struct event_entry *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return (int)x->type - (int)y->type;
}

void timeline_sort(struct timeline *t)
{
	if (t->len)
		qsort(t->events, t->len, sizeof(*t->events), by_time);
}

void timeline_clear(struct timeline *t)
{
	free(t->events);
	*t = (struct timeline){ 0 };
}
