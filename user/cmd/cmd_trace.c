/* SPDX-License-Identifier: GPL-2.0-only */
/* trace: one line per finished request, one per stalled one. */
#include <errno.h>

#include "../base/small.h"
#include "../view/json.h"
#include "../view/text.h"
#include "command.h"
#include "../replay/from_input.h"
#include "../session/line_writer.h"
#include "../session/session.h"
#include "../session/trace_counts.h"

struct trace {
	const struct options *o;
	struct session *session;   /* NULL: reads what was seen before */
	FILE *out;		   /* what is written to in the end */
	struct line_writer *lines; /* NULL: a replay, which may wait for its reader */
	bool started;		   /* the first line is out */
	struct text_options text;
	uint64_t printed;
	int write_err; /* of the first write that failed */
};

#define LAST_MS 1000 /* for a reader to take the last lines, when it stands still */

static FILE *line(struct trace *t)
{
	errno = 0;
	return t->lines ? line_writer_line(t->lines) : t->out;
}

/* errno was 0 before the write. A later one would tell less, or nothing: the stream has thrown its bytes away. */
static void end_of_line(struct trace *t)
{
	if (t->lines)
		line_writer_end(t->lines);
	else if (ferror(t->out) && !t->write_err)
		t->write_err = errno ? -errno : -EIO;
}

static void flush(struct trace *t)
{
	if (!t->lines || t->write_err)
		return;
	t->write_err = line_writer_flush(t->lines);
	if (t->write_err)
		session_stop(t->session);
}

/* What was seen before is described by its first request: of the rest nothing is known yet. */
static void start_replay(struct trace *t, uint64_t wall_ns)
{
	char node[256];
	const struct snapshot s = {
		.version = IMDSNOOP_VERSION,
		.node = options_node(t->o, node, sizeof(node)),
		.kernel = "",
		.started_wall_ns = wall_ns,
		.now_wall_ns = wall_ns,
		.started_ns = wall_ns,
		.now_ns = wall_ns,
		.endpoints = t->o->endpoint_texts,
	};

	t->started = true;
	if (t->o->format == FORMAT_JSON)
		json_print(json_start(&s), false, t->out);
	else
		text_trace_header(t->out, wall_ns, &t->text);
}

static void print(struct trace *t, const struct request *r, uint64_t now_ns)
{
	if (!session_options_select(t->o, r))
		return;
	if (!t->started)
		start_replay(t, r->wall_ns);
	if (t->o->format == FORMAT_JSON)
		json_print(json_request(r, now_ns, t->o->redact_paths), false, line(t));
	else
		text_trace_line(line(t), r, &t->text);
	end_of_line(t);
}

static void on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	struct trace *t = arg;

	if (t->o->count && t->printed >= t->o->count)
		return;
	print(t, r, now_ns);
	if (session_options_select(t->o, r) && ++t->printed == t->o->count && t->session)
		session_stop(t->session);
}

static void on_stall(void *arg, const struct request *r, uint64_t now_ns)
{
	struct trace *t = arg;

	if (!t->o->count || t->printed < t->o->count)
		print(t, r, now_ns);
}

static void on_read(void *arg)
{
	flush(arg);
}

/* What the lines cannot say: how many there were, and what was lost. */
static void print_end(const struct snapshot *s, uint64_t lines_lost)
{
	fprintf(stderr, "imdsnoop: %llu request%s, %llu running", (unsigned long long)s->totals.requests,
		ENDING(s->totals.requests), (unsigned long long)s->totals.in_flight);
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			fprintf(stderr, ", %s %llu (%s)", s->losses[i].name, (unsigned long long)s->losses[i].count,
				s->losses[i].what);
	if (lines_lost)
		fprintf(stderr, ", lines_lost %llu (the reader of the output stood still)",
			(unsigned long long)lines_lost);
	fputc('\n', stderr);
}

static json_t *end_line(struct trace *t, const struct snapshot *s)
{
	struct session *session = t->session;
	json_t *line = json_end(s);

	if (json_object_set_new(line, "lines_lost", json_integer((json_int_t)line_writer_lost(t->lines))) ||
	    json_object_set_new(line, "drops_watched", json_boolean(s->drops_watched)) ||
	    json_object_set_new(line, "counts", trace_counts_write(session, s))) {
		json_decref(line);
		return NULL;
	}
	return line;
}

/* The counts behind the last line are a session's: those of a replay are in the lines. */
static int replay(struct trace *t, const struct session_callbacks *cb)
{
	const struct options *o = t->o;
	const struct snapshot *s;
	struct from_input in;
	int err;

	t->out = session_open_output(o, false);
	if (!t->out)
		return EXIT_CANNOT_RUN;
	t->text = session_text_options(o, t->out);
	s = from_input_read(o, cb, &in);
	if (s && !t->started)
		start_replay(t, s->started_wall_ns);
	if (s && o->format == FORMAT_JSON)
		json_print(json_end(s), false, t->out);
	else if (s && !o->quiet)
		print_end(s, 0);
	err = session_close_output(o, t->out, t->write_err) || !s;
	from_input_clear(&in);
	return err ? EXIT_CANNOT_RUN : EXIT_FINE;
}

int cmd_trace(const struct options *o)
{
	struct trace t = { .o = o };
	struct session_callbacks cb = { .on_request = on_request, .on_stall = on_stall, .on_read = on_read, .arg = &t };
	const struct snapshot *s;
	int err, flushed;
	uint64_t lost;

	if (!session_test_output(o))
		return EXIT_CANNOT_RUN;
	t.started = !o->from_len;
	if (o->from_len)
		return replay(&t, &cb);
	t.session = session_new(o, &cb);
	if (!t.session)
		return EXIT_CANNOT_RUN;
	t.out = session_open_output(o, false);
	if (!t.out) {
		session_free(t.session);
		return EXIT_CANNOT_RUN;
	}
	t.lines = line_writer_new(fileno(t.out), session_base(t.session));
	if (!t.lines) {
		session_log("out of memory");
		session_close_output(o, t.out, 0);
		session_free(t.session);
		return EXIT_CANNOT_RUN;
	}
	t.text = session_text_options(o, t.out);
	/* without the counts: reading them would hand out requests before the first line */
	if (o->format == FORMAT_JSON)
		json_print(json_start(session_describe(t.session)), false, line(&t));
	else
		text_trace_header(line(&t), session_describe(t.session)->started_wall_ns, &t.text);
	end_of_line(&t);
	flush(&t);
	err = session_run(t.session);
	s = session_snapshot(t.session, false);
	if (s && o->format == FORMAT_JSON) {
		json_print(end_line(&t, s), false, line(&t));
		end_of_line(&t);
	}
	flushed = line_writer_finish(t.lines, LAST_MS);
	t.write_err = t.write_err ? t.write_err : flushed;
	lost = t.write_err ? 0 : line_writer_lost(t.lines); /* an error says enough */
	if (s && o->format != FORMAT_JSON && !o->quiet)
		print_end(s, lost);
	else if (lost)
		session_log("%llu lines were lost: the reader of the output stood still", (unsigned long long)lost);
	line_writer_free(t.lines);
	err = session_close_output(o, t.out, t.write_err) ? -EIO : err;
	session_free(t.session);
	return err ? EXIT_CANNOT_RUN : EXIT_FINE;
}
