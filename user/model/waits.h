/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the processes of a container waited for in vain: time lost, and requests that they fell back to. Pure.
 */
#ifndef IMDSNOOP_WAITS_H
#define IMDSNOOP_WAITS_H

#include "request.h"

#define WAIT_CLIENTS 8 /* processes of one container whose token history is kept */

/*
 * A process and how its newest token request went: for fallbacks and the time lost. Its waits are a union: cloud-init asks
 * over IPv4 and IPv6 at once. counted_* is the newest stretch that was counted.
 */
struct wait_client {
	uint32_t pid, born; /* peer.born: a number is used again */
	bool silent;	    /* the newest token request got no answer, so far */
	bool asks_v1; /* it did when nobody had waited in vain: what goes on so is no fallback from another's wait */
	uint64_t silent_start_ns; /* when it began to wait */
	uint64_t gave_up_ns;	/* a fallback began while that request was still open: it waited no longer than that */
	uint64_t pause_from_ns; /* end of the wait, or of a fallback that was refused: a pause may follow; 0: none */
	uint64_t pause_max_ns;	/* as long as the newest try took */
	uint64_t counted_start_ns, counted_end_ns;
	uint64_t used_ns;
};

struct waits {
	struct wait_client clients[WAIT_CLIENTS];
	uint64_t silent_start_ns; /* start of the newest unanswered token request of the container, 0 after an answered one */
	uint64_t silent_ns;	  /* and when that was last seen waiting */
	char silent_program[IMDS_COMM_LEN]; /* whose that was; "" unknown */
	char silent_ancestors[IMDS_ANCESTORS][IMDS_COMM_LEN];
};

/*
 * What request r, which is judged, means after what its process saw before: sets r->fallback. A wait of stall_ns makes a
 * client give up. Returns the seconds lost that were not counted yet.
 */
double waits_follow(struct waits *w, struct request *r, uint64_t stall_ns, uint64_t now_ns);

#endif
