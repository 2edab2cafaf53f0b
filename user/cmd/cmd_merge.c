/* SPDX-License-Identifier: GPL-2.0-only */
/* merge: one report from those of many nodes. What cannot be read is named and skipped; the exit code tells. */
#include <stdlib.h>
#include <string.h>

#include "../view/extras.h"
#include "../view/html.h"
#include "../view/json.h"
#include "command.h"
#include "../replay/report_input.h"
#include "../session/session.h"

/* The same report given twice would count twice. */
static const struct report_doc *same_as(const struct report_doc *docs, size_t len, const struct report_doc *d)
{
	for (size_t i = 0; i < len; i++)
		if (!strcmp(docs[i].node, d->node) && !strcmp(docs[i].started, d->started))
			return &docs[i];
	return NULL;
}

/* Returns how many files were left out. */
static size_t read_files(const struct options *o, struct report_doc *docs, size_t *ret_len)
{
	size_t skipped = 0, len = 0;
	char msg[256];

	for (size_t i = 0; i < o->files_len; i++) {
		const struct report_doc *twin;

		if (report_input_read(o->files[i], &docs[len], msg, sizeof(msg))) {
			session_log("skipped '%s': %s", o->files[i], msg);
			skipped++;
			continue;
		}
		twin = same_as(docs, len, &docs[len]);
		if (twin) {
			session_log("skipped '%s': the same report as '%s'", o->files[i], twin->file);
			report_input_clear(&docs[len]);
			skipped++;
			continue;
		}
		len++;
	}
	*ret_len = len;
	return skipped;
}

static int print(const struct options *o, const struct merged *m)
{
	FILE *out = session_open_output(o, true);
	struct text_options text;
	int err = 0;

	if (!out)
		return -1;
	if (o->format == FORMAT_JSON) {
		err = json_print(json_merge(m, IMDSNOOP_VERSION), true, out);
	} else if (o->format == FORMAT_HTML) {
		html_merge(out, m, IMDSNOOP_VERSION);
	} else {
		text = session_text_options(o, out);
		text_merge(out, m, &text);
	}
	return session_close_output(o, out, 0) ? -1 : err;
}

int cmd_merge(const struct options *o)
{
	struct report_doc *docs = calloc(o->files_len + 1, sizeof(*docs));
	const struct report_doc **list = calloc(o->files_len + 1, sizeof(*list));
	int code = EXIT_CANNOT_RUN;
	size_t len = 0, skipped;
	struct merged m;

	if (!docs || !list) {
		session_log("out of memory");
		goto out;
	}
	skipped = read_files(o, docs, &len);
	if (!len) {
		session_log("no report to merge");
		goto out;
	}
	for (size_t i = 0; i < len; i++)
		list[i] = &docs[i];
	if (merge_reports(list, len, &m)) {
		session_log("out of memory");
		goto out;
	}
	if (!print(o, &m) && !skipped)
		code = EXIT_FINE;
	merge_clear(&m);
out:
	for (size_t i = 0; i < len; i++)
		report_input_clear(&docs[i]);
	free(docs);
	free(list);
	return code;
}
