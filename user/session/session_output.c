/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a command writes: standard output or --output, and its own words to standard error. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"

#define LOG_MAX 4096

void session_log(const char *format, ...)
{
	char text[LOG_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\n') || *p == 0x7f || (*p == '\xc2' && (p[1] & 0xe0) == 0x80))
			*p = '?';
	fprintf(stderr, "imdsnoop: %s\n", text);
}

/*
 * The one output of this process. A whole document goes to a file beside its target and takes the target's name when it
 * is complete: a full disk or a kill leaves the report that was there. temp is "" where the target itself is written: a
 * pipe, a device, our own standard output, or lines that are read as they come.
 */
static char target[PATH_MAX], temp[PATH_MAX + 16];

static bool is_ours(const struct stat *st)
{
	struct stat own;

	for (int fd = 1; fd <= 2; fd++)
		if (!fstat(fd, &own) && own.st_dev == st->st_dev && own.st_ino == st->st_ino)
			return true;
	return false;
}

/* Opens the file beside target; where the folder takes none, target itself will do. Returns a descriptor or -1. */
static int open_temp(const struct stat *st)
{
	const char *slash = strrchr(target, '/');
	int dir = slash ? slash + 1 - target : 0;
	int fd;

	snprintf(temp, sizeof(temp), "%.*s.%.200s.XXXXXX", dir, target, target + dir);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		*temp = '\0';
		return st && errno != ENOSPC ? open(target, O_WRONLY | O_CLOEXEC) : -1;
	}
	if (st && (fchmod(fd, st->st_mode & 07777) || (!geteuid() && fchown(fd, st->st_uid, st->st_gid)))) {
		close(fd);
		unlink(temp);
		return -1;
	}
	return fd;
}

bool session_is_pipe(const char *name)
{
	struct stat st;

	return !stat(name, &st) && S_ISFIFO(st.st_mode);
}

int session_open(const struct options *o, const char *name, int flags)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000000 };
	uint64_t begin_ns = clock_now_ns();
	sigset_t all, old;
	int fd, err;

	flags |= O_WRONLY | O_CLOEXEC;
	if (!session_is_pipe(name))
		return open(name, flags, 0600);
	/* signals come during the pause alone: open() goes on after one that is handled */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	do {
		fd = open(name, flags | O_NONBLOCK, 0600);
	} while (fd < 0 && errno == ENXIO && (!o->duration_ns || clock_now_ns() - begin_ns < o->duration_ns) &&
		 !ppoll(NULL, 0, &pause, &old));
	err = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	errno = err;
	return fd;
}

int session_open_failed(const char *name)
{
	int err = errno;

	session_log("cannot write to '%s': %s", name, err == ENXIO || err == EINTR ? "nobody reads it" : strerror(err));
	return -err;
}

/* whole: a document, not lines. test: nothing is kept, and a pipe is not waited for. Returns a descriptor or -1. */
static int open_target(const struct options *o, bool whole, bool test)
{
	const char *name = o->output;
	struct stat st;
	bool there = !stat(name, &st);
	int fd;

	*temp = '\0';
	if (!there && errno != ENOENT)
		return -1;
	if (there && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	if (there && (!S_ISREG(st.st_mode) || is_ours(&st)))
		return test ? (access(name, W_OK) ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC))
			    : session_open(o, name, S_ISREG(st.st_mode) ? O_APPEND : 0);
	/* of a link, what it points to is replaced; one that points nowhere is followed by open() */
	if (there ? !realpath(name, target) : snprintf(target, sizeof(target), "%s", name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (there && access(name, W_OK))
		return -1; /* a rename would not ask */
	if (whole || test) {
		fd = open_temp(there ? &st : NULL);
		if (test && *temp)
			unlink(temp);
		else if (fd >= 0 && !*temp && !test && ftruncate(fd, 0))
			return close(fd), -1;
		return fd;
	}
	return open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

bool session_test_output(const struct options *o)
{
	int fd = o->output ? open_target(o, true, true) : 1;

	if (fd < 0)
		session_open_failed(o->output);
	else if (o->output)
		close(fd);
	return fd >= 0;
}

FILE *session_open_output(const struct options *o, bool whole)
{
	FILE *f = NULL;
	int fd;

	if (!o->output)
		return stdout;
	fd = open_target(o, whole, false);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (!f) {
		session_open_failed(o->output);
		if (fd >= 0)
			close(fd);
	}
	return f;
}

int session_write_output(const struct options *o, int (*write)(FILE *out, const struct options *o, const void *what),
			 const void *what)
{
	FILE *out = session_open_output(o, true);

	return out ? session_close_output(o, out, write(out, o, what)) : -1;
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
	if ((fflush(f) || ferror(f)) && !err) {
		if (!errno) { /* an earlier write failed, and nothing is left to write: one more tells why */
			clearerr(f);
			fputc('\n', f);
			fflush(f);
		}
		err = errno ? -errno : -EIO;
	}
	if (*temp && !err && fsync(fileno(f))) /* a disk may tell only now that it is full */
		err = -errno;
	if (f != stdout && fclose(f) && !err)
		err = -errno;
	if (*temp && !err && rename(temp, target))
		err = -errno;
	if (*temp && err)
		unlink(temp);
	*temp = '\0';
	if (err == -EPIPE) {
		clearerr(stdout); /* main() looks at it once more, and errno is another's by then */
		return 0;
	}
	if (err)
		session_log("cannot write to %s: %s", o->output ? o->output : "standard output", strerror(-err));
	return err;
}
