/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session read back from the lines of `trace --json`: the facts of each request go through the same pod table and are
 * judged again. Lines may be of any bytes.
 */
#ifndef IMDSNOOP_TRACE_INPUT_H
#define IMDSNOOP_TRACE_INPUT_H

#include <stdio.h>

#include <jansson.h>

#include "../session/session.h"

#define TRACE_INPUT_LINE_MAX (64u << 20) /* the last line grows with the pods; longer ones are skipped */

struct trace_input;

struct trace_input_stats {
	uint64_t lines, bad;
	uint64_t first_bad; /* its line number, 0: none */
	char why[120];	    /* of that */
	bool cut;	    /* no end line: the counts of packets and drops are missing */
	uint64_t missing;   /* requests that the end line counts and no line tells */
};

/*
 * Reads all of f. on_request, on_stall and on_drop of cb are called as in a live session. --stall, --slow, --max-pods and
 * --max-flows are those of o, the rest comes from the first line. Returns 0, -EINVAL when the first line is none of
 * trace's (msg says what it is, in one line), or another negative errno.
 */
int trace_input_read(const struct options *o, FILE *f, const struct session_callbacks *cb, struct trace_input **ret,
		     char *msg, size_t msg_len);
void trace_input_free(struct trace_input *t);

/* What was read, as of its end; it and all it points to live as long as t. Never NULL. */
const struct snapshot *trace_input_snapshot(const struct trace_input *t);
void trace_input_get_stats(const struct trace_input *t, struct trace_input_stats *ret);

/*
 * One request or stall line as it was; strings of *ret and *ret_who are borrowed from line. Returns NULL, or what is wrong.
 */
const char *trace_input_request(const json_t *line, struct request *ret, struct pod_identity *ret_who);

#endif
