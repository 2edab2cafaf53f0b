/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side counted: per cgroup, losses, fill levels, what the programs cost. */
#include "tracer_impl.h"

#include <stddef.h>
#include <string.h>

#include "../base/small.h"

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
	const struct imds_drop_counters *c = value;
	uint64_t sum = 0;
	struct sum *s = arg;

	for (int cpu = 0; cpu < s->t->cpus; cpu++)
		sum += c[cpu].packets;
	s->drops(s->arg, key, sum);
	return false;
}

/* values of a per-CPU map come as one array a key, each element rounded up to 8 bytes */
int tracer_read_packets(struct tracer *t, tracer_packets_fn fn, void *arg)
{
	struct sum s = { .t = t, .packets = fn, .arg = arg };
	int n = map_walk(bpf_map__fd(t->skel->maps.imds_packets), sizeof(__u64),
			 sizeof(struct imds_packet_counters) * t->cpus, on_packets, &s);

	return n < 0 ? n : 0;
}

int tracer_read_requests(struct tracer *t, tracer_requests_fn fn, void *arg)
{
	struct sum s = { .t = t, .requests = fn, .arg = arg };
	int n = map_walk(bpf_map__fd(t->skel->maps.imds_requests), sizeof(struct imds_request_key),
			 sizeof(struct imds_request_counters) * t->cpus, on_requests, &s);

	return n < 0 ? n : 0;
}

int tracer_read_drops(struct tracer *t, tracer_drops_fn fn, void *arg)
{
	struct sum s = { .t = t, .drops = fn, .arg = arg };
	int n = map_walk(bpf_map__fd(t->skel->maps.imds_drops), sizeof(struct imds_drop_key),
			 sizeof(struct imds_drop_counters) * t->cpus, on_drops, &s);

	return n < 0 ? n : 0;
}

struct unowned_sum {
	struct tracer *t;
	tracer_unowned_fn fn;
	void *arg;
};

static bool on_unowned(void *arg, const void *key, const void *value)
{
	struct unowned_sum *s = arg;
	const struct imds_unowned_key *k = key;
	const volatile __u32 *inodes = s->t->skel->rodata->imds_netns_inodes;

	if (!s->fn(s->arg, k, value))
		return false;
	__atomic_fetch_sub(&s->t->skel->bss->imds_unowned_held[imds_unowned_place(k, inodes)], 1, __ATOMIC_RELAXED);
	return true;
}

int tracer_read_unowned(struct tracer *t, tracer_unowned_fn fn, void *arg)
{
	struct unowned_sum s = { t, fn, arg };
	int n = map_walk(bpf_map__fd(t->skel->maps.imds_unowned), sizeof(struct imds_unowned_key),
			 sizeof(struct imds_unowned), on_unowned, &s);

	return n;
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
	struct tracer *t;
	bool (*gone)(void *arg, uint64_t cgroup_id);
	void *arg;
	enum imds_counters table;
	size_t size, share_at; /* of a CPU's counters */
};

/* The keys of all three tables begin with the cgroup id. What is forgotten is charged to nobody any more. */
static bool is_gone(void *arg, const void *key, const void *value)
{
	struct forget *f = arg;
	uint64_t cgroup_id, share = 0, of_cpu;

	memcpy(&cgroup_id, key, sizeof(cgroup_id));
	if (!f->gone(f->arg, cgroup_id))
		return false;
	for (int cpu = 0; cpu < f->t->cpus; cpu++) {
		memcpy(&of_cpu, (const char *)value + (size_t)cpu * f->size + f->share_at, sizeof(of_cpu));
		share |= of_cpu;
	}
	__atomic_fetch_sub(&f->t->skel->bss->imds_shares[share % IMDS_SHARES].counters[f->table], 1, __ATOMIC_RELAXED);
	return true;
}

int tracer_forget(struct tracer *t, bool (*gone)(void *arg, uint64_t cgroup_id), void *arg)
{
	const struct {
		const struct bpf_map *map;
		size_t key, size, share_at;
	} tables[IMDS_COUNTERS_COUNT] = {
		[IMDS_COUNTERS_PACKETS] = { t->skel->maps.imds_packets, sizeof(__u64), sizeof(struct imds_packet_counters),
					    offsetof(struct imds_packet_counters, share) },
		[IMDS_COUNTERS_REQUESTS] = { t->skel->maps.imds_requests, sizeof(struct imds_request_key),
					     sizeof(struct imds_request_counters),
					     offsetof(struct imds_request_counters, share) },
		[IMDS_COUNTERS_DROPS] = { t->skel->maps.imds_drops, sizeof(struct imds_drop_key),
					  sizeof(struct imds_drop_counters), offsetof(struct imds_drop_counters, share) },
	};
	int err = 0;

	for (int i = 0; i < IMDS_COUNTERS_COUNT; i++) {
		struct forget f = { t, gone, arg, (enum imds_counters)i, tables[i].size, tables[i].share_at };
		int n =
		    map_walk(bpf_map__fd(tables[i].map), tables[i].key, tables[i].size * (size_t)t->cpus, is_gone, &f);

		err = err ? err : n < 0 ? n : 0;
	}
	return err;
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

	for (size_t i = 0; i < LEN(tables) && n < len; i++, n++) {
		int entries = tables[i].key_size ? map_walk(bpf_map__fd(tables[i].map), tables[i].key_size,
							    tables[i].value_size, count_only, NULL)
						 : (int)tracer_flows_held(t);

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
