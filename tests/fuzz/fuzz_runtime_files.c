/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/runtime_files.c user/pods/workload.c user/pods/cgroup_path.c */
/* The state files of runtimes and of CNI, which a tenant may write: the first byte chooses the parser. Texts are clean. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/pods/runtime_files.h"

#define ID "1111111111111111111111111111111111111111111111111111111111111111"

static void check_clean(const char *s, size_t size)
{
	assert(memchr(s, '\0', size));
	for (; *s; s++)
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check(const struct runtime_text *what)
{
	assert(what->runtime < RUNTIME_COUNT);
	for (int i = 0; i < RUNTIME_PART_COUNT; i++)
		check_clean(what->part[i], RUNTIME_TEXT_LEN);
}

static void on_stored(void *arg, const char *id, const struct runtime_text *what)
{
	assert(strlen(id) == 64);
	check(what);
	++*(size_t *)arg;
}

static void check_path(int err, const char *path, size_t size)
{
	if (err)
		return;
	check_clean(path, size);
	assert(*path == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime_text what;
	size_t over, n = 0;
	char buf[128];
	char *text;

	if (!size)
		return 0;
	text = malloc(size); /* its own, so that a byte read behind it is found */
	assert(text);
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 11) {
	case 0:
		if (!runtime_parse_docker(text, size - 1, ID, &what))
			check(&what);
		break;
	case 1:
		if (!runtime_parse_bundle(text, size - 1, &what))
			check(&what);
		break;
	case 2:
		runtime_parse_storage(text, size - 1, 4, on_stored, &n, &over);
		assert(n <= 4);
		break;
	case 3:
		check_path(runtime_parse_data_root(text, size - 1, buf, sizeof(buf)), buf, sizeof(buf));
		break;
	case 4:
		check_path(runtime_parse_graphroot(text, size - 1, buf, sizeof(buf)), buf, sizeof(buf));
		break;
	case 5:
		check_path(runtime_parse_home(text, size - 1, 1000, buf, sizeof(buf)), buf, sizeof(buf));
		break;
	case 6:
		if (runtime_parse_host_local(text, size - 1, buf, sizeof(buf)))
			check_clean(buf, sizeof(buf));
		break;
	case 7:
		if (runtime_parse_cni_result(text, size - 1, "10.1.0.5", buf, sizeof(buf)))
			check_clean(buf, sizeof(buf));
		break;
	case 9:
		check_path(runtime_parse_state_dir(text, size - 1, buf, sizeof(buf)), buf, sizeof(buf));
		break;
	case 10:
		if (runtime_parse_machine_arguments(text, size - 1, buf, sizeof(buf)))
			check_clean(buf, sizeof(buf));
		break;
	default:
		if (runtime_parse_domain(text, size - 1, "vnet0", buf, sizeof(buf)))
			check_clean(buf, sizeof(buf));
	}
	free(text);
	return 0;
}
