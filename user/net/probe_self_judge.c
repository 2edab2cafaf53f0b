/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one end alone tells: a hop limit is strong at most, when the service answers others here, comes from behind a router,
 * acknowledged the request, and then nothing of that connection arrived any more.
 */
#include "probe_self.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdio.h>
#include <string.h>

#include "../model/verdict.h"

static bool said(const struct probe_result *r, int v4_type, int v4_code, int v6_code)
{
	return (r->icmp_seen == SO_EE_ORIGIN_ICMP && r->icmp_type == v4_type && (v4_code < 0 || r->icmp_code == v4_code)) ||
	       (r->icmp_seen == SO_EE_ORIGIN_ICMP6 && v6_code >= 0 && r->icmp_type == 1 && r->icmp_code == v6_code);
}

static bool is_forbidden(const struct probe_result *r)
{
	return said(r, 3, 3, 4) || said(r, 3, 9, 1) || said(r, 3, 10, 1) || said(r, 3, 13, 5);
}

static bool is_ttl_exceeded(const struct probe_result *r)
{
	return (r->icmp_seen == SO_EE_ORIGIN_ICMP && r->icmp_type == 11) ||
	       (r->icmp_seen == SO_EE_ORIGIN_ICMP6 && r->icmp_type == 3);
}

static void set(struct probe_self_answer *a, enum outcome outcome, enum cause cause, const char *why)
{
	a->r.outcome = outcome;
	a->r.cause = cause;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static void judge_unconnected(struct probe_self_answer *a)
{
	const struct probe_result *t = &a->m.token;

	if (t->refused_at_once) {
		a->no_way = t->err == -ENETUNREACH || t->err == -EADDRNOTAVAIL || t->err == -EAFNOSUPPORT;
		set(a, OUTCOME_NOT_SENT, CAUSE_NOT_SENT, "");
		snprintf(a->why, sizeof(a->why), "nothing was sent: %s (this pod has no route there, or forbids it)",
			 strerror(-t->err));
	} else if (is_forbidden(t)) {
		set(a, OUTCOME_BLOCKED, CAUSE_FILTERED, "a packet filter rejects the connection (ICMP came back)");
	} else if (is_ttl_exceeded(t)) { /* comes as EHOSTUNREACH too */
		set(a, OUTCOME_NO_RESPONSE, CAUSE_SILENT,
		    "the TTL of this pod's own packets is used up on the way (ICMP time exceeded): a rule or a setting "
		    "makes it "
		    "too low, or routers send them in a circle");
	} else if (said(t, 3, 1, 3) || t->err == -EHOSTUNREACH) {
		set(a, OUTCOME_NO_RESPONSE, CAUSE_NO_NEIGHBOUR,
		    "nobody has this address here: no metadata service on this network (ICMP host unreachable)");
	} else if (said(t, 3, 0, 0) || t->err == -ENETUNREACH) {
		set(a, OUTCOME_NO_RESPONSE, CAUSE_SILENT,
		    "a router on the way has no route there (ICMP net unreachable)");
	} else if (t->err == -ECONNREFUSED || t->err == -ECONNRESET) {
		set(a, OUTCOME_REFUSED, CAUSE_REFUSED, "refused: a reset came back, by the service or by a filter");
	} else {
		set(a, OUTCOME_NO_RESPONSE, CAUSE_SILENT,
		    "no answer to the connection: blocked by a filter or policy, or no metadata service is there");
	}
}

static void judge_answered(struct probe_self_answer *a)
{
	unsigned int status = a->m.token.status;

	if (a->m.token.token) {
		set(a, OUTCOME_OK, CAUSE_NONE, "got a token");
		return;
	}
	set(a, OUTCOME_HTTP_ERROR, CAUSE_ANSWERED_WITH_ERROR, "");
	if (status < 400 || status == 404 || status == 405 || status == 400)
		a->r.cause = CAUSE_NOT_THIS_CLOUD;
	else if (status == 403)
		a->r.cause = CAUSE_ENDPOINT_DISABLED;
	else if (status == 429)
		a->r.cause = CAUSE_THROTTLED;
	snprintf(a->why, sizeof(a->why), "answered %u instead of a token%s", status,
		 a->r.cause == CAUSE_NOT_THIS_CLOUD ? ": not EC2's service, or something else in its place"
		 : a->r.cause == CAUSE_ENDPOINT_DISABLED
		     ? ": the service is off for this instance, or a proxy stands between"
		     : "");
}

/*
 * Silence after an acknowledged request. A service that merely keeps still goes on acknowledging, as its packets are as
 * good as before; where the answer dies of its TTL, all that comes after it on that connection dies as well. A filter
 * that takes answers by their length or content lets acknowledgements pass too.
 */
static void judge_silent(struct probe_self_answer *a)
{
	const struct probe_result *t = &a->m.token, *g = &a->m.plain;
	bool others = g->status != 0;

	set(a, OUTCOME_NO_RESPONSE, CAUSE_SILENT, "");
	if (!t->acked)
		snprintf(
		    a->why, sizeof(a->why),
		    "connected, but the token request itself is not acknowledged%s: it, or all that follows, is lost",
		    others ? ", while a plain GET is answered" : "");
	else if (!others)
		snprintf(a->why, sizeof(a->why), "connected and asked, but neither a token nor a plain GET is answered");
	else if (a->r.hops == 0)
		snprintf(
		    a->why, sizeof(a->why),
		    "a plain GET is answered, a token is not; no router stands between, so it is not the hop limit");
	else if (t->fin_acked)
		snprintf(a->why, sizeof(a->why),
			 "a plain GET is answered, a token is not, yet later packets of that connection do arrive: the "
			 "service keeps still, or its answers are filtered; the hop limit would stop those too");
	else
		a->r.outcome = OUTCOME_HOP_LIMIT;
	if (a->r.outcome != OUTCOME_HOP_LIMIT)
		return;
	a->r.cause = CAUSE_HOP_LIMIT;
	a->r.confidence = a->r.hops > 0 ? CONFIDENCE_STRONG : CONFIDENCE_LIKELY;
	snprintf(a->why, sizeof(a->why),
		 "the token request is acknowledged, then nothing of that connection arrives, while a plain GET is "
		 "answered %u: hop limit too low%s",
		 g->status, a->r.hops > 0 ? "" : ", probably");
}

void probe_self_judge(struct probe_self_answer *a, uint64_t wall_ns)
{
	const struct probe_result *t = &a->m.token;
	static const struct pod_identity nobody = POD_IDENTITY_NOBODY;
	enum hops_source source = HOPS_UNKNOWN;

	a->r = (struct request){ .who = &nobody, .drop_reason = "", .drop_location = "", .wall_ns = wall_ns };
	probe_record(t, a->endpoint, false, &a->r.rec);
	a->r.rec.req.flags &= ~IMDS_F_NETNS_KNOWN; /* whose network this is, it cannot know */
	a->r.rec.ttl_synack = a->m.ttl_synack;
	a->r.rec.req.ttl_response = a->m.ttl_token;
	a->r.hops = verdict_hops(a->m.ttl_synack, 0, &source);
	if (a->m.is_routed)
		a->r.hops = -1;
	a->r.required_hop_limit = a->r.hops < 0 ? 0 : a->r.hops + 1;
	a->r.hops_source = source;
	a->r.provider = verdict_provider(IMDS_EP_IMDS, &a->r.rec.req);
	if (t->status && t->step == PROBE_DONE)
		judge_answered(a);
	else if (!t->connected_ns)
		judge_unconnected(a);
	else if (t->err == -ECONNRESET || t->err == -EPIPE)
		set(a, OUTCOME_RESET, CAUSE_RESET,
		    t->status ? "the answer was cut before its end" : "connected, then the connection was cut");
	else if (t->step == PROBE_DONE)
		set(a, OUTCOME_NO_RESPONSE, CAUSE_NOT_THIS_CLOUD, "what answers there does not speak HTTP");
	else if (t->first_byte_ns)
		set(a, OUTCOME_ABORTED, CAUSE_SLOW, "an answer began, and did not end in time: it may be no token");
	else
		judge_silent(a);
}
