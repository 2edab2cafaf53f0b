/* SPDX-License-Identifier: GPL-2.0-only */
#include "prometheus_part.h"

#include <inttypes.h>
#include <string.h>

#include "../base/utf8.h"

void prometheus_flush(struct writer *w)
{
	fwrite_unlocked(w->buf, 1, w->at, w->f);
	w->at = 0;
}

void put_bytes(struct writer *w, const char *bytes, size_t len)
{
	if (len > sizeof(w->buf) - w->at) {
		prometheus_flush(w);
		if (len > sizeof(w->buf)) {
			fwrite_unlocked(bytes, 1, len, w->f);
			return;
		}
	}
	memcpy(w->buf + w->at, bytes, len);
	w->at += len;
}

void put_text(struct writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

void put_integer(struct writer *w, uint64_t n)
{
	char buf[24], *p = buf + sizeof(buf);

	do
		*--p = '0' + n % 10;
	while (n /= 10);
	put_bytes(w, p, buf + sizeof(buf) - p);
}

/* A number that %.15g writes with few digits; never in a way that depends on the locale: none is set. */
static void put_real(struct writer *w, double v)
{
	char buf[40];

	if (v >= 0 && v < 1e15 && v == (double)(uint64_t)v) { /* most are 0, and printf(3) is slow */
		put_integer(w, (uint64_t)v);
		return;
	}
	snprintf(buf, sizeof(buf), "%.15g", v);
	put_text(w, buf);
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
}

/*
 * Label values: backslash, quote and newline escaped. Bad bytes become U+FFFD, for one of them would spoil the whole scrape;
 * so do control characters, which a terminal obeys.
 */
void put_value(struct writer *w, const char *value)
{
	const char *end = value;
	size_t n;

	while (is_plain(*end))
		end++;
	put_bytes(w, value, end - value);
	for (value = end; *value; value += n ? n : utf8_bad_len(value)) {
		n = utf8_shown_len(value);
		if (*value == '\n') {
			put_text(w, "\\n");
		} else if (!n) {
			put_text(w, UTF8_BAD);
		} else {
			if (*value == '\\' || *value == '"')
				put_bytes(w, "\\", 1);
			put_bytes(w, value, n);
		}
	}
}

/* `name_suffix{series,label="value",…` up to the value; label NULL ends the pairs. Values are words of ours. */
void begin_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs)
{
	bool open = false;

	put_text(w, w->name);
	put_text(w, suffix);
	if (of) {
		put_bytes(w, "{", 1);
		put_bytes(w, of->labels, of->labels_len);
		open = true;
	}
	for (; pairs && *pairs; pairs += 2) {
		put_text(w, open ? "," : "{");
		put_text(w, pairs[0]);
		put_text(w, "=\"");
		put_value(w, pairs[1]);
		put_text(w, "\"");
		open = true;
	}
	put_text(w, open ? "} " : " ");
}

void integer_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs,
		    uint64_t value)
{
	begin_sample(w, suffix, of, pairs);
	put_integer(w, value);
	put_text(w, "\n");
}

void real_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs, double value)
{
	begin_sample(w, suffix, of, pairs);
	put_real(w, value);
	put_text(w, "\n");
}
