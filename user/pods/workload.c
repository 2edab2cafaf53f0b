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
#define HEX DIGITS "abcdef"
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
		return strspn(s + 2, HEX) == 17 && ends_name(s + 2 + 17);
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

/* What stands before "-concurrent-<n>" of a job that GitLab's runner makes: "runner-<token>-project-<n>". */
static size_t strip_concurrent(const char *s, size_t len)
{
	static const char mark[] = "-concurrent-";
	const char *at = strncmp(s, "runner-", 7) ? NULL : strstr(s, mark);

	if (!at || (size_t)(at - s) >= len || !strspn(at + sizeof(mark) - 1, DIGITS))
		return len;
	return (size_t)(at - s);
}

/* A hash or a time of 32 bits, in decimal: nine digits at least, a date has eight. */
static bool is_number32(const char *s, size_t len)
{
	return (len == 9 || (len == 10 && memcmp(s, "4294967295", 10) <= 0)) && *s != '0' && is_all(s, len, DIGITS);
}

/*
 * Steps of a run: "<name>-<mark>-<task>-pod" of Tekton, "<name>-<mark>[-<template>]-<hash of 32 bits>" of Argo, whose mark is
 * the time where cron started it. Only where no other part can be the mark. whole: as below.
 */
static size_t strip_step(const char *s, size_t len, bool whole)
{
	size_t part, end = before_last_dash(s, len, &part), found = 0;
	bool argo = end && whole && is_number32(s + end + 1, part);

	if (!argo && (!end || part != 3 || memcmp(s + end + 1, "pod", 3)))
		return len;
	for (size_t at = 0; at < end; at += part + 1) {
		part = strcspn(s + at, "-");
		if (!at || ((part != SUFFIX || !is_all(s + at, part, SAFE) || is_word(s + at)) &&
			    (!argo || part != 10 || !is_number32(s + at, part))))
			continue;
		if (found)
			return len;
		found = at - 1;
	}
	return found ? found : len;
}

/* s[0..len) is of one version or one run, whose mark of n letters stands before ending. whole: a pod's own name may be so. */
static size_t strip_revision(const char *s, size_t len, bool whole)
{
	static const struct {
		const char *ending, *letters;
		size_t n;
		bool whole;
	} rows[] = {
		{ "-deployment", DIGITS, 5, false }, /* Knative's revisions */
		{ "-runner", SAFE, SUFFIX, false },  /* of GitHub's sets of runners, by their controller */
		{ "-pod", SAFE, SUFFIX, true },	     /* of Tekton's runs of a task */
		{ "-exec", HEX, 16, false },	     /* Spark's runs: executors, and the driver that has no number */
		{ "-driver", HEX, 16, true },
	};
	size_t part, at, end, step;

	for (size_t i = 0; i < LEN(rows); i++) {
		end = strlen(rows[i].ending);
		if (len <= end || strncmp(s + len - end, rows[i].ending, end) || (whole && !rows[i].whole))
			continue;
		at = before_last_dash(s, len - end, &part);
		if (at && part == rows[i].n && is_all(s + at + 1, part, rows[i].letters) && !is_word(s + at + 1))
			return at;
	}
	step = strip_step(s, len, whole);
	return step < len ? step : strip_concurrent(s, len);
}

char *workload_name(const char *pod, const char *node, char *buf, size_t len)
{
	size_t n = before_node(pod, node), all = strlen(pod);

	if (!n)
		n = strip(pod, all);
	n = strip_revision(pod, n, n == all);
	snprintf(buf, len, "%.*s", (int)n, pod);
	return buf;
}

static bool is_uuid(const char *s)
{
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !s[i] || !strchr(HEX, s[i]))
			return false;
	return true;
}

/* Family of "ecs-<family>-<revision>-<container>-<hex>" (amazon-ecs-agent dockerContainerName); 0: not of that form. */
static size_t ecs_family(const char *name, size_t len)
{
	size_t part, at = before_last_dash(name, len, &part), n, family = 0;

	if (strncmp(name, "ecs-", 4) || part < 16 || part > 20 || !is_all(name + at + 1, part, HEX))
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

	if (!family && n > 37 && name[n - 37] == '-' && is_uuid(name + n - 36))
		n -= 37;
	if (family)
		snprintf(buf, len, "%.*s", (int)(family - 4), name + 4);
	else
		snprintf(buf, len, "%.*s", (int)strip_concurrent(name, n), name);
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

/* Whether s[0..n) is all, or where all begins with '*' ends with the rest. */
static bool is_like(const char *s, size_t n, const char *all)
{
	size_t len;

	if (*all != '*')
		return strlen(all) == n && !memcmp(s, all, n);
	len = strlen(++all);
	return n >= len && !memcmp(s + n - len, all, len);
}

/*
 * A folder that is a machine's, a job's, or a service's without systemd: what is below it was made inside. Of
 * systemd-nspawn and systemd-machined, LXC 4 and Incus, LXC before, OpenRC now and before, Slurm, and of what
 * `docker build` runs, by systemd's driver and by cgroupfs, and a buildkitd of its own.
 */
static bool machine_of(const char *cgroup, const char *folder, size_t n, char *buf, size_t len)
{
	static const struct {
		const char *in;		 /* the path before */
		const char *start, *end; /* of the folder, with a name between */
		const char *name;	 /* NULL: that one; "": the folder's own */
	} rows[] = {
		{ "*", "systemd-nspawn@", ".service", NULL },
		{ "*", "machine-", ".scope", NULL },
		{ "*", "lxc.payload.", "", NULL },
		{ "lxc.payload/", "", "", NULL },
		{ "lxc/", "", "", NULL },
		{ "*", "openrc.", "", NULL },
		{ "rc/", "", "", NULL },
		{ "*slurmstepd.scope/", "job_", "", "" },
		{ "*", "system.slice:docker:", "", "docker build" },
		{ "docker/buildkit/", "", "", "docker build" },
		{ "buildkit/", "", "", "buildkit" },
	};
	char name[WORKLOAD_LEN];

	for (size_t i = 0; i < LEN(rows); i++) {
		size_t start = strlen(rows[i].start), end = strlen(rows[i].end);

		if (n <= start + end || strncmp(folder, rows[i].start, start) ||
		    strncmp(folder + n - end, rows[i].end, end) || !is_like(cgroup, folder - cgroup, rows[i].in))
			continue;
		if (rows[i].name) {
			snprintf(buf, len, "%.*s", *rows[i].name ? (int)len : (int)n,
				 *rows[i].name ? rows[i].name : folder);
			return true;
		}
		unescape(folder + start, n - start - end, name, sizeof(name));
		snprintf(buf, len, "%s", domain_of(name));
		return true;
	}
	/* Nomad's drivers without containers, "<allocation>.<task>", in cgroup v2 a scope (its client/lib/cgroupslib) */
	if (n > 6 && !strncmp(folder + n - 6, ".scope", 6))
		n -= 6;
	if (n <= 37 || !is_uuid(folder) || folder[36] != '.')
		return false;
	snprintf(buf, len, "%.*s", (int)(n - 37), folder + 37);
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

		if (machine_of(cgroup, at, part, buf, len))
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
