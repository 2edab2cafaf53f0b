/* SPDX-License-Identifier: GPL-2.0-only */
#include "prometheus_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- series ------------------------------------------------------------------------------------------------------- */

/* The three labels of a row, see the header. */
static void labels_of(const struct pod_stats *p, const char *ret[3])
{
	ret[0] = p->who.namespace;
	ret[1] = p->other ? "other" : p->who.pod;
	ret[2] = *p->who.pod || p->other ? p->who.container : p->who.cgroup;
}

static int compare_labels(const void *a, const void *b)
{
	const char *x[3], *y[3];
	int c = 0;

	labels_of(*(const struct pod_stats *const *)a, x);
	labels_of(*(const struct pod_stats *const *)b, y);
	for (int i = 0; i < 3 && !c; i++)
		c = strcmp(x[i], y[i]);
	return c;
}

/* w->f is a stream into of->labels. */
static void write_labels(struct writer *w, const char *const *names, const char *const *values)
{
	for (; *names; names++, values++) {
		put_text(w, *names);
		put_value(w, *values);
		put_bytes(w, "\"", 1);
	}
	prometheus_flush(w);
}

static int make_labels(struct writer *w, struct series *of, const char *const *names, const char *const *values)
{
	FILE *out = w->f;
	int err;

	w->f = open_memstream(&of->labels, &of->labels_len);
	if (w->f)
		write_labels(w, names, values);
	err = !w->f || fclose(w->f) ? -ENOMEM : 0;
	w->f = out;
	return err;
}

/* Series of one level; freed by series_free(). */
struct series_list {
	const struct pod_stats **rows;
	struct series *v;
	size_t len;
};

static void series_free(struct series_list *l)
{
	for (size_t i = 0; i < l->len; i++)
		free(l->v[i].labels);
	free(l->v);
	free(l->rows);
}

/* Rows with the same labels are one series. */
static int group_pods(struct writer *w, struct series_list *l)
{
	static const char *const names[] = { "namespace=\"", ",pod=\"", ",container=\"", NULL };
	size_t rows = w->s->pods_len;
	const char *values[3];
	int err = 0;

	l->rows = calloc(rows + 1, sizeof(*l->rows));
	l->v = calloc(rows + 1, sizeof(*l->v));
	if (!l->rows || !l->v)
		return -ENOMEM;
	for (size_t i = 0; i < rows; i++)
		l->rows[i] = w->s->pods[i];
	qsort(l->rows, rows, sizeof(*l->rows), compare_labels);
	for (size_t i = 0; i < rows && !err; i++) {
		if (l->len && !compare_labels(&l->rows[i], &l->rows[i - 1])) {
			l->v[l->len - 1].rows_len++;
			continue;
		}
		labels_of(l->rows[i], values);
		l->v[l->len] = (struct series){ .rows = &l->rows[i], .rows_len = 1 };
		err = make_labels(w, &l->v[l->len++], names, values);
	}
	return err;
}

static int group_workloads(struct writer *w, struct series_list *l)
{
	static const char *const names[] = { "namespace=\"", ",workload=\"", NULL };
	size_t len = 0;
	struct workload *const *list = w->o->workloads ? workload_table_list(w->o->workloads, &len) : NULL;
	int err = 0;

	l->v = calloc(len + 1, sizeof(*l->v));
	if (!l->v)
		return -ENOMEM;
	for (size_t i = 0; i < len && !err; i++) {
		const char *const values[] = { list[i]->namespace, list[i]->name };

		l->v[l->len] = (struct series){ .workload = list[i] };
		err = make_labels(w, &l->v[l->len++], names, values);
	}
	return err;
}

static void put_head(struct writer *w, const char *mark, const char *total, const char *text)
{
	put_text(w, mark);
	put_text(w, w->name);
	put_text(w, total);
	put_text(w, " ");
	put_text(w, text);
	put_text(w, "\n");
}

uint64_t series_sum(const struct series *of, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; of && i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before)
			sum += *(const uint64_t *)((const char *)p + offset);
	return sum;
}

static double series_real_sum(const struct series *of, size_t offset)
{
	double sum = 0;

	for (size_t i = 0; of && i < of->rows_len; i++)
		for (const struct pod_stats *p = of->rows[i]; p; p = p->before) {
			const void *at = (const char *)p + offset;

			sum += *(const double *)at;
		}
	return sum;
}

/* of: of a pod or a workload, else NULL */
static void write_value(struct writer *w, const struct family *f, const struct series *of)
{
	const char *suffix = strcmp(f->type, "counter") ? "" : "_total";
	const char *in[] = {
		[FROM_WORKLOAD] = of ? (const char *)of->workload : NULL,
		[FROM_TOTALS] = (const char *)&w->s->totals,
		[FROM_AGENT] = (const char *)w->agent,
	};
	const void *at = f->value.from == FROM_POD ? NULL : in[f->value.from] + f->value.at;

	if (f->value.is_real)
		real_sample(w, suffix, of, NULL, at ? *(const double *)at : series_real_sum(of, f->value.at));
	else
		integer_sample(w, suffix, of, NULL, at ? *(const uint64_t *)at : series_sum(of, f->value.at));
}

static void write_families(struct writer *w, const struct family *f, const struct series_list *l)
{
	for (; f->name; f++) {
		const char *total = !w->o->openmetrics && !strcmp(f->type, "counter") ? "_total" : "";

		w->name = f->name;
		put_head(w, "# HELP ", total, f->help);
		put_head(w, "# TYPE ", total, f->type);
		if (f->agent)
			f->agent(w);
		if (f->value.from >= FROM_TOTALS)
			write_value(w, f, NULL);
		for (size_t i = 0; l && i < l->len; i++) {
			if (f->row)
				f->row(w, &l->v[i]);
			else
				write_value(w, f, &l->v[i]);
		}
	}
}

int prometheus_write(FILE *out, const struct snapshot *s, const struct agent_stats *a, const struct metrics_options *o)
{
	struct writer w = { .f = out, .o = o, .s = s, .agent = a };
	struct series_list pods = { 0 }, workloads = { 0 };
	int err = 0;

	if (o->level >= METRICS_POD)
		err = group_pods(&w, &pods);
	if (!err && o->level >= METRICS_WORKLOAD)
		err = group_workloads(&w, &workloads);
	if (!err) {
		if (o->level >= METRICS_POD)
			write_families(&w, prometheus_pods, &pods);
		if (o->level >= METRICS_WORKLOAD) {
			write_families(&w, prometheus_workloads, &workloads);
			write_families(&w, prometheus_agent, NULL);
		}
		write_families(&w, prometheus_node, NULL);
		if (o->openmetrics)
			put_text(&w, "# EOF\n");
	}
	prometheus_flush(&w);
	series_free(&workloads);
	series_free(&pods);
	return err;
}
