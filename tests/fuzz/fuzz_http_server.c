/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/net/http_server.c user/net/http_body.c user/net/http_head.c user/net/http_words.c */
/*
 * Any bytes on a connection: no crash, the server goes on, what handlers are given is what they were promised, and what
 * comes back is answers, one after the other: nothing of the request is in their heads, and each is as long as it says. The
 * first byte says in how many pieces the rest is sent.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "../../user/net/http_server.h"

static void on_route(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	char value[16] = "";

	assert(!strcmp(req->path, "/metrics"));
	if (!http_query_value(req->query, "since", value, sizeof(value)))
		assert(strlen(value) < sizeof(value) && !strpbrk(value, "%&= /\\\"<>"));
	int q = http_quality(req->accept, "text/plain");
	assert(q >= -1 && q <= 1000);
	for (int i = 0; i < 200; i++)
		fprintf(body, "%s\n", value);
}

static const struct http_route routes[] = { { "/metrics", on_route, NULL, false }, { .path = NULL } };

static char got[1 << 20];
static size_t got_len;

static void take(int fd)
{
	ssize_t n;

	while ((n = recv(fd, got + got_len, sizeof(got) - 1 - got_len, 0)) > 0)
		got_len += (size_t)n;
}

/* Only the last answer may be cut: more of it was to come. */
static void check_answers(void)
{
	static const char *const names[] = { "Date",
					     "Content-Type",
					     "Content-Length",
					     "Cache-Control",
					     "Content-Security-Policy",
					     "X-Content-Type-Options",
					     "Referrer-Policy",
					     "Cross-Origin-Resource-Policy",
					     "Vary",
					     "Content-Encoding",
					     "Allow",
					     "Retry-After",
					     "Connection" };
	const char *at = got, *end = got + got_len;

	got[got_len] = '\0';
	assert(strlen(got) == got_len || memchr(got, '\x1f', got_len)); /* gzip */
	while (at < end) {
		const char *head_end = memmem(at, (size_t)(end - at), "\r\n\r\n", 4), *length;
		size_t body;

		assert(!strncmp(at, "HTTP/1.1 ", end - at < 9 ? (size_t)(end - at) : 9));
		if (!head_end)
			return;
		assert(at[9] >= '2' && at[9] <= '5' && at[12] == ' ');
		length = memmem(at, (size_t)(head_end - at), "\r\nContent-Length: ", 18);
		assert(length);
		body = strtoul(length + 18, NULL, 10);
		for (at = strstr(at, "\r\n"); at < head_end; at = strstr(at, "\r\n")) {
			size_t name = strcspn(at += 2, ":"), i = 0;

			while (i < sizeof(names) / sizeof(names[0]) &&
			       (strlen(names[i]) != name || memcmp(names[i], at, name)))
				i++;
			assert(i < sizeof(names) / sizeof(names[0]));
		}
		at = head_end + 4;
		if (!strncmp(at, "HTTP/1.1 ", 9)) /* to HEAD; no body begins so */
			continue;
		at += body;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct event_base *base;
	static struct http_server *server;
	struct http_server_stats stats;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger at_once = { .l_onoff = 1 }; /* no TIME_WAIT: thousands a second would use up the ports */
	size_t pieces = len ? data[0] % 4 + 1 : 1, at = 1;
	int fd;

	if (!base) {
		signal(SIGPIPE, SIG_IGN);
		base = event_base_new();
		assert(base && !http_server_new(base, "127.0.0.1", 0, routes, NULL, &server));
	}
	to.sin_port = htons(http_server_port(server));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert(fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to)));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (size_t i = 0; i < pieces && at < len; i++) {
		size_t n = i + 1 == pieces ? len - at : (len - at) / (pieces - i);

		if (send(fd, data + at, n, 0) < 0)
			break;
		at += n;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	got_len = 0;
	for (int i = 0; i < 3; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		take(fd);
	}
	check_answers();
	close(fd);
	for (int i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	http_server_get_stats(server, &stats);
	assert(stats.connections <= 8 && !stats.refused);
	return 0;
}
