/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One question of the probe command: the child that asks, the kernel's record of its socket, and what both together
 * mean.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "../model/cause.h"
#include "../model/verdict.h"
#include "probe_run.h"

#define GRACE_MS 2000	    /* for its child to start and to report */
#define RECORD_MS 500	    /* for the kernel's record of it */
#define RECORD_HELD_MS 2500 /* longer than a session without drops holds a silent one back */

/* --- event loop -------------------------------------------------------------------------------------------------- */

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct probe_run *run = arg;

	run->ready = true;
}

void probe_run_pump(struct probe_run *run, uint64_t ms, const bool *done)
{
	uint64_t now_ns = session_now_ns(), until_ns = now_ns + ms * NS_PER_MS;

	if (run->end_ns && until_ns > run->end_ns)
		until_ns = run->end_ns;
	while (!run->stop && !*done && (now_ns = session_now_ns()) < until_ns) {
		uint64_t left_us = (until_ns - now_ns) / 1000 + 1;
		struct timeval tv = { .tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000 };

		event_add(run->timer, &tv);
		if (event_base_loop(run->base, EVLOOP_ONCE) < 0 || event_base_got_break(run->base))
			run->stop = true;
	}
	if (run->end_ns && session_now_ns() >= run->end_ns)
		run->stop = true;
}

/* --- the kernel's record ----------------------------------------------------------------------------------------- */

static void take_record(struct probe_run *run, const struct request *r)
{
	struct target_answer *a = run->current;

	a->r = *r;
	snprintf(a->reason, sizeof(a->reason), "%s", r->drop_reason);
	snprintf(a->location, sizeof(a->location), "%s", r->drop_location);
	run->have_record = true;
	/* the session takes all probes for one pod's: without a TTL of its own, this one knows no distance */
	if (!r->rec.ttl_synack) {
		a->r.hops = -1;
		a->r.required_hop_limit = 0;
		a->r.hops_source = HOPS_UNKNOWN;
	}
}

/* Between the child's end and its result being read, the record comes first: those of this process are kept. */
void probe_run_on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	struct probe_run *run = arg;

	if (!run->current)
		return;
	if (run->cookie && r->rec.peer.cookie == run->cookie)
		take_record(run, r);
	else if (!run->cookie)
		run->early[run->early_len++ % PROBE_EARLY_MAX] = *r; /* reason, location stay valid: drop_reason.h */
}

static void find_early(struct probe_run *run)
{
	size_t n = run->early_len < PROBE_EARLY_MAX ? run->early_len : PROBE_EARLY_MAX;

	for (size_t i = 0; i < n; i++)
		if (run->early[i].rec.peer.cookie == run->cookie)
			take_record(run, &run->early[i]);
}

/* --- one probe --------------------------------------------------------------------------------------------------- */

bool probe_run_drops_watched(struct probe_run *run)
{
	const struct snapshot *s = run->session ? session_snapshot(run->session, false) : NULL;

	return s && s->drops_watched;
}

static int ask_in(struct probe_run *run, struct probe_target *t, int netns_fd)
{
	struct event *event = NULL;
	struct target_answer *a = t->now;
	unsigned int wait_ms = run->o->stall_ns / NS_PER_MS;
	pid_t pid;
	int fd, err;

	run->ready = run->have_record = false;
	run->cookie = run->early_len = 0;
	fd = probe_start(netns_fd, run->endpoints, run->endpoints_len, wait_ms, &pid);
	if (fd < 0)
		return fd;
	event = event_new(run->base, fd, EV_READ, on_ready, run);
	if (event && !event_add(event, NULL))
		probe_run_pump(run, wait_ms + GRACE_MS, &run->ready);
	if (event)
		event_free(event);
	err = probe_take(fd, pid, 0, &a->raw, sizeof(a->raw));
	if (err || a->raw.step == PROBE_ENTER)
		return err ? err : a->raw.err;
	run->cookie = a->raw.cookie;
	find_early(run);
	if (run->session && !run->have_record && !a->raw.refused_at_once)
		probe_run_pump(run, probe_run_drops_watched(run) || a->raw.status ? RECORD_MS : RECORD_HELD_MS,
			       &run->have_record);
	if (run->have_record && (a->raw.step != PROBE_DONE || a->r.rec.req.end == IMDS_END_ANSWERED))
		return 0;
	/* not seen, or not what the socket itself knows better */
	/* a record that is held back (a late answer may still die) must not turn silence into a likely death */
	a->r =
	    (struct request){ .hops = -1, .judged_ns = session_now_ns(), .drops_watched = probe_run_drops_watched(run) };
	a->reason[0] = a->location[0] = '\0';
	probe_record(&a->raw, &run->endpoints[a->raw.endpoint], t->host, &a->r.rec);
	if (t->host) {
		a->r.hops = 0;
		a->r.required_hop_limit = 1;
		a->r.hops_source = HOPS_FROM_BASELINE;
	}
	return 0;
}

static void got_token(struct probe_run *run, const struct probe_target *t)
{
	int hops = t->host ? 0 : t->now->r.hops < 0 ? INT_MAX : t->now->r.hops;

	run->token_hops = hops > run->token_hops ? hops : run->token_hops;
}

/*
 * The namespace of a target's processes, as long as it is the one that the target stands for: a runtime moves a new
 * container into its cgroup first and into its network next, so it may seem to be in the node's own for a moment.
 */
static int open_target(struct probe_run *run, const struct probe_target *t)
{
	int fd = probe_open_netns(run->cgroup_fd, t->who.cgroup);
	struct stat netns;

	if (fd < 0)
		return fd;
	if (!fstat(fd, &netns) && netns.st_ino == t->ino && netns.st_dev == t->dev)
		return fd;
	close(fd);
	return -ESTALE;
}

int probe_target_ask(struct probe_run *run, struct probe_target *t)
{
	struct timespec wall;
	int fd, after;

	if (!t->now)
		t->now = malloc(sizeof(*t->now));
	if (!t->now)
		return -ENOMEM;
	*t->now = (struct target_answer){ .r = { .hops = -1 } };
	clock_gettime(CLOCK_REALTIME, &wall);
	fd = open_target(run, t);
	run->current = t->now;
	t->now->err = fd < 0 ? fd : ask_in(run, t, fd);
	run->current = NULL;
	if (fd >= 0)
		close(fd);
	after = open_target(run, t);
	if (after >= 0)
		close(after);
	else if (after == -ESTALE)
		t->now->err = after;
	t->now->r.wall_ns = wall.tv_sec * 1000000000ull + wall.tv_nsec;
	if (!t->now->err && t->now->raw.token)
		got_token(run, t);
	else if (!t->now->err)
		run->host_silent |= t->host;
	return 0;
}

/*
 * Where nobody watched drops, silence is `likely` the hop limit only when nothing speaks against it: that the node
 * itself got no token, or that another pod, as far away as can be told, did.
 */
void probe_target_judge(struct probe_run *run, struct probe_target *t)
{
	struct target_answer *a = t->now;
	struct verdict_input in = {
		.rec = &a->r.rec,
		.endpoint = IMDS_EP_IMDS,
		.drop_reason = a->reason,
		.drop_location = a->location,
		.drops_watched = a->r.drops_watched,
		.others_answered = true,
		.token_contradiction =
		    run->host_silent || (a->r.hops < 0 ? run->token_hops > 0 : run->token_hops >= a->r.hops),
		.hops = a->r.hops,
		.stall_ns = run->o->stall_ns / 2,
		.now_ns = a->r.rec.req.end_ns,
	};
	struct verdict v = verdict_judge(&in);

	a->r.outcome = v.outcome;
	a->r.confidence = v.confidence;
	/* what answers, but not with a token, is another thing in the service's place */
	if (v.outcome == OUTCOME_OK && !a->raw.token)
		a->r.outcome = OUTCOME_HTTP_ERROR;
	a->r.provider = verdict_provider(IMDS_EP_IMDS, &a->r.rec.req);
	a->r.who = &t->who;
	a->r.node = run->node;
	a->r.drop_reason = a->reason;
	a->r.drop_location = a->location;
	cause_explain(&a->r);
}
