/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session read from packet captures: the packets become the records of the kernel side, and are judged by the same
 * table. What a capture cannot show (processes, containers, where a packet was dropped) stays unknown and is told.
 */
#ifndef IMDSNOOP_CAPTURE_INPUT_H
#define IMDSNOOP_CAPTURE_INPUT_H

#include "../session/session.h"

struct capture_input;

/* True when f may be a capture; looks at its first byte and puts it back. */
bool capture_input_is_capture(FILE *f);

/*
 * Reads files to their ends, together in the order of time. on_request of cb is called as in a live session; on_drop for
 * an answer seen dying. What is wrong with one file is logged, the rest is used. Returns 0; -ENODATA: none could be read;
 * or another negative errno with one line in msg.
 */
int capture_input_read(const struct options *o, FILE *const *files, const char *const *names, size_t len,
		       const struct session_callbacks *cb, struct capture_input **ret, char *msg, size_t msg_len);
void capture_input_free(struct capture_input *in);

/* Valid as long as in. */
const struct snapshot *capture_input_snapshot(const struct capture_input *in);

#endif
