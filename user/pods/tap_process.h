/* SPDX-License-Identifier: GPL-2.0-only */
/* Tap device -> the process that has it: a virtual machine that no libvirt knows (Firecracker, QEMU by hand). */
#ifndef IMDSNOOP_TAP_PROCESS_H
#define IMDSNOOP_TAP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Pid of the process of our network namespace that has the device open: a name means another device in another one. 0: none,
 * more than one, or no right to look (CAP_SYS_PTRACE). The kernel
 * tells the device's name in fdinfo (drivers/net/tun.c tun_chr_show_fdinfo, 3.18). Reads at most 65,536 descriptors.
 */
int tap_process_find(const char *device);

/* The machine's name by the process's arguments (runtime_parse_machine_arguments()); false: they tell none. */
bool tap_process_machine(int pid, char *ret_name, size_t len);

/* Path of its cgroup below the mount (v2), without the first slash; false: not known. */
bool tap_process_cgroup(int pid, char *ret_path, size_t len);

#endif
