/* SPDX-License-Identifier: GPL-2.0-only */
/* The columns of a table of pods, one row each for all views: the report's, merge's, the page's and the screen's of `top`. */
#ifndef IMDSNOOP_COLUMNS_H
#define IMDSNOOP_COLUMNS_H

#include <stdio.h>

#include "../model/snapshot.h"
#include "../report/merge.h"

/* What cells are made of; a copy, so that a screen can stand still. */
struct cells {
	FIGURES_HERE;
	uint64_t drops;			/* packets */
	int64_t p50_us, p99_us, max_us; /* of answered requests; -1: none */
	int ttl;			/* of the SYN-ACK; 0: unknown */
	int hops, required;		/* -1, 0: unknown */
	double rate;			/* requests a second */
	bool brief;			/* counts have at most five characters */
};

enum column_view { COLUMNS_REPORT, COLUMNS_TOP, COLUMNS_MERGE, COLUMN_VIEWS };

struct column {
	const char *title;
	const char *heading; /* in HTML; NULL: not there */
	const char *help;
	struct {
		int width;
		int rank; /* a narrow view leaves out those of the highest; 0: not there at all */
	} in[COLUMN_VIEWS];
	size_t figure; /* offset in struct figures, where it is one */
	void (*cell)(const struct cells *c, size_t figure, char *buf, size_t len); /* "-" where it is not known */
};

#define COLUMNS 17
extern const struct column pod_columns[COLUMNS];

/* Without a rate, counts in full. */
void columns_cells(const struct pod_stats *p, struct cells *ret);

/* The same of a row of many nodes. */
void columns_merge_cells(const struct merge_pod *p, struct cells *ret);

/* The columns whose bit is set: titles, or a row's cells, each behind a blank. As text; in HTML those with a heading. */
void columns_titles(FILE *out, unsigned int bits, enum column_view view);
void columns_row(FILE *out, const struct cells *c, unsigned int bits, enum column_view view);
void columns_html_headings(FILE *out, unsigned int bits);
void columns_html_row(FILE *out, const struct cells *c, unsigned int bits);
/* Those that a view has. */
unsigned int columns_of(enum column_view view);

/* "12345", "123k", "1.2M": at most five columns. */
char *columns_number(uint64_t n, char *buf, size_t len);

#endif
