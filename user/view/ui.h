/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The screen of `top`: a table of pods, one pod, and help, drawn with ncurses. The terminal comes back as it was by
 * ui_free(), and by a handler when a signal kills the process.
 */
#ifndef IMDSNOOP_UI_H
#define IMDSNOOP_UI_H

#include <stdbool.h>
#include <stdio.h>

#include "../model/request.h"
#include "../report/report.h"

struct ui;

struct ui_options {
	bool color, utf8;
	FILE *in, *out; /* of the terminal */
};

enum ui_action { UI_NONE, UI_QUIT };

/* Takes over the terminal. Returns 0, -ENOMEM, or -ENOTTY when this terminal cannot be driven. One at a time. */
int ui_new(const struct ui_options *o, struct ui **ret_ui);
void ui_free(struct ui *ui);

/* Takes what there is to see, unless it is paused; draws. Returns 0 or -ENOMEM. */
int ui_update(struct ui *ui, const struct report *r, bool (*selects)(void *arg, const struct pod_stats *p), void *arg);

/* A finished or stalled request. Shown with the next draw; true when it is worth drawing now. */
bool ui_add_request(struct ui *ui, const struct request *r, uint64_t now_ns);

/* Reads the keys that are there, and draws. */
enum ui_action ui_input(struct ui *ui);
/* The terminal's size has changed. */
void ui_resize(struct ui *ui);
void ui_draw(struct ui *ui);

#endif
