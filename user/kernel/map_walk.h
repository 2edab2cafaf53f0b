/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk through a hash map of the kernel in batches, which may pause between two. A key that comes or goes meanwhile may
 * be missed until the next walk.
 */
#ifndef IMDSNOOP_MAP_WALK_H
#define IMDSNOOP_MAP_WALK_H

#include <stdbool.h>
#include <stddef.h>

struct map_cursor;

/* Returns true for a key to delete. */
typedef bool (*map_fn)(void *arg, const void *key, const void *value);
typedef void (*map_deleted_fn)(void *arg, const void *key, const void *value);

/* fd stays the caller's. Values of a per-CPU map: one a CPU, each rounded up to 8 bytes. NULL: no memory. */
struct map_cursor *map_cursor_new(int fd, size_t key_size, size_t value_size);
void map_cursor_free(struct map_cursor *c); /* NULL is fine */

/*
 * The next batch; deleted, where it is not NULL, gets those that were. Returns how many there were, *ret_end: they were the
 * last; or a negative errno.
 */
int map_cursor_next(struct map_cursor *c, map_fn fn, map_deleted_fn deleted, void *arg, bool *ret_end);

/* All of a map. Returns the number of entries or a negative errno. */
int map_walk(int fd, size_t key_size, size_t value_size, map_fn fn, void *arg);

#endif
