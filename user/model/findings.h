/* SPDX-License-Identifier: GPL-2.0-only */
/* What a person should know and do, from a snapshot. Pure. */
#ifndef IMDSNOOP_FINDINGS_H
#define IMDSNOOP_FINDINGS_H

#include "snapshot.h"

/*
 * Appends the findings of s to *ret (malloc'd, freed by findings_free), worst first; returns 0 or -ENOMEM.
 * s->findings is not read.
 */
int findings_collect(const struct snapshot *s, struct finding **ret, size_t *ret_len);
void findings_free(struct finding *findings, size_t len);

/*
 * The way of the answer drawn in one line, e.g.
 *   IMDS --TTL 1--> [node] ip_forward: TTL 1 <= 1, dropped  X  pod
 * ascii or UTF-8. Returns buf.
 */
char *findings_draw_way(const struct snapshot *s, const struct pod_stats *p, int utf8, char *buf, size_t len);

/* "shop/cart-7d9f (app)", the cgroup where there is no pod name. Returns buf. */
char *findings_subject(const struct pod_identity *who, char *buf, size_t len);

#endif
