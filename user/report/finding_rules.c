/* SPDX-License-Identifier: GPL-2.0-only */
/* One rule for each code: whether it applies to a pod, how grave it is, and the numbers that show it. */
#include "finding_rules.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../base/small.h"
#include "../model/request.h"
#include "findings.h"

#define SUMMARY(d, ...) lines_add(&(d)->summary, __VA_ARGS__)
#define EVIDENCE(d, ...) lines_add(&(d)->evidence, __VA_ARGS__)

/* "1 request", "2 requests" */
#define PLURAL(n) (unsigned long long)(n), (n) == 1 ? "" : "s"

static bool is_ec2(const struct pod_stats *p)
{
	return p->providers & (1u << PROVIDER_EC2);
}

/* The verb that fits the subject: "gets", "get". */
static const char *verb(const struct draft *d, const char *one, const char *many)
{
	return d->many ? many : one;
}

unsigned int finding_providers(const struct pod_stats *p)
{
	return p->providers_failed ? p->providers_failed : p->providers;
}

const char *finding_endpoint(const struct snapshot *s, const struct pod_stats *p, char *buf, size_t len)
{
	unsigned int asked = p ? p->endpoints_failed ? p->endpoints_failed : p->endpoints : 0;
	const char *text = "169.254.169.254";

	for (size_t i = 0; i < 32 && s->endpoints && s->endpoints[i]; i++)
		if (asked & 1u << i) {
			text = s->endpoints[i];
			break;
		}
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

const struct pod_stats *finding_answered_host(const struct snapshot *s)
{
	for (size_t i = 0; i < s->pods_len; i++)
		if (s->pods[i]->host_network && s->pods[i]->last_ok_ns)
			return s->pods[i];
	return NULL;
}

const struct drop_note *finding_main_note(const struct pod_stats *p)
{
	const struct drop_note *best = NULL;

	for (size_t i = 0; p && i < p->notes_len; i++)
		if (p->notes[i].cause != CAUSE_NONE && (!best || p->notes[i].requests > best->requests))
			best = &p->notes[i];
	return best;
}

bool finding_is_local_service(const struct pod_stats *p)
{
	const unsigned int local = 1u << PROVIDER_ECS | 1u << PROVIDER_EKS_POD_IDENTITY;

	return (finding_providers(p) & local) && !(finding_providers(p) & ~local);
}

bool finding_is_another_host(const struct pod_stats *p)
{
	for (size_t i = 0; i < p->drops_len; i++)
		if (strcmp(p->drops[i].reason, "OTHERHOST"))
			return false;
	return p->drops_len && !p->last_ok_ns;
}

/* The answerer's address is the one that was asked: no redirect, this node has that address itself. */
static bool is_own_address(const struct draft *d)
{
	const char *address = d->p->answered_by ? d->p->answered_by->address : "";
	char asked[64];
	size_t len;

	finding_endpoint(d->s, d->p, asked, sizeof(asked));
	len = strlen(asked);
	address += address[0] == '[';
	return !strncmp(address, asked, len) && (address[len] == ':' || address[len] == ']');
}

static void clock_text(const struct snapshot *s, uint64_t ns, char *buf, size_t len)
{
	time_t t = (time_t)((s->now_wall_ns - (s->now_ns - ns)) / 1000000000u);
	struct tm tm;

	if (ns > s->now_ns || !gmtime_r(&t, &tm) || !strftime(buf, len, "%H:%M:%S UTC", &tm))
		snprintf(buf, len, "earlier");
}

/* Past is past: "failed until 12:03:00 UTC, answered since". */
static void add_past(struct draft *d)
{
	char until[32];

	if (!findings_is_past(d->p))
		return;
	clock_text(d->s, d->p->last_failed_ns, until, sizeof(until));
	lines_append(&d->summary, "; the last at %s, answered since", until);
	if (d->severity > SEVERITY_WARNING)
		d->severity = SEVERITY_WARNING;
}

/* "PUT /latest/api/token", or the kind where the path is not kept */
static const char *request_text(const struct error_count *e, char *buf, size_t len)
{
	const char *method = method_word(e->method);

	snprintf(buf, len, "%s%s%s", method, method[0] ? " " : "", e->path[0] ? e->path : kind_word(e->kind));
	return buf;
}

static const char *redirector(const struct pod_stats *p)
{
	return p->redirected_at_home && !p->host_network ? "a rule in its own network (a sidecar)" : "this node";
}

/* Who answered, where it was looked up: " by haproxy of ..."; " at 10.0.0.9:80, where this node redirects it"; else "". */
static const char *by_whom(const struct draft *d, char *buf, size_t len)
{
	const struct answerer *a = d->p->answered_by;
	char who[SUBJECT_LEN];

	buf[0] = '\0';
	if (!a)
		return buf;
	if (findings_answerer(a, who, sizeof(who))[0])
		snprintf(buf, len, " by %.500s", who);
	else if (is_own_address(d))
		snprintf(buf, len, " at %s, an address of this node", a->address);
	else
		snprintf(buf, len, " at %s, where %s redirects it", a->address, redirector(d->p));
	return buf;
}

static void add_answerer(struct draft *d)
{
	const struct answerer *a = d->p->answered_by;
	char who[SUBJECT_LEN], pid[32] = "";

	if (!a)
		return;
	findings_answerer(a, who, sizeof(who));
	if (a->pid)
		snprintf(pid, sizeof(pid), " (pid %u)", a->pid);
	if (!who[0] && is_own_address(d))
		EVIDENCE(d, "%s is an address of this node itself", a->address);
	else if (!who[0])
		EVIDENCE(d, "%s redirects its connections to %s", redirector(d->p), a->address);
	else if (!d->p->answered)
		EVIDENCE(d, "its connections go to %s%s, in the metadata service's place", who, pid);
	else
		EVIDENCE(d, "answered by %s%s%s", who, pid,
			 d->p->stood_in_for ? ", in the metadata service's place" : "");
}

static void add_errors(struct draft *d, enum finding_code code)
{
	const struct pod_stats *p = d->p;
	char text[128];

	for (size_t i = 0; i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];

		if (code == FINDING_NO_ROLE && e->status != 404)
			continue;
		EVIDENCE(d, "%s: %llu answer%s %u%s", request_text(e, text, sizeof(text)), PLURAL(e->requests),
			 e->status, e->forwarded ? "; the request carried X-Forwarded-For" : "");
	}
}

static uint64_t outcomes_of_version(const struct pod_stats *p, enum imds_version version, enum outcome outcome)
{
	uint64_t sum = 0;

	for (size_t kind = 0; kind < IMDS_KIND_COUNT; kind++)
		sum += p->by_kind[kind] ? p->by_kind[kind]->cells[version][outcome] : 0;
	return sum;
}

static void add_lost_seconds(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char took[32];

	if (p->seconds_lost >= 0.05)
		EVIDENCE(d, "%.1f s lost waiting for answers that %s", p->seconds_lost,
			 p->causes[CAUSE_SLOW] ? "came too late or never" : "never came");
	if (p->fallbacks_answered)
		EVIDENCE(d, "then %llu IMDSv1 fallback request%s answered, in %s%s", PLURAL(p->fallbacks_answered),
			 findings_duration(p->fallback_answered_us_sum / p->fallbacks_answered, took, sizeof(took)),
			 p->fallbacks_answered > 1 ? " on average" : "");
	else if (p->fallbacks)
		EVIDENCE(d, "then %llu IMDSv1 fallback request%s, without success", PLURAL(p->fallbacks));
}

/* "pid 4513"; of a process name that several pods have: "in several pods" */
static const char *pid_text(const struct process_count *c, char *buf, size_t len)
{
	if (c->pid)
		snprintf(buf, len, "pid %u", c->pid);
	else
		snprintf(buf, len, "in several pods");
	return buf;
}

static void add_processes(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char pid[32];
	size_t i;

	for (i = 0; i < p->processes_len && i < 3; i++)
		EVIDENCE(d, "process %s (%s%s%s): %llu request%s", p->processes[i].comm,
			 pid_text(&p->processes[i], pid, sizeof(pid)), p->processes[i].parent[0] ? ", started by " : "",
			 p->processes[i].parent, PLURAL(p->processes[i].requests));
	if (p->processes_len > i)
		EVIDENCE(d, "and %zu more process name%s", p->processes_len - i, p->processes_len - i == 1 ? "" : "s");
}

static void add_hops(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (p->hops < 0 && p->required_hop_limit)
		EVIDENCE(
		    d,
		    "the TTLs here do not tell how many forwards lie between, a rule changes them: answers died that "
		    "had as many as the node's own, so hop limit %d is needed at least",
		    p->required_hop_limit);
	else if (p->hops < 0)
		EVIDENCE(d, "how many forwards lie between the service and this socket was not seen");
	else if (p->hops_source == HOPS_FROM_BASELINE)
		EVIDENCE(d,
			 "the SYN-ACK reaches this pod with TTL %d and the node itself with %d: %d forward%s "
			 "between, so hop limit %d is needed",
			 p->ttl_synack, p->baseline_ttl, p->hops, p->hops == 1 ? "" : "s", p->required_hop_limit);
	else
		EVIDENCE(d,
			 "the SYN-ACK reaches this pod with TTL %d; taken as sent with %d: %d forward%s between, "
			 "so hop limit %d is needed (no host-network process spoke to compare with)",
			 p->ttl_synack, p->ttl_synack + p->hops, p->hops, p->hops == 1 ? "" : "s", p->required_hop_limit);
}

static enum confidence best_confidence(const struct pod_stats *p)
{
	for (int c = CONFIDENCE_PROVEN; c > CONFIDENCE_NONE; c--)
		if (p->confidences[c])
			return c;
	return CONFIDENCE_LIKELY;
}

/* "3 proven, 1 likely deaths by TTL" */
static const char *tell_confidences(const struct pod_stats *p, char *buf, size_t len)
{
	size_t at = 0;

	for (int c = CONFIDENCE_PROVEN; c > CONFIDENCE_NONE && at < len; c--)
		if (p->confidences[c])
			at += (size_t)snprintf(buf + at, len - at, "%s%llu %s", at ? ", " : "",
					       (unsigned long long)p->confidences[c], confidence_word(c));
	if (at < len)
		snprintf(buf + at, len - at, "%sdeath%s by TTL", at ? " " : "",
			 p->outcomes[OUTCOME_HOP_LIMIT] == 1 ? "" : "s");
	return buf;
}

static bool find_hop_limit(struct draft *d)
{
	static const char *const sure[CONFIDENCE_COUNT] = {
		[CONFIDENCE_LIKELY] = "the answers probably die on the way with their TTL used up",
		[CONFIDENCE_STRONG] = "all points to answers that die on this node with their TTL used up",
		[CONFIDENCE_PROVEN] = "the answers die on this node, TTL used up",
	};
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	enum confidence confidence = best_confidence(p);
	char needs[96] = "", counts[128] = "";
	int at;

	if (!p->outcomes[OUTCOME_HOP_LIMIT])
		return false;
	d->severity = advice_is_meant(p)		? SEVERITY_INFO
		      : confidence == CONFIDENCE_LIKELY ? SEVERITY_WARNING
							: SEVERITY_ERROR;
	if (is_ec2(p) && p->required_hop_limit > 0) {
		at = snprintf(needs, sizeof(needs), ". It needs hop limit %s%d", p->hops < 0 ? "at least " : "",
			      p->required_hop_limit);
		if (s->node_token_ttl > 0)
			snprintf(needs + at, sizeof(needs) - (size_t)at, ", the node %s %d",
				 s->node_token_ttl < p->required_hop_limit ? "has" : "now has", s->node_token_ttl);
	}
	if (p->token_answered && !findings_is_past(p))
		snprintf(counts, sizeof(counts), " for %llu of %llu requests",
			 (unsigned long long)(p->token_requests - p->token_answered),
			 (unsigned long long)p->token_requests);
	SUMMARY(d, "%s %s no metadata %s%s: %s%s%s", d->subject, findings_is_past(p) ? "got" : verb(d, "gets", "get"),
		p->token_requests ? "token" : "answer", counts, sure[confidence], needs,
		advice_is_meant(p) ? ". Probably blocked on purpose" : "");

	EVIDENCE(d, "%llu token request%s, %llu answered; %s", PLURAL(p->token_requests),
		 (unsigned long long)p->token_answered, tell_confidences(p, counts, sizeof(counts)));
	if (p->hop_limit_drops)
		EVIDENCE(d, "%llu answer packet%s dropped with TTL %d%s%s%s%s%s, joined to this pod by %s",
			 PLURAL(p->hop_limit_drops), p->ttl_dropped, p->drop_location[0] ? " in " : "", p->drop_location,
			 p->death_reason[0] ? " (" : "", p->death_reason, p->death_reason[0] ? ")" : "",
			 p->drop_match == IMDS_MATCH_FINGERPRINT ? "TCP sequence number" : "address and port");
	else if (confidence == CONFIDENCE_PROVEN)
		EVIDENCE(d, "the death of an answer was seen, packet and place; how many died was not counted");
	else
		EVIDENCE(d,
			 "no drop was seen%s; the connection stood, the request was sent whole, not one byte came "
			 "back, while other requests were answered",
			 s->drops_watched ? "" : " (the drop hook is off)");
	if (s->node_token_ttl > 0)
		EVIDENCE(d, "token answers reach the node itself with TTL %d: that is the hop limit set",
			 s->node_token_ttl);
	add_hops(d);
	add_lost_seconds(d);
	if (p->uses_pod_identity)
		EVIDENCE(d, "it also gets credentials from EKS Pod Identity or ECS, with success");
	add_past(d);
	add_processes(d);
	return true;
}

static bool find_fallback(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (!p->fallbacks)
		return false;
	/* what got nothing by it either is told by what kills its requests */
	d->severity = p->fallbacks_answered ? SEVERITY_WARNING : SEVERITY_INFO;
	SUMMARY(d, "%s fell back to IMDSv1 %llu time%s after token requests went unanswered%s", d->subject,
		PLURAL(p->fallbacks), p->fallbacks_answered ? "" : ", without success");
	EVIDENCE(d, "%llu of %llu token request%s answered", (unsigned long long)p->token_answered,
		 PLURAL(p->token_requests));
	add_lost_seconds(d);
	if (!p->outcomes[OUTCOME_HOP_LIMIT]) /* else told there */
		add_processes(d);
	return true;
}

/* Whether another cloud's service is known to answer here, or another provider's requests of this pod are served. */
static bool is_elsewhere(const struct draft *d)
{
	return d->platform.cloud != PROVIDER_OTHER && d->platform.cloud != PROVIDER_EC2;
}

static bool find_v1(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char pid[32];
	uint64_t ok = outcomes_of_version(p, IMDS_VERSION_V1, OUTCOME_OK);

	/* Fallbacks have a finding of their own. */
	if (!ok || p->v1_requests <= p->fallbacks || !is_ec2(p) || is_elsewhere(d))
		return false;
	d->severity = SEVERITY_INFO;
	SUMMARY(d, "%s %s IMDSv1: %llu request%s without a token", d->subject, verb(d, "uses", "use"),
		PLURAL(p->v1_requests - p->fallbacks));
	EVIDENCE(d, "%llu IMDSv1 request%s, %llu served; %llu with a token", PLURAL(p->v1_requests),
		 (unsigned long long)ok, (unsigned long long)p->v2_requests);
	for (size_t i = 0; i < p->processes_len; i++)
		if (p->processes[i].v1_requests)
			EVIDENCE(d, "process %s (%s): %llu of %llu request%s without a token", p->processes[i].comm,
				 pid_text(&p->processes[i], pid, sizeof(pid)),
				 (unsigned long long)p->processes[i].v1_requests, PLURAL(p->processes[i].requests));
	return true;
}

/* "in nf_hook_slow (NETFILTER_DROP)" */
static const char *place_text(const struct drop_note *n, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s", n->location[0] ? "in " : "", n->location,
		 n->reason[0] && n->location[0] ? " (" : "", n->reason, n->reason[0] && n->location[0] ? ")" : "");
	return buf;
}

/* What keeps packets away by a rule: of a filter, a routing table, or a program at the socket; the rest goes wrong. */
static bool is_rule(const struct pod_stats *p, enum cause cause)
{
	return cause == CAUSE_FILTERED || cause == CAUSE_NO_ROUTE ||
	       (cause == CAUSE_REFUSED_AT_SOCKET && p->outcomes[OUTCOME_BLOCKED]);
}

/* In whose network the packets were dropped, where it is not the node's. */
static const char *where_text(const struct pod_stats *p, const struct drop_note *n)
{
	if (n && (n->where & IMDS_D_FOREIGN))
		return ", in another network namespace than the node's and the pod's own";
	return n && (n->where & IMDS_D_AT_HOME) && !p->host_network ? ", in the pod's own network" : "";
}

static void add_notes(struct draft *d, bool rules)
{
	const struct pod_stats *p = d->p;
	char place[128];

	for (size_t i = 0; i < p->notes_len; i++) {
		const struct drop_note *n = &p->notes[i];

		if (is_rule(p, n->cause) != rules || n->cause == CAUSE_HOP_LIMIT || n->cause == CAUSE_NONE)
			continue;
		EVIDENCE(d, "%llu request%s stopped: the %s dropped %s%s%s%s", PLURAL(n->requests),
			 n->from_endpoint  ? "answer's packets were"
			 : p->host_network ? "process's own packets were"
					   : "pod's own packets were",
			 place_text(n, place, sizeof(place)), where_text(p, n),
			 n->to[0] ? ", behind this node's redirect to " : "", n->to);
	}
}

static const struct drop_note *first_note(const struct pod_stats *p, bool rules)
{
	const struct drop_note *best = NULL;

	for (size_t i = 0; i < p->notes_len; i++)
		if (is_rule(p, p->notes[i].cause) == rules && p->notes[i].cause != CAUSE_HOP_LIMIT &&
		    p->notes[i].cause != CAUSE_NONE && (!best || p->notes[i].requests > best->requests))
			best = &p->notes[i];
	return best;
}

/* What kind of rule it is: first match by the reason's start; netfilter, and what has no reason, is the last. */
static const char *filter_text(const struct drop_note *note)
{
	static const struct {
		const char *reason, *text;
	} kinds[] = {
		{ "TC_", "a tc program, as CNIs have for their policies" },
		{ "XDP", "an XDP program" },
		{ "BPF_CGROUP", "another BPF program at its cgroup (systemd's IPAddressDeny is one)" },
		{ "SOCKET_FILTER", "a filter at its own socket" },
	};

	if (note && note->cause == CAUSE_NO_ROUTE)
		return note->where & IMDS_D_FOREIGN ? "a route (blackhole, prohibit or unreachable)"
						    : "a route of this node (blackhole, prohibit or unreachable)";
	for (size_t i = 0; note && i < LEN(kinds); i++)
		if (!strncmp(note->reason, kinds[i].reason, strlen(kinds[i].reason)))
			return kinds[i].text;
	return "a packet filter";
}

static uint64_t dns_of(const struct pod_stats *p, enum outcome outcome)
{
	uint64_t sum = 0;

	for (int v = 0; p->by_kind[IMDS_KIND_DNS] && v < IMDS_VERSION_COUNT; v++)
		sum += p->by_kind[IMDS_KIND_DNS]->cells[v][outcome];
	return sum;
}

static bool find_blocked(struct draft *d)
{
	const struct pod_stats *p = d->p;
	const struct drop_note *note = first_note(p, true);
	uint64_t n = p->outcomes[OUTCOME_BLOCKED], dns = dns_of(p, OUTCOME_BLOCKED);

	if (!n)
		return false;
	d->severity = advice_is_meant(p) ? SEVERITY_INFO : SEVERITY_WARNING;
	SUMMARY(d, "%s %s kept from %s by %s%s%s%s%s: %llu of %llu request%s%s", d->subject,
		findings_is_past(p) ? verb(d, "was", "were") : verb(d, "is", "are"),
		dns == n ? "DNS at the metadata server's address" : "the metadata service", filter_text(note),
		note && note->from_endpoint ? ", which drops the answers" : "", where_text(p, note),
		note && note->to[0] ? ", behind a redirect of this node to " : "", note && note->to[0] ? note->to : "",
		(unsigned long long)n, PLURAL(p->requests), advice_is_meant(p) ? ". Probably on purpose" : "");
	if (dns && dns < n)
		EVIDENCE(d, "%llu of the blocked requests %s DNS (port 53 of the same address)",
			 (unsigned long long)dns, dns == 1 ? "is" : "are");
	add_notes(d, true);
	if (p->policy_drops > n || !note)
		EVIDENCE(d, "%llu of its own packets dropped%s%s%s%s%s", (unsigned long long)p->policy_drops,
			 p->policy_location[0] ? " in " : "", p->policy_location, p->policy_reason[0] ? " (" : "",
			 p->policy_reason, p->policy_reason[0] ? ")" : "");
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu request%s of this pod went through", PLURAL(p->outcomes[OUTCOME_OK]));
	else
		EVIDENCE(d, "nothing of this pod went through");
	add_past(d);
	add_lost_seconds(d);
	add_processes(d);
	return true;
}

static bool find_dropped(struct draft *d)
{
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): long lines */
	static const char *const why[CAUSE_COUNT] = {
		[CAUSE_REVERSE_PATH] =
		    "the reverse path filter (rp_filter): the answers come in by another interface than " /* NOLINT(bugprone-suspicious-missing-comma) */
		    "this node would answer by",
		[CAUSE_FORWARDING_OFF] = "forwarding is off on this node",
		[CAUSE_MARTIAN] =
		    "a redirect to a loopback address (127.0.0.1) without route_localnet: a martian to the kernel",
		[CAUSE_TOO_BIG] = "the packets are too big for the next link's MTU",
		[CAUSE_BAD_CHECKSUM] = "the packets' checksum is wrong",
		[CAUSE_REFUSED_AT_SOCKET] =
		    "another program refuses the answers at the pod's own socket, behind the network",
		[CAUSE_FILTERED] = "a packet filter",
		[CAUSE_HOP_LIMIT] = "the answers' TTL is used up",
		[CAUSE_NO_ROUTE] = "a routing table on the way has no route for them, or one that forbids",
	};
	const struct pod_stats *p = d->p;
	const struct drop_note *note = first_note(p, false);
	uint64_t n = p->outcomes[OUTCOME_DROPPED];
	char place[128];

	if (!n)
		return false;
	if (!note) /* a route: a rule of the node by its cause, yet no filter freed the packets */
		note = first_note(p, true);
	d->severity = SEVERITY_ERROR;
	if (note && note->cause == CAUSE_NO_NEIGHBOUR)
		SUMMARY(d, "%s: %llu of %llu request%s dropped on this node: %s%s", d->subject, (unsigned long long)n,
			PLURAL(p->requests),
			note->from_endpoint ? "the node finds no neighbour with the pod's address"
			: note->to[0]	    ? "no neighbour has the address that it redirects to: "
			: finding_answered_host(d->s) && !p->host_network
			    ? "the pod's packets find nobody with the service's address where they go (no neighbour "
			      "answers)"
			    : "nobody on this network has the service's address (no neighbour answers)",
			note->from_endpoint ? "" : note->to);
	else if (note && note->cause == CAUSE_FORWARDING_OFF && (note->where & IMDS_D_FOREIGN))
		SUMMARY(d,
			"%s: %llu of %llu request%s dropped: forwarding is off in a network namespace that is neither "
			"the node's nor its own (a container around it, or a node in a container)%s%s",
			d->subject, (unsigned long long)n, PLURAL(p->requests), note->to[0] ? "; redirected to " : "",
			note->to);
	else if (note && why[note->cause])
		SUMMARY(d, "%s: %llu of %llu request%s dropped on this node%s: %s%s%s", d->subject,
			(unsigned long long)n, PLURAL(p->requests), where_text(p, note), why[note->cause],
			note->to[0] ? "; redirected to " : "", note->to);
	else
		SUMMARY(d, "%s: %llu of %llu request%s dropped on this node by its kernel %s", d->subject,
			(unsigned long long)n, PLURAL(p->requests),
			note ? place_text(note, place, sizeof(place)) : "in a place that was not seen");
	add_notes(d, note && is_rule(p, note->cause));
	for (size_t i = 0; i < p->drops_len; i++)
		EVIDENCE(d, "%s: %llu packet%s", p->drops[i].reason, PLURAL(p->drops[i].packets));
	if (p->token_requests)
		EVIDENCE(d, "%llu of %llu token request%s answered", (unsigned long long)p->token_answered,
			 PLURAL(p->token_requests));
	add_past(d);
	add_lost_seconds(d);
	add_processes(d);
	return true;
}

static bool find_not_sent(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_NOT_SENT];
	char address[64];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d,
		"%s: no packet left %s for %llu of %llu request%s: its own network has no route to the service, or "
		"connect() is denied there",
		d->subject, p->host_network ? "the host's network" : "the pod", (unsigned long long)n,
		PLURAL(p->requests));
	EVIDENCE(d, "connect() to %s was called and was over at once, without a packet to the service",
		 finding_endpoint(d->s, p, address, sizeof(address)));
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu request%s went through", PLURAL(p->outcomes[OUTCOME_OK]));
	add_past(d);
	add_processes(d);
	return true;
}

static bool find_refused(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_REFUSED];
	const struct answerer *a = p->answered_by;
	const struct drop_note *note = first_note(p, true);
	char who[SUBJECT_LEN];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	if (note && note->cause == CAUSE_NO_ROUTE)
		SUMMARY(d,
			"%s: this node has no route %s, and says so at once (host unreachable): %llu of %llu request%s",
			d->subject, note->from_endpoint ? "back to the pod" : "to the metadata service",
			(unsigned long long)note->requests, PLURAL(p->requests));
	else if (a && is_own_address(d))
		SUMMARY(d, "%s: refused by this node %llu time%s: it has the address %s itself, and nobody listens there",
			d->subject, PLURAL(n), a->address);
	else if (a && !findings_answerer(a, who, sizeof(who))[0])
		SUMMARY(d,
			"%s: refused by this node %llu time%s: %s redirects the connection to %s, where nobody listens",
			d->subject, PLURAL(n), redirector(p), a->address);
	else if (a)
		SUMMARY(d, "%s: refused by this node %llu time%s: %s redirects the connection to %s", d->subject,
			PLURAL(n), redirector(p), who);
	else if (p->refused_by_icmp && !p->refused_by_rst)
		SUMMARY(
		    d, "%s: %llu of %llu request%s refused by an ICMP error (unreachable) on the way, not by the service",
		    d->subject, (unsigned long long)n, PLURAL(p->requests));
	else
		SUMMARY(d, "%s: the connection to the metadata service was refused %llu time%s", d->subject, PLURAL(n));
	add_notes(d, true);
	EVIDENCE(d, "%llu of %llu request%s refused, %llu went through", (unsigned long long)n, PLURAL(p->requests),
		 (unsigned long long)p->outcomes[OUTCOME_OK]);
	add_answerer(d);
	add_past(d);
	add_processes(d);
	return true;
}

/* 401 to a request without a token. With one it is an expired token, or fluent-bit's probe with the token INVALID. */
static bool find_token_required(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->v1_unauthorized;

	/* one that asks for tokens and gets none is told by what kills these */
	if (!n || !is_ec2(p) || (p->token_requests && !p->token_answered))
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s %s without a token where tokens are required: %llu answer%s 401", d->subject,
		verb(d, "asks", "ask"), PLURAL(n));
	EVIDENCE(d, "%llu IMDSv1 request%s, %llu answer%s 401", PLURAL(p->v1_requests),
		 PLURAL(p->responses[IMDS_STATUS_401]));
	EVIDENCE(d, "%llu token request%s, %llu answered", PLURAL(p->token_requests),
		 (unsigned long long)p->token_answered);
	add_processes(d);
	return true;
}

static bool find_disabled(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->responses[IMDS_STATUS_403];

	if (!n || !is_ec2(p) || !p->causes[CAUSE_ENDPOINT_DISABLED])
		return false;
	/* an endpoint that serves other requests of the pod, or is replaced by a process of this node, is not off */
	if (p->outcomes[OUTCOME_OK] || p->answered_by)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s %s answered 403: the metadata endpoint is off or forbids the request (%llu time%s)", d->subject,
		verb(d, "is", "are"), PLURAL(n));
	EVIDENCE(d, "%llu answer%s 403, no request served", PLURAL(n));
	add_errors(d, FINDING_ENDPOINT_DISABLED);
	add_processes(d);
	return true;
}

/* X-Forwarded-For: EC2 refuses a token, Azure and GCE any request, on purpose. The proxy's request is another row's than the pod's. */
static bool find_forwarded(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_FORWARDED];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s %s requests that carry X-Forwarded-For: the service refuses them with %d (%llu time%s)",
		d->subject, verb(d, "sends", "send"), finding_has_status(p, 403) ? 403 : 400, PLURAL(n));
	add_errors(d, FINDING_FORWARDED_HEADER);
	add_processes(d);
	return true;
}

/* "429", "503", "429 or 503" */
static const char *busy_text(const struct pod_stats *p)
{
	bool limited = finding_has_status(p, 429), unavailable = finding_has_status(p, 503);

	return limited == unavailable ? "429 or 503" : limited ? "429" : "503";
}

bool finding_reaches_nobody(const struct pod_stats *p)
{
	return finding_has_status(p, 503) && !finding_has_status(p, 429) &&
	       (p->answered_by || (finding_providers(p) & 1u << PROVIDER_OPENSTACK));
}

static bool find_throttled(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_THROTTLED];
	bool reaches_nobody = finding_reaches_nobody(p);
	char who[SUBJECT_LEN];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d, "%s %s %s%s%s: %llu answer%s %s", d->subject, verb(d, "is", "are"),
		reaches_nobody ? "turned away (service unavailable)" : "throttled",
		finding_is_local_service(p) ? " by the agent on this node" : "", by_whom(d, who, sizeof(who)),
		PLURAL(n), busy_text(p));
	add_errors(d, FINDING_THROTTLED);
	EVIDENCE(d, "%llu of %llu request%s served", (unsigned long long)p->outcomes[OUTCOME_OK], PLURAL(p->requests));
	add_answerer(d);
	add_processes(d);
	return true;
}

static bool find_not_this_cloud(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_NOT_THIS_CLOUD];
	char who[SUBJECT_LEN];

	if (!n || p->token_answered)
		return false;
	/* an agent that asks every cloud's service once is served by the one that is there: harmless */
	d->severity = (!p->credentials_requests || p->credentials_ok) && p->last_ok_ns ? SEVERITY_INFO : SEVERITY_WARNING;
	if (p->answered_by)
		SUMMARY(
		    d,
		    "%s %s for an EC2 token, which is refused%s, in the metadata service's place: %llu token request%s",
		    d->subject, verb(d, "asks", "ask"), by_whom(d, who, sizeof(who)), PLURAL(n));
	else
		SUMMARY(d, "%s %s for an EC2 token, but the service here is not EC2's%s%s: %llu token request%s refused",
			d->subject, verb(d, "asks", "ask"), is_elsewhere(d) ? ", it is that of " : "",
			is_elsewhere(d) ? provider_word(d->platform.cloud) : "", PLURAL(n));
	add_errors(d, FINDING_NOT_THIS_CLOUD);
	add_answerer(d);
	add_processes(d);
	return true;
}

static bool find_no_role(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_NO_ROLE];
	char who[SUBJECT_LEN];

	if (!n || p->credentials_ok || p->causes[CAUSE_NOT_THIS_CLOUD])
		return false;
	d->severity = SEVERITY_WARNING;
	if (p->answered_by)
		SUMMARY(d, "%s %s no credentials: answered 404, no role for it,%s (%llu time%s)", d->subject,
			verb(d, "gets", "get"), by_whom(d, who, sizeof(who)), PLURAL(n));
	else
		SUMMARY(d,
			"%s %s no credentials: no role is attached to this instance, the list is answered 404 "
			"(%llu time%s)",
			d->subject, verb(d, "gets", "get"), PLURAL(n));
	add_errors(d, FINDING_NO_ROLE);
	if (p->token_answered)
		EVIDENCE(d, "%llu of %llu token request%s answered: the service itself works",
			 (unsigned long long)p->token_answered, PLURAL(p->token_requests));
	add_processes(d);
	return true;
}

/* Token or credentials requests that get only errors, of a cause that no other finding tells. */
static bool find_credentials_refused(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t tokens = 0, credentials = 0;
	const struct error_count *worst = NULL;
	char text[128], who[SUBJECT_LEN];

	for (size_t i = 0; i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];

		tokens += e->kind == IMDS_KIND_TOKEN ? e->requests : 0;
		credentials += e->kind == IMDS_KIND_CREDENTIALS ? e->requests : 0;
		if ((e->kind == IMDS_KIND_TOKEN || e->kind == IMDS_KIND_CREDENTIALS) &&
		    (!worst || e->requests > worst->requests))
			worst = e;
	}
	/* what part of it is served is not refused */
	if (!worst || ((!tokens || p->token_answered) && (!credentials || p->credentials_ok)))
		return false;
	if (p->causes[CAUSE_THROTTLED] || p->causes[CAUSE_NOT_THIS_CLOUD] || p->causes[CAUSE_NO_ROLE] ||
	    p->causes[CAUSE_FORWARDED] || p->causes[CAUSE_TOKEN_REQUIRED])
		return false;
	if (p->causes[CAUSE_ENDPOINT_DISABLED] && is_ec2(p) && !p->outcomes[OUTCOME_OK] && !p->answered_by)
		return false;
	d->severity = credentials && !p->credentials_ok ? SEVERITY_ERROR : SEVERITY_WARNING;
	SUMMARY(d, "%s %s for %s and %s only errors: %s answered %u%s", d->subject, verb(d, "asks", "ask"),
		credentials ? "credentials" : "a token", verb(d, "gets", "get"),
		request_text(worst, text, sizeof(text)), worst->status, by_whom(d, who, sizeof(who)));
	add_errors(d, FINDING_CREDENTIALS_REFUSED);
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu other request%s of this pod served", PLURAL(p->outcomes[OUTCOME_OK]));
	if (finding_has_status(p, 401) && p->token_answered)
		EVIDENCE(d, "its requests carry a token that is refused: expired, or given to another instance");
	if (finding_is_local_service(p) && p->hops > 0)
		EVIDENCE(
		    d,
		    "the answers come from %d forward%s away (TTL %d), though the agent that should give them is on "
		    "this node: another server answers in its place",
		    p->hops, p->hops == 1 ? "" : "s", p->ttl_synack);
	for (size_t i = 0; i < d->s->pods_len; i++) {
		const struct pod_stats *proxy = d->s->pods[i];
		char subject[SUBJECT_LEN];

		if (proxy == p || !proxy->causes[CAUSE_FORWARDED])
			continue;
		EVIDENCE(d,
			 "%s sent token requests that carried X-Forwarded-For, which the service answers 403: such a "
			 "proxy cannot get tokens for pods",
			 findings_subject(&proxy->who, subject, sizeof(subject)));
	}
	add_answerer(d);
	add_past(d);
	add_processes(d);
	return true;
}

static bool is_error_of_server(uint16_t status)
{
	return status >= 500 && status != 503;
}

/* "403", "404 or 403": the statuses of its errors, each once, as they came. */
static const char *statuses_text(const struct pod_stats *p, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < p->errors_len && at < len; i++) {
		size_t k = 0;

		while (p->errors[k].status != p->errors[i].status)
			k++;
		if (k == i)
			at += (size_t)snprintf(buf + at, len - at, "%s%u", at ? " or " : "", p->errors[i].status);
	}
	return buf;
}

/* Errors to what is neither token nor credentials: a broken server, or a question that it does not take. */
static bool find_other_errors(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t broken = 0, refused = 0, not_found = 0, probes = 0;
	uint16_t status = 0;
	char who[SUBJECT_LEN], statuses[64];
	bool is_this_clouds = p->providers == 1u << d->platform.cloud;

	for (size_t i = 0; i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];

		if (is_error_of_server(e->status)) {
			broken += e->requests;
			status = e->status;
		} else if (e->status == 404) {
			not_found += e->requests;
		} else if (e->status != 429 && e->status != 503) {
			refused += e->requests;
			/* Azure's SDKs ask without the header Metadata: true to see whether anybody is there */
			probes += e->provider == PROVIDER_AZURE && e->status == 400 ? e->requests : 0;
		}
	}
	if (p->credentials_requests && !p->credentials_ok)
		return false;
	if (is_ec2(p) || !is_this_clouds) /* polls hear 404; what asks each cloud is not found by the others */
		not_found = refused ? not_found : 0;
	if (broken) {
		d->severity = SEVERITY_WARNING;
		SUMMARY(d, "%s %s answered with server errors%s: %llu answer%s %u", d->subject, verb(d, "is", "are"),
			by_whom(d, who, sizeof(who)), PLURAL(broken), status);
	} else if (refused + not_found && !p->last_ok_ns && !p->failed && !p->causes[CAUSE_FORWARDED] &&
		   !p->causes[CAUSE_TOKEN_REQUIRED] && !p->causes[CAUSE_ENDPOINT_DISABLED]) {
		/* one that asks another cloud's service, or all of them, is turned away rightly */
		d->severity = is_this_clouds && refused > probes ? SEVERITY_WARNING : SEVERITY_INFO;
		SUMMARY(d, "%s %s answered, but only with errors%s: %llu answer%s %s", d->subject, verb(d, "is", "are"),
			by_whom(d, who, sizeof(who)), PLURAL(refused + not_found),
			statuses_text(p, statuses, sizeof(statuses)));
	} else {
		return false;
	}
	add_errors(d, FINDING_CREDENTIALS_REFUSED);
	EVIDENCE(d, "%llu of %llu request%s served", (unsigned long long)p->outcomes[OUTCOME_OK], PLURAL(p->requests));
	add_processes(d);
	return true;
}

static bool find_slow(struct draft *d)
{
	const struct pod_stats *p = d->p;
	char limit[32], p50[32], p99[32], max[32], who[SUBJECT_LEN];

	if (!p->slow)
		return false;
	d->severity = SEVERITY_WARNING;
	findings_duration(d->s->slow_us, limit, sizeof(limit));
	findings_duration(histogram_quantile_us(&p->latency, 0.5), p50, sizeof(p50));
	findings_duration(histogram_quantile_us(&p->latency, 0.99), p99, sizeof(p99));
	findings_duration(p->latency.max_us, max, sizeof(max));
	SUMMARY(d, "%s %s answered late%s: %llu above %s, the slowest %s", d->subject, verb(d, "is", "are"),
		by_whom(d, who, sizeof(who)), (unsigned long long)p->slow, limit, max);
	EVIDENCE(d, "%llu of %llu answered request%s above %s; p50 %s, p99 %s, max %s", (unsigned long long)p->slow,
		 PLURAL(p->latency.count), limit, p50, p99, max);
	add_processes(d);
	return true;
}

/* The answer came, and the client had closed: no fault of the network's. */
static bool find_late(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->causes[CAUSE_SLOW];
	char waited[32], took[32], who[SUBJECT_LEN];

	if (!n)
		return false;
	d->severity = SEVERITY_WARNING;
	findings_duration(p->late_waited_us, waited, sizeof(waited));
	findings_duration(p->late_took_us, took, sizeof(took));
	SUMMARY(d, "%s %s answered too late%s: %llu of %llu request%s, each after its client had given up", d->subject,
		findings_is_past(p) ? verb(d, "was", "were") : verb(d, "is", "are"), by_whom(d, who, sizeof(who)),
		(unsigned long long)n, PLURAL(p->requests));
	if (p->late_took_us)
		EVIDENCE(d, "the client waited %s%s, the answer arrived %s after it was asked for",
			 n > 1 ? "up to " : "", waited, took);
	EVIDENCE(d, "these answers did reach the %s: no filter, no route and no hop limit kept them away",
		 p->host_network ? "process's host" : "pod");
	add_answerer(d);
	add_past(d);
	add_lost_seconds(d);
	add_processes(d);
	return true;
}

static bool lost_anything(const struct snapshot *s)
{
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			return true;
	return false;
}

static bool find_no_response(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	uint64_t silent = p->outcomes[OUTCOME_NO_RESPONSE], reset = p->outcomes[OUTCOME_RESET];
	char who[SUBJECT_LEN];

	silent -= silent > p->causes[CAUSE_SLOW] ? p->causes[CAUSE_SLOW] : silent; /* told as late */
	if (!silent && !reset)
		return false;
	d->severity = SEVERITY_WARNING;
	if (!silent)
		SUMMARY(d, "%s: %llu of %llu request%s cut off%s: the connection stood, and was ended without an answer",
			d->subject, (unsigned long long)reset, PLURAL(p->requests),
			p->answered_by ? by_whom(d, who, sizeof(who)) : " by the service");
	else if (p->answered_by)
		SUMMARY(d, "%s: %llu of %llu request%s left without an answer%s", d->subject,
			(unsigned long long)(silent + reset), PLURAL(p->requests), by_whom(d, who, sizeof(who)));
	else if (finding_is_another_host(p))
		SUMMARY(
		    d,
		    "%s: %llu of %llu request%s without an answer: packets came to this node and were thrown away as "
		    "another host's (a wrong MAC address)",
		    d->subject, (unsigned long long)(silent + reset), PLURAL(p->requests));
	else
		SUMMARY(d, "%s: %llu of %llu request%s%s without an answer, cause not seen", d->subject,
			(unsigned long long)(silent + reset), PLURAL(p->requests),
			silent && dns_of(p, OUTCOME_NO_RESPONSE) == silent
			    ? ", DNS queries to the metadata server's address,"
			    : "");
	EVIDENCE(d, "%llu unanswered, %llu cut off, %llu went through", (unsigned long long)silent,
		 (unsigned long long)reset, (unsigned long long)p->outcomes[OUTCOME_OK]);
	if (p->token_requests)
		EVIDENCE(d, "%llu of %llu token request%s answered", (unsigned long long)p->token_answered,
			 PLURAL(p->token_requests));
	for (size_t i = 0; i < p->drops_len; i++)
		EVIDENCE(d, "packets of this pod dropped on this node: %llu %s",
			 (unsigned long long)p->drops[i].packets, p->drops[i].reason);
	if (s->drops_watched && !p->hop_limit_drops && !p->policy_drops && !p->drops_len && !s->stray_drops &&
	    !s->stray_ttl_drops && !lost_anything(s))
		EVIDENCE(d, "no packet of these was seen dropped in this kernel");
	if (!p->host_network && finding_answered_host(s)) {
		char subject[SUBJECT_LEN];

		EVIDENCE(d, "the node itself is answered (%s, in the node's network): what differs is the pod's way out",
			 findings_subject(&finding_answered_host(s)->who, subject, sizeof(subject)));
	}
	add_answerer(d);
	add_past(d);
	/* Arithmetic, not a sighting: it may be so at once with a service that is down. */
	if (is_ec2(p) && p->token_requests > p->token_answered && s->node_token_ttl > 0 && p->hops >= s->node_token_ttl)
		EVIDENCE(d,
			 "token answers reach the node with TTL %d and this pod is %d forward%s further: even an "
			 "answer would not arrive, hop limit %d is needed",
			 s->node_token_ttl, p->hops, p->hops == 1 ? "" : "s", p->required_hop_limit);
	add_lost_seconds(d);
	add_processes(d);
	return true;
}

/* Only what its client ended itself: no failure of anyone's that is known, and nothing that could be called fine. */
static bool find_given_up(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_ABORTED];

	if (!n || p->last_ok_ns || p->failed != n)
		return false;
	d->severity = SEVERITY_INFO;
	SUMMARY(d, "%s: nothing was answered: %llu of %llu request%s given up by the client before an answer came",
		d->subject, (unsigned long long)n, PLURAL(p->requests));
	EVIDENCE(d, "a client whose patience is short looks so, and an error that a router on the way sends at once "
		    "(host unreachable)");
	add_processes(d);
	return true;
}

/* As it was sent: nothing forwarded it. */
static bool is_fresh(int ttl)
{
	return ttl == 64 || ttl == 128 || ttl == 255;
}

/*
 * A process on the node answers in the service's place (GKE's metadata server, kiam, NMI): it was found, or the TTL is fresh
 * although the pod lives behind a forward, and is not the one that the node itself receives.
 */
static bool is_intercepted(const struct snapshot *s, const struct pod_stats *p)
{
	/* ECS and EKS Pod Identity agents are on the node by design. */
	if (!p->own_network || finding_is_local_service(p))
		return false;
	if (p->stood_in_for && p->answered)
		return true;
	if (!is_fresh(p->ttl_synack))
		return false;
	if (s->baseline_ttl > 0 && s->baseline_ttl != p->ttl_synack)
		return true;
	return s->node_token_ttl > 0 && p->ttl_token_response == p->ttl_synack &&
	       p->ttl_token_response != s->node_token_ttl;
}

static bool find_ttl_rewritten(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;

	if (!p->ttl_above_baseline || !p->own_network || finding_is_local_service(p) || p->answered_by ||
	    is_intercepted(s, p))
		return false;
	/* A pod whose interface is the network card's own (ipvlan, macvlan, passed in) gets the same TTL. */
	d->severity = p->ttl_synack > s->baseline_ttl ? SEVERITY_WARNING : SEVERITY_INFO;
	SUMMARY(d, "%s has a network of its own, yet the service's TTL is not lower there than on the node: %s",
		d->subject,
		p->ttl_synack > s->baseline_ttl
		    ? "a rule raises it"
		    : "nothing forwards in between, or a process on this node answers in the service's place");
	EVIDENCE(d, "SYN-ACK with TTL %d in the pod, %d on the node", p->ttl_synack, s->baseline_ttl);
	if (p->ttl_token_response)
		EVIDENCE(d, "token answers with TTL %d in the pod%s", p->ttl_token_response,
			 s->node_token_ttl && p->ttl_token_response >= s->node_token_ttl ? ", not lower than on the "
											   "node"
											 : "");
	return true;
}

static bool find_intercepted(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	char who[SUBJECT_LEN];

	if (!is_intercepted(s, p))
		return false;
	d->severity = SEVERITY_INFO;
	if (p->answered_by)
		SUMMARY(d, "%s %s answered%s, in the metadata service's place", d->subject, verb(d, "is", "are"),
			by_whom(d, who, sizeof(who)));
	else
		SUMMARY(d, "%s %s answered by a process on this node in the metadata service's place", d->subject,
			verb(d, "is", "are"));
	add_answerer(d);
	if (p->ttl_synack && p->hops == 0)
		EVIDENCE(d, "answers arrive with TTL %d although the pod has a network of its own", p->ttl_synack);
	if (s->baseline_ttl > 0)
		EVIDENCE(d, "the node itself receives the service with TTL %d", s->baseline_ttl);
	return true;
}

/* Its connection went elsewhere before it left: by a program at connect (Cilium), or a rule in the pod (a sidecar's). */
static bool find_redirected(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_REDIRECTED];
	char who[SUBJECT_LEN];

	if (!n)
		return false;
	d->severity = SEVERITY_INFO;
	SUMMARY(d,
		"%s: %llu of %llu request%s redirected before they left: another program at connect, or a rule in the "
		"pod's own network (a sidecar), sends them to another address%s%s",
		d->subject, (unsigned long long)n, PLURAL(p->requests), p->answered_by ? ", answered" : "",
		by_whom(d, who, sizeof(who)));
	EVIDENCE(
	    d, "connect() to the metadata service was seen, and no packet to it: what was answered there is not seen");
	add_processes(d);
	return true;
}

/* Two TTLs within one pod: connections older than a redirect still go to the service itself. */
static bool find_two_servers(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (!p->own_network || !p->ttl_low || p->ttl_low == p->ttl_high || finding_is_local_service(p))
		return false;
	/* a container with networks of its own within (Docker in Docker) is at two distances from one server */
	if (!p->answered_by && !is_fresh(p->ttl_high))
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(d,
		"%s %s answered by two different servers: some of its connections by the service itself, others by a "
		"process on this node in its place",
		d->subject, verb(d, "is", "are"));
	EVIDENCE(d, "SYN-ACKs arrive with TTL %d and with TTL %d: the higher one was sent nearer", p->ttl_low,
		 p->ttl_high);
	EVIDENCE(
	    d, "connections that are older than a redirect go on to where they went before: what they are given is the "
	       "node's role, not the pod's");
	add_answerer(d);
	return true;
}

#define GONE_OLD_NS (3600ull * 1000000000) /* then it is history */

/* would-break needs a question and is added by whoever asks it. */
static bool find_beyond_share(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (!p->untracked && !p->judged_early)
		return false;
	d->severity = SEVERITY_INFO; /* that not all was seen is said of the node, too */
	if (p->untracked)
		SUMMARY(d, "%s opens more connections at a time than one pod's share of the table: %llu %s not followed",
			d->subject, (unsigned long long)p->untracked, p->untracked == 1 ? "was" : "were");
	else
		SUMMARY(
		    d,
		    "%s leaves more requests at a time than one pod's share of those that wait for their answer's fate",
		    d->subject);
	if (p->untracked)
		EVIDENCE(
		    d, "%llu connection%s or DNS quer%s of it without requests, causes and times; those of other pods are all there",
		    (unsigned long long)p->untracked, p->untracked == 1 ? "" : "s", p->untracked == 1 ? "y" : "ies");
	if (p->judged_early)
		EVIDENCE(d, "%llu request%s of it judged at once: a late death of the answer is not in their cause",
			 PLURAL(p->judged_early));
	if (p->records_lost)
		EVIDENCE(d, "%llu request%s of it counted without details", PLURAL(p->records_lost));
	add_processes(d);
	return true;
}

const struct finding_rule finding_rules[] = {
	{ FINDING_HOP_LIMIT_EXHAUSTED, find_hop_limit },
	{ FINDING_DROPPED_ON_NODE, find_dropped },
	{ FINDING_CREDENTIALS_REFUSED, find_credentials_refused },
	{ FINDING_NO_ROLE, find_no_role },
	{ FINDING_NOT_THIS_CLOUD, find_not_this_cloud },
	{ FINDING_FORWARDED_HEADER, find_forwarded },
	{ FINDING_IMDSV1_FALLBACK, find_fallback },
	{ FINDING_IMDSV1_IN_USE, find_v1 },
	{ FINDING_BLOCKED_BY_POLICY, find_blocked },
	{ FINDING_NOT_SENT, find_not_sent },
	{ FINDING_ENDPOINT_REFUSED, find_refused },
	{ FINDING_TOKEN_REQUIRED, find_token_required },
	{ FINDING_ENDPOINT_DISABLED, find_disabled },
	{ FINDING_THROTTLED, find_throttled },
	{ FINDING_CREDENTIALS_REFUSED, find_other_errors },
	{ FINDING_SLOW, find_late },
	{ FINDING_SLOW, find_slow },
	{ FINDING_NO_RESPONSE, find_no_response },
	{ FINDING_NO_RESPONSE, find_given_up },
	{ FINDING_TTL_REWRITTEN, find_ttl_rewritten },
	{ FINDING_TWO_SERVERS, find_two_servers },
	{ FINDING_INTERCEPTED, find_intercepted },
	{ FINDING_INTERCEPTED, find_redirected },
	{ FINDING_BEYOND_SHARE, find_beyond_share },
	{ 0, NULL },
};

bool finding_rule_unowned(struct draft *d)
{
	const struct snapshot *s = d->s;
	uint64_t packets = 0;
	char address[64];

	for (size_t i = 0; i < s->unowned_len; i++)
		packets += s->unowned[i].packets;
	if (!packets)
		return false;
	d->severity = SEVERITY_WARNING;
	SUMMARY(
	    d,
	    "answers of the metadata service die on this node, TTL used up, that belong to no connection seen: %llu "
	    "packet%s",
	    PLURAL(packets));
	for (size_t i = 0; i < s->unowned_len && i < 8; i++) {
		const struct unowned *u = &s->unowned[i];
		const char *name = u->name ? u->name : "";

		EVIDENCE(d, "%llu packet%s to %s%s%s%s%s%s, TTL %u%s%s", PLURAL(u->packets),
			 request_address(&u->address, u->port, address, sizeof(address)), name[0] ? " (" : "", name,
			 name[0] ? ")" : "", u->device[0] ? " by " : "", u->device, u->ttl,
			 u->location[0] ? ", in " : "", u->location);
	}
	if (s->unowned_len > 8)
		EVIDENCE(d, "and %zu more addresses", s->unowned_len - 8);
	return true;
}

/* What failed of pods whose rows have left is in no row, and must not be forgotten with them. */
bool finding_rule_gone(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = s->gone;

	if (!p || !p->failed)
		return false;
	d->severity = s->now_ns > p->last_failed_ns + GONE_OLD_NS ? SEVERITY_INFO : SEVERITY_WARNING;
	SUMMARY(d, "%llu of %llu request%s failed of %zu container%s that %s gone%s", (unsigned long long)p->failed,
		PLURAL(p->requests), s->gone_rows, s->gone_rows == 1 ? "" : "s", s->gone_rows == 1 ? "is" : "are",
		p->outcomes[OUTCOME_HOP_LIMIT] ? ": answers died of their TTL among them" : "");
	for (int o = 0; o < OUTCOME_COUNT; o++)
		if (p->outcomes[o] && o != OUTCOME_OK)
			EVIDENCE(d, "%llu %s", (unsigned long long)p->outcomes[o], outcome_word(o));
	if (p->seconds_lost >= 0.05)
		EVIDENCE(d, "%.1f s lost waiting for answers that never came", p->seconds_lost);
	return true;
}

bool finding_rule_incomplete(struct draft *d)
{
	const struct snapshot *s = d->s;
	double watched_s = s->now_ns > s->started_ns ? (double)(s->now_ns - s->started_ns) / 1e9 : 0;
	const uint64_t *outcomes = s->totals.outcomes;
	uint64_t lost = 0, blind_s = 0, harmless = 0;
	size_t parts = 0;

	for (size_t i = 0; i < s->features_len; i++) {
		const struct feature *f = &s->features[i];

		if (!strcmp(f->state, "ok"))
			continue;
		parts++;
		EVIDENCE(d, "%s is %s%s%s", f->name, f->state, f->why[0] ? ": " : "", f->why);
	}
	for (size_t i = 0; i < s->losses_len; i++) {
		const struct loss *l = &s->losses[i];

		if (!l->count)
			continue;
		if (!strcmp(l->name, "detached_s"))
			blind_s = l->count;
		else
			lost += l->count;
		/* a drop that was missed is the cause of nothing where each request has an answer or a cause */
		if (!strcmp(l->name, "events_missed") && s->totals.requests && !outcomes[OUTCOME_NO_RESPONSE] &&
		    !outcomes[OUTCOME_ABORTED])
			harmless = l->count;
		EVIDENCE(d, "%s: %llu%s%s", l->name, (unsigned long long)l->count, l->what[0] ? ", " : "", l->what);
	}
	if (!parts && !lost && !blind_s)
		return false;
	d->severity = lost > harmless || blind_s ? SEVERITY_WARNING : SEVERITY_INFO;
	if (blind_s)
		SUMMARY(
		    d,
		    "blind for up to %llu of %.0f s: our programs were off their hooks, so requests may be missing; "
		    "another tool detached them, or the cgroup folder was removed",
		    (unsigned long long)blind_s, watched_s);
	else if (lost && parts)
		SUMMARY(d, "not all could be seen: %llu event%s lost, %llu part%s of the tool not fully working",
			PLURAL(lost), PLURAL(parts));
	else if (lost)
		SUMMARY(d, "not all could be seen: %llu event%s lost", PLURAL(lost));
	else
		SUMMARY(d, "not all could be seen: %llu part%s of the tool not fully working", PLURAL(parts));
	return true;
}
