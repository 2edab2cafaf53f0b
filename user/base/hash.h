/* SPDX-License-Identifier: GPL-2.0-only */
/* uthash, with memory that may run out: an element that found none for its table has hh.tbl NULL. */
#ifndef IMDSNOOP_HASH_H
#define IMDSNOOP_HASH_H

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* e, just added to its table; NULL: there was no memory, and it is freed. */
#define HASH_ADDED(e) ((e)->hh.tbl ? (e) : (free(e), NULL))

#endif
