/* SPDX-License-Identifier: GPL-2.0-only */
/* Gives the terminal back when a signal kills the process. */
#ifndef IMDSNOOP_UI_TERMINAL_H
#define IMDSNOOP_UI_TERMINAL_H

/*
 * Remembers the terminal's settings as they are now. Called before the terminal is taken over. Returns 0 or a negative
 * errno.
 */
int ui_terminal_save(int fd);
/* Called after: terminfo is there to be asked. Signals that the process handles already are left alone. */
void ui_terminal_guard(void);
/* The screen was given back in order: the handlers go. */
void ui_terminal_unguard(void);

#endif
