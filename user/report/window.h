/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report of the last minutes: keeps what each row had counted at the last few steps, small and only where it changed,
 * and gives a snapshot that holds the differences. Pure: clock and snapshots are passed in.
 */
#ifndef IMDSNOOP_WINDOW_H
#define IMDSNOOP_WINDOW_H

#include "../model/snapshot.h"

#define WINDOW_STEP_S 60 /* a window reaches back to a step, so it may be longer than asked by this */
#define WINDOW_STEPS 11
#define WINDOW_MAX_S (WINDOW_STEP_S * (WINDOW_STEPS - 1))

struct window;

/* Returns 0 or -ENOMEM. */
int window_new(struct window **ret_window);
void window_free(struct window *w);

/* True when a step is due: then take a snapshot and keep it. */
bool window_is_due(const struct window *w, uint64_t now_ns);
/* Returns 0 or -ENOMEM; then rows are missing from this step, and their next report reaches further back. */
int window_keep(struct window *w, const struct snapshot *s);

/*
 * What s has more than it had since_s (at most WINDOW_MAX_S) ago, as a snapshot with findings of its own, freed by
 * window_release(). It borrows from s; its started_ns and started_wall_ns say where it really begins: at a step. States
 * (TTLs, hops, hop_limit) are the newest ones, percentiles come from the buckets. -ENOENT: s is younger than that, it is
 * the answer itself; or -ENOMEM.
 */
int window_since(struct window *w, const struct snapshot *s, uint64_t since_s, struct snapshot *ret);
void window_release(struct snapshot *s);

#endif
