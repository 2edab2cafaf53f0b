/* SPDX-License-Identifier: GPL-2.0-only */
/* trace: one line per finished request, one per stalled one. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../view/json.h"
#include "../view/text.h"
#include "command.h"
#include "../replay/from_input.h"
#include "../session/session.h"
#include "../session/trace_counts.h"

struct trace {
	const struct options *o;
	struct session *session; /* NULL: reads what was seen before */
	FILE *out;
	bool started; /* the first line is out */
	struct text_options text;
	uint64_t printed;
	int write_err; /* of the first write that failed */
};

/* errno was 0 before the write. A later one would tell less, or nothing: the stream has thrown its bytes away. */
static void check_written(struct trace *t)
{
	if (!ferror(t->out) || t->write_err)
		return;
	t->write_err = errno ? -errno : -EIO;
	if (t->session)
		session_stop(t->session);
}

static void flush(struct trace *t)
{
	errno = 0;
	fflush(t->out);
	check_written(t);
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
	errno = 0;
	if (t->o->format == FORMAT_JSON)
		json_print(json_request(r, now_ns, t->o->redact_paths), false, t->out);
	else
		text_trace_line(t->out, r, &t->text);
	check_written(t);
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
static void print_end(const struct snapshot *s)
{
	fprintf(stderr, "imdsnoop: %llu request%s, %llu running", (unsigned long long)s->totals.requests,
		s->totals.requests == 1 ? "" : "s", (unsigned long long)s->totals.in_flight);
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			fprintf(stderr, ", %s %llu (%s)", s->losses[i].name, (unsigned long long)s->losses[i].count,
				s->losses[i].what);
	fputc('\n', stderr);
}

static json_t *end_line(struct session *session, const struct snapshot *s)
{
	json_t *line = json_end(s);

	if (json_object_set_new(line, "drops_watched", json_boolean(s->drops_watched)) ||
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
		print_end(s);
	err = session_close_output(o, t->out, t->write_err) || !s;
	from_input_clear(&in);
	return err ? EXIT_CANNOT_RUN : EXIT_FINE;
}

int cmd_trace(const struct options *o)
{
	struct trace t = { .o = o };
	struct session_callbacks cb = { .on_request = on_request, .on_stall = on_stall, .on_read = on_read, .arg = &t };
	const struct snapshot *s;
	int err;

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
	t.text = session_text_options(o, t.out);
	/* without the counts: reading them would hand out requests before the first line */
	if (o->format == FORMAT_JSON)
		json_print(json_start(session_describe(t.session)), false, t.out);
	else
		text_trace_header(t.out, session_describe(t.session)->started_wall_ns, &t.text);
	flush(&t);
	err = session_run(t.session);
	s = session_snapshot(t.session, false);
	if (s && o->format == FORMAT_JSON)
		json_print(end_line(t.session, s), false, t.out);
	else if (s && !o->quiet)
		print_end(s);
	err = session_close_output(o, t.out, t.write_err) ? -EIO : err;
	session_free(t.session);
	return err ? EXIT_CANNOT_RUN : EXIT_FINE;
}
