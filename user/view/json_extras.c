/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json_pack() takes the references that "o" is given, also on error, and gives NULL when one is NULL: so values nest
 * and are tested once, where they come out.
 */
#include <string.h>

#include "extras.h"
#include "json.h"

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *json_what_if(const struct what_if_result *r)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "title", r->title, "hop_limit",
			 json_if_positive(r->question.hop_limit), "tokens",
			 r->question.tokens_required ? json_string("required") : json_null(), "verdict", r->verdict,
			 "all_judged", !r->open, "would_break", count(r->counts[WHAT_IF_BREAKS]), "would_not_notice",
			 count(r->counts[WHAT_IF_UNTOUCHED]), "unknown", count(r->counts[WHAT_IF_UNKNOWN]),
			 "broken_already", count(r->counts[WHAT_IF_BROKEN]), "cured", count(r->counts[WHAT_IF_CURED]),
			 "not_noticing", json_text(r->lines[WHAT_IF_UNTOUCHED]), "basis", json_text(r->basis));
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static json_t *change_at(const void *changes, size_t i)
{
	const struct finding_change *f = &((const struct finding_change *)changes)[i];
	const struct report_finding *said = f->after ? f->after : f->before;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "code", json_text(said->code), "severity",
			 json_string(severity_word(said->severity)), "severity_before",
			 f->before ? json_string(severity_word(f->before->severity)) : json_null(), "namespace",
			 json_text(said->namespace), "workload", json_text(said->workload), "container",
			 json_text(said->container), "cgroup", json_text(said->cgroup), "summary",
			 json_text(said->summary), "asked_since", f->kind != CHANGE_UNKNOWN);
}

/* They stand in the order of their kinds. */
static json_t *changes_of(const struct changes *c, enum change_kind kind)
{
	const struct finding_change *first = c->findings;

	for (int k = 0; k < (int)kind; k++)
		first += c->counts[k];
	return json_list(first, c->counts[kind], change_at);
}

static json_t *figures_value(const struct workload_figures *f)
{
	if (!f->pods)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "pods", count(f->pods), "requests",
			 count(f->requests), "failed", count(f->failed), "fallbacks", count(f->fallbacks),
			 "seconds_lost", json_seconds(f->seconds_lost, 1e6), "latency_us", "p50",
			 json_unless_negative(f->p50_us), "p99", json_unless_negative(f->p99_us));
}

static json_t *report_value(const struct report_doc *d)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "node", json_text(d->node), "started", json_text(d->started),
			 "duration_s", json_real(d->duration_s), "seconds_lost", json_seconds(d->seconds_lost, 1e6));
}

static json_t *workload_at(const void *workloads, size_t i)
{
	const struct workload_change *w = &((const struct workload_change *)workloads)[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "namespace", json_text(w->namespace), "workload",
			 json_text(w->workload), "container", json_text(w->container), "cgroup", json_text(w->cgroup),
			 "before", figures_value(&w->before), "after", figures_value(&w->after));
}

json_t *json_changes(const struct changes *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "before", report_value(c->before), "new",
			 changes_of(c, CHANGE_NEW), "still", changes_of(c, CHANGE_STILL), "unknown",
			 changes_of(c, CHANGE_UNKNOWN), "gone", changes_of(c, CHANGE_GONE), "workloads",
			 json_list(c->workloads, c->workloads_len, workload_at));
}

/* --- merge -------------------------------------------------------------------------------------------------------- */

static json_t *node_at(const void *nodes, size_t i)
{
	const struct merge_node *d = ((const struct merge_node *const *)nodes)[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "node", json_text(d->node), "file",
			 json_text(d->file), "version", json_text(d->version), "kernel", json_text(d->kernel), "started",
			 json_text(d->started), "duration_s", json_real(d->duration_s), "requests", count(d->requests),
			 "hop_limit_set", json_if_positive(d->node_token_ttl), "lost", count(d->lost));
}

static json_t *pod_value(const struct merge_pod *p)
{
	json_t *pod =
	    json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "node", json_text(p->node->node),
		      "namespace", json_text(p->namespace), "pod", json_text(p->pod), "workload",
		      json_text(p->workload), "container", json_text(p->container), "cgroup", json_text(p->cgroup),
		      "required_hop_limit", json_if_positive(p->required_hop_limit), "hop_limit",
		      json_string(hop_limit_word(p->hop_limit)), "hop_limit_requests", count(p->hop_limit_requests),
		      "latency_us", "p50", json_unless_negative(p->p50_us), "p99", json_unless_negative(p->p99_us));

	return json_with_figures(pod, &p->figures);
}

static json_t *group_at(const void *groups, size_t i)
{
	const struct merge_group *g = ((const struct merge_group *const *)groups)[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "severity",
			 json_string(severity_word(g->severity)), "code", json_text(g->code), "namespace",
			 json_text(g->namespace), "workload", json_text(g->workload), "container",
			 json_text(g->container), "cgroup", json_text(g->cgroup), "pods", count(g->pods), "nodes",
			 count(g->nodes), "seconds_lost", json_seconds(g->seconds_lost, 1e6), "required_hop_limit",
			 json_if_positive(g->required_hop_limit), "summary", json_text(g->summary), "advice",
			 json_texts(g->advice));
}

static json_t *name_at(const void *nodes, size_t i)
{
	return json_text(((const struct merge_node *const *)nodes)[i]->node);
}

static json_t *value_at(const void *values, size_t i)
{
	const struct merge_value *v = &((const struct merge_value *)values)[i];

	return json_pack("{s:o, s:o}", "value", json_text(v->value), "nodes", json_list(v->nodes, v->nodes_len, name_at));
}

static json_t *difference_at(const void *differences, size_t i)
{
	const struct merge_difference *d = &((const struct merge_difference *)differences)[i];

	return json_pack("{s:o, s:o}", "what", json_text(d->what), "values",
			 json_list(d->values, d->values_len, value_at));
}

static json_t *merge_totals(const struct merged *m)
{
	json_t *totals =
	    json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "nodes", count(m->hosts), "pods", count(m->pods_seen),
		      "lost", count(m->lost), "hop_limit_pods", count(m->hop_limit_pods), "required_hop_limit",
		      json_if_positive(m->required_hop_limit), "pods_left_out", count(m->pods_seen - m->pods_len),
		      "findings_left_out", count(m->groups_lost), "facts_left_out", count(m->differences_lost));

	return json_with_figures(totals, &m->figures);
}

/* A member of the outermost object; all but the first begin with a comma. *err: of the first write that failed. */
static void put_member(FILE *f, const char *key, json_t *value, int *err)
{
	int failed;

	fprintf(f, "%s\n\"%s\": ", strcmp(key, "schema") ? "," : "{", key);
	failed = json_print(value, false, f);
	*err = *err ? *err : failed;
}

int json_merge(const struct merged *m, const char *version, FILE *f)
{
	json_t *headline = json_pack("{s:s, s:o}", "level", level_word(m->level), "text", json_text(m->headline));
	int err = 0;

	put_member(f, "schema", json_string("imdsnoop.merge/1"), &err);
	put_member(f, "version", json_string(version), &err);
	put_member(f, "headline", headline, &err);
	put_member(f, "note", json_unless_empty(m->note), &err);
	put_member(f, "nodes", json_list(m->nodes, m->nodes_len, node_at), &err);
	put_member(f, "totals", merge_totals(m), &err);
	put_member(f, "findings", json_list(m->groups, m->groups_len, group_at), &err);
	fputs(",\n\"pods\": [\n", f);
	for (size_t i = 0; i < m->pods_len && !err; i++) { /* one by one: there may be very many */
		if (i)
			fputc(',', f);
		err = json_print(pod_value(&m->pods[i]), false, f);
	}
	fputs("]", f);
	put_member(f, "differences", json_list(m->differences, m->differences_len, difference_at), &err);
	return fputs("}\n", f) == EOF && !err ? -EIO : err;
}

/* --- ready ---------------------------------------------------------------------------------------------------------- */

static json_t *share(double of_1)
{
	return json_real((double)(long)(of_1 * 10000) / 100); /* cut, not rounded up */
}

static json_t *ready_at(const void *rows, size_t i)
{
	const struct ready_row *r = &((const struct ready_row *)rows)[i];

	return json_pack(
	    "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "namespace",
	    json_text(r->namespace), "workload", json_text(r->name), "verdict", ready_word(r->verdict), "reason",
	    json_text(r->reason), "coverage_percent", share(r->coverage), "nodes", count(r->nodes),
	    "required_hop_limit", json_if_positive(r->sum.required_hop_limit), "v1_requests", count(r->sum.v1),
	    "v2_requests", count(r->sum.v2), "token_requests", count(r->sum.tokens), "unanswered",
	    count(r->sum.unanswered), "first_seen_s", json_if_positive((int64_t)r->sum.first_s), "last_seen_s",
	    json_if_positive((int64_t)r->sum.last_s), "last_v1_s", json_if_positive((int64_t)r->sum.last_v1_s));
}

json_t *json_ready(const struct ready *r, const char *version)
{
	char headline[512], basis[512];

	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:{s:o, s:b, s:b, s:b}, s:I, s:I, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o}",
	    "schema", "imdsnoop.ready/1", "version", version, "headline",
	    extras_ready_headline(r, headline, sizeof(headline)), "basis", extras_ready_basis(r, basis, sizeof(basis)),
	    "question", "hop_limit", json_if_positive((int)r->question.hop_limit), "tokens_required",
	    r->question.tokens_required, "endpoint_off", r->question.endpoint_off, "role_delivery",
	    r->question.role_delivery, "from_s", (json_int_t)r->from_s, "to_s", (json_int_t)r->to_s, "nodes",
	    count(r->nodes), "coverage_percent", share(r->coverage), "watched_percent", share(r->watched),
	    "rarest_caller_s", count((uint64_t)r->rarest_s), "counts", "breaks", count(r->counts[READY_BREAKS]),
	    "unknown", count(r->counts[READY_UNKNOWN]), "safe", count(r->counts[READY_SAFE]), "workloads",
	    json_list(r->rows, r->rows_len, ready_at));
}
