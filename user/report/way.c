/* SPDX-License-Identifier: GPL-2.0-only */
#include "findings.h"
#include "path.h"

char *findings_draw_way(const struct snapshot *s, const struct pod_stats *p, int utf8, char *buf, size_t len)
{
	struct path path;

	path_plan(s, p, &path);
	return path_draw(&path, utf8, buf, len);
}
