/* SPDX-License-Identifier: GPL-2.0-only */
#include "report_input.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/json_member.h"
#include "../base/small.h"
#include "../report/report.h"

#define SCHEMA "imdsnoop.report/1"
#define SECONDS_MAX 1e12
#define FEATURES_READ 64 /* a report of ours has half as many */
#define ENDPOINTS_READ IMDS_MAX_ENDPOINTS
#define ADVICE_READ 32	      /* lines of one finding */
#define TREE_MAX (320u << 20) /* bytes; a file of many small values would fill the memory many times over */

static int small_of(const json_t *object, const char *key)
{
	uint64_t n = json_count_of(object, key);

	return n <= 255 ? (int)n : 0;
}

static double moment_of(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t s = rest ? timegm(&tm) : 0;
	double part = rest && *rest == '.' ? strtod(rest, NULL) : 0;

	return s > 0 ? (double)s + (part > 0 && part < 1 ? part : 0) : 0;
}

static double seconds_of(const json_t *object, const char *key)
{
	double s = json_number_value(json_object_get(object, key));

	return s > 0 && s < SECONDS_MAX ? s : 0;
}

static int64_t us_or_none(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : -1;
}

static void figures_from(const json_t *object, struct figures *ret)
{
	for (const struct figure *f = figures_table; f->key; f++) {
		if (f->is_time)
			*figures_time(ret, f) = seconds_of(object, f->key);
		else
			*figures_count(ret, f) = json_count_of(object, f->key);
	}
}

static enum level level_of(const json_t *object, enum level otherwise)
{
	int level = WORD_INDEX(json_text_of(object, "level"), LEVEL_COUNT, level_word);

	return level < LEVEL_COUNT ? (enum level)level : otherwise;
}

static unsigned int providers_from(const json_t *list)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		bits |= 1u << WORD_INDEX(word ? word : "", PROVIDER_COUNT, provider_word);
	}
	return bits & ~(1u << PROVIDER_COUNT);
}

/* 0 hops in a network of its own may be a rule's that raises the TTL: pod_stats_seems_near(). */
static bool knows_hops(const json_t *v)
{
	int token = small_of(v, "ttl_token_response");
	bool near = !small_of(v, "hops") && json_is_false(json_object_get(v, "host_network")) &&
		    !json_is_object(json_object_get(v, "answered_by")) &&
		    (!strcmp(json_text_of(v, "hops_source"), hops_source_word(HOPS_FROM_BASELINE)) ||
		     (token && token >= small_of(v, "ttl_synack")));

	return json_is_integer(json_object_get(v, "hops")) && !near;
}

static struct report_name name_from(const json_t *v)
{
	return (struct report_name){ json_text_of(v, "namespace"), json_text_of(v, "pod"), json_text_of(v, "container"),
				     json_text_of(v, "cgroup") };
}

static void pod_from(const json_t *v, const char *node, struct report_pod *p)
{
	const json_t *outcomes = json_object_get(v, "outcomes"), *latency = json_object_get(v, "latency_us");
	const char *hop_limit = json_text_of(v, "hop_limit");

	*p = (struct report_pod){
		.who = name_from(v),
		.other = json_is_true(json_object_get(v, "other")),
		.text = json_text_of(v, "cause_text"),
		.level = level_of(v, LEVEL_OK),
		.p50_us = us_or_none(latency, "p50"),
		.p99_us = us_or_none(latency, "p99"),
		.required_hop_limit = small_of(v, "required_hop_limit"),
		.hops_known = knows_hops(v),
		.providers = providers_from(json_object_get(v, "providers")),
	};
	figures_from(v, &p->figures);
	p->credentials = json_count_of(json_object_get(v, "kinds"), kind_word(IMDS_KIND_CREDENTIALS));
	if (!json_object_get(v, "v1_answered")) /* of a version that did not count it: any of them */
		p->v1_answered = p->v1_credentials = p->v1_requests;
	workload_name(p->pod, node, p->workload, sizeof(p->workload));
	for (int i = 0; i < OUTCOME_COUNT; i++)
		p->outcomes[i] = json_count_of(outcomes, outcome_word(i));
	if (!json_object_get(v, "failed")) /* of a version that did not count it */
		for (int i = 0; i < OUTCOME_COUNT; i++)
			figures_add_count(i == OUTCOME_OK || i == OUTCOME_HTTP_ERROR ? &p->answered : &p->failed,
					  p->outcomes[i]);
	for (int i = HOP_LIMIT_UNKNOWN; i <= HOP_LIMIT_EXHAUSTED; i++)
		if (!strcmp(hop_limit, hop_limit_word(i)))
			p->hop_limit = i;
}

/* Objects of the array only: what else stands in it is no row. */
static size_t objects_in(const json_t *array)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(array); i++)
		n += json_is_object(json_array_get(array, i));
	return n;
}

static int names_from(const json_t *list, struct report_finding *f)
{
	f->pods = calloc(objects_in(list) + 1, sizeof(*f->pods));
	if (!f->pods)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (json_is_object(v))
			f->pods[f->pods_len++] = name_from(v);
	}
	return 0;
}

static int finding_from(const json_t *v, const char *node, struct report_finding *f, size_t *left_out)
{
	const json_t *advice = json_object_get(v, "advice");
	const char *severity = json_text_of(v, "severity");
	size_t all = json_array_size(advice), n = all < ADVICE_READ ? all : ADVICE_READ, kept = 0;

	*f = (struct report_finding){
		.code = json_text_of(v, "code"),
		.who = name_from(v),
		.summary = json_text_of(v, "summary"),
		.advice = calloc(n + 1, sizeof(*f->advice)),
	};
	if (!f->advice || names_from(json_object_get(v, "pods"), f))
		return -ENOMEM;
	*left_out += all - n;
	workload_name(f->pod, node, f->workload, sizeof(f->workload));
	for (int i = SEVERITY_INFO; i <= SEVERITY_ERROR; i++)
		if (!strcmp(severity, severity_word(i)))
			f->severity = i;
	for (size_t i = 0; i < n; i++) {
		const char *line = json_string_value(json_array_get(advice, i));

		if (line)
			f->advice[kept++] = line;
	}
	return 0;
}

static bool is_count(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

/* Absent is not none: of these, nothing is concluded from a zero. */
static bool is_counted(const json_t *totals, json_t *losses, const json_t *pods)
{
	static const char *const counts[] = { "requests", "v1_requests", "v2_requests", "token_requests",
					      "token_answered" };
	bool all = json_is_object(losses) && is_count(json_object_get(totals, "requests"));
	const char *key;
	json_t *v;

	json_object_foreach(losses, key, v)
	{
		all &= is_count(v);
	}
	for (size_t i = 0; i < json_array_size(pods); i++)
		for (size_t k = 0; k < LEN(counts); k++)
			all &= is_count(json_object_get(json_array_get(pods, i), counts[k]));
	return all;
}

static int fill(const json_t *root, struct report_doc *d)
{
	const json_t *features = json_object_get(root, "features"), *pods = json_object_get(root, "pods");
	const json_t *findings = json_object_get(root, "findings"), *totals = json_object_get(root, "totals");
	const json_t *unowned = json_object_get(root, "unowned"), *endpoints = json_object_get(root, "endpoints");
	json_t *losses = json_object_get(root, "losses"), *v;
	const char *key;

	d->version = json_text_of(root, "version");
	d->node = json_text_of(root, "node");
	d->kernel = json_text_of(root, "kernel");
	d->boot_id = json_text_of(root, "boot_id");
	d->scope = json_text_of(root, "scope");
	d->started = json_text_of(root, "started");
	d->started_s = moment_of(d->started);
	d->headline = json_text_of(json_object_get(root, "headline"), "text");
	d->duration_s = seconds_of(root, "duration_s");
	d->node_token_ttl = small_of(root, "node_token_ttl");
	figures_from(totals, &d->figures);
	json_object_foreach(losses, key, v)
	{
		figures_add_count(&d->lost, json_count_of(losses, key));
		figures_add_count(&d->counts_lost, loss_is_of_names(key) ? 0 : json_count_of(losses, key));
	}
	d->is_counted = is_counted(totals, losses, pods);
	for (size_t i = 0; i < json_array_size(unowned); i++)
		figures_add_count(&d->unowned, json_count_of(json_array_get(unowned, i), "packets"));
	d->endpoints = calloc(ENDPOINTS_READ + 1, sizeof(*d->endpoints));
	d->features = calloc(FEATURES_READ, sizeof(*d->features));
	d->pods = calloc(objects_in(pods) + 1, sizeof(*d->pods));
	d->findings = calloc(objects_in(findings) + 1, sizeof(*d->findings));
	if (!d->endpoints || !d->features || !d->pods || !d->findings)
		return -ENOMEM;
	for (size_t i = 0, n = 0; i < json_array_size(endpoints) && n < ENDPOINTS_READ; i++)
		if (json_is_string(json_array_get(endpoints, i)))
			d->endpoints[n++] = json_string_value(json_array_get(endpoints, i));
	for (size_t i = 0; i < json_array_size(features); i++) {
		const json_t *row = json_array_get(features, i);

		if (json_is_object(row) && d->features_len == FEATURES_READ)
			d->left_out++;
		else if (json_is_object(row))
			d->features[d->features_len++] =
			    (struct report_feature){ json_text_of(row, "name"), json_text_of(row, "state") };
	}
	for (size_t i = 0; i < json_array_size(pods); i++)
		if (json_is_object(json_array_get(pods, i)))
			pod_from(json_array_get(pods, i), d->node, &d->pods[d->pods_len++]);
	for (size_t i = 0; i < json_array_size(findings); i++)
		if (json_is_object(json_array_get(findings, i)) &&
		    finding_from(json_array_get(findings, i), d->node, &d->findings[d->findings_len++], &d->left_out))
			return -ENOMEM;
	for (size_t i = 0; i < d->pods_len && !json_object_get(totals, "failed"); i++) {
		figures_add_count(&d->answered, d->pods[i].answered);
		figures_add_count(&d->failed, d->pods[i].failed);
	}
	d->level = d->requests ? LEVEL_OK : LEVEL_QUIET;
	for (size_t i = 0; i < d->findings_len; i++) {
		const struct report_finding *f = &d->findings[i];

		if (f->code && !strcmp(f->code, finding_word(FINDING_OBSERVATION_INCOMPLETE)) &&
		    f->severity != SEVERITY_INFO)
			d->level = LEVEL_BLIND;
		else if (report_level_of(f->severity) > d->level)
			d->level = report_level_of(f->severity);
	}
	d->level = level_of(json_object_get(root, "headline"), d->level);
	return 0;
}

int report_input_from_json(json_t *root, const char *file, struct report_doc *ret, char *msg, size_t msg_len)
{
	const char *schema = json_text_of(root, "schema");

	*ret = (struct report_doc){ .file = file, .owner = root };
	if (!root) {
		snprintf(msg, msg_len, "out of memory");
		return -ENOMEM;
	}
	if (strcmp(schema, SCHEMA)) {
		if (!strncmp(schema, "imdsnoop.", 9))
			snprintf(msg, msg_len, "its schema is '%.40s', not '" SCHEMA "'", schema);
		else
			snprintf(msg, msg_len, "not a report of `imdsnoop report --format json`");
		report_input_clear(ret);
		return -EINVAL;
	}
	if (!json_is_array(json_object_get(root, "pods")) || !json_is_array(json_object_get(root, "findings")) ||
	    !json_is_object(json_object_get(root, "totals"))) {
		snprintf(msg, msg_len, "a report without pods, findings or totals");
		report_input_clear(ret);
		return -EINVAL;
	}
	if (fill(root, ret)) {
		snprintf(msg, msg_len, "out of memory");
		report_input_clear(ret);
		return -ENOMEM;
	}
	return 0;
}

void report_input_clear(struct report_doc *d)
{
	for (size_t i = 0; d->findings && i < d->findings_len; i++) {
		free(d->findings[i].advice);
		free(d->findings[i].pods);
	}
	free(d->findings);
	free(d->pods);
	free(d->features);
	free(d->endpoints);
	json_decref(d->owner);
	*d = (struct report_doc){ 0 };
}

int report_input_slurp(FILE *f, size_t max, char **ret, size_t *ret_len)
{
	size_t len = 0, room = 64 << 10;
	char *buf = malloc(room), *more;

	for (;;) {
		if (!buf)
			return -ENOMEM;
		len += fread(buf + len, 1, room - 1 - len, f);
		if (len < room - 1 || len > max)
			break;
		room *= 2;
		more = realloc(buf, room);
		if (!more)
			free(buf);
		buf = more;
	}
	if (ferror(f) || len > max) {
		free(buf);
		return len > max ? -EFBIG : errno ? -errno : -EIO;
	}
	buf[len] = '\0';
	*ret = buf;
	*ret_len = len;
	return 0;
}

int report_input_read(const char *path, struct report_doc *ret, char *msg, size_t msg_len)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	json_error_t error;
	json_t *root;
	size_t len = 0;
	char *text = NULL;
	int err;

	*ret = (struct report_doc){ 0 };
	if (!f) {
		err = -errno;
		snprintf(msg, msg_len, "%s", strerror(-err));
		return err;
	}
	errno = 0;
	err = report_input_slurp(f, REPORT_INPUT_MAX, &text, &len);
	if (!is_stdin)
		fclose(f);
	if (err) {
		if (err == -EFBIG)
			snprintf(msg, msg_len, "larger than %u MiB", REPORT_INPUT_MAX >> 20);
		else
			snprintf(msg, msg_len, "%s", strerror(-err));
		return err;
	}
	if (json_tree_bytes(text, len) > TREE_MAX) {
		free(text);
		snprintf(msg, msg_len, "it holds more values than any report: more than %u MiB when read",
			 TREE_MAX >> 20);
		return -EFBIG;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!root) {
		snprintf(msg, msg_len, len ? "not JSON: line %d: %s" : "empty", error.line, error.text);
		return -EINVAL;
	}
	return report_input_from_json(root, path, ret, msg, msg_len);
}
