/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "../report/findings.h"
#include "html_part.h"

/* --- the way of a packet: stations and the links between them, drawn in the direction of travel ------------------- */

#define FORWARDS_DRAWN 6 /* a longer way is cut by a station of dots */
#define STATIONS_MAX (FORWARDS_DRAWN + 4)
#define BOX_W 96
#define BOX_H 44
#define GAP 74

enum station_kind { STATION, STATION_DEAD, STATION_FINE, STATION_GHOST, STATION_DOTS };

struct station {
	enum station_kind kind;
	char name[32];
	int ttl;	/* on the link that leads here; 0: not known */
	bool unreached; /* the packet never came so far */
};

struct way {
	struct station stations[STATIONS_MAX];
	size_t len;
	char cause[160]; /* below the cross */
};

static void station(struct way *w, enum station_kind kind, const char *name, int ttl)
{
	struct station *st;

	if (w->len == STATIONS_MAX)
		return;
	st = &w->stations[w->len++];
	st->kind = kind;
	st->ttl = ttl;
	st->unreached = kind == STATION_GHOST;
	snprintf(st->name, sizeof(st->name), "%s", name);
}

static void forward(struct way *w, enum station_kind kind, int i, int ttl)
{
	char name[32];

	if (i == 1)
		station(w, kind, "node", ttl);
	else {
		snprintf(name, sizeof(name), "forward %d", i);
		station(w, kind, name, ttl);
	}
}

static void cause(struct way *w, const char *what, const char *location, const char *reason)
{
	snprintf(w->cause, sizeof(w->cause), "%s%s%s%s%s%s", what, location[0] ? " in " : "", location,
		 reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
}

static void way_exhausted(struct way *w, const struct snapshot *s, const struct pod_stats *p)
{
	int sent = s->node_token_ttl > 0 ? s->node_token_ttl : p->hops == 1 ? 1 : 0;

	station(w, STATION, "IMDS", 0);
	if (sent > 0 && sent <= p->hops && sent <= FORWARDS_DRAWN) {
		for (int i = 1; i <= sent; i++)
			forward(w, i == sent ? STATION_DEAD : STATION, i, sent - i + 1);
	} else {
		station(w, STATION_DOTS, "", 0);
		station(w, STATION_DEAD, "node", p->hop_limit_drops ? p->ttl_dropped : 0);
	}
	station(w, STATION_GHOST, "pod", 0);
	if (p->hop_limit_drops)
		cause(w, "answer dies, TTL used up,", p->drop_location, p->death_reason);
	else
		cause(w, "TTL used up: concluded, not seen", "", "");
}

static void way_arrival(struct way *w, const struct pod_stats *p)
{
	int ttl = p->ttl_token_response ? p->ttl_token_response : p->ttl_response ? p->ttl_response : p->ttl_synack;

	station(w, STATION, "IMDS", 0);
	if (p->host_network || !p->hops) {
		station(w, STATION_FINE, p->own_network ? "pod" : "node", ttl);
		return;
	}
	if (p->hops < 0 || p->hops > FORWARDS_DRAWN)
		station(w, STATION_DOTS, "", 0);
	else
		for (int i = 1; i <= p->hops; i++)
			forward(w, STATION, i, ttl ? ttl + p->hops - i + 1 : 0);
	station(w, STATION_FINE, "pod", ttl);
}

static bool way_plan(struct way *w, const struct snapshot *s, const struct pod_stats *p)
{
	const char *from = p->host_network ? "host network" : "pod";

	if (p->outcomes[OUTCOME_HOP_LIMIT]) {
		way_exhausted(w, s, p);
	} else if (p->outcomes[OUTCOME_BLOCKED]) {
		station(w, STATION, from, 0);
		station(w, STATION_DEAD, "node", 0);
		station(w, STATION_GHOST, "IMDS", 0);
		cause(w, "request dropped", p->policy_location, p->policy_reason);
	} else if (p->outcomes[OUTCOME_REFUSED]) {
		station(w, STATION, from, 0);
		station(w, STATION_DEAD, "IMDS", 0);
		cause(w, "connection refused", "", "");
	} else if (p->outcomes[OUTCOME_NO_RESPONSE] || p->outcomes[OUTCOME_RESET]) {
		station(w, STATION, from, 0);
		station(w, STATION_DOTS, "", 0);
		station(w, STATION_GHOST, "IMDS", 0);
		cause(w, p->outcomes[OUTCOME_NO_RESPONSE] ? "nothing comes back" : "the service cuts the connection",
		      "", "");
	} else if (p->ttl_token_response || p->ttl_response || p->ttl_synack) {
		way_arrival(w, p);
	}
	return w->len > 0;
}

static void draw_link(FILE *out, int x, const struct station *to)
{
	int y = 26 + BOX_H / 2, end = x + GAP;

	fprintf(out, "<path class=\"w%s\" d=\"M%d %dH%d\"/>", to->unreached ? " dash" : "", x + 5, y, end - 5);
	if (!to->unreached)
		fprintf(out, "<path class=\"w\" d=\"M%d %dl6 5l-6 5\"/>", end - 11, y - 5);
	if (to->ttl > 0)
		fprintf(out, "<text class=\"t\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">TTL %d</text>", x + GAP / 2,
			y - 9, to->ttl);
}

static void draw_station(FILE *out, int x, const struct station *st)
{
	static const char *const classes[] = {
		[STATION] = "b",
		[STATION_DEAD] = "b bd",
		[STATION_FINE] = "b bg",
		[STATION_GHOST] = "b ghost",
	};
	int mid = x + BOX_W / 2, y = 26;

	if (st->kind == STATION_DOTS) {
		fprintf(out, "<text class=\"n\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">…</text>", mid,
			y + BOX_H / 2 + 4);
		return;
	}
	fprintf(out,
		"<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>"
		"<text class=\"n\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
		classes[st->kind], x, y, BOX_W, BOX_H, mid, y + BOX_H / 2 + 4);
	html_text(out, st->name);
	fputs("</text>", out);
	if (st->kind == STATION_DEAD)
		fprintf(out, "<path class=\"x\" d=\"M%d %dl10 10m0-10l-10 10\"/>", mid - 5, y - 17);
	else if (st->kind == STATION_FINE)
		fprintf(out, "<path class=\"ok\" d=\"M%d %dl4 5l8-10\"/>", mid - 6, y - 13);
}

void svg_way(FILE *out, const struct snapshot *s, const struct pod_stats *p)
{
	struct way w = { .len = 0 };
	char words[512];
	int width, dead = 0;

	if (!way_plan(&w, s, p))
		return;
	width = (int)w.len * BOX_W + (int)(w.len - 1) * GAP + 4;
	for (size_t i = 0; i < w.len; i++)
		if (w.stations[i].kind == STATION_DEAD || w.stations[i].kind == STATION_DOTS)
			dead = 2 + (int)i * (BOX_W + GAP) + BOX_W / 2;
	fprintf(out,
		"<div class=\"wide\"><svg role=\"img\" viewBox=\"0 0 %d %d\" "
		"style=\"max-width:%dpx;min-width:%dpx\"><title>",
		width, w.cause[0] ? 94 : 74, width, w.len > 3 ? width * 4 / 5 : 0);
	html_text(out, findings_draw_way(s, p, 1, words, sizeof(words)));
	fputs("</title>", out);
	for (size_t i = 0; i < w.len; i++) {
		int x = 2 + (int)i * (BOX_W + GAP);

		if (i)
			draw_link(out, x - GAP, &w.stations[i]);
		draw_station(out, x, &w.stations[i]);
	}
	if (w.cause[0]) {
		/* the text is kept inside: 5.6 is half of a usual width at this size */
		int half = (int)(strlen(w.cause) * 56 / 20);

		if (dead < half)
			dead = half;
		if (dead > width - half)
			dead = width - half;
		fprintf(out, "<text class=\"r\" x=\"%d\" y=\"88\" text-anchor=\"middle\">", dead);
		html_text(out, w.cause);
		fputs("</text>", out);
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
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
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
			html_text(out, e->what);
			fputs("</title></rect>", out);
		}
	}
	fputs("</svg>", out);
}
