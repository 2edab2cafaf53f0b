/* SPDX-License-Identifier: GPL-2.0-only */
/* What pod_names takes from its surroundings, so that tests can give it others. */
#ifndef IMDSNOOP_POD_NAMES_ENV_H
#define IMDSNOOP_POD_NAMES_ENV_H

#include <stdint.h>

#include "pod_names.h"

struct pod_names_env {
	const char *proc;	  /* "/proc" */
	uint64_t (*now_ns)(void); /* CLOCK_MONOTONIC */
};

/* As pod_names_new. env is copied, its string is not. */
int pod_names_new_in(const struct pod_names_options *options, const struct pod_names_env *env,
		     struct pod_names **ret_names);

#endif
