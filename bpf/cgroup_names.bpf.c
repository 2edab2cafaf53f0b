/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups come and go: told at once, so that a pod that lives 50 ms still has a name. */
#include "maps.bpf.h"

#define PATH_STEP (IMDS_CGROUP_NAME_LEN / 2)
#define PATH_STEPS 15 /* up to PATH_MAX */

/*
 * The path, or of a longer one its tail, for that is where the container's id stands (kind below a pod: 700 bytes and more).
 * Returns its length with the NUL, or a negative errno.
 */
static __always_inline long read_tail(char *to, const char *path)
{
	long n = bpf_probe_read_kernel_str(to, IMDS_CGROUP_NAME_LEN, path);

	for (int i = 0; i < PATH_STEPS && n == IMDS_CGROUP_NAME_LEN; i++) {
		path += PATH_STEP;
		n = bpf_probe_read_kernel_str(to, IMDS_CGROUP_NAME_LEN, path);
	}
	return n;
}

static __always_inline void tell(struct cgroup *cgroup, const char *path, __u16 type)
{
	struct imds_rec_cgroup *rec;
	long n;

	if (cgroup->root->hierarchy_id) /* cgroup v1 hierarchies beside the v2 one, which is 0 */
		return;
	rec = bpf_ringbuf_reserve(&imds_rare, sizeof(*rec), 0);
	if (!rec) {
		count_loss(IMDS_LOSS_RING_CGROUP);
		return;
	}
	rec->hdr.type = type;
	rec->hdr.len = sizeof(*rec);
	rec->hdr.cpu = bpf_get_smp_processor_id();
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->cgroup_id = cgroup->kn->id;
	rec->pad = 0;
	n = read_tail(rec->path, path);
	rec->path_len = n > 0 ? n - 1 : 0;
	if (n <= 0)
		rec->path[0] = 0;
	bpf_ringbuf_submit(rec, 0);
}

SEC("tp_btf/cgroup_mkdir")
int imds_cgroup_mkdir(__u64 *ctx)
{
	tell((struct cgroup *)ctx[0], (const char *)ctx[1], IMDS_REC_CGROUP_MKDIR);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int imds_cgroup_rmdir(__u64 *ctx)
{
	tell((struct cgroup *)ctx[0], (const char *)ctx[1], IMDS_REC_CGROUP_RMDIR);
	return 0;
}
