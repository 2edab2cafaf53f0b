/* SPDX-License-Identifier: GPL-2.0-only */
#include "records.h"

#include <string.h>

/* Each handler returns false for what makes no sense: an index out of its table, a string without end. */

static bool has_end(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static bool is_peer(const struct imds_peer *p)
{
	for (size_t i = 0; i < IMDS_ANCESTORS; i++)
		if (!has_end(p->ancestors[i], IMDS_COMM_LEN))
			return false;
	return p->endpoint < IMDS_MAX_ENDPOINTS && has_end(p->comm, IMDS_COMM_LEN);
}

static bool handle_request(const struct record_callbacks *cb, const void *data)
{
	const struct imds_rec_request *rec = data;
	const struct imds_request *q = &rec->req;

	if (!is_peer(&rec->peer) || q->kind >= IMDS_KIND_COUNT || q->method >= IMDS_METHOD_COUNT ||
	    q->version >= IMDS_VERSION_COUNT || q->end >= IMDS_END_COUNT || q->path_len >= IMDS_PATH_LEN ||
	    !has_end(q->path, IMDS_PATH_LEN))
		return false;
	cb->on_request(cb->arg, rec);
	return true;
}

static bool handle_flow_end(const struct record_callbacks *cb, const void *data)
{
	const struct imds_rec_flow_end *rec = data;

	if (!is_peer(&rec->peer) || rec->last_kind >= IMDS_KIND_COUNT || rec->last_end >= IMDS_END_COUNT)
		return false;
	cb->on_flow_end(cb->arg, rec);
	return true;
}

static bool handle_drop(const struct record_callbacks *cb, const void *data)
{
	const struct imds_rec_drop *rec = data;

	if (!is_peer(&rec->peer) || rec->kind >= IMDS_KIND_COUNT)
		return false;
	cb->on_drop(cb->arg, rec);
	return true;
}

static bool handle_cgroup(const struct record_callbacks *cb, const void *data)
{
	const struct imds_rec_cgroup *rec = data;

	if (!has_end(rec->path, sizeof(rec->path)))
		return false;
	cb->on_cgroup(cb->arg, rec);
	return true;
}

static bool handle_copy(const struct record_callbacks *cb, const void *data)
{
	const struct imds_rec_copy *rec = data;

	if (rec->captured > IMDS_COPY_MAX || rec->captured > rec->length || !cb->on_copy)
		return false;
	cb->on_copy(cb->arg, rec);
	return true;
}

static const struct {
	bool (*fn)(const struct record_callbacks *cb, const void *rec);
	size_t size;
} handlers[IMDS_REC_COUNT] = {
	[IMDS_REC_REQUEST] = { handle_request, sizeof(struct imds_rec_request) },
	[IMDS_REC_FLOW_END] = { handle_flow_end, sizeof(struct imds_rec_flow_end) },
	[IMDS_REC_DROP] = { handle_drop, sizeof(struct imds_rec_drop) },
	[IMDS_REC_CGROUP_MKDIR] = { handle_cgroup, sizeof(struct imds_rec_cgroup) },
	[IMDS_REC_CGROUP_RMDIR] = { handle_cgroup, sizeof(struct imds_rec_cgroup) },
	[IMDS_REC_COPY] = { handle_copy, sizeof(struct imds_rec_copy) },
};

bool record_hand_out(const struct record_callbacks *cb, const void *data, size_t len)
{
	const struct imds_record *h = data;

	return len >= sizeof(*h) && h->type < IMDS_REC_COUNT && handlers[h->type].fn && len >= handlers[h->type].size &&
	       h->len == handlers[h->type].size && handlers[h->type].fn(cb, data);
}
