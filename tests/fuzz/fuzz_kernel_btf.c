/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/kernel_btf.c */
/* Any bytes as the kernel's types: refused, or types that libbpf takes, with every name in its bounds. */
#include <assert.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../user/kernel/kernel_btf.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const tracepoints[] = { "kfree_skb", "cgroup_mkdir", "cgroup_rmdir", NULL };
	static const char *const enums[] = { "skb_drop_reason", NULL };
	static int fd = -1;
	struct btf *btf = NULL;
	char path[64];

	if (fd < 0) {
		fd = memfd_create("btf", MFD_CLOEXEC);
		libbpf_set_print(quiet);
	}
	assert(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (kernel_btf_load(path, tracepoints, enums, &btf))
		return 0;
	assert(btf);
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		assert(t && btf__name_by_offset(btf, t->name_off));
	}
	btf__free(btf);
	return 0;
}
