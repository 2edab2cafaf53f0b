/* SPDX-License-Identifier: GPL-2.0-only */
/* What a person should know and do, from a snapshot. Pure. */
#ifndef IMDSNOOP_FINDINGS_H
#define IMDSNOOP_FINDINGS_H

#include "../model/request.h"
#include "../model/snapshot.h"

/*
 * Appends the findings of s to *ret (malloc'd, freed by findings_free), worst first; returns 0 or -ENOMEM.
 * s->findings is not read. Strings hold names from outside (pods, processes): escape them before they are shown. An
 * advice line that begins with two spaces is literal: a command or a setting to copy.
 */
int findings_collect(const struct snapshot *s, struct finding **ret, size_t *ret_len);
/* The same of the rows of view alone, a choice out of s; the other rows still are evidence. their pods' rows are those of view. */
int findings_collect_view(const struct snapshot *s, const struct snapshot *view, struct finding **ret, size_t *ret_len);
/* The first of those before n that is advised the same; n: none, its advice is new. */
size_t findings_advised_before(const struct finding *findings, size_t n);
/* Whether no finding before n is about its worst row, alone or among others: the packet's path is drawn there. */
bool findings_is_first_of_row(const struct finding *findings, size_t n);
void findings_free(struct finding *findings, size_t len);

/* When the newest of what failed of it ended, else of its answers 500 and above; 0: nothing did. */
uint64_t findings_last_bad_ns(const struct pod_stats *p);
/* Whether what failed of it is over: requests have been answered since. Then it is told as over. */
bool findings_is_past(const struct pod_stats *p);
/* The same, but so lately that it may fail again. */
bool findings_is_back(const struct pod_stats *p);

/* "850 us", "3.1 ms", "42 ms", "4.4 s". 32 bytes suffice. Returns buf. */
char *findings_duration(uint64_t us, char *buf, size_t len);

/* "shop/cart-7d9f (app)", the cgroup where there is no pod name. Returns buf. */
char *findings_subject(const struct pod_identity *who, char *buf, size_t len);

/*
 * "haproxy of kube-system/kube2iam-8gk2v (kube2iam) on this node, at 172.31.16.10:8181";
 * "" where only the address is known. FINDINGS_ANSWERER_LEN bytes suffice. Returns buf.
 */
#define FINDINGS_ANSWERER_LEN 512
const char *findings_answerer(const struct answerer *a, char *buf, size_t len);

#endif
