/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "cgroup_path.h"
#include "log_names.h"

#define LABEL_MAX 63	  /* RFC 1123 label: namespace, container */
#define SUBDOMAIN_MAX 253 /* RFC 1123 subdomain: pod */
#define ID_LEN (CONTAINER_ID_SIZE - 1)
#define FILE_NAME_MAX 255 /* ext4's, where the kubelet cuts a link's name, in front of ".log" */

static int is_part(const char *s, size_t len, size_t max)
{
	if (!len || len > max)
		return 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c < 0x20 || c > 0x7e || c == '_' || c == '/')
			return 0;
	}
	return 1;
}

int log_names_is_container(const char *name)
{
	return is_part(name, strlen(name), LABEL_MAX);
}

/* Takes a part of 1..max bytes off the front of *at, up to stop (not included). */
static int take(const char **at, const char *stop, size_t max, struct log_part *ret_part)
{
	size_t len = stop - *at;

	if (!is_part(*at, len, max))
		return -EINVAL;
	*ret_part = (struct log_part){ *at, len };
	*at = stop + 1;
	return 0;
}

static int take_split(const char **at, const char *end, size_t max, struct log_part *ret_part)
{
	const char *stop = memchr(*at, '_', end - *at);

	return stop ? take(at, stop, max, ret_part) : -EINVAL;
}

static int parse_pod(const char *name, size_t len, struct log_name *ret_name)
{
	const char *at = name, *end = name + len;

	memset(ret_name, 0, sizeof(*ret_name));
	if (take_split(&at, end, LABEL_MAX, &ret_name->ns) || take_split(&at, end, SUBDOMAIN_MAX, &ret_name->pod) ||
	    !cgroup_path_is_uid(at, end - at))
		return -EINVAL;
	ret_name->uid = (struct log_part){ at, end - at };
	return 0;
}

int log_names_parse_pod(const char *name, struct log_name *ret_name)
{
	return parse_pod(name, strlen(name), ret_name);
}

int log_names_parse_link(const char *name, struct log_name *ret_name)
{
	size_t len = strlen(name);
	const char *at = name, *end = name + len - 4, *dash;

	memset(ret_name, 0, sizeof(*ret_name));
	if (len < 4 || len > FILE_NAME_MAX || memcmp(end, ".log", 4))
		return -EINVAL;
	if (take_split(&at, end, SUBDOMAIN_MAX, &ret_name->pod))
		return -EINVAL;
	if (take_split(&at, end, LABEL_MAX, &ret_name->ns))
		return -EINVAL;
	for (dash = end; dash > at && dash[-1] != '-'; dash--)
		;
	if (dash > at && cgroup_path_hex_span(dash, end - dash) == (size_t)(end - dash)) {
		size_t n = end - dash;

		if (n == ID_LEN || (len == FILE_NAME_MAX && n >= LOG_NAMES_ID_MIN && n < ID_LEN)) {
			ret_name->id = (struct log_part){ dash, n };
			return take(&at, dash - 1, LABEL_MAX, &ret_name->container);
		}
	}
	/* cut inside the container's name, or too near to it to tell */
	return len == FILE_NAME_MAX && is_part(at, end - at, len) ? 0 : -EINVAL;
}

int log_names_parse_target(const char *path, struct log_name *ret_name)
{
	const char *part[3], *end = path + strlen(path), *at;
	struct log_part container;

	/* the last three names: pod folder, container folder, file */
	at = end;
	for (int i = 2; i >= 0; i--) {
		while (at > path && at[-1] != '/')
			at--;
		part[i] = at;
		if (i && at-- == path)
			return -EINVAL;
	}
	if (parse_pod(part[0], part[1] - part[0] - 1, ret_name) || part[2] == end)
		return -EINVAL;
	at = part[1];
	if (take(&at, part[2] - 1, LABEL_MAX, &container))
		return -EINVAL;
	ret_name->container = container;
	return 0;
}
