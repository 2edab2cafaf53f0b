/* SPDX-License-Identifier: GPL-2.0-only */
/* The exact counts in the last line of `trace --json`, which no request's line tells. */
#ifndef IMDSNOOP_TRACE_COUNTS_H
#define IMDSNOOP_TRACE_COUNTS_H

#include <jansson.h>

#include "../model/pod_table.h"
#include "session.h"

/*
 * An array with an object for each cgroup: who it is, "in_flight", "packets" (direction, protocol, counts), "bytes", "untracked",
 * "lost" (requests whose records were lost), "drops" (packets). One without identity holds the drops of no known
 * connection. A new reference, or NULL without memory.
 */
json_t *trace_counts_write(struct session *session, const struct snapshot *s);

/* Adds what trace_counts_write() wrote to t. Returns 0, or -EINVAL when it is no such array; good rows are added. */
int trace_counts_read(const json_t *counts, struct pod_table *t, uint64_t now_ns);

/* The identity in an object, borrowed from it. */
struct pod_identity trace_counts_identity(const json_t *object);

#endif
