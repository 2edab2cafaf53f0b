/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asks the metadata service for a token from inside a pod's network namespace, and measures. The token lives one
 * second, and its bytes are overwritten as soon as they are read: status, lengths and times are all that is kept.
 */
#ifndef IMDSNOOP_PROBE_H
#define IMDSNOOP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../bpf/imdsnoop.h"

enum probe_step { PROBE_ENTER, PROBE_CONNECT, PROBE_SEND, PROBE_ANSWER, PROBE_DONE };

/* Times in CLOCK_MONOTONIC ns, 0 where it did not happen. */
struct probe_result {
	int err;	  /* 0 when PROBE_DONE; else the negative errno that ended `step`; -ETIMEDOUT: no time left */
	uint8_t step;	  /* enum probe_step: what was being done */
	uint8_t endpoint; /* index of the one that was asked */
	uint8_t refused_at_once; /* connect(2) itself failed: no packet left */
	uint8_t acked;		 /* the service acknowledged all of the request */
	uint8_t fin_acked;	 /* and, after the silence, our end of the connection: its packets do arrive */
	uint8_t icmp_seen;	 /* SO_EE_ORIGIN_ICMP or _ICMP6: the error queue had icmp_type, icmp_code */
	uint8_t icmp_type, icmp_code;
	uint8_t object;	 /* came whole, and is text of JSON */
	uint8_t token;	 /* the answer came whole, and is one */
	uint16_t status; /* 0: none */
	uint16_t local_port;
	struct imds_addr local;
	uint64_t cookie; /* of the socket, as in struct imds_peer */
	uint64_t start_ns, connected_ns, sent_ns, first_byte_ns, last_byte_ns, end_ns;
	uint32_t bytes_out, bytes_in;
	uint32_t retransmits;
};

/*
 * Opens the network namespace of a process that lives in the cgroup at path (below cgroup_fd) or below it. Returns a
 * descriptor, -ESRCH when no process is left there, -ENXIO when its processes are hidden by a pid namespace, or
 * another negative errno.
 */
int probe_open_netns(int cgroup_fd, const char *path);

/*
 * A child whose result comes through a pipe; it dies with its parent. Returns 0 in the child, *ret_fd to write to; its pid
 * in the parent, *ret_fd to read from; or a negative errno.
 */
pid_t probe_fork(int *ret_fd);

/*
 * Starts a child that enters netns_fd and asks the first of the endpoints that has a route there; port 0 means 80. It
 * ends by itself within wait_ms. Returns a descriptor that becomes readable when there is a result, or a negative
 * errno.
 */
int probe_start(int netns_fd, const struct imds_endpoint *endpoints, size_t len, unsigned int wait_ms, pid_t *ret_pid);

/* Takes the result, of len bytes, closes fd and reaps the child, which is killed when it has none by then. Returns 0 or -EIO. */
int probe_take(int fd, pid_t pid, unsigned int wait_ms, void *ret, size_t len);

/* What the child does; in the caller's own network namespace. */
void probe_ask(const struct imds_endpoint *endpoints, size_t len, unsigned int wait_ms, struct probe_result *ret);

#define PROBE_REQUEST_MAX 9216 /* a service account's token and a path */
#define PROBE_TOKEN_LINE "PUT /latest/api/token"
#define PROBE_TOKEN_HEADERS "X-aws-ec2-metadata-token-ttl-seconds: 1\r\nContent-Length: 0\r\n"

/* Waits are in ms, 0: up to the deadline. TTLs: packets below are not seen, 0: all are. */
struct probe_question {
	const char *line;     /* method and path; NULL: connect only */
	const char *headers;  /* each ended by CR LF; "" for none */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
	unsigned int connect_ms, answer_ms;
	unsigned int fin_ms; /* after silence, wait so long for our FIN's acknowledgement */
	int connect_min_ttl, answer_min_ttl;
	int connect_ttl; /* of our own packets; 0: the usual */
};

/* One question to e, in the caller's own network namespace and thread. */
void probe_exchange(const struct imds_endpoint *e, const struct probe_question *q, struct probe_result *ret);

/*
 * The same as a record of the kernel side, for a kernel that lets nobody watch: no TTL, no drops. host: netns is the
 * node's own.
 */
void probe_record(const struct probe_result *r, const struct imds_endpoint *e, bool host, struct imds_rec_request *ret);

/* Head of an HTTP answer, byte by byte: nothing of it is stored but numbers. Zero-initialised. */
struct probe_answer {
	uint16_t status; /* 0: not yet */
	bool bad;	 /* not HTTP */
	bool in_body;
	bool has_length;
	bool complete;	       /* by Content-Length, or a status that has no body */
	bool markup, object;   /* the body begins with '<'; else it has a '{' */
	bool no_token;	       /* the body has bytes that no token has (RFC 7235: token68): a page, a message */
	uint32_t length, body; /* bytes said, bytes seen */
	uint32_t at;	       /* in the line */
	uint8_t matched;       /* of "content-length:" in this line */
};
void probe_answer_feed(struct probe_answer *a, const char *bytes, size_t len);

#endif
