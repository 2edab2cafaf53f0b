/* SPDX-License-Identifier: GPL-2.0-only */
#include "runtime_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../base/json_member.h"
#include "../base/small.h"
#include "cgroup_path.h"
#include "workload.h"

#define KUBERNETES_NAME "k8s_" /* how the names of cri-dockerd's and CRI-O's containers begin */
/* A document deeper than this is none of a runtime's; jansson itself stops at 2048. */
#define JSON_FLAGS JSON_REJECT_DUPLICATES
#define TREE_MAX (32u << 20) /* bytes; "[{},{}" of 4 MiB would be 300 MiB of values */

/*
 * Labels and annotations that name a container, the most telling first: of one part the first that is there counts.
 * From cri-dockerd libdocker/helpers.go, amazon-ecs-agent agent/engine/docker_task_engine.go, compose-spec labels,
 * moby daemon/cluster/executor/container, nomad drivers/docker, containerd internal/cri/annotations, cri-o
 * pkg/annotations, nerdctl pkg/labels.
 */
static const struct label {
	const char *key;
	enum runtime_part part;
	enum runtime runtime; /* RUNTIME_NONE: the label says nothing of that */
} labels[] = {
	{ "io.kubernetes.cri.sandbox-namespace", RUNTIME_PART_NAMESPACE, RUNTIME_KUBERNETES },
	{ "io.kubernetes.cri.sandbox-name", RUNTIME_PART_POD, RUNTIME_KUBERNETES },
	{ "io.kubernetes.cri.container-name", RUNTIME_PART_CONTAINER, RUNTIME_KUBERNETES },
	{ "io.kubernetes.pod.namespace", RUNTIME_PART_NAMESPACE, RUNTIME_KUBERNETES },
	{ "io.kubernetes.pod.name", RUNTIME_PART_POD, RUNTIME_KUBERNETES },
	{ "io.kubernetes.container.name", RUNTIME_PART_CONTAINER, RUNTIME_KUBERNETES },
	{ "com.amazonaws.ecs.cluster", RUNTIME_PART_PROJECT, RUNTIME_ECS },
	{ "com.amazonaws.ecs.task-definition-family", RUNTIME_PART_WORKLOAD, RUNTIME_ECS },
	{ "com.amazonaws.ecs.container-name", RUNTIME_PART_CONTAINER, RUNTIME_ECS },
	{ "com.docker.compose.project", RUNTIME_PART_PROJECT, RUNTIME_NONE },
	{ "com.docker.compose.service", RUNTIME_PART_WORKLOAD, RUNTIME_NONE },
	{ "com.docker.stack.namespace", RUNTIME_PART_PROJECT, RUNTIME_NONE },
	{ "com.docker.swarm.service.name", RUNTIME_PART_WORKLOAD, RUNTIME_NONE },
	{ "com.hashicorp.nomad.job_name", RUNTIME_PART_PROJECT, RUNTIME_NONE },
	{ "com.hashicorp.nomad.task_name", RUNTIME_PART_WORKLOAD, RUNTIME_NONE },
	{ "nerdctl/name", RUNTIME_PART_CONTAINER, RUNTIME_CONTAINERD },
};

/* "k8s_<container>_<pod>_<namespace>_<uid>_<attempt>" (cri-o internal/factory); a person may begin a name so too. */
static bool is_kubernetes_name(const char *name)
{
	int parts = 0;

	for (const char *at = strchr(name, '_'); at; at = strchr(at + 1, '_'))
		parts++;
	return !strncmp(name, KUBERNETES_NAME, sizeof(KUBERNETES_NAME) - 1) && parts >= 5;
}

static bool is_clean(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return len > 0;
}

static void set_part(struct runtime_text *to, enum runtime_part part, const char *value)
{
	size_t len = value ? strlen(value) : 0;

	if (!to->part[part][0] && len < RUNTIME_TEXT_LEN && is_clean(value, len))
		memcpy(to->part[part], value, len + 1);
}

/* Of an ARN ("arn:aws:ecs:eu-west-1:1:cluster/shop") the name behind the last slash. */
static const char *cluster_of(const char *value)
{
	const char *slash = value && !strncmp(value, "arn:", 4) ? strrchr(value, '/') : NULL;

	return slash ? slash + 1 : value;
}

/*
 * Compose puts its names on the images that it builds too, and any container of such an image inherits them: then without
 * what it gives to containers alone (compose pkg/compose: getImageBuildLabels, hasConfigHashLabel).
 */
static bool is_of_image(const json_t *labels_object, const char *key)
{
	static const char compose[] = "com.docker.compose.";

	return !strncmp(key, compose, sizeof(compose) - 1) &&
	       json_object_get(labels_object, "com.docker.compose.version") &&
	       !json_object_get(labels_object, "com.docker.compose.config-hash") &&
	       !json_object_get(labels_object, "com.docker.compose.container-number");
}

/* pods: whether the container is one of Kubernetes' by more than these labels, which an image can have too. */
static void read_labels(const json_t *object, bool pods, struct runtime_text *to)
{
	bool sandbox = false;
	const char *type;

	for (size_t i = 0; i < LEN(labels); i++) {
		const char *value = json_string_value(json_object_get(object, labels[i].key));

		if (!value || (labels[i].runtime == RUNTIME_KUBERNETES && !pods) ||
		    (to->runtime == RUNTIME_KUBERNETES && labels[i].runtime != RUNTIME_KUBERNETES) ||
		    is_of_image(object, labels[i].key))
			continue;
		if (labels[i].part == RUNTIME_PART_PROJECT)
			value = cluster_of(value);
		set_part(to, labels[i].part, value);
		if (labels[i].runtime)
			to->runtime = labels[i].runtime;
	}
	/* the container that only holds a pod's network: "POD" is no name of anybody's */
	type = json_string_value(json_object_get(object, "io.kubernetes.docker.type"));
	sandbox |= type && !strcmp(type, "podsandbox");
	type = json_string_value(json_object_get(object, "io.kubernetes.cri.container-type"));
	sandbox |= type && !strcmp(type, "sandbox");
	type = json_string_value(json_object_get(object, "io.kubernetes.cri-o.ContainerType"));
	sandbox |= type && !strcmp(type, "sandbox");
	if (sandbox)
		to->part[RUNTIME_PART_CONTAINER][0] = '\0';
}

int runtime_name_container(const char *name, enum runtime runtime, struct runtime_text *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->runtime = runtime;
	set_part(ret, RUNTIME_PART_CONTAINER, name);
	if (!ret->part[RUNTIME_PART_CONTAINER][0])
		return -EINVAL;
	workload_of_container(name, ret->part[RUNTIME_PART_WORKLOAD], RUNTIME_TEXT_LEN);
	return 0;
}

static json_t *load(const char *text, size_t len, struct runtime_text *ret)
{
	if (ret)
		memset(ret, 0, sizeof(*ret));
	if (json_tree_bytes(text, len) > TREE_MAX)
		return NULL;
	return json_loadb(text, len, JSON_FLAGS, NULL);
}

int runtime_parse_docker(const char *text, size_t len, const char *id, struct runtime_text *ret)
{
	json_t *root = load(text, len, ret);
	const char *name = json_string_value(json_object_get(root, "Name"));
	const char *told = json_string_value(json_object_get(root, "ID"));

	if (!json_is_object(root) || (told && strcmp(told, id))) {
		json_decref(root);
		return -EINVAL;
	}
	ret->runtime = RUNTIME_DOCKER;
	if (name)
		name += *name == '/';
	read_labels(json_object_get(json_object_get(root, "Config"), "Labels"),
		    name && !strncmp(name, KUBERNETES_NAME, 4), ret);
	if (name && ret->runtime != RUNTIME_KUBERNETES) {
		set_part(ret, RUNTIME_PART_CONTAINER, name);
		/* of the name that was taken: one that is not clean is nobody's */
		if (!ret->part[RUNTIME_PART_WORKLOAD][0] && ret->part[RUNTIME_PART_CONTAINER][0])
			workload_of_container(ret->part[RUNTIME_PART_CONTAINER], ret->part[RUNTIME_PART_WORKLOAD],
					      RUNTIME_TEXT_LEN);
	}
	json_decref(root);
	return 0;
}

int runtime_parse_bundle(const char *text, size_t len, struct runtime_text *ret)
{
	json_t *root = load(text, len, ret);

	if (!json_is_object(root)) {
		json_decref(root);
		return -EINVAL;
	}
	read_labels(json_object_get(root, "annotations"), true, ret);
	if (ret->runtime != RUNTIME_KUBERNETES && !ret->part[RUNTIME_PART_WORKLOAD][0])
		set_part(ret, RUNTIME_PART_WORKLOAD, ret->part[RUNTIME_PART_CONTAINER]);
	json_decref(root);
	return 0;
}

int runtime_parse_storage(const char *text, size_t len, size_t max, runtime_storage_fn fn, void *arg, size_t *ret_over)
{
	json_t *root = load(text, len, NULL), *row;
	struct runtime_text what;
	size_t i, taken = 0;

	*ret_over = 0;
	if (!json_is_array(root)) {
		json_decref(root);
		return -EINVAL;
	}
	json_array_foreach(root, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "id"));
		const char *name = json_string_value(json_array_get(json_object_get(row, "names"), 0));

		if (!id || strlen(id) != CONTAINER_ID_SIZE - 1 || cgroup_path_hex_span(id, strlen(id)) != strlen(id) ||
		    !name)
			continue;
		if (taken++ >= max) {
			++*ret_over;
			continue;
		}
		if (is_kubernetes_name(name)) {
			memset(&what, 0, sizeof(what));
			what.runtime = RUNTIME_KUBERNETES;
		} else if (runtime_name_container(name, RUNTIME_PODMAN, &what)) {
			continue;
		}
		fn(arg, id, &what);
	}
	json_decref(root);
	return 0;
}

/* An absolute path without a control character that fits. */
static int take_path(const char *path, size_t len, char *buf, size_t buf_len)
{
	if (!len || *path != '/' || len >= buf_len || !is_clean(path, len))
		return -ENOENT;
	memcpy(buf, path, len);
	buf[len] = '\0';
	return 0;
}

int runtime_parse_data_root(const char *text, size_t len, char *buf, size_t buf_len)
{
	json_t *root = load(text, len, NULL);
	const char *path = json_string_value(json_object_get(root, "data-root"));
	int err;

	if (!json_is_object(root)) {
		json_decref(root);
		return -EINVAL;
	}
	if (!path)
		path = json_string_value(json_object_get(root, "graph")); /* before 17.05 */
	err = path ? take_path(path, strlen(path), buf, buf_len) : -ENOENT;
	json_decref(root);
	return err;
}

/* The first line `key = "/…"` of a TOML text. */
static int toml_path(const char *text, size_t len, const char *key, char *buf, size_t buf_len)
{
	const char *end = text + len, *eol;
	size_t key_len = strlen(key);

	for (; text < end; text = eol + 1) {
		const char *at = text, *stop;

		eol = memchr(text, '\n', end - text);
		if (!eol)
			eol = end;
		while (at < eol && (*at == ' ' || *at == '\t'))
			at++;
		if ((size_t)(eol - at) <= key_len || memcmp(at, key, key_len))
			continue;
		at += key_len;
		while (at < eol && (*at == ' ' || *at == '\t' || *at == '='))
			at++;
		if (at == eol || (*at != '"' && *at != '\''))
			continue;
		stop = memchr(at + 1, *at, eol - at - 1);
		if (stop && !take_path(at + 1, stop - at - 1, buf, buf_len))
			return 0;
	}
	return -ENOENT;
}

int runtime_parse_graphroot(const char *text, size_t len, char *buf, size_t buf_len)
{
	return toml_path(text, len, "graphroot", buf, buf_len);
}

int runtime_parse_state_dir(const char *text, size_t len, char *buf, size_t buf_len)
{
	const char *table = len && *text == '[' ? text : memmem(text, len, "\n[", 2);

	return toml_path(text, table ? (size_t)(table - text) : len, "state", buf, buf_len);
}

/* A name as runtimes give it: no slash, so that it can be a part of a path. */
static bool take_id(const char *id, size_t len, char *buf, size_t buf_len)
{
	if (len >= buf_len || !is_clean(id, len) || memchr(id, '/', len) || *id == '.')
		return false;
	memcpy(buf, id, len);
	buf[len] = '\0';
	return true;
}

/* libvirt writes it by itself (virDomainObjSave), always in this spelling: it need not be read as XML. */
bool runtime_parse_domain(const char *text, size_t len, const char *device, char *name, size_t name_len)
{
	static const char start[] = "<name>", end[] = "</name>";
	const char *from = memmem(text, len, start, sizeof(start) - 1), *to;
	char target[64];

	if (!*device || (size_t)snprintf(target, sizeof(target), "<target dev='%s'/>", device) >= sizeof(target) ||
	    !memmem(text, len, target, strlen(target)) || !from)
		return false;
	from += sizeof(start) - 1;
	to = memmem(from, text + len - from, end, sizeof(end) - 1);
	return to && !memchr(from, '<', to - from) && take_id(from, to - from, name, name_len);
}

/* Arguments as /proc/PID/cmdline has them: "--id X" of Firecracker, "-name X" or "-name guest=X,…" of QEMU. */
bool runtime_parse_machine_arguments(const char *text, size_t len, char *name, size_t name_len)
{
	static const char *const options[] = { "--id", "-id", "-name", "--name" };
	static const char guest[] = "guest=";
	const char *end = text + len;

	for (const char *at = text; at < end; at += strnlen(at, end - at) + 1) {
		size_t n = strnlen(at, end - at);

		for (size_t i = 0; i < LEN(options); i++) {
			size_t option = strlen(options[i]);
			const char *value = at + option + 1;

			if (n < option || strncmp(at, options[i], option) || (n > option && at[option] != '=') ||
			    value >= end)
				continue;
			if (end - value > (long)sizeof(guest) && !strncmp(value, guest, sizeof(guest) - 1))
				value += sizeof(guest) - 1;
			n = strnlen(value, end - value);
			return take_id(value, memchr(value, ',', n) ? strcspn(value, ",") : n, name, name_len);
		}
	}
	return false;
}

bool runtime_parse_host_local(const char *text, size_t len, char *id, size_t id_len)
{
	const char *eol = memchr(text, '\n', len);
	size_t n = eol ? (size_t)(eol - text) : len;

	/* host-local ends its lines by "\r\n" (plugins/ipam/host-local/backend/disk) */
	while (n && (text[n - 1] == '\r' || text[n - 1] == ' '))
		n--;
	return take_id(text, n, id, id_len);
}

static bool has_address(const json_t *ip, const char *address)
{
	const char *text = json_string_value(json_object_get(ip, "address"));
	size_t len = strlen(address);

	return text && !strncmp(text, address, len) && (!text[len] || text[len] == '/');
}

bool runtime_parse_cni_result(const char *text, size_t len, const char *address, char *id, size_t id_len)
{
	json_t *root = load(text, len, NULL), *ips, *ip;
	const json_t *result = json_object_get(root, "result");
	const char *told = json_string_value(json_object_get(root, "containerId"));
	bool found = false;
	size_t i;

	ips = json_object_get(result, "ips");
	json_array_foreach(ips, i, ip) found = found || has_address(ip, address);
	found = found && told && take_id(told, strlen(told), id, id_len);
	json_decref(root);
	return found;
}

int runtime_parse_home(const char *text, size_t len, unsigned int uid, char *buf, size_t buf_len)
{
	const char *end = text + len, *eol;

	for (; text < end; text = eol + 1) {
		const char *field[7] = { 0 };
		size_t n = 0;
		char *stop;

		eol = memchr(text, '\n', end - text);
		if (!eol)
			eol = end;
		for (const char *at = text; at && n < LEN(field); n++) {
			field[n] = at;
			at = memchr(at, ':', eol - at);
			at = at ? at + 1 : NULL;
		}
		if (n == LEN(field) && *field[2] >= '0' && *field[2] <= '9' && strtoul(field[2], &stop, 10) == uid &&
		    *stop == ':')
			return take_path(field[5], field[6] - field[5] - 1, buf, buf_len);
	}
	return -ENOENT;
}
