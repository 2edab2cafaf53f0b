/* SPDX-License-Identifier: GPL-2.0-only */
/* What several rules, and the advice, ask and say alike. */
#ifndef IMDSNOOP_FINDING_PARTS_H
#define IMDSNOOP_FINDING_PARTS_H

#include "../base/small.h"
#include "finding_rules.h"

/* What a packet was dropped by, as far as it wants other words and another cure than its cause has. */
enum drop_kind {
	DROP_BY_RULE, /* of netfilter, or not known */
	DROP_BY_CONNTRACK,
	DROP_BY_NETFILTER, /* by a rule or by connection tracking */
	DROP_BY_TC,
	DROP_BY_XDP,
	DROP_BY_CGROUP, /* a BPF program there, or at the socket */
	DROP_BY_IPSEC,
	DROP_IN_QUEUE,
	DROP_AT_DOWN_LINK,
	DROP_WITHOUT_SOCKET,
	DROP_BY_OWN_TTL,
};

#define SUMMARY(d, ...) lines_add(&(d)->summary, __VA_ARGS__)
#define EVIDENCE(d, ...) lines_add(&(d)->evidence, __VA_ARGS__)
/* For "%llu request%s" and "%llu of %llu request%s". */
#define PLURAL(n) (unsigned long long)(n), ENDING(n)
#define OF(n, all) (unsigned long long)(n), PLURAL(all)

/* Of the providers asked: those whose requests failed; where none did, all of them. */
unsigned int finding_providers(const struct pod_stats *p);
/* " at 168.63.129.16:32526" where what failed is another port than 80; else "". Returns buf. */
const char *finding_port_text(const struct snapshot *s, const struct pod_stats *p, char *buf, size_t len);
/* The endpoint that failed, or else that was asked, as text without its port. 64 bytes suffice. Returns buf. */
const char *finding_endpoint(const struct snapshot *s, const struct pod_stats *p, char *buf, size_t len);
bool finding_is_ec2(const struct pod_stats *p);
/* Asked nothing but services that a process on the node gives: no cloud's network is in it. */
bool finding_is_local_service(const struct pod_stats *p);
/* A host-network process of this node that got answers to what p asks: "ask from the node" is done already. NULL: none. */
const struct pod_stats *finding_answered_host(const struct snapshot *s, const struct pod_stats *p);
/* A host-network process that asks the same and gets no answer, while no other one does. NULL: none. */
const struct pod_stats *finding_silent_host(const struct snapshot *s, const struct pod_stats *p);
/* "NOUN is EC2's", "NOUN is that of azure", "NOUN is another cloud's": where the cloud is known. Returns buf. */
const char *finding_cloud_text(const struct draft *d, const char *noun, char *buf, size_t len);
/* Any connection of any row to the service stood, or was answered: somebody has the address. */
bool finding_any_stood(const struct snapshot *s);
/* Anything of this node was answered at the addresses that failed it; it asked this one. */
bool finding_any_answered_at(const struct snapshot *s, const struct pod_stats *p);
bool finding_is_at(const struct draft *d, const char *address);
/* Nothing failed but what was asked over IPv6, beside IPv4, by which it is served. */
bool finding_is_spare(const struct snapshot *s, const struct pod_stats *p);
/* "12:03:00 UTC", with its date where that is not today's, "earlier"; 32 bytes suffice. */
void finding_clock(const struct snapshot *s, uint64_t ns, char *buf, size_t len);
/* What stopped the most requests; p may be NULL. NULL: nothing was seen to. */
const struct drop_note *finding_main_note(const struct pod_stats *p);
enum drop_kind finding_drop_kind(const struct draft *d, const struct drop_note *note); /* NULL: by a rule */
/* Nothing of the row's own was dropped but what was addressed to another host. */
bool finding_began_in_time(const struct snapshot *s, const struct pod_stats *p);
bool finding_is_another_host(const struct pod_stats *p);
/* Its 503 is that of a proxy which reaches nobody behind it (OpenStack's, a sidecar); other services throttle by 503. */
bool finding_reaches_nobody(const struct pod_stats *p, enum provider cloud);
/* Whether an answer of this status is among the errors of p, which may be NULL. */
bool finding_has_status(const struct pod_stats *p, unsigned int status);
/* What was asked is another provider's than the cloud whose service is known to answer here, and it is that which answers. */
bool finding_is_foreign_client(const struct draft *d, enum provider asked);
/* Who answers in the service's place passes requests on with X-Forwarded-For, and is refused. */
bool finding_is_forwarded(const struct draft *d);
/* Another cloud's service than EC2's is known to answer here. */
bool finding_is_elsewhere(const struct draft *d);
/* EC2's is: one that serves other requests of the pod, is replaced by a process of this node, or is another cloud's, is not off. */
bool finding_is_off(const struct draft *d);
/* The answerer's address is the one that was asked: no redirect, this node has that address itself. */
bool finding_is_own_address(const struct draft *d);

/* The verb that fits the subject: "gets", "get". */
const char *finding_verb(const struct draft *d, const char *one, const char *many);
/* Who redirects the connections of p. */
const char *finding_redirector(const struct pod_stats *p);
/*
 * Who answered, where it was looked up: " by haproxy of ..."; " at 10.0.0.9:80, where this node redirects it"; else "".
 * SUBJECT_LEN bytes suffice. Returns buf, as the two below.
 */
const char *finding_by_whom(const struct draft *d, char *buf, size_t len);
/* "PUT /latest/api/token", or the kind where the path is not kept */
const char *finding_request_text(const struct error_count *e, char *buf, size_t len);
/* "pid 4513"; of a process name that several pods have: "in several pods" */
const char *finding_pid_text(const struct process_count *c, char *buf, size_t len);

/* These add lines to the evidence of d, or none. Who answers in the service's place: */
void finding_add_answerer(struct draft *d);
/* Of this status alone; 0: all. */
void finding_add_errors(struct draft *d, unsigned int only);
void finding_add_tokens(struct draft *d);
void finding_add_lost_seconds(struct draft *d);
void finding_add_processes(struct draft *d);

#endif
