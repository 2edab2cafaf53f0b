/* SPDX-License-Identifier: GPL-2.0-only */
/* What one report knows of its node, for `ready`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ready.h"
#include "report_doc.h"

#define HOUR 3600

/* Seconds of the report that fall into each hour of the window. */
static void fill_hours(const struct report_doc *d, uint64_t from_s, uint64_t to_s, uint16_t *hours)
{
	double begin = d->started_s, end = begin + d->duration_s;

	for (uint64_t at = from_s; at < to_s; at += HOUR) {
		double from = begin > (double)at ? begin : (double)at;
		double to = end < (double)(at + HOUR) ? end : (double)(at + HOUR);

		if (to > from)
			hours[(at - from_s) / HOUR] = (uint16_t)(to - from);
	}
}

/*
 * What was not in it was not asked: nothing lost but what is known to be a pod's own, nothing left out by a filter, nothing
 * blind, EC2's own addresses and the whole node watched, and live, for a capture or lines of trace hold what somebody chose.
 */
static bool is_whole(const struct report_doc *d)
{
	uint64_t shown = 0, own = 0;
	bool whole = d->is_counted && (!d->scope[0] || !strcmp(d->scope, "node"));

	for (size_t i = 0; i < d->features_len; i++) /* a part of the node alone */
		whole &= strcmp(d->features[i].name, "cgroup_v2") != 0 || !strcmp(d->features[i].state, "ok");
	for (size_t i = 0; i < d->pods_len; i++) {
		figures_add_count(&shown, d->pods[i].requests);
		figures_add_count(&own, figures_own_losses(&d->pods[i].figures));
	}
	return whole && own >= d->counts_lost && own >= figures_own_losses(&d->figures) && d->level != LEVEL_BLIND &&
	       shown >= d->requests && d->boot_id[0] && ready_is_watched(d->endpoints);
}

static void seen_from(const struct report_pod *p, const struct report_doc *d, struct ready_seen *s)
{
	uint64_t unanswered = 0, versioned = p->v1_requests + p->v2_requests + p->version_unknown;

	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (i != OUTCOME_OK && i != OUTCOME_HTTP_ERROR && i != OUTCOME_ABORTED && i != OUTCOME_REDIRECTED)
			unanswered += p->outcomes[i];
	*s = (struct ready_seen){
		.namespace = strdup(p->namespace),
		.name = strdup(p->workload[0] ? p->workload
			       : p->other     ? "other"
					      : p->cgroup),
		/* a cgroup that is no service of the node: a container whose pod is not known */
		.nameless =
		    p->other || (!p->workload[0] && (strstr(p->cgroup, "kubepods") || strstr(p->cgroup, "cgroup:"))),
		.may_be_ec2 = !p->providers || (p->providers & (PROVIDERS_WITH_HOP_LIMIT | 1u << PROVIDER_OTHER)),
		.required_hop_limit = p->required_hop_limit,
		.at_least = p->required_hop_limit > 0 && !p->hops_known,
		.v1 = p->v1_requests + p->version_unknown,
		.v1_answered = p->v1_answered,
		.v1_credentials = p->v1_credentials,
		.v2 = p->v2_requests,
		.others = p->requests > versioned ? p->requests - versioned : 0,
		.tokens = p->token_requests,
		.tokens_answered = p->token_answered,
		.unanswered = unanswered,
		.lost = figures_own_losses(&p->figures),
		.first_s = (uint64_t)d->started_s,
		.last_s = (uint64_t)(d->started_s + d->duration_s),
	};
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
	return n < low ? low : n > high ? high : n;
}

int ready_from_report(const struct report_doc *d, uint64_t from_s, uint64_t to_s, struct ready_node *ret)
{
	bool whole = is_whole(d), within = d->started_s + d->duration_s > (double)from_s && d->started_s < (double)to_s;
	uint64_t began_s = clamp((uint64_t)d->started_s, from_s, to_s);

	*ret = (struct ready_node){
		.name = strdup(d->node),
		.id = d->boot_id[0] ? strdup(d->boot_id) : NULL,
		.from_s = began_s,
		.to_s = clamp((uint64_t)(d->started_s + d->duration_s) + 1, began_s, to_s),
		.heard = (began_s - from_s) / HOUR,
		.unowned = d->unowned,
		.hours = calloc((to_s - from_s) / HOUR + 1, sizeof(*ret->hours)),
		.seen = calloc(d->pods_len + 1, sizeof(*ret->seen)),
		.lossy = !whole,
	};
	if (!ret->hours || !ret->seen || !ret->name || (d->boot_id[0] && !ret->id))
		goto no_memory;
	if (whole)
		fill_hours(d, from_s, to_s, ret->hours);
	for (size_t i = 0; i < d->pods_len; i++) {
		struct ready_seen *s = &ret->seen[ret->seen_len];

		if (!d->pods[i].requests)
			continue;
		seen_from(&d->pods[i], d, s);
		s->active_hours = within; /* it asked once at least, nobody knows when */
		ret->seen_len++;
		if (!s->namespace || !s->name)
			goto no_memory;
	}
	return 0;
no_memory:
	ready_free_node(ret);
	return -ENOMEM;
}

void ready_free_node(struct ready_node *n)
{
	for (size_t i = 0; n->seen && i < n->seen_len; i++) {
		free((char *)n->seen[i].namespace);
		free((char *)n->seen[i].name);
	}
	free(n->seen);
	free(n->hours);
	free((char *)n->name);
	free((char *)n->id);
	*n = (struct ready_node){ .hours = NULL };
}
