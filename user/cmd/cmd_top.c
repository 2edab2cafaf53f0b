/* SPDX-License-Identifier: GPL-2.0-only */
/* top: the table of pods on the whole screen. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "../view/ui.h"
#include "command.h"
#include "../session/session.h"

#define TICKS_PER_UPDATE 4 /* of 250 ms: figures that change faster are hard to read */

struct top {
	const struct options *o;
	struct session *session;
	struct ui *ui;
	struct event *input, *resize;
	unsigned int ticks;
	uint64_t finished;
	bool stale; /* a request that is on the screen */
	int err;
};

static bool selects(void *arg, const struct pod_stats *p)
{
	return session_selects_pod(arg, p);
}

static void update(struct top *t)
{
	const struct snapshot *s = session_snapshot(t->session, false);
	struct report said = { .s = NULL };

	t->err = s ? report_build(s, &said) : -ENOMEM;
	if (!t->err)
		t->err = ui_update(t->ui, &said, selects, (void *)t->o);
	report_clear(&said);
	if (t->err)
		session_stop(t->session);
}

static void on_tick(void *arg, uint64_t now_ns)
{
	struct top *t = arg;

	if (++t->ticks % TICKS_PER_UPDATE == 0)
		update(t);
	else if (t->stale)
		ui_draw(t->ui);
	t->stale = false;
}

static void on_stall(void *arg, const struct request *r, uint64_t now_ns)
{
	struct top *t = arg;

	if (t->ui && session_selects_request(t->session, r))
		t->stale |= ui_add_request(t->ui, r, now_ns);
}

static void on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	struct top *t = arg;

	on_stall(t, r, now_ns);
	if (session_selects_request(t->session, r) && ++t->finished == t->o->count)
		session_stop(t->session);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct top *t = arg;

	if (ui_input(t->ui) == UI_QUIT)
		session_stop(t->session);
}

static void on_resize(evutil_socket_t fd, short what, void *arg)
{
	struct top *t = arg;

	ui_resize(t->ui);
}

static int start(struct top *t)
{
	struct text_options text = session_text_options(t->o, stdout);
	struct ui_options ui = { .color = text.color, .utf8 = text.utf8, .in = stdin, .out = stdout };
	struct event_base *base = session_base(t->session);
	const char *term = getenv("TERM");
	int err;

	t->resize = evsignal_new(base, SIGWINCH, on_resize, t);
	t->input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, t);
	if (!t->resize || !t->input || event_add(t->input, NULL))
		goto memory;
	err = ui_new(&ui, &t->ui);
	if (err == -ENOMEM)
		goto memory;
	if (err) {
		session_log("cannot draw on terminal type '%.40s': set TERM to one that is known here, or use "
			    "'imdsnoop trace'",
			    term ? term : "");
		return err;
	}
	if (event_add(t->resize, NULL)) { /* in place of ncurses' handler, which waits for a key */
		ui_free(t->ui);
		t->ui = NULL;
		goto memory;
	}
	return 0;
memory:
	session_log("cannot start the screen: out of memory");
	return -ENOMEM;
}

int cmd_top(const struct options *o)
{
	struct top t = { .o = o };
	struct session_callbacks cb = { .on_request = on_request, .on_stall = on_stall, .on_tick = on_tick, .arg = &t };
	int err;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		session_log("'imdsnoop top' needs a terminal for input and output: use 'imdsnoop trace' or 'imdsnoop "
			    "report'");
		return EXIT_CANNOT_RUN;
	}
	t.session = session_new(o, &cb);
	if (!t.session)
		return EXIT_CANNOT_RUN;
	err = start(&t);
	if (!err) {
		update(&t);
		err = t.err ? t.err : session_run(t.session);
		ui_free(t.ui);
		t.ui = NULL;
		if (t.err || err)
			session_log("stopped: %s", strerror(t.err ? -t.err : -err));
	}
	if (t.input)
		event_free(t.input);
	if (t.resize)
		event_free(t.resize);
	session_free(t.session);
	return err || t.err ? EXIT_CANNOT_RUN : EXIT_FINE;
}
