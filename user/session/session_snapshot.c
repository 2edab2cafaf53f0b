/* SPDX-License-Identifier: GPL-2.0-only */
/* The session as views see it: snapshot, losses, fill levels of tables, run times of programs. */
#include "session_part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/small.h"

#include "../report/findings.h"

/* Returns how many. */
static size_t fill_own_losses(struct session *s, const struct pod_table_stats *table,
			      const struct pod_names_stats *names, struct loss *ret)
{
	const struct loss rows[] = {
		{ "pods_over_limit",
		  "requests shown under `other`: more rows than --max-pods, or more of one tenant than an eighth of "
		  "that",
		  table->overflowed },
		{ "names_evicted", "cgroups whose names were forgotten: the table was full", names->evicted },
		{ "names_share",
		  "cgroups whose names were forgotten: one tenant made more than an eighth of the table holds",
		  names->beyond_share },
		{ "cgroup_unreadable", "cgroup folders that may not be read, at each look: names may be missing",
		  names->unreadable },
		{ "runtime_files",
		  "state files of container runtimes that were broken or too large, or looks put off: names may be "
		  "missing",
		  names->files_skipped + names->deferred },
		{ "table_unread", "readings of the kernel's tables that failed: counts may be old", s->unread },
		{ "detached_s", "seconds in which our programs were off their hooks: what was asked then was not seen",
		  (session_unwatched_ns(s, session_now_ns()) + 999999999) / 1000000000 },
		{ "detached_requests", "requests that ended while our programs were off their hooks: not judged",
		  s->unjudged },
		{ "events_missed",
		  "events that our tracing programs did not get, another one ran on that CPU: drops may be missing",
		  s->missed },
		{ "held_share", "requests judged at once, too many of their pod waited: a later drop is not their cause",
		  s->held_lost },
	};

	memcpy(ret, rows, sizeof(rows));
	return LEN(rows);
}

static void fill_losses(struct session *s, const uint64_t counts[TRACER_LOSS_COUNT])
{
	struct pod_table_stats table;
	const struct pod_identity *who;
	struct pod_names_stats names;
	size_t n = 0;

	for (int i = 0; i < TRACER_LOSS_COUNT; i++)
		s->losses[n++] = (struct loss){ tracer_loss_name(i), tracer_loss_meaning(i), counts[i] };
	pod_table_get_stats(s->table, &table);
	pod_names_get_stats(s->names, &names);
	n += fill_own_losses(s, &table, &names, s->losses + n);
	s->snapshot.stray_ttl_drops = table.stray_ttl_drops;
	s->snapshot.stray_drops = table.stray_drops;
	who = names.beyond_share ? pod_names_most_beyond(s->names, session_now_ns()) : NULL;
	s->snapshot.names_share_of = who ? findings_subject(who, s->names_share_of, sizeof(s->names_share_of)) : NULL;
	s->snapshot.losses = s->losses;
	s->snapshot.losses_len = n;
}

/* A folder of names that went, came, or may not be read, since the row was made; err: pod_names_stats has it. */
static void note_folder(struct session *s, const char *name, const char *path, int err)
{
	const struct feature *was = features_find(&s->features, name);
	char why[FEATURES_WHY_LEN] = "";

	if (err == -EAGAIN || !was || !strcmp(was->state, err ? "missing" : "ok"))
		return;
	if (err)
		snprintf(why, sizeof(why), "'%.80s': %s; what started since is shown by its id", path, strerror(-err));
	features_note(&s->features, name, err ? "missing" : "ok", why);
}

const struct snapshot *session_describe(struct session *s)
{
	struct snapshot *v = &s->snapshot;
	struct pod_names_stats names;

	pod_names_get_stats(s->names, &names);
	note_folder(s, "pod_logs", s->o->pod_logs, names.pod_logs_err);
	note_folder(s, "container_logs", s->o->container_logs, names.container_logs_err);

	v->version = IMDSNOOP_VERSION;
	v->node = s->node;
	v->kernel = s->features.kernel;
	v->boot_id = s->features.boot_id;
	v->part = s->features.part[0] ? s->features.part : NULL;
	v->started_wall_ns = s->started_wall_ns;
	v->started_ns = s->started_ns;
	v->now_ns = session_now_ns();
	v->now_wall_ns = clock_ns(CLOCK_REALTIME);
	v->endpoints = s->o->endpoint_texts;
	v->features = s->features.rows;
	v->features_len = s->features.rows_len;
	return v;
}

/* What is in the rings, in some turns; a flood may write faster than we read. */
void session_read_rest(struct session *s)
{
	bool more = true;

	for (int i = 0; more && i < SESSION_LAST_TURNS; i++)
		if (tracer_consume(s->tracer, &more) < 0)
			return;
}

const struct snapshot *session_snapshot(struct session *s, bool close_open)
{
	struct snapshot *v = &s->snapshot;
	uint64_t now_ns = session_now_ns(), took_ns, lost[TRACER_LOSS_COUNT];
	bool watches;

	/* a snapshot is shared for ten times as long as it took, at most a second: readers cost a tenth of a core */
	if (!close_open && now_ns < s->fresh_until_ns && s->fresh_freed == pod_table_freed(s->table))
		return v;
	s->fresh_until_ns = 0;
	session_describe(s);
	session_read_conntrack(s);
	watches = session_watches(s, now_ns);
	session_read_rest(s);
	if (close_open) {
		session_release_held(s, now_ns, true);
		s->closing = true;
		if (watches)
			session_sweep(s, true, now_ns);
	}
	/* first: what was lost after it may be told of its pod already, but none that is in it is not */
	tracer_losses(s->tracer, lost);
	session_read_counts(s);
	session_read_unowned(s);
	findings_free(v->findings, v->findings_len);
	v->findings = NULL;
	v->findings_len = 0;
	fill_losses(s, lost);
	if (pod_table_snapshot(s->table, v) || findings_collect(v, &v->findings, &v->findings_len))
		return NULL;
	s->fresh_freed = pod_table_freed(s->table);
	took_ns = (session_now_ns() - now_ns) * 10;
	s->fresh_until_ns =
	    close_open ? 0 : session_now_ns() + (took_ns < SESSION_SHARED_NS ? took_ns : SESSION_SHARED_NS);
	return v;
}

size_t session_tables(struct session *s, struct tracer_table *ret_tables, size_t len)
{
	size_t n = tracer_tables(s->tracer, ret_tables, len);
	struct pod_table_stats table;
	struct pod_names_stats names;

	pod_table_get_stats(s->table, &table);
	pod_names_get_stats(s->names, &names);
	if (n < len)
		ret_tables[n++] = (struct tracer_table){ "pods", table.rows, table.limit };
	if (n < len)
		ret_tables[n++] = (struct tracer_table){ "names", names.cgroups, names.limit };
	return n;
}

size_t session_programs(struct session *s, struct tracer_program *ret_programs, size_t len)
{
	return tracer_programs(s->tracer, ret_programs, len);
}
