/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of merge.h share. */
#ifndef IMDSNOOP_MERGE_PART_H
#define IMDSNOOP_MERGE_PART_H

#include "../base/small.h"
#include "merge.h"

#define NAME_MAX_LEN 253 /* of a namespace, pod, container or node */
#define CGROUP_MAX_LEN 512
#define TEXT_MAX_LEN 1023 /* of a summary, or a line of advice */
#define WORD_MAX_LEN 95	  /* a code, a version, a moment, a cause */

/* A text of a row: where its copy belongs, and how much of it is kept. */
struct merge_field {
	const char **to;
	const char *from;
	size_t max;
};

/* Length of s, at most max, and no character cut in two. */
size_t merge_length(const char *s, size_t max);
size_t merge_room(const struct merge_field *fields, size_t len);
/* Into buf, one behind the other. Returns the end. */
char *merge_put(const struct merge_field *fields, size_t len, char *buf);

int merge_by_node(const struct merge_node *x, const struct merge_node *y);
int merge_by_node_at(const void *a, const void *b); /* for qsort(3) of pointers */

/* merge_findings.c, merge_differences.c: of one report, and of all of them. Each returns 0 or -ENOMEM. */
int merge_add_findings(struct merged *m, const struct merge_node *node, const struct report_doc *d);
int merge_end_findings(struct merged *m);
void merge_clear_findings(struct merged *m);
int merge_add_facts(struct merged *m, const struct merge_node *node, const struct report_doc *d);
int merge_end_facts(struct merged *m);
void merge_clear_facts(struct merged *m);

#endif
