/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections found by their tuples, and requests, which are held for a while after their end: deaths may come late. */
#include "capture_flow.h"

#include <stdlib.h>
#include <string.h>

#define SEQ_WINDOW (1u << 20)
#define HOLD_NS 10000000000ull /* after its end a request still learns of deaths, which another clock may tell later */

/* Whoever made the capture does not know the factors, and so not what falls into one bucket. */
static uint32_t tuple_bucket(const struct capture_flows *c, const struct tuple *t)
{
	return (t->local.d[0] * c->factors[0] + t->local.d[1] * c->factors[1] + t->remote.d[0] * c->factors[2] +
		t->remote.d[1] * c->factors[3] + ((uint64_t)t->local_port << 16 | t->remote_port) * c->factors[4]) >>
	       48;
}

static uint32_t isn_bucket(const struct capture_flows *c, uint32_t isn, uint16_t remote_port)
{
	return (((uint64_t)isn << 16 | remote_port) * c->factors[5]) >> 48;
}

/* Whether the numbers of a segment can be of this connection. */
static bool fits(const struct flow *f, const struct segment *s, bool from_client)
{
	uint32_t number = from_client ? s->seq : s->ack;

	if ((s->flags & (SEGMENT_SYN | SEGMENT_ACK)) == SEGMENT_SYN)
		return s->seq == f->isn;
	return number - f->isn <= f->snd_nxt - f->isn + SEQ_WINDOW;
}

struct flow *flow_find(const struct capture_flows *c, const struct tuple *t, const struct segment *s, bool from_client)
{
	struct flow *newest = NULL;

	for (struct name *n = c->names[tuple_bucket(c, t)]; n; n = n->next) {
		if (memcmp(&n->tuple, t, sizeof(*t)))
			continue;
		if (fits(n->flow, s, from_client))
			return n->flow;
		newest = newest ? newest : n->flow;
	}
	return newest;
}

struct flow *flow_find_isn(const struct capture_flows *c, uint32_t isn, const struct tuple *t)
{
	for (struct flow *f = c->isns[isn_bucket(c, isn, t->remote_port)]; f; f = f->isn_next)
		if (f->isn == isn && f->peer.remote_port == t->remote_port &&
		    !memcmp(&f->peer.remote, &t->remote, sizeof(t->remote)))
			return f;
	return NULL;
}

const struct gone *flow_find_gone(const struct capture_flows *c, uint32_t isn, const struct tuple *t)
{
	const struct gone *g = &c->gone[isn_bucket(c, isn, t->remote_port)];

	return g->known && g->isn == isn && g->remote_port == t->remote_port ? g : NULL;
}

void flow_add_name(struct capture_flows *c, struct flow *f, const struct tuple *t)
{
	struct name **bucket = &c->names[tuple_bucket(c, t)];

	for (int i = 0; i < NAMES; i++) {
		if (f->names[i].flow)
			continue;
		f->names[i] = (struct name){ *t, f, *bucket };
		*bucket = &f->names[i];
		return;
	}
}

static void unlink_flow(struct capture_flows *c, struct flow *f)
{
	*(f->older ? &f->older->newer : &c->oldest) = f->newer;
	*(f->newer ? &f->newer->older : &c->newest) = f->older;
	f->older = f->newer = NULL;
}

static void make_newest(struct capture_flows *c, struct flow *f)
{
	f->older = c->newest;
	f->newer = NULL;
	*(c->newest ? &c->newest->newer : &c->oldest) = f;
	c->newest = f;
}

void flow_make_newest(struct capture_flows *c, struct flow *f)
{
	unlink_flow(c, f);
	make_newest(c, f);
}

void flow_forget(struct capture_flows *c, struct flow *f)
{
	for (int i = 0; i < NAMES; i++) {
		struct name **n = &c->names[tuple_bucket(c, &f->names[i].tuple)];

		if (!f->names[i].flow)
			continue;
		while (*n != &f->names[i])
			n = &(*n)->next;
		*n = f->names[i].next;
	}
	for (struct flow **n = &c->isns[isn_bucket(c, f->isn, f->peer.remote_port)]; *n; n = &(*n)->isn_next)
		if (*n == f) {
			*n = f->isn_next;
			break;
		}
	if (f->flags & IMDS_F_SYN_SEEN)
		c->gone[isn_bucket(c, f->isn, f->peer.remote_port)] =
		    (struct gone){ f->isn, f->peer.remote_port, true, f->failed };
	unlink_flow(c, f);
	free(f);
	c->len--;
}

struct flow *flow_new(struct capture_flows *c, const struct tuple *t, const struct segment *s, uint8_t endpoint)
{
	struct flow *f;

	if (c->len == CAPTURE_FLOWS_MAX) {
		c->stats.evicted += !c->oldest->closed;
		flow_give_up(c, c->oldest);
		flow_forget(c, c->oldest);
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->peer = (struct imds_peer){ .cookie = ++c->serial,
				      .local = t->local,
				      .remote = t->remote,
				      .local_port = t->local_port,
				      .remote_port = t->remote_port,
				      .proto = 6,
				      .family = s->family,
				      .endpoint = endpoint };
	f->isn = s->seq;
	if (s->flags & SEGMENT_SYN) {
		f->isn_next = c->isns[isn_bucket(c, f->isn, f->peer.remote_port)];
		c->isns[isn_bucket(c, f->isn, f->peer.remote_port)] = f;
	}
	flow_add_name(c, f, t);
	make_newest(c, f);
	c->len++;
	return f;
}

struct held *flow_held(struct capture_flows *c, const struct flow *f)
{
	return f->held >= c->held_first && f->held < c->held_next ? &c->held[f->held % CAPTURE_HELD_MAX] : NULL;
}

/*
 * Whether the capture does not show what became of it: one direction alone was captured, packets were lost, or it ended.
 * Nobody said that an answer came: where it took long, the client may have left before.
 */
static bool is_unseen(const struct capture_flows *c, const struct held *h, bool ended)
{
	const struct imds_request *q = &h->rec.req;
	bool recent = ended && h->at_ns + UNTAKEN_NS > c->now_ns;

	if (h->late && !h->acked && !h->untaken && !h->gone && !h->retransmitted)
		return true;
	if (q->end != IMDS_END_ANSWERED)
		return h->unseen || ((!h->waited || h->begun_in_gap) && !h->evidence.dies);
	if (h->late || h->acked || h->untaken || h->retransmitted)
		return false;
	return h->gone || h->begun_in_gap || (recent ? !h->confirmed : q->first_byte_ns > q->sent_ns + c->o.stall_ns);
}

static void release_first(struct capture_flows *c, bool ended)
{
	struct held *h = &c->held[c->held_first++ % CAPTURE_HELD_MAX];
	struct imds_request *q = &h->rec.req;

	if (is_unseen(c, h, ended)) {
		c->stats.answers_unseen++;
		return;
	}
	/* seen on its way, sent again and again, and never acknowledged: the client did not get it */
	if (q->end == IMDS_END_ANSWERED &&
	    (h->late || h->untaken ? !h->acked : h->client_seen && !h->acked && h->retransmitted)) {
		q->end = h->fin_ns ? IMDS_END_CLOSED : IMDS_END_EXPIRED;
		q->end_ns = h->fin_ns ? h->fin_ns : c->now_ns;
		q->first_byte_ns = q->last_byte_ns = 0;
		q->status = 0;
		q->ttl_response = 0;
		q->bytes_in = 0;
		h->confirmed &= h->late;
	}
	if (q->end == IMDS_END_ANSWERED && h->doubtful && !h->confirmed) {
		c->stats.orphans++;
		return;
	}
	/* the client had left when it came: slow, but it got through */
	if (q->end != IMDS_END_ANSWERED && (h->confirmed || h->gone) && !h->untaken)
		q->flags |= IMDS_F_LATE_ANSWER;
	c->stats.status_cut += q->end == IMDS_END_ANSWERED && !q->status && h->cut;
	c->o.on_request(c->o.arg, &h->rec, &h->evidence);
}

void flow_release(struct capture_flows *c, bool all)
{
	while (c->held_first < c->held_next &&
	       (all || c->held[c->held_first % CAPTURE_HELD_MAX].at_ns + HOLD_NS < c->now_ns ||
		c->held_next - c->held_first == CAPTURE_HELD_MAX))
		release_first(c, all);
}

/* What is known of the flow's deaths, into a request that had no answer. */
static void take_evidence(const struct flow *f, struct imds_request *q, struct capture_evidence *e)
{
	bool behind = false;

	e->rejected = f->rejected;
	for (int i = 0; i < f->points_len; i++)
		behind |= f->deaths && f->points[i].depth < f->dead_depth && !f->points[i].answer;
	e->dies = f->deaths != 0;
	e->told = f->told;
	e->recorded = f->recorded;
	e->missing_behind = behind;
	/* silence shows a death only where the client had to send again: else the capture may lack what came */
	e->watched = f->fin_acked || !(f->fin_resent || q->retransmits);
	for (int i = 0; i < f->points_len; i++)
		e->watched |= f->points[i].depth > 0;
	if (!f->deaths)
		return;
	q->drops = f->deaths;
	q->drop = (struct imds_drop){ .ts_ns = f->death_ns, .ttl = 1, .match = IMDS_MATCH_TUPLE };
	/* of an answer that did not arrive there are more copies: seen once, the capture may lack what came of it */
	q->drop.flags = IMDS_D_FROM_ENDPOINT | IMDS_D_EXPECTED_SEQ | (f->dead_again ? IMDS_D_FORWARD : 0) |
			(f->dead_payload ? IMDS_D_PAYLOAD : 0) | (q->kind == IMDS_KIND_TOKEN ? IMDS_D_WAITING_TOKEN : 0);
}

bool flow_answer_unseen(const struct flow *f)
{
	if (f->base_unknown && !f->has_rcv)
		return true;
	return f->has_ack && (int32_t)(f->client_ack - (f->has_rcv ? f->rcv_nxt : f->ack_base)) > 1;
}

void flow_finish(struct capture_flows *c, struct flow *f, struct imds_request *q, enum imds_end end, uint64_t now)
{
	struct held *h;
	bool late;

	flow_release(c, false);
	q->end = end;
	q->end_ns = now;
	q->flags |= f->flags;
	h = f->revived ? flow_held(c, f) : NULL;
	late = h != NULL;
	if (f->revived && !late) { /* told already, as not answered */
		f->revived = false;
		return;
	}
	if (!late)
		h = &c->held[c->held_next % CAPTURE_HELD_MAX];
	*h = (struct held){ .at_ns = now,
			    .late = late,
			    .fin_ns = f->fin ? f->fin_ns : 0,
			    .answer_end = f->rcv_nxt,
			    .client_seen = f->client_seen };
	h->unseen = flow_answer_unseen(f);
	/* an end that is none of the client's packets needs a sign that it waited: sent again, or told later that it has nothing */
	h->waited = (end != IMDS_END_EXPIRED && end != IMDS_END_REUSED) || q->retransmits || f->waits ||
		    (q->kind == IMDS_KIND_CONNECT_ONLY && (f->syn_retransmits || c->stats.of_service));
	h->begun_in_gap = f->begun_in_gap;
	h->evidence.alone = q->kind == IMDS_KIND_CONNECT_ONLY && !f->synack_ns && !f->syn_retransmits &&
			    (end == IMDS_END_EXPIRED || end == IMDS_END_REUSED);
	f->failed |= end != IMDS_END_ANSWERED;
	h->cut = f->answer_cut;
	f->answer_cut = false;
	h->doubtful = f->doubtful;
	h->retransmitted = f->answer_retransmits > 0;
	h->gone = f->left && end == IMDS_END_ANSWERED;
	/* the client's own place saw it */
	for (int i = 0; end == IMDS_END_ANSWERED && i < f->points_len; i++)
		h->confirmed |= f->points[i].answer && !f->points[i].depth;
	h->evidence.routers = f->nearest;
	h->evidence.outer = f->names[1].tuple.local;
	if (end != IMDS_END_ANSWERED)
		take_evidence(f, q, &h->evidence);
	h->rec = (struct imds_rec_request){
		.hdr = { .type = IMDS_REC_REQUEST, .len = sizeof(h->rec), .ts_ns = now },
		.peer = f->peer,
		.syn_ns = f->syn_ns,
		.synack_ns = f->synack_ns,
		.ttl_synack = f->ttl_synack,
		.syn_retransmits = f->syn_retransmits,
		.req = *q,
	};
	if (!late)
		f->held = c->held_next++;
	f->revived = false;
	if (end == IMDS_END_ANSWERED) {
		for (int i = 0; i < f->points_len; i++)
			f->points[i].answer = false;
		f->answer_retransmits = 0;
	}
}

struct imds_request *flow_slot(struct flow *f, uint32_t n)
{
	return &f->req[n % IMDS_PIPELINE];
}

void flow_request_sent(const struct capture_flows *c, struct flow *f)
{
	const struct imds_endpoint *e = &c->o.endpoints[f->peer.endpoint];

	imds_request_know(flow_slot(f, f->head), &f->scan_out, f->peer.remote_port, e->class, e->port);
	f->in_request = false;
	f->body_in &= f->head != f->tail;
	if (f->head == f->tail)
		f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
	f->head++;
}

void flow_finish_all(struct capture_flows *c, struct flow *f, enum imds_end end, uint64_t now)
{
	if (f->in_request)
		flow_request_sent(c, f);
	while (f->tail != f->head)
		flow_finish(c, f, flow_slot(f, f->tail++), end, now);
	if (!f->requests) {
		struct imds_request *q = flow_slot(f, 0);

		*q = (struct imds_request){ .start_ns = f->syn_ns, .kind = IMDS_KIND_CONNECT_ONLY, .flags = IMDS_F_FIRST };
		f->requests = 1;
		flow_finish(c, f, q, end, now);
	}
	f->closed = true;
}

void flow_give_up(struct capture_flows *c, struct flow *f)
{
	bool running = f->head != f->tail || f->in_request || !f->requests;
	uint64_t start_ns = f->head != f->tail || f->in_request ? flow_slot(f, f->tail)->start_ns : f->syn_ns;

	if (f->revived && flow_held(c, f)) /* its answer had begun */
		flow_held(c, f)->unseen = true;
	if (running && !f->closed && start_ns + c->o.stall_ns <= c->now_ns &&
	    !((f->head != f->tail) && flow_slot(f, f->tail)->first_byte_ns) && !(!f->requests && f->synack_ns))
		flow_finish_all(c, f, IMDS_END_EXPIRED, c->now_ns);
}

uint64_t flow_point_id(const struct packet *p, const struct segment *s, bool from_client)
{
	uint32_t place = s->place;

	if (p->link == LINK_SLL) /* no index: what goes to the service is on its side */
		place = from_client == s->outgoing ? 1 : 2;
	return (uint64_t)p->file << 52 | (uint64_t)p->interface << 32 | place;
}

struct point *flow_find_point(struct flow *f, uint64_t id, int depth)
{
	for (int i = 0; i < f->points_len; i++)
		if (f->points[i].id == id && f->points[i].depth == depth)
			return &f->points[i];
	return NULL;
}

uint32_t flow_body_bytes(const struct capture_flows *c, struct imds_scan *scan, bool *in_body, const uint8_t *buf,
			 uint32_t known, uint32_t len)
{
	uint32_t n;

	if (scan->body_left) {
		n = imds_body_skip(scan, len);
		*in_body = scan->body_left || (scan->words & IMDS_W_BODY);
		return n;
	}
	n = imds_scan_bytes(c->o.http, scan, NULL, buf, 0, known);
	*in_body = imds_body_scanned(scan);
	if (n < known || known == len)
		return n;
	*in_body = false; /* the capture has no more of it */
	return len;
}

void flow_evidence_changed(struct capture_flows *c, struct flow *f)
{
	struct held *h = flow_held(c, f);

	if (h && h->rec.req.end != IMDS_END_ANSWERED)
		take_evidence(f, &h->rec.req, &h->evidence);
}

void flow_answer_dies(struct capture_flows *c, struct flow *f, const struct segment *s, int depth, uint64_t now)
{
	bool resent, more;

	if (!s->length && !(f->deaths || f->head != f->tail || flow_held(c, f)))
		return;
	/* ahead of what the client waits for, and nothing of that died: not its answer, which would be sent again from there */
	if (f->has_rcv && !f->deaths && seq_before(f->rcv_nxt, s->seq))
		return;
	if (!f->deaths || (s->length && !f->dead_payload)) {
		f->death_ns = now;
		f->dead_depth = depth;
		f->dead_seq = s->seq;
	}
	if (depth >= f->dead_depth) {
		resent = now - f->dead_copy_ns > COPY_NS;
		more = s->length && !(f->dead_payload && seq_before(s->seq, f->dead_end));
		f->dead_again |= resent && s->length && !more;
		f->deaths += !f->deaths || resent || more;
		f->dead_copy_ns = now;
	}
	if (s->length) {
		if (flow_held(c, f)) /* taken for one that arrived, by a place that was not known then */
			flow_held(c, f)->retransmitted = true;
		f->dead_payload = true;
		f->dead_end = s->seq + s->length;
	}
	flow_evidence_changed(c, f);
}
