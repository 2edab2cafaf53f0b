/* SPDX-License-Identifier: GPL-2.0-only */
#include "ledger_part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/small.h"

#define BLOB_MAX (SLOTS * SLOT_FIGURES * 10)
#define STEP_WORKLOADS 256 /* in one transaction, one tick */
#define STEADY_S DAY /* nothing is thrown away before so much of the last week was watched: by then this is the time */
#define STEADY_DAYS 7
#define TEXT_MAX 65536 /* bytes of a value; a row of ours has some hundred */

static const char schema[] = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
			     "CREATE TABLE IF NOT EXISTS coverage (hour INTEGER PRIMARY KEY, seconds REAL, lossy REAL,"
			     " unowned INTEGER);"
			     "CREATE TABLE IF NOT EXISTS workload (id INTEGER PRIMARY KEY, namespace TEXT, name TEXT,"
			     " nameless INTEGER, first INTEGER, last INTEGER, last_v1 INTEGER, providers INTEGER,"
			     " UNIQUE (namespace, name));"
			     "CREATE TABLE IF NOT EXISTS day (day INTEGER, workload INTEGER, v1 INTEGER,"
			     " v1_answered INTEGER, v1_credentials INTEGER, v2 INTEGER, others INTEGER, tokens INTEGER,"
			     " tokens_answered INTEGER, unanswered INTEGER, required INTEGER, hours BLOB,"
			     " PRIMARY KEY (day, workload)) WITHOUT ROWID;";

enum statement { FIND, ADD, TOUCH, GET_DAY, PUT_DAY, COVER, STATEMENT_COUNT };
static const char *const statements[STATEMENT_COUNT] = {
	[FIND] = "SELECT id FROM workload WHERE namespace = ?1 AND name = ?2",
	[ADD] = "INSERT INTO workload (namespace, name, nameless, first, last, last_v1, providers)"
		" VALUES (?1, ?2, ?3, ?4, ?4, 0, 0)",
	[TOUCH] = "UPDATE workload SET first = min(first, ?2), last = max(last, ?2), last_v1 = max(last_v1, ?3),"
		  " providers = providers | ?4 WHERE id = ?1",
	[GET_DAY] = "SELECT v1, v1_answered, v1_credentials, v2, others, tokens, tokens_answered, unanswered, required,"
		    " hours FROM day WHERE day = ?1 AND workload = ?2",
	[PUT_DAY] = "INSERT OR REPLACE INTO day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[COVER] = "INSERT INTO coverage VALUES (?1, min(?2, 3600.0), ?3, ?4) ON CONFLICT (hour) DO UPDATE SET"
		  " seconds = min(3600.0, seconds + excluded.seconds), lossy = lossy + excluded.lossy,"
		  " unowned = unowned + excluded.unowned",
};

struct ledger {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENT_COUNT];
	int lock_fd;
	size_t workloads;
	/* what is being written, and what comes next */
	bool writing;
	uint64_t hour;
	double seconds, lossy;
	uint64_t unowned;
	/* as of the newest note */
	uint64_t noted_ns, lost, unowned_seen, pruned_day;
};

/* --- opening ---------------------------------------------------------------------------------------------------------- */

/* What somebody may mend has its own words. */
static int error_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY: /* another process has begun to write and does not end */
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	default:
		return -EIO;
	}
}

int ledger_run(sqlite3 *db, const char *sql)
{
	return error_of(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int64_t ledger_pragma(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t value = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return value;
}

/* The end of a statement that gives no row. */
static int done(sqlite3_stmt *st)
{
	int code = sqlite3_step(st);

	sqlite3_reset(st);
	return error_of(code);
}

static bool is_damaged(sqlite3 *db)
{
	int code = sqlite3_errcode(db);

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

char *ledger_text_of(sqlite3 *db, const char *sql, const char *key)
{
	sqlite3_stmt *st;
	char *value = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0))
		value = strdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return value;
}

/*
 * Whether the file says of itself what schema[] does, to the letter: views, triggers, columns of another type or made by
 * an expression would be run by whoever reads it. So a change of schema[] is another LEDGER_SCHEMA.
 */
static bool is_ledger(sqlite3 *db)
{
	static const char sql[] = "SELECT group_concat(type || name || ifnull(sql, ''), ';')"
				  " FROM (SELECT * FROM sqlite_master ORDER BY name)";
	char *want = NULL, *have = ledger_text_of(db, sql, "");
	sqlite3 *own = NULL;
	bool same;

	if (sqlite3_open(":memory:", &own) == SQLITE_OK && !ledger_run(own, schema))
		want = ledger_text_of(own, sql, "");
	sqlite3_close(own);
	same = want && have && !strcmp(want, have);
	free(want);
	free(have);
	return same;
}

int ledger_check_files(const char *path, char *msg, size_t len)
{
	char beside[4300];
	struct stat st;

	for (int i = 0; i < 3; i++) {
		snprintf(beside, sizeof(beside), "%.4200s%s", path, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
		if ((i ? lstat(beside, &st) : stat(beside, &st)) || S_ISREG(st.st_mode))
			continue;
		snprintf(msg, len, "'%s' is no regular file", beside);
		return -EINVAL;
	}
	return 0;
}

int ledger_check_schema(sqlite3 *db, const char *path, char *msg, size_t len)
{
	int64_t version = ledger_pragma(db, "PRAGMA user_version");

	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, TEXT_MAX);
	if (version < 0) {
		snprintf(msg, len, "cannot read '%s': %s", path, sqlite3_errmsg(db));
		return is_damaged(db) ? -EBADMSG : -EIO;
	}
	if (version > LEDGER_SCHEMA) {
		snprintf(msg, len,
			 "'%s' is of a later version of imdsnoop (schema %lld, this one knows %d): use that version, "
			 "or another folder",
			 path, (long long)version, LEDGER_SCHEMA);
		return -EPROTO;
	}
	if (is_ledger(db) || (!version && !ledger_pragma(db, "SELECT count(*) FROM sqlite_master")))
		return 0;
	snprintf(msg, len, "'%s' is no ledger, or was changed by another program", path);
	return -EBADMSG;
}

static int prepare(struct ledger *l, const char *node)
{
	char sql[128];
	sqlite3_stmt *st;
	int yes = 1;

	sqlite3_soft_heap_limit64(4 << 20);
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %u", LEDGER_BYTES / PAGE);
	/* the files that close would remove may not be removed once privileges are dropped */
	sqlite3_file_control(l->db, "main", SQLITE_FCNTL_PERSIST_WAL, &yes);
	if (ledger_run(l->db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			      "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024; PRAGMA wal_autocheckpoint = 256;"
			      "PRAGMA journal_size_limit = 2097152") ||
	    ledger_run(l->db, sql) || ledger_run(l->db, "BEGIN IMMEDIATE") || ledger_run(l->db, schema) ||
	    ledger_run(l->db, "INSERT OR IGNORE INTO meta VALUES ('id', hex(randomblob(16)))") ||
	    sqlite3_prepare_v2(l->db, "INSERT OR REPLACE INTO meta VALUES ('node', ?1)", -1, &st, NULL) != SQLITE_OK)
		return -EIO;
	sqlite3_bind_text(st, 1, node, -1, SQLITE_STATIC);
	sqlite3_step(st);
	sqlite3_finalize(st);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; COMMIT", LEDGER_SCHEMA);
	if (ledger_run(l->db, sql))
		return -EIO;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(l->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &l->st[i], NULL) != SQLITE_OK)
			return -EIO;
	l->workloads = (size_t)ledger_pragma(l->db, "SELECT count(*) FROM workload");
	return 0;
}

static int open_database(struct ledger *l, const char *path, const char *node, char *msg, size_t len)
{
	int fd, err = ledger_check_files(path, msg, len);

	if (err)
		return err;
	/* SQLite would make it for all to read; the files beside it get the mode of this one */
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
		snprintf(msg, len, "cannot open '%s': %s", path, l->db ? sqlite3_errmsg(l->db) : "out of memory");
		return -EIO;
	}
	sqlite3_busy_timeout(l->db, 100);
	err = ledger_check_schema(l->db, path, msg, len);
	if (!err && prepare(l, node)) {
		snprintf(msg, len, "cannot use '%s': %s", path, sqlite3_errmsg(l->db));
		err = is_damaged(l->db) ? -EBADMSG : -EIO;
	}
	return err;
}

static void close_database(struct ledger *l)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(l->st[i]);
		l->st[i] = NULL;
	}
	sqlite3_close(l->db);
	l->db = NULL;
}

static int move_aside(const char *path)
{
	static const char *const files[] = { "", "-wal", "-shm" };
	char from[4300], to[4300];

	for (size_t i = 0; i < LEN(files); i++) {
		snprintf(from, sizeof(from), "%.4200s%s", path, files[i]);
		snprintf(to, sizeof(to), "%.4200s.damaged%s", path, files[i]);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* What was written of the month before is lost, and the node was there: days of which nothing was watched well. */
static int mark_lost(sqlite3 *db)
{
	char sql[256];

	snprintf(
	    sql, sizeof(sql),
	    "WITH RECURSIVE days (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM days WHERE n < %d) INSERT OR IGNORE INTO"
	    " coverage SELECT strftime('%%s', 'now') / %d - %d * n, 0, 1, 0 FROM days",
	    LEDGER_DAYS, HOUR, SLOTS);
	return ledger_run(db, sql);
}

static int take_lock(const char *dir, char *msg, size_t len)
{
	char path[4200];
	int fd, err;

	if (mkdir(dir, 0700) && errno != EEXIST) {
		err = -errno;
		snprintf(msg, len, "cannot make '%s': %s", dir, strerror(-err));
		return err;
	}
	snprintf(path, sizeof(path), "%s/ledger.lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	err = fd < 0 ? -errno : flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
	if (!err)
		return fd;
	if (err == -EWOULDBLOCK)
		snprintf(msg, len, "another imdsnoop writes to '%s'", dir);
	else
		snprintf(msg, len, "cannot lock '%s': %s", path, strerror(-err));
	if (fd >= 0)
		close(fd);
	return err == -EWOULDBLOCK ? -EBUSY : err;
}

int ledger_open(const char *dir, const char *node, struct ledger **ret, bool *ret_moved, char *msg, size_t len)
{
	struct ledger *l = calloc(1, sizeof(*l));
	char path[4200];
	int err;

	*ret_moved = false;
	if (!l) {
		snprintf(msg, len, "out of memory");
		return -ENOMEM;
	}
	l->lock_fd = take_lock(dir, msg, len);
	if (l->lock_fd < 0) {
		err = l->lock_fd;
		free(l);
		return err;
	}
	snprintf(path, sizeof(path), "%.4080s/ledger.db", dir);
	err = open_database(l, path, node, msg, len);
	if (err == -EBADMSG) {
		close_database(l);
		err = move_aside(path);
		if (!err)
			err = open_database(l, path, node, msg, len);
		if (!err && mark_lost(l->db)) {
			snprintf(msg, len, "cannot write to '%s'", path);
			err = -EIO;
		}
		*ret_moved = !err;
	}
	if (err) {
		ledger_close(l);
		return err;
	}
	*ret = l;
	return 0;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	close_database(l);
	close(l->lock_fd);
	free(l);
}

/* --- days and hours --------------------------------------------------------------------------------------------------- */

static size_t put_number(uint8_t *at, uint64_t n)
{
	size_t len = 0;

	do {
		at[len++] = (n & 0x7f) | (n > 0x7f ? 0x80 : 0);
		n >>= 7;
	} while (n);
	return len;
}

static void read_slots(struct day *d, const uint8_t *blob, size_t len)
{
	size_t at = 0;

	for (int i = 0; i < SLOTS * SLOT_FIGURES; i++) {
		uint64_t n = 0;

		for (unsigned int shift = 0; at < len && shift < 64; shift += 7) {
			n |= (uint64_t)(blob[at] & 0x7f) << shift;
			if (!(blob[at++] & 0x80))
				break;
		}
		d->slots[i / SLOT_FIGURES][i % SLOT_FIGURES] = n;
	}
}

void ledger_read_day(sqlite3_stmt *st, int column, struct day *d)
{
	for (int i = 0; i < FIGURES; i++)
		d->v[i] = (uint64_t)sqlite3_column_int64(st, column + i);
	read_slots(d, sqlite3_column_blob(st, column + FIGURES), (size_t)sqlite3_column_bytes(st, column + FIGURES));
}

static int write_day(struct ledger *l, uint64_t number, int64_t id, const struct day *d)
{
	sqlite3_stmt *st = l->st[PUT_DAY];
	uint8_t blob[BLOB_MAX];
	size_t len = 0;
	int err;

	for (int i = 0; i < SLOTS * SLOT_FIGURES; i++)
		len += put_number(blob + len, d->slots[i / SLOT_FIGURES][i % SLOT_FIGURES]);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)number);
	sqlite3_bind_int64(st, 2, id);
	for (int i = 0; i < FIGURES; i++)
		sqlite3_bind_int64(st, 3 + i, (sqlite3_int64)d->v[i]);
	sqlite3_bind_blob(st, 3 + FIGURES, blob, (int)len, SQLITE_STATIC);
	err = done(st);
	sqlite3_clear_bindings(st);
	return err;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

/* Row of a workload, 0: none and no room, negative errno. */
static int64_t workload_id(struct ledger *l, const struct workload *w, bool other)
{
	const char *namespace = other ? "" : w->namespace, *name = other ? "other" : w->name;
	int64_t id = 0;
	int code, err;

	sqlite3_bind_text(l->st[FIND], 1, namespace, -1, SQLITE_STATIC);
	sqlite3_bind_text(l->st[FIND], 2, name, -1, SQLITE_STATIC);
	code = sqlite3_step(l->st[FIND]);
	if (code == SQLITE_ROW)
		id = sqlite3_column_int64(l->st[FIND], 0);
	sqlite3_reset(l->st[FIND]);
	if (id || (code != SQLITE_DONE && code != SQLITE_ROW))
		return id ? id : error_of(code);
	if (!other && l->workloads >= LEDGER_WORKLOADS)
		return 0;
	sqlite3_bind_text(l->st[ADD], 1, namespace, -1, SQLITE_STATIC);
	sqlite3_bind_text(l->st[ADD], 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int(l->st[ADD], 3, other || w->other || w->unnamed);
	sqlite3_bind_int64(l->st[ADD], 4, (sqlite3_int64)w->first_s);
	err = done(l->st[ADD]);
	if (err)
		return err;
	l->workloads++;
	return sqlite3_last_insert_rowid(l->db);
}

static void difference(const struct workload *w, struct day *add)
{
	struct workload_counts d;
	uint64_t *to = (uint64_t *)&d;
	const uint64_t *now = (const uint64_t *)&w->sum, *before = (const uint64_t *)&w->saved;

	for (size_t i = 0; i < sizeof(d) / sizeof(*to); i++)
		to[i] = now[i] - before[i];
	add->v[V1] = workload_requests(&d, IMDS_VERSION_V1) + workload_requests(&d, IMDS_VERSION_UNKNOWN);
	add->v[V1_ANSWERED] = d.v1_answered;
	add->v[V1_CREDENTIALS] = d.v1_credentials;
	add->v[V2] = workload_requests(&d, IMDS_VERSION_V2);
	add->v[OTHERS] = workload_requests(&d, IMDS_VERSION_NONE);
	add->v[TOKENS] = d.token_requests;
	add->v[TOKENS_ANSWERED] = d.token_answered;
	add->v[UNANSWERED] = workload_unanswered(&d);
}

/* The higher limit, and all that was added to either. */
static uint64_t join_required(uint64_t a, uint64_t b)
{
	uint64_t limit = a % AT_LEAST > b % AT_LEAST ? a % AT_LEAST : b % AT_LEAST;

	return limit + ((a | b) & (AT_LEAST | LOST));
}

static int write_workload(struct ledger *l, struct workload *w)
{
	int64_t id = workload_id(l, w, w->other);
	struct day add = { 0 }, day = { 0 };
	sqlite3_stmt *st = l->st[GET_DAY];
	uint64_t *slot = day.slots[l->hour % SLOTS], required;
	int code, err;

	if (!id)
		id = workload_id(l, w, true);
	if (id <= 0)
		return id ? (int)id : -EIO;
	difference(w, &add);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)(l->hour / SLOTS));
	sqlite3_bind_int64(st, 2, id);
	code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		ledger_read_day(st, 0, &day);
	sqlite3_reset(st);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return error_of(code);
	for (int i = 0; i < REQUIRED; i++)
		day.v[i] += add.v[i];
	slot[0] += add.v[V1];
	slot[1] += add.v[V2] + add.v[OTHERS];
	slot[2] += add.v[UNANSWERED];
	required =
	    (uint64_t)w->required_hop_limit + (w->at_least ? AT_LEAST : 0) + (w->sum.lost > w->saved.lost ? LOST : 0);
	slot[3] = join_required(slot[3], required);
	day.v[REQUIRED] = join_required(day.v[REQUIRED], required);
	err = write_day(l, l->hour / SLOTS, id, &day);
	if (err)
		return err;
	st = l->st[TOUCH];
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)w->last_s);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)w->last_v1_s);
	sqlite3_bind_int64(st, 4, w->providers);
	return done(st);
}

static int write_coverage(struct ledger *l)
{
	sqlite3_stmt *st = l->st[COVER];

	sqlite3_bind_int64(st, 1, (sqlite3_int64)l->hour);
	sqlite3_bind_double(st, 2, l->seconds);
	sqlite3_bind_double(st, 3, l->lossy);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)l->unowned);
	return done(st);
}

/*
 * A clock that is years ahead for an hour must not cost a month. The ledger itself tells whether it is: a day of the last
 * week was watched by this clock. By whom does not matter: an agent may live for hours only, and be followed by the next.
 */
static bool is_steady(const struct ledger *l)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "SELECT total(seconds) + total(lossy) FROM coverage WHERE hour > %llu AND hour <= %llu",
		 (unsigned long long)l->hour - STEADY_DAYS * SLOTS, (unsigned long long)l->hour);
	return ledger_pragma(l->db, sql) >= STEADY_S;
}

/* Days before the last 31; a database that is full though it should not be loses its oldest day, with its coverage. */
static void prune(struct ledger *l)
{
	uint64_t today = l->hour / SLOTS;
	char sql[256];

	if (l->pruned_day == today || today <= LEDGER_DAYS + 1 || !is_steady(l))
		return;
	snprintf(sql, sizeof(sql),
		 "DELETE FROM day WHERE day < %llu; DELETE FROM coverage WHERE hour < %llu;"
		 "DELETE FROM workload WHERE last < %llu",
		 (unsigned long long)today - LEDGER_DAYS - 1, (unsigned long long)(today - LEDGER_DAYS - 1) * SLOTS,
		 (unsigned long long)(today - LEDGER_DAYS - 1) * DAY);
	if (!ledger_run(l->db, sql)) {
		l->pruned_day = today;
		l->workloads = (size_t)ledger_pragma(l->db, "SELECT count(*) FROM workload");
	}
}

static void make_room(struct ledger *l)
{
	if (ledger_pragma(l->db, "PRAGMA page_count") - ledger_pragma(l->db, "PRAGMA freelist_count") <
	    LEDGER_BYTES / PAGE - 8)
		return; /* the disk is full, not the ledger */
	ledger_run(l->db, "DELETE FROM coverage WHERE hour / 24 <= (SELECT min(day) FROM day);"
			  "DELETE FROM day WHERE day = (SELECT min(day) FROM day)");
}

bool ledger_is_due(const struct ledger *l, uint64_t now_ns)
{
	return !l->writing && now_ns - l->noted_ns >= LEDGER_EVERY_S * 1000000000ull;
}

static void note(struct ledger *l, const struct snapshot *s)
{
	uint64_t lost = 0, unowned = 0, own = figures_own_losses(&s->totals.figures);
	uint64_t since_ns = l->noted_ns ? l->noted_ns : s->started_ns;
	double slice = s->now_ns > since_ns ? (double)(s->now_ns - since_ns) / 1e9 : 0;

	for (size_t i = 0; i < s->losses_len; i++)
		if (!loss_is_of_names(s->losses[i].name))
			lost += s->losses[i].count;
	/* a tenant's own losses are its workload's */
	lost -= own < lost ? own : lost;
	for (size_t i = 0; i < s->unowned_len; i++)
		unowned += s->unowned[i].packets;
	if (lost <= l->lost && !s->part && ready_is_watched(s->endpoints))
		l->seconds += slice;
	else
		l->lossy += slice;
	l->unowned += unowned > l->unowned_seen ? unowned - l->unowned_seen : 0;
	l->unowned_seen = unowned;
	l->lost = lost > l->lost ? lost : l->lost;
	l->noted_ns = s->now_ns;
	l->hour = s->now_wall_ns / 1000000000 / HOUR;
	l->writing = true;
}

void ledger_note(struct ledger *l, const struct snapshot *s)
{
	if (ledger_is_due(l, s->now_ns))
		note(l, s);
}

static bool is_changed(const struct workload *w)
{
	return memcmp(&w->sum, &w->saved, sizeof(w->sum)) != 0;
}

int ledger_step(struct ledger *l, struct workload_table *t)
{
	size_t len, n = 0, at;
	struct workload *const *list = workload_table_list(t, &len);
	struct workload *written[STEP_WORKLOADS];
	int err;

	if (!l->writing)
		return 0;
	err = ledger_run(l->db, "BEGIN IMMEDIATE");
	for (at = 0; !err && at < len && n < STEP_WORKLOADS; at++)
		if (is_changed(list[at])) {
			err = write_workload(l, list[at]);
			written[n++] = list[at];
		}
	if (!err && at == len) {
		err = write_coverage(l);
		if (!err)
			prune(l);
	}
	if (!err)
		err = ledger_run(l->db, "COMMIT");
	if (err) {
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
		make_room(l);
		l->writing = false; /* again with the next minute's */
		return err;
	}
	for (size_t i = 0; i < n; i++)
		written[i]->saved = written[i]->sum;
	if (at == len) {
		l->writing = false;
		l->seconds = l->lossy = 0;
		l->unowned = 0;
	}
	return 0;
}

void ledger_finish(struct ledger *l, struct workload_table *t, const struct snapshot *s)
{
	while (l->writing && !ledger_step(l, t))
		;
	note(l, s);
	while (l->writing && !ledger_step(l, t))
		;
}
