/* SPDX-License-Identifier: GPL-2.0-only */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/small.h"
#include "../model/facts.def"
#include "../base/utf8.h"

/* An object being built: the first failure sticks, so that callers put and ask once, as ferror(3) does for streams. */
struct builder {
	json_t *object;
	bool failed;
};

static struct builder begin(void)
{
	struct builder b = { .object = json_object() };

	b.failed = !b.object;
	return b;
}

static json_t *end(struct builder *b)
{
	if (!b->failed)
		return b->object;
	json_decref(b->object);
	return NULL;
}

/* Takes value in any case; NULL, of value or object, counts as no memory: jansson's *_new() functions see to both. */
static void put(struct builder *b, const char *key, json_t *value)
{
	if (json_object_set_new(b->object, key, value))
		b->failed = true;
}

json_t *json_list(const void *of, size_t len, json_t *(*value)(const void *of, size_t i))
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < len; i++)
		if (json_array_append_new(list, value(of, i))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *json_text(const char *bytes)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	json_t *value;
	char *fixed, *out;

	if (!bytes)
		return json_null();
	value = json_string(bytes); /* refuses invalid UTF-8 */
	if (value)
		return value;
	out = fixed = malloc(strlen(bytes) * 3 + 1);
	if (!fixed)
		return NULL;
	while (*bytes) {
		size_t len = utf8_len((const unsigned char *)bytes);

		memcpy(out, len ? bytes : replacement, len ? len : 3);
		out += len ? len : 3;
		bytes += len ? len : 1;
	}
	*out = '\0';
	value = json_string(fixed);
	free(fixed);
	return value;
}

const char *json_time(uint64_t wall_ns, char *buf, size_t len)
{
	time_t s = wall_ns / 1000000000;
	char day[24];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(day, sizeof(day), "1970-01-01T00:00:00");
	snprintf(buf, len, "%s.%06uZ", day, (unsigned int)(wall_ns % 1000000000 / 1000));
	return buf;
}

static json_t *time_value(uint64_t wall_ns)
{
	char buf[40];

	return json_string(json_time(wall_ns, buf, sizeof(buf)));
}

json_t *json_unless_negative(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

json_t *json_if_positive(int64_t n)
{
	return n <= 0 ? json_null() : json_integer(n);
}

json_t *json_unless_empty(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}

json_t *json_seconds(double s, double per_second)
{
	return json_real(s >= 0 && s < 1e12 ? (double)(int64_t)(s * per_second + 0.5) / per_second : 0);
}

/* A fixed field of the kernel, which ends in NUL where it is shorter. */
static json_t *comm_value(const char comm[IMDS_COMM_LEN])
{
	char buf[IMDS_COMM_LEN + 1];

	memcpy(buf, comm, IMDS_COMM_LEN);
	buf[IMDS_COMM_LEN] = '\0';
	return json_text(buf);
}

/* Of whom it is, as far as people need it; NULL: of nobody. */
static void put_names(struct builder *b, const struct pod_identity *who)
{
	put(b, "namespace", json_text(who ? who->namespace : ""));
	put(b, "pod", json_text(who ? who->pod : ""));
	put(b, "container", json_text(who ? who->container : ""));
	put(b, "cgroup", json_text(who ? who->cgroup : ""));
}

json_t *json_with_identity(json_t *object, const struct pod_identity *who)
{
	struct builder b = { .object = object };

	put(&b, "namespace", json_text(who->namespace));
	put(&b, "pod", json_text(who->pod));
	put(&b, "container", json_text(who->container));
	put(&b, "pod_uid", json_text(who->pod_uid));
	put(&b, "container_id", json_text(who->container_id));
	put(&b, "cgroup", json_text(who->cgroup));
	put(&b, "cgroup_id", json_integer(who->cgroup_id));
	put(&b, "runtime", json_string(runtime_word(who->runtime)));
	put(&b, "workload", json_text(who->workload));
	put(&b, "project", json_text(who->project));
	return end(&b);
}

static json_t *request_address_value(const struct imds_addr *addr, uint16_t port)
{
	char buf[64];

	return json_string(request_address(addr, port, buf, sizeof(buf)));
}

static json_t *ancestor_at(const void *peer, size_t i)
{
	return comm_value(((const struct imds_peer *)peer)->ancestors[i]);
}

static json_t *ancestors_value(const struct imds_peer *peer)
{
	size_t len = 0;

	while (len < IMDS_ANCESTORS && peer->ancestors[len][0])
		len++;
	return json_list(peer, len, ancestor_at);
}

static json_t *answerer_value(const struct answerer *a)
{
	struct builder b;

	if (!a)
		return json_null();
	b = begin();
	put(&b, "process", json_text(a->process));
	put(&b, "pid", json_integer(a->pid));
	put_names(&b, a->who);
	put(&b, "address", json_text(a->address));
	return end(&b);
}

static json_t *path_value(const struct imds_request *q)
{
	char path[IMDS_PATH_LEN];
	size_t len = q->path_len < IMDS_PATH_LEN ? q->path_len : IMDS_PATH_LEN - 1;

	memcpy(path, q->path, len);
	path[len] = '\0';
	return json_text(path);
}

static json_t *host_network_value(bool known, bool host)
{
	return known ? json_boolean(host) : json_null();
}

static json_t *facts_value(const struct request *r)
{
	struct builder b = begin();

#define PUT_FACT(key, member, most) \
	if (r->member)              \
		put(&b, key, json_integer(r->member));
	REQUEST_FACTS(PUT_FACT)
	return end(&b);
}

json_t *json_request(const struct request *r, uint64_t now_ns, bool redact)
{
	const struct imds_request *q = &r->rec.req;
	const struct imds_peer *peer = &r->rec.peer;
	bool dropped = q->drop.ts_ns != 0;
	struct builder b = begin();

	put(&b, "type", json_string(r->running ? "stall" : "request"));
	put(&b, "time", time_value(r->wall_ns));
	put(&b, "node", json_text(r->node));
	b.object = json_with_identity(b.object, r->who);
	put(&b, "pid", json_integer(peer->pid));
	put(&b, "comm", comm_value(peer->comm));
	put(&b, "ancestors", ancestors_value(peer));
	put(&b, "endpoint", request_address_value(&peer->remote, peer->remote_port));
	put(&b, "local", request_address_value(&peer->local, peer->local_port));
	put(&b, "provider", json_string(provider_word(r->provider)));
	put(&b, "kind", json_string(kind_word(q->kind)));
	put(&b, "imds_version", json_unless_empty(version_word(q->version)));
	put(&b, "method", json_string(method_word(q->method)));
	put(&b, "path", redact ? json_string("") : path_value(q));
	put(&b, "status", json_if_positive(q->status));
	put(&b, "outcome", json_string(outcome_word(r->outcome)));
	put(&b, "cause", json_unless_empty(cause_word(r->cause)));
	put(&b, "answered_by", answerer_value(r->answered_by));
	put(&b, "confidence", json_unless_empty(confidence_word(r->confidence)));
	put(&b, "connect_us", json_unless_negative(request_connect_us(r)));
	put(&b, "first_byte_us", json_unless_negative(request_first_byte_us(r)));
	put(&b, "duration_us", json_unless_negative(request_duration_us(r, now_ns)));
	put(&b, "ttl_synack", json_if_positive(r->rec.ttl_synack));
	put(&b, "ttl_response", json_if_positive(q->ttl_response));
	put(&b, "ttl_dropped", dropped ? json_integer(q->drop.ttl) : json_null());
	put(&b, "hops", json_unless_negative(r->hops));
	put(&b, "required_hop_limit", json_if_positive(r->required_hop_limit));
	put(&b, "hops_source", json_string(hops_source_word(r->hops_source)));
	put(&b, "retransmits", json_integer(q->retransmits));
	put(&b, "drops", json_integer(q->drops));
	put(&b, "drop_reason", json_unless_empty(r->drop_reason));
	put(&b, "drop_location", json_unless_empty(r->drop_location));
	put(&b, "drop_match", json_unless_empty(dropped ? drop_match_word(q->drop.match) : NULL));
	put(&b, "bytes_out", json_integer(q->bytes_out));
	put(&b, "bytes_in", json_integer(q->bytes_in));
	put(&b, "fallback", json_boolean(r->fallback));
	put(&b, "host_network", host_network_value(q->flags & IMDS_F_NETNS_KNOWN, q->flags & IMDS_F_HOST_NETNS));
	put(&b, "facts", facts_value(r));
	return end(&b);
}

/* Counts above zero by name. */
#define PUT_COUNTS(b, key, counts, count_of, word)                                  \
	do {                                                                        \
		struct builder map_ = begin();                                      \
                                                                                    \
		for (int i_ = 0; i_ < (count_of); i_++)                             \
			if ((counts)[i_] && (word)(i_))                             \
				put(&map_, (word)(i_), json_integer((counts)[i_])); \
		put(b, key, end(&map_));                                            \
	} while (0)

static json_t *latency_value(const struct histogram *h)
{
	static const struct {
		const char *key;
		double quantile;
	} rows[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 } };
	struct builder b = begin();

	for (size_t i = 0; i < LEN(rows); i++)
		put(&b, rows[i].key, h->count ? json_integer(histogram_quantile_us(h, rows[i].quantile)) : json_null());
	put(&b, "max", h->count ? json_integer(h->max_us) : json_null());
	return end(&b);
}

/* Count by upper bound, as in the metrics: not cumulative, only what is above zero. */
static json_t *buckets_value(const struct histogram *h)
{
	struct builder b = begin();
	char bound[24];

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		snprintf(bound, sizeof(bound), "%llu", (unsigned long long)histogram_bounds_us[i]);
		put(&b, histogram_bounds_us[i] == UINT64_MAX ? "inf" : bound, json_integer(h->bucket[i]));
	}
	return end(&b);
}

json_t *json_with_figures(json_t *object, const struct figures *figures)
{
	struct figures all = *figures;
	struct builder b = { .object = object };

	for (const struct figure *f = figures_table; f->key; f++)
		put(&b, f->key,
		    f->is_time ? json_seconds(*figures_time(&all, f), 1e6)
			       : json_integer((json_int_t)*figures_count(&all, f)));
	return end(&b);
}

/* What has a meaning for one container and, added up, for all. */
static void put_counts(struct builder *b, const struct pod_stats *p)
{
	b->object = json_with_figures(b->object, &p->figures);
	PUT_COUNTS(b, "outcomes", p->outcomes, OUTCOME_COUNT, outcome_word);
	PUT_COUNTS(b, "causes", p->causes, CAUSE_COUNT, cause_word);
	PUT_COUNTS(b, "confidences", p->confidences, CONFIDENCE_COUNT, confidence_word);
	PUT_COUNTS(b, "kinds", p->kinds, IMDS_KIND_COUNT, kind_word);
	PUT_COUNTS(b, "responses", p->responses, IMDS_STATUS_COUNT, status_class_word);
	put(b, "latency_us", latency_value(&p->latency));
	put(b, "latency_buckets_us", buckets_value(&p->latency));
}

static int by_reason(const void *a, const void *b)
{
	return strcmp(((const struct drop_count *)a)->reason, ((const struct drop_count *)b)->reason);
}

/* By name: the table's order is that of the kernel's map, another one in each run. */
static json_t *drops_value(const struct pod_stats *p)
{
	struct drop_count rows[POD_STATS_REASONS];
	size_t len = p->drops_len < POD_STATS_REASONS ? p->drops_len : POD_STATS_REASONS;
	struct builder b = begin();

	memcpy(rows, p->drops, len * sizeof(rows[0]));
	qsort(rows, len, sizeof(rows[0]), by_reason);
	for (size_t i = 0; i < len; i++) {
		const char *reason = rows[i].reason;
		json_t *seen = b.failed ? NULL : json_object_get(b.object, reason);

		put(&b, reason, json_integer(rows[i].packets + (seen ? json_integer_value(seen) : 0)));
	}
	return end(&b);
}

static json_t *process_at(const void *of, size_t i)
{
	const struct process_count *c = &((const struct pod_stats *)of)->processes[i];
	struct builder b = begin();

	put(&b, "pid", json_integer(c->pid));
	put(&b, "comm", comm_value(c->comm));
	put(&b, "parent", comm_value(c->parent));
	put(&b, "requests", json_integer(c->requests));
	put(&b, "v1_requests", json_integer(c->v1_requests));
	put(&b, "token_unanswered", json_integer(c->token_unanswered));
	return end(&b);
}

static json_t *word_at(const void *words, size_t i)
{
	return json_text(((const char *const *)words)[i]);
}

static json_t *providers_value(unsigned int bits)
{
	const char *words[PROVIDER_COUNT];
	size_t len = 0;

	for (int i = 0; i < PROVIDER_COUNT; i++)
		if (bits & (1u << i))
			words[len++] = provider_word(i);
	return json_list(words, len, word_at);
}

static const char *highest_confidence(const struct pod_stats *p)
{
	for (int i = CONFIDENCE_COUNT - 1; i > CONFIDENCE_NONE; i--)
		if (p->confidences[i])
			return confidence_word(i);
	return NULL;
}

static json_t *station_at(const void *of, size_t i)
{
	const struct path *path = of;
	const struct station *st = &path->stations[i];
	struct builder b = begin();

	put(&b, "name", json_text(st->name));
	put(&b, "ttl", json_if_positive(st->ttl));
	put(&b, "reached", json_boolean(st->reached));
	put(&b, "died", json_boolean(st->died));
	put(&b, "note", json_unless_empty(st->died ? path->note : i + 1 == path->len ? path->tail : ""));
	return end(&b);
}

static json_t *pod_at(const void *rows, size_t i)
{
	const struct report_row *row = &((const struct report_row *)rows)[i];
	const struct pod_stats *p = row->p;
	struct builder b = begin();

	b.object = json_with_identity(b.object, &p->who);
	put(&b, "other", json_boolean(p->other));
	put(&b, "host_network", host_network_value(p->host_network || p->own_network, p->host_network));
	put_counts(&b, p);
	put(&b, "hops", json_unless_negative(p->hops));
	put(&b, "required_hop_limit", json_if_positive(p->required_hop_limit));
	put(&b, "hops_source", json_string(hops_source_word(p->hops_source)));
	put(&b, "hop_limit", json_string(hop_limit_word(p->hop_limit)));
	put(&b, "confidence", json_unless_empty(highest_confidence(p)));
	put(&b, "ttl_synack", json_if_positive(p->ttl_synack));
	put(&b, "ttl_response", json_if_positive(p->ttl_response));
	put(&b, "ttl_token_response", json_if_positive(p->ttl_token_response));
	put(&b, "ttl_dropped", json_if_positive(p->ttl_dropped));
	put(&b, "drops", drops_value(p));
	put(&b, "hop_limit_drops", json_integer(p->hop_limit_drops));
	put(&b, "policy_drops", json_integer(p->policy_drops));
	put(&b, "drop_location", json_unless_empty(p->hop_limit_drops ? p->drop_location : p->policy_location));
	put(&b, "drop_reason", json_unless_empty(p->hop_limit_drops ? p->death_reason : p->policy_reason));
	put(&b, "providers", providers_value(p->providers));
	put(&b, "processes", json_list(p, p->processes_len, process_at));
	put(&b, "level", json_string(level_word(row->level)));
	put(&b, "cause", json_unless_empty(cause_word(row->cause)));
	put(&b, "cause_text", json_text(row->text));
	put(&b, "way", json_list(&row->path, row->path.len, station_at));
	put(&b, "answered_by", answerer_value(p->answered_by));
	return end(&b);
}

json_t *json_texts(const char *const *texts)
{
	size_t len = 0;

	while (texts && texts[len])
		len++;
	return json_list(texts, len, word_at);
}

static json_t *feature_at(const void *rows, size_t i)
{
	const struct feature *f = &((const struct feature *)rows)[i];
	struct builder b = begin();

	put(&b, "name", json_text(f->name));
	put(&b, "state", json_text(f->state));
	put(&b, "why", json_text(f->why));
	return end(&b);
}

json_t *json_features(const struct feature *rows, size_t len)
{
	return json_list(rows, len, feature_at);
}

static json_t *losses_value(const struct snapshot *s)
{
	struct builder b = begin();

	for (size_t i = 0; i < s->losses_len; i++)
		put(&b, s->losses[i].name, json_integer(s->losses[i].count));
	return end(&b);
}

/* All pods of a finding, the first one's name stands in it too. */
static json_t *folded_at(const void *pods, size_t i)
{
	struct builder b = begin();

	put_names(&b, ((const struct finding_pod *)pods)[i].who);
	return end(&b);
}

static json_t *finding_at(const void *findings, size_t i)
{
	const struct finding *f = &((const struct finding *)findings)[i];
	struct builder b = begin();

	put(&b, "severity", json_string(severity_word(f->severity)));
	put(&b, "code", json_string(finding_word(f->code)));
	put(&b, "namespace", json_text(f->namespace));
	put(&b, "pod", json_text(f->pod));
	put(&b, "container", json_text(f->container));
	put(&b, "cgroup", json_text(f->cgroup));
	put(&b, "workload", json_text(f->workload));
	put(&b, "pods", json_list(f->pods, f->pods_len, folded_at));
	put(&b, "summary", json_text(f->summary));
	put(&b, "evidence", json_texts((const char *const *)f->evidence));
	put(&b, "advice", json_texts((const char *const *)f->advice));
	return end(&b);
}

static json_t *totals_value(const struct snapshot *s)
{
	struct builder b = begin();

	put(&b, "pods", json_integer(s->pods_len));
	put_counts(&b, &s->totals);
	put(&b, "drops", drops_value(&s->totals));
	return end(&b);
}

static json_t *duration_value(const struct snapshot *s)
{
	return json_seconds(s->now_ns > s->started_ns ? (s->now_ns - s->started_ns) / 1e9 : 0, 1e3);
}

static json_t *headline_value(const struct report *r)
{
	struct builder b = begin();

	put(&b, "level", json_string(level_word(r->level)));
	put(&b, "text", json_text(r->headline));
	return end(&b);
}

static json_t *platform_value(const struct platform *p)
{
	struct builder b = begin();

	put(&b, "cloud", p->cloud == PROVIDER_OTHER ? json_null() : json_string(provider_word(p->cloud)));
	put(&b, "runtime", json_string(runtime_word(p->runtime)));
	return end(&b);
}

static json_t *unowned_at(const void *rows, size_t i)
{
	const struct unowned *u = &((const struct unowned *)rows)[i];
	struct builder b = begin();

	put(&b, "address", request_address_value(&u->address, u->port));
	put(&b, "device", json_text(u->device));
	put(&b, "name", json_text(u->name ? u->name : ""));
	put(&b, "packets", json_integer(u->packets));
	put(&b, "ttl", json_integer(u->ttl));
	put(&b, "drop_reason", json_unless_empty(u->reason));
	put(&b, "drop_location", json_unless_empty(u->location));
	return end(&b);
}

static json_t *scope_value(const struct snapshot *s)
{
	return json_unless_empty(s->part ? s->part : s->boot_id ? "node" : NULL);
}

json_t *json_report(const struct snapshot *s)
{
	struct report r;
	json_t *v = report_build(s, &r) ? NULL : json_said(&r);

	report_clear(&r);
	return v;
}

json_t *json_said(const struct report *r)
{
	const struct snapshot *s = r->s;
	struct builder b = begin();

	put(&b, "schema", json_string("imdsnoop.report/1"));
	put(&b, "version", json_text(s->version));
	put(&b, "node", json_text(s->node));
	put(&b, "kernel", json_text(s->kernel));
	put(&b, "started", time_value(s->started_wall_ns));
	put(&b, "duration_s", duration_value(s));
	put(&b, "headline", headline_value(r));
	put(&b, "platform", platform_value(&r->platform));
	put(&b, "endpoints", json_texts(s->endpoints));
	put(&b, "baseline_ttl", json_if_positive(s->baseline_ttl));
	put(&b, "node_token_ttl", json_if_positive(s->node_token_ttl));
	put(&b, "features", json_features(s->features, s->features_len));
	put(&b, "losses", losses_value(s));
	put(&b, "totals", totals_value(s));
	put(&b, "pods", json_list(r->rows, r->rows_len, pod_at));
	put(&b, "findings", json_list(s->findings, s->findings_len, finding_at));
	put(&b, "unowned", json_list(s->unowned, s->unowned_len, unowned_at));
	put(&b, "boot_id", json_unless_empty(s->boot_id));
	put(&b, "scope", scope_value(s));
	return end(&b);
}

json_t *json_start(const struct snapshot *s)
{
	struct builder b = begin();

	put(&b, "type", json_string("start"));
	put(&b, "time", time_value(s->started_wall_ns));
	put(&b, "version", json_text(s->version));
	put(&b, "kernel", json_text(s->kernel));
	put(&b, "node", json_text(s->node));
	put(&b, "endpoints", json_texts(s->endpoints));
	put(&b, "features", json_features(s->features, s->features_len));
	put(&b, "scope", scope_value(s));
	put(&b, "abi", json_integer(IMDS_ABI_VERSION));
	put(&b, "started_ns", json_integer(s->started_ns));
	return end(&b);
}

/* What a loss means, for those that happened. */
static json_t *loss_meanings_value(const struct snapshot *s)
{
	struct builder b = begin();

	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			put(&b, s->losses[i].name, json_text(s->losses[i].what));
	return end(&b);
}

json_t *json_end(const struct snapshot *s)
{
	struct builder b = begin();

	put(&b, "type", json_string("end"));
	put(&b, "time", time_value(s->now_wall_ns));
	put(&b, "duration_s", duration_value(s));
	put(&b, "totals", totals_value(s));
	put(&b, "losses", losses_value(s));
	put(&b, "loss_meanings", loss_meanings_value(s));
	put(&b, "unowned", json_list(s->unowned, s->unowned_len, unowned_at));
	put(&b, "now_ns", json_integer(s->now_ns));
	return end(&b);
}

/* jansson hands out a few bytes at a time; its own json_dumpf() takes the stream's lock for each. */
static int print_piece(const char *piece, size_t len, void *f)
{
	return fwrite_unlocked(piece, 1, len, f) == len ? 0 : -1;
}

int json_print(json_t *v, bool indent, FILE *f)
{
	int err = 0;

	if (!v)
		return -ENOMEM;
	errno = 0;
	if (json_dump_callback(v, print_piece, f, JSON_DUMP_FLAGS | (indent ? JSON_INDENT(2) : JSON_COMPACT)) ||
	    fputc('\n', f) == EOF)
		err = errno ? -errno : -EIO;
	json_decref(v);
	return err;
}
