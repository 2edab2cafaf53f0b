/* SPDX-License-Identifier: GPL-2.0-only */
/* What bpf/http_scan.h must find, by a plain parser that sees all bytes at once. */
#ifndef IMDSNOOP_HTTP_REFERENCE_H
#define IMDSNOOP_HTTP_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/imdsnoop.h"

struct http_reference {
	bool ended, dead; /* the head is over; the bytes are no HTTP */
	size_t end;	  /* behind the head, or all bytes */
	enum imds_method method;
	uint32_t words;
	uint32_t length;
	uint16_t status;
	size_t path_len;
	char path[IMDS_PATH_LEN];
};

void http_reference_parse(const uint8_t *buf, size_t len, bool answer, struct http_reference *ret);

#endif
