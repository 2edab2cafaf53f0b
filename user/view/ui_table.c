/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of pods on the screen of `top`: its columns, which of them fit, and its rows. */
#include "ui_part.h"

#define NAME_MIN 20
#define SPARK_MIN 9
#define SPARK_MAX 32
#define CAUSE_MIN 19 /* "hop limit, needs 12" */
#define CAUSE_MAX 28

/* What stands where: a bit for each column that fits, the widths of name and cause, and of the sparkline, 0 without. */
struct layout {
	unsigned int bits;
	int name, cause, spark;
};

static struct layout fit(int width, int longest)
{
	struct layout l = { .cause = CAUSE_MIN, .name = longest < NAME_MIN ? longest : NAME_MIN };
	int left = width - l.name - CAUSE_MIN - 1;

	for (int rank = 1; rank <= COLUMNS; rank++)
		for (size_t i = 0; i < COLUMNS; i++)
			if (pod_columns[i].in[COLUMNS_TOP].rank == rank) {
				int more = pod_columns[i].in[COLUMNS_TOP].width + 1;

				l.bits |= more > left ? 0 : 1u << i;
				left = more > left ? 0 : left - more;
			}
	left = width - l.name - CAUSE_MIN - 1;
	for (size_t i = 0; i < COLUMNS; i++)
		left -= l.bits & 1u << i ? pod_columns[i].in[COLUMNS_TOP].width + 1 : 0;
	/* what is left goes to the name, as long as names need it, to the cause, and to the sparkline */
	l.name += left < longest - l.name ? left : longest - l.name;
	left = width - l.name - CAUSE_MIN - 1;
	for (size_t i = 0; i < COLUMNS; i++)
		left -= l.bits & 1u << i ? pod_columns[i].in[COLUMNS_TOP].width + 1 : 0;
	l.cause += left < CAUSE_MAX - CAUSE_MIN ? left : CAUSE_MAX - CAUSE_MIN;
	left -= l.cause - CAUSE_MIN;
	if (left > SPARK_MIN)
		l.spark = left - 1 < SPARK_MAX ? left - 1 : SPARK_MAX;
	return l;
}

/* --- drawing ----------------------------------------------------------------------------------------------------- */

static enum text_style style_of(const struct ui_row *r)
{
	return report_level_is_bad(r->level) ? text_level_style(r->level) : TEXT_PLAIN;
}

static void draw_row(const struct ui *ui, int y, const struct ui_row *r, const struct layout *l, int attr)
{
	char buf[128], escaped[1024];
	int x = l->name;

	attrset(attr);
	mvhline(y, 0, ' ', getmaxx(stdscr));
	if (strchr(text_escape(r->name, ui->o.utf8, 0, escaped, sizeof(escaped) - 1), '\\')) /* never half an escape */
		text_escape(r->name, ui->o.utf8, l->name, escaped, sizeof(escaped));
	mvaddstr(y, 0, text_cut_middle(escaped, l->name, ui->o.utf8));
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!(l->bits & 1u << i))
			continue;
		pod_columns[i].cell(&r->cells, pod_columns[i].figure, buf, sizeof(buf));
		mvprintw(y, x, " %*.*s", pod_columns[i].in[COLUMNS_TOP].width, pod_columns[i].in[COLUMNS_TOP].width, buf);
		x += pod_columns[i].in[COLUMNS_TOP].width + 1;
	}
	mvaddstr(y, x + 1, text_escape(r->cause, ui->o.utf8, l->cause, escaped, sizeof(escaped)));
	if (l->spark)
		mvaddstr(y, x + l->cause + 2,
			 ui_spark(r->recent_us, r->recent_len, l->spark, ui->o.utf8, buf, sizeof(buf)));
	attrset(0);
}

/* The chosen row stays chosen while others move around it; until a key chose one it is the worst. */
static void find_chosen(struct ui *ui, size_t height)
{
	if (!ui->chosen)
		ui->at = 0;
	for (size_t i = 0; i < ui->rows.len && ui->chosen; i++)
		if (ui->rows.order[i]->key == ui->key)
			ui->at = i;
	if (ui->at >= ui->rows.len)
		ui->at = ui->rows.len ? ui->rows.len - 1 : 0;
	if (ui->rows.len)
		ui->key = ui->rows.order[ui->at]->key;
	if (ui->at < ui->top)
		ui->top = ui->at;
	if (height && ui->at >= ui->top + height)
		ui->top = ui->at + 1 - height;
	if (ui->top + height > ui->rows.len)
		ui->top = ui->rows.len > height ? ui->rows.len - height : 0;
}

static int draw_head(struct ui *ui)
{
	char text[512];
	int y = 0;

	ui_put(ui, y++, 0, A_BOLD, ui->title);
	if (ui->paused)
		ui_put(ui, 0, getmaxx(stdscr) - 8, A_REVERSE, " PAUSED ");
	ui_put(ui, y++, 0, ui_attribute(ui, ui->verdict_style), ui->verdict);
	ui_put(ui, y++, 0, 0, ui->sums);
	if (ui->notice[0])
		ui_put(ui, y++, 0, ui_attribute(ui, TEXT_YELLOW), ui->notice);
	if (ui->rows.filter[0] || ui->rows.sort != UI_SORT_WORST) {
		snprintf(text, sizeof(text), "%s%s%ssorted by %s", ui->rows.filter[0] ? "only names with '" : "",
			 ui->rows.filter, ui->rows.filter[0] ? "' (Esc: all), " : "", ui_sorts[ui->rows.sort].word);
		ui_put(ui, y++, 0, ui_attribute(ui, TEXT_DIM), text);
	}
	return y;
}

void ui_draw_table(struct ui *ui)
{
	int y = draw_head(ui), width = getmaxx(stdscr) - 1, height = getmaxy(stdscr) - y - 2, longest = 3, x;
	struct layout l;
	char buf[1024];

	for (size_t i = 0; i < ui->rows.len; i++) {
		int n = text_columns(text_escape(ui->rows.order[i]->name, ui->o.utf8, 0, buf, sizeof(buf)));

		longest = n > longest ? n : longest;
	}
	l = fit(width, longest);
	attrset(A_REVERSE);
	mvhline(y, 0, ' ', width + 1);
	mvaddstr(y, 0, "POD");
	x = l.name;
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!(l.bits & 1u << i))
			continue;
		mvprintw(y, x, " %*s", pod_columns[i].in[COLUMNS_TOP].width, pod_columns[i].title);
		x += pod_columns[i].in[COLUMNS_TOP].width + 1;
	}
	mvaddstr(y, x + 1, "CAUSE");
	if (l.spark)
		mvaddnstr(y, x + l.cause + 2, "LATENCY", l.spark);
	attrset(0);
	y++;
	ui->height = height;
	if (height < 1)
		return;
	find_chosen(ui, height);
	for (size_t i = ui->top; i < ui->rows.len && i < ui->top + height; i++)
		draw_row(ui, y++, ui->rows.order[i], &l,
			 ui_attribute(ui, style_of(ui->rows.order[i])) | (i == ui->at ? A_REVERSE : 0));
	if (!ui->rows.len)
		ui_put(ui, y, 0, ui_attribute(ui, TEXT_DIM),
		       ui->rows.filter[0] ? "No pod with that name." : "No pod has asked a metadata service yet.");
}
