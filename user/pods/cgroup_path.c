/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Path forms, by who makes them:
 *   kubelet, systemd driver   kubepods.slice/kubepods-<qos>.slice/kubepods-<qos>-pod<uid with _>.slice/<scope>
 *   kubelet, cgroupfs driver  kubepods/<qos>/pod<uid>/<id>
 *   kubelet in kind           <scope of the node>/kubelet.slice/kubelet-kubepods.slice/...
 *   runtimes                  cri-containerd-<id>.scope, crio-<id>.scope, docker-<id>.scope, libpod-<id>.scope, <id>,
 *                             and "<slice>:cri-containerd:<id>" from runc's cgroupfs driver given systemd syntax
 * A slice never is a container: podman names the slice of its own pods by a 64-digit id too.
 * From kubernetes pkg/kubelet/cm/cgroup_manager_linux.go, containerd internal/cri/server/podsandbox/helpers_linux.go,
 * cri-o internal/config/cgmgr, podman libpod/container_internal_linux.go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"

#include "cgroup_path.h"

#define UID_DASHED (POD_UID_SIZE - 1)
#define UID_PLAIN 32
#define ID_LEN (CONTAINER_ID_SIZE - 1)

size_t cgroup_path_hex_span(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && ((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'f')))
		n++;
	return n;
}

/* systemd keeps '-' for slice nesting, so the kubelet writes '_' there. */
static int is_dashed_uid(const char *s, char dash)
{
	static const size_t group[] = { 8, 4, 4, 4, 12 };

	for (size_t i = 0; i < LEN(group); i++) {
		if (i && *s++ != dash)
			return 0;
		if (cgroup_path_hex_span(s, group[i]) != group[i])
			return 0;
		s += group[i];
	}
	return 1;
}

int cgroup_path_is_uid(const char *s, size_t len)
{
	return (len == UID_DASHED && is_dashed_uid(s, '-')) || (len == UID_PLAIN && cgroup_path_hex_span(s, len) == len);
}

static size_t strip_suffix(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && !memcmp(s + len - n, suffix, n) ? len - n : len;
}

static int ends_with(const char *s, size_t len, const char *tail)
{
	size_t n = strlen(tail);

	return len >= n && !memcmp(s + len - n, tail, n);
}

/* "pod<uid>", alone or behind a dash. */
static int parse_uid(const char *part, size_t len, char ret_uid[POD_UID_SIZE])
{
	static const size_t sizes[] = { UID_DASHED, UID_PLAIN };

	len = strip_suffix(part, len, ".slice");
	for (size_t i = 0; i < LEN(sizes); i++) {
		size_t n = sizes[i], head = len < n ? 0 : len - n;
		const char *uid = part + head;

		if (len < n || !ends_with(part, head, "pod") || (head > 3 && part[head - 4] != '-'))
			continue;
		if (!cgroup_path_is_uid(uid, n) && !(n == UID_DASHED && is_dashed_uid(uid, '_')))
			continue;
		for (size_t k = 0; k < n; k++)
			ret_uid[k] = uid[k] == '_' ? '-' : uid[k];
		ret_uid[n] = '\0';
		return 1;
	}
	return 0;
}

/* "<id>" or "<runtime>-<id>"; before is what stands in front of part in the same folder name. */
static const char *find_id(const char *part, size_t len, size_t before)
{
	size_t head;

	len = strip_suffix(part, len, ".scope");
	if (len < ID_LEN)
		return NULL;
	head = len - ID_LEN;
	if (cgroup_path_hex_span(part + head, ID_LEN) != ID_LEN || (head && part[head - 1] != '-'))
		return NULL;
	/* conmon, the monitor of CRI-O and podman, carries its container's id but is not in it */
	if (before + head && ends_with(part - before, before + head - 1, "conmon"))
		return NULL;
	return part + head;
}

/* Of a part behind the pod's folder, or outside any pod: the outermost container counts, what is inside is its tenant's. */
static void parse_folder(const char *name, size_t len, size_t folder_at, struct cgroup_ids *ids)
{
	size_t at = 0;

	while (at < len) {
		const char *part = name + at, *colon = memchr(part, ':', len - at), *id;
		size_t n = colon ? (size_t)(colon - part) : len - at;

		if (!ids->pod_uid[0] && parse_uid(part, n, ids->pod_uid)) {
			memcpy(ids->around_id, ids->container_id, CONTAINER_ID_SIZE);
			ids->around_at = ids->container_at;
			ids->container_id[0] = '\0';
			ids->container_at = 0;
			ids->owner_len = folder_at + len;
		} else if (!ids->container_id[0] && (id = find_id(part, n, at))) {
			memcpy(ids->container_id, id, ID_LEN);
			ids->container_id[ID_LEN] = '\0';
			ids->container_at = folder_at;
			if (!ids->owner_len)
				ids->owner_len = folder_at + len;
		}
		at += n + 1;
	}
}

int cgroup_path_parse(const char *path, size_t len, struct cgroup_ids *ret_ids)
{
	size_t at = 0;

	memset(ret_ids, 0, sizeof(*ret_ids));
	while (at < len) {
		const char *name = path + at, *slash = memchr(name, '/', len - at);
		size_t n = slash ? (size_t)(slash - name) : len - at;

		if (n >= UID_PLAIN)
			parse_folder(name, n, at, ret_ids);
		at += n + 1;
	}
	return ret_ids->pod_uid[0] || ret_ids->container_id[0] ? 0 : -ENOENT;
}

static int has_part(const char *path, const char *ending)
{
	size_t n = strlen(ending);

	for (const char *at = path; (at = strstr(at, ending)); at += n)
		if (!at[n] || at[n] == '/')
			return 1;
	return 0;
}

static int has_start(const char *path, const char *start)
{
	path += strspn(path, "/");
	return !strncmp(path, start, strlen(start));
}

enum runtime cgroup_path_runtime(const char *path, const struct cgroup_ids *ids)
{
	static const struct {
		const char *start;
		enum runtime runtime;
	} rows[] = {
		{ "docker-", RUNTIME_DOCKER },	    { "libpod-", RUNTIME_PODMAN },
		{ "crio-", RUNTIME_KUBERNETES },    { "cri-containerd-", RUNTIME_KUBERNETES },
		{ "nerdctl-", RUNTIME_CONTAINERD },
	};
	const char *folder = path + ids->container_at;

	if (ids->pod_uid[0])
		return RUNTIME_KUBERNETES;
	/* `docker build`, whose ids are no containers' */
	if (!ids->container_id[0] && (has_start(path, "docker/buildkit/") || strstr(path, "system.slice:docker:")))
		return RUNTIME_DOCKER;
	if (!ids->container_id[0])
		return has_part(path, ".service") || has_part(path, ".scope") || has_part(path, ".slice")
			   ? RUNTIME_SYSTEMD
			   : RUNTIME_NONE;
	if (has_start(path, "ecs/") || has_start(path, "ecstasks.slice/"))
		return RUNTIME_ECS;
	for (size_t i = 0; i < LEN(rows); i++)
		if (has_start(folder, rows[i].start))
			return rows[i].runtime;
	return has_start(path, "docker/") || strstr(path, "/docker/") ? RUNTIME_DOCKER : RUNTIME_NONE;
}

unsigned int cgroup_path_user(const char *path, size_t len)
{
	static const char *const starts[] = { "user-", "user@" }, *const ends[] = { ".slice", ".service" };

	for (const char *at = path, *end = path + len; at < end; at += strcspn(at, "/") + 1)
		for (size_t i = 0; i < LEN(starts); i++) {
			unsigned long uid;
			char *stop;

			if (strncmp(at, starts[i], 5) || at[5] < '0' || at[5] > '9')
				continue;
			uid = strtoul(at + 5, &stop, 10);
			if (uid < 0xffffffffu && !strncmp(stop, ends[i], strlen(ends[i])))
				return uid;
		}
	return 0;
}

/* Preference among lines whose paths tell as much: the v2 line, then controllers that every kubelet uses. */
static int rank_controllers(const char *s, size_t len)
{
	static const char *const order[] = { "", "name=systemd", "memory", "cpu", "cpu,cpuacct" };
	int n = LEN(order);

	for (int i = 0; i < n; i++)
		if (strlen(order[i]) == len && !memcmp(order[i], s, len))
			return n - i;
	return 0;
}

int cgroup_path_from_proc(const char *text, size_t len, const char **ret_path, size_t *ret_len)
{
	const char *end = text + len;
	int best = -1;

	while (text < end) {
		const char *eol = memchr(text, '\n', end - text), *names, *path;
		struct cgroup_ids ids;
		size_t path_len;
		int score;

		if (!eol)
			eol = end;
		names = memchr(text, ':', eol - text);
		path = names ? memchr(names + 1, ':', eol - names - 1) : NULL;
		text = eol + 1;
		if (!path || ++path == eol || *path != '/')
			continue;
		path_len = strip_suffix(path, eol - path, " (deleted)");
		cgroup_path_parse(path, path_len, &ids);
		score = rank_controllers(names + 1, path - names - 2) + (path_len > 1 ? 8 : 0) +
			(ids.container_id[0] ? 16 : 0) + (ids.pod_uid[0] ? 32 : 0);
		if (score > best) {
			best = score;
			*ret_path = path;
			*ret_len = path_len;
		}
	}
	return best < 0 ? -ENOENT : 0;
}
