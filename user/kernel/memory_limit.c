/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory_limit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* "max" is no number: no limit. The root of v1 says 2^63 less a page. */
static uint64_t limit_in(const char *mount, const char *folder, const char *file)
{
	char path[PATH_MAX];
	unsigned long long bytes;
	FILE *f;
	int n;

	if (snprintf(path, sizeof(path), "%s%s/%s", mount, folder, file) >= (int)sizeof(path))
		return UINT64_MAX;
	f = fopen(path, "re");
	if (!f)
		return UINT64_MAX;
	n = fscanf(f, "%llu", &bytes);
	fclose(f);
	return n == 1 ? bytes : UINT64_MAX;
}

static uint64_t lowest_from(const char *mount, char *folder, const char *file)
{
	uint64_t lowest = UINT64_MAX, limit;
	char *slash;

	while ((slash = strrchr(folder, '/'))) {
		limit = limit_in(mount, folder, file);
		if (limit < lowest)
			lowest = limit;
		*slash = '\0';
	}
	limit = limit_in(mount, "", file);
	return limit < lowest ? limit : lowest;
}

uint64_t memory_limit(const char *self, const char *v2, const char *v1)
{
	uint64_t lowest = UINT64_MAX, limit;
	char line[PATH_MAX], *path;
	FILE *f = fopen(self, "re");

	if (!f)
		return lowest;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		limit = UINT64_MAX;
		if (v2 && !strncmp(line, "0::", 3))
			limit = lowest_from(v2, line + 3, "memory.max");
		else if ((path = strstr(line, ":memory:")))
			limit = lowest_from(v1, path + strlen(":memory:"), "memory.limit_in_bytes");
		if (limit < lowest)
			lowest = limit;
	}
	fclose(f);
	return lowest;
}
