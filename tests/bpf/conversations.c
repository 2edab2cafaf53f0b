/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole connections as tables: what is sent, and the records that must come of it. */
#include <string.h>

#include "talk.h"

enum op {
	END,
	OPEN,
	OPEN_AGAIN,
	OUT,
	OUT_AGAIN,
	IN,
	IN_AGAIN,
	IN_AHEAD,
	FIN_OUT,
	FIN_IN,
	RST_OUT,
	RST_IN,
	OUT_BYTES,
	IN_BYTES
};

struct step {
	enum op op;
	const char *data;
};

struct want {
	uint8_t method, kind, version, end;
	uint16_t status;
	uint32_t bytes_out, bytes_in; /* 0: not looked at */
	uint32_t flags;		      /* must be set */
	uint16_t retransmits;
	const char *path; /* NULL: not looked at */
	uint32_t not ;	  /* flags that must not be set */
};

#define W(method, kind, version, end, status, ...)                                                                    \
	{                                                                                                             \
		IMDS_METHOD_##method, IMDS_KIND_##kind, IMDS_VERSION_##version, IMDS_END_##end, status, ##__VA_ARGS__ \
	}
#define TOKEN_OK W(PUT, TOKEN, V2, ANSWERED, 200)
#define V1_OK W(GET, DATA, V1, ANSWERED, 200)
#define ASK_AGAIN        \
	{ OUT, GET_V1 }, \
	{                \
		IN, OK4  \
	}

#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_POST "POST /latest/dynamic HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
#define POST_OK W(POST, DATA, NONE, ANSWERED, 200)

static const struct conversation {
	const char *name;
	struct step steps[16];
	struct want want[5]; /* ends with method and kind 0 */
	bool open;	     /* the connection is still followed at the end */
} conversations[] = {
	{ "token",
	  { { OPEN }, { OUT, PUT }, { IN, OK4 }, { FIN_OUT }, { FIN_IN } },
	  { W(PUT, TOKEN, V2, ANSWERED, 200, LEN(PUT), LEN(OK4),
	      IMDS_F_SYN_SEEN | IMDS_F_HEAD_COMPLETE | IMDS_F_REQUEST_ACKED | IMDS_F_FIRST, 0, "/latest/api/token") } },
	{ "no answer, client closes",
	  { { OPEN }, { OUT, PUT }, { OUT_AGAIN, PUT }, { OUT_AGAIN, PUT }, { FIN_OUT }, { RST_OUT } },
	  { W(PUT, TOKEN, V2, CLIENT_RST, 0, LEN(PUT), 0, IMDS_F_CLIENT_FIN, 2) } },
	{ "byte by byte", { { OPEN }, { OUT_BYTES, PUT }, { IN_BYTES, OK4 }, { RST_IN } }, { TOKEN_OK } },
	{ "keep-alive",
	  { { OPEN }, { OUT, PUT }, { IN, OK4 }, { OUT, GET_V2 }, { IN, OK4 }, ASK_AGAIN },
	  { TOKEN_OK, W(GET, CREDENTIALS, V2, ANSWERED, 200), V1_OK },
	  true },
	{ "pipelined, one packet",
	  { { OPEN }, { OUT, PUT GET_V1 GET_V1 }, { IN, OK4 OK4 }, { IN, OK4 } },
	  { TOKEN_OK, V1_OK, V1_OK },
	  true },
	{ "answer without a body",
	  { { OPEN }, { OUT, GET_V1 }, { IN, "HTTP/1.1 304 x\r\n\r\n" }, ASK_AGAIN },
	  { W(GET, DATA, V1, ANSWERED, 304), V1_OK },
	  true },
	{ "HEAD",
	  { { OPEN },
	    { OUT, "HEAD /latest/meta-data/ HTTP/1.1\r\n\r\n" },
	    { IN, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" },
	    ASK_AGAIN },
	  { W(HEAD, DATA, V1, ANSWERED, 200, .path = "/latest/meta-data/"), V1_OK },
	  true },
	{ "content length over packets",
	  { { OPEN },
	    { OUT, GET_V1 },
	    { IN, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012" },
	    { IN, "3456" },
	    { IN, "789" },
	    ASK_AGAIN },
	  { W(GET, DATA, V1, ANSWERED, 200, .bytes_in = 49), V1_OK },
	  true },
	{ "chunked",
	  { { OPEN },
	    { OUT, GET_V1 },
	    { IN, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
	    { IN, "5\r\nhello\r\n" },
	    { IN, "0\r\n\r\n" },
	    ASK_AGAIN },
	  { V1_OK, V1_OK },
	  true },
	{ "chunked: extensions, trailers, data that looks like the end, cut anywhere",
	  { { OPEN },
	    { OUT, GET_V1 },
	    { IN, CHUNKED_HEAD "a;x=\"1\"\r\nxxxxx0\r\n\r\n" },
	    { IN, "\r\n005\r\nhel" },
	    { IN, "lo\r" },
	    { IN, "\n00;last\r\nX-Sum: 0\r\n\r" },
	    { IN, "\n" },
	    ASK_AGAIN },
	  { W(GET, DATA, V1, ANSWERED, 200, .bytes_in = LEN(CHUNKED_HEAD) + 54), V1_OK },
	  true },
	{ "chunked, byte by byte",
	  { { OPEN }, { OUT, GET_V1 }, { IN_BYTES, CHUNKED_HEAD "2\r\nok\r\n0\r\n\r\n" }, ASK_AGAIN },
	  { V1_OK, V1_OK },
	  true },
	{ "chunked, cut short by the service",
	  { { OPEN }, { OUT, GET_V1 }, { IN, CHUNKED_HEAD "5\r\nhel" }, { FIN_IN } },
	  { W(GET, DATA, V1, PEER_FIN, 200) },
	  true },
	{ "chunked, broken: until close",
	  { { OPEN }, { OUT, GET_V1 }, { IN, CHUNKED_HEAD "zz\r\n" }, { IN, "more" }, { FIN_IN } },
	  { V1_OK },
	  true },
	{ "requests behind a chunked body",
	  { { OPEN },
	    { OUT, CHUNKED_POST "4\r\nq=42\r\n0\r\n\r\n" GET_V1 },
	    { IN, OK4 OK4 },
	    { OUT, CHUNKED_POST "4\r\nq" },
	    { OUT, "=42\r\n0\r\nT: 1\r\n\r" },
	    { OUT, "\n" PUT },
	    { IN, OK4 },
	    { IN, OK4 } },
	  { POST_OK, V1_OK, POST_OK, TOKEN_OK },
	  true },
	{ "answer ahead of the end of a chunked body",
	  { { OPEN },
	    { OUT, CHUNKED_POST "4\r\nq" },
	    { IN, "HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n" },
	    { OUT, "=42\r\n0\r\n\r\n" },
	    ASK_AGAIN },
	  { W(POST, DATA, NONE, ANSWERED, 401), V1_OK },
	  true },
	{ "answer ahead of the end of the head",
	  { { OPEN },
	    { OUT, "PUT /latest/api/token HTTP/1.1\r\nHo" },
	    { IN, "HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n" },
	    { OUT, "st: a\r\nContent-Length: 3\r\n\r\nab" },
	    { OUT, "c" },
	    ASK_AGAIN },
	  { W(PUT, TOKEN, V2, ANSWERED, 400), V1_OK },
	  true },
	{ "100 Continue, then the answer",
	  { { OPEN },
	    { OUT, "PUT /latest/api/token HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n" },
	    { IN, "HTTP/1.1 100 Con" },
	    { IN, "tinue\r\n\r\n" },
	    { OUT, "ab" },
	    { IN, OK4 },
	    ASK_AGAIN },
	  { TOKEN_OK, V1_OK },
	  true },
	{ "101: no HTTP behind it",
	  { { OPEN }, { OUT, GET_V1 }, { IN, "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n" }, { OUT, GET_V1 }, { IN, OK4 } },
	  { W(GET, DATA, V1, ANSWERED, 101) },
	  true },
	{ "empty lines are no requests",
	  { { OPEN },
	    { OUT, "\r\n" PUT "\r\n" },
	    { IN, OK4 },
	    { OUT, "\r\n" },
	    { OUT, "\n" GET_V1 },
	    { IN, OK4 },
	    { OUT, "\r\n" },
	    { FIN_OUT },
	    { FIN_IN } },
	  { TOKEN_OK, V1_OK } },
	{ "lengths folded, doubled, listed",
	  { { OPEN },
	    { OUT, GET_V1 },
	    { IN, "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok" },
	    { OUT, GET_V1 },
	    { IN, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2, 2\r\n\r\nok" },
	    { OUT, PUT },
	    { IN, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\n\r\n0\r\n\r\n" } },
	  { V1_OK, V1_OK, TOKEN_OK },
	  true },
	{ "head without an end",
	  { { OPEN }, { OUT, "PUT /latest/api/token HTTP/1.1\r\nX-A: " }, { RST_OUT } },
	  { W(PUT, TOKEN, V2, CLIENT_RST, 0, .path = "/latest/api/token") } },
	{ "no v1 from a head without an end",
	  { { OPEN }, { OUT, "GET /latest/user-data HTTP/1.1\r\nX-A: " }, { RST_OUT } },
	  { W(GET, USER_DATA, UNKNOWN, CLIENT_RST, 0, .path = "/latest/user-data") } },
	{ "status of an answer whose head has no end",
	  { { OPEN }, { OUT, GET_V1 }, { IN, "HTTP/1.1 404 x\r\nX-A: " }, { FIN_IN } },
	  { W(GET, DATA, V1, PEER_FIN, 404) },
	  true },
	{ "until close",
	  { { OPEN }, { OUT, GET_V1 }, { IN, "HTTP/1.0 200 OK\r\n\r\nabc" }, { IN, "def" }, { FIN_IN }, { FIN_OUT } },
	  { W(GET, DATA, V1, ANSWERED, 200, .bytes_in = 25) } },
	{ "interim answer", { { OPEN }, { OUT, GET_V1 }, { IN, "HTTP/1.1 100 Continue\r\n\r\n" OK4 } }, { V1_OK }, true },
	{ "half-close", { { OPEN }, { OUT, GET_V1 }, { FIN_OUT }, { IN, OK4 }, { FIN_IN } }, { V1_OK } },
	{ "service closes in mid-answer",
	  { { OPEN }, { OUT, GET_V1 }, { IN, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0" }, { FIN_IN } },
	  { W(GET, DATA, V1, PEER_FIN, 200) },
	  true },
	{ "service closes without an answer",
	  { { OPEN }, { OUT, PUT }, { FIN_IN } },
	  { W(PUT, TOKEN, V2, PEER_FIN, 0) },
	  true },
	{ "reset by the service", { { OPEN }, { OUT, PUT }, { RST_IN } }, { W(PUT, TOKEN, V2, PEER_RST, 0) } },
	{ "reset by the service behind its FIN",
	  { { OPEN }, { OUT, GET_V1 }, { IN, OK4 }, { FIN_IN }, { OUT, GET_V1 }, { RST_IN } },
	  { V1_OK, W(GET, DATA, V1, PEER_RST, 0) } },
	{ "reset of an older connection", { { OPEN_AGAIN }, { OUT, PUT }, { IN, OK4 } }, { TOKEN_OK }, true },
	{ "reset by the client", { { OPEN }, { OUT, PUT }, { RST_OUT } }, { W(PUT, TOKEN, V2, CLIENT_RST, 0) } },
	{ "acknowledged in part: the end of its head is not",
	  { { OPEN },
	    { OUT, "PUT /latest/api/token HTTP/1.1\r\n" },
	    { IN, "" },
	    { OUT, "Content-Length: 2\r\n\r\n" },
	    { RST_OUT } },
	  { W(PUT, TOKEN, V2, CLIENT_RST, 0, .flags = IMDS_F_HEAD_COMPLETE, .not = IMDS_F_REQUEST_ACKED) } },
	{ "acknowledged in part: its body is not",
	  { { OPEN },
	    { OUT, "PUT /latest/api/token HTTP/1.1\r\nContent-Length: 2\r\n\r\n" },
	    { IN, "" },
	    { OUT, "ab" },
	    { RST_OUT } },
	  { W(PUT, TOKEN, V2, CLIENT_RST, 0, .flags = IMDS_F_HEAD_COMPLETE, .not = IMDS_F_REQUEST_ACKED) } },
	{ "acknowledged whole",
	  { { OPEN }, { OUT, PUT }, { IN, "" }, { RST_OUT } },
	  { W(PUT, TOKEN, V2, CLIENT_RST, 0, .flags = IMDS_F_HEAD_COMPLETE | IMDS_F_REQUEST_ACKED) } },
	{ "acknowledged, and what is behind it",
	  { { OPEN }, { OUT, PUT }, { OUT, GET_V1 }, { IN, "" }, { OUT, GET_V1 }, { RST_OUT } },
	  { W(PUT, TOKEN, V2, CLIENT_RST, 0, .flags = IMDS_F_REQUEST_ACKED),
	    W(GET, DATA, V1, CLIENT_RST, 0, .flags = IMDS_F_REQUEST_ACKED),
	    W(GET, DATA, V1, CLIENT_RST, 0, .not = IMDS_F_REQUEST_ACKED) } },
	{ "head cut short",
	  { { OPEN }, { OUT, "PUT /latest/api/tok" }, { RST_OUT } },
	  { W(PUT, OTHER, NONE, CLIENT_RST, 0, .path = "") } },
	{ "answer retransmitted",
	  { { OPEN }, { OUT, GET_V1 }, { IN, OK4 }, { IN_AGAIN, OK4 }, ASK_AGAIN, { RST_IN } },
	  { W(GET, DATA, V1, ANSWERED, 200, .bytes_in = LEN(OK4)), V1_OK } },
	{ "answer out of order",
	  { { OPEN }, { OUT, GET_V1 }, { IN_AHEAD, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nABCD\0EFGH" }, ASK_AGAIN },
	  { W(GET, DATA, V1, ANSWERED, 200, .bytes_in = 46), V1_OK },
	  true },
	{ "midstream", { { OUT, PUT }, { IN, OK4 } }, { W(PUT, TOKEN, V2, ANSWERED, 200, .flags = IMDS_F_MIDSTREAM) }, true },
	{ "midstream, in a body",
	  { { OUT, "s3cr3t=1 /x HTTP/1.1\r\n\r\n" }, { IN, OK4 } },
	  { W(NONE, OTHER, NONE, ANSWERED, 200, .path = "") },
	  true },
	{ "no request", { { OPEN }, { FIN_OUT }, { FIN_IN } }, { W(NONE, CONNECT_ONLY, NONE, CLOSED, 0) } },
	{ "not HTTP",
	  { { OPEN }, { OUT, "\x16\x03\x01 hello" }, { IN, "\x16\x03" }, { FIN_IN }, { FIN_OUT } },
	  { W(NONE, OTHER, NONE, ANSWERED, 0) } },
	{ "request body",
	  { { OPEN },
	    { OUT, "POST /latest/dynamic HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel" },
	    { OUT, "lo" },
	    { IN, OK4 },
	    ASK_AGAIN },
	  { W(POST, DATA, NONE, ANSWERED, 200, 57), V1_OK },
	  true },
	{ "query is cut off",
	  { { OPEN }, { OUT, "GET /latest/user-data?key=hidden HTTP/1.1\r\n\r\n" }, { IN, OK4 } },
	  { W(GET, USER_DATA, V1, ANSWERED, 200, .path = "/latest/user-data") },
	  true },
};

static void do_step(struct conn *c, const struct step *s)
{
	size_t len = s->data ? strlen(s->data) : 0;

	switch (s->op) {
	case OPEN:
		handshake(c);
		break;
	case OPEN_AGAIN: /* the service still knows an older connection of this tuple, and is told that it is over */
		tcp(c, true, SYN, c->seq, 0, NULL, 0);
		tcp(c, true, RST, c->seq + 1000000, 0, NULL, 0);
		handshake(c);
		break;
	case OUT:
		send_text(c, s->data);
		break;
	case OUT_AGAIN:
		tcp(c, true, PSH | ACK, c->seq - len, c->ack, s->data, len);
		break;
	case IN:
		answer(c, s->data);
		break;
	case IN_AGAIN:
		tcp(c, false, PSH | ACK, c->ack - len, c->seq, s->data, len);
		break;
	case IN_AHEAD: /* what follows the NUL overtakes what is before it */
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): such a step has data */
		tcp(c, false, PSH | ACK, c->ack + len, c->seq, s->data + len + 1, strlen(s->data + len + 1));
		answer(c, s->data);
		c->ack += strlen(s->data + len + 1);
		break;
	case OUT_BYTES:
		for (size_t i = 0; i < len; i++)
			out(c, PSH | ACK, s->data + i, 1);
		break;
	case IN_BYTES:
		for (size_t i = 0; i < len; i++)
			in(c, PSH | ACK, s->data + i, 1);
		break;
	case FIN_OUT:
		out(c, FIN | ACK, NULL, 0);
		break;
	case FIN_IN:
		in(c, FIN | ACK, NULL, 0);
		break;
	case RST_OUT:
		out(c, RST, NULL, 0);
		break;
	case RST_IN:
		in(c, RST | ACK, NULL, 0);
		break;
	case END:
		break;
	}
}

static void compare(const struct imds_rec_request *rec, const struct want *w, const struct conn *c)
{
	const struct imds_request *r = &rec->req;

	equal(r->method, w->method);
	equal(r->kind, w->kind);
	equal(r->version, w->version);
	equal(r->end, w->end);
	equal(r->status, w->status);
	equal(r->retransmits, w->retransmits);
	equal(r->flags & (w->flags | w->not ), w->flags);
	if (w->bytes_out)
		equal(r->bytes_out, w->bytes_out);
	if (w->bytes_in)
		equal(r->bytes_in, w->bytes_in);
	if (w->path && (r->path_len != strlen(w->path) || memcmp(r->path, w->path, r->path_len)))
		give_up(__LINE__, "path is '%.*s', wanted '%s'", r->path_len, r->path, w->path);
	equal(rec->peer.cookie, c->cookie);
	equal(rec->peer.cgroup_id, c->cgroup);
	equal(rec->peer.local_port, c->local_port);
	equal(rec->peer.remote_port, c->remote_port);
	ensure(r->start_ns && r->end_ns >= r->start_ns);
	ensure(r->kind == IMDS_KIND_CONNECT_ONLY || r->sent_ns >= r->start_ns);
	if (r->status) {
		equal(r->ttl_response, ROUTER_TTL);
		ensure(r->first_byte_ns >= r->start_ns && r->last_byte_ns >= r->first_byte_ns);
	} else if (r->end != IMDS_END_ANSWERED) {
		equal(r->first_byte_ns, 0);
		equal(r->ttl_response, 0);
	}
}

static void converse(const struct conversation *v, bool v6)
{
	struct conn c = conn_new();
	uint64_t finished = 0;
	size_t n = 0;

	rig_reset(rig);
	row = v->name;
	if (v6)
		c.remote4 = 0;
	for (const struct step *s = v->steps; s->op; s++)
		do_step(&c, s);
	for (; v->want[n].kind || v->want[n].method || (!n && v->want[n].end); n++)
		compare(request(n), &v->want[n], &c);
	equal(requests(), n);
	for (int kind = 0; kind < IMDS_KIND_COUNT; kind++)
		for (int end = 0; end < IMDS_END_COUNT; end++)
			finished += rig_finished(rig, kind, end);
	equal(finished, n); /* the exact counters say the same as the records */
	equal(rig_map_walk(rig, "imds_flows", NULL, NULL), v->open);
	if (!v->open)
		nothing_left();
	equal(all_losses(), 0);
	row = "";
}

void conversations_over_ipv4(void)
{
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++)
		converse(&conversations[i], false);
}

void conversations_over_ipv6(void)
{
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++)
		converse(&conversations[i], true);
}

void head_may_be_cut_at_every_byte(void)
{
	static const struct want token = TOKEN_OK;

	for (size_t cut = 1; cut < LEN(PUT); cut++) {
		struct conn c = conn_open();

		rig_reset(rig);
		c = conn_open();
		out(&c, PSH | ACK, PUT, cut);
		out(&c, PSH | ACK, PUT + cut, LEN(PUT) - cut);
		answer(&c, OK4);
		equal(requests(), 1);
		compare(request(0), &token, &c);
		equal(request(0)->req.bytes_out, LEN(PUT));
	}
	for (size_t cut = 1; cut < LEN(OK4); cut++) {
		struct conn c;

		rig_reset(rig);
		c = conn_open();
		send_text(&c, PUT);
		in(&c, PSH | ACK, OK4, cut);
		equal(requests(), 0);
		in(&c, PSH | ACK, OK4 + cut, LEN(OK4) - cut);
		compare(request(0), &token, &c);
		equal(request(0)->req.bytes_in, LEN(OK4));
	}
}

void pipeline_is_bounded(void)
{
	for (int n = 1; n <= IMDS_PIPELINE + 3; n++) {
		char text[(IMDS_PIPELINE + 3) * LEN(GET_V1) + 1] = "";
		struct conn c;
		int kept = n < IMDS_PIPELINE ? n : IMDS_PIPELINE;

		rig_reset(rig);
		c = conn_open();
		for (int i = 0; i < n; i++)
			strcat(text, GET_V1);
		send_text(&c, text);
		for (int i = 0; i < n; i++)
			answer(&c, OK4);
		equal(requests(), kept);
		for (int i = 0; i < kept; i++)
			equal(request(i)->req.index, i);
		equal(rig_loss(rig, IMDS_LOSS_PIPELINE), n - kept);
		equal(rig_packets(rig, 77).untracked, n - kept);
		equal(!!(request(kept - 1)->req.flags & IMDS_F_PIPELINE_FULL), n > IMDS_PIPELINE);
		equal(rig_map_walk(rig, "imds_flows", NULL, NULL), 1 + (n > IMDS_PIPELINE));
		send_text(&c, PUT); /* and the one behind them all is paired with its own answer */
		answer(&c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
		equal(requests(), kept + 1);
		equal(request(kept)->req.status, 403);
		equal(request(kept)->req.kind, IMDS_KIND_TOKEN);
		in(&c, RST | ACK, NULL, 0);
		nothing_left();
	}
}
