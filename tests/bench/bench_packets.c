/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nanoseconds a packet in the cgroup_skb programs, against an empty program in turns, by BPF_PROG_TEST_RUN; verified
 * instructions and the time to load. One JSON object a line: {"name","value","empty","unit"}; value includes empty.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "../bpf/rig.h"

#define ROUNDS 31
#define REPEAT 100000
#define HEADS 4000 /* packets of the kind that can be sent only once */

static int empty;
static struct rig *rig;

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Mean of the middle half: a median would tell steps of the clock, some 10 ns, where a packet is sent once. */
static double middle(double *v, size_t n)
{
	size_t begin = n / 4, end = n - n / 4;
	double sum = 0;

	qsort(v, n, sizeof(*v), by_value);
	for (size_t i = begin; i < end; i++)
		sum += v[i];
	return sum / (end - begin);
}

static void row(const char *name, double value, double without, const char *unit)
{
	printf("{\"name\":\"%s\",\"value\":%.1f,\"empty\":%.1f,\"unit\":\"%s\"}\n", name, value, without, unit);
}

static uint32_t run_empty(const uint8_t *packet, size_t len, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = packet, .data_size_in = len, .repeat = repeat);

	return bpf_prog_test_run_opts(empty, &o) ? 0 : o.duration;
}

static void repeated(const char *name, bool egress, const uint8_t *packet, size_t len, uint32_t cookie)
{
	double ours[ROUNDS], none[ROUNDS];
	uint32_t ns;

	for (int i = 0; i < ROUNDS; i++) {
		rig_run(rig, egress, packet, len, cookie, 1, REPEAT, &ns);
		ours[i] = ns;
		none[i] = run_empty(packet, len, REPEAT);
	}
	row(name, middle(ours, ROUNDS), middle(none, ROUNDS), "ns");
}

/* A request head of `size` bytes and its answer, each packet once: the cost of one run, clock reads included on both sides. */
static void heads(const char *name_out, const char *name_in, struct conn *c, size_t size)
{
	static double out[HEADS], in[HEADS], none_out[HEADS], none_in[HEADS];
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n"
				     "i-0123456789abcdef0";
	static const char pad[] = "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: "
				  "aws-sdk-nodejs/2.1026.0 linux/v16.13.0 promise\r\n"
				  "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nAccept: */*\r\nX-A: ";
	char head[1024];
	uint8_t p[RIG_PACKET];
	size_t len;
	uint32_t ns;

	memset(head, 'a', sizeof(head));
	memcpy(head, pad, sizeof(pad) - 1);
	memcpy(head + size - 4, "\r\n\r\n", 4);
	for (int i = 0; i < HEADS; i++) {
		len = rig_tcp(c, true, PSH | ACK, c->seq, c->ack, head, size, p);
		none_out[i] = run_empty(p, len, 1);
		rig_run(rig, true, p, len, c->cookie, 1, 1, &ns);
		out[i] = ns;
		c->seq += size;
		len = rig_tcp(c, false, PSH | ACK, c->ack, c->seq, answer, sizeof(answer) - 1, p);
		none_in[i] = run_empty(p, len, 1);
		rig_run(rig, false, p, len, c->cookie, 1, 1, &ns);
		in[i] = ns;
		c->ack += sizeof(answer) - 1;
		if (i % 256 == 255)
			rig_drain(rig);
	}
	row(name_out, middle(out, HEADS), middle(none_out, HEADS), "ns");
	row(name_in, middle(in, HEADS), middle(none_in, HEADS), "ns");
}

/* A connection's SYN and its RST: entries of two tables made and deleted, a record. */
static void connections(struct conn c)
{
	static double open[HEADS], close[HEADS];
	uint8_t p[RIG_PACKET];
	size_t len;
	uint32_t ns;

	for (int i = 0; i < HEADS; i++) {
		c.cookie = 1000000 + i;
		c.local_port = 1024 + i;
		len = rig_tcp(&c, true, SYN, 0, 0, NULL, 0, p);
		rig_run(rig, true, p, len, c.cookie, 1, 1, &ns);
		open[i] = ns;
		len = rig_tcp(&c, true, RST, 1, 0, NULL, 0, p);
		rig_run(rig, true, p, len, c.cookie, 1, 1, &ns);
		close[i] = ns;
		if (i % 256 == 255)
			rig_drain(rig);
	}
	row("connection_opens", middle(open, HEADS), 0, "ns");
	row("connection_closes", middle(close, HEADS), 0, "ns");
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void load_times(void)
{
	double ms[7];

	for (int i = 0; i < 7; i++) {
		double begin = now_ms();
		struct rig *r = rig_new(true, false);

		ms[i] = now_ms() - begin;
		rig_free(r);
	}
	row("load", middle(ms, 7), 0, "ms");
}

static void verified(const char *name, int fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		row(name, info.verified_insns, 0, "instructions");
}

/* Cost of a packet, and kernel memory of the tables, with n connections open. */
static void flows(struct conn *c)
{
	static const int steps[] = { 1000, 4000, 16000, 64000 };
	uint8_t p[RIG_PACKET];
	char name[64];
	uint32_t n = 0;
	size_t len;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (; n < (uint32_t)steps[i]; n++) {
			c->cookie = 1000 + n;
			c->local_port = n;
			len = rig_tcp(c, true, SYN, 0, 0, NULL, 0, p);
			rig_run(rig, true, p, len, c->cookie, 1, 1, NULL);
		}
		snprintf(name, sizeof(name), "flows_%u_ack", n);
		c->cookie = 1000 + n / 2;
		len = rig_tcp(c, true, ACK, 1, 1, NULL, 0, p);
		repeated(name, true, p, len, c->cookie);
		snprintf(name, sizeof(name), "flows_%u_memory", n);
		row(name, rig_memory(rig) / 1048576., 0, "MiB");
	}
}

int main(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct conn c = {
		.cookie = 7, .remote4 = 0xa9fea9fe, .local_port = 40000, .remote_port = 80, .ttl = 64, .seq = 1, .ack = 1
	};
	struct conn far = c, six = c, near = c;
	uint8_t p[RIG_PACKET];
	size_t len;

	empty = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "empty", "GPL", pass, 2, NULL);
	rig = rig_new(true, false);
	if (empty < 0 || !rig) {
		fprintf(stderr, "cannot load: %s (must run as root)\n", strerror(errno));
		return 1;
	}
	verified("verified_egress", rig_prog(rig, true));
	verified("verified_ingress", rig_prog(rig, false));
	load_times();

	far.remote4 = 0x0a000001;
	near.remote4 = 0xa9fea9fd;
	six.remote4 = 0;
	len = rig_tcp(&far, true, ACK, 1, 1, "payload", 7, p);
	repeated("other_address_egress", true, p, len, 1);
	len = rig_tcp(&far, false, ACK, 1, 1, "payload", 7, p);
	repeated("other_address_ingress", false, p, len, 1);
	len = rig_tcp(&near, true, ACK, 1, 1, "payload", 7, p);
	repeated("neighbour_address", true, p, len, 1);
	len = rig_tcp(&six, true, ACK, 1, 1, "payload", 7, p);
	p[RIG_ETH + 24] = 0x20;
	repeated("other_address_ipv6", true, p, len, 1);

	len = rig_tcp(&c, true, SYN, 0, 0, NULL, 0, p);
	rig_run(rig, true, p, len, c.cookie, 1, 1, NULL);
	repeated("metadata_syn_again", true, p, len, c.cookie);
	len = rig_tcp(&c, false, SYN | ACK, 0, 1, NULL, 0, p);
	rig_run(rig, false, p, len, c.cookie, 1, 1, NULL);
	len = rig_tcp(&c, true, ACK, 1, 1, NULL, 0, p);
	repeated("metadata_ack_egress", true, p, len, c.cookie);
	len = rig_tcp(&c, false, ACK, 1, 1, NULL, 0, p);
	repeated("metadata_ack_ingress", false, p, len, c.cookie);
	heads("head_200", "answer", &c, 200);
	heads("head_700", "answer_to_700", &c, 700);
	connections(c);
	rig_reset(rig);
	flows(&c);
	rig_free(rig);
	return 0;
}
