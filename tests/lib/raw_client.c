// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays a script of steps on one TCP connection, to bring a request onto the wire in any shape: split anywhere,
 * pipelined, half-closed, aborted. What arrives goes to standard output.
 *
 *	raw_client ADDR PORT 'send:PUT /latest/api/token HTTP/1.1\r\n' sleep:20 'send:...\r\n\r\n' expect:==  close
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 3000 /* for expect and recv without a number */

struct client {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	int local_port;	  /* of the next connect; 0: any */
	int protocol;	  /* likewise; 0: TCP */
	int fd;		  /* -1: not connected */
	char seen[65536]; /* received since `connect` or the last `expect`, for `expect` */
	size_t seen_len;
};

static int fail(const char *what)
{
	fprintf(stderr, "raw_client: %s: %s\n", what, strerror(errno));
	return -errno;
}

/* \r, \n, \t, \\ and \xHH; in place. Returns the length: a NUL may be part of it. */
static size_t unescape(char *s)
{
	char *out = s, *in = s, digits[3] = "";

	while (*in) {
		if (*in != '\\' || !in[1]) {
			*out++ = *in++;
			continue;
		}
		if (in[1] == 'x' && in[2] && in[3]) {
			memcpy(digits, in + 2, 2);
			*out++ = (char)strtol(digits, NULL, 16);
			in += 4;
			continue;
		}
		*out++ = in[1] == 'r' ? '\r' : in[1] == 'n' ? '\n' : in[1] == 't' ? '\t' : in[1];
		in += 2;
	}
	return out - s;
}

static int step_connect(struct client *c, char *arg)
{
	struct sockaddr_storage local = { .ss_family = c->addr.ss_family };
	int one = 1;

	(void)arg;
	c->seen_len = 0;
	c->fd = socket(c->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, c->protocol);
	if (c->fd < 0)
		return fail("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* each send is a segment */
	if (c->local_port) {
		setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		((struct sockaddr_in *)&local)->sin_port = htons(c->local_port); /* same place in sockaddr_in6 */
		if (bind(c->fd, (struct sockaddr *)&local, c->addr_len))
			return fail("bind");
	}
	return connect(c->fd, (struct sockaddr *)&c->addr, c->addr_len) ? fail("connect") : 0;
}

static int step_port(struct client *c, char *arg)
{
	c->local_port = atoi(arg);
	return 0;
}

static int step_mptcp(struct client *c, char *arg)
{
	(void)arg;
	c->protocol = 262; /* IPPROTO_MPTCP, newer than some libcs */
	return 0;
}

static int step_send(struct client *c, char *arg)
{
	size_t len = unescape(arg);

	return send(c->fd, arg, len, 0) == (ssize_t)len ? 0 : fail("send");
}

static int step_drip(struct client *c, char *arg)
{
	size_t len = unescape(arg);

	for (size_t i = 0; i < len; i++) {
		if (send(c->fd, arg + i, 1, 0) != 1)
			return fail("send");
		usleep(500); /* long enough to leave alone in its segment */
	}
	return 0;
}

static int step_sleep(struct client *c, char *arg)
{
	(void)c;
	usleep(atoi(arg) * 1000);
	return 0;
}

/* One read, or -ETIMEDOUT; 0 at the end of the stream. */
static ssize_t receive(struct client *c, int wait_ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	ssize_t n;

	if (c->seen_len == sizeof(c->seen))
		c->seen_len = 0;
	if (poll(&p, 1, wait_ms) != 1)
		return -ETIMEDOUT;
	n = recv(c->fd, c->seen + c->seen_len, sizeof(c->seen) - c->seen_len, 0);
	if (n < 0)
		return fail("recv");
	fwrite(c->seen + c->seen_len, 1, n, stdout);
	fflush(stdout);
	c->seen_len += n;
	return n;
}

static int step_recv(struct client *c, char *arg) /* what comes first, or nothing within arg ms */
{
	receive(c, *arg ? atoi(arg) : WAIT_MS);
	return 0;
}

static int step_expect(struct client *c, char *arg) /* until arg has arrived; an empty arg: until the stream ends */
{
	size_t len = unescape(arg);
	char *hit;
	ssize_t n;

	for (;;) {
		hit = len ? memmem(c->seen, c->seen_len, arg, len) : NULL;
		if (hit) {
			hit += len;
			c->seen_len -= hit - c->seen;
			memmove(c->seen, hit, c->seen_len);
			return 0;
		}
		n = receive(c, WAIT_MS);
		if (n > 0)
			continue;
		errno = n ? (int)-n : EPIPE;
		return n || len ? fail("expect") : 0;
	}
}

static int step_shutdown(struct client *c, char *arg)
{
	(void)arg;
	return shutdown(c->fd, SHUT_WR) ? fail("shutdown") : 0;
}

static int step_close(struct client *c, char *arg)
{
	(void)arg;
	close(c->fd);
	c->fd = -1;
	return 0;
}

static int step_rst(struct client *c, char *arg)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return step_close(c, arg);
}

/* The host is gone: no FIN, no RST. */
static int step_gone(struct client *c, char *arg)
{
	int one = 1;

	if (setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)))
		return fail("TCP_REPAIR");
	return step_close(c, arg);
}

static const struct step {
	const char *name;
	int (*run)(struct client *c, char *arg);
	bool needs_connection;
} steps[] = {
	{ "connect", step_connect, false }, { "port", step_port, false },    { "sleep", step_sleep, false },
	{ "send", step_send, true },	    { "drip", step_drip, true },     { "recv", step_recv, true },
	{ "mptcp", step_mptcp, false },	    { "expect", step_expect, true }, { "shutdown", step_shutdown, true },
	{ "gone", step_gone, true },	    { "rst", step_rst, true },	     { "close", step_close, true },
};

static int step_run(struct client *c, char *text)
{
	char *arg = strchr(text, ':');

	if (arg)
		*arg++ = '\0';
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(steps[i].name, text))
			continue;
		if (steps[i].needs_connection && c->fd < 0 && step_connect(c, NULL))
			return -1;
		return steps[i].run(c, arg ? arg : text + strlen(text));
	}
	fprintf(stderr, "raw_client: unknown step '%s'\n", text);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	static struct client c = { .fd = -1 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&c.addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&c.addr;

	if (argc < 4) {
		fprintf(stderr, "usage: raw_client ADDR PORT connect|port:N|send:TEXT|drip:TEXT|recv[:MS]|expect:TEXT|"
				"sleep:MS|shutdown|rst|close ...\n");
		return 2;
	}
	if (inet_pton(AF_INET, argv[1], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(argv[2]));
		c.addr_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, argv[1], &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(argv[2]));
		c.addr_len = sizeof(*v6);
	} else {
		fprintf(stderr, "raw_client: '%s' is no address\n", argv[1]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 3; i < argc; i++)
		if (step_run(&c, argv[i]))
			return 1;
	return 0;
}
