/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names for what a drop record holds as numbers. Reason numbers differ between kernels (the TTL drop is 10 on Debian's
 * 6.1 and 15 on 6.18), so they are resolved by the running kernel's own BTF; locations by /proc/kallsyms.
 */
#ifndef IMDSNOOP_DROP_REASON_H
#define IMDSNOOP_DROP_REASON_H

#include <stdint.h>

struct btf; /* libbpf */
struct drop_reasons;

/*
 * btf: of the running kernel, NULL where there is none; it is not needed any more after the call. kallsyms: NULL for
 * /proc/kallsyms; read on the first look-up of an address and then only for addresses not seen before.
 * Returns 0 or -ENOMEM.
 */
int drop_reasons_new(const struct btf *btf, const char *kallsyms, struct drop_reasons **ret_reasons);
void drop_reasons_free(struct drop_reasons *d);

/*
 * "IP_INHDR", "NETFILTER_DROP": without SKB_DROP_REASON_. A subsystem's own reason (6.4, upper 16 bits) reads
 * "subsys2:5", a number without a name "reason:77". Never NULL; stays valid until drop_reasons_free().
 */
const char *drop_reasons_name(struct drop_reasons *d, uint32_t reason);

/* Number of a name, with or without its prefix. Returns 0, or -ENOENT on a kernel that has no such reason. */
int drop_reasons_number(const struct drop_reasons *d, const char *name, uint32_t *ret_reason);

/*
 * "ip_forward": the function that holds a return address; "" when it cannot be told (kernel.kptr_restrict). Never
 * NULL; stays valid until drop_reasons_free().
 */
const char *drop_reasons_location(struct drop_reasons *d, uint64_t address);

/*
 * First address of a function and the one behind its last, by kallsyms. Returns 0 or -ENOENT (none of that name, or the
 * addresses are hidden).
 */
int drop_reasons_function(struct drop_reasons *d, const char *name, uint64_t *ret_from, uint64_t *ret_to);

#endif
