/* SPDX-License-Identifier: GPL-2.0-only */
#include "words.h"

#include <stddef.h>

#define WORD(table, index, otherwise) \
	((size_t)(index) < sizeof(table) / sizeof((table)[0]) && (table)[index] ? (table)[index] : (otherwise))

const char *outcome_word(enum outcome outcome)
{
	static const char *const words[OUTCOME_COUNT] = {
		[OUTCOME_OK] = "ok",
		[OUTCOME_HTTP_ERROR] = "http-error",
		[OUTCOME_HOP_LIMIT] = "hop-limit",
		[OUTCOME_NO_RESPONSE] = "no-response",
		[OUTCOME_BLOCKED] = "blocked",
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_RESET] = "reset",
		[OUTCOME_ABORTED] = "aborted",
		[OUTCOME_DROPPED] = "dropped",
		[OUTCOME_NOT_SENT] = "not-sent",
		[OUTCOME_REDIRECTED] = "redirected",
	};

	return WORD(words, outcome, "unknown");
}

const char *cause_word(enum cause cause)
{
	static const char *const words[CAUSE_COUNT] = {
		[CAUSE_HOP_LIMIT] = "hop-limit",
		[CAUSE_FILTERED] = "filtered",
		[CAUSE_REVERSE_PATH] = "reverse-path",
		[CAUSE_FORWARDING_OFF] = "forwarding-off",
		[CAUSE_MARTIAN] = "martian",
		[CAUSE_NO_ROUTE] = "no-route",
		[CAUSE_NO_NEIGHBOUR] = "no-neighbour",
		[CAUSE_TOO_BIG] = "too-big",
		[CAUSE_BAD_CHECKSUM] = "bad-checksum",
		[CAUSE_REFUSED_AT_SOCKET] = "refused-at-socket",
		[CAUSE_NOT_SENT] = "not-sent",
		[CAUSE_REDIRECTED] = "redirected",
		[CAUSE_REFUSED] = "refused",
		[CAUSE_ANSWERED_WITH_ERROR] = "answered-with-error",
		[CAUSE_NO_ROLE] = "no-role",
		[CAUSE_NOT_THIS_CLOUD] = "not-this-cloud",
		[CAUSE_FORWARDED] = "forwarded",
		[CAUSE_TOKEN_REQUIRED] = "token-required",
		[CAUSE_ENDPOINT_DISABLED] = "endpoint-disabled",
		[CAUSE_THROTTLED] = "throttled",
		[CAUSE_SLOW] = "slow",
		[CAUSE_RESET] = "reset",
		[CAUSE_ABORTED] = "aborted",
		[CAUSE_DROPPED] = "dropped",
		[CAUSE_SILENT] = "silent",
	};

	return WORD(words, cause, NULL);
}

const char *level_word(enum level level)
{
	static const char *const words[LEVEL_COUNT] = {
		[LEVEL_QUIET] = "quiet", [LEVEL_OK] = "ok",	      [LEVEL_NOTE] = "note",
		[LEVEL_BLIND] = "blind", [LEVEL_WARNING] = "warning", [LEVEL_PROBLEM] = "problem",
	};

	return WORD(words, level, "unknown");
}

const char *runtime_word(enum runtime runtime)
{
	static const char *const words[RUNTIME_COUNT] = {
		[RUNTIME_NONE] = "none",       [RUNTIME_KUBERNETES] = "kubernetes",
		[RUNTIME_DOCKER] = "docker",   [RUNTIME_PODMAN] = "podman",
		[RUNTIME_ECS] = "ecs",	       [RUNTIME_CONTAINERD] = "containerd",
		[RUNTIME_SYSTEMD] = "systemd",
	};

	return WORD(words, runtime, "none");
}

const char *confidence_word(enum confidence confidence)
{
	static const char *const words[CONFIDENCE_COUNT] = {
		[CONFIDENCE_LIKELY] = "likely",
		[CONFIDENCE_STRONG] = "strong",
		[CONFIDENCE_PROVEN] = "proven",
	};

	return WORD(words, confidence, NULL);
}

const char *provider_word(enum provider provider)
{
	static const char *const words[PROVIDER_COUNT] = {
		[PROVIDER_OTHER] = "other",
		[PROVIDER_EC2] = "ec2",
		[PROVIDER_GCE] = "gce",
		[PROVIDER_AZURE] = "azure",
		[PROVIDER_OPENSTACK] = "openstack",
		[PROVIDER_ALIBABA] = "alibaba",
		[PROVIDER_ORACLE] = "oracle",
		[PROVIDER_ECS] = "ecs",
		[PROVIDER_EKS_POD_IDENTITY] = "eks-pod-identity",
		[PROVIDER_IBM] = "ibm",
	};

	return WORD(words, provider, "other");
}

const char *kind_word(enum imds_kind kind)
{
	static const char *const words[IMDS_KIND_COUNT] = {
		[IMDS_KIND_OTHER] = "other",
		[IMDS_KIND_TOKEN] = "token",
		[IMDS_KIND_CREDENTIALS] = "credentials",
		[IMDS_KIND_IDENTITY] = "identity",
		[IMDS_KIND_USER_DATA] = "user-data",
		[IMDS_KIND_DATA] = "data",
		[IMDS_KIND_DNS] = "dns",
		[IMDS_KIND_CONNECT_ONLY] = "connect-only",
	};

	return WORD(words, kind, "other");
}

const char *drop_match_word(enum imds_drop_match match)
{
	static const char *const words[] = {
		[IMDS_MATCH_TUPLE] = "tuple",
		[IMDS_MATCH_FINGERPRINT] = "fingerprint",
		[IMDS_MATCH_SYN] = "syn",
		[IMDS_MATCH_SOCKET] = "socket",
	};

	return WORD(words, match, NULL);
}

const char *version_word(enum imds_version version)
{
	static const char *const words[IMDS_VERSION_COUNT] = {
		[IMDS_VERSION_V1] = "v1",
		[IMDS_VERSION_V2] = "v2",
		[IMDS_VERSION_UNKNOWN] = "unknown",
	};

	return WORD(words, version, NULL);
}

const char *method_word(enum imds_method method)
{
	static const char *const words[IMDS_METHOD_COUNT] = {
		[IMDS_METHOD_NONE] = "",     [IMDS_METHOD_GET] = "GET",	  [IMDS_METHOD_PUT] = "PUT",
		[IMDS_METHOD_HEAD] = "HEAD", [IMDS_METHOD_POST] = "POST", [IMDS_METHOD_OTHER] = "other",
	};

	return WORD(words, method, "other");
}

const char *status_class_word(enum imds_status_class status)
{
	static const char *const words[IMDS_STATUS_COUNT] = {
		[IMDS_STATUS_NONE] = "none", [IMDS_STATUS_2XX] = "2xx", [IMDS_STATUS_401] = "401",
		[IMDS_STATUS_403] = "403",   [IMDS_STATUS_404] = "404", [IMDS_STATUS_429] = "429",
		[IMDS_STATUS_4XX] = "4xx",   [IMDS_STATUS_5XX] = "5xx", [IMDS_STATUS_OTHER] = "other",
	};

	return WORD(words, status, "other");
}

const char *hops_source_word(enum hops_source source)
{
	static const char *const words[] = {
		[HOPS_UNKNOWN] = "unknown",
		[HOPS_FROM_BASELINE] = "baseline",
		[HOPS_FROM_INITIAL_TTL] = "initial-ttl",
	};

	return WORD(words, source, "unknown");
}

const char *hop_limit_word(enum hop_limit_state state)
{
	static const char *const words[] = {
		[HOP_LIMIT_UNKNOWN] = "unknown",
		[HOP_LIMIT_OK] = "ok",
		[HOP_LIMIT_EXHAUSTED] = "exhausted",
	};

	return WORD(words, state, "unknown");
}

const char *severity_word(enum severity severity)
{
	static const char *const words[] = {
		[SEVERITY_INFO] = "info",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_ERROR] = "error",
	};

	return WORD(words, severity, "unknown");
}

const char *finding_word(enum finding_code code)
{
	static const char *const words[FINDING_COUNT] = {
		[FINDING_HOP_LIMIT_EXHAUSTED] = "hop-limit-exhausted",
		[FINDING_IMDSV1_FALLBACK] = "imdsv1-fallback",
		[FINDING_IMDSV1_IN_USE] = "imdsv1-in-use",
		[FINDING_BLOCKED_BY_POLICY] = "blocked-by-policy",
		[FINDING_ENDPOINT_REFUSED] = "endpoint-refused",
		[FINDING_TOKEN_REQUIRED] = "token-required",
		[FINDING_ENDPOINT_DISABLED] = "endpoint-disabled",
		[FINDING_THROTTLED] = "throttled",
		[FINDING_SLOW] = "slow",
		[FINDING_NO_RESPONSE] = "no-response",
		[FINDING_TTL_REWRITTEN] = "ttl-rewritten",
		[FINDING_INTERCEPTED] = "intercepted",
		[FINDING_WOULD_BREAK] = "would-break",
		[FINDING_OBSERVATION_INCOMPLETE] = "observation-incomplete",
		[FINDING_DROPPED_ON_NODE] = "dropped-on-node",
		[FINDING_NOT_SENT] = "not-sent",
		[FINDING_CREDENTIALS_REFUSED] = "credentials-refused",
		[FINDING_NO_ROLE] = "no-role",
		[FINDING_NOT_THIS_CLOUD] = "not-this-cloud",
		[FINDING_FORWARDED_HEADER] = "forwarded-header",
		[FINDING_TWO_SERVERS] = "two-servers",
		[FINDING_UNKNOWN_OWNER] = "unknown-owner",
		[FINDING_GONE_FAILED] = "gone-failed",
		[FINDING_BEYOND_SHARE] = "beyond-share",
	};

	return WORD(words, code, "unknown");
}
