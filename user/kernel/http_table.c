/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The grammar of a head, as far as we read it: RFC 9112 with bare LF, empty lines ahead of a head, blanks ahead of the
 * target, folded and repeated lengths and an absolute target tolerated; and of a chunked body, all but its data. Path
 * segments are parted by one or more '/'. Names and paths: the metadata services' documentation.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_table.h"
#include "../base/small.h"
#include "nfa.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define HEX_BUT_0 "123456789abcdefABCDEF"

#define METHOD(m) ((uint64_t)(m) << IMDS_A_METHOD_SHIFT)
#define METHOD_BITS METHOD(IMDS_A_METHOD_MASK)

struct word {
	const char *text; /* '#' is any digit */
	uint32_t bit;
};

static const struct word methods[] = {
	{ "GET", IMDS_METHOD_GET },
	{ "PUT", IMDS_METHOD_PUT },
	{ "HEAD", IMDS_METHOD_HEAD },
	{ "POST", IMDS_METHOD_POST },
};

static const struct word first_segments[] = {
	{ "latest", IMDS_W_P_EC2 },	     { "1.0", IMDS_W_P_EC2 },	     { "20##-##-##", IMDS_W_P_EC2 },
	{ "computeMetadata", IMDS_W_P_GCE }, { "metadata", IMDS_W_P_AZURE }, { "openstack", IMDS_W_P_OPENSTACK },
	{ "opc", IMDS_W_P_ORACLE },	     { "v1", IMDS_W_P_V1 },	     { "instance_identity", IMDS_W_P_IBM },
	{ "identity", IMDS_W_P_IBM },
};

static const struct word segments[] = {
	{ "token", IMDS_W_P_TOKEN },
	{ "security-credentials", IMDS_W_P_SECURITY_CREDS },
	{ "credentials", IMDS_W_P_CREDENTIALS },
	{ "iam_token", IMDS_W_P_CREDENTIALS },
	{ "instance-identity", IMDS_W_P_IDENTITY },
	{ "identity", IMDS_W_P_IDENTITY },
	{ "attested", IMDS_W_P_ATTESTED },
	{ "user-data", IMDS_W_P_USER_DATA },
	{ "user_data", IMDS_W_P_USER_DATA },
	{ "userdata", IMDS_W_P_USER_DATA },
	{ "meta-data", IMDS_W_P_META_DATA },
	{ "dynamic", IMDS_W_P_META_DATA },
	{ "service-accounts", IMDS_W_P_SERVICE_ACCTS },
};

static const struct word header_names[] = {
	/* the name alone says it */
	{ "x-aws-ec2-metadata-token", IMDS_W_H_TOKEN },
	{ "x-aliyun-ecs-metadata-token", IMDS_W_H_TOKEN },
	{ "metadata-token", IMDS_W_H_TOKEN },
	{ "x-aws-ec2-metadata-token-ttl-seconds", IMDS_W_H_TOKEN_TTL },
	{ "x-aliyun-ecs-metadata-token-ttl-seconds", IMDS_W_H_TOKEN_TTL },
	{ "metadata-token-expiry-seconds", IMDS_W_H_TOKEN_TTL },
	{ "metadata-flavor", IMDS_W_H_FLAVOR },
	{ "x-forwarded-for", IMDS_W_H_FORWARDED },
};

#define FOR_EACH(w, table) for (const struct word *w = table; w < table + LEN(table); w++)

/* Optional blanks behind the colon of a header: returns the node where the value may begin. */
static int header_value(struct nfa *n, int line, const char *name)
{
	int value = nfa_node(n, 0);

	nfa_edge(n, nfa_text(n, line, name, true, 0), nfa_bytes(":"), value);
	nfa_edge(n, value, nfa_bytes(" \t"), value);
	return value;
}

/* From from, the line ends, blanks aside: then attr. The line's own generic path goes on to the next one. */
static int line_end(struct nfa *n, int from, uint64_t attr)
{
	int cr = nfa_node(n, 0);

	nfa_edge(n, from, nfa_bytes(" \t"), from);
	nfa_edge(n, from, nfa_bytes("\r"), cr);
	nfa_edge(n, from, nfa_bytes("\n"), nfa_mark(n, attr));
	nfa_edge(n, cr, nfa_bytes("\n"), nfa_mark(n, attr));
	return cr;
}

/* A value goes on in the next line if that begins with a blank (RFC 9112 5.2): from there to to. */
static void fold(struct nfa *n, int from, int to)
{
	int cr = nfa_node(n, 0), line = nfa_node(n, 0);

	nfa_edge(n, from, nfa_bytes("\r"), cr);
	nfa_edge(n, from, nfa_bytes("\n"), line);
	nfa_edge(n, cr, nfa_bytes("\n"), line);
	nfa_edge(n, line, nfa_bytes(" \t"), to);
}

/* The last number of a list counts (RFC 9112 6.3: they must all be the same). */
static void add_content_length(struct nfa *n, int line)
{
	int value = header_value(n, line, "content-length");
	int first = nfa_node(n, IMDS_A_LENGTH_FIRST), more = nfa_node(n, IMDS_A_LENGTH), blank = nfa_node(n, 0);
	int bad = nfa_mark(n, IMDS_A_LENGTH_BAD), digits[] = { first, more };

	nfa_edge(n, value, nfa_bytes(DIGITS), first);
	nfa_edge(n, value, nfa_bytes_not(DIGITS " \t\r\n"), bad);
	fold(n, value, value);
	nfa_edge(n, blank, nfa_bytes_not(" \t\r\n,"), bad);
	nfa_edge(n, blank, nfa_bytes(","), value);
	nfa_edge(n, line_end(n, blank, IMDS_W_H_LENGTH), nfa_bytes_not("\n"), bad);
	fold(n, blank, blank);
	for (int i = 0; i < 2; i++) {
		int cr = nfa_node(n, 0);

		nfa_edge(n, digits[i], nfa_bytes(DIGITS), more);
		nfa_edge(n, digits[i], nfa_bytes(" \t"), blank);
		nfa_edge(n, digits[i], nfa_bytes(","), value);
		nfa_edge(n, digits[i], nfa_bytes("\r"), cr);
		nfa_edge(n, digits[i], nfa_bytes("\n"), nfa_mark(n, IMDS_W_H_LENGTH));
		nfa_edge(n, digits[i], nfa_bytes_not(DIGITS " \t\r\n,"), bad);
		nfa_edge(n, cr, nfa_bytes("\n"), nfa_mark(n, IMDS_W_H_LENGTH));
		nfa_edge(n, cr, nfa_bytes_not("\n"), bad);
		fold(n, digits[i], blank);
	}
}

/* chunked counts only as the last coding of the last of these headers (RFC 9112 6.3). */
static void add_transfer_encoding(struct nfa *n, int line)
{
	int begin = nfa_node(n, 0), other = nfa_node(n, 0), chunked, last = nfa_node(n, 0);
	int name = nfa_text(n, line, "transfer-encoding", true, 0);

	nfa_edge(n, name, nfa_bytes(":"), begin);
	nfa_edge(n, name, nfa_bytes(":"), nfa_mark(n, IMDS_A_CHUNKED_BAD));
	/* a CR alone is a blank (RFC 9112 2.2) */
	nfa_edge(n, begin, nfa_bytes(" \t,\r"), begin);
	nfa_edge(n, begin, nfa_bytes_not(" \t,\r\n"), other);
	nfa_edge(n, other, nfa_bytes_not(",\n"), other);
	nfa_edge(n, other, nfa_bytes(","), begin);
	chunked = nfa_text(n, begin, "chunked", true, 0);
	nfa_edge(n, chunked, nfa_bytes(" \t"), last);
	line_end(n, chunked, IMDS_W_H_CHUNKED);
	line_end(n, last, IMDS_W_H_CHUNKED);
	fold(n, begin, begin);
	fold(n, other, other);
}

/* The line with a chunk's size, and behind the last one the trailers: nothing of them is kept. */
static void add_chunks(struct nfa *n, int size, int data, int next, int ended)
{
	int zero = nfa_node(n, IMDS_A_HEX), more = nfa_node(n, IMDS_A_HEX), cr = nfa_node(n, 0);
	int extension = nfa_node(n, 0), last = nfa_node(n, 0);
	int trailer = nfa_node(n, 0), any = nfa_node(n, 0), end_cr = nfa_node(n, 0);

	nfa_edge(n, next, nfa_bytes("\r"), cr);
	nfa_edge(n, next, nfa_bytes("\n"), size);
	nfa_edge(n, cr, nfa_bytes("\n"), size);

	nfa_edge(n, size, nfa_bytes("0"), zero);
	nfa_edge(n, zero, nfa_bytes("0"), zero);
	nfa_edge(n, size, nfa_bytes(HEX_BUT_0), more);
	nfa_edge(n, zero, nfa_bytes(HEX_BUT_0), more);
	nfa_edge(n, more, nfa_bytes("0" HEX_BUT_0), more);
	nfa_edge(n, more, nfa_bytes_not("0" HEX_BUT_0 "\n"), extension);
	nfa_edge(n, more, nfa_bytes("\n"), data);
	nfa_edge(n, extension, nfa_bytes_not("\n"), extension);
	nfa_edge(n, extension, nfa_bytes("\n"), data);
	nfa_edge(n, zero, nfa_bytes_not("0" HEX_BUT_0 "\n"), last);
	nfa_edge(n, zero, nfa_bytes("\n"), trailer);
	nfa_edge(n, last, nfa_bytes_not("\n"), last);
	nfa_edge(n, last, nfa_bytes("\n"), trailer);

	nfa_edge(n, trailer, nfa_bytes("\n"), ended);
	nfa_edge(n, trailer, nfa_bytes("\r"), end_cr);
	nfa_edge(n, end_cr, nfa_bytes("\n"), ended);
	nfa_edge(n, end_cr, nfa_bytes_not("\n"), any);
	nfa_edge(n, trailer, nfa_bytes_not("\r\n"), any);
	nfa_edge(n, any, nfa_bytes_not("\n"), any);
	nfa_edge(n, any, nfa_bytes("\n"), trailer);
}

/* Header lines from node line on, and the empty line that ends them. */
static void add_headers(struct nfa *n, int line, int any, int ended)
{
	int cr = nfa_node(n, 0);

	nfa_edge(n, line, nfa_bytes("\n"), ended);
	nfa_edge(n, line, nfa_bytes("\r"), cr);
	nfa_edge(n, cr, nfa_bytes("\n"), ended);
	nfa_edge(n, cr, nfa_bytes_not("\n"), any);
	nfa_edge(n, line, nfa_bytes_not("\r\n"), any);
	nfa_edge(n, any, nfa_bytes_not("\n"), any);
	nfa_edge(n, any, nfa_bytes("\n"), line);

	FOR_EACH(w, header_names)
	nfa_edge(n, nfa_text(n, line, w->text, true, 0), nfa_bytes(":"), nfa_mark(n, w->bit));
	nfa_edge(n, nfa_text(n, line, "x-aliyun-ecs", true, 0), nfa_bytes("-"), nfa_mark(n, IMDS_W_H_ALIBABA));
	line_end(n, nfa_text(n, header_value(n, line, "metadata"), "true", true, 0), IMDS_W_H_METADATA);
	line_end(n, nfa_text(n, header_value(n, line, "authorization"), "Bearer Oracle", false, 0), IMDS_W_H_ORACLE);
	add_transfer_encoding(n, line);
	add_content_length(n, line);
}

/* A segment, parted from what follows by '/', '?', '#' or ' ': then bit. Returns the node of its last byte. */
static int add_segment(struct nfa *n, int slash, const struct word *w)
{
	int node = slash;

	for (const char *c = w->text; *c; c++) {
		int next = nfa_node(n, IMDS_A_PATH);

		nfa_edge(n, node, nfa_bytes(*c == '#' ? DIGITS : (char[]){ *c, 0 }), next);
		node = next;
	}
	nfa_edge(n, node, nfa_bytes("/"), nfa_mark(n, w->bit | IMDS_A_PATH));
	nfa_edge(n, node, nfa_bytes("?# "), nfa_mark(n, w->bit));
	return node;
}

/* The target and the rest of the request line. */
static void add_target(struct nfa *n, int target, int line)
{
	static const struct word api = { "api", IMDS_W_P_API };
	/* behind a '/': the first one, one behind a first segment of EC2, any */
	int first = nfa_node(n, IMDS_A_PATH), second = nfa_node(n, IMDS_A_PATH), slash = nfa_node(n, IMDS_A_PATH);
	int segment = nfa_node(n, IMDS_A_PATH), query = nfa_node(n, 0), other = nfa_node(n, 0);
	int authority = nfa_node(n, 0), version = nfa_node(n, 0), equals = nfa_node(n, 0), rest, scheme, wait;
	int from_path[] = { slash, segment };

	/* absolute form; `other` reads it too, and with it all that is no path: "*", CONNECT's host and port */
	scheme = nfa_text(n, target, "http", true, 0);
	nfa_edge(n, nfa_text(n, scheme, ":/", false, 0), nfa_bytes("/"), authority);
	nfa_edge(n, nfa_text(n, scheme, "s:/", true, 0), nfa_bytes("/"), authority);
	nfa_edge(n, authority, nfa_bytes_not("/?# \r\n"), authority);
	nfa_edge(n, target, nfa_bytes_not("/ \r\n"), other);
	nfa_edge(n, other, nfa_bytes_not(" \r\n"), other);
	nfa_edge(n, other, nfa_bytes(" "), version);

	nfa_edge(n, target, nfa_bytes("/"), first);
	nfa_edge(n, target, nfa_bytes("/"), slash);
	nfa_edge(n, authority, nfa_bytes("/"), first);
	nfa_edge(n, authority, nfa_bytes("/"), slash);
	nfa_edge(n, first, nfa_bytes("/"), first);
	nfa_edge(n, second, nfa_bytes("/"), second);
	for (int i = 0; i < 2; i++) {
		nfa_edge(n, from_path[i], nfa_bytes("/"), slash);
		nfa_edge(n, from_path[i], nfa_bytes_not("/?# \r\n"), segment);
		nfa_edge(n, from_path[i], nfa_bytes("?#"), query);
		nfa_edge(n, from_path[i], nfa_bytes(" "), version);
	}
	nfa_edge(n, query, nfa_bytes_not(" \r\n"), query);
	nfa_edge(n, query, nfa_bytes(" "), version);
	wait = nfa_text(n, query, "wait_for_change", false, 0); /* "=" is any byte: it would need a class of its own */
	nfa_edge(n, wait, nfa_bytes_not(" \r\n"), equals);
	wait = nfa_text(n, equals, "tru", true, 0); /* Python clients write "True" */
	nfa_edge(n, wait, nfa_bytes("eE"), nfa_mark(n, IMDS_W_Q_WAIT));

	FOR_EACH(w, first_segments)
	{
		int last = add_segment(n, first, w);

		if (w->bit == IMDS_W_P_EC2)
			nfa_edge(n, last, nfa_bytes("/"), second);
	}
	add_segment(n, second, &api);
	FOR_EACH(w, segments)
	add_segment(n, slash, w);

	nfa_edge(n, version, nfa_bytes(" "), version);
	rest = nfa_text(n, version, "HTTP/", false, 0);
	nfa_edge(n, rest, nfa_bytes_not("\n"), rest);
	nfa_edge(n, rest, nfa_bytes("\n"), line);
	nfa_edge(n, rest, nfa_bytes("\n"), nfa_mark(n, IMDS_W_HTTP));
}

static int add_request(struct nfa *n, int line)
{
	int start = nfa_node(n, 0), target = nfa_node(n, 0), token = nfa_node(n, 0);

	nfa_edge(n, start, nfa_bytes("\r\n"), start);
	nfa_edge(n, start, nfa_bytes(LETTERS DIGITS "-_"), token);
	nfa_edge(n, token, nfa_bytes(LETTERS DIGITS "-_"), token);
	nfa_edge(n, token, nfa_bytes(" "), target);
	nfa_edge(n, target, nfa_bytes(" "), target);
	nfa_edge(n, token, nfa_bytes(" "), nfa_mark(n, METHOD(IMDS_METHOD_OTHER)));
	FOR_EACH(w, methods)
	nfa_edge(n, nfa_text(n, start, w->text, false, 0), nfa_bytes(" "), nfa_mark(n, METHOD(w->bit)));
	add_target(n, target, line);
	return start;
}

static int add_response(struct nfa *n, int line)
{
	int start = nfa_node(n, 0), blank = nfa_node(n, 0), node, digit;

	nfa_edge(n, start, nfa_bytes("\r\n"), start);
	node = nfa_text(n, start, "HTTP/1.", false, 0);
	digit = nfa_node(n, 0);
	nfa_edge(n, node, nfa_bytes(DIGITS), digit);
	nfa_edge(n, digit, nfa_bytes(" "), blank);
	nfa_edge(n, blank, nfa_bytes(" "), blank);
	node = blank;
	for (int i = 0; i < 3; i++) {
		digit = nfa_node(n, IMDS_A_STATUS);
		nfa_edge(n, node, nfa_bytes(DIGITS), digit);
		node = digit;
	}
	digit = node;
	node = nfa_node(n, 0); /* the phrase */
	nfa_edge(n, digit, nfa_bytes_not("\n"), node);
	nfa_edge(n, node, nfa_bytes_not("\n"), node);
	nfa_edge(n, digit, nfa_bytes("\n"), line);
	nfa_edge(n, digit, nfa_bytes("\n"), nfa_mark(n, IMDS_W_HTTP));
	nfa_edge(n, node, nfa_bytes("\n"), line);
	nfa_edge(n, node, nfa_bytes("\n"), nfa_mark(n, IMDS_W_HTTP));
	return start;
}

/* A known method is also "any token": the lower number is the one that says more. */
static uint64_t combine(uint64_t state, uint64_t node)
{
	uint64_t a = state & METHOD_BITS, b = node & METHOD_BITS;

	return ((state | node) & ~METHOD_BITS) | (a && (!b || a < b) ? a : b);
}

/*
 * What heads usually say: the words of imds_http_usual are cut from these, in this order while there is room. Heads begin at
 * the begin of a word, so request and status lines are cut there; header lines may begin anywhere.
 */
static const char *const usual_requests[] = {
	"PUT /latest/api/token HTTP/1.1\r\nHost: ",
	"GET /latest/meta-data/iam/security-credentials/",
	"GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: ",
	"GET /latest/dynamic/instance-identity/document HTTP/1.1\r\nHost: ",
	"GET /latest/meta-data/placement/availability-zone HTTP/1.1\r\nHost: ",
	"GET /latest/meta-data/placement/region HTTP/1.1\r\nHost: ",
	"GET /latest/user-data HTTP/1.1\r\nHost: ",
	"GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1\r\nHost: ",
	"GET /computeMetadata/v1/project/project-id HTTP/1.1\r\nHost: ",
	"GET /metadata/identity/oauth2/token?api-version=",
	"GET /metadata/instance?api-version=",
	"GET /v1/credentials HTTP/1.1\r\nHost: ",
	"GET /opc/v2/instance/",
	"GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: ",
};
static const char *const usual_answers[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: ", "HTTP/1.1 200 OK\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: ",
	"HTTP/1.1 200 OK\r\nServer: ",	       "HTTP/1.0 200 OK\r\n",
	"HTTP/1.1 404 Not Found\r\n",	       "HTTP/1.1 401 Unauthorized\r\n",
};
static const char *const usual_headers[] = {
	"content-length: ",
	"transfer-encoding: chunked\r\n",
	"metadata: true\r\n",
};

static uint16_t step(const struct imds_http_table *t, uint16_t state, uint8_t byte)
{
	return t->next[(state / IMDS_HTTP_ROW * IMDS_HTTP_ROW + t->column_of[byte]) / sizeof(t->next[0])];
}

/* What the eight bytes at text do from state on. False: what they do does not go into a usual word. */
static bool usual_make(const struct imds_http_table *t, uint16_t state, const char *text, struct imds_http_usual *ret)
{
	unsigned int digits = 0, path = 0;

	*ret = (struct imds_http_usual){ 0 };
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t byte = text[i], other = byte ^ 0x20;
		uint16_t next = step(t, state, byte);
		uint64_t attr = next & IMDS_S_ATTR ? t->attr[next / IMDS_HTTP_ROW] : 0;

		if (!(next / IMDS_HTTP_ROW) || (attr & ~(METHOD_BITS | IMDS_A_STATUS | 0xffffffff)))
			return false;
		if (strchr(LETTERS, byte) && step(t, state, other) == next && !(next & IMDS_S_PATH)) {
			ret->fold |= 0x20ull << i * 8;
			byte |= 0x20;
		}
		ret->word |= (uint64_t)byte << i * 8;
		ret->words |= (uint32_t)attr;
		ret->method |= attr >> IMDS_A_METHOD_SHIFT & IMDS_A_METHOD_MASK;
		if (next & IMDS_S_PATH) {
			if (!path++)
				ret->path_shift = i * 8;
			if (path * 8 + ret->path_shift != (i + 1) * 8)
				return false;
		}
		if (attr & IMDS_A_STATUS) {
			ret->status = ret->status * 10 + (byte & 15);
			digits++;
		}
		state = next;
	}
	ret->path_len = path;
	ret->next = state;
	return !digits || (digits == 3 && ret->status); /* all of it */
}

/* Words of text from state on, one each `each` bytes. */
static void usual_add(struct imds_http_table *t, unsigned int *others, uint16_t state, const char *text, unsigned int each)
{
	for (size_t i = 0; i + 8 <= strlen(text); state = step(t, state, text[i++])) {
		struct imds_http_usual *u = &t->usual[state / IMDS_HTTP_ROW], made;
		unsigned int tries = 1;

		if (i % each || !usual_make(t, state, text + i, &made))
			continue;
		while (u->word && (u->word != made.word || u->fold != made.fold) && u->other && ++tries)
			u = &t->usual[IMDS_HTTP_STATES + u->other];
		if (u->word == made.word && u->fold == made.fold)
			continue;
		if (u->word) {
			if (tries == IMDS_HTTP_TRIES || *others == IMDS_HTTP_OTHERS)
				continue;
			u->other = *others;
			u = &t->usual[IMDS_HTTP_STATES + (*others)++];
		}
		*u = made;
	}
}

/* line: a state at the begin of a header line */
static void add_usual(struct imds_http_table *t, uint16_t line)
{
	unsigned int others = 1;

#define EACH(table, state, each)                \
	for (size_t i = 0; i < LEN(table); i++) \
	usual_add(t, &others, state, table[i], each)
	/* a request line and a status line end in the same state: the word of nearly each answer is the first one there */
	usual_add(t, &others, IMDS_HTTP_START_RESPONSE, usual_answers[0], 8);
	EACH(usual_requests, IMDS_HTTP_START_REQUEST, 8);
	EACH(usual_answers, IMDS_HTTP_START_RESPONSE, 8);
	EACH(usual_headers, line, 1);
#undef EACH
	FOR_EACH(w, header_names)
	{
		char text[64];

		snprintf(text, sizeof(text), "%s:", w->text);
		usual_add(t, &others, line, text, 1);
	}
	/* the flags come last: what goes before compares states without them */
	for (size_t i = 0; i < IMDS_HTTP_STATES + IMDS_HTTP_OTHERS; i++)
		if (t->usual[t->usual[i].next / IMDS_HTTP_ROW].word)
			t->usual[i].next |= IMDS_S_USUAL;
	for (size_t i = 0; i < IMDS_HTTP_STATES * IMDS_HTTP_CLASSES; i++)
		if (t->usual[t->next[i] / IMDS_HTTP_ROW].word)
			t->next[i] |= IMDS_S_USUAL;
}

/*
 * Rows of the table in the order in which usual heads come to their states: what one reads lies in few pages, each of which
 * has to be fetched anew when a packet comes. `first` states keep their rows.
 */
struct rows {
	uint16_t of[DFA_MAX_STATES]; /* state -> row; 0: none yet */
	unsigned int len;
};

static void rows_add(struct rows *r, const struct dfa *d, unsigned int s, const char *text)
{
	for (; *text; text++) {
		s = d->next[s][d->class_of[(uint8_t)*text]];
		if (s && !r->of[s])
			r->of[s] = r->len++;
	}
}

/* line: the state at the begin of a header line. What stands ahead of it is usual words, which read no rows. */
static void rows_order(struct rows *r, const struct dfa *d, unsigned int first, unsigned int line)
{
	*r = (struct rows){ .len = first };
	for (unsigned int s = 1; s < first; s++)
		r->of[s] = s;
	rows_add(r, d, IMDS_HTTP_ANY / IMDS_HTTP_ROW, "\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n");
#define EACH(table, state)                      \
	for (size_t i = 0; i < LEN(table); i++) \
	rows_add(r, d, state, table[i])
	EACH(usual_headers, line);
	EACH(usual_answers, IMDS_HTTP_START_RESPONSE / IMDS_HTTP_ROW);
	EACH(usual_requests, IMDS_HTTP_START_REQUEST / IMDS_HTTP_ROW);
#undef EACH
	FOR_EACH(w, header_names)
	rows_add(r, d, line, w->text);
	for (unsigned int s = first; s < d->states; s++)
		if (!r->of[s])
			r->of[s] = r->len++;
}

/* A state's own number with what there is to do on entering it. */
static uint16_t state_of(const struct rows *r, const struct dfa *d, unsigned int s)
{
	return r->of[s] * IMDS_HTTP_ROW | (d->attr[s] & IMDS_A_PATH ? IMDS_S_PATH : 0) |
	       (d->attr[s] & ~IMDS_A_PATH ? IMDS_S_ATTR : 0);
}

static void fill(struct imds_http_table *t, const struct dfa *d, unsigned int roots_len)
{
	unsigned int line = IMDS_HTTP_START_RESPONSE / IMDS_HTTP_ROW;
	struct rows r;

	memset(t, 0, sizeof(*t));
	for (const char *c = "HTTP/1.1 200 OK\r\n"; *c; c++)
		line = d->next[line][d->class_of[(uint8_t)*c]];
	rows_order(&r, d, roots_len + 1, line);
	for (unsigned int c = 0; c < 256; c++)
		t->column_of[c] = d->class_of[c] * sizeof(t->next[0]);
	for (unsigned int s = 0; s < d->states; s++) {
		t->attr[r.of[s]] = d->attr[s] & ~IMDS_A_PATH;
		for (unsigned int c = 0; c < d->classes; c++)
			t->next[r.of[s] * IMDS_HTTP_CLASSES + c] = state_of(&r, d, d->next[s][c]);
	}
	add_usual(t, state_of(&r, d, line));
}

int http_table_compile_sized(struct imds_http_table *ret_table, struct http_table_size *ret_size)
{
	struct nfa *n = nfa_new();
	struct dfa *d = malloc(sizeof(*d));
	int roots[7], line, err = -ENOMEM;

	if (!n || !d)
		goto out;
	line = nfa_node(n, 0);
	roots[IMDS_HTTP_ENDED / IMDS_HTTP_ROW - 1] = nfa_node(n, IMDS_A_END);
	roots[IMDS_HTTP_START_REQUEST / IMDS_HTTP_ROW - 1] = add_request(n, line);
	roots[IMDS_HTTP_START_RESPONSE / IMDS_HTTP_ROW - 1] = add_response(n, line);
	roots[IMDS_HTTP_ANY / IMDS_HTTP_ROW - 1] = nfa_node(n, 0);
	roots[IMDS_HTTP_CHUNK_SIZE / IMDS_HTTP_ROW - 1] = nfa_node(n, 0);
	roots[IMDS_HTTP_CHUNK_DATA / IMDS_HTTP_ROW - 1] = nfa_node(n, IMDS_A_END | IMDS_A_CHUNK);
	roots[IMDS_HTTP_CHUNK_NEXT / IMDS_HTTP_ROW - 1] = nfa_node(n, 0);
	add_headers(n, line, roots[IMDS_HTTP_ANY / IMDS_HTTP_ROW - 1], roots[IMDS_HTTP_ENDED / IMDS_HTTP_ROW - 1]);
	add_chunks(n, roots[IMDS_HTTP_CHUNK_SIZE / IMDS_HTTP_ROW - 1], roots[IMDS_HTTP_CHUNK_DATA / IMDS_HTTP_ROW - 1],
		   roots[IMDS_HTTP_CHUNK_NEXT / IMDS_HTTP_ROW - 1], roots[IMDS_HTTP_ENDED / IMDS_HTTP_ROW - 1]);
	err = nfa_compile(n, roots, 7, combine, d);
	if (ret_size)
		*ret_size = (struct http_table_size){ .states = d->states, .classes = d->classes };
	if (!err && (d->states > IMDS_HTTP_STATES || d->classes > IMDS_HTTP_CLASSES))
		err = -E2BIG;
	if (err)
		goto out;
	fill(ret_table, d, 7);
out:
	free(d);
	nfa_free(n);
	return err;
}

int http_table_compile(struct imds_http_table *ret_table)
{
	return http_table_compile_sized(ret_table, NULL);
}
