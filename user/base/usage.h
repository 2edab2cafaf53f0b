/* SPDX-License-Identifier: GPL-2.0-only */
/* How full the kernel's tables and ours are, what the BPF programs cost, and what became of HTTP clients. */
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

struct http_server_stats {
	uint64_t connections; /* open now */
	uint64_t requests;
	uint64_t refused;    /* connections that had to give way, or found no place */
	uint64_t expired;    /* connections cut because the client was too slow */
	uint64_t overloaded; /* requests answered 503, or cut: too many answers not taken yet, or asked too often */
};

#endif
