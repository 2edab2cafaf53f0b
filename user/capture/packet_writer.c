/* SPDX-License-Identifier: GPL-2.0-only */
#include "packet_writer.h"

#include <string.h>

#include "packet_file.h"

#define BLOCK_MAX 4096
#define NG_SECTION 0x0a0d0d0au
#define NG_INTERFACE 1u
#define NG_PACKET 6u
#define NG_BYTE_ORDER 0x1a2b3c4du

enum option { OPT_END, OPT_COMMENT, OPT_EPB_FLAGS, OPT_IF_NAME = 2, OPT_APPLICATION = 4, OPT_IF_TSRESOL = 9 };

/* A block while it is made: the host's byte order, which its section tells. */
struct block {
	uint8_t bytes[BLOCK_MAX];
	uint32_t len;
};

static void put(struct block *b, const void *data, uint32_t len)
{
	static const uint8_t zeros[4];

	memcpy(b->bytes + b->len, data, len);
	memcpy(b->bytes + b->len + len, zeros, -len & 3);
	b->len += (len + 3) & ~3u;
}

static void put32(struct block *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

/* Cut to what still fits beside an end of options and of the block. */
static void put_option(struct block *b, enum option code, const void *data, size_t len)
{
	size_t room = sizeof(b->bytes) - b->len - 20;
	uint16_t head[2] = { code, len < room ? len : room };

	put(b, head, sizeof(head));
	put(b, data, head[1]);
}

static void put_text(struct block *b, enum option code, const char *text)
{
	if (text)
		put_option(b, code, text, strlen(text));
}

static struct block block_begin(uint32_t type)
{
	struct block b = { .len = 0 };

	put32(&b, type);
	put32(&b, 0);
	return b;
}

static void block_write(struct block *b, FILE *f)
{
	uint32_t len;

	put32(b, OPT_END);
	len = b->len + 4;
	memcpy(b->bytes + 4, &len, sizeof(len));
	put32(b, len);
	fwrite(b->bytes, b->len, 1, f);
}

void packet_writer_begin(struct packet_writer *w, FILE *f, const char *application, const char *comment)
{
	struct block b = block_begin(NG_SECTION);

	*w = (struct packet_writer){ .f = f };
	put32(&b, NG_BYTE_ORDER);
	put32(&b, 1);	/* version 1.0 */
	put32(&b, ~0u); /* length of the section: not told */
	put32(&b, ~0u);
	put_text(&b, OPT_APPLICATION, application);
	put_text(&b, OPT_COMMENT, comment);
	block_write(&b, f);
}

static uint32_t interface(struct packet_writer *w, const char *name)
{
	static const uint8_t nanoseconds = 9;
	uint16_t link[2] = { LINK_RAW, 0 };
	struct block b;
	unsigned int i;

	for (i = 0; i < w->interfaces_len; i++)
		if (!strncmp(w->interfaces[i], name, sizeof(w->interfaces[i]) - 1))
			return i;
	if (i == PACKET_WRITER_INTERFACES)
		return i - 1;
	if (i == PACKET_WRITER_INTERFACES - 1)
		name = "other places";
	snprintf(w->interfaces[i], sizeof(w->interfaces[i]), "%s", name);
	w->interfaces_len++;
	b = block_begin(NG_INTERFACE);
	put(&b, link, sizeof(link));
	put32(&b, 0); /* no limit of captured bytes */
	put_text(&b, OPT_IF_NAME, w->interfaces[i]);
	put_option(&b, OPT_IF_TSRESOL, &nanoseconds, 1);
	block_write(&b, w->f);
	return i;
}

void packet_writer_add(struct packet_writer *w, const struct packet_writer_packet *p)
{
	uint32_t direction = p->outbound ? 2 : 1, i = interface(w, p->interface);
	struct block b = block_begin(NG_PACKET);

	put32(&b, i);
	put32(&b, p->ts_ns >> 32);
	put32(&b, p->ts_ns);
	put32(&b, p->captured);
	put32(&b, p->length);
	put(&b, p->data, p->captured < BLOCK_MAX / 2 ? p->captured : BLOCK_MAX / 2);
	put_option(&b, OPT_EPB_FLAGS, &direction, sizeof(direction));
	put_text(&b, OPT_COMMENT, p->comment);
	block_write(&b, w->f);
}
