// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Cilium's and Calico's eBPF data paths do on a node's uplink, and nothing more: drop the metadata service's
 * packets whose TTL (hop limit) is used up, before netfilter has undone the NAT and before ip_forward() sees them.
 * Needs no header but the UAPI ones. Loaded by: tc filter add dev eth0 ingress bpf da obj FILE sec tc
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BE16(x) __builtin_bswap16(x)
#define BE32(x) __builtin_bswap32(x)
#else
#define BE16(x) (x)
#define BE32(x) (x)
#endif

#define IMDS_V4 BE32(0xa9fea9feU)	/* 169.254.169.254 */
#define IMDS_V6_FIRST BE32(0xfd000ec2U)	/* fd00:ec2::254 */
#define IMDS_V6_LAST BE32(0x254U)

__attribute__((section("tc"), used)) int tc_ttl_drop(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = data + sizeof(*eth);
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(eth + 1) > end)
		return TC_ACT_OK;
	if (eth->h_proto == BE16(ETH_P_IP) && (void *)(ip + 1) <= end)
		return ip->saddr == IMDS_V4 && ip->ttl <= 1 ? TC_ACT_SHOT : TC_ACT_OK;
	if (eth->h_proto == BE16(ETH_P_IPV6) && (void *)(ip6 + 1) <= end)
		return ip6->saddr.in6_u.u6_addr32[0] == IMDS_V6_FIRST &&
		       ip6->saddr.in6_u.u6_addr32[3] == IMDS_V6_LAST && ip6->hop_limit <= 1 ? TC_ACT_SHOT : TC_ACT_OK;
	return TC_ACT_OK;
}

char _license[] __attribute__((section("license"), used)) = "GPL";
