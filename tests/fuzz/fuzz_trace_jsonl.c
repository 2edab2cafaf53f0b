/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/replay/trace_input.c user/replay/trace_line.c user/session/trace_counts.c */
/* needs: user/options/options_value.c user/view/json.c user/report/findings.c user/report/finding_*.c */
/* needs: user/report/advice.c user/report/path.c user/report/report.c user/report/headline.c user/report/pod_count.c */
/* needs: user/report/platform.c user/pods/workload.c user/report/level.c */
/*
 * The lines of a trace, of any bytes. Properties: every line is read or counted as bad, what is read is in the totals,
 * the report can be written, and reading it again gives the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/session/trace_counts.h"
#include "../../user/replay/trace_input.h"
#include "../../user/view/json.h"

/* trace_counts.c can also write, which asks a live session */
void session_each_count(struct session *s, const struct session_count_callbacks *cb)
{
}

static void on_request(void *arg, const struct request *r, uint64_t now_ns)
{
	uint64_t *n = arg;

	assert(r->who->pod && r->drop_reason && r->drop_location && r->outcome < OUTCOME_COUNT);
	assert(r->rec.req.kind < IMDS_KIND_COUNT && r->rec.req.version < IMDS_VERSION_COUNT);
	*n += !r->running;
}

static char *report_of(const uint8_t *data, size_t size)
{
	struct options o = { .stall_ns = 250000000, .slow_ns = 1000000000, .max_pods = 4, .max_flows = 4 };
	uint64_t requests = 0;
	struct session_callbacks cb = { .on_request = on_request, .on_stall = on_request, .arg = &requests };
	FILE *f = fmemopen((void *)data, size, "r");
	struct trace_input_stats stats;
	const struct snapshot *s;
	struct trace_input *t;
	char msg[256], *text;
	json_t *v;
	int err;

	assert(f);
	err = trace_input_read(&o, f, &cb, &t, msg, sizeof(msg));
	fclose(f);
	if (err)
		return NULL;
	s = trace_input_snapshot(t);
	trace_input_get_stats(t, &stats);
	assert(stats.bad <= stats.lines && (stats.bad != 0) == (stats.first_bad != 0));
	assert(s->totals.requests - s->totals.records_lost == requests);
	v = json_report(s);
	assert(v);
	text = json_dumps(v, JSON_DUMP_FLAGS);
	assert(text);
	json_decref(v);
	trace_input_free(t);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *a = size ? report_of(data, size) : NULL, *b;

	if (!a)
		return 0;
	b = report_of(data, size);
	assert(b && !strcmp(a, b));
	free(a);
	free(b);
	return 0;
}
