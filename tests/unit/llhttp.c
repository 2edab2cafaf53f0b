/* SPDX-License-Identifier: GPL-2.0-only */
#include "llhttp.h"

#include <stdlib.h>
#include <string.h>

/* What llhttp refuses, and why we read on: the judge of a head is the server that answers it, not us. */
static struct {
	const char *error, *why;
	unsigned long met;
} refusals[] = {
	{ "UPGRADE", "CONNECT, a request to upgrade, 101: llhttp stops there, the rest may be anything", 0 },
	{ "CODING", "a coding that ends with no chunked, of a request or beside a length: llhttp reads on to the end, we go by the length",
	  0 },
	{ "CLOSE", "behind a message that closes the connection (HTTP/1.0, Connection: close) nothing is compared", 0 },
	{ "TAB",
	  "a tab behind chunked, NUL among codings: llhttp then does not know chunked, RFC 9110 5.6.3 skips the tab", 0 },
	{ "FOLD", "codings that go on in another line: the list's last one may be read otherwise", 0 },
	{ "BLANK",
	  "a blank before the colon of a length: leniently taken, RFC 9112 5.1 has servers refuse it; we skip the line",
	  0 },
	{ "CR", "CR within a status line: llhttp takes it for the line's end, we for a byte of the phrase", 0 },
	{ "VERSION",
	  "0.9 (or none) and 2.0 in the first line: nobody speaks them so; we want HTTP/, in an answer HTTP/1", 0 },
	{ "HPE_INVALID_HEADER_TOKEN",
	  "a byte that names and values may not have, a blank before the colon: we skip the line", 0 },
	{ "HPE_UNEXPECTED_SPACE", "a first header line that begins with a blank: we skip it", 0 },
	{ "HPE_INVALID_CONSTANT", "no HTTP/1 there: we are lost, or, where the phrase or version is odd, are not", 0 },
	{ "HPE_INVALID_METHOD", "a method that llhttp does not know, or the rest of a body of wrong length", 0 },
	{ "HPE_INVALID_VERSION", "we take what comes behind HTTP/, 1.10 too", 0 },
	{ "HPE_INVALID_URL", "we take any byte but blank and line end", 0 },
	{ "HPE_INVALID_STATUS", "other than three digits: we are lost too, or take the first three", 0 },
	{ "HPE_CR_EXPECTED", "LF alone: strictly refused, by most servers taken (RFC 9112 2.2)", 0 },
	{ "HPE_LF_EXPECTED", "CR within a line: we take it for a byte of that line", 0 },
	{ "HPE_STRICT", "the same in a chunked body", 0 },
	{ "HPE_INVALID_CHUNK_SIZE", "what is no size: we are lost too, or take what is behind digits for an extension",
	  0 },
	{ "HPE_UNEXPECTED_CONTENT_LENGTH", "a length twice, or with a coding: the coding counts, of lengths the last", 0 },
	{ "HPE_INVALID_CONTENT_LENGTH", "no number: we take the head to have none", 0 },
	{ "HPE_INVALID_TRANSFER_ENCODING", "chunked is not the last coding", 0 },
	{ "HPE_CLOSED_CONNECTION", "more behind the last message: we go on", 0 },
};

/* Values that must be one word: we look at their first line alone. */
#define FOLDED_WORDS (IMDS_W_H_METADATA | IMDS_W_H_ORACLE)
static unsigned long folded;
static unsigned long agreed, conversations;

bool llhttp_is_there(void)
{
	/* NOLINTNEXTLINE(cert-env33-c): a constant */
	return !system(
	    "node -e 'process.noDeprecation = true; process.binding(\"http_parser\").HTTPParser.kLenientAll && "
	    "parseInt(process.versions.llhttp) >= 9 || process.exit(1)' >/dev/null 2>&1");
}

FILE *llhttp_open(unsigned long messages, unsigned long seed)
{
	char command[128];

	if (!llhttp_is_there())
		return NULL;
	snprintf(command, sizeof(command), "node tests/lib/llhttp.js %lu %lu", messages, seed);
	return popen(command, "r"); /* NOLINT(cert-env33-c) */
}

int llhttp_close(FILE *f)
{
	char rest[4096];

	while (fread(rest, sizeof(rest), 1, f))
		;
	return pclose(f);
}

static void must_read(FILE *f, void *to, size_t len)
{
	if (len && fread(to, len, 1, f) != 1) {
		fprintf(stderr, "the stream of conversations ends early\n");
		abort();
	}
}

static uint32_t le32(const uint8_t *b)
{
	return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

bool llhttp_next(FILE *f, struct llhttp_conversation *ret)
{
	uint8_t head[24], b[16];

	if (fread(head, 1, 1, f) != 1)
		return false;
	must_read(f, head + 1, sizeof(head) - 1);
	ret->id = le32(head + 4);
	ret->answers = head[8];
	ret->len = head[9];
	ret->rest = head[10];
	ret->client_len = le32(head + 12);
	ret->service_len = le32(head + 16);
	if (memcmp(head, "Http", 4) || ret->len > LLHTTP_MESSAGES || head[11] >= sizeof(ret->error) ||
	    ret->client_len > LLHTTP_BYTES || ret->service_len > LLHTTP_BYTES)
		abort();
	must_read(f, ret->error, head[11]);
	ret->error[head[11]] = '\0';
	must_read(f, ret->client, ret->client_len);
	must_read(f, ret->service, ret->service_len);
	for (int i = 0; i < ret->len; i++) {
		struct llhttp_message *m = &ret->messages[i];

		must_read(f, b, sizeof(b));
		*m = (struct llhttp_message){ .length = le32(b), .words = le32(b + 4), .status = b[8] | b[9] << 8 };
		m->method = b[10];
		m->kind = b[11];
		m->path_len = b[12];
		m->any_length = b[13] & 1;
		m->folded = b[13] & 2;
		if (m->path_len >= IMDS_PATH_LEN)
			abort();
		must_read(f, m->path, m->path_len);
	}
	return true;
}

static char wrong[512];

static const char *differ(int i, const char *what, unsigned long ours, unsigned long theirs)
{
	snprintf(wrong, sizeof(wrong), "message %d: %s is %#lx, by llhttp %#lx", i, what, ours, theirs);
	return wrong;
}

static const char *judge_message(const struct llhttp_conversation *c, int i, const struct imds_request *q)
{
	const struct llhttp_message *m = &c->messages[i];
	uint32_t differs;

	if (c->answers) {
		if (q->status != m->status)
			return differ(i, "the status", q->status, m->status);
		if (m->any_length)
			return NULL;
		if (q->end != IMDS_END_ANSWERED)
			return differ(i, "the end", q->end, IMDS_END_ANSWERED);
		return q->bytes_in != m->length ? differ(i, "the length", q->bytes_in, m->length) : NULL;
	}
	if (!m->any_length && q->bytes_out != m->length)
		return differ(i, "the length", q->bytes_out, m->length);
	if (q->method != m->method)
		return differ(i, "the method", q->method, m->method);
	differs = q->words ^ m->words;
	if (m->folded && differs && !(differs & ~FOLDED_WORDS)) {
		folded++;
		differs = 0;
	}
	if (differs)
		return differ(i, "what of words differs", q->words & ~m->words, m->words & ~q->words);
	if (q->kind != m->kind)
		return differ(i, "the kind", q->kind, m->kind);
	if (q->path_len != m->path_len || memcmp(q->path, m->path, m->path_len)) {
		snprintf(wrong, sizeof(wrong), "message %d: the path is '%s', by llhttp '%s'", i, q->path, m->path);
		return wrong;
	}
	return NULL;
}

static const char *judge_rest(const struct llhttp_conversation *c, size_t len)
{
	if (c->rest == LLHTTP_REFUSED) {
		for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
			if (!strcmp(refusals[i].error, c->error)) {
				refusals[i].met++;
				return NULL;
			}
		snprintf(wrong, sizeof(wrong), "llhttp refuses it with %s, which no row of the list explains", c->error);
		return wrong;
	}
	if (!c->answers && len != c->len + (size_t)(c->rest == LLHTTP_WITHIN))
		return differ(c->len, "the number of requests", len, c->len + (c->rest == LLHTTP_WITHIN));
	return NULL;
}

const char *llhttp_judge(const struct llhttp_conversation *c, const struct imds_request *requests, size_t len)
{
	const char *what;

	conversations++;
	if (len == 1 && requests[0].kind == IMDS_KIND_CONNECT_ONLY)
		len = 0;
	for (int i = 0; i < c->len; i++) {
		if ((size_t)i >= len)
			return differ(i, "the number of requests", len, c->len);
		what = judge_message(c, i, &requests[i]);
		if (what)
			return what;
		agreed++;
	}
	return judge_rest(c, len);
}

void llhttp_print_counts(FILE *f)
{
	fprintf(f, "%lu messages of %lu conversations are read as llhttp reads them; the rest of the list:\n", agreed,
		conversations);
	fprintf(f, "%8lu folded values: a value that must be one word is looked for in its first line\n", folded);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		fprintf(f, "%8lu %s: %s\n", refusals[i].met, refusals[i].error, refusals[i].why);
}
