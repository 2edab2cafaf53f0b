/* SPDX-License-Identifier: GPL-2.0-only */
/* One question to the kernel by netlink, and its answers. */
#ifndef IMDSNOOP_NETLINK_H
#define IMDSNOOP_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_QUESTION_LEN 192

/* A message that is being written: head, body of its family, attributes. */
struct netlink_question {
	struct nlmsghdr h;
	char rest[NETLINK_QUESTION_LEN];
};

/* A socket of protocol NETLINK_*, the caller's to close, or -1. None of its questions is waited for longer than a second. */
int netlink_open(int protocol);

/* Begins a question; the body of len bytes is all zero, and returned to be filled in. */
void *netlink_begin(struct netlink_question *q, uint16_t type, uint16_t flags, size_t len);
/* Appends an attribute; what does not fit is left out. */
void netlink_add(struct netlink_question *q, uint16_t type, const void *value, size_t len);
/* An attribute that holds those that are added up to netlink_nest_end(). */
struct nlattr *netlink_nest(struct netlink_question *q, uint16_t type);
void netlink_nest_end(struct netlink_question *q, struct nlattr *nest);

/* Calls fn for each answer. Returns 0, or a negative errno: the kernel's own, or that of the socket. */
typedef void (*netlink_fn)(void *arg, const struct nlmsghdr *h);
int netlink_ask(int fd, struct netlink_question *q, netlink_fn fn, void *arg);

/* The attribute of that type in len bytes at from, or NULL; one shorter than least bytes is none. */
const struct nlattr *netlink_find(const void *from, size_t len, uint16_t type, size_t least);
static inline const void *netlink_value(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}
static inline size_t netlink_value_len(const struct nlattr *a)
{
	return a->nla_len - (size_t)NLA_HDRLEN;
}

#endif
