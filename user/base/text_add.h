/* SPDX-License-Identifier: GPL-2.0-only */
/* A text in a buffer that grows at its end. */
#ifndef IMDSNOOP_TEXT_ADD_H
#define IMDSNOOP_TEXT_ADD_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Behind the text in buf, which has room for size bytes in all; what does not fit is cut. Returns buf. */
__attribute__((format(printf, 3, 4))) static inline char *text_add(char *buf, size_t size, const char *format, ...)
{
	size_t at = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + at, size - at, format, args);
	va_end(args);
	return buf;
}

#endif
