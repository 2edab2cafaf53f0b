/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is charged for what: shares of the tables and of the ring, counters of packets. */
#ifndef IMDSNOOP_SHARE_BPF_H
#define IMDSNOOP_SHARE_BPF_H

#include "maps.bpf.h"

/* Counts a packet for the cgroup, or for the cgroup of skb's socket. */
int imds_count_packet(__u64 cgroup_id, __u32 proto, __u32 len, __u32 direction, __u32 share);
int imds_count_skb(struct __sk_buff *skb, __u64 cgroup_id, __u32 proto, __u32 direction);
/*
 * Whether a request of this share gets a record, or is only counted. Beyond its 2,000 a second a pod goes on as long as
 * the reader keeps up, with requests that cost it more than us; cheap ones cost nothing to make. unsent: of whom it is
 * that connect(2) failed without a packet, 0: it did not; one record a second.
 */
int imds_may_record(__u32 place, __u64 unsent, __u32 cheap, __u64 now);
/*
 * A new connection or query, charged to share; there is none afterwards when the table or the share is full, or was a
 * moment ago for this one. cgroup_id is whose packet counters tell that.
 */
int imds_open(__u64 cookie, __u32 query, __u64 now, __u32 share, __u64 cgroup_id);
/*
 * Whom a socket is charged to, by the cgroups of skb's socket or of the current task: place in imds_shares, | level << 16
 * of the cgroup that its row is named by; level 0: its own.
 */
int imds_share_of_skb(struct __sk_buff *skb);
int imds_share_of_task(__u32 unused);
#define SHARE_PLACE(found) ((found) & (IMDS_SHARES - 1))
#define SHARE_LEVEL(found) ((found) >> 16)

/* The cgroup that a row is named by: nothing that a tenant made below its container. */
static __always_inline __u64 skb_cgroup(struct __sk_buff *skb, __u32 found)
{
	__u64 id = SHARE_LEVEL(found) ? bpf_skb_ancestor_cgroup_id(skb, SHARE_LEVEL(found)) : 0;

	return id ? id : bpf_skb_cgroup_id(skb);
}

static __always_inline __u64 task_cgroup(__u32 found)
{
	__u64 id = SHARE_LEVEL(found) ? bpf_get_current_ancestor_cgroup_id(SHARE_LEVEL(found)) : 0;

	return id ? id : bpf_get_current_cgroup_id();
}

/*
 * Each addition with an offset of its own: a variable one is what a loader without CAP_PERFMON may not have. The barrier
 * keeps the compiler from making one of them all.
 */
static __always_inline void count_one(struct imds_packet_counters *c, __u32 direction, __u32 proto, __u32 len)
{
	barrier_var(c);
	__sync_fetch_and_add(&c->packets[direction][proto], 1);
	__sync_fetch_and_add(&c->bytes[direction], len);
}

/* Something of f was not followed: its pod's own loss. Its packets were counted before. */
static __always_inline void count_unfollowed(const struct imds_flow *f, enum imds_loss loss)
{
	struct imds_packet_counters *c = bpf_map_lookup_elem(&imds_packets, &f->peer.cgroup_id);

	count_loss(loss);
	if (c)
		__sync_fetch_and_add(&c->untracked, 1);
}

static __always_inline void count_tcp(const struct imds_flow *f, __u32 len, __u32 direction)
{
	struct imds_packet_counters *c = bpf_map_lookup_elem(&imds_packets, &f->peer.cgroup_id);

	if (c)
		count_one(c, direction, IMDS_PROTO_TCP, len);
	else
		imds_count_packet(f->peer.cgroup_id, IPPROTO_TCP, len, direction, f->share);
}

static __always_inline struct imds_share *share_place(__u32 i)
{
	i &= IMDS_SHARES - 1;
	barrier_var(i);
	return &imds_shares[i & (IMDS_SHARES - 1)];
}

/* An entry was made in a table of counters, for this share. */
static __always_inline void counters_charge(__u32 place, enum imds_counters table)
{
	__sync_fetch_and_add(&share_place(place)->counters[table], 1);
}

static __always_inline bool counters_are_full(__u32 place, enum imds_counters table)
{
	return place && share_place(place)->counters[table] >= imds_max_counters[table];
}

static __always_inline bool share_is_full(const struct imds_share *s, __u32 place, __u64 query)
{
	__u64 held = imds_flows_created - imds_flows_deleted, most = IMDS_SHARE_FLOOR;

	if (!place)
		return false;
	if (held < imds_max_flows && (imds_max_flows - held) / IMDS_SHARE_PART > most)
		most = (imds_max_flows - held) / IMDS_SHARE_PART;
	return s->flows >= most || (query && s->queries >= most / IMDS_SHARE_QUERIES);
}

/* Half of what it may hold: connections that are over leave at once then. */
static __always_inline bool share_is_crowded(__u32 place)
{
	__u64 held = imds_flows_created - imds_flows_deleted;

	return place && held < imds_max_flows && share_place(place)->flows > IMDS_SHARE_FLOOR &&
	       share_place(place)->flows >= (imds_max_flows - held) / (2 * IMDS_SHARE_PART);
}

/* query: of DNS */
static __always_inline void flow_charge(__u32 place, __u32 query)
{
	struct imds_share *s = share_place(place);

	__sync_fetch_and_add(&imds_flows_created, 1);
	__sync_fetch_and_add(&s->flows, 1);
	if (query)
		__sync_fetch_and_add(&s->queries, 1);
}

static __always_inline void flow_uncharge(__u32 place, __u32 query)
{
	struct imds_share *s = share_place(place);

	__sync_fetch_and_add(&imds_flows_deleted, 1);
	__sync_fetch_and_sub(&s->flows, 1);
	if (query)
		__sync_fetch_and_sub(&s->queries, 1);
}

static __always_inline struct imds_packet_counters *packet_counters(__u64 cgroup_id, __u32 place)
{
	struct imds_packet_counters *c;
	bool made;

	c = bpf_map_lookup_elem(&imds_packets, &cgroup_id);
	if (c)
		return c;
	made = !bpf_map_update_elem(&imds_packets, &cgroup_id, (const void *)&imds_zero_flow, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&imds_packets, &cgroup_id);
	if (!c) {
		count_loss(IMDS_LOSS_COUNTER_FULL);
	} else if (made) {
		c->share = place;
		counters_charge(place, IMDS_COUNTERS_PACKETS);
	}
	return c;
}

#endif
