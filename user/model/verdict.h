/* SPDX-License-Identifier: GPL-2.0-only */
/* From what the kernel saw of a request to what happened to it. Pure. Wrongly blaming the hop limit is the worst bug. */
#ifndef IMDSNOOP_VERDICT_H
#define IMDSNOOP_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "words.h"

struct verdict_input {
	const struct imds_rec_request *rec;
	enum imds_endpoint_class endpoint; /* of rec->peer.endpoint; ECS and EKS answers have no hop limit */
	const char *drop_reason;	   /* by name; "" when there was no drop or the kernel gives no reason */
	const char *drop_location;	   /* kernel symbol; "" when unknown */
	bool drops_watched; /* the drop hook is on and lost nothing of this request's: a death here would have been seen */
	bool others_answered; /* another request of this container was answered within the last minute */
	/* token requests with as many hops or more are answered on this node, or host-network ones are not */
	bool token_contradiction;
	int hops;	    /* -1: unknown */
	bool tc_is_policy;  /* the newest of this row's answers that had more left was dropped by a tc program, too */
	bool deaths_seen;   /* deaths by TTL of this row's answers were seen before: they do show on its way */
	int node_token_ttl; /* TTL of token answers as this node's host-network sockets receive it; 0: unknown */
	bool node_ttl_is_other; /* that was learned long before the request, or since: the limit may have been another */
	int service_token_ttl;	/* the highest of all addresses of the service, which have one limit; 0: unknown */
	uint64_t stall_ns;	/* --stall */
	uint64_t now_ns;	/* for a request that still runs */
};

struct verdict {
	enum outcome outcome;
	enum confidence confidence; /* NONE unless outcome is hop-limit */
};

/* Of one request, from what is in alone. Pure. */
struct verdict verdict_judge(const struct verdict_input *in);

/* It answers on the node itself, with a fresh TTL, and knows no hop limit. */
static inline bool verdict_is_local(enum imds_endpoint_class class)
{
	return class == IMDS_EP_ECS || class == IMDS_EP_EKS;
}

/*
 * True for a drop of an endpoint's packet by TTL in a place that forwards. `proven` needs this, and payload, and a flow
 * that waits for a token. reason and location: "" where unknown, never NULL.
 */
bool verdict_is_ttl_death(const struct imds_drop *drop, const char *reason, const char *location);

/* It asked to be kept waiting until something changes, and the service has it: how long that takes tells nothing. */
static inline bool verdict_is_long_poll(const struct imds_request *q)
{
	const __u32 poll = IMDS_W_Q_WAIT | IMDS_W_P_GCE, has_it = IMDS_F_HEAD_COMPLETE | IMDS_F_REQUEST_ACKED;

	return (q->words & poll) == poll && (q->first_byte_ns || (q->flags & has_it) == has_it);
}

/* The status of its answer is an error to who asked: a redirect, which SDKs do not follow, gives neither token nor credentials. */
bool verdict_is_error(const struct imds_request *q);

/* True for an answer that arrived and was refused behind our ingress hook. */
bool verdict_is_refused_at_socket(const struct imds_drop *drop);

/*
 * Whether the dropped packet is an answer that came to a socket which its client had closed: it got all the way. TCP frees it
 * without a reason in FIN_WAIT2 and TIME_WAIT (tcp_v4_rcv(), 5.10 to 6.18), as NO_SOCKET or TCP_* elsewhere.
 */
bool verdict_is_late_answer(const struct imds_drop *drop, const char *reason, const char *location);

/* True for a healthy answer that a tc program dropped where packets come in: it does not look at the TTL, or not at it alone. */
bool verdict_is_tc_policy(const struct imds_drop *drop, const char *reason, const char *location);

/* True for a drop of the client's own packet by packet filter, policy, tc or a blackhole route. */
bool verdict_is_policy_drop(const struct imds_drop *drop, const char *reason, const char *location);

/*
 * Hops between the service and a socket that receives TTL ttl: against baseline (0: unknown), else the nearest of 64,
 * 128, 255 above. -1 when that gives more than 30: a TTL set low on purpose tells no distance. Pass the SYN-ACK's TTL.
 */
int verdict_hops(int ttl, int baseline, enum hops_source *ret_source);

/*
 * The one definition: it left the client without what it asked for. No answer, or a token or credentials request that got
 * an error; a poll's 404 is an answer, and what was asked elsewhere (redirected) is unknown.
 */
bool verdict_is_failure(enum outcome outcome, enum imds_kind kind);

/*
 * The outcome of a request whose record was lost, from its counter's key; hop-limit is proven then. hops: of its
 * container, -1 unknown; node_token_ttl: 0 unknown.
 */
enum outcome verdict_from_key(const struct imds_request_key *key, int hops, int node_token_ttl);

/* Whose service a request is for, by its address and what its head says; OTHER where nothing tells. */
enum provider verdict_provider(enum imds_endpoint_class endpoint, const struct imds_request *q);

#endif
