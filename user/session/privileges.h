/* SPDX-License-Identifier: GPL-2.0-only */
/* What a long-running agent gives up once it is attached, and how it tells its service manager that it is up. */
#ifndef IMDSNOOP_PRIVILEGES_H
#define IMDSNOOP_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

struct privileges_options {
	const char *user;	    /* name, UID or UID:GID; "root" or "" keeps the user */
	const char *const *folders; /* that must stay readable, NULL-ended; one that does not exist is none */
	bool writes;		    /* to files that are open already: a ledger */
};

/*
 * Becomes user, gives up all capabilities but those that are still needed here, sets no_new_privs and a seccomp filter.
 * Always ends without the capabilities to load or attach anything. Returns 0 or a negative errno; then msg says what
 * failed. On success msg tells what is left ("user 65534, capabilities bpf, syslog, seccomp on").
 */
int privileges_drop(const struct privileges_options *o, char *msg, size_t len);

/*
 * The service manager's socket of NOTIFY_SOCKET, see sd_notify(3): a descriptor, the caller's, or -1 where there is none. To be
 * opened before privileges_drop(), whose filter forbids that; told when all is done.
 */
int privileges_notify_open(void);
void privileges_notify(int fd, const char *state); /* "READY=1" and the like; -1: nothing happens */

#endif
