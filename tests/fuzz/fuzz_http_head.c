/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/net/http_head.c */
/*
 * Any bytes as the head of a request: a head is where the first empty line ends it, however it is cut; what is taken has
 * one Host at most, no body that we were not told of, and strings inside the head; and it is taken alike a second time.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../user/net/http_head.h"

static bool inside(const char *s, const char *buf, size_t len)
{
	return !s || (s >= buf && s + strlen(s) < buf + len) || !*s;
}

static size_t lines_that_begin(const char *head, size_t len, const char *name)
{
	size_t n = 0;

	for (size_t i = 2; i + strlen(name) < len; i++)
		n += head[i - 1] == '\n' && !strncasecmp(head + i, name, strlen(name));
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *buf = malloc(size + 1), *again = malloc(size + 1);
	struct http_head h, same;
	int len, status;

	assert(buf && again);
	memcpy(buf, data, size);
	memcpy(again, data, size);
	len = http_head_len(buf, size);
	assert(len == -400 || (len >= 0 && (size_t)len <= size));
	if (len > 0) {
		for (int i = 0; i < len; i += 1 + len / 16)
			assert(!http_head_len(buf, (size_t)i)); /* not before its end */
		assert(!memcmp(buf + len - 4, "\r\n\r\n", 4));
		for (int i = 0; i < len; i++) /* no line end that another server may not see */
			assert(buf[i] && (buf[i] != '\n' || buf[i - 1] == '\r') && (buf[i] != '\r' || buf[i + 1] == '\n'));
		status = http_head_parse(buf, (size_t)len, &h);
		assert(!status || status == 400 || status == 431 || status == 505);
		assert(status == http_head_parse(again, (size_t)len, &same));
		if (!status) {
			const char *head = (const char *)data;

			assert(h.path && h.query && h.get == same.get && h.has_body == same.has_body &&
			       h.close == same.close);
			assert(inside(h.path, buf, len) && inside(h.query, buf, len) && inside(h.host, buf, len) &&
			       inside(h.accept, buf, len) && inside(h.encodings, buf, len));
			assert(!strcmp(h.path, same.path) && !strcmp(h.query, same.query));
			assert(!(h.get && h.head) && (!(h.get || h.head) || *h.path == '/'));
			assert(lines_that_begin(head, len, "host:") <= 1);
			assert(lines_that_begin(head, len, "content-length:") +
				   lines_that_begin(head, len, "transfer-encoding:") <=
			       1);
			assert(h.close || h.host);
			if (h.host)
				(void)http_host_is_loopback(h.host);
		}
	}
	free(buf);
	free(again);
	return 0;
}
