/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys of `top`. */
#include "ui_part.h"

#include <poll.h>
#include <string.h>

#include "../base/small.h"

#define KEY_CTRL(c) ((c)&0x1f)
#define KEY_ESC 27

const struct ui_sort_key ui_sorts[UI_SORT_COUNT] = {
	[UI_SORT_WORST] = { 'w', "worst", "worst first" },
	[UI_SORT_REQUESTS] = { 'r', "requests", "requests" },
	[UI_SORT_FAILURES] = { 'f', "failures", "failed requests" },
	[UI_SORT_LOST] = { 's', "seconds lost", "seconds lost" },
	[UI_SORT_LATENCY] = { 'l', "latency", "p99 of the latency" },
	[UI_SORT_RATE] = { 't', "rate", "requests a second" },
	[UI_SORT_DROPS] = { 'd', "drops", "dropped packets" },
	[UI_SORT_NAME] = { 'n', "name", "name" },
};

static void arrange(struct ui *ui)
{
	ui->failed |= ui_rows_arrange(&ui->rows) != 0;
}

static void key_filter(struct ui *ui, int key)
{
	size_t len = strlen(ui->rows.filter);

	switch (key) {
	case KEY_ESC:
		ui->rows.filter[0] = '\0';
		ui->typing = false;
		break;
	case '\r':
	case '\n':
	case KEY_ENTER:
		ui->typing = false;
		break;
	case KEY_BACKSPACE:
	case 0x7f:
	case KEY_CTRL('h'):
		if (len)
			ui->rows.filter[len - 1] = '\0';
		break;
	default:
		if (key >= ' ' && key < 0x7f && len + 1 < sizeof(ui->rows.filter)) {
			ui->rows.filter[len] = key;
			ui->rows.filter[len + 1] = '\0';
		}
	}
	arrange(ui);
}

/* Moves *at by a key, within 0..end. Returns false for another key. */
static bool move_by(int key, size_t *at, size_t end)
{
	size_t step = getmaxy(stdscr) > UI_ROWS_MIN ? getmaxy(stdscr) - UI_ROWS_MIN : 1;

	switch (key) {
	case KEY_UP:
	case 'k':
		*at -= *at > 0;
		return true;
	case KEY_DOWN:
	case 'j':
		*at += *at < end;
		return true;
	case KEY_PPAGE:
		*at = *at > step ? *at - step : 0;
		return true;
	case KEY_NPAGE:
	case ' ':
		*at = *at + step < end ? *at + step : end;
		return true;
	case KEY_HOME:
		*at = 0;
		return true;
	case KEY_END:
		*at = end;
		return true;
	default:
		return false;
	}
}

static void key_table(struct ui *ui, int key)
{
	if (move_by(key, &ui->at, ui->rows.len ? ui->rows.len - 1 : 0)) {
		ui->chosen = true;
		if (ui->rows.len)
			ui->key = ui->rows.order[ui->at]->key;
		return;
	}
	for (size_t i = 0; i < LEN(ui_sorts); i++)
		if (ui_sorts[i].key == key) {
			ui->rows.sort = i;
			arrange(ui);
			return;
		}
	switch (key) {
	case '\r':
	case '\n':
	case KEY_ENTER:
	case KEY_RIGHT:
		if (ui->rows.len) {
			ui->page = UI_PAGE_POD;
			ui->chosen = true;
			ui->scroll = 0;
		}
		break;
	case '/':
		ui->typing = true;
		break;
	case KEY_ESC:
		ui->rows.filter[0] = '\0';
		arrange(ui);
		break;
	}
}

static enum ui_action key_press(struct ui *ui, int key)
{
	if (key == KEY_CTRL('l')) {
		clearok(curscr, TRUE);
		return UI_NONE;
	}
	if (key == KEY_RESIZE)
		return UI_NONE;
	if (ui->typing) {
		key_filter(ui, key);
		return UI_NONE;
	}
	if (key == 'q')
		return UI_QUIT;
	if (ui->page == UI_PAGE_HELP && !move_by(key, &ui->scroll, ui->lines_len)) {
		ui->page = UI_PAGE_TABLE;
	} else if (ui->page == UI_PAGE_HELP) {
		return UI_NONE;
	} else if (key == '?') {
		ui->page = UI_PAGE_HELP;
		ui->scroll = 0;
	} else if (key == 'p') {
		ui->paused = !ui->paused;
		ui->requests_end = ui->rows.requests_end;
	} else if (ui->page == UI_PAGE_TABLE) {
		key_table(ui, key);
	} else if (key == KEY_ESC || key == KEY_LEFT || key == KEY_BACKSPACE || key == 0x7f) {
		ui->page = UI_PAGE_TABLE;
	} else {
		move_by(key, &ui->scroll, ui->lines_len);
	}
	return UI_NONE;
}

enum ui_action ui_input(struct ui *ui)
{
	struct pollfd p = { .fd = fileno(ui->o.in), .events = POLLIN };
	int key, keys = 0;

	while ((key = getch()) != ERR) {
		keys++;
		if (key_press(ui, key) == UI_QUIT)
			return UI_QUIT;
	}
	/* a terminal that is gone stays readable forever */
	if (!keys && poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)))
		return UI_QUIT;
	ui_draw(ui);
	return UI_NONE;
}
