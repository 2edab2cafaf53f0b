/* SPDX-License-Identifier: GPL-2.0-only */
/* top: the live table. The terminal is given back on every way out, a crash included. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <event2/event.h>
#include <ncurses.h>

#include "../view/ui.h"
#include "command.h"
#include "session.h"

struct top {
	const struct options *o;
	struct session *session;
	struct ui_state ui;
	const struct snapshot *shown;	/* on the screen; not renewed while paused */
};

/* For the crash handler, which may call async-signal-safe functions only. */
static struct termios saved_termios;
static volatile sig_atomic_t screen_taken;

static void on_crash(int sig)
{
	/* leave the alternate screen, normal attributes, cursor visible, keypad off: ECMA-48 and xterm, as ncurses' rmcup */
	static const char restore[] = "\033[?1049l\033[m\033[?25h\033[?1l\033>";

	if (screen_taken) {
		(void)!write(STDOUT_FILENO, restore, sizeof(restore) - 1);
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGHUP, SIGQUIT };
	struct sigaction a = { .sa_handler = on_crash };

	tcgetattr(STDIN_FILENO, &saved_termios);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &a, NULL);
}

static void draw(struct top *t)
{
	const struct snapshot *s;

	if (t->ui.paused && t->shown)
		return;
	s = session_snapshot(t->session, false);
	if (!s)
		return;
	t->shown = s;
	ui_take_rates(&t->ui, s);
	ui_draw(&t->ui, s);
}

static void on_tick(void *arg, uint64_t now_ns)
{
	draw(arg);
}

static void on_line(struct top *t, const struct request *r)
{
	char key[UI_KEY_LEN], line[UI_LINE_LEN * 2];
	size_t len = 0;
	char *text = NULL;
	FILE *f;

	snprintf(key, sizeof(key), "%s", *r->who->container_id ? r->who->container_id : r->who->cgroup);
	if (!t->ui.open || t->ui.paused || strcmp(key, t->ui.selected))
		return;
	f = open_memstream(&text, &len);
	if (!f)
		return;
	text_trace_line(f, r, &(struct text_options){ .utf8 = t->ui.text.utf8 });
	fclose(f);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	ui_add_event(&t->ui, line);
}

static void on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	struct top *t = arg;

	if (session_selects_request(t->session, r))
		on_line(t, r);
}

static void on_keys(evutil_socket_t fd, short what, void *arg)
{
	struct top *t = arg;
	int key;

	while ((key = getch()) != ERR) {
		if (!t->shown)
			continue;
		if (ui_key(&t->ui, t->shown, key)) {
			session_stop(t->session);
			return;
		}
	}
	if (t->shown)
		ui_draw(&t->ui, t->shown);
}

static void on_resize(evutil_socket_t fd, short what, void *arg)
{
	struct top *t = arg;

	endwin();			/* refresh() then asks the terminal for its size anew */
	refresh();
	if (t->shown)
		ui_draw(&t->ui, t->shown);
}

int cmd_top(const struct options *o)
{
	struct top t = { .o = o };
	struct session_callbacks cb = { .on_request = on_request, .on_stall = on_request, .on_tick = on_tick, .arg = &t };
	struct event *keys = NULL, *resize = NULL;
	int err = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		session_log("top needs a terminal; `imdsnoop trace` and `imdsnoop report` do without");
		return EXIT_CANNOT_RUN;
	}
	t.session = session_new(o, &cb);
	if (!t.session)
		return EXIT_CANNOT_RUN;
	t.ui.text = session_text_options(o, stdout);
	catch_crashes();
	screen_taken = 1;
	ui_start(&t.ui);
	keys = event_new(session_base(t.session), STDIN_FILENO, EV_READ | EV_PERSIST, on_keys, &t);
	resize = evsignal_new(session_base(t.session), SIGWINCH, on_resize, &t);
	if (!keys || !resize || event_add(keys, NULL) || event_add(resize, NULL)) {
		err = 1;
	} else {
		draw(&t);
		err = session_run(t.session);
	}
	ui_stop(&t.ui);
	screen_taken = 0;
	if (keys)
		event_free(keys);
	if (resize)
		event_free(resize);
	session_free(t.session);
	if (err)
		session_log("the event loop failed");
	return err ? EXIT_CANNOT_RUN : EXIT_FINE;
}
