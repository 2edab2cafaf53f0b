// SPDX-License-Identifier: GPL-2.0-only
/* Somebody else's cgroup_skb program, as systemd's for IPAddressDeny=169.254.169.254: nothing leaves to that address. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup_skb/egress") int cgroup_deny(struct __sk_buff *skb)
{
	__be32 daddr = 0;

	if (bpf_skb_load_bytes(skb, 16, &daddr, sizeof(daddr))) /* of an IPv4 header, at which the packet begins here */
		return 1;
	return daddr != bpf_htonl(0xa9fea9fe);
}

char _license[] SEC("license") = "GPL";
