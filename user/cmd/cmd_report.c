/* SPDX-License-Identifier: GPL-2.0-only */
/* report: watch for a while, or read a trace, then name the pods, the cause, the evidence and what to do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/small.h"
#include "../report/findings.h"
#include "../report/report.h"
#include "../report/timeline.h"
#include "../view/extras.h"
#include "../view/html.h"
#include "../view/json.h"
#include "../view/text.h"
#include "command.h"
#include "../replay/report_input.h"
#include "../session/session.h"
#include "../replay/from_input.h"

struct watch {
	const struct options *o;
	struct timeline timeline;
	struct session *session; /* one of these two */
	uint64_t finished;
	unsigned int ticks;
	bool counts; /* a line on the terminal does, while it watches */
	struct from_input input;
	struct snapshot view; /* what the options select of the snapshot; owns its arrays, not what they hold */
	const struct pod_stats **pods;
	struct finding *found; /* of these rows */
	size_t found_len;
	struct finding *findings; /* the same, with room behind them */
	struct report said;	  /* of view */
	bool missed;		  /* the filters chose nothing */
	bool unwritten;		  /* not all of --pcapng */
	struct what_if_result what_if;
	struct report_doc before, after;
	struct changes changes;
};

/* --- what goes on the timeline ------------------------------------------------------------------------------------ */

static void on_stall(void *arg, const struct request *r, uint64_t now_ns)
{
	struct watch *rep = arg;

	if (rep->o->format == FORMAT_HTML && session_selects_identity(rep->o, r->who) &&
	    request_is_problem(r, rep->o->slow_ns / 1000))
		timeline_add_request(&rep->timeline, r, now_ns);
}

static void on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	struct watch *rep = arg;

	on_stall(arg, r, now_ns);
	if (rep->session && session_selects_request(rep->session, r) && ++rep->finished == rep->o->count)
		session_stop(rep->session);
}

static void on_drop(void *arg, const struct pod_identity *who, const struct imds_rec_drop *rec, const char *reason,
		    const char *location)
{
	struct watch *rep = arg;

	if (session_selects_identity(rep->o, who))
		timeline_add_drop(&rep->timeline, who, &rec->drop, reason, location);
}

/* --- where it comes from ------------------------------------------------------------------------------------------ */

/* Once a second; overwritten by the next one, and gone before the report. */
static void on_tick(void *arg, uint64_t now_ns)
{
	static const char *const words[] = { "dying", "failing" };
	struct watch *rep = arg;
	const struct snapshot *s;
	size_t pods[2] = { 0 };

	if (!rep->counts || rep->ticks++ % 4)
		return;
	s = session_snapshot(rep->session, false);
	if (!s)
		return;
	for (size_t i = 0; i < s->pods_len; i++) {
		const struct pod_stats *p = s->pods[i];

		if (session_selects_pod(rep->o, p))
			pods[!p->outcomes[OUTCOME_HOP_LIMIT]] += p->outcomes[OUTCOME_HOP_LIMIT] || p->failed;
	}
	fprintf(stderr, "\r%.0f of %g s: %llu request%s", (now_ns - s->started_ns) / 1e9, rep->o->duration_ns / 1e9,
		(unsigned long long)s->totals.requests, ENDING(s->totals.requests));
	for (int i = 0; i < 2; i++)
		if (pods[i])
			fprintf(stderr, ", %zu pod%s %s", pods[i], ENDING(pods[i]), words[i]);
	fputs("\033[K", stderr);
}

static const struct snapshot *watch(struct watch *rep, const struct session_callbacks *cb)
{
	const struct options *o = rep->o;
	const struct snapshot *s;
	int err;

	rep->session = session_new(o, cb);
	if (!rep->session)
		return NULL;
	rep->counts = !o->quiet && isatty(STDERR_FILENO);
	if (rep->counts)
		session_log("watching for %g s, Ctrl-C ends sooner and prints the report", o->duration_ns / 1e9);
	err = session_run(rep->session);
	if (rep->counts)
		fputs("\r\033[K", stderr);
	rep->unwritten = err == -EIO;
	if (err && !rep->unwritten) {
		session_log("the event loop failed");
		return NULL;
	}
	s = session_snapshot(rep->session, true);
	if (!s)
		session_log("out of memory");
	return s;
}

/* --- what is shown ------------------------------------------------------------------------------------------------ */

/*
 * Rows that the options select, and what is found about these: a workload is told with its chosen pods. Totals stay whole, as
 * do findings of the node as a whole. What would break has no problem yet.
 */
static int select_view(struct watch *rep, const struct snapshot *s)
{
	struct snapshot *v = &rep->view;
	struct options chosen = *rep->o;

	chosen.problems &= !chosen.what_if;
	*v = *s;
	rep->pods = calloc(s->pods_len + 1, sizeof(*rep->pods));
	if (!rep->pods)
		return -ENOMEM;
	v->pods = rep->pods;
	v->pods_len = 0;
	for (size_t i = 0; i < s->pods_len; i++)
		if (session_selects_pod(&chosen, s->pods[i]))
			rep->pods[v->pods_len++] = s->pods[i];
	if (findings_collect_view(s, v, &rep->found, &rep->found_len))
		return -ENOMEM;
	/* room for one would-break of each pod behind them */
	rep->findings = calloc(rep->found_len + s->pods_len + 1, sizeof(*rep->findings));
	if (!rep->findings)
		return -ENOMEM;
	if (rep->found_len)
		memcpy(rep->findings, rep->found, rep->found_len * sizeof(*rep->findings));
	v->findings = rep->findings;
	v->findings_len = rep->found_len;
	return 0;
}

/* Concludes; filters of names that chose nothing are told with what was seen instead. */
static int say(struct watch *rep, const struct snapshot *whole)
{
	const struct options *o = rep->o;
	const char *const filters[][2] = {
		{ "--namespace", o->namespace }, { "--pod", o->pod },	{ "--container", o->container },
		{ "--workload", o->workload },	 { "--comm", o->comm },
	};
	const char *wanted[2 * LEN(filters) + 1] = { NULL };
	struct options by_name = *o;
	size_t len = 0;
	int err = report_build(&rep->view, &rep->said);

	by_name.problems = false; /* a pod without a problem is there */
	for (size_t i = 0; i < LEN(filters); i++)
		if (filters[i][1]) {
			wanted[len++] = filters[i][0];
			wanted[len++] = filters[i][1];
		}
	rep->missed = len;
	for (size_t i = 0; i < whole->pods_len && rep->missed; i++)
		rep->missed = !session_selects_pod(&by_name, whole->pods[i]);
	return err || !rep->missed ? err : report_filter_missed(&rep->said, whole, wanted);
}

static int compare(struct watch *rep)
{
	char msg[256];

	/* read back what would be written: reports are compared with their like */
	if (report_input_from_json(json_report(&rep->view), "", &rep->after, msg, sizeof(msg)))
		return -ENOMEM;
	return compare_reports(&rep->before, &rep->after, &rep->changes);
}

static json_t *json_of(struct watch *rep)
{
	const struct options *o = rep->o;
	struct snapshot v = rep->view;
	struct report said = rep->said; /* borrows: with the dry run's findings in its snapshot */
	json_t *root;
	int err = 0;

	/* a dry run's findings stand behind what is: `findings` is otherwise worst first */
	if (o->what_if)
		memcpy(rep->findings + v.findings_len, rep->what_if.findings,
		       rep->what_if.findings_len * sizeof(*rep->findings));
	v.findings_len += rep->what_if.findings_len;
	said.s = &v;
	root = json_said(&said);
	if (o->what_if)
		err |= json_object_set_new(root, "what_if", json_what_if(&rep->what_if));
	if (o->baseline)
		err |= json_object_set_new(root, "changes", json_changes(&rep->changes));
	if (!err)
		return root;
	json_decref(root);
	return NULL;
}

static int print(struct watch *rep, FILE *out)
{
	const struct options *o = rep->o;
	struct text_options text;

	if (o->format == FORMAT_JSON)
		return json_print(json_of(rep), true, out);
	if (o->format == FORMAT_HTML) {
		timeline_sort(&rep->timeline);
		html_report(out, &(struct html_report){
				     .said = &rep->said,
				     .timeline = &rep->timeline,
				     .what_if = o->what_if ? &rep->what_if : NULL,
				     .changes = o->baseline ? &rep->changes : NULL,
				 });
		return 0;
	}
	if (o->brief) {
		fprintf(out, "%s\n", rep->said.brief);
		return 0;
	}
	text = session_text_options(o, out);
	text_report(out, &rep->said, o->what_if ? &rep->what_if : NULL, o->baseline ? &rep->changes : NULL, &text);
	return 0;
}

static int exit_code(const struct watch *rep)
{
	if (rep->missed || rep->unwritten)
		return EXIT_CANNOT_RUN;
	if (rep->o->exit_code && (report_level_is_bad(rep->said.level) || rep->what_if.findings_len || rep->what_if.open))
		return rep->o->exit_code;
	return EXIT_FINE;
}

static int make(struct watch *rep)
{
	const struct options *o = rep->o;
	struct session_callbacks cb = {
		.on_request = on_request,
		.on_stall = on_stall,
		.on_tick = on_tick,
		.arg = rep,
	};
	const struct what_if question = { o->what_if_hop_limit, o->what_if_tokens_required };
	const struct snapshot *s;
	char msg[256];
	FILE *out;
	int err;

	if (o->baseline && report_input_read(o->baseline, &rep->before, msg, sizeof(msg))) {
		session_log("cannot read '%s': %s", o->baseline, msg);
		return EXIT_CANNOT_RUN;
	}
	if (!session_test_output(o))
		return EXIT_CANNOT_RUN;
	if (o->format == FORMAT_HTML)
		cb.on_drop = on_drop;
	s = o->from_len ? from_input_read(o, &cb, &rep->input) : watch(rep, &cb);
	if (!s)
		return EXIT_CANNOT_RUN;
	err = select_view(rep, s);
	if (!err)
		err = say(rep, s);
	if (!err && o->what_if)
		err = what_if_ask(&question, &rep->view, &rep->what_if);
	if (!err && o->baseline)
		err = compare(rep);
	if (err) {
		session_log("%s", strerror(-err));
		return EXIT_CANNOT_RUN;
	}
	out = session_open_output(o, true);
	if (!out)
		return EXIT_CANNOT_RUN;
	return session_close_output(o, out, print(rep, out)) ? EXIT_CANNOT_RUN : exit_code(rep);
}

int cmd_report(const struct options *o)
{
	struct watch rep = { .o = o };
	int code = make(&rep);

	report_clear(&rep.said);
	compare_clear(&rep.changes);
	report_input_clear(&rep.before);
	report_input_clear(&rep.after);
	what_if_clear(&rep.what_if);
	free(rep.pods);
	free(rep.findings);
	findings_free(rep.found, rep.found_len);
	timeline_clear(&rep.timeline);
	session_free(rep.session);
	from_input_clear(&rep.input);
	return code;
}
