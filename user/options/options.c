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
	OPTION_STRING,	 /* const char * */
	OPTION_DURATION, /* uint64_t, ns */
	OPTION_U32,
	OPTION_U64,
	OPTION_CALL /* parse() */
};

struct option_row {
	const char *name;
	char letter;
	const char *arg; /* NULL: takes no value */
	const char *help;
	unsigned int groups;
	enum option_type type;
	size_t offset; /* of the member of struct options */
	uint64_t max;  /* of a number; the smallest is 1 */
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

#define AT(member) offsetof(struct options, member)
#define FLAG(name, member, groups, help)                                            \
	{                                                                           \
		name, 0, NULL, help, groups, OPTION_FLAG, AT(member), 0, NULL, NULL \
	}
#define STRING(name, member, groups, arg, help)                                      \
	{                                                                            \
		name, 0, arg, help, groups, OPTION_STRING, AT(member), 0, NULL, NULL \
	}
#define DURATION(name, member, groups, help)                                                  \
	{                                                                                     \
		name, 0, "DURATION", help, groups, OPTION_DURATION, AT(member), 0, NULL, NULL \
	}
#define NUMBER(name, member, type, max, groups, help)                         \
	{                                                                     \
		name, 0, "N", help, groups, type, AT(member), max, NULL, NULL \
	}
#define CALL(name, letter, fn, groups, arg, expects, help)                      \
	{                                                                       \
		name, letter, arg, help, groups, OPTION_CALL, 0, 0, fn, expects \
	}

/* In the order of --help. */
static const struct option_row options[] = {
	STRING("cgroup", cgroup, OPTIONS_NODE, "DIR",
	       "cgroup v2 folder to attach to; all below it is seen (default: the mount's root)"),
	STRING("pod-logs", pod_logs, OPTIONS_NODE, "DIR", "kubelet's pod log folder (default: /var/log/pods)"),
	STRING("container-logs", container_logs, OPTIONS_NODE, "DIR",
	       "kubelet's container log links (default: /var/log/containers)"),
	STRING("node", node, OPTIONS_COMMON, "NAME", "name of this node in the output (default: the host name)"),
	CALL("endpoint", 0, add_endpoint, OPTIONS_ENDPOINTS, "ADDR[:PORT]",
	     "an IP address like 169.254.169.254, [fd00:ec2::254]:80 (host names are not looked up)",
	     "metadata address, repeatable, at most 16 (default: those of EC2, ECS and EKS)"),
	STRING("namespace", namespace, OPTIONS_SELECT, "NS", "show only this namespace"),
	STRING("pod", pod, OPTIONS_SELECT, "GLOB", "show only pods whose name matches, like 'cart-*'"),
	STRING("container", container, OPTIONS_SELECT, "NAME", "show only this container"),
	STRING("comm", comm, OPTIONS_OBSERVE, "NAME", "show only this process name"),
	FLAG("problems", problems, OPTIONS_OBSERVE, "show only requests and pods with a problem"),
	DURATION("stall", stall_ns, OPTIONS_OBSERVE | OPTIONS_PROBE,
		 "an unanswered request is stalled after this (default: 250ms; probe waits as long: 1s)"),
	DURATION("slow", slow_ns, OPTIONS_OBSERVE, "an answered request is slow above this (default: 1s)"),
	CALL("format", 0, set_format, OPTIONS_FORMAT, "FORMAT", "text, json or html",
	     "text, json, or html (report and merge: one self-contained file) (default: text)"),
	CALL("json", 0, set_json, OPTIONS_FORMAT, NULL, NULL, "the same as --format json"),
	STRING("output", output, OPTIONS_COMMON, "FILE", "write there instead of standard output"),
	DURATION("duration", duration_ns, OPTIONS_OBSERVE | OPTIONS_PROBE, "stop after this (report: 30s unless given)"),
	NUMBER("count", count, OPTION_U64, UINT64_MAX, OPTIONS_OBSERVE, "stop after N finished requests"),
	NUMBER("max-pods", max_pods, OPTION_U32, OPTIONS_MAX_PODS, OPTIONS_OBSERVE,
	       "rows of the pod table; the rest is counted as 'other' (default: 1024)"),
	NUMBER("max-flows", max_flows, OPTION_U32, OPTIONS_MAX_FLOWS, OPTIONS_OBSERVE,
	       "connections followed at once; the rest is counted (default: 65536)"),
	FLAG("no-drops", no_drops, OPTIONS_OBSERVE, "leave out the hook that sees dropped packets"),
	FLAG("no-process", no_process, OPTIONS_OBSERVE, "leave out the hook that names processes"),
	FLAG("redact-paths", redact_paths, OPTIONS_OBSERVE, "keep the kind of a request, leave out its path"),
	CALL("listen", 0, set_listen, OPTIONS_SERVE, "ADDR:PORT",
	     "ADDR:PORT like 127.0.0.1:9754, [::1]:9754, 0.0.0.0:9754", "where to serve HTTP (default: 127.0.0.1:9754)"),
	STRING("drop-privileges", drop_privileges, OPTIONS_SERVE, "USER",
	       "run as this user once attached; root keeps all (default: nobody)"),
	CALL("what-if", 0, set_what_if, OPTIONS_REPORT, "hop-limit=N[,tokens=required]",
	     "hop-limit=N[,tokens=required] with N from 1 to 64", "tell who would break if the node were set so"),
	STRING("baseline", baseline, OPTIONS_REPORT, "FILE", "compare with an earlier report's JSON"),
	STRING("from", from, OPTIONS_REPORT, "FILE",
	       "read 'trace --json' lines instead of the kernel; - is standard input"),
	FLAG("all", all, OPTIONS_PROBE, "ask from every pod on the node"),
	FLAG("watch", watch, OPTIONS_PROBE, "ask again and again, and show what changes"),
	FLAG("exit-code", exit_code, OPTIONS_EXIT_CODE, "exit 10 when there is a finding of severity error or warning"),
	FLAG("no-color", no_color, OPTIONS_COMMON, "no colour on a terminal, as with NO_COLOR"),
	CALL("verbose", 'v', set_verbose, OPTIONS_COMMON, NULL, NULL,
	     "say more on standard error; twice for libbpf's words"),
	FLAG("quiet", quiet, OPTIONS_COMMON, "say nothing on standard error but errors"),
	{ .name = "help", .letter = 'h', .help = "show this help", .groups = ~0u },
	{ .name = "version", .help = "show the version", .groups = ~0u },
};

static const char *const default_endpoints[] = {
	"169.254.169.254", "fd00:ec2::254", /* IMDS */
	"169.254.170.2",		    /* ECS credentials */
	"169.254.170.23",  "fd00:ec2::23",  /* EKS Pod Identity */
};

void options_for_each(void (*fn)(void *arg, const char *name, unsigned int groups), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
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

static const struct option_row *option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == len && !memcmp(options[i].name, name, len))
			return &options[i];
	return NULL;
}

static int unknown_command(const struct command *commands, const char *word, FILE *err)
{
	const char *best = NULL;
	unsigned int distance = 3;
	char buf[QUOTE_LEN];

	for (const struct command *c = commands; c->name; c++)
		consider(c->name, word, &best, &distance);
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
		if (row->groups & other->groups)
			return usage(err, "'imdsnoop %s' has no option '%s', 'imdsnoop %s' has", c->name,
				     quote(word, buf), other->name);
	if (!strncmp(word, "--", 2))
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (options[i].groups & c->groups)
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
		return usage(err, "bad duration '%s' for '--%s': give 1ms to 1000h", buf, row->name);
	if (row->type == OPTION_DURATION && *value && strspn(value, "0123456789") == strlen(value))
		return usage(err, "duration '%s' for '--%s' has no unit: write %sms, %ss, %sm or %sh", buf, row->name,
			     buf, buf, buf, buf);
	if (row->type == OPTION_DURATION)
		return usage(err, "bad duration '%s' for '--%s': write one like 250ms, 30s, 5m or 1h", buf, row->name);
	if (row->type == OPTION_U32)
		return usage(err, "bad number '%s' for '--%s': give 1 to %llu", buf, row->name,
			     (unsigned long long)row->max);
	if (row->type == OPTION_U64)
		return usage(err, "bad number '%s' for '--%s': give a whole number from 1", buf, row->name);
	return usage(err, "bad value '%s' for '--%s': give %s", buf, row->name, row->expects);
}

static int parse_count(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9') /* strtoull() takes blanks and signs */
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || *end || !*ret || *ret > max ? -EINVAL : 0;
}

static int option_set(const struct option_row *row, const char *value, struct options *o)
{
	void *at = (char *)o + row->offset;
	uint64_t n = 0;
	int err = 0;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_STRING:
		*(const char **)at = value;
		return 0;
	case OPTION_DURATION:
		return options_parse_duration(value, at);
	case OPTION_CALL:
		return row->parse(o, value);
	case OPTION_U32:
	case OPTION_U64:
		break;
	}
	err = parse_count(value, row->max, &n);
	if (err)
		return err;
	if (row->type == OPTION_U32)
		*(uint32_t *)at = n;
	else
		*(uint64_t *)at = n;
	return 0;
}

static void print_option(FILE *out, const struct option_row *row)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		 row->letter ? ',' : ' ', row->name, row->arg ? " " : "", row->arg ? row->arg : "");
	if (strlen(left) > 30)
		fprintf(out, "  %s\n  %-30s  %s\n", left, "", row->help);
	else
		fprintf(out, "  %-30s  %s\n", left, row->help);
}

static int help_command(const struct command *c, FILE *out)
{
	fprintf(out, "Usage: imdsnoop %s [options]%s%s\n%s\n\nOptions:\n", c->name, *c->arguments ? " " : "",
		c->arguments, c->help);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].groups & c->groups)
			print_option(out, &options[i]);
	fprintf(out, "\nExamples:\n  %s\n  %s\n", c->examples[0], c->examples[1]);
	return EXIT_FINE;
}

static int help_all(const struct command *commands, FILE *out)
{
	fputs("Usage: imdsnoop COMMAND [options]\n"
	      "Shows why the cloud metadata service is slow or dead from a pod.\n\nCommands:\n",
	      out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-8s %s\n", c->name, c->help);
	fputs("\n'imdsnoop COMMAND --help' shows its options and two examples.\n"
	      "Exit codes: 0 fine, 1 could not run, 2 wrong usage, 10 findings (with --exit-code).\n",
	      out);
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
	o->pod_logs = "/var/log/pods";
	o->container_logs = "/var/log/containers";
	o->stall_ns = c->groups & OPTIONS_PROBE ? 1000 * 1000000ull : 250 * 1000000ull;
	o->slow_ns = 1000 * 1000000ull;
	o->max_pods = 1024;
	o->max_flows = 65536;
	o->drop_privileges = "nobody";
	options_parse_listen("127.0.0.1:9754", o);
	if (c->groups & OPTIONS_REPORT)
		o->duration_ns = 30 * 1000000000ull;
}

/* What single options cannot tell. Returns -1 when all is well. */
static int check_together(const struct command *c, struct options *o, FILE *err)
{
	if (o->format == FORMAT_HTML && !(c->groups & OPTIONS_HTML))
		return usage(err, "'imdsnoop %s' writes no html: use 'imdsnoop report --format html'", c->name);
	if (o->format != FORMAT_TEXT && (c->groups & OPTIONS_SCREEN))
		return usage(err, "'imdsnoop %s' knows no --format but text: use 'imdsnoop report' or 'imdsnoop trace'",
			     c->name);
	if ((c->groups & OPTIONS_PROBE) && o->stall_ns > 60 * 1000000000ull)
		return usage(err, "'imdsnoop %s' waits at most 60s for an answer: choose a shorter --stall", c->name);
	if ((c->groups & OPTIONS_FILES) && !o->files_len)
		return usage(err, "'imdsnoop %s' needs files: give the JSON reports to join", c->name);
	if (!o->endpoints_len)
		for (size_t i = 0; i < ARRAY_SIZE(default_endpoints); i++)
			add_endpoint(o, default_endpoints[i]);
	return -1;
}

/* One argument that is an option, or a bundle of letters; *i moves over a value. Returns -1 to go on. */
static int parse_option(const struct command *commands, int argc, char **argv, int *i, FILE *out, FILE *err,
			struct options *o)
{
	const struct command *c = o->command;
	const char *arg = argv[*i], *value = "";
	const struct option_row *row = NULL;
	char word[QUOTE_LEN];
	size_t len;
	int error;

	if (arg[1] != '-') { /* -v, -vv: letters take no values */
		for (const char *letter = arg + 1; *letter; letter++) {
			row = NULL;
			for (size_t k = 0; k < ARRAY_SIZE(options); k++)
				if (options[k].letter == *letter)
					row = &options[k];
			if (!row)
				return unknown_option(commands, c, NULL, arg, err);
			if (!strcmp(row->name, "help"))
				return help_command(c, out);
			option_set(row, "", o);
		}
		return -1;
	}
	len = strcspn(arg + 2, "=");
	row = option_find(arg + 2, len);
	if (!row || !(row->groups & c->groups)) {
		snprintf(word, sizeof(word), "%.*s", (int)(len < 64 ? len + 2 : 66), arg);
		return unknown_option(commands, c, row, word, err);
	}
	if (!row->arg && arg[2 + len])
		return usage(err, "option '--%s' takes no value", row->name);
	if (!strcmp(row->name, "help"))
		return help_command(c, out);
	if (!strcmp(row->name, "version")) {
		fprintf(out, "imdsnoop %s\n", IMDSNOOP_VERSION);
		return EXIT_FINE;
	}
	if (row->arg) {
		if (arg[2 + len])
			value = arg + 2 + len + 1;
		else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2))
			value = argv[++*i];
		if (!*value)
			return usage(err, "option '--%s' needs a value: --%s %s", row->name, row->name, row->arg);
	}
	error = option_set(row, value, o);
	return error ? bad_value(row, value, error, err) : -1;
}

int options_parse(const struct command *commands, int argc, char **argv, FILE *out, FILE *err, struct options *ret)
{
	const struct command *c;
	bool only_files = false;
	char buf[QUOTE_LEN];
	int i, code;

	if (argc < 2)
		return usage(err, "no command given (try 'imdsnoop --help')");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help_all(commands, out);
	if (!strcmp(argv[1], "--version")) {
		fprintf(out, "imdsnoop %s\n", IMDSNOOP_VERSION);
		return EXIT_FINE;
	}
	if (argv[1][0] == '-')
		return usage(err, "no command before '%s': options follow the command (try 'imdsnoop --help')",
			     quote(argv[1], buf));
	c = command_find(commands, argv[1]);
	if (!c)
		return unknown_command(commands, argv[1], err);

	set_defaults(c, ret);
	for (i = 2; i < argc; i++) {
		if (!only_files && argv[i][0] == '-' && argv[i][1]) {
			only_files = !strcmp(argv[i], "--");
			code = only_files ? -1 : parse_option(commands, argc, argv, &i, out, err, ret);
			if (code >= 0)
				return code;
		} else if (c->groups & OPTIONS_FILES) {
			argv[1 + ret->files_len++] = argv[i]; /* never ahead of i */
		} else {
			return usage(err, "unexpected argument '%s' (try 'imdsnoop %s --help')", quote(argv[i], buf),
				     c->name);
		}
	}
	ret->files = (const char *const *)argv + 1;
	return check_together(c, ret, err);
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
