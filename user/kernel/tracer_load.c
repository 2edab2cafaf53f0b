/* SPDX-License-Identifier: GPL-2.0-only */
/* Open, configure, load; and how large the tables are that way. */
#include "tracer_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "../base/address.h"
#include "../base/small.h"
#include "netns.h"

#define RING_BYTES (4u << 20)
#define RARE_BYTES (1u << 20)
#define COPIES_BYTES (4u << 20)
#define CGROUPS_PER_POD 4  /* containers, their sandboxes, host services */
#define KEYS_PER_CGROUP 16 /* kinds, versions and ends that one container shows at most, in practice */

int tracer_fail(char *msg, size_t len, int err, const char *format, ...)
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
	const struct imds_addr *first4 = NULL, *first6 = NULL;
	uint64_t m6[2] = { ~0ull, ~0ull };
	uint32_t m4 = ~0u;

	for (size_t i = 0; i < o->endpoints_len; i++) {
		const struct imds_addr *a = &o->endpoints[i].addr;

		if (address_is_v4(a)) {
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

/* What a program may need. */
enum {
	FULL = 1 << 0, /* CAP_PERFMON */
	LITE = 1 << 1, /* none */
	PROCESS = 1 << 2,
	NAMES = 1 << 3,
	DROPS = 1 << 4, /* and kfree_skb's reason, 5.17 */
	DROPS_V510 = 1 << 5,
	COPIES = 1 << 6,
};

#define AT(name) offsetof(struct imdsnoop_bpf, progs.name)
/* ingress before egress and both before connect: see attach() */
const struct tracer_part tracer_parts[TRACER_PARTS] = {
	{ AT(imds_ingress), NULL, FULL },
	{ AT(imds_ingress_lite), NULL, LITE },
	{ AT(imds_egress), NULL, FULL },
	{ AT(imds_egress_lite), NULL, LITE },
	{ AT(imds_connect4), "process", PROCESS | FULL },
	{ AT(imds_connect6), "process", PROCESS | FULL },
	{ AT(imds_connect4_lite), "process", PROCESS | LITE },
	{ AT(imds_connect6_lite), "process", PROCESS | LITE },
	{ AT(imds_release), "release", 0 },
	{ AT(imds_kfree_skb), "drops", DROPS },
	{ AT(imds_kfree_skb_v510), "drops", DROPS_V510 },
	{ AT(imds_cgroup_mkdir), "names", NAMES },
	{ AT(imds_cgroup_rmdir), "names", NAMES },
	{ AT(imds_copy_egress), "pcapng", COPIES },
	{ AT(imds_copy_ingress), "pcapng", COPIES },
	{ AT(imds_copy_kfree_skb), "pcapng", COPIES | DROPS },
	{ AT(imds_copy_kfree_skb_v510), "pcapng", COPIES | DROPS_V510 },
};

struct bpf_program *tracer_program(const struct tracer *t, const struct tracer_part *part)
{
	return *(struct bpf_program **)((char *)t->skel + part->at);
}

static void choose_programs(const struct tracer *t, const struct tracer_options *o, struct features *f)
{
	bool with_reason = f->kfree_skb_args >= 3;
	unsigned int have = (f->lite ? LITE : FULL) | (o->process ? PROCESS : 0) | (o->copies ? COPIES : 0) |
			    (o->names && f->has_cgroup_names ? NAMES : 0) |
			    (o->drops && !f->lite && f->kfree_skb_args ? (with_reason ? DROPS : DROPS_V510) : 0);

	for (size_t i = 0; i < TRACER_PARTS; i++)
		bpf_program__set_autoload(tracer_program(t, &tracer_parts[i]),
					  (tracer_parts[i].needs & have) == tracer_parts[i].needs);
	if (!o->drops)
		features_note(f, "drops", "off", "--no-drops");
	if (!o->process)
		features_note(f, "process", "off", "--no-process");
}

int tracer_configure(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len)
{
	struct imdsnoop_bpf *s = t->skel;
	int err;

	if (s->rodata->imds_abi_version != IMDS_ABI_VERSION)
		return tracer_fail(msg, msg_len, -EPROTO, "the BPF object speaks version %u, this program %u: rebuild",
				   s->rodata->imds_abi_version, IMDS_ABI_VERSION);
	if (!o->endpoints_len || o->endpoints_len > IMDS_MAX_ENDPOINTS)
		return tracer_fail(msg, msg_len, -EINVAL, "between 1 and %d endpoints are possible", IMDS_MAX_ENDPOINTS);
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
		return tracer_fail(msg, msg_len, err, "cannot compile the HTTP table: %s", strerror(-err));

	s->rodata->imds_max_flows = o->max_flows;
	s->rodata->imds_share_level = o->depth + 2;
	t->max_flows = o->max_flows;
	t->max_cgroups = o->max_pods * CGROUPS_PER_POD;
	t->max_keys = o->max_pods * KEYS_PER_CGROUP;
	s->rodata->imds_max_counters[IMDS_COUNTERS_PACKETS] = t->max_cgroups / IMDS_SHARE_COUNTERS;
	s->rodata->imds_max_counters[IMDS_COUNTERS_REQUESTS] = t->max_keys / IMDS_SHARE_COUNTERS;
	s->rodata->imds_max_counters[IMDS_COUNTERS_DROPS] = t->max_cgroups * 2 / IMDS_SHARE_COUNTERS;
	bpf_map__set_max_entries(s->maps.imds_flows, o->max_flows);
	bpf_map__set_max_entries(s->maps.imds_tuples, o->max_flows);
	bpf_map__set_max_entries(s->maps.imds_packets, t->max_cgroups);
	bpf_map__set_max_entries(s->maps.imds_requests, t->max_keys);
	bpf_map__set_max_entries(s->maps.imds_drops, t->max_cgroups * 2);
	bpf_map__set_max_entries(s->maps.imds_ring, o->ring_bytes ? o->ring_bytes : RING_BYTES);
	bpf_map__set_max_entries(s->maps.imds_rare, RARE_BYTES);

	if (o->copies)
		bpf_map__set_max_entries(s->maps.imds_copies, COPIES_BYTES);
	else
		bpf_map__set_autocreate(s->maps.imds_copies, false);
	choose_programs(t, o, f);
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

/*
 * Loads; when an optional program is refused, once more without the optional ones, one by one. First without the name of the
 * process, which Linux 6.18 tells at connect with CAP_PERFMON only.
 */
static int load_from(struct tracer *t, const struct tracer_options *o, struct features *f, const char *btf_path,
		     char *msg, size_t msg_len)
{
	static const char *const order[] = { NULL, "comm", "pcapng", "drops", "names", "release", "process" };
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf_path);
	int err = -EINVAL;

	for (size_t round = 0; round < LEN(order); round++) {
		if (round == 1 && !f->lite)
			continue;
		imdsnoop_bpf__destroy(t->skel);
		t->skel = imdsnoop_bpf__open_opts(&opts);
		if (!t->skel)
			return tracer_fail(msg, msg_len, -errno, "cannot open the BPF object: %s", strerror(errno));
		err = tracer_configure(t, o, f, msg, msg_len);
		if (err)
			return err;
		t->skel->rodata->imds_with_comm = !f->lite || !round;
		for (size_t i = 0; i < TRACER_PARTS; i++)
			for (size_t k = 1; k <= round; k++)
				if (tracer_parts[i].feature && !strcmp(tracer_parts[i].feature, order[k]))
					bpf_program__set_autoload(tracer_program(t, &tracer_parts[i]), false);
		err = imdsnoop_bpf__load(t->skel);
		if (!err) {
			if (f->lite && round)
				features_note(f, "process", "degraded",
					      "without CAP_PERFMON this kernel does not tell a process's name");
			for (size_t k = 2; k <= round; k++)
				if (o->copies || strcmp(order[k], "pcapng"))
					features_note(f, order[k], "missing", "the kernel refused to load its program");
			return 0;
		}
	}
	if (err == -EPERM)
		return tracer_fail(
		    msg, msg_len, err,
		    "the kernel refused to load BPF programs: %s (run as root, or with CAP_BPF, CAP_PERFMON "
		    "and CAP_NET_ADMIN; see `imdsnoop check`)",
		    strerror(-err));
	return tracer_fail(
	    msg, msg_len, err,
	    "the kernel refused to load the BPF programs: %s (%ssee `imdsnoop check`, -v shows the verifier's words)",
	    strerror(-err), f->lite ? "grant CAP_PERFMON; " : "");
}

int tracer_load(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len)
{
	char path[32];
	int fd, err;

	if (f->has_btf)
		return load_from(t, o, f, NULL, msg, msg_len);
	fd = empty_btf();
	if (fd < 0)
		return tracer_fail(msg, msg_len, fd, "cannot make an empty BTF: %s", strerror(-fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = load_from(t, o, f, path, msg, msg_len);
	close(fd);
	return err;
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
		    hash_bytes(2 * cgroups, sizeof(struct imds_drop_key), 8, sizeof(struct imds_drop_counters), cpus),
		.rings = RING_BYTES + RARE_BYTES,
		.fixed = sizeof(struct imdsnoop_bpf__bss) + sizeof(struct imdsnoop_bpf__rodata) +
			 hash_bytes(IMDS_SHARES, 8, 4, 0, 0) +
			 hash_bytes(IMDS_UNOWNED, sizeof(struct imds_unowned_key), sizeof(struct imds_unowned), 0, 0) +
			 PROGRAM_BYTES,
		.keys = cgroups + keys + 2 * cgroups,
	};
}
