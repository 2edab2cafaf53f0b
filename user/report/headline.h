/* SPDX-License-Identifier: GPL-2.0-only */
/* The one sentence that a report begins with. Pure. */
#ifndef IMDSNOOP_HEADLINE_H
#define IMDSNOOP_HEADLINE_H

#include "../model/snapshot.h"

enum headline_level { HEADLINE_OK, HEADLINE_QUIET, HEADLINE_WARNING, HEADLINE_PROBLEM };

/* 1024 bytes suffice for it. Names in it are from outside. */
enum headline_level headline_write(const struct snapshot *s, char *buf, size_t len);
const char *headline_word(enum headline_level level); /* "OK", "QUIET", "WARNING", "PROBLEM" */

#endif
