/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small HTTP/1.1 server: GET and HEAD of fixed routes, answers made in memory, nothing read from disk. Bounded:
 * connections, in all and from one address, request head, time to send a request and to take an answer, bytes of answers
 * not yet taken. When all places are taken, idle and slow clients give way to new ones; and a few places are left for
 * probes alone. To a client on loopback only loopback's names are answered, for a web page may have rebound its own.
 */
#ifndef IMDSNOOP_HTTP_SERVER_H
#define IMDSNOOP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../base/usage.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_RESERVE 8	    /* more, on which only vital routes are answered */
#define HTTP_ADDRESS_MAX 16 /* connections from one address but loopback, or of one user at a Unix socket */
#define HTTP_HEAD_MAX 8192  /* request line and headers together */
#define HTTP_KEY_LEN 32
#define HTTP_UNTAKEN_MAX (48u << 20) /* bytes of answers that clients have not taken yet */
#define HTTP_SHARES_MAX (16u << 20)  /* bytes of answers that are kept for the next who asks */
#define HTTP_MEMORY_MAX \
	(HTTP_UNTAKEN_MAX + HTTP_SHARES_MAX + (HTTP_CONNECTIONS_MAX + HTTP_RESERVE) * (HTTP_HEAD_MAX + (128u << 10)))

struct event_base; /* libevent */
struct http_server;

struct http_request {
	const char *path;   /* as the route has it */
	const char *query;  /* as sent, "" without one */
	const char *accept; /* NULL: no such header */
};

struct http_reply {
	int status;	  /* 200 unless the handler says otherwise */
	const char *type; /* Content-Type, "text/plain; charset=utf-8" likewise */
	bool asset;	  /* the same bytes until the next release: may be kept if asked for again each time */
};

/* Writes the answer's body; the server closes the stream, compresses, and leaves the body out for HEAD. */
typedef void (*http_handler)(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply);

/*
 * Answers to requests with the same key are the same for a moment: what it takes to make one, ten times, and a second at
 * most. Writes the key, and returns of how many keys it is one: as many share that time, and nobody takes another's by asking
 * for others. 0: this request must have an answer of its own.
 */
typedef unsigned int (*http_key)(const struct http_request *req, char key[HTTP_KEY_LEN]);

struct http_route {
	const char *path; /* whole; NULL ends a table */
	http_handler handler;
	http_key key; /* NULL: each request has an answer of its own */
	bool vital;   /* probes: small, and answered whatever others do */
};

/*
 * Listens on host (an IPv4 or IPv6 address without brackets) and port (0: any free one), or on the Unix socket host when
 * it begins with '/' (mode 0660; one that nobody listens on any more is replaced). routes and arg must outlive the server.
 * Returns 0 or a negative errno, e.g. -EADDRINUSE.
 */
int http_server_new(struct event_base *base, const char *host, uint16_t port, const struct http_route *routes,
		    void *arg, struct http_server **ret_server);
void http_server_free(struct http_server *s);

uint16_t http_server_port(const struct http_server *s); /* the real one; 0 of a Unix socket */

void http_server_get_stats(struct http_server *s, struct http_server_stats *ret_stats);

/*
 * Quality 0..1000 that header, an Accept or Accept-Encoding, gives to name: of its own entry, else -1. Wildcards do not
 * count: whoever wants something out of the ordinary says so. RFC 9110, 12.4.2. NULL header: -1.
 */
int http_quality(const char *header, const char *name);

/* Value of key in a raw query into buf: letters, digits, '.', '-' and '_' only. 0, -ENOENT, or -EINVAL. */
int http_query_value(const char *query, const char *key, char *buf, size_t len);

#endif
