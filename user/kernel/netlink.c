/* SPDX-License-Identifier: GPL-2.0-only */
#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_LEN 32768

int netlink_open(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	const struct timeval wait = { .tv_sec = 1 }; /* the kernel answers within send(2); none is to hold us up */

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

void *netlink_begin(struct netlink_question *q, uint16_t type, uint16_t flags, size_t len)
{
	memset(q, 0, sizeof(*q));
	q->h.nlmsg_len = NLMSG_LENGTH(len);
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = NLM_F_REQUEST | flags;
	return NLMSG_DATA(&q->h);
}

/* Where the next attribute goes, NULL where none of that length fits. */
static struct nlattr *append(struct netlink_question *q, uint16_t type, size_t len)
{
	size_t at = NLMSG_ALIGN(q->h.nlmsg_len);
	struct nlattr *a = (void *)((char *)q + at);

	if (at + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(*q))
		return NULL;
	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	q->h.nlmsg_len = (uint32_t)(at + NLA_HDRLEN + NLA_ALIGN(len));
	return a;
}

void netlink_add(struct netlink_question *q, uint16_t type, const void *value, size_t len)
{
	struct nlattr *a = append(q, type, len);

	if (a)
		memcpy((char *)a + NLA_HDRLEN, value, len);
}

struct nlattr *netlink_nest(struct netlink_question *q, uint16_t type)
{
	return append(q, type | NLA_F_NESTED, 0);
}

void netlink_nest_end(struct netlink_question *q, struct nlattr *nest)
{
	if (nest)
		nest->nla_len = (uint16_t)((char *)q + q->h.nlmsg_len - (char *)nest);
}

int netlink_ask(int fd, struct netlink_question *q, netlink_fn fn, void *arg)
{
	static char answer[ANSWER_LEN];
	static uint32_t seq;
	bool more = true;
	int err = 0;

	q->h.nlmsg_seq = ++seq; /* an answer that came too late is not taken for the next one's */
	if (fd < 0)
		return -EBADF;
	if (send(fd, q, q->h.nlmsg_len, 0) != (ssize_t)q->h.nlmsg_len)
		return -errno;
	while (more) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		unsigned int left = n > 0 ? (unsigned int)n : 0;

		if (n <= 0)
			return n ? -errno : -EIO;
		for (const struct nlmsghdr *h = (const void *)answer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
				err = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				more = false;
			else
				fn(arg, h);
			/* conntrack calls a single answer one of many, too: none follows unless all were asked for */
			more = more && (q->h.nlmsg_flags & NLM_F_DUMP) && (h->nlmsg_flags & NLM_F_MULTI);
		}
	}
	return err;
}

const struct nlattr *netlink_find(const void *from, size_t len, uint16_t type, size_t least)
{
	const char *at = from;

	while (len >= (size_t)NLA_HDRLEN) {
		const struct nlattr *a = (const void *)at;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return netlink_value_len(a) >= least ? a : NULL;
		if (step > len)
			return NULL;
		at += step;
		len -= step;
	}
	return NULL;
}
