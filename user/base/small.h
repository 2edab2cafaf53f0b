/* SPDX-License-Identifier: GPL-2.0-only */
/* Small things that each file would write again. */
#ifndef IMDSNOOP_SMALL_H
#define IMDSNOOP_SMALL_H

#define LEN(array) (sizeof(array) / sizeof((array)[0]))
/* What follows the word for one of which there are n. */
#define ENDING(n) ((n) == 1 ? "" : "s")

#endif
