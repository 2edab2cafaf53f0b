/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Headers of a packet at a cgroup_skb hook: data begins at the IP header (no Ethernet header at that hook).
 * No map and no policy here.
 */
#ifndef IMDSNOOP_PARSE_BPF_H
#define IMDSNOOP_PARSE_BPF_H

#include "compat.bpf.h"

#define IPV6_EXT_MAX 4 /* extension headers followed; metadata traffic has none */

struct packet {
	struct imds_addr local, remote; /* as the client's socket sees them */
	__u16 local_port, remote_port;
	__u8 family; /* 4 or 6 */
	__u8 proto;  /* IPPROTO_* */
	__u8 ttl;
	__u8 tcp_flags;
	__u32 seq, ack;
	__u32 l4_off; /* from the IP header */
	__u32 payload_off;
	__u32 payload_len;
	bool fragment;	  /* not the first one: no ports in it */
	__u16 redirected; /* not 0: to this host behind the socket's back, see redirected_v4(); then to this port */
};

/*
 * REDIRECT in the OUTPUT chain (a sidecar's, ecs-init's for tasks on the host's network) sends to 127.0.0.1 what its socket
 * sends elsewhere; the answers come back as from there. Where the socket thinks it sends to; addr itself for all others.
 */
static __always_inline __be32 redirected_v4(const struct __sk_buff *skb, __be32 addr, __u16 *ret_redirected)
{
	if ((addr & bpf_htonl(0xff000000)) != bpf_htonl(0x7f000000))
		return addr;
	*ret_redirected = 1;
	return skb->remote_ip4;
}

/* Follows IPv6 extension headers from *off; returns the upper protocol or -1. RFC 8200 section 4. */
static __always_inline int skip_ipv6_ext(struct __sk_buff *skb, __u8 next, __u32 *off, bool *fragment)
{
	for (int i = 0; i < IPV6_EXT_MAX; i++) {
		__u8 ext[8];

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			return next;
		if (bpf_skb_load_bytes(skb, *off, ext, sizeof(ext)))
			return -1;
		if (next == IPPROTO_FRAGMENT) {
			if (((ext[2] << 8) | ext[3]) & 0xfff8) {
				*fragment = true;
				return ext[0];
			}
			*off += 8;
		} else {
			*off += (ext[1] + 1) * 8;
		}
		next = ext[0];
	}
	return -1;
}

/* The TCP header. Without options ahead of it, it is read where it lies if that is the first piece of the packet's memory. */
static __always_inline int load_tcp(struct __sk_buff *skb, __u32 off, struct tcphdr *ret)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct tcphdr *v4 = data + sizeof(struct iphdr), *v6 = data + sizeof(struct ipv6hdr);

	if (off == sizeof(struct iphdr) && (const void *)(v4 + 1) <= end)
		*ret = *v4;
	else if (off == sizeof(struct ipv6hdr) && (const void *)(v6 + 1) <= end)
		*ret = *v6;
	else
		return bpf_skb_load_bytes(skb, off, ret, sizeof(*ret));
	return 0;
}

/* Ports and TCP fields. Returns 0, or -1 when the header does not lie inside the packet. */
static __always_inline int parse_l4(struct __sk_buff *skb, struct packet *p, bool egress)
{
	__u16 source, dest;

	if (p->proto == IPPROTO_TCP) {
		struct tcphdr tcp;

		if (load_tcp(skb, p->l4_off, &tcp))
			return -1;
		source = bpf_ntohs(tcp.source);
		dest = bpf_ntohs(tcp.dest);
		p->seq = bpf_ntohl(tcp.seq);
		p->ack = bpf_ntohl(tcp.ack_seq);
		p->tcp_flags = tcp.flags;
		if (tcp.offset < 5 << 4)
			return -1;
		p->payload_off = p->l4_off + (tcp.offset >> 4) * 4;
	} else {
		struct udphdr udp;

		if (bpf_skb_load_bytes(skb, p->l4_off, &udp, sizeof(udp)))
			return -1;
		source = bpf_ntohs(udp.source);
		dest = bpf_ntohs(udp.dest);
		p->payload_off = p->l4_off + sizeof(udp);
	}
	p->local_port = egress ? source : dest;
	p->remote_port = egress ? dest : source;
	/* skb->len counts from the IP header here; tot_len is 0 in packets above 64 KiB (BIG TCP, 6.3) */
	if (p->payload_off > skb->len)
		return -1;
	p->payload_len = skb->len - p->payload_off;
	return 0;
}

#endif
