/* SPDX-License-Identifier: GPL-2.0-only */
/* Who answers in the metadata service's place. */
#include "../model/request.h"
#include "finding_parts.h"

/* As it was sent: nothing forwarded it. */
static bool is_fresh(int ttl)
{
	return ttl == 64 || ttl == 128 || ttl == 255;
}

/*
 * A process on the node answers in the service's place (GKE's metadata server, kiam, NMI): it was found, or the TTL is fresh
 * although the pod lives behind a forward, and is not the one that the node itself receives.
 */
static bool is_intercepted(const struct snapshot *s, const struct pod_stats *p)
{
	/* ECS and EKS Pod Identity agents are on the node by design. */
	if (!p->own_network || finding_is_local_service(p))
		return false;
	if (p->stood_in_for && p->answered)
		return true;
	if (!is_fresh(p->ttl_synack) || p->hops != 0)
		return false;
	if (p->node_ttl > 0 && p->node_ttl != p->ttl_synack)
		return true;
	return s->node_token_ttl > 0 && p->ttl_token_response == p->ttl_synack &&
	       p->ttl_token_response != s->node_token_ttl;
}

static bool find_ttl_rewritten(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;

	/* both are the newest: the service may send otherwise than it did */
	if (!p->ttl_above_baseline || !p->node_ttl || p->ttl_synack < p->node_ttl || !p->own_network ||
	    finding_is_local_service(p) || p->answered_by || is_intercepted(s, p))
		return false;
	/* A pod whose interface is the network card's own (ipvlan, macvlan, passed in) gets the same TTL. */
	d->severity = p->ttl_synack > p->node_ttl ? SEVERITY_WARNING : SEVERITY_INFO;
	SUMMARY(d, "%s has a network of its own, yet the service's TTL is not lower there than on the node: %s",
		d->subject,
		p->ttl_synack > p->node_ttl ? "a rule raises it"
					    : "nothing forwards in between, a rule raises it, or a process on this "
					      "node answers in the service's place");
	EVIDENCE(d, "SYN-ACK with TTL %d in the pod, %d on the node", p->ttl_synack, p->node_ttl);
	if (p->ttl_token_response)
		EVIDENCE(d, "token answers with TTL %d in the pod%s", p->ttl_token_response,
			 s->node_token_ttl && p->ttl_token_response >= s->node_token_ttl ? ", not lower than on the "
											   "node"
											 : "");
	return true;
}

static bool find_intercepted(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	char who[SUBJECT_LEN];

	if (!is_intercepted(s, p))
		return false;
	if (p->answered_by)
		SUMMARY(d, "%s %s answered%s, in the metadata service's place", d->subject,
			finding_verb(d, "is", "are"), finding_by_whom(d, who, sizeof(who)));
	else
		SUMMARY(
		    d,
		    "%s %s answered by a process on this node in the metadata service's place, or a rule sets the TTL "
		    "of what the service answers",
		    d->subject, finding_verb(d, "is", "are"));
	if (p->answered_by && p->answered_by->pid)
		EVIDENCE(d, "its connections were accepted by pid %u", p->answered_by->pid);
	if (p->ttl_synack && p->hops == 0)
		EVIDENCE(d, "answers arrive with TTL %d although the pod has a network of its own", p->ttl_synack);
	if (p->node_ttl > 0)
		EVIDENCE(d, "the node itself receives the service with TTL %d", p->node_ttl);
	return true;
}

/* Its connection went elsewhere before it left: by a program at connect (Cilium), or a rule in the pod (a sidecar's). */
static bool find_redirected(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_REDIRECTED];
	char who[SUBJECT_LEN];

	if (!n)
		return false;
	SUMMARY(d,
		"%s: %llu of %llu request%s redirected before they left: another program at connect, or a rule in the "
		"pod's own network (a sidecar), sends them to another address%s%s",
		d->subject, OF(n, p->requests), p->answered_by ? ", answered" : "", finding_by_whom(d, who, sizeof(who)));
	EVIDENCE(
	    d, "connect() to the metadata service was seen, and no packet to it: what was answered there is not seen");
	return true;
}

/* Two TTLs within one pod: connections older than a redirect still go to the service itself. */
static bool find_two_servers(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (!p->own_network || !p->ttl_low || p->ttl_low == p->ttl_high || finding_is_local_service(p))
		return false;
	/* a container with networks of its own within (Docker in Docker) is at two distances from one server */
	if (!p->answered_by && !is_fresh(p->ttl_high))
		return false;
	SUMMARY(d,
		"%s %s answered by two different servers: some of its connections by the service itself, others by a "
		"process on this node in its place",
		d->subject, finding_verb(d, "is", "are"));
	EVIDENCE(d, "SYN-ACKs arrive with TTL %d and with TTL %d: the higher one was sent nearer", p->ttl_low,
		 p->ttl_high);
	EVIDENCE(
	    d, "connections that are older than a redirect go on to where they went before: what they are given is the "
	       "node's role, not the pod's");
	return true;
}

const struct finding_rule finding_rules_server[] = {
	{ FINDING_TTL_REWRITTEN, find_ttl_rewritten, SEVERITY_WARNING, 0, 0 },
	{ FINDING_TWO_SERVERS, find_two_servers, SEVERITY_WARNING, THEN_ANSWERER, 0 },
	{ FINDING_INTERCEPTED, find_intercepted, SEVERITY_INFO, 0, 0 },
	{ FINDING_INTERCEPTED, find_redirected, SEVERITY_INFO, THEN_PROCESSES, 0 },
	{ 0 },
};
