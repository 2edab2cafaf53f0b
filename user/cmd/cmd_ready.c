/* SPDX-License-Identifier: GPL-2.0-only */
/* ready: which workloads are safe with other metadata options, from ledgers and reports. Needs no rights and no kernel. */
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
	size_t len, skipped;
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

/* Seconds of the report that fall into each hour of the window. */
static void fill_hours(const struct inputs *in, const struct report_doc *d, uint16_t *hours)
{
	double begin = d->started_s, end = begin + d->duration_s;

	for (uint64_t at = in->from_s; at < in->to_s; at += HOUR) {
		double from = begin > (double)at ? begin : (double)at;
		double to = end < (double)(at + HOUR) ? end : (double)(at + HOUR);

		if (to > from)
			hours[(at - in->from_s) / HOUR] = (uint16_t)(to - from);
	}
}

/* Whether some of its time is of the window. */
static bool is_in(const struct inputs *in, const struct report_doc *d)
{
	return d->started_s + d->duration_s > (double)in->from_s && d->started_s < (double)in->to_s;
}

/*
 * What was not in it was not asked: nothing lost, nothing left out by a filter, nothing blind, EC2's own addresses watched, and
 * live, for a capture or lines of trace hold what somebody chose.
 */
static bool is_whole(const struct report_doc *d)
{
	uint64_t shown = 0;

	for (size_t i = 0; i < d->pods_len; i++)
		figures_add_count(&shown, d->pods[i].requests);
	return !d->lost && !d->records_lost && !d->untracked && d->level != LEVEL_BLIND && shown >= d->requests &&
	       d->boot_id[0] && ready_is_watched(d->endpoints);
}

static void seen_from(const struct inputs *in, const struct report_pod *p, const struct report_doc *d,
		      struct ready_seen *s)
{
	uint64_t unanswered = 0;

	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (i != OUTCOME_OK && i != OUTCOME_HTTP_ERROR && i != OUTCOME_ABORTED && i != OUTCOME_REDIRECTED)
			unanswered += p->outcomes[i];
	*s = (struct ready_seen){
		.namespace = strdup(p->namespace),
		.name = strdup(p->workload[0] ? p->workload
			       : p->other     ? "other"
					      : p->cgroup),
		/* a cgroup that is no service of the node: a container whose pod is not known */
		.nameless =
		    p->other || (!p->workload[0] && (strstr(p->cgroup, "kubepods") || strstr(p->cgroup, "cgroup:"))),
		.may_be_ec2 = !p->providers || (p->providers & (1u << PROVIDER_EC2 | 1u << PROVIDER_OTHER)),
		.required_hop_limit = p->required_hop_limit,
		.v1 = p->v1_requests,
		.v1_answered = p->v1_answered,
		.v1_credentials = p->v1_credentials,
		.v2 = p->v2_requests,
		.others =
		    p->requests > p->v1_requests + p->v2_requests ? p->requests - p->v1_requests - p->v2_requests : 0,
		.tokens = p->token_requests,
		.tokens_answered = p->token_answered,
		.unanswered = unanswered,
		.active_hours = is_in(in, d), /* it asked once at least, nobody knows when */
		.first_s = (uint64_t)d->started_s,
		.last_s = (uint64_t)(d->started_s + d->duration_s),
	};
}

static int node_from(const struct inputs *in, const struct report_doc *d, struct ready_node *n)
{
	size_t hours = (in->to_s - in->from_s) / HOUR;
	uint64_t from_s = (uint64_t)d->started_s, to_s = (uint64_t)(d->started_s + d->duration_s) + 1;
	bool whole = is_whole(d);

	from_s = from_s < in->from_s ? in->from_s : from_s < in->to_s ? from_s : in->to_s;
	to_s = to_s < from_s ? from_s : to_s < in->to_s ? to_s : in->to_s;
	*n = (struct ready_node){
		.name = strdup(d->node),
		.id = d->boot_id[0] ? strdup(d->boot_id) : NULL,
		.from_s = from_s,
		.to_s = to_s,
		.heard = (from_s - in->from_s) / HOUR,
		.unowned = d->unowned,
		.hours = calloc(hours + 1, sizeof(*n->hours)),
		.seen = calloc(d->pods_len + 1, sizeof(*n->seen)),
		.lossy = !whole,
	};
	if (!n->hours || !n->seen || !n->name || (d->boot_id[0] && !n->id))
		return -1;
	if (whole)
		fill_hours(in, d, n->hours);
	for (size_t i = 0; i < d->pods_len; i++)
		if (d->pods[i].requests) {
			struct ready_seen *s = &n->seen[n->seen_len++];

			seen_from(in, &d->pods[i], d, s);
			if (!s->namespace || !s->name)
				return -1;
		}
	return 0;
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
		if (!err && node_from(in, &doc, n)) {
			snprintf(msg, sizeof(msg), "out of memory");
			ledger_free_node(n);
			err = -1;
		}
		report_input_clear(&doc);
	}
	if (!err) {
		in->len++;
		return;
	}
	session_log("skipped '%s': %s", path, msg);
	in->skipped++;
}

static void free_inputs(struct inputs *in)
{
	for (size_t i = 0; i < in->len; i++)
		ledger_free_node(&in->nodes[i]);
	free(in->nodes);
}

static int print(const struct options *o, const struct ready *r)
{
	FILE *out = session_open_output(o, true);
	struct text_options text;
	int err = 0;

	if (!out)
		return -1;
	if (o->format == FORMAT_JSON) {
		err = json_print(json_ready(r, IMDSNOOP_VERSION), true, out);
	} else {
		text = session_text_options(o, out);
		text_ready(out, r, &text);
	}
	return session_close_output(o, out, err);
}

int cmd_ready(const struct options *o)
{
	struct ready_question q = {
		.hop_limit = o->what_if ? o->what_if_hop_limit : 1,
		.tokens_required = o->what_if ? o->what_if_tokens_required : true,
		.endpoint_off = o->what_if_endpoint_off,
		.role_delivery = o->what_if_role_delivery,
	};
	size_t max = o->files_len + 1;
	struct inputs in = {
		.nodes = calloc(max, sizeof(*in.nodes)),
		.to_s = (uint64_t)time(NULL) / HOUR * HOUR + HOUR,
	};
	int code = EXIT_CANNOT_RUN;
	struct ready r;

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
		session_log("nothing to judge from");
		goto out;
	}
	if (ready_judge(&q, in.nodes, in.len, in.from_s, in.to_s, &r)) {
		session_log("out of memory");
		goto out;
	}
	if (!print(o, &r) && !in.skipped)
		code = o->exit_code && (r.counts[READY_SAFE] != r.rows_len || !r.rows_len) ? o->exit_code : EXIT_FINE;
	ready_clear(&r);
out:
	free_inputs(&in);
	return code;
}
