/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/findings.c user/report/finding_*.c user/report/advice.c user/report/path.c */
/* needs: user/report/platform.c user/pods/workload.c */
#include "../../user/base/small.h"
#include "../../user/base/text_add.h"
#include "../../user/model/pod_stats.h"
#include "../../user/report/findings.h"
#include "../../user/report/path.h"
#include "unit.h"
#include "golden/case.h"

#define EC2 (1u << PROVIDER_EC2)
#define NONE 9 /* no such finding */

/* All text of a finding, one line each. */
static void join(const struct finding *f, char *buf, size_t len)
{
	size_t at = (size_t)snprintf(buf, len, "%s\n", f->summary);

	for (char **l = f->evidence; *l && at < len; l++)
		at += (size_t)snprintf(buf + at, len - at, "%s\n", *l);
	for (char **l = f->advice; *l && at < len; l++)
		at += (size_t)snprintf(buf + at, len - at, "%s\n", *l);
	assert_true(at < len);
}

struct row {
	const char *name;
	enum finding_code code;
	int severity; /* NONE: the finding must not be there */
	const char *says[4], *says_not[3];
	struct pod_stats p;
	int baseline, node_token_ttl;
	bool drops_off;
	struct conntrack conntrack;
};

/* Rows say what differs from HOP, so they set some members twice and leave out the last ones. */
#pragma GCC diagnostic ignored "-Woverride-init"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define HOP(conf_)                                                                                                   \
	.outcomes = { [OUTCOME_HOP_LIMIT] = 2 }, .confidences = { [conf_] = 2 }, .requests = 2, .token_requests = 2, \
	.hops = 1, .required_hop_limit = 2, .hops_source = HOPS_FROM_BASELINE, .ttl_synack = 63
#define DATA(version, outcome, n)                       \
	.by_kind[IMDS_KIND_DATA] = &(struct kind_stats) \
	{                                               \
		.cells[version][outcome] = n            \
	}
#define DEAD .hop_limit_drops = 11, .ttl_dropped = 1, .drop_location = "ip_forward", .death_reason = "IP_INHDR"

static const struct answerer relay = { .address = "10.0.0.9:8181" };
static const struct pod_identity pod_agent = { 3, "kube-system", "eks-pod-identity-agent-k2x8v", "", "", "", "", "", "",
					       0 };
static const struct pod_identity pretender = { 4, "shop", "eks-pod-identity-agent-x2x4q", "", "", "", "", "", "", 0 };
static const struct answerer in_its_place = { .who = &pretender, .address = "10.244.0.30:8080" };
static const struct answerer agent = { .who = &pod_agent, .address = "169.254.170.23:80" };

/* n requests of it, all of which ended so. */
#define ASKED(n, outcome) .requests = n, .outcomes = { [outcome] = n }
#define ENDED(n, outcome, cause) ASKED(n, outcome), .causes = { [cause] = n }
#define NOTE(...) .notes = { { __VA_ARGS__ } }, .notes_len = 1
#define ERROR_OF(...) .errors = { { __VA_ARGS__ } }, .errors_len = 1
#define TOKENLESS(status)                                                                                            \
	.requests = 3,                                                                                               \
	.errors = { { 1, 404, IMDS_KIND_TOKEN, IMDS_METHOD_PUT, PROVIDER_EC2, false, "/latest/api/token" },          \
		    { 2, status, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false,                        \
		      "/latest/meta-data/iam/security-credentials/app" } },                                          \
	.errors_len = 2, .causes = { [CAUSE_NOT_THIS_CLOUD] = 1 }, .credentials_requests = 2, .answered_by = &relay, \
	.providers = EC2
#define FILTERED(n)                                \
	ENDED(n, OUTCOME_BLOCKED, CAUSE_FILTERED), \
	    NOTE(.cause = CAUSE_FILTERED, .requests = n, .reason = "NETFILTER_DROP", .location = "nft_do_chain")
#define ORACLE_404                                                                                            \
	.requests = 2, ERROR_OF(2, 404, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ORACLE, false, "/opc/v1/"), \
	.providers = 1u << PROVIDER_ORACLE
/* containers of nobody's but Docker's, and of a pod */
#define BARE                                                                    \
	{                                                                       \
		5, "", "", "", "", "", "docker-0.scope", "", "", RUNTIME_DOCKER \
	}
#define POD                                                                         \
	{                                                                           \
		6, "shop", "cart-x2x4q", "", "", "", "", "", "", RUNTIME_KUBERNETES \
	}
#define ROW(name, code, severity) name, code, severity
#define TTLS(baseline, node_token_ttl) baseline, node_token_ttl

/* Each code once present and once absent. */
static const struct row rows[] = {
	{ ROW("token dies, pod uses v1", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "It needs hop limit 2, the node has 1", "--http-put-response-hop-limit 2 --http-endpoint enabled",
	    "11 answer packets dropped with TTL 1 in ip_forward (IP_INHDR)", "httpPutResponseHopLimit: 2" },
	  { "64 " },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .fallbacks = 1, .v1_requests = 1 },
	  TTLS(64, 1) },
	{ ROW("its v1 use", FINDING_IMDSV1_FALLBACK, SEVERITY_WARNING),
	  { "fell back to IMDSv1 1 time ", "0 of 2 token requests", "with the node's role" },
	  { "move the pod to an SDK" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .fallbacks = 1, .fallbacks_answered = 1, .v1_requests = 1 },
	  TTLS(64, 1) },
	{ ROW("what falls back in vain is told by what kills it", FINDING_IMDSV1_FALLBACK, SEVERITY_INFO),
	  { "without success" },
	  { "with the node's role" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .fallbacks = 1, .v1_requests = 1 },
	  TTLS(64, 1) },
	{ ROW("fallbacks are not told twice", FINDING_IMDSV1_IN_USE, NONE),
	  { 0 },
	  { 0 },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .fallbacks = 1, .v1_requests = 1,
	    DATA(IMDS_VERSION_V1, OUTCOME_OK, 1) },
	  TTLS(64, 1) },
	{ ROW("Pod Identity works beside it", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_INFO),
	  { "robably blocked on purpose", "AWS_EC2_METADATA_DISABLED=true" },
	  { "--http-put-response-hop-limit" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2 | 1u << PROVIDER_EKS_POD_IDENTITY, .uses_pod_identity = true },
	  TTLS(64, 1) },
	{ ROW("Pod Identity works, yet it takes the node's role", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "--http-put-response-hop-limit 2" },
	  { 0 },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .uses_pod_identity = true, .fallbacks = 1 },
	  TTLS(64, 1) },
	{ ROW("needs three", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "It needs hop limit 3, the node has 2", "http_put_response_hop_limit = 3" },
	  { "hop-limit 2" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .hops = 2, .required_hop_limit = 3 },
	  TTLS(64, 2) },
	{ ROW("a connection older than the watch", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "It needs hop limit 2", "1 forward between, by the TTL of answers" },
	  { "was not seen" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .ttl_synack = 0, .ttl_response = 63 } },
	{ ROW("need not measured: none is guessed", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "one more than the forwards", "imdsnoop probe" },
	  { "--http-put-response-hop-limit" },
	  { HOP(CONFIDENCE_STRONG), DEAD, .providers = EC2, .hops = -1, .required_hop_limit = 0 } },
	{ ROW("likely only", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_WARNING),
	  { "probably", "2 likely", "drop hook is off" },
	  { "proven" },
	  { HOP(CONFIDENCE_LIKELY), .providers = EC2 },
	  TTLS(64, 0),
	  true },
	{ ROW("hops from a usual start TTL", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "taken as sent with 64" },
	  { 0 },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .hops_source = HOPS_FROM_INITIAL_TTL } },
	{ ROW("limit was raised meanwhile", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "the node now has 2" },
	  { 0 },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2 },
	  TTLS(64, 2) },
	{ ROW("other provider: its own setting", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "aliyun ecs ModifyInstanceMetadataOptions", "HttpPutResponseHopLimit 2" },
	  { "aws ec2", "It needs hop limit", "Karpenter" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = 1u << PROVIDER_ALIBABA } },
	{ ROW("found by sequence number", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "TCP sequence number" },
	  { 0 },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .drop_match = IMDS_MATCH_FINGERPRINT } },
	{ ROW("tokens come", FINDING_HOP_LIMIT_EXHAUSTED, NONE), { 0 }, { 0 }, { ASKED(2, OUTCOME_OK), .providers = EC2 } },

	{ ROW("v1 without need", FINDING_IMDSV1_IN_USE, SEVERITY_INFO),
	  { "uses IMDSv1: 3 requests", "3 served", "curl" },
	  { "hop limit %" },
	  { .requests = 3,
	    .v1_requests = 3,
	    DATA(IMDS_VERSION_V1, OUTCOME_OK, 3),
	    .providers = EC2,
	    .processes = { { 7, "curl", "sh", 3, 3, 0 } },
	    .processes_len = 1 } },
	{ ROW("v1 refused is not in use", FINDING_IMDSV1_IN_USE, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 3, .v1_requests = 3, DATA(IMDS_VERSION_V1, OUTCOME_HTTP_ERROR, 3), .providers = EC2 } },
	{ ROW("v1 refused", FINDING_TOKEN_REQUIRED, SEVERITY_WARNING),
	  { "3 answers 401" },
	  { 0 },
	  { .requests = 3,
	    .v1_requests = 3,
	    .responses = { [IMDS_STATUS_401] = 3 },
	    .v1_unauthorized = 3,
	    .providers = EC2,
	    DATA(IMDS_VERSION_V1, OUTCOME_HTTP_ERROR, 3) } },
	{ ROW("v1 refused to what has a role of its own", FINDING_TOKEN_REQUIRED, SEVERITY_INFO),
	  { "3 answers 401", "come from EKS Pod Identity or ECS", "AWS_REGION" },
	  { "give the pod a role" },
	  { .requests = 6,
	    .v1_requests = 3,
	    .responses = { [IMDS_STATUS_401] = 3 },
	    .v1_unauthorized = 3,
	    .credentials_requests = 3,
	    .credentials_ok = 3,
	    .uses_pod_identity = true,
	    .providers = EC2 | 1u << PROVIDER_EKS_POD_IDENTITY,
	    DATA(IMDS_VERSION_V1, OUTCOME_HTTP_ERROR, 3) } },
	{ ROW("v1 refused, and no token comes: what kills the tokens is said", FINDING_TOKEN_REQUIRED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 4,
	    .v1_requests = 3,
	    .token_requests = 1,
	    .responses = { [IMDS_STATUS_401] = 3 },
	    .v1_unauthorized = 3,
	    .providers = EC2,
	    DATA(IMDS_VERSION_V1, OUTCOME_HTTP_ERROR, 3) } },
	{ ROW("401 to a bad token (fluent-bit's probe)", FINDING_TOKEN_REQUIRED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1,
	    .v2_requests = 1,
	    .responses = { [IMDS_STATUS_401] = 1 },
	    .providers = EC2,
	    DATA(IMDS_VERSION_V2, OUTCOME_HTTP_ERROR, 1) } },
	{ ROW("endpoint off", FINDING_ENDPOINT_DISABLED, SEVERITY_WARNING),
	  { "403", "HttpEndpoint=disabled" },
	  { 0 },
	  { .requests = 1,
	    .responses = { [IMDS_STATUS_403] = 1 },
	    .causes = { [CAUSE_ENDPOINT_DISABLED] = 1 },
	    .providers = EC2 } },
	{ ROW("an endpoint that serves is not off", FINDING_ENDPOINT_DISABLED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 2,
	    .responses = { [IMDS_STATUS_403] = 1 },
	    .causes = { [CAUSE_ENDPOINT_DISABLED] = 1 },
	    .outcomes = { [OUTCOME_OK] = 1 },
	    .providers = EC2 } },
	{ ROW("403 of another provider", FINDING_ENDPOINT_DISABLED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .responses = { [IMDS_STATUS_403] = 1 }, .providers = 1u << PROVIDER_GCE } },
	{ ROW("foreign probe answered 404 is no fault", FINDING_THROTTLED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .responses = { [IMDS_STATUS_404] = 1 }, .outcomes = { [OUTCOME_HTTP_ERROR] = 1 } } },
	{ ROW("throttled", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "3 answers 429 or 503", "linklocal_allowance_exceeded" },
	  { 0 },
	  { .requests = 3, .causes = { [CAUSE_THROTTLED] = 3 }, .providers = EC2 } },
	{ ROW("throttled, several pods of one workload: each its own status", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "5 answers 429 or 503" },
	  { 0 },
	  { .requests = 5,
	    ERROR_OF(2, 429, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/"),
	    .responses = { [IMDS_STATUS_429] = 2, [IMDS_STATUS_5XX] = 3 },
	    .causes = { [CAUSE_THROTTLED] = 5 },
	    .providers = EC2 } },
	{ ROW("throttled by the ECS agent", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "agent on this node", "ECS_TASK_METADATA_RPS_LIMIT" },
	  { "linklocal_allowance_exceeded" },
	  { .requests = 3, .causes = { [CAUSE_THROTTLED] = 3 }, .providers = 1u << PROVIDER_ECS } },
	{ ROW("server errors are no throttling", FINDING_THROTTLED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 3,
	    .responses = { [IMDS_STATUS_5XX] = 3 },
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .providers = EC2 } },
	{ ROW("every credentials request answered 404", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "gets only errors", "404", "/v1/credentials" },
	  { 0 },
	  { .requests = 3,
	    .credentials_requests = 3,
	    ERROR_OF(3, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("404 of the Pod Identity agent itself", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "The agent itself answers", "no association", "list-pod-identity-associations" },
	  { "see that it runs", "hostPort" },
	  { .requests = 3,
	    .credentials_requests = 3,
	    ERROR_OF(3, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .answered_by = &agent,
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("404 of a tenant's pod by the agent's name", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "see that it runs", "hostPort" },
	  { "The agent itself answers", "no association" },
	  { .requests = 3,
	    .credentials_requests = 3,
	    ERROR_OF(3, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .answered_by = &in_its_place,
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("a client of Google's on EC2", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "the service here is EC2's", "takes this machine for another cloud's" },
	  { "gcloud", "expired", "not EC2's" },
	  { .requests = 2,
	    .token_answered = 1,
	    .credentials_requests = 1,
	    .errors = { { 1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/x" },
			{ 1, 401, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/y" } },
	    .errors_len = 2,
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 2 },
	    .providers = EC2 | 1u << PROVIDER_GCE,
	    .providers_ok = EC2,
	    .providers_failed = 1u << PROVIDER_GCE } },
	{ ROW("403 of Google's service to an AWS SDK is no endpoint that is off", FINDING_ENDPOINT_DISABLED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 3,
	    .credentials_requests = 1,
	    ERROR_OF(1, 403, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/x"),
	    .responses = { [IMDS_STATUS_403] = 1 },
	    .causes = { [CAUSE_ENDPOINT_DISABLED] = 1 },
	    .providers = EC2 | 1u << PROVIDER_GCE,
	    .providers_ok = 1u << PROVIDER_GCE,
	    .providers_failed = EC2 } },
	{ ROW("no role of EC2's on another cloud", FINDING_NO_ROLE, SEVERITY_WARNING),
	  { "that of azure, which has no roles of EC2", "AWS_EC2_METADATA_DISABLED=true" },
	  { "attached", "instance-profile" },
	  { .requests = 2,
	    .credentials_requests = 1,
	    ERROR_OF(1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/x"),
	    .causes = { [CAUSE_NO_ROLE] = 1 },
	    .providers = EC2 | 1u << PROVIDER_AZURE,
	    .providers_ok = 1u << PROVIDER_AZURE,
	    .providers_failed = EC2 } },
	{ ROW("no neighbour, from the pod's own network", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "169.254.1.1", "proxy_arp" },
	  { 0 },
	  { ASKED(1, OUTCOME_DROPPED),
	    NOTE(CAUSE_NO_NEIGHBOUR, false, "NEIGH_FAILED", "neigh_invalidate", "", 1, 64, IMDS_D_AT_HOME) } },
	{ ROW("no neighbour with the address of the ECS agent, in Docker", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "does it run", "amazon-ecs-local-container-endpoints", "169.254.170.0/24" },
	  { "proxy_arp" },
	  { ASKED(1, OUTCOME_DROPPED), .who = { .runtime = RUNTIME_DOCKER }, .providers = 1u << PROVIDER_ECS,
	    NOTE(CAUSE_NO_NEIGHBOUR, false, "NEIGH_FAILED", "neigh_invalidate", "", 1, 64, IMDS_D_AT_HOME) } },
	{ ROW("what GKE's proxy conceals is no service account's", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "on purpose" },
	  { "workloadIdentityUser" },
	  { .requests = 1,
	    .who = { .runtime = RUNTIME_KUBERNETES },
	    .answered_by = &relay,
	    .outcomes = { [OUTCOME_HTTP_ERROR] = 1 },
	    .errors = { { .requests = 1,
			  .status = 403,
			  .kind = IMDS_KIND_DATA,
			  .method = IMDS_METHOD_GET,
			  .provider = PROVIDER_GCE,
			  .header = 1,
			  .path = "/computeMetadata/v1/instance/attributes/kube-env" } },
	    .errors_len = 1,
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 1 },
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("credentials came at last", FINDING_CREDENTIALS_REFUSED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 3,
	    .credentials_requests = 3,
	    .credentials_ok = 1,
	    ERROR_OF(2, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 2 },
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("no role", FINDING_NO_ROLE, SEVERITY_WARNING),
	  { "no role is attached", "associate-iam-instance-profile" },
	  { 0 },
	  { .requests = 1, .credentials_requests = 1, .causes = { [CAUSE_NO_ROLE] = 1 }, .providers = EC2 } },
	{ ROW("an AWS SDK on another cloud", FINDING_NOT_THIS_CLOUD, SEVERITY_WARNING),
	  { "not EC2's", "azure", "AWS_EC2_METADATA_DISABLED=true" },
	  { 0 },
	  { .requests = 2,
	    .credentials_requests = 1,
	    .causes = { [CAUSE_NOT_THIS_CLOUD] = 1 },
	    .providers = EC2 | 1u << PROVIDER_AZURE,
	    .providers_ok = 1u << PROVIDER_AZURE } },
	{ ROW("an agent that asks every cloud once is harmless", FINDING_NOT_THIS_CLOUD, SEVERITY_INFO),
	  { "not EC2's" },
	  { 0 },
	  { .requests = 2,
	    .causes = { [CAUSE_NOT_THIS_CLOUD] = 1 },
	    .last_ok_ns = 5,
	    .providers = EC2 | 1u << PROVIDER_AZURE,
	    .providers_ok = 1u << PROVIDER_AZURE } },
	{ ROW("reverse path filter", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "reverse path filter", "rp_filter=2", "IP_RPFILTER" },
	  { "hop limit", "linklocal" },
	  { ASKED(1, OUTCOME_DROPPED), NOTE(CAUSE_REVERSE_PATH, true, "IP_RPFILTER", "ip_rcv_finish_core", "", 1, 62),
	    .providers = EC2 } },
	{ ROW("a reason that no row knows is told by its name", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "in some_function (NEW_REASON)" },
	  { "hop limit" },
	  { ASKED(1, OUTCOME_DROPPED), NOTE(CAUSE_DROPPED, true, "NEW_REASON", "some_function", "", 1, 62) } },
	{ ROW("no packet left", FINDING_NOT_SENT, SEVERITY_WARNING),
	  { "no packet left the pod", "route" },
	  { "refused", "at once" },
	  { ASKED(1, OUTCOME_NOT_SENT) } },
	{ ROW("silence, and something was dropped", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "1 QDISC_DROP" },
	  { "no packet of these" },
	  { ASKED(1, OUTCOME_NO_RESPONSE), .drops = { { "QDISC_DROP", 1 } }, .drops_len = 1, .providers = EC2 } },
	{ ROW("two servers", FINDING_TWO_SERVERS, SEVERITY_WARNING),
	  { "two different servers", "TTL 63 and with TTL 64" },
	  { 0 },
	  { .requests = 2, .own_network = true, .ttl_low = 63, .ttl_high = 64, .ttl_synack = 64, .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("a container in a container is at two distances from one server", FINDING_TWO_SERVERS, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 2, .own_network = true, .ttl_low = 62, .ttl_high = 63, .ttl_synack = 62, .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("silence of the process in its place", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "left without an answer at 10.0.0.9:8181, where this node redirects it", "look at its log" },
	  { "cause not seen", "linklocal", "Ask from the node" },
	  { ASKED(2, OUTCOME_NO_RESPONSE), .answered_by = &relay, .providers = EC2 } },
	{ ROW("cut off is not silence", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "cut off by the service" },
	  { "cause not seen", "linklocal" },
	  { ASKED(2, OUTCOME_RESET), .providers = EC2 } },
	{ ROW("the node itself is not told to ask from the node", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "It is the node itself", "ip route get 169.254.169.254" },
	  { "Ask from the node" },
	  { ASKED(2, OUTCOME_NO_RESPONSE), .host_network = true, .providers = EC2 } },
	{ ROW("thrown away as another host's", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "wrong MAC address" },
	  { 0 },
	  { ASKED(1, OUTCOME_NO_RESPONSE), .drops = { { "OTHERHOST", 4 } }, .drops_len = 1 } },
	{ ROW("a token refused in the service's place", FINDING_NOT_THIS_CLOUD, SEVERITY_INFO),
	  { "refused at 10.0.0.9:8181", "does not pass token requests on" },
	  { "not EC2's", "AWS_EC2_METADATA_DISABLED" },
	  { .requests = 2,
	    .causes = { [CAUSE_NOT_THIS_CLOUD] = 1 },
	    .credentials_requests = 1,
	    .credentials_ok = 1,
	    .last_ok_ns = 5,
	    .answered_by = &relay,
	    .providers = EC2 } },
	{ ROW("forwarding is off in a container around it, not on the node", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "forwarding is off in a network namespace that is neither the node's", "nsenter -t PID -n sysctl" },
	  { "off on this node", "hardened" },
	  { ASKED(1, OUTCOME_DROPPED),
	    NOTE(CAUSE_FORWARDING_OFF, false, "IP_INADDRERRORS", "ip_error", "", 1, 62, IMDS_D_FOREIGN),
	    .providers = EC2 } },
	{ ROW("a filter in the pod's own network", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "a packet filter, in the pod's own network", "nsenter -t PID -n nft list ruleset" },
	  { 0 },
	  { ASKED(1, OUTCOME_BLOCKED),
	    NOTE(CAUSE_FILTERED, false, "NETFILTER_DROP", "nf_hook_slow", "", 1, 64, IMDS_D_AT_HOME) } },
	{ ROW("tokens given up by the client, data answered", FINDING_NO_RESPONSE, SEVERITY_INFO),
	  { "no token request was answered", "2 of 3 requests" },
	  { 0 },
	  { .requests = 3,
	    .failed = 2,
	    .token_requests = 2,
	    .v2_requests = 2,
	    .last_ok_ns = 1,
	    .outcomes = { [OUTCOME_ABORTED] = 2, [OUTCOME_OK] = 1 } } },
	{ ROW("given up by the client", FINDING_NO_RESPONSE, SEVERITY_INFO),
	  { "given up by the client", "host unreachable" },
	  { 0 },
	  { .requests = 1, .failed = 1, .outcomes = { [OUTCOME_ABORTED] = 1 } } },
	{ ROW("a redirect to who is gone", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "no neighbour has the address that it redirects to: 10.0.0.9:8181", "10.0.0.9:8181 is gone, or moved" },
	  { "laptop", "AWS_EC2_METADATA_DISABLED" },
	  { ASKED(1, OUTCOME_DROPPED),
	    NOTE(CAUSE_NO_NEIGHBOUR, false, "NEIGH_FAILED", "neigh_invalidate", "10.0.0.9:8181", 1, 62),
	    .providers = EC2 } },
	{ ROW("the service that failed is spoken of, not the one beside it", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "The ECS agent on this node" },
	  { "outside this node", "linklocal" },
	  { .requests = 2,
	    .outcomes = { [OUTCOME_NO_RESPONSE] = 1, [OUTCOME_OK] = 1 },
	    .providers = EC2 | 1u << PROVIDER_ECS,
	    .providers_ok = EC2,
	    .providers_failed = 1u << PROVIDER_ECS } },
	{ ROW("a filter that drops the answers, at the cgroup", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "another BPF program at its cgroup", "which drops the answers", "bpftool cgroup tree" },
	  { "networkpolicy", "nft list" },
	  { ASKED(1, OUTCOME_BLOCKED),
	    NOTE(CAUSE_REFUSED_AT_SOCKET, true, "BPF_CGROUP_INGRESS", "sk_filter_trim_cap", "", 1, 62) } },
	{ ROW("a token that is refused is named", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "answered 401", "expired" },
	  { 0 },
	  { .requests = 3,
	    .token_requests = 1,
	    .token_answered = 1,
	    .credentials_requests = 2,
	    ERROR_OF(2, 401, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/x"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 2 },
	    .providers = EC2 } },
	{ ROW("GCE's client asks EC2's service", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "the service here is EC2's: it has nothing for a client of gce", "takes this machine for another cloud's" },
	  { 0 },
	  { .requests = 4,
	    .token_requests = 1,
	    .token_answered = 1,
	    .credentials_requests = 3,
	    ERROR_OF(3, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/x/token"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .providers = EC2 | 1u << PROVIDER_GCE,
	    .providers_ok = EC2 } },
	{ ROW("GCE's client where nobody is known to be EC2", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "answered 404" },
	  { "nothing for a client", "takes this machine" },
	  { .requests = 3,
	    .credentials_requests = 3,
	    ERROR_OF(3, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/x/token"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("Azure's 410 is no missing identity", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "being updated" },
	  { "az vm identity" },
	  { .requests = 1,
	    .credentials_requests = 1,
	    ERROR_OF(1, 410, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/x"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 1 },
	    .providers = 1u << PROVIDER_AZURE } },
	{ ROW("only errors, though no credentials were asked", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "only with errors", "Metadata-Flavor" },
	  { 0 },
	  { .requests = 1,
	    ERROR_OF(1, 403, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/x"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 1 },
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("an SDK that sees whether Azure's service is there", FINDING_CREDENTIALS_REFUSED, SEVERITY_INFO),
	  { "only with errors" },
	  { 0 },
	  { .requests = 1,
	    ERROR_OF(1, 400, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/instance"),
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 1 },
	    .providers = 1u << PROVIDER_AZURE } },
	{ ROW("Oracle's old paths are switched off", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "3 answers 404 or 403", "below /opc/v2/, with the header" },
	  { 0 },
	  { .requests = 3,
	    .errors = { { 2, 404, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ORACLE, false, "/opc/v1/instance/" },
			{ 1, 403, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ORACLE, false, "/opc/v2/instance/" } },
	    .errors_len = 2,
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 1 },
	    .providers = 1u << PROVIDER_ORACLE } },
	{ ROW("an agent that asks each cloud hears 404", FINDING_CREDENTIALS_REFUSED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 2,
	    .errors = { { 1, 404, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/" },
			{ 1, 404, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/instance" } },
	    .errors_len = 2,
	    .providers = 1u << PROVIDER_GCE | 1u << PROVIDER_AZURE } },
	{ ROW("503 of OpenStack's proxy is no throttling", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "turned away (service unavailable): 4 answers 503", "Nova's API" },
	  { "limits queries", "is throttled" },
	  { .requests = 4,
	    ERROR_OF(4, 503, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_OPENSTACK, false, "/openstack/latest"),
	    .causes = { [CAUSE_THROTTLED] = 4 },
	    .providers = 1u << PROVIDER_OPENSTACK } },
	{ ROW("answered when its client had left", FINDING_SLOW, SEVERITY_WARNING),
	  { "is answered too late: 2 of 2 requests", "waited up to 1.0 s, the answer arrived 2.0 s",
	    "AWS_METADATA_SERVICE_TIMEOUT" },
	  { "cause not seen" },
	  { ENDED(2, OUTCOME_NO_RESPONSE, CAUSE_SLOW), .late_waited_us = 1000000, .late_took_us = 2000000,
	    .providers = EC2 } },
	{ ROW("what came too late is not told as silent", FINDING_NO_RESPONSE, NONE),
	  { 0 },
	  { 0 },
	  { ENDED(2, OUTCOME_NO_RESPONSE, CAUSE_SLOW), .providers = EC2 } },
	{ ROW("answered long after its client had left", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "without an answer in time", "1 answer came after all", "timeout longer" },
	  { "cause not seen", "linklocal", "outside this node" },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .silences = { [SILENCE_UNANSWERED] = 1 }, .late_after = 1,
	    .ttl_synack = 63, .providers = EC2 } },
	{ ROW("answered late once, and silent else", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "cause not seen", "1 answer came after all", "linklocal" },
	  { 0 },
	  { ENDED(2, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .silences = { [SILENCE_UNANSWERED] = 2 }, .late_after = 1,
	    .ttl_synack = 63, .providers = EC2 } },
	{ ROW("silent, and nobody on the node was ever answered", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "in no cloud at all", "AWS_EC2_METADATA_DISABLED=true" },
	  { 0 },
	  { ENDED(2, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .providers = EC2 } },
	{ ROW("silent where connections stand: a cloud's machine", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "cause not seen" },
	  { "in no cloud" },
	  { ENDED(2, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .ttl_synack = 63, .providers = EC2 } },
	{ ROW("its answers are addressed to another host", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "thrown away as another host's", "ip neigh" },
	  { "cause not seen", "in no cloud", "Ask from the node" },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .drops = { { "OTHERHOST", 3 } }, .drops_len = 1,
	    .providers = EC2 } },
	{ ROW("the ECS agent that took the connections runs", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "took the connections" },
	  { "does it run" },
	  { ENDED(1, OUTCOME_RESET, CAUSE_RESET), .answered_by = &relay, .providers = 1u << PROVIDER_ECS } },
	{ ROW("refused at the start, answered since", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "answered since", "must ask again" },
	  { "Nothing listens", "does it run" },
	  { .requests = 4,
	    .outcomes = { [OUTCOME_REFUSED] = 2, [OUTCOME_OK] = 2 },
	    .causes = { [CAUSE_REFUSED] = 2 },
	    .refused_by_rst = true,
	    .last_failed_ns = 1000000000,
	    .last_ok_ns = 9000000000,
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("refused until just now", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "; answered since", "not ready yet, or restarts" },
	  { "Nothing listens", "does it run", "must ask again" },
	  { .requests = 4,
	    .outcomes = { [OUTCOME_REFUSED] = 2, [OUTCOME_OK] = 2 },
	    .causes = { [CAUSE_REFUSED] = 2 },
	    .refused_by_rst = true,
	    .last_failed_ns = 1000000000,
	    .last_ok_ns = 2000000000,
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("server errors that are over", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "was answered with server errors", "3 answers 500; the last at", "answered since" },
	  { "is answered" },
	  { .requests = 4,
	    .answered = 4,
	    .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 3 },
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    ERROR_OF(3, 500, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false,
		     "/computeMetadata/v1/project/project-id", .served = true),
	    .last_broken_ns = 1000000000,
	    .last_ok_ns = 9000000000,
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("what else is served does not end them", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "is answered with server errors" },
	  { "answered since" },
	  { .requests = 4,
	    .answered = 4,
	    .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 3 },
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    ERROR_OF(3, 500, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false,
		     "/computeMetadata/v1/project/project-id"),
	    .last_broken_ns = 1000000000,
	    .last_ok_ns = 9000000000,
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("server errors that are not", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "is answered with server errors" },
	  { "answered since" },
	  { .requests = 4,
	    .answered = 4,
	    .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 3 },
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    ERROR_OF(3, 500, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false,
		     "/computeMetadata/v1/project/project-id"),
	    .last_broken_ns = 9000000000,
	    .last_ok_ns = 1000000000,
	    .providers = 1u << PROVIDER_GCE } },
#define LATE_OF(kind)                                                                              \
	ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SLOW), .failed = 1, .providers = 1u << PROVIDER_AZURE, \
						   .by_kind[kind] = &(struct kind_stats)           \
	{                                                                                          \
		.cells[IMDS_VERSION_NONE][OUTCOME_NO_RESPONSE] = 1                                 \
	}
	{ ROW("a late answer of Azure's to a token request is no scheduled event", FINDING_SLOW, SEVERITY_WARNING),
	  { "timeout longer" },
	  { "scheduledevents" },
	  { LATE_OF(IMDS_KIND_CREDENTIALS) } },
	{ ROW("one to what may be", FINDING_SLOW, SEVERITY_WARNING),
	  { "scheduledevents" },
	  { 0 },
	  { LATE_OF(IMDS_KIND_DATA) } },
	{ ROW("a host process that is blocked by turns is no new pod", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "; answered since", "the host's own output" },
	  { "POLICY_ENFORCING" },
	  { FILTERED(1), .providers = EC2, .host_network = true, .last_failed_ns = 1, .last_ok_ns = 2 } },
	{ ROW("a pod's own packets find no neighbour before they leave it", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "macvlan", "nsenter -t PID -n ip neigh" },
	  { "\n  ip route get" },
	  { ENDED(1, OUTCOME_DROPPED, CAUSE_NO_NEIGHBOUR), .own_network = true,
	    NOTE(.cause = CAUSE_NO_NEIGHBOUR, .requests = 1, .reason = "NEIGH_FAILED", .location = "neigh_invalidate",
		 .where = IMDS_D_AT_HOME),
	    .providers = EC2 } },
	{ ROW("answers that die by IPv4 and by IPv6", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "in ip_forward (IP_INHDR) and elsewhere, joined", "the answers of 2 requests in ip6_forward (IP_INHDR)" },
	  { "requests in ip_forward" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2,
	    .notes = { { .cause = CAUSE_HOP_LIMIT, .hop_limit = true, .requests = 2, .reason = "IP_INHDR", .location = "ip6_forward" },
		       { .cause = CAUSE_HOP_LIMIT,
			 .hop_limit = true,
			 .requests = 3,
			 .reason = "IP_INHDR",
			 .location = "ip_forward" } },
	    .notes_len = 2 },
	  TTLS(64, 1) },
	{ ROW("the status is that of the forwarded request", FINDING_FORWARDED_HEADER, SEVERITY_WARNING),
	  { "refuses them with 400 (1 time)" },
	  { 0 },
	  { .requests = 2,
	    .causes = { [CAUSE_FORWARDED] = 1, [CAUSE_ANSWERED_WITH_ERROR] = 1 },
	    .errors = { { 1, 403, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ORACLE, false, "/opc/v2/" },
			{ 1, 400, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ORACLE, true, "/opc/v2/" } },
	    .errors_len = 2,
	    .providers = 1u << PROVIDER_ORACLE } },
	{ ROW("the host's own routes are the node's", FINDING_NOT_SENT, SEVERITY_WARNING),
	  { "this node's routes", "\n  ip route get 169.254.169.254", "answered since", "wait for it" },
	  { "nsenter", "the pod's network" },
	  { .requests = 4,
	    .outcomes = { [OUTCOME_NOT_SENT] = 2, [OUTCOME_OK] = 2 },
	    .host_network = true,
	    .last_failed_ns = 1,
	    .last_ok_ns = 2,
	    .providers = EC2 } },
	{ ROW("IBM's service may speak TLS, or be off", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "protocol is https", "ibmcloud is instance" },
	  { "kiam" },
	  { ENDED(1, OUTCOME_REFUSED, CAUSE_REFUSED), .refused_by_rst = true, .providers = 1u << PROVIDER_IBM } },
	{ ROW("AKS may mean it", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "IMDS restriction" },
	  { "AWS" },
	  { FILTERED(1), .own_network = true, .providers = 1u << PROVIDER_AZURE } },
	{ ROW("EKS has none such", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "often meant" },
	  { "IMDS restriction" },
	  { FILTERED(1), .own_network = true, .providers = EC2 } },
#define ALIBABA_403                                                                       \
	.requests = 2, .credentials_requests = 1, .providers = 1u << PROVIDER_ALIBABA,    \
	ERROR_OF(1, 403, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_ALIBABA, false, \
		 "/latest/meta-data/ram/security-credentials/")
	{ ROW("Alibaba's tokens are to be asked for", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "Ask PUT /latest/api/token first" },
	  { 0 },
	  { ALIBABA_403 } },
	{ ROW("not by whom they die for", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "answered 403" },
	  { "Ask PUT" },
	  { ALIBABA_403, .token_requests = 1 } },
	{ ROW("another role than the annotation's", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "answered 403", "not the one of the pod's annotation" },
	  { "endpoint is off" },
	  { .requests = 2,
	    .credentials_requests = 1,
	    .answered_by = &relay,
	    .causes = { [CAUSE_ENDPOINT_DISABLED] = 1 },
	    .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 1 },
	    .token_requests = 1,
	    .token_answered = 1,
	    ERROR_OF(1, 403, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false,
		     "/latest/meta-data/iam/security-credentials/other"),
	    .providers = EC2 } },
	{ ROW("errors in part, that are over", FINDING_CREDENTIALS_REFUSED, SEVERITY_INFO),
	  { "got tokens or credentials only in part", "answered since" },
	  { "gets" },
	  { .requests = 4,
	    .failed = 3,
	    .credentials_requests = 4,
	    .credentials_ok = 1,
	    .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 3 },
	    .outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 3 },
	    ERROR_OF(3, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_AZURE, false,
		     "/metadata/identity/oauth2/token"),
	    .last_failed_ns = 1000000000,
	    .last_ok_ns = 9000000000,
	    .providers = 1u << PROVIDER_AZURE } },
#define NO_ROLE_AT(runtime_)                                                                                \
	.who = { .runtime = runtime_ }, .requests = 3, .answered_by = &relay, .credentials_requests = 1,    \
	.causes = { [CAUSE_NOT_THIS_CLOUD] = 1, [CAUSE_NO_ROLE] = 1 }, .answered = 3, .last_ok_ns = 5,      \
	.outcomes = { [OUTCOME_OK] = 1, [OUTCOME_HTTP_ERROR] = 2 }, .providers = EC2, .providers_ok = EC2,  \
	.errors = { { 1, 404, IMDS_KIND_TOKEN, IMDS_METHOD_PUT, PROVIDER_EC2, false, "/latest/api/token" }, \
		    { 1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false,                  \
		      "/latest/meta-data/iam/security-credentials/" } },                                    \
	.errors_len = 2
	{ ROW("who stands in the service's place knows no role for it", FINDING_NO_ROLE, SEVERITY_WARNING),
	  { "no role for it", "finds no container" },
	  { "kube2iam", "associate-iam" },
	  { NO_ROLE_AT(RUNTIME_DOCKER) } },
	{ ROW("the same of a pod", FINDING_NO_ROLE, SEVERITY_WARNING),
	  { "no role for it", "iam.amazonaws.com/role" },
	  { "finds no container" },
	  { NO_ROLE_AT(RUNTIME_KUBERNETES) } },
	{ ROW("nor does it know tokens, which is a note", FINDING_NOT_THIS_CLOUD, SEVERITY_INFO),
	  { "does not pass token requests on" },
	  { 0 },
	  { NO_ROLE_AT(RUNTIME_KUBERNETES) } },
	{ ROW("the cloud's answer does not mean that the agent is back", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "does it run" },
	  { "answered since", "not ready yet" },
	  { .requests = 4,
	    .outcomes = { [OUTCOME_REFUSED] = 2, [OUTCOME_OK] = 2 },
	    .causes = { [CAUSE_REFUSED] = 2 },
	    .refused_by_rst = true,
	    .last_failed_ns = 1000000000,
	    .last_ok_ns = 9000000000,
	    .endpoints_ok = 1,
	    .endpoints_failed = 2,
	    .providers_failed = 1u << PROVIDER_EKS_POD_IDENTITY,
	    .providers = EC2 | 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("nor that it is back where it was answered before", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "does it run" },
	  { "answered since", "not ready yet" },
	  { .requests = 4,
	    .outcomes = { [OUTCOME_REFUSED] = 2, [OUTCOME_OK] = 2 },
	    .causes = { [CAUSE_REFUSED] = 2 },
	    .refused_by_rst = true,
	    .last_failed_ns = 1000000000,
	    .last_ok_ns = 9000000000,
	    .endpoints_ok = 3,
	    .endpoints_failed = 2,
	    .endpoints_failing = 2,
	    .providers_failed = 1u << PROVIDER_EKS_POD_IDENTITY,
	    .providers = EC2 | 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("a host process is not what an agent takes from the service", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "Nothing listens" },
	  { "kiam" },
	  { ENDED(1, OUTCOME_REFUSED, CAUSE_REFUSED), .refused_by_rst = true, .host_network = true, .providers = EC2 } },
	{ ROW("IPv6 is not there, IPv4 serves", FINDING_NOT_SENT, SEVERITY_INFO),
	  { "no route to fd00:ec2::254", "served over IPv4" },
	  { "bpftool", "default route" },
	  { .requests = 2,
	    .outcomes = { [OUTCOME_NOT_SENT] = 1, [OUTCOME_OK] = 1 },
	    .endpoints = 3,
	    .endpoints_failed = 2,
	    .last_ok_ns = 1,
	    .providers = EC2 } },
	{ ROW("the agent's own answers do not come from far, the cloud's do", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "GET /v1/credentials answered 400" },
	  { "another server" },
	  { .requests = 2,
	    .credentials_requests = 1,
	    ERROR_OF(.requests = 1, .status = 400, .kind = IMDS_KIND_CREDENTIALS, .method = IMDS_METHOD_GET,
		     .path = "/v1/credentials"),
	    .hops = 1,
	    .ttl_synack = 63,
	    .ttl_low = 63,
	    .ttl_high = 63,
	    .providers_failed = 1u << PROVIDER_EKS_POD_IDENTITY,
	    .providers = EC2 | 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("the request of a connection that stands is lost", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "1 time: the connection stood, and the request itself was never acknowledged", "smaller MTU",
	    "took the connections" },
	  { "does it run" },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .silences = { [SILENCE_UNACKED] = 1 }, .ttl_synack = 64,
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("the beginning of an answer is lost", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "1 time: the end of an answer came, and its beginning did not", "smaller MTU", "The connections stood" },
	  { "SNAT, masquerade", "in no cloud" },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .silences = { [SILENCE_BEHEADED] = 1 }, .ttl_synack = 63,
	    .providers = EC2 } },
	{ ROW("no SYN-ACK says nothing of sizes", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "1 time: no connection", "Ask from the node" },
	  { "MTU" },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .silences = { [SILENCE_UNCONNECTED] = 1 }, .providers = EC2 } },
	{ ROW("what is no HTTP is not told as lost on the way", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "is no whole HTTP request", "speaks plain HTTP" },
	  { "MTU", "Ask from the node", "overloaded" },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .silences = { [SILENCE_UNFINISHED] = 1 }, .ttl_synack = 63 } },
	{ ROW("the same, cut off", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "is no whole HTTP request", "speaks plain HTTP" },
	  { "too many of them" },
	  { ENDED(1, OUTCOME_RESET, CAUSE_RESET), .silences = { [SILENCE_UNFINISHED] = 1 }, .ttl_synack = 63 } },
	{ ROW("EC2 over IPv6, which is off by default", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "--http-protocol-ipv6 enabled" },
	  { 0 },
	  { ENDED(1, OUTCOME_NO_RESPONSE, CAUSE_SILENT), .endpoints = 2, .endpoints_failed = 2, .providers = EC2 } },
	{ ROW("the same, and others are answered there", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "cause not seen" },
	  { "--http-protocol-ipv6" },
	  { .requests = 2,
	    .outcomes = { [OUTCOME_NO_RESPONSE] = 1, [OUTCOME_OK] = 1 },
	    .causes = { [CAUSE_SILENT] = 1 },
	    .endpoints = 2,
	    .endpoints_ok = 2,
	    .endpoints_failed = 2,
	    .providers = EC2 } },
	{ ROW("a Docker host has a chain for it, and no network policies", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "iptables -vnL DOCKER-USER", "often meant" },
	  { "network policy", "CNI", "kubectl" },
	  { FILTERED(2), .who = { .runtime = RUNTIME_DOCKER }, .providers = EC2 } },
	{ ROW("a cluster's node has policies", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "a network policy", "kubectl get networkpolicy" },
	  { "DOCKER-USER" },
	  { FILTERED(2), .who = { .runtime = RUNTIME_KUBERNETES }, .providers = EC2 } },
	{ ROW("tokens die where they are required", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "without success: 401, tokens are required here", "take the node's role.\n" },
	  { "--http-tokens required" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .fallbacks = 2, .v1_unauthorized = 2 } },
	{ ROW("the same, what it falls back to", FINDING_IMDSV1_FALLBACK, SEVERITY_INFO),
	  { "Tokens are required here: it is left with nothing" },
	  { "before tokens are required" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .fallbacks = 2, .v1_unauthorized = 2 } },
	{ ROW("DNS is blocked by a policy for metadata", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "kept from DNS", "name server", "policy drop|reject" },
	  { 0 },
	  { FILTERED(2),
	    .by_kind[IMDS_KIND_DNS] = &(struct kind_stats){ .cells[IMDS_VERSION_UNKNOWN][OUTCOME_BLOCKED] = 2 } } },
	{ ROW("the WireServer is closed to pods, and IMDS's answer opens nothing", FINDING_BLOCKED_BY_POLICY,
	      SEVERITY_WARNING),
	  { "the metadata service at 168.63.129.16", "on purpose" },
	  { "answered since", "NETWORK_POLICY_ENFORCING_MODE" },
	  { FILTERED(1), .endpoints = 5, .endpoints_failed = 4, .endpoints_ok = 1, .last_failed_ns = 1, .last_ok_ns = 2,
	    .providers = 1u << PROVIDER_AZURE } },
	{ ROW("Tailscale and Alibaba's address", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "which drops the answers", "ts-(input|forward)" },
	  { "comes in to the pod" },
	  { ENDED(1, OUTCOME_BLOCKED, CAUSE_FILTERED),
	    NOTE(.cause = CAUSE_FILTERED, .requests = 1, .reason = "NETFILTER_DROP", .from_endpoint = true),
	    .endpoints = 8, .endpoints_failed = 8, .providers = 1u << PROVIDER_ALIBABA } },
	{ ROW("a mesh's proxy that turns away", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "excludeOutboundIPRanges", "skip-subnets", "APPMESH_EGRESS_IGNORED_IP" },
	  { "Neutron" },
	  { .requests = 2,
	    .own_network = true,
	    .redirected_at_home = true,
	    .answered_by = &relay,
	    ERROR_OF(2, 503, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest"),
	    .causes = { [CAUSE_THROTTLED] = 2 },
	    .providers = EC2 } },
	{ ROW("a redirect gives no credentials", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "GET /v1/credentials answered 308", "A redirect (3xx)", "a hostPort 80" },
	  { 0 },
	  { .requests = 3,
	    .failed = 3,
	    .credentials_requests = 3,
	    ERROR_OF(3, 308, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("half of its credentials are refused", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "gets tokens or credentials only in part: 2 answers 404" },
	  { 0 },
	  { .requests = 4,
	    .failed = 2,
	    .credentials_requests = 4,
	    .credentials_ok = 2,
	    .last_ok_ns = 1,
	    .last_failed_ns = 2,
	    ERROR_OF(2, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/x"),
	    .providers = EC2 } },
	{ ROW("a role that kube2iam may not take, beside tokens that it does not know", FINDING_CREDENTIALS_REFUSED,
	      SEVERITY_ERROR),
	  { "security-credentials/app answered 500 at", "trust the role of the node" },
	  { "knows no role", "not EC2's" },
	  { TOKENLESS(500), .who = POD } },
	{ ROW("tokens that it does not know are no harm then", FINDING_NOT_THIS_CLOUD, SEVERITY_INFO),
	  { "for an EC2 token" },
	  { 0 },
	  { TOKENLESS(500), .who = POD } },
	{ ROW("a role that it does not know is told with them", FINDING_NOT_THIS_CLOUD, SEVERITY_WARNING),
	  { "for an EC2 token" },
	  { 0 },
	  { TOKENLESS(404), .who = POD } },
	{ ROW("throttled, and more", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "is throttled: 3 answers 429, 3 more 410 or 404", "70 s at least" },
	  { 0 },
	  { .requests = 6,
	    .errors = { { 3, 429, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/identity" },
			{ 2, 410, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/identity" },
			{ 1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/identit" },
			{ 1, 404, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_AZURE, false, "/metadata/x" } },
	    .errors_len = 4,
	    .causes = { [CAUSE_THROTTLED] = 3 },
	    .responses = { [IMDS_STATUS_429] = 3 },
	    .providers = 1u << PROVIDER_AZURE } },
	{ ROW("Oracle's legacy paths, beside what is served", FINDING_CREDENTIALS_REFUSED, SEVERITY_INFO),
	  { "only Oracle's legacy service (/opc/v1/) has", "2 answers 404", "ask below /opc/v2/" },
	  { 0 },
	  { ORACLE_404, .providers_ok = 1u << PROVIDER_ORACLE, .last_ok_ns = 1 } },
	{ ROW("and alone", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "only with errors: 2 answers 404", "ask below /opc/v2/" },
	  { 0 },
	  { ORACLE_404 } },
	{ ROW("a proxy asks without tokens for others", FINDING_IMDSV1_IN_USE, SEVERITY_INFO),
	  { "NO_PROXY=169.254.169.254" },
	  { "end the day" },
	  { .requests = 3,
	    .v1_requests = 3,
	    .processes = { { .comm = "squid", .requests = 3, .v1_requests = 3 } },
	    .processes_len = 1,
	    DATA(IMDS_VERSION_V1, OUTCOME_OK, 3),
	    .providers = EC2 } },
	{ ROW("one process among others is a proxy", FINDING_IMDSV1_IN_USE, SEVERITY_INFO),
	  { "end the day" },
	  { "NO_PROXY" },
	  { .requests = 3,
	    .v1_requests = 3,
	    .processes = { { .comm = "squid", .requests = 2, .v1_requests = 2 },
			   { .comm = "squidward", .requests = 1, .v1_requests = 1 } },
	    .processes_len = 2,
	    DATA(IMDS_VERSION_V1, OUTCOME_OK, 3),
	    .providers = EC2 } },
	{ ROW("another cloud by its paths has no roles of EC2", FINDING_NO_ROLE, SEVERITY_WARNING),
	  { "the service here is another cloud's, which has no roles of EC2", "AWS_EC2_METADATA_DISABLED" },
	  { "attached", "instance profile" },
	  { ENDED(1, OUTCOME_HTTP_ERROR, CAUSE_NO_ROLE),
	    ERROR_OF(1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EC2, false, "/latest/x"),
	    .providers = EC2, .providers_ok = 1u << PROVIDER_UNLISTED } },
	{ ROW("nor tokens", FINDING_NOT_THIS_CLOUD, SEVERITY_WARNING),
	  { "not EC2's, it is another cloud's: 1 token request refused" },
	  { "unlisted" },
	  { ENDED(1, OUTCOME_HTTP_ERROR, CAUSE_NOT_THIS_CLOUD), .providers = EC2,
	    .providers_ok = 1u << PROVIDER_UNLISTED } },
	{ ROW("a cloud with a name beside it is that", FINDING_NO_ROLE, SEVERITY_WARNING),
	  { "that of ibm" },
	  { "another cloud" },
	  { ENDED(1, OUTCOME_HTTP_ERROR, CAUSE_NO_ROLE), .providers = EC2,
	    .providers_ok = 1u << PROVIDER_UNLISTED | 1u << PROVIDER_IBM } },
	{ ROW("a container may have the ECS agent's address", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "amazon-ecs-local-container-endpoints" },
	  { "The ECS agent answers here" },
	  { .requests = 1,
	    ERROR_OF(1, 500, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ECS, false, "/v4/abc/task"),
	    .providers = 1u << PROVIDER_ECS,
	    .who = BARE } },
	{ ROW("an ECS task on the host's network", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST" },
	  { 0 },
	  { ASKED(1, OUTCOME_NO_RESPONSE), .silences = { [SILENCE_UNCONNECTED] = 1 }, .host_network = true,
	    .providers = 1u << PROVIDER_ECS } },
	{ ROW("Alibaba's address within a range of pods", FINDING_DROPPED_ON_NODE, SEVERITY_ERROR),
	  { "100.64.0.0/10" },
	  { 0 },
	  { ENDED(1, OUTCOME_DROPPED, CAUSE_NO_NEIGHBOUR),
	    NOTE(CAUSE_NO_NEIGHBOUR, false, "NEIGH_FAILED", "", "", 1, 64), .providers = 1u << PROVIDER_ALIBABA } },
	{ ROW("silent at the start, answered since", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "; answered since\n", "needs some seconds" },
	  { 0 },
	  { .requests = 2,
	    .outcomes = { [OUTCOME_NO_RESPONSE] = 1, [OUTCOME_OK] = 1 },
	    .silences = { [SILENCE_UNANSWERED] = 1 },
	    .last_failed_ns = 1,
	    .last_ok_ns = 2,
	    .who = POD,
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("EKS does not answer the agent", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "eks-auth.REGION.api.aws" },
	  { "malformed" },
	  { .requests = 1,
	    .credentials_requests = 1,
	    ERROR_OF(1, 500, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .answered_by = &agent,
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("what a redirect leads to is said once", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "redirects the connection to 10.0.0.9:8181" },
	  { "redirects its connections" },
	  { ENDED(1, OUTCOME_REFUSED, CAUSE_REFUSED), .answered_by = &relay, .providers = EC2 } },
	{ ROW("ECS: no credentials were asked for", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "answered with server errors", "look at its log" },
	  { "RELATIVE_URI", "has a role" },
	  { .requests = 2,
	    .errors = { { 1, 500, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ECS, false, "/v4/abc/task" },
			{ 1, 404, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ECS, false, "/v4/abc/stats" } },
	    .errors_len = 2,
	    .providers = 1u << PROVIDER_ECS } },
#define TABLE_DROP                                                                                                           \
	ENDED(2, OUTCOME_BLOCKED, CAUSE_FILTERED),                                                                           \
	    .notes = { { .cause = CAUSE_FILTERED, .requests = 2, .reason = "NETFILTER_DROP", .location = "nf_hook_slow" } }, \
	    .notes_len = 1, .providers = EC2
	{ ROW("dropped by a full table of connections", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "by the node's connection tracking", "dropped 7 packets meanwhile; its table has 995 of 1000 entries",
	    "nf_conntrack_max" },
	  { "packet filter", "nft list" },
	  { TABLE_DROP },
	  .conntrack = { 7, 995, 1000 } },
	{ ROW("with room left in the table it may be either", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "by a packet filter or connection tracking", "dropped 7 packets meanwhile; its table has 500",
	    "Or someone's rule", "insert_failed" },
	  { "takes no more", "table is full", "Someone's rule" },
	  { TABLE_DROP },
	  .conntrack = { 7, 500, 1000 } },
	{ ROW("a rule that drops in nftables' own place is no table's", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "by a packet filter", "Someone's rule" },
	  { "conntrack" },
	  { FILTERED(2), .providers = EC2 },
	  .conntrack = { 7, 500, 1000 } },
	{ ROW("nor does one that dropped nothing", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "by a packet filter" },
	  { "conntrack" },
	  { TABLE_DROP },
	  .conntrack = { 0, 1000, 1000 } },
	{ ROW("refused by a router", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "by an ICMP error", "ip route get 169.254.169.254", "in no cloud" },
	  { "Nothing listens", "kiam", "left at once" },
	  { ENDED(1, OUTCOME_REFUSED, CAUSE_REFUSED), .refused_by_icmp = true, .providers = EC2 } },
	{ ROW("refused by a router, or not waited for", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "by an ICMP error (unreachable) on the way, or left at once by its client" },
	  { "Nothing listens" },
	  { ENDED(1, OUTCOME_REFUSED, CAUSE_REFUSED), .refused_by_icmp = true, .left_at_once = true, .providers = EC2 } },
	{ ROW("a role of its own, and the region of the service", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "it also gets credentials", "AWS_REGION" },
	  { "role of its own" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .uses_pod_identity = true, .fallbacks = 1,
	    .fallbacks_answered = 1 },
	  TTLS(64, 1) },
	{ ROW("its fallback", FINDING_IMDSV1_FALLBACK, SEVERITY_WARNING),
	  { "It asks for tokens already" },
	  { "node's role", "role of its own" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .uses_pod_identity = true, .fallbacks = 1,
	    .fallbacks_answered = 1 },
	  TTLS(64, 1) },
	{ ROW("503 of GCE's is a moment's", FINDING_THROTTLED, SEVERITY_WARNING),
	  { "turned away (service unavailable): 2 answers 503", "growing pauses" },
	  { "limits queries", "OpenStack" },
	  { .requests = 2,
	    ERROR_OF(2, 503, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_GCE, false, "/computeMetadata/v1/"),
	    .causes = { [CAUSE_THROTTLED] = 2 },
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("GCE's old path, longer than what is kept of it", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "default/toke... answered 404", "ask below /computeMetadata/v1/" },
	  { 0 },
	  { .requests = 1,
	    .credentials_requests = 1,
	    ERROR_OF(1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_GCE, false,
		     "/computeMetadata/v1beta1/instance/service-accounts/default/toke"),
	    .providers = 1u << PROVIDER_GCE } },
	{ ROW("slow to be read", FINDING_SLOW, SEVERITY_WARNING),
	  { "is answered in time, and took long to receive", "first byte of each was there within 20 ms" },
	  { "limits queries", "answered late", "linklocal" },
	  { .requests = 2, .slow = 2, .slow_begin_us = 20000, .providers = EC2 } },
	{ ROW("slow to begin", FINDING_SLOW, SEVERITY_WARNING),
	  { "is answered late: 2 above", "limits queries" },
	  { "first byte" },
	  { .requests = 2, .slow = 2, .slow_begin_us = 1200000, .providers = EC2 } },
	{ ROW("a token's error is told once", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "asks for a token and gets only errors" },
	  { "server errors" },
	  { .requests = 3,
	    .token_requests = 1,
	    .outcomes = { [OUTCOME_OK] = 2, [OUTCOME_HTTP_ERROR] = 1 },
	    ERROR_OF(1, 500, IMDS_KIND_TOKEN, IMDS_METHOD_PUT, PROVIDER_EC2, false, "/latest/api/token"),
	    .last_ok_ns = 1,
	    .providers = EC2 } },
	{ ROW("Oracle's header is missing", FINDING_CREDENTIALS_REFUSED, SEVERITY_WARNING),
	  { "2 answers 401", "Bearer Oracle" },
	  { 0 },
	  { ASKED(2, OUTCOME_HTTP_ERROR),
	    ERROR_OF(2, 401, IMDS_KIND_DATA, IMDS_METHOD_GET, PROVIDER_ORACLE, false, "/opc/v2/instance/"),
	    .providers = 1u << PROVIDER_ORACLE } },
	{ ROW("EKS Pod Identity, the token is stale", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "answered 400", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" },
	  { 0 },
	  { .requests = 1,
	    .credentials_requests = 1,
	    ERROR_OF(1, 400, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_EKS_POD_IDENTITY, false, "/v1/credentials"),
	    .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("ECS, a path that is no task's", FINDING_CREDENTIALS_REFUSED, SEVERITY_ERROR),
	  { "answered 404", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" },
	  { 0 },
	  { .requests = 1,
	    .credentials_requests = 1,
	    ERROR_OF(1, 404, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_ECS, false, "/v2/credentials/x"),
	    .providers = 1u << PROVIDER_ECS } },
	{ ROW("EKS Pod Identity, a policy that leaves the agent out", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "must list that address, too" },
	  { "often meant" },
	  { ASKED(1, OUTCOME_BLOCKED), .policy_drops = 2, .policy_location = "nf_hook_slow",
	    .policy_reason = "NETFILTER_DROP", .providers = 1u << PROVIDER_EKS_POD_IDENTITY } },
	{ ROW("tokens die yet, whatever is answered without them", FINDING_HOP_LIMIT_EXHAUSTED, SEVERITY_ERROR),
	  { "gets no metadata token" },
	  { "got no", "answered since" },
	  { HOP(CONFIDENCE_PROVEN), DEAD, .providers = EC2, .providers_ok = EC2, .providers_failed = EC2,
	    .last_failed_ns = 1000000000, .last_ok_ns = 9000000000, .token_fails = true },
	  TTLS(64, 1) },
	{ "connections that stand late, as the user means it",
	  FINDING_SLOW,
	  SEVERITY_WARNING,
	  { "the slowest after 300 ms" },
	  { "SYN" },
	  { .requests = 2, .answered = 2, .slow_connects = 2, .connect = { .count = 2, .max_us = 300000 } } },
	{ "connections that stood by a second SYN",
	  FINDING_SLOW,
	  SEVERITY_WARNING,
	  { "the slowest after 3.0 s", "sends it again" },
	  { "hop limit" },
	  { .requests = 2, .answered = 2, .slow_connects = 2, .connect = { .count = 2, .max_us = 3000000 } } },
	{ "slow", FINDING_SLOW, SEVERITY_WARNING, { "2 above 1.0 s" }, { "hop limit" }, { .requests = 2, .slow = 2 } },
	{ ROW("blocked", FINDING_BLOCKED_BY_POLICY, SEVERITY_WARNING),
	  { "4 of its own packets dropped in nf_hook_slow (NETFILTER_DROP)" },
	  { "hop limit" },
	  { ASKED(2, OUTCOME_BLOCKED), .policy_drops = 4, .policy_location = "nf_hook_slow",
	    .policy_reason = "NETFILTER_DROP" } },
	{ ROW("blocked, Pod Identity works", FINDING_BLOCKED_BY_POLICY, SEVERITY_INFO),
	  { "robably on purpose" },
	  { 0 },
	  { ASKED(2, OUTCOME_BLOCKED), .uses_pod_identity = true } },
	{ ROW("refused", FINDING_ENDPOINT_REFUSED, SEVERITY_WARNING),
	  { "refused 1 time" },
	  { "hop limit" },
	  { ASKED(1, OUTCOME_REFUSED) } },
	{ ROW("silence", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "2 of 2 requests without an answer", "no packet of these was seen dropped" },
	  { "hop limit" },
	  { .requests = 2, .outcomes = { [OUTCOME_NO_RESPONSE] = 1, [OUTCOME_RESET] = 1 }, .providers = EC2 } },
	{ ROW("silence where an answer could not arrive anyway", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "even an answer would not arrive, hop limit 2 is needed" },
	  { "aws ec2" },
	  { .requests = 1,
	    .token_requests = 1,
	    .outcomes = { [OUTCOME_NO_RESPONSE] = 1 },
	    .providers = EC2,
	    .hops = 1,
	    .required_hop_limit = 2 },
	  TTLS(64, 1) },
	{ ROW("silence of another provider", FINDING_NO_RESPONSE, SEVERITY_WARNING),
	  { "without an answer" },
	  { "hop limit", "EC2", "ethtool" },
	  { ASKED(1, OUTCOME_NO_RESPONSE), .providers = 1u << PROVIDER_GCE, .hops = 1 },
	  TTLS(64, 1) },
	{ ROW("TTL raised", FINDING_TTL_REWRITTEN, SEVERITY_WARNING),
	  { "TTL 65 in the pod, 64 on the node" },
	  { 0 },
	  { .requests = 1, .own_network = true, .ttl_above_baseline = true, .ttl_synack = 65, .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("TTL equal", FINDING_TTL_REWRITTEN, SEVERITY_INFO),
	  { "TTL 64 in the pod, 64 on the node" },
	  { 0 },
	  { .requests = 1,
	    .own_network = true,
	    .ttl_above_baseline = true,
	    .ttl_synack = 64,
	    .ttl_token_response = 1,
	    .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("host network has the node's TTL", FINDING_TTL_REWRITTEN, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .host_network = true, .ttl_above_baseline = true, .ttl_synack = 64, .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("kiam in between", FINDING_INTERCEPTED, SEVERITY_INFO),
	  { "by a process on this node" },
	  { 0 },
	  { .requests = 1, .own_network = true, .ttl_synack = 64, .ttl_token_response = 64, .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("fresh TTL of another start", FINDING_INTERCEPTED, SEVERITY_INFO),
	  { "TTL 252" },
	  { 0 },
	  { .requests = 1, .own_network = true, .ttl_synack = 64, .providers = 1u << PROVIDER_GCE },
	  TTLS(252, 0) },
	{ ROW("a rule raises what comes to the node", FINDING_INTERCEPTED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .own_network = true, .hops = -1, .ttl_synack = 64, .ttl_token_response = 64, .providers = EC2 },
	  TTLS(65, 2) },
	{ ROW("Pod Identity's agent is local by design", FINDING_INTERCEPTED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .own_network = true, .ttl_synack = 64, .providers = 1u << PROVIDER_EKS_POD_IDENTITY },
	  TTLS(252, 0) },
	{ ROW("lower than on the node now, since the service sends otherwise", FINDING_TTL_REWRITTEN, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .own_network = true, .ttl_above_baseline = true, .ttl_synack = 199, .providers = EC2 },
	  TTLS(200, 0) },
	{ ROW("kiam in between is no rewritten TTL", FINDING_TTL_REWRITTEN, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1,
	    .own_network = true,
	    .ttl_above_baseline = true,
	    .ttl_synack = 64,
	    .ttl_token_response = 64,
	    .providers = EC2 },
	  TTLS(64, 1) },
	{ ROW("as high as on the node; the service's other address has another", FINDING_INTERCEPTED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1,
	    .own_network = true,
	    .ttl_above_baseline = true,
	    .ttl_synack = 64,
	    .node_ttl = 64,
	    .ttl_token_response = 2,
	    .providers = EC2 },
	  TTLS(255, 0) },
	{ ROW("host network under another start TTL", FINDING_INTERCEPTED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .host_network = true, .ttl_synack = 64, .providers = EC2 },
	  TTLS(252, 0) },
	{ ROW("one forward away", FINDING_INTERCEPTED, NONE),
	  { 0 },
	  { 0 },
	  { .requests = 1, .own_network = true, .ttl_synack = 63, .providers = EC2 },
	  TTLS(64, 1) },
};

static void each_row_is_found_as_written(void **state)
{
	static const char *const endpoints[] = { "169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200",
						 NULL };
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct pod_stats p = row->p;
		const struct pod_stats *pods[] = { &p };
		struct snapshot s = { .pods = pods,
				      .pods_len = 1,
				      .slow_us = 1000000,
				      .endpoints = endpoints,
				      .conntrack = row->conntrack,
				      .baseline_ttl = row->baseline,
				      .node_token_ttl = row->node_token_ttl,
				      .drops_watched = !row->drops_off };
		struct finding *f, *hit = NULL;
		char text[8192];
		size_t len;

		if (!p.node_ttl)
			p.node_ttl = row->baseline;
		p.who = (struct pod_identity){ 1, "ns", "pod", "c", "", "", "cg", "", "", row->p.who.runtime };
		assert_int_equal(findings_collect(&s, &f, &len), 0);
		for (size_t n = 0; n < len; n++)
			if (f[n].code == row->code)
				hit = &f[n];
		if (!hit != (row->severity == NONE) || (hit && (int)hit->severity != row->severity)) {
			print_error("%s: %s\n", row->name, hit ? severity_word(hit->severity) : "not found");
			wrong++;
		}
		for (size_t n = 0; hit && n < LEN(row->says) && row->says[n]; n++) {
			join(hit, text, sizeof(text));
			if (!strstr(text, row->says[n]) && ++wrong)
				print_error("%s: does not say '%s':\n%s\n", row->name, row->says[n], text);
		}
		for (size_t n = 0; hit && n < LEN(row->says_not) && row->says_not[n]; n++) {
			join(hit, text, sizeof(text));
			if (strstr(text, row->says_not[n]) && ++wrong)
				print_error("%s: says '%s':\n%s\n", row->name, row->says_not[n], text);
		}
		findings_free(f, len);
	}
	assert_int_equal(wrong, 0);
}

/* The processes of pods that are one finding are counted together, by name; the path is drawn once for all of them. */
/* Whoever stands in the service's place is refused for a header of its own: no role of the pod's is missing. */
static void advice_is_of_what_the_proxy_sent(void **state)
{
	struct pod_stats proxy = { .who = { 1, "kube-system", "egress", "envoy", "", "", "cg/egress" },
				   .requests = 2,
				   .causes = { [CAUSE_FORWARDED] = 2 },
				   .providers = 1u << PROVIDER_GCE };
	const struct answerer by = { .address = "10.0.0.9:8181", .who = &proxy.who };
	struct pod_stats p = { .who = { 2, "shop", "cart", "app", "", "", "cg/cart", "", "", RUNTIME_KUBERNETES },
			       .requests = 2,
			       .credentials_requests = 2,
			       .answered_by = &by,
			       .causes = { [CAUSE_ANSWERED_WITH_ERROR] = 2 },
			       ERROR_OF(2, 403, IMDS_KIND_CREDENTIALS, IMDS_METHOD_GET, PROVIDER_GCE, false,
					"/computeMetadata/v1/instance/service-accounts/default/token", .header = 1),
			       .providers = 1u << PROVIDER_GCE };
	const struct pod_stats *pods[] = { &p, &proxy };
	struct snapshot s = { .pods = pods, .pods_len = 2 };
	char text[8192] = "";
	struct finding *f;
	size_t len;

	(void)state;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	for (size_t i = 0; i < len; i++)
		if (f[i].code == FINDING_CREDENTIALS_REFUSED)
			join(&f[i], text, sizeof(text));
	assert_non_null(strstr(text, "adds X-Forwarded-For"));
	assert_null(strstr(text, "workloadIdentityUser"));
	findings_free(f, len);
}

static void pods_of_a_workload_are_told_together(void **state)
{
	struct pod_stats a = { HOP(CONFIDENCE_PROVEN), .providers = EC2,
			       .processes = { { .pid = 7, .comm = "curl", .requests = 2 } }, .processes_len = 1 },
			 b = a;
	const struct pod_stats *pods[] = { &a, &b };
	struct snapshot s = { .pods = pods, .pods_len = 2, .node = "n", .drops_watched = true };
	struct finding *f;
	char text[8192];
	size_t len;

	(void)state;
	a.who = (struct pod_identity){ 1, "shop", "cart-7d9f6c5b8-x2x4q", "app", "", "", "cg", "", "", RUNTIME_NONE };
	b.who = (struct pod_identity){ 2, "shop", "cart-7d9f6c5b8-x2x5r", "app", "", "", "cg", "", "", RUNTIME_NONE };
	b.processes[0].pid = 8;
	b.v1_requests = b.fallbacks = 1;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(f[0].pods_len, 2);
	join(&f[0], text, sizeof(text));
	assert_non_null(strstr(text, "process curl (in several pods): 4 requests"));
	assert_non_null(strstr(text, "They need hop limit 2"));
	/* the one pod's other finding draws no path again: the one of both did */
	assert_int_equal(f[1].pods_len, 1);
	assert_int_not_equal(finding_row(&f[0]), finding_row(&f[1]));
	assert_true(findings_is_first_of_row(f, 0));
	assert_false(findings_is_first_of_row(f, 1));
	findings_free(f, len);
}

/* What is quoted of several pods is counted over all of them; those that were stopped elsewhere are told by themselves. */
static void what_is_quoted_of_pods_is_of_all_of_them(void **state)
{
	struct pod_stats pod[3];
	const struct pod_stats *pods[] = { &pod[0], &pod[1], &pod[2] };
	static const char *const names[] = { "cart-7d9f6c5b8-x2x4q", "cart-7d9f6c5b8-x2x5r", "cart-7d9f6c5b8-x2x6s" };
	struct snapshot s = { .pods = pods, .pods_len = 3, .node = "n", .drops_watched = true };
	struct finding *f;
	char text[8192];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct drop_note *n = pod[i].notes;

		pod[i] = (struct pod_stats){ .requests = 2,
					     .failed = 2,
					     .outcomes = { [OUTCOME_BLOCKED] = 2 },
					     .causes = { [CAUSE_FILTERED] = 2 },
					     .policy_drops = 2,
					     .providers = EC2,
					     .hops = -1 };
		pod[i].who = (struct pod_identity){ i + 1, "shop", names[i], "app", "", "", "cg", "", "", RUNTIME_NONE };
		*n = (struct drop_note){ .cause = CAUSE_FILTERED, .reason = "NETFILTER_DROP", .requests = 2 };
		snprintf(n->location, sizeof(n->location), "%s", i < 2 ? "nf_hook_slow" : "nft_do_chain");
		pod[i].notes_len = 1;
	}
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(len, 2);
	assert_int_equal(f[0].pods_len, 2);
	assert_int_equal(f[1].pods_len, 1);
	join(&f[0], text, sizeof(text));
	assert_non_null(strstr(text, "4 requests stopped"));
	assert_non_null(strstr(text, "nf_hook_slow"));
	join(&f[1], text, sizeof(text));
	assert_non_null(strstr(text, "2 requests stopped"));
	assert_non_null(strstr(text, "nft_do_chain"));
	findings_free(f, len);
}

static void worst_come_first_and_point_to_their_pod(void **state)
{
	struct golden_case c;
	struct finding *f;
	size_t len;

	(void)state;
	golden_case_init(&c);
	assert_int_equal(findings_collect(&c.s, &f, &len), 0);
	assert_int_equal(len, 3);
	assert_int_equal(f[0].code, FINDING_HOP_LIMIT_EXHAUSTED);
	assert_int_equal(f[1].code, FINDING_IMDSV1_FALLBACK);
	assert_int_equal(f[2].code, FINDING_BLOCKED_BY_POLICY);
	assert_int_equal(finding_row(&f[2]), 1);
	assert_string_equal(f[2].namespace, "jobs");
	findings_free(f, len);
	golden_case_clear(&c);
}

static void equal_causes_give_equal_advice(void **state)
{
	struct golden_case c;
	struct pod_stats twin;
	const struct pod_stats *pods[2];
	struct finding *f;
	size_t len;

	(void)state;
	golden_case_init(&c);
	twin = c.cart;
	twin.who.pod = "other-pod";
	twin.fallbacks = 0;
	pods[0] = &c.cart;
	pods[1] = &twin;
	c.s.pods = pods;
	c.s.pods_len = 2;
	assert_int_equal(findings_collect(&c.s, &f, &len), 0);
	assert_int_equal(f[0].code, f[1].code);
	assert_string_not_equal(f[0].summary, f[1].summary);
	for (size_t i = 0; f[0].advice[i] || f[1].advice[i]; i++)
		assert_string_equal(f[0].advice[i], f[1].advice[i]);
	findings_free(f, len);
	golden_case_clear(&c);
}

static void what_was_not_seen_is_a_finding(void **state)
{
	static const struct feature features[] = { { "cgroup_skb", "ok", "" }, { "drops", "missing", "no BTF" } };
	struct loss losses[] = { { "ring_request", "details missing", 0 } };
	struct snapshot s = { .features = features, .features_len = 1, .losses = losses, .losses_len = 1 };
	struct finding *f;
	size_t len;

	(void)state;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(len, 0);
	findings_free(f, len);

	s.features_len = 2;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(f[0].code, FINDING_OBSERVATION_INCOMPLETE);
	assert_int_equal(f[0].severity, SEVERITY_INFO);
	assert_string_equal(f[0].evidence[0], "drops is missing: no BTF");
	assert_null(f[0].evidence[1]);
	assert_non_null(f[0].advice);
	assert_true(finding_row(&f[0]) == SIZE_MAX);
	findings_free(f, len);

	losses[0].count = 7;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(f[0].severity, SEVERITY_WARNING);
	assert_string_equal(f[0].evidence[1], "ring_request: 7, details missing");
	findings_free(f, len);
}

/* A busy machine's kernel misses one drop or another: that weighs only where a drop could be the cause. */
static void missed_drops_weigh_where_a_cause_is_wanting(void **state)
{
	static const struct {
		uint64_t answered, hop_limit, silent, aborted;
		enum severity severity;
	} cases[] = {
		{ 9, 0, 0, 0, SEVERITY_INFO },	  { 9, 3, 0, 0, SEVERITY_INFO },    { 9, 0, 1, 0, SEVERITY_WARNING },
		{ 9, 0, 0, 1, SEVERITY_WARNING }, { 0, 0, 0, 0, SEVERITY_WARNING },
	};
	struct loss losses[] = { { "events_missed", "drops may be missing", 2 }, { "ring_drop", "", 0 } };
	struct snapshot s = { .losses = losses, .losses_len = 2 };
	struct finding *f;
	size_t len;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		s.totals.requests = cases[i].answered + cases[i].hop_limit + cases[i].silent + cases[i].aborted;
		s.totals.outcomes[OUTCOME_OK] = cases[i].answered;
		s.totals.outcomes[OUTCOME_HOP_LIMIT] = cases[i].hop_limit;
		s.totals.outcomes[OUTCOME_NO_RESPONSE] = cases[i].silent;
		s.totals.outcomes[OUTCOME_ABORTED] = cases[i].aborted;
		losses[1].count = 0;
		assert_int_equal(findings_collect(&s, &f, &len), 0);
		assert_int_equal(len, 1);
		assert_int_equal(f[0].severity, cases[i].severity);
		assert_string_equal(f[0].evidence[0], "events_missed: 2, drops may be missing");
		findings_free(f, len);
		losses[1].count = 1; /* any other loss does */
		assert_int_equal(findings_collect(&s, &f, &len), 0);
		assert_int_equal(f[0].severity, SEVERITY_WARNING);
		findings_free(f, len);
	}
}

static void what_failed_of_the_gone_is_a_finding(void **state)
{
	struct pod_stats gone = { .requests = 5, .failed = 3, .last_failed_ns = 1000, .seconds_lost = 1.5 };
	struct snapshot s = { .now_ns = 2000, .gone = &gone, .gone_rows = 2 };
	struct finding *f;
	size_t len;

	(void)state;
	gone.outcomes[OUTCOME_OK] = 2;
	gone.outcomes[OUTCOME_HOP_LIMIT] = 3;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(f[0].code, FINDING_GONE_FAILED);
	assert_int_equal(f[0].severity, SEVERITY_WARNING);
	assert_string_equal(
	    f[0].summary, "3 of 5 requests failed of 2 containers that are gone: answers died of their TTL among them");
	assert_string_equal(f[0].evidence[0], "3 hop-limit");
	assert_string_equal(f[0].evidence[1], "1.5 s lost waiting for answers that never came");
	findings_free(f, len);
	s.now_ns += 3601ull * 1000000000; /* history */
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(f[0].severity, SEVERITY_INFO);
	findings_free(f, len);
	gone.failed = 0;
	assert_int_equal(findings_collect(&s, &f, &len), 0);
	assert_int_equal(len, 0);
	findings_free(f, len);
}

/* A request to service index endpoint of the address list below, that failed. */
static void add_failure(struct pod_stats *p, unsigned int endpoint, enum provider provider, enum outcome outcome,
			uint16_t status)
{
	struct request r = { .provider = provider, .outcome = outcome, .drop_reason = "", .drop_location = "", .hops = -1 };
	struct imds_request *q = &r.rec.req;

	r.rec.peer.endpoint = endpoint;
	q->status = status;
	q->end = outcome == OUTCOME_REFUSED ? IMDS_END_REFUSED : status ? IMDS_END_ANSWERED : IMDS_END_CLIENT_RST;
	q->kind = endpoint ? IMDS_KIND_CREDENTIALS : IMDS_KIND_TOKEN;
	q->method = endpoint ? IMDS_METHOD_GET : IMDS_METHOD_PUT;
	q->end_ns = 2000000000;
	q->flags = IMDS_F_REQUEST_ACKED | IMDS_F_HEAD_COMPLETE;
	r.cause = outcome == OUTCOME_HOP_LIMIT	  ? CAUSE_HOP_LIMIT
		  : outcome == OUTCOME_REFUSED	  ? CAUSE_REFUSED
		  : outcome == OUTCOME_HTTP_ERROR ? CAUSE_ANSWERED_WITH_ERROR
						  : CAUSE_SILENT;
	pod_stats_add(p, &r, endpoint ? IMDS_EP_ECS : IMDS_EP_IMDS, 1000000000, 3000000000);
}

/* What a pod met at one service is not told of another one that it asked, too: an agent's refusal is not the cloud's. */
static void each_failure_is_told_of_its_service(void **state)
{
	static const char *const endpoints[] = { "169.254.169.254", "169.254.170.2", "169.254.170.23", NULL };
	static const struct {
		enum outcome imds, agent;
		enum provider provider;
		enum finding_code code; /* of what the agent did */
		const char *agents, *agents_not, *others;
	} cases[] = {
		{ OUTCOME_HOP_LIMIT, OUTCOME_REFUSED, PROVIDER_EKS_POD_IDENTITY, FINDING_ENDPOINT_REFUSED,
		  "The EKS Pod Identity agent gives these credentials", "kiam", "does not get it: mend that first" },
		{ OUTCOME_NO_RESPONSE, OUTCOME_HTTP_ERROR, PROVIDER_ECS, FINDING_CREDENTIALS_REFUSED,
		  "The ECS agent answers here", "limits queries", "The connections stood" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct pod_stats p = { .who = { 1, "shop", "cart-0", "app", "", "", "cg", "", "", RUNTIME_KUBERNETES },
				       .hops = 1,
				       .required_hop_limit = 2 };
		const struct pod_stats *pods[] = { &p };
		struct snapshot s = {
			.pods = pods, .pods_len = 1, .node = "n", .now_ns = 4000000000, .endpoints = endpoints
		};
		struct finding *f;
		char text[8192];
		size_t len, seen = 0;

		add_failure(&p, 0, PROVIDER_EC2, cases[i].imds, 0);
		add_failure(&p, cases[i].provider == PROVIDER_ECS ? 1 : 2, cases[i].provider, cases[i].agent,
			    cases[i].agent == OUTCOME_HTTP_ERROR ? 500 : 0);
		assert_int_equal(p.failed, 2);
		assert_int_equal(p.endpoints_failing, cases[i].provider == PROVIDER_ECS ? 3 : 5);
		assert_int_equal(findings_collect(&s, &f, &len), 0);
		for (size_t n = 0; n < len; n++) {
			join(&f[n], text, sizeof(text));
			seen += f[n].code == cases[i].code;
			if (f[n].code == cases[i].code) {
				assert_non_null(strstr(text, cases[i].agents));
				assert_null(strstr(text, cases[i].agents_not));
			} else {
				assert_non_null(strstr(text, cases[i].others));
				assert_null(strstr(text, "Best: give the pod a role of its own"));
			}
		}
		assert_int_equal(seen, 1);
		assert_int_equal(len, 2);
		findings_free(f, len);
		for (int k = 0; k < IMDS_KIND_COUNT; k++)
			free(p.by_kind[k]);
	}
}

/* An agent watches for days: what failed long ago is not told as news, and a time of another day has its date. */
static void what_failed_long_ago_says_when(void **state)
{
	static const struct {
		uint64_t failed_s, ok_s;
		const char *has, *has_not;
	} times[] = { /* the clock stood at 2026-11-28 12:00:00 UTC, 250,000 s after the boot */
		      { 249900, 0, "silent", "the last that failed" },
		      { 249000, 0, "failed was at 11:43:20 UTC, 16 min before", "2026" },
		      { 100000, 0, "failed was at 2026-11-26 18:20:00 UTC, 2500 min before", "answered since" },
		      { 100000, 100010, "the last at 2026-11-26 18:20:00 UTC, answered since", "min before" },
		      { 249990, 249999, "the last at 11:59:50 UTC, answered since", "2026" }
	};

	(void)state;
	for (size_t i = 0; i < LEN(times); i++) {
		struct pod_stats p = { .who = { .namespace = "shop",
						.pod = "silent-0",
						.container = "app",
						.pod_uid = "",
						.container_id = "",
						.cgroup = "",
						.workload = "" },
				       ASKED(1, OUTCOME_NO_RESPONSE),
				       .hops = -1,
				       .last_failed_ns = times[i].failed_s * 1000000000ull,
				       .last_ok_ns = times[i].ok_s * 1000000000ull };
		const struct pod_stats *pods[] = { &p };
		struct snapshot s = { .pods = pods,
				      .pods_len = 1,
				      .node = "n",
				      .now_ns = 250000ull * 1000000000,
				      .now_wall_ns = 1795867200ull * 1000000000 };
		char text[2048] = "";
		struct finding *f;
		size_t len;

		assert_int_equal(findings_collect(&s, &f, &len), 0);
		assert_int_equal(f[0].code, FINDING_NO_RESPONSE);
		text_add(text, sizeof(text), "%s\n", f[0].summary);
		for (size_t k = 0; f[0].evidence[k]; k++)
			text_add(text, sizeof(text), "%s\n", f[0].evidence[k]);
		assert_non_null(strstr(text, times[i].has));
		assert_null(strstr(text, times[i].has_not));
		findings_free(f, len);
	}
}

static void the_way_shows_each_ttl_and_the_death(void **state)
{
	static const struct {
		struct pod_stats p;
		int node_token_ttl;
		const char *ascii;
	} ways[] = {
		{ { HOP(CONFIDENCE_PROVEN), DEAD }, 1, "IMDS --TTL 1--> node X dies in ip_forward (IP_INHDR) - - -> pod" },
		{ { HOP(CONFIDENCE_PROVEN), DEAD }, 0, "IMDS --TTL 1--> node X dies in ip_forward (IP_INHDR) - - -> pod" },
		{ { HOP(CONFIDENCE_PROVEN), DEAD, .hops = 2 },
		  2,
		  "IMDS --TTL 2--> node --TTL 1--> forward 2 X dies in ip_forward (IP_INHDR) - - -> pod" },
		{ { HOP(CONFIDENCE_PROVEN), DEAD, .hops = 2 },
		  0,
		  "IMDS ----> ... --TTL 1--> node X dies in ip_forward (IP_INHDR) - - -> pod" },
		{ { HOP(CONFIDENCE_LIKELY) }, 0, "IMDS --TTL 1--> node X TTL used up (not seen, concluded) - - -> pod" },
		{ { .hops = 1, .ttl_token_response = 1, .ttl_synack = 63 }, 2, "IMDS --TTL 2--> node --TTL 1--> pod ok" },
		{ { .hops = 0, .host_network = true, .ttl_synack = 64 }, 0, "IMDS --TTL 64--> node (host network) ok" },
		{ { .hops = -1, .ttl_synack = 40 }, 0, "IMDS ----> ... --TTL 40--> pod ok" },
		{ { .hops = -1, .outcomes = { [OUTCOME_BLOCKED] = 1 }, .policy_location = "nf_hook_slow" },
		  0,
		  "pod ----> node X dropped in nf_hook_slow - - -> IMDS" },
		{ { .hops = 1,
		    .ttl_synack = 63,
		    .outcomes = { [OUTCOME_DROPPED] = 1, [OUTCOME_OK] = 1 },
		    .notes = { { CAUSE_NO_NEIGHBOUR, true, "NEIGH_FAILED", "neigh_invalidate", "", 1, 64 } },
		    .notes_len = 1 },
		  0,
		  "IMDS ----> node X dropped in neigh_invalidate (NEIGH_FAILED) - - -> pod" },
		{ { .hops = -1, .outcomes = { [OUTCOME_REFUSED] = 1 } }, 0, "pod --SYN--> ... X refused - - -> IMDS" },
		{ { .hops = -1, .endpoints = 3, .endpoints_failed = 2, .outcomes = { [OUTCOME_REFUSED] = 1 } },
		  0,
		  "pod --SYN--> ... X refused - - -> Pod Identity agent" },
		{ { .who = POD_IDENTITY_NOBODY, .hops = 0, .endpoints = 4, .ttl_synack = 64, .own_network = true },
		  0,
		  "ECS agent --TTL 64--> pod ok" },
		{ { .who = BARE, .hops = 0, .endpoints = 4, .ttl_synack = 64, .own_network = true },
		  0,
		  "169.254.170.2 --TTL 64--> pod ok" },
		{ { .hops = -1 }, 0, "" },
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		static const char *const endpoints[] = { "169.254.169.254", "169.254.170.23:80", "169.254.170.2", NULL };
		struct snapshot s = { .node_token_ttl = ways[i].node_token_ttl, .endpoints = endpoints };
		struct path path;

		path_plan(&s, &ways[i].p, &path);
		assert_string_equal(path_draw(&path, 0, buf, sizeof(buf)), ways[i].ascii);
		for (size_t len = 1; len < 20; len++)
			assert_true(strlen(path_draw(&path, 1, buf, len)) < len);
	}
}

static void subject_falls_back_to_what_is_known(void **state)
{
	static const struct {
		struct pod_identity who;
		const char *text;
	} cases[] = {
		{ { 1, "shop", "cart", "app", "u", "c", "g", "", "", RUNTIME_NONE }, "shop/cart (app)" },
		{ { 1, "shop", "cart", "", "u", "c", "g", "", "", RUNTIME_NONE }, "shop/cart" },
		{ { 1, "", "", "app", "1234", "c", "g", "", "", RUNTIME_NONE }, "pod 1234 (app)" },
		{ { 1, "", "", "", "", "c", "system.slice/docker.service", "", "", RUNTIME_NONE },
		  "system.slice/docker.service" },
		{ { 1, "", "", "", "", "", "", "", "", RUNTIME_NONE }, "(unknown)" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_string_equal(findings_subject(&cases[i].who, buf, sizeof(buf)), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_found_as_written),
		cmocka_unit_test(advice_is_of_what_the_proxy_sent),
		cmocka_unit_test(pods_of_a_workload_are_told_together),
		cmocka_unit_test(what_is_quoted_of_pods_is_of_all_of_them),
		cmocka_unit_test(worst_come_first_and_point_to_their_pod),
		cmocka_unit_test(equal_causes_give_equal_advice),
		cmocka_unit_test(what_was_not_seen_is_a_finding),
		cmocka_unit_test(missed_drops_weigh_where_a_cause_is_wanting),
		cmocka_unit_test(what_failed_of_the_gone_is_a_finding),
		cmocka_unit_test(each_failure_is_told_of_its_service),
		cmocka_unit_test(what_failed_long_ago_says_when),
		cmocka_unit_test(the_way_shows_each_ttl_and_the_death),
		cmocka_unit_test(subject_falls_back_to_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
