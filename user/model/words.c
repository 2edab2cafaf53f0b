/* SPDX-License-Identifier: GPL-2.0-only */
#include "words.h"

#include <stddef.h>
#include <string.h>

#include "../base/small.h"

#define SPELLED(function, type, otherwise, ...)                                               \
	const char *function(enum type value)                                                 \
	{                                                                                     \
		static const char *const words[] = { __VA_ARGS__ };                           \
                                                                                              \
		return (size_t)value < LEN(words) && words[value] ? words[value] : otherwise; \
	}
#define WORD_ROW(member, word, ...) [member] = word,
#define TEXT_ROW(member, word, text) [member] = text,

SPELLED(outcome_word, outcome, "unknown", OUTCOMES(WORD_ROW))
SPELLED(cause_word, cause, NULL, CAUSES(WORD_ROW))
SPELLED(cause_text, cause, "", CAUSES(TEXT_ROW))
SPELLED(level_word, level, "unknown", LEVELS(WORD_ROW))
SPELLED(confidence_word, confidence, NULL, CONFIDENCES(WORD_ROW))
SPELLED(provider_word, provider, "other", PROVIDERS(WORD_ROW))
SPELLED(hops_source_word, hops_source, "unknown", HOPS_SOURCES(WORD_ROW))
SPELLED(hop_limit_word, hop_limit_state, "unknown", HOP_LIMIT_STATES(WORD_ROW))
SPELLED(severity_word, severity, "unknown", SEVERITIES(WORD_ROW))
SPELLED(finding_word, finding_code, "unknown", FINDING_CODES(WORD_ROW))
SPELLED(runtime_word, runtime,
	"none", [RUNTIME_KUBERNETES] = "kubernetes", [RUNTIME_DOCKER] = "docker", [RUNTIME_PODMAN] = "podman",
	[RUNTIME_ECS] = "ecs", [RUNTIME_CONTAINERD] = "containerd", [RUNTIME_SYSTEMD] = "systemd")
SPELLED(kind_word, imds_kind,
	"other", [IMDS_KIND_TOKEN] = "token", [IMDS_KIND_CREDENTIALS] = "credentials", [IMDS_KIND_IDENTITY] = "identity",
	[IMDS_KIND_USER_DATA] = "user-data", [IMDS_KIND_DATA] = "data", [IMDS_KIND_DNS] = "dns", [IMDS_KIND_CONNECT_ONLY] = "connect-only")
SPELLED(drop_match_word, imds_drop_match, NULL, [IMDS_MATCH_TUPLE] = "tuple", [IMDS_MATCH_FINGERPRINT] = "fingerprint",
	[IMDS_MATCH_SYN] = "syn", [IMDS_MATCH_SOCKET] = "socket")
SPELLED(version_word, imds_version,
	NULL, [IMDS_VERSION_V1] = "v1", [IMDS_VERSION_V2] = "v2", [IMDS_VERSION_UNKNOWN] = "unknown")
SPELLED(method_word, imds_method, "other", [IMDS_METHOD_NONE] = "", [IMDS_METHOD_GET] = "GET",
	[IMDS_METHOD_PUT] = "PUT", [IMDS_METHOD_HEAD] = "HEAD", [IMDS_METHOD_POST] = "POST")
SPELLED(status_class_word, imds_status_class,
	"other", [IMDS_STATUS_NONE] = "none", [IMDS_STATUS_2XX] = "2xx", [IMDS_STATUS_401] = "401", [IMDS_STATUS_403] = "403",
	[IMDS_STATUS_404] = "404", [IMDS_STATUS_429] = "429", [IMDS_STATUS_4XX] = "4xx", [IMDS_STATUS_5XX] = "5xx")

bool loss_is_of_names(const char *name)
{
	static const char *const names[] = { "ring_cgroup", "cgroup_unreadable", "names_evicted",
					     "names_share", "runtime_files",	 "pods_over_limit" };

	for (size_t i = 0; i < LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}
