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
#include <sys/time.h>
#include <unistd.h>

#include "../base/address.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* 5.14 */
#endif

#define ANSWER_LEN 32768

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
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct timeval wait = { .tv_sec = 1 }; /* the kernel answers within send(2); none is to hold us up */

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

/* --- questions to the kernel -------------------------------------------------------------------------------------- */

struct question {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct rtmsg route;
		struct ndmsg neighbour;
		struct rtgenmsg ns;
	};
	char attributes[64];
};

static struct question begin(uint16_t type, uint16_t flags, size_t body)
{
	return (struct question){
		.h = { .nlmsg_len = NLMSG_LENGTH(body), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags },
	};
}

/* There is room: no question has more than two attributes. */
static void add(struct question *q, uint16_t type, const void *value, size_t len)
{
	struct rtattr *a = (void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), value, len);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

typedef void (*answer_fn)(void *arg, const struct nlmsghdr *h);

static void ask(int fd, struct question *q, answer_fn fn, void *arg)
{
	static char answer[ANSWER_LEN];
	static uint32_t seq;
	bool more;

	q->h.nlmsg_seq = ++seq; /* an answer that came too late is not taken for the next one's */
	more = fd >= 0 && send(fd, q, q->h.nlmsg_len, 0) == (ssize_t)q->h.nlmsg_len;
	while (more) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		unsigned int left = n > 0 ? (unsigned int)n : 0;

		more = n > 0;
		for (const struct nlmsghdr *h = (const void *)answer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				more = false;
			else
				fn(arg, h);
			more = more && (h->nlmsg_flags & NLM_F_MULTI);
		}
	}
}

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
	struct question q = begin(RTM_GETLINK, NLM_F_DUMP, sizeof(q.link));
	struct links l = { 0 };

	ask(fd, &q, look_at, &l);
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

int32_t netns_id_at(int fd, const struct imds_addr *addr, char *ret_device)
{
	const bool v4 = address_is_v4(addr);
	const size_t len = v4 ? 4 : 16;
	struct neighbour to = { .addr = *addr };
	struct question q = begin(RTM_GETROUTE, 0, sizeof(q.route));
	struct links l = { 0 };

	*ret_device = '\0';
	q.route = (struct rtmsg){ .rtm_family = v4 ? AF_INET : AF_INET6, .rtm_dst_len = len * 8 };
	add(&q, RTA_DST, addr->b + sizeof(addr->b) - len, len);
	ask(fd, &q, take_route, &to);
	if (to.port || to.device <= 0)
		return -1;
	q = begin(RTM_GETLINK, 0, sizeof(q.link));
	q.link.ifi_index = to.device;
	ask(fd, &q, look_at, &l);
	if (l.bridge) {
		q = begin(RTM_GETNEIGH, NLM_F_DUMP, sizeof(q.neighbour));
		q.neighbour.ndm_family = v4 ? AF_INET : AF_INET6;
		ask(fd, &q, take_neighbour, &to);
		if (!to.known)
			return -1;
		q = begin(RTM_GETNEIGH, NLM_F_DUMP, sizeof(q.neighbour));
		q.neighbour.ndm_family = AF_BRIDGE;
		ask(fd, &q, take_port, &to);
		if (to.port <= 0)
			return -1;
		l = (struct links){ 0 };
		q = begin(RTM_GETLINK, 0, sizeof(q.link));
		q.link.ifi_index = to.port;
		ask(fd, &q, look_at, &l);
	}
	memcpy(ret_device, l.name, sizeof(l.name));
	return l.any ? l.nsid : -1;
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
	struct question q = begin(RTM_GETNSID, 0, sizeof(q.ns));
	int32_t id = -1;

	q.ns.rtgen_family = AF_UNSPEC;
	add(&q, NETNSA_PID, &pid, sizeof(pid));
	ask(fd, &q, take_id, &id);
	return id;
}
