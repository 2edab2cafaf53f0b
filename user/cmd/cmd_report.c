/* SPDX-License-Identifier: GPL-2.0-only */
/* report: watch for a while, then name the pods, the cause, the evidence and what to do. */
#include <string.h>

#include "../view/json.h"
#include "../view/text.h"
#include "command.h"
#include "session.h"

static int exit_code(const struct options *o, const struct snapshot *s)
{
	if (!o->exit_code)
		return EXIT_FINE;
	for (size_t i = 0; i < s->findings_len; i++)
		if (s->findings[i].severity != SEVERITY_INFO)
			return EXIT_FINDINGS;
	return EXIT_FINE;
}

int cmd_report(const struct options *o)
{
	struct session_callbacks cb = { .arg = NULL };
	const struct snapshot *s;
	struct text_options text;
	struct session *session;
	int code = EXIT_CANNOT_RUN;
	FILE *out;

	session = session_new(o, &cb);
	if (!session)
		return EXIT_CANNOT_RUN;
	if (!o->quiet)
		session_log("watching for %g s, Ctrl-C ends sooner and prints the report", o->duration_ns / 1e9);
	if (session_run(session))
		goto out;
	s = session_snapshot(session, true);
	out = s ? session_open_output(o) : NULL;
	if (!out)
		goto out;
	if (o->format == FORMAT_JSON) {
		json_print(json_report(s), true, out);
	} else {
		text = session_text_options(o, out);
		text_report(out, s, &text);
	}
	if (!session_close_output(o, out))
		code = exit_code(o, s);
out:
	session_free(session);
	return code;
}
