/* SPDX-License-Identifier: GPL-2.0-only */
/* The service's segments: where they were seen, what they answer, and where they died. */
#include "capture_flow.h"

/*
 * Where a segment of the service was seen. Files that were joined show several places as one: there the first sight of
 * bytes is the place farthest from the client, and what a copy's TTL is less is how much nearer the copy is.
 */
static struct point *place_of(struct flow *f, uint64_t id, const struct segment *s, bool synack)
{
	struct point *at = NULL;
	int places = 0, first = 0;

	for (int i = 0; i < f->points_len; i++) {
		if (f->points[i].id != id)
			continue;
		places++;
		if (!at || f->points[i].depth > at->depth)
			at = &f->points[i];
	}
	if (places < 2)
		return at;
	if (synack)
		first = f->raw_synack;
	else if (!s->length) /* nothing tells the copies of a bare acknowledgement */
		return NULL;
	else if (f->has_rcv && seq_before(s->seq, f->rcv_nxt))
		first = f->raw_answer;
	if (first > s->ttl && first - s->ttl <= at->depth && flow_find_point(f, id, at->depth - (first - s->ttl)))
		at = flow_find_point(f, id, at->depth - (first - s->ttl));
	return at;
}

/* at: the place where they were seen; NULL: not known. */
static void answer_bytes(struct capture_flows *c, struct flow *f, const struct segment *s, uint32_t skip,
			 struct point *at, int ttl, uint64_t now)
{
	const uint8_t *buf = s->payload + (skip < s->captured ? skip : s->captured);
	uint32_t captured = s->captured > skip ? s->captured - skip : 0, len = s->length - skip;

	if (f->in_request && f->head == f->tail)
		flow_request_sent(c, f);
	f->rcv_nxt = s->seq + s->length;
	while (len && f->head != f->tail && !f->tunnel) {
		struct imds_request *q = flow_slot(f, f->tail);
		uint32_t n = len, known = captured < len ? captured : len;
		bool done = false;

		if (!q->first_byte_ns) {
			q->first_byte_ns = now;
			q->ttl_response = ttl > 0 ? ttl : 0;
		}
		q->last_byte_ns = now;
		if (f->body_in) {
			n = flow_body_bytes(c, &f->scan_in, &f->body_in, buf, known, len);
			done = !f->body_in;
		} else if (f->scan_in.state != IMDS_HTTP_DEAD) {
			n = imds_scan_bytes(c->o.http, &f->scan_in, NULL, buf, 0, known);
			if ((f->scan_in.words & IMDS_W_HTTP) && (f->scan_in.status == 101 || f->scan_in.status >= 200))
				q->status = f->scan_in.status;
			if (imds_scan_ended(&f->scan_in) &&
			    (f->scan_in.status == 101 ||
			     (f->switches && f->head - f->tail == 1 && f->scan_in.status / 100 == 2))) {
				f->tunnel = done = true;
			} else if (imds_scan_ended(&f->scan_in) && f->scan_in.status < 200) {
				f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
				q->first_byte_ns = q->last_byte_ns = 0;
				f->interim = true;
				f->interim_end = f->rcv_nxt - (len - n);
				for (int i = 0; n == len && i < f->points_len; i++)
					f->points[i].answer = false;
			} else if (imds_scan_ended(&f->scan_in)) {
				f->body_in = imds_body_begin(&f->scan_in, 1,
							     q->method == IMDS_METHOD_HEAD || q->status == 204 ||
								 q->status == 304);
				done = !f->body_in;
			} else if (n == known && known < len) { /* cut: the status may be known, the length is not */
				f->answer_cut = true;
				n = len;
				done = true;
			}
		}
		if (f->scan_in.state == IMDS_HTTP_DEAD) { /* not HTTP, or no chunks: nobody but the client knows its end */
			f->body_in = true;
			f->scan_in.body_left = IMDS_BODY_UNTIL_CLOSE;
		}
		q->bytes_in += n;
		if (done) {
			flow_finish(c, f, q, IMDS_END_ANSWERED, now);
			f->tail++;
			if (f->switches && f->head == f->tail)
				f->body_out = false;
			f->body_in = false;
			f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
			if (at)
				at->answer = n < len;
		}
		buf += n < captured ? n : captured;
		captured -= n < captured ? n : captured;
		len -= n;
	}
}

void flow_answer_lost(struct capture_flows *c, struct flow *f, uint64_t now)
{
	struct segment lost = { .seq = f->rcv_nxt, .length = f->client_ack - f->rcv_nxt, .payload = (const uint8_t *)"" };

	if (!f->has_rcv || !f->requests || f->closed)
		return;
	if (f->body_in && f->head != f->tail)
		answer_bytes(c, f, &lost, 0, NULL, flow_slot(f, f->tail)->ttl_response, now);
	while (f->head != f->tail && seq_before(f->rcv_nxt, f->client_ack)) {
		flow_finish(c, f, flow_slot(f, f->tail++), IMDS_END_CLOSED, now);
		f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
	}
	f->rcv_nxt = f->client_ack;
}

/*
 * Behind the client's FIN: whether it closed its socket or its side alone is told by what it does with the answer. Where it
 * was the last request, it runs again, in the place that it has among the ended ones.
 */
static void revive(struct capture_flows *c, struct flow *f)
{
	struct held *h = flow_held(c, f);

	if (!f->closed || !f->fin || !h || h->rec.req.end != IMDS_END_CLOSED ||
	    h->rec.req.kind == IMDS_KIND_CONNECT_ONLY || f->head != f->tail || !f->head)
		return;
	f->tail--;
	f->closed = false;
	f->revived = true;
}

static void service_payload(struct capture_flows *c, struct flow *f, const struct segment *s, struct point *at, int ttl,
			    uint64_t id, uint64_t now)
{
	uint32_t skip = 0;

	if (!f->has_rcv) {
		f->rcv_nxt = s->seq;
		f->has_rcv = true;
	}
	if (seq_before(f->rcv_nxt, s->seq)) /* no client takes it before what is missing */
		return;
	if (at && (!f->interim || seq_before(f->interim_end, s->seq + s->length)))
		at->answer = true;
	if (at && !at->depth && flow_held(c, f))
		flow_held(c, f)->confirmed = true;
	if (seq_before(s->seq, f->rcv_nxt))
		skip = f->rcv_nxt - s->seq;
	if (skip < s->length) {
		revive(c, f);
		f->raw_answer = s->ttl;
		f->doubtful = !at && s->ttl <= FORWARDS_MAX;
		if (!f->closed)
			answer_bytes(c, f, s, skip, at, ttl, now);
		f->answer_copy_ns = now;
		f->answer_at = id;
	} else if (id == f->answer_at && now - f->answer_copy_ns > COPY_NS) {
		f->answer_copy_ns = now;
		f->answer_retransmits++;
		if (flow_held(c, f))
			flow_held(c, f)->retransmitted = true;
	}
}

void flow_from_service(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t)
{
	bool synack = (s->flags & (SEGMENT_SYN | SEGMENT_ACK)) == (SEGMENT_SYN | SEGMENT_ACK);
	struct flow *f = flow_find(c, t, s, false);
	struct point *at;
	uint64_t now = p->ts_ns;
	int depth;

	if (!f && synack) {
		f = flow_find_isn(c, s->ack - 1, t);
		if (f)
			flow_add_name(c, f, t);
	}
	if (!f) {
		c->stats.orphans += synack || ((s->flags & SEGMENT_RST) && !s->seq) || (s->length && s->ttl <= 1);
		if (synack)
			c->early[c->early_next++ % EARLY] = (struct early){ now, s->ack - 1, s->seq, s->ttl, t->remote };
		return;
	}
	f->last_ns = now;
	if ((s->flags & SEGMENT_ACK) && !synack) {
		flow_client_gap(c, f, s->ack, true, now);
		f->left |= f->has_snd && !f->fin && s->ack == f->snd_nxt + 1;
	}
	at = place_of(f, flow_point_id(p, s, false), s, synack);
	if (f->ttl_odd)
		at = NULL;
	depth = at ? at->depth : 0;
	if (s->ttl <= depth) {
		f->synack_spent |= synack && s->ack == f->isn + 1;
		flow_answer_dies(c, f, s, depth, now);
		return;
	}
	if (synack) {
		f->synack_ns = f->synack_ns ? f->synack_ns : now;
		if (at) /* else nobody knows how far from the client it was seen */
			f->ttl_synack = s->ttl - depth;
		f->raw_synack = f->raw_synack ? f->raw_synack : s->ttl;
		if (!f->has_rcv)
			f->rcv_nxt = s->seq + 1;
		f->has_rcv = true;
		return;
	}
	for (uint32_t n = f->tail; (s->flags & SEGMENT_ACK) && n != f->head; n++)
		if (!seq_before(s->ack, flow_slot(f, n)->seq_end))
			flow_slot(f, n)->flags |= IMDS_F_REQUEST_ACKED;
	if ((s->flags & SEGMENT_ACK) && f->fin && !seq_before(s->ack, f->fin_seq)) {
		f->fin_acked = true;
		flow_evidence_changed(c, f);
	}
	if (s->length)
		service_payload(c, f, s, at, at ? s->ttl - depth : 0, flow_point_id(p, s, false), now); /* as above */
	if (f->closed)
		return;
	if (s->flags & SEGMENT_RST) {
		flow_finish_all(c, f, f->synack_ns || f->requests ? IMDS_END_PEER_RST : IMDS_END_REFUSED, now);
	} else if ((s->flags & SEGMENT_FIN) && !seq_before(f->rcv_nxt, s->seq)) {
		struct imds_request *q = f->head != f->tail ? flow_slot(f, f->tail) : NULL;

		if (q && f->body_in && f->scan_in.body_left == IMDS_BODY_UNTIL_CLOSE) {
			flow_finish(c, f, q, IMDS_END_ANSWERED, now);
			f->tail++;
		}
		if (f->head != f->tail || f->in_request || !f->requests)
			flow_finish_all(c, f, IMDS_END_PEER_FIN, now);
		f->closed = true;
	}
}
