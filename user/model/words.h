/* SPDX-License-Identifier: GPL-2.0-only */
/* The words that users see: enums of the lists in words.def, and their spelling. */
#ifndef IMDSNOOP_WORDS_H
#define IMDSNOOP_WORDS_H

#include <stdbool.h>
#include <string.h>

#include "../../bpf/imdsnoop.h"
#include "../pods/runtime.h"
#include "words.def"

#define WORD_MEMBER(member, ...) member,
enum outcome { OUTCOMES(WORD_MEMBER) OUTCOME_COUNT };
enum cause { CAUSES(WORD_MEMBER) CAUSE_COUNT };
enum level { LEVELS(WORD_MEMBER) LEVEL_COUNT };
enum confidence { CONFIDENCES(WORD_MEMBER) CONFIDENCE_COUNT };
enum provider { PROVIDERS(WORD_MEMBER) PROVIDER_COUNT };
enum hops_source { HOPS_SOURCES(WORD_MEMBER) };
enum hop_limit_state { HOP_LIMIT_STATES(WORD_MEMBER) };
enum severity { SEVERITIES(WORD_MEMBER) };
enum finding_code { FINDING_CODES(WORD_MEMBER) FINDING_COUNT };

/* Those that document a response hop limit, as bits. */
#define PROVIDERS_WITH_HOP_LIMIT (1u << PROVIDER_EC2 | 1u << PROVIDER_IBM)

/* Each returns the word of JSON and metrics, "other"/"unknown" for a value out of range; confidence NONE gives NULL. */
const char *outcome_word(enum outcome outcome);
const char *cause_word(enum cause cause); /* NULL for NONE */
const char *cause_text(enum cause cause); /* in the field's words ("reverse path filter"), without figures; "" for NONE */
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

/* A loss that costs names alone: who has none for it is told apart as nameless, and nothing of what was counted is gone. */
bool loss_is_of_names(const char *name);

/* The first of 0 to count - 1 for which word_of, one of these, gives text; count when there is none. */
#define WORD_INDEX(text, count, word_of)                                                 \
	({                                                                               \
		const char *text_ = (text);                                              \
		int i_ = 0;                                                              \
                                                                                         \
		while (i_ < (count) && (!(word_of)(i_) || strcmp((word_of)(i_), text_))) \
			i_++;                                                            \
		i_;                                                                      \
	})

#endif
