/* SPDX-License-Identifier: GPL-2.0-only */
/* Small things that each file would write again. */
#ifndef IMDSNOOP_SMALL_H
#define IMDSNOOP_SMALL_H

#include <stdlib.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))
/* What follows the word for one of which there are n. */
#define ENDING(n) ((n) == 1 ? "" : "s")

/*
 * v with room for one element of size behind len, which is at most *room: as it is, or twice as big; the first time of
 * first elements. NULL without memory; then v is as it was.
 */
static inline void *with_room(void *v, size_t len, size_t *room, size_t first, size_t size)
{
	size_t more = *room ? *room * 2 : first;
	void *bigger;

	if (len < *room)
		return v;
	bigger = reallocarray(v, more, size);
	*room = bigger ? more : *room;
	return bigger;
}

#endif
