/* SPDX-License-Identifier: GPL-2.0-only */
/* Exact counts: differences to what was read last, and what is forgotten of cgroups that are gone. */
#include "../base/hash.h"
#include "session_part.h"

#include <stdlib.h>
#include <string.h>

/* A count as read last, to take differences: one hash for each table, keyed by the table's key. */
struct seen {
	uint8_t key[16];
	struct imds_packet_counters packets;
	uint64_t n;
	UT_hash_handle hh;
};

static struct seen *seen_get(struct seen **table, const void *key, size_t len)
{
	struct seen *n;

	HASH_FIND(hh, *table, key, len, n);
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	memcpy(n->key, key, len);
	HASH_ADD_KEYPTR(hh, *table, n->key, len, n);
	return HASH_ADDED(n);
}

static const struct pod_identity *who_of(struct session *s, uint64_t cgroup_id)
{
	return pod_names_get(s->names, cgroup_id, 0, session_now_ns());
}

static void on_packet_counts(void *arg, uint64_t cgroup_id, const struct imds_packet_counters *c)
{
	struct session *s = arg;
	struct seen *n = seen_get(&s->seen_packets, &cgroup_id, sizeof(cgroup_id));
	struct imds_packet_counters more = *c;
	bool any = false;

	if (!n)
		return;
	for (int d = 0; d < IMDS_DIRECTION_COUNT; d++) {
		for (int p = 0; p < IMDS_PROTO_COUNT; p++) {
			more.packets[d][p] -= n->packets.packets[d][p];
			any |= more.packets[d][p] != 0;
		}
		more.bytes[d] -= n->packets.bytes[d];
	}
	more.untracked -= n->packets.untracked;
	any |= more.untracked != 0;
	n->packets = *c;
	if (any)
		pod_table_add_packets(s->table, who_of(s, cgroup_id), &more, session_now_ns());
}

static void on_request_counts(void *arg, const struct imds_request_key *key, const struct imds_request_counters *c)
{
	struct session *s = arg;
	struct seen *n;

	if (!c->lost)
		return;
	n = seen_get(&s->seen_requests, key, sizeof(*key));
	if (!n || c->lost == n->n)
		return;
	pod_table_add_lost(s->table, who_of(s, key->cgroup_id), key, c->lost - n->n, session_now_ns());
	n->n = c->lost;
}

static const char *reason_of(const struct session *s, const struct imds_drop_key *key)
{
	/* 0 is no reason that a packet is dropped for: its pod had its share of the counters */
	return s->features.kfree_skb_args >= 3 && key->reason ? drop_reasons_name(s->reasons, key->reason) : "";
}

static void on_drop_counts(void *arg, const struct imds_drop_key *key, uint64_t packets)
{
	struct session *s = arg;
	struct seen *n = seen_get(&s->seen_drops, key, sizeof(*key));
	const char *reason = reason_of(s, key);

	if (!n || packets == n->n)
		return;
	pod_table_add_drops(s->table, key->cgroup_id ? who_of(s, key->cgroup_id) : NULL, key, reason, packets - n->n);
	n->n = packets;
}

void session_read_counts(struct session *s)
{
	s->unread += tracer_read_packets(s->tracer, on_packet_counts, s) < 0;
	s->unread += tracer_read_requests(s->tracer, on_request_counts, s) < 0;
	s->unread += tracer_read_drops(s->tracer, on_drop_counts, s) < 0;
}

void session_each_count(struct session *s, const struct session_count_callbacks *cb)
{
	struct imds_request_key request;
	struct imds_drop_key drop;
	uint64_t cgroup_id;
	struct seen *n, *tmp;

	HASH_ITER (hh, s->seen_packets, n, tmp) {
		memcpy(&cgroup_id, n->key, sizeof(cgroup_id));
		cb->on_packets(cb->arg, who_of(s, cgroup_id), &n->packets);
	}
	HASH_ITER (hh, s->seen_requests, n, tmp) {
		memcpy(&request, n->key, sizeof(request));
		cb->on_lost(cb->arg, who_of(s, request.cgroup_id), &request, n->n);
	}
	HASH_ITER (hh, s->seen_drops, n, tmp) {
		memcpy(&drop, n->key, sizeof(drop));
		cb->on_drops(cb->arg, drop.cgroup_id ? who_of(s, drop.cgroup_id) : NULL, &drop, reason_of(s, &drop),
			     n->n);
	}
}

/* --- forgetting ------------------------------------------------------------------------------------------------------- */

static bool is_alive(void *arg, uint64_t cgroup_id)
{
	struct session *s = arg;

	return pod_names_is_alive(s->names, cgroup_id);
}

/* Never the root (1) nor "no connection known" (0). */
static bool is_gone(void *arg, uint64_t cgroup_id)
{
	return cgroup_id > 1 && !is_alive(arg, cgroup_id);
}

static void seen_forget(struct session *s, struct seen **table)
{
	struct seen *n, *tmp;
	uint64_t cgroup_id;

	HASH_ITER (hh, *table, n, tmp) {
		memcpy(&cgroup_id, n->key, sizeof(cgroup_id));
		if (!is_gone(s, cgroup_id))
			continue;
		HASH_DEL(*table, n);
		free(n);
	}
}

void session_forget_gone(struct session *s)
{
	session_read_counts(s);
	if (!tracer_forget(s->tracer, is_gone, s)) {
		seen_forget(s, &s->seen_packets);
		seen_forget(s, &s->seen_requests);
		seen_forget(s, &s->seen_drops);
	}
	/* later than what was read just now */
	pod_table_expire(s->table, session_now_ns(), SESSION_GONE_NS, is_alive, s);
}

static void seen_free(struct seen **table)
{
	struct seen *n, *tmp;

	HASH_ITER (hh, *table, n, tmp) {
		HASH_DEL(*table, n);
		free(n);
	}
}

void session_free_counts(struct session *s)
{
	seen_free(&s->seen_packets);
	seen_free(&s->seen_requests);
	seen_free(&s->seen_drops);
}
