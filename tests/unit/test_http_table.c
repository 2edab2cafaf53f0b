/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/http_table.c user/kernel/nfa.c tests/unit/http_reference.c */
/* Request and answer heads as real clients and services send them, hostile ones, and cuts at every byte. */
#include "../../user/kernel/http_table.h"
#include "../../user/kernel/nfa.h"
#include "unit.h"
#include "http_reference.h"

#define W(word) IMDS_W_##word
#define EC2_TOKEN (W(P_EC2) | W(P_API) | W(P_TOKEN))

static struct imds_http_table table;

static const struct request_case {
	const char *name, *head;
	uint8_t class;
	enum imds_method method;
	enum imds_kind kind;
	enum imds_version version;
	const char *path;
	uint32_t words; /* besides IMDS_W_HTTP */
} requests[] = {
#define IMDS IMDS_EP_IMDS
#define M(m) IMDS_METHOD_##m
#define K(k) IMDS_KIND_##k
#define V(v) IMDS_VERSION_##v
#define END "\r\nHost: 169.254.169.254\r\n\r\n"
	{ "botocore, JS v2: lower case",
	  "PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600" END, IMDS, M(PUT), K(TOKEN),
	  V(V2), "/latest/api/token", EC2_TOKEN | W(H_TOKEN_TTL) },
	{ "Go v2: canonical case",
	  "PUT /latest/api/token HTTP/1.1\r\nUser-Agent: aws-sdk-go-v2\r\nContent-Length: 0\r\n"
	  "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 300" END,
	  IMDS, M(PUT), K(TOKEN), V(V2), "/latest/api/token", EC2_TOKEN | W(H_TOKEN_TTL) | W(H_LENGTH) },
	{ "versioned token path (403 by design)",
	  "PUT /2021-03-23/api/token HTTP/1.1\r\n"
	  "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nX-Forwarded-For: 10.0.0.1" END,
	  IMDS, M(PUT), K(TOKEN), V(V2), "/2021-03-23/api/token", EC2_TOKEN | W(H_TOKEN_TTL) | W(H_FORWARDED) },
	{ "proxy's absolute target", "PUT http://169.254.169.254/latest/api/token HTTP/1.1" END, IMDS, M(PUT), K(TOKEN),
	  V(V2), "/latest/api/token", EC2_TOKEN },
	{ "absolute, any case, port", "GET HTTPS://[fd00:ec2::254]:80/latest/user-data?a=/b HTTP/1.1" END, IMDS, M(GET),
	  K(USER_DATA), V(V1), "/latest/user-data", W(P_EC2) | W(P_USER_DATA) },
	{ "absolute without a path", "GET http://metadata.google.internal HTTP/1.1" END, IMDS, M(GET), K(OTHER),
	  V(NONE), "", 0 },
	{ "v2 credentials",
	  "GET /latest/meta-data/iam/security-credentials/role HTTP/1.1\r\n"
	  "x-aws-ec2-metadata-token: AQAEAOz==" END,
	  IMDS, M(GET), K(CREDENTIALS), V(V2), "/latest/meta-data/iam/security-credentials/role",
	  W(P_EC2) | W(P_META_DATA) | W(P_SECURITY_CREDS) | W(H_TOKEN) },
	{ "v1 role list", "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1" END, IMDS, M(GET), K(CREDENTIALS),
	  V(V1), "/latest/meta-data/iam/security-credentials/", W(P_EC2) | W(P_META_DATA) | W(P_SECURITY_CREDS) },
	{ "curl's v1", "GET /latest/meta-data/instance-id HTTP/1.1" END, IMDS, M(GET), K(DATA), V(V1),
	  "/latest/meta-data/instance-id", W(P_EC2) | W(P_META_DATA) },
	{ "the root of a version", "HEAD /1.0 HTTP/1.0\r\n\r\n", IMDS, M(HEAD), K(DATA), V(V1), "/1.0", W(P_EC2) },
	{ "identity document", "GET /2016-09-02/dynamic/instance-identity/document HTTP/1.1" END, IMDS, M(GET),
	  K(IDENTITY), V(V1), "/2016-09-02/dynamic/instance-identity/document",
	  W(P_EC2) | W(P_META_DATA) | W(P_IDENTITY) },
	{ "GET of the token path", "GET /latest/api/token HTTP/1.1" END, IMDS, M(GET), K(DATA), V(V1),
	  "/latest/api/token", EC2_TOKEN },
	{ "empty segments", "PUT //latest//api/token HTTP/1.1" END, IMDS, M(PUT), K(TOKEN), V(V2),
	  "//latest//api/token", EC2_TOKEN },
	{ "Alibaba token", "PUT /latest/api/token HTTP/1.1\r\nX-aliyun-ecs-metadata-token-ttl-seconds:21600" END,
	  IMDS_EP_ALIBABA, M(PUT), K(TOKEN), V(V2), "/latest/api/token", EC2_TOKEN | W(H_TOKEN_TTL) | W(H_ALIBABA) },
	{ "Alibaba credentials",
	  "GET /latest/meta-data/ram/security-credentials/r HTTP/1.1\r\n"
	  "X-aliyun-ecs-metadata-token: x" END,
	  IMDS_EP_ALIBABA, M(GET), K(CREDENTIALS), V(V2), "/latest/meta-data/ram/security-credentials/r",
	  W(P_EC2) | W(P_META_DATA) | W(P_SECURITY_CREDS) | W(H_TOKEN) | W(H_ALIBABA) },
	{ "Akamai token", "PUT /v1/token HTTP/1.1\r\nMetadata-Token-Expiry-Seconds: 3600" END, IMDS, M(PUT), K(TOKEN),
	  V(V2), "/v1/token", W(P_V1) | W(P_TOKEN) | W(H_TOKEN_TTL) },
	{ "Akamai data", "GET /v1/instance HTTP/1.1\r\nMetadata-Token: x" END, IMDS, M(GET), K(DATA), V(NONE),
	  "/v1/instance", W(P_V1) | W(H_TOKEN) },
	{ "Akamai user data", "GET /v1/user-data HTTP/1.1\r\nMetadata-Token: x" END, IMDS, M(GET), K(USER_DATA),
	  V(NONE), "/v1/user-data", W(P_V1) | W(P_USER_DATA) | W(H_TOKEN) },
	{ "GCE ping", "GET / HTTP/1.1\r\nMetadata-Flavor: Google" END, IMDS, M(GET), K(OTHER), V(NONE), "/", W(H_FLAVOR) },
	{ "GCE access token",
	  "GET /computeMetadata/v1/instance/service-accounts/default/token?scopes=a HTTP/1.1\r\n"
	  "metadata-flavor: Google" END,
	  IMDS, M(GET), K(CREDENTIALS), V(NONE), "/computeMetadata/v1/instance/service-accounts/default/token",
	  W(P_GCE) | W(P_SERVICE_ACCTS) | W(P_TOKEN) | W(H_FLAVOR) },
	{ "GCE identity", "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=x HTTP/1.1" END,
	  IMDS, M(GET), K(IDENTITY), V(NONE), "/computeMetadata/v1/instance/service-accounts/default/identity",
	  W(P_GCE) | W(P_SERVICE_ACCTS) | W(P_IDENTITY) },
	{ "GCE project", "GET /computeMetadata/v1/project/project-id HTTP/1.1" END, IMDS, M(GET), K(DATA), V(NONE),
	  "/computeMetadata/v1/project/project-id", W(P_GCE) },
	{ "Azure instance", "GET /metadata/instance?api-version=2021-02-01 HTTP/1.1\r\nMetadata: true" END, IMDS,
	  M(GET), K(DATA), V(NONE), "/metadata/instance", W(P_AZURE) | W(H_METADATA) },
	{ "Azure managed identity",
	  "GET /metadata/identity/oauth2/token?api-version=2018-02-01 HTTP/1.1\r\nMetadata:True \t" END, IMDS, M(GET),
	  K(CREDENTIALS), V(NONE), "/metadata/identity/oauth2/token",
	  W(P_AZURE) | W(P_IDENTITY) | W(P_TOKEN) | W(H_METADATA) },
	{ "Azure probe, header of another value", "GET /metadata/attested/document HTTP/1.1\r\nMetadata: trueish" END,
	  IMDS, M(GET), K(IDENTITY), V(NONE), "/metadata/attested/document", W(P_AZURE) | W(P_ATTESTED) },
	{ "OpenStack", "GET /openstack/2018-08-27/user_data HTTP/1.1" END, IMDS, M(GET), K(USER_DATA), V(NONE),
	  "/openstack/2018-08-27/user_data", W(P_OPENSTACK) | W(P_USER_DATA) },
	{ "OpenStack data", "GET /openstack/latest/meta_data.json HTTP/1.1" END, IMDS, M(GET), K(DATA), V(NONE),
	  "/openstack/latest/meta_data.json", W(P_OPENSTACK) },
	{ "Oracle", "GET /opc/v2/instance/ HTTP/1.1\r\nAuthorization: Bearer Oracle" END, IMDS, M(GET), K(DATA),
	  V(NONE), "/opc/v2/instance/", W(P_ORACLE) | W(H_ORACLE) },
	{ "Oracle identity, foreign bearer", "GET /opc/v2/identity/cert.pem HTTP/1.1\r\nAuthorization: Bearer Oracle1" END,
	  IMDS, M(GET), K(IDENTITY), V(NONE), "/opc/v2/identity/cert.pem", W(P_ORACLE) | W(P_IDENTITY) },
	{ "a value is exact", "GET /opc/v1/ HTTP/1.1\r\nauthorization: bearer oracle" END, IMDS, M(GET), K(DATA),
	  V(NONE), "/opc/v1/", W(P_ORACLE) },
	{ "ECS credentials", "GET /v2/credentials/uuid HTTP/1.1" END, IMDS_EP_ECS, M(GET), K(CREDENTIALS), V(NONE),
	  "/v2/credentials/uuid", W(P_CREDENTIALS) },
	{ "ECS metadata", "GET /v4/id/task HTTP/1.1" END, IMDS_EP_ECS, M(GET), K(DATA), V(NONE), "/v4/id/task", 0 },
	{ "EKS Pod Identity", "GET /v1/credentials HTTP/1.1\r\nAuthorization: eyJ" END, IMDS_EP_EKS, M(GET),
	  K(CREDENTIALS), V(NONE), "/v1/credentials", W(P_V1) | W(P_CREDENTIALS) },
	{ "EKS, another path", "GET /latest/meta-data/ HTTP/1.1" END, IMDS_EP_EKS, M(GET), K(OTHER), V(NONE),
	  "/latest/meta-data/", W(P_EC2) | W(P_META_DATA) },
	{ "words in the wrong place", "PUT /a/latest/api/tokens/xtoken?/token/user-data HTTP/1.1" END, IMDS, M(PUT),
	  K(OTHER), V(NONE), "/a/latest/api/tokens/xtoken", 0 },
	{ "names that only resemble",
	  "GET /latestx/meta-datax HTTP/1.1\r\nx-x-aws-ec2-metadata-token: a\r\n"
	  "x-aws-ec2-metadata-token : a\r\n x-aws-ec2-metadata-token: a\r\nmetadata-tokens: a\r\nx-note: metadata: "
	  "true" END,
	  IMDS, M(GET), K(OTHER), V(NONE), "/latestx/meta-datax", 0 },
	{ "case of a path counts", "GET /Latest/Meta-Data/ HTTP/1.1" END, IMDS, M(GET), K(OTHER), V(NONE),
	  "/Latest/Meta-Data/", 0 },
	{ "api behind something else", "PUT /v1/api/token HTTP/1.1" END, IMDS_EP_ECS, M(PUT), K(DATA), V(NONE),
	  "/v1/api/token", W(P_V1) | W(P_TOKEN) },
	{ "POST, chunked, bare LF", "POST /metadata/identity/x HTTP/1.1\nTransfer-Encoding: gzip, Chunked\n\n", IMDS,
	  M(POST), K(CREDENTIALS), V(NONE), "/metadata/identity/x", W(P_AZURE) | W(P_IDENTITY) | W(H_CHUNKED) },
	{ "blanks ahead of the target", "PUT   /latest/api/token HTTP/1.1" END, IMDS, M(PUT), K(TOKEN), V(V2),
	  "/latest/api/token", EC2_TOKEN },
	{ "IBM token", "PUT /instance_identity/v1/token?version=2022-03-01 HTTP/1.1\r\nMetadata-Flavor: ibm" END, IMDS,
	  M(PUT), K(TOKEN), V(V2), "/instance_identity/v1/token", W(P_IBM) | W(P_TOKEN) | W(H_FLAVOR) },
	{ "IBM token, newer", "PUT /identity/v1/token HTTP/1.1\r\nMetadata-Flavor: ibm" END, IMDS, M(PUT), K(TOKEN),
	  V(V2), "/identity/v1/token", W(P_IBM) | W(P_IDENTITY) | W(P_TOKEN) | W(H_FLAVOR) },
	{ "IBM credentials", "POST /instance_identity/v1/iam_token HTTP/1.1" END, IMDS, M(POST), K(CREDENTIALS),
	  V(NONE), "/instance_identity/v1/iam_token", W(P_IBM) | W(P_CREDENTIALS) },
	{ "GCE, waiting for a change",
	  "GET /computeMetadata/v1/?timeout_sec=60&wait_for_change=true&alt=json HTTP/1.1" END, IMDS, M(GET), K(DATA),
	  V(NONE), "/computeMetadata/v1/", W(P_GCE) | W(Q_WAIT) },
	{ "GCE, waiting as Python writes it", "GET /computeMetadata/v1/?wait_for_change=True HTTP/1.1" END, IMDS,
	  M(GET), K(DATA), V(NONE), "/computeMetadata/v1/", W(P_GCE) | W(Q_WAIT) },
	{ "GCE, not waiting", "GET /computeMetadata/v1/wait_for_change=true?wait_for_change=false HTTP/1.1" END, IMDS,
	  M(GET), K(DATA), V(NONE), "/computeMetadata/v1/wait_for_change=true", W(P_GCE) },
	{ "other methods", "DELETE /latest/x HTTP/1.1" END, IMDS, M(OTHER), K(DATA), V(NONE), "/latest/x", W(P_EC2) },
	{ "a method that begins as a known one", "GETS /latest/x HTTP/1.1" END, IMDS, M(OTHER), K(DATA), V(NONE),
	  "/latest/x", W(P_EC2) },
	{ "no path", "OPTIONS * HTTP/1.1" END, IMDS, M(OTHER), K(OTHER), V(NONE), "", 0 },
	{ "empty lines ahead, fragment", "\r\n\nGET /latest/dynamic#token HTTP/1.1" END, IMDS, M(GET), K(DATA), V(V1),
	  "/latest/dynamic", W(P_EC2) | W(P_META_DATA) },
};

static size_t scan(const char *head, size_t len, size_t cut, bool answer, struct imds_scan *s, char *path)
{
	const uint8_t *buf = (const uint8_t *)head;
	size_t at;

	*s = (struct imds_scan){ .state = answer ? IMDS_HTTP_START_RESPONSE : IMDS_HTTP_START_REQUEST };
	memset(path, 0, IMDS_PATH_LEN);
	if (answer)
		at = imds_scan_bytes(&table, s, NULL, buf, 0, cut);
	else
		at = imds_scan_bytes(&table, s, path, buf, 0, cut);
	if (imds_scan_ended(s))
		return at;
	if (answer)
		return imds_scan_bytes(&table, s, NULL, buf, at, len);
	return imds_scan_bytes(&table, s, path, buf, at, len);
}

static void check_reference(const char *head, size_t len, size_t cut, bool answer)
{
	char path[IMDS_PATH_LEN];
	struct http_reference r;
	struct imds_scan s;
	size_t at = scan(head, len, cut, answer, &s, path);

	http_reference_parse((const uint8_t *)head, len, answer, &r);
	assert_int_equal(at, r.end);
	assert_int_equal(imds_scan_ended(&s), r.ended);
	assert_int_equal(s.state == IMDS_HTTP_DEAD, r.dead);
	assert_int_equal(s.words, r.words);
	assert_int_equal(s.length, r.length);
	if (answer) {
		assert_int_equal(s.status, r.status);
		return;
	}
	assert_int_equal(s.method, r.method);
	assert_int_equal(s.path_len, r.path_len);
	assert_memory_equal(path, r.path, sizeof(path));
}

static void real_requests_at_every_cut(void **state)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request_case *c = &requests[i];
		size_t len = strlen(c->head);

		for (size_t cut = 0; cut <= len; cut++) {
			char path[IMDS_PATH_LEN];
			struct imds_scan s;
			enum imds_kind kind;

			if (scan(c->head, len, cut, false, &s, path) != len || !imds_scan_ended(&s) ||
			    s.method != c->method || s.words != (c->words | IMDS_W_HTTP) || strcmp(path, c->path) ||
			    s.path_len != strlen(c->path))
				fail_msg("%s, cut at %zu: method %u, words %x, path '%s'", c->name, cut, s.method,
					 s.words, path);
			kind = imds_request_kind(s.method, s.words, c->class);
			if (kind != c->kind || imds_request_version(s.method, s.words, c->class, kind) != c->version)
				fail_msg("%s: kind %d", c->name, kind);
			check_reference(c->head, cut, cut, false); /* what is known so far */
		}
	}
}

static const struct answer_case {
	const char *head;
	uint16_t status;
	uint32_t words;
	uint32_t length;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600\r\nContent-Type: text/plain\r\n"
	  "Content-Length: 56\r\nServer: EC2ws\r\n\r\n",
	  200, W(H_TOKEN_TTL) | W(H_LENGTH), 56 },
	{ "HTTP/1.0 401 Unauthorized\r\ncontent-length:0\r\n\r\n", 401, W(H_LENGTH), 0 },
	{ "HTTP/1.1 503\n\n", 503, 0, 0 },
	{ "HTTP/1.1 100 Continue\r\n\r\n", 100, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nTransfer-Encoding: chunked\r\n\r\n", 200,
	  W(H_FLAVOR) | W(H_CHUNKED), 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nX: chunked\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: \t 17 \t\r\n\r\n", 200, W(H_LENGTH), 17 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 12abc\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 200, W(H_LENGTH), 6 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5 ,\t7\r\n\r\n", 200, W(H_LENGTH), 7 },
	{ "HTTP/1.1 200 OK\r\nContent-Length:\r\n 8\r\n\r\n", 200, W(H_LENGTH), 8 },
	{ "HTTP/1.1 200 OK\r\nContent-Length:\n\t8 \n \r\n\r\n", 200, W(H_LENGTH), 8 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n 9\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length : 8\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n Chunked \r\n\r\n", 200, W(H_CHUNKED), 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\t, chunked\r\n\r\n", 200, W(H_CHUNKED), 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\rx, chunked\r\n\r\n", 200, W(H_CHUNKED), 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n", 200, W(H_LENGTH), 2 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: x\r\n\r\n", 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 4294967279\r\n\r\n", 200, W(H_LENGTH), 4294967279u },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n", 200, W(H_LENGTH), IMDS_LENGTH_MAX },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n", 200, W(H_LENGTH), IMDS_LENGTH_MAX },
};

static void answers_at_every_cut(void **state)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct answer_case *c = &answers[i];
		size_t len = strlen(c->head);

		for (size_t cut = 0; cut <= len; cut++) {
			char path[IMDS_PATH_LEN];
			struct imds_scan s;

			if (scan(c->head, len, cut, true, &s, path) != len || !imds_scan_ended(&s) ||
			    s.status != c->status || s.words != (c->words | IMDS_W_HTTP) || s.length != c->length)
				fail_msg("%s cut at %zu: status %u, words %x, length %u", c->head, cut, s.status,
					 s.words, s.length);
			check_reference(c->head, cut, cut, true);
		}
	}
}

/* Several heads in one packet, bodies between them: each call stops behind its own. */
static void pipelined_heads(void **state)
{
	static const char packet[] = "GET /latest/a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
				     "PUT /latest/api/token HTTP/1.1\r\n\r\n";
	static const char *const paths[] = { "/latest/a", "/b", "/latest/api/token" };
	size_t at = 0;

	for (int i = 0; i < 3; i++) {
		struct imds_scan s = { .state = IMDS_HTTP_START_REQUEST };
		char path[IMDS_PATH_LEN] = "";

		at = imds_scan_bytes(&table, &s, path, (const uint8_t *)packet, at, sizeof(packet) - 1);
		assert_true(imds_scan_ended(&s));
		assert_string_equal(path, paths[i]);
		at += s.length;
	}
	assert_int_equal(at, sizeof(packet) - 1);
}

static const struct chunks_case {
	const char *text;
	size_t data;
	bool whole; /* and text is nothing but this body */
} chunk_texts[] = {
	{ "0\r\n\r\n", 0, true },
	{ "5\r\nhello\r\n0\r\n\r\n", 5, true },
	{ "A\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", 10, true },
	{ "00005;n=\"v\";x\r\nhello\r\n000;y\r\nX: 0\r\nY: 1\r\n\r\n", 5, true },
	{ "5\nhello\n0\n\n", 5, true },
	{ "0\r\n\rX\n\r\n", 0, true },
	{ "1f\r\n0123456789abcdef0123456789ABCDE\r\n0 \r\n\r\n", 31, true },
	{ "5\r\nhello0\r\n\r\n", 5, false },
	{ "\r\n", 0, false },
	{ "x\r\n", 0, false },
	{ "-5\r\n", 0, false },
	{ "5\r\nhel", 3, false },
};

/* In two pieces at every byte; a broken body ends as IMDS_HTTP_DEAD or goes on, never as ended. */
static void chunked_bodies_at_every_cut(void **state)
{
	for (size_t i = 0; i < sizeof(chunk_texts) / sizeof(chunk_texts[0]); i++) {
		const struct chunks_case *c = &chunk_texts[i];
		const uint8_t *buf = (const uint8_t *)c->text;
		size_t len = strlen(c->text);

		for (size_t cut = 0; cut <= len; cut++) {
			struct imds_scan s = { .words = IMDS_W_H_CHUNKED };
			size_t at = 0, data = 0;
			bool open = imds_body_begin(&s, true, false);

			while (open && at < len && s.state != IMDS_HTTP_DEAD) {
				size_t end = at < cut ? cut : len;
				uint32_t n;

				if (s.body_left) {
					n = imds_body_skip(&s, end - at);
					data += n;
					at += n;
				} else {
					at = imds_scan_bytes(&table, &s, NULL, buf, at, end);
					open = imds_body_scanned(&s);
				}
			}
			if (data != c->data || open == c->whole || (c->whole && at != len))
				fail_msg("%s cut at %zu: %zu bytes of data, %zu of all", c->text, cut, data, at);
		}
	}
	struct imds_scan huge = { .words = IMDS_W_H_CHUNKED };

	imds_body_begin(&huge, true, false);
	imds_scan_bytes(&table, &huge, NULL, (const uint8_t *)"fffffffffffffffff\r\n", 0, 19);
	imds_body_scanned(&huge);
	assert_int_equal(huge.body_left, IMDS_LENGTH_MAX);
}

static void hostile_heads(void **state)
{
	static const char *const no_http[] = {
		"\x16\x03\x01\x02",	     " GET / HTTP/1.1\r\n\r\n",
		"GET\t/ HTTP/1.1\r\n\r\n",   "GET /\r\n\r\n",
		"GET / FTP/1.1\r\n\r\n",     "GET  HTTP/1.1\r\n\r\n",
		"GET /a b HTTP/1.1\r\n\r\n", "GET:/ HTTP/1.1\r\n\r\n",
		"GET / http/1.1\r\n\r\n",
	};
	static char big[8192];
	char path[IMDS_PATH_LEN];
	struct imds_scan s;
	size_t len;

	for (size_t i = 0; i < sizeof(no_http) / sizeof(no_http[0]); i++) {
		len = strlen(no_http[i]);
		scan(no_http[i], len, len, false, &s, path);
		assert_int_equal(s.state, IMDS_HTTP_DEAD);
		assert_false(s.words & IMDS_W_HTTP);
		check_reference(no_http[i], len, 1, false);
	}
	/* a path longer than we keep is cut, its last segments still count; nothing behind path[127] is written */
	len = sprintf(big, "GET /%0200d/latest/token/user-data HTTP/1.1\r\n\r\n", 0);
	scan(big, len, 50, false, &s, path);
	assert_int_equal(s.path_len, IMDS_PATH_LEN - 1);
	assert_int_equal(path[IMDS_PATH_LEN - 1], 0);
	assert_int_equal(s.words, IMDS_W_P_TOKEN | IMDS_W_P_USER_DATA | IMDS_W_HTTP);
	check_reference(big, len, 50, false);
	/* a header of 4 KiB, NULs in it, then one that counts */
	len = sprintf(big, "GET /latest/ HTTP/1.1\r\nCookie: ");
	memset(big + len, 'a', 4096);
	memset(big + len + 100, 0, 50);
	len += 4096;
	len += sprintf(big + len, "\r\nMetadata: true\r\n\r\n");
	assert_int_equal(scan(big, len, 700, false, &s, path), len);
	assert_true(imds_scan_ended(&s));
	assert_int_equal(s.words, IMDS_W_P_EC2 | IMDS_W_H_METADATA | IMDS_W_HTTP);
	/* no line ever ends */
	memset(big, 'A', sizeof(big));
	memcpy(big, "GET /", 5);
	assert_int_equal(scan(big, sizeof(big), 9, false, &s, path), sizeof(big));
	assert_false(imds_scan_ended(&s));
	/* a NUL belongs to the path and does not end it */
	assert_int_equal(scan("GET /\0abc HTTP/1.1\r\n\r\n", 22, 7, false, &s, path), 22);
	assert_int_equal(s.path_len, 5);
	assert_memory_equal(path, "/\0abc", 5);
}

/* Each short answer head of these characters: statuses, digits and line ends in any order. */
static void answers_like_reference(void **state)
{
	static const char alphabet[] = "2\r\n H";
	char head[64] = "HTTP/1.1 ";

	for (int i = 0; i < 15625; i++) {
		size_t len = 9;

		for (int k = i; len < 15; k /= 5)
			head[len++] = alphabet[k % 5];
		check_reference(head, len, 3, true);
		memcpy(head + len, "\nContent-Length: ", 17);
		len += 17;
		for (int k = i; len < 38; k /= 5)
			head[len++] = alphabet[k % 5];
		check_reference(head, len, 30, true);
	}
}

static void built_in_words_fit(void **state)
{
	struct http_table_size size;
	struct imds_http_table *again = test_malloc(sizeof(*again));

	assert_int_equal(http_table_compile_sized(again, &size), 0);
	assert_in_range(size.states, 100, IMDS_HTTP_STATES);
	assert_in_range(size.classes, 30, IMDS_HTTP_CLASSES);
	assert_memory_equal(again, &table, sizeof(table)); /* always the same */
	assert_true(table.attr[IMDS_HTTP_ENDED / IMDS_HTTP_ROW] & IMDS_A_END);
	assert_true(table.attr[IMDS_HTTP_CHUNK_DATA / IMDS_HTTP_ROW] & IMDS_A_END);
	for (int b = 0; b < 256; b++) /* in IMDS_HTTP_ANY bytes may be left out up to a LF */
		assert_int_equal(table.next[(IMDS_HTTP_ANY + table.column_of[b]) / 2] == IMDS_HTTP_ANY, b != '\n');
	assert_int_equal(table.attr[IMDS_HTTP_DEAD], 0);
	for (int c = 0; c < IMDS_HTTP_CLASSES; c++) {
		assert_int_equal(table.next[IMDS_HTTP_DEAD / sizeof(table.next[0]) + c], IMDS_HTTP_DEAD);
		assert_int_equal(table.next[IMDS_HTTP_ENDED / IMDS_HTTP_ROW * IMDS_HTTP_CLASSES + c], IMDS_HTTP_DEAD);
	}
	for (int b = 0; b < 256; b++)
		assert_true(table.column_of[b] % 2 == 0 && table.column_of[b] / 2u < size.classes);
	for (size_t i = 0; i < IMDS_HTTP_STATES * IMDS_HTTP_CLASSES; i++) {
		uint16_t next = table.next[i];

		assert_in_range(next / IMDS_HTTP_ROW, 0, size.states - 1);
		assert_int_equal(next % IMDS_HTTP_ROW & ~(IMDS_S_PATH | IMDS_S_ATTR | IMDS_S_USUAL), 0);
		assert_int_equal(!!(next & IMDS_S_ATTR), table.attr[next / IMDS_HTTP_ROW] != 0);
		assert_int_equal(!!(next & IMDS_S_USUAL), table.usual[next / IMDS_HTTP_ROW].word != 0);
	}
	for (size_t i = IMDS_HTTP_ENDED / IMDS_HTTP_ROW; i <= IMDS_HTTP_CHUNK_NEXT / IMDS_HTTP_ROW; i++)
		assert_int_equal(!!table.usual[i].word, i == IMDS_HTTP_START_REQUEST / IMDS_HTTP_ROW ||
							    i == IMDS_HTTP_START_RESPONSE / IMDS_HTTP_ROW);
	test_free(again);
}

/* Whatever is taken at once is what the steps do; and what is meant to be taken at once is. */
static void usual_words_do_what_steps_do(void **state)
{
	static const char head[] = "PUT /latest/api/token HTTP/1.1\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds:";
	struct imds_scan all = { .state = IMDS_HTTP_START_REQUEST };
	char whole[IMDS_PATH_LEN] = "";
	unsigned int words = 0;

	for (size_t i = 0; i < IMDS_HTTP_STATES + IMDS_HTTP_OTHERS; i++)
		for (int upper = 0; upper < 2; upper++) {
			const struct imds_http_usual *u = &table.usual[i];
			size_t from = i;
			/* no such words for an answer's digits of a status that has begun: 0 */
			struct imds_scan a = { .path_len = u->status ? 0 : 3 }, b;
			char path_a[IMDS_PATH_LEN] = "abc", path_b[IMDS_PATH_LEN] = "abc";
			uint64_t w = upper ? u->word & ~u->fold : u->word;
			uint32_t len = 1000;

			if (!u->word)
				continue;
			for (size_t s = 0; from >= IMDS_HTTP_STATES; s++) /* whose other one it is */
				for (uint8_t o = s < IMDS_HTTP_STATES ? table.usual[s].other : 0; o;
				     o = table.usual[IMDS_HTTP_STATES + o].other)
					if ((size_t)IMDS_HTTP_STATES + o == i)
						from = s;
			a.state = from * IMDS_HTTP_ROW | IMDS_S_USUAL;
			b = a;
			words += !upper;
			uint32_t state_a = a.state, state_b = b.state;
			char *keep = u->status ? NULL : path_a;

			assert_true(keep ? imds_scan_usual(&table, &a, path_a, &state_a, &a.words, w)
					 : imds_scan_usual(&table, &a, NULL, &state_a, &a.words, w));
			for (int k = 0; k < 64; k += 8)
				state_b = keep ? imds_scan_step(&table, &b, path_b, state_b, &b.words, &len, w >> k)
					       : imds_scan_step(&table, &b, NULL, state_b, &b.words, &len, w >> k);
			assert_int_equal(len, 1000);
			assert_int_equal(state_a, state_b);
			assert_memory_equal(&a, &b, sizeof(a));
			assert_memory_equal(path_a, path_b, sizeof(path_a));
		}
	assert_in_range(words, 150, IMDS_HTTP_STATES + IMDS_HTTP_OTHERS);
	for (size_t at = 0; at + 8 <= sizeof(head) - 1; at += 8) {
		uint32_t now = all.state;
		uint64_t w;

		memcpy(&w, head + at, sizeof(w));
		assert_true(imds_scan_usual(&table, &all, whole, &now, &all.words, w));
		all.state = now;
	}
	assert_string_equal(whole, "/latest/api/token");
}

/* Each page of the table that a head reads is one to fetch, for nearly each head. */
static void usual_heads_read_few_pages(void **state)
{
	static const struct {
		bool answer;
		const char *head;
		unsigned int most;
	} cases[] = {
		{ true, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n", 2 },
		{ true, "HTTP/1.1 404 Not Found\r\nServer: EC2ws\r\nTransfer-Encoding: chunked\r\n\r\n", 3 },
		{ false, "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nContent-Length: 0\r\n\r\n", 5 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t now = cases[i].answer ? IMDS_HTTP_START_RESPONSE : IMDS_HTTP_START_REQUEST;
		uint32_t pages = 0;

		for (const char *c = cases[i].head; *c; c++) {
			now &= -IMDS_HTTP_ROW;
			pages |= 1u << now / 4096;
			now = table.next[(now + table.column_of[(uint8_t)*c]) / sizeof(table.next[0])];
		}
		if ((unsigned int)__builtin_popcount(pages) > cases[i].most)
			fail_msg("%d pages: %s", __builtin_popcount(pages), cases[i].head);
	}
}

static uint64_t any_of(uint64_t state, uint64_t node)
{
	return state | node;
}

static void too_many_words(void **state)
{
	struct nfa *n = nfa_new();
	struct dfa *d = malloc(sizeof(*d));
	int root = nfa_node(n, 0);
	char word[24];

	for (int i = 0; i < 100; i++) {
		sprintf(word, "%d-word", i);
		nfa_text(n, root, word, false, 0);
	}
	assert_int_equal(nfa_compile(n, &root, 1, any_of, d), 0);
	assert_int_equal(d->states, 1); /* without attr they all do the same: nothing */
	nfa_edge(n, nfa_text(n, root, "end", true, 0), nfa_bytes("!"), nfa_mark(n, 4));
	assert_int_equal(nfa_compile(n, &root, 1, any_of, d), 0);
	assert_int_equal(d->states, 6);
	assert_int_equal(d->classes, 5); /* eE nN dD ! and the rest */
	for (int i = 0; i < 100; i++) {
		sprintf(word, "%d-longer", i);
		nfa_text(n, root, word, false, 1);
	}
	assert_int_equal(nfa_compile(n, &root, 1, any_of, d), -E2BIG);
	nfa_free(n);

	n = nfa_new();
	root = nfa_node(n, 0);
	for (int byte = 1; byte < 256; byte++) {
		char one[2] = { byte, 0 };

		nfa_edge(n, root, nfa_bytes(one), nfa_mark(n, byte));
	}
	assert_int_equal(nfa_compile(n, &root, 1, any_of, d), -E2BIG); /* byte classes */
	free(d);
	nfa_free(n);
}

static int compile(void **state)
{
	return http_table_compile(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_in_words_fit),
		cmocka_unit_test(usual_words_do_what_steps_do),
		cmocka_unit_test(usual_heads_read_few_pages),
		cmocka_unit_test(too_many_words),
		cmocka_unit_test(real_requests_at_every_cut),
		cmocka_unit_test(answers_at_every_cut),
		cmocka_unit_test(pipelined_heads),
		cmocka_unit_test(chunked_bodies_at_every_cut),
		cmocka_unit_test(hostile_heads),
		cmocka_unit_test(answers_like_reference),
	};

	return cmocka_run_group_tests(tests, compile, NULL);
}
