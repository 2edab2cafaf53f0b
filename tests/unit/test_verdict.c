/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/model/verdict.c user/model/cause.c user/model/words.c */
#include "../../user/base/small.h"
#include "../../user/model/verdict.h"
#include "unit.h"

#define MS 1000000ull
#define T0 (1000 * MS)
#define STALL (250 * MS)

/* What the drop program writes for an answer that a waiting token flow did not get. */
#define ANSWER_BARE (IMDS_D_FROM_ENDPOINT | IMDS_D_WAITING_TOKEN | IMDS_D_HAS_REASON | IMDS_D_EXPECTED_SEQ)
#define ANSWER (ANSWER_BARE | IMDS_D_PAYLOAD)

struct row {
	const char *name;
	enum outcome outcome;
	enum confidence confidence;
	/* the request; a GET-like one of kind data unless said, sent at T0 on a connection that stood 1 ms before */
	enum imds_kind kind;
	enum imds_end end;
	uint64_t waited; /* ns */
	uint32_t flags;	 /* besides what build() sets */
	uint16_t status;
	bool partly;	  /* some answer bytes came */
	bool more_came;	  /* and more behind the drop */
	bool unconnected; /* no SYN-ACK */
	bool no_syn;	  /* and no SYN either */
	bool no_head;	  /* request head not complete */
	int syn_retransmits;
	uint8_t proto;
	/* the drop */
	uint16_t drop; /* IMDS_D_*, 0 for the client's own packet */
	bool dropped;
	uint8_t ttl;
	enum imds_drop_match match;
	const char *reason, *location;
	/* the rest */
	bool drops_off, others, contradiction, deaths_seen;
	int hops, node_ttl; /* hops: 1 more than the figure, 0 unknown */
	bool node_ttl_other;
	int service_ttl;
	enum imds_endpoint_class endpoint;
};

/* Rows say what differs from TOKEN and the like, so they set some members twice. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define TOKEN .kind = IMDS_KIND_TOKEN, .end = IMDS_END_CLOSED, .waited = 1000 * MS
#define DIED(flags_, ttl_, reason_, location_)                                                          \
	.dropped = true, .drop = (flags_), .ttl = (ttl_), .match = IMDS_MATCH_TUPLE, .reason = reason_, \
	.location = location_
#define OWN(reason_, location_) DIED(IMDS_D_SYN, 64, reason_, location_)
#define OLD .unconnected = true, .no_syn = true, .flags = IMDS_F_MIDSTREAM
#define SYN_ONLY .kind = IMDS_KIND_CONNECT_ONLY, .unconnected = true, .no_head = true
#define PROVEN OUTCOME_HOP_LIMIT, CONFIDENCE_PROVEN
#define STRONG OUTCOME_HOP_LIMIT, CONFIDENCE_STRONG
#define LIKELY OUTCOME_HOP_LIMIT, CONFIDENCE_LIKELY
#define SILENT OUTCOME_NO_RESPONSE, CONFIDENCE_NONE
#define OK OUTCOME_OK, CONFIDENCE_NONE
#define HTTP_ERROR OUTCOME_HTTP_ERROR, CONFIDENCE_NONE
#define BLOCKED OUTCOME_BLOCKED, CONFIDENCE_NONE
#define DROPPED OUTCOME_DROPPED, CONFIDENCE_NONE
#define NOT_SENT OUTCOME_NOT_SENT, CONFIDENCE_NONE
#define REDIRECTED OUTCOME_REDIRECTED, CONFIDENCE_NONE
#define REFUSED OUTCOME_REFUSED, CONFIDENCE_NONE
#define RESET OUTCOME_RESET, CONFIDENCE_NONE
#define ABORTED OUTCOME_ABORTED, CONFIDENCE_NONE

static const struct row rows[] = {
	/* the highest level of evidence */
	{ "answer dies in ip_forward", PROVEN, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "with offset", PROVEN, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip_forward+0x2a1") },
	{ "with compiler suffix", PROVEN, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip_forward.cold") },
	{ "with suffix and offset", PROVEN, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip_forward.isra.0+0x12/0x4a0") },
	{ "TTL 0", PROVEN, TOKEN, DIED(ANSWER, 0, "IP_INHDR", "ip_forward.part.0") },
	{ "IPv6", PROVEN, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip6_forward") },
	{ "kernel without reasons", PROVEN, TOKEN, DIED(ANSWER, 1, "", "ip_forward") },
	{ "5.17: a reason, but none given here", PROVEN, TOKEN, DIED(ANSWER, 1, "NOT_SPECIFIED", "ip_forward") },
	{ "reason unresolved for want of BTF", PROVEN, TOKEN, DIED(ANSWER, 1, "15", "ip_forward") },
	{ "symbols hidden, reason tells", PROVEN, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "") },
	{ "tc, before un-NAT", PROVEN, TOKEN, DIED(ANSWER, 1, "TC_INGRESS", "__netif_receive_skb_core.constprop.0"),
	  .match = IMDS_MATCH_FINGERPRINT },
	{ "tc without reasons", PROVEN, TOKEN, DIED(ANSWER, 1, "", "__netif_receive_skb_core") },
	{ "tc, the hop limit that is set is too small", PROVEN, TOKEN, .hops = 2, .node_ttl = 1,
	  DIED(ANSWER, 1, "TC_INGRESS", "") },
	/* a policy program never looked at the TTL */
	{ "tc egress, behind the forward", BLOCKED, TOKEN, DIED(ANSWER, 1, "TC_EGRESS", "__dev_queue_xmit") },
	{ "tc, the hop limit that is set is enough", BLOCKED, TOKEN, .hops = 2, .node_ttl = 2,
	  DIED(ANSWER, 1, "TC_INGRESS", "") },
	{ "tc, before un-NAT: the forward was yet to come, so the limit was lowered since", PROVEN, TOKEN, .hops = 2,
	  .node_ttl = 2, DIED(ANSWER, 1, "TC_INGRESS", ""), .match = IMDS_MATCH_FINGERPRINT },
	{ "tc in the pod's own network", BLOCKED, TOKEN, DIED(ANSWER | IMDS_D_AT_HOME, 1, "TC_INGRESS", "") },
	{ "tc, no forward between", BLOCKED, TOKEN, .hops = 1, DIED(ANSWER, 1, "TC_INGRESS", "") },
	/* whose network is not known: the node's own socket, or one behind the program */
	{ "connection older than we are, tc", BLOCKED, TOKEN, OLD, DIED(ANSWER, 1, "TC_INGRESS", "") },
	{ "connection older than we are, tc, no forward between", BLOCKED, TOKEN, OLD, .hops = 1,
	  DIED(ANSWER, 1, "TC_INGRESS", "") },
	{ "connection older than we are, tc in a network that is not the node's", BLOCKED, TOKEN, OLD, .hops = 2,
	  DIED(ANSWER | IMDS_D_FOREIGN, 1, "TC_INGRESS", "") },
	{ "connection older than we are, tc on the node, forwards known", PROVEN, TOKEN, OLD, .hops = 2,
	  DIED(ANSWER, 1, "TC_INGRESS", "") },
	/* another connection's packet, or a forged one */
	{ "not the sequence number that is waited for", SILENT, TOKEN,
	  DIED(ANSWER & ~IMDS_D_EXPECTED_SEQ, 1, "IP_INHDR", "ip_forward") },
	{ "for the node's own socket", SILENT, TOKEN, .flags = IMDS_F_HOST_NETNS | IMDS_F_NETNS_KNOWN,
	  DIED(ANSWER & ~IMDS_D_EXPECTED_SEQ, 1, "IP_INHDR", "ip_forward") },
	/* TTLs rewritten behind the forward: the death itself stands */
	{ "dies in ip_forward, though no forward is counted", PROVEN, TOKEN, .hops = 1, .node_ttl = 1,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	/* whatever was asked, and of whichever cloud */
	{ "an answer that is no token's", PROVEN, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  DIED(ANSWER & ~IMDS_D_WAITING_TOKEN, 1, "IP_INHDR", "ip_forward") },
	{ "the SYN-ACK", PROVEN, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  DIED(IMDS_D_FROM_ENDPOINT | IMDS_D_SYN | IMDS_D_EXPECTED_SEQ, 1, "IP_INHDR", "ip_forward") },
	/* arrived, and refused behind our hook */
	{ "answer refused by another program", BLOCKED, TOKEN, .end = IMDS_END_ANSWERED, .status = 200, .partly = true,
	  DIED(ANSWER | IMDS_D_ARRIVED, 63, "BPF_CGROUP_INGRESS", "sk_filter_trim_cap") },
	{ "answer with a broken checksum", DROPPED, TOKEN, .end = IMDS_END_ANSWERED, .status = 200, .partly = true,
	  DIED(ANSWER | IMDS_D_ARRIVED, 63, "TCP_CSUM", "tcp_v4_rcv") },
	{ "client gave up early, but the answer was seen dying", PROVEN, TOKEN, .waited = 50 * MS,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "still running", PROVEN, TOKEN, .end = IMDS_END_NONE, DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "swept", PROVEN, TOKEN, .end = IMDS_END_EXPIRED, DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "others get tokens, this answer died all the same", PROVEN, TOKEN, .contradiction = true,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "reset after the death", PROVEN, TOKEN, .end = IMDS_END_PEER_RST, DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "connection older than we are", PROVEN, TOKEN, OLD, DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "drop hook lost something, but not this", PROVEN, TOKEN, .drops_off = true,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },

	/* strong */
	{ "only an ACK died", LIKELY, TOKEN, DIED(ANSWER_BARE, 1, "IP_INHDR", "ip_forward") },
	{ "only an ACK died, client left at once", ABORTED, TOKEN, .waited = 50 * MS,
	  DIED(ANSWER_BARE, 1, "IP_INHDR", "ip_forward") },
	{ "neither reason nor symbol, too far by arithmetic", STRONG, TOKEN, .hops = 2, .node_ttl = 1,
	  DIED(ANSWER, 1, "", "") },
	/* a filter behind the forward finds TTL 1, too */
	{ "neither reason nor symbol", LIKELY, TOKEN, DIED(ANSWER, 1, "", "") },
	{ "reason not specified, no symbol", LIKELY, TOKEN, DIED(ANSWER, 1, "NOT_SPECIFIED", "") },
	{ "neither reason nor symbol, the limit is enough", SILENT, TOKEN, .hops = 2, .node_ttl = 2,
	  DIED(ANSWER, 1, "", "") },
	{ "node receives TTL 1, pod is one further", STRONG, TOKEN, .flags = IMDS_F_REQUEST_ACKED, .drops_off = true,
	  .hops = 2, .node_ttl = 1 },
	{ "node receives TTL 2, pod is two further", STRONG, TOKEN, .flags = IMDS_F_REQUEST_ACKED, .drops_off = true,
	  .hops = 3, .node_ttl = 2 },
	{ "node receives TTL 2, pod is one further", SILENT, TOKEN, .drops_off = true, .hops = 2, .node_ttl = 2 },
	{ "host network itself", SILENT, TOKEN, .drops_off = true, .hops = 1, .node_ttl = 1 },
	{ "TTLs say so, but others as far get tokens", SILENT, TOKEN, .drops_off = true, .hops = 2, .node_ttl = 1,
	  .contradiction = true },
	{ "TTLs say so, and the data path tells of no drop", STRONG, TOKEN, .flags = IMDS_F_REQUEST_ACKED, .hops = 2,
	  .node_ttl = 1 },
	{ "TTLs say so, but deaths show here and none was seen", SILENT, TOKEN, .flags = IMDS_F_REQUEST_ACKED,
	  .hops = 2, .node_ttl = 1, .deaths_seen = true },
	{ "TTLs say so, deaths show here, but not all drops were seen", STRONG, TOKEN, .flags = IMDS_F_REQUEST_ACKED,
	  .drops_off = true, .hops = 2, .node_ttl = 1, .deaths_seen = true },
	{ "TTLs say so, but the node's are of another time", SILENT, TOKEN, .drops_off = true, .hops = 2, .node_ttl = 1,
	  .node_ttl_other = true, .flags = IMDS_F_REQUEST_ACKED },
	{ "nothing of this address, and the limit at the service's other one is enough", SILENT, TOKEN,
	  .drops_off = true, .others = true, .hops = 2, .service_ttl = 2 },
	{ "nothing of this address, and the limit at the service's other one is not", LIKELY, TOKEN, .drops_off = true,
	  .others = true, .hops = 2, .service_ttl = 1 },
	{ "TTLs say so, but the request was not acknowledged", SILENT, TOKEN, .hops = 2, .node_ttl = 1 },
	{ "TTLs say so, but the client left at once", ABORTED, TOKEN, .waited = 50 * MS, .drops_off = true, .hops = 2,
	  .node_ttl = 1 },

	/* likely: the pod-side signature alone */
	{ "a death of this one might have been missed", SILENT, TOKEN, .drops_off = true, .others = true,
	  .flags = IMDS_F_UNFINDABLE },
	{ "signature, hook off", LIKELY, TOKEN, .drops_off = true, .others = true },
	{ "signature, still running", LIKELY, TOKEN, .end = IMDS_END_NONE, .drops_off = true, .others = true },
	{ "signature, hook on", SILENT, TOKEN, .others = true },
	{ "signature, nothing else answered", SILENT, TOKEN, .drops_off = true },
	{ "signature, but others get tokens", SILENT, TOKEN, .drops_off = true, .others = true, .contradiction = true },
	{ "signature, too short to tell", ABORTED, TOKEN, .waited = 249 * MS, .drops_off = true, .others = true },
	{ "signature, waited just long enough", LIKELY, TOKEN, .waited = 250 * MS, .drops_off = true, .others = true },
	{ "signature, request cut", SILENT, TOKEN, .drops_off = true, .others = true, .no_head = true },
	{ "signature, but in the node's own namespace", SILENT, TOKEN, .drops_off = true, .others = true,
	  .flags = IMDS_F_HOST_NETNS | IMDS_F_NETNS_KNOWN },
	{ "signature, but the hop limit that is set is enough", SILENT, TOKEN, .drops_off = true, .others = true,
	  .hops = 2, .node_ttl = 2 },
	{ "signature, no hop between", SILENT, TOKEN, .drops_off = true, .others = true, .hops = 1 },
	{ "signature, service cut it", RESET, TOKEN, .end = IMDS_END_PEER_RST, .drops_off = true, .others = true },
	{ "signature, but a plain GET", SILENT, TOKEN, .kind = IMDS_KIND_CREDENTIALS, .drops_off = true, .others = true },

	/* dead packets with TTL 1 that prove nothing */
	{ "healthy answer purged with its socket", SILENT, TOKEN, DIED(ANSWER, 1, "QUEUE_PURGE", "skb_queue_purge") },
	{ "flooded by a bridge", SILENT, TOKEN, DIED(ANSWER, 1, "OTHERHOST", "ip_rcv_core") },
	{ "closed socket", SILENT, TOKEN, DIED(ANSWER | IMDS_D_AT_HOME, 1, "NO_SOCKET", "tcp_v4_rcv") },
	{ "forgotten by NAT", DROPPED, TOKEN, DIED(ANSWER, 1, "NO_SOCKET", "tcp_v4_rcv"), .hops = 2, .node_ttl = 1,
	  .flags = IMDS_F_REQUEST_ACKED },
	{ "TCP's own drop", SILENT, TOKEN, DIED(ANSWER, 1, "TCP_OLD_DATA", "tcp_data_queue") },
	{ "socket filter", DROPPED, TOKEN, DIED(ANSWER, 1, "SOCKET_FILTER", "tcp_v4_rcv") },
	{ "answer filtered on the way in", BLOCKED, TOKEN, DIED(ANSWER, 1, "NETFILTER_DROP", "nf_hook_slow") },
	{ "filtered inside ip_forward's call tree", BLOCKED, TOKEN, DIED(ANSWER, 1, "", "nf_hook_slow") },
	{ "behind the TTL check", SILENT, TOKEN, DIED(ANSWER, 1, "", "ip_forward_finish") },
	{ "another function of that beginning", SILENT, TOKEN, DIED(ANSWER, 1, "", "ip_forward_options") },
	{ "malformed header", DROPPED, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip_rcv_core") },
	{ "other reason in ip_forward", DROPPED, TOKEN, DIED(ANSWER, 1, "PKT_TOO_BIG", "ip_forward") },
	{ "TTL was not used up", DROPPED, TOKEN, DIED(ANSWER, 2, "IP_INHDR", "ip_forward") },
	{ "the pod's own packet expired", SILENT, TOKEN,
	  DIED(IMDS_D_PAYLOAD | IMDS_D_WAITING_TOKEN, 1, "IP_INHDR", "ip_forward") },
	{ "of another flow", SILENT, TOKEN, DIED(ANSWER, 1, "IP_INHDR", "ip_forward"), .match = IMDS_MATCH_NONE },
	{ "flow did not wait for a token", SILENT, TOKEN,
	  DIED(IMDS_D_FROM_ENDPOINT | IMDS_D_PAYLOAD, 1, "IP_INHDR", "ip_forward") },
	{ "answer to a GET died", PROVEN, TOKEN, .kind = IMDS_KIND_DATA, DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "ECS endpoint: died all the same", PROVEN, TOKEN, .endpoint = IMDS_EP_ECS,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "EKS endpoint: died all the same", PROVEN, TOKEN, .endpoint = IMDS_EP_EKS,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "Alibaba's token answer", PROVEN, TOKEN, .endpoint = IMDS_EP_ALIBABA,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "a copy died, the answer came", OK, TOKEN, .end = IMDS_END_ANSWERED, .status = 200, .partly = true,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "first bytes came, then one died", DROPPED, TOKEN, .partly = true, .status = 200,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "the same, by a filter", BLOCKED, TOKEN, .partly = true, .status = 200,
	  DIED(ANSWER, 63, "NETFILTER_DROP", "nft_do_chain") },
	{ "the same, of data", BLOCKED, .partly = true, .end = IMDS_END_CLOSED, .status = 200, .waited = 1000 * MS,
	  DIED(ANSWER, 63, "NETFILTER_DROP", "nft_do_chain") },
	{ "the same, and the client did not wait", ABORTED, TOKEN, .partly = true, .status = 200, .waited = 100 * MS,
	  DIED(ANSWER, 63, "NETFILTER_DROP", "nft_do_chain") },
	{ "the same, and more came behind what was dropped once", ABORTED, TOKEN, .partly = true, .status = 200,
	  .more_came = true, DIED(ANSWER, 63, "NETFILTER_DROP", "nft_do_chain") },
	{ "the service's reset died: no hop limit would have brought an answer", DROPPED, TOKEN,
	  DIED(ANSWER_BARE | IMDS_D_RST, 1, "IP_INHDR", "ip_forward") },
	{ "the same, and the node's limit is too low", DROPPED, TOKEN, .hops = 2, .node_ttl = 1,
	  .flags = IMDS_F_REQUEST_ACKED, DIED(ANSWER_BARE | IMDS_D_RST, 1, "IP_INHDR", "ip_forward") },

	/* answered */
	{ "200", OK, .end = IMDS_END_ANSWERED, .status = 200, .partly = true },
	{ "200 after 5 s", OK, TOKEN, .end = IMDS_END_ANSWERED, .status = 200, .partly = true, .waited = 5000 * MS,
	  .drops_off = true, .others = true },
	{ "304", OK, .end = IMDS_END_ANSWERED, .status = 304, .partly = true },
	{ "a redirect is no token", HTTP_ERROR, TOKEN, .end = IMDS_END_ANSWERED, .status = 308, .partly = true },
	{ "a list of roles without a path kept", OK, .kind = IMDS_KIND_CREDENTIALS, .end = IMDS_END_ANSWERED,
	  .status = 301, .partly = true },
	{ "not HTTP", OK, .end = IMDS_END_ANSWERED, .partly = true },
	{ "400", HTTP_ERROR, TOKEN, .end = IMDS_END_ANSWERED, .status = 400, .partly = true },
	{ "401: token needed", HTTP_ERROR, .end = IMDS_END_ANSWERED, .status = 401, .partly = true },
	{ "403: endpoint off", HTTP_ERROR, TOKEN, .end = IMDS_END_ANSWERED, .status = 403, .partly = true },
	{ "429", HTTP_ERROR, .end = IMDS_END_ANSWERED, .status = 429, .partly = true },
	{ "503: throttled", HTTP_ERROR, .end = IMDS_END_ANSWERED, .status = 503, .partly = true },
	{ "DNS answer", OK, .kind = IMDS_KIND_DNS, .proto = 17, .end = IMDS_END_ANSWERED, .partly = true },

	/* look-alikes: the SYN goes unanswered */
	{ "SYNs vanish", SILENT, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS, .syn_retransmits = 1,
	  .drops_off = true, .others = true, .hops = 2, .node_ttl = 1 },
	{ "SYNs vanish, still trying", SILENT, SYN_ONLY, .end = IMDS_END_NONE, .waited = 1000 * MS },
	{ "SYNs vanish, swept", SILENT, SYN_ONLY, .end = IMDS_END_EXPIRED, .waited = 60000 * MS },
	{ "iptables DROP", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS, .syn_retransmits = 1,
	  OWN("NETFILTER_DROP", "nf_hook_slow") },
	{ "iptables DROP, kernel without reasons", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  OWN("", "nf_hook_slow") },
	{ "iptables DROP, still trying", BLOCKED, SYN_ONLY, .end = IMDS_END_NONE, .waited = 300 * MS,
	  OWN("NETFILTER_DROP", "") },
	{ "REJECT by ICMP", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1 * MS,
	  OWN("NETFILTER_DROP", "nf_hook_slow") },
	{ "REJECT with tcp-reset", BLOCKED, SYN_ONLY, .end = IMDS_END_REFUSED, .waited = 1 * MS,
	  OWN("NETFILTER_DROP", "nf_hook_slow") },
	{ "REJECT by ICMP, hook off", REFUSED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1 * MS, .drops_off = true },
	{ "resent, so nobody rejected it", ABORTED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 90 * MS,
	  .drops_off = true, .syn_retransmits = 1 },
	{ "over at once, hook on, no drop: nobody waits so short", REFUSED, SYN_ONLY, .end = IMDS_END_CLOSED,
	  .waited = 1 * MS },
	{ "over soon, hook on, no drop", ABORTED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 20 * MS },
	{ "client leaves early", ABORTED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 150 * MS, .drops_off = true },
	{ "Cilium policy by tc", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  OWN("TC_INGRESS", "__netif_receive_skb_core") },
	{ "dropped in OUTPUT, no SYN left", BLOCKED, SYN_ONLY, .no_syn = true, .end = IMDS_END_CLOSED,
	  .waited = 1000 * MS, OWN("NETFILTER_DROP", "nf_hook_slow") },
	{ "dropped by a cgroup program", BLOCKED, SYN_ONLY, .no_syn = true, .end = IMDS_END_CLOSED, .waited = 1 * MS,
	  OWN("BPF_CGROUP_EGRESS", "ip_finish_output") },
	{ "forbidden by a route, IPv6", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1 * MS,
	  OWN("IP_INNOROUTES", "ip6_pkt_prohibit") },
	{ "no route", NOT_SENT, SYN_ONLY, .no_syn = true, .end = IMDS_END_CLOSED, .waited = 0 },
	{ "no SYN left for long", NOT_SENT, SYN_ONLY, .no_syn = true, .end = IMDS_END_CLOSED, .waited = 1000 * MS },
	{ "no SYN left, and the socket is kept", REDIRECTED, SYN_ONLY, .no_syn = true, .end = IMDS_END_EXPIRED,
	  .waited = 9000 * MS },
	{ "the same, still running", REDIRECTED, SYN_ONLY, .no_syn = true, .end = IMDS_END_NONE, .waited = 1000 * MS },
	{ "the same, and whether it was dropped is not known", SILENT, SYN_ONLY, .no_syn = true, .end = IMDS_END_NONE,
	  .waited = 1000 * MS, .drops_off = true },
	{ "no SYN of ours, yet connected", REDIRECTED, SYN_ONLY, .no_syn = true, .end = IMDS_END_CLOSED,
	  .waited = 10 * MS, .flags = IMDS_F_ELSEWHERE },
	{ "nobody listens, on this very machine", REFUSED, SYN_ONLY, .end = IMDS_END_REFUSED, .waited = 1 * MS,
	  OWN("NO_SOCKET", "tcp_v4_rcv") },
	{ "the client's own TTL is used up at the first forward", DROPPED, SYN_ONLY, .end = IMDS_END_CLOSED,
	  .waited = 1 * MS, DIED(IMDS_D_SYN, 1, "IP_INHDR", "ip_forward") },
	{ "XDP on the pod's veth", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  OWN("NOT_SPECIFIED", "veth_xdp_rcv_skb") },
	{ "ICMP from beyond", REFUSED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1 * MS, .flags = IMDS_F_SOCKET_DEAD },
	{ "ICMP from beyond, to the second SYN", REFUSED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1100 * MS,
	  .flags = IMDS_F_SOCKET_DEAD, .syn_retransmits = 1 },
	{ "the kernel gave up", SILENT, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 3000 * MS,
	  .flags = IMDS_F_SOCKET_DEAD, .syn_retransmits = 1 },
	{ "only the first SYN was lost", SILENT, TOKEN, OWN("NETFILTER_DROP", "nf_hook_slow") },
	{ "a blackhole route on the node", BLOCKED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  OWN("NOT_SPECIFIED", "ip_error") },
	{ "forwarding is off", DROPPED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  OWN("IP_INADDRERRORS", "ip_error") },
	{ "service down", REFUSED, SYN_ONLY, .end = IMDS_END_REFUSED, .waited = 1 * MS },
	{ "SYN dropped for a reason that is no policy", DROPPED, SYN_ONLY, .end = IMDS_END_CLOSED, .waited = 1000 * MS,
	  OWN("NEIGH_FAILED", "neigh_timer_handler") },

	/* look-alikes: the connection stood */
	{ "slow service, client gave up", SILENT, TOKEN },
	{ "slow service, GET", SILENT, .end = IMDS_END_CLOSED, .waited = 1000 * MS, .drops_off = true, .others = true },
	{ "answer after the client had left", SILENT, TOKEN, .flags = IMDS_F_LATE_ANSWER, .drops_off = true,
	  .others = true, .hops = 2, .node_ttl = 1 },
	{ "late answer that even set its time", SILENT, TOKEN, .flags = IMDS_F_LATE_ANSWER, .partly = true },
	{ "answer purged as the client had left", SILENT, TOKEN, .flags = IMDS_F_LATE_ANSWER,
	  DIED(ANSWER, 1, "IP_INHDR", "ip_forward") },
	{ "client aborts after 50 ms", ABORTED, TOKEN, .waited = 50 * MS, .drops_off = true, .others = true },
	{ "aborts, late answer", ABORTED, TOKEN, .waited = 50 * MS, .flags = IMDS_F_LATE_ANSWER },
	{ "client resets", SILENT, TOKEN, .end = IMDS_END_CLIENT_RST },
	{ "socket used again", SILENT, TOKEN, .end = IMDS_END_REUSED },
	{ "stalled", SILENT, TOKEN, .end = IMDS_END_NONE, .waited = 300 * MS },
	{ "expired", SILENT, .end = IMDS_END_EXPIRED, .waited = 100000 * MS },
	{ "service resets", RESET, TOKEN, .end = IMDS_END_PEER_RST },
	{ "service closes without a word", RESET, TOKEN, .end = IMDS_END_PEER_FIN },
	{ "service resets in mid-answer", RESET, .end = IMDS_END_PEER_RST, .partly = true, .status = 200 },
	{ "service closes in mid-answer", RESET, .end = IMDS_END_PEER_FIN, .partly = true, .status = 200 },
	{ "client leaves in mid-answer", ABORTED, .end = IMDS_END_CLOSED, .partly = true, .status = 200,
	  .waited = 3000 * MS },
	{ "only the end of the answer came, and its client waited", SILENT, TOKEN, .partly = true },
	{ "only the end of the answer came, and its client left", ABORTED, TOKEN, .partly = true, .waited = 100 * MS },
	{ "request dropped by policy", BLOCKED, TOKEN, .drops_off = true, .others = true,
	  DIED(IMDS_D_PAYLOAD, 64, "NETFILTER_DROP", "nf_hook_slow") },
	{ "request dropped, resent, answered", OK, TOKEN, .end = IMDS_END_ANSWERED, .status = 200, .partly = true,
	  DIED(IMDS_D_PAYLOAD, 64, "NETFILTER_DROP", "nf_hook_slow") },
	{ "health probe", OK, .kind = IMDS_KIND_CONNECT_ONLY, .end = IMDS_END_CLOSED, .no_head = true, .waited = 1 * MS },
	{ "health probe, its FIN filtered", OK, .kind = IMDS_KIND_CONNECT_ONLY, .end = IMDS_END_CLOSED, .no_head = true,
	  .waited = 1 * MS, DIED(0, 64, "NETFILTER_DROP", "nf_hook_slow") },
	{ "its request dropped in OUTPUT, again and again", BLOCKED, .kind = IMDS_KIND_CONNECT_ONLY,
	  .end = IMDS_END_CLOSED, .no_head = true, .waited = 600 * MS,
	  DIED(IMDS_D_PAYLOAD, 64, "NETFILTER_DROP", "nf_hook_slow"), .match = IMDS_MATCH_SOCKET },
	{ "long idle connection", OK, .kind = IMDS_KIND_CONNECT_ONLY, .end = IMDS_END_CLOSED, .no_head = true,
	  .waited = 60000 * MS },
	{ "a request of which a packet was dropped, and acknowledged when it was sent again", SILENT, TOKEN,
	  .flags = IMDS_F_REQUEST_ACKED, DIED(IMDS_D_PAYLOAD, 63, "NETFILTER_DROP", "nf_hook_slow") },
	{ "the same, and the node's limit is too low: the answer died unseen", STRONG, TOKEN, .hops = 2, .node_ttl = 1,
	  .flags = IMDS_F_REQUEST_ACKED, DIED(IMDS_D_PAYLOAD, 63, "NETFILTER_DROP", "nf_hook_slow") },
	{ "the same, not acknowledged", BLOCKED, TOKEN, DIED(IMDS_D_PAYLOAD, 63, "NETFILTER_DROP", "nf_hook_slow") },
	{ "a first SYN-ACK that was dropped, and another", SILENT, TOKEN,
	  DIED(IMDS_D_FROM_ENDPOINT | IMDS_D_SYN | IMDS_D_EXPECTED_SEQ, 63, "NETFILTER_DROP", "nf_hook_slow") },
	{ "idle connection closed by the service", OK, .kind = IMDS_KIND_CONNECT_ONLY, .end = IMDS_END_PEER_FIN,
	  .no_head = true, .waited = 60000 * MS },
	{ "idle connection reset", RESET, .kind = IMDS_KIND_CONNECT_ONLY, .end = IMDS_END_PEER_RST, .no_head = true },
	{ "DNS query unanswered", SILENT, .kind = IMDS_KIND_DNS, .proto = 17, .end = IMDS_END_CLOSED,
	  .unconnected = true, .no_syn = true, .waited = 10 * MS },
	{ "DNS query blocked", BLOCKED, .kind = IMDS_KIND_DNS, .proto = 17, .end = IMDS_END_EXPIRED,
	  .unconnected = true, .no_syn = true, .waited = 5000 * MS, DIED(0, 64, "NETFILTER_DROP", "nf_hook_slow") },
};

static void build(const struct row *row, struct imds_rec_request *rec, struct verdict_input *in)
{
	struct imds_request *q = &rec->req;

	memset(rec, 0, sizeof(*rec));
	rec->peer.proto = row->proto ? row->proto : 6;
	rec->syn_ns = row->no_syn ? 0 : T0;
	rec->synack_ns = row->unconnected ? 0 : T0 + 1;
	rec->connect_call_ns = T0;
	rec->syn_retransmits = (uint8_t)row->syn_retransmits;
	q->start_ns = T0;
	q->end_ns = row->end == IMDS_END_NONE ? 0 : T0 + row->waited;
	q->first_byte_ns = row->partly ? T0 + 1 : 0;
	q->last_byte_ns = q->first_byte_ns + row->more_came;
	q->kind = row->kind ? row->kind : IMDS_KIND_DATA;
	q->end = row->end;
	q->status = row->status;
	q->flags = row->flags | (row->no_head ? 0 : IMDS_F_HEAD_COMPLETE) | (row->no_syn ? 0 : IMDS_F_SYN_SEEN) |
		   (row->flags & IMDS_F_MIDSTREAM ? 0 : IMDS_F_NETNS_KNOWN);
	if (row->dropped)
		q->drop = (struct imds_drop){
			.ts_ns = T0 + 1,
			.ttl = row->ttl,
			.match = row->match,
			.flags = row->drop,
		};
	*in = (struct verdict_input){
		.rec = rec,
		.endpoint = row->endpoint,
		.drop_reason = row->reason ? row->reason : "",
		.drop_location = row->location ? row->location : "",
		.drops_watched = !row->drops_off,
		.others_answered = row->others,
		.token_contradiction = row->contradiction,
		.deaths_seen = row->deaths_seen,
		.hops = row->hops - 1,
		.node_token_ttl = row->node_ttl,
		.node_ttl_is_other = row->node_ttl_other,
		.service_token_ttl = row->service_ttl,
		.stall_ns = STALL,
		.now_ns = T0 + row->waited,
	};
}

static void each_row_is_judged_as_written(void **state)
{
	size_t i, wrong = 0;

	(void)state;
	for (i = 0; i < LEN(rows); i++) {
		struct imds_rec_request rec;
		struct verdict_input in;
		struct verdict v;

		build(&rows[i], &rec, &in);
		v = verdict_judge(&in);
		if (v.outcome == rows[i].outcome && v.confidence == rows[i].confidence)
			continue;
		wrong++;
		print_error("%s: got %s %s, want %s %s\n", rows[i].name, outcome_word(v.outcome),
			    v.confidence ? confidence_word(v.confidence) : "", outcome_word(rows[i].outcome),
			    rows[i].confidence ? confidence_word(rows[i].confidence) : "");
	}
	assert_int_equal(wrong, 0);
}

/* No hop-limit without an unanswered token request, and none from silence while drops are watched. */
static void hop_limit_is_never_said_without_cause(void **state)
{
	static const char *const reasons[] = {
		"", "IP_INHDR", "NETFILTER_DROP", "TC_INGRESS", "QUEUE_PURGE", "NOT_SPECIFIED",
	};
	static const char *const places[] = {
		"", "ip_forward", "nf_hook_slow", "tcp_v4_rcv", "__netif_receive_skb_core",
	};
	uint32_t seed = 1, i;

	(void)state;
	for (i = 0; i < 500000; i++) {
		struct imds_rec_request rec;
		struct verdict_input in;
		struct row row = { 0 };
		struct verdict v;
		bool death;

#define ROLL(n) ((seed = seed * 1664525u + 1013904223u) >> 8) % (n)
		row.kind = ROLL(IMDS_KIND_COUNT);
		row.end = ROLL(IMDS_END_COUNT);
		row.waited = (ROLL(4)) * 200 * MS;
		row.flags = (ROLL(2)) ? 1u << (ROLL(17)) : 0;
		row.partly = ROLL(2);
		row.unconnected = ROLL(2);
		row.no_syn = ROLL(2);
		row.no_head = ROLL(2);
		row.dropped = ROLL(2);
		row.drop = ROLL(512);
		row.ttl = ROLL(4);
		row.match = ROLL(5);
		row.reason = reasons[ROLL(LEN(reasons))];
		row.location = places[ROLL(LEN(places))];
		row.drops_off = ROLL(2);
		row.others = ROLL(2);
		row.contradiction = ROLL(2);
		row.hops = ROLL(4);
		row.node_ttl = ROLL(3);
		row.endpoint = ROLL(IMDS_EP_CLASS_COUNT);
		build(&row, &rec, &in);
		v = verdict_judge(&in);
		assert_in_range(v.outcome, 0, OUTCOME_COUNT - 1);
		assert_int_equal(v.outcome == OUTCOME_HOP_LIMIT, v.confidence != CONFIDENCE_NONE);
		if (v.outcome != OUTCOME_HOP_LIMIT)
			continue;
		assert_false(row.partly);
		assert_false(rec.req.flags & IMDS_F_HOST_NETNS);
		assert_int_not_equal(row.end, IMDS_END_ANSWERED);
		assert_int_not_equal(row.end, IMDS_END_REFUSED);
		death = row.dropped && row.ttl <= 1 && row.match && (row.drop & IMDS_D_FROM_ENDPOINT) &&
			(row.drop & IMDS_D_EXPECTED_SEQ) &&
			(rec.req.kind != IMDS_KIND_TOKEN || (row.drop & IMDS_D_WAITING_TOKEN)) &&
			!(row.drop & (IMDS_D_AT_HOME | IMDS_D_ARRIVED));
		if (v.confidence == CONFIDENCE_PROVEN)
			assert_true(death && (row.drop & (IMDS_D_PAYLOAD | IMDS_D_SYN)));
		if (!death) {
			assert_int_equal(rec.req.kind, IMDS_KIND_TOKEN);
			assert_true(!row.contradiction && row.waited >= STALL);
			assert_true(row.drops_off || (row.node_ttl > 0 && row.node_ttl <= row.hops - 1));
			assert_false(row.node_ttl > row.hops - 1 && row.hops > 0);
		}
	}
}

static void policy_drops_are_told_from_others(void **state)
{
	static const struct {
		uint16_t flags;
		const char *reason, *location;
		bool is;
	} drops[] = {
		{ 0, "NETFILTER_DROP", "", true },
		{ 0, "XFRM_POLICY", "", true },
		{ 0, "BPF_CGROUP_EGRESS", "ip_finish_output", true },
		{ 0, "TC_EGRESS", "", true },
		{ 0, "TC_INGRESS", "", true },
		{ 0, "XDP", "", true },
		{ 0, "NOT_SPECIFIED", "dst_discard", true },
		{ 0, "IP_INADDRERRORS", "ip_error", false },
		{ 0, "", "nf_hook_slow+0x9a", true },
		{ 0, "", "ip_finish_output", true },
		{ 0, "NOT_SPECIFIED", "nft_do_chain", true },
		{ 0, "IP_INHDR", "ip_forward", false },
		{ 0, "QDISC_DROP", "__dev_queue_xmit", false },
		{ 0, "NEIGH_FAILED", "nf_hook_slow", false },
		{ 0, "", "", false },
		{ IMDS_D_FROM_ENDPOINT, "NETFILTER_DROP", "nf_hook_slow", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(drops); i++) {
		struct imds_drop drop = { .ts_ns = 1, .ttl = 64, .flags = drops[i].flags };

		if (verdict_is_policy_drop(&drop, drops[i].reason, drops[i].location) != drops[i].is)
			fail_msg("row %zu: %s in %s", i, drops[i].reason, drops[i].location);
		drop.ts_ns = 0;
		assert_false(verdict_is_policy_drop(&drop, drops[i].reason, drops[i].location));
	}
}

/* Dead ACKs and FINs count as packets that died, whether or not they prove a request's fate. */
static void ttl_deaths_include_packets_without_payload(void **state)
{
	struct imds_drop drop = { .ts_ns = 1, .ttl = 1, .flags = IMDS_D_FROM_ENDPOINT };

	(void)state;
	assert_true(verdict_is_ttl_death(&drop, "IP_INHDR", "ip_forward"));
	assert_false(verdict_is_ttl_death(&drop, "", ""));
	drop.ttl = 2;
	assert_false(verdict_is_ttl_death(&drop, "IP_INHDR", "ip_forward"));
	drop.ttl = 1;
	drop.flags = 0;
	assert_false(verdict_is_ttl_death(&drop, "IP_INHDR", "ip_forward"));
	drop = (struct imds_drop){ 0 };
	assert_false(verdict_is_ttl_death(&drop, "IP_INHDR", "ip_forward"));
}

/* From the least to the gravest. */
static void what_says_more_of_a_request_outranks_what_died_before_it(void **state)
{
	const struct {
		unsigned int flags;
		uint8_t ttl;
	} drops[] = {
		{ IMDS_D_SYN, 64 },
		{ IMDS_D_PAYLOAD, 64 },
		{ ANSWER_BARE, 64 },
		{ ANSWER_BARE | IMDS_D_FORWARD, 1 },
		{ ANSWER_BARE | IMDS_D_RST, 1 },
		{ ANSWER, 64 },
		{ ANSWER, 1 },
		{ ANSWER | IMDS_D_FORWARD, 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(drops); i++)
		assert_int_equal(imds_drop_rank(drops[i].flags, drops[i].ttl), i + 1);
	assert_int_equal(imds_drop_rank(drops[LEN(drops) - 1].flags, 1), IMDS_DROP_RANK_FORWARD);
}

static void hops_are_learned_from_the_baseline_first(void **state)
{
	static const struct {
		int ttl, baseline, hops;
		enum hops_source source;
	} cases[] = {
		{ 63, 64, 1, HOPS_FROM_BASELINE },
		{ 64, 64, 0, HOPS_FROM_BASELINE },
		{ 250, 252, 2, HOPS_FROM_BASELINE },
		{ 63, 0, 1, HOPS_FROM_INITIAL_TTL },
		{ 64, 0, 0, HOPS_FROM_INITIAL_TTL },
		{ 126, 0, 2, HOPS_FROM_INITIAL_TTL },
		{ 255, 0, 0, HOPS_FROM_INITIAL_TTL },
		{ 128, 64, 0, HOPS_FROM_INITIAL_TTL }, /* above the baseline: another sender */
		{ 64, 255, 0, HOPS_FROM_INITIAL_TTL }, /* 191 hops: another sender */
		{ 99, 100, 1, HOPS_FROM_BASELINE },
		{ 99, 0, -1, HOPS_UNKNOWN },  /* no distance: sent with an unusual TTL */
		{ 64, 65, -1, HOPS_UNKNOWN }, /* a rule raises what comes in */
		{ 66, 64, -1, HOPS_UNKNOWN },
		{ 1, 0, -1, HOPS_UNKNOWN }, /* a hop limit, not a distance */
		{ 30, 255, -1, HOPS_UNKNOWN },
		{ 0, 64, -1, HOPS_UNKNOWN },
		{ -1, 64, -1, HOPS_UNKNOWN },
		{ 300, 64, -1, HOPS_UNKNOWN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(cases); i++) {
		enum hops_source source;

		if (verdict_hops(cases[i].ttl, cases[i].baseline, &source) != cases[i].hops || source != cases[i].source)
			fail_msg("TTL %d against %d", cases[i].ttl, cases[i].baseline);
	}
}

static void a_counter_key_tells_no_more_than_its_end(void **state)
{
	static const struct {
		struct imds_request_key key;
		enum outcome outcome;
		int hops, node_ttl; /* of its row and the node's; hops: 1 more than the figure, 0 unknown */
	} keys[] = {
		{ { .end = IMDS_END_ANSWERED, .status = IMDS_STATUS_2XX }, OUTCOME_OK, 0, 0 },
		{ { .end = IMDS_END_ANSWERED, .status = IMDS_STATUS_NONE }, OUTCOME_OK, 0, 0 },
		{ { .end = IMDS_END_ANSWERED, .status = IMDS_STATUS_401 }, OUTCOME_HTTP_ERROR, 0, 0 },
		{ { .end = IMDS_END_ANSWERED, .status = IMDS_STATUS_5XX }, OUTCOME_HTTP_ERROR, 0, 0 },
		{ { .end = IMDS_END_CLOSED, .kind = IMDS_KIND_TOKEN }, OUTCOME_NO_RESPONSE, 0, 0 },
		{ { .end = IMDS_END_CLOSED, .kind = IMDS_KIND_DATA, .status = IMDS_STATUS_2XX }, OUTCOME_ABORTED, 0, 0 },
		{ { .end = IMDS_END_CLOSED, .kind = IMDS_KIND_CONNECT_ONLY }, OUTCOME_ABORTED, 0, 0 },
		{ { .end = IMDS_END_REFUSED, .kind = IMDS_KIND_CONNECT_ONLY }, OUTCOME_REFUSED, 0, 0 },
		{ { .end = IMDS_END_PEER_RST }, OUTCOME_RESET, 0, 0 },
		{ { .end = IMDS_END_PEER_FIN, .kind = IMDS_KIND_TOKEN }, OUTCOME_RESET, 0, 0 },
		{ { .end = IMDS_END_EXPIRED }, OUTCOME_NO_RESPONSE, 0, 0 },
		{ { .end = 200 }, OUTCOME_NO_RESPONSE, 0, 0 },
		{ { .end = IMDS_END_CLOSED, .kind = IMDS_KIND_TOKEN, .death = IMDS_DEATH_FORWARD }, OUTCOME_HOP_LIMIT, 0, 0 },
		{ { .end = IMDS_END_EXPIRED, .death = IMDS_DEATH_FORWARD }, OUTCOME_HOP_LIMIT, 2, 2 },
		{ { .end = IMDS_END_CLOSED, .death = IMDS_DEATH_TC }, OUTCOME_HOP_LIMIT, 0, 0 },
		{ { .end = IMDS_END_CLOSED, .death = IMDS_DEATH_TC }, OUTCOME_HOP_LIMIT, 2, 1 },
		{ { .end = IMDS_END_CLOSED, .death = IMDS_DEATH_TC }, OUTCOME_NO_RESPONSE, 2, 2 },
		{ { .end = IMDS_END_ANSWERED, .status = IMDS_STATUS_2XX, .death = IMDS_DEATH_FORWARD }, OUTCOME_OK, 0, 0 },
		{ { .end = IMDS_END_REFUSED, .death = IMDS_DEATH_FORWARD }, OUTCOME_REFUSED, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(keys); i++)
		assert_int_equal(verdict_from_key(&keys[i].key, keys[i].hops - 1, keys[i].node_ttl), keys[i].outcome);
}

/* Address first, then headers, then path. */
static void providers_are_told_by_address_header_and_path(void **state)
{
	static const struct {
		enum imds_endpoint_class endpoint;
		uint32_t words;
		enum imds_kind kind;
		enum provider provider;
		const char *path;
	} cases[] = {
		{ IMDS_EP_IMDS, IMDS_W_P_EC2 | IMDS_W_P_TOKEN | IMDS_W_H_TOKEN_TTL, IMDS_KIND_TOKEN, PROVIDER_EC2, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_EC2 | IMDS_W_P_META_DATA, IMDS_KIND_DATA, PROVIDER_EC2, "" },
		{ IMDS_EP_ALIBABA, IMDS_W_P_EC2 | IMDS_W_P_META_DATA, IMDS_KIND_DATA, PROVIDER_ALIBABA, "" },
		{ IMDS_EP_OTHER, IMDS_W_P_EC2 | IMDS_W_H_ALIBABA, IMDS_KIND_TOKEN, PROVIDER_ALIBABA, "" },
		{ IMDS_EP_ECS, IMDS_W_P_CREDENTIALS, IMDS_KIND_CREDENTIALS, PROVIDER_ECS, "" },
		{ IMDS_EP_EKS, IMDS_W_P_CREDENTIALS, IMDS_KIND_CREDENTIALS, PROVIDER_EKS_POD_IDENTITY, "" },
		{ IMDS_EP_EKS, 0, IMDS_KIND_CONNECT_ONLY, PROVIDER_EKS_POD_IDENTITY, "" },
		{ IMDS_EP_EC2, 0, IMDS_KIND_CONNECT_ONLY, PROVIDER_EC2, "" }, /* fd00:ec2::254 is nobody else's */
		{ IMDS_EP_EC2, IMDS_W_P_EC2, IMDS_KIND_OTHER, PROVIDER_EC2, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_GCE | IMDS_W_P_SERVICE_ACCTS, IMDS_KIND_CREDENTIALS, PROVIDER_GCE, "" },
		{ IMDS_EP_IMDS, IMDS_W_H_FLAVOR, IMDS_KIND_OTHER, PROVIDER_GCE, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_AZURE, IMDS_KIND_DATA, PROVIDER_AZURE, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_AZURE, IMDS_KIND_DATA, PROVIDER_AZURE, "/metadata/versions" },
		{ IMDS_EP_IMDS, IMDS_W_P_AZURE, IMDS_KIND_DATA, PROVIDER_OTHER, "/metadata/v1/instance" }, /* IBM */
		{ IMDS_EP_IMDS, IMDS_W_P_AZURE, IMDS_KIND_DATA, PROVIDER_UNLISTED, "/metadata/v1.json" }, /* DigitalOcean */
		{ IMDS_EP_IMDS, 0, IMDS_KIND_DATA, PROVIDER_UNLISTED, "/metadata/v1/id" },
		{ IMDS_EP_IMDS, IMDS_W_P_AZURE | IMDS_W_H_METADATA, IMDS_KIND_DATA, PROVIDER_AZURE, "/metadata/v1/id" },
		{ IMDS_EP_IMDS, 0, IMDS_KIND_DATA, PROVIDER_UNLISTED, "/hetzner/v1/metadata" },
		{ IMDS_EP_IMDS, 0, IMDS_KIND_DATA, PROVIDER_UNLISTED, "/v1.json" }, /* Vultr */
		{ IMDS_EP_EKS, 0, IMDS_KIND_CREDENTIALS, PROVIDER_EKS_POD_IDENTITY, "/v1/credentials" },
		{ IMDS_EP_IMDS, IMDS_W_H_METADATA | IMDS_W_P_AZURE, IMDS_KIND_IDENTITY, PROVIDER_AZURE, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_OPENSTACK, IMDS_KIND_DATA, PROVIDER_OPENSTACK, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_ORACLE, IMDS_KIND_DATA, PROVIDER_ORACLE, "" },
		{ IMDS_EP_IMDS, IMDS_W_P_TOKEN, IMDS_KIND_TOKEN, PROVIDER_OTHER, "" },
		{ IMDS_EP_IMDS, 0, IMDS_KIND_DNS, PROVIDER_OTHER, "" },
		{ IMDS_EP_IMDS, 0, IMDS_KIND_CONNECT_ONLY, PROVIDER_OTHER, "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(cases); i++) {
		struct imds_request q = { .words = cases[i].words, .kind = cases[i].kind };

		strcpy(q.path, cases[i].path);
		assert_string_equal(provider_word(verdict_provider(cases[i].endpoint, &q)),
				    provider_word(cases[i].provider));
	}
}

/* Spelling is a promise of the interface; every value has a word of its own. */
static void each_value_has_its_own_word(void **state)
{
	size_t i, j;

	(void)state;
#define DISTINCT(fn, from, count)                                      \
	do {                                                           \
		for (i = (from); i < (size_t)(count); i++)             \
			for (j = (from); j < i; j++)                   \
				assert_string_not_equal(fn(i), fn(j)); \
	} while (0)
	DISTINCT(outcome_word, 0, OUTCOME_COUNT);
	DISTINCT(confidence_word, 1, CONFIDENCE_COUNT);
	DISTINCT(provider_word, 0, PROVIDER_COUNT);
	DISTINCT(kind_word, 0, IMDS_KIND_COUNT);
	DISTINCT(version_word, 1, IMDS_VERSION_COUNT);
	DISTINCT(method_word, 0, IMDS_METHOD_COUNT);
	DISTINCT(status_class_word, 0, IMDS_STATUS_COUNT);
	DISTINCT(finding_word, 0, FINDING_COUNT);
	DISTINCT(severity_word, 0, 3);
	assert_null(confidence_word(CONFIDENCE_NONE));
	assert_null(version_word(IMDS_VERSION_NONE));
	assert_string_equal(outcome_word(99), "unknown");
	assert_string_equal(kind_word(99), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_judged_as_written),
		cmocka_unit_test(hop_limit_is_never_said_without_cause),
		cmocka_unit_test(policy_drops_are_told_from_others),
		cmocka_unit_test(ttl_deaths_include_packets_without_payload),
		cmocka_unit_test(what_says_more_of_a_request_outranks_what_died_before_it),
		cmocka_unit_test(hops_are_learned_from_the_baseline_first),
		cmocka_unit_test(a_counter_key_tells_no_more_than_its_end),
		cmocka_unit_test(providers_are_told_by_address_header_and_path),
		cmocka_unit_test(each_value_has_its_own_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
