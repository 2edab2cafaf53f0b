/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Order of proof: what answered, then what dropped the packets, then what ended the connection, last what may be
 * concluded from silence. Silence alone is weak: a slow service, a lost packet and a used-up TTL look the same
 * to the client, so each rule that ends in hop-limit names what else must hold.
 */
#include "verdict.h"

#include <string.h>

#include "../base/small.h"
#include "cause.h"

#define NS_PER_MS 1000000ull

/*
 * A connect that fails within this time and without a packet from the service failed by an error of the own node.
 * An ICMP reject is back within microseconds; no client has a connect timer that short (shortest known: 250 ms,
 * the Go SDK v2).
 */
#define INSTANT_NS (100 * NS_PER_MS)

/*
 * An ICMP error that comes while connect(2) still runs leaves the socket's state as it was, and the client closes when it
 * reads the error. No timer of a client is that short.
 */
#define AT_ONCE_NS (5 * NS_PER_MS)
/* The kernel itself gives up after its second SYN at the earliest (TCP_SYNCNT 1): 3 s. */
#define KERNEL_GAVE_UP_NS (2500 * NS_PER_MS)

/* No path has so many forwards: the figure compares TTLs of different senders, or one that was set low on purpose. */
#define HOPS_MAX 30
/* The service is a link away from the node: farther than that, what a usual TTL would say is no distance but an unusual TTL. */
#define HOPS_GUESSED_MAX 10

/* Where a packet was freed, as far as a TTL death is concerned. */
enum place {
	PLACE_ELSEWHERE, /* a healthy packet is freed there, or one that died of something else */
	PLACE_UNKNOWN,	 /* the kernel gives no reason and we have no symbols */
	PLACE_TC,	 /* a data path in BPF that forwards, or a policy that never looked at the TTL */
	PLACE_FORWARDS	 /* only a used-up TTL explains it */
};

/* The TTL check of net/ipv4/ip_forward.c and net/ipv6/ip6_output.c. ip_forward_finish is behind it and not meant. */
static const char *const forward_functions[] = { "ip_forward", "ip6_forward" };

/*
 * Where a tc program's verdict frees a packet that comes in: Cilium and Calico forward in BPF and check the TTL there.
 * Which function it is depends on what the compiler inlined. On the way out the forward is behind: what drops an answer
 * there (on the host's side of a pod's veth) is a policy.
 */
static const char *const tc_functions[] = {
	"__netif_receive_skb_core",
	"__netif_receive_skb_one_core",
	"sch_handle_ingress",
	"tcf_classify_ingress",
};
static const char *const tc_reasons[] = { "TC_INGRESS" };
static const char *const tc_out_functions[] = { "sch_handle_egress" };

/* Where netfilter frees a packet that a rule dropped, and where cgroup/skb egress programs do. */
static const char *const filter_functions[] = {
	"nf_hook_slow",
	"nf_hook_slow_list",
	"nft_do_chain",
	"ipt_do_table",
	"ip6t_do_table",
	"ip_finish_output",
	"ip6_finish_output",
	"dst_discard_out",
	/* XDP: generic and veth's own; a network card's frees no skb */
	"do_xdp_generic",
	"netif_receive_generic_xdp",
	"veth_xdp_rcv_skb",
	"veth_xdp_rcv_one",
};
static const char *const filter_reasons[] = { "NETFILTER_DROP", "BPF_CGROUP_EGRESS", "XDP", "TC_EGRESS" };
/*
 * A route of type blackhole, prohibit or unreachable: the oldest filter of all.
 */
static const char *const discard_functions[] = { "dst_discard", "dst_discard_out", "ip6_pkt_drop", "ip6_pkt_discard" };
/* Of IPv6 only such a route leads there, whatever reason is given. */
static const char *const prohibit_functions[] = { "ip6_pkt_prohibit", "ip6_pkt_prohibit_out" };
/* That too where it has no reason of its own, as it has from 5.19 on where there is no route, or no forwarding. */
static const char *const error_functions[] = { "ip_error" };
/* Behind the ingress hook: the socket's own side refused the packet. */
static const char *const socket_filters[] = { "BPF_CGROUP_INGRESS", "SOCKET_FILTER", "XFRM_POLICY" };

static bool is_one_of(const char *word, const char *const *words, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* "ip_forward+0x1f", "ip_forward.cold", "ip_forward.isra.0" and "ip_forward.part.0" all are ip_forward. */
static bool is_in_function(const char *location, const char *const *functions, size_t len)
{
	size_t name_len = strcspn(location, ".+ ");

	for (size_t i = 0; i < len; i++)
		if (strlen(functions[i]) == name_len && !strncmp(location, functions[i], name_len))
			return true;
	return false;
}

/* Before 5.17 a kernel has no reasons; later ones free without one here and there; a bare number means no BTF. */
static bool is_unsaid(const char *reason)
{
	return !(reason[0] >= 'A' && reason[0] <= 'Z') || !strcmp(reason, "NOT_SPECIFIED");
}

static enum place ttl_death_place(const char *reason, const char *location)
{
	if (is_one_of(reason, tc_reasons, LEN(tc_reasons)))
		return PLACE_TC;
	/*
	 * The kernel uses IP_INHDR for malformed headers too, but ip_rcv() and ipv6_rcv() pass TTL 0 and 1 on; with
	 * such a TTL it is the check of ip_forward() (since 5.19).
	 */
	if (!strcmp(reason, "IP_INHDR"))
		return !location[0] || is_in_function(location, forward_functions, LEN(forward_functions))
			   ? PLACE_FORWARDS
			   : PLACE_ELSEWHERE;
	if (!is_unsaid(reason))
		return PLACE_ELSEWHERE; /* QUEUE_PURGE, OTHERHOST, SOCKET_*, TCP_*, NETFILTER_DROP, ... */
	if (!location[0])
		return PLACE_UNKNOWN;
	if (is_in_function(location, forward_functions, LEN(forward_functions)))
		return PLACE_FORWARDS;
	if (is_in_function(location, tc_functions, LEN(tc_functions)))
		return PLACE_TC;
	return PLACE_ELSEWHERE;
}

static bool is_used_up_answer(const struct imds_drop *drop)
{
	return drop->ts_ns && (drop->flags & IMDS_D_FROM_ENDPOINT) && drop->ttl <= 1;
}

bool verdict_is_ttl_death(const struct imds_drop *drop, const char *reason, const char *location)
{
	return is_used_up_answer(drop) && !(drop->flags & (IMDS_D_AT_HOME | IMDS_D_ARRIVED)) &&
	       ttl_death_place(reason, location) >= PLACE_TC;
}

bool verdict_is_tc_policy(const struct imds_drop *drop, const char *reason, const char *location)
{
	return drop->ts_ns && (drop->flags & IMDS_D_FROM_ENDPOINT) && drop->ttl > 1 &&
	       !(drop->flags & IMDS_D_AT_HOME) && ttl_death_place(reason, location) == PLACE_TC;
}

/* Freed by the verdict of a filter, whatever it had looked at. */
static bool is_filter(const char *reason, const char *location)
{
	if (is_in_function(location, prohibit_functions, LEN(prohibit_functions)) ||
	    (is_unsaid(reason) && is_in_function(location, discard_functions, LEN(discard_functions))))
		return true;
	if (!strcmp(reason, "NOT_SPECIFIED") && is_in_function(location, error_functions, LEN(error_functions)))
		return true;
	if (!is_unsaid(reason))
		return is_one_of(reason, filter_reasons, LEN(filter_reasons)) ||
		       is_one_of(reason, tc_reasons, LEN(tc_reasons)) || strstr(reason, "POLICY");
	return is_in_function(location, filter_functions, LEN(filter_functions)) ||
	       is_in_function(location, tc_functions, LEN(tc_functions)) ||
	       is_in_function(location, tc_out_functions, LEN(tc_out_functions));
}

bool verdict_is_policy_drop(const struct imds_drop *drop, const char *reason, const char *location)
{
	return drop->ts_ns && !(drop->flags & IMDS_D_FROM_ENDPOINT) && is_filter(reason, location);
}

/* A list of roles is asked for without its last slash, too, and EC2 redirects that; so may be what has no path here. */
bool verdict_is_error(const struct imds_request *q)
{
	if (q->kind == IMDS_KIND_CREDENTIALS && (!q->path[0] || cause_is_role_list(q->path)))
		return q->status >= 400;
	return q->status >= (q->kind == IMDS_KIND_TOKEN || q->kind == IMDS_KIND_CREDENTIALS ? 300 : 400);
}

bool verdict_is_refused_at_socket(const struct imds_drop *drop)
{
	return drop->ts_ns && (drop->flags & IMDS_D_FROM_ENDPOINT) && (drop->flags & IMDS_D_ARRIVED);
}

static uint64_t waited_ns(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	uint64_t start_ns = rec->req.start_ns, end_ns = rec->req.end_ns ? rec->req.end_ns : in->now_ns;

	if (!start_ns)
		start_ns = rec->connect_call_ns ? rec->connect_call_ns : rec->syn_ns;
	return end_ns > start_ns ? end_ns - start_ns : 0;
}

/* The client ended it, by whatever system call. */
static bool is_client_end(enum imds_end end)
{
	return end == IMDS_END_CLOSED || end == IMDS_END_CLIENT_RST || end == IMDS_END_REUSED;
}

/*
 * A reason to drop a healthy answer on its way. Not on the way: a copy for another host, a socket that is gone or that TCP
 * itself emptied, which only says that the client had left. Without a reason nothing is known.
 */
static bool is_on_the_way(const char *reason)
{
	if (is_unsaid(reason) || !strcmp(reason, "OTHERHOST") || !strcmp(reason, "QUEUE_PURGE") ||
	    !strcmp(reason, "NO_SOCKET"))
		return false;
	return strncmp(reason, "TCP_", 4) || !strcmp(reason, "TCP_CSUM");
}

bool verdict_is_late_answer(const struct imds_drop *drop, const char *reason, const char *location)
{
	const __u16 answer = IMDS_D_FROM_ENDPOINT | IMDS_D_EXPECTED_SEQ;

	return drop->ts_ns && (drop->flags & answer) == answer && (drop->flags & (IMDS_D_PAYLOAD | IMDS_D_SYN)) &&
	       (drop->flags & (IMDS_D_AT_HOME | IMDS_D_ARRIVED)) && !is_on_the_way(reason) &&
	       !strncmp(location, "tcp_", 4);
}

/*
 * The answer came to a network namespace that is not its client's, and found no socket: NAT had forgotten the connection. A
 * client that had left would have been found missing at home.
 */
static bool is_astray(const struct imds_request *q, const char *reason)
{
	return !strcmp(reason, "NO_SOCKET") && (q->flags & IMDS_F_NETNS_KNOWN) && !(q->drop.flags & IMDS_D_AT_HOME) &&
	       (!q->end_ns || q->drop.ts_ns < q->end_ns);
}

/*
 * Whether the kept drop explains that nothing came: a filter's or another drop, in either direction, of a packet that
 * fits. A copy in some other place whose TTL was used up (the flooded copy of a healthy packet among them) explains
 * nothing.
 */
static bool explains_silence(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	const struct imds_drop *drop = &rec->req.drop;

	if (drop->match == IMDS_MATCH_NONE || !cause_drop_counts(rec))
		return false;
	if (drop->flags & IMDS_D_FROM_ENDPOINT)
		return (drop->flags & IMDS_D_EXPECTED_SEQ) &&
		       (drop->flags & (IMDS_D_PAYLOAD | IMDS_D_SYN | IMDS_D_RST)) &&
		       (is_filter(in->drop_reason, in->drop_location) || is_on_the_way(in->drop_reason) ||
			is_astray(&rec->req, in->drop_reason));
	return (drop->flags & IMDS_D_SYN) || is_filter(in->drop_reason, in->drop_location);
}

/* True when the TTL that token answers have on the node is known to be enough, or no forward lies between. */
static bool ttl_suffices(const struct verdict_input *in)
{
	return in->hops == 0 || (in->hops > 0 && in->node_token_ttl > in->hops);
}

/* Where nothing was seen dying, what the node gets at the service's other address speaks against a limit just as well. */
static bool limit_suffices(const struct verdict_input *in)
{
	return ttl_suffices(in) || (in->hops > 0 && in->service_token_ttl > in->hops);
}

/* True when what token answers have on the node is known to be too little. */
static bool is_too_far(const struct verdict_input *in)
{
	return in->node_token_ttl > 0 && in->hops > 0 && in->hops >= in->node_token_ttl;
}

/*
 * A tc program behind the forward finds TTL 1 on what is healthy, so arithmetic must not speak against a death there. Where
 * NAT still hid the connection the forward was yet to come: what the node got earlier was another limit's.
 */
static bool is_ahead_of_forward(const struct verdict_input *in)
{
	const struct imds_drop *drop = &in->rec->req.drop;

	return in->hops > 0 && drop->match == IMDS_MATCH_FINGERPRINT &&
	       ttl_death_place(in->drop_reason, in->drop_location) == PLACE_TC;
}

/*
 * Whether it is not known that a forward was yet to come where a tc program dropped it. Of a connection older than us it is
 * not known in which network its socket lives: it may be the node's own, or the one where the program is.
 */
static bool may_be_at_home(const struct verdict_input *in)
{
	const struct imds_request *q = &in->rec->req;

	return !(q->flags & IMDS_F_NETNS_KNOWN) && (in->hops <= 0 || (q->drop.flags & IMDS_D_FOREIGN));
}

/*
 * How sure it is that the packet that this request waits for died of its TTL, by the drop alone. The flow's own sequence
 * number is what makes a packet the answer: addresses and ports are used by two networks of one node at once, and forged.
 */
static enum confidence death_confidence(const struct verdict_input *in)
{
	const struct imds_request *q = &in->rec->req;
	const struct imds_drop *drop = &q->drop;
	bool token = q->kind == IMDS_KIND_TOKEN;
	enum place place;

	if (!is_used_up_answer(drop) || drop->match == IMDS_MATCH_NONE || !(drop->flags & IMDS_D_EXPECTED_SEQ) ||
	    (drop->flags & (IMDS_D_AT_HOME | IMDS_D_ARRIVED)) || (q->flags & IMDS_F_HOST_NETNS))
		return CONFIDENCE_NONE;
	if (token && !(drop->flags & IMDS_D_WAITING_TOKEN))
		return CONFIDENCE_NONE;
	place = ttl_death_place(in->drop_reason, in->drop_location);
	if (place == PLACE_ELSEWHERE || (place != PLACE_FORWARDS && !is_ahead_of_forward(in) && ttl_suffices(in)) ||
	    (place == PLACE_TC && (may_be_at_home(in) || in->tc_is_policy)))
		return CONFIDENCE_NONE;
	if (place != PLACE_UNKNOWN && (drop->flags & (IMDS_D_PAYLOAD | IMDS_D_SYN)))
		return CONFIDENCE_PROVEN;
	/*
	 * Without payload it is the ACK of a FIN or the like: on a path where those die the answer dies too, but none was
	 * seen dying, and a client that left at once cannot know whether one was on its way.
	 */
	if (!(drop->flags & IMDS_D_PAYLOAD))
		return waited_ns(in) < in->stall_ns ? CONFIDENCE_NONE : CONFIDENCE_LIKELY;
	/* a filter behind the forward finds TTL 1, too: where it was freed decides, or seen ahead of the forward, or arithmetic */
	return place == PLACE_UNKNOWN && !(drop->flags & IMDS_D_FORWARD) && !is_too_far(in) ? CONFIDENCE_LIKELY
											    : CONFIDENCE_STRONG;
}

/* The service refused, and the reset that says so was dropped on its way. */
static bool died_as_reset(const struct imds_drop *drop)
{
	const __u16 reset = IMDS_D_FROM_ENDPOINT | IMDS_D_RST | IMDS_D_EXPECTED_SEQ;

	return drop->ts_ns && drop->match != IMDS_MATCH_NONE && (drop->flags & reset) == reset;
}

/* How sure it is that the answer to this unanswered request died of its TTL. */
static enum confidence hop_limit_confidence(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	const struct imds_request *q = &rec->req;
	bool waited = waited_ns(in) >= in->stall_ns;
	bool cut_by_peer = q->end == IMDS_END_PEER_RST || q->end == IMDS_END_PEER_FIN;
	enum confidence confidence;

	/*
	 * An answer that came after the client had left was slow; it did get through. So did a RST to the SYN. A reset that
	 * died would have been none the better for arriving.
	 */
	if (q->first_byte_ns || (q->flags & IMDS_F_LATE_ANSWER) || q->end == IMDS_END_REFUSED || died_as_reset(&q->drop))
		return CONFIDENCE_NONE;
	confidence = death_confidence(in);
	if (confidence != CONFIDENCE_NONE)
		return confidence;

	/*
	 * From here on nothing was seen dying. Only token answers have a hop limit, and those of ECS and EKS come from the
	 * node itself. A RST or FIN that got through, and a TTL that suffices, speak against a death.
	 */
	if (q->kind != IMDS_KIND_TOKEN || verdict_is_local(in->endpoint) || in->token_contradiction || cut_by_peer ||
	    !waited || limit_suffices(in) || (q->flags & IMDS_F_HOST_NETNS) || explains_silence(in))
		return CONFIDENCE_NONE;
	/*
	 * Arithmetic: a data path may eat the packet without any drop event, so the drop hook does not speak against it. Where
	 * its deaths were seen it does: the limit that the node saw may have been raised since, as it may when that was long before.
	 */
	if (is_too_far(in) && !in->node_ttl_is_other && !(in->drops_watched && in->deaths_seen) &&
	    (q->flags & IMDS_F_REQUEST_ACKED) && (q->flags & IMDS_F_HEAD_COMPLETE))
		return CONFIDENCE_STRONG;
	/*
	 * With the drop hook on, a death on this node would have been seen: the answer is late, or never came here. That
	 * one of this connection's might have been missed is no sign that there was one.
	 */
	if (in->drops_watched || (q->flags & IMDS_F_UNFINDABLE))
		return CONFIDENCE_NONE;
	if (rec->synack_ns && (q->flags & IMDS_F_HEAD_COMPLETE) && in->others_answered)
		return CONFIDENCE_LIKELY;
	return CONFIDENCE_NONE;
}

/*
 * The connection never stood, and no drop explains it.
 *
 * | seen                                                      | said        |
 * | RST to the SYN                                            | refused     |
 * | no SYN left, but the socket was connected at its release  | redirected  |  connect4 program, REDIRECT in OUTPUT
 * | no SYN left, none was dropped, and the socket is kept     | redirected  |  one that failed is closed at once
 * | no SYN left                                               | not-sent    |  no route, blackhole, denied at connect
 * | SYN left, the kernel soon had ended the socket            | refused     |  REJECT by ICMP, from wherever
 * | SYN left, the client closed at once, not resent           | refused     |  likewise; where drops are watched: within 5 ms
 * | the client closed before --stall                          | aborted     |
 * | else                                                      | no-response |  policy elsewhere, link-local allowance
 */
static enum outcome judge_unconnected(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	enum imds_end end = rec->req.end;
	uint64_t instant_ns = in->drops_watched ? AT_ONCE_NS : INSTANT_NS;
	bool instant = is_client_end(end) && waited_ns(in) < instant_ns && !rec->syn_retransmits;
	bool dead = is_client_end(end) && (rec->req.flags & IMDS_F_SOCKET_DEAD) && waited_ns(in) < KERNEL_GAVE_UP_NS;
	bool syn_left = rec->syn_ns || (rec->req.flags & IMDS_F_SYN_SEEN);

	if (end == IMDS_END_REFUSED || end == IMDS_END_PEER_RST)
		return OUTCOME_REFUSED;
	if (rec->req.flags & IMDS_F_ELSEWHERE)
		return OUTCOME_REDIRECTED;
	if (!syn_left && !is_client_end(end) && in->drops_watched)
		return OUTCOME_REDIRECTED;
	if (!syn_left)
		return end == IMDS_END_NONE ? OUTCOME_NO_RESPONSE : OUTCOME_NOT_SENT;
	if (instant || dead)
		return OUTCOME_REFUSED;
	if (is_client_end(end) && waited_ns(in) < in->stall_ns)
		return OUTCOME_ABORTED;
	return OUTCOME_NO_RESPONSE;
}

/* The client's own packet came to the first forward with its TTL used up: sent with a low one, answered by ICMP "time exceeded". */
static bool is_own_ttl_death(const struct verdict_input *in)
{
	const struct imds_drop *drop = &in->rec->req.drop;

	return !(drop->flags & IMDS_D_FROM_ENDPOINT) && drop->ttl <= 1 &&
	       ttl_death_place(in->drop_reason, in->drop_location) == PLACE_FORWARDS;
}

/* A drop explains it: by a filter, or else on this node; a node that says so by ICMP has refused. */
static enum outcome judge_dropped(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	const struct imds_drop *drop = &rec->req.drop;

	if (verdict_is_refused_at_socket(drop))
		return is_one_of(in->drop_reason, socket_filters, LEN(socket_filters)) ? OUTCOME_BLOCKED
										       : OUTCOME_DROPPED;
	if (is_filter(in->drop_reason, in->drop_location))
		return OUTCOME_BLOCKED;
	if (is_own_ttl_death(in))
		return OUTCOME_DROPPED;
	/* where nobody listens the SYN is dropped too, by TCP, which answers with a RST */
	if (rec->req.end == IMDS_END_REFUSED)
		return OUTCOME_REFUSED;
	if (rec->req.end == IMDS_END_PEER_RST || rec->req.end == IMDS_END_PEER_FIN)
		return OUTCOME_RESET;
	/* an ICMP error that comes while connect(2) still runs leaves the socket's state as it was */
	if (!rec->synack_ns && is_client_end(rec->req.end) && waited_ns(in) < INSTANT_NS)
		return OUTCOME_REFUSED;
	return OUTCOME_DROPPED;
}

/* A part of the answer came, and its client waited for the rest. */
static bool waited_for_rest(const struct verdict_input *in)
{
	const struct imds_request *q = &in->rec->req;

	return q->first_byte_ns && !(q->flags & IMDS_F_LATE_ANSWER) && (q->flags & IMDS_F_HEAD_COMPLETE) &&
	       (q->end == IMDS_END_CLOSED || q->end == IMDS_END_CLIENT_RST) &&
	       q->end_ns >= q->last_byte_ns + in->stall_ns;
}

/*
 * Only what lies behind the status line came, out of order: the first segment, a full one as a rule, was lost on the way each
 * time.
 */
static bool is_beheaded(const struct verdict_input *in)
{
	return waited_for_rest(in) && !in->rec->req.status;
}

/* The connection stood, or there is none (UDP); the answer is not complete. */
static enum outcome judge_connected(const struct verdict_input *in)
{
	const struct imds_request *q = &in->rec->req;
	bool partly = q->first_byte_ns && !(q->flags & IMDS_F_LATE_ANSWER) && !is_beheaded(in);

	if (q->end == IMDS_END_PEER_RST || q->end == IMDS_END_REFUSED)
		return OUTCOME_RESET;
	/* Nobody asked: a health probe, or a connection kept in reserve that the service closed when it was idle. */
	if (q->kind == IMDS_KIND_CONNECT_ONLY)
		return OUTCOME_OK;
	if (q->end == IMDS_END_PEER_FIN)
		return OUTCOME_RESET;
	if (q->kind == IMDS_KIND_DNS && !q->first_byte_ns)
		return OUTCOME_NO_RESPONSE;
	/* nothing changed as long as the client cared to wait, or we to watch */
	if (verdict_is_long_poll(q) && (is_client_end(q->end) || q->end == IMDS_END_NONE || q->end == IMDS_END_EXPIRED))
		return OUTCOME_ABORTED;
	if (is_client_end(q->end) && (partly || waited_ns(in) < in->stall_ns))
		return OUTCOME_ABORTED;
	return OUTCOME_NO_RESPONSE;
}

/* The connection stood, and nothing was asked: unless what was to be sent on it was dropped before it had left the pod. */
static bool is_idle(const struct imds_request *q, bool stood)
{
	const struct imds_drop *drop = &q->drop;
	bool request_dropped = drop->ts_ns && (drop->flags & (IMDS_D_FROM_ENDPOINT | IMDS_D_PAYLOAD)) == IMDS_D_PAYLOAD;

	return stood && q->kind == IMDS_KIND_CONNECT_ONLY && !request_dropped;
}

struct verdict verdict_judge(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	const struct imds_request *q = &rec->req;
	bool stood = rec->synack_ns || (q->flags & IMDS_F_MIDSTREAM) || q->first_byte_ns ||
		     rec->peer.proto == 17 /* IPPROTO_UDP */ ||
		     (q->kind != IMDS_KIND_CONNECT_ONLY && q->end != IMDS_END_REFUSED);
	struct verdict v = { .outcome = OUTCOME_OK };
	bool rest_died;

	if (q->end == IMDS_END_ANSWERED && !verdict_is_refused_at_socket(&q->drop)) {
		v.outcome = verdict_is_error(q) ? OUTCOME_HTTP_ERROR : OUTCOME_OK;
		return v;
	}
	if (q->end == IMDS_END_ANSWERED) { /* it reached the socket's door and no further */
		v.outcome = judge_dropped(in);
		return v;
	}
	v.confidence = is_idle(q, stood) ? CONFIDENCE_NONE : hop_limit_confidence(in);
	if (v.confidence != CONFIDENCE_NONE) {
		v.outcome = OUTCOME_HOP_LIMIT;
		return v;
	}
	rest_died = waited_for_rest(in) && q->drop.ts_ns >= q->last_byte_ns;
	if ((!q->first_byte_ns || rest_died) && !is_idle(q, stood) && !(q->flags & IMDS_F_LATE_ANSWER) &&
	    explains_silence(in) &&
	    !(is_client_end(q->end) && stood && waited_ns(in) < in->stall_ns &&
	      !is_filter(in->drop_reason, in->drop_location)))
		v.outcome = judge_dropped(in);
	else
		v.outcome = stood ? judge_connected(in) : judge_unconnected(in);
	return v;
}

static bool is_raised(int ttl)
{
	return ttl > 64 && ttl <= 64 + HOPS_GUESSED_MAX;
}

int verdict_hops(int ttl, int baseline, enum hops_source *ret_source)
{
	static const int initial_ttls[] = { 64, 128, 255 };

	*ret_source = HOPS_UNKNOWN;
	if (ttl <= 0 || ttl > 255)
		return -1;
	/* Nobody sends with a little more than 64: a rule on the node raises what comes in, and not for all alike. */
	if (is_raised(ttl) || is_raised(baseline))
		return -1;
	/* A TTL above the baseline was not sent by the same sender, or was raised on the way. */
	if (baseline >= ttl && baseline - ttl <= HOPS_MAX) {
		*ret_source = HOPS_FROM_BASELINE;
		return baseline - ttl;
	}
	for (size_t i = 0; i < LEN(initial_ttls); i++) {
		if (initial_ttls[i] < ttl)
			continue;
		if (initial_ttls[i] - ttl > HOPS_GUESSED_MAX)
			return -1;
		*ret_source = HOPS_FROM_INITIAL_TTL;
		return initial_ttls[i] - ttl;
	}
	return -1;
}

bool verdict_is_failure(enum outcome outcome, enum imds_kind kind)
{
	switch (outcome) {
	case OUTCOME_OK:
	case OUTCOME_REDIRECTED:
		return false;
	case OUTCOME_HTTP_ERROR:
		return kind == IMDS_KIND_TOKEN || kind == IMDS_KIND_CREDENTIALS;
	default:
		return true;
	}
}

/* What can be said without times, drops and TTLs: never more than the end itself tells. */
enum outcome verdict_from_key(const struct imds_request_key *key, int hops, int node_token_ttl)
{
	const struct verdict_input in = { .hops = hops, .node_token_ttl = node_token_ttl };

	/* what died of a tc program's verdict must not contradict arithmetic */
	if (key->end != IMDS_END_ANSWERED && key->end != IMDS_END_REFUSED &&
	    (key->death == IMDS_DEATH_FORWARD || (key->death == IMDS_DEATH_TC && !ttl_suffices(&in))))
		return OUTCOME_HOP_LIMIT;
	switch (key->end) {
	case IMDS_END_ANSWERED:
		switch (key->status) {
		case IMDS_STATUS_401:
		case IMDS_STATUS_403:
		case IMDS_STATUS_404:
		case IMDS_STATUS_429:
		case IMDS_STATUS_4XX:
		case IMDS_STATUS_5XX:
			return OUTCOME_HTTP_ERROR;
		default:
			return OUTCOME_OK;
		}
	case IMDS_END_REFUSED:
		return OUTCOME_REFUSED;
	case IMDS_END_PEER_RST:
		return OUTCOME_RESET;
	case IMDS_END_PEER_FIN:
		return key->kind == IMDS_KIND_CONNECT_ONLY ? OUTCOME_OK : OUTCOME_RESET;
	case IMDS_END_CLOSED:
	case IMDS_END_CLIENT_RST:
	case IMDS_END_REUSED:
		/* A health probe, an unanswered SYN, an answer cut short: the client left, that much is known. */
		if (key->kind == IMDS_KIND_CONNECT_ONLY || key->status != IMDS_STATUS_NONE)
			return OUTCOME_ABORTED;
		return OUTCOME_NO_RESPONSE;
	default:
		return OUTCOME_NO_RESPONSE;
	}
}

/* By the start of a path that has no words of its own, or Azure's, whose first segment is followed by a name. First match wins. */
static enum provider provider_of_path(const struct imds_request *q, enum provider otherwise)
{
	static const struct {
		const char *root;
		enum provider provider;
	} roots[] = {
		/* IBM's, of which only the token request has a word */
		{ "/metadata/v1/instance", PROVIDER_OTHER },
		{ "/metadata/v1/keys", PROVIDER_OTHER },
		{ "/metadata/v1/placement_groups", PROVIDER_OTHER },
		{ "/metadata/v1", PROVIDER_UNLISTED }, /* DigitalOcean, UpCloud */
		{ "/hetzner/", PROVIDER_UNLISTED },
		{ "/v1/", PROVIDER_UNLISTED }, /* Linode, Vultr */
		{ "/v1.json", PROVIDER_UNLISTED },
	};

	for (size_t i = 0; i < LEN(roots); i++)
		if (!strncmp(q->path, roots[i].root, strlen(roots[i].root)))
			return roots[i].provider;
	return otherwise;
}

enum provider verdict_provider(enum imds_endpoint_class endpoint, const struct imds_request *q)
{
	/* First match wins: headers that only one provider has, then path roots (EC2's are imitated by others). */
	static const struct {
		__u32 any;
		enum provider provider;
	} marks[] = {
		{ IMDS_W_H_ALIBABA, PROVIDER_ALIBABA },
		{ IMDS_W_H_ORACLE | IMDS_W_P_ORACLE, PROVIDER_ORACLE },
		{ IMDS_W_P_IBM, PROVIDER_IBM },
		{ IMDS_W_H_FLAVOR | IMDS_W_P_GCE, PROVIDER_GCE },
		{ IMDS_W_H_METADATA | IMDS_W_P_AZURE, PROVIDER_AZURE },
		{ IMDS_W_P_OPENSTACK, PROVIDER_OPENSTACK },
		{ IMDS_W_P_EC2, PROVIDER_EC2 },
	};

	switch (endpoint) {
	case IMDS_EP_ECS:
		return PROVIDER_ECS;
	case IMDS_EP_EKS:
		return PROVIDER_EKS_POD_IDENTITY;
	case IMDS_EP_ALIBABA:
		return PROVIDER_ALIBABA;
	case IMDS_EP_EC2:
		return PROVIDER_EC2;
	default:
		break;
	}
	/* GCE and Oracle serve DNS at the same address: a query names neither. */
	if (q->kind == IMDS_KIND_DNS || q->kind == IMDS_KIND_CONNECT_ONLY)
		return PROVIDER_OTHER;
	for (size_t i = 0; i < LEN(marks); i++)
		if (q->words & marks[i].any)
			return marks[i].provider == PROVIDER_AZURE && !(q->words & IMDS_W_H_METADATA)
				   ? provider_of_path(q, PROVIDER_AZURE)
				   : marks[i].provider;
	return provider_of_path(q, PROVIDER_OTHER);
}
