/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory this process may take before the kernel kills it: the tightest limit of its cgroups. */
#ifndef IMDSNOOP_MEMORY_LIMIT_H
#define IMDSNOOP_MEMORY_LIMIT_H

#include <stdint.h>

/*
 * Lowest limit in bytes of the cgroup that the file self tells (/proc/self/cgroup) and of the folders above it:
 * memory.max below v2, where cgroup2 is mounted (NULL: nowhere), memory.limit_in_bytes below v1, where the memory
 * controller of cgroup v1 is. UINT64_MAX where none is set or can be read. A container that keeps the node's cgroup
 * namespace but has its own folder mounted is told by the folder at the mount itself.
 */
uint64_t memory_limit(const char *self, const char *v2, const char *v1);

#endif
