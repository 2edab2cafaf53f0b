/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * node's HTTP parser as the oracle: the conversations of tests/unit/test_llhttp.c through the programs themselves. A long
 * run, from the repository's root: LLHTTP_MESSAGES=1000000 build/tests/bpf_tables heads_are_read_as_llhttp_reads_them
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/llhttp.h"
#include "talk.h"

#define SEGMENT_MAX 1400
#define REQUESTS_MAX 64

static uint32_t random_state;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

/* Cut at random, sometimes at every byte. */
static void stream(struct conn *c, bool service, const uint8_t *data, uint32_t len)
{
	uint32_t most = next_random() % 8 ? 1 + next_random() % SEGMENT_MAX : 1;

	while (len) {
		uint32_t n = 1 + next_random() % most;

		n = n < len ? n : len;
		(service ? in : out)(c, PSH | ACK, data, n);
		data += n;
		len -= n;
	}
}

void heads_are_read_as_llhttp_reads_them(void)
{
	static struct llhttp_conversation c;
	const char *messages = getenv("LLHTTP_MESSAGES"), *seed = getenv("LLHTTP_SEED"), *wrong = NULL;
	FILE *f = llhttp_open(messages ? strtoul(messages, NULL, 10) : 3000, seed ? strtoul(seed, NULL, 10) : 2);

	ensure(f);
	while (!wrong && llhttp_next(f, &c)) {
		struct imds_request found[REQUESTS_MAX];
		const struct imds_rec_request *recs;
		struct conn conn;
		size_t len = 0;

		rig_reset(rig);
		random_state = c.id * 2654435761u;
		conn = conn_open();
		stream(&conn, false, c.client, c.client_len);
		stream(&conn, true, c.service, c.service_len);
		(c.answers ? in : out)(&conn, FIN | ACK, NULL, 0);
		(c.answers ? out : in)(&conn, FIN | ACK, NULL, 0);
		len = rig_requests(rig, &recs);
		len = len < REQUESTS_MAX ? len : REQUESTS_MAX;
		for (size_t i = 0; i < len; i++)
			found[i] = recs[i].req;
		wrong = llhttp_judge(&c, found, len);
	}
	ensure(!llhttp_close(f));
	if (wrong)
		give_up(__LINE__, "conversation %u: %s\n>>%.*s\n<<%.*s", c.id, wrong, (int)c.client_len,
			(char *)c.client, (int)c.service_len, (char *)c.service);
}
