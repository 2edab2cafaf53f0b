/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/level.c user/replay/report_input.c user/replay/trace_input.c */
/* needs: user/replay/trace_line.c user/session/trace_counts.c user/options/options_value.c user/view/json.c */
/* needs: user/report/findings.c user/report/finding_*.c user/report/advice.c user/report/path.c */
/* needs: user/pods/workload.c user/report/report.c user/report/headline.c user/report/pod_count.c user/report/platform.c */
#include <unistd.h>

#include "../../user/replay/report_input.h"
#include "../../user/session/trace_counts.h"
#include "../../user/replay/trace_input.h"
#include "../../user/report/findings.h"
#include "../../user/view/json.h"
#include "unit.h"

#define S 1000000000ull
#define MS 1000000ull

/* trace_counts.c asks a live session for these; what a test hands out */
static void (*each_count)(const struct session_count_callbacks *cb);

void session_each_count(struct session *s, const struct session_count_callbacks *cb)
{
	each_count(cb);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

#define REPORT(rest) "{\"schema\":\"imdsnoop.report/1\",\"totals\":{},\"pods\":[],\"findings\":[]" rest "}"

static int read_text(const char *text, size_t len, struct report_doc *d, char *msg, size_t msg_len)
{
	char path[] = "/tmp/imdsnoop-test-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	err = report_input_read(path, d, msg, msg_len);
	unlink(path);
	return err;
}

static void foreign_files_are_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "empty" },
		{ "\x7f"
		  "ELF",
		  "not JSON" },
		{ "[1,2", "not JSON" },
		{ "{}", "not a report" },
		{ "[]", "not a report" },
		{ "{\"schema\":7}", "not a report" },
		{ "{\"schema\":\"other/1\"}", "not a report" },
		{ "{\"schema\":\"imdsnoop.merge/1\"}", "its schema is 'imdsnoop.merge/1'" },
		{ "{\"schema\":\"imdsnoop.report/2\"}", "its schema is 'imdsnoop.report/2'" },
		{ "{\"schema\":\"imdsnoop.report/1\"}", "without pods" },
		{ "{\"schema\":\"imdsnoop.report/1\",\"pods\":7,\"findings\":[],\"totals\":{}}", "without pods" },
		{ REPORT("") "x", "not JSON" },
		{ REPORT(",\"duration_s\":NaN"), "not JSON" },
		{ REPORT(",\"duration_s\":1e999"), "real number overflow" },
		{ REPORT(",\"duration_s\":99999999999999999999"), "too big integer" },
		{ REPORT(",\"node\":\"a\",\"node\":\"b\""), "duplicate object key" },
		{ REPORT(",\"node\":\"\\ud800\""), "not JSON" },
	};
	struct report_doc d;
	char msg[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_text(rows[i].text, strlen(rows[i].text), &d, msg, sizeof(msg)), -EINVAL);
		if (!strstr(msg, rows[i].said))
			fail_msg("row %zu: %s", i, msg);
	}
	assert_int_equal(report_input_read("/nowhere/at/all", &d, msg, sizeof(msg)), -ENOENT);
	assert_int_equal(report_input_read("/", &d, msg, sizeof(msg)), -EISDIR);
}

/* What takes the memory many times over, or the stack, is refused before it does. */
static void bombs_are_refused(void **state)
{
	static const struct {
		const char *piece, *said;
		size_t times;
	} rows[] = {
		{ "[],", "more values than any report", 2000000 }, { "{},", "more values than any report", 1500000 },
		{ "1,", "more values than any report", 3000000 },  { "[", "maximum parsing depth", 100000 },
		{ "{\"a\":", "maximum parsing depth", 100000 },
	};
	struct report_doc d;
	char msg[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].piece), at = 0;
		char *text = malloc(len * rows[i].times + 32);

		assert_non_null(text);
		at = (size_t)sprintf(text, "{\"x\":[");
		for (size_t k = 0; k < rows[i].times; k++, at += len)
			memcpy(text + at, rows[i].piece, len);
		assert_true(read_text(text, at, &d, msg, sizeof(msg)) < 0);
		if (!strstr(msg, rows[i].said))
			fail_msg("row %zu: %s", i, msg);
		free(text);
	}
}

/* More rows than a report of ours has are counted, not read. */
static void rows_are_bounded(void **state)
{
	char *text = malloc(1 << 20), msg[256];
	int at = sprintf(text,
			 "{\"schema\":\"imdsnoop.report/1\",\"totals\":{},\"pods\":[],\"findings\":[{\"advice\":[\"\"");
	struct report_doc d;

	for (int i = 1; i < 100; i++)
		at += sprintf(text + at, ",\"%d\"", i);
	at += sprintf(text + at, "]}],\"features\":[{}");
	for (int i = 1; i < 100; i++)
		at += sprintf(text + at, ",{\"name\":\"%d\"}", i);
	at += sprintf(text + at, "]}");
	assert_int_equal(read_text(text, at, &d, msg, sizeof(msg)), 0);
	assert_int_equal(d.features_len, 64);
	assert_string_equal(d.findings[0].advice[31], "31");
	assert_null(d.findings[0].advice[32]);
	assert_int_equal(d.left_out, 36 + 68);
	report_input_clear(&d);
	free(text);
}

static void wrong_types_are_nothing(void **state)
{
	static const char text[] =
	    "{\"schema\":\"imdsnoop.report/1\",\"node\":7,\"duration_s\":-1,\"node_token_ttl\":900,"
	    "\"totals\":{\"requests\":\"x\",\"seconds_lost\":1e300},\"features\":[1,{\"name\":[]},null],"
	    "\"losses\":{\"a\":3,\"b\":-4,\"c\":\"x\",\"d\":9223372036854775807,\"e\":9223372036854775807,\"f\":7},"
	    "\"pods\":[1,null,{\"pod\":{},\"requests\":-5,\"outcomes\":[],\"latency_us\":7,\"hop_limit\":\"odd\","
	    "\"required_hop_limit\":-2}],"
	    "\"findings\":[[],{\"severity\":\"odd\",\"advice\":[1,\"one\",null,\"two\"]},{\"advice\":{}}]}";
	struct report_doc d;
	char msg[256];

	assert_int_equal(read_text(text, strlen(text), &d, msg, sizeof(msg)), 0);
	assert_string_equal(d.node, "");
	assert_true(d.duration_s == 0 && d.seconds_lost == 0);
	assert_int_equal(d.node_token_ttl, 0);
	assert_true(d.lost == INT64_MAX); /* what JSON can hold */
	assert_int_equal(d.features_len, 1);
	assert_int_equal(d.pods_len, 1);
	assert_int_equal(d.pods[0].requests, 0);
	assert_int_equal(d.pods[0].p50_us, -1);
	assert_int_equal(d.pods[0].hop_limit, HOP_LIMIT_UNKNOWN);
	assert_int_equal(d.pods[0].required_hop_limit, 0);
	assert_int_equal(d.findings_len, 2);
	assert_int_equal(d.findings[0].severity, SEVERITY_INFO);
	assert_string_equal(d.findings[0].advice[1], "two");
	assert_null(d.findings[0].advice[2]);
	assert_null(d.findings[1].advice[0]);
	report_input_clear(&d);
}

/* A count that is absent, or none, is not zero: what would be concluded from zero is not. */
static void absent_counts_are_not_zero(void **state)
{
#define COUNTED(losses, totals, pod)                                                                                   \
	"{\"schema\":\"imdsnoop.report/1\",\"findings\":[],\"losses\":" losses ",\"totals\":" totals ",\"pods\":[" pod \
	"]}"
#define POD(tokens)                                                                       \
	"{\"requests\":1,\"v1_requests\":0,\"v2_requests\":1,\"token_requests\":1" tokens \
	",\"hops\":null,\"required_hop_limit\":2}"
#define TOKENS ",\"token_answered\":1"
	static const struct {
		const char *text;
		bool is_counted;
	} rows[] = {
		{ COUNTED("{\"ring_request\":0}", "{\"requests\":1}", POD(TOKENS)), true },
		{ COUNTED("{}", "{\"requests\":0}", ""), true },
		{ COUNTED("[1]", "{\"requests\":1}", POD(TOKENS)), false },
		{ COUNTED("{\"ring_request\":-5}", "{\"requests\":1}", POD(TOKENS)), false },
		{ COUNTED("{\"ring_request\":\"many\"}", "{\"requests\":1}", POD(TOKENS)), false },
		{ COUNTED("{}", "{}", POD(TOKENS)), false },
		{ COUNTED("{}", "{\"requests\":1}", POD("")), false },
		{ REPORT(""), false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report_doc d;
		char msg[256];

		assert_int_equal(read_text(rows[i].text, strlen(rows[i].text), &d, msg, sizeof(msg)), 0);
		if (d.is_counted != rows[i].is_counted)
			fail_msg("row %zu", i);
		assert_true(!d.pods_len || !d.pods[0].hops_known);
		report_input_clear(&d);
	}
}

static void a_stream_has_a_bound(void **state)
{
	static char big[200000];
	size_t len;
	char *text;
	FILE *f;

	memset(big, 'x', sizeof(big));
	f = fmemopen(big, sizeof(big), "r");
	assert_int_equal(report_input_slurp(f, sizeof(big) - 1, &text, &len), -EFBIG);
	rewind(f);
	assert_int_equal(report_input_slurp(f, sizeof(big), &text, &len), 0);
	assert_int_equal(len, sizeof(big));
	assert_int_equal(text[len], 0);
	free(text);
	fclose(f);
}

/* --- traces ------------------------------------------------------------------------------------------------------- */

static const struct pod_identity cart = { 11, "shop", "cart-7d9f6c5b8-x2x4q", "app", "uid", "cid", "kubepods/cart",
					  "", "",     RUNTIME_NONE,	      0 };
static const struct pod_identity agent = {
	12, "kube-system", "agent-5k2p9", "agent", "uid2", "cid2", "kubepods/agent", "", "", RUNTIME_NONE, 0
};
static const struct pod_identity stray = { 13, "", "", "", "", "", "system.slice/x", "", "", RUNTIME_NONE, 0 };
static const struct feature features[] = { { "cgroup_skb", "ok", "" }, { "drops", "degraded", "because" } };
static const char *const endpoint_texts[] = { "169.254.169.254", "fd00:ec2::254", "169.254.170.23", NULL };

static void fill_options(struct options *o)
{
	*o = (struct options){ .stall_ns = 250 * MS, .slow_ns = S, .max_pods = 16, .max_flows = 16, .endpoints_len = 3 };
	for (int i = 0; i < 3; i++)
		assert_int_equal(options_parse_endpoint(endpoint_texts[i], &o->endpoints[i]), 0);
}

static struct request request(const struct pod_identity *who, enum imds_kind kind, uint64_t at_ms)
{
	struct request r = { .who = who, .drop_reason = "", .drop_location = "", .node = "n" };
	struct imds_request *q = &r.rec.req;

	r.rec.peer.cookie = at_ms + 1;
	r.rec.peer.cgroup_id = who->cgroup_id;
	r.rec.peer.proto = 6;
	r.rec.peer.family = 4;
	r.rec.peer.pid = 70 + (uint32_t)who->cgroup_id;
	strcpy(r.rec.peer.comm, "sixteen-bytes-x");
	strcpy(r.rec.peer.ancestors[0], "npm");
	r.rec.connect_call_ns = S + at_ms * MS + 100;
	r.rec.syn_ns = S + at_ms * MS + 1000;
	r.rec.synack_ns = S + at_ms * MS + 500123;
	r.rec.ttl_synack = 63;
	q->start_ns = S + at_ms * MS + 700000;
	q->kind = kind;
	q->version = kind == IMDS_KIND_TOKEN				       ? IMDS_VERSION_V2
		     : kind == IMDS_KIND_DNS || kind == IMDS_KIND_CONNECT_ONLY ? IMDS_VERSION_NONE
									       : IMDS_VERSION_V1;
	q->method = kind == IMDS_KIND_TOKEN ? IMDS_METHOD_PUT : IMDS_METHOD_GET;
	q->words = IMDS_W_P_EC2 | IMDS_W_HTTP;
	q->flags = IMDS_F_SYN_SEEN | IMDS_F_CONNECT_SEEN | IMDS_F_HEAD_COMPLETE | IMDS_F_REQUEST_ACKED | IMDS_F_FIRST |
		   IMDS_F_NETNS_KNOWN;
	strcpy(q->path, "/latest/x");
	q->path_len = 9;
	return r;
}

static struct request answered(const struct pod_identity *who, enum imds_kind kind, uint64_t at_ms, uint16_t status)
{
	struct request r = request(who, kind, at_ms);
	struct imds_request *q = &r.rec.req;

	q->first_byte_ns = q->start_ns + 1234567;
	q->last_byte_ns = q->end_ns = q->first_byte_ns + 1000;
	r.rec.hdr.ts_ns = q->end_ns;
	q->status = status;
	q->ttl_response = 63;
	q->bytes_out = 99;
	q->bytes_in = 999;
	q->end = IMDS_END_ANSWERED;
	return r;
}

static struct request dead(const struct pod_identity *who, uint64_t at_ms)
{
	struct request r = request(who, IMDS_KIND_TOKEN, at_ms);
	struct imds_request *q = &r.rec.req;

	q->drop = (struct imds_drop){
		.ts_ns = q->start_ns + 2000000,
		.ttl = 1,
		.match = IMDS_MATCH_TUPLE,
		.flags = IMDS_D_FROM_ENDPOINT | IMDS_D_PAYLOAD | IMDS_D_WAITING_TOKEN | IMDS_D_EXPECTED_SEQ |
			 IMDS_D_HAS_REASON,
	};
	r.drop_reason = "IP_INHDR";
	r.drop_location = "ip_forward";
	q->drops = 4;
	q->retransmits = 2;
	q->end = IMDS_END_CLOSED;
	q->end_ns = q->start_ns + S;
	r.rec.hdr.ts_ns = q->end_ns;
	return r;
}

static void counts(const struct session_count_callbacks *cb)
{
	struct imds_packet_counters packets = { .packets = { { 5, 1, 0, 2 }, { 4 } },
						.bytes = { 500, 400 },
						.untracked = 3 };
	struct imds_request_key lost = { .cgroup_id = 11,
					 .kind = IMDS_KIND_DATA,
					 .version = IMDS_VERSION_V2,
					 .end = IMDS_END_ANSWERED,
					 .status = IMDS_STATUS_404 };
	struct imds_drop_key drop = { .cgroup_id = 11, .ttl_expired = 1, .from_endpoint = 1 };

	cb->on_packets(cb->arg, &cart, &packets);
	cb->on_packets(cb->arg, &stray, &packets);
	cb->on_lost(cb->arg, &cart, &lost, 3);
	lost = (struct imds_request_key){
		.cgroup_id = 11, .kind = IMDS_KIND_TOKEN, .end = IMDS_END_CLOSED, .death = IMDS_DEATH_FORWARD
	};
	cb->on_lost(cb->arg, &cart, &lost, 2);
	cb->on_drops(cb->arg, &cart, &drop, "IP_INHDR", 9);
	drop.ttl_expired = 0;
	drop.from_endpoint = 0;
	cb->on_drops(cb->arg, &agent, &drop, "NETFILTER_DROP", 2);
	cb->on_drops(cb->arg, &agent, &drop, "", 1);
	drop.cgroup_id = 0;
	cb->on_drops(cb->arg, NULL, &drop, "NETFILTER_DROP", 8);
}

/* What session_counts.c does with the same counts. */
static void table_packets(void *arg, const struct pod_identity *who, const struct imds_packet_counters *c)
{
	pod_table_add_packets(arg, who, c, 9 * S);
}

static void table_lost(void *arg, const struct pod_identity *who, const struct imds_request_key *key, uint64_t n)
{
	pod_table_add_lost(arg, who, key, n, 9 * S);
}

static void table_drops(void *arg, const struct pod_identity *who, const struct imds_drop_key *key, const char *reason,
			uint64_t n)
{
	pod_table_add_drops(arg, who, key, reason, n);
}

static char *dump(const struct snapshot *s)
{
	json_t *v = json_report(s);
	char *text = json_dumps(v, JSON_DUMP_FLAGS | JSON_INDENT(2));

	json_decref(v);
	return text;
}

/* A live session of all sorts of requests; its trace into *ret_trace, its report is returned. */
/* Of a sandbox with a network stack of its own. */
static const struct unowned sandbox = { .address = { .b = { [10] = 0xff, [11] = 0xff, 10, 244, 0, 9 } },
					.port = 40000,
					.device = "vethsandbox",
					.name = "shop/sandbox",
					.packets = 7,
					.ttl = 1,
					.reason = "IP_INHDR",
					.location = "ip_forward" };

static char *live(struct options *o, char **ret_trace)
{
	struct request rows[] = {
		dead(&cart, 0), answered(&cart, IMDS_KIND_CREDENTIALS, 1100, 200), answered(&agent, IMDS_KIND_TOKEN, 1200, 200),
		answered(&agent, IMDS_KIND_DATA, 1300, 404), dead(&cart, 1400), answered(&cart, IMDS_KIND_DATA, 2600, 200),
		answered(&cart, IMDS_KIND_DNS, 2700, 0), request(&cart, IMDS_KIND_CONNECT_ONLY, 2800), request(&agent, IMDS_KIND_CONNECT_ONLY, 4000),
	}, stall = dead(&cart, 5000), hanging;
	struct pod_table_options to = {
		.max_pods = 16,
		.stall_ns = o->stall_ns,
		.slow_ns = o->slow_ns,
		.endpoints = o->endpoints,
		.endpoints_len = 3,
	};
	struct session_count_callbacks cb = { table_packets, table_lost, table_drops, NULL };
	const struct loss losses[] = { { "ring_request", "what it means", 3 }, { "flow_table_full", "x", 0 } };
	struct snapshot s = {
		.version = "0.1.0",
		.node = "n",
		.kernel = "6.1",
		.started_wall_ns = 1700000000 * S + 123456000,
		.now_wall_ns = 1700000008 * S + 123456000,
		.started_ns = S,
		.now_ns = 9 * S,
		.endpoints = endpoint_texts,
		.features = features,
		.features_len = 2,
		.losses = losses,
		.losses_len = 2,
		.unowned = &sandbox,
		.unowned_len = 1,
	};
	struct pod_table *t;
	char *report;
	size_t len;
	FILE *f = open_memstream(ret_trace, &len);

	rows[3].rec.req.flags |= IMDS_F_HOST_NETNS;
	rows[3].rec.ttl_synack = 64;
	rows[6].rec.peer.proto = 17;
	rows[7].rec.synack_ns = 0;
	rows[7].rec.syn_retransmits = 2;
	rows[7].rec.req.start_ns = 0;
	rows[7].rec.req.end = IMDS_END_CLOSED;
	rows[7].rec.req.end_ns = rows[7].rec.hdr.ts_ns = S + 3900 * MS;
	/* closed at once: refused, unless drops are watched and there was none */
	rows[8].rec.synack_ns = 0;
	rows[8].rec.req.start_ns = 0;
	rows[8].rec.req.end = IMDS_END_CLOSED;
	rows[8].rec.req.end_ns = rows[8].rec.hdr.ts_ns = S + 4010 * MS;
	assert_int_equal(pod_table_new(&to, &t), 0);
	assert_int_equal(json_print(json_start(&s), false, f), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request first = rows[i];
		uint64_t now_ns = rows[i].rec.hdr.ts_ns + 3 * MS;

		pod_table_set_drops_watched(t, i != 4 && i != 8); /* a loss comes and goes: it must be judged as then */
		if (i == 4) {
			first.running = true;
			first.rec.req.end = IMDS_END_NONE;
			first.rec.req.end_ns = 0;
			pod_table_add_request(t, &first, now_ns - 500 * MS);
			assert_int_equal(json_print(json_request(&first, now_ns - 500 * MS, false), false, f), 0);
			rows[i].rec.req.drop.flags &= (uint16_t)~IMDS_D_PAYLOAD;
		}
		pod_table_add_request(t, &rows[i], now_ns);
		assert_int_equal(json_print(json_request(&rows[i], now_ns, false), false, f), 0);
	}
	pod_table_set_drops_watched(t, true);
	/* one that still hangs when all ends */
	hanging = stall;
	hanging.running = true;
	hanging.rec.req.end = IMDS_END_NONE;
	hanging.rec.req.end_ns = 0;
	pod_table_add_request(t, &hanging, 7 * S);
	assert_int_equal(json_print(json_request(&hanging, 7 * S, false), false, f), 0);

	/* the trace's last line does not count it, the report's end does */
	each_count = counts;
	cb.arg = t;
	pod_table_add_running(t, &cart);
	pod_table_show_running(t);
	stall.rec.req.end = IMDS_END_EXPIRED;
	stall.rec.req.end_ns = stall.rec.hdr.ts_ns = 9 * S;
	assert_int_equal(pod_table_snapshot(t, &s), 0);
	json_t *end = json_end(&s);

	json_object_set_new(end, "drops_watched", json_boolean(s.drops_watched));
	json_object_set_new(end, "counts", trace_counts_write(NULL, &s));
	assert_int_equal(json_print(end, false, f), 0);
	fclose(f);
	pod_table_add_request(t, &stall, 9 * S);
	counts(&cb);
	assert_int_equal(pod_table_snapshot(t, &s), 0);
	assert_int_equal(findings_collect(&s, &s.findings, &s.findings_len), 0);
	report = dump(&s);
	findings_free(s.findings, s.findings_len);
	histogram_clear(&s.totals.latency);
	pod_table_free(t);
	return report;
}

static struct trace_input *read_trace(const struct options *o, const char *text, const struct session_callbacks *cb)
{
	static const struct session_callbacks none;
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	struct trace_input *t = NULL;
	char msg[256];

	if (trace_input_read(o, f, cb ? cb : &none, &t, msg, sizeof(msg)))
		fail_msg("%s", msg);
	fclose(f);
	return t;
}

static void a_trace_gives_the_live_report(void **state)
{
	struct trace_input_stats stats;
	struct trace_input *t;
	char *trace, *report, *again;
	struct options o;

	fill_options(&o);
	report = live(&o, &trace);
	t = read_trace(&o, trace, NULL);
	again = dump(trace_input_snapshot(t));
	assert_string_equal(again, report);
	/* that there was something to get wrong */
	assert_non_null(strstr(report, "\"proven\": 4"));
	assert_non_null(strstr(report, "\"likely\": 1"));
	assert_non_null(strstr(report, "\"fallbacks\": 2"));
	assert_non_null(strstr(report, "\"hop_limit_drops\": 9"));
	assert_non_null(strstr(report, "\"records_lost\": 5"));
	assert_non_null(strstr(report, "\"in_flight\": 1"));
	assert_non_null(strstr(report, "\"refused\": 1"));
	assert_non_null(strstr(report, "that belong to no connection seen: 7 packets"));
	trace_input_get_stats(t, &stats);
	assert_int_equal(stats.bad, 0);
	assert_int_equal(stats.missing, 0);
	assert_false(stats.cut);
	assert_int_equal(trace_input_snapshot(t)->stray_drops, 8);
	trace_input_free(t);
	free(again);
	free(report);
	free(trace);
}

static void count_call(void *arg, const struct request *r, uint64_t now_ns)
{
	size_t *calls = arg;

	calls[r->running]++;
	assert_true(now_ns == r->judged_ns);
}

static void count_drop(void *arg, const struct pod_identity *who, const struct imds_rec_drop *rec, const char *reason,
		       const char *location)
{
	size_t *calls = arg;

	calls[2]++;
	assert_string_equal(reason, "IP_INHDR");
	assert_string_equal(location, "ip_forward");
	assert_int_equal(rec->drop.ttl, 1);
}

static void damaged_lines_are_counted_and_skipped(void **state)
{
	size_t calls[3] = { 0 };
	struct session_callbacks cb = {
		.on_request = count_call, .on_stall = count_call, .on_drop = count_drop, .arg = calls
	};
	static const char *const bad[] = {
		"garbage",
		"",
		"[]",
		"{\"type\":\"odd\"}",
		"{\"type\":\"request\"}",
		"{\"type\":\"request\",\"facts\":{},\"kind\":\"odd\",\"method\":\"GET\"}",
		"{\"type\":\"request\",\"facts\":{\"judged_ns\":5},\"kind\":\"token\",\"method\":\"odd\"}",
		"{\"type\":\"request\",\"facts\":{\"judged_ns\":5},\"kind\":\"token\",\"method\":\"GET\"}",
		"{\"type\":\"request\",\"facts\":{\"end\":1},\"kind\":\"token\",\"method\":\"GET\"}",
		"{\"type\":\"request\",\"facts\":{\"end\":1,\"judged_ns\":5},\"kind\":\"token\",\"method\":\"GET\","
		"\"imds_version\":\"v9\"}",
	};
	size_t bad_len = sizeof(bad) / sizeof(bad[0]);
	char *trace, *report, *text, *second, *end;
	struct trace_input_stats stats;
	struct trace_input *t;
	struct options o;
	size_t len;
	FILE *f;

	fill_options(&o);
	report = live(&o, &trace);
	second = strchr(strchr(trace, '\n') + 1, '\n') + 1;
	end = strstr(trace, "{\"type\":\"end\"");
	f = open_memstream(&text, &len);
	fwrite(trace, 1, (size_t)(second - trace), f);
	for (size_t i = 0; i < bad_len; i++)
		fprintf(f, "%s\n", bad[i]);
	fputs(second, f);
	fputs(end, f); /* a second end */
	fclose(f);
	t = read_trace(&o, text, &cb);
	trace_input_get_stats(t, &stats);
	assert_int_equal(stats.bad, bad_len + 1);
	assert_int_equal(stats.first_bad, 3);
	assert_string_equal(stats.why, "not JSON");
	assert_int_equal(calls[0], 10); /* 9, and the one that hung */
	assert_int_equal(calls[1], 2);
	assert_int_equal(calls[2], 3);
	trace_input_free(t);
	free(text);

	/* without its end: said, and what it tells is counted */
	*end = '\0';
	t = read_trace(&o, trace, NULL);
	trace_input_get_stats(t, &stats);
	assert_true(stats.cut);
	assert_int_equal(trace_input_snapshot(t)->totals.requests, 10);
	trace_input_free(t);
	free(report);
	free(trace);
}

static void a_filtered_trace_is_told(void **state)
{
	char *trace, *report, *second, *third;
	struct trace_input_stats stats;
	struct trace_input *t;
	struct options o;

	fill_options(&o);
	report = live(&o, &trace);
	second = strchr(trace, '\n') + 1;
	third = strchr(second, '\n') + 1;
	memmove(second, third, strlen(third) + 1);
	t = read_trace(&o, trace, NULL);
	trace_input_get_stats(t, &stats);
	assert_int_equal(stats.missing, 1);
	trace_input_free(t);
	free(report);
	free(trace);
}

static void other_files_are_no_trace(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "empty" },
		{ "\n", "does not begin with a start line" },
		{ REPORT(""), "does not begin with a start line" },
		{ "{\"type\":\"request\"}\n", "does not begin with a start line" },
		{ "{\"type\":\"start\"}\n", "another version" },
		{ "{\"type\":\"start\",\"abi\":99,\"version\":\"9\"}\n", "another version (9)" },
		{ "{\"type\":\"start\",\"abi\":1}\n", "names no endpoint" },
		{ "{\"type\":\"start\",\"abi\":1,\"endpoints\":[7]}\n", "no address" },
		{ "{\"type\":\"start\",\"abi\":1,\"endpoints\":[\"x\"]}\n", "no address" },
	};
	static const struct session_callbacks none;
	struct trace_input *t;
	struct options o;
	char msg[256];

	fill_options(&o);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *f = fopen("/dev/null", "r");

		if (rows[i].text[0]) {
			fclose(f);
			f = fmemopen((void *)rows[i].text, strlen(rows[i].text), "r");
		}
		assert_int_equal(trace_input_read(&o, f, &none, &t, msg, sizeof(msg)), -EINVAL);
		fclose(f);
		if (!strstr(msg, rows[i].said))
			fail_msg("row %zu: %s", i, msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_files_are_refused),
		cmocka_unit_test(wrong_types_are_nothing),
		cmocka_unit_test(absent_counts_are_not_zero),
		cmocka_unit_test(bombs_are_refused),
		cmocka_unit_test(rows_are_bounded),
		cmocka_unit_test(a_stream_has_a_bound),
		cmocka_unit_test(a_trace_gives_the_live_report),
		cmocka_unit_test(damaged_lines_are_counted_and_skipped),
		cmocka_unit_test(a_filtered_trace_is_told),
		cmocka_unit_test(other_files_are_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
