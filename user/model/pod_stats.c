/* SPDX-License-Identifier: GPL-2.0-only */
#include "pod_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../../bpf/http_scan.h"
#include "cause.h"
#include "counters.h"
#include "verdict.h"

static struct process_count *process_get(struct pod_stats *s, const struct imds_peer *peer)
{
	size_t i;

	for (i = 0; i < s->processes_len; i++)
		if (!strncmp(s->processes[i].comm, peer->comm, sizeof(peer->comm)))
			return &s->processes[i];
	if (i == POD_STATS_PROCESSES)
		return NULL;
	s->processes_len++;
	memcpy(s->processes[i].comm, peer->comm, sizeof(peer->comm));
	memcpy(s->processes[i].parent, peer->ancestors[0], sizeof(peer->ancestors[0]));
	return &s->processes[i];
}

static void note_process(struct pod_stats *s, const struct request *r)
{
	struct process_count *p = r->rec.peer.comm[0] ? process_get(s, &r->rec.peer) : NULL;

	if (!p)
		return;
	p->pid = r->rec.peer.pid;
	p->requests++;
	p->v1_requests += r->rec.req.version == IMDS_VERSION_V1;
	p->token_unanswered += r->rec.req.kind == IMDS_KIND_TOKEN && !r->rec.req.first_byte_ns;
}

static void add_coarse(struct histogram *h, uint64_t us)
{
	histogram_add(h, us);
	free(h->fine); /* percentiles are asked of `latency` only; a row stays small */
	h->fine = NULL;
}

static void add_latency(struct pod_stats *s, const struct request *r, uint64_t slow_ns)
{
	struct kind_stats *kind = s->by_kind[r->rec.req.kind];
	int64_t us = request_duration_us(r, 0);
	uint64_t us_begin;

	if (us < 0)
		return;
	histogram_add(&s->latency, us);
	if (kind)
		add_coarse(&kind->latency, us);
	if (request_is_slow(r, slow_ns / 1000)) {
		s->slow++;
		us_begin = request_begin_us(r);
		s->slow_begin_us = us_begin > s->slow_begin_us ? us_begin : s->slow_begin_us;
	}
	if (s->recent_len == LEN(s->recent_us))
		memmove(s->recent_us, s->recent_us + 1, --s->recent_len * sizeof(s->recent_us[0]));
	s->recent_us[s->recent_len++] = us > UINT32_MAX ? UINT32_MAX : us;
}

/* A poll's 404 is its normal answer, and would be a 401 as any other once tokens are required. */
static bool is_served(enum imds_status_class status)
{
	return status == IMDS_STATUS_2XX || status == IMDS_STATUS_OTHER || status == IMDS_STATUS_404;
}

static void count_request(struct pod_stats *s, enum imds_kind kind, enum imds_version version, enum outcome outcome,
			  uint64_t n)
{
	s->requests += n;
	s->outcomes[outcome] += n;
	s->kinds[kind] += n;
	if (counters_kind(s, kind))
		s->by_kind[kind]->cells[version][outcome] += n;
	if (version == IMDS_VERSION_V1)
		s->v1_requests += n;
	if (version == IMDS_VERSION_V2)
		s->v2_requests += n;
	if (version == IMDS_VERSION_UNKNOWN)
		s->version_unknown += n;
	if (version == IMDS_VERSION_V1 && kind == IMDS_KIND_CREDENTIALS && outcome == OUTCOME_OK)
		s->v1_credentials += n;
	if (kind == IMDS_KIND_TOKEN)
		s->token_requests += n;
}

/* Whether the request had the header that keeps others' forged requests away; where it was read to its end, it may lack it. */
static int8_t header_of(const struct request *r)
{
	static const uint32_t wanted[PROVIDER_COUNT] = {
		[PROVIDER_GCE] = IMDS_W_H_FLAVOR,
		[PROVIDER_AZURE] = IMDS_W_H_METADATA,
		[PROVIDER_ORACLE] = IMDS_W_H_ORACLE,
	};
	const struct imds_request *q = &r->rec.req;

	if (!wanted[r->provider] || q->status == 404)
		return 0;
	if (q->words & wanted[r->provider])
		return 1;
	return (q->flags & IMDS_F_HEAD_COMPLETE) && !(q->flags & IMDS_F_HEAD_CUT) ? -1 : 0;
}

/* What was answered with an error, so that a report can quote it. */
static void note_error(struct pod_stats *s, const struct request *r)
{
	const struct imds_request *q = &r->rec.req;
	struct error_count e = { .requests = 1,
				 .status = q->status,
				 .kind = q->kind,
				 .method = q->method,
				 .provider = r->provider,
				 .forwarded = q->words & IMDS_W_H_FORWARDED,
				 .header = header_of(r) };

	snprintf(e.path, sizeof(e.path), "%.63s", q->path);
	counters_add_error(s, &e);
}

static void note_served(struct pod_stats *s, const struct imds_request *q)
{
	for (struct error_count *e = s->errors; e < s->errors + s->errors_len; e++)
		e->served |=
		    e->kind == q->kind && e->method == q->method && !strncmp(e->path, q->path, sizeof(e->path) - 1);
}

static void note_place(struct pod_stats *s, const struct request *r)
{
	const struct imds_drop *drop = &r->rec.req.drop;
	/* AT_HOME of a tc program's drop may be a port of the node's bridge */
	bool by_tc = !strncmp(r->drop_reason, "TC_", 3);
	struct drop_note n = { .requests = 1,
			       .cause = r->cause,
			       .from_endpoint = drop->flags & IMDS_D_FROM_ENDPOINT,
			       .where = drop->flags & (IMDS_D_RST | IMDS_D_FOREIGN | (by_tc ? 0 : IMDS_D_AT_HOME)),
			       .ttl = drop->ttl,
			       .hop_limit = r->outcome == OUTCOME_HOP_LIMIT };

	snprintf(n.reason, sizeof(n.reason), "%s", r->drop_reason);
	snprintf(n.location, sizeof(n.location), "%s", r->drop_location);
	if (r->rec.to_port)
		request_address(&r->rec.to, r->rec.to_port, n.to, sizeof(n.to));
	counters_add_note(s, &n);
}

/* Its answer came when the client had closed. */
static void note_late(struct pod_stats *s, const struct imds_request *q)
{
	uint64_t waited_us = q->end_ns > q->start_ns ? (q->end_ns - q->start_ns) / 1000 : 0;
	uint64_t took_us = q->last_byte_ns > q->start_ns ? (q->last_byte_ns - q->start_ns) / 1000 : 0;

	s->late_waited_us = waited_us > s->late_waited_us ? waited_us : s->late_waited_us;
	s->late_took_us = took_us > s->late_took_us ? took_us : s->late_took_us;
}

static enum silence silence_of(const struct imds_rec_request *rec)
{
	const struct imds_request *q = &rec->req;

	if (q->first_byte_ns)
		return SILENCE_BEHEADED;
	if (q->flags & IMDS_F_REQUEST_ACKED)
		return SILENCE_UNANSWERED;
	if (q->bytes_out && !(q->flags & (IMDS_F_HEAD_COMPLETE | IMDS_F_HEAD_CUT | IMDS_F_MIDSTREAM)))
		return SILENCE_UNFINISHED; /* nor was its acknowledgement looked for */
	return rec->synack_ns || (q->flags & IMDS_F_MIDSTREAM) ? SILENCE_UNACKED : SILENCE_UNCONNECTED;
}

static void note_fate(struct pod_stats *s, const struct request *r, enum imds_endpoint_class class)
{
	const struct imds_request *q = &r->rec.req;
	bool ok = r->outcome == OUTCOME_OK && q->end == IMDS_END_ANSWERED;

	if (q->end == IMDS_END_ANSWERED && verdict_is_error(q)) {
		note_error(s, r);
		s->last_broken_ns = q->status >= 500 ? q->end_ns : s->last_broken_ns;
	}
	if ((q->end != IMDS_END_ANSWERED || r->outcome == OUTCOME_BLOCKED || r->outcome == OUTCOME_DROPPED) &&
	    r->outcome != OUTCOME_ABORTED && cause_drop_counts(&r->rec)) /* its client left before the drop told */
		note_place(s, r);
	/* a list of roles is no credentials */
	if (q->kind == IMDS_KIND_CREDENTIALS && !(ok && cause_is_role_list(q->path))) {
		s->credentials_requests++;
		s->credentials_ok += ok;
	}
	if (ok) {
		note_served(s, q);
		s->providers_ok |= 1u << r->provider;
		s->endpoints_ok |= 1u << (r->rec.peer.endpoint % 32);
		s->endpoints_failing &= ~(1u << (r->rec.peer.endpoint % 32));
		s->last_ok_ns = q->end_ns;
	}
	if (q->kind == IMDS_KIND_TOKEN)
		s->token_fails = verdict_is_failure(r->outcome, q->kind);
	if (verdict_is_failure(r->outcome, q->kind)) {
		s->last_failed_ns = q->end_ns ? q->end_ns : r->judged_ns;
		s->providers_failed |= 1u << r->provider;
		s->endpoints_failed |= 1u << (r->rec.peer.endpoint % 32);
		s->endpoints_failing |= 1u << (r->rec.peer.endpoint % 32);
		s->failed_by[r->outcome].providers |= 1u << r->provider;
		s->failed_by[r->outcome].endpoints |= 1u << (r->rec.peer.endpoint % 32);
	}
	if ((r->cause == CAUSE_SILENT && r->outcome == OUTCOME_NO_RESPONSE && q->kind != IMDS_KIND_DNS) ||
	    (r->cause == CAUSE_RESET && silence_of(&r->rec) == SILENCE_UNFINISHED))
		s->silences[silence_of(&r->rec)]++;
	if (r->outcome == OUTCOME_REFUSED) {
		bool rst = q->end == IMDS_END_REFUSED || q->end == IMDS_END_PEER_RST;

		s->refused_by_rst |= rst;
		s->refused_by_icmp |= !rst;
		s->left_at_once |= !rst && !(q->flags & IMDS_F_SOCKET_DEAD);
	}
	if (r->rec.ttl_synack && !verdict_is_local(class) && !s->ttl_low)
		s->ttl_local = r->rec.peer.local;
	if (r->rec.ttl_synack && !verdict_is_local(class) &&
	    !memcmp(&s->ttl_local, &r->rec.peer.local, sizeof(s->ttl_local))) {
		int ttl = r->rec.ttl_synack;

		s->ttl_low = !s->ttl_low || ttl < s->ttl_low ? ttl : s->ttl_low;
		s->ttl_high = ttl > s->ttl_high ? ttl : s->ttl_high;
	}
	s->redirected_at_home |= !!(q->flags & IMDS_F_REDIRECTED);
	if (r->answered_by)
		s->answerers[verdict_is_local(class)] = r->answered_by;
	s->stood_in_for |= r->answered_by && !verdict_is_local(class);
}

static void note_drop(struct pod_stats *s, const struct imds_drop *drop, const char *reason, const char *location)
{
	if (!drop->ts_ns)
		return;
	if (verdict_is_ttl_death(drop, reason, location)) {
		s->ttl_dropped = drop->ttl;
		s->drop_match = drop->match;
		snprintf(s->drop_location, sizeof(s->drop_location), "%s", location);
		snprintf(s->death_reason, sizeof(s->death_reason), "%s", reason);
	} else if (verdict_is_policy_drop(drop, reason, location)) {
		snprintf(s->policy_location, sizeof(s->policy_location), "%s", location);
		snprintf(s->policy_reason, sizeof(s->policy_reason), "%s", reason);
	}
}

/* An agent on the node that is asked, too, is not who leaves the cloud's service unanswered. */
static void choose_answerer(struct pod_stats *s)
{
	const unsigned int local = 1u << PROVIDER_ECS | 1u << PROVIDER_EKS_POD_IDENTITY;
	unsigned int of = s->providers_failed ? s->providers_failed : s->providers;

	s->answered_by = s->answerers[!(of & ~local)];
}

void pod_stats_narrow(struct pod_stats *s, unsigned int outcomes)
{
	unsigned int providers = 0, endpoints = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++) {
		providers |= outcomes >> o & 1 ? s->failed_by[o].providers : 0;
		endpoints |= outcomes >> o & 1 ? s->failed_by[o].endpoints : 0;
	}
	if (!providers || (providers == s->providers_failed && endpoints == s->endpoints_failed))
		return;
	s->providers_failed = providers;
	s->endpoints_failed = endpoints;
	choose_answerer(s);
}

void pod_stats_add(struct pod_stats *s, const struct request *r, enum imds_endpoint_class class, uint64_t slow_ns,
		   uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	bool answered = request_is_answered(r);
	enum imds_status_class status = imds_status_class(q->status);

	count_request(s, q->kind, q->version, r->outcome, 1);
	s->answered += answered;
	s->failed += verdict_is_failure(r->outcome, q->kind);
	/* a poll's 404 is a normal answer, and wants no cause */
	if (r->cause != CAUSE_NONE && (verdict_is_failure(r->outcome, q->kind) || q->status != 404))
		s->causes[r->cause]++;
	s->v1_unauthorized += q->version == IMDS_VERSION_V1 && status == IMDS_STATUS_401;
	note_fate(s, r, class);
	if (r->outcome == OUTCOME_HOP_LIMIT)
		s->confidences[r->confidence]++;
	if (status != IMDS_STATUS_NONE)
		s->responses[status]++;
	if (r->fallback) {
		s->fallbacks++;
		if (answered && !verdict_is_error(q)) {
			s->fallbacks_answered++;
			s->fallback_answered_us_sum += request_duration_us(r, now_ns);
		}
	}
	if (answered && !verdict_is_long_poll(q))
		add_latency(s, r, slow_ns);
	s->v1_answered += answered && q->version == IMDS_VERSION_V1 && is_served(status);
	if (r->cause == CAUSE_SLOW)
		note_late(s, q);
	if (request_connect_us(r) >= 0 && ((q->flags & IMDS_F_FIRST) || q->kind == IMDS_KIND_CONNECT_ONLY))
		add_coarse(&s->connect, request_connect_us(r));
	s->slow_connects += request_connected_late(r, slow_ns / 1000);
	if (q->kind == IMDS_KIND_TOKEN) {
		if (answered && !verdict_is_error(q)) {
			s->token_answered++;
			if (!s->other || s->hop_limit != HOP_LIMIT_EXHAUSTED)
				s->hop_limit = HOP_LIMIT_OK;
		} else if (r->outcome == OUTCOME_HOP_LIMIT) {
			s->hop_limit = HOP_LIMIT_EXHAUSTED;
		}
	}
	if (q->kind == IMDS_KIND_CREDENTIALS && verdict_is_local(class))
		s->uses_pod_identity |= answered && !verdict_is_error(q);
	s->needs_credentials |= q->kind == IMDS_KIND_CREDENTIALS && !verdict_is_local(class);
	s->providers |= 1u << r->provider;
	s->endpoints |= 1u << (r->rec.peer.endpoint % 32);
	choose_answerer(s);
	note_process(s, r);
	note_drop(s, &q->drop, r->drop_reason, r->drop_location);
	if (!s->first_ns)
		s->first_ns = request_start_ns(r);
	s->last_ns = q->end_ns ? q->end_ns : now_ns;
}

void pod_stats_add_lost(struct pod_stats *s, const struct imds_request_key *key, enum outcome outcome, uint64_t n)
{
	count_request(s, key->kind, key->version, outcome, n);
	if (outcome == OUTCOME_HOP_LIMIT) {
		s->confidences[CONFIDENCE_PROVEN] += n;
		s->causes[CAUSE_HOP_LIMIT] += n;
		if (key->kind == IMDS_KIND_TOKEN)
			s->hop_limit = HOP_LIMIT_EXHAUSTED;
	}
	s->answered += key->end == IMDS_END_ANSWERED ? n : 0;
	s->failed += verdict_is_failure(outcome, key->kind) ? n : 0;
	s->v1_unauthorized += key->version == IMDS_VERSION_V1 && key->status == IMDS_STATUS_401 ? n : 0;
	if (key->status > IMDS_STATUS_NONE && key->status < IMDS_STATUS_COUNT)
		s->responses[key->status] += n;
	s->v1_answered +=
	    key->version == IMDS_VERSION_V1 && key->end == IMDS_END_ANSWERED && is_served(key->status) ? n : 0;
	s->records_lost += n;
	s->endpoints |= 1u << (key->endpoint % 32);
}
