/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: tests/unit/llhttp.c user/capture/ user/kernel/http_table.c user/kernel/nfa.c */
/*
 * node's HTTP parser as the oracle of the HTTP table, played through the flow machine for captures. A long run, from the
 * repository's root: LLHTTP_MESSAGES=1000000 LLHTTP_SEED=7 build/tests/test_llhttp
 */
#include "../../user/capture/capture_flows.h"
#include "../../user/capture/packet_parse.h"
#include "../../user/kernel/http_table.h"
#include "unit.h"
#include "llhttp.h"

#define SEGMENT_MAX 1400
#define SHOWN 20

static struct imds_http_table http;
static struct llhttp_conversation conversation;

struct play {
	struct capture_flows *flows;
	uint64_t now_ns;
	uint32_t seq[2]; /* of the client, of the service */
	uint32_t random;
	struct imds_request requests[64];
	size_t len;
};

static void on_request(void *arg, const struct imds_rec_request *rec, const struct capture_evidence *evidence)
{
	struct play *p = arg;

	if (p->len < 64)
		p->requests[p->len++] = rec->req;
}

static uint32_t next_random(struct play *p)
{
	p->random = p->random * 1664525u + 1013904223u;
	return p->random >> 8;
}

static void put32(uint8_t *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		b[i] = v >> (24 - 8 * i);
}

static void segment(struct play *p, bool service, uint8_t flags, const uint8_t *data, uint32_t len)
{
	static const uint8_t addresses[2][4] = { { 10, 0, 0, 2 }, { 169, 254, 169, 254 } };
	uint8_t b[40 + SEGMENT_MAX] = { 0x45 };
	struct packet packet = { .data = b, .captured = 40 + len, .length = 40 + len, .link = LINK_RAW };

	b[2] = (40 + len) >> 8;
	b[3] = 40 + len;
	b[8] = 64;
	b[9] = 6;
	memcpy(b + 12, addresses[service], 4);
	memcpy(b + 16, addresses[!service], 4);
	memcpy(b + (service ? 22 : 20), (uint8_t[]){ 40000 >> 8, 40000 & 255 }, 2);
	memcpy(b + (service ? 20 : 22), (uint8_t[]){ 0, 80 }, 2);
	put32(b + 24, p->seq[service]);
	put32(b + 28, p->seq[!service]);
	b[32] = 5 << 4;
	b[33] = flags;
	if (len)
		memcpy(b + 40, data, len);
	packet.ts_ns = p->now_ns += 1000;
	capture_flows_packet(p->flows, &packet);
	p->seq[service] += len + !!(flags & (SEGMENT_SYN | SEGMENT_FIN));
}

/* Cut at random, sometimes at every byte. */
static void stream(struct play *p, bool service, const uint8_t *data, uint32_t len)
{
	uint32_t most = next_random(p) % 8 ? 1 + next_random(p) % SEGMENT_MAX : 1;

	while (len) {
		uint32_t n = 1 + next_random(p) % most;

		n = n < len ? n : len;
		segment(p, service, SEGMENT_ACK, data, n);
		data += n;
		len -= n;
	}
}

static void play(struct play *p, const struct llhttp_conversation *c)
{
	static const struct imds_endpoint endpoint = { .addr.b = { [10] = 0xff, 0xff, 169, 254, 169, 254 }, .port = 80 };
	const struct capture_flows_options o = { &endpoint, 1, &http, 250000000, on_request, p };

	*p = (struct play){ .flows = capture_flows_new(&o), .now_ns = 1000000000ull, .random = c->id * 2654435761u };
	segment(p, false, SEGMENT_SYN, NULL, 0);
	segment(p, true, SEGMENT_SYN | SEGMENT_ACK, NULL, 0);
	stream(p, false, c->client, c->client_len);
	stream(p, true, c->service, c->service_len);
	segment(p, c->answers, SEGMENT_ACK | SEGMENT_FIN, NULL, 0);
	capture_flows_end(p->flows);
	capture_flows_free(p->flows);
}

static unsigned long setting(const char *name, unsigned long usual)
{
	const char *v = getenv(name);

	return v ? strtoul(v, NULL, 10) : usual;
}

static void heads_are_read_as_llhttp_reads_them(void **state)
{
	unsigned long seed = setting("LLHTTP_SEED", 1), failed = 0;
	FILE *f = llhttp_open(setting("LLHTTP_MESSAGES", 30000), seed);
	static struct play p;

	if (!f)
		skip();
	assert_int_equal(http_table_compile(&http), 0);
	while (llhttp_next(f, &conversation)) {
		const char *wrong;

		play(&p, &conversation);
		wrong = llhttp_judge(&conversation, p.requests, p.len);
		if (wrong && failed++ < SHOWN)
			printf("seed %lu, conversation %u, %s\n>>%.*s\n<<%.*s\n", seed, conversation.id, wrong,
			       (int)conversation.client_len, (char *)conversation.client, (int)conversation.service_len,
			       (char *)conversation.service);
	}
	assert_int_equal(llhttp_close(f), 0);
	llhttp_print_counts(stdout);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(heads_are_read_as_llhttp_reads_them) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
