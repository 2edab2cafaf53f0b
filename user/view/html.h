/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One self-contained page to attach to a ticket: no script, no outside address, light and dark, phone and desk. All names
 * from outside are escaped; bytes that are no UTF-8 become U+FFFD. Write errors stay in `out` for the caller's ferror().
 */
#ifndef IMDSNOOP_HTML_H
#define IMDSNOOP_HTML_H

#include <stdio.h>

#include "../report/compare.h"
#include "../report/merge.h"
#include "../report/report.h"
#include "../report/timeline.h"
#include "../report/what_if.h"

struct html_report {
	const struct report *said;
	const struct timeline *timeline; /* sorted; may be NULL, as the next two */
	const struct what_if_result *what_if;
	const struct changes *changes;
};

/* A whole page, which needs no other file. A failed write shows in out. */
void html_report(FILE *out, const struct html_report *r);
void html_merge(FILE *out, const struct merged *m, const char *version);

#endif
