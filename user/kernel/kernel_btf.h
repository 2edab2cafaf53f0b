/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few types of the running kernel that we ask for, as a small BTF of their own. libbpf's parse of a whole vmlinux
 * takes 30 ms and 12 MiB for 126,000 types; one pass over the mapped file takes a tenth and keeps nothing.
 */
#ifndef IMDSNOOP_KERNEL_BTF_H
#define IMDSNOOP_KERNEL_BTF_H

struct btf; /* libbpf */

/*
 * From raw BTF at path (/sys/kernel/btf/vmlinux): the named BTF tracepoints (typedef btf_trace_<name> with its
 * function's number of arguments, their types left out) and enums with their values. Names: NULL-ended lists. What the
 * kernel lacks is left out. Returns 0, or a negative errno: -EINVAL for what is no BTF. *ret_btf is freed by
 * btf__free().
 */
int kernel_btf_load(const char *path, const char *const *tracepoints, const char *const *enums, struct btf **ret_btf);

#endif
