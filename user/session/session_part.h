/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of session.h share. */
#ifndef IMDSNOOP_SESSION_PART_H
#define IMDSNOOP_SESSION_PART_H

#include "../base/clock.h"
#include "../kernel/drop_reason.h"
#include "../kernel/features.h"
#include "../pods/pod_names.h"
#include "session.h"

#ifndef SESSION_GONE_NS			      /* a test has less time */
#define SESSION_GONE_NS (300ull * 1000000000) /* series and names of gone pods leave after this */
#endif
#define SESSION_HELD_MAX 1024			  /* requests */
#define SESSION_HELD_SHARE (SESSION_HELD_MAX / 8) /* of one pod */
#define SESSION_LOSSES_EXTRA 10
#define SESSION_UNOWNED_MAX IMDS_UNOWNED
#define SESSION_LAST_TURNS 8		      /* of reading the rings, for a snapshot */
#define SESSION_BLIND_NS (20ull * 1000000000) /* detached for so long, an agent ends */
#define SESSION_SHARED_NS 1000000000ull	      /* a snapshot serves no longer */

struct stalled;	  /* session_records.c */
struct seen;	  /* session_counts.c */
struct owner;	  /* session_unowned.c */
struct copies;	  /* session_copies.c */
struct answerers; /* session_answerer.c */

#define SESSION_DEATHS 256
#define SESSION_LATE_COOKIES 256

/*
 * An answer that died of its TTL, by connection: drops have a ring of their own, so that one may be read before the request
 * that it belongs to; and requests that wait behind that answer on the same connection can get none either.
 */
struct session_death {
	uint64_t cookie;
	uint64_t end_ns; /* when the request whose answer it was ended; 0: not read yet */
	struct imds_drop drop;
};

struct session_held {
	struct imds_rec_request rec;
	uint64_t pod; /* hash of who asked */
};

struct session {
	const struct options *o;
	struct session_callbacks cb;
	struct event_base *base;
	struct event *ring_event, *pause_event, *tick_event, *duration_event, *signals[2];
	struct features features;
	struct tracer *tracer;
	struct drop_reasons *reasons;
	struct pod_names *names;
	struct pod_table *table;
	int cgroup_fd, netns_fd;
	struct stalled *stalled;
	struct seen *seen_packets, *seen_requests, *seen_drops;
	struct session_death deaths[SESSION_DEATHS]; /* newest ones, by cookie */
	uint64_t late_cookies[SESSION_LATE_COOKIES]; /* connections whose late answer was joined or counted */
	struct session_held *held;		     /* waiting for their verdict, see pod_table_wants_later() */
	size_t held_len;
	uint64_t held_lost;	 /* judged at once for want of a place */
	uint64_t held_looked_ns; /* when all of them were looked at */
	uint64_t last_names_ns;
	uint64_t last_rescans;	 /* of the cgroup tree */
	uint64_t round_ns;	 /* when the round through the connections began, 0: none is under way */
	uint64_t fresh_until_ns; /* so long the newest snapshot serves all, */
	uint64_t fresh_freed;	 /* while pod_table_freed() is this */
	uint64_t missed;	 /* events that our tracing programs did not get */
	bool own_netns_is_hosts;
	struct unowned unowned[SESSION_UNOWNED_MAX];
	int unowned_entries;   /* of the kernel's, when they were read last */
	struct owner *owners;  /* names found for these, by address */
	struct copies *copies; /* NULL: without --pcapng */
	struct answerers *answerers;
	uint64_t unread; /* readings of a kernel table that failed */
	/* our programs at the cgroup's hooks, which another tool may take off */
	uint64_t attached_ns;			/* newest moment at which all were known to be there */
	uint64_t detached_ns;			/* since when some are not; 0: all are */
	uint64_t blind_from_ns, blind_until_ns; /* the newest time of that kind, its end open while it lasts */
	uint64_t tried_ns;			/* to attach them again */
	uint64_t unwatched_ns, unjudged;
	bool ended_blind;
	bool terminated; /* by SIGTERM */
	bool closing;	 /* stalled requests are added as they stand */
	bool stopped;	 /* session_stop() was called, perhaps before the loop began */
	uint64_t started_ns, started_wall_ns;
	uint64_t conntrack_before; /* its drops when the watch began */
	bool conntrack_known;
	const char *node;
	char node_buf[256];
	char names_share_of[512]; /* whose most of that loss is */
	struct loss losses[TRACER_LOSS_COUNT + SESSION_LOSSES_EXTRA];
	struct snapshot snapshot;
};

/* What the tracer is to call with each record. */
struct record_callbacks session_record_callbacks(struct session *s);
/* Gives out held requests whose fate is known or whose time is up; all of them at the end. */
void session_release_held(struct session *s, uint64_t now_ns, bool all);
/* Looks through the kernel's table for running requests, a part a turn or all: counts them, tells each stall once. */
void session_sweep(struct session *s, bool all, uint64_t now_ns);
/* If the cgroup is a pod's, or a container's outside any, it has a share of its own from now on. */
void session_share(struct session *s, uint64_t cgroup_id);
void session_free_stalled(struct session *s);
/* Fills the snapshot's answers that died for no socket, with the names of those whose address tells. */
void session_read_unowned(struct session *s);
void session_free_unowned(struct session *s);
void session_read_rest(struct session *s);
/* Fills snapshot.conntrack; the first call is the watch's beginning. Without connection tracking: all 0. */
void session_read_conntrack(struct session *s);
/* The pod or container that has an address of this node's networks; *ret is a copy (pod_identity_copy()). False: none, or more than one. */
bool session_find_at(struct session *s, const struct imds_addr *addr, struct pod_identity *ret);

/*
 * Who answers rec's connection in the service's place on this node: looks it up, within a budget, or NULL. It stays valid as
 * long as s. Calls pod_names_get(): identities that were got before are invalid after it.
 */
const struct answerer *session_find_answerer(struct session *s, const struct imds_rec_request *rec, uint64_t now_ns);
/* What was found before for a connection; never looks. */
const struct answerer *session_answerer_of(const struct session *s, uint64_t cookie);
int session_open_answerers(struct session *s); /* 0 or -ENOMEM */
void session_free_answerers(struct session *s);

/*
 * Looks whether our programs are still attached; attaches them again where that is possible. Returns false while they are
 * not: then requests that no answer was seen of are not judged, and no connection is followed.
 */
bool session_watches(struct session *s, uint64_t now_ns);

/*
 * --pcapng, nothing without it. open prints one line and returns a negative errno when the file cannot be written; so does
 * close, which also writes what waits, and may be called again. judge: the request's verdict, for its packets' comments.
 */
int session_copies_open(struct session *s);
void session_copies_add(struct session *s, const struct imds_rec_copy *rec);
void session_copies_judge(struct session *s, const struct request *r, uint64_t now_ns);
void session_copies_write(struct session *s, uint64_t now_ns, bool all);
int session_copies_close(struct session *s);

/* Adds to the pod table what the kernel has counted since the last call. */
void session_read_counts(struct session *s);
/* Rows, kernel counts and what we remember of them, of cgroups that are gone: for an agent that runs for months. */
void session_forget_gone(struct session *s);
void session_free_counts(struct session *s);

#endif
