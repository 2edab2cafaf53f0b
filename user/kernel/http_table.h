/* SPDX-License-Identifier: GPL-2.0-only */
/* Compiles the words that the HTTP scan looks for into the table of bpf/http_scan.h. Pure; takes a few milliseconds. */
#ifndef IMDSNOOP_HTTP_TABLE_H
#define IMDSNOOP_HTTP_TABLE_H

#include "../../bpf/http_scan.h"

struct http_table_size {
	unsigned int states;  /* of IMDS_HTTP_STATES */
	unsigned int classes; /* of IMDS_HTTP_CLASSES */
};

/* Returns 0, -ENOMEM, or -E2BIG when the words need more states or byte classes than the table has. */
int http_table_compile(struct imds_http_table *ret_table);
/* The same; ret_size (may be NULL) is set on -E2BIG too, as far as it got. */
int http_table_compile_sized(struct imds_http_table *ret_table, struct http_table_size *ret_size);

#endif
