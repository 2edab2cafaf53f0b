/* SPDX-License-Identifier: GPL-2.0-only */
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Kubernetes draws suffixes from "bcdfghjklmnpqrstvwxz2456789" (SafeEncodeString, k8s.io/apimachinery/pkg/util/rand):
 * without vowels no words come out. Other digits are let through, hashes of before 1.10 were decimal. A last part with a
 * vowel is a word of the name: "data-exporter-proxy" stays whole.
 */
static bool is_generated(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'b' && s[i] <= 'z' && !strchr("eiou", s[i])) || (s[i] >= '0' && s[i] <= '9')))
			return false;
	return true;
}

/* Length of what stands before the last '-', 0 without one; *ret_part is what follows. */
static size_t before_last_dash(const char *s, size_t len, size_t *ret_part)
{
	size_t i = len;

	while (i && s[i - 1] != '-')
		i--;
	*ret_part = len - i;
	return i > 1 ? i - 1 : 0;
}

static size_t strip(const char *pod, size_t len)
{
	size_t part, hash, at = before_last_dash(pod, len, &part), above;

	if (!at || !part)
		return len;
	if (strspn(pod + at + 1, "0123456789") >= part && part <= 4) /* StatefulSet */
		return at;
	if (part != 5 || !is_generated(pod + at + 1, part))
		return len;
	above = before_last_dash(pod, at, &hash);
	if (above && hash >= 8 && hash <= 10 && is_generated(pod + above + 1, hash))
		return above;
	return at;
}

char *workload_name(const char *pod, const char *node, char *buf, size_t len)
{
	size_t n = strlen(pod), tail = strlen(node);

	if (tail && n > tail + 1 && pod[n - tail - 1] == '-' && !strcmp(pod + n - tail, node))
		n -= tail + 1;
	else
		n = strip(pod, n);
	snprintf(buf, len, "%.*s", (int)n, pod);
	return buf;
}
