/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes of a packet through the table of http_scan.h, and past what it need not see. */
#ifndef IMDSNOOP_SCAN_BPF_H
#define IMDSNOOP_SCAN_BPF_H

#include "flow.bpf.h"

/* A LF among eight bytes. */
static __always_inline __u64 has_lf(__u64 w)
{
	w ^= 0x0a0a0a0a0a0a0a0aull;
	return (w - 0x0101010101010101ull) & ~w & 0x8080808080808080ull;
}

/*
 * The bytes are copied to the stack, never into a map: they may hold a token. The words are shifted along instead of
 * indexed, because 5.10 forbids reading the stack at a variable offset. chunk is a constant power of two.
 */
static __always_inline int scan(struct __sk_buff *skb, struct imds_scan *s, char *path, __u32 off, __u32 len, __u32 chunk)
{
	__u32 state = s->state, words = s->words, used = 0, n, k, all;
	__u64 w[SCAN_CHUNK / 8];

	for (int round = 0; round < (chunk == SCAN_CHUNK_LITE ? 1 : SCAN_CHUNKS); round++) {
		__u32 left = len - used;

		if (!left)
			break;
		/*
		 * The lesser of left and chunk without a branch, so that the verifier goes through the loop with one range
		 * for n, not also with the constant; and with a lower bound of 1, which those before 6.8 do not learn from
		 * "not 0".
		 */
		n = left / chunk;
		n = (__s32)(n | -n) >> 31;
		barrier_var(n);
		n = ((left - 1) | n) & (chunk - 1);
		barrier_var(n);
		n = (n & (chunk - 1)) + 1;
		__builtin_memset(w, 0, sizeof(w));
		if (bpf_skb_load_bytes(skb, off + used, w, n))
			break;
		all = n;
		k = 0;
#define BYTE(j)                                                                     \
	if (k + (j) >= n)                                                           \
		break;                                                              \
	state = imds_scan_step(&imds_http, s, path, state, &words, &n, (__u8)w[0]); \
	if (!n) {                                                                   \
		k += (j) + 1;                                                       \
		break;                                                              \
	}                                                                           \
	w[0] >>= 8
#define WORD()   \
	BYTE(0); \
	BYTE(1); \
	BYTE(2); \
	BYTE(3); \
	BYTE(4); \
	BYTE(5); \
	BYTE(6); \
	BYTE(7)
		if (chunk == SCAN_CHUNK_LITE) {
			do {
				WORD();
				k += 8;
				w[0] = w[1];
				WORD();
				k += 8;
			} while (0);
		} else {
			for (k = 0; k < SCAN_CHUNK; k += 8) {
				__u32 within = state ^ IMDS_HTTP_ANY;

				barrier_var(within);
				if ((within || has_lf(w[0])) &&
				    !imds_scan_usual(&imds_http, s, path, &state, &words, w[0])) {
					WORD();
				}
				w[0] = w[1];
				w[1] = w[2];
				w[2] = w[3];
				w[3] = w[4];
				w[4] = w[5];
				w[5] = w[6];
				w[6] = w[7];
			}
		}
		used += n ? all : k;
		if (!n)
			break;
	}
#undef BYTE
#undef WORD
	s->state = state;
	s->words = words;
	return used;
}

static __always_inline bool chunk_has_lf(struct __sk_buff *skb, __u32 off)
{
	__u64 w[8];

	return bpf_skb_load_bytes(skb, off, w, sizeof(w)) || (has_lf(w[0]) | has_lf(w[1]) | has_lf(w[2]) | has_lf(w[3]) |
							      has_lf(w[4]) | has_lf(w[5]) | has_lf(w[6]) | has_lf(w[7]));
}

/* Bytes of a header line that can be left out, 64 at a time. */
static __always_inline __u32 line_bytes(struct __sk_buff *skb, __u32 off, __u32 len)
{
	__u32 start = off;

#define STEP()                                  \
	if (len < 64 || chunk_has_lf(skb, off)) \
		return off - start;             \
	off += 64;                              \
	len -= 64
	STEP();
	STEP();
	STEP();
	STEP();
	STEP();
	STEP();
	STEP();
	STEP();
#undef STEP
	return off - start;
}

/* The next bytes of a message that is neither in a body's data nor past its head. */
static __always_inline int scan_some(struct __sk_buff *skb, struct imds_scan *s, char *path, __u32 off, __u32 len,
				     __u32 chunk)
{
	if (s->state == IMDS_HTTP_DEAD)
		return len;
	return scan(skb, s, path, off, len, chunk);
}

#endif
