/* SPDX-License-Identifier: GPL-2.0-only */
#include "ui.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <curses.h>

#include "../model/findings.h"
#include "text_layout.h"
#include "ui_rows.h"
#include "ui_terminal.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NAME_MIN 20
#define SPARK_MIN 9
#define SPARK_MAX 32
#define ROWS_MIN 6
#define COLUMNS_MIN 40
#define ESCAPE_MS 25			/* how long an Esc waits for the rest of a key's sequence */
#define KEY_CTRL(c) ((c) & 0x1f)
#define KEY_ESC 27

enum page { PAGE_TABLE, PAGE_POD, PAGE_HELP };

struct line {
	enum text_style style;
	char *text;			/* escaped, no wider than the screen */
};

struct ui {
	struct ui_options o;
	SCREEN *screen;
	struct ui_rows rows;
	enum page page;
	bool paused, typing;		/* typing: the filter */
	bool failed;			/* no memory */
	uint64_t key;			/* of the chosen row */
	size_t at, top;			/* where it stands, and the first row on the screen */
	size_t scroll;			/* of a page of lines */
	uint64_t requests_end;		/* requests shown while paused */
	char title[256], verdict[256], sums[256], notice[256];
	enum text_style verdict_style;
	struct line *lines;
	size_t lines_len;
};

static const struct { char key; const char *word, *help; } sorts[UI_SORT_COUNT] = {
	[UI_SORT_WORST] = { 'w', "worst", "worst first" },
	[UI_SORT_REQUESTS] = { 'r', "requests", "requests" },
	[UI_SORT_FAILURES] = { 'f', "failures", "failed requests" },
	[UI_SORT_LOST] = { 's', "seconds lost", "seconds lost" },
	[UI_SORT_LATENCY] = { 'l', "latency", "p99 of the latency" },
	[UI_SORT_RATE] = { 't', "rate", "requests a second" },
	[UI_SORT_DROPS] = { 'd', "drops", "dropped packets" },
	[UI_SORT_NAME] = { 'n', "name", "name" },
};

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

#define NUMBER_CELL(name, field)							\
static void cell_##name(const struct ui_row *r, char *buf, size_t len)			\
{											\
	ui_number(r->field, buf, len);							\
}
#define LATENCY_CELL(name, field)							\
static void cell_##name(const struct ui_row *r, char *buf, size_t len)			\
{											\
	cell_duration(r->field, r->answered, buf, len);					\
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

/* In the order on the screen; rank 1 is left out last when the screen is narrow. */
static const struct column {
	const char *title;
	int width, rank;
	void (*cell)(const struct ui_row *r, char *buf, size_t len);
	const char *help;
} columns[] = {
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

	for (int rank = 1; rank <= (int)LEN(columns); rank++)
		for (size_t i = 0; i < LEN(columns); i++)
			if (columns[i].rank == rank) {
				if (columns[i].width + 1 > left) {
					left = 0;
				} else {
					left -= columns[i].width + 1;
					bits |= 1u << i;
				}
			}
	for (size_t i = 0; i < LEN(columns); i++)
		width -= bits & 1u << i ? columns[i].width + 1 : 0;
	*ret_name = width - SPARK_MIN - 1;
	if (longest < *ret_name)
		*ret_name = longest < NAME_MIN ? NAME_MIN : longest;
	*ret_spark = width - *ret_name - 1;
	if (*ret_spark > SPARK_MAX)
		*ret_spark = SPARK_MAX;
	return bits;
}

/* --- drawing ----------------------------------------------------------------------------------------------------- */

static int attribute(const struct ui *ui, enum text_style style)
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

/* Never reaches the last column's other side: a wide character could wrap. */
static void put(const struct ui *ui, int y, int x, int attr, const char *text)
{
	int width = getmaxx(stdscr) - x;
	char buf[2048];

	if (width <= 0)
		return;
	attrset(attr);
	mvaddstr(y, x, text_escape(text, ui->o.utf8, width, buf, sizeof(buf)));
	attrset(0);
}

static enum text_style style_of(const struct ui_row *r)
{
	return r->hop_limit						? TEXT_RED
	       : r->failed || (r->notes && r->notes[0] != UI_NOTE_INFO) ? TEXT_YELLOW
									: TEXT_PLAIN;
}

static void draw_row(const struct ui *ui, int y, const struct ui_row *r, unsigned int bits, int name, int spark,
		     int attr)
{
	char buf[128], escaped[1024];
	int x = name;

	attrset(attr);
	mvhline(y, 0, ' ', getmaxx(stdscr));
	mvaddstr(y, 0, text_escape(r->name, ui->o.utf8, name, escaped, sizeof(escaped)));
	for (size_t i = 0; i < LEN(columns); i++) {
		if (!(bits & 1u << i))
			continue;
		columns[i].cell(r, buf, sizeof(buf));
		mvprintw(y, x, " %*.*s", columns[i].width, columns[i].width, buf);
		x += columns[i].width + 1;
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

	put(ui, y++, 0, A_BOLD, ui->title);
	if (ui->paused)
		put(ui, 0, getmaxx(stdscr) - 8, A_REVERSE, " PAUSED ");
	put(ui, y++, 0, attribute(ui, ui->verdict_style), ui->verdict);
	put(ui, y++, 0, 0, ui->sums);
	if (ui->notice[0])
		put(ui, y++, 0, attribute(ui, TEXT_YELLOW), ui->notice);
	if (ui->rows.filter[0] || ui->rows.sort != UI_SORT_WORST) {
		snprintf(text, sizeof(text), "%s%s%ssorted by %s", ui->rows.filter[0] ? "only names with '" : "",
			 ui->rows.filter, ui->rows.filter[0] ? "' (Esc: all), " : "", sorts[ui->rows.sort].word);
		put(ui, y++, 0, attribute(ui, TEXT_DIM), text);
	}
	return y;
}

static void draw_table(struct ui *ui)
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
	for (size_t i = 0; i < LEN(columns); i++) {
		if (!(bits & 1u << i))
			continue;
		mvprintw(y, x, " %*s", columns[i].width, columns[i].title);
		x += columns[i].width + 1;
	}
	mvaddnstr(y, x + 1, "LATENCY", spark);
	attrset(0);
	y++;
	if (height < 1)
		return;
	find_chosen(ui, height);
	for (size_t i = ui->top; i < ui->rows.len && i < ui->top + height; i++)
		draw_row(ui, y++, ui->rows.order[i], bits, name, spark,
			 attribute(ui, style_of(ui->rows.order[i])) | (i == ui->at ? A_REVERSE : 0));
	if (!ui->rows.len)
		put(ui, y, 0, attribute(ui, TEXT_DIM), ui->rows.filter[0] ? "No pod with that name." :
		    "No pod has asked a metadata service yet.");
}

/* --- pages of lines ---------------------------------------------------------------------------------------------- */

static void lines_clear(struct ui *ui)
{
	for (size_t i = 0; i < ui->lines_len; i++)
		free(ui->lines[i].text);
	free(ui->lines);
	ui->lines = NULL;
	ui->lines_len = 0;
}

static void add_line(struct ui *ui, enum text_style style, const char *text)
{
	struct line *more = realloc(ui->lines, (ui->lines_len + 1) * sizeof(*more));
	char *copy = strdup(text);

	if (more)
		ui->lines = more;
	if (!more || !copy) {
		free(copy);
		ui->failed = true;
		return;
	}
	ui->lines[ui->lines_len++] = (struct line){ style, copy };
	/* cppcheck-suppress memleak ; it sees no pointer in a literal */
}

/* Escaped text in as many lines as the screen's width asks for, cut anywhere. */
static void add_cut(struct ui *ui, enum text_style style, char *text)
{
	size_t width = getmaxx(stdscr);

	while (text_columns(text) > width) {
		size_t at = 0, columns_left = width;
		char first;

		/* up to the first byte of the first character that is too much */
		while ((text[at] & 0xc0) == 0x80 || columns_left--)
			at++;
		while ((text[at] & 0xc0) == 0x80)
			at++;
		first = text[at];
		text[at] = '\0';
		add_line(ui, style, text);
		text[at] = first;
		text += at;
	}
	add_line(ui, style, text);
}

/* Wrapped at blanks; literal: not, so that a command can be copied. */
static void add_text(struct ui *ui, enum text_style style, const char *first, const char *text, bool literal)
{
	const struct text_options o = { .utf8 = ui->o.utf8, .width = getmaxx(stdscr) };
	char *buf = NULL, *rest, *line, escaped[2048];
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	if (!f) {
		ui->failed = true;
		return;
	}
	if (literal)
		fprintf(f, "%s%s", first, text_escape(text, o.utf8, 0, escaped, sizeof(escaped)));
	else
		text_paragraph(f, &o, first, text);
	if (fclose(f)) {
		ui->failed = true;
	} else {
		rest = buf;
		while ((line = strsep(&rest, "\n")) && (rest || *line))
			add_cut(ui, style, line);
	}
	free(buf);
}

static void add_notes(struct ui *ui, const struct ui_row *r)
{
	static const struct { char kind; enum text_style style; const char *first; } kinds[] = {
		{ UI_NOTE_ERROR, TEXT_RED, "" }, { UI_NOTE_WARNING, TEXT_YELLOW, "" }, { UI_NOTE_INFO, TEXT_DIM, "" },
		{ UI_NOTE_SUMMARY, TEXT_BOLD, "  " }, { UI_NOTE_EVIDENCE, TEXT_PLAIN, "  - " },
	};
	char *copy = strdup(r->notes), *rest = copy, *line;
	bool advice = false;

	while (copy && (line = strsep(&rest, "\n")) && *line) {
		if (*line == UI_NOTE_ADVICE) {
			if (!advice)
				add_line(ui, TEXT_BOLD, "  What to do");
			advice = true;
			/* one that begins with two spaces is a command, to be copied */
			add_text(ui, TEXT_PLAIN, line[1] == ' ' ? "    " : "  - ", line + 1, line[1] == ' ');
			continue;
		}
		advice = false;
		for (size_t i = 0; i < LEN(kinds); i++)
			if (kinds[i].kind == *line)
				add_text(ui, kinds[i].style, kinds[i].first, line + 1, false);
	}
	ui->failed |= !copy;
	free(copy);
}

static void format_request(const struct ui *ui, const struct ui_request *u, char *buf, size_t len)
{
	const char *confidence = confidence_word(u->confidence);
	int width = getmaxx(stdscr), room = width > 140 ? width - 82 : width - 58;
	char clock[16] = "", what[512], comm[128], outcome[48], took[32] = "-", first[32] = "-";
	char status[16] = "-", hops[24] = "-";
	time_t t = u->wall_ns / 1000000000;
	size_t used, comm_used;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	text_escape(u->what, ui->o.utf8, room, what, sizeof(what));
	text_escape(u->comm, ui->o.utf8, 10, comm, sizeof(comm));
	used = text_columns(what);
	comm_used = text_columns(comm);
	if (u->status)
		snprintf(status, sizeof(status), "%u", u->status);
	snprintf(outcome, sizeof(outcome), "%s%s%s", u->running ? "stalled" : outcome_word(u->outcome),
		 confidence && !u->running ? " " : "", confidence && !u->running ? confidence : "");
	if (u->duration_us >= 0)
		findings_duration(u->duration_us, took, sizeof(took));
	if (u->first_us >= 0)
		findings_duration(u->first_us, first, sizeof(first));
	if (u->hops >= 0)
		snprintf(hops, sizeof(hops), "%d/%d", u->hops, u->required);
	snprintf(buf, len, "  %s.%03u %s%*s %s%*s %3s %-18s %7s", clock, (unsigned int)(u->wall_ns / 1000000 % 1000),
		 comm, (int)(comm_used < 10 ? 10 - comm_used : 0), "", what,
		 (int)((int)used < room ? room - used : 0), "", status, outcome, took);
	if (width > 140)
		snprintf(buf + strlen(buf), len - strlen(buf), " %8s %4d %5s %5u", first, u->ttl, hops, u->drops);
}

static void add_requests(struct ui *ui, const struct ui_row *r, size_t max)
{
	uint64_t at = ui->paused ? ui->requests_end : ui->rows.requests_end;
	const struct ui_request *u;
	char buf[2048], title[2048];
	size_t n = 0;

	snprintf(title, sizeof(title), "Requests, newest first%s", r->in_flight ? ", some still unanswered" : "");
	add_line(ui, TEXT_BOLD, title);
	for (; n < max && (u = ui_rows_next_request(&ui->rows, r->key, &at)); n++) {
		format_request(ui, u, buf, sizeof(buf));
		add_line(ui, u->running || u->fallback ? TEXT_YELLOW : u->outcome == OUTCOME_OK ? TEXT_PLAIN :
			 u->outcome == OUTCOME_HOP_LIMIT ? TEXT_RED : TEXT_YELLOW, buf);
	}
	if (!n)
		add_line(ui, TEXT_DIM, "  none of the newest");
}

static void build_pod(struct ui *ui)
{
	const struct ui_row *r = NULL;
	char text[512], p50[32], p99[32], max[32];

	HASH_FIND(hh, ui->rows.by_key, &ui->key, sizeof(ui->key), r);
	if (!r) {
		add_line(ui, TEXT_DIM, "This pod is not in the table any more. Esc leads back.");
		return;
	}
	add_text(ui, TEXT_BOLD, "", r->name, false);
	add_text(ui, TEXT_DIM, "  ", r->who, false);
	if (r->processes[0])
		add_text(ui, TEXT_DIM, "  ", r->processes, false);
	if (r->way[0]) {
		add_line(ui, TEXT_PLAIN, "");
		add_text(ui, r->hop_limit ? TEXT_RED : r->failed ? TEXT_YELLOW : TEXT_GREEN, "  ", r->way, false);
	}
	add_line(ui, TEXT_PLAIN, "");
	snprintf(text, sizeof(text),
		 "%llu requests: %llu ok, %llu hop-limit, %llu failed otherwise; %llu v1, %llu v2; %.1f s lost",
		 (unsigned long long)r->requests, (unsigned long long)r->ok, (unsigned long long)r->hop_limit,
		 (unsigned long long)r->failed, (unsigned long long)r->v1, (unsigned long long)r->v2, r->seconds_lost);
	add_text(ui, TEXT_PLAIN, "  ", text, false);
	if (r->answered) {
		snprintf(text, sizeof(text), "latency p50 %s, p99 %s, max %s; %.1f requests a second",
			 findings_duration(r->p50_us, p50, sizeof(p50)), findings_duration(r->p99_us, p99, sizeof(p99)),
			 findings_duration(r->max_us, max, sizeof(max)), r->rate);
		add_text(ui, TEXT_PLAIN, "  ", text, false);
	}
	add_line(ui, TEXT_PLAIN, "");
	add_requests(ui, r, getmaxy(stdscr) / 4);
	add_line(ui, TEXT_PLAIN, "");
	if (r->notes)
		add_notes(ui, r);
	else
		add_line(ui, TEXT_GREEN, "Nothing is wrong here, as far as was seen.");
}

static void build_help(struct ui *ui)
{
	static const char *const keys[] = {
		"Up Down PgUp PgDn Home End   choose a pod, or scroll",
		"Enter   open the pod: its requests, the packet's way, what to do",
		"Esc     back, or show all again", "/       show only names with some text in them",
		"p       pause: the screen stands still, counting goes on", "q       quit", "Ctrl-L  draw anew",
	};
	char text[256];

	add_line(ui, TEXT_BOLD, "Keys");
	for (size_t i = 0; i < LEN(keys); i++)
		add_text(ui, TEXT_PLAIN, "  ", keys[i], true);
	add_line(ui, TEXT_BOLD, "Sort by");
	for (size_t i = 0; i < LEN(sorts); i += 2) {
		snprintf(text, sizeof(text), "%c  %-22s %c  %s", sorts[i].key, sorts[i].help, sorts[i + 1].key,
			 sorts[i + 1].help);
		add_text(ui, TEXT_PLAIN, "  ", text, true);
	}
	add_line(ui, TEXT_BOLD, "Columns (a narrow screen leaves some out)");
	for (size_t i = 0; i < LEN(columns); i++) {
		snprintf(text, sizeof(text), "%-6s %s", columns[i].title, columns[i].help);
		if (columns[i].help[0])
			add_text(ui, TEXT_PLAIN, "  ", text, true);
	}
	add_text(ui, TEXT_PLAIN, "  LATENCY ",
		 "the newest answers: lowest below 0.3 ms, then 1, 3, 10, 30, 100 ms, highest above 1 s", false);
}

static void draw_lines(struct ui *ui, void (*build)(struct ui *ui))
{
	size_t height = getmaxy(stdscr) - 1, i;

	lines_clear(ui);
	build(ui);
	if (ui->scroll + height > ui->lines_len)
		ui->scroll = ui->lines_len > height ? ui->lines_len - height : 0;
	for (i = 0; i < height && ui->scroll + i < ui->lines_len; i++) {
		const struct line *l = &ui->lines[ui->scroll + i];

		attrset(attribute(ui, l->style));
		mvaddstr(i, 0, l->text);
		attrset(0);
	}
	if (ui->paused)
		put(ui, 0, getmaxx(stdscr) - 8, A_REVERSE, " PAUSED ");
}

static void draw_foot(struct ui *ui)
{
	static const char *const keys[] = {
		[PAGE_TABLE] = "q quit  ? help  / filter  Enter open  p pause  sort: w r f s l t d n",
		[PAGE_POD] = "q quit  Esc back  Up Down scroll  p pause  ? help",
		[PAGE_HELP] = "q quit  any other key: back",
	};
	int y = getmaxy(stdscr) - 1;
	char text[512];

	move(y, 0);
	clrtoeol();
	if (ui->typing) {
		snprintf(text, sizeof(text), "Show names with: %s_", ui->rows.filter);
		put(ui, y, 0, A_BOLD, text);
		return;
	}
	put(ui, y, 0, attribute(ui, TEXT_DIM), keys[ui->page]);
	if (ui->page != PAGE_TABLE && ui->lines_len > (size_t)y) {
		snprintf(text, sizeof(text), "%zu-%zu of %zu", ui->scroll + 1, ui->scroll + y, ui->lines_len);
		put(ui, y, getmaxx(stdscr) - (int)strlen(text) - 1, attribute(ui, TEXT_DIM), text);
	}
}

void ui_draw(struct ui *ui)
{
	erase();
	if (getmaxy(stdscr) < ROWS_MIN || getmaxx(stdscr) < COLUMNS_MIN) {
		mvaddstr(0, 0, "too small");
	} else {
		if (ui->page == PAGE_TABLE)
			draw_table(ui);
		else
			draw_lines(ui, ui->page == PAGE_POD ? build_pod : build_help);
		draw_foot(ui);
	}
	refresh();
}

/* --- what comes in ----------------------------------------------------------------------------------------------- */

static void fill_head(struct ui *ui, const struct snapshot *s)
{
	const struct pod_stats *t = &s->totals;
	uint64_t failed = 0, lost = 0;
	char p99[32] = "-", *why = ui->notice;
	size_t dead = 0, failing = 0;

	for (int i = 0; i < OUTCOME_COUNT; i++)
		failed += i == OUTCOME_OK || i == OUTCOME_HOP_LIMIT ? 0 : t->outcomes[i];
	for (size_t i = 0; i < s->pods_len; i++) {
		dead += s->pods[i]->outcomes[OUTCOME_HOP_LIMIT] > 0;
		failing += s->pods[i]->outcomes[OUTCOME_OK] != s->pods[i]->requests;
	}
	if (t->latency.count)
		findings_duration(histogram_quantile_us(&t->latency, 0.99), p99, sizeof(p99));
	snprintf(ui->title, sizeof(ui->title), "imdsnoop top  %.64s  %.0f s", s->node,
		 (s->now_ns - s->started_ns) / 1e9);
	ui->verdict_style = dead ? TEXT_RED : failing ? TEXT_YELLOW : s->pods_len ? TEXT_GREEN : TEXT_PLAIN;
	if (dead)
		snprintf(ui->verdict, sizeof(ui->verdict),
			 "PROBLEM  the hop limit takes token answers from %zu of %zu pods", dead, s->pods_len);
	else if (failing)
		snprintf(ui->verdict, sizeof(ui->verdict),
			 "WARNING  %zu of %zu pods have failed requests, none by the hop limit", failing,
			 s->pods_len);
	else if (s->pods_len)
		snprintf(ui->verdict, sizeof(ui->verdict), "OK  no failed request in %zu pods", s->pods_len);
	else
		snprintf(ui->verdict, sizeof(ui->verdict), "QUIET  nobody has asked yet");
	snprintf(ui->sums, sizeof(ui->sums),
		 "%llu requests: %llu ok, %llu hop-limit, %llu failed, %llu running; %.1f s lost; p99 %s",
		 (unsigned long long)t->requests, (unsigned long long)t->outcomes[OUTCOME_OK],
		 (unsigned long long)t->outcomes[OUTCOME_HOP_LIMIT], (unsigned long long)failed,
		 (unsigned long long)t->in_flight, t->seconds_lost, p99);
	for (size_t i = 0; i < s->losses_len; i++)
		lost += s->losses[i].count;
	ui->notice[0] = '\0';
	if (lost)
		snprintf(why, sizeof(ui->notice),
			 "%llu things were not seen or not kept: 'imdsnoop report' tells which",
			 (unsigned long long)lost);
	for (size_t i = 0; i < s->features_len && !lost; i++)
		if (!strcmp(s->features[i].state, "missing") || !strcmp(s->features[i].state, "off")) {
			snprintf(why, sizeof(ui->notice), "%s: %s%s%s", s->features[i].name, s->features[i].state,
				 s->features[i].why[0] ? ", " : "", s->features[i].why);
			break;
		}
}

int ui_update(struct ui *ui, const struct snapshot *s, bool (*selects)(void *arg, const struct pod_stats *p), void *arg)
{
	if (ui->paused)
		return 0;
	fill_head(ui, s);
	if (ui_rows_update(&ui->rows, s, ui->o.utf8, selects, arg))
		return -ENOMEM;
	ui_draw(ui);
	return ui->failed ? -ENOMEM : 0;
}

bool ui_add_request(struct ui *ui, const struct request *r, uint64_t now_ns)
{
	ui_rows_add_request(&ui->rows, r, now_ns);
	return ui->page == PAGE_POD && !ui->paused && r->who->cgroup_id == ui->key;
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

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
	size_t step = getmaxy(stdscr) > ROWS_MIN ? getmaxy(stdscr) - ROWS_MIN : 1;

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
		if (ui->rows.len)
			ui->key = ui->rows.order[ui->at]->key;
		return;
	}
	for (size_t i = 0; i < LEN(sorts); i++)
		if (sorts[i].key == key) {
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
			ui->page = PAGE_POD;
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
	if (ui->page == PAGE_HELP && !move_by(key, &ui->scroll, ui->lines_len)) {
		ui->page = PAGE_TABLE;
	} else if (ui->page == PAGE_HELP) {
		return UI_NONE;
	} else if (key == '?') {
		ui->page = PAGE_HELP;
		ui->scroll = 0;
	} else if (key == 'p') {
		ui->paused = !ui->paused;
		ui->requests_end = ui->rows.requests_end;
	} else if (ui->page == PAGE_TABLE) {
		key_table(ui, key);
	} else if (key == KEY_ESC || key == KEY_LEFT || key == KEY_BACKSPACE || key == 0x7f) {
		ui->page = PAGE_TABLE;
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
	lines_clear(ui);
	ui_rows_clear(&ui->rows);
	free(ui);
}
