/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NFA is written down word by word, then made deterministic by subset construction. All words of a place run side by
 * side, next to one state that merely follows the line; so a word costs its letters, and none knows of another.
 */
#include "http_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NFA_MAX 1024
#define SETS_MAX IMDS_HTTP_STATES
#define SET_WORDS (NFA_MAX / 64)
#define EDGES_MAX 2048
#define HASH_SIZE (4 * SETS_MAX)		/* a power of two */

/* A set of byte values. */
struct bytes {
	uint64_t w[4];
};

/* A set of NFA states. */
struct set {
	uint64_t w[SET_WORDS];
};

struct edge {
	uint16_t from, to;
	struct bytes on;
};

struct nfa {
	struct edge edges[EDGES_MAX];
	uint64_t attr[NFA_MAX];
	int edges_len, states;
	bool overflow;
};

/* --- bytes ------------------------------------------------------------------------------------------------------------ */

static void bytes_add(struct bytes *b, int c)
{
	b->w[c >> 6] |= 1ull << (c & 63);
}

static bool bytes_has(const struct bytes *b, int c)
{
	return b->w[c >> 6] >> (c & 63) & 1;
}

static struct bytes one_of(const char *chars)
{
	struct bytes b = { { 0 } };

	for (; *chars; chars++)
		bytes_add(&b, (unsigned char)*chars);
	return b;
}

static struct bytes none_of(const char *chars)
{
	struct bytes b = one_of(chars);

	for (int i = 0; i < 4; i++)
		b.w[i] = ~b.w[i];
	return b;
}

/* One letter; any_case: in upper and lower case. */
static struct bytes letter(char c, bool any_case)
{
	struct bytes b = { { 0 } };

	bytes_add(&b, (unsigned char)c);
	if (any_case && c >= 'a' && c <= 'z')
		bytes_add(&b, c - 'a' + 'A');
	return b;
}

static struct bytes digits(void)
{
	return one_of("0123456789");
}

/* tchar of RFC 9110 5.6.2: what a method is made of. */
static struct bytes token_chars(void)
{
	return one_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* --- NFA -------------------------------------------------------------------------------------------------------------- */

static int state(struct nfa *n, uint64_t attr)
{
	if (n->states == NFA_MAX) {
		n->overflow = true;
		return 0;
	}
	n->attr[n->states] = attr;
	return n->states++;
}

static void edge(struct nfa *n, int from, struct bytes on, int to)
{
	if (n->edges_len == EDGES_MAX) {
		n->overflow = true;
		return;
	}
	n->edges[n->edges_len++] = (struct edge){ from, to, on };
}

/* Letters of word from `from`; returns the state behind the last one. '#' stands for a digit. */
static int word(struct nfa *n, int from, const char *text, bool any_case)
{
	for (; *text; text++) {
		int next = state(n, 0);

		edge(n, from, *text == '#' ? digits() : letter(*text, any_case), next);
		from = next;
	}
	return from;
}

/* Optional white space from `from` on, RFC 9110 5.6.3: a state that loops on it, entered by it or by passing. */
static void white(struct nfa *n, int at)
{
	edge(n, at, one_of(" \t"), at);
}

/* A path segment: whole, so its word is known at the byte behind it. */
static void segment(struct nfa *n, int start, const char *text, uint64_t attr)
{
	edge(n, word(n, start, text, false), one_of("/?# "), state(n, attr));
}

/* A header name at the start of a line: known at its colon. Returns the state behind that. */
static int header(struct nfa *n, int line, const char *name, uint64_t attr)
{
	int colon = state(n, attr);

	edge(n, word(n, line, name, true), one_of(":"), colon);
	return colon;
}

/* A header that counts only with this value and nothing behind it. */
static void header_value(struct nfa *n, int line, const char *name, const char *value, bool any_case, uint64_t attr)
{
	int colon = header(n, line, name, 0), end;

	white(n, colon);
	end = word(n, colon, value, any_case);
	white(n, end);
	edge(n, end, one_of("\r\n"), state(n, attr));
}

static const struct {
	const char *text;
	uint64_t attr;
} first_segments[] = {
	{ "latest", IMDS_W_P_EC2 },
	{ "1.0", IMDS_W_P_EC2 },
	{ "20##-##-##", IMDS_W_P_EC2 },
	{ "computeMetadata", IMDS_W_P_GCE },
	{ "metadata", IMDS_W_P_AZURE },
	{ "openstack", IMDS_W_P_OPENSTACK },
	{ "opc", IMDS_W_P_ORACLE },
	{ "v1", IMDS_W_P_V1 },
}, segments[] = {
	{ "api", IMDS_W_P_API },
	{ "token", IMDS_W_P_TOKEN },
	{ "security-credentials", IMDS_W_P_SECURITY_CREDS },
	{ "credentials", IMDS_W_P_CREDENTIALS },
	{ "instance-identity", IMDS_W_P_IDENTITY },
	{ "identity", IMDS_W_P_IDENTITY },
	{ "attested", IMDS_W_P_ATTESTED },
	{ "user-data", IMDS_W_P_USER_DATA },
	{ "user_data", IMDS_W_P_USER_DATA },
	{ "userdata", IMDS_W_P_USER_DATA },
	{ "meta-data", IMDS_W_P_META_DATA },
	{ "dynamic", IMDS_W_P_META_DATA },
	{ "service-accounts", IMDS_W_P_SERVICE_ACCTS },
}, headers[] = {
	{ "x-aws-ec2-metadata-token", IMDS_W_H_TOKEN },
	{ "x-aws-ec2-metadata-token-ttl-seconds", IMDS_W_H_TOKEN_TTL },
	{ "x-aliyun-ecs-metadata-token", IMDS_W_H_TOKEN },
	{ "x-aliyun-ecs-metadata-token-ttl-seconds", IMDS_W_H_TOKEN_TTL },
	{ "metadata-token", IMDS_W_H_TOKEN },
	{ "metadata-token-expiry-seconds", IMDS_W_H_TOKEN_TTL },
	{ "metadata-flavor", IMDS_W_H_FLAVOR },
	{ "x-forwarded-for", IMDS_W_H_FORWARDED },
}, methods[] = {
	{ "GET", IMDS_METHOD_GET },
	{ "PUT", IMDS_METHOD_PUT },
	{ "HEAD", IMDS_METHOD_HEAD },
	{ "POST", IMDS_METHOD_POST },
};

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Header lines up to the empty one. line: at the start of a line; skip: anywhere else. */
static void add_headers(struct nfa *n, int line, int skip, int ended)
{
	int cr = state(n, 0), colon, first, more, bad;

	edge(n, skip, none_of("\n"), skip);
	edge(n, skip, one_of("\n"), line);
	edge(n, line, one_of("\n"), ended);
	edge(n, line, one_of("\r"), cr);
	edge(n, cr, one_of("\n"), ended);
	edge(n, cr, none_of("\n"), skip);
	edge(n, line, none_of("\r\n"), skip);
	for (size_t i = 0; i < LEN(headers); i++)
		header(n, line, headers[i].text, headers[i].attr);
	edge(n, word(n, line, "x-aliyun-ecs", true), one_of("-"), state(n, IMDS_W_H_ALIBABA));
	header_value(n, line, "metadata", "true", true, IMDS_W_H_METADATA);
	header_value(n, line, "authorization", "Bearer Oracle", false, IMDS_W_H_ORACLE);

	colon = header(n, line, "transfer-encoding", 0);
	edge(n, colon, none_of("\r\n"), colon);
	n->attr[word(n, colon, "chunked", true)] = IMDS_W_H_CHUNKED;

	colon = header(n, line, "content-length", 0);
	first = state(n, IMDS_A_LENGTH_FIRST | IMDS_W_H_LENGTH);
	more = state(n, IMDS_A_LENGTH);
	bad = state(n, IMDS_A_LENGTH_BAD);
	white(n, colon);
	edge(n, colon, digits(), first);
	edge(n, colon, none_of("0123456789 \t"), bad);
	edge(n, first, digits(), more);
	edge(n, more, digits(), more);
	edge(n, first, none_of("0123456789 \t\r\n"), bad);
	edge(n, more, none_of("0123456789 \t\r\n"), bad);
}

static void add_request(struct nfa *n, int start, int line, int skip)
{
	int target = state(n, 0), first = state(n, IMDS_A_PATH), segment1 = state(n, IMDS_A_PATH);
	int rest = state(n, IMDS_A_PATH), segment_n = state(n, IMDS_A_PATH);
	int query = state(n, 0), protocol = state(n, 0), authority, other = state(n, 0), slash;

	edge(n, start, one_of("\r\n"), start);		/* RFC 9112 2.2: empty lines before a request are ignored */
	for (size_t i = 0; i < LEN(methods); i++) {
		int behind = state(n, methods[i].attr << IMDS_A_METHOD_SHIFT);

		edge(n, word(n, start, methods[i].text, false), one_of(" "), behind);
		/* `target`, but with the method: what follows is told apart by the set, not by this state */
		edge(n, behind, one_of("/"), segment1);
		edge(n, behind, none_of("/\n"), target);
	}
	edge(n, start, token_chars(), other);
	edge(n, other, token_chars(), other);
	authority = state(n, (uint64_t)IMDS_METHOD_OTHER << IMDS_A_METHOD_SHIFT);
	edge(n, other, one_of(" "), authority);
	edge(n, authority, one_of("/"), segment1);
	edge(n, authority, none_of("/\n"), target);

	/* absolute form, RFC 9112 3.2.2: scheme and authority, then the path */
	edge(n, target, none_of("/ \r\n"), target);
	slash = state(n, 0);
	edge(n, target, one_of("/"), slash);
	authority = state(n, 0);
	edge(n, slash, one_of("/"), authority);
	edge(n, slash, none_of("/ \r\n"), target);
	edge(n, authority, none_of("/ \r\n"), authority);
	edge(n, authority, one_of("/"), segment1);
	edge(n, target, one_of(" "), protocol);
	edge(n, authority, one_of(" "), protocol);

	for (size_t i = 0; i < LEN(first_segments); i++)
		segment(n, segment1, first_segments[i].text, first_segments[i].attr);
	for (size_t i = 0; i < LEN(segments); i++)
		segment(n, segment_n, segments[i].text, segments[i].attr);
	const int inside[] = { segment1, first, segment_n, rest };

	for (int i = 0; i < 4; i++) {
		edge(n, inside[i], none_of("/?# \r\n"), i < 2 ? first : rest);
		edge(n, inside[i], one_of("/"), segment_n);
		edge(n, inside[i], one_of("?#"), query);
		edge(n, inside[i], one_of(" "), protocol);
		edge(n, inside[i], one_of("\r"), skip);
		edge(n, inside[i], one_of("\n"), line);
	}
	edge(n, query, none_of(" \r\n"), query);
	edge(n, query, one_of(" "), protocol);
	edge(n, query, one_of("\r"), skip);
	edge(n, query, one_of("\n"), line);
	n->attr[word(n, protocol, "HTTP/", false)] = IMDS_W_HTTP;
	edge(n, protocol, none_of("\n"), skip);
	edge(n, protocol, one_of("\n"), line);
}

static void add_response(struct nfa *n, int start, int line, int skip)
{
	int version = word(n, start, "HTTP/", false), blank = state(n, 0), at = blank;

	edge(n, start, one_of("\r\n"), start);
	n->attr[version] = IMDS_W_HTTP;
	edge(n, version, one_of("0123456789."), version);
	edge(n, version, one_of(" "), blank);
	for (int i = 0; i < 3; i++) {
		int digit = state(n, IMDS_A_STATUS);

		edge(n, at, digits(), digit);
		at = digit;
	}
	edge(n, at, one_of(" \t\r"), skip);
	edge(n, at, one_of("\n"), line);
}

/* --- DFA -------------------------------------------------------------------------------------------------------------- */

struct dfa {
	struct nfa nfa;
	struct set sets[SETS_MAX];
	int sets_len;
	int16_t by_hash[HASH_SIZE];	/* number of a set + 1, 0: free; open addressing */
	int first_edge[NFA_MAX + 1];	/* edges sorted by from: those of state s are [first_edge[s], first_edge[s + 1]) */
	uint8_t sample[IMDS_HTTP_CLASSES];	/* a byte of each class */
	int classes;
};

static int by_from(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->from - y->from;
}

/* Bytes that no edge tells apart share a class. */
static int make_classes(struct dfa *d, struct imds_http_table *t)
{
	const struct nfa *n = &d->nfa;

	for (int c = 0; c < 256; c++) {
		int class;

		for (class = 0; class < d->classes; class++) {
			int i;

			for (i = 0; i < n->edges_len; i++)
				if (bytes_has(&n->edges[i].on, c) != bytes_has(&n->edges[i].on, d->sample[class]))
					break;
			if (i == n->edges_len)
				break;
		}
		if (class == d->classes) {
			if (class == IMDS_HTTP_CLASSES)
				return -E2BIG;
			d->sample[d->classes++] = c;
		}
		t->class_of[c] = class;
	}
	return 0;
}

static uint64_t set_attr(const struct nfa *n, const struct set *s)
{
	uint64_t attr = 0, method = 0;

	for (int i = 0; i < n->states; i++) {
		uint64_t m;

		if (!(s->w[i / 64] >> (i % 64) & 1))
			continue;
		m = n->attr[i] >> IMDS_A_METHOD_SHIFT & IMDS_A_METHOD_MASK;
		attr |= n->attr[i] & ~((uint64_t)IMDS_A_METHOD_MASK << IMDS_A_METHOD_SHIFT);
		if (m && (!method || m < method))	/* a known method beats "other", the last one */
			method = m;
	}
	return attr | method << IMDS_A_METHOD_SHIFT;
}

/* Number of the DFA state for a set; -1 when the table is full. */
static int set_number(struct dfa *d, const struct set *s)
{
	uint64_t hash = 0;
	unsigned int at;

	for (int i = 0; i < SET_WORDS; i++)
		hash = (hash ^ s->w[i]) * 0x9e3779b97f4a7c15ull;
	for (at = hash >> 40; d->by_hash[at % HASH_SIZE]; at++)
		if (!memcmp(&d->sets[d->by_hash[at % HASH_SIZE] - 1], s, sizeof(*s)))
			return d->by_hash[at % HASH_SIZE] - 1;
	if (d->sets_len == SETS_MAX)
		return -1;
	d->sets[d->sets_len] = *s;
	d->by_hash[at % HASH_SIZE] = ++d->sets_len;
	return d->sets_len - 1;
}

static void set_add(struct set *s, int nfa_state)
{
	s->w[nfa_state / 64] |= 1ull << (nfa_state % 64);
}

static int determinize(struct dfa *d, struct imds_http_table *t, int ended)
{
	const struct nfa *n = &d->nfa;

	for (int i = 0; i < d->sets_len; i++) {
		t->attr[i] = set_attr(n, &d->sets[i]);
		for (int class = 0; class < d->classes; class++) {
			struct set next = { { 0 } };
			int number;

			for (int w = 0; w < SET_WORDS; w++)
				for (uint64_t bits = d->sets[i].w[w]; bits; bits &= bits - 1) {
					int s = w * 64 + __builtin_ctzll(bits);

					for (int e = d->first_edge[s]; e < d->first_edge[s + 1]; e++)
						if (bytes_has(&n->edges[e].on, d->sample[class]))
							set_add(&next, n->edges[e].to);
				}
			if (next.w[ended / 64] >> (ended % 64) & 1) {	/* nothing else matters then */
				memset(&next, 0, sizeof(next));
				set_add(&next, ended);
			}
			number = set_number(d, &next);
			if (number < 0)
				return -E2BIG;
			t->next[i * IMDS_HTTP_CLASSES + class] = number;
		}
	}
	return 0;
}

int http_table_compile(struct imds_http_table *ret_table, struct http_table_stats *ret_stats)
{
	struct set first[4] = { 0 };
	int ended, request, response, line, skip, err;
	struct dfa *d;
	struct nfa *n;

	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	n = &d->nfa;
	ended = state(n, IMDS_A_END);
	request = state(n, 0);
	response = state(n, 0);
	line = state(n, 0);
	skip = state(n, 0);
	add_headers(n, line, skip, ended);
	add_request(n, request, line, skip);
	add_response(n, response, line, skip);
	err = n->overflow ? -E2BIG : 0;
	if (err)
		goto out;
	qsort(n->edges, n->edges_len, sizeof(n->edges[0]), by_from);
	for (int i = 0, e = 0; i <= n->states; i++) {
		while (e < n->edges_len && n->edges[e].from < i)
			e++;
		d->first_edge[i] = e;
	}
	memset(ret_table, 0, sizeof(*ret_table));
	err = make_classes(d, ret_table);
	if (err)
		goto out;
	set_add(&first[IMDS_HTTP_ENDED], ended);	/* [IMDS_HTTP_DEAD] stays the empty set */
	set_add(&first[IMDS_HTTP_START_REQUEST], request);
	set_add(&first[IMDS_HTTP_START_RESPONSE], response);
	for (int i = 0; i < 4; i++)
		set_number(d, &first[i]);
	err = determinize(d, ret_table, ended);
	if (!err && ret_stats)
		*ret_stats = (struct http_table_stats){ d->sets_len, d->classes };
out:
	free(d);
	return err;
}
