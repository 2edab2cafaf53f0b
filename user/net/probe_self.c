/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe_self.h"

#include <unistd.h>

#include "../base/clock.h"
#include "../base/small.h"

#define MISS_MIN_MS 60	/* longer than a busy node takes to answer a SYN */
#define MISS_MAX_MS 300 /* below the first retransmission's second, so that a SYN counts once */
#define FIN_MS 400	/* twice the shortest retransmission timeout of Linux */
#define PLAIN_MS 800
#define NEAR 8 /* TTLs that are looked for one by one around the usual start values */

struct search {
	const struct imds_endpoint *e;
	uint64_t deadline_ns;
	unsigned int miss_ms; /* what does not arrive within this is taken for lost */
	bool token;	      /* of the token's answer, else of the SYN-ACK */
};

/* True when a packet of TTL `ttl` or more came. */
static bool arrives(const struct search *s, int ttl, unsigned int wait_ms)
{
	struct probe_question q = { .deadline_ns = s->deadline_ns, .connect_ms = wait_ms };
	struct probe_result r;

	if (s->token) {
		q.line = PROBE_TOKEN_LINE;
		q.headers = PROBE_TOKEN_HEADERS;
		q.answer_ms = wait_ms;
		q.answer_min_ttl = ttl;
	} else {
		q.connect_min_ttl = ttl;
	}
	probe_exchange(s->e, &q, &r);
	return r.step == PROBE_DONE;
}

/* No router stands between: a rule may set the TTL of what comes, but our own TTL 1 ends at the first one. */
static bool is_near(const struct search *s)
{
	const struct probe_question q = { .deadline_ns = s->deadline_ns, .connect_ms = MISS_MAX_MS, .connect_ttl = 1 };
	struct probe_result r;

	probe_exchange(s->e, &q, &r);
	return r.step == PROBE_DONE;
}

/*
 * The TTL in [low, high]; low is known to arrive. Halves the range; what it says is tried once more with time to spare,
 * as one slow answer would have led it astray: 0 when the two disagree or the time is over.
 */
static int find_between(const struct search *s, int low, int high)
{
	int top = high;

	while (low < high) {
		int middle = (low + high + 1) / 2;

		if (clock_now_ns() >= s->deadline_ns)
			return 0;
		if (arrives(s, middle, s->miss_ms))
			low = middle;
		else
			high = middle - 1;
	}
	if (low < top && arrives(s, low + 1, MISS_MAX_MS))
		return 0;
	return clock_now_ns() < s->deadline_ns ? low : 0;
}

/* Senders begin with 64, 128 or 255: a few hops below these is where nearly all are. */
static int find_ttl(const struct search *s)
{
	static const int starts[] = { 255, 128, 64 };
	int floor = 1, high = 255;

	for (size_t i = 0; i < LEN(starts); i++) {
		int below = i + 1 < LEN(starts) ? starts[i + 1] + 1 : 1;

		if (below > 1 && !arrives(s, below, s->miss_ms)) {
			high = below - 1;
			continue;
		}
		floor = below;
		break;
	}
	if (high - NEAR > floor && arrives(s, high - NEAR + 1, s->miss_ms))
		floor = high - NEAR + 1;
	return find_between(s, floor, high);
}

/* How far the token's answer could be lowered: from 1 upwards, as it is the small ones that matter. */
static void find_token_ttl(const struct search *s, struct probe_self *ret)
{
	int known = 1;

	if (ret->ttl_synack && arrives(s, ret->ttl_synack, s->miss_ms)) {
		ret->ttl_token = arrives(s, ret->ttl_synack + 1, MISS_MAX_MS) ? 0 : ret->ttl_synack;
		ret->ttl_token_at_least = ret->ttl_synack;
		return;
	}
	for (int ttl = 2; ttl <= 128 && clock_now_ns() < s->deadline_ns; ttl = ttl < 4 ? ttl + 1 : ttl * 2) {
		if (arrives(s, ttl, s->miss_ms)) {
			known = ttl;
			continue;
		}
		ret->ttl_token = ttl - known == 1 && !arrives(s, ttl, MISS_MAX_MS) ? known
				 : ttl - known == 1				   ? 0
										   : find_between(s, known, ttl - 1);
		break;
	}
	ret->ttl_token_at_least = known;
}

static void measure(const struct imds_endpoint *e, unsigned int wait_ms, uint64_t deadline_ns, struct probe_self *ret)
{
	const struct probe_question token = { .line = PROBE_TOKEN_LINE,
					      .headers = PROBE_TOKEN_HEADERS,
					      .deadline_ns = deadline_ns,
					      .answer_ms = wait_ms,
					      .fin_ms = FIN_MS };
	const struct probe_question plain = { .line = "GET /latest/meta-data/instance-id",
					      .headers = "",
					      .deadline_ns = deadline_ns,
					      .answer_ms = PLAIN_MS };
	struct search s = { .e = e, .deadline_ns = deadline_ns };
	uint64_t slowest_ns;

	*ret = (struct probe_self){ .plain = { .step = PROBE_ENTER } };
	probe_exchange(e, &token, &ret->token);
	if (!ret->token.connected_ns)
		return;
	probe_exchange(e, &plain, &ret->plain);
	slowest_ns = ret->token.connected_ns - ret->token.start_ns;
	s.miss_ms = MISS_MIN_MS + 4 * slowest_ns / 1000000;
	s.miss_ms = s.miss_ms < MISS_MAX_MS ? s.miss_ms : MISS_MAX_MS;
	ret->ttl_synack = find_ttl(&s);
	ret->is_routed = (ret->ttl_synack == 64 || ret->ttl_synack == 128 || ret->ttl_synack == 255) && !is_near(&s);
	if (!ret->token.token)
		return;
	slowest_ns = ret->token.last_byte_ns - ret->token.sent_ns;
	if (slowest_ns / 1000000 > MISS_MAX_MS / 4)
		return; /* a service so slow tells nothing by being late */
	s.token = true;
	s.miss_ms = MISS_MIN_MS + 4 * slowest_ns / 1000000;
	s.miss_ms = s.miss_ms < MISS_MAX_MS ? s.miss_ms : MISS_MAX_MS;
	find_token_ttl(&s, ret);
}

/* --- in a child --------------------------------------------------------------------------------------------------- */

int probe_self_start(const struct imds_endpoint *e, unsigned int wait_ms, uint64_t deadline_ns, pid_t *ret_pid)
{
	struct probe_self r;
	int fd = -1;

	_Static_assert(sizeof(struct probe_self) <= 512, "written at once: _POSIX_PIPE_BUF");
	*ret_pid = probe_fork(&fd);
	if (!*ret_pid) {
		measure(e, wait_ms, deadline_ns, &r);
		_exit(write(fd, &r, sizeof(r)) != sizeof(r));
	}
	return *ret_pid < 0 ? *ret_pid : fd;
}

int probe_self_finish(int fd, pid_t pid, uint64_t deadline_ns, struct probe_self *ret)
{
	uint64_t now = clock_now_ns();

	return probe_take(fd, pid, now < deadline_ns ? (deadline_ns - now) / 1000000 + 1 : 0, ret, sizeof(*ret));
}
