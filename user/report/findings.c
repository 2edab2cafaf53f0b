/* SPDX-License-Identifier: GPL-2.0-only */
#include "findings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "../model/counters.h"
#include "../pods/workload.h"
#include "finding_parts.h"
#include "finding_rules.h"

char *findings_duration(uint64_t us, char *buf, size_t len)
{
	if (us < 1000)
		snprintf(buf, len, "%llu us", (unsigned long long)us);
	else if (us < 10000)
		snprintf(buf, len, "%.1f ms", (double)us / 1e3);
	else if (us < 1000000)
		snprintf(buf, len, "%.0f ms", (double)us / 1e3);
	else
		snprintf(buf, len, "%.1f s", (double)us / 1e6);
	return buf;
}

char *findings_subject(const struct pod_identity *who, char *buf, size_t len)
{
	char name[SUBJECT_LEN];

	if (who->pod[0])
		snprintf(name, sizeof(name), "%s%s%s", who->namespace, who->namespace[0] ? "/" : "", who->pod);
	else if (who->pod_uid[0])
		snprintf(name, sizeof(name), "pod %s", who->pod_uid);
	else if (who->runtime == RUNTIME_ECS && who->workload[0])
		snprintf(name, sizeof(name), "%s%s%s", who->project, who->project[0] ? "/" : "", who->workload);
	else {
		/* outside Kubernetes a container's name is all that its people know */
		snprintf(buf, len, "%s",
			 who->container[0] ? who->container
			 : who->cgroup[0]  ? who->cgroup
					   : "(unknown)");
		return buf;
	}
	if (who->container[0])
		snprintf(buf, len, "%s (%s)", name, who->container);
	else
		snprintf(buf, len, "%s", name);
	return buf;
}

const char *findings_answerer(const struct answerer *a, char *buf, size_t len)
{
	char subject[SUBJECT_LEN] = "";
	bool process = a->process && a->process[0];

	buf[0] = '\0';
	if (a->who)
		findings_subject(a->who, subject, sizeof(subject));
	if (!strcmp(subject, "/")) /* the root cgroup is nobody's name */
		snprintf(subject, sizeof(subject), "%s", process ? "" : "a process");
	if (process || subject[0])
		snprintf(buf, len, "%s%s%.200s on this node, at %s", process ? a->process : "",
			 process && subject[0] ? " of " : "", subject, a->address);
	return buf;
}

#define PAST_NS 5000000000ull

/* Nor do answers by HTTP say anything of DNS at the same address. */
static bool dns_fails(const struct pod_stats *p)
{
	uint64_t ok = 0, all = 0;

	for (int v = 0; p->by_kind[IMDS_KIND_DNS] && v < IMDS_VERSION_COUNT; v++)
		for (int o = 0; o < OUTCOME_COUNT; o++) {
			all += p->by_kind[IMDS_KIND_DNS]->cells[v][o];
			ok += o == OUTCOME_OK ? p->by_kind[IMDS_KIND_DNS]->cells[v][o] : 0;
		}
	return all && !ok;
}

uint64_t findings_last_bad_ns(const struct pod_stats *p)
{
	return p->last_failed_ns ? p->last_failed_ns : p->last_broken_ns;
}

/* All its answers 500 and above are of requests that were served since; what the list has no room for is not known. */
static bool all_served(const struct pod_stats *p)
{
	for (size_t i = 0; i < p->errors_len; i++)
		if (p->errors[i].status >= 500 && !p->errors[i].served)
			return false;
	return p->errors_len < POD_STATS_ERRORS;
}

/* An answer at one address says nothing of another: an agent on the node, the WireServer. */
static bool was_answered_since(const struct pod_stats *p)
{
	uint64_t bad_ns = findings_last_bad_ns(p);

	return bad_ns && p->last_ok_ns > bad_ns && (p->last_failed_ns || all_served(p)) && !p->token_fails &&
	       !dns_fails(p) && !(p->endpoints_failed & (~p->endpoints_ok | p->endpoints_failing));
}

bool findings_is_past(const struct pod_stats *p)
{
	return was_answered_since(p) && p->last_ok_ns - findings_last_bad_ns(p) > PAST_NS;
}

bool findings_is_back(const struct pod_stats *p)
{
	return was_answered_since(p) && !findings_is_past(p);
}

static void draft_clear(struct draft *d)
{
	lines_free(d->summary.v);
	lines_free(d->evidence.v);
	lines_free(d->advice.v);
}

struct list {
	struct finding *v;
	size_t len, room;
};

/* Moves the draft into the list, or frees it. rows: that it is about, in s->pods; none for the node. */
static int list_take(struct list *list, struct draft *d, enum finding_code code, const struct snapshot *s,
		     const size_t *rows, size_t rows_len)
{
	static const struct pod_identity nobody = POD_IDENTITY_NOBODY;
	const struct pod_identity *who = rows_len ? &s->pods[rows[0]]->who : &nobody;
	struct finding_pod *pods = calloc(rows_len + 1, sizeof(*pods));
	struct finding *v = with_room(list->v, list->len, &list->room, 16, sizeof(*v));

	advice_add(&d->advice, code, d);
	list->v = v ? v : list->v;
	if (!d->advice.v && !d->advice.failed) { /* empty lists are lists too */
		d->advice.v = calloc(1, sizeof(*d->advice.v));
		d->advice.failed = !d->advice.v;
	}
	if (!d->evidence.v && !d->evidence.failed) {
		d->evidence.v = calloc(1, sizeof(*d->evidence.v));
		d->evidence.failed = !d->evidence.v;
	}
	if (!v || !pods || d->summary.failed || d->evidence.failed || d->advice.failed) {
		free(pods);
		draft_clear(d);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows_len; i++)
		pods[i] = (struct finding_pod){ .who = &s->pods[rows[i]]->who, .row = rows[i] };
	list->v[list->len] = (struct finding){
		.severity = d->severity,
		.code = code,
		.namespace = who->namespace,
		.pod = who->pod,
		.container = who->container,
		.cgroup = who->cgroup,
		.summary = d->summary.v[0],
		.evidence = d->evidence.v,
		.advice = d->advice.v,
		.pods = pods,
		.pods_len = rows_len,
	};
	if (who->pod[0])
		workload_name(who->pod, d->s->node ? d->s->node : "", list->v[list->len].workload,
			      sizeof(list->v[list->len].workload));
	list->len++;
	free(d->summary.v);
	return 0;
}

static int by_gravity(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	return finding_row(x) < finding_row(y) ? -1 : finding_row(x) > finding_row(y);
}

/* --- pods of one workload, and containers of one pod, are one finding ------------------------------------------- */

/* Of what a rule is about: it fails, or was answered since. */
enum since { SINCE_NEVER, SINCE_NOW, SINCE_LONG };

/* A row and whom it stands for; sorted, equals are neighbours. */
struct member {
	const char *namespace;
	char workload[WORKLOAD_LEN]; /* "" for what is no pod: stands for itself */
	const struct pod_stats *p;
	size_t index; /* in snapshot.pods: worst first */
	int hit;      /* severity + 1 of the rule that is looked at; 0: does not apply */
	enum since since;
};

static int by_workload(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int c = strcmp(x->namespace, y->namespace);

	c = c ? c : strcmp(x->workload, y->workload);
	return c ? c : (x->index > y->index) - (x->index < y->index);
}

static bool same_workload(const struct member *a, const struct member *b)
{
	return a->workload[0] && !strcmp(a->workload, b->workload) && !strcmp(a->namespace, b->namespace);
}

static struct member *members_of(const struct snapshot *s)
{
	struct member *m = calloc(s->pods_len + 1, sizeof(*m));

	for (size_t i = 0; m && i < s->pods_len; i++) {
		m[i] = (struct member){ .namespace = s->pods[i]->who.namespace, .p = s->pods[i], .index = i };
		if (s->pods[i]->who.pod[0])
			workload_name(s->pods[i]->who.pod, s->node ? s->node : "", m[i].workload, sizeof(m[i].workload));
	}
	if (m)
		qsort(m, s->pods_len, sizeof(*m), by_workload);
	return m;
}

/* "3 pods of shop/cart (app)", "shop/cart-7d9f (app, istio-proxy)"; true: it is several pods */
static bool subject_of_group(const struct pod_stats **pods, size_t len, const char *workload, char *buf, size_t size)
{
	const struct pod_identity *first = &pods[0]->who;
	size_t distinct = 1;
	bool same_container = true;

	if (pods[0]->other) {
		snprintf(buf, size, "the pods beyond --max-pods");
		return true;
	}
	if (len == 1) {
		findings_subject(first, buf, size);
		return false;
	}
	for (size_t i = 1; i < len; i++) {
		bool seen = false;

		same_container &= !strcmp(pods[i]->who.container, first->container);
		for (size_t k = 0; k < i && !seen; k++)
			seen = !strcmp(pods[i]->who.pod, pods[k]->who.pod);
		distinct += !seen;
	}
	if (distinct == 1)
		snprintf(buf, size, "%s/%s (", first->namespace, first->pod);
	else
		snprintf(buf, size, "%zu pods of %s/%s%s", distinct, first->namespace, workload,
			 same_container && first->container[0] ? " (" : "");
	for (size_t i = 0; distinct == 1 && i < len; i++) {
		size_t k = 0;

		while (strcmp(pods[k]->who.container, pods[i]->who.container) != 0)
			k++;
		if (k == i) /* else a later pod of that name */
			text_add(buf, size, "%s%s", i ? ", " : "", pods[i]->who.container);
	}
	if (distinct > 1 && same_container)
		text_add(buf, size, "%s", first->container);
	if (distinct == 1 || (same_container && first->container[0]))
		text_add(buf, size, ")");
	return distinct > 1;
}

/* By name; pid 0: it is of several pods. */
static void add_processes(struct pod_stats *sum, const struct pod_stats *p)
{
	for (size_t i = 0; i < p->processes_len; i++) {
		size_t k = 0;

		while (k < sum->processes_len &&
		       strncmp(sum->processes[k].comm, p->processes[i].comm, sizeof(p->processes[i].comm)))
			k++;
		if (k < sum->processes_len) {
			sum->processes[k].pid = 0;
			sum->processes[k].requests += p->processes[i].requests;
			sum->processes[k].v1_requests += p->processes[i].v1_requests;
			sum->processes[k].token_unanswered += p->processes[i].token_unanswered;
		} else if (k < POD_STATS_PROCESSES) {
			sum->processes[sum->processes_len++] = p->processes[i];
		}
	}
}

/* Counts are summed; what is no count is that of the worst. */
static void sum_group(struct pod_stats *sum, const struct pod_stats **pods, size_t len, enum since since)
{
	*sum = *pods[0];
	memset(sum->by_kind, 0, sizeof(sum->by_kind));
	sum->latency.fine = NULL;
	sum->token_fails = since == SINCE_NEVER; /* they are alike: what one was answered does not speak for all */
	for (int k = 0; k < IMDS_KIND_COUNT; k++)
		if (pods[0]->by_kind[k] && counters_kind(sum, k))
			counters_add_kind(sum->by_kind[k], pods[0]->by_kind[k]);
	for (size_t i = 1; i < len; i++) {
		counters_add(sum, pods[i]);
		add_processes(sum, pods[i]);
		for (size_t k = 0; k < pods[i]->errors_len; k++)
			counters_add_error(sum, &pods[i]->errors[k]);
		for (size_t k = 0; k < pods[i]->notes_len; k++)
			counters_add_note(sum, &pods[i]->notes[k]);
		sum->providers |= pods[i]->providers;
		sum->providers_failed |= pods[i]->providers_failed;
		sum->endpoints_ok |= pods[i]->endpoints_ok;
		sum->endpoints_failed |= pods[i]->endpoints_failed;
		sum->endpoints_failing |= pods[i]->endpoints_failing;
		for (int o = 0; o < OUTCOME_COUNT; o++) {
			sum->failed_by[o].providers |= pods[i]->failed_by[o].providers;
			sum->failed_by[o].endpoints |= pods[i]->failed_by[o].endpoints;
		}
		if (pods[i]->last_ok_ns > sum->last_ok_ns)
			sum->last_ok_ns = pods[i]->last_ok_ns;
		if (pods[i]->required_hop_limit > sum->required_hop_limit) {
			sum->required_hop_limit = pods[i]->required_hop_limit;
			sum->hops = pods[i]->hops;
			sum->baseline_ttl = pods[i]->baseline_ttl;
			sum->node_ttl = pods[i]->node_ttl;
			sum->ttl_synack = pods[i]->ttl_synack;
			sum->hops_source = pods[i]->hops_source;
		}
		if (pods[i]->latency.max_us > sum->latency.max_us)
			sum->latency.max_us = pods[i]->latency.max_us;
		if (pods[i]->connect.max_us > sum->connect.max_us)
			sum->connect.max_us = pods[i]->connect.max_us;
		if (pods[i]->slow_begin_us > sum->slow_begin_us)
			sum->slow_begin_us = pods[i]->slow_begin_us;
		if (pods[i]->late_waited_us > sum->late_waited_us)
			sum->late_waited_us = pods[i]->late_waited_us;
		if (pods[i]->late_took_us > sum->late_took_us)
			sum->late_took_us = pods[i]->late_took_us;
	}
	for (size_t i = 0; i < len; i++) { /* of a window that has not all of them: unknown */
		if (pods[i]->slow_connects && !pods[i]->connect.max_us)
			sum->connect.max_us = 0;
		if (pods[i]->causes[CAUSE_SLOW] && !pods[i]->late_took_us)
			sum->late_waited_us = sum->late_took_us = 0;
	}
}

static struct draft draft_of(const struct snapshot *s, const struct platform *platform, const struct pod_stats *p)
{
	return (struct draft){ .s = s, .platform = *platform, .p = p };
}

#define NAMES_SHOWN 6

/* What the rules are applied to. */
struct collector {
	struct list list;
	const struct snapshot *s;    /* what may be looked at */
	const struct snapshot *view; /* whose rows are told */
	struct platform platform;
	/* the rows of one finding, filled anew for each: in view->pods, and what stands there */
	size_t *rows;
	const struct pod_stats **pods;
};

/* The first len of c->rows as one finding. */
static int tell_group(struct collector *c, const struct finding_rule *r, size_t len, const struct member *m)
{
	const struct pod_stats **pods = c->pods;
	struct pod_stats sum, part;
	struct draft d = draft_of(c->s, &c->platform, pods[0]);
	char name[SUBJECT_LEN];
	int err = 0;

	d.many = subject_of_group(pods, len, m->workload, d.subject, sizeof(d.subject));
	if (len > 1) {
		sum_group(&sum, pods, len, m->since);
		d.p = &sum;
	}
	if (finding_rule_apply(r, &d, &part)) {
		for (size_t i = 0; len > 1 && i < len && i < NAMES_SHOWN; i++)
			lines_add(&d.evidence, "%s: %llu of %llu request%s %s",
				  findings_subject(&pods[i]->who, name, sizeof(name)),
				  (unsigned long long)(pods[i]->failed ? pods[i]->failed : pods[i]->outcomes[OUTCOME_OK]),
				  (unsigned long long)pods[i]->requests, ENDING(pods[i]->requests),
				  pods[i]->failed ? "failed" : "served");
		if (len > NAMES_SHOWN)
			lines_add(&d.evidence, "and %zu more", len - NAMES_SHOWN);
		err = list_take(&c->list, &d, r->code, c->view, c->rows, len);
	}
	if (len > 1)
		counters_free_kinds(&sum);
	return err;
}

static bool same_answerer(const struct answerer *a, const struct answerer *b)
{
	char x[FINDINGS_ANSWERER_LEN], y[FINDINGS_ANSWERER_LEN];

	if (!a || !b)
		return a == b;
	return !strcmp(a->address, b->address) &&
	       !strcmp(findings_answerer(a, x, sizeof(x)), findings_answerer(b, y, sizeof(y)));
}

/* Whether what is told of one, besides counts, is true of the other. */
static bool is_alike(const struct pod_stats *a, const struct pod_stats *b)
{
	const struct drop_note *x = finding_main_note(a), *y = finding_main_note(b);

	if (a->host_network != b->host_network || !same_answerer(a->answered_by, b->answered_by))
		return false;
	return !x || !y ||
	       (x->cause == y->cause && x->from_endpoint == y->from_endpoint && !strcmp(x->reason, y->reason) &&
		!strcmp(x->location, y->location));
}

/* One rule over one workload's rows: a finding for each severity, of those that are alike. */
static int apply_rule(struct collector *c, const struct finding_rule *r, struct member *m, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		struct draft d = draft_of(c->s, &c->platform, m[i].p);
		struct pod_stats part;

		findings_subject(&m[i].p->who, d.subject, sizeof(d.subject));
		m[i].hit = finding_rule_apply(r, &d, &part) ? (int)d.severity + 1 : 0;
		m[i].since = findings_is_past(d.p) ? SINCE_LONG : findings_is_back(d.p) ? SINCE_NOW : SINCE_NEVER;
		draft_clear(&d);
	}
	for (size_t first = 0; first < len; first++) {
		const int hit = m[first].hit;
		size_t n = 0;

		for (size_t i = first; hit && i < len; i++) {
			if (m[i].hit != hit || m[i].since != m[first].since || !is_alike(m[first].p, m[i].p))
				continue;
			m[i].hit = 0;
			c->rows[n] = m[i].index;
			c->pods[n++] = m[i].p;
		}
		if (n && tell_group(c, r, n, &m[first]))
			return -ENOMEM;
	}
	return 0;
}

static int collect_pods(struct collector *c)
{
	static const struct finding_rule *const tables[] = {
		finding_rules_path,
		finding_rules_answers,
		finding_rules_server,
		finding_rules_share,
	};
	struct member *m = members_of(c->view);
	size_t *rows = calloc(c->view->pods_len + 1, sizeof(*rows));
	const struct pod_stats **pods = calloc(c->view->pods_len + 1, sizeof(*pods));
	int err = m && rows && pods ? 0 : -ENOMEM;

	c->rows = rows;
	c->pods = pods;
	for (size_t i = 0, n; !err && i < c->view->pods_len; i += n) {
		n = 1;
		while (i + n < c->view->pods_len && same_workload(&m[i], &m[i + n]))
			n++;
		for (size_t k = 0; k < LEN(tables); k++)
			for (const struct finding_rule *r = tables[k]; !err && r->find; r++)
				err = apply_rule(c, r, m + i, n);
	}
	free(m);
	free(rows);
	free(pods);
	return err;
}

int findings_collect(const struct snapshot *s, struct finding **ret, size_t *ret_len)
{
	return findings_collect_view(s, s, ret, ret_len);
}

int findings_collect_view(const struct snapshot *s, const struct snapshot *view, struct finding **ret, size_t *ret_len)
{
	struct collector c = { .s = s, .view = view, .platform = platform_learn(s) };

	if (collect_pods(&c))
		goto no_memory;
	for (const struct finding_rule *r = finding_rules_node; r->find; r++) {
		struct draft d = draft_of(s, &c.platform, NULL);

		if (finding_rule_apply(r, &d, NULL) && list_take(&c.list, &d, r->code, view, NULL, 0))
			goto no_memory;
	}
	if (c.list.len)
		qsort(c.list.v, c.list.len, sizeof(*c.list.v), by_gravity);
	*ret = c.list.v;
	*ret_len = c.list.len;
	return 0;
no_memory:
	findings_free(c.list.v, c.list.len);
	return -ENOMEM;
}

void findings_free(struct finding *findings, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		free(findings[i].summary);
		lines_free(findings[i].evidence);
		lines_free(findings[i].advice);
		free(findings[i].pods);
	}
	free(findings);
}

static bool same_lines(char **a, char **b)
{
	for (; *a && *b; a++, b++)
		if (strcmp(*a, *b))
			return false;
	return !*a && !*b;
}

size_t findings_advised_before(const struct finding *findings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (findings[i].code == findings[n].code && findings[i].code != FINDING_OBSERVATION_INCOMPLETE &&
		    same_lines(findings[i].advice, findings[n].advice))
			return i;
	return n;
}

bool findings_is_first_of_row(const struct finding *findings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (finding_is_about(&findings[i], finding_row(&findings[n])))
			return false;
	return true;
}
