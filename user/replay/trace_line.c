/* SPDX-License-Identifier: GPL-2.0-only */
/* One line of a trace, back to the record that it was made of. */
#include <string.h>

#include "../base/json_member.h"
#include "../model/facts.def"
#include "../session/trace_counts.h"
#include "trace_input.h"

/* 0 for what is missing, null, negative or above max: what "was not seen" says everywhere. */
static uint64_t number_of(const json_t *object, const char *key, uint64_t max)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 && (uint64_t)n <= max ? (uint64_t)n : 0;
}

static void comm_from(char comm[IMDS_COMM_LEN], const char *text)
{
	memcpy(comm, text, strnlen(text, IMDS_COMM_LEN));
}

static void peer_from(const json_t *line, struct imds_peer *p)
{
	const json_t *ancestors = json_object_get(line, "ancestors");

	p->cgroup_id = (uint64_t)json_integer_value(json_object_get(line, "cgroup_id"));
	p->pid = (uint32_t)number_of(line, "pid", UINT32_MAX);
	comm_from(p->comm, json_text_of(line, "comm"));
	for (size_t i = 0; i < IMDS_ANCESTORS && i < json_array_size(ancestors); i++) {
		const char *name = json_string_value(json_array_get(ancestors, i));

		comm_from(p->ancestors[i], name ? name : "");
	}
}

static void drop_from(const json_t *line, struct imds_drop *d)
{
	const char *match = json_text_of(line, "drop_match");

	d->ttl = (uint8_t)number_of(line, "ttl_dropped", UINT8_MAX);
	for (int i = IMDS_MATCH_TUPLE; drop_match_word(i); i++)
		if (!strcmp(match, drop_match_word(i)))
			d->match = i;
}

static void path_from(const json_t *line, struct imds_request *q)
{
	const char *path = json_text_of(line, "path");

	q->path_len = (uint8_t)strnlen(path, IMDS_PATH_LEN - 1);
	memcpy(q->path, path, q->path_len);
}

const char *trace_input_request(const json_t *line, struct request *r, struct pod_identity *who)
{
	const json_t *facts = json_object_get(line, "facts"), *version = json_object_get(line, "imds_version");
	struct imds_rec_request *rec = &r->rec;
	struct imds_request *q = &rec->req;
	int kind, method;

	*r = (struct request){ .who = who };
	*who = trace_counts_identity(line);
	if (!json_is_object(facts))
		return "without facts: of another version, or not a line of trace";
	kind = WORD_INDEX(json_text_of(line, "kind"), IMDS_KIND_COUNT, kind_word);
	method = WORD_INDEX(json_text_of(line, "method"), IMDS_METHOD_COUNT, method_word);
	if (kind == IMDS_KIND_COUNT)
		return "kind is none that we know";
	if (method == IMDS_METHOD_COUNT)
		return "method is none that we know";
	r->running = !strcmp(json_text_of(line, "type"), "stall");
	r->node = json_text_of(line, "node");
	r->drop_reason = json_text_of(line, "drop_reason");
	r->drop_location = json_text_of(line, "drop_location");
	peer_from(line, &rec->peer);
#define READ_FACT(key, member, most) r->member = (__typeof__(r->member))number_of(facts, key, most);
	REQUEST_FACTS(READ_FACT)
	rec->ttl_synack = (uint8_t)number_of(line, "ttl_synack", UINT8_MAX);
	drop_from(line, &q->drop);
	path_from(line, q);
	q->bytes_out = (uint32_t)number_of(line, "bytes_out", UINT32_MAX);
	q->bytes_in = (uint32_t)number_of(line, "bytes_in", UINT32_MAX);
	q->drops = (uint32_t)number_of(line, "drops", UINT32_MAX);
	q->retransmits = (uint16_t)number_of(line, "retransmits", UINT16_MAX);
	q->status = (uint16_t)number_of(line, "status", 999);
	q->ttl_response = (uint8_t)number_of(line, "ttl_response", UINT8_MAX);
	q->kind = (uint8_t)kind;
	q->method = (uint8_t)method;
	q->version = IMDS_VERSION_NONE;
	if (json_is_string(version))
		q->version = (uint8_t)WORD_INDEX(json_string_value(version), IMDS_VERSION_COUNT, version_word);
	if (q->version == IMDS_VERSION_COUNT)
		return "imds_version is none that we know";
	if (!r->judged_ns)
		return "facts without the time of the verdict";
	if (!r->running && q->end == IMDS_END_NONE)
		return "a finished request that did not end";
	return NULL;
}
