/* SPDX-License-Identifier: GPL-2.0-only */
/* The published case as a snapshot literal: a pod behind hop limit 1, a host-network pod that is fine, a blocked one. */
#ifndef IMDSNOOP_GOLDEN_CASE_H
#define IMDSNOOP_GOLDEN_CASE_H

#include <string.h>

#include "../../../user/model/snapshot.h"

#define S 1000000000ull

struct golden_case {
	struct pod_stats cart, agent, batch;
	struct kind_stats cart_tokens, cart_credentials;
	const struct pod_stats *pods[3];
	struct snapshot s;
};

static const char *const golden_endpoints[] = { "169.254.169.254:80", "[fd00:ec2::254]:80", NULL };
static const struct feature golden_features[] = {
	{ "cgroup_skb", "ok", "" },
	{ "drops", "ok", "" },
	{ "process", "ok", "" },
	{ "names", "ok", "" },
};
static const struct loss golden_losses[] = {
	{ "ring_request", "requests counted without details", 0 },
	{ "flow_table_full", "connections not followed", 0 },
};

static inline void golden_case_init(struct golden_case *c)
{
	memset(c, 0, sizeof(*c));
	c->cart = (struct pod_stats){
		.who = { 101, "shop", "cart-7d9f6c5b8-x2x1q", "app", "0f6e", "aa", "kubepods.slice/cart", "", "",
			 RUNTIME_NONE },
		.own_network = true,
		.requests = 6,
		.answered = 2,
		.failed = 4,
		.outcomes = { [OUTCOME_HOP_LIMIT] = 4, [OUTCOME_OK] = 2 },
		.causes = { [CAUSE_HOP_LIMIT] = 4 },
		.confidences = { [CONFIDENCE_PROVEN] = 4 },
		.kinds = { [IMDS_KIND_TOKEN] = 4, [IMDS_KIND_CREDENTIALS] = 2 },
		.responses = { [IMDS_STATUS_2XX] = 2 },
		.v1_requests = 2,
		.v1_answered = 2,
		.v2_requests = 4,
		.fallbacks = 2,
		.fallbacks_answered = 2,
		.fallback_answered_us_sum = 6200,
		.token_requests = 4,
		.seconds_lost = 4.41,
		.hops = 1,
		.required_hop_limit = 2,
		.hops_source = HOPS_FROM_BASELINE,
		.baseline_ttl = 64,
		.hop_limit = HOP_LIMIT_EXHAUSTED,
		.ttl_synack = 63,
		.ttl_response = 63,
		.ttl_dropped = 1,
		.hop_limit_drops = 11,
		.drop_location = "ip_forward",
		.death_reason = "IP_INHDR",
		.drop_match = IMDS_MATCH_TUPLE,
		.drops = { { "IP_INHDR", 11 } },
		.drops_len = 1,
		.processes = { { 4242, "node", "npm start", 6, 2, 4 } },
		.processes_len = 1,
		.providers = 1u << PROVIDER_EC2,
		.needs_credentials = true,
	};
	c->cart_tokens.cells[IMDS_VERSION_V2][OUTCOME_HOP_LIMIT] = 4;
	c->cart.by_kind[IMDS_KIND_TOKEN] = &c->cart_tokens;
	c->cart_credentials.cells[IMDS_VERSION_V1][OUTCOME_OK] = 2;
	c->cart.by_kind[IMDS_KIND_CREDENTIALS] = &c->cart_credentials;
	c->agent = (struct pod_stats){
		.who = { 102, "kube-system", "node-agent-5k2p9", "agent", "1f6e", "bb", "kubepods.slice/agent", "", "",
			 RUNTIME_NONE },
		.host_network = true,
		.requests = 12,
		.answered = 12,
		.outcomes = { [OUTCOME_OK] = 12 },
		.kinds = { [IMDS_KIND_TOKEN] = 4, [IMDS_KIND_DATA] = 8 },
		.responses = { [IMDS_STATUS_2XX] = 12 },
		.v2_requests = 12,
		.token_requests = 4,
		.token_answered = 4,
		.hops = 0,
		.required_hop_limit = 1,
		.hops_source = HOPS_FROM_BASELINE,
		.baseline_ttl = 64,
		.hop_limit = HOP_LIMIT_OK,
		.ttl_synack = 64,
		.ttl_response = 64,
		.ttl_token_response = 1,
		.processes = { { 977, "agent", "containerd-shim", 12, 0, 0 } },
		.processes_len = 1,
		.providers = 1u << PROVIDER_EC2,
	};
	c->batch = (struct pod_stats){
		.who = { 103, "jobs", "batch-29301-9sd2k", "worker", "2f6e", "cc", "kubepods.slice/batch", "", "",
			 RUNTIME_NONE },
		.own_network = true,
		.requests = 2,
		.failed = 2,
		.outcomes = { [OUTCOME_BLOCKED] = 2 },
		.causes = { [CAUSE_FILTERED] = 2 },
		.kinds = { [IMDS_KIND_CONNECT_ONLY] = 2 },
		.seconds_lost = 2.0,
		.hops = -1,
		.policy_drops = 4,
		.policy_location = "nf_hook_slow",
		.policy_reason = "NETFILTER_DROP",
		.drops = { { "NETFILTER_DROP", 4 } },
		.drops_len = 1,
		.processes = { { 5150, "python3", "sh", 2, 0, 0 } },
		.processes_len = 1,
	};
	for (int i = 0; i < 12; i++)
		histogram_add(&c->agent.latency, 900 + 40u * (unsigned int)i);
	histogram_add(&c->cart.latency, 2900);
	histogram_add(&c->cart.latency, 3300);
	c->pods[0] = &c->cart;
	c->pods[1] = &c->batch;
	c->pods[2] = &c->agent;
	c->s = (struct snapshot){
		.version = "1.0",
		.node = "ip-10-0-1-17",
		.kernel = "6.1.0-49-amd64",
		.started_wall_ns = 1700000000 * S,
		.now_wall_ns = 1700000030 * S,
		.started_ns = 1000 * S,
		.now_ns = 1030 * S,
		.slow_us = 1000000,
		.endpoints = golden_endpoints,
		.features = golden_features,
		.features_len = 4,
		.losses = golden_losses,
		.losses_len = 2,
		.baseline_ttl = 64,
		.node_token_ttl = 1,
		.drops_watched = true,
		.pods = c->pods,
		.pods_len = 3,
	};
	c->s.totals = (struct pod_stats){
		.who = { 0, "", "", "", "", "", "", "", "", RUNTIME_NONE },
		.requests = 20,
		.answered = 14,
		.failed = 6,
		.outcomes = { [OUTCOME_OK] = 14, [OUTCOME_HOP_LIMIT] = 4, [OUTCOME_BLOCKED] = 2 },
		.seconds_lost = 6.41,
		.hops = -1,
	};
	histogram_merge(&c->s.totals.latency, &c->cart.latency);
	histogram_merge(&c->s.totals.latency, &c->agent.latency);
}

static inline void golden_case_clear(struct golden_case *c)
{
	histogram_clear(&c->cart.latency);
	histogram_clear(&c->agent.latency);
	histogram_clear(&c->batch.latency);
	histogram_clear(&c->s.totals.latency);
}

#endif
