/* SPDX-License-Identifier: GPL-2.0-only */
#include "netns.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/address.h"
#include "netlink.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* 5.14 */
#endif

uint32_t netns_inode(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

static uint64_t own_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	close(fd);
	return cookie;
}

uint64_t netns_cookie(const char *path)
{
	int own, fd;
	uint64_t cookie = 0;

	if (!path)
		return own_cookie();
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (own >= 0 && fd >= 0 && !setns(fd, CLONE_NEWNET)) {
		cookie = own_cookie();
		if (setns(own, CLONE_NEWNET))
			cookie = 0;
	}
	if (fd >= 0)
		close(fd);
	if (own >= 0)
		close(own);
	return cookie;
}

int netns_open(void)
{
	return netlink_open(NETLINK_ROUTE);
}

/* --- questions to the kernel -------------------------------------------------------------------------------------- */

static int32_t number(const struct rtattr *a)
{
	int32_t value = -1;

	if (RTA_PAYLOAD(a) >= sizeof(value))
		memcpy(&value, RTA_DATA(a), sizeof(value));
	return value;
}

/* --- links -------------------------------------------------------------------------------------------------------- */

struct links {
	bool bridge, other;
	int32_t nsid; /* of the first link into another namespace */
	bool any;
	char name[IMDS_DEVICE_LEN]; /* of the last link told */
};

static void look_at(void *arg, const struct nlmsghdr *h)
{
	struct links *l = arg;
	const struct ifinfomsg *info = NLMSG_DATA(h);
	int len = (int)IFLA_PAYLOAD(h);

	if (h->nlmsg_type != RTM_NEWLINK)
		return;
	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_LINK_NETNSID && RTA_PAYLOAD(a) >= sizeof(int32_t)) {
			int32_t nsid = number(a);

			l->other |= l->any && nsid != l->nsid;
			l->nsid = nsid;
			l->any = true;
		} else if (a->rta_type == IFLA_IFNAME && RTA_PAYLOAD(a) <= sizeof(l->name)) {
			memcpy(l->name, RTA_DATA(a), RTA_PAYLOAD(a));
			l->name[sizeof(l->name) - 1] = '\0';
		} else if ((a->rta_type & NLA_TYPE_MASK) == IFLA_LINKINFO) {
			int inner = (int)RTA_PAYLOAD(a);

			for (const struct rtattr *i = RTA_DATA(a); RTA_OK(i, inner); i = RTA_NEXT(i, inner))
				if (i->rta_type == IFLA_INFO_KIND && RTA_PAYLOAD(i) >= sizeof("bridge") &&
				    !memcmp(RTA_DATA(i), "bridge", sizeof("bridge")))
					l->bridge = true;
		}
	}
}

bool netns_is_a_nodes(int fd)
{
	struct netlink_question q;
	struct links l = { 0 };

	netlink_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	netlink_ask(fd, &q, look_at, &l);
	return l.bridge || l.other;
}

/* --- the namespace behind an address ------------------------------------------------------------------------------ */

struct neighbour {
	struct imds_addr addr; /* looked for */
	int device;	       /* of the route; then of the bridge's port, 0 unknown */
	unsigned char lladdr[6];
	bool known; /* lladdr is */
	int port;
};

static void take_route(void *arg, const struct nlmsghdr *h)
{
	const struct rtmsg *route = NLMSG_DATA(h);
	int len = (int)RTM_PAYLOAD(h);
	struct neighbour *to = arg;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return;
	for (const struct rtattr *a = RTM_RTA(route); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == RTA_OIF)
			to->device = number(a);
		/* beyond a router nobody of this node lives; a gateway of another family is a trick of routed veths */
		if (a->rta_type == RTA_GATEWAY)
			to->port = -1;
	}
}

#define NEIGHBOUR_RTA(n) ((const struct rtattr *)((const char *)(n) + NLMSG_ALIGN(sizeof(struct ndmsg))))

static void take_neighbour(void *arg, const struct nlmsghdr *h)
{
	const struct ndmsg *n = NLMSG_DATA(h);
	int len = (int)NLMSG_PAYLOAD(h, sizeof(*n));
	struct neighbour *to = arg;
	const void *dst = NULL, *lladdr = NULL;
	size_t dst_len = address_is_v4(&to->addr) ? 4 : 16;

	if (h->nlmsg_type != RTM_NEWNEIGH || n->ndm_ifindex != to->device)
		return;
	for (const struct rtattr *a = NEIGHBOUR_RTA(n); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == NDA_DST && RTA_PAYLOAD(a) == dst_len)
			dst = RTA_DATA(a);
		else if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == sizeof(to->lladdr))
			lladdr = RTA_DATA(a);
	}
	if (!dst || !lladdr || memcmp(dst, to->addr.b + sizeof(to->addr.b) - dst_len, dst_len))
		return;
	memcpy(to->lladdr, lladdr, sizeof(to->lladdr));
	to->known = true;
}

/* The forwarding database of bridges: which port a hardware address was seen behind. */
static void take_port(void *arg, const struct nlmsghdr *h)
{
	const struct ndmsg *n = NLMSG_DATA(h);
	int len = (int)NLMSG_PAYLOAD(h, sizeof(*n));
	struct neighbour *to = arg;
	bool ours = false, bridges = false;

	if (h->nlmsg_type != RTM_NEWNEIGH || n->ndm_family != AF_BRIDGE)
		return;
	for (const struct rtattr *a = NEIGHBOUR_RTA(n); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == sizeof(to->lladdr))
			ours = !memcmp(RTA_DATA(a), to->lladdr, sizeof(to->lladdr));
		else if (a->rta_type == NDA_MASTER)
			bridges = number(a) == to->device;
	}
	if (ours && bridges)
		to->port = n->ndm_ifindex;
}

static struct links look_at_device(int fd, int device)
{
	struct netlink_question q;
	struct links l = { 0 };
	struct ifinfomsg *link = netlink_begin(&q, RTM_GETLINK, 0, sizeof(*link));

	link->ifi_index = device;
	netlink_ask(fd, &q, look_at, &l);
	return l;
}

static void ask_neighbours(int fd, uint8_t family, netlink_fn fn, struct neighbour *to)
{
	struct netlink_question q;
	struct ndmsg *n = netlink_begin(&q, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*n));

	n->ndm_family = family;
	netlink_ask(fd, &q, fn, to);
}

static void ask_route(int fd, const struct imds_addr *addr, netlink_fn fn, void *arg)
{
	const bool v4 = address_is_v4(addr);
	const size_t len = v4 ? 4 : 16;
	struct netlink_question q;
	struct rtmsg *route = netlink_begin(&q, RTM_GETROUTE, 0, sizeof(*route));

	*route = (struct rtmsg){ .rtm_family = v4 ? AF_INET : AF_INET6, .rtm_dst_len = (unsigned char)(len * 8) };
	netlink_add(&q, RTA_DST, addr->b + sizeof(addr->b) - len, len);
	netlink_ask(fd, &q, fn, arg);
}

int32_t netns_id_at(int fd, const struct imds_addr *addr, char *ret_device)
{
	struct neighbour to = { .addr = *addr };
	struct links l;

	*ret_device = '\0';
	ask_route(fd, addr, take_route, &to);
	if (to.port || to.device <= 0)
		return -1;
	l = look_at_device(fd, to.device);
	if (l.bridge) {
		ask_neighbours(fd, address_is_v4(addr) ? AF_INET : AF_INET6, take_neighbour, &to);
		if (!to.known)
			return -1;
		ask_neighbours(fd, AF_BRIDGE, take_port, &to);
		if (to.port <= 0)
			return -1;
		l = look_at_device(fd, to.port);
	}
	memcpy(ret_device, l.name, sizeof(l.name));
	return l.any ? l.nsid : -1;
}

static void take_type(void *arg, const struct nlmsghdr *h)
{
	if (h->nlmsg_type == RTM_NEWROUTE)
		*(bool *)arg = ((const struct rtmsg *)NLMSG_DATA(h))->rtm_type == RTN_LOCAL;
}

bool netns_has_address(int fd, const struct imds_addr *addr)
{
	bool local = false;

	ask_route(fd, addr, take_type, &local);
	return local;
}

static void take_id(void *arg, const struct nlmsghdr *h)
{
	const char *body = NLMSG_DATA(h);
	int len = (int)NLMSG_PAYLOAD(h, sizeof(struct rtgenmsg));

	if (h->nlmsg_type != RTM_NEWNSID)
		return;
	for (const struct rtattr *a = (const void *)(body + NLMSG_ALIGN(sizeof(struct rtgenmsg))); RTA_OK(a, len);
	     a = RTA_NEXT(a, len))
		if (a->rta_type == NETNSA_NSID)
			*(int32_t *)arg = number(a);
}

int32_t netns_id_of(int fd, uint32_t pid)
{
	struct netlink_question q;
	int32_t id = -1;

	netlink_begin(&q, RTM_GETNSID, 0, sizeof(struct rtgenmsg)); /* rtgen_family: AF_UNSPEC, zero */
	netlink_add(&q, NETNSA_PID, &pid, sizeof(pid));
	netlink_ask(fd, &q, take_id, &id);
	return id;
}
