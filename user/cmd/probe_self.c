/* SPDX-License-Identifier: GPL-2.0-only */
/* probe --self: asks from where it stands, with no rights at all. Values of the environment are never shown: they hold tokens. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/address.h"
#include "../base/small.h"
#include "../model/verdict.h"
#include "../net/probe_self.h"
#include "../report/findings.h"
#include "../session/session.h"
#include "probe_run.h"

#define SELF_NS 4300000000ull /* all of it, with --stall's 1 s */
#define CREDENTIALS_MS 2000   /* as botocore waits */
#define SELF_COUNT 2	      /* IPv4, IPv6 */

struct self_run {
	const struct options *o;
	FILE *out;
	struct probe_self_answer answers[SELF_COUNT];
	size_t len;
	struct probe_self_answer *main; /* the one that an SDK would come to */
	const char *proxy;		/* the variable that sends the SDK to a proxy; NULL: none */
	bool not_all;			/* only a word of NO_PROXY that not all read keeps it from there */
	struct {
		const char *variable; /* NULL: the environment names none */
		struct probe_result result;
		char why[PROBE_WHY_LEN];
		bool asked, ok;
	} credentials;
	char sdk[PROBE_WHY_LEN];
	uint64_t wall_ns;
};

/* --- the environment ---------------------------------------------------------------------------------------------- */

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

static bool is_true(const char *name)
{
	const char *value = getenv(name);

	return value && !strcasecmp(value, "true");
}

static const char *proxy_set(void)
{
	static const char *const names[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < LEN(names); i++)
		if (is_set(names[i]))
			return names[i];
	return NULL;
}

static bool in_network(const char *host, const char *net, unsigned long bits)
{
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	unsigned char a[16], b[16];

	if (inet_pton(family, host, a) != 1 || inet_pton(family, net, b) != 1 || bits > (family == AF_INET ? 32 : 128))
		return false;
	return !memcmp(a, b, bits / 8) && !(bits % 8 && (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8));
}

/*
 * True when an entry of NO_PROXY is host, its end behind a dot, all, a network, or host with HTTP's port. *not_all: of the
 * last two, which not all clients read.
 */
static bool is_exempt(const char *entry, size_t len, const char *host, bool *not_all)
{
	char word[64], with_port[80], *slash;
	size_t host_len = strlen(host);

	while (len && strchr(" .", *entry))
		entry++, len--;
	while (len && entry[len - 1] == ' ')
		len--;
	if (!len || len >= sizeof(word))
		return false;
	memcpy(word, entry, len);
	word[len] = '\0';
	if (!strcmp(word, "*") || !strcmp(word, host))
		return true;
	if (len < host_len && host[host_len - len - 1] == '.' && !strcmp(host + host_len - len, word))
		return true;
	*not_all = true;
	snprintf(with_port, sizeof(with_port), strchr(host, ':') ? "[%s]:80" : "%s:80", host);
	if (!strcmp(word, with_port))
		return true;
	slash = strchr(word, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return in_network(host, word, strtoul(slash + 1, NULL, 10));
}

/* The variable; NULL: none. *not_all: but for a word of NO_PROXY that not all clients read. */
static const char *proxy_in_the_way(const char *host, bool *not_all)
{
	static const char *const exempt[] = { "no_proxy", "NO_PROXY" };

	for (size_t i = 0; i < 2; i++)
		for (const char *at = getenv(exempt[i]); at && *at;) {
			size_t len = strcspn(at, ",");

			*not_all = false;
			if (is_exempt(at, len, host, not_all))
				return NULL;
			at += len + (at[len] == ',');
		}
	return proxy_set();
}

/* --- credentials of ECS and EKS ----------------------------------------------------------------------------------- */

/* The SDKs send the token to these addresses only, without TLS. */
static int credentials_target(const char *full, struct imds_endpoint *ret, char *path, size_t len)
{
	static const char scheme[] = "http://";
	char host[80];
	size_t n;

	if (strncmp(full, scheme, sizeof(scheme) - 1))
		return -EPROTONOSUPPORT;
	full += sizeof(scheme) - 1;
	n = strcspn(full, "/");
	if (n >= sizeof(host) || strlen(full + n) >= len)
		return -EINVAL;
	memcpy(host, full, n);
	host[n] = '\0';
	if (!strncmp(host, "localhost", 9))
		snprintf(host, sizeof(host), "127.0.0.1%.*s", (int)(n - 9), full + 9);
	if (options_parse_endpoint(host, ret))
		return -EINVAL;
	snprintf(path, len, "%s", full[n] ? full + n : "/");
	if (!verdict_is_local(ret->class) && strncmp(host, "127.", 4) && strncmp(host, "[::1]", 5))
		return -EPERM;
	return 0;
}

/* False: the environment names a file of it that gives none. */
static bool read_authorization(char *buf, size_t len)
{
	const char *value = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	const char *file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	ssize_t n = 0;
	int fd;

	buf[0] = '\0';
	if (file && *file) {
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		n = fd < 0 ? 0 : read(fd, buf, len - 1);
		if (fd >= 0)
			close(fd);
		buf[n > 0 ? n : 0] = '\0';
	} else if (value) {
		snprintf(buf, len, "%s", value);
	}
	buf[strcspn(buf, "\r\n")] = '\0';
	return buf[0] || !file || !*file;
}

static void ask_credentials(struct self_run *run)
{
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	char uri[1024], path[1000], line[1100], token[6000], headers[6200] = "";
	struct probe_question q = { .line = line, .headers = headers };
	struct imds_endpoint e;
	int err;

	if (relative && *relative) {
		run->credentials.variable = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
		snprintf(uri, sizeof(uri), "http://169.254.170.2%s", relative);
	} else if (full && *full) {
		run->credentials.variable = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
		snprintf(uri, sizeof(uri), "%s", full);
	} else {
		return;
	}
	err = strpbrk(uri, " \r\n") ? -EINVAL : credentials_target(uri, &e, path, sizeof(path));
	if (err) {
		snprintf(run->credentials.why, PROBE_WHY_LEN, "not asked: %s",
			 err == -EPERM		   ? "an address that SDKs refuse too"
			 : err == -EPROTONOSUPPORT ? "not plain http"
						   : "not an address and a path");
		return;
	}
	if (!read_authorization(token, sizeof(token))) {
		snprintf(run->credentials.why, PROBE_WHY_LEN,
			 "not asked: the file of its token cannot be read, or is empty");
		return;
	}
	if (token[0])
		snprintf(headers, sizeof(headers), "Authorization: %s\r\n", token);
	snprintf(line, sizeof(line), "GET %s", path);
	q.deadline_ns = session_now_ns() + CREDENTIALS_MS * NS_PER_MS;
	probe_exchange(&e, &q, &run->credentials.result);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(headers, sizeof(headers));
	run->credentials.asked = true;
	run->credentials.ok = run->credentials.result.status == 200 && run->credentials.result.object;
	if (run->credentials.result.status)
		snprintf(run->credentials.why, PROBE_WHY_LEN,
			 run->credentials.ok			 ? "got credentials"
			 : run->credentials.result.status == 200 ? "answered %u, but no credentials, or not all of them"
								 : "answered %u",
			 run->credentials.result.status);
	else
		snprintf(run->credentials.why, PROBE_WHY_LEN, "%s", strerror(-run->credentials.result.err));
}

/* --- what an SDK makes of it --------------------------------------------------------------------------------------- */

/* What the AWS SDKs do in the order of their credential chain; waits as measured with their defaults. */
static void tell_sdk(struct self_run *run)
{
	const struct probe_self_answer *a = run->main;
	unsigned int plain = a ? a->m.plain.status : 0;
	const char *what;

	if (is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY"))
		what = "uses the keys of its environment and never asks for credentials here";
	else if (is_set("AWS_WEB_IDENTITY_TOKEN_FILE") && is_set("AWS_ROLE_ARN"))
		what = "uses its web identity (IRSA) and asks here for region and the like only";
	else if (run->credentials.variable)
		what = !run->credentials.asked
			   ? "asks the container endpoint that its environment names, which was not tried here"
		       : run->credentials.ok
			   ? "gets its credentials from the container endpoint, not from here"
			   : "asks the container endpoint that its environment names, gets nothing, and fails";
	else if (is_true("AWS_EC2_METADATA_DISABLED"))
		what = "does not ask: AWS_EC2_METADATA_DISABLED is true";
	else if (run->proxy)
		what = "may send this request to the proxy, which answers for itself or for its own node: set NO_PROXY";
	else if (is_set("AWS_EC2_METADATA_SERVICE_ENDPOINT"))
		what = "asks at the address in AWS_EC2_METADATA_SERVICE_ENDPOINT, which was not tried here";
	else if (!a || a->r.outcome == OUTCOME_NOT_SENT || a->r.outcome == OUTCOME_REFUSED ||
		 a->r.outcome == OUTCOME_BLOCKED)
		what = "fails at once with 'no credentials'";
	else if (a->r.outcome == OUTCOME_OK)
		what = run->not_all && proxy_set()
			   ? "gets a token and works with IMDSv2; but botocore and the AWS CLI, which "
			     "read no networks or ports in NO_PROXY, go to the proxy"
			   : "gets a token and works with IMDSv2";
	else if (a->r.outcome == OUTCOME_HTTP_ERROR && a->m.token.status < 400)
		what = "may take that answer for the service's: what follows is not known";
	else if (a->r.outcome == OUTCOME_HTTP_ERROR && plain / 100 == 2)
		what = "goes on with IMDSv1 at once";
	else if (a->m.token.connected_ns && plain / 100 == 2)
		what = is_true("AWS_EC2_METADATA_V1_DISABLED")
			   ? "waits 1 to 5 s, then fails: AWS_EC2_METADATA_V1_DISABLED is true"
			   : "waits 1 to 5 s each time, then goes on with IMDSv1 and the node's role; Rust's fails";
	else if (a->m.token.connected_ns)
		what = "waits 1 to 10 s, then fails with 'no credentials'";
	else
		what = "waits 1 to 5 s for a connection, then fails with 'no credentials'";
	snprintf(run->sdk, sizeof(run->sdk), "%s", what);
}

/* --- showing ------------------------------------------------------------------------------------------------------ */

static const char *proxy_words = "sends plain HTTP to a proxy, and NO_PROXY does not name the metadata address";

static void print_answer_json(const struct self_run *run, const struct probe_self_answer *a)
{
	json_t *v = probe_json(&a->r, true, a->why);
	int spare = a->m.ttl_token ? a->m.ttl_token - 1 : -1;

	json_object_set_new(v, "v1_status", json_if_positive(a->m.plain.status));
	json_object_set_new(v, "acked", json_boolean(a->m.token.acked));
	json_object_set_new(v, "spare", json_unless_negative(spare));
	json_print(v, false, run->out);
}

static void print_json(const struct self_run *run)
{
	const struct probe_self_answer *a = run->main;

	json_print(json_pack("{s:s, s:s, s:b}", "type", "start", "version", IMDSNOOP_VERSION, "self", 1), false,
		   run->out);
	for (size_t i = 0; i < run->len; i++)
		print_answer_json(run, &run->answers[i]);
	if (run->credentials.variable)
		json_print(json_pack("{s:s, s:s, s:b, s:b, s:o, s:s}", "type", "credentials", "variable",
				     run->credentials.variable, "asked", run->credentials.asked, "ok",
				     run->credentials.ok, "status", json_if_positive(run->credentials.result.status),
				     "why", run->credentials.why),
			   false, run->out);
	json_print(json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:s}", "type", "end", "token", a->r.outcome == OUTCOME_OK,
			     "outcome", outcome_word(a->r.outcome), "confidence",
			     json_unless_empty(confidence_word(a->r.confidence)), "required_hop_limit",
			     json_if_positive(a->r.required_hop_limit), "proxy", json_unless_empty(run->proxy), "sdk",
			     run->sdk),
		   false, run->out);
}

static void print_answer(const struct self_run *run, const struct probe_self_answer *a)
{
	char addr[OPTIONS_ENDPOINT_TEXT], connect[32], answer[32];
	const char *confidence = confidence_word(a->r.confidence);
	int64_t us = request_first_byte_us(&a->r);

	fprintf(run->out, "%s: %s%s%s: %s\n", options_endpoint_text(a->endpoint, addr, sizeof(addr)),
		outcome_word(a->r.outcome), confidence ? ", " : "", confidence ? confidence : "", a->why);
	if (!a->m.token.connected_ns)
		return;
	fprintf(run->out, "  connected in %s", findings_duration(request_connect_us(&a->r), connect, sizeof(connect)));
	if (us >= 0)
		fprintf(run->out, ", token in %s", findings_duration(us, answer, sizeof(answer)));
	if (a->m.plain.status)
		fprintf(run->out, "; a GET without token: %u", a->m.plain.status);
	fputc('\n', run->out);
	if (a->r.hops >= 0)
		fprintf(run->out, "  %d hop%s away (the SYN-ACK arrives with TTL %u): needs hop limit %d\n", a->r.hops,
			ENDING(a->r.hops), a->m.ttl_synack, a->r.required_hop_limit);
	else if (a->m.is_routed)
		fprintf(
		    run->out,
		    "  the SYN-ACK arrives with TTL %u, and yet a router stands between: a rule sets it, so that hops "
		    "cannot be counted\n",
		    a->m.ttl_synack);
	else if (a->m.ttl_synack)
		fprintf(
		    run->out,
		    "  the SYN-ACK arrives with TTL %u, far from what any system begins with: hops cannot be counted\n",
		    a->m.ttl_synack);
	else
		fputs("  how many hops away: could not be measured in the time\n", run->out);
	if (a->m.ttl_token)
		fprintf(run->out, "  the token arrives with TTL %u: the hop limit has %d to spare\n", a->m.ttl_token,
			a->m.ttl_token - 1);
	else if (a->m.ttl_token_at_least > 1)
		fprintf(run->out, "  the token arrives with TTL %u or more\n", a->m.ttl_token_at_least);
}

static void print_text(const struct self_run *run)
{
	for (size_t i = 0; i < run->len; i++)
		if (!run->answers[i].no_way || run->main == &run->answers[i])
			print_answer(run, &run->answers[i]);
	if (run->credentials.variable)
		fprintf(run->out, "%s: %s\n", run->credentials.variable, run->credentials.why);
	if (run->proxy)
		fprintf(run->out, "%s %s\n", run->proxy, proxy_words);
	fprintf(run->out, "an AWS SDK here %s\n", run->sdk);
	if (run->main->r.outcome == OUTCOME_HOP_LIMIT && run->main->r.required_hop_limit)
		fprintf(
		    run->out, "hop limit %d would do, if this pod is to have the node's role at all; see from the node for proof\n",
		    run->main->r.required_hop_limit);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void choose_main(struct self_run *run)
{
	const char *mode = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	run->main = &run->answers[0];
	for (size_t i = 0; mode && !strcasecmp(mode, "IPv6") && i < run->len; i++)
		if (!address_is_v4(&run->answers[i].endpoint->addr)) {
			run->main = &run->answers[i];
			return; /* its SDK asks no other */
		}
	for (size_t i = 0; i < run->len; i++)
		if (run->main->r.outcome != OUTCOME_OK &&
		    (run->answers[i].r.outcome == OUTCOME_OK || (run->main->no_way && !run->answers[i].no_way)))
			run->main = &run->answers[i];
}

static int measure(struct self_run *run)
{
	uint64_t wait_ns = run->o->stall_ns, deadline_ns = session_now_ns() + SELF_NS;
	int fds[SELF_COUNT], err = 0;
	pid_t pids[SELF_COUNT];

	deadline_ns += wait_ns > 1000 * NS_PER_MS ? 2 * (wait_ns - 1000 * NS_PER_MS) : 0;
	for (size_t i = 0; i < run->len; i++)
		fds[i] = probe_self_start(run->answers[i].endpoint, wait_ns / NS_PER_MS, deadline_ns, &pids[i]);
	ask_credentials(run);
	for (size_t i = 0; i < run->len; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): set for each of run->len above */
		int one = fds[i] < 0
			      ? fds[i]
			      : probe_self_finish(fds[i], pids[i], deadline_ns + 300 * NS_PER_MS, &run->answers[i].m);

		err = one ? one : err;
	}
	return err;
}

int probe_self(const struct options *o, const struct imds_endpoint *endpoints, size_t len)
{
	struct self_run run = { .o = o, .len = len };
	char addr[OPTIONS_ENDPOINT_TEXT];
	struct timespec wall;
	int code, err;

	for (size_t i = 0; i < len; i++)
		run.answers[i].endpoint = &endpoints[i];
	clock_gettime(CLOCK_REALTIME, &wall);
	run.wall_ns = wall.tv_sec * 1000000000ull + wall.tv_nsec;
	err = measure(&run);
	if (err) {
		session_log("cannot ask: %s", strerror(-err));
		return EXIT_CANNOT_RUN;
	}
	for (size_t i = 0; i < len; i++)
		probe_self_judge(&run.answers[i], run.wall_ns);
	choose_main(&run);
	options_endpoint_text(run.main->endpoint, addr, sizeof(addr));
	run.proxy = proxy_in_the_way(addr[0] == '[' ? "fd00:ec2::254" : "169.254.169.254", &run.not_all);
	tell_sdk(&run);
	run.out = session_open_output(o, true);
	if (!run.out)
		return EXIT_CANNOT_RUN;
	if (o->format == FORMAT_JSON)
		print_json(&run);
	else
		print_text(&run);
	code = session_close_output(o, run.out, 0) ? EXIT_CANNOT_RUN : EXIT_FINE;
	if (code == EXIT_FINE && o->exit_code && run.main->r.outcome != OUTCOME_OK && !run.credentials.ok)
		code = EXIT_FINDINGS;
	return code;
}
