// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks exactly rate x seconds times, evenly spread, and says how it went, as one JSON object.
 * Workers take tickets; ticket i is due at start + i / rate, so a slow answer delays but never loses a request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"

#define ANSWER_MAX 16384 /* bytes of head and body together */
#define WORKERS_MAX 1024
#define REQUESTS_MAX 50000000L

struct load {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	long total;
	double rate;
	int timeout_ms;
	bool keepalive;
	char request[1024];
	int64_t start_ns;
	atomic_long next; /* ticket */
	atomic_long ok, failed, http_errors;
	atomic_uint bodies;   /* sum of the hashes of all bodies received */
	uint32_t *latency_us; /* one per ticket, 0 for a failed one */
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int load_connect(const struct load *load)
{
	struct timeval timeout = { load->timeout_ms / 1000, load->timeout_ms % 1000 * 1000 };
	int fd = socket(load->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* holds for connect(2), too */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!connect(fd, (const struct sockaddr *)&load->addr, load->addr_len))
		return fd;
	close(fd);
	return -ECONNREFUSED;
}

/* Reads one answer; its status or a negative errno. ret_more: the connection may carry another request. ret_hash: its body's. */
static int read_answer(int fd, bool *ret_more, uint32_t *ret_hash)
{
	char buf[ANSWER_MAX + 1], *head_end = NULL, *field;
	size_t len = 0, want = SIZE_MAX;
	int status = 0;
	ssize_t n;

	*ret_more = false;
	while (len < want) {
		n = len < ANSWER_MAX ? recv(fd, buf + len, ANSWER_MAX - len, 0) : -1;
		if (n < 0 || (!n && !head_end))
			return -EIO;
		if (!n)
			break; /* ended by close */
		len += n;
		buf[len] = '\0';
		if (head_end || !(head_end = strstr(buf, "\r\n\r\n")))
			continue;
		if (sscanf(buf, "HTTP/1.%*d %d", &status) != 1)
			return -EPROTO;
		field = strcasestr(buf, "\r\nContent-Length:");
		if (field && field < head_end) {
			want = head_end + 4 - buf + strtoul(field + 17, NULL, 10);
			field = strcasestr(buf, "\r\nConnection: close");
			*ret_more = !field || field > head_end;
		}
	}
	/* cppcheck-suppress nullPointerArithmetic ; without a head, the loop only returns */
	*ret_hash = hash_bytes(HASH_START, head_end + 4, buf + len - head_end - 4);
	return status;
}

/* fd: an open connection or -1, updated. */
static int ask(struct load *load, int *fd)
{
	size_t len = strlen(load->request);
	uint32_t body = 0;
	bool more = false;
	int status;

	if (*fd < 0)
		*fd = load_connect(load);
	if (*fd < 0)
		return *fd;
	status = send(*fd, load->request, len, MSG_NOSIGNAL) == (ssize_t)len ? read_answer(*fd, &more, &body) : -EIO;
	atomic_fetch_add(&load->bodies, body);
	if (status < 0 || !more || !load->keepalive) {
		close(*fd);
		*fd = -1;
	}
	return status;
}

static void *worker(void *arg)
{
	struct load *load = arg;
	int fd = -1, status;
	int64_t begin;
	long i;

	while ((i = atomic_fetch_add(&load->next, 1)) < load->total) {
		sleep_until(load->start_ns + (int64_t)(i * 1e9 / load->rate));
		begin = now_ns();
		status = ask(load, &fd);
		atomic_fetch_add(status > 0 ? &load->ok : &load->failed, 1);
		if (status >= 400)
			atomic_fetch_add(&load->http_errors, 1);
		if (status > 0)
			load->latency_us[i] = (now_ns() - begin) / 1000 + 1;
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_result(struct load *load)
{
	uint32_t *ok = load->latency_us + atomic_load(&load->failed); /* zeroes sort first */
	long n = atomic_load(&load->ok);

	qsort(load->latency_us, load->total, sizeof(load->latency_us[0]), by_value);
	printf("{\"sent\":%ld,\"ok\":%ld,\"failed\":%ld,\"http_errors\":%ld,\"seconds\":%.3f,", load->total, n,
	       atomic_load(&load->failed), atomic_load(&load->http_errors), (now_ns() - load->start_ns) / 1e9);
	printf("\"requests_hash\":%u,\"bodies_hash\":%u,",
	       (uint32_t)load->total * hash_bytes(HASH_START, load->request, strlen(load->request)),
	       atomic_load(&load->bodies));
	printf("\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u}\n", n ? ok[n / 2] : 0, n ? ok[n * 99 / 100] : 0,
	       n ? ok[n - 1] : 0);
}

/* "1.2.3.4:80" or "[fd00::1]:80". */
static int parse_target(const char *text, struct load *load)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&load->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&load->addr;
	char host[64];
	int port;

	if (sscanf(text, "[%63[^]]]:%d", host, &port) == 2 && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		load->addr_len = sizeof(*v6);
		return 0;
	}
	if (sscanf(text, "%63[^:]:%d", host, &port) == 2 && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		load->addr_len = sizeof(*v4);
		return 0;
	}
	return -EINVAL;
}

static const struct option options[] = { { "target", required_argument, NULL, 't' },
					 { "rate", required_argument, NULL, 'r' },
					 { "seconds", required_argument, NULL, 's' },
					 { "concurrency", required_argument, NULL, 'c' },
					 { "path", required_argument, NULL, 'p' },
					 { "timeout-ms", required_argument, NULL, 'm' },
					 { "keepalive", no_argument, NULL, 'k' },
					 { "token", no_argument, NULL, 'T' },
					 { 0 } };

int main(int argc, char **argv)
{
	static struct load load = { .rate = 100, .timeout_ms = 2000 };
	static pthread_t threads[WORKERS_MAX];
	const char *path = "/latest/meta-data/instance-id";
	int c, workers = 8, started = 0;
	double seconds = 1;
	bool token = false;
	pthread_attr_t attr;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (parse_target(optarg, &load))
				load.addr_len = 0;
			break;
		case 'r':
			load.rate = atof(optarg);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'c':
			workers = atoi(optarg);
			break;
		case 'p':
			path = optarg;
			break;
		case 'm':
			load.timeout_ms = atoi(optarg);
			break;
		case 'k':
			load.keepalive = true;
			break;
		case 'T':
			token = true;
			break;
		default:
			return 2;
		}
	}
	load.total = (long)(load.rate * seconds + 0.5);
	if (!load.addr_len || load.total < 1 || load.total > REQUESTS_MAX || workers < 1 || workers > WORKERS_MAX) {
		fprintf(stderr,
			"usage: load_client --target ADDR:PORT [--rate N] [--seconds S] [--concurrency C<=%d]"
			" [--keepalive] [--token] [--path P] [--timeout-ms N]\n",
			WORKERS_MAX);
		return 2;
	}
	snprintf(load.request, sizeof(load.request), "%s %s HTTP/1.1\r\nHost: imds\r\n%s%s\r\n", token ? "PUT" : "GET",
		 token ? "/latest/api/token" : path, token ? "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n" : "",
		 load.keepalive ? "" : "Connection: close\r\n");
	/* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): at least 1, see above */
	load.latency_us = calloc(load.total, sizeof(load.latency_us[0]));
	if (!load.latency_us)
		return 1;
	load.start_ns = now_ns();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	while (started < workers && !pthread_create(&threads[started], &attr, worker, &load))
		started++;
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (!started)
		return 1;
	print_result(&load);
	return 0;
}
