/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON as interface.md section 2 names it. Key order is fixed; counts and *_us are integers; times are RFC 3339 UTC
 * with microseconds. Maps of counts (outcomes, kinds, drops and the like) hold only what is above zero. Names from
 * outside that are not valid UTF-8 have each bad byte replaced by U+FFFD.
 */
#ifndef IMDSNOOP_JSON_H
#define IMDSNOOP_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "../model/request.h"
#include "../report/report.h"

/* For json_dump*(): fixed order, no more digits of a number than it was made of, no character that steers a terminal. */
#define JSON_DUMP_FLAGS (JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII)

/* Each returns a new reference, or NULL without memory. now_ns: CLOCK_MONOTONIC, for what still runs. */
json_t *json_request(const struct request *r, uint64_t now_ns, bool redact);
json_t *json_said(const struct report *r);
json_t *json_report(const struct snapshot *s); /* what report_build() says of s */
json_t *json_start(const struct snapshot *s);  /* first line of trace: version, kernel, node, endpoints, features */
json_t *json_end(const struct snapshot *s);    /* last line of trace: totals and losses */
json_t *json_features(const struct feature *rows, size_t len);

/* A string that may be any bytes; NULL gives null. */
json_t *json_text(const char *bytes);
/* null for what did not happen or was not seen. */
json_t *json_unless_negative(int64_t n);
json_t *json_if_positive(int64_t n);
json_t *json_unless_empty(const char *bytes); /* any bytes */
/* Seconds, rounded to 1 / per_second; not a number, negative or beyond any uptime: 0. */
json_t *json_seconds(double s, double per_second);
/* value(of, 0) to value(of, len - 1), each a new reference or NULL. */
json_t *json_list(const void *of, size_t len, json_t *(*value)(const void *of, size_t i));
/* object, the caller's, with all of figures.def, or of whom it is; NULL when object is, or without memory. */
json_t *json_with_figures(json_t *object, const struct figures *figures);
json_t *json_with_identity(json_t *object, const struct pod_identity *who);
json_t *json_texts(const char *const *texts); /* NULL-ended; NULL gives none */

/* "2026-01-02T03:04:05.678901Z" into buf, which is returned. 32 bytes suffice. */
const char *json_time(uint64_t wall_ns, char *buf, size_t len);

/*
 * Writes v and a newline, on one line or indented, and drops the reference (also on error). v NULL is taken as
 * -ENOMEM, so that calls nest. Returns 0 or a negative errno of the write.
 */
int json_print(json_t *v, bool indent, FILE *f);

#endif
