/* SPDX-License-Identifier: GPL-2.0-only */
#include "ui.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <curses.h>

#include "../base/small.h"
#include "../report/findings.h"
#include "ui_part.h"
#include "ui_terminal.h"

#define COLUMNS_MIN 40
#define ESCAPE_MS 25 /* how long an Esc waits for the rest of a key's sequence */

/* --- drawing ----------------------------------------------------------------------------------------------------- */

int ui_attribute(const struct ui *ui, enum text_style style)
{
	switch (style) {
	case TEXT_RED:
		return A_BOLD | (ui->o.color ? COLOR_PAIR(1) : 0);
	case TEXT_YELLOW:
		return ui->o.color ? COLOR_PAIR(2) : 0;
	case TEXT_GREEN:
		return ui->o.color ? COLOR_PAIR(3) : 0;
	case TEXT_BOLD:
		return A_BOLD;
	case TEXT_DIM:
		return A_DIM;
	default:
		return 0;
	}
}

void ui_put(const struct ui *ui, int y, int x, int attr, const char *text)
{
	int width = getmaxx(stdscr) - x;
	char buf[2048];

	if (width <= 0)
		return;
	attrset(attr);
	mvaddstr(y, x, text_escape(text, ui->o.utf8, width, buf, sizeof(buf)));
	attrset(0);
}

static void draw_foot(struct ui *ui)
{
	static const char *const keys[] = {
		[UI_PAGE_TABLE] = "q quit  ? help  / filter  Enter open  p pause  sort: wrfsltdn",
		[UI_PAGE_POD] = "q quit  Esc back  Up Down scroll  p pause  ? help",
		[UI_PAGE_HELP] = "q quit  any other key: back",
	};
	int y = getmaxy(stdscr) - 1;
	char text[512];

	move(y, 0);
	clrtoeol();
	if (ui->typing) {
		snprintf(text, sizeof(text), "Show names with: %s_", ui->rows.filter);
		ui_put(ui, y, 0, A_BOLD, text);
		return;
	}
	ui_put(ui, y, 0, ui_attribute(ui, TEXT_DIM), keys[ui->page]);
	text[0] = '\0';
	if (ui->page == UI_PAGE_TABLE && ui->height > 0 && ui->rows.len > (size_t)ui->height)
		snprintf(text, sizeof(text), " %zu-%zu of %zu", ui->top + 1, ui->top + ui->height, ui->rows.len);
	else if (ui->page != UI_PAGE_TABLE && ui->lines_len > (size_t)y)
		snprintf(text, sizeof(text), " %zu-%zu of %zu", ui->scroll + 1, ui->scroll + y, ui->lines_len);
	if (text[0]) {
		ui_put(ui, y, getmaxx(stdscr) - (int)strlen(text) - 1, ui_attribute(ui, TEXT_DIM), text);
	}
}

void ui_draw(struct ui *ui)
{
	erase();
	if (getmaxy(stdscr) < UI_ROWS_MIN || getmaxx(stdscr) < COLUMNS_MIN) {
		mvaddstr(0, 0, "too small");
	} else {
		if (ui->page == UI_PAGE_TABLE)
			ui_draw_table(ui);
		else
			ui_draw_lines(ui);
		draw_foot(ui);
	}
	refresh();
}

/* --- what comes in ----------------------------------------------------------------------------------------------- */

static void fill_head(struct ui *ui, const struct report *r)
{
	const struct snapshot *s = r->s;
	const struct pod_stats *t = &s->totals;
	char p99[32] = "-", *why = ui->notice;
	uint64_t lost = 0;

	if (t->latency.count)
		findings_duration(histogram_quantile_us(&t->latency, 0.99), p99, sizeof(p99));
	snprintf(ui->title, sizeof(ui->title), "imdsnoop top  %.64s  %.0f s", s->node, (s->now_ns - s->started_ns) / 1e9);
	ui->verdict_style = text_level_style(r->level);
	snprintf(ui->verdict, sizeof(ui->verdict), "%s  %s", report_level_word(r->level), r->headline);
	snprintf(ui->sums, sizeof(ui->sums),
		 "%llu request%s: %llu answered, %llu failed, %llu running; %.1f s lost; p99 %s",
		 PLURAL(t->requests, "", "s"), (unsigned long long)r->answered, (unsigned long long)r->failed,
		 (unsigned long long)t->in_flight, t->seconds_lost, p99);
	for (size_t i = 0; i < s->losses_len; i++)
		lost += s->losses[i].count;
	ui->notice[0] = '\0';
	if (lost)
		snprintf(why, sizeof(ui->notice), "%llu thing%s not seen or not kept: 'imdsnoop report' tells which",
			 PLURAL(lost, " was", "s were"));
	for (size_t i = 0; i < s->features_len && !lost; i++)
		if (!strcmp(s->features[i].state, "missing") || !strcmp(s->features[i].state, "off")) {
			snprintf(why, sizeof(ui->notice), "%s: %s%s%s", s->features[i].name, s->features[i].state,
				 s->features[i].why[0] ? ", " : "", s->features[i].why);
			break;
		}
}

int ui_update(struct ui *ui, const struct report *r, bool (*selects)(void *arg, const struct pod_stats *p), void *arg)
{
	if (ui->paused)
		return 0;
	fill_head(ui, r);
	if (ui_rows_update(&ui->rows, r, ui->o.utf8, selects, arg))
		return -ENOMEM;
	ui_draw(ui);
	return ui->failed ? -ENOMEM : 0;
}

bool ui_add_request(struct ui *ui, const struct request *r, uint64_t now_ns)
{
	ui_rows_add_request(&ui->rows, r, now_ns);
	return ui->page == UI_PAGE_POD && !ui->paused && r->who->cgroup_id == ui->key;
}

void ui_resize(struct ui *ui)
{
	struct winsize w;

	if (!ioctl(fileno(ui->o.out), TIOCGWINSZ, &w) && w.ws_row && w.ws_col)
		resizeterm(w.ws_row, w.ws_col);
	ui_draw(ui);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

/* A static program may lack the files of the user's locale; C.UTF-8 is in glibc itself since 2.35. */
static bool has_utf8(void)
{
	static const char *const names[] = { "", "C.UTF-8", "C.utf8" };

	for (size_t i = 0; i < LEN(names); i++)
		if (setlocale(LC_CTYPE, names[i]) && !strcmp(nl_langinfo(CODESET), "UTF-8"))
			return true;
	setlocale(LC_CTYPE, "C");
	return false;
}

int ui_new(const struct ui_options *o, struct ui **ret_ui)
{
	struct ui *ui = calloc(1, sizeof(*ui));
	int err;

	if (!ui)
		return -ENOMEM;
	ui->o = *o;
	ui->o.utf8 = o->utf8 && has_utf8();
	err = ui_rows_init(&ui->rows);
	if (!err)
		err = ui_terminal_save(fileno(o->in));
	if (!err) {
		ui->screen = newterm(NULL, o->out, o->in);
		err = ui->screen ? 0 : -ENOTTY;
	}
	if (err) {
		ui_rows_clear(&ui->rows);
		free(ui);
		return err;
	}
	ui_terminal_guard();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	ui->o.color = o->color && has_colors() && start_color() == OK;
	if (ui->o.color) {
		short back = use_default_colors() == OK ? -1 : COLOR_BLACK;

		init_pair(1, COLOR_RED, back);
		init_pair(2, COLOR_YELLOW, back);
		init_pair(3, COLOR_GREEN, back);
	}
	*ret_ui = ui;
	return 0;
}

void ui_free(struct ui *ui)
{
	if (!ui)
		return;
	endwin();
	ui_terminal_unguard();
	delscreen(ui->screen);
	ui_clear_lines(ui);
	ui_rows_clear(&ui->rows);
	free(ui);
}
