// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Cilium's and Calico's eBPF data paths do on a node's uplink, and nothing more: drop the metadata service's
 * packets whose TTL (hop limit) is used up, before netfilter has undone the NAT and before ip_forward() sees them.
 * Loaded by: tc filter add dev eth0 ingress bpf da obj FILE sec tc
 * Section "policy": what a network policy does there, whatever the TTL is.
 * Section "lose": a wire of a smaller MTU, where full packets are lost without a sign: no kfree_skb, no ICMP.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TC_ACT_OK 0 /* linux/pkt_cls.h */
#define TC_ACT_SHOT 2
#define TC_ACT_STOLEN 4
#define BARE 60	    /* bytes of a packet without data, at most */
#define FULL 410    /* bytes, with the Ethernet header */
#define ETH_HLEN 14 /* linux/if_ether.h */
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define IMDS_V4 bpf_htonl(0xa9fea9fe)	    /* 169.254.169.254 */
#define IMDS_V6_FIRST bpf_htonl(0xfd000ec2) /* fd00:ec2::254 */
#define IMDS_V6_LAST bpf_htonl(0x254)

SEC("tc") int tc_ttl_drop(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	struct iphdr *ip = data + ETH_HLEN;

	if (skb->protocol == bpf_htons(ETH_P_IP) && (void *)(ip + 1) <= end)
		return ip->saddr == IMDS_V4 && ip->ttl <= 1 ? TC_ACT_SHOT : TC_ACT_OK;
	if (skb->protocol == bpf_htons(ETH_P_IPV6) && (void *)(ip6 + 1) <= end)
		return ip6->saddr.in6_u.u6_addr32[0] == IMDS_V6_FIRST &&
			       ip6->saddr.in6_u.u6_addr32[3] == IMDS_V6_LAST && ip6->hop_limit <= 1
			   ? TC_ACT_SHOT
			   : TC_ACT_OK;
	return TC_ACT_OK;
}

SEC("lose") int tc_lose(struct __sk_buff *skb)
{
	return skb->len >= FULL ? TC_ACT_STOLEN : TC_ACT_OK;
}

/* A policy that looks at no TTL: what carries data is kept away. */
SEC("policy") int tc_policy(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;

	return skb->protocol == bpf_htons(ETH_P_IP) && (void *)(ip + 1) <= end && ip->saddr == IMDS_V4 &&
		       skb->len > ETH_HLEN + BARE
		   ? TC_ACT_SHOT
		   : TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
