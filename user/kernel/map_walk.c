/* SPDX-License-Identifier: GPL-2.0-only */
#include "map_walk.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#define BATCH 64

struct map_cursor {
	int fd;
	size_t key_size, value_size, capacity;
	bool started;
	uint8_t token[64], *keys, *values;
};

void map_cursor_free(struct map_cursor *c)
{
	if (!c)
		return;
	free(c->keys);
	free(c->values);
	free(c);
}

struct map_cursor *map_cursor_new(int fd, size_t key_size, size_t value_size)
{
	struct map_cursor *c = calloc(1, sizeof(*c));

	if (c)
		*c = (struct map_cursor){ .fd = fd, .key_size = key_size, .value_size = value_size, .capacity = BATCH };
	return c && key_size <= sizeof(c->token) ? c : (free(c), NULL);
}

int map_cursor_next(struct map_cursor *c, bool (*fn)(void *arg, const void *key, const void *value),
		    void (*deleted)(void *arg, const void *key, const void *value), void *arg, bool *ret_end)
{
	__u32 n;
	int err;

	do {
		if (!c->keys) {
			c->keys = malloc(c->capacity * c->key_size);
			c->values = malloc(c->capacity * c->value_size);
			if (!c->keys || !c->values)
				return -ENOMEM;
		}
		n = c->capacity;
		err = bpf_map_lookup_batch(c->fd, c->started ? c->token : NULL, c->token, c->keys, c->values, &n, NULL);
		if (err == -ENOSPC) { /* one bucket holds more than the batch */
			free(c->keys);
			free(c->values);
			c->keys = c->values = NULL;
			c->capacity *= 2;
		}
	} while (err == -ENOSPC);
	if (err && err != -ENOENT)
		return err;
	c->started = true;
	*ret_end = err == -ENOENT;
	for (__u32 i = 0; i < n; i++) {
		const void *key = c->keys + i * c->key_size, *value = c->values + i * c->value_size;

		if (fn(arg, key, value) && !bpf_map_delete_elem(c->fd, key) && deleted)
			deleted(arg, key, value);
	}
	return n;
}

int map_walk(int fd, size_t key_size, size_t value_size, bool (*fn)(void *arg, const void *key, const void *value),
	     void *arg)
{
	struct map_cursor *c = map_cursor_new(fd, key_size, value_size);
	int n = c ? 0 : -ENOMEM, total = 0;
	bool end = false;

	while (n >= 0 && !end) {
		n = map_cursor_next(c, fn, NULL, arg, &end);
		total += n > 0 ? n : 0;
	}
	map_cursor_free(c);
	return n < 0 ? n : total;
}
