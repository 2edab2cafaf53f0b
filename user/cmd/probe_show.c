/* SPDX-License-Identifier: GPL-2.0-only */
/* What the probe command tells, in text and in JSON. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../base/small.h"
#include "../report/findings.h"
#include "../report/report.h"
#include "../view/text_layout.h"
#include "probe_run.h"

const char *probe_why_not_asked(int err)
{
	switch (err) {
	case -ESRCH:
		return "its last process has ended";
	case -ENXIO:
		return "its processes are hidden: run in the host's pid namespace (hostPID)";
	case -EPERM:
	case -EACCES:
		return "may not enter its network namespace: run as root, with CAP_SYS_ADMIN and CAP_SYS_PTRACE";
	case -ESTALE:
		return "its processes changed their network meanwhile: ask again";
	case -EIO:
		return "the probing process ended early";
	default:
		return strerror(-err);
	}
}

/* An answer that is no token: by whom, where that is known; only what nobody stands in for speaks for the cloud. */
static void tell_error(const struct request *r, char *buf, size_t len)
{
	const struct answerer *a = r->answered_by;
	char who[FINDINGS_ANSWERER_LEN] = "";

	if (a)
		findings_answerer(a, who, sizeof(who));
	snprintf(buf, len, "answered %u instead of a token%s%.160s%s", r->rec.req.status,
		 who[0] ? " by "
		 : a	? " at "
			: "",
		 who[0] ? who
		 : a	? a->address
			: "",
		 r->cause == CAUSE_NOT_THIS_CLOUD ? ": not EC2's service, whose tokens this asks for"
		 : r->cause == CAUSE_THROTTLED	  ? ": throttled"
		 : r->cause == CAUSE_ENDPOINT_DISABLED && !a
		     ? ": the service is off for this instance, or a proxy stands between"
		     : "");
}

static void tell_why(const struct probe_run *run, const struct target_answer *a, char *buf, size_t len)
{
	const struct request *r = &a->r;
	const struct imds_request *q = &r->rec.req;
	const char *cause = cause_text(r->cause);
	char place[128];

	if (a->err) {
		snprintf(buf, len, "not asked: %s", probe_why_not_asked(a->err));
		return;
	}
	snprintf(place, sizeof(place), "%s%s%s%s%s", a->location[0] ? " in " : "", a->location,
		 a->reason[0] ? " (" : "", a->reason, a->reason[0] ? ")" : "");
	switch (r->outcome) {
	case OUTCOME_OK:
		snprintf(buf, len, "got a token");
		break;
	case OUTCOME_HOP_LIMIT:
		if (q->drop.ts_ns)
			snprintf(buf, len, "the answer died at TTL %u%s%s: hop limit too low", q->drop.ttl,
				 a->location[0] ? " in " : "", a->location);
		else
			snprintf(buf, len, "connected and asked, no answer: probably the hop limit");
		break;
	case OUTCOME_BLOCKED:
		snprintf(buf, len, "a packet filter drops its packets%s", place);
		break;
	case OUTCOME_DROPPED:
		snprintf(buf, len, "%s%s", cause[0] ? cause : "dropped on this node", place);
		break;
	case OUTCOME_NOT_SENT:
		snprintf(buf, len, "nothing was sent: %s (no route in its network, or connect() is denied there)",
			 a->raw.err ? strerror(-a->raw.err) : "no packet left");
		break;
	case OUTCOME_REDIRECTED:
		snprintf(buf, len, "redirected before it left%s%s, by another program at connect or a rule in the pod",
			 r->answered_by ? " to " : "", r->answered_by ? r->answered_by->address : "");
		break;
	case OUTCOME_REFUSED:
		if (r->answered_by)
			snprintf(buf, len, "refused by this node: it redirects the connection to %s",
				 r->answered_by->address);
		else
			snprintf(buf, len, "refused: %s%s%s", strerror(-a->raw.err),
				 r->cause != CAUSE_REFUSED && cause[0] ? ", " : "",
				 r->cause != CAUSE_REFUSED ? cause : "");
		break;
	case OUTCOME_HTTP_ERROR:
		tell_error(r, buf, len);
		break;
	case OUTCOME_RESET:
		snprintf(buf, len, "the service cut the connection");
		break;
	default:
		snprintf(buf, len,
			 r->rec.synack_ns ? "connected, but no answer within %g s" : "cannot connect within %g s",
			 run->o->stall_ns / 1e9);
	}
}

static size_t name_width(const struct probe_run *run)
{
	size_t max = run->text.width > 120 ? (size_t)run->text.width - 80 : 40, width = 3;
	char subject[512], buf[1024];

	for (size_t i = 0; i < run->len; i++) {
		size_t n = strlen(text_escape(findings_subject(&run->targets[i].who, subject, sizeof(subject)), false,
					      max, buf, sizeof(buf)));

		width = n > width ? n : width;
	}
	return width;
}

static void print_time(struct probe_run *run, uint64_t wall_ns)
{
	char buf[CLOCK_LEN];

	if (run->o->watch)
		fprintf(run->out, "%-8s ", wall_ns ? text_clock(wall_ns, buf) : "TIME");
}

static void print_name(struct probe_run *run, const struct pod_identity *who)
{
	char subject[512], buf[1024];
	int width = name_width(run);

	text_escape(findings_subject(who, subject, sizeof(subject)), false, width, buf, sizeof(buf));
	fprintf(run->out, "%-*s ", width, buf);
}

static void print_header(struct probe_run *run)
{
	print_time(run, 0);
	fprintf(run->out, "%-*s %-18s %4s %5s %3s %8s %8s  %s\n", (int)name_width(run), "POD", "RESULT", "HOPS",
		"NEEDS", "TTL", "CONNECT", "ANSWER", "WHY");
}

static void print_text(struct probe_run *run, const struct probe_target *t)
{
	const struct request *r = &t->now->r;
	const char *confidence = confidence_word(r->confidence);
	enum text_style style = t->now->err			  ? TEXT_YELLOW
				: r->outcome == OUTCOME_OK	  ? TEXT_GREEN
				: r->outcome == OUTCOME_HOP_LIMIT ? TEXT_RED
								  : TEXT_YELLOW;
	char word[40], why[256], buf[512];

	print_time(run, r->wall_ns);
	print_name(run, &t->who);
	snprintf(word, sizeof(word), "%s%s%s", t->now->err ? "unknown" : outcome_word(r->outcome),
		 confidence ? " " : "", confidence ? confidence : "");
	fprintf(run->out, "%s%-18s%s", text_on(&run->text, style), word, text_off(&run->text));
	text_number(run->out, 4, r->hops, r->hops >= 0);
	text_number(run->out, 5, r->required_hop_limit, r->required_hop_limit > 0);
	text_number(run->out, 3, r->rec.ttl_synack, r->rec.ttl_synack > 0);
	text_duration(run->out, t->now->err ? -1 : request_connect_us(r));
	text_duration(run->out, t->now->err ? -1 : request_first_byte_us(r));
	tell_why(run, t->now, why, sizeof(why));
	fprintf(run->out, "  %s", text_escape(why, run->text.utf8, 0, buf, sizeof(buf)));
	if (t->also)
		fprintf(run->out, " (also %u container%s of other pods)", t->also, ENDING(t->also));
	fputc('\n', run->out);
}

json_t *probe_json(const struct request *r, bool asked, const char *why)
{
	/* of the probe itself, not of the pod */
	static const char *const not_ours[] = { "pid", "comm", "ancestors", "fallback", "facts" };
	json_t *v = json_request(r, r->rec.req.end_ns, false);

	for (size_t i = 0; v && i < LEN(not_ours); i++)
		json_object_del(v, not_ours[i]);
	if (json_object_set_new(v, "type", json_string("probe")) || json_object_set_new(v, "asked", json_boolean(asked)) ||
	    (!asked && json_object_set_new(v, "outcome", json_null())) ||
	    json_object_set_new(v, "token", json_boolean(asked && r->outcome == OUTCOME_OK)) ||
	    json_object_set_new(v, "why", json_text(why))) {
		json_decref(v);
		return NULL;
	}
	return v;
}

static void print_json(struct probe_run *run, const struct probe_target *t)
{
	const struct target_answer *a = t->now;
	char why[256];
	json_t *v;

	tell_why(run, a, why, sizeof(why));
	v = probe_json(&a->r, !a->err, why);
	if (json_object_set_new(v, "host_network", json_boolean(t->host)) ||
	    json_object_set_new(v, "also", json_integer(t->also))) {
		json_decref(v);
		v = NULL;
	}
	json_print(v, false, run->out);
}

static void flushed(struct probe_run *run)
{
	errno = 0;
	if (!fflush(run->out) && !ferror(run->out))
		return;
	if (!run->write_err)
		run->write_err = errno ? -errno : -EIO;
	run->stop = true; /* session_close_output() tells */
}

void probe_show_start(struct probe_run *run)
{
	if (run->o->format == FORMAT_JSON)
		json_print(json_pack("{s:s, s:s, s:o, s:I, s:b}", "type", "start", "version", IMDSNOOP_VERSION, "node",
				     json_text(run->node), "namespaces", (json_int_t)run->len, "watched",
				     run->session != NULL),
			   false, run->out);
	else
		print_header(run);
	flushed(run);
}

void probe_target_show_gone(struct probe_run *run, const struct probe_target *t)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	if (run->o->format == FORMAT_JSON) {
		char time_buf[32];

		json_print(json_pack("{s:s, s:s, s:o, s:o, s:o}", "type", "gone", "time",
				     json_time(wall.tv_sec * 1000000000ull + wall.tv_nsec, time_buf, sizeof(time_buf)),
				     "namespace", json_text(t->who.namespace), "pod", json_text(t->who.pod), "pod_uid",
				     json_text(t->who.pod_uid)),
			   false, run->out);
	} else {
		print_time(run, wall.tv_sec * 1000000000ull + wall.tv_nsec);
		print_name(run, &t->who);
		fputs("gone\n", run->out);
	}
	flushed(run);
}

void probe_target_show(struct probe_run *run, struct probe_target *t)
{
	const struct target_answer *a = t->now;
	bool changed;

	if (!a->err)
		probe_target_judge(run, t);
	else
		t->now->r = (struct request){ .hops = -1,
					      .who = &t->who,
					      .node = run->node,
					      .drop_reason = "",
					      .drop_location = "",
					      .wall_ns = a->r.wall_ns };
	changed = t->state.outcome != a->r.outcome || t->state.confidence != a->r.confidence || t->state.err != a->err ||
		  t->state.status != a->r.rec.req.status || (!t->host && strncmp(t->state.uid, t->who.pod_uid, 39)) ||
		  t->state.required != a->r.required_hop_limit;
	if (t->shown && !changed)
		return;
	t->shown = true;
	t->state.outcome = a->r.outcome;
	t->state.confidence = a->r.confidence;
	t->state.err = a->err;
	t->state.status = a->r.rec.req.status;
	t->state.required = a->r.required_hop_limit;
	snprintf(t->state.uid, sizeof(t->state.uid), "%s", t->who.pod_uid);
	if (run->o->format == FORMAT_JSON)
		print_json(run, t);
	else
		print_text(run, t);
	flushed(run);
}

struct probe_tally probe_tally_of(const struct probe_run *run)
{
	struct probe_tally n = { .asked = 0 };

	for (size_t i = 0; i < run->len; i++) {
		const struct probe_target *t = &run->targets[i];

		if (!t->shown || t->state.err) {
			n.unknown++;
			continue;
		}
		n.asked++;
		n.outcomes[t->state.outcome]++;
		n.without += t->state.outcome != OUTCOME_OK;
		if (t->state.outcome == OUTCOME_HOP_LIMIT && t->state.required > n.required)
			n.required = t->state.required;
	}
	return n;
}

void probe_show_end(struct probe_run *run, const struct probe_tally *n)
{
	json_t *outcomes;

	if (run->o->format == FORMAT_JSON) {
		outcomes = json_object();
		for (int i = 0; i < OUTCOME_COUNT; i++)
			if (n->outcomes[i])
				json_object_set_new(outcomes, outcome_word(i), json_integer(n->outcomes[i]));
		json_print(json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "type", "end", "asked", (json_int_t)n->asked,
				     "without_token", (json_int_t)n->without, "not_asked", (json_int_t)n->unknown,
				     "outcomes", outcomes, "required_hop_limit", json_if_positive(n->required)),
			   false, run->out);
	} else {
		fprintf(run->out, "%zu of %zu get%s a token", n->asked - n->without, n->asked,
			n->asked - n->without == 1 ? "s" : "");
		if (n->required)
			fprintf(run->out, "; %zu would with hop limit %d", n->outcomes[OUTCOME_HOP_LIMIT], n->required);
		if (n->unknown)
			fprintf(run->out, "; %zu could not be asked", n->unknown);
		fputc('\n', run->out);
	}
}
