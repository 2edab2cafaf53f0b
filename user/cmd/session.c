/* SPDX-License-Identifier: GPL-2.0-only */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#define HASH_NONFATAL_OOM 1		/* an element that found no memory has hh.tbl NULL */
#include <uthash.h>

#include <bpf/libbpf.h>

#include "../kernel/drop_reason.h"
#include "../kernel/features.h"
#include "../kernel/tracer.h"
#include "../model/findings.h"

#define TICK_MS 250
#define PAUSE_MS 20				/* between two readings of the ring under load */
#define IDLE_NS (130ull * 1000000000)		/* longer than TCP's last retransmission of a dead answer (about 120 s) */
#define GONE_NS (300ull * 1000000000)		/* series and names of gone pods leave after this */
#define HELD_MAX 1024
#define LOSSES_EXTRA 4

/* A stalled request that has been told already. */
struct stalled {
	struct {
		uint64_t cookie, start_ns;
	} key;
	uint64_t seen_ns;
	UT_hash_handle hh;
};

/* A count as read last, to take differences: one hash for each table, keyed by the table's key. */
struct seen {
	uint8_t key[16];
	struct imds_packet_counters packets;
	uint64_t n;
	UT_hash_handle hh;
};

struct session {
	const struct options *o;
	struct session_callbacks cb;
	struct event_base *base;
	struct event *ring_event, *pause_event, *tick_event, *duration_event, *signals[2];
	struct features features;
	struct tracer *tracer;
	struct drop_reasons *reasons;
	struct pod_names *names;
	struct pod_table *table;
	int cgroup_fd;
	struct stalled *stalled;
	struct seen *seen_packets, *seen_requests, *seen_drops;
	struct imds_rec_request *held;		/* waiting for their verdict, see pod_table_wants_later() */
	size_t held_len;
	uint64_t last_names_ns;
	uint64_t unread;			/* readings of a kernel table that failed */
	bool closing;				/* stalled requests are added as they stand */
	bool stopped;				/* session_stop() was called, perhaps before the loop began */
	uint64_t started_ns, started_wall_ns;
	const char *node;
	char node_buf[256];
	struct loss losses[TRACER_LOSS_COUNT + LOSSES_EXTRA];
	struct snapshot snapshot;
};

void session_log(const char *format, ...)
{
	va_list ap;

	fputs("imdsnoop: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

uint64_t session_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

struct event_base *session_base(struct session *s)
{
	return s->base;
}

/* --- records from the kernel ------------------------------------------------------------------------------------------ */

static void fill_request(struct session *s, struct request *r, const struct imds_rec_request *rec, uint64_t now_ns)
{
	uint64_t start_ns;

	*r = (struct request){ .rec = *rec, .node = s->node, .drop_reason = "", .drop_location = "" };
	r->running = rec->req.end == IMDS_END_NONE;
	r->who = pod_names_get(s->names, rec->peer.cgroup_id, rec->peer.pid, now_ns);
	start_ns = request_start_ns(r);
	/* the offset between the clocks is taken now: a step of the wall clock shows, durations never suffer */
	r->wall_ns = clock_ns(CLOCK_REALTIME) - (now_ns > start_ns ? now_ns - start_ns : 0);
	if (rec->req.drop.ts_ns) {
		r->drop_location = drop_reasons_location(s->reasons, rec->req.drop.location);
		if (rec->req.drop.flags & IMDS_D_HAS_REASON)
			r->drop_reason = drop_reasons_name(s->reasons, rec->req.drop.reason);
	}
}

static void finish_request(struct session *s, struct request *r, uint64_t now_ns)
{
	pod_table_add_request(s->table, r, now_ns);
	if (s->cb.on_request)
		s->cb.on_request(s->cb.arg, r, now_ns);
}

/* Gives out held requests whose fate is known or whose time is up; all of them at the end. */
static void release_held(struct session *s, uint64_t now_ns, bool all)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->held_len; i++) {
		struct request r;

		fill_request(s, &r, &s->held[i], now_ns);
		if (!all && pod_table_wants_later(s->table, &r, now_ns))
			s->held[kept++] = s->held[i];
		else
			finish_request(s, &r, now_ns);
	}
	s->held_len = kept;
}

static void on_request(void *arg, const struct imds_rec_request *rec)
{
	uint64_t now_ns = session_now_ns();
	struct session *s = arg;
	struct stalled *st;
	struct request r;

	if (s->stalled) {
		struct stalled want = { .key = { rec->peer.cookie, rec->req.start_ns } };

		HASH_FIND(hh, s->stalled, &want.key, sizeof(want.key), st);
		if (st) {
			HASH_DEL(s->stalled, st);
			free(st);
		}
	}
	fill_request(s, &r, rec, now_ns);
	if (s->held_len < HELD_MAX && pod_table_wants_later(s->table, &r, now_ns)) {
		s->held[s->held_len++] = *rec;
		return;
	}
	finish_request(s, &r, now_ns);
	if (s->held_len)
		release_held(s, now_ns, false);
}

static void on_flow_end(void *arg, const struct imds_rec_flow_end *rec)
{
	struct session *s = arg;

	pod_table_add_flow_end(s->table, pod_names_get(s->names, rec->peer.cgroup_id, rec->peer.pid, rec->hdr.ts_ns), rec);
}

static void on_drop(void *arg, const struct imds_rec_drop *rec)
{
	struct session *s = arg;

	if (!s->cb.on_drop)
		return;
	s->cb.on_drop(s->cb.arg, pod_names_get(s->names, rec->peer.cgroup_id, rec->peer.pid, rec->hdr.ts_ns), rec,
		      rec->drop.flags & IMDS_D_HAS_REASON ? drop_reasons_name(s->reasons, rec->drop.reason) : "",
		      drop_reasons_location(s->reasons, rec->drop.location));
}

static void on_cgroup(void *arg, const struct imds_rec_cgroup *rec)
{
	struct session *s = arg;

	if (rec->hdr.type == IMDS_REC_CGROUP_MKDIR)
		pod_names_on_mkdir(s->names, rec->cgroup_id, rec->path);
	else
		pod_names_on_rmdir(s->names, rec->cgroup_id, rec->hdr.ts_ns);
}

/* --- running requests ------------------------------------------------------------------------------------------------- */

struct sweep {
	struct session *s;
	uint64_t now_ns;
};

static void on_running(void *arg, const struct imds_rec_request *rec)
{
	struct sweep *w = arg;
	struct session *s = w->s;
	struct request r;
	struct stalled *st, want = { .key = { rec->peer.cookie, rec->req.start_ns } };
	uint64_t since_ns;

	if (rec->req.end == IMDS_END_EXPIRED) {
		on_request(s, rec);
		return;
	}
	fill_request(s, &r, rec, w->now_ns);
	pod_table_add_running(s->table, r.who);
	since_ns = request_start_ns(&r);
	/* a connection that stands and waits for its first request is no stall, nor is an answer that has begun */
	if (since_ns + s->o->stall_ns > w->now_ns || rec->req.first_byte_ns ||
	    (rec->req.kind == IMDS_KIND_CONNECT_ONLY && rec->synack_ns))
		return;
	if (s->closing) {
		r.rec.req.end = IMDS_END_EXPIRED;
		r.rec.req.end_ns = w->now_ns;
		r.rec.hdr.ts_ns = w->now_ns;
		r.running = false;
		finish_request(s, &r, w->now_ns);
		return;
	}
	HASH_FIND(hh, s->stalled, &want.key, sizeof(want.key), st);
	if (st) {
		st->seen_ns = w->now_ns;
		return;
	}
	if (HASH_COUNT(s->stalled) >= s->o->max_flows)
		return;
	st = calloc(1, sizeof(*st));
	if (!st)
		return;
	st->key = want.key;
	st->seen_ns = w->now_ns;
	HASH_ADD(hh, s->stalled, key, sizeof(st->key), st);
	if (!st->hh.tbl) {
		free(st);
		return;
	}
	if (s->cb.on_stall) {
		pod_table_add_request(s->table, &r, w->now_ns);	/* judges only: it still runs */
		s->cb.on_stall(s->cb.arg, &r, w->now_ns);
	}
}

static void sweep(struct session *s, uint64_t now_ns)
{
	struct sweep w = { s, now_ns };
	struct stalled *st, *tmp;

	pod_table_reset_running(s->table);
	s->unread += tracer_sweep(s->tracer, now_ns, IDLE_NS, on_running, &w) < 0;
	HASH_ITER(hh, s->stalled, st, tmp) {
		if (st->seen_ns == now_ns)
			continue;
		HASH_DEL(s->stalled, st);
		free(st);
	}
}

/* --- exact counts: differences to what was read last -------------------------------------------------------------------- */

static struct seen *seen_get(struct seen **table, const void *key, size_t len)
{
	struct seen *n;

	HASH_FIND(hh, *table, key, len, n);
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	memcpy(n->key, key, len);
	HASH_ADD_KEYPTR(hh, *table, n->key, len, n);
	if (n->hh.tbl)
		return n;
	free(n);
	return NULL;
}

static void seen_free(struct seen **table)
{
	struct seen *n, *tmp;

	HASH_ITER(hh, *table, n, tmp) {
		HASH_DEL(*table, n);
		free(n);
	}
}

static const struct pod_identity *who_of(struct session *s, uint64_t cgroup_id)
{
	return pod_names_get(s->names, cgroup_id, 0, session_now_ns());
}

static void on_packet_counts(void *arg, uint64_t cgroup_id, const struct imds_packet_counters *c)
{
	struct session *s = arg;
	struct seen *n = seen_get(&s->seen_packets, &cgroup_id, sizeof(cgroup_id));
	struct imds_packet_counters more = *c;
	bool any = false;

	if (!n)
		return;
	for (int d = 0; d < IMDS_DIRECTION_COUNT; d++) {
		for (int p = 0; p < IMDS_PROTO_COUNT; p++) {
			more.packets[d][p] -= n->packets.packets[d][p];
			any |= more.packets[d][p] != 0;
		}
		more.bytes[d] -= n->packets.bytes[d];
	}
	n->packets = *c;
	if (any)
		pod_table_add_packets(s->table, who_of(s, cgroup_id), &more, session_now_ns());
}

static void on_request_counts(void *arg, const struct imds_request_key *key, const struct imds_request_counters *c)
{
	struct session *s = arg;
	struct seen *n;

	if (!c->lost)
		return;
	n = seen_get(&s->seen_requests, key, sizeof(*key));
	if (!n || c->lost == n->n)
		return;
	pod_table_add_lost(s->table, who_of(s, key->cgroup_id), key, c->lost - n->n, session_now_ns());
	n->n = c->lost;
}

static const char *reason_of(const struct session *s, const struct imds_drop_key *key)
{
	return s->features.kfree_skb_args >= 3 ? drop_reasons_name(s->reasons, key->reason) : "";
}

static void on_drop_counts(void *arg, const struct imds_drop_key *key, uint64_t packets)
{
	struct session *s = arg;
	struct seen *n = seen_get(&s->seen_drops, key, sizeof(*key));
	const char *reason = reason_of(s, key);

	if (!n || packets == n->n)
		return;
	pod_table_add_drops(s->table, key->cgroup_id ? who_of(s, key->cgroup_id) : NULL, key, reason, packets - n->n);
	n->n = packets;
}

static void read_counts(struct session *s)
{
	s->unread += tracer_read_packets(s->tracer, on_packet_counts, s) < 0;
	s->unread += tracer_read_requests(s->tracer, on_request_counts, s) < 0;
	s->unread += tracer_read_drops(s->tracer, on_drop_counts, s) < 0;
}

void session_each_count(struct session *s, const struct session_count_callbacks *cb)
{
	struct imds_request_key request;
	struct imds_drop_key drop;
	uint64_t cgroup_id;
	struct seen *n, *tmp;

	HASH_ITER(hh, s->seen_packets, n, tmp) {
		memcpy(&cgroup_id, n->key, sizeof(cgroup_id));
		cb->on_packets(cb->arg, who_of(s, cgroup_id), &n->packets);
	}
	HASH_ITER(hh, s->seen_requests, n, tmp) {
		memcpy(&request, n->key, sizeof(request));
		cb->on_lost(cb->arg, who_of(s, request.cgroup_id), &request, n->n);
	}
	HASH_ITER(hh, s->seen_drops, n, tmp) {
		memcpy(&drop, n->key, sizeof(drop));
		cb->on_drops(cb->arg, drop.cgroup_id ? who_of(s, drop.cgroup_id) : NULL, &drop, reason_of(s, &drop), n->n);
	}
}

/* --- snapshot --------------------------------------------------------------------------------------------------------- */

static void fill_losses(struct session *s)
{
	uint64_t counts[TRACER_LOSS_COUNT];
	struct pod_table_stats table;
	struct pod_names_stats names;
	size_t n = 0;

	tracer_losses(s->tracer, counts);
	for (int i = 0; i < TRACER_LOSS_COUNT; i++)
		s->losses[n++] = (struct loss){ tracer_loss_name(i), tracer_loss_meaning(i), counts[i] };
	pod_table_get_stats(s->table, &table);
	pod_names_get_stats(s->names, &names);
	s->losses[n++] = (struct loss){ "pods_over_limit", "requests shown under `other`: raise --max-pods", table.overflowed };
	s->losses[n++] = (struct loss){ "names_evicted", "cgroups whose names were forgotten: the table was full", names.evicted };
	s->losses[n++] = (struct loss){ "cgroup_unreadable", "cgroup folders that may not be read, at each look: names may be missing",
					names.unreadable };
	s->losses[n++] = (struct loss){ "table_unread", "readings of the kernel's tables that failed: counts may be old", s->unread };
	s->snapshot.stray_ttl_drops = table.stray_ttl_drops;
	s->snapshot.stray_drops = table.stray_drops;
	s->snapshot.losses = s->losses;
	s->snapshot.losses_len = n;
}

const struct snapshot *session_describe(struct session *s)
{
	struct snapshot *v = &s->snapshot;

	v->version = IMDSNOOP_VERSION;
	v->node = s->node;
	v->kernel = s->features.kernel;
	v->started_wall_ns = s->started_wall_ns;
	v->started_ns = s->started_ns;
	v->now_ns = session_now_ns();
	v->now_wall_ns = clock_ns(CLOCK_REALTIME);
	v->endpoints = s->o->endpoint_texts;
	v->features = s->features.rows;
	v->features_len = s->features.rows_len;
	return v;
}

const struct snapshot *session_snapshot(struct session *s, bool close_open)
{
	struct snapshot *v = &s->snapshot;
	uint64_t now_ns;

	session_describe(s);
	now_ns = v->now_ns;

	tracer_consume(s->tracer);
	if (close_open) {
		release_held(s, now_ns, true);
		s->closing = true;
		sweep(s, now_ns);
	}
	read_counts(s);
	findings_free(v->findings, v->findings_len);
	v->findings = NULL;
	v->findings_len = 0;
	fill_losses(s);
	if (pod_table_snapshot(s->table, v) || findings_collect(v, &v->findings, &v->findings_len))
		return NULL;
	return v;
}

size_t session_tables(struct session *s, struct tracer_table *ret_tables, size_t len)
{
	size_t n = tracer_tables(s->tracer, ret_tables, len);
	struct pod_table_stats table;
	struct pod_names_stats names;

	pod_table_get_stats(s->table, &table);
	pod_names_get_stats(s->names, &names);
	if (n < len)
		ret_tables[n++] = (struct tracer_table){ "pods", table.rows, table.limit };
	if (n < len)
		ret_tables[n++] = (struct tracer_table){ "names", names.cgroups, names.limit };
	return n;
}

size_t session_programs(struct session *s, struct tracer_program *ret_programs, size_t len)
{
	return tracer_programs(s->tracer, ret_programs, len);
}

/* --- life cycle ------------------------------------------------------------------------------------------------------- */

static bool drops_watched(struct session *s)
{
	uint64_t counts[TRACER_LOSS_COUNT];
	const struct feature *f = features_find(&s->features, "drops");

	tracer_losses(s->tracer, counts);
	return f && !strcmp(f->state, "ok") && !counts[IMDS_LOSS_TUPLE_FULL] && !counts[IMDS_LOSS_FLOW_FULL];
}

static bool is_alive(void *arg, uint64_t cgroup_id)
{
	struct session *s = arg;

	return pod_names_is_alive(s->names, cgroup_id);
}

/* Never the root (1) nor "no connection known" (0). */
static bool is_gone(void *arg, uint64_t cgroup_id)
{
	return cgroup_id > 1 && !is_alive(arg, cgroup_id);
}

static void seen_forget(struct session *s, struct seen **table)
{
	struct seen *n, *tmp;
	uint64_t cgroup_id;

	HASH_ITER(hh, *table, n, tmp) {
		memcpy(&cgroup_id, n->key, sizeof(cgroup_id));
		if (!is_gone(s, cgroup_id))
			continue;
		HASH_DEL(*table, n);
		free(n);
	}
}

/* Rows, kernel counts and what we remember of them, of cgroups that are gone: for an agent that runs for months. */
static void forget_gone(struct session *s)
{
	read_counts(s);
	if (!tracer_forget(s->tracer, is_gone, s)) {
		seen_forget(s, &s->seen_packets);
		seen_forget(s, &s->seen_requests);
		seen_forget(s, &s->seen_drops);
	}
	pod_table_expire(s->table, session_now_ns(), GONE_NS, is_alive, s);	/* later than what was read just now */
}

static void read_done(struct session *s)
{
	if (s->cb.on_read)
		s->cb.on_read(s->cb.arg);
}

/*
 * The first record is read at once; then the ring is left alone for a moment and read in one go, until nothing came.
 * Being woken for each record costs more than the record, and costs the pod too: the kernel wakes only a reader that
 * had read all.
 */
static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };
	struct session *s = arg;
	bool any = tracer_consume(s->tracer) > 0;

	read_done(s);
	if (any && !event_add(s->pause_event, &pause))
		return;
	event_add(s->ring_event, NULL);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now_ns = session_now_ns();
	struct session *s = arg;

	tracer_consume(s->tracer);
	pod_table_set_drops_watched(s->table, drops_watched(s));
	sweep(s, now_ns);
	if (s->held_len)
		release_held(s, now_ns, false);
	pod_names_expire(s->names, now_ns, GONE_NS);	/* also looks for names of newborn pods: on each tick */
	if (now_ns - s->last_names_ns > GONE_NS / 10) {
		s->last_names_ns = now_ns;
		if (!strcmp(s->o->command->name, "serve"))
			forget_gone(s);
	}
	if (s->cb.on_tick)
		s->cb.on_tick(s->cb.arg, now_ns);
	read_done(s);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	session_stop(arg);
}

void session_stop(struct session *s)
{
	s->stopped = true;
	event_base_loopbreak(s->base);
}

/* libbpf's words: one level lower, only with -v; with -vv the debug ones too. */
static int verbosity;

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (verbosity < 1 || (level == LIBBPF_DEBUG && verbosity < 2))
		return 0;
	return vfprintf(stderr, format, args);
}

static int start(struct session *s)
{
	const struct options *o = s->o;
	struct features_options fo = {
		.cgroup = o->cgroup,
		.pod_logs = o->pod_logs,
		.container_logs = o->container_logs,
		.no_drops = o->no_drops,
		.no_process = o->no_process,
	};
	struct pod_names_options no = {
		.pod_logs = o->pod_logs,
		.container_logs = o->container_logs,
		.max_entries = (size_t)o->max_pods * 8,
	};
	struct pod_table_options to = {
		.max_pods = o->max_pods,
		.stall_ns = o->stall_ns,
		.slow_ns = o->slow_ns,
		.endpoints = o->endpoints,
		.endpoints_len = o->endpoints_len,
		.redact_paths = o->redact_paths,
	};
	struct tracer_options tracer = {
		.endpoints = o->endpoints,
		.endpoints_len = o->endpoints_len,
		.max_flows = o->max_flows,
		.max_pods = o->max_pods,
		.drops = !o->no_drops,
		.process = !o->no_process,
		.names = true,
	};
	struct tracer_callbacks cb = { on_request, on_flow_end, on_drop, on_cgroup, s };
	char msg[512];
	int err;

	s->node = options_node(o, s->node_buf, sizeof(s->node_buf));
	err = features_probe(&fo, &s->features);
	if (err) {
		const struct feature *worst = NULL;

		for (size_t i = 0; i < s->features.rows_len && !worst; i++)
			if (!strcmp(s->features.rows[i].state, "missing") && s->features.rows[i].why[0])
				worst = &s->features.rows[i];
		session_log("cannot watch: %s", worst ? worst->why : strerror(-err));
		return err;
	}
	err = drop_reasons_new(s->features.btf, NULL, &s->reasons);
	features_free_btf(&s->features);
	if (err)
		goto memory;
	s->cgroup_fd = open(s->features.cgroup_v2, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->cgroup_fd < 0) {
		err = -errno;
		session_log("cannot open '%s': %s", s->features.cgroup_v2, strerror(-err));
		return err;
	}
	no.cgroup_fd = s->cgroup_fd;
	err = pod_names_new(&no, &s->names);
	if (err) {
		session_log("cannot read the cgroup tree '%s': %s", s->features.cgroup_v2, strerror(-err));
		return err;
	}
	err = pod_table_new(&to, &s->table);
	if (err)
		goto memory;
	s->held = calloc(HELD_MAX, sizeof(*s->held));
	if (!s->held)
		goto memory;
	tracer.cgroup = o->cgroup ? o->cgroup : s->features.cgroup_v2;
	err = tracer_new(&tracer, &s->features, &cb, &s->tracer, msg, sizeof(msg));
	if (err) {
		session_log("%s", msg);
		return err;
	}
	pod_table_set_drops_watched(s->table, drops_watched(s));
	s->started_ns = session_now_ns();
	s->started_wall_ns = clock_ns(CLOCK_REALTIME);
	s->last_names_ns = s->started_ns;
	return 0;
memory:
	session_log("out of memory");
	return -ENOMEM;
}

static int add_events(struct session *s)
{
	static const int signals[2] = { SIGINT, SIGTERM };
	struct timeval tick = { .tv_usec = TICK_MS * 1000 };

	s->base = event_base_new();
	if (!s->base)
		return -ENOMEM;
	s->ring_event = event_new(s->base, tracer_ring_fd(s->tracer), EV_READ, on_ring, s);
	s->pause_event = evtimer_new(s->base, on_ring, s);
	s->tick_event = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	if (!s->ring_event || !s->pause_event || !s->tick_event || event_add(s->ring_event, NULL) ||
	    event_add(s->tick_event, &tick))
		return -ENOMEM;
	for (int i = 0; i < 2; i++) {
		s->signals[i] = evsignal_new(s->base, signals[i], on_stop, s);
		if (!s->signals[i] || event_add(s->signals[i], NULL))
			return -ENOMEM;
	}
	if (s->o->duration_ns) {
		struct timeval end = { .tv_sec = s->o->duration_ns / 1000000000, .tv_usec = s->o->duration_ns / 1000 % 1000000 };

		s->duration_event = evtimer_new(s->base, on_stop, s);
		if (!s->duration_event || event_add(s->duration_event, &end))
			return -ENOMEM;
	}
	return 0;
}

struct session *session_new(const struct options *o, const struct session_callbacks *cb)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		session_log("out of memory");
		return NULL;
	}
	s->o = o;
	s->cb = *cb;
	s->cgroup_fd = -1;
	verbosity = o->verbose;
	libbpf_set_print(print_libbpf);
	signal(SIGPIPE, SIG_IGN);		/* a reader that left is an error of write(2), told once */
	err = start(s);
	if (!err) {
		err = add_events(s);
		if (err)
			session_log("cannot start the event loop: %s", strerror(-err));
	}
	if (err) {
		session_free(s);
		return NULL;
	}
	return s;
}

void session_free(struct session *s)
{
	struct stalled *st, *tmp;

	if (!s)
		return;
	struct event *events[] = {
		s->ring_event, s->pause_event, s->tick_event, s->duration_event, s->signals[0], s->signals[1],
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	tracer_free(s->tracer);
	findings_free(s->snapshot.findings, s->snapshot.findings_len);
	histogram_clear(&s->snapshot.totals.latency);
	pod_table_free(s->table);
	pod_names_free(s->names);
	drop_reasons_free(s->reasons);
	features_free_btf(&s->features);
	HASH_ITER(hh, s->stalled, st, tmp) {
		HASH_DEL(s->stalled, st);
		free(st);
	}
	seen_free(&s->seen_packets);
	seen_free(&s->seen_requests);
	seen_free(&s->seen_drops);
	free(s->held);
	if (s->cgroup_fd >= 0)
		close(s->cgroup_fd);
	if (s->base)
		event_base_free(s->base);
	free(s);
}

int session_run(struct session *s)
{
	uint64_t now_ns;

	if (!s->stopped && event_base_dispatch(s->base) < 0)
		return -EIO;
	/* what the last tick did not see: held requests, and those that stalled since */
	tracer_consume(s->tracer);
	now_ns = session_now_ns();
	release_held(s, now_ns, true);
	sweep(s, now_ns);
	return 0;
}

/* --- selection and output --------------------------------------------------------------------------------------------- */

bool session_selects_identity(const struct options *o, const struct pod_identity *who)
{
	return (!o->namespace || !strcmp(o->namespace, who->namespace)) && (!o->pod || !fnmatch(o->pod, who->pod, 0)) &&
	       (!o->container || !strcmp(o->container, who->container));
}

bool session_selects_request(const struct session *s, const struct request *r)
{
	const struct options *o = s->o;

	return session_selects_identity(o, r->who) && (!o->comm || !strncmp(o->comm, r->rec.peer.comm, sizeof(r->rec.peer.comm))) &&
	       (!o->problems || request_is_problem(r, o->slow_ns / 1000));
}

bool session_selects_pod(const struct options *o, const struct pod_stats *p)
{
	bool problem = p->requests != p->outcomes[OUTCOME_OK] || p->slow || p->fallbacks || p->in_flight;

	if (!session_selects_identity(o, &p->who) || (o->problems && !problem))
		return false;
	if (!o->comm)
		return true;
	for (size_t i = 0; i < p->processes_len; i++)
		if (!strncmp(o->comm, p->processes[i].comm, sizeof(p->processes[i].comm)))
			return true;
	return false;
}

FILE *session_open_output(const struct options *o)
{
	FILE *f;

	if (!o->output)
		return stdout;
	f = fopen(o->output, "we");
	if (!f)
		session_log("cannot write to '%s': %s", o->output, strerror(errno));
	return f;
}

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (int i = 0; i < 3; i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

struct text_options session_text_options(const struct options *o, FILE *f)
{
	struct text_options t = { .color = options_color(o, f), .utf8 = is_utf8() };
	struct winsize w;

	if (isatty(fileno(f)) && !ioctl(fileno(f), TIOCGWINSZ, &w))
		t.width = w.ws_col;
	return t;
}

int session_close_output(const struct options *o, FILE *f, int err)
{
	if (!f)
		return 0;
	errno = 0;
	if ((fflush(f) || ferror(f)) && !err)
		err = errno ? -errno : -EIO;
	if (f != stdout && fclose(f) && !err)
		err = -errno;
	if (err == -EPIPE) {
		clearerr(stdout);		/* main() looks at it once more, and errno is another's by then */
		return 0;
	}
	if (err)
		session_log("cannot write to %s: %s", o->output ? o->output : "standard output", strerror(-err));
	return err;
}
