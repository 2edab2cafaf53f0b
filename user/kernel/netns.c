/* SPDX-License-Identifier: GPL-2.0-only */
#include "netns.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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

struct links {
	bool bridge, other;
	int32_t nsid; /* of the first link into another namespace */
	bool any;
};

static void look_at(struct links *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *info = NLMSG_DATA(h);
	int len = (int)IFLA_PAYLOAD(h);

	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_LINK_NETNSID && RTA_PAYLOAD(a) >= sizeof(int32_t)) {
			int32_t nsid;

			memcpy(&nsid, RTA_DATA(a), sizeof(nsid));
			l->other |= l->any && nsid != l->nsid;
			l->nsid = nsid;
			l->any = true;
		} else if ((a->rta_type & NLA_TYPE_MASK) == IFLA_LINKINFO) {
			int inner = (int)RTA_PAYLOAD(a);

			for (const struct rtattr *i = RTA_DATA(a); RTA_OK(i, inner); i = RTA_NEXT(i, inner))
				if (i->rta_type == IFLA_INFO_KIND && RTA_PAYLOAD(i) >= sizeof("bridge") &&
				    !memcmp(RTA_DATA(i), "bridge", sizeof("bridge")))
					l->bridge = true;
		}
	}
}

int netns_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

bool netns_is_a_nodes(int fd)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} ask = {
		.h = { .nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	static char answer[ANSWER_LEN];
	struct links l = { 0 };
	bool more = fd >= 0 && send(fd, &ask, sizeof(ask), 0) == sizeof(ask);

	while (more) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		unsigned int left = n > 0 ? (unsigned int)n : 0;

		more = n > 0;
		for (const struct nlmsghdr *h = (const void *)answer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				more = false;
			else if (h->nlmsg_type == RTM_NEWLINK)
				look_at(&l, h);
		}
	}
	return l.bridge || l.other;
}
