/* SPDX-License-Identifier: GPL-2.0-only */
/* The larger steps of share.bpf.h, as global functions: see flow.bpf.h. */
#include "share.bpf.h"

#define UNTRACKED_NS 60000000000ull /* then a long connection gets another chance, and counts again */

__noinline int imds_may_record(__u32 place, __u64 unsent, __u32 cheap, __u64 now)
{
	struct imds_share *s = share_place(place);
	__u32 i = unsent & (IMDS_UNSENT - 1);
	__u64 over = s->recorded_ns;
	struct imds_unsent *u;

	if (unsent) {
		barrier_var(i);
		u = &imds_unsent[i & (IMDS_UNSENT - 1)];
		if (u->id == unsent && now - u->since_ns < 1000000000ull)
			return 0;
		u->id = unsent;
		u->since_ns = now;
	}
	if (!place)
		return 1;
	if (over < now)
		over = now;
	if (over - now < IMDS_SHARE_BURST_NS) {
		s->recorded_ns = over + IMDS_SHARE_RECORD_NS;
		return 1;
	}
	if (cheap)
		return 0;
	over = bpf_ringbuf_query(&imds_ring, BPF_RB_RING_SIZE) / 4;
	return bpf_ringbuf_query(&imds_ring, BPF_RB_AVAIL_DATA) < over;
}

static __always_inline void count_direction(struct imds_packet_counters *c, __u32 direction, __u32 proto, __u32 len)
{
	if (proto == IPPROTO_TCP)
		count_one(c, direction, IMDS_PROTO_TCP, len);
	else if (proto == IPPROTO_UDP)
		count_one(c, direction, IMDS_PROTO_UDP, len);
	else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		count_one(c, direction, IMDS_PROTO_ICMP, len);
	else
		count_one(c, direction, IMDS_PROTO_OTHER, len);
}

__noinline int imds_count_packet(__u64 cgroup_id, __u32 proto, __u32 len, __u32 direction, __u32 share)
{
	struct imds_packet_counters *c = packet_counters(cgroup_id, share);

	if (!c)
		return 0;
	if (direction == IMDS_EGRESS)
		count_direction(c, IMDS_EGRESS, proto, len);
	else
		count_direction(c, IMDS_INGRESS, proto, len);
	return 0;
}

static __always_inline void count_untracked(struct imds_untracked *u, __u64 id, __u64 now, __u64 cgroup_id, __u32 place)
{
	struct imds_packet_counters *c = packet_counters(cgroup_id, place);

	u->id = id;
	u->since_ns = now;
	if (c)
		__sync_fetch_and_add(&c->untracked, 1);
}

__noinline int imds_open(__u64 cookie, __u32 query, __u64 now, __u32 place, __u64 cgroup_id)
{
	struct imds_untracked *u = &imds_untracked[cookie & (IMDS_UNTRACKED - 1)];
	struct imds_flow_key key = { .cookie = cookie, .query = query };
	__u64 id = cookie ^ (__u64)query << 40;
	struct imds_share *s = share_place(place);
	struct imds_flow *f;

	if (u->id == id && now - u->since_ns < UNTRACKED_NS)
		return 0;
	if (share_is_full(s, place, query)) {
		count_loss(IMDS_LOSS_FLOW_SHARE);
		count_untracked(u, id, now, cgroup_id, place);
		return 0;
	}
	bpf_map_update_elem(&imds_flows, &key, (const void *)&imds_zero_flow, BPF_ANY);
	f = bpf_map_lookup_elem(&imds_flows, &key);
	if (!f) {
		count_loss(IMDS_LOSS_FLOW_FULL);
		count_untracked(u, id, now, cgroup_id, place);
		return 0;
	}
	flow_charge(place, query);
	f->share = place;
	f->peer.cookie = cookie;
	f->peer.cgroup_id = cgroup_id;
	return 0;
}

/*
 * Walks from the root down: the deepest cgroup that user space named wins. cgroup_at is the helper's call at `level`. Cgroups
 * that are told apart, though their maker has as many as it may, count as the one that it has its share by.
 */
#define SHARE_WALK(cgroup_at, own)                                                                        \
	__u32 found = 0, at = 0, last = 0, place, depth;                                                  \
	__u64 id, unnamed = 0;                                                                            \
	_Pragma("unroll") for (__u32 level = 1; level <= IMDS_SHARE_LEVELS; level++)                      \
	{                                                                                                 \
		__u32 *v;                                                                                 \
                                                                                                          \
		id = (cgroup_at);                                                                         \
		if (!id)                                                                                  \
			break;                                                                            \
		if (level <= imds_share_level) {                                                          \
			unnamed = id;                                                                     \
			last = level;                                                                     \
		}                                                                                         \
		v = bpf_map_lookup_elem(&imds_share_of, &id);                                             \
		if (v) {                                                                                  \
			found = *v;                                                                       \
			at = level;                                                                       \
		}                                                                                         \
	}                                                                                                 \
	place = found ? found & (IMDS_SHARES - 1) : unnamed ? 1 + unnamed % (IMDS_SHARES_HASHED - 1) : 0; \
	depth = found >> 16;                                                                              \
	if (found && depth != IMDS_SHARE_ANY_DEPTH)                                                       \
		return place | (at + depth) << 16;                                                        \
	id = (own);                                                                                       \
	if (!counters_are_full(place, IMDS_COUNTERS_PACKETS) || bpf_map_lookup_elem(&imds_packets, &id))  \
		return place;                                                                             \
	return place | (found ? at : last) << 16

__noinline int imds_share_of_skb(struct __sk_buff *skb)
{
	SHARE_WALK(bpf_skb_ancestor_cgroup_id(skb, level), bpf_skb_cgroup_id(skb));
}

__noinline int imds_share_of_task(__u32 unused)
{
	SHARE_WALK(bpf_get_current_ancestor_cgroup_id(level), bpf_get_current_cgroup_id());
}

__noinline int imds_count_skb(struct __sk_buff *skb, __u64 cgroup_id, __u32 proto, __u32 direction)
{
	__u64 container;
	__u32 found = 0;

	/* a cgroup that a tenant made gets no counters of its own */
	if (!bpf_map_lookup_elem(&imds_packets, &cgroup_id)) {
		found = imds_share_of_skb(skb);
		container = SHARE_LEVEL(found) ? bpf_skb_ancestor_cgroup_id(skb, SHARE_LEVEL(found)) : 0;
		if (container)
			cgroup_id = container;
	}
	return imds_count_packet(cgroup_id, proto, skb->len, direction, SHARE_PLACE(found));
}
