/* SPDX-License-Identifier: GPL-2.0-only */
/* Our programs at the hooks of the cgroup, and what to say and do when another tool takes them off. */
#include "session_part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TRY_NS 1000000000ull

static const char *folder(const struct session *s)
{
	return s->o->cgroup ? s->o->cgroup : s->features.cgroup_v2;
}

static bool folder_is_gone(const struct session *s)
{
	struct stat st;

	return stat(folder(s), &st) && errno == ENOENT;
}

static void note(struct session *s, const char *state, const char *why)
{
	features_note(&s->features, "cgroup_skb", state, why);
}

static void lost_sight(struct session *s, size_t links, uint64_t now_ns)
{
	const char *why = folder_is_gone(s) ? "its cgroup folder was removed" : "another tool detached our programs";

	s->detached_ns = s->blind_from_ns = s->attached_ns;
	s->blind_until_ns = UINT64_MAX;
	s->tried_ns = 0;
	s->fresh_until_ns = 0;
	note(s, "missing", why);
	session_log("blind since %.1f s: %s (%zu, of '%s')", (double)(now_ns - s->attached_ns) / 1e9, why, links,
		    folder(s));
}

static void sees_again(struct session *s, uint64_t now_ns)
{
	char why[96];

	s->unwatched_ns += now_ns - s->detached_ns;
	snprintf(why, sizeof(why), "was detached for %.1f s and is attached again",
		 (double)(now_ns - s->detached_ns) / 1e9);
	s->detached_ns = 0;
	s->blind_until_ns = now_ns;
	s->fresh_until_ns = 0;
	note(s, "ok", why);
	session_log("attached again: %.1f s were not watched", (double)s->unwatched_ns / 1e9);
}

/* Rights are given up by an agent: then a supervisor must start it again, and it waits so long that scrapes tell why. */
static void cannot_attach(struct session *s, int err, uint64_t now_ns)
{
	char why[160];

	if (!s->tried_ns) {
		snprintf(why, sizeof(why), "%s, and cannot be attached again: %s",
			 folder_is_gone(s) ? "its cgroup folder was removed" : "another tool detached our programs",
			 strerror(-err));
		note(s, "missing", why);
		session_log("cannot attach again: %s", strerror(-err));
	}
	if (now_ns - s->detached_ns < SESSION_BLIND_NS || s->ended_blind || strcmp(s->o->command->name, "serve"))
		return;
	session_log("blind for %.0f s: ending, so that a supervisor starts it anew", SESSION_BLIND_NS / 1e9);
	s->ended_blind = true;
	session_stop(s);
}

bool session_watches(struct session *s, uint64_t now_ns)
{
	size_t links = tracer_detached(s->tracer);
	int err;

	if (!links && !s->detached_ns) {
		s->attached_ns = now_ns;
		return true;
	}
	if (!s->detached_ns)
		lost_sight(s, links, now_ns);
	if (s->tried_ns && now_ns - s->tried_ns < TRY_NS)
		return false;
	err = links ? tracer_attach_again(s->tracer, folder(s)) : 0;
	/* half of what went over a connection meanwhile is no base for a verdict */
	s->unread += tracer_forget_flows(s->tracer) < 0;
	if (!err)
		sees_again(s, now_ns);
	else
		cannot_attach(s, err, now_ns);
	s->tried_ns = now_ns;
	return !err;
}

uint64_t session_unwatched_ns(const struct session *s, uint64_t now_ns)
{
	return s->unwatched_ns + (s->detached_ns && now_ns > s->detached_ns ? now_ns - s->detached_ns : 0);
}

bool session_is_blind(const struct session *s)
{
	return s->detached_ns != 0;
}
