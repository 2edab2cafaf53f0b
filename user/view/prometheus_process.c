/* SPDX-License-Identifier: GPL-2.0-only */
/* The process_* metrics, as Prometheus's own clients read them. */
#include <string.h>
#include <unistd.h>

#include "prometheus.h"

static double boot_seconds(void)
{
	unsigned long long seconds = 0;
	char line[256];
	FILE *f = fopen("/proc/stat", "re");

	while (f && !seconds && fgets(line, sizeof(line), f))
		sscanf(line, "btime %llu", &seconds);
	if (f)
		fclose(f);
	return seconds;
}

void prometheus_read_process(struct agent_stats *a, DIR *fds)
{
	unsigned long long user, system, start, size;
	long resident, hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE), max;
	FILE *f = fopen("/proc/self/stat", "re");
	char line[1024], *p = NULL;

	if (f) {
		if (fgets(line, sizeof(line), f))
			p = strrchr(line, ')'); /* the name may hold anything */
		fclose(f);
	}
	/* proc(5): fields 14, 15, 22, 23 and 24; p stands at the end of field 2 */
	if (p && sscanf(p + 1,
			" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %ld",
			&user, &system, &start, &size, &resident) == 5) {
		a->cpu_seconds = (double)(user + system) / hz;
		a->start_seconds = boot_seconds() + (double)start / hz;
		a->virtual_bytes = size;
		a->resident_bytes = (uint64_t)resident * page;
	}
	a->open_fds = 0;
	if (fds) {
		rewinddir(fds);
		for (struct dirent *e; (e = readdir(fds));)
			a->open_fds += e->d_name[0] != '.';
	}
	max = sysconf(_SC_OPEN_MAX);
	a->max_fds = max > 0 ? max : 0;
}
