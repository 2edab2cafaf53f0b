/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --pcapng: heads of the packets between sockets and metadata addresses, beside the programs that follow connections and
 * with nothing in common but the addresses. Not loaded without the option. Dropped packets: drop.bpf.c.
 */
#include "copy.bpf.h"
#include "flow.bpf.h"

static __always_inline int copy_packet(struct __sk_buff *skb, bool egress)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct packet p = {};
	struct iphdr *ip = data;
	struct imds_rec_copy *rec;
	int proto;
	__u32 n;

	if ((void *)(ip + 1) > end)
		return IMDS_PASS;
	if (ip->version == 4) {
		if (!v4_may_match(egress ? ip->daddr : ip->saddr) || ip->ihl < 5)
			return IMDS_PASS;
		p.proto = ip->protocol;
		p.l4_off = ip->ihl * 4;
		p.fragment = ip->frag_off & bpf_htons(0x1fff);
		addr_from_v4(&p.remote, egress ? ip->daddr : ip->saddr);
	} else {
		struct ipv6hdr *ip6 = data;

		if (!imds_v6_any || (void *)(ip6 + 1) > end)
			return IMDS_PASS;
		__builtin_memcpy(&p.remote, egress ? &ip6->daddr : &ip6->saddr, sizeof(p.remote));
		if (!v6_may_match(&p.remote))
			return IMDS_PASS;
		p.l4_off = sizeof(*ip6);
		proto = skip_ipv6_ext(skb, ip6->nexthdr, &p.l4_off, &p.fragment);
		p.proto = proto < 0 ? 0xff : proto;
	}
	if (p.fragment || (p.proto != IPPROTO_TCP && p.proto != IPPROTO_UDP) || parse_l4(skb, &p, egress) ||
	    endpoint_find(&p.remote, p.remote_port) < 0)
		return IMDS_PASS;
	rec = copy_new(bpf_get_socket_cookie(skb), bpf_skb_cgroup_id(skb), skb->len,
		       (egress ? IMDS_C_OUT : 0) | (p.payload_len ? IMDS_C_PAYLOAD : 0));
	if (!rec)
		return IMDS_PASS;
	n = copy_length(p.payload_off);
	if (bpf_skb_load_bytes(skb, 0, rec->bytes, n)) {
		bpf_ringbuf_discard(rec, 0);
		return IMDS_PASS;
	}
	rec->captured = n;
	bpf_ringbuf_submit(rec, 0);
	return IMDS_PASS;
}

SEC("cgroup_skb/egress")
int imds_copy_egress(struct __sk_buff *skb)
{
	return copy_packet(skb, true);
}

SEC("cgroup_skb/ingress")
int imds_copy_ingress(struct __sk_buff *skb)
{
	return copy_packet(skb, false);
}
