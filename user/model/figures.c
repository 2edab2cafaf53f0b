/* SPDX-License-Identifier: GPL-2.0-only */
#include "figures.h"

#define COUNT_ROW(member, key) { key, offsetof(struct figures, member), false },
#define TIME_ROW(member, key) { key, offsetof(struct figures, member), true },

const struct figure figures_table[] = { FIGURES(COUNT_ROW, COUNT_ROW, TIME_ROW){ .key = NULL } };

void figures_add_count(uint64_t *sum, uint64_t n)
{
	*sum = n > INT64_MAX - *sum ? INT64_MAX : *sum + n;
}

void figures_add(struct figures *sum, const struct figures *from)
{
	struct figures nothing = { 0 };

	figures_add_more(sum, &nothing, from);
}

void figures_add_more(struct figures *sum, struct figures *most, const struct figures *from)
{
	for (const struct figure *f = figures_table; f->key; f++) {
		char *to = (char *)sum + f->offset, *high = (char *)most + f->offset;
		const char *more = (const char *)from + f->offset;

		if (f->is_time && *(const double *)more > *(double *)high) {
			*(double *)to += *(const double *)more - *(double *)high;
			*(double *)high = *(const double *)more;
		} else if (!f->is_time && *(const uint64_t *)more > *(uint64_t *)high) {
			figures_add_count((uint64_t *)to, *(const uint64_t *)more - *(uint64_t *)high);
			*(uint64_t *)high = *(const uint64_t *)more;
		}
	}
}
