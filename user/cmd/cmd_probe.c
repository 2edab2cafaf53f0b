/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe: asks for a token now, from inside each chosen pod's network namespace, one after the other. The tracer watches
 * the probe's own sockets, found by their cookies; where it may not run, the socket alone tells, and proves less.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "../model/findings.h"
#include "../model/verdict.h"
#include "../net/probe.h"
#include "../view/json.h"
#include "command.h"
#include "session.h"

#define MS 1000000ull
#define GRACE_MS 2000			/* for its child to start and to report */
#define RECORD_MS 500			/* for the kernel's record of it */
#define RECORD_HELD_MS 2500		/* longer than a session without drops holds a silent one back */
#define REPEAT_MS 1000			/* --watch */
#define TARGETS_MAX 4096

struct answer {
	struct request r;		/* who and strings are filled in when it is shown */
	struct probe_result raw;
	int err;			/* not 0: could not ask */
	char reason[32], location[64];
};

struct target {				/* one network namespace */
	struct pod_identity who;
	char *names;			/* what who points to */
	dev_t dev;
	ino_t ino;
	bool host;
	unsigned int also;		/* containers of other pods that share it: of those, the first by name speaks */
	unsigned int round;
	bool shown;
	struct answer *now;
	struct {
		enum outcome outcome;
		enum confidence confidence;
		int required, err;
		uint16_t status;
		char uid[40];		/* a namespace's number may be used again */
	} state;			/* as shown last */
};

struct run {
	const struct options *o;
	struct options session_options;
	struct session *session;	/* NULL: nobody may watch */
	struct event_base *base;
	struct event *timer, *signals[2];
	struct pod_names *names;
	int cgroup_fd;
	char below[PATH_MAX];		/* cgroups to choose from, relative to the mount; "" all */
	struct imds_endpoint endpoints[2];
	size_t endpoints_len;
	struct target *targets;
	size_t len;
	size_t over, hidden;		/* over TARGETS_MAX; without a process that we may look at */
	int hidden_err;
	unsigned int round;
	struct stat own_netns;
	struct text_options text;
	FILE *out;
	const char *node;
	bool stop, failed;
	int write_err;			/* of the first write that failed */
	/* of this round: the node's own network got no token; how far off others got one, -1: none, INT_MAX: unknown */
	bool host_silent;
	int token_hops;
	uint64_t end_ns;		/* --duration; 0: none */
	/* the probe that runs */
	bool ready, have_record;
	uint64_t cookie;		/* 0: not known yet */
	struct answer *current;
	struct request *early;		/* records that came before the cookie was known */
	size_t early_len;
};

/* --- event loop -------------------------------------------------------------------------------------------------- */

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	event_base_loopbreak(run->base);
}

static void on_nothing(evutil_socket_t fd, short what, void *arg)
{
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	run->ready = true;
}

/* Runs events until *done, the time, or the end of all. */
static void pump(struct run *run, uint64_t ms, const bool *done)
{
	uint64_t now_ns = session_now_ns(), until_ns = now_ns + ms * MS;

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

#define EARLY_MAX 256

static void take_record(struct run *run, const struct request *r)
{
	struct answer *a = run->current;

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
static void on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	struct run *run = arg;

	if (!run->current)
		return;
	if (run->cookie && r->rec.peer.cookie == run->cookie)
		take_record(run, r);
	else if (!run->cookie)
		run->early[run->early_len++ % EARLY_MAX] = *r;	/* reason and location stay valid: drop_reason.h */
}

static void find_early(struct run *run)
{
	size_t n = run->early_len < EARLY_MAX ? run->early_len : EARLY_MAX;

	for (size_t i = 0; i < n; i++)
		if (run->early[i].rec.peer.cookie == run->cookie)
			take_record(run, &run->early[i]);
}

/* --- targets ----------------------------------------------------------------------------------------------------- */

static int keep_identity(struct target *t, const struct pod_identity *who)
{
	const char *from[] = { who->namespace, who->pod, who->container, who->pod_uid, who->container_id, who->cgroup };
	const char **to[] = { &t->who.namespace, &t->who.pod, &t->who.container, &t->who.pod_uid, &t->who.container_id,
			      &t->who.cgroup };
	size_t len = 0, n;
	char *names;

	for (size_t i = 0; i < 6; i++)
		len += strlen(from[i]) + 1;
	names = malloc(len);
	if (!names)
		return -ENOMEM;
	free(t->names);
	t->names = names;
	t->who.cgroup_id = who->cgroup_id;
	for (size_t i = 0; i < 6; i++) {
		n = strlen(from[i]) + 1;
		*to[i] = memcpy(names, from[i], n);
		names += n;
	}
	return 0;
}

static bool is_below(const struct run *run, const char *cgroup)
{
	size_t len = strlen(run->below);

	return !len || (!strncmp(cgroup, run->below, len) && (cgroup[len] == '/' || !cgroup[len]));
}

static struct target *target_find(struct run *run, const struct stat *netns)
{
	for (size_t i = 0; i < run->len; i++)
		if (run->targets[i].ino == netns->st_ino && run->targets[i].dev == netns->st_dev)
			return &run->targets[i];
	return NULL;
}

static int compare(const struct pod_identity *a, const struct pod_identity *b)
{
	int d = strcmp(a->namespace, b->namespace);

	d = d ? d : strcmp(a->pod, b->pod);
	/* a pod's pause container has no name: last */
	d = d ? d : !a->container[0] - !b->container[0];
	d = d ? d : strcmp(a->container, b->container);
	return d ? d : strcmp(a->cgroup, b->cgroup);
}

static int on_pod(void *arg, const struct pod_identity *who)
{
	const struct pod_stats selected = { .who = *who };
	struct run *run = arg;
	struct stat netns;
	struct target *t;
	bool first;
	int fd;

	if (!is_below(run, who->cgroup) || !session_selects_pod(&run->session_options, &selected))
		return 0;
	fd = probe_open_netns(run->cgroup_fd, who->cgroup);
	if (fd < 0 || fstat(fd, &netns)) {
		if (fd >= 0)
			close(fd);
		else if (fd != -ESRCH) {		/* else nothing runs there */
			run->hidden++;
			run->hidden_err = fd;
		}
		return 0;
	}
	close(fd);
	t = target_find(run, &netns);
	if (!t) {
		if (run->len == TARGETS_MAX) {
			run->over++;
			return 0;
		}
		t = &run->targets[run->len++];
		*t = (struct target){ .dev = netns.st_dev, .ino = netns.st_ino };
		t->host = netns.st_ino == run->own_netns.st_ino && netns.st_dev == run->own_netns.st_dev;
	}
	first = t->round != run->round;
	t->round = run->round;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): rounds begin at 1, so a new target is a first one */
	t->also = first ? 0 : t->also + !!strcmp(t->who.pod_uid, who->pod_uid);
	return first || compare(who, &t->who) < 0 ? keep_identity(t, who) : 0;
}

static int by_name(const void *a, const void *b)
{
	return compare(&((const struct target *)a)->who, &((const struct target *)b)->who);
}

static void target_clear(struct target *t)
{
	free(t->names);
	free(t->now);
}

static void show_gone(struct run *run, const struct target *t);

static int find_targets(struct run *run)
{
	size_t kept = 0;
	int err;

	run->round++;
	run->over = run->hidden = 0;
	err = pod_names_for_each(run->names, session_now_ns(), on_pod, run);
	if (err)
		return err;
	for (size_t i = 0; i < run->len; i++) {
		struct target *t = &run->targets[i];

		if (t->round == run->round) {
			run->targets[kept++] = *t;
			continue;
		}
		if (t->shown)
			show_gone(run, t);
		target_clear(t);
	}
	run->len = kept;
	qsort(run->targets, run->len, sizeof(*run->targets), by_name);
	return 0;
}

/* --- one probe --------------------------------------------------------------------------------------------------- */

/* So that silence means that nothing died on this node. */
static bool drops_watched(struct run *run)
{
	const struct snapshot *s = run->session ? session_snapshot(run->session, false) : NULL;

	return s && s->drops_watched;
}

static int ask_in(struct run *run, struct target *t, int netns_fd)
{
	struct event *event = NULL;
	struct answer *a = t->now;
	unsigned int wait_ms = run->o->stall_ns / MS;
	pid_t pid;
	int fd, err;

	run->ready = run->have_record = false;
	run->cookie = run->early_len = 0;
	fd = probe_start(netns_fd, run->endpoints, run->endpoints_len, wait_ms, &pid);
	if (fd < 0)
		return fd;
	event = event_new(run->base, fd, EV_READ, on_ready, run);
	if (event && !event_add(event, NULL))
		pump(run, wait_ms + GRACE_MS, &run->ready);
	if (event)
		event_free(event);
	err = probe_finish(fd, pid, &a->raw);
	if (err || a->raw.step == PROBE_ENTER)
		return err ? err : a->raw.err;
	run->cookie = a->raw.cookie;
	find_early(run);
	if (run->session && !run->have_record && !a->raw.refused_at_once)
		pump(run, drops_watched(run) || a->raw.status ? RECORD_MS : RECORD_HELD_MS, &run->have_record);
	if (run->have_record && (a->raw.step != PROBE_DONE || a->r.rec.req.end == IMDS_END_ANSWERED))
		return 0;
	/* not seen, or not what the socket itself knows better */
	a->r = (struct request){ .hops = -1, .judged_ns = session_now_ns(), .drops_watched = false };
	a->reason[0] = a->location[0] = '\0';
	probe_record(&a->raw, &run->endpoints[a->raw.endpoint], t->host, &a->r.rec);
	if (t->host) {
		a->r.hops = 0;
		a->r.required_hop_limit = 1;
		a->r.hops_source = HOPS_FROM_BASELINE;
	}
	return 0;
}

static void got_token(struct run *run, const struct target *t)
{
	int hops = t->host ? 0 : t->now->r.hops < 0 ? INT_MAX : t->now->r.hops;

	run->token_hops = hops > run->token_hops ? hops : run->token_hops;
}

/*
 * The namespace of a target's processes, as long as it is the one that the target stands for: a runtime moves a new
 * container into its cgroup first and into its network next, so it may seem to be in the node's own for a moment.
 */
static int open_target(struct run *run, const struct target *t)
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

static int ask(struct run *run, struct target *t)
{
	struct timespec wall;
	int fd, after;

	if (!t->now)
		t->now = malloc(sizeof(*t->now));
	if (!t->now)
		return -ENOMEM;
	*t->now = (struct answer){ .r = { .hops = -1 } };
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
	if (!t->now->err && t->now->raw.status / 100 == 2)
		got_token(run, t);
	else if (!t->now->err)
		run->host_silent |= t->host;
	return 0;
}

/*
 * Where nobody watched drops, silence is `likely` the hop limit only when nothing speaks against it: that the node
 * itself got no token, or that another pod, as far away as can be told, did.
 */
static void judge(struct run *run, struct target *t)
{
	struct answer *a = t->now;
	struct verdict_input in = {
		.rec = &a->r.rec,
		.endpoint = IMDS_EP_IMDS,
		.drop_reason = a->reason,
		.drop_location = a->location,
		.drops_watched = a->r.drops_watched,
		.others_answered = true,
		.token_contradiction = run->host_silent ||
				       (a->r.hops < 0 ? run->token_hops > 0 : run->token_hops >= a->r.hops),
		.hops = a->r.hops,
		.stall_ns = run->o->stall_ns / 2,
		.now_ns = a->r.rec.req.end_ns,
	};
	struct verdict v = verdict_judge(&in);

	a->r.outcome = v.outcome;
	a->r.confidence = v.confidence;
	/* what answers, but not with a token, is another thing in the service's place */
	if (v.outcome == OUTCOME_OK && a->r.rec.req.status / 100 != 2)
		a->r.outcome = OUTCOME_HTTP_ERROR;
	a->r.provider = verdict_provider(IMDS_EP_IMDS, a->r.rec.req.words, a->r.rec.req.kind);
	a->r.who = &t->who;
	a->r.node = run->node;
	a->r.drop_reason = a->reason;
	a->r.drop_location = a->location;
}

/* --- telling ----------------------------------------------------------------------------------------------------- */

static const char *not_asked(int err)
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

static void tell_why(const struct run *run, const struct answer *a, char *buf, size_t len)
{
	const struct request *r = &a->r;
	const struct imds_request *q = &r->rec.req;

	if (a->err) {
		snprintf(buf, len, "not asked: %s", not_asked(a->err));
		return;
	}
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
		snprintf(buf, len, "a packet filter drops its packets%s%s%s%s%s", a->location[0] ? " in " : "",
			 a->location, a->reason[0] ? " (" : "", a->reason, a->reason[0] ? ")" : "");
		break;
	case OUTCOME_REFUSED:
		snprintf(buf, len, a->raw.refused_at_once ? "no way there: %s" : "refused: %s", strerror(-a->raw.err));
		break;
	case OUTCOME_HTTP_ERROR:
		snprintf(buf, len, "answered %u instead of a token%s", q->status,
			 q->status == 403 ? ": the service is off for this instance" :
			 q->status == 404 || q->status == 405 ? ": not EC2, or something else in its place" : "");
		break;
	case OUTCOME_RESET:
		snprintf(buf, len, "the service cut the connection");
		break;
	default:
		snprintf(buf, len, r->rec.synack_ns ? "connected, but no answer within %g s" :
			 "cannot connect within %g s", run->o->stall_ns / 1e9);
	}
}

static size_t name_width(const struct run *run)
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

static void print_time(struct run *run, uint64_t wall_ns)
{
	time_t t = wall_ns / 1000000000;
	char buf[16] = "";
	struct tm tm;

	if (!run->o->watch)
		return;
	if (wall_ns && localtime_r(&t, &tm))
		strftime(buf, sizeof(buf), "%H:%M:%S", &tm);
	fprintf(run->out, "%-8s ", wall_ns ? buf : "TIME");
}

static void print_name(struct run *run, const struct pod_identity *who)
{
	char subject[512], buf[1024];
	int width = name_width(run);

	text_escape(findings_subject(who, subject, sizeof(subject)), false, width, buf, sizeof(buf));
	fprintf(run->out, "%-*s ", width, buf);
}

static void print_header(struct run *run)
{
	print_time(run, 0);
	fprintf(run->out, "%-*s %-18s %4s %5s %3s %8s %8s  %s\n", (int)name_width(run), "POD", "RESULT", "HOPS",
		"NEEDS", "TTL", "CONNECT", "ANSWER", "WHY");
}

static void print_number(FILE *out, int width, int n, bool known)
{
	char buf[16] = "-";

	if (known)
		snprintf(buf, sizeof(buf), "%d", n);
	fprintf(out, " %*s", width, buf);
}

static void print_duration(FILE *out, int64_t us)
{
	char buf[32] = "-";

	if (us >= 0)
		findings_duration(us, buf, sizeof(buf));
	fprintf(out, " %8s", buf);
}

static void print_text(struct run *run, const struct target *t)
{
	static const char *const colors[] = { "\033[32m", "\033[33m", "\033[1;31m" };
	const struct request *r = &t->now->r;
	const char *confidence = confidence_word(r->confidence);
	int color = t->now->err ? 1 : r->outcome == OUTCOME_OK ? 0 : r->outcome == OUTCOME_HOP_LIMIT ? 2 : 1;
	char word[40], why[256], buf[512];

	print_time(run, r->wall_ns);
	print_name(run, &t->who);
	snprintf(word, sizeof(word), "%s%s%s", t->now->err ? "unknown" : outcome_word(r->outcome),
		 confidence ? " " : "", confidence ? confidence : "");
	fprintf(run->out, "%s%-18s%s", run->text.color ? colors[color] : "", word, run->text.color ? "\033[0m" : "");
	print_number(run->out, 4, r->hops, r->hops >= 0);
	print_number(run->out, 5, r->required_hop_limit, r->required_hop_limit > 0);
	print_number(run->out, 3, r->rec.ttl_synack, r->rec.ttl_synack > 0);
	print_duration(run->out, t->now->err ? -1 : request_connect_us(r));
	print_duration(run->out, t->now->err ? -1 : request_first_byte_us(r));
	tell_why(run, t->now, why, sizeof(why));
	fprintf(run->out, "  %s", text_escape(why, run->text.utf8, 0, buf, sizeof(buf)));
	if (t->also)
		fprintf(run->out, " (also %u container%s of other pods)", t->also, t->also == 1 ? "" : "s");
	fputc('\n', run->out);
}

static void print_json(struct run *run, const struct target *t)
{
	/* of the probe itself, not of the pod */
	static const char *const not_ours[] = { "pid", "comm", "ancestors", "fallback", "facts" };
	const struct answer *a = t->now;
	json_t *v = json_request(&a->r, a->r.rec.req.end_ns, false);
	char why[256];

	tell_why(run, a, why, sizeof(why));
	for (size_t i = 0; v && i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
		json_object_del(v, not_ours[i]);
	if (v && (json_object_set_new(v, "type", json_string("probe")) ||
		  json_object_set_new(v, "asked", json_boolean(!a->err)) ||
		  (a->err && json_object_set_new(v, "outcome", json_null())) ||
		  json_object_set_new(v, "token", json_boolean(!a->err && a->r.outcome == OUTCOME_OK)) ||
		  json_object_set_new(v, "why", json_text(why)) ||
		  json_object_set_new(v, "host_network", json_boolean(t->host)) ||
		  json_object_set_new(v, "also", json_integer(t->also)))) {
		json_decref(v);
		v = NULL;
	}
	json_print(v, false, run->out);
}

static void flushed(struct run *run)
{
	errno = 0;
	if (!fflush(run->out) && !ferror(run->out))
		return;
	if (!run->write_err)
		run->write_err = errno ? -errno : -EIO;
	run->stop = true;		/* session_close_output() tells */
}

static void show_gone(struct run *run, const struct target *t)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	if (run->o->format == FORMAT_JSON) {
		char time_buf[32];

		json_print(json_pack("{s:s, s:s, s:o, s:o, s:o}", "type", "gone", "time",
				     json_time(wall.tv_sec * 1000000000ull + wall.tv_nsec, time_buf, sizeof(time_buf)),
				     "namespace", json_text(t->who.namespace), "pod", json_text(t->who.pod),
				     "pod_uid", json_text(t->who.pod_uid)), false, run->out);
	} else {
		print_time(run, wall.tv_sec * 1000000000ull + wall.tv_nsec);
		print_name(run, &t->who);
		fputs("gone\n", run->out);
	}
	flushed(run);
}

static void show(struct run *run, struct target *t)
{
	const struct answer *a = t->now;
	bool changed;

	if (!a->err)
		judge(run, t);
	else
		t->now->r = (struct request){ .hops = -1, .who = &t->who, .node = run->node, .drop_reason = "",
					      .drop_location = "", .wall_ns = a->r.wall_ns };
	changed = t->state.outcome != a->r.outcome || t->state.confidence != a->r.confidence ||
		  t->state.err != a->err || t->state.status != a->r.rec.req.status ||
		  (!t->host && strncmp(t->state.uid, t->who.pod_uid, 39)) ||
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

struct tally {
	size_t asked, without, unknown;
	int required;			/* of those that die of it */
	size_t outcomes[OUTCOME_COUNT];
};

static struct tally tally_of(const struct run *run)
{
	struct tally n = { .asked = 0 };

	for (size_t i = 0; i < run->len; i++) {
		const struct target *t = &run->targets[i];

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

static void print_end(struct run *run, const struct tally *n)
{
	json_t *outcomes;

	if (run->o->format == FORMAT_JSON) {
		outcomes = json_object();
		for (int i = 0; i < OUTCOME_COUNT; i++)
			if (n->outcomes[i])
				json_object_set_new(outcomes, outcome_word(i), json_integer(n->outcomes[i]));
		json_print(json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "type", "end", "asked", (json_int_t)n->asked,
				     "without_token", (json_int_t)n->without, "not_asked", (json_int_t)n->unknown,
				     "outcomes", outcomes, "required_hop_limit",
				     n->required ? json_integer(n->required) : json_null()), false, run->out);
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

/* --- life -------------------------------------------------------------------------------------------------------- */

static int choose_endpoints(struct run *run)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool have[2] = { false };

	for (size_t i = 0; i < run->o->endpoints_len; i++) {
		const struct imds_endpoint *e = &run->o->endpoints[i];
		bool v6 = memcmp(e->addr.b, mapped, sizeof(mapped));

		if (e->class != IMDS_EP_IMDS || have[v6])
			continue;
		have[v6] = true;
		run->endpoints[run->endpoints_len++] = *e;
	}
	return run->endpoints_len ? 0 : -EINVAL;
}

static int open_cgroups(struct run *run)
{
	char mount[256], given[PATH_MAX];
	int err = features_find_cgroup_v2(mount, sizeof(mount));
	size_t len = strlen(mount);

	if (err) {
		session_log("cannot find pods: no cgroup v2 mount here");
		return err;
	}
	run->cgroup_fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->cgroup_fd < 0) {
		err = -errno;
		session_log("cannot open '%s': %s", mount, strerror(-err));
		return err;
	}
	if (!run->o->cgroup)
		return 0;
	if (!realpath(run->o->cgroup, given)) {
		err = -errno;
		session_log("cannot open '%s': %s", run->o->cgroup, strerror(-err));
		return err;
	}
	if (strncmp(given, mount, len) || (given[len] && given[len] != '/')) {
		session_log("'%s' is not below the cgroup v2 mount '%s'", run->o->cgroup, mount);
		return -EINVAL;
	}
	snprintf(run->below, sizeof(run->below), "%s", given[len] ? given + len + 1 : "");
	return 0;
}

/*
 * Attached to the whole tree, as the sockets are in the cgroup of this process. Without the right to, or on a kernel
 * that cannot, the probe goes on with less: session_new() has told why.
 */
static int start_loop(struct run *run)
{
	static const int signals[2] = { SIGINT, SIGTERM };
	const struct session_callbacks cb = { .on_request = on_request, .arg = run };

	run->session = session_new(&run->session_options, &cb);
	if (run->session) {
		run->base = session_base(run->session);
	} else {
		session_log("probing without hooks: TTLs stay unknown, and a hop limit can be suspected, not proven");
		run->base = event_base_new();
		for (int i = 0; run->base && i < 2; i++) {
			run->signals[i] = evsignal_new(run->base, signals[i], on_stop, run);
			if (run->signals[i])
				event_add(run->signals[i], NULL);
		}
	}
	run->timer = run->base ? evtimer_new(run->base, on_nothing, run) : NULL;
	return run->timer ? 0 : -ENOMEM;
}

static int start(struct run *run)
{
	const struct options *o = run->o;
	struct pod_names_options names = {
		.pod_logs = o->pod_logs, .container_logs = o->container_logs, .max_entries = (size_t)o->max_pods * 8,
	};
	int err = open_cgroups(run);

	if (err)
		return err;
	run->session_options = *o;
	run->session_options.cgroup = NULL;
	run->session_options.duration_ns = 0;
	run->targets = calloc(TARGETS_MAX, sizeof(*run->targets));
	run->early = calloc(EARLY_MAX, sizeof(*run->early));
	if (!run->targets || !run->early || stat("/proc/self/ns/net", &run->own_netns)) {
		session_log("out of memory, or no /proc");
		return -ENOMEM;
	}
	names.cgroup_fd = run->cgroup_fd;
	err = pod_names_new(&names, &run->names);
	if (err)
		session_log("cannot read the cgroup tree: %s", strerror(-err));
	return err;
}

static void announce(const struct run *run)
{
	char addr[OPTIONS_ENDPOINT_TEXT], other[OPTIONS_ENDPOINT_TEXT];

	if (run->o->quiet)
		return;
	options_endpoint_text(&run->endpoints[0], addr, sizeof(addr));
	options_endpoint_text(&run->endpoints[run->endpoints_len - 1], other, sizeof(other));
	session_log("sending one 'PUT /latest/api/token' (a token that lives 1 s, forgotten at once) to %s%s%s from "
		    "inside %zu network namespace%s, one at a time, at most %g s each%s",
		    addr, run->endpoints_len > 1 ? ", or without a route to it " : "",
		    run->endpoints_len > 1 ? other : "", run->len, run->len == 1 ? "" : "s", run->o->stall_ns / 1e9,
		    run->o->watch ? ", again every second until Ctrl-C" : "");
}

static void one_round(struct run *run)
{
	bool at_once = drops_watched(run);
	size_t asked = 0;

	run->host_silent = false;
	run->token_hops = -1;
	for (; asked < run->len && !run->stop; asked++) {
		if (ask(run, &run->targets[asked])) {
			run->failed = run->stop = true;
			break;
		}
		if (at_once && !run->stop)
			show(run, &run->targets[asked]);
	}
	/* without proof, a later answer may speak against an earlier suspicion */
	for (size_t i = 0; !at_once && !run->stop && i < asked; i++)
		show(run, &run->targets[i]);
}

static int probe(struct run *run)
{
	const bool never = false;
	struct tally n;

	if (find_targets(run)) {
		session_log("out of memory");
		return EXIT_CANNOT_RUN;
	}
	if (run->hidden)
		session_log("%zu containers left out: %s", run->hidden, not_asked(run->hidden_err));
	if (run->over)
		session_log("%zu containers left out: more than %d network namespaces", run->over, TARGETS_MAX);
	if (!run->len && !run->o->watch) {
		session_log("no running pod matches: nothing was sent");
		return EXIT_CANNOT_RUN;
	}
	announce(run);
	if (start_loop(run)) {
		session_log("cannot start the event loop");
		return EXIT_CANNOT_RUN;
	}
	if (run->o->duration_ns)
		run->end_ns = session_now_ns() + run->o->duration_ns;
	if (run->o->format == FORMAT_JSON)
		json_print(json_pack("{s:s, s:s, s:s, s:I, s:b}", "type", "start", "version", IMDSNOOP_VERSION,
				     "node", run->node, "namespaces", (json_int_t)run->len, "watched",
				     run->session != NULL),
			   false, run->out);
	else
		print_header(run);
	flushed(run);
	while (!run->stop) {
		uint64_t started_ns = session_now_ns(), took_ms;

		one_round(run);
		if (!run->o->watch)
			break;
		took_ms = (session_now_ns() - started_ns) / MS;
		pump(run, took_ms < REPEAT_MS ? REPEAT_MS - took_ms : 1, &never);
		if (!run->stop && find_targets(run))
			run->failed = run->stop = true;
	}
	n = tally_of(run);
	print_end(run, &n);
	if (run->failed)
		return EXIT_CANNOT_RUN;
	if (run->o->exit_code && n.without)
		return EXIT_FINDINGS;
	return n.unknown && !run->o->watch ? EXIT_CANNOT_RUN : EXIT_FINE;
}

int cmd_probe(const struct options *o)
{
	struct run *run;
	char node[256];
	int code = EXIT_CANNOT_RUN;

	if (!o->all && !o->namespace && !o->pod && !o->container) {
		session_log("which pods? give --namespace, --pod or --container, or --all for every pod on this node");
		return EXIT_USAGE;
	}
	run = calloc(1, sizeof(*run));
	if (!run) {
		session_log("out of memory");
		return EXIT_CANNOT_RUN;
	}
	run->o = o;
	run->cgroup_fd = -1;
	run->node = options_node(o, node, sizeof(node));
	if (choose_endpoints(run)) {
		session_log("probe asks 169.254.169.254 and fd00:ec2::254 only: no such --endpoint was given");
		code = EXIT_USAGE;
	} else if (!start(run)) {
		run->out = session_open_output(o);
		if (run->out) {
			run->text = session_text_options(o, run->out);
			code = probe(run);
			if (session_close_output(o, run->out, run->write_err))
				code = EXIT_CANNOT_RUN;
		}
	}
	for (size_t i = 0; i < run->len; i++)
		target_clear(&run->targets[i]);
	for (int i = 0; i < 2; i++)
		if (run->signals[i])
			event_free(run->signals[i]);
	if (run->timer)
		event_free(run->timer);
	if (run->session)
		session_free(run->session);
	else if (run->base)
		event_base_free(run->base);
	pod_names_free(run->names);
	if (run->cgroup_fd >= 0)
		close(run->cgroup_fd);
	free(run->targets);
	free(run->early);
	free(run);
	return code;
}
