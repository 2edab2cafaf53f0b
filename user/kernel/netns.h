/* SPDX-License-Identifier: GPL-2.0-only */
/* What our own network namespace is, where it is not PID 1's, and what hangs from it. */
#ifndef IMDSNOOP_NETNS_H
#define IMDSNOOP_NETNS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/imdsnoop.h"

/* Inode number of a namespace's file ("/proc/self/ns/net"); 0 where it cannot be told. */
uint32_t netns_inode(const char *path);

/*
 * Socket cookie of the network namespace in file path, of our own for NULL; 0 where it cannot be told (before 5.14, or no
 * right to enter it). Call it before there are threads.
 */
uint64_t netns_cookie(const char *path);

/* A descriptor to ask the functions below by, the caller's, or -1. */
int netns_open(void);

/*
 * True when other network namespaces hang from ours, so that it is a node's and no pod's: a bridge, or links into two
 * other namespaces at least. A pod has links into one, its node's. May become true later, as pods come.
 */
bool netns_is_a_nodes(int fd);

/*
 * Ids of other network namespaces, as ours knows them (ip-netns(8), "nsid"); -1 where there is none, or it cannot be told.
 * The one in which the owner of an address lives: the other end of the device that our routes lead to, of a bridge of the
 * port behind which its neighbour was seen. *ret_device (of IMDS_DEVICE_LEN bytes): that device's name, "" unknown.
 */
int32_t netns_id_at(int fd, const struct imds_addr *addr, char *ret_device);
/* True for an address that this namespace itself answers for: of one of its devices, or 127.0.0.0/8. */
bool netns_has_address(int fd, const struct imds_addr *addr);
/* That of a process (RTM_GETNSID by NETNSA_PID, no right on the process is needed: net/core/net_namespace.c, 6.1). */
int32_t netns_id_of(int fd, uint32_t pid);

#endif
