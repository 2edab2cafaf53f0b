/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tp_btf/kfree_skb: each packet that the kernel drops, on the whole node. The address test comes first. skb->sk is
 * NULL in ip_forward() and the current task is whoever was interrupted, so a drop finds its connection by what the
 * packet carries: its socket where it still has one (OUTPUT, route errors), the 4-tuple (already un-NATed in ip_forward)
 * or, where NAT hides that (tc, behind DNAT), TCP sequence numbers. It is believed only if its numbers fit: two networks
 * on one node use the same tuples, and any pod may forge one.
 */
#include "copy.bpf.h"
#include "flow.bpf.h"

#define ETH_ADDR 6
#define ETH_HEAD 14

struct dropped {
	struct imds_addr source, dest;
	__u16 source_port, dest_port;
	__u32 seq, ack, payload_len;
	__u8 proto, ttl, tcp_flags, family;
};

/* Addresses, and whether one of them may be an endpoint. Returns the offset of the upper header, or 0. */
static __always_inline __u32 dropped_l3(struct sk_buff *skb, const unsigned char *l3, struct dropped *d)
{
	__be16 protocol = skb->protocol;

	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;

		if (!imds_v4_any || bpf_probe_read_kernel(&ip, sizeof(ip), l3))
			return 0;
		if (!v4_may_match(ip.saddr) && !v4_may_match(ip.daddr) && (!imds_syns_out || ip.protocol != IPPROTO_TCP))
			return 0;
		if (ip.version != 4 || (ip.frag_off & bpf_htons(0x1fff)))
			return 0;
		addr_from_v4(&d->source, ip.saddr);
		addr_from_v4(&d->dest, ip.daddr);
		d->family = 4;
		d->proto = ip.protocol;
		d->ttl = ip.ttl;
		d->payload_len = bpf_ntohs(ip.tot_len) - ip.ihl * 4;
		return ip.ihl * 4;
	}
	if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip6;
		__u32 off = sizeof(ip6);
		__u8 next;

		if (!imds_v6_any || bpf_probe_read_kernel(&ip6, sizeof(ip6), l3))
			return 0;
		__builtin_memcpy(&d->source, &ip6.saddr, sizeof(d->source));
		__builtin_memcpy(&d->dest, &ip6.daddr, sizeof(d->dest));
		if (!v6_may_match(&d->source) && !v6_may_match(&d->dest) && (!imds_syns_out || ip6.nexthdr != IPPROTO_TCP))
			return 0;
		d->family = 6;
		d->ttl = ip6.hop_limit;
		next = ip6.nexthdr;
		for (int i = 0; i < IPV6_EXT_MAX; i++) {
			__u8 ext[2];

			if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
				break;
			if (bpf_probe_read_kernel(ext, sizeof(ext), l3 + off))
				return 0;
			next = ext[0];
			off += (ext[1] + 1) * 8;
		}
		d->proto = next;
		d->payload_len = sizeof(ip6) + bpf_ntohs(ip6.payload_len) - off;
		return off;
	}
	return 0;
}

static __always_inline int dropped_l4(const unsigned char *l4, struct dropped *d)
{
	if (d->proto == IPPROTO_TCP) {
		struct tcphdr tcp;

		if (bpf_probe_read_kernel(&tcp, sizeof(tcp), l4))
			return -1;
		d->source_port = bpf_ntohs(tcp.source);
		d->dest_port = bpf_ntohs(tcp.dest);
		d->seq = bpf_ntohl(tcp.seq);
		d->ack = bpf_ntohl(tcp.ack_seq);
		d->tcp_flags = tcp.flags;
		d->payload_len -= (tcp.offset >> 4) * 4;
	} else if (d->proto == IPPROTO_UDP) {
		struct udphdr udp;

		if (bpf_probe_read_kernel(&udp, sizeof(udp), l4))
			return -1;
		d->source_port = bpf_ntohs(udp.source);
		d->dest_port = bpf_ntohs(udp.dest);
		d->payload_len -= sizeof(udp);
	}
	return 0;
}

static __always_inline void count_drop(const struct imds_flow *f, __u32 reason, bool ttl_expired, bool from_endpoint)
{
	__u32 share = f ? f->share : 0;
	struct imds_drop_key key = {
		.cgroup_id = f ? f->peer.cgroup_id : 0,
		.reason = reason,
		.ttl_expired = ttl_expired,
		.from_endpoint = from_endpoint,
	};
	struct imds_drop_counters *n;
	bool made;

	n = bpf_map_lookup_elem(&imds_drops, &key);
	if (!n) {
		if (counters_are_full(share, IMDS_COUNTERS_DROPS))
			key.reason = 0;
		made = !bpf_map_update_elem(&imds_drops, &key, (const void *)&imds_zero_flow, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&imds_drops, &key);
		if (!n) {
			count_loss(IMDS_LOSS_COUNTER_FULL);
			return;
		}
		if (made) {
			n->share = share;
			counters_charge(share, IMDS_COUNTERS_DROPS);
		}
	}
	__sync_fetch_and_add(&n->packets, 1);
}

/*
 * The connection whose SYN this is, or the SYN-ACK to it, by its initial sequence number: NAT has changed where it comes from
 * or goes to.
 */
static __always_inline struct imds_flow *find_syn(const struct dropped *d, struct imds_flow_key *key)
{
	__u32 isn = d->tcp_flags & TCP_ACK ? d->ack - 1 : d->seq;
	struct imds_flow *f;

	if (!imds_syns_out || d->proto != IPPROTO_TCP || !(d->tcp_flags & TCP_SYN))
		return 0;
	key->cookie = *syn_place(isn);
	key->query = 0;
	if (!key->cookie)
		return 0;
	f = bpf_map_lookup_elem(&imds_flows, key);
	return f && f->syn_ns && !f->synack_ns && f->snd_isn == isn && f->peer.family == d->family ? f : 0;
}

static __always_inline struct imds_flow *find_answer(const struct dropped *d, struct imds_flow_key *key)
{
	struct imds_flow *f;

	key->query = 0;
	for (int way = 0; way < 2; way++) {
		key->cookie = *waiting_place(d->seq, way);
		if (!key->cookie)
			continue;
		f = bpf_map_lookup_elem(&imds_flows, key);
		/* the answer acknowledges the whole request, and once the client has sent its FIN, that too */
		if (f && f->has_fingerprint && f->fingerprint_seq == d->seq && d->ack - f->snd_nxt <= 1 &&
		    f->peer.remote_port == d->source_port && addr_equal(&f->peer.remote, &d->source))
			return f;
	}
	return 0;
}

static __always_inline bool fits(const struct imds_flow *f, const struct dropped *d, bool from_endpoint)
{
	if (d->proto != IPPROTO_TCP)
		return d->proto == f->peer.proto;
	return from_endpoint ? fits_answer(f, d->seq, d->ack, d->tcp_flags) : fits_request(f, d->seq, d->tcp_flags);
}

/* A network namespace's cookie; 0: none, or the kernel has none to read. */
static __always_inline __u64 cookie_of(const struct net *net)
{
	const struct net___cookie *n = (const void *)net;

	return n && bpf_core_field_exists(n->net_cookie) ? n->net_cookie : 0;
}

/* A network namespace where our sockets, we ourselves or PID 1 live: others' laboratories on this kernel are none of ours. */
static __always_inline bool is_node_netns(__u32 inode)
{
	return inode == imds_netns_inodes[0] || inode == imds_netns_inodes[1];
}

static __always_inline bool concerns_us(const struct net *net, __u32 inode)
{
	__u64 cookie;

	if (is_node_netns(inode))
		return true;
	cookie = cookie_of(net);
	return cookie && imds_netns[cookie & (IMDS_NETNS - 1)] == cookie;
}

/* False: it had left for a network of others, as it would have left for a wire. */
static __always_inline bool is_in_our_networks(const struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct net *net = dev ? dev->nd_net.net : 0;

	return !net || concerns_us(net, net->ns.inum);
}

/* The flow of a dropped packet; *ret_match tells how it was found. */
static __always_inline struct imds_flow *find_flow(const struct sk_buff *skb, const struct dropped *d,
						   bool from_endpoint, struct imds_flow_key *key, __u8 *ret_match)
{
	struct sock *sk = skb->sk;
	struct imds_tuple t = {};
	struct imds_flow_key *k;
	struct imds_flow *f;

	if (sk && d->proto == IPPROTO_TCP && (key->cookie = sk->__sk_common.skc_cookie.counter)) {
		f = bpf_map_lookup_elem(&imds_flows, key);
		/* before its first packet has passed the egress hook a connection has no numbers yet */
		if (f && (fits(f, d, from_endpoint) || (!from_endpoint && !f->syn_ns && (d->tcp_flags & TCP_SYN)))) {
			*ret_match = IMDS_MATCH_SOCKET;
			return f;
		}
	}
	t.local = from_endpoint ? d->dest : d->source;
	t.remote = from_endpoint ? d->source : d->dest;
	t.rest = from_endpoint ? IMDS_TUPLE_REST(d->dest_port, d->source_port, d->proto)
			       : IMDS_TUPLE_REST(d->source_port, d->dest_port, d->proto);
	k = bpf_map_lookup_elem(&imds_tuples, &t);
	if (k) {
		*key = *k;
		f = bpf_map_lookup_elem(&imds_flows, key);
		if (f && fits(f, d, from_endpoint)) {
			*ret_match = IMDS_MATCH_TUPLE;
			return f;
		}
	}
	if (d->proto != IPPROTO_TCP)
		return 0;
	if (from_endpoint && !(d->tcp_flags & TCP_SYN)) {
		*ret_match = IMDS_MATCH_FINGERPRINT;
		return find_answer(d, key);
	}
	*ret_match = IMDS_MATCH_SYN;
	return is_in_our_networks(skb) ? find_syn(d, key) : 0;
}

static __always_inline bool is_forward_place(__u64 location, __u32 reason, bool has_reason)
{
	if (has_reason && reason && (reason == imds_reason_ttl || reason == imds_reason_tc_ingress))
		return true;
#pragma unroll
	for (int i = 0; i < IMDS_FORWARD_FUNCTIONS; i++)
		if (location > imds_forward_functions[i][0] && location <= imds_forward_functions[i][1])
			return true;
	return false;
}

/* The network namespace that it was dropped in; a packet of the OUTPUT chain has a socket, and no device yet. */
static __always_inline struct net *net_of(const struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct sock *sk = skb->sk;

	if (dev)
		return dev->nd_net.net;
	return sk ? sk->__sk_common.skc_net.net : 0;
}

static __always_inline bool is_at_home(const struct sk_buff *skb, const struct imds_flow *f)
{
	__u64 cookie = cookie_of(net_of(skb));

	return cookie && cookie == f->netns_cookie;
}

/*
 * A device that passes the frame on and is not the one that it is addressed to: a port of a bridge. What forwards packets
 * gets frames of its own.
 */
static __always_inline bool is_switched(const struct sk_buff *skb)
{
	const struct net_device *dev = skb->dev;
	__u64 to = 0, own = 0;

	if (!dev || (__u16)(skb->network_header - skb->mac_header) < ETH_HEAD ||
	    bpf_probe_read_kernel(&to, ETH_ADDR, skb->head + skb->mac_header) ||
	    bpf_probe_read_kernel(&own, ETH_ADDR, dev->dev_addr))
		return false;
	return to != own;
}

/* Between the two: a container's network around another container, a node in a container. */
static __always_inline bool is_foreign(const struct sk_buff *skb)
{
	struct net *net = net_of(skb);
	__u32 inode = net ? net->ns.inum : 0;

	return inode && (imds_netns_inodes[0] || imds_netns_inodes[1]) && inode != imds_netns_inodes[0] &&
	       inode != imds_netns_inodes[1];
}

/* Where dead answers to this address and port are remembered as a connection's; *ret_mark is never 0. */
static __always_inline struct imds_resent *resent_place(const struct dropped *d, __u64 *ret_mark)
{
	__u64 mark = (d->dest.d[0] ^ d->dest.d[1] ^ d->dest_port) * 0x9e3779b97f4a7c15ull;
	__u32 i = mark >> 54;

	*ret_mark = mark | 1;
	barrier_var(i);
	return &imds_resent[i & (IMDS_RESENT - 1)];
}

static __always_inline bool is_resent(const struct dropped *d, __u64 now)
{
	__u64 mark;
	struct imds_resent *place = resent_place(d, &mark);

	if (place->mark != mark || now - place->last_ns > IMDS_RESENT_NS)
		return false;
	place->last_ns = now;
	return true;
}

/* An endpoint's packet that died of its TTL and has no connection here. */
static __always_inline void count_unowned(const struct sk_buff *skb, const struct dropped *d, int endpoint,
					  const struct imds_drop *drop)
{
	struct net_device *dev = skb->dev;
	struct imds_unowned_key key = {};
	struct imds_unowned zero = {}, *u;
	__u32 inode, place, *held;
	struct net *net;

	if (!dev || is_resent(d, drop->ts_ns))
		return;
	net = dev->nd_net.net;
	if (!net)
		return;
	inode = net->ns.inum;
	if (!concerns_us(net, inode))
		return;
	key.addr = d->dest;
	key.where = (__u64)inode << 32 | (__u32)dev->ifindex;
	key.endpoint = (__u32)endpoint;
	u = bpf_map_lookup_elem(&imds_unowned, &key);
	if (!u) {
		zero.first_ns = drop->ts_ns;
		place = imds_unowned_place(&key, imds_netns_inodes);
		barrier_var(place);
		held = &imds_unowned_held[place & (IMDS_UNOWNED_PLACES - 1)];
		if (*held >= IMDS_UNOWNED_SHARE || bpf_map_update_elem(&imds_unowned, &key, &zero, BPF_NOEXIST)) {
			count_loss(IMDS_LOSS_UNOWNED_FULL);
			return;
		}
		__sync_fetch_and_add(held, 1);
		u = bpf_map_lookup_elem(&imds_unowned, &key);
		if (!u)
			return;
		bpf_probe_read_kernel_str(u->device, sizeof(u->device), dev->name);
	}
	__sync_fetch_and_add(&u->packets, 1);
	u->last_ns = drop->ts_ns;
	u->location = drop->location;
	u->reason = drop->reason;
	u->ttl = drop->ttl;
	u->port = d->dest_port;
	u->has_reason = !!(drop->flags & IMDS_D_HAS_REASON);
}

/*
 * Bytes that our ingress hook took for received were dropped behind it: by another cgroup program, a checksum, a socket
 * filter. Until the client acknowledges them it did not get them.
 */
static __always_inline void take_back(struct imds_flow *f, const struct dropped *d, struct imds_drop *drop)
{
	__u32 seq_end = d->seq + d->payload_len;
	struct imds_refused *place;

	if (d->tcp_flags & TCP_SYN) {
		if (f->synack_ns && !f->stood) {
			drop->flags |= IMDS_D_ARRIVED;
			f->synack_ns = 0; /* the next one may pass */
		}
		return;
	}
	if (!d->payload_len || (__s32)(seq_end - f->rcv_nxt) > 0 || (__s32)(seq_end - f->acked) <= 0)
		return;
	drop->flags |= IMDS_D_ARRIVED;
	place = refused_place(f->peer.cookie);
	place->cookie = f->peer.cookie;
	place->drop = *drop;
	place->seq_end = seq_end;
	f->refused = 1;
}

/* enum imds_death of a drop that a request waits for. */
static __always_inline __u8 death_of(const struct imds_flow *f, const struct imds_request *r, const struct imds_drop *drop)
{
	if (imds_drop_rank(drop->flags, drop->ttl) != IMDS_DROP_RANK_FORWARD ||
	    (drop->flags & (IMDS_D_AT_HOME | IMDS_D_ARRIVED)) || (f->flags & (IMDS_F_HOST_NETNS | IMDS_F_OWN_NETNS)) ||
	    r->first_byte_ns)
		return IMDS_DEATH_NONE;
	if (!drop->reason || drop->reason != imds_reason_tc_ingress)
		return IMDS_DEATH_FORWARD;
	return f->flags & IMDS_F_NETNS_KNOWN ? IMDS_DEATH_TC : IMDS_DEATH_NONE;
}

static __always_inline void tell_drop(const struct imds_flow *f, const struct imds_request *r,
				      const struct imds_drop *drop)
{
	struct imds_rec_drop *rec = bpf_ringbuf_reserve(&imds_rare, sizeof(*rec), 0);

	if (!rec) {
		count_loss(IMDS_LOSS_RING_DROP);
		return;
	}
	rec->hdr.type = IMDS_REC_DROP;
	rec->hdr.len = sizeof(*rec);
	rec->hdr.cpu = bpf_get_smp_processor_id();
	rec->hdr.ts_ns = drop->ts_ns;
	__builtin_memcpy(&rec->peer, &f->peer, sizeof(rec->peer));
	rec->drop = *drop;
	rec->to = f->to;
	rec->to_port = f->to_port;
	rec->kind = r ? r->kind : f->last_kind;
	rec->late = !r;
	__builtin_memset(rec->pad, 0, sizeof(rec->pad));
	bpf_ringbuf_submit(rec, 0);
}

static __always_inline void on_drop(struct sk_buff *skb, __u64 location, __u32 reason, bool has_reason)
{
	const unsigned char *l3 = skb->head + skb->network_header;
	struct imds_request *r = 0;
	struct imds_flow_key key = {};
	struct dropped d = {};
	struct imds_drop drop = {};
	struct imds_flow *f;
	struct imds_resent *place;
	bool from_endpoint, at_home;
	__u64 mark;
	int endpoint;
	__u32 off, expected;

	off = dropped_l3(skb, l3, &d);
	if (!off || dropped_l4(l3 + off, &d))
		return;
	endpoint = endpoint_find(&d.source, d.source_port);
	from_endpoint = endpoint >= 0;
	if (!from_endpoint && endpoint_find(&d.dest, d.dest_port) < 0) {
		f = find_syn(&d, &key);
		if (!f)
			return;
		drop.match = IMDS_MATCH_SYN;
		from_endpoint = d.tcp_flags & TCP_ACK; /* by who stands in the service's place */
		if (!from_endpoint) {
			f->to = d.dest;
			f->to_port = d.dest_port;
		}
	} else {
		f = find_flow(skb, &d, from_endpoint, &key, &drop.match);
	}
	if (d.payload_len > 65535) /* lengths that contradict each other */
		d.payload_len = 0;
	at_home = f && (is_at_home(skb, f) || (reason && reason == imds_reason_tc_ingress && is_switched(skb)));
	count_drop(f, reason, d.ttl <= 1 && !at_home, from_endpoint);
	drop.ts_ns = bpf_ktime_get_ns();
	drop.location = location;
	drop.reason = reason;
	drop.ttl = d.ttl;
	drop.flags = (from_endpoint ? IMDS_D_FROM_ENDPOINT : 0) | (d.payload_len ? IMDS_D_PAYLOAD : 0) |
		     (d.tcp_flags & TCP_SYN ? IMDS_D_SYN : 0) | (d.tcp_flags & TCP_RST ? IMDS_D_RST : 0) |
		     (has_reason ? IMDS_D_HAS_REASON : 0) |
		     (is_forward_place(location, reason, has_reason) ? IMDS_D_FORWARD : 0);
	if (!f) {
		if (from_endpoint && d.ttl <= 1)
			count_unowned(skb, &d, endpoint, &drop);
		return;
	}
	if (drop.match == IMDS_MATCH_FINGERPRINT && d.ttl <= 1) {
		place = resent_place(&d, &mark);
		place->mark = mark;
		place->last_ns = drop.ts_ns;
	}
	expected = f->rcv_nxt;
	if (f->flags & IMDS_F_LATE_ANSWER) /* it has passed the ingress hook, and none that is dropped goes ahead of it */
		expected -= d.payload_len;
	if (from_endpoint && (d.seq == expected || (d.tcp_flags & TCP_SYN)))
		drop.flags |= IMDS_D_EXPECTED_SEQ;
	if (at_home)
		drop.flags |= IMDS_D_AT_HOME;
	else if (is_foreign(skb))
		drop.flags |= IMDS_D_FOREIGN;
	f->last_ns = drop.ts_ns;
	if (from_endpoint && d.proto == IPPROTO_TCP)
		take_back(f, &d, &drop);
	r = flow_current(f);
	if (!r && !f->requests)
		r = flow_slot(f, 0); /* the SYN or SYN-ACK of a connection without a request yet */
	if (!r) {
		if (f->last_kind == IMDS_KIND_TOKEN && f->last_end == IMDS_END_CLOSED)
			drop.flags |= IMDS_D_WAITING_TOKEN;
		__sync_fetch_and_add(&f->late_drops, 1);
		if (f->late_rank >= imds_drop_rank(drop.flags, drop.ttl))
			return;
		f->late_rank = imds_drop_rank(drop.flags, drop.ttl);
	} else {
		if (r->kind == IMDS_KIND_TOKEN && !r->first_byte_ns)
			drop.flags |= IMDS_D_WAITING_TOKEN;
		__sync_fetch_and_add(&r->drops, 1);
		if (r->drop.ts_ns && imds_drop_rank(r->drop.flags, r->drop.ttl) >= imds_drop_rank(drop.flags, drop.ttl))
			return;
		r->drop = drop;
		r->death = death_of(f, r, &drop);
	}
	tell_drop(f, r, &drop);
}

/* From 5.17 on the tracepoint passes a reason; the loader picks one of the two by the number of arguments in BTF. */
SEC("tp_btf/kfree_skb")
int imds_kfree_skb(__u64 *ctx)
{
	on_drop((struct sk_buff *)ctx[0], ctx[1], ctx[2], true);
	return 0;
}

SEC("tp_btf/kfree_skb")
int imds_kfree_skb_v510(__u64 *ctx)
{
	on_drop((struct sk_buff *)ctx[0], ctx[1], 0, false);
	return 0;
}

/* --pcapng: the head of a dropped packet, as far as it lies in the first piece of its memory. Behind that is not it. */
static __always_inline void copy_drop(struct sk_buff *skb, __u64 location, __u32 reason, bool has_reason)
{
	const unsigned char *l3 = skb->head + skb->network_header, *end;
	struct imds_flow_key key = {};
	struct imds_rec_copy *rec;
	struct dropped d = {};
	struct imds_flow *f;
	bool from_endpoint;
	__u8 offset = 0, match;
	__u32 off, n;

	off = dropped_l3(skb, l3, &d);
	if (!off || (d.proto != IPPROTO_TCP && d.proto != IPPROTO_UDP) || dropped_l4(l3 + off, &d))
		return;
	from_endpoint = endpoint_find(&d.source, d.source_port) >= 0;
	if (!from_endpoint && endpoint_find(&d.dest, d.dest_port) < 0) {
		f = find_syn(&d, &key);
		if (!f)
			return;
		from_endpoint = d.tcp_flags & TCP_ACK;
	} else {
		f = find_flow(skb, &d, from_endpoint, &key, &match);
	}
	n = 8;
	if (d.proto == IPPROTO_TCP) {
		if (bpf_probe_read_kernel(&offset, 1, l3 + off + 12) || offset < 5 << 4)
			return;
		n = (offset >> 4) * 4;
	}
	n = copy_length(off + n);
	end = skb->data + (skb->len - skb->data_len);
	if (l3 + n > end || d.payload_len > 65535)
		return;
	rec = copy_new(f ? f->peer.cookie : 0, f ? f->peer.cgroup_id : 0, n + d.payload_len,
		       (from_endpoint ? 0 : IMDS_C_OUT) | IMDS_C_DROP | (has_reason ? IMDS_C_HAS_REASON : 0) |
			   (d.payload_len ? IMDS_C_PAYLOAD : 0));
	if (!rec)
		return;
	if (bpf_probe_read_kernel(rec->bytes, n, l3)) {
		bpf_ringbuf_discard(rec, 0);
		return;
	}
	rec->captured = n;
	rec->location = location;
	rec->reason = reason;
	bpf_ringbuf_submit(rec, 0);
}

SEC("tp_btf/kfree_skb")
int imds_copy_kfree_skb(__u64 *ctx)
{
	copy_drop((struct sk_buff *)ctx[0], ctx[1], ctx[2], true);
	return 0;
}

SEC("tp_btf/kfree_skb")
int imds_copy_kfree_skb_v510(__u64 *ctx)
{
	copy_drop((struct sk_buff *)ctx[0], ctx[1], 0, false);
	return 0;
}
