/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Order of proof: what answered, then what dropped the packets, then what ended the connection, last what may be
 * concluded from silence. Silence alone is weak: a slow service, a lost packet and a used-up TTL look the same
 * to the client, so each rule that ends in hop-limit names what else must hold.
 */
#include "verdict.h"

#include <string.h>

#define NS_PER_MS 1000000ull

/*
 * A connect that fails within this time and without a packet from the service failed by an error of the own node.
 * An ICMP reject is back within microseconds; no client has a connect timer that short (shortest known: 250 ms,
 * the Go SDK v2).
 */
#define INSTANT_NS (100 * NS_PER_MS)

/* No path has so many forwards: the figure compares TTLs of different senders, or one that was set low on purpose. */
#define HOPS_MAX 30

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Where a packet was freed, as far as a TTL death is concerned. */
enum place {
	PLACE_ELSEWHERE, /* a healthy packet is freed there, or one that died of something else */
	PLACE_UNKNOWN,	 /* the kernel gives no reason and we have no symbols */
	PLACE_FORWARDS	 /* only a used-up TTL explains it */
};

/* The TTL check of net/ipv4/ip_forward.c and net/ipv6/ip6_output.c. ip_forward_finish is behind it and not meant. */
static const char *const forward_functions[] = { "ip_forward", "ip6_forward" };

/*
 * Where a tc program's verdict frees a packet: Cilium and Calico forward in BPF and check the TTL there. Which
 * function it is depends on what the compiler inlined. __dev_queue_xmit is left out: it frees for other causes too,
 * and with a reason (TC_EGRESS) its name is not needed.
 */
static const char *const tc_functions[] = {
	"__netif_receive_skb_core",
	"__netif_receive_skb_one_core",
	"sch_handle_ingress",
	"sch_handle_egress",
	"tcf_classify",
	"tcf_classify_ingress",
	"cls_bpf_classify",
	"tcx_run",
	"tc_run",
};
static const char *const tc_reasons[] = { "TC_INGRESS", "TC_EGRESS" };

/* Where netfilter frees a packet that a rule dropped, and where cgroup/skb egress programs do. */
static const char *const filter_functions[] = {
	"nf_hook_slow",	 "nf_hook_slow_list", "nft_do_chain",	   "ipt_do_table",
	"ip6t_do_table", "ip_finish_output",  "ip6_finish_output",
};
static const char *const filter_reasons[] = { "NETFILTER_DROP", "BPF_CGROUP_EGRESS", "XDP" };

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
		return PLACE_FORWARDS;
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
	if (is_in_function(location, forward_functions, LEN(forward_functions)) ||
	    is_in_function(location, tc_functions, LEN(tc_functions)))
		return PLACE_FORWARDS;
	return PLACE_ELSEWHERE;
}

static bool is_used_up_answer(const struct imds_drop *drop)
{
	return drop->ts_ns && (drop->flags & IMDS_D_FROM_ENDPOINT) && drop->ttl <= 1;
}

bool verdict_is_ttl_death(const struct imds_drop *drop, const char *reason, const char *location)
{
	return is_used_up_answer(drop) && ttl_death_place(reason, location) == PLACE_FORWARDS;
}

bool verdict_is_policy_drop(const struct imds_drop *drop, const char *reason, const char *location)
{
	if (!drop->ts_ns || (drop->flags & IMDS_D_FROM_ENDPOINT))
		return false;
	if (!is_unsaid(reason))
		return is_one_of(reason, filter_reasons, LEN(filter_reasons)) ||
		       is_one_of(reason, tc_reasons, LEN(tc_reasons)) || strstr(reason, "POLICY");
	return is_in_function(location, filter_functions, LEN(filter_functions)) ||
	       is_in_function(location, tc_functions, LEN(tc_functions));
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

/* How sure it is that the answer to this unanswered request died of its TTL. */
static enum confidence hop_limit_confidence(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	const struct imds_request *q = &rec->req;
	const struct imds_drop *drop = &q->drop;
	bool waited = waited_ns(in) >= in->stall_ns;
	bool cut_by_peer = q->end == IMDS_END_PEER_RST || q->end == IMDS_END_PEER_FIN;
	enum place place;

	/* Only token answers have a hop limit, and those of ECS and EKS come from the node itself. */
	if (q->kind != IMDS_KIND_TOKEN || q->first_byte_ns || in->endpoint == IMDS_EP_ECS || in->endpoint == IMDS_EP_EKS)
		return CONFIDENCE_NONE;
	/* An answer that came after the client had left was slow; it did get through. */
	if (q->flags & IMDS_F_LATE_ANSWER)
		return CONFIDENCE_NONE;

	if (is_used_up_answer(drop) && drop->match != IMDS_MATCH_NONE && (drop->flags & IMDS_D_WAITING_TOKEN)) {
		place = ttl_death_place(in->drop_reason, in->drop_location);
		if (place == PLACE_FORWARDS && (drop->flags & IMDS_D_PAYLOAD))
			return CONFIDENCE_PROVEN;
		/*
		 * Without payload it is the ACK of a FIN or the like: on a path where those die the answer dies too,
		 * but a client that left at once cannot know whether an answer was on its way.
		 */
		if (place != PLACE_ELSEWHERE && ((drop->flags & IMDS_D_PAYLOAD) || waited))
			return CONFIDENCE_STRONG;
	}

	/*
	 * From here on nothing was seen dying. With the drop hook on, that speaks against a death on this node:
	 * the answer is late, or never came here. A RST or FIN that got through speaks against it as well.
	 */
	if (in->drops_watched || in->token_contradiction || cut_by_peer || !waited)
		return CONFIDENCE_NONE;
	if (in->node_token_ttl > 0 && in->hops >= 0 && in->node_token_ttl <= in->hops &&
	    (q->flags & (IMDS_F_REQUEST_ACKED | IMDS_F_HEAD_COMPLETE)))
		return CONFIDENCE_STRONG;
	if (rec->synack_ns && (q->flags & IMDS_F_HEAD_COMPLETE) && in->others_answered && in->hops != 0 &&
	    !(q->flags & IMDS_F_HOST_NETNS))
		return CONFIDENCE_LIKELY;
	return CONFIDENCE_NONE;
}

/*
 * The connection never stood.
 *
 * | seen                                                      | said        |
 * | a filter dropped the client's packet, RST or not          | blocked     |  REJECT with tcp-reset drops the SYN too
 * | RST to the SYN                                            | refused     |
 * | no SYN left, connect(2) over at once                      | refused     |  no route, or connect denied: no packet
 * | SYN left, over at once, not resent, drops not watched     | refused     |  REJECT by ICMP, which we do not see
 * | SYN left, over at once, drops watched and none            | aborted     |  a REJECT here would have been a drop
 * | the client closed before --stall                          | aborted     |
 * | else                                                      | no-response |  policy elsewhere, link-local allowance
 */
static enum outcome judge_unconnected(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	enum imds_end end = rec->req.end;
	bool instant = is_client_end(end) && waited_ns(in) < INSTANT_NS && !rec->syn_retransmits;
	bool syn_left = rec->syn_ns || (rec->req.flags & IMDS_F_SYN_SEEN);

	if (end == IMDS_END_REFUSED || end == IMDS_END_PEER_RST)
		return OUTCOME_REFUSED;
	if (instant && !(syn_left && in->drops_watched))
		return OUTCOME_REFUSED;
	if (is_client_end(end) && waited_ns(in) < in->stall_ns)
		return OUTCOME_ABORTED;
	return OUTCOME_NO_RESPONSE;
}

/* The connection stood, or there is none (UDP); the answer is not complete. */
static enum outcome judge_connected(const struct verdict_input *in)
{
	const struct imds_request *q = &in->rec->req;
	bool partly = q->first_byte_ns && !(q->flags & IMDS_F_LATE_ANSWER);

	if (q->end == IMDS_END_PEER_RST || q->end == IMDS_END_REFUSED)
		return OUTCOME_RESET;
	/* Nobody asked: a health probe, or a connection kept in reserve that the service closed when it was idle. */
	if (q->kind == IMDS_KIND_CONNECT_ONLY)
		return OUTCOME_OK;
	if (q->end == IMDS_END_PEER_FIN)
		return OUTCOME_RESET;
	if (q->kind == IMDS_KIND_DNS && !q->first_byte_ns)
		return OUTCOME_NO_RESPONSE;
	if (is_client_end(q->end) && (partly || waited_ns(in) < in->stall_ns))
		return OUTCOME_ABORTED;
	return OUTCOME_NO_RESPONSE;
}

struct verdict verdict_judge(const struct verdict_input *in)
{
	const struct imds_rec_request *rec = in->rec;
	const struct imds_request *q = &rec->req;
	bool stood = rec->synack_ns || (q->flags & IMDS_F_MIDSTREAM) || q->first_byte_ns ||
		     rec->peer.proto == 17 /* IPPROTO_UDP */ ||
		     (q->kind != IMDS_KIND_CONNECT_ONLY && q->end != IMDS_END_REFUSED);
	struct verdict v = { .outcome = OUTCOME_OK };

	if (q->end == IMDS_END_ANSWERED) {
		v.outcome = q->status >= 400 ? OUTCOME_HTTP_ERROR : OUTCOME_OK;
		return v;
	}
	if (!q->first_byte_ns && !(stood && q->kind == IMDS_KIND_CONNECT_ONLY) && !(q->flags & IMDS_F_LATE_ANSWER) &&
	    verdict_is_policy_drop(&q->drop, in->drop_reason, in->drop_location)) {
		v.outcome = OUTCOME_BLOCKED;
		return v;
	}
	if (!stood) {
		v.outcome = judge_unconnected(in);
		return v;
	}
	v.confidence = hop_limit_confidence(in);
	v.outcome = v.confidence != CONFIDENCE_NONE ? OUTCOME_HOP_LIMIT : judge_connected(in);
	return v;
}

int verdict_hops(int ttl, int baseline, enum hops_source *ret_source)
{
	static const int initial_ttls[] = { 64, 128, 255 };

	*ret_source = HOPS_UNKNOWN;
	if (ttl <= 0 || ttl > 255)
		return -1;
	/* A TTL above the baseline was not sent by the same sender, or was raised on the way. */
	if (baseline >= ttl && baseline - ttl <= HOPS_MAX) {
		*ret_source = HOPS_FROM_BASELINE;
		return baseline - ttl;
	}
	for (size_t i = 0; i < LEN(initial_ttls); i++) {
		if (initial_ttls[i] < ttl)
			continue;
		if (initial_ttls[i] - ttl > HOPS_MAX)
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
enum outcome verdict_from_key(const struct imds_request_key *key)
{
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

enum provider verdict_provider(enum imds_endpoint_class endpoint, __u32 words, enum imds_kind kind)
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
	default:
		break;
	}
	/* GCE and Oracle serve DNS at the same address: a query names neither. */
	if (kind == IMDS_KIND_DNS || kind == IMDS_KIND_CONNECT_ONLY)
		return PROVIDER_OTHER;
	for (size_t i = 0; i < LEN(marks); i++)
		if (words & marks[i].any)
			return marks[i].provider;
	return PROVIDER_OTHER;
}
