/* SPDX-License-Identifier: GPL-2.0-only */
/* What the table could not hold of a pod, and what is said of the node as a whole. */
#include <string.h>

#include "../model/request.h"
#include "finding_parts.h"
#include "findings.h"

/* A table without room for anybody, not only for this pod: others may have lost by it too. */
static bool tables_were_full(const struct snapshot *s)
{
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count && strstr(s->losses[i].name, "_table_full"))
			return true;
	return false;
}

static uint64_t loss_of(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->losses_len; i++)
		if (!strcmp(s->losses[i].name, name))
			return s->losses[i].count;
	return 0;
}

/* would-break needs a question and is added by whoever asks it. */
static bool find_beyond_share(struct draft *d)
{
	const struct pod_stats *p = d->p;
	const char *others = tables_were_full(d->s) ? "" : "; those of other pods are all there";
	/* more than the ring lost of all pods: its own share kept them out */
	bool fast = p->records_lost > loss_of(d->s, "ring_request") && loss_of(d->s, "record_share");

	if (!p->untracked && !p->judged_early && !fast)
		return false;
	if (p->untracked)
		SUMMARY(d, "%s asks for more at a time%s than is followed of one pod: %llu %s not followed", d->subject,
			loss_of(d->s, "head_cut") ? ", or in longer heads," : "", (unsigned long long)p->untracked,
			p->untracked == 1 ? "was" : "were");
	else if (p->judged_early)
		SUMMARY(
		    d,
		    "%s leaves more requests at a time than one pod's share of those that wait for their answer's fate",
		    d->subject);
	else
		SUMMARY(d, "%s makes more requests a second than are told of one pod: %llu of %llu without details",
			d->subject, (unsigned long long)p->records_lost, (unsigned long long)p->requests);
	if (p->untracked)
		EVIDENCE(d, "%llu connection%s or request%s of it without causes and times%s",
			 (unsigned long long)p->untracked, ENDING(p->untracked), ENDING(p->untracked), others);
	if (p->judged_early)
		EVIDENCE(d, "%llu request%s of it judged at once: a late death of the answer is not in their cause",
			 PLURAL(p->judged_early));
	if (p->records_lost)
		EVIDENCE(d, "%llu request%s of it counted without details", PLURAL(p->records_lost));
	return true;
}

/* Whose most requests without details are, where these are no few. */
static void add_loser(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *most = NULL;
	char subject[SUBJECT_LEN];

	for (size_t i = 0; i < s->pods_len; i++)
		if (!most || s->pods[i]->records_lost > most->records_lost)
			most = s->pods[i];
	if (most && most->records_lost > s->totals.records_lost / 2)
		EVIDENCE(d, "of %llu request%s without details %llu are of %s", PLURAL(s->totals.records_lost),
			 (unsigned long long)most->records_lost, findings_subject(&most->who, subject, sizeof(subject)));
}

#define LONG_AGO_NS (60ull * 1000000000) /* then the time of it is told */

static bool find_unowned(struct draft *d)
{
	const struct snapshot *s = d->s;
	uint64_t packets = 0;
	char address[64];

	for (size_t i = 0; i < s->unowned_len; i++)
		figures_add_count(&packets, s->unowned[i].packets); /* a file may say anything */
	if (!packets)
		return false;
	SUMMARY(
	    d,
	    "answers of the metadata service die on this node, TTL used up, that belong to no connection seen: %llu "
	    "packet%s",
	    PLURAL(packets));
	for (size_t i = 0; i < s->unowned_len && i < 8; i++) {
		const struct unowned *u = &s->unowned[i];
		const char *name = u->name ? u->name : "";

		char last[32] = "";

		if (u->last_ns && u->last_ns + LONG_AGO_NS < s->now_ns)
			finding_clock(s, u->last_ns, last, sizeof(last));
		EVIDENCE(d, "%llu packet%s to %s%s%s%s%s%s, TTL %u%s%s%s%s", PLURAL(u->packets),
			 request_address(&u->address, u->port, address, sizeof(address)), name[0] ? " (" : "", name,
			 name[0] ? ")" : "", u->device[0] ? " by " : "", u->device, u->ttl,
			 u->location[0] ? ", in " : "", u->location, last[0] ? ", the last at " : "", last);
	}
	if (s->unowned_len > 8)
		EVIDENCE(d, "and %zu more addresses", s->unowned_len - 8);
	return true;
}

#define GONE_OLD_NS (3600ull * 1000000000) /* then it is history */

/* What failed of pods whose rows have left is in no row, and must not be forgotten with them. */
static bool find_gone(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = s->gone;

	if (!p || !p->failed)
		return false;
	d->severity = s->now_ns > p->last_failed_ns + GONE_OLD_NS ? SEVERITY_INFO : SEVERITY_WARNING;
	SUMMARY(d, "%llu of %llu request%s failed of %zu container%s that %s gone%s", OF(p->failed, p->requests),
		s->gone_rows, ENDING(s->gone_rows), s->gone_rows == 1 ? "is" : "are",
		p->outcomes[OUTCOME_HOP_LIMIT] ? ": answers died of their TTL among them" : "");
	for (int o = 0; o < OUTCOME_COUNT; o++)
		if (p->outcomes[o] && o != OUTCOME_OK)
			EVIDENCE(d, "%llu %s", (unsigned long long)p->outcomes[o], outcome_word(o));
	if (p->seconds_lost >= 0.05)
		EVIDENCE(d, "%.1f s lost waiting for answers that never came", p->seconds_lost);
	return true;
}

static bool find_incomplete(struct draft *d)
{
	const struct snapshot *s = d->s;
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;
	const uint64_t *outcomes = s->totals.outcomes;
	uint64_t lost = 0, blind_s = 0, harmless = 0;
	size_t parts = 0;

	for (size_t i = 0; i < s->features_len; i++) {
		const struct feature *f = &s->features[i];

		if (!strcmp(f->state, "ok"))
			continue;
		parts++;
		EVIDENCE(d, "%s is %s%s%s", f->name, f->state, f->why[0] ? ": " : "", f->why);
	}
	for (size_t i = 0; i < s->losses_len; i++) {
		const struct loss *l = &s->losses[i];

		if (!l->count)
			continue;
		if (!strcmp(l->name, "detached_s"))
			blind_s = l->count;
		else
			lost += l->count;
		/*
		 * a drop that was missed is the cause of nothing where each request has an answer or a cause; names of one
		 * tenant's own cgroups are nothing of the others'
		 */
		if (!strcmp(l->name, "names_share") || (!strcmp(l->name, "events_missed") && s->totals.requests &&
							!outcomes[OUTCOME_NO_RESPONSE] && !outcomes[OUTCOME_ABORTED]))
			harmless += l->count;
		EVIDENCE(d, "%s: %llu%s%s", l->name, (unsigned long long)l->count, l->what[0] ? ", " : "", l->what);
	}
	if (!parts && !lost && !blind_s)
		return false;
	if (s->pods_len > 1)
		add_loser(d);
	if (s->names_share_of)
		EVIDENCE(d, "of the cgroups in names_share the most are of %s", s->names_share_of);
	d->severity = lost > harmless || blind_s ? SEVERITY_WARNING : SEVERITY_INFO;
	if (blind_s)
		SUMMARY(
		    d,
		    "blind for up to %llu of %.0f s: our programs were off their hooks, so requests may be missing; "
		    "another tool detached them, or the cgroup folder was removed",
		    (unsigned long long)blind_s, watched_s);
	else if (lost && parts)
		SUMMARY(d, "not all could be seen: %llu event%s lost, %llu part%s of the tool not fully working",
			PLURAL(lost), PLURAL(parts));
	else if (lost)
		SUMMARY(d, "not all could be seen: %llu event%s lost", PLURAL(lost));
	else
		SUMMARY(d, "not all could be seen: %llu part%s of the tool not fully working", PLURAL(parts));
	return true;
}

const struct finding_rule finding_rules_share[] = {
	{ FINDING_BEYOND_SHARE, find_beyond_share, SEVERITY_INFO, THEN_PROCESSES, 0 },
	{ 0 },
};

const struct finding_rule finding_rules_node[] = {
	{ FINDING_UNKNOWN_OWNER, find_unowned, SEVERITY_WARNING, 0, 0 },
	{ FINDING_GONE_FAILED, find_gone, SEVERITY_WARNING, 0, 0 },
	{ FINDING_OBSERVATION_INCOMPLETE, find_incomplete, SEVERITY_WARNING, 0, 0 },
	{ 0 },
};
