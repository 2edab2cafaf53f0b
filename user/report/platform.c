/* SPDX-License-Identifier: GPL-2.0-only */
#include "platform.h"

#include <string.h>

#include "../base/small.h"

enum runtime platform_runtime(const struct pod_identity *who)
{
	/* a folder's name, first match wins: what runs in what */
	static const struct {
		const char *part;
		enum runtime runtime;
	} marks[] = {
		{ "kubepods", RUNTIME_KUBERNETES }, { "ecs/", RUNTIME_ECS },	     { "ecstasks", RUNTIME_ECS },
		{ "docker-", RUNTIME_DOCKER },	    { "docker/", RUNTIME_DOCKER },   { "libpod", RUNTIME_PODMAN },
		{ "nerdctl", RUNTIME_CONTAINERD },  { ".service", RUNTIME_SYSTEMD },
	};

	if (who->runtime != RUNTIME_NONE)
		return who->runtime;
	if (who->pod[0] || who->pod_uid[0])
		return RUNTIME_KUBERNETES;
	for (size_t i = 0; i < LEN(marks); i++)
		if (strstr(who->cgroup, marks[i].part))
			return marks[i].runtime;
	return RUNTIME_NONE;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Only what nothing but EKS has: the Pod Identity service, and pods that EKS puts on each node. */
static bool speaks_for_eks(const struct pod_stats *p)
{
	return p->uses_pod_identity || has_prefix(p->who.pod, "eks-") || has_prefix(p->who.pod, "aws-node-");
}

/* Whose answers these are: paths of EC2 are imitated by others, so another cloud's own word weighs more; a token is EC2's. */
static enum provider cloud_of(const struct snapshot *s)
{
	const unsigned int local = 1u << PROVIDER_OTHER | 1u << PROVIDER_ECS | 1u << PROVIDER_EKS_POD_IDENTITY;
	unsigned int ok = 0, asked = 0;
	bool tokens = false;

	for (size_t i = 0; i < s->pods_len; i++) {
		const struct pod_stats *p = s->pods[i];

		ok |= p->providers_ok & ~local;
		asked |= p->providers & ~local;
		tokens |= p->token_answered && (p->providers_ok & 1u << PROVIDER_EC2);
	}
	if ((ok & 1u << PROVIDER_EC2) && tokens)
		return PROVIDER_EC2;
	if (ok & ~(1u << PROVIDER_EC2))
		ok &= ~(1u << PROVIDER_EC2);
	if (ok & ~(1u << PROVIDER_UNLISTED)) /* nor is that said beside a name */
		ok &= ~(1u << PROVIDER_UNLISTED);
	if (!ok && asked == (1u << PROVIDER_EC2 | 1u << PROVIDER_OPENSTACK))
		asked = 1u << PROVIDER_OPENSTACK; /* whose service has EC2's paths, too */
	if (!ok && asked && !(asked & (asked - 1)))
		ok = asked; /* the only one that anybody asked */
	for (int i = PROVIDER_OTHER + 1; i < PROVIDER_COUNT; i++)
		if (ok == 1u << i)
			return i;
	return PROVIDER_OTHER;
}

struct platform platform_learn(const struct snapshot *s)
{
	struct platform ret = { PROVIDER_OTHER, RUNTIME_NONE, false };
	size_t runtimes[RUNTIME_COUNT] = { 0 };

	for (size_t i = 0; i < s->pods_len; i++) {
		const struct pod_stats *p = s->pods[i];

		runtimes[platform_runtime(&p->who)]++;
		ret.is_eks |= speaks_for_eks(p);
	}
	for (int i = 0; i < RUNTIME_COUNT; i++)
		if (i != RUNTIME_NONE && i != RUNTIME_SYSTEMD && runtimes[i] &&
		    (ret.runtime == RUNTIME_NONE || runtimes[i] > runtimes[ret.runtime]))
			ret.runtime = i;
	if (ret.runtime == RUNTIME_NONE && runtimes[RUNTIME_SYSTEMD])
		ret.runtime = RUNTIME_SYSTEMD;
	ret.cloud = cloud_of(s);
	if (ret.cloud == PROVIDER_OTHER && ret.is_eks)
		ret.cloud = PROVIDER_EC2;
	return ret;
}
