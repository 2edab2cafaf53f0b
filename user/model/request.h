/* SPDX-License-Identifier: GPL-2.0-only */
/* One metadata request as users see it: what the kernel recorded, whose it was, and the verdict. */
#ifndef IMDSNOOP_REQUEST_H
#define IMDSNOOP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "../pods/pod_names.h"
#include "words.h"

/* Who answers in the service's place on this node, where it is known. Strings are borrowed; "" where unknown. */
struct answerer {
	uint32_t pid; /* 0: nobody known */
	const char *process;
	const struct pod_identity *who; /* NULL: no container */
	char address[64];		/* address and port that it listens on */
};

struct request {
	struct imds_rec_request rec;
	const struct pod_identity *who; /* borrowed; valid during the callback */
	uint64_t wall_ns;		/* start, nanoseconds since 1970, UTC */
	bool running;			/* a stall: not finished, figures so far */
	enum provider provider;
	enum outcome outcome;
	enum confidence confidence;
	enum cause cause;		    /* NONE only when outcome is ok */
	const struct answerer *answered_by; /* NULL: not known to be anyone but the service */
	bool fallback;
	bool several;		/* who is several clients: what one asks says nothing of another's wait */
	int hops;		/* -1: unknown */
	int required_hop_limit; /* 0: unknown */
	enum hops_source hops_source;
	int baseline_ttl;	 /* what its SYN-ACK's TTL was compared with; 0: no host-network socket's */
	const char *drop_reason; /* "" without a drop */
	const char *drop_location;
	const char *node;
	uint64_t judged_ns; /* CLOCK_MONOTONIC of the verdict, and whether drops were watched then: */
	bool drops_watched; /* `report --from` judges again with these */
};

/* Microseconds, or -1 where it did not happen. `duration` runs to the last byte, or to the end without an answer. */
int64_t request_connect_us(const struct request *r);
int64_t request_first_byte_us(const struct request *r);
int64_t request_duration_us(const struct request *r, uint64_t now_ns);
uint64_t request_start_ns(const struct request *r); /* CLOCK_MONOTONIC */

/* Its SYN left, and no answer to that came. */
static inline bool request_syn_is_out(const struct imds_rec_request *rec)
{
	return rec->syn_ns && !rec->synack_ns;
}

/* From a socket of the node's own network. */
bool request_is_host(const struct imds_rec_request *rec);
/* No process here is known to have answered in the service's place: its answers and their TTLs are the service's own. */
bool request_is_of_service(const struct request *r);
/* True for an answer that came whole, whatever its status. */
bool request_is_answered(const struct request *r);
/* True when what was then is still evidence for now: for a minute. then_ns 0: it never was. */
bool request_is_recent(uint64_t then_ns, uint64_t now_ns);

/* Microseconds from when the client had sent all of it to the answer's first byte; 0: unknown. */
uint64_t request_begin_us(const struct request *r);
/* True for one that was answered, and later than slow_us after the client had sent all of it. */
bool request_is_slow(const struct request *r, uint64_t slow_us);
/* True for the first request of a connection that stood later than slow_us after its first SYN. */
bool request_connected_late(const struct request *r, uint64_t slow_us);
/* True for anything that `--problems` keeps: not ok, slow, connected late, or a fallback. */
bool request_is_problem(const struct request *r, uint64_t slow_us);

/* "169.254.169.254:80", "[fd00:ec2::254]:80" into buf, which is returned. 64 bytes suffice. */
const char *request_address(const struct imds_addr *addr, uint16_t port, char *buf, unsigned int len);

#endif
