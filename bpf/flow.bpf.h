/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The request state machine: one flow per connection, up to IMDS_PIPELINE requests waiting on it. What goes beyond is
 * counted and paired with its answer, but not recorded.
 *
 * The egress program fills slot `head` and moves head on at the end of a request head; the ingress program answers
 * slot `tail` and moves tail on. The socket's own order (an answer comes after its request) keeps the two apart; the
 * one thing that can really happen twice at once, the end of a request (answer on one CPU, close(2) on another), is
 * decided by request_claim() under a spin lock.
 *
 * The global functions here and in share.bpf.h are verified once each, whatever calls them; inlined, the paths through them
 * would multiply beyond the verifier's limit. They take scalars only, as 5.10 demands (pointers came with 5.12), and look the
 * flow up by themselves.
 *
 * For a loader without CAP_PERFMON the verifier also follows what a CPU might only guess, behind the last round of a loop
 * too, and there on and on until it gives up. So loops with a known number of rounds are unrolled here, and where that
 * would make the code too long, in the scan of a head, there is a second program: lite, with shorter steps.
 */
#ifndef IMDSNOOP_FLOW_BPF_H
#define IMDSNOOP_FLOW_BPF_H

#include "parse.bpf.h"
#include "share.bpf.h"

#define SCAN_CHUNK 64				     /* bytes on the stack */
#define SCAN_CHUNKS 2				     /* of them in one call */
#define SCAN_ROUNDS (IMDS_SCAN_MAX / SCAN_CHUNK + 8) /* some more for heads and bodies that end inside a packet */
#define SCAN_CHUNK_LITE 16
#define SCAN_ROUNDS_LITE (IMDS_SCAN_MAX_LITE / SCAN_CHUNK_LITE + 8)
#define SKIP_WORTH 512 /* bytes left in a packet from which on imds_skip_line() pays */
#define SEQ_WINDOW (1u << 20)
#define FLOW_DELETE 0x100 /* imds_finish: forget the connection afterwards */

/* Where payload lies in a packet, as one argument: five are all that a function can have. */
#define RANGE(off, len) ((__u64)(off) << 32 | (len))

/*
 * The next bytes of a request, of an answer, in order: some of them, up to the end of a head or body. Returns how many
 * were used; 0: the rest of the packet is of no interest.
 */
int imds_request_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now);
int imds_answer_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now);
int imds_request_bytes_lite(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now);
int imds_answer_bytes_lite(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now);
/* Inside a header line that says nothing more: leaves out bytes up to its end, 64 at a time. Returns how many. */
int imds_skip_line(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u32 egress);
/* Index of the endpoint with this address (struct imds_addr's d[0] and d[1]) and port, or -1. */
int imds_endpoint(__u64 high, __u64 low, __u32 port);
/* Bytes of a client that does not speak HTTP, or hides it. */
int imds_opaque_out(__u64 cookie, __u32 len, __u32 seq_end, __u64 now);
/* A request begins, unless it is an empty line: returns how many bytes of the packet that is. Negative: they cannot be read. */
int imds_begin(struct __sk_buff *skb, __u64 cookie, __u64 range, __u64 now);
/* The request line in slot head is known, its head not yet complete. */
int imds_known(__u64 cookie, __u64 now);
/* The request in slot head is complete and waits for its answer. */
int imds_sent(__u64 cookie, __u32 query, __u64 now);
/* Ends the request in slot tail with enum imds_end end. */
int imds_finish_one(__u64 cookie, __u32 query, __u32 end, __u64 now);
/* The answer to slot tail is complete. */
int imds_answered(__u64 cookie, __u32 query, __u64 now);
/*
 * Ends every request that still waits or, on a connection that never carried one, the connect-only request in slot 0,
 * with enum imds_end end, | FLOW_DELETE.
 */
int imds_finish(__u64 cookie, __u32 query, __u32 end, __u64 now);

static __always_inline int endpoint_find(const struct imds_addr *addr, __u16 port)
{
	const volatile struct imds_endpoint *e = &imds_endpoints[0]; /* nearly always */

	if (e->addr.d[1] == addr->d[1] && e->addr.d[0] == addr->d[0] && (!e->port || e->port == port))
		return 0;
	return imds_endpoint(addr->d[0], addr->d[1], port);
}

static __always_inline struct imds_flow *flow_lookup(__u64 cookie, __u32 query)
{
	struct imds_flow_key key = { .cookie = cookie, .query = query };

	return bpf_map_lookup_elem(&imds_flows, &key);
}

/*
 * Request number n of the connection. Those that are not recorded share a place, end IMDS_END_COUNT, where nothing that is
 * written counts. All are values of one map: the verifier would go through what follows once for each.
 */
static __always_inline struct imds_request *flow_slot(struct imds_flow *f, __u32 n)
{
	struct imds_flow_key key = { .cookie = f->peer.cookie, .query = IMDS_FLOW_SLOT_OF(n) };
	struct imds_flow *place = f;

	if (n != f->own) {
		place = bpf_map_lookup_elem(&imds_flows, &key);
		if (!place) {
			key.query = IMDS_FLOW_SPILL;
			place = bpf_map_lookup_elem(&imds_flows, &key);
		}
		if (!place)
			place = f;
	}
	return &place->req;
}

static __always_inline __u32 flow_waiting(const struct imds_flow *f)
{
	return f->head - f->tail;
}

static __always_inline bool flow_opaque(const struct imds_flow *f)
{
	return imds_port_is_opaque(f->peer.remote_port);
}

/* The request that an answer's packet belongs to: the one waiting longest, else the one being sent. NULL: none. */
static __always_inline struct imds_request *flow_current(struct imds_flow *f)
{
	if (flow_waiting(f) || f->in_request)
		return flow_slot(f, f->tail);
	return 0;
}

static __always_inline void flow_tuple(const struct imds_flow *f, struct imds_tuple *t)
{
	t->local = f->peer.local;
	t->remote = f->peer.remote;
	t->rest = IMDS_TUPLE_REST(f->peer.local_port, f->peer.remote_port, f->peer.proto);
}

static __always_inline __u64 *waiting_place(__u32 seq, __u32 way)
{
	__u32 i = imds_waiting_index(seq) ^ way;

	barrier_var(i);
	return &imds_waiting[i & (IMDS_WAITING - 1)];
}

static __always_inline void fingerprint_clear(struct imds_flow *f)
{
	__u64 *place;

	if (!f->has_fingerprint)
		return;
	f->has_fingerprint = 0;
	place = waiting_place(f->fingerprint_seq, 0);
	if (*place != f->peer.cookie)
		place = waiting_place(f->fingerprint_seq, 1);
	if (*place == f->peer.cookie)
		*place = 0;
}

/* Of a connection whose answer is expected at rcv_nxt. When both places are taken it is this connection that has none. */
static __always_inline void fingerprint_set(struct imds_flow *f)
{
	__u64 *place;

	if (f->has_fingerprint && f->fingerprint_seq == f->rcv_nxt)
		return;
	fingerprint_clear(f);
	place = waiting_place(f->rcv_nxt, 0);
	if (*place)
		place = waiting_place(f->rcv_nxt, 1);
	if (*place) {
		count_loss(IMDS_LOSS_COLLISION);
		f->flags |= IMDS_F_UNFINDABLE;
		return;
	}
	f->fingerprint_seq = f->rcv_nxt;
	f->has_fingerprint = 1;
	*place = f->peer.cookie;
}

static __always_inline __u64 *syn_place(__u32 isn)
{
	__u32 i = imds_syns_index(isn);

	barrier_var(i);
	return &imds_syns[i & (IMDS_SYNS - 1)];
}

static __always_inline void syn_sent(struct imds_flow *f)
{
	__u64 *place = syn_place(f->snd_isn);

	if (*place) {
		count_loss(IMDS_LOSS_COLLISION);
		return;
	}
	*place = f->peer.cookie;
	__sync_fetch_and_add(&imds_syns_out, 1);
}

/* The SYN is answered, or its connection is over. */
static __always_inline void syn_done(const struct imds_flow *f)
{
	__u64 *place = syn_place(f->snd_isn);

	if (!f->syn_ns || *place != f->peer.cookie)
		return;
	*place = 0;
	__sync_fetch_and_add(&imds_syns_out, -1);
}

static __always_inline struct imds_refused *refused_place(__u64 cookie)
{
	__u32 i = cookie & (IMDS_REFUSED - 1);

	barrier_var(i);
	return &imds_refused[i & (IMDS_REFUSED - 1)];
}

/* True when b lies at most 1 MiB behind a, or at it: no window of a metadata client is larger. */
static __always_inline bool seq_near(__u32 a, __u32 b)
{
	return a - b <= SEQ_WINDOW;
}

/*
 * Whether a segment from the service can be of this connection: TCP would take it, or would have. Anybody may send
 * addresses and ports; the numbers are known to the two ends only.
 */
static __always_inline bool fits_answer(const struct imds_flow *f, __u32 seq, __u32 ack, __u8 flags)
{
	bool known = f->synack_ns || (f->flags & IMDS_F_MIDSTREAM);

	if ((flags & TCP_SYN) || !known)
		/* of the SYN, and of data in it (TCP Fast Open): some of that, or all */
		return f->syn_ns && (flags & TCP_ACK) && (flags & (TCP_SYN | TCP_RST)) &&
		       ack - (f->snd_isn + 1) <= f->snd_nxt - (f->snd_isn + 1);
	if (flags & TCP_RST) /* behind a FIN, too, and behind what came ahead of a gap: tcp_validate_incoming() */
		return seq - f->rcv_nxt <= f->fin_in || (f->ooo_end != f->ooo_start && seq == f->ooo_end);
	/* behind the last byte sent there may be a FIN */
	return (flags & TCP_ACK) && seq_near(f->snd_nxt + 1, ack) &&
	       (seq_near(f->rcv_nxt, seq) || seq_near(seq, f->rcv_nxt));
}

/* The same for a segment of the client's. */
static __always_inline bool fits_request(const struct imds_flow *f, __u32 seq, __u8 flags)
{
	if (flags & TCP_SYN)
		return f->syn_ns && seq == f->snd_isn;
	return seq_near(f->snd_nxt + 1, seq);
}

static __always_inline struct imds_flow *flow_create(const struct imds_flow_key *key, __u64 now, __u32 share,
						     __u64 cgroup_id)
{
	imds_open(key->cookie, key->query, now, share, cgroup_id);
	return flow_lookup(key->cookie, key->query);
}

/* A place for a request that begins while another one waits. */
static __always_inline void pipelined_place(struct imds_flow *f)
{
	bool room = flow_waiting(f) < IMDS_PIPELINE;
	struct imds_flow_key key = { .cookie = f->peer.cookie,
				     .query = room ? IMDS_FLOW_SLOT_OF(f->head) : IMDS_FLOW_SPILL };

	if (!bpf_map_update_elem(&imds_flows, &key, f, BPF_NOEXIST))
		flow_charge(f->share, 0);
	if (room)
		return;
	count_unfollowed(f, IMDS_LOSS_PIPELINE);
	f->flags |= IMDS_F_PIPELINE_FULL;
}

/* Starts slot head. A drop of the SYN is kept for the first request of the connection. */
static __always_inline struct imds_request *request_begin(struct imds_flow *f, __u64 now)
{
	bool recorded = flow_waiting(f) < IMDS_PIPELINE;
	struct imds_request *r;

	if (flow_waiting(f))
		pipelined_place(f);
	else
		f->own = f->head;
	r = flow_slot(f, f->head);
	if (f->requests) {
		__builtin_memset(r, 0, sizeof(*r));
		r->end = recorded ? IMDS_END_NONE : IMDS_END_COUNT;
		r->claimed = !recorded;
	} else {
		r->flags |= IMDS_F_FIRST;
	}
	r->start_ns = now;
	r->sent_ns = now;
	r->index = f->requests < 255 ? f->requests : 255;
	f->requests++;
	f->in_request = 1;
	f->scan_out = (struct imds_scan){};
	f->scan_out.state = IMDS_HTTP_START_REQUEST;
	return r;
}

#endif
