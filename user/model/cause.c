/* SPDX-License-Identifier: GPL-2.0-only */
#include "cause.h"

#include <string.h>

#include "../base/small.h"

enum direction { ANY, OUT, IN };

/*
 * First match wins. reason and location are prefixes, NULL matches all; a reason without a name (before 5.17, or
 * NOT_SPECIFIED) is "-". What sends a packet elsewhere than meant is told by its reason, the rest by the place.
 */
static const struct row {
	const char *reason, *location;
	enum direction direction;
	enum cause cause;
} rows[] = {
	{ "NETFILTER_DROP", NULL, ANY, CAUSE_FILTERED },
	{ "XDP", NULL, ANY, CAUSE_FILTERED },
	{ "TC_INGRESS", NULL, ANY, CAUSE_FILTERED },
	{ "TC_EGRESS", NULL, ANY, CAUSE_FILTERED },
	{ "BPF_CGROUP_EGRESS", NULL, ANY, CAUSE_FILTERED },
	{ "BPF_CGROUP", NULL, ANY, CAUSE_REFUSED_AT_SOCKET },
	{ "XFRM_POLICY", NULL, ANY, CAUSE_FILTERED },
	{ "SOCKET_FILTER", NULL, ANY, CAUSE_REFUSED_AT_SOCKET },
	{ "SECURITY_HOOK", NULL, ANY, CAUSE_REFUSED_AT_SOCKET },
	{ "IP_RPFILTER", NULL, ANY, CAUSE_REVERSE_PATH },
	{ "IP_LOCALNET", NULL, OUT, CAUSE_MARTIAN }, /* 6.13 */
	{ "IP_INVALID_DEST", NULL, OUT, CAUSE_MARTIAN },
	{ "IP_INVALID_SOURCE", NULL, ANY, CAUSE_REVERSE_PATH },
	{ "IP_LOCAL_SOURCE", NULL, ANY, CAUSE_REVERSE_PATH },
	{ "IP_INADDRERRORS", NULL, ANY, CAUSE_FORWARDING_OFF }, /* to loopback: see below */
	{ "IP_INNOROUTES", NULL, ANY, CAUSE_NO_ROUTE },
	{ "IP_OUTNOROUTES", NULL, ANY, CAUSE_NO_ROUTE },
	{ "NEIGH_", NULL, ANY, CAUSE_NO_NEIGHBOUR },
	{ "PKT_TOO_BIG", NULL, ANY, CAUSE_TOO_BIG },
	{ "TCP_CSUM", NULL, ANY, CAUSE_BAD_CHECKSUM },
	{ "IP_CSUM", NULL, ANY, CAUSE_BAD_CHECKSUM },
	{ "UDP_CSUM", NULL, ANY, CAUSE_BAD_CHECKSUM },
	{ "SKB_CSUM", NULL, ANY, CAUSE_BAD_CHECKSUM },
	/* what a socket or a bridge frees in passing; the request's fate is another's */
	{ "OTHERHOST", NULL, ANY, CAUSE_NONE },
	{ "QUEUE_PURGE", NULL, ANY, CAUSE_NONE },
	{ "TCP_OLD_", NULL, ANY, CAUSE_NONE },
	{ "TCP_OFOMERGE", NULL, ANY, CAUSE_NONE },
	{ "TCP_INVALID_", NULL, ANY, CAUSE_NONE },
	{ "TCP_CLOSE", NULL, ANY, CAUSE_NONE },
	{ "TCP_RESET", NULL, ANY, CAUSE_NONE },
	{ "TCP_FLAGS", NULL, ANY, CAUSE_NONE },
	{ "TCP_ZEROWINDOW", NULL, ANY, CAUSE_NONE },
	{ "TCP_OVERWINDOW", NULL, ANY, CAUSE_NONE },
	{ "NO_SOCKET", NULL, IN, CAUSE_NONE },
	{ "SKB_CONSUMED", NULL, ANY, CAUSE_NONE },
	/* by place alone */
	{ "-", "nf_hook_slow", ANY, CAUSE_FILTERED },
	{ "-", "nft_do_chain", ANY, CAUSE_FILTERED },
	{ "-", "ipt_do_table", ANY, CAUSE_FILTERED },
	{ "-", "ip6t_do_table", ANY, CAUSE_FILTERED },
	{ "-", "tcf_classify", ANY, CAUSE_FILTERED },
	{ "-", "cls_bpf_classify", ANY, CAUSE_FILTERED },
	{ "-", "sch_handle_", ANY, CAUSE_FILTERED },
	{ "-", "tcx_run", ANY, CAUSE_FILTERED },
	{ "-", "tc_run", ANY, CAUSE_FILTERED },
	{ "-", "do_xdp_generic", ANY, CAUSE_FILTERED },
	{ "-", "netif_receive_generic_xdp", ANY, CAUSE_FILTERED },
	{ "-", "veth_xdp_rcv", ANY, CAUSE_FILTERED },
	{ "-", "sk_filter_trim_cap", ANY, CAUSE_REFUSED_AT_SOCKET },
	/* a route that is there to keep packets away; from 5.19 on ip_error() has a reason for all else */
	{ "NOT_SPECIFIED", "ip_error", ANY, CAUSE_NO_ROUTE },
	{ "-", "dst_discard", ANY, CAUSE_NO_ROUTE },
	{ "-", "ip6_pkt_", ANY, CAUSE_NO_ROUTE },
	{ "-", "neigh_", ANY, CAUSE_NO_NEIGHBOUR },
	{ "-", "arp_error_report", ANY, CAUSE_NO_NEIGHBOUR },
	{ "-", "ndisc_error_report", ANY, CAUSE_NO_NEIGHBOUR },
	{ "-", "ip_finish_output", OUT, CAUSE_FILTERED }, /* cgroup/skb egress */
	{ "-", "ip6_finish_output", OUT, CAUSE_FILTERED },
};

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Before 5.17 a kernel has no reasons; later ones free without one here and there; a bare number means no BTF. */
static bool is_unsaid(const char *reason)
{
	return !(reason[0] >= 'A' && reason[0] <= 'Z') || has_prefix(reason, "NOT_SPECIFIED");
}

static bool matches(const struct row *row, const struct drop_place *d)
{
	if (row->direction != ANY && d->from_endpoint != (row->direction == IN))
		return false;
	if (row->reason[0] == '-' ? !is_unsaid(d->reason) : !has_prefix(d->reason, row->reason))
		return false;
	return !row->location || has_prefix(d->location, row->location);
}

enum cause cause_of_drop(const struct drop_place *d)
{
	enum cause cause = CAUSE_DROPPED;

	for (size_t i = 0; i < LEN(rows); i++) {
		if (!matches(&rows[i], d))
			continue;
		cause = rows[i].cause;
		break;
	}
	if (cause == CAUSE_NONE)
		return cause;
	/* routing itself refuses loopback addresses: as an address that is none of its own, or without a reason */
	if (d->to_loopback && (cause == CAUSE_FORWARDING_OFF ||
			       ((cause == CAUSE_DROPPED || cause == CAUSE_NO_ROUTE) && is_unsaid(d->reason))))
		return CAUSE_MARTIAN;
	if (d->from_endpoint && d->ttl <= 1 && has_prefix(d->reason, "IP_INHDR"))
		return CAUSE_HOP_LIMIT;
	if (d->arrived && cause == CAUSE_FILTERED)
		return CAUSE_REFUSED_AT_SOCKET;
	return cause;
}

bool cause_drop_counts(const struct imds_rec_request *rec)
{
	const struct imds_request *q = &rec->req;

	if (!q->drop.ts_ns)
		return false;
	if (q->drop.flags & IMDS_D_SYN)
		return !rec->synack_ns;
	return (q->drop.flags & IMDS_D_FROM_ENDPOINT) || !(q->flags & IMDS_F_REQUEST_ACKED);
}

bool cause_is_role_list(const char *path)
{
	static const char list[] = "/security-credentials";
	size_t len = strlen(path);

	len -= len && path[len - 1] == '/';
	return len >= sizeof(list) - 1 && !strncmp(path + len - (sizeof(list) - 1), list, sizeof(list) - 1);
}

static bool is_ec2(const struct cause_input *in)
{
	return in->provider == PROVIDER_EC2;
}

/* PUT to /latest/api/token; by any other path, dated or with a slash behind it, EC2 answers 403 by design. It redirects none. */
static enum cause cause_of_token_error(const struct cause_input *in)
{
	const struct imds_request *q = &in->rec->req;

	if (q->status == 403 && (q->words & IMDS_W_H_FORWARDED))
		return CAUSE_FORWARDED;
	if (q->status == 403)
		return q->path[0] && strcmp(q->path, "/latest/api/token") != 0 ? CAUSE_ANSWERED_WITH_ERROR
									       : CAUSE_ENDPOINT_DISABLED;
	if (q->status == 400 && !(q->words & IMDS_W_H_TOKEN_TTL))
		return CAUSE_ANSWERED_WITH_ERROR; /* EC2 says so to a request without a lifetime */
	if (q->status < 400 || q->status == 400 || q->status == 404 || q->status == 405 || q->status == 410 ||
	    q->status == 501)
		return CAUSE_NOT_THIS_CLOUD;
	return CAUSE_ANSWERED_WITH_ERROR;
}

static enum cause cause_of_error(const struct cause_input *in)
{
	const struct imds_request *q = &in->rec->req;

	if (q->status == 429 || q->status == 503)
		return CAUSE_THROTTLED;
	/* Azure answers 400, GCE 403, to whatever was forwarded; Oracle refuses it too */
	if ((q->words & IMDS_W_H_FORWARDED) && (q->status == 400 || q->status == 403) &&
	    (in->provider == PROVIDER_AZURE || in->provider == PROVIDER_GCE || in->provider == PROVIDER_ORACLE))
		return CAUSE_FORWARDED;
	if (!is_ec2(in))
		return CAUSE_ANSWERED_WITH_ERROR;
	if (q->kind == IMDS_KIND_TOKEN)
		return cause_of_token_error(in);
	/* a token that was refused may stand in what is cut off */
	if (q->status == 401 && !(q->words & IMDS_W_H_TOKEN) && !(q->flags & IMDS_F_HEAD_CUT))
		return CAUSE_TOKEN_REQUIRED;
	if (q->status == 403)
		return CAUSE_ENDPOINT_DISABLED;
	if (q->status == 404 && (q->words & IMDS_W_P_SECURITY_CREDS) && (!q->path[0] || cause_is_role_list(q->path)))
		return CAUSE_NO_ROLE;
	return CAUSE_ANSWERED_WITH_ERROR;
}

static enum cause cause_of_silence(const struct cause_input *in)
{
	const struct imds_drop *drop = &in->rec->req.drop;
	const struct drop_place place = {
		.reason = in->drop_reason,
		.location = in->drop_location,
		.from_endpoint = drop->flags & IMDS_D_FROM_ENDPOINT,
		.arrived = in->arrived,
		.to_loopback = in->to_loopback,
		.ttl = drop->ttl,
	};
	enum cause cause = cause_drop_counts(in->rec) ? cause_of_drop(&place) : CAUSE_NONE;

	if (cause == CAUSE_NONE && (in->rec->req.flags & IMDS_F_LATE_ANSWER))
		return CAUSE_SLOW; /* it came, and its client was gone */
	return cause != CAUSE_NONE ? cause : CAUSE_SILENT;
}

enum cause cause_of_request(const struct cause_input *in)
{
	enum cause cause;

	switch (in->outcome) {
	case OUTCOME_OK:
		return CAUSE_NONE;
	case OUTCOME_HTTP_ERROR:
		return cause_of_error(in);
	case OUTCOME_HOP_LIMIT:
		return CAUSE_HOP_LIMIT;
	case OUTCOME_REFUSED: /* by ICMP, from this node, when it found no route */
		return cause_of_silence(in) == CAUSE_NO_ROUTE ? CAUSE_NO_ROUTE : CAUSE_REFUSED;
	case OUTCOME_NOT_SENT:
		return CAUSE_NOT_SENT;
	case OUTCOME_REDIRECTED:
		return CAUSE_REDIRECTED;
	case OUTCOME_RESET:
		return CAUSE_RESET;
	case OUTCOME_ABORTED:
		cause = cause_of_silence(in);
		return cause == CAUSE_SILENT || cause == CAUSE_SLOW ? CAUSE_ABORTED : cause;
	case OUTCOME_DROPPED: /* by whoever stands in the service's place on this node, too: by its TCP */
		cause = cause_of_silence(in);
		return cause == CAUSE_SILENT ? CAUSE_DROPPED : cause;
	case OUTCOME_BLOCKED:
		cause = cause_of_silence(in);
		return cause == CAUSE_SILENT || cause == CAUSE_DROPPED ? CAUSE_FILTERED : cause;
	default:
		return cause_of_silence(in);
	}
}

/* NAT on this node had sent the SYN to a loopback address. */
static bool is_loopback(const struct imds_rec_request *rec)
{
	static const struct imds_addr v6 = { .b = { [15] = 1 } };

	return rec->to_port && ((rec->to.b[10] == 0xff && rec->to.b[12] == 127) || !memcmp(&rec->to, &v6, sizeof(v6)));
}

void cause_explain(struct request *r)
{
	const struct cause_input in = {
		.rec = &r->rec,
		.outcome = r->outcome,
		.provider = r->provider,
		.drop_reason = r->drop_reason,
		.drop_location = r->drop_location,
		.arrived = r->rec.req.drop.flags & IMDS_D_ARRIVED,
		.to_loopback = is_loopback(&r->rec),
	};

	r->cause = cause_of_request(&in);
	if (r->outcome != OUTCOME_NO_RESPONSE || r->cause == CAUSE_SILENT || r->cause == CAUSE_SLOW)
		return;
	r->outcome = r->cause == CAUSE_FILTERED ? OUTCOME_BLOCKED : OUTCOME_DROPPED;
}
