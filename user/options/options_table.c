/* SPDX-License-Identifier: GPL-2.0-only */
/* All that is known of each option: one row. */
#include "options_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set_json(struct options *o, const char *value)
{
	(void)value;
	o->format = FORMAT_JSON;
	return 0;
}

static int set_output(struct options *o, const char *value)
{
	o->output = strcmp(value, "-") ? value : NULL;
	return 0;
}

static int add_from(struct options *o, const char *value)
{
	if (!*value || o->from_len == OPTIONS_FROM_MAX)
		return -EINVAL;
	o->from[o->from_len++] = value;
	return 0;
}

static int set_exit_code(struct options *o, const char *value)
{
	char *end;
	long n = *value ? strtol(value, &end, 10) : EXIT_FINDINGS;

	if (*value && (*value < '0' || *value > '9' || *end || n < 1 || n > 255))
		return -EINVAL;
	o->exit_code = n;
	return 0;
}

static const char *const formats[] = { [FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_HTML] = "html", NULL };
static const char *const depths[] = { "node", "workload", "pod", NULL }; /* enum metrics_depth */

static int set_verbose(struct options *o, const char *value)
{
	(void)value;
	o->verbose++;
	return 0;
}

int options_add_endpoint(struct options *o, const char *value)
{
	struct imds_endpoint e;
	int err = options_parse_endpoint(value, &e);
	size_t at = o->endpoints_len;

	if (err)
		return err;
	for (size_t i = 0; i < o->endpoints_len; i++)
		if (!memcmp(&o->endpoints[i], &e, sizeof(e)))
			return 0;
	if (o->endpoints_len == IMDS_MAX_ENDPOINTS)
		return -E2BIG;
	for (size_t i = 0; i < o->endpoints_len; i++)
		if (e.port && !o->endpoints[i].port && !memcmp(&o->endpoints[i].addr, &e.addr, sizeof(e.addr)))
			at = i; /* the first that fits is taken: one port comes ahead of all */
	memmove(&o->endpoints[at + 1], &o->endpoints[at], (o->endpoints_len - at) * sizeof(e));
	o->endpoints[at] = e;
	o->endpoints_len++;
	for (size_t i = at; i < o->endpoints_len; i++)
		o->endpoint_texts[i] = options_endpoint_text(&o->endpoints[i], o->endpoint_buf[i], OPTIONS_ENDPOINT_TEXT);
	return 0;
}

#define MS 1000000ull
#define HOURS (3600 * 1000 * MS)

/* clang-format off */
#define AT(member) offsetof(struct options, member)
#define SECTION(title) { .help = title, .type = OPTION_SECTION }
#define FLAG(name_, member, groups_, help_) \
	{ .name = name_, .help = help_, .groups = groups_, .type = OPTION_FLAG, .offset = AT(member) }
#define STRING(name_, letter_, member, groups_, arg_, initial_, help_) \
	{ .name = name_, .letter = letter_, .arg = arg_, .help = help_, .groups = groups_, .type = OPTION_STRING, \
	  .offset = AT(member), .initial = initial_ }
#define DURATION(name_, letter_, member, groups_, initial_, max_, bounds_, help_) \
	{ .name = name_, .letter = letter_, .arg = "DURATION", .help = help_, .groups = groups_, \
	  .type = OPTION_DURATION, .offset = AT(member), .initial = initial_, .min = MS, .max = max_, .bounds = bounds_ }
#define NUMBER(name_, member, type_, max_, groups_, initial_, help_) \
	{ .name = name_, .arg = "N", .help = help_, .groups = groups_, .type = type_, .offset = AT(member), \
	  .initial = initial_, .min = 1, .max = max_ }
#define WORD(name_, member, words_, groups_, arg_, expects_, help_) \
	{ .name = name_, .arg = arg_, .help = help_, .groups = groups_, .type = OPTION_WORD, .offset = AT(member), \
	  .words = words_, .expects = expects_ }
#define CALL(name_, letter_, fn, groups_, arg_, expects_, help_) \
	{ .name = name_, .letter = letter_, .arg = arg_, .help = help_, .groups = groups_, .type = OPTION_CALL, \
	  .parse = fn, .expects = expects_ }

const struct option_row options_table[] = {
	SECTION("What is shown"),
	STRING("namespace", 'n', namespace, OPTIONS_SELECT, "NS", NULL, "only this namespace"),
	STRING("pod", 0, pod, OPTIONS_SELECT, "GLOB", NULL, "only pods whose name matches, like 'cart-*'"),
	STRING("container", 0, container, OPTIONS_SELECT, "NAME", NULL, "only this container"),
	STRING("workload", 0, workload, OPTIONS_SELECT, "[NS/]NAME", NULL,
	       "only pods of this workload, like shop/cart; a compose service, a task family"),
	STRING("comm", 0, comm, OPTIONS_PICK, "NAME", NULL, "only this process name"),
	FLAG("problems", problems, OPTIONS_PICK, "only requests and pods with a problem"),
	FLAG("all", all, OPTIONS_PROBE, "ask from every pod on the node"),
	FLAG("redact-paths", redact_paths, OPTIONS_OBSERVE, "keep the kind of a request, leave out its path"),

	SECTION("How long, and when a request is a problem"),
	DURATION("duration", 'd', duration_ns, OPTIONS_REPORT | OPTIONS_LIVE, "30s", 1000 * HOURS, "1ms to 1000h",
		 "watch this long, like 90s, 1m30s, 1d"),
	DURATION("duration", 'd', duration_ns, OPTIONS_UNTIL, NULL, 1000 * HOURS, "1ms to 1000h",
		 "stop after this, like 90s, 1m30s, 1d"),
	NUMBER("count", count, OPTION_U64, UINT64_MAX, OPTIONS_PICK, NULL, "stop after N finished requests"),
	FLAG("self", self, OPTIONS_PROBE, "ask from here, as what runs in this pod would; needs no rights at all"),
	FLAG("watch", watch, OPTIONS_PROBE, "ask again and again, and show what changes"),
	DURATION("stall", 0, stall_ns, OPTIONS_OBSERVE, "250ms", 1000 * HOURS, "1ms to 1000h",
		 "an unanswered request is stalled after this"),
	DURATION("stall", 0, stall_ns, OPTIONS_PROBE, "1s", 60 * 1000 * MS, "1ms to at most 60s",
		 "how long to wait for an answer"),
	DURATION("slow", 0, slow_ns, OPTIONS_OBSERVE, "1s", 1000 * HOURS, "1ms to 1000h",
		 "an answered request is slow above this"),

	SECTION("What is written, and where"),
	WORD("format", format, formats, OPTIONS_HTML, "FORMAT", "text, json or html",
	     "text, json, or html: one file that needs no other (default: text)"),
	WORD("format", format, formats, OPTIONS_FORMAT, "FORMAT", "text or json", "text or json (default: text)"),
	CALL("json", 0, set_json, OPTIONS_HTML | OPTIONS_FORMAT, NULL, NULL, "the same as --format json"),
	FLAG("brief", brief, OPTIONS_REPORT, "one line of at most 80 bytes: level, what, how many"),
	CALL("output", 'o', set_output, OPTIONS_OUTPUT, "FILE", NULL,
	     "write there instead of standard output; replaced as a whole once it is complete"),
	STRING("pcapng", 0, pcapng, OPTIONS_FROM | OPTIONS_LIVE, "FILE", NULL,
	       "also write the headers of metadata packets, and of dropped ones, as pcapng, with verdicts as comments"),
	CALL("what-if", 0, options_parse_what_if, OPTIONS_REPORT | OPTIONS_READY, "hop-limit=N[,tokens=required]",
	     "hop-limit=N[,tokens=required] with N from 1 to 64; 'ready' also knows endpoint=off and role-delivery=2.0",
	     "tell who would break if the node were set so; 'ready' also knows endpoint=off and role-delivery=2.0"),
	STRING("baseline", 0, baseline, OPTIONS_REPORT, "FILE", NULL, "compare with an earlier report's JSON"),
	CALL("exit-code", 0, set_exit_code, OPTIONS_REPORT | OPTIONS_READY, "[=N]", "a whole number from 1 to 255",
	     "exit 10, or N, when the level is PROBLEM, WARNING or BLIND; with 'ready', when not all are safe"),
	CALL("exit-code", 0, set_exit_code, OPTIONS_PROBE, "[=N]", "a whole number from 1 to 255",
	     "exit 10, or N, when a pod got no token"),
	FLAG("no-color", no_color, OPTIONS_COMMON, "no colour on a terminal, as with NO_COLOR"),

	SECTION("Where to look"),
	STRING("from-state", 0, from_state, OPTIONS_READY, "DIR", NULL, "the ledger that 'serve --state DIR' keeps"),
	DURATION("since", 0, since_ns, OPTIONS_READY, "720h", 744 * HOURS, "1h to 31d",
		 "how far back to look; nothing is safe that was watched for less"),
	CALL("from", 0, add_from, OPTIONS_FROM, "FILE", "a file name, at most 64 times",
	     "read a trace ('trace --json'), or a capture (pcap, pcapng; repeat for several), instead of the kernel; - is "
	     "standard input"),
	STRING("names", 0, names, OPTIONS_FROM, "FILE", NULL, "names of a capture's addresses: '10.0.0.7 shop/cart-1' a line"),
	CALL("endpoint", 0, options_add_endpoint, OPTIONS_ENDPOINTS, "ADDR[:PORT]",
	     "an IP address like 169.254.169.254, [fd00:ec2::254]:80 (host names are not looked up)",
	     "metadata address, repeatable, at most 16 (default: those of EC2, ECS and EKS)"),
	STRING("cgroup", 0, cgroup, OPTIONS_NODE | OPTIONS_LIVE, "DIR", NULL,
	       "cgroup v2 folder to attach to; all below it is seen (default: the mount's root)"),
	STRING("host-netns", 0, host_netns, OPTIONS_OBSERVE, "FILE", NULL,
	       "the node's network namespace, where it is not PID 1's"),
	STRING("pod-logs", 0, pod_logs, OPTIONS_NODE | OPTIONS_LIVE, "DIR", "/var/log/pods", "kubelet's pod log folder"),
	STRING("container-logs", 0, container_logs, OPTIONS_NODE | OPTIONS_LIVE, "DIR", "/var/log/containers",
	       "kubelet's container log links"),
	STRING("runtime-dirs", 0, runtime_dirs, OPTIONS_NODE | OPTIONS_LIVE, "DIR", "/",
	       "what is / to the state of Docker, containerd, CRI-O and podman"),
	STRING("node", 0, node, OPTIONS_NAME, "NAME", NULL, "name of this node in the output (default: the host name)"),

	SECTION("Hooks and bounds"),
	NUMBER("max-pods", max_pods, OPTION_U32, OPTIONS_MAX_PODS, OPTIONS_OBSERVE | OPTIONS_CHECK, "1024",
	       "rows of the pod table; the rest is counted as 'other'"),
	NUMBER("max-flows", max_flows, OPTION_U32, OPTIONS_MAX_FLOWS, OPTIONS_OBSERVE | OPTIONS_CHECK, "65536",
	       "connections followed at once; the rest is counted"),
	FLAG("no-drops", no_drops, OPTIONS_OBSERVE | OPTIONS_LIVE, "leave out the hook that sees dropped packets"),
	FLAG("no-process", no_process, OPTIONS_OBSERVE | OPTIONS_LIVE, "leave out the hook that names processes"),

	SECTION("HTTP"),
	CALL("listen", 0, options_parse_listen, OPTIONS_SERVE, "ADDR:PORT",
	     "ADDR:PORT like 127.0.0.1:9754, [::1]:9754, 0.0.0.0:9754; or unix:/PATH",
	     "where to serve, or unix:/PATH (default: 127.0.0.1:9754)"),
	STRING("drop-privileges", 0, drop_privileges, OPTIONS_SERVE, "USER", "nobody",
	       "run as this user once attached; root keeps all"),

	WORD("metrics", metrics, depths, OPTIONS_SERVE, "LEVEL", "node, workload or pod",
	     "how far the series go down: node, workload or pod (default: pod)"),
	STRING("state", 0, state, OPTIONS_SERVE, "DIR", NULL,
	       "keep the ledger of workloads there, 30 days, for 'imdsnoop ready'"),
	NUMBER("max-workloads", max_workloads, OPTION_U32, OPTIONS_MAX_WORKLOADS, OPTIONS_SERVE, "1024",
	       "workloads told apart; the rest is counted as 'other'"),

	SECTION("Of every command"),
	CALL("verbose", 'v', set_verbose, OPTIONS_COMMON, NULL, NULL,
	     "say more on standard error; twice for libbpf's words"),
	FLAG("quiet", quiet, OPTIONS_COMMON, "say nothing on standard error but errors"),
	{ .name = "help", .letter = 'h', .help = "show this help", .groups = ~0u },
	{ .name = "version", .help = "show the version", .groups = ~0u },
};
const size_t options_table_len = LEN(options_table);
/* clang-format on */
