/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uthash, with memory that may run out: an element that found none for its table has hh.tbl NULL. And with a hash of our
 * own: uthash's is the same everywhere, so that whoever names cgroups, or writes the files that are read, could make names
 * that all fall into one bucket.
 */
#ifndef IMDSNOOP_HASH_H
#define IMDSNOOP_HASH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The second is odd. The same in all that is linked together; main() draws them, tests need not. */
__attribute__((weak)) uint64_t hash_secret[2] = { 0x9e3779b97f4a7c15, 0xd1342543de82ef95 };

/* Once, before anything is hashed. At boot, without entropy: better the same than none. */
static inline void hash_draw_secret(void)
{
	uint64_t drawn[2];

	if (getrandom(drawn, sizeof(drawn), GRND_NONBLOCK) == sizeof(drawn)) {
		hash_secret[0] = drawn[0];
		hash_secret[1] = drawn[1] | 1;
	}
}

/* What follows from, the hash of what came before (0: nothing). Eight bytes a step: a product of 128 bits, folded. */
static inline uint64_t hash_key(uint64_t from, const void *key, size_t len)
{
	uint64_t n = from ^ hash_secret[0] ^ len, word;
	const unsigned char *p = key;
	unsigned __int128 product;

	while (len) {
		size_t step = len < sizeof(word) ? len : sizeof(word);

		word = 0;
		memcpy(&word, p, step);
		product = (unsigned __int128)(n ^ word) * hash_secret[1];
		n = (uint64_t)product ^ (uint64_t)(product >> 64);
		p += step;
		len -= step;
	}
	return n;
}

#define HASH_FUNCTION(key, len, value) ((value) = (unsigned int)hash_key(0, key, len))
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
