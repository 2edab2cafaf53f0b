/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgroup_skb/egress and ingress: every packet between a socket and a metadata address, as the socket sends and receives
 * it. Egress runs behind the OUTPUT and POSTROUTING chains of the socket's network namespace, ingress behind PREROUTING
 * and INPUT (ip_finish_output, sk_filter_trim_cap; the same from 5.10 to 6.18).
 */
#include "flow.bpf.h"

static __always_inline struct imds_flow *flow_of_skb(struct __sk_buff *skb, const struct imds_flow_key *key, __u64 now)
{
	__u32 found = imds_share_of_skb(skb);

	return flow_create(key, now, SHARE_PLACE(found), skb_cgroup(skb, found));
}

/*
 * When the packet came. One that only tells that its connection lives came when the one before did, if that is a tick of the
 * kernel's clock ago at most: reading the time costs as much as all the rest of it.
 */
static __always_inline __u64 packet_time(const struct imds_flow *f, const struct packet *p)
{
	if (f && !p->payload_len && !(p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) &&
	    f->last_tick == (__u32)bpf_jiffies64())
		return f->last_ns;
	return bpf_ktime_get_ns();
}

static __always_inline void flow_seen(struct imds_flow *f, __u64 now)
{
	f->last_ns = now;
	f->last_tick = bpf_jiffies64();
}

static __always_inline void flow_fill(struct imds_flow *f, const struct imds_flow_key *key, const struct packet *p,
				      __u8 endpoint)
{
	struct imds_tuple t = {};

	f->peer.local = p->local;
	f->peer.remote = p->remote;
	f->peer.local_port = p->local_port;
	f->peer.remote_port = p->remote_port;
	f->peer.proto = p->proto;
	f->peer.family = p->family;
	f->peer.endpoint = endpoint;
	f->taken = p->seq;
	flow_tuple(f, &t);
	if (bpf_map_update_elem(&imds_tuples, &t, key, BPF_ANY)) {
		count_loss(IMDS_LOSS_TUPLE_FULL);
		f->flags |= IMDS_F_UNFINDABLE;
	}
}

/* One step through new bytes of a packet; false: nothing is left to look at. */
static __always_inline bool scan_step(struct __sk_buff *skb, const struct imds_flow_key *key, __u32 *off, __u32 *len,
				      bool egress, __u32 seq_end_or_ttl, __u64 now, bool lite)
{
	__u64 range = RANGE(*off, *len);
	__u32 n = 0;

	if (!lite && *len > SKIP_WORTH) /* too much for the verifier in a loop that is unrolled */
		n = imds_skip_line(skb, key->cookie, range, seq_end_or_ttl, egress);
	if (!n)
		n = egress && lite ? imds_request_bytes_lite(skb, key->cookie, range, seq_end_or_ttl, now)
		    : egress	   ? imds_request_bytes(skb, key->cookie, range, seq_end_or_ttl, now)
		    : lite	   ? imds_answer_bytes_lite(skb, key->cookie, range, seq_end_or_ttl, now)
				   : imds_answer_bytes(skb, key->cookie, range, seq_end_or_ttl, now);
	if (!n || n >= *len)
		return false;
	*off += n;
	*len -= n;
	return true;
}

/* Returns how many bytes of [off, off + len) were left unseen. */
static __always_inline __u32 scan_packet(struct __sk_buff *skb, const struct imds_flow_key *key, __u32 off, __u32 len,
					 bool egress, __u32 seq_end_or_ttl, __u64 now, bool lite)
{
	if (lite) {
#pragma unroll
		for (int i = 0; i < SCAN_ROUNDS_LITE; i++)
			if (!scan_step(skb, key, &off, &len, egress, seq_end_or_ttl, now, lite))
				return 0;
	} else {
		for (int i = 0; i < SCAN_ROUNDS; i++)
			if (!scan_step(skb, key, &off, &len, egress, seq_end_or_ttl, now, lite))
				return 0;
	}
	return len;
}

/* New request bytes: [off, off + len) of the packet, all beyond snd_nxt. */
static __always_inline void flow_scan_out(struct __sk_buff *skb, struct imds_flow *f, const struct imds_flow_key *key,
					  __u32 off, __u32 len, __u32 seq_end, __u64 now, bool lite)
{
	struct imds_request *r;

	if (flow_opaque(f)) { /* here, and not below imds_request_bytes(): 5.10 has no stack for one call more */
		imds_opaque_out(key->cookie, len, seq_end, now);
		return;
	}
	len = scan_packet(skb, key, off, len, true, seq_end, now, lite);
	if (f->in_request && !f->tunnel)
		imds_known(key->cookie, now);
	if (len) { /* where the next head begins is not known: all belongs to this request until its answer comes */
		r = flow_slot(f, f->in_request ? f->head : f->head - 1);
		r->bytes_out += len;
		r->seq_end = seq_end;
		r->flags |= IMDS_F_HEAD_CUT;
		f->scan_out.state = IMDS_HTTP_DEAD;
		f->scan_out.words |= f->in_request ? 0 : IMDS_W_BODY;
		count_unfollowed(f, IMDS_LOSS_HEAD_CUT); /* other heads may be in it */
	}
}

#define OPTIONS_MAX 12 /* of a SYN: more do not fit, but for padding */

/* Whether the TCP options in [off, end) of a SYN say MPTCP. */
__noinline int imds_has_mptcp(struct __sk_buff *skb, __u32 off, __u32 end)
{
	__u32 found = 0;

#pragma unroll
	for (__u32 i = 0; i < OPTIONS_MAX; i++) {
		__u8 option[2] = {}; /* kind, length */

		if (off + sizeof(option) <= end)
			bpf_skb_load_bytes(skb, off, option, sizeof(option));
		found |= option[0] == TCP_OPTION_MPTCP;
		off += option[0] <= TCP_OPTION_NOP || option[1] < 2 ? 1 : option[1];
	}
	return found;
}

/* The client's kernel took all up to here, whatever was dropped on the way to it. */
static __always_inline void on_acked(struct imds_flow *f, __u32 ack)
{
	struct imds_refused *refused;

	f->stood = 1;
	f->acked = ack;
	if (!f->refused)
		return;
	refused = refused_place(f->peer.cookie);
	if (refused->cookie == f->peer.cookie) {
		if ((__s32)(ack - refused->seq_end) < 0)
			return;
		refused->cookie = 0;
	}
	f->refused = 0;
}

/*
 * The process has closed its side, and the kernel alone says again what nobody took, for minutes: longer than the flow is
 * kept, and no request that anybody waits for.
 */
static __always_inline bool is_closed(const struct __sk_buff *skb)
{
	const struct bpf_sock *sk = skb->sk;

	return sk &&
	       (sk->state == TCP_STATE_FIN_WAIT1 || sk->state == TCP_STATE_LAST_ACK || sk->state == TCP_STATE_CLOSING);
}

static __always_inline struct imds_flow *on_tcp_egress(struct __sk_buff *skb, const struct packet *p,
						       const struct imds_flow_key *key, struct imds_flow *f,
						       __u8 endpoint, __u64 now, bool lite)
{
	__u32 seq_end = p->seq + p->payload_len;
	struct imds_request *r;
	__s32 fresh;

	if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		if (f && f->syn_ns && f->snd_isn == p->seq) {
			f->syn_retransmits++;
			flow_seen(f, now);
			return f;
		}
		if (f && f->syn_ns) { /* the same socket connects anew and connect(2) was not seen */
			imds_finish(key->cookie, key->query, (IMDS_END_REUSED) | FLOW_DELETE, now);
			f = 0;
		}
		if (!f)
			f = flow_of_skb(skb, key, now);
		if (!f)
			return 0;
		flow_fill(f, key, p, endpoint);
		f->flags |= IMDS_F_SYN_SEEN;
		if (!lite && imds_has_mptcp(skb, p->l4_off + TCP_HEAD, p->payload_off))
			f->flags |= IMDS_F_MPTCP;
		f->syn_ns = now;
		f->snd_isn = p->seq;
		f->snd_nxt = p->seq + 1;
		syn_sent(f);
		seq_end++;
	} else if (!f) {
		if (!p->payload_len || is_closed(skb))
			return 0; /* the tail of a connection that we have already closed */
		f = flow_of_skb(skb, key, now);
		if (!f)
			return 0;
		flow_fill(f, key, p, endpoint);
		f->flags |= IMDS_F_MIDSTREAM;
		f->snd_nxt = p->seq;
		f->rcv_nxt = p->ack;
	}
	flow_seen(f, now);
	if (p->tcp_flags & TCP_ACK)
		on_acked(f, p->ack);

	if (p->payload_len) {
		fresh = seq_end - f->snd_nxt;
		if (fresh <= 0) {
			r = flow_current(f);
			if (r)
				r->retransmits++;
		} else {
			__u32 n = (__u32)fresh < p->payload_len ? (__u32)fresh : p->payload_len;

			flow_scan_out(skb, f, key, p->payload_off + p->payload_len - n, n, seq_end, now, lite);
			f->snd_nxt = seq_end;
		}
	}
	if (p->tcp_flags & TCP_RST) {
		/* before, it is for an older connection of this tuple, which the service still knows: our SYN follows again */
		if (f->stood)
			imds_finish(key->cookie, key->query, (IMDS_END_CLIENT_RST) | FLOW_DELETE, now);
	} else if (p->tcp_flags & TCP_FIN) {
		f->fin_out = 1;
		f->flags |= IMDS_F_CLIENT_FIN;
		if (f->fin_in)
			imds_finish(key->cookie, key->query, IMDS_END_CLOSED | FLOW_DELETE, now);
		else if (f->flags & IMDS_F_MPTCP) /* no release of this socket will be seen */
			imds_finish(key->cookie, key->query, IMDS_END_CLOSED, now);
	}
	return f;
}

/* New answer bytes, in order. */
static __always_inline void flow_scan_in(struct __sk_buff *skb, struct imds_flow *f, const struct imds_flow_key *key,
					 __u32 off, __u32 len, __u8 ttl, __u64 now, bool lite)
{
	struct imds_request *r;

	len = scan_packet(skb, key, off, len, false, ttl, now, lite);
	if (len && flow_waiting(f)) {
		r = flow_slot(f, f->tail);
		r->bytes_in += len;
		r->flags |= IMDS_F_HEAD_CUT;
		f->scan_in.body_left = IMDS_BODY_UNTIL_CLOSE; /* or until the client asks again */
		count_loss(IMDS_LOSS_HEAD_CUT);
	}
}

/* Answer bytes that arrived ahead of a gap are skipped once the gap is filled: TCP does not send them again. */
static __always_inline void skip_reordered(struct imds_flow *f, const struct imds_flow_key *key, __u64 now)
{
	__u32 n = f->ooo_end - f->ooo_start;
	struct imds_request *r;

	if (!n || (__s32)(f->rcv_nxt - f->ooo_start) < 0)
		return;
	n = f->ooo_end - f->rcv_nxt;
	if ((__s32)n > 0 && flow_waiting(f)) {
		r = flow_slot(f, f->tail);
		r->bytes_in += n;
		r->last_byte_ns = now;
		if (f->scan_in.body_left == IMDS_BODY_UNTIL_CLOSE) {
			;
		} else if (f->scan_in.body_left >= n) {
			imds_body_skip(&f->scan_in, n);
			if (!f->scan_in.body_left && !(f->scan_in.words & IMDS_W_BODY))
				imds_answered(key->cookie, key->query, now);
		} else {
			r->flags |= IMDS_F_HEAD_CUT;
			f->scan_in.body_left = IMDS_BODY_UNTIL_CLOSE;
			count_loss(IMDS_LOSS_HEAD_CUT);
		}
	}
	if ((__s32)n > 0)
		f->rcv_nxt = f->ooo_end;
	f->ooo_start = f->ooo_end = 0;
}

/* A pipelined request whose answer comes next. */
static __always_inline void expect_next(struct imds_flow *f)
{
	if (flow_waiting(f) && !flow_slot(f, f->tail)->first_byte_ns)
		fingerprint_set(f);
}

static __always_inline void on_tcp_ingress(struct __sk_buff *skb, const struct packet *p,
					   const struct imds_flow_key *key, struct imds_flow *f, __u64 now, bool lite)
{
	__u32 seq_end = p->seq + p->payload_len;
	struct imds_request *r;
	__s32 ahead;

	/* the hook runs before TCP has looked at the segment */
	if (!fits_answer(f, p->seq, p->ack, p->tcp_flags)) {
		/* without one of ours, it left under another name; a bare acknowledgement (a challenge ACK) hides nothing */
		if ((f->syn_ns || (f->flags & IMDS_F_MIDSTREAM)) &&
		    (p->payload_len || (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST))))
			count_loss(IMDS_LOSS_SEGMENT);
		return;
	}
	flow_seen(f, now);
	if (p->tcp_flags & TCP_SYN) {
		if (!f->synack_ns) {
			f->synack_ns = now;
			f->ttl_synack = p->ttl;
			f->rcv_nxt = p->seq + 1;
			syn_done(f);
		}
		return;
	}
	if ((p->tcp_flags & TCP_ACK) && (__s32)(p->ack - f->taken) > 0)
		f->taken = p->ack;
	if (p->payload_len) {
		ahead = p->seq - f->rcv_nxt;
		if (ahead > 0) {
			r = flow_current(f);
			/* of two that wait, it may be the other's: the answer to the first one has died, perhaps */
			if (r && !r->first_byte_ns && flow_waiting(f) < 2) {
				r->first_byte_ns = now;
				r->last_byte_ns = now;
				r->ttl_response = p->ttl;
				fingerprint_clear(f);
			}
			if (f->ooo_start == f->ooo_end) {
				f->ooo_start = p->seq;
				f->ooo_end = seq_end;
			} else if (f->ooo_end == p->seq) {
				f->ooo_end = seq_end;
			}
		} else {
			__u32 old = -ahead;

			if (old < p->payload_len) {
				flow_scan_in(skb, f, key, p->payload_off + old, p->payload_len - old, p->ttl, now, lite);
				f->rcv_nxt = seq_end;
				skip_reordered(f, key, now);
				expect_next(f);
			}
		}
	}
	if (p->tcp_flags & TCP_RST) {
		bool stood = f->synack_ns || (f->flags & IMDS_F_MIDSTREAM);

		imds_finish(key->cookie, key->query, (stood ? IMDS_END_PEER_RST : IMDS_END_REFUSED) | FLOW_DELETE, now);
		return;
	}
	if ((p->tcp_flags & TCP_FIN) && f->rcv_nxt == seq_end) {
		f->fin_in = 1;
		if (flow_waiting(f)) {
			r = flow_slot(f, f->tail);
			if (f->scan_in.body_left == IMDS_BODY_UNTIL_CLOSE)
				imds_answered(key->cookie, key->query, now);
		}
		if (flow_waiting(f))
			imds_finish(key->cookie, key->query, IMDS_END_PEER_FIN, now);
		if (f->fin_out) {
			imds_finish(key->cookie, key->query, (IMDS_END_CLOSED) | FLOW_DELETE, now);
		}
	}
}

/* A DNS query and its answer (GCE serves both on the metadata address): one flow a query, named by its id. */
static __always_inline int dns_key(struct __sk_buff *skb, const struct packet *p, struct imds_flow_key *key, bool *answer)
{
	__u8 head[4];

	if (p->payload_len < 12 || bpf_skb_load_bytes(skb, p->payload_off, head, sizeof(head)))
		return -1;
	key->query = 0x10000 | head[0] << 8 | head[1];
	*answer = head[2] & 0x80;
	return 0;
}

static __always_inline void on_dns(struct __sk_buff *skb, const struct packet *p, struct imds_flow_key *key,
				   __u8 endpoint, bool egress, __u64 now)
{
	struct imds_request *r;
	struct imds_flow *f;
	bool answer;

	if (dns_key(skb, p, key, &answer) || answer == egress)
		return;
	f = bpf_map_lookup_elem(&imds_flows, key);
	if (egress) {
		if (f) {
			flow_slot(f, 0)->retransmits++;
			f->last_ns = now;
			return;
		}
		f = flow_of_skb(skb, key, now);
		if (!f)
			return;
		flow_fill(f, key, p, endpoint);
		f->last_ns = now;
		r = request_begin(f, now);
		r->bytes_out = p->payload_len;
		imds_sent(key->cookie, key->query, now);
	} else if (f) {
		r = flow_slot(f, 0);
		r->first_byte_ns = now;
		r->last_byte_ns = now;
		r->ttl_response = p->ttl;
		r->bytes_in = p->payload_len;
		imds_answered(key->cookie, key->query, now);
		imds_finish(key->cookie, key->query, IMDS_END_ANSWERED | FLOW_DELETE, now);
	}
}

/* Not inlined twice into one program: the address test decides before anything else is loaded. */
static __always_inline int on_packet(struct __sk_buff *skb, bool egress, bool lite)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct imds_flow_key key = {};
	struct packet p = {};
	struct imds_flow *f = 0;
	struct iphdr *ip = data;
	__u64 now;
	bool short_ip = false;
	__u32 direction = egress ? IMDS_EGRESS : IMDS_INGRESS;
	int endpoint, proto;

	if ((void *)(ip + 1) > end)
		return IMDS_PASS;
	if (ip->version == 4) {
		__be32 remote = egress ? redirected_v4(skb, ip->daddr, &p.redirected) : ip->saddr;

		if (!v4_may_match(remote))
			return IMDS_PASS;
		p.family = 4;
		p.proto = ip->protocol;
		p.ttl = ip->ttl;
		p.l4_off = ip->ihl * 4;
		short_ip = ip->ihl < 5; /* a raw socket may send that */
		p.fragment = ip->frag_off & bpf_htons(0x1fff);
		addr_from_v4(&p.local, egress ? ip->saddr : ip->daddr);
		addr_from_v4(&p.remote, remote);
	} else {
		struct ipv6hdr *ip6 = data;
		struct imds_addr a;

		if (!imds_v6_any || (void *)(ip6 + 1) > end)
			return IMDS_PASS;
		__builtin_memcpy(&a, egress ? &ip6->daddr : &ip6->saddr, sizeof(a));
		if (!v6_may_match(&a))
			return IMDS_PASS;
		p.family = 6;
		p.ttl = ip6->hop_limit;
		p.l4_off = sizeof(*ip6);
		p.remote = a;
		__builtin_memcpy(&p.local, egress ? &ip6->saddr : &ip6->daddr, sizeof(a));
		proto = skip_ipv6_ext(skb, ip6->nexthdr, &p.l4_off, &p.fragment);
		p.proto = proto < 0 ? 0xff : proto;
	}
	if (short_ip || (!p.fragment && (p.proto == IPPROTO_TCP || p.proto == IPPROTO_UDP) && parse_l4(skb, &p, egress))) {
		if (endpoint_find(&p.remote, 0) >= 0)
			count_loss(IMDS_LOSS_MALFORMED);
		return IMDS_PASS;
	}
	if (egress && p.redirected) {
		p.redirected = p.remote_port;
		p.remote_port = bpf_ntohl(skb->remote_port);
	}
	endpoint = endpoint_find(&p.remote, p.remote_port);
	if (endpoint < 0)
		return IMDS_PASS;
	if (p.fragment)
		count_loss(IMDS_LOSS_FRAGMENT);

	key.cookie = bpf_get_socket_cookie(skb);
	if (!p.fragment && p.proto == IPPROTO_TCP && key.cookie) {
		f = bpf_map_lookup_elem(&imds_flows, &key);
		if (f)
			count_tcp(f, skb->len, direction);
		else
			imds_count_skb(skb, bpf_skb_cgroup_id(skb), p.proto, direction);
		now = packet_time(f, &p);
		if (egress && p.redirected && f && !f->to_port) {
			addr_from_v4(&f->to, bpf_htonl(0x7f000001));
			f->to_port = p.redirected;
			f->flags |= IMDS_F_REDIRECTED;
		}
		if (egress)
			on_tcp_egress(skb, &p, &key, f, endpoint, now, lite);
		else if (f)
			on_tcp_ingress(skb, &p, &key, f, now, lite);
		return IMDS_PASS;
	}
	imds_count_skb(skb, bpf_skb_cgroup_id(skb), p.proto, direction);
	if (!p.fragment && p.proto == IPPROTO_UDP && p.remote_port == PORT_DNS && key.cookie)
		on_dns(skb, &p, &key, endpoint, egress, bpf_ktime_get_ns());
	return IMDS_PASS;
}

SEC("cgroup_skb/egress")
int imds_egress(struct __sk_buff *skb)
{
	return on_packet(skb, true, false);
}

SEC("cgroup_skb/ingress")
int imds_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, false, false);
}

SEC("cgroup_skb/egress")
int imds_egress_lite(struct __sk_buff *skb)
{
	return on_packet(skb, true, true);
}

SEC("cgroup_skb/ingress")
int imds_ingress_lite(struct __sk_buff *skb)
{
	return on_packet(skb, false, true);
}
