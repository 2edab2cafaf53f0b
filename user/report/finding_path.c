/* SPDX-License-Identifier: GPL-2.0-only */
/* What keeps packets and answers away on this node, and what came to nothing unseen. */
#include <stdio.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "finding_parts.h"
#include "findings.h"

/* What keeps packets away by a rule: of a filter, a routing table, or a program at the socket; the rest goes wrong. */
static bool is_rule(const struct pod_stats *p, enum cause cause)
{
	return cause == CAUSE_FILTERED || cause == CAUSE_NO_ROUTE ||
	       (cause == CAUSE_REFUSED_AT_SOCKET && p->outcomes[OUTCOME_BLOCKED]);
}

/* "in nf_hook_slow (NETFILTER_DROP)" */
static const char *place_text(const struct drop_note *n, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s", n->location[0] ? "in " : "", n->location,
		 n->reason[0] && n->location[0] ? " (" : "", n->reason, n->reason[0] && n->location[0] ? ")" : "");
	return buf;
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

		if (is_rule(p, n->cause) != rules || n->hop_limit || n->cause == CAUSE_NONE)
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
		if (is_rule(p, p->notes[i].cause) == rules && !p->notes[i].hop_limit &&
		    p->notes[i].cause != CAUSE_NONE && (!best || p->notes[i].requests > best->requests))
			best = &p->notes[i];
	return best;
}

static uint64_t dns_of(const struct pod_stats *p, enum outcome outcome)
{
	uint64_t sum = 0;

	for (int v = 0; p->by_kind[IMDS_KIND_DNS] && v < IMDS_VERSION_COUNT; v++)
		sum += p->by_kind[IMDS_KIND_DNS]->cells[v][outcome];
	return sum;
}

static void add_hops(struct draft *d)
{
	const struct pod_stats *p = d->p;

	if (p->hops < 0 && p->required_hop_limit)
		EVIDENCE(d,
			 "the TTLs here do not tell how many forwards lie between: answers died that by them had "
			 "enough left (a rule "
			 "changes TTLs, or the limit was lowered meanwhile), so hop limit %d is needed at least",
			 p->required_hop_limit);
	else if (p->hops >= 0 && !p->ttl_synack && p->ttl_response)
		EVIDENCE(
		    d,
		    "%d forward%s between, by the TTL of answers (this pod's connections are older than the watch, "
		    "which saw no SYN-ACK of theirs), so hop limit %d is needed",
		    p->hops, ENDING(p->hops), p->required_hop_limit);
	else if (p->hops < 0 || !p->ttl_synack) /* DNS has none */
		EVIDENCE(d, "how many forwards lie between the service and this socket was not seen");
	else if (p->hops_source == HOPS_FROM_BASELINE)
		EVIDENCE(d,
			 "the SYN-ACK reaches this pod with TTL %d and the node itself with %d: %d forward%s "
			 "between, so hop limit %d is needed",
			 p->ttl_synack, p->baseline_ttl, p->hops, ENDING(p->hops), p->required_hop_limit);
	else
		EVIDENCE(d,
			 "the SYN-ACK reaches this pod with TTL %d; taken as sent with %d: %d forward%s between, "
			 "so hop limit %d is needed (no host-network process spoke to compare with)",
			 p->ttl_synack, p->ttl_synack + p->hops, p->hops, ENDING(p->hops), p->required_hop_limit);
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
	buf[0] = '\0';
	for (int c = CONFIDENCE_PROVEN; c > CONFIDENCE_NONE; c--)
		if (p->confidences[c])
			text_add(buf, len, "%s%llu %s", buf[0] ? ", " : "", (unsigned long long)p->confidences[c],
				 confidence_word(c));
	return text_add(buf, len, "%sdeath%s by TTL", buf[0] ? " " : "", ENDING(p->outcomes[OUTCOME_HOP_LIMIT]));
}

/* ". It needs hop limit 2, the node has 1" */
static const char *needs_text(const struct draft *d, char *buf, size_t len)
{
	int needed = d->p->required_hop_limit, has = d->s->node_token_ttl;

	buf[0] = '\0';
	if (!finding_is_ec2(d->p) || needed <= 0)
		return buf;
	snprintf(buf, len, ". %s hop limit %s%d", d->many ? "They need" : "It needs", d->p->hops < 0 ? "at least " : "",
		 needed);
	if (has > 0)
		text_add(buf, len, ", the node %s %d", has < needed ? "has" : "now has", has);
	return buf;
}

/* Whether the note is of a death at another place than the row's own: by IPv6, in a network of its own. */
static bool is_other_place(const struct pod_stats *p, const struct drop_note *n)
{
	return n->hop_limit && n->location[0] && p->drop_location[0] && strcmp(n->location, p->drop_location) != 0;
}

static void add_deaths(struct draft *d, enum confidence confidence)
{
	const struct pod_stats *p = d->p;
	bool elsewhere = false;
	char counts[128];

	for (size_t i = 0; i < p->notes_len; i++)
		elsewhere |= is_other_place(p, &p->notes[i]);

	EVIDENCE(d, "%llu token request%s, %llu answered; %s", PLURAL(p->token_requests),
		 (unsigned long long)p->token_answered, tell_confidences(p, counts, sizeof(counts)));
	if (p->hop_limit_drops)
		EVIDENCE(d, "%llu answer packet%s dropped with TTL %d%s%s%s%s%s%s, joined to this pod by %s",
			 PLURAL(p->hop_limit_drops), p->ttl_dropped, p->drop_location[0] ? " in " : "",
			 p->drop_location, p->death_reason[0] ? " (" : "", p->death_reason,
			 p->death_reason[0] ? ")" : "", elsewhere ? " and elsewhere" : "",
			 p->drop_match == IMDS_MATCH_FINGERPRINT ? "TCP sequence number" : "address and port");
	else if (confidence == CONFIDENCE_PROVEN)
		EVIDENCE(d, "the death of an answer was seen, packet and place; how many died was not counted");
	else
		EVIDENCE(d,
			 "no drop was seen%s; the connection stood, the request was sent whole, not one byte came "
			 "back, while other requests were answered",
			 d->s->drops_watched ? "" : " (the drop hook is off)");
	for (size_t i = 0; i < p->notes_len; i++)
		if (is_other_place(p, &p->notes[i]))
			EVIDENCE(d, "the answers of %llu request%s in %s (%s)", PLURAL(p->notes[i].requests),
				 p->notes[i].location, p->notes[i].reason);
}

/* What drops answers with more left, too, will drop them whatever the limit is. */
static void add_tc_policy(struct draft *d)
{
	const struct pod_stats *p = d->p;

	for (const struct drop_note *n = p->notes; n < p->notes + p->notes_len; n++)
		if (n->from_endpoint && !n->hop_limit && n->ttl > 1 && finding_drop_kind(d, n) == DROP_BY_TC)
			EVIDENCE(
			    d,
			    "a tc program dropped answers with TTL %d, too: where it is the same, a higher limit alone "
			    "changes nothing",
			    n->ttl);
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
	const bool tokens = p->token_requests > p->token_answered;
	char needs[96], counts[64] = "";

	if (!p->outcomes[OUTCOME_HOP_LIMIT])
		return false;
	d->severity = advice_is_meant(p)		? SEVERITY_INFO
		      : confidence == CONFIDENCE_LIKELY ? SEVERITY_WARNING
							: SEVERITY_ERROR;
	if (tokens && p->token_answered && !findings_is_past(p))
		snprintf(counts, sizeof(counts), " for %llu of %llu requests",
			 (unsigned long long)(p->token_requests - p->token_answered),
			 (unsigned long long)p->token_requests);
	SUMMARY(d, "%s %s no metadata %s%s: %s%s%s", d->subject,
		findings_is_past(p) ? "got" : finding_verb(d, "gets", "get"), tokens ? "token" : "answer", counts,
		sure[confidence], needs_text(d, needs, sizeof(needs)),
		advice_is_meant(p) ? ". Probably blocked on purpose" : "");

	add_deaths(d, confidence);
	add_tc_policy(d);
	if (s->node_token_ttl > 0)
		EVIDENCE(d, "token answers reach the node itself with TTL %d: that is the hop limit set",
			 s->node_token_ttl);
	add_hops(d);
	finding_add_lost_seconds(d);
	if (p->uses_pod_identity)
		EVIDENCE(d, "it also gets credentials from EKS Pod Identity or ECS, with success");
	return true;
}

/* First match by the start of reason and place wins; "": any. */
static const struct drop_kind_row {
	const char *reason, *location;
	enum drop_kind kind;
	const char *text;
} drop_kinds[] = {
	{ "TC_", "", DROP_BY_TC, "a tc program, as CNIs have for their policies" },
	{ "XDP", "", DROP_BY_XDP, "an XDP program" },
	{ "", "do_xdp_generic", DROP_BY_XDP, "an XDP program" },
	{ "", "netif_receive_generic_xdp", DROP_BY_XDP, "an XDP program" },
	{ "", "veth_xdp_rcv", DROP_BY_XDP, "an XDP program" },
	{ "BPF_CGROUP", "", DROP_BY_CGROUP, "another BPF program at its cgroup (systemd's IPAddressDeny is one)" },
	{ "SOCKET_FILTER", "", DROP_BY_CGROUP, "a filter at its own socket" },
	{ "SECURITY_HOOK", "", DROP_BY_CGROUP, "a security module of the kernel (LSM)" },
	{ "XFRM_", "", DROP_BY_IPSEC, "an IPsec policy (xfrm)" },
	{ "QDISC_", "", DROP_IN_QUEUE, "an interface's queue, which is full or shaped (a limit of bandwidth)" },
	{ "", "__dev_forward_skb", DROP_AT_DOWN_LINK, "an interface on the way is down" },
	{ "DEV_READY", "", DROP_AT_DOWN_LINK, "an interface on the way is down" },
	{ "NO_SOCKET", "", DROP_WITHOUT_SOCKET,
	  "they were delivered to this node itself, and no socket takes them there (a TPROXY rule or a local route "
	  "without its process)" },
	{ "IP_INHDR", "ip_forward", DROP_BY_OWN_TTL, "the client sends its packets with a TTL that is used up here" },
	{ "IP_INHDR", "ip6_forward", DROP_BY_OWN_TTL, "the client sends its packets with a TTL that is used up here" },
	{ "", "", DROP_BY_RULE, NULL },
};

static const struct drop_kind_row *kind_row(const struct drop_note *note)
{
	const struct drop_kind_row *row = drop_kinds;

	while (note && (strncmp(note->reason, row->reason, strlen(row->reason)) != 0 ||
			strncmp(note->location, row->location, strlen(row->location)) != 0 ||
			(row->kind == DROP_BY_OWN_TTL && note->from_endpoint)))
		row++;
	return note ? row : &drop_kinds[LEN(drop_kinds) - 1];
}

/*
 * In the node's own network, where netfilter's hooks free what they drop: connection tracking has dropped as many. A rule may
 * drop there, too (iptables-legacy; nftables before 6.4).
 */
static bool may_be_conntrack(const struct draft *d, const struct drop_note *note)
{
	const struct conntrack *c = &d->s->conntrack;
	uint16_t node = d->p && d->p->host_network ? IMDS_D_AT_HOME : 0;

	return note && note->where == node && c->drops >= note->requests && c->max &&
	       !strncmp(note->location, "nf_hook_slow", strlen("nf_hook_slow"));
}

/* With room left in its table it is not accused alone. */
enum drop_kind finding_drop_kind(const struct draft *d, const struct drop_note *note)
{
	const struct conntrack *c = &d->s->conntrack;
	enum drop_kind kind = kind_row(note)->kind;

	if (kind != DROP_BY_RULE || !may_be_conntrack(d, note))
		return kind;
	return c->entries >= c->max - c->max / 10 ? DROP_BY_CONNTRACK : DROP_BY_NETFILTER;
}

static const char *filter_text(const struct draft *d, const struct drop_note *note)
{
	const char *text = kind_row(note)->text;

	if (note && note->cause == CAUSE_NO_ROUTE)
		return note->where & IMDS_D_FOREIGN ? "a route (blackhole, prohibit or unreachable)"
						    : "a route of this node (blackhole, prohibit or unreachable)";
	if (finding_drop_kind(d, note) == DROP_BY_CONNTRACK)
		return "the node's connection tracking (conntrack), which takes no more connections";
	if (finding_drop_kind(d, note) == DROP_BY_NETFILTER)
		return "a packet filter or connection tracking (conntrack) of this node";
	return text ? text : "a packet filter";
}

static bool find_blocked(struct draft *d)
{
	const struct pod_stats *p = d->p;
	const struct drop_note *note = first_note(p, true);
	uint64_t n = p->outcomes[OUTCOME_BLOCKED], dns = dns_of(p, OUTCOME_BLOCKED);
	char port[80];

	if (!n)
		return false;
	d->severity = advice_is_meant(p) ? SEVERITY_INFO : SEVERITY_WARNING;
	SUMMARY(d, "%s %s kept from %s%s by %s%s%s%s%s: %llu of %llu request%s%s", d->subject,
		findings_is_past(p) ? finding_verb(d, "was", "were") : finding_verb(d, "is", "are"),
		dns == n ? "DNS at the metadata server's address" : "the metadata service",
		dns == n ? "" : finding_port_text(d->s, p, port, sizeof(port)), filter_text(d, note),
		note && note->from_endpoint ? ", which drops the answers" : "", where_text(p, note),
		note && note->to[0] ? ", behind a redirect of this node to " : "", note && note->to[0] ? note->to : "",
		OF(n, p->requests), advice_is_meant(p) ? ". Probably on purpose" : "");
	if (dns && dns < n)
		EVIDENCE(d, "%llu of the blocked requests %s DNS (port 53 of the same address)",
			 (unsigned long long)dns, dns == 1 ? "is" : "are");
	add_notes(d, true);
	if (finding_drop_kind(d, note) == DROP_BY_CONNTRACK || finding_drop_kind(d, note) == DROP_BY_NETFILTER)
		EVIDENCE(d, "connection tracking dropped %llu packet%s meanwhile; its table has %llu of %llu entries",
			 PLURAL(d->s->conntrack.drops), (unsigned long long)d->s->conntrack.entries,
			 (unsigned long long)d->s->conntrack.max);
	if (p->policy_drops > n || !note)
		EVIDENCE(d, "%llu of its own packets dropped%s%s%s%s%s", (unsigned long long)p->policy_drops,
			 p->policy_location[0] ? " in " : "", p->policy_location, p->policy_reason[0] ? " (" : "",
			 p->policy_reason, p->policy_reason[0] ? ")" : "");
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu request%s of this pod went through", PLURAL(p->outcomes[OUTCOME_OK]));
	else
		EVIDENCE(d, p->answered ? "no other request of this pod got what it asked for"
					: "nothing of this pod went through");
	return true;
}

static const char *no_neighbour_text(const struct draft *d, const struct drop_note *note)
{
	if (note->from_endpoint)
		return "the node finds no neighbour with the pod's address";
	if (note->to[0])
		return "no neighbour has the address that it redirects to: ";
	if (finding_any_stood(d->s))
		return "the packets find nobody with the service's address, nor a gateway to it, where they go (no "
		       "neighbour answers)";
	return "nobody on this network has the service's address, or is the gateway to it (no neighbour answers)";
}

/* Why packets were dropped, NULL where only the kernel's words are known. */
static const char *dropped_text(const struct draft *d, const struct drop_note *note)
{
	static const char *const why[CAUSE_COUNT] = {
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

	if (note->where & IMDS_D_RST)
		return "the service sent a reset instead of an answer, which did not arrive either";
	if (note->cause == CAUSE_NO_NEIGHBOUR)
		return no_neighbour_text(d, note);
	if (note->cause == CAUSE_REVERSE_PATH)
		return note->from_endpoint
			   ? "the reverse path filter (rp_filter): the answers come in by another interface "
			     "than this node would answer by"
			   : "the reverse path filter (rp_filter): the pod's packets come in by another "
			     "interface than this node would answer the pod by";
	if (note->from_endpoint && finding_drop_kind(d, note) == DROP_WITHOUT_SOCKET)
		return "the answers were delivered in a network where no connection waits for them: NAT had forgotten "
		       "the connection (its time is shorter than this wait, or the address has changed)";
	return why[note->cause] ? why[note->cause] : kind_row(note)->text;
}

static bool find_dropped(struct draft *d)
{
	const struct pod_stats *p = d->p;
	const struct drop_note *note = first_note(p, false);
	uint64_t n = p->outcomes[OUTCOME_DROPPED];
	char place[128];

	if (!n)
		return false;
	if (!note) /* a route: a rule of the node by its cause, yet no filter freed the packets */
		note = first_note(p, true);
	if (note && note->cause == CAUSE_FORWARDING_OFF && (note->where & IMDS_D_FOREIGN))
		SUMMARY(d,
			"%s: %llu of %llu request%s dropped: forwarding is off in a network namespace that is neither "
			"the node's nor its own (a container around it, or a node in a container)%s%s",
			d->subject, OF(n, p->requests), note->to[0] ? "; redirected to " : "", note->to);
	else if (note && dropped_text(d, note))
		SUMMARY(d, "%s: %llu of %llu request%s dropped on this node%s: %s%s%s", d->subject, OF(n, p->requests),
			where_text(p, note), dropped_text(d, note),
			note->to[0] && note->cause != CAUSE_NO_NEIGHBOUR ? "; redirected to " : "",
			note->cause == CAUSE_NO_NEIGHBOUR && note->from_endpoint ? "" : note->to);
	else
		SUMMARY(d, "%s: %llu of %llu request%s dropped on this node by its kernel %s", d->subject,
			OF(n, p->requests),
			note ? place_text(note, place, sizeof(place)) : "in a place that was not seen");
	add_notes(d, note && is_rule(p, note->cause));
	for (size_t i = 0; i < p->drops_len; i++)
		EVIDENCE(d, "%s: %llu packet%s", p->drops[i].reason, PLURAL(p->drops[i].packets));
	if (note && finding_drop_kind(d, note) == DROP_BY_OWN_TTL)
		EVIDENCE(d, "the pod's own packets came to the first forward with TTL %d", note->ttl);
	if (p->token_requests)
		finding_add_tokens(d);
	return true;
}

static bool find_not_sent(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_NOT_SENT];
	char address[64];

	if (!n)
		return false;
	finding_endpoint(d->s, p, address, sizeof(address));
	/* what asks both families at once, as cloud-init does, is served by the one that is there */
	d->severity = finding_is_spare(d->s, p) || advice_is_meant(p) ? SEVERITY_INFO : SEVERITY_WARNING;
	SUMMARY(
	    d,
	    "%s: no packet left %s for %llu of %llu request%s: its own network has no route to %s, connect() is denied "
	    "there, or a program or rule sends it elsewhere in vain%s",
	    d->subject, p->host_network ? "the host's network" : "the pod", OF(n, p->requests),
	    finding_is_spare(d->s, p) ? address : "the service", advice_is_meant(p) ? ". Probably on purpose" : "");
	EVIDENCE(d, "connect() to %s was called, and no packet to the service followed", address);
	if (p->outcomes[OUTCOME_OK])
		EVIDENCE(d, "%llu request%s went through", PLURAL(p->outcomes[OUTCOME_OK]));
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
	if (note && note->cause == CAUSE_NO_ROUTE)
		SUMMARY(d,
			"%s: this node has no route %s, and says so at once (host unreachable): %llu of %llu request%s",
			d->subject, note->from_endpoint ? "back to the pod" : "to the metadata service",
			OF(note->requests, p->requests));
	else if (a && finding_is_own_address(d))
		SUMMARY(d, "%s: refused by this node %llu time%s: it has the address %s itself, and nobody listens there",
			d->subject, PLURAL(n), a->address);
	else if (a && !findings_answerer(a, who, sizeof(who))[0])
		SUMMARY(d,
			"%s: refused by this node %llu time%s: %s redirects the connection to %s, where nobody listens",
			d->subject, PLURAL(n), finding_redirector(p), a->address);
	else if (a)
		SUMMARY(d, "%s: refused by this node %llu time%s: %s redirects the connection to %s", d->subject,
			PLURAL(n), finding_redirector(p), who);
	else if (p->refused_by_icmp && !p->refused_by_rst)
		SUMMARY(
		    d, "%s: %llu of %llu request%s refused by an ICMP error (unreachable) on the way%s, not by the service",
		    d->subject, OF(n, p->requests), p->left_at_once ? ", or left at once by its client" : "");
	else
		SUMMARY(d, "%s: the connection to the metadata service%s was refused %llu time%s", d->subject,
			finding_port_text(d->s, p, who, sizeof(who)), PLURAL(n));
	add_notes(d, true);
	EVIDENCE(d, "%llu of %llu request%s refused, %llu went through", OF(n, p->requests),
		 (unsigned long long)p->outcomes[OUTCOME_OK]);
	return true;
}

static bool lost_anything(const struct snapshot *s)
{
	for (size_t i = 0; i < s->losses_len; i++)
		if (s->losses[i].count)
			return true;
	return false;
}

static void add_silences(struct draft *d)
{
	static const char *const texts[SILENCE_COUNT] = {
		[SILENCE_UNCONNECTED] = "no connection: no answer came to the SYN",
		[SILENCE_UNACKED] = "the connection stood, and the request itself was never acknowledged",
		[SILENCE_UNANSWERED] = "the request was acknowledged, and nothing came back",
		[SILENCE_BEHEADED] = "the end of an answer came, and its beginning did not",
		[SILENCE_UNFINISHED] = "the connection stood, and what the client sent is no whole HTTP request",
	};

	for (int i = 0; i < SILENCE_COUNT; i++)
		if (d->p->silences[i])
			EVIDENCE(d, "%llu time%s: %s", PLURAL(d->p->silences[i]), texts[i]);
}

static bool find_no_response(struct draft *d)
{
	const struct snapshot *s = d->s;
	const struct pod_stats *p = d->p;
	uint64_t silent = p->outcomes[OUTCOME_NO_RESPONSE], reset = p->outcomes[OUTCOME_RESET];
	char who[SUBJECT_LEN], needs[96];

	silent -= silent > p->causes[CAUSE_SLOW] ? p->causes[CAUSE_SLOW] : silent; /* told as late */
	if (!silent && !reset)
		return false;
	if (!silent)
		SUMMARY(d, "%s: %llu of %llu request%s cut off%s: the connection stood, and was ended without an answer",
			d->subject, OF(reset, p->requests),
			p->answered_by ? finding_by_whom(d, who, sizeof(who)) : " by the service");
	else if (p->answered_by)
		SUMMARY(d, "%s: %llu of %llu request%s left without an answer%s", d->subject,
			OF(silent + reset, p->requests), finding_by_whom(d, who, sizeof(who)));
	else if (finding_is_another_host(p))
		SUMMARY(
		    d,
		    "%s: %llu of %llu request%s without an answer: packets came to this node and were thrown away as "
		    "another host's (a wrong MAC address)",
		    d->subject, OF(silent + reset, p->requests));
	else if (p->late_after && p->late_after >= silent && !reset)
		SUMMARY(d,
			"%s: %llu of %llu request%s without an answer in time: it came when the client had long gone, "
			"whoever answers is slow",
			d->subject, OF(silent, p->requests));
	else if (p->late_died && p->late_died + p->late_after >= silent && !reset)
		SUMMARY(d,
			"%s: %llu of %llu request%s without an answer in time: when it came the client had long gone, "
			"and it "
			"died on this node with its TTL used up%s",
			d->subject, OF(silent, p->requests), needs_text(d, needs, sizeof(needs)));
	else
		SUMMARY(d, "%s: %llu of %llu request%s%s without an answer, cause not seen", d->subject,
			OF(silent + reset, p->requests),
			silent && dns_of(p, OUTCOME_NO_RESPONSE) == silent
			    ? ", DNS queries to the metadata server's address,"
			    : "");
	EVIDENCE(d, "%llu unanswered, %llu cut off, %llu went through", (unsigned long long)silent,
		 (unsigned long long)reset, (unsigned long long)p->outcomes[OUTCOME_OK]);
	add_silences(d);
	if (p->late_after)
		EVIDENCE(
		    d,
		    "%llu answer%s came after all, seconds after the client had closed: no filter, no route and no "
		    "hop limit kept %s away",
		    PLURAL(p->late_after), p->late_after == 1 ? "it" : "them");
	if (p->late_died)
		EVIDENCE(d, "%llu answer%s died here with %s TTL used up, seconds after the client had closed",
			 PLURAL(p->late_died), p->late_died == 1 ? "its" : "their");
	if (p->token_requests)
		finding_add_tokens(d);
	for (size_t i = 0; i < p->drops_len; i++)
		EVIDENCE(d, "packets of this pod dropped on this node: %llu %s",
			 (unsigned long long)p->drops[i].packets, p->drops[i].reason);
	if (s->drops_watched && !p->hop_limit_drops && !p->policy_drops && !p->drops_len && !s->stray_drops &&
	    !s->stray_ttl_drops && !lost_anything(s))
		EVIDENCE(d, "no packet of these was seen dropped in this kernel");
	if (!p->host_network && finding_answered_host(s, p)) {
		char subject[SUBJECT_LEN];

		EVIDENCE(d, "the node itself is answered (%s, in the node's network): what differs is the pod's way out",
			 findings_subject(&finding_answered_host(s, p)->who, subject, sizeof(subject)));
	}
	if (!p->host_network && finding_silent_host(s, p)) {
		char subject[SUBJECT_LEN];

		EVIDENCE(d, "the node itself is not answered either (%s, in the node's network)",
			 findings_subject(&finding_silent_host(s, p)->who, subject, sizeof(subject)));
	}
	finding_add_answerer(d);
	/* Arithmetic, not a sighting: it may be so at once with a service that is down. */
	if (finding_is_ec2(p) && p->token_requests > p->token_answered && s->node_token_ttl > 0 &&
	    p->hops >= s->node_token_ttl)
		EVIDENCE(d,
			 "token answers last reached the node with TTL %d and this pod is %d forward%s further: with "
			 "that limit even an answer would not arrive, hop limit %d is needed",
			 s->node_token_ttl, p->hops, ENDING(p->hops), p->required_hop_limit);
	return true;
}

/* Only what its client ended itself: no failure of anyone's that is known, and no token that could be called fine. */
static bool find_given_up(struct draft *d)
{
	const struct pod_stats *p = d->p;
	uint64_t n = p->outcomes[OUTCOME_ABORTED];

	if (!n || (p->last_ok_ns && (!p->token_requests || p->token_answered)) || p->failed != n)
		return false;
	SUMMARY(d, "%s: %s was answered: %llu of %llu request%s given up by the client before an answer came",
		d->subject, p->last_ok_ns ? "no token request" : "nothing", OF(n, p->requests));
	EVIDENCE(d, "a client whose patience is short looks so, and an error that a router on the way sends at once "
		    "(host unreachable)");
	return true;
}

const struct finding_rule finding_rules_path[] = {
	{ FINDING_HOP_LIMIT_EXHAUSTED, find_hop_limit, SEVERITY_WARNING, THEN_BACK | THEN_PROCESSES,
	  1u << OUTCOME_HOP_LIMIT },
	{ FINDING_DROPPED_ON_NODE, find_dropped, SEVERITY_ERROR, THEN_BACK | THEN_LOST | THEN_PROCESSES,
	  1u << OUTCOME_DROPPED },
	{ FINDING_BLOCKED_BY_POLICY, find_blocked, SEVERITY_WARNING, THEN_BACK | THEN_LOST | THEN_PROCESSES,
	  1u << OUTCOME_BLOCKED },
	{ FINDING_NOT_SENT, find_not_sent, SEVERITY_WARNING, THEN_BACK | THEN_LOST | THEN_PROCESSES,
	  1u << OUTCOME_NOT_SENT },
	{ FINDING_ENDPOINT_REFUSED, find_refused, SEVERITY_WARNING, THEN_ANSWERER | THEN_BACK | THEN_PROCESSES,
	  1u << OUTCOME_REFUSED },
	{ FINDING_NO_RESPONSE, find_no_response, SEVERITY_WARNING, THEN_BACK | THEN_LOST | THEN_PROCESSES,
	  1u << OUTCOME_NO_RESPONSE | 1u << OUTCOME_RESET },
	{ FINDING_NO_RESPONSE, find_given_up, SEVERITY_INFO, THEN_PROCESSES, 1u << OUTCOME_ABORTED },
	{ 0 },
};
