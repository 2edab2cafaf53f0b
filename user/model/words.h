/* SPDX-License-Identifier: GPL-2.0-only */
/* The words that users see, one enum each, and their spelling. Order is ABI of nothing; spelling is interface.md's. */
#ifndef IMDSNOOP_WORDS_H
#define IMDSNOOP_WORDS_H

#include "../../bpf/imdsnoop.h"

enum outcome {
	OUTCOME_OK,	     /* answered, status below 400 (or not HTTP) */
	OUTCOME_HTTP_ERROR,  /* answered, status 400 and above */
	OUTCOME_HOP_LIMIT,   /* the answer died of its TTL on the way */
	OUTCOME_NO_RESPONSE, /* nothing came, cause unknown */
	OUTCOME_BLOCKED,     /* a policy dropped the client's own packets */
	OUTCOME_REFUSED,     /* RST or an instant error to the SYN */
	OUTCOME_RESET,	     /* the service cut an open connection */
	OUTCOME_ABORTED,     /* the client left before it was worth waiting */
	OUTCOME_COUNT
};

enum confidence { CONFIDENCE_NONE, CONFIDENCE_LIKELY, CONFIDENCE_STRONG, CONFIDENCE_PROVEN, CONFIDENCE_COUNT };

enum provider {
	PROVIDER_OTHER,
	PROVIDER_EC2,
	PROVIDER_GCE,
	PROVIDER_AZURE,
	PROVIDER_OPENSTACK,
	PROVIDER_ALIBABA,
	PROVIDER_ORACLE,
	PROVIDER_ECS,
	PROVIDER_EKS_POD_IDENTITY,
	PROVIDER_COUNT
};

enum hops_source {
	HOPS_UNKNOWN,
	HOPS_FROM_BASELINE,   /* against what host-network sockets of this node receive */
	HOPS_FROM_INITIAL_TTL /* against the nearest of 64, 128, 255 above */
};

enum hop_limit_state { HOP_LIMIT_UNKNOWN, HOP_LIMIT_OK, HOP_LIMIT_EXHAUSTED };

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };

enum finding_code {
	FINDING_HOP_LIMIT_EXHAUSTED,
	FINDING_IMDSV1_FALLBACK,
	FINDING_IMDSV1_IN_USE,
	FINDING_BLOCKED_BY_POLICY,
	FINDING_ENDPOINT_REFUSED,
	FINDING_TOKEN_REQUIRED,
	FINDING_ENDPOINT_DISABLED,
	FINDING_THROTTLED,
	FINDING_SLOW,
	FINDING_NO_RESPONSE,
	FINDING_TTL_REWRITTEN,
	FINDING_INTERCEPTED,
	FINDING_WOULD_BREAK,
	FINDING_OBSERVATION_INCOMPLETE,
	FINDING_COUNT
};

/* Each returns interface.md's word, "other"/"unknown" for a value out of range; confidence NONE gives NULL. */
const char *outcome_word(enum outcome outcome);
const char *confidence_word(enum confidence confidence);
const char *provider_word(enum provider provider);
const char *kind_word(enum imds_kind kind);
const char *version_word(enum imds_version version); /* NULL where the notion does not apply */
const char *method_word(enum imds_method method);
const char *status_class_word(enum imds_status_class status);
const char *hops_source_word(enum hops_source source); /* "baseline", "initial-ttl", "unknown" */
const char *hop_limit_word(enum hop_limit_state state);
const char *severity_word(enum severity severity);
const char *finding_word(enum finding_code code);

#endif
