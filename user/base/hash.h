/* SPDX-License-Identifier: GPL-2.0-only */
/* uthash, with memory that may run out: an element that found none for its table has hh.tbl NULL. */
#ifndef IMDSNOOP_HASH_H
#define IMDSNOOP_HASH_H

#include <stdbool.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

static inline bool hash_was_added(void *e, const UT_hash_handle *hh)
{
	if (hh->tbl)
		return true;
	free(e);
	return false;
}

/* e, just added to its table; NULL: there was no memory, and it is freed. */
#define HASH_ADDED(e) (hash_was_added(e, &(e)->hh) ? (e) : NULL)

#endif
