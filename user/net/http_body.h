/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What handlers write: the body of an answer, rendered once for all who ask for the same meanwhile. However many readers
 * there are, a set of keys that share their time (http_key) takes a tenth of the processor at most.
 */
#ifndef IMDSNOOP_HTTP_BODY_H
#define IMDSNOOP_HTTP_BODY_H

#include "http_server.h"

struct evbuffer; /* libevent */
struct http_bodies;

/* arg as http_server_new() has it. NULL without memory. */
struct http_bodies *http_bodies_new(void *arg);
void http_bodies_free(struct http_bodies *b);

/*
 * The body of route's answer to req into ret_body, which the caller frees; compressed when *gzip is set, which becomes
 * false where that is not worth it. *ret_reply is the handler's. Returns 0, -ENOMEM, or -EBUSY: ask again in a second.
 */
int http_bodies_get(struct http_bodies *b, const struct http_route *route, const struct http_request *req, bool *gzip,
		    struct http_reply *ret_reply, struct evbuffer **ret_body);

/* Forgets what nobody has asked for lately. */
void http_bodies_expire(struct http_bodies *b, uint64_t now_ns);

#endif
