/* SPDX-License-Identifier: GPL-2.0-only */
#include "ui.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ncurses.h>

#include "../model/findings.h"

enum { PAIR_RED = 1, PAIR_YELLOW, PAIR_GREEN, PAIR_DIM };

static const char *const sort_words[UI_SORT_COUNT] = { "worst", "requests", "lost", "latency", "rate", "name" };
static const char sort_keys[UI_SORT_COUNT + 1] = "wrltsn";

int ui_start(struct ui_state *ui)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	setlocale(LC_CTYPE, "");
	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	if (ui->text.color && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(PAIR_RED, COLOR_RED, -1);
		init_pair(PAIR_YELLOW, COLOR_YELLOW, -1);
		init_pair(PAIR_GREEN, COLOR_GREEN, -1);
		init_pair(PAIR_DIM, COLOR_CYAN, -1);
	} else {
		ui->text.color = false;
	}
	return 0;
}

void ui_stop(struct ui_state *ui)
{
	if (!isendwin())
		endwin();
	free(ui->rates);
	ui->rates = NULL;
	ui->rates_len = ui->rates_size = 0;
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

const char *ui_key_of(const struct pod_stats *p, char *buf, size_t len)
{
	snprintf(buf, len, "%s", p->other ? "other" : *p->who.container_id ? p->who.container_id : p->who.cgroup);
	return buf;
}

static struct ui_rate *rate_of(const struct ui_state *ui, const char *key)
{
	for (size_t i = 0; i < ui->rates_len; i++)
		if (!strcmp(ui->rates[i].key, key))
			return &ui->rates[i];
	return NULL;
}

void ui_take_rates(struct ui_state *ui, const struct snapshot *s)
{
	double seconds = ui->rates_ns && s->now_ns > ui->rates_ns ? (s->now_ns - ui->rates_ns) / 1e9 : 0;
	struct ui_rate *fresh;

	if (ui->rates_ns && seconds < 0.9)
		return;
	fresh = calloc(s->pods_len ? s->pods_len : 1, sizeof(*fresh));
	if (!fresh)
		return;
	for (size_t i = 0; i < s->pods_len; i++) {
		const struct ui_rate *old;

		ui_key_of(s->pods[i], fresh[i].key, sizeof(fresh[i].key));
		fresh[i].requests = s->pods[i]->requests;
		old = rate_of(ui, fresh[i].key);
		if (seconds > 0)
			fresh[i].rate = (fresh[i].requests - (old ? old->requests : 0)) / seconds;
	}
	free(ui->rates);
	ui->rates = fresh;
	ui->rates_len = ui->rates_size = s->pods_len;
	ui->rates_ns = s->now_ns;
}

void ui_add_event(struct ui_state *ui, const char *line)
{
	snprintf(ui->events[ui->events_next], UI_LINE_LEN, "%s", line);
	ui->events_next = (ui->events_next + 1) % UI_EVENTS;
	if (ui->events_len < UI_EVENTS)
		ui->events_len++;
}

static uint64_t failures(const struct pod_stats *p)
{
	return p->requests - p->outcomes[OUTCOME_OK] - p->outcomes[OUTCOME_HOP_LIMIT];
}

/* For qsort, which passes no argument: set just before each sort, on the one thread that there is. */
static const struct ui_state *sorting;

static double sort_value(const struct pod_stats *p)
{
	char key[UI_KEY_LEN];
	const struct ui_rate *r;

	switch (sorting->sort) {
	case UI_SORT_REQUESTS:
		return p->requests;
	case UI_SORT_LOST:
		return p->seconds_lost;
	case UI_SORT_LATENCY:
		return histogram_quantile_us(&p->latency, 0.99);
	case UI_SORT_RATE:
		r = rate_of(sorting, ui_key_of(p, key, sizeof(key)));
		return r ? r->rate : 0;
	default:
		return 0;
	}
}

static int by_sort(const void *a, const void *b)
{
	const struct pod_stats *x = *(const struct pod_stats *const *)a, *y = *(const struct pod_stats *const *)b;
	char nx[512], ny[512];
	double p, q;

	if (sorting->sort != UI_SORT_NAME) {
		p = sort_value(x);
		q = sort_value(y);
		if (p != q)
			return p > q ? -1 : 1;
	}
	return strcmp(findings_subject(&x->who, nx, sizeof(nx)), findings_subject(&y->who, ny, sizeof(ny)));
}

/* The rows that pass the filter, sorted; the caller frees. */
static const struct pod_stats **rows(const struct ui_state *ui, const struct snapshot *s, size_t *ret_len)
{
	const struct pod_stats **list = calloc(s->pods_len ? s->pods_len : 1, sizeof(*list));
	char name[512];
	size_t n = 0;

	for (size_t i = 0; list && i < s->pods_len; i++)
		if (!*ui->filter || strstr(findings_subject(&s->pods[i]->who, name, sizeof(name)), ui->filter))
			list[n++] = s->pods[i];
	if (list && ui->sort != UI_SORT_WORST) {	/* a snapshot comes worst first */
		sorting = ui;
		qsort(list, n, sizeof(*list), by_sort);
	}
	*ret_len = list ? n : 0;
	return list;
}

static size_t selected_index(const struct ui_state *ui, const struct pod_stats *const *list, size_t len)
{
	char key[UI_KEY_LEN];

	for (size_t i = 0; i < len; i++)
		if (!strcmp(ui_key_of(list[i], key, sizeof(key)), ui->selected))
			return i;
	return 0;
}

/* --- drawing --------------------------------------------------------------------------------------------------------- */

static void style(const struct ui_state *ui, int pair, bool on)
{
	attr_t a = pair == PAIR_RED ? A_BOLD : pair == PAIR_DIM ? A_DIM : A_NORMAL;

	if (ui->text.color)
		a |= COLOR_PAIR(pair);
	if (on)
		attron(a);
	else
		attroff(a);
}

/* Prints at (y, x), cut at the right edge; text from outside has been escaped. */
static void __attribute__((format(printf, 3, 4))) put(int y, int x, const char *format, ...)
{
	char line[1024], *at;
	int columns;
	va_list ap;

	if (y < 0 || y >= LINES || x >= COLS)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	/* as many characters as there are columns; addnstr() counts bytes and wraps */
	for (columns = 0, at = line; *at && columns < COLS - x; at++)
		columns += (at[1] & 0xc0) != 0x80;
	mvaddnstr(y, x, line, (int)(at - line));
}

/* Eight steps of block characters, or of ASCII, scaled to the largest value shown. */
static void sparkline(const struct ui_state *ui, const struct pod_stats *p, char *buf, size_t len, size_t width)
{
	static const char *const blocks[8] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[8] = { "_", ".", "-", "=", "+", "*", "%", "#" };
	size_t from = p->recent_len > width ? p->recent_len - width : 0, at = 0;
	uint32_t max = 1;

	buf[0] = 0;
	for (size_t i = from; i < p->recent_len; i++)
		if (p->recent_us[i] > max)
			max = p->recent_us[i];
	for (size_t i = from; i < p->recent_len; i++) {
		const char *c = (ui->text.utf8 ? blocks : ascii)[(uint64_t)p->recent_us[i] * 7 / max];
		size_t n = strlen(c);

		if (at + n + 1 > len)
			break;
		memcpy(buf + at, c, n + 1);
		at += n;
	}
}

static int row_style(const struct pod_stats *p)
{
	if (p->outcomes[OUTCOME_HOP_LIMIT])
		return PAIR_RED;
	return failures(p) || p->slow || p->fallbacks || p->in_flight ? PAIR_YELLOW : PAIR_GREEN;
}

static void duration(uint64_t us, bool any, char *buf, size_t len)
{
	if (any)
		findings_duration(us, buf, len);
	else
		snprintf(buf, len, "-");
}

static void number(int n, char *buf, size_t len)
{
	if (n > 0)
		snprintf(buf, len, "%d", n);
	else
		snprintf(buf, len, "-");
}

static uint64_t drops(const struct pod_stats *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->drops_len; i++)
		n += p->drops[i].packets;
	return n;
}

static void draw_row(const struct ui_state *ui, const struct pod_stats *p, int y, int name_width, bool selected)
{
	char name[512], shown[600], key[UI_KEY_LEN], p50[32], p99[32], max[32], ttl[12], needs[12], spark[128];
	const struct ui_rate *r = rate_of(ui, ui_key_of(p, key, sizeof(key)));
	bool any = p->latency.count;

	text_escape(findings_subject(&p->who, name, sizeof(name)), ui->text.utf8, name_width, shown, sizeof(shown));
	duration(histogram_quantile_us(&p->latency, 0.5), any, p50, sizeof(p50));
	duration(histogram_quantile_us(&p->latency, 0.99), any, p99, sizeof(p99));
	duration(p->latency.max_us, any, max, sizeof(max));
	number(p->ttl_synack, ttl, sizeof(ttl));
	number(p->required_hop_limit, needs, sizeof(needs));
	sparkline(ui, p, spark, sizeof(spark), 16);
	if (selected)
		attron(A_REVERSE);
	style(ui, row_style(p), true);
	mvhline(y, 0, ' ', COLS);
	put(y, 0, "%s%s", selected ? ">" : " ", p->other ? "other" : shown);
	put(y, name_width + 1, "%6llu %4llu %4llu %4llu %4llu %6.1f %7s %7s",
	    (unsigned long long)p->requests, (unsigned long long)p->outcomes[OUTCOME_OK],
	    (unsigned long long)p->outcomes[OUTCOME_HOP_LIMIT], (unsigned long long)failures(p),
	    (unsigned long long)p->in_flight, p->seconds_lost, p50, p99);
	put(y, name_width + 53, " %7s %5.1f %5llu %5llu %3s %5s %6llu %s", max, r ? r->rate : 0,
	    (unsigned long long)p->v1_requests, (unsigned long long)p->v2_requests, ttl, needs,
	    (unsigned long long)drops(p), spark);
	style(ui, row_style(p), false);
	if (selected)
		attroff(A_REVERSE);
}

static void draw_top(struct ui_state *ui, const struct snapshot *s)
{
	int y = 0, rows_at = 4, height = LINES - rows_at - 1, name_width = COLS >= 150 ? COLS - 125 : COLS - 54;
	uint64_t limited = 0, failing = 0;
	const struct pod_stats **list;
	size_t len, at, from;

	if (name_width > 60)
		name_width = 60;
	for (size_t i = 0; i < s->pods_len; i++) {
		limited += s->pods[i]->outcomes[OUTCOME_HOP_LIMIT] > 0;
		failing += s->pods[i]->outcomes[OUTCOME_HOP_LIMIT] || failures(s->pods[i]);
	}
	attron(A_BOLD);
	put(y++, 0, "imdsnoop top  %s  %s  %.0f s%s", s->node, s->kernel, (s->now_ns - s->started_ns) / 1e9,
	    ui->paused ? "  PAUSED" : "");
	attroff(A_BOLD);
	style(ui, limited ? PAIR_RED : failing ? PAIR_YELLOW : PAIR_GREEN, true);
	if (limited)
		put(y++, 0, "PROBLEM  %llu of %zu pods lose token answers to the hop limit; %.1f s lost",
		    (unsigned long long)limited, s->pods_len, s->totals.seconds_lost);
	else if (failing)
		put(y++, 0, "WARNING  %llu of %zu pods have failing requests, none by the hop limit",
		    (unsigned long long)failing, s->pods_len);
	else
		put(y++, 0, s->pods_len ? "OK  all %zu pods get their answers" : "QUIET  nobody asked yet (%zu pods)", s->pods_len);
	style(ui, limited ? PAIR_RED : failing ? PAIR_YELLOW : PAIR_GREEN, false);
	put(y++, 0, "sort: %s   filter: %s%s   ? help  q quit", sort_words[ui->sort], *ui->filter || ui->typing ? ui->filter : "none",
	    ui->typing ? "_" : "");
	attron(A_UNDERLINE);
	mvhline(y, 0, ' ', COLS);
	put(y, 1, "POD");
	put(y, name_width + 1, "  REQS   OK  HOP FAIL WAIT LOST_S     P50     P99");
	put(y, name_width + 53, "     MAX   R/S    V1    V2 TTL NEEDS  DROPS LATENCY");
	attroff(A_UNDERLINE);

	list = rows(ui, s, &len);
	at = selected_index(ui, list, len);
	if (len)
		ui_key_of(list[at], ui->selected, sizeof(ui->selected));
	from = height > 0 && at >= (size_t)height ? at - height + 1 : 0;
	for (size_t i = from; i < len && (int)(i - from) < height; i++)
		draw_row(ui, list[i], rows_at + (int)(i - from), name_width, i == at);
	put(LINES - 1, 0, "%zu of %zu pods", len, s->pods_len);
	for (size_t i = 0, x = 24; i < s->losses_len; i++)
		if (s->losses[i].count && x < (size_t)COLS) {
			put(LINES - 1, (int)x, "lost: %s %llu", s->losses[i].name, (unsigned long long)s->losses[i].count);
			x += 32;
		}
	free(list);
}

/* Prints text wrapped at blanks from column x on; returns the line behind it. skip: lines still to scroll over. */
static int paragraph(const struct ui_state *ui, int y, int x, const char *text, int *skip)
{
	char line[1024], *at = line;

	text_escape(text, ui->text.utf8, 0, line, sizeof(line));
	while (*at) {
		int width = COLS - x - 1, len = (int)strlen(at), n = len;

		if (width < 10)
			width = 10;
		if (n > width) {
			for (n = width; n > 0 && at[n] != ' '; n--)
				;
			if (!n)
				n = width;
		}
		if (*skip > 0)
			--*skip;
		else
			put(y++, x, "%.*s", n, at);
		at += n;
		while (*at == ' ')
			at++;
	}
	return y;
}

static void draw_pod(struct ui_state *ui, const struct snapshot *s)
{
	char name[512], shown[600], way[512];
	const struct pod_stats *p = NULL;
	int y = 0, skip = ui->scroll;
	char key[UI_KEY_LEN];

	for (size_t i = 0; i < s->pods_len && !p; i++)
		if (!strcmp(ui_key_of(s->pods[i], key, sizeof(key)), ui->selected))
			p = s->pods[i];
	if (!p) {
		put(0, 0, "this pod is gone; Esc goes back");
		return;
	}
	attron(A_BOLD);
	put(y++, 0, "%s%s", text_escape(findings_subject(&p->who, name, sizeof(name)), ui->text.utf8, COLS - 10, shown, sizeof(shown)),
	    ui->paused ? "  PAUSED" : "");
	attroff(A_BOLD);
	put(y++, 0, "Esc back   up, down scroll   q quit");
	findings_draw_way(s, p, ui->text.utf8, way, sizeof(way));
	if (*way) {
		style(ui, row_style(p), true);
		put(++y, 4, "%s", text_escape(way, ui->text.utf8, 0, shown, sizeof(shown)));
		style(ui, row_style(p), false);
		y += 2;
	}
	put(y++, 0, "%llu requests, %llu ok, %llu hop-limit, %.1f s lost, needs hop limit %d, %llu drops",
	    (unsigned long long)p->requests, (unsigned long long)p->outcomes[OUTCOME_OK],
	    (unsigned long long)p->outcomes[OUTCOME_HOP_LIMIT], p->seconds_lost, p->required_hop_limit,
	    (unsigned long long)drops(p));
	for (size_t i = 0; i < s->findings_len; i++) {
		const struct finding *f = &s->findings[i];

		if (f->pod_index >= s->pods_len || s->pods[f->pod_index] != p)
			continue;
		y++;
		style(ui, f->severity == SEVERITY_ERROR ? PAIR_RED : PAIR_YELLOW, true);
		y = paragraph(ui, y, 0, f->summary, &skip);
		style(ui, f->severity == SEVERITY_ERROR ? PAIR_RED : PAIR_YELLOW, false);
		for (char **e = f->evidence; e && *e; e++)
			y = paragraph(ui, y, 2, *e, &skip);
		for (char **a = f->advice; a && *a; a++)
			y = paragraph(ui, y, 4, *a, &skip);
	}
	y++;
	attron(A_UNDERLINE);
	put(y++, 0, "requests, newest first");
	attroff(A_UNDERLINE);
	for (size_t i = 0; i < ui->events_len && y < LINES; i++)
		put(y++, 0, "%s", ui->events[(ui->events_next + UI_EVENTS - 1 - i) % UI_EVENTS]);
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"imdsnoop top: keys", "",
		"  up, down, j, k    choose a pod",
		"  Enter             open it: the way of its packets, findings, requests as they come",
		"  Esc               back",
		"  /                 filter by a part of the name; Enter keeps it, Esc drops it",
		"  w r l t s n       sort: worst, requests, seconds lost, latency p99, rate, name",
		"  p                 pause and go on; counting never stops",
		"  ?                 this help",
		"  q                 quit",
		"", "any key goes on",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		put((int)i, 0, "%s", lines[i]);
}

void ui_draw(struct ui_state *ui, const struct snapshot *s)
{
	erase();
	if (ui->help)
		draw_help();
	else if (ui->open)
		draw_pod(ui, s);
	else
		draw_top(ui, s);
	refresh();
}

/* --- keys ------------------------------------------------------------------------------------------------------------ */

static void type_filter(struct ui_state *ui, int key)
{
	size_t len = strlen(ui->filter);

	if (key == '\n' || key == KEY_ENTER) {
		ui->typing = false;
	} else if (key == 27) {
		ui->typing = false;
		ui->filter[0] = 0;
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		if (len)
			ui->filter[len - 1] = 0;
	} else if (key >= ' ' && key < 127 && len + 1 < UI_FILTER_LEN) {
		ui->filter[len] = (char)key;
		ui->filter[len + 1] = 0;
	}
}

static void move_selection(struct ui_state *ui, const struct snapshot *s, int by)
{
	const struct pod_stats **list;
	size_t len, at;

	list = rows(ui, s, &len);
	if (len) {
		at = selected_index(ui, list, len);
		if (by < 0 && at > 0)
			at--;
		if (by > 0 && at + 1 < len)
			at++;
		ui_key_of(list[at], ui->selected, sizeof(ui->selected));
	}
	free(list);
}

bool ui_key(struct ui_state *ui, const struct snapshot *s, int key)
{
	const char *sort;

	if (key == KEY_RESIZE)
		return false;
	if (ui->help) {
		ui->help = false;
		return false;
	}
	if (ui->typing) {
		type_filter(ui, key);
		return false;
	}
	switch (key) {
	case 'q':
		return true;
	case '?':
		ui->help = true;
		return false;
	case 'p':
		ui->paused = !ui->paused;
		return false;
	case KEY_UP:
	case 'k':
		if (ui->open)
			ui->scroll -= ui->scroll > 0;
		else
			move_selection(ui, s, -1);
		return false;
	case KEY_DOWN:
	case 'j':
		if (ui->open)
			ui->scroll++;
		else
			move_selection(ui, s, 1);
		return false;
	case '\n':
	case KEY_ENTER:
		if (!ui->open && *ui->selected) {
			ui->open = true;
			ui->scroll = 0;
			ui->events_len = ui->events_next = 0;
		}
		return false;
	case 27:
		if (ui->open)
			ui->open = false;
		else
			ui->filter[0] = 0;
		return false;
	case '/':
		ui->typing = !ui->open;
		return false;
	}
	sort = key > 0 && key < 127 ? strchr(sort_keys, key) : NULL;
	if (sort && *sort && !ui->open)
		ui->sort = (enum ui_sort)(sort - sort_keys);
	return false;
}
