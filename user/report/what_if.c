/* SPDX-License-Identifier: GPL-2.0-only */
#include "what_if.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/small.h"
#include "finding_parts.h"
#include "findings.h"

#define NAMED 6 /* pods told by name in one line */

/* Of lost records no provider is known: it may be EC2. */
static bool may_be_ec2(const struct pod_stats *p)
{
	return !p->providers || (p->providers & 1u << PROVIDER_EC2);
}

static bool has_limit(const struct pod_stats *p)
{
	return !p->providers || (p->providers & PROVIDERS_WITH_HOP_LIMIT);
}

/*
 * It works although it needs more than the limit that the node saw: someone else answers it, or a rule raises the TTL. Then
 * the limit is not what decides. When a token's TTL is lower than that of the SYN-ACK a limit did decide, and what the node
 * saw is old.
 */
static bool is_beyond_limit(const struct snapshot *s, const struct pod_stats *p)
{
	return p->token_answered && s->node_token_ttl > 0 && p->required_hop_limit > s->node_token_ttl &&
	       p->ttl_token_response >= p->ttl_synack;
}

/* Some or all of its token answers die at this time. */
static bool dies_now(const struct pod_stats *p)
{
	return p->token_requests && p->outcomes[OUTCOME_HOP_LIMIT] && (!p->token_answered || !findings_is_past(p));
}

/* The limit that is set is known, and would not be lower. */
static bool is_no_lower(const struct what_if *w, const struct snapshot *s)
{
	return s->node_token_ttl > 0 && (int)w->hop_limit >= s->node_token_ttl;
}

/* Some of its tokens were kept away by something else, too, that a limit does not move. */
static bool loses_tokens_otherwise(const struct pod_stats *p)
{
	static const enum outcome others[] = { OUTCOME_NO_RESPONSE, OUTCOME_BLOCKED, OUTCOME_DROPPED, OUTCOME_RESET };
	const struct kind_stats *tokens = p->by_kind[IMDS_KIND_TOKEN];

	for (size_t i = 0; tokens && i < LEN(others); i++)
		for (int v = 0; v < IMDS_VERSION_COUNT; v++)
			if (tokens->cells[v][others[i]])
				return true;
	return false;
}

/* Its requests bear tokens; one that was kept from before the watch is asked for again, within six hours. */
static bool uses_tokens(const struct pod_stats *p)
{
	return p->token_answered || (!p->token_requests && p->v2_requests);
}

static bool loses_tokens(const struct what_if *w, const struct snapshot *s, const struct pod_stats *p)
{
	return w->hop_limit && has_limit(p) && uses_tokens(p) && p->required_hop_limit > (int)w->hop_limit &&
	       !is_beyond_limit(s, p) && !(dies_now(p) && is_no_lower(w, s));
}

static bool loses_v1(const struct what_if *w, const struct pod_stats *p)
{
	return w->tokens_required && may_be_ec2(p) && p->v1_answered;
}

/* Whose service it asked was not seen: of what was no request for a name, and no connection without a request. */
static bool asked_nobody_known(const struct pod_stats *p)
{
	bool other = p->providers & (1u << PROVIDER_OTHER), known = p->providers & ~(1u << PROVIDER_OTHER);

	return other && (p->kinds[IMDS_KIND_OTHER] ||
			 (!known && p->requests > p->kinds[IMDS_KIND_DNS] + p->kinds[IMDS_KIND_CONNECT_ONLY]));
}

/* Some of what it does was not seen, or not what was answered: it may do what would break. */
static bool is_half_seen(const struct what_if *w, const struct pod_stats *p)
{
	if (!p->requests || p->records_lost || p->untracked || asked_nobody_known(p))
		return true;
	/* but for those that are refused for want of a token already */
	return w->tokens_required && may_be_ec2(p) &&
	       (p->version_unknown || p->v1_requests > p->v1_answered + p->v1_unauthorized);
}

/*
 * | what was seen                                            | said      |
 * | it gets tokens, or has one, and needs more than would be | breaks    |
 * | v1 is answered, tokens would be required                 | breaks    |
 * | it gets tokens although it needs more than is set        | untouched | (not by the limit)
 * | nothing seems to forward, and the limit would be lower   | unknown   | (or a rule raises the TTL)
 * | tokens, or some, die of their TTL, what it needs is known: <=, >   | cured, broken |
 * | tokens get no answer for another reason, or what it needs was not seen, or some of its requests | unknown |
 */
enum what_if_fate what_if_fate(const struct what_if *w, const struct snapshot *s, const struct pod_stats *p)
{
	bool known = p->required_hop_limit > 0;

	if (loses_tokens(w, s, p) || loses_v1(w, p))
		return WHAT_IF_BREAKS;
	if (w->hop_limit && has_limit(p) && p->v2_requests) {
		if (is_half_seen(w, p))
			return WHAT_IF_UNKNOWN;
		if (is_beyond_limit(s, p))
			return WHAT_IF_UNTOUCHED;
		if (!known || (pod_stats_seems_near(p) && !finding_is_local_service(p) && !is_no_lower(w, s)))
			return WHAT_IF_UNKNOWN;
		if ((p->token_requests && !p->token_answered) || dies_now(p)) {
			if (!p->outcomes[OUTCOME_HOP_LIMIT])
				return WHAT_IF_UNKNOWN;
			if (p->required_hop_limit > (int)w->hop_limit)
				return WHAT_IF_BROKEN;
			/* at least that many; or the limit is not all */
			if (p->hops < 0 || loses_tokens_otherwise(p))
				return WHAT_IF_UNKNOWN;
			/* likely is no proof that the limit is all that is wrong */
			return p->confidences[CONFIDENCE_PROVEN] || p->confidences[CONFIDENCE_STRONG] ? WHAT_IF_CURED
												      : WHAT_IF_UNKNOWN;
		}
	}
	/* what it would have been answered is not known; nor, of what never got through, whose service it asked */
	if (!(p->providers & ~(1u << PROVIDER_EC2 | 1u << PROVIDER_OTHER)) && p->requests && !p->answered &&
	    !(p->token_requests && p->outcomes[OUTCOME_HOP_LIMIT]))
		return WHAT_IF_UNKNOWN;
	return is_half_seen(w, p) ? WHAT_IF_UNKNOWN : WHAT_IF_UNTOUCHED;
}

static const char *subject_of(const struct pod_stats *p, char *buf, size_t len)
{
	if (!p->other)
		return findings_subject(&p->who, buf, len);
	snprintf(buf, len, "the pods beyond --max-pods");
	return buf;
}

static void add_evidence(struct lines *e, const struct what_if *w, const struct snapshot *s, const struct pod_stats *p)
{
	if (loses_tokens(w, s, p)) {
		if (p->token_requests)
			lines_add(e, "%llu of %llu token request%s answered now", (unsigned long long)p->token_answered,
				  PLURAL(p->token_requests));
		else
			lines_add(
			    e, "%llu request%s with a token that it got before; its next token request would go unanswered",
			    PLURAL(p->v2_requests));
		lines_add(e, "%d forward%s between service and socket%s: hop limit %d is needed, %u would be set",
			  p->hops, ENDING(p->hops),
			  p->hops_source == HOPS_FROM_BASELINE ? "" : " (counted from the usual start TTL)",
			  p->required_hop_limit, w->hop_limit);
		if (p->ttl_token_response > 0)
			lines_add(e, "token answers arrive with TTL %d left%s", p->ttl_token_response,
				  s->node_token_ttl > 0 ? ""
							: "; the hop limit set now is not known from the node itself");
	}
	if (loses_v1(w, p)) {
		lines_add(e, "%llu IMDSv1 request%s, %llu answered now; with tokens required each is answered 401",
			  PLURAL(p->v1_requests), (unsigned long long)p->v1_answered);
		if (p->fallbacks)
			lines_add(e, "%llu of these came after an unanswered token request: it lives on the fallback",
				  (unsigned long long)p->fallbacks);
	}
	for (size_t i = 0; i < p->processes_len && i < 3; i++) {
		const struct process_count *c = &p->processes[i];

		lines_add(e, "process %.*s (pid %u): %llu request%s, %llu without a token", IMDS_COMM_LEN, c->comm,
			  c->pid, PLURAL(c->requests), (unsigned long long)c->v1_requests);
	}
	if (p->processes_len > 3)
		lines_add(e, "and %zu more process names", p->processes_len - 3);
	if (p->uses_pod_identity)
		lines_add(e, "it also gets credentials from EKS Pod Identity or ECS, and may not need IMDS");
}

static void add_advice(struct lines *a, const struct what_if *w, const struct snapshot *s, const struct pod_stats *p)
{
	lines_add(
	    a, "Before the change, give the pod a role of its own by EKS Pod Identity or IRSA, and pass in region and "
	       "the like; then it does not notice.");
	if (loses_tokens(w, s, p))
		lines_add(a, "Else keep hop limit %d for its node group, or run it with hostNetwork: true.",
			  p->required_hop_limit);
	if (loses_v1(w, p)) {
		lines_add(
		    a, "Else move it to an SDK that asks for tokens. Calls that are rarer than this watch: CloudWatch "
		       "counts them for each instance.");
		lines_add(a, "  aws cloudwatch get-metric-statistics --namespace AWS/EC2 --metric-name MetadataNoToken "
			     "--dimensions Name=InstanceId,Value=INSTANCE_ID --statistics Sum --period 3600 "
			     "--start-time START --end-time END");
	}
}

static int add_finding(struct what_if_result *r, const struct snapshot *s, size_t i)
{
	const struct what_if *w = &r->question;
	const struct pod_stats *p = s->pods[i];
	struct lines summary = { 0 }, evidence = { 0 }, advice = { 0 };
	struct finding_pod *pod = calloc(1, sizeof(*pod));
	bool tokens = loses_tokens(w, s, p), v1 = loses_v1(w, p);
	char subject[SUBJECT_LEN];

	subject_of(p, subject, sizeof(subject));
	if (tokens)
		lines_add(&summary, "%s would lose its tokens%s: it needs hop limit %d", subject,
			  v1 ? " and its IMDSv1 calls" : "", p->required_hop_limit);
	else
		lines_add(&summary, "%s would lose its IMDSv1 calls: %llu answered without a token", subject,
			  (unsigned long long)p->v1_answered);
	add_evidence(&evidence, w, s, p);
	add_advice(&advice, w, s, p);
	if (!pod || summary.failed || evidence.failed || advice.failed) {
		free(pod);
		lines_free(summary.v);
		lines_free(evidence.v);
		lines_free(advice.v);
		return -ENOMEM;
	}
	*pod = (struct finding_pod){ .who = &p->who, .row = i };
	r->findings[r->findings_len++] = (struct finding){
		.severity = tokens ? SEVERITY_ERROR : SEVERITY_WARNING,
		.code = FINDING_WOULD_BREAK,
		.namespace = p->who.namespace,
		.pod = p->who.pod,
		.container = p->who.container,
		.cgroup = p->who.cgroup,
		.summary = summary.v[0],
		.evidence = evidence.v,
		.advice = advice.v,
		.pods = pod,
		.pods_len = 1,
	};
	free(summary.v);
	return 0;
}

/* One that only waits for its first answer is, too. */
static bool is_judged(const struct pod_stats *p)
{
	return p->requests || p->in_flight || p->untracked;
}

/* "3 pods would not notice: a, b, c and 9 more" */
static char *tell(enum what_if_fate fate, const struct what_if *w, const struct snapshot *s, size_t count)
{
	static const char *const words[WHAT_IF_FATE_COUNT] = {
		[WHAT_IF_UNTOUCHED] = "would not notice",
		[WHAT_IF_UNKNOWN] =
		    "cannot be judged: not answered, not wholly seen, or the hop limit it needs was not",
		[WHAT_IF_BROKEN] = "would go on without tokens or some of them, as now",
		[WHAT_IF_CURED] = "without tokens or some of them now would get them",
	};
	char *text = NULL, subject[SUBJECT_LEN];
	size_t len, named = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "%zu pod%s %s", count, ENDING(count), words[fate]);
	for (size_t i = 0; i < s->pods_len && named < NAMED; i++)
		if (is_judged(s->pods[i]) && what_if_fate(w, s, s->pods[i]) == fate)
			fprintf(f, "%s%s", named++ ? ", " : ": ", subject_of(s->pods[i], subject, sizeof(subject)));
	if (count > named)
		fprintf(f, " and %zu more", count - named);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int by_gravity(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return finding_row(x) < finding_row(y) ? -1 : finding_row(x) > finding_row(y);
}

/* Of a tenant whose cgroups are too many to be known by name each request is counted all the same. */
static bool lost_any(const struct snapshot *s)
{
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count && strcmp(s->losses[i].name, "names_share"))
			return true;
	return false;
}

/* That nobody would break is said only where nothing that was seen speaks against it. */
static int conclude(struct what_if_result *r, const struct snapshot *s, uint64_t shown)
{
	const uint64_t gone = s->gone ? s->gone->requests : 0;
	size_t judged = 0;
	int n;

	for (int i = 0; i < WHAT_IF_FATE_COUNT; i++)
		judged += r->counts[i];
	r->open = r->counts[WHAT_IF_UNKNOWN] || gone || s->unowned_len || lost_any(s) || !judged;
	if (r->counts[WHAT_IF_BREAKS])
		n = asprintf(&r->verdict, "%zu pod%s would break.", r->counts[WHAT_IF_BREAKS],
			     r->counts[WHAT_IF_BREAKS] == 1 ? "" : "s");
	else if (!judged)
		n = asprintf(&r->verdict, "Nothing was seen asking: who would break is not known.");
	else
		n = asprintf(&r->verdict, "%s",
			     r->open ? "No pod was seen that would break, but not all could be judged."
			     : s->totals.requests > shown ? "No pod of those chosen that works now would break."
							  : "No pod that works now would break.");
	if (n < 0) {
		r->verdict = NULL;
		return -ENOMEM;
	}
	return 0;
}

int what_if_ask(const struct what_if *w, const struct snapshot *s, struct what_if_result *ret)
{
	char left_out[160] = "";
	uint64_t shown = 0;
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;

	*ret = (struct what_if_result){ .question = *w, .findings = calloc(s->pods_len + 1, sizeof(*ret->findings)) };
	if (!ret->findings)
		return -ENOMEM;
	if (w->hop_limit)
		snprintf(ret->title, sizeof(ret->title), "hop limit %u%s", w->hop_limit,
			 w->tokens_required ? ", tokens required" : "");
	else
		snprintf(ret->title, sizeof(ret->title), "tokens required");
	for (size_t i = 0; i < s->pods_len; i++) {
		enum what_if_fate fate = what_if_fate(w, s, s->pods[i]);

		if (!is_judged(s->pods[i]))
			continue;
		shown += s->pods[i]->requests;
		ret->counts[fate]++;
		if (fate == WHAT_IF_BREAKS && add_finding(ret, s, i))
			goto no_memory;
	}
	for (int i = 0; i < WHAT_IF_FATE_COUNT; i++) {
		if (i == WHAT_IF_BREAKS || !ret->counts[i])
			continue;
		ret->lines[i] = tell(i, w, s, ret->counts[i]);
		if (!ret->lines[i])
			goto no_memory;
	}
	if (conclude(ret, s, shown))
		goto no_memory;
	if (s->totals.requests > shown)
		snprintf(left_out, sizeof(left_out),
			 " %llu of these are of pods that have left, or that the options do not choose: not judged.",
			 (unsigned long long)(s->totals.requests - shown));
	if (asprintf(
		&ret->basis,
		"Judged only from the %llu request%s seen in %.0f s: who asked nothing meanwhile, or asks otherwise at "
		"another time, is not in it.%s%s%s",
		PLURAL(s->totals.requests), watched_s, left_out,
		s->unowned_len ? " Answers died that no request seen here waits for (gVisor, a virtual machine, a "
				 "connection older than this watch): who is behind them cannot be judged."
			       : "",
		lost_any(s) ? " Not all was seen (observation-incomplete): who is missing cannot be judged." : "") < 0) {
		ret->basis = NULL;
		goto no_memory;
	}
	qsort(ret->findings, ret->findings_len, sizeof(*ret->findings), by_gravity);
	return 0;
no_memory:
	what_if_clear(ret);
	return -ENOMEM;
}

void what_if_clear(struct what_if_result *r)
{
	findings_free(r->findings, r->findings_len);
	for (int i = 0; i < WHAT_IF_FATE_COUNT; i++)
		free(r->lines[i]);
	free(r->basis);
	free(r->verdict);
	*r = (struct what_if_result){ 0 };
}
