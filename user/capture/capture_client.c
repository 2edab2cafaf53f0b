/* SPDX-License-Identifier: GPL-2.0-only */
/* The client's segments: where it stands, and what it asks. */
#include "capture_flow.h"

#include <string.h>

#define REUSED_NS 60000000000ull /* a port is free for another connection after so long */

static struct imds_request *request_begin(struct flow *f, uint64_t now)
{
	struct imds_request *q = flow_slot(f, f->head);

	*q = (struct imds_request){ .start_ns = now, .flags = f->requests ? 0 : IMDS_F_FIRST };
	q->index = f->requests < 255 ? f->requests : 255;
	f->requests++;
	f->in_request = true;
	f->waits = f->begun_in_gap = false;
	f->scan_out = (struct imds_scan){ .state = IMDS_HTTP_START_REQUEST };
	return q;
}

static int depth_of(uint8_t ttl)
{
	return ttl <= 64 ? 64 - ttl : ttl <= 128 ? 128 - ttl : 255 - ttl;
}

/* True where it was not seen at this place before. */
static bool client_seen_at(struct capture_flows *c, struct flow *f, uint64_t id, uint8_t ttl, const struct tuple *t)
{
	int depth = depth_of(ttl);
	struct point *at = flow_find_point(f, id, depth);

	f->client_seen = true;
	if (at || f->points_len == POINTS || depth > DEPTH_MAX)
		return false;
	f->points[f->points_len++] = (struct point){ .id = id, .depth = depth };
	c->stats.pod_side |= !depth;
	c->stats.far_side |= depth > 0;
	if (f->points_len == 1 || depth < f->nearest) { /* the client as it is called nearest to it */
		f->nearest = depth;
		f->peer.local = t->local;
		f->peer.local_port = t->local_port;
	}
	return true;
}

static void take_early(struct capture_flows *c, struct flow *f)
{
	for (int i = 0; i < EARLY; i++) {
		struct early *e = &c->early[i];

		if (!e->ts_ns || e->isn != f->isn || memcmp(&e->remote, &f->peer.remote, sizeof(e->remote)))
			continue;
		f->synack_ns = f->syn_ns; /* times that contradict themselves tell nothing */
		f->ttl_synack = f->raw_synack = e->ttl > f->nearest ? e->ttl - f->nearest : 0;
		f->rcv_nxt = e->seq + 1;
		f->has_rcv = true;
		c->stats.orphans--;
		e->ts_ns = 0;
	}
}

static bool begins_request(const struct segment *s)
{
	static const char *const methods[] = { "GET ", "PUT ", "POST", "HEAD" };

	for (int i = 0; i < 4; i++)
		if (s->captured >= 4 && !memcmp(s->payload, methods[i], 4))
			return true;
	return false;
}

static void request_bytes(struct capture_flows *c, struct flow *f, const uint8_t *buf, uint32_t captured, uint32_t len,
			  uint64_t now)
{
	uint32_t seq = f->snd_nxt;

	if (imds_port_is_opaque(f->peer.remote_port)) {
		struct imds_request *q = f->head != f->tail ? flow_slot(f, f->tail) : request_begin(f, now);

		if (f->in_request)
			flow_request_sent(c, f);
		q->bytes_out += len;
		q->seq_end = seq + len;
		q->sent_ns = now;
		return;
	}
	while (len && !f->tunnel) {
		struct imds_request *q;
		uint32_t n, known;

		known = captured < len ? captured : len;
		if (known && !f->body_out && !f->in_request && (*buf == '\r' || *buf == '\n')) {
			buf++; /* an empty line ahead of a request is none: RFC 9112 2.2 */
			captured--;
			len--;
			seq++;
			continue;
		}
		if (f->body_out && f->head) {
			n = flow_body_bytes(c, &f->scan_out, &f->body_out, buf, known, len);
			q = flow_slot(f, f->head - 1);
		} else {
			if (!f->in_request && f->head - f->tail == IMDS_PIPELINE) {
				f->flags |= IMDS_F_PIPELINE_FULL;
				return;
			}
			q = f->in_request ? flow_slot(f, f->head) : request_begin(f, now);
			if (!q->bytes_out)
				f->switches = known >= 4 && (!memcmp(buf, "CONN", 4) || !memcmp(buf, "PRI ", 4));
			n = f->scan_out.state == IMDS_HTTP_DEAD
				? len
				: imds_scan_bytes(c->o.http, &f->scan_out, q->path, buf, 0, known);
			if (!imds_scan_ended(&f->scan_out) && n == known && known < len) {
				q->flags |= IMDS_F_HEAD_CUT; /* the capture has no more of it */
				n = len;
			}
		}
		seq += n;
		q->bytes_out += n;
		q->seq_end = seq;
		q->sent_ns = now;
		if (imds_scan_ended(&f->scan_out) && f->in_request) {
			q->flags |= IMDS_F_HEAD_COMPLETE;
			flow_request_sent(c, f);
			f->body_out = imds_body_begin(&f->scan_out, 0, 0) || f->switches;
			if (f->switches)
				f->scan_out.body_left = IMDS_BODY_UNTIL_CLOSE;
		} else if (f->in_request && (q->flags & IMDS_F_HEAD_CUT)) {
			q->flags |= IMDS_F_HEAD_COMPLETE; /* clients of this service send a head in one segment */
			flow_request_sent(c, f);
			if (q->kind == IMDS_KIND_DATA && !(q->words & IMDS_W_HTTP))
				q->kind = IMDS_KIND_OTHER; /* what is asked for may be named in what is cut off */
			if (q->version == IMDS_VERSION_V1) /* a token may stand in what is cut off */
				q->version = IMDS_VERSION_UNKNOWN;
			f->body_out = false;
		}
		buf += n < captured ? n : captured;
		captured -= n < captured ? n : captured;
		len -= n;
	}
}

void flow_client_gap(struct capture_flows *c, struct flow *f, uint32_t seq, bool fin_possible, uint64_t now)
{
	int32_t missing = (int32_t)(seq - f->snd_nxt);
	uint32_t requests = f->requests;

	if (!f->has_snd || f->fin || f->closed || missing <= fin_possible)
		return;
	c->stats.gaps++;
	if (f->head == f->tail && !f->in_request) {
		f->ack_base = f->client_ack;
		f->base_unknown = !f->has_ack;
	}
	request_bytes(c, f, (const uint8_t *)"", 0, (uint32_t)missing, now);
	f->begun_in_gap |= f->requests != requests;
	f->snd_nxt = seq;
}

/* The client goes on, or leaves, with all that came: it was whole, whatever we could read of it. */
static void answer_taken(struct capture_flows *c, struct flow *f, const struct segment *s, uint64_t now)
{
	bool leaves = s->flags & (SEGMENT_FIN | SEGMENT_RST);
	bool asks = s->length && seq_before(f->snd_nxt, s->seq + s->length) && !f->in_request && !f->body_out;

	if (f->head - f->tail != 1 || !f->body_in || f->scan_in.body_left != IMDS_BODY_UNTIL_CLOSE || f->closed ||
	    !(leaves || asks) || !(s->flags & SEGMENT_ACK) || seq_before(s->ack, f->rcv_nxt))
		return;
	flow_finish(c, f, flow_slot(f, f->tail++), IMDS_END_ANSWERED, now);
	f->body_in = false;
	f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
}

static void client_acks(struct capture_flows *c, struct flow *f, uint32_t ack, uint64_t at, uint64_t now)
{
	struct held *h = flow_held(c, f);

	if (!f->has_ack)
		f->ack_base = ack;
	if (!f->has_ack && !f->has_rcv && f->head == f->tail && !f->in_request) {
		f->rcv_nxt = ack; /* where answers begin, though the capture has no SYN-ACK */
		f->has_rcv = true;
	}
	f->has_ack = true;
	f->client_ack = ack;
	f->waits |= at == f->sent_at && f->head != f->tail && ack == f->rcv_nxt &&
		    now - flow_slot(f, f->head - 1)->sent_ns > UNTAKEN_NS;
	if (flow_answer_unseen(f)) {
		if (h)
			h->unseen = true;
		flow_answer_lost(c, f, now);
	}
	if (h && h->rec.req.end == IMDS_END_ANSWERED && !seq_before(ack, h->answer_end))
		h->confirmed = h->acked = true;
	else if (h && h->rec.req.end == IMDS_END_ANSWERED && at == f->sent_at && now > h->at_ns &&
		 now - h->at_ns > UNTAKEN_NS)
		h->untaken = true; /* what the capture saw was dropped in front of the socket */
	f->ttl_odd |= f->synack_spent;
	if (f->deaths && (f->ttl_odd || (f->dead_payload && !seq_before(ack, f->dead_end)))) {
		/* it arrived after all: this client's packets do not begin with the usual TTL */
		f->deaths = 0;
		f->dead_payload = f->told = false;
	}
}

static void client_payload(struct capture_flows *c, struct flow *f, const struct segment *s, uint64_t at, uint64_t now)
{
	uint32_t skip = 0;

	if (!f->has_snd) {
		f->snd_nxt = s->seq;
		f->has_snd = true;
	}
	if (seq_before(s->seq, f->snd_nxt))
		skip = f->snd_nxt - s->seq;
	if (skip >= s->length) { /* seen before: a copy, or sent again */
		if (at == f->sent_at && now - f->sent_copy_ns > COPY_NS && f->head != f->tail) {
			flow_slot(f, f->tail)->retransmits++;
			f->sent_copy_ns = now;
		}
		return;
	}
	if (f->base_unknown && !f->has_rcv && f->head != f->tail && !f->in_request && begins_request(s)) {
		/* what was asked in a gap, of answers of which nothing is known, is over: clients ask one after the other */
		f->rcv_nxt = s->ack;
		while (f->tail != f->head)
			flow_finish(c, f, flow_slot(f, f->tail++), IMDS_END_CLOSED, now);
		f->has_rcv = true;
	}
	if (f->head == f->tail && !f->in_request) {
		f->ack_base = s->ack;
		f->base_unknown = false;
	}
	f->sent_copy_ns = now;
	f->sent_at = at;
	request_bytes(c, f, s->payload + (skip < s->captured ? skip : s->captured),
		      s->captured > skip ? s->captured - skip : 0, s->length - skip, now);
	f->snd_nxt = s->seq + s->length;
}

void flow_from_client(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t,
		      uint8_t endpoint)
{
	bool syn = (s->flags & (SEGMENT_SYN | SEGMENT_ACK)) == SEGMENT_SYN;
	struct flow *f = flow_find(c, t, s, true);
	uint64_t now = p->ts_ns;
	uint8_t twin = 0;
	const struct gone *gone;
	struct held *h;

	if (syn && f && f->isn != s->seq) {
		/* one that runs is another network's, with the same addresses and ports */
		twin = f->twin + 1;
		if (f->closed || f->fin || f->last_ns + REUSED_NS < now || twin == TWINS) {
			twin = f->twin;
			flow_finish_all(c, f, IMDS_END_REUSED, now);
			flow_forget(c, f);
		}
		f = NULL;
	}
	if (syn && !f) {
		f = flow_find_isn(c, s->seq, t);
		if (f)
			flow_add_name(c, f, t);
	}
	if (!f && (syn || (s->length && begins_request(s)))) {
		f = flow_new(c, t, s, endpoint);
		if (!f)
			return;
		f->twin = twin;
		gone = syn ? flow_find_gone(c, s->seq, t) : NULL;
		if (gone) { /* told */
			f->closed = true;
			f->requests = 1;
			c->stats.clocks_apart += gone->failed;
		}
		f->flags |= syn ? 0 : IMDS_F_MIDSTREAM;
	}
	if (!f)
		return;
	f->last_ns = now;
	flow_make_newest(c, f);
	c->stats.clocks_apart +=
	    client_seen_at(c, f, flow_point_id(p, s, true), s->ttl, t) && syn && f->failed && f->closed;
	if (syn) {
		f->flags |= IMDS_F_SYN_SEEN;
		f->syn_at = f->last_syn_ns ? f->syn_at : flow_point_id(p, s, true);
		f->syn_retransmits +=
		    f->last_syn_ns && f->syn_at == flow_point_id(p, s, true) && now - f->last_syn_ns > COPY_NS;
		f->last_syn_ns = now;
		f->syn_ns = f->syn_ns ? f->syn_ns : now;
		if (!f->synack_ns)
			take_early(c, f);
		if (!f->has_snd) /* else a copy, of a place whose clock is late */
			f->snd_nxt = s->seq + 1;
		f->has_snd = true;
		return;
	}
	if (!f->synack_ns && f->syn_ns && (s->flags & (SEGMENT_ACK | SEGMENT_RST)) == SEGMENT_ACK)
		f->synack_ns = now; /* the capture does not have it, and it came */
	if ((f->closed || f->fin) && !s->length && !(s->flags & (SEGMENT_FIN | SEGMENT_RST))) {
		client_acks(c, f, s->ack, flow_point_id(p, s, true), now);
		return;
	}
	answer_taken(c, f, s, now);
	flow_client_gap(c, f, s->seq, !s->length, now);
	if (s->flags & SEGMENT_ACK)
		client_acks(c, f, s->ack, flow_point_id(p, s, true), now);
	if (s->length && !f->closed)
		client_payload(c, f, s, flow_point_id(p, s, true), now);
	h = flow_held(c, f);
	/* without ACK: to a socket that was not there any more */
	if ((s->flags & SEGMENT_RST) && h && (h->late || !(s->flags & SEGMENT_ACK)))
		h->gone = true;
	if ((s->flags & SEGMENT_RST) && !f->closed) {
		flow_finish_all(c, f, IMDS_END_CLIENT_RST, now);
	} else if ((s->flags & SEGMENT_FIN) && f->fin && now - f->fin_ns > COPY_NS) {
		f->fin_resent = true;
		flow_evidence_changed(c, f);
	} else if ((s->flags & SEGMENT_FIN) && !f->fin) {
		f->fin = true;
		f->fin_ns = now;
		f->fin_seq = s->seq + s->length + 1;
		f->flags |= IMDS_F_CLIENT_FIN;
		if (h)
			h->fin_ns = now;
		if (!f->closed)
			flow_finish_all(c, f, IMDS_END_CLOSED, now);
	}
}
