/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The request state machine for captured packets: makes the records that the kernel side writes into its ring. A capture
 * may show one connection at several places (bridge, veth, uplink; both sides of NAT): its initial sequence number makes
 * them one. How far a place is from the client is told by the TTL of the client's own packets there, and so whether an
 * answer seen there can arrive at all.
 */
#ifndef IMDSNOOP_CAPTURE_FLOWS_H
#define IMDSNOOP_CAPTURE_FLOWS_H

#include "../../bpf/http_scan.h"
#include "packet_file.h"

#define CAPTURE_FLOWS_MAX 16384 /* connections at once; the one that is silent for longest gives way */
#define CAPTURE_HELD_MAX 4096	/* ended requests that wait for what comes after their end */

/* What else is known of an ended request. */
struct capture_evidence {
	bool dies;		/* an answer was seen whose TTL does not suffice for the way to the client */
	bool told;		/* and the router that dropped it said so by ICMP */
	bool recorded;		/* and the kernel's own drop of it is in the capture, as --pcapng writes it */
	bool missing_behind;	/* and it was not seen at a place behind that router that showed the connection */
	bool rejected;		/* ICMP said that a filter rejects the client's packets */
	bool alone;		/* nothing but a SYN, once: the client left soon, or the capture lacks the rest */
	struct imds_addr outer; /* the client's address as NAT made it; unspecified: there was none */
	uint8_t routers;	/* between the client and the nearest place where it was seen */
	bool watched;		/* a death between service and client would have shown */
};

struct capture_stats {
	uint64_t packets, of_interest, cut, fragments, unknown_link, nflog;
	uint64_t timeless;	 /* of interest, but nobody knows when */
	uint64_t orphans;	 /* of the service, to a SYN that the capture does not have, or with its TTL used up */
	uint64_t answers_unseen; /* the capture does not have them, or not what became of them; their requests are not told */
	uint64_t status_cut; /* answers of which too little was captured to know their status */
	uint64_t evicted, gaps;
	uint64_t bare;	       /* segments whose payload was not captured at all */
	uint64_t clocks_apart; /* connections without an answer, which begin anew at another place behind their end */
	uint64_t of_service;   /* of interest, from the service or from a router to it */
	uint64_t first_ns, last_ns;
	bool pod_side, far_side; /* which places were captured: the client's own, one behind a router */
};

struct capture_flows_options {
	const struct imds_endpoint *endpoints; /* borrowed */
	size_t endpoints_len;
	const struct imds_http_table *http; /* borrowed */
	uint64_t stall_ns;
	/* In the order of their ends, some ten seconds of the capture later. Times of rec are since 1970. */
	void (*on_request)(void *arg, const struct imds_rec_request *rec, const struct capture_evidence *evidence);
	void *arg;
};

struct capture_flows;

struct capture_flows *capture_flows_new(const struct capture_flows_options *o); /* NULL: no memory */
void capture_flows_free(struct capture_flows *c);
void capture_flows_packet(struct capture_flows *c, const struct packet *p);
void capture_flows_end(struct capture_flows *c); /* what hangs is told as it stands */
const struct capture_stats *capture_flows_stats(const struct capture_flows *c);

#endif
