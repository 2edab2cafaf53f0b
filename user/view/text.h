/* SPDX-License-Identifier: GPL-2.0-only */
/* For a person at a terminal: the report, and the lines of `trace`. */
#ifndef IMDSNOOP_TEXT_H
#define IMDSNOOP_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "../model/request.h"
#include "../report/compare.h"
#include "../report/report.h"
#include "../report/what_if.h"

struct text_options {
	bool color;
	bool utf8;
	int width; /* columns; 0: unknown, text at 100 and names whole. At least 80. */
};

/* what_if and changes may be NULL. Write errors stay in `out` for the caller's ferror(). */
void text_report(FILE *out, const struct report *r, const struct what_if_result *what_if, const struct changes *changes,
		 const struct text_options *o);
/* The line that a report begins and ends with; unbroken where the width is unknown. */
void text_verdict(FILE *out, enum level level, const char *headline, const struct text_options *o);

/* Day and zone of what comes, and titles. Aligned columns, one line each, that a terminal does not wrap. A running request (a stall) is timed up to rec.hdr.ts_ns. */
void text_trace_header(FILE *out, uint64_t wall_ns, const struct text_options *o);
void text_trace_line(FILE *out, const struct request *r, const struct text_options *o);

/*
 * s with control bytes, backslashes, invalid UTF-8 and characters that hide or turn text (bidi marks and the like) as
 * \xHH, so that no name from outside can steer a terminal; without utf8 everything above ASCII. Cut to `columns`
 * (0: only by len) with a visible mark. Returns buf.
 */
char *text_escape(const char *s, bool utf8, size_t columns, char *buf, size_t len);

#endif
