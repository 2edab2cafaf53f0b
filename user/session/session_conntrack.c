/* SPDX-License-Identifier: GPL-2.0-only */
/* What connection tracking itself has dropped: to a drop's reason and place it looks as a rule of netfilter. */
#include "session_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t read_number(const char *path)
{
	uint64_t n = 0;
	FILE *f = fopen(path, "re");

	if (f) {
		if (fscanf(f, "%" SCNu64, &n) != 1) /* NOLINT(cert-err34-c): the kernel's own numbers */
			n = 0;
		fclose(f);
	}
	return n;
}

/* The sum over all CPUs of the column `drop`: net/netfilter/nf_conntrack_standalone.c, hexadecimal below a line of names. */
static uint64_t read_drops(void)
{
	FILE *f = fopen("/proc/net/stat/nf_conntrack", "re");
	int column = -1, at = 0;
	uint64_t sum = 0;
	char line[1024];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		bool names = column < 0;
		char *rest = line, *word;

		for (at = 0; (word = strtok_r(rest, " \n", &rest)) != NULL; at++) {
			unsigned long long n = 0;

			if (names && !strcmp(word, "drop"))
				column = at;
			else if (!names && at == column && sscanf(word, "%llx", &n) == 1) /* NOLINT(cert-err34-c) */
				sum += n;
		}
		if (column < 0)
			break;
	}
	fclose(f);
	return sum;
}

void session_read_conntrack(struct session *s)
{
	uint64_t drops = read_drops();

	if (!s->conntrack_known)
		s->conntrack_before = drops;
	s->conntrack_known = true;
	s->snapshot.conntrack = (struct conntrack){
		.drops = drops - s->conntrack_before,
		.entries = read_number("/proc/sys/net/netfilter/nf_conntrack_count"),
		.max = read_number("/proc/sys/net/netfilter/nf_conntrack_max"),
	};
}
