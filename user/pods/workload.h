/* SPDX-License-Identifier: GPL-2.0-only */
/* The workload behind a pod: its name without what a controller generated. Pure. */
#ifndef IMDSNOOP_WORKLOAD_H
#define IMDSNOOP_WORKLOAD_H

#include <stddef.h>

#define WORKLOAD_LEN 254 /* a pod's name has at most 253 bytes */

/*
 * "cart-7d9f6c5b8-x2x1q" (ReplicaSet, CronJob) gives "cart", "agent-5k2p9" (DaemonSet, Job) "agent", "db-0"
 * (StatefulSet) "db", "kube-proxy-NODE" (static pod) "kube-proxy"; anything else is itself. node may be "". Cut at len.
 * Returns buf.
 */
char *workload_name(const char *pod, const char *node, char *buf, size_t len);

#endif
