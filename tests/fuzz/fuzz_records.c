/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/findings.c user/report/finding_*.c user/report/advice.c user/report/path.c */
/* needs: user/view/json.c user/report/report.c user/report/headline.c user/report/pod_count.c user/report/platform.c user/pods/workload.c */
/* needs: user/report/level.c */
/*
 * Records from the ring, of any bytes and length. Properties: each is handed out or counted as bad; what is handed out
 * is in the bounds of its types, its strings end; the totals are those of the requests given; what is written is JSON.
 * Of each record the first byte says the type (bit 7: raw bytes, else a right header), the second its length.
 */
#include "../../user/kernel/records.c"

#include <assert.h>
#include <stdlib.h>

#include "../../user/report/findings.h"
#include "../../user/model/pod_table.h"
#include "../../user/view/json.h"

struct sums {
	struct pod_table *table;
	uint64_t records, requests;
};

static const struct pod_identity who = { 7, "shop", "cart", "app", "", "", "/cart", "", "", RUNTIME_NONE };

static void check_json(json_t *v)
{
	char *text;

	assert(v);
	text = json_dumps(v, JSON_DUMP_FLAGS); /* refuses what is no UTF-8 */
	assert(text);
	free(text);
	json_decref(v);
}

static void check_peer(const struct imds_peer *p)
{
	assert(p->endpoint < IMDS_MAX_ENDPOINTS);
	assert(memchr(p->comm, 0, sizeof(p->comm)));
	for (size_t i = 0; i < IMDS_ANCESTORS; i++)
		assert(memchr(p->ancestors[i], 0, sizeof(p->ancestors[i])));
}

static void on_request(void *arg, const struct imds_rec_request *rec)
{
	struct request r = { .rec = *rec, .who = &who, .node = "n", .drop_reason = "", .drop_location = "" };
	struct sums *s = arg;

	s->records++;
	check_peer(&rec->peer);
	assert(rec->req.kind < IMDS_KIND_COUNT && rec->req.method < IMDS_METHOD_COUNT);
	assert(rec->req.version < IMDS_VERSION_COUNT && rec->req.end < IMDS_END_COUNT);
	assert(rec->req.path_len < IMDS_PATH_LEN && memchr(rec->req.path, 0, sizeof(rec->req.path)));
	r.running = rec->req.end == IMDS_END_NONE;
	pod_table_wants_later(s->table, &r, rec->hdr.ts_ns);
	pod_table_add_request(s->table, &r, rec->hdr.ts_ns);
	assert(r.outcome < OUTCOME_COUNT && r.confidence < CONFIDENCE_COUNT && r.provider < PROVIDER_COUNT);
	s->requests += !r.running;
	check_json(json_request(&r, rec->hdr.ts_ns, false));
}

static void on_flow_end(void *arg, const struct imds_rec_flow_end *rec)
{
	struct sums *s = arg;

	s->records++;
	check_peer(&rec->peer);
	assert(rec->last_kind < IMDS_KIND_COUNT && rec->last_end < IMDS_END_COUNT);
	pod_table_add_flow_end(s->table, &who, rec);
}

static void on_drop(void *arg, const struct imds_rec_drop *rec)
{
	struct sums *s = arg;

	s->records++;
	check_peer(&rec->peer);
	assert(rec->kind < IMDS_KIND_COUNT);
}

static void on_cgroup(void *arg, const struct imds_rec_cgroup *rec)
{
	struct sums *s = arg;

	s->records++;
	assert(memchr(rec->path, 0, sizeof(rec->path)));
}

static void on_copy(void *arg, const struct imds_rec_copy *rec)
{
	struct sums *s = arg;

	s->records++;
	assert(rec->captured <= sizeof(rec->bytes) && rec->captured <= rec->length);
}

/* One record in a buffer of its own size, so that a read behind it is seen. Returns the bytes used of data. */
static size_t feed(const struct record_callbacks *cb, uint64_t *bad, const uint8_t *data, size_t size)
{
	unsigned int type = data[0] & 0x7f;
	bool right = !(data[0] & 0x80) && type < IMDS_REC_COUNT;
	size_t given = data[1] * 2u < size - 2 ? data[1] * 2u : size - 2, len = given;
	struct imds_record h = { .type = type };
	size_t most;
	uint8_t *rec;

	if (right)
		len = handlers[type].size > sizeof(h) ? handlers[type].size : sizeof(h);
	rec = calloc(1, len + !len);
	assert(rec);
	most = given < len ? given : len;
	memcpy(rec, data + 2, most);
	if (right) {
		memcpy(&h.ts_ns, rec + 8, sizeof(h.ts_ns));
		h.len = len;
		memcpy(rec, &h, sizeof(h));
	}
	*bad += !record_hand_out(cb, rec, len);
	free(rec);
	return 2 + given;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct imds_endpoint endpoints[IMDS_MAX_ENDPOINTS];
	struct pod_table_options o = {
		.max_pods = 4, .stall_ns = 250000000, .slow_ns = 1000000000, .endpoints = endpoints, .endpoints_len = 1
	};
	struct sums s = { .records = 0 };
	struct record_callbacks cb = { on_request, on_flow_end, on_drop, on_cgroup, on_copy, &s };
	struct snapshot v = { .version = "1", .node = "n", .kernel = "k", .drops_watched = true };
	uint64_t given = 0, bad = 0, outcomes = 0;

	assert(!pod_table_new(&o, &s.table));
	while (size >= 2) {
		size_t used = feed(&cb, &bad, data, size);

		data += used;
		size -= used;
		given++;
	}
	assert(s.records + bad == given);
	assert(!pod_table_snapshot(s.table, &v) && !findings_collect(&v, &v.findings, &v.findings_len));
	for (int i = 0; i < OUTCOME_COUNT; i++)
		outcomes += v.totals.outcomes[i];
	assert(v.totals.requests == s.requests && outcomes == s.requests);
	check_json(json_report(&v));
	findings_free(v.findings, v.findings_len);
	histogram_clear(&v.totals.latency);
	pod_table_free(s.table);
	return 0;
}
