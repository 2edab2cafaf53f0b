/* SPDX-License-Identifier: GPL-2.0-only */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "http_table.h"
#include "imdsnoop.skel.h"
#include "netns.h"

#define BPF_F_PREORDER_6_15 (1u << 6) /* linux/bpf.h since 6.15 */
#define RING_BYTES (4u << 20)
#define RARE_BYTES (1u << 20)
#define COPIES_BYTES (4u << 20)
#define SWEEP_BATCH 64
#define CLOSED_NS 1000000000ull	   /* a connection is closed, and nobody was left waiting */
#define LATE_NS (10 * CLOSED_NS)   /* closed before the answer: this long, late drops are told as its */
#define POLL_NS (3600 * CLOSED_NS) /* a request that waits for a change may take as long as nothing changes */
#define QUERY_NS (15 * CLOSED_NS)  /* a DNS query: resolvers give up after 5 s a try */
#define CGROUPS_PER_POD 4	   /* containers, their sandboxes, host services */
#define KEYS_PER_CGROUP 16	   /* kinds, versions and ends that one container shows at most, in practice */

struct cursor;
static void cursor_free(struct cursor *c);

struct tracer {
	struct imdsnoop_bpf *skel;
	struct ring_buffer *ring, *rare, *copies; /* copies: NULL when none are asked for */
	int ring_fd;				  /* readable when one of them is */
	size_t records, rare_records, copy_records;
	uint64_t read_until_ns; /* this turn */
	uint64_t rare_read_ns;	/* everything older has been read from rare */
	struct tracer_callbacks cb;
	struct {
		int link; /* descriptor; -1: detached, and not attached again yet */
		struct bpf_program *prog;
	} links[12];
	size_t links_len;
	uint64_t bad_records;
	struct cursor *sweep; /* NULL: between two rounds through the connections */
	uint32_t share_next;  /* where a free place is looked for */
	uint64_t *shared;     /* the cgroup of each place, 0: free */
	uint32_t max_flows, max_keys, max_cgroups;
	int cpus;
	int cgroup_fd;
};

static const struct {
	const char *name, *meaning;
} losses[TRACER_LOSS_COUNT] = {
	[IMDS_LOSS_RING_REQUEST] = { "ring_request", "requests counted, but without details: the ring was full" },
	[IMDS_LOSS_RING_FLOW_END] = { "ring_flow_end", "ends of connections not told: late drops may be missing" },
	[IMDS_LOSS_RING_DROP] = { "ring_drop", "drops counted, but without details: the ring was full" },
	[IMDS_LOSS_RING_CGROUP] = { "ring_cgroup", "cgroups that came or went unseen: names may be missing" },
	[IMDS_LOSS_FLOW_FULL] = { "flow_table_full", "connections not followed: raise --max-flows" },
	[IMDS_LOSS_FLOW_SHARE] = { "flow_share",
				   "connections not followed: their pod held its share of the flow table" },
	[IMDS_LOSS_RECORD_SHARE] = { "record_share",
				     "requests counted, but without details: their pod made too many a second" },
	[IMDS_LOSS_TUPLE_FULL] = { "tuple_table_full", "connections whose drops cannot be found: raise --max-flows" },
	[IMDS_LOSS_COUNTER_FULL] = { "counter_table_full",
				     "counts with no room: totals are too low, raise --max-pods" },
	[IMDS_LOSS_PIPELINE] = { "pipeline", "requests beyond sixteen that wait on one connection: not recorded" },
	[IMDS_LOSS_HEAD_CUT] = { "head_cut", "heads not wholly looked at: kind or status may be unknown" },
	[IMDS_LOSS_FRAGMENT] = { "fragment", "IP fragments: counted as packets only" },
	[IMDS_LOSS_MALFORMED] = { "malformed", "packets to or from an endpoint with a broken header" },
	[IMDS_LOSS_SEGMENT] = { "segment", "segments from an endpoint that no connection could take: left out" },
	[IMDS_LOSS_COLLISION] = { "collision", "connections whose drops behind NAT may not be found" },
	[IMDS_LOSS_UNOWNED_FULL] = { "unowned_full", "dead answers without a connection, not told apart" },
	[IMDS_LOSS_RING_COPY] = { "ring_copy", "packets missing in the file of --pcapng: the ring was full" },
	[TRACER_LOSS_BAD_RECORD] = { "bad_record", "records from the kernel side that made no sense" },
};

const char *tracer_loss_name(int i)
{
	return i >= 0 && i < TRACER_LOSS_COUNT ? losses[i].name : NULL;
}

const char *tracer_loss_meaning(int i)
{
	return i >= 0 && i < TRACER_LOSS_COUNT ? losses[i].meaning : NULL;
}

/* --- records --------------------------------------------------------------------------------------------------------- */

/* Each handler returns false for what makes no sense: an index out of its table, a string without end. */

static bool has_end(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static bool is_peer(const struct imds_peer *p)
{
	for (size_t i = 0; i < IMDS_ANCESTORS; i++)
		if (!has_end(p->ancestors[i], IMDS_COMM_LEN))
			return false;
	return p->endpoint < IMDS_MAX_ENDPOINTS && has_end(p->comm, IMDS_COMM_LEN);
}

static bool handle_request(struct tracer *t, const void *data)
{
	const struct imds_rec_request *rec = data;
	const struct imds_request *q = &rec->req;

	if (!is_peer(&rec->peer) || q->kind >= IMDS_KIND_COUNT || q->method >= IMDS_METHOD_COUNT ||
	    q->version >= IMDS_VERSION_COUNT || q->end >= IMDS_END_COUNT || q->path_len >= IMDS_PATH_LEN ||
	    !has_end(q->path, IMDS_PATH_LEN))
		return false;
	t->cb.on_request(t->cb.arg, rec);
	return true;
}

static bool handle_flow_end(struct tracer *t, const void *data)
{
	const struct imds_rec_flow_end *rec = data;

	if (!is_peer(&rec->peer) || rec->last_kind >= IMDS_KIND_COUNT || rec->last_end >= IMDS_END_COUNT)
		return false;
	t->cb.on_flow_end(t->cb.arg, rec);
	return true;
}

static bool handle_drop(struct tracer *t, const void *data)
{
	const struct imds_rec_drop *rec = data;

	if (!is_peer(&rec->peer) || rec->kind >= IMDS_KIND_COUNT)
		return false;
	t->cb.on_drop(t->cb.arg, rec);
	return true;
}

static bool handle_cgroup(struct tracer *t, const void *data)
{
	const struct imds_rec_cgroup *rec = data;

	if (!has_end(rec->path, sizeof(rec->path)))
		return false;
	t->cb.on_cgroup(t->cb.arg, rec);
	return true;
}

static bool handle_copy(struct tracer *t, const void *data)
{
	const struct imds_rec_copy *rec = data;

	if (rec->captured > IMDS_COPY_MAX || rec->captured > rec->length || !t->cb.on_copy)
		return false;
	t->cb.on_copy(t->cb.arg, rec);
	return true;
}

static const struct {
	bool (*fn)(struct tracer *t, const void *rec);
	size_t size;
} handlers[IMDS_REC_COUNT] = {
	[IMDS_REC_REQUEST] = { handle_request, sizeof(struct imds_rec_request) },
	[IMDS_REC_FLOW_END] = { handle_flow_end, sizeof(struct imds_rec_flow_end) },
	[IMDS_REC_DROP] = { handle_drop, sizeof(struct imds_rec_drop) },
	[IMDS_REC_CGROUP_MKDIR] = { handle_cgroup, sizeof(struct imds_rec_cgroup) },
	[IMDS_REC_CGROUP_RMDIR] = { handle_cgroup, sizeof(struct imds_rec_cgroup) },
	[IMDS_REC_COPY] = { handle_copy, sizeof(struct imds_rec_copy) },
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void take_record(struct tracer *t, const struct imds_record *h, size_t len)
{
	const void *data = h;

	if (len < sizeof(*h) || h->type >= IMDS_REC_COUNT || !handlers[h->type].fn || len < handlers[h->type].size ||
	    h->len != handlers[h->type].size || !handlers[h->type].fn(t, data))
		t->bad_records++;
}

/* This turn's work is done: libbpf keeps the place when a callback is negative. */
static int has_had_enough(struct tracer *t)
{
	return ++t->records >= TRACER_RECORDS || (!(t->records % 64) && clock_ns() >= t->read_until_ns) ? -EAGAIN : 0;
}

static int on_rare(void *arg, void *data, size_t len)
{
	struct tracer *t = arg;

	take_record(t, data, len);
	/* no matter how long it takes: what is left unread would be missing to the requests after it */
	return ++t->rare_records >= TRACER_RECORDS ? -EAGAIN : 0;
}

/* A cgroup that was made before this request, and its packets, are known before it: they lie in the other rings. */
static int on_record(void *arg, void *data, size_t len)
{
	const struct imds_record *h = data;
	struct tracer *t = arg;

	if (len >= sizeof(*h) && h->ts_ns > t->rare_read_ns) {
		t->rare_read_ns = clock_ns();
		ring_buffer__consume(t->rare);
		if (t->copies)
			ring_buffer__consume(t->copies);
	}
	take_record(t, h, len);
	return has_had_enough(t);
}

static int on_copied(void *arg, void *data, size_t len)
{
	struct tracer *t = arg;

	take_record(t, data, len);
	return ++t->copy_records >= TRACER_RECORDS ? -EAGAIN : 0;
}

int tracer_ring_fd(const struct tracer *t)
{
	return t->ring_fd;
}

int tracer_consume(struct tracer *t, bool *ret_more)
{
	uint64_t now_ns = clock_ns();
	int err;

	t->records = t->rare_records = t->copy_records = 0;
	*ret_more = false;
	/* before the verdicts about them */
	if (t->copies) {
		err = ring_buffer__consume(t->copies);
		*ret_more = err == -EAGAIN;
		if (err < 0 && err != -EAGAIN)
			return err;
	}
	t->rare_read_ns = now_ns;
	err = ring_buffer__consume(t->rare);
	*ret_more |= err == -EAGAIN;
	if (err < 0 && err != -EAGAIN)
		return err;
	t->read_until_ns = clock_ns() + TRACER_READ_MS * 1000000ull;
	err = ring_buffer__consume(t->ring);
	*ret_more |= err == -EAGAIN;
	return err < 0 && err != -EAGAIN ? err : (int)(t->records + t->rare_records + t->copy_records);
}

/* --- shares ---------------------------------------------------------------------------------------------------------- */

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

/* --- open, configure, load, attach ----------------------------------------------------------------------------------- */

static int __attribute__((format(printf, 4, 5))) fail(char *msg, size_t len, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(msg, len, format, ap);
	va_end(ap);
	return err;
}

/* The bits on which all endpoints of a family agree. */
static void set_masks(struct imdsnoop_bpf *skel, const struct tracer_options *o)
{
	static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };
	const struct imds_addr *first4 = NULL, *first6 = NULL;
	uint64_t m6[2] = { ~0ull, ~0ull };
	uint32_t m4 = ~0u;

	for (size_t i = 0; i < o->endpoints_len; i++) {
		const struct imds_addr *a = &o->endpoints[i].addr;

		if (!memcmp(a->b, v4_prefix, sizeof(v4_prefix))) {
			if (!first4)
				first4 = a;
			m4 &= ~(a->w[3] ^ first4->w[3]);
		} else {
			if (!first6)
				first6 = a;
			m6[0] &= ~(a->d[0] ^ first6->d[0]);
			m6[1] &= ~(a->d[1] ^ first6->d[1]);
		}
	}
	if (first4) {
		skel->rodata->imds_v4_any = 1;
		skel->rodata->imds_v4_mask = m4;
		skel->rodata->imds_v4_value = first4->w[3] & m4;
	}
	if (first6) {
		skel->rodata->imds_v6_any = 1;
		for (int i = 0; i < 2; i++) {
			skel->rodata->imds_v6_mask[i] = m6[i];
			skel->rodata->imds_v6_value[i] = first6->d[i] & m6[i];
		}
	}
}

static void off(struct features *f, struct bpf_program *prog, const char *name, const char *state, const char *why)
{
	bpf_program__set_autoload(prog, false);
	if (name)
		features_note(f, name, state, why);
}

static int configure(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len)
{
	struct imdsnoop_bpf *s = t->skel;
	int err;

	if (s->rodata->imds_abi_version != IMDS_ABI_VERSION)
		return fail(msg, msg_len, -EPROTO, "the BPF object speaks version %u, this program %u: rebuild",
			    s->rodata->imds_abi_version, IMDS_ABI_VERSION);
	if (!o->endpoints_len || o->endpoints_len > IMDS_MAX_ENDPOINTS)
		return fail(msg, msg_len, -EINVAL, "between 1 and %d endpoints are possible", IMDS_MAX_ENDPOINTS);
	memcpy((void *)s->rodata->imds_endpoints, o->endpoints, o->endpoints_len * sizeof(*o->endpoints));
	s->rodata->imds_endpoints_len = o->endpoints_len;
	set_masks(s, o);
	s->rodata->imds_own_netns = netns_cookie(o->host_netns);
	s->rodata->imds_netns_inodes[0] = netns_inode("/proc/1/ns/net");
	s->rodata->imds_netns_inodes[1] = netns_inode("/proc/self/ns/net");
	s->rodata->imds_reason_ttl = o->places.reason_ttl;
	s->rodata->imds_reason_tc_ingress = o->places.reason_tc_ingress;
	memcpy((void *)s->rodata->imds_forward_functions, o->places.functions, sizeof(o->places.functions));
	s->rodata->imds_with_ancestors = f->has_tp_btf;
	err = http_table_compile((struct imds_http_table *)&s->rodata->imds_http);
	if (err)
		return fail(msg, msg_len, err, "cannot compile the HTTP table: %s", strerror(-err));

	s->rodata->imds_max_flows = o->max_flows;
	s->rodata->imds_share_level = o->depth + 2;
	t->max_flows = o->max_flows;
	t->max_cgroups = o->max_pods * CGROUPS_PER_POD;
	t->max_keys = o->max_pods * KEYS_PER_CGROUP;
	bpf_map__set_max_entries(s->maps.imds_flows, o->max_flows);
	bpf_map__set_max_entries(s->maps.imds_tuples, o->max_flows);
	bpf_map__set_max_entries(s->maps.imds_packets, t->max_cgroups);
	bpf_map__set_max_entries(s->maps.imds_requests, t->max_keys);
	bpf_map__set_max_entries(s->maps.imds_drops, t->max_cgroups * 2);
	bpf_map__set_max_entries(s->maps.imds_ring, o->ring_bytes ? o->ring_bytes : RING_BYTES);
	bpf_map__set_max_entries(s->maps.imds_rare, RARE_BYTES);

	if (!o->drops) {
		off(f, s->progs.imds_kfree_skb, "drops", "off", "--no-drops");
		off(f, s->progs.imds_kfree_skb_v510, NULL, NULL, NULL);
	} else if (!f->kfree_skb_args) {
		off(f, s->progs.imds_kfree_skb, NULL, NULL, NULL); /* features told why */
		off(f, s->progs.imds_kfree_skb_v510, NULL, NULL, NULL);
	} else {
		off(f, f->kfree_skb_args >= 3 ? s->progs.imds_kfree_skb_v510 : s->progs.imds_kfree_skb, NULL, NULL, NULL);
	}
	if (o->copies) {
		bpf_map__set_max_entries(s->maps.imds_copies, COPIES_BYTES);
	} else {
		off(f, s->progs.imds_copy_egress, NULL, NULL, NULL);
		off(f, s->progs.imds_copy_ingress, NULL, NULL, NULL);
		bpf_map__set_autocreate(s->maps.imds_copies, false);
	}
	if (!o->copies || !o->drops || f->kfree_skb_args < 3)
		off(f, s->progs.imds_copy_kfree_skb, NULL, NULL, NULL);
	if (!o->copies || !o->drops || !f->kfree_skb_args || f->kfree_skb_args >= 3)
		off(f, s->progs.imds_copy_kfree_skb_v510, NULL, NULL, NULL);
	off(f, f->lite ? s->progs.imds_egress : s->progs.imds_egress_lite, NULL, NULL, NULL);
	off(f, f->lite ? s->progs.imds_ingress : s->progs.imds_ingress_lite, NULL, NULL, NULL);
	off(f, f->lite ? s->progs.imds_connect4 : s->progs.imds_connect4_lite, NULL, NULL, NULL);
	off(f, f->lite ? s->progs.imds_connect6 : s->progs.imds_connect6_lite, NULL, NULL, NULL);
	if (!o->process) {
		features_note(f, "process", "off", "--no-process");
		off(f, f->lite ? s->progs.imds_connect4_lite : s->progs.imds_connect4, NULL, NULL, NULL);
		off(f, f->lite ? s->progs.imds_connect6_lite : s->progs.imds_connect6, NULL, NULL, NULL);
	}
	if (!o->names || !f->has_cgroup_names) {
		off(f, s->progs.imds_cgroup_mkdir, NULL, NULL, NULL);
		off(f, s->progs.imds_cgroup_rmdir, NULL, NULL, NULL);
	}
	return 0;
}

#define OPTIONAL_MAX 14

/* The optional programs, and the feature that each group stands for. */
struct optional {
	struct bpf_program *prog;
	const char *feature;
};

static size_t optional_programs(struct imdsnoop_bpf *s, struct optional *o)
{
	struct optional all[] = {
		{ s->progs.imds_connect4, "process" },
		{ s->progs.imds_connect6, "process" },
		{ s->progs.imds_connect4_lite, "process" },
		{ s->progs.imds_connect6_lite, "process" },
		{ s->progs.imds_release, "release" },
		{ s->progs.imds_kfree_skb, "drops" },
		{ s->progs.imds_kfree_skb_v510, "drops" },
		{ s->progs.imds_cgroup_mkdir, "names" },
		{ s->progs.imds_cgroup_rmdir, "names" },
		{ s->progs.imds_copy_egress, "pcapng" },
		{ s->progs.imds_copy_ingress, "pcapng" },
		{ s->progs.imds_copy_kfree_skb, "pcapng" },
		{ s->progs.imds_copy_kfree_skb_v510, "pcapng" },
	};

	memcpy(o, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

/*
 * Attaches to the cgroup, or to the program's tracepoint. At connect(2) ours is to see the address before others rewrite it:
 * where the kernel lets it, ahead of all others, which *ret_first tells. Returns the link's descriptor, or a negative errno.
 */
static int attach_one(const struct bpf_program *prog, int cgroup_fd, bool *ret_first)
{
	bool at_connect = bpf_program__type(prog) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = at_connect ? BPF_F_PREORDER_6_15 : 0);
	int link, fd = bpf_program__fd(prog);

	if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACING) {
		link = bpf_raw_tracepoint_open(NULL, fd);
		return link < 0 ? -errno : link;
	}
	link = bpf_link_create(fd, cgroup_fd, bpf_program__expected_attach_type(prog), &opts);
	if (link < 0 && at_connect && errno == EINVAL) {
		opts.flags = 0;
		*ret_first = false;
		link = bpf_link_create(fd, cgroup_fd, bpf_program__expected_attach_type(prog), &opts);
	}
	return link < 0 ? -errno : link;
}

static void add_link(struct tracer *t, int link, struct bpf_program *prog)
{
	t->links[t->links_len].link = link;
	t->links[t->links_len++].prog = prog;
}

/* The optional programs of feature "names", or all others. A refused one is noted, no more. */
static void attach_optional(struct tracer *t, struct features *f, bool names)
{
	struct optional optional[OPTIONAL_MAX];
	size_t n = optional_programs(t->skel, optional);
	bool first = true, connects = false;

	for (size_t i = 0; i < n; i++) {
		struct bpf_program *prog = optional[i].prog;
		char why[160];
		int link;

		if (!bpf_program__autoload(prog) || !strcmp(optional[i].feature, "names") != names)
			continue;
		link = attach_one(prog, t->cgroup_fd, &first);
		if (link >= 0) {
			add_link(t, link, prog);
			connects |= bpf_program__type(prog) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
			continue;
		}
		first = false;
		snprintf(why, sizeof(why), "cannot attach %s: %s", bpf_program__name(prog), strerror(-link));
		features_note(f, optional[i].feature, "missing", why);
	}
	/* what another program rewrites then is seen, as redirected */
	if (first && connects)
		features_note(f, "other_programs", "ok", "");
}

/*
 * Names first, so that no packet's cgroup is unknown. Ingress before egress and both before connect(2): a connection
 * that is known has had all its packets seen from then on, or is marked as older than us by its first packet out.
 */
static int attach(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len)
{
	struct bpf_program *required[] = {
		f->lite ? t->skel->progs.imds_ingress_lite : t->skel->progs.imds_ingress,
		f->lite ? t->skel->progs.imds_egress_lite : t->skel->progs.imds_egress,
	};
	bool first = true;
	int link;

	attach_optional(t, f, true);
	for (size_t i = 0; i < 2; i++) {
		link = attach_one(required[i], t->cgroup_fd, &first);
		if (link < 0)
			return fail(
			    msg, msg_len, link, "cannot attach to cgroup '%s': %s%s", o->cgroup, strerror(-link),
			    link == -EPERM
				? " (another program there, or above, forbids more programs beside it: "
				  "see `bpftool cgroup tree`, or choose a lower --cgroup; or a capability is missing)"
			    : link == -EINVAL ? " (is it a cgroup v2 folder, and the kernel 5.10 or newer?)"
					      : "");
		add_link(t, link, required[i]);
	}
	attach_optional(t, f, false);
	return 0;
}

/*
 * libbpf asks for kernel BTF as soon as the object has one relocation, even in programs that are not loaded. Without BTF
 * we give it an empty one: what is loaded then reaches no relocated access, and the verifier drops those as dead code.
 * Returns a descriptor of the file, or a negative errno.
 */
static int empty_btf(void)
{
	struct btf *btf = btf__new_empty();
	int fd = -ENOMEM;
	const void *data;
	uint32_t len;

	if (btf && btf__add_int(btf, "int", 4, BTF_INT_SIGNED) > 0 && (data = btf__get_raw_data(btf, &len))) {
		fd = memfd_create("btf", MFD_CLOEXEC);
		if (fd < 0) {
			fd = -errno;
		} else if (write(fd, data, len) != (ssize_t)len) {
			close(fd);
			fd = -EIO;
		}
	}
	btf__free(btf);
	return fd;
}

/* Loads; when an optional program is refused, once more without the optional ones, one by one. */
static int load_from(struct tracer *t, const struct tracer_options *o, struct features *f, const char *btf_path,
		     char *msg, size_t msg_len)
{
	static const char *const order[] = { NULL, "pcapng", "drops", "names", "release", "process" };
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf_path);
	int err = -EINVAL;

	for (size_t round = 0; round < sizeof(order) / sizeof(order[0]); round++) {
		struct optional optional[OPTIONAL_MAX];
		size_t n;

		imdsnoop_bpf__destroy(t->skel);
		t->skel = imdsnoop_bpf__open_opts(&opts);
		if (!t->skel)
			return fail(msg, msg_len, -errno, "cannot open the BPF object: %s", strerror(errno));
		err = configure(t, o, f, msg, msg_len);
		if (err)
			return err;
		n = optional_programs(t->skel, optional);
		for (size_t i = 0; i < n; i++)
			for (size_t k = 1; k <= round; k++)
				if (!strcmp(optional[i].feature, order[k]))
					bpf_program__set_autoload(optional[i].prog, false);
		err = imdsnoop_bpf__load(t->skel);
		if (!err) {
			for (size_t k = 1; k <= round; k++)
				if (o->copies || strcmp(order[k], "pcapng"))
					features_note(f, order[k], "missing", "the kernel refused to load its program");
			return 0;
		}
	}
	if (err == -EPERM)
		return fail(msg, msg_len, err,
			    "the kernel refused to load BPF programs: %s (run as root, or with CAP_BPF, CAP_PERFMON "
			    "and CAP_NET_ADMIN; see `imdsnoop check`)",
			    strerror(-err));
	return fail(
	    msg, msg_len, err,
	    "the kernel refused to load the BPF programs: %s (%ssee `imdsnoop check`, -v shows the verifier's words)",
	    strerror(-err), f->lite ? "grant CAP_PERFMON; " : "");
}

static int load(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len)
{
	char path[32];
	int fd, err;

	if (f->has_btf)
		return load_from(t, o, f, NULL, msg, msg_len);
	fd = empty_btf();
	if (fd < 0)
		return fail(msg, msg_len, fd, "cannot make an empty BTF: %s", strerror(-fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = load_from(t, o, f, path, msg, msg_len);
	close(fd);
	return err;
}

/* One descriptor that is readable when one of the rings is; a negative errno. */
static int all_rings(const struct tracer *t, bool copies)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd;

	if (!t->ring || !t->rare || (copies && !t->copies))
		return errno ? -errno : -ENOMEM;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (epoll_ctl(fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(t->ring), &e) ||
	    epoll_ctl(fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(t->rare), &e) ||
	    (t->copies && epoll_ctl(fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(t->copies), &e))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int tracer_new(const struct tracer_options *o, struct features *features, const struct tracer_callbacks *cb,
	       struct tracer **ret_tracer, char *msg, size_t msg_len)
{
	struct tracer *t;
	int err;

	t = calloc(1, sizeof(*t));
	if (!t)
		return fail(msg, msg_len, -ENOMEM, "out of memory");
	t->cb = *cb;
	t->ring_fd = -1;
	t->cgroup_fd = -1;
	t->share_next = IMDS_SHARES_HASHED;
	t->shared = calloc(IMDS_SHARES, sizeof(*t->shared));
	if (!t->shared) {
		err = fail(msg, msg_len, -ENOMEM, "out of memory");
		goto out;
	}
	t->cgroup_fd = open(o->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->cgroup_fd < 0) {
		err = fail(msg, msg_len, -errno, "cannot open cgroup folder '%s': %s (--cgroup takes a cgroup v2 folder)",
			   o->cgroup, strerror(errno));
		goto out;
	}
	t->cpus = libbpf_num_possible_cpus();
	if (t->cpus < 0) {
		err = fail(msg, msg_len, t->cpus, "cannot count CPUs: %s", strerror(-t->cpus));
		goto out;
	}
	err = load(t, o, features, msg, msg_len);
	if (err)
		goto out;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a skeleton that is not there is an error */
	t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.imds_ring), on_record, t, NULL);
	t->rare = ring_buffer__new(bpf_map__fd(t->skel->maps.imds_rare), on_rare, t, NULL);
	if (o->copies && bpf_map__fd(t->skel->maps.imds_copies) >= 0)
		t->copies = ring_buffer__new(bpf_map__fd(t->skel->maps.imds_copies), on_copied, t, NULL);
	t->ring_fd = all_rings(t, o->copies);
	if (t->ring_fd < 0) {
		err = fail(msg, msg_len, t->ring_fd, "cannot map the ring buffer: %s", strerror(-t->ring_fd));
		goto out;
	}
	err = attach(t, o, features, msg, msg_len);
	if (err)
		goto out;
	*ret_tracer = t;
	return 0;
out:
	tracer_free(t);
	return err;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->links_len; i++)
		if (t->links[i].link >= 0)
			close(t->links[i].link);
	if (t->ring_fd >= 0)
		close(t->ring_fd);
	ring_buffer__free(t->ring);
	ring_buffer__free(t->rare);
	ring_buffer__free(t->copies);
	cursor_free(t->sweep);
	free(t->shared);
	imdsnoop_bpf__destroy(t->skel);
	if (t->cgroup_fd >= 0)
		close(t->cgroup_fd);
	free(t);
}

/* --- detached by others ---------------------------------------------------------------------------------------------- */

/*
 * `bpftool link detach`, or the folder is removed: the link stays, its cgroup is gone. Links of tracing programs cannot
 * be detached.
 */
static bool is_detached(int link)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	return link < 0 || (!bpf_obj_get_info_by_fd(link, &info, &len) && info.type == BPF_LINK_TYPE_CGROUP &&
			    !info.cgroup.cgroup_id);
}

size_t tracer_detached(const struct tracer *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->links_len; i++)
		n += is_detached(t->links[i].link);
	return n;
}

int tracer_attach_again(struct tracer *t, const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(t->cgroup_fd);
	t->cgroup_fd = fd;
	for (size_t i = 0; i < t->links_len; i++) {
		bool first = true;
		int link;

		if (!is_detached(t->links[i].link))
			continue;
		link = attach_one(t->links[i].prog, fd, &first);
		if (link < 0)
			return link;
		if (t->links[i].link >= 0)
			close(t->links[i].link);
		t->links[i].link = link;
	}
	return 0;
}

/* --- reading tables -------------------------------------------------------------------------------------------------- */

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
	ret->req.flags |= f->flags;
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

/*
 * A walk through a hash map in batches, which may pause between two. A key that comes or goes meanwhile may be missed
 * until the next walk.
 */
struct cursor {
	int fd;
	size_t key_size, value_size, capacity;
	bool started;
	uint8_t token[64], *keys, *values;
};

static void cursor_free(struct cursor *c)
{
	if (!c)
		return;
	free(c->keys);
	free(c->values);
	free(c);
}

static struct cursor *cursor_new(int fd, size_t key_size, size_t value_size)
{
	struct cursor *c = calloc(1, sizeof(*c));

	if (c)
		*c = (struct cursor){ .fd = fd, .key_size = key_size, .value_size = value_size, .capacity = SWEEP_BATCH };
	return c && key_size <= sizeof(c->token) ? c : (free(c), NULL);
}

/*
 * The next batch; fn returns true for a key to delete, *ret_deleted grows by those deleted. Returns how many there were,
 * *ret_end: they were the last; or a negative errno.
 */
static int cursor_next(struct cursor *c, bool (*fn)(void *arg, const void *key, const void *value),
		       void (*deleted)(void *arg, const void *key, const void *value), void *arg, bool *ret_end)
{
	__u32 n;
	int err;

	do {
		if (!c->keys) {
			c->keys = malloc(c->capacity * c->key_size);
			c->values = malloc(c->capacity * c->value_size);
			if (!c->keys || !c->values)
				return -ENOMEM;
		}
		n = c->capacity;
		err = bpf_map_lookup_batch(c->fd, c->started ? c->token : NULL, c->token, c->keys, c->values, &n, NULL);
		if (err == -ENOSPC) { /* one bucket holds more than the batch */
			free(c->keys);
			free(c->values);
			c->keys = c->values = NULL;
			c->capacity *= 2;
		}
	} while (err == -ENOSPC);
	if (err && err != -ENOENT)
		return err;
	c->started = true;
	*ret_end = err == -ENOENT;
	for (__u32 i = 0; i < n; i++) {
		const void *key = c->keys + i * c->key_size, *value = c->values + i * c->value_size;

		if (fn(arg, key, value) && !bpf_map_delete_elem(c->fd, key) && deleted)
			deleted(arg, key, value);
	}
	return n;
}

/* All of a map. Returns the number of entries or a negative errno. */
static int walk(int fd, size_t key_size, size_t value_size, bool (*fn)(void *arg, const void *key, const void *value),
		void *arg)
{
	struct cursor *c = cursor_new(fd, key_size, value_size);
	int n = c ? 0 : -ENOMEM, total = 0;
	bool end = false;

	while (n >= 0 && !end) {
		n = cursor_next(c, fn, NULL, arg, &end);
		total += n > 0 ? n : 0;
	}
	cursor_free(c);
	return n < 0 ? n : total;
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
	return f->last_end == IMDS_END_ANSWERED || f->last_kind == IMDS_KIND_CONNECT_ONLY ? CLOSED_NS : LATE_NS;
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

/* Connections held now; in two reads, so that one too many may be told for a moment, never less than none. */
static uint64_t flows_held(const struct tracer *t)
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
		cursor_free(t->sweep);
		t->sweep = NULL;
	}
	if (!t->sweep && !flows_held(t))
		return 1;
	if (!t->sweep)
		t->sweep = cursor_new(bpf_map__fd(t->skel->maps.imds_flows), sizeof(struct imds_flow_key),
				      sizeof(struct imds_flow));
	if (!t->sweep)
		return -ENOMEM;
	for (int seen = 0; n >= 0 && !end && (all || seen < TRACER_SWEEP); seen += n)
		n = cursor_next(t->sweep, on_flow, on_flow_deleted, &s, &end);
	if (n >= 0 && !end)
		return 0;
	cursor_free(t->sweep);
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
	struct cursor *c;
	bool end = false;
	int n = 0;

	cursor_free(t->sweep);
	t->sweep = NULL;
	if (!flows_held(t))
		return 0;
	c = cursor_new(bpf_map__fd(t->skel->maps.imds_flows), sizeof(struct imds_flow_key), sizeof(struct imds_flow));
	if (!c)
		return -ENOMEM;
	while (n >= 0 && !end)
		n = cursor_next(c, any_flow, on_flow_deleted, &s, &end);
	cursor_free(c);
	return n < 0 ? n : 0;
}

struct sum {
	struct tracer *t;
	tracer_packets_fn packets;
	tracer_requests_fn requests;
	tracer_drops_fn drops;
	void *arg;
};

static bool on_packets(void *arg, const void *key, const void *value)
{
	const struct imds_packet_counters *c = value;
	struct imds_packet_counters sum = { 0 };
	struct sum *s = arg;

	for (int cpu = 0; cpu < s->t->cpus; cpu++)
		for (int d = 0; d < IMDS_DIRECTION_COUNT; d++) {
			for (int p = 0; p < IMDS_PROTO_COUNT; p++)
				sum.packets[d][p] += c[cpu].packets[d][p];
			sum.bytes[d] += c[cpu].bytes[d];
			sum.untracked += d ? 0 : c[cpu].untracked;
		}
	s->packets(s->arg, *(const uint64_t *)key, &sum);
	return false;
}

static bool on_requests(void *arg, const void *key, const void *value)
{
	const struct imds_request_counters *c = value;
	struct imds_request_counters sum = { 0 };
	struct sum *s = arg;

	for (int cpu = 0; cpu < s->t->cpus; cpu++) {
		sum.finished += c[cpu].finished;
		sum.lost += c[cpu].lost;
	}
	s->requests(s->arg, key, &sum);
	return false;
}

static bool on_drops(void *arg, const void *key, const void *value)
{
	const __u64 *c = value;
	uint64_t sum = 0;
	struct sum *s = arg;

	for (int cpu = 0; cpu < s->t->cpus; cpu++)
		sum += c[cpu];
	s->drops(s->arg, key, sum);
	return false;
}

/* values of a per-CPU map come as one array a key, each element rounded up to 8 bytes */
int tracer_read_packets(struct tracer *t, tracer_packets_fn fn, void *arg)
{
	struct sum s = { .t = t, .packets = fn, .arg = arg };
	int n = walk(bpf_map__fd(t->skel->maps.imds_packets), sizeof(__u64),
		     sizeof(struct imds_packet_counters) * t->cpus, on_packets, &s);

	return n < 0 ? n : 0;
}

int tracer_read_requests(struct tracer *t, tracer_requests_fn fn, void *arg)
{
	struct sum s = { .t = t, .requests = fn, .arg = arg };
	int n = walk(bpf_map__fd(t->skel->maps.imds_requests), sizeof(struct imds_request_key),
		     sizeof(struct imds_request_counters) * t->cpus, on_requests, &s);

	return n < 0 ? n : 0;
}

int tracer_read_drops(struct tracer *t, tracer_drops_fn fn, void *arg)
{
	struct sum s = { .t = t, .drops = fn, .arg = arg };
	int n = walk(bpf_map__fd(t->skel->maps.imds_drops), sizeof(struct imds_drop_key), sizeof(__u64) * t->cpus,
		     on_drops, &s);

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

struct unowned_sum {
	tracer_unowned_fn fn;
	void *arg;
};

static bool on_unowned(void *arg, const void *key, const void *value)
{
	struct unowned_sum *s = arg;

	s->fn(s->arg, key, value);
	return false;
}

int tracer_read_unowned(struct tracer *t, tracer_unowned_fn fn, void *arg)
{
	struct unowned_sum s = { fn, arg };
	int n = walk(bpf_map__fd(t->skel->maps.imds_unowned), sizeof(struct imds_unowned_key),
		     sizeof(struct imds_unowned), on_unowned, &s);

	return n < 0 ? n : 0;
}

uint64_t tracer_missed(struct tracer *t)
{
	struct bpf_program *prog;
	uint64_t missed = 0;

	bpf_object__for_each_program(prog, t->skel->obj)
	{
		struct bpf_prog_info info = { 0 };
		__u32 info_len = sizeof(info);

		if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACING && bpf_program__autoload(prog) &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &info_len))
			missed += info.recursion_misses;
	}
	return missed;
}

struct forget {
	bool (*gone)(void *arg, uint64_t cgroup_id);
	void *arg;
};

/* The keys of all three tables begin with the cgroup id. */
static bool is_gone(void *arg, const void *key, const void *value)
{
	struct forget *f = arg;
	uint64_t cgroup_id;

	memcpy(&cgroup_id, key, sizeof(cgroup_id));
	return f->gone(f->arg, cgroup_id);
}

int tracer_forget(struct tracer *t, bool (*gone)(void *arg, uint64_t cgroup_id), void *arg)
{
	struct forget f = { gone, arg };
	int p = walk(bpf_map__fd(t->skel->maps.imds_packets), sizeof(__u64),
		     sizeof(struct imds_packet_counters) * t->cpus, is_gone, &f);
	int r = walk(bpf_map__fd(t->skel->maps.imds_requests), sizeof(struct imds_request_key),
		     sizeof(struct imds_request_counters) * t->cpus, is_gone, &f);
	int d = walk(bpf_map__fd(t->skel->maps.imds_drops), sizeof(struct imds_drop_key), sizeof(__u64) * t->cpus,
		     is_gone, &f);

	return p < 0 ? p : r < 0 ? r : d < 0 ? d : 0;
}

void tracer_losses(const struct tracer *t, uint64_t ret_losses[TRACER_LOSS_COUNT])
{
	for (int i = 0; i < IMDS_LOSS_COUNT; i++)
		ret_losses[i] = __atomic_load_n(&t->skel->bss->imds_losses[i], __ATOMIC_RELAXED);
	ret_losses[TRACER_LOSS_BAD_RECORD] = t->bad_records;
}

static bool count_only(void *arg, const void *key, const void *value)
{
	return false;
}

size_t tracer_tables(struct tracer *t, struct tracer_table *ret_tables, size_t len)
{
	struct {
		const char *name;
		struct bpf_map *map;
		size_t key_size, value_size;
		uint32_t limit;
	} tables[] = {
		{ "flows", t->skel->maps.imds_flows, 0, 0, t->max_flows },
		{ "packet_counters", t->skel->maps.imds_packets, 8, sizeof(struct imds_packet_counters) * t->cpus,
		  t->max_cgroups },
		{ "request_counters", t->skel->maps.imds_requests, sizeof(struct imds_request_key),
		  sizeof(struct imds_request_counters) * t->cpus, t->max_keys },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && n < len; i++, n++) {
		int entries = tables[i].key_size ? walk(bpf_map__fd(tables[i].map), tables[i].key_size,
							tables[i].value_size, count_only, NULL)
						 : (int)flows_held(t);

		ret_tables[n] = (struct tracer_table){ tables[i].name, entries < 0 ? 0 : entries, tables[i].limit };
	}
	return n;
}

size_t tracer_programs(struct tracer *t, struct tracer_program *ret_programs, size_t len)
{
	struct bpf_program *prog;
	size_t n = 0;

	bpf_object__for_each_program(prog, t->skel->obj)
	{
		struct bpf_prog_info info = { 0 };
		__u32 info_len = sizeof(info);

		if (n == len)
			break;
		if (!bpf_program__autoload(prog) || bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &info_len))
			continue;
		ret_programs[n++] = (struct tracer_program){ bpf_program__name(prog), info.run_cnt, info.run_time_ns };
	}
	return n;
}

#define ELEMENT_BYTES 56	 /* struct htab_elem and what the kernel's allocator puts before it */
#define SLOT_BYTES 16		 /* struct bucket */
#define PROGRAM_BYTES (3u << 20) /* translated programs, their types and lines */

/* As the kernel rounds up: to the next of its sizes (kmalloc: powers of two, 96 and 192). */
static uint64_t element_bytes(size_t key, size_t value)
{
	uint64_t want = ELEMENT_BYTES + ((key + 7) & ~7ull) + ((value + 7) & ~7ull), size = 64;

	if (want > 64 && want <= 96)
		return 96;
	if (want > 128 && want <= 192)
		return 192;
	while (size < want)
		size *= 2;
	return size;
}

static uint64_t hash_bytes(uint64_t entries, size_t key, size_t value, size_t per_cpu, uint64_t cpus)
{
	uint64_t slots = 1;

	while (slots < entries)
		slots *= 2;
	return entries * (element_bytes(key, value) + cpus * ((per_cpu + 7) & ~7ull)) + slots * SLOT_BYTES;
}

void tracer_memory(uint32_t max_flows, uint32_t max_pods, struct tracer_memory *ret)
{
	uint64_t cgroups = (uint64_t)max_pods * CGROUPS_PER_POD, keys = (uint64_t)max_pods * KEYS_PER_CGROUP;
	int possible = libbpf_num_possible_cpus();
	uint64_t cpus = possible > 0 ? (uint64_t)possible : 1;

	*ret = (struct tracer_memory){
		.flows = hash_bytes(max_flows, sizeof(struct imds_flow_key), sizeof(struct imds_flow), 0, 0) +
			 hash_bytes(max_flows, sizeof(struct imds_tuple), sizeof(struct imds_flow_key), 0, 0),
		.counters =
		    hash_bytes(cgroups, 8, 8, sizeof(struct imds_packet_counters), cpus) +
		    hash_bytes(keys, sizeof(struct imds_request_key), 8, sizeof(struct imds_request_counters), cpus) +
		    hash_bytes(2 * cgroups, sizeof(struct imds_drop_key), 8, 8, cpus),
		.rings = RING_BYTES + RARE_BYTES,
		.fixed = sizeof(struct imdsnoop_bpf__bss) + sizeof(struct imdsnoop_bpf__rodata) +
			 hash_bytes(IMDS_SHARES, 8, 4, 0, 0) +
			 hash_bytes(IMDS_UNOWNED, sizeof(struct imds_unowned_key), sizeof(struct imds_unowned), 0, 0) +
			 PROGRAM_BYTES,
		.keys = cgroups + keys + 2 * cgroups,
	};
}
