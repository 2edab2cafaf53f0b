/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "finding_parts.h"
#include "findings.h"
#include "headline.h"

#define HEADLINE_LEN 1024

/* Of a row: what explains the most of what failed; on a tie what is better known, which stands first in the enum. */
static enum cause main_cause(const struct snapshot *s, const struct pod_stats *p, const struct platform *platform)
{
	const struct draft d = { .s = s, .platform = *platform, .p = p };
	enum cause best = CAUSE_NONE;

	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
		if (p->causes[c] && (best == CAUSE_NONE || p->causes[c] > p->causes[best]))
			best = c;
	if (best != CAUSE_NO_ROLE && best != CAUSE_ENDPOINT_DISABLED)
		return best;
	/* a service that is not EC2's has no list of roles, and no switch that answers 403 */
	if (p->causes[CAUSE_NOT_THIS_CLOUD] || finding_is_foreign_client(&d, PROVIDER_EC2))
		return CAUSE_NOT_THIS_CLOUD;
	return best == CAUSE_ENDPOINT_DISABLED && !finding_is_off(&d) ? CAUSE_ANSWERED_WITH_ERROR : best;
}

static void fill_row(struct report_row *row, const struct snapshot *s, const struct pod_stats *p,
		     const struct platform *platform)
{
	row->p = p;
	if (p->other)
		snprintf(row->subject, sizeof(row->subject), "(pods beyond --max-pods)");
	else
		findings_subject(&p->who, row->subject, sizeof(row->subject));
	/* what only waits yet may be well or not */
	row->level = p->requests ? LEVEL_OK : p->in_flight ? LEVEL_NOTE : LEVEL_QUIET;
	row->cause = main_cause(s, p, platform);
	path_plan(s, p, &row->path);
}

/* What a process of this node that answers in the service's place did is its doing: no switch of the cloud's. */
static const char *text_of_answerer(const struct answerer *a, enum cause cause, bool reaches_nobody, char *buf, size_t len)
{
	const char *who = a->process && a->process[0] ? a->process
			  : a->who && a->who->pod[0]  ? a->who->pod
						      : a->address;

	switch (cause) {
	case CAUSE_NO_ROLE:
	case CAUSE_NOT_THIS_CLOUD:
	case CAUSE_ENDPOINT_DISABLED:
		cause = CAUSE_ANSWERED_WITH_ERROR;
		break;
	case CAUSE_THROTTLED:
		snprintf(buf, len, "%s by %.40s", reaches_nobody ? "turned away" : cause_text(cause), who);
		return buf;
	case CAUSE_ANSWERED_WITH_ERROR:
	case CAUSE_REFUSED:
	case CAUSE_SLOW:
		break;
	case CAUSE_SILENT:
		snprintf(buf, len, "no answer from %.40s", who);
		return buf;
	case CAUSE_RESET:
		snprintf(buf, len, "cut by %.40s", who);
		return buf;
	default:
		return cause_text(cause);
	}
	snprintf(buf, len, "%s by %.40s", cause_text(cause), who);
	return buf;
}

static const char *filtered_text(const struct snapshot *s, const struct pod_stats *p)
{
	const struct draft d = { .s = s, .p = p };
	enum drop_kind kind = finding_drop_kind(&d, finding_main_note(p));

	return kind == DROP_BY_CONNTRACK   ? "conntrack table full"
	       : kind == DROP_BY_NETFILTER ? "dropped by netfilter"
					   : cause_text(CAUSE_FILTERED);
}

static void fill_text(struct report_row *row, const struct snapshot *s, enum provider cloud)
{
	const struct pod_stats *p = row->p;
	char buf[80];

	if (row->cause == CAUSE_HOP_LIMIT && p->required_hop_limit > 0)
		snprintf(row->text, sizeof(row->text), "hop limit, needs %d", p->required_hop_limit);
	else if (row->cause != CAUSE_NONE && p->answered_by)
		snprintf(row->text, sizeof(row->text), "%s",
			 text_of_answerer(p->answered_by, row->cause, finding_reaches_nobody(p, cloud), buf, sizeof(buf)));
	else if (row->cause == CAUSE_FILTERED)
		snprintf(row->text, sizeof(row->text), "%s", filtered_text(s, p));
	else if (row->cause == CAUSE_THROTTLED && finding_reaches_nobody(p, cloud))
		snprintf(row->text, sizeof(row->text), "service unavailable");
	else if (row->cause != CAUSE_NONE)
		snprintf(row->text, sizeof(row->text), "%s", cause_text(row->cause));
	else
		snprintf(row->text, sizeof(row->text), "%s",
			 row->level == LEVEL_QUIET	? "asked nothing"
			 : !p->requests && p->in_flight ? "waits for its first answer"
							: "ok");
}

static enum level raise_level(enum level a, enum level b)
{
	return a > b ? a : b;
}

/* Not seen dying is no sign that nothing died; by --no-drops it was wanted so. */
static bool is_without_drops(const struct snapshot *s)
{
	const struct feature *drops = headline_drops_off(s);

	return drops && strcmp(drops->state, "off");
}

static enum level level_of_snapshot(const struct snapshot *s)
{
	enum level level = s->totals.requests ? LEVEL_OK : s->totals.in_flight ? LEVEL_NOTE : LEVEL_QUIET;

	for (size_t i = 0; i < s->findings_len; i++) {
		const struct finding *f = &s->findings[i];
		enum level of = report_level_of(f->severity);

		if (f->code == FINDING_OBSERVATION_INCOMPLETE) /* a part that is off is told, and no reason for a note */
			of = f->severity == SEVERITY_INFO ? level : LEVEL_BLIND;
		level = raise_level(level, of);
	}
	if (s->unowned_len)
		level = raise_level(level, LEVEL_BLIND);
	/* nothing was seen, and that nothing asked is not known */
	if (level == LEVEL_QUIET && (headline_other_programs(s) || is_without_drops(s)))
		level = LEVEL_BLIND;
	return level;
}

static void write_brief(struct report *r)
{
	const struct snapshot *s = r->s;
	const struct finding *worst = NULL;
	char whose[32] = "";
	size_t pods = 0;

	pod_count_begin(&r->pods);
	for (size_t i = 0; i < s->findings_len; i++) {
		const struct finding *f = &s->findings[i];

		if (!worst && f->severity != SEVERITY_INFO)
			worst = f;
		if (worst && f->code == worst->code)
			for (size_t k = 0; k < f->pods_len; k++)
				pods += pod_count_add(&r->pods, f->pods[k].row);
	}
	if (pods && pods < r->pods.pods) /* else all of them, or the node itself */
		snprintf(whose, sizeof(whose), "%zu of ", pods);
	snprintf(r->brief, sizeof(r->brief), "%s %s%s%s%zu pod%s, %llu request%s, %llu failed",
		 report_level_word(r->level), worst ? finding_word(worst->code) : "", worst ? ", " : "", whose,
		 r->pods.pods, ENDING(r->pods.pods), (unsigned long long)s->totals.requests, ENDING(s->totals.requests),
		 (unsigned long long)r->failed);
}

/* The headline tells of the gravest finding: how many pods there are to look at besides. */
static void add_others(struct report *r, size_t told)
{
	const struct snapshot *s = r->s;
	const bool bad = s->findings_len && s->findings[0].severity != SEVERITY_INFO;
	size_t pods = 0;

	pod_count_begin(&r->pods);
	for (size_t i = 0; i < r->rows_len; i++)
		if (bad ? report_level_is_bad(r->rows[i].level) : r->rows[i].level == LEVEL_NOTE)
			pods += pod_count_add(&r->pods, i);
	if (pods > told)
		text_add(r->headline, HEADLINE_LEN, "; something to %s %s %zu of %zu pods", bad ? "mend" : "know",
			 bad ? "on" : "of", pods, r->pods.pods);
}

int report_build(const struct snapshot *s, struct report *ret)
{
	*ret = (struct report){ .s = s, .answered = s->totals.answered, .failed = s->totals.failed };
	ret->rows = calloc(s->pods_len + 1, sizeof(*ret->rows));
	ret->headline = malloc(HEADLINE_LEN);
	if (pod_count_of(s, &ret->pods) || !ret->rows || !ret->headline)
		return -ENOMEM;
	ret->platform = platform_learn(s);
	ret->rows_len = s->pods_len;
	for (size_t i = 0; i < s->pods_len; i++)
		fill_row(&ret->rows[i], s, s->pods[i], &ret->platform);
	for (size_t i = 0; i < s->findings_len; i++) {
		const struct finding *f = &s->findings[i];

		for (size_t k = 0; k < f->pods_len; k++) {
			struct report_row *row = &ret->rows[f->pods[k].row];

			row->level = raise_level(row->level, report_level_of(f->severity));
		}
	}
	for (size_t i = 0; i < s->pods_len; i++)
		fill_text(&ret->rows[i], s, ret->platform.cloud);
	for (size_t i = s->findings_len; i-- > 0;) { /* worst first: its word is the last */
		const struct finding *f = &s->findings[i];

		for (size_t k = 0; k < f->pods_len; k++) {
			struct report_row *row = &ret->rows[f->pods[k].row];

			if (row->cause == CAUSE_NONE && report_level_is_bad(row->level))
				snprintf(row->text, sizeof(row->text), "%s", finding_word(f->code));
		}
	}
	ret->level = level_of_snapshot(s);
	add_others(ret, headline_write(s, &ret->pods, ret->headline, HEADLINE_LEN));
	write_brief(ret);
	return 0;
}

void report_clear(struct report *r)
{
	free(r->headline);
	free(r->rows);
	pod_count_clear(&r->pods);
	*r = (struct report){ 0 };
}

/* How many letters differ (Levenshtein), without a glob's stars; names are cut at 64. */
static size_t distance(const char *a, const char *b)
{
	size_t row[65], n = strnlen(b, 64), len = 0;

	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (; *a; a++) {
		size_t diagonal = row[0];

		if (*a == '*')
			continue;
		row[0] = ++len;
		for (size_t k = 1; k <= n; k++) {
			size_t best = diagonal + (*a != b[k - 1]);

			diagonal = row[k];
			best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
			row[k] = diagonal + 1 < best ? diagonal + 1 : best;
		}
	}
	return row[n];
}

/* Of a row to what was wanted of it, all options together. */
static size_t distance_of(const struct pod_stats *p, const char *const *wanted)
{
	size_t sum = 0;

	for (size_t i = 0; wanted[i] && wanted[i + 1]; i += 2) {
		const char *option = wanted[i], *want = wanted[i + 1];
		size_t best = 64;

		if (!strcmp(option, "--namespace"))
			best = distance(want, p->who.namespace);
		else if (!strcmp(option, "--container"))
			best = distance(want, p->who.container);
		else if (!strcmp(option, "--comm"))
			for (size_t k = 0; k < p->processes_len; k++) {
				char comm[IMDS_COMM_LEN + 1] = "";
				size_t d;

				memcpy(comm, p->processes[k].comm, IMDS_COMM_LEN);
				d = distance(want, comm);
				best = d < best ? d : best;
			}
		else { /* a pod is known by its workload's name too */
			size_t workload = distance(want, p->who.workload);

			best = distance(want, p->who.pod);
			best = workload < best ? workload : best;
		}
		sum += best;
	}
	return sum;
}

#define NEAREST 3

int report_filter_missed(struct report *r, const struct snapshot *whole, const char *const *wanted)
{
	char *text = NULL, subject[REPORT_SUBJECT_LEN];
	const struct pod_stats *nearest[NEAREST];
	size_t len, named = 0, far[NEAREST];
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	fputs("nothing matches", f);
	for (size_t i = 0; wanted[i] && wanted[i + 1]; i += 2)
		fprintf(f, " %s '%s'", wanted[i], wanted[i + 1]);
	for (size_t i = 0; i < whole->pods_len; i++) {
		size_t d = distance_of(whole->pods[i], wanted), at = named;

		if (whole->pods[i]->other)
			continue;
		while (at && far[at - 1] > d)
			at--;
		if (at == NEAREST)
			continue;
		named += named < NEAREST;
		for (size_t k = named - 1; k > at; k--) {
			nearest[k] = nearest[k - 1];
			far[k] = far[k - 1];
		}
		nearest[at] = whole->pods[i];
		far[at] = d;
	}
	for (size_t i = 0; i < named; i++)
		fprintf(f, "%s%s",
			i			  ? ", "
			: whole->pods_len > named ? "; nearest of those seen: "
						  : "; seen were ",
			findings_subject(&nearest[i]->who, subject, sizeof(subject)));
	if (!named)
		fputs("; no request of anybody was seen", f);
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	free(r->headline);
	r->headline = text;
	r->level = LEVEL_BLIND;
	snprintf(r->brief, sizeof(r->brief), "%s nothing matches the filters", report_level_word(r->level));
	return 0;
}
