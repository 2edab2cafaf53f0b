/* SPDX-License-Identifier: GPL-2.0-only */
/* The way of a packet in one line: findings_draw_way(). */
#include <stdarg.h>
#include <stdio.h>

#include "findings.h"

#define FORWARDS_DRAWN 4 /* more than any known set-up has */

struct pen {
	char *buf;
	size_t len, at;
	const char *line, *head, *dead, *fine, *gap, *more;
};

__attribute__((format(printf, 2, 3))) static void draw(struct pen *pen, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(pen->buf + pen->at, pen->len - pen->at, format, args);
	va_end(args);
	if (n > 0)
		pen->at = (size_t)n < pen->len - pen->at ? pen->at + (size_t)n : pen->len - 1;
}

/* "--TTL 2--> "; without a figure "----> " */
static void draw_link(struct pen *pen, int ttl)
{
	if (ttl > 0)
		draw(pen, " %sTTL %d%s%s ", pen->line, ttl, pen->line, pen->head);
	else
		draw(pen, " %s%s%s ", pen->line, pen->line, pen->head);
}

static void draw_forward(struct pen *pen, int i)
{
	if (i == 1)
		draw(pen, "node");
	else
		draw(pen, "forward %d", i);
}

static void draw_death(struct pen *pen, const struct pod_stats *p)
{
	draw(pen, " %s ", pen->dead);
	if (!p->hop_limit_drops)
		draw(pen, "TTL used up (not seen, concluded)");
	else if (p->drop_location[0])
		draw(pen, "dies in %s%s%s%s", p->drop_location, p->death_reason[0] ? " (" : "", p->death_reason,
		     p->death_reason[0] ? ")" : "");
	else
		draw(pen, "dies, TTL %d", p->ttl_dropped);
	draw(pen, " %s pod", pen->gap);
}

static void draw_exhausted(struct pen *pen, const struct snapshot *s, const struct pod_stats *p)
{
	/* One forward away, what died at TTL 1 was sent with TTL 1. */
	int sent = s->node_token_ttl > 0 ? s->node_token_ttl : p->hops == 1 ? 1 : 0;

	draw(pen, "IMDS");
	if (sent > 0 && sent <= p->hops && sent <= FORWARDS_DRAWN) {
		for (int i = 1; i <= sent; i++) {
			draw_link(pen, sent - i + 1);
			draw_forward(pen, i);
		}
	} else {
		draw_link(pen, 0);
		draw(pen, "%s", pen->more);
		draw_link(pen, p->hop_limit_drops ? p->ttl_dropped : 0);
		draw(pen, "node");
	}
	draw_death(pen, p);
}

static void draw_arrival(struct pen *pen, const struct pod_stats *p)
{
	int ttl = p->ttl_token_response ? p->ttl_token_response : p->ttl_response ? p->ttl_response : p->ttl_synack;
	int hops = p->hops;

	draw(pen, "IMDS");
	if (p->host_network || !hops) {
		draw_link(pen, ttl);
		draw(pen, "%s", p->own_network ? "pod" : "node (host network)");
	} else if (hops < 0 || hops > FORWARDS_DRAWN) {
		draw_link(pen, 0);
		draw(pen, "%s", pen->more);
		draw_link(pen, ttl);
		draw(pen, "pod");
	} else {
		for (int i = 1; i <= hops; i++) {
			draw_link(pen, ttl ? ttl + hops - i + 1 : 0);
			draw_forward(pen, i);
		}
		draw_link(pen, ttl);
		draw(pen, "pod");
	}
	draw(pen, " %s", pen->fine);
}

char *findings_draw_way(const struct snapshot *s, const struct pod_stats *p, int utf8, char *buf, size_t len)
{
	struct pen pen = {
		.buf = buf,
		.len = len,
		.line = "--",
		.head = ">",
		.dead = "X",
		.fine = "ok",
		.gap = "- - ->",
		.more = "...",
	};
	const char *from = p->host_network ? "host network" : "pod";

	if (!len)
		return buf;
	buf[0] = '\0';
	if (utf8) {
		pen.line = "──";
		pen.head = "▶";
		pen.dead = "✖";
		pen.fine = "✔";
		pen.gap = "╌╌╌";
		pen.more = "…";
	}
	if (p->outcomes[OUTCOME_HOP_LIMIT]) {
		draw_exhausted(&pen, s, p);
	} else if (p->outcomes[OUTCOME_BLOCKED]) {
		draw(&pen, "%s", from);
		draw_link(&pen, 0);
		draw(&pen, "node %s dropped%s%s%s%s%s %s IMDS", pen.dead, p->policy_location[0] ? " in " : "",
		     p->policy_location, p->policy_reason[0] ? " (" : "", p->policy_reason,
		     p->policy_reason[0] ? ")" : "", pen.gap);
	} else if (p->outcomes[OUTCOME_REFUSED]) {
		draw(&pen, "%s %sSYN%s%s %s refused %s IMDS", from, pen.line, pen.line, pen.head, pen.dead, pen.gap);
	} else if (p->outcomes[OUTCOME_NO_RESPONSE] || p->outcomes[OUTCOME_RESET]) {
		draw(&pen, "%s %srequest%s%s %s ? %s IMDS: %s", from, pen.line, pen.line, pen.head, pen.more, pen.gap,
		     p->outcomes[OUTCOME_NO_RESPONSE] ? "nothing comes back" : "it cuts the connection");
	} else if (p->ttl_token_response || p->ttl_response || p->ttl_synack) {
		draw_arrival(&pen, p);
	}
	return buf;
}
