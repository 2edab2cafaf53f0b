/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cgroup_skb programs under BPF_PROG_TEST_RUN: parser, state machine, counters, and that nothing secret leaves the
 * kernel. Needs root and a kernel whose test run shows packet data to cgroup_skb programs; links statically, so that
 * it also runs inside a bare virtual machine. (No cmocka: Debian has no static one.)
 */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/llhttp.h"
#include "talk.h"

/* --- the parser --------------------------------------------------------------------------------------------------- */

static uint64_t packets_of(uint64_t cgroup, int direction)
{
	struct imds_packet_counters c = rig_packets(rig, cgroup);
	uint64_t n = 0;

	for (int i = 0; i < IMDS_PROTO_COUNT; i++)
		n += c.packets[direction][i];
	return n;
}

static void other_addresses_are_ignored(void)
{
	static const uint32_t others[] = { 0xa9fea9ffu, 0xa9fea9fdu, 0xa9feaafe, 0xa9feaa03, 0x0a000001, 0xfea9fea9u };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct conn c = conn_new();

		c.remote4 = others[i];
		handshake(&c);
		send_text(&c, PUT);
	}
	equal(rig_map_walk(rig, "imds_packets", NULL, NULL), 0);
	nothing_left();
	equal(all_losses(), 0);
}

static void packets_and_bytes_are_counted(void)
{
	struct conn c = conn_open();
	struct imds_packet_counters n;

	send_text(&c, PUT);
	n = rig_packets(rig, 77);
	equal(n.packets[IMDS_EGRESS][IMDS_PROTO_TCP], 3);
	equal(n.packets[IMDS_INGRESS][IMDS_PROTO_TCP], 1);
	equal(n.bytes[IMDS_EGRESS], 3 * 40 + LEN(PUT));
	equal(n.bytes[IMDS_INGRESS], 40);
	equal(rig_map_walk(rig, "imds_packets", NULL, NULL), 1);
}

static void broken_headers_are_counted_as_such(void)
{
	struct conn c = conn_new();
	uint8_t p[RIG_PACKET];
	/* read 4 bytes too early, the acknowledgement number would pass for the length of a TCP header */
	size_t len = rig_tcp(&c, true, SYN, 1, 0x50000000, NULL, 0, p);

	for (size_t cut = RIG_ETH + 20; cut < len; cut++) /* the TCP header is not whole */
		run(true, p, cut, &c);
	equal(rig_loss(rig, IMDS_LOSS_MALFORMED), 20);
	p[RIG_ETH] = 0x44; /* an IP header of 16 bytes */
	run(true, p, len, &c);
	equal(rig_loss(rig, IMDS_LOSS_MALFORMED), 21);
	p[RIG_ETH] = 0x4f; /* of 60 bytes: TCP lies outside */
	run(true, p, len, &c);
	equal(rig_loss(rig, IMDS_LOSS_MALFORMED), 22);
	p[RIG_ETH] = 0x45;
	p[RIG_ETH + 20 + 12] = 4 << 4; /* a TCP header of 16 bytes */
	run(true, p, len, &c);
	p[RIG_ETH + 20 + 12] = 15 << 4; /* of 60 bytes: outside */
	run(true, p, len, &c);
	equal(rig_loss(rig, IMDS_LOSS_MALFORMED), 24);
	nothing_left();
	for (size_t cut = RIG_ETH + 1; cut < RIG_ETH + 20; cut++) /* no IP header: whose packet, nobody can say */
		run(true, p, cut, &c);
	equal(rig_loss(rig, IMDS_LOSS_MALFORMED), 24);
}

static void ip_options_are_stepped_over(void)
{
	struct conn c = conn_new();
	uint8_t p[RIG_PACKET];
	size_t len = rig_tcp(&c, true, SYN, 1, 0, NULL, 0, p);
	struct imds_flow f;

	memmove(p + RIG_ETH + 32, p + RIG_ETH + 20, len - RIG_ETH - 20);
	memset(p + RIG_ETH + 20, 1, 12);
	p[RIG_ETH] = 0x48;
	run(true, p, len + 12, &c);
	ensure(rig_flow(rig, c.cookie, 0, &f));
	equal(f.peer.local_port, c.local_port);
	equal(f.snd_isn, 1);
}

static void fragments_are_counted_and_not_followed(void)
{
	struct conn c = conn_new();
	uint8_t p[RIG_PACKET];
	size_t len = rig_tcp(&c, true, SYN, 1, 0, NULL, 0, p);

	p[RIG_ETH + 7] = 3;
	run(true, p, len, &c);
	equal(rig_loss(rig, IMDS_LOSS_FRAGMENT), 1);
	equal(packets_of(77, IMDS_EGRESS), 1);
	nothing_left();
}

static void other_protocols_are_counted(void)
{
	struct conn c = conn_new();
	uint8_t p[RIG_PACKET];
	size_t len = rig_tcp(&c, true, SYN, 1, 0, NULL, 0, p);
	struct imds_packet_counters n;

	p[RIG_ETH + 9] = 1;
	run(true, p, len, &c);
	p[RIG_ETH + 9] = 47;
	run(false, p, len, &c); /* from another address: not ours */
	run(true, p, len, &c);
	c.remote_port = 123;
	run(true, p, rig_udp(&c, true, "ntp", 3, p), &c);
	n = rig_packets(rig, 77);
	equal(n.packets[IMDS_EGRESS][IMDS_PROTO_ICMP], 1);
	equal(n.packets[IMDS_EGRESS][IMDS_PROTO_OTHER], 1);
	equal(n.packets[IMDS_EGRESS][IMDS_PROTO_UDP], 1);
	equal(packets_of(77, IMDS_INGRESS), 0);
	nothing_left();
}

/* IPv6 with the extension headers of ext[] (protocol numbers) in front of a SYN. */
static size_t v6_with(const struct conn *c, const uint8_t *ext, size_t n, uint8_t *p)
{
	size_t len = rig_tcp(c, true, SYN, 1, 0, NULL, 0, p);
	uint8_t *at = p + RIG_ETH + 40;

	memmove(at + n * 8, at, 20);
	memset(at, 0, n * 8);
	p[RIG_ETH + 6] = n ? ext[0] : 6;
	for (size_t i = 0; i < n; i++)
		at[i * 8] = i + 1 < n ? ext[i + 1] : 6;
	return len + n * 8;
}

static void ipv6_extension_headers_are_followed(void)
{
	static const uint8_t ext[] = { 0, 60, 43, 60, 60 }, fragment[] = { 44 };
	uint8_t p[RIG_PACKET];
	struct imds_flow f;
	size_t len;

	for (size_t n = 0; n <= 3; n++) {
		struct conn c = conn_new();

		c.remote4 = 0;
		run(true, p, v6_with(&c, ext, n, p), &c);
		ensure(rig_flow(rig, c.cookie, 0, &f));
		equal(f.peer.family, 6);
		equal(f.peer.local_port, c.local_port);
		equal(f.peer.remote.b[15], 0x54);
	}
	for (int first = 1; first >= 0; first--) {
		struct conn c = conn_new();

		c.remote4 = 0;
		len = v6_with(&c, fragment, 1, p);
		p[RIG_ETH + 40 + 3] = first ? 1 : 8; /* more fragments; then one at offset 8 */
		run(true, p, len, &c);
		equal(rig_flow(rig, c.cookie, 0, &f), first);
		equal(rig_loss(rig, IMDS_LOSS_FRAGMENT), !first);
	}
	struct conn c = conn_new(); /* more headers than we follow: counted as a packet, no more */

	c.remote4 = 0;
	run(true, p, v6_with(&c, ext, 5, p), &c);
	ensure(!rig_flow(rig, c.cookie, 0, &f));
	for (size_t cut = RIG_ETH + 41; cut < RIG_ETH + 60; cut++)
		run(true, p, cut, &c);
}

/* --- the state machine, what the conversations do not show -------------------------------------------------------- */

static void syn_retransmit_and_ttl(void)
{
	struct conn c = conn_new();
	struct imds_flow f;

	out(&c, SYN, NULL, 0);
	for (int i = 0; i < 3; i++)
		tcp(&c, true, SYN, c.seq - 1, 0, NULL, 0);
	c.ttl = 253;
	in(&c, SYN | ACK, NULL, 0);
	c.ttl = 1;
	in(&c, SYN | ACK, NULL, 0); /* a second SYN-ACK says nothing new */
	ensure(rig_flow(rig, c.cookie, 0, &f));
	equal(f.syn_retransmits, 3);
	equal(f.ttl_synack, 253);
	ensure(f.synack_ns > f.syn_ns);
	equal(f.flags & IMDS_F_SYN_SEEN, IMDS_F_SYN_SEEN);
}

static void refused_is_not_reset(void)
{
	struct conn c = conn_new();

	out(&c, SYN, NULL, 0);
	in(&c, RST | ACK, NULL, 0);
	equal(request(0)->req.end, IMDS_END_REFUSED);
	equal(request(0)->req.kind, IMDS_KIND_CONNECT_ONLY);
	nothing_left();
	c = conn_open();
	in(&c, RST | ACK, NULL, 0);
	equal(request(1)->req.end, IMDS_END_PEER_RST);
}

static void port_is_reused(void)
{
	struct conn c = conn_open();

	send_text(&c, PUT);
	c.seq += 100000; /* the same socket connects anew */
	handshake(&c);
	equal(request(0)->req.end, IMDS_END_REUSED);
	equal(request(0)->req.kind, IMDS_KIND_TOKEN);
	send_text(&c, GET_V1);
	answer(&c, OK4);
	equal(request(1)->req.end, IMDS_END_ANSWERED);
	equal(request(1)->req.kind, IMDS_KIND_DATA);
	struct conn other = conn_new(); /* another socket on that port while ours is in TIME_WAIT */

	other.local_port = c.local_port;
	handshake(&other);
	send_text(&other, GET_V1);
	answer(&other, OK4);
	equal(request(2)->peer.cookie, other.cookie);
	equal(request(2)->req.end, IMDS_END_ANSWERED);
}

static void fingerprint_waits_for_the_next_answer(void)
{
	struct conn c = conn_open();
	struct imds_flow f;

	equal(rig_waiting(rig), 0);
	send_text(&c, GET_V1);
	equal(rig_waiting(rig), 1);
	answer(&c, OK4);
	equal(rig_waiting(rig), 0);
	send_text(&c, PUT PUT PUT); /* in one packet: one place, for the answer that comes first */
	equal(rig_waiting(rig), 1);
	in(&c, PSH | ACK, "H", 1);
	equal(rig_waiting(rig), 0);
	in(&c, PSH | ACK, &OK4[1], LEN(OK4) - 1);
	equal(rig_waiting(rig), 1);
	ensure(rig_flow(rig, c.cookie, 0, &f));
	equal(f.fingerprint_seq, c.ack);
	answer(&c, OK4);
	answer(&c, OK4);
	equal(rig_waiting(rig), 0);
	equal(all_losses(), 0);
}

/* The hook runs before TCP has looked: what TCP will not take changes nothing. */
static void segments_that_tcp_refuses_change_nothing(void)
{
	struct conn c = conn_new();
	struct imds_flow f;
	uint32_t isn = c.seq;

	out(&c, SYN, NULL, 0);
	tcp(&c, false, SYN | ACK, 5, isn + 2, NULL, 0); /* acknowledges another SYN */
	tcp(&c, false, SYN, 5, 0, NULL, 0);
	tcp(&c, false, RST, 0, 0, NULL, 0);
	tcp(&c, false, RST | ACK, 0, isn, NULL, 0);
	ensure(rig_flow(rig, c.cookie, 0, &f));
	equal(f.synack_ns, 0);
	in(&c, SYN | ACK, NULL, 0);
	out(&c, ACK, NULL, 0);
	send_text(&c, PUT);
	tcp(&c, false, RST | ACK, c.ack + 1, c.seq, NULL, 0); /* in the window is not enough */
	tcp(&c, false, PSH, c.ack, 0, OK4, LEN(OK4));	      /* no ACK */
	tcp(&c, false, PSH | ACK, c.ack + 0x200000, c.seq, OK4, LEN(OK4));
	tcp(&c, false, PSH | ACK, c.ack, c.seq + 5000, OK4, LEN(OK4)); /* acknowledges what was not sent */
	tcp(&c, false, ACK, c.ack + 0x200000, c.seq, NULL, 0); /* of another connection: hides no answer, no loss */
	equal(requests(), 0);
	equal(rig_loss(rig, IMDS_LOSS_SEGMENT), 8);
	answer(&c, OK4);
	equal(requests(), 1);
	equal(request(0)->req.end, IMDS_END_ANSWERED);
	equal(rig_loss(rig, IMDS_LOSS_SEGMENT), 8);
}

/* The request may come in the SYN, and the SYN-ACK acknowledge it, or not yet. */
static void request_comes_in_the_syn(void)
{
	for (int taken = 0; taken < 2; taken++) {
		struct conn c = conn_new();
		uint32_t isn = c.seq;

		rig_reset(rig);
		out(&c, SYN, PUT, LEN(PUT));
		tcp(&c, false, SYN | ACK, 5, c.seq + 1, NULL, 0);
		equal(rig_loss(rig, IMDS_LOSS_SEGMENT), 1);
		tcp(&c, false, SYN | ACK, c.ack, taken ? c.seq : isn + 1, NULL, 0);
		c.ack++;
		out(&c, ACK, NULL, 0);
		if (!taken)
			tcp(&c, true, PSH | ACK, isn + 1, c.ack, PUT, LEN(PUT));
		answer(&c, OK4);
		equal(requests(), 1);
		equal(request(0)->req.end, IMDS_END_ANSWERED);
		equal(request(0)->req.kind, IMDS_KIND_TOKEN);
		equal(request(0)->req.bytes_out, LEN(PUT));
		equal(request(0)->req.retransmits, !taken);
		ensure(request(0)->synack_ns);
		equal(rig_loss(rig, IMDS_LOSS_SEGMENT), 1);
	}
}

static void long_head_is_cut_and_counted(void)
{
	char text[3500];
	struct conn c = conn_open();

	rig_reset(rig);
	c = conn_open();

	memset(text, 'x', sizeof(text));
	memcpy(text, "GET /latest/meta-data/ HTTP/1.1\r\nA: ", 36);
	memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
	out(&c, PSH | ACK, text, sizeof(text));
	answer(&c, OK4);
	equal(requests(), 1);
	equal(request(0)->req.method, IMDS_METHOD_GET);
	equal(request(0)->req.version, request(0)->req.flags & IMDS_F_HEAD_CUT ? IMDS_VERSION_UNKNOWN : IMDS_VERSION_V1);
	equal(request(0)->req.status, 200);
	equal(request(0)->req.bytes_out, sizeof(text));
	equal(!!(request(0)->req.flags & IMDS_F_HEAD_CUT), rig_loss(rig, IMDS_LOSS_HEAD_CUT));
	equal(rig_packets(rig, 77).untracked, rig_loss(rig, IMDS_LOSS_HEAD_CUT)); /* what may stand behind it is its own */
}

static void big_body_is_skipped(void)
{
	static char body[3000];
	struct conn c = conn_open();

	memset(body, 'b', sizeof(body));
	send_text(&c, GET_V1);
	answer(&c, "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		equal(requests(), 0);
		in(&c, ACK, body, sizeof(body));
	}
	equal(requests(), 1);
	equal(request(0)->req.bytes_in, 30000 + 42);
	equal(all_losses(), 0);
}

static void dns_is_timed(void)
{
	struct conn c = conn_new();
	uint8_t p[RIG_PACKET], query[24] = { 0x12, 0x34, 1 }, reply[40] = { 0x12, 0x34, 0x81 };

	c.remote_port = 53;
	run(true, p, rig_udp(&c, true, query, sizeof(query), p), &c);
	run(true, p, rig_udp(&c, true, query, sizeof(query), p), &c); /* asked again */
	query[1] = 0x35;
	run(true, p, rig_udp(&c, true, query, sizeof(query), p), &c); /* another question of the same socket */
	run(true, p, rig_udp(&c, true, reply, sizeof(reply), p), &c); /* an answer in the wrong direction */
	equal(requests(), 0);
	run(false, p, rig_udp(&c, false, reply, sizeof(reply), p), &c);
	equal(requests(), 1);
	equal(request(0)->req.kind, IMDS_KIND_DNS);
	equal(request(0)->req.end, IMDS_END_ANSWERED);
	equal(request(0)->req.retransmits, 1);
	equal(request(0)->req.bytes_out, sizeof(query));
	equal(request(0)->req.bytes_in, sizeof(reply));
	equal(rig_map_walk(rig, "imds_flows", NULL, NULL), 1);
	run(false, p, rig_udp(&c, false, reply, 11, p), &c); /* shorter than a DNS header */
	equal(requests(), 1);
}

static void answer_to_one_who_gave_up_is_late(void)
{
	const struct imds_rec_flow_end *ends;
	struct conn c = conn_open();
	struct imds_flow f;

	send_text(&c, PUT);
	answer(&c, OK4);
	out(&c, FIN | ACK, NULL, 0);
	answer(&c, "more than was asked for"); /* answered, so not a late answer */
	ensure(rig_flow(rig, c.cookie, 0, &f));
	equal(f.flags & IMDS_F_LATE_ANSWER, 0);
	f.last_end = IMDS_END_CLOSED; /* as close(2) would leave it: no test run for sock_release */
	rig_set_flow(rig, &f);
	c.ttl = 9;
	answer(&c, OK4);
	in(&c, FIN | ACK, NULL, 0);
	equal(requests(), 1);
	equal(rig_flow_ends(rig, &ends), 1);
	equal(ends[0].flags & IMDS_F_LATE_ANSWER, IMDS_F_LATE_ANSWER);
	equal(ends[0].ttl_late, 9);
	equal(ends[0].requests, 1);
	equal(ends[0].last_kind, IMDS_KIND_TOKEN);
	nothing_left();
}

/* The verifier then looks at guessed paths too. features.c: before 6.3 it gives up on that. */
static bool loads_without_perfmon(void)
{
	struct utsname u;
	int major, minor;

	return !uname(&u) && sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 3));
}

static void lite_programs_load_without_perfmon(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (syscall(SYS_capget, &h, caps))
			_exit(2);
		caps[0].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
		caps[1].effective &= ~CAP_TO_MASK(CAP_PERFMON);
		_exit(syscall(SYS_capset, &h, caps) ? 2 : !rig_new(false, true));
	}
	ensure(pid > 0 && waitpid(pid, &status, 0) == pid);
	equal(status, 0);
}

/* ------------------------------------------------------------------------------------------------------------------ */

#define TEST(fn)        \
	{               \
#fn, fn \
	}
static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	TEST(other_addresses_are_ignored),
	TEST(packets_and_bytes_are_counted),
	TEST(broken_headers_are_counted_as_such),
	TEST(ip_options_are_stepped_over),
	TEST(fragments_are_counted_and_not_followed),
	TEST(other_protocols_are_counted),
	TEST(ipv6_extension_headers_are_followed),
	TEST(conversations_over_ipv4),
	TEST(conversations_over_ipv6),
	TEST(head_may_be_cut_at_every_byte),
	TEST(pipeline_is_bounded),
	TEST(syn_retransmit_and_ttl),
	TEST(refused_is_not_reset),
	TEST(port_is_reused),
	TEST(fingerprint_waits_for_the_next_answer),
	TEST(segments_that_tcp_refuses_change_nothing),
	TEST(request_comes_in_the_syn),
	TEST(long_head_is_cut_and_counted),
	TEST(big_body_is_skipped),
	TEST(dns_is_timed),
	TEST(answer_to_one_who_gave_up_is_late),
	TEST(no_secret_leaves_the_kernel),
	TEST(garbage_passes),
	TEST(heads_are_read_as_llhttp_reads_them),
	TEST(programs_can_only_pass),
	TEST(lite_programs_load_without_perfmon),
};
#define TESTS (sizeof(tests) / sizeof(tests[0]))

/* A test run gives cgroup_skb programs no packet data up to 6.12 at least; it does on 6.18. */
static bool packets_are_seen(void)
{
	struct conn c = conn_new();
	uint8_t p[RIG_PACKET];
	struct imds_flow f;

	rig_run(rig, true, p, rig_tcp(&c, true, SYN, 1, 0, NULL, 0, p), c.cookie, c.cgroup, 1, NULL);
	return rig_flow(rig, c.cookie, 0, &f);
}

static bool passes(void (*fn)(void))
{
	if (rig) {
		rig_reset(rig);
		rig_on_bytes(rig, NULL, NULL);
	}
	row = "";
	if (setjmp(failed_at))
		return false;
	fn();
	return true;
}

static bool needs_packets(void (*fn)(void))
{
	return fn != programs_can_only_pass && fn != lite_programs_load_without_perfmon;
}

static const char *why_skipped(void (*fn)(void), const char *no_packets)
{
	if (!rig)
		return "the programs did not load";
	if (fn == lite_programs_load_without_perfmon && !loads_without_perfmon())
		return "the verifier of this kernel needs CAP_PERFMON (before 6.3)";
	if (fn == heads_are_read_as_llhttp_reads_them && !no_packets && !llhttp_is_there())
		return "node with process.binding('http_parser') is needed";
	return needs_packets(fn) ? no_packets : NULL;
}

int main(int argc, char **argv)
{
	static const char *const programs[] = { "", "lite: " };
	unsigned int passed = 0, failed = 0, skipped = 0;

	for (size_t p = 0; p < 2; p++) {
		const char *no_packets = NULL;

		if (geteuid())
			no_packets = "needs root";
		else if (!(rig = rig_new(true, p)))
			failed++;
		else if (!packets_are_seen())
			no_packets = "this kernel shows no packet data to cgroup_skb programs under test-run";
		for (size_t i = 0; i < TESTS; i++) {
			const char *why = why_skipped(tests[i].fn, no_packets);

			if (argc > 1 && strcmp(argv[1], tests[i].name))
				continue;
			if (p && !needs_packets(tests[i].fn))
				continue;
			if (why) {
				printf("skip %s%s: %s\n", programs[p], tests[i].name, why);
				skipped++;
				continue;
			}
			if (passes(tests[i].fn)) {
				printf("ok %s%s\n", programs[p], tests[i].name);
				passed++;
			} else {
				printf("not ok %s%s\n  again, by itself: make check-bpf; %s %s\n", programs[p],
				       tests[i].name, argv[0], tests[i].name);
				failed++;
			}
		}
		rig_free(rig);
		rig = NULL;
	}
	printf("bpf: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed > 0;
}
