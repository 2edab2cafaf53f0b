/* SPDX-License-Identifier: GPL-2.0-only */
/* The one sentence that a report begins with. Pure. */
#ifndef IMDSNOOP_HEADLINE_H
#define IMDSNOOP_HEADLINE_H

#include "../model/snapshot.h"
#include "pod_count.h"

/*
 * 1024 bytes suffice for it. Names in it are from outside. Its level: report.h. pods: of s, changed. Returns how many pods
 * it tells of.
 */
size_t headline_write(const struct snapshot *s, struct pod_count *pods, char *buf, size_t len);
/* The hook of dropped packets where it does not work, or is not wanted; NULL where it works. */
const struct feature *headline_drops_off(const struct snapshot *s);
/* Why connections may have been sent elsewhere by programs that ours cannot precede; NULL where it is not so. */
const char *headline_other_programs(const struct snapshot *s);

#endif
