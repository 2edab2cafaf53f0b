/* SPDX-License-Identifier: GPL-2.0-only */
#include "path.h"

#include <stdio.h>
#include <string.h>

#include "../base/text_add.h"
#include "../model/request.h"
#include "finding_parts.h"

#define FORWARDS_DRAWN 4 /* more than any known set-up has */

static struct station *add(struct path *path, const char *name, int ttl)
{
	struct station *st = &path->stations[path->len < PATH_STATIONS ? path->len++ : PATH_STATIONS - 1];

	*st = (struct station){ .ttl = ttl, .reached = true };
	snprintf(st->name, sizeof(st->name), "%s", name);
	return st;
}

static void add_ghost(struct path *path, const char *name)
{
	add(path, name, 0)->reached = false;
}

static struct station *add_forward(struct path *path, int i, int ttl)
{
	char name[32];

	snprintf(name, sizeof(name), "forward %d", i);
	return add(path, i == 1 ? "node" : name, ttl);
}

/* "dies in ip_forward (IP_INHDR)" */
static void note_place(struct path *path, const char *what, const char *location, const char *reason)
{
	snprintf(path->note, sizeof(path->note), "%s%s%s%s%s%s", what, location[0] ? " in " : "", location,
		 reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
}

static void plan_exhausted(struct path *path, const struct snapshot *s, const struct pod_stats *p)
{
	/* One forward away, what died at TTL 1 was sent with TTL 1. */
	int sent = s->node_token_ttl > 0 ? s->node_token_ttl : p->hops == 1 ? 1 : 0;

	add(path, "IMDS", 0);
	if (sent > 0 && sent <= p->hops && sent <= FORWARDS_DRAWN) {
		for (int i = 1; i <= sent; i++)
			add_forward(path, i, sent - i + 1)->died = i == sent;
	} else {
		add(path, "...", 0);
		add(path, "node", p->hop_limit_drops ? p->ttl_dropped : 0)->died = true;
	}
	add_ghost(path, "pod");
	if (!p->hop_limit_drops)
		snprintf(path->note, sizeof(path->note), "TTL used up (not seen, concluded)");
	else if (p->drop_location[0])
		note_place(path, "dies", p->drop_location, p->death_reason);
	else
		snprintf(path->note, sizeof(path->note), "dies, TTL %d", p->ttl_dropped);
}

/* A container of nobody's but Docker's or podman's: without ECS another container may have the agent's address. */
static bool is_bare(const struct pod_identity *who)
{
	enum runtime runtime = platform_runtime(who);

	return runtime == RUNTIME_DOCKER || runtime == RUNTIME_PODMAN;
}

/* Who answers, or should: a process of this node where that is known; else whose address was asked. */
static const char *server(const struct snapshot *s, const struct pod_stats *p)
{
	static const struct {
		const char *address, *name;
	} agents[] = {
		{ "169.254.170.2", "ECS agent" },
		{ "169.254.170.23", "Pod Identity agent" },
		{ "fd00:ec2::23", "Pod Identity agent" },
	};
	const struct answerer *a = p->answered_by;
	char asked[64];

	if (a)
		return a->process && a->process[0] ? a->process : a->address;
	finding_endpoint(s, p, asked, sizeof(asked));
	for (size_t i = 0; i < LEN(agents); i++)
		if (!strcmp(asked, agents[i].address))
			return i || !is_bare(&p->who) ? agents[i].name : agents[i].address;
	return "IMDS";
}

static void plan_arrival(struct path *path, const struct snapshot *s, const struct pod_stats *p)
{
	int ttl = p->ttl_token_response ? p->ttl_token_response : p->ttl_response ? p->ttl_response : p->ttl_synack;

	path->arrived = true;
	add(path, server(s, p), 0);
	if (p->host_network || !p->hops) {
		add(path, p->own_network ? "pod" : "node (host network)", ttl);
		return;
	}
	if (p->hops < 0 || p->hops > FORWARDS_DRAWN)
		add(path, "...", 0);
	else
		for (int i = 1; i <= p->hops; i++)
			add_forward(path, i, ttl ? ttl + p->hops - i + 1 : 0);
	add(path, "pod", ttl);
}

/* Of a request that is not answered: where it was last seen. */
static void plan_request(struct path *path, const struct snapshot *s, const struct pod_stats *p, const char *label,
			 const char *last, const char *note)
{
	add(path, p->host_network ? "host network" : "pod", 0);
	snprintf(add(path, last, 0)->label, sizeof(path->stations[0].label), "%s", label);
	path->stations[1].died = true;
	add_ghost(path, server(s, p));
	snprintf(path->note, sizeof(path->note), "%s", note);
}

/* What stopped the most requests, but for deaths by TTL. */
static const struct drop_note *drop_of(const struct pod_stats *p)
{
	const struct drop_note *best = NULL;

	for (size_t i = 0; i < p->notes_len; i++)
		if (p->notes[i].cause != CAUSE_NONE && !p->notes[i].hop_limit &&
		    (!best || p->notes[i].requests > best->requests))
			best = &p->notes[i];
	return best;
}

/* Dropped on this node, in the direction that was seen. */
static void plan_dropped(struct path *path, const struct snapshot *s, const struct pod_stats *p)
{
	const struct drop_note *note = drop_of(p);
	bool at_home = note && (note->where & IMDS_D_AT_HOME) && !p->host_network;
	const char *place = at_home ? "its own network" : note && (note->where & IMDS_D_FOREIGN) ? "..." : "node";

	if (note && note->from_endpoint) {
		add(path, server(s, p), 0);
		add(path, place, 0)->died = true;
		add_ghost(path, p->host_network ? "host network" : "pod");
	} else {
		plan_request(path, s, p, "", place, "");
	}
	note_place(path, "dropped", note ? note->location : p->policy_location, note ? note->reason : p->policy_reason);
}

void path_plan(const struct snapshot *s, const struct pod_stats *p, struct path *ret)
{
	*ret = (struct path){ 0 };
	if (p->outcomes[OUTCOME_HOP_LIMIT]) {
		plan_exhausted(ret, s, p);
	} else if (p->outcomes[OUTCOME_BLOCKED] || p->outcomes[OUTCOME_DROPPED]) {
		plan_dropped(ret, s, p);
	} else if (p->outcomes[OUTCOME_REFUSED]) {
		plan_request(ret, s, p, "SYN", "...", "refused");
	} else if (p->outcomes[OUTCOME_NO_RESPONSE] || p->outcomes[OUTCOME_RESET]) {
		plan_request(ret, s, p, "request", "...", "?");
		ret->stations[1].died = false;
		snprintf(ret->tail, sizeof(ret->tail), "%s",
			 p->causes[CAUSE_SILENT] || (p->outcomes[OUTCOME_NO_RESPONSE] && !p->causes[CAUSE_SLOW])
			     ? "nothing comes back"
			 : p->causes[CAUSE_SLOW] ? "answers when the client has left"
						 : "it cuts the connection");
	} else if (p->ttl_token_response || p->ttl_response || p->ttl_synack) {
		plan_arrival(ret, s, p);
	}
}

/* --- drawing in one line ---------------------------------------------------------------------------------------- */

char *path_draw(const struct path *path, int utf8, char *buf, size_t len)
{
	const char *line = utf8 ? "──" : "--", *head = utf8 ? "▶" : ">", *dead = utf8 ? "✖" : "X";
	const char *gap = utf8 ? "╌╌╌" : "- - ->", *fine = utf8 ? "✔" : "ok", *more = utf8 ? "…" : "...";

	if (!len)
		return buf;
	buf[0] = '\0';
	for (size_t i = 0; i < path->len; i++) {
		const struct station *st = &path->stations[i];
		bool is_dots = st->name[0] == '.' && st->name[1] == '.';

		if (i && !st->reached)
			text_add(buf, len, " %s ", gap);
		else if (i && st->ttl > 0)
			text_add(buf, len, " %sTTL %d%s%s ", line, st->ttl, line, head);
		else if (i)
			text_add(buf, len, " %s%s%s%s ", line, st->label, line, head);
		text_add(buf, len, "%s", is_dots ? more : st->name);
		if (st->died)
			text_add(buf, len, " %s %s", dead, path->note);
	}
	if (path->arrived)
		text_add(buf, len, " %s", fine);
	if (path->tail[0])
		text_add(buf, len, ": %s", path->tail);
	return buf;
}
