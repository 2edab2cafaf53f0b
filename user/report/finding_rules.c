/* SPDX-License-Identifier: GPL-2.0-only */
/* One rule for each code: whether it applies to a pod, how grave it is, and the numbers that show it. */
#include "finding_rules.h"

#include <stdio.h>
#include <string.h>

#include "findings.h"

#define SUMMARY(d, ...) lines_add(&(d)->summary, __VA_ARGS__)
#define EVIDENCE(d, ...) lines_add(&(d)->evidence, __VA_ARGS__)

/* "1 request", "2 requests" */
#define PLURAL(n) (unsigned long long)(n), (n) == 1 ? "" : "s"

static bool is_ec2(const struct pod_stats *p)
{
	return p->providers & (1u << PROVIDER_EC2);
}

static uint64_t outcomes_of_version(const struct pod_stats *p, enum imds_version version, enum outcome outcome)
{
	uint64_t sum = 0;

	for (size_t kind = 0; kind < IMDS_KIND_COUNT; kind++)
		sum += p->by_kind[kind] ? p->by_kind[kind]->cells[version][outcome] : 0;
	return sum;
}

static void add_lost_seconds(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char took[32];

	if (p->seconds_lost >= 0.05)
		EVIDENCE(d, "%.1f s lost waiting for answers that never came", p->seconds_lost);
	if (p->fallbacks_answered)
		EVIDENCE(d, "then %llu IMDSv1 fallback request%s answered, in %s%s", PLURAL(p->fallbacks_answered),
			 findings_duration(p->fallback_answered_us_sum / p->fallbacks_answered, took, sizeof(took)),
			 p->fallbacks_answered > 1 ? " on average" : "");
	else if (p->fallbacks)
		EVIDENCE(d, "then %llu IMDSv1 fallback request%s, without success", PLURAL(p->fallbacks));
}

static void add_processes(struct draft *d)
{
	const struct pod_stats *p = d->p;
	size_t i;

	for (i = 0; i < p->processes_len && i < 3; i++)
		EVIDENCE(d, "process %s (pid %u%s%s): %llu request%s", p->processes[i].comm, p->processes[i].pid,
			 p->processes[i].parent[0] ? ", started by " : "", p->processes[i].parent,
			 PLURAL(p->processes[i].requests));
	if (p->processes_len > i)
		EVIDENCE(d, "and %zu more process names", p->processes_len - i);
}

static void add_hops(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (p->hops < 0)
		EVIDENCE(d, "how many forwards lie between the service and this socket was not seen");
	else if (p->hops_source == HOPS_FROM_BASELINE)
		EVIDENCE(d,
			 "the SYN-ACK reaches this pod with TTL %d and the node itself with %d: %d forward%s "
			 "between, so hop limit %d is needed",
			 p->ttl_synack, d->s->baseline_ttl, p->hops, p->hops == 1 ? "" : "s", p->required_hop_limit);
	else
		EVIDENCE(d,
			 "the SYN-ACK reaches this pod with TTL %d; taken as sent with %d: %d forward%s between, "
			 "so hop limit %d is needed (no host-network process spoke to compare with)",
			 p->ttl_synack, p->ttl_synack + p->hops, p->hops, p->hops == 1 ? "" : "s", p->required_hop_limit);
}

static enum confidence best_confidence(const struct pod_stats *p)
{
	for (int c = CONFIDENCE_PROVEN; c > CONFIDENCE_NONE; c--)
		if (p->confidences[c])
			return c;
	return CONFIDENCE_LIKELY;
}

/* "3 proven, 1 likely deaths by TTL" */
static const char *tell_confidences(const struct pod_stats *p, char *buf, size_t len)
{
	size_t at = 0;

	for (int c = CONFIDENCE_PROVEN; c > CONFIDENCE_NONE && at < len; c--)
		if (p->confidences[c])
			at += (size_t)snprintf(buf + at, len - at, "%s%llu %s", at ? ", " : "",
					       (unsigned long long)p->confidences[c], confidence_word(c));
	if (at < len)
		snprintf(buf + at, len - at, "%sdeath%s by TTL", at ? " " : "",
			 p->outcomes[OUTCOME_HOP_LIMIT] == 1 ? "" : "s");
	return buf;
}

static bool find_hop_limit(struct draft *d)
{
	static const char *const sure[CONFIDENCE_COUNT] = {
		[CONFIDENCE_LIKELY] = "the answers probably die on the way with their TTL used up",
		[CONFIDENCE_STRONG] = "all points to answers that die on this node with their TTL used up",
		[CONFIDENCE_PROVEN] = "the answers die on this node, TTL used up",
	};
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	enum confidence confidence = best_confidence(p);
	char needs[96] = "", counts[128];

	if (!p->outcomes[OUTCOME_HOP_LIMIT])
		return false;
	d->severity = advice_is_meant(p)		? SEVERITY_INFO
		      : confidence == CONFIDENCE_LIKELY ? SEVERITY_WARNING
							: SEVERITY_ERROR;
	if (is_ec2(p) && p->required_hop_limit > 0 && s->node_token_ttl > 0)
		snprintf(needs, sizeof(needs), ". It needs hop limit %d, the node %s %d", p->required_hop_limit,
			 s->node_token_ttl < p->required_hop_limit ? "has" : "now has", s->node_token_ttl);
	else if (is_ec2(p) && p->required_hop_limit > 0)
		snprintf(needs, sizeof(needs), ". It needs hop limit %d", p->required_hop_limit);
	SUMMARY(d, "%s gets no metadata token: %s%s%s", d->subject, sure[confidence], needs,
		advice_is_meant(p) ? ". Probably blocked on purpose" : "");

	EVIDENCE(d, "%llu token request%s, %llu answered; %s", PLURAL(p->token_requests),
		 (unsigned long long)p->token_answered, tell_confidences(p, counts, sizeof(counts)));
	if (p->hop_limit_drops)
		EVIDENCE(d, "%llu answer packet%s dropped with TTL %d%s%s%s%s%s, joined to this pod by %s",
			 PLURAL(p->hop_limit_drops), p->ttl_dropped, p->drop_location[0] ? " in " : "", p->drop_location,
			 p->death_reason[0] ? " (" : "", p->death_reason, p->death_reason[0] ? ")" : "",
			 p->drop_match == IMDS_MATCH_FINGERPRINT ? "TCP sequence number" : "address and port");
	else
		EVIDENCE(d,
			 "no drop was seen%s; the connection stood, the request was sent whole, not one byte came "
			 "back, while other requests were answered",
			 s->drops_watched ? "" : " (the drop hook is off)");
	if (s->node_token_ttl > 0)
		EVIDENCE(d, "token answers reach the node itself with TTL %d: that is the hop limit set",
			 s->node_token_ttl);
	add_hops(d);
	add_lost_seconds(d);
	if (p->uses_pod_identity)
		EVIDENCE(d, "it also gets credentials from EKS Pod Identity or ECS, with success");
	add_processes(d);
	return true;
}

static bool find_fallback(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (!p->fallbacks)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s fell back to IMDSv1 %llu time%s after token requests went unanswered", d->subject,
		PLURAL(p->fallbacks));
	EVIDENCE(d, "%llu of %llu token request%s answered", (unsigned long long)p->token_answered,
		 PLURAL(p->token_requests));
	add_lost_seconds(d);
	if (!p->outcomes[OUTCOME_HOP_LIMIT]) /* else told there */
		add_processes(d);
	return true;
}

static bool find_v1(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t ok = outcomes_of_version(p, IMDS_VERSION_V1, OUTCOME_OK);

	/* Fallbacks have a finding of their own. */
	if (!ok || p->v1_requests <= p->fallbacks || !is_ec2(p))
		return false;
	d->severity = SEVERITY_INFO;
	SUMMARY(d, "%s uses IMDSv1: %llu request%s without a token", d->subject, PLURAL(p->v1_requests - p->fallbacks));
	EVIDENCE(d, "%llu IMDSv1 request%s, %llu served; %llu with a token", PLURAL(p->v1_requests),
		 (unsigned long long)ok, (unsigned long long)p->v2_requests);
	for (size_t i = 0; i < p->processes_len; i++)
		if (p->processes[i].v1_requests)
			EVIDENCE(d, "process %s (pid %u): %llu of %llu request%s without a token", p->processes[i].comm,
				 p->processes[i].pid, (unsigned long long)p->processes[i].v1_requests,
				 PLURAL(p->processes[i].requests));
	return true;
}

static bool find_blocked(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_BLOCKED];

	if (!n)
		return false;
	d->severity = advice_is_meant(p) ? SEVERITY_INFO : SEVERITY_WARNING;
	SUMMARY(d, "%s is kept from the metadata service by a packet filter: %llu of %llu request%s%s", d->subject,
		(unsigned long long)n, PLURAL(p->requests), advice_is_meant(p) ? ". Probably on purpose" : "");
	EVIDENCE(d, "%llu of its own packet%s dropped%s%s%s%s%s", PLURAL(p->policy_drops),
		 p->policy_location[0] ? " in " : "", p->policy_location, p->policy_reason[0] ? " (" : "",
		 p->policy_reason, p->policy_reason[0] ? ")" : "");
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu request%s of this pod went through", PLURAL(p->outcomes[OUTCOME_OK]));
	else
		EVIDENCE(d, "nothing of this pod went through");
	add_lost_seconds(d);
	add_processes(d);
	return true;
}

static bool find_refused(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_REFUSED];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s: the connection to the metadata service was refused %llu time%s", d->subject, PLURAL(n));
	EVIDENCE(d, "%llu of %llu request%s refused, %llu went through", (unsigned long long)n, PLURAL(p->requests),
		 (unsigned long long)p->outcomes[OUTCOME_OK]);
	add_processes(d);
	return true;
}

/* 401 to a request without a token. With one it is an expired token, or fluent-bit's probe with the token INVALID. */
static bool find_token_required(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->v1_unauthorized;

	if (!n || !is_ec2(p))
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s asks without a token where tokens are required: %llu answer%s 401", d->subject, PLURAL(n));
	EVIDENCE(d, "%llu IMDSv1 request%s, %llu answer%s 401", PLURAL(p->v1_requests),
		 PLURAL(p->responses[IMDS_STATUS_401]));
	EVIDENCE(d, "%llu token request%s, %llu answered", PLURAL(p->token_requests),
		 (unsigned long long)p->token_answered);
	add_processes(d);
	return true;
}

static bool find_disabled(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->responses[IMDS_STATUS_403];

	if (!n || !is_ec2(p))
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s is answered 403: the metadata endpoint is off or forbids the request (%llu time%s)", d->subject,
		PLURAL(n));
	EVIDENCE(d, "%llu answer%s 403, %llu request%s served", PLURAL(n), PLURAL(p->outcomes[OUTCOME_OK]));
	add_processes(d);
	return true;
}

static bool find_throttled(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->responses[IMDS_STATUS_429] + p->responses[IMDS_STATUS_5XX];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s is turned away by a busy metadata service: %llu answer%s 429 or 5xx", d->subject, PLURAL(n));
	EVIDENCE(d, "%llu answer%s 429, %llu answer%s 5xx, of %llu request%s", PLURAL(p->responses[IMDS_STATUS_429]),
		 PLURAL(p->responses[IMDS_STATUS_5XX]), PLURAL(p->requests));
	add_processes(d);
	return true;
}

static bool find_slow(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char limit[32], p50[32], p99[32], max[32];

	if (!p->slow)
		return false;
	d->severity = SEVERITY_WARNING;
	findings_duration(d->s->slow_us, limit, sizeof(limit));
	findings_duration(histogram_quantile_us(&p->latency, 0.5), p50, sizeof(p50));
	findings_duration(histogram_quantile_us(&p->latency, 0.99), p99, sizeof(p99));
	findings_duration(p->latency.max_us, max, sizeof(max));
	SUMMARY(d, "%s gets slow answers: %llu above %s, the slowest %s", d->subject, (unsigned long long)p->slow,
		limit, max);
	EVIDENCE(d, "%llu of %llu answered request%s above %s; p50 %s, p99 %s, max %s", (unsigned long long)p->slow,
		 PLURAL(p->latency.count), limit, p50, p99, max);
	add_processes(d);
	return true;
}

static bool find_no_response(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	uint64_t silent = p->outcomes[OUTCOME_NO_RESPONSE], reset = p->outcomes[OUTCOME_RESET];

	if (!silent && !reset)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s: %llu of %llu request%s without an answer, cause not seen", d->subject,
		(unsigned long long)(silent + reset), PLURAL(p->requests));
	EVIDENCE(d, "%llu unanswered, %llu cut off by the service, %llu went through", (unsigned long long)silent,
		 (unsigned long long)reset, (unsigned long long)p->outcomes[OUTCOME_OK]);
	if (p->token_requests)
		EVIDENCE(d, "%llu of %llu token request%s answered", (unsigned long long)p->token_answered,
			 PLURAL(p->token_requests));
	if (s->drops_watched && !p->hop_limit_drops && !p->policy_drops)
		EVIDENCE(d, "no packet of these was seen dropped in this kernel");
	/* Arithmetic, not a sighting: it may be so at once with a service that is down. */
	if (is_ec2(p) && p->token_requests > p->token_answered && s->node_token_ttl > 0 && p->hops >= s->node_token_ttl)
		EVIDENCE(d,
			 "token answers reach the node with TTL %d and this pod is %d forward%s further: even an "
			 "answer would not arrive, hop limit %d is needed",
			 s->node_token_ttl, p->hops, p->hops == 1 ? "" : "s", p->required_hop_limit);
	add_lost_seconds(d);
	add_processes(d);
	return true;
}

/*
 * A process on the node answers in the service's place (GKE's metadata server, kiam, NMI): the TTL is fresh although
 * the pod lives behind a forward, and it is not the one that the node itself receives.
 */
static bool is_intercepted(const struct snapshot *s, const struct pod_stats *p)
{
	bool fresh = p->ttl_synack == 64 || p->ttl_synack == 128 || p->ttl_synack == 255;

	if (!p->own_network || !fresh)
		return false;
	/* ECS and EKS Pod Identity agents are on the node by design. */
	if (!(p->providers & ~(1u << PROVIDER_ECS | 1u << PROVIDER_EKS_POD_IDENTITY)))
		return false;
	if (s->baseline_ttl > 0 && s->baseline_ttl != p->ttl_synack)
		return true;
	return s->node_token_ttl > 0 && p->ttl_token_response == p->ttl_synack &&
	       p->ttl_token_response != s->node_token_ttl;
}

static bool find_ttl_rewritten(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;

	if (!p->ttl_above_baseline || !p->own_network || is_intercepted(s, p))
		return false;
	/* A pod whose interface is the network card's own (ipvlan, macvlan, passed in) gets the same TTL. */
	d->severity = p->ttl_synack > s->baseline_ttl ? SEVERITY_WARNING : SEVERITY_INFO;
	SUMMARY(d,
		"%s has a network of its own, yet the service's TTL is not lower there than on the node: a rule "
		"raises it, or nothing forwards in between",
		d->subject);
	EVIDENCE(d, "SYN-ACK with TTL %d in the pod, %d on the node", p->ttl_synack, s->baseline_ttl);
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

	if (!is_intercepted(s, p))
		return false;
	d->severity = SEVERITY_INFO;
	SUMMARY(d, "%s is answered by a process on this node in the metadata service's place", d->subject);
	EVIDENCE(d, "answers arrive with an unused TTL of %d although the pod has a network of its own", p->ttl_synack);
	if (s->baseline_ttl > 0)
		EVIDENCE(d, "the node itself receives the service with TTL %d", s->baseline_ttl);
	return true;
}

/* would-break needs a question and is added by whoever asks it. */
const struct finding_rule finding_rules[] = {
	{ FINDING_HOP_LIMIT_EXHAUSTED, find_hop_limit },
	{ FINDING_IMDSV1_FALLBACK, find_fallback },
	{ FINDING_IMDSV1_IN_USE, find_v1 },
	{ FINDING_BLOCKED_BY_POLICY, find_blocked },
	{ FINDING_ENDPOINT_REFUSED, find_refused },
	{ FINDING_TOKEN_REQUIRED, find_token_required },
	{ FINDING_ENDPOINT_DISABLED, find_disabled },
	{ FINDING_THROTTLED, find_throttled },
	{ FINDING_SLOW, find_slow },
	{ FINDING_NO_RESPONSE, find_no_response },
	{ FINDING_TTL_REWRITTEN, find_ttl_rewritten },
	{ FINDING_INTERCEPTED, find_intercepted },
	{ 0, NULL },
};

bool finding_rule_incomplete(struct draft *d)
{
	const struct snapshot *s = d->s;
	size_t parts = 0;
	uint64_t lost = 0;

	for (size_t i = 0; i < s->features_len; i++) {
		const struct feature *f = &s->features[i];

		if (!strcmp(f->state, "ok"))
			continue;
		parts++;
		EVIDENCE(d, "%s is %s%s%s", f->name, f->state, f->why[0] ? ": " : "", f->why);
	}
	for (size_t i = 0; i < s->losses_len; i++) {
		const struct loss *l = &s->losses[i];

		if (!l->count)
			continue;
		lost += l->count;
		EVIDENCE(d, "%s: %llu%s%s", l->name, (unsigned long long)l->count, l->what[0] ? ", " : "", l->what);
	}
	if (!parts && !lost)
		return false;
	d->severity = lost ? SEVERITY_WARNING : SEVERITY_INFO;
	if (lost && parts)
		SUMMARY(d, "not all could be seen: %llu event%s lost, %llu part%s of the tool not fully working",
			PLURAL(lost), PLURAL(parts));
	else if (lost)
		SUMMARY(d, "not all could be seen: %llu event%s lost", PLURAL(lost));
	else
		SUMMARY(d, "not all could be seen: %llu part%s of the tool not fully working", PLURAL(parts));
	return true;
}
