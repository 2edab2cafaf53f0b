/* SPDX-License-Identifier: GPL-2.0-only */
#include "pod_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "../../bpf/http_scan.h"
#include "cause.h"
#include "counters.h"
#include "distances.h"
#include "pod_stats.h"
#include "verdict.h"
#include "waits.h"

#define LATER_NS (2ull * 1000000000) /* how long a silent token request is held back without a drop hook */
/* How long a request whose client left before the answer waits for the death of that answer. */
#define LATE_DEATH_NS (4ull * 1000000000)
/* How long one that was refused there waits for its client to leave: how long that waited is known then. */
#define REFUSED_NS (12ull * 1000000000)
#define ADDRESSES 1024 /* local addresses of watched sockets that are remembered, newest first */
#define SHARE_PART 8   /* of the rows, what one maker of cgroups may have */
#define SHARE_FLOOR 32 /* but so many at least */

/* Who makes cgroups, and how many rows are of such. There are no more of them than rows. */
struct maker {
	uint64_t number;
	size_t rows;
	UT_hash_handle hh;
};

struct row {
	struct pod_stats s;
	struct waits waits;
	struct distances distances;
	uint64_t answered_ns;	/* newest answered request */
	uint64_t token_ok_ns;	/* newest answered token request */
	uint64_t tc_policy_ns;	/* newest healthy answer that a tc program dropped */
	uint64_t running;	/* of the round under way */
	uint64_t other_packets; /* neither TCP nor DNS requests: ICMP, other UDP */
	bool deaths_seen;	/* an answer died, packet and place: on its way that shows */
	struct maker *maker;	/* as known when the row was made; NULL: it was not */
	UT_hash_handle hh;
	char key[];
};

/* A local address, whether answers to it died, and whether it is the node's own. */
struct address {
	struct imds_addr addr;
	bool died, host, got_token;
};

struct pod_table {
	struct pod_table_options o;
	uint32_t local; /* endpoints that answer on this node, as bits */
	struct row *rows;
	size_t rows_len;
	struct maker *makers;
	struct row *other;
	struct pod_stats gone; /* sums of rows that have left: the totals are since the start */
	size_t gone_rows;
	bool any_running; /* shown, or counted since */
	bool drops_watched;
	uint64_t drops_lost_ns; /* newest moment at which a drop may have been missed */
	struct address addresses[ADDRESSES];
	bool died_behind_nat; /* an answer did before NAT was undone: addressed to the node */
	uint64_t overflowed, stray_ttl_drops, stray_drops;
	uint64_t host_silent_ns[IMDS_MAX_ENDPOINTS]; /* newest unanswered token request of a host-network socket */
	struct endpoint_ttl endpoints[IMDS_MAX_ENDPOINTS];
	const struct pod_stats **sorted; /* of the newest snapshot */
	uint64_t freed;			 /* times that something was that a snapshot may point to */
};

/* A place in the share of the row's maker; false: it has none left, or there is no memory. Given back by maker_leave(). */
static bool maker_enter(struct pod_table *t, uint64_t number, struct maker **ret)
{
	size_t share = t->o.max_pods / SHARE_PART;
	struct maker *m = NULL;

	*ret = NULL;
	if (!number)
		return true;
	HASH_FIND(hh, t->makers, &number, sizeof(number), m);
	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m)
			return false;
		m->number = number;
		HASH_ADD(hh, t->makers, number, sizeof(number), m);
		if (!HASH_ADDED(m))
			return false;
	}
	if (m->rows >= (share > SHARE_FLOOR ? share : SHARE_FLOOR))
		return false;
	m->rows++;
	*ret = m;
	return true;
}

static void maker_leave(struct pod_table *t, struct maker *m)
{
	if (!m || --m->rows)
		return;
	HASH_DEL(t->makers, m);
	free(m);
}

int pod_table_new(const struct pod_table_options *o, struct pod_table **ret_table)
{
	struct pod_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->o = *o;
	for (size_t i = 0; i < o->endpoints_len && i < IMDS_MAX_ENDPOINTS; i++)
		t->local |= (uint32_t)verdict_is_local(o->endpoints[i].class) << i;
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
		maker_leave(t, r->maker);
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

static bool knows_address(struct pod_table *t, const struct imds_addr *addr)
{
	return !memcmp(&address_place(t, addr)->addr, addr, sizeof(*addr));
}

bool pod_table_gets_tokens(struct pod_table *t, const struct imds_addr *addr)
{
	return knows_address(t, addr) && address_place(t, addr)->got_token;
}

bool pod_table_knows_deaths(struct pod_table *t, const struct imds_addr *addr)
{
	const struct address *a = address_place(t, addr);

	return knows_address(t, addr) && (a->died || (a->host && t->died_behind_nat));
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
		r->distances.to[i].hops = -1;
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

/* The container's row; `other` when the table or its maker's share is full; NULL only without memory. */
static struct row *row_get(struct pod_table *t, const struct pod_identity *who)
{
	const char *key = *who->container_id ? who->container_id : who->cgroup;
	struct pod_identity fresh;
	struct maker *maker;
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
	if (t->rows_len >= t->o.max_pods || !maker_enter(t, who->maker, &maker))
		return row_other(t);
	r = row_new(who, key);
	if (r) {
		HASH_ADD_STR(t->rows, key, r);
		if (r->hh.tbl) {
			r->maker = maker;
			t->rows_len++;
			return r;
		}
		row_free(r);
	}
	maker_leave(t, maker);
	return row_other(t);
}

/* --- judging --------------------------------------------------------------------------------------------------------- */

static enum imds_endpoint_class endpoint_class(const struct pod_table *t, unsigned int endpoint)
{
	return endpoint < t->o.endpoints_len ? t->o.endpoints[endpoint].class : IMDS_EP_OTHER;
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
	a->got_token |= r->rec.req.kind == IMDS_KIND_TOKEN && r->outcome == OUTCOME_OK;
	a->host |= request_is_host(&r->rec);
	t->died_behind_nat |= died && drop->match == IMDS_MATCH_FINGERPRINT;
}

/* Another row as many hops away or farther got a token lately, or the node itself got none. */
static bool contradicted(const struct pod_table *t, unsigned int endpoint, int hops, uint64_t now_ns)
{
	const struct row *r, *tmp;

	if (request_is_recent(t->host_silent_ns[endpoint], now_ns))
		return true;
	HASH_ITER (hh, t->rows, r, tmp)
		if (r->s.hops >= hops && request_is_recent(r->token_ok_ns, now_ns))
			return true;
	return false;
}

/* Nothing was lost that this request's verdict rests upon, in its time. */
static bool are_drops_watched(const struct pod_table *t, const struct imds_rec_request *rec)
{
	uint64_t start_ns =
	    rec->connect_call_ns && rec->connect_call_ns < rec->req.start_ns ? rec->connect_call_ns : rec->req.start_ns;

	return t->drops_watched && !(rec->req.flags & IMDS_F_UNFINDABLE) &&
	       (!t->drops_lost_ns || (start_ns && start_ns > t->drops_lost_ns));
}

/* The addresses of one service have one limit. */
static int service_token_ttl(const struct pod_table *t)
{
	int ttl = 0;

	for (unsigned int i = 0; i < IMDS_MAX_ENDPOINTS; i++)
		if (!(t->local >> i & 1) && t->endpoints[i].token_ttl > ttl)
			ttl = t->endpoints[i].token_ttl;
	return ttl;
}

/* The limit may have been changed between what the node learned long before, or since, and this request. */
static bool is_ttl_of_then(const struct endpoint_ttl *e, const struct imds_request *q, uint64_t now_ns)
{
	return request_is_recent(e->token_ttl_ns, q->start_ns) && e->token_ttl_ns <= (q->end_ns ? q->end_ns : now_ns);
}

static void judge(struct pod_table *t, struct row *row, struct request *r, uint64_t now_ns)
{
	unsigned int i = r->rec.peer.endpoint < IMDS_MAX_ENDPOINTS ? r->rec.peer.endpoint : 0;
	struct endpoint_ttl *e = &t->endpoints[i];
	struct verdict_input in = {
		.rec = &r->rec,
		.endpoint = endpoint_class(t, i),
		.drop_reason = r->drop_reason,
		.drop_location = r->drop_location,
		.drops_watched = are_drops_watched(t, &r->rec),
		.tc_is_policy = row->tc_policy_ns > row->answered_ns,
		.deaths_seen = row->deaths_seen,
		.node_token_ttl = e->token_ttl,
		.node_ttl_is_other = !is_ttl_of_then(e, &r->rec.req, now_ns),
		.service_token_ttl = service_token_ttl(t),
		.stall_ns = t->o.stall_ns,
		.now_ns = now_ns,
	};
	struct verdict v;

	distances_find(&row->distances, e, r);
	in.hops = r->hops;
	in.others_answered = request_is_recent(row->answered_ns, now_ns);
	in.token_contradiction =
	    r->rec.req.kind == IMDS_KIND_TOKEN && !r->rec.req.first_byte_ns && contradicted(t, i, r->hops, now_ns);
	v = verdict_judge(&in);
	r->outcome = v.outcome;
	r->confidence = v.confidence;
	row->deaths_seen |= v.confidence == CONFIDENCE_PROVEN;
	if (verdict_is_tc_policy(&r->rec.req.drop, r->drop_reason, r->drop_location))
		row->tc_policy_ns = r->rec.req.drop.ts_ns;
	distances_correct(&row->distances, &row->s, e, r);
	r->judged_ns = now_ns;
	r->drops_watched = in.drops_watched;
	r->provider = verdict_provider(endpoint_class(t, i), &r->rec.req);
	cause_explain(r);
}

/* --- adding ---------------------------------------------------------------------------------------------------------- */

static void add(struct pod_table *t, struct row *row, const struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	unsigned int endpoint = r->rec.peer.endpoint % IMDS_MAX_ENDPOINTS;
	bool answered = request_is_answered(r);

	pod_stats_add(&row->s, r, endpoint_class(t, r->rec.peer.endpoint), t->o.slow_ns, now_ns);
	distances_note(&row->distances, &row->s, &t->endpoints[endpoint], t->local, r);
	if (answered)
		row->answered_ns = q->end_ns;
	if (q->kind != IMDS_KIND_TOKEN)
		return;
	if (((answered && !verdict_is_error(q)) || r->cause == CAUSE_SLOW) && request_is_of_service(r)) /* its answers pass */
		row->token_ok_ns = q->end_ns;
	if (request_is_host(&r->rec))
		t->host_silent_ns[endpoint] = !q->first_byte_ns && r->outcome == OUTCOME_NO_RESPONSE ? q->end_ns : 0;
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
	row->s.seconds_lost += waits_follow(&row->waits, r, t->o.stall_ns, now_ns);
	if (r->running)
		return;
	if (row == t->other)
		t->overflowed++;
	add(t, row, r, now_ns);
}

/* The service acknowledges the client's close with the token's TTL: that dies first, the answer later. */
static bool explains_all(const struct imds_rec_request *rec)
{
	const struct imds_drop *drop = &rec->req.drop;
	bool bare_ack = (drop->flags & IMDS_D_FROM_ENDPOINT) && !(drop->flags & (IMDS_D_PAYLOAD | IMDS_D_SYN));

	return cause_drop_counts(rec) && !(bare_ack && drop->ttl <= 1);
}

bool pod_table_wants_later(struct pod_table *t, const struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	struct row *row;

	if (q->end == IMDS_END_ANSWERED)
		return verdict_is_refused_at_socket(&q->drop) && q->end_ns <= r->rec.hdr.ts_ns &&
		       now_ns < r->rec.hdr.ts_ns + REFUSED_NS;
	if (t->drops_watched) /* the client left first: the answer may still come, and die; its SYN may wait for a neighbour */
		return q->kind != IMDS_KIND_DNS && (q->kind != IMDS_KIND_CONNECT_ONLY || request_syn_is_out(&r->rec)) &&
		       q->end == IMDS_END_CLOSED && !q->first_byte_ns && !explains_all(&r->rec) &&
		       !(q->flags & IMDS_F_LATE_ANSWER) && now_ns < r->rec.hdr.ts_ns + LATE_DEATH_NS;
	if (q->kind != IMDS_KIND_TOKEN || q->first_byte_ns || !r->rec.synack_ns)
		return false;
	if (now_ns > r->rec.hdr.ts_ns + LATER_NS)
		return false;
	row = row_get(t, r->who);
	return row && !(row->answered_ns > q->start_ns);
}

void pod_table_add_late_answer(struct pod_table *t, const struct pod_identity *who, bool died)
{
	struct row *row = row_get(t, who);

	if (row && row->s.late_after + row->s.late_died < row->s.silences[SILENCE_UNANSWERED])
		(*(died && row->s.hops ? &row->s.late_died : &row->s.late_after))++;
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
	pod_stats_add_lost(&row->s, key, outcome, n);
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
		maker_leave(t, r->maker);
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
	bool differ = false;

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
		r->s.node_ttl = t->endpoints[r->distances.far].baseline_ttl;
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
		const struct endpoint_ttl *e = &t->endpoints[i];

		if (t->local >> i & 1)
			continue;
		if (!s->baseline_ttl)
			s->baseline_ttl = e->baseline_ttl;
		differ |= e->token_ttl && s->node_token_ttl && e->token_ttl != s->node_token_ttl;
		if (!s->node_token_ttl)
			s->node_token_ttl = e->token_ttl;
	}
	if (differ)
		s->node_token_ttl = 0;
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
