/* SPDX-License-Identifier: GPL-2.0-only */
/* A record for a packet's head: what both ways to see a packet share. */
#ifndef IMDSNOOP_COPY_BPF_H
#define IMDSNOOP_COPY_BPF_H

#include "maps.bpf.h"

/* Everything but bytes and captured, which the caller knows; NULL, and a loss, when the ring is full. */
static __always_inline struct imds_rec_copy *copy_new(__u64 cookie, __u64 cgroup_id, __u32 length, __u32 flags)
{
	struct imds_rec_copy *rec = bpf_ringbuf_reserve(&imds_copies, sizeof(*rec), 0);

	if (!rec) {
		count_loss(IMDS_LOSS_RING_COPY);
		return 0;
	}
	__builtin_memset(rec, 0, sizeof(*rec)); /* what lay there before is nobody's */
	rec->hdr.type = IMDS_REC_COPY;
	rec->hdr.len = sizeof(*rec);
	rec->hdr.cpu = bpf_get_smp_processor_id();
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->cookie = cookie;
	rec->cgroup_id = cgroup_id;
	rec->length = length;
	rec->flags = flags;
	return rec;
}

/* From 1 to IMDS_COPY_MAX, so that the verifier sees it. */
static __always_inline __u32 copy_length(__u32 headers)
{
	__u32 n = headers > IMDS_COPY_MAX ? IMDS_COPY_MAX : headers;

	n = (n - 1) & (IMDS_COPY_MAX - 1);
	barrier_var(n);
	return (n & (IMDS_COPY_MAX - 1)) + 1;
}

#endif
