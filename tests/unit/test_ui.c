/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/view/columns.c user/report/report.c user/report/level.c user/report/headline.c user/report/pod_count.c */
/* needs: user/report/platform.c user/view/text.c user/view/text_extras.c user/report/compare.c */
/* needs: user/report/what_if.c user/pods/workload.c user/view/ui.c user/view/ui_table.c user/view/ui_page.c */
/* needs: user/view/ui_keys.c user/view/ui_rows.c user/view/ui_terminal.c user/view/text_layout.c */
/* needs: user/view/text_escape.c user/report/findings.c user/report/finding_*.c user/report/advice.c */
/* needs: user/report/path.c user/report/platform.c user/pods/workload.c */
/* The rows behind the screen, and the screen itself on a pseudo-terminal, read back from ncurses' own picture of it. */
#include <fcntl.h>
#include <pty.h>
#include <unistd.h>
#include <curses.h>

#include "../../user/report/findings.h"
#include "../../user/view/ui.h"
#include "../../user/view/ui_rows.h"
#include "unit.h"
#include "golden/case.h"

/* ncurses forgets what it took when newterm() refuses a terminal */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:new_prescr\n";
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static void expect_order(struct ui_rows *rows, enum ui_sort sort, const char *filter, const char *want)
{
	char got[256] = "";

	rows->sort = sort;
	snprintf(rows->filter, sizeof(rows->filter), "%s", filter);
	assert_int_equal(ui_rows_arrange(rows), 0);
	for (size_t i = 0; i < rows->len; i++)
		sprintf(got + strlen(got), "%.5s ", strchr(rows->order[i]->name, '/') + 1);
	assert_string_equal(got, want);
}

static int update_rows(struct ui_rows *rows, const struct snapshot *s,
		       bool (*selects)(void *, const struct pod_stats *), void *arg)
{
	struct report said;
	int err;

	assert_int_equal(report_build(s, &said), 0);
	err = ui_rows_update(rows, &said, true, selects, arg);
	report_clear(&said);
	return err;
}

static int update_screen(struct ui *ui, const struct snapshot *s)
{
	struct report said;
	int err;

	assert_int_equal(report_build(s, &said), 0);
	err = ui_update(ui, &said, NULL, NULL);
	report_clear(&said);
	return err;
}

static void rows_are_sorted_and_filtered(void **state)
{
	struct golden_case c;
	struct ui_rows rows;

	golden_case_init(&c);
	assert_int_equal(ui_rows_init(&rows), 0);
	assert_int_equal(update_rows(&rows, &c.s, NULL, NULL), 0);
	expect_order(&rows, UI_SORT_WORST, "", "cart- batch node- ");
	expect_order(&rows, UI_SORT_REQUESTS, "", "node- cart- batch ");
	expect_order(&rows, UI_SORT_LATENCY, "", "cart- node- batch ");
	expect_order(&rows, UI_SORT_LOST, "", "cart- batch node- ");
	expect_order(&rows, UI_SORT_NAME, "", "batch node- cart- ");
	expect_order(&rows, UI_SORT_WORST, "KUBE-sys", "node- ");
	expect_order(&rows, UI_SORT_WORST, "nobody", "");
	ui_rows_clear(&rows);
	golden_case_clear(&c);
}

static bool only_cart(void *arg, const struct pod_stats *p)
{
	return !strncmp(p->who.pod, arg, strlen(arg));
}

static void rows_follow_the_snapshot(void **state)
{
	struct golden_case c;
	struct ui_rows rows;

	golden_case_init(&c);
	assert_int_equal(ui_rows_init(&rows), 0);
	assert_int_equal(update_rows(&rows, &c.s, NULL, NULL), 0);
	assert_int_equal(rows.len, 3);
	assert_int_equal(rows.order[1]->cells.failed, 2);
	assert_int_equal(rows.order[0]->cells.failed, 4);
	assert_string_equal(rows.order[0]->cause, "hop limit, needs 2");
	assert_true(rows.order[2]->cells.rate == 0); /* one sample is no rate */
	for (int i = 1; i <= 10; i++) {
		c.agent.requests += 5;
		c.s.now_ns += S;
		assert_int_equal(update_rows(&rows, &c.s, NULL, NULL), 0);
	}
	assert_true(rows.order[2]->cells.rate > 4.99 && rows.order[2]->cells.rate < 5.01);
	assert_int_equal(update_rows(&rows, &c.s, only_cart, (void *)"cart"), 0);
	assert_int_equal(rows.len, 1);
	assert_int_equal(HASH_COUNT(rows.by_key), 1); /* what is gone is freed */
	ui_rows_clear(&rows);
	golden_case_clear(&c);
}

static struct request a_request(const struct pod_identity *who, uint64_t cookie, bool running)
{
	struct request r = { .who = who, .running = running, .hops = 1, .required_hop_limit = 2, .wall_ns = 1700000000 * S };

	r.rec.peer.cookie = cookie;
	r.rec.req.start_ns = 1000 * S;
	r.rec.req.end_ns = running ? 0 : 1001 * S;
	r.rec.req.method = IMDS_METHOD_PUT;
	r.rec.req.kind = IMDS_KIND_TOKEN;
	r.outcome = OUTCOME_HOP_LIMIT;
	strcpy(r.rec.req.path, "/latest/api/token");
	memcpy(r.rec.peer.comm, "sixteen-bytes-ok", IMDS_COMM_LEN); /* no NUL */
	return r;
}

static void requests_are_bounded_and_replace_their_stall(void **state)
{
	const struct pod_identity one = { .cgroup_id = 1 }, two = { .cgroup_id = 2 };
	const struct ui_request *u;
	struct ui_rows rows;
	struct request r;
	uint64_t at;
	size_t n = 0;

	assert_int_equal(ui_rows_init(&rows), 0);
	r = a_request(&one, 7, true);
	ui_rows_add_request(&rows, &r, 1000 * S + S / 4);
	r = a_request(&two, 8, false);
	ui_rows_add_request(&rows, &r, 1001 * S);
	r = a_request(&one, 7, false);
	ui_rows_add_request(&rows, &r, 1001 * S);
	at = rows.requests_end;
	assert_int_equal(at, 2);
	u = ui_rows_next_request(&rows, 1, &at);
	assert_non_null(u);
	assert_false(u->running);
	assert_string_equal(u->comm, "sixteen-bytes-ok");
	assert_string_equal(u->what, "PUT /latest/api/token");
	assert_int_equal(u->duration_us, 1000000);
	assert_null(ui_rows_next_request(&rows, 1, &at));
	for (int i = 0; i < 3 * UI_REQUESTS; i++) {
		r = a_request(&one, 100 + i, i % 2);
		ui_rows_add_request(&rows, &r, 1001 * S);
	}
	for (at = rows.requests_end; (u = ui_rows_next_request(&rows, 1, &at)); n++)
		assert_true(n || u->cookie == 100 + 3 * UI_REQUESTS - 1);
	assert_int_equal(n, UI_REQUESTS);
	assert_int_equal(rows.stalls, UI_REQUESTS / 2);
	ui_rows_clear(&rows);
}

static void figures_are_short(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} numbers[] = {
		{ 0, "0" },	    { 99999, "99999" },	 { 100000, "100k" },
		{ 999400, "999k" }, { 1234567, "1.2M" }, { UINT64_MAX, "18E" },
	};
	static const uint32_t us[] = { 5000000, 100, 500, 2000, 1000000 };
	char buf[64];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_string_equal(columns_number(numbers[i].n, buf, sizeof(buf)), numbers[i].text);
	assert_string_equal(ui_spark(us, 5, 4, false, buf, sizeof(buf)), "_.:#");
	assert_string_equal(ui_spark(us, 5, 4, true, buf, sizeof(buf)), "▁▂▃█");
	assert_string_equal(ui_spark(us, 5, 4, true, buf, 7), "▁▂"); /* no half character */
	assert_string_equal(ui_spark(us, 0, 4, true, buf, sizeof(buf)), "");
}

/* --- the screen -------------------------------------------------------------------------------------------------- */

struct screen {
	int master;
	FILE *tty;
	struct ui *ui;
	struct golden_case c;
};

static void screen_open(struct screen *s, int columns, int rows, bool utf8, bool color)
{
	struct winsize w = { .ws_row = rows, .ws_col = columns };
	struct ui_options o = { .utf8 = utf8, .color = color };
	int slave;

	setenv("TERM", "xterm-256color", 1);
	unsetenv("LINES");
	unsetenv("COLUMNS");
	assert_int_equal(openpty(&s->master, &slave, NULL, NULL, &w), 0);
	s->tty = fdopen(slave, "r+");
	setvbuf(s->tty, NULL, _IOFBF, 65536);
	o.in = o.out = s->tty;
	golden_case_init(&s->c);
	assert_int_equal(findings_collect(&s->c.s, &s->c.s.findings, &s->c.s.findings_len), 0);
	assert_int_equal(ui_new(&o, &s->ui), 0);
	assert_int_equal(update_screen(s->ui, &s->c.s), 0);
}

static void drain(struct screen *s)
{
	char buf[4096];
	fd_set set;

	for (;;) {
		struct timeval none = { 0 };

		FD_ZERO(&set);
		FD_SET(s->master, &set);
		if (select(s->master + 1, &set, NULL, NULL, &none) < 1 || read(s->master, buf, sizeof(buf)) <= 0)
			return;
	}
}

static void screen_close(struct screen *s)
{
	drain(s);
	ui_free(s->ui);
	fclose(s->tty);
	close(s->master);
	findings_free(s->c.s.findings, s->c.s.findings_len);
	golden_case_clear(&s->c);
}

static enum ui_action type(struct screen *s, const char *keys)
{
	enum ui_action action;

	assert_int_equal(write(s->master, keys, strlen(keys)), strlen(keys));
	action = ui_input(s->ui);
	drain(s);
	return action;
}

/* The whole screen; each line without trailing blanks. */
static const char *shown(void)
{
	static char text[65536];
	char line[2048];
	size_t at = 0;

	for (int y = 0; y < getmaxy(stdscr); y++) {
		size_t len;

		mvinnstr(y, 0, line, sizeof(line) - 1);
		len = strlen(line);
		while (len && line[len - 1] == ' ')
			len--;
		at += sprintf(text + at, "%.*s\n", (int)len, line);
	}
	return text;
}

static void assert_shows(const char *want, bool yes)
{
	if (!strstr(shown(), want) == yes)
		fail_msg("'%s' is %s on this screen:\n%s", want, yes ? "not" : "", shown());
}

static void table_fits_80_columns(void **state)
{
	struct screen s;

	screen_open(&s, 80, 24, true, false);
	assert_shows("\nPOD                   REQS  ANSW FAIL WAIT  LOST   P99 HOPS CAUSE\n", true);
	assert_shows("\nshop/cart-…x1q (app)     6     2    4    0  4.4s 3.3ms  1/2 hop limit, needs 2\n", true);
	assert_shows("\njobs/batch… (worker)     2     0    2    0  2.0s     -    - dropped by a filter\n", true);
	assert_shows("\nPROBLEM  1 of 3 pods on ip-10-0-1-17 gets no metadata token: hop limit 1 is too", true);
	assert_shows("20 requests: 14 answered, 6 failed, 0 running; 6.4 s lost; p99 3.3 ms\n", true);
	screen_close(&s);
}

static void table_uses_200_columns(void **state)
{
	struct screen s;

	screen_open(&s, 200, 50, false, true);
	assert_shows("REQS   V1   V2  ANSW FAIL WAIT  LOST   P50   P99   MAX    /S TTL HOPS DROPS CAUSE                "
		     "        LATENCY\n",
		     true);
	assert_shows("shop/cart-7d9f6c5b8-x2x1q (app) ", true);
	assert_shows("4.4s 2.9ms 3.3ms 3.3ms   0.0  63  1/2    11 hop limit, needs 2\n", true);
	screen_close(&s);
}

static void hostile_name_cannot_steer_the_terminal(void **state)
{
	struct screen s;

	screen_open(&s, 80, 24, true, false);
	s.c.cart.who.pod = "\033[2J\007evil";
	assert_int_equal(update_screen(s.ui, &s.c.s), 0);
	assert_shows("shop/\\x1b[2J\\x07", true);
	assert_int_equal(type(&s, "\r"), UI_NONE);
	assert_shows("shop/\\x1b[2J\\x07evil (app)", true);
	screen_close(&s);
}

static void keys_do_what_help_says(void **state)
{
	struct screen s;
	struct request r;

	screen_open(&s, 80, 24, false, false);
	assert_int_equal(type(&s, "?"), UI_NONE);
	assert_shows("w  worst first            r  requests", true);
	type(&s, "x");
	assert_shows("POD     ", true);
	type(&s, "n");
	assert_shows("sorted by name", true);
	type(&s, "w/batch");
	assert_shows("Show names with: batch_", true);
	assert_shows("cart", false);
	type(&s, "q\177\r"); /* no quitting while typing; Backspace */
	assert_shows("only names with 'batch'", true);
	type(&s, "\r");
	assert_shows("dropped in nf_hook_slow (NETFILTER_DROP)", true);
	type(&s, "\033");
	type(&s, "\033");
	assert_shows("cart", true);
	type(&s, "g\r");
	r = a_request(&s.c.batch.who, 5, true);
	assert_true(ui_add_request(s.ui, &r, 1000 * S));
	ui_draw(s.ui);
	assert_shows("sixteen-b~ PUT /latest/api/token    - stalled", true);
	type(&s, "p");
	assert_shows(" PAUSED\n", true);
	r = a_request(&s.c.batch.who, 6, false);
	assert_false(ui_add_request(s.ui, &r, 1001 * S));
	s.c.batch.requests = 77;
	assert_int_equal(update_screen(s.ui, &s.c.s), 0);
	type(&s, "\033");
	assert_shows("   77 ", false);
	type(&s, "p");
	assert_int_equal(update_screen(s.ui, &s.c.s), 0);
	assert_shows("   77 ", true);
	assert_int_equal(type(&s, "q"), UI_QUIT);
	screen_close(&s);
}

static void advice_is_shown_to_its_end(void **state)
{
	struct screen s;
	char all[65536] = "";

	screen_open(&s, 80, 24, false, false);
	type(&s, "\r");
	for (int i = 0; i < 8; i++) {
		strcat(all, shown());
		type(&s, " ");
	}
	assert_non_null(strstr(all, "IMDS --TTL 1--> node X dies in ip_forward (IP_INHDR)"));
	assert_non_null(strstr(all, "error hop-limit-exhausted"));
	assert_non_null(strstr(all, "enabled\n")); /* the end of a command that is wider than the screen */
	screen_close(&s);
}

static void any_size_will_do(void **state)
{
	static const char keys[] = "?x\r \033/a\033nrfsltdw";
	struct screen s;

	for (int columns = 1; columns < 210; columns += columns < 90 ? 1 : 13) {
		for (int rows = 1; rows < 30; rows += 7) {
			screen_open(&s, columns, rows, columns % 2, false);
			for (size_t i = 0; keys[i]; i++)
				type(&s, (char[]){ keys[i], '\0' });
			screen_close(&s);
		}
	}
}

static void gone_terminal_ends_it(void **state)
{
	struct screen s;

	screen_open(&s, 80, 24, true, false);
	close(s.master);
	assert_int_equal(ui_input(s.ui), UI_QUIT);
	s.master = open("/dev/null", O_RDWR);
	screen_close(&s);
}

static void unknown_terminal_is_refused(void **state)
{
	struct ui_options o = { .in = stdin, .out = stdout };
	struct ui *ui;
	int slave, master;
	FILE *tty;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tty = fdopen(slave, "r+");
	o.in = o.out = tty;
	setenv("TERM", "no-such-terminal", 1);
	assert_int_equal(ui_new(&o, &ui), -ENOTTY);
	fclose(tty);
	close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sorted_and_filtered),
		cmocka_unit_test(rows_follow_the_snapshot),
		cmocka_unit_test(requests_are_bounded_and_replace_their_stall),
		cmocka_unit_test(figures_are_short),
		cmocka_unit_test(table_fits_80_columns),
		cmocka_unit_test(table_uses_200_columns),
		cmocka_unit_test(hostile_name_cannot_steer_the_terminal),
		cmocka_unit_test(keys_do_what_help_says),
		cmocka_unit_test(advice_is_shown_to_its_end),
		cmocka_unit_test(any_size_will_do),
		cmocka_unit_test(gone_terminal_ends_it),
		cmocka_unit_test(unknown_terminal_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
