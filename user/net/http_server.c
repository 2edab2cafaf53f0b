/* SPDX-License-Identifier: GPL-2.0-only */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "../base/clock.h"
#include "../base/small.h"
#include "http_body.h"
#include "http_head.h"

#define IDLE_NS (10ull * 1000000000) /* an answer that does not move */
#define STUCK_NS 1000000000ull	     /* one that gives way when there is no room */
#define HEAD_NS (10ull * 1000000000) /* from accept, or from the answer before, to the end of a request's head */
#define TAKE_NS (30ull * 1000000000) /* to take an answer */
#define SLOW_NS (2ull * 1000000000)  /* one that gives way when there is no room and nobody stands still */
#define LINGER_NS 1000000000ull	     /* after the last answer, to take it before the connection is cut */
#define FRESH_NS 5000000ull	     /* half a share of connections is no flood in this time */
#define SWEEP_MS 500
#define SOCKET_BYTES (64u << 10) /* of an answer in the kernel; it doubles that */
#define TURN_BYTES (128u << 10)	 /* written to one client before the next has its turn */
#define TURN_ACCEPTS 256
#define TURN_REQUESTS 8
#define CONNS (HTTP_CONNECTIONS_MAX + HTTP_RESERVE)

struct conn {
	struct http_server *s;
	int fd;
	struct event *read, *write;
	struct evbuffer *out; /* answers that were not taken yet */
	struct in6_addr peer; /* IPv4 mapped; of a Unix socket, its user */
	uint64_t since_ns;    /* accept, or the end of the answer before */
	uint64_t deadline_ns;
	uint64_t left, left_ns; /* bytes that the client has not taken, and since when it is so many */
	size_t in_len;
	bool local;	/* loopback: people of this machine, no share an address */
	bool loopback;	/* by TCP: Host must say so, too */
	bool reserve;	/* for vital routes only */
	bool answered;	/* kept for the next request: to end it is no refusal */
	bool ended;	/* by the client: it says nothing more */
	bool last;	/* no request after this answer */
	bool lingering; /* all is said */
	char in[HTTP_HEAD_MAX];
};

struct http_server {
	struct event_base *base;
	struct event *sweep, *accept;
	struct http_bodies *bodies;
	const struct http_route *routes;
	struct conn *conns[CONNS]; /* NULL: free */
	struct http_server_stats stats;
	int fd;
	uint16_t port;
	bool paused; /* accepts nothing until the next sweep: no descriptors or memory */
};

/* --- connections -------------------------------------------------------------------------------------------------- */

static void conn_close(struct conn *c)
{
	struct http_server *s = c->s;

	for (size_t i = 0; i < CONNS; i++)
		if (s->conns[i] == c)
			s->conns[i] = NULL;
	if (c->read)
		event_free(c->read);
	if (c->write)
		event_free(c->write);
	if (c->out)
		evbuffer_free(c->out);
	close(c->fd);
	free(c);
}

static size_t untaken(const struct conn *c)
{
	return evbuffer_get_length(c->out);
}

/* Whether the client has taken something of its answer within ns. */
static bool moves(struct conn *c, uint64_t now, uint64_t ns)
{
	int queued = 0;

	if (!ioctl(c->fd, SIOCOUTQ, &queued) && untaken(c) + (uint64_t)queued != c->left) {
		c->left = untaken(c) + (uint64_t)queued;
		c->left_ns = now;
	}
	return now - c->left_ns < ns;
}

/* Of two that have not taken their answers, either NULL: the one that stands still for longer, else the slower one. */
static struct conn *slower(struct conn *a, struct conn *c, uint64_t now)
{
	bool stuck = !moves(c, now, STUCK_NS), other = a && !moves(a, now, STUCK_NS);

	if (!stuck && now + TAKE_NS - c->deadline_ns < SLOW_NS)
		return a;
	if (!a || stuck != other)
		return stuck || !a ? c : a;
	return (stuck ? c->left_ns < a->left_ns : c->deadline_ns < a->deadline_ns) ? c : a;
}

/*
 * Who gives way to a new one: the connection that has waited longest for a request; where none does, one that does not take
 * its answer, or so slowly that those who come in time would never have a place. peer: only those from there.
 */
static struct conn *conn_to_give_way(struct http_server *s, const struct in6_addr *peer, bool reserve)
{
	struct conn *idle = NULL, *slow = NULL;
	uint64_t now = clock_now_ns();

	for (size_t i = 0; i < CONNS; i++) {
		struct conn *c = s->conns[i];

		if (!c || c->reserve != reserve || (peer && memcmp(peer, &c->peer, sizeof(*peer))))
			continue;
		if (untaken(c))
			slow = slower(slow, c, now);
		else if (!idle || c->since_ns < idle->since_ns)
			idle = c;
	}
	return idle ? idle : slow;
}

static bool give_way(struct http_server *s, const struct in6_addr *peer, bool reserve)
{
	struct conn *c = conn_to_give_way(s, peer, reserve);

	if (c) {
		s->stats.refused++;
		conn_close(c);
	}
	return c;
}

/* Finds a place in the table: an ordinary one if there is any, else one of those for probes. NULL: none. */
static struct conn **place_for(struct http_server *s, struct conn *c)
{
	size_t all = 0, same = 0, reserve = 0;

	for (size_t i = 0; i < CONNS; i++) {
		if (!s->conns[i])
			continue;
		all += !s->conns[i]->reserve;
		reserve += s->conns[i]->reserve;
		same += !s->conns[i]->reserve && !memcmp(&s->conns[i]->peer, &c->peer, sizeof(c->peer));
	}
	if (!c->local && same >= HTTP_ADDRESS_MAX)
		c->reserve = !give_way(s, &c->peer, false);
	else if (all == HTTP_CONNECTIONS_MAX)
		c->reserve = !give_way(s, NULL, false);
	if (c->reserve && reserve == HTTP_RESERVE && !give_way(s, NULL, true))
		return NULL;
	for (size_t i = 0; i < CONNS; i++)
		if (!s->conns[i])
			return &s->conns[i];
	return NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

static struct in6_addr address_of(const struct sockaddr_storage *from)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (from->ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)from)->sin6_addr;
	memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	return a;
}

static struct in6_addr user_of(int fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	struct in6_addr a = IN6ADDR_ANY_INIT;
	socklen_t len = sizeof(who);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
	memcpy(&a, &who.uid, sizeof(who.uid));
	return a;
}

/* The queue of a Unix socket is one for all: who fills it is turned away before that costs us anything. */
static bool comes_too_fast(const struct http_server *s, const struct in6_addr *user)
{
	uint64_t now = clock_now_ns();
	size_t fresh = 0;

	for (size_t i = 0; i < CONNS; i++)
		fresh += s->conns[i] && now - s->conns[i]->since_ns < FRESH_NS &&
			 !memcmp(&s->conns[i]->peer, user, sizeof(*user));
	return fresh >= HTTP_ADDRESS_MAX / 2;
}

/* By TCP: whether we are reached by loopback. By a Unix socket: the kernel's buffers, which it does not inherit. */
static void set_up_kind(struct conn *c)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(own);
	int bytes = SOCKET_BYTES;
	struct in6_addr local;

	if (!c->s->port) {
		setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		return;
	}
	getsockname(c->fd, (struct sockaddr *)&own, &len);
	local = address_of(&own);
	c->loopback = is_loopback(&local);
	c->local = is_loopback(&c->peer);
}

/* Takes fd, also on failure. */
static void conn_new(struct http_server *s, int fd, const struct sockaddr_storage *from)
{
	struct in6_addr peer = s->port ? address_of(from) : user_of(fd);
	bool crowd = !s->port && comes_too_fast(s, &peer);
	struct conn *c = crowd ? NULL : calloc(1, sizeof(*c)), **place;

	if (!c) {
		s->stats.refused++;
		close(fd);
		return;
	}
	c->s = s;
	c->fd = fd;
	c->peer = peer;
	set_up_kind(c);
	c->since_ns = c->left_ns = clock_now_ns();
	c->deadline_ns = c->since_ns + HEAD_NS;
	c->out = evbuffer_new();
	c->read = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write = event_new(s->base, fd, EV_WRITE, on_writable, c);
	place = c->out && c->read && c->write && !event_add(c->read, NULL) ? place_for(s, c) : NULL;
	if (!place) {
		s->stats.refused++;
		conn_close(c);
		return;
	}
	*place = c;
	on_readable(fd, EV_READ, c); /* mostly, the request is there already */
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	for (int i = 0; i < TURN_ACCEPTS; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(from);
		int client = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client >= 0) {
			conn_new(s, client, &from);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* the one in the queue would wake us again at once */
			if (!give_way(s, NULL, false)) {
				event_del(s->accept);
				s->paused = true;
				return;
			}
		}
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	uint64_t now = clock_now_ns();

	if (s->paused && !event_add(s->accept, NULL))
		s->paused = false;
	for (size_t i = 0; i < CONNS; i++) {
		struct conn *c = s->conns[i];

		if (!c || (now < c->deadline_ns && (!untaken(c) || moves(c, now, IDLE_NS))))
			continue;
		if (untaken(c) || !(c->answered || c->lingering))
			s->stats.expired++;
		conn_close(c);
	}
	http_bodies_expire(s->bodies, now);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static size_t untaken_bytes(const struct http_server *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < CONNS; i++)
		sum += s->conns[i] ? untaken(s->conns[i]) : 0;
	return sum;
}

/* Cuts those that do not take their answers, the slowest first, until there is room. */
static bool make_room(struct http_server *s, const struct conn *self)
{
	while (untaken_bytes(s) > HTTP_UNTAKEN_MAX) {
		struct conn *slow = NULL;
		uint64_t now = clock_now_ns();

		for (size_t i = 0; i < CONNS; i++)
			if (s->conns[i] && s->conns[i] != self && untaken(s->conns[i]))
				slow = slower(slow, s->conns[i], now);
		s->stats.overloaded++;
		if (!slow)
			return false;
		conn_close(slow);
	}
	return true;
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 421, "Misdirected Request" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static void send_head(struct conn *c, const struct http_reply *reply, size_t len, bool gzip)
{
	char date[64] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	evbuffer_add_printf(
	    c->out,
	    "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: %s\r\n"
	    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
	    "Cross-Origin-Resource-Policy: same-origin\r\nVary: Accept, Accept-Encoding\r\n%s%s%s%s\r\n",
	    reply->status, reason_of(reply->status), date, reply->type, len, reply->asset ? "no-cache" : "no-store",
	    gzip ? "Content-Encoding: gzip\r\n" : "", reply->status == 405 ? "Allow: GET, HEAD\r\n" : "",
	    reply->status == 503 ? "Retry-After: 1\r\n" : "", c->last ? "Connection: close\r\n" : "");
}

/* Takes body. A HEAD answer has the headers of the GET answer and no body. */
static void send_reply(struct conn *c, const struct http_reply *reply, struct evbuffer *body, bool gzip, bool head_only)
{
	send_head(c, reply, evbuffer_get_length(body), gzip);
	if (!head_only)
		evbuffer_add_buffer(c->out, body);
	evbuffer_free(body);
}

/* Without memory for it, the client sees its connection end. */
static void send_text(struct conn *c, int status, const char *text, bool head_only)
{
	const struct http_reply reply = { .status = status, .type = "text/plain; charset=utf-8" };
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		c->last = true;
		return;
	}
	evbuffer_add(body, text, strlen(text));
	send_reply(c, &reply, body, false, head_only);
}

/* A head that is wrong, or followed by what we do not take: where the next request begins cannot be told. */
static void refuse(struct conn *c, int status)
{
	c->last = true;
	send_text(c, status,
		  status == 413	  ? "no body is taken\n"
		  : status == 431 ? "too many headers\n"
				  : "bad request\n",
		  false);
}

static void run_route(struct conn *c, const struct http_route *route, const struct http_head *h)
{
	const struct http_request in = { .path = route->path, .query = h->query, .accept = h->accept };
	bool gzip = http_quality(h->encodings, "gzip") > 0;
	struct http_server *s = c->s;
	struct http_reply reply;
	struct evbuffer *body;
	int err;

	if (c->reserve && !route->vital) {
		s->stats.overloaded++;
		c->last = true;
		send_text(c, 503, "too many connections\n", h->head);
		return;
	}
	if (!route->vital && !make_room(s, c)) {
		send_text(c, 503, "too many answers that were not taken yet\n", h->head);
		return;
	}
	err = http_bodies_get(s->bodies, route, &in, &gzip, &reply, &body);
	if (err) {
		s->stats.overloaded += err == -EBUSY;
		send_text(c, 503, err == -EBUSY ? "asked for too often\n" : "no memory\n", h->head);
		return;
	}
	send_reply(c, &reply, body, gzip, h->head);
}

static void answer(struct conn *c, const struct http_head *h)
{
	const struct http_route *route = c->s->routes;

	while (route->path && strcmp(h->path, route->path))
		route++;
	c->last = h->close;
	if (c->loopback && h->host && !http_host_is_loopback(h->host)) {
		c->last = true;
		send_text(c, 421, "on loopback this answers to localhost, 127.0.0.1 and [::1] only\n", h->head);
	} else if (h->has_body) {
		refuse(c, 413);
	} else if (!h->get && !h->head) {
		send_text(c, 405, "only GET and HEAD\n", false);
	} else if (!route->path) {
		send_text(c, 404, "not found\n", h->head);
	} else {
		run_route(c, route, h);
	}
}

/* --- the turns of a connection --------------------------------------------------------------------------------------- */

/* What the client sends now is read only to let it read: a reset would throw our answer away. */
static void linger(struct conn *c)
{
	c->lingering = true;
	c->in_len = 0;
	c->deadline_ns = clock_now_ns() + LINGER_NS;
	shutdown(c->fd, SHUT_WR);
	event_add(c->read, NULL);
}

/* The answer is taken: time runs for the next request. */
static void await_request(struct conn *c)
{
	c->answered = true;
	c->since_ns = clock_now_ns();
	c->deadline_ns = c->since_ns + HEAD_NS;
}

/* Writes some. Returns false when the connection is closed by that. */
static bool flush(struct conn *c)
{
	if (untaken(c) && evbuffer_write_atmost(c->out, c->fd, TURN_BYTES) < 0 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return false;
	}
	if (untaken(c)) {
		event_add(c->write, NULL);
		return true;
	}
	if (c->ended && (c->last || !c->in_len)) {
		conn_close(c);
		return false;
	}
	if (c->last)
		linger(c);
	return true;
}

/* The request at the beginning of what was read, if it is whole. Returns false when there is none. */
static bool take_request(struct conn *c)
{
	int len = http_head_len(c->in, c->in_len), status;
	struct http_head h;

	if (!len && c->in_len < sizeof(c->in))
		return false;
	c->s->stats.requests++;
	status = len > 0 ? http_head_parse(c->in, (size_t)len, &h) : 400;
	if (status)
		refuse(c, status);
	else
		answer(c, &h);
	c->left_ns = clock_now_ns();
	c->deadline_ns = c->left_ns + TAKE_NS;
	if (len > 0) {
		c->in_len -= (size_t)len;
		memmove(c->in, c->in + len, c->in_len);
	}
	return true;
}

/* Requests one after the other, each when the answer before was taken. */
static void serve(struct conn *c)
{
	for (int i = 0; i < TURN_REQUESTS && !untaken(c) && !c->lingering; i++) {
		if (!take_request(c)) {
			if (c->ended)
				conn_close(c);
			return;
		}
		if (!flush(c))
			return;
		if (!untaken(c) && !c->lingering)
			await_request(c);
	}
	if (untaken(c))
		event_del(c->read);
	else if (c->in_len && !c->lingering)
		event_active(c->read, EV_TIMEOUT, 0); /* others have their turn first */
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n = 0;

	if (what & EV_READ && !c->ended) {
		n = recv(fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			conn_close(c);
			return;
		}
		if (n == 0 && c->in_len < sizeof(c->in)) {
			c->ended = true;
			event_del(c->read);
		}
	}
	if (c->lingering) {
		if (c->ended)
			conn_close(c);
		return;
	}
	c->in_len += n > 0 ? (size_t)n : 0;
	serve(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (!flush(c) || untaken(c) || c->lingering)
		return;
	await_request(c);
	event_add(c->read, NULL);
	serve(c); /* what had come behind the request */
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int bind_address(const char *host, uint16_t port, uint16_t *ret_port)
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
	    getsockname(fd, (struct sockaddr *)&got, &got_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a transparent union hides from it that getsockname() writes */
	*ret_port = ntohs(v6 ? ((struct sockaddr_in6 *)&got)->sin6_port : ((struct sockaddr_in *)&got)->sin_port);
	return fd;
}

/* A socket that an agent before us left there is replaced; one that somebody listens on is not, nor any other file. */
static int bind_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, err = 0;
	struct stat st;
	mode_t mask;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED && !lstat(path, &st) && S_ISSOCK(st.st_mode) && unlink(path))
		err = -errno;
	mask = umask(0117);
	if (!err && bind(fd, (struct sockaddr *)&a, sizeof(a)))
		err = -errno;
	umask(mask);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int set_up(struct http_server *s)
{
	struct timeval sweep = { .tv_usec = SWEEP_MS * 1000 };

	s->sweep = event_new(s->base, -1, EV_PERSIST, on_sweep, s);
	s->accept = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	if (!s->sweep || !s->accept || event_add(s->sweep, &sweep) || event_add(s->accept, NULL))
		return -ENOMEM;
	return 0;
}

int http_server_new(struct event_base *base, const char *host, uint16_t port, const struct http_route *routes,
		    void *arg, struct http_server **ret_server)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int err = 0, bytes = SOCKET_BYTES;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->routes = routes;
	s->fd = *host == '/' ? bind_unix(host) : bind_address(host, port, &s->port);
	if (s->fd < 0)
		err = s->fd;
	/* accepted ones inherit it: a reader that stands still holds no megabytes of the kernel's memory */
	else if (setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) || listen(s->fd, SOMAXCONN))
		err = -errno;
	if (!err) {
		s->bodies = http_bodies_new(arg);
		err = s->bodies ? set_up(s) : -ENOMEM;
	}
	if (err) {
		http_server_free(s);
		return err;
	}
	*ret_server = s;
	return 0;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < CONNS; i++)
		if (s->conns[i])
			conn_close(s->conns[i]);
	if (s->sweep)
		event_free(s->sweep);
	if (s->accept)
		event_free(s->accept);
	http_bodies_free(s->bodies);
	if (s->fd >= 0)
		close(s->fd);
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
	for (size_t i = 0; i < CONNS; i++)
		ret_stats->connections += s->conns[i] != NULL;
}
