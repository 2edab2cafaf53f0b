// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes over a TCP connection, hashed at both ends: each end sends a stream of its own and reads the other's at the same
 * time. payload listen|connect ADDR:PORT MEGABYTES; prints {"sent":"...","received":"...","bytes":...}. Half of the
 * stream looks like heads of HTTP, tokens and all, cut anywhere; the other half is noise. IPv4 only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FNV_START 0xcbf29ce484222325ull
#define PATIENCE_MS 20000

static const char head[] =
    "PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
    "Content-Length: 70\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n";

static void hash(uint64_t *h, const unsigned char *p, size_t len)
{
	while (len--)
		*h = (*h ^ *p++) * 0x100000001b3ull;
}

static size_t fill(unsigned char *buf, size_t size, uint64_t *seed)
{
	size_t len = 0, part;

	while (len < size) {
		*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
		part = (*seed >> 40) % sizeof(head);
		if (part > size - len)
			part = size - len;
		for (size_t i = 0; i < part; i++)
			buf[len + i] = (*seed >> 33) & 1 ? (uint64_t)head[i] : (*seed >> (i % 56)) ^ i;
		len += part;
	}
	return len;
}

static int open_socket(const char *how, const char *where)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd, peer, port, one = 1;
	char host[32];

	if (sscanf(where, "%31[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return -EINVAL;
	a.sin_port = htons(port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return -errno;
	if (!strcmp(how, "connect"))
		return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		return -errno;
	peer = accept(fd, NULL, NULL);
	return peer < 0 ? -errno : peer;
}

/* Sends total bytes, reads until the other end has sent all of its own. */
static int exchange(int fd, uint64_t total, uint64_t seed)
{
	static unsigned char out[65536], in[65536];
	uint64_t sent = FNV_START, received = FNV_START, bytes = 0, made = 0;
	size_t out_len = 0, out_at = 0;
	struct pollfd p = { .fd = fd };
	int open_in = 1, open_out = 1;

	while (open_in || open_out) {
		ssize_t n;

		p.events = (open_in ? POLLIN : 0) | (open_out ? POLLOUT : 0);
		if (poll(&p, 1, PATIENCE_MS) <= 0)
			return -ETIMEDOUT;
		if (open_out && (p.revents & POLLOUT)) {
			if (out_at == out_len && made < total) {
				out_len = fill(out, total - made < sizeof(out) ? total - made : sizeof(out), &seed);
				out_at = 0;
				made += out_len;
				hash(&sent, out, out_len);
			}
			n = send(fd, out + out_at, out_len - out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0 && errno != EAGAIN)
				return -errno;
			out_at += n > 0 ? n : 0;
			if (out_at == out_len && made == total) {
				shutdown(fd, SHUT_WR);
				open_out = 0;
			}
		}
		if (open_in && (p.revents & (POLLIN | POLLHUP | POLLERR))) {
			n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
			if (n < 0 && errno != EAGAIN)
				return -errno;
			if (n > 0) {
				hash(&received, in, n);
				bytes += n;
			} else if (!n) {
				open_in = 0;
			}
		}
	}
	printf("{\"sent\":\"%016llx\",\"received\":\"%016llx\",\"bytes\":%llu}\n", (unsigned long long)sent,
	       (unsigned long long)received, (unsigned long long)bytes);
	return 0;
}

int main(int argc, char **argv)
{
	int fd, err;

	if (argc != 4 || (strcmp(argv[1], "listen") && strcmp(argv[1], "connect"))) {
		fprintf(stderr, "usage: payload listen|connect ADDR:PORT MEGABYTES\n");
		return 2;
	}
	fd = open_socket(argv[1], argv[2]);
	err = fd < 0 ? fd : exchange(fd, strtoull(argv[3], NULL, 10) << 20, getpid());
	if (err)
		fprintf(stderr, "payload: %s\n", strerror(-err));
	return err ? 1 : 0;
}
