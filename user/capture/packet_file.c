/* SPDX-License-Identifier: GPL-2.0-only */
#include "packet_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHUNK 65536
#define STEP_NS 100000000ull /* packets of one interface are out of order by less: its clock was set back */
#define BLOCK_MAX (1u << 24) /* of a pcapng block: options may be long, but not endless */

#define PCAP_US 0xa1b2c3d4u
#define PCAP_NS 0xa1b23c4du
#define NG_SECTION 0x0a0d0d0au
#define NG_INTERFACE 1u
#define NG_OLD_PACKET 2u
#define NG_SIMPLE 3u
#define NG_STATISTICS 5u
#define NG_PACKET 6u
#define NG_BYTE_ORDER 0x1a2b3c4du
#define NG_OPTION_COMMENT 1
#define NG_OPTION_IFDROP 5
#define NG_OPTION_OSDROP 7
#define NG_OPTION_TSRESOL 9
#define NG_OPTION_TSOFFSET 14

struct interface {
	uint16_t link;
	bool binary;	  /* time in 2^-exponent s, else 10^-exponent */
	uint8_t exponent; /* 6: microseconds */
	uint32_t snaplen;
	int64_t offset_s; /* to be added to each time */
	uint64_t last_ns, lost;
};

struct file {
	FILE *f;
	const char *name;
	z_stream z;
	bool begun, gzip, member_ended, swapped, next_generation, ended, nanoseconds, pending, placed, continued;
	uint8_t in[CHUNK], out[CHUNK];
	size_t at, len; /* of out */
	uint32_t interfaces_len;
	struct interface interfaces[PACKET_INTERFACES_MAX];
	uint8_t *bytes;	      /* PACKET_BYTES_MAX + 64 */
	struct packet packet; /* when pending */
	uint64_t stepped_ns;  /* by which its clock was set back so far */
	uint64_t lost;	      /* packets, by its own statistics */
};

struct packet_files {
	size_t len;
	struct file *files[PACKET_FILES_MAX];
};

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* More bytes into out: 0 at the end. */
static int refill(struct file *f)
{
	int err;

	f->at = f->len = 0;
	if (!f->gzip) {
		f->len = fread(f->out, 1, sizeof(f->out), f->f);
		return ferror(f->f) ? -EIO : 0;
	}
	f->z.next_out = f->out;
	f->z.avail_out = sizeof(f->out);
	while (f->z.avail_out == sizeof(f->out)) {
		if (!f->z.avail_in) {
			f->z.next_in = f->in;
			f->z.avail_in = fread(f->in, 1, sizeof(f->in), f->f);
			if (!f->z.avail_in)
				return ferror(f->f) ? -EIO : f->member_ended ? 0 : -EPIPE;
		}
		if (f->member_ended && !*f->z.next_in) { /* padding */
			f->z.next_in++;
			f->z.avail_in--;
			continue;
		}
		if (f->member_ended)
			inflateReset(&f->z); /* a member may follow */
		err = inflate(&f->z, Z_NO_FLUSH);
		if (err != Z_OK && err != Z_BUF_ERROR && err != Z_STREAM_END)
			return -EBADMSG;
		f->member_ended = err == Z_STREAM_END;
	}
	f->len = sizeof(f->out) - f->z.avail_out;
	return 0;
}

/* Exactly len bytes into buf (NULL: skipped). 1; 0: the end before the first; -EPIPE: the end in between. */
static int take(struct file *f, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n;
		int err;

		if (f->at == f->len) {
			err = refill(f);
			if (err)
				return err;
			if (!f->len)
				return done ? -EPIPE : 0;
		}
		n = f->len - f->at < len - done ? f->len - f->at : len - done;
		if (buf)
			memcpy((uint8_t *)buf + done, f->out + f->at, n);
		f->at += n;
		done += n;
	}
	return 1;
}

static int take_whole(struct file *f, void *buf, size_t len)
{
	int got = take(f, buf, len);

	return got == 1 || !len ? 0 : got ? got : -EPIPE;
}

static uint32_t u32_at(const struct file *f, const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, sizeof(v));
	return f->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t u16_at(const struct file *f, const uint8_t *b)
{
	uint16_t v;

	memcpy(&v, b, sizeof(v));
	return f->swapped ? __builtin_bswap16(v) : v;
}

/* Behind a step back time goes on from where it stood, as a monotonic clock does. */
static void set_time(struct file *f, struct interface *i, uint64_t ts_ns)
{
	ts_ns += f->stepped_ns;
	if (ts_ns + STEP_NS < i->last_ns) {
		f->stepped_ns += i->last_ns - ts_ns;
		ts_ns = i->last_ns;
	}
	i->last_ns = ts_ns > i->last_ns ? ts_ns : i->last_ns;
	f->packet.ts_ns = ts_ns;
}

/* --- pcapng ------------------------------------------------------------------------------------------------------- */

/* The option at *at of b[0, len), which moves behind it: its value. NULL: there is none. */
static const uint8_t *next_option(const struct file *f, const uint8_t *b, size_t *at, size_t len, uint16_t *ret_code,
				  uint16_t *ret_size)
{
	const uint8_t *value = b + *at + 4;

	if (*at + 4 > len)
		return NULL;
	*ret_code = u16_at(f, value - 4);
	*ret_size = u16_at(f, value - 2);
	if (!*ret_code || *at + 4 + *ret_size > len)
		return NULL;
	*at += 4 + ((*ret_size + 3u) & ~3u);
	return value;
}

static uint64_t u64_at(const struct file *f, const uint8_t *b)
{
	uint64_t v;

	memcpy(&v, b, sizeof(v));
	return f->swapped ? __builtin_bswap64(v) : v;
}

static void read_interface(struct file *f, const uint8_t *b, size_t len)
{
	struct interface *i = &f->interfaces[f->interfaces_len];
	const uint8_t *value;
	uint16_t code, size;
	size_t at = 8;

	if (len < 8 || f->interfaces_len == PACKET_INTERFACES_MAX)
		return;
	*i = (struct interface){ .link = u16_at(f, b), .exponent = 6, .snaplen = u32_at(f, b + 4) };
	while ((value = next_option(f, b, &at, len, &code, &size))) {
		if (code == NG_OPTION_TSRESOL && size >= 1) {
			i->binary = *value & 0x80;
			i->exponent = *value & 0x7f;
		}
		if (code == NG_OPTION_TSOFFSET && size >= 8)
			i->offset_s = (int64_t)u64_at(f, value);
	}
	f->interfaces_len++;
}

/* What the tool that captured lost of an interface's packets since its begin; the kernel's part of it may stand twice. */
static void read_statistics(struct file *f, const uint8_t *b, size_t len)
{
	struct interface *i;
	const uint8_t *value;
	uint16_t code, size;
	size_t at = 12;
	uint64_t lost;

	if (len < at || u32_at(f, b) >= f->interfaces_len)
		return;
	i = &f->interfaces[u32_at(f, b)];
	while ((value = next_option(f, b, &at, len, &code, &size))) {
		if ((code != NG_OPTION_IFDROP && code != NG_OPTION_OSDROP) || size < 8)
			continue;
		lost = u64_at(f, value);
		if (lost > i->lost && lost != UINT64_MAX) { /* all ones: not known */
			f->lost += lost - i->lost;
			i->lost = lost;
		}
	}
}

static uint64_t ticks_to_ns(const struct interface *i, uint64_t ticks)
{
	unsigned __int128 ns = (unsigned __int128)ticks * 1000000000u;

	if (i->binary)
		return i->exponent < 64 ? (uint64_t)(ns >> i->exponent) : 0;
	for (int n = 0; n < i->exponent && ns; n++)
		ns /= 10;
	return (uint64_t)ns;
}

/* The first comment among the options in bytes[at, len). */
static void set_comment(struct file *f, size_t at, size_t len)
{
	const uint8_t *value;
	uint16_t code, size;

	f->packet.comment = NULL;
	f->packet.comment_len = 0;
	while (!f->packet.comment && (value = next_option(f, f->bytes, &at, len, &code, &size)))
		if (code == NG_OPTION_COMMENT) {
			f->packet.comment = (const char *)value;
			f->packet.comment_len = size;
		}
}

/* ticks NULL: no time, that of the packet before stays. */
static int set_packet(struct file *f, uint32_t interface, const uint64_t *ticks, uint32_t captured, uint32_t length,
		      size_t at, size_t len)
{
	struct interface *i;

	if (!f->interfaces_len)
		return -EBADMSG;
	i = &f->interfaces[interface < f->interfaces_len ? interface : f->interfaces_len - 1];
	if (captured > len - at || captured > PACKET_BYTES_MAX)
		return -EBADMSG;
	if (ticks)
		set_time(f, i, ticks_to_ns(i, *ticks) + (uint64_t)i->offset_s * 1000000000u);
	f->packet.timeless = !ticks;
	f->packet.data = f->bytes + at;
	f->packet.captured = captured;
	f->packet.length = length < captured ? captured : length;
	f->packet.interface = interface;
	f->packet.link = i->link;
	set_comment(f, at + ((captured + 3u) & ~3u), len);
	f->pending = true;
	return 0;
}

/* It has its length alone: no time, no interface but the first (pcapng 4.4). */
static int set_simple(struct file *f, size_t len)
{
	uint32_t length = u32_at(f, f->bytes), captured = length;

	if (f->interfaces_len && f->interfaces[0].snaplen && captured > f->interfaces[0].snaplen)
		captured = f->interfaces[0].snaplen;
	return set_packet(f, 0, NULL, captured, length, 4, len);
}

static int read_section(struct file *f)
{
	uint8_t b[8];
	uint32_t order, len;
	int err = take_whole(f, b, sizeof(b));

	if (err)
		return err;
	memcpy(&order, b + 4, sizeof(order));
	if (order != NG_BYTE_ORDER && __builtin_bswap32(order) != NG_BYTE_ORDER)
		return -EBADMSG;
	f->swapped = order != NG_BYTE_ORDER;
	len = u32_at(f, b);
	if (len < 28 || len > BLOCK_MAX || len % 4)
		return -EBADMSG;
	f->interfaces_len = 0;
	return take_whole(f, NULL, len - 12);
}

/* One block, behind its type. */
static int read_block(struct file *f, uint32_t type)
{
	uint8_t b[4];
	uint32_t len, kept;
	uint64_t ticks;
	int err;

	if (type == NG_SECTION || __builtin_bswap32(type) == NG_SECTION)
		return read_section(f);
	err = take_whole(f, b, sizeof(b));
	if (err)
		return err;
	len = u32_at(f, b);
	if (len < 12 || len % 4 || len > BLOCK_MAX)
		return -EBADMSG;
	len -= 12;
	kept = len < PACKET_BYTES_MAX ? len : PACKET_BYTES_MAX;
	err = take_whole(f, f->bytes, kept);
	if (!err)
		err = take_whole(f, NULL, len - kept + 4);
	if (err)
		return err;
	if (type == NG_INTERFACE)
		read_interface(f, f->bytes, kept);
	else if (type == NG_STATISTICS)
		read_statistics(f, f->bytes, kept);
	else if ((type == NG_PACKET || type == NG_OLD_PACKET) && kept >= 20) {
		ticks = (uint64_t)u32_at(f, f->bytes + 4) << 32 | u32_at(f, f->bytes + 8);
		return set_packet(f, type == NG_PACKET ? u32_at(f, f->bytes) : u16_at(f, f->bytes), &ticks,
				  u32_at(f, f->bytes + 12), u32_at(f, f->bytes + 16), 20, kept);
	} else if (type == NG_SIMPLE && kept >= 4)
		return set_simple(f, kept);
	return 0; /* names, a journal, secrets, what others made */
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int begin(struct file *f)
{
	uint8_t b[24];
	uint32_t magic;
	int first, got;

	first = getc(f->f);
	if (first == EOF)
		return ferror(f->f) ? -EIO : -ENODATA;
	ungetc(first, f->f);
	f->gzip = first == 0x1f;
	if (f->gzip && inflateInit2(&f->z, 15 + 16) != Z_OK)
		return -ENOMEM;
	got = take(f, b, 4);
	if (got != 1)
		return got ? got : -ENODATA;
	memcpy(&magic, b, 4);
	if (magic == NG_SECTION) {
		f->next_generation = true;
		return read_section(f);
	}
	f->swapped = __builtin_bswap32(magic) == PCAP_US || __builtin_bswap32(magic) == PCAP_NS;
	magic = u32_at(f, b);
	if (magic != PCAP_US && magic != PCAP_NS)
		return -EINVAL;
	f->nanoseconds = magic == PCAP_NS;
	got = take_whole(f, b + 4, 20);
	if (got)
		return got;
	f->interfaces[0] = (struct interface){ .link = u32_at(f, b + 20) & 0xffff };
	f->interfaces_len = 1;
	return 0;
}

static int read_pcap_packet(struct file *f)
{
	uint8_t b[16];
	uint32_t captured;
	int got = take(f, b, sizeof(b));

	if (got != 1)
		return got ? got : -ENODATA;
	captured = u32_at(f, b + 8);
	if (captured > PACKET_BYTES_MAX)
		return -EBADMSG;
	got = take_whole(f, f->bytes, captured);
	if (got)
		return got;
	f->packet = (struct packet){ .file = f->packet.file,
				     .data = f->bytes,
				     .captured = captured,
				     .length = u32_at(f, b + 12),
				     .link = f->interfaces[0].link };
	if (f->packet.length < captured)
		f->packet.length = captured;
	set_time(f, &f->interfaces[0],
		 u32_at(f, b) * 1000000000ull + (uint64_t)u32_at(f, b + 4) * (f->nanoseconds ? 1 : 1000));
	f->pending = true;
	return 0;
}

/* Until a packet is pending; -ENODATA at the end. */
static int advance(struct file *f)
{
	int err = 0;

	while (!err && !f->pending) {
		uint8_t b[4];
		int got;

		if (!f->next_generation) {
			err = read_pcap_packet(f);
			continue;
		}
		got = take(f, b, sizeof(b));
		err = got == 1 ? read_block(f, u32_at(f, b)) : got ? got : -ENODATA;
	}
	return err;
}

static const char *why(int err)
{
	switch (err) {
	case -ENODATA:
		return "empty";
	case -EINVAL:
		return "neither pcap nor pcapng (a trace is read alone, and not compressed)";
	case -EPIPE:
		return "cut off in the middle of a packet: what was before it is used";
	case -EBADMSG:
		return "damaged: what was before that is used";
	default:
		return strerror(-err);
	}
}

bool packet_file_begins(int first)
{
	return first == 0xd4 || first == 0xa1 || first == 0x4d || first == 0x0a || first == 0x1f;
}

struct packet_files *packet_files_new(FILE *const *files, const char *const *names, size_t len)
{
	struct packet_files *p = len <= PACKET_FILES_MAX ? calloc(1, sizeof(*p)) : NULL;

	for (size_t i = 0; p && i < len; i++) {
		struct file *f = calloc(1, sizeof(*f));

		p->files[p->len] = f;
		if (f)
			f->bytes = malloc(PACKET_BYTES_MAX + 64);
		p->len += f != NULL;
		if (!f || !f->bytes) {
			packet_files_free(p);
			return NULL;
		}
		f->f = files[i];
		f->name = names[i];
		f->packet.file = i;
	}
	return p;
}

void packet_files_free(struct packet_files *p)
{
	for (size_t i = 0; p && i < p->len; i++) {
		if (p->files[i]->gzip)
			inflateEnd(&p->files[i]->z);
		free(p->files[i]->bytes);
		free(p->files[i]);
	}
	free(p);
}

static size_t alike(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/*
 * Where it was captured: a file of the same kind of interface that ended before this one begins is the same place, for tcpdump
 * and dumpcap rotate their files. Those of several places at once overlap in time; of several that ended, the name tells.
 */
static void place(struct packet_files *p, struct file *f)
{
	struct file *best = NULL;

	f->placed = true;
	for (size_t i = 0; i < p->len; i++) {
		struct file *before = p->files[i];

		if (before->ended && before->placed && !before->continued && before->packet.link == f->packet.link &&
		    (!best || alike(before->name, f->name) > alike(best->name, f->name)))
			best = before;
	}
	if (!best)
		return;
	best->continued = true;
	f->packet.file = best->packet.file;
}

int packet_files_next(struct packet_files *p, struct packet *ret, char *msg, size_t msg_len)
{
	struct file *best = NULL;

	for (size_t i = 0; i < p->len; i++) {
		struct file *f = p->files[i];
		int err = 0;

		if (f->ended)
			continue;
		if (!f->begun)
			err = begin(f);
		f->begun = true;
		if (!err && !f->pending) {
			err = advance(f);
			if (err == -ENODATA) {
				f->ended = true;
				continue;
			}
		}
		if (err) {
			f->ended = true;
			snprintf(msg, msg_len, "'%.200s': %s", f->name, why(err));
			return err;
		}
		if (!best || f->packet.ts_ns < best->packet.ts_ns)
			best = f;
	}
	if (!best)
		return 0;
	if (!best->placed)
		place(p, best);
	*ret = best->packet;
	best->pending = false;
	return 1;
}

uint64_t packet_files_lost(const struct packet_files *p)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < p->len; i++)
		lost += p->files[i]->lost;
	return lost;
}
