// SPDX-License-Identifier: GPL-2.0-only
/*
 * An XDP program that keeps an interface's packets from the metadata service, as a load balancer's or a security agent's may.
 * Loaded by: ip link set dev veth1 xdpgeneric obj FILE sec xdp
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_HLEN 14 /* linux/if_ether.h */
#define ETH_P_IP 0x0800
enum { XDP_DROP = 1, XDP_PASS = 2 };  /* linux/bpf.h */
#define IMDS_V4 bpf_htonl(0xa9fea9fe) /* 169.254.169.254 */

struct xdp_md { /* linux/bpf.h; its beginning */
	__u32 data;
	__u32 data_end;
};

SEC("xdp") int xdp_drop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 *proto = data + ETH_HLEN - sizeof(*proto);
	struct iphdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > end || *proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	return ip->daddr == IMDS_V4 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
