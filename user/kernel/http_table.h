/* SPDX-License-Identifier: GPL-2.0-only */
/* Compiles the words that we look for in HTTP heads into the table of bpf/http_scan.h. */
#ifndef IMDSNOOP_HTTP_TABLE_H
#define IMDSNOOP_HTTP_TABLE_H

#include "../../bpf/http_scan.h"

struct http_table_stats {
	int states, classes;		/* used of IMDS_HTTP_STATES and IMDS_HTTP_CLASSES */
};

/* ret_stats may be NULL. Returns 0, -ENOMEM, or -E2BIG when the words need more states or classes than the table has. */
int http_table_compile(struct imds_http_table *ret_table, struct http_table_stats *ret_stats);

#endif
