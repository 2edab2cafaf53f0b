/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture_flows.h"

#include <stdlib.h>
#include <string.h>

#include "packet_parse.h"

#define BUCKETS 65536
#define NAMES 3		      /* tuples of one connection: before and behind NAT, and once more */
#define POINTS 8	      /* places where it was seen */
#define COPY_NS 100000000ull  /* the same bytes again so soon are a copy at another place: TCP waits 200 ms at least */
#define HOLD_NS 2000000000ull /* after its end a request still learns of deaths */
#define EARLY 64	      /* SYN-ACKs that stand before their SYN */
#define IDLE_NS 130000000000ull

struct tuple {
	struct imds_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t pad;
};

struct name {
	struct tuple tuple;
	struct flow *flow; /* NULL: unused */
	struct name *next;
};

struct point {
	uint64_t id;
	uint8_t depth; /* routers between the client and here */
	bool answer;   /* answer bytes of the request that runs were seen here */
};

/* A SYN-ACK whose SYN is not here, or stands later in the capture. */
struct early {
	uint64_t ts_ns; /* 0: none */
	uint32_t isn, seq;
	uint8_t ttl;
	struct imds_addr remote;
};

struct flow {
	struct name names[NAMES];
	struct flow *older, *newer, *isn_next;
	struct imds_peer peer;
	uint64_t syn_ns, last_syn_ns, synack_ns, last_ns, fin_ns;
	uint32_t isn, snd_nxt, rcv_nxt, client_ack;
	uint32_t ack_base; /* what the client acknowledged when its last request began */
	uint32_t fin_seq;  /* behind the client's FIN */
	uint32_t flags;	   /* IMDS_F_* */
	uint8_t ttl_synack, syn_retransmits, nearest, points_len;
	uint8_t raw_synack, raw_answer; /* TTLs at the first sight of the SYN-ACK and of the newest bytes */
	bool answer_cut;		/* the capture has not all of an answer's head */
	bool body_out, body_in;		/* behind a head */
	bool tunnel;			/* 101: what follows is not HTTP */
	bool has_snd, has_rcv, has_ack, client_seen, fin, closed, in_request, rejected;
	struct point points[POINTS];
	struct imds_scan scan_out, scan_in;
	struct imds_request req[IMDS_PIPELINE];
	uint32_t head, tail, requests;
	uint64_t sent_copy_ns, answer_copy_ns; /* newest first sight of bytes, for telling copies */
	uint32_t answer_retransmits;
	/* of the request at tail, or of the one that ended last */
	uint32_t dead_seq, dead_end;
	uint8_t dead_depth;
	uint32_t deaths;
	uint64_t death_ns;
	bool dead_payload, told, recorded, fin_acked;
	uint64_t held; /* number of its last ended request, 0: none */
	bool revived;  /* that request runs again: the client had closed its side alone, and bytes of an answer came */
};

struct held {
	struct imds_rec_request rec;
	struct capture_evidence evidence;
	uint64_t at_ns, fin_ns;
	uint32_t answer_end;
	bool confirmed, client_seen, retransmitted;
	bool late, acked; /* answered behind the client's FIN; which took it */
	bool cut;	  /* of the answer's head the capture has too little */
	bool unseen;	  /* the client acknowledged an answer that the capture does not have */
};

struct capture_flows {
	struct capture_flows_options o;
	struct capture_stats stats;
	struct name *names[BUCKETS];
	struct flow *isns[BUCKETS];
	struct flow *oldest, *newest;
	size_t len;
	struct early early[EARLY];
	uint32_t early_next;
	uint64_t serial, now_ns;
	uint64_t held_first, held_next; /* numbers, from 1 */
	struct held held[CAPTURE_HELD_MAX];
};

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static uint32_t tuple_bucket(const struct tuple *t)
{
	uint64_t h = t->local.d[1] * 0x9e3779b97f4a7c15ull ^ t->remote.d[1];

	h = (h ^ t->local.d[0] ^ t->remote.d[0] ^ (uint64_t)t->local_port << 16 ^ t->remote_port) * 0x9e3779b97f4a7c15ull;
	return h >> 48;
}

static uint32_t isn_bucket(uint32_t isn)
{
	return (isn * 0x9e3779b1u) >> 16;
}

static struct flow *find(const struct capture_flows *c, const struct tuple *t)
{
	for (struct name *n = c->names[tuple_bucket(t)]; n; n = n->next)
		if (!memcmp(&n->tuple, t, sizeof(*t)))
			return n->flow;
	return NULL;
}

static struct flow *find_isn(const struct capture_flows *c, uint32_t isn, const struct tuple *t)
{
	for (struct flow *f = c->isns[isn_bucket(isn)]; f; f = f->isn_next)
		if (f->isn == isn && f->peer.remote_port == t->remote_port &&
		    !memcmp(&f->peer.remote, &t->remote, sizeof(t->remote)))
			return f;
	return NULL;
}

static void add_name(struct capture_flows *c, struct flow *f, const struct tuple *t)
{
	struct name **bucket = &c->names[tuple_bucket(t)];

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

static void forget(struct capture_flows *c, struct flow *f)
{
	for (int i = 0; i < NAMES; i++) {
		struct name **n = &c->names[tuple_bucket(&f->names[i].tuple)];

		if (!f->names[i].flow)
			continue;
		while (*n != &f->names[i])
			n = &(*n)->next;
		*n = f->names[i].next;
	}
	for (struct flow **n = &c->isns[isn_bucket(f->isn)]; *n; n = &(*n)->isn_next)
		if (*n == f) {
			*n = f->isn_next;
			break;
		}
	unlink_flow(c, f);
	free(f);
	c->len--;
}

/* --- ended requests ----------------------------------------------------------------------------------------------- */

static struct held *held_of(struct capture_flows *c, const struct flow *f)
{
	return f->held >= c->held_first && f->held < c->held_next ? &c->held[f->held % CAPTURE_HELD_MAX] : NULL;
}

static void release_first(struct capture_flows *c)
{
	struct held *h = &c->held[c->held_first++ % CAPTURE_HELD_MAX];
	struct imds_request *q = &h->rec.req;

	if (h->unseen && q->end != IMDS_END_ANSWERED) { /* one direction alone was captured, or packets were lost */
		c->stats.answers_unseen++;
		return;
	}
	/* seen on its way, sent again and again, and never acknowledged: the client did not get it */
	if (q->end == IMDS_END_ANSWERED && (h->late ? !h->acked : h->client_seen && !h->confirmed && h->retransmitted)) {
		q->end = h->fin_ns ? IMDS_END_CLOSED : IMDS_END_EXPIRED;
		q->end_ns = h->fin_ns ? h->fin_ns : c->now_ns;
		q->first_byte_ns = q->last_byte_ns = 0;
		q->status = 0;
		q->ttl_response = 0;
		q->bytes_in = 0;
	}
	/* the client had left when it came: slow, but it got through */
	if (q->end != IMDS_END_ANSWERED && h->confirmed)
		q->flags |= IMDS_F_LATE_ANSWER;
	c->stats.status_cut += q->end == IMDS_END_ANSWERED && !q->status && h->cut;
	c->o.on_request(c->o.arg, &h->rec, &h->evidence);
}

static void release(struct capture_flows *c, bool all)
{
	while (c->held_first < c->held_next &&
	       (all || c->held[c->held_first % CAPTURE_HELD_MAX].at_ns + HOLD_NS < c->now_ns ||
		c->held_next - c->held_first == CAPTURE_HELD_MAX))
		release_first(c);
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
	e->watched = f->fin_acked;
	for (int i = 0; i < f->points_len; i++)
		e->watched |= f->points[i].depth > 0;
	if (!f->deaths)
		return;
	q->drops = f->deaths;
	q->drop = (struct imds_drop){ .ts_ns = f->death_ns, .ttl = 1, .match = IMDS_MATCH_TUPLE };
	q->drop.flags = IMDS_D_FROM_ENDPOINT | IMDS_D_EXPECTED_SEQ | (f->dead_payload ? IMDS_D_PAYLOAD : 0) |
			(q->kind == IMDS_KIND_TOKEN ? IMDS_D_WAITING_TOKEN : 0);
}

/* More than a FIN is acknowledged, and not here. */
static bool answer_unseen(const struct flow *f)
{
	return f->has_ack && (int32_t)(f->client_ack - (f->has_rcv ? f->rcv_nxt : f->ack_base)) > 1;
}

static void finish(struct capture_flows *c, struct flow *f, struct imds_request *q, enum imds_end end, uint64_t now)
{
	struct held *h;
	uint64_t fin_ns;
	bool late;

	release(c, false);
	q->end = end;
	q->end_ns = now;
	q->flags |= f->flags;
	h = f->revived ? held_of(c, f) : NULL;
	late = h != NULL;
	if (f->revived && !late) { /* told already, as not answered */
		f->revived = false;
		return;
	}
	fin_ns = late ? h->fin_ns : 0;
	if (!late)
		h = &c->held[c->held_next % CAPTURE_HELD_MAX];
	*h = (struct held){
		.at_ns = now, .late = late, .fin_ns = fin_ns, .answer_end = f->rcv_nxt, .client_seen = f->client_seen
	};
	h->unseen = answer_unseen(f);
	h->cut = f->answer_cut;
	f->answer_cut = false;
	h->retransmitted = f->answer_retransmits > 0;
	for (int i = 0; i < f->points_len; i++) /* the client's own place saw it */
		h->confirmed |= f->points[i].answer && !f->points[i].depth;
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

static struct imds_request *slot(struct flow *f, uint32_t n)
{
	return &f->req[n % IMDS_PIPELINE];
}

static struct imds_request *request_begin(struct flow *f, uint64_t now)
{
	struct imds_request *q = slot(f, f->head);

	*q = (struct imds_request){ .start_ns = now, .flags = f->requests ? 0 : IMDS_F_FIRST };
	q->index = f->requests < 255 ? f->requests : 255;
	f->requests++;
	f->in_request = true;
	f->scan_out = (struct imds_scan){ .state = IMDS_HTTP_START_REQUEST };
	return q;
}

static void request_take_scan(const struct capture_flows *c, struct flow *f, struct imds_request *q)
{
	uint8_t class = c->o.endpoints[f->peer.endpoint].class;

	q->words = f->scan_out.words;
	q->path_len = f->scan_out.path_len;
	q->method = f->scan_out.method;
	if (!(q->words & IMDS_W_HTTP)) {
		q->path_len = 0;
		memset(q->path, 0, sizeof(q->path));
	}
	q->kind = imds_request_kind(q->method, q->words, class);
	q->version = imds_request_version(q->method, q->words, class, q->kind);
}

static void request_sent(const struct capture_flows *c, struct flow *f)
{
	request_take_scan(c, f, slot(f, f->head));
	f->in_request = false;
	f->body_in &= f->head != f->tail;
	if (f->head == f->tail)
		f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
	f->head++;
}

static void finish_all(struct capture_flows *c, struct flow *f, enum imds_end end, uint64_t now)
{
	if (f->in_request)
		request_sent(c, f);
	while (f->tail != f->head)
		finish(c, f, slot(f, f->tail++), end, now);
	if (!f->requests) {
		struct imds_request *q = slot(f, 0);

		*q = (struct imds_request){ .start_ns = f->syn_ns, .kind = IMDS_KIND_CONNECT_ONLY, .flags = IMDS_F_FIRST };
		f->requests = 1;
		finish(c, f, q, end, now);
	}
	f->closed = true;
}

/* As a live session does at its end: what waits for longer than a stall counts, the rest just has begun. */
static void give_up(struct capture_flows *c, struct flow *f)
{
	bool running = f->head != f->tail || f->in_request || !f->requests;
	uint64_t start_ns = f->head != f->tail || f->in_request ? slot(f, f->tail)->start_ns : f->syn_ns;

	if (running && !f->closed && start_ns + c->o.stall_ns <= c->now_ns &&
	    !((f->head != f->tail) && slot(f, f->tail)->first_byte_ns) && !(!f->requests && f->synack_ns))
		finish_all(c, f, IMDS_END_EXPIRED, c->now_ns);
}

/* --- places ------------------------------------------------------------------------------------------------------- */

static uint64_t point_id(const struct packet *p, const struct segment *s, bool from_client)
{
	uint32_t place = s->place;

	if (p->link == LINK_SLL) /* no index: what goes to the service is on its side */
		place = from_client == s->outgoing ? 1 : 2;
	return (uint64_t)p->file << 52 | (uint64_t)p->interface << 32 | place;
}

static struct point *find_point(struct flow *f, uint64_t id, int depth)
{
	for (int i = 0; i < f->points_len; i++)
		if (f->points[i].id == id && f->points[i].depth == depth)
			return &f->points[i];
	return NULL;
}

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
	else if (f->has_rcv && before(s->seq, f->rcv_nxt))
		first = f->raw_answer;
	if (first > s->ttl && first - s->ttl <= at->depth && find_point(f, id, at->depth - (first - s->ttl)))
		at = find_point(f, id, at->depth - (first - s->ttl));
	return at;
}

static int depth_of(uint8_t ttl)
{
	return ttl <= 64 ? 64 - ttl : ttl <= 128 ? 128 - ttl : 255 - ttl;
}

static void client_seen_at(struct capture_flows *c, struct flow *f, uint64_t id, uint8_t ttl, const struct tuple *t)
{
	int depth = depth_of(ttl);
	struct point *at = find_point(f, id, depth);

	f->client_seen = true;
	if (at || f->points_len == POINTS || depth > 30)
		return;
	f->points[f->points_len++] = (struct point){ .id = id, .depth = depth };
	c->stats.pod_side |= !depth;
	c->stats.far_side |= depth > 0;
	if (f->points_len == 1 || depth < f->nearest) { /* the client as it is called nearest to it */
		f->nearest = depth;
		f->peer.local = t->local;
		f->peer.local_port = t->local_port;
	}
}

/* --- the client's segments ---------------------------------------------------------------------------------------- */

static struct flow *flow_new(struct capture_flows *c, const struct tuple *t, const struct segment *s, uint8_t endpoint)
{
	struct flow *f;

	if (c->len == CAPTURE_FLOWS_MAX) {
		c->stats.evicted += !c->oldest->closed;
		give_up(c, c->oldest);
		forget(c, c->oldest);
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
	f->isn_next = c->isns[isn_bucket(f->isn)];
	c->isns[isn_bucket(f->isn)] = f;
	add_name(c, f, t);
	make_newest(c, f);
	c->len++;
	return f;
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

/* Bytes of a body; *in_body becomes false behind its last. Returns how many, of len, of which known are here. */
static uint32_t body_bytes(const struct capture_flows *c, struct imds_scan *scan, bool *in_body, const uint8_t *buf,
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

static void request_bytes(struct capture_flows *c, struct flow *f, const uint8_t *buf, uint32_t captured, uint32_t len,
			  uint64_t now)
{
	uint32_t seq = f->snd_nxt;

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
			n = body_bytes(c, &f->scan_out, &f->body_out, buf, known, len);
			q = slot(f, f->head - 1);
		} else {
			if (!f->in_request && f->head - f->tail == IMDS_PIPELINE) {
				f->flags |= IMDS_F_PIPELINE_FULL;
				return;
			}
			q = f->in_request ? slot(f, f->head) : request_begin(f, now);
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
			request_sent(c, f);
			f->body_out = imds_body_begin(&f->scan_out, 0, 0);
		} else if (f->in_request && (q->flags & IMDS_F_HEAD_CUT)) {
			q->flags |= IMDS_F_HEAD_COMPLETE; /* clients of this service send a head in one segment */
			request_sent(c, f);
			if (q->kind == IMDS_KIND_DATA && !(q->words & IMDS_W_HTTP))
				q->kind = IMDS_KIND_OTHER; /* what is asked for may be named in what is cut off */
			if (q->version == IMDS_VERSION_V1) /* a token may stand in what is cut off */
				q->version = IMDS_VERSION_NONE;
			f->body_out = false;
		}
		buf += n < captured ? n : captured;
		captured -= n < captured ? n : captured;
		len -= n;
	}
}

static void client_acks(struct capture_flows *c, struct flow *f, uint32_t ack)
{
	struct held *h = held_of(c, f);

	if (!f->has_ack)
		f->ack_base = ack;
	f->has_ack = true;
	f->client_ack = ack;
	if (h && answer_unseen(f))
		h->unseen = true;
	if (h && h->rec.req.end == IMDS_END_ANSWERED && !before(ack, h->answer_end))
		h->confirmed = h->acked = true;
	if (f->deaths && f->dead_payload && !before(ack, f->dead_end)) {
		/* it arrived after all: this client's packets do not begin with the usual TTL */
		f->deaths = 0;
		f->dead_payload = f->told = false;
	}
}

static void client_payload(struct capture_flows *c, struct flow *f, const struct segment *s, uint64_t now)
{
	uint32_t skip = 0;

	if (!f->has_snd) {
		f->snd_nxt = s->seq;
		f->has_snd = true;
	}
	if (before(s->seq, f->snd_nxt))
		skip = f->snd_nxt - s->seq;
	if (skip >= s->length) { /* seen before: a copy, or sent again */
		if (now - f->sent_copy_ns > COPY_NS && f->head != f->tail) {
			slot(f, f->tail)->retransmits++;
			f->sent_copy_ns = now;
		}
		return;
	}
	if (before(f->snd_nxt, s->seq)) {
		c->stats.gaps++;
		f->flags |= IMDS_F_HEAD_CUT;
		f->snd_nxt = s->seq;
	}
	if (f->head == f->tail && !f->in_request)
		f->ack_base = s->ack;
	f->sent_copy_ns = now;
	request_bytes(c, f, s->payload + (skip < s->captured ? skip : s->captured),
		      s->captured > skip ? s->captured - skip : 0, s->length - skip, now);
	f->snd_nxt = s->seq + s->length;
}

static void from_client(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t,
			uint8_t endpoint)
{
	bool syn = (s->flags & (SEGMENT_SYN | SEGMENT_ACK)) == SEGMENT_SYN;
	struct flow *f = find(c, t);
	uint64_t now = p->ts_ns;

	if (syn && f && f->isn != s->seq) {
		finish_all(c, f, IMDS_END_REUSED, now);
		forget(c, f);
		f = NULL;
	}
	if (syn && !f) {
		f = find_isn(c, s->seq, t);
		if (f)
			add_name(c, f, t);
	}
	if (!f && (syn || (s->length && begins_request(s)))) {
		f = flow_new(c, t, s, endpoint);
		if (f && !syn)
			f->flags |= IMDS_F_MIDSTREAM;
	}
	if (!f) {
		c->stats.strangers += s->length > 0;
		return;
	}
	f->last_ns = now;
	unlink_flow(c, f);
	make_newest(c, f);
	client_seen_at(c, f, point_id(p, s, true), s->ttl, t);
	if (syn) {
		f->flags |= IMDS_F_SYN_SEEN;
		f->syn_retransmits += f->last_syn_ns && now - f->last_syn_ns > COPY_NS;
		f->last_syn_ns = now;
		f->syn_ns = f->syn_ns ? f->syn_ns : now;
		if (!f->synack_ns)
			take_early(c, f);
		f->snd_nxt = s->seq + 1;
		f->has_snd = true;
		return;
	}
	if (!f->synack_ns && f->syn_ns && (s->flags & (SEGMENT_ACK | SEGMENT_RST)) == SEGMENT_ACK)
		f->synack_ns = now; /* the capture does not have it, and it came */
	if ((f->closed || f->fin) && !s->length && !(s->flags & (SEGMENT_FIN | SEGMENT_RST))) {
		client_acks(c, f, s->ack);
		return;
	}
	if (s->length && !f->closed)
		client_payload(c, f, s, now);
	if (s->flags & SEGMENT_ACK)
		client_acks(c, f, s->ack);
	if ((s->flags & SEGMENT_RST) && !f->closed) {
		finish_all(c, f, IMDS_END_CLIENT_RST, now);
	} else if ((s->flags & SEGMENT_FIN) && !f->fin) {
		f->fin = true;
		f->fin_ns = now;
		f->fin_seq = s->seq + s->length + 1;
		f->flags |= IMDS_F_CLIENT_FIN;
		if (held_of(c, f))
			held_of(c, f)->fin_ns = now;
		if (!f->closed)
			finish_all(c, f, IMDS_END_CLOSED, now);
	}
}

/* --- the service's segments --------------------------------------------------------------------------------------- */

/* The evidence of a request that has ended grows for a while. */
static void evidence_changed(struct capture_flows *c, struct flow *f)
{
	struct held *h = held_of(c, f);

	if (h && h->rec.req.end != IMDS_END_ANSWERED)
		take_evidence(f, &h->rec.req, &h->evidence);
}

static void answer_bytes(struct capture_flows *c, struct flow *f, const struct segment *s, uint32_t skip, int ttl,
			 uint64_t now)
{
	const uint8_t *buf = s->payload + (skip < s->captured ? skip : s->captured);
	uint32_t captured = s->captured > skip ? s->captured - skip : 0, len = s->length - skip;

	if (f->in_request && f->head == f->tail)
		request_sent(c, f);
	f->rcv_nxt = s->seq + s->length;
	while (len && f->head != f->tail && !f->tunnel) {
		struct imds_request *q = slot(f, f->tail);
		uint32_t n = len, known = captured < len ? captured : len;
		bool done = false;

		if (!q->first_byte_ns) {
			q->first_byte_ns = now;
			q->ttl_response = ttl > 0 ? ttl : 0;
		}
		q->last_byte_ns = now;
		if (f->body_in) {
			n = body_bytes(c, &f->scan_in, &f->body_in, buf, known, len);
			done = !f->body_in;
		} else if (f->scan_in.state != IMDS_HTTP_DEAD) {
			n = imds_scan_bytes(c->o.http, &f->scan_in, NULL, buf, 0, known);
			if ((f->scan_in.words & IMDS_W_HTTP) && (f->scan_in.status == 101 || f->scan_in.status >= 200))
				q->status = f->scan_in.status;
			if (imds_scan_ended(&f->scan_in) && f->scan_in.status == 101) {
				f->tunnel = done = true;
			} else if (imds_scan_ended(&f->scan_in) && f->scan_in.status < 200) {
				f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
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
			finish(c, f, q, IMDS_END_ANSWERED, now);
			f->tail++;
			f->body_in = false;
			f->scan_in = (struct imds_scan){ .state = IMDS_HTTP_START_RESPONSE };
		}
		buf += n < captured ? n : captured;
		captured -= n < captured ? n : captured;
		len -= n;
	}
}

static void answer_dies(struct capture_flows *c, struct flow *f, const struct segment *s, int depth, uint64_t now)
{
	if (!s->length && !(f->deaths || f->head != f->tail || held_of(c, f)))
		return;
	if (!f->deaths || (s->length && !f->dead_payload)) {
		f->death_ns = now;
		f->dead_depth = depth;
		f->dead_seq = s->seq;
	}
	f->deaths += !f->deaths || depth >= f->dead_depth;
	if (s->length) {
		f->dead_payload = true;
		f->dead_end = s->seq + s->length;
	}
	evidence_changed(c, f);
}

/*
 * Behind the client's FIN: whether it closed its socket or its side alone is told by what it does with the answer. Where it
 * was the last request, it runs again, in the place that it has among the ended ones.
 */
static void revive(struct capture_flows *c, struct flow *f)
{
	struct held *h = held_of(c, f);

	if (!f->closed || !f->fin || !h || h->rec.req.end != IMDS_END_CLOSED ||
	    h->rec.req.kind == IMDS_KIND_CONNECT_ONLY || f->head != f->tail || !f->head)
		return;
	f->tail--;
	f->closed = false;
	f->revived = true;
}

static void service_payload(struct capture_flows *c, struct flow *f, const struct segment *s, struct point *at, int ttl,
			    uint64_t now)
{
	uint32_t skip = 0;

	if (!f->has_rcv) {
		f->rcv_nxt = s->seq;
		f->has_rcv = true;
	}
	if (at)
		at->answer = true;
	if (at && !at->depth && held_of(c, f))
		held_of(c, f)->confirmed = true;
	if (before(s->seq, f->rcv_nxt))
		skip = f->rcv_nxt - s->seq;
	if (skip < s->length) {
		revive(c, f);
		f->raw_answer = s->ttl;
		if (!f->closed)
			answer_bytes(c, f, s, skip, ttl, now);
		f->answer_copy_ns = now;
	} else if (now - f->answer_copy_ns > COPY_NS) {
		f->answer_copy_ns = now;
		f->answer_retransmits++;
		if (held_of(c, f))
			held_of(c, f)->retransmitted = true;
	}
}

/* Where the kernel dropped it, if the capture is one of ours: see session_copies.c. NULL: it was not dropped. */
static const char *dropped_at(const struct packet *p, uint32_t *ret_len)
{
	static const char begin[] = "dropped", at[] = ", at ";
	const char *end, *place;

	if (p->comment_len < sizeof(begin) || memcmp(p->comment, begin, sizeof(begin) - 1))
		return NULL;
	end = memchr(p->comment, '\n', p->comment_len);
	end = end ? end : p->comment + p->comment_len;
	place = memmem(p->comment, end - p->comment, at, sizeof(at) - 1);
	place = place ? place + sizeof(at) - 1 : end;
	*ret_len = end - place;
	return place;
}

/* A packet that never went on: seen before at another place, or, of the service's, nothing but a death. */
static void dropped(struct capture_flows *c, const struct segment *s, const struct tuple *t, const char *place,
		    uint32_t len, uint64_t now)
{
	static const char *const forwards[] = { "ip_forward", "ip6_forward" };
	struct flow *f = find(c, t);

	for (int i = 0; f && i < 2; i++)
		if (s->ttl <= 1 && len == strlen(forwards[i]) && !memcmp(place, forwards[i], len)) {
			f->recorded = true;
			answer_dies(c, f, s, 1, now);
		}
}

static void from_service(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t)
{
	bool synack = (s->flags & (SEGMENT_SYN | SEGMENT_ACK)) == (SEGMENT_SYN | SEGMENT_ACK);
	struct flow *f = find(c, t);
	struct point *at;
	uint64_t now = p->ts_ns;
	int depth;

	if (!f && synack) {
		f = find_isn(c, s->ack - 1, t);
		if (f)
			add_name(c, f, t);
	}
	if (!f) {
		c->stats.strangers += s->length > 0;
		c->stats.orphans += synack || ((s->flags & SEGMENT_RST) && !s->seq) || (s->length && s->ttl <= 1);
		if (synack)
			c->early[c->early_next++ % EARLY] = (struct early){ now, s->ack - 1, s->seq, s->ttl, t->remote };
		return;
	}
	f->last_ns = now;
	at = place_of(f, point_id(p, s, false), s, synack);
	depth = at ? at->depth : 0;
	if (s->ttl <= depth) {
		answer_dies(c, f, s, depth, now);
		return;
	}
	if (synack) {
		f->synack_ns = f->synack_ns ? f->synack_ns : now;
		if (at || !f->ttl_synack)
			f->ttl_synack = s->ttl - depth;
		f->raw_synack = f->raw_synack ? f->raw_synack : s->ttl;
		f->rcv_nxt = s->seq + 1;
		f->has_rcv = true;
		return;
	}
	if ((s->flags & SEGMENT_ACK) && f->head != f->tail && !before(s->ack, slot(f, f->tail)->seq_end))
		slot(f, f->tail)->flags |= IMDS_F_REQUEST_ACKED;
	if ((s->flags & SEGMENT_ACK) && f->fin && !before(s->ack, f->fin_seq)) {
		f->fin_acked = true;
		evidence_changed(c, f);
	}
	if (s->length)
		service_payload(c, f, s, at, s->ttl - depth, now);
	if (f->closed)
		return;
	if (s->flags & SEGMENT_RST) {
		finish_all(c, f, f->synack_ns || f->requests ? IMDS_END_PEER_RST : IMDS_END_REFUSED, now);
	} else if ((s->flags & SEGMENT_FIN) && !before(f->rcv_nxt, s->seq)) {
		struct imds_request *q = f->head != f->tail ? slot(f, f->tail) : NULL;

		if (q && f->body_in && f->scan_in.body_left == IMDS_BODY_UNTIL_CLOSE) {
			finish(c, f, q, IMDS_END_ANSWERED, now);
			f->tail++;
		}
		if (f->head != f->tail || f->in_request || !f->requests)
			finish_all(c, f, IMDS_END_PEER_FIN, now);
		f->closed = true;
	}
}

/* --- what routers say --------------------------------------------------------------------------------------------- */

/* Behind NAT the quoted addresses are the inner ones: then the sequence number alone tells whose it is. */
static struct flow *find_quoted(struct capture_flows *c, const struct segment *s, const struct tuple *t, bool of_client)
{
	struct flow *f = find(c, t);
	int left = 1024;

	for (struct flow *n = c->newest; !f && n && left--; n = n->older)
		if (of_client ? n->isn == s->seq
			      : n->deaths && !before(s->seq, n->dead_seq) && !before(n->dead_end, s->seq))
			f = n;
	return f;
}

static void from_router(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t,
			bool of_client)
{
	struct flow *f = find_quoted(c, s, t, of_client);
	bool exceeded = s->icmp_type == (s->family == 4 ? 11 : 3) && !s->icmp_code;
	bool forbidden = s->family == 4
			     ? s->icmp_type == 3 &&
				   (s->icmp_code == 3 || s->icmp_code == 9 || s->icmp_code == 10 || s->icmp_code == 13)
			     : s->icmp_type == 1 && (s->icmp_code == 1 || s->icmp_code == 4 || s->icmp_code == 5);

	if (!f)
		return;
	if (exceeded && !of_client) {
		if (!f->deaths) {
			f->deaths = 1;
			f->death_ns = p->ts_ns;
			f->dead_seq = f->dead_end = s->seq;
			f->dead_payload = !(s->flags & (SEGMENT_SYN | SEGMENT_RST)) && s->seq == f->rcv_nxt && f->has_rcv;
		}
		f->told = true;
	}
	if (forbidden && of_client && !f->synack_ns) {
		f->rejected = true;
		if (!f->closed)
			finish_all(c, f, IMDS_END_CLOSED, p->ts_ns);
	}
	evidence_changed(c, f);
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static bool is_endpoint(const void *arg, const struct imds_addr *a)
{
	const struct capture_flows *c = arg;

	for (size_t i = 0; i < c->o.endpoints_len; i++)
		if (c->o.endpoints[i].addr.d[1] == a->d[1] && c->o.endpoints[i].addr.d[0] == a->d[0])
			return true;
	return false;
}

static int endpoint_index(const struct capture_flows *c, const struct imds_addr *a, uint16_t port)
{
	for (size_t i = 0; i < c->o.endpoints_len; i++)
		if (!memcmp(&c->o.endpoints[i].addr, a, sizeof(*a)) &&
		    (c->o.endpoints[i].port ? c->o.endpoints[i].port == port : port != 53))
			return i;
	return -1;
}

void capture_flows_packet(struct capture_flows *c, const struct packet *p)
{
	enum parsed what;
	struct segment s;
	struct tuple t = { .pad = 0 };
	const char *place;
	uint32_t place_len;
	bool out;
	int e;

	c->stats.packets++;
	c->stats.first_ns = c->stats.first_ns ? c->stats.first_ns : p->ts_ns;
	c->stats.last_ns = p->ts_ns > c->stats.last_ns ? p->ts_ns : c->stats.last_ns;
	what = packet_parse(p, is_endpoint, c, &s);
	if (what == PARSED_OTHER)
		return;
	if (what == PARSED_LINK) {
		c->stats.unknown_link++;
		c->stats.unknown_link_type = p->link;
		return;
	}
	if (what == PARSED_CUT) {
		*(s.fragment ? &c->stats.fragments : &c->stats.cut) += 1;
		return;
	}
	e = endpoint_index(c, &s.dst, s.dst_port);
	out = e >= 0;
	if (!out)
		e = endpoint_index(c, &s.src, s.src_port);
	if (e < 0)
		return;
	c->stats.of_interest++;
	c->now_ns = p->ts_ns > c->now_ns ? p->ts_ns : c->now_ns;
	t.local = out ? s.src : s.dst;
	t.remote = out ? s.dst : s.src;
	t.local_port = out ? s.src_port : s.dst_port;
	t.remote_port = out ? s.dst_port : s.src_port;
	c->stats.bare += what == PARSED_TCP && s.length && !s.captured;
	place = dropped_at(p, &place_len);
	if (place) {
		if (!out)
			dropped(c, &s, &t, place, place_len, p->ts_ns);
	} else if (what == PARSED_ICMP)
		from_router(c, p, &s, &t, out);
	else if (out)
		from_client(c, p, &s, &t, e);
	else
		from_service(c, p, &s, &t);
	release(c, false);
	while (c->oldest && c->oldest->last_ns + IDLE_NS < c->now_ns) {
		give_up(c, c->oldest);
		forget(c, c->oldest);
	}
}

void capture_flows_end(struct capture_flows *c)
{
	c->now_ns = c->stats.last_ns > c->now_ns ? c->stats.last_ns : c->now_ns; /* other packets' time counts as well */
	while (c->oldest) {
		give_up(c, c->oldest);
		forget(c, c->oldest);
	}
	release(c, true);
}

struct capture_flows *capture_flows_new(const struct capture_flows_options *o)
{
	struct capture_flows *c = calloc(1, sizeof(*c));

	if (c) {
		c->o = *o;
		c->held_first = c->held_next = 1;
	}
	return c;
}

void capture_flows_free(struct capture_flows *c)
{
	while (c && c->oldest)
		forget(c, c->oldest); /* NOLINT(clang-analyzer-unix.Malloc): it takes the oldest off the list */
	free(c);
}

const struct capture_stats *capture_flows_stats(const struct capture_flows *c)
{
	return &c->stats;
}
