/* SPDX-License-Identifier: GPL-2.0-only */
#include "figures.h"

#define COUNT_ROW(member, key) { key, offsetof(struct figures, member), false },
#define TIME_ROW(member, key) { key, offsetof(struct figures, member), true },

const struct figure figures_table[] = { FIGURES(COUNT_ROW, COUNT_ROW, TIME_ROW){ .key = NULL } };

void figures_add_count(uint64_t *sum, uint64_t n)
{
	*sum = n > INT64_MAX - *sum ? INT64_MAX : *sum + n;
}

uint64_t figures_own_losses(const struct figures *of)
{
	uint64_t sum = of->untracked;

	figures_add_count(&sum, of->records_lost);
	figures_add_count(&sum, of->judged_early);
	return sum;
}

void figures_add(struct figures *sum, const struct figures *from)
{
	struct figures nothing = { 0 };

	figures_add_more(sum, &nothing, from);
}

uint64_t *figures_count(struct figures *of, const struct figure *f)
{
	void *at = (char *)of + f->offset;

	return at;
}

double *figures_time(struct figures *of, const struct figure *f)
{
	void *at = (char *)of + f->offset;

	return at;
}

void figures_add_more(struct figures *sum, struct figures *most, const struct figures *from)
{
	struct figures more = *from;

	for (const struct figure *f = figures_table; f->key; f++) {
		if (f->is_time) {
			double s = *figures_time(&more, f), *high = figures_time(most, f);

			*figures_time(sum, f) += s > *high ? s - *high : 0;
			*high = s > *high ? s : *high;
		} else {
			uint64_t n = *figures_count(&more, f), *high = figures_count(most, f);

			figures_add_count(figures_count(sum, f), n > *high ? n - *high : 0);
			*high = n > *high ? n : *high;
		}
	}
}
