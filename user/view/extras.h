/* SPDX-License-Identifier: GPL-2.0-only */
/* What-if, changes and merged reports, as text and JSON. HTML: html.h. */
#ifndef IMDSNOOP_EXTRAS_H
#define IMDSNOOP_EXTRAS_H

#include <jansson.h>

#include "../report/compare.h"
#include "../report/merge.h"
#include "../report/ready.h"
#include "../report/what_if.h"
#include "text.h"

/* Parts of text_report(). */
void text_what_if(FILE *out, const struct what_if_result *r, const struct text_options *o);
void text_changes(FILE *out, const struct changes *c, const struct text_options *o);
void text_ready(FILE *out, const struct ready *r, const struct text_options *o);
void text_merge(FILE *out, const struct merged *m, const struct text_options *o);

/* Each returns a new reference, or NULL without memory. */
json_t *json_what_if(const struct what_if_result *r); /* without its findings: they are in the report's */
json_t *json_changes(const struct changes *c);
json_t *json_ready(const struct ready *r, const char *version); /* schema imdsnoop.ready/1 */
/* Writes schema imdsnoop.merge/1, the rows one by one. Returns 0 or a negative errno. */
int json_merge(const struct merged *m, const char *version, FILE *f);

/* "shop/cart (app)" of a workload, the cgroup of what is none, "the node" without both. Returns buf. */
char *extras_subject(const struct report_name *who, char *buf, size_t len);

/* The answer of `ready` in a sentence, and what it is judged from; each returns buf. */
char *extras_ready_headline(const struct ready *r, char *buf, size_t len);
char *extras_ready_basis(const struct ready *r, char *buf, size_t len);

#endif
