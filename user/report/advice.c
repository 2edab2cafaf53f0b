/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One table, keyed by finding, cause, provider and what runs the containers; no row, no words. Rules: a role of the pod's own
 * comes before a wider hop limit, because hop limit 1 is AWS's recommended block; a hop limit is named only when it was
 * measured, and only for clouds that document one (EC2, IBM, Alibaba); a change of a running instance is lost with the node,
 * so both places are named.
 */
#include "advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "finding_parts.h"
#include "findings.h"

#define HOP_LIMIT_MAX 64 /* EC2 API: HttpPutResponseHopLimit is 1..64 */

void lines_add(struct lines *lines, const char *format, ...)
{
	char **v = lines->failed ? NULL : realloc(lines->v, (lines->len + 2) * sizeof(*v));
	va_list args;

	if (!v) {
		lines->failed = true;
		return;
	}
	lines->v = v;
	v[lines->len + 1] = NULL;
	va_start(args, format);
	if (vasprintf(&v[lines->len], format, args) < 0) {
		v[lines->len] = NULL;
		lines->failed = true;
	} else {
		lines->len++;
	}
	va_end(args);
}

void lines_append(struct lines *lines, const char *format, ...)
{
	char more[256], *line;
	va_list args;

	if (lines->failed || !lines->len)
		return;
	va_start(args, format);
	vsnprintf(more, sizeof(more), format, args);
	va_end(args);
	line = realloc(lines->v[lines->len - 1], strlen(lines->v[lines->len - 1]) + strlen(more) + 1);
	lines->failed = !line;
	if (!line)
		return;
	lines->v[lines->len - 1] = line;
	strcat(line, more);
}

void lines_free(char **v)
{
	for (char **line = v; line && *line; line++)
		free(*line);
	free(v);
}

enum {
	EC2 = 1u << PROVIDER_EC2,
	GCE = 1u << PROVIDER_GCE,
	AZURE = 1u << PROVIDER_AZURE,
	OPENSTACK = 1u << PROVIDER_OPENSTACK,
	IBM = 1u << PROVIDER_IBM,
	ALIBABA = 1u << PROVIDER_ALIBABA,
	ORACLE = 1u << PROVIDER_ORACLE,
	ECS = 1u << PROVIDER_ECS,
	PODID = 1u << PROVIDER_EKS_POD_IDENTITY,
	UNKNOWN = 1u << PROVIDER_OTHER,
	ALL = (1u << PROVIDER_COUNT) - 1,
	ELSE = 1u << PROVIDER_COUNT, /* another cloud's answers to what it does not know: no row of ALL either */
	LOCAL = ECS | PODID,
	/* runtimes */
	K8S = 1u << RUNTIME_KUBERNETES,
	DOCKER = 1u << RUNTIME_DOCKER,
	PODMAN = 1u << RUNTIME_PODMAN,
	TASK = 1u << RUNTIME_ECS,
	ANY = (1u << RUNTIME_COUNT) - 1,
};

/* A condition of a row besides its keys. */
enum when {
#define WHEN(name, holds) name,
#include "advice_when.def"
#undef WHEN
};

/* The condition, and the status of an error that was answered. */
#define WITH(status, when) ((when) | (status) << 8)

static const struct row {
	enum finding_code code;
	enum cause cause; /* NONE: any */
	unsigned int providers, runtimes;
	unsigned int when; /* enum when, or WITH() */
	const char *line;  /* "%d" is the hop limit needed, "%a" the address asked, "%r" where a redirect sent it */
} rows[] = {
#define LOOK_AT_IT                                                                                              \
	"What answers in the service's place is that process: look at its log and at what it asks itself. The " \
	"metadata service's own limits and switches are not what this pod met."
#define PLAIN_HTTP \
	"A metadata service speaks plain HTTP here: an https:// URL (TLS), or another protocol, gets nothing from it."
#define LEAVE_OUT                                                                                               \
	"Where a mesh's proxy takes these requests: leave %a out of its redirect (Istio: "                      \
	"traffic.sidecar.istio.io/excludeOutboundIPRanges, Linkerd: config.linkerd.io/skip-subnets, App Mesh: " \
	"APPMESH_EGRESS_IGNORED_IP), or let it pass them on as they are."
#define AZWI                                                                                                           \
	"Where Azure Workload Identity's proxy (azwi-proxy) takes them, it is meant to: see its log, and the service " \
	"account's "                                                                                                   \
	"federated credential."
#include "advice_path.def"
#include "advice_answers.def"
};

bool advice_is_meant(const struct pod_stats *p)
{
	return p->uses_pod_identity && !p->fallbacks && !p->needs_credentials;
}

/*
 * Whose words fit: the service that the row asked on the node itself, or the cloud; where that is not known, the one provider
 * whose protocol it spoke.
 */
static unsigned int providers_of(const struct draft *d, enum finding_code code)
{
	unsigned int asked = d->p ? finding_providers(d->p) & ~UNKNOWN : 0;

	if (d->p && (code == FINDING_CREDENTIALS_REFUSED || code == FINDING_NO_ROLE) && d->p->errors_len &&
	    finding_is_foreign_client(d, d->p->errors[0].provider))
		return ELSE;
	if (asked && !(asked & ~(unsigned int)LOCAL))
		return asked;
	if (d->platform.cloud != PROVIDER_OTHER)
		return 1u << d->platform.cloud;
	asked &= ~(unsigned int)LOCAL;
	return asked && !(asked & (asked - 1)) ? asked : UNKNOWN;
}

static unsigned int runtimes_of(const struct draft *d)
{
	enum runtime runtime = d->p ? platform_runtime(&d->p->who) : d->platform.runtime;

	return 1u << (runtime == RUNTIME_NONE ? d->platform.runtime : runtime);
}

/* Neither a route's nor meant, and by that kind. */
static bool is_by(const struct draft *d, const struct drop_note *note, enum drop_kind kind)
{
	return (!d->p || !advice_is_meant(d->p)) && !(note && note->cause == CAUSE_NO_ROUTE) &&
	       !(note && note->cause == CAUSE_REFUSED_AT_SOCKET) && finding_drop_kind(d, note) == kind;
}

static bool is_data_silent(const struct pod_stats *p)
{
	const struct kind_stats *data = p->by_kind[IMDS_KIND_DATA];

	for (int v = 0; data && v < IMDS_VERSION_COUNT; v++)
		if (data->cells[v][OUTCOME_NO_RESPONSE])
			return true;
	return false;
}

/* Any tenant may give its pod this name, but not in this namespace. */
static bool is_pod_identity_agent(const struct pod_identity *who)
{
	static const char name[] = "eks-pod-identity-agent";

	return !strcmp(who->namespace, "kube-system") && !strncmp(who->pod, name, sizeof(name) - 1);
}

static bool is_ipv6(const struct draft *d)
{
	char address[64];

	return strchr(finding_endpoint(d->s, d->p, address, sizeof(address)), ':');
}

static bool has_old_path(const struct pod_stats *p)
{
	for (size_t i = 0; p && i < p->errors_len; i++)
		if (!strncmp(p->errors[i].path, "/0.1/", 5) ||
		    !strncmp(p->errors[i].path, "/computeMetadata/v1beta1", 24))
			return true;
	return false;
}

static bool has_redirect(const struct pod_stats *p)
{
	for (size_t i = 0; i < p->errors_len; i++)
		if (p->errors[i].status < 400)
			return true;
	return false;
}

static bool are_proxies(const struct pod_stats *p)
{
	static const char *const names[] = { "squid", "tinyproxy", "haproxy", "envoy", "nginx", "privoxy", "mitmdump" };
	size_t n = 0;

	for (size_t i = 0; i < p->processes_len; i++)
		for (size_t k = 0; k < LEN(names); k++)
			n += !strncmp(p->processes[i].comm, names[k], sizeof(p->processes[i].comm));
	return n && n == p->processes_len;
}

/* By the service itself, where p never was. */
static bool others_answered(const struct snapshot *s, const struct pod_stats *p)
{
	bool ret = false;

	for (size_t i = 0; i < s->pods_len; i++)
		ret |= !s->pods[i]->answered_by && (s->pods[i]->endpoints_ok & p->endpoints_failed);
	return ret && !(p->endpoints_ok & p->endpoints_failed);
}

/* A request without one was answered 401, and none was served. */
static bool are_tokens_required(const struct snapshot *s)
{
	bool refused = false, served = false;

	for (size_t i = 0; i < s->pods_len; i++) {
		refused |= s->pods[i]->v1_unauthorized != 0;
		served |= s->pods[i]->v1_answered != 0;
	}
	return refused && !served;
}

static bool is_limit_known(const struct pod_stats *p)
{
	return p && p->required_hop_limit >= 2 && p->required_hop_limit <= HOP_LIMIT_MAX;
}

typedef bool holds_fn(const struct draft *d, const struct pod_stats *p, const struct drop_note *note);

#define IS(name) holds_##name(d, p, note)
#define WHEN(name, holds) static holds_fn holds_##name;
#include "advice_when.def"
#undef WHEN
#define WHEN(name, holds)                                                                                        \
	static bool holds_##name(const struct draft *d, const struct pod_stats *p, const struct drop_note *note) \
	{                                                                                                        \
		return holds;                                                                                    \
	}
#include "advice_when.def"
#undef WHEN

static holds_fn *const conditions[] = {
#define WHEN(name, holds) [name] = holds_##name,
#include "advice_when.def"
};

/* The line with what stands for its marks. */
static void add_line(struct lines *advice, const char *line, const struct draft *d)
{
	const struct drop_note *note = finding_main_note(d->p);
	char buf[1024], address[64];
	size_t at = 0;

	for (const char *c = line; *c && at < sizeof(buf) - 1; c++) {
		if (*c != '%') {
			buf[at++] = *c;
			continue;
		}
		switch (*++c) {
		case 'd':
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%d", d->p ? d->p->required_hop_limit : 0);
			break;
		case 'r':
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s", note ? note->to : "");
			break;
		default:
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s",
					       finding_endpoint(d->s, d->p, address, sizeof(address)));
			break;
		}
	}
	buf[at < sizeof(buf) ? at : sizeof(buf) - 1] = '\0';
	lines_add(advice, "%s", buf);
}

/* Of this status, and as a row wants it besides. */
static bool has_error(const struct pod_stats *p, unsigned int status, enum when when)
{
	for (size_t i = 0; p && i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];
		const bool fits[NOT_BARE + 1] = {
			[TO_TOKEN] = e->kind == IMDS_KIND_TOKEN,
			[NOT_TO_TOKEN] = e->kind != IMDS_KIND_TOKEN && e->method,
			[TO_NO_HTTP] = !e->method && !e->path[0],
			[TO_CREDENTIALS] = e->kind == IMDS_KIND_CREDENTIALS,
			[TO_ROLE] = e->kind == IMDS_KIND_CREDENTIALS && e->provider == PROVIDER_EC2,
			[ROLE_IN_NODE] = e->kind == IMDS_KIND_CREDENTIALS && e->provider == PROVIDER_EC2,
			[TO_INSTANCE_ID] = strstr(e->path, "/instance-id"),
			[UNREAD] = !e->header,
			[HEADED] = e->header > 0 && !strstr(e->path, "/attributes/"),
			[TO_ATTRIBUTES] = e->header >= 0 && strstr(e->path, "/attributes/"),
			[BARE] = e->header < 0,
			[NOT_BARE] = e->header >= 0,
		};

		if (e->status == status && (when < TO_TOKEN || when > NOT_BARE || fits[when]))
			return true;
	}
	return false;
}

void advice_add(struct lines *advice, enum finding_code code, const struct draft *d)
{
	unsigned int providers = providers_of(d, code), runtimes = runtimes_of(d);
	const struct drop_note *note = finding_main_note(d->p);

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (r->code != code || !(r->providers & providers) || !(r->runtimes & runtimes) ||
		    !conditions[r->when & 0xff](d, d->p, note))
			continue;
		if (r->cause != CAUSE_NONE && (!note || note->cause != r->cause))
			continue;
		if (r->when >> 8 && !has_error(d->p, r->when >> 8, r->when & 0xff))
			continue;
		add_line(advice, r->line, d);
	}
}
