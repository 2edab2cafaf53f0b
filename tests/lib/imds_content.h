/* SPDX-License-Identifier: GPL-2.0-only */
/* What a metadata service says to a request: the documents, and the rules of tokens. No sockets, no settings. */
#ifndef IMDS_CONTENT_H
#define IMDS_CONTENT_H

#include <stdbool.h>

#define IMDS_TOKEN_LEN 56		/* as real EC2 tokens; ends in == */

enum content_method { CONTENT_GET, CONTENT_HEAD, CONTENT_PUT, CONTENT_OTHER };

/* Header values of the request, NULL where absent. */
struct content_request {
	enum content_method method;
	const char *path;		/* without query */
	const char *token;		/* X-aws-ec2-metadata-token */
	const char *token_ttl;		/* X-aws-ec2-metadata-token-ttl-seconds */
	const char *forwarded_for;	/* X-Forwarded-For */
	const char *flavor;		/* Metadata-Flavor */
	const char *metadata;		/* Metadata */
	const char *authorization;
};

struct content_answer {
	int status;
	const char *type;		/* Content-Type */
	const char *body;
	bool is_token;			/* to PUT /latest/api/token, whatever the status: the hop limit applies */
	char token_ttl[16];		/* to echo; "" for none */
	bool flavor;			/* echo Metadata-Flavor: Google */
	char token[IMDS_TOKEN_LEN + 1];
};

/* Fills ret; ret->body points to static text or into ret. now_ms is wall clock time, for the life of tokens. */
void content_answer(const struct content_request *req, bool tokens_required, long long now_ms,
		    struct content_answer *ret);

/* "v1", "v2" (token request, or a token was sent) or "" for a path that is not EC2's. */
const char *content_version(const struct content_request *req);

#endif
