/* SPDX-License-Identifier: GPL-2.0-only */
/* ready: which workloads are safe with other metadata options, from ledgers and reports. Needs no rights and no kernel. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../replay/report_input.h"
#include "../report/ledger.h"
#include "../session/session.h"
#include "../view/extras.h"
#include "../view/json.h"
#include "command.h"

#define HOUR 3600

struct inputs {
	struct ready_node *nodes;
	size_t len, max, skipped;
	uint64_t from_s, to_s;
};

static bool is_ledger(const char *path)
{
	char head[16] = "", file[4200];
	struct stat st;
	bool found;
	FILE *f;

	snprintf(file, sizeof(file), "%.4080s/ledger.db", path);
	if (!stat(file, &st))
		return true;
	f = fopen(path, "re");
	found = f && fread(head, 1, sizeof(head), f) == sizeof(head) && !memcmp(head, "SQLite format 3", 16);

	if (f)
		fclose(f);
	return found;
}

/* A report is let go of at once: what is read from its JSON is ten times the file. */
static void read_one(struct inputs *in, const char *path, bool ledger)
{
	struct ready_node *n = &in->nodes[in->len];
	struct report_doc doc;
	char msg[512];
	int err;

	if (ledger) {
		err = ledger_read(path, in->from_s, in->to_s, n, msg, sizeof(msg));
	} else {
		err = report_input_read(path, &doc, msg, sizeof(msg));
		if (!err && ready_from_report(&doc, in->from_s, in->to_s, n)) {
			snprintf(msg, sizeof(msg), "out of memory");
			err = -ENOMEM;
		}
		report_input_clear(&doc);
	}
	if (!err) {
		in->len++;
		return;
	}
	session_log("%s '%s': %s", in->max > 1 ? "skipped" : "cannot read", path, msg);
	in->skipped++;
}

static void free_inputs(struct inputs *in)
{
	for (size_t i = 0; i < in->len; i++)
		ready_free_node(&in->nodes[i]);
	free(in->nodes);
}

static int print(FILE *out, const struct options *o, const void *r)
{
	const struct text_options text = session_text_options(o, out);

	if (o->format == FORMAT_JSON)
		return json_print(json_ready(r, IMDSNOOP_VERSION), true, out);
	text_ready(out, r, &text);
	return 0;
}

int cmd_ready(const struct options *o)
{
	struct ready_question q = {
		.hop_limit = o->what_if ? o->what_if_hop_limit : 1,
		.tokens_required = o->what_if ? o->what_if_tokens_required : true,
		.endpoint_off = o->what_if_endpoint_off,
		.role_delivery = o->what_if_role_delivery,
	};
	struct inputs in = {
		.max = o->files_len + (o->from_state != NULL),
		.to_s = (uint64_t)time(NULL) / HOUR * HOUR + HOUR,
	};
	int code = EXIT_CANNOT_RUN;
	struct ready r;

	in.nodes = calloc(in.max, sizeof(*in.nodes));
	if (!in.nodes) {
		session_log("out of memory");
		goto out;
	}
	in.from_s = in.to_s - (o->since_ns / 1000000000 + HOUR - 1) / HOUR * HOUR;
	if (o->from_state)
		read_one(&in, o->from_state, true);
	for (size_t i = 0; i < o->files_len; i++)
		read_one(&in, o->files[i], is_ledger(o->files[i]));
	if (!in.len) {
		if (in.max > 1) /* of one it is told already */
			session_log("nothing to judge from");
		goto out;
	}
	if (ready_judge(&q, in.nodes, in.len, in.from_s, in.to_s, &r)) {
		session_log("out of memory");
		goto out;
	}
	if (!session_write_output(o, print, &r) && !in.skipped)
		code = o->exit_code && (r.counts[READY_SAFE] != r.rows_len || !r.rows_len) ? o->exit_code : EXIT_FINE;
	ready_clear(&r);
out:
	free_inputs(&in);
	return code;
}
