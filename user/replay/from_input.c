/* SPDX-License-Identifier: GPL-2.0-only */
#include "from_input.h"

#include <errno.h>
#include <string.h>

static void tell_bad_lines(const char *name, const struct trace_input *input)
{
	struct trace_input_stats stats;

	trace_input_get_stats(input, &stats);
	if (stats.bad)
		session_log("'%s': %llu of %llu lines skipped, the first is line %llu: %s", name,
			    (unsigned long long)stats.bad, (unsigned long long)stats.lines,
			    (unsigned long long)stats.first_bad, stats.why);
	if (stats.cut)
		session_log("'%s' has no end line: packets and drops are not counted", name);
	if (stats.missing)
		session_log("'%s' counts %llu more requests than it tells: it was filtered or cut", name,
			    (unsigned long long)stats.missing);
}

static const struct snapshot *read_trace(const struct options *o, FILE *f, const struct session_callbacks *cb,
					 struct from_input *ret)
{
	char msg[256];

	if (trace_input_read(o, f, cb, &ret->trace, msg, sizeof(msg))) {
		session_log("cannot read '%s': %s", o->from[0], msg);
		return NULL;
	}
	tell_bad_lines(o->from[0], ret->trace);
	return trace_input_snapshot(ret->trace);
}

static const struct snapshot *read_captures(const struct options *o, FILE *const *files,
					    const struct session_callbacks *cb, struct from_input *ret)
{
	char msg[320];
	int err = capture_input_read(o, files, o->from, o->from_len, cb, &ret->capture, msg, sizeof(msg));

	if (err == -ENODATA) /* told already, each file for itself */
		session_log("nothing to judge: no capture could be read");
	else if (err)
		session_log("cannot read: %s", msg);
	return err ? NULL : capture_input_snapshot(ret->capture);
}

const struct snapshot *from_input_read(const struct options *o, const struct session_callbacks *cb, struct from_input *ret)
{
	FILE *files[OPTIONS_FROM_MAX] = { NULL };
	const struct snapshot *s = NULL;
	size_t opened = 0;

	*ret = (struct from_input){ .trace = NULL };
	for (; opened < o->from_len; opened++) {
		files[opened] = strcmp(o->from[opened], "-") ? fopen(o->from[opened], "re") : stdin;
		if (!files[opened]) {
			session_log("cannot read '%s': %s", o->from[opened], strerror(errno));
			break;
		}
	}
	if (opened == o->from_len && (opened > 1 || capture_input_is_capture(files[0])))
		s = read_captures(o, files, cb, ret);
	else if (opened == o->from_len)
		s = read_trace(o, files[0], cb, ret);
	for (size_t i = 0; i < opened; i++)
		if (files[i] != stdin)
			fclose(files[i]);
	return s;
}

void from_input_clear(struct from_input *in)
{
	trace_input_free(in->trace);
	capture_input_free(in->capture);
}
