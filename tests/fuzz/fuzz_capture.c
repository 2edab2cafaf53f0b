/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/capture/ user/kernel/http_table.c user/kernel/nfa.c */
/*
 * Captures of any bytes: the first byte chooses whether a header is put before them, so that packets are reached soon;
 * 0xff: the file begins behind it (pcapng, gzip).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/capture/capture_flows.h"
#include "../../user/kernel/http_table.h"

static void on_request(void *arg, const struct imds_rec_request *rec, const struct capture_evidence *evidence)
{
	if (rec->req.path_len >= IMDS_PATH_LEN || rec->req.kind >= IMDS_KIND_COUNT || rec->peer.endpoint > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t header[24] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [16] = 0xff, 0xff };
	static const uint16_t links[] = { LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2, LINK_NULL };
	static struct imds_endpoint endpoints[] = {
		{ .addr.b = { [10] = 0xff, 0xff, 169, 254, 169, 254 } },
		{ .addr.b = { 0xfd, 0, 0x0e, 0xc2, [14] = 2, 0x54 }, .port = 80 },
	};
	static struct imds_http_table http;
	const struct capture_flows_options o = { endpoints, 2, &http, 250000000, on_request, NULL };
	const char *name = "input";
	struct packet_files *files;
	struct capture_flows *flows;
	struct packet p;
	char msg[256];
	uint8_t *bytes;
	FILE *f;
	unsigned int sum = 0;
	int got;

	if (!size || size > 65536)
		return 0;
	if (!http.column_of['a'] && http_table_compile(&http))
		abort();
	bytes = malloc(size + sizeof(header));
	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + 20, &links[data[0] % 5], 2);
	memcpy(bytes + sizeof(header), data + 1, size - 1);
	f = data[0] == 0xff && size > 1 ? fmemopen((void *)(data + 1), size - 1, "r")
	    : data[0] & 0x80		? fmemopen((void *)data, size, "r")
					: fmemopen(bytes, size - 1 + sizeof(header), "r");
	files = packet_files_new(&f, &name, 1);
	flows = capture_flows_new(&o);
	while ((got = packet_files_next(files, &p, msg, sizeof(msg))) != 0)
		if (got > 0) {
			for (uint32_t i = 0; i < p.comment_len; i++)
				sum += p.comment[i];
			capture_flows_packet(flows, &p);
		}
	if (sum == 0x12345678) /* the bytes were looked at */
		abort();
	capture_flows_end(flows);
	capture_flows_free(flows);
	packet_files_free(files);
	fclose(f);
	free(bytes);
	return 0;
}
