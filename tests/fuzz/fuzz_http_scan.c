/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/http_table.c user/kernel/nfa.c tests/unit/http_reference.c */
/* Property: cut anywhere, the scan finds what a plain parser finds. Byte 0: answer or request; byte 1: size of cuts. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/kernel/http_table.h"
#include "http_reference.h"

static struct imds_http_table table;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return http_table_compile(&table);
}

static void compare(const uint8_t *buf, size_t len, size_t cut, int answer)
{
	struct imds_scan s = { .state = answer ? IMDS_HTTP_START_RESPONSE : IMDS_HTTP_START_REQUEST };
	char path[IMDS_PATH_LEN] = "";
	struct http_reference r;
	size_t at = 0;

	while (at < len && !imds_scan_ended(&s)) {
		size_t to = len - at < cut ? len : at + cut;

		if (answer)
			at = imds_scan_bytes(&table, &s, NULL, buf, at, to);
		else
			at = imds_scan_bytes(&table, &s, path, buf, at, to);
	}
	http_reference_parse(buf, len, answer, &r);
	assert(r.ended == imds_scan_ended(&s));
	assert(r.dead == (s.state == IMDS_HTTP_DEAD));
	assert(r.end == at);
	assert(r.words == s.words);
	assert(r.length == s.length);
	if (answer) {
		assert(r.status == s.status);
		return;
	}
	assert(r.method == s.method);
	assert(r.path_len == s.path_len);
	assert(!memcmp(r.path, path, sizeof(path)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	compare(data + 2, size - 2, size, data[0] & 1);
	compare(data + 2, size - 2, data[1] % 67 + 1, data[0] & 1);
	/* what is known of a head that was cut short */
	compare(data + 2, (size - 2) * (data[1] + 1) / 256, size, data[0] & 1);
	return 0;
}
