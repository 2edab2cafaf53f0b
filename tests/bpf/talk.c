/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "talk.h"

struct rig *rig;
jmp_buf failed_at;
const char *row = "";

void give_up(int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("    line %d%s%s: ", line, *row ? ", " : "", row);
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
	longjmp(failed_at, 1);
}

void run(bool egress, const uint8_t *packet, size_t len, const struct conn *c)
{
	int ret = rig_run(rig, egress, packet, len, c->cookie, c->cgroup, 1, NULL);

	if (ret == -EINVAL && len < RIG_ETH + 40)
		return; /* newer kernels refuse to test less than an IP header */
	equal(ret, 1);
}

void tcp(const struct conn *c, bool egress, uint8_t flags, uint32_t seq, uint32_t ack, const void *data, size_t len)
{
	uint8_t packet[RIG_PACKET];

	ensure(len < RIG_PACKET - 100);
	run(egress, packet, rig_tcp(c, egress, flags, seq, ack, data, len, packet), c);
}

void out(struct conn *c, uint8_t flags, const void *data, size_t len)
{
	tcp(c, true, flags, c->seq, c->ack, data, len);
	c->seq += len + !!(flags & (SYN | FIN));
}

void in(struct conn *c, uint8_t flags, const void *data, size_t len)
{
	tcp(c, false, flags, c->ack, c->seq, data, len);
	c->ack += len + !!(flags & (SYN | FIN));
}

void send_text(struct conn *c, const char *text)
{
	out(c, PSH | ACK, text, strlen(text));
}
void answer(struct conn *c, const char *text)
{
	in(c, PSH | ACK, text, strlen(text));
}

struct conn conn_new(void)
{
	static uint32_t cookie = 1000;

	cookie++;
	return (struct conn){ .cookie = cookie,
			      .cgroup = 77,
			      .remote4 = IMDS4,
			      .local_port = 40000 + cookie % 20000,
			      .remote_port = 80,
			      .ttl = ROUTER_TTL,
			      .seq = 0xfffffff0u,
			      .ack = 0xffffff00u };
}

void handshake(struct conn *c)
{
	out(c, SYN, NULL, 0);
	in(c, SYN | ACK, NULL, 0);
	out(c, ACK, NULL, 0);
}

struct conn conn_open(void)
{
	struct conn c = conn_new();

	handshake(&c);
	return c;
}

const struct imds_rec_request *request(size_t i)
{
	const struct imds_rec_request *recs;
	size_t n = rig_requests(rig, &recs);

	if (i >= n)
		give_up(__LINE__, "only %zu request records, wanted number %zu", n, i + 1);
	return &recs[i];
}

size_t requests(void)
{
	const struct imds_rec_request *recs;

	return rig_requests(rig, &recs);
}

uint64_t all_losses(void)
{
	uint64_t n = 0;

	for (int i = 0; i < IMDS_LOSS_COUNT; i++)
		n += rig_loss(rig, i);
	return n;
}

void nothing_left(void)
{
	equal(rig_map_walk(rig, "imds_flows", NULL, NULL), 0);
	equal(rig_map_walk(rig, "imds_tuples", NULL, NULL), 0);
	equal(rig_waiting(rig), 0);
}
