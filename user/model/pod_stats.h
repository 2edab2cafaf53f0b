/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests added up in a row's figures. Pure. */
#ifndef IMDSNOOP_POD_STATS_H
#define IMDSNOOP_POD_STATS_H

#include "request.h"
#include "snapshot.h"

/* A request that is judged and finished; class: its endpoint's; slower than slow_ns is slow. */
void pod_stats_add(struct pod_stats *s, const struct request *r, enum imds_endpoint_class class, uint64_t slow_ns,
		   uint64_t now_ns);
/* n requests whose records were lost, by their counter's key; the times are the caller's. */
void pod_stats_add_lost(struct pod_stats *s, const struct imds_request_key *key, enum outcome outcome, uint64_t n);

/* What a row says of failed requests (providers, endpoints, who answers), of these outcomes alone: a bit each. */
void pod_stats_narrow(struct pod_stats *s, unsigned int outcomes);

#endif
