/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of others at the hooks that connect(2) passes: they may send a connection elsewhere before we see it. */
#ifndef IMDSNOOP_HOOKS_H
#define IMDSNOOP_HOOKS_H

#include <stddef.h>

/*
 * Names of programs at cgroup/connect4 and connect6 that act on cgroup (its own and its ancestors'), without ours,
 * ", " between. Returns how many, or a negative errno where it cannot be asked. BPF_PROG_QUERY, Linux 4.15.
 */
int hooks_other_connects(const char *cgroup, char *names, size_t len);

#endif
