/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256u << 20) /* vmlinux BTF is 2 to 10 MiB */
#define TRACE_PREFIX "btf_trace_"

/* include/uapi/linux/btf.h; written out, since older headers lack the newer ones */
enum {
	KIND_INT = 1,
	KIND_PTR,
	KIND_ARRAY,
	KIND_STRUCT,
	KIND_UNION,
	KIND_ENUM,
	KIND_TYPEDEF = 8,
	KIND_FUNC_PROTO = 13,
	KIND_VAR,
	KIND_DATASEC,
	KIND_DECL_TAG = 17,
	KIND_ENUM64 = 19,
	KIND_COUNT
};

/* Bytes behind struct btf_type: fixed, and per member. */
static const struct {
	uint8_t fixed, member;
} sizes[KIND_COUNT] = {
	[KIND_INT] = { 4, 0 },	    [KIND_ARRAY] = { 12, 0 },	  [KIND_STRUCT] = { 0, 12 }, [KIND_UNION] = { 0, 12 },
	[KIND_ENUM] = { 0, 8 },	    [KIND_FUNC_PROTO] = { 0, 8 }, [KIND_VAR] = { 4, 0 },     [KIND_DATASEC] = { 0, 12 },
	[KIND_DECL_TAG] = { 4, 0 }, [KIND_ENUM64] = { 0, 12 },
};

struct raw {
	const uint8_t *data;
	size_t len;
	bool mapped;
	const uint8_t *types;
	size_t types_len;
	const char *strings; /* ends in NUL */
	size_t strings_len;
	uint32_t *offsets; /* of each type; [0] is void */
	uint32_t count;
};

/* sysfs maps this file since 6.16; before, reading it takes a page a call. */
static int raw_open(const char *path, struct raw *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;
	uint8_t *buf;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_size <= 0 || st.st_size > FILE_MAX) {
		close(fd);
		return -EINVAL;
	}
	buf = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	r->mapped = buf != MAP_FAILED;
	r->data = buf;
	r->len = st.st_size;
	if (!r->mapped) {
		r->data = buf = malloc(st.st_size);
		r->len = 0;
		while (buf && r->len < (size_t)st.st_size) {
			n = read(fd, buf + r->len, st.st_size - r->len);
			if (n <= 0) {
				err = n < 0 ? -errno : 0;
				break;
			}
			r->len += n;
		}
		if (!buf)
			err = -ENOMEM;
	}
	close(fd);
	return err;
}

static void raw_close(struct raw *r)
{
	free(r->offsets);
	if (r->mapped)
		munmap((void *)r->data, r->len);
	else
		free((void *)r->data);
}

static const struct btf_type *raw_type(const struct raw *r, uint32_t id)
{
	return id && id < r->count ? (const void *)(r->types + r->offsets[id]) : NULL;
}

static const char *raw_name(const struct raw *r, uint32_t offset)
{
	return offset < r->strings_len ? r->strings + offset : "";
}

static int raw_index(struct raw *r)
{
	const struct btf_header *h = (const void *)r->data;
	uint32_t room;

	if (r->len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len < sizeof(*h) || h->hdr_len > r->len ||
	    h->type_off % 4 || (uint64_t)h->hdr_len + h->type_off + h->type_len > r->len ||
	    (uint64_t)h->hdr_len + h->str_off + h->str_len > r->len || h->hdr_len % 4)
		return -EINVAL;
	r->types = r->data + h->hdr_len + h->type_off;
	r->types_len = h->type_len;
	r->strings = (const char *)r->data + h->hdr_len + h->str_off;
	r->strings_len = h->str_len;
	if (!r->strings_len || r->strings[r->strings_len - 1])
		return -EINVAL;

	room = r->types_len / sizeof(struct btf_type) + 1; /* each type takes that much at least */
	r->offsets = malloc(room * sizeof(*r->offsets));
	if (!r->offsets)
		return -ENOMEM;
	r->offsets[0] = 0;
	r->count = 1;
	for (size_t at = 0; at < r->types_len;) {
		const struct btf_type *t = (const void *)(r->types + at);
		size_t size = sizeof(*t);

		if (r->types_len - at < size || btf_kind(t) >= KIND_COUNT)
			return -EINVAL;
		size += sizes[btf_kind(t)].fixed + (size_t)sizes[btf_kind(t)].member * btf_vlen(t);
		if (r->types_len - at < size)
			return -EINVAL;
		r->offsets[r->count++] = at;
		at += size;
	}
	return 0;
}

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* typedef -> pointer -> function */
static int copy_tracepoint(const struct raw *r, const struct btf_type *t, const char *name, struct btf *btf)
{
	const struct btf_type *target = raw_type(r, t->type);
	int proto, pointer, err;

	if (!target || btf_kind(target) != KIND_PTR)
		return 0;
	target = raw_type(r, target->type);
	if (!target || btf_kind(target) != KIND_FUNC_PROTO)
		return 0;
	proto = btf__add_func_proto(btf, 0);
	for (int i = 0; proto > 0 && i < btf_vlen(target); i++) {
		err = btf__add_func_param(btf, "", 0);
		if (err)
			return err;
	}
	pointer = proto < 0 ? proto : btf__add_ptr(btf, proto);
	err = pointer < 0 ? pointer : btf__add_typedef(btf, name, pointer);
	return err < 0 ? err : 0;
}

static int copy_enum(const struct raw *r, const struct btf_type *t, const char *name, struct btf *btf)
{
	const struct btf_enum *e = (const void *)(t + 1);
	int err = btf__add_enum(btf, name, 4);

	for (int i = 0; err >= 0 && i < btf_vlen(t); i++)
		err = btf__add_enum_value(btf, raw_name(r, e[i].name_off), e[i].val);
	return err < 0 ? err : 0;
}

int kernel_btf_load(const char *path, const char *const *tracepoints, const char *const *enums, struct btf **ret_btf)
{
	const size_t prefix = sizeof(TRACE_PREFIX) - 1;
	struct raw r = { 0 };
	struct btf *btf = NULL;
	int err;

	err = raw_open(path, &r);
	if (!err)
		err = raw_index(&r);
	if (!err) {
		btf = btf__new_empty();
		if (!btf)
			err = -ENOMEM;
	}
	for (uint32_t id = 1; !err && id < r.count; id++) {
		const struct btf_type *t = raw_type(&r, id);
		const char *name = raw_name(&r, t->name_off);

		if (btf_kind(t) == KIND_TYPEDEF && !strncmp(name, TRACE_PREFIX, prefix) &&
		    listed(tracepoints, name + prefix))
			err = copy_tracepoint(&r, t, name, btf);
		else if (btf_kind(t) == KIND_ENUM && listed(enums, name))
			err = copy_enum(&r, t, name, btf);
	}
	raw_close(&r);
	if (err)
		btf__free(btf);
	else
		*ret_btf = btf;
	return err;
}
