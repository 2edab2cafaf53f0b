/* SPDX-License-Identifier: GPL-2.0-only */
/* Members of JSON from outside, whatever they are. */
#ifndef IMDSNOOP_JSON_MEMBER_H
#define IMDSNOOP_JSON_MEMBER_H

#include <stdint.h>

#include <jansson.h>

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
