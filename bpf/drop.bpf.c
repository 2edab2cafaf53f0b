/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tp_btf/kfree_skb: each packet that the kernel drops, on the whole node. The address test comes first. skb->sk is
 * NULL in ip_forward() and the current task is whoever was interrupted, so a drop finds its connection by 4-tuple
 * (already un-NATed in ip_forward) or, when it died before NAT was undone (tc), by TCP sequence number.
 */
#include "maps.bpf.h"
#include "flow.bpf.h"

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
		if (!v4_may_match(ip.saddr) && !v4_may_match(ip.daddr))
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
		if (!v6_may_match(&d->source) && !v6_may_match(&d->dest))
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

static __always_inline void count_drop(__u64 cgroup_id, __u32 reason, const struct dropped *d, bool from_endpoint)
{
	struct imds_drop_key key = {
		.cgroup_id = cgroup_id,
		.reason = reason,
		.ttl_expired = d->ttl <= 1,
		.from_endpoint = from_endpoint,
	};
	__u64 zero = 0, *n;

	n = bpf_map_lookup_elem(&imds_drops, &key);
	if (!n) {
		bpf_map_update_elem(&imds_drops, &key, &zero, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&imds_drops, &key);
		if (!n) {
			count_loss(IMDS_LOSS_COUNTER_FULL);
			return;
		}
	}
	__sync_fetch_and_add(n, 1);
}

/* The flow of a dropped packet; *ret_match tells how it was found. */
static __always_inline struct imds_flow *find_flow(const struct dropped *d, bool from_endpoint,
						   struct imds_flow_key *key, __u8 *ret_match)
{
	struct imds_tuple t = {};
	struct imds_flow_key *k;
	struct imds_flow *f;

	t.local = from_endpoint ? d->dest : d->source;
	t.remote = from_endpoint ? d->source : d->dest;
	t.rest = from_endpoint ? IMDS_TUPLE_REST(d->dest_port, d->source_port, d->proto)
			       : IMDS_TUPLE_REST(d->source_port, d->dest_port, d->proto);
	k = bpf_map_lookup_elem(&imds_tuples, &t);
	if (k) {
		*key = *k;
		f = bpf_map_lookup_elem(&imds_flows, key);
		if (f) {
			*ret_match = IMDS_MATCH_TUPLE;
			return f;
		}
	}
	if (!from_endpoint || d->proto != IPPROTO_TCP)
		return 0;
	key->query = 0;
	for (int way = 0; way < 2; way++) {
		key->cookie = *waiting_place(d->seq, way);
		if (!key->cookie)
			continue;
		f = bpf_map_lookup_elem(&imds_flows, key);
		/* the answer acknowledges the whole request, and once the client has sent its FIN, that too */
		if (f && f->has_fingerprint && f->fingerprint_seq == d->seq && d->ack - f->snd_nxt <= 1 &&
		    f->peer.remote_port == d->source_port && addr_equal(&f->peer.remote, &d->source)) {
			*ret_match = IMDS_MATCH_FINGERPRINT;
			return f;
		}
	}
	return 0;
}

static __always_inline void on_drop(struct sk_buff *skb, __u64 location, __u32 reason, bool has_reason)
{
	const unsigned char *l3 = skb->head + skb->network_header;
	struct imds_request *r = 0;
	struct imds_rec_drop *rec;
	struct imds_flow_key key = {};
	struct dropped d = {};
	struct imds_drop drop = {};
	struct imds_flow *f;
	bool from_endpoint, kept = false;
	__u32 off;
	__u64 now;

	off = dropped_l3(skb, l3, &d);
	if (!off || dropped_l4(l3 + off, &d))
		return;
	from_endpoint = endpoint_find(&d.source, d.source_port) >= 0;
	if (!from_endpoint && endpoint_find(&d.dest, d.dest_port) < 0)
		return;
	if (d.payload_len > 65535) /* lengths that contradict each other */
		d.payload_len = 0;
	f = find_flow(&d, from_endpoint, &key, &drop.match);
	count_drop(f ? f->peer.cgroup_id : 0, reason, &d, from_endpoint);
	if (!f)
		return;

	now = bpf_ktime_get_ns();
	drop.ts_ns = now;
	drop.location = location;
	drop.reason = reason;
	drop.ttl = d.ttl;
	drop.flags = (from_endpoint ? IMDS_D_FROM_ENDPOINT : 0) | (d.payload_len ? IMDS_D_PAYLOAD : 0) |
		     (d.tcp_flags & TCP_SYN ? IMDS_D_SYN : 0) | (has_reason ? IMDS_D_HAS_REASON : 0) |
		     (from_endpoint && d.seq == f->rcv_nxt ? IMDS_D_EXPECTED_SEQ : 0);
	f->last_ns = now;
	r = flow_current(f);
	if (!r && !f->requests)
		r = flow_slot(f, 0); /* the SYN or SYN-ACK of a connection without a request yet */
	if (r) {
		if (r->kind == IMDS_KIND_TOKEN && !r->first_byte_ns)
			drop.flags |= IMDS_D_WAITING_TOKEN;
		__sync_fetch_and_add(&r->drops, 1);
		if (!r->drop.ts_ns ||
		    ((drop.flags & IMDS_D_PAYLOAD) && from_endpoint && d.ttl <= 1 &&
		     !((r->drop.flags & IMDS_D_PAYLOAD) && (r->drop.flags & IMDS_D_FROM_ENDPOINT) && r->drop.ttl <= 1))) {
			r->drop = drop;
			kept = true;
		}
	} else {
		__sync_fetch_and_add(&f->late_drops, 1);
		if (f->last_kind == IMDS_KIND_TOKEN && f->last_end == IMDS_END_CLOSED)
			drop.flags |= IMDS_D_WAITING_TOKEN;
		kept = f->late_drops == 1;
	}
	if (!kept)
		return;
	rec = bpf_ringbuf_reserve(&imds_ring, sizeof(*rec), 0);
	if (!rec) {
		count_loss(IMDS_LOSS_RING_DROP);
		return;
	}
	rec->hdr.type = IMDS_REC_DROP;
	rec->hdr.len = sizeof(*rec);
	rec->hdr.cpu = bpf_get_smp_processor_id();
	rec->hdr.ts_ns = now;
	__builtin_memcpy(&rec->peer, &f->peer, sizeof(rec->peer));
	rec->drop = drop;
	rec->req_start_ns = r ? r->start_ns : 0;
	rec->kind = r ? r->kind : f->last_kind;
	__builtin_memset(rec->pad, 0, sizeof(rec->pad));
	bpf_ringbuf_submit(rec, 0);
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
