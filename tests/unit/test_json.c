/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/view/json.c user/report/report.c user/report/headline.c user/report/pod_count.c user/report/findings.c */
/* needs: user/report/finding_*.c user/report/advice.c user/report/platform.c user/pods/workload.c */
/* needs: user/report/path.c user/report/level.c */
#include "../../user/view/json.h"
#include "unit.h"

#define SECOND 1000000000ull

static const struct pod_identity cart = {
	.workload = "cart",
	.project = "",
	.runtime = RUNTIME_KUBERNETES,
	.cgroup_id = 4711,
	.namespace = "shop",
	.pod = "cart-7d9f",
	.container = "app",
	.pod_uid = "0e3a",
	.container_id = "abc",
	.cgroup = "kubepods.slice/x",
};
static const struct pod_identity nobody = POD_IDENTITY_NOBODY;

/* A token PUT that got no answer: SYN at 10 s, its answer 1 ms later, the head 1 ms later still, given up after 1 s. */
static struct request dead_token(void)
{
	struct request r = {
		.who = &cart,
		.wall_ns = 1700000000 * SECOND + 123456789,
		.provider = PROVIDER_EC2,
		.outcome = OUTCOME_HOP_LIMIT,
		.confidence = CONFIDENCE_PROVEN,
		.hops = 1,
		.required_hop_limit = 2,
		.hops_source = HOPS_FROM_BASELINE,
		.drop_reason = "IP_INHDR",
		.drop_location = "ip_forward",
		.node = "n1",
	};
	struct imds_request *q = &r.rec.req;
	struct imds_peer *p = &r.rec.peer;

	memcpy(p->remote.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xa9\xfe\xa9\xfe", 16);
	p->remote_port = 80;
	memcpy(p->local.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\xf4\0\x02", 16);
	p->local_port = 43210;
	p->pid = 77;
	memcpy(p->comm, "sixteen-bytes-xx", 16); /* full: no NUL of its own */
	strcpy(p->ancestors[0], "npm");
	strcpy(p->ancestors[1], "sh");
	r.rec.syn_ns = 10 * SECOND;
	r.rec.synack_ns = 10 * SECOND + 1000000;
	r.rec.ttl_synack = 63;
	q->start_ns = 10 * SECOND + 2000000;
	q->end_ns = 11 * SECOND + 2000000;
	q->kind = IMDS_KIND_TOKEN;
	q->version = IMDS_VERSION_V2;
	q->method = IMDS_METHOD_PUT;
	q->drop.ts_ns = 10 * SECOND + 3000000;
	q->drop.ttl = 1;
	q->drop.match = IMDS_MATCH_TUPLE;
	q->drops = 7;
	q->retransmits = 3;
	q->bytes_out = 150;
	strcpy(q->path, "/latest/api/token");
	q->path_len = strlen(q->path);
	q->flags = IMDS_F_NETNS_KNOWN;
	return r;
}

static char *line_of(json_t *v)
{
	char *text;

	assert_non_null(v);
	text = json_dumps(v, JSON_DUMP_FLAGS | JSON_COMPACT);
	json_decref(v);
	return text;
}

static void request_has_every_field_in_order(void **state)
{
	struct request r = dead_token();
	char *line = line_of(json_request(&r, 12 * SECOND, false));

	(void)state;
	assert_string_equal(
	    line,
	    "{\"type\":\"request\",\"time\":\"2023-11-14T22:13:20.123456Z\",\"node\":\"n1\",\"namespace\":\"shop\","
	    "\"pod\":\"cart-7d9f\",\"container\":\"app\",\"pod_uid\":\"0e3a\",\"container_id\":\"abc\","
	    "\"cgroup\":\"kubepods.slice/"
	    "x\",\"cgroup_id\":4711,\"runtime\":\"kubernetes\",\"workload\":\"cart\",\"project\":\"\",\"pid\":77,"
	    "\"comm\":\"sixteen-bytes-xx\","
	    "\"ancestors\":[\"npm\",\"sh\"],\"endpoint\":\"169.254.169.254:80\",\"local\":\"10.244.0.2:43210\","
	    "\"provider\":\"ec2\",\"kind\":\"token\",\"imds_version\":\"v2\",\"method\":\"PUT\","
	    "\"path\":\"/latest/api/"
	    "token\",\"status\":null,\"outcome\":\"hop-limit\",\"cause\":null,\"answered_by\":null,\"confidence\":"
	    "\"proven\","
	    "\"connect_us\":1000,\"first_byte_us\":null,\"duration_us\":1000000,\"ttl_synack\":63,"
	    "\"ttl_response\":null,\"ttl_dropped\":1,\"hops\":1,\"required_hop_limit\":2,\"hops_source\":\"baseline\","
	    "\"retransmits\":3,\"drops\":7,\"drop_reason\":\"IP_INHDR\",\"drop_location\":\"ip_forward\","
	    "\"drop_match\":\"tuple\",\"bytes_out\":150,\"bytes_in\":0,\"fallback\":false,\"host_network\":false,"
	    "\"facts\":{\"flags\":1024,\"syn_ns\":10000000000,\"synack_ns\":10001000000,\"start_ns\":10002000000,"
	    "\"end_ns\":11002000000,\"drop_ns\":10003000000}}");
	free(line);
}

static void what_did_not_happen_is_null(void **state)
{
	struct request r = { .who = &nobody, .hops = -1, .drop_reason = "", .drop_location = "", .node = "" };
	static const char *const nulls[] = {
		"imds_version",	      "status",	     "confidence",    "connect_us",  "first_byte_us",
		"duration_us",	      "ttl_synack",  "ttl_response",  "ttl_dropped", "hops",
		"required_hop_limit", "drop_reason", "drop_location", "drop_match",  "host_network",
	};
	json_t *v = json_request(&r, SECOND, false);

	(void)state;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		if (!json_is_null(json_object_get(v, nulls[i])))
			fail_msg("%s is not null", nulls[i]);
	assert_string_equal(json_string_value(json_object_get(v, "pod")), "");
	assert_string_equal(json_string_value(json_object_get(v, "comm")), "");
	assert_int_equal(json_integer_value(json_object_get(v, "pid")), 0);
	json_decref(v);
}

static void a_stall_counts_up_to_now(void **state)
{
	struct request r = dead_token();
	json_t *v;

	(void)state;
	r.running = true;
	r.rec.req.end_ns = 0;
	v = json_request(&r, 10 * SECOND + 252000000, false);
	assert_string_equal(json_string_value(json_object_get(v, "type")), "stall");
	assert_int_equal(json_integer_value(json_object_get(v, "duration_us")), 250000);
	json_decref(v);
}

static void redacted_paths_are_gone(void **state)
{
	struct request r = dead_token();
	char *line = line_of(json_request(&r, 12 * SECOND, true));

	(void)state;
	assert_null(strstr(line, "latest"));
	assert_non_null(strstr(line, "\"path\":\"\""));
	assert_non_null(strstr(line, "\"kind\":\"token\""));
	free(line);
}

static void bad_bytes_become_replacement_characters(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain", "plain" },
		{ "gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },		    /* overlong '/' */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf0\x80\x80\xff", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\x80\xe2\x82\xac", "\xef\xbf\xbd\xe2\x82\xac" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = json_text(rows[i].in);

		assert_non_null(v);
		assert_string_equal(json_string_value(v), rows[i].out);
		json_decref(v);
	}
	assert_true(json_is_null(json_text(NULL)));
}

static void hostile_request_bytes_stay_inside_their_string(void **state)
{
	struct request r = dead_token();
	json_t *v, *back;
	char *line;

	(void)state;
	r.rec.req.path_len = 255; /* more than the field holds */
	memset(r.rec.req.path, '\xfe', IMDS_PATH_LEN);
	memcpy(r.rec.peer.comm,
	       "\"}\n{\x01\xc2\x9b"
	       "31m",
	       10); /* U+009B is ESC [ to some terminals */
	v = json_request(&r, 12 * SECOND, false);
	line = line_of(v);
	assert_null(strchr(line, '\n'));
	assert_null(strstr(line, "\xc2"));
	back = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(back);
	assert_int_equal(json_string_length(json_object_get(back, "path")), 127 * 3);
	json_decref(back);
	free(line);
}

/* --- report --- */

struct sample {
	struct snapshot s;
	struct pod_stats pods[2];
	const struct pod_stats *rows[2];
	struct finding finding;
	struct feature feature;
	struct loss losses[2];
	const char *endpoints[2];
	char *evidence[2], *advice[2];
};

static void sample_fill(struct sample *x)
{
	struct pod_stats *p = &x->pods[0];

	memset(x, 0, sizeof(*x));
	p->who = cart;
	p->own_network = true;
	p->requests = 5;
	p->outcomes[OUTCOME_HOP_LIMIT] = 3;
	p->outcomes[OUTCOME_OK] = 2;
	p->confidences[CONFIDENCE_LIKELY] = 1;
	p->confidences[CONFIDENCE_PROVEN] = 2;
	p->kinds[IMDS_KIND_TOKEN] = 3;
	p->kinds[IMDS_KIND_CREDENTIALS] = 2;
	p->responses[IMDS_STATUS_2XX] = 2;
	p->v1_requests = 2;
	p->v2_requests = 3;
	p->fallbacks = 1;
	p->seconds_lost = 3.9031004;
	histogram_add(&p->latency, 1000);
	histogram_add(&p->latency, 3000);
	p->hops = 1;
	p->required_hop_limit = 2;
	p->hops_source = HOPS_FROM_BASELINE;
	p->hop_limit = HOP_LIMIT_EXHAUSTED;
	p->ttl_synack = 63;
	p->ttl_dropped = 1;
	p->hop_limit_drops = 9;
	strcpy(p->drop_location, "ip_forward");
	strcpy(p->drops[0].reason, "IP_INHDR");
	p->drops[0].packets = 9;
	strcpy(p->drops[1].reason, "other");
	p->drops[1].packets = 1;
	p->drops_len = 2;
	p->processes[0] = (struct process_count){
		.pid = 77, .comm = "node", .parent = "npm", .requests = 5, .v1_requests = 2, .token_unanswered = 3
	};
	p->processes_len = 1;
	p->providers = 1u << PROVIDER_EC2;
	x->pods[1].who = nobody;
	x->pods[1].other = true;
	x->pods[1].hops = -1;
	x->rows[0] = &x->pods[0];
	x->rows[1] = &x->pods[1];
	x->evidence[0] = "3 token requests, 0 answered";
	x->advice[0] = "raise the hop limit to 2";
	x->finding = (struct finding){ .severity = SEVERITY_ERROR,
				       .code = FINDING_HOP_LIMIT_EXHAUSTED,
				       .namespace = "shop",
				       .pod = "cart-7d9f",
				       .container = "app",
				       .cgroup = "kubepods.slice/x",
				       .summary = "answers die",
				       .evidence = x->evidence,
				       .advice = x->advice };
	x->feature = (struct feature){ "drops", "missing", "needs kernel BTF" };
	x->losses[0] = (struct loss){ "ring_request", "", 0 };
	x->losses[1] = (struct loss){ "flow_table_full", "", 4 };
	x->endpoints[0] = "169.254.169.254";
	x->s = (struct snapshot){
		.version = "0.1.0",
		.node = "n1",
		.kernel = "6.1",
		.started_wall_ns = 1700000000 * SECOND,
		.now_wall_ns = 1700000031 * SECOND,
		.started_ns = SECOND,
		.now_ns = 31 * SECOND + 1234567,
		.endpoints = x->endpoints,
		.features = &x->feature,
		.features_len = 1,
		.losses = x->losses,
		.losses_len = 2,
		.baseline_ttl = 64,
		.pods = x->rows,
		.pods_len = 2,
		.findings = &x->finding,
		.findings_len = 1,
	};
	x->s.totals.requests = 5;
	x->s.totals.who = nobody;
}

static void sample_clear(struct sample *x)
{
	histogram_clear(&x->pods[0].latency);
}

static void report_has_the_schemas_fields(void **state)
{
	static struct sample x;
	const char *severity = NULL, *state_word = NULL, *why = NULL;
	json_int_t requests, dead, tokens, drops, p99, hops, limit, lost, flow_full = 0, total = 0;
	double seconds_lost, duration;
	json_t *v;
	char *line;

	(void)state;
	sample_fill(&x);
	v = json_report(&x.s);
	assert_non_null(v);
	assert_int_equal(json_unpack(v, "{s:f, s:{s:i, s:I}, s:{s:I}, s:[{s:s, s:s}], s:[{s:s}]}", "duration_s",
				     &duration, "losses", "ring_request", &(int){ 0 }, "flow_table_full", &flow_full,
				     "totals", "requests", &total, "features", "state", &state_word, "why", &why,
				     "findings", "severity", &severity),
			 0);
	assert_true(duration == 30.001);
	assert_int_equal(flow_full, 4);
	assert_int_equal(total, 5);
	assert_string_equal(state_word, "missing");
	assert_string_equal(why, "needs kernel BTF");
	assert_string_equal(severity, "error");
	assert_int_equal(json_unpack(json_array_get(json_object_get(v, "pods"), 0),
				     "{s:I, s:{s:I}, s:{s:I}, s:{s:I}, s:{s:I}, s:I, s:I, s:f, s:I}", "requests",
				     &requests, "outcomes", "hop-limit", &dead, "kinds", "token", &tokens, "drops",
				     "IP_INHDR", &drops, "latency_us", "p99", &p99, "hops", &hops, "required_hop_limit",
				     &limit, "seconds_lost", &seconds_lost, "fallbacks", &lost),
			 0);
	assert_int_equal(requests, 5);
	assert_int_equal(dead, 3);
	assert_int_equal(tokens, 3);
	assert_int_equal(drops, 9);
	assert_int_equal(p99, 3000);
	assert_int_equal(hops, 1);
	assert_int_equal(limit, 2);
	assert_true(seconds_lost == 3.9031);

	line = line_of(v);
	assert_memory_equal(
	    line,
	    "{\"schema\":\"imdsnoop.report/1\",\"version\":\"0.1.0\",\"node\":\"n1\",\"kernel\":\"6.1\","
	    "\"started\":\"2023-11-14T22:13:20.000000Z\",\"duration_s\":30.001,\"headline\":{",
	    141);
	assert_non_null(strstr(line, "\"outcomes\":{\"ok\":2,\"hop-limit\":3}")); /* nothing that is zero */
	assert_non_null(strstr(line, "\"hop_limit\":\"exhausted\",\"confidence\":\"proven\""));
	assert_non_null(strstr(line, "\"drop_location\":\"ip_forward\""));
	assert_non_null(strstr(line, "\"providers\":[\"ec2\"]"));
	assert_non_null(strstr(line, "\"seconds_lost\":3.9031,"));
	assert_non_null(strstr(line, "\"latency_us\":{\"p50\":null,\"p90\":null,\"p99\":null,\"max\":null}"));
	assert_non_null(strstr(line, "\"code\":\"hop-limit-exhausted\",\"namespace\":\"shop\",\"pod\":\"cart-7d9f\","
				     "\"container\":\"app\""));
	assert_non_null(
	    strstr(line, "\"evidence\":[\"3 token requests, 0 answered\"],\"advice\":[\"raise the hop limit to 2\"]"));
	free(line);
	sample_clear(&x);
}

static void start_and_end_frame_a_trace(void **state)
{
	static struct sample x;
	char *line;

	(void)state;
	sample_fill(&x);
	line = line_of(json_start(&x.s));
	assert_string_equal(
	    line, "{\"type\":\"start\",\"time\":\"2023-11-14T22:13:20.000000Z\",\"version\":\"0.1.0\","
		  "\"kernel\":\"6.1\",\"node\":\"n1\",\"endpoints\":[\"169.254.169.254\"],\"features\":[{\"name\":"
		  "\"drops\",\"state\":\"missing\",\"why\":\"needs kernel "
		  "BTF\"}],\"scope\":null,\"abi\":1,\"started_ns\":1000000000}");
	free(line);
	line = line_of(json_end(&x.s));
	assert_memory_equal(line, "{\"type\":\"end\"", 13);
	assert_non_null(strstr(line, "\"totals\":{\"pods\":2,\"requests\":5,"));
	assert_non_null(strstr(line, "\"losses\":{\"ring_request\":0,\"flow_table_full\":4}"));
	assert_non_null(strstr(line, "\"loss_meanings\":{\"flow_table_full\":"));
	assert_non_null(strstr(line, "\"now_ns\":"));
	free(line);
	sample_clear(&x);
}

static void printing_ends_the_line_and_tells_a_full_disk(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(json_print(json_pack("{s:i}", "a", 1), false, f), 0);
	assert_int_equal(json_print(NULL, false, f), -ENOMEM);
	fclose(f);
	assert_string_equal(text, "{\"a\":1}\n");
	free(text);
	f = fopen("/dev/full", "w");
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(json_print(json_object(), false, f), -ENOSPC);
	fclose(f);
}

/* --- no memory: each allocation fails once; NULL comes back and nothing is left over --- */

static long allocations_left, live;

static void *counting_malloc(size_t len)
{
	void *p;

	if (allocations_left-- <= 0)
		return NULL;
	p = malloc(len);
	live += p != NULL;
	return p;
}

static void counting_free(void *p)
{
	live -= p != NULL;
	free(p);
}

static void no_memory_gives_null_and_leaks_nothing(void **state)
{
	static struct sample x;
	struct request r = dead_token();
	json_t *v;
	long n;

	(void)state;
	sample_fill(&x);
	json_set_alloc_funcs(counting_malloc, counting_free);
	for (int what = 0; what < 2; what++) {
		for (n = 0, v = NULL; !v && n < 10000; n++) {
			allocations_left = n;
			v = what ? json_report(&x.s) : json_request(&r, 12 * SECOND, false);
			if (!v)
				assert_int_equal(live, 0);
		}
		assert_non_null(v);
		assert_true(n > 30);
		json_decref(v);
		assert_int_equal(live, 0);
	}
	json_set_alloc_funcs(malloc, free);
	sample_clear(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_has_every_field_in_order),
		cmocka_unit_test(what_did_not_happen_is_null),
		cmocka_unit_test(a_stall_counts_up_to_now),
		cmocka_unit_test(redacted_paths_are_gone),
		cmocka_unit_test(bad_bytes_become_replacement_characters),
		cmocka_unit_test(hostile_request_bytes_stay_inside_their_string),
		cmocka_unit_test(report_has_the_schemas_fields),
		cmocka_unit_test(start_and_end_frame_a_trace),
		cmocka_unit_test(printing_ends_the_line_and_tells_a_full_disk),
		cmocka_unit_test(no_memory_gives_null_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
