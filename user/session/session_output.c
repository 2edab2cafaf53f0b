/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a command writes: standard output or --output, and its own words to standard error. */
#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void session_log(const char *format, ...)
{
	va_list ap;

	fputs("imdsnoop: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

FILE *session_open_output(const struct options *o)
{
	FILE *f;

	if (!o->output)
		return stdout;
	f = fopen(o->output, "we");
	if (!f)
		session_log("cannot write to '%s': %s", o->output, strerror(errno));
	return f;
}

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (int i = 0; i < 3; i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

struct text_options session_text_options(const struct options *o, FILE *f)
{
	struct text_options t = { .color = options_color(o, f), .utf8 = is_utf8() };
	struct winsize w;

	if (isatty(fileno(f)) && !ioctl(fileno(f), TIOCGWINSZ, &w))
		t.width = w.ws_col;
	return t;
}

int session_close_output(const struct options *o, FILE *f, int err)
{
	if (!f)
		return 0;
	errno = 0;
	if ((fflush(f) || ferror(f)) && !err)
		err = errno ? -errno : -EIO;
	if (f != stdout && fclose(f) && !err)
		err = -errno;
	if (err == -EPIPE) {
		clearerr(stdout); /* main() looks at it once more, and errno is another's by then */
		return 0;
	}
	if (err)
		session_log("cannot write to %s: %s", o->output ? o->output : "standard output", strerror(-err));
	return err;
}
