/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/view/columns.c user/report/level.c user/pods/workload.c user/view/text_layout.c */
/* needs: user/report/headline.c user/report/pod_count.c user/report/report.c user/report/platform.c user/view/text_extras.c */
/* needs: user/report/compare.c user/report/what_if.c user/view/text.c user/view/text_escape.c */
/* needs: user/report/findings.c user/report/finding_*.c user/report/advice.c user/report/path.c */
/* needs: user/report/platform.c user/pods/workload.c */
/*
 * The report and the trace lines against golden files, beside this file in golden/. GOLDEN_WRITE=1 writes them anew:
 * look at the difference before it is committed.
 */
#include <libgen.h>
#include <time.h>

#include "../../user/base/small.h"
#include "../../user/report/findings.h"
#include "../../user/view/text.h"
#include "../../user/view/text_layout.h"
#include "unit.h"
#include "golden/case.h"

#define MS 1000000ull

static void golden_path(const char *name, char *buf, size_t len)
{
	char file[] = __FILE__;

	snprintf(buf, len, "%s/golden/%s", dirname(file), name);
}

static void assert_golden(const char *name, const char *text)
{
	char path[256], *want = NULL;
	size_t len = 0;
	FILE *f;

	golden_path(name, path, sizeof(path));
	if (getenv("GOLDEN_WRITE")) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
		return;
	}
	f = fopen(path, "r");
	if (!f)
		fail_msg("cannot read %s", path);
	if (getdelim(&want, &len, '\0', f) < 0)
		fail_msg("%s is empty", path);
	fclose(f);
	if (strcmp(want, text))
		print_error("%s differs, got:\n%s", path, text);
	assert_string_equal(text, want);
	free(want);
}

static char *report(struct golden_case *c, const struct text_options *o)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct report said;

	assert_int_equal(findings_collect(&c->s, &c->s.findings, &c->s.findings_len), 0);
	assert_int_equal(report_build(&c->s, &said), 0);
	text_report(f, &said, NULL, NULL, o);
	fclose(f);
	report_clear(&said);
	findings_free(c->s.findings, c->s.findings_len);
	return text;
}

static void published_case_reads_as_in_the_golden_file(void **state)
{
	struct golden_case c;
	char *text;

	(void)state;
	golden_case_init(&c);
	text = report(&c, &(struct text_options){ .utf8 = true, .width = 110 });
	assert_golden("report.txt", text);
	free(text);
	text = report(&c, &(struct text_options){ .width = 80 });
	assert_golden("report-ascii-80.txt", text);
	for (const char *s = text; *s; s++)
		assert_in_range((unsigned char)*s, '\n', '~');
	free(text);
	golden_case_clear(&c);
}

static void first_line_is_the_verdict(void **state)
{
	struct golden_case c;
	struct feature missing = { "drops", "missing", "kernel has no BTF" };
	char *text;

	(void)state;
	golden_case_init(&c);
	c.pods[0] = &c.agent;
	c.s.pods_len = 1;
	histogram_clear(&c.s.totals.latency);
	c.s.totals = c.agent; /* histogram shared until it is cleared below */
	text = report(&c, &(struct text_options){ 0 });
	assert_memory_equal(text, "OK  no problem on ip-10-0-1-17: 1 pod, 12 requests, 12 answered, p99 1.3 ms\n", 76);
	assert_non_null(strstr(text, "Nothing was lost, every part worked"));
	free(text);

	c.s.features = &missing;
	c.s.features_len = 1;
	text = report(&c, &(struct text_options){ 0 });
	assert_memory_equal(text, "OK  ", 4);
	assert_non_null(strstr(text, "What could not be seen\n - drops: missing, kernel has no BTF"));
	assert_null(strstr(text, "Nothing was lost"));
	free(text);

	c.s.pods_len = 0;
	c.s.totals = (struct pod_stats){ .hops = -1 };
	text = report(&c, &(struct text_options){ 0 });
	assert_memory_equal(text, "BLIND  no socket asked a metadata service on ip-10-0-1-17 in 30 s; dropped packets",
			    82);
	free(text);

	missing.state = "off"; /* it was wanted so */
	text = report(&c, &(struct text_options){ 0 });
	assert_memory_equal(text, "QUIET  no socket asked", 22);
	free(text);

	missing.state = "ok";
	text = report(&c, &(struct text_options){ 0 });
	assert_memory_equal(text, "QUIET  nothing asked a metadata service on ip-10-0-1-17 in 30 s", 63);
	free(text);
	golden_case_clear(&c);

	golden_case_init(&c);
	c.pods[0] = &c.batch;
	c.s.pods_len = 1;
	text = report(&c, &(struct text_options){ 0 });
	assert_memory_equal(text, "WARNING  jobs/batch-29301-9sd2k (worker) is kept from", 53);
	free(text);
	golden_case_clear(&c);
}

static void same_advice_is_printed_once(void **state)
{
	struct golden_case c;
	struct pod_stats twins[30];
	const struct pod_stats *pods[30];
	char names[30][16];
	const char *first;
	char *text;

	(void)state;
	golden_case_init(&c);
	for (size_t i = 0; i < LEN(twins); i++) {
		twins[i] = c.cart;
		snprintf(names[i], sizeof(names[i]), "cart%zu", i);
		twins[i].who.pod = names[i]; /* each of a workload of its own */
		twins[i].fallbacks = 0;
		pods[i] = &twins[i];
	}
	c.s.pods = pods;
	c.s.pods_len = LEN(pods);
	text = report(&c, &(struct text_options){ .width = 120 });
	first = strstr(text, "modify-instance-metadata-options");
	assert_non_null(first);
	assert_null(strstr(first + 1, "modify-instance-metadata-options"));
	assert_non_null(strstr(text, "What to do: as under 1."));
	assert_non_null(strstr(text, "\n30. shop/cart")); /* beyond a dozen: one line each */
	free(text);
	golden_case_clear(&c);
}

static void colour_only_when_asked(void **state)
{
	struct golden_case c;
	char *text;

	(void)state;
	golden_case_init(&c);
	text = report(&c, &(struct text_options){ .color = true });
	assert_non_null(strstr(text, "\033[1;31m"));
	free(text);
	text = report(&c, &(struct text_options){ 0 });
	assert_null(strchr(text, '\033'));
	free(text);
	golden_case_clear(&c);
}

/* Names come from folders and processes that anyone may name. */
static void no_name_can_steer_the_terminal(void **state)
{
	static const char evil[] = "a\033[2J\r\n\x9b\xff\xe2\x80\xae";
	struct golden_case c;
	struct request r = { .drop_reason = evil, .drop_location = evil, .hops = -1 };
	struct text_options o = { .utf8 = true };
	struct feature feature = { evil, "missing", evil };
	char *text, *line = NULL;
	size_t len;
	FILE *f;

	(void)state;
	golden_case_init(&c);
	c.cart.who.pod = c.cart.who.container = c.batch.who.namespace = c.s.node = c.s.kernel = evil;
	memcpy(c.cart.processes[0].comm, evil, sizeof(evil));
	memcpy(c.cart.drop_location, evil, sizeof(evil));
	c.s.features = &feature;
	c.s.features_len = 1;
	text = report(&c, &o);

	f = open_memstream(&line, &len);
	r.who = &c.cart.who;
	r.rec.req.drops = 1;
	r.rec.req.method = IMDS_METHOD_GET;
	memcpy(r.rec.req.path, evil, sizeof(evil));
	memset(r.rec.peer.comm, 0x1b, sizeof(r.rec.peer.comm)); /* not even NUL-ended */
	text_trace_line(f, &r, &o);
	fclose(f);
	assert_null(strpbrk(text, "\033\r\x9b\xff"));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_non_null(strstr(text, "a\\x1b[2J\\x0d\\x0a\\x9b\\xff\\xe2\\x80\\xae"));
	assert_null(strpbrk(line, "\033\r\x9b\xff"));
	assert_ptr_equal(strchr(line, '\n'), line + len - 1);
	free(text);
	free(line);
	golden_case_clear(&c);
}

static void escaping_keeps_good_text_and_cuts_visibly(void **state)
{
	static const struct {
		const char *in;
		bool utf8;
		size_t columns;
		const char *out;
	} cases[] = {
		{ "plain-1.2_3", true, 0, "plain-1.2_3" },
		{ "", true, 0, "" },
		{ "näme", true, 0, "näme" },
		{ "n\xc3\xa4me", false, 0, "n\\xc3\\xa4me" },
		{ "a\tb", true, 0, "a\\x09b" },
		{ "a\\b", true, 0, "a\\x5cb" },
		{ "\xc0\xaf", true, 0, "\\xc0\\xaf" },			 /* overlong '/' */
		{ "\xed\xa0\x80", true, 0, "\\xed\\xa0\\x80" },		 /* surrogate */
		{ "\xf4\x90\x80\x80", true, 0, "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
		{ "cut\xe2\x82", true, 0, "cut\\xe2\\x82" },		 /* ends in mid-character */
		{ "\xc2\x9b"
		  "31m",
		  true, 0, "\\xc2\\x9b31m" },			/* C1 control */
		{ "\xe2\x80\x8b", true, 0, "\\xe2\\x80\\x8b" }, /* zero width */
		{ "abcdef", true, 6, "abcdef" },
		{ "abcdefg", true, 6, "abcde…" },
		{ "abcdefg", false, 6, "abcde~" },
		{ "abc\001def", true, 6, "abc…" }, /* never half an escape */
		{ "ab\001", true, 5, "ab…" },
		{ "ääääääää", true, 4, "äää…" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_string_equal(text_escape(cases[i].in, cases[i].utf8, cases[i].columns, buf, sizeof(buf)),
				    cases[i].out);
	assert_string_equal(text_escape("abcdef", true, 0, buf, 6), "ab…");
	strcpy(buf, "shop/cart-7d9f-x2x4q (app)");
	assert_string_equal(text_cut_middle(buf, 26, true), "shop/cart-7d9f-x2x4q (app)");
	assert_string_equal(text_cut_middle(buf, 20, true), "shop/cart-…x4q (app)");
	assert_string_equal(text_cut_middle(buf, 19, false), "shop/cart~x4q (app)");
	strcpy(buf, "äöüß");
	assert_string_equal(text_cut_middle(buf, 3, true), "ä…ß");
	for (size_t len = 1; len < 12; len++)
		assert_true(strlen(text_escape("ä\001äbcdefgh", true, 3, buf, len)) < len);
}

static void trace_lines_stand_in_columns(void **state)
{
	static const struct pod_identity cart = { 1,  "shop", "cart-7d9f6c5b8-x2x1q", "app", "", "", "",
						  "", "",     RUNTIME_NONE,	      0 };
	static const struct pod_identity host = { 2,  "", "",		"", "", "", "system.slice/node-agent.service",
						  "", "", RUNTIME_NONE, 0 };
	struct request r = { .who = &cart,
			     .wall_ns = 1700000000123 * MS,
			     .hops = 1,
			     .required_hop_limit = 2,
			     .drop_reason = "",
			     .drop_location = "",
			     .outcome = OUTCOME_NO_RESPONSE,
			     .running = true };
	struct imds_request *q = &r.rec.req;
	struct text_options o = { .utf8 = true, .width = 180 };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	text_trace_header(f, r.wall_ns, &o);
	/* stalled */
	strcpy(r.rec.peer.comm, "node");
	strcpy(q->path, "/latest/api/token");
	r.rec.syn_ns = S;
	r.rec.synack_ns = S + 1300 * 1000;
	r.rec.ttl_synack = 63;
	r.rec.hdr.ts_ns = S + 253 * MS;
	q->start_ns = S + 2 * MS;
	q->method = IMDS_METHOD_PUT;
	q->kind = IMDS_KIND_TOKEN;
	text_trace_line(f, &r, &o);
	/* over */
	r.running = false;
	r.outcome = OUTCOME_HOP_LIMIT;
	r.confidence = CONFIDENCE_PROVEN;
	r.drop_reason = "IP_INHDR";
	r.drop_location = "ip_forward";
	q->end_ns = S + 1003 * MS;
	q->drops = 3;
	q->drop = (struct imds_drop){ .ts_ns = S, .ttl = 1 };
	text_trace_line(f, &r, &o);
	/* then v1 */
	r.outcome = OUTCOME_OK;
	r.confidence = CONFIDENCE_NONE;
	r.fallback = true;
	q->drops = 0;
	q->drop.ts_ns = 0;
	q->method = IMDS_METHOD_GET;
	q->kind = IMDS_KIND_CREDENTIALS;
	strcpy(q->path, "/latest/meta-data/iam/security-credentials/a-rather-long-name-of-a-role");
	q->status = 200;
	q->ttl_response = 63;
	q->first_byte_ns = q->start_ns + 2800 * 1000;
	q->last_byte_ns = q->start_ns + 3100 * 1000;
	text_trace_line(f, &r, &o);
	/* a service without a pod, unknown process, SYNs without an answer */
	r = (struct request){ .who = &host,
			      .wall_ns = 1700000001000 * MS,
			      .hops = -1,
			      .drop_reason = "",
			      .drop_location = "",
			      .outcome = OUTCOME_NO_RESPONSE };
	r.rec.syn_ns = S;
	r.rec.syn_retransmits = 2;
	q->start_ns = S;
	q->end_ns = 4 * S;
	q->kind = IMDS_KIND_CONNECT_ONLY;
	text_trace_line(f, &r, &o);
	fclose(f);
	assert_golden("trace.txt", text);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_case_reads_as_in_the_golden_file),
		cmocka_unit_test(first_line_is_the_verdict),
		cmocka_unit_test(same_advice_is_printed_once),
		cmocka_unit_test(colour_only_when_asked),
		cmocka_unit_test(no_name_can_steer_the_terminal),
		cmocka_unit_test(escaping_keeps_good_text_and_cuts_visibly),
		cmocka_unit_test(trace_lines_stand_in_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
