/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both ends of the lab say of the bytes that they sent and received: FNV-1a of 32 bits, summed over many messages so
 * that their order is of no matter. 32 bits, because jq adds exactly up to 2^53 only.
 */
#ifndef LAB_HASH_H
#define LAB_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0x811c9dc5u

static inline uint32_t hash_bytes(uint32_t h, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	while (len--)
		h = (h ^ *p++) * 0x01000193u;
	return h;
}

#endif
