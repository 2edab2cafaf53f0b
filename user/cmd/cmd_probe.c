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
#include <unistd.h>

#include <event2/event.h>

#include "../base/address.h"
#include "../base/small.h"
#include "command.h"
#include "probe_run.h"

#define REPEAT_MS 1000 /* --watch */

static int choose_endpoints(struct probe_run *run)
{
	bool have[2] = { false };

	for (size_t i = 0; i < run->o->endpoints_len; i++) {
		const struct imds_endpoint *e = &run->o->endpoints[i];
		bool v6 = !address_is_v4(&e->addr);

		if ((e->class != IMDS_EP_IMDS && e->class != IMDS_EP_EC2) || have[v6])
			continue;
		have[v6] = true;
		run->endpoints[run->endpoints_len++] = *e;
	}
	return run->endpoints_len ? 0 : -EINVAL;
}

static int open_cgroups(struct probe_run *run)
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

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct probe_run *run = arg;

	event_base_loopbreak(run->base);
}

static void on_nothing(evutil_socket_t fd, short what, void *arg)
{
}

/*
 * Attached to the whole tree, as the sockets are in the cgroup of this process. Without the right to, or on a kernel
 * that cannot, the probe goes on with less: session_new() has told why.
 */
static int start_loop(struct probe_run *run)
{
	static const int signals[2] = { SIGINT, SIGTERM };
	const struct session_callbacks cb = { .on_request = probe_run_on_request, .arg = run };

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

static int start(struct probe_run *run)
{
	const struct options *o = run->o;
	struct pod_names_options names = {
		.pod_logs = o->pod_logs,
		.container_logs = o->container_logs,
		.runtime_dirs = o->runtime_dirs,
		.max_entries = (size_t)o->max_pods * 8,
	};
	int err = open_cgroups(run);

	if (err)
		return err;
	run->session_options = *o;
	run->session_options.cgroup = NULL;
	run->session_options.duration_ns = 0;
	run->targets = calloc(PROBE_TARGETS_MAX, sizeof(*run->targets));
	run->early = calloc(PROBE_EARLY_MAX, sizeof(*run->early));
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

static void announce(const struct probe_run *run)
{
	char addr[OPTIONS_ENDPOINT_TEXT], other[OPTIONS_ENDPOINT_TEXT];

	if (run->o->quiet)
		return;
	options_endpoint_text(&run->endpoints[0], addr, sizeof(addr));
	options_endpoint_text(&run->endpoints[run->endpoints_len - 1], other, sizeof(other));
	session_log("sending one 'PUT /latest/api/token' (a token that lives 1 s, forgotten at once) to %s%s%s from "
		    "inside %zu network namespace%s, one at a time, at most %g s each%s",
		    addr, run->endpoints_len > 1 ? ", or without a route to it " : "",
		    run->endpoints_len > 1 ? other : "", run->len, ENDING(run->len), run->o->stall_ns / 1e9,
		    run->o->watch ? ", again every second until Ctrl-C" : "");
}

static void one_round(struct probe_run *run)
{
	bool at_once = probe_run_drops_watched(run);
	size_t asked = 0;

	run->host_silent = false;
	run->token_hops = -1;
	for (; asked < run->len && !run->stop; asked++) {
		if (probe_target_ask(run, &run->targets[asked])) {
			run->failed = run->stop = true;
			break;
		}
		if (at_once && !run->stop)
			probe_target_show(run, &run->targets[asked]);
	}
	/* without proof, a later answer may speak against an earlier suspicion */
	for (size_t i = 0; !at_once && !run->stop && i < asked; i++)
		probe_target_show(run, &run->targets[i]);
}

static int probe(struct probe_run *run)
{
	const bool never = false;
	struct probe_tally n;

	if (probe_run_find_targets(run)) {
		session_log("out of memory");
		return EXIT_CANNOT_RUN;
	}
	if (run->hidden)
		session_log("%zu containers left out: %s", run->hidden, probe_why_not_asked(run->hidden_err));
	if (run->over)
		session_log("%zu containers left out: more than %d network namespaces", run->over, PROBE_TARGETS_MAX);
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
	probe_show_start(run);
	while (!run->stop) {
		uint64_t started_ns = session_now_ns(), took_ms;

		one_round(run);
		if (!run->o->watch)
			break;
		took_ms = (session_now_ns() - started_ns) / NS_PER_MS;
		probe_run_pump(run, took_ms < REPEAT_MS ? REPEAT_MS - took_ms : 1, &never);
		if (!run->stop && probe_run_find_targets(run))
			run->failed = run->stop = true;
	}
	n = probe_tally_of(run);
	probe_show_end(run, &n);
	if (run->failed)
		return EXIT_CANNOT_RUN;
	if (run->o->exit_code && n.without)
		return run->o->exit_code;
	return n.unknown && !run->o->watch ? EXIT_CANNOT_RUN : EXIT_FINE;
}

int cmd_probe(const struct options *o)
{
	struct probe_run *run;
	char node[256];
	int code = EXIT_CANNOT_RUN;

	if (!o->self && !o->all && !o->namespace && !o->pod && !o->container && !o->workload) {
		session_log("which pods? give --namespace, --pod, --workload or --container, --all for every pod on "
			    "this node, or --self to ask from here");
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
	} else if (o->self) {
		code = probe_self(o, run->endpoints, run->endpoints_len);
	} else if (!start(run)) {
		run->out = session_open_output(o, !o->watch);
		if (run->out) {
			run->text = session_text_options(o, run->out);
			code = probe(run);
			if (session_close_output(o, run->out, run->write_err))
				code = EXIT_CANNOT_RUN;
		}
	}
	for (size_t i = 0; i < run->len; i++)
		probe_target_clear(&run->targets[i]);
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
