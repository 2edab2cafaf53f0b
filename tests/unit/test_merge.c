/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/report/merge_findings.c user/report/merge_differences.c user/model/figures.c user/report/level.c */
/* needs: user/report/merge.c user/pods/workload.c user/model/words.c */
#include "../../user/report/merge.h"
#include "unit.h"

static const char *none[] = { NULL };

static struct report_pod pod(const char *name, uint64_t dead, double lost, int required)
{
	struct report_pod p = { .who = { "shop", name, "app", "" },
				.text = "",
				.level = dead ? LEVEL_PROBLEM : LEVEL_OK,
				.requests = 5,
				.failed = dead,
				.seconds_lost = lost,
				.p99_us = -1,
				.token_requests = 2,
				.required_hop_limit = required };

	p.outcomes[OUTCOME_HOP_LIMIT] = dead;
	workload_name(name, "", p.workload, sizeof(p.workload));
	return p;
}

static struct report_finding finding(const char *code, const char *name, enum severity severity)
{
	struct report_finding f = { severity, code, .who = { "shop", name, "app", "" }, .summary = "what",
				    .advice = none };

	workload_name(name, "", f.workload, sizeof(f.workload));
	return f;
}

static struct report_doc report_of(const char *node)
{
	return (struct report_doc){
		.file = node, .version = "1", .node = node, .kernel = "6.1", .started = "", .headline = ""
	};
}

static void join(struct merged *m, const struct report_doc *d)
{
	const char *twin;

	assert_int_equal(merge_add(m, d, &twin), 0);
}

static void nodes_are_joined(void **state)
{
	struct report_feature on[] = { { "drops", "ok" } }, off[] = { { "drops", "missing" } };
	struct report_pod p1[] = { pod("cart-7d9f6c5b8-x2x4q", 2, 1.5, 2), pod("agent-5k2p9", 0, 0, 1) };
	struct report_pod p2[] = { pod("cart-7d9f6c5b8-zzzzz", 4, 3.0, 3), pod("cart-7d9f6c5b8-bbbbb", 0, 0, 2) };
	struct report_finding f1[] = { finding("hop-limit-exhausted", "cart-7d9f6c5b8-x2x4q", SEVERITY_WARNING),
				       finding("hop-limit-exhausted", "cart-7d9f6c5b8-ccccc", SEVERITY_WARNING) };
	struct report_finding f2[] = { finding("hop-limit-exhausted", "cart-7d9f6c5b8-zzzzz", SEVERITY_ERROR),
				       finding("slow", "cart-7d9f6c5b8-bbbbb", SEVERITY_WARNING) };
	struct report_doc a = { .file = "a",
				.version = "1",
				.node = "b",
				.kernel = "6.1",
				.started = "",
				.requests = 10,
				.failed = 2,
				.level = LEVEL_WARNING,
				.headline = "said on b",
				.lost = 1,
				.node_token_ttl = 1,
				.features = on,
				.features_len = 1,
				.pods = p1,
				.pods_len = 2,
				.findings = f1,
				.findings_len = 2 };
	struct report_doc b = { .file = "b",
				.version = "1",
				.node = "a",
				.kernel = "6.1",
				.started = "",
				.requests = 10,
				.failed = 4,
				.level = LEVEL_PROBLEM,
				.headline = "said on a",
				.features = off,
				.features_len = 1,
				.pods = p2,
				.pods_len = 2,
				.findings = f2,
				.findings_len = 2 };
	struct merged m = { 0 };

	join(&m, &a);
	join(&m, &b);
	assert_int_equal(merge_end(&m), 0);
	assert_string_equal(m.nodes[0]->node, "a"); /* by name */
	assert_int_equal(m.requests, 20);
	assert_int_equal(m.failed, 6);
	assert_int_equal(m.lost, 1);
	assert_int_equal(m.level, LEVEL_PROBLEM);
	assert_string_equal(m.headline, "2 pods on 2 nodes: no metadata token, the hop limit is too low, 3 is needed");
	assert_int_equal(m.hop_limit_pods, 2);
	assert_int_equal(m.required_hop_limit, 3);
	assert_int_equal(m.exhausted_hop_limit, 3);
	assert_int_equal(m.pods_len, 4);
	assert_string_equal(m.pods[0].pod, p2[0].pod); /* worst first, over all nodes */
	assert_string_equal(m.pods[0].node->node, "a");
	assert_string_equal(m.pods[1].pod, p1[0].pod);
	assert_int_equal(m.groups_len, 2);
	assert_string_equal(m.groups[0]->code, "hop-limit-exhausted");
	assert_string_equal(m.groups[0]->workload, "cart");
	assert_int_equal(m.groups[0]->severity, SEVERITY_ERROR);
	assert_string_equal(m.groups[0]->worst->node, "a");
	assert_string_equal(m.groups[0]->summary, "what");
	assert_int_equal(m.groups[0]->pods, 3);
	assert_int_equal(m.groups[0]->nodes, 2);
	assert_true(m.groups[0]->seconds_lost == 4.5);
	assert_int_equal(m.groups[0]->required_hop_limit, 3);
	assert_int_equal(m.groups[1]->nodes, 1);
	/* the hop limit is known of one node only, so nothing differs in it */
	assert_int_equal(m.differences_len, 1);
	assert_string_equal(m.differences[0].what, "feature drops");
	assert_int_equal(m.differences[0].values_len, 2);
	merge_clear(&m);
}

static void the_frequent_value_comes_first(void **state)
{
	struct merged m = { 0 };
	struct report_doc d;

	for (int i = 0; i < 3; i++) {
		d = report_of((const char *[]){ "n", "o", "p" }[i]);
		d.version = i ? "2" : "1";
		d.node_token_ttl = i == 2 ? 2 : 1;
		join(&m, &d);
	}
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.differences_len, 2);
	assert_string_equal(m.differences[0].what, "hop limit");
	assert_string_equal(m.differences[0].values[0].value, "1");
	assert_int_equal(m.differences[0].values[0].nodes_len, 2);
	assert_string_equal(m.differences[1].what, "version");
	assert_string_equal(m.differences[1].values[0].value, "2");
	merge_clear(&m);
}

static void the_same_report_counts_once(void **state)
{
	struct report_doc a = report_of("a"), later = report_of("a");
	struct merged m = { 0 };
	const char *twin = NULL;

	a.requests = later.requests = 3;
	a.started_s = 1000;
	later.started = "later";
	later.started_s = 2000;
	join(&m, &a);
	assert_int_equal(merge_add(&m, &a, &twin), -EEXIST);
	assert_string_equal(twin, "a");
	join(&m, &later);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.requests, 6);
	merge_clear(&m);
}

/* A report that lies costs its own rows: sums stop, texts are cut between characters, facts and values are bounded. */
static void a_node_that_lies_is_bounded(void **state)
{
	static char wide[8192];
	static struct report_feature features[MERGE_DIFFERENCES_MAX + 40];
	static char names[MERGE_DIFFERENCES_MAX + 40][8];
	struct report_pod p = pod("x", 1, 1e12, 255);
	struct report_finding f = finding("slow", "x", SEVERITY_ERROR);
	struct report_doc d = report_of("a");
	struct merged m = { 0 };

	for (size_t i = 0; i + 3 < sizeof(wide); i += 3)
		memcpy(wide + i, "\u20ac", 3);
	p.requests = p.failed = INT64_MAX;
	p.namespace = p.pod = p.container = p.cgroup = p.text = wide;
	f.code = f.summary = f.namespace = f.cgroup = wide;
	d.requests = d.failed = d.answered = d.lost = INT64_MAX;
	d.seconds_lost = 1e12;
	d.headline = d.kernel = d.version = wide;
	d.level = LEVEL_BLIND;
	d.pods = &p;
	d.findings = &f;
	d.pods_len = d.findings_len = 1;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		snprintf(names[i], sizeof(names[i]), "f%zu", i);
		features[i] = (struct report_feature){ names[i], "ok" };
	}
	d.features = features;
	d.features_len = sizeof(features) / sizeof(features[0]);
	join(&m, &d);
	d.node = "b";
	d.features = NULL;
	d.features_len = 0;
	join(&m, &d);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.requests, INT64_MAX);
	assert_int_equal(m.lost, INT64_MAX);
	assert_int_equal(m.pods_len, 2);
	assert_int_equal(strlen(m.pods[0].namespace), 252); /* whole characters of three bytes */
	assert_true(strlen(m.groups[0]->code) == 93 && strlen(m.groups[0]->summary) == 1023);
	assert_int_equal(m.groups_len, 1);
	assert_int_equal(m.groups[0]->nodes, 2);
	assert_true(strlen(m.headline) < sizeof(m.headline) && strlen(m.headline) > 500);
	assert_true(m.differences_len <= MERGE_DIFFERENCES_MAX && m.differences_len > 10);
	assert_int_equal(m.differences_lost, 42); /* kernel and version are facts, too */
	assert_string_equal(m.differences[0].values[1].value, "unknown to its version");
	merge_clear(&m);
}

static void many_values_and_rows_are_bounded(void **state)
{
	struct report_pod rows[50];
	char node[16], kernel[16];
	struct merged m = { 0 };
	struct report_doc d;

	for (int i = 0; i < 50; i++)
		rows[i] = pod("web", i == 49, 0, 2);
	for (int i = 0; i < MERGE_PODS_MAX / 50 * 3; i++) {
		snprintf(node, sizeof(node), "n%05d", i);
		snprintf(kernel, sizeof(kernel), "k%d", i % 4000);
		d = report_of(node);
		d.kernel = kernel;
		d.pods = rows;
		d.pods_len = 50;
		join(&m, &d);
	}
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.pods_len, MERGE_PODS_MAX);
	assert_int_equal(m.pods_seen, 3 * MERGE_PODS_MAX);
	assert_int_equal(m.hop_limit_pods, 3 * MERGE_PODS_MAX / 50);
	assert_int_equal(m.pods[3 * MERGE_PODS_MAX / 50 - 1].hop_limit_requests, 1); /* the worst ones are all kept */
	assert_int_equal(m.pods[3 * MERGE_PODS_MAX / 50].hop_limit_requests, 0);
	assert_int_equal(m.differences_len, 1);
	assert_int_equal(m.differences[0].values_len, MERGE_VALUES_MAX + 1);
	assert_string_equal(m.differences[0].values[0].value, "other values");
	merge_clear(&m);
}

/* A report of one node that began at start_s and lasted 60 s. */
static struct report_doc report(const char *node, double start_s, struct report_pod *p, struct report_finding *f)
{
	static char started[3][16];
	static int next;
	struct report_doc d = report_of(node);

	snprintf(started[next], sizeof(started[next]), "%.0f", start_s);
	d.started = started[next];
	next = (next + 1) % 3;
	d.started_s = start_s;
	d.duration_s = 60;
	d.requests = p->requests;
	d.failed = p->failed;
	d.level = LEVEL_PROBLEM;
	d.lost = 2;
	d.pods = p;
	d.findings = f;
	d.pods_len = d.findings_len = 1;
	return d;
}

/* The response hop limit is the tokens' alone: who asked for none is not told of it. */
static void no_hop_limit_without_a_token(void **state)
{
	struct report_pod p[] = { pod("cart-1", 2, 1.5, 2), pod("cart-2", 3, 1.0, 3) };
	struct report_finding f[2];
	struct report_doc d[2];
	struct merged m = { 0 };

	for (int i = 0; i < 2; i++) {
		p[i].token_requests = 0;
		f[i] = finding("hop-limit-exhausted", i ? "cart-2" : "cart-1", SEVERITY_ERROR);
		d[i] = report(i ? "n" : "m", 1000, &p[i], &f[i]);
		join(&m, &d[i]);
	}
	assert_int_equal(merge_end(&m), 0);
	assert_non_null(strstr(m.headline, "2 pods on 2 nodes: no metadata answer, the answers die"));
	assert_null(strstr(m.headline, "hop limit"));
	merge_clear(&m);
}

/* Watches of one node: what two may both have counted counts once, what came later is added. */
static void one_node_is_one_node(void **state)
{
	struct report_pod p[] = { pod("cart-1", 2, 1.5, 2), pod("cart-1", 3, 1.0, 3), pod("cart-1", 1, 4.0, 2) };
	struct report_finding f[3];
	struct report_doc d[3];
	struct merged m = { 0 };

	p[1].requests = 3;
	for (int i = 0; i < 3; i++) {
		f[i] = finding("hop-limit-exhausted", "cart-1", SEVERITY_ERROR);
		d[i] = report("n", i == 2 ? 1200 : 1000 + 10 * i, &p[i], &f[i]);
	}
	for (int i = 2; i >= 0; i--) /* in whatever order */
		join(&m, &d[i]);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.hosts, 1);
	assert_int_equal(m.overlapping, 1);
	assert_non_null(strstr(m.note, "1 report overlaps in time"));
	assert_non_null(strstr(m.headline, "1 pod on 1 node"));
	assert_int_equal(m.requests, 5 + 5);
	assert_int_equal(m.failed, 3 + 1);
	assert_int_equal(m.lost, 2 + 2);
	assert_true(m.seconds_lost == 0); /* as the reports' own totals say */
	assert_int_equal(m.pods_len, 1);
	assert_int_equal(m.pods_seen, 1);
	assert_int_equal(m.hop_limit_pods, 1);
	assert_int_equal(m.pods[0].requests, 5 + 5);
	assert_int_equal(m.pods[0].hop_limit_requests, 3 + 1);
	assert_int_equal(m.pods[0].failed, 3 + 1);
	assert_true(m.pods[0].seconds_lost == 5.5);
	assert_int_equal(m.pods[0].required_hop_limit, 3);
	assert_int_equal(m.groups_len, 1);
	assert_int_equal(m.groups[0]->pods, 1);
	assert_int_equal(m.groups[0]->nodes, 1);
	assert_int_equal(m.differences_len, 0);
	merge_clear(&m);
}

static void one_after_the_other_is_no_overlap(void **state)
{
	struct report_pod p[] = { pod("cart-1", 2, 1, 2), pod("cart-1", 2, 1, 2) };
	struct report_finding f[] = { finding("slow", "cart-1", SEVERITY_WARNING),
				      finding("slow", "cart-1", SEVERITY_WARNING) };
	struct report_doc d[] = { report("n", 1000, &p[0], &f[0]), report("n", 1060, &p[1], &f[1]) };
	struct merged m = { 0 };

	join(&m, &d[0]);
	join(&m, &d[1]);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.hosts, 1);
	assert_int_equal(m.overlapping, 0);
	assert_string_equal(m.note, "");
	assert_int_equal(m.requests, 10);
	assert_int_equal(m.pods_len, 1);
	assert_int_equal(m.pods[0].requests, 10);
	merge_clear(&m);
	/* who does not say which node it is of is not taken for another */
	d[0].node = d[1].node = "";
	join(&m, &d[0]);
	join(&m, &d[1]);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.hosts, 2);
	assert_int_equal(m.pods_len, 2);
	assert_int_equal(m.groups[0]->pods, 2);
	merge_clear(&m);
}

/* A running server's report, taken twice: the later one has all of the earlier one. */
static void the_longer_report_of_one_start_has_all(void **state)
{
	struct report_pod p[] = { pod("cart-1", 2, 1, 2), pod("cart-1", 4, 1, 2) };
	struct report_finding f = finding("slow", "cart-1", SEVERITY_WARNING);
	struct report_doc d[] = { report("n", 1000, &p[0], &f), report("n", 1000, &p[1], &f) };
	struct merged m = { 0 };

	d[1].duration_s = 120;
	d[1].requests = p[1].requests = 9;
	join(&m, &d[0]);
	join(&m, &d[1]);
	assert_int_equal(merge_end(&m), 0);
	assert_int_equal(m.requests, 9);
	assert_int_equal(m.failed, 4);
	assert_int_equal(m.pods[0].requests, 9);
	merge_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_joined),
		cmocka_unit_test(the_frequent_value_comes_first),
		cmocka_unit_test(the_same_report_counts_once),
		cmocka_unit_test(no_hop_limit_without_a_token),
		cmocka_unit_test(one_node_is_one_node),
		cmocka_unit_test(one_after_the_other_is_no_overlap),
		cmocka_unit_test(the_longer_report_of_one_start_has_all),
		cmocka_unit_test(a_node_that_lies_is_bounded),
		cmocka_unit_test(many_values_and_rows_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
