/* SPDX-License-Identifier: GPL-2.0-only */
/* check: what this node offers. Attaches nothing. */
#include <errno.h>
#include <string.h>

#include "../base/small.h"
#include "../kernel/features.h"
#include "../view/json.h"
#include "../view/text_layout.h"
#include "command.h"
#include "../session/session.h"

static enum text_style style_of(const char *state)
{
	return !strcmp(state, "ok")	    ? TEXT_GREEN
	       : !strcmp(state, "degraded") ? TEXT_YELLOW
	       : !strcmp(state, "missing")  ? TEXT_RED
					    : TEXT_DIM;
}

/* Of the rows that are needed, the one that is missing. */
static const struct feature *culprit(const struct features *f)
{
	static const char *const needed[] = { "capabilities", "cgroup_v2", "cgroup_skb", "ring_buffer" };
	const struct feature *row;

	for (size_t i = 0; i < LEN(needed); i++) {
		row = features_find(f, needed[i]);
		if (row && !strcmp(row->state, "missing"))
			return row;
	}
	return NULL;
}

static void print_text(const struct features *f, const char *node, int err, const struct text_options *o, FILE *out)
{
	const struct feature *needed = err ? culprit(f) : NULL;
	char text[4 * FEATURES_WHY_LEN];
	size_t not_ok = 0;

	fprintf(out, "imdsnoop %s on %s, Linux %s\n\n", IMDSNOOP_VERSION,
		text_escape(node, false, 0, text, sizeof(text)), f->kernel);
	for (size_t i = 0; i < f->rows_len; i++) {
		const struct feature *row = &f->rows[i];

		not_ok += strcmp(row->state, "ok") != 0;
		text_escape(row->why, false, 0, text, sizeof(text));
		fprintf(out, "%-16s %s%s%s%*s%s\n", row->name, text_on(o, style_of(row->state)), row->state,
			text_off(o), *text ? 10 - (int)strlen(row->state) : 0, "", text);
	}
	if (err)
		fprintf(out, "\ncannot run on this node: %s\n", needed ? needed->name : strerror(-err));
	else if (not_ok)
		fputs("\nruns on this node; what is not ok above is left out\n", out);
	else
		fputs("\nruns on this node with all that it can do\n", out);
}

static int print_json(const struct features *f, const char *node, int err, FILE *out)
{
	json_t *v = json_object();

	/* on no memory the object is short of a key, or NULL: json_print() tells only the latter, so count */
	json_object_set_new(v, "schema", json_string("imdsnoop.check/1"));
	json_object_set_new(v, "version", json_string(IMDSNOOP_VERSION));
	json_object_set_new(v, "node", json_text(node));
	json_object_set_new(v, "kernel", json_text(f->kernel));
	json_object_set_new(v, "ok", json_boolean(!err));
	json_object_set_new(v, "features", json_features(f->rows, f->rows_len));
	if (json_object_size(v) != 6) {
		json_decref(v);
		v = NULL;
	}
	return json_print(v, true, out);
}

int cmd_check(const struct options *o)
{
	const struct features_options fo = {
		.cgroup = o->cgroup,
		.pod_logs = o->pod_logs,
		.container_logs = o->container_logs,
	};
	struct text_options text;
	struct features f;
	const char *node;
	char host[256], why[FEATURES_WHY_LEN];
	FILE *out;
	int err, failed = 0;

	err = features_probe(&fo, &f);
	session_note_runtimes(&f, o->runtime_dirs);
	features_note(&f, "memory", session_tell_memory(o, why, sizeof(why)) ? "ok" : "degraded", why);
	features_free_btf(&f);
	node = options_node(o, host, sizeof(host));
	out = session_open_output(o, true);
	if (!out)
		return EXIT_CANNOT_RUN;
	text = session_text_options(o, out);
	if (o->format == FORMAT_JSON)
		failed = print_json(&f, node, err, out);
	else
		print_text(&f, node, err, &text, out);
	if (session_close_output(o, out, failed) || err)
		return EXIT_CANNOT_RUN;
	return EXIT_FINE;
}
