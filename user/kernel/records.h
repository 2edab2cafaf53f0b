/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as they lie in the rings: looked at, and handed to who reads them. Pure. */
#ifndef IMDSNOOP_RECORDS_H
#define IMDSNOOP_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "../../bpf/imdsnoop.h"

/* Records are valid during the call only. */
struct record_callbacks {
	void (*on_request)(void *arg, const struct imds_rec_request *rec);
	void (*on_flow_end)(void *arg, const struct imds_rec_flow_end *rec);
	void (*on_drop)(void *arg, const struct imds_rec_drop *rec);
	void (*on_cgroup)(void *arg, const struct imds_rec_cgroup *rec);
	void (*on_copy)(void *arg, const struct imds_rec_copy *rec); /* may be NULL; before its verdict */
	void *arg;
};

/* False for what makes no sense, which nobody gets: an index out of its table, a string without end, a wrong length. */
bool record_hand_out(const struct record_callbacks *cb, const void *data, size_t len);

#endif
