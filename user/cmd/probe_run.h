/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the probe command share: one run of it, its targets and their answers. */
#ifndef IMDSNOOP_PROBE_RUN_H
#define IMDSNOOP_PROBE_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../net/probe.h"
#include "../pods/pod_names.h"
#include "../session/session.h"
#include "../view/json.h"

struct event; /* libevent */

#define NS_PER_MS 1000000ull
#define PROBE_TARGETS_MAX 4096
#define PROBE_EARLY_MAX 256 /* records kept until the cookie is known; the newest ones */

struct target_answer {
	struct request r; /* who and strings are filled in when it is shown */
	struct probe_result raw;
	int err; /* not 0: could not ask */
	char reason[32], location[64];
};

struct probe_target { /* one network namespace */
	struct pod_identity who;
	dev_t dev;
	ino_t ino;
	bool host;
	unsigned int also; /* containers of other pods that share it: of those, the first by name speaks */
	unsigned int round;
	bool shown;
	struct target_answer *now;
	struct {
		enum outcome outcome;
		enum confidence confidence;
		int required, err;
		uint16_t status;
		char uid[40]; /* a namespace's number may be used again */
	} state;	      /* as shown last */
};

struct probe_run {
	const struct options *o;
	struct options session_options;
	struct session *session; /* NULL: nobody may watch */
	struct event_base *base;
	struct event *timer, *signals[2];
	struct pod_names *names;
	int cgroup_fd;
	char below[PATH_MAX]; /* cgroups to choose from, relative to the mount; "" all */
	struct imds_endpoint endpoints[2];
	size_t endpoints_len;
	struct probe_target *targets;
	size_t len;
	size_t over, hidden; /* over PROBE_TARGETS_MAX; without a process that we may look at */
	int hidden_err;
	unsigned int round;
	struct stat own_netns;
	struct text_options text;
	FILE *out;
	const char *node;
	bool stop, failed;
	int write_err; /* of the first write that failed */
	/* of this round: the node's own network got no token; how far off others got one, -1: none, INT_MAX: unknown */
	bool host_silent;
	int token_hops;
	uint64_t end_ns; /* --duration; 0: none */
	/* the probe that runs */
	bool ready, have_record;
	uint64_t cookie; /* 0: not known yet */
	struct target_answer *current;
	struct request *early; /* records that came before the cookie was known */
	size_t early_len;
};

/* Of the targets, as shown last. */
struct probe_tally {
	size_t asked, without, unknown;
	int required; /* of those that die of it */
	size_t outcomes[OUTCOME_COUNT];
};

/* --- probe_targets.c ---------------------------------------------------------------------------------------------- */

/*
 * Begins a round: the namespaces of the chosen pods, sorted by name, into run->targets; those that are gone are told
 * and freed. Counts what is left out in run->over and run->hidden. Returns 0 or a negative errno.
 */
int probe_run_find_targets(struct probe_run *run);
void probe_target_clear(struct probe_target *t); /* frees what it points to */

/* --- probe_ask.c -------------------------------------------------------------------------------------------------- */

/* Runs events until *done, the time, or the end of all. */
void probe_run_pump(struct probe_run *run, uint64_t ms, const bool *done);

/* The session's callback, arg the run: takes the kernel's record of the probe that runs. */
void probe_run_on_request(void *arg, const struct request *r, uint64_t now_ns);

/* So that silence means that nothing died on this node. */
bool probe_run_drops_watched(struct probe_run *run);

/* Asks from inside t; what comes of it is in t->now, also when it could not ask. Returns 0 or -ENOMEM. */
int probe_target_ask(struct probe_run *run, struct probe_target *t);

/* Outcome and strings of t->now, which was asked; they are valid as long as t and run are. */
void probe_target_judge(struct probe_run *run, struct probe_target *t);

/* --- probe_show.c: to run->out, as --format says ------------------------------------------------------------------ */

/* Why there is no answer; err is negative. */
const char *probe_why_not_asked(int err);

/* As JSON, the caller's; NULL without memory. */
json_t *probe_json(const struct request *r, bool asked, const char *why);

void probe_show_start(struct probe_run *run);
/* Judges t->now, and shows it when it differs from what was shown last. */
void probe_target_show(struct probe_run *run, struct probe_target *t);
void probe_target_show_gone(struct probe_run *run, const struct probe_target *t);
struct probe_tally probe_tally_of(const struct probe_run *run);
void probe_show_end(struct probe_run *run, const struct probe_tally *n);

/* --- probe_self.c -------------------------------------------------------------------------------------------------- */

/* probe --self with the first of each family of the metadata service's addresses. Returns the exit code. */
int probe_self(const struct options *o, const struct imds_endpoint *endpoints, size_t len);

#endif
