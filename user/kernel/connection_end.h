/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a connection of this node really ends: NAT may send it elsewhere than the client asked, and what it meets may be a
 * socket of the node itself. From connection tracking, routes and sockets, by netlink; nothing is changed.
 */
#ifndef IMDSNOOP_CONNECTION_END_H
#define IMDSNOOP_CONNECTION_END_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/imdsnoop.h"

struct connection_ends {
	int conntrack, sockets, routes; /* -1: cannot be asked */
};

/* Sockets into the network namespace of this process. */
void connection_ends_open(struct connection_ends *ends);
void connection_ends_close(struct connection_ends *ends);

struct connection {
	struct imds_addr local, remote; /* as the client sees them */
	uint16_t local_port, remote_port;
};

struct connection_end {
	struct imds_addr addr;
	uint16_t port;
	bool moved;	/* NAT sends its packets there, not to remote */
	bool here;	/* an address of this namespace, or a socket of it took the connection all the same (TPROXY) */
	uint32_t inode; /* of the socket there that takes the connection, or listens; 0: none */
	uint64_t cgroup_id; /* of that socket; 0: before 5.8 */
};

/*
 * Asks for the end of c. moved_to: where it is known to be sent already (with port), else NULL: then connection tracking is
 * asked, which forgets a connection soon after its end, at once when it was refused.
 */
void connection_end_find(const struct connection_ends *ends, const struct connection *c,
			 const struct imds_addr *moved_to, uint16_t port, struct connection_end *ret);

#endif
