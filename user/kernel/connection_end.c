/* SPDX-License-Identifier: GPL-2.0-only */
#include "connection_end.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "../base/address.h"
#include "../base/small.h"
#include "netlink.h"
#include "netns.h"

#define INET_DIAG_CGROUP_ID_5_8 21 /* linux/inet_diag.h since 5.8 */
/* There when connection tracking is loaded; a question must not be what loads it. */
#define CONNTRACK_LOADED "/proc/sys/net/netfilter/nf_conntrack_count"

void connection_ends_open(struct connection_ends *ends)
{
	*ends = (struct connection_ends){
		.conntrack = netlink_open(NETLINK_NETFILTER),
		.sockets = netlink_open(NETLINK_SOCK_DIAG),
		.routes = netlink_open(NETLINK_ROUTE),
	};
}

void connection_ends_close(struct connection_ends *ends)
{
	const int fds[] = { ends->conntrack, ends->sockets, ends->routes };

	for (size_t i = 0; i < LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*ends = (struct connection_ends){ -1, -1, -1 };
}

static const unsigned char *bytes_of(const struct imds_addr *a, size_t *ret_len)
{
	*ret_len = address_is_v4(a) ? 4 : 16;
	return a->b + sizeof(a->b) - *ret_len;
}

/* --- connection tracking ------------------------------------------------------------------------------------------ */

/* The answer's direction of a connection: who answers, and whom. */
struct reply {
	struct imds_addr from, to;
	uint16_t from_port, to_port;
};

static bool take_address(const struct nlattr *ip, bool v4, int source, struct imds_addr *ret)
{
	static const struct imds_addr v4_mapped = { .b = { [10] = 0xff, [11] = 0xff } };
	const size_t len = v4 ? 4 : 16;
	const uint16_t type = v4 ? (source ? CTA_IP_V4_SRC : CTA_IP_V4_DST) : (source ? CTA_IP_V6_SRC : CTA_IP_V6_DST);
	const struct nlattr *a = netlink_find(netlink_value(ip), netlink_value_len(ip), type, len);

	if (!a)
		return false;
	*ret = v4_mapped;
	memcpy(ret->b + sizeof(ret->b) - len, netlink_value(a), len);
	return true;
}

static bool take_port(const struct nlattr *proto, uint16_t type, uint16_t *ret)
{
	const struct nlattr *a = netlink_find(netlink_value(proto), netlink_value_len(proto), type, sizeof(*ret));

	if (!a)
		return false;
	memcpy(ret, netlink_value(a), sizeof(*ret));
	*ret = ntohs(*ret);
	return true;
}

static void take_reply(void *arg, const struct nlmsghdr *h)
{
	struct reply *r = arg;
	const struct nfgenmsg *g = NLMSG_DATA(h);
	const size_t head = NLMSG_ALIGN(sizeof(*g));
	const struct nlattr *tuple, *ip, *proto;
	struct reply seen;
	bool v4;

	if (h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) || NLMSG_PAYLOAD(h, 0) < head)
		return;
	v4 = g->nfgen_family == AF_INET;
	tuple = netlink_find((const char *)g + head, NLMSG_PAYLOAD(h, head), CTA_TUPLE_REPLY, 0);
	if (!tuple)
		return;
	ip = netlink_find(netlink_value(tuple), netlink_value_len(tuple), CTA_TUPLE_IP, 0);
	proto = netlink_find(netlink_value(tuple), netlink_value_len(tuple), CTA_TUPLE_PROTO, 0);
	if (ip && proto && take_address(ip, v4, 1, &seen.from) && take_address(ip, v4, 0, &seen.to) &&
	    take_port(proto, CTA_PROTO_SRC_PORT, &seen.from_port) && take_port(proto, CTA_PROTO_DST_PORT, &seen.to_port))
		*r = seen;
}

static void find_reply(const struct connection_ends *ends, const struct connection *c, struct reply *r)
{
	const uint8_t tcp = IPPROTO_TCP;
	const uint16_t ports[] = { htons(c->local_port), htons(c->remote_port) };
	const bool v4 = address_is_v4(&c->remote);
	const unsigned char *local, *remote;
	struct netlink_question q;
	struct nlattr *tuple, *part;
	struct nfgenmsg *g;
	size_t len;

	if (address_is_v4(&c->local) != v4 || access(CONNTRACK_LOADED, F_OK))
		return;
	local = bytes_of(&c->local, &len);
	remote = bytes_of(&c->remote, &len);
	g = netlink_begin(&q, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0, sizeof(*g));
	*g = (struct nfgenmsg){ .nfgen_family = v4 ? AF_INET : AF_INET6, .version = NFNETLINK_V0 };
	tuple = netlink_nest(&q, CTA_TUPLE_ORIG);
	part = netlink_nest(&q, CTA_TUPLE_IP);
	netlink_add(&q, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, local, len);
	netlink_add(&q, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, remote, len);
	netlink_nest_end(&q, part);
	part = netlink_nest(&q, CTA_TUPLE_PROTO);
	netlink_add(&q, CTA_PROTO_NUM, &tcp, sizeof(tcp));
	netlink_add(&q, CTA_PROTO_SRC_PORT, &ports[0], sizeof(ports[0]));
	netlink_add(&q, CTA_PROTO_DST_PORT, &ports[1], sizeof(ports[1]));
	netlink_nest_end(&q, part);
	netlink_nest_end(&q, tuple);
	netlink_ask(ends->conntrack, &q, take_reply, r); /* none such, or no right to ask: not known */
}

/* --- sockets ------------------------------------------------------------------------------------------------------- */

struct found {
	bool any, listens;
	uint32_t inode;
	uint64_t cgroup_id;
};

static void take_socket(void *arg, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const size_t head = NLMSG_ALIGN(sizeof(*m));
	struct found *f = arg;
	const struct nlattr *a;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || NLMSG_PAYLOAD(h, 0) < head)
		return;
	f->any = true;
	f->listens = m->idiag_state == TCP_LISTEN;
	f->inode = m->idiag_inode;
	a = netlink_find((const char *)m + head, NLMSG_PAYLOAD(h, head), INET_DIAG_CGROUP_ID_5_8, sizeof(f->cgroup_id));
	if (a)
		memcpy(&f->cgroup_id, netlink_value(a), sizeof(f->cgroup_id));
}

/* The socket at addr and port that takes a connection from peer; peer NULL: the one that listens there. */
static struct found find_socket(const struct connection_ends *ends, const struct imds_addr *addr, uint16_t port,
				const struct imds_addr *peer, uint16_t peer_port)
{
	struct netlink_question q;
	struct inet_diag_req_v2 *r = netlink_begin(&q, SOCK_DIAG_BY_FAMILY, 0, sizeof(*r));
	struct found f = { 0 };
	const unsigned char *b;
	size_t len;

	b = bytes_of(addr, &len);
	r->sdiag_family = len == 4 ? AF_INET : AF_INET6;
	r->sdiag_protocol = IPPROTO_TCP;
	r->idiag_states = ~0u;
	memcpy(r->id.idiag_src, b, len);
	r->id.idiag_sport = htons(port);
	if (peer) {
		memcpy(r->id.idiag_dst, bytes_of(peer, &len), len);
		r->id.idiag_dport = htons(peer_port);
	}
	r->id.idiag_cookie[0] = r->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	netlink_ask(ends->sockets, &q, take_socket, &f);
	return f;
}

void connection_end_find(const struct connection_ends *ends, const struct connection *c,
			 const struct imds_addr *moved_to, uint16_t port, struct connection_end *ret)
{
	/* without NAT the answer comes from where the client asked, to where it asked from */
	struct reply r = { .from = c->remote, .to = c->local, .from_port = c->remote_port, .to_port = c->local_port };
	struct found f;

	if (moved_to) {
		r.from = *moved_to;
		r.from_port = port;
	} else {
		find_reply(ends, c, &r);
	}
	*ret = (struct connection_end){ .addr = r.from, .port = r.from_port };
	ret->moved = r.from_port != c->remote_port || memcmp(&r.from, &c->remote, sizeof(r.from));
	ret->here = netns_has_address(ends->routes, &r.from);
	f = find_socket(ends, &r.from, r.from_port, &r.to, r.to_port);
	/* one that listens on all addresses is found for those of others too */
	if (f.any && f.listens && !ret->here)
		return;
	/* one that is past its end has no owner any more: who listens is */
	if (ret->here && !f.inode)
		f = find_socket(ends, &r.from, r.from_port, NULL, 0);
	ret->here |= f.any;
	ret->inode = f.inode;
	ret->cgroup_id = f.cgroup_id;
}
