/* SPDX-License-Identifier: GPL-2.0-only */
#include "columns.h"

#include <stdio.h>
#include <string.h>

#include "../report/findings.h"

char *columns_number(uint64_t n, char *buf, size_t len)
{
	static const char units[] = "kMGTPE";
	double v = (double)n;
	int u = -1;

	if (n < 100000) {
		snprintf(buf, len, "%llu", (unsigned long long)n);
		return buf;
	}
	do {
		v /= 1000;
		u++;
	} while (v >= 1000 && u < 5);
	snprintf(buf, len, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[u]);
	return buf;
}

static void count(const struct cells *c, uint64_t n, char *buf, size_t len)
{
	if (c->brief)
		columns_number(n, buf, len);
	else
		snprintf(buf, len, "%llu", (unsigned long long)n);
}

/* "3.1ms": no blank, to be narrow */
static void duration(int64_t us, char *buf, size_t len)
{
	char *blank;

	snprintf(buf, len, "-");
	if (us >= 0)
		findings_duration((uint64_t)us, buf, len);
	blank = strchr(buf, ' ');
	if (blank)
		memmove(blank, blank + 1, strlen(blank));
}

static void small(int n, bool known, char *buf, size_t len)
{
	snprintf(buf, len, known ? "%d" : "-", n);
}

static void cell_figure(const struct cells *c, size_t figure, char *buf, size_t len)
{
	count(c, *(const uint64_t *)((const char *)&c->figures + figure), buf, len);
}

#define CELL(name, ...)                                                                      \
	static void cell_##name(const struct cells *c, size_t figure, char *buf, size_t len) \
	{                                                                                    \
		(void)figure;                                                                \
		__VA_ARGS__;                                                                 \
	}
CELL(drops, count(c, c->drops, buf, len))
CELL(lost, duration(c->seconds_lost > 0 ? (int64_t)(c->seconds_lost * 1e6) : -1, buf, len))
CELL(p50, duration(c->p50_us, buf, len))
CELL(p99, duration(c->p99_us, buf, len))
CELL(max, duration(c->max_us, buf, len))
CELL(rate, c->rate < 99.95 ? (void)snprintf(buf, len, "%.1f", c->rate) : count(c, (uint64_t)c->rate, buf, len))
CELL(ttl, small(c->ttl, c->ttl > 0, buf, len))
CELL(hops, small(c->hops, c->hops >= 0, buf, len))
CELL(required, small(c->required, c->required > 0, buf, len))
CELL(hops_and_required, snprintf(buf, len, c->hops >= 0 ? "%d/%d" : "-", c->hops, c->required))

#define FIGURE(member) offsetof(struct figures, member), cell_figure

const struct column pod_columns[COLUMNS] = {
	{ "REQS", "requests", "requests that ended", { { 5, 1 }, { 5, 1 }, { 5, 1 } }, FIGURE(requests) },
	{ "V1", "v1", "of these, IMDSv1", { { 4, 7 }, { 4, 8 }, { 5, 3 } }, FIGURE(v1_requests) },
	{ "V2", "v2", "IMDSv2: token requests, and those with a token", { { 4, 8 }, { 4, 9 } }, FIGURE(v2_requests) },
	{ "ANSW", "answered", "answered, whatever the answer", { { 5, 3 }, { 5, 3 } }, FIGURE(answered) },
	{ "FAIL",
	  "failed",
	  "left the client without what it asked for; CAUSE tells why",
	  { { 5, 2 }, { 4, 2 }, { 5, 2 } },
	  FIGURE(failed) },
	{ "WAIT", NULL, "not answered yet", { { 0, 0 }, { 4, 4 } }, FIGURE(in_flight) },
	{ NULL, "fallbacks", NULL, { { 0, 0 }, { 0, 0 } }, FIGURE(fallbacks) },
	{ "LOST", "lost", "time that its processes waited in vain", { { 0, 0 }, { 5, 5 }, { 5, 6 } }, 0, cell_lost },
	{ "P50", "p50", "latency of answered requests", { { 6, 10 }, { 5, 12 }, { 6, 7 } }, 0, cell_p50 },
	{ "P99", "p99", "", { { 6, 5 }, { 5, 7 }, { 6, 5 } }, 0, cell_p99 },
	{ "MAX", NULL, "", { { 6, 11 }, { 5, 13 } }, 0, cell_max },
	{ "/S", NULL, "requests a second, of the last seconds", { { 0, 0 }, { 5, 10 } }, 0, cell_rate },
	{ "TTL", "TTL", "of the SYN-ACK, as received", { { 3, 9 }, { 3, 14 } }, 0, cell_ttl },
	{ "HOPS", NULL, "forwards on the way / hop limit needed", { { 0, 0 }, { 4, 6 } }, 0, cell_hops_and_required },
	{ "HOPS", "hops", "forwards between service and socket", { { 4, 12 }, { 0, 0 } }, 0, cell_hops },
	{ "NEEDS", "needs", "the hop limit needed", { { 5, 4 }, { 0, 0 }, { 5, 4 } }, 0, cell_required },
	{ "DROPS", "drops", "dropped packets, both directions", { { 5, 6 }, { 5, 11 } }, 0, cell_drops },
};

void columns_cells(const struct pod_stats *p, struct cells *ret)
{
	const struct histogram *h = &p->latency;

	*ret = (struct cells){
		.figures = p->figures,
		.p50_us = h->count ? (int64_t)histogram_quantile_us(h, 0.5) : -1,
		.p99_us = h->count ? (int64_t)histogram_quantile_us(h, 0.99) : -1,
		.max_us = h->count ? (int64_t)h->max_us : -1,
		.ttl = p->ttl_synack,
		.hops = p->hops,
		.required = p->required_hop_limit,
	};
	for (size_t i = 0; i < p->drops_len; i++)
		ret->drops += p->drops[i].packets;
}

void columns_merge_cells(const struct merge_pod *p, struct cells *ret)
{
	*ret = (struct cells){
		.figures = p->figures,
		.p50_us = p->p50_us,
		.p99_us = p->p99_us,
		.max_us = -1,
		.hops = -1,
		.required = p->required_hop_limit,
	};
}

unsigned int columns_of(enum column_view view)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		bits |= (pod_columns[i].in[view].rank > 0) << i;
	return bits;
}

void columns_titles(FILE *out, unsigned int bits, enum column_view view)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (bits & 1u << i)
			fprintf(out, " %*s", pod_columns[i].in[view].width, pod_columns[i].title);
}

void columns_row(FILE *out, const struct cells *c, unsigned int bits, enum column_view view)
{
	char buf[32];

	for (size_t i = 0; i < COLUMNS; i++) {
		if (!(bits & 1u << i))
			continue;
		pod_columns[i].cell(c, pod_columns[i].figure, buf, sizeof(buf));
		fprintf(out, " %*s", pod_columns[i].in[view].width, buf);
	}
}

void columns_html_headings(FILE *out, unsigned int bits)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (pod_columns[i].heading && bits & 1u << i)
			fprintf(out, "<th>%s</th>", pod_columns[i].heading);
}

void columns_html_row(FILE *out, const struct cells *c, unsigned int bits)
{
	char buf[32];

	for (size_t i = 0; i < COLUMNS; i++) {
		if (!pod_columns[i].heading || !(bits & 1u << i))
			continue;
		pod_columns[i].cell(c, pod_columns[i].figure, buf, sizeof(buf));
		fprintf(out, "<td>%s</td>", strcmp(buf, "-") ? buf : "–");
	}
}
