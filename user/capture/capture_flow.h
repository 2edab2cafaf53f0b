/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection of a capture, in part before us, in part behind NAT, and seen at several places; shared by the files that
 * read the segments of one side each.
 */
#ifndef IMDSNOOP_CAPTURE_FLOW_H
#define IMDSNOOP_CAPTURE_FLOW_H

#include "capture_flows.h"
#include "packet_parse.h"

#define BUCKETS 65536
#define NAMES 3 /* tuples of one connection: before and behind NAT, and once more */
#define TWINS 4 /* connections at once of one tuple */
#define WAITING_MAX 4096
#define POINTS 8		/* places where it was seen */
#define UNTAKEN_NS 500000000ull /* an acknowledgement is delayed by less */
#define EARLY 64		/* SYN-ACKs that stand before their SYN */
#define FORWARDS_MAX 10		/* between the service and any client */
#define DEPTH_MAX 3		/* of them on one node; beyond, the client's packets begin with an unusual TTL */
#define COPY_NS 100000000ull /* the same bytes again so soon are a copy at another place: TCP waits 200 ms at least */

struct tuple {
	struct imds_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t pad;
};

struct name {
	struct tuple tuple;
	struct flow *flow; /* NULL: unused */
	struct name *next;
};

struct point {
	uint64_t id;
	uint8_t depth; /* routers between the client and here */
	bool answer;   /* answer bytes of the request that runs were seen here */
};

/* A SYN-ACK whose SYN is not here, or stands later in the capture. */
struct early {
	uint64_t ts_ns; /* 0: none */
	uint32_t isn, seq;
	uint8_t ttl;
	struct imds_addr remote;
};

struct flow {
	struct name names[NAMES];
	struct flow *older, *newer, *isn_next;
	struct imds_peer peer;
	uint64_t syn_ns, last_syn_ns, synack_ns, last_ns, fin_ns;
	uint32_t isn, snd_nxt, rcv_nxt, client_ack;
	uint32_t ack_base; /* what the client acknowledged when its last request began */
	bool base_unknown; /* and that is not known */
	uint32_t fin_seq;  /* behind the client's FIN */
	uint32_t flags;	   /* IMDS_F_* */
	uint8_t ttl_synack, syn_retransmits, nearest, points_len;
	uint8_t raw_synack, raw_answer; /* TTLs at the first sight of the SYN-ACK and of the newest bytes */
	bool answer_cut;		/* the capture has not all of an answer's head */
	bool body_out, body_in;		/* behind a head */
	bool tunnel;			/* 101: what follows is not HTTP */
	bool has_snd, has_rcv, has_ack, client_seen, fin, closed, in_request, rejected;
	struct point points[POINTS];
	struct imds_scan scan_out, scan_in;
	struct imds_request req[IMDS_PIPELINE];
	uint32_t head, tail, requests;
	uint64_t syn_at, sent_at, answer_at;   /* places that saw these first: what comes again elsewhere is a copy */
	uint64_t sent_copy_ns, answer_copy_ns; /* newest first sight of bytes, for telling copies */
	uint32_t answer_retransmits;
	uint32_t interim_end; /* behind the last interim answer: bytes before it answer nothing */
	bool interim;
	bool doubtful; /* the newest bytes were seen where nobody knows how far the client is, with few forwards left */
	/* of the request at tail, or of the one that ended last */
	uint32_t dead_seq, dead_end;
	uint8_t dead_depth;
	uint32_t deaths;
	uint64_t death_ns;
	uint64_t dead_copy_ns; /* its newest death */
	bool dead_payload, dead_again, told, recorded, fin_acked, fin_resent;
	bool failed;	   /* a request of it had no answer */
	uint8_t twin;	   /* which of its tuple it is */
	bool synack_spent; /* so its TTL says; where the client went on, it does not tell how far the client is */
	bool ttl_odd;	   /* the client's packets do not begin with a usual TTL */
	uint64_t held;	   /* number of its last ended request, 0: none */
	bool waits;	   /* long behind the newest request the client had acknowledged nothing new */
	bool switches; /* behind the newest request come no others, unless it is refused: CONNECT, HTTP/2's preface */
	bool left;     /* the service acknowledged a FIN of the client, which is not here */
	bool begun_in_gap; /* the newest request */
	bool revived; /* that request runs again: the client had closed its side alone, and bytes of an answer came */
};

struct held {
	struct imds_rec_request rec;
	struct capture_evidence evidence;
	uint64_t at_ns, fin_ns;
	uint32_t answer_end;
	bool confirmed, client_seen, retransmitted;
	bool late, acked;  /* answered behind the client's FIN; which took it */
	bool untaken;	   /* the client went on long behind the answer, and had not got it */
	bool gone;	   /* the client's socket was: it came, too late */
	bool doubtful;	   /* it may not have come so far */
	bool cut;	   /* of the answer's head the capture has too little */
	bool unseen;	   /* the client acknowledged an answer that the capture does not have */
	bool begun_in_gap; /* nobody knows since when it waited */
	bool waited;	   /* the client is known to have had no answer at its end */
};

/* A connection that was forgotten. */
struct gone {
	uint32_t isn;
	uint16_t remote_port;
	bool known, failed;
};

/* A packet that waits for earlier ones, which may stand behind it in the capture. */
struct waiting {
	uint64_t serial;
	struct packet p; /* data is not kept */
	struct segment s;
	int endpoint;
	bool out, icmp;
	uint8_t bytes[]; /* payload, comment */
};

struct capture_flows {
	struct capture_flows_options o;
	struct capture_stats stats;
	struct name *names[BUCKETS];
	struct flow *isns[BUCKETS];
	struct gone gone[BUCKETS];
	struct flow *oldest, *newest;
	size_t len;
	struct early early[EARLY];
	uint32_t early_next;
	uint64_t serial, now_ns;
	uint64_t factors[6];			  /* odd */
	struct waiting *waiting[WAITING_MAX + 1]; /* a heap: none is earlier than the one at half its place */
	size_t waiting_len;
	uint64_t held_first, held_next; /* numbers, from 1 */
	struct held held[CAPTURE_HELD_MAX];
};

static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/*
 * NULL: none. By addresses and ports, behind or before NAT, of which two networks of one node may have the same: then the
 * one that the numbers fit, else the newest; by what NAT does not touch.
 */
struct flow *flow_find(const struct capture_flows *c, const struct tuple *t, const struct segment *s, bool from_client);
struct flow *flow_find_isn(const struct capture_flows *c, uint32_t isn, const struct tuple *t);
/* Whether a connection that begins so was told and forgotten: files whose clocks differ. */
const struct gone *flow_find_gone(const struct capture_flows *c, uint32_t isn, const struct tuple *t);
void flow_add_name(struct capture_flows *c, struct flow *f, const struct tuple *t);
/* NULL: no memory. The oldest one gives way when there are too many. */
struct flow *flow_new(struct capture_flows *c, const struct tuple *t, const struct segment *s, uint8_t endpoint);
void flow_make_newest(struct capture_flows *c, struct flow *f);
/* Frees it. */
void flow_forget(struct capture_flows *c, struct flow *f);
/* Its last ended request, while that still learns; NULL: none. */
struct held *flow_held(struct capture_flows *c, const struct flow *f);
/* Hands out ended requests that were held long enough, or all. */
void flow_release(struct capture_flows *c, bool all);
/* A request, or all that run, ended so. */
void flow_finish(struct capture_flows *c, struct flow *f, struct imds_request *q, enum imds_end end, uint64_t now);
void flow_finish_all(struct capture_flows *c, struct flow *f, enum imds_end end, uint64_t now);
/* As a live session does at its end: what waits for longer than a stall counts, the rest just has begun. */
void flow_give_up(struct capture_flows *c, struct flow *f);
/* True when the client acknowledged more than a FIN, which is not here. */
bool flow_answer_unseen(const struct flow *f);
/* The place of its request number n. */
struct imds_request *flow_slot(struct flow *f, uint32_t n);
/* The head of the request that is sent now is whole. */
void flow_request_sent(const struct capture_flows *c, struct flow *f);
/* The evidence of a request that has ended grows for a while. */
void flow_evidence_changed(struct capture_flows *c, struct flow *f);
/* A segment of the service whose TTL is spent before it is at the client. */
void flow_answer_dies(struct capture_flows *c, struct flow *f, const struct segment *s, int depth, uint64_t now);
/* The client acknowledged bytes of the service that are not here: what waits for an answer may have had it. */
void flow_answer_lost(struct capture_flows *c, struct flow *f, uint64_t now);
/* The client sent all before seq: what of that is not here is as what a snaplen cuts off. fin_possible: seq may be behind a FIN. */
void flow_client_gap(struct capture_flows *c, struct flow *f, uint32_t seq, bool fin_possible, uint64_t now);
/* Bytes of a body; *in_body becomes false behind its last. Returns how many, of len, of which known are here. */
uint32_t flow_body_bytes(const struct capture_flows *c, struct imds_scan *scan, bool *in_body, const uint8_t *buf,
			 uint32_t known, uint32_t len);
/* The place in the network where a packet was captured; find_point(): NULL: not seen there. */
uint64_t flow_point_id(const struct packet *p, const struct segment *s, bool from_client);
struct point *flow_find_point(struct flow *f, uint64_t id, int depth);
/* What a segment says. */
void flow_from_client(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t,
		      uint8_t endpoint);
void flow_from_service(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t);

#endif
