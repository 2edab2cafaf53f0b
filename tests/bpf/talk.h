/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tables share: one rig, sending on a connection, and saying what is wrong. */
#ifndef IMDSNOOP_TESTS_TALK_H
#define IMDSNOOP_TESTS_TALK_H

#include <setjmp.h>

#include "rig.h"

#define IMDS4 0xa9fea9feu
#define ROUTER_TTL 64

#define PUT                                                           \
	"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n" \
	"X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n"
#define GET_V1 "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_V2 "GET /latest/meta-data/iam/security-credentials/role HTTP/1.1\r\nX-aws-ec2-metadata-token: abc\r\n\r\n"
#define OK4 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nABCD"
#define LEN(s) (sizeof(s) - 1)

extern struct rig *rig;
extern jmp_buf failed_at; /* a case ends there when it fails */
extern const char *row;	  /* of a table, shown when it fails */

void __attribute__((noreturn, format(printf, 2, 3))) give_up(int line, const char *format, ...);

#define equal(got, want)                                                                 \
	do {                                                                             \
		long long got_ = (got), want_ = (want);                                  \
		if (got_ != want_)                                                       \
			give_up(__LINE__, "%s is %lld, wanted %lld", #got, got_, want_); \
	} while (0)
#define ensure(what)                                              \
	do {                                                      \
		if (!(what))                                      \
			give_up(__LINE__, "not true: %s", #what); \
	} while (0)

/* Each packet must pass: the program returns 1. */
void run(bool egress, const uint8_t *packet, size_t len, const struct conn *c);
void tcp(const struct conn *c, bool egress, uint8_t flags, uint32_t seq, uint32_t ack, const void *data, size_t len);
/* The next segment of the client, of the service. */
void out(struct conn *c, uint8_t flags, const void *data, size_t len);
void in(struct conn *c, uint8_t flags, const void *data, size_t len);
void send_text(struct conn *c, const char *text);
void answer(struct conn *c, const char *text);

struct conn conn_new(void); /* a new socket */
void handshake(struct conn *c);
struct conn conn_open(void); /* both */

const struct imds_rec_request *request(size_t i); /* record number i, from 0; fails when there is none */
size_t requests(void);
uint64_t all_losses(void);
void nothing_left(void); /* no connection is remembered in any table */

/* The cases, one function a file's group. */
void conversations_over_ipv4(void);
void conversations_over_ipv6(void);
void head_may_be_cut_at_every_byte(void);
void pipeline_is_bounded(void);
void no_secret_leaves_the_kernel(void);
void garbage_passes(void);
void heads_are_read_as_llhttp_reads_them(void);
void programs_can_only_pass(void);

#endif
