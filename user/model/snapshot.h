/* SPDX-License-Identifier: GPL-2.0-only */
/* A read-only picture of all that is known, for views and findings. Times in CLOCK_MONOTONIC ns unless said otherwise. */
#ifndef IMDSNOOP_SNAPSHOT_H
#define IMDSNOOP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/feature.h"
#include "../pods/pod_names.h"
#include "figures.h"
#include "histogram.h"
#include "words.h"

#define POD_STATS_REASONS 8 /* drop reasons told apart per pod, the rest under "other" */
#define POD_STATS_PROCESSES 8
#define POD_STATS_ERRORS 6
#define POD_STATS_NOTES 4

/* How far a request came that was left without an answer for no cause that was seen. */
enum silence {
	SILENCE_UNCONNECTED, /* no SYN-ACK */
	SILENCE_UNACKED,     /* the connection stood, the request was not acknowledged */
	SILENCE_UNANSWERED,  /* it was, and nothing came back */
	SILENCE_BEHEADED,    /* the answer's end came, but not its beginning */
	SILENCE_UNFINISHED,  /* what was sent is no whole HTTP request, so far as it was read to its end */
	SILENCE_COUNT
};

struct drop_count {
	char reason[32]; /* "NETFILTER_DROP"; "ip_forward" where the kernel has no reasons; "other" */
	uint64_t packets;
};

struct process_count {
	uint32_t pid; /* the newest one of that name */
	char comm[IMDS_COMM_LEN];
	char parent[IMDS_COMM_LEN]; /* nearest ancestor, "" unknown */
	uint64_t requests;
	uint64_t v1_requests;
	uint64_t token_unanswered;
};

/* Answers that were errors, told apart by request line and status. */
struct error_count {
	uint64_t requests;
	uint16_t status;
	uint8_t kind;	/* enum imds_kind */
	uint8_t method; /* enum imds_method */
	uint8_t provider;
	bool forwarded; /* X-Forwarded-For was in the request */
	char path[64];	/* without query; cut */
	int8_t header; /* the one that its provider requires: 1 was there, -1 was not; 0: not known, or none is required */
	bool served; /* the same request was answered below 400 since */
};

/* Where packets of requests that failed were dropped: one per cause, reason, place and direction. */
struct drop_note {
	enum cause cause;
	bool from_endpoint;
	char reason[32], location[64];
	char to[64];	   /* where NAT on this node had sent it, "" where it had not, or not known */
	uint64_t requests; /* that it stopped */
	uint8_t ttl;	   /* the highest */
	uint16_t where;	   /* IMDS_D_AT_HOME, IMDS_D_FOREIGN, 0: in the node's own network, or not known; IMDS_D_RST */
	bool hop_limit;	   /* of requests whose outcome is OUTCOME_HOP_LIMIT, which is told by itself */
};

/* Requests of one kind: allocated with the first, for a container uses two or three kinds of the eight. */
struct kind_stats {
	uint64_t cells[IMDS_VERSION_COUNT][OUTCOME_COUNT]; /* the cells of imdsnoop_requests_total */
	struct histogram latency;			   /* answered ones */
};

/* One container (or cgroup) that spoke to a metadata endpoint. */
struct pod_stats {
	struct pod_identity who; /* strings owned by the table, valid as long as the snapshot */
	bool other;		 /* the row that holds what is over --max-pods */
	bool host_network;	 /* known to live in the node's network namespace */
	bool own_network;	 /* known to live in one of its own; both false: unknown */

	/*
	 * requests: finished ones, exact; stalled ones are in in_flight until they end. answered: any complete answer. failed:
	 * left the client without what it asked for: no answer, or a token or credentials request answered 4xx or 5xx. A
	 * poll's 404 is an answer and no failure. v1_answered: without a token and what it asked for, a 404 too, but no 401;
	 * v1_credentials: of these, credentials. slow: answered, but above --slow. records_lost: counted by the kernel, but
	 * their records did not fit into the ring. untracked: connections, DNS queries and requests that were not followed.
	 * judged_early: requests that got no place to wait for a late death of their answer.
	 */
	FIGURES_HERE;
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t causes[CAUSE_COUNT];
	uint64_t silences[SILENCE_COUNT];	/* of those of CAUSE_SILENT or CAUSE_RESET over TCP */
	uint64_t confidences[CONFIDENCE_COUNT]; /* of the hop-limit outcomes */
	uint64_t kinds[IMDS_KIND_COUNT];
	struct kind_stats *by_kind[IMDS_KIND_COUNT]; /* owned by the table; NULL: none of that kind */
	uint64_t responses[IMDS_STATUS_COUNT];
	uint64_t slow_begin_us;		       /* longest that the first byte of a slow one took; 0: unknown */
	uint64_t slow_connects;		       /* connections that stood later than --slow after their first SYN */
	uint64_t late_waited_us, late_took_us; /* longest of requests answered after their client had left; 0: unknown */
	/* answers that came when their requests had long been told, as silent, or died of their TTL then; no more than these */
	uint64_t late_after, late_died;
	uint64_t v1_unauthorized; /* 401 to a request without a token; with one it is an old token or a probe */
	uint64_t fallback_answered_us_sum, fallbacks_answered;

	struct histogram latency; /* answered requests */
	struct histogram connect;

	int hops;		/* -1: unknown */
	int required_hop_limit; /* 0: unknown; else the highest that was seen needed; at least that while hops is -1 */
	int baseline_ttl;	/* TTL on the node that its own was compared with for hops; 0: there was none */
	int node_ttl;		/* TTL on the node of the endpoint that ttl_synack is of; 0: not seen */
	enum hops_source hops_source;
	enum hop_limit_state hop_limit;
	int ttl_synack, ttl_response, ttl_token_response, ttl_dropped; /* newest; 0: not seen */
	uint64_t hop_limit_drops; /* packets of the endpoint that died with TTL <= 1, matched to this pod */
	uint64_t policy_drops;	  /* its own packets dropped by a packet filter */
	char drop_location[64];	  /* where the answers died, "" unknown */
	char death_reason[32];	  /* reason of these, "" unknown */
	char policy_location[64], policy_reason[32];
	enum imds_drop_match drop_match;
	struct drop_count drops[POD_STATS_REASONS];
	size_t drops_len;
	struct process_count processes[POD_STATS_PROCESSES];
	size_t processes_len;
	uint64_t packets[IMDS_DIRECTION_COUNT];
	uint64_t bytes[IMDS_DIRECTION_COUNT];
	unsigned int providers;				 /* bit per enum provider */
	unsigned int endpoints;				 /* bit per endpoint index */
	unsigned int providers_ok, endpoints_ok;	 /* those that gave what was asked for */
	unsigned int providers_failed, endpoints_failed; /* as providers, endpoints: those of requests that failed */
	unsigned int endpoints_failing;			 /* those where the newest request failed */
	struct {
		unsigned int providers, endpoints;
	} failed_by[OUTCOME_COUNT];		       /* the same, of those that failed so */
	uint64_t credentials_requests, credentials_ok; /* ok: answered, and with them */
	uint64_t last_failed_ns, last_ok_ns; /* newest request that failed, newest answered below 400; 0: none */
	uint64_t last_broken_ns;	     /* newest answered 500 or above */
	bool token_fails; /* its newest token request failed: what is answered without one since is no cure */
	struct error_count errors[POD_STATS_ERRORS]; /* what is over is in responses alone */
	size_t errors_len;
	struct drop_note notes[POD_STATS_NOTES];
	size_t notes_len;
	int ttl_low, ttl_high;	    /* of SYN-ACKs from the IMDS addresses to ttl_local; 0: none */
	struct imds_addr ttl_local; /* its sockets' first address: another one may be nearer to the same service */
	bool redirected_at_home;    /* by a rule in its own network namespace: a sidecar's, ecs-init's */
	const struct answerer *answerers[2]; /* newest that is known, in the cloud's place and of agents; NULL: none */
	const struct answerer *answered_by;  /* that of these which its failures, else all that it asked, are about */
	bool stood_in_for;		     /* by answered_by: some process answered in the metadata service's place */
	bool refused_by_rst, refused_by_icmp; /* how its connections were refused */
	bool left_at_once;		      /* or its clients closed them at once: the sockets did not tell */
	bool uses_pod_identity;	    /* credentials answered by EKS Pod Identity or ECS: IMDS is probably not needed */
	bool needs_credentials;	    /* asked IMDS for credentials */
	bool ttl_above_baseline;    /* TTL in its own namespace as high as, or higher than, on the node */
	uint64_t first_ns, last_ns; /* CLOCK_MONOTONIC of its first and newest request */
	uint32_t recent_us[32];	    /* durations of the newest answered requests, oldest first, for sparklines */
	size_t recent_len;
	/*
	 * Sums of earlier containers of the same namespace, pod and container name whose rows have left: only for counters
	 * that must not go backward. Owned by the table; NULL: none.
	 */
	const struct pod_stats *before;
};

/*
 * Answers that died without a socket of ours to die for: gVisor, Kata, virtual machines, AF_XDP. One per destination,
 * device and network namespace; bounded, what is over is the loss "unowned_full".
 */
struct unowned {
	struct imds_addr address; /* destination of the dead answer, after NAT was undone where it was */
	uint16_t port;
	char device[16];  /* that the packet came in by or was to leave by, "" unknown */
	const char *name; /* workload, pod or virtual machine, "" unknown; borrowed */
	uint64_t packets; /* dead ones with TTL <= 1 in a place that forwards, since the watch began */
	uint64_t last_ns; /* CLOCK_MONOTONIC of the newest; 0: unknown */
	uint8_t ttl;
	char reason[32], location[64];
};

struct loss {
	const char *name; /* "ring_request", "flow_table_full", ... */
	const char *what; /* what it means for the figures, one line */
	uint64_t count;
};

/* A pod that a finding is about. */
struct finding_pod {
	const struct pod_identity *who; /* borrowed from the snapshot */
	size_t row;			/* into snapshot.pods */
};

struct finding {
	enum severity severity;
	enum finding_code code;
	const char *namespace, *pod, *container; /* "" for the node as a whole */
	const char *cgroup;
	char *summary;
	char **evidence;	  /* NULL-ended */
	char **advice;		  /* NULL-ended */
	char workload[254];	  /* "" for what is no pod */
	struct finding_pod *pods; /* one or more of a workload, worst first; malloc'd. None: the node as a whole */
	size_t pods_len;
};

/* Its worst row in snapshot.pods; SIZE_MAX for the node. */
static inline size_t finding_row(const struct finding *f)
{
	return f->pods_len ? f->pods[0].row : SIZE_MAX;
}

static inline bool finding_is_about(const struct finding *f, size_t row)
{
	for (size_t i = 0; i < f->pods_len; i++)
		if (f->pods[i].row == row)
			return true;
	return false;
}

/* Connection tracking of the network namespace that was watched from. */
struct conntrack {
	uint64_t drops; /* packets that it dropped since the watch began: no room for their connection, as a rule */
	uint64_t entries, max;
};

/*
 * Its own network, and a TTL as high as on the node, or a token's as high as others: a rule may have raised it (then it
 * needs more than it seems to), a process that was not seen may answer, or its interface is the network card's own.
 */
static inline bool pod_stats_seems_near(const struct pod_stats *p)
{
	return p->own_network && p->hops == 0 && !p->stood_in_for &&
	       (p->ttl_above_baseline || (p->ttl_token_response && p->ttl_token_response >= p->ttl_synack));
}

struct snapshot {
	const char *version, *node, *kernel;
	uint64_t started_wall_ns; /* since 1970 */
	uint64_t now_wall_ns;
	uint64_t started_ns, now_ns;  /* CLOCK_MONOTONIC */
	uint64_t slow_us;	      /* --slow */
	const char *boot_id;	      /* of the kernel that was watched; NULL: nothing was watched live */
	const char *part;	      /* the cgroup folder that was watched; NULL: the whole node */
	const char *const *endpoints; /* as text, NULL-ended */
	const char *names_share_of;   /* whose most of that loss is; NULL: not known */
	const struct feature *features;
	size_t features_len;
	const struct loss *losses; /* all of them, zeros too */
	size_t losses_len;
	int baseline_ttl; /* as host-network sockets receive it; 0: none spoke */
	int node_token_ttl; /* of token answers at host-network sockets: the hop limit set; 0: unknown, or no one for all */
	bool drops_watched; /* the drop hook is on */
	/* packets dropped of connections that we did not see begin; nothing of ours is lost by them */
	uint64_t stray_ttl_drops;      /* an endpoint's, with TTL <= 1 */
	uint64_t stray_drops;	       /* all others */
	struct conntrack conntrack;    /* all 0: none there, or not watched live */
	const struct unowned *unowned; /* most packets first */
	size_t unowned_len;
	const struct pod_stats *const *pods; /* worst first */
	size_t pods_len;
	struct pod_stats totals;      /* sums; identity empty */
	const struct pod_stats *gone; /* of these, what rows had that have left since; NULL: none did */
	size_t gone_rows;
	struct finding *findings; /* worst first */
	size_t findings_len;
};

#endif
