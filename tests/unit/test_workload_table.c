/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/pods/workload.c user/view/prometheus.c user/view/prometheus_samples.c */
/* needs: user/view/prometheus_pod.c user/view/prometheus_agent.c user/view/json.c user/view/prometheus_node.c */
/* needs: user/view/prometheus_workload.c user/report/report.c user/report/headline.c user/report/pod_count.c user/report/findings.c */
/* needs: user/report/finding_*.c user/report/advice.c user/report/platform.c user/report/path.c */
/* needs: user/report/level.c */
#include "../../user/view/prometheus.h"
#include "unit.h"

#define ROWS 8000

static struct pod_stats rows[ROWS];
static const struct pod_stats *list[ROWS];
static char ids[ROWS][16], names[ROWS][32];
static struct kind_stats kinds[2];

static struct snapshot seen(size_t len, uint64_t now_s)
{
	for (size_t i = 0; i < len; i++)
		list[i] = &rows[i];
	return (struct snapshot){
		.version = "1", .kernel = "6.1", .node = "n", .pods = list, .pods_len = len, .now_wall_ns = now_s * 1000000000
	};
}

static void row(size_t i, const char *pod, uint64_t first_ns)
{
	snprintf(ids[i], sizeof(ids[i]), "id%zu", i);
	rows[i] = (struct pod_stats){ .who = { 1, "shop", pod, "app", "", ids[i], "kubepods/x" }, .first_ns = first_ns };
}

static const struct workload *only(const struct workload_table *t)
{
	size_t len;
	struct workload *const *all = workload_table_list(t, &len);

	assert_int_equal(len, 1);
	return all[0];
}

/* A compose service is its project's; one without a project, or with a path for one, is not put into another's; a user's is its own. */
static void services_are_told_apart_by_project(void **state)
{
	static const char *const projects[] = { "shop", "blog", "shop", "", "a/b", "", "shop" };
	static const char *const spaces[] = { "", "blog", "shop", "user@1000", "user@1000:shop" };
	struct workload *const *all;
	struct workload_table *t;
	struct snapshot s;
	size_t len;

	assert_int_equal(workload_table_new(10, false, &t), 0);
	for (size_t i = 0; i < 7; i++) {
		row(i, "", 5);
		if (i > 4)
			rows[i].who.cgroup = "user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
		rows[i].who.namespace = "";
		rows[i].who.workload = "web";
		rows[i].who.project = projects[i];
		rows[i].by_kind[IMDS_KIND_TOKEN] = NULL;
	}
	s = seen(7, 1000);
	assert_int_equal(workload_table_update(t, &s), 0);
	all = workload_table_list(t, &len);
	assert_int_equal(len, 5);
	for (size_t i = 0; i < len; i++) {
		assert_string_equal(all[i]->namespace, spaces[i]);
		assert_string_equal(all[i]->name, "web");
	}
	workload_table_free(t);
}

/* Two pods of one workload; the highest need, and sums that stay when a pod leaves and its successor begins at 0. */
static void sums_outlive_their_rows(void **state)
{
	struct workload_table *t;
	struct snapshot s;

	assert_int_equal(workload_table_new(10, false, &t), 0);
	row(0, "cart-7d9f6c5b8-x2x4q", 5);
	row(1, "cart-7d9f6c5b8-9kz4v", 6);
	kinds[0] = (struct kind_stats){ .cells[IMDS_VERSION_V1][OUTCOME_OK] = 3 };
	kinds[1] = (struct kind_stats){ .cells[IMDS_VERSION_V2][OUTCOME_NO_RESPONSE] = 2 };
	rows[0].by_kind[IMDS_KIND_CREDENTIALS] = &kinds[0];
	rows[1].by_kind[IMDS_KIND_TOKEN] = &kinds[1];
	rows[0].v1_credentials = 3;
	rows[0].required_hop_limit = 3;
	rows[1].required_hop_limit = 2;
	s = seen(2, 1000);
	for (int i = 0; i < 3; i++) /* the same snapshot adds nothing */
		assert_int_equal(workload_table_update(t, &s), 0);
	assert_string_equal(only(t)->name, "cart");
	assert_int_equal(only(t)->required_hop_limit, 3);
	assert_int_equal(only(t)->sum.requests[IMDS_VERSION_V1][OUTCOME_OK], 3);
	assert_int_equal(only(t)->sum.v1_credentials, 3);
	assert_int_equal(workload_unanswered(&only(t)->sum), 2);
	assert_int_equal(only(t)->last_v1_s, 1000);
	assert_int_equal(only(t)->pods, 2);
	s = seen(0, 2000);
	workload_table_update(t, &s);
	assert_int_equal(only(t)->pods, 0);
	row(0, "cart-7d9f6c5b8-x2x4q", 99); /* the same key, another row */
	kinds[0].cells[IMDS_VERSION_V1][OUTCOME_OK] = 1;
	rows[0].by_kind[IMDS_KIND_CREDENTIALS] = &kinds[0];
	s = seen(1, 3000);
	workload_table_update(t, &s);
	assert_int_equal(only(t)->sum.requests[IMDS_VERSION_V1][OUTCOME_OK], 4);
	assert_int_equal(only(t)->last_v1_s, 3000);
	assert_int_equal(only(t)->first_s, 1000);
	s = seen(0, 3000 + 86402);
	workload_table_update(t, &s);
	workload_table_list(t, &(size_t){ 0 });
	workload_table_free(t);
}

static void a_row_whose_name_comes_late_is_counted_once(void **state)
{
	struct workload_table *t;
	struct snapshot s = seen(1, 10);
	size_t len;
	struct workload *const *all;
	uint64_t sum = 0;

	assert_int_equal(workload_table_new(10, false, &t), 0);
	row(0, "", 5);
	rows[0].who.namespace = "";
	kinds[0] = (struct kind_stats){ .cells[IMDS_VERSION_V1][OUTCOME_OK] = 3 };
	rows[0].by_kind[IMDS_KIND_DATA] = &kinds[0];
	workload_table_update(t, &s);
	assert_true(only(t)->unnamed);
	rows[0].who.namespace = "shop";
	rows[0].who.pod = "db-0";
	kinds[0].cells[IMDS_VERSION_V1][OUTCOME_OK] = 4;
	workload_table_update(t, &s);
	all = workload_table_list(t, &len);
	for (size_t i = 0; i < len; i++)
		sum += workload_requests(&all[i]->sum, IMDS_VERSION_V1);
	assert_int_equal(sum, 4);
	workload_table_free(t);
}

static char *scrape(const struct snapshot *s, const struct workload_table *t, enum metrics_level level, size_t *ret_len)
{
	const struct metrics_options o = { .level = level, .workloads = t, .observed_s = 7 };
	struct agent_stats a = { .libbpf = "v1" };
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	assert_int_equal(prometheus_write(f, s, &a, &o), 0);
	fclose(f);
	return text;
}

static size_t samples(const char *text)
{
	size_t n = 0;

	for (const char *p = text; *p; p = strchr(p, '\n') + 1)
		n += *p != '#';
	return n;
}

/* However many pods there are: the node's series stay at 40, the workloads' at their bound. */
static void the_levels_are_bounded(void **state)
{
	struct workload_table *t;
	struct workload_table_stats stats;
	struct snapshot s;
	size_t len;
	char *text;

	assert_int_equal(workload_table_new(100, false, &t), 0);
	for (size_t i = 0; i < ROWS; i++) {
		snprintf(names[i], sizeof(names[i]), "job%zux", i);
		row(i, names[i], i + 1);
		kinds[0] = (struct kind_stats){ .cells[IMDS_VERSION_V2][OUTCOME_OK] = 1 };
		rows[i].by_kind[IMDS_KIND_TOKEN] = &kinds[0];
		rows[i].required_hop_limit = 2;
		rows[i].token_requests = 1;
	}
	s = seen(ROWS, 1000);
	s.node_token_ttl = 2;
	assert_int_equal(workload_table_update(t, &s), 0);
	workload_table_get_stats(t, &stats);
	assert_int_equal(stats.workloads, 100);
	assert_int_equal(stats.overflowed, ROWS - 100);
	text = scrape(&s, t, METRICS_NODE, &len);
	print_message("node: %zu series, %zu bytes\n", samples(text), len);
	assert_true(samples(text) <= 40 && len <= 8192);
	assert_non_null(strstr(text, "\nimdsnoop_observed_seconds_total 7\n"));
	assert_non_null(strstr(text, "\nimdsnoop_node_required_hop_limit 2\n"));
	assert_null(strstr(text, "namespace="));
	free(text);
	text = scrape(&s, t, METRICS_WORKLOAD, &len);
	assert_true(samples(text) < 101 * 6 + 60);
	assert_non_null(strstr(text,
			       "imdsnoop_workload_requests_total{namespace=\"\",workload=\"other\",imds_version=\"v2\","
			       "outcome=\"ok\"} 7900\n"));
	assert_null(strstr(text, "pod=\""));
	free(text);
	workload_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_told_apart_by_project),
		cmocka_unit_test(sums_outlive_their_rows),
		cmocka_unit_test(a_row_whose_name_comes_late_is_counted_once),
		cmocka_unit_test(the_levels_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
