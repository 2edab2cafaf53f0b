/* SPDX-License-Identifier: GPL-2.0-only */
/* What all floors ask of an address. IPv4 is held as ::ffff:0:0/96 (RFC 4291). */
#ifndef IMDSNOOP_ADDRESS_H
#define IMDSNOOP_ADDRESS_H

#include <stdbool.h>
#include <string.h>

#include "../../bpf/imdsnoop.h"

/* Then the address itself is the last four bytes. */
static inline bool address_is_v4(const struct imds_addr *a)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->b, mapped, sizeof(mapped));
}

#endif
