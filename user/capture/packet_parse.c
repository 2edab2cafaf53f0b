/* SPDX-License-Identifier: GPL-2.0-only */
#include "packet_parse.h"

#include <string.h>

#define ETHER_IPV4 0x0800
#define ETHER_IPV6 0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8
#define ETHER_QINQ_OLD 0x9100
#define ETHER_MPLS 0x8847
#define ETHER_PPPOE 0x8864
#define ETHER_BRIDGED 0x6558 /* GRE and Geneve: an Ethernet frame follows */
#define GRE_ERSPAN2 0x88be
#define GRE_ERSPAN3 0x22eb
#define PORT_VXLAN 4789
#define PORT_VXLAN_LINUX 8472
#define PORT_GENEVE 6081
#define TUNNELS_MAX 3 /* one in the other */
#define SLL_OUTGOING 4
#define EXTENSIONS_MAX 8
#define TCP_HEADER_MAX 60

struct cursor {
	const uint8_t *at, *end;
};

static uint16_t u16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t u32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool has(const struct cursor *c, size_t n)
{
	return (size_t)(c->end - c->at) >= n;
}

static int ip_version(const struct cursor *c)
{
	return has(c, 1) ? (c->at[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4) : 0;
}

/* Behind what may lie between an Ethernet type and IP: VLANs, MPLS labels, PPPoE. The type that follows, 0 when it is cut. */
static int behind_tags(struct cursor *c, int type)
{
	bool last;

	for (int i = 0; i < 3 && (type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD) && has(c, 4); i++) {
		type = u16(c->at + 2);
		c->at += 4;
	}
	if (type == ETHER_PPPOE && has(c, 8)) {
		type = u16(c->at + 6) == 0x21 ? ETHER_IPV4 : u16(c->at + 6) == 0x57 ? ETHER_IPV6 : 0;
		c->at += 8;
	}
	if (type != ETHER_MPLS)
		return type;
	do {
		if (!has(c, 4))
			return 0;
		last = c->at[2] & 1;
		c->at += 4;
	} while (!last);
	return ip_version(c);
}

static int ethernet(struct cursor *c)
{
	int type;

	if (!has(c, 14))
		return 0;
	type = u16(c->at + 12);
	c->at += 14;
	return behind_tags(c, type);
}

/* Behind the link's header: the Ethernet type, 0 for what is not IP or is cut, -1 for an unknown link. */
static int link_type(const struct packet *p, struct cursor *c, struct segment *ret)
{
	int type = 0;

	switch (p->link) {
	case LINK_ETHERNET:
		return ethernet(c);
	case LINK_SLL:
		if (!has(c, 16))
			return 0;
		ret->outgoing = u16(c->at) == SLL_OUTGOING;
		/* without an index, what comes in and what goes out are all that tells two places apart */
		type = u16(c->at + 14);
		c->at += 16;
		return behind_tags(c, type);
	case LINK_SLL2:
		if (!has(c, 20))
			return 0;
		ret->place = u32(c->at + 4);
		ret->outgoing = c->at[10] == SLL_OUTGOING;
		type = u16(c->at);
		c->at += 20;
		return behind_tags(c, type);
	case LINK_NULL:
	case LINK_LOOP:
		if (!has(c, 4))
			return 0;
		c->at += 4;
		return ip_version(c);
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return ip_version(c);
	default:
		return -1;
	}
}

static void set_v4(struct imds_addr *a, const uint8_t *b)
{
	memset(a, 0, sizeof(*a));
	a->b[10] = a->b[11] = 0xff;
	memcpy(a->b + 12, b, 4);
}

/* The IP header at c, which moves behind it. Returns the protocol, -1 for none; *left: bytes of the packet behind it. */
static int ip_header(struct cursor *c, int type, struct segment *ret, uint32_t *left)
{
	uint32_t size, total;
	int proto;

	if (type == ETHER_IPV4) {
		if (!has(c, 20) || c->at[0] >> 4 != 4)
			return -1;
		size = (c->at[0] & 15u) * 4;
		total = u16(c->at + 2);
		if (size < 20 || !has(c, size))
			return -1;
		ret->family = 4;
		ret->ttl = c->at[8];
		ret->fragment = u16(c->at + 6) & 0x1fff;
		set_v4(&ret->src, c->at + 12);
		set_v4(&ret->dst, c->at + 16);
		proto = c->at[9];
		c->at += size;
		*left = !total	       ? (uint32_t)(c->end - c->at)
			: total > size ? total - size
				       : 0; /* 0: segmented by hardware later */
		return proto;
	}
	if (!has(c, 40) || c->at[0] >> 4 != 6)
		return -1;
	*left = u16(c->at + 4);
	ret->family = 6;
	ret->ttl = c->at[7];
	memcpy(ret->src.b, c->at + 8, 16);
	memcpy(ret->dst.b, c->at + 24, 16);
	proto = c->at[6];
	c->at += 40;
	if (!*left)
		*left = (uint32_t)(c->end - c->at);
	for (int i = 0; i < EXTENSIONS_MAX && (proto == 0 || proto == 43 || proto == 44 || proto == 60); i++) {
		if (!has(c, 8))
			return -1;
		size = proto == 44 ? 8 : 8 + c->at[1] * 8u;
		if (proto == 44)
			ret->fragment = u16(c->at + 2) & 0xfff8;
		if (!has(c, size) || *left < size)
			return -1;
		proto = c->at[0];
		c->at += size;
		*left -= size;
	}
	return proto;
}

static bool tcp_header(struct cursor *c, uint32_t left, struct segment *ret)
{
	uint32_t size;

	if (!has(c, 20))
		return false;
	size = (c->at[12] >> 4) * 4u;
	if (size < 20 || left < size)
		return false;
	ret->src_port = u16(c->at);
	ret->dst_port = u16(c->at + 2);
	ret->seq = u32(c->at + 4);
	ret->ack = u32(c->at + 8);
	ret->flags = c->at[13];
	ret->length = left - size;
	ret->payload = has(c, size) ? c->at + size : c->end;
	ret->captured = (uint32_t)(c->end - ret->payload);
	if (ret->captured > ret->length)
		ret->captured = ret->length; /* Ethernet pads short frames */
	return true;
}

/* An error that quotes a TCP segment: 8 bytes of it at least (RFC 792, RFC 4443). */
static enum parsed icmp_error(struct cursor *c, int type, bool (*wanted)(const void *arg, const struct imds_addr *addr),
			      const void *arg, struct segment *ret)
{
	struct segment inner = { .ttl = 0 };
	uint32_t left, size;
	int proto;

	if (!has(c, 8))
		return PARSED_OTHER;
	inner.icmp_type = c->at[0];
	inner.icmp_code = c->at[1];
	if (type == ETHER_IPV4 ? c->at[0] != 3 && c->at[0] != 11 : c->at[0] != 1 && c->at[0] != 2 && c->at[0] != 3)
		return PARSED_OTHER;
	c->at += 8;
	proto = ip_header(c, type, &inner, &left);
	if (proto != 6 || !has(c, 8) || !(wanted(arg, &inner.src) || wanted(arg, &inner.dst)))
		return PARSED_OTHER;
	inner.src_port = u16(c->at);
	inner.dst_port = u16(c->at + 2);
	inner.seq = u32(c->at + 4);
	inner.flags = has(c, 14) ? c->at[13] : 0;
	size = has(c, 14) ? (c->at[12] >> 4) * 4u : TCP_HEADER_MAX;
	inner.length = left > size ? left - size : 0;
	inner.outgoing = ret->outgoing;
	inner.place = ret->place;
	*ret = inner;
	return PARSED_ICMP;
}

/* GRE (RFC 2784, 2890) and the mirrors that use it: ERSPAN type II, and III (draft-foschiano-erspan). */
static int gre(struct cursor *c)
{
	unsigned int flags;
	size_t size = 4;
	int type;

	if (!has(c, 4))
		return 0;
	flags = u16(c->at);
	type = u16(c->at + 2);
	size += (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
	if (type == GRE_ERSPAN2 && (flags & 0x1000)) /* type I has neither number nor header */
		size += 8;
	if (type == GRE_ERSPAN3 && has(c, size + 12))
		size += c->at[size + 11] & 1 ? 20 : 12;
	if ((flags & 7) || !has(c, size)) /* PPTP's GRE */
		return 0;
	c->at += size;
	return type == ETHER_BRIDGED || type == GRE_ERSPAN2 || type == GRE_ERSPAN3 ? ethernet(c) : behind_tags(c, type);
}

/* Behind the header of a tunnel, by the protocol of the IP packet that holds it: the type inside, 0 for no tunnel. */
static int tunnel(struct cursor *c, int proto)
{
	size_t size;
	int type;

	switch (proto) {
	case 4:
	case 41:
		return ip_version(c);
	case 47:
		return gre(c);
	case 17:
		if (!has(c, 16))
			return 0;
		switch (u16(c->at + 2)) {
		case PORT_VXLAN:
		case PORT_VXLAN_LINUX:
			c->at += 16;
			return ethernet(c);
		case PORT_GENEVE:
			size = 16 + (c->at[8] & 63u) * 4;
			type = u16(c->at + 10);
			if (!has(c, size))
				return 0;
			c->at += size;
			return type == ETHER_BRIDGED ? ethernet(c) : behind_tags(c, type);
		}
	}
	return 0;
}

enum parsed packet_parse(const struct packet *p, bool (*wanted)(const void *arg, const struct imds_addr *addr),
			 const void *arg, struct segment *ret)
{
	struct cursor c = { p->data, p->data + p->captured };
	uint32_t left;
	int type, proto;

	*ret = (struct segment){ .ttl = 0 };
	type = link_type(p, &c, ret);
	if (type < 0)
		return PARSED_LINK;
	/* an overlay's or a mirror's packets are judged as if they had been captured bare */
	for (int depth = 0; type == ETHER_IPV4 || type == ETHER_IPV6; depth++) {
		ret->fragment = 0;
		proto = ip_header(&c, type, ret, &left);
		if (proto == (type == ETHER_IPV4 ? 1 : 58))
			return icmp_error(&c, type, wanted, arg, ret);
		if (proto == 6) {
			if (!wanted(arg, &ret->dst) && !wanted(arg, &ret->src))
				return PARSED_OTHER;
			if (ret->fragment)
				return PARSED_CUT;
			return tcp_header(&c, left, ret) ? PARSED_TCP : PARSED_CUT;
		}
		type = depth < TUNNELS_MAX && !ret->fragment ? tunnel(&c, proto) : 0;
	}
	return PARSED_OTHER;
}
