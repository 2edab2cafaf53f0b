/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/net/http_server.c user/net/http_body.c user/net/http_head.c user/net/http_words.c */
/*
 * Any bytes on a connection: no crash, the server goes on, what handlers are given is what they were promised. The first
 * byte says in how many pieces the rest is sent.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct event_base *base;
	static struct http_server *server;
	struct http_server_stats stats;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger at_once = { .l_onoff = 1 }; /* no TIME_WAIT: thousands a second would use up the ports */
	size_t pieces = len ? data[0] % 4 + 1 : 1, at = 1;
	char answer[4096];
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
	for (int i = 0; i < 3; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		while (recv(fd, answer, sizeof(answer), 0) > 0)
			;
	}
	close(fd);
	for (int i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	http_server_get_stats(server, &stats);
	assert(stats.connections <= 8 && !stats.refused);
	return 0;
}
