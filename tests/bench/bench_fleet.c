/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a fleet's agents would have been scraped of, for engines that store it: NODES nodes, 40 series each, at each step of
 * [FROM, TO), in seconds. 200 workloads, five on each node; those of STEADY need hop limit 2 all day, those of RARE only in one
 * step of the day, on one node.
 *
 *	bench_fleet openmetrics NODES FROM TO STEP	text for `promtool tsdb create-blocks-from openmetrics`
 *	bench_fleet lines NODES FROM TO STEP		JSON lines for VictoriaMetrics' /api/v1/import
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKLOADS 200
#define ON_NODE 5
#define DAY 86400
#define STEADY(w) ((w) % 25 == 7) /* 8 of 200 */
#define RARE(w) ((w) % 50 == 8)	  /* 4 of 200 */

struct family {
	const char *name, *labels;
	double per_s; /* of a counter; 0: a gauge */
};

static const struct family of_workload[] = {
	{ "imdsnoop_workload_required_hop_limit", "", 0 },
	{ "imdsnoop_workload_token_requests_total", "", 0.002 },
	{ "imdsnoop_workload_requests_total", ",imds_version=\"v2\",outcome=\"ok\"", 0.01 },
	{ "imdsnoop_workload_requests_total", ",imds_version=\"v1\",outcome=\"ok\"", 0.0005 },
	{ "imdsnoop_workload_requests_total", ",imds_version=\"v2\",outcome=\"hop-limit\"", 0.0001 },
	{ "imdsnoop_workload_fallbacks_total", "", 0.0001 },
	{ "imdsnoop_workload_lost_seconds_total", "", 0.0001 },
};
static const struct family of_node[] = {
	{ "imdsnoop_observed_seconds_total", "", 1 },	  { "imdsnoop_node_events_lost_total", "", 0 },
	{ "imdsnoop_node_unowned_packets_total", "", 0 }, { "imdsnoop_node_fallbacks_total", "", 0.001 },
	{ "imdsnoop_node_required_hop_limit", "", 0 },
};
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static bool lines;
static unsigned long nodes, from, to, step;

static bool is_there(unsigned long node, unsigned int w, unsigned long t)
{
	return !RARE(w) || (node < WORKLOADS && t % DAY / step == w % (DAY / step));
}

static double value_of(const struct family *f, unsigned long node, unsigned int w, unsigned long t)
{
	if (strstr(f->name, "required"))
		return STEADY(w) || RARE(w) ? 2 : 1;
	return f->per_s * (double)(t % DAY + node); /* each began at another time */
}

static void put_series(const struct family *f, unsigned long node, int w)
{
	char labels[256];
	bool any = false;

	snprintf(labels, sizeof(labels),
		 w < 0 ? "instance=\"node-%05lu:9754\""
		       : "instance=\"node-%05lu:9754\",namespace=\"ns-%02d\",workload=\"w-%03d\"%s",
		 node, w / 10, w, f->labels);
	if (!lines) {
		for (unsigned long t = from; t < to; t += step)
			if (w < 0 || is_there(node, (unsigned int)w, t))
				printf("%s{job=\"imdsnoop\",%s} %.6g %lu\n", f->name, labels,
				       value_of(f, node, w < 0 ? 0 : (unsigned int)w, t), t);
		return;
	}
	for (int pass = 0; pass < 2; pass++) {
		any = false;
		for (unsigned long t = from; t < to; t += step) {
			if (w >= 0 && !is_there(node, (unsigned int)w, t))
				continue;
			if (!any && !pass) {
				printf("{\"metric\":{\"__name__\":\"%s\",\"job\":\"imdsnoop\"", f->name);
				for (char *l = strtok(labels, ","); l; l = strtok(NULL, ","))
					printf(",\"%.*s\":%s", (int)strcspn(l, "="), l, strchr(l, '=') + 1);
				printf("},\"values\":[");
			}
			if (!pass)
				printf("%s%.6g", any ? "," : "", value_of(f, node, w < 0 ? 0 : (unsigned int)w, t));
			else
				printf("%s%lu000", any ? "," : "", t);
			any = true;
		}
		if (any)
			fputs(pass ? "]}\n" : "],\"timestamps\":[", stdout);
	}
}

/* What the recording rule of that name keeps of all nodes. */
static void put_recorded(void)
{
	static const char name[] = "namespace_workload:imdsnoop_required_hop_limit:max";

	for (unsigned int w = 0; w < WORKLOADS; w++)
		for (unsigned long t = from; t < to; t += step) {
			int need = (int)value_of(&of_workload[0], 0, w, t);

			if (!is_there(0, w, t))
				continue;
			if (lines)
				printf("{\"metric\":{\"__name__\":\"%s\",\"namespace\":\"ns-%02u\",\"workload\":\"w-%"
				       "03u\"},"
				       "\"values\":[%d],\"timestamps\":[%lu000]}\n",
				       name, w / 10, w, need, t);
			else
				printf("%s{namespace=\"ns-%02u\",workload=\"w-%03u\"} %d %lu\n", name, w / 10, w, need,
				       t);
		}
}

int main(int argc, char **argv)
{
	if (argc != 6 || (strcmp(argv[1], "openmetrics") && strcmp(argv[1], "lines"))) {
		fprintf(stderr, "usage: bench_fleet openmetrics|lines NODES FROM TO STEP\n");
		return 2;
	}
	lines = !strcmp(argv[1], "lines");
	nodes = strtoul(argv[2], NULL, 10);
	from = strtoul(argv[3], NULL, 10);
	to = strtoul(argv[4], NULL, 10);
	step = strtoul(argv[5], NULL, 10);
	if (!step)
		return 2;
	for (unsigned long n = 0; n < nodes; n++) {
		for (size_t f = 0; f < LEN(of_node); f++)
			put_series(&of_node[f], n, -1);
		for (int k = 0; k < ON_NODE; k++)
			for (size_t f = 0; f < LEN(of_workload); f++)
				put_series(&of_workload[f], n, (int)((n * ON_NODE + (unsigned int)k) % WORKLOADS));
	}
	put_recorded();
	if (!lines)
		puts("# EOF");
	return fflush(stdout) ? 1 : 0;
}
