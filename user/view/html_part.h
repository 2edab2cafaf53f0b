/* SPDX-License-Identifier: GPL-2.0-only */
/* Pieces that the pages of html.h are made of. */
#ifndef IMDSNOOP_HTML_PART_H
#define IMDSNOOP_HTML_PART_H

#include <stdint.h>
#include <stdio.h>

#include "../report/report.h"
#include "../report/timeline.h"

extern const char html_style[]; /* the style sheet */

/* s as text of an element or of a quoted attribute. */
void html_text(FILE *out, const char *s);
/* The same between pieces of markup; a cell of a table, class "l" as words are. */
void html_in(FILE *out, const char *before, const char *s, const char *after);
void html_cell(FILE *out, const char *class, const char *s);

/* The page up to the first section; level colours it. */
void html_begin(FILE *out, const char *title, enum level level, const char *headline);
void html_end(FILE *out, const char *version);

void html_section(FILE *out, const char *title); /* ends with html_section_end() */
void html_section_end(FILE *out);
void html_list(FILE *out, const char *const *lines); /* NULL-ended */
/* Advice: lines that begin with two spaces are commands, put together in one block. */
void html_advice(FILE *out, const char *const *lines);
void html_us(FILE *out, int64_t us); /* "3.1 ms"; a dash below 0 */
void html_chip(FILE *out, enum severity severity, const char *word);

/* Drawings, inline SVG. */
void svg_path(FILE *out, const struct path *path);
void svg_latency(FILE *out, const struct histogram *h, uint64_t slow_us);
/* One lane: the events of `who`, between from_ns and to_ns. */
void svg_lane(FILE *out, const struct timeline *t, const char *who, uint64_t from_ns, uint64_t to_ns);

#endif
