/* SPDX-License-Identifier: GPL-2.0-only */
/* UTF-8 as RFC 3629 has it: no overlong form, surrogate, or above U+10FFFF. */
#ifndef IMDSNOOP_UTF8_H
#define IMDSNOOP_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define UTF8_BAD "\xef\xbf\xbd" /* U+FFFD */

/* Length of the valid character at s, 0 for a bad byte. Never looks behind a NUL. */
static inline size_t utf8_len(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (s[i] < 0x80 || s[i] > 0xbf) /* the ending NUL too */
			return 0;
	return len;
}

/* Length of the character at s where it is one to be shown; 0: a bad byte, or a control, C1 too, which a terminal may obey. */
static inline size_t utf8_shown_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	return u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] < 0xa0) ? 0 : utf8_len(u);
}

/* What stands for s[0], at which utf8_shown_len() is 0: how many bytes of s that is. */
static inline size_t utf8_bad_len(const char *s)
{
	return utf8_len((const unsigned char *)s) == 2 ? 2 : 1;
}

/* s with UTF8_BAD for what is not to be shown: itself, or in buf, cut to what fits, where there is such. */
static inline const char *utf8_clean(const char *s, char *buf, size_t size)
{
	size_t n, at = 0, plain = 0;

	while ((n = utf8_shown_len(s + plain)))
		plain += n;
	if (!s[plain])
		return s;
	while (*s && at + 4 < size) {
		n = utf8_shown_len(s);
		memcpy(buf + at, n ? s : UTF8_BAD, n ? n : 3);
		at += n ? n : 3;
		s += n ? n : utf8_bad_len(s);
	}
	buf[at] = '\0';
	return buf;
}

#endif
