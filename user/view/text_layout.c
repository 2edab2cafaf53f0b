/* SPDX-License-Identifier: GPL-2.0-only */
#include "text_layout.h"

#include <string.h>
#include <time.h>

#include "../report/findings.h"

#define LINE_LEN 2048

const char *text_on(const struct text_options *o, enum text_style style)
{
	static const char *const codes[] = { "", "\033[1m", "\033[1;31m", "\033[33m", "\033[32m", "\033[2m" };

	return o->color ? codes[style] : "";
}

const char *text_off(const struct text_options *o)
{
	return o->color ? "\033[0m" : "";
}

int text_width(const struct text_options *o)
{
	return o->width == 0 ? 100 : o->width < 80 ? 80 : o->width;
}

size_t text_columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Where the nth character behind s begins. */
static char *skip_columns(char *s, size_t n)
{
	while (*s && n--)
		for (s++; ((unsigned char)*s & 0xc0) == 0x80; s++)
			;
	return s;
}

char *text_cut_middle(char *s, size_t columns, bool utf8)
{
	const char *mark = utf8 ? "…" : "~";
	size_t all = text_columns(s), head = columns / 2;
	char *to, *from;

	if (!columns || all <= columns)
		return s;
	to = skip_columns(s, head);
	from = skip_columns(to, all - columns + 1);
	memmove(to + strlen(mark), from, strlen(from) + 1);
	memcpy(to, mark, strlen(mark));
	return s;
}

const char *text_us(int64_t us, char buf[32])
{
	return us < 0 ? "-" : findings_duration((uint64_t)us, buf, 32);
}

void text_duration(FILE *out, int64_t us)
{
	char buf[32];

	fprintf(out, " %8s", text_us(us, buf));
}

void text_number(FILE *out, int width, int n, bool known)
{
	if (known)
		fprintf(out, " %*d", width, n);
	else
		fprintf(out, " %*s", width, "-");
}

const char *text_clock(uint64_t wall_ns, char buf[CLOCK_LEN])
{
	time_t t = (time_t)(wall_ns / 1000000000u);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(buf, CLOCK_LEN, "%H:%M:%S", &tm))
		snprintf(buf, CLOCK_LEN, "--:--:--");
	return buf;
}

/* Left-aligned in n columns, whatever its bytes. */
void text_cell(FILE *out, const char *s, size_t n)
{
	size_t have = text_columns(s);

	fprintf(out, "%s%*s", s, have < n ? (int)(n - have) : 0, "");
}

/* Escaped and wrapped at blanks; the first line begins with `first`, the others as far right. */
void text_paragraph(FILE *out, const struct text_options *o, const char *first, const char *text)
{
	size_t indent = text_columns(first), room = (size_t)text_width(o) - indent;
	char buf[LINE_LEN];
	const char *s = text_escape(text, o->utf8, 0, buf, sizeof(buf));

	fputs(first, out);
	for (;;) {
		size_t at = 0, col = 0, blank = 0;

		while (s[at] && col <= room) {
			if (s[at] == ' ')
				blank = at;
			col += ((unsigned char)s[at] & 0xc0) != 0x80;
			at++;
		}
		if (!s[at] && col <= room) {
			fprintf(out, "%s\n", s);
			return;
		}
		if (!blank) /* one long word: a command stays whole to be copied */
			blank = at + strcspn(s + at, " ");
		fprintf(out, "%.*s\n", (int)blank, s);
		s += blank;
		s += strspn(s, " ");
		if (!*s)
			return;
		fprintf(out, "%*s", (int)indent, "");
	}
}

void text_styled(FILE *out, const struct text_options *o, enum text_style style, const char *first, const char *text)
{
	fputs(text_on(o, style), out);
	text_paragraph(out, o, first, text);
	fputs(text_off(o), out);
}

void text_advice(FILE *out, const struct text_options *o, const char *line)
{
	char buf[LINE_LEN];

	if (!strncmp(line, "  ", 2))
		fprintf(out, "       %s\n", text_escape(line + 2, o->utf8, 0, buf, sizeof(buf)));
	else
		text_paragraph(out, o, o->utf8 ? "   • " : "   - ", line);
}
