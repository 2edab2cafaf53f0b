/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP heads matched by a table: one DFA step a byte. Compiles for BPF and for user space.
 *
 * user/kernel/http_table.c compiles the words into the table; the loader writes it into rodata before load. The state
 * of a head lives in struct imds_scan, so a head may be cut at any byte. What a scan keeps, and nothing else: method,
 * words, path without query, Content-Length; of an answer its status. Header values and bodies are never stored.
 *
 * A fresh scan is all zero but for .state = IMDS_HTTP_START_REQUEST or _RESPONSE. The head is over when
 * imds_scan_ended(); imds_body_begin() then says how its body ends. What follows is body or the next head (the caller
 * starts a fresh scan). Bytes that are no HTTP lead to IMDS_HTTP_DEAD, where the scan stays.
 *
 * A chunked body (RFC 9112 7.1) is scanned by the same table, size line by size line: IMDS_W_BODY is set in words, each
 * size stops the scan in IMDS_HTTP_CHUNK_DATA with the bytes that follow in body_left, imds_body_skip() goes over them,
 * and the end of the trailers is IMDS_HTTP_ENDED again.
 */
#ifndef IMDSNOOP_HTTP_SCAN_H
#define IMDSNOOP_HTTP_SCAN_H

#include "imdsnoop.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#define IMDS_HTTP_STATES 512
#define IMDS_HTTP_CLASSES 64
#define IMDS_HTTP_ROW (2 * IMDS_HTTP_CLASSES) /* bytes of a state's row of next states */

/* A state is where its row begins, in bytes, and what there is to do, so that most bytes need no other load. */
#define IMDS_S_PATH (1u << 0)  /* on entering: the byte belongs to the path */
#define IMDS_S_ATTR (1u << 1)  /* on entering: attr[state / IMDS_HTTP_ROW] */
#define IMDS_S_USUAL (1u << 2) /* on leaving: usual[state / IMDS_HTTP_ROW] may spare eight bytes */

/* The compiler gives these states these rows. */
#define IMDS_HTTP_DEAD 0				  /* not HTTP */
#define IMDS_HTTP_ENDED (1 * IMDS_HTTP_ROW | IMDS_S_ATTR) /* behind the empty line */
#define IMDS_HTTP_START_REQUEST (2 * IMDS_HTTP_ROW | IMDS_S_USUAL)
#define IMDS_HTTP_START_RESPONSE (3 * IMDS_HTTP_ROW | IMDS_S_USUAL)
#define IMDS_HTTP_ANY \
	(4 * IMDS_HTTP_ROW) /* in a header line that says nothing more: up to its LF bytes can be skipped */
#define IMDS_HTTP_CHUNK_SIZE (5 * IMDS_HTTP_ROW)	       /* ahead of a chunk's size */
#define IMDS_HTTP_CHUNK_DATA (6 * IMDS_HTTP_ROW | IMDS_S_ATTR) /* behind the line with its size */
#define IMDS_HTTP_CHUNK_NEXT (7 * IMDS_HTTP_ROW)	       /* behind its data: an empty line, then the next size */

/* attr[state / IMDS_HTTP_ROW]: what is done on entering the state. Low half: IMDS_W_* to set; high half: */
#define IMDS_A_METHOD_SHIFT 32
#define IMDS_A_METHOD_MASK 7u		 /* enum imds_method, 0: none */
#define IMDS_A_PATH (1ull << 35)	 /* the compiler's own: IMDS_S_PATH */
#define IMDS_A_STATUS (1ull << 36)	 /* a digit of the status */
#define IMDS_A_LENGTH (1ull << 37)	 /* a digit of Content-Length */
#define IMDS_A_LENGTH_FIRST (1ull << 38) /* the first one: the last Content-Length of a head counts */
#define IMDS_A_LENGTH_BAD (1ull << 39)	 /* it is no number: the head has none, so far */
#define IMDS_A_CHUNKED_BAD (1ull << 40)	 /* another Transfer-Encoding: the last one counts */
#define IMDS_A_END (1ull << 43)		 /* the byte ends the head, the line with a chunk's size, the trailers */
#define IMDS_A_CHUNK (1ull << 41)	 /* it was a chunk's size */
#define IMDS_A_HEX (1ull << 42)		 /* a digit of a chunk's size */
#define IMDS_A_NUMBER (IMDS_A_LENGTH | IMDS_A_LENGTH_FIRST | IMDS_A_LENGTH_BAD | IMDS_A_HEX)
/* of the same kind, shifted down by 32: words to take away */
#define IMDS_A_AWAY (IMDS_W_H_LENGTH | IMDS_W_H_CHUNKED)
_Static_assert(IMDS_A_LENGTH_BAD >> 32 == IMDS_W_H_LENGTH && IMDS_A_CHUNKED_BAD >> 32 == IMDS_W_H_CHUNKED,
	       "words to take away");

#define IMDS_LENGTH_MAX 0xfffffff0u /* longer bodies are taken for this long */
#define IMDS_BODY_UNTIL_CLOSE 0xffffffffu
#define IMDS_W_BODY (1u << 31) /* of struct imds_scan alone: the head is over, this is a chunked body */

/*
 * Eight bytes that often come in a state, and all that they do: taken at once instead of by eight steps. It is always what
 * the steps would do; the text of usual words in user/kernel/http_table.c decides what is fast, never what is found.
 */
struct imds_http_usual {
	__u64 word; /* what must come, first byte lowest, none of it NUL, ... */
	__u64 fold; /* ... with these bits set: a letter in any case */
	__u32 words;
	__u16 next;
	__u16 status; /* 0: none of it is */
	__u8 method;
	__u8 path_shift; /* its path_len bytes of path begin behind so many bits */
	__u8 path_len;
	__u8 other; /* place behind those of the states of another such word, 0: none */
	__u8 pad[4];
};
#define IMDS_HTTP_OTHERS 64
#define IMDS_HTTP_TRIES 4 /* words for one state */

/*
 * What each byte waits for is the row that the byte before found, so that this way is one addition and one load: rows
 * and columns are offsets, and no index is masked. Any __u16 for a row and any __u8 for a column stay inside the table
 * in this order of its members, which is all that the verifier asks.
 */
struct imds_http_table {
	__u16 next[IMDS_HTTP_STATES * IMDS_HTTP_CLASSES]; /* at state + column_of[byte] */
	__u64 attr[IMDS_HTTP_STATES];
	__u8 column_of[256]; /* byte -> 2 * class: where in a row */
	struct imds_http_usual usual[IMDS_HTTP_STATES + IMDS_HTTP_OTHERS];
};
_Static_assert(sizeof(struct imds_http_usual) == 32, "usual word is ABI");
_Static_assert(sizeof(struct imds_http_table) == 65536 + 4096 + 256 + 18432, "table is ABI");

static __always_inline int imds_scan_ended(const struct imds_scan *s)
{
	return s->state == IMDS_HTTP_ENDED;
}

/*
 * The length so far, and a byte more of it; what: the high half of attr. Without a branch, since the verifier looks at this
 * for each byte.
 */
static __always_inline __u32 imds_length_step(__u32 length, __u32 what, __u32 c)
{
	__u32 bad = what / (IMDS_A_LENGTH_BAD >> 32) & 1, first = what / (IMDS_A_LENGTH_FIRST >> 32) & 1;
	__u32 base = 10 + (what / (IMDS_A_HEX >> 32) & 1) * 6;
	__u64 n = (__u64)length * (base * ((bad | first) ^ 1)) + ((c & 15) + (c >> 6) * 9) * (bad ^ 1);
	__u64 over = n + (__u32)~IMDS_LENGTH_MAX;

	over = -(over >> 32) >> 32; /* all ones when it is longer than IMDS_LENGTH_MAX */
	return (n | over) & ~(over & ~IMDS_LENGTH_MAX);
}

/*
 * The head was read: how the body ends. RFC 9112 6.3. none: an answer without one, whatever it says. Returns false when
 * there is no body.
 */
static __always_inline int imds_body_begin(struct imds_scan *s, int answer, int none)
{
	s->body_left = 0;
	if (none)
		return 0;
	if (s->words & IMDS_W_H_CHUNKED) {
		s->words |= IMDS_W_BODY;
		s->state = IMDS_HTTP_CHUNK_SIZE;
		s->length = 0;
		return 1;
	}
	s->body_left = s->words & IMDS_W_H_LENGTH ? s->length : answer ? IMDS_BODY_UNTIL_CLOSE : 0;
	return s->body_left != 0;
}

/* Goes over body bytes, len at most: returns how many. */
static __always_inline __u32 imds_body_skip(struct imds_scan *s, __u32 len)
{
	__u32 left = s->body_left;

	if (left == IMDS_BODY_UNTIL_CLOSE)
		return len;
	if (left > len) {
		s->body_left = left - len;
		return len;
	}
	s->body_left = 0;
	if (s->words & IMDS_W_BODY) {
		s->state = IMDS_HTTP_CHUNK_NEXT;
		s->length = 0;
	}
	return left;
}

/* Bytes of a chunked body were scanned: more than nothing is left. False: its last byte was seen. */
static __always_inline int imds_body_scanned(struct imds_scan *s)
{
	if (s->state == IMDS_HTTP_CHUNK_DATA)
		s->body_left = s->length;
	return s->state != IMDS_HTTP_ENDED;
}

/*
 * One byte. state and words are the caller's copies of those of s, kept in registers while it has bytes. *len becomes 0
 * at the end of the head. path (IMDS_PATH_LEN bytes, zeroed by the caller) is NULL, known at compile time, in an
 * answer, where a status has the place of path_len and method. Returns the next state.
 *
 * The verifier looks at this once for each byte of the caller's loop, and keeps each branch pending for all of them,
 * 8192 at most: keep the loop to some 64 bytes, in a global function, verified once however often it is called.
 */
static __always_inline __u32 imds_scan_step(const volatile struct imds_http_table *t, struct imds_scan *s, char *path,
					    __u32 state, __u32 *words, __u32 *len, __u8 c)
{
	const volatile __u8 *cell;
	__u32 n = state ^ IMDS_HTTP_ANY;
	__u64 attr;

	barrier_var(n); /* the verifier shall not learn the state here, and go on with one way more */
	if (!n && c != '\n')
		return state;
	cell = (const volatile __u8 *)t->next + t->column_of[c];
	barrier_var(cell);
	state = *(const volatile __u16 *)(cell + (state & -IMDS_HTTP_ROW & 0xffff));
	if (path && (state & IMDS_S_PATH)) {
		n = s->path_len;
		barrier_var(n);
		if (n < IMDS_PATH_LEN - 1) {
			path[n] = c;
			s->path_len = n + 1;
		}
	}
	if (!(state & IMDS_S_ATTR))
		return state;
	attr = t->attr[state / IMDS_HTTP_ROW & (IMDS_HTTP_STATES - 1)];
	*words = (*words & ~(__u32)(attr >> 32 & IMDS_A_AWAY)) | (__u32)attr;
	if (path)
		s->method |= attr >> IMDS_A_METHOD_SHIFT & IMDS_A_METHOD_MASK;
	else if (attr & IMDS_A_STATUS)
		s->status = s->status * 10 + (c & 15);
	if (attr & IMDS_A_NUMBER)
		s->length = imds_length_step(s->length, attr >> 32, c);
	if (attr & IMDS_A_END)
		*len = 0;
	return state;
}

/* Eight bytes at once, if they are usual ones; the arguments are those of imds_scan_step(). Returns whether they were. */
static __always_inline int imds_scan_usual(const volatile struct imds_http_table *t, struct imds_scan *s, char *path,
					   __u32 *state, __u32 *words, __u64 w)
{
	const volatile struct imds_http_usual *u = &t->usual[*state / IMDS_HTTP_ROW & (IMDS_HTTP_STATES - 1)];
	__u32 n, left;

	if (!(*state & IMDS_S_USUAL))
		return 0;
	for (int i = 1; i < IMDS_HTTP_TRIES; i++) {
		if ((w | u->fold) == u->word)
			break;
		n = u->other & (IMDS_HTTP_OTHERS - 1);
		if (!n)
			return 0;
		u = &t->usual[IMDS_HTTP_STATES + n];
	}
	if ((w | u->fold) != u->word)
		return 0;
	if (path && u->path_len) {
		n = s->path_len;
		barrier_var(n);
		if (n > IMDS_PATH_LEN - 1 - sizeof(w))
			return 0;
		left = 64 - u->path_len * 8;
		w = w >> (u->path_shift & 63) << (left & 63) >> (left & 63);
#ifdef __bpf__
		*(__u64 *)(path + n) = w;
#else
		__builtin_memcpy(path + n, &w, sizeof(w));
#endif
		s->path_len = n + u->path_len;
	}
	*words |= u->words;
	if (path)
		s->method |= u->method;
	else if (u->status)
		s->status = u->status;
	*state = u->next;
	return 1;
}

#ifndef __bpf__
/* Scans buf[start, len), stops behind the byte that ends the head. Returns the index behind the last byte looked at. */
static inline __u32 imds_scan_bytes(const struct imds_http_table *t, struct imds_scan *s, char *path, const __u8 *buf,
				    __u32 start, __u32 len)
{
	__u32 i = start, state = s->state;
	__u64 w;

	while (i < len) {
		if (len - i >= sizeof(w)) {
			__builtin_memcpy(&w, buf + i, sizeof(w));
			if (imds_scan_usual(t, s, path, &state, &s->words, w)) {
				i += sizeof(w);
				continue;
			}
		}
		state = imds_scan_step(t, s, path, state, &s->words, &len, buf[i++]);
	}
	s->state = state;
	return i;
}
#endif

/* The class of an answer's status; 0: none was seen. */
static __always_inline enum imds_status_class imds_status_class(__u16 status)
{
	switch (status) {
	case 0:
		return IMDS_STATUS_NONE;
	case 401:
		return IMDS_STATUS_401;
	case 403:
		return IMDS_STATUS_403;
	case 404:
		return IMDS_STATUS_404;
	case 429:
		return IMDS_STATUS_429;
	}
	if (status >= 200 && status < 300)
		return IMDS_STATUS_2XX;
	if (status >= 400 && status < 500)
		return IMDS_STATUS_4XX;
	if (status >= 500 && status < 600)
		return IMDS_STATUS_5XX;
	return IMDS_STATUS_OTHER;
}

#define IMDS_W_P_ROOTS                                                                                       \
	(IMDS_W_P_EC2 | IMDS_W_P_GCE | IMDS_W_P_AZURE | IMDS_W_P_OPENSTACK | IMDS_W_P_ORACLE | IMDS_W_P_V1 | \
	 IMDS_W_P_IBM)

static __always_inline int imds_has(__u32 words, __u32 all)
{
	return (words & all) == all;
}

/* What a request asks for. */
static __always_inline enum imds_kind imds_request_kind(enum imds_method method, __u32 words, __u8 endpoint_class)
{
	if (endpoint_class == IMDS_EP_ECS || endpoint_class == IMDS_EP_EKS) {
		if (words & IMDS_W_P_CREDENTIALS)
			return IMDS_KIND_CREDENTIALS;
		return endpoint_class == IMDS_EP_ECS && (words & IMDS_W_HTTP) ? IMDS_KIND_DATA : IMDS_KIND_OTHER;
	}
	if (method == IMDS_METHOD_PUT && (imds_has(words, IMDS_W_P_EC2 | IMDS_W_P_API | IMDS_W_P_TOKEN) ||
					  imds_has(words, IMDS_W_P_V1 | IMDS_W_P_TOKEN) || /* Akamai */
					  imds_has(words, IMDS_W_P_IBM | IMDS_W_P_TOKEN)))
		return IMDS_KIND_TOKEN;
	if (imds_has(words, IMDS_W_P_EC2 | IMDS_W_P_SECURITY_CREDS) ||
	    imds_has(words, IMDS_W_P_GCE | IMDS_W_P_SERVICE_ACCTS | IMDS_W_P_TOKEN) ||
	    imds_has(words, IMDS_W_P_AZURE | IMDS_W_P_IDENTITY) || imds_has(words, IMDS_W_P_IBM | IMDS_W_P_CREDENTIALS))
		return IMDS_KIND_CREDENTIALS;
	if (!(words & IMDS_W_P_ROOTS))
		return IMDS_KIND_OTHER;
	if (words & (IMDS_W_P_IDENTITY | IMDS_W_P_ATTESTED))
		return IMDS_KIND_IDENTITY;
	if (words & IMDS_W_P_USER_DATA)
		return IMDS_KIND_USER_DATA;
	return IMDS_KIND_DATA;
}

/* The notion applies to token requests and to EC2's paths, where EC2's protocol can be spoken. */
static __always_inline enum imds_version imds_request_version(enum imds_method method, __u32 words, __u8 endpoint_class,
							      enum imds_kind kind)
{
	if (kind == IMDS_KIND_TOKEN)
		return IMDS_VERSION_V2;
	if (!(words & IMDS_W_P_EC2) || endpoint_class == IMDS_EP_ECS || endpoint_class == IMDS_EP_EKS)
		return IMDS_VERSION_NONE;
	if (words & IMDS_W_H_TOKEN)
		return IMDS_VERSION_V2;
	return method == IMDS_METHOD_GET || method == IMDS_METHOD_HEAD ? IMDS_VERSION_V1 : IMDS_VERSION_NONE;
}

#define PORT_HTTP 80
#define PORT_DNS 53
#define PORT_HTTPS 443

/* Not HTTP, or hidden: a request is what goes out until an answer comes. */
static __always_inline int imds_port_is_opaque(__u16 port)
{
	return port == PORT_DNS || port == PORT_HTTPS;
}

/* What the scan read of the head, into the request. Without "HTTP/" behind it a path is anybody's bytes: not kept. */
static __always_inline void imds_request_take(struct imds_request *r, const struct imds_scan *s)
{
	r->words = s->words;
	r->path_len = s->path_len;
	r->method = s->method;
	if (!(s->words & IMDS_W_HTTP)) {
		r->path_len = 0;
		__builtin_memset(r->path, 0, sizeof(r->path));
	}
}

/*
 * What the request asks for, as far as its head was read: all of it behind the request line, but for a late token header.
 * given_port: the user named the port.
 */
static __always_inline void imds_request_know(struct imds_request *r, const struct imds_scan *s, __u16 port,
					      __u8 endpoint_class, int given_port)
{
	imds_request_take(r, s);
	r->kind = port == PORT_DNS ? IMDS_KIND_DNS : imds_request_kind(r->method, r->words, endpoint_class);
	r->version = imds_request_version(r->method, r->words, endpoint_class, r->kind);
	if (r->version == IMDS_VERSION_V1 && !(r->flags & IMDS_F_HEAD_COMPLETE))
		r->version = IMDS_VERSION_UNKNOWN;
	/* some other server at a link-local address: the hop limit is the service's own, which has one port */
	if (r->kind == IMDS_KIND_TOKEN && port != PORT_HTTP && !given_port)
		r->kind = IMDS_KIND_OTHER;
}

#endif
