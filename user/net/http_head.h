/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The head of an HTTP/1 request, taken strictly (RFC 9112): what two servers could read in two ways is refused, for one
 * of them may be a proxy in front of us. Pure.
 */
#ifndef IMDSNOOP_HTTP_HEAD_H
#define IMDSNOOP_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEADERS_MAX 64

/* Strings point into the head. */
struct http_head {
	bool get, head;	  /* the method; neither: another one */
	bool has_body;	  /* bytes that are no head follow */
	bool close;	  /* the client wants no second request, or cannot do it */
	const char *path; /* of the target, which may name a host; as sent */
	const char *query;
	const char *host;		/* authority of the target, else the Host header; NULL: none (HTTP/1.0) */
	const char *accept, *encodings; /* NULL: no such header */
};

/*
 * Length of the head that buf begins with, its empty line too; 0: it has not ended yet. -400: no head can become of it (a
 * bare CR or LF, a control byte).
 */
int http_head_len(const char *buf, size_t len);

/* Cuts the head of len bytes into strings. Returns 0 or the status to refuse it with: 400, 431 or 505. */
int http_head_parse(char *buf, size_t len, struct http_head *ret);

/* True for localhost, 127.0.0.0/8 and [::1], with or without a port: names that no foreign DNS can give to a browser. */
bool http_host_is_loopback(const char *host);

#endif
