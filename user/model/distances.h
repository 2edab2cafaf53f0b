/* SPDX-License-Identifier: GPL-2.0-only */
/* How many hops away from a row's sockets the endpoints are, from TTLs, and which hop limit that needs. Pure. */
#ifndef IMDSNOOP_DISTANCES_H
#define IMDSNOOP_DISTANCES_H

#include "request.h"
#include "snapshot.h"

struct distances {
	bool ttl_rewritten; /* an answer died that by the TTLs seen could not: they tell no hops */
	int died_with_ttl;  /* what token answers had on the node then, or before; 0: unknown */
	int needed;	    /* so much at least, therefore; 0: unknown */
	struct distance { /* from its farthest socket to each endpoint: those of this node are nearer than the service */
		int hops;
		int required;
		int baseline_ttl;
		int ttl_synack;
		enum hops_source source;
		bool mixed; /* its sockets are not all as far: they live in several networks */
	} to[IMDS_MAX_ENDPOINTS];
	unsigned int far; /* which of them the row's figures are of */
};

/* What an endpoint's answers have at host-network sockets of this node; 0: not seen. */
struct endpoint_ttl {
	int baseline_ttl;			   /* SYN-ACK at host-network sockets */
	int token_ttl;				   /* token answer there */
	uint64_t token_ttl_ns, token_ttl_since_ns; /* when that came, the last and the first time */
	int unlearned;				   /* what token_ttl was when a death said that it is so no more */
};

/*
 * Sets r->hops and what goes with it, by its own SYN-ACK, by a data answer of a connection older than us, or by its row;
 * learns the baseline. Before the verdict.
 */
void distances_find(const struct distances *ds, struct endpoint_ttl *e, struct request *r);
/*
 * After the verdict. An answer that died needs more than it had: where TTLs were rewritten behind the forward, arithmetic says less, of this
 * request and of those that come after it. That ends with a death that fits, or when the node's own answers show that
 * what they had was less by then.
 */
void distances_correct(struct distances *ds, const struct pod_stats *s, struct endpoint_ttl *e, struct request *r);
/* Into the row's figures, once r is finished; learns what tokens have. local: the endpoints that answer on this node, as bits. */
void distances_note(struct distances *ds, struct pod_stats *s, struct endpoint_ttl *e, uint32_t local,
		    const struct request *r);

#endif
