/* SPDX-License-Identifier: GPL-2.0-only */

#include "../base/small.h"
#include "columns.h"
#include "extras.h"
#include "html.h"
#include "html_part.h"

#define GROUPS 60
#define ROWS 500 /* of a table; JSON has all of them */
#define NODES_NAMED 40

static void facts(FILE *out, const struct merged *m)
{
	fprintf(out,
		"<dl class=\"facts\">\n<div><dt>Nodes</dt><dd>%zu</dd></div>\n<div><dt>Pods</dt><dd>%zu</dd></div>\n"
		"<div><dt>Requests</dt><dd>%llu</dd></div>\n<div><dt>Failed</dt><dd>%llu</dd></div>\n",
		m->hosts, m->pods_seen, (unsigned long long)m->requests, (unsigned long long)m->failed);
	if (m->required_hop_limit)
		fprintf(out, "<div><dt>Hop limit that is enough for all</dt><dd>%d</dd></div>\n", m->required_hop_limit);
	if (m->lost)
		fprintf(out, "<div><dt>Events lost</dt><dd class=\"warn\">%llu</dd></div>\n",
			(unsigned long long)m->lost);
	fputs("</dl>\n", out);
	if (m->note[0]) {
		html_in(out, "<p>", m->note, "</p>\n");
	}
	fputs("</header>\n<main>\n", out);
}

static void group_card(FILE *out, const struct merge_group *g)
{
	char subject[1024];

	fprintf(out, "<article class=\"card %s\">\n", severity_word(g->severity));
	html_chip(out, g->severity, severity_word(g->severity));
	html_chip(out, SEVERITY_INFO, g->code);
	html_in(out, "<h3>", extras_subject(&g->who, subject, sizeof(subject)), "</h3>\n");
	fprintf(out, "<p>%zu pod%s on %zu node%s", g->pods, ENDING(g->pods), g->nodes, ENDING(g->nodes));
	if (g->required_hop_limit)
		fprintf(out, ", needs hop limit %d", g->required_hop_limit);
	if (g->seconds_lost >= 0.05)
		fprintf(out, ", %.1f s lost waiting", g->seconds_lost);
	html_in(out, ".</p>\n<p class=\"soft\">", g->summary, "</p>\n");
	if (g->advice[0]) {
		fputs("<details><summary>What to do</summary>\n", out);
		html_advice(out, g->advice);
		fputs("</details>\n", out);
	}
	fputs("</article>\n", out);
}

static void groups_section(FILE *out, const struct merged *m)
{
	html_section(out, "Findings by workload");
	if (!m->groups_len)
		fputs("<p>Nothing stands out.</p>\n", out);
	for (size_t i = 0; i < m->groups_len && i < GROUPS; i++)
		group_card(out, m->groups[i]);
	if (m->groups_len > GROUPS)
		fprintf(out, "<p class=\"soft\">and %zu more: --format json has all of them</p>\n",
			m->groups_len - GROUPS);
	html_section_end(out);
}

static void pods_section(FILE *out, const struct merged *m)
{
	char subject[1024];
	struct cells cells;

	html_section(out, "Pods, worst first");
	fputs("<div class=\"wide card\"><table>\n<tr><th>Pod</th><th class=\"l\">node</th>", out);
	columns_html_headings(out, columns_of(COLUMNS_MERGE));
	fputs("<th class=\"l\">cause</th></tr>\n", out);
	for (size_t i = 0; i < m->pods_len && i < ROWS; i++) {
		const struct merge_pod *p = &m->pods[i];

		html_in(out, "<tr><td>",
			p->other ? "pods beyond --max-pods" : extras_subject(&p->who, subject, sizeof(subject)), "</td>");
		html_cell(out, "l", p->node->node);
		columns_merge_cells(p, &cells);
		columns_html_row(out, &cells, columns_of(COLUMNS_MERGE));
		html_cell(out, report_level_is_bad(p->level) ? "l bad" : "l",
			  p->text[0] ? p->text : hop_limit_word(p->hop_limit));
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
	if (m->pods_seen > ROWS)
		fprintf(out, "<p class=\"soft\">and %zu more: --format json has %s</p>\n", m->pods_seen - ROWS,
			m->pods_seen > m->pods_len ? "the worst of them" : "all of them");
	html_section_end(out);
}

static void difference(FILE *out, const struct merge_difference *d)
{
	for (size_t i = 0; i < d->values_len; i++) {
		const struct merge_value *v = &d->values[i];

		html_in(out, "<tr><td>", i ? "" : d->what, "</td>");
		html_cell(out, "l", v->value);
		fprintf(out, "<td>%zu</td><td class=\"l\" style=\"white-space:normal\">", v->nodes_len);
		for (size_t j = 0; j < v->nodes_len && j < NODES_NAMED; j++) {
			html_in(out, j ? ", " : "", v->nodes[j]->node, "");
		}
		fputs(v->nodes_len > NODES_NAMED ? ", …</td></tr>\n" : "</td></tr>\n", out);
	}
}

static void differences_section(FILE *out, const struct merged *m)
{
	html_section(out, "In what the nodes differ");
	if (!m->differences_len) {
		fputs("<p>In nothing: kernel, version, hop limit and features are the same.</p>\n", out);
	} else {
		fputs("<div class=\"wide card\"><table>\n<tr><th>What</th><th class=\"l\">value</th><th>nodes</th>"
		      "<th class=\"l\">which</th></tr>\n",
		      out);
		for (size_t i = 0; i < m->differences_len; i++)
			difference(out, &m->differences[i]);
		fputs("</table></div>\n", out);
	}
	html_section_end(out);
}

static void nodes_section(FILE *out, const struct merged *m)
{
	html_section(out, "Nodes");
	fputs("<div class=\"wide card\"><table>\n<tr><th>Node</th><th class=\"l\">kernel</th><th "
	      "class=\"l\">imdsnoop</th>"
	      "<th class=\"l\">from</th><th>seconds</th><th>requests</th><th>hop limit set</th></tr>\n",
	      out);
	for (size_t i = 0; i < m->nodes_len && i < ROWS; i++) {
		const struct merge_node *d = m->nodes[i];

		html_in(out, "<tr><td>", d->node, "</td>");
		html_cell(out, "l", d->kernel);
		html_cell(out, "l", d->version);
		html_cell(out, "l", d->started);
		fprintf(out, "<td>%.0f</td><td>%llu</td>", d->duration_s, (unsigned long long)d->requests);
		if (d->node_token_ttl)
			fprintf(out, "<td>%d</td></tr>\n", d->node_token_ttl);
		else
			fputs("<td>–</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
	html_section_end(out);
}

void html_merge(FILE *out, const struct merged *m, const char *version)
{
	char title[64];

	snprintf(title, sizeof(title), "metadata service on %zu node%s", m->hosts, ENDING(m->hosts));
	html_begin(out, title, m->level, m->headline);
	facts(out, m);
	groups_section(out, m);
	pods_section(out, m);
	differences_section(out, m);
	nodes_section(out, m);
	html_end(out, version);
}
