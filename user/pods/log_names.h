/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names that the kubelet gives to log folders and links. Pure. Kubernetes names have no '_', so it splits safely.
 * Parts hold printable ASCII other than '_' and '/', within Kubernetes' lengths, but they need not be valid DNS names:
 * whoever shows them escapes them. Sources: kubernetes pkg/kubelet/kuberuntime/{helpers,legacy}.go.
 */
#ifndef IMDSNOOP_LOG_NAMES_H
#define IMDSNOOP_LOG_NAMES_H

#include <stddef.h>

struct log_part { /* points into the parsed name, no NUL */
	const char *s;
	size_t len;
};

struct log_name {
	struct log_part ns;
	struct log_part pod;
	struct log_part container; /* empty for a pod's folder and where it was cut off */
	struct log_part uid;	   /* empty for a link */
	struct log_part id;	   /* 64 hex digits; fewer when the kubelet cut the name at 255 bytes */
};

/* <namespace>_<pod>_<uid>. Returns 0 or -EINVAL. */
int log_names_parse_pod(const char *name, struct log_name *ret_name);

/*
 * <pod>_<namespace>_<container>-<id>.log. Of a cut name an id of less than LOG_NAMES_ID_MIN digits is not believed, as
 * it may be the end of the container's name: then container and id are empty. Returns 0 or -EINVAL.
 */
#define LOG_NAMES_ID_MIN 32
int log_names_parse_link(const char *name, struct log_name *ret_name);

/* .../<namespace>_<pod>_<uid>/<container>/<n>.log, where such a link points to. Returns 0 or -EINVAL. */
int log_names_parse_target(const char *path, struct log_name *ret_name);

/* True for a name that a container's folder may have. */
int log_names_is_container(const char *name);

#endif
