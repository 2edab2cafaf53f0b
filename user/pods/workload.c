/* SPDX-License-Identifier: GPL-2.0-only */
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/small.h"

/*
 * How Kubernetes makes names:
 *   suffix   5 letters of the safe alphabet, without vowels that could make a word (apimachinery pkg/util/rand)
 *   hash     a 32-bit number in decimal, each digit d as letter (d + '0') % 27 of that alphabet (SafeEncodeString), so 10
 *            letters of it only and 10 digits at most; decimal before 1.10. We take any of the safe alphabet from 8 on,
 *            and from 6 those ten letters alone: one hash in 430 is so short.
 *   CronJob  its Job is named by the minute since 1970 (1.21), seconds before; of an indexed Job the index follows
 *   cut      what a suffix is put behind has 58 bytes at most (apiserver pkg/storage/names), so a name of 63 bytes may
 *            have lost the end of its hash, and the dash
 *   node     a static pod's name ends in that of the node: the host's in lower case, whole or without its domain
 */
#define SAFE "bcdfghjklmnpqrstvwxz2456789"
#define HASH_ONLY "456789bcdf"
#define DIGITS "0123456789"
#define SUFFIX 5
#define HASH_MIN 8
#define HASH_ONLY_MIN 6
#define HASH_MAX 10
#define BASE_MAX 58
#define ORDINAL_MAX 4 /* digits of a StatefulSet's ordinal */

static bool is_all(const char *s, size_t len, const char *of)
{
	for (size_t i = 0; i < len; i++)
		if (!s[i] || !strchr(of, s[i]))
			return false;
	return len > 0;
}

/* Words that are written with letters of the safe alphabet alone. */
static bool is_word(const char *s)
{
	static const char *const words[] = { "https", "xhtml", "mssql", "grpcs", "nntps", "sshfs",
					     "nfsv4", "httpd", "http2", "pgsql", "smtps", "mqtts",
					     "tmpfs", "lxcfs", "cvmfs", "dhcpd", "tftpd", "nfsd4" };

	for (size_t i = 0; i < LEN(words); i++)
		if (!strncmp(s, words[i], SUFFIX))
			return true;
	return false;
}

/* Length of what stands before the last '-', 0 without one; *ret_part is the length of what follows. */
static size_t before_last_dash(const char *s, size_t len, size_t *ret_part)
{
	size_t i = len;

	while (i && s[i - 1] != '-')
		i--;
	*ret_part = len - i;
	return i > 1 ? i - 1 : 0;
}

static bool is_hash(const char *s, size_t len)
{
	if (len >= HASH_MIN && len <= HASH_MAX)
		return is_all(s, len, SAFE) || is_all(s, len, DIGITS);
	return len >= HASH_ONLY_MIN && len < HASH_MIN && is_all(s, len, HASH_ONLY);
}

static bool is_ordinal(const char *s, size_t len)
{
	return len <= ORDINAL_MAX && is_all(s, len, DIGITS) && (len == 1 || *s != '0');
}

/* s[0..len) had a suffix behind it: what a ReplicaSet or a CronJob put before that goes too. */
static size_t strip_hash(const char *s, size_t len, bool cut)
{
	size_t part, above = before_last_dash(s, len, &part), over;

	if (above && is_ordinal(s + above + 1, part)) {
		over = before_last_dash(s, above, &part);
		return over && part >= HASH_MIN && part <= HASH_MAX && is_all(s + over + 1, part, DIGITS) ? over : len;
	}
	if (above && (is_hash(s + above + 1, part) || (cut && part <= HASH_MAX && is_all(s + above + 1, part, HASH_ONLY))))
		return above;
	return len;
}

static size_t strip(const char *pod, size_t len)
{
	size_t part, at;

	if (len == BASE_MAX + SUFFIX && is_all(pod + BASE_MAX, SUFFIX, SAFE)) {
		at = BASE_MAX;
		while (at > 1 && pod[at - 1] == '-')
			at--;
		return strip_hash(pod, at, true);
	}
	at = before_last_dash(pod, len, &part);
	if (!at || !part)
		return len;
	if (is_ordinal(pod + at + 1, part))
		return at;
	if (part != SUFFIX || !is_all(pod + at + 1, part, SAFE) || is_word(pod + at + 1))
		return len;
	return strip_hash(pod, at, false);
}

static bool ends_name(const char *s)
{
	return !*s || *s == '.';
}

/* "ip-10-0-1-17", "i-0123456789abcdef0", each with its domain or without: EC2 gives these to its instances. */
static bool is_ec2_name(const char *s)
{
	size_t n;

	if (!strncmp(s, "i-", 2))
		return strspn(s + 2, "0123456789abcdef") == 17 && ends_name(s + 2 + 17);
	if (strncmp(s, "ip", 2))
		return false;
	s += 2;
	for (int i = 0; i < 4; i++) {
		n = *s == '-' ? strspn(s + 1, DIGITS) : 0;
		if (!n || n > 3)
			return false;
		s += n + 1;
	}
	return ends_name(s);
}

/* Length of what stands before "-NODE"; 0: it does not end so. */
static size_t before_node(const char *pod, const char *node)
{
	size_t host = strcspn(node, ".");

	for (const char *dash = strchr(pod, '-'); dash; dash = strchr(dash + 1, '-')) {
		const char *at = dash + 1;

		if (dash > pod && (is_ec2_name(at) || (host && !strncasecmp(at, node, host) && ends_name(at + host) &&
						       (!at[host] || !node[host] || !strcasecmp(at, node)))))
			return (size_t)(dash - pod);
	}
	return 0;
}

/* s[0..len) is a Deployment's: Knative makes one of each revision, "<service>-<number of 5 digits>-deployment". */
static size_t strip_revision(const char *s, size_t len)
{
	static const char ending[] = "-deployment";
	size_t part, at;

	if (len < sizeof(ending) || strncmp(s + len - (sizeof(ending) - 1), ending, sizeof(ending) - 1))
		return len;
	at = before_last_dash(s, len - (sizeof(ending) - 1), &part);
	return at && part == 5 && is_all(s + at + 1, part, DIGITS) ? at : len;
}

char *workload_name(const char *pod, const char *node, char *buf, size_t len)
{
	size_t n = before_node(pod, node), all = strlen(pod);

	if (!n)
		n = strip(pod, all);
	if (n < all)
		n = strip_revision(pod, n);
	snprintf(buf, len, "%.*s", (int)n, pod);
	return buf;
}

static bool is_uuid(const char *s)
{
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !s[i] || !strchr("0123456789abcdef", s[i]))
			return false;
	return true;
}

/* Family of "ecs-<family>-<revision>-<container>-<hex>" (amazon-ecs-agent dockerContainerName); 0: not of that form. */
static size_t ecs_family(const char *name, size_t len)
{
	size_t part, at = before_last_dash(name, len, &part), n, family = 0;

	if (strncmp(name, "ecs-", 4) || part < 16 || part > 20 || !is_all(name + at + 1, part, "0123456789abcdef"))
		return 0;
	/* both names may hold dashes and numbers: where two numbers could be the revision it is not known */
	for (size_t i = 5; i < at; i++) {
		if (name[i - 1] != '-')
			continue;
		n = strspn(name + i, DIGITS);
		if (n && name[i + n] == '-' && i + n < at && i > 5) {
			if (family)
				return 0;
			family = i - 1;
		}
	}
	return family;
}

char *workload_of_container(const char *name, char *buf, size_t len)
{
	size_t n = strlen(name), family = ecs_family(name, n);

	if (family)
		snprintf(buf, len, "%.*s", (int)(family - 4), name + 4);
	else
		snprintf(buf, len, "%.*s", (int)(n > 37 && name[n - 37] == '-' && is_uuid(name + n - 36) ? n - 37 : n),
			 name);
	return buf;
}

/* systemd's spelling of a name in a unit's ("web\x2d1" of "web-1"). */
static void unescape(const char *s, size_t n, char *buf, size_t len)
{
	size_t to = 0;
	char *stop;

	for (size_t i = 0; i < n && to + 1 < len; i++) {
		char hex[3] = "";

		buf[to] = s[i];
		if (i + 3 < n && s[i] == '\\' && s[i + 1] == 'x') {
			unsigned long byte;

			memcpy(hex, s + i + 2, 2);
			byte = strtoul(hex, &stop, 16);
			if (stop == hex + 2 && byte > 0x20 && byte < 0x7f) {
				buf[to] = (char)byte;
				i += 3;
			}
		}
		to++;
	}
	if (len)
		buf[to] = '\0';
}

/* libvirt's "qemu-3-web" (virDomainGenerateMachineName), of which a person knows "web". */
static const char *domain_of(const char *machine)
{
	static const char *const drivers[] = { "qemu-", "lxc-", "xen-" };

	for (size_t i = 0; i < LEN(drivers); i++) {
		size_t n = strlen(drivers[i]), digits;

		if (strncmp(machine, drivers[i], n))
			continue;
		digits = strspn(machine + n, DIGITS);
		if (digits && machine[n + digits] == '-' && machine[n + digits + 1])
			return machine + n + digits + 1;
	}
	return machine;
}

/*
 * A folder that is a whole machine's: what is below it was made inside. systemd-nspawn and systemd-machined, LXC 4 and
 * Incus, Nomad's drivers without containers ("<allocation>.<task>.scope", its client/lib/cgroupslib).
 */
static bool machine_of(const char *folder, size_t n, char *buf, size_t len)
{
	static const struct {
		const char *start, *end;
	} rows[] = {
		{ "systemd-nspawn@", ".service" },
		{ "machine-", ".scope" },
		{ "lxc.payload.", "" },
	};
	char name[WORKLOAD_LEN];

	for (size_t i = 0; i < LEN(rows); i++) {
		size_t start = strlen(rows[i].start), end = strlen(rows[i].end);

		if (n <= start + end || strncmp(folder, rows[i].start, start) ||
		    strncmp(folder + n - end, rows[i].end, end))
			continue;
		unescape(folder + start, n - start - end, name, sizeof(name));
		snprintf(buf, len, "%s", domain_of(name));
		return true;
	}
	if (n <= 37 + 6 || !is_uuid(folder) || folder[36] != '.' || strncmp(folder + n - 6, ".scope", 6))
		return false;
	snprintf(buf, len, "%.*s", (int)(n - 37 - 6), folder + 37);
	return true;
}

char *workload_of_unit(const char *cgroup, char *buf, size_t len)
{
	static const char ending[] = ".service";
	const char *at = cgroup, *found = NULL;
	size_t n = 0;

	/* the innermost: user@1000.service has the user's services below it */
	while (*at) {
		size_t part = strcspn(at, "/");

		if (machine_of(at, part, buf, len))
			return buf;
		if (part >= sizeof(ending) && !memcmp(at + part - (sizeof(ending) - 1), ending, sizeof(ending) - 1)) {
			found = at;
			n = part - (sizeof(ending) - 1);
		}
		at += part;
		at += *at == '/';
	}
	/* two users are not one, as two instances of a service are */
	if (found && strncmp(found, "user@", 5) && memchr(found + 1, '@', n - 1))
		n = (const char *)memchr(found, '@', n) - found;
	snprintf(buf, len, "%.*s", (int)n, found ? found : "");
	return buf;
}
