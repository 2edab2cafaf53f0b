/* SPDX-License-Identifier: GPL-2.0-only */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define QUOTE_LEN 80 /* of a user's word in a message */

enum option_type {
	OPTION_FLAG,	 /* bool */
	OPTION_SECTION,	 /* no option: a heading of --help */
	OPTION_STRING,	 /* const char * */
	OPTION_DURATION, /* uint64_t, ns */
	OPTION_U32,
	OPTION_U64,
	OPTION_CALL /* parse() */
};

/*
 * All that is known of an option. Commands that differ in default or bounds have a row each, of the same name. arg in
 * brackets: the value may be left out, and follows '=' alone.
 */
struct option_row {
	const char *name;
	char letter;
	const char *arg; /* NULL: takes no value */
	const char *help;
	unsigned int groups;
	enum option_type type;
	size_t offset;	     /* of the member of struct options */
	const char *initial; /* as typed, shown as the default; NULL: none, or help tells it */
	uint64_t min, max;   /* of a number or duration */
	const char *bounds;  /* the same, for people */
	int (*parse)(struct options *o, const char *value);
	const char *expects; /* for the message when parse() refuses */
};

static int set_json(struct options *o, const char *value)
{
	(void)value;
	o->format = FORMAT_JSON;
	return 0;
}

static int set_format(struct options *o, const char *value)
{
	static const char *const words[] = { [FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_HTML] = "html" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(value, words[i])) {
			o->format = i;
			return 0;
		}
	return -EINVAL;
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

static int set_metrics(struct options *o, const char *value)
{
	static const char *const words[] = { "node", "workload", "pod" }; /* as enum metrics_depth */

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(value, words[i])) {
			o->metrics = i;
			return 0;
		}
	return -EINVAL;
}

static int set_what_if(struct options *o, const char *value)
{
	return options_parse_what_if(value, o);
}

static int set_listen(struct options *o, const char *value)
{
	return options_parse_listen(value, o);
}

static int set_verbose(struct options *o, const char *value)
{
	(void)value;
	o->verbose++;
	return 0;
}

/* The first one given replaces the default list; one given twice counts once. */
static int add_endpoint(struct options *o, const char *value)
{
	struct imds_endpoint e;
	int err = options_parse_endpoint(value, &e);

	if (err)
		return err;
	for (size_t i = 0; i < o->endpoints_len; i++)
		if (!memcmp(&o->endpoints[i], &e, sizeof(e)))
			return 0;
	if (o->endpoints_len == IMDS_MAX_ENDPOINTS)
		return -E2BIG;
	o->endpoints[o->endpoints_len] = e;
	o->endpoint_texts[o->endpoints_len] =
	    options_endpoint_text(&e, o->endpoint_buf[o->endpoints_len], OPTIONS_ENDPOINT_TEXT);
	o->endpoints_len++;
	return 0;
}

#define MS 1000000ull
#define HOURS (3600 * 1000 * MS)

/* One line each, in the order of --help. */
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
#define CALL(name_, letter_, fn, groups_, arg_, expects_, help_) \
	{ .name = name_, .letter = letter_, .arg = arg_, .help = help_, .groups = groups_, .type = OPTION_CALL, \
	  .parse = fn, .expects = expects_ }

static const struct option_row options[] = {
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
	CALL("format", 0, set_format, OPTIONS_HTML, "FORMAT", "text, json or html",
	     "text, json, or html: one file that needs no other (default: text)"),
	CALL("format", 0, set_format, OPTIONS_FORMAT, "FORMAT", "text or json", "text or json (default: text)"),
	CALL("json", 0, set_json, OPTIONS_HTML | OPTIONS_FORMAT, NULL, NULL, "the same as --format json"),
	FLAG("brief", brief, OPTIONS_REPORT, "one line of at most 80 bytes: level, what, how many"),
	CALL("output", 'o', set_output, OPTIONS_OUTPUT, "FILE", NULL,
	     "write there instead of standard output; replaced as a whole once it is complete"),
	STRING("pcapng", 0, pcapng, OPTIONS_FROM | OPTIONS_LIVE, "FILE", NULL,
	       "also write the headers of metadata packets, and of dropped ones, as pcapng, with verdicts as comments"),
	CALL("what-if", 0, set_what_if, OPTIONS_REPORT | OPTIONS_READY, "hop-limit=N[,tokens=required]",
	     "hop-limit=N[,tokens=required] with N from 1 to 64",
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
	CALL("endpoint", 0, add_endpoint, OPTIONS_ENDPOINTS, "ADDR[:PORT]",
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
	CALL("listen", 0, set_listen, OPTIONS_SERVE, "ADDR:PORT",
	     "ADDR:PORT like 127.0.0.1:9754, [::1]:9754, 0.0.0.0:9754; or unix:/PATH",
	     "where to serve, or unix:/PATH (default: 127.0.0.1:9754)"),
	STRING("drop-privileges", 0, drop_privileges, OPTIONS_SERVE, "USER", "nobody",
	       "run as this user once attached; root keeps all"),

	CALL("metrics", 0, set_metrics, OPTIONS_SERVE, "LEVEL", "node, workload or pod",
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
/* clang-format on */

static const char *const default_endpoints[] = {
	"169.254.169.254", "fd00:ec2::254", /* IMDS */
	"169.254.170.2",		    /* ECS credentials */
	"169.254.170.23",  "fd00:ec2::23",  /* EKS Pod Identity */
};

void options_for_each(void (*fn)(void *arg, const char *name, unsigned int groups), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].name)
			fn(arg, options[i].name, options[i].groups);
}

/* A word of the user for a message: no control bytes, so that a terminal is safe, and not too long. */
static const char *quote(const char *word, char buf[QUOTE_LEN])
{
	size_t i;

	for (i = 0; i < QUOTE_LEN - 4 && word[i]; i++)
		buf[i] = iscntrl((unsigned char)word[i]) ? '?' : word[i];
	strcpy(buf + i, word[i] ? "..." : "");
	return buf;
}

__attribute__((format(printf, 2, 3))) static int usage(FILE *err, const char *format, ...)
{
	va_list ap;

	fputs("imdsnoop: ", err);
	va_start(ap, format);
	vfprintf(err, format, ap);
	va_end(ap);
	fputc('\n', err);
	return EXIT_USAGE;
}

/* Edits (insert, delete, replace) from a to b, cut at 32 bytes of each: enough for a hint. */
static unsigned int edit_distance(const char *a, const char *b)
{
	size_t la = strnlen(a, 32), lb = strnlen(b, 32);
	unsigned int row[33], left, above;

	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		above = row[0];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			left = row[j];
			row[j] = above + (a[i - 1] != b[j - 1]);
			if (left + 1 < row[j])
				row[j] = left + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			above = left;
		}
	}
	return row[lb];
}

static void consider(const char *name, const char *word, const char **best, unsigned int *best_distance)
{
	unsigned int d = edit_distance(name, word);

	if (d < *best_distance && d < strlen(name)) {
		*best = name;
		*best_distance = d;
	}
}

static bool takes(const struct command *c, const struct option_row *row)
{
	return row->name && row->groups & c->groups & ~OPTIONS_LIVE;
}

/* The row that the command takes, else another command's, else NULL. */
static const struct option_row *option_find(const struct command *c, const char *name, size_t len)
{
	const struct option_row *foreign = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option_row *row = &options[i];

		if (!row->name || strlen(row->name) != len || memcmp(row->name, name, len))
			continue;
		if (takes(c, row))
			return row;
		foreign = row;
	}
	return foreign;
}

static int unknown_command(const struct command *commands, const char *word, FILE *err)
{
	const char *best = NULL;
	unsigned int distance = 3;
	char buf[QUOTE_LEN];

	for (const struct command *c = commands; c->name; c++)
		consider(c->name, word, &best, &distance);
	consider("help", word, &best, &distance);
	consider("version", word, &best, &distance);
	if (best)
		return usage(err, "unknown command '%s' (did you mean '%s'?)", quote(word, buf), best);
	return usage(err, "unknown command '%s' (try 'imdsnoop --help')", quote(word, buf));
}

/* word: "--name" or "-x" as given, without a value. */
static int unknown_option(const struct command *commands, const struct command *c, const struct option_row *row,
			  const char *word, FILE *err)
{
	const char *best = NULL;
	unsigned int distance = 3;
	char buf[QUOTE_LEN];

	for (const struct command *other = commands; row && other->name; other++)
		if (takes(other, row))
			return usage(err, "'imdsnoop %s' has no option '%s', 'imdsnoop %s' has", c->name,
				     quote(word, buf), other->name);
	if (!strncmp(word, "--", 2))
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (takes(c, &options[i]))
				consider(options[i].name, word + 2, &best, &distance);
	if (best)
		return usage(err, "unknown option '%s' (did you mean '--%s'?)", quote(word, buf), best);
	return usage(err, "unknown option '%s' (try 'imdsnoop %s --help')", quote(word, buf), c->name);
}

/* Refuses a value. err: of the parser. */
static int bad_value(const struct option_row *row, const char *value, int error, FILE *err)
{
	char buf[QUOTE_LEN];

	quote(value, buf);
	if (error == -E2BIG)
		return usage(err, "too many times '--%s': at most %d", row->name, IMDS_MAX_ENDPOINTS);
	if (row->type == OPTION_DURATION && error == -ERANGE)
		return usage(err, "bad duration '%s' for '--%s': give %s", buf, row->name, row->bounds);
	if (row->type == OPTION_DURATION && *value && strspn(value, "0123456789.") == strlen(value))
		return usage(err, "duration '%s' for '--%s' has no unit: write %sms, %ss, %sm or %sh", buf, row->name,
			     buf, buf, buf, buf);
	if (row->type == OPTION_DURATION)
		return usage(err, "bad duration '%s' for '--%s': write one like 250ms, 1.5s, 1m30s or 1d", buf,
			     row->name);
	if (row->type == OPTION_U64)
		return usage(err, "bad number '%s' for '--%s': give a whole number from %llu", buf, row->name,
			     (unsigned long long)row->min);
	if (row->type == OPTION_U32)
		return usage(err, "bad number '%s' for '--%s': give %llu to %llu", buf, row->name,
			     (unsigned long long)row->min, (unsigned long long)row->max);
	return usage(err, "bad value '%s' for '--%s': give %s", buf, row->name, row->expects);
}

static int parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9') /* strtoull() takes blanks and signs */
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || *end || *ret < min || *ret > max ? -EINVAL : 0;
}

static int option_set(const struct option_row *row, const char *value, struct options *o)
{
	void *at = (char *)o + row->offset;
	uint64_t n = 0;
	int err = 0;

	switch (row->type) {
	case OPTION_SECTION:
		return 0;
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_STRING:
		*(const char **)at = value;
		return 0;
	case OPTION_CALL:
		return row->parse(o, value);
	case OPTION_DURATION:
		err = options_parse_duration(value, &n);
		if (!err && (n < row->min || n > row->max))
			err = -ERANGE;
		break;
	case OPTION_U32:
	case OPTION_U64:
		err = parse_count(value, row->min, row->max, &n);
	}
	if (err)
		return err;
	if (row->type == OPTION_U32)
		*(uint32_t *)at = n;
	else
		*(uint64_t *)at = n;
	return 0;
}

static bool value_is_optional(const struct option_row *row)
{
	return row->arg && !strncmp(row->arg, "[=", 2);
}

#define HELP_LEFT 27 /* columns of the option, before what it does */
#define HELP_WIDTH 80

/* Words of text from column on, broken at HELP_WIDTH and indented as far. */
static void print_wrapped(FILE *out, const char *text, int indent)
{
	int column = indent;

	while (*text) {
		int len = strcspn(text, " ");

		if (column > indent && column + 1 + len > HELP_WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(out, "%s%.*s", column > indent ? " " : "", len, text);
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

static void print_option(FILE *out, const struct option_row *row)
{
	char left[64], help[256];
	int len;

	len = snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		       row->letter ? ',' : ' ', row->name, row->arg && !value_is_optional(row) ? " " : "",
		       row->arg ? row->arg : "");
	snprintf(help, sizeof(help), "%s%s%s%s", row->help, row->initial ? " (default: " : "",
		 row->initial ? row->initial : "", row->initial ? ")" : "");
	fprintf(out, "  %-*s", HELP_LEFT, left);
	if (len > HELP_LEFT)
		fprintf(out, "\n  %*s", HELP_LEFT, "");
	fputs("  ", out);
	print_wrapped(out, help, HELP_LEFT + 4);
}

static int help_command(const struct command *c, FILE *out)
{
	const char *section = NULL;

	fprintf(out, "Usage: imdsnoop %s [options]%s%s\n", c->name, *c->arguments ? " " : "", c->arguments);
	print_wrapped(out, c->help, 0);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].type == OPTION_SECTION)
			section = options[i].help;
		if (!takes(c, &options[i]))
			continue;
		if (section)
			fprintf(out, "\n%s:\n", section);
		section = NULL;
		print_option(out, &options[i]);
	}
	fprintf(out, "\nExamples:\n  %s\n  %s\n", c->examples[0], c->examples[1]);
	return EXIT_FINE;
}

static int help_all(const struct command *commands, FILE *out)
{
	fputs("Usage: imdsnoop COMMAND [options]\n"
	      "Shows why the cloud metadata service is slow or dead from a pod.\n\nCommands:\n",
	      out);
	for (const struct command *c = commands; c->name; c++) {
		fprintf(out, "  %-8s ", c->name);
		print_wrapped(out, c->help, 11);
	}
	fputs("  help     [COMMAND] shows its options and two examples\n"
	      "  version  shows the version\n"
	      "\nExit codes: 0 fine, 1 could not run, 2 wrong usage, 10 findings (with --exit-code).\n",
	      out);
	return EXIT_FINE;
}

static int show_version(FILE *out)
{
	fprintf(out, "imdsnoop %s\n", IMDSNOOP_VERSION);
	return EXIT_FINE;
}

static const struct command *command_find(const struct command *commands, const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void set_defaults(const struct command *c, struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->command = c;
	o->metrics = METRICS_DEPTH_POD;
	options_parse_listen("127.0.0.1:9754", o);
	/* --max-pods and the like are asked for by what all commands share, taken or not; then its own */
	for (int own = 0; own < 2; own++)
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (options[i].initial &&
			    (takes(c, &options[i]) || (!own && !(options[i].groups & (OPTIONS_REPORT | OPTIONS_READY)))))
				option_set(&options[i], options[i].initial, o);
}

/* What single options cannot tell. live: the last option given that only watching takes. Returns -1 when all is well. */
static int check_together(const struct command *c, const struct option_row *live, struct options *o, FILE *err)
{
	if (o->format == FORMAT_HTML && !(c->groups & OPTIONS_HTML))
		return usage(err, "'imdsnoop %s' writes no html: use 'imdsnoop report --format html'", c->name);
	if (o->from_len && live)
		return usage(err, "'--%s' is for watching: '--from' reads what was seen before", live->name);
	if (o->names && !o->from_len)
		return usage(err, "'--names' names the addresses of a capture: give one with '--from'");
	if (o->pcapng && !strcmp(o->pcapng, "-") && !o->output)
		return usage(err, "'--pcapng -' needs standard output: give '--output' a file");
	if (o->brief && o->format != FORMAT_TEXT)
		return usage(err, "'--brief' is a line of text: leave out '--format'");
	if (o->self && (o->all || o->watch || o->namespace || o->pod || o->container || o->workload))
		return usage(err, "--self asks from here alone: leave out --all, --watch and names of pods");
	if ((o->what_if_endpoint_off || o->what_if_role_delivery) && !(c->groups & OPTIONS_READY))
		return usage(err, "endpoint=off and role-delivery=2.0 are asked of 'imdsnoop ready'");
	if ((c->groups & OPTIONS_READY) && !o->files_len && !o->from_state)
		return usage(err, "'imdsnoop %s' needs --from-state DIR, or ledgers and JSON reports", c->name);
	if ((c->groups & OPTIONS_FILES) && !o->files_len)
		return usage(err, "'imdsnoop %s' needs files: give the JSON reports to join", c->name);
	if (!o->endpoints_len)
		for (size_t i = 0; i < ARRAY_SIZE(default_endpoints); i++)
			add_endpoint(o, default_endpoints[i]);
	return -1;
}

/* The arguments while they are read. */
struct arguments {
	const struct command *commands;
	int argc, at;
	char **argv;
	const struct option_row *live;
	FILE *out, *err;
};

/* The option's value: what follows in its own word, or the next word. NULL: there is none. */
static const char *take_value(struct arguments *a, const char *rest)
{
	if (!rest && a->at + 1 < a->argc && strncmp(a->argv[a->at + 1], "--", 2))
		rest = a->argv[++a->at];
	return rest && *rest ? rest : NULL;
}

/* rest: behind the '=' of a long option, or behind the letter, NULL when nothing is. Returns -1 to go on. */
static int apply(struct arguments *a, const struct option_row *row, const char *rest, struct options *o)
{
	const char *value = "";
	int error;

	if (!strcmp(row->name, "help"))
		return help_command(o->command, a->out);
	if (!strcmp(row->name, "version"))
		return show_version(a->out);
	if (value_is_optional(row))
		value = rest ? rest : "";
	else if (row->arg)
		value = take_value(a, rest);
	if (!value || (rest && !*rest))
		return usage(a->err, "option '--%s' needs a value: --%s %s", row->name, row->name, row->arg);
	if (row->groups & OPTIONS_LIVE)
		a->live = row;
	error = option_set(row, value, o);
	return error ? bad_value(row, value, error, a->err) : -1;
}

/* "-v", "-vv", "-n NS", "-nNS", "-vo FILE" */
static int parse_letters(struct arguments *a, struct options *o)
{
	const char *arg = a->argv[a->at];

	for (const char *letter = arg + 1; *letter; letter++) {
		const struct option_row *row = NULL;
		char word[3] = { '-', *letter };
		int code;

		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (options[i].name && options[i].letter == *letter && (!row || takes(o->command, &options[i])))
				row = &options[i];
		if (!row)
			return unknown_option(a->commands, o->command, NULL, arg, a->err);
		if (!takes(o->command, row))
			return unknown_option(a->commands, o->command, row, word, a->err);
		code = apply(a, row, row->arg && letter[1] ? letter + 1 : NULL, o);
		if (code >= 0 || row->arg)
			return code;
	}
	return -1;
}

/* "--name", "--name=value", "--name value" */
static int parse_long(struct arguments *a, struct options *o)
{
	const char *arg = a->argv[a->at];
	size_t len = strcspn(arg + 2, "=");
	const struct option_row *row = option_find(o->command, arg + 2, len);
	char word[QUOTE_LEN];

	if (!row || !takes(o->command, row)) {
		snprintf(word, sizeof(word), "%.*s", (int)(len < 64 ? len + 2 : 66), arg);
		return unknown_option(a->commands, o->command, row, word, a->err);
	}
	if (!row->arg && arg[2 + len])
		return usage(a->err, "option '--%s' takes no value", row->name);
	return apply(a, row, arg[2 + len] ? arg + 2 + len + 1 : NULL, o);
}

int options_parse(const struct command *commands, int argc, char **argv, FILE *out, FILE *err, struct options *ret)
{
	struct arguments a = { commands, argc, 2, argv, NULL, out, err };
	const struct command *c;
	bool only_files = false;
	char buf[QUOTE_LEN];
	int code;

	if (argc < 2)
		return usage(err, "no command given (try 'imdsnoop --help')");
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version"))
		return show_version(out);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		if (argc < 3 || strcmp(argv[1], "help"))
			return help_all(commands, out);
		c = command_find(commands, argv[2]);
		return c ? help_command(c, out) : unknown_command(commands, argv[2], err);
	}
	if (argv[1][0] == '-')
		return usage(err, "no command before '%s': options follow the command (try 'imdsnoop --help')",
			     quote(argv[1], buf));
	c = command_find(commands, argv[1]);
	if (!c)
		return unknown_command(commands, argv[1], err);

	set_defaults(c, ret);
	for (; a.at < argc; a.at++) {
		char *arg = argv[a.at];

		if (!only_files && arg[0] == '-' && arg[1]) {
			only_files = !strcmp(arg, "--");
			code = only_files ? -1 : arg[1] == '-' ? parse_long(&a, ret) : parse_letters(&a, ret);
			if (code >= 0)
				return code;
		} else if (c->groups & (OPTIONS_FILES | OPTIONS_READY)) {
			argv[1 + ret->files_len++] = arg; /* never ahead of what is read */
		} else {
			return usage(err, "unexpected argument '%s' (try 'imdsnoop %s --help')", quote(arg, buf),
				     c->name);
		}
	}
	ret->files = (const char *const *)argv + 1;
	return check_together(c, a.live, ret, err);
}

const char *options_node(const struct options *o, char *buf, size_t len)
{
	if (o->node)
		return o->node;
	if (!gethostname(buf, len)) {
		buf[len - 1] = '\0';
		if (*buf)
			return buf;
	}
	return "localhost";
}

bool options_color(const struct options *o, FILE *f)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !o->no_color && (!no_color || !*no_color) && (!term || strcmp(term, "dumb")) && isatty(fileno(f));
}
