/* SPDX-License-Identifier: GPL-2.0-only */
#include "trace_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/hash.h"
#include "../base/json_member.h"
#include "../base/small.h"
#include "../report/findings.h"
#include "../session/trace_counts.h"

#define FEATURES_READ 64 /* rows of a later version's first line are more than ours, but not many more */
#define LOSSES_READ 64
#define LOSSES_OWN 4

/* A stall whose request has not been told yet: at the end it is added as it stands, as a live report does. */
struct open_stall {
	struct {
		uint64_t cookie, start_ns;
	} key;
	json_t *line;
	UT_hash_handle hh;
};

#define ANSWERERS_MAX 256 /* as many as a session tells apart */

/* Who a line says answered; strings are v's. */
struct told_answerer {
	struct told_answerer *next;
	json_t *v;
	struct answerer a;
	struct pod_identity who;
};

struct trace_input {
	const struct options *o;
	const struct session_callbacks *cb;
	struct pod_table *table;
	struct open_stall *stalls;
	struct told_answerer *answerers; /* rows point to them */
	json_t *start, *end;		 /* first and last line; the snapshot borrows from them */
	struct imds_endpoint endpoints[IMDS_MAX_ENDPOINTS];
	const char *endpoint_texts[IMDS_MAX_ENDPOINTS + 1];
	struct feature features[FEATURES_READ];
	struct loss losses[LOSSES_READ + LOSSES_OWN];
	struct unowned unowned[IMDS_UNOWNED];
	uint64_t requests, newest_ns, unkept_stalls;
	struct trace_input_stats stats;
	struct snapshot snapshot;
};

static void refuse(struct trace_input *t, const char *why)
{
	if (!t->stats.bad++) {
		t->stats.first_bad = t->stats.lines;
		snprintf(t->stats.why, sizeof(t->stats.why), "%s", why);
	}
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

struct reader {
	FILE *f;
	char *buf;
	size_t len, room;
	bool in_trace; /* else this is the first line, and one that is too long may have no end */
};

/*
 * 1: a line, without its newline; 0: the end; -EFBIG: a line that is too long, skipped in a trace; another negative errno.
 */
static int read_line(struct reader *r)
{
	bool any = false, skip = false;
	char *more;
	int c;

	r->len = 0;
	while ((c = getc_unlocked(r->f)) != EOF) {
		any = true;
		if (c == '\n')
			break;
		if (skip || r->len == TRACE_INPUT_LINE_MAX) {
			skip = true;
			if (!r->in_trace)
				break;
			continue;
		}
		more = with_room(r->buf, r->len + 1, &r->room, 4096, 1);
		if (!more)
			return -ENOMEM;
		r->buf = more;
		r->buf[r->len++] = (char)c;
	}
	if (ferror(r->f))
		return errno ? -errno : -EIO;
	return skip ? -EFBIG : any;
}

/* A started date of json_time(): RFC 3339, UTC, microseconds. 0 when it is none. */
static uint64_t time_from(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t s = rest ? timegm(&tm) : -1;
	uint64_t us = 0;
	int n = 0;

	if (s < 0 || s > INT32_MAX * 4ll || *rest++ != '.')
		return 0;
	for (; n < 6 && *rest >= '0' && *rest <= '9'; n++)
		us = us * 10 + (uint64_t)(*rest++ - '0');
	return n == 6 ? ((uint64_t)s * 1000000 + us) * 1000 : 0;
}

/* --- the first line ----------------------------------------------------------------------------------------------- */

static int read_start(struct trace_input *t, char *msg, size_t len)
{
	const json_t *endpoints = json_object_get(t->start, "endpoints"),
		     *features = json_object_get(t->start, "features");
	struct snapshot *s = &t->snapshot;
	size_t n = 0;

	if (strcmp(json_text_of(t->start, "type"), "start")) {
		snprintf(msg, len, "not the output of `imdsnoop trace --json`: it does not begin with a start line");
		return -EINVAL;
	}
	if (json_count_of(t->start, "abi") != IMDS_ABI_VERSION) {
		snprintf(msg, len, "written by another version (%.40s): its facts cannot be read by this one",
			 json_text_of(t->start, "version"));
		return -EINVAL;
	}
	for (size_t i = 0; i < json_array_size(endpoints) && n < IMDS_MAX_ENDPOINTS; i++) {
		const char *text = json_string_value(json_array_get(endpoints, i));

		if (!text || options_parse_endpoint(text, &t->endpoints[n])) {
			snprintf(msg, len, "its start line names an endpoint that is no address");
			return -EINVAL;
		}
		t->endpoint_texts[n++] = text;
	}
	if (!n) {
		snprintf(msg, len, "its start line names no endpoint");
		return -EINVAL;
	}
	s->endpoints = t->endpoint_texts;
	s->version = json_text_of(t->start, "version");
	s->node = json_text_of(t->start, "node");
	s->kernel = json_text_of(t->start, "kernel");
	if (*json_text_of(t->start, "scope") && strcmp(json_text_of(t->start, "scope"), "node") != 0)
		s->part = json_text_of(t->start, "scope");
	s->started_wall_ns = time_from(json_text_of(t->start, "time"));
	s->started_ns = json_count_of(t->start, "started_ns");
	s->features = t->features;
	for (size_t i = 0; i < json_array_size(features) && s->features_len < FEATURES_READ; i++) {
		const json_t *row = json_array_get(features, i);

		if (json_is_object(row))
			t->features[s->features_len++] =
			    (struct feature){ json_text_of(row, "name"), json_text_of(row, "state"),
					      json_text_of(row, "why") };
	}
	struct pod_table_options to = options_pod_table(t->o);

	to.endpoints = t->endpoints;
	to.endpoints_len = n;
	if (pod_table_new(&to, &t->table)) {
		snprintf(msg, len, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct open_stall *stall_find(struct trace_input *t, const struct request *r)
{
	struct open_stall want = { .key = { r->rec.peer.cookie, r->rec.req.start_ns } }, *st;

	HASH_FIND(hh, t->stalls, &want.key, sizeof(want.key), st);
	return st;
}

static void stall_forget(struct trace_input *t, struct open_stall *st)
{
	HASH_DEL(t->stalls, st);
	json_decref(st->line);
	free(st);
}

static void stall_keep(struct trace_input *t, const struct request *r, json_t *line)
{
	struct open_stall *st = stall_find(t, r);

	if (st)
		return;
	st = HASH_COUNT(t->stalls) < t->o->max_flows ? calloc(1, sizeof(*st)) : NULL;
	if (!st) {
		t->unkept_stalls++;
		return;
	}
	st->key.cookie = r->rec.peer.cookie;
	st->key.start_ns = r->rec.req.start_ns;
	HASH_ADD(hh, t->stalls, key, sizeof(st->key), st);
	if (HASH_ADDED(st))
		st->line = json_incref(line);
	else
		t->unkept_stalls++;
}

static void add(struct trace_input *t, struct request *r)
{
	uint64_t now_ns = r->judged_ns;

	r->wall_ns = t->snapshot.started_wall_ns + request_start_ns(r) - t->snapshot.started_ns;
	pod_table_set_drops_watched(t->table, r->drops_watched);
	pod_table_add_request(t->table, r, now_ns);
	if (now_ns > t->newest_ns)
		t->newest_ns = now_ns;
	if (r->running) {
		if (t->cb->on_stall)
			t->cb->on_stall(t->cb->arg, r, now_ns);
		return;
	}
	t->requests++;
	if (t->cb->on_drop && r->rec.req.drop.ts_ns) {
		struct imds_rec_drop drop = { .peer = r->rec.peer, .drop = r->rec.req.drop, .kind = r->rec.req.kind };

		t->cb->on_drop(t->cb->arg, r->who, &drop, r->drop_reason, r->drop_location);
	}
	if (t->cb->on_request)
		t->cb->on_request(t->cb->arg, r, now_ns);
}

static const char *answerer_text(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "";
}

/* NULL: nobody is said to, or too many are. */
static const struct answerer *answerer_of(struct trace_input *t, const json_t *line)
{
	static const struct pod_identity nobody = POD_IDENTITY_NOBODY;
	json_t *v = json_object_get(line, "answered_by");
	json_int_t pid = json_integer_value(json_object_get(v, "pid"));
	struct told_answerer *a;
	size_t n = 0;

	if (!json_is_object(v))
		return NULL;
	for (a = t->answerers; a; a = a->next, n++)
		if (json_equal(a->v, v))
			return &a->a;
	a = n < ANSWERERS_MAX ? calloc(1, sizeof(*a)) : NULL;
	if (!a)
		return NULL;
	a->v = json_incref(v);
	a->who = nobody;
	a->who.namespace = answerer_text(v, "namespace");
	a->who.pod = answerer_text(v, "pod");
	a->who.container = answerer_text(v, "container");
	a->who.cgroup = answerer_text(v, "cgroup");
	a->a.process = answerer_text(v, "process");
	a->a.pid = pid > 0 && pid <= UINT32_MAX ? (uint32_t)pid : 0;
	snprintf(a->a.address, sizeof(a->a.address), "%s", answerer_text(v, "address"));
	if (a->who.pod[0] || a->who.container[0] || a->who.cgroup[0])
		a->a.who = &a->who;
	a->next = t->answerers;
	t->answerers = a;
	return &a->a;
}

static void read_request(struct trace_input *t, json_t *line)
{
	struct pod_identity who;
	struct open_stall *st;
	struct request r;
	const char *why = trace_input_request(line, &r, &who);

	if (why) {
		refuse(t, why);
		return;
	}
	r.answered_by = answerer_of(t, line);
	if (r.running) {
		stall_keep(t, &r, line);
	} else {
		st = stall_find(t, &r);
		if (st)
			stall_forget(t, st);
	}
	add(t, &r);
}

/* What hung when the trace ended, as session_snapshot() does it with close_open. */
static void close_stalls(struct trace_input *t, uint64_t now_ns)
{
	struct open_stall *st, *tmp;

	HASH_ITER (hh, t->stalls, st, tmp) {
		struct pod_identity who;
		struct request r;

		if (!trace_input_request(st->line, &r, &who)) {
			r.answered_by = answerer_of(t, st->line);
			r.running = false;
			r.judged_ns = now_ns;
			r.rec.req.end = IMDS_END_EXPIRED;
			r.rec.req.end_ns = now_ns;
			r.rec.hdr.ts_ns = now_ns;
			add(t, &r);
			t->requests--; /* the end line does not count it */
		}
		stall_forget(t, st);
	}
}

static void read_one(struct trace_input *t, struct reader *r)
{
	json_t *line = json_loadb(r->buf, r->len, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_text_of(line, "type");

	if (!line)
		refuse(t, "not JSON");
	else if (t->end)
		refuse(t, "behind the end line");
	else if (!strcmp(type, "request") || !strcmp(type, "stall"))
		read_request(t, line);
	else if (!strcmp(type, "end"))
		t->end = json_incref(line);
	else
		refuse(t, "neither request, stall nor end");
	json_decref(line);
}

static int read_all(struct trace_input *t, FILE *f, char *msg, size_t msg_len)
{
	struct reader r = { .f = f };
	int got, err = 0;

	errno = 0;
	while ((got = read_line(&r)) == 1 || got == -EFBIG) {
		t->stats.lines++;
		if (got == -EFBIG) {
			refuse(t, "too long");
		} else if (t->start) {
			read_one(t, &r);
			continue;
		} else {
			t->start = json_loadb(r.buf, r.len, JSON_REJECT_DUPLICATES, NULL);
		}
		if (!t->start || !t->table) {
			err = read_start(t, msg, msg_len);
			if (err)
				break;
			r.in_trace = true;
		}
	}
	free(r.buf);
	if (!err && got < 0) {
		err = got;
		snprintf(msg, msg_len, "%s", strerror(-got));
	} else if (!err && !t->table) {
		err = -EINVAL;
		snprintf(msg, msg_len, "empty");
	}
	return err;
}

/* --- the last line ------------------------------------------------------------------------------------------------ */

static void add_loss(struct trace_input *t, const char *name, const char *what, uint64_t count)
{
	if (count)
		t->losses[t->snapshot.losses_len++] = (struct loss){ name, what, count };
}

static void fill_losses(struct trace_input *t)
{
	const json_t *meanings = json_object_get(t->end, "loss_meanings");
	json_t *losses = json_object_get(t->end, "losses"), *v;
	uint64_t told = json_count_of(json_object_get(t->end, "totals"), "requests");
	uint64_t unrecorded = json_count_of(json_object_get(t->end, "totals"), "records_lost");
	const char *key;

	json_object_foreach(losses, key, v) if (t->snapshot.losses_len < LOSSES_READ)
	    t->losses[t->snapshot.losses_len++] =
	    (struct loss){ key, json_text_of(meanings, key), json_count_of(losses, key) };
	t->snapshot.losses = t->losses;
	told = told > unrecorded ? told - unrecorded : 0;
	t->stats.missing = t->end && told > t->requests ? told - t->requests : 0;
	add_loss(t, "trace_lines_bad", "lines of the trace that could not be read", t->stats.bad);
	add_loss(t, "trace_requests_missing",
		 "requests that the trace counts and does not tell: it was filtered or cut", t->stats.missing);
	add_loss(t, "trace_cut", "the trace has no end line: packets and drops are not counted", t->stats.cut);
	add_loss(t, "trace_stalls_over_limit", "stalled requests not followed to the end: raise --max-flows",
		 t->unkept_stalls);
}

/* Dead answers without a connection; not in older traces. */
static void fill_unowned(struct trace_input *t)
{
	const json_t *rows = json_object_get(t->end, "unowned");
	struct imds_endpoint e;

	for (size_t i = 0; i < json_array_size(rows) && t->snapshot.unowned_len < IMDS_UNOWNED; i++) {
		const json_t *row = json_array_get(rows, i);
		struct unowned *u = &t->unowned[t->snapshot.unowned_len];

		if (options_parse_endpoint(json_text_of(row, "address"), &e)) {
			refuse(t, "a dead answer without an address");
			continue;
		}
		*u = (struct unowned){
			.address = e.addr,
			.port = e.port,
			.name = json_text_of(row, "name"),
			.packets = json_count_of(row, "packets"),
			.ttl = (uint8_t)json_count_of(row, "ttl"),
		};
		snprintf(u->device, sizeof(u->device), "%s", json_text_of(row, "device"));
		snprintf(u->reason, sizeof(u->reason), "%s", json_text_of(row, "drop_reason"));
		snprintf(u->location, sizeof(u->location), "%s", json_text_of(row, "drop_location"));
		t->snapshot.unowned_len++;
	}
	t->snapshot.unowned = t->unowned;
}

static int fill_snapshot(struct trace_input *t)
{
	struct snapshot *s = &t->snapshot;
	uint64_t now_ns = json_count_of(t->end, "now_ns"), wall_ns = time_from(json_text_of(t->end, "time"));
	struct pod_table_stats stats;

	t->stats.cut = !t->end;
	if (!now_ns)
		now_ns = t->newest_ns ? t->newest_ns : s->started_ns;
	s->now_ns = now_ns;
	s->now_wall_ns = wall_ns ? wall_ns : s->started_wall_ns;
	close_stalls(t, now_ns);
	if (t->end && trace_counts_read(json_object_get(t->end, "counts"), t->table, now_ns))
		refuse(t, "an end line without counts");
	fill_unowned(t);
	fill_losses(t);
	/* as it stood at the end; without an end line, as at the newest request */
	if (t->end)
		pod_table_set_drops_watched(t->table, json_is_true(json_object_get(t->end, "drops_watched")));
	pod_table_get_stats(t->table, &stats);
	s->stray_ttl_drops = stats.stray_ttl_drops;
	s->stray_drops = stats.stray_drops;
	if (pod_table_snapshot(t->table, s) || findings_collect(s, &s->findings, &s->findings_len))
		return -ENOMEM;
	return 0;
}

int trace_input_read(const struct options *o, FILE *f, const struct session_callbacks *cb, struct trace_input **ret,
		     char *msg, size_t msg_len)
{
	struct trace_input *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		snprintf(msg, msg_len, "out of memory");
		return -ENOMEM;
	}
	t->o = o;
	t->cb = cb;
	err = read_all(t, f, msg, msg_len);
	if (!err) {
		err = fill_snapshot(t);
		if (err)
			snprintf(msg, msg_len, "out of memory");
	}
	if (err) {
		trace_input_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void trace_input_free(struct trace_input *t)
{
	struct open_stall *st, *tmp;

	if (!t)
		return;
	HASH_ITER (hh, t->stalls, st, tmp)
		stall_forget(t, st);
	findings_free(t->snapshot.findings, t->snapshot.findings_len);
	histogram_clear(&t->snapshot.totals.latency);
	pod_table_free(t->table);
	for (struct told_answerer *a = t->answerers, *next; a; a = next) {
		next = a->next;
		json_decref(a->v);
		free(a);
	}
	json_decref(t->start);
	json_decref(t->end);
	free(t);
}

const struct snapshot *trace_input_snapshot(const struct trace_input *t)
{
	return &t->snapshot;
}

void trace_input_get_stats(const struct trace_input *t, struct trace_input_stats *ret)
{
	*ret = t->stats;
}
