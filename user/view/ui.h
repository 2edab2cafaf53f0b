/* SPDX-License-Identifier: GPL-2.0-only */
/* The live screen of `top`: draws a snapshot with ncurses and turns keys into state. Knows no event loop and no kernel. */
#ifndef IMDSNOOP_UI_H
#define IMDSNOOP_UI_H

#include <stdbool.h>
#include <stddef.h>

#include "../model/snapshot.h"
#include "text.h"

#define UI_FILTER_LEN 64
#define UI_EVENTS 200			/* request lines kept of the opened pod, the oldest leave */
#define UI_LINE_LEN 256
#define UI_KEY_LEN 256

enum ui_sort { UI_SORT_WORST, UI_SORT_REQUESTS, UI_SORT_LOST, UI_SORT_LATENCY, UI_SORT_RATE, UI_SORT_NAME, UI_SORT_COUNT };

struct ui_state {
	struct text_options text;	/* colour and UTF-8 */
	enum ui_sort sort;
	char filter[UI_FILTER_LEN];
	bool typing;			/* keys go to the filter */
	bool paused, help, open;
	char selected[UI_KEY_LEN];	/* ui_key_of() of the row under the cursor; stays with its pod when rows move */
	int scroll;			/* of the opened pod */
	char events[UI_EVENTS][UI_LINE_LEN];	/* ring */
	size_t events_len, events_next;
	/* requests of each pod a second ago, for rates: parallel arrays */
	struct ui_rate {
		char key[UI_KEY_LEN];
		uint64_t requests;
		double rate;
	} *rates;
	size_t rates_len, rates_size;
	uint64_t rates_ns;
};

/* Takes the terminal. Returns 0, or -ENOTTY when standard input or output is none. */
int ui_start(struct ui_state *ui);
void ui_stop(struct ui_state *ui);	/* gives it back; may be called twice */

/* What names a row from one snapshot to the next. Returns buf. */
const char *ui_key_of(const struct pod_stats *p, char *buf, size_t len);

/* Called once a second at most: rates from the difference to the snapshot before. */
void ui_take_rates(struct ui_state *ui, const struct snapshot *s);

/* A line for the opened pod's list of requests. */
void ui_add_event(struct ui_state *ui, const char *line);

void ui_draw(struct ui_state *ui, const struct snapshot *s);

/* One key as getch() gives it. Returns true when it means quit. */
bool ui_key(struct ui_state *ui, const struct snapshot *s, int key);

#endif
