/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of connections: shares of it, those that still run, those that are to be forgotten. */
#include "tracer_impl.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>

#define CLOSED_NS 1000000000ull	 /* a connection is closed, and nobody was left waiting */
#define LATE_NS (10 * CLOSED_NS) /* closed before the answer: this long, late drops are told as its */
#define SYN_NS (5 * CLOSED_NS) /* closed before it stood: three questions for a neighbour's address take 3 s (arp(7)) */
#define POLL_NS (3600 * CLOSED_NS) /* a request that waits for a change may take as long as nothing changes */
#define QUERY_NS (15 * CLOSED_NS)  /* a DNS query: resolvers give up after 5 s a try */

/* A place is free again when its pod is gone and with it the last connection that was charged to it. */
void tracer_share(struct tracer *t, uint64_t cgroup_id, uint32_t depth)
{
	int fd = bpf_map__fd(t->skel->maps.imds_share_of);
	__u64 key = cgroup_id;
	__u32 value;

	if (!bpf_map_lookup_elem(fd, &key, &value))
		return;
	for (uint32_t n = IMDS_SHARES_HASHED; n < IMDS_SHARES; n++) {
		uint32_t i = t->share_next++;

		if (t->share_next == IMDS_SHARES)
			t->share_next = IMDS_SHARES_HASHED;
		if (t->shared[i] || __atomic_load_n(&t->skel->bss->imds_shares[i].flows, __ATOMIC_RELAXED))
			continue;
		value = i | depth << 16;
		if (!bpf_map_update_elem(fd, &key, &value, BPF_ANY))
			t->shared[i] = cgroup_id;
		return;
	}
}

void tracer_unshare(struct tracer *t, uint64_t cgroup_id)
{
	int fd = bpf_map__fd(t->skel->maps.imds_share_of);
	__u64 key = cgroup_id;
	__u32 value;

	if (bpf_map_lookup_elem(fd, &key, &value) || bpf_map_delete_elem(fd, &key))
		return;
	t->shared[value % IMDS_SHARES] = 0;
}

/* One request of a connection as a record, with end `end`. */
static void flow_to_record(const struct imds_flow *f, const struct imds_request *r, enum imds_end end, uint64_t now_ns,
			   struct imds_rec_request *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->hdr.type = IMDS_REC_REQUEST;
	ret->hdr.len = sizeof(*ret);
	ret->hdr.ts_ns = now_ns;
	ret->peer = f->peer;
	ret->syn_ns = f->syn_ns;
	ret->synack_ns = f->synack_ns;
	ret->connect_call_ns = f->connect_call_ns;
	ret->to = f->to;
	ret->to_port = f->to_port;
	ret->ttl_synack = f->ttl_synack;
	ret->syn_retransmits = f->syn_retransmits;
	ret->req = *r;
	ret->req.flags |= f->flags | imds_acked(f, r);
	ret->req.end = end;
	ret->req.end_ns = end == IMDS_END_NONE ? 0 : f->last_ns;
}

static void flow_running(const struct imds_flow *f, enum imds_end end, uint64_t now_ns, tracer_running_fn fn, void *arg)
{
	struct imds_rec_request rec;

	if (f->own - f->tail < f->head - f->tail) {
		if (f->req.claimed)
			return;
		flow_to_record(f, &f->req, end, now_ns, &rec);
		fn(arg, &rec);
	} else if (f->in_request && f->own == f->head && !f->req.claimed) {
		flow_to_record(f, &f->req, end, now_ns, &rec);
		if (f->scan_out.state != IMDS_HTTP_DEAD && !rec.req.drop.ts_ns)
			rec.req.sent_ns = 0; /* no answer is due yet */
		rec.req.words = f->scan_out.words;
		rec.req.path_len = f->scan_out.path_len;
		if (!(rec.req.words & IMDS_W_HTTP)) { /* as the kernel side: only of a whole HTTP request line */
			rec.req.path_len = 0;
			memset(rec.req.path, 0, sizeof(rec.req.path));
		}
		fn(arg, &rec);
	} else if (!f->requests) {
		flow_to_record(f, &f->req, end, now_ns, &rec);
		rec.req.kind = IMDS_KIND_CONNECT_ONLY;
		rec.req.start_ns = f->connect_call_ns ? f->connect_call_ns : f->syn_ns;
		fn(arg, &rec);
	}
}

struct sweep {
	struct tracer *t;
	uint64_t now_ns, idle_ns;
	tracer_running_fn fn;
	void *arg;
};

static void forget_syn(struct imdsnoop_bpf *skel, const struct imds_flow *f)
{
	uint64_t *place = (uint64_t *)&skel->bss->imds_syns[imds_syns_index(f->snd_isn)], cookie = f->peer.cookie;

	if (f->syn_ns && __atomic_compare_exchange_n(place, &cookie, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_fetch_sub(&skel->bss->imds_syns_out, 1, __ATOMIC_RELAXED);
}

/* How long a connection on which nothing moves is kept. */
static uint64_t keep_ns(const struct imds_flow_key *k, const struct imds_flow *f, uint64_t idle_ns)
{
	bool done = f->requests && !f->in_request && f->head == f->tail;

	if (f->peer.proto == IPPROTO_UDP)
		return QUERY_NS;
	/* it asked to be kept waiting */
	if (!done && (f->req.words & IMDS_W_Q_WAIT) && !(f->flags & (IMDS_F_RELEASED | IMDS_F_CLIENT_FIN)))
		return POLL_NS;
	if ((k->query & IMDS_FLOW_SLOT) || !(f->flags & (IMDS_F_RELEASED | IMDS_F_CLIENT_FIN)) || !done)
		return idle_ns;
	if (f->last_kind == IMDS_KIND_CONNECT_ONLY)
		return f->synack_ns ? CLOSED_NS : SYN_NS;
	return f->last_end == IMDS_END_ANSWERED ? CLOSED_NS : LATE_NS;
}

static bool on_flow(void *arg, const void *key, const void *value)
{
	const struct imds_flow_key *k = key;
	const struct imds_flow *f = value;
	struct sweep *s = arg;
	bool expired = f->last_ns && s->now_ns > f->last_ns && s->now_ns - f->last_ns > keep_ns(k, f, s->idle_ns);
	struct imds_rec_request rec;

	if (k->query & IMDS_FLOW_SLOT) { /* a pipelined request, not a connection */
		if (!f->req.claimed) {
			flow_to_record(f, &f->req, expired ? IMDS_END_EXPIRED : IMDS_END_NONE, s->now_ns, &rec);
			s->fn(s->arg, &rec);
		}
		return expired;
	}

	flow_running(f, expired ? IMDS_END_EXPIRED : IMDS_END_NONE, s->now_ns, s->fn, s->arg);
	return expired;
}

static void forget_packets(struct imdsnoop_bpf *skel, const struct imds_flow_key *k, const struct imds_flow *f)
{
	struct imds_flow_key owner;
	struct imds_tuple t;

	memset(&t, 0, sizeof(t));
	t.local = f->peer.local;
	t.remote = f->peer.remote;
	t.rest = IMDS_TUPLE_REST(f->peer.local_port, f->peer.remote_port, f->peer.proto);
	if (!bpf_map_lookup_elem(bpf_map__fd(skel->maps.imds_tuples), &t, &owner) && !memcmp(&owner, k, sizeof(owner)))
		bpf_map_delete_elem(bpf_map__fd(skel->maps.imds_tuples), &t);
	forget_syn(skel, f);
	for (int way = 0; f->has_fingerprint && way < 2; way++) {
		__u64 *place = &skel->bss->imds_waiting[imds_waiting_index(f->fingerprint_seq) ^ way];
		__u64 cookie = f->peer.cookie;

		__atomic_compare_exchange_n(place, &cookie, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

static void on_flow_deleted(void *arg, const void *key, const void *value)
{
	const struct imds_flow_key *k = key;
	const struct imds_flow *f = value;
	struct sweep *s = arg;
	struct imdsnoop_bpf *skel = s->t->skel;
	struct imds_share *share = (struct imds_share *)&skel->bss->imds_shares[f->share % IMDS_SHARES];

	__atomic_fetch_add(&skel->bss->imds_flows_deleted, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&share->flows, 1, __ATOMIC_RELAXED);
	if (k->query & IMDS_FLOW_SLOT) /* a pipelined request: its connection stays */
		return;
	if (k->query)
		__atomic_fetch_sub(&share->queries, 1, __ATOMIC_RELAXED);
	forget_packets(skel, k, f);
}

uint64_t tracer_flows_held(const struct tracer *t)
{
	uint64_t deleted = __atomic_load_n(&t->skel->bss->imds_flows_deleted, __ATOMIC_RELAXED);
	uint64_t created = __atomic_load_n(&t->skel->bss->imds_flows_created, __ATOMIC_RELAXED);

	return created > deleted ? created - deleted : 0;
}

int tracer_sweep(struct tracer *t, bool all, uint64_t now_ns, uint64_t idle_ns, tracer_running_fn fn, void *arg)
{
	struct sweep s = { t, now_ns, idle_ns, fn, arg };
	bool end = false;
	int n = 0;

	if (all) { /* from the start */
		map_cursor_free(t->sweep);
		t->sweep = NULL;
	}
	if (!t->sweep && !tracer_flows_held(t))
		return 1;
	if (!t->sweep)
		t->sweep = map_cursor_new(bpf_map__fd(t->skel->maps.imds_flows), sizeof(struct imds_flow_key),
					  sizeof(struct imds_flow));
	if (!t->sweep)
		return -ENOMEM;
	for (int seen = 0; n >= 0 && !end && (all || seen < TRACER_SWEEP); seen += n)
		n = map_cursor_next(t->sweep, on_flow, on_flow_deleted, &s, &end);
	if (n >= 0 && !end)
		return 0;
	map_cursor_free(t->sweep);
	t->sweep = NULL;
	return n < 0 ? n : 1;
}

static bool any_flow(void *arg, const void *key, const void *value)
{
	return true;
}

int tracer_forget_flows(struct tracer *t)
{
	struct sweep s = { .t = t };
	struct map_cursor *c;
	bool end = false;
	int n = 0;

	map_cursor_free(t->sweep);
	t->sweep = NULL;
	if (!tracer_flows_held(t))
		return 0;
	c = map_cursor_new(bpf_map__fd(t->skel->maps.imds_flows), sizeof(struct imds_flow_key), sizeof(struct imds_flow));
	if (!c)
		return -ENOMEM;
	while (n >= 0 && !end)
		n = map_cursor_next(c, any_flow, on_flow_deleted, &s, &end);
	map_cursor_free(c);
	return n < 0 ? n : 0;
}

bool tracer_refused(const struct tracer *t, uint64_t cookie, struct imds_drop *ret_drop)
{
	const struct imds_refused *r = &t->skel->bss->imds_refused[cookie % IMDS_REFUSED];

	if (__atomic_load_n(&r->cookie, __ATOMIC_ACQUIRE) != cookie)
		return false;
	*ret_drop = r->drop;
	return true;
}
