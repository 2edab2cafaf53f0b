/* SPDX-License-Identifier: GPL-2.0-only */
/* What the words of a request say: qualities and query values. Pure. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "http_server.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* "0.75" in thousandths; what is no quality counts as 0: not wanted. */
static int parse_quality(const char *p, const char *end)
{
	int q = 0, weight = 1000;

	if (p == end || (*p != '0' && *p != '1'))
		return 0;
	q = *p++ == '1' ? 1000 : 0;
	if (p < end && *p == '.')
		while (++p < end && *p >= '0' && *p <= '9' && weight > 1) {
			weight /= 10;
			q += (*p - '0') * weight;
		}
	while (p < end && is_space(*p))
		p++;
	return p != end || q > 1000 ? 0 : q;
}

int http_quality(const char *header, const char *name)
{
	size_t name_len = strlen(name);
	int best = -1;

	for (const char *p = header; p && *p;) {
		const char *end = p + strcspn(p, ","), *next = *end ? end + 1 : end, *word;
		int q = 1000;

		while (is_space(*p))
			p++;
		word = p;
		p += strcspn(p, ",; \t");
		if ((size_t)(p - word) == name_len && !strncasecmp(word, name, name_len)) {
			while (p < end) {
				const char *part;

				p += strspn(p, "; \t");
				part = p;
				while (p < end && *p != ';')
					p++;
				if (p - part >= 2 && (part[0] == 'q' || part[0] == 'Q') && part[1] == '=')
					q = parse_quality(part + 2, p);
			}
			best = q > best ? q : best;
		}
		p = next;
	}
	return best;
}

int http_query_value(const char *query, const char *key, char *buf, size_t len)
{
	size_t key_len = strlen(key);

	while (*query) {
		size_t part = strcspn(query, "&");

		if (part > key_len && query[key_len] == '=' && !strncmp(query, key, key_len)) {
			const char *value = query + key_len + 1;
			size_t n = part - key_len - 1;

			if (n >= len)
				return -EINVAL;
			for (size_t i = 0; i < n; i++)
				if (!((value[i] >= '0' && value[i] <= '9') || (value[i] >= 'a' && value[i] <= 'z') ||
				      (value[i] >= 'A' && value[i] <= 'Z') || strchr(".-_", value[i])))
					return -EINVAL;
			memcpy(buf, value, n);
			buf[n] = '\0';
			return 0;
		}
		query += part;
		query += *query == '&';
	}
	return -ENOENT;
}
