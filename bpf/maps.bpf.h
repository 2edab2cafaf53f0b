/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps and settings: declared here, each defined once in maps.bpf.c (first on the link line). */
#ifndef IMDSNOOP_MAPS_BPF_H
#define IMDSNOOP_MAPS_BPF_H

#include "compat.bpf.h"
#include "http_scan.h"

#define IMDS_LOCKS 64
#define IMDS_FORWARD_FUNCTIONS 2

struct imds_lock {
	struct bpf_spin_lock lock;
	__u32 pad;
};

/* Sizes marked "loader" are set before load, from --max-flows and --max-pods. */
struct imds_share_of_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, IMDS_SHARES);
	__type(key, __u64); /* cgroup id */
	__type(value, __u32);
};

struct imds_flows_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* 0.6 KiB each: only connections that exist cost memory */
	__uint(max_entries, 65536);	      /* loader */
	__type(key, struct imds_flow_key);
	__type(value, struct imds_flow);
};

struct imds_tuples_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536); /* loader */
	__type(key, struct imds_tuple);
	__type(value, struct imds_flow_key);
};

struct imds_packet_counters_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096); /* loader */
	__type(key, __u64);
	__type(value, struct imds_packet_counters);
};

struct imds_request_counters_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384); /* loader */
	__type(key, struct imds_request_key);
	__type(value, struct imds_request_counters);
};

struct imds_drop_counters_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192); /* loader */
	__type(key, struct imds_drop_key);
	__type(value, struct imds_drop_counters);
};

struct imds_locks_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IMDS_LOCKS);
	__type(key, __u32);
	__type(value, struct imds_lock);
};

struct imds_unowned_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, IMDS_UNOWNED);
	__type(key, struct imds_unowned_key);
	__type(value, struct imds_unowned);
};

struct imds_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* loader */
};

struct imds_rare_map { /* drops and cgroups: what is rare is not pushed out by requests */
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* loader */
};

struct imds_copies_map { /* heads of packets; without --pcapng it is not there */
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* loader */
};

extern struct imds_flows_map imds_flows SEC(".maps");
extern struct imds_tuples_map imds_tuples SEC(".maps");
extern struct imds_packet_counters_map imds_packets SEC(".maps");
extern struct imds_request_counters_map imds_requests SEC(".maps");
extern struct imds_drop_counters_map imds_drops SEC(".maps");
extern struct imds_locks_map imds_locks SEC(".maps");
extern struct imds_unowned_map imds_unowned SEC(".maps");
extern struct imds_ring_map imds_ring SEC(".maps");
extern struct imds_rare_map imds_rare SEC(".maps");
extern struct imds_copies_map imds_copies SEC(".maps");
extern struct imds_share_of_map imds_share_of SEC(".maps");

/* Settings, constant from load on: the verifier prunes what they switch off. */
extern const volatile __u32 imds_abi_version;
extern const volatile __u32 imds_endpoints_len;
extern const volatile struct imds_endpoint imds_endpoints[IMDS_MAX_ENDPOINTS];
/* Bits on which all endpoints of a family agree: one compare turns nearly every other packet away. */
extern const volatile __u32 imds_v4_mask, imds_v4_value, imds_v4_any;
extern const volatile __u64 imds_v6_mask[2], imds_v6_value[2];
extern const volatile __u32 imds_v6_any;
extern const volatile __u64 imds_own_netns;	  /* netns cookie of the loader, 0: unknown */
extern const volatile __u32 imds_netns_inodes[2]; /* of PID 1's network namespace and the loader's, 0: unknown */
/* Where the TTL is checked: numbers of drop reasons (0: none such here) and addresses of functions, first to behind last. */
extern const volatile __u32 imds_reason_ttl, imds_reason_tc_ingress;
extern const volatile __u64 imds_forward_functions[IMDS_FORWARD_FUNCTIONS][2];
extern const volatile __u32 imds_with_ancestors;
extern const volatile __u32 imds_with_comm; /* 0: the kernel does not tell without CAP_PERFMON */
extern const volatile __u32 imds_max_flows;
extern const volatile __u32 imds_max_counters[IMDS_COUNTERS_COUNT]; /* of one share, in each table */
extern const volatile __u32 imds_share_level; /* folders from the hierarchy's root, for cgroups that nobody has named */
extern const volatile struct imds_http_table imds_http;
extern const volatile struct imds_flow imds_zero_flow; /* template: never written */

extern __u64 imds_losses[IMDS_LOSS_COUNT];
/* Connections held: what was created less what was deleted here; user space skips its walk while there is none. */
extern __u64 imds_flows_created, imds_flows_deleted;
extern __u64 imds_waiting[IMDS_WAITING];
extern __u64 imds_syns[IMDS_SYNS];
extern __u32 imds_unowned_held[IMDS_UNOWNED_PLACES]; /* entries of imds_unowned, by imds_unowned_place() */
extern __u64 imds_syns_out; /* SYNs that wait for an answer, about: while it is 0 nobody need look for one */
extern __u64 imds_netns[IMDS_NETNS];
extern struct imds_refused imds_refused[IMDS_REFUSED];
extern struct imds_resent imds_resent[IMDS_RESENT];
extern struct imds_untracked imds_untracked[IMDS_UNTRACKED];
extern struct imds_share imds_shares[IMDS_SHARES];
extern struct imds_unsent imds_unsent[IMDS_UNSENT];

static __always_inline void count_loss(enum imds_loss loss)
{
	__sync_fetch_and_add(&imds_losses[loss], 1);
}

static __always_inline bool addr_equal(const struct imds_addr *a, const struct imds_addr *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

static __always_inline void addr_from_v4(struct imds_addr *a, __be32 v4)
{
	a->d[0] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

static __always_inline bool v4_may_match(__be32 addr)
{
	return imds_v4_any && (addr & imds_v4_mask) == imds_v4_value;
}

static __always_inline bool v6_may_match(const struct imds_addr *a)
{
	return imds_v6_any && (a->d[0] & imds_v6_mask[0]) == imds_v6_value[0] &&
	       (a->d[1] & imds_v6_mask[1]) == imds_v6_value[1];
}

#endif
