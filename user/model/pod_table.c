/* SPDX-License-Identifier: GPL-2.0-only */
#include "pod_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that found no memory has hh.tbl NULL */
#include <uthash.h>

#include "../../bpf/http_scan.h"
#include "cause.h"
#include "counters.h"
#include "verdict.h"

#define RECENT_NS (60ull * 1000000000) /* how long another request's fate counts as evidence */
/*
 * A pause between tries is part of the wait when it is a backoff: these are short, or no longer than the try before (it
 * doubles), and end by PAUSE_MAX_NS. A longer one is a poll's sleep.
 */
#define PAUSE_SHORT_NS (2ull * 1000000000)
#define PAUSE_MAX_NS (10ull * 1000000000)
#define LATER_NS (2ull * 1000000000) /* how long a silent token request is held back without a drop hook */
/*
 * How long a request whose client left before the answer waits for the death of that answer, and one that was refused
 * at the socket for a better copy.
 */
#define LATE_DEATH_NS (4ull * 1000000000)
#define ADDRESSES 1024 /* local addresses of watched sockets that are remembered, newest first */
#define SHARE_PART 8   /* of the rows, what one maker of cgroups may have */
#define SHARE_FLOOR 32 /* but so many at least */
#define MAKERS 256     /* told apart, by the number's rest */
#define CLIENTS 8      /* processes of one row whose token history is kept */

/*
 * A process and how its newest token request went: for fallbacks and the time lost. Its waits are a union: cloud-init asks
 * over IPv4 and IPv6 at once. counted_* is the newest stretch that was counted.
 */
struct client {
	uint32_t pid;
	bool silent;		  /* the newest token request got no answer, so far */
	uint64_t silent_start_ns; /* when it began to wait */
	uint64_t gave_up_ns;	/* a fallback began while that request was still open: it waited no longer than that */
	uint64_t pause_from_ns; /* end of the wait, or of a fallback that was refused: a pause may follow; 0: none */
	uint64_t pause_max_ns;	/* as long as the newest try took */
	uint64_t counted_start_ns, counted_end_ns;
	uint64_t used_ns;
};

struct row {
	struct pod_stats s;
	struct client clients[CLIENTS];
	uint64_t answered_ns; /* newest answered request */
	uint64_t silent_start_ns; /* start of the newest unanswered token request of the container, 0 after an answered one */
	uint64_t silent_ns;	  /* and when that was last seen waiting */
	uint64_t token_ok_ns;	/* newest answered token request */
	uint64_t running;	/* of the round under way */
	uint64_t other_packets; /* neither TCP nor DNS requests: ICMP, other UDP */
	bool ttl_rewritten;	/* an answer died that by the TTLs seen could not: they tell no hops */
	int died_with_ttl;	/* what token answers had on the node then: more is needed; 0: unknown */
	struct distance {	/* to each endpoint: those of this node are nearer than the service */
		int hops;
		int required;
		int baseline_ttl;
		int ttl_synack;
		enum hops_source source;
	} distances[IMDS_MAX_ENDPOINTS];
	UT_hash_handle hh;
	char key[];
};

struct endpoint_state {
	int baseline_ttl;	 /* SYN-ACK at host-network sockets */
	int token_ttl;		 /* token answer there */
	uint64_t host_silent_ns; /* newest unanswered token request of a host-network socket */
};

/* A local address, whether answers to it died, and whether it is the node's own. */
struct address {
	struct imds_addr addr;
	bool died, host;
};

struct pod_table {
	struct pod_table_options o;
	struct row *rows;
	size_t rows_len;
	uint32_t rows_of[MAKERS];
	struct row *other;
	struct pod_stats gone; /* sums of rows that have left: the totals are since the start */
	size_t gone_rows;
	bool any_running; /* shown, or counted since */
	bool drops_watched;
	uint64_t drops_lost_ns; /* newest moment at which a drop may have been missed */
	struct address addresses[ADDRESSES];
	bool died_behind_nat; /* an answer did before NAT was undone: addressed to the node */
	uint64_t overflowed, stray_ttl_drops, stray_drops;
	struct endpoint_state endpoints[IMDS_MAX_ENDPOINTS];
	const struct pod_stats **sorted; /* of the newest snapshot */
	uint64_t freed;			 /* times that something was that a snapshot may point to */
};

int pod_table_new(const struct pod_table_options *o, struct pod_table **ret_table)
{
	struct pod_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->o = *o;
	*ret_table = t;
	return 0;
}

static void row_free(struct row *r)
{
	struct pod_stats *before;

	if (!r)
		return;
	before = (struct pod_stats *)r->s.before;
	histogram_clear(&r->s.latency);
	counters_free_kinds(&r->s);
	free((char *)r->s.who.namespace);
	if (before)
		counters_free_kinds(before);
	free(before);
	free(r);
}

void pod_table_free(struct pod_table *t)
{
	struct row *r, *tmp;

	if (!t)
		return;
	HASH_ITER (hh, t->rows, r, tmp) {
		HASH_DEL(t->rows, r);
		row_free(r);
	}
	row_free(t->other);
	histogram_clear(&t->gone.latency);
	free(t->sorted);
	free(t);
}

void pod_table_set_drops_watched(struct pod_table *t, bool watched)
{
	t->drops_watched = watched;
}

void pod_table_drops_lost(struct pod_table *t, uint64_t now_ns)
{
	t->drops_lost_ns = now_ns;
}

static struct address *address_place(struct pod_table *t, const struct imds_addr *a)
{
	uint32_t n = (a->w[0] * 31 + a->w[1]) * 31 + a->w[2] * 7 + a->w[3];

	return &t->addresses[(n * 0x9e3779b1u) >> 22];
}

bool pod_table_knows_address(struct pod_table *t, const struct imds_addr *addr)
{
	return !memcmp(&address_place(t, addr)->addr, addr, sizeof(*addr));
}

bool pod_table_knows_deaths(struct pod_table *t, const struct imds_addr *addr)
{
	const struct address *a = address_place(t, addr);

	return pod_table_knows_address(t, addr) && (a->died || (a->host && t->died_behind_nat));
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

static const struct pod_identity nobody = POD_IDENTITY_NOBODY;

static struct row *row_new(const struct pod_identity *who, const char *key)
{
	struct row *r = calloc(1, sizeof(*r) + strlen(key) + 1);

	if (!r)
		return NULL;
	strcpy(r->key, key);
	if (pod_identity_copy(&r->s.who, who)) {
		free(r);
		return NULL;
	}
	r->s.hops = -1;
	for (size_t i = 0; i < IMDS_MAX_ENDPOINTS; i++)
		r->distances[i].hops = -1;
	return r;
}

static struct row *row_other(struct pod_table *t)
{
	if (!t->other) {
		t->other = row_new(&nobody, "");
		if (t->other)
			t->other->s.other = true;
	}
	return t->other;
}

static uint32_t *rows_of(struct pod_table *t, const struct pod_identity *who)
{
	return &t->rows_of[who->maker % MAKERS];
}

static bool is_full(struct pod_table *t, const struct pod_identity *who)
{
	size_t share = t->o.max_pods / SHARE_PART;

	return t->rows_len >= t->o.max_pods ||
	       (who->maker && *rows_of(t, who) >= (share > SHARE_FLOOR ? share : SHARE_FLOOR));
}

/* The container's row; `other` when the table or its maker's share is full; NULL only without memory. */
static struct row *row_get(struct pod_table *t, const struct pod_identity *who)
{
	const char *key = *who->container_id ? who->container_id : who->cgroup;
	struct pod_identity fresh;
	struct row *r;

	HASH_FIND_STR(t->rows, key, r);
	if (r) {
		/* a name that came later (the kubelet made the log folder after the first packet) */
		if ((*who->pod && !*r->s.who.pod) || (*who->container && !*r->s.who.container)) {
			if (!pod_identity_copy(&fresh, who)) {
				free((char *)r->s.who.namespace);
				r->s.who = fresh;
				t->freed++;
			}
		}
		return r;
	}
	if (is_full(t, who))
		return row_other(t);
	r = row_new(who, key);
	if (!r)
		return row_other(t);
	HASH_ADD_STR(t->rows, key, r);
	if (!r->hh.tbl) {
		row_free(r);
		return row_other(t);
	}
	t->rows_len++;
	(*rows_of(t, who))++;
	return r;
}

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

/* --- judging --------------------------------------------------------------------------------------------------------- */

static enum imds_endpoint_class endpoint_class(const struct pod_table *t, unsigned int endpoint)
{
	return endpoint < t->o.endpoints_len ? t->o.endpoints[endpoint].class : IMDS_EP_OTHER;
}

/* It answers on the node itself, with a fresh TTL, and knows no hop limit. */
static bool is_local_class(enum imds_endpoint_class class)
{
	return class == IMDS_EP_ECS || class == IMDS_EP_EKS;
}

static bool is_host(const struct imds_rec_request *rec)
{
	return (rec->req.flags & IMDS_F_NETNS_KNOWN) && (rec->req.flags & IMDS_F_HOST_NETNS);
}

/* What TTLs the service's own packets have on the node: not so if a process here answered in its place, with a fresh TTL. */
static bool speaks_for_node(const struct request *r)
{
	return is_host(&r->rec) && !r->answered_by && !(r->rec.req.flags & IMDS_F_REDIRECTED);
}

static void note_address(struct pod_table *t, const struct request *r)
{
	const struct imds_drop *drop = &r->rec.req.drop;
	const struct imds_addr *local = &r->rec.peer.local;
	struct address *a = address_place(t, local);
	bool died = r->outcome == OUTCOME_HOP_LIMIT || verdict_is_ttl_death(drop, r->drop_reason, r->drop_location);

	if (!r->rec.peer.local_port)
		return;
	if (memcmp(&a->addr, local, sizeof(*local)))
		*a = (struct address){ .addr = *local };
	a->died |= died;
	a->host |= is_host(&r->rec);
	t->died_behind_nat |= died && drop->match == IMDS_MATCH_FINGERPRINT;
}

static bool recent(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns && (now_ns <= then_ns || now_ns - then_ns < RECENT_NS);
}

/* Another row as many hops away or farther got a token lately, or the node itself got none. */
static bool contradicted(const struct pod_table *t, const struct endpoint_state *e, int hops, uint64_t now_ns)
{
	const struct row *r, *tmp;

	if (recent(e->host_silent_ns, now_ns))
		return true;
	HASH_ITER (hh, t->rows, r, tmp)
		if (r->s.hops >= hops && recent(r->token_ok_ns, now_ns))
			return true;
	return false;
}

static struct client *client_get(struct row *row, uint32_t pid, uint64_t now_ns)
{
	struct client *oldest = &row->clients[0];

	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &row->clients[i];

		if (c->pid == pid && c->used_ns) {
			c->used_ns = now_ns;
			return c;
		}
		if (c->used_ns < oldest->used_ns)
			oldest = c;
	}
	*oldest = (struct client){ .pid = pid, .used_ns = now_ns };
	return oldest;
}

/* Where the request's sockets stand: by its own SYN-ACK, by a data answer of a connection older than us, by its row. */
static void find_hops(const struct row *row, const struct endpoint_state *e, struct request *r)
{
	const struct distance *d = &row->distances[r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS];
	const struct imds_request *q = &r->rec.req;

	r->hops = -1;
	r->hops_source = HOPS_UNKNOWN;
	if (is_host(&r->rec)) {
		r->hops = 0;
		r->hops_source = HOPS_FROM_BASELINE;
	} else if (r->rec.ttl_synack) {
		r->hops = verdict_hops(r->rec.ttl_synack, e->baseline_ttl, &r->hops_source);
		r->baseline_ttl = r->hops_source == HOPS_FROM_BASELINE ? e->baseline_ttl : 0;
	} else if (q->ttl_response && q->kind != IMDS_KIND_TOKEN && q->end == IMDS_END_ANSWERED) {
		r->hops = verdict_hops(q->ttl_response, e->baseline_ttl, &r->hops_source);
	} else if (d->hops >= 0) {
		r->hops = d->hops;
		r->hops_source = d->source;
		r->baseline_ttl = d->baseline_ttl;
	}
	r->required_hop_limit = r->hops >= 0 ? r->hops + 1 : 0;
}

/* What its token answers had left before fits the hops: no rule sets TTLs on this way, so the limit was lowered since. */
static bool limit_was_lowered(const struct row *row, const struct endpoint_state *e, const struct request *r)
{
	return r->outcome == OUTCOME_HOP_LIMIT && r->confidence == CONFIDENCE_PROVEN && r->hops > 0 && !row->s.other &&
	       r->hops < e->token_ttl && row->s.ttl_token_response + r->hops == e->token_ttl;
}

/*
 * An answer that died needs more than it had: where TTLs were rewritten behind the forward, arithmetic says less, of this
 * request and of those that come after it. That ends with a death that fits, or when the node's own answers show that
 * what they had was less by then.
 */
static void correct_required(struct row *row, struct endpoint_state *e, struct request *r)
{
	if (limit_was_lowered(row, e, r))
		e->token_ttl = 0;
	if (row->s.other) /* of one of many */
		row->ttl_rewritten = false;
	if (r->outcome == OUTCOME_HOP_LIMIT && r->hops >= 0) {
		row->ttl_rewritten = r->hops == 0 || r->hops < e->token_ttl;
		row->died_with_ttl = row->ttl_rewritten && r->rec.req.kind == IMDS_KIND_TOKEN ? e->token_ttl : 0;
	}
	if (row->ttl_rewritten && r->hops && e->token_ttl < row->died_with_ttl)
		row->ttl_rewritten = false;
	if (!row->ttl_rewritten || is_host(&r->rec))
		return;
	r->hops = -1;
	r->hops_source = HOPS_UNKNOWN;
	r->required_hop_limit = row->died_with_ttl ? row->died_with_ttl + 1 : 0;
}

/* Nothing was lost that this request's verdict rests upon, in its time. */
static bool are_drops_watched(const struct pod_table *t, const struct imds_rec_request *rec)
{
	uint64_t start_ns =
	    rec->connect_call_ns && rec->connect_call_ns < rec->req.start_ns ? rec->connect_call_ns : rec->req.start_ns;

	return t->drops_watched && !(rec->req.flags & IMDS_F_UNFINDABLE) &&
	       (!t->drops_lost_ns || (start_ns && start_ns > t->drops_lost_ns));
}

static void judge(struct pod_table *t, struct row *row, struct request *r, uint64_t now_ns)
{
	unsigned int i = r->rec.peer.endpoint < IMDS_MAX_ENDPOINTS ? r->rec.peer.endpoint : 0;
	struct endpoint_state *e = &t->endpoints[i];
	struct verdict_input in = {
		.rec = &r->rec,
		.endpoint = endpoint_class(t, i),
		.drop_reason = r->drop_reason,
		.drop_location = r->drop_location,
		.drops_watched = are_drops_watched(t, &r->rec),
		.node_token_ttl = e->token_ttl,
		.stall_ns = t->o.stall_ns,
		.now_ns = now_ns,
	};
	struct verdict v;

	if (speaks_for_node(r) && r->rec.ttl_synack)
		e->baseline_ttl = r->rec.ttl_synack;
	find_hops(row, e, r);
	in.hops = r->hops;
	in.others_answered = recent(row->answered_ns, now_ns);
	in.token_contradiction =
	    r->rec.req.kind == IMDS_KIND_TOKEN && !r->rec.req.first_byte_ns && contradicted(t, e, r->hops, now_ns);
	v = verdict_judge(&in);
	r->outcome = v.outcome;
	r->confidence = v.confidence;
	correct_required(row, e, r);
	r->judged_ns = now_ns;
	r->drops_watched = in.drops_watched;
	r->provider = verdict_provider(endpoint_class(t, i), &r->rec.req);
	cause_explain(r);
}

/* True for a request that waited for an answer which never came. */
static bool waited_in_vain(const struct request *r)
{
	if (verdict_is_refused_at_socket(&r->rec.req.drop) && r->rec.req.kind == IMDS_KIND_TOKEN)
		return r->outcome == OUTCOME_BLOCKED || r->outcome == OUTCOME_DROPPED;
	return !r->rec.req.first_byte_ns &&
	       (r->rec.req.kind == IMDS_KIND_TOKEN || r->rec.req.kind == IMDS_KIND_CONNECT_ONLY) &&
	       (r->outcome == OUTCOME_HOP_LIMIT || r->outcome == OUTCOME_NO_RESPONSE || r->outcome == OUTCOME_BLOCKED ||
		r->outcome == OUTCOME_DROPPED);
}

static uint64_t wait_start_ns(const struct imds_rec_request *rec)
{
	if ((rec->req.flags & IMDS_F_FIRST) || rec->req.kind == IMDS_KIND_CONNECT_ONLY)
		return rec->connect_call_ns ? rec->connect_call_ns : rec->syn_ns ? rec->syn_ns : rec->req.start_ns;
	return rec->req.start_ns;
}

/* Adds what of [start, end) was not counted yet. Stretches come in the order of their ends, nearly. */
static void count_wait(struct row *row, struct client *c, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t lost_ns = 0;

	if (end_ns <= start_ns)
		return;
	if (start_ns > c->counted_end_ns) {
		lost_ns = end_ns - start_ns;
		c->counted_start_ns = start_ns;
		c->counted_end_ns = end_ns;
	} else {
		if (start_ns < c->counted_start_ns) {
			lost_ns += c->counted_start_ns - start_ns;
			c->counted_start_ns = start_ns;
		}
		if (end_ns > c->counted_end_ns) {
			lost_ns += end_ns - c->counted_end_ns;
			c->counted_end_ns = end_ns;
		}
	}
	row->s.seconds_lost += lost_ns / 1e9;
}

/* Waited long enough to give up: a request without a token that begins later is what the client fell back to. */
static bool is_after_wait(const struct pod_table *t, uint64_t silent_start_ns, uint64_t start_ns)
{
	return silent_start_ns && start_ns >= silent_start_ns + t->o.stall_ns;
}

/* Fallbacks and lost time: what this request means after what its process saw before. */
static void follow_client(struct pod_table *t, struct row *row, struct request *r, uint64_t now_ns)
{
	struct client *c = client_get(row, r->rec.peer.pid, now_ns);
	uint64_t start_ns = wait_start_ns(&r->rec), end_ns = r->rec.req.end_ns;
	bool token = r->rec.req.kind == IMDS_KIND_TOKEN;
	bool vain = waited_in_vain(r);

	if (r->running) { /* a token request that waits longer than --stall: its client may give up and leave it open */
		if (token && vain && start_ns >= c->silent_start_ns) {
			c->silent = true;
			c->silent_start_ns = start_ns;
			c->gave_up_ns = 0;
			row->silent_start_ns = start_ns;
			row->silent_ns = now_ns;
		}
		return;
	}
	if (r->rec.req.version == IMDS_VERSION_V1) {
		bool same_process = c->silent && r->rec.peer.pid && is_after_wait(t, c->silent_start_ns, start_ns);

		r->fallback = same_process ||
			      (is_after_wait(t, row->silent_start_ns, start_ns) && recent(row->silent_ns, start_ns));
		if (same_process && !c->gave_up_ns && !c->pause_from_ns)
			c->gave_up_ns = start_ns;
	}
	if (c->pause_from_ns && start_ns > c->pause_from_ns && (vain || r->fallback)) {
		if (start_ns - c->pause_from_ns <= c->pause_max_ns)
			count_wait(row, c, c->pause_from_ns, start_ns);
		c->pause_from_ns = 0; /* a pause is counted once */
	}
	if (r->fallback && r->rec.req.status == 401) /* refused: the client asks for a token again, after a while */
		c->pause_from_ns = end_ns;
	if (vain) {
		if (token && c->gave_up_ns > start_ns && c->gave_up_ns < end_ns)
			end_ns = c->gave_up_ns;
		count_wait(row, c, start_ns, end_ns);
		c->pause_from_ns = end_ns;
		c->pause_max_ns = end_ns - start_ns > PAUSE_SHORT_NS ? end_ns - start_ns : PAUSE_SHORT_NS;
		if (c->pause_max_ns > PAUSE_MAX_NS)
			c->pause_max_ns = PAUSE_MAX_NS;
		if (token && start_ns >= c->silent_start_ns) {
			c->silent = true;
			c->silent_start_ns = start_ns;
			c->gave_up_ns = 0;
		}
		if (token) {
			row->silent_start_ns = start_ns;
			row->silent_ns = end_ns;
		}
	} else if (token && r->rec.req.first_byte_ns) {
		c->silent = false;
		c->silent_start_ns = c->gave_up_ns = 0;
		row->silent_start_ns = row->silent_ns = 0;
	}
}

/* --- adding ---------------------------------------------------------------------------------------------------------- */

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

	if (us < 0)
		return;
	histogram_add(&s->latency, us);
	if (kind)
		add_coarse(&kind->latency, us);
	if ((uint64_t)us > slow_ns / 1000)
		s->slow++;
	if (s->recent_len == sizeof(s->recent_us) / sizeof(s->recent_us[0]))
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
	if (version == IMDS_VERSION_V1 && kind == IMDS_KIND_CREDENTIALS && outcome == OUTCOME_OK)
		s->v1_credentials += n;
	if (version == IMDS_VERSION_V2)
		s->v2_requests += n;
	if (kind == IMDS_KIND_TOKEN)
		s->token_requests += n;
}

/* What was answered with an error, so that a report can quote it. */
static void note_error(struct pod_stats *s, const struct request *r)
{
	const struct imds_request *q = &r->rec.req;
	bool forwarded = q->words & IMDS_W_H_FORWARDED;
	struct error_count *e = s->errors;

	for (; e < s->errors + s->errors_len; e++)
		if (e->status == q->status && e->kind == q->kind && e->method == q->method &&
		    e->forwarded == forwarded && !strncmp(e->path, q->path, sizeof(e->path) - 1))
			break;
	if (e == s->errors + POD_STATS_ERRORS)
		return;
	if (e == s->errors + s->errors_len) {
		s->errors_len++;
		*e = (struct error_count){ .status = q->status,
					   .kind = q->kind,
					   .method = q->method,
					   .provider = r->provider,
					   .forwarded = forwarded };
		memcpy(e->path, q->path, sizeof(e->path) - 1);
	}
	e->requests++;
	e->last_ns = q->end_ns;
}

static void note_place(struct pod_stats *s, const struct request *r)
{
	const struct imds_drop *drop = &r->rec.req.drop;
	bool from_endpoint = drop->flags & IMDS_D_FROM_ENDPOINT;
	/* AT_HOME of a tc program's drop may be a port of the node's bridge */
	bool by_tc = !strncmp(r->drop_reason, "TC_", 3);
	uint16_t where = drop->flags & (by_tc ? IMDS_D_FOREIGN : IMDS_D_AT_HOME | IMDS_D_FOREIGN);
	struct drop_note *n = s->notes;

	for (; n < s->notes + s->notes_len; n++)
		if (n->cause == r->cause && n->from_endpoint == from_endpoint && n->where == where &&
		    !strcmp(n->reason, r->drop_reason) && !strcmp(n->location, r->drop_location))
			break;
	if (n == s->notes + POD_STATS_NOTES)
		return;
	if (n == s->notes + s->notes_len) {
		s->notes_len++;
		*n = (struct drop_note){ .cause = r->cause, .from_endpoint = from_endpoint, .where = where };
		snprintf(n->reason, sizeof(n->reason), "%s", r->drop_reason);
		snprintf(n->location, sizeof(n->location), "%s", r->drop_location);
	}
	if (r->rec.to_port)
		request_address(&r->rec.to, r->rec.to_port, n->to, sizeof(n->to));
	n->ttl = drop->ttl;
	n->requests++;
}

/* Its answer came when the client had closed. */
static void note_late(struct pod_stats *s, const struct imds_request *q)
{
	uint64_t waited_us = q->end_ns > q->start_ns ? (q->end_ns - q->start_ns) / 1000 : 0;
	uint64_t took_us = q->last_byte_ns > q->start_ns ? (q->last_byte_ns - q->start_ns) / 1000 : 0;

	s->late_waited_us = waited_us > s->late_waited_us ? waited_us : s->late_waited_us;
	s->late_took_us = took_us > s->late_took_us ? took_us : s->late_took_us;
}

static void note_fate(struct pod_stats *s, const struct request *r, enum imds_endpoint_class class)
{
	const struct imds_request *q = &r->rec.req;
	bool ok = r->outcome == OUTCOME_OK && q->end == IMDS_END_ANSWERED;

	if (q->end == IMDS_END_ANSWERED && q->status >= 400)
		note_error(s, r);
	if ((q->end != IMDS_END_ANSWERED || r->outcome == OUTCOME_BLOCKED || r->outcome == OUTCOME_DROPPED) &&
	    cause_drop_counts(&r->rec))
		note_place(s, r);
	/* a list of roles is no credentials */
	if (q->kind == IMDS_KIND_CREDENTIALS && !(ok && cause_is_role_list(q->path))) {
		s->credentials_requests++;
		s->credentials_ok += ok;
	}
	if (ok) {
		s->providers_ok |= 1u << r->provider;
		s->last_ok_ns = q->end_ns;
	}
	if (verdict_is_failure(r->outcome, q->kind)) {
		s->last_failed_ns = q->end_ns ? q->end_ns : r->judged_ns;
		s->providers_failed |= 1u << r->provider;
		s->endpoints_failed |= 1u << (r->rec.peer.endpoint % 32);
	}
	if (r->rec.ttl_synack && !is_local_class(class)) {
		int ttl = r->rec.ttl_synack;

		s->ttl_low = !s->ttl_low || ttl < s->ttl_low ? ttl : s->ttl_low;
		s->ttl_high = ttl > s->ttl_high ? ttl : s->ttl_high;
	}
	if (r->outcome == OUTCOME_REFUSED) {
		bool rst = q->end == IMDS_END_REFUSED || q->end == IMDS_END_PEER_RST;

		s->refused_by_rst |= rst;
		s->refused_by_icmp |= !rst;
	}
	s->redirected_at_home |= !!(q->flags & IMDS_F_REDIRECTED);
	if (r->answered_by)
		s->answered_by = r->answered_by;
	s->stood_in_for |= r->answered_by && !is_local_class(class);
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

static bool is_farther(const struct pod_table *t, const struct row *row, unsigned int a, unsigned int b)
{
	bool local_a = is_local_class(endpoint_class(t, a)), local_b = is_local_class(endpoint_class(t, b));
	const struct distance *x = &row->distances[a], *y = &row->distances[b];

	if (local_a != local_b)
		return local_b && (x->hops >= 0 || x->required);
	return x->required > y->required;
}

/*
 * The row's distance is that of the endpoint farthest away, for the limit is one for all addresses of the service. What
 * answers on the node itself has no such limit.
 */
static void note_distance(struct pod_table *t, struct row *row, const struct request *r)
{
	unsigned int endpoint = r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS;
	struct distance *d = &row->distances[endpoint];
	const struct distance *far = d;
	struct pod_stats *s = &row->s;

	/* a row that sums others shows the highest */
	if ((r->hops < 0 && !row->ttl_rewritten) || (s->other && r->required_hop_limit < d->required))
		return;
	*d = (struct distance){ r->hops, r->required_hop_limit, r->baseline_ttl,
				r->rec.ttl_synack ? r->rec.ttl_synack : d->ttl_synack, r->hops_source };
	for (unsigned int i = 0; i < IMDS_MAX_ENDPOINTS; i++)
		if (is_farther(t, row, i, far - row->distances))
			far = &row->distances[i];
	s->hops = far->hops;
	s->hops_source = far->source;
	s->required_hop_limit = far->required;
	s->baseline_ttl = far->baseline_ttl;
	if (far->ttl_synack)
		s->ttl_synack = far->ttl_synack;
}

static void note_ttl(struct pod_table *t, struct row *row, const struct request *r)
{
	struct endpoint_state *e = &t->endpoints[r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS];
	const struct imds_request *q = &r->rec.req;
	struct pod_stats *s = &row->s;

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
	note_distance(t, row, r);
	/* any other status may come from a proxy, or be no EC2 service's at all */
	if (speaks_for_node(r) && q->kind == IMDS_KIND_TOKEN && q->ttl_response && q->end == IMDS_END_ANSWERED &&
	    q->status >= 200 && q->status < 300)
		e->token_ttl = q->ttl_response;
	if (s->own_network && e->baseline_ttl && r->rec.ttl_synack >= e->baseline_ttl)
		s->ttl_above_baseline = true;
}

static void add(struct pod_table *t, struct row *row, struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	struct pod_stats *s = &row->s;
	bool answered = q->end == IMDS_END_ANSWERED && (r->outcome == OUTCOME_OK || r->outcome == OUTCOME_HTTP_ERROR);
	struct process_count *p;
	enum imds_status_class status = imds_status_class(q->status);

	count_request(s, q->kind, q->version, r->outcome, 1);
	s->answered += answered;
	s->failed += verdict_is_failure(r->outcome, q->kind);
	/* a poll's 404 is a normal answer, and wants no cause */
	if (r->cause != CAUSE_NONE && (verdict_is_failure(r->outcome, q->kind) || q->status != 404))
		s->causes[r->cause]++;
	s->v1_unauthorized += q->version == IMDS_VERSION_V1 && status == IMDS_STATUS_401;
	note_fate(s, r, endpoint_class(t, r->rec.peer.endpoint));
	if (r->outcome == OUTCOME_HOP_LIMIT)
		s->confidences[r->confidence]++;
	if (r->cause == CAUSE_SLOW) {
		note_late(s, q);
		if (q->kind == IMDS_KIND_TOKEN) /* its answers pass */
			row->token_ok_ns = q->end_ns;
	}
	if (status != IMDS_STATUS_NONE)
		s->responses[status]++;
	if (r->fallback) {
		s->fallbacks++;
		if (answered && q->status < 400) {
			s->fallbacks_answered++;
			s->fallback_answered_us_sum += request_duration_us(r, now_ns);
		}
	}
	if (answered) {
		if (!verdict_is_long_poll(q))
			add_latency(s, r, t->o.slow_ns);
		row->answered_ns = q->end_ns;
		s->v1_answered += q->version == IMDS_VERSION_V1 && is_served(status);
	}
	if (request_connect_us(r) >= 0 && ((q->flags & IMDS_F_FIRST) || q->kind == IMDS_KIND_CONNECT_ONLY))
		add_coarse(&s->connect, request_connect_us(r));
	if (q->kind == IMDS_KIND_TOKEN) {
		if (answered && q->status < 400) {
			s->token_answered++;
			row->token_ok_ns = q->end_ns;
			if (!s->other || s->hop_limit != HOP_LIMIT_EXHAUSTED)
				s->hop_limit = HOP_LIMIT_OK;
		} else if (r->outcome == OUTCOME_HOP_LIMIT) {
			s->hop_limit = HOP_LIMIT_EXHAUSTED;
		}
		if (is_host(&r->rec))
			t->endpoints[r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS].host_silent_ns =
			    !q->first_byte_ns && r->outcome == OUTCOME_NO_RESPONSE ? q->end_ns : 0;
	}
	if (q->kind == IMDS_KIND_CREDENTIALS) {
		enum imds_endpoint_class class = endpoint_class(t, r->rec.peer.endpoint);

		if (is_local_class(class))
			s->uses_pod_identity |= answered && q->status < 400;
		else
			s->needs_credentials = true;
	}
	s->providers |= 1u << r->provider;
	s->endpoints |= 1u << (r->rec.peer.endpoint % 32);
	p = r->rec.peer.comm[0] ? process_get(s, &r->rec.peer) : NULL;
	if (p) {
		p->pid = r->rec.peer.pid;
		p->requests++;
		p->v1_requests += q->version == IMDS_VERSION_V1;
		p->token_unanswered += q->kind == IMDS_KIND_TOKEN && !q->first_byte_ns;
	}
	note_ttl(t, row, r);
	note_drop(s, &q->drop, r->drop_reason, r->drop_location);
	if (!s->first_ns)
		s->first_ns = request_start_ns(r);
	s->last_ns = q->end_ns ? q->end_ns : now_ns;
}

void pod_table_add_request(struct pod_table *t, struct request *r, uint64_t now_ns)
{
	struct row *row = row_get(t, r->who);
	struct imds_request *q = &r->rec.req;

	if (q->kind >= IMDS_KIND_COUNT)
		q->kind = IMDS_KIND_OTHER;
	if (q->version >= IMDS_VERSION_COUNT)
		q->version = IMDS_VERSION_NONE;
	q->path[IMDS_PATH_LEN - 1] = 0;
	if (t->o.redact_paths)
		memset(q->path, 0, sizeof(q->path));
	if (!row) {
		t->overflowed++;
		return;
	}
	judge(t, row, r, now_ns);
	note_address(t, r);
	follow_client(t, row, r, now_ns);
	if (r->running)
		return;
	if (row == t->other)
		t->overflowed++;
	add(t, row, r, now_ns);
}

/* The service acknowledges the client's close with the token's TTL: that dies first, the answer later. */
static bool explains_all(const struct imds_drop *drop)
{
	bool bare_ack = (drop->flags & IMDS_D_FROM_ENDPOINT) && !(drop->flags & (IMDS_D_PAYLOAD | IMDS_D_SYN));

	return drop->ts_ns && !(bare_ack && drop->ttl <= 1);
}

bool pod_table_wants_later(struct pod_table *t, const struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	struct row *row;

	if (q->end == IMDS_END_ANSWERED)
		return verdict_is_refused_at_socket(&q->drop) && now_ns < r->rec.hdr.ts_ns + LATE_DEATH_NS;
	if (t->drops_watched) /* the client left first: the answer may still come, and die */
		return q->kind != IMDS_KIND_CONNECT_ONLY && q->kind != IMDS_KIND_DNS && q->end == IMDS_END_CLOSED &&
		       !q->first_byte_ns && !explains_all(&q->drop) && !(q->flags & IMDS_F_LATE_ANSWER) &&
		       now_ns < r->rec.hdr.ts_ns + LATE_DEATH_NS;
	if (q->kind != IMDS_KIND_TOKEN || q->first_byte_ns || !r->rec.synack_ns)
		return false;
	if (now_ns > r->rec.hdr.ts_ns + LATER_NS)
		return false;
	row = row_get(t, r->who);
	return row && !(row->answered_ns > q->start_ns);
}

void pod_table_add_flow_end(struct pod_table *t, const struct pod_identity *who, const struct imds_rec_flow_end *rec)
{
	struct row *row = row_get(t, who);

	if (!row)
		return;
	/* a token that came after all, only too late: the service is slow, its answers pass */
	if ((rec->flags & IMDS_F_LATE_ANSWER) && rec->last_kind == IMDS_KIND_TOKEN)
		row->token_ok_ns = rec->hdr.ts_ns;
}

void pod_table_add_lost(struct pod_table *t, const struct pod_identity *who, const struct imds_request_key *key,
			uint64_t n, uint64_t now_ns)
{
	struct row *row = row_get(t, who);
	enum outcome outcome;

	if (!row || key->kind >= IMDS_KIND_COUNT || key->version >= IMDS_VERSION_COUNT)
		return;
	if (row == t->other)
		t->overflowed += n;
	outcome = verdict_from_key(key, row->s.hops, t->endpoints[key->endpoint % IMDS_MAX_ENDPOINTS].token_ttl);
	count_request(&row->s, key->kind, key->version, outcome, n);
	if (outcome == OUTCOME_HOP_LIMIT) {
		row->s.confidences[CONFIDENCE_PROVEN] += n;
		row->s.causes[CAUSE_HOP_LIMIT] += n;
		if (key->kind == IMDS_KIND_TOKEN)
			row->s.hop_limit = HOP_LIMIT_EXHAUSTED;
	}
	row->s.answered += key->end == IMDS_END_ANSWERED ? n : 0;
	row->s.failed += verdict_is_failure(outcome, key->kind) ? n : 0;
	row->s.v1_unauthorized += key->version == IMDS_VERSION_V1 && key->status == IMDS_STATUS_401 ? n : 0;
	row->s.v1_answered +=
	    key->version == IMDS_VERSION_V1 && key->end == IMDS_END_ANSWERED && is_served(key->status) ? n : 0;
	if (key->status > IMDS_STATUS_NONE && key->status < IMDS_STATUS_COUNT)
		row->s.responses[key->status] += n;
	row->s.records_lost += n;
	row->s.endpoints |= 1u << (key->endpoint % 32);
	if (!row->s.first_ns)
		row->s.first_ns = now_ns;
	row->s.last_ns = now_ns;
}

void pod_table_add_judged_early(struct pod_table *t, const struct pod_identity *who)
{
	struct row *row = row_get(t, who);

	if (row)
		row->s.judged_early++;
}

void pod_table_add_drops(struct pod_table *t, const struct pod_identity *who, const struct imds_drop_key *key,
			 const char *reason, uint64_t n)
{
	struct imds_drop drop = {
		.ts_ns = 1, /* it happened; counters keep no time */
		.ttl = key->ttl_expired ? 1 : 64,
		.flags = key->from_endpoint ? IMDS_D_FROM_ENDPOINT : 0,
	};
	struct row *row = who ? row_get(t, who) : NULL;
	bool expired = key->from_endpoint && key->ttl_expired;

	if (!row) {
		if (expired)
			t->stray_ttl_drops += n;
		else
			t->stray_drops += n;
		return;
	}
	if (!*reason) { /* before 5.17 the place is all there is, and counters do not keep it */
		reason = expired && *row->s.drop_location ? row->s.drop_location : expired ? "ttl-expired" : "unknown";
		row->s.hop_limit_drops += expired ? n : 0;
	} else if (expired && verdict_is_ttl_death(&drop, reason, "")) {
		row->s.hop_limit_drops += n;
	} else if (verdict_is_policy_drop(&drop, reason, "")) {
		row->s.policy_drops += n;
	}
	counters_add_drop(&row->s, reason, n);
}

void pod_table_add_packets(struct pod_table *t, const struct pod_identity *who, const struct imds_packet_counters *more,
			   uint64_t now_ns)
{
	struct row *row = row_get(t, who);

	if (!row)
		return;
	for (int d = 0; d < IMDS_DIRECTION_COUNT; d++) {
		for (int p = 0; p < IMDS_PROTO_COUNT; p++) {
			row->s.packets[d] += more->packets[d][p];
			row->other_packets += p == IMDS_PROTO_TCP ? 0 : more->packets[d][p];
		}
		row->s.bytes[d] += more->bytes[d];
	}
	row->s.untracked += more->untracked;
	if (!row->s.first_ns)
		row->s.first_ns = now_ns;
	row->s.last_ns = now_ns;
}

void pod_table_show_running(struct pod_table *t)
{
	struct row *r, *tmp;

	if (!t->any_running)
		return;
	t->any_running = false;
	HASH_ITER (hh, t->rows, r, tmp) {
		r->s.in_flight = r->running;
		r->running = 0;
		t->any_running |= r->s.in_flight != 0;
	}
	if (t->other) {
		t->other->s.in_flight = t->other->running;
		t->other->running = 0;
		t->any_running |= t->other->s.in_flight != 0;
	}
}

void pod_table_add_running(struct pod_table *t, const struct pod_identity *who)
{
	struct row *row = row_get(t, who);

	if (!row)
		return;
	row->running++;
	t->any_running = true;
}

static bool same_container(const struct pod_identity *a, const struct pod_identity *b)
{
	return *a->pod && !strcmp(a->namespace, b->namespace) && !strcmp(a->pod, b->pod) &&
	       !strcmp(a->container, b->container);
}

/* A container that was started again: the older one's sums go on with the younger one, whose series has its name. */
static void hand_over(struct pod_table *t, const struct row *gone)
{
	struct pod_stats *sum;
	struct row *r, *tmp;

	HASH_ITER (hh, t->rows, r, tmp) {
		if (!same_container(&r->s.who, &gone->s.who))
			continue;
		sum = (struct pod_stats *)r->s.before;
		if (!sum)
			sum = calloc(1, sizeof(*sum));
		if (!sum)
			return;
		counters_add(sum, &gone->s);
		if (gone->s.before)
			counters_add(sum, gone->s.before);
		r->s.before = sum;
		return;
	}
}

void pod_table_expire(struct pod_table *t, uint64_t now_ns, uint64_t keep_ns,
		      bool (*alive)(void *arg, uint64_t cgroup_id), void *arg)
{
	struct row *r, *tmp;

	if (!keep_ns)
		return;
	HASH_ITER (hh, t->rows, r, tmp) {
		if (r->s.in_flight || now_ns < r->s.last_ns + keep_ns || alive(arg, r->s.who.cgroup_id))
			continue;
		HASH_DEL(t->rows, r);
		t->rows_len--;
		(*rows_of(t, &r->s.who))--;
		counters_add_totals(&t->gone, &r->s);
		t->gone_rows += r->s.requests > 0;
		hand_over(t, r);
		row_free(r);
		t->freed++;
	}
}

/* --- snapshot -------------------------------------------------------------------------------------------------------- */

static uint64_t badness(const struct pod_stats *s)
{
	uint64_t bad = 0;

	for (int i = 0; i < OUTCOME_COUNT; i++)
		bad += i == OUTCOME_OK || i == OUTCOME_HTTP_ERROR || i == OUTCOME_ABORTED ? 0 : s->outcomes[i];
	return bad;
}

int pod_table_worse(const void *a, const void *b)
{
	const struct pod_stats *x = *(const struct pod_stats *const *)a, *y = *(const struct pod_stats *const *)b;
	uint64_t p, q;
	int c;

#define BY(expr_x, expr_y)                                   \
	do {                                                 \
		if ((expr_x) != (expr_y))                    \
			return (expr_x) > (expr_y) ? -1 : 1; \
	} while (0)
	BY(!x->other, !y->other);
	BY(x->outcomes[OUTCOME_HOP_LIMIT], y->outcomes[OUTCOME_HOP_LIMIT]);
	BY(x->seconds_lost, y->seconds_lost);
	BY(badness(x), badness(y));
	BY(x->in_flight, y->in_flight);
	BY(x->outcomes[OUTCOME_HTTP_ERROR], y->outcomes[OUTCOME_HTTP_ERROR]);
	p = histogram_quantile_us(&x->latency, 0.99);
	q = histogram_quantile_us(&y->latency, 0.99);
	BY(p, q);
	BY(x->requests, y->requests);
#undef BY
	c = strcmp(x->who.namespace, y->who.namespace);
	c = c ? c : strcmp(x->who.pod, y->who.pod);
	c = c ? c : strcmp(x->who.container, y->who.container);
	return c ? c : strcmp(x->who.cgroup, y->who.cgroup);
}

int pod_table_snapshot(struct pod_table *t, struct snapshot *s)
{
	size_t n = 0, max = t->rows_len + 1;
	struct row *r, *tmp;

	free(t->sorted);
	t->sorted = calloc(max, sizeof(*t->sorted));
	if (!t->sorted)
		return -ENOMEM;
	histogram_clear(&s->totals.latency);
	memset(&s->totals, 0, sizeof(s->totals));
	s->totals.who = nobody;
	s->totals.hops = -1;
	HASH_ITER (hh, t->rows, r, tmp) {
		/* the last packets of a connection older than us are no reason for a row */
		if (!r->s.requests && !r->s.in_flight && !r->other_packets && !r->s.untracked)
			continue;
		t->sorted[n++] = &r->s;
	}
	if (t->other)
		t->sorted[n++] = &t->other->s;
	for (size_t i = 0; i < n; i++)
		counters_add_totals(&s->totals, t->sorted[i]);
	counters_add_totals(&s->totals, &t->gone);
	qsort(t->sorted, n, sizeof(*t->sorted), pod_table_worse);
	s->gone = t->gone_rows ? &t->gone : NULL;
	s->gone_rows = t->gone_rows;
	s->pods = t->sorted;
	s->pods_len = n;
	s->drops_watched = t->drops_watched;
	s->baseline_ttl = 0;
	s->node_token_ttl = 0;
	for (size_t i = 0; i < t->o.endpoints_len && i < IMDS_MAX_ENDPOINTS; i++) {
		if (is_local_class(t->o.endpoints[i].class))
			continue;
		if (!s->baseline_ttl)
			s->baseline_ttl = t->endpoints[i].baseline_ttl;
		if (!s->node_token_ttl)
			s->node_token_ttl = t->endpoints[i].token_ttl;
	}
	s->slow_us = t->o.slow_ns / 1000;
	return 0;
}

uint64_t pod_table_freed(const struct pod_table *t)
{
	return t->freed;
}

void pod_table_get_stats(const struct pod_table *t, struct pod_table_stats *ret_stats)
{
	*ret_stats = (struct pod_table_stats){
		.rows = t->rows_len,
		.limit = t->o.max_pods,
		.overflowed = t->overflowed,
		.stray_ttl_drops = t->stray_ttl_drops,
		.stray_drops = t->stray_drops,
	};
}

#define ROW_NAMES 1024
#define ROW_STEPS (4u << 10) /* of the latencies that it has */

size_t pod_table_row_bytes(void)
{
	return sizeof(struct row) + ROW_NAMES + IMDS_KIND_COUNT * sizeof(struct kind_stats) + ROW_STEPS;
}
