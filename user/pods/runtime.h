/* SPDX-License-Identifier: GPL-2.0-only */
/* Who runs a cgroup; model/words.h has the spelling. */
#ifndef IMDSNOOP_RUNTIME_H
#define IMDSNOOP_RUNTIME_H

enum runtime {
	RUNTIME_NONE,
	RUNTIME_KUBERNETES,
	RUNTIME_DOCKER,
	RUNTIME_PODMAN,
	RUNTIME_ECS,
	RUNTIME_CONTAINERD,
	RUNTIME_SYSTEMD,
	RUNTIME_COUNT
};

#endif
