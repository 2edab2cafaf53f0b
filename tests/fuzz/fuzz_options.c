/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/options/ */
/*
 * Words parted by NUL or newline become a command line. Properties: a refusal is one line with the program's name and
 * no control byte; what is accepted is in its bounds, and its endpoints read back as themselves.
 */
#include "commands.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#define MAX_ARGS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const char *text, size_t len)
{
	assert(len > 10 && !strncmp(text, "imdsnoop: ", 10));
	assert(text[len - 1] == '\n' && len < 600);
	for (size_t i = 0; i + 1 < len; i++)
		assert(!iscntrl((unsigned char)text[i]));
}

static void check_accepted(const struct options *o)
{
	const uint64_t most = 1000ull * 3600 * 1000000000;

	assert(o->command && o->command->run);
	assert(o->stall_ns >= 1000000 && o->stall_ns <= most && o->slow_ns >= 1000000 && o->slow_ns <= most);
	assert(o->duration_ns <= most);
	assert(o->max_pods >= 1 && o->max_pods <= OPTIONS_MAX_PODS);
	assert(o->max_flows >= 1 && o->max_flows <= OPTIONS_MAX_FLOWS);
	assert(!o->what_if || (o->what_if_hop_limit <= 64 && (o->command->groups & OPTIONS_REPORT)));
	assert(o->endpoints_len >= 1 && o->endpoints_len <= IMDS_MAX_ENDPOINTS && !o->endpoint_texts[o->endpoints_len]);
	for (size_t i = 0; i < o->endpoints_len; i++) {
		struct imds_endpoint e;

		assert(!options_parse_endpoint(o->endpoint_texts[i], &e));
		assert(!memcmp(&e, &o->endpoints[i], sizeof(e)));
	}
	assert(o->format != FORMAT_HTML || (o->command->groups & OPTIONS_HTML));
	if (o->command->groups & OPTIONS_READY)
		assert(o->files_len || o->from_state);
	else
		assert((o->files_len > 0) == !!(o->command->groups & OPTIONS_FILES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words = malloc(size + 1), *argv[MAX_ARGS + 1], *out_text = NULL, *err_text = NULL;
	size_t out_len = 0, err_len = 0;
	struct options o;
	FILE *out, *err;
	int argc = 1, code;

	if (!words)
		return 0;
	memcpy(words, data, size);
	words[size] = '\0';
	argv[0] = "imdsnoop";
	for (size_t i = 0, start = 0; i <= size && argc < MAX_ARGS; i++) {
		if (words[i] && words[i] != '\n')
			continue;
		words[i] = '\0';
		argv[argc++] = words + start;
		start = i + 1;
	}
	argv[argc] = NULL;
	out = open_memstream(&out_text, &out_len);
	err = open_memstream(&err_text, &err_len);
	code = options_parse(commands, argc, argv, out, err, &o);
	fclose(out);
	fclose(err);
	assert(code == -1 || code == EXIT_FINE || code == EXIT_USAGE);
	assert((code == EXIT_FINE) == (out_len > 0) && (code == EXIT_USAGE) == (err_len > 0));
	if (code == EXIT_USAGE)
		check_refusal(err_text, err_len);
	else if (code == -1)
		check_accepted(&o);
	free(out_text);
	free(err_text);
	free(words);
	return 0;
}
