// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody else's cgroup_skb program, as systemd and Cilium have them: counts packets and lets them pass. Tests look
 * whether it still counts with imdsnoop beside it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} pass_count SEC(".maps");

SEC("cgroup_skb/egress") int cgroup_pass(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&pass_count, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 1;
}

char _license[] SEC("license") = "GPL";
