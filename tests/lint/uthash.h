/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the static analysers read in place of <uthash.h>: the same macros on a plain list. The real ones unlink through the
 * table's head, where an analyser sees reads of freed memory that cannot happen, and hash bytes for a long time.
 */
#ifndef LINT_UTHASH_H
#define LINT_UTHASH_H

#include <stddef.h>
#include <string.h>

typedef struct UT_hash_handle {
	void *tbl, *prev, *next;
} UT_hash_handle;

void *lint_find(const void *head, const void *key, size_t len);
void *lint_add(void *head, void *element, const void *key, size_t len);
unsigned int lint_count(const void *head);

#define HASH_FIND(hh, head, keyptr, len, out) ((out) = (head) ? lint_find(head, keyptr, len) : NULL)
#define HASH_FIND_STR(head, str, out) HASH_FIND(hh, head, str, strlen(str), out)
#define HASH_ADD_KEYPTR(hh, head, keyptr, len, add) ((head) = lint_add(head, add, keyptr, len))
#define HASH_ADD(hh, head, field, len, add) HASH_ADD_KEYPTR(hh, head, &(add)->field, len, add)
#define HASH_ADD_STR(head, field, add) HASH_ADD_KEYPTR(hh, head, (add)->field, strlen((add)->field), add)
#define HASH_DEL(head, el) ((head) = (head) == (el) ? (el)->hh.next : (head))
#define HASH_COUNT(head) ((head) ? lint_count(head) : 0u)
#define HASH_ITER(hh, head, el, tmp) \
	for ((el) = (head), (tmp) = (el) ? (el)->hh.next : NULL; el; (el) = (tmp), (tmp) = (tmp) ? (tmp)->hh.next : NULL)

#endif
