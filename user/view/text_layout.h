/* SPDX-License-Identifier: GPL-2.0-only */
/* What the text views share: colours, cells and paragraphs. */
#ifndef IMDSNOOP_TEXT_LAYOUT_H
#define IMDSNOOP_TEXT_LAYOUT_H

#include <stddef.h>

#include "../base/small.h"
#include "text.h"

#define PLURAL(n, one, many) (unsigned long long)(n), (n) == 1 ? (one) : (many)

enum text_style { TEXT_PLAIN, TEXT_BOLD, TEXT_RED, TEXT_YELLOW, TEXT_GREEN, TEXT_DIM };

enum text_style text_level_style(enum level level);
const char *text_on(const struct text_options *o, enum text_style style); /* "" without colour */
const char *text_off(const struct text_options *o);
int text_width(const struct text_options *o);
size_t text_columns(const char *s); /* characters, whatever their bytes */
/* Of more than `columns` the middle gives way to a mark: a pod's end tells replicas apart. In place, where a byte more has room. */
char *text_cut_middle(char *s, size_t columns, bool utf8);
/* "3.1 ms", or "-" below 0; 32 bytes suffice. Returns buf. */
const char *text_us(int64_t us, char buf[32]);
/* The same, and a number or "-", as a cell: a blank, then right-aligned. */
void text_duration(FILE *out, int64_t us);
void text_number(FILE *out, int width, int n, bool known);
/* "12:03:44", local time. CLOCK_LEN bytes suffice. Returns buf. */
#define CLOCK_LEN 16
const char *text_clock(uint64_t wall_ns, char buf[CLOCK_LEN]);
void text_cell(FILE *out, const char *s, size_t n); /* left-aligned in n columns */

/* Escaped and wrapped at blanks; the first line begins with `first`, the others as far right. */
void text_paragraph(FILE *out, const struct text_options *o, const char *first, const char *text);
void text_styled(FILE *out, const struct text_options *o, enum text_style style, const char *first, const char *text);

/* One line of advice: a literal one, which begins with two spaces, stays whole to be copied. */
void text_advice(FILE *out, const struct text_options *o, const char *line);

#endif
