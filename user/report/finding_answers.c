/* SPDX-License-Identifier: GPL-2.0-only */
/* What was asked, and what came back: without tokens, errors, late answers. */
#include <string.h>

#include "../base/text_add.h"
#include "../model/verdict.h"
#include "finding_parts.h"
#include "findings.h"

static bool find_fallback(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (!p->fallbacks)
		return false;
	/* what got nothing by it either is told by what kills its requests */
	d->severity = p->fallbacks_answered ? SEVERITY_WARNING : SEVERITY_INFO;
	SUMMARY(d, "%s fell back to IMDSv1 %llu time%s after token requests went unanswered%s", d->subject,
		PLURAL(p->fallbacks), p->fallbacks_answered ? "" : ", without success");
	finding_add_tokens(d);
	finding_add_lost_seconds(d);
	if (!p->outcomes[OUTCOME_HOP_LIMIT]) /* else told there */
		finding_add_processes(d);
	return true;
}

static uint64_t outcomes_of_version(const struct pod_stats *p, enum imds_version version, enum outcome outcome)
{
	uint64_t sum = 0;

	for (size_t kind = 0; kind < IMDS_KIND_COUNT; kind++)
		sum += p->by_kind[kind] ? p->by_kind[kind]->cells[version][outcome] : 0;
	return sum;
}

static bool find_v1(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char pid[32];
	uint64_t ok = outcomes_of_version(p, IMDS_VERSION_V1, OUTCOME_OK);

	/* Fallbacks have a finding of their own. */
	if (!ok || p->v1_requests <= p->fallbacks || !finding_is_ec2(p) || finding_is_elsewhere(d))
		return false;
	SUMMARY(d, "%s %s IMDSv1: %llu request%s without a token", d->subject, finding_verb(d, "uses", "use"),
		PLURAL(p->v1_requests - p->fallbacks));
	EVIDENCE(d, "%llu IMDSv1 request%s, %llu served; %llu with a token", PLURAL(p->v1_requests),
		 (unsigned long long)ok, (unsigned long long)p->v2_requests);
	for (size_t i = 0; i < p->processes_len; i++)
		if (p->processes[i].v1_requests)
			EVIDENCE(d, "process %s (%s): %llu of %llu request%s without a token", p->processes[i].comm,
				 finding_pid_text(&p->processes[i], pid, sizeof(pid)),
				 OF(p->processes[i].v1_requests, p->processes[i].requests));
	return true;
}

/* 401 to a request without a token. With one it is an expired token, or fluent-bit's probe with the token INVALID. */
static bool find_token_required(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->v1_unauthorized;

	/* one that asks for tokens and gets none is told by what kills these */
	if (!n || !finding_is_ec2(p) || (p->token_requests && !p->token_answered))
		return false;
	if (p->uses_pod_identity) /* nothing but what it asks of the instance is missing */
		d->severity = SEVERITY_INFO;
	SUMMARY(d, "%s %s without a token where tokens are required: %llu answer%s 401", d->subject,
		finding_verb(d, "asks", "ask"), PLURAL(n));
	EVIDENCE(d, "%llu IMDSv1 request%s, %llu answer%s 401", PLURAL(p->v1_requests),
		 PLURAL(p->responses[IMDS_STATUS_401]));
	EVIDENCE(d, "%llu token request%s, %llu answered", PLURAL(p->token_requests),
		 (unsigned long long)p->token_answered);
	return true;
}

static bool find_disabled(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->responses[IMDS_STATUS_403];

	if (!n || !finding_is_off(d))
		return false;
	SUMMARY(d, "%s %s answered 403: the metadata endpoint is off or forbids the request (%llu time%s)", d->subject,
		finding_verb(d, "is", "are"), PLURAL(n));
	EVIDENCE(d, "%llu answer%s 403, no request served", PLURAL(n));
	finding_add_errors(d, 0);
	return true;
}

/* X-Forwarded-For: EC2 refuses a token, Azure and GCE any request, on purpose. The proxy's request is another row's than the pod's. */
static bool find_forwarded(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_FORWARDED];
	size_t i = 0;

	if (!n)
		return false;
	while (i < p->errors_len && !p->errors[i].forwarded)
		i++;
	SUMMARY(d, "%s %s requests that carry X-Forwarded-For: the service refuses them", d->subject,
		finding_verb(d, "sends", "send"));
	if (i < p->errors_len)
		lines_append(&d->summary, " with %u", p->errors[i].status);
	lines_append(&d->summary, " (%llu time%s)", PLURAL(n));
	finding_add_errors(d, 0);
	return true;
}

/* "429", "503", "429 or 503" */
static const char *busy_text(const struct pod_stats *p)
{
	uint64_t n = p->responses[IMDS_STATUS_429]; /* of each pod, where the errors are those of the worst */
	bool limited = n || finding_has_status(p, 429);
	bool unavailable =
	    p->causes[CAUSE_THROTTLED] > n && (p->responses[IMDS_STATUS_5XX] || finding_has_status(p, 503));

	return limited == unavailable ? "429 or 503" : limited ? "429" : "503";
}

/* A token or credentials request that got another error than those of a busy service. */
static bool is_refusal(const struct error_count *e)
{
	return verdict_is_failure(OUTCOME_HTTP_ERROR, e->kind) && e->status != 429 && e->status != 503;
}

/* "403", "404 or 403": the statuses of its errors, or of its refusals, each once, as they came. */
static const char *statuses_text(const struct pod_stats *p, bool refusals, char *buf, size_t len)
{
	buf[0] = '\0';
	for (size_t i = 0; i < p->errors_len; i++) {
		bool told = refusals && !is_refusal(&p->errors[i]);

		for (size_t k = 0; k < i; k++)
			told |= p->errors[k].status == p->errors[i].status && !(refusals && !is_refusal(&p->errors[k]));
		if (!told)
			text_add(buf, len, "%s%u", buf[0] ? " or " : "", p->errors[i].status);
	}
	return buf;
}

static bool find_throttled(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_THROTTLED];
	bool reaches_nobody = finding_reaches_nobody(p, d->platform.cloud);
	char who[SUBJECT_LEN], statuses[64];
	uint64_t others = 0;

	if (!n)
		return false;
	SUMMARY(d, "%s %s %s%s%s: %llu answer%s %s", d->subject, finding_verb(d, "is", "are"),
		reaches_nobody ? "turned away (service unavailable)" : "throttled",
		finding_is_local_service(p) ? " by the agent on this node" : "", finding_by_whom(d, who, sizeof(who)),
		PLURAL(n), busy_text(p));
	for (size_t i = 0; i < p->errors_len; i++)
		others += is_refusal(&p->errors[i]) ? p->errors[i].requests : 0;
	if (others)
		lines_append(&d->summary, ", %llu more %s", (unsigned long long)others,
			     statuses_text(p, true, statuses, sizeof(statuses)));
	finding_add_errors(d, 0);
	EVIDENCE(d, "%llu of %llu request%s served", OF(p->outcomes[OUTCOME_OK], p->requests));
	return true;
}

/*
 * What stands in the service's place knows no tokens, as kiam and kube2iam once, and gives no credentials for a reason of its own:
 * SDKs go on without a token, so that reason is what hurts. What answers nothing but 404 may be no metadata service at all.
 */
static bool is_tokenless(const struct pod_stats *p)
{
	bool errs = false;

	for (size_t i = 0; i < p->errors_len; i++)
		errs |= p->errors[i].kind == IMDS_KIND_CREDENTIALS && (p->errors[i].status != 404 || p->last_ok_ns);
	return errs && p->causes[CAUSE_NOT_THIS_CLOUD] && p->answered_by && !p->credentials_ok;
}

static bool find_not_this_cloud(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_NOT_THIS_CLOUD];
	char who[SUBJECT_LEN];

	if (!n || p->token_answered)
		return false;
	/* an agent that asks every cloud's service once is served by the one that is there: harmless */
	d->severity = ((!p->credentials_requests || p->credentials_ok) && p->last_ok_ns) || is_tokenless(p)
			  ? SEVERITY_INFO
			  : SEVERITY_WARNING;
	if (p->answered_by)
		SUMMARY(
		    d,
		    "%s %s for an EC2 token, which is refused%s, in the metadata service's place: %llu token request%s",
		    d->subject, finding_verb(d, "asks", "ask"), finding_by_whom(d, who, sizeof(who)), PLURAL(n));
	else
		SUMMARY(d, "%s %s for an EC2 token, but the service here is not EC2's%s: %llu token request%s refused",
			d->subject, finding_verb(d, "asks", "ask"),
			finding_is_elsewhere(d) ? finding_cloud_text(d, ", it", who, sizeof(who)) : "", PLURAL(n));
	finding_add_errors(d, 0);
	return true;
}

static bool find_no_role(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_NO_ROLE];
	char who[SUBJECT_LEN], cloud[64];

	if (!n || p->credentials_ok || (p->causes[CAUSE_NOT_THIS_CLOUD] && !is_tokenless(p)))
		return false;
	if (finding_is_foreign_client(d, PROVIDER_EC2))
		SUMMARY(d, "%s %s no credentials: %s, which has no roles of EC2 (%llu answer%s 404)", d->subject,
			finding_verb(d, "gets", "get"), finding_cloud_text(d, "the service here", cloud, sizeof(cloud)),
			PLURAL(n));
	else if (p->answered_by)
		SUMMARY(d, "%s %s no credentials: answered 404, no role for it,%s (%llu time%s)", d->subject,
			finding_verb(d, "gets", "get"), finding_by_whom(d, who, sizeof(who)), PLURAL(n));
	else
		SUMMARY(d,
			"%s %s no credentials: no role is attached to this instance, the list is answered 404 "
			"(%llu time%s)",
			d->subject, finding_verb(d, "gets", "get"), PLURAL(n));
	finding_add_errors(d, 404);
	if (p->token_answered && !p->answered_by)
		EVIDENCE(d, "%llu of %llu token request%s answered: the service itself works",
			 OF(p->token_answered, p->token_requests));
	return true;
}

/* Token or credentials requests that get only errors, of a cause that no other finding tells. */
static bool find_credentials_refused(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t tokens = 0, credentials = 0;
	const struct error_count *worst = NULL;
	char text[128], who[SUBJECT_LEN];

	for (size_t i = 0; i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];

		tokens += e->kind == IMDS_KIND_TOKEN ? e->requests : 0;
		credentials += e->kind == IMDS_KIND_CREDENTIALS ? e->requests : 0;
		if ((e->kind == IMDS_KIND_TOKEN && !is_tokenless(p)) || e->kind == IMDS_KIND_CREDENTIALS)
			worst = !worst || e->requests > worst->requests ? e : worst;
	}
	/* what part of it is served is not refused */
	if (!worst || ((!tokens || p->token_answered) && (!credentials || p->credentials_ok)))
		return false;
	if (p->causes[CAUSE_THROTTLED] || (p->causes[CAUSE_NOT_THIS_CLOUD] && !is_tokenless(p)) ||
	    p->causes[CAUSE_NO_ROLE] || p->causes[CAUSE_FORWARDED] || p->causes[CAUSE_TOKEN_REQUIRED])
		return false;
	if (finding_is_off(d))
		return false;
	d->severity = credentials && !p->credentials_ok ? SEVERITY_ERROR : SEVERITY_WARNING;
	SUMMARY(d, "%s %s for %s and %s only errors: %s answered %u%s", d->subject, finding_verb(d, "asks", "ask"),
		credentials ? "credentials" : "a token", finding_verb(d, "gets", "get"),
		finding_request_text(worst, text, sizeof(text)), worst->status, finding_by_whom(d, who, sizeof(who)));
	finding_add_errors(d, 0);
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu other request%s of this pod served", PLURAL(p->outcomes[OUTCOME_OK]));
	if (finding_is_foreign_client(d, worst->provider))
		EVIDENCE(d, "%s: it has nothing for a client of %s",
			 finding_cloud_text(d, "the service here", who, sizeof(who)), provider_word(worst->provider));
	else if (finding_has_status(p, 401) && p->token_answered)
		EVIDENCE(d, "its requests carry a token that is refused: expired, or given to another instance");
	/* the TTLs are the row's: of one that asks other addresses, too, they may be those */
	if (finding_is_local_service(p) && !p->ttl_low && p->hops > 0)
		EVIDENCE(
		    d,
		    "the answers come from %d forward%s away (TTL %d), though the agent that should give them is on "
		    "this node: another server answers in its place",
		    p->hops, ENDING(p->hops), p->ttl_synack);
	return true;
}

static bool is_error_of_server(uint16_t status)
{
	return status >= 500 && status != 503;
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && !strcmp(s + len - n, end);
}

/* 404 to what each service has: who answers is not the service, or reaches none; to a service account: there is none. */
static uint64_t missing_of(const struct draft *d, const struct error_count *e)
{
	if (e->status != 404)
		return 0;
	if (e->provider == PROVIDER_ORACLE) /* that are legacy, and off where the newer ones serve */
		return !strncmp(e->path, "/opc/v1/", 8) && d->p->last_ok_ns ? e->requests : 0;
	if (e->provider == PROVIDER_GCE)
		return strstr(e->path, "/service-accounts/") && !d->p->credentials_ok ? e->requests : 0;
	return ends_with(e->path, "/instance-id") && !d->p->last_ok_ns &&
		       (d->platform.cloud == PROVIDER_OPENSTACK || !finding_is_elsewhere(d))
		   ? e->requests
		   : 0;
}

/* Errors to what is neither token nor credentials: a broken server, or a question that it does not take. */
static bool find_other_errors(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t broken = 0, refused = 0, not_found = 0, probes = 0, missing = 0, part = 0;
	uint64_t told = p->causes[CAUSE_TOKEN_REQUIRED] + p->causes[CAUSE_FORWARDED];
	uint64_t stale = p->responses[IMDS_STATUS_401] > p->v1_unauthorized && p->token_answered &&
				 p->outcomes[OUTCOME_OK] <= p->token_answered
			     ? p->responses[IMDS_STATUS_401] - p->v1_unauthorized
			     : 0;
	uint16_t status = 0;
	char who[SUBJECT_LEN], statuses[64];
	bool is_this_clouds = p->providers == 1u << d->platform.cloud;

	for (size_t i = 0; i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];

		if (e->kind == IMDS_KIND_TOKEN && !p->token_answered)
			continue; /* told by a finding of its own */
		missing += missing_of(d, e);
		part += is_refusal(e) ? e->requests : 0;
		if (is_error_of_server(e->status)) {
			broken += e->requests;
			status = e->status;
		} else if (e->status == 404) {
			not_found += e->requests;
		} else if (e->status != 429 && e->status != 503) {
			refused += e->requests;
			/* Azure's SDKs ask without the header Metadata: true to see whether anybody is there */
			probes += e->provider == PROVIDER_AZURE && e->status == 400 ? e->requests : 0;
		}
	}
	if (p->credentials_requests && !p->credentials_ok)
		return false;
	if (finding_is_ec2(p) || !is_this_clouds) /* polls hear 404; what asks each cloud is not found by the others */
		not_found = refused ? not_found : 0;
	if (broken) {
		SUMMARY(d, "%s %s answered with server errors%s: %llu answer%s %u", d->subject,
			findings_is_past(p) ? finding_verb(d, "was", "were") : finding_verb(d, "is", "are"),
			finding_by_whom(d, who, sizeof(who)), PLURAL(broken), status);
		if (!p->last_failed_ns && findings_is_back(p))
			lines_append(&d->summary, "; answered since");
	} else if (stale && finding_is_ec2(p) && !p->failed) {
		SUMMARY(d, "%s %s tokens, but with them only errors%s: %llu answer%s 401", d->subject,
			finding_verb(d, "gets", "get"), finding_by_whom(d, who, sizeof(who)), PLURAL(stale));
	} else if (missing && !p->failed) {
		/* SDKs ask v1 after v2, which serves them */
		d->severity = (p->providers_ok & 1u << PROVIDER_ORACLE) ? SEVERITY_INFO : SEVERITY_WARNING;
		SUMMARY(d, "%s %s for what %s has, and it is not found%s: %llu answer%s 404", d->subject,
			finding_verb(d, "asks", "ask"),
			p->providers & 1u << PROVIDER_GCE      ? "each machine with a service account"
			: p->providers & 1u << PROVIDER_ORACLE ? "only Oracle's legacy service (/opc/v1/)"
							       : "each metadata service",
			finding_by_whom(d, who, sizeof(who)), PLURAL(missing));
	} else if (part > told && p->failed) {
		d->severity = findings_is_past(p) ? SEVERITY_INFO : SEVERITY_WARNING;
		SUMMARY(d, "%s %s tokens or credentials only in part%s: %llu answer%s %s", d->subject,
			findings_is_past(p) ? "got" : finding_verb(d, "gets", "get"),
			finding_by_whom(d, who, sizeof(who)), PLURAL(part),
			statuses_text(p, true, statuses, sizeof(statuses)));
	} else if (refused + not_found && !p->last_ok_ns && !p->failed && !p->causes[CAUSE_FORWARDED] &&
		   !p->causes[CAUSE_TOKEN_REQUIRED] && !p->causes[CAUSE_NOT_THIS_CLOUD] && !finding_is_off(d)) {
		/* one that asks another cloud's service, or all of them, is turned away rightly */
		d->severity = is_this_clouds && (refused > probes || d->platform.cloud == PROVIDER_ORACLE)
				  ? SEVERITY_WARNING
				  : SEVERITY_INFO;
		SUMMARY(d, "%s %s answered, but only with errors%s: %llu answer%s %s", d->subject,
			finding_verb(d, "is", "are"), finding_by_whom(d, who, sizeof(who)), PLURAL(refused + not_found),
			statuses_text(p, false, statuses, sizeof(statuses)));
	} else {
		return false;
	}
	finding_add_errors(d, 0);
	EVIDENCE(d, "%llu of %llu request%s served", OF(p->outcomes[OUTCOME_OK], p->requests));
	return true;
}

#define SYN_AGAIN_US 1000000 /* TCP_TIMEOUT_INIT, include/net/tcp.h: 1 s since Linux 3.1, doubled each time */

/* The requests themselves took less: a SYN was lost or dropped, or its answer, and sent again; or the way is long. */
static bool find_slow_connects(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char limit[32], max[32];

	if (!p->slow_connects)
		return false;
	SUMMARY(d, "%s %s long for connections to the metadata service: %llu stood after more than %s", d->subject,
		finding_verb(d, "waits", "wait"), (unsigned long long)p->slow_connects,
		findings_duration(d->s->slow_us, limit, sizeof(limit)));
	if (p->connect.max_us)
		lines_append(&d->summary, ", the slowest after %s",
			     findings_duration(p->connect.max_us, max, sizeof(max)));
	if (p->connect.max_us >= SYN_AGAIN_US)
		EVIDENCE(d, "no answer came to a first SYN in time: the kernel sends it again after 1 s, 3 s and 7 s");
	return true;
}

static bool find_slow(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char limit[32], p50[32], p99[32], max[32], who[SUBJECT_LEN];

	if (!p->slow)
		return false;
	findings_duration(d->s->slow_us, limit, sizeof(limit));
	findings_duration(histogram_quantile_us(&p->latency, 0.5), p50, sizeof(p50));
	findings_duration(histogram_quantile_us(&p->latency, 0.99), p99, sizeof(p99));
	findings_duration(p->latency.max_us, max, sizeof(max));
	if (finding_began_in_time(d->s, p))
		SUMMARY(d,
			"%s %s answered in time%s, and took long to receive the whole of it: %llu above %s, the "
			"slowest %s",
			d->subject, finding_verb(d, "is", "are"), finding_by_whom(d, who, sizeof(who)),
			(unsigned long long)p->slow, limit, max);
	else
		SUMMARY(d, "%s %s answered late%s: %llu above %s, the slowest %s", d->subject,
			finding_verb(d, "is", "are"), finding_by_whom(d, who, sizeof(who)), (unsigned long long)p->slow,
			limit, max);
	EVIDENCE(d, "%llu of %llu answered request%s above %s; p50 %s, p99 %s, max %s", OF(p->slow, p->latency.count),
		 limit, p50, p99, max);
	if (finding_began_in_time(d->s, p))
		EVIDENCE(d,
			 "the first byte of each was there within %s: what took long is the rest, which waits for a "
			 "client that reads slowly, or comes slowly",
			 findings_duration(p->slow_begin_us, max, sizeof(max)));
	return true;
}

/* The answer came, and the client had closed: no fault of the network's. */
static bool find_late(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_SLOW];
	char waited[32], took[32], who[SUBJECT_LEN];

	if (!n)
		return false;
	findings_duration(p->late_waited_us, waited, sizeof(waited));
	findings_duration(p->late_took_us, took, sizeof(took));
	SUMMARY(d, "%s %s answered too late%s: %llu of %llu request%s, each after its client had given up", d->subject,
		findings_is_past(p) ? finding_verb(d, "was", "were") : finding_verb(d, "is", "are"),
		finding_by_whom(d, who, sizeof(who)), OF(n, p->requests));
	if (p->late_took_us)
		EVIDENCE(d, "the client waited %s%s, the answer arrived %s after it was asked for",
			 n > 1 ? "up to " : "", waited, took);
	EVIDENCE(d, "these answers did reach the %s: no filter, no route and no hop limit kept them away",
		 p->host_network ? "process's host" : "pod");
	return true;
}

const struct finding_rule finding_rules_answers[] = {
	{ FINDING_CREDENTIALS_REFUSED, find_credentials_refused, SEVERITY_WARNING,
	  THEN_ANSWERER | THEN_PAST | THEN_PROCESSES, 1u << OUTCOME_HTTP_ERROR },
	{ FINDING_NO_ROLE, find_no_role, SEVERITY_WARNING, THEN_PROCESSES, 1u << OUTCOME_HTTP_ERROR },
	{ FINDING_NOT_THIS_CLOUD, find_not_this_cloud, SEVERITY_WARNING, THEN_ANSWERER | THEN_PROCESSES,
	  1u << OUTCOME_HTTP_ERROR },
	{ FINDING_FORWARDED_HEADER, find_forwarded, SEVERITY_WARNING, THEN_PROCESSES, 1u << OUTCOME_HTTP_ERROR },
	{ FINDING_IMDSV1_FALLBACK, find_fallback, SEVERITY_WARNING, 0, 0 },
	{ FINDING_IMDSV1_IN_USE, find_v1, SEVERITY_INFO, 0, 0 },
	{ FINDING_TOKEN_REQUIRED, find_token_required, SEVERITY_WARNING, THEN_PROCESSES, 1u << OUTCOME_HTTP_ERROR },
	{ FINDING_ENDPOINT_DISABLED, find_disabled, SEVERITY_WARNING, THEN_PROCESSES, 1u << OUTCOME_HTTP_ERROR },
	{ FINDING_THROTTLED, find_throttled, SEVERITY_WARNING, THEN_ANSWERER | THEN_PROCESSES, 1u << OUTCOME_HTTP_ERROR },
	{ FINDING_CREDENTIALS_REFUSED, find_other_errors, SEVERITY_WARNING, THEN_ANSWERER | THEN_PAST | THEN_PROCESSES,
	  1u << OUTCOME_HTTP_ERROR },
	{ FINDING_SLOW, find_late, SEVERITY_WARNING, THEN_ANSWERER | THEN_PAST | THEN_LOST | THEN_PROCESSES,
	  1u << OUTCOME_NO_RESPONSE },
	{ FINDING_SLOW, find_slow, SEVERITY_WARNING, THEN_PROCESSES, 0 },
	{ FINDING_SLOW, find_slow_connects, SEVERITY_WARNING, THEN_PROCESSES, 0 },
	{ 0 },
};
