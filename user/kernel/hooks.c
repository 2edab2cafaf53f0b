/* SPDX-License-Identifier: GPL-2.0-only */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../base/small.h"
#include "../base/text_add.h"

#define PROGRAMS_MAX 64 /* the kernel's own bound for one cgroup and hook */
#define OUR_PREFIX "imds_"

/* "" where it may not be asked. */
static void name_of(uint32_t id, char *name, size_t len)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	name[0] = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		snprintf(name, len, "%s", info.name);
	close(fd);
}

int hooks_other_connects(const char *cgroup, char *names, size_t len)
{
	static const enum bpf_attach_type hooks[] = { BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT };
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0, err = 0;

	names[0] = '\0';
	if (fd < 0)
		return -errno;
	for (size_t h = 0; h < LEN(hooks) && !err; h++) {
		uint32_t ids[PROGRAMS_MAX], n = PROGRAMS_MAX;

		if (bpf_prog_query(fd, hooks[h], BPF_F_QUERY_EFFECTIVE, NULL, ids, &n)) {
			err = -errno;
			break;
		}
		for (uint32_t i = 0; i < n && i < PROGRAMS_MAX; i++) {
			char name[BPF_OBJ_NAME_LEN + 1], number[32];

			name_of(ids[i], name, sizeof(name));
			if (!strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX)))
				continue;
			snprintf(number, sizeof(number), "program %u", ids[i]);
			text_add(names, len, "%s%s", found ? ", " : "", name[0] ? name : number);
			found++;
		}
	}
	close(fd);
	return err ? err : found;
}
