/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who answers in the metadata service's place on this node: kube2iam, kiam, a cloud's own metadata proxy, an agent behind a
 * redirect. The kernel side sees the address that the client asked; connection tracking and the sockets of this network
 * namespace tell the rest, asked once for a connection.
 */
#include "session_part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/connection_end.h"

#define MS 1000000ull
#define CONNECTIONS 1024 /* connections remembered; the newest of each place */
#define LOOKERS 256
#define KNOWN_MAX 256	    /* answerers; what is over is not told */
#define LOOK_PAUSE (5 * MS) /* at most 200 looks a second, and for one cgroup 100; */
#define OWN_PAUSE (10 * MS)
#define LOOKS_AT_ONCE 64  /* after a while without */
#define PROCESSES_MAX 256 /* of the answerer's cgroup that are looked at */
#define FILES_MAX 16384	  /* of these all: each costs a readlink(2) */

struct known_answerer {
	struct known_answerer *next;
	struct answerer a;
	struct imds_addr addr;
	uint16_t port;
	uint64_t cgroup_id;
	uint32_t inode;
	struct pod_identity who;
	bool has_who;
	char process[IMDS_COMM_LEN];
};

struct answered_connection {
	uint64_t cookie;		 /* 0: none */
	const struct known_answerer *by; /* NULL: nobody but the service */
};

struct answerers {
	struct connection_ends ends;
	struct known_answerer *known;
	struct answered_connection connections[CONNECTIONS]; /* by cookie */
	uint64_t next_ns;				     /* of all; */
	uint64_t looks[LOOKERS];			     /* newest ones, by cgroup */
};

static struct answered_connection *place_of(const struct session *s, uint64_t cookie)
{
	return &s->answerers->connections[cookie % CONNECTIONS];
}

const struct answerer *session_answerer_of(const struct session *s, uint64_t cookie)
{
	const struct answered_connection *c = place_of(s, cookie);

	return c->cookie == cookie && c->by ? &c->by->a : NULL;
}

/* --- the process that holds a socket ---------------------------------------------------------------------------------- */

static bool holds_socket(int pid, uint32_t inode, int *left)
{
	char path[64], want[32], is[32];
	struct dirent *e;
	bool found = false;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	snprintf(want, sizeof(want), "socket:[%u]", inode);
	dir = opendir(path);
	while (dir && !found && *left > 0 && (e = readdir(dir))) {
		--*left;
		n = readlinkat(dirfd(dir), e->d_name, is, sizeof(is) - 1);
		if (n > 0) {
			is[n] = '\0';
			found = !strcmp(is, want);
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static void name_process(struct known_answerer *k, int pid)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(k->process, sizeof(k->process), f)) {
		k->process[strcspn(k->process, "\n")] = '\0';
		k->a.pid = (uint32_t)pid;
	}
	fclose(f);
}

/* The process of the cgroup that holds the socket; where that may not be asked, the only one that there is. */
static void find_process(const struct session *s, struct known_answerer *k, const char *cgroup)
{
	char path[4096];
	int fd, pid, only = 0, n = 0, left = FILES_MAX;
	FILE *f;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup) >= sizeof(path))
		return;
	fd = openat(s->cgroup_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (; n < PROCESSES_MAX && fscanf(f, "%d", &pid) == 1; n++) { /* NOLINT(cert-err34-c): the kernel's own numbers */
		only = pid;
		if (pid > 0 && holds_socket(pid, k->inode, &left)) {
			name_process(k, pid);
			break;
		}
	}
	if (!k->a.pid && n == 1 && only > 0) /* 0: in another pid namespace */
		name_process(k, only);
	fclose(f);
}

/* --- the list ---------------------------------------------------------------------------------------------------------- */

static void find_names(struct session *s, struct known_answerer *k, bool here, uint64_t now_ns)
{
	const struct pod_identity *who;

	if (!here) {
		k->has_who = session_find_at(s, &k->addr, &k->who);
	} else if (k->cgroup_id) {
		who = pod_names_get(s->names, k->cgroup_id, 0, now_ns);
		k->has_who = !pod_identity_copy(&k->who, who);
		if (k->has_who)
			find_process(s, k, k->who.cgroup);
	}
	if (k->has_who)
		k->a.who = &k->who;
}

static const struct known_answerer *known(struct session *s, const struct connection_end *e, uint64_t now_ns)
{
	struct known_answerer *k;
	size_t n = 0;

	for (k = s->answerers->known; k; k = k->next, n++)
		if (k->port == e->port && k->inode == e->inode && k->cgroup_id == e->cgroup_id &&
		    !memcmp(&k->addr, &e->addr, sizeof(k->addr)))
			return k;
	k = n < KNOWN_MAX ? calloc(1, sizeof(*k)) : NULL;
	if (!k)
		return NULL;
	k->addr = e->addr;
	k->port = e->port;
	k->inode = e->inode;
	k->cgroup_id = e->cgroup_id;
	k->a.process = k->process;
	request_address(&e->addr, e->port, k->a.address, sizeof(k->a.address));
	find_names(s, k, e->here, now_ns);
	k->next = s->answerers->known;
	s->answerers->known = k;
	return k;
}

/* --- looking ----------------------------------------------------------------------------------------------------------- */

/* *next: when the looks so far would be over at that pace. */
static bool is_over(uint64_t *next, uint64_t pause, uint64_t now_ns)
{
	if (*next + LOOKS_AT_ONCE * pause < now_ns)
		*next = now_ns - LOOKS_AT_ONCE * pause;
	return *next + pause <= now_ns;
}

static bool may_look(struct session *s, uint64_t cgroup_id, uint64_t now_ns)
{
	struct answerers *a = s->answerers;
	uint64_t *own = &a->looks[cgroup_id % LOOKERS];

	if (!is_over(&a->next_ns, LOOK_PAUSE, now_ns) || !is_over(own, OWN_PAUSE, now_ns))
		return false;
	a->next_ns += LOOK_PAUSE;
	*own += OWN_PAUSE;
	return true;
}

const struct answerer *session_find_answerer(struct session *s, const struct imds_rec_request *rec, uint64_t now_ns)
{
	const struct imds_peer *p = &rec->peer;
	const struct connection c = { p->local, p->remote, p->local_port, p->remote_port };
	struct answered_connection *to = place_of(s, p->cookie);
	/* a SYN that was dropped behind a redirect, or a socket that was connected elsewhere, tells itself */
	bool told = rec->to_port && (rec->to_port != p->remote_port || memcmp(&rec->to, &p->remote, sizeof(rec->to)));
	/* by a rule in another network than the one asked here, whose sockets at that address are others */
	bool abroad = told && (rec->req.flags & IMDS_F_REDIRECTED) && !(rec->req.flags & IMDS_F_OWN_NETNS);
	struct connection_end e = { .addr = rec->to, .port = rec->to_port, .moved = true };

	if (to->cookie == p->cookie)
		return session_answerer_of(s, p->cookie);
	if (p->proto != 6 /* IPPROTO_TCP */ || (!told && !p->local_port) || !may_look(s, p->cgroup_id, now_ns))
		return NULL;
	if (!abroad)
		connection_end_find(&s->answerers->ends, &c, told ? &rec->to : NULL, rec->to_port, &e);
	to->cookie = p->cookie;
	to->by = e.moved || e.here ? known(s, &e, now_ns) : NULL;
	return session_answerer_of(s, p->cookie);
}

int session_open_answerers(struct session *s)
{
	s->answerers = calloc(1, sizeof(*s->answerers));
	if (!s->answerers)
		return -ENOMEM;
	connection_ends_open(&s->answerers->ends);
	return 0;
}

void session_free_answerers(struct session *s)
{
	if (!s->answerers)
		return;
	for (struct known_answerer *k = s->answerers->known, *next; k; k = next) {
		next = k->next;
		if (k->has_who)
			free((char *)k->who.namespace);
		free(k);
	}
	connection_ends_close(&s->answerers->ends);
	free(s->answerers);
}
