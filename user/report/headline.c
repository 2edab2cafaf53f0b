/* SPDX-License-Identifier: GPL-2.0-only */
#include "headline.h"

#include <stdio.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "findings.h"

const char *headline_other_programs(const struct snapshot *s)
{
	for (size_t i = 0; i < s->features_len; i++)
		if (!strcmp(s->features[i].name, "other_programs") && !strcmp(s->features[i].state, "degraded"))
			return s->features[i].why;
	return NULL;
}

const struct feature *headline_drops_off(const struct snapshot *s)
{
	for (size_t i = 0; i < s->features_len; i++)
		if (!strcmp(s->features[i].name, "drops") && strcmp(s->features[i].state, "ok"))
			return &s->features[i];
	return NULL;
}

/* What dies of the hop limit now, of how many pods; 0: nothing does or did just now, or there is something graver. */
static size_t say_dead(const struct snapshot *s, struct pod_count *pods, const char *node, char *buf, size_t len)
{
	const struct finding *first = s->findings_len ? &s->findings[0] : NULL;
	const char *least = "", *maybe;
	double lost_s = 0;
	bool tokens = false;
	size_t dead = 0;
	int needs = 0;

	if (!first || first->code != FINDING_HOP_LIMIT_EXHAUSTED || first->severity == SEVERITY_INFO)
		return 0;
	pod_count_begin(pods);
	for (size_t i = 0; i < s->pods_len; i++) {
		const struct pod_stats *p = s->pods[i];

		if (!p->outcomes[OUTCOME_HOP_LIMIT] || findings_is_past(p) || findings_is_back(p))
			continue;
		dead += pod_count_add(pods, i);
		lost_s += p->seconds_lost;
		tokens |= p->token_requests > p->token_answered;
		if (p->required_hop_limit > needs) {
			needs = p->required_hop_limit;
			least = p->hops < 0 ? "at least " : "";
		}
	}
	if (!dead)
		return 0;
	maybe = first->severity == SEVERITY_WARNING ? "probably " : "";
	snprintf(buf, len, "%zu of %zu pod%s on %s get%s no metadata %s: ", dead, pods->pods, ENDING(pods->pods), node,
		 dead == 1 ? "s" : "", tokens ? "token" : "answer");
	if (!tokens) /* the response hop limit is the tokens' alone */
		text_add(buf, len, "%sthe answers die on this node, TTL used up", maybe);
	else if (s->node_token_ttl && needs > s->node_token_ttl)
		text_add(buf, len, "%shop limit %d is too low", maybe, s->node_token_ttl);
	else
		text_add(buf, len, "%sthe hop limit is too low", maybe);
	if (tokens && needs)
		text_add(buf, len, ", %s%d is needed", least, needs);
	if (lost_s >= 0.05)
		text_add(buf, len, "; %.1f s lost", lost_s);
	return dead;
}

/* Silence, and what may be behind it. */
static void say_nothing_asked(const struct snapshot *s, const char *node, char *buf, size_t len)
{
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;

	if (headline_other_programs(s))
		snprintf(
		    buf, len,
		    "no request to a metadata service was seen on %s in %.0f s, and some may have been sent elsewhere "
		    "unseen: %.300s. `imdsnoop probe --all` asks from each pod",
		    node, watched_s, headline_other_programs(s));
	else if (headline_drops_off(s))
		snprintf(
		    buf, len,
		    "no socket asked a metadata service on %s in %.0f s; dropped packets are not watched (drops: %s), "
		    "so answers to sandboxes and virtual machines may have died unseen. `imdsnoop probe --all` asks "
		    "from each pod",
		    node, watched_s, headline_drops_off(s)->state);
	else
		snprintf(
		    buf, len,
		    "nothing asked a metadata service on %s in %.0f s, so nothing can be said about it. Usual reasons: "
		    "a "
		    "proxy asks in its place (HTTP_PROXY without NO_PROXY), a redirect at connect, another address "
		    "(100.100.100.200, 168.63.129.16: give --endpoint). `imdsnoop probe --all` asks from each pod",
		    node, watched_s);
}

static size_t pods_of(struct pod_count *pods, const struct finding *f)
{
	size_t n = 0;

	pod_count_begin(pods);
	for (size_t i = 0; i < f->pods_len; i++)
		n += pod_count_add(pods, f->pods[i].row);
	return n;
}

size_t headline_write(const struct snapshot *s, struct pod_count *pods, char *buf, size_t len)
{
	const struct finding *first = s->findings_len ? &s->findings[0] : NULL; /* the gravest */
	const struct pod_stats *t = &s->totals;
	char node[256], p99[32];
	size_t dead;

	snprintf(node, sizeof(node), "%.200s", s->node);
	dead = say_dead(s, pods, node, buf, len);
	if (dead)
		return dead;
	if (first && first->severity != SEVERITY_INFO) {
		snprintf(buf, len, "%s", first->summary);
		return pods_of(pods, first);
	}
	if (first && first->code != FINDING_OBSERVATION_INCOMPLETE) {
		snprintf(buf, len, "nothing to mend on %s, but to know: %s", node, first->summary);
		return pods_of(pods, first);
	}
	if (!t->requests && !t->in_flight) {
		say_nothing_asked(s, node, buf, len);
	} else if (!t->requests) {
		snprintf(buf, len, "no request has ended on %s yet: %llu wait%s for %s answer", node,
			 (unsigned long long)t->in_flight, t->in_flight == 1 ? "s" : "",
			 t->in_flight == 1 ? "its" : "their");
	} else {
		if (t->latency.count)
			findings_duration(histogram_quantile_us(&t->latency, 0.99), p99, sizeof(p99));
		snprintf(buf, len, "no problem on %s: %zu pod%s, %llu request%s, %llu answered%s%s", node, pods->pods,
			 ENDING(pods->pods), (unsigned long long)t->requests, ENDING(t->requests),
			 (unsigned long long)t->answered, t->latency.count ? ", p99 " : "", t->latency.count ? p99 : "");
	}
	return pods->pods;
}
