/* SPDX-License-Identifier: GPL-2.0-only */
#include "http_head.h"

#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

int http_head_len(const char *buf, size_t len)
{
	size_t start = 0;

	/* a robust server takes an empty line before the request (RFC 9112, 2.2): one, not a flood */
	if (len >= 2 && buf[0] == '\r' && buf[1] == '\n')
		start = 2;
	for (size_t i = start; i < len; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (c == '\r') {
			if (i + 1 == len)
				return 0;
			if (buf[i + 1] != '\n')
				return -400;
			if (i >= start + 2 && buf[i - 1] == '\n')
				return (int)i + 2;
			i++;
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return -400;
		}
	}
	return 0;
}

/* Of a method or the name of a header: RFC 9110, 5.6.2. */
static bool is_token(const char *s, const char *end)
{
	const char *p = s;

	for (; p < end; p++)
		if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      strchr("!#$%&'*+-.^_`|~", *p)))
			return false;
	return p > s;
}

/* "name", "name:80", "[::1]:80"; what stands in no host is refused. */
static bool is_authority(const char *s)
{
	const char *port;
	bool v6 = *s == '[';

	for (const char *p = s; *p; p++)
		if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      strchr("-._~%:", *p) || (v6 && (*p == '[' || *p == ']'))))
			return false;
	if (v6) {
		port = strchr(s, ']');
		if (!port || strchr(port + 1, '[') || strchr(port + 1, ']') || (port[1] && port[1] != ':'))
			return false;
		port = port[1] ? port + 1 : NULL;
	} else {
		port = strchr(s, ':');
	}
	return !port || strspn(port + 1, "0123456789") == strlen(port + 1);
}

static int take_target(char *target, struct http_head *h)
{
	static const char scheme[] = "http://";
	char *query;

	for (const char *p = target; *p; p++)
		if (*p < 0x21 || *p > 0x7e || *p == '#')
			return 400;
	h->path = target;
	if (!strncasecmp(target, scheme, strlen(scheme))) {
		char *authority = target + strlen(scheme), *path = strchr(authority, '/');

		/* the authority's strings end where the path begins: it is moved to the front by one */
		if (!path)
			return 400;
		memmove(authority - 1, authority, (size_t)(path - authority));
		path[-1] = '\0';
		h->host = authority - 1;
		h->path = path;
		if (!*h->host || !is_authority(h->host))
			return 400;
	} else if ((h->get || h->head) && *target != '/') {
		return 400;
	}
	query = strchr(h->path, '?');
	h->query = query ? query + 1 : "";
	if (query)
		*query = '\0';
	return 0;
}

/* "GET /path HTTP/1.1", one space between. */
static int take_request_line(char *line, bool *ret_old, struct http_head *h)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version || !is_token(line, target))
		return 400;
	*target++ = '\0';
	*version++ = '\0';
	if (strncmp(version, "HTTP/", 5) || version[5] < '0' || version[5] > '9' || version[6] != '.' ||
	    version[7] < '0' || version[7] > '9' || version[8])
		return 400;
	if (version[5] != '1')
		return 505;
	*ret_old = version[7] == '0';
	h->get = !strcmp(line, "GET");
	h->head = !strcmp(line, "HEAD");
	return take_target(target, h);
}

enum header { HOST, LENGTH, TRANSFER, CONNECTION, ACCEPT, ENCODING, HEADER_COUNT };

static const char *const names[HEADER_COUNT] = {
	[HOST] = "Host",
	[LENGTH] = "Content-Length",
	[TRANSFER] = "Transfer-Encoding",
	[CONNECTION] = "Connection",
	[ACCEPT] = "Accept",
	[ENCODING] = "Accept-Encoding",
};

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return s;
}

/* Of those that we look at, none may come twice. */
static int take_header(char *line, const char *values[HEADER_COUNT])
{
	char *colon = strchr(line, ':');

	/* a space before the colon, or a line that goes on in the next one */
	if (!colon || !is_token(line, colon))
		return 400;
	*colon = '\0';
	for (size_t i = 0; i < HEADER_COUNT; i++) {
		if (strcasecmp(line, names[i]))
			continue;
		if (values[i]) /* lists may: the first will do */
			return i == ACCEPT || i == ENCODING || i == CONNECTION ? 0 : 400;
		values[i] = trim(colon + 1);
	}
	return 0;
}

static bool lists(const char *value, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = value; p && *p; p += strspn(p, ", \t")) {
		size_t n = strcspn(p, ", \t");

		if (n == len && !strncasecmp(p, word, n))
			return true;
		p += n;
	}
	return false;
}

static int take_length(const char *length, const char *transfer, bool old, struct http_head *h)
{
	if (length && (!*length || strspn(length, "0123456789") != strlen(length)))
		return 400;
	/* both: RFC 9112, 6.3: "ought to be handled as an error"; and HTTP/1.0 knows no transfer coding */
	if (transfer && (length || old || strcasecmp(transfer, "chunked")))
		return 400;
	h->has_body = transfer || (length && strspn(length, "0") != strlen(length));
	return 0;
}

int http_head_parse(char *buf, size_t len, struct http_head *ret)
{
	const char *values[HEADER_COUNT] = { NULL };
	char *end = buf + len - 2, *line = buf, *next;
	size_t headers = 0;
	bool old = false;
	int status;

	*ret = (struct http_head){ 0 };
	if (line[0] == '\r')
		line += 2;
	for (bool first = true; line < end; line = next, first = false) {
		char *eol = memchr(line, '\r', (size_t)(end - line));

		next = eol ? eol + 2 : end;
		if (eol)
			*eol = '\0';
		if (!first && ++headers > HTTP_HEADERS_MAX)
			return 431;
		status = first ? take_request_line(line, &old, ret) : take_header(line, values);
		if (status)
			return status;
	}
	status = take_length(values[LENGTH], values[TRANSFER], old, ret);
	if (status)
		return status;
	if ((!values[HOST] && !old) || (values[HOST] && !is_authority(values[HOST])))
		return 400;
	if (!ret->host)
		ret->host = values[HOST];
	ret->close = old || lists(values[CONNECTION], "close");
	ret->accept = values[ACCEPT];
	ret->encodings = values[ENCODING];
	return 0;
}

bool http_host_is_loopback(const char *host)
{
	char name[64];
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	struct in_addr a;

	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return !strcasecmp(name, "localhost") || !strcmp(name, "[::1]") ||
	       (inet_pton(AF_INET, name, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}
