/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of pods on the screen of `top`: its columns, which of them fit, and its rows. */
#include "ui_part.h"

#include <string.h>

#include "../report/findings.h"

#define NAME_MIN 20
#define SPARK_MIN 9
#define SPARK_MAX 32

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
		cell_duration(r->field, r->answered, buf, len);                \
	}
NUMBER_CELL(requests, requests)
NUMBER_CELL(v1, v1)
NUMBER_CELL(v2, v2)
NUMBER_CELL(ok, ok)
NUMBER_CELL(hop_limit, hop_limit)
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
	{ "OK", 5, 4, cell_ok, "answered" },
	{ "HOPL", 4, 2, cell_hop_limit, "unanswered, as the answer's TTL was used up: the hop limit" },
	{ "FAIL", 4, 3, cell_failed, "failed in other ways" },
	{ "WAIT", 4, 15, cell_in_flight, "not answered yet" },
	{ "LOST", 5, 5, cell_lost, "time that its processes waited in vain" },
	{ "P50", 5, 12, cell_p50, "latency of answered requests" },
	{ "P99", 5, 7, cell_p99, "" },
	{ "MAX", 5, 13, cell_max, "" },
	{ "/S", 5, 10, cell_rate, "requests a second, of the last seconds" },
	{ "TTL", 3, 14, cell_ttl, "of the SYN-ACK, as received" },
	{ "HOPS", 4, 6, cell_hops, "forwards on the way / hop limit needed" },
	{ "DROPS", 5, 11, cell_drops, "dropped packets, both directions" },
};

/* Which columns fit, as a bit set; the rest goes to the name, as long as names need it, and to the sparkline. */
static unsigned int fit(int width, int longest, int *ret_name, int *ret_spark)
{
	int left = width - NAME_MIN - SPARK_MIN - 1;
	unsigned int bits = 0;

	for (int rank = 1; rank <= (int)LEN(ui_columns); rank++)
		for (size_t i = 0; i < LEN(ui_columns); i++)
			if (ui_columns[i].rank == rank) {
				if (ui_columns[i].width + 1 > left) {
					left = 0;
				} else {
					left -= ui_columns[i].width + 1;
					bits |= 1u << i;
				}
			}
	for (size_t i = 0; i < LEN(ui_columns); i++)
		width -= bits & 1u << i ? ui_columns[i].width + 1 : 0;
	*ret_name = width - SPARK_MIN - 1;
	if (longest < *ret_name)
		*ret_name = longest < NAME_MIN ? NAME_MIN : longest;
	*ret_spark = width - *ret_name - 1;
	if (*ret_spark > SPARK_MAX)
		*ret_spark = SPARK_MAX;
	return bits;
}

/* --- drawing ----------------------------------------------------------------------------------------------------- */

static enum text_style style_of(const struct ui_row *r)
{
	return r->hop_limit						? TEXT_RED
	       : r->failed || (r->notes && r->notes[0] != UI_NOTE_INFO) ? TEXT_YELLOW
									: TEXT_PLAIN;
}

static void draw_row(const struct ui *ui, int y, const struct ui_row *r, unsigned int bits, int name, int spark, int attr)
{
	char buf[128], escaped[1024];
	int x = name;

	attrset(attr);
	mvhline(y, 0, ' ', getmaxx(stdscr));
	mvaddstr(y, 0, text_escape(r->name, ui->o.utf8, name, escaped, sizeof(escaped)));
	for (size_t i = 0; i < LEN(ui_columns); i++) {
		if (!(bits & 1u << i))
			continue;
		ui_columns[i].cell(r, buf, sizeof(buf));
		mvprintw(y, x, " %*.*s", ui_columns[i].width, ui_columns[i].width, buf);
		x += ui_columns[i].width + 1;
	}
	mvaddstr(y, x + 1, ui_spark(r->recent_us, r->recent_len, spark, ui->o.utf8, buf, sizeof(buf)));
	attrset(0);
}

/* The chosen row stays chosen while others move around it. */
static void find_chosen(struct ui *ui, size_t height)
{
	for (size_t i = 0; i < ui->rows.len; i++)
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
	int y = draw_head(ui), width = getmaxx(stdscr), height = getmaxy(stdscr) - y - 2, longest = 0, name, spark, x;
	unsigned int bits;
	char buf[1024];

	for (size_t i = 0; i < ui->rows.len; i++) {
		int n = text_columns(text_escape(ui->rows.order[i]->name, ui->o.utf8, 0, buf, sizeof(buf)));

		longest = n > longest ? n : longest;
	}
	bits = fit(width, longest, &name, &spark);
	attrset(A_REVERSE);
	mvhline(y, 0, ' ', width);
	mvaddstr(y, 0, "POD");
	x = name;
	for (size_t i = 0; i < LEN(ui_columns); i++) {
		if (!(bits & 1u << i))
			continue;
		mvprintw(y, x, " %*s", ui_columns[i].width, ui_columns[i].title);
		x += ui_columns[i].width + 1;
	}
	mvaddnstr(y, x + 1, "LATENCY", spark);
	attrset(0);
	y++;
	if (height < 1)
		return;
	find_chosen(ui, height);
	for (size_t i = ui->top; i < ui->rows.len && i < ui->top + height; i++)
		draw_row(ui, y++, ui->rows.order[i], bits, name, spark,
			 ui_attribute(ui, style_of(ui->rows.order[i])) | (i == ui->at ? A_REVERSE : 0));
	if (!ui->rows.len)
		ui_put(ui, y, 0, ui_attribute(ui, TEXT_DIM),
		       ui->rows.filter[0] ? "No pod with that name." : "No pod has asked a metadata service yet.");
}
