/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "../base/small.h"
#include "../report/findings.h"
#include "html_part.h"

/* --- the path of a packet: stations and the links between them, drawn in the direction of travel ------------------ */

#define BOX_W 96
#define BOX_H 44
#define GAP 74

static void draw_link(FILE *out, int x, const struct station *to)
{
	int y = 26 + BOX_H / 2, end = x + GAP;

	fprintf(out, "<path class=\"w%s\" d=\"M%d %dH%d\"/>", to->reached ? "" : " dash", x + 5, y, end - 5);
	if (!to->reached)
		return;
	fprintf(out, "<path class=\"w\" d=\"M%d %dl6 5l-6 5\"/>", end - 11, y - 5);
	if (to->ttl > 0)
		fprintf(out, "<text class=\"t\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">TTL %d</text>", x + GAP / 2,
			y - 9, to->ttl);
}

static void draw_station(FILE *out, int x, const struct station *st, bool arrived)
{
	int mid = x + BOX_W / 2, y = 26;
	char name[24];

	/* what has no room in its box is whole in the title */
	snprintf(name, sizeof(name), strlen(st->name) < 16 ? "%s" : "%.13s…", strcmp(st->name, "...") ? st->name : "…");
	fprintf(out,
		"<rect class=\"b%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>"
		"<text class=\"n\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
		st->died      ? " bd"
		: arrived     ? " bg"
		: st->reached ? ""
			      : " ghost",
		x, y, BOX_W, BOX_H, mid, y + BOX_H / 2 + 4);
	html_in(out, "", name, "</text>");
	if (st->died)
		fprintf(out, "<path class=\"x\" d=\"M%d %dl10 10m0-10l-10 10\"/>", mid - 5, y - 17);
	else if (arrived)
		fprintf(out, "<path class=\"ok\" d=\"M%d %dl4 5l8-10\"/>", mid - 6, y - 13);
}

void svg_path(FILE *out, const struct path *path)
{
	const char *note = path->note[0] ? path->note : path->tail;
	char words[512];
	int width = (int)path->len * (BOX_W + GAP) - GAP + 4, dead = 0;

	if (!path->len)
		return;
	for (size_t i = 0; i < path->len; i++)
		if (path->stations[i].died || (!dead && !path->arrived && i + 1 == path->len))
			dead = 2 + (int)i * (BOX_W + GAP) + BOX_W / 2;
	fprintf(out,
		"<div class=\"wide\"><svg role=\"img\" viewBox=\"0 0 %d %d\" "
		"style=\"max-width:%dpx;min-width:%dpx\"><title>",
		width, note[0] ? 94 : 74, width, path->len > 3 ? width * 4 / 5 : 0);
	html_in(out, "", path_draw(path, 1, words, sizeof(words)), "</title>");
	for (size_t i = 0; i < path->len; i++) {
		int x = 2 + (int)i * (BOX_W + GAP);

		if (i)
			draw_link(out, x - GAP, &path->stations[i]);
		draw_station(out, x, &path->stations[i], path->arrived && i + 1 == path->len);
	}
	if (note[0]) {
		/* the text is kept inside: 5.6 is half of a usual width at this size */
		int half = (int)(strlen(note) * 56 / 20);

		if (dead < half)
			dead = half;
		if (dead > width - half)
			dead = width - half;
		fprintf(out, "<text class=\"r\" x=\"%d\" y=\"88\" text-anchor=\"middle\">", dead);
		html_in(out, "", note, "</text>");
	}
	fputs("</svg></div>\n", out);
}

/* --- latency: a bar for each bucket ------------------------------------------------------------------------------- */

#define BAR_W 21
#define BAR_GAP 2
#define PLOT_H 70

void svg_latency(FILE *out, const struct histogram *h, uint64_t slow_us)
{
	static const struct {
		int bucket;
		const char *text;
	} marks[] = { { 0, "100 µs" }, { 3, "1 ms" }, { 6, "10 ms" }, { 8, "100 ms" }, { 11, "1 s" }, { 13, "5 s" } };
	uint64_t most = 1;
	int width = HISTOGRAM_BUCKETS * (BAR_W + BAR_GAP);
	char below[32];

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->bucket[i] > most)
			most = h->bucket[i];
	fprintf(out, "<svg role=\"img\" viewBox=\"0 0 %d %d\"><title>Answered requests by duration</title>", width,
		PLOT_H + 34);
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		int x = i * (BAR_W + BAR_GAP);
		int height = (int)((double)h->bucket[i] / (double)most * PLOT_H + 0.5);

		fprintf(out, "<rect class=\"rail\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"2\"/>", x, PLOT_H + 14, BAR_W);
		if (!h->bucket[i])
			continue;
		height = height < 3 ? 3 : height;
		if (i == HISTOGRAM_BUCKETS - 1)
			snprintf(below, sizeof(below), "more than 5 s");
		else
			findings_duration(histogram_bounds_us[i], below, sizeof(below));
		fprintf(
		    out,
		    "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\"><title>%llu%s%s</title>"
		    "</rect><text class=\"t\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%llu</text>",
		    i && histogram_bounds_us[i - 1] >= slow_us ? "hs" : "h", x, PLOT_H + 14 - height, BAR_W, height,
		    (unsigned long long)h->bucket[i], i == HISTOGRAM_BUCKETS - 1 ? ": " : " up to ", below,
		    x + BAR_W / 2, PLOT_H + 10 - height, (unsigned long long)h->bucket[i]);
	}
	/* a bucket ends at its bound: the mark stands at its right edge, the last one at where the open bucket begins */
	for (size_t i = 0; i < LEN(marks); i++) {
		bool last = marks[i].bucket == HISTOGRAM_BUCKETS - 1;

		fprintf(out, "<text class=\"t\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>",
			last ? width - 2 : (marks[i].bucket + 1) * (BAR_W + BAR_GAP), PLOT_H + 30,
			last ? "end" : "middle", marks[i].text);
	}
	fputs("</svg>\n", out);
}

/* --- the timeline ------------------------------------------------------------------------------------------------- */

#define LANE_W 1000 /* stretched to whatever width there is: no text inside */

void svg_lane(FILE *out, const struct timeline *t, const char *who, uint64_t from_ns, uint64_t to_ns)
{
	static const char *const classes[EVENT_TYPE_COUNT] = { "es", "er", "ef" };
	static const enum event_type layers[EVENT_TYPE_COUNT] = { EVENT_REQUEST, EVENT_STALL, EVENT_DROP };
	double span = to_ns > from_ns ? (double)(to_ns - from_ns) : 1;

	fprintf(out,
		"<svg role=\"img\" viewBox=\"0 0 %d 22\" preserveAspectRatio=\"none\"><rect class=\"rail\" y=\"10\" "
		"width=\"%d\" height=\"2\"/>",
		LANE_W, LANE_W);
	for (size_t layer = 0; layer < EVENT_TYPE_COUNT; layer++) {
		for (size_t i = 0; i < t->len; i++) {
			const struct event_entry *e = &t->events[i];
			double x, w;

			if (e->type != layers[layer] || strcmp(e->who, who))
				continue;
			x = e->ns > from_ns ? (double)(e->ns - from_ns) / span * LANE_W : 0;
			w = e->type == EVENT_DROP ? 0 : (double)e->took_us * 1e3 / span * LANE_W;
			x = x > LANE_W - 4 ? LANE_W - 4 : x;
			w = w < 4 ? 4 : x + w > LANE_W ? LANE_W - x : w;
			fprintf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>",
				classes[e->type], x,
				e->type == EVENT_DROP	 ? 0
				: e->type == EVENT_STALL ? 8
							 : 5,
				w,
				e->type == EVENT_DROP	 ? 22
				: e->type == EVENT_STALL ? 6
							 : 12);
			html_in(out, "", e->what, "</title></rect>");
		}
	}
	fputs("</svg>", out);
}
