/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "../../bpf/http_scan.h"
#include "http_reference.h"

struct cursor {
	const uint8_t *buf;
	size_t at, len;
};

static size_t find(const struct cursor *c, size_t from, size_t to, const char *stops)
{
	while (from < to && !(c->buf[from] && strchr(stops, c->buf[from])))
		from++;
	return from;
}

static bool equals(const uint8_t *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

static bool equals_fold(const uint8_t *text, size_t len, const char *word)
{
	if (len != strlen(word))
		return false;
	for (size_t i = 0; i < len; i++)
		if (tolower(text[i]) != tolower((unsigned char)word[i]))
			return false;
	return true;
}

static bool starts_fold(const uint8_t *text, size_t len, const char *word)
{
	return len >= strlen(word) && equals_fold(text, strlen(word), word);
}

static bool is_date(const uint8_t *t, size_t len)
{
	if (len != 10 || t[0] != '2' || t[1] != '0' || t[4] != '-' || t[7] != '-')
		return false;
	for (size_t i = 2; i < len; i++)
		if (i != 4 && i != 7 && !isdigit(t[i]))
			return false;
	return true;
}

static uint32_t first_segment(const uint8_t *t, size_t len)
{
	if (equals(t, len, "latest") || equals(t, len, "1.0") || is_date(t, len))
		return IMDS_W_P_EC2;
	if (equals(t, len, "computeMetadata"))
		return IMDS_W_P_GCE;
	if (equals(t, len, "metadata"))
		return IMDS_W_P_AZURE;
	if (equals(t, len, "openstack"))
		return IMDS_W_P_OPENSTACK;
	if (equals(t, len, "opc"))
		return IMDS_W_P_ORACLE;
	if (equals(t, len, "instance_identity") || equals(t, len, "identity"))
		return IMDS_W_P_IBM;
	return equals(t, len, "v1") ? IMDS_W_P_V1 : 0;
}

static uint32_t any_segment(const uint8_t *t, size_t len)
{
	if (equals(t, len, "token"))
		return IMDS_W_P_TOKEN;
	if (equals(t, len, "security-credentials"))
		return IMDS_W_P_SECURITY_CREDS;
	if (equals(t, len, "credentials") || equals(t, len, "iam_token"))
		return IMDS_W_P_CREDENTIALS;
	if (equals(t, len, "instance-identity") || equals(t, len, "identity"))
		return IMDS_W_P_IDENTITY;
	if (equals(t, len, "attested"))
		return IMDS_W_P_ATTESTED;
	if (equals(t, len, "user-data") || equals(t, len, "user_data") || equals(t, len, "userdata"))
		return IMDS_W_P_USER_DATA;
	if (equals(t, len, "meta-data") || equals(t, len, "dynamic"))
		return IMDS_W_P_META_DATA;
	return equals(t, len, "service-accounts") ? IMDS_W_P_SERVICE_ACCTS : 0;
}

static void parse_path(const struct cursor *c, size_t from, size_t target_end, struct http_reference *r)
{
	size_t to = find(c, from, target_end, "?#"), end;
	uint32_t first = 0;
	int index = 0;

	for (size_t i = to + 1; i + 20 <= target_end; i++)
		if (!memcmp(c->buf + i, "wait_for_change", 15) && !strncasecmp((const char *)c->buf + i + 16, "true", 4))
			r->words |= IMDS_W_Q_WAIT;
	r->path_len = to - from < IMDS_PATH_LEN - 1 ? to - from : IMDS_PATH_LEN - 1;
	memcpy(r->path, c->buf + from, r->path_len);
	for (; from < to; from = end) {
		end = find(c, from, to, "/");
		if (end == from) {
			end++;
			continue;
		}
		if (end == c->len || c->buf[end] == '\r' || c->buf[end] == '\n')
			return; /* not known to be whole */
		if (index == 0)
			r->words |= first = first_segment(c->buf + from, end - from);
		if (index == 1 && (first & IMDS_W_P_EC2) && equals(c->buf + from, end - from, "api"))
			r->words |= IMDS_W_P_API;
		r->words |= any_segment(c->buf + from, end - from);
		index++;
	}
}

/* v may run over folded lines. A list's last number counts; anything that is no number makes it none. */
static void parse_length(const uint8_t *v, size_t len, struct http_reference *r)
{
	bool digits = false, ended = false; /* since the last comma: digits; a blank behind them */

	for (size_t i = 0; i < len; i++) {
		bool lf = v[i] == '\n' || (v[i] == '\r' && i + 1 < len && v[i + 1] == '\n');

		if (isdigit(v[i]) && !ended) {
			uint64_t length = digits ? (uint64_t)r->length * 10 + v[i] - '0' : (uint64_t)(v[i] - '0');

			r->length = length > IMDS_LENGTH_MAX ? IMDS_LENGTH_MAX : length;
			digits = true;
		} else if (v[i] == ',' && digits) {
			digits = ended = false;
		} else if (v[i] == ' ' || v[i] == '\t') {
			ended = digits;
		} else if (v[i] == '\r' && i + 1 == len) {
			return; /* nobody knows yet */
		} else if (v[i] == '\r' && !lf && !digits) {
			return;
		} else if (lf) {
			i += v[i] == '\r';
			if (digits)
				r->words |= IMDS_W_H_LENGTH;
		} else {
			r->words &= ~IMDS_W_H_LENGTH;
			r->length = 0;
			return;
		}
	}
}

/* The last coding of the value is chunked, and its line whole. */
static void parse_coding(const uint8_t *v, size_t len, struct http_reference *r)
{
	r->words &= ~IMDS_W_H_CHUNKED;
	for (size_t i = 0; i < len; i++) {
		if (v[i] == '\n') {
			size_t end = i;

			if (i && v[i - 1] == '\r')
				end--;
			while (end && (v[end - 1] == ' ' || v[end - 1] == '\t'))
				end--;
			if (end >= 7 && starts_fold(v + end - 7, 7, "chunked")) {
				size_t b = end - 7;

				while (b && v[b - 1] && strchr(" \t\r\n", v[b - 1]))
					b--;
				if (!b || v[b - 1] == ',')
					r->words |= IMDS_W_H_CHUNKED;
			}
		}
	}
}

static bool value_is(const uint8_t *v, size_t len, const char *word, bool fold)
{
	if (len && v[len - 1] == '\r')
		len--;
	while (len && (v[len - 1] == ' ' || v[len - 1] == '\t'))
		len--;
	while (len && (*v == ' ' || *v == '\t'))
		v++, len--;
	return fold ? equals_fold(v, len, word) : equals(v, len, word);
}

/* One header line without its '\n'; whole: the '\n' was there; folded: its length with '\n' and the lines folded into it. */
static void parse_header(const uint8_t *line, size_t len, bool whole, size_t folded, struct http_reference *r)
{
	const uint8_t *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : 0;
	const uint8_t *v = line + name + !!colon;
	size_t v_len = len - (v - line);

	if (starts_fold(line, len, "x-aliyun-ecs-"))
		r->words |= IMDS_W_H_ALIBABA;
	if (!colon)
		return;
	if (equals_fold(line, name, "x-aws-ec2-metadata-token") ||
	    equals_fold(line, name, "x-aliyun-ecs-metadata-token") || equals_fold(line, name, "metadata-token"))
		r->words |= IMDS_W_H_TOKEN;
	if (equals_fold(line, name, "x-aws-ec2-metadata-token-ttl-seconds") ||
	    equals_fold(line, name, "x-aliyun-ecs-metadata-token-ttl-seconds") ||
	    equals_fold(line, name, "metadata-token-expiry-seconds"))
		r->words |= IMDS_W_H_TOKEN_TTL;
	if (equals_fold(line, name, "metadata-flavor"))
		r->words |= IMDS_W_H_FLAVOR;
	if (equals_fold(line, name, "x-forwarded-for"))
		r->words |= IMDS_W_H_FORWARDED;
	if (whole && equals_fold(line, name, "metadata") && value_is(v, v_len, "true", true))
		r->words |= IMDS_W_H_METADATA;
	if (whole && equals_fold(line, name, "authorization") && value_is(v, v_len, "Bearer Oracle", false))
		r->words |= IMDS_W_H_ORACLE;
	if (equals_fold(line, name, "transfer-encoding"))
		parse_coding(v, folded - (v - line), r);
	if (equals_fold(line, name, "content-length"))
		parse_length(v, folded - (v - line), r);
}

static void parse_headers(struct cursor *c, struct http_reference *r)
{
	while (c->at < c->len) {
		size_t end = find(c, c->at, c->len, "\n"), len = end - c->at;
		bool whole = end < c->len;
		size_t folded = end + whole;

		if (whole && (!len || (len == 1 && c->buf[c->at] == '\r'))) {
			r->ended = true;
			r->end = end + 1;
			return;
		}
		while (folded < c->len && c->buf[folded - 1] == '\n' && (c->buf[folded] == ' ' || c->buf[folded] == '\t'))
			folded = find(c, folded, c->len, "\n") + 1;
		if (folded > c->len)
			folded = c->len;
		parse_header(c->buf + c->at, len, whole, folded - c->at, r);
		c->at = end + whole;
	}
}

/* The rest of the first line. */
static void parse_line_rest(struct cursor *c, struct http_reference *r)
{
	c->at = find(c, c->at, c->len, "\n");
	if (c->at == c->len)
		return;
	c->at++;
	r->words |= IMDS_W_HTTP;
	parse_headers(c, r);
}

/* 1: word is next; 0: bytes ran out before it could differ; -1: something else is. */
static int take(struct cursor *c, const char *word)
{
	size_t left = c->len - c->at, len = strlen(word), n = left < len ? left : len;

	if (memcmp(c->buf + c->at, word, n))
		return -1;
	c->at += n;
	return n == len;
}

static void parse_request(struct cursor *c, struct http_reference *r)
{
	static const char *const methods[] = {
		[IMDS_METHOD_GET] = "GET", [IMDS_METHOD_PUT] = "PUT", [IMDS_METHOD_HEAD] = "HEAD", [IMDS_METHOD_POST] = "POST"
	};
	size_t from = c->at, end, path;

	while (c->at < c->len && (isalnum(c->buf[c->at]) || c->buf[c->at] == '-' || c->buf[c->at] == '_'))
		c->at++;
	if (c->at == c->len)
		return;
	if (c->at == from || c->buf[c->at] != ' ') {
		r->dead = true;
		return;
	}
	r->method = IMDS_METHOD_OTHER;
	for (enum imds_method m = IMDS_METHOD_GET; m <= IMDS_METHOD_POST; m++)
		if (equals(c->buf + from, c->at - from, methods[m]))
			r->method = m;
	while (c->at < c->len && c->buf[c->at] == ' ')
		c->at++;
	from = c->at;
	end = find(c, from, c->len, " \r\n");
	path = end;
	if (from < end && c->buf[from] == '/')
		path = from;
	else if (starts_fold(c->buf + from, end - from, "http://"))
		path = find(c, from + 7, end, "/?#");
	else if (starts_fold(c->buf + from, end - from, "https://"))
		path = find(c, from + 8, end, "/?#");
	if (path < end && c->buf[path] == '/')
		parse_path(c, path, end, r);
	if (end == c->len)
		return;
	if (end == from || c->buf[end] != ' ') {
		r->dead = true;
		return;
	}
	c->at = end;
	while (c->at < c->len && c->buf[c->at] == ' ')
		c->at++;
	switch (take(c, "HTTP/")) {
	case 1:
		parse_line_rest(c, r);
		break;
	case -1:
		r->dead = true;
	}
}

static void parse_answer(struct cursor *c, struct http_reference *r)
{
	int got = take(c, "HTTP/1."), digits = 0;

	if (got == 1 && c->at < c->len) {
		if (!isdigit(c->buf[c->at++]))
			got = -1;
		else if (c->at < c->len && c->buf[c->at] != ' ')
			got = -1;
		while (c->at < c->len && c->buf[c->at] == ' ')
			c->at++;
		for (; got == 1 && digits < 3 && c->at < c->len; digits++, c->at++) {
			if (!isdigit(c->buf[c->at])) {
				got = -1;
				break;
			}
			r->status = r->status * 10 + c->buf[c->at] - '0';
		}
	}
	r->dead = got < 0;
	if (digits == 3)
		parse_line_rest(c, r);
}

void http_reference_parse(const uint8_t *buf, size_t len, bool answer, struct http_reference *ret)
{
	struct cursor c = { .buf = buf, .len = len };

	memset(ret, 0, sizeof(*ret));
	ret->end = len;
	while (c.at < len && (buf[c.at] == '\r' || buf[c.at] == '\n'))
		c.at++;
	if (c.at == len)
		return;
	if (answer)
		parse_answer(&c, ret);
	else
		parse_request(&c, ret);
}
