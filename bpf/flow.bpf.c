/* SPDX-License-Identifier: GPL-2.0-only */
/* The request state machine's larger steps, as global functions: see flow.bpf.h. */
#include "scan.bpf.h"

/* True for the one caller that may write the request's record. */
static __always_inline bool request_claim(struct imds_flow *f, struct imds_request *r)
{
	__u32 i = f->peer.cookie & (IMDS_LOCKS - 1);
	struct imds_lock *l = bpf_map_lookup_elem(&imds_locks, &i);
	bool won;

	if (!l)
		return false;
	bpf_spin_lock(&l->lock);
	won = !r->claimed;
	r->claimed = 1;
	bpf_spin_unlock(&l->lock);
	return won;
}

/* Costs its maker no more than us: no answer was needed for it. */
static __always_inline bool is_cheap(const struct imds_request *r)
{
	return r->kind == IMDS_KIND_CONNECT_ONLY || r->kind == IMDS_KIND_DNS;
}

static __always_inline bool request_may_record(const struct imds_flow *f, const struct imds_request *r, __u64 now)
{
	bool unsent = r->kind == IMDS_KIND_CONNECT_ONLY && !f->syn_ns && !(f->flags & IMDS_F_MIDSTREAM);

	return imds_may_record(f->share, unsent ? f->peer.cgroup_id << 32 ^ f->peer.pid : 0, is_cheap(r), now);
}

/* NULL: there is no room, in the table or in its pod's share. */
static __always_inline struct imds_request_counters *request_counters(const struct imds_flow *f,
								      const struct imds_request *r)
{
	struct imds_request_key key = {
		.cgroup_id = f->peer.cgroup_id,
		.rest = (__u64)r->death << 40 | (__u64)f->peer.endpoint << 32 | (__u32)imds_status_class(r->status) << 24 |
			(__u32)r->end << 16 | (__u32)r->version << 8 | r->kind,
	};
	struct imds_request_counters *c;
	bool made;

	c = bpf_map_lookup_elem(&imds_requests, &key);
	if (c)
		return c;
	if (counters_are_full(f->share, IMDS_COUNTERS_REQUESTS))
		return 0;
	/* another CPU may create it first: look again whatever update said. A flow is long enough */
	made = !bpf_map_update_elem(&imds_requests, &key, (const void *)&imds_zero_flow, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&imds_requests, &key);
	if (!c) {
		count_loss(IMDS_LOSS_COUNTER_FULL);
	} else if (made) {
		c->share = f->share;
		counters_charge(f->share, IMDS_COUNTERS_REQUESTS);
	}
	return c;
}

/*
 * Ends request r of f: counts it, writes its record, once. The caller moves head and tail. Returns true if it was us, or
 * if there is no record to write.
 */
static __always_inline bool request_finish(struct imds_flow *f, struct imds_request *r, __u8 end, __u64 now)
{
	struct imds_packet_counters *packets;
	struct imds_request_counters *c;
	struct imds_rec_request *rec;
	bool may;

	if (r->end == IMDS_END_COUNT)
		return true;
	if (!request_claim(f, r))
		return false;
	r->end_ns = now;
	r->end = end;
	r->flags |= f->flags | imds_acked(f, r);
	/* of several that end without an answer: what may come late is the first one's */
	if (end == IMDS_END_ANSWERED || f->last_end == IMDS_END_ANSWERED || f->last_end == IMDS_END_NONE)
		f->last_kind = r->kind;
	f->last_end = end;

	c = request_counters(f, r);
	if (c)
		__sync_fetch_and_add(&c->finished, 1);
	may = request_may_record(f, r, now);
	rec = may ? bpf_ringbuf_reserve(&imds_ring, sizeof(*rec), 0) : 0;
	if (!rec) {
		if (may || !is_cheap(r)) { /* the ring had no room for more of this pod's */
			count_loss(IMDS_LOSS_RING_REQUEST);
		} else {
			barrier_var(c); /* two additions, not one at a variable offset: see count_one() */
			count_loss(IMDS_LOSS_RECORD_SHARE);
		}
		if (c) {
			__sync_fetch_and_add(&c->lost, 1);
			return true;
		}
		packets = packet_counters(f->peer.cgroup_id, f->share);
		if (packets)
			__sync_fetch_and_add(&packets->untracked, 1);
		return true;
	}
	rec->hdr.type = IMDS_REC_REQUEST;
	rec->hdr.len = sizeof(*rec);
	rec->hdr.cpu = bpf_get_smp_processor_id();
	rec->hdr.ts_ns = now;
	__builtin_memcpy(&rec->peer, &f->peer, sizeof(rec->peer));
	rec->syn_ns = f->syn_ns;
	rec->synack_ns = f->synack_ns;
	rec->connect_call_ns = f->connect_call_ns;
	rec->to = f->to;
	rec->to_port = f->to_port;
	rec->ttl_synack = f->ttl_synack;
	rec->syn_retransmits = f->syn_retransmits;
	__builtin_memset(rec->pad, 0, sizeof(rec->pad));
	__builtin_memcpy(&rec->req, r, sizeof(rec->req));
	bpf_ringbuf_submit(rec, 0);
	return true;
}

static __always_inline void request_know(struct imds_flow *f, struct imds_request *r)
{
	__u8 class = IMDS_EP_OTHER;
	__u32 e = f->peer.endpoint;
	bool given_port = false; /* the user named one */

	if (e < IMDS_MAX_ENDPOINTS) {
		class = imds_endpoints[e & (IMDS_MAX_ENDPOINTS - 1)].class;
		given_port = imds_endpoints[e & (IMDS_MAX_ENDPOINTS - 1)].port;
	}
	imds_request_know(r, &f->scan_out, f->peer.remote_port, class, given_port);
	if (f->peer.proto == IPPROTO_TCP && !flow_waiting(f) && !r->first_byte_ns)
		fingerprint_set(f);
}

static __always_inline void request_sent(struct imds_flow *f, struct imds_request *r, __u64 now)
{
	request_know(f, r);
	r->sent_ns = now;
	f->in_request = 0;
	if (!flow_waiting(f)) {
		f->scan_in = (struct imds_scan){};
		f->scan_in.state = IMDS_HTTP_START_RESPONSE;
	}
	f->head++;
}

__noinline int imds_known(__u64 cookie, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, 0);

	if (f && f->in_request && (f->scan_out.words & IMDS_W_HTTP))
		request_know(f, flow_slot(f, f->head));
	return 0;
}

/* The head (or, for what is not HTTP, the first packet) is complete: the request waits for its answer. */
__noinline int imds_sent(__u64 cookie, __u32 query, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, query);

	if (f)
		request_sent(f, flow_slot(f, f->head), now);
	return 0;
}

/* Moves on from slot tail, which request_finish() has dealt with. */
static __always_inline void flow_next(struct imds_flow *f)
{
	struct imds_flow_key key = { .cookie = f->peer.cookie, .query = IMDS_FLOW_SLOT_OF(f->tail) };

	if (f->tail != f->own && !bpf_map_delete_elem(&imds_flows, &key))
		flow_uncharge(f->share, 0);
	f->tail++;
}

/* Two networks of one node may use the same addresses and ports: the tuple is the newer connection's. */
static __always_inline void flow_forget_tuple(const struct imds_flow *f, const struct imds_flow_key *key,
					      const struct imds_tuple *t)
{
	struct imds_flow_key *owner = bpf_map_lookup_elem(&imds_tuples, t);

	if (owner && owner->cookie == key->cookie && owner->query == key->query)
		bpf_map_delete_elem(&imds_tuples, t);
}

/* What came after the last record. */
static __always_inline void flow_tell_end(struct imds_flow *f, __u64 now)
{
	struct imds_rec_flow_end *rec = bpf_ringbuf_reserve(&imds_ring, sizeof(*rec), 0);

	if (!rec) {
		count_loss(IMDS_LOSS_RING_FLOW_END);
		return;
	}
	rec->hdr.type = IMDS_REC_FLOW_END;
	rec->hdr.len = sizeof(*rec);
	rec->hdr.cpu = bpf_get_smp_processor_id();
	rec->hdr.ts_ns = now;
	__builtin_memcpy(&rec->peer, &f->peer, sizeof(rec->peer));
	rec->requests = f->requests;
	rec->late_drops = f->late_drops;
	rec->flags = f->flags;
	rec->last_kind = f->last_kind;
	rec->last_end = f->last_end;
	rec->ttl_late = f->ttl_late;
	rec->pad = 0;
	bpf_ringbuf_submit(rec, 0);
}

/* Forgets the connection. */
static __always_inline void flow_delete(struct imds_flow *f, const struct imds_flow_key *key, __u64 now)
{
	struct imds_tuple t = {};
	__u32 share;

	flow_tuple(f, &t);
	flow_forget_tuple(f, key, &t);
	fingerprint_clear(f);
	syn_done(f);
	if (f->flags & IMDS_F_PIPELINE_FULL) {
		struct imds_flow_key spill = { .cookie = key->cookie, .query = IMDS_FLOW_SPILL };

		if (!bpf_map_delete_elem(&imds_flows, &spill))
			flow_uncharge(f->share, 0);
	}
	if (f->late_drops || (f->flags & IMDS_F_LATE_ANSWER))
		flow_tell_end(f, now);
	share = f->share;
	if (bpf_map_delete_elem(&imds_flows, key)) /* another CPU was first */
		return;
	flow_uncharge(share, key->query);
}

/* Ends the request in slot tail. */
__noinline int imds_finish_one(__u64 cookie, __u32 query, __u32 end, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, query);

	if (f && flow_waiting(f) && request_finish(f, flow_slot(f, f->tail), end, now))
		flow_next(f);
	return 0;
}

__noinline int imds_finish(__u64 cookie, __u32 query, __u32 what, __u64 now)
{
	struct imds_flow_key key = { .cookie = cookie, .query = query };
	struct imds_flow *f = bpf_map_lookup_elem(&imds_flows, &key);
	struct imds_request *r;
	__u8 end = what;

	if (!f)
		return 0;

#pragma unroll
	for (int i = 0; i < IMDS_PIPELINE; i++) {
		if (f->head == f->tail)
			break;
		imds_finish_one(cookie, query, end, now);
	}
	if (f->head != f->tail) /* the rest are not recorded */
		f->tail = f->head;
	if (f->in_request) { /* head cut short */
		r = flow_slot(f, f->head);
		imds_request_take(r, &f->scan_out);
		if (request_finish(f, r, end, now)) {
			f->in_request = 0;
			f->head++;
			flow_next(f);
		}
	} else if (!f->requests) {
		r = flow_slot(f, 0);
		r->kind = f->peer.remote_port == PORT_DNS ? IMDS_KIND_DNS : IMDS_KIND_CONNECT_ONLY;
		r->start_ns = f->connect_call_ns ? f->connect_call_ns : f->syn_ns;
		f->requests = 1;
		request_finish(f, r, end, now);
	}
	if (what & FLOW_DELETE)
		flow_delete(f, &key, now);
	return 0;
}

static __always_inline void flow_answered(struct imds_flow *f, __u64 now)
{
	if (flow_waiting(f) && request_finish(f, flow_slot(f, f->tail), IMDS_END_ANSWERED, now))
		flow_next(f);
	f->scan_in = (struct imds_scan){};
	f->scan_in.state = IMDS_HTTP_START_RESPONSE;
}

/* Answer to slot tail is complete. */
__noinline int imds_answered(__u64 cookie, __u32 query, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, query);

	if (!f)
		return 0;
	flow_answered(f, now);
	return 0;
}

__noinline int imds_skip_line(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u32 egress)
{
	__u32 off = range >> 32, len = range, n;
	struct imds_flow *f = flow_lookup(cookie, 0);
	struct imds_request *r;

	if (!f || f->tunnel || (egress ? &f->scan_out : &f->scan_in)->state != IMDS_HTTP_ANY)
		return 0;
	n = line_bytes(skb, off, len);
	if (!n || !(egress ? f->head - f->tail + f->in_request : flow_waiting(f)))
		return 0;
	if (egress) {
		r = flow_slot(f, f->in_request ? f->head : f->head - 1);
		r->bytes_out += n;
		r->seq_end = seq_end - (len - n);
		r->sent_ns = bpf_ktime_get_ns();
	} else {
		r = flow_slot(f, f->tail);
		r->bytes_in += n;
		r->last_byte_ns = bpf_ktime_get_ns();
	}
	return n;
}

/* Of a connection older than us the first bytes may be the middle of a body: only a method that we know is a start. */
static __always_inline bool begins_request(__u32 b)
{
#define FOUR(a, b, c, d) (bpf_htonl((a) << 24 | (b) << 16 | (c) << 8 | (d)))
	return b == FOUR('G', 'E', 'T', ' ') || b == FOUR('P', 'U', 'T', ' ') || b == FOUR('P', 'O', 'S', 'T') ||
	       b == FOUR('H', 'E', 'A', 'D');
#undef FOUR
}

/* What goes out next belongs to the request before, which is answered or waits: its body, or the rest of its head. */
static __always_inline bool within_request(const struct imds_flow *f)
{
	const struct imds_scan *s = &f->scan_out;

	if (f->in_request)
		return false;
	if (s->state == IMDS_HTTP_DEAD)
		return (s->words & IMDS_W_BODY) && flow_waiting(f);
	return s->body_left || (s->state != IMDS_HTTP_ENDED && s->state != IMDS_HTTP_START_REQUEST);
}

/* Not HTTP: all that goes out until an answer comes is one request, and all that comes until the next one its answer. */
__noinline int imds_opaque_out(__u64 cookie, __u32 len, __u32 seq_end, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, 0);
	struct imds_request *r;

	if (!f)
		return 0;
	if (flow_waiting(f) && flow_slot(f, f->tail)->first_byte_ns)
		flow_answered(f, now);
	if (!flow_waiting(f)) {
		request_begin(f, now);
		request_sent(f, flow_slot(f, f->head), now);
	}
	r = flow_slot(f, f->tail);
	r->bytes_out += len;
	r->seq_end = seq_end;
	r->sent_ns = now;
	return 0;
}

__noinline int imds_begin(struct __sk_buff *skb, __u64 cookie, __u64 range, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, 0);
	__u32 off = range >> 32, len = range, b = 0;

	if (!f || !len || bpf_skb_load_bytes(skb, off, &b, len < sizeof(b) ? 1 : sizeof(b)))
		return -1;
	if ((b & 0xff) == '\r' || (b & 0xff) == '\n') /* an empty line behind a request is none: RFC 9112 2.2 */
		return (b & 0xffff) == ('\r' | '\n' << 8) ? 2 : 1;
	/* the client goes on, so what it got was whole, whatever we could read of it */
	if (flow_waiting(f) == 1 && f->scan_in.body_left == IMDS_BODY_UNTIL_CLOSE)
		flow_answered(f, now);
	request_begin(f, now);
	if ((f->flags & IMDS_F_MIDSTREAM) && f->requests == 1 && !begins_request(b))
		f->scan_out.state = IMDS_HTTP_DEAD;
	return 0;
}

/* What was looked at ended the head, a line of a chunked body, or neither. Returns how many bytes of body follow in left. */
static __always_inline __u32 request_scanned(struct imds_flow *f, struct imds_request *r, __u32 left)
{
	struct imds_scan *s = &f->scan_out;

	if (s->words & IMDS_W_BODY) {
		imds_body_scanned(s);
		return 0;
	}
	if (!imds_scan_ended(s))
		return 0;
	r->flags |= IMDS_F_HEAD_COMPLETE;
	if (f->in_request)
		request_sent(f, r, r->sent_ns);
	return imds_body_begin(s, false, false) && s->body_left && left ? imds_body_skip(s, left) : 0;
}

/* New request bytes. What is known before the scan goes into the request before it: 5.10 has no stack to keep it on. */
static __always_inline int request_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now,
					 __u32 chunk)
{
	__u32 off = range >> 32, len = range;
	struct imds_flow *f = flow_lookup(cookie, 0);
	struct imds_request *r;
	bool within;
	int n;

	if (!f || !len || f->tunnel)
		return 0;
	within = within_request(f);
	if (!within && !f->in_request) {
		n = imds_begin(skb, cookie, range, now);
		if (n)
			return n < 0 ? 0 : n;
	}
	r = flow_slot(f, f->head - within);
	r->sent_ns = now;
	r->seq_end = seq_end - len;
	if (f->scan_out.body_left) {
		n = imds_body_skip(&f->scan_out, len);
	} else {
		n = scan_some(skb, &f->scan_out, r->path, off, len, chunk);
		n += request_scanned(f, r, len - n);
	}
	r->bytes_out += n;
	r->seq_end += n;
	return n;
}

__noinline int imds_request_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now)
{
	return request_bytes(skb, cookie, range, seq_end, now, SCAN_CHUNK);
}

__noinline int imds_request_bytes_lite(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now)
{
	return request_bytes(skb, cookie, range, seq_end, now, SCAN_CHUNK_LITE);
}

/* An answer's first byte proves that the request was complete, whatever we saw of its head. */
static __always_inline void flow_end_head(struct imds_flow *f, __u64 cookie, __u64 now)
{
	if (f->in_request && !flow_waiting(f)) {
		struct imds_request *r = flow_slot(f, f->head);
		__u64 sent = r->sent_ns;

		imds_sent(cookie, 0, now);
		r->sent_ns = sent;
	}
}

/* An interim answer ended: the one that counts is still to come. */
static __always_inline void answer_interim(struct imds_flow *f, struct imds_request *r)
{
	f->scan_in = (struct imds_scan){};
	f->scan_in.state = IMDS_HTTP_START_RESPONSE;
	r->first_byte_ns = 0;
	r->last_byte_ns = 0;
}

/* The head of an answer ended. Returns true when the answer did, too. */
static __always_inline bool answer_head_ended(struct imds_flow *f, struct imds_request *r)
{
	__u16 status = f->scan_in.status;

	if (status == 101) {
		f->tunnel = 1;
		return true;
	}
	if (status < 200) {
		answer_interim(f, r);
		return false;
	}
	return !imds_body_begin(&f->scan_in, true, r->method == IMDS_METHOD_HEAD || status == 204 || status == 304);
}

/* Body bytes; *ret_done: the last one was among them. */
static __always_inline __u32 answer_body(struct imds_flow *f, __u32 len, bool *ret_done)
{
	__u32 n = imds_body_skip(&f->scan_in, len);

	*ret_done = !f->scan_in.body_left && !(f->scan_in.words & IMDS_W_BODY);
	return n;
}

/* New answer bytes. */
static __always_inline int answer_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now,
					__u32 chunk)
{
	__u32 off = range >> 32, len = range, n;
	struct imds_flow *f = flow_lookup(cookie, 0);
	struct imds_request *r;
	bool done = false;

	if (!f || !len || f->tunnel)
		return 0;
	flow_end_head(f, cookie, now);
	if (!flow_waiting(f)) {
		if (f->last_end == IMDS_END_CLOSED) { /* the client had given up */
			f->flags |= IMDS_F_LATE_ANSWER;
			f->ttl_late = ttl;
		}
		return 0;
	}
	r = flow_slot(f, f->tail);
	if (!r->first_byte_ns) {
		r->first_byte_ns = now;
		r->ttl_response = ttl;
		fingerprint_clear(f);
	}
	r->last_byte_ns = now;
	if (flow_opaque(f)) {
		n = len;
		f->scan_in.body_left = IMDS_BODY_UNTIL_CLOSE;
	} else if (f->scan_in.body_left) {
		n = answer_body(f, len, &done);
	} else {
		n = scan_some(skb, &f->scan_in, 0, off, len, chunk);
		if (f->scan_in.words & IMDS_W_BODY) {
			done = !imds_body_scanned(&f->scan_in);
		} else {
			if ((f->scan_in.words & IMDS_W_HTTP) && f->scan_in.status >= 101)
				r->status = f->scan_in.status == 101 || f->scan_in.status >= 200 ? f->scan_in.status : 0;
			if (imds_scan_ended(&f->scan_in))
				done = answer_head_ended(f, r);
			if (f->scan_in.body_left && n < len)
				n += answer_body(f, len - n, &done);
		}
		if (f->scan_in.state == IMDS_HTTP_DEAD) /* not HTTP, or no chunks: nobody but the client knows its end */
			f->scan_in.body_left = IMDS_BODY_UNTIL_CLOSE;
	}
	r->bytes_in += n;
	if (done)
		flow_answered(f, now);
	return n;
}

__noinline int imds_answer_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now)
{
	return answer_bytes(skb, cookie, range, ttl, now, SCAN_CHUNK);
}

__noinline int imds_answer_bytes_lite(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now)
{
	return answer_bytes(skb, cookie, range, ttl, now, SCAN_CHUNK_LITE);
}

__noinline int imds_endpoint(__u64 high, __u64 low, __u32 port)
{
#pragma unroll
	for (__u32 i = 0; i < IMDS_MAX_ENDPOINTS; i++) {
		const volatile struct imds_endpoint *e = &imds_endpoints[i];

		if (i >= imds_endpoints_len)
			break;
		if (e->addr.d[1] == low && e->addr.d[0] == high && (!e->port || e->port == port))
			return i;
	}
	return -1;
}
