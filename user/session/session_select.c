/* SPDX-License-Identifier: GPL-2.0-only */
/* What --namespace, --pod, --container, --comm and --problems let pass. */
#include "session_part.h"

#include <fnmatch.h>
#include <string.h>

/* want: "checkout", or "shop/checkout" with the namespace, compose project, swarm stack or ECS cluster in front. */
static bool is_workload(const char *want, const struct pod_identity *who)
{
	const char *slash = strchr(want, '/'), *group = who->pod[0] ? who->namespace : who->project;

	if (!slash)
		return !strcmp(want, who->workload);
	return strlen(group) == (size_t)(slash - want) && !strncmp(group, want, strlen(group)) &&
	       !strcmp(slash + 1, who->workload);
}

bool session_selects_identity(const struct options *o, const struct pod_identity *who)
{
	return (!o->workload || is_workload(o->workload, who)) &&
	       (!o->namespace || !strcmp(o->namespace, who->namespace)) && (!o->pod || !fnmatch(o->pod, who->pod, 0)) &&
	       (!o->container || !strcmp(o->container, who->container));
}

bool session_options_select(const struct options *o, const struct request *r)
{
	return session_selects_identity(o, r->who) &&
	       (!o->comm || !strncmp(o->comm, r->rec.peer.comm, sizeof(r->rec.peer.comm))) &&
	       (!o->problems || request_is_problem(r, o->slow_ns / 1000));
}

bool session_selects_request(const struct session *s, const struct request *r)
{
	return session_options_select(s->o, r);
}

bool session_selects_pod(const struct options *o, const struct pod_stats *p)
{
	bool problem = p->requests != p->outcomes[OUTCOME_OK] || p->slow || p->fallbacks || p->in_flight;

	if (!session_selects_identity(o, &p->who) || (o->problems && !problem))
		return false;
	if (!o->comm)
		return true;
	for (size_t i = 0; i < p->processes_len; i++)
		if (!strncmp(o->comm, p->processes[i].comm, sizeof(p->processes[i].comm)))
			return true;
	return false;
}
