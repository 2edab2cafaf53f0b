/* SPDX-License-Identifier: GPL-2.0-only */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../report/findings.h"
#include "../report/headline.h"
#include "text_layout.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LINE_LEN 2048
#define FINDINGS_WHOLE 12 /* findings told at length; the rest get one line each */

static const char *duration(uint64_t us, char buf[32])
{
	return findings_duration(us, buf, 32);
}

static enum outcome worst_outcome(const struct pod_stats *p)
{
	static const enum outcome worst_first[] = {
		OUTCOME_HOP_LIMIT, OUTCOME_BLOCKED,    OUTCOME_REFUSED, OUTCOME_NO_RESPONSE,
		OUTCOME_RESET,	   OUTCOME_HTTP_ERROR, OUTCOME_ABORTED,
	};

	for (size_t i = 0; i < LEN(worst_first); i++)
		if (p->outcomes[worst_first[i]])
			return worst_first[i];
	return OUTCOME_OK;
}

static enum text_style outcome_style(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_OK:
		return TEXT_GREEN;
	case OUTCOME_HOP_LIMIT:
		return TEXT_RED;
	default:
		return TEXT_YELLOW;
	}
}

static const char *subject_of(const struct pod_stats *p, char *buf, size_t len)
{
	if (p->other) {
		snprintf(buf, len, "(pods beyond --max-pods)");
		return buf;
	}
	return findings_subject(&p->who, buf, len);
}

/* --- the report ------------------------------------------------------------------------------------------- */

static void report_verdict(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	static const enum text_style styles[] = { TEXT_GREEN, TEXT_YELLOW, TEXT_YELLOW, TEXT_RED };
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;
	char text[LINE_LEN], node[256], first[16];
	enum headline_level level = headline_write(s, text, sizeof(text));

	fputs(text_on(o, styles[level]), out);
	snprintf(first, sizeof(first), "%s  ", headline_word(level));
	text_paragraph(out, o, first, text);
	fprintf(out, "%s%swatched %.1f s on %s, ", text_off(o), text_on(o, TEXT_DIM), watched_s,
		text_escape(s->node, o->utf8, 60, node, sizeof(node)));
	fprintf(out, "kernel %s", text_escape(s->kernel, o->utf8, 60, node, sizeof(node)));
	for (size_t i = 0; s->endpoints && s->endpoints[i]; i++)
		fprintf(out, "%s%s", i ? ", " : "; endpoints ", s->endpoints[i]);
	fprintf(out, "; imdsnoop %s%s\n", s->version, text_off(o));
}

static bool same_advice(const struct finding *a, const struct finding *b)
{
	size_t i = 0;

	if (a->code != b->code)
		return false;
	for (; a->advice[i] && b->advice[i]; i++)
		if (strcmp(a->advice[i], b->advice[i]))
			return false;
	return !a->advice[i] && !b->advice[i];
}

/* The same pod's way is drawn at its first finding only; findings without a pod have none. */
static bool way_is_new(const struct snapshot *s, size_t n)
{
	if (s->findings[n].pod_index >= s->pods_len)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s->findings[i].pod_index == s->findings[n].pod_index)
			return false;
	return true;
}

static void report_advice(FILE *out, const struct snapshot *s, size_t n, const size_t *numbers,
			  const struct text_options *o)
{
	const struct finding *f = &s->findings[n];

	if (!f->advice[0])
		return;
	for (size_t i = 0; i < n; i++) {
		if (numbers[i] && same_advice(&s->findings[i], f)) {
			fprintf(out, "\n   What to do: as under %zu.\n", numbers[i]);
			return;
		}
	}
	fprintf(out, "\n   %sWhat to do%s\n", text_on(o, TEXT_BOLD), text_off(o));
	for (char **line = f->advice; *line; line++)
		text_advice(out, o, *line);
}

static void report_finding(FILE *out, const struct snapshot *s, size_t n, const size_t *numbers,
			   const struct text_options *o)
{
	static const enum text_style styles[] = { TEXT_DIM, TEXT_YELLOW, TEXT_RED };
	const struct finding *f = &s->findings[n];
	char first[16], way[512], buf[LINE_LEN];

	fprintf(out, "\n%s%zu. %s  %s%s\n", text_on(o, styles[f->severity]), numbers[n], severity_word(f->severity),
		finding_word(f->code), text_off(o));
	fputs(text_on(o, TEXT_BOLD), out);
	text_paragraph(out, o, "   ", f->summary);
	fputs(text_off(o), out);
	if (way_is_new(s, n) && findings_draw_way(s, s->pods[f->pod_index], o->utf8, way, sizeof(way))[0])
		fprintf(out, "\n       %s%s%s\n", text_on(o, styles[f->severity]),
			text_escape(way, o->utf8, 0, buf, sizeof(buf)), text_off(o));
	if (f->evidence && f->evidence[0])
		fputc('\n', out);
	snprintf(first, sizeof(first), "   %s ", o->utf8 ? "•" : "-");
	for (char **line = f->evidence; line && *line; line++)
		text_paragraph(out, o, first, *line);
	report_advice(out, s, n, numbers, o);
}

static void report_findings(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	size_t *numbers = calloc(s->findings_len + 1, sizeof(*numbers)); /* 0: not told at length */
	size_t number = 0;

	for (size_t i = 0; i < s->findings_len; i++) {
		char first[16];

		if (s->findings[i].code == FINDING_OBSERVATION_INCOMPLETE)
			continue; /* has its own part at the end */
		number++;
		if (numbers && number <= FINDINGS_WHOLE) {
			numbers[i] = number;
			report_finding(out, s, i, numbers, o);
			continue;
		}
		if (number == FINDINGS_WHOLE + 1 || (!numbers && number == 1))
			fputs("\nMore, in one line each (--format json has all of it)\n", out);
		snprintf(first, sizeof(first), "%zu. ", number);
		text_paragraph(out, o, first, s->findings[i].summary);
	}
	free(numbers);
}

static void number_or_dash(FILE *out, int width, long long n, bool known)
{
	if (known)
		fprintf(out, " %*lld", width, n);
	else
		fprintf(out, " %*s", width, "-");
}

/* "3.1ms": no blank, to be narrow */
static void latency_cell(FILE *out, const struct histogram *h, double quantile)
{
	char buf[32] = "-", *blank;

	if (h->count)
		duration(histogram_quantile_us(h, quantile), buf);
	blank = strchr(buf, ' ');
	if (blank)
		memmove(blank, blank + 1, strlen(blank));
	fprintf(out, " %6s", buf);
}

static void report_pods(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	/* What stands right of the name takes 77 columns; without a terminal's width, names are whole. */
	size_t name_max = !o->width ? 0 : text_width(o) > 77 + 20 ? (size_t)text_width(o) - 77 : 20, name = 3;
	char subject[512], buf[1024];

	if (!s->pods_len)
		return;
	for (size_t i = 0; i < s->pods_len; i++) {
		size_t n = text_columns(
		    text_escape(subject_of(s->pods[i], subject, sizeof(subject)), o->utf8, name_max, buf, sizeof(buf)));

		name = n > name ? n : name;
	}
	fprintf(out, "\n%s", text_on(o, TEXT_BOLD));
	text_cell(out, "POD", name);
	fprintf(out, " %5s %4s %4s %5s %6s %6s %6s %3s %4s %5s %5s  %s%s\n", "REQS", "V1", "V2", "ANSW", "P50", "P99",
		"MAX", "TTL", "HOPS", "NEEDS", "DROPS", "WORST", text_off(o));
	for (size_t i = 0; i < s->pods_len; i++) {
		const struct pod_stats *p = s->pods[i];
		enum outcome worst = worst_outcome(p);
		unsigned long long drops = 0;

		for (size_t d = 0; d < p->drops_len; d++)
			drops += p->drops[d].packets;
		text_cell(out, text_escape(subject_of(p, subject, sizeof(subject)), o->utf8, name, buf, sizeof(buf)),
			  name);
		fprintf(out, " %5llu %4llu %4llu %5llu", (unsigned long long)p->requests,
			(unsigned long long)p->v1_requests, (unsigned long long)p->v2_requests,
			(unsigned long long)p->outcomes[OUTCOME_OK] + p->outcomes[OUTCOME_HTTP_ERROR]);
		latency_cell(out, &p->latency, 0.5);
		latency_cell(out, &p->latency, 0.99);
		latency_cell(out, &p->latency, 1);
		number_or_dash(out, 3, p->ttl_synack, p->ttl_synack > 0);
		number_or_dash(out, 4, p->hops, p->hops >= 0);
		number_or_dash(out, 5, p->required_hop_limit, p->required_hop_limit > 0);
		fprintf(out, " %5llu  %s%s%s%s\n", drops, text_on(o, outcome_style(worst)), outcome_word(worst),
			text_off(o), p->host_network ? " (host network)" : "");
	}
	fprintf(out, "%sTTL of the SYN-ACK as received; HOPS, forwards between service and socket; NEEDS, hop limit%s\n",
		text_on(o, TEXT_DIM), text_off(o));
}

static void report_limits(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	const char *first = o->utf8 ? " • " : " - ";
	char text[LINE_LEN];
	bool head = false;

#define SAY(...)                                                                                            \
	do {                                                                                                \
		if (!head)                                                                                  \
			fprintf(out, "\n%sWhat could not be seen%s\n", text_on(o, TEXT_BOLD), text_off(o)); \
		head = true;                                                                                \
		snprintf(text, sizeof(text), __VA_ARGS__);                                                  \
		text_paragraph(out, o, first, text);                                                        \
	} while (0)
	for (size_t i = 0; i < s->features_len; i++) {
		const struct feature *f = &s->features[i];

		if (strcmp(f->state, "ok"))
			SAY("%s: %s%s%s", f->name, f->state, f->why[0] ? ", " : "", f->why);
	}
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			SAY("%s: %llu%s%s", s->losses[i].name, (unsigned long long)s->losses[i].count,
			    s->losses[i].what[0] ? ", " : "", s->losses[i].what);
	if (s->totals.records_lost)
		SAY("%llu requests are counted without their details: their records were lost",
		    (unsigned long long)s->totals.records_lost);
	if (s->totals.in_flight)
		SAY("%llu requests were still unanswered when watching ended", (unsigned long long)s->totals.in_flight);
	if (!s->baseline_ttl && s->totals.requests)
		SAY("no process in the node's own network asked the service: hops are counted from the usual start "
		    "TTLs");
#undef SAY
	if (!head)
		fprintf(out, "\n%sNothing was lost, every part worked: the counts are exact.%s\n", text_on(o, TEXT_DIM),
			text_off(o));
}

void text_report(FILE *out, const struct snapshot *s, const struct text_options *o)
{
	report_verdict(out, s, o);
	report_findings(out, s, o);
	report_pods(out, s, o);
	report_limits(out, s, o);
}

/* --- trace ------------------------------------------------------------------------------------------------ */

static void trace_widths(const struct text_options *o, size_t *ret_pod, size_t *ret_request)
{
	/* The other columns take 98; pod and request share the rest. */
	size_t rest = (size_t)text_width(o) > 98 + 44 ? (size_t)text_width(o) - 98 : 44;

	*ret_pod = rest / 2 > 40 ? 40 : rest / 2;
	*ret_request = rest - *ret_pod > 48 ? 48 : rest - *ret_pod;
}

void text_trace_header(FILE *out, const struct text_options *o)
{
	size_t pod, request;

	trace_widths(o, &pod, &request);
	fprintf(out, "%s%-12s ", text_on(o, TEXT_BOLD), "TIME");
	text_cell(out, "POD", pod);
	fprintf(out, " %-12s ", "PROCESS");
	text_cell(out, "REQUEST", request);
	fprintf(out, " %-4s %-18s %8s %8s %8s %4s %5s  %s%s\n", "CODE", "OUTCOME", "CONNECT", "FIRST", "TOTAL", "TTL",
		"HOPS", "NOTES", text_off(o));
}

static void trace_time(FILE *out, uint64_t wall_ns)
{
	time_t t = (time_t)(wall_ns / 1000000000u);
	struct tm tm;
	char buf[16];

	if (!localtime_r(&t, &tm) || !strftime(buf, sizeof(buf), "%H:%M:%S", &tm))
		snprintf(buf, sizeof(buf), "--:--:--");
	fprintf(out, "%s.%03u ", buf, (unsigned int)(wall_ns / 1000000 % 1000));
}

static void trace_duration(FILE *out, int64_t us)
{
	char buf[32];

	fprintf(out, " %8s", us < 0 ? "-" : duration((uint64_t)us, buf));
}

static void trace_notes(FILE *out, const struct request *r, const struct text_options *o)
{
	const struct imds_request *q = &r->rec.req;
	const char *sep = "  ";
	char buf[256];

	if (r->fallback) {
		fprintf(out, "%sIMDSv1 after an unanswered token request", sep);
		sep = "; ";
	}
	if (q->drops) {
		fprintf(out, "%s%u drop%s", sep, q->drops, q->drops == 1 ? "" : "s");
		if (r->drop_reason[0])
			fprintf(out, " %s", text_escape(r->drop_reason, o->utf8, 40, buf, sizeof(buf)));
		if (r->drop_location[0])
			fprintf(out, " in %s", text_escape(r->drop_location, o->utf8, 60, buf, sizeof(buf)));
		if (q->drop.ts_ns)
			fprintf(out, ", TTL %u", q->drop.ttl);
		sep = "; ";
	}
	if (q->retransmits || r->rec.syn_retransmits)
		fprintf(out, "%s%u sent again", sep, q->retransmits + r->rec.syn_retransmits);
}

void text_trace_line(FILE *out, const struct request *r, const struct text_options *o)
{
	const struct imds_rec_request *rec = &r->rec;
	const struct imds_request *q = &rec->req;
	char subject[512], text[IMDS_PATH_LEN + 32], comm[IMDS_COMM_LEN + 1], buf[1024];
	const char *confidence = confidence_word(r->confidence);
	size_t pod, request;
	int ttl = q->ttl_response ? q->ttl_response : rec->ttl_synack;

	trace_widths(o, &pod, &request);
	trace_time(out, r->wall_ns);
	text_cell(out, text_escape(findings_subject(r->who, subject, sizeof(subject)), o->utf8, pod, buf, sizeof(buf)),
		  pod);
	fputc(' ', out);
	snprintf(comm, sizeof(comm), "%.*s", IMDS_COMM_LEN, rec->peer.comm[0] ? rec->peer.comm : "-");
	text_cell(out, text_escape(comm, o->utf8, 12, buf, sizeof(buf)), 12);
	fputc(' ', out);
	if (q->method != IMDS_METHOD_NONE)
		snprintf(text, sizeof(text), "%s %.*s", method_word(q->method), IMDS_PATH_LEN,
			 q->path[0] ? q->path : kind_word(q->kind));
	else
		snprintf(text, sizeof(text), "(%s)", kind_word(q->kind));
	text_cell(out, text_escape(text, o->utf8, request, buf, sizeof(buf)), request);
	if (q->status)
		fprintf(out, " %-4u ", q->status);
	else
		fprintf(out, " %-4s ", "-");

	if (r->running)
		snprintf(text, sizeof(text), "%sstalled", o->utf8 ? "…" : "...");
	else
		snprintf(text, sizeof(text), "%s%s%s", outcome_word(r->outcome), confidence ? " " : "",
			 confidence ? confidence : "");
	fputs(text_on(o, r->running ? TEXT_YELLOW : outcome_style(r->outcome)), out);
	text_cell(out, text, 18);
	fputs(text_off(o), out);
	trace_duration(out, request_connect_us(r));
	trace_duration(out, request_first_byte_us(r));
	trace_duration(out, request_duration_us(r, rec->hdr.ts_ns));
	number_or_dash(out, 4, ttl, ttl > 0);
	if (r->hops >= 0)
		snprintf(text, sizeof(text), "%d/%d", r->hops, r->required_hop_limit);
	else
		snprintf(text, sizeof(text), "-");
	fprintf(out, " %5s", text);
	trace_notes(out, r, o);
	fputc('\n', out);
}
