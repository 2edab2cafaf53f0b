/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conversations that tests/lib/llhttp.js made up, with what node's own HTTP parser reads in them. Whoever reads heads by
 * the HTTP table plays one and is judged: same messages, same ends, same words; or the difference is in the list.
 */
#ifndef IMDSNOOP_TESTS_LLHTTP_H
#define IMDSNOOP_TESTS_LLHTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../../bpf/imdsnoop.h"

#define LLHTTP_BYTES 65536
#define LLHTTP_MESSAGES 16

struct llhttp_message {
	uint32_t length; /* bytes, of a request without empty lines ahead of it */
	uint32_t words;
	uint16_t status;
	uint8_t method, kind, path_len;
	bool any_length; /* where it ends is a row of the list */
	bool folded;	 /* a header of the client goes on in another line */
	char path[IMDS_PATH_LEN];
};

struct llhttp_conversation {
	uint32_t id;
	bool answers; /* the messages are answers, to as many requests; else requests */
	uint8_t len;
	enum { LLHTTP_BETWEEN, LLHTTP_WITHIN, LLHTTP_REFUSED } rest; /* behind the last message */
	char error[64];						     /* of LLHTTP_REFUSED */
	uint32_t client_len, service_len;
	uint8_t client[LLHTTP_BYTES], service[LLHTTP_BYTES];
	struct llhttp_message messages[LLHTTP_MESSAGES];
};

bool llhttp_is_there(void); /* node, with its parser within reach, version 9 or later: the list is of that one */
/* NULL: it is not. llhttp_close() reads what is left; 0: node ended well. */
FILE *llhttp_open(unsigned long messages, unsigned long seed);
int llhttp_close(FILE *f);
/* False at the end. A broken stream aborts. */
bool llhttp_next(FILE *f, struct llhttp_conversation *ret);

/*
 * requests: the records of a conversation in order, len of them. Returns NULL, or what is wrong, valid until the next
 * call. Differences of the list are counted.
 */
const char *llhttp_judge(const struct llhttp_conversation *c, const struct imds_request *requests, size_t len);
/* How many messages agreed, and each difference of the list with its reason and how often it was met. */
void llhttp_print_counts(FILE *f);

#endif
