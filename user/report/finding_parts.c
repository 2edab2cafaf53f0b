/* SPDX-License-Identifier: GPL-2.0-only */
#include "finding_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../model/request.h"
#include "../model/pod_stats.h"
#include "findings.h"

bool finding_is_ec2(const struct pod_stats *p)
{
	return p->providers & (1u << PROVIDER_EC2);
}

const char *finding_verb(const struct draft *d, const char *one, const char *many)
{
	return d->many ? many : one;
}

unsigned int finding_providers(const struct pod_stats *p)
{
	return p->providers_failed ? p->providers_failed : p->providers;
}

/* As it was given: "169.254.169.254", "[fd00:ec2::254]:80" */
static const char *endpoint_given(const struct snapshot *s, const struct pod_stats *p)
{
	unsigned int asked = p ? p->endpoints_failed ? p->endpoints_failed : p->endpoints : 0;

	for (size_t i = 0; i < 32 && s->endpoints && s->endpoints[i]; i++)
		if (asked & 1u << i)
			return s->endpoints[i];
	return "169.254.169.254";
}

const char *finding_port_text(const struct snapshot *s, const struct pod_stats *p, char *buf, size_t len)
{
	const char *text = endpoint_given(s, p), *port = strrchr(text, ':');
	bool has_port = port && (strchr(text, '.') || port[-1] == ']') && strcmp(port, ":80");
	/* of several addresses it is another one than the service's own */
	bool is_other = p->endpoints_failed && (p->endpoints & ~p->endpoints_failed) && strcmp(text, "169.254.169.254");

	snprintf(buf, len, "%s%s", has_port || is_other ? " at " : "", has_port || is_other ? text : "");
	return buf;
}

const char *finding_endpoint(const struct snapshot *s, const struct pod_stats *p, char *buf, size_t len)
{
	const char *text = endpoint_given(s, p);

	if (text[0] == '[')
		snprintf(buf, len, "%.*s", (int)strcspn(text + 1, "]"), text + 1);
	else if (strchr(text, '.'))
		snprintf(buf, len, "%.*s", (int)strcspn(text, ":"), text);
	else
		snprintf(buf, len, "%s", text);
	return buf;
}

bool finding_has_status(const struct pod_stats *p, unsigned int status)
{
	for (size_t i = 0; p && i < p->errors_len; i++)
		if (p->errors[i].status == status)
			return true;
	return false;
}

static bool is_local_only(unsigned int providers)
{
	const unsigned int local = 1u << PROVIDER_ECS | 1u << PROVIDER_EKS_POD_IDENTITY;

	return (providers & local) && !(providers & ~local);
}

const struct pod_stats *finding_answered_host(const struct snapshot *s, const struct pod_stats *p)
{
	for (size_t i = 0; i < s->pods_len; i++)
		if (s->pods[i]->host_network && s->pods[i]->last_ok_ns &&
		    is_local_only(s->pods[i]->providers_ok) == is_local_only(finding_providers(p)))
			return s->pods[i];
	return NULL;
}

const struct pod_stats *finding_silent_host(const struct snapshot *s, const struct pod_stats *p)
{
	for (size_t i = 0; i < s->pods_len && !finding_answered_host(s, p); i++)
		if (s->pods[i]->host_network && s->pods[i]->outcomes[OUTCOME_NO_RESPONSE] &&
		    (s->pods[i]->endpoints_failed & p->endpoints_failed))
			return s->pods[i];
	return NULL;
}

bool finding_any_stood(const struct snapshot *s)
{
	for (size_t i = 0; i < s->pods_len; i++)
		if (s->pods[i]->ttl_synack || s->pods[i]->ttl_response || s->pods[i]->last_ok_ns)
			return true;
	return false;
}

bool finding_any_answered_at(const struct snapshot *s, const struct pod_stats *p)
{
	for (size_t i = 0; i < s->pods_len; i++)
		if (s->pods[i]->endpoints_ok & p->endpoints_failed)
			return true;
	return false;
}

bool finding_is_at(const struct draft *d, const char *address)
{
	char asked[64];

	return !strcmp(finding_endpoint(d->s, d->p, asked, sizeof(asked)), address);
}

bool finding_is_spare(const struct snapshot *s, const struct pod_stats *p)
{
	unsigned int others = p->endpoints & ~p->endpoints_failed;
	bool others_ipv4 = false;

	for (size_t i = 0; i < 32 && s->endpoints && s->endpoints[i]; i++) {
		bool is_ipv6 = !strchr(s->endpoints[i], '.');

		if ((p->endpoints_failed & 1u << i) && !is_ipv6)
			return false;
		others_ipv4 |= (others & 1u << i) && !is_ipv6;
	}
	return p->endpoints_failed && others_ipv4 && p->last_ok_ns && !finding_is_local_service(p);
}

const struct drop_note *finding_main_note(const struct pod_stats *p)
{
	const struct drop_note *best = NULL;

	for (size_t i = 0; p && i < p->notes_len; i++)
		if (p->notes[i].cause != CAUSE_NONE && (!best || p->notes[i].requests > best->requests))
			best = &p->notes[i];
	return best;
}

const char *finding_cloud_text(const struct draft *d, const char *noun, char *buf, size_t len)
{
	enum provider cloud = d->platform.cloud;
	const char *whose = cloud == PROVIDER_EC2 ? "EC2's" : cloud == PROVIDER_UNLISTED ? "another cloud's" : NULL;

	snprintf(buf, len, "%s is %s%s", noun, whose ? whose : "that of ", whose ? "" : provider_word(cloud));
	return buf;
}

bool finding_is_local_service(const struct pod_stats *p)
{
	return is_local_only(finding_providers(p));
}

bool finding_began_in_time(const struct snapshot *s, const struct pod_stats *p)
{
	return p->slow_begin_us && p->slow_begin_us <= s->slow_us;
}

bool finding_is_another_host(const struct pod_stats *p)
{
	for (size_t i = 0; i < p->drops_len; i++)
		if (strcmp(p->drops[i].reason, "OTHERHOST"))
			return false;
	return p->drops_len && !p->last_ok_ns;
}

bool finding_reaches_nobody(const struct pod_stats *p, enum provider cloud)
{
	return finding_has_status(p, 503) && !finding_has_status(p, 429) &&
	       (p->answered_by ||
		((finding_providers(p) | 1u << cloud) & (1u << PROVIDER_OPENSTACK | 1u << PROVIDER_GCE)));
}

bool finding_is_foreign_client(const struct draft *d, enum provider asked)
{
	return asked != d->platform.cloud && asked != PROVIDER_OTHER && d->platform.cloud != PROVIDER_OTHER &&
	       !(asked == PROVIDER_EC2 && d->platform.cloud == PROVIDER_OPENSTACK) && /* has EC2's paths, too */
	       !d->p->answered_by && !finding_is_local_service(d->p);
}

bool finding_is_elsewhere(const struct draft *d)
{
	return d->platform.cloud != PROVIDER_OTHER && d->platform.cloud != PROVIDER_EC2;
}

bool finding_is_off(const struct draft *d)
{
	const struct pod_stats *p = d->p;

	return p->causes[CAUSE_ENDPOINT_DISABLED] && finding_is_ec2(p) && !p->outcomes[OUTCOME_OK] && !p->answered_by &&
	       !p->causes[CAUSE_NOT_THIS_CLOUD] && !finding_is_elsewhere(d);
}

bool finding_is_own_address(const struct draft *d)
{
	const char *address = d->p->answered_by ? d->p->answered_by->address : "";
	char asked[64];
	size_t len;

	finding_endpoint(d->s, d->p, asked, sizeof(asked));
	len = strlen(asked);
	address += address[0] == '[';
	return !strncmp(address, asked, len) && (address[len] == ':' || address[len] == ']');
}

void finding_clock(const struct snapshot *s, uint64_t ns, char *buf, size_t len)
{
	time_t t = (time_t)((s->now_wall_ns - (s->now_ns - ns)) / 1000000000u),
	       now = (time_t)(s->now_wall_ns / 1000000000u);
	const char *format = t / 86400 == now / 86400 ? "%H:%M:%S UTC" : "%Y-%m-%d %H:%M:%S UTC";
	struct tm tm;

	if (ns > s->now_ns || !gmtime_r(&t, &tm) || !strftime(buf, len, format, &tm))
		snprintf(buf, len, "earlier");
}

const char *finding_redirector(const struct pod_stats *p)
{
	return p->redirected_at_home && !p->host_network ? "a rule in its own network (a sidecar)" : "this node";
}

const char *finding_by_whom(const struct draft *d, char *buf, size_t len)
{
	const struct answerer *a = d->p->answered_by;
	char who[SUBJECT_LEN];

	buf[0] = '\0';
	if (!a)
		return buf;
	if (findings_answerer(a, who, sizeof(who))[0])
		snprintf(buf, len, " by %.500s", who);
	else if (finding_is_own_address(d))
		snprintf(buf, len, " at %s, an address of this node", a->address);
	else
		snprintf(buf, len, " at %s, where %s redirects it", a->address, finding_redirector(d->p));
	return buf;
}

const char *finding_request_text(const struct error_count *e, char *buf, size_t len)
{
	const char *method = method_word(e->method);
	bool cut = strlen(e->path) == sizeof(e->path) - 1;

	snprintf(buf, len, "%s%s%s%s", method, method[0] ? " " : "",
		 e->path[0]				   ? e->path
		 : method[0] || e->kind != IMDS_KIND_OTHER ? kind_word(e->kind)
							   : "what is no whole HTTP request",
		 cut ? "..." : "");
	return buf;
}

const char *finding_pid_text(const struct process_count *c, char *buf, size_t len)
{
	if (c->pid)
		snprintf(buf, len, "pid %u", c->pid);
	else
		snprintf(buf, len, "in several pods");
	return buf;
}

#define OLD_NEWS_NS (600ull * 1000000000)

/* Past is past: "failed until 12:03:00 UTC, answered since". Nor is what failed hours ago taken for news. */
static void add_past(struct draft *d)
{
	const uint64_t bad_ns = findings_last_bad_ns(d->p);
	char until[32];

	finding_clock(d->s, bad_ns, until, sizeof(until));
	if (!findings_is_past(d->p)) {
		if (bad_ns && d->s->now_ns > bad_ns + OLD_NEWS_NS)
			EVIDENCE(d, "the last that failed was at %s, %llu min before this report", until,
				 (unsigned long long)((d->s->now_ns - bad_ns) / 60000000000u));
		return;
	}
	lines_append(&d->summary, "; the last at %s, answered since", until);
	if (d->severity > SEVERITY_WARNING)
		d->severity = SEVERITY_WARNING;
}

static bool is_answerer(const struct pod_stats *p, const struct pod_stats *other)
{
	const struct answerer *a = p->answered_by;

	return a && a->who ? a->who->cgroup[0] && !strcmp(a->who->cgroup, other->who.cgroup) :
			   /* a sidecar: another container of the pod */
		   p->redirected_at_home && p->who.pod[0] && !strcmp(p->who.pod, other->who.pod) &&
		       !strcmp(p->who.namespace, other->who.namespace) &&
		       strcmp(p->who.container, other->who.container) != 0;
}

bool finding_is_forwarded(const struct draft *d)
{
	for (size_t i = 0; i < d->s->pods_len; i++)
		if (d->s->pods[i] != d->p && d->s->pods[i]->causes[CAUSE_FORWARDED] && is_answerer(d->p, d->s->pods[i]))
			return true;
	return false;
}

/* What becomes of the requests that it asks itself: often the cause of what it answers. */
static void add_answerers_own(struct draft *d)
{
	char subject[SUBJECT_LEN];

	for (size_t i = 0; i < d->s->pods_len; i++) {
		const struct pod_stats *own = d->s->pods[i];

		if (own == d->p || !is_answerer(d->p, own))
			continue;
		findings_subject(&own->who, subject, sizeof(subject));
		if (own->causes[CAUSE_FORWARDED])
			EVIDENCE(
			    d,
			    "%s sent requests that carried X-Forwarded-For, which the service refuses: such a proxy "
			    "cannot ask for pods",
			    subject);
		else if (own->failed)
			EVIDENCE(d, "of what %s asks the service itself, %llu of %llu request%s failed", subject,
				 OF(own->failed, own->requests));
	}
}

void finding_add_answerer(struct draft *d)
{
	const struct answerer *a = d->p->answered_by;
	char who[SUBJECT_LEN], pid[32] = "";

	if (!a)
		return;
	findings_answerer(a, who, sizeof(who));
	if (a->pid)
		snprintf(pid, sizeof(pid), " (pid %u)", a->pid);
	if (!who[0] && d->summary.v && strstr(d->summary.v[0], a->address))
		; /* said already */
	else if (!who[0] && finding_is_own_address(d))
		EVIDENCE(d, "%s is an address of this node itself", a->address);
	else if (!who[0])
		EVIDENCE(d, "%s redirects its connections to %s", finding_redirector(d->p), a->address);
	else if (!d->p->answered)
		EVIDENCE(d, "its connections go to %s%s, in the metadata service's place", who, pid);
	else
		EVIDENCE(d, "answered by %s%s%s", who, pid,
			 d->p->stood_in_for ? ", in the metadata service's place" : "");
	add_answerers_own(d);
}

void finding_add_errors(struct draft *d, unsigned int only)
{
	static const char *const lacks[PROVIDER_COUNT] = {
		[PROVIDER_GCE] = "; the request lacked the header Metadata-Flavor: Google",
		[PROVIDER_AZURE] = "; the request lacked the header Metadata: true",
		[PROVIDER_ORACLE] = "; the request lacked the header Authorization: Bearer Oracle",
	};
	const struct pod_stats *p = d->p;
	char text[128];

	for (size_t i = 0; i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];

		if (only && e->status != only)
			continue;
		EVIDENCE(d, "%s: %llu answer%s %u%s%s", finding_request_text(e, text, sizeof(text)),
			 PLURAL(e->requests), e->status, e->forwarded ? "; the request carried X-Forwarded-For" : "",
			 e->header < 0 && lacks[e->provider] ? lacks[e->provider] : "");
	}
}

void finding_add_tokens(struct draft *d)
{
	EVIDENCE(d, "%llu of %llu token request%s answered", OF(d->p->token_answered, d->p->token_requests));
}

void finding_add_lost_seconds(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char took[32];

	if (p->seconds_lost >= 0.05)
		EVIDENCE(d, "%.1f s lost waiting for answers that %s", p->seconds_lost,
			 p->causes[CAUSE_SLOW] || p->late_after ? "came too late or never" : "never came");
	if (p->fallbacks_answered)
		EVIDENCE(d, "then %llu IMDSv1 fallback request%s answered, in %s%s", PLURAL(p->fallbacks_answered),
			 findings_duration(p->fallback_answered_us_sum / p->fallbacks_answered, took, sizeof(took)),
			 p->fallbacks_answered > 1 ? " on average" : "");
	else if (p->fallbacks)
		EVIDENCE(d, "then %llu IMDSv1 fallback request%s, without success%s", PLURAL(p->fallbacks),
			 p->v1_unauthorized ? ": 401, tokens are required here" : "");
}

void finding_add_processes(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char pid[32];
	size_t i;

	for (i = 0; i < p->processes_len && i < 3; i++)
		EVIDENCE(d, "process %s (%s%s%s): %llu request%s", p->processes[i].comm,
			 finding_pid_text(&p->processes[i], pid, sizeof(pid)),
			 p->processes[i].parent[0] ? ", started by " : "", p->processes[i].parent,
			 PLURAL(p->processes[i].requests));
	if (p->processes_len > i)
		EVIDENCE(d, "and %zu more process name%s", p->processes_len - i, ENDING(p->processes_len - i));
}

bool finding_rule_apply(const struct finding_rule *r, struct draft *d, struct pod_stats *part)
{
	if (d->p && r->about) {
		*part = *d->p;
		pod_stats_narrow(part, r->about);
		d->p = part;
	}
	d->severity = r->severity;
	if (!r->find(d))
		return false;
	if (r->then & THEN_ANSWERER)
		finding_add_answerer(d);
	if (r->then & (THEN_PAST | THEN_BACK))
		add_past(d);
	if ((r->then & THEN_BACK) && findings_is_back(d->p))
		lines_append(&d->summary, "; answered since");
	if (r->then & THEN_LOST)
		finding_add_lost_seconds(d);
	if (r->then & THEN_PROCESSES)
		finding_add_processes(d);
	return true;
}
