/* SPDX-License-Identifier: GPL-2.0-only */
#include "drop_reason.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "SKB_DROP_REASON_"
#define SUBSYSTEM_MASK 0xffff0000u /* SKB_DROP_REASON_SUBSYS_MASK, include/net/dropreason.h, since 6.4 */
#define SYMBOL_LEN 64
#define LOCATIONS_MAX 256 /* a kernel has a few hundred places that drop; few of them see our packets */
#define UNNAMED_MAX 64
#define FUNCTION_MAX (1u << 20) /* further from a symbol than any function is long: not in it */

struct reason {
	uint32_t number;
	char name[48];
};

struct location {
	uint64_t address;
	char symbol[SYMBOL_LEN];
};

struct drop_reasons {
	struct reason *reasons; /* of the kernel, sorted by number */
	size_t reasons_len;
	struct reason unnamed[UNNAMED_MAX];
	size_t unnamed_len;
	struct location locations[LOCATIONS_MAX];
	size_t locations_len;
	const char *kallsyms;
	bool kallsyms_useless; /* unreadable, or all addresses zero */
};

static int reason_compare(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static const char *without_prefix(const char *name)
{
	return strncmp(name, PREFIX, sizeof(PREFIX) - 1) ? name : name + sizeof(PREFIX) - 1;
}

/* 5.17 to 6.x: one enum. Its last two (MAX, SUBSYS_MASK) are no reasons. */
static int load_reasons(const struct btf *btf, struct drop_reasons *d)
{
	const struct btf_type *t = NULL;
	const struct btf_enum *e;
	int id = btf ? btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM) : -ENOENT;

	if (id > 0)
		t = btf__type_by_id(btf, id);
	if (!t || !btf_vlen(t))
		return 0;
	d->reasons = calloc(btf_vlen(t), sizeof(*d->reasons));
	if (!d->reasons)
		return -ENOMEM;
	e = btf_enum(t);
	for (int i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, e[i].name_off);
		struct reason *r = &d->reasons[d->reasons_len];

		if (!name || strncmp(name, PREFIX, sizeof(PREFIX) - 1))
			continue; /* SKB_NOT_DROPPED_YET, SKB_CONSUMED: no reasons */
		name = without_prefix(name);
		if (!strcmp(name, "MAX") || !strcmp(name, "SUBSYS_MASK"))
			continue;
		r->number = e[i].val;
		snprintf(r->name, sizeof(r->name), "%s", name);
		d->reasons_len++;
	}
	qsort(d->reasons, d->reasons_len, sizeof(*d->reasons), reason_compare);
	return 0;
}

int drop_reasons_new(const struct btf *btf, const char *kallsyms, struct drop_reasons **ret_reasons)
{
	struct drop_reasons *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->kallsyms = kallsyms ? kallsyms : "/proc/kallsyms";
	err = load_reasons(btf, d);
	if (err)
		drop_reasons_free(d);
	else
		*ret_reasons = d;
	return err;
}

void drop_reasons_free(struct drop_reasons *d)
{
	if (!d)
		return;
	free(d->reasons);
	free(d);
}

const char *drop_reasons_name(struct drop_reasons *d, uint32_t reason)
{
	struct reason *r, key = { .number = reason };

	r = d->reasons_len ? bsearch(&key, d->reasons, d->reasons_len, sizeof(key), reason_compare) : NULL;
	if (r)
		return r->name;
	for (size_t i = 0; i < d->unnamed_len; i++)
		if (d->unnamed[i].number == reason)
			return d->unnamed[i].name;
	if (d->unnamed_len == UNNAMED_MAX)
		return "other";
	r = &d->unnamed[d->unnamed_len++];
	r->number = reason;
	if (reason & SUBSYSTEM_MASK)
		snprintf(r->name, sizeof(r->name), "subsys%u:%u", reason >> 16, reason & ~SUBSYSTEM_MASK);
	else
		snprintf(r->name, sizeof(r->name), "reason:%u", reason);
	return r->name;
}

int drop_reasons_number(const struct drop_reasons *d, const char *name, uint32_t *ret_reason)
{
	name = without_prefix(name);
	for (size_t i = 0; i < d->reasons_len; i++)
		if (!strcmp(d->reasons[i].name, name)) {
			*ret_reason = d->reasons[i].number;
			return 0;
		}
	return -ENOENT;
}

/*
 * The symbol with the greatest address up to `address`, by one pass: 200,000 symbols kept in memory would cost more
 * than the whole rest of the program, and only a handful of places is ever asked for. Lines: "ffffffff81000000 T name
 * [module]"; the list is not sorted across modules.
 */
static void resolve(struct drop_reasons *d, struct location *l)
{
	uint64_t best = 0, target = l->address - 1; /* a return address may be the first byte behind its function */
	FILE *f = fopen(d->kallsyms, "re");
	unsigned long long address;
	bool any = false;
	char line[768];

	if (!f) {
		d->kallsyms_useless = true;
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		char *type, *name;

		address = strtoull(line, &type, 16);
		any |= address != 0;
		if (address <= best || address > target || *type != ' ' || !type[1] || !strchr("tTwW", type[1]) ||
		    type[2] != ' ')
			continue;
		name = type + 3;
		best = address;
		snprintf(l->symbol, sizeof(l->symbol), "%.*s", (int)strcspn(name, " \t\n"), name);
	}
	fclose(f);
	d->kallsyms_useless = !any;
	if (target - best >= FUNCTION_MAX)
		l->symbol[0] = '\0';
}

int drop_reasons_function(struct drop_reasons *d, const char *name, uint64_t *ret_from, uint64_t *ret_to)
{
	FILE *f = fopen(d->kallsyms, "re");
	uint64_t from = 0, to = UINT64_MAX;
	char line[768];

	if (!f)
		return -ENOENT;
	/* the list is sorted within the kernel itself, but where a function ends only the next symbol tells */
	for (int pass = 0; pass < 2; pass++) {
		rewind(f);
		while (fgets(line, sizeof(line), f)) {
			char *type;
			unsigned long long address = strtoull(line, &type, 16);
			size_t len;

			if (!address || *type != ' ' || !type[1] || !strchr("tTwW", type[1]) || type[2] != ' ')
				continue;
			len = strcspn(type + 3, " \t\n");
			if (pass && address > from && address < to)
				to = address;
			else if (!pass && len == strlen(name) && !strncmp(type + 3, name, len))
				from = address;
		}
		if (!from)
			break;
	}
	fclose(f);
	if (!from)
		return -ENOENT;
	*ret_from = from;
	*ret_to = to - from < FUNCTION_MAX ? to : from + FUNCTION_MAX;
	return 0;
}

const char *drop_reasons_location(struct drop_reasons *d, uint64_t address)
{
	struct location *l;

	if (!address)
		return "";
	for (size_t i = 0; i < d->locations_len; i++)
		if (d->locations[i].address == address)
			return d->locations[i].symbol;
	if (d->kallsyms_useless)
		return "";
	if (d->locations_len == LOCATIONS_MAX)
		return "other";
	l = &d->locations[d->locations_len++];
	l->address = address;
	resolve(d, l);
	return l->symbol;
}
