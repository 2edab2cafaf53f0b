/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/pods/workload.c */
/* What one request teaches about the next: requests in, one after the other, and what the rows say then. */
#include "../../user/model/pod_table.h"
#include "unit.h"

#define MS 1000000ull
#define S (1000 * MS)
#define STALL (250 * MS)
#define DEATH (IMDS_D_FROM_ENDPOINT | IMDS_D_PAYLOAD | IMDS_D_WAITING_TOKEN | IMDS_D_EXPECTED_SEQ | IMDS_D_HAS_REASON)

static const struct imds_endpoint endpoints[] = { { .class = IMDS_EP_IMDS },
						  { .class = IMDS_EP_EKS },
						  { .class = IMDS_EP_IMDS } };
static const struct pod_identity web = { .cgroup_id = 7,
					 .namespace = "shop",
					 .pod = "web-1",
					 .container = "app",
					 .pod_uid = "",
					 .container_id = "c1",
					 .cgroup = "/web-1",
					 .workload = "web",
					 .project = "" };
static const struct pod_identity agent = { .cgroup_id = 8,
					   .namespace = "shop",
					   .pod = "agent-1",
					   .container = "app",
					   .pod_uid = "",
					   .container_id = "c2",
					   .cgroup = "/agent-1",
					   .workload = "agent",
					   .project = "" };

static struct pod_table *table_new(void)
{
	struct pod_table_options o = {
		.max_pods = 8, .stall_ns = STALL, .slow_ns = S, .endpoints = endpoints, .endpoints_len = 3
	};
	struct pod_table *t;

	assert_int_equal(pod_table_new(&o, &t), 0);
	pod_table_set_drops_watched(t, true);
	return t;
}

/* A request of kind that began at start_ns and waited so long; answered with status, or not (0). */
static struct request request(enum imds_kind kind, uint64_t start_ns, uint64_t waited_ns, uint16_t status)
{
	struct request r = { .who = &web, .drop_reason = "", .drop_location = "", .node = "n" };

	r.rec.peer.pid = 100;
	r.rec.peer.cgroup_id = 7;
	r.rec.peer.proto = 6;
	r.rec.syn_ns = start_ns - 2 * MS;
	r.rec.synack_ns = start_ns - MS;
	r.rec.ttl_synack = 63;
	r.rec.req = (struct imds_request){
		.start_ns = start_ns,
		.sent_ns = start_ns,
		.end_ns = start_ns + waited_ns,
		.kind = kind,
		.status = status,
		.method = kind == IMDS_KIND_TOKEN ? IMDS_METHOD_PUT : IMDS_METHOD_GET,
		.version = kind == IMDS_KIND_TOKEN ? IMDS_VERSION_V2 : IMDS_VERSION_V1,
		.end = status ? IMDS_END_ANSWERED : IMDS_END_CLOSED,
		.words = IMDS_W_P_EC2,
		.flags = IMDS_F_SYN_SEEN | IMDS_F_HEAD_COMPLETE | IMDS_F_REQUEST_ACKED | IMDS_F_NETNS_KNOWN | IMDS_F_FIRST,
	};
	r.rec.hdr.ts_ns = r.rec.req.end_ns;
	if (status) {
		r.rec.req.first_byte_ns = r.rec.req.last_byte_ns = r.rec.req.end_ns;
		r.rec.req.ttl_response = 63;
	}
	return r;
}

/* As a host-network pod sees it: no forward lies between. */
static struct request of_host(struct request r, uint8_t token_ttl)
{
	r.who = &agent;
	r.rec.ttl_synack = 64;
	r.rec.req.ttl_response = token_ttl;
	r.rec.req.flags |= IMDS_F_HOST_NETNS;
	return r;
}

static struct request died(struct request r)
{
	r.rec.req.drop = (struct imds_drop){
		.ts_ns = r.rec.req.start_ns + MS, .ttl = 1, .match = IMDS_MATCH_TUPLE, .flags = DEATH | IMDS_D_FORWARD
	};
	r.rec.req.drops = 1;
	r.drop_reason = "IP_INHDR";
	r.drop_location = "ip_forward";
	return r;
}

static struct request add(struct pod_table *t, struct request r)
{
	pod_table_add_request(t, &r, r.rec.req.end_ns);
	return r;
}

static const struct pod_stats *row_of(struct pod_table *t, struct snapshot *s, const char *pod)
{
	assert_int_equal(pod_table_snapshot(t, s), 0);
	for (size_t i = 0; i < s->pods_len; i++)
		if (!strcmp(s->pods[i]->who.pod, pod))
			return s->pods[i];
	return NULL;
}

static void done(struct pod_table *t, struct snapshot *s)
{
	histogram_clear(&s->totals.latency);
	pod_table_free(t);
}

/* A rule behind the forward sets TTLs anew: the SYN-ACK shows no forward, and yet the answer died in one. */
static void ttl_that_a_rule_set_tells_no_hops(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_TOKEN, 2 * S, S, 0);

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 1));
	r.rec.ttl_synack = 64;
	r = add(t, died(r));
	assert_int_equal(r.outcome, OUTCOME_HOP_LIMIT);
	assert_int_equal(r.hops, -1);
	assert_int_equal(r.required_hop_limit, 2);
	r = request(IMDS_KIND_DATA, 4 * S, MS, 200); /* the fallback is answered by the same rule's grace */
	r.rec.ttl_synack = 64;
	r = add(t, r);
	assert_int_equal(r.required_hop_limit, 2);
	assert_int_equal(row_of(t, &s, "web-1")->hops, -1);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	assert_int_equal(row_of(t, &s, "agent-1")->required_hop_limit, 1);
	done(t, &s);
}

/* The limit was lowered and the node has not asked since: what it had is old, the hops are not. */
static void limit_that_was_lowered_is_no_rule(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r;

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 2));
	r = died(request(IMDS_KIND_TOKEN, 2 * S, S, 0));
	r.rec.req.drop.flags |= IMDS_D_FOREIGN; /* in others' network, behind who knows which rule */
	r = add(t, r);
	assert_int_equal(r.hops, -1);
	assert_int_equal(r.required_hop_limit, 2); /* at least; what is set now is not known */
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	assert_int_equal(s.node_token_ttl, 0);
	add(t, of_host(request(IMDS_KIND_TOKEN, 4 * S, MS, 200), 1));
	r = add(t, request(IMDS_KIND_DATA, 5 * S, MS, 200));
	assert_int_equal(r.hops, 1);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	done(t, &s);
}

/* A tc program that drops what has more TTL left, too, is a policy, until answers pass it. */
static void policy_of_a_row_is_no_death(void **state)
{
	struct pod_table *t = table_new();
	enum outcome wanted[] = { OUTCOME_HOP_LIMIT, OUTCOME_BLOCKED, OUTCOME_BLOCKED, OUTCOME_OK, OUTCOME_HOP_LIMIT };

	for (size_t i = 0; i < LEN(wanted); i++) {
		bool get = i == 1 || wanted[i] == OUTCOME_OK;
		struct request r = request(get ? IMDS_KIND_DATA : IMDS_KIND_TOKEN, (2 * i + 1) * S, S,
					   wanted[i] == OUTCOME_OK ? 200 : 0);

		if (wanted[i] != OUTCOME_OK) {
			r = died(r);
			r.drop_reason = "TC_INGRESS";
			r.drop_location = "";
			r.rec.req.drop.ttl = get ? 64 : 1;
		}
		assert_int_equal(add(t, r).outcome, wanted[i]);
	}
	pod_table_free(t);
}

/* The same death, and the node's own gets what it got before: it is a rule. */
static void limit_that_stands_was_not_lowered(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r;

	for (int i = 0; i < 2; i++) {
		add(t, of_host(request(IMDS_KIND_TOKEN, (10 * i + 1) * S, MS, 200), 2));
		r = died(request(IMDS_KIND_TOKEN, (10 * i + 2) * S, S, 0));
		r.rec.req.drop.flags |= IMDS_D_FOREIGN;
		r = add(t, r);
		assert_int_equal(r.hops, -1);
		assert_int_equal(r.required_hop_limit, i ? 3 : 2);
	}
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 3);
	assert_int_equal(s.node_token_ttl, 2);
	done(t, &s);
}

/* The same where it died in the node's own network: it came there with less than the node's own had got. */
static void answer_that_died_here_tells_the_limit(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r;

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 2));
	r = add(t, died(request(IMDS_KIND_TOKEN, 2 * S, S, 0)));
	assert_int_equal(r.hops, 1);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	assert_int_equal(s.node_token_ttl, 0);
	/* raised again before its death was told */
	add(t, of_host(request(IMDS_KIND_TOKEN, 8 * S, MS, 200), 2));
	r = add(t, died(request(IMDS_KIND_TOKEN, 5 * S, S, 0)));
	assert_int_equal(r.required_hop_limit, 2);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	assert_int_equal(s.node_token_ttl, 2);
	/* and again the node's own has what the pod's had not: a rule for pods */
	r = add(t, died(request(IMDS_KIND_TOKEN, 10 * S, S, 0)));
	assert_int_equal(r.required_hop_limit, 3);
	done(t, &s);
	/* so it is where the node's own has it before and behind the death */
	t = table_new();
	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 2));
	add(t, of_host(request(IMDS_KIND_TOKEN, 4 * S, MS, 200), 2));
	r = add(t, died(request(IMDS_KIND_TOKEN, 2 * S, 3 * S, 0)));
	assert_int_equal(r.required_hop_limit, 3);
	done(t, &s);
}

/* The same where a token came through before: its TTL fits the hops, so no rule sets any. */
static void limit_that_was_lowered_leaves_the_hops(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_TOKEN, 2 * S, MS, 200);

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 2));
	r.rec.req.ttl_response = 1;
	add(t, r);
	r = add(t, died(request(IMDS_KIND_TOKEN, 3 * S, S, 0)));
	assert_int_equal(r.hops, 1);
	assert_int_equal(r.required_hop_limit, 2);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	assert_int_equal(s.node_token_ttl, 0); /* not known any more */
	done(t, &s);
}

/* It was raised: a pod's token tells, long before the node asks again. Silence is no death by an old figure. */
static void limit_that_was_raised_is_unlearned(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_TOKEN, 2 * S, MS, 200);

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 1));
	add(t, r); /* with a fresh TTL: by another's hand */
	assert_non_null(row_of(t, &s, "web-1"));
	assert_int_equal(s.node_token_ttl, 1);
	r.rec.req.ttl_response = 1;
	add(t, r);
	r = add(t, request(IMDS_KIND_TOKEN, 100 * S, S, 0));
	assert_int_equal(r.outcome, OUTCOME_NO_RESPONSE);
	assert_non_null(row_of(t, &s, "web-1"));
	assert_int_equal(s.node_token_ttl, 0);
	done(t, &s);
}

/* What is told late lies before what was told at once; the time between was nobody's wait. */
static void waits_that_are_told_late_count_themselves(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	const struct pod_stats *p;

	add(t, died(request(IMDS_KIND_TOKEN, 13 * S, S, 0)));
	add(t, request(IMDS_KIND_TOKEN, 10 * S, S, 0));
	p = row_of(t, &s, "web-1");
	assert_true(p->seconds_lost > 1.99 && p->seconds_lost < 2.01);
	done(t, &s);
}

/* connect() fails at once without a route; one that another program sent to where nobody answers waits as any other. */
static void connect_elsewhere_in_vain_is_a_wait(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	const struct pod_stats *p;

	for (int i = 0; i < 2; i++) {
		struct request r = request(IMDS_KIND_CONNECT_ONLY, (10 + 20 * i) * S, i ? 2 * S : MS, 0);

		r.rec.connect_call_ns = r.rec.req.start_ns;
		r.rec.syn_ns = r.rec.synack_ns = 0;
		r.rec.ttl_synack = 0;
		r.rec.req.flags = IMDS_F_NETNS_KNOWN;
		assert_int_equal(add(t, r).outcome, OUTCOME_NOT_SENT);
	}
	p = row_of(t, &s, "web-1");
	assert_true(p->seconds_lost > 1.99 && p->seconds_lost < 2.0001);
	done(t, &s);
}

/* Raised, perhaps, since the node asked last: its figure of then blames nobody new, nor does the other address's. */
static void limit_of_long_ago_blames_nobody(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r, v6 = request(IMDS_KIND_TOKEN, 5 * S, S, 0);

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 1));
	r = add(t, request(IMDS_KIND_TOKEN, 3 * S, S, 0));
	assert_int_equal(r.confidence, CONFIDENCE_STRONG);
	r = add(t, request(IMDS_KIND_TOKEN, 100 * S, S, 0));
	assert_int_equal(r.outcome, OUTCOME_NO_RESPONSE);
	add(t, of_host(request(IMDS_KIND_TOKEN, 200 * S, MS, 200), 1)); /* learned since */
	assert_int_equal(add(t, request(IMDS_KIND_TOKEN, 198 * S, S, 0)).outcome, OUTCOME_NO_RESPONSE);
	done(t, &s);

	t = table_new();
	pod_table_set_drops_watched(t, false);
	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 2));
	add(t, request(IMDS_KIND_DATA, 2 * S, MS, 200));
	v6.rec.peer.endpoint = 2;
	assert_int_equal(add(t, v6).outcome, OUTCOME_NO_RESPONSE);
	s = (struct snapshot){ 0 };
	done(t, &s);
}

/* The service's two addresses are limited differently: none of both is the node's limit. */
static void limits_that_differ_are_not_one(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request v6 = of_host(request(IMDS_KIND_TOKEN, 2 * S, MS, 200), 2);

	v6.rec.peer.endpoint = 2;
	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 1));
	assert_non_null(row_of(t, &s, "agent-1"));
	assert_int_equal(s.node_token_ttl, 1);
	add(t, v6);
	assert_non_null(row_of(t, &s, "agent-1"));
	assert_int_equal(s.node_token_ttl, 0);
	done(t, &s);
}

/* An agent of the node is as near as the node itself; the service is not. */
static void near_agent_does_not_shorten_the_way(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request near = request(IMDS_KIND_CREDENTIALS, 2 * S, MS, 200);

	near.rec.peer.endpoint = 1;
	near.rec.ttl_synack = 64;
	add(t, near);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 1);
	add(t, request(IMDS_KIND_TOKEN, 3 * S, MS, 200));
	near.rec.req.start_ns += 2 * S;
	near.rec.req.end_ns += 2 * S;
	add(t, near);
	assert_int_equal(row_of(t, &s, "web-1")->hops, 1);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	done(t, &s);
}

/* Docker in a pod: what the farthest network needs is what the row needs, whoever asked last; of a socket unseen it tells nothing. */
static void row_of_two_networks_needs_what_the_farther_does(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_TOKEN, 2 * S, MS, 200);

	r.rec.ttl_synack = 62;
	add(t, r);
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 3);
	assert_int_equal(row_of(t, &s, "web-1")->hops_source, HOPS_FROM_INITIAL_TTL);
	add(t, request(IMDS_KIND_TOKEN, 3 * S, MS, 200));
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 3);
	assert_int_equal(row_of(t, &s, "web-1")->hops, 2);
	r = request(IMDS_KIND_TOKEN, 4 * S, S, 0);
	r.rec.ttl_synack = 0;
	assert_int_equal(add(t, r).hops, -1);
	/* what was guessed is counted anew by what the node's own sockets get */
	r = of_host(request(IMDS_KIND_TOKEN, 6 * S, MS, 200), 3);
	r.rec.ttl_synack = 63;
	add(t, r);
	add(t, request(IMDS_KIND_TOKEN, 7 * S, MS, 200));
	assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
	assert_int_equal(row_of(t, &s, "web-1")->hops_source, HOPS_FROM_BASELINE);
	done(t, &s);
}

/* Its client gave up after a second, and the SYN is dropped after three: no neighbour has the address. */
static void syn_without_an_answer_may_still_be_dropped(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_CONNECT_ONLY, S, S, 0);

	r.rec.syn_ns = S;
	r.rec.synack_ns = 0;
	assert_true(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	assert_false(pod_table_wants_later(t, &r, r.rec.req.end_ns + 5 * S));
	r.rec.synack_ns = S + MS;
	assert_false(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	done(t, &s);
}

/* The service's acknowledgement of the client's FIN may die first: the answer itself is still waited for. */
static void dead_acknowledgement_is_not_the_last_word(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = died(request(IMDS_KIND_TOKEN, S, 100 * MS, 0));

	assert_false(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	r.rec.req.drop.flags &= ~IMDS_D_PAYLOAD;
	assert_true(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	assert_false(pod_table_wants_later(t, &r, r.rec.req.end_ns + 5 * S));
	r.rec.req.drop.flags = IMDS_D_SYN | IMDS_D_HAS_REASON; /* the loss of a first SYN is over, too */
	assert_true(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	r.rec.req.drop.flags = IMDS_D_PAYLOAD | IMDS_D_HAS_REASON; /* of a request that was acknowledged */
	assert_true(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	r.rec.req.flags &= ~IMDS_F_REQUEST_ACKED;
	assert_false(pod_table_wants_later(t, &r, r.rec.req.end_ns));
	done(t, &s);
}

/* The node's own TTL changes later: a row keeps the one that its hops were counted with. */
static void baseline_is_the_one_that_was_used(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request later = of_host(request(IMDS_KIND_DATA, 3 * S, MS, 200), 254);

	add(t, of_host(request(IMDS_KIND_DATA, S, MS, 200), 64));
	add(t, request(IMDS_KIND_DATA, 2 * S, MS, 200));
	later.rec.ttl_synack = 254;
	add(t, later);
	assert_int_equal(row_of(t, &s, "web-1")->baseline_ttl, 64);
	assert_int_equal(row_of(t, &s, "web-1")->hops, 1);
	assert_int_equal(s.baseline_ttl, 254);
	done(t, &s);
}

/* What a process of this node answers in the service's place, with a fresh TTL, tells nothing of the service's. */
static void a_stand_in_does_not_speak_for_the_service(void **state)
{
	static const struct answerer proxy = { .pid = 9, .process = "haproxy", .address = "172.31.0.10:8181" };

	for (int by_flag = 0; by_flag < 2; by_flag++) {
		struct pod_table *t = table_new();
		struct snapshot s = { 0 };
		struct request r = of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 64);

		if (by_flag)
			r.rec.req.flags |= IMDS_F_REDIRECTED;
		else
			r.answered_by = &proxy;
		add(t, r);
		r = add(t, died(request(IMDS_KIND_TOKEN, 2 * S, S, 0)));
		assert_int_equal(r.outcome, OUTCOME_HOP_LIMIT);
		assert_int_equal(r.confidence, CONFIDENCE_PROVEN);
		assert_int_equal(row_of(t, &s, "web-1")->required_hop_limit, 2);
		assert_int_equal(s.node_token_ttl, 0);
		assert_int_equal(s.baseline_ttl, 0);
		done(t, &s);
	}
}

/* Nor does what answers in a pod's own network, at any distance it likes, speak against what is known of the others. */
static void a_stand_in_hides_no_other_pods_fault(void **state)
{
	static const struct answerer own = { .pid = 9, .process = "python3", .address = "169.254.169.254:80" };
	struct pod_identity hostile = web;

	hostile.container_id = hostile.pod = "hostile";
	for (int limit_known = 0; limit_known < 2; limit_known++) {
		struct pod_table *t = table_new();
		struct snapshot s = { 0 };
		struct request r = request(IMDS_KIND_TOKEN, 2 * S, MS, 200);

		pod_table_set_drops_watched(t, false);
		add(t, of_host(request(limit_known ? IMDS_KIND_TOKEN : IMDS_KIND_DATA, S, MS, 200), 1));
		add(t, request(IMDS_KIND_DATA, S, MS, 200));
		r.who = &hostile;
		r.answered_by = &own;
		r.rec.ttl_synack = 60;
		r.rec.req.ttl_response = 40;
		add(t, r);
		r = add(t, request(IMDS_KIND_TOKEN, 3 * S, S, 0));
		assert_int_equal(r.outcome, OUTCOME_HOP_LIMIT);
		assert_int_equal(r.confidence, limit_known ? CONFIDENCE_STRONG : CONFIDENCE_LIKELY);
		assert_non_null(row_of(t, &s, "web-1"));
		assert_int_equal(s.node_token_ttl, limit_known);
		done(t, &s);
	}
}

/* Its client left at once: what was dropped until then is no count of requests that a drop stopped. */
static void what_was_given_up_was_not_stopped(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_DATA, 2 * S, 100 * MS, 0);

	r.rec.req.end = IMDS_END_CLOSED;
	r.rec.req.drop = (struct imds_drop){ .ts_ns = 2 * S, .ttl = 64, .match = IMDS_MATCH_TUPLE, .flags = DEATH };
	r.drop_reason = "PKT_TOO_BIG";
	r.drop_location = "ip_forward";
	assert_int_equal(add(t, r).outcome, OUTCOME_ABORTED);
	assert_int_equal(row_of(t, &s, "web-1")->notes_len, 0);
	r.rec.req.end_ns += S;
	assert_int_equal(add(t, r).outcome, OUTCOME_DROPPED);
	assert_int_equal(row_of(t, &s, "web-1")->notes[0].requests, 1);
	done(t, &s);
}

/* GCE's guest agent asks to be told of the next change: minutes are no slowness, and none coming is no silence. */
static void long_poll_is_neither_slow_nor_silent(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_DATA, 2 * S, 60 * S, 200);

	r.rec.req.words = IMDS_W_P_GCE | IMDS_W_Q_WAIT;
	r = add(t, r);
	assert_int_equal(r.outcome, OUTCOME_OK);
	assert_false(request_is_problem(&r, 1000000));
	assert_int_equal(row_of(t, &s, "web-1")->slow, 0);
	assert_int_equal(row_of(t, &s, "web-1")->latency.count, 0);
	r = request(IMDS_KIND_DATA, 70 * S, 60 * S, 0);
	r.rec.req.words = IMDS_W_P_GCE | IMDS_W_Q_WAIT;
	assert_int_equal(add(t, r).outcome, OUTCOME_ABORTED);
	/* nothing says that the service has it */
	r.rec.req.start_ns += 100 * S;
	r.rec.req.end_ns += 100 * S;
	r.rec.req.flags &= ~IMDS_F_REQUEST_ACKED;
	assert_int_equal(add(t, r).outcome, OUTCOME_NO_RESPONSE);
	/* the same time without having asked for it */
	r = request(IMDS_KIND_DATA, 300 * S, 60 * S, 200);
	r.rec.req.words = IMDS_W_P_GCE;
	r = add(t, r);
	assert_true(request_is_problem(&r, 1000000));
	assert_int_equal(row_of(t, &s, "web-1")->slow, 1);
	/* a client that took its time to send is answered in time */
	r = request(IMDS_KIND_DATA, 400 * S, 3 * S, 200);
	r.rec.req.sent_ns += 2500 * MS;
	r = add(t, r);
	assert_false(request_is_problem(&r, 1000000));
	assert_int_equal(row_of(t, &s, "web-1")->slow, 1);
	r.rec.req.sent_ns -= 1000 * MS;
	r = add(t, r);
	assert_true(request_is_problem(&r, 1000000));
	assert_int_equal(row_of(t, &s, "web-1")->slow, 2);
	done(t, &s);
}

/* The ring was full: the counters keep that the answers died, and nothing that contradicts arithmetic. */
static void lost_records_keep_the_cause(void **state)
{
	struct imds_request_key key = {
		.cgroup_id = 7, .kind = IMDS_KIND_TOKEN, .end = IMDS_END_CLOSED, .death = IMDS_DEATH_FORWARD
	};
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	const struct pod_stats *p;

	add(t, died(request(IMDS_KIND_TOKEN, 2 * S, S, 0)));
	pod_table_add_lost(t, &web, &key, 5, 4 * S);
	p = row_of(t, &s, "web-1");
	assert_int_equal(p->outcomes[OUTCOME_HOP_LIMIT], 6);
	assert_int_equal(p->confidences[CONFIDENCE_PROVEN], 6);
	assert_int_equal(p->causes[CAUSE_HOP_LIMIT], 6);
	assert_int_equal(p->failed, 6);
	assert_int_equal(p->records_lost, 5);
	add(t, of_host(request(IMDS_KIND_TOKEN, 5 * S, MS, 200), 2)); /* enough for one forward */
	key.death = IMDS_DEATH_TC;
	pod_table_add_lost(t, &web, &key, 3, 6 * S);
	p = row_of(t, &s, "web-1");
	assert_int_equal(p->outcomes[OUTCOME_HOP_LIMIT], 6);
	assert_int_equal(p->outcomes[OUTCOME_NO_RESPONSE], 3);
	done(t, &s);
}

/* Without a token: the 404 of a poll is served, a 401 is not; the counters of lost records tell the same. */
static void v1_that_is_served(void **state)
{
	struct imds_request_key key = { .cgroup_id = 7, .kind = IMDS_KIND_DATA, .version = IMDS_VERSION_V1 };
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	const struct pod_stats *p;

	add(t, request(IMDS_KIND_CREDENTIALS, 2 * S, MS, 200));
	add(t, request(IMDS_KIND_DATA, 3 * S, MS, 404));
	add(t, request(IMDS_KIND_DATA, 4 * S, MS, 401));
	add(t, request(IMDS_KIND_DATA, 5 * S, MS, 0));
	p = row_of(t, &s, "web-1");
	assert_int_equal(p->v1_requests, 4);
	assert_int_equal(p->v1_answered, 2);
	assert_int_equal(p->v1_credentials, 1);
	key.end = IMDS_END_ANSWERED;
	key.status = IMDS_STATUS_2XX;
	pod_table_add_lost(t, &web, &key, 5, 6 * S);
	key.status = IMDS_STATUS_401;
	pod_table_add_lost(t, &web, &key, 3, 6 * S);
	p = row_of(t, &s, "web-1");
	assert_int_equal(p->v1_answered, 7);
	assert_int_equal(p->v1_unauthorized, 4);
	done(t, &s);
}

/* A shell's second curl falls back for the first; what has polled without a token all along goes on polling. */
static void fallback_is_not_what_was_asked_before(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request poll = request(IMDS_KIND_DATA, S, MS, 200), curl = request(IMDS_KIND_DATA, 5 * S, MS, 200);
	struct request again = request(IMDS_KIND_DATA, 6 * S, MS, 200), dead;

	poll.rec.peer.pid = again.rec.peer.pid = 200;
	curl.rec.peer.pid = 300;
	add(t, poll);
	add(t, died(request(IMDS_KIND_TOKEN, 2 * S, S, 0)));
	assert_true(add(t, curl).fallback);
	assert_false(add(t, again).fallback);
	curl = request(IMDS_KIND_DATA, 10 * S, MS, 200);
	curl.rec.peer.pid = 400;
	strcpy(curl.rec.peer.comm, "curl");
	dead = died(request(IMDS_KIND_TOKEN, 7 * S, S, 0));
	strcpy(dead.rec.peer.comm, "curl");
	strcpy(dead.rec.peer.ancestors[0], "script");
	add(t, dead);
	strcpy(curl.rec.peer.ancestors[0], "other"); /* it started a curl, too */
	assert_false(add(t, curl).fallback);
	curl.rec.peer.pid = 500;
	strcpy(curl.rec.peer.ancestors[0], "curl"); /* a fork */
	strcpy(curl.rec.peer.ancestors[1], "script");
	assert_true(add(t, curl).fallback);
	curl.rec.peer.pid = 550;
	strcpy(curl.rec.peer.ancestors[0], "timeout"); /* of the script, too */
	assert_true(add(t, curl).fallback);
	curl.rec.peer.pid = 600;
	strcpy(curl.rec.peer.comm, "wget");
	strcpy(curl.rec.peer.ancestors[0], "script");
	assert_false(add(t, curl).fallback);
	curl.rec.peer.pid = 700;
	curl.rec.syn_ns -= 3 * S / 2; /* the script went on with it, 0.5 s after it had waited */
	assert_true(add(t, curl).fallback);
	assert_int_equal(row_of(t, &s, "web-1")->fallbacks, 4);
	done(t, &s);
}

/* A process that got the number of one that had waited has not waited itself. */
static void a_pid_is_used_again(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request reborn = request(IMDS_KIND_DATA, 70 * S, MS, 200);

	add(t, died(request(IMDS_KIND_TOKEN, 2 * S, S, 0)));
	reborn.rec.peer.born = 60000;
	assert_false(add(t, reborn).fallback);
	assert_int_equal(row_of(t, &s, "web-1")->fallbacks, 0);
	reborn.rec.peer.born = 0; /* it goes on without a token, however long */
	assert_true(add(t, reborn).fallback);
	done(t, &s);
}

/*
 * The limit that the node saw may have been raised since: where a pod's deaths show, silence is none of them. Another pod's
 * data path may be another.
 */
static void silence_after_deaths_that_showed(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r;

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 1));
	assert_int_equal(add(t, request(IMDS_KIND_TOKEN, 2 * S, S, 0)).outcome, OUTCOME_HOP_LIMIT);
	assert_int_equal(add(t, died(request(IMDS_KIND_TOKEN, 4 * S, S, 0))).confidence, CONFIDENCE_PROVEN);
	assert_int_equal(add(t, request(IMDS_KIND_TOKEN, 6 * S, S, 0)).outcome, OUTCOME_NO_RESPONSE);
	r = request(IMDS_KIND_TOKEN, 8 * S, S, 0);
	r.who = &agent;
	assert_int_equal(add(t, r).confidence, CONFIDENCE_STRONG);
	done(t, &s);
}

/* The TTL on the node of the endpoint that the row's own is of, not of the first that there is. */
static void node_ttl_is_the_same_endpoints(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request other = of_host(request(IMDS_KIND_DATA, 2 * S, MS, 200), 60),
		       r = request(IMDS_KIND_DATA, 3 * S, MS, 200);

	add(t, of_host(request(IMDS_KIND_TOKEN, S, MS, 200), 1));
	other.rec.ttl_synack = 255;
	other.rec.peer.endpoint = r.rec.peer.endpoint = 2;
	add(t, other);
	r.rec.ttl_synack = 254;
	add(t, r);
	assert_int_equal(row_of(t, &s, "web-1")->node_ttl, 255);
	done(t, &s);
}

/* Two TTLs at one address are two servers; a pod's second interface may be nearer to the same one. */
static void a_second_way_is_no_second_server(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };
	struct request r = request(IMDS_KIND_DATA, S, MS, 200);

	add(t, r);
	r.rec.ttl_synack = 64;
	r.rec.peer.local.w[3] = 9;
	add(t, r);
	assert_int_equal(row_of(t, &s, "web-1")->ttl_high, 63);
	r.rec.peer.local.w[3] = 0;
	add(t, r);
	assert_int_equal(row_of(t, &s, "web-1")->ttl_low, 63);
	assert_int_equal(row_of(t, &s, "web-1")->ttl_high, 64);
	done(t, &s);
}

/* Whose answers die, and whose do not: other packets that die on the way there are told of the latter only. */
static void addresses_are_known_with_what_died(void **state)
{
	struct pod_table *t = table_new();
	struct request r = request(IMDS_KIND_DATA, 2 * S, MS, 200);
	struct request token = request(IMDS_KIND_TOKEN, 2 * S, MS, 200);
	struct imds_addr fine = { .b = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 } }, bad = fine, host = fine,
			 other = fine;

	bad.b[15] = 2;
	host.b[15] = 3;
	other.b[15] = 4;
	r.rec.peer.local_port = 40000;
	r.rec.peer.local = fine;
	add(t, r);
	r.rec.peer.local = host;
	add(t, of_host(r, 64));
	assert_false(pod_table_gets_tokens(t, &fine)); /* that data gets there says nothing of tokens */
	token.rec.peer.local_port = 40001;
	token.rec.peer.local = fine;
	add(t, token);
	assert_true(pod_table_gets_tokens(t, &fine));
	assert_false(pod_table_knows_deaths(t, &fine));
	assert_false(pod_table_knows_deaths(t, &host));
	assert_false(pod_table_gets_tokens(t, &other));
	r = died(request(IMDS_KIND_TOKEN, 4 * S, S, 0));
	r.rec.peer.local_port = 40000;
	r.rec.peer.local = bad;
	r.rec.req.drop.match = IMDS_MATCH_FINGERPRINT; /* it was still addressed to the node */
	add(t, r);
	assert_true(pod_table_knows_deaths(t, &bad));
	assert_true(pod_table_knows_deaths(t, &host));
	assert_false(pod_table_knows_deaths(t, &fine));
	pod_table_free(t);
}

static bool nobody_is_alive(void *arg, uint64_t cgroup_id)
{
	return false;
}

/* A snapshot points to rows and names: who shares it must be told when one goes. */
static void what_a_snapshot_points_to_is_told_when_it_goes(void **state)
{
	struct pod_identity unnamed = web;
	struct pod_table *t = table_new();
	struct request r = request(IMDS_KIND_OTHER, 10 * S, MS, 200);
	uint64_t freed;

	unnamed.namespace = unnamed.pod = unnamed.container = "";
	r.who = &unnamed;
	add(t, r);
	freed = pod_table_freed(t);
	add(t, r);
	assert_int_equal(pod_table_freed(t), freed);
	add(t, request(IMDS_KIND_OTHER, 11 * S, MS, 200)); /* its name has come */
	assert_int_equal(pod_table_freed(t), ++freed);
	add(t, request(IMDS_KIND_OTHER, 12 * S, MS, 200));
	assert_int_equal(pod_table_freed(t), freed);
	pod_table_expire(t, 20 * S, 300 * S, nobody_is_alive, NULL);
	assert_int_equal(pod_table_freed(t), freed);
	pod_table_expire(t, 400 * S, 300 * S, nobody_is_alive, NULL);
	assert_int_equal(pod_table_freed(t), ++freed);
	pod_table_free(t);
}

/* Who makes cgroups without end fills its own share; a pod that comes later has its row. */
static void one_maker_does_not_fill_the_table(void **state)
{
	struct pod_table_options o = {
		.max_pods = 1024, .stall_ns = STALL, .slow_ns = S, .endpoints = endpoints, .endpoints_len = 3
	};
	struct pod_identity run = web;
	struct snapshot s = { .node = "n" };
	struct pod_table_stats stats;
	struct pod_table *t;
	char id[16];

	assert_int_equal(pod_table_new(&o, &t), 0);
	run.pod = run.namespace = "";
	run.container_id = id;
	run.maker = 77;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2000; i++) {
			struct request r = request(IMDS_KIND_OTHER, (uint64_t)(10 + i) * S, MS, 200);

			snprintf(id, sizeof(id), "%d", i);
			r.who = &run;
			add(t, r);
		}
		pod_table_get_stats(t, &stats);
		assert_int_equal(stats.rows, 128);
		assert_int_equal(stats.overflowed, (round + 1) * (2000 - 128));
		pod_table_expire(t, 9000 * S, 300 * S, nobody_is_alive, NULL); /* its places are free again */
	}
	for (int i = 0; i < 2000; i++) { /* nor does it take from the share of anybody else */
		struct request r = request(IMDS_KIND_OTHER, 9000 * S, MS, 200);

		snprintf(id, sizeof(id), "%d", i);
		r.who = &run;
		add(t, r);
	}
	run.maker = 77 + 256;
	for (int i = 2000; i < 2128; i++) {
		struct request r = request(IMDS_KIND_OTHER, 9000 * S, MS, 200);

		snprintf(id, sizeof(id), "%d", i);
		r.who = &run;
		add(t, r);
	}
	add(t, request(IMDS_KIND_OTHER, 9000 * S, MS, 200));
	assert_non_null(row_of(t, &s, "web-1"));
	pod_table_get_stats(t, &stats);
	assert_int_equal(stats.rows, 128 + 128 + 1);
	done(t, &s);
}

/* What failed of a pod that is gone stays in the totals, and apart, with its cause and its time. */
static void what_failed_of_a_gone_pod_is_kept(void **state)
{
	struct pod_table *t = table_new();
	struct snapshot s = { 0 };

	add(t, died(request(IMDS_KIND_TOKEN, 10 * S, S, 0)));
	add(t, request(IMDS_KIND_DATA, 12 * S, MS, 200));
	assert_non_null(row_of(t, &s, "web-1"));
	assert_null(s.gone);
	pod_table_expire(t, 400 * S, 300 * S, nobody_is_alive, NULL);
	assert_null(row_of(t, &s, "web-1"));
	assert_int_equal(s.gone_rows, 1);
	assert_int_equal(s.gone->requests, 2);
	assert_int_equal(s.gone->failed, 1);
	assert_int_equal(s.gone->outcomes[OUTCOME_HOP_LIMIT], 1);
	assert_true(s.gone->last_failed_ns >= 11 * S && s.gone->last_failed_ns < 12 * S);
	assert_true(s.gone->seconds_lost > 0.9);
	assert_int_equal(s.totals.requests, 2);
	assert_int_equal(s.totals.failed, 1);
	done(t, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ttl_that_a_rule_set_tells_no_hops),
		cmocka_unit_test(limit_that_was_lowered_is_no_rule),
		cmocka_unit_test(policy_of_a_row_is_no_death),
		cmocka_unit_test(limit_that_stands_was_not_lowered),
		cmocka_unit_test(answer_that_died_here_tells_the_limit),
		cmocka_unit_test(limit_that_was_lowered_leaves_the_hops),
		cmocka_unit_test(limit_that_was_raised_is_unlearned),
		cmocka_unit_test(limit_of_long_ago_blames_nobody),
		cmocka_unit_test(connect_elsewhere_in_vain_is_a_wait),
		cmocka_unit_test(waits_that_are_told_late_count_themselves),
		cmocka_unit_test(limits_that_differ_are_not_one),
		cmocka_unit_test(syn_without_an_answer_may_still_be_dropped),
		cmocka_unit_test(dead_acknowledgement_is_not_the_last_word),
		cmocka_unit_test(near_agent_does_not_shorten_the_way),
		cmocka_unit_test(row_of_two_networks_needs_what_the_farther_does),
		cmocka_unit_test(baseline_is_the_one_that_was_used),
		cmocka_unit_test(a_stand_in_does_not_speak_for_the_service),
		cmocka_unit_test(a_stand_in_hides_no_other_pods_fault),
		cmocka_unit_test(what_was_given_up_was_not_stopped),
		cmocka_unit_test(long_poll_is_neither_slow_nor_silent),
		cmocka_unit_test(lost_records_keep_the_cause),
		cmocka_unit_test(v1_that_is_served),
		cmocka_unit_test(a_second_way_is_no_second_server),
		cmocka_unit_test(fallback_is_not_what_was_asked_before),
		cmocka_unit_test(a_pid_is_used_again),
		cmocka_unit_test(silence_after_deaths_that_showed),
		cmocka_unit_test(node_ttl_is_the_same_endpoints),
		cmocka_unit_test(addresses_are_known_with_what_died),
		cmocka_unit_test(what_a_snapshot_points_to_is_told_when_it_goes),
		cmocka_unit_test(one_maker_does_not_fill_the_table),
		cmocka_unit_test(what_failed_of_a_gone_pod_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
