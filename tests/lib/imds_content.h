/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a metadata service says to a request: the documents, and the rules of tokens. No sockets, no settings.
 * Included by imds_server.c alone.
 * EC2's rules are from its user guide ("How IMDSv2 works", "Retrieve instance metadata"), the others' from cloud-init's
 * data sources. Secrets are made up; each holds PLANTED..., so that a test can search for any that leaked.
 */
#ifndef IMDS_CONTENT_H
#define IMDS_CONTENT_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMDS_TOKEN_LEN 56 /* as real EC2 tokens; ends in == */

enum content_method { CONTENT_GET, CONTENT_HEAD, CONTENT_PUT, CONTENT_OTHER };

/* Header values of the request, NULL where absent. */
struct content_request {
	enum content_method method;
	const char *path;	   /* without query */
	const char *token;	   /* X-aws-ec2-metadata-token */
	const char *token_ttl;	   /* X-aws-ec2-metadata-token-ttl-seconds */
	const char *forwarded_for; /* X-Forwarded-For */
	const char *flavor;	   /* Metadata-Flavor */
	const char *metadata;	   /* Metadata */
	const char *authorization;
};

struct content_answer {
	int status;
	const char *type; /* Content-Type */
	const char *body;
	bool is_token;	    /* to PUT /latest/api/token, whatever the status: the hop limit applies */
	char token_ttl[16]; /* to echo; "" for none */
	bool flavor;	    /* echo Metadata-Flavor: Google */
	char token[IMDS_TOKEN_LEN + 1];
};

#define TOKEN_PREFIX "PLANTEDTOKEN"
#define TOKEN_TTL_MAX 21600 /* seconds, EC2's limit */

enum guard { GUARD_EC2, GUARD_NONE, GUARD_FLAVOR, GUARD_METADATA, GUARD_AUTHORIZATION };

#define LISTING "ami-id\nhostname\niam/\ninstance-id\nlocal-ipv4\nplacement/\n"
#define CREDENTIALS                                                                                       \
	"{\n  \"Code\" : \"Success\",\n  \"Type\" : \"AWS-HMAC\",\n"                                      \
	"  \"LastUpdated\" : \"2026-01-01T00:00:00Z\",\n  \"AccessKeyId\" : \"ASIAPLANTEDSECRET0001\",\n" \
	"  \"SecretAccessKey\" : \"PLANTEDSECRETkeyPLANTEDSECRETkey\",\n"                                 \
	"  \"Token\" : \"PLANTEDSECRETsessionPLANTEDSECRETsession\",\n"                                   \
	"  \"Expiration\" : \"2099-01-01T00:00:00Z\"\n}\n"

static const struct document {
	const char *path;
	enum guard guard;
	const char *type;
	const char *body;
} documents[] = {
	{ "/latest/meta-data", GUARD_EC2, "text/plain", LISTING },
	{ "/latest/meta-data/", GUARD_EC2, "text/plain", LISTING },
	{ "/latest/meta-data/ami-id", GUARD_EC2, "text/plain", "ami-0123456789abcdef0" },
	{ "/latest/meta-data/hostname", GUARD_EC2, "text/plain", "ip-172-31-0-10.ec2.internal" },
	{ "/latest/meta-data/instance-id", GUARD_EC2, "text/plain", "i-0123456789abcdef0" },
	{ "/latest/meta-data/local-ipv4", GUARD_EC2, "text/plain", "172.31.0.10" },
	{ "/latest/meta-data/placement/region", GUARD_EC2, "text/plain", "eu-west-1" },
	{ "/latest/meta-data/placement/availability-zone", GUARD_EC2, "text/plain", "eu-west-1a" },
	{ "/latest/meta-data/iam/security-credentials", GUARD_EC2, "text/plain", "node-role" },
	{ "/latest/meta-data/iam/security-credentials/", GUARD_EC2, "text/plain", "node-role" },
	{ "/latest/meta-data/iam/security-credentials/node-role", GUARD_EC2, "text/plain", CREDENTIALS },
	{ "/latest/dynamic/instance-identity/document", GUARD_EC2, "text/plain",
	  "{\n  \"instanceId\" : \"i-0123456789abcdef0\",\n  \"region\" : \"eu-west-1\"\n}\n" },
	{ "/latest/user-data", GUARD_EC2, "application/octet-stream", "#!/bin/sh\nexport DB=PLANTEDSECRETuserdata\n" },
	{ "/openstack/latest/meta_data.json", GUARD_NONE, "application/json", "{\"uuid\": \"83679162-1378-4288\"}" },
	{ "/computeMetadata/v1/", GUARD_FLAVOR, "application/text", "instance/\nproject/\n" },
	{ "/computeMetadata/v1/instance/id", GUARD_FLAVOR, "application/text", "4520031799277581759" },
	{ "/computeMetadata/v1/instance/service-accounts/default/token", GUARD_FLAVOR, "application/json",
	  "{\"access_token\":\"PLANTEDSECRETgce\",\"expires_in\":3599,\"token_type\":\"Bearer\"}" },
	{ "/metadata/instance", GUARD_METADATA, "application/json", "{\"compute\":{\"vmId\":\"02aab8a4-74ef-476e\"}}" },
	{ "/metadata/identity/oauth2/token", GUARD_METADATA, "application/json",
	  "{\"access_token\":\"PLANTEDSECRETazure\"}" },
	{ "/opc/v2/instance/", GUARD_AUTHORIZATION, "application/json", "{\"region\":\"eu-frankfurt-1\"}" },
	{ "/v1/credentials", GUARD_AUTHORIZATION, "application/json", CREDENTIALS },
	{ "/v2/credentials/x", GUARD_NONE, "application/json", CREDENTIALS },
};

static const struct refusal {
	int status;
	const char *body;
} refusals[] = {
	{ 400, "400 - Bad Request" },	      { 401, "401 - Unauthorized" },	   { 403, "403 - Forbidden" },
	{ 404, "404 - Not Found" },	      { 405, "405 - Method Not Allowed" }, { 429, "429 - Too Many Requests" },
	{ 503, "503 - Service Unavailable" },
};

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_ec2_path(const char *path)
{
	return starts_with(path, "/latest/") || starts_with(path, "/1.0/") ||
	       (starts_with(path, "/20") && strlen(path) > 11 && path[5] == '-' && path[11] == '/');
}

/* "v1", "v2" (token request, or a token was sent) or "" for a path that is not EC2's. */
static const char *content_version(const struct content_request *req)
{
	if (!is_ec2_path(req->path))
		return "";
	return req->method == CONTENT_PUT || req->token ? "v2" : "v1";
}

/* A token carries its own end of life, so nothing must be stored: prefix, end in 11 hex digits of ms, filler, "==". */
static void token_make(long long end_ms, char ret[IMDS_TOKEN_LEN + 1])
{
	int n = snprintf(ret, IMDS_TOKEN_LEN + 1, TOKEN_PREFIX "%011llx", (unsigned long long)end_ms);

	while (n < IMDS_TOKEN_LEN - 2)
		ret[n++] = "QAEAjf_x-2"[rand() % 10];
	strcpy(ret + n, "==");
}

static bool token_is_valid(const char *token, long long now_ms)
{
	char digits[12] = "";

	if (!token || strlen(token) != IMDS_TOKEN_LEN || !starts_with(token, TOKEN_PREFIX))
		return false;
	memcpy(digits, token + strlen(TOKEN_PREFIX), 11);
	return strtoll(digits, NULL, 16) > now_ms;
}

static void refuse(int status, struct content_answer *ret)
{
	ret->status = status;
	ret->type = "text/html";
	ret->body = "";
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].status == status)
			ret->body = refusals[i].body;
}

static void answer_token(const struct content_request *req, long long now_ms, struct content_answer *ret)
{
	char *end = NULL;
	long ttl = req->token_ttl ? strtol(req->token_ttl, &end, 10) : 0;

	ret->is_token = true;
	if (req->forwarded_for)
		return refuse(403, ret);
	if (ttl < 1 || ttl > TOKEN_TTL_MAX || *end || !isdigit((unsigned char)req->token_ttl[0]))
		return refuse(400, ret);
	token_make(now_ms + ttl * 1000, ret->token);
	snprintf(ret->token_ttl, sizeof(ret->token_ttl), "%ld", ttl);
	ret->status = 200;
	ret->body = ret->token;
}

static int guard_status(enum guard guard, const struct content_request *req, bool tokens_required, long long now_ms)
{
	switch (guard) {
	case GUARD_EC2:
		/* A token that is sent must be good, even where none is required. */
		return (req->token || tokens_required) && !token_is_valid(req->token, now_ms) ? 401 : 0;
	case GUARD_FLAVOR:
		return req->flavor && !strcmp(req->flavor, "Google") ? 0 : 403;
	case GUARD_METADATA:
		return req->metadata && !strcasecmp(req->metadata, "true") ? 0 : 400;
	case GUARD_AUTHORIZATION:
		return req->authorization ? 0 : 401;
	case GUARD_NONE:
		break;
	}
	return 0;
}

/* Fills ret; ret->body points to static text or into ret. now_ms is wall clock time, for the life of tokens. */
static void content_answer(const struct content_request *req, bool tokens_required, long long now_ms,
			   struct content_answer *ret)
{
	const struct document *doc = NULL;
	enum guard guard;
	int status;

	memset(ret, 0, sizeof(*ret));
	ret->type = "text/plain";
	if (req->method == CONTENT_PUT && !strcmp(req->path, "/latest/api/token"))
		return answer_token(req, now_ms, ret);
	if (req->method == CONTENT_PUT && is_ec2_path(req->path))
		return refuse(403, ret); /* versioned token paths too, by EC2's design */
	if (req->method != CONTENT_GET && req->method != CONTENT_HEAD)
		return refuse(405, ret);
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]) && !doc; i++)
		if (!strcmp(documents[i].path, req->path))
			doc = &documents[i];
	guard = doc ? doc->guard : is_ec2_path(req->path) ? GUARD_EC2 : GUARD_NONE;
	status = guard_status(guard, req, tokens_required, now_ms);
	if (status || !doc)
		return refuse(status ? status : 404, ret);
	ret->status = 200;
	ret->type = doc->type;
	ret->body = doc->body;
	ret->flavor = doc->guard == GUARD_FLAVOR;
}

#endif
