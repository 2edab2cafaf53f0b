/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic for the bench, and what it came to, one number on standard output.
 *
 *	bench_net sink PORT			takes UDP; TCP: echoes a connection that begins with E, drops the rest
 *	bench_net udp ADDR PORT SECONDS		64-byte packets a second
 *	bench_net tcp ADDR PORT SECONDS		megabytes a second
 *	bench_net rr ADDR PORT SECONDS		one-byte exchanges a second
 *	bench_net pods ADDR PORT <LIST		one HTTP request from each cgroup folder listed; how many were answered
 *	bench_net floor [CGROUP]		attaches an empty program to kfree_skb, and to both cgroup_skb hooks; waits
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/tcp.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#define DATAGRAM 64
#define CONNECTIONS 64

static struct sockaddr_in target;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int die(const char *what)
{
	fprintf(stderr, "bench_net: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(int type, bool listening)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listening) {
		if (bind(fd, (void *)&target, sizeof(target)) || (type == SOCK_STREAM && listen(fd, 64)))
			die("bind");
	} else {
		if (connect(fd, (void *)&target, sizeof(target)))
			die("connect");
		if (type == SOCK_STREAM)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	return fd;
}

static int do_sink(void)
{
	struct pollfd p[2 + CONNECTIONS];
	static char buf[1 << 16];
	bool echo[2 + CONNECTIONS];
	nfds_t n = 2;

	p[0] = (struct pollfd){ .fd = open_socket(SOCK_DGRAM, true), .events = POLLIN };
	p[1] = (struct pollfd){ .fd = open_socket(SOCK_STREAM, true), .events = POLLIN };
	printf("ready\n");
	fflush(stdout);
	while (poll(p, n, -1) >= 0) {
		while (p[0].revents && recv(p[0].fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
			;
		if (p[1].revents && n < 2 + CONNECTIONS) {
			int fd = accept(p[1].fd, NULL, NULL), one = 1;

			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			if (fd >= 0 && recv(fd, buf, 1, 0) == 1) {
				echo[n] = *buf == 'E';
				p[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
			}
		}
		for (nfds_t i = 2; i < n; i++) {
			ssize_t len = p[i].revents ? recv(p[i].fd, buf, sizeof(buf), MSG_DONTWAIT) : -1;

			if (len > 0 && echo[i])
				send(p[i].fd, buf, len, MSG_NOSIGNAL);
			if (!p[i].revents || len > 0)
				continue;
			close(p[i].fd);
			p[i] = p[--n];
			echo[i--] = echo[n];
		}
	}
	return 1;
}

static int do_udp(double seconds)
{
	int fd = open_socket(SOCK_DGRAM, false);
	char buf[DATAGRAM] = { 0 };
	double begin = now();
	unsigned long sent = 0;

	while (sent % 256 || now() - begin < seconds)
		sent += send(fd, buf, sizeof(buf), 0) > 0 || errno == ECONNREFUSED;
	printf("%.0f\n", sent / (now() - begin));
	return 0;
}

static int do_tcp(double seconds)
{
	int fd = open_socket(SOCK_STREAM, false);
	static char buf[1 << 16];
	double begin = now(), bytes = 0;

	while (now() - begin < seconds) {
		ssize_t n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);

		if (n < 0)
			return die("send");
		bytes += n;
	}
	printf("%.1f\n", bytes / 1e6 / (now() - begin));
	return 0;
}

static int do_rr(double seconds)
{
	int fd = open_socket(SOCK_STREAM, false);
	double begin = now();
	unsigned long n = 0;
	char c = 'E';

	send(fd, &c, 1, MSG_NOSIGNAL);
	for (; n % 64 || now() - begin < seconds; n++)
		if (send(fd, &c, 1, MSG_NOSIGNAL) != 1 || recv(fd, &c, 1, 0) != 1)
			return die("exchange");
	printf("%.0f\n", n / (now() - begin));
	return 0;
}

static bool ask(void)
{
	static const char head[] = "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	int fd = open_socket(SOCK_STREAM, false);
	char buf[4096];
	bool answered;

	answered = send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0 && recv(fd, buf, sizeof(buf), 0) > 0;
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	close(fd);
	return answered;
}

static int do_pods(void)
{
	unsigned long answered = 0;
	char line[1024];

	while (fgets(line, sizeof(line) - 20, stdin)) {
		int fd;

		strcpy(line + strcspn(line, "\n"), "/cgroup.procs");
		fd = open(line, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			die(line);
		close(fd);
		answered += ask();
	}
	printf("%lu\n", answered);
	return 0;
}

static int do_floor(const char *cgroup)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "floor_kfree", "GPL", pass, 2, NULL), cg;

	if (prog < 0 || bpf_raw_tracepoint_open("kfree_skb", prog) < 0)
		die("kfree_skb");
	for (int i = 0; cgroup && i < 2; i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, o,
			    .expected_attach_type = i ? BPF_CGROUP_INET_INGRESS : BPF_CGROUP_INET_EGRESS);

		cg = open(cgroup, O_RDONLY | O_DIRECTORY);
		prog = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "floor_skb", "GPL", pass, 2, &o);
		if (cg < 0 || prog < 0 || bpf_link_create(prog, cg, o.expected_attach_type, NULL) < 0)
			die("cgroup_skb");
	}
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	double seconds = argc > 4 ? atof(argv[4]) : 1;

	target = (struct sockaddr_in){ .sin_family = AF_INET };
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "floor"))
		return do_floor(argc > 2 ? argv[2] : NULL);
	if (!strcmp(what, "sink") && argc == 3) {
		target.sin_port = htons(atoi(argv[2]));
		return do_sink();
	}
	if (argc < 4 || inet_pton(AF_INET, argv[2], &target.sin_addr) != 1) {
		fprintf(stderr, "usage: bench_net sink PORT | udp|tcp|rr|pods ADDR PORT [SECONDS] | floor [CGROUP]\n");
		return 2;
	}
	target.sin_port = htons(atoi(argv[3]));
	if (!strcmp(what, "udp"))
		return do_udp(seconds);
	if (!strcmp(what, "tcp"))
		return do_tcp(seconds);
	if (!strcmp(what, "rr"))
		return do_rr(seconds);
	if (!strcmp(what, "pods"))
		return do_pods();
	return 2;
}
