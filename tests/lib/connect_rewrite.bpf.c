// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody else's program at connect(2), as Cilium's socket load balancing: what was to go to the metadata service goes to
 * port 8181 of its own loopback address, where a stand-in listens.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/connect4") int connect_rewrite(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == bpf_htonl(0xa9fea9fe) && ctx->user_port == bpf_htons(80)) {
		ctx->user_ip4 = bpf_htonl(0x7f000001);
		ctx->user_port = bpf_htons(8181);
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
