/* SPDX-License-Identifier: GPL-2.0-only */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include <bpf/libbpf.h>

#include "../base/clock.h"
#include "../base/small.h"
#include "../report/findings.h"
#include "../kernel/netns.h"
#include "session_part.h"

#define TICK_MS 250
#define CGROUP_ROOT_INO 1 /* kernfs numbers a hierarchy's own root so (fs/kernfs/dir.c, 5.10 to 7.x) */
#define PAUSE_MS 20	  /* between two readings of the ring under load */

uint64_t session_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

struct event_base *session_base(struct session *s)
{
	return s->base;
}

/* What one connection lost is told by its own flags; what is lost to nobody in particular ends with that moment. */
static void watch_drops(struct session *s, uint64_t now_ns)
{
	const struct feature *f = features_find(&s->features, "drops");
	uint64_t missed = tracer_missed(s->tracer);

	pod_table_set_drops_watched(s->table, f && !strcmp(f->state, "ok"));
	if (missed != s->missed)
		pod_table_drops_lost(s->table, now_ns);
	s->missed = missed;
	if (!s->own_netns_is_hosts)
		s->own_netns_is_hosts = s->o->host_netns || netns_is_a_nodes(s->netns_fd);
}

static void read_done(struct session *s)
{
	if (s->cb.on_read)
		s->cb.on_read(s->cb.arg);
}

/*
 * The first record is read at once; then the ring is left alone for a moment and read in one go, until nothing came.
 * Being woken for each record costs more than the record, and costs the pod too: the kernel wakes only a reader that
 * had read all. A turn reads a bounded part: signals, timers and readers of reports have theirs before the next.
 */
static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };
	static const struct timeval at_once = { 0 };
	struct session *s = arg;
	bool more = false, any;

	session_watches(s, session_now_ns()); /* before what may have come of it is judged */
	any = tracer_consume(s->tracer, &more) > 0;
	read_done(s);
	if (any && !event_add(s->pause_event, more ? &at_once : &pause))
		return;
	event_add(s->ring_event, NULL);
}

static void share_one(void *arg, uint64_t cgroup_id)
{
	session_share(arg, cgroup_id);
}

/* Pods and containers that the tree scan met: at the start, and those whose record was lost. */
static void share_all(struct session *s)
{
	struct pod_names_stats names;

	pod_names_get_stats(s->names, &names);
	if (s->last_rescans == names.rescans + 1)
		return;
	s->last_rescans = names.rescans + 1;
	pod_names_each_owner(s->names, share_one, s);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now_ns = session_now_ns();
	struct session *s = arg;

	watch_drops(s, now_ns);
	if (session_watches(s, now_ns))
		session_sweep(s, false, now_ns);
	share_all(s);
	if (s->held_len)
		session_release_held(s, now_ns, false);
	session_copies_write(s, now_ns, false);
	pod_names_expire(s->names, now_ns, SESSION_GONE_NS); /* also looks for names of newborn pods: on each tick */
	if (now_ns - s->last_names_ns > SESSION_GONE_NS / 10) {
		s->last_names_ns = now_ns;
		if (!strcmp(s->o->command->name, "serve"))
			session_forget_gone(s);
	}
	if (s->cb.on_tick)
		s->cb.on_tick(s->cb.arg, now_ns);
	read_done(s);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	s->terminated |= fd == SIGTERM;
	session_stop(s);
}

void session_stop(struct session *s)
{
	s->stopped = true;
	event_base_loopbreak(s->base);
}

/* libbpf's words: one level lower, only with -v; with -vv the debug ones too. */
static int verbosity;

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (verbosity < 1 || (level == LIBBPF_DEBUG && verbosity < 2))
		return 0;
	return vfprintf(stderr, format, args);
}

/* Reasons suffice where there are any: reading the kernel's symbols takes a moment. */
static struct tracer_places forward_places(struct session *s)
{
	static const char *const functions[2] = { "ip_forward", "ip6_forward" };
	struct tracer_places p = { 0 };
	uint32_t number;

	drop_reasons_number(s->reasons, "IP_INHDR", &p.reason_ttl);
	drop_reasons_number(s->reasons, "TC_INGRESS", &p.reason_tc_ingress);
	/* ip_forward() gives its reasons since 5.19, which brought this one too; before, IP_INHDR is for bad headers only */
	for (int i = 0; i < 2 && drop_reasons_number(s->reasons, "PKT_TOO_BIG", &number); i++)
		drop_reasons_function(s->reasons, functions[i], &p.functions[i][0], &p.functions[i][1]);
	return p;
}

/* The path of the folder that is watched, below that of the whole tree, into buf: "" for that itself. */
static const char *watched_below(const struct session *s, char buf[PATH_MAX])
{
	char top[PATH_MAX];
	size_t len;

	if (!s->o->cgroup || !realpath(s->o->cgroup, buf) || !realpath(s->features.cgroup_v2, top))
		return "";
	len = strlen(top);
	return !strncmp(buf, top, len) && buf[len] == '/' ? buf + len + 1 : "";
}

static uint32_t folders_of(const char *path)
{
	uint32_t n = *path != '\0';

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static int find_features(struct session *s)
{
	const struct features_options o = {
		.cgroup = s->o->cgroup,
		.pod_logs = s->o->pod_logs,
		.container_logs = s->o->container_logs,
		.no_drops = s->o->no_drops,
		.no_process = s->o->no_process,
	};
	const struct feature *worst = NULL;
	int err = features_probe(&o, &s->features);

	if (!err) {
		err = drop_reasons_new(s->features.btf, NULL, &s->reasons);
		features_free_btf(&s->features);
		if (err)
			session_log("out of memory");
		return err;
	}
	for (size_t i = 0; i < s->features.rows_len && !worst; i++)
		if (!strcmp(s->features.rows[i].state, "missing") && s->features.rows[i].why[0])
			worst = &s->features.rows[i];
	session_log("cannot watch: %s", worst ? worst->why : strerror(-err));
	return err;
}

static int open_names(struct session *s)
{
	struct pod_names_options o = {
		.pod_logs = s->o->pod_logs,
		.container_logs = s->o->container_logs,
		.runtime_dirs = s->o->runtime_dirs,
		.max_entries = (size_t)s->o->max_pods * 8,
		.node = s->node,
	};
	char watched[PATH_MAX];
	struct stat st;
	int err;

	s->cgroup_fd = open(s->features.cgroup_v2, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->cgroup_fd < 0) {
		err = -errno;
		session_log("cannot open '%s': %s", s->features.cgroup_v2, strerror(-err));
		return err;
	}
	o.cgroup_fd = s->cgroup_fd;
	/* the kernel gives paths from the hierarchy's root, which this mount's need not be (a cgroup namespace) */
	o.whole = !fstat(s->cgroup_fd, &st) && st.st_ino == CGROUP_ROOT_INO;
	if (o.whole)
		o.watched = watched_below(s, watched);
	err = pod_names_new(&o, &s->names);
	if (err)
		session_log("cannot read the cgroup tree '%s': %s", s->features.cgroup_v2, strerror(-err));
	return err;
}

static int attach(struct session *s)
{
	const struct options *o = s->o;
	const char *cgroup = o->cgroup ? o->cgroup : s->features.cgroup_v2;
	char watched[PATH_MAX];
	struct tracer_options to = {
		.endpoints = o->endpoints,
		.endpoints_len = o->endpoints_len,
		.max_flows = o->max_flows,
		.max_pods = o->max_pods,
		.drops = !o->no_drops,
		.process = !o->no_process,
		.names = true,
		.copies = o->pcapng,
		.host_netns = o->host_netns,
		.places = forward_places(s),
		.cgroup = cgroup,
		.depth = folders_of(watched_below(s, watched)),
	};
	struct record_callbacks cb = session_record_callbacks(s);
	char msg[512];
	int err = tracer_new(&to, &s->features, &cb, &s->tracer, msg, sizeof(msg));

	if (err)
		session_log("%s", msg);
	return err;
}

static int start(struct session *s)
{
	const struct pod_table_options table = options_pod_table(s->o);
	const struct feature *told;
	int err;

	s->node = options_node(s->o, s->node_buf, sizeof(s->node_buf));
	err = find_features(s);
	err = err ? err : open_names(s);
	if (err)
		return err;
	session_note_runtimes(&s->features, s->o->runtime_dirs);
	s->held = calloc(SESSION_HELD_MAX, sizeof(*s->held));
	if (!s->held || pod_table_new(&table, &s->table))
		goto memory;
	err = session_copies_open(s);
	err = err ? err : attach(s);
	if (err)
		return err;
	told = features_find(&s->features, "pcapng");
	if (told)
		session_log("the file of --pcapng will lack packets: %s", told->why);
	share_all(s);
	s->netns_fd = netns_open();
	if (session_open_answerers(s))
		goto memory;
	s->missed = tracer_missed(s->tracer);
	s->started_ns = session_now_ns();
	session_read_conntrack(s);
	watch_drops(s, s->started_ns);
	s->started_wall_ns = clock_ns(CLOCK_REALTIME);
	s->last_names_ns = s->started_ns;
	s->attached_ns = s->started_ns;
	return 0;
memory:
	session_log("out of memory");
	return -ENOMEM;
}

/*
 * A signal ends us within END_S even when the loop is stuck in a write to a terminal that was stopped: the clock that runs
 * then, SIGALRM, kills. Set around what libevent does with the signal. Who writes nothing until the end cannot be stuck so:
 * for a report it runs from where the loop is left.
 */
#define END_S 2
#define SLOW_TRIES 15 /* of END_S, on a machine that is slow */
static struct sigaction libevents[2];
static uint64_t worked_ns; /* processor time when the clock was set */

/*
 * Who waits for a reader takes no processor time, and its output takes no byte; else it is at work, or waits for the kernel
 * to let go of its programs, on a machine that has little for us.
 */
static void on_clock(int sig)
{
	static int tries;
	uint64_t now_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	bool worked = now_ns - worked_ns > END_S * 1000000000ull / 20;

	if (tries++ < SLOW_TRIES && (worked || (poll(&out, 1, 0) == 1 && out.revents & POLLOUT))) {
		worked_ns = now_ns;
		alarm(END_S);
		return;
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_signal(int sig)
{
	worked_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	alarm(END_S);
	libevents[sig == SIGTERM].sa_handler(sig);
}

static bool writes_as_it_goes(const struct session *s)
{
	return !strcmp(s->o->command->name, "trace") || !strcmp(s->o->command->name, "top");
}

static void guard_signals(const int signals[2])
{
	for (int i = 0; i < 2; i++) {
		struct sigaction ours;

		if (sigaction(signals[i], NULL, &libevents[i]) || (libevents[i].sa_flags & SA_SIGINFO))
			continue;
		ours = libevents[i];
		ours.sa_handler = on_signal;
		sigaction(signals[i], &ours, NULL);
	}
}

static int add_events(struct session *s)
{
	static const int signals[2] = { SIGINT, SIGTERM };
	struct timeval tick = { .tv_usec = TICK_MS * 1000 };

	s->base = event_base_new();
	if (!s->base)
		return -ENOMEM;
	s->ring_event = event_new(s->base, tracer_ring_fd(s->tracer), EV_READ, on_ring, s);
	s->pause_event = evtimer_new(s->base, on_ring, s);
	s->tick_event = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	if (!s->ring_event || !s->pause_event || !s->tick_event || event_add(s->ring_event, NULL) ||
	    event_add(s->tick_event, &tick))
		return -ENOMEM;
	for (int i = 0; i < 2; i++) {
		s->signals[i] = evsignal_new(s->base, signals[i], on_stop, s);
		if (!s->signals[i] || event_add(s->signals[i], NULL))
			return -ENOMEM;
	}
	if (strcmp(s->o->command->name, "top")) /* it has one of its own, which gives the terminal back */
		signal(SIGALRM, on_clock);
	if (writes_as_it_goes(s))
		guard_signals(signals);
	if (s->o->duration_ns) {
		struct timeval end = { .tv_sec = s->o->duration_ns / 1000000000,
				       .tv_usec = s->o->duration_ns / 1000 % 1000000 };

		s->duration_event = evtimer_new(s->base, on_stop, s);
		if (!s->duration_event || event_add(s->duration_event, &end))
			return -ENOMEM;
	}
	return 0;
}

struct session *session_new(const struct options *o, const struct session_callbacks *cb)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		session_log("out of memory");
		return NULL;
	}
	s->o = o;
	s->cb = *cb;
	s->cgroup_fd = -1;
	s->netns_fd = -1;
	verbosity = o->verbose;
	libbpf_set_print(print_libbpf);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write(2), told once */
	err = start(s);
	if (!err) {
		err = add_events(s);
		if (err)
			session_log("cannot start the event loop: %s", strerror(-err));
	}
	if (err) {
		session_free(s);
		return NULL;
	}
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	struct event *events[] = {
		s->ring_event, s->pause_event, s->tick_event, s->duration_event, s->signals[0], s->signals[1],
	};

	for (size_t i = 0; i < LEN(events); i++)
		if (events[i])
			event_free(events[i]);
	session_copies_close(s);
	tracer_free(s->tracer);
	findings_free(s->snapshot.findings, s->snapshot.findings_len);
	histogram_clear(&s->snapshot.totals.latency);
	pod_table_free(s->table);
	pod_names_free(s->names);
	drop_reasons_free(s->reasons);
	features_free_btf(&s->features);
	session_free_stalled(s);
	session_free_unowned(s);
	session_free_answerers(s); /* rows of the pod table pointed to them */
	session_free_counts(s);
	free(s->held);
	if (s->cgroup_fd >= 0)
		close(s->cgroup_fd);
	if (s->netns_fd >= 0)
		close(s->netns_fd);
	if (s->base)
		event_base_free(s->base);
	free(s);
}

int session_run(struct session *s)
{
	uint64_t now_ns;
	bool watches;
	int err;

	if (!s->stopped && event_base_dispatch(s->base) < 0)
		return -ECANCELED;
	/* from here on a signal ends us at once: the reader of a report may stand still */
	for (int i = 0; i < 2; i++)
		event_del(s->signals[i]);
	/* who presses Ctrl-C may read the report in a pager, page by page; a slow disk is no reader that stands still */
	if (!s->terminated || (s->o->output && !session_is_pipe(s->o->output)) || !strcmp(s->o->command->name, "serve"))
		alarm(0);
	else
		alarm(END_S); /* anew: what the loop took is not the reader's */
	worked_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	/* what the last tick did not see: held requests, and those that stalled since */
	now_ns = session_now_ns();
	watches = session_watches(s, now_ns);
	session_read_rest(s);
	session_release_held(s, now_ns, true);
	if (watches)
		session_sweep(s, true, now_ns);
	err = session_copies_close(s);
	return s->ended_blind ? -ENOLINK : err;
}
