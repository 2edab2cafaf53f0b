/* SPDX-License-Identifier: GPL-2.0-only */
#include "line_writer.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

/* A pipe that poll(2) calls writable takes so much at once; a terminal and a socket, too, or they say that they do not. */
#define PIECE PIPE_BUF

struct line_writer {
	int fd;
	struct evbuffer *queue, *line; /* the line that is printed now */
	FILE *stream;		       /* into line */
	struct event *writable;	       /* NULL: a file, which is always */
	uint64_t lost;
	int err; /* of the first write that failed */
};

static ssize_t add_to_line(void *cookie, const char *data, size_t len)
{
	struct line_writer *w = cookie;

	return evbuffer_add(w->line, data, len) ? 0 : (ssize_t)len; /* 0 is an error to fopencookie(3) */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	line_writer_flush(arg);
}

struct line_writer *line_writer_new(int fd, struct event_base *base)
{
	struct line_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fd = fd;
	w->queue = evbuffer_new();
	w->line = evbuffer_new();
	w->stream = fopencookie(w, "w", (cookie_io_functions_t){ .write = add_to_line });
	w->writable = event_new(base, fd, EV_WRITE, on_writable, w);
	if (!w->queue || !w->line || !w->stream || !w->writable) {
		line_writer_free(w);
		return NULL;
	}
	return w;
}

void line_writer_free(struct line_writer *w)
{
	if (!w)
		return;
	if (w->stream)
		fclose(w->stream);
	if (w->writable)
		event_free(w->writable);
	if (w->queue)
		evbuffer_free(w->queue);
	if (w->line)
		evbuffer_free(w->line);
	free(w);
}

FILE *line_writer_line(struct line_writer *w)
{
	return w->stream;
}

void line_writer_end(struct line_writer *w)
{
	size_t len;

	if (fflush(w->stream) || ferror(w->stream)) { /* no memory: half a line is none */
		clearerr(w->stream);
		evbuffer_drain(w->line, evbuffer_get_length(w->line));
		w->lost++;
		return;
	}
	len = evbuffer_get_length(w->line);
	if (evbuffer_get_length(w->queue) + len > LINE_WRITER_BYTES) {
		line_writer_flush(w); /* between two turns of the loop the reader may have read */
		if (evbuffer_get_length(w->queue) + len > LINE_WRITER_BYTES) {
			evbuffer_drain(w->line, len);
			w->lost++;
			return;
		}
	}
	/* copied: a chain of many small pieces would take a multiple of its bytes */
	while (evbuffer_get_length(w->line)) {
		char buf[4096];
		int n = evbuffer_remove(w->line, buf, sizeof(buf));

		if (n <= 0 || evbuffer_add(w->queue, buf, (size_t)n))
			break;
	}
}

static bool reader_takes(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, wait_ms) > 0;
}

int line_writer_flush(struct line_writer *w)
{
	while (!w->err && evbuffer_get_length(w->queue) && reader_takes(w->fd, 0)) {
		size_t len = evbuffer_get_length(w->queue) < PIECE ? evbuffer_get_length(w->queue) : PIECE;
		ssize_t n = write(w->fd, evbuffer_pullup(w->queue, (ev_ssize_t)len), len);

		if (n >= 0)
			evbuffer_drain(w->queue, (size_t)n);
		else if (errno != EINTR && errno != EAGAIN)
			w->err = -errno;
	}
	if (!w->err && evbuffer_get_length(w->queue))
		event_add(w->writable, NULL); /* fails on a file, which takes all at once */
	return w->err;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int line_writer_finish(struct line_writer *w, unsigned int wait_ms)
{
	uint64_t end_ms = now_ms() + wait_ms;
	char buf[4096];
	int n;

	while (!line_writer_flush(w) && evbuffer_get_length(w->queue) && now_ms() < end_ms)
		reader_takes(w->fd, (int)(end_ms - now_ms()));
	/* a line of which the reader has had a part counts as lost, too */
	while (!w->err && (n = evbuffer_remove(w->queue, buf, sizeof(buf))) > 0)
		for (int i = 0; i < n; i++)
			w->lost += buf[i] == '\n';
	return w->err;
}

uint64_t line_writer_lost(const struct line_writer *w)
{
	return w->lost;
}
