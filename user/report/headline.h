/* SPDX-License-Identifier: GPL-2.0-only */
/* The one sentence that a report begins with. Pure. */
#ifndef IMDSNOOP_HEADLINE_H
#define IMDSNOOP_HEADLINE_H

#include "../model/snapshot.h"

/* 1024 bytes suffice for it. Names in it are from outside. Its level: report.h. */
void headline_write(const struct snapshot *s, char *buf, size_t len);

#endif
