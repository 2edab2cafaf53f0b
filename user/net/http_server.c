/* SPDX-License-Identifier: GPL-2.0-only */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#define IDLE_NS (10ull * 1000000000) /* an answer that does not move */
#define EVHTTP_IDLE_S 12	     /* evhttp's own limit: later than ours, which counts whom it cuts */
#define HEAD_NS (10ull * 1000000000) /* from accept, or from the answer before, to the end of a request's head */
#define TAKE_NS (30ull * 1000000000) /* to take an answer */
#define SWEEP_MS 500
#define UNTAKEN_MAX (64u << 20) /* bytes of answers that clients have not taken yet; then 503 */
#define GZIP_FROM 512		/* smaller bodies are not worth it */

/*
 * An open connection. evhttp (2.1) neither bounds connections nor tells when one ends, and its time-outs start anew
 * with each byte. So each accepted socket is remembered by number and SO_COOKIE (4.12), which stops to match once it is
 * closed, and a connection that must go is shut down, which evhttp takes as its peer's end.
 */
struct slot {
	int fd; /* -1: free */
	uint64_t cookie;
	uint64_t deadline_ns;
	size_t untaken;		  /* bytes of the answer under way */
	uint64_t acked, acked_ns; /* bytes that the client has acknowledged, and since when it is so many */
	bool answered;		  /* a connection kept for the next request: to end it is no refusal */
	bool cut;		  /* told once */
};

struct http_server {
	struct evhttp *http;
	struct event_base *base;
	struct event *sweep, *resolve;
	struct bufferevent *fresh; /* accepted just now, its socket not set yet; a reference is held */
	const struct http_route *routes;
	void *arg;
	struct slot slots[HTTP_CONNECTIONS_MAX];
	struct http_server_stats stats;
	uint16_t port;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- connections -------------------------------------------------------------------------------------------------- */

/* 0 when fd is no socket (any more). */
static uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? cookie : 0;
}

static bool slot_is_open(struct slot *slot)
{
	if (slot->fd >= 0 && socket_cookie(slot->fd) != slot->cookie)
		slot->fd = -1;
	return slot->fd >= 0;
}

static struct slot *slot_take(struct http_server *s)
{
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (!slot_is_open(&s->slots[i]))
			return &s->slots[i];
	return NULL;
}

/* The connection accepted last has its socket by now. */
static void resolve_fresh(struct http_server *s)
{
	struct slot *slot;
	int fd;

	if (!s->fresh)
		return;
	fd = bufferevent_getfd(s->fresh);
	if (fd >= 0) {
		slot = slot_take(s);
		if (slot) {
			*slot = (struct slot){ .fd = fd, .cookie = socket_cookie(fd), .deadline_ns = now_ns() + HEAD_NS };
		} else {
			s->stats.refused++;
			shutdown(fd, SHUT_RDWR);
		}
	}
	bufferevent_decref(s->fresh);
	s->fresh = NULL;
}

static void on_resolve(evutil_socket_t fd, short what, void *arg)
{
	resolve_fresh(arg);
}

/* evhttp asks for a bufferevent right after accept(2) and sets the socket when we return. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct http_server *s = arg;

	resolve_fresh(s);
	s->fresh = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (s->fresh) {
		bufferevent_incref(s->fresh);
		event_active(s->resolve, EV_TIMEOUT, 0);
	}
	return s->fresh;
}

/* True while the client takes its answer, however slowly. */
static bool moves(struct slot *slot, uint64_t now)
{
	struct tcp_info info = { .tcpi_bytes_acked = 0 };
	socklen_t len = sizeof(info);

	if (!getsockopt(slot->fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_bytes_acked != slot->acked) {
		slot->acked = info.tcpi_bytes_acked;
		slot->acked_ns = now;
	}
	return now - slot->acked_ns < IDLE_NS;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	uint64_t now = now_ns();

	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct slot *slot = &s->slots[i];

		if (!slot_is_open(slot) || slot->cut || (now < slot->deadline_ns && (!slot->untaken || moves(slot, now))))
			continue;
		if (slot->untaken || !slot->answered)
			s->stats.expired++;
		shutdown(slot->fd, SHUT_RDWR);
		slot->cut = true;
	}
}

/* An answer of that many bytes is under way now; 0: it was taken. */
static void set_untaken(struct http_server *s, struct evhttp_request *req, size_t bytes)
{
	struct evhttp_connection *c = evhttp_request_get_connection(req);
	struct bufferevent *bev = c ? evhttp_connection_get_bufferevent(c) : NULL;
	int fd = bev ? bufferevent_getfd(bev) : -1;

	for (size_t i = 0; fd >= 0 && i < HTTP_CONNECTIONS_MAX; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->fd != fd || !slot_is_open(slot))
			continue;
		slot->untaken = bytes;
		slot->acked_ns = now_ns();
		slot->answered |= !bytes;
		slot->deadline_ns = now_ns() + (bytes ? TAKE_NS : HEAD_NS);
	}
}

static void on_taken(struct evhttp_request *req, void *arg)
{
	set_untaken(arg, req, 0);
}

static size_t untaken_bytes(struct http_server *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		sum += slot_is_open(&s->slots[i]) ? s->slots[i].untaken : 0;
	return sum;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/*
 * Where a handler's stream ends. Compressed on the way, so that a scrape of many megabytes is never held whole; a body
 * shorter than GZIP_FROM stays as it is. Level 1: a scrape must be quick above all.
 */
struct sink {
	struct evbuffer *body;
	z_stream z;
	bool gzip, deflating;
};

/* One turn of deflate(3): len bytes at data, and what comes of them into the body. */
static int sink_deflate(struct sink *sink, const void *data, size_t len, int flush)
{
	unsigned char out[16384];

	sink->z.next_in = (unsigned char *)data;
	sink->z.avail_in = len;
	do {
		sink->z.next_out = out;
		sink->z.avail_out = sizeof(out);
		if (deflate(&sink->z, flush) == Z_STREAM_ERROR ||
		    evbuffer_add(sink->body, out, sizeof(out) - sink->z.avail_out))
			return -ENOMEM;
	} while (!sink->z.avail_out);
	return 0;
}

/* What is in the body so far goes through deflate from now on. */
static int sink_start(struct sink *sink)
{
	unsigned char plain[GZIP_FROM];
	int len = evbuffer_remove(sink->body, plain, sizeof(plain));

	if (len < 0 || deflateInit2(&sink->z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	sink->deflating = true;
	return sink_deflate(sink, plain, len, Z_NO_FLUSH);
}

static ssize_t sink_write(void *cookie, const char *data, size_t len)
{
	struct sink *sink = cookie;
	int err = 0;

	if (sink->gzip && !sink->deflating && evbuffer_get_length(sink->body) + len >= GZIP_FROM)
		err = sink_start(sink);
	if (!err)
		err = sink->deflating ? sink_deflate(sink, data, len, Z_NO_FLUSH) : evbuffer_add(sink->body, data, len);
	return err ? 0 : (ssize_t)len; /* 0 is an error to fopencookie(3) */
}

static int sink_end(struct sink *sink)
{
	int err = 0;

	if (sink->deflating) {
		err = sink_deflate(sink, NULL, 0, Z_FINISH);
		deflateEnd(&sink->z);
	}
	return err;
}

static void add_headers(struct evkeyvalq *headers, const struct http_reply *reply)
{
	static const char *const fixed[][2] = {
		{ "Content-Security-Policy",
		  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
		  "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Vary", "Accept, Accept-Encoding" },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		evhttp_add_header(headers, fixed[i][0], fixed[i][1]);
	evhttp_add_header(headers, "Cache-Control", reply->asset ? "no-cache" : "no-store");
	evhttp_add_header(headers, "Content-Type", reply->type);
}

/* A HEAD answer has the headers of the GET answer and no body. */
static void send_reply(struct http_server *s, struct evhttp_request *req, const struct http_reply *reply,
		       struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	char length[24];

	add_headers(headers, reply);
	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
	evhttp_add_header(headers, "Content-Length", length);
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, evbuffer_get_length(body));
	set_untaken(s, req, evbuffer_get_length(body) + 1);
	evhttp_request_set_on_complete_cb(req, on_taken, s);
	evhttp_send_reply(req, reply->status, NULL, body);
}

static void send_text(struct http_server *s, struct evhttp_request *req, int status, const char *text)
{
	struct http_reply reply = { .status = status, .type = "text/plain; charset=utf-8" };
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, text, strlen(text)))
		evhttp_send_reply(req, 503, NULL, NULL);
	else
		send_reply(s, req, &reply, body);
	if (body)
		evbuffer_free(body);
}

static void run_handler(struct http_server *s, struct evhttp_request *req, const struct http_route *route,
			const char *query)
{
	struct http_request in = {
		.path = route->path,
		.query = query ? query : "",
		.accept = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept"),
	};
	const char *encodings = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept-Encoding");
	struct http_reply reply = { .status = 200, .type = "text/plain; charset=utf-8" };
	struct sink sink = { .body = evbuffer_new(), .gzip = http_quality(encodings, "gzip") > 0 };
	FILE *f = sink.body ? fopencookie(&sink, "w", (cookie_io_functions_t){ .write = sink_write }) : NULL;
	bool failed = !f;

	if (f) {
		route->handler(s->arg, &in, f, &reply);
		failed = ferror(f);
		failed |= fclose(f) != 0;
		failed |= sink_end(&sink) != 0;
	}
	if (!failed && sink.deflating)
		evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Encoding", "gzip");
	if (failed)
		send_text(s, req, 503, "no memory\n");
	else
		send_reply(s, req, &reply, sink.body);
	if (sink.body)
		evbuffer_free(sink.body);
}

static size_t count_headers(struct evkeyvalq *headers)
{
	size_t n = 0;

	for (const struct evkeyval *h = headers->tqh_first; h; h = h->next.tqe_next)
		n++;
	return n;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	struct http_server *s = arg;

	resolve_fresh(s);
	s->stats.requests++;
	if (count_headers(evhttp_request_get_input_headers(req)) > HTTP_HEADERS_MAX) {
		send_text(s, req, 431, "too many headers\n");
		return;
	}
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
		send_text(s, req, 405, "only GET and HEAD\n");
		return;
	}
	if (untaken_bytes(s) > UNTAKEN_MAX) {
		s->stats.overloaded++;
		send_text(s, req, 503, "too many answers that were not taken yet\n");
		return;
	}
	for (const struct http_route *r = s->routes; path && r->path; r++) {
		if (!strcmp(path, r->path)) {
			run_handler(s, req, r, evhttp_uri_get_query(uri));
			return;
		}
	}
	send_text(s, req, 404, "not found\n");
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int open_listener(const char *host, uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool v6 = strchr(host, ':');
	struct sockaddr_storage got;
	socklen_t got_len = sizeof(got);
	int fd, err, one = 1;

	if (inet_pton(v6 ? AF_INET6 : AF_INET, host, v6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
		return -EINVAL;
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, v6 ? (void *)&a6 : (void *)&a4, v6 ? sizeof(a6) : sizeof(a4)) ||
	    listen(fd, HTTP_CONNECTIONS_MAX) || getsockname(fd, (struct sockaddr *)&got, &got_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a transparent union hides from it that getsockname() writes */
	*ret_port = ntohs(v6 ? ((struct sockaddr_in6 *)&got)->sin6_port : ((struct sockaddr_in *)&got)->sin_port);
	return fd;
}

static int set_up(struct http_server *s)
{
	struct timeval sweep = { .tv_usec = SWEEP_MS * 1000 };

	s->http = evhttp_new(s->base);
	s->sweep = event_new(s->base, -1, EV_PERSIST, on_sweep, s);
	s->resolve = event_new(s->base, -1, 0, on_resolve, s);
	if (!s->http || !s->sweep || !s->resolve || event_add(s->sweep, &sweep))
		return -ENOMEM;
	evhttp_set_bevcb(s->http, on_accept, s);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_timeout(s->http, EVHTTP_IDLE_S);
	evhttp_set_max_headers_size(s->http, HTTP_HEAD_MAX);
	evhttp_set_max_body_size(s->http, 0);
	/* on_request answers 405 with Allow; evhttp would say 501 */
	evhttp_set_allowed_methods(s->http, UINT16_MAX);
	return 0;
}

int http_server_new(struct event_base *base, const char *host, uint16_t port, const struct http_route *routes,
		    void *arg, struct http_server **ret_server)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int fd, err;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->routes = routes;
	s->arg = arg;
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		s->slots[i].fd = -1;
	err = set_up(s);
	if (err)
		goto fail;
	fd = open_listener(host, port, &s->port);
	if (fd < 0) {
		err = fd;
		goto fail;
	}
	if (evhttp_accept_socket(s->http, fd)) {
		err = -ENOMEM;
		close(fd);
		goto fail;
	}
	*ret_server = s;
	return 0;
fail:
	http_server_free(s);
	return err;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	resolve_fresh(s);
	if (s->http)
		evhttp_free(s->http);
	if (s->sweep)
		event_free(s->sweep);
	if (s->resolve)
		event_free(s->resolve);
	free(s);
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_get_stats(struct http_server *s, struct http_server_stats *ret_stats)
{
	*ret_stats = s->stats;
	ret_stats->connections = 0;
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		ret_stats->connections += slot_is_open(&s->slots[i]);
}
