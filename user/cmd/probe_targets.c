/* SPDX-License-Identifier: GPL-2.0-only */
/* The targets of the probe command: the network namespaces of the chosen pods, one for all that share it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe_run.h"

static int keep_identity(struct probe_target *t, const struct pod_identity *who)
{
	struct pod_identity fresh;
	int err = pod_identity_copy(&fresh, who);

	if (err)
		return err;
	free((char *)t->who.namespace);
	t->who = fresh;
	return 0;
}

static bool is_below(const struct probe_run *run, const char *cgroup)
{
	size_t len = strlen(run->below);

	return !len || (!strncmp(cgroup, run->below, len) && (cgroup[len] == '/' || !cgroup[len]));
}

static struct probe_target *target_find(struct probe_run *run, const struct stat *netns)
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
	struct probe_run *run = arg;
	struct stat netns;
	struct probe_target *t;
	bool first;
	int fd;

	if (!is_below(run, who->cgroup) || !session_selects_pod(&run->session_options, &selected))
		return 0;
	fd = probe_open_netns(run->cgroup_fd, who->cgroup);
	if (fd < 0 || fstat(fd, &netns)) {
		if (fd >= 0)
			close(fd);
		else if (fd != -ESRCH) { /* else nothing runs there */
			run->hidden++;
			run->hidden_err = fd;
		}
		return 0;
	}
	close(fd);
	t = target_find(run, &netns);
	if (!t) {
		if (run->len == PROBE_TARGETS_MAX) {
			run->over++;
			return 0;
		}
		t = &run->targets[run->len++];
		*t = (struct probe_target){ .dev = netns.st_dev, .ino = netns.st_ino };
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
	return compare(&((const struct probe_target *)a)->who, &((const struct probe_target *)b)->who);
}

void probe_target_clear(struct probe_target *t)
{
	free((char *)t->who.namespace);
	free(t->now);
}

int probe_run_find_targets(struct probe_run *run)
{
	size_t kept = 0;
	int err;

	run->round++;
	run->over = run->hidden = 0;
	err = pod_names_for_each(run->names, session_now_ns(), on_pod, run);
	if (err)
		return err;
	for (size_t i = 0; i < run->len; i++) {
		struct probe_target *t = &run->targets[i];

		if (t->round == run->round) {
			run->targets[kept++] = *t;
			continue;
		}
		if (t->shown)
			probe_target_show_gone(run, t);
		probe_target_clear(t);
	}
	run->len = kept;
	qsort(run->targets, run->len, sizeof(*run->targets), by_name);
	return 0;
}
