/* SPDX-License-Identifier: GPL-2.0-only */
#include "html_part.h"

#include <string.h>

#include "../report/findings.h"
#include "../base/utf8.h"

#define LINE_LEN 2048

/* Characters that turn or hide text around them: U+061C, U+200B-200F, U+2028-202E, U+2060-2069, U+FEFF. */
static bool is_deceptive(const unsigned char *s, size_t len)
{
	if (len == 2)
		return s[0] == 0xd8 && s[1] == 0x9c;
	if (len != 3)
		return false;
	if (s[0] == 0xe2 && s[1] == 0x80)
		return (s[2] >= 0x8b && s[2] <= 0x8f) || (s[2] >= 0xa8 && s[2] <= 0xae);
	if (s[0] == 0xe2 && s[1] == 0x81)
		return s[2] >= 0xa0 && s[2] <= 0xa9;
	return s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf;
}

void html_text(FILE *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t len = utf8_len(p);

		if ((!utf8_shown_len((const char *)p) && *p != '\t' && *p != '\n') || is_deceptive(p, len))
			fputs("\xef\xbf\xbd", out);
		else if (*p == '&')
			fputs("&amp;", out);
		else if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '>')
			fputs("&gt;", out);
		else if (*p == '"')
			fputs("&quot;", out);
		else if (*p == '\'')
			fputs("&#39;", out);
		else
			fwrite(p, 1, len, out);
		p += len ? len : 1;
	}
}

void html_in(FILE *out, const char *before, const char *s, const char *after)
{
	fputs(before, out);
	html_text(out, s);
	fputs(after, out);
}

void html_cell(FILE *out, const char *class, const char *s)
{
	fprintf(out, "<td class=\"%s\">", class);
	html_in(out, "", s, "</td>");
}

void html_begin(FILE *out, const char *title, enum level level, const char *headline)
{
	static const char *const classes[LEVEL_COUNT] = {
		[LEVEL_QUIET] = "quiet",   [LEVEL_OK] = "ok",		[LEVEL_NOTE] = "ok",
		[LEVEL_BLIND] = "warning", [LEVEL_WARNING] = "warning", [LEVEL_PROBLEM] = "error",
	};

	/* the policy holds even if something got past the escaping: nothing runs, nothing is fetched */
	fputs(
	    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	    "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light "
	    "dark\">\n",
	    out);
	html_in(out, "<title>", title, "</title>\n");
	fprintf(out, "<style>%s</style>\n</head>\n<body>\n<header class=\"%s\">\n", html_style, classes[level]);
	html_in(out, "<p class=\"brand\">imdsnoop<span>", title, "</span></p>\n");
	fprintf(out, "<h1><span class=\"state\">%s</span> ", report_level_word(level));
	html_in(out, "", headline, "</h1>\n");
}

void html_end(FILE *out, const char *version)
{
	html_in(out, "</main>\n<footer>Written by imdsnoop ", version,
		". Tokens, credentials and bodies are never recorded.</footer>\n</body>\n</html>\n");
}

void html_section(FILE *out, const char *title)
{
	html_in(out, "<section>\n<h2>", title, "</h2>\n");
}

void html_section_end(FILE *out)
{
	fputs("</section>\n", out);
}

void html_list(FILE *out, const char *const *lines)
{
	if (!lines || !*lines)
		return;
	fputs("<ul>\n", out);
	for (; *lines; lines++) {
		html_in(out, "<li>", *lines, "</li>\n");
	}
	fputs("</ul>\n", out);
}

void html_advice(FILE *out, const char *const *lines)
{
	bool in_block = false;

	for (; lines && *lines; lines++) {
		bool literal = !strncmp(*lines, "  ", 2);

		if (literal != in_block)
			fputs(literal ? "<pre>" : "</pre>\n", out);
		in_block = literal;
		fputs(literal ? "" : "<p>", out);
		html_text(out, literal ? *lines + 2 : *lines);
		fputs(literal ? "\n" : "</p>\n", out);
	}
	if (in_block)
		fputs("</pre>\n", out);
}

void html_us(FILE *out, int64_t us)
{
	char buf[32];

	fputs(us < 0 ? "–" : findings_duration((uint64_t)us, buf, sizeof(buf)), out);
}

void html_chip(FILE *out, enum severity severity, const char *word)
{
	fprintf(out, "<span class=\"chip %s\">", severity_word(severity));
	html_in(out, "", word, "</span>");
}
