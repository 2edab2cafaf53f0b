/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json_pack() takes the references that "o" is given, also on error, and gives NULL when one is NULL: so values nest
 * and are tested once, where they come out.
 */
#include <errno.h>
#include <string.h>

#include "extras.h"
#include "json.h"

static json_t *array_put(json_t *array, json_t *value)
{
	if (array && !json_array_append_new(array, value))
		return array;
	if (!array)
		json_decref(value);
	json_decref(array);
	return NULL;
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *positive(int64_t n)
{
	return n > 0 ? json_integer(n) : json_null();
}

static json_t *us(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

/* To the microsecond, as reports have it. */
static json_t *seconds(double s)
{
	return json_real(s < 1e12 ? (double)(int64_t)(s * 1e6 + 0.5) / 1e6 : 1e12);
}

json_t *json_what_if(const struct what_if_result *r)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "title", r->title, "hop_limit",
			 positive(r->question.hop_limit), "tokens",
			 r->question.tokens_required ? json_string("required") : json_null(), "would_break",
			 count(r->counts[WHAT_IF_BREAKS]), "would_not_notice", count(r->counts[WHAT_IF_UNTOUCHED]),
			 "unknown", count(r->counts[WHAT_IF_UNKNOWN]), "broken_already",
			 count(r->counts[WHAT_IF_BROKEN]), "cured", count(r->counts[WHAT_IF_CURED]), "not_noticing",
			 json_text(r->lines[WHAT_IF_UNTOUCHED]), "basis", json_text(r->basis));
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static json_t *change_value(const struct finding_change *f)
{
	const struct report_finding *said = f->after ? f->after : f->before;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "code", json_text(said->code), "severity",
			 json_string(severity_word(said->severity)), "severity_before",
			 f->before ? json_string(severity_word(f->before->severity)) : json_null(), "namespace",
			 json_text(said->namespace), "workload", json_text(said->workload), "container",
			 json_text(said->container), "cgroup", json_text(said->cgroup), "summary",
			 json_text(said->summary), "asked_since", f->spoke_after);
}

static json_t *changes_of(const struct changes *c, enum change_kind kind)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->findings_len && list; i++)
		if (c->findings[i].kind == kind)
			list = array_put(list, change_value(&c->findings[i]));
	return list;
}

static json_t *figures_value(const struct workload_figures *f)
{
	if (!f->pods)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "pods", count(f->pods), "requests",
			 count(f->requests), "failed", count(f->failed), "fallbacks", count(f->fallbacks), "seconds_lost",
			 seconds(f->seconds_lost), "latency_us", "p50", us(f->p50_us), "p99", us(f->p99_us));
}

static json_t *report_value(const struct report_doc *d)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "node", json_text(d->node), "started", json_text(d->started),
			 "duration_s", json_real(d->duration_s), "seconds_lost", seconds(d->seconds_lost));
}

json_t *json_changes(const struct changes *c)
{
	json_t *workloads = json_array();

	for (size_t i = 0; i < c->workloads_len && workloads; i++) {
		const struct workload_change *w = &c->workloads[i];

		workloads = array_put(workloads,
				      json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "namespace", json_text(w->namespace),
						"workload", json_text(w->workload), "container",
						json_text(w->container), "cgroup", json_text(w->cgroup), "before",
						figures_value(&w->before), "after", figures_value(&w->after)));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "before", report_value(c->before), "new",
			 changes_of(c, CHANGE_NEW), "still", changes_of(c, CHANGE_STILL), "gone",
			 changes_of(c, CHANGE_GONE), "workloads", workloads);
}

/* --- merge -------------------------------------------------------------------------------------------------------- */

static json_t *node_value(const struct merge_node *d)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "node", json_text(d->node), "file",
			 json_text(d->file), "version", json_text(d->version), "kernel", json_text(d->kernel),
			 "started", json_text(d->started), "duration_s", json_real(d->duration_s), "requests",
			 count(d->requests), "hop_limit_set", positive(d->node_token_ttl), "lost", count(d->lost));
}

static json_t *pod_value(const struct merge_pod *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "node",
			 json_text(p->node->node), "namespace", json_text(p->namespace), "pod", json_text(p->pod),
			 "workload", json_text(p->workload), "container", json_text(p->container), "cgroup",
			 json_text(p->cgroup), "requests", count(p->requests), "failed", count(p->failed),
			 "v1_requests", count(p->v1_requests), "seconds_lost", seconds(p->seconds_lost),
			 "required_hop_limit", positive(p->required_hop_limit), "hop_limit",
			 json_string(hop_limit_word(p->hop_limit)), "hop_limit_requests", count(p->hop_limit_requests),
			 "latency_us", "p50", us(p->p50_us), "p99", us(p->p99_us));
}

static json_t *group_value(const struct merge_group *g)
{
	json_t *advice = json_array();

	for (const char **line = g->advice; *line && advice; line++)
		advice = array_put(advice, json_text(*line));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "severity",
			 json_string(severity_word(g->severity)), "code", json_text(g->code), "namespace",
			 json_text(g->namespace), "workload", json_text(g->workload), "container",
			 json_text(g->container), "cgroup", json_text(g->cgroup), "pods", count(g->pods), "nodes",
			 count(g->nodes), "seconds_lost", seconds(g->seconds_lost), "required_hop_limit",
			 positive(g->required_hop_limit), "summary", json_text(g->summary), "advice", advice);
}

static json_t *difference_value(const struct merge_difference *d)
{
	json_t *values = json_array();

	for (size_t i = 0; i < d->values_len && values; i++) {
		json_t *nodes = json_array();

		for (size_t j = 0; j < d->values[i].nodes_len && nodes; j++)
			nodes = array_put(nodes, json_text(d->values[i].nodes[j]->node));
		values =
		    array_put(values, json_pack("{s:o, s:o}", "value", json_text(d->values[i].value), "nodes", nodes));
	}
	return json_pack("{s:o, s:o}", "what", json_text(d->what), "values", values);
}

#define LIST(of, len, value_of)                                        \
	({                                                             \
		json_t *list_ = json_array();                          \
                                                                       \
		for (size_t i_ = 0; i_ < (len) && list_; i_++)         \
			list_ = array_put(list_, value_of(&(of)[i_])); \
		list_;                                                 \
	})

static json_t *node_at(const struct merge_node *const *n)
{
	return node_value(*n);
}

static json_t *group_at(const struct merge_group *const *g)
{
	return group_value(*g);
}

static json_t *merge_totals(const struct merged *m)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "nodes", count(m->hosts),
			 "pods", count(m->pods_seen), "requests", count(m->requests), "answered", count(m->answered),
			 "failed", count(m->failed), "lost", count(m->lost), "seconds_lost", seconds(m->seconds_lost),
			 "hop_limit_pods", count(m->hop_limit_pods), "required_hop_limit",
			 positive(m->required_hop_limit), "pods_left_out", count(m->pods_seen - m->pods_len),
			 "findings_left_out", count(m->groups_lost), "facts_left_out", count(m->differences_lost));
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
	put_member(f, "note", m->note[0] ? json_text(m->note) : json_null(), &err);
	put_member(f, "nodes", LIST(m->nodes, m->nodes_len, node_at), &err);
	put_member(f, "totals", merge_totals(m), &err);
	put_member(f, "findings", LIST(m->groups, m->groups_len, group_at), &err);
	fputs(",\n\"pods\": [\n", f);
	for (size_t i = 0; i < m->pods_len && !err; i++) { /* one by one: there may be very many */
		if (i)
			fputc(',', f);
		err = json_print(pod_value(&m->pods[i]), false, f);
	}
	fputs("]", f);
	put_member(f, "differences", LIST(m->differences, m->differences_len, difference_value), &err);
	return fputs("}\n", f) == EOF && !err ? -EIO : err;
}

/* --- ready ---------------------------------------------------------------------------------------------------------- */

static json_t *share(double of_1)
{
	return json_real((double)(long)(of_1 * 10000) / 100); /* cut, not rounded up */
}

static json_t *moment(uint64_t s)
{
	return s ? json_integer((json_int_t)s) : json_null();
}

static json_t *ready_value(const struct ready_row *r)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "namespace",
			 json_text(r->namespace), "workload", json_text(r->name), "verdict", ready_word(r->verdict),
			 "reason", json_text(r->reason), "coverage_percent", share(r->coverage), "nodes",
			 count(r->nodes), "required_hop_limit", positive(r->sum.required_hop_limit), "v1_requests",
			 count(r->sum.v1), "v2_requests", count(r->sum.v2), "token_requests", count(r->sum.tokens),
			 "unanswered", count(r->sum.unanswered), "first_seen_s", moment(r->sum.first_s), "last_seen_s",
			 moment(r->sum.last_s), "last_v1_s", moment(r->sum.last_v1_s));
}

json_t *json_ready(const struct ready *r, const char *version)
{
	char headline[512], basis[512];

	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:{s:o, s:b, s:b, s:b}, s:I, s:I, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o}",
	    "schema", "imdsnoop.ready/1", "version", version, "headline",
	    extras_ready_headline(r, headline, sizeof(headline)), "basis", extras_ready_basis(r, basis, sizeof(basis)),
	    "question", "hop_limit", positive((int)r->question.hop_limit), "tokens_required", r->question.tokens_required,
	    "endpoint_off", r->question.endpoint_off, "role_delivery", r->question.role_delivery, "from_s",
	    (json_int_t)r->from_s, "to_s", (json_int_t)r->to_s, "nodes", count(r->nodes), "coverage_percent",
	    share(r->coverage), "watched_percent", share(r->watched), "rarest_caller_s", count((uint64_t)r->rarest_s),
	    "counts", "breaks", count(r->counts[READY_BREAKS]), "unknown", count(r->counts[READY_UNKNOWN]), "safe",
	    count(r->counts[READY_SAFE]), "workloads", LIST(r->rows, r->rows_len, ready_value));
}
