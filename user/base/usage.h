/* SPDX-License-Identifier: GPL-2.0-only */
/* How full the kernel's tables and ours are, and what the BPF programs cost. */
#ifndef IMDSNOOP_USAGE_H
#define IMDSNOOP_USAGE_H

#include <stdint.h>

struct tracer_table {
	const char *name;
	uint64_t entries, limit;
};

struct tracer_program {
	const char *name;
	uint64_t runs, run_ns; /* zero unless kernel.bpf_stats_enabled */
};

#endif
