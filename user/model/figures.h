/* SPDX-License-Identifier: GPL-2.0-only */
/* The figures of figures.def as a struct, and as a table to walk over it. */
#ifndef IMDSNOOP_FIGURES_H
#define IMDSNOOP_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "figures.def"

#define FIGURES_COUNT_MEMBER(member, key) uint64_t member;
#define FIGURES_TIME_MEMBER(member, key) double member;
#define FIGURES_MEMBERS FIGURES(FIGURES_COUNT_MEMBER, FIGURES_COUNT_MEMBER, FIGURES_TIME_MEMBER)

struct figures {
	FIGURES_MEMBERS
};

/* In a struct that has them: each by its own name, and all as `figures`. */
#define FIGURES_HERE                    \
	union {                         \
		struct figures figures; \
		struct {                \
			FIGURES_MEMBERS \
		};                      \
	}

struct figure {
	const char *key;
	size_t offset;
	bool is_time; /* a double, else a uint64_t */
};
extern const struct figure figures_table[]; /* ends with a row without key */

/* The member of a row of the table, by its type. */
uint64_t *figures_count(struct figures *of, const struct figure *f);
double *figures_time(struct figures *of, const struct figure *f);

/* Events that the losses count and that are known to be of whom these figures are: nobody else lost them. */
uint64_t figures_own_losses(const struct figures *of);

/* Counts stop at INT64_MAX, which JSON can hold. */
void figures_add_count(uint64_t *sum, uint64_t n);
void figures_add(struct figures *sum, const struct figures *from);
/*
 * For reports that overlap in time: adds only what `from` has more than *most, the highest so far of those that overlap.
 */
void figures_add_more(struct figures *sum, struct figures *most, const struct figures *from);

#endif
