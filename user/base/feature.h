/* SPDX-License-Identifier: GPL-2.0-only */
/* A part of what this node offers, as every floor shows it. */
#ifndef IMDSNOOP_FEATURE_H
#define IMDSNOOP_FEATURE_H

struct feature {
	const char *name;  /* "cgroup_skb", "drops", "process", "names", "btf", ... */
	const char *state; /* "ok", "degraded", "missing", "off" */
	const char *why;   /* one line for a person; mostly "" when ok */
};

#endif
