/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the state files of container runtimes say of a container. Pure: text in, names out. The files may be broken, half
 * written, or a tenant's: a value that is no clean text of a fitting length is left out.
 */
#ifndef IMDSNOOP_RUNTIME_FILES_H
#define IMDSNOOP_RUNTIME_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime.h"

#define RUNTIME_TEXT_LEN 254 /* the longest name of a pod, and a NUL */

enum runtime_part {
	RUNTIME_PART_NAMESPACE, /* Kubernetes' */
	RUNTIME_PART_POD,
	RUNTIME_PART_CONTAINER,
	RUNTIME_PART_WORKLOAD, /* compose or swarm service, task family */
	RUNTIME_PART_PROJECT,  /* compose project, swarm stack, ECS cluster */
	RUNTIME_PART_COUNT
};

struct runtime_text {
	enum runtime runtime;
	char part[RUNTIME_PART_COUNT][RUNTIME_TEXT_LEN]; /* "": not told */
};

/* *ret of a container that is known by its name alone; -EINVAL: that is no clean text. */
int runtime_name_container(const char *name, enum runtime runtime, struct runtime_text *ret);

/*
 * Each returns 0 or -EINVAL; *ret is then cleared. len: without a NUL.
 *
 * Docker's config.v2.json (moby daemon/container.go): the name, and what the labels tell. id: whose file it should be.
 */
int runtime_parse_docker(const char *text, size_t len, const char *id, struct runtime_text *ret);

/*
 * config.json of an OCI bundle: annotations of containerd's CRI plugin, of CRI-O, of nerdctl. A bundle that has none of
 * these gives an empty *ret.
 */
int runtime_parse_bundle(const char *text, size_t len, struct runtime_text *ret);

/*
 * containers.json of containers/storage: calls fn for each of at most max containers; *ret_over: how many were left out.
 * What is CRI-O's has no name of a person: runtime RUNTIME_KUBERNETES and no part.
 */
typedef void (*runtime_storage_fn)(void *arg, const char *id, const struct runtime_text *what);
int runtime_parse_storage(const char *text, size_t len, size_t max, runtime_storage_fn fn, void *arg, size_t *ret_over);

/* "data-root" of Docker's daemon.json, an absolute path. -ENOENT: it names none. */
int runtime_parse_data_root(const char *text, size_t len, char *buf, size_t buf_len);

/* graphroot of storage.conf (TOML, containers-storage.conf(5)); -ENOENT: it names none. */
int runtime_parse_graphroot(const char *text, size_t len, char *buf, size_t buf_len);

/* "state" of containerd's config.toml, before its first table; -ENOENT: it names none. */
int runtime_parse_state_dir(const char *text, size_t len, char *buf, size_t buf_len);

/*
 * CNI: a file of host-local's, whose name is the address (container id, then the interface, a line each), and a result
 * cached by libcni below results/. True when it gives the container's id for that address.
 */
bool runtime_parse_host_local(const char *text, size_t len, char *id, size_t id_len);
bool runtime_parse_cni_result(const char *text, size_t len, const char *address, char *id, size_t id_len);

/* The state of a virtual machine as libvirt keeps it: its name, when the tap device is one of its interfaces'. */
bool runtime_parse_domain(const char *text, size_t len, const char *device, char *name, size_t name_len);

/* The same of the arguments, each with its NUL, of the process that has the device. */
bool runtime_parse_machine_arguments(const char *text, size_t len, char *name, size_t name_len);

/* Home folder of a user in the text of passwd(5). */
int runtime_parse_home(const char *text, size_t len, unsigned int uid, char *buf, size_t buf_len);

#endif
