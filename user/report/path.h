/* SPDX-License-Identifier: GPL-2.0-only */
/* The path of the packet that decides: planned once, drawn in one line, as a picture and in JSON. Pure. */
#ifndef IMDSNOOP_PATH_H
#define IMDSNOOP_PATH_H

#include "../model/snapshot.h"

#define PATH_STATIONS 8

struct station {
	char name[64];	/* "IMDS", "node", "forward 2", "...", "pod"; names of processes are from outside */
	char label[16]; /* what travels to here where it has no TTL: "SYN", "request"; "" */
	int ttl;	/* of the packet as it comes in here; 0: not seen */
	bool reached;	/* false: behind the place where it died */
	bool died;	/* here; the path's note says of what */
};

struct path {
	bool arrived; /* at the last station */
	struct station stations[PATH_STATIONS];
	size_t len;	/* 0: nothing was seen of it */
	char note[160]; /* behind the station that died: "dies in ip_forward (IP_INHDR)"; "" */
	char tail[48];	/* at the end: "nothing comes back"; "" */
};

/* Of the requests of row p; s: for what the node itself saw. */
void path_plan(const struct snapshot *s, const struct pod_stats *p, struct path *ret);

/* In one line, ASCII or UTF-8: "IMDS --TTL 1--> node X dies in ip_forward (IP_INHDR) - - -> pod". Cut at len. Returns buf. */
char *path_draw(const struct path *path, int utf8, char *buf, size_t len);

#endif
