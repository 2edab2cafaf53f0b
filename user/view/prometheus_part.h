/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the exposition share: a writer of samples, and families as rows of tables. */
#ifndef IMDSNOOP_PROMETHEUS_PART_H
#define IMDSNOOP_PROMETHEUS_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "prometheus.h"

/* One set of labels as written, and what it stands for: rows that share it, or a workload. */
struct series {
	const struct pod_stats *const *rows;
	size_t rows_len;
	const struct workload *workload;
	char *labels;
	size_t labels_len;
};

/* Output is gathered here first: a scrape of a thousand pods is a million small pieces, too many for stdio. */
struct writer {
	FILE *f;
	char buf[16384];
	size_t at;
	const struct metrics_options *o;
	const struct snapshot *s;
	const struct agent_stats *agent;
	const char *name; /* of the family being written */
};

/* A number as it stands in a struct: uint64_t or double. */
struct metric_value {
	enum metric_from { FROM_NOTHING, FROM_POD, FROM_WORKLOAD, FROM_TOTALS, FROM_AGENT } from;
	bool is_real;
	size_t at;
};
#define VALUE_OF(from, type, member) \
	.value = { from, _Generic(((type *)0)->member, uint64_t : false, double : true), offsetof(type, member) }
#define POD(member) VALUE_OF(FROM_POD, struct pod_stats, member)
#define WORKLOAD(member) VALUE_OF(FROM_WORKLOAD, struct workload, member)
#define TOTALS(member) VALUE_OF(FROM_TOTALS, struct pod_stats, member)
#define AGENT(member) VALUE_OF(FROM_AGENT, struct agent_stats, member)

/* A metric: one of the two functions, or a value. Names are without _total: OpenMetrics wants it at the samples alone. */
struct family {
	const char *name, *type, *help;
	void (*row)(struct writer *w, const struct series *of); /* once for each series */
	void (*agent)(struct writer *w);			/* once */
	struct metric_value value;
};

/* Each ends with a row without name. */
extern const struct family prometheus_pods[], prometheus_workloads[], prometheus_node[], prometheus_agent[];

void prometheus_flush(struct writer *w);
void put_bytes(struct writer *w, const char *bytes, size_t len);
void put_text(struct writer *w, const char *text);
void put_integer(struct writer *w, uint64_t n);
void put_value(struct writer *w, const char *value); /* of a label, escaped, as valid UTF-8 */

/* The sum over a series' rows, and over containers of the same name that have left. */
uint64_t series_sum(const struct series *of, size_t offset);

/* `name_suffix{series,label="value",…` up to the value; label NULL ends the pairs. Values are words of ours. */
void begin_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs);
void integer_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs,
		    uint64_t value);
void real_sample(struct writer *w, const char *suffix, const struct series *of, const char *const *pairs, double value);

#define PAIRS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

#endif
