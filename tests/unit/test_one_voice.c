/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/merge_findings.c user/report/merge_differences.c user/view/columns.c */
/* needs: user/pods/workload.c user/replay/report_input.c user/report/advice.c user/report/compare.c */
/* needs: user/report/finding_*.c user/report/findings.c user/report/headline.c user/report/pod_count.c user/report/level.c */
/* needs: user/report/merge.c user/report/path.c user/report/platform.c user/report/report.c user/report/timeline.c */
/* needs: user/report/what_if.c user/view/html.c user/view/html_part.c user/view/html_style.c user/view/json.c */
/* needs: user/view/svg.c user/view/text.c user/view/text_escape.c user/view/text_extras.c user/view/text_layout.c */
/* needs: user/view/ui_rows.c */
/* Two dozen snapshots in all views: one level, one count, one sentence. What is said of them is other tests' matter. */
#include "../../user/model/counters.h"
#include "../../user/model/request.h"
#include "../../user/replay/report_input.h"
#include "../../user/report/findings.h"
#include "../../user/report/merge.h"
#include "../../user/view/html.h"
#include "../../user/view/html_part.h"
#include "../../user/view/json.h"
#include "../../user/view/text.h"
#include "../../user/view/ui_rows.h"
#include "unit.h"

#define S 1000000000ull
#define ROWS_MAX 25

static const struct pod_identity nobody = POD_IDENTITY_NOBODY;
static const struct answerer kube2iam = { .process = "kube2iam", .pid = 77, .address = "10.0.0.5:8181" };

static const struct voice {
	const char *name;
	struct pod_stats pod;  /* its identity and unknowns are filled in */
	size_t more;	       /* pods of its workload, alike */
	struct pod_stats gone; /* sums of rows that have left; none without requests */
	uint64_t unowned;      /* packets */
	const char *feature;   /* that is missing */
	uint64_t lost;	       /* events */
	const char *of;	       /* NULL: the ring's */
	bool quiet;	       /* nobody asked */
	bool missed;	       /* the filters chose nothing */
	const char *unsaid;    /* that its headline must not say */
	enum level level;      /* that it must have; QUIET: whatever it is, all say it */
} voices[] = {
	{ .name = "ECS credentials and a dead token",
	  .pod = { .requests = 4,
		   .answered = 2,
		   .failed = 2,
		   .outcomes = { [OUTCOME_OK] = 2, [OUTCOME_HOP_LIMIT] = 2 },
		   .causes = { [CAUSE_HOP_LIMIT] = 2 },
		   .confidences = { [CONFIDENCE_PROVEN] = 2 },
		   .token_requests = 2,
		   .hop_limit = HOP_LIMIT_EXHAUSTED,
		   .hop_limit_drops = 6,
		   .ttl_dropped = 1,
		   .uses_pod_identity = true,
		   .hops = 1,
		   .required_hop_limit = 2 } },
	{ .name = "404 of a poll",
	  .pod = { .requests = 3,
		   .answered = 3,
		   .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 2 },
		   .responses = { [IMDS_STATUS_404] = 2, [IMDS_STATUS_2XX] = 1 },
		   .v2_requests = 3 } },
	{ .name = "hop limit",
	  .pod = { .requests = 2,
		   .failed = 2,
		   .outcomes = { [OUTCOME_HOP_LIMIT] = 2 },
		   .causes = { [CAUSE_HOP_LIMIT] = 2 },
		   .confidences = { [CONFIDENCE_STRONG] = 2 },
		   .token_requests = 2,
		   .hop_limit = HOP_LIMIT_EXHAUSTED,
		   .hops = 1,
		   .required_hop_limit = 2,
		   .seconds_lost = 2 } },
	{ .name = "blocked",
	  .pod = { .requests = 3,
		   .failed = 3,
		   .outcomes = { [OUTCOME_BLOCKED] = 3 },
		   .causes = { [CAUSE_FILTERED] = 3 },
		   .policy_drops = 6,
		   .policy_location = "nf_hook_slow",
		   .policy_reason = "NETFILTER_DROP" } },
	{ .name = "quiet", .quiet = true },
	{ .name = "blind", .quiet = true, .feature = "drops" },
	{ .name = "nothing seen, and another program at connect", .quiet = true, .feature = "other_programs" },
	{ .name = "meant block beside what works",
	  .pod = { .requests = 4,
		   .answered = 3,
		   .failed = 1,
		   .outcomes = { [OUTCOME_OK] = 3, [OUTCOME_BLOCKED] = 1 },
		   .causes = { [CAUSE_FILTERED] = 1 },
		   .policy_drops = 2 } },
	{ .name = "v1 only",
	  .pod = { .requests = 5, .answered = 5, .outcomes = { [OUTCOME_OK] = 5 }, .v1_requests = 5, .v1_answered = 5 } },
	{ .name = "throttled",
	  .pod = { .requests = 6,
		   .answered = 6,
		   .failed = 4,
		   .outcomes = { [OUTCOME_OK] = 2, [OUTCOME_HTTP_ERROR] = 4 },
		   .causes = { [CAUSE_THROTTLED] = 4 },
		   .responses = { [IMDS_STATUS_429] = 4, [IMDS_STATUS_2XX] = 2 } } },
	{ .name = "death without an owner", .quiet = true, .unowned = 7 },
	{ .name = "mixed",
	  .pod = { .requests = 9,
		   .answered = 5,
		   .failed = 5,
		   .outcomes = { [OUTCOME_OK] = 4, [OUTCOME_HTTP_ERROR] = 1, [OUTCOME_NO_RESPONSE] = 2, [OUTCOME_REFUSED] = 2 },
		   .causes = { [CAUSE_SILENT] = 2, [CAUSE_REFUSED] = 2, [CAUSE_NO_ROLE] = 1 } } },
	{ .name = "a problem of the past",
	  .unsaid = " gets no",
	  .pod = { .requests = 8,
		   .answered = 6,
		   .failed = 2,
		   .outcomes = { [OUTCOME_OK] = 6, [OUTCOME_HOP_LIMIT] = 2 },
		   .causes = { [CAUSE_HOP_LIMIT] = 2 },
		   .confidences = { [CONFIDENCE_PROVEN] = 2 },
		   .token_requests = 4,
		   .token_answered = 2,
		   .hop_limit = HOP_LIMIT_OK,
		   .hops = 1,
		   .required_hop_limit = 2,
		   .last_failed_ns = 2 * S,
		   .last_ok_ns = 20 * S } },
	{ .name = "a problem of a moment ago",
	  .level = LEVEL_PROBLEM,
	  .unsaid = "of 1 pod",
	  .pod = { .requests = 3,
		   .answered = 1,
		   .failed = 2,
		   .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HOP_LIMIT] = 2 },
		   .causes = { [CAUSE_HOP_LIMIT] = 2 },
		   .confidences = { [CONFIDENCE_PROVEN] = 2 },
		   .token_requests = 3,
		   .token_answered = 1,
		   .hop_limit = HOP_LIMIT_EXHAUSTED,
		   .hops = 1,
		   .required_hop_limit = 2,
		   .last_failed_ns = 2 * S,
		   .last_ok_ns = 3 * S } },
	{ .name = "a client of EC2's on GCE",
	  .level = LEVEL_WARNING,
	  .unsaid = "is off",
	  .pod = { .requests = 4,
		   .answered = 4,
		   .failed = 2,
		   .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 3 },
		   .causes = { [CAUSE_NOT_THIS_CLOUD] = 1, [CAUSE_ENDPOINT_DISABLED] = 2 },
		   .responses = { [IMDS_STATUS_2XX] = 1, [IMDS_STATUS_403] = 2 },
		   .token_requests = 1,
		   .providers = 1u << PROVIDER_EC2 | 1u << PROVIDER_GCE,
		   .providers_ok = 1u << PROVIDER_GCE } },
	{ .name = "server errors that are over",
	  .level = LEVEL_WARNING,
	  .unsaid = " is answered",
	  .pod = { .requests = 4,
		   .answered = 4,
		   .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 3 },
		   .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
		   .errors = { { 3, 500, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/meta-data/x",
				 .served = true } },
		   .errors_len = 1,
		   .providers = 1u << PROVIDER_EC2,
		   .last_broken_ns = 2 * S,
		   .last_ok_ns = 20 * S } },
	{ .name = "two servers within one pod",
	  .level = LEVEL_WARNING,
	  .pod = { .requests = 6,
		   .answered = 6,
		   .outcomes = { [OUTCOME_OK] = 6 },
		   .own_network = true,
		   .ttl_synack = 64,
		   .ttl_low = 63,
		   .ttl_high = 64 } },
	{ .name = "not sent",
	  .level = LEVEL_WARNING,
	  .pod = { .requests = 3, .failed = 3, .outcomes = { [OUTCOME_NOT_SENT] = 3 }, .causes = { [CAUSE_NOT_SENT] = 3 } } },
	{ .name = "meant block: credentials come from another service",
	  .level = LEVEL_NOTE,
	  .pod = { .requests = 5,
		   .answered = 3,
		   .failed = 2,
		   .outcomes = { [OUTCOME_OK] = 3, [OUTCOME_BLOCKED] = 2 },
		   .causes = { [CAUSE_FILTERED] = 2 },
		   .uses_pod_identity = true,
		   .policy_drops = 4,
		   .policy_location = "nf_hook_slow",
		   .policy_reason = "NETFILTER_DROP" } },
	{ .name = "probes of other clouds",
	  .level = LEVEL_NOTE,
	  .pod = { .requests = 4,
		   .answered = 4,
		   .failed = 1,
		   .outcomes = { [OUTCOME_OK] = 2, [OUTCOME_HTTP_ERROR] = 2 },
		   .causes = { [CAUSE_NOT_THIS_CLOUD] = 1 },
		   .responses = { [IMDS_STATUS_404] = 2, [IMDS_STATUS_2XX] = 2 },
		   .providers = 1u << PROVIDER_GCE | 1u << PROVIDER_EC2 | 1u << PROVIDER_AZURE,
		   .providers_ok = 1u << PROVIDER_GCE,
		   .token_requests = 1,
		   .last_failed_ns = 2 * S,
		   .last_ok_ns = 3 * S } },
	{ .name = "credentials answered with an error by a process of this node",
	  .level = LEVEL_PROBLEM,
	  .pod = { .requests = 4,
		   .answered = 4,
		   .failed = 4,
		   .outcomes = { [OUTCOME_HTTP_ERROR] = 4 },
		   .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 4 },
		   .responses = { [IMDS_STATUS_5XX] = 4 },
		   .credentials_requests = 4,
		   .errors = { { .requests = 4,
				 .status = 500,
				 .kind = IMDS_KIND_CREDENTIALS,
				 .method = IMDS_METHOD_GET,
				 .path = "/latest/meta-data/iam/security-credentials/cart" } },
		   .errors_len = 1,
		   .answered_by = &kube2iam } },
	{ .name = "a filter that matches nothing", .level = LEVEL_BLIND, .quiet = true, .missed = true },
	{ .name = "events lost beside what works",
	  .level = LEVEL_BLIND,
	  .lost = 12,
	  .pod = { .requests = 5, .answered = 5, .outcomes = { [OUTCOME_OK] = 5 } } },
	{ .name = "beyond its share",
	  .level = LEVEL_NOTE,
	  .pod = { .requests = 5, .answered = 5, .outcomes = { [OUTCOME_OK] = 5 }, .untracked = 900, .records_lost = 3 } },
	{ .name = "beyond its share of records",
	  .level = LEVEL_BLIND,
	  .lost = 12,
	  .of = "record_share",
	  .pod = { .requests = 50, .answered = 50, .outcomes = { [OUTCOME_OK] = 50 }, .records_lost = 12 } },
	{ .name = "beyond its share of those that wait",
	  .level = LEVEL_NOTE,
	  .pod = { .requests = 5, .answered = 2, .outcomes = { [OUTCOME_OK] = 2, [OUTCOME_ABORTED] = 3 }, .judged_early = 3 } },
	{ .name = "all that failed has left",
	  .level = LEVEL_WARNING,
	  .gone = { .requests = 4, .failed = 4, .outcomes = { [OUTCOME_NO_RESPONSE] = 4 }, .last_failed_ns = 9 * S },
	  .pod = { .requests = 1, .answered = 1, .outcomes = { [OUTCOME_OK] = 1 } } },
	{ .name = "one that has only left",
	  .unsaid = "p99",
	  .quiet = true,
	  .level = LEVEL_OK,
	  .gone = { .requests = 4, .answered = 4 } },
	{ .name = "waits for its first answer", .unsaid = "no problem", .level = LEVEL_NOTE, .pod = { .in_flight = 2 } },
	{ .name = "pods of one workload",
	  .level = LEVEL_PROBLEM,
	  .more = ROWS_MAX - 1,
	  .pod = { .requests = 3,
		   .failed = 3,
		   .outcomes = { [OUTCOME_DROPPED] = 3 },
		   .causes = { [CAUSE_REVERSE_PATH] = 3 },
		   .notes = { { .cause = CAUSE_REVERSE_PATH, .reason = "IP_RPFILTER", .requests = 3, .ttl = 64 } },
		   .notes_len = 1,
		   .seconds_lost = 3 } },
	{ .name = "redirected at connect",
	  .pod = { .requests = 3, .outcomes = { [OUTCOME_REDIRECTED] = 3 }, .causes = { [CAUSE_REDIRECTED] = 3 } } },
};

static char *drawn(const struct report *r, bool html)
{
	const struct text_options o = { 0 };
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (html)
		html_report(f, &(struct html_report){ .said = r });
	else
		text_report(f, r, NULL, NULL, &o);
	fclose(f);
	return text;
}

static char *escaped(const char *s)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	html_text(f, s);
	fclose(f);
	return text;
}

static void text_says_it_first_and_last(const struct report *r)
{
	char *text = drawn(r, false), line[2048];
	size_t len;

	len = snprintf(line, sizeof(line), "%s  %s\n", report_level_word(r->level), r->headline);
	assert_true(!strncmp(text, line, len));
	assert_string_equal(text + strlen(text) - len, line);
	free(text);
	assert_true(!strncmp(r->brief, line, strlen(report_level_word(r->level))));
	assert_true(strlen(r->brief) <= 80);
	if (r->s->findings_len == 1 && r->s->findings[0].severity != SEVERITY_INFO && r->s->findings[0].pods_len) {
		snprintf(line, sizeof(line), ", %zu of %zu pods,", r->s->findings[0].pods_len, r->s->pods_len);
		assert_int_equal(strstr(r->brief, line) != NULL, r->s->findings[0].pods_len < r->s->pods_len);
	}
}

static void page_says_it(const struct report *r)
{
	char *text = drawn(r, true), *headline = escaped(r->headline), line[4096];

	snprintf(line, sizeof(line), "<span class=\"state\">%s</span> %s</h1>", report_level_word(r->level), headline);
	assert_non_null(strstr(text, line));
	snprintf(line, sizeof(line), ": %llu answered, %llu failed<", (unsigned long long)r->answered,
		 (unsigned long long)r->failed);
	assert_non_null(strstr(text, line));
	free(headline);
	free(text);
}

static const struct merge_pod *merged_row(const struct merged *m, const char *pod)
{
	for (size_t i = 0; i < m->pods_len; i++)
		if (!strcmp(m->pods[i].pod, pod))
			return &m->pods[i];
	return NULL;
}

static void read_back(const struct report *r, const char *node, struct report_doc *ret)
{
	json_t *root = json_said(r);
	char msg[256];

	assert_non_null(root);
	assert_int_equal(json_object_set_new(root, "node", json_string(node)), 0);
	assert_int_equal(report_input_from_json(root, node, ret, msg, sizeof(msg)), 0); /* takes root */
}

/* What the status page draws, and what `merge` reads. */
static void json_and_merge_say_it(const struct report *r)
{
	json_t *root = json_said(r), *headline = json_object_get(root, "headline");
	const json_t *totals = json_object_get(root, "totals");
	struct merged m = { 0 };
	struct report_doc d;
	const char *twin;

	assert_string_equal(json_string_value(json_object_get(headline, "level")), level_word(r->level));
	assert_string_equal(json_string_value(json_object_get(headline, "text")), r->headline);
	assert_int_equal(json_integer_value(json_object_get(totals, "answered")), r->answered);
	assert_int_equal(json_integer_value(json_object_get(totals, "failed")), r->failed);
	json_decref(root);
	read_back(r, "n", &d);
	assert_int_equal(merge_add(&m, &d, &twin), 0);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.level, r->level);
	assert_string_equal(m.headline, r->headline);
	assert_int_equal(m.answered, r->answered);
	assert_int_equal(m.failed, r->failed);
	assert_int_equal(m.pods_len, r->rows_len);
	for (size_t i = 0; i < r->rows_len; i++) {
		const struct merge_pod *p = merged_row(&m, r->rows[i].p->who.pod);

		assert_non_null(p);
		assert_int_equal(p->level, r->rows[i].level);
		assert_string_equal(p->text, r->rows[i].text);
		assert_int_equal(p->failed, r->rows[i].p->failed);
	}
	merge_clear(&m);
	report_input_clear(&d);
}

/* Two nodes of which each says this: the level stays, the counts are twice as high, the workloads are told once. */
static void two_nodes_say_it(const struct report *r)
{
	struct merged m = { 0 };
	struct report_doc d;
	const char *twin;

	for (int i = 0; i < 2; i++) {
		read_back(r, i ? "n2" : "n1", &d);
		assert_int_equal(merge_add(&m, &d, &twin), 0);
		report_input_clear(&d);
	}
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.level, r->level);
	assert_int_equal(m.answered, 2 * r->answered);
	assert_int_equal(m.failed, 2 * r->failed);
	assert_int_equal(m.pods_len, 2 * r->rows_len);
	for (size_t i = 0; i < m.groups_len; i++) {
		assert_int_equal(m.groups[i]->nodes, 2);
		if (*m.groups[i]->workload)
			assert_int_equal(m.groups[i]->pods, 2 * r->rows_len);
	}
	assert_int_equal(m.groups_len, r->s->findings_len);
	if (m.groups_len && r->level > LEVEL_OK && r->level != LEVEL_BLIND && !strstr(m.headline, "no metadata token"))
		assert_non_null(strstr(m.headline, m.groups[0]->summary));
	if (r->s->totals.requests)
		assert_null(strstr(m.headline, "nothing asked"));
	merge_clear(&m);
}

static void top_says_it(const struct report *r)
{
	struct ui_rows rows;

	assert_int_equal(ui_rows_init(&rows), 0);
	assert_int_equal(ui_rows_update(&rows, r, true, NULL, NULL), 0);
	assert_int_equal(rows.len, r->rows_len);
	for (size_t i = 0; i < rows.len; i++) {
		assert_int_equal(rows.order[i]->level, r->rows[i].level);
		assert_string_equal(rows.order[i]->cause, r->rows[i].text);
		assert_int_equal(rows.order[i]->cells.answered, r->rows[i].p->answered);
		assert_int_equal(rows.order[i]->cells.failed, r->rows[i].p->failed);
	}
	ui_rows_clear(&rows);
}

static const char *const endpoints[] = { "169.254.169.254", NULL };

/* A snapshot of v, with the room that it borrows. */
struct scene {
	struct pod_stats rows[ROWS_MAX], gone;
	const struct pod_stats *pods[ROWS_MAX];
	char names[ROWS_MAX][32];
	struct feature feature;
	struct unowned unowned;
	struct loss loss;
	struct snapshot s;
};

static void set_scene(struct scene *c, const struct voice *v)
{
	*c = (struct scene){
		.gone = v->gone,
		.feature = { v->feature, "degraded", "not on this kernel" },
		.unowned = { .device = "tap0", .name = "", .packets = v->unowned, .ttl = 1 },
		.loss = { .name = v->of ? v->of : "ring_request", .what = "details of requests", .count = v->lost },
	};
	c->s = (struct snapshot){
		.version = "1",
		.node = "n",
		.kernel = "6.1",
		.now_ns = 30 * S,
		.slow_us = 1000000,
		.endpoints = endpoints,
		.drops_watched = true,
		.pods = c->pods,
		.pods_len = v->quiet ? 0 : 1 + v->more,
		.features = &c->feature,
		.features_len = v->feature != NULL,
		.losses = &c->loss,
		.losses_len = v->lost > 0,
		.unowned = &c->unowned,
		.unowned_len = v->unowned > 0,
		.gone = v->gone.requests ? &c->gone : NULL,
		.gone_rows = v->gone.requests > 0,
		.totals = { .who = nobody, .hops = -1, .last_failed_ns = v->pod.last_failed_ns },
	};
	for (size_t i = 0; i < c->s.pods_len; i++) {
		struct pod_stats *p = &c->rows[i];

		snprintf(c->names[i], sizeof(c->names[i]), "cart-7d9f6c5b8-x2x%c%c", 'b' + (char)i / 5 * 5,
			 '4' + (char)i % 5);
		*p = v->pod;
		p->who = nobody;
		p->who.cgroup_id = 7 + i;
		p->who.namespace = "shop";
		p->who.pod = c->names[i];
		p->who.container = "app";
		p->who.cgroup = "kubepods/x";
		p->hops = p->hops ? p->hops : -1;
		c->pods[i] = p;
		counters_add(&c->s.totals, p);
		c->s.totals.in_flight += p->in_flight;
	}
	counters_add(&c->s.totals, &c->gone);
}

static void all_views_say_the_same(void **state)
{
	static const char *const wanted[] = { "--pod", "nobody-*", NULL };
	static struct scene c;

	(void)state;
	for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++) {
		const struct voice *v = &voices[i];
		struct report r;

		print_message("%s\n", v->name);
		set_scene(&c, v);
		assert_int_equal(findings_collect(&c.s, &c.s.findings, &c.s.findings_len), 0);
		assert_int_equal(report_build(&c.s, &r), 0);
		if (v->missed)
			assert_int_equal(report_filter_missed(&r, &c.s, wanted), 0);
		if (v->level != LEVEL_QUIET)
			assert_int_equal(r.level, v->level);
		if (v->unsaid)
			assert_null(strstr(r.headline, v->unsaid));
		/* that nothing asked is a claim: not beside a program that may have sent it elsewhere */
		if (v->quiet && v->feature && !strcmp(v->feature, "other_programs")) {
			assert_int_equal(r.level, LEVEL_BLIND);
			assert_null(strstr(r.headline, "nothing asked"));
		}
		text_says_it_first_and_last(&r);
		page_says_it(&r);
		json_and_merge_say_it(&r);
		two_nodes_say_it(&r);
		top_says_it(&r);
		report_clear(&r);
		findings_free(c.s.findings, c.s.findings_len);
		counters_free_kinds(&c.s.totals);
	}
}

static bool is_said(const struct finding *all, size_t len, enum finding_code code, size_t row)
{
	for (size_t i = 0; i < len; i++)
		if (all[i].code == code && finding_is_about(&all[i], row))
			return true;
	return false;
}

/* Pods of one workload are told together: whatever two have, nothing that is said of one alone is lost by it. */
static void what_a_pod_has_is_said_beside_any_other(void **state)
{
	const size_t n = sizeof(voices) / sizeof(voices[0]);
	static struct scene c;

	(void)state;
	for (size_t k = 0; k < n * n; k++) {
		struct voice v = voices[k / n];
		struct finding *all;
		size_t len;

		v.more = 1;
		v.quiet = false;
		set_scene(&c, &v);
		v.pod = voices[k % n].pod;
		v.pod.who = c.rows[1].who;
		v.pod.hops = v.pod.hops ? v.pod.hops : -1;
		c.rows[1] = v.pod;
		assert_int_equal(findings_collect(&c.s, &all, &len), 0);
		for (size_t row = 0; row < 2; row++) {
			struct snapshot one = c.s;
			struct finding *alone;
			size_t alone_len;

			one.pods = c.pods + row;
			one.pods_len = 1;
			assert_int_equal(findings_collect_view(&c.s, &one, &alone, &alone_len), 0);
			for (size_t i = 0; i < alone_len; i++)
				if (alone[i].pods_len && !is_said(all, len, alone[i].code, row))
					fail_msg("%s beside %s: %s of pod %zu is lost", voices[k / n].name,
						 voices[k % n].name, finding_word(alone[i].code), row);
			findings_free(alone, alone_len);
		}
		findings_free(all, len);
		counters_free_kinds(&c.s.totals);
	}
}

/* Rows of one workload, blocked, and one that stands apart. */
#define ROWS 4 /* of a choice */

static void fill_rows(struct pod_stats *rows, const struct pod_stats **pods, struct snapshot *s)
{
	static const char *const names[ROWS] = { "cart-7d9f6c5b8-x2x4q", "cart-7d9f6c5b8-x2x5q", "cart-7d9f6c5b8-x2x6q",
						 "checkout-5f6d7c8b9-k2x7z" };

	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = (struct pod_stats){ .requests = 2,
					      .failed = 2,
					      .outcomes = { [OUTCOME_BLOCKED] = 2 },
					      .causes = { [CAUSE_FILTERED] = 2 },
					      .policy_drops = 2,
					      .hops = -1 };
		rows[i].who = nobody;
		rows[i].who.cgroup_id = i + 1;
		rows[i].who.namespace = "shop";
		rows[i].who.pod = names[i];
		rows[i].who.workload = i < ROWS - 1 ? "cart" : "checkout";
		rows[i].who.container = "app";
		pods[i] = &rows[i];
	}
	*s = (struct snapshot){ .version = "1", .node = "n", .kernel = "", .pods = pods, .pods_len = ROWS };
	s->totals.who = nobody;
	s->totals.hops = -1;
}

static void a_choice_of_rows_is_told_with_these_alone(void **state)
{
	struct pod_stats rows[ROWS];
	const struct pod_stats *pods[ROWS];
	struct snapshot s, view;

	(void)state;
	fill_rows(rows, pods, &s);
	assert_int_equal(findings_collect(&s, &s.findings, &s.findings_len), 0);
	assert_int_equal(s.findings_len, 2);
	assert_non_null(strstr(s.findings[0].summary, "3 pods of shop/cart (app)"));
	view = s;
	view.pods = pods + 1;
	view.pods_len = 1;
	assert_int_equal(findings_collect_view(&s, &view, &view.findings, &view.findings_len), 0);
	assert_int_equal(view.findings_len, 1); /* the other workload's is not there */
	assert_non_null(strstr(view.findings[0].summary, "shop/cart-7d9f6c5b8-x2x5q (app)"));
	assert_int_equal(finding_row(&view.findings[0]), 0);
	assert_int_equal(view.findings[0].pods_len, 1);
	findings_free(view.findings, view.findings_len);
	findings_free(s.findings, s.findings_len);
}

/* One finding of several pods is each one's: its level, and its words where top opens the pod; the headline counts the rest. */
static void each_pod_of_a_finding_has_its_level_and_words(void **state)
{
	struct pod_stats rows[ROWS], fine;
	const struct pod_stats *pods[ROWS + 1];
	struct snapshot s;
	struct report r;
	struct ui_rows top;

	(void)state;
	fill_rows(rows, pods, &s);
	fine = (struct pod_stats){
		.who = rows[0].who, .requests = 1, .answered = 1, .outcomes = { [OUTCOME_OK] = 1 }, .hops = -1
	};
	fine.who.cgroup_id = ROWS + 1;
	fine.who.pod = "web-5f6d7c8b9-k2x7z";
	pods[ROWS] = &fine;
	s.pods_len++;
	assert_int_equal(findings_collect(&s, &s.findings, &s.findings_len), 0);
	assert_int_equal(s.findings_len, 2);
	assert_int_equal(report_build(&s, &r), 0);
	assert_int_equal(ui_rows_init(&top), 0);
	assert_int_equal(ui_rows_update(&top, &r, true, NULL, NULL), 0);
	assert_int_equal(top.len, ROWS + 1);
	for (size_t i = 0; i < ROWS; i++) {
		assert_int_equal(r.rows[i].level, LEVEL_WARNING);
		assert_int_equal(top.order[i]->level, LEVEL_WARNING);
		assert_non_null(strstr(top.order[i]->notes, "blocked-by-policy"));
	}
	assert_int_equal(r.rows[ROWS].level, LEVEL_OK);
	assert_null(top.order[ROWS]->notes);
	assert_non_null(strstr(r.headline, "3 pods of shop/cart (app)"));
	assert_non_null(strstr(r.headline, "; something to mend on 4 of 5 pods"));
	ui_rows_clear(&top);
	report_clear(&r);
	findings_free(s.findings, s.findings_len);
}

/* A pod is told of once, however many of its containers ask; a later pod of its name is no other one. */
static void containers_of_one_pod_are_one_pod(void **state)
{
	struct pod_stats rows[ROWS];
	const struct pod_stats *pods[ROWS];
	struct snapshot s;
	struct report r;

	(void)state;
	fill_rows(rows, pods, &s);
	for (size_t i = 1; i < ROWS; i++) {
		rows[i].who = rows[0].who;
		rows[i].who.cgroup_id = i + 1;
	}
	rows[1].who.container = "proxy";
	rows[ROWS - 1].requests = rows[ROWS - 1].answered = 2;
	rows[ROWS - 1].outcomes[OUTCOME_BLOCKED] = 0;
	rows[ROWS - 1].causes[CAUSE_FILTERED] = 0;
	rows[ROWS - 1].policy_drops = rows[ROWS - 1].failed = 0;
	assert_int_equal(findings_collect(&s, &s.findings, &s.findings_len), 0);
	assert_int_equal(s.findings_len, 1);
	assert_non_null(strstr(s.findings[0].summary, "shop/cart-7d9f6c5b8-x2x4q (app, proxy) is kept "));
	assert_int_equal(report_build(&s, &r), 0);
	assert_null(strstr(r.headline, "something to mend"));
	assert_non_null(strstr(r.brief, ", 1 pod, "));
	report_clear(&r);
	findings_free(s.findings, s.findings_len);
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].outcomes[OUTCOME_HOP_LIMIT] = i ? 1 : 0;
		rows[i].token_requests = rows[i].confidences[CONFIDENCE_PROVEN] = rows[i].outcomes[OUTCOME_HOP_LIMIT];
		rows[i].causes[CAUSE_HOP_LIMIT] = rows[i].outcomes[OUTCOME_HOP_LIMIT];
	}
	s.findings = NULL;
	s.findings_len = 0;
	assert_int_equal(findings_collect(&s, &s.findings, &s.findings_len), 0);
	assert_int_equal(report_build(&s, &r), 0);
	assert_non_null(strstr(r.headline, "1 of 1 pod on n gets no metadata token"));
	report_clear(&r);
	findings_free(s.findings, s.findings_len);
}

/* What one pod of a workload was answered since says nothing of another, whichever is the first. */
static void answered_since_is_said_of_those_that_were(void **state)
{
	static const struct {
		uint64_t ok_ns;
		const char *said, *unsaid;
	} cases[] = {
		{ 100 * S, "; the last at ", NULL },
		{ 52 * S, "; answered since", "; the last at " },
		{ 0, "is kept from", "answered since" },
	};
	struct pod_stats rows[ROWS];
	const struct pod_stats *pods[ROWS];
	struct snapshot s;

	(void)state;
	for (size_t first = 0; first < LEN(cases); first++) {
		fill_rows(rows, pods, &s);
		for (size_t i = 0; i < ROWS - 1; i++) {
			rows[i].last_failed_ns = (i == 0 ? 10 : 50) * S;
			rows[i].last_ok_ns = cases[(first + i) % LEN(cases)].ok_ns;
			if (rows[i].last_ok_ns == 52 * S)
				rows[i].last_failed_ns = 50 * S;
			rows[i].policy_drops = i + 1;
			rows[i].endpoints = rows[i].endpoints_failed = 1;
			rows[i].endpoints_ok = rows[i].last_ok_ns != 0;
		}
		assert_int_equal(findings_collect(&s, &s.findings, &s.findings_len), 0);
		assert_int_equal(s.findings_len, ROWS);
		for (size_t i = 0; i < ROWS - 1; i++) {
			const char *summary = NULL;

			for (size_t k = 0; k < s.findings_len; k++)
				if (finding_row(&s.findings[k]) == i)
					summary = s.findings[k].summary;
			assert_non_null(summary);
			assert_non_null(strstr(summary, cases[(first + i) % LEN(cases)].said));
			if (cases[(first + i) % LEN(cases)].unsaid)
				assert_null(strstr(summary, cases[(first + i) % LEN(cases)].unsaid));
		}
		findings_free(s.findings, s.findings_len);
	}
}

static void a_filter_that_matches_nothing_names_the_nearest(void **state)
{
	const char *wanted[] = { "--workload", "chekout", NULL };
	struct pod_stats rows[ROWS];
	const struct pod_stats *pods[ROWS];
	struct snapshot s, view;
	struct report r;

	(void)state;
	fill_rows(rows, pods, &s);
	view = s;
	view.pods_len = 0;
	assert_int_equal(report_build(&view, &r), 0);
	assert_int_equal(report_filter_missed(&r, &s, wanted), 0);
	assert_int_equal(r.level, LEVEL_BLIND);
	assert_non_null(
	    strstr(r.headline, "--workload 'chekout'; nearest of those seen: shop/checkout-5f6d7c8b9-k2x7z (app), "));
	text_says_it_first_and_last(&r);
	report_clear(&r);
	wanted[0] = "--pod";
	wanted[1] = "cart-7d9f6c5b8-x2x6";
	assert_int_equal(report_build(&view, &r), 0);
	assert_int_equal(report_filter_missed(&r, &s, wanted), 0);
	assert_non_null(strstr(r.headline, "nearest of those seen: shop/cart-7d9f6c5b8-x2x6q (app)"));
	report_clear(&r);
	s.pods_len = 0;
	assert_int_equal(report_build(&view, &r), 0);
	assert_int_equal(report_filter_missed(&r, &s, wanted), 0);
	assert_null(strstr(r.headline, "nearest"));
	report_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_views_say_the_same),
		cmocka_unit_test(what_a_pod_has_is_said_beside_any_other),
		cmocka_unit_test(a_choice_of_rows_is_told_with_these_alone),
		cmocka_unit_test(each_pod_of_a_finding_has_its_level_and_words),
		cmocka_unit_test(containers_of_one_pod_are_one_pod),
		cmocka_unit_test(answered_since_is_said_of_those_that_were),
		cmocka_unit_test(a_filter_that_matches_nothing_names_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
