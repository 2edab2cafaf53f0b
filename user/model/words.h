/* SPDX-License-Identifier: GPL-2.0-only */
/* The words that users see, one enum each, and their spelling. Their order is ABI of nothing, their spelling is: JSON, metrics. */
#ifndef IMDSNOOP_WORDS_H
#define IMDSNOOP_WORDS_H

#include "../../bpf/imdsnoop.h"
#include "../pods/runtime.h"

enum outcome {
	OUTCOME_OK,	     /* answered, status below 400 (or not HTTP) */
	OUTCOME_HTTP_ERROR,  /* answered, status 400 and above */
	OUTCOME_HOP_LIMIT,   /* the answer died of its TTL on the way */
	OUTCOME_NO_RESPONSE, /* nothing came, cause unknown */
	OUTCOME_BLOCKED,     /* a policy dropped the client's own packets */
	OUTCOME_REFUSED,     /* RST or an instant error to the SYN */
	OUTCOME_RESET,	     /* the service cut an open connection */
	OUTCOME_ABORTED,     /* the client left before it was worth waiting */
	OUTCOME_DROPPED,     /* dropped on this node, neither by a filter nor of its TTL: the cause says */
	OUTCOME_NOT_SENT,    /* connect(2) was called, no packet left: no route, blackhole, prohibit, denied */
	OUTCOME_REDIRECTED, /* the connection went elsewhere by another program or rule; not a failure, and unseen from there */
	OUTCOME_COUNT
};

/* Why a request that is not `ok` went wrong; the order is none, words.c has the spelling. */
enum cause {
	CAUSE_NONE, /* it did not go wrong */
	CAUSE_HOP_LIMIT,
	CAUSE_FILTERED, /* netfilter, tc, XDP, another cgroup program */
	CAUSE_REVERSE_PATH,
	CAUSE_FORWARDING_OFF,
	CAUSE_MARTIAN,	/* routed to a loopback address */
	CAUSE_NO_ROUTE, /* of this node, to either side: none, blackhole, prohibit, unreachable */
	CAUSE_NO_NEIGHBOUR,
	CAUSE_TOO_BIG, /* MTU */
	CAUSE_BAD_CHECKSUM,
	CAUSE_REFUSED_AT_SOCKET, /* behind our ingress hook: another cgroup program, a socket filter */
	CAUSE_NOT_SENT,
	CAUSE_REDIRECTED,
	CAUSE_REFUSED,
	CAUSE_ANSWERED_WITH_ERROR,
	CAUSE_NO_ROLE,	      /* 404 on security-credentials */
	CAUSE_NOT_THIS_CLOUD, /* 400, 404, 405 to a token request */
	CAUSE_FORWARDED,      /* X-Forwarded-For seen, 403 */
	CAUSE_TOKEN_REQUIRED,
	CAUSE_ENDPOINT_DISABLED,
	CAUSE_THROTTLED,
	CAUSE_SLOW,
	CAUSE_RESET,
	CAUSE_ABORTED,
	CAUSE_DROPPED, /* a drop reason that no row of the dictionary knows: told by its kernel name */
	CAUSE_SILENT,
	CAUSE_COUNT
};

/* What a whole report says, gravest last. */
enum level { LEVEL_QUIET, LEVEL_OK, LEVEL_NOTE, LEVEL_BLIND, LEVEL_WARNING, LEVEL_PROBLEM, LEVEL_COUNT };

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
	PROVIDER_IBM,
	PROVIDER_COUNT
};

/* Those that document a response hop limit, as bits. */
#define PROVIDERS_WITH_HOP_LIMIT (1u << PROVIDER_EC2 | 1u << PROVIDER_IBM)

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
	FINDING_DROPPED_ON_NODE,
	FINDING_NOT_SENT,
	FINDING_CREDENTIALS_REFUSED,
	FINDING_NO_ROLE,
	FINDING_NOT_THIS_CLOUD,
	FINDING_FORWARDED_HEADER,
	FINDING_TWO_SERVERS,
	FINDING_UNKNOWN_OWNER,
	FINDING_GONE_FAILED,
	FINDING_BEYOND_SHARE,
	FINDING_COUNT
};

/* Each returns the word of JSON and metrics, "other"/"unknown" for a value out of range; confidence NONE gives NULL. */
const char *outcome_word(enum outcome outcome);
const char *cause_word(enum cause cause); /* NULL for NONE */
const char *level_word(enum level level); /* lower case, as in JSON */
const char *runtime_word(enum runtime runtime);
const char *confidence_word(enum confidence confidence);
const char *provider_word(enum provider provider);
const char *kind_word(enum imds_kind kind);
const char *version_word(enum imds_version version); /* NULL where the notion does not apply */
const char *method_word(enum imds_method method);
const char *status_class_word(enum imds_status_class status);
const char *hops_source_word(enum hops_source source); /* "baseline", "initial-ttl", "unknown" */
const char *hop_limit_word(enum hop_limit_state state);
const char *drop_match_word(enum imds_drop_match match); /* NULL for NONE */
const char *severity_word(enum severity severity);
const char *finding_word(enum finding_code code);

#endif
