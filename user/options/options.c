/* SPDX-License-Identifier: GPL-2.0-only */
#include "options_part.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUOTE_LEN 80 /* of a user's word in a message */

static const char *const default_endpoints[] = {
	"169.254.169.254", "fd00:ec2::254", /* IMDS */
	"169.254.170.2",		    /* ECS credentials */
	"169.254.170.23",  "fd00:ec2::23",  /* EKS Pod Identity */
};

void options_for_each(void (*fn)(void *arg, const char *name, unsigned int groups), void *arg)
{
	for (size_t i = 0; i < options_table_len; i++)
		if (options_table[i].name)
			fn(arg, options_table[i].name, options_table[i].groups);
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

	for (size_t i = 0; i < options_table_len; i++) {
		const struct option_row *row = &options_table[i];

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
		for (size_t i = 0; i < options_table_len; i++)
			if (takes(c, &options_table[i]))
				consider(options_table[i].name, word + 2, &best, &distance);
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
	if (row->type == OPTION_DURATION && strpbrk(value, "123456789") &&
	    strspn(value, "0123456789.") == strlen(value)) /* not of 0, which no unit makes right */
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
	case OPTION_WORD:
		for (unsigned int i = 0; row->words[i]; i++)
			if (!strcmp(value, row->words[i])) {
				*(unsigned int *)at = i;
				return 0;
			}
		return -EINVAL;
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
	for (size_t i = 0; i < options_table_len; i++) {
		if (options_table[i].type == OPTION_SECTION)
			section = options_table[i].help;
		if (!takes(c, &options_table[i]))
			continue;
		if (section)
			fprintf(out, "\n%s:\n", section);
		section = NULL;
		print_option(out, &options_table[i]);
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
	      "\nExit codes: 0 fine, 1 could not run, 2 wrong usage, 10 with --exit-code.\n",
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
	options_parse_listen(o, "127.0.0.1:9754");
	/* --max-pods and the like are asked for by what all commands share, taken or not; then its own */
	for (int own = 0; own < 2; own++)
		for (size_t i = 0; i < options_table_len; i++)
			if (options_table[i].initial &&
			    (takes(c, &options_table[i]) ||
			     (!own && !(options_table[i].groups & (OPTIONS_REPORT | OPTIONS_READY)))))
				option_set(&options_table[i], options_table[i].initial, o);
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
	if (o->pcapng && o->output && !strcmp(o->pcapng, o->output))
		return usage(err, "'--pcapng' and '--output' give one file: two things cannot be written there");
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
		for (size_t i = 0; i < LEN(default_endpoints); i++)
			options_add_endpoint(o, default_endpoints[i]);
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
		return usage(a->err, "option '--%s' needs a value: --%s%s%s", row->name, row->name,
			     value_is_optional(row) ? "" : " ", row->arg);
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

		for (size_t i = 0; i < options_table_len; i++)
			if (options_table[i].name && options_table[i].letter == *letter &&
			    (!row || takes(o->command, &options_table[i])))
				row = &options_table[i];
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
