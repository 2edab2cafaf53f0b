/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/window.c user/report/findings.c user/report/finding_*.c user/report/advice.c */
/* needs: user/report/path.c user/report/platform.c user/pods/workload.c */
#include "../../user/model/counters.h"
#include "../../user/model/pod_table.h"
#include "../../user/report/window.h"
#include "unit.h"

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)

static const struct imds_endpoint endpoint;
static const struct pod_table_options options = {
	.max_pods = 8,
	.stall_ns = SECOND / 4,
	.slow_ns = SECOND,
	.endpoints = &endpoint,
	.endpoints_len = 1,
};

static struct pod_identity who(const char *pod, const char *id)
{
	return (struct pod_identity){ 7, "shop", pod, "app", "uid", id, "kubepods/x", "", "", RUNTIME_NONE, 0 };
}

/* One answered request of us microseconds at now_ns. */
static void add(struct pod_table *t, const char *pod, const char *id, uint64_t us, uint64_t now_ns)
{
	struct pod_identity w = who(pod, id);
	struct request r = { .who = &w, .drop_reason = "", .drop_location = "", .node = "n" };
	struct imds_request *q = &r.rec.req;

	q->kind = IMDS_KIND_DATA;
	q->version = IMDS_VERSION_V2;
	q->status = 200;
	q->end = IMDS_END_ANSWERED;
	q->start_ns = now_ns - us * 1000;
	q->sent_ns = q->start_ns;
	q->first_byte_ns = q->last_byte_ns = q->end_ns = now_ns;
	strcpy(r.rec.peer.comm, "curl");
	r.rec.peer.pid = 5;
	pod_table_add_request(t, &r, now_ns);
}

/* One that the client gave up after a second without an answer. */
static void unanswered(struct pod_table *t, const char *pod, const char *id, uint64_t now_ns)
{
	struct pod_identity w = who(pod, id);
	struct request r = { .who = &w, .drop_reason = "", .drop_location = "", .node = "n" };
	struct imds_request *q = &r.rec.req;

	r.rec.synack_ns = now_ns - SECOND;
	q->kind = IMDS_KIND_DATA;
	q->end = IMDS_END_CLOSED;
	q->start_ns = q->sent_ns = now_ns - SECOND;
	q->end_ns = now_ns;
	pod_table_add_request(t, &r, now_ns);
}

/* One whose packets were dropped in that place. */
static void dropped(struct pod_table *t, const char *location, uint64_t now_ns)
{
	struct pod_identity w = who("web", "1");
	struct request r = { .who = &w,
			     .outcome = OUTCOME_BLOCKED,
			     .cause = CAUSE_FILTERED,
			     .drop_reason = "NETFILTER_DROP",
			     .drop_location = location,
			     .node = "n" };

	r.rec.req.end = IMDS_END_CLOSED;
	r.rec.req.drop.ts_ns = now_ns;
	r.rec.req.end_ns = now_ns;
	pod_table_add_request(t, &r, now_ns);
}

/* One answered with that status. */
static void error(struct pod_table *t, uint16_t status, uint64_t now_ns)
{
	struct pod_identity w = who("web", "1");
	struct request r = { .who = &w, .outcome = OUTCOME_HTTP_ERROR, .drop_reason = "", .drop_location = "", .node = "n" };

	r.rec.req.status = status;
	r.rec.req.end = IMDS_END_ANSWERED;
	if (status == 404) { /* its connection stood late, too */
		r.rec.req.flags = IMDS_F_FIRST;
		r.rec.syn_ns = now_ns - 3 * SECOND;
		r.rec.synack_ns = now_ns;
	}
	r.rec.req.end_ns = r.rec.req.first_byte_ns = r.rec.req.last_byte_ns = now_ns;
	pod_table_add_request(t, &r, now_ns);
}

static struct loss losses[] = { { "ring_request", "", 0 } };

static struct snapshot take(struct pod_table *t, struct snapshot *s, uint64_t now_ns)
{
	s->now_ns = now_ns;
	s->now_wall_ns = 1000 * MINUTE + now_ns;
	s->losses = losses;
	s->losses_len = 1;
	s->version = s->node = s->kernel = "x";
	assert_int_equal(pod_table_snapshot(t, s), 0);
	return *s;
}

static void a_window_holds_what_came_after_its_step(void **state)
{
	struct snapshot s = { .started_ns = MINUTE }, recent;
	struct pod_table *t;
	struct window *w;

	assert_int_equal(pod_table_new(&options, &t), 0);
	assert_int_equal(window_new(&w), 0);
	assert_true(window_is_due(w, MINUTE));
	add(t, "old", "1", 4000000, 6 * MINUTE - SECOND); /* 4 s: the slowest of all, before the window */
	add(t, "quiet", "2", 100, 6 * MINUTE - SECOND);
	losses[0].count = 2;
	for (uint64_t m = 1; m <= 20; m++) {
		take(t, &s, m * MINUTE);
		assert_int_equal(window_keep(w, &s), 0);
		assert_false(window_is_due(w, m * MINUTE + 59 * SECOND));
		assert_true(window_is_due(w, (m + 1) * MINUTE));
		if (m == 14)
			add(t, "old", "1", 300, m * MINUTE + SECOND); /* kept at the very step where the window begins */
		if (m == 17) {
			add(t, "old", "1", 300, m * MINUTE + SECOND);
			add(t, "old", "1", 300, m * MINUTE + SECOND);
			add(t, "new", "3", 2000, m * MINUTE + SECOND);
			losses[0].count = 5;
		}
	}
	take(t, &s, 20 * MINUTE + 30 * SECOND);
	assert_int_equal(window_since(w, &s, 300, &recent), 0);
	assert_int_equal(recent.started_ns, 15 * MINUTE); /* the step before: never less than asked */
	assert_int_equal(recent.started_wall_ns, 1000 * MINUTE + 15 * MINUTE);
	assert_int_equal(recent.pods_len, 2); /* `quiet` said nothing */
	assert_int_equal(recent.totals.requests, 3);
	assert_int_equal(recent.totals.outcomes[OUTCOME_OK], 3);
	assert_int_equal(recent.losses[0].count, 3);
	for (size_t i = 0; i < 2; i++) {
		const struct pod_stats *p = recent.pods[i];
		bool old = !strcmp(p->who.pod, "old");

		assert_int_equal(p->requests, old ? 2 : 1);
		assert_int_equal(p->kinds[IMDS_KIND_DATA], old ? 2 : 1);
		assert_int_equal(p->latency.count, old ? 2 : 1);
		assert_int_equal(p->slow, 0);
		assert_int_equal(p->latency.max_us, old ? 500 : 2000); /* the true longest of `old` is older */
		assert_int_equal(p->processes[0].requests, old ? 2 : 1);
		assert_int_equal(histogram_quantile_us(&p->latency, 0.99), old ? 500 : 2000);
	}
	window_release(&recent);

	assert_int_equal(window_since(w, &s, 60, &recent), 0);
	assert_int_equal(recent.pods_len, 0);
	assert_int_equal(recent.totals.requests, 0);
	window_release(&recent);
	assert_int_equal(window_since(w, &s, WINDOW_MAX_S, &recent), 0);
	assert_int_equal(recent.started_ns, 10 * MINUTE);
	assert_int_equal(recent.totals.requests, 4);
	window_release(&recent);

	assert_int_equal(s.totals.requests, 6); /* the snapshot itself is as it was */
	window_free(w);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

/* What a report quotes, with its counts: of the window, however much there was before. */
static void what_is_quoted_is_of_the_window(void **state)
{
	const struct unowned unowned[] = { { .packets = 9, .last_ns = MINUTE }, { .packets = 3, .last_ns = 9 * MINUTE } };
	struct snapshot s = { .started_ns = MINUTE }, recent;
	const struct pod_stats *p;
	struct pod_table *t;
	struct window *w;

	assert_int_equal(pod_table_new(&options, &t), 0);
	assert_int_equal(window_new(&w), 0);
	for (int i = 0; i < 3; i++) {
		dropped(t, "nf_hook_slow", MINUTE);
		error(t, 404, MINUTE);
	}
	error(t, 403, MINUTE);
	for (uint64_t m = 2; m <= 9; m++) {
		take(t, &s, m * MINUTE);
		assert_int_equal(window_keep(w, &s), 0);
	}
	dropped(t, "nft_do_chain", 9 * MINUTE + SECOND);
	error(t, 403, 9 * MINUTE + SECOND);
	take(t, &s, 9 * MINUTE + 30 * SECOND);
	s.unowned = unowned;
	s.unowned_len = 2;
	assert_int_equal(window_since(w, &s, 60, &recent), 0);
	assert_int_equal(recent.unowned_len, 1); /* of the other one nothing died in the window */
	assert_int_equal(recent.unowned[0].packets, 3);
	assert_int_equal(recent.pods_len, 1);
	p = recent.pods[0];
	assert_int_equal(p->requests, 2);
	assert_int_equal(p->slow_connects, 0);
	assert_int_equal(p->notes_len, 1);
	assert_string_equal(p->notes[0].location, "nft_do_chain");
	assert_int_equal(p->notes[0].requests, 1);
	assert_int_equal(p->errors_len, 1);
	assert_int_equal(p->errors[0].status, 403);
	assert_int_equal(p->errors[0].requests, 1);
	window_release(&recent);
	assert_int_equal(s.pods[0]->notes_len, 2);
	assert_int_equal(s.pods[0]->slow_connects, 3);
	window_free(w);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

static void younger_than_asked_is_all_of_it(void **state)
{
	struct snapshot s = { .started_ns = MINUTE }, recent;
	struct pod_table *t;
	struct window *w;

	assert_int_equal(pod_table_new(&options, &t), 0);
	assert_int_equal(window_new(&w), 0);
	take(t, &s, MINUTE);
	assert_int_equal(window_since(w, &s, 300, &recent), -ENOENT);
	assert_int_equal(window_keep(w, &s), 0);
	take(t, &s, 2 * MINUTE);
	assert_int_equal(window_since(w, &s, 300, &recent), -ENOENT);
	window_free(w);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

static bool is_alive(void *arg, uint64_t cgroup_id)
{
	return false;
}

static void row_that_came_back_starts_anew(void **state)
{
	struct snapshot s = { .started_ns = MINUTE }, recent;
	struct pod_table *t;
	struct window *w;

	assert_int_equal(pod_table_new(&options, &t), 0);
	assert_int_equal(window_new(&w), 0);
	for (int i = 0; i < 5; i++)
		add(t, "web", "1", 100, MINUTE);
	take(t, &s, MINUTE + SECOND);
	assert_int_equal(window_keep(w, &s), 0);
	pod_table_expire(t, 7 * MINUTE, 5 * MINUTE, is_alive, NULL);
	add(t, "web", "1", 100, 7 * MINUTE);
	take(t, &s, 7 * MINUTE);
	assert_int_equal(window_since(w, &s, 300, &recent), 0);
	assert_int_equal(recent.totals.requests, 1);
	window_release(&recent);
	window_free(w);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

/* What came while the table was read is newer than the time of the tick. */
static void row_newer_than_now_stays(void **state)
{
	struct snapshot s = { .started_ns = MINUTE };
	struct pod_table *t;

	assert_int_equal(pod_table_new(&options, &t), 0);
	add(t, "web", "1", 100, 7 * MINUTE);
	pod_table_expire(t, 7 * MINUTE - SECOND, 5 * MINUTE, is_alive, NULL);
	take(t, &s, 7 * MINUTE);
	assert_int_equal(s.pods_len, 1);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

static void totals_are_since_the_start(void **state)
{
	struct snapshot s = { .started_ns = MINUTE };
	struct pod_table *t;

	assert_int_equal(pod_table_new(&options, &t), 0);
	add(t, "web", "1", 100, MINUTE);
	add(t, "cart", "2", 100, 9 * MINUTE);
	pod_table_expire(t, 9 * MINUTE, 5 * MINUTE, is_alive, NULL);
	take(t, &s, 9 * MINUTE);
	assert_int_equal(s.pods_len, 1);
	assert_int_equal(s.totals.requests, 2);
	assert_int_equal(s.totals.outcomes[OUTCOME_OK], 2);
	assert_int_equal(s.totals.latency.count, 2);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

/* A pod that failed and left: the totals, the window and a finding keep it, each as long as it is of that time. */
static void what_gone_rows_had_is_kept(void **state)
{
	struct snapshot s = { .started_ns = MINUTE }, recent;
	struct pod_table *t;
	struct window *w;
	bool found = false;

	assert_int_equal(pod_table_new(&options, &t), 0);
	assert_int_equal(window_new(&w), 0);
	add(t, "job", "1", 100, 30 * SECOND); /* before the window begins */
	for (uint64_t m = 1; m <= 9; m++) {
		if (m == 3)
			unanswered(t, "job", "1", 2 * MINUTE + SECOND);
		if (m == 9)
			pod_table_expire(t, 8 * MINUTE + 30 * SECOND, 5 * MINUTE, is_alive, NULL);
		take(t, &s, m * MINUTE);
		assert_int_equal(window_keep(w, &s), 0);
	}
	assert_int_equal(s.pods_len, 0);
	assert_int_equal(s.totals.requests, 2);
	assert_int_equal(s.gone->failed, 1);
	take(t, &s, 9 * MINUTE + 30 * SECOND);
	assert_int_equal(window_since(w, &s, 480, &recent), 0); /* from minute 1 on */
	assert_int_equal(recent.pods_len, 0);
	assert_int_equal(recent.totals.requests, 1);
	assert_int_equal(recent.totals.failed, 1);
	assert_int_equal(recent.gone_rows, 1);
	for (size_t i = 0; i < recent.findings_len; i++)
		found |=
		    recent.findings[i].code == FINDING_GONE_FAILED && recent.findings[i].severity == SEVERITY_WARNING;
	assert_true(found);
	window_release(&recent);
	assert_int_equal(window_since(w, &s, 300, &recent), 0); /* it was over by then */
	assert_int_equal(recent.totals.requests, 0);
	assert_int_equal(recent.findings_len, 0);
	window_release(&recent);
	window_free(w);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

/* The longest of all time is told of a window only where all of its kind came in that window. */
static void what_took_longest_may_be_older(void **state)
{
	struct pod_stats before = { .slow_connects = 1,
				    .connect = { .max_us = 3000000 },
				    .late_took_us = 4000000,
				    .late_waited_us = 1000000,
				    .causes = { [CAUSE_SLOW] = 1 } };
	struct pod_stats none = { .hops = -1 }, since = before;
	struct counters_mark mark;

	(void)state;
	counters_mark(&none, &mark);
	assert_true(counters_since(&since, &mark));
	assert_int_equal(since.connect.max_us, 3000000);
	assert_int_equal(since.late_took_us, 4000000);
	counters_mark(&before, &mark);
	since = before;
	since.slow_connects = since.causes[CAUSE_SLOW] = 2;
	assert_true(counters_since(&since, &mark));
	assert_int_equal(since.slow_connects, 1);
	assert_int_equal(since.connect.max_us, 0);
	assert_int_equal(since.late_took_us, 0);
	assert_int_equal(since.late_waited_us, 0);
}

static void container_started_again_takes_over_its_counts(void **state)
{
	struct snapshot s = { .started_ns = MINUTE };
	const struct pod_stats *p;
	struct pod_table *t;

	assert_int_equal(pod_table_new(&options, &t), 0);
	add(t, "web", "1", 100, MINUTE);
	add(t, "web", "1", 100, MINUTE);
	add(t, "web", "2", 100, 3 * MINUTE);
	pod_table_expire(t, 7 * MINUTE, 5 * MINUTE, is_alive, NULL); /* 1 leaves to 2 */
	add(t, "cart", "4", 100, 9 * MINUTE);
	add(t, "web", "3", 100, 9 * MINUTE);
	pod_table_expire(t, 9 * MINUTE, 5 * MINUTE, is_alive, NULL); /* 2 leaves to 3, with what it had */
	take(t, &s, 9 * MINUTE);
	assert_int_equal(s.pods_len, 2);
	p = s.pods[strcmp(s.pods[0]->who.pod, "web") ? 1 : 0];
	assert_int_equal(p->requests, 1);
	assert_non_null(p->before);
	assert_int_equal(p->before->requests, 3);
	assert_int_equal(p->before->by_kind[IMDS_KIND_DATA]->cells[IMDS_VERSION_V2][OUTCOME_OK], 3);
	assert_int_equal(p->before->by_kind[IMDS_KIND_DATA]->latency.count, 3);
	assert_null(s.pods[strcmp(s.pods[0]->who.pod, "web") ? 0 : 1]->before);
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

static void running_requests_are_counted_anew_each_time(void **state)
{
	struct snapshot s = { .started_ns = MINUTE };
	struct pod_identity w = who("web", "1");
	struct pod_table *t;

	assert_int_equal(pod_table_new(&options, &t), 0);
	for (uint64_t running = 3; running < 4; running--) {
		for (uint64_t i = 0; i < running; i++)
			pod_table_add_running(t, &w);
		pod_table_show_running(t);
		take(t, &s, MINUTE);
		assert_int_equal(s.totals.in_flight, running);
		assert_int_equal(s.pods_len, running ? 1 : 0); /* it has nothing else to show */
	}
	pod_table_free(t);
	histogram_clear(&s.totals.latency);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_holds_what_came_after_its_step),
		cmocka_unit_test(what_is_quoted_is_of_the_window),
		cmocka_unit_test(younger_than_asked_is_all_of_it),
		cmocka_unit_test(row_that_came_back_starts_anew),
		cmocka_unit_test(row_newer_than_now_stays),
		cmocka_unit_test(totals_are_since_the_start),
		cmocka_unit_test(what_took_longest_may_be_older),
		cmocka_unit_test(what_gone_rows_had_is_kept),
		cmocka_unit_test(container_started_again_takes_over_its_counts),
		cmocka_unit_test(running_requests_are_counted_anew_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
