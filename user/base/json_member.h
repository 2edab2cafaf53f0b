/* SPDX-License-Identifier: GPL-2.0-only */
/* Members of JSON from outside, whatever they are. */
#ifndef IMDSNOOP_JSON_MEMBER_H
#define IMDSNOOP_JSON_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* What jansson takes for a value, in bytes, roughly; 64-bit. */
#define JSON_TREE_ARRAY 140
#define JSON_TREE_OBJECT 330
#define JSON_TREE_MEMBER 120

/* Bytes that the values of a JSON text will take at most, about; what stands in strings does not count. */
static inline size_t json_tree_bytes(const char *text, size_t len)
{
	static const unsigned short weights[256] = {
		['['] = JSON_TREE_ARRAY, ['{'] = JSON_TREE_OBJECT, [','] = JSON_TREE_MEMBER
	};
	bool in_string = false;
	size_t bytes = len;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string)
			bytes += weights[(unsigned char)text[i]];
	}
	return bytes;
}

/* "" where it is no text. Borrowed. */
static inline const char *json_text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

/* 0 where it is no integer, or below 0. */
static inline uint64_t json_count_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

#endif
