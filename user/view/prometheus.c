/* SPDX-License-Identifier: GPL-2.0-only */
#include "prometheus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../model/counters.h"
#include "json.h"

/* Rows that share one set of labels, and these labels as written. */
struct series {
	const struct pod_stats *const *rows;
	size_t rows_len;
	char *labels;
	size_t labels_len;
};

/* Output is gathered here first: a scrape of a thousand pods is a million small pieces, too many for stdio. */
struct writer {
	FILE *f;
	char buf[16384];
	size_t at;
	bool openmetrics;
	const struct snapshot *s;
	const struct agent_stats *agent;
	const char *name; /* of the family being written */
};

/* --- samples ------------------------------------------------------------------------------------------------------ */

static void flush(struct writer *w)
{
	fwrite_unlocked(w->buf, 1, w->at, w->f);
	w->at = 0;
}

static void put_bytes(struct writer *w, const char *bytes, size_t len)
{
	if (len > sizeof(w->buf) - w->at) {
		flush(w);
		if (len > sizeof(w->buf)) {
			fwrite_unlocked(bytes, 1, len, w->f);
			return;
		}
	}
	memcpy(w->buf + w->at, bytes, len);
	w->at += len;
}

static void put_text(struct writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static void put_integer(struct writer *w, uint64_t n)
{
	char buf[24], *p = buf + sizeof(buf);

	do
		*--p = '0' + n % 10;
	while (n /= 10);
	put_bytes(w, p, buf + sizeof(buf) - p);
}

/* A number that %.15g writes with few digits; never in a way that depends on the locale: none is set. */
static void put_real(struct writer *w, double v)
{
	char buf[40];

	if (v >= 0 && v < 1e15 && v == (double)(uint64_t)v) { /* most are 0, and printf(3) is slow */
		put_integer(w, (uint64_t)v);
		return;
	}
	snprintf(buf, sizeof(buf), "%.15g", v);
	put_text(w, buf);
}

static bool has_high_bytes(const char *s)
{
	while (*s > 0 && (unsigned char)*s < 0x80)
		s++;
	return *s;
}

/* Label values: any valid UTF-8, with backslash, quote and newline escaped. */
static void put_value(struct writer *w, const char *value)
{
	json_t *valid;

	if (!value[strcspn(value, "\\\"\n")] && !has_high_bytes(value)) {
		put_text(w, value);
		return;
	}
	valid = json_text(value); /* bad bytes become U+FFFD: one of them would spoil the whole scrape */
	for (const char *p = valid ? json_string_value(valid) : ""; *p; p++) {
		if (*p == '\\' || *p == '"')
			put_bytes(w, "\\", 1);
		if (*p == '\n')
			put_bytes(w, "\\n", 2);
		else
			put_bytes(w, p, 1);
	}
	json_decref(valid);
}

/* `name_suffix{series,label="value",…` up to the value; label NULL ends the pairs. Values are words of ours. */
static void begin_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs)
{
	bool open = false;

	put_text(w, w->name);
	put_text(w, suffix);
	if (of) {
		put_bytes(w, "{", 1);
		put_bytes(w, of->labels, of->labels_len);
		open = true;
	}
	for (; pairs && *pairs; pairs += 2) {
		put_text(w, open ? "," : "{");
		put_text(w, pairs[0]);
		put_text(w, "=\"");
		put_value(w, pairs[1]);
		put_text(w, "\"");
		open = true;
	}
	put_text(w, open ? "} " : " ");
}

#define PAIRS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static void integer_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs,
			   uint64_t value)
{
	begin_sample(w, suffix, of, pairs);
	put_integer(w, value);
	put_text(w, "\n");
}

static void real_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs,
			double value)
{
	begin_sample(w, suffix, of, pairs);
	put_real(w, value);
	put_text(w, "\n");
}

/* --- figures of a series: sums over its rows, and over containers of the same name that have left ----------------- */

static uint64_t sum_at(const struct series *of, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			sum += *(const uint64_t *)((const char *)p + offset);
	return sum;
}

#define SUM(of, member) sum_at(of, offsetof(struct pod_stats, member))
#define SUM_OF(of, member, i) sum_at(of, offsetof(struct pod_stats, member) + (i) * sizeof(uint64_t))

/* In *sum only when there are more than one to add up; NULL: none of that kind. */
static const struct kind_stats *sum_kind(const struct series *of, enum imds_kind kind, struct kind_stats *sum)
{
	const struct kind_stats *found = NULL;

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before) {
			if (!p->by_kind[kind])
				continue;
			if (found && found != sum) {
				memset(sum, 0, sizeof(*sum));
				counters_add_kind(sum, found);
				found = sum;
			}
			if (found)
				counters_add_kind(sum, p->by_kind[kind]);
			else
				found = p->by_kind[kind];
		}
	return found;
}

static void write_requests(struct writer *w, const struct series *of)
{
	for (int k = 0; k < IMDS_KIND_COUNT; k++) {
		struct kind_stats room;
		const struct kind_stats *kind = sum_kind(of, k, &room);

		for (int i = 0; kind && i < IMDS_VERSION_COUNT * OUTCOME_COUNT; i++) {
			uint64_t n = kind->cells[i / OUTCOME_COUNT][i % OUTCOME_COUNT];
			const char *version = version_word(i / OUTCOME_COUNT);

			if (n)
				integer_sample(w, "_total", of,
					       PAIRS("kind", kind_word(k), "imds_version", version ? version : "none",
						     "outcome", outcome_word(i % OUTCOME_COUNT)),
					       n);
		}
	}
}

static void write_responses(struct writer *w, const struct series *of)
{
	for (int i = IMDS_STATUS_NONE + 1; i < IMDS_STATUS_COUNT; i++) {
		uint64_t n = SUM_OF(of, responses, i);

		if (n)
			integer_sample(w, "_total", of, PAIRS("code", status_class_word(i)), n);
	}
}

/* Upper bounds in seconds, as text: the same in every scrape. */
static const char *const bounds[HISTOGRAM_BUCKETS] = {
	"0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
	"0.05",	  "0.1",     "0.25",   "0.5",	"1.0",	  "5.0",   "+Inf",
};

/* pairs: further labels */
static void write_histogram(struct writer *w, const struct series *of, const struct histogram *h, const char *const *pairs)
{
	uint64_t so_far = 0;

	if (!h->count)
		return;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		so_far += h->bucket[i];
		begin_sample(w, "_bucket", of, pairs);
		w->at -= 2; /* "} ": one more label */
		put_text(w, ",le=\"");
		put_text(w, bounds[i]);
		put_text(w, "\"} ");
		put_integer(w, so_far);
		put_bytes(w, "\n", 1);
	}
	real_sample(w, "_sum", of, pairs, h->sum_us / 1e6);
	integer_sample(w, "_count", of, pairs, so_far);
}

static void write_durations(struct writer *w, const struct series *of)
{
	for (int k = 0; k < IMDS_KIND_COUNT; k++) {
		struct kind_stats room;
		const struct kind_stats *kind = sum_kind(of, k, &room);

		if (kind)
			write_histogram(w, of, &kind->latency, PAIRS("kind", kind_word(k)));
	}
}

static void write_connects(struct writer *w, const struct series *of)
{
	struct histogram sum = { .count = 0 };

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			histogram_merge(&sum, &p->connect);
	write_histogram(w, of, &sum, NULL);
}

/* Zeros too: an alert on the increase must see where it began. */
static void write_hop_limit(struct writer *w, const struct series *of)
{
	for (int i = CONFIDENCE_NONE + 1; i < CONFIDENCE_COUNT; i++)
		integer_sample(w, "_total", of, PAIRS("confidence", confidence_word(i)), SUM_OF(of, confidences, i));
}

static void write_drops(struct writer *w, const struct series *of)
{
	struct pod_stats sum = { .drops_len = 0 };

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			counters_add_drops(&sum, p);
	for (size_t i = 0; i < sum.drops_len; i++)
		integer_sample(w, "_total", of, PAIRS("reason", sum.drops[i].reason), sum.drops[i].packets);
}

static void write_fallbacks(struct writer *w, const struct series *of)
{
	integer_sample(w, "_total", of, NULL, SUM(of, fallbacks));
}

static void write_lost_seconds(struct writer *w, const struct series *of)
{
	double sum = 0;

	for (size_t i = 0; i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			sum += p->seconds_lost;
	real_sample(w, "_total", of, NULL, sum);
}

static void write_required_hop_limit(struct writer *w, const struct series *of)
{
	int highest = 0;

	for (size_t i = 0; i < of->rows_len; i++)
		if (of->rows[i]->required_hop_limit > highest)
			highest = of->rows[i]->required_hop_limit;
	if (highest)
		integer_sample(w, "", of, NULL, highest);
}

static void write_response_ttl(struct writer *w, const struct series *of)
{
	const struct pod_stats *newest = NULL;

	for (size_t i = 0; i < of->rows_len; i++)
		if (of->rows[i]->ttl_response && (!newest || of->rows[i]->last_ns > newest->last_ns))
			newest = of->rows[i];
	if (newest)
		integer_sample(w, "", of, NULL, newest->ttl_response);
}

static void write_packets(struct writer *w, const struct series *of)
{
	integer_sample(w, "_total", of, PAIRS("direction", "egress"), SUM_OF(of, packets, IMDS_EGRESS));
	integer_sample(w, "_total", of, PAIRS("direction", "ingress"), SUM_OF(of, packets, IMDS_INGRESS));
}

static void write_in_flight(struct writer *w, const struct series *of)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < of->rows_len; i++)
		sum += of->rows[i]->in_flight;
	integer_sample(w, "", of, NULL, sum);
}

/* --- the agent itself --------------------------------------------------------------------------------------------- */

static void write_build_info(struct writer *w)
{
	integer_sample(w, "", NULL, PAIRS("version", w->s->version, "kernel", w->s->kernel, "libbpf", w->agent->libbpf),
		       1);
}

static void write_features(struct writer *w)
{
	for (size_t i = 0; i < w->s->features_len; i++) {
		const char *state = w->s->features[i].state;

		integer_sample(w, "", NULL, PAIRS("feature", w->s->features[i].name),
			       !strcmp(state, "ok") || !strcmp(state, "degraded"));
	}
}

static void write_losses(struct writer *w)
{
	for (size_t i = 0; i < w->s->losses_len; i++)
		integer_sample(w, "_total", NULL, PAIRS("loss", w->s->losses[i].name), w->s->losses[i].count);
}

static void write_entries(struct writer *w)
{
	for (size_t i = 0; i < w->agent->tables_len; i++)
		integer_sample(w, "", NULL, PAIRS("table", w->agent->tables[i].name), w->agent->tables[i].entries);
}

static void write_limits(struct writer *w)
{
	for (size_t i = 0; i < w->agent->tables_len; i++)
		integer_sample(w, "", NULL, PAIRS("table", w->agent->tables[i].name), w->agent->tables[i].limit);
}

static void write_run_seconds(struct writer *w)
{
	for (size_t i = 0; i < w->agent->programs_len; i++)
		real_sample(w, "_total", NULL, PAIRS("program", w->agent->programs[i].name),
			    w->agent->programs[i].run_ns / 1e9);
}

static void write_runs(struct writer *w)
{
	for (size_t i = 0; i < w->agent->programs_len; i++)
		integer_sample(w, "_total", NULL, PAIRS("program", w->agent->programs[i].name),
			       w->agent->programs[i].runs);
}

#define AGENT_INTEGER(fn, suffix, member)                                \
	static void fn(struct writer *w)                                 \
	{                                                                \
		integer_sample(w, suffix, NULL, NULL, w->agent->member); \
	}
#define AGENT_REAL(fn, suffix, member)                                \
	static void fn(struct writer *w)                              \
	{                                                             \
		real_sample(w, suffix, NULL, NULL, w->agent->member); \
	}
AGENT_INTEGER(write_http_requests, "_total", http_requests)
AGENT_INTEGER(write_http_connections, "", http_connections)
AGENT_REAL(write_cpu, "_total", cpu_seconds)
AGENT_REAL(write_start, "", start_seconds)
AGENT_INTEGER(write_resident, "", resident_bytes)
AGENT_INTEGER(write_virtual, "", virtual_bytes)
AGENT_INTEGER(write_open_fds, "", open_fds)
AGENT_INTEGER(write_max_fds, "", max_fds)

static void write_http_refused(struct writer *w)
{
	integer_sample(w, "_total", NULL, PAIRS("reason", "too_many"), w->agent->http_refused);
	integer_sample(w, "_total", NULL, PAIRS("reason", "too_slow"), w->agent->http_expired);
	integer_sample(w, "_total", NULL, PAIRS("reason", "overloaded"), w->agent->http_overloaded);
}

/* --- families ----------------------------------------------------------------------------------------------------- */

/* Names without _total: OpenMetrics wants it at the samples alone. */
static const struct family {
	const char *name, *type, *help;
	void (*row)(struct writer *w, const struct series *of);
	void (*agent)(struct writer *w);
} families[] = {
	{ "imdsnoop_requests", "counter", "Metadata requests that ended.", write_requests, NULL },
	{ "imdsnoop_responses", "counter", "Answers by HTTP status.", write_responses, NULL },
	{ "imdsnoop_request_duration_seconds", "histogram",
	  "Time from a request's first byte to its answer's last one, answered requests only.", write_durations, NULL },
	{ "imdsnoop_connect_duration_seconds", "histogram", "Time from SYN to SYN-ACK.", write_connects, NULL },
	{ "imdsnoop_hop_limit_exceeded", "counter",
	  "Requests whose answer died because its IP TTL (hop limit) was used up.", write_hop_limit, NULL },
	{ "imdsnoop_drops", "counter", "Packets of metadata connections that the kernel dropped, by its reason.",
	  write_drops, NULL },
	{ "imdsnoop_fallbacks", "counter", "IMDSv1 requests that followed an unanswered token request.",
	  write_fallbacks, NULL },
	{ "imdsnoop_lost_seconds", "counter", "Time that processes waited for answers that never came.",
	  write_lost_seconds, NULL },
	{ "imdsnoop_required_hop_limit", "gauge", "Lowest HttpPutResponseHopLimit with which token answers arrive.",
	  write_required_hop_limit, NULL },
	{ "imdsnoop_response_ttl", "gauge", "IP TTL of the newest answer as received.", write_response_ttl, NULL },
	{ "imdsnoop_packets", "counter", "Packets to and from metadata endpoints.", write_packets, NULL },
	{ "imdsnoop_requests_in_flight", "gauge", "Requests that wait for their answer now.", write_in_flight, NULL },
	{ "imdsnoop_build_info", "gauge", "Always 1; version of the agent, the kernel and libbpf.", NULL,
	  write_build_info },
	{ "imdsnoop_feature_enabled", "gauge", "1 when this part works on this node, wholly or in part.", NULL,
	  write_features },
	{ "imdsnoop_events_lost", "counter", "What the figures lack, by cause.", NULL, write_losses },
	{ "imdsnoop_table_entries", "gauge", "Entries in a bounded table.", NULL, write_entries },
	{ "imdsnoop_table_limit", "gauge", "Bound of that table.", NULL, write_limits },
	{ "imdsnoop_program_run_seconds", "counter", "Time in a BPF program; 0 unless kernel.bpf_stats_enabled is set.",
	  NULL, write_run_seconds },
	{ "imdsnoop_program_runs", "counter", "Runs of a BPF program; 0 unless kernel.bpf_stats_enabled is set.", NULL,
	  write_runs },
	{ "imdsnoop_http_requests", "counter", "HTTP requests to the agent itself.", NULL, write_http_requests },
	{ "imdsnoop_http_connections", "gauge", "HTTP connections to the agent that are open.", NULL,
	  write_http_connections },
	{ "imdsnoop_http_refused", "counter", "HTTP clients of the agent turned away.", NULL, write_http_refused },
	{ "process_cpu_seconds", "counter", "User and system CPU time of the agent.", NULL, write_cpu },
	{ "process_start_time_seconds", "gauge", "Start of the agent since the epoch.", NULL, write_start },
	{ "process_resident_memory_bytes", "gauge", "Resident memory of the agent.", NULL, write_resident },
	{ "process_virtual_memory_bytes", "gauge", "Virtual memory of the agent.", NULL, write_virtual },
	{ "process_open_fds", "gauge", "Open file descriptors of the agent.", NULL, write_open_fds },
	{ "process_max_fds", "gauge", "Most file descriptors that the agent may open.", NULL, write_max_fds },
};

/* --- series ------------------------------------------------------------------------------------------------------- */

/* The three labels of a row, see the header. */
static void labels_of(const struct pod_stats *p, const char *ret[3])
{
	ret[0] = p->who.namespace;
	ret[1] = p->other ? "other" : p->who.pod;
	ret[2] = *p->who.pod || p->other ? p->who.container : p->who.cgroup;
}

static int compare_labels(const void *a, const void *b)
{
	const char *x[3], *y[3];
	int c = 0;

	labels_of(*(const struct pod_stats *const *)a, x);
	labels_of(*(const struct pod_stats *const *)b, y);
	for (int i = 0; i < 3 && !c; i++)
		c = strcmp(x[i], y[i]);
	return c;
}

/* w->f is a stream into of->labels. */
static void write_labels(struct writer *w, const struct series *of)
{
	static const char *const names[3] = { "namespace=\"", ",pod=\"", ",container=\"" };
	const char *values[3];

	labels_of(of->rows[0], values);
	for (int i = 0; i < 3; i++) {
		put_text(w, names[i]);
		put_value(w, values[i]);
		put_bytes(w, "\"", 1);
	}
	flush(w);
}

static int make_labels(struct writer *w, struct series *of)
{
	FILE *out = w->f;
	int err;

	w->f = open_memstream(&of->labels, &of->labels_len);
	if (w->f)
		write_labels(w, of);
	err = !w->f || fclose(w->f) ? -ENOMEM : 0;
	w->f = out;
	return err;
}

/* Sorts rows, which is series' storage, and groups them. */
static int group(struct writer *w, const struct pod_stats **rows, size_t len, struct series *series, size_t *ret_len)
{
	size_t n = 0;
	int err = 0;

	qsort(rows, len, sizeof(*rows), compare_labels);
	for (size_t i = 0; i < len && !err; i++) {
		if (n && !compare_labels(&rows[i], &rows[i - 1])) {
			series[n - 1].rows_len++;
			continue;
		}
		series[n] = (struct series){ .rows = &rows[i], .rows_len = 1 };
		err = make_labels(w, &series[n++]);
	}
	*ret_len = n;
	return err;
}

static void put_head(struct writer *w, const char *mark, const char *total, const char *text)
{
	put_text(w, mark);
	put_text(w, w->name);
	put_text(w, total);
	put_text(w, " ");
	put_text(w, text);
	put_text(w, "\n");
}

static void write_family(struct writer *w, const struct family *f, const struct series *series, size_t len)
{
	const char *total = !w->openmetrics && !strcmp(f->type, "counter") ? "_total" : "";

	w->name = f->name;
	put_head(w, "# HELP ", total, f->help);
	put_head(w, "# TYPE ", total, f->type);
	if (f->agent)
		f->agent(w);
	for (size_t i = 0; f->row && i < len; i++)
		f->row(w, &series[i]);
}

int prometheus_write(FILE *out, const struct snapshot *s, const struct agent_stats *a, bool openmetrics)
{
	struct writer w = { .f = out, .openmetrics = openmetrics, .s = s, .agent = a };
	const struct pod_stats **rows = calloc(s->pods_len + 1, sizeof(*rows));
	struct series *series = calloc(s->pods_len + 1, sizeof(*series));
	size_t len = 0;
	int err = -ENOMEM;

	if (rows && series) {
		for (size_t i = 0; i < s->pods_len; i++)
			rows[i] = s->pods[i];
		err = group(&w, rows, s->pods_len, series, &len);
	}
	for (size_t i = 0; !err && i < sizeof(families) / sizeof(families[0]); i++)
		write_family(&w, &families[i], series, len);
	if (!err && openmetrics)
		put_text(&w, "# EOF\n");
	flush(&w);
	for (size_t i = 0; i < len; i++)
		free(series[i].labels);
	free(series);
	free(rows);
	return err;
}
