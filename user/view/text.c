/* SPDX-License-Identifier: GPL-2.0-only */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "../report/findings.h"
#include "../report/report.h"
#include "columns.h"
#include "extras.h"
#include "text_layout.h"

#define LINE_LEN 2048
#define FINDINGS_WHOLE 12 /* findings told at length; the rest get one line each */

static enum text_style outcome_style(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_OK:
		return TEXT_GREEN;
	case OUTCOME_HOP_LIMIT:
		return TEXT_RED;
	default:
		return TEXT_YELLOW;
	}
}

enum text_style text_level_style(enum level level)
{
	static const enum text_style styles[LEVEL_COUNT] = {
		[LEVEL_QUIET] = TEXT_YELLOW, [LEVEL_OK] = TEXT_GREEN,	    [LEVEL_NOTE] = TEXT_GREEN,
		[LEVEL_BLIND] = TEXT_YELLOW, [LEVEL_WARNING] = TEXT_YELLOW, [LEVEL_PROBLEM] = TEXT_RED,
	};

	return styles[level];
}

/* --- the report ------------------------------------------------------------------------------------------- */

void text_verdict(FILE *out, enum level level, const char *headline, const struct text_options *o)
{
	char first[16], buf[LINE_LEN * 2];

	fputs(text_on(o, text_level_style(level)), out);
	snprintf(first, sizeof(first), "%s  ", report_level_word(level));
	if (o->width)
		text_paragraph(out, o, first, headline);
	else /* one line, for head, tail and grep */
		fprintf(out, "%s%s\n", first, text_escape(headline, o->utf8, 0, buf, sizeof(buf)));
	fputs(text_off(o), out);
}

static void report_where(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;
	char text[LINE_LEN];

	snprintf(text, sizeof(text), "watched %.1f s on %.60s%s%.200s%s%.60s", watched_s, s->node,
		 s->part ? ", of it only " : "", s->part ? s->part : "", s->kernel[0] ? ", kernel " : "", s->kernel);
	for (size_t i = 0; s->endpoints && s->endpoints[i]; i++)
		text_add(text, sizeof(text), "%s%s", i ? ", " : "; endpoints ", s->endpoints[i]);
	text_add(text, sizeof(text), "; imdsnoop %s", s->version);
	text_styled(out, o, TEXT_DIM, "", text);
}

static void report_advice(FILE *out, const struct snapshot *s, size_t n, const size_t *numbers,
			  const struct text_options *o)
{
	const struct finding *f = &s->findings[n];
	size_t before;

	if (!f->advice[0])
		return;
	before = findings_advised_before(s->findings, n);
	if (before < n) {
		fprintf(out, "\n   What to do: as under %zu.\n", numbers[before]);
		return;
	}
	fprintf(out, "\n   %sWhat to do%s\n", text_on(o, TEXT_BOLD), text_off(o));
	for (char **line = f->advice; *line; line++)
		text_advice(out, o, *line);
}

static void report_finding(FILE *out, const struct report *r, size_t n, const size_t *numbers,
			   const struct text_options *o)
{
	static const enum text_style styles[] = { TEXT_DIM, TEXT_YELLOW, TEXT_RED };
	const struct snapshot *s = r->s;
	const struct finding *f = &s->findings[n];
	char first[16], way[512], buf[LINE_LEN];

	fprintf(out, "\n%s%zu. %s  %s%s\n", text_on(o, styles[f->severity]), numbers[n], severity_word(f->severity),
		finding_word(f->code), text_off(o));
	text_styled(out, o, TEXT_BOLD, "   ", f->summary);
	if (finding_row(f) < r->rows_len && findings_is_first_of_row(s->findings, n) &&
	    path_draw(&r->rows[finding_row(f)].path, o->utf8, way, sizeof(way))[0])
		fprintf(out, "\n       %s%s%s\n", text_on(o, styles[f->severity]),
			text_escape(way, o->utf8, 0, buf, sizeof(buf)), text_off(o));
	if (f->evidence && f->evidence[0])
		fputc('\n', out);
	snprintf(first, sizeof(first), "   %s ", o->utf8 ? "•" : "-");
	for (char **line = f->evidence; line && *line; line++)
		text_paragraph(out, o, first, *line);
	report_advice(out, s, n, numbers, o);
}

static void report_findings(FILE *out, const struct report *r, const struct text_options *o)
{
	const struct snapshot *s = r->s;
	size_t *numbers = calloc(s->findings_len + 1, sizeof(*numbers)); /* 0: not told at length */
	size_t number = 0;

	for (size_t i = 0; i < s->findings_len; i++) {
		char first[16];

		if (s->findings[i].code == FINDING_OBSERVATION_INCOMPLETE)
			continue; /* has its own part at the end */
		number++;
		if (numbers && number <= FINDINGS_WHOLE) {
			numbers[i] = number;
			report_finding(out, r, i, numbers, o);
			continue;
		}
		if (number == FINDINGS_WHOLE + 1 || (!numbers && number == 1))
			fputs("\nMore, in one line each (--format json has all of it)\n", out);
		snprintf(first, sizeof(first), "%zu. ", number);
		text_paragraph(out, o, first, s->findings[i].summary);
	}
	free(numbers);
}

#define NAME_MIN 30 /* of a longer name */
#define CAUSE_WIDTH 24

static void report_pods(FILE *out, const struct report *r, const struct text_options *o)
{
	size_t name = 3, name_max = o->width ? (size_t)text_width(o) - CAUSE_WIDTH - 2 : SIZE_MAX;
	unsigned int shown = 0;
	struct cells cells;
	char buf[1024];

	if (!r->rows_len)
		return;
	for (size_t i = 0; i < r->rows_len; i++) {
		size_t n = text_columns(text_escape(r->rows[i].subject, o->utf8, 0, buf, sizeof(buf)));

		name = n > name ? n : name;
	}
	for (int rank = 1; rank <= COLUMNS; rank++)
		for (size_t i = 0; i < COLUMNS; i++) {
			size_t width = (size_t)pod_columns[i].in[COLUMNS_REPORT].width;

			if (pod_columns[i].in[COLUMNS_REPORT].rank == rank &&
			    name_max > (name < NAME_MIN ? name : NAME_MIN) + width) {
				shown |= 1u << i;
				name_max -= o->width ? width + 1 : 0;
			}
		}
	name = name < name_max ? name : name_max;
	fprintf(out, "\n%s", text_on(o, TEXT_BOLD));
	text_cell(out, "POD", name);
	columns_titles(out, shown, COLUMNS_REPORT);
	fprintf(out, "  CAUSE%s\n", text_off(o));
	for (size_t i = 0; i < r->rows_len; i++) {
		const struct report_row *row = &r->rows[i];

		text_cell(out, text_escape(row->subject, o->utf8, o->width ? name : 0, buf, sizeof(buf)), name);
		columns_cells(row->p, &cells);
		columns_row(out, &cells, shown, COLUMNS_REPORT);
		fprintf(out, "  %s%s%s\n", text_on(o, text_level_style(row->level)),
			text_escape(row->text, o->utf8, o->width ? CAUSE_WIDTH : 0, buf, sizeof(buf)), text_off(o));
	}
	text_styled(
	    out, o, TEXT_DIM, "",
	    "FAIL: requests that left the client without what it asked for. TTL of the SYN-ACK as received; HOPS, "
	    "forwards between service and socket; NEEDS, the hop limit needed");
}

static void report_limits(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	const char *first = o->utf8 ? " • " : " - ";
	char text[LINE_LEN];
	bool head = false;

#define SAY(...)                                                                                            \
	do {                                                                                                \
		if (!head)                                                                                  \
			fprintf(out, "\n%sWhat could not be seen%s\n", text_on(o, TEXT_BOLD), text_off(o)); \
		head = true;                                                                                \
		snprintf(text, sizeof(text), __VA_ARGS__);                                                  \
		text_paragraph(out, o, first, text);                                                        \
	} while (0)
	for (size_t i = 0; i < s->features_len; i++) {
		const struct feature *f = &s->features[i];

		if (strcmp(f->state, "ok"))
			SAY("%s: %s%s%s", f->name, f->state, f->why[0] ? ", " : "", f->why);
	}
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			SAY("%s: %llu%s%s", s->losses[i].name, (unsigned long long)s->losses[i].count,
			    s->losses[i].what[0] ? ", " : "", s->losses[i].what);
	if (s->totals.records_lost)
		SAY("%llu request%s counted without details: the records were lost",
		    PLURAL(s->totals.records_lost, " is", "s are"));
	if (s->totals.in_flight)
		SAY("%llu request%s still unanswered when watching ended", PLURAL(s->totals.in_flight, " was", "s were"));
	if (!s->baseline_ttl && s->totals.requests)
		SAY("no process in the node's own network was answered by the service: hops are counted from the "
		    "usual start TTLs");
#undef SAY
	if (!head)
		fprintf(out, "\n%sNothing was lost, every part worked: the counts are exact.%s\n", text_on(o, TEXT_DIM),
			text_off(o));
}

void text_report(FILE *out, const struct report *r, const struct what_if_result *what_if, const struct changes *changes,
		 const struct text_options *o)
{
	text_verdict(out, r->level, r->headline, o);
	report_where(out, r->s, o);
	if (what_if)
		text_what_if(out, what_if, o);
	if (changes)
		text_changes(out, changes, o);
	report_findings(out, r, o);
	report_pods(out, r, o);
	report_limits(out, r->s, o);
	fputc('\n', out);
	text_verdict(out, r->level, r->headline, o);
}

/* --- trace ------------------------------------------------------------------------------------------------ */

/*
 * Widths of pod and request. Narrow: less than all columns need, so who, what, how it ended and how long it took have the
 * line, and nothing wraps. Without a terminal's width names are whole.
 */
struct trace_layout {
	bool narrow;
	size_t pod, request;
};

#define TRACE_WIDE 98	/* of all columns but pod and request */
#define TRACE_NARROW 40 /* of those that a narrow line has */

static struct trace_layout trace_layout(const struct text_options *o)
{
	struct trace_layout l = { .narrow = o->width && text_width(o) < TRACE_WIDE + 44 };
	size_t rest = o->width ? (size_t)text_width(o) - (l.narrow ? TRACE_NARROW : TRACE_WIDE) : 88;

	l.pod = rest / 2 > 40 ? 40 : rest / 2;
	l.request = rest - l.pod > 48 ? 48 : rest - l.pod;
	return l;
}

static void trace_cell(FILE *out, const struct text_options *o, const char *text, size_t width)
{
	char buf[2048];

	text_cell(out, text_escape(text, o->utf8, o->width ? width : 0, buf, sizeof(buf)), width);
	fputc(' ', out);
}

void text_trace_header(FILE *out, uint64_t wall_ns, const struct text_options *o)
{
	struct trace_layout l = trace_layout(o);
	time_t t = (time_t)(wall_ns / 1000000000u);
	char day[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) && strftime(day, sizeof(day), "%Y-%m-%d, times in %Z (UTC%z)", &tm))
		fprintf(out, "%sfrom %s%s\n", text_on(o, TEXT_DIM), day, text_off(o));
	fprintf(out, "%s%-12s ", text_on(o, TEXT_BOLD), "TIME");
	trace_cell(out, o, "POD", l.pod);
	if (!l.narrow)
		fprintf(out, "%-12s ", "PROCESS");
	trace_cell(out, o, "REQUEST", l.request);
	if (l.narrow)
		fprintf(out, "%-4s %-11s %8s%s\n", "CODE", "OUTCOME", "TOTAL", text_off(o));
	else
		fprintf(out, "%-4s %-18s %8s %8s %8s %4s %5s  %s%s\n", "CODE", "OUTCOME", "CONNECT", "FIRST", "TOTAL",
			"TTL", "HOPS", "NOTES", text_off(o));
}

static void trace_time(FILE *out, uint64_t wall_ns)
{
	char buf[CLOCK_LEN];

	fprintf(out, "%s.%03u ", text_clock(wall_ns, buf), (unsigned int)(wall_ns / 1000000 % 1000));
}

static void trace_notes(FILE *out, const struct request *r, const struct text_options *o)
{
	const struct imds_request *q = &r->rec.req;
	const char *sep = "  ";
	char who[FINDINGS_ANSWERER_LEN], buf[FINDINGS_ANSWERER_LEN];

	if (r->answered_by) {
		findings_answerer(r->answered_by, who, sizeof(who));
		fprintf(out, "%sby %s", sep,
			text_escape(who[0] ? who : r->answered_by->address, o->utf8, 0, buf, sizeof(buf)));
		sep = "; ";
	}
	if (r->cause == CAUSE_SLOW) {
		fprintf(out, "%s%s", sep, cause_text(r->cause));
		sep = "; ";
	}
	if (r->fallback) {
		fprintf(out, "%sIMDSv1 after an unanswered token request", sep);
		sep = "; ";
	}
	if (q->drops) {
		fprintf(out, "%s%u drop%s", sep, q->drops, ENDING(q->drops));
		if (r->drop_reason[0])
			fprintf(out, " %s", text_escape(r->drop_reason, o->utf8, 40, buf, sizeof(buf)));
		if (r->drop_location[0])
			fprintf(out, " in %s", text_escape(r->drop_location, o->utf8, 60, buf, sizeof(buf)));
		if (q->drop.ts_ns)
			fprintf(out, ", TTL %u", q->drop.ttl);
		sep = "; ";
	}
	if (q->retransmits || r->rec.syn_retransmits)
		fprintf(out, "%s%u sent again", sep, q->retransmits + r->rec.syn_retransmits);
}

void text_trace_line(FILE *out, const struct request *r, const struct text_options *o)
{
	const struct imds_rec_request *rec = &r->rec;
	const struct imds_request *q = &rec->req;
	char subject[512], text[IMDS_PATH_LEN + 32];
	const char *confidence = confidence_word(r->confidence);
	int ttl = q->ttl_response ? q->ttl_response : rec->ttl_synack;
	struct trace_layout l = trace_layout(o);

	trace_time(out, r->wall_ns);
	trace_cell(out, o, findings_subject(r->who, subject, sizeof(subject)), l.pod);
	snprintf(text, sizeof(text), "%.*s", IMDS_COMM_LEN, rec->peer.comm[0] ? rec->peer.comm : "-");
	if (!l.narrow)
		trace_cell(out, o, text, 12);
	if (q->method != IMDS_METHOD_NONE)
		snprintf(text, sizeof(text), "%s %.*s", method_word(q->method), IMDS_PATH_LEN,
			 q->path[0] ? q->path : kind_word(q->kind));
	else
		snprintf(text, sizeof(text), "(%s)", kind_word(q->kind));
	trace_cell(out, o, text, l.request);
	if (q->status)
		fprintf(out, "%-4u ", q->status);
	else
		fprintf(out, "%-4s ", "-");

	if (r->running)
		snprintf(text, sizeof(text), "%sstalled", o->utf8 ? "…" : "...");
	else
		snprintf(text, sizeof(text), "%s%s%s", outcome_word(r->outcome), confidence && !l.narrow ? " " : "",
			 confidence && !l.narrow ? confidence : "");
	fputs(text_on(o, r->running ? TEXT_YELLOW : outcome_style(r->outcome)), out);
	text_cell(out, text, l.narrow ? 11 : 18);
	fputs(text_off(o), out);
	if (l.narrow) {
		text_duration(out, request_duration_us(r, rec->hdr.ts_ns));
		fputc('\n', out);
		return;
	}
	text_duration(out, request_connect_us(r));
	text_duration(out, request_first_byte_us(r));
	text_duration(out, request_duration_us(r, rec->hdr.ts_ns));
	text_number(out, 4, ttl, ttl > 0);
	if (r->hops >= 0)
		snprintf(text, sizeof(text), "%d/%d", r->hops, r->required_hop_limit);
	else
		snprintf(text, sizeof(text), "-");
	fprintf(out, " %5s", text);
	trace_notes(out, r, o);
	fputc('\n', out);
}
