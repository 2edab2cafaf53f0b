/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the kernel side and the user side: keys, flow state, records, counters.
 * The only file of bpf/ that user/ sees, besides http_scan.h which compiles on both sides.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. Ports are in host order. Times are
 * nanoseconds of CLOCK_MONOTONIC (bpf_ktime_get_ns), 0 where it did not happen.
 */
#ifndef IMDSNOOP_H
#define IMDSNOOP_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define IMDS_ABI_VERSION 1 /* the loader refuses a BPF object that differs */
#define IMDS_MAX_ENDPOINTS 16
#define IMDS_PATH_LEN 128 /* 127 bytes and a NUL, query never included */
#define IMDS_COMM_LEN 16  /* TASK_COMM_LEN */
#define IMDS_ANCESTORS 4
#define IMDS_PIPELINE 16	 /* requests that may wait for an answer on one connection */
#define IMDS_CGROUP_NAME_LEN 512 /* tail of a path in a cgroup_mkdir record */
#define IMDS_SCAN_MAX \
	8192 /* bytes of one packet that the HTTP scan looks at, at least; long header lines and bodies are no part of it */
#define IMDS_SCAN_MAX_LITE 2048

/* What an endpoint is, told by user space from its address; decides version and provider. */
enum imds_endpoint_class {
	IMDS_EP_IMDS,	 /* 169.254.169.254: EC2, GCE, Azure, OpenStack, Oracle */
	IMDS_EP_ECS,	 /* 169.254.170.2 */
	IMDS_EP_EKS,	 /* 169.254.170.23, fd00:ec2::23 */
	IMDS_EP_ALIBABA, /* 100.100.100.200 */
	IMDS_EP_EC2,	 /* fd00:ec2::254 */
	IMDS_EP_OTHER,	 /* an address given by the user that is none of these */
	IMDS_EP_CLASS_COUNT
};

struct imds_addr {
	union {
		__u8 b[16];
		__u32 w[4];
		__u64 d[2];
	};
};

struct imds_endpoint {
	struct imds_addr addr;
	__u16 port; /* 0: any */
	__u8 class; /* enum imds_endpoint_class */
	__u8 pad[5];
};
_Static_assert(sizeof(struct imds_endpoint) == 24, "endpoint is ABI");

enum imds_method {
	IMDS_METHOD_NONE, /* no request line was seen */
	IMDS_METHOD_GET,
	IMDS_METHOD_PUT,
	IMDS_METHOD_HEAD,
	IMDS_METHOD_POST,
	IMDS_METHOD_OTHER,
	IMDS_METHOD_COUNT
};

enum imds_kind {
	IMDS_KIND_OTHER, /* HTTP with a path that we do not know, or bytes that are not HTTP */
	IMDS_KIND_TOKEN,
	IMDS_KIND_CREDENTIALS,
	IMDS_KIND_IDENTITY,
	IMDS_KIND_USER_DATA,
	IMDS_KIND_DATA,
	IMDS_KIND_DNS,
	IMDS_KIND_CONNECT_ONLY, /* a connection that never carried a request */
	IMDS_KIND_COUNT
};

enum imds_version {		       /* of the EC2 protocol */
		    IMDS_VERSION_NONE, /* the notion does not apply */
		    IMDS_VERSION_V1,
		    IMDS_VERSION_V2,
		    IMDS_VERSION_UNKNOWN, /* a token may stand in what was not seen of the head */
		    IMDS_VERSION_COUNT
};

/* How a request ended, as the kernel side saw it. Why it ended so is the verdict's business. */
enum imds_end {
	IMDS_END_NONE,	     /* still running (stall lines, in-flight requests of a report) */
	IMDS_END_ANSWERED,   /* the answer came, whatever its status */
	IMDS_END_CLOSED,     /* the client closed its socket before the answer was complete */
	IMDS_END_PEER_FIN,   /* the service closed before the answer was complete */
	IMDS_END_PEER_RST,   /* RST by the service after the connection stood */
	IMDS_END_REFUSED,    /* RST in answer to the SYN */
	IMDS_END_CLIENT_RST, /* RST by the client */
	IMDS_END_EXPIRED,    /* swept by user space: nothing moved for minutes */
	IMDS_END_REUSED,     /* the socket connected again */
	IMDS_END_COUNT
};

enum imds_status_class { /* label `code` of imdsnoop_responses_total */
			 IMDS_STATUS_NONE,
			 IMDS_STATUS_2XX,
			 IMDS_STATUS_401,
			 IMDS_STATUS_403,
			 IMDS_STATUS_404,
			 IMDS_STATUS_429,
			 IMDS_STATUS_4XX, /* any other 4xx */
			 IMDS_STATUS_5XX,
			 IMDS_STATUS_OTHER, /* 1xx, 3xx or no HTTP status */
			 IMDS_STATUS_COUNT
};

/* Words that the HTTP scan recognised: header names (any case) and path segments. */
#define IMDS_W_H_TOKEN (1u << 0)	   /* X-aws-ec2-metadata-token, X-aliyun-ecs-metadata-token, Metadata-Token */
#define IMDS_W_H_TOKEN_TTL (1u << 1)	   /* the -ttl-seconds form of these, Metadata-Token-Expiry-Seconds */
#define IMDS_W_H_METADATA (1u << 2)	   /* Metadata: true (Azure) */
#define IMDS_W_H_FLAVOR (1u << 3)	   /* Metadata-Flavor: (GCE) */
#define IMDS_W_H_ALIBABA (1u << 4)	   /* a header that starts with X-aliyun-ecs- */
#define IMDS_W_H_ORACLE (1u << 5)	   /* Authorization: Bearer Oracle, the literal */
#define IMDS_W_H_FORWARDED (1u << 6)	   /* X-Forwarded-For: makes EC2 refuse a token */
#define IMDS_W_H_LENGTH (1u << 7)	   /* Content-Length */
#define IMDS_W_H_CHUNKED (1u << 8)	   /* Transfer-Encoding, of which chunked is the last */
#define IMDS_W_P_EC2 (1u << 9)		   /* first segment latest, 1.0 or 20xx-xx-xx */
#define IMDS_W_P_API (1u << 10)		   /* a segment api */
#define IMDS_W_P_TOKEN (1u << 11)	   /* a segment token */
#define IMDS_W_P_SECURITY_CREDS (1u << 12) /* a segment security-credentials */
#define IMDS_W_P_CREDENTIALS (1u << 13)	   /* a segment credentials, iam_token or iam_tokens */
#define IMDS_W_P_IDENTITY (1u << 14)	   /* a segment instance-identity or identity */
#define IMDS_W_P_USER_DATA (1u << 15)	   /* a segment user-data, user_data or userdata */
#define IMDS_W_P_META_DATA (1u << 16)	   /* a segment meta-data or dynamic */
#define IMDS_W_P_GCE (1u << 17)		   /* first segment computeMetadata */
#define IMDS_W_P_AZURE (1u << 18)	   /* first segment metadata */
#define IMDS_W_P_OPENSTACK (1u << 19)	   /* first segment openstack */
#define IMDS_W_P_ORACLE (1u << 20)	   /* first segment opc */
#define IMDS_W_P_SERVICE_ACCTS (1u << 21)  /* a segment service-accounts (GCE) */
#define IMDS_W_HTTP (1u << 22)		   /* a whole request or status line with HTTP/ in it was seen */
#define IMDS_W_P_V1 (1u << 23)		   /* first segment v1 (Akamai, EKS Pod Identity) */
#define IMDS_W_P_ATTESTED (1u << 24)	   /* a segment attested (Azure) */
#define IMDS_W_P_IBM (1u << 25)		   /* first segment instance_identity or identity */
#define IMDS_W_Q_WAIT (1u << 26)	   /* wait_for_change=true in the query (GCE): the answer may take minutes */

/* What happened to a request, besides words. */
#define IMDS_F_SYN_SEEN (1u << 0)	/* a SYN left the socket's network namespace */
#define IMDS_F_CONNECT_SEEN (1u << 1)	/* connect(2) was seen, so pid and comm are known */
#define IMDS_F_MIDSTREAM (1u << 2)	/* the connection is older than we are */
#define IMDS_F_HEAD_COMPLETE (1u << 3)	/* the end of the request head was seen */
#define IMDS_F_HEAD_CUT (1u << 4)	/* part of the head was not looked at (IMDS_SCAN_MAX, reordering) */
#define IMDS_F_REQUEST_ACKED (1u << 5)	/* the service acknowledged all request bytes */
#define IMDS_F_CLIENT_FIN (1u << 6)	/* half-closed or closed by the client */
#define IMDS_F_RELEASED (1u << 7)	/* the process closed its socket */
#define IMDS_F_LATE_ANSWER (1u << 8)	/* answer bytes arrived after the client had given up */
#define IMDS_F_HOST_NETNS (1u << 9)	/* the socket lives in the initial network namespace, PID 1's */
#define IMDS_F_NETNS_KNOWN (1u << 10)	/* IMDS_F_HOST_NETNS means something */
#define IMDS_F_PIPELINE_FULL (1u << 11) /* more than IMDS_PIPELINE requests waited at once: those were not recorded */
#define IMDS_F_FIRST (1u << 12)		/* first request of its connection */
#define IMDS_F_OWN_NETNS (1u << 13)	/* the socket lives in the loader's network namespace */
#define IMDS_F_UNFINDABLE (1u << 14)	/* a table had no room: some drops of this connection may not be found */
#define IMDS_F_ELSEWHERE (1u << 15)	/* no packet of ours, yet the socket was connected: rewritten or redirected */
#define IMDS_F_REDIRECTED (1u << 18)	/* by REDIRECT in the socket's own network namespace */
#define IMDS_F_MPTCP (1u << 17)		/* a subflow of MPTCP: the process closes another socket than this one */
#define IMDS_F_SOCKET_DEAD (1u << 16)	/* the kernel had ended the socket when the process closed it */

/* How a drop was joined to its request. */
enum imds_drop_match {
	IMDS_MATCH_NONE,
	IMDS_MATCH_TUPLE,
	IMDS_MATCH_FINGERPRINT, /* TCP sequence numbers: the packet was dropped before NAT was undone */
	IMDS_MATCH_SYN,		/* initial sequence number of a SYN whose addresses NAT has rewritten */
	IMDS_MATCH_SOCKET	/* the packet still had its socket */
};

#define IMDS_D_FROM_ENDPOINT (1u << 0) /* an answer's packet; else the client's own */
#define IMDS_D_PAYLOAD (1u << 1)       /* it carried TCP payload */
#define IMDS_D_WAITING_TOKEN (1u << 2) /* the flow was waiting for the answer to a token request */
#define IMDS_D_EXPECTED_SEQ (1u << 3)  /* its sequence number is the one that the flow expects */
#define IMDS_D_SYN (1u << 4)	       /* it was a SYN or a SYN-ACK */
#define IMDS_D_HAS_REASON (1u << 5)    /* this kernel passes a reason (5.17 and later) */
#define IMDS_D_FORWARD (1u << 6)       /* freed where the kernel checks the TTL of what it forwards */
#define IMDS_D_AT_HOME (1u << 8)       /* in the socket's own network namespace, or on a switch: behind all forwards */
#define IMDS_D_ARRIVED (1u << 7)       /* our ingress hook had let it pass: refused behind that, by the socket's side */
#define IMDS_D_FOREIGN (1u << 9) /* in a network namespace that is neither the socket's, nor PID 1's or the loader's */

#define IMDS_D_RST (1u << 10) /* it was a reset: what the service sends instead of an answer */

/* The drop that says most about a request: the first of the highest imds_drop_rank(). */
struct imds_drop {
	__u64 ts_ns;
	__u64 location; /* return address in the function that freed the packet */
	__u32 reason;	/* raw number, meaningful with the running kernel's BTF only */
	__u8 ttl;	/* TTL or hop limit in the dropped packet */
	__u8 match;	/* enum imds_drop_match */
	__u16 flags;	/* IMDS_D_* */
};
_Static_assert(sizeof(struct imds_drop) == 24, "drop is ABI");

#define IMDS_DROP_RANK_FORWARD 8 /* of an answer's payload, by TTL, where forwarding checks it */

/*
 * How much a drop says. A copy that a bridge flooded (OTHERHOST), a forged packet and a lost SYN all may come before the
 * real death: the packet that the flow waits for, dead where forwarding checks the TTL, outranks them.
 */
static inline __attribute__((always_inline)) __u32 imds_drop_rank(__u32 flags, __u8 ttl)
{
	if (!(flags & IMDS_D_FROM_ENDPOINT))
		return flags & IMDS_D_SYN ? 1 : 2;
	if ((flags & IMDS_D_EXPECTED_SEQ) && (flags & IMDS_D_PAYLOAD))
		return ttl > 1 ? 6 : flags & IMDS_D_FORWARD ? IMDS_DROP_RANK_FORWARD : 7;
	if ((flags & IMDS_D_EXPECTED_SEQ) && (flags & IMDS_D_RST)) /* an ACK that died before it tells less */
		return 5;
	return ttl <= 1 && (flags & IMDS_D_FORWARD) ? 4 : 3;
}

/*
 * What the counters keep of how an answer died, so that a request whose record is lost keeps its cause: the packet that
 * the flow waits for, with its TTL used up, where TTLs are checked; of a socket that is not known to be the node's own.
 */
enum imds_death {
	IMDS_DEATH_NONE,
	IMDS_DEATH_TC, /* by a tc program: a policy there may never have looked at the TTL */
	IMDS_DEATH_FORWARD,
};

enum imds_record_type {
	IMDS_REC_REQUEST = 1, /* a request finished */
	IMDS_REC_FLOW_END,    /* a connection ended: what came after its last request */
	IMDS_REC_DROP,	      /* first drop of a request */
	IMDS_REC_CGROUP_MKDIR,
	IMDS_REC_CGROUP_RMDIR,
	IMDS_REC_COPY, /* a packet's head */
	IMDS_REC_COUNT
};

struct imds_record {
	__u16 type; /* enum imds_record_type */
	__u16 len;  /* whole record, header included */
	__u32 cpu;
	__u64 ts_ns; /* when it was written */
};
_Static_assert(sizeof(struct imds_record) == 16, "record header is ABI");

/* Who and where: the same for all records of one connection. */
struct imds_peer {
	__u64 cookie;	 /* socket cookie, unique until reboot */
	__u64 cgroup_id; /* cgroup v2 folder of the socket; 1 is the root */
	struct imds_addr local;
	struct imds_addr remote;
	__u16 local_port;
	__u16 remote_port;
	__u8 proto;    /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 family;   /* 4 or 6 */
	__u8 endpoint; /* index in the endpoint list */
	__u8 pad;
	__u32 pid;  /* thread group, 0 where unknown */
	__u32 born; /* when it began, in about ms since the boot, modulo 2^32; 0 where unknown. A pid is used again */
	char comm[IMDS_COMM_LEN];
	char ancestors[IMDS_ANCESTORS][IMDS_COMM_LEN]; /* nearest first */
};
_Static_assert(sizeof(struct imds_peer) == 144, "peer is ABI");

/* A request: in the flow while it runs, in a record when it is over. */
struct imds_request {
	__u64 start_ns;	     /* first request byte left; a connect-only one: connect(2) or SYN */
	__u64 sent_ns;	     /* last request byte left */
	__u64 first_byte_ns; /* first answer byte arrived */
	__u64 last_byte_ns;  /* newest answer byte arrived */
	__u64 end_ns;
	struct imds_drop drop; /* ts_ns 0: none */
	__u32 words;	       /* IMDS_W_* */
	__u32 flags;	       /* IMDS_F_* */
	__u32 seq_end;	       /* sequence number behind the last request byte */
	__u32 bytes_out;       /* payload */
	__u32 bytes_in;
	__u32 drops; /* packets, both directions */
	__u16 retransmits;
	__u16 status;	   /* 0: none seen */
	__u8 method;	   /* enum imds_method */
	__u8 kind;	   /* enum imds_kind */
	__u8 version;	   /* enum imds_version */
	__u8 end;	   /* enum imds_end */
	__u8 ttl_response; /* of the first answer packet with payload; 0: none seen */
	__u8 path_len;
	__u8 claimed; /* kernel side: its record has been written */
	__u8 index;   /* on its connection, from 0; stays at 255 */
	__u8 death;   /* enum imds_death, of drop */
	__u8 pad[3];
	char path[IMDS_PATH_LEN];
};
_Static_assert(sizeof(struct imds_request) == 232, "request is ABI");

struct imds_rec_request {
	struct imds_record hdr;
	struct imds_peer peer;
	__u64 syn_ns; /* first SYN, 0 if not seen */
	__u64 synack_ns;
	__u64 connect_call_ns; /* connect(2), 0 if not seen */
	struct imds_addr to;   /* where NAT on this node had sent a SYN that was dropped, with to_port; else zero */
	__u16 to_port;
	__u8 ttl_synack;
	__u8 syn_retransmits;
	__u8 pad[4];
	struct imds_request req;
};
_Static_assert(sizeof(struct imds_rec_request) == 440, "request record is ABI");

/* After the last request's record: drops and answers that came late. */
struct imds_rec_flow_end {
	struct imds_record hdr;
	struct imds_peer peer;
	__u32 requests;
	__u32 late_drops; /* drops since the last request's record */
	__u32 flags;	  /* IMDS_F_LATE_ANSWER and the like */
	__u8 last_kind;
	__u8 last_end;
	__u8 ttl_late; /* TTL of a late answer, 0: none */
	__u8 pad;
};
_Static_assert(sizeof(struct imds_rec_flow_end) == 176, "flow end record is ABI");

struct imds_rec_drop {
	struct imds_record hdr;
	struct imds_peer peer;
	struct imds_drop drop;
	struct imds_addr to; /* as in imds_rec_request, with to_port */
	__u16 to_port;
	__u8 kind;
	__u8 late; /* no request was waiting any more: it belongs to the one that ended last */
	__u8 pad[4];
};
_Static_assert(sizeof(struct imds_rec_drop) == 208, "drop record is ABI");

struct imds_rec_cgroup { /* mkdir and rmdir; only as much of path as needed is sent */
	struct imds_record hdr;
	__u64 cgroup_id;
	__u32 path_len;
	__u32 pad;
	char path[IMDS_CGROUP_NAME_LEN]; /* from the root of the hierarchy, NUL ended */
};
_Static_assert(sizeof(struct imds_rec_cgroup) == 544, "cgroup record is ABI");

/*
 * The head of a packet: IP and TCP or UDP headers, never a byte behind them. Only with --pcapng, in a ring of its own.
 * bytes begin at the IP header and are zero from captured on.
 */
#define IMDS_COPY_MAX 128     /* 60 bytes of each header, or IPv6's with what little goes before TCP */
#define IMDS_C_OUT (1u << 0)  /* sent by the client; else by the service */
#define IMDS_C_DROP (1u << 1) /* dropped: location and reason say where and why */
#define IMDS_C_HAS_REASON (1u << 2)
#define IMDS_C_PAYLOAD (1u << 3)

struct imds_rec_copy {
	struct imds_record hdr;
	__u64 cookie; /* of the connection, 0: none is known */
	__u64 cgroup_id;
	__u64 location; /* as in struct imds_drop */
	__u32 reason;
	__u32 length; /* of the whole packet */
	__u16 captured;
	__u16 flags; /* IMDS_C_* */
	__u32 pad;
	__u8 bytes[IMDS_COPY_MAX];
};
_Static_assert(sizeof(struct imds_rec_copy) == 184, "copy record is ABI");

/* An answer's bytes that were refused behind our ingress hook, until the client acknowledges them after all. */
#define IMDS_REFUSED 1024

struct imds_refused {
	__u64 cookie; /* 0: none; also the place: cookie modulo IMDS_REFUSED */
	struct imds_drop drop;
	__u32 seq_end;
	__u32 pad;
};

/*
 * Addresses and ports by which NAT hid connections whose answers died: the service sends them again for minutes, after the
 * connection is forgotten. The place is by a hash of both. It holds until longer than TCP's longest pause between two tries
 * (TCP_RTO_MAX, 120 s) has passed: another's death to the same port is one without an owner again.
 */
#define IMDS_RESENT 1024
#define IMDS_RESENT_NS (130ull * 1000000000)

struct imds_resent {
	__u64 mark; /* that hash, 0: free */
	__u64 last_ns;
};

/*
 * Dead answers that fit no connection of ours: gVisor, Kata, virtual machines, AF_PACKET. TTL <= 1, from an endpoint, in
 * a network namespace that concerns us.
 */
#define IMDS_UNOWNED 512 /* destinations; beyond: IMDS_LOSS_UNOWNED_FULL */
/*
 * A quarter of them is for what comes in by one interface: a pod can forge such answers, by its own. All namespaces that
 * are neither PID 1's nor the loader's have one share together: a tenant may make such.
 */
#define IMDS_UNOWNED_SHARE (IMDS_UNOWNED / 4)
#define IMDS_UNOWNED_PLACES 4096 /* many: a pod whose interface falls into the place of the uplink shares its share */
#define IMDS_DEVICE_LEN 16

struct imds_unowned_key {
	struct imds_addr addr; /* destination of the dead answer */
	__u64 where;	       /* netns inode << 32 | interface index */
	__u64 endpoint;	       /* index */
};
_Static_assert(sizeof(struct imds_unowned_key) == 32, "unowned key is a map key");

/* Whose share of imds_unowned; inodes: of PID 1's network namespace and the loader's. */
static inline __attribute__((always_inline)) __u32 imds_unowned_place(const struct imds_unowned_key *key,
								      const volatile __u32 inodes[2])
{
	__u32 inode = key->where >> 32;

	return inode == inodes[0] || inode == inodes[1] ? 1 + (__u32)key->where % (IMDS_UNOWNED_PLACES - 1) : 0;
}

struct imds_unowned {
	__u64 packets;
	__u64 first_ns, last_ns;
	__u64 location;
	__u32 reason;
	__u8 ttl;
	__u8 has_reason;
	__u16 port; /* destination of the newest: who asks again does so from another one */
	char device[IMDS_DEVICE_LEN];
};

/* State of the HTTP scan in one direction; http_scan.h says what each field means. */
struct imds_scan {
	__u16 state; /* of the DFA */
	union {
		struct { /* request */
			__u8 path_len;
			__u8 method; /* enum imds_method */
		};
		__u16 status; /* answer */
	};
	__u32 words;	 /* IMDS_W_* */
	__u32 length;	 /* Content-Length, means something with IMDS_W_H_LENGTH */
	__u32 body_left; /* body bytes to skip before the next head */
};
_Static_assert(sizeof(struct imds_scan) == 16, "scan state is ABI");

/*
 * One connection (TCP) or one query (UDP 53). Written by the egress program, the ingress program, the
 * release program and, with atomic adds and plain stores of its own fields, by the drop program.
 */
struct imds_flow {
	struct imds_peer peer;
	__u64 connect_call_ns;
	__u64 syn_ns;
	__u64 synack_ns;
	__u64 last_ns;	     /* newest packet or drop */
	__u64 netns_cookie;  /* 0: unknown */
	struct imds_addr to; /* where NAT on this node had sent the SYN when it was dropped; port 0: not known */
	__u16 to_port;
	__u8 refused;	 /* imds_refused may name this flow */
	__u8 stood;	 /* the client acknowledged the SYN-ACK */
	__u32 acked;	 /* by the client: what its kernel took */
	__u32 share;	 /* of imds_shares[]: whom this connection is charged to */
	__u32 last_tick; /* jiffies at last_ns: less than that apart, a packet without payload leaves last_ns */
	__u32 snd_nxt;	 /* behind the last byte that the client sent */
	__u32 rcv_nxt;	 /* next byte expected from the service */
	__u32 snd_isn;
	__u32 flags;		  /* IMDS_F_*, of the connection */
	__u32 ooo_start, ooo_end; /* answer bytes that came ahead of a gap */
	__u32 late_drops;
	__u32 requests; /* requests begun */
	__u32 head;	/* slot being filled, counts up */
	__u32 tail;	/* slot waiting longest for its answer, counts up */
	__u8 ttl_synack;
	__u8 syn_retransmits;
	__u8 ttl_late;
	__u8 fin_in, fin_out;
	__u8 last_kind, last_end;
	__u8 in_request; /* slot `head` has its first byte */
	__u32 fingerprint_seq;
	__u8 has_fingerprint; /* imds_waiting may name this flow under fingerprint_seq */
	__u8 tunnel;	      /* 101: what follows is not HTTP */
	__u8 late_rank;	      /* imds_drop_rank() of the gravest drop since the last request's record */
	__u8 pad[1];
	__u32 own;   /* the request that req is; others have a place of their own (IMDS_FLOW_SLOT) */
	__u32 taken; /* by the service: behind the last byte that it acknowledged */
	struct imds_scan scan_out;
	struct imds_scan scan_in;
	struct imds_request req;
};
_Static_assert(sizeof(struct imds_flow) <= 700, "memory of a connection");

/* IMDS_F_REQUEST_ACKED, if the service acknowledged all of this request of f, waiting behind others or not. */
static inline __attribute__((always_inline)) __u32 imds_acked(const struct imds_flow *f, const struct imds_request *r)
{
	return r->bytes_out && f->peer.proto == 6 && (__s32)(f->taken - r->seq_end) >= 0 ? IMDS_F_REQUEST_ACKED : 0;
}

/*
 * Map keys are written in words of 64 bits: without CAP_PERFMON a verifier like that of 6.1 does not let a program
 * write the second half of a word on its stack once it knows the bounds of the first (check_stack_write_fixed_off()).
 */
struct imds_flow_key {
	__u64 cookie;
	__u64 query; /* 0: TCP; 0x10000 | DNS id; IMDS_FLOW_SLOT | number of a request */
};
/*
 * A request that began while another one waited on its connection: an entry of imds_flows of its own, a copy of the
 * connection's with this request in req. Pipelining is rare: so a connection has room for one request only.
 */
#define IMDS_FLOW_SLOT 0x20000
#define IMDS_FLOW_SLOT_OF(n) (IMDS_FLOW_SLOT | ((n)&0xffff))
#define IMDS_FLOW_SPILL (IMDS_FLOW_SLOT | 0x10000) /* of all requests of a connection that are not recorded */

struct imds_tuple { /* finds a flow's key from a packet */
	struct imds_addr local;
	struct imds_addr remote;
	__u64 rest; /* IMDS_TUPLE_REST */
};
_Static_assert(sizeof(struct imds_tuple) == 40, "tuple is a map key");
#define IMDS_TUPLE_REST(local_port, remote_port, proto) \
	((__u64)(proto) << 32 | (__u32)(remote_port) << 16 | (__u16)(local_port))

/*
 * An answer that NAT still hides finds its flow by its TCP sequence number: imds_waiting has the cookies of flows that
 * wait for one, in one of two places, this and its neighbour (index ^ 1). The flow itself tells whether it is the one.
 */
#define IMDS_WAITING 16384
#define IMDS_WAITING_SHIFT 12 /* the next answers on a connection have the same place: it is in the cache */

static inline __attribute__((always_inline)) __u32 imds_waiting_index(__u32 seq)
{
	/* golden ratio: neighbouring numbers fall apart; 14 bits are left */
	return ((seq >> IMDS_WAITING_SHIFT) * 0x9e3779b1u) >> 18;
}

/*
 * A SYN whose addresses were rewritten keeps its sequence number: imds_syns has the cookies of connections whose SYN is
 * out and not answered, in a place that the number gives.
 */
#define IMDS_SYNS 4096

static inline __attribute__((always_inline)) __u32 imds_syns_index(__u32 isn)
{
	return (isn * 0x9e3779b1u) >> 20;
}

#define IMDS_NETNS 64 /* network namespaces of sockets that we watch, by cookie */

/*
 * What one pod may take of what all share, so that none can blind the others. Whom a socket is charged to: the deepest of
 * its cgroups that user space has named in imds_share_of, a pod; so cgroups that a tenant makes below its own are its own
 * charge. Unknown ones share by the hash of their cgroup imds_share_level below the root. Place 0 is the root itself,
 * which has all.
 */
#define IMDS_SHARES 4096
#define IMDS_SHARES_HASHED 256 /* places 1 to 255: of cgroups that user space has not named */
#define IMDS_SHARE_LEVELS 12   /* folders of a cgroup's path that are looked at */
#define IMDS_SHARE_PART 8      /* a pod may hold this part of the places in the flow table that are free */
#define IMDS_SHARE_FLOOR 64    /* and these always */
#define IMDS_SHARE_QUERIES 4   /* part of its share for DNS queries: they leave room for its connections */
#define IMDS_SHARE_COUNTERS \
	8 /* part of the counters in each table that may be one's, beyond it they are one for all its cgroups */
#define IMDS_SHARE_RECORD_NS 500000ull	  /* 2,000 records a second */
#define IMDS_SHARE_BURST_NS 2000000000ull /* that many at once: 4,000 */

enum imds_counters { IMDS_COUNTERS_PACKETS, IMDS_COUNTERS_REQUESTS, IMDS_COUNTERS_DROPS, IMDS_COUNTERS_COUNT };

struct imds_share {
	__u64 flows;			     /* held now, queries among them */
	__u64 queries;			     /* DNS */
	__u64 recorded_ns;		     /* when the records written so far would be over, at 2,000 a second */
	__u64 counters[IMDS_COUNTERS_COUNT]; /* entries of the tables of counters */
};

/* Value of imds_share_of: place | depth << 16. Rows are told apart down to so many folders below; no more is a tenant's. */
#define IMDS_SHARE_ANY_DEPTH 0xff

/* A process whose connect(2) fails without a packet, in a loop: one record a second, the rest counted. */
#define IMDS_UNSENT 1024
struct imds_unsent {
	__u64 id;
	__u64 since_ns;
};

/* More than the 4,096 cookies that the kernel hands to a CPU at once: else those of two CPUs share their places. */
#define IMDS_UNTRACKED 16384

/* A connection that found the flow table full: counted once, and left out even if there is room at its next packet. */
struct imds_untracked {
	__u64 id;
	__u64 since_ns;
};

/* Exact counts, never cleared: one per-CPU hash for packets, one for requests, one for drops. */
enum imds_direction { IMDS_EGRESS, IMDS_INGRESS, IMDS_DIRECTION_COUNT };
enum imds_proto_class { IMDS_PROTO_TCP, IMDS_PROTO_UDP, IMDS_PROTO_ICMP, IMDS_PROTO_OTHER, IMDS_PROTO_COUNT };

struct imds_packet_counters { /* key: cgroup id */
	__u64 packets[IMDS_DIRECTION_COUNT][IMDS_PROTO_COUNT];
	__u64 bytes[IMDS_DIRECTION_COUNT];
	/*
	 * connections and DNS queries that were not followed; requests beyond those that may wait on a connection, behind a head
	 * that was cut, or without a record and a counter
	 */
	__u64 untracked;
	__u64 share; /* of imds_shares[]: whom the entry is charged to; on one CPU, 0 on the others */
};

struct imds_request_key {
	__u64 cgroup_id;
	union {
		struct {
			__u8 kind;
			__u8 version;
			__u8 end;
			__u8 status; /* enum imds_status_class */
			__u8 endpoint;
			__u8 death; /* enum imds_death */
			__u8 pad[2];
		};
		__u64 rest; /* the same, first byte lowest */
	};
};
_Static_assert(sizeof(struct imds_request_key) == 16, "request key is a map key");

struct imds_request_counters {
	__u64 finished; /* requests that ended so */
	__u64 lost;	/* of these, records that did not fit into the ring */
	__u64 share;	/* as above */
};

struct imds_drop_key {
	__u64 cgroup_id; /* 0: no flow was found */
	__u32 reason;
	__u8 ttl_expired; /* TTL <= 1, and not known to be behind all forwards (IMDS_D_AT_HOME) */
	__u8 from_endpoint;
	__u8 pad[2];
};
_Static_assert(sizeof(struct imds_drop_key) == 16, "drop key is a map key");

struct imds_drop_counters {
	__u64 packets;
	__u64 share; /* as above */
};

/* Losses: an index into a per-CPU array of counts. Names in user/kernel/tracer_counts.c. */
enum imds_loss {
	IMDS_LOSS_RING_REQUEST, /* request record: no room in the ring */
	IMDS_LOSS_RING_FLOW_END,
	IMDS_LOSS_RING_DROP,
	IMDS_LOSS_RING_CGROUP,
	IMDS_LOSS_FLOW_FULL,	/* flow table full: connection not followed */
	IMDS_LOSS_FLOW_SHARE,	/* connection not followed: its pod holds its share of the flow table */
	IMDS_LOSS_RECORD_SHARE, /* request record not written: its pod wrote its share */
	IMDS_LOSS_TUPLE_FULL,	/* drops of this connection cannot be found by tuple */
	IMDS_LOSS_COUNTER_FULL, /* a counter had no room: totals too low by this much */
	IMDS_LOSS_PIPELINE,	/* request beyond IMDS_PIPELINE waiting ones: not recorded */
	IMDS_LOSS_HEAD_CUT,	/* request head not wholly looked at */
	IMDS_LOSS_FRAGMENT,	/* IP fragment other than the first */
	IMDS_LOSS_MALFORMED,	/* packet to or from an endpoint that we could not parse */
	IMDS_LOSS_SEGMENT, /* segment from an endpoint, no bare ACK, that fits no connection: TCP would not take it either */
	IMDS_LOSS_COLLISION,	/* connection whose dropped packets may not be found behind NAT: its place was taken */
	IMDS_LOSS_UNOWNED_FULL, /* dead answer of no known connection, not told apart */
	IMDS_LOSS_RING_COPY,	/* packet head: no room in its ring */
	IMDS_LOSS_COUNT
};

#endif
