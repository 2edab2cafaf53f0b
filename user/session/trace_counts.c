/* SPDX-License-Identifier: GPL-2.0-only */
#include "trace_counts.h"

#include <errno.h>
#include <stdio.h>

#include "../base/json_member.h"
#include "../view/json.h"

#define DROP_FIELDS 4	       /* reason's name, TTL used up, from the endpoint, packets */
#define RUNNING_MAX (1u << 20) /* of one cgroup: as many as --max-flows may be */

struct writer {
	json_t *by_cgroup; /* id as text -> object */
	bool failed;
};

static const struct pod_identity nobody = POD_IDENTITY_NOBODY;

static void put(struct writer *w, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		w->failed = true;
}

static json_t *object_of(struct writer *w, const struct pod_identity *who)
{
	char id[24];
	json_t *o;

	who = who ? who : &nobody;
	snprintf(id, sizeof(id), "%llu", (unsigned long long)who->cgroup_id);
	o = json_object_get(w->by_cgroup, id);
	if (o)
		return o;
	put(w, w->by_cgroup, id, json_with_identity(json_object(), who));
	return json_object_get(w->by_cgroup, id);
}

static void append(struct writer *w, json_t *object, const char *key, json_t *row)
{
	json_t *list = json_object_get(object, key);

	if (!list) {
		put(w, object, key, json_array());
		list = json_object_get(object, key);
	}
	if (json_array_append_new(list, row))
		w->failed = true;
}

static void on_packets(void *arg, const struct pod_identity *who, const struct imds_packet_counters *c)
{
	struct writer *w = arg;
	json_t *o = object_of(w, who);

	for (int d = 0; d < IMDS_DIRECTION_COUNT; d++) {
		for (int p = 0; p < IMDS_PROTO_COUNT; p++)
			append(w, o, "packets", json_integer((json_int_t)c->packets[d][p]));
		append(w, o, "bytes", json_integer((json_int_t)c->bytes[d]));
	}
	if (c->untracked)
		put(w, o, "untracked", json_integer((json_int_t)c->untracked));
}

static void on_lost(void *arg, const struct pod_identity *who, const struct imds_request_key *k, uint64_t n)
{
	struct writer *w = arg;

	append(w, object_of(w, who), "lost",
	       json_pack("[iiiiiIi]", k->kind, k->version, k->end, k->status, k->endpoint, (json_int_t)n, k->death));
}

static void on_drops(void *arg, const struct pod_identity *who, const struct imds_drop_key *k, const char *reason,
		     uint64_t n)
{
	struct writer *w = arg;

	append(w, object_of(w, who), "drops",
	       json_pack("[siiI]", reason, k->ttl_expired, k->from_endpoint, (json_int_t)n));
}

json_t *trace_counts_write(struct session *session, const struct snapshot *s)
{
	struct writer w = { .by_cgroup = json_object() };
	struct session_count_callbacks cb = { on_packets, on_lost, on_drops, &w };
	json_t *list = json_array(), *o;
	const char *id;

	w.failed = !w.by_cgroup || !list;
	session_each_count(session, &cb);
	for (size_t i = 0; i < s->pods_len; i++)
		if (s->pods[i]->in_flight && !s->pods[i]->other) {
			o = object_of(&w, &s->pods[i]->who);
			put(&w, o, "in_flight", json_integer((json_int_t)s->pods[i]->in_flight));
		}
	json_object_foreach(w.by_cgroup, id, o) if (json_array_append(list, o)) w.failed = true;
	json_decref(w.by_cgroup);
	if (!w.failed)
		return list;
	json_decref(list);
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static enum runtime runtime_of(const json_t *o)
{
	int runtime = WORD_INDEX(json_text_of(o, "runtime"), RUNTIME_COUNT, runtime_word);

	return runtime < RUNTIME_COUNT ? (enum runtime)runtime : RUNTIME_NONE;
}

struct pod_identity trace_counts_identity(const json_t *o)
{
	return (struct pod_identity){
		.cgroup_id = (uint64_t)json_integer_value(json_object_get(o, "cgroup_id")),
		.namespace = json_text_of(o, "namespace"),
		.pod = json_text_of(o, "pod"),
		.container = json_text_of(o, "container"),
		.pod_uid = json_text_of(o, "pod_uid"),
		.container_id = json_text_of(o, "container_id"),
		.cgroup = json_text_of(o, "cgroup"),
		.workload = json_text_of(o, "workload"),
		.project = json_text_of(o, "project"),
		.runtime = runtime_of(o),
	};
}

/* Number i of an array; what is none, or negative, counts as 0. */
static uint64_t number_at(const json_t *array, size_t i)
{
	json_int_t n = json_integer_value(json_array_get(array, i));

	return n > 0 ? (uint64_t)n : 0;
}

static bool read_packets(const json_t *o, struct imds_packet_counters *c)
{
	const json_t *packets = json_object_get(o, "packets"), *bytes = json_object_get(o, "bytes");
	json_int_t untracked;

	for (int d = 0; d < IMDS_DIRECTION_COUNT; d++) {
		for (int p = 0; p < IMDS_PROTO_COUNT; p++)
			c->packets[d][p] = number_at(packets, (size_t)d * IMDS_PROTO_COUNT + p);
		c->bytes[d] = number_at(bytes, (size_t)d);
	}
	untracked = json_integer_value(json_object_get(o, "untracked")); /* not in older traces */
	c->untracked = untracked > 0 ? (uint64_t)untracked : 0;
	return packets;
}

static void read_rows(const json_t *o, const struct pod_identity *who, struct pod_table *t, uint64_t now_ns)
{
	const json_t *lost = json_object_get(o, "lost"), *drops = json_object_get(o, "drops");

	for (size_t i = 0; i < json_array_size(lost); i++) {
		const json_t *row = json_array_get(lost, i);
		struct imds_request_key k = {
			.cgroup_id = who->cgroup_id,
			.kind = (uint8_t)number_at(row, 0),
			.version = (uint8_t)number_at(row, 1),
			.end = (uint8_t)number_at(row, 2),
			.status = (uint8_t)number_at(row, 3),
			.endpoint = (uint8_t)number_at(row, 4),
			.death = (uint8_t)number_at(row, 6), /* 0 in older traces */
		};

		pod_table_add_lost(t, who, &k, number_at(row, 5), now_ns);
	}
	for (size_t i = 0; i < json_array_size(drops); i++) {
		const json_t *row = json_array_get(drops, i);
		const char *reason = json_string_value(json_array_get(row, 0));
		struct imds_drop_key k = {
			.cgroup_id = who->cgroup_id,
			.ttl_expired = number_at(row, 1) != 0,
			.from_endpoint = number_at(row, 2) != 0,
		};

		if (json_array_size(row) == DROP_FIELDS && reason)
			pod_table_add_drops(t, who->cgroup_id ? who : NULL, &k, reason, number_at(row, 3));
	}
}

int trace_counts_read(const json_t *counts, struct pod_table *t, uint64_t now_ns)
{
	int err = json_is_array(counts) ? 0 : -EINVAL;

	for (size_t i = 0; i < json_array_size(counts); i++) {
		const json_t *o = json_array_get(counts, i);
		struct pod_identity who = trace_counts_identity(o);
		struct imds_packet_counters packets = { 0 };
		json_int_t in_flight;

		if (!json_is_object(o)) {
			err = -EINVAL;
			continue;
		}
		if (read_packets(o, &packets))
			pod_table_add_packets(t, &who, &packets, now_ns);
		read_rows(o, &who, t, now_ns);
		in_flight = json_integer_value(json_object_get(o, "in_flight"));
		for (json_int_t n = 0; n < in_flight && n < RUNNING_MAX; n++)
			pod_table_add_running(t, &who);
	}
	pod_table_show_running(t);
	return err;
}
