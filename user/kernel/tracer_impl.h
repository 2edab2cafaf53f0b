/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the tracer share, and its tests. The only includer of the skeleton. */
#ifndef IMDSNOOP_TRACER_IMPL_H
#define IMDSNOOP_TRACER_IMPL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "http_table.h"
#include "imdsnoop.skel.h"
#include "map_walk.h"
#include "tracer.h"

struct tracer {
	struct imdsnoop_bpf *skel;
	struct ring_buffer *ring, *rare, *copies; /* copies: NULL when none are asked for */
	int ring_fd;				  /* readable when one of them is */
	size_t records, rare_records, copy_records;
	uint64_t read_until_ns; /* this turn */
	uint64_t rare_read_ns;	/* everything older has been read from rare */
	struct record_callbacks cb;
	struct {
		int link; /* descriptor; -1: detached, and not attached again yet */
		struct bpf_program *prog;
	} links[12];
	size_t links_len;
	uint64_t bad_records;
	struct map_cursor *sweep; /* NULL: between two rounds through the connections */
	uint32_t share_next;	  /* where a free place is looked for */
	uint64_t *shared;	  /* the cgroup of each place, 0: free */
	uint32_t max_flows, max_keys, max_cgroups;
	int cpus;
	int cgroup_fd;
};

/* One of our programs: the feature that it stands for, NULL: nothing works without it; and what it needs to be loaded. */
struct tracer_part {
	size_t at; /* in the skeleton's progs */
	const char *feature;
	unsigned int needs;
};
#define TRACER_PARTS 17
extern const struct tracer_part tracer_parts[TRACER_PARTS];
struct bpf_program *tracer_program(const struct tracer *t, const struct tracer_part *part);

/* Writes what failed to msg, for a person; returns err. */
int tracer_fail(char *msg, size_t len, int err, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Settings into the open skeleton, and which programs are to be loaded. Returns 0 or a negative errno, with msg. */
int tracer_configure(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len);
/* Opens, configures, loads; without optional programs that the kernel refuses. Returns 0 or a negative errno, with msg. */
int tracer_load(struct tracer *t, const struct tracer_options *o, struct features *f, char *msg, size_t msg_len);

/* Connections held now; in two reads, so that one too many may be told for a moment, never less than none. */
uint64_t tracer_flows_held(const struct tracer *t);

#endif
