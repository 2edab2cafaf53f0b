/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/net/http_server.c user/net/http_body.c user/net/http_head.c user/net/http_words.c */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>
#include <event2/event.h>

#include "../../user/base/small.h"
#include "../../user/net/http_head.h"
#include "../../user/base/clock.h"
#include "../../user/net/http_server.h"
#include "unit.h"

static struct {
	struct event_base *base;
	struct http_server *server;
	int calls;
} t;

static void on_small(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	assert_ptr_equal(arg, &t);
	t.calls++;
	fprintf(body, "query=%s accept=%s\n", req->query, req->accept ? req->accept : "(none)");
}

static void on_large(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	for (int i = 0; i < 20000; i++)
		fprintf(body, "line %d\n", i);
	reply->type = "text/x-large";
}

/* More than a socket takes at once, so that a client that does not read keeps it in memory. */
static void on_huge(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	static char block[1 << 20];

	for (int i = 0; i < 24; i++)
		fwrite(block, 1, sizeof(block), body);
}

static void on_broken(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	reply->status = 400;
	fputs("no\n", body);
}

static void on_vital(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	fputs("ok\n", body);
}

/* Takes a while, as a large report does. */
static void on_shared(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	t.calls++;
	usleep(20000);
	for (int i = 0; i < 1000; i++)
		fprintf(body, "%s %d\n", req->query, t.calls);
}

static unsigned int shared_key(const struct http_request *req, char key[HTTP_KEY_LEN])
{
	snprintf(key, HTTP_KEY_LEN, "%.8s", req->query);
	return *req->query == '!' ? 0 : *req->query == '+' ? 4 : 1;
}

static const struct http_route routes[] = {
	{ "/small", on_small, NULL, false },
	{ "/large", on_large, NULL, false },
	{ "/huge", on_huge, NULL, false },
	{ "/broken", on_broken, NULL, false },
	{ "/vital", on_vital, NULL, true },
	{ "/shared", on_shared, shared_key, false },
	{ .path = NULL },
};

static int set_up(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	t.calls = 0;
	t.base = event_base_new();
	return http_server_new(t.base, "127.0.0.1", 0, routes, &t, &t.server);
}

static int tear_down(void **state)
{
	http_server_free(t.server);
	event_base_free(t.base);
	return 0;
}

static void spin(int ms)
{
	for (int i = 0; i < ms; i++) {
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(http_server_port(t.server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Sends request and reads until the server closes or says nothing for 200 ms. NUL-ended; caller frees. */
static char *ask_len(const char *request, size_t *ret_len)
{
	char *got = calloc(1, 1 << 20);
	int fd = dial(), quiet = 0;
	size_t len = 0;

	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	while (quiet < 200) {
		ssize_t n;

		spin(1);
		n = recv(fd, got + len, (1 << 20) - 1 - len, 0);
		if (n == 0)
			break;
		quiet = n < 0 ? quiet + 1 : 0;
		len += n > 0 ? n : 0;
	}
	close(fd);
	spin(2);
	got[len] = 0;
	*ret_len = len;
	return got;
}

static char *ask(const char *request)
{
	size_t len;

	return ask_len(request, &len);
}

static void answers(const char *request, const char *first_line, const char *also)
{
	char *got = ask(request);

	if (strncmp(got, first_line, strlen(first_line)) || !strstr(got, also))
		fail_msg("to %.60s\nwanted %s and %s, got\n%.600s", request, first_line, also, got);
	free(got);
}

#define TAIL " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

static void routes_are_exact(void **state)
{
	answers("GET /small?a=1&b" TAIL "\r\n", "HTTP/1.1 200 ", "\r\n\r\nquery=a=1&b accept=(none)\n");
	answers("GET /small" TAIL "Accept: text/plain\r\n\r\n", "HTTP/1.1 200 ", "query= accept=text/plain\n");
	answers("GET /broken" TAIL "\r\n", "HTTP/1.1 400 ", "\r\n\r\nno\n");
	assert_int_equal(t.calls, 2);
	answers("GET /" TAIL "\r\n", "HTTP/1.1 404 ", "not found");
	answers("GET /small/" TAIL "\r\n", "HTTP/1.1 404 ", "not found");
	answers("GET /smal%6c" TAIL "\r\n", "HTTP/1.1 404 ", "not found");
	answers("GET /x/../small" TAIL "\r\n", "HTTP/1.1 404 ", "not found");
	assert_int_equal(t.calls, 2);
}

static void only_get_and_head(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE" };
	char request[128];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		snprintf(request, sizeof(request), "%s /small" TAIL "\r\n", methods[i]);
		answers(request, "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
	}
	answers("POST /small" TAIL "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 413 ", "");
	answers("GET /small" TAIL "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 413 ", "");
	answers("GET /small" TAIL "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 413 ", "");
	assert_int_equal(t.calls, 0);
}

static const char *body_of(const char *got)
{
	const char *end = strstr(got, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void head_has_the_length_and_no_body(void **state)
{
	char *get = ask("GET /large" TAIL "\r\n"), *head = ask("HEAD /large" TAIL "\r\n"), length[64];

	snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body_of(get)));
	assert_non_null(strstr(get, length));
	assert_non_null(strstr(head, length));
	assert_string_equal(body_of(head), "");
	assert_non_null(strstr(head, "Content-Type: text/x-large\r\n"));
	free(get);
	free(head);
}

static void gzip_only_when_wanted(void **state)
{
	static unsigned char plain[1 << 20];
	size_t len;
	char *get = ask("GET /large" TAIL "\r\n"),
	     *zip = ask_len("GET /large" TAIL "Accept-Encoding: br, gzip;q=0.5\r\n\r\n", &len);
	const char *body = body_of(zip);
	z_stream z = { 0 };

	assert_non_null(strstr(zip, "Content-Encoding: gzip\r\n"));
	assert_true(len < strlen(get) / 2);
	inflateInit2(&z, 15 + 16);
	z.next_in = (unsigned char *)body;
	z.avail_in = len - (body - zip);
	z.next_out = plain;
	z.avail_out = sizeof(plain) - 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	assert_string_equal((char *)plain, body_of(get));
	free(zip);
	zip = ask("GET /large" TAIL "Accept-Encoding: gzip;q=0, *\r\n\r\n");
	assert_null(strstr(zip, "Content-Encoding"));
	free(zip);
	zip = ask("GET /small" TAIL "Accept-Encoding: gzip\r\n\r\n");
	assert_null(strstr(zip, "Content-Encoding")); /* too small to be worth it */
	free(zip);
	free(get);
}

static void every_answer_guards_the_browser(void **state)
{
	static const char *const headers[] = {
		"\r\nContent-Security-Policy: default-src 'none'; ",
		"\r\nX-Content-Type-Options: nosniff\r\n",
		"\r\nReferrer-Policy: no-referrer\r\n",
		"\r\nCache-Control: no-store\r\n",
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		answers("GET /small" TAIL "\r\n", "HTTP/1.1 200 ", headers[i]);
		answers("GET /none" TAIL "\r\n", "HTTP/1.1 404 ", headers[i]);
	}
}

static void heads_are_bounded(void **state)
{
	char request[16384], *p = request;

	snprintf(request, sizeof(request), "GET /small?%09000d" TAIL "\r\n", 0);
	answers(request, "HTTP/1.1 400 ", "");
	p += sprintf(p, "GET /small" TAIL);
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		p += sprintf(p, "a: b\r\n");
	strcpy(p, "\r\n");
	answers(request, "HTTP/1.1 431 ", "too many headers");
	answers("GARBAGE\r\n\r\n", "HTTP/1.1 400 ", "");
	assert_int_equal(t.calls, 0);
}

static bool is_closed(int fd)
{
	char c[512];
	ssize_t n;

	while ((n = recv(fd, c, sizeof(c), 0)) > 0)
		;
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* Those that have waited longest give way, and the next one is served. */
static void idle_connections_give_way(void **state)
{
	struct http_server_stats stats;
	int fds[HTTP_CONNECTIONS_MAX + 10], closed = 0;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial();
		assert_int_equal(send(fds[i], "G", 1, 0), 1);
		spin(1);
	}
	spin(30);
	http_server_get_stats(t.server, &stats);
	assert_int_equal(stats.connections, HTTP_CONNECTIONS_MAX);
	assert_int_equal(stats.refused, 10);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		closed += i < 10 && is_closed(fds[i]);
	assert_int_equal(closed, 10);
	answers("GET /small" TAIL "\r\n", "HTTP/1.1 200 ", "");
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	spin(30);
	http_server_get_stats(t.server, &stats);
	assert_int_equal(stats.connections, 0);
}

/* When all read their answers, a probe is answered, and nobody else; unless they are slow: then the slowest gives way. */
static void probes_have_places_of_their_own(void **state)
{
	static const char huge[] = "GET /huge" TAIL "\r\n";
	struct http_server_stats stats;
	int fds[HTTP_CONNECTIONS_MAX];
	char block[4096];
	uint64_t began_ns;

	/*
	 * A huge answer is all that fits; the others have a smaller one that does not fit into a socket either. Anew on a
	 * machine so busy that the first is a slow reader by then.
	 */
	for (int tries = 0;; tries++) {
		began_ns = clock_ns(CLOCK_MONOTONIC);
		for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
			const char *get = i < 1 ? huge : "GET /large" TAIL "\r\n";
			int small = 2048;

			fds[i] = dial();
			setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
			send(fds[i], get, strlen(get), 0);
			spin(1);
		}
		spin(10);
		for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
			assert_true(recv(fds[i], block, 1024, 0) > 0); /* it moves */
		if (clock_ns(CLOCK_MONOTONIC) - began_ns < 1500000000 || tries == 9)
			break;
		for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
			close(fds[i]);
		spin(100);
	}
	spin(2);
	answers("GET /small" TAIL "\r\n", "HTTP/1.1 503 ", "too many connections");
	answers("GET /vital" TAIL "\r\n", "HTTP/1.1 200 ", "ok\n");
	http_server_get_stats(t.server, &stats);
	assert_int_equal(stats.refused, 0);
	for (int n = 0; n < 24; n++) { /* more than 2 s */
		spin(100);
		for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
			recv(fds[i], block, sizeof(block), 0);
	}
	answers("GET /small" TAIL "\r\n", "HTTP/1.1 200 ", "");
	http_server_get_stats(t.server, &stats);
	assert_int_equal(stats.refused, 1);
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		close(fds[i]);
}

static void answers_not_taken_are_bounded(void **state)
{
	struct http_server_stats stats;
	int fds[8];

	for (int i = 0; i < 8; i++) {
		int small = 4096;

		fds[i] = dial();
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		send(fds[i], "GET /huge HTTP/1.0\r\n\r\n", 22, 0);
		spin(20);
	}
	http_server_get_stats(t.server, &stats);
	assert_true(stats.overloaded >= 3 && stats.overloaded <= 7); /* 24 MiB each, bound 48 MiB */
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	spin(50);
	answers("GET /small" TAIL "\r\n", "HTTP/1.1 200 ", "");
}

static void many_requests_on_one_connection(void **state)
{
	char *got = ask("GET /small HTTP/1.1\r\nHost: localhost\r\n\r\nGET /small?2" TAIL "\r\n");

	assert_int_equal(t.calls, 2);
	assert_non_null(strstr(got, "query=2 "));
	free(got);
}

/* --- shared answers -------------------------------------------------------------------------------------------------- */

static void an_answer_is_shared_for_a_moment(void **state)
{
	char *a = ask("GET /shared?x" TAIL "\r\n");
	int calls;

	assert_non_null(strstr(a, "\nx 1\n"));
	free(a);
	for (int i = 0; i < 3; i++) {
		int fd = dial();

		send(fd, "GET /shared?x" TAIL "\r\n", strlen("GET /shared?x" TAIL "\r\n"), 0);
		spin(5);
		close(fd);
	}
	assert_true(t.calls <= 2); /* the first ask() waited 200 ms */
	calls = t.calls;
	answers("GET /shared?x" TAIL "Accept-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 ", "Content-Encoding: gzip");
	answers("GET /shared?x" TAIL "\r\n", "HTTP/1.1 200 ", "\nx ");
	spin(300);
	answers("GET /shared?x" TAIL "\r\n", "HTTP/1.1 200 ", "\nx ");
	assert_true(t.calls > calls);
}

/* Keys of which there are few are answered each, whatever is asked for beside them, and take no more time together. */
static void few_keys_are_nobody_elses(void **state)
{
	static const char *const keys[] = { "+a", "+b", "+c", "+d", "x" };
	uint64_t begin = clock_now_ns(), took;
	char request[128];
	int answered = 0;

	for (int i = 0; i < 60; i++) {
		char buf[2048] = "";
		int fd = dial();

		snprintf(request, sizeof(request), "GET /shared?%s" TAIL "\r\n", keys[i % 5]);
		send(fd, request, strlen(request), 0);
		spin(3);
		answered += recv(fd, buf, sizeof(buf) - 1, 0) > 0 && strstr(buf, "HTTP/1.1 200 ");
		close(fd);
	}
	took = clock_now_ns() - begin;
	assert_int_equal(answered, 60);
	/* 20 ms each: a fresh copy of one of the four once in 800 ms, of the other in 200 */
	assert_true(t.calls <= 5 + (int)(took / 1000000) * 2 / 200);
}

/* --- heads ------------------------------------------------------------------------------------------------------------ */

static void heads_are_taken_strictly(void **state)
{
	static const struct {
		const char *head;
		int status; /* 0: taken */
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "\r\nGET / HTTP/1.1\r\nHost: a:80\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\nhost:[fd00:ec2::1]:80\r\nX: \xff\r\n\r\n", 0 },
		{ "GET / HTTP/1.0\r\n\r\n", 0 },
		{ "GET / HTTP/1.9\r\nHost: a\r\n\r\n", 0 },
		{ "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "PATCH * HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },			 /* no Host */
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 }, /* two */
		{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 }, /* space before the colon */
		{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400 }, /* folded */
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nbare\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\nHost: a\n\n", 400 }, /* bare LF */
		{ "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400 }, /* bare CR */
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
		{ "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /\r\n\r\n", 400 }, /* HTTP/0.9 */
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400 },
		{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	};
	struct http_head h;
	char buf[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].head);
		int n, status;

		memcpy(buf, rows[i].head, len);
		n = http_head_len(buf, len);
		assert_true(n == -400 || n == (int)len);
		status = n < 0 ? -n : http_head_parse(buf, len, &h);
		if (status != rows[i].status)
			fail_msg("row %zu, %s: %d", i, rows[i].head, status);
		for (size_t k = 0; n > 0 && k < len; k++) /* no head is taken before its end */
			assert_true(http_head_len(rows[i].head, k) == 0);
	}
}

/* A page whose name was rebound to 127.0.0.1 reads nothing. */
static void loopback_answers_to_its_own_names(void **state)
{
	static const char *const ours[] = { "localhost",      "LOCALHOST:80", "127.0.0.1",
					    "127.1.2.3:9754", "[::1]",	      "[::1]:1" };
	static const char *const foreign[] = { "evil.example",
					       "localhost.evil.example",
					       "127.0.0.1.evil.example",
					       "evil.example:9754",
					       "10.0.0.1",
					       "[::2]",
					       "[::1",
					       "0",
					       "0.0.0.0",
					       "2130706433",
					       "" };
	char request[256];

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(http_host_is_loopback(ours[i]));
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		assert_false(http_host_is_loopback(foreign[i]));
	for (int i = 0; i < 3; i++) {
		static const char *const forms[] = {
			"GET /small HTTP/1.1\r\nHost: evil.example\r\n\r\n",
			"GET http://evil.example/small HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"GET /vital HTTP/1.0\r\nHost: evil.example\r\n\r\n",
		};

		answers(forms[i], "HTTP/1.1 421 ", "on loopback");
	}
	assert_int_equal(t.calls, 0);
	snprintf(request, sizeof(request),
		 "GET http://localhost:%u/small?q HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
		 http_server_port(t.server));
	answers(request, "HTTP/1.1 200 ", "query=q ");
}

/* --- other sockets ---------------------------------------------------------------------------------------------------- */

static void a_unix_socket_serves_too(void **state)
{
	static const char request[] = "GET /small HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct http_server *s = NULL, *second = NULL;
	char answer[2048] = "";
	struct stat st;
	int fd;

	snprintf(to.sun_path, sizeof(to.sun_path), "/tmp/imdsnoop-test-%d.sock", getpid());
	assert_int_equal(http_server_new(t.base, to.sun_path, 0, routes, &t, &s), 0);
	assert_int_equal(stat(to.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(http_server_new(t.base, to.sun_path, 0, routes, &t, &second), -EADDRINUSE);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	spin(20);
	assert_true(recv(fd, answer, sizeof(answer) - 1, 0) > 0);
	assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
	close(fd);
	http_server_free(s);
	/* what a dead one left is replaced; a file is not */
	assert_int_equal(http_server_new(t.base, to.sun_path, 0, routes, &t, &s), 0);
	http_server_free(s);
	unlink(to.sun_path);
	close(open(to.sun_path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(http_server_new(t.base, to.sun_path, 0, routes, &t, &s), -EADDRINUSE);
	assert_int_equal(stat(to.sun_path, &st), 0);
	unlink(to.sun_path);
	assert_int_equal(http_server_new(t.base, "/nowhere/x.sock", 0, routes, &t, &s), -ENOENT);
}

static int dial_unix(const struct sockaddr_un *to)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
	return fd;
}

/* A user has a share of the places at a Unix socket as an address has at TCP, and fills its queue in vain. */
static void a_user_has_a_share_of_a_unix_socket(void **state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct http_server *s = NULL;
	struct http_server_stats stats;
	int fds[300], last;
	char c;

	snprintf(to.sun_path, sizeof(to.sun_path), "/tmp/imdsnoop-test-%d.sock", getpid());
	assert_int_equal(http_server_new(t.base, to.sun_path, 0, routes, &t, &s), 0);
	for (size_t i = 0; i < LEN(fds); i++) /* nobody accepts meanwhile: the queue has room */
		fds[i] = dial_unix(&to);
	spin(20);
	http_server_get_stats(s, &stats);
	assert_in_range(stats.connections, 1, HTTP_ADDRESS_MAX);
	assert_in_range(stats.refused, LEN(fds) - HTTP_ADDRESS_MAX, LEN(fds) - 1);
	for (int i = 0; i < 2 * HTTP_ADDRESS_MAX; i++) { /* in time, each has a place, and the oldest gives way */
		close(fds[i]);
		fds[i] = dial_unix(&to);
		spin(7);
		assert_int_equal(recv(fds[i], &c, 1, 0), -1);
	}
	http_server_get_stats(s, &stats);
	assert_int_equal(stats.connections, HTTP_ADDRESS_MAX);
	if (!geteuid()) {
		assert_int_equal(chmod(to.sun_path, 0666), 0);
		assert_int_equal(seteuid(65534), 0);
		last = dial_unix(&to);
		assert_int_equal(seteuid(0), 0);
		spin(7);
		http_server_get_stats(s, &stats);
		assert_int_equal(stats.connections, HTTP_ADDRESS_MAX + 1);
		close(last);
	}
	for (size_t i = 0; i < LEN(fds); i++)
		close(fds[i]);
	http_server_free(s);
	unlink(to.sun_path);
}

/* Out of descriptors: the connection that waits does not keep us awake, and is taken when there are some again. */
static void out_of_descriptors_is_no_spin(void **state)
{
	struct rlimit old, few;
	struct rusage before, after;
	long cpu_us;
	int fd, probe;

	fd = dial();
	send(fd, "GET /vital" TAIL "\r\n", strlen("GET /vital" TAIL "\r\n"), 0);
	probe = dup(0);
	close(probe);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)probe;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 4; i++)
		event_base_loop(t.base, EVLOOP_ONCE);
	getrusage(RUSAGE_SELF, &after);
	setrlimit(RLIMIT_NOFILE, &old);
	cpu_us =
	    (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
	    after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	assert_true(cpu_us < 200000); /* of a second and more */
	spin(700);
	assert_true(is_closed(fd)); /* it was answered */
	answers("GET /vital" TAIL "\r\n", "HTTP/1.1 200 ", "ok\n");
	close(fd);
}

static void qualities(void **state)
{
	static const struct {
		const char *header, *name;
		int quality;
	} rows[] = {
		{ NULL, "gzip", -1 },
		{ "", "gzip", -1 },
		{ "gzip", "gzip", 1000 },
		{ "GZIP", "gzip", 1000 },
		{ "*", "gzip", -1 },
		{ "gzipped", "gzip", -1 },
		{ "br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip", 800 },
		{ "gzip;q=0", "gzip", 0 },
		{ "gzip;q=0.000", "gzip", 0 },
		{ "gzip ; q=0.25", "gzip", 250 },
		{ "gzip;q=2", "gzip", 0 },
		{ "gzip;q=1.5", "gzip", 0 },
		{ "gzip;q=", "gzip", 0 },
		{ "gzip;q=x", "gzip", 0 },
		{ "gzip;q=0.12345", "gzip", 0 },
		{ "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.75",
		  "application/openmetrics-text", 750 },
		{ "a;q=0.2,a;q=0.4", "a", 400 },
		{ ",,;;,a", "a", 1000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (http_quality(rows[i].header, rows[i].name) != rows[i].quality)
			fail_msg("'%s': %d", rows[i].header, http_quality(rows[i].header, rows[i].name));
}

static void query_values(void **state)
{
	static const struct {
		const char *query;
		int err;
		const char *value;
	} rows[] = {
		{ "", -ENOENT, "" },	      { "since", -ENOENT, "" },	    { "sinc=1", -ENOENT, "" },
		{ "xsince=1", -ENOENT, "" },  { "since=5m", 0, "5m" },	    { "a=b&since=1.5-_Z", 0, "1.5-_Z" },
		{ "since=&x=1", 0, "" },      { "since=%35", -EINVAL, "" }, { "since=0123456789", -EINVAL, "" },
		{ "since=a b", -EINVAL, "" },
	};
	char buf[8];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = http_query_value(rows[i].query, "since", buf, sizeof(buf));

		if (err != rows[i].err || (!err && strcmp(buf, rows[i].value)))
			fail_msg("'%s': %d '%s'", rows[i].query, err, err ? "" : buf);
	}
}

static void listening_fails_with_a_reason(void **state)
{
	struct http_server *second = NULL;

	assert_int_equal(http_server_new(t.base, "127.0.0.1", http_server_port(t.server), routes, &t, &second),
			 -EADDRINUSE);
	assert_int_equal(http_server_new(t.base, "localhost", 0, routes, &t, &second), -EINVAL);
	assert_int_equal(http_server_new(t.base, "::1", 0, routes, &t, &second), 0);
	http_server_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(routes_are_exact, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_get_and_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(head_has_the_length_and_no_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gzip_only_when_wanted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_answer_guards_the_browser, set_up, tear_down),
		cmocka_unit_test_setup_teardown(heads_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(idle_connections_give_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(probes_have_places_of_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_is_shared_for_a_moment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(few_keys_are_nobody_elses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loopback_answers_to_its_own_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_user_has_a_share_of_a_unix_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_unix_socket_serves_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(out_of_descriptors_is_no_spin, set_up, tear_down),
		cmocka_unit_test(heads_are_taken_strictly),
		cmocka_unit_test_setup_teardown(answers_not_taken_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_requests_on_one_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(listening_fails_with_a_reason, set_up, tear_down),
		cmocka_unit_test(qualities),
		cmocka_unit_test(query_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
