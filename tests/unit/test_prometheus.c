/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/view/prometheus.c user/view/prometheus_samples.c user/view/prometheus_pod.c */
/* needs: user/view/prometheus_agent.c user/view/prometheus_node.c user/view/prometheus_workload.c */
/* needs: user/pods/workload.c user/view/prometheus_process.c user/view/json.c user/report/report.c */
/* needs: user/report/headline.c user/report/pod_count.c user/report/findings.c user/report/finding_*.c user/report/advice.c */
/* needs: user/report/platform.c user/pods/workload.c user/report/path.c user/report/level.c */
#include <time.h>

#include "../../user/model/counters.h"
#include "../../user/view/prometheus.h"
#include "unit.h"

static const struct feature features[] = { { "cgroup_skb", "ok", "" }, { "drops", "missing", "no BTF" } };
static const struct loss losses[] = { { "ring_request", "", 3 } };

static struct pod_identity who(const char *namespace, const char *pod, const char *container, const char *cgroup)
{
	return (struct pod_identity){ 1, namespace, pod, container, "", "", cgroup, "", "", RUNTIME_NONE, 0 };
}

static char *write_rows(const struct pod_stats *const *rows, size_t len, bool openmetrics, size_t *ret_len)
{
	struct snapshot s = {
		.version = "1",
		.kernel = "6.1",
		.features = features,
		.features_len = 2,
		.losses = losses,
		.losses_len = 1,
		.pods = rows,
		.pods_len = len,
	};
	struct agent_stats a = { .libbpf = "v1", .tables = { { "flows", 2, 10 } }, .tables_len = 1 };
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	const struct metrics_options o = { .level = METRICS_POD, .openmetrics = openmetrics };

	assert_int_equal(prometheus_write(f, &s, &a, &o), 0);
	fclose(f);
	return text;
}

/* Rows to text; the caller frees. */
#define WRITE(openmetrics, ...)                                                                            \
	write_rows((const struct pod_stats *const[]){ __VA_ARGS__ },                                       \
		   sizeof((const struct pod_stats *const[]){ __VA_ARGS__ }) / sizeof(void *), openmetrics, \
		   &(size_t){ 0 })

static void has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p++)
		if ((p == text || p[-1] == '\n') && p[len] == '\n')
			return;
	fail_msg("no line: %s\nin:\n%.3000s", line, text);
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static struct pod_stats cart(void)
{
	static struct kind_stats token = { .cells[IMDS_VERSION_V2][OUTCOME_HOP_LIMIT] = 3 },
				 dns = { .cells[IMDS_VERSION_NONE][OUTCOME_OK] = 1 },
				 data = { .latency = { .count = 3, .sum_us = 1500250, .bucket = { [1] = 2, [12] = 1 } } };
	struct pod_stats p = { .who = who("shop", "cart", "app", "kubepods/x"), .hops = 1, .required_hop_limit = 2 };

	p.by_kind[IMDS_KIND_TOKEN] = &token;
	p.by_kind[IMDS_KIND_DNS] = &dns;
	p.by_kind[IMDS_KIND_DATA] = &data;
	p.confidences[CONFIDENCE_PROVEN] = 3;
	p.responses[IMDS_STATUS_2XX] = 4;
	p.drops[0] = (struct drop_count){ "IP_INHDR", 9 };
	p.drops_len = 1;
	p.seconds_lost = 1.25;
	p.ttl_response = 63;
	p.last_ns = 5;
	return p;
}

static void a_row_gives_every_metric(void **state)
{
	static const char labels[] = "{namespace=\"shop\",pod=\"cart\",container=\"app\"";
	static const char *const lines[] = {
		"imdsnoop_requests_total%s,kind=\"token\",imds_version=\"v2\",outcome=\"hop-limit\"} 3",
		"imdsnoop_requests_total%s,kind=\"dns\",imds_version=\"none\",outcome=\"ok\"} 1",
		"imdsnoop_responses_total%s,code=\"2xx\"} 4",
		"imdsnoop_request_duration_seconds_bucket%s,kind=\"data\",le=\"0.0001\"} 0",
		"imdsnoop_request_duration_seconds_bucket%s,kind=\"data\",le=\"0.00025\"} 2",
		"imdsnoop_request_duration_seconds_bucket%s,kind=\"data\",le=\"1.0\"} 2",
		"imdsnoop_request_duration_seconds_bucket%s,kind=\"data\",le=\"5.0\"} 3",
		"imdsnoop_request_duration_seconds_bucket%s,kind=\"data\",le=\"+Inf\"} 3",
		"imdsnoop_request_duration_seconds_sum%s,kind=\"data\"} 1.50025",
		"imdsnoop_request_duration_seconds_count%s,kind=\"data\"} 3",
		"imdsnoop_hop_limit_exceeded_total%s,confidence=\"proven\"} 3",
		"imdsnoop_hop_limit_exceeded_total%s,confidence=\"strong\"} 0",
		"imdsnoop_drops_total%s,reason=\"IP_INHDR\"} 9",
		"imdsnoop_fallbacks_total%s} 0",
		"imdsnoop_lost_seconds_total%s} 1.25",
		"imdsnoop_required_hop_limit%s} 2",
		"imdsnoop_response_ttl%s} 63",
		"imdsnoop_packets_total%s,direction=\"egress\"} 0",
		"imdsnoop_requests_in_flight%s} 0",
	};
	struct pod_stats p = cart();
	char *text = WRITE(false, &p), line[256];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line), lines[i], labels);
		has_line(text, line);
	}
	has_line(text, "imdsnoop_build_info{version=\"1\",kernel=\"6.1\",libbpf=\"v1\"} 1");
	has_line(text, "imdsnoop_feature_enabled{feature=\"drops\"} 0");
	has_line(text, "imdsnoop_events_lost_total{loss=\"ring_request\"} 3");
	has_line(text, "imdsnoop_table_entries{table=\"flows\"} 2");
	has_line(text, "imdsnoop_table_limit{table=\"flows\"} 10");
	has_line(text, "# TYPE imdsnoop_requests_total counter");
	assert_null(strstr(text, "connect_duration_seconds_bucket")); /* nothing connected */
	assert_null(strstr(text, "# EOF"));
	free(text);
}

/* Each level holds those above it; the node's own stays small whatever asks. */
static void levels_are_as_deep_as_said(void **state)
{
	struct pod_stats p = cart();
	const struct pod_stats *rows[] = { &p };
	struct snapshot s = { .version = "1", .kernel = "6.1", .pods = rows, .pods_len = 1, .totals = p };
	struct agent_stats a = { .libbpf = "v1" };
	struct workload_table *table;

	p.who.workload = "cart";
	p.fallbacks = 2;
	assert_int_equal(workload_table_new(10, false, &table), 0);
	assert_int_equal(workload_table_update(table, &s), 0);
	for (enum metrics_level level = METRICS_NODE; level <= METRICS_POD; level++) {
		const struct metrics_options o = { .level = level, .workloads = table, .observed_s = 2.5 };
		size_t len = 0;
		char *text = NULL;
		FILE *f = open_memstream(&text, &len);

		s.part = level == METRICS_NODE ? "shop.slice" : NULL;
		assert_int_equal(prometheus_write(f, &s, &a, &o), 0);
		fclose(f);
		has_line(text, "imdsnoop_observed_seconds_total 2.5");
		has_line(text, level == METRICS_NODE ? "imdsnoop_node_whole 0" : "imdsnoop_node_whole 1");
		if (level == METRICS_NODE)
			assert_true(len <= 8192 && count(text, "\n") - count(text, "\n#") <= 41);
		assert_int_equal(
		    count(text, "imdsnoop_workload_fallbacks_total{namespace=\"shop\",workload=\"cart\"} 2\n"),
		    level >= METRICS_WORKLOAD);
		assert_int_equal(count(text, "imdsnoop_fallbacks_total{"), level == METRICS_POD);
		free(text);
	}
	workload_table_free(table);
}

static void openmetrics_names_families_without_total_and_ends(void **state)
{
	struct pod_stats p = cart();
	char *text = WRITE(true, &p);

	has_line(text, "# TYPE imdsnoop_requests counter");
	assert_non_null(strstr(text, "\nimdsnoop_requests_total{"));
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
}

static void names_are_escaped_and_stay_valid_utf8(void **state)
{
	struct pod_stats p = { .who = who("a\"b", "c\\d\ne", "\xff\xc3\xa9\033[2J\xc2\x9b\x7f", "") };
	char *text = WRITE(false, &p);

	has_line(text,
		 "imdsnoop_fallbacks_total{namespace=\"a\\\"b\",pod=\"c\\\\d\\ne\",container=\"\xef\xbf\xbd\xc3\xa9"
		 "\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\"} 0");
	free(text);
}

static void rows_without_a_pod_are_told_apart(void **state)
{
	struct pod_stats docker = { .who = who("", "", "", "system.slice/docker.service") };
	struct pod_stats kubelet = { .who = who("", "", "", "system.slice/kubelet.service") };
	struct pod_stats other = { .who = who("", "", "", ""), .other = true };
	char *text;

	docker.fallbacks = 1;
	kubelet.fallbacks = 2;
	other.fallbacks = 4;
	text = WRITE(false, &docker, &other, &kubelet);
	has_line(text, "imdsnoop_fallbacks_total{namespace=\"\",pod=\"\",container=\"system.slice/docker.service\"} 1");
	has_line(text,
		 "imdsnoop_fallbacks_total{namespace=\"\",pod=\"\",container=\"system.slice/kubelet.service\"} 2");
	has_line(text, "imdsnoop_fallbacks_total{namespace=\"\",pod=\"other\",container=\"\"} 4");
	free(text);
}

static void restarted_container_is_one_series_that_never_goes_back(void **state)
{
	struct pod_stats old = cart(), now = cart(), between = { .who = who("shop", "cart-2", "app", "") },
			 gone = { .hops = -1 };
	char *text;

	now.ttl_response = 62;
	now.last_ns = 9;
	now.required_hop_limit = 1;
	text = WRITE(false, &old, &between, &now);
	assert_int_equal(count(text, "imdsnoop_fallbacks_total{namespace=\"shop\",pod=\"cart\","), 1);
	has_line(text, "imdsnoop_hop_limit_exceeded_total{namespace=\"shop\",pod=\"cart\",container=\"app\",confidence="
		       "\"proven\"} 6");
	has_line(text,
		 "imdsnoop_drops_total{namespace=\"shop\",pod=\"cart\",container=\"app\",reason=\"IP_INHDR\"} 18");
	has_line(text, "imdsnoop_response_ttl{namespace=\"shop\",pod=\"cart\",container=\"app\"} 62");
	has_line(text, "imdsnoop_required_hop_limit{namespace=\"shop\",pod=\"cart\",container=\"app\"} 2");
	free(text);

	counters_add(&gone, &old); /* the old row has left, its sums were handed over */
	now.before = &gone;
	text = WRITE(false, &now);
	has_line(text, "imdsnoop_hop_limit_exceeded_total{namespace=\"shop\",pod=\"cart\",container=\"app\",confidence="
		       "\"proven\"} 6");
	has_line(text,
		 "imdsnoop_drops_total{namespace=\"shop\",pod=\"cart\",container=\"app\",reason=\"IP_INHDR\"} 18");
	has_line(text, "imdsnoop_lost_seconds_total{namespace=\"shop\",pod=\"cart\",container=\"app\"} 2.5");
	has_line(
	    text,
	    "imdsnoop_request_duration_seconds_bucket{namespace=\"shop\",pod=\"cart\",container=\"app\",kind=\"data\","
	    "le=\"+Inf\"} 6");
	has_line(text, "imdsnoop_requests_total{namespace=\"shop\",pod=\"cart\",container=\"app\",kind=\"token\","
		       "imds_version=\"v2\",outcome=\"hop-limit\"} 6");
	free(text);
	counters_free_kinds(&gone);
}

static double seconds_of(size_t rows)
{
	const struct pod_stats **list = calloc(rows, sizeof(*list));
	struct timespec from, to;
	size_t len;
	char *text;

	for (size_t i = 0; i < rows; i++) {
		struct pod_stats *p = malloc(sizeof(*p));
		char *name = malloc(32);

		*p = cart();
		snprintf(name, 32, "pod-%zu", (i * 7919) % rows);
		p->who.pod = name;
		list[i] = p;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	text = write_rows(list, rows, false, &len);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	for (size_t i = 0; i < rows; i++) {
		free((char *)list[i]->who.pod);
		free((void *)list[i]);
	}
	free(list);
	free(text);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Loose, for busy machines and sanitizers: four times the rows must not cost sixteen times as much. */
static void time_grows_with_the_rows(void **state)
{
	double small = seconds_of(500), large = seconds_of(2000);

	print_message("500 rows %.1f ms, 2000 rows %.1f ms\n", small * 1e3, large * 1e3);
	assert_true(large < small * 10);
}

static void own_process_is_read(void **state)
{
	struct agent_stats a = { .libbpf = NULL };
	DIR *fds = opendir("/proc/self/fd");

	prometheus_read_process(&a, fds);
	closedir(fds);
	assert_true(a.open_fds >= 1 && a.open_fds <= a.max_fds);
	assert_true(a.resident_bytes > 100000 && a.virtual_bytes >= a.resident_bytes);
	assert_true(a.start_seconds > (double)time(NULL) - 3600 && a.start_seconds < (double)time(NULL) + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_gives_every_metric),
		cmocka_unit_test(levels_are_as_deep_as_said),
		cmocka_unit_test(openmetrics_names_families_without_total_and_ends),
		cmocka_unit_test(names_are_escaped_and_stay_valid_utf8),
		cmocka_unit_test(rows_without_a_pod_are_told_apart),
		cmocka_unit_test(restarted_container_is_one_series_that_never_goes_back),
		cmocka_unit_test(time_grows_with_the_rows),
		cmocka_unit_test(own_process_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
