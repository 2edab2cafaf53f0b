/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* needs: user/model/ user/report/merge_findings.c user/report/merge_differences.c user/view/columns.c */
/* needs: user/report/level.c user/report/report.c user/report/platform.c user/view/text.c */
/* needs: user/replay/report_input.c user/report/merge.c user/report/compare.c user/pods/workload.c */
/* needs: user/view/html.c user/view/html_merge.c user/view/html_part.c user/view/html_style.c user/view/svg.c */
/* needs: user/view/text_extras.c user/view/text_layout.c user/view/text_escape.c user/view/json.c */
/* needs: user/view/json_extras.c user/report/findings.c user/report/finding_*.c user/report/advice.c */
/* needs: user/report/path.c user/report/headline.c user/report/pod_count.c user/report/what_if.c user/report/timeline.c */
/* needs: user/report/ready.c user/report/ready_report.c user/view/text_ready.c */
/*
 * A report of unknown origin goes through merge and compare and out in all three forms. Properties: no string is NULL,
 * counts add up, JSON out is JSON, no markup and no bad byte gets into the page.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/replay/report_input.h"
#include "../../user/view/extras.h"
#include "../../user/view/html.h"

static void check(const struct report_doc *d)
{
	uint64_t failed;

	assert(d->version && d->node && d->kernel && d->started && d->duration_s >= 0 && d->seconds_lost >= 0);
	for (size_t i = 0; i < d->pods_len; i++) {
		const struct report_pod *p = &d->pods[i];

		assert(p->namespace && p->pod && p->container && p->cgroup && strlen(p->workload) < WORKLOAD_LEN);
		assert(p->p99_us >= -1 && p->seconds_lost >= 0 && p->required_hop_limit >= 0);
		failed = 0;
		for (int k = 0; k < OUTCOME_COUNT; k++)
			failed += k == OUTCOME_OK || k == OUTCOME_HTTP_ERROR ? 0 : p->outcomes[k];
		assert(p->failed == failed);
	}
	for (size_t i = 0; i < d->findings_len; i++)
		assert(d->findings[i].code && d->findings[i].summary && d->findings[i].severity <= SEVERITY_ERROR);
}

static void check_page(const char *text)
{
	json_t *v = json_string(text); /* refuses what is no UTF-8 */

	assert(v);
	json_decref(v);
	assert(!strstr(text, "<script") && !strstr(text, "<img"));
}

static void check_json(json_t *v)
{
	char *text;

	assert(v);
	text = json_dumps(v, 0);
	assert(text);
	free(text);
	json_decref(v);
}

static void check_text(const char *text)
{
	json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert(v);
	json_decref(v);
}

static void merge(const struct report_doc *d)
{
	const struct text_options o = { .utf8 = true };
	struct report_doc again = *d;
	struct merged m = { 0 };
	const char *twin = NULL;
	size_t len, pods = 0;
	char *text;
	FILE *f;

	again.node = "another";
	assert(!merge_add(&m, d, &twin) && merge_add(&m, d, &twin) == -EEXIST && twin);
	if (merge_add(&m, &again, &twin)) { /* it is called so */
		merge_clear(&m);
		return;
	}
	assert(!merge_end(&m));
	assert(m.pods_seen == 2 * d->pods_len && m.requests <= INT64_MAX && m.lost <= INT64_MAX);
	for (size_t i = 0; i < m.groups_len; i++)
		pods += m.groups[i]->pods;
	assert(pods + m.groups_lost == 2 * d->findings_len);
	f = open_memstream(&text, &len);
	assert(!json_merge(&m, "1", f));
	fclose(f);
	check_text(text);
	free(text);
	f = open_memstream(&text, &len);
	html_merge(f, &m, "1");
	fclose(f);
	check_page(text);
	free(text);
	f = open_memstream(&text, &len);
	text_merge(f, &m, &o);
	fclose(f);
	assert(!strchr(text, '\033'));
	free(text);
	merge_clear(&m);
}

static void compare(const struct report_doc *d)
{
	struct changes c;

	assert(!compare_reports(d, d, &c));
	assert(!c.counts[CHANGE_NEW] && !c.counts[CHANGE_GONE] && c.counts[CHANGE_STILL] == c.findings_len);
	check_json(json_changes(&c));
	compare_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct report_doc d;
	char msg[256];

	if (!root || report_input_from_json(root, "f", &d, msg, sizeof(msg)))
		return 0;
	check(&d);
	merge(&d);
	compare(&d);
	report_input_clear(&d);
	return 0;
}
