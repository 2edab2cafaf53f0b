/* SPDX-License-Identifier: GPL-2.0-only */
/* What our own network namespace is, where it is not PID 1's. */
#ifndef IMDSNOOP_NETNS_H
#define IMDSNOOP_NETNS_H

#include <stdbool.h>
#include <stdint.h>

/* Inode number of a namespace's file ("/proc/self/ns/net"); 0 where it cannot be told. */
uint32_t netns_inode(const char *path);

/*
 * Socket cookie of the network namespace in file path, of our own for NULL; 0 where it cannot be told (before 5.14, or no
 * right to enter it). Call it before there are threads.
 */
uint64_t netns_cookie(const char *path);

/* A descriptor to ask netns_is_a_nodes() by, the caller's, or -1. */
int netns_open(void);

/*
 * True when other network namespaces hang from ours, so that it is a node's and no pod's: a bridge, or links into two
 * other namespaces at least. A pod has links into one, its node's. May become true later, as pods come.
 */
bool netns_is_a_nodes(int fd);

#endif
