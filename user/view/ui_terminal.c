/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A signal handler may call write(2) and tcsetattr(3) (signal-safety(7)), but not ncurses: what gives the screen back
 * is put together beforehand. This is the program's one piece of global state, as a handler has no argument.
 */
#include "ui_terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <term.h>

#include "../base/small.h"

/* term.h has macros for terminfo's old names */
#undef lines
#undef columns

static const int guarded[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE,	 SIGABRT, SIGSYS, SIGTRAP,
			       SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU, SIGALRM };
#define GUARDED (LEN(guarded))

static struct {
	int fd;
	bool on;
	struct termios settings;
	char bytes[256];
	size_t len;
	bool ours[GUARDED];
	struct sigaction before[GUARDED];
	void *stack;
} saved = { .fd = -1 };

/* What SIGSEGV finds may be an overflown stack: the handler has one of its own. */
#define STACK_BYTES 16384

static void on_fatal(int sig)
{
	ssize_t n = 0;

	tcsetattr(saved.fd, TCSANOW, &saved.settings);
	if (sig != SIGALRM) /* which says that the terminal takes nothing: session_run() */
		n = write(saved.fd, saved.bytes, saved.len);
	(void)n;
	/* SA_RESETHAND has put the default action back; delivered when this returns */
	raise(sig);
}

int ui_terminal_save(int fd)
{
	if (tcgetattr(fd, &saved.settings))
		return -errno;
	saved.fd = fd;
	return 0;
}

/* Without the pauses, "$<5>", that terminfo writes into strings for slow terminals. */
static void append(const char *name)
{
	const char *s = tigetstr(name);

	if (!s || s == (const char *)-1)
		return;
	while (*s && saved.len < sizeof(saved.bytes)) {
		const char *end = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL;

		if (end)
			s = end + 1;
		else
			saved.bytes[saved.len++] = *s++;
	}
}

void ui_terminal_guard(void)
{
	static const char *const names[] = { "sgr0", "op", "rmkx", "cnorm", "rmcup" };
	struct sigaction sa = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_ONSTACK };
	stack_t stack = { .ss_size = STACK_BYTES };

	saved.len = 0;
	for (size_t i = 0; i < LEN(names); i++)
		append(names[i]);
	stack.ss_sp = saved.stack = malloc(STACK_BYTES);
	if (!saved.stack || sigaltstack(&stack, NULL))
		sa.sa_flags &= ~SA_ONSTACK;
	for (size_t i = 0; i < GUARDED; i++) {
		saved.ours[i] = !sigaction(guarded[i], NULL, &saved.before[i]) &&
				saved.before[i].sa_handler == SIG_DFL && !sigaction(guarded[i], &sa, NULL);
	}
	saved.on = true;
}

void ui_terminal_unguard(void)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	for (size_t i = 0; saved.on && i < GUARDED; i++)
		if (saved.ours[i])
			sigaction(guarded[i], &saved.before[i], NULL);
	if (saved.stack)
		sigaltstack(&none, NULL);
	free(saved.stack);
	saved.stack = NULL;
	saved.on = false;
}
