// SPDX-License-Identifier: GPL-2.0-only
/*
 * HTTP clients that hold their connection and never finish: slow_clients ADDR:PORT SECONDS KIND=N... with the kinds
 *	idle	connects, says nothing
 *	drip	a byte of an endless head each second
 *	gone	half a head, then the host is gone: no FIN, no RST (TCP_REPAIR; needs CAP_NET_ADMIN)
 *	unread	a whole request for /metrics through a small window, the answer is never read
 * Prints "ready" when all are there and, at the end, what became of those that can see it (idle and drip) as JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define STEP_MS 50

enum kind { IDLE, DRIP, GONE, UNREAD, KINDS };
static const char *const kinds[KINDS] = { "idle", "drip", "gone", "unread" };

struct client {
	enum kind kind;
	int fd; /* -1: cut, or gone */
	long cut_ms;
};

static const char half[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Endless: ";
static const char whole[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int open_client(struct client *c, const struct sockaddr_in *to)
{
	int one = 1, window = 2048;
	ssize_t n = 0;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0)
		return -errno;
	if (c->kind == UNREAD)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)))
		return -errno;
	if (c->kind == DRIP || c->kind == GONE)
		n = send(c->fd, half, sizeof(half) - 1, MSG_NOSIGNAL);
	else if (c->kind == UNREAD)
		n = send(c->fd, whole, sizeof(whole) - 1, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	if (c->kind != GONE)
		return 0;
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)))
		return -errno;
	close(c->fd);
	c->fd = -1;
	return 0;
}

/* A client that was cut off sees the end; one that does not read cannot. */
static void look(struct client *c, long since_start_ms, int drip)
{
	char buf[512];
	ssize_t n;

	if (c->fd < 0 || c->kind == UNREAD)
		return;
	n = c->kind == DRIP && drip ? send(c->fd, "y", 1, MSG_NOSIGNAL) : 1;
	if (n > 0)
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0 || (n < 0 && errno == EAGAIN))
		return;
	close(c->fd);
	c->fd = -1;
	c->cut_ms = since_start_ms;
}

static void print_result(const struct client *clients, int n)
{
	for (int kind = IDLE; kind <= DRIP; kind++) {
		long first = 0, last = 0;
		int cut = 0, all = 0;

		for (int i = 0; i < n; i++) {
			if (clients[i].kind != (enum kind)kind)
				continue;
			all++;
			if (!clients[i].cut_ms)
				continue;
			first = !cut++ || clients[i].cut_ms < first ? clients[i].cut_ms : first;
			last = clients[i].cut_ms > last ? clients[i].cut_ms : last;
		}
		printf("%s\"%s\":{\"clients\":%d,\"cut\":%d,\"first_ms\":%ld,\"last_ms\":%ld}", kind ? "," : "{",
		       kinds[kind], all, cut, first, last);
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	int port = 0, n = 0, err, steps = 0;
	long start, seconds;
	char host[32];

	if (argc < 4 || sscanf(argv[1], "%31[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &to.sin_addr) != 1) {
		fprintf(stderr, "usage: slow_clients ADDR:PORT SECONDS KIND=N...\n");
		return 2;
	}
	to.sin_port = htons(port);
	seconds = atol(argv[2]);
	for (int i = 3; i < argc; i++) {
		char *count = strchr(argv[i], '=');
		int kind = 0;

		while (kind < KINDS && count && strncmp(argv[i], kinds[kind], count - argv[i]))
			kind++;
		if (!count || kind == KINDS || n + atoi(count + 1) > CLIENTS_MAX)
			return 2;
		for (int k = atoi(count + 1); k > 0; k--)
			clients[n++].kind = kind;
	}
	for (int i = 0; i < n; i++) {
		err = open_client(&clients[i], &to);
		if (err) {
			fprintf(stderr, "slow_clients: %s %d: %s\n", kinds[clients[i].kind], i, strerror(-err));
			return 1;
		}
	}
	start = now_ms();
	puts("ready");
	fflush(stdout);
	while (now_ms() - start < seconds * 1000) {
		nanosleep(&step, NULL);
		steps++;
		for (int i = 0; i < n; i++)
			look(&clients[i], now_ms() - start, steps % (1000 / STEP_MS) == 0);
	}
	print_result(clients, n);
	return 0;
}
