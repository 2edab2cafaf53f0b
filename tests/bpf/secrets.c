/* SPDX-License-Identifier: GPL-2.0-only */
/* No secret leaves the kernel, and every packet passes. */
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "talk.h"

static const char *const secrets[] = {
	"AQAEAOz9Gq7zX4wKmB3vTt0", "wJalrXUtnFEMIbPxRfiCYzE9", "B4s1c7c2VjcmV0OnBhc3N3b3Jk",
	"uS3rd4tApa55w0rDpL4nt3d", "qU3rYs1gn4tUr3h1DDeN",     "p0sTb0Dy4711xQqZ",
};
#define SECRETS (sizeof(secrets) / sizeof(secrets[0]))
#define WINDOW 5 /* any five bytes of a secret in a row are a leak */

struct leak {
	size_t bytes; /* looked at */
	char found[64];
};

static void look_for_secrets(void *arg, const void *data, size_t len)
{
	struct leak *l = arg;

	l->bytes += len;
	for (size_t i = 0; i < SECRETS; i++)
		for (const char *s = secrets[i]; strlen(s) >= WINDOW; s++)
			if (memmem(data, len, s, WINDOW))
				snprintf(l->found, sizeof(l->found), "%.*s", WINDOW, s);
}

static void look_everywhere(struct leak *l)
{
	struct bpf_map *map;

	rig_drain(rig);
	bpf_object__for_each_map(map, rig_object(rig)) if (strcmp(bpf_map__name(map), "imds_locks"))
	    rig_map_walk(rig, bpf_map__name(map), look_for_secrets, l);
	if (*l->found)
		give_up(__LINE__, "'%s' left the kernel", l->found);
}

/* step: bytes a packet. Every table is looked through after every packet. */
static void talk(struct leak *l, const char *request_text, const char *answer_text, size_t step)
{
	struct conn c = conn_open();
	size_t len = strlen(request_text);

	for (size_t i = 0; i < len; i += step) {
		out(&c, PSH | ACK, request_text + i, len - i < step ? len - i : step);
		look_everywhere(l);
	}
	len = strlen(answer_text);
	for (size_t i = 0; i < len; i += step) {
		in(&c, PSH | ACK, answer_text + i, len - i < step ? len - i : step);
		look_everywhere(l);
	}
	in(&c, RST, NULL, 0);
	look_everywhere(l);
}

void no_secret_leaves_the_kernel(void)
{
	static const size_t steps[] = { 4000, 61, 7 };
	char ask[6][1024], reply[6][1024];
	struct leak l = { 0 };

	snprintf(ask[0], sizeof(ask[0]), "%s", PUT);
	snprintf(reply[0], sizeof(reply[0]), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(secrets[0]),
		 secrets[0]);
	snprintf(ask[1], sizeof(ask[1]),
		 "GET /latest/meta-data/iam/security-credentials/r HTTP/1.1\r\nX-aws-ec2-metadata-token: %s\r\n"
		 "Authorization: %s\r\nMetadata-Flavor: Google\r\n\r\n",
		 secrets[0], secrets[2]);
	snprintf(reply[1], sizeof(reply[1]),
		 "HTTP/1.1 200 OK\r\nX-Echo: %s\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n%s\r\n0\r\n\r\n", secrets[2],
		 secrets[1]);
	snprintf(ask[2], sizeof(ask[2]), "GET /latest/user-data?sig=%s#%s HTTP/1.1\r\n\r\n", secrets[4], secrets[4]);
	snprintf(reply[2], sizeof(reply[2]), "HTTP/1.0 200 OK\r\n\r\n%s", secrets[3]);
	snprintf(ask[3], sizeof(ask[3]), "POST /latest/dynamic HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(secrets[5]), secrets[5]);
	snprintf(reply[3], sizeof(reply[3]), "%s HTTP/1.1 200 %s", secrets[3], secrets[1]);
	snprintf(ask[4], sizeof(ask[4]), "%s\r\n%s %s\r\n\r\n", secrets[0], secrets[1], secrets[5]); /* no HTTP */
	snprintf(reply[4], sizeof(reply[4]), "%s", OK4);
	snprintf(ask[5], sizeof(ask[5]), "GET http://user:%s@169.254.169.254/latest HTTP/1.1\r\nCookie: %s\r\n",
		 secrets[2], secrets[5]);
	snprintf(reply[5], sizeof(reply[5]), "HTTP/1.1 %s\r\n\r\n", secrets[0]);

	rig_on_bytes(rig, look_for_secrets, &l);
	for (size_t s = 0; s < 3; s++)
		for (size_t i = 0; i < 6; i++) {
			row = ask[i];
			talk(&l, ask[i], reply[i], steps[s]);
		}
	row = "";
	rig_on_bytes(rig, NULL, NULL);
	ensure(requests() >= 18);
	ensure(l.bytes > 1000000);
}

/* --- every packet passes --------------------------------------------------------------------------------------- */

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint32_t dice(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 16) % below;
}

/* Garbage, or a packet of a conversation with some bytes changed, so that all parts of the programs get their share. */
void garbage_passes(void)
{
	static const char *const texts[] = { PUT, GET_V1, GET_V2, OK4, PUT GET_V1, "HTTP/1.1 200 OK\r\n\r\nx", "" };
	uint8_t p[RIG_PACKET];

	for (int i = 0; i < 20000; i++) {
		struct conn c = conn_new();
		bool egress = dice(2);
		size_t len;

		c.cookie = dice(32); /* 0: the kernel has none */
		c.cgroup = dice(8);
		c.local_port = 40000 + dice(16);
		c.remote_port = dice(8) ? 80 : dice(2) ? 53 : dice(65536);
		c.remote4 = dice(4) ? IMDS4 : 0;
		if (!dice(8)) {
			len = RIG_ETH + 1 + dice(1500);
			for (size_t k = 0; k < len; k++)
				p[k] = dice(256);
		} else if (!dice(8)) {
			len = rig_udp(&c, egress, PUT, dice(LEN(PUT)), p);
		} else {
			const char *text = texts[dice(7)];

			len = rig_tcp(&c, egress, dice(64), dice(400), dice(400), text, strlen(text), p);
			if (!dice(4))
				len = RIG_ETH + 1 + dice(len - RIG_ETH);
			for (uint32_t k = dice(4); k; k--)
				p[RIG_ETH + dice(len - RIG_ETH)] = dice(256);
		}
		run(egress, p, len, &c);
	}
	ensure(requests() > 100);
}

/*
 * The bytes of each cgroup program itself (subprograms come with the load): wherever it exits, the instruction before
 * sets r0 to 1, and no jump leads between the two.
 */
void programs_can_only_pass(void)
{
	static const char *const names[] = { "imds_egress",	   "imds_ingress",	 "imds_connect4",
					     "imds_connect6",	   "imds_egress_lite",	 "imds_ingress_lite",
					     "imds_connect4_lite", "imds_connect6_lite", "imds_release" };

	struct bpf_object *obj = rig_open_only();

	ensure(obj);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, names[i]);
		const struct bpf_insn *insn;
		size_t n, exits = 0;

		row = names[i];
		ensure(prog);
		insn = bpf_program__insns(prog);
		n = bpf_program__insn_cnt(prog);
		ensure(n);
		for (size_t k = 0; k < n; k++) {
			if (insn[k].code != (BPF_JMP | BPF_EXIT))
				continue;
			exits++;
			ensure(k && (insn[k - 1].code == (BPF_ALU | BPF_MOV | BPF_K) ||
				     insn[k - 1].code == (BPF_ALU64 | BPF_MOV | BPF_K)));
			equal(insn[k - 1].dst_reg, 0);
			equal(insn[k - 1].imm, 1);
			for (size_t j = 0; j < n; j++) {
				uint8_t class = BPF_CLASS(insn[j].code), op = BPF_OP(insn[j].code);

				if ((class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT)
					ensure(j + 1 + insn[j].off != k);
			}
		}
		ensure(exits);
	}
	bpf_object__close(obj);
	row = "";
}
