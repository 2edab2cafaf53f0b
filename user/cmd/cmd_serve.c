/* SPDX-License-Identifier: GPL-2.0-only */
/* serve: the long-running agent. Metrics, health, the report and the status page over HTTP, from one loop. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "../base/small.h"
#include "../report/ledger.h"
#include "../report/window.h"
#include "../net/http_server.h"
#include "../view/json.h"
#include "../view/prometheus.h"
#include "command.h"
#include "../session/privileges.h"
#include "../session/session.h"
#include "web_files.h"

#define READY_NS (3ull * 1000000000) /* a tick is due every 250 ms; a loop this late does not read */
#define FEED_NS 5000000000ull	     /* a fraction of the shipped unit's WatchdogSec */

struct agent {
	const struct options *o;
	struct session *session;
	struct http_server *http;
	struct window *window;
	struct workload_table *workloads;
	struct ledger *ledger; /* NULL without --state */
	bool ledger_failed;
	DIR *fds;			      /* /proc/self/fd: another user may not open it any more */
	uint64_t tick_ns;		      /* newest one */
	int notify;			      /* the service manager's socket, -1: none */
	uint64_t fed_ns;		      /* its watchdog */
	bool window_failed, workloads_failed; /* told once */
};

/* Each one is added to the workloads, so that no row leaves uncounted. */
static const struct snapshot *snapshot(struct agent *a)
{
	const struct snapshot *s = session_snapshot(a->session, false);

	if (s && workload_table_update(a->workloads, s) && !a->workloads_failed) {
		a->workloads_failed = true;
		session_log("no memory for the workloads: their figures are incomplete");
	}
	return s;
}

static void keep_ledger(struct agent *a, uint64_t now_ns)
{
	const struct snapshot *s = ledger_is_due(a->ledger, now_ns) ? snapshot(a) : NULL;
	int err;

	if (s)
		ledger_note(a->ledger, s);
	err = ledger_step(a->ledger, a->workloads);
	if (err && !a->ledger_failed)
		session_log("cannot write to '%s': %s; trying again each minute", a->o->state, strerror(-err));
	a->ledger_failed = err || (a->ledger_failed && !s);
}

static void on_tick(void *arg, uint64_t now_ns)
{
	struct agent *a = arg;
	const struct snapshot *s;

	a->tick_ns = now_ns;
	if (now_ns - a->fed_ns >= FEED_NS) {
		a->fed_ns = now_ns;
		privileges_notify(a->notify, "WATCHDOG=1");
	}
	if (a->ledger)
		keep_ledger(a, now_ns);
	if (!window_is_due(a->window, now_ns))
		return;
	s = snapshot(a);
	if ((!s || window_keep(a->window, s)) && !a->window_failed) {
		a->window_failed = true;
		session_log("no memory for the figures of the last minutes: ?since= is incomplete");
	}
}

/* --- routes ---------------------------------------------------------------------------------------------------------- */

static void fail(FILE *body, struct http_reply *reply, int status, const char *why)
{
	reply->status = status;
	fprintf(body, "%s\n", why);
}

static bool wants_openmetrics(const struct http_request *req)
{
	int openmetrics = http_quality(req->accept, "application/openmetrics-text");

	return openmetrics > 0 && openmetrics >= http_quality(req->accept, "text/plain");
}

static unsigned int metrics_key(const struct http_request *req, char key[HTTP_KEY_LEN])
{
	snprintf(key, HTTP_KEY_LEN, "%s", wants_openmetrics(req) ? "openmetrics" : "text");
	return 2;
}

static void on_metrics(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	struct agent *a = arg;
	const struct snapshot *s = snapshot(a);
	struct metrics_options metrics = {
		.level = (enum metrics_level)a->o->metrics,
		.openmetrics = wants_openmetrics(req),
		.workloads = a->workloads,
	};
	struct agent_stats stats = { .libbpf = libbpf_version_string() };

	if (!s) {
		fail(body, reply, 503, "no memory");
		return;
	}
	stats.tables_len = session_tables(a->session, stats.tables, LEN(stats.tables));
	stats.programs_len = session_programs(a->session, stats.programs, LEN(stats.programs));
	http_server_get_stats(a->http, &stats.http);
	prometheus_read_process(&stats, a->fds);
	reply->type = metrics.openmetrics ? PROMETHEUS_OPENMETRICS : PROMETHEUS_TEXT;
	metrics.observed_s = (double)(s->now_ns - s->started_ns - session_unwatched_ns(a->session, s->now_ns)) / 1e9;
	if (prometheus_write(body, s, &stats, &metrics))
		reply->status = 503;
}

static void on_health(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	fputs("ok\n", body); /* the loop answers, so it runs */
}

static void on_ready(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	struct agent *a = arg;

	if (session_is_blind(a->session))
		fail(body, reply, 503, "blind: our programs were detached");
	else if (!a->tick_ns || session_now_ns() - a->tick_ns > READY_NS)
		fail(body, reply, 503, "attached, but not reading");
	else
		fputs("attached and reading\n", body);
}

static void put_window(json_t *report, const struct snapshot *s, uint64_t since_s)
{
	uint64_t covered_ms;

	if (!report || !since_s)
		return;
	covered_ms = (s->now_ns - s->started_ns) / 1000000;
	/* without memory for it, duration_s still tells */
	json_object_set_new(report, "window",
			    json_pack("{s:I, s:f, s:i}", "asked_s", (json_int_t)since_s, "covered_s", covered_ms / 1e3,
				      "step_s", WINDOW_STEP_S));
}

/* ?since= in seconds, of whole steps, 0 without it. Returns 0 or -EINVAL. */
static int since_of(const struct http_request *req, uint64_t *ret_s)
{
	uint64_t since_ns = 0;
	char since[16];
	int err = http_query_value(req->query, "since", since, sizeof(since));

	*ret_s = 0;
	if (err == -ENOENT)
		return 0;
	if (err || options_parse_duration(since, &since_ns) || since_ns > WINDOW_MAX_S * 1000000000ull)
		return -EINVAL;
	*ret_s = (since_ns + WINDOW_STEP_S * 1000000000ull - 1) / (WINDOW_STEP_S * 1000000000ull) * WINDOW_STEP_S;
	return 0;
}

/* A window reaches back whole steps: as many keys, which no reader takes from another. */
static unsigned int report_key(const struct http_request *req, char key[HTTP_KEY_LEN])
{
	uint64_t since_s;

	if (since_of(req, &since_s))
		return 0;
	snprintf(key, HTTP_KEY_LEN, "%llu", (unsigned long long)since_s);
	return since_s ? WINDOW_STEPS - 1 : 1;
}

static void on_report(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	struct agent *a = arg;
	const struct snapshot *s = session_snapshot(a->session, false);
	struct snapshot recent = { .pods_len = 0 };
	uint64_t since_s;
	json_t *report;
	int err;

	if (since_of(req, &since_s)) {
		fail(body, reply, 400, "since must be a duration of at most 10m, like 5m or 90s");
		return;
	}
	err = s ? 0 : -ENOMEM;
	if (since_s && !err) {
		err = window_since(a->window, s, since_s, &recent);
		if (!err)
			s = &recent;
		else if (err == -ENOENT)
			err = 0;
	}
	report = err ? NULL : json_report(s);
	put_window(report, s, since_s);
	reply->type = "application/json";
	if (json_print(report, false, body)) {
		reply->type = "text/plain; charset=utf-8";
		fail(body, reply, 503, "no memory");
	}
	if (s == &recent)
		window_release(&recent);
}

static const char *type_of(const char *name)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
	};
	const char *end = strrchr(name, '.');

	for (size_t i = 0; end && i < LEN(types); i++)
		if (!strcmp(end, types[i][0]))
			return types[i][1];
	return "application/octet-stream";
}

static void on_file(void *arg, const struct http_request *req, FILE *body, struct http_reply *reply)
{
	const char *name = strcmp(req->path, "/") ? req->path + 1 : "index.html";

	for (size_t i = 0; web_files[i].name; i++) {
		if (strcmp(web_files[i].name, name))
			continue;
		fwrite(web_files[i].data, 1, web_files[i].len, body);
		reply->type = type_of(name);
		reply->asset = true;
		return;
	}
	fail(body, reply, 404, "not found");
}

/* clang-format off */
static const struct http_route routes[] = {
	{ "/healthz",	    on_health,	NULL,	     true },
	{ "/readyz",	    on_ready,	NULL,	     true },
	{ "/metrics",	    on_metrics, metrics_key, false },
	{ "/api/v1/report", on_report,	report_key,  false },
	{ "/",		    on_file,	NULL,	     false },
	{ "/app.css",	    on_file,	NULL,	     false },
	{ "/app.js",	    on_file,	NULL,	     false },
	{ "/icon.svg",	    on_file,	NULL,	     false },
	{ .path = NULL }
};
/* clang-format on */

/* --- life ------------------------------------------------------------------------------------------------------------ */

static int listen_on(struct agent *a)
{
	const struct options *o = a->o;
	const char *host = o->listen_path ? o->listen_path : o->listen_host;
	int err = http_server_new(session_base(a->session), host, o->listen_port, routes, a, &a->http);
	const char *v6 = strchr(o->listen_host, ':') ? "[" : "";

	if (err) {
		session_log("cannot listen on %s: %s", o->listen, strerror(-err));
		return err;
	}
	if (!o->quiet && o->listen_path)
		session_log("listening on %s", o->listen);
	else if (!o->quiet)
		session_log("listening on http://%s%s%s:%u/", v6, o->listen_host, *v6 ? "]" : "",
			    http_server_port(a->http));
	return 0;
}

/* Before rights are given up: nothing is opened afterwards. */
static int open_ledger(struct agent *a)
{
	const struct options *o = a->o;
	char msg[512], node[256];
	bool moved;
	int err;

	if (!o->state)
		return 0;
	err = ledger_open(o->state, options_node(o, node, sizeof(node)), &a->ledger, &moved, msg, sizeof(msg));
	if (err)
		session_log("%s", msg);
	else if (moved)
		session_log("the ledger in '%s' was damaged: moved to ledger.db.damaged, and begun anew", o->state);
	return err;
}

static int give_up_rights(const struct options *o)
{
	char runtimes[SESSION_RUNTIMES][SESSION_RUNTIME_PATH];
	const char *folders[2 + SESSION_RUNTIMES + 1] = { o->pod_logs, o->container_logs };
	const struct privileges_options p = { .user = o->drop_privileges, .folders = folders, .writes = o->state };
	char msg[256];
	int err;

	session_runtime_folders(o->runtime_dirs, runtimes, folders + 2);
	err = privileges_drop(&p, msg, sizeof(msg));

	if (err || !o->quiet)
		session_log("%s%s", err ? "" : "running as ", msg);
	return err;
}

int cmd_serve(const struct options *o)
{
	struct agent a = { .o = o, .notify = -1 };
	struct session_callbacks cb = { .on_tick = on_tick, .arg = &a };
	int code = EXIT_CANNOT_RUN;
	char memory[256];

	signal(SIGHUP, SIG_IGN); /* there is no file to read again */
	if (window_new(&a.window) || workload_table_new(o->max_workloads, o->state, &a.workloads)) {
		session_log("out of memory");
		goto out;
	}
	a.session = session_new(o, &cb);
	if (!a.session)
		goto out;
	if (!session_tell_memory(o, memory, sizeof(memory)) && !o->quiet)
		session_log("memory: %s", memory);
	malloc_trim(0); /* what reading the kernel's types took is not needed again */
	a.fds = opendir("/proc/self/fd");
	if (open_ledger(&a) || listen_on(&a))
		goto out;
	a.notify = privileges_notify_open();
	if (give_up_rights(o))
		goto out;
	privileges_notify(a.notify, "READY=1");
	if (!session_run(a.session))
		code = EXIT_FINE;
out:
	if (a.ledger && code == EXIT_FINE) {
		const struct snapshot *s = snapshot(&a);

		if (s)
			ledger_finish(a.ledger, a.workloads, s);
	}
	ledger_close(a.ledger);
	http_server_free(a.http);
	session_free(a.session);
	window_free(a.window);
	workload_table_free(a.workloads);
	if (a.fds)
		closedir(a.fds);
	if (a.notify >= 0)
		close(a.notify);
	return code;
}
