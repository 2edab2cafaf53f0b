/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of ui.h share: its state, its parts of the screen, and the table of sort keys. */
#ifndef IMDSNOOP_UI_PART_H
#define IMDSNOOP_UI_PART_H

#include <curses.h>

#include "text_layout.h"
#include "ui.h"
#include "ui_rows.h"

#define UI_ROWS_MIN 6 /* a smaller screen shows nothing */

enum ui_page { UI_PAGE_TABLE, UI_PAGE_POD, UI_PAGE_HELP };

struct ui_line {
	enum text_style style;
	char *text; /* escaped, no wider than the screen */
};

struct ui {
	struct ui_options o;
	SCREEN *screen;
	struct ui_rows rows;
	enum ui_page page;
	bool paused, typing;   /* typing: the filter */
	bool failed;	       /* no memory */
	uint64_t key;	       /* of the chosen row */
	bool chosen;	       /* by a key; until then it is the first, the worst one */
	size_t at, top;	       /* where it stands, and the first row on the screen */
	int height;	       /* rows of the table on the screen */
	size_t scroll;	       /* of a page of lines */
	uint64_t requests_end; /* requests shown while paused */
	char title[256], verdict[256], sums[256], notice[256];
	enum text_style verdict_style;
	struct ui_line *lines;
	size_t lines_len;
};

struct ui_sort_key {
	char key;
	const char *word, *help;
};
extern const struct ui_sort_key ui_sorts[UI_SORT_COUNT];

int ui_attribute(const struct ui *ui, enum text_style style); /* for attrset() */
/* Never reaches the last column's other side: a wide character could wrap. */
void ui_put(const struct ui *ui, int y, int x, int attr, const char *text);

/* The page of all pods, and the pages of lines; all but the last row of the screen. No memory: ui->failed. */
void ui_draw_table(struct ui *ui);
void ui_draw_lines(struct ui *ui);
void ui_clear_lines(struct ui *ui);

#endif
