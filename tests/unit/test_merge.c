/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/report/level.c */
/* needs: user/report/merge.c user/pods/workload.c user/model/words.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "../../user/report/merge.h"

static const char *none[] = { NULL };

static struct report_pod pod(const char *name, uint64_t dead, double lost, int required)
{
	struct report_pod p = { "shop",
				name,
				"app",
				"",
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
	struct report_finding f = { severity, code, "shop", name, "app", "", "what", .advice = none };

	workload_name(name, "", f.workload, sizeof(f.workload));
	return f;
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
	struct report_doc a = { .version = "1",
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
	struct report_doc b = { .version = "1",
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
	const struct report_doc *docs[] = { &a, &b };
	struct merged m;

	assert_int_equal(merge_reports(docs, 2, &m), 0);
	assert_ptr_equal(m.docs[0], &b); /* by name */
	assert_int_equal(m.requests, 20);
	assert_int_equal(m.failed, 6);
	assert_int_equal(m.lost, 1);
	assert_int_equal(m.level, LEVEL_PROBLEM);
	assert_string_equal(m.headline, "2 pods on 2 nodes: no metadata token, the hop limit is too low, 3 is needed");
	assert_int_equal(m.hop_limit_pods, 2);
	assert_int_equal(m.required_hop_limit, 3);
	assert_int_equal(m.exhausted_hop_limit, 3);
	assert_int_equal(m.pods_len, 4);
	assert_ptr_equal(m.pods[0].pod, &p2[0]); /* worst first, over all nodes */
	assert_ptr_equal(m.pods[1].pod, &p1[0]);
	assert_int_equal(m.groups_len, 2);
	assert_string_equal(m.groups[0].code, "hop-limit-exhausted");
	assert_string_equal(m.groups[0].workload, "cart");
	assert_int_equal(m.groups[0].severity, SEVERITY_ERROR);
	assert_ptr_equal(m.groups[0].worst, &f2[0]);
	assert_int_equal(m.groups[0].pods, 3);
	assert_int_equal(m.groups[0].nodes, 2);
	assert_true(m.groups[0].seconds_lost == 4.5);
	assert_int_equal(m.groups[0].required_hop_limit, 3);
	assert_int_equal(m.groups[1].nodes, 1);
	/* the hop limit is known of one node only, so nothing differs in it */
	assert_int_equal(m.differences_len, 1);
	assert_string_equal(m.differences[0].what, "feature drops");
	assert_int_equal(m.differences[0].values_len, 2);
	merge_clear(&m);
}

static void the_frequent_value_comes_first(void **state)
{
	struct report_doc d[3];
	const struct report_doc *docs[3];
	struct merged m;

	for (int i = 0; i < 3; i++) {
		d[i] = (struct report_doc){ .version = i ? "2" : "1",
					    .node = "n",
					    .kernel = "6.1",
					    .started = "",
					    .node_token_ttl = i == 2 ? 2 : 1 };
		docs[i] = &d[i];
	}
	assert_int_equal(merge_reports(docs, 3, &m), 0);
	assert_int_equal(m.differences_len, 2);
	assert_string_equal(m.differences[0].what, "hop limit");
	assert_string_equal(m.differences[0].values[0].value, "1");
	assert_int_equal(m.differences[0].values[0].docs_len, 2);
	assert_string_equal(m.differences[1].what, "version");
	assert_string_equal(m.differences[1].values[0].value, "2");
	merge_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_joined),
		cmocka_unit_test(the_frequent_value_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
