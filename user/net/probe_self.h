/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process without any right can measure of the metadata service from where it stands: sockets only. TTLs are
 * found by asking the own kernel to drop what is below (IP_MINTTL, IPV6_MINHOPCOUNT) and looking what still arrives.
 */
#ifndef IMDSNOOP_PROBE_SELF_H
#define IMDSNOOP_PROBE_SELF_H

#include "../model/request.h"
#include "probe.h"

#define PROBE_WHY_LEN 320

struct probe_self {
	struct probe_result token;  /* PUT, with a lifetime of 1 s */
	struct probe_result plain;  /* GET without a token; step PROBE_ENTER: not asked */
	uint8_t ttl_synack;	    /* as received, 0: not found out */
	bool is_routed;		    /* that tells no hops, and yet what we send with TTL 1 does not get there */
	uint8_t ttl_token;	    /* of the token's answer; 0: not found out */
	uint8_t ttl_token_at_least; /* all that time allowed to find out; 0: nothing */
};

/*
 * Asks e and measures, in a child, so that several run at once: as probe_start() and probe_take(). It ends itself by
 * deadline_ns (CLOCK_MONOTONIC). wait_ms: for each answer. At most some 20 connections, one after the other.
 */
int probe_self_start(const struct imds_endpoint *e, unsigned int wait_ms, uint64_t deadline_ns, pid_t *ret_pid);
int probe_self_finish(int fd, pid_t pid, uint64_t deadline_ns, struct probe_self *ret);

/* Of one endpoint, and what it means: outcome, cause and confidence of r, and why in a sentence. */
struct probe_self_answer {
	const struct imds_endpoint *endpoint;
	struct probe_self m;
	struct request r;
	bool no_way; /* nothing was sent: no route, or no address of that family */
	char why[PROBE_WHY_LEN];
};
/* Fills the rest from endpoint and m. */
void probe_self_judge(struct probe_self_answer *a, uint64_t wall_ns);

#endif
