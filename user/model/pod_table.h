/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The middle of the program: requests, drops and counts added up per container. Knows no kernel and no clock: records,
 * names and times are passed in. Bounded by max_pods; what is over goes to one row, `other`.
 */
#ifndef IMDSNOOP_POD_TABLE_H
#define IMDSNOOP_POD_TABLE_H

#include "request.h"
#include "snapshot.h"

struct pod_table;

struct pod_table_options {
	size_t max_pods;
	uint64_t stall_ns;
	uint64_t slow_ns;
	const struct imds_endpoint *endpoints; /* borrowed, as long as the table */
	size_t endpoints_len;
	bool redact_paths; /* the path is wiped before anything else sees the request */
};

/* Returns 0 or -ENOMEM. */
int pod_table_new(const struct pod_table_options *o, struct pod_table **ret_table);
void pod_table_free(struct pod_table *t);

/* Whether the drop hook is on: then a silent death is none of its TTL. May change at any time. */
void pod_table_set_drops_watched(struct pod_table *t, bool watched);
/* Drops may have been missed up to now: requests that had begun by then are judged as if the hook were off. */
void pod_table_drops_lost(struct pod_table *t, uint64_t now_ns);
/* True for the local address of a socket that got a token, lately. */
bool pod_table_gets_tokens(struct pod_table *t, const struct imds_addr *addr);
/* Answers to it died: what else dies on the way there is told by its row. */
bool pod_table_knows_deaths(struct pod_table *t, const struct imds_addr *addr);

/*
 * Judges r (who, rec, wall_ns, drop_reason, drop_location and running are given; the rest is filled in) and, when it is
 * not running, adds it to its row.
 */
void pod_table_add_request(struct pod_table *t, struct request *r, uint64_t now_ns);

/*
 * What decides may come later than the record: the death of an answer whose client has left; without a drop hook, another
 * request of the container that is answered. True: hold r back for a moment, and add it then.
 */
bool pod_table_wants_later(struct pod_table *t, const struct request *r, uint64_t now_ns);

/* An answer came that no request waits for any more, or died of its TTL. */
void pod_table_add_late_answer(struct pod_table *t, const struct pod_identity *who, bool died);
/* What came after a connection's last request. */
void pod_table_add_flow_end(struct pod_table *t, const struct pod_identity *who, const struct imds_rec_flow_end *rec);

/* n more requests that the kernel counted under key, whose records were lost. */
void pod_table_add_lost(struct pod_table *t, const struct pod_identity *who, const struct imds_request_key *key,
			uint64_t n, uint64_t now_ns);

/* Packets dropped since the last call for the same key; n is the difference. who NULL: of no known connection. */
void pod_table_add_drops(struct pod_table *t, const struct pod_identity *who, const struct imds_drop_key *key,
			 const char *reason, uint64_t n);

/* One of its requests was judged at once for want of a place to wait. */
void pod_table_add_judged_early(struct pod_table *t, const struct pod_identity *who);

/* Packet counts since the last call, as a difference. */
void pod_table_add_packets(struct pod_table *t, const struct pod_identity *who, const struct imds_packet_counters *more,
			   uint64_t now_ns);

/* Requests that run now: add each, in a round that may take several turns, then show them. */
void pod_table_show_running(struct pod_table *t);
void pod_table_add_running(struct pod_table *t, const struct pod_identity *who);

/*
 * Rows whose cgroup is gone and that were silent for keep_ns leave, for good; alive tells by cgroup id. With keep_ns 0
 * nothing leaves (a report wants all of them).
 */
void pod_table_expire(struct pod_table *t, uint64_t now_ns, uint64_t keep_ns,
		      bool (*alive)(void *arg, uint64_t cgroup_id), void *arg);

/*
 * Fills pods (worst first), totals, baseline; the rest of *s is the caller's. Its figures go on; what it points to, names
 * included, stays until the next snapshot or until pod_table_freed() has changed. Returns 0 or -ENOMEM.
 */
int pod_table_snapshot(struct pod_table *t, struct snapshot *s);
/* How often a row has left or got a new name. */
uint64_t pod_table_freed(const struct pod_table *t);

/*
 * The order of snapshot.pods, for qsort(3) of pointers: worst first by hop limit, then lost time, other failures, HTTP
 * errors, latency; `other` last; names break a tie.
 */
int pod_table_worse(const void *a, const void *b);

/* Rows held, the bound, requests that went to `other`, and packets dropped that belong to no known connection. */
struct pod_table_stats {
	size_t rows, limit;
	uint64_t overflowed;
	uint64_t stray_ttl_drops; /* an endpoint's packets that died of TTL, no connection known */
	uint64_t stray_drops;
};
void pod_table_get_stats(const struct pod_table *t, struct pod_table_stats *ret_stats);

/* Bytes that one row takes at most, about: with its names, all kinds and the steps of its latencies. */
size_t pod_table_row_bytes(void);

#endif
