/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/report/ledger.c user/report/ledger_read.c user/report/ready.c user/report/ready_report.c user/model/figures.c */
/* needs: user/model/workload_table.c user/pods/workload.c user/model/words.c */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../user/report/ledger.h"
#include "unit.h"

#define HOUR 3600ull
#define DAY (24 * HOUR)
#define START (1700000000ull / DAY * DAY) /* midnight */
#define S 1000000000ull
#define ROWS 5200

static char dir[64];
static char msg[512];

static int begin(void **state)
{
	/* in memory where there is such a folder: it waits for no disk */
	snprintf(dir, sizeof(dir), "%s/ledger.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	return !mkdtemp(dir);
}

static void clear(void)
{
	struct dirent *e;
	char path[400];
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
}

static int end(void **state)
{
	clear();
	return rmdir(dir);
}

/* --- an agent: rows that count up, and what it makes of them ---------------------------------------------------------- */

static struct pod_stats rows[ROWS];
static const struct pod_stats *list[ROWS];
static struct kind_stats tokens[ROWS], data[ROWS];
static char names[ROWS][32];

struct agent {
	struct ledger *ledger;
	struct workload_table *table;
	struct snapshot s;
	uint64_t lost;
	struct loss loss;
};

static void row_init(size_t i, const char *name)
{
	snprintf(names[i], sizeof(names[i]), "%s", name);
	tokens[i] = data[i] = (struct kind_stats){ .cells = { { 0 } } };
	rows[i] = (struct pod_stats){ .who = { 1, "shop", names[i], "app", "", names[i], "" }, .first_ns = i + 1 };
	rows[i].providers = 1 << PROVIDER_EC2;
	rows[i].by_kind[IMDS_KIND_TOKEN] = &tokens[i];
	rows[i].by_kind[IMDS_KIND_DATA] = &data[i];
	list[i] = &rows[i];
}

static void ask_v2(size_t i, uint64_t n, int required)
{
	tokens[i].cells[IMDS_VERSION_V2][OUTCOME_OK] += n;
	rows[i].token_requests += n;
	rows[i].token_answered += n;
	rows[i].required_hop_limit = required;
}

static void ask_v1(size_t i, uint64_t n)
{
	data[i].cells[IMDS_VERSION_V1][OUTCOME_OK] += n;
	rows[i].v1_answered += n;
}

static void start(struct agent *a, size_t len, uint64_t now_s)
{
	static const char *const endpoints[] = { "169.254.169.254:80", "[fd00:ec2::254]:80", NULL };
	bool moved;

	*a = (struct agent){ .loss = { "ring_request", "", 0 } };
	assert_int_equal(workload_table_new(5000, true, &a->table), 0);
	if (ledger_open(dir, "n1", &a->ledger, &moved, msg, sizeof(msg)))
		fail_msg("%s", msg);
	a->s = (struct snapshot){
		.node = "n1",
		.pods = list,
		.pods_len = len,
		.losses = &a->loss,
		.losses_len = 1,
		.endpoints = endpoints,
		.started_ns = now_s * S,
		.now_ns = now_s * S,
	};
}

/* What the loop does each tick, with clocks of ours. */
static int tick(struct agent *a, uint64_t now_s, int64_t wall_off)
{
	int err = 0;

	a->s.now_ns = now_s * S;
	a->s.now_wall_ns = (uint64_t)((int64_t)now_s + wall_off) * S;
	if (ledger_is_due(a->ledger, a->s.now_ns)) {
		workload_table_update(a->table, &a->s);
		ledger_note(a->ledger, &a->s);
		for (int i = 0; i < 30 && !err; i++)
			err = ledger_step(a->ledger, a->table);
	}
	return err;
}

/* As kill -9 leaves it. */
static void crash(struct agent *a)
{
	ledger_close(a->ledger);
	workload_table_free(a->table);
	a->ledger = NULL;
}

static struct ready_node read_back(uint64_t from_s, uint64_t to_s)
{
	struct ready_node n;

	if (ledger_read(dir, from_s, to_s, &n, msg, sizeof(msg)))
		fail_msg("%s", msg);
	return n;
}

static const struct ready_seen *find(const struct ready_node *n, const char *name)
{
	for (size_t i = 0; i < n->seen_len; i++)
		if (!strcmp(n->seen[i].name, name))
			return &n->seen[i];
	return NULL;
}

static uint64_t covered(const struct ready_node *n, size_t hours)
{
	uint64_t sum = 0;

	for (size_t h = 0; h < hours; h++)
		sum += n->hours[h];
	return sum;
}

/* --- the file --------------------------------------------------------------------------------------------------------- */

static void counts_come_back(void **state)
{
	struct ready_node n;
	struct agent a;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	for (uint64_t t = START; t <= START + 3 * HOUR; t += 60) {
		ask_v2(0, 2, 2);
		if (t == START + HOUR)
			ask_v1(0, 5);
		assert_int_equal(tick(&a, t, 0), 0);
	}
	crash(&a);
	n = read_back(START, START + 4 * HOUR);
	assert_string_equal(n.name, "n1");
	assert_int_equal(find(&n, "cart")->v2, 2 * 181 - 0);
	assert_int_equal(find(&n, "cart")->v1_answered, 5);
	assert_int_equal(find(&n, "cart")->required_hop_limit, 2);
	assert_int_equal(find(&n, "cart")->active_hours, 4);
	assert_in_range(covered(&n, 4), 3 * HOUR - 60, 3 * HOUR);
	ready_free_node(&n);
}

/* Known for long, silent, and busy since yesterday: no rhythm of a month. */
static void a_silence_before_the_first_request_counts(void **state)
{
	struct ready_node n;
	struct agent a;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	for (uint64_t t = START; t <= START + 30 * DAY; t += HOUR) {
		if (t < START + 2 * HOUR || t > START + 29 * DAY)
			ask_v2(0, 1, 1);
		assert_int_equal(tick(&a, t, 0), 0);
	}
	crash(&a);
	n = read_back(START + 5 * DAY, START + 30 * DAY);
	assert_int_equal(find(&n, "cart")->longest_gap_h, 24 * 24 + 1);
	ready_free_node(&n);
}

/* An answer that died tells how much it needs at least: not that so much is enough. */
static void at_least_comes_back(void **state)
{
	struct ready_node n;
	struct agent a;

	clear();
	for (size_t i = 0; i < 2; i++)
		row_init(i, i ? "far-1" : "far-0");
	start(&a, 2, START);
	ask_v2(0, 100, 3);
	ask_v2(1, 1, 2);
	rows[0].hops = 2;
	rows[1].hops = -1;
	tick(&a, START + 60, 0);
	rows[1].hops = 1;
	ask_v2(1, 1, 2);
	tick(&a, START + HOUR, 0);
	crash(&a);
	n = read_back(START, START + DAY);
	assert_int_equal(n.seen_len, 1);
	assert_int_equal(n.seen[0].required_hop_limit, 3);
	assert_true(n.seen[0].at_least);
	ready_free_node(&n);
}

static void a_lossy_minute_is_not_watched(void **state)
{
	struct ready_node n;
	struct agent a;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	for (uint64_t t = START; t <= START + HOUR; t += 60) {
		a.loss.count += t >= START + 1800 && t < START + 2400;
		tick(&a, t, 0);
	}
	crash(&a);
	n = read_back(START, START + HOUR);
	assert_int_equal(covered(&n, 1), 2940); /* a slice is of the hour that it ends in */
	assert_true(n.lossy);
	ready_free_node(&n);
}

/* A tenant that loses its own details all day makes nobody else unknown; nor do names that are missing. */
static void a_tenants_losses_are_its_own(void **state)
{
	struct ready_question q = { .hop_limit = 2 };
	struct ready_node n;
	struct ready r;
	struct agent a;

	clear();
	for (size_t i = 0; i < 2; i++)
		row_init(i, i ? "good" : "evil");
	start(&a, 2, START);
	for (uint64_t t = START; t <= START + DAY; t += 60) {
		for (size_t i = 0; i < 2; i++) {
			rows[i].hops = 1;
			ask_v2(i, 1, 2);
		}
		rows[0].untracked = t / 60;
		rows[0].records_lost = a.s.totals.records_lost = 2;
		a.s.totals.untracked = t / 60;
		a.loss.count = t / 60 + 2;
		tick(&a, t, 0);
	}
	a.loss = (struct loss){ "ring_cgroup", "", 1000000 };
	rows[1].required_hop_limit = 1; /* seen by an agent that began anew */
	tick(&a, START + DAY + 60, 0);
	crash(&a);
	n = read_back(START, START + DAY);
	assert_false(n.lossy);
	assert_in_range(covered(&n, 24), DAY - 60, DAY);
	assert_true(find(&n, "evil")->lost > 0);
	assert_int_equal(find(&n, "good")->lost, 0);
	assert_int_equal(find(&n, "evil")->required_hop_limit, 2);
	assert_false(find(&n, "evil")->at_least);
	assert_int_equal(ready_judge(&q, &n, 1, START, START + DAY, &r), 0);
	assert_int_equal(r.counts[READY_SAFE], 1);
	assert_string_equal(r.rows[0].name, "evil");
	assert_string_equal(r.rows[0].reason, "some of what it asked could not be followed");
	ready_clear(&r);
	ready_free_node(&n);
}

/* A clock set back makes the same hours again, forth: hours far away. Neither is more time than there was, nor old data less. */
static void the_clock_steps(void **state)
{
	struct ready_node n;
	struct agent a;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	for (uint64_t t = START; t <= START + 6 * HOUR; t += 60) {
		ask_v2(0, 1, 2);
		tick(&a, t, t < START + 2 * HOUR ? 0 : t < START + 4 * HOUR ? -2 * (int64_t)HOUR : 400 * (int64_t)DAY);
	}
	crash(&a);
	n = read_back(START, START + 4 * HOUR);
	assert_true(covered(&n, 2) <= 2 * HOUR && covered(&n, 4) <= 2 * HOUR + 60);
	assert_true(find(&n, "cart")->v2 >= 361); /* those of the far future, too */
	ready_free_node(&n);
}

static mode_t mode_of(const char *name)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (stat(path, &st))
		fail_msg("no '%s'", path);
	return st.st_mode & 0777;
}

/* What a node's pods ask is nobody else's to read; nor may whoever can open the lock hold it, and keep the agent from writing. */
static void its_files_are_its_owners(void **state)
{
	mode_t before = umask(022);
	char own[64], path[400];
	struct agent a;

	clear();
	snprintf(own, sizeof(own), "%s", dir);
	snprintf(dir, sizeof(dir), "%.50s/made", own);
	row_init(0, "cart");
	start(&a, 1, START);
	assert_int_equal(mode_of(""), 0700);
	assert_int_equal(mode_of("ledger.db"), 0600);
	assert_int_equal(mode_of("ledger.db-wal"), 0600);
	assert_int_equal(mode_of("ledger.db-shm"), 0600);
	assert_int_equal(mode_of("ledger.lock"), 0600);
	crash(&a);
	snprintf(path, sizeof(path), "%s/ledger.db", dir); /* somebody else shall read it */
	assert_int_equal(chmod(path, 0640), 0);
	start(&a, 1, START);
	assert_int_equal(mode_of("ledger.db"), 0640);
	crash(&a);
	clear();
	assert_int_equal(rmdir(dir), 0);
	snprintf(dir, sizeof(dir), "%s", own);
	umask(before);
}

static void another_writer_is_refused(void **state)
{
	struct ledger *other;
	struct agent a;
	bool moved;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	assert_int_equal(ledger_open(dir, "n2", &other, &moved, msg, sizeof(msg)), -EBUSY);
	crash(&a);
}

/* By a shell of SQLite, say, that somebody left open. */
static void a_lock_is_told_and_costs_no_count(void **state)
{
	struct ready_node n;
	char path[400];
	struct agent a;
	sqlite3 *db;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	sqlite3_open(path, &db);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ask_v2(0, 3, 2);
	assert_int_equal(tick(&a, START + 60, 0), -EBUSY);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(tick(&a, START + 120, 0), 0);
	crash(&a);
	n = read_back(START, START + HOUR);
	assert_int_equal(find(&n, "cart")->v2, 3);
	ready_free_node(&n);
}

static void a_later_schema_is_refused_and_kept(void **state)
{
	struct ledger *other;
	struct ready_node n;
	char path[400];
	struct agent a;
	sqlite3 *db;
	bool moved;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	crash(&a);
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	sqlite3_open(path, &db);
	sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(ledger_open(dir, "n1", &other, &moved, msg, sizeof(msg)), -EPROTO);
	assert_non_null(strstr(msg, "later version"));
	assert_int_equal(ledger_read(dir, START, START + HOUR, &n, msg, sizeof(msg)), -EPROTO);
	assert_int_equal(access(path, F_OK), 0);
}

/* A ledger, and what somebody else did to it. */
static void tamper(const char *sql)
{
	char path[400];
	struct agent a;
	sqlite3 *db;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	ask_v2(0, 1, 2);
	tick(&a, START + HOUR, 0);
	crash(&a);
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	sqlite3_open(path, &db);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void another_schema_is_not_read(void **state)
{
	static const char *const lies[] = {
		/* text is more than any number, and 0 as one: an hour before all */
		"DROP TABLE coverage; CREATE TABLE coverage (hour TEXT, seconds REAL, lossy REAL, unowned INTEGER);"
		"INSERT INTO coverage VALUES ('x', 3600, 0, 0)",
		"DROP TABLE coverage; CREATE VIEW coverage AS WITH RECURSIVE c (hour) AS (SELECT 1 UNION ALL SELECT "
		"hour + 1"
		" FROM c) SELECT hour, 1 AS seconds, 0 AS lossy, 0 AS unowned FROM c",
		"DROP TABLE coverage; CREATE TABLE coverage (hour INTEGER PRIMARY KEY, lossy REAL, unowned INTEGER,"
		" seconds REAL AS (length(hex(zeroblob(400000000)))))",
		"CREATE TRIGGER t AFTER INSERT ON day BEGIN DELETE FROM day; END",
		"CREATE INDEX i ON day (length(hours))",
	};
	struct ledger *l;
	struct ready_node n;
	bool moved;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		tamper(lies[i]);
		assert_int_equal(ledger_read(dir, START, START + DAY, &n, msg, sizeof(msg)), -EBADMSG);
		assert_int_equal(ledger_open(dir, "n1", &l, &moved, msg, sizeof(msg)), 0);
		assert_true(moved);
		ledger_close(l);
	}
}

static void a_nameless_row_is_anyone(void **state)
{
	struct ready_node n;

	tamper("INSERT INTO workload (id) VALUES (77); INSERT INTO day (day, workload) SELECT max(day), 77 FROM day");
	n = read_back(START, START + DAY);
	assert_int_equal(n.seen_len, 2);
	assert_true(find(&n, "")->nameless);
	ready_free_node(&n);
}

/* An inner page of a table of whole numbers: so many times the same page below it. */
static void inner_page(uint8_t page[4096], uint32_t below)
{
	enum { CELLS = 350, CELL = 7, START_OF = 4096 - CELLS * CELL };

	memset(page, 0, 4096);
	page[0] = 5;
	page[3] = CELLS >> 8, page[4] = CELLS & 255;
	page[5] = START_OF >> 8, page[6] = START_OF & 255;
	page[11] = (uint8_t)below;
	for (int i = 0; i < CELLS; i++) {
		page[12 + 2 * i] = (START_OF + i * CELL) >> 8, page[13 + 2 * i] = (START_OF + i * CELL) & 255;
		page[START_OF + i * CELL + 3] = (uint8_t)below;
		page[START_OF + i * CELL + 4] = page[START_OF + i * CELL + 5] = 0xff; /* key: later than any hour */
		page[START_OF + i * CELL + 6] = 0x7f;
	}
}

static void pages_that_are_each_others_end(void **state)
{
	static uint8_t page[4096];
	uint32_t pages, root = 0;
	struct ready_node n;
	char path[400];
	uint8_t head[4];
	sqlite3_stmt *st;
	sqlite3 *db;
	int fd;

	tamper("PRAGMA journal_mode = DELETE");
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	sqlite3_open(path, &db);
	sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_master WHERE name = 'coverage'", -1, &st, NULL);
	if (sqlite3_step(st) == SQLITE_ROW)
		root = (uint32_t)sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	fd = open(path, O_RDWR);
	pages = (uint32_t)(lseek(fd, 0, SEEK_END) / 4096);
	assert_int_equal(pread(fd, page, sizeof(page), (root - 1) * 4096), sizeof(page));
	for (uint32_t i = 0; i < 7; i++, inner_page(page, pages + i)) /* the leaf, and six floors above it */
		assert_int_equal(pwrite(fd, page, sizeof(page), (pages + i) * 4096), sizeof(page));
	assert_int_equal(pwrite(fd, page, sizeof(page), (root - 1) * 4096), sizeof(page));
	head[0] = head[1] = head[2] = 0;
	head[3] = (uint8_t)(pages + 7);
	pwrite(fd, head, sizeof(head), 28);
	pread(fd, head, sizeof(head), 24);
	pwrite(fd, head, sizeof(head), 92); /* the number of pages is of this version */
	close(fd);
	alarm(20);
	assert_int_equal(ledger_read(dir, START, START + DAY, &n, msg, sizeof(msg)), -EIO);
	alarm(0);
	assert_non_null(strstr(msg, "interrupted"));
}

static void only_regular_files_are_opened(void **state)
{
	static const char *const files[] = { "ledger.db", "ledger.db-wal", "ledger.db-shm" };
	struct ready_node n;
	struct ledger *l;
	char path[400];
	struct stat st;
	bool moved;

	for (size_t i = 0; i < 3; i++) {
		tamper("PRAGMA journal_mode = DELETE");
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
		assert_int_equal(i ? symlink("elsewhere", path) : mkfifo(path, 0600), 0);
		alarm(20);
		assert_int_equal(ledger_read(dir, START, START + DAY, &n, msg, sizeof(msg)), -EINVAL);
		assert_int_equal(ledger_open(dir, "n1", &l, &moved, msg, sizeof(msg)), -EINVAL);
		alarm(0);
		snprintf(path, sizeof(path), "%s/elsewhere", dir);
		assert_int_equal(stat(path, &st), -1);
	}
}

static void a_damaged_one_is_moved_aside(void **state)
{
	uint64_t now_s = (uint64_t)time(NULL) / HOUR * HOUR;
	struct ready_node n;
	struct ledger *l;
	char path[400];
	bool moved;
	FILE *f;

	clear();
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	f = fopen(path, "w");
	for (int i = 0; i < 5000; i++)
		fputs("rubbish ", f);
	fclose(f);
	assert_int_equal(ledger_open(dir, "n1", &l, &moved, msg, sizeof(msg)), 0);
	assert_true(moved);
	ledger_close(l);
	snprintf(path, sizeof(path), "%s/ledger.db.damaged", dir);
	assert_int_equal(access(path, F_OK), 0);
	n = read_back(now_s - 25 * DAY,
		      now_s); /* what it held is lost: the node was there, and nobody knows what it asked */
	assert_int_equal(n.heard, 0);
	assert_int_equal(covered(&n, 25 * DAY / HOUR), 0);
	assert_true(n.lossy);
	ready_free_node(&n);
}

/* A real kill, at moments that nobody chose: what was covered is never more than what was counted with it. */
static void survives_kill(void **state)
{
	clear();
	for (int round = 0; round < 12; round++) {
		pid_t pid = fork();

		if (!pid) {
			struct agent a;
			uint64_t from = START + (uint64_t)round * 3 * HOUR;

			for (size_t i = 0; i < 60; i++) {
				char name[32];

				snprintf(name, sizeof(name), "w%zux", i);
				row_init(i, name);
			}
			start(&a, 60, from);
			for (uint64_t t = from; t < from + 3 * HOUR; t += 60) {
				for (size_t i = 0; i < 60; i++)
					ask_v2(i, 1, 2);
				tick(&a, t, 0);
			}
			_exit(0);
		}
		usleep(100000 + (useconds_t)round * 37000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	struct ready_node n = read_back(START, START + 36 * HOUR);

	for (size_t i = 0; i < n.seen_len; i++)
		assert_true((n.seen[i].v2 + 1) * 60 >= covered(&n, 36));
	print_message("12 kills: %zu workloads, %llu s covered\n", n.seen_len, (unsigned long long)covered(&n, 36));
	ready_free_node(&n);
}

/* 5,000 workloads, each hour of 30 days: the bound of the disk. More of them go to `other`. */
/* An agent that never lives a day, for the node is switched off each night, still forgets what is older than a month. */
static void daily_restarts_do_not_keep_it_for_ever(void **state)
{
	struct ready_node n;
	struct agent a;

	clear();
	row_init(0, "cart");
	for (uint64_t day = 0; day < 40; day++) {
		start(&a, 1, START + day * DAY);
		for (uint64_t t = 0; t <= 10 * HOUR; t += HOUR) {
			ask_v2(0, 1, 2);
			tick(&a, START + day * DAY + t, 0);
		}
		crash(&a);
		row_init(0, "cart");
	}
	n = read_back(START, START + 5 * DAY);
	assert_int_equal(covered(&n, 5 * 24), 0);
	ready_free_node(&n);
	n = read_back(START + 10 * DAY, START + 40 * DAY);
	assert_int_equal(covered(&n, 30 * 24), 30 * 10 * HOUR);
	ready_free_node(&n);
}

static void is_bounded(void **state)
{
	char path[400], name[32];
	struct stat db, wal;
	struct ready_node n;
	struct agent a;

	clear();
	for (size_t i = 0; i < ROWS; i++) {
		snprintf(name, sizeof(name), "workload-number%zux", i);
		row_init(i, name);
	}
	start(&a, ROWS, START);
	for (uint64_t t = START; t < START + 31 * DAY; t += 12 * HOUR) { /* a day is as large with few hours */
		for (size_t i = 0; i < ROWS; i++)
			ask_v2(i, 3, 2);
		tick(&a, t, 0);
	}
	crash(&a);
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	stat(path, &db);
	strcat(path, "-wal");
	if (stat(path, &wal))
		wal.st_size = 0;
	print_message("%.1f MiB and a log of %.1f MiB, at most %.1f MiB of memory\n", (double)db.st_size / 1048576,
		      (double)wal.st_size / 1048576, (double)sqlite3_memory_highwater(0) / 1048576);
	assert_true(db.st_size + wal.st_size <= 32 << 20);
	assert_true(sqlite3_memory_highwater(0) < 8 << 20);
	n = read_back(START, START + 31 * DAY);
	assert_true(n.seen_len <= LEDGER_WORKLOADS + 1);
	assert_true(find(&n, "other")->nameless);
	ready_free_node(&n);
}

/* --- the judgement ---------------------------------------------------------------------------------------------------- */

#define MONTH_H 720
#define MONTH_END (START + MONTH_H * HOUR)
/* A ledger that is of the whole month. */
#define LEDGER(called, watched, ...)                                                                                 \
	{                                                                                                            \
		.name = called, .hours = watched, .from_s = START, .to_s = MONTH_END, .is_ledger = true, __VA_ARGS__ \
	}

static const struct ready_question one_and_tokens = { .hop_limit = 1, .tokens_required = true };

static enum ready_verdict verdict_of(const struct ready *r, const char *name, char *reason)
{
	for (size_t i = 0; i < r->rows_len; i++)
		if (!strcmp(r->rows[i].name, name)) {
			strcpy(reason, r->rows[i].reason);
			return r->rows[i].verdict;
		}
	strcpy(reason, "not there");
	return READY_UNKNOWN;
}

static uint16_t whole[MONTH_H];

struct judged {
	const char *what;
	struct ready_seen seen;
	struct ready_question q;
	size_t unwatched_h; /* from the beginning */
	uint64_t unowned;
	enum ready_verdict want;
};

#define SEEN(...)                                                                                              \
	{                                                                                                      \
		.namespace = "shop", .name = "w", .may_be_ec2 = true, .active_hours = 700, .longest_gap_h = 1, \
		.first_s = 1, .last_s = 2, __VA_ARGS__                                                         \
	}
#define V2(required) .v2 = 1000, .tokens = 100, .tokens_answered = 100, .required_hop_limit = required

static const struct judged cases[] = {
	{ "tokens, near", SEEN(V2(1)), { .hop_limit = 1, .tokens_required = true }, .want = READY_SAFE },
	{ "tokens, one hop away", SEEN(V2(2)), { .hop_limit = 1 }, .want = READY_BREAKS },
	{ "enough for it", SEEN(V2(2)), { .hop_limit = 2, .tokens_required = true }, .want = READY_SAFE },
	{ "lives on a token from before", SEEN(.v2 = 9, .required_hop_limit = 2), { .hop_limit = 1 }, .want = READY_BREAKS },
	{ "hops never seen", SEEN(V2(0)), { .hop_limit = 1 }, .want = READY_UNKNOWN },
	{ "one v1 request of a month",
	  SEEN(V2(1), .v1 = 1, .v1_answered = 1),
	  { .tokens_required = true },
	  .want = READY_BREAKS },
	{ "v1 without an answer", SEEN(V2(1), .v1 = 1), { .tokens_required = true }, .want = READY_UNKNOWN },
	{ "v1 stays allowed", SEEN(V2(1), .v1 = 1, .v1_answered = 1), { .hop_limit = 1 }, .want = READY_SAFE },
	{ "v1 credentials",
	  SEEN(.v1 = 9, .v1_answered = 9, .v1_credentials = 1),
	  { .role_delivery = true },
	  .want = READY_BREAKS },
	{ "anything, endpoint off", SEEN(V2(1)), { .endpoint_off = true }, .want = READY_BREAKS },
	{ "another cloud's",
	  { "shop", "w", .v1 = 9, .v1_answered = 9, .active_hours = 700, .first_s = 1 },
	  { .endpoint_off = true },
	  .want = READY_SAFE },
	{ "never got a token",
	  SEEN(.v2 = 9, .tokens = 9, .required_hop_limit = 1),
	  { .hop_limit = 1 },
	  .want = READY_UNKNOWN },
	{ "much unanswered", SEEN(V2(1), .unanswered = 50), { .hop_limit = 1 }, .want = READY_UNKNOWN },
	{ "two hours of a month",
	  { "shop", "w", .may_be_ec2 = true, V2(1), .active_hours = 2, .first_s = 1 },
	  { .hop_limit = 1 },
	  .want = READY_UNKNOWN },
	{ "once in a fortnight",
	  { "shop", "w", .may_be_ec2 = true, V2(1), .active_hours = 30, .longest_gap_h = 300, .first_s = 1 },
	  { .hop_limit = 1 },
	  .want = READY_UNKNOWN },
	{ "watched for two days less", SEEN(V2(1)), { .hop_limit = 1 }, .unwatched_h = 48, .want = READY_UNKNOWN },
	{ "dead answers of nobody", SEEN(V2(1)), { .hop_limit = 1 }, .unowned = 1, .want = READY_UNKNOWN },
	{ "dead answers do not matter", SEEN(V2(1)), { .tokens_required = true }, .unowned = 1, .want = READY_SAFE },
	{ "nameless", SEEN(V2(1), .nameless = true), { .hop_limit = 1 }, .want = READY_UNKNOWN },
};

static void each_case_is_judged_so(void **state)
{
	for (size_t h = 0; h < MONTH_H; h++)
		whole[h] = HOUR;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ready_seen seen = cases[i].seen;
		uint16_t hours[MONTH_H];
		struct ready_node n = LEDGER("n", hours, .unowned = cases[i].unowned, .seen = &seen, .seen_len = 1);
		struct ready r;

		memcpy(hours, whole, sizeof(hours));
		memset(hours, 0, cases[i].unwatched_h * sizeof(*hours));
		assert_int_equal(ready_judge(&cases[i].q, &n, 1, START, START + MONTH_H * HOUR, &r), 0);
		if (r.rows[0].verdict != cases[i].want)
			fail_msg("%s: %s (%s), wanted %s", cases[i].what, ready_word(r.rows[0].verdict),
				 r.rows[0].reason, ready_word(cases[i].want));
		ready_clear(&r);
	}
}

/* Somebody nameless would break: nobody is safe, for it may be any of them. */
static void the_nameless_may_be_anyone(void **state)
{
	struct ready_seen seen[2] = { SEEN(V2(1)), SEEN(.v1 = 1, .v1_answered = 1, .nameless = true) };
	struct ready_node n = LEDGER("n", whole, .seen = seen, .seen_len = 2);
	char reason[READY_REASON_LEN];
	struct ready r;

	seen[1].namespace = "";
	seen[1].name = "kubepods/x";
	ready_judge(&one_and_tokens, &n, 1, START, START + MONTH_H * HOUR, &r);
	assert_int_equal(verdict_of(&r, "w", reason), READY_UNKNOWN);
	assert_int_equal(r.counts[READY_SAFE], 0);
	ready_clear(&r);
}

/* Two nodes: what one of them saw breaks it; one that sleeps each night at three hides what comes then. */
static void nodes_are_joined_and_rhythms_meet(void **state)
{
	struct ready_seen near = SEEN(V2(1)), far = SEEN(V2(3));
	uint16_t hours[MONTH_H];
	struct ready_node n[2] = { LEDGER("a", whole, .seen = &near, .seen_len = 1),
				   LEDGER("b", hours, .seen = &far, .seen_len = 1) };
	char reason[READY_REASON_LEN];
	struct ready r;

	memcpy(hours, whole, sizeof(hours));
	ready_judge(&one_and_tokens, n, 2, START, START + MONTH_H * HOUR, &r);
	assert_int_equal(verdict_of(&r, "w", reason), READY_BREAKS);
	assert_int_equal(r.rows[0].nodes, 2);
	assert_int_equal(r.rows[0].sum.required_hop_limit, 3);
	ready_clear(&r);
	for (size_t h = 3; h < MONTH_H; h += 24)
		hours[h] = 0;
	n[1].seen = &near;
	ready_judge(&one_and_tokens, &n[1], 1, START, START + MONTH_H * HOUR, &r);
	assert_int_equal(verdict_of(&r, "w", reason), READY_UNKNOWN);
	assert_non_null(strstr(reason, "never wholly watched"));
	ready_clear(&r);
}

/* An hour of each day is not watched: 95.8 % of any time, and yet who asks then is never seen. */
static void rhythms_meet_in_short_windows(void **state)
{
	static const struct {
		size_t days, whole; /* off from 3 o'clock to 4, but on the last `whole` */
		enum ready_verdict want;
	} windows[] = { { 1, 1, READY_SAFE },	  { 1, 0, READY_UNKNOWN },  { 6, 0, READY_UNKNOWN },
			{ 6, 6, READY_SAFE },	  { 6, 4, READY_SAFE },	    { 7, 0, READY_UNKNOWN },
			{ 7, 7, READY_SAFE },	  { 13, 0, READY_UNKNOWN }, { 13, 13, READY_SAFE },
			{ 14, 0, READY_UNKNOWN }, { 14, 14, READY_SAFE } };

	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		size_t len = windows[i].days * 24;
		struct ready_seen seen = SEEN(V2(1));
		uint16_t hours[MONTH_H];
		struct ready_node n = LEDGER("n", hours, .seen = &seen, .seen_len = 1);
		struct ready r;

		for (size_t h = 0; h < len; h++)
			hours[h] = h % 24 == 3 && h < len - windows[i].whole * 24 ? 0 : HOUR;
		hours[len - 1] = HOUR / 2; /* now */
		assert_int_equal(ready_judge(&one_and_tokens, &n, 1, START, START + len * HOUR, &r), 0);
		if (r.rows[0].verdict != windows[i].want)
			fail_msg("%zu days, %zu: %s (%s)", windows[i].days, windows[i].whole,
				 ready_word(r.rows[0].verdict), r.rows[0].reason);
		ready_clear(&r);
	}
}

static void nothing_seen_is_no_yes(void **state)
{
	struct ready_node n = LEDGER("n", whole);
	struct ready r;

	ready_judge(&one_and_tokens, &n, 1, START, START + MONTH_H * HOUR, &r);
	assert_int_equal(r.rows_len, 0);
	assert_int_equal(r.counts[READY_SAFE], 0);
	ready_clear(&r);
}

/* --- several of one node, and of one name --------------------------------------------------------------------------- */

struct part {
	const char *node, *id;
	size_t from_h, to_h; /* of the month; seen and watched */
	bool is_ledger, lossy;
	size_t unwatched_h;	/* from its beginning */
	struct ready_seen seen; /* no requests: it did not ask there */
};

#define ASKED(n)                           \
	.seen = { "shop",                  \
		  "w",                     \
		  .may_be_ec2 = true,      \
		  .v2 = n,                 \
		  .tokens = n,             \
		  .tokens_answered = n,    \
		  .required_hop_limit = 1, \
		  .active_hours = 1,       \
		  .first_s = START,        \
		  .last_s = START }
#define STEADILY .seen = SEEN(V2(1))

static const struct {
	const char *what;
	struct part parts[4];
	enum ready_verdict want;
	uint64_t v2;
	size_t nodes;
} fleets[] = {
	{ "a report given twice", { { "a", "1", 0, 720, ASKED(7) }, { "a", "1", 0, 720, ASKED(7) } }, READY_UNKNOWN, 7, 1 },
	{ "reports that overlap", { { "a", "1", 0, 10, ASKED(7) }, { "a", "1", 9, 20, ASKED(9) } }, READY_UNKNOWN, 9, 1 },
	{ "reports one after the other",
	  { { "a", "1", 0, 10, ASKED(7) }, { "a", "1", 10, 20, ASKED(9) } },
	  READY_UNKNOWN,
	  16,
	  1 },
	{ "three, in another order",
	  { { "a", "1", 10, 20, ASKED(9) }, { "a", "1", 25, 30, ASKED(2) }, { "a", "1", 0, 11, ASKED(7) } },
	  READY_UNKNOWN,
	  11,
	  1 },
	{ "a ledger and a report of its time",
	  { { "a", "L", 0, 720, true, STEADILY }, { "a", "1", 5, 6, ASKED(3) } },
	  READY_SAFE,
	  1000,
	  1 },
	{ "one long report: nobody knows when it asked", { { "a", "1", 0, 720, ASKED(900) } }, READY_UNKNOWN, 900, 1 },
	{ "asked in an old report only",
	  { { "a", "1", 0, 1, ASKED(9) }, { "a", "1", 1, 720, .seen = { "shop", "w" } } },
	  READY_UNKNOWN,
	  9,
	  1 },
	{ "two networks have a node of that name: each has its own hours",
	  { { "a", "L", 0, 720, true, STEADILY }, { "a", "M", 0, 720, true, .unwatched_h = 300, STEADILY } },
	  READY_UNKNOWN,
	  2000,
	  2 },
	{ "a copy of the same ledger, older",
	  { { "a", "L", 0, 720, true, STEADILY }, { "a", "L", 0, 300, true, STEADILY } },
	  READY_SAFE,
	  1000,
	  1 },
	{ "replaced under its name: one node, as long as they take turns",
	  { { "a", "L", 0, 300, true, STEADILY }, { "a", "M", 300, 720, true, STEADILY } },
	  READY_SAFE,
	  1000,
	  1 },
	{ "no name: nodes of their own",
	  { { "", NULL, 0, 720, true, STEADILY }, { "", NULL, 0, 720, true, STEADILY } },
	  READY_SAFE,
	  2000,
	  2 },
	{ "all month with losses, beside one that was watched well",
	  { { "a", "L", 0, 720, true, STEADILY }, { "b", "M", 0, 720, true, true, STEADILY } },
	  READY_UNKNOWN,
	  2000,
	  2 },
};

static void nodes_are_told_apart(void **state)
{
	for (size_t i = 0; i < sizeof(fleets) / sizeof(fleets[0]); i++) {
		uint16_t hours[4][MONTH_H] = { { 0 } };
		struct ready_seen seen[4];
		struct ready_node n[4];
		struct ready r;
		size_t len = 0;

		for (; len < 4 && fleets[i].parts[len].node; len++) {
			const struct part *p = &fleets[i].parts[len];

			seen[len] = p->seen;
			n[len] = (struct ready_node){
				.name = p->node,
				.id = p->id,
				.hours = hours[len],
				.from_s = p->is_ledger ? START : START + p->from_h * HOUR,
				.to_s = p->is_ledger ? MONTH_END : START + p->to_h * HOUR,
				.heard = p->from_h,
				.is_ledger = p->is_ledger,
				.lossy = p->lossy,
				.seen = &seen[len],
				.seen_len = p->seen.v2 > 0,
			};
			for (size_t h = p->from_h + p->unwatched_h; h < p->to_h && !p->lossy; h++)
				hours[len][h] = HOUR;
		}
		assert_int_equal(ready_judge(&one_and_tokens, n, len, START, MONTH_END, &r), 0);
		if (r.rows[0].verdict != fleets[i].want || r.rows[0].sum.v2 != fleets[i].v2 || r.nodes != fleets[i].nodes)
			fail_msg("%s: %s (%s), %zu nodes, %llu requests", fleets[i].what, ready_word(r.rows[0].verdict),
				 r.rows[0].reason, r.nodes, (unsigned long long)r.rows[0].sum.v2);
		ready_clear(&r);
	}
}

/* Reports of an hour each: in which hours it asked is known, so it may be safe; every 250 hours is too seldom. */
static void hourly_reports_have_a_rhythm(void **state)
{
	static const struct {
		size_t every;
		enum ready_verdict want;
	} rates[] = { { 1, READY_SAFE }, { 24, READY_SAFE }, { 250, READY_UNKNOWN } };

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		static uint16_t hours[MONTH_H][MONTH_H];
		static struct ready_node n[MONTH_H];
		struct ready_seen seen = ((struct part){ ASKED(1) }).seen;
		struct ready r;

		memset(hours, 0, sizeof(hours));
		for (size_t h = 0; h < MONTH_H; h++) {
			hours[h][h] = HOUR;
			n[h] = (struct ready_node){ .name = "a", .id = "1", .hours = hours[h], .heard = h };
			n[h].from_s = START + h * HOUR;
			n[h].to_s = n[h].from_s + HOUR;
			n[h].seen = &seen;
			n[h].seen_len = h % rates[i].every == 0;
		}
		assert_int_equal(ready_judge(&one_and_tokens, n, MONTH_H, START, MONTH_END, &r), 0);
		if (r.rows[0].verdict != rates[i].want)
			fail_msg("every %zu h: %s", rates[i].every, r.rows[0].reason);
		assert_int_equal(r.nodes, 1);
		ready_clear(&r);
	}
}

/* An agent told to watch another address alone knows nothing of EC2's. */
static void other_endpoints_are_no_coverage(void **state)
{
	static const char *const other[] = { "169.254.170.2:80", "169.254.169.254:80", NULL };
	struct ready_node n;
	struct agent a;

	clear();
	row_init(0, "cart");
	start(&a, 1, START);
	a.s.endpoints = other;
	ask_v2(0, 1, 1);
	tick(&a, START + 300, 0);
	crash(&a);
	n = read_back(START, START + DAY);
	assert_int_equal(covered(&n, 24), 0);
	assert_true(n.lossy);
	assert_non_null(n.id);
	ready_free_node(&n);
}

/* --- months of rare callers ------------------------------------------------------------------------------------------- */

/*
 * Random months with a truth that is planted: an agent that is killed once in each hour, with what it had not written and
 * the time until it is back; in some months it is off for days, or each night for a while. Callers of all rhythms; what
 * truly breaks must never be called safe. MONTHS=200: so many.
 */
enum { STEADY, WEEKLY_V1, DAILY_V1, DAILY_FAR, WEEKLY_FAR, ONCE_V1, LATE_V1, CALLERS };
static const char *const caller_names[CALLERS] = { "steady",	 "weekly-v1", "daily-v1", "daily-far",
						   "weekly-far", "once-v1",   "late-v1" };

static unsigned int dice(unsigned int n)
{
	return (unsigned int)(rand() % (int)n); /* NOLINT(cert-msc30-c,cert-msc50-cpp): the same months each time */
}

struct month {
	uint64_t at[CALLERS];		  /* second of the day, week or month */
	uint64_t off_from, off_to;	  /* off for days */
	uint64_t night_from, night_len_s; /* off each night */
};

static void month_init(struct month *m, unsigned int seed)
{
	srand(seed);
	*m = (struct month){ .night_len_s = 0 };
	m->at[WEEKLY_V1] = dice(7 * DAY);
	m->at[DAILY_V1] = dice(DAY);
	m->at[DAILY_FAR] = dice(DAY);
	m->at[WEEKLY_FAR] = dice(7 * DAY);
	m->at[ONCE_V1] = dice(30 * DAY);
	m->at[LATE_V1] = 20 * DAY + dice(5 * DAY);
	if (!dice(3)) {
		m->off_from = dice(28 * DAY);
		m->off_to = m->off_from + dice(DAY);
	}
	if (!dice(3)) {
		m->night_len_s = 300 + dice(1500);
		/* half of them where somebody asks */
		m->night_from = dice(2) ? dice(DAY) : (m->at[DAILY_V1] + DAY - dice(300)) % DAY;
	}
}

static bool is_on(const struct month *m, uint64_t t)
{
	return !(t >= m->off_from && t < m->off_to) && (t + DAY - m->night_from) % DAY >= m->night_len_s;
}

/* Whether something with that period, in seconds, is asked in [from, to). */
static bool is_asked(uint64_t at, uint64_t period, uint64_t from, uint64_t to)
{
	uint64_t next = from <= at % period ? at % period : from + (period - (from - at % period) % period) % period;

	return next < to;
}

/* What is asked in [from, to) of the month, as the agent counts it. */
static void ask_between(const struct month *m, uint64_t from, uint64_t to)
{
	ask_v2(STEADY, 1 + (to - from) / 600, 1);
	ask_v2(WEEKLY_V1, 1, 1);
	ask_v2(DAILY_V1, 1, 1);
	ask_v2(LATE_V1, 1, 1);
	if (is_asked(m->at[WEEKLY_V1], 7 * DAY, from, to))
		ask_v1(WEEKLY_V1, 1);
	if (is_asked(m->at[DAILY_V1], DAY, from, to))
		ask_v1(DAILY_V1, 1);
	if (is_asked(m->at[DAILY_FAR], DAY, from, to))
		ask_v2(DAILY_FAR, 1, 2);
	if (is_asked(m->at[WEEKLY_FAR], 7 * DAY, from, to))
		ask_v2(WEEKLY_FAR, 1, 2);
	if (is_asked(m->at[ONCE_V1], 31 * DAY, from, to))
		ask_v1(ONCE_V1, 1);
	if (from >= m->at[LATE_V1] && is_asked(m->at[LATE_V1], DAY, from, to))
		ask_v1(LATE_V1, 1);
}

/* The agent sees [from, to) of the month and is killed `unsaved` seconds after it last wrote. */
static void live(const struct month *m, uint64_t from, uint64_t to)
{
	struct agent a;

	if (to < from + 120 || !is_on(m, from) || !is_on(m, to - 1))
		return;
	for (size_t i = 0; i < CALLERS; i++)
		row_init(i, caller_names[i]);
	start(&a, CALLERS, START + from);
	ask_between(m, from, to);
	tick(&a, START + to, 0);
	crash(&a);
}

static void one_month(unsigned int seed, size_t safe[CALLERS])
{
	struct ready_node n;
	struct month m;
	struct ready r;
	char reason[READY_REASON_LEN];
	uint64_t back = 0;

	clear();
	month_init(&m, seed);
	for (uint64_t hour = 0; hour < MONTH_H; hour++) {
		uint64_t crash_at = hour * HOUR + 180 + dice(3300);

		/* a segment ends in the hour that it is of, and where the night begins or ends */
		live(&m, back, crash_at - dice(60));
		back = crash_at + 1 + dice(60);
		if (back < (hour + 1) * HOUR)
			live(&m, back, (hour + 1) * HOUR - 1);
		back = (hour + 1) * HOUR - 1;
	}
	n = read_back(START, START + MONTH_H * HOUR);
	assert_int_equal(ready_judge(&one_and_tokens, &n, 1, START, START + MONTH_H * HOUR, &r), 0);
	for (size_t i = 0; i < CALLERS; i++)
		safe[i] += verdict_of(&r, caller_names[i], reason) == READY_SAFE;
	ready_clear(&r);
	ready_free_node(&n);
}

static void no_rare_caller_is_called_safe(void **state)
{
	const char *months = getenv("MONTHS");
	size_t safe[CALLERS] = { 0 }, len = months ? strtoul(months, NULL, 10) : 3;

	for (unsigned int i = 0; i < len; i++)
		one_month(i + 1, safe);
	for (size_t i = 0; i < CALLERS; i++)
		print_message("%s: safe in %zu of %zu months\n", caller_names[i], safe[i], len);
	assert_true(safe[STEADY] > 0); /* else nothing was shown */
	for (size_t i = STEADY + 1; i < CALLERS; i++)
		assert_int_equal(safe[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_come_back, begin, end),
		cmocka_unit_test_setup_teardown(a_silence_before_the_first_request_counts, begin, end),
		cmocka_unit_test_setup_teardown(at_least_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(a_lossy_minute_is_not_watched, begin, end),
		cmocka_unit_test_setup_teardown(a_tenants_losses_are_its_own, begin, end),
		cmocka_unit_test_setup_teardown(the_clock_steps, begin, end),
		cmocka_unit_test_setup_teardown(its_files_are_its_owners, begin, end),
		cmocka_unit_test_setup_teardown(another_writer_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_lock_is_told_and_costs_no_count, begin, end),
		cmocka_unit_test_setup_teardown(a_later_schema_is_refused_and_kept, begin, end),
		cmocka_unit_test_setup_teardown(another_schema_is_not_read, begin, end),
		cmocka_unit_test_setup_teardown(a_nameless_row_is_anyone, begin, end),
		cmocka_unit_test_setup_teardown(pages_that_are_each_others_end, begin, end),
		cmocka_unit_test_setup_teardown(only_regular_files_are_opened, begin, end),
		cmocka_unit_test_setup_teardown(a_damaged_one_is_moved_aside, begin, end),
		cmocka_unit_test_setup_teardown(survives_kill, begin, end),
		cmocka_unit_test_setup_teardown(daily_restarts_do_not_keep_it_for_ever, begin, end),
		cmocka_unit_test_setup_teardown(is_bounded, begin, end),
		cmocka_unit_test(each_case_is_judged_so),
		cmocka_unit_test(the_nameless_may_be_anyone),
		cmocka_unit_test(nodes_are_joined_and_rhythms_meet),
		cmocka_unit_test(rhythms_meet_in_short_windows),
		cmocka_unit_test(nothing_seen_is_no_yes),
		cmocka_unit_test(nodes_are_told_apart),
		cmocka_unit_test(hourly_reports_have_a_rhythm),
		cmocka_unit_test_setup_teardown(other_endpoints_are_no_coverage, begin, end),
		cmocka_unit_test_setup_teardown(no_rare_caller_is_called_safe, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
