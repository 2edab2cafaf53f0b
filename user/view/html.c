/* SPDX-License-Identifier: GPL-2.0-only */
#include "html.h"

#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "../report/findings.h"
#include "columns.h"
#include "extras.h"
#include "html_part.h"
#include "json.h"

#define CARDS 40 /* findings as cards; the rest in one line each */
#define PLOTS 24 /* pods with a drawing of their own */
#define LANES 16
#define CHANGES 60
#define TEXT_LEN 2048

static void fact(FILE *out, const char *name, const char *value)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	html_in(out, "", value, "</dd></div>\n");
}

static void facts(FILE *out, const struct report *r)
{
	const struct snapshot *s = r->s;
	char buf[256], when[40];

	fputs("<dl class=\"facts\">\n", out);
	fact(out, "Node", s->node);
	fact(out, "Kernel", s->kernel);
	json_time(s->started_wall_ns, when, sizeof(when));
	snprintf(buf, sizeof(buf), "%.10s %.8s UTC, for %.1f s", when, when + 11,
		 s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0);
	fact(out, "Watched", buf);
	buf[0] = '\0';
	for (size_t i = 0; s->endpoints && s->endpoints[i]; i++)
		text_add(buf, sizeof(buf), "%s%s", i ? ", " : "", s->endpoints[i]);
	fact(out, "Endpoints", buf);
	snprintf(buf, sizeof(buf), "%llu by %zu pod%s: %llu answered, %llu failed",
		 (unsigned long long)s->totals.requests, r->pods.pods, ENDING(r->pods.pods),
		 (unsigned long long)s->totals.answered, (unsigned long long)s->totals.failed);
	fact(out, "Requests", buf);
	fputs("</dl>\n</header>\n<main>\n", out);
}

/* --- findings ----------------------------------------------------------------------------------------------------- */

static void card(FILE *out, const struct report *r, const struct finding *findings, size_t n, bool with_path)
{
	const struct finding *f = &findings[n];
	size_t before;

	/* folded but the first: a page of twenty findings is read by its summaries */
	fprintf(out, "<details class=\"card %s\"%s><summary>\n", severity_word(f->severity), n ? "" : " open");
	html_chip(out, f->severity, severity_word(f->severity));
	html_chip(out, SEVERITY_INFO, finding_word(f->code));
	html_in(out, "<h3>", f->summary, "</h3></summary>\n");
	if (with_path && finding_row(f) < r->rows_len && findings_is_first_of_row(findings, n))
		svg_path(out, &r->rows[finding_row(f)].path);
	if (f->evidence && f->evidence[0]) {
		fputs("<h4>Evidence</h4>\n", out);
		html_list(out, (const char *const *)f->evidence);
	}
	if (f->advice && f->advice[0]) {
		before = findings_advised_before(findings, n);
		fputs("<h4>What to do</h4>\n", out);
		if (before < n && before < CARDS) {
			html_in(out, "<p>As above, under: ", findings[before].summary, "</p>\n");
		} else {
			html_advice(out, (const char *const *)f->advice);
		}
	}
	fputs("</details>\n", out);
}

static void cards(FILE *out, const struct report *r, const struct finding *findings, size_t len, bool with_path)
{
	for (size_t i = 0; i < len && i < CARDS; i++)
		if (findings[i].code != FINDING_OBSERVATION_INCOMPLETE)
			card(out, r, findings, i, with_path);
	if (len <= CARDS)
		return;
	fprintf(out, "<details><summary>%zu more finding%s</summary>\n<ul>\n", len - CARDS, ENDING(len - CARDS));
	for (size_t i = CARDS; i < len; i++) {
		html_in(out, "<li>", findings[i].summary, "</li>\n");
	}
	fputs("</ul>\n</details>\n", out);
}

static void findings_section(FILE *out, const struct report *r)
{
	const struct snapshot *s = r->s;

	html_section(out, "Findings");
	if (!s->findings_len || (s->findings_len == 1 && s->findings[0].code == FINDING_OBSERVATION_INCOMPLETE))
		fputs("<p>Nothing stands out.</p>\n", out);
	cards(out, r, s->findings, s->findings_len, true);
	html_section_end(out);
}

static void what_if_section(FILE *out, const struct report *said, const struct what_if_result *r)
{
	char title[128];

	snprintf(title, sizeof(title), "What if: %s", r->title);
	html_section(out, title);
	if (!r->counts[WHAT_IF_BREAKS])
		html_in(out, r->open ? "<p>" : "<p class=\"good\">", r->verdict, "</p>\n");
	cards(out, said, r->findings, r->findings_len, false);
	for (int i = 0; i < WHAT_IF_FATE_COUNT; i++) {
		if (!r->lines[i])
			continue;
		html_in(out, "<p>", r->lines[i], "</p>\n");
	}
	html_in(out, "<p class=\"soft\">", r->basis, "</p>\n");
	html_section_end(out);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void figure_cells(FILE *out, const struct workload_figures *f)
{
	if (!f->pods) {
		fputs("<td>–</td><td>–</td><td>–</td><td>–</td><td>–</td>", out);
		return;
	}
	fprintf(out, "<td>%llu</td><td%s>%llu</td><td>", (unsigned long long)f->requests,
		f->failed ? " class=\"bad\"" : "", (unsigned long long)f->failed);
	html_us(out, f->p50_us);
	fputs("</td><td>", out);
	html_us(out, f->p99_us);
	fprintf(out, "</td><td%s>%.1f</td>", f->seconds_lost >= 0.05 ? " class=\"bad\"" : "", f->seconds_lost);
}

static void changes_section(FILE *out, const struct changes *c)
{
	static const char *const chips[CHANGE_KIND_COUNT] = { "error", "warning", "warning", "good" };
	char buf[TEXT_LEN];

	snprintf(buf, sizeof(buf), "Changed since %s", c->before->started);
	html_section(out, buf);
	if (strcmp(c->before->node, c->after->node)) {
		html_in(out, "<p class=\"warn\">The earlier report is of another node, ", c->before->node, ".</p>\n");
	}
	fprintf(out,
		"<p>%zu new, %zu still there, %zu unknown, %zu gone. Lost waiting: %.1f s in %.0f s before, %.1f s in "
		"%.0f s now."
		"</p>\n",
		c->counts[CHANGE_NEW], c->counts[CHANGE_STILL], c->counts[CHANGE_UNKNOWN], c->counts[CHANGE_GONE],
		c->before->seconds_lost, c->before->duration_s, c->after->seconds_lost, c->after->duration_s);
	for (size_t i = 0; i < c->findings_len && i < CHANGES; i++) {
		const struct finding_change *f = &c->findings[i];
		const struct report_finding *said = f->after ? f->after : f->before;

		fprintf(out, "<p><span class=\"chip %s\">%s</span> ", chips[f->kind], change_word(f->kind));
		html_text(out, said->summary);
		fputs(f->kind != CHANGE_UNKNOWN ? "</p>\n"
						: " <span class=\"soft\">(not asked for since, or not answered: it may "
						  "still be so)</span></p>\n",
		      out);
	}
	if (c->findings_len > CHANGES)
		fprintf(out, "<p class=\"soft\">and %zu more</p>\n", c->findings_len - CHANGES);
	fputs("<div class=\"wide card\"><table>\n<tr><th></th><th class=\"c\" colspan=\"5\">before</th>"
	      "<th class=\"c\" colspan=\"5\">now</th></tr>\n"
	      "<tr><th>Workload</th><th>requests</th><th>failed</th><th>p50</th><th>p99</th><th>s "
	      "lost</th><th>requests</th><th>failed</th><th>p50</th><th>p99</th><th>s lost</th></tr>\n",
	      out);
	for (size_t i = 0; i < c->workloads_len && i < CHANGES; i++) {
		const struct workload_change *w = &c->workloads[i];

		html_in(out, "<tr><td>", extras_subject(&w->who, buf, sizeof(buf)), "</td>");
		figure_cells(out, &w->before);
		figure_cells(out, &w->after);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n<p class=\"soft\">Latencies are of a workload's slowest pod.</p>\n", out);
	html_section_end(out);
}

/* --- timeline ----------------------------------------------------------------------------------------------------- */

/* Names of the first lanes, in order of appearance; returns how many. */
static size_t lanes_of(const struct timeline *t, const char **lanes, size_t max, uint64_t *ret_elsewhere)
{
	size_t n = 0, j;

	for (size_t i = 0; i < t->len; i++) {
		for (j = 0; j < n && strcmp(lanes[j], t->events[i].who); j++)
			;
		if (j < n)
			continue;
		if (n < max)
			lanes[n++] = t->events[i].who;
		else
			++*ret_elsewhere;
	}
	return n;
}

static void event_rows(FILE *out, const struct timeline *t, uint64_t from_ns)
{
	static const char *const words[EVENT_TYPE_COUNT] = { "stalled", "", "dropped" };

	fprintf(out,
		"<details><summary>All %zu events</summary>\n<div class=\"wide\"><table>\n<tr><th>After</th>"
		"<th class=\"l\">Pod</th><th class=\"l\">What</th><th class=\"l\">Outcome</th><th>Took</th></tr>\n",
		t->len);
	for (size_t i = 0; i < t->len; i++) {
		const struct event_entry *e = &t->events[i];

		/* what began before us has a time below zero */
		fprintf(out, "<tr><td>%.3f s</td>", ((double)e->ns - (double)from_ns) / 1e9);
		html_cell(out, "l", e->who);
		html_cell(out, "l", e->what);
		fprintf(out, "<td class=\"l%s\">%s</td><td>",
			e->type == EVENT_DROP || e->outcome == OUTCOME_HOP_LIMIT ? " bad" : "",
			e->type == EVENT_REQUEST ? outcome_word(e->outcome) : words[e->type]);
		html_us(out, e->type == EVENT_DROP ? -1 : (int64_t)e->took_us);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div></details>\n", out);
}

static void timeline_section(FILE *out, const struct snapshot *s, const struct timeline *t)
{
	const char *lanes[LANES];
	uint64_t elsewhere = 0;
	size_t n = lanes_of(t, lanes, LANES, &elsewhere);

	html_section(out, "Timeline");
	if (!t->len) {
		fputs("<p>No stall, no request with a problem, no drop.</p>\n", out);
		html_section_end(out);
		return;
	}
	fputs("<div class=\"card\">\n", out);
	for (size_t i = 0; i < n; i++) {
		html_in(out, "<div class=\"lane\"><span>", lanes[i], "</span>");
		svg_lane(out, t, lanes[i], s->started_ns, s->now_ns);
		fputs("</div>\n", out);
	}
	fprintf(
	    out, "<div class=\"lane\"><span></span><div class=\"axis\"><span>0 s</span><span>%.1f s</span></div></div>\n",
	    s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0);
	fputs("<div class=\"key\"><span><i style=\"background:var(--bar)\"></i>request with a problem</span>"
	      "<span><i style=\"background:var(--warn)\"></i>stalled</span>"
	      "<span><i style=\"background:var(--bad)\"></i>packet dropped</span></div>\n",
	      out);
	if (elsewhere)
		fprintf(out, "<p class=\"soft\">%llu events of further pods are in the list only.</p>\n",
			(unsigned long long)elsewhere);
	if (t->more)
		fprintf(out, "<p class=\"warn\">%llu more events were not kept: the first %d are shown.</p>\n",
			(unsigned long long)t->more, TIMELINE_MAX);
	event_rows(out, t, s->started_ns);
	fputs("</div>\n", out);
	html_section_end(out);
}

/* --- latency, pods, limits ---------------------------------------------------------------------------------------- */

static bool has_finding(const struct snapshot *s, size_t pod)
{
	for (size_t i = 0; i < s->findings_len; i++)
		if (finding_row(&s->findings[i]) == pod)
			return true;
	return false;
}

/* A card: the packet's path, where no finding drew it, and how long answers took. */
static void pod_card(FILE *out, const struct report *r, size_t pod)
{
	const struct report_row *row = &r->rows[pod];
	const struct histogram *h = &row->p->latency;

	html_in(out, "<div class=\"card\"><h3>", row->subject, "</h3>\n");
	if (!has_finding(r->s, pod))
		svg_path(out, &row->path);
	if (h->count) {
		fprintf(out, "<p class=\"soft\">%llu answered, p50 ", (unsigned long long)h->count);
		html_us(out, (int64_t)histogram_quantile_us(h, 0.5));
		fputs(", p99 ", out);
		html_us(out, (int64_t)histogram_quantile_us(h, 0.99));
		fputs(", max ", out);
		html_us(out, (int64_t)h->max_us);
		fputs("</p>\n", out);
		svg_latency(out, h, r->s->slow_us);
	} else {
		fputs("<p class=\"soft\">Nothing was answered.</p>\n", out);
	}
	fputs("</div>\n", out);
}

static void latency_section(FILE *out, const struct report *r)
{
	if (!r->rows_len)
		return;
	html_section(out, "Path and latency");
	fputs("<div class=\"grid\">\n", out);
	for (size_t i = 0; i < r->rows_len && i < PLOTS; i++)
		pod_card(out, r, i);
	fputs("</div>\n", out);
	if (r->rows_len > PLOTS)
		fprintf(out, "<p class=\"soft\">The other pods: see the table.</p>\n");
	html_section_end(out);
}

static void pod_row(FILE *out, const struct report_row *row)
{
	static const char *const classes[LEVEL_COUNT] = {
		[LEVEL_OK] = "l good",	  [LEVEL_NOTE] = "l good",    [LEVEL_QUIET] = "l soft",
		[LEVEL_BLIND] = "l warn", [LEVEL_WARNING] = "l warn", [LEVEL_PROBLEM] = "l bad",
	};
	const struct pod_stats *p = row->p;
	struct cells cells;

	columns_cells(p, &cells);
	html_in(out, "<tr><td>", row->subject,
		p->host_network ? " <span class=\"soft\">host network</span></td>" : "</td>");
	html_cell(out, classes[row->level], row->text);
	columns_html_row(out, &cells, ~0u);
	fputs("</tr>\n", out);
}

static void pods_section(FILE *out, const struct report *r)
{
	html_section(out, "All pods");
	if (!r->rows_len) {
		fputs("<p>None spoke to a metadata service.</p>\n", out);
		html_section_end(out);
		return;
	}
	fputs("<div class=\"wide card\"><table>\n<tr><th>Pod</th><th class=\"l\">cause</th>", out);
	columns_html_headings(out, ~0u);
	fputs("</tr>\n", out);
	for (size_t i = 0; i < r->rows_len; i++)
		pod_row(out, &r->rows[i]);
	fputs("</table></div>\n<p class=\"soft\">TTL of the SYN-ACK as received; hops are the forwards between service "
	      "and socket; needs is the hop limit that lets token answers through.</p>\n",
	      out);
	html_section_end(out);
}

/* Rows of what does not wholly work, then the rest in one line. */
static void features(FILE *out, const struct snapshot *s)
{
	size_t rows = 0, fine = 0;

	for (size_t i = 0; i < s->features_len; i++) {
		const struct feature *f = &s->features[i];

		if (!strcmp(f->state, "ok")) {
			fine++;
			continue;
		}
		fputs(rows++ ? ""
			     : "<div class=\"wide card\"><table>\n<tr><th>Part</th><th class=\"l\">state</th>"
			       "<th class=\"l\">why</th></tr>\n",
		      out);
		html_in(out, "<tr><td>", f->name, "</td>");
		html_cell(out, "l warn", f->state);
		html_in(out, "<td class=\"l\" style=\"white-space:normal\">", f->why, "</td></tr>\n");
	}
	fputs(rows ? "</table></div>\n" : "", out);
	if (!fine)
		return;
	fputs("<p>Working: ", out);
	for (size_t i = 0, n = 0; i < s->features_len; i++) {
		if (strcmp(s->features[i].state, "ok"))
			continue;
		html_in(out, n++ ? ", " : "", s->features[i].name, "");
	}
	fputs(".</p>\n", out);
}

static void limits_section(FILE *out, const struct snapshot *s)
{
	size_t lost = 0;

	html_section(out, "What could be seen");
	features(out, s);
	for (size_t i = 0; i < s->losses_len; i++) {
		if (!s->losses[i].count)
			continue;
		fputs(lost++ ? "" : "<h4>Lost</h4>\n<ul>\n", out);
		html_in(out, "<li class=\"warn\">", s->losses[i].name, "");
		fprintf(out, ": %llu, ", (unsigned long long)s->losses[i].count);
		html_in(out, "", s->losses[i].what, "</li>\n");
	}
	fputs(lost ? "</ul>\n" : "<p class=\"soft\">Nothing was lost: the counts are exact.</p>\n", out);
	html_section_end(out);
}

void html_report(FILE *out, const struct html_report *r)
{
	const struct report *said = r->said;
	const struct snapshot *s = said->s;
	char title[300];

	snprintf(title, sizeof(title), "metadata service on %.250s", s->node);
	html_begin(out, title, said->level, said->headline);
	facts(out, said);
	if (r->what_if)
		what_if_section(out, said, r->what_if);
	if (r->changes)
		changes_section(out, r->changes);
	findings_section(out, said);
	if (r->timeline)
		timeline_section(out, s, r->timeline);
	latency_section(out, said);
	pods_section(out, said);
	limits_section(out, s);
	html_end(out, s->version);
}
