/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdint.h>
#include <string.h>

#include "../base/small.h"

#include "text.h"
#include "../base/utf8.h"

/* The code point of the valid character of n bytes at s. */
static uint32_t code_of(const unsigned char *s, size_t n)
{
	uint32_t code = n == 1 ? s[0] : s[0] & (0x7f >> n);

	for (size_t i = 1; i < n; i++)
		code = code << 6 | (s[i] & 0x3f);
	return code;
}

static bool is_plain(uint32_t code)
{
	static const struct {
		uint32_t from, to;
	} hidden[] = {
		{ 0x00, 0x1f },	    { '\\', '\\' },	{ 0x7f, 0x9f },	    { 0xad, 0xad },
		{ 0x300, 0x36f }, /* combining: would shift columns */
		{ 0x61c, 0x61c },   { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < LEN(hidden); i++)
		if (code >= hidden[i].from && code <= hidden[i].to)
			return false;
	return true;
}

/* What takes the place of n bytes at s: themselves, or \xHH for the first one. Returns its length; *ret_used of s. */
static size_t piece_at(const char *s, bool utf8, char piece[5], size_t *ret_used, size_t *ret_columns)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *u = (const unsigned char *)s;
	size_t n = utf8_len(u);

	if (n && is_plain(code_of(u, n)) && (utf8 || n == 1)) {
		memcpy(piece, s, n);
		*ret_used = n;
		*ret_columns = 1;
		return n;
	}
	memcpy(piece, "\\x", 2);
	piece[2] = hex[u[0] >> 4];
	piece[3] = hex[u[0] & 15];
	*ret_used = 1;
	*ret_columns = 4;
	return 4;
}

char *text_escape(const char *s, bool utf8, size_t columns, char *buf, size_t len)
{
	const char *mark = utf8 ? "…" : "~";
	size_t mark_len = strlen(mark), at = 0, col = 0, cut_at = 0;

	if (!len)
		return buf;
	while (*s) {
		char piece[5];
		size_t used, cols, n = piece_at(s, utf8, piece, &used, &cols);

		if ((columns && col + cols > columns) || at + n >= len)
			break;
		/* The last place where the mark still fits behind. */
		if ((!columns || col + 1 <= columns) && at + mark_len < len)
			cut_at = at;
		memcpy(buf + at, piece, n);
		at += n;
		col += cols;
		s += used;
	}
	if (*s) {
		if ((!columns || col + 1 <= columns) && at + mark_len < len)
			cut_at = at;
		at = cut_at;
		if (at + mark_len < len) {
			memcpy(buf + at, mark, mark_len);
			at += mark_len;
		}
	}
	buf[at] = '\0';
	return buf;
}
