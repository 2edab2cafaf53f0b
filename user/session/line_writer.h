/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines for a reader that may stand still: a paused pager, a full pipe, a stopped terminal. They wait in a bounded queue
 * and are written when the reader takes them, without ever waiting for it; what finds no room is lost as a whole line and
 * counted. The descriptor's flags are left alone: others share it.
 */
#ifndef IMDSNOOP_LINE_WRITER_H
#define IMDSNOOP_LINE_WRITER_H

#include <stdint.h>
#include <stdio.h>

#define LINE_WRITER_BYTES (4u << 20)

struct event_base; /* libevent */
struct line_writer;

/* Writes to fd, which stays the caller's; wakes up in base for a reader that reads again. NULL without memory. */
struct line_writer *line_writer_new(int fd, struct event_base *base);
void line_writer_free(struct line_writer *w);

/* Where a line is printed to; then line_writer_end() queues it. */
FILE *line_writer_line(struct line_writer *w);
void line_writer_end(struct line_writer *w);

/* Writes what the reader takes now. Returns 0 or the negative errno of a write. */
int line_writer_flush(struct line_writer *w);
/* Writes the rest, and waits for the reader so long; what is left then is lost. Returns 0 or a negative errno. */
int line_writer_finish(struct line_writer *w, unsigned int wait_ms);

uint64_t line_writer_lost(const struct line_writer *w); /* lines */

#endif
