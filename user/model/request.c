/* SPDX-License-Identifier: GPL-2.0-only */
#include "request.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "../base/address.h"
#include "verdict.h"

/* -1 when one end did not happen; 0 when the clocks of two CPUs disagree by a little. */
static int64_t between_us(uint64_t from_ns, uint64_t to_ns)
{
	if (!from_ns || !to_ns)
		return -1;
	return to_ns > from_ns ? (int64_t)((to_ns - from_ns) / 1000) : 0;
}

int64_t request_connect_us(const struct request *r)
{
	return between_us(r->rec.syn_ns, r->rec.synack_ns);
}

int64_t request_first_byte_us(const struct request *r)
{
	return between_us(r->rec.req.start_ns, r->rec.req.first_byte_ns);
}

int64_t request_duration_us(const struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	bool came = q->first_byte_ns && q->last_byte_ns && !verdict_is_refused_at_socket(&q->drop);
	uint64_t end_ns = came ? q->last_byte_ns : q->end_ns;

	return between_us(request_start_ns(r), end_ns ? end_ns : now_ns);
}

uint64_t request_start_ns(const struct request *r)
{
	if (r->rec.req.start_ns)
		return r->rec.req.start_ns;
	return r->rec.connect_call_ns ? r->rec.connect_call_ns : r->rec.syn_ns;
}

static uint64_t sending_us(const struct imds_request *q)
{
	bool sent_late = q->start_ns && q->sent_ns > q->start_ns && q->sent_ns <= q->first_byte_ns;

	return sent_late ? (q->sent_ns - q->start_ns) / 1000 : 0;
}

uint64_t request_begin_us(const struct request *r)
{
	const struct imds_request *q = &r->rec.req;
	uint64_t start_ns = request_start_ns(r);

	return q->first_byte_ns > start_ns ? (q->first_byte_ns - start_ns) / 1000 - sending_us(q) : 0;
}

bool request_is_slow(const struct request *r, uint64_t slow_us)
{
	const struct imds_request *q = &r->rec.req;
	int64_t took_us = q->first_byte_ns ? request_duration_us(r, r->rec.hdr.ts_ns) : -1;

	return took_us >= 0 && (uint64_t)took_us > slow_us + sending_us(q) && !verdict_is_long_poll(q);
}

bool request_connected_late(const struct request *r, uint64_t slow_us)
{
	bool first = (r->rec.req.flags & IMDS_F_FIRST) || r->rec.req.kind == IMDS_KIND_CONNECT_ONLY;

	return first && request_connect_us(r) > (int64_t)slow_us;
}

bool request_is_problem(const struct request *r, uint64_t slow_us)
{
	return r->outcome != OUTCOME_OK || r->fallback || r->running || request_is_slow(r, slow_us) ||
	       request_connected_late(r, slow_us);
}

const char *request_address(const struct imds_addr *addr, uint16_t port, char *buf, unsigned int len)
{
	char text[INET6_ADDRSTRLEN];

	if (address_is_v4(addr))
		snprintf(buf, len, "%u.%u.%u.%u:%u", addr->b[12], addr->b[13], addr->b[14], addr->b[15], port);
	else
		snprintf(buf, len, "[%s]:%u", inet_ntop(AF_INET6, addr->b, text, sizeof(text)), port);
	return buf;
}

bool request_is_host(const struct imds_rec_request *rec)
{
	return (rec->req.flags & IMDS_F_NETNS_KNOWN) && (rec->req.flags & IMDS_F_HOST_NETNS);
}

bool request_is_of_service(const struct request *r)
{
	return !r->answered_by && !(r->rec.req.flags & IMDS_F_REDIRECTED);
}

bool request_is_answered(const struct request *r)
{
	return r->rec.req.end == IMDS_END_ANSWERED && (r->outcome == OUTCOME_OK || r->outcome == OUTCOME_HTTP_ERROR);
}

#define RECENT_NS (60ull * 1000000000)

bool request_is_recent(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns && (now_ns <= then_ns || now_ns - then_ns < RECENT_NS);
}
