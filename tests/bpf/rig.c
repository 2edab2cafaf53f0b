/* SPDX-License-Identifier: GPL-2.0-only */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>

#include "../../user/kernel/tracer_impl.h"

struct rig {
	struct tracer t;
	struct features features;
	struct ring_buffer *ring;
	void (*on_bytes)(void *arg, const void *data, size_t len);
	void *on_bytes_arg;
	struct imds_rec_request requests[RIG_RECORDS];
	size_t requests_len;
	struct imds_rec_flow_end ends[RIG_RECORDS];
	size_t ends_len;
};

static const struct {
	const char *text;
	uint8_t class;
} endpoints[] = {
	{ "::ffff:169.254.169.254", IMDS_EP_IMDS },
	{ "fd00:ec2::254", IMDS_EP_EC2 },
	{ "::ffff:169.254.170.2", IMDS_EP_ECS },
	{ "::ffff:169.254.170.23", IMDS_EP_EKS },
	{ "fd00:ec2::23", IMDS_EP_EKS },
};
#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

static int on_ring(void *arg, void *data, size_t len)
{
	const struct imds_record *h = data;
	struct rig *r = arg;

	if (r->on_bytes)
		r->on_bytes(r->on_bytes_arg, data, len);
	if (h->type == IMDS_REC_REQUEST && r->requests_len < RIG_RECORDS)
		memcpy(&r->requests[r->requests_len++], data, sizeof(r->requests[0]));
	if (h->type == IMDS_REC_FLOW_END && r->ends_len < RIG_RECORDS)
		memcpy(&r->ends[r->ends_len++], data, sizeof(r->ends[0]));
	return 0;
}

/* The context is in r1 at a call; the helper would leave its result in r0. */
static void replace_ids(struct bpf_program *prog)
{
	struct bpf_insn *insn = (struct bpf_insn *)bpf_program__insns(prog);

	for (size_t i = 0; i < bpf_program__insn_cnt(prog); i++) {
		if (insn[i].code != (BPF_JMP | BPF_CALL) || insn[i].src_reg)
			continue;
		if (insn[i].imm != BPF_FUNC_get_socket_cookie && insn[i].imm != BPF_FUNC_skb_cgroup_id)
			continue;
		insn[i] = (struct bpf_insn){
			.code = BPF_LDX | BPF_MEM | BPF_W,
			.dst_reg = 0,
			.src_reg = 1,
			.off = insn[i].imm == BPF_FUNC_get_socket_cookie ? offsetof(struct __sk_buff, mark)
									 : offsetof(struct __sk_buff, priority),
		};
	}
}

struct rig *rig_new(bool ids_from_packet, bool lite)
{
	struct imds_endpoint list[ENDPOINTS] = { 0 };
	struct tracer_options o = {
		.endpoints = list,
		.endpoints_len = ENDPOINTS,
		.max_flows = 65536,
		.max_pods = 1024,
		.cgroup = "",
	};
	struct rig *r = calloc(1, sizeof(*r));
	char msg[512] = "";
	int err = -ENOMEM;

	if (!r)
		return NULL;
	for (size_t i = 0; i < ENDPOINTS; i++) {
		inet_pton(AF_INET6, endpoints[i].text, list[i].addr.b);
		list[i].class = endpoints[i].class;
	}
	r->t.cgroup_fd = -1;
	r->features.lite = lite;
	r->t.cpus = libbpf_num_possible_cpus();
	r->t.skel = imdsnoop_bpf__open();
	if (r->t.skel)
		err = tracer_configure(&r->t, &o, &r->features, msg, sizeof(msg));
	if (!err && ids_from_packet) {
		replace_ids(r->t.skel->progs.imds_egress);
		replace_ids(r->t.skel->progs.imds_ingress);
		replace_ids(r->t.skel->progs.imds_egress_lite);
		replace_ids(r->t.skel->progs.imds_ingress_lite);
	}
	if (!err)
		err = imdsnoop_bpf__load(r->t.skel);
	if (!err) {
		r->ring = ring_buffer__new(bpf_map__fd(r->t.skel->maps.imds_ring), on_ring, r, NULL);
		err = r->ring ? 0 : -errno;
	}
	if (err) {
		fprintf(stderr, "cannot load the BPF programs: %s %s\n", msg, strerror(-err));
		rig_free(r);
		return NULL;
	}
	return r;
}

void rig_free(struct rig *r)
{
	if (!r)
		return;
	ring_buffer__free(r->ring);
	imdsnoop_bpf__destroy(r->t.skel);
	free(r);
}

struct bpf_object *rig_object(struct rig *r)
{
	return r->t.skel->obj;
}

struct bpf_object *rig_open_only(void)
{
	size_t len;
	const void *elf = imdsnoop_bpf__elf_bytes(&len);

	return bpf_object__open_mem(elf, len, NULL);
}

int rig_prog(const struct rig *r, bool egress)
{
	const struct imdsnoop_bpf *s = r->t.skel;

	if (r->features.lite)
		return bpf_program__fd(egress ? s->progs.imds_egress_lite : s->progs.imds_ingress_lite);
	return bpf_program__fd(egress ? s->progs.imds_egress : s->progs.imds_ingress);
}

static void clear(struct bpf_map *map)
{
	uint8_t key[64];

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		if (bpf_map_delete_elem(bpf_map__fd(map), key))
			return;
}

void rig_reset(struct rig *r)
{
	struct imdsnoop_bpf *s = r->t.skel;

	rig_drain(r);
	clear(s->maps.imds_flows);
	clear(s->maps.imds_tuples);
	clear(s->maps.imds_packets);
	clear(s->maps.imds_requests);
	clear(s->maps.imds_drops);
	memset(s->bss, 0, sizeof(*s->bss));
	r->requests_len = r->ends_len = 0;
}

int rig_run(struct rig *r, bool egress, const void *packet, size_t len, uint32_t cookie, uint32_t cgroup, int repeat,
	    uint32_t *ret_ns)
{
	struct __sk_buff skb = { .mark = cookie, .priority = cgroup };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = packet, .data_size_in = len, .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .repeat = repeat);

	if (bpf_prog_test_run_opts(rig_prog(r, egress), &o))
		return -errno;
	if (ret_ns)
		*ret_ns = o.duration;
	return o.retval;
}

void rig_on_bytes(struct rig *r, void (*fn)(void *arg, const void *data, size_t len), void *arg)
{
	r->on_bytes = fn;
	r->on_bytes_arg = arg;
}

void rig_drain(struct rig *r)
{
	ring_buffer__consume(r->ring);
}

size_t rig_requests(const struct rig *r, const struct imds_rec_request **ret)
{
	ring_buffer__consume(r->ring);
	*ret = r->requests;
	return r->requests_len;
}

size_t rig_flow_ends(const struct rig *r, const struct imds_rec_flow_end **ret)
{
	ring_buffer__consume(r->ring);
	*ret = r->ends;
	return r->ends_len;
}

bool rig_flow(struct rig *r, uint32_t cookie, uint32_t query, struct imds_flow *ret)
{
	struct imds_flow_key key = { .cookie = cookie, .query = query };

	return !bpf_map_lookup_elem(bpf_map__fd(r->t.skel->maps.imds_flows), &key, ret);
}

void rig_set_flow(struct rig *r, const struct imds_flow *f)
{
	struct imds_flow_key key = { .cookie = f->peer.cookie };

	bpf_map_update_elem(bpf_map__fd(r->t.skel->maps.imds_flows), &key, f, BPF_EXIST);
}

size_t rig_map_walk(struct rig *r, const char *name, void (*fn)(void *arg, const void *data, size_t len), void *arg)
{
	struct bpf_map *map = bpf_object__find_map_by_name(r->t.skel->obj, name);
	size_t n = 0, size;
	uint8_t key[64], *value;
	void *prev = NULL;
	bool percpu;

	if (!map || bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
		return 0;
	percpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_HASH;
	size = (bpf_map__value_size(map) + 7) / 8 * 8 * (percpu ? r->t.cpus : 1);
	value = malloc(size);
	while (value && !bpf_map_get_next_key(bpf_map__fd(map), prev, key)) {
		prev = key;
		n++;
		if (fn && !bpf_map_lookup_elem(bpf_map__fd(map), key, value)) {
			fn(arg, key, bpf_map__key_size(map));
			fn(arg, value, size);
		}
	}
	free(value);
	return n;
}

size_t rig_waiting(const struct rig *r)
{
	size_t n = 0;

	for (size_t i = 0; i < IMDS_WAITING; i++)
		n += !!r->t.skel->bss->imds_waiting[i];
	return n;
}

uint64_t rig_memory(struct rig *r)
{
	uint64_t sum = 0, bytes;
	struct bpf_map *map;
	char path[64], line[128];
	FILE *f;

	bpf_object__for_each_map(map, r->t.skel->obj)
	{
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "memlock: %" SCNu64, &bytes) == 1)
				sum += bytes;
		if (f)
			fclose(f);
	}
	return sum;
}

uint64_t rig_loss(struct rig *r, enum imds_loss loss)
{
	return r->t.skel->bss->imds_losses[loss];
}

struct find {
	uint64_t cgroup;
	struct imds_packet_counters packets;
	enum imds_kind kind;
	enum imds_end end;
	uint64_t finished;
};

static void find_packets(void *arg, uint64_t cgroup, const struct imds_packet_counters *c)
{
	struct find *f = arg;

	if (cgroup == f->cgroup)
		f->packets = *c;
}

static void find_finished(void *arg, const struct imds_request_key *key, const struct imds_request_counters *c)
{
	struct find *f = arg;

	if (key->kind == f->kind && key->end == f->end)
		f->finished += c->finished;
}

struct imds_packet_counters rig_packets(struct rig *r, uint64_t cgroup)
{
	struct find f = { .cgroup = cgroup };

	tracer_read_packets(&r->t, find_packets, &f);
	return f.packets;
}

uint64_t rig_finished(struct rig *r, enum imds_kind kind, enum imds_end end)
{
	struct find f = { .kind = kind, .end = end };

	tracer_read_requests(&r->t, find_finished, &f);
	return f.finished;
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* Ethernet and IP header for l4_len bytes; returns where they begin. Checksums are nobody's business here. */
static uint8_t *put_ip(const struct conn *c, bool egress, uint8_t proto, size_t l4_len, uint8_t *p)
{
	static const uint8_t local6[16] = { 0xfd, 0, 2, 0x44, [15] = 2 },
			     remote6[16] = { 0xfd, 0, 0x0e, 0xc2, [14] = 2, 0x54 };
	uint8_t ttl = egress ? 64 : c->ttl;

	memset(p, 0, RIG_ETH + 40);
	put16(p + 12, c->remote4 ? 0x0800 : 0x86dd);
	p += RIG_ETH;
	if (c->remote4) {
		p[0] = 0x45;
		put16(p + 2, 20 + l4_len);
		p[8] = ttl;
		p[9] = proto;
		put32(p + (egress ? 12 : 16), 0x0af40002);
		put32(p + (egress ? 16 : 12), c->remote4);
		return p + 20;
	}
	p[0] = 0x60;
	put16(p + 4, l4_len);
	p[6] = proto;
	p[7] = ttl;
	memcpy(p + 8, egress ? local6 : remote6, 16);
	memcpy(p + 24, egress ? remote6 : local6, 16);
	return p + 40;
}

size_t rig_tcp(const struct conn *c, bool egress, uint8_t flags, uint32_t seq, uint32_t ack, const void *data,
	       size_t len, uint8_t *ret_packet)
{
	uint8_t *p = put_ip(c, egress, IPPROTO_TCP, 20 + len, ret_packet);

	memset(p, 0, 20);
	put16(p, egress ? c->local_port : c->remote_port);
	put16(p + 2, egress ? c->remote_port : c->local_port);
	put32(p + 4, seq);
	put32(p + 8, ack);
	p[12] = 5 << 4;
	p[13] = flags;
	if (len)
		memcpy(p + 20, data, len);
	return p + 20 + len - ret_packet;
}

size_t rig_udp(const struct conn *c, bool egress, const void *data, size_t len, uint8_t *ret_packet)
{
	uint8_t *p = put_ip(c, egress, IPPROTO_UDP, 8 + len, ret_packet);

	put16(p, egress ? c->local_port : c->remote_port);
	put16(p + 2, egress ? c->remote_port : c->local_port);
	put16(p + 4, 8 + len);
	put16(p + 6, 0);
	memcpy(p + 8, data, len);
	return p + 8 + len - ret_packet;
}
