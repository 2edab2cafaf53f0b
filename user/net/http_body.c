/* SPDX-License-Identifier: GPL-2.0-only */
#include "http_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <event2/buffer.h>

#include "../base/clock.h"

#define GZIP_FROM 512	       /* smaller bodies are not worth it */
#define SHARES 16	       /* bodies kept */
#define FRESH_NS 1000000000ull /* at most; and ten times what it took to make */

/* A body that others may have, too. Its bytes are never changed: readers refer to them. */
struct share {
	const struct http_route *route; /* NULL: free */
	char key[HTTP_KEY_LEN];
	struct http_reply reply;
	struct evbuffer *plain, *gzip; /* NULL: there was no room; nobody wanted it so yet */
	uint64_t made_ns, fresh_ns;
};

struct http_bodies {
	void *arg;
	struct share shares[SHARES];
};

static ssize_t write_body(void *cookie, const char *data, size_t len)
{
	return evbuffer_add(cookie, data, len) ? 0 : (ssize_t)len; /* 0 is an error to fopencookie(3) */
}

static struct evbuffer *render(struct http_bodies *b, const struct http_route *route, const struct http_request *req,
			       struct http_reply *reply)
{
	struct evbuffer *body = evbuffer_new();
	FILE *f = body ? fopencookie(body, "w", (cookie_io_functions_t){ .write = write_body }) : NULL;
	bool failed = !f;

	*reply = (struct http_reply){ .status = 200, .type = "text/plain; charset=utf-8" };
	if (f) {
		setvbuf(f, NULL, _IOFBF, 65536);
		route->handler(b->arg, req, f, reply);
		failed = ferror(f);
		failed |= fclose(f) != 0;
	}
	if (failed && body) {
		evbuffer_free(body);
		body = NULL;
	}
	return body;
}

/* len bytes at data, and what comes of them into the body. Level 1: a scrape must be quick above all. */
static int deflate_some(z_stream *z, struct evbuffer *to, const void *data, size_t len, int flush)
{
	unsigned char out[16384];

	z->next_in = (unsigned char *)data;
	z->avail_in = len;
	do {
		z->next_out = out;
		z->avail_out = sizeof(out);
		if (deflate(z, flush) == Z_STREAM_ERROR || evbuffer_add(to, out, sizeof(out) - z->avail_out))
			return -ENOMEM;
	} while (!z->avail_out);
	return 0;
}

static struct evbuffer *compress_body(struct evbuffer *plain)
{
	struct evbuffer *to = evbuffer_new();
	struct evbuffer_iovec piece;
	struct evbuffer_ptr at;
	z_stream z = { 0 };
	int err = 0;

	if (!to || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		if (to)
			evbuffer_free(to);
		return NULL;
	}
	evbuffer_ptr_set(plain, &at, 0, EVBUFFER_PTR_SET);
	while (!err && evbuffer_peek(plain, -1, &at, &piece, 1) > 0) {
		err = deflate_some(&z, to, piece.iov_base, piece.iov_len, Z_NO_FLUSH);
		if (evbuffer_ptr_set(plain, &at, piece.iov_len, EVBUFFER_PTR_ADD))
			break;
	}
	err = err ? err : deflate_some(&z, to, NULL, 0, Z_FINISH);
	deflateEnd(&z);
	if (err) {
		evbuffer_free(to);
		return NULL;
	}
	return to;
}

/* --- shared ones ------------------------------------------------------------------------------------------------------ */

/* Without its body; when it was made stays known. */
static void share_empty(struct share *s)
{
	if (s->plain)
		evbuffer_free(s->plain);
	if (s->gzip)
		evbuffer_free(s->gzip);
	s->plain = s->gzip = NULL;
}

static void share_clear(struct share *s)
{
	share_empty(s);
	*s = (struct share){ 0 };
}

static struct share *share_find(struct http_bodies *b, const struct http_route *route, const char *key)
{
	for (size_t i = 0; i < SHARES; i++)
		if (b->shares[i].route == route && !strcmp(b->shares[i].key, key))
			return &b->shares[i];
	return NULL;
}

/* A free place, or the oldest one's. */
static struct share *share_place(struct http_bodies *b)
{
	struct share *oldest = &b->shares[0];

	for (size_t i = 0; i < SHARES; i++) {
		if (!b->shares[i].route)
			return &b->shares[i];
		if (b->shares[i].made_ns < oldest->made_ns)
			oldest = &b->shares[i];
	}
	share_clear(oldest);
	return oldest;
}

/* The oldest of those that have a body, NULL: none has. */
static struct share *share_oldest(struct http_bodies *b)
{
	struct share *oldest = NULL;

	for (size_t i = 0; i < SHARES; i++)
		if (b->shares[i].plain && (!oldest || b->shares[i].made_ns < oldest->made_ns))
			oldest = &b->shares[i];
	return oldest;
}

static size_t shared_bytes(const struct http_bodies *b)
{
	size_t sum = 0;

	for (size_t i = 0; i < SHARES; i++)
		sum += b->shares[i].plain ? evbuffer_get_length(b->shares[i].plain) : 0;
	return sum;
}

void http_bodies_expire(struct http_bodies *b, uint64_t now)
{
	for (size_t i = 0; i < SHARES; i++)
		if (b->shares[i].route && now - b->shares[i].made_ns > b->shares[i].fresh_ns)
			share_clear(&b->shares[i]);
}

/* The body to that key, as fresh as can be had. */
static int share_get(struct http_bodies *b, const struct http_route *route, const struct http_request *req,
		     const char *key, unsigned int parts, struct share **ret)
{
	uint64_t begin = clock_now_ns(), took;
	struct share *s = share_find(b, route, key), *oldest;
	struct http_reply reply;
	struct evbuffer *body;

	*ret = s;
	if (s && begin - s->made_ns < s->fresh_ns)
		return s->plain ? 0 : -EBUSY;
	body = render(b, route, req, &reply);
	if (!body)
		return -ENOMEM;
	took = clock_now_ns() - begin;
	if (s)
		share_clear(s);
	while (shared_bytes(b) + evbuffer_get_length(body) > HTTP_SHARES_MAX && (oldest = share_oldest(b)))
		share_empty(oldest);
	s = share_place(b);
	*s = (struct share){ .route = route, .reply = reply, .plain = body, .made_ns = begin + took };
	s->fresh_ns = parts * (10 * took < FRESH_NS ? 10 * took : FRESH_NS);
	snprintf(s->key, sizeof(s->key), "%s", key);
	*ret = s;
	return 0;
}

static struct evbuffer *refer_to(struct evbuffer *body)
{
	struct evbuffer *own = evbuffer_new();

	if (own && evbuffer_add_buffer_reference(own, body)) {
		evbuffer_free(own);
		return NULL;
	}
	return own;
}

/* --- all of it -------------------------------------------------------------------------------------------------------- */

static int get_shared(struct http_bodies *b, const struct http_route *route, const struct http_request *req,
		      const char *key, unsigned int parts, bool *gzip, struct http_reply *ret_reply,
		      struct evbuffer **ret_body)
{
	struct share *s;
	int err = share_get(b, route, req, key, parts, &s);

	if (err)
		return err;
	*gzip &= evbuffer_get_length(s->plain) >= GZIP_FROM;
	if (*gzip && !s->gzip)
		s->gzip = compress_body(s->plain);
	if (*gzip && !s->gzip)
		return -ENOMEM;
	*ret_reply = s->reply;
	*ret_body = refer_to(*gzip ? s->gzip : s->plain);
	return *ret_body ? 0 : -ENOMEM;
}

int http_bodies_get(struct http_bodies *b, const struct http_route *route, const struct http_request *req, bool *gzip,
		    struct http_reply *ret_reply, struct evbuffer **ret_body)
{
	char key[HTTP_KEY_LEN];
	unsigned int parts = route->key ? route->key(req, key) : 0;
	struct evbuffer *plain;

	if (parts)
		return get_shared(b, route, req, key, parts, gzip, ret_reply, ret_body);
	plain = render(b, route, req, ret_reply);
	*gzip &= plain && evbuffer_get_length(plain) >= GZIP_FROM;
	*ret_body = *gzip ? compress_body(plain) : plain;
	if (*gzip)
		evbuffer_free(plain);
	return *ret_body ? 0 : -ENOMEM;
}

struct http_bodies *http_bodies_new(void *arg)
{
	struct http_bodies *b = calloc(1, sizeof(*b));

	if (b)
		b->arg = arg;
	return b;
}

void http_bodies_free(struct http_bodies *b)
{
	for (size_t i = 0; b && i < SHARES; i++)
		share_clear(&b->shares[i]);
	free(b);
}
