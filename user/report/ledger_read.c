/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads a ledger of any node, whoever wrote it. */
#include "ledger_part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROUND_OPS 10000 /* instructions of SQLite's between two looks at the time */
#define PAGE_ROUNDS 4	/* of these for a page of a file that is read: more than the densest takes */

struct reading {
	sqlite3 *db;
	uint64_t from_h, to_h;
	struct ready_node *node;
};

static int read_coverage(const struct reading *r)
{
	int64_t first = ledger_pragma(r->db, "SELECT min(hour) FROM coverage WHERE seconds + lossy > 0");
	sqlite3_stmt *st;
	int code;

	r->node->heard = first > (int64_t)r->from_h ? (size_t)first - r->from_h : 0;

	if (sqlite3_prepare_v2(r->db, "SELECT hour, seconds, lossy, unowned FROM coverage WHERE hour >= ?1", -1, &st,
			       NULL) != SQLITE_OK)
		return -EIO;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)r->from_h);
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		uint64_t hour = (uint64_t)sqlite3_column_int64(st, 0);
		double seconds = sqlite3_column_double(st, 1);

		if (hour < r->to_h)
			r->node->hours[hour - r->from_h] = seconds > HOUR ? HOUR : seconds > 0 ? (uint16_t)seconds : 0;
		r->node->lossy |= sqlite3_column_double(st, 2) > 0;
		r->node->unowned += (uint64_t)sqlite3_column_int64(st, 3);
	}
	sqlite3_finalize(st);
	return code == SQLITE_DONE ? 0 : -EIO;
}

static struct ready_seen *seen_new(struct ready_node *n, sqlite3_stmt *st)
{
	const char *namespace, *name;
	struct ready_seen *more, *s;

	if (!(n->seen_len & (n->seen_len + 1)) || !n->seen) { /* room doubles at 0, 1, 3, 7, … */
		more = realloc(n->seen, (2 * n->seen_len + 2) * sizeof(*more));
		if (!more)
			return NULL;
		n->seen = more;
	}
	namespace = (const char *)sqlite3_column_text(st, 1); /* NULL, too: the column may hold that */
	name = (const char *)sqlite3_column_text(st, 2);
	s = &n->seen[n->seen_len];
	*s = (struct ready_seen){
		.namespace = strdup(namespace ? namespace : ""),
		.name = strdup(name ? name : ""),
		.nameless = sqlite3_column_int(st, 3) || !namespace || !name,
		.first_s = (uint64_t)sqlite3_column_int64(st, 4),
		.last_s = (uint64_t)sqlite3_column_int64(st, 5),
		.last_v1_s = (uint64_t)sqlite3_column_int64(st, 6),
		/* not known to be another cloud's: no provider at all may be anyone's */
		.may_be_ec2 = !sqlite3_column_int(st, 7) ||
			      (sqlite3_column_int(st, 7) & (PROVIDERS_WITH_HOP_LIMIT | 1u << PROVIDER_OTHER)),
	};
	n->seen_len++;
	return s->namespace && s->name ? s : NULL;
}

static void add_day(const struct reading *r, struct ready_seen *s, uint64_t number, const struct day *d, uint64_t *last_h)
{
	s->v1 += d->v[V1]; /* NOLINT(clang-analyzer-core.NullDereference): the caller made it */
	s->v1_answered += d->v[V1_ANSWERED];
	s->v1_credentials += d->v[V1_CREDENTIALS];
	s->v2 += d->v[V2];
	s->others += d->v[OTHERS];
	s->tokens += d->v[TOKENS];
	s->tokens_answered += d->v[TOKENS_ANSWERED];
	s->unanswered += d->v[UNANSWERED];
	s->at_least |= d->v[REQUIRED] & AT_LEAST;
	s->lost += !!(d->v[REQUIRED] & LOST);
	if ((int)(d->v[REQUIRED] % AT_LEAST) > s->required_hop_limit)
		s->required_hop_limit = (int)(d->v[REQUIRED] % AT_LEAST);
	for (int i = 0; i < SLOTS; i++) {
		uint64_t hour = number * SLOTS + (unsigned int)i;

		if (!d->slots[i][0] && !d->slots[i][1])
			continue;
		if (hour < r->from_h || hour >= r->to_h)
			continue;
		s->active_hours++;
		if (hour > *last_h && hour - *last_h > s->longest_gap_h)
			s->longest_gap_h = (unsigned int)(hour - *last_h);
		*last_h = hour;
	}
}

/* Silent since its last request for longer than between them: that counts too. */
static void end_gap(const struct reading *r, struct ready_seen *s, uint64_t last_h)
{
	if (s && r->to_h > last_h && r->to_h - last_h > s->longest_gap_h)
		s->longest_gap_h = (unsigned int)(r->to_h - last_h);
}

static int read_workloads(const struct reading *r)
{
	static const char sql[] =
	    "SELECT id, namespace, name, nameless, first, last, last_v1, providers, day, v1, v1_answered,"
	    " v1_credentials, v2, others, tokens, tokens_answered, unanswered, required, hours"
	    " FROM workload JOIN day ON workload = id WHERE day >= ?1 ORDER BY id, day";
	struct ready_seen *s = NULL;
	int64_t id = -1;
	uint64_t last_h = 0;
	sqlite3_stmt *st;
	int code;

	if (sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) != SQLITE_OK)
		return -EIO;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)(r->from_h / SLOTS));
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		struct day day;

		if (sqlite3_column_int64(st, 0) != id) {
			end_gap(r, s, last_h);
			id = sqlite3_column_int64(st, 0);
			s = seen_new(r->node, st);
			if (!s)
				break;
			last_h = s->first_s / HOUR; /* known, and silent since then or since the window began */
			last_h = last_h > r->from_h ? last_h : r->from_h;
		}
		ledger_read_day(st, 9, &day);
		add_day(r, s, (uint64_t)sqlite3_column_int64(st, 8), &day, &last_h);
	}
	end_gap(r, s, last_h);
	sqlite3_finalize(st);
	return code == SQLITE_DONE ? 0 : code == SQLITE_ROW ? -ENOMEM : -EIO;
}

/* A file may say itself to be read for ever, its pages being each other's. */
static int is_too_long(void *left)
{
	return !(*(int64_t *)left)--;
}

int ledger_read(const char *path, uint64_t from_s, uint64_t to_s, struct ready_node *ret, char *msg, size_t len)
{
	struct reading r = { .from_h = from_s / HOUR, .to_h = to_s / HOUR, .node = ret };
	static const char meta[] = "SELECT value FROM meta WHERE key = ?1";
	char file[4200];
	struct stat st;
	int64_t rounds;
	int err;

	*ret = (struct ready_node){
		.hours = calloc(r.to_h - r.from_h + 1, sizeof(*ret->hours)),
		.from_s = from_s,
		.to_s = to_s,
		.is_ledger = true,
	};
	snprintf(file, sizeof(file), "%.4080s%s", path, !stat(path, &st) && S_ISDIR(st.st_mode) ? "/ledger.db" : "");
	if (stat(file, &st)) {
		err = -errno;
		snprintf(msg, len, "no ledger in '%s': %s", path, strerror(-err));
		goto out;
	}
	err = ledger_check_files(file, msg, len);
	if (err)
		goto out;
	if (st.st_size > LEDGER_BYTES) {
		snprintf(msg, len, "'%s' is larger than a ledger", file);
		err = -EFBIG;
		goto out;
	}
	if (sqlite3_open_v2(file, &r.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		snprintf(msg, len, "cannot open '%s': %s", file, r.db ? sqlite3_errmsg(r.db) : "out of memory");
		err = -EIO;
		goto out;
	}
	sqlite3_busy_timeout(r.db, 2000);
	rounds = PAGE_ROUNDS * (100 + st.st_size / PAGE);
	sqlite3_progress_handler(r.db, ROUND_OPS, is_too_long, &rounds);
	err = ledger_check_schema(r.db, file, msg, len);
	if (err)
		goto out;
	/* one moment of the ledger, whatever is written meanwhile */
	err = ledger_run(r.db, "BEGIN");
	ret->name = err ? NULL : ledger_text_of(r.db, meta, "node");
	if (!ret->name)
		ret->name = strdup(path);
	ret->id = err ? NULL : ledger_text_of(r.db, meta, "id");
	if (!err && (!ret->hours || !ret->name))
		err = -ENOMEM;
	if (!err)
		err = read_coverage(&r);
	if (!err)
		err = read_workloads(&r);
	if (err)
		snprintf(msg, len, "cannot read '%s': %s", file, err == -ENOMEM ? "out of memory" : sqlite3_errmsg(r.db));
out:
	sqlite3_close(r.db);
	if (err)
		ready_free_node(ret);
	return err;
}
