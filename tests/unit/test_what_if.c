/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/what_if.c user/report/findings.c user/report/finding_*.c user/report/advice.c */
/* needs: user/report/path.c user/report/platform.c user/pods/workload.c */
#include "../../user/report/what_if.h"
#include "unit.h"
#include "golden/case.h"

/* A pod that gets tokens two forwards away. */
static struct pod_stats far(void)
{
	return (struct pod_stats){
		.who = { 9, "shop", "far", "app", "", "", "", "", "", RUNTIME_NONE },
		.requests = 4,
		.answered = 4,
		.v2_requests = 4,
		.token_requests = 4,
		.token_answered = 4,
		.hops = 2,
		.required_hop_limit = 3,
		.providers = 1u << PROVIDER_EC2,
	};
}

static void fates(void **state)
{
	static const struct what_if one = { .hop_limit = 1 }, two = { .hop_limit = 2 }, three = { .hop_limit = 3 };
	static const struct what_if required = { .tokens_required = true };
	struct snapshot s = { .node_token_ttl = 0 };
	struct pod_stats p = far();

	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNTOUCHED);
	assert_int_equal(what_if_fate(&required, &s, &p), WHAT_IF_UNTOUCHED);
	p.v1_requests = p.v1_answered = 1;
	assert_int_equal(what_if_fate(&required, &s, &p), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNTOUCHED);
	p.v1_answered = 0; /* not answered: what it would do is not known */
	assert_int_equal(what_if_fate(&required, &s, &p), WHAT_IF_UNKNOWN);
	p.v1_unauthorized = 1; /* v1 that is refused for want of a token now cannot break */
	assert_int_equal(what_if_fate(&required, &s, &p), WHAT_IF_UNTOUCHED);
	p.version_unknown = 1; /* whether that head had a token was not seen */
	assert_int_equal(what_if_fate(&required, &s, &p), WHAT_IF_UNKNOWN);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNTOUCHED);
	p.required_hop_limit = 0; /* its way was not seen */
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_UNKNOWN);
	p = far();
	p.providers = 1u << PROVIDER_EKS_POD_IDENTITY; /* has no hop limit */
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_UNTOUCHED);
	p = far();
	p.token_requests = p.token_answered = 0; /* it lives on a token that it got before the watch */
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNTOUCHED);
	p = far();
	s.node_token_ttl = 2; /* needs 3, and works: someone else answers it, the limit does not decide */
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_UNTOUCHED);
	p.ttl_synack = 62; /* fewer than the SYN-ACK had: a limit counted, the node saw an older one */
	p.ttl_token_response = 1;
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNTOUCHED);
	s.node_token_ttl = 0;
	p = far();
	p.providers = 1u << PROVIDER_IBM; /* has one too */
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_BREAKS);
	p = far();
	p.token_answered = p.answered = 0; /* silence of another cause: what it would get is not known */
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNKNOWN);
	p.outcomes[OUTCOME_HOP_LIMIT] = 4; /* broken now, but only likely by the limit */
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNKNOWN);
	p.confidences[CONFIDENCE_PROVEN] = 4;
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_BROKEN);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_CURED);
	p.required_hop_limit = 0;
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNKNOWN);
}

/* Two ways of unequal length: what dies goes on to die, or no longer does, and nothing breaks by the limit that is set. */
static void some_tokens_die(void **state)
{
	static const struct what_if one = { .hop_limit = 1 }, two = { .hop_limit = 2 }, three = { .hop_limit = 3 };
	struct snapshot s = { .node_token_ttl = 2 };
	struct pod_stats p = far();
	struct kind_stats tokens = { 0 };

	p.token_answered = p.answered = 2;
	p.outcomes[OUTCOME_HOP_LIMIT] = p.confidences[CONFIDENCE_PROVEN] = 2;
	p.ttl_synack = 62;
	p.ttl_token_response = 1;
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_BROKEN);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_CURED);
	p.by_kind[IMDS_KIND_TOKEN] = &tokens;
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_CURED);
	tokens.cells[IMDS_VERSION_V2][OUTCOME_BLOCKED] = 1; /* by a filter, whatever the limit */
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_BROKEN);
	assert_int_equal(what_if_fate(&three, &s, &p), WHAT_IF_UNKNOWN);
	p.last_failed_ns = 1; /* it is over: the limit was raised meanwhile */
	p.last_ok_ns = 3600000000000ull;
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_BREAKS);
}

/* A rule that raises the TTL in its network, and a card's own interface there, look alike. */
static void as_if_nothing_forwards(void **state)
{
	static const struct what_if one = { .hop_limit = 1 }, two = { .hop_limit = 2 };
	struct snapshot s = { .node_token_ttl = 2 };
	struct pod_stats p = far();

	p.own_network = true;
	p.hops = 0;
	p.required_hop_limit = 1;
	p.ttl_synack = p.ttl_token_response = 64;
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_UNKNOWN);
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_UNTOUCHED);
	s.node_token_ttl = 0;
	assert_int_equal(what_if_fate(&two, &s, &p), WHAT_IF_UNKNOWN);
	p.stood_in_for = true; /* by a process that was found */
	assert_int_equal(what_if_fate(&one, &s, &p), WHAT_IF_UNTOUCHED);
}

static void asked_of_a_node(void **state)
{
	static const struct what_if w = { .hop_limit = 1, .tokens_required = true };
	static struct golden_case c;
	const struct pod_stats *pods[4];
	struct pod_stats p = far();
	struct what_if_result r;

	golden_case_init(&c);
	memcpy(pods, c.pods, sizeof(c.pods));
	pods[3] = &p;
	c.s.node_token_ttl = 3;
	c.s.pods = pods;
	c.s.pods_len = 4;
	assert_int_equal(what_if_ask(&w, &c.s, &r), 0);
	assert_string_equal(r.title, "hop limit 1, tokens required");
	/* cart lives on v1 fallback: a warning; far loses tokens for certain: an error, and first */
	assert_int_equal(r.findings_len, 2);
	assert_int_equal(r.findings[0].severity, SEVERITY_ERROR);
	assert_int_equal(finding_row(&r.findings[0]), 3);
	assert_non_null(strstr(r.findings[0].summary, "shop/far (app) would lose its tokens: it needs hop limit 3"));
	assert_int_equal(r.findings[1].severity, SEVERITY_WARNING);
	assert_int_equal(finding_row(&r.findings[1]), 0);
	assert_int_equal(r.findings[1].code, FINDING_WOULD_BREAK);
	assert_int_equal(r.counts[WHAT_IF_UNTOUCHED], 1);
	assert_int_equal(r.counts[WHAT_IF_UNKNOWN], 1); /* a packet filter keeps it out: nobody knows what it would get */
	assert_non_null(strstr(r.lines[WHAT_IF_UNTOUCHED], "1 pod would not notice: "));
	assert_non_null(strstr(r.lines[WHAT_IF_UNTOUCHED], "node-agent-5k2p9"));
	assert_non_null(strstr(r.basis, "20 requests seen in 30 s"));
	what_if_clear(&r);
	golden_case_clear(&c);
}

/* Some of what they asked was not seen, or of whom: none of them is said not to notice. */
static void half_seen(void **state)
{
	static const struct what_if w = { .hop_limit = 3, .tokens_required = true };
	static const struct snapshot s = { .node_token_ttl = 0 }, set = { .node_token_ttl = 2 };
	struct pod_stats lost = far(), untracked = far(), opaque = far(), beyond = far();
	struct pod_stats nameless = { .requests = 3, .answered = 3, .v2_requests = 3, .records_lost = 3, .hops = -1 };
	struct pod_stats waits = { .in_flight = 1, .hops = -1 };
	struct pod_stats probe = { .requests = 2, .answered = 2, .providers = 1u << PROVIDER_OTHER, .hops = 1 };

	lost.records_lost = 1;
	untracked.untracked = 1;
	opaque.providers |= 1u << PROVIDER_OTHER;
	opaque.kinds[IMDS_KIND_OTHER] = 1;
	beyond.untracked = 1;
	assert_int_equal(what_if_fate(&w, &s, &lost), WHAT_IF_UNKNOWN);
	assert_int_equal(what_if_fate(&w, &s, &untracked), WHAT_IF_UNKNOWN);
	assert_int_equal(what_if_fate(&w, &s, &opaque), WHAT_IF_UNKNOWN);
	assert_int_equal(what_if_fate(&w, &set, &beyond), WHAT_IF_UNKNOWN);
	assert_int_equal(what_if_fate(&w, &s, &nameless), WHAT_IF_UNKNOWN);
	nameless.v1_requests = nameless.v1_answered = 1;
	assert_int_equal(what_if_fate(&w, &s, &nameless), WHAT_IF_BREAKS);
	assert_int_equal(what_if_fate(&w, &s, &waits), WHAT_IF_UNKNOWN);
	probe.kinds[IMDS_KIND_CONNECT_ONLY] = probe.kinds[IMDS_KIND_DNS] = 1;
	assert_int_equal(what_if_fate(&w, &s, &probe), WHAT_IF_UNTOUCHED);
	probe.kinds[IMDS_KIND_DNS] = 0;
	assert_int_equal(what_if_fate(&w, &s, &probe), WHAT_IF_UNKNOWN);
}

/* "Nobody would break" is said only where all that asked was judged. */
static void nobody_would_break(void **state)
{
	static const struct what_if w = { .hop_limit = 3 };
	static const struct loss lost = { "ring_request", "", 1 };
	struct pod_stats works = far(), waits = { .who = works.who, .in_flight = 1, .hops = -1 },
			 gone = { .requests = 1 };
	const struct pod_stats *pods[] = { &works, &waits };
	const struct {
		struct snapshot s;
		const char *verdict;
		bool open;
	} rows[] = {
		{ { .pods = pods, .pods_len = 1 }, "No pod that works now would break.", false },
		{ { .pods = pods, .pods_len = 2 }, "not all could be judged", true },
		{ { .pods = pods, .pods_len = 1, .losses = &lost, .losses_len = 1 }, "not all could be judged", true },
		{ { .pods = pods, .pods_len = 1, .unowned_len = 1 }, "not all could be judged", true },
		{ { .pods = pods, .pods_len = 1, .gone = &gone }, "not all could be judged", true },
		{ { .pods = pods, .pods_len = 0 }, "Nothing was seen asking", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct what_if_result r;

		assert_int_equal(what_if_ask(&w, &rows[i].s, &r), 0);
		assert_non_null(strstr(r.verdict, rows[i].verdict));
		assert_int_equal(r.open, rows[i].open);
		what_if_clear(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(fates),
					    cmocka_unit_test(some_tokens_die),
					    cmocka_unit_test(as_if_nothing_forwards),
					    cmocka_unit_test(asked_of_a_node),
					    cmocka_unit_test(half_seen),
					    cmocka_unit_test(nobody_would_break) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
