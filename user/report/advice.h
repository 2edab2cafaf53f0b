/* SPDX-License-Identifier: GPL-2.0-only */
/* What to do about a finding, and the growing list of lines that findings and advice share. */
#ifndef IMDSNOOP_ADVICE_H
#define IMDSNOOP_ADVICE_H

#include "../model/snapshot.h"

/* Lines that remember that memory ran out, so that callers test once. v is NULL-ended as soon as it is not NULL. */
struct lines {
	char **v;
	size_t len;
	bool failed;
};

/* One line more, printf-like; without memory none, and failed says so. The owner of v calls lines_free(). */
void lines_add(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To the end of the last line. */
void lines_append(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lines_free(char **v);

/*
 * Advice by case. Never names the pod, so equal cases give equal text. A line that begins with two spaces is literal:
 * a command or a setting to copy.
 */
struct draft;
void advice_add(struct lines *advice, enum finding_code code, const struct draft *d);

/* Credentials come from EKS Pod Identity or ECS, and nothing was taken from IMDS instead: a block is probably meant. */
bool advice_is_meant(const struct pod_stats *p);

#endif
