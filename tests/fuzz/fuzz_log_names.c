/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/log_names.c user/pods/cgroup_path.c */
/* Properties: parts are clean, bounded and inside the input; a name built from them is the name that was parsed. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/pods/cgroup_path.h"
#include "../../user/pods/log_names.h"

static void check_part(struct log_part part, const char *name, size_t len, size_t max)
{
	assert(part.len <= max);
	if (!part.len)
		return;
	assert(part.s >= name && part.s + part.len <= name + len);
	for (size_t i = 0; i < part.len; i++)
		assert(part.s[i] >= 0x20 && part.s[i] <= 0x7e && part.s[i] != '_' && part.s[i] != '/');
}

static void check(const char *name, size_t len, const struct log_name *n)
{
	check_part(n->ns, name, len, 63);
	check_part(n->pod, name, len, 253);
	check_part(n->container, name, len, 63);
	check_part(n->uid, name, len, 36);
	check_part(n->id, name, len, 64);
	assert(n->ns.len && n->pod.len);
	assert(!n->uid.len || cgroup_path_is_uid(n->uid.s, n->uid.len));
	assert(cgroup_path_hex_span(n->id.s, n->id.len) == n->id.len);
}

#define P(part) (int)(part).len, (part).s

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1), built[1024];
	struct log_name n;

	assert(name);
	if (size)
		memcpy(name, data, size);
	name[size] = '\0';
	size = strlen(name);
	if (!log_names_parse_pod(name, &n)) {
		check(name, size, &n);
		assert(n.uid.len && !n.id.len && !n.container.len);
		snprintf(built, sizeof(built), "%.*s_%.*s_%.*s", P(n.ns), P(n.pod), P(n.uid));
		assert(!strcmp(name, built));
	}
	if (!log_names_parse_link(name, &n)) {
		check(name, size, &n);
		assert(!n.uid.len && !n.id.len == !n.container.len && size <= 255);
		assert(n.id.len == 64 || size == 255);
		snprintf(built, sizeof(built), "%.*s_%.*s_%.*s-%.*s.log", P(n.pod), P(n.ns), P(n.container), P(n.id));
		assert(!n.id.len || !strcmp(name, built));
	}
	if (!log_names_parse_target(name, &n)) {
		check(name, size, &n);
		assert(n.uid.len && n.container.len && !n.id.len);
		snprintf(built, sizeof(built), "%.*s_%.*s_%.*s/%.*s/", P(n.ns), P(n.pod), P(n.uid), P(n.container));
		assert(strstr(name, built));
	}
	free(name);
	return 0;
}
