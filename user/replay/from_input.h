/* SPDX-License-Identifier: GPL-2.0-only */
/* --from: a trace of ours, or captures of anybody's; which of them is seen by the first byte. */
#ifndef IMDSNOOP_FROM_INPUT_H
#define IMDSNOOP_FROM_INPUT_H

#include "capture_input.h"
#include "trace_input.h"

struct from_input {
	struct trace_input *trace; /* one of these two */
	struct capture_input *capture;
};

/* Reads all files of o->from; what is wrong is logged. Returns NULL then. */
const struct snapshot *from_input_read(const struct options *o, const struct session_callbacks *cb,
				       struct from_input *ret);
void from_input_clear(struct from_input *in);

#endif
