/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c */
/* Properties: what is found is canonical and in the input; parsing is stable; what is appended last wins. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/pods/cgroup_path.h"

#define UID "00000000-1111-2222-3333-444444444444"
#define ID "5555555555555555555555555555555555555555555555555555555555555555"

static int holds(const char *text, size_t len, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= len; i++) {
		size_t k = 0;

		while (k < n && (text[i + k] == part[k] || (text[i + k] == '_' && part[k] == '-')))
			k++;
		if (k == n)
			return 1;
	}
	return 0;
}

static void check_id(const char *path, size_t len, const char *id)
{
	if (!id[0])
		return;
	assert(strlen(id) == CONTAINER_ID_SIZE - 1);
	assert(cgroup_path_hex_span(id, CONTAINER_ID_SIZE - 1) == CONTAINER_ID_SIZE - 1);
	assert(holds(path, len, id));
}

static void check_path(const char *path, size_t len)
{
	static const char pod[] = "/pod" UID, container[] = "/docker-" ID ".scope";
	static const char conmon[] = "/crio-conmon-" ID ".scope";
	struct cgroup_ids ids, more;
	char *longer = malloc(len + sizeof(pod) + sizeof(container) + sizeof(conmon));
	int err = cgroup_path_parse(path, len, &ids);

	assert(longer);
	assert(!err == (ids.pod_uid[0] || ids.container_id[0]));
	assert(ids.owner_len <= len && !ids.owner_len == (err != 0));
	assert(!ids.pod_uid[0] || cgroup_path_is_uid(ids.pod_uid, strlen(ids.pod_uid)));
	assert(holds(path, len, ids.pod_uid));
	check_id(path, len, ids.container_id);
	check_id(path, len, ids.around_id);

	if (len)
		memcpy(longer, path, len);
	memcpy(longer + len, conmon, sizeof(conmon));
	cgroup_path_parse(longer, len + sizeof(conmon) - 1, &more);
	assert(!memcmp(&more.pod_uid, &ids.pod_uid, strlen(ids.pod_uid) + 1) &&
	       !strcmp(more.container_id, ids.container_id));

	memcpy(longer + len, container, sizeof(container));
	assert(!cgroup_path_parse(longer, len + sizeof(container) - 1, &more));
	assert(!strcmp(more.container_id, ids.container_id[0] ? ids.container_id : ID) &&
	       !strcmp(more.pod_uid, ids.pod_uid));

	memcpy(longer + len, pod, sizeof(pod));
	assert(!cgroup_path_parse(longer, len + sizeof(pod) - 1, &more));
	assert(ids.pod_uid[0]
		   ? !strcmp(more.pod_uid, ids.pod_uid) && !strcmp(more.container_id, ids.container_id)
		   : !strcmp(more.pod_uid, UID) && !more.container_id[0] && !strcmp(more.around_id, ids.container_id));
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *path;
	size_t len;

	check_path(text, size);
	if (!cgroup_path_from_proc(text, size, &path, &len)) {
		assert(path >= text && path + len <= text + size && len && *path == '/' && !memchr(path, '\n', len));
		check_path(path, len);
	}
	return 0;
}
