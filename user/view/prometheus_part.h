/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the exposition share: a writer of samples, and families as rows of tables. */
#ifndef IMDSNOOP_PROMETHEUS_PART_H
#define IMDSNOOP_PROMETHEUS_PART_H

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

/* A metric: one of the two functions. Names are without _total: OpenMetrics wants it at the samples alone. */
struct family {
	const char *name, *type, *help;
	void (*row)(struct writer *w, const struct series *of); /* once for each series */
	void (*agent)(struct writer *w);			/* once */
};

/* Each ends with a row without name. */
extern const struct family prometheus_pods[], prometheus_workloads[], prometheus_node[], prometheus_agent[];

void prometheus_flush(struct writer *w);
void put_bytes(struct writer *w, const char *bytes, size_t len);
void put_text(struct writer *w, const char *text);
void put_integer(struct writer *w, uint64_t n);
void put_value(struct writer *w, const char *value); /* of a label, escaped, as valid UTF-8 */

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
