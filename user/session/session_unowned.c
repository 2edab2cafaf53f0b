/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers that died and belong to no socket of this kernel, and who lives at their address all the same. */
#include "session_part.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/address.h"
#include "../base/hash.h"
#include "../kernel/netns.h"
#include "../model/verdict.h"
#include "../pods/address_names.h"
#include "../pods/tap_process.h"

#define SEC 1000000000ull
#define RETRANSMIT_NS (130ull * 1000000000) /* longer than TCP tries to deliver a dead answer */
#define FOUND_NS (60 * SEC)		    /* an address may be given to another pod */
#define MISSING_NS (10 * SEC)
#define LOOKS \
	8 /* a snapshot, of our own network namespace and of others; the rest of the names come with the next ones */
#define NAME_LEN 320

/* At most SESSION_UNOWNED_MAX at a time: what is not asked for in a round leaves. */
struct owner {
	struct imds_unowned_key key;
	UT_hash_handle hh;
	uint64_t until_ns, used_ns;
	char name[NAME_LEN];
	char device[IMDS_DEVICE_LEN]; /* that leads to the address, "" unknown */
};

struct search {
	struct session *s;
	char (*ids)[ADDRESS_ID_LEN]; /* of containers, or */
	size_t ids_len;
	int32_t nsid;		 /* the network namespace they live in, or */
	const char *cgroup;	 /* that they are, or are above of; NULL */
	struct pod_identity who; /* the first found; a copy */
	size_t found;
};

static int first_process(const struct session *s, const char *cgroup)
{
	char path[4096], text[32] = "";
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup) >= sizeof(path))
		return 0;
	fd = openat(s->cgroup_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return (int)strtol(text, NULL, 10); /* 0 too for one in another pid namespace */
}

static bool is_wanted(const struct search *f, const struct pod_identity *who)
{
	int pid;

	for (size_t i = 0; i < f->ids_len; i++)
		if (!strcmp(f->ids[i], who->container_id))
			return true;
	if (f->cgroup) {
		size_t len = strlen(who->cgroup);

		return !strncmp(f->cgroup, who->cgroup, len) && (!f->cgroup[len] || f->cgroup[len] == '/');
	}
	if (f->nsid < 0)
		return false;
	pid = first_process(f->s, who->cgroup);
	return pid > 0 && netns_id_of(f->s->netns_fd, (uint32_t)pid) == f->nsid;
}

static int on_container(void *arg, const struct pod_identity *who)
{
	struct search *f = arg;

	/* the containers of a pod are one owner */
	if ((f->found && f->who.pod_uid[0] && !strcmp(f->who.pod_uid, who->pod_uid)) || !is_wanted(f, who))
		return 0;
	if (f->found)
		f->found++;
	else
		f->found = !pod_identity_copy(&f->who, who);
	return 0;
}

/* Two owners are none: networks may have a subnet in common. */
static bool search(struct search *f)
{
	if (!pod_names_for_each(f->s->names, session_now_ns(), on_container, f) && f->found == 1)
		return true;
	if (f->found)
		free((char *)f->who.namespace);
	return false;
}

/* device: that leads to the address, of our own network namespace, "" unknown. */
static bool find_at(struct session *s, const struct imds_addr *addr, bool own_netns, char *ret_device,
		    struct pod_identity *ret)
{
	int root = open(s->o->runtime_dirs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool v4 = address_is_v4(addr);
	char ids[ADDRESS_IDS_MAX][ADDRESS_ID_LEN], text[INET6_ADDRSTRLEN] = "";
	struct search f = { .s = s, .ids = ids, .nsid = -1 };
	bool found;

	inet_ntop(v4 ? AF_INET : AF_INET6, addr->b + (v4 ? 12 : 0), text, sizeof(text));
	f.ids_len = address_names_find(root, text, ids);
	if (root >= 0)
		close(root);
	found = f.ids_len && search(&f);
	/* devices and routes are those of our own network namespace */
	if (!found && own_netns) {
		f = (struct search){ .s = s, .nsid = netns_id_at(s->netns_fd, addr, ret_device) };
		found = f.nsid >= 0 && search(&f);
	}
	if (found)
		*ret = f.who;
	return found;
}

bool session_find_at(struct session *s, const struct imds_addr *addr, struct pod_identity *ret)
{
	char device[IMDS_DEVICE_LEN];

	return find_at(s, addr, true, device, ret);
}

static void name_owner(struct owner *o, const struct pod_identity *who)
{
	if (who->pod[0])
		snprintf(o->name, sizeof(o->name), "%s%s%s", who->namespace, who->namespace[0] ? "/" : "", who->pod);
	else
		snprintf(o->name, sizeof(o->name), "%s", who->container[0] ? who->container : who->cgroup);
	free((char *)who->namespace);
}

/* A virtual machine's packets have no socket either: libvirt's state knows its device, else the process that has it. */
static void name_machine(struct session *s, struct owner *o)
{
	int root = open(s->o->runtime_dirs, O_RDONLY | O_DIRECTORY | O_CLOEXEC), pid;
	char cgroup[4096];
	struct search f = { .s = s, .nsid = -1, .cgroup = cgroup };

	if (root >= 0) {
		address_names_machine(root, o->device, o->name, sizeof(o->name));
		close(root);
	}
	pid = o->name[0] ? 0 : tap_process_find(o->device);
	if (pid && tap_process_cgroup(pid, cgroup, sizeof(cgroup)) && search(&f))
		name_owner(o, &f.who);
	else if (pid)
		tap_process_machine(pid, o->name, sizeof(o->name));
}

static void look(struct session *s, struct owner *o, bool own_netns)
{
	struct pod_identity who;

	if (find_at(s, &o->key.addr, own_netns, o->device, &who))
		name_owner(o, &who);
	else if (o->device[0])
		name_machine(s, o);
}

struct reading {
	struct session *s;
	uint64_t now_ns;
	uint32_t own_netns; /* inode */
	int looks[2];	    /* left, for others and our own */
	bool crowded;
};

static struct owner *find_owner(struct reading *r, const struct imds_unowned_key *key)
{
	bool own_netns = (uint32_t)(key->where >> 32) == r->own_netns;
	struct session *s = r->s;
	struct imds_unowned_key place = { .addr = key->addr, .where = key->where & 0xffffffff00000000ull };
	struct owner *o;

	HASH_FIND(hh, s->owners, &place, sizeof(place), o);
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return NULL;
		o->key = place;
		HASH_ADD(hh, s->owners, key, sizeof(o->key), o);
		if (!HASH_ADDED(o))
			return NULL;
	}
	o->used_ns = r->now_ns;
	if (r->now_ns >= o->until_ns && r->looks[own_netns]) {
		r->looks[own_netns]--;
		o->name[0] = o->device[0] = '\0';
		look(s, o, own_netns);
		o->until_ns = r->now_ns + (o->name[0] ? FOUND_NS : MISSING_NS);
	}
	return o;
}

static bool add_unowned(void *arg, const struct imds_unowned_key *key, const struct imds_unowned *u)
{
	struct reading *r = arg;
	struct session *s = r->s;
	bool gone = r->crowded && u->last_ns + SESSION_GONE_NS < r->now_ns; /* its place is another's */
	struct imds_drop drop = { .ts_ns = u->last_ns, .ttl = u->ttl, .flags = IMDS_D_FROM_ENDPOINT };
	struct unowned *to = &s->unowned[s->snapshot.unowned_len];
	const char *reason = u->has_reason ? drop_reasons_name(s->reasons, u->reason) : "";
	const char *location = drop_reasons_location(s->reasons, u->location);
	const struct owner *owner;

	/* a flooded copy, a queue of a device that went: no place that looks at the TTL */
	if (s->snapshot.unowned_len == SESSION_UNOWNED_MAX || !u->packets ||
	    !verdict_is_ttl_death(&drop, reason, location) || pod_table_knows_deaths(s->table, &key->addr))
		return gone;
	/* tokens get there: another sender, or a connection older than us, whose answers of an earlier limit die for long */
	if (pod_table_gets_tokens(s->table, &key->addr) && u->last_ns < s->started_ns + RETRANSMIT_NS)
		return gone;
	owner = find_owner(r, key);
	*to = (struct unowned){
		.address = key->addr,
		.port = u->port,
		.name = owner ? owner->name : "",
		.packets = u->packets,
		.last_ns = u->last_ns,
		.ttl = u->ttl,
	};
	if (owner && owner->device[0])
		memcpy(to->device, owner->device, sizeof(to->device));
	else
		snprintf(to->device, sizeof(to->device), "%.*s", IMDS_DEVICE_LEN - 1, u->device);
	snprintf(to->reason, sizeof(to->reason), "%s", reason);
	snprintf(to->location, sizeof(to->location), "%s", location);
	s->snapshot.unowned_len++;
	return gone;
}

static int by_packets(const void *a, const void *b)
{
	const struct unowned *x = a, *y = b;

	return x->packets != y->packets ? (x->packets > y->packets ? -1 : 1)
					: memcmp(&x->address, &y->address, sizeof(x->address));
}

/* What a round that began at used_ns did not ask for; 0: all. */
static void forget(struct session *s, uint64_t used_ns)
{
	for (struct owner *o = s->owners, *next; o; o = next) {
		next = o->hh.next;
		if (o->used_ns == used_ns)
			continue;
		HASH_DEL(s->owners, o); /* NOLINT(clang-analyzer-unix.Malloc): it takes it off the list */
		free(o);
	}
}

void session_read_unowned(struct session *s)
{
	struct reading r = { .s = s, .now_ns = session_now_ns(), .looks = { LOOKS, LOOKS } };
	int n;

	r.own_netns = netns_inode("/proc/self/ns/net");

	r.crowded = s->unowned_entries >= IMDS_UNOWNED_SHARE;

	s->snapshot.unowned = s->unowned;
	s->snapshot.unowned_len = 0;
	n = tracer_read_unowned(s->tracer, add_unowned, &r);
	s->unread += n < 0;
	s->unowned_entries = n < 0 ? 0 : n;
	qsort(s->unowned, s->snapshot.unowned_len, sizeof(*s->unowned), by_packets);
	forget(s, r.now_ns);
}

void session_free_unowned(struct session *s)
{
	forget(s, 0);
}
