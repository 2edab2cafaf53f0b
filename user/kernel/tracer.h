/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF programs as the rest of user space sees them: open, configure and load (tracer_load.c), attach, read the rings,
 * detach (tracer.c), connections (tracer_flows.c), counts (tracer_counts.c). Settings go down once, before load; records
 * and counts come up.
 */
#ifndef IMDSNOOP_TRACER_H
#define IMDSNOOP_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/imdsnoop.h"
#include "../base/usage.h"
#include "features.h"
#include "records.h"

struct tracer;

/* Where the kernel checks the TTL of what it forwards; zeros where it cannot be told. */
struct tracer_places {
	uint32_t reason_ttl, reason_tc_ingress; /* numbers of IP_INHDR and TC_INGRESS here */
	uint64_t functions[2][2];		/* ip_forward, ip6_forward: from, to */
};

struct tracer_options {
	const struct imds_endpoint *endpoints;
	size_t endpoints_len;
	const char *cgroup; /* cgroup v2 folder to attach to */
	uint32_t max_flows;
	uint32_t max_pods;
	uint32_t ring_bytes; /* power of two, 0: 4 MiB */
	uint32_t depth;	     /* of cgroup, in folders below the cgroup v2 mount's root */
	bool drops;	     /* attach kfree_skb */
	bool process;	     /* attach connect4, connect6 and sock_release */
	bool names;	     /* attach cgroup_mkdir and cgroup_rmdir */
	bool copies;	     /* hand out heads of packets */
	struct tracer_places places;
	const char *host_netns; /* file of the namespace to take for the host's besides PID 1's; NULL: our own */
};

/*
 * Returns 0 or a negative errno; on failure nothing stays attached and msg holds one line for a person: what failed and
 * what to do. Optional programs that cannot load or attach are switched off and noted in features. features must
 * outlive the tracer.
 */
int tracer_new(const struct tracer_options *o, struct features *features, const struct record_callbacks *cb,
	       struct tracer **ret_tracer, char *msg, size_t msg_len);
void tracer_free(struct tracer *t);

/* How many of our programs another tool has taken off its hook since, or lost it with its folder. */
size_t tracer_detached(const struct tracer *t);
/* Attaches these again, to the folder that has this name now. Returns 0 or a negative errno: some are still detached. */
int tracer_attach_again(struct tracer *t, const char *cgroup);
/* Forgets all connections: of those that we did not see all packets of, nothing can be said. 0 or a negative errno. */
int tracer_forget_flows(struct tracer *t);

/* For epoll: readable when tracer_consume() has something. The tracer closes it. */
int tracer_ring_fd(const struct tracer *t);
/*
 * Hands out what is in the rings now, TRACER_RECORDS and TRACER_READ_MS at most. *ret_more: there is more. Returns the
 * number of records, or a negative errno.
 */
#define TRACER_RECORDS 8192
#define TRACER_READ_MS 50
int tracer_consume(struct tracer *t, bool *ret_more);

/*
 * The pod (or the container outside any pod) of a cgroup has a share of the tables of its own from now on; rows are told
 * apart by the cgroups depth folders below it, IMDS_SHARE_ANY_DEPTH: by any. Nothing happens when all places are taken:
 * it shares one with others.
 */
void tracer_share(struct tracer *t, uint64_t cgroup_id, uint32_t depth);
void tracer_unshare(struct tracer *t, uint64_t cgroup_id);

/*
 * Walks on through the connections, all of them or TRACER_SWEEP at most: fn gets each request that still runs (req.end
 * IMDS_END_NONE), as a record. Connections on which nothing moved since idle_ns are forgotten, their requests given as
 * IMDS_END_EXPIRED; closed ones and DNS queries sooner. Returns 1 when it came to the end of the table, 0 when there is
 * more, or a negative errno, which is an end too.
 */
#define TRACER_SWEEP 2048
typedef void (*tracer_running_fn)(void *arg, const struct imds_rec_request *rec);
int tracer_sweep(struct tracer *t, bool all, uint64_t now_ns, uint64_t idle_ns, tracer_running_fn fn, void *arg);

/* Exact counts since attach, summed over CPUs; fn is called once a key. Returns 0 or a negative errno. */
typedef void (*tracer_packets_fn)(void *arg, uint64_t cgroup_id, const struct imds_packet_counters *c);
typedef void (*tracer_requests_fn)(void *arg, const struct imds_request_key *key, const struct imds_request_counters *c);
typedef void (*tracer_drops_fn)(void *arg, const struct imds_drop_key *key, uint64_t packets);
int tracer_read_packets(struct tracer *t, tracer_packets_fn fn, void *arg);
int tracer_read_requests(struct tracer *t, tracer_requests_fn fn, void *arg);
int tracer_read_drops(struct tracer *t, tracer_drops_fn fn, void *arg);

/* True while answer bytes of this socket were dropped behind our ingress hook and the client has not acknowledged them. */
bool tracer_refused(const struct tracer *t, uint64_t cookie, struct imds_drop *ret_drop);

/* Dead answers that fit no connection, one call a destination: true forgets it. Returns their number or a negative errno. */
typedef bool (*tracer_unowned_fn)(void *arg, const struct imds_unowned_key *key, const struct imds_unowned *u);
int tracer_read_unowned(struct tracer *t, tracer_unowned_fn fn, void *arg);

/* Events that the kernel kept from our tracing programs because one ran on that CPU already (5.12; 0 before). */
uint64_t tracer_missed(struct tracer *t);

/*
 * Deletes the counts of cgroups for which gone() is true, so that a node where pods come and go never fills the tables.
 * Read them before. Returns 0 or a negative errno.
 */
int tracer_forget(struct tracer *t, bool (*gone)(void *arg, uint64_t cgroup_id), void *arg);

/* Losses counted by the kernel side and, as the last one, records that user space refused. */
enum { TRACER_LOSS_BAD_RECORD = IMDS_LOSS_COUNT, TRACER_LOSS_COUNT };
void tracer_losses(const struct tracer *t, uint64_t ret_losses[TRACER_LOSS_COUNT]);
/* Word and meaning of loss i; NULL out of range. */
const char *tracer_loss_name(int i);
const char *tracer_loss_meaning(int i);

/* Fill level of the kernel's tables; returns how many of at most len were written. */
size_t tracer_tables(struct tracer *t, struct tracer_table *ret_tables, size_t len);

/* Bytes that the kernel's tables take at most, on this machine, before anything is loaded. keys: of all counters. */
struct tracer_memory {
	uint64_t flows, counters, rings, fixed, keys;
};
void tracer_memory(uint32_t max_flows, uint32_t max_pods, struct tracer_memory *ret);

/* What each loaded program cost; returns how many of at most len were written. Names live as long as the tracer. */
size_t tracer_programs(struct tracer *t, struct tracer_program *ret_programs, size_t len);

#endif
