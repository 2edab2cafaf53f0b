/* SPDX-License-Identifier: GPL-2.0-only */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../base/clock.h"
#include "tracer_impl.h"

#define BPF_F_PREORDER_6_15 (1u << 6) /* linux/bpf.h since 6.15 */

/* --- rings ----------------------------------------------------------------------------------------------------------- */

static void take_record(struct tracer *t, const void *data, size_t len)
{
	t->bad_records += !record_hand_out(&t->cb, data, len);
}

/* This turn's work is done: libbpf keeps the place when a callback is negative. */
static int has_had_enough(struct tracer *t)
{
	return ++t->records >= TRACER_RECORDS || (!(t->records % 64) && clock_now_ns() >= t->read_until_ns) ? -EAGAIN : 0;
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
		t->rare_read_ns = clock_now_ns();
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
	uint64_t now_ns = clock_now_ns();
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
	t->read_until_ns = clock_now_ns() + TRACER_READ_MS * 1000000ull;
	err = ring_buffer__consume(t->ring);
	*ret_more |= err == -EAGAIN;
	return err < 0 && err != -EAGAIN ? err : (int)(t->records + t->rare_records + t->copy_records);
}

/* --- attach ---------------------------------------------------------------------------------------------------------- */

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
	bool first = true, connects = false;

	for (const struct tracer_part *part = tracer_parts; part < tracer_parts + TRACER_PARTS; part++) {
		struct bpf_program *prog = tracer_program(t, part);
		char why[160];
		int link;

		if (!part->feature || !bpf_program__autoload(prog) || !strcmp(part->feature, "names") != names)
			continue;
		link = attach_one(prog, t->cgroup_fd, &first);
		if (link >= 0) {
			add_link(t, link, prog);
			connects |= bpf_program__type(prog) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
			continue;
		}
		first = false;
		snprintf(why, sizeof(why), "cannot attach %s: %s", bpf_program__name(prog), strerror(-link));
		features_note(f, part->feature, "missing", why);
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
	attach_optional(t, f, true);
	for (const struct tracer_part *part = tracer_parts; part < tracer_parts + TRACER_PARTS; part++) {
		struct bpf_program *prog = tracer_program(t, part);
		int link;

		if (part->feature || !bpf_program__autoload(prog))
			continue;
		link = attach_one(prog, t->cgroup_fd, &(bool){ false });
		if (link < 0)
			return tracer_fail(
			    msg, msg_len, link, "cannot attach to cgroup '%s': %s%s", o->cgroup, strerror(-link),
			    link == -EPERM
				? " (another program there, or above, forbids more programs beside it: "
				  "see `bpftool cgroup tree`, or choose a lower --cgroup; or a capability is missing)"
			    : link == -EINVAL ? " (is it a cgroup v2 folder, and the kernel 5.10 or newer?)"
					      : "");
		add_link(t, link, prog);
	}
	attach_optional(t, f, false);
	return 0;
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

int tracer_new(const struct tracer_options *o, struct features *features, const struct record_callbacks *cb,
	       struct tracer **ret_tracer, char *msg, size_t msg_len)
{
	struct tracer *t;
	int err;

	t = calloc(1, sizeof(*t));
	if (!t)
		return tracer_fail(msg, msg_len, -ENOMEM, "out of memory");
	t->cb = *cb;
	t->ring_fd = -1;
	t->cgroup_fd = -1;
	t->share_next = IMDS_SHARES_HASHED;
	t->shared = calloc(IMDS_SHARES, sizeof(*t->shared));
	if (!t->shared) {
		err = tracer_fail(msg, msg_len, -ENOMEM, "out of memory");
		goto out;
	}
	t->cgroup_fd = open(o->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->cgroup_fd < 0) {
		err = tracer_fail(msg, msg_len, -errno,
				  "cannot open cgroup folder '%s': %s (--cgroup takes a cgroup v2 folder)", o->cgroup,
				  strerror(errno));
		goto out;
	}
	t->cpus = libbpf_num_possible_cpus();
	if (t->cpus < 0) {
		err = tracer_fail(msg, msg_len, t->cpus, "cannot count CPUs: %s", strerror(-t->cpus));
		goto out;
	}
	err = tracer_load(t, o, features, msg, msg_len);
	if (err)
		goto out;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a skeleton that is not there is an error */
	t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.imds_ring), on_record, t, NULL);
	t->rare = ring_buffer__new(bpf_map__fd(t->skel->maps.imds_rare), on_rare, t, NULL);
	if (o->copies && bpf_map__fd(t->skel->maps.imds_copies) >= 0)
		t->copies = ring_buffer__new(bpf_map__fd(t->skel->maps.imds_copies), on_copied, t, NULL);
	t->ring_fd = all_rings(t, o->copies);
	if (t->ring_fd < 0) {
		err = tracer_fail(msg, msg_len, t->ring_fd, "cannot map the ring buffer: %s", strerror(-t->ring_fd));
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
	map_cursor_free(t->sweep);
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
