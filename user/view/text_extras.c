/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "../report/findings.h"
#include "columns.h"
#include "extras.h"
#include "text_layout.h"

#define LINE_LEN 2048
#define WHOLE 12 /* findings and groups told at length */
#define ROWS 30	 /* of a table; --format json has all of them */

static const enum text_style severity_styles[] = { TEXT_DIM, TEXT_YELLOW, TEXT_RED };

static const char *bullet(const struct text_options *o)
{
	return o->utf8 ? "   • " : "   - ";
}

static void heading(FILE *out, const struct text_options *o, const char *text)
{
	fprintf(out, "\n%s%s%s\n", text_on(o, TEXT_BOLD), text, text_off(o));
}

char *extras_subject(const struct report_name *who, char *buf, size_t len)
{
	struct pod_identity as = POD_IDENTITY_NOBODY;

	if (!who->name[0] && !who->cgroup[0]) {
		snprintf(buf, len, "the node");
		return buf;
	}
	as.namespace = who->namespace;
	as.pod = who->name;
	as.container = who->container;
	as.cgroup = who->cgroup;
	return findings_subject(&as, buf, len);
}

/* --- what if ------------------------------------------------------------------------------------------------------ */

void text_what_if(FILE *out, const struct what_if_result *r, const struct text_options *o)
{
	char text[LINE_LEN];

	snprintf(text, sizeof(text), "What if: %s", r->title);
	heading(out, o, text);
	if (!r->counts[WHAT_IF_BREAKS])
		text_paragraph(out, o, "   ", r->verdict);
	for (size_t i = 0; i < r->findings_len; i++) {
		const struct finding *f = &r->findings[i];

		fputs(text_on(o, severity_styles[f->severity]), out);
		snprintf(text, sizeof(text), "   %s ", f->severity == SEVERITY_ERROR ? "BREAKS" : "breaks");
		text_paragraph(out, o, text, f->summary);
		fputs(text_off(o), out);
		if (i >= WHOLE)
			continue;
		for (char **line = f->evidence; *line; line++)
			text_paragraph(out, o, o->utf8 ? "     • " : "     - ", *line);
		if (i)
			continue; /* the advice differs little: once */
		for (char **line = f->advice; *line; line++)
			text_advice(out, o, *line);
	}
	for (int i = 0; i < WHAT_IF_FATE_COUNT; i++)
		if (r->lines[i])
			text_paragraph(out, o, "   ", r->lines[i]);
	text_styled(out, o, TEXT_DIM, "   ", r->basis);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void figures_cell(FILE *out, const struct workload_figures *f)
{
	char p50[32], p99[32];

	if (!f->pods)
		fprintf(out, "  %6s %6s %8s %8s %8s", "-", "-", "-", "-", "-");
	else
		fprintf(out, "  %6llu %6llu %8s %8s %8.1f", (unsigned long long)f->requests,
			(unsigned long long)f->failed, text_us(f->p50_us, p50), text_us(f->p99_us, p99), f->seconds_lost);
}

static void change_lines(FILE *out, const struct changes *c, enum change_kind kind, const struct text_options *o)
{
	static const enum text_style styles[CHANGE_KIND_COUNT] = { TEXT_RED, TEXT_YELLOW, TEXT_YELLOW, TEXT_GREEN };
	size_t told = 0;

	for (size_t i = 0; i < c->findings_len; i++) {
		const struct finding_change *f = &c->findings[i];
		const struct report_finding *said = f->after ? f->after : f->before;
		char text[LINE_LEN], first[24];

		if (f->kind != kind)
			continue;
		if (++told > WHOLE)
			continue;
		snprintf(first, sizeof(first), "   %-7s  ", change_word(kind));
		snprintf(text, sizeof(text), "%s: %s%s", said->code, said->summary,
			 kind == CHANGE_UNKNOWN ? " (not asked for since, or not answered: it may still be so)" : "");
		text_styled(out, o, said->severity == SEVERITY_INFO ? TEXT_DIM : styles[kind], first, text);
	}
	if (told > WHOLE)
		fprintf(out, "   %-7s  and %zu more\n", change_word(kind), told - WHOLE);
}

void text_changes(FILE *out, const struct changes *c, const struct text_options *o)
{
	char text[LINE_LEN], subject[512], buf[1024];
	size_t name = 8;

	snprintf(text, sizeof(text), "Changed since %s", c->before->started);
	heading(out, o, text_escape(text, o->utf8, 0, buf, sizeof(buf)));
	if (strcmp(c->before->node, c->after->node)) {
		snprintf(text, sizeof(text), "The earlier report is of another node, %s.", c->before->node);
		text_paragraph(out, o, "   ", text);
	}
	fprintf(
	    out,
	    "   %zu new, %zu still there, %zu unknown, %zu gone; %.1f s lost in %.0f s before, %.1f s in %.0f s now\n",
	    c->counts[CHANGE_NEW], c->counts[CHANGE_STILL], c->counts[CHANGE_UNKNOWN], c->counts[CHANGE_GONE],
	    c->before->seconds_lost, c->before->duration_s, c->after->seconds_lost, c->after->duration_s);
	for (int k = 0; k < CHANGE_KIND_COUNT; k++)
		change_lines(out, c, k, o);
	if (!c->workloads_len)
		return;
	for (size_t i = 0; i < c->workloads_len && i < ROWS; i++) {
		const struct workload_change *w = &c->workloads[i];
		size_t n = text_columns(
		    text_escape(extras_subject(&w->who, subject, sizeof(subject)), o->utf8, 40, buf, sizeof(buf)));

		name = n > name ? n : name;
	}
	fprintf(out, "\n   %s", text_on(o, TEXT_BOLD));
	text_cell(out, "WORKLOAD", name);
	for (int i = 0; i < 2; i++)
		fprintf(out, "  %6s %6s %8s %8s %8s", i ? "NOW" : "BEFORE", "FAILED", "P50", "P99", "LOST s");
	fprintf(out, "%s\n", text_off(o));
	for (size_t i = 0; i < c->workloads_len && i < ROWS; i++) {
		const struct workload_change *w = &c->workloads[i];

		extras_subject(&w->who, subject, sizeof(subject));
		fputs("   ", out);
		text_cell(out, text_escape(subject, o->utf8, 40, buf, sizeof(buf)), name);
		figures_cell(out, &w->before);
		figures_cell(out, &w->after);
		fputc('\n', out);
	}
	if (c->workloads_len > ROWS)
		fprintf(out, "   and %zu more\n", c->workloads_len - ROWS);
	fprintf(out, "   %sBEFORE, NOW: requests. Latencies are of a workload's slowest pod.%s\n", text_on(o, TEXT_DIM),
		text_off(o));
}

/* --- merge -------------------------------------------------------------------------------------------------------- */

static void merge_groups(FILE *out, const struct merged *m, const struct text_options *o)
{
	char subject[512], text[LINE_LEN], first[24];

	if (m->groups_len)
		heading(out, o, "Findings by workload");
	for (size_t i = 0; i < m->groups_len && i < WHOLE * 2; i++) {
		const struct merge_group *g = m->groups[i];

		extras_subject(&g->who, subject, sizeof(subject));
		snprintf(text, sizeof(text), "%.64s: %.300s, %zu pod%s on %zu node%s", g->code, subject, g->pods,
			 ENDING(g->pods), g->nodes, ENDING(g->nodes));
		if (g->required_hop_limit && !strcmp(g->code, finding_word(FINDING_HOP_LIMIT_EXHAUSTED)))
			text_add(text, sizeof(text), ", needs hop limit %d", g->required_hop_limit);
		if (g->seconds_lost >= 0.05)
			text_add(text, sizeof(text), ", %.1f s lost", g->seconds_lost);
		snprintf(first, sizeof(first), "   %-7s ", severity_word(g->severity));
		text_styled(out, o, severity_styles[g->severity], first, text);
	}
	if (m->groups_len > WHOLE * 2)
		fprintf(out, "   and %zu more\n", m->groups_len - WHOLE * 2);
	if (m->groups_len && m->groups[0]->severity != SEVERITY_INFO && m->groups[0]->advice[0]) {
		snprintf(text, sizeof(text), "What to do about the first (%s)", m->groups[0]->code);
		heading(out, o, text_escape(text, o->utf8, 0, subject, sizeof(subject)));
		for (const char **line = m->groups[0]->advice; *line; line++)
			text_advice(out, o, *line);
	}
}

static void merge_pods(FILE *out, const struct merged *m, const struct text_options *o)
{
	size_t rows = m->pods_len < ROWS ? m->pods_len : ROWS, name = 3, node = 4;
	char subject[512], buf[1024];
	struct cells cells;

	if (!rows)
		return;
	for (size_t i = 0; i < rows; i++) {
		const struct merge_pod *p = &m->pods[i];
		size_t n;

		extras_subject(&p->who, subject, sizeof(subject));
		n = text_columns(text_escape(subject, o->utf8, 60, buf, sizeof(buf)));
		name = n > name ? n : name;
		n = text_columns(text_escape(p->node->node, o->utf8, 30, buf, sizeof(buf)));
		node = n > node ? n : node;
	}
	fprintf(out, "\n%s", text_on(o, TEXT_BOLD));
	text_cell(out, "NODE", node);
	fputc(' ', out);
	text_cell(out, "POD", name);
	columns_titles(out, columns_of(COLUMNS_MERGE), COLUMNS_MERGE);
	fprintf(out, "  CAUSE%s\n", text_off(o));
	for (size_t i = 0; i < rows; i++) {
		const struct merge_pod *p = &m->pods[i];
		const char *text = p->text[0] ? p->text : hop_limit_word(p->hop_limit);

		text_cell(out, text_escape(p->node->node, o->utf8, 30, buf, sizeof(buf)), node);
		fputc(' ', out);
		extras_subject(&p->who, subject, sizeof(subject));
		text_cell(out, text_escape(p->other ? "(beyond --max-pods)" : subject, o->utf8, 60, buf, sizeof(buf)),
			  name);
		columns_merge_cells(p, &cells);
		columns_row(out, &cells, columns_of(COLUMNS_MERGE), COLUMNS_MERGE);
		fprintf(out, "  %s%s%s\n", text_on(o, text_level_style(p->level)),
			text_escape(text, o->utf8, 40, buf, sizeof(buf)), text_off(o));
	}
	if (m->pods_seen > rows)
		fprintf(out, "and %zu more (--format json has %s)\n", m->pods_seen - rows,
			m->pods_seen > m->pods_len ? "the worst of them" : "all of them");
}

static void merge_differences(FILE *out, const struct merged *m, const struct text_options *o)
{
	char text[LINE_LEN];

	if (m->hosts < 2)
		return;
	if (!m->differences_len) {
		fprintf(out, "\n%sThe nodes do not differ in kernel, version, hop limit or features.%s\n",
			text_on(o, TEXT_DIM), text_off(o));
		return;
	}
	heading(out, o, "In what the nodes differ");
	for (size_t i = 0; i < m->differences_len; i++) {
		const struct merge_difference *d = &m->differences[i];

		snprintf(text, sizeof(text), "%s: ", d->what);
		for (size_t j = 0; j < d->values_len; j++) {
			const struct merge_value *v = &d->values[j];

			text_add(text, sizeof(text), "%s%s on %zu node%s", j ? "; " : "", v->value, v->nodes_len,
				 ENDING(v->nodes_len));
			for (size_t k = 0; j && k < v->nodes_len && k < 4; k++)
				text_add(text, sizeof(text), "%s%.60s", k ? ", " : " (", v->nodes[k]->node);
			if (j)
				text_add(text, sizeof(text), v->nodes_len > 4 ? ", ...)" : ")");
		}
		text_paragraph(out, o, bullet(o), text);
	}
}

void text_merge(FILE *out, const struct merged *m, const struct text_options *o)
{
	text_verdict(out, m->level, m->headline, o);
	fprintf(out, "%zu node%s, %zu pod%s, %llu request%s, %llu answered, %llu failed", m->hosts, ENDING(m->hosts),
		m->pods_seen, ENDING(m->pods_seen), PLURAL(m->requests, "", "s"), (unsigned long long)m->answered,
		(unsigned long long)m->failed);
	if (m->required_hop_limit)
		fprintf(out, "; hop limit %d is enough for every pod that asks for tokens", m->required_hop_limit);
	if (m->lost)
		fprintf(out, "; %llu event%s lost, see each node's report", PLURAL(m->lost, "", "s"));
	if (m->groups_lost)
		fprintf(out, "; %zu finding%s of more workloads than are told apart", m->groups_lost,
			ENDING(m->groups_lost));
	fputc('\n', out);
	if (m->note[0])
		text_paragraph(out, o, "", m->note);
	merge_groups(out, m, o);
	merge_pods(out, m, o);
	merge_differences(out, m, o);
	fputc('\n', out);
	text_verdict(out, m->level, m->headline, o);
}
