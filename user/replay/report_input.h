/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads reports back from JSON. Files come from other nodes: every type and size is checked. */
#ifndef IMDSNOOP_REPORT_INPUT_H
#define IMDSNOOP_REPORT_INPUT_H

#include <jansson.h>

#include "../report/report_doc.h"

#define REPORT_INPUT_MAX (64u << 20) /* bytes of one file */

/*
 * path "-" is standard input. Returns 0, or a negative errno with one line for a person in msg. file is kept in *ret
 * as the name and must outlive it.
 */
int report_input_read(const char *path, struct report_doc *ret, char *msg, size_t msg_len);

/* Takes the reference to root, also on error; NULL gives -ENOMEM. */
int report_input_from_json(json_t *root, const char *file, struct report_doc *ret, char *msg, size_t msg_len);
void report_input_clear(struct report_doc *d);

/*
 * A whole stream of at most max bytes, NUL-ended; *ret is malloc'd. -EFBIG when there is more.
 */
int report_input_slurp(FILE *f, size_t max, char **ret, size_t *ret_len);

#endif
