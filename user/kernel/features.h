/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this node offers: kernel hooks, BTF, cgroup v2, rights, log folders. Asked once at start; each row is shown by
 * `check`, in every report, on the page and as a metric. Only cgroup_skb is required.
 */
#ifndef IMDSNOOP_FEATURES_H
#define IMDSNOOP_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/feature.h"

#define FEATURES_MAX 32
#define FEATURES_NAME_LEN 24
#define FEATURES_WHY_LEN 240

struct btf; /* libbpf */

struct features_options {
	const char *cgroup; /* --cgroup; NULL: find the cgroup v2 mount */
	const char *pod_logs;
	const char *container_logs;
	bool no_drops, no_process; /* rows become "off" */
};

/* Holds pointers into itself: filled in place, never copied. */
struct features {
	struct feature rows[FEATURES_MAX];
	size_t rows_len;

	char cgroup_v2[256];	 /* root of the cgroup v2 mount, "" without one */
	char part[256];		 /* the folder that is watched, when it is not the whole tree of the node; else "" */
	char kernel[65];	 /* uname -r */
	char boot_id[37];	 /* of this boot of this machine; "": /proc does not tell */
	bool has_btf;		 /* /sys/kernel/btf/vmlinux */
	bool has_cgroup_skb;	 /* may be loaded and attached, as far as can be told without trying */
	bool lite;		 /* no CAP_PERFMON: the verifier takes programs without loops only */
	bool has_ringbuf;	 /* 5.8 */
	bool has_connect;	 /* cgroup/connect4 and connect6, 4.17 */
	bool has_release;	 /* cgroup/sock_release, 5.9 */
	bool has_tp_btf;	 /* BTF tracepoints, 5.5, and the right to load them */
	int kfree_skb_args;	 /* 0: no such BTF tracepoint; 2: before 5.17; 3: reason; 4: rx_sk too, 6.11 */
	bool has_drop_reasons;	 /* enum skb_drop_reason, 5.17 */
	bool has_drop_locations; /* /proc/kallsyms shows addresses */
	bool has_cgroup_names;	 /* tp_btf/cgroup_mkdir and cgroup_rmdir */
	bool has_netns_cookie;	 /* bpf_get_netns_cookie() in cgroup_sock_addr programs, 5.7 */

	struct btf *btf; /* kernel_btf.h's extract, owned; NULL without. features_free_btf() when done */
	char names[FEATURES_MAX][FEATURES_NAME_LEN];
	char whys[FEATURES_MAX][FEATURES_WHY_LEN];
};

/* Asks. Always fills *ret; returns 0 when cgroup_skb can run, else the negative errno that says why not. */
int features_probe(const struct features_options *o, struct features *ret);

/* Frees btf; the rows stay. */
void features_free_btf(struct features *f);

/*
 * Adds or replaces a row, for what shows only later (an attach that was refused). state is a literal, name and why are
 * copied and cut to fit. Rows above FEATURES_MAX are dropped: there are fewer names than that in this program.
 */
void features_note(struct features *f, const char *name, const char *state, const char *why);
const struct feature *features_find(const struct features *f, const char *name); /* NULL: no such row */

/*
 * Mount point of the first cgroup2 file system in /proc/mounts (unified or hybrid) into buf. Returns 0, -ENOENT
 * without one, or -ENAMETOOLONG.
 */
int features_find_cgroup_v2(char *buf, size_t len);

/*
 * Arguments of BTF tracepoint `name` besides its context, 0 when the kernel has no such tracepoint. Pure: btf may be
 * any BTF that holds typedef btf_trace_<name>, or NULL.
 */
int features_tracepoint_args(const struct btf *btf, const char *name);

#endif
