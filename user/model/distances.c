/* SPDX-License-Identifier: GPL-2.0-only */
#include "distances.h"

#include "verdict.h"

void distances_find(const struct distances *ds, struct endpoint_ttl *e, struct request *r)
{
	const struct distance *d = &ds->to[r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS];
	const struct imds_request *q = &r->rec.req;

	if (request_is_host(&r->rec) && request_is_of_service(r) && r->rec.ttl_synack)
		e->baseline_ttl = r->rec.ttl_synack;
	r->hops = -1;
	r->hops_source = HOPS_UNKNOWN;
	if (request_is_host(&r->rec)) {
		r->hops = 0;
		r->hops_source = HOPS_FROM_BASELINE;
	} else if (r->rec.ttl_synack) {
		r->hops = verdict_hops(r->rec.ttl_synack, e->baseline_ttl, &r->hops_source);
		r->baseline_ttl = r->hops_source == HOPS_FROM_BASELINE ? e->baseline_ttl : 0;
	} else if (q->ttl_response && q->kind != IMDS_KIND_TOKEN && q->end == IMDS_END_ANSWERED) {
		r->hops = verdict_hops(q->ttl_response, e->baseline_ttl, &r->hops_source);
	} else if (d->hops >= 0 && !d->mixed && r->rec.peer.cgroup_id) { /* one address of a capture may be many's, by NAT */
		r->hops = d->hops;
		r->hops_source = d->source;
		r->baseline_ttl = d->baseline_ttl;
	}
	r->required_hop_limit = r->hops >= 0 ? r->hops + 1 : 0;
}

/* A death that arithmetic excludes: the limit was another then than what the node's own socket learned, or a rule changes TTLs. */
static bool is_excluded(const struct endpoint_ttl *e, const struct request *r)
{
	return r->outcome == OUTCOME_HOP_LIMIT && r->confidence == CONFIDENCE_PROVEN && r->hops > 0 &&
	       r->hops < e->token_ttl;
}

/* It was told before what the node's own socket learned, or since. Learned on both sides, or again, that stands. */
static bool may_be_of_other_limit(const struct endpoint_ttl *e, const struct request *r)
{
	const struct imds_drop *drop = &r->rec.req.drop;
	bool after = drop->ts_ns > e->token_ttl_ns && e->token_ttl != e->unlearned;

	return is_excluded(e, r) && drop->ttl < e->token_ttl && (after || drop->ts_ns < e->token_ttl_since_ns);
}

/*
 * No rule changes TTLs on its way, for the row's tokens before had left what fits the hops; or it came to the node itself with
 * less. In others' network either may be.
 */
static bool is_of_other_limit(const struct pod_stats *s, const struct endpoint_ttl *e, const struct request *r)
{
	return (may_be_of_other_limit(e, r) && !(r->rec.req.drop.flags & IMDS_D_FOREIGN)) ||
	       (is_excluded(e, r) && !s->other && s->ttl_token_response + r->hops == e->token_ttl);
}

void distances_correct(struct distances *ds, const struct pod_stats *s, struct endpoint_ttl *e, struct request *r)
{
	bool other_limit = is_of_other_limit(s, e, r), unsure = may_be_of_other_limit(e, r);
	int node_ttl = e->token_ttl;

	if ((other_limit || unsure) && e->token_ttl_ns < r->rec.req.drop.ts_ns) {
		e->unlearned = e->token_ttl;
		e->token_ttl = 0;
	}
	if (s->other) /* of one of many */
		ds->ttl_rewritten = false;
	if (r->outcome == OUTCOME_HOP_LIMIT && r->hops >= 0) {
		ds->ttl_rewritten = r->hops == 0 || (!other_limit && r->hops < node_ttl);
		ds->died_with_ttl = ds->ttl_rewritten && r->rec.req.kind == IMDS_KIND_TOKEN ? node_ttl : 0;
		ds->needed = !ds->died_with_ttl ? 0 : (unsure ? r->hops : node_ttl) + 1;
	}
	if (ds->ttl_rewritten && r->hops && e->token_ttl && e->token_ttl < ds->died_with_ttl)
		ds->ttl_rewritten = false;
	if (!ds->ttl_rewritten || request_is_host(&r->rec))
		return;
	r->hops = -1;
	r->hops_source = HOPS_UNKNOWN;
	r->required_hop_limit = ds->needed;
}

static bool is_farther(const struct distances *ds, uint32_t local, unsigned int a, unsigned int b)
{
	bool local_a = local >> a & 1, local_b = local >> b & 1;
	const struct distance *x = &ds->to[a], *y = &ds->to[b];

	if (local_a != local_b)
		return local_b && (x->hops >= 0 || x->required);
	return x->required > y->required;
}

/* What was guessed from the usual start TTLs is counted anew once there is a baseline. */
static void count_again(struct distance *d, const struct request *r)
{
	if (d->source != HOPS_FROM_INITIAL_TTL || r->hops_source != HOPS_FROM_BASELINE || !r->baseline_ttl ||
	    !d->ttl_synack)
		return;
	d->hops = verdict_hops(d->ttl_synack, r->baseline_ttl, &d->source);
	d->required = d->hops + 1;
	d->baseline_ttl = d->source == HOPS_FROM_BASELINE ? r->baseline_ttl : 0;
}

/*
 * The row's distance is that of the endpoint farthest away, for the limit is one for all addresses of the service. What
 * answers on the node itself has no such limit.
 */
static void note_distance(struct distances *ds, struct pod_stats *s, uint32_t local, const struct request *r)
{
	unsigned int endpoint = r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS;
	struct distance *d = &ds->to[endpoint];
	const struct distance *far = d;

	if (r->hops < 0 && !ds->ttl_rewritten)
		return;
	count_again(d, r);
	d->mixed |= r->hops >= 0 && d->hops >= 0 && d->source == r->hops_source && d->hops != r->hops;
	/* the row's is that of its farthest socket: a pod may hold several networks (Docker in it), as the row `other` does */
	if (s->other ? r->required_hop_limit >= d->required : r->hops < 0 || r->hops >= d->hops)
		*d = (struct distance){ r->hops,	 r->required_hop_limit,
					r->baseline_ttl, r->rec.ttl_synack ? r->rec.ttl_synack : d->ttl_synack,
					r->hops_source,	 d->mixed };
	for (unsigned int i = 0; i < IMDS_MAX_ENDPOINTS; i++)
		if (is_farther(ds, local, i, far - ds->to))
			far = &ds->to[i];
	ds->far = far - ds->to;
	s->hops = far->hops;
	s->hops_source = far->source;
	s->required_hop_limit = far->required;
	s->baseline_ttl = far->baseline_ttl;
	if (far->ttl_synack)
		s->ttl_synack = far->ttl_synack;
}

/*
 * A token came with more left than what the node's own could have left there, by the service's hand, for less is left of it
 * than of the SYN-ACK: the limit was raised since.
 */
static bool limit_was_raised(const struct endpoint_ttl *e, const struct request *r)
{
	const struct imds_request *q = &r->rec.req;

	return q->kind == IMDS_KIND_TOKEN && q->end == IMDS_END_ANSWERED && request_is_of_service(r) && r->hops > 0 &&
	       q->ttl_response < r->rec.ttl_synack && q->ttl_response + r->hops > e->token_ttl;
}

void distances_note(struct distances *ds, struct pod_stats *s, struct endpoint_ttl *e, uint32_t local,
		    const struct request *r)
{
	const struct imds_request *q = &r->rec.req;

	if (q->flags & IMDS_F_NETNS_KNOWN) {
		s->host_network = q->flags & IMDS_F_HOST_NETNS;
		s->own_network = !s->host_network;
	}
	if (r->rec.ttl_synack)
		s->ttl_synack = r->rec.ttl_synack;
	if (q->ttl_response) {
		s->ttl_response = q->ttl_response;
		if (q->kind == IMDS_KIND_TOKEN)
			s->ttl_token_response = q->ttl_response;
	}
	note_distance(ds, s, local, r);
	/* any other status may come from a proxy, or be no EC2 service's at all */
	if (request_is_host(&r->rec) && request_is_of_service(r) && q->kind == IMDS_KIND_TOKEN && q->ttl_response &&
	    q->end == IMDS_END_ANSWERED && q->status >= 200 && q->status < 300) {
		if (e->token_ttl != q->ttl_response)
			e->token_ttl_since_ns = q->end_ns;
		e->token_ttl = q->ttl_response;
		e->token_ttl_ns = q->end_ns;
	} else if (limit_was_raised(e, r)) {
		e->token_ttl = 0;
	}
	if (s->own_network && e->baseline_ttl && r->rec.ttl_synack >= e->baseline_ttl)
		s->ttl_above_baseline = true;
}
