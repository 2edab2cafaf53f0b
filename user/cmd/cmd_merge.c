/* SPDX-License-Identifier: GPL-2.0-only */
/* merge: one report from those of many nodes. What cannot be read is named and skipped; the exit code tells. */
#include <errno.h>

#include "../view/extras.h"
#include "../view/html.h"
#include "../view/json.h"
#include "command.h"
#include "../replay/report_input.h"
#include "../session/session.h"

/* One at a time: what stays of each is in m. Returns 0 or -ENOMEM; *ret_skipped: files that were left out. */
static int read_files(const struct options *o, struct merged *m, size_t *ret_skipped)
{
	char msg[256];

	for (size_t i = 0; i < o->files_len; i++) {
		const char *twin = NULL;
		struct report_doc d;
		int err = report_input_read(o->files[i], &d, msg, sizeof(msg));

		if (err) {
			session_log("%s '%s': %s", o->files_len > 1 ? "skipped" : "cannot read", o->files[i], msg);
			++*ret_skipped;
			continue;
		}
		if (d.left_out)
			session_log("'%s': %zu rows beyond what a report has were not read", o->files[i], d.left_out);
		err = merge_add(m, &d, &twin);
		report_input_clear(&d);
		if (err == -ENOMEM)
			return err;
		if (err == -EEXIST)
			session_log("skipped '%s': the same report as '%s'", o->files[i], twin);
		else if (err)
			session_log("skipped '%s': more than %d reports", o->files[i], MERGE_NODES_MAX);
		*ret_skipped += err != 0;
	}
	return 0;
}

static int print(FILE *out, const struct options *o, const void *m)
{
	const struct text_options text = session_text_options(o, out);

	if (o->format == FORMAT_JSON)
		return json_merge(m, IMDSNOOP_VERSION, out);
	if (o->format == FORMAT_HTML)
		html_merge(out, m, IMDSNOOP_VERSION);
	else
		text_merge(out, m, &text);
	return 0;
}

int cmd_merge(const struct options *o)
{
	int code = EXIT_CANNOT_RUN;
	struct merged m = { 0 };
	size_t skipped = 0;

	if (read_files(o, &m, &skipped) || (m.nodes_len && merge_end(&m)))
		session_log("out of memory");
	else if (!m.nodes_len && o->files_len > 1) /* of one file it is told already */
		session_log("no report to merge");
	else if (m.nodes_len && !session_write_output(o, print, &m) && !skipped)
		code = EXIT_FINE;
	merge_clear(&m);
	return code;
}
