/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all of it takes at most, when tenants have filled each table: computed from the options, so that a limit can be
 * set before. The agent's own sizes were measured with 1,000 pods and rounded up.
 */
#include "session.h"

#include <limits.h>
#include <stdio.h>

#include "../kernel/memory_limit.h"
#include "../model/counters.h"
#include "../net/http_server.h"
#include "../report/window.h"

#define MIB (1024.0 * 1024)
#define BASE_BYTES (16u << 20) /* program, libraries, their buffers; the kernel's types while it starts */
#define NAME_BYTES 528	       /* a cgroup, its path, its name and whose it was */
#define NAMES_PER_POD 8	       /* session_new() */
#define SEEN_BYTES 192	       /* what was read last of one counter */
#define STALLED_BYTES 128      /* a running request that was told */
#define POINT_BYTES (COUNTERS_MARK_LEN * sizeof(uint32_t)) /* of one row in one step of the last minutes */
#define WORKLOAD_BYTES 4096
#define RENDERED_BYTES (20u << 10) /* a row as JSON tree and as text, while a report is made */

bool session_tell_memory(const struct options *o, char *buf, size_t len)
{
	struct tracer_memory kernel;
	struct {
		uint64_t flows, counters, rings, pods, base, serve,
		    most; /* bytes; serve: what that command takes besides */
	} m;
	uint64_t pods = o->max_pods, limit;
	char v2[PATH_MAX];

	tracer_memory(o->max_flows, o->max_pods, &kernel);
	m.flows = kernel.flows + (uint64_t)o->max_flows * STALLED_BYTES;
	m.counters = kernel.counters + kernel.keys * SEEN_BYTES;
	m.rings = kernel.rings;
	m.pods = pods * (pod_table_row_bytes() + NAMES_PER_POD * NAME_BYTES + RENDERED_BYTES);
	m.base = BASE_BYTES + kernel.fixed;
	m.serve = pods * WINDOW_STEPS * POINT_BYTES + pods * WORKLOAD_BYTES + HTTP_MEMORY_MAX;
	m.most = m.flows + m.counters + m.rings + m.pods + m.base + m.serve;
	limit = memory_limit("/proc/self/cgroup", features_find_cgroup_v2(v2, sizeof(v2)) ? NULL : v2,
			     "/sys/fs/cgroup/memory");
	if (limit < m.most)
		snprintf(buf, len,
			 "at most %.0f MiB with every table full, kernel included: above the limit of %.0f MiB of this "
			 "process's cgroup; raise that, or lower --max-flows %u or --max-pods %u",
			 (double)m.most / MIB, (double)limit / MIB, o->max_flows, o->max_pods);
	else
		snprintf(buf, len,
			 "at most %.0f MiB with every table full, kernel included: connections %.0f, counters %.0f, "
			 "rings %.0f, pods %.0f, the rest %.0f, for serve %.0f (--max-flows %u, --max-pods %u)",
			 (double)m.most / MIB, (double)m.flows / MIB, (double)m.counters / MIB, (double)m.rings / MIB,
			 (double)m.pods / MIB, (double)m.base / MIB, (double)m.serve / MIB, o->max_flows, o->max_pods);
	return limit >= m.most;
}
