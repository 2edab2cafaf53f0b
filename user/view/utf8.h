/* SPDX-License-Identifier: GPL-2.0-only */
/* UTF-8 as RFC 3629 has it: no overlong form, surrogate, or above U+10FFFF. */
#ifndef IMDSNOOP_UTF8_H
#define IMDSNOOP_UTF8_H

#include <stddef.h>

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

#endif
