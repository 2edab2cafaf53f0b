/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/merge_findings.c user/report/merge_differences.c user/view/columns.c */
/* needs: user/report/level.c user/report/report.c user/report/platform.c user/view/text.c user/view/html.c */
/* needs: user/view/html_merge.c user/view/html_part.c user/view/html_style.c user/view/svg.c */
/* needs: user/view/text_extras.c user/view/text_layout.c user/view/text_escape.c user/view/json.c */
/* needs: user/report/timeline.c user/report/findings.c user/report/finding_*.c user/report/advice.c */
/* needs: user/report/path.c user/report/headline.c user/report/pod_count.c user/report/merge.c user/report/compare.c user/report/what_if.c */
/* needs: user/pods/workload.c user/report/report.c user/report/platform.c */
#include "../../user/report/findings.h"
#include "../../user/view/html.h"
#include "../../user/view/html_part.h"
#include "unit.h"
#include "golden/case.h"

/* Of s as it is said. */
static char *page_of(const struct snapshot *s, struct html_report *r)
{
	struct report said;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(report_build(s, &said), 0);
	/* cppcheck-suppress autoVariables ; it is taken back below */
	r->said = &said;
	html_report(f, r);
	r->said = NULL;
	report_clear(&said);
	fclose(f);
	assert_int_equal(strlen(text), len);
	return text;
}

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void text_is_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain gr\xc3\xbcn", "plain gr\xc3\xbcn" },
		{ "<script>&\"'", "&lt;script&gt;&amp;&quot;&#39;" },
		{ "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\x1b[31m\x7f", "\xef\xbf\xbd[31m\xef\xbf\xbd" },
		{ "\xc2\x9b", "\xef\xbf\xbd" }, /* CSI */
		{ "a\xe2\x80\xae"
		  "b\xe2\x81\xa6\xef\xbb\xbf",
		  "a\xef\xbf\xbd"
		  "b\xef\xbf\xbd\xef\xbf\xbd" }, /* bidi, BOM */
		{ "\xe2\x80\xa2\xe2\x82\xac", "\xe2\x80\xa2\xe2\x82\xac" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		html_text(f, rows[i].in);
		fclose(f);
		assert_string_equal(text, rows[i].out);
		free(text);
	}
}

static void commands_stand_in_blocks(void **state)
{
	static const char *const lines[] = { "do", "  cmd --a <b>", "  two", "then", "  end", NULL };
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	html_advice(f, lines);
	fclose(f);
	assert_string_equal(text, "<p>do</p>\n<pre>cmd --a &lt;b&gt;\ntwo\n</pre>\n<p>then</p>\n<pre>end\n</pre>\n");
	free(text);
}

static void a_page_holds_all_parts(void **state)
{
	static const struct what_if question = { .hop_limit = 1, .tokens_required = true };
	static struct golden_case c;
	struct timeline t = { 0 };
	struct what_if_result w;
	struct html_report r = { .timeline = &t, .what_if = &w };
	struct imds_drop drop = { .ts_ns = 1010 * S, .ttl = 1 };
	char *page;

	golden_case_init(&c);
	timeline_add_drop(&t, &c.cart.who, &drop, "IP_INHDR", "ip_forward");
	assert_int_equal(findings_collect(&c.s, &c.s.findings, &c.s.findings_len), 0);
	assert_int_equal(what_if_ask(&question, &c.s, &w), 0);
	page = page_of(&c.s, &r);
	assert_memory_equal(page, "<!doctype html>", 15);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "http://"));
	assert_null(strstr(page, "https://"));
	assert_null(strstr(page, "url("));
	assert_non_null(strstr(page, "PROBLEM</span> 1 of 3 pods on ip-10-0-1-17 gets no metadata token"));
	assert_non_null(strstr(page, "TTL 1</text>"));
	assert_non_null(strstr(page, "ip_forward (IP_INHDR)"));
	assert_non_null(strstr(page, "class=\"x\"")); /* the cross */
	assert_non_null(strstr(page, "dropped in nf_hook_slow"));
	assert_non_null(strstr(page, "<pre>aws ec2 modify-instance-metadata-options"));
	assert_non_null(strstr(page, "class=\"ef\" x=\"333.3\"")); /* 10 of 30 s */
	assert_non_null(strstr(page, "What if: hop limit 1, tokens required"));
	assert_non_null(strstr(page, "would not notice"));
	assert_int_equal(occurrences(page, "<tr><td>shop/cart-7d9f6c5b8-x2x1q (app)"), 1);
	assert_int_equal(occurrences(page, "</section>"), occurrences(page, "<section>"));
	assert_int_equal(occurrences(page, "</svg>"), occurrences(page, "<svg"));
	assert_int_equal(occurrences(page, "</div>"), occurrences(page, "<div"));
	free(page);
	what_if_clear(&w);
	timeline_clear(&t);
	findings_free(c.s.findings, c.s.findings_len);
	golden_case_clear(&c);
}

static void hostile_names_stay_text(void **state)
{
	static const char evil[] = "</title><script>alert(1)</script>\xff\"'";
	static struct golden_case c;
	struct timeline t = { 0 };
	struct html_report r = { .timeline = &t };
	struct imds_drop drop = { .ts_ns = 1010 * S, .ttl = 1 };
	const struct feature features[] = { { evil, evil, evil }, { evil, "ok", "" } };
	const struct loss losses[] = { { evil, evil, 3 } };
	char *page;

	golden_case_init(&c);
	c.s.node = c.s.kernel = c.s.version = evil;
	c.s.features = features;
	c.s.features_len = 2;
	c.s.losses = losses;
	c.s.losses_len = 1;
	for (int i = 0; i < 3; i++) {
		struct pod_stats *p = i == 0 ? &c.cart : i == 1 ? &c.agent : &c.batch;

		p->who.namespace = p->who.pod = p->who.container = evil;
		memcpy(p->processes[0].comm, evil + 8, IMDS_COMM_LEN - 1);
		snprintf(p->drop_location, sizeof(p->drop_location), "%s", evil);
		snprintf(p->policy_location, sizeof(p->policy_location), "%s", evil);
		snprintf(p->death_reason, sizeof(p->death_reason), "%.31s", evil);
	}
	timeline_add_drop(&t, &c.cart.who, &drop, evil, evil);
	assert_int_equal(findings_collect(&c.s, &c.s.findings, &c.s.findings_len), 0);
	page = page_of(&c.s, &r);
	assert_null(strstr(page, "<script"));
	assert_null(strchr(page, 0xff));
	assert_int_equal(occurrences(page, "</title>"), occurrences(page, "<title>"));
	assert_non_null(strstr(page, "&lt;script&gt;alert(1)"));
	free(page);
	timeline_clear(&t);
	findings_free(c.s.findings, c.s.findings_len);
	golden_case_clear(&c);
}

static void a_timeline_is_bounded(void **state)
{
	static const struct pod_identity who = { 1, "ns", "pod", "c", "", "", "", "", "", RUNTIME_NONE, 0 };
	static struct golden_case c;
	struct imds_drop drop = { .ttl = 1 };
	struct timeline t = { 0 };
	struct html_report r = { .timeline = &t };
	char *page;

	golden_case_init(&c);
	for (int i = 0; i < TIMELINE_MAX + 7; i++) {
		drop.ts_ns = (1030 - (unsigned int)i % 30) * S;
		timeline_add_drop(&t, &who, &drop, "", "");
	}
	assert_int_equal(t.len, TIMELINE_MAX);
	assert_int_equal(t.more, 7);
	timeline_sort(&t);
	for (size_t i = 1; i < t.len; i++)
		assert_true(t.events[i - 1].ns <= t.events[i].ns);
	page = page_of(&c.s, &r);
	assert_non_null(strstr(page, "7 more events were not kept: the first 2000 are shown"));
	free(page);
	timeline_clear(&t);
	golden_case_clear(&c);
}

static void a_merged_page_escapes_too(void **state)
{
	static const char evil[] = "<script>x</script>\xff";
	const char *advice[] = { evil, NULL };
	struct report_feature on[] = { { evil, evil } }, off[] = { { evil, "ok" } };
	struct report_pod p[] = {
		{ .who = { evil, evil, evil, evil }, .workload = "<script>", .text = evil, .p50_us = -1, .p99_us = 7 }
	};
	struct report_finding f[] = { { SEVERITY_ERROR, evil, .who = { evil, evil, evil, evil }, .summary = evil,
					.workload = "<script>", .advice = advice } };
	struct report_doc d[2] = {
		{ .file = evil,
		  .version = evil,
		  .node = evil,
		  .kernel = evil,
		  .started = evil,
		  .headline = evil,
		  .features = on,
		  .features_len = 1,
		  .pods = p,
		  .pods_len = 1,
		  .findings = f,
		  .findings_len = 1 },
		{ .file = evil,
		  .version = "1",
		  .node = "n",
		  .kernel = "k",
		  .started = "s",
		  .headline = "",
		  .features = off,
		  .features_len = 1 },
	};
	struct merged m = { 0 };
	const char *twin;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(merge_add(&m, &d[0], &twin), 0);
	assert_int_equal(merge_add(&m, &d[1], &twin), 0);
	assert_int_equal(merge_end(&m), 0);
	html_merge(out, &m, "1");
	fclose(out);
	assert_null(strstr(text, "<script"));
	assert_null(strchr(text, 0xff));
	assert_non_null(strstr(text, "In what the nodes differ"));
	assert_int_equal(occurrences(text, "</table>"), occurrences(text, "<table>"));
	free(text);
	merge_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped),	  cmocka_unit_test(commands_stand_in_blocks),
		cmocka_unit_test(a_page_holds_all_parts), cmocka_unit_test(hostile_names_stay_text),
		cmocka_unit_test(a_timeline_is_bounded),  cmocka_unit_test(a_merged_page_escapes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
