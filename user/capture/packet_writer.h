/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets into a pcapng file: IP packets, nanoseconds, interfaces by name, a comment with each packet. */
#ifndef IMDSNOOP_PACKET_WRITER_H
#define IMDSNOOP_PACKET_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PACKET_WRITER_INTERFACES 64 /* told apart; those behind are one, "other places" */

struct packet_writer {
	FILE *f; /* borrowed; its error flag tells whether all could be written */
	unsigned int interfaces_len;
	char interfaces[PACKET_WRITER_INTERFACES][64];
};

/* Writes what a file begins with. application: who writes it; comment: what this is. */
void packet_writer_begin(struct packet_writer *w, FILE *f, const char *application, const char *comment);

struct packet_writer_packet {
	const char *interface; /* its name; written when it is new */
	uint64_t ts_ns;	       /* since 1970 */
	const uint8_t *data;
	uint32_t captured, length; /* bytes here, bytes on the wire */
	bool outbound;
	const char *comment; /* UTF-8, NULL: none */
};

/* Nothing that p points to is kept. */
void packet_writer_add(struct packet_writer *w, const struct packet_writer_packet *p);

#endif
