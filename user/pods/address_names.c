/* SPDX-License-Identifier: GPL-2.0-only */
#include "address_names.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/small.h"
#include "runtime_files.h"
#include "safe_file.h"

#define FOLDER_MAX 2048 /* entries; kubelet's default limit is 110 pods a node */
#define FILE_MAX 65536
#define MACHINE_MAX (256u << 10)

/* <place>/NETWORK/ADDRESS, of the host-local plugin (its "dataDir") */
static const char *const host_local[] = { "/var/lib/cni/networks", "/run/cni/networks" };
/* <place>/NETWORK-ID-INTERFACE, libcni's cache, whatever plugin gave the address (CNI specification 0.4.0 and later) */
static const char *const results[] = { "/var/lib/cni/results", "/var/lib/cni/cache/results" };

/* <place>/MACHINE.xml, of the machines that run (libvirt src/conf/domain_conf.c) */
static const char machines[] = "/run/libvirt/qemu";

struct found {
	const char *address;
	char (*ids)[ADDRESS_ID_LEN];
	size_t len;
};

static void note(struct found *f, const char *id)
{
	for (size_t i = 0; i < f->len; i++)
		if (!strcmp(f->ids[i], id))
			return;
	if (f->len < ADDRESS_IDS_MAX)
		memcpy(f->ids[f->len++], id, strlen(id) + 1);
}

static void look_network(struct found *f, int dir, const char *network)
{
	int fd = safe_open_dir(dir, network);
	char id[ADDRESS_ID_LEN], *text;
	long len;

	if (fd < 0)
		return;
	len = safe_read_file(fd, f->address, FILE_MAX, &text);
	close(fd);
	if (len < 0)
		return;
	if (runtime_parse_host_local(text, len, id, sizeof(id)))
		note(f, id);
	free(text);
}

static void look_result(struct found *f, int dir, const char *name)
{
	char id[ADDRESS_ID_LEN], *text;
	long len = safe_read_file(dir, name, FILE_MAX, &text);

	if (len < 0)
		return;
	if (runtime_parse_cni_result(text, len, f->address, id, sizeof(id)))
		note(f, id);
	free(text);
}

static void look_in(struct found *f, int root_fd, const char *place,
		    void (*look)(struct found *f, int dir, const char *name))
{
	int fd = safe_open_root(root_fd, place);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (int i = 0; i < FOLDER_MAX && (e = readdir(d)); i++)
		if (e->d_name[0] != '.')
			look(f, dirfd(d), e->d_name);
	closedir(d);
}

size_t address_names_find(int root_fd, const char *address, char ret_ids[ADDRESS_IDS_MAX][ADDRESS_ID_LEN])
{
	struct found f = { .address = address, .ids = ret_ids };

	if (root_fd < 0 || !*address || strchr(address, '/'))
		return 0;
	for (size_t i = 0; i < LEN(host_local); i++)
		look_in(&f, root_fd, host_local[i], look_network);
	for (size_t i = 0; i < LEN(results); i++)
		look_in(&f, root_fd, results[i], look_result);
	return f.len;
}

bool address_names_machine(int root_fd, const char *device, char *ret_name, size_t len)
{
	int fd = root_fd < 0 || !*device ? -1 : safe_open_root(root_fd, machines);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool found = false;
	char *text;
	long n;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (int i = 0; !found && i < FOLDER_MAX && (e = readdir(d)); i++) {
		size_t end = strlen(e->d_name);

		if (end < 4 || strcmp(e->d_name + end - 4, ".xml"))
			continue;
		n = safe_read_file(dirfd(d), e->d_name, MACHINE_MAX, &text);
		if (n < 0)
			continue;
		found = runtime_parse_domain(text, n, device, ret_name, len);
		free(text);
	}
	closedir(d);
	return found;
}
