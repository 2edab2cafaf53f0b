/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cases: hop limit, v1, policy, errors. Rules of the advice: a role of the pod's own comes before a wider hop
 * limit, because hop limit 1 is AWS's recommended block; a hop limit is named only when it was measured, and only for
 * EC2, which alone has one; a change of a running instance is lost with the node, so both places are named.
 */
#include "advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HOP_LIMIT_MAX 64 /* EC2 API: HttpPutResponseHopLimit is 1..64 */

void lines_add(struct lines *lines, const char *format, ...)
{
	char **v = lines->failed ? NULL : realloc(lines->v, (lines->len + 2) * sizeof(*v));
	va_list args;

	if (!v) {
		lines->failed = true;
		return;
	}
	lines->v = v;
	v[lines->len + 1] = NULL;
	va_start(args, format);
	if (vasprintf(&v[lines->len], format, args) < 0) {
		v[lines->len] = NULL;
		lines->failed = true;
	} else {
		lines->len++;
	}
	va_end(args);
}

void lines_free(char **v)
{
	for (char **line = v; line && *line; line++)
		free(*line);
	free(v);
}

bool advice_is_meant(const struct pod_stats *p)
{
	return p->uses_pod_identity && !p->fallbacks && !p->needs_credentials;
}

static bool is_ec2(const struct pod_stats *p)
{
	return p->providers & (1u << PROVIDER_EC2);
}

static void advise_own_role(struct lines *advice)
{
	lines_add(advice, "Best: give the pod a role of its own, by EKS Pod Identity or IRSA. Then it needs neither "
			  "IMDS nor a wider hop limit, and no longer acts as the node.");
	lines_add(advice, "If it only wants region, zone or instance id: pass them in (AWS_REGION, a flag such as "
			  "--aws-vpc-id), or let it read them from the Kubernetes node object.");
}

static void advise_meant(struct lines *advice)
{
	lines_add(advice, "Probably blocked on purpose: this container gets its credentials from EKS Pod Identity or "
			  "ECS. Nothing needs to be opened.");
	lines_add(advice, "To save the wait, tell its SDK not to ask:");
	lines_add(advice, "  AWS_EC2_METADATA_DISABLED=true");
}

static void advise_hop_limit(struct lines *advice, const struct pod_stats *p)
{
	int limit = p->required_hop_limit;

	if (advice_is_meant(p)) {
		advise_meant(advice);
		return;
	}
	if (!is_ec2(p)) {
		lines_add(advice, "The provider sets the TTL of this answer; ask it for a higher one, or run the pod "
				  "with hostNetwork: true.");
		return;
	}
	advise_own_role(advice);
	if (limit < 2 || limit > HOP_LIMIT_MAX) {
		lines_add(advice, "If it truly needs IMDS: the hop limit must be one more than the forwards between "
				  "network card and pod. That number was not seen here; `imdsnoop probe` measures it.");
	} else {
		lines_add(advice, "If it truly needs IMDS: set hop limit %d, on the running node", limit);
		lines_add(advice,
			  "  aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID "
			  "--http-put-response-hop-limit %d --http-endpoint enabled",
			  limit);
		lines_add(advice, "and where the node comes from, or the change is lost when the node is replaced:");
		lines_add(advice, "  launch template, CloudFormation:  MetadataOptions.HttpPutResponseHopLimit: %d",
			  limit);
		lines_add(advice,
			  "  Terraform:                        metadata_options { http_put_response_hop_limit = %d }",
			  limit);
		lines_add(advice,
			  "  Karpenter EC2NodeClass:           spec.metadataOptions.httpPutResponseHopLimit: %d", limit);
		lines_add(advice,
			  "  kOps instance group:              spec.instanceMetadata.httpPutResponseHopLimit: %d", limit);
		lines_add(advice, "This lets every pod that is as near take the node's role: require tokens "
				  "(--http-tokens required) when you do.");
	}
	lines_add(advice, "A system agent (CSI driver, log or metric agent) may use hostNetwork: true instead; there "
			  "hop limit 1 is enough.");
	lines_add(advice, "If pods are kept from IMDS on purpose (Karpenter, kOps, EKS Auto Mode and recent "
			  "terraform-aws-eks set hop limit 1): leave it, and set AWS_EC2_METADATA_DISABLED=true in "
			  "the pod to save the wait.");
}

static void advise_policy(struct lines *advice, const struct pod_stats *p)
{
	if (advice_is_meant(p)) {
		advise_meant(advice);
		return;
	}
	lines_add(advice, "Someone's rule drops these packets: a NetworkPolicy, an iptables or nftables rule, or the "
			  "CNI. A block of the metadata address is often meant; ask before opening it.");
	if (is_ec2(p) || !p->providers || p->providers == 1u << PROVIDER_OTHER)
		lines_add(advice, "On AWS the pod needs no IMDS once it has a role by EKS Pod Identity or IRSA; "
				  "AWS_EC2_METADATA_DISABLED=true then saves the wait.");
	lines_add(advice, "If it must get through, look for the rule:");
	lines_add(advice, "  kubectl get networkpolicy -A");
	lines_add(advice, "  nft list ruleset | grep -n 169.254");
}

static void advise_v1(struct lines *advice)
{
	lines_add(advice, "These calls end the day tokens are required (--http-tokens required): move the pod to an "
			  "SDK that uses IMDSv2, or to a role of its own by EKS Pod Identity or IRSA.");
}

static void advise_silence(struct lines *advice, const struct pod_stats *p)
{
	if (is_ec2(p) || !p->providers || p->providers == 1u << PROVIDER_OTHER) {
		lines_add(advice, "On EC2, packets above 1024 a second to link-local services are dropped below the "
				  "guest, unseen here. See whether this counter rises:");
		lines_add(advice, "  ethtool -S INTERFACE | grep linklocal_allowance_exceeded");
	}
	lines_add(advice, "Ask from the node itself. If that works, look for a policy outside this node's kernel "
			  "(security appliance, another host); if not, the service is off or overloaded.");
}

void advice_add(struct lines *advice, enum finding_code code, const struct snapshot *s, const struct pod_stats *p)
{
	(void)s;
	switch (code) {
	case FINDING_HOP_LIMIT_EXHAUSTED:
		advise_hop_limit(advice, p);
		break;
	case FINDING_IMDSV1_FALLBACK:
		lines_add(advice, "It works with the node's role and without tokens, after the wait: cure what stops "
				  "its token requests, or give it a role of its own by EKS Pod Identity or IRSA.");
		advise_v1(advice);
		break;
	case FINDING_IMDSV1_IN_USE:
		advise_v1(advice);
		break;
	case FINDING_BLOCKED_BY_POLICY:
		advise_policy(advice, p);
		break;
	case FINDING_ENDPOINT_REFUSED:
		lines_add(advice, "Nothing listens there, or a rule rejects the connection. On the node: is the "
				  "metadata service on, and does a local agent that takes its place (kiam, NMI, "
				  "gke-metadata-server) run?");
		break;
	case FINDING_TOKEN_REQUIRED:
		lines_add(advice, "Tokens are required on this node: use an SDK that asks for one, or give the pod a "
				  "role of its own by EKS Pod Identity or IRSA.");
		break;
	case FINDING_ENDPOINT_DISABLED:
		lines_add(advice, "403 means that the metadata endpoint is off (HttpEndpoint=disabled), or that the "
				  "request is not allowed: a token asked for with X-Forwarded-For, or by a dated "
				  "path.");
		lines_add(advice, "  aws ec2 describe-instances --instance-ids INSTANCE_ID --query "
				  "'Reservations[].Instances[].MetadataOptions'");
		break;
	case FINDING_THROTTLED:
	case FINDING_SLOW:
		lines_add(advice, "The service limits queries for each instance, by errors or by delay: keep tokens "
				  "and credentials until they expire, and let many short processes share them.");
		lines_add(advice, "  ethtool -S INTERFACE | grep linklocal_allowance_exceeded");
		break;
	case FINDING_NO_RESPONSE:
		advise_silence(advice, p);
		break;
	case FINDING_TTL_REWRITTEN:
		lines_add(advice, "A rule that raises the TTL lets pods past the hop limit that was set to keep them "
				  "out. If it is not meant, find it:");
		lines_add(advice, "  iptables-save -t mangle | grep -i ttl; nft list ruleset | grep -i ttl");
		break;
	default:
		break;
	}
}
