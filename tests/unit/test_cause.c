/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/model/cause.c user/model/words.c */
#include "../../user/base/small.h"
#include "../../user/model/cause.h"
#include "unit.h"

/* Each reason with a cause of its own, and kernels that give no reason. */
static void each_drop_has_its_cause(void **state)
{
	static const struct {
		struct drop_place place;
		enum cause cause;
	} rows[] = {
		{ { "IP_RPFILTER", "ip_rcv_finish_core", true, false, false, 62 }, CAUSE_REVERSE_PATH },
		{ { "IP_INADDRERRORS", "ip_error", false, false, false, 64 }, CAUSE_FORWARDING_OFF },
		{ { "IP_INADDRERRORS", "ip_error", false, false, true, 64 }, CAUSE_MARTIAN },
		{ { "NOT_SPECIFIED", "ip_rcv_finish_core", false, false, true, 64 }, CAUSE_MARTIAN },
		{ { "IP_LOCALNET", "ip_rcv_finish_core", false, false, false, 64 }, CAUSE_MARTIAN },
		{ { "IP_INNOROUTES", "ip_error", false, false, false, 64 }, CAUSE_NO_ROUTE },
		{ { "NOT_SPECIFIED", "ip_error", false, false, false, 64 }, CAUSE_NO_ROUTE }, /* prohibit */
		{ { "NOT_SPECIFIED", "dst_discard", false, false, false, 64 }, CAUSE_NO_ROUTE },
		{ { "", "ip_error", false, false, true, 64 }, CAUSE_MARTIAN },
		{ { "NOT_SPECIFIED", "ip6_pkt_prohibit", false, false, false, 64 }, CAUSE_NO_ROUTE },
		{ { "NEIGH_FAILED", "neigh_invalidate", false, false, false, 64 }, CAUSE_NO_NEIGHBOUR },
		{ { "NEIGH_QUEUEFULL", "__neigh_event_send", true, false, false, 64 }, CAUSE_NO_NEIGHBOUR },
		{ { "PKT_TOO_BIG", "ip_forward", true, false, false, 63 }, CAUSE_TOO_BIG },
		{ { "NETFILTER_DROP", "nf_hook_slow", false, false, false, 64 }, CAUSE_FILTERED },
		{ { "NETFILTER_DROP", "nf_hook_slow", true, false, false, 64 }, CAUSE_FILTERED },
		{ { "TC_EGRESS", "__dev_queue_xmit", false, false, false, 64 }, CAUSE_FILTERED },
		{ { "XDP", "", true, false, false, 64 }, CAUSE_FILTERED },
		{ { "NOT_SPECIFIED", "do_xdp_generic", false, false, false, 64 }, CAUSE_FILTERED },
		{ { "NOT_SPECIFIED", "veth_xdp_rcv_skb", false, false, false, 64 }, CAUSE_FILTERED },
		{ { "BPF_CGROUP_EGRESS", "__ip_finish_output", false, false, false, 64 }, CAUSE_FILTERED },
		{ { "SOCKET_FILTER", "sk_filter_trim_cap", true, true, false, 63 }, CAUSE_REFUSED_AT_SOCKET },
		{ { "NETFILTER_DROP", "", true, true, false, 63 }, CAUSE_REFUSED_AT_SOCKET },
		{ { "TCP_CSUM", "tcp_v4_rcv", true, true, false, 63 }, CAUSE_BAD_CHECKSUM },
		{ { "IP_INHDR", "ip_forward", true, false, false, 1 }, CAUSE_HOP_LIMIT },
		{ { "QDISC_DROP", "__dev_queue_xmit", false, false, false, 64 }, CAUSE_DROPPED },
		{ { "SOME_LATER_REASON", "somewhere", true, false, false, 63 }, CAUSE_DROPPED },
		/* of no weight: a socket's own tidying up, a copy that a bridge flooded */
		{ { "QUEUE_PURGE", "", true, false, false, 63 }, CAUSE_NONE },
		{ { "OTHERHOST", "ip_rcv_core", true, false, false, 1 }, CAUSE_NONE },
		{ { "NO_SOCKET", "tcp_v4_rcv", true, false, false, 63 }, CAUSE_NONE },
		{ { "NO_SOCKET", "tcp_v4_rcv", false, false, false, 64 }, CAUSE_DROPPED }, /* its own SYN, here */
		/* before 5.17 */
		{ { "", "nf_hook_slow", false, false, false, 64 }, CAUSE_FILTERED },
		{ { "", "sk_filter_trim_cap", true, false, false, 64 }, CAUSE_REFUSED_AT_SOCKET },
		{ { "", "neigh_invalidate", false, false, false, 64 }, CAUSE_NO_NEIGHBOUR },
		{ { "", "ip_error", false, false, false, 64 }, CAUSE_DROPPED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		const char *want = cause_word(rows[i].cause), *got = cause_word(cause_of_drop(&rows[i].place));

		if ((want ? want : "none") != (got ? got : "none"))
			print_error("row %zu, %s: %s\n", i, rows[i].place.reason, got ? got : "none");
		assert_int_equal(cause_of_drop(&rows[i].place), rows[i].cause);
	}
}

static void each_error_has_its_cause(void **state)
{
	static const struct {
		enum provider provider;
		uint8_t kind;
		uint16_t status;
		uint32_t words;
		const char *path;
		enum cause cause;
	} rows[] = {
#define TOKEN IMDS_KIND_TOKEN
#define TTL IMDS_W_H_TOKEN_TTL
#define PUT_PATH "/latest/api/token"
#define ROLES "/latest/meta-data/iam/security-credentials"
		{ PROVIDER_EC2, TOKEN, 403, TTL, PUT_PATH, CAUSE_ENDPOINT_DISABLED },
		{ PROVIDER_EC2, TOKEN, 403, TTL | IMDS_W_H_FORWARDED, PUT_PATH, CAUSE_FORWARDED },
		{ PROVIDER_EC2, TOKEN, 403, TTL, "/2021-03-23/api/token", CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_EC2, TOKEN, 400, TTL, PUT_PATH, CAUSE_NOT_THIS_CLOUD },
		{ PROVIDER_EC2, TOKEN, 400, 0, PUT_PATH, CAUSE_ANSWERED_WITH_ERROR }, /* without a lifetime */
		{ PROVIDER_EC2, TOKEN, 404, TTL, PUT_PATH, CAUSE_NOT_THIS_CLOUD },
		{ PROVIDER_EC2, TOKEN, 405, TTL, PUT_PATH, CAUSE_NOT_THIS_CLOUD },
		{ PROVIDER_EC2, TOKEN, 308, TTL, PUT_PATH, CAUSE_NOT_THIS_CLOUD },
		{ PROVIDER_EC2, TOKEN, 500, TTL, PUT_PATH, CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_EC2, TOKEN, 503, TTL, PUT_PATH, CAUSE_THROTTLED },
		{ PROVIDER_IBM, TOKEN, 404, 0, "/instance_identity/v1/token", CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_EC2, IMDS_KIND_CREDENTIALS, 404, IMDS_W_P_SECURITY_CREDS, "", CAUSE_NO_ROLE },
		{ PROVIDER_EC2, IMDS_KIND_CREDENTIALS, 404, IMDS_W_P_SECURITY_CREDS, ROLES, CAUSE_NO_ROLE },
		{ PROVIDER_EC2, IMDS_KIND_CREDENTIALS, 404, IMDS_W_P_SECURITY_CREDS, ROLES "/", CAUSE_NO_ROLE },
		{ PROVIDER_EC2, IMDS_KIND_CREDENTIALS, 404, IMDS_W_P_SECURITY_CREDS, ROLES "/nope",
		  CAUSE_ANSWERED_WITH_ERROR }, /* another role than the instance's */
		{ PROVIDER_EKS_POD_IDENTITY, IMDS_KIND_CREDENTIALS, 404, 0, "", CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_EC2, IMDS_KIND_DATA, 401, 0, "", CAUSE_TOKEN_REQUIRED },
		{ PROVIDER_EC2, IMDS_KIND_DATA, 401, IMDS_W_H_TOKEN, "", CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_ECS, IMDS_KIND_CREDENTIALS, 429, 0, "", CAUSE_THROTTLED },
		{ PROVIDER_GCE, IMDS_KIND_DATA, 502, 0, "", CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_GCE, IMDS_KIND_DATA, 403, 0, "", CAUSE_ANSWERED_WITH_ERROR },
		{ PROVIDER_GCE, IMDS_KIND_CREDENTIALS, 403, IMDS_W_H_FORWARDED, "", CAUSE_FORWARDED },
		{ PROVIDER_AZURE, IMDS_KIND_CREDENTIALS, 400, IMDS_W_H_FORWARDED, "", CAUSE_FORWARDED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct imds_rec_request rec = { .req = { .kind = rows[i].kind,
							 .status = rows[i].status,
							 .words = rows[i].words,
							 .end = IMDS_END_ANSWERED } };
		const struct cause_input in = { &rec, OUTCOME_HTTP_ERROR, rows[i].provider, "", "", false, false };

		strcpy(rec.req.path, rows[i].path);
		if (cause_of_request(&in) != rows[i].cause)
			print_error("row %zu: %s\n", i, cause_word(cause_of_request(&in)));
		assert_int_equal(cause_of_request(&in), rows[i].cause);
	}
}

/* A SYN that was lost at first explains nothing once the connection stands. */
static void a_lost_syn_is_forgotten_when_the_connection_stands(void **state)
{
	struct imds_rec_request rec = { .synack_ns = 5,
					.req = { .drop = { .ts_ns = 3, .ttl = 64, .flags = IMDS_D_SYN } } };
	struct cause_input in = { &rec, OUTCOME_NO_RESPONSE, PROVIDER_EC2, "NETFILTER_DROP", "nf_hook_slow", false,
				  false };

	(void)state;
	assert_int_equal(cause_of_request(&in), CAUSE_SILENT);
	rec.synack_ns = 0;
	assert_int_equal(cause_of_request(&in), CAUSE_FILTERED);
}

/* It came when the client had left: slow, not silent. A client that left at once is not served late. */
static void a_late_answer_was_slow(void **state)
{
	struct imds_rec_request rec = { .synack_ns = 5, .req = { .flags = IMDS_F_LATE_ANSWER } };
	struct cause_input in = { &rec, OUTCOME_NO_RESPONSE, PROVIDER_EC2, "", "", false, false };

	(void)state;
	assert_int_equal(cause_of_request(&in), CAUSE_SLOW);
	in.outcome = OUTCOME_ABORTED;
	assert_int_equal(cause_of_request(&in), CAUSE_ABORTED);
	in.outcome = OUTCOME_DROPPED; /* by a TCP of this node */
	rec.req.flags = 0;
	assert_int_equal(cause_of_request(&in), CAUSE_DROPPED);
	in.outcome = OUTCOME_NO_RESPONSE;
	assert_int_equal(cause_of_request(&in), CAUSE_SILENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_drop_has_its_cause),
		cmocka_unit_test(each_error_has_its_cause),
		cmocka_unit_test(a_lost_syn_is_forgotten_when_the_connection_stands),
		cmocka_unit_test(a_late_answer_was_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
