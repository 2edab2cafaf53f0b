/* SPDX-License-Identifier: GPL-2.0-only */
/* The pages of lines on the screen of `top`: one pod, and help. Built anew for each drawing, cut to the screen. */
#include "ui_part.h"

#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "../report/findings.h"

void ui_clear_lines(struct ui *ui)
{
	for (size_t i = 0; i < ui->lines_len; i++)
		free(ui->lines[i].text);
	free(ui->lines);
	ui->lines = NULL;
	ui->lines_len = 0;
}

static void add_line(struct ui *ui, enum text_style style, const char *text)
{
	struct ui_line *more = realloc(ui->lines, (ui->lines_len + 1) * sizeof(*more));
	char *copy = strdup(text);

	if (more)
		ui->lines = more;
	if (!more || !copy) {
		free(copy);
		ui->failed = true;
		return;
	}
	ui->lines[ui->lines_len++] = (struct ui_line){ style, copy };
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
	static const struct {
		char kind;
		enum text_style style;
		const char *first;
	} kinds[] = {
		{ UI_NOTE_ERROR, TEXT_RED, "" },	  { UI_NOTE_WARNING, TEXT_YELLOW, "" },
		{ UI_NOTE_INFO, TEXT_DIM, "" },		  { UI_NOTE_SUMMARY, TEXT_BOLD, "  " },
		{ UI_NOTE_EVIDENCE, TEXT_PLAIN, "  - " },
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
	char clock[CLOCK_LEN], what[512], comm[128], outcome[48], took[32] = "-", first[32] = "-";
	char status[16] = "-", hops[24] = "-";
	size_t used, comm_used;

	text_clock(u->wall_ns, clock);
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
		 comm, (int)(comm_used < 10 ? 10 - comm_used : 0), "", what, (int)((int)used < room ? room - used : 0),
		 "", status, outcome, took);
	if (width > 140)
		text_add(buf, len, " %8s %4d %5s %5u", first, u->ttl, hops, u->drops);
}

static void add_requests(struct ui *ui, const struct ui_row *r, size_t max)
{
	uint64_t at = ui->paused ? ui->requests_end : ui->rows.requests_end;
	const struct ui_request *u;
	char buf[2048], title[2048];
	size_t n = 0;

	snprintf(title, sizeof(title), "Requests, newest first%s", r->cells.in_flight ? ", some still unanswered" : "");
	add_line(ui, TEXT_BOLD, title);
	for (; n < max && (u = ui_rows_next_request(&ui->rows, r->key, &at)); n++) {
		format_request(ui, u, buf, sizeof(buf));
		add_line(ui,
			 u->running || u->fallback	   ? TEXT_YELLOW
			 : u->outcome == OUTCOME_OK	   ? TEXT_PLAIN
			 : u->outcome == OUTCOME_HOP_LIMIT ? TEXT_RED
							   : TEXT_YELLOW,
			 buf);
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
	if (r->path[0]) {
		add_line(ui, TEXT_PLAIN, "");
		add_text(ui, text_level_style(r->level), "  ", r->path, false);
	}
	add_line(ui, TEXT_PLAIN, "");
	snprintf(text, sizeof(text), "%llu request%s: %llu answered, %llu failed; %llu v1, %llu v2; %.1f s lost; %s",
		 PLURAL(r->cells.requests, "", "s"), (unsigned long long)r->cells.answered,
		 (unsigned long long)r->cells.failed, (unsigned long long)r->cells.v1_requests,
		 (unsigned long long)r->cells.v2_requests, r->cells.seconds_lost, r->cause);
	add_text(ui, TEXT_PLAIN, "  ", text, false);
	if (r->cells.max_us >= 0) {
		snprintf(text, sizeof(text), "latency p50 %s, p99 %s, max %s; %.1f requests a second",
			 findings_duration((uint64_t)r->cells.p50_us, p50, sizeof(p50)),
			 findings_duration((uint64_t)r->cells.p99_us, p99, sizeof(p99)),
			 findings_duration((uint64_t)r->cells.max_us, max, sizeof(max)), r->cells.rate);
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
		"Enter   open the pod: its requests, the packet's path, what to do",
		"Esc     back, or show all again",
		"/       show only names with some text in them",
		"p       pause: the screen stands still, counting goes on",
		"q       quit",
		"Ctrl-L  draw anew",
	};
	char text[256];

	add_line(ui, TEXT_BOLD, "Keys");
	for (size_t i = 0; i < LEN(keys); i++)
		add_text(ui, TEXT_PLAIN, "  ", keys[i], true);
	add_line(ui, TEXT_BOLD, "Sort by");
	for (size_t i = 0; i < LEN(ui_sorts); i += 2) {
		snprintf(text, sizeof(text), "%c  %-22s %c  %s", ui_sorts[i].key, ui_sorts[i].help, ui_sorts[i + 1].key,
			 ui_sorts[i + 1].help);
		add_text(ui, TEXT_PLAIN, "  ", text, true);
	}
	add_line(ui, TEXT_BOLD, "Columns (a narrow screen leaves some out)");
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!pod_columns[i].in[COLUMNS_TOP].rank || !pod_columns[i].help[0])
			continue;
		snprintf(text, sizeof(text), "%-6s %s", pod_columns[i].title, pod_columns[i].help);
		add_text(ui, TEXT_PLAIN, "  ", text, true);
	}
	add_text(ui, TEXT_PLAIN, "  LATENCY ",
		 "the newest answers: lowest below 0.3 ms, then 1, 3, 10, 30, 100 ms, highest above 1 s", false);
}

void ui_draw_lines(struct ui *ui)
{
	size_t height = getmaxy(stdscr) - 1, i;

	ui_clear_lines(ui);
	if (ui->page == UI_PAGE_POD)
		build_pod(ui);
	else
		build_help(ui);
	if (ui->scroll + height > ui->lines_len)
		ui->scroll = ui->lines_len > height ? ui->lines_len - height : 0;
	for (i = 0; i < height && ui->scroll + i < ui->lines_len; i++) {
		const struct ui_line *l = &ui->lines[ui->scroll + i];

		attrset(ui_attribute(ui, l->style));
		mvaddstr(i, 0, l->text);
		attrset(0);
	}
	if (ui->paused)
		ui_put(ui, 0, getmaxx(stdscr) - 8, A_REVERSE, " PAUSED ");
}
