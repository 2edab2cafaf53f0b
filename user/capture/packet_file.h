/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of capture files, pcap and pcapng, plain or gzip, in the order of time over all files. Read by itself and not
 * by libpcap: that refuses interfaces of different kinds in one file, drops comments, and its static archive needs D-Bus.
 * Files are foreign: every length is checked, memory is constant.
 */
#ifndef IMDSNOOP_PACKET_FILE_H
#define IMDSNOOP_PACKET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PACKET_FILES_MAX 64	    /* read together */
#define PACKET_INTERFACES_MAX 1024  /* of one file; those behind are read as the last one's kind */
#define PACKET_BYTES_MAX (1u << 18) /* of one packet, libpcap's own bound; longer ones mean a damaged file */

/* LINKTYPE_* of the format's registry. */
enum packet_link {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_NFLOG = 239, /* not read: the hook decides on which side of the forward a TTL is */
	LINK_SLL2 = 276
};

struct packet {
	uint64_t ts_ns; /* since 1970 */
	const uint8_t *data;
	uint32_t captured, length; /* bytes here, bytes on the wire */
	uint32_t file, interface;  /* rotated files are one */
	uint16_t link;		   /* enum packet_link */
	bool timeless;		   /* a pcapng Simple Packet Block: ts_ns is that of the packet before */
	const char *comment;	   /* the first one of a pcapng packet, not ended by a NUL; NULL: none */
	uint32_t comment_len;
};

struct packet_files;

/* True when a file that begins so may be a capture; the first line of a trace is not. */
bool packet_file_begins(int first_byte);

/* files are borrowed. Returns NULL without memory, or for more than PACKET_FILES_MAX. */
struct packet_files *packet_files_new(FILE *const *files, const char *const *names, size_t len);
void packet_files_free(struct packet_files *p);

/*
 * The next packet, valid until the next call: 1, or 0 at the end of all. A negative errno: a file cannot be read on; msg
 * says which and why in one line, and the next call goes on with the others.
 */
int packet_files_next(struct packet_files *p, struct packet *ret, char *msg, size_t msg_len);
/* How many packets their tools say that they lost, as far as the files were read. */
uint64_t packet_files_lost(const struct packet_files *p);

#endif
