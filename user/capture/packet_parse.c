/* SPDX-License-Identifier: GPL-2.0-only */
#include "packet_parse.h"

#include <string.h>

#define ETHER_IPV4 0x0800
#define ETHER_IPV6 0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8
#define SLL_OUTGOING 4
#define EXTENSIONS_MAX 8

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

/* Behind the link's header: the Ethernet type, 0 for what is not IP or is cut, -1 for an unknown link. */
static int link_type(const struct packet *p, struct cursor *c, struct segment *ret)
{
	int type = 0;

	switch (p->link) {
	case LINK_ETHERNET:
		if (!has(c, 14))
			return 0;
		type = u16(c->at + 12);
		c->at += 14;
		for (int i = 0; i < 3 && (type == ETHER_VLAN || type == ETHER_QINQ) && has(c, 4); i++) {
			type = u16(c->at + 2);
			c->at += 4;
		}
		return type;
	case LINK_SLL:
		if (!has(c, 16))
			return 0;
		ret->outgoing = u16(c->at) == SLL_OUTGOING;
		/* without an index, what comes in and what goes out are all that tells two places apart */
		type = u16(c->at + 14);
		c->at += 16;
		break;
	case LINK_SLL2:
		if (!has(c, 20))
			return 0;
		ret->place = u32(c->at + 4);
		ret->outgoing = c->at[10] == SLL_OUTGOING;
		type = u16(c->at);
		c->at += 20;
		break;
	case LINK_NULL:
	case LINK_LOOP:
		if (!has(c, 4))
			return 0;
		c->at += 4;
		return has(c, 1) ? (c->at[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4) : 0;
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return has(c, 1) ? (c->at[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4) : 0;
	default:
		return -1;
	}
	for (int i = 0; i < 3 && (type == ETHER_VLAN || type == ETHER_QINQ) && has(c, 4); i++) {
		type = u16(c->at + 2);
		c->at += 4;
	}
	return type;
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
	uint32_t left;
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
	inner.quoted = true;
	inner.outgoing = ret->outgoing;
	inner.place = ret->place;
	*ret = inner;
	return PARSED_ICMP;
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
	if (type != ETHER_IPV4 && type != ETHER_IPV6)
		return PARSED_OTHER;
	proto = ip_header(&c, type, ret, &left);
	if (proto == (type == ETHER_IPV4 ? 1 : 58))
		return icmp_error(&c, type, wanted, arg, ret);
	if (proto != 6 || !(wanted(arg, &ret->dst) || wanted(arg, &ret->src)))
		return PARSED_OTHER;
	if (ret->fragment)
		return PARSED_CUT;
	return tcp_header(&c, left, ret) ? PARSED_TCP : PARSED_CUT;
}
