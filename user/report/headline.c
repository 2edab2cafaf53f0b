/* SPDX-License-Identifier: GPL-2.0-only */
#include "headline.h"

#include <stdio.h>
#include <string.h>

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

void headline_write(const struct snapshot *s, char *buf, size_t len)
{
	const struct pod_stats *t = &s->totals;
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;
	size_t dead = 0, errors = 0, warnings = 0;
	char node[256], p99[32];
	double lost_s = 0;
	const char *least = ""; /* "at least " */
	bool tokens = false;
	int needs = 0;

	snprintf(node, sizeof(node), "%.200s", s->node);
	for (size_t i = 0; i < s->pods_len; i++) {
		if (!s->pods[i]->outcomes[OUTCOME_HOP_LIMIT] || findings_is_past(s->pods[i]))
			continue;
		dead++;
		lost_s += s->pods[i]->seconds_lost;
		tokens |= s->pods[i]->token_requests > 0;
		if (s->pods[i]->required_hop_limit > needs) {
			needs = s->pods[i]->required_hop_limit;
			least = s->pods[i]->hops < 0 ? "at least " : "";
		}
	}
	for (size_t i = 0; i < s->findings_len; i++) {
		errors += s->findings[i].severity == SEVERITY_ERROR;
		warnings += s->findings[i].severity == SEVERITY_WARNING;
	}
	if (s->findings_len && s->findings[0].code == FINDING_HOP_LIMIT_EXHAUSTED &&
	    s->findings[0].severity != SEVERITY_INFO && dead) {
		const char *maybe = s->findings[0].severity == SEVERITY_WARNING ? "probably " : "";
		int at = snprintf(buf, len, "%zu of %zu pod%s on %s get%s no metadata %s: ", dead, s->pods_len,
				  s->pods_len == 1 ? "" : "s", node, dead == 1 ? "s" : "", tokens ? "token" : "answer");

		if (!tokens) /* the response hop limit is the tokens' alone */
			at += snprintf(buf + at, len - at, "%sthe answers die on this node, TTL used up", maybe);
		else if (s->node_token_ttl && needs > s->node_token_ttl)
			at += snprintf(buf + at, len - at, "%shop limit %d is too low, %s%d is needed", maybe,
				       s->node_token_ttl, least, needs);
		else if (needs)
			at += snprintf(buf + at, len - at, "%sthe hop limit is too low, %s%d is needed", maybe, least,
				       needs);
		else
			at += snprintf(buf + at, len - at, "%sthe hop limit is too low", maybe);
		if (lost_s >= 0.05)
			snprintf(buf + at, len - at, "; %.1f s lost", lost_s);
	} else if (errors || warnings) {
		snprintf(buf, len, "%s", s->findings[0].summary);
	} else if (s->findings_len && s->findings[0].code != FINDING_OBSERVATION_INCOMPLETE) {
		snprintf(buf, len, "nothing to mend on %s, but to know: %s", node, s->findings[0].summary);
	} else if (!t->requests && !t->in_flight && headline_other_programs(s)) {
		snprintf(
		    buf, len,
		    "no request to a metadata service was seen on %s in %.0f s, and some may have been sent elsewhere "
		    "unseen: %.300s. `imdsnoop probe --all` asks from each pod",
		    node, watched_s, headline_other_programs(s));
	} else if (!t->requests && !t->in_flight && headline_drops_off(s)) {
		snprintf(
		    buf, len,
		    "no socket asked a metadata service on %s in %.0f s; dropped packets are not watched (drops: %s), "
		    "so answers to sandboxes and virtual machines may have died unseen. `imdsnoop probe --all` asks "
		    "from each pod",
		    node, watched_s, headline_drops_off(s)->state);
	} else if (!t->requests && !t->in_flight) {
		snprintf(
		    buf, len,
		    "nothing asked a metadata service on %s in %.0f s, so nothing can be said about it. Usual reasons: "
		    "a "
		    "proxy asks in its place (HTTP_PROXY without NO_PROXY), a redirect at connect, another address "
		    "(100.100.100.200, 168.63.129.16: give --endpoint). `imdsnoop probe --all` asks from each pod",
		    node, watched_s);
	} else if (!t->requests) {
		snprintf(buf, len, "no request has ended on %s yet: %llu wait%s for %s answer", node,
			 (unsigned long long)t->in_flight, t->in_flight == 1 ? "s" : "",
			 t->in_flight == 1 ? "its" : "their");
	} else {
		if (t->latency.count)
			findings_duration(histogram_quantile_us(&t->latency, 0.99), p99, sizeof(p99));
		snprintf(buf, len, "no problem on %s: %zu pod%s, %llu request%s, %llu answered%s%s", node, s->pods_len,
			 s->pods_len == 1 ? "" : "s", (unsigned long long)t->requests, t->requests == 1 ? "" : "s",
			 (unsigned long long)t->answered, t->latency.count ? ", p99 " : "", t->latency.count ? p99 : "");
	}
}
