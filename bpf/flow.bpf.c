/* SPDX-License-Identifier: GPL-2.0-only */
/* The request state machine's larger steps, as global functions: see flow.bpf.h. */
#include "flow.bpf.h"

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

/* What the scan read of the head, into the request. Without "HTTP/" behind it a path is anybody's bytes: not kept. */
static __always_inline void request_take_scan(struct imds_request *r, const struct imds_scan *s)
{
	r->words = s->words;
	r->path_len = s->path_len;
	r->method = s->method;
	if (!(s->words & IMDS_W_HTTP)) {
		r->path_len = 0;
		__builtin_memset(r->path, 0, sizeof(r->path));
	}
}

static __always_inline struct imds_request_counters *request_counters(const struct imds_flow *f,
								      const struct imds_request *r)
{
	struct imds_request_key key = {
		.cgroup_id = f->peer.cgroup_id,
		.rest = (__u64)f->peer.endpoint << 32 | (__u32)imds_status_class(r->status) << 24 |
			(__u32)r->end << 16 | (__u32)r->version << 8 | r->kind,
	};
	struct imds_request_counters zero = {}, *c;

	c = bpf_map_lookup_elem(&imds_requests, &key);
	if (c)
		return c;
	/* another CPU may create it first: look again whatever update said */
	bpf_map_update_elem(&imds_requests, &key, &zero, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&imds_requests, &key);
	if (!c)
		count_loss(IMDS_LOSS_COUNTER_FULL);
	return c;
}

/* Ends request r of f: counts it, writes its record, once. The caller moves head and tail. Returns true if it was us. */
static __always_inline bool request_finish(struct imds_flow *f, struct imds_request *r, __u8 end, __u64 now)
{
	struct imds_request_counters *c;
	struct imds_rec_request *rec;

	if (!request_claim(f, r))
		return false;
	r->end_ns = now;
	r->end = end;
	r->flags |= f->flags;
	f->last_kind = r->kind;
	f->last_end = end;

	c = request_counters(f, r);
	if (c)
		__sync_fetch_and_add(&c->finished, 1);
	rec = bpf_ringbuf_reserve(&imds_ring, sizeof(*rec), 0);
	if (!rec) {
		count_loss(IMDS_LOSS_RING_REQUEST);
		if (c)
			__sync_fetch_and_add(&c->lost, 1);
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
	rec->ttl_synack = f->ttl_synack;
	rec->syn_retransmits = f->syn_retransmits;
	__builtin_memset(rec->pad, 0, sizeof(rec->pad));
	__builtin_memcpy(&rec->req, r, sizeof(rec->req));
	bpf_ringbuf_submit(rec, 0);
	return true;
}

/* The head (or, for what is not HTTP, the first packet) is complete: the request waits for its answer. */
__noinline int imds_sent(__u64 cookie, __u32 query, __u64 now)
{
	struct imds_flow_key key = { .cookie = cookie, .query = query };
	struct imds_flow *f = bpf_map_lookup_elem(&imds_flows, &key);
	__u8 class = IMDS_EP_OTHER;
	struct imds_request *r;
	__u32 e;

	if (!f)
		return 0;
	r = flow_slot(f, f->head);
	e = f->peer.endpoint;
	if (e < IMDS_MAX_ENDPOINTS)
		class = imds_endpoints[e & (IMDS_MAX_ENDPOINTS - 1)].class;
	request_take_scan(r, &f->scan_out);
	r->kind = f->peer.remote_port == PORT_DNS ? IMDS_KIND_DNS : imds_request_kind(r->method, r->words, class);
	r->version = imds_request_version(r->method, r->words, class, r->kind);
	r->sent_ns = now;
	f->in_request = 0;
	if (!flow_waiting(f)) {
		f->scan_in = (struct imds_scan){};
		f->scan_in.state = IMDS_HTTP_START_RESPONSE;
	}
	f->head++;
	if (r->kind == IMDS_KIND_TOKEN)
		fingerprint_set(f);
	return 0;
}

/* Writes what came after the last record and forgets the connection. */
static __always_inline void flow_delete(struct imds_flow *f, const struct imds_flow_key *key, __u64 now)
{
	struct imds_rec_flow_end *rec;
	struct imds_tuple t = {};

	flow_tuple(f, &t);
	bpf_map_delete_elem(&imds_tuples, &t);
	fingerprint_clear(f);
	if (f->late_drops || (f->flags & IMDS_F_LATE_ANSWER)) {
		rec = bpf_ringbuf_reserve(&imds_ring, sizeof(*rec), 0);
		if (rec) {
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
		} else {
			count_loss(IMDS_LOSS_RING_FLOW_END);
		}
	}
	if (!bpf_map_delete_elem(&imds_flows, key))
		__sync_fetch_and_add(&imds_flows_deleted, 1);
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
		r = flow_slot(f, f->tail);
		if (request_finish(f, r, end, now))
			f->tail++;
		else
			break;
	}
	if (f->in_request && f->head == f->tail) { /* head cut short */
		r = flow_slot(f, f->head);
		request_take_scan(r, &f->scan_out);
		if (request_finish(f, r, end, now)) {
			f->in_request = 0;
			f->head++;
			f->tail++;
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

/* Answer to slot tail is complete. */
__noinline int imds_answered(__u64 cookie, __u32 query, __u64 now)
{
	struct imds_flow *f = flow_lookup(cookie, query);

	if (!f)
		return 0;
	if (request_finish(f, flow_slot(f, f->tail), IMDS_END_ANSWERED, now))
		f->tail++;
	f->scan_in = (struct imds_scan){};
	f->scan_in.state = IMDS_HTTP_START_RESPONSE;
	if (f->scan_out.body_left == BODY_UNTIL_CLOSE) /* a chunked request body ended before the answer did */
		f->scan_out.body_left = 0;
	return 0;
}

/*
 * The bytes are copied to the stack, never into a map: they may hold a token. The words are shifted along instead of
 * indexed, because 5.10 forbids reading the stack at a variable offset. chunk is a constant power of two.
 */
static __always_inline int scan(struct __sk_buff *skb, struct imds_scan *s, char *path, __u32 off, __u32 len, __u32 chunk)
{
	__u64 w[SCAN_CHUNK / 8] = {};
	__u32 n = len / chunk, k = 0, state, words;

	/*
	 * The lesser of len and chunk without a branch, so that the verifier goes through the loop with one range for n, not
	 * also with the constant; and with a lower bound of 1, which those before 6.8 do not learn from "not 0".
	 */
	n = (__s32)(n | -n) >> 31;
	barrier_var(n);
	n = ((len - 1) | n) & (chunk - 1);
	barrier_var(n);
	n = (n & (chunk - 1)) + 1;
	if (!len || bpf_skb_load_bytes(skb, off, w, n))
		return 0;
	state = s->state;
	words = s->words;
#define BYTE()                                                                      \
	if (k >= n)                                                                 \
		break;                                                              \
	state = imds_scan_step(&imds_http, s, path, state, &words, &n, (__u8)w[0]); \
	w[0] >>= 8
#define WORD()  \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++;    \
	BYTE(); \
	k++
	if (chunk == SCAN_CHUNK_LITE) {
		do {
			WORD();
			w[0] = w[1];
			WORD();
		} while (0);
	} else {
		for (k = 0; k < SCAN_CHUNK; k++) {
			BYTE(); /* n is 0 behind the end of the head */
			if ((k & 7) == 7) {
				w[0] = w[1];
				w[1] = w[2];
				w[2] = w[3];
				w[3] = w[4];
				w[4] = w[5];
				w[5] = w[6];
				w[6] = w[7];
			}
		}
	}
#undef BYTE
#undef WORD
	s->state = state;
	s->words = words;
	return k;
}

/* Of a connection older than us the first bytes may be the middle of a body: only a method that we know is a start. */
static __always_inline bool begins_request(struct __sk_buff *skb, __u32 off)
{
	__u8 b[4];

	if (bpf_skb_load_bytes(skb, off, b, sizeof(b)))
		return false;
	return (b[0] == 'G' && b[1] == 'E' && b[2] == 'T' && b[3] == ' ') ||
	       (b[0] == 'P' && b[1] == 'U' && b[2] == 'T' && b[3] == ' ') ||
	       (b[0] == 'P' && b[1] == 'O' && b[2] == 'S' && b[3] == 'T') ||
	       (b[0] == 'H' && b[1] == 'E' && b[2] == 'A' && b[3] == 'D');
}

/* New request bytes. */
static __always_inline int request_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now,
					 __u32 chunk)
{
	__u32 off = range >> 32, len = range, n;
	struct imds_flow *f = flow_lookup(cookie, 0);
	struct imds_request *r;

	if (!f || !len)
		return 0;
	if (flow_opaque(f)) {
		if (!f->in_request && !flow_waiting(f)) {
			r = request_begin(f, now);
			r->bytes_out += len;
			r->seq_end = seq_end;
			imds_sent(cookie, 0, now);
		}
		return 0;
	}
	if (f->scan_out.body_left) {
		n = f->scan_out.body_left < len ? f->scan_out.body_left : len;
		if (f->scan_out.body_left != BODY_UNTIL_CLOSE)
			f->scan_out.body_left -= n;
		r = flow_slot(f, f->head - 1);
		r->bytes_out += n;
		r->seq_end = seq_end - (len - n);
		r->sent_ns = now;
		return n;
	}
	if (f->in_request) {
		r = flow_slot(f, f->head);
	} else {
		if (flow_waiting(f) >= IMDS_PIPELINE) {
			count_loss(IMDS_LOSS_PIPELINE);
			f->flags |= IMDS_F_NO_PAIRING;
			return 0;
		}
		r = request_begin(f, now);
		if ((f->flags & IMDS_F_MIDSTREAM) && (r->flags & IMDS_F_FIRST) && !begins_request(skb, off))
			f->scan_out.state = IMDS_HTTP_DEAD;
	}
	n = f->scan_out.state == IMDS_HTTP_DEAD ? len : scan(skb, &f->scan_out, r->path, off, len, chunk);
	r->bytes_out += n;
	r->seq_end = seq_end - (len - n);
	r->sent_ns = now;
	if (imds_scan_ended(&f->scan_out)) {
		__u32 body = f->scan_out.words & IMDS_W_H_CHUNKED ? BODY_UNTIL_CLOSE : f->scan_out.length;

		r->flags |= IMDS_F_HEAD_COMPLETE;
		imds_sent(cookie, 0, now);
		f->scan_out.body_left = body;
		f->scan_out.length = 0;
	}
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

/* A chunked body ends with an empty chunk (RFC 9112 7.1), always last in its packet here. */
static __always_inline bool ends_in_empty_chunk(struct __sk_buff *skb, __u32 end)
{
	__u8 last[5];

	return end >= 5 && !bpf_skb_load_bytes(skb, end - 5, last, 5) && last[0] == '0' && last[1] == '\r' &&
	       last[2] == '\n' && last[3] == '\r' && last[4] == '\n';
}

/* The head of an answer was read: how its body ends. RFC 9112 6.3. */
static __always_inline __u32 answer_body(const struct imds_request *r, const struct imds_scan *s)
{
	if (r->method == IMDS_METHOD_HEAD || r->status == 204 || r->status == 304)
		return 0;
	return !(s->words & IMDS_W_H_CHUNKED) && (s->words & IMDS_W_H_LENGTH) ? s->length : BODY_UNTIL_CLOSE;
}

/* New answer bytes. */
static __always_inline int answer_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now,
					__u32 chunk)
{
	__u32 off = range >> 32, len = range, n;
	struct imds_flow *f = flow_lookup(cookie, 0);
	struct imds_request *r;
	bool done = false;

	if (!f || !len)
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
		done = true;
	} else if (f->scan_in.body_left) {
		n = f->scan_in.body_left < len ? f->scan_in.body_left : len;
		if (f->scan_in.body_left == BODY_UNTIL_CLOSE) {
			done = (f->scan_in.words & IMDS_W_H_CHUNKED) && ends_in_empty_chunk(skb, off + len);
		} else {
			f->scan_in.body_left -= n;
			done = !f->scan_in.body_left;
		}
	} else {
		n = f->scan_in.state == IMDS_HTTP_DEAD ? len : scan(skb, &f->scan_in, 0, off, len, chunk);
		if (!imds_scan_ended(&f->scan_in)) {
			;
		} else if (f->scan_in.status >= 100 && f->scan_in.status < 200) { /* the real one follows */
			f->scan_in = (struct imds_scan){};
			f->scan_in.state = IMDS_HTTP_START_RESPONSE;
		} else {
			r->status = f->scan_in.status;
			f->scan_in.body_left = answer_body(r, &f->scan_in);
			done = !f->scan_in.body_left;
		}
	}
	r->bytes_in += n;
	if (done)
		imds_answered(cookie, 0, now);
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

/*
 * Each addition with an offset of its own: a variable one is what a loader without CAP_PERFMON may not have. The barrier
 * keeps the compiler from making one of them all.
 */
static __always_inline void count_one(struct imds_packet_counters *c, __u32 direction, __u32 proto, __u32 len)
{
	barrier_var(c);
	__sync_fetch_and_add(&c->packets[direction][proto], 1);
	__sync_fetch_and_add(&c->bytes[direction], len);
}

static __always_inline void count_direction(struct imds_packet_counters *c, __u32 direction, __u32 proto, __u32 len)
{
	if (proto == IPPROTO_TCP)
		count_one(c, direction, IMDS_PROTO_TCP, len);
	else if (proto == IPPROTO_UDP)
		count_one(c, direction, IMDS_PROTO_UDP, len);
	else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		count_one(c, direction, IMDS_PROTO_ICMP, len);
	else
		count_one(c, direction, IMDS_PROTO_OTHER, len);
}

__noinline int imds_count_packet(__u64 cgroup_id, __u32 proto, __u32 len, __u32 direction)
{
	struct imds_packet_counters zero = {}, *c;

	c = bpf_map_lookup_elem(&imds_packets, &cgroup_id);
	if (!c) {
		bpf_map_update_elem(&imds_packets, &cgroup_id, &zero, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&imds_packets, &cgroup_id);
		if (!c) {
			count_loss(IMDS_LOSS_COUNTER_FULL);
			return 0;
		}
	}
	if (direction == IMDS_EGRESS)
		count_direction(c, IMDS_EGRESS, proto, len);
	else
		count_direction(c, IMDS_INGRESS, proto, len);
	return 0;
}
