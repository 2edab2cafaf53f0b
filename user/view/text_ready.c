/* SPDX-License-Identifier: GPL-2.0-only */
#include <time.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "extras.h"
#include "text_layout.h"

#define LINE_LEN 2048
#define ROWS 200 /* of a verdict; --format json has all of them */
#define DAY 86400.0

char *extras_ready_headline(const struct ready *r, char *buf, size_t len)
{
	size_t breaks = r->counts[READY_BREAKS], unknown = r->counts[READY_UNKNOWN];

	if (!r->rows_len)
		snprintf(buf, len, "Unknown: no workload was seen, so nothing can be said about %s", r->title);
	else if (breaks)
		snprintf(buf, len, "No: %zu of %zu workload%s would break with %s; %zu unknown, %zu safe", breaks,
			 r->rows_len, ENDING(r->rows_len), r->title, unknown, r->counts[READY_SAFE]);
	else if (unknown)
		snprintf(buf, len,
			 "Unknown: %zu of %zu workload%s cannot be judged with %s; %zu safe, none seen to break",
			 unknown, r->rows_len, ENDING(r->rows_len), r->title, r->counts[READY_SAFE]);
	else
		snprintf(buf, len, "Yes: all %zu workload%s that were seen are safe with %s", r->rows_len,
			 ENDING(r->rows_len), r->title);
	return buf;
}

char *extras_ready_basis(const struct ready *r, char *buf, size_t len)
{
	double window_s = (double)(r->to_s - r->from_s);

	snprintf(buf, len,
		 "Judged from %zu node%s over %.1f days: %.1f %% of the days' hours and %.1f %% of these nodes' time "
		 "were watched.",
		 r->nodes, ENDING(r->nodes), window_s / DAY, r->watched * 100, r->coverage * 100);

	if (r->rarest_s > 0)
		text_add(buf, len,
			 " A caller that asks at least every %.1f days would have been seen in 999 of 1,000 cases. "
			 "Nodes without an agent are not in it.",
			 r->rarest_s / DAY);
	return buf;
}

static void rows_of(FILE *out, const struct ready *r, enum ready_verdict v, const struct text_options *o)
{
	static const char *const titles[] = { "Breaks", "Unknown", "Safe" };
	static const enum text_style styles[] = { TEXT_RED, TEXT_YELLOW, TEXT_GREEN };
	char text[LINE_LEN], subject[1024], first[32];
	size_t n = 0;

	if (!r->counts[v])
		return;
	fprintf(out, "\n%s%s (%zu)%s\n", text_on(o, styles[v]), titles[v], r->counts[v], text_off(o));
	for (size_t i = 0; i < r->rows_len; i++) {
		const struct ready_row *row = &r->rows[i];

		if (row->verdict != v || n++ >= ROWS)
			continue;
		snprintf(subject, sizeof(subject), "%.300s%s%.600s", row->namespace, *row->namespace ? "/" : "",
			 row->name);
		snprintf(text, sizeof(text), "%s%s%s (%.1f %% of its nodes' time watched)", subject,
			 *row->reason ? ": " : "", row->reason, row->coverage * 100);
		snprintf(first, sizeof(first), "   %-8s ", ready_word(v));
		text_paragraph(out, o, first, text);
	}
	if (n > ROWS)
		fprintf(out, "   and %zu more: --format json has all of them\n", n - ROWS);
}

void text_ready(FILE *out, const struct ready *r, const struct text_options *o)
{
	char line[LINE_LEN];

	text_styled(out, o, TEXT_BOLD, "", extras_ready_headline(r, line, sizeof(line)));
	text_paragraph(out, o, "", extras_ready_basis(r, line, sizeof(line)));
	for (int v = READY_BREAKS; v < READY_VERDICT_COUNT; v++)
		rows_of(out, r, v, o);
}
