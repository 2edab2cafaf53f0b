/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF programs on a bench: loaded as tracer.c loads them, attached to nothing, fed by BPF_PROG_TEST_RUN.
 *
 * A test run makes a new socket each time, hence a new cookie,
 	and its cgroup is the root. So that a connection can have
 * more than one packet, the calls of bpf_get_socket_cookie() and bpf_skb_cgroup_id() are replaced, in memory, by loads
 * of skb->mark and skb->priority, which a test run takes from the caller. Nothing else is changed.
 */
#ifndef IMDSNOOP_TESTS_RIG_H
#define IMDSNOOP_TESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/imdsnoop.h"

#define RIG_RECORDS 4096
#define RIG_PACKET 4000 /* more does not fit into a test run's page */
#define RIG_ETH 14	/* a test run takes an Ethernet header away */

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

struct rig;
struct bpf_object;

/*
 * ids_from_packet: the replacement above; false: programs as they are. lite: those for a loader without CAP_PERFMON. On
 * failure NULL, and one line on stderr.
 */
struct rig *rig_new(bool ids_from_packet, bool lite);
void rig_free(struct rig *r);
struct bpf_object *rig_object(struct rig *r);
struct bpf_object *rig_open_only(void);		/* as it was compiled; the caller closes it */
int rig_prog(const struct rig *r, bool egress); /* file descriptor */

/* Empties every table, counter and the ring. */
void rig_reset(struct rig *r);

/* One packet, Ethernet header first. Returns the program's value, or a negative errno. ret_ns may be NULL. */
int rig_run(struct rig *r, bool egress, const void *packet, size_t len, uint32_t cookie, uint32_t cgroup, int repeat,
	    uint32_t *ret_ns);

/* Records since the last reset; fn, when set, sees the bytes of each one as they come. */
void rig_on_bytes(struct rig *r, void (*fn)(void *arg, const void *data, size_t len), void *arg);
void rig_drain(struct rig *r);
size_t rig_requests(const struct rig *r, const struct imds_rec_request **ret);
size_t rig_flow_ends(const struct rig *r, const struct imds_rec_flow_end **ret);

bool rig_flow(struct rig *r, uint32_t cookie, uint32_t query, struct imds_flow *ret);
void rig_set_flow(struct rig *r, const struct imds_flow *f); /* a TCP one */
/* Entries of a map, by name; fn may be NULL. */
size_t rig_map_walk(struct rig *r, const char *map, void (*fn)(void *arg, const void *data, size_t len), void *arg);
size_t rig_waiting(const struct rig *r); /* connections that an answer may find by its sequence number */
uint64_t rig_memory(struct rig *r);	 /* bytes of all maps, as the kernel tells */
uint64_t rig_loss(struct rig *r, enum imds_loss loss);
struct imds_packet_counters rig_packets(struct rig *r, uint64_t cgroup);
/* Finished requests of all keys that have this kind and end. */
uint64_t rig_finished(struct rig *r, enum imds_kind kind, enum imds_end end);

/* A connection and the packets on it. */
struct conn {
	uint32_t cookie, cgroup;
	uint32_t remote4; /* host order, 0: IPv6 endpoint */
	uint16_t local_port, remote_port;
	uint8_t ttl;	   /* of what the service sends */
	uint32_t seq, ack; /* next byte of the client, of the service */
};

/* Ethernet, IP, TCP, payload; returns the length. */
size_t rig_tcp(const struct conn *c, bool egress, uint8_t flags, uint32_t seq, uint32_t ack, const void *data,
	       size_t len, uint8_t *ret_packet);
size_t rig_udp(const struct conn *c, bool egress, const void *data, size_t len, uint8_t *ret_packet);

#endif
