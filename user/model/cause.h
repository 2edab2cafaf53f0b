/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a request went wrong, from what was seen of it: the dictionary of drop reasons and of answers that are errors. Pure. Reasons and places as Linux 5.17 to 6.18 name them.
 */
#ifndef IMDSNOOP_CAUSE_H
#define IMDSNOOP_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"
#include "words.h"

/* Where a packet of a request was dropped. Strings: "" where unknown, never NULL. */
struct drop_place {
	const char *reason;   /* without SKB_DROP_REASON_ */
	const char *location; /* kernel symbol */
	bool from_endpoint;   /* an answer's packet; else the client's own */
	bool arrived;	      /* behind our ingress hook */
	bool to_loopback;     /* NAT on this node had sent it to 127.0.0.0/8 or ::1 */
	uint8_t ttl;
};

/* CAUSE_DROPPED: no row knows it, to be told by its kernel name. CAUSE_NONE: no trace of a fault (a socket's own tidying up). */
enum cause cause_of_drop(const struct drop_place *d);

struct cause_input {
	const struct imds_rec_request *rec;
	enum outcome outcome;
	enum provider provider;
	const char *drop_reason, *drop_location; /* of rec->req.drop */
	bool arrived, to_loopback;		 /* as in struct drop_place */
};

/* Of a whole request; NONE when outcome is ok. */
enum cause cause_of_request(const struct cause_input *in);

/* Of a request that was judged: fills in its cause, and with it the outcome of what was seen dropped on this node. */
void cause_explain(struct request *r);

/*
 * True where the drop seen of a request may be why it got no answer: a lost SYN explains nothing once the connection stands,
 * nor does the loss of a request's packet once the service has acknowledged all of it.
 */
bool cause_drop_counts(const struct imds_rec_request *rec);

/* EC2's list of roles, one level above their credentials. */
bool cause_is_role_list(const char *path);

#endif
