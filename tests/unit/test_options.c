/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/options/ */
#include <unistd.h>
#include <arpa/inet.h>

#include "unit.h"
#include "commands.h"

#define MAX_ARGS 48

struct result {
	int code;
	struct options o;
	char *out, *err;
	char *argv[MAX_ARGS];
	char words[512];
};

/* line: words parted by blanks; '_' stands for an empty word. */
static struct result *parse(const char *line)
{
	struct result *r = calloc(1, sizeof(*r));
	size_t out_len, err_len;
	FILE *out, *err;
	int argc = 1;

	assert_non_null(r);
	out = open_memstream(&r->out, &out_len);
	err = open_memstream(&r->err, &err_len);
	snprintf(r->words, sizeof(r->words), "%s", line);
	r->argv[0] = "imdsnoop";
	for (char *w = strtok(r->words, " "); w; w = strtok(NULL, " "))
		r->argv[argc++] = strcmp(w, "_") ? w : "";
	r->code = options_parse(commands, argc, r->argv, out, err, &r->o);
	fclose(out);
	fclose(err);
	return r;
}

static void done(struct result *r)
{
	free(r->out);
	free(r->err);
	free(r);
}

static void defaults_are_those_of_the_interface(void **state)
{
	static const char *const endpoints[] = {
		"169.254.169.254", "fd00:ec2::254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23",
	};
	static const enum imds_endpoint_class classes[] = {
		IMDS_EP_IMDS, IMDS_EP_EC2, IMDS_EP_ECS, IMDS_EP_EKS, IMDS_EP_EKS,
	};
	struct result *r = parse("report");

	(void)state;
	assert_int_equal(r->code, -1);
	assert_string_equal(r->err, "");
	assert_string_equal(r->o.command->name, "report");
	assert_null(r->o.cgroup);
	assert_string_equal(r->o.pod_logs, "/var/log/pods");
	assert_string_equal(r->o.container_logs, "/var/log/containers");
	assert_int_equal(r->o.stall_ns, 250000000);
	assert_int_equal(r->o.slow_ns, 1000000000);
	assert_int_equal(r->o.duration_ns, 30000000000);
	assert_int_equal(r->o.max_pods, 1024);
	assert_int_equal(r->o.max_flows, 65536);
	assert_int_equal(r->o.format, FORMAT_TEXT);
	assert_int_equal(r->o.endpoints_len, 5);
	for (int i = 0; i < 5; i++) {
		assert_string_equal(r->o.endpoint_texts[i], endpoints[i]);
		assert_int_equal(r->o.endpoints[i].class, classes[i]);
		assert_int_equal(r->o.endpoints[i].port, 0);
	}
	assert_null(r->o.endpoint_texts[5]);
	done(r);

	r = parse("serve");
	assert_string_equal(r->o.listen_host, "127.0.0.1");
	assert_int_equal(r->o.listen_port, 9754);
	assert_string_equal(r->o.drop_privileges, "nobody");
	assert_int_equal(r->o.duration_ns, 0);
	done(r);
}

static void each_option_reaches_its_member(void **state)
{
	struct result *r =
	    parse("report --cgroup /c --pod-logs=/p --container-logs /k --node n1 --namespace shop "
		  "--pod cart-* --container app --comm node --problems --stall 100ms --slow 2s --json "
		  "--output f --duration 5m --count 7 --max-pods 10 --max-flows 20 --no-drops --no-process "
		  "--redact-paths --what-if hop-limit=3,tokens=required --baseline b --exit-code "
		  "--no-color -vv --quiet");

	(void)state;
	assert_string_equal(r->err, "");
	assert_int_equal(r->code, -1);
	assert_string_equal(r->o.cgroup, "/c");
	assert_string_equal(r->o.pod_logs, "/p");
	assert_string_equal(r->o.container_logs, "/k");
	assert_string_equal(r->o.node, "n1");
	assert_string_equal(r->o.namespace, "shop");
	assert_string_equal(r->o.pod, "cart-*");
	assert_string_equal(r->o.container, "app");
	assert_string_equal(r->o.comm, "node");
	assert_int_equal(r->o.stall_ns, 100000000);
	assert_int_equal(r->o.slow_ns, 2000000000);
	assert_int_equal(r->o.format, FORMAT_JSON);
	assert_string_equal(r->o.output, "f");
	assert_int_equal(r->o.duration_ns, 300000000000);
	assert_int_equal(r->o.count, 7);
	assert_int_equal(r->o.max_pods, 10);
	assert_int_equal(r->o.max_flows, 20);
	assert_true(r->o.what_if && r->o.what_if_tokens_required);
	assert_int_equal(r->o.what_if_hop_limit, 3);
	assert_string_equal(r->o.baseline, "b");
	assert_true(r->o.problems && r->o.no_drops && r->o.no_process && r->o.redact_paths);
	assert_int_equal(r->o.exit_code, 10);
	assert_true(r->o.no_color && r->o.quiet);
	assert_int_equal(r->o.verbose, 2);
	done(r);

	r = parse("serve --listen unix:/run/x.sock");
	assert_string_equal(r->o.listen_path, "/run/x.sock");
	done(r);

	r = parse("serve --listen [::1]:0 --drop-privileges root");
	assert_null(r->o.listen_path);
	assert_string_equal(r->o.listen_host, "::1");
	assert_int_equal(r->o.listen_port, 0);
	assert_string_equal(r->o.drop_privileges, "root");
	done(r);

	r = parse("probe --all --watch --exit-code --stall 60s");
	assert_int_equal(r->code, -1);
	assert_true(r->o.all && r->o.watch && r->o.exit_code);
	assert_int_equal(r->o.stall_ns, 60000000000);
	done(r);
	r = parse("probe --all");
	assert_int_equal(r->o.stall_ns, 1000000000); /* how long it waits for an answer */
	done(r);
}

static void letters_and_words_mean_the_same(void **state)
{
	struct result *r = parse("report -n shop -o f -d1m30s -v --workload shop/cart --brief --exit-code=3");

	(void)state;
	assert_int_equal(r->code, -1);
	assert_string_equal(r->o.namespace, "shop");
	assert_string_equal(r->o.output, "f");
	assert_string_equal(r->o.workload, "shop/cart");
	assert_int_equal(r->o.duration_ns, 90000000000);
	assert_int_equal(r->o.exit_code, 3);
	assert_int_equal(r->o.verbose, 1);
	assert_true(r->o.brief);
	done(r);
	r = parse("trace -vvo - --duration=2s");
	assert_int_equal(r->code, -1);
	assert_null(r->o.output); /* "-": standard output */
	assert_int_equal(r->o.verbose, 2);
	done(r);
	r = parse("report --from - --stall 100ms");
	assert_int_equal(r->code, -1);
	assert_string_equal(r->o.from[0], "-");
	done(r);
}

static void durations_are_sums_of_numbers_with_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} rows[] = {
		{ "1ms", 1 },	      { "250ms", 250 },	       { "1.5s", 1500 }, { "1m30s", 90000 },
		{ "1d", 86400000 },   { "1h0.5m", 3630000 },   { "0m1s", 1000 }, { "1000h", 3600000000 },
		{ "1d2h", 93600000 }, { "1m30s250ms", 90250 }, { "0.001s", 1 },
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(options_parse_duration(rows[i].text, &ns), 0);
		assert_int_equal(ns, rows[i].ms * 1000000);
	}
}

static void endpoints_replace_the_default_list(void **state)
{
	struct result *r = parse("trace --endpoint 10.1.2.3:8080 --endpoint fd00:ec2::254 --endpoint [fd00:ec2::23]:80 "
				 "--endpoint ::ffff:100.100.100.200 --endpoint 10.1.2.3:8080");
	const struct imds_endpoint *e = r->o.endpoints;

	(void)state;
	assert_int_equal(r->code, -1);
	assert_int_equal(r->o.endpoints_len, 4); /* the one given twice counts once */
	assert_memory_equal(e[0].addr.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
	assert_int_equal(e[0].port, 8080);
	assert_int_equal(e[0].class, IMDS_EP_OTHER);
	assert_string_equal(r->o.endpoint_texts[0], "10.1.2.3:8080");
	assert_int_equal(e[1].class, IMDS_EP_EC2);
	assert_int_equal(e[1].port, 0);
	assert_string_equal(r->o.endpoint_texts[2], "[fd00:ec2::23]:80");
	assert_int_equal(e[2].class, IMDS_EP_EKS);
	assert_string_equal(r->o.endpoint_texts[3], "100.100.100.200");
	assert_int_equal(e[3].class, IMDS_EP_ALIBABA);
	done(r);
}

/* The kernel side takes the first that fits: what was given with a port is not hidden behind the same address without. */
static void endpoint_with_a_port_comes_first(void **state)
{
	struct result *r =
	    parse("trace --endpoint fd00:ec2::254 --endpoint 169.254.169.254 --endpoint 169.254.169.254:8080");

	(void)state;
	assert_int_equal(r->o.endpoints_len, 3);
	assert_string_equal(r->o.endpoint_texts[1], "169.254.169.254:8080");
	assert_string_equal(r->o.endpoint_texts[2], "169.254.169.254");
	done(r);
}

static void at_most_sixteen_endpoints(void **state)
{
	char line[1024] = "trace", one[32];
	struct result *r;

	(void)state;
	for (int i = 1; i <= 16; i++) {
		snprintf(one, sizeof(one), " --endpoint 10.0.0.%d", i);
		strcat(line, one);
	}
	assert_true(strlen(line) < sizeof(r->words));
	r = parse(line);
	assert_int_equal(r->code, -1);
	assert_int_equal(r->o.endpoints_len, 16);
	assert_null(r->o.endpoint_texts[16]);
	done(r);
	strcat(line, " --endpoint ::2");
	r = parse(line);
	assert_int_equal(r->code, EXIT_USAGE);
	assert_non_null(strstr(r->err, "at most 16"));
	done(r);
}

static void wrong_usage_is_one_line_that_says_what_to_do(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "", "try 'imdsnoop --help'" },
		{ "trac", "did you mean 'trace'" },
		{ "frobnicate", "try 'imdsnoop --help'" },
		{ "--json report", "options follow the command" },
		{ "trace --poblems", "did you mean '--problems'" },
		{ "trace --xyzzy", "imdsnoop trace --help" },
		{ "trace -x", "unknown option '-x'" },
		{ "trace -vx", "unknown option" },
		{ "trace --listen 1.2.3.4:1", "'imdsnoop serve' has" },
		{ "trace extra", "unexpected argument 'extra'" },
		{ "trace --duration 5", "no unit: write 5ms, 5s, 5m or 5h" },
		{ "trace --duration 5w", "like 250ms" },
		{ "trace --duration -5s", "like 250ms" },
		{ "trace --duration 1.s", "like 250ms" },
		{ "trace --duration .5s", "like 250ms" },
		{ "trace --duration 30s1m", "like 250ms" },
		{ "trace --duration 1m1m", "like 250ms" },
		{ "trace --duration 1m30", "like 250ms" },
		{ "trace --duration 0", "like 250ms" },
		{ "trace --duration 1.5", "no unit: write 1.5ms" },
		{ "trace --duration 0.5ms", "1ms to 1000h" },
		{ "trace --duration 42d", "1ms to 1000h" },
		{ "trace --duration 0s", "1ms to 1000h" },
		{ "trace --duration 99999999999999999999h", "1ms to 1000h" },
		{ "trace --stall ms", "like 250ms" },
		{ "probe --all --stall 61s", "at most 60s" },
		{ "trace --cgroup", "needs a value: --cgroup DIR" },
		{ "trace --cgroup --json", "needs a value" },
		{ "trace --cgroup= --json", "needs a value" },
		{ "trace --namespace _", "needs a value" },
		{ "trace --json=1", "takes no value" },
		{ "trace --count 0", "bad number" },
		{ "trace --count -1", "bad number" },
		{ "trace --count 1x", "bad number" },
		{ "trace --count 18446744073709551616", "bad number" },
		{ "trace --max-pods 65537", "1 to 65536" },
		{ "trace --endpoint metadata.google.internal", "not looked up" },
		{ "trace --endpoint 169.254.169.254:0", "give an IP address" },
		{ "trace --endpoint 169.254.169.254:65536", "give an IP address" },
		{ "trace --endpoint 169.254.169.254:", "give an IP address" },
		{ "trace --endpoint 169.254.169", "give an IP address" },
		{ "trace --endpoint 0.0.0.0", "give an IP address" },
		{ "trace --endpoint 224.0.0.1", "give an IP address" },
		{ "trace --endpoint ::", "give an IP address" },
		{ "trace --endpoint ff02::1", "give an IP address" },
		{ "trace --endpoint fe80::1%eth0", "give an IP address" },
		{ "trace --endpoint [fd00::1]x", "give an IP address" },
		{ "trace --endpoint [fd00::1", "give an IP address" },
		{ "trace --format yaml", "text or json" },
		{ "trace --format html", "use 'imdsnoop report --format html'" },
		{ "top --json", "'imdsnoop trace' has" },
		{ "top -o f", "'imdsnoop top' has no option '-o', 'imdsnoop trace' has" },
		{ "serve --problems", "'imdsnoop trace' has" },
		{ "serve --count 3", "'imdsnoop trace' has" },
		{ "merge --node n a.json", "'imdsnoop trace' has" },
		{ "merge --format pdf a.json", "text, json or html" },
		{ "trace -n", "needs a value: --namespace NS" },
		{ "trace -vn", "needs a value: --namespace NS" },
		{ "report --from t --cgroup /c", "'--cgroup' is for watching" },
		{ "report --from t --duration 5s", "'--duration' is for watching" },
		{ "trace --pcapng f --output f", "'--pcapng' and '--output' give one file" },
		{ "report --brief --json", "'--brief' is a line of text" },
		{ "report --exit-code=", "needs a value: --exit-code[=N]" },
		{ "report --exit-code=0", "1 to 255" },
		{ "report --exit-code=256", "1 to 255" },
		{ "report --exit-code=+1", "1 to 255" },
		{ "report --exit-code 3", "unexpected argument '3'" },
		{ "help frobnicate", "unknown command 'frobnicate'" },
		{ "hepl", "did you mean 'help'" },
		{ "serve --listen 9754", "ADDR:PORT" },
		{ "serve --listen 127.0.0.1", "ADDR:PORT" },
		{ "serve --listen localhost:9754", "ADDR:PORT" },
		{ "serve --listen ::1", "ADDR:PORT" },
		{ "serve --listen unix:run.sock", "unix:/PATH" },
		{ "report --what-if hop-limit=0", "N from 1 to 64" },
		{ "report --what-if hop-limit=65", "N from 1 to 64" },
		{ "report --what-if hop-limit=2,", "N from 1 to 64" },
		{ "report --what-if hop-limit=2,hop-limit=3", "N from 1 to 64" },
		{ "report --what-if hop-limit=2,tokens=maybe", "N from 1 to 64" },
		{ "report --what-if hops=2", "N from 1 to 64" },
		{ "ready --what-if endpoint=no f", "endpoint=off and role-delivery=2.0" },
		{ "merge", "needs files" },
		{ "merge --", "needs files" },
		{ "trace --cgr\033[31m", "unknown option '--cgr?[31m'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct result *r = parse(rows[i].line);

		if (r->code != EXIT_USAGE || !strstr(r->err, rows[i].says) || strncmp(r->err, "imdsnoop: ", 10) ||
		    strchr(r->err, '\n') != r->err + strlen(r->err) - 1 || *r->out)
			fail_msg("'%s': code %d, stderr '%s', stdout '%s'", rows[i].line, r->code, r->err, r->out);
		done(r);
	}
}

static void a_long_word_is_cut(void **state)
{
	static char word[5000];
	char *argv[] = { "imdsnoop", word, NULL }, *argv2[] = { "imdsnoop", "trace", word, NULL };
	struct options o;
	FILE *err;
	char buf[400] = "";

	(void)state;
	memset(word, '-', sizeof(word) - 1);
	err = fmemopen(buf, sizeof(buf), "w");
	assert_int_equal(options_parse(commands, 2, argv, stdout, err, &o), EXIT_USAGE);
	assert_int_equal(options_parse(commands, 3, argv2, stdout, err, &o), EXIT_USAGE);
	fclose(err);
	assert_true(strlen(buf) < 350);
}

static void help_and_version_go_to_standard_output(void **state)
{
	struct result *r = parse("--help");

	(void)state;
	assert_int_equal(r->code, EXIT_FINE);
	assert_string_equal(r->err, "");
	for (const char *p = r->out; *p; p = strchr(p, '\n') + 1)
		assert_true(strcspn(p, "\n") <= 80);
	for (const struct command *c = commands; c->name; c++) {
		char line[64];
		struct result *h, *again;

		assert_non_null(strstr(r->out, c->name));
		snprintf(line, sizeof(line), "%s --help", c->name);
		h = parse(line);
		assert_int_equal(h->code, EXIT_FINE);
		assert_string_equal(h->err, "");
		assert_non_null(strstr(h->out, c->examples[0]));
		assert_non_null(strstr(h->out, c->examples[1]));
		assert_non_null(strstr(h->out, "--quiet"));
		assert_true(!strcmp(c->name, "serve") == !!strstr(h->out, "--listen"));
		for (const char *p = h->out; *p; p = strchr(p, '\n') + 1)
			assert_true(strcspn(p, "\n") <= 80 || p[2] == 'i'); /* examples are whole */
		snprintf(line, sizeof(line), "help %s", c->name);
		again = parse(line);
		assert_string_equal(again->out, h->out);
		done(again);
		done(h);
	}
	done(r);
	r = parse("trace --version");
	assert_int_equal(r->code, EXIT_FINE);
	assert_string_equal(r->out, "imdsnoop " IMDSNOOP_VERSION "\n");
	done(r);
	r = parse("version");
	assert_string_equal(r->out, "imdsnoop " IMDSNOOP_VERSION "\n");
	done(r);
	r = parse("--version");
	assert_string_equal(r->out, "imdsnoop " IMDSNOOP_VERSION "\n");
	done(r);
}

static void every_example_parses(void **state)
{
	(void)state;
	for (const struct command *c = commands; c->name; c++)
		for (int i = 0; i < 2; i++) {
			struct result *r = parse(c->examples[i] + strlen("imdsnoop "));

			if (r->code != -1 || r->o.command != c)
				fail_msg("'%s': %s", c->examples[i], r->err);
			done(r);
		}
}

static void files_and_options_may_mix(void **state)
{
	struct result *r = parse("merge a.json --json b.json --output o -- -c.json --json");

	(void)state;
	assert_int_equal(r->code, -1);
	assert_int_equal(r->o.format, FORMAT_JSON);
	assert_string_equal(r->o.output, "o");
	assert_int_equal(r->o.files_len, 4);
	assert_string_equal(r->o.files[0], "a.json");
	assert_string_equal(r->o.files[1], "b.json");
	assert_string_equal(r->o.files[2], "-c.json");
	assert_string_equal(r->o.files[3], "--json");
	done(r);
}

static void node_falls_back_to_host_name(void **state)
{
	struct options o = { .node = "n7" };
	char buf[64], host[64];

	(void)state;
	assert_string_equal(options_node(&o, buf, sizeof(buf)), "n7");
	o.node = NULL;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_string_equal(options_node(&o, buf, sizeof(buf)), *host ? host : "localhost");
}

/* --- the documents name every option --- */

struct document {
	const char *path, *format;
	char text[65536];
};

static void option_is_in(void *arg, const char *name, unsigned int groups)
{
	struct document *d = arg;
	char word[64];

	(void)groups;
	snprintf(word, sizeof(word), d->format, name);
	for (const char *at = strstr(d->text, word); at; at = strstr(at + 1, word)) {
		char end = at[strlen(word)];

		if (!(end >= 'a' && end <= 'z') && end != '-' && end != '\\')
			return;
	}
	fail_msg("%s does not name %s", d->path, word);
}

static void documents_name_every_command_and_option(void **state)
{
	static struct document docs[] = {
		{ .path = "user/man/imdsnoop.8", .format = "\\-\\-%s" }, /* escaped, so that they copy well */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		FILE *f = fopen(docs[i].path, "r");
		char *out, *p;
		size_t len;

		if (!f)
			fail_msg("%s: run from the top of the tree", docs[i].path);
		len = fread(docs[i].text, 1, sizeof(docs[i].text) - 1, f);
		fclose(f);
		docs[i].text[len] = '\0';
		if (i == 0) /* roff: "\-" inside names is a dash */
			for (p = out = docs[i].text; (*out = *p); p++, out++)
				if (p[0] == '\\' && p[1] == '-' && out > docs[i].text && out[-1] >= 'a' && out[-1] <= 'z')
					*out = *++p;
		options_for_each(option_is_in, &docs[i]);
		for (const struct command *c = commands; c->name; c++)
			if (!strstr(docs[i].text, c->name))
				fail_msg("%s does not name command %s", docs[i].path, c->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_interface),
		cmocka_unit_test(each_option_reaches_its_member),
		cmocka_unit_test(letters_and_words_mean_the_same),
		cmocka_unit_test(durations_are_sums_of_numbers_with_units),
		cmocka_unit_test(endpoints_replace_the_default_list),
		cmocka_unit_test(endpoint_with_a_port_comes_first),
		cmocka_unit_test(at_most_sixteen_endpoints),
		cmocka_unit_test(wrong_usage_is_one_line_that_says_what_to_do),
		cmocka_unit_test(a_long_word_is_cut),
		cmocka_unit_test(help_and_version_go_to_standard_output),
		cmocka_unit_test(every_example_parses),
		cmocka_unit_test(files_and_options_may_mix),
		cmocka_unit_test(node_falls_back_to_host_name),
		cmocka_unit_test(documents_name_every_command_and_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
