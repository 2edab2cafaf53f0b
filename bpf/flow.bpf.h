/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The request state machine: one flow per connection, up to IMDS_PIPELINE requests waiting on it.
 *
 * The egress program fills slot `head` and moves head on at the end of a request head; the ingress program answers
 * slot `tail` and moves tail on. The socket's own order (an answer comes after its request) keeps the two apart; the
 * one thing that can really happen twice at once, the end of a request (answer on one CPU, close(2) on another), is
 * decided by request_claim() under a spin lock.
 *
 * The global functions of flow.bpf.c are verified once each, whatever calls them; inlined, the paths through them would
 * multiply beyond the verifier's limit. They take scalars only, as 5.10 demands (pointers came with 5.12), and look the
 * flow up by themselves.
 */
#ifndef IMDSNOOP_FLOW_BPF_H
#define IMDSNOOP_FLOW_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

#define BODY_UNTIL_CLOSE 0xffffffffu
#define SCAN_CHUNK 64			/* bytes looked at in one call */
#define SCAN_ROUNDS (IMDS_SCAN_MAX / SCAN_CHUNK + 8)	/* some more for heads and bodies that end inside a packet */
#define FLOW_DELETE 0x100		/* imds_finish: forget the connection afterwards */

/* Where payload lies in a packet, as one argument: five are all that a function can have. */
#define RANGE(off, len) ((__u64)(off) << 32 | (len))

/*
 * The next bytes of a request, of an answer, in order: some of them, up to the end of a head or body. Returns how many
 * were used; 0: the rest of the packet is of no interest.
 */
int imds_request_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 seq_end, __u64 now);
int imds_answer_bytes(struct __sk_buff *skb, __u64 cookie, __u64 range, __u32 ttl, __u64 now);
/* The request in slot head is complete and waits for its answer. */
int imds_sent(__u64 cookie, __u32 query, __u64 now);
/* The answer to slot tail is complete. */
int imds_answered(__u64 cookie, __u32 query, __u64 now);
/*
 * Ends every request that still waits or, on a connection that never carried one, the connect-only request in slot 0,
 * with enum imds_end end, | FLOW_DELETE.
 */
int imds_finish(__u64 cookie, __u32 query, __u32 end, __u64 now);

static __always_inline struct imds_flow *flow_lookup(__u64 cookie, __u32 query)
{
	struct imds_flow_key key = { .cookie = cookie, .query = query };

	return bpf_map_lookup_elem(&imds_flows, &key);
}

static __always_inline struct imds_request *flow_slot(struct imds_flow *f, __u32 n)
{
	n &= IMDS_PIPELINE - 1;
	barrier_var(n);
	return &f->req[n & (IMDS_PIPELINE - 1)];
}

static __always_inline __u32 flow_waiting(const struct imds_flow *f)
{
	return f->head - f->tail;
}

/* Not HTTP, or hidden: a request is what goes out until an answer comes. */
static __always_inline bool flow_opaque(const struct imds_flow *f)
{
	return f->peer.remote_port == PORT_DNS || f->peer.remote_port == PORT_HTTPS;
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
	t->local_port = f->peer.local_port;
	t->remote_port = f->peer.remote_port;
	t->proto = f->peer.proto;
}

static __always_inline void fingerprint_set(struct imds_flow *f, const struct imds_flow_key *key)
{
	struct imds_fingerprint p = {
		.remote = f->peer.remote,
		.remote_port = f->peer.remote_port,
		.seq = f->rcv_nxt,
	};

	if (bpf_map_update_elem(&imds_fingerprints, &p, key, BPF_ANY)) {
		count_loss(IMDS_LOSS_TUPLE_FULL);
		return;
	}
	f->fingerprint_seq = f->rcv_nxt;
	f->has_fingerprint = 1;
}

static __always_inline void fingerprint_clear(struct imds_flow *f)
{
	struct imds_fingerprint p = {
		.remote = f->peer.remote,
		.remote_port = f->peer.remote_port,
		.seq = f->fingerprint_seq,
	};

	if (!f->has_fingerprint)
		return;
	f->has_fingerprint = 0;
	bpf_map_delete_elem(&imds_fingerprints, &p);
}

/* A new connection in an existing or fresh entry; keeps what connect(2) told. */
static __always_inline struct imds_flow *flow_create(const struct imds_flow_key *key)
{
	struct imds_flow *f;

	bpf_map_update_elem(&imds_flows, key, (const void *)&imds_zero_flow, BPF_ANY);
	f = bpf_map_lookup_elem(&imds_flows, key);
	if (!f) {
		count_loss(IMDS_LOSS_FLOW_FULL);
		return 0;
	}
	__sync_fetch_and_add(&imds_flows_created, 1);
	f->peer.cookie = key->cookie;
	return f;
}

/* Starts slot head. A drop of the SYN is kept for the first request of the connection. */
static __always_inline struct imds_request *request_begin(struct imds_flow *f, __u64 now)
{
	struct imds_request *r = flow_slot(f, f->head);

	if (f->requests) {
		__builtin_memset(r, 0, sizeof(*r));
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
