/* SPDX-License-Identifier: GPL-2.0-only */
/* What happened when in a session: stalls, requests with a problem, drops. Bounded; what is over is counted. */
#ifndef IMDSNOOP_TIMELINE_H
#define IMDSNOOP_TIMELINE_H

#include "../model/request.h"

#define TIMELINE_MAX 2000

enum event_type { EVENT_STALL, EVENT_REQUEST, EVENT_DROP, EVENT_TYPE_COUNT };

struct event_entry {
	uint64_t ns;	  /* CLOCK_MONOTONIC; a request's: its start */
	uint64_t took_us; /* 0 for a drop */
	enum event_type type;
	enum outcome outcome; /* of a request or stall, so far */
	char who[160];
	char what[160]; /* "PUT /latest/api/token", "IP_INHDR in ip_forward, TTL 1" */
};

struct timeline {
	struct event_entry *events; /* in the order of adding */
	size_t len, room;
	uint64_t more; /* not kept: above TIMELINE_MAX, or no memory */
};

void timeline_add_request(struct timeline *t, const struct request *r, uint64_t now_ns); /* running: a stall */
void timeline_add_drop(struct timeline *t, const struct pod_identity *who, const struct imds_drop *drop,
		       const char *reason, const char *location);
void timeline_sort(struct timeline *t); /* by time */
void timeline_clear(struct timeline *t);

#endif
