/* SPDX-License-Identifier: GPL-2.0-only */
/* From a captured packet to its TCP segment, or to the ICMP error that quotes one. Pure; any bytes are allowed. */
#ifndef IMDSNOOP_PACKET_PARSE_H
#define IMDSNOOP_PACKET_PARSE_H

#include "../../bpf/imdsnoop.h"
#include "packet_file.h"

#define SEGMENT_FIN 0x01
#define SEGMENT_SYN 0x02
#define SEGMENT_RST 0x04
#define SEGMENT_ACK 0x10

struct segment {
	struct imds_addr src, dst;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags; /* SEGMENT_* */
	uint8_t ttl;
	uint8_t family; /* 4, 6 */
	bool outgoing;	/* a cooked capture says that this machine sent it */
	bool fragment;	/* a later one: no ports */
	uint8_t icmp_type, icmp_code;
	uint32_t place;		   /* interface index of a cooked capture, else 0 */
	const uint8_t *payload;	   /* NULL: none */
	uint32_t length, captured; /* of the payload, on the wire and here */
};

enum parsed { PARSED_OTHER, PARSED_TCP, PARSED_ICMP, PARSED_CUT, PARSED_LINK };

/*
 * wanted tells by destination or source whether the rest is of interest, before ports are looked at. PARSED_LINK: a kind
 * of link that is not known; PARSED_CUT: of interest, but its headers are not whole.
 */
enum parsed packet_parse(const struct packet *p, bool (*wanted)(const void *arg, const struct imds_addr *addr),
			 const void *arg, struct segment *ret);

#endif
