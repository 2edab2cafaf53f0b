/* SPDX-License-Identifier: GPL-2.0-only */
/* Records from the kernel, and the requests that still run: who asked, what is held back, what has stalled. */
#include "session_part.h"

#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/hash.h"
#include "../model/verdict.h"

#define IDLE_NS (130ull * 1000000000) /* longer than TCP's last retransmission of a dead answer (about 120 s) */

/* Between two looks at all that is held, however many records come: a look names each one's pod. */
#define HELD_PAUSE_NS (50ull * 1000000)

/* A stalled request that has been told already. */
struct stalled {
	struct {
		uint64_t cookie, start_ns;
	} key;
	uint64_t seen_ns;
	UT_hash_handle hh;
};

/* --- records from the kernel ------------------------------------------------------------------------------------------ */

static void fill_request(struct session *s, struct request *r, const struct imds_rec_request *rec, uint64_t now_ns)
{
	struct imds_drop drop;
	uint64_t start_ns;

	*r = (struct request){ .rec = *rec, .node = s->node, .drop_reason = "", .drop_location = "" };
	r->running = rec->req.end == IMDS_END_NONE;
	r->answered_by = session_answerer_of(s, rec->peer.cookie);
	if ((rec->req.flags & IMDS_F_OWN_NETNS) && s->own_netns_is_hosts)
		r->rec.req.flags |= IMDS_F_HOST_NETNS;
	if (rec->req.end == IMDS_END_ANSWERED && tracer_refused(s->tracer, rec->peer.cookie, &drop))
		r->rec.req.drop = drop;
	else if (rec->req.end == IMDS_END_ANSWERED) /* the client has acknowledged since what was dropped at its socket */
		r->rec.req.drop.flags &= ~IMDS_D_ARRIVED;
	start_ns = request_start_ns(r);
	r->who = pod_names_get_since(s->names, rec->peer.cgroup_id, rec->peer.pid, start_ns, now_ns);
	/*
	 * The offset between the clocks is taken now, from both: a step of the wall clock shows, durations never suffer, and it
	 * does not matter how long ago now_ns was.
	 */
	r->wall_ns = clock_ns(CLOCK_REALTIME) - session_now_ns() + start_ns;
	drop = r->rec.req.drop;
	if (drop.ts_ns) {
		r->drop_location = drop_reasons_location(s->reasons, drop.location);
		if (drop.flags & IMDS_D_HAS_REASON)
			r->drop_reason = drop_reasons_name(s->reasons, drop.reason);
	}
}

static void finish_request(struct session *s, struct request *r, uint64_t now_ns)
{
	pod_table_add_request(s->table, r, now_ns);
	session_copies_judge(s, r, now_ns);
	if (s->cb.on_request)
		s->cb.on_request(s->cb.arg, r, now_ns);
}

/* Gives out those whose fate is known; cookie: of that connection only, 0: of each. */
static void release_held(struct session *s, uint64_t cookie, uint64_t now_ns, bool all)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->held_len; i++) {
		struct session_held *held = &s->held[i];
		struct request r;

		if (!cookie || held->rec.peer.cookie == cookie) {
			fill_request(s, &r, &held->rec, now_ns);
			if (all || !pod_table_wants_later(s->table, &r, now_ns)) {
				finish_request(s, &r, now_ns);
				continue;
			}
		}
		if (kept != i)
			s->held[kept] = *held;
		kept++;
	}
	s->held_len = kept;
}

void session_release_held(struct session *s, uint64_t now_ns, bool all)
{
	s->held_looked_ns = now_ns;
	release_held(s, 0, now_ns, all);
}

/* A pod has a share of the places; what it makes below its own cgroup has none of its own. False: counted as lost. */
static bool hold(struct session *s, const struct request *r, const struct imds_rec_request *rec)
{
	const struct pod_identity *who = r->who;
	const char *owner = *who->pod_uid ? who->pod_uid : *who->container_id ? who->container_id : who->cgroup;
	uint64_t pod = hash_key(0, owner, strlen(owner));
	size_t own = 0;

	for (size_t i = 0; i < s->held_len; i++)
		own += s->held[i].pod == pod;
	if (own >= SESSION_HELD_SHARE || s->held_len == SESSION_HELD_MAX) {
		s->held_lost++;
		pod_table_add_judged_early(s->table, who);
		return false;
	}
	s->held[s->held_len++] = (struct session_held){ *rec, pod };
	return true;
}

/* Its answer may have come while one of our programs was off its hook. Each reader of the ring looks at that first. */
static bool cannot_judge(const struct session *s, const struct imds_rec_request *rec)
{
	uint64_t start_ns = rec->req.start_ns ? rec->req.start_ns : rec->syn_ns;

	return s->blind_until_ns && rec->req.end != IMDS_END_ANSWERED && rec->hdr.ts_ns >= s->blind_from_ns &&
	       start_ns <= s->blind_until_ns;
}

/*
 * Any other drop behind the close is what the close does to an answer that was only late; one whose number does not fit was
 * forged, perhaps, and must not stand before the real one.
 */
static bool is_death(const struct imds_drop *drop)
{
	const __u16 answer = IMDS_D_FROM_ENDPOINT | IMDS_D_EXPECTED_SEQ;

	return drop->ts_ns && (drop->flags & answer) == answer && drop->ttl <= 1 &&
	       !(drop->flags & (IMDS_D_AT_HOME | IMDS_D_ARRIVED));
}

static bool is_syn(const struct imds_drop *drop)
{
	return (drop->flags & (IMDS_D_SYN | IMDS_D_FROM_ENDPOINT)) == IMDS_D_SYN;
}

static struct session_death *death_place(struct session *s, uint64_t cookie)
{
	return &s->deaths[cookie % SESSION_DEATHS];
}

static bool outranks(const struct imds_drop *a, const struct imds_drop *b)
{
	return !b->ts_ns || imds_drop_rank(a->flags, a->ttl) > imds_drop_rank(b->flags, b->ttl);
}

static void note_death(struct session *s, uint64_t cookie, const struct imds_drop *drop, uint64_t end_ns)
{
	struct session_death *d = death_place(s, cookie);

	if (d->cookie != cookie || !outranks(&d->drop, drop))
		*d = (struct session_death){ cookie, end_ns, *drop };
}

/*
 * Whether the answer to such a request can have died so: what was on its way to one that waits for a token is none of what was
 * asked for behind that, which may have no limit of its own.
 */
static bool may_be_of(const struct imds_drop *drop, enum imds_kind kind)
{
	return kind == IMDS_KIND_TOKEN || !(drop->flags & IMDS_D_WAITING_TOKEN);
}

/* The death that was read before its request, or that of the answer ahead of this one's. */
static void find_death(struct session *s, struct imds_rec_request *rec)
{
	const struct session_death *d = death_place(s, rec->peer.cookie);
	struct imds_request *q = &rec->req;

	if (q->end == IMDS_END_ANSWERED || q->end == IMDS_END_REFUSED || q->first_byte_ns ||
	    (q->flags & IMDS_F_LATE_ANSWER))
		return;
	if (d->cookie == rec->peer.cookie && (d->drop.ts_ns >= q->start_ns || d->end_ns == rec->hdr.ts_ns) &&
	    may_be_of(&d->drop, q->kind) && outranks(&d->drop, &q->drop)) {
		q->drop = d->drop;
		q->drops++;
	}
	if (is_death(&q->drop))
		note_death(s, rec->peer.cookie, &q->drop, rec->hdr.ts_ns);
}

/* The server's end of a connection within one network namespace that has the service's address: a mock's, a local proxy's. */
static bool is_servers_end(const struct imds_peer *p)
{
	return !memcmp(&p->local, &p->remote, sizeof(p->local)) && p->local_port < p->remote_port;
}

static void on_request(void *arg, const struct imds_rec_request *read)
{
	struct imds_rec_request whole = *read, *rec = &whole;
	uint64_t now_ns = session_now_ns();
	struct session *s = arg;
	struct stalled *st;
	struct request r;

	if (is_servers_end(&rec->peer))
		return;
	if (cannot_judge(s, rec)) {
		s->unjudged++;
		return;
	}

	if (s->stalled) {
		struct stalled want = { .key = { rec->peer.cookie, rec->req.start_ns } };

		HASH_FIND(hh, s->stalled, &want.key, sizeof(want.key), st);
		if (st) {
			HASH_DEL(s->stalled, st);
			free(st);
		}
	}
	if (rec->req.flags & IMDS_F_LATE_ANSWER)
		s->late_cookies[rec->peer.cookie % SESSION_LATE_COOKIES] = rec->peer.cookie;
	session_find_answerer(s, rec, now_ns);
	find_death(s, rec);
	fill_request(s, &r, rec, now_ns);
	if (pod_table_wants_later(s->table, &r, now_ns) && hold(s, &r, rec)) {
		r.running = true; /* its client is remembered now: what it falls back to comes before the verdict */
		pod_table_add_request(s->table, &r, now_ns);
		return;
	}
	finish_request(s, &r, now_ns);
	if (s->held_len && now_ns >= s->held_looked_ns + HELD_PAUSE_NS)
		session_release_held(s, now_ns, false);
}

/* The answer came at when_ns, after its client had closed: that is all there was wrong with it. */
static bool join_late_answer(struct session *s, uint64_t cookie, uint64_t when_ns)
{
	bool found = false;

	for (size_t i = 0; i < s->held_len; i++) {
		struct imds_request *q = &s->held[i].rec.req;

		if (s->held[i].rec.peer.cookie != cookie)
			continue;
		found = true;
		if (q->first_byte_ns || q->drop.ts_ns)
			continue;
		q->flags |= IMDS_F_LATE_ANSWER;
		q->last_byte_ns = when_ns;
	}
	release_held(s, cookie, session_now_ns(), false);
	return found;
}

/* The same; one that comes when its request was told as silent, and given away, is counted, once for a connection. */
static void join_late_drop(struct session *s, const struct imds_peer *p, uint64_t when_ns)
{
	uint64_t *known = &s->late_cookies[p->cookie % SESSION_LATE_COOKIES];

	if (!join_late_answer(s, p->cookie, when_ns) && *known != p->cookie)
		pod_table_add_late_answer(s->table, pod_names_get(s->names, p->cgroup_id, p->pid, when_ns), false);
	*known = p->cookie;
}

/* What was refused at its socket left the client waiting until now. */
static void join_close(struct session *s, const struct imds_rec_flow_end *rec)
{
	bool any = false;

	for (size_t i = 0; i < s->held_len; i++)
		if (s->held[i].rec.peer.cookie == rec->peer.cookie && s->held[i].rec.req.end == IMDS_END_ANSWERED) {
			s->held[i].rec.req.end_ns = rec->hdr.ts_ns;
			any = true;
		}
	if (any)
		release_held(s, rec->peer.cookie, session_now_ns(), false);
}

static void on_flow_end(void *arg, const struct imds_rec_flow_end *rec)
{
	struct session *s = arg;

	if (is_servers_end(&rec->peer))
		return;
	if ((rec->flags & IMDS_F_LATE_ANSWER) && s->held_len)
		join_late_answer(s, rec->peer.cookie, rec->hdr.ts_ns);
	join_close(s, rec);

	pod_table_add_flow_end(s->table, pod_names_get(s->names, rec->peer.cgroup_id, rec->peer.pid, rec->hdr.ts_ns),
			       rec);
}

/* Behind the client's close an answer died, or the SYN that nobody had answered: the cause of what ended last there. */
static bool join_late(struct session *s, const struct imds_rec_drop *rec)
{
	bool found = false;

	for (size_t i = 0; i < s->held_len; i++) {
		struct imds_rec_request *held = &s->held[i].rec;

		if (held->peer.cookie != rec->peer.cookie || !may_be_of(&rec->drop, held->req.kind))
			continue;
		found = true;
		if (outranks(&rec->drop, &held->req.drop)) {
			held->req.drop = rec->drop;
			if (rec->to_port) {
				held->to = rec->to;
				held->to_port = rec->to_port;
			}
		}
		held->req.drops++;
	}
	release_held(s, rec->peer.cookie, session_now_ns(), false);
	return found;
}

/* One that comes when its request was told as silent, and given away, is counted, once for a connection. */
static void add_late_death(struct session *s, const struct imds_peer *p, uint64_t when_ns)
{
	uint64_t *known = &s->late_cookies[p->cookie % SESSION_LATE_COOKIES];

	if (*known != p->cookie)
		pod_table_add_late_answer(s->table, pod_names_get(s->names, p->cgroup_id, p->pid, when_ns), true);
	*known = p->cookie;
}

static void on_drop(void *arg, const struct imds_rec_drop *rec)
{
	struct session *s = arg;
	const char *location = drop_reasons_location(s->reasons, rec->drop.location), *reason = "";
	bool known;

	if (rec->drop.flags & IMDS_D_HAS_REASON)
		reason = drop_reasons_name(s->reasons, rec->drop.reason);
	if (is_death(&rec->drop)) {
		known = death_place(s, rec->peer.cookie)->cookie == rec->peer.cookie;
		note_death(s, rec->peer.cookie, &rec->drop, 0);
		if (rec->late && !join_late(s, rec) && !known && (rec->drop.flags & IMDS_D_PAYLOAD) &&
		    verdict_is_ttl_death(&rec->drop, reason, location))
			add_late_death(s, &rec->peer, rec->drop.ts_ns);
	} else if (rec->late && is_syn(&rec->drop)) {
		join_late(s, rec);
	} else if (rec->late && verdict_is_late_answer(&rec->drop, reason, location)) {
		join_late_drop(s, &rec->peer, rec->drop.ts_ns);
	}
	if (s->cb.on_drop)
		s->cb.on_drop(s->cb.arg, pod_names_get(s->names, rec->peer.cgroup_id, rec->peer.pid, rec->hdr.ts_ns),
			      rec, reason, location);
}

void session_share(struct session *s, uint64_t cgroup_id)
{
	int depth = pod_names_owner_depth(s->names, cgroup_id);

	if (depth >= 0)
		tracer_share(s->tracer, cgroup_id, depth);
}

static void on_cgroup(void *arg, const struct imds_rec_cgroup *rec)
{
	struct session *s = arg;

	if (rec->hdr.type == IMDS_REC_CGROUP_MKDIR) {
		pod_names_on_mkdir(s->names, rec->cgroup_id, rec->path);
		session_share(s, rec->cgroup_id);
	} else {
		tracer_unshare(s->tracer, rec->cgroup_id);
		pod_names_on_rmdir(s->names, rec->cgroup_id, rec->hdr.ts_ns);
	}
}

static void on_copy(void *arg, const struct imds_rec_copy *rec)
{
	session_copies_add(arg, rec);
}

struct record_callbacks session_record_callbacks(struct session *s)
{
	return (struct record_callbacks){ on_request, on_flow_end, on_drop, on_cgroup, on_copy, s };
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

	if (is_servers_end(&rec->peer))
		return;
	if (rec->req.end == IMDS_END_EXPIRED) {
		on_request(s, rec);
		return;
	}
	fill_request(s, &r, rec, w->now_ns);
	pod_table_add_running(s->table, r.who);
	since_ns = request_start_ns(&r);
	/* a connection that stands and waits for its first request or the rest of it is no stall, nor is an answer that has begun */
	if (since_ns + s->o->stall_ns > w->now_ns || rec->req.first_byte_ns || verdict_is_long_poll(&rec->req) ||
	    (rec->req.kind == IMDS_KIND_CONNECT_ONLY ? rec->synack_ns : !rec->req.sent_ns))
		return;
	if (session_find_answerer(s, rec, w->now_ns))
		fill_request(s, &r, rec, w->now_ns);
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
	if (!HASH_ADDED(st))
		return;
	pod_table_add_request(s->table, &r, w->now_ns); /* judged only, and its client remembered: it still runs */
	session_copies_judge(s, &r, w->now_ns);
	if (s->cb.on_stall && r.outcome != OUTCOME_REDIRECTED)
		s->cb.on_stall(s->cb.arg, &r, w->now_ns);
}

void session_sweep(struct session *s, bool all, uint64_t now_ns)
{
	struct sweep w = { s, now_ns };
	struct stalled *st, *tmp;
	int end;

	if (all || !s->round_ns)
		s->round_ns = now_ns;
	end = tracer_sweep(s->tracer, all, now_ns, IDLE_NS, on_running, &w);
	s->unread += end < 0;
	if (!end)
		return;
	pod_table_show_running(s->table);
	HASH_ITER (hh, s->stalled, st, tmp) {
		if (st->seen_ns >= s->round_ns)
			continue;
		HASH_DEL(s->stalled, st);
		free(st);
	}
	s->round_ns = 0;
}

void session_free_stalled(struct session *s)
{
	struct stalled *st, *tmp;

	HASH_ITER (hh, s->stalled, st, tmp) {
		HASH_DEL(s->stalled, st);
		free(st);
	}
}
