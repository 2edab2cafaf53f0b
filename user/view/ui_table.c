/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of pods on the screen of `top`: its columns, which of them fit, and its rows. */
#include "ui_part.h"

#include <string.h>

#include "../report/findings.h"

#define NAME_MIN 20
#define SPARK_MIN 9
#define SPARK_MAX 32
#define CAUSE_MIN 19 /* "hop limit, needs 12" */
#define CAUSE_MAX 28

/* --- columns ----------------------------------------------------------------------------------------------------- */

static void cell_duration(uint64_t us, bool known, char *buf, size_t len)
{
	char *blank;

	snprintf(buf, len, "-");
	if (known)
		findings_duration(us, buf, len);
	blank = strchr(buf, ' ');
	if (blank)
		memmove(blank, blank + 1, strlen(blank));
}

#define NUMBER_CELL(name, field)                                               \
	static void cell_##name(const struct ui_row *r, char *buf, size_t len) \
	{                                                                      \
		ui_number(r->field, buf, len);                                 \
	}
#define LATENCY_CELL(name, field)                                              \
	static void cell_##name(const struct ui_row *r, char *buf, size_t len) \
	{                                                                      \
		cell_duration(r->field, r->max_us > 0, buf, len);              \
	}
NUMBER_CELL(requests, requests)
NUMBER_CELL(v1, v1_requests)
NUMBER_CELL(v2, v2_requests)
NUMBER_CELL(answered, answered)
NUMBER_CELL(failed, failed)
NUMBER_CELL(in_flight, in_flight)
NUMBER_CELL(drops, drops)
LATENCY_CELL(p50, p50_us)
LATENCY_CELL(p99, p99_us)
LATENCY_CELL(max, max_us)

static void cell_lost(const struct ui_row *r, char *buf, size_t len)
{
	cell_duration((uint64_t)(r->seconds_lost * 1e6), r->seconds_lost > 0, buf, len);
}

static void cell_rate(const struct ui_row *r, char *buf, size_t len)
{
	if (r->rate < 99.95)
		snprintf(buf, len, "%.1f", r->rate);
	else
		ui_number((uint64_t)r->rate, buf, len);
}

static void cell_ttl(const struct ui_row *r, char *buf, size_t len)
{
	snprintf(buf, len, r->ttl ? "%d" : "-", r->ttl);
}

static void cell_hops(const struct ui_row *r, char *buf, size_t len)
{
	snprintf(buf, len, r->hops >= 0 ? "%d/%d" : "-", r->hops, r->required);
}

const struct ui_column ui_columns[UI_COLUMN_COUNT] = {
	{ "REQS", 5, 1, cell_requests, "requests that ended" },
	{ "V1", 4, 8, cell_v1, "of these, IMDSv1" },
	{ "V2", 4, 9, cell_v2, "IMDSv2: token requests, and those with a token" },
	{ "ANSW", 5, 3, cell_answered, "answered, whatever the answer" },
	{ "FAIL", 4, 2, cell_failed, "left the client without what it asked for; CAUSE tells why" },
	{ "WAIT", 4, 4, cell_in_flight, "not answered yet" },
	{ "LOST", 5, 5, cell_lost, "time that its processes waited in vain" },
	{ "P50", 5, 12, cell_p50, "latency of answered requests" },
	{ "P99", 5, 7, cell_p99, "" },
	{ "MAX", 5, 13, cell_max, "" },
	{ "/S", 5, 10, cell_rate, "requests a second, of the last seconds" },
	{ "TTL", 3, 14, cell_ttl, "of the SYN-ACK, as received" },
	{ "HOPS", 4, 6, cell_hops, "forwards on the way / hop limit needed" },
	{ "DROPS", 5, 11, cell_drops, "dropped packets, both directions" },
};

/* What stands where: a bit for each column that fits, the widths of name and cause, and of the sparkline, 0 without. */
struct layout {
	unsigned int bits;
	int name, cause, spark;
};

static struct layout fit(int width, int longest)
{
	struct layout l = { .cause = CAUSE_MIN, .name = longest < NAME_MIN ? longest : NAME_MIN };
	int left = width - l.name - CAUSE_MIN - 1;

	for (int rank = 1; rank <= UI_COLUMN_COUNT; rank++)
		for (size_t i = 0; i < LEN(ui_columns); i++)
			if (ui_columns[i].rank == rank) {
				if (ui_columns[i].width + 1 > left) {
					left = 0;
				} else {
					left -= ui_columns[i].width + 1;
					l.bits |= 1u << i;
				}
			}
	left = width - l.name - CAUSE_MIN - 1;
	for (size_t i = 0; i < LEN(ui_columns); i++)
		left -= l.bits & 1u << i ? ui_columns[i].width + 1 : 0;
	/* what is left goes to the name, as long as names need it, to the cause, and to the sparkline */
	l.name += left < longest - l.name ? left : longest - l.name;
	left = width - l.name - CAUSE_MIN - 1;
	for (size_t i = 0; i < LEN(ui_columns); i++)
		left -= l.bits & 1u << i ? ui_columns[i].width + 1 : 0;
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
	mvaddstr(y, 0, text_escape(r->name, ui->o.utf8, l->name, escaped, sizeof(escaped)));
	for (size_t i = 0; i < LEN(ui_columns); i++) {
		if (!(l->bits & 1u << i))
			continue;
		ui_columns[i].cell(r, buf, sizeof(buf));
		mvprintw(y, x, " %*.*s", ui_columns[i].width, ui_columns[i].width, buf);
		x += ui_columns[i].width + 1;
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
	for (size_t i = 0; i < LEN(ui_columns); i++) {
		if (!(l.bits & 1u << i))
			continue;
		mvprintw(y, x, " %*s", ui_columns[i].width, ui_columns[i].title);
		x += ui_columns[i].width + 1;
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
