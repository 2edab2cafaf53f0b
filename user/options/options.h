/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: option and command tables, one parser, help. */
#ifndef IMDSNOOP_OPTIONS_H
#define IMDSNOOP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../bpf/imdsnoop.h"
#include "../model/pod_table.h"

#ifndef IMDSNOOP_VERSION
#define IMDSNOOP_VERSION "unknown" /* the Makefile passes its own */
#endif

#define OPTIONS_ENDPOINT_TEXT 64
#define OPTIONS_FROM_MAX 64 /* --from */
#define OPTIONS_MAX_PODS 65536
#define OPTIONS_MAX_FLOWS (1u << 20)
#define OPTIONS_MAX_WORKLOADS 5000

enum exit_code { EXIT_FINE = 0, EXIT_CANNOT_RUN = 1, EXIT_USAGE = 2, EXIT_FINDINGS = 10 };

/* As enum metrics_level of the view. */
enum metrics_depth { METRICS_DEPTH_NODE, METRICS_DEPTH_WORKLOAD, METRICS_DEPTH_POD };

enum output_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_HTML };

/*
 * Strings are borrowed from argv or are literals; endpoint_texts points into the struct itself, so it is filled in
 * place and never copied. NULL: not given, unless said otherwise. Durations in nanoseconds.
 */
struct options {
	const struct command *command;

	/* where to look */
	const char *cgroup;	    /* NULL: find the cgroup v2 mount */
	const char *pod_logs;	    /* never NULL */
	const char *container_logs; /* never NULL */
	const char *runtime_dirs;   /* never NULL; what is "/" to the container runtimes' state */
	const char *node;	    /* NULL: the host name, see options_node() */
	struct imds_endpoint endpoints[IMDS_MAX_ENDPOINTS];
	const char *endpoint_texts[IMDS_MAX_ENDPOINTS + 1]; /* as shown, NULL-ended */
	size_t endpoints_len;

	/* what to show */
	const char *namespace;
	const char *pod; /* glob of fnmatch(3) */
	const char *container;
	const char *workload; /* "cart" or "shop/cart" */
	const char *comm;
	bool problems;
	uint64_t stall_ns;
	uint64_t slow_ns;
	enum output_format format;
	bool brief;
	const char *output;	/* NULL: standard output */
	bool no_color;		/* see options_color() */
	const char *host_netns; /* NULL: PID 1's, and our own where that is a node's */
	bool redact_paths;
	int verbose; /* how many -v */
	bool quiet;

	/* how long, how much */
	uint64_t duration_ns; /* 0: no end; report: 30 s unless given */
	uint64_t count;	      /* 0: no end */
	uint32_t max_pods;
	uint32_t max_flows;
	bool no_drops;
	bool no_process;

	/* serve */
	const char *listen;	     /* never NULL; "127.0.0.1:9754" */
	const char *listen_path;     /* of a Unix socket, absolute; NULL: an address */
	char listen_host[64];	     /* an IPv4 or IPv6 address, without brackets */
	uint16_t listen_port;	     /* 0: the kernel picks one */
	const char *drop_privileges; /* a user's name, never NULL; "root" keeps what we have */
	enum metrics_depth metrics;
	uint32_t max_workloads;
	const char *state; /* folder of the ledger */

	/* report, probe */
	bool what_if;
	uint32_t what_if_hop_limit; /* 1..64; 0: only tokens=required was given */
	bool what_if_tokens_required;
	bool what_if_endpoint_off, what_if_role_delivery; /* ready alone */
	const char *baseline;				  /* report JSON to compare with */
	const char *from[OPTIONS_FROM_MAX];		  /* a trace or captures to read instead of the kernel */
	size_t from_len;
	const char *names;  /* of addresses in captures */
	const char *pcapng; /* heads of packets go there */
	int exit_code;	    /* of findings; 0: not asked for */

	/* probe */
	bool all;
	bool self;
	bool watch;

	/* ready */
	const char *from_state; /* folder of a ledger */
	uint64_t since_ns;

	/* merge, ready */
	const char *const *files;
	size_t files_len;

	char endpoint_buf[IMDS_MAX_ENDPOINTS][OPTIONS_ENDPOINT_TEXT];
};

struct command {
	const char *name;
	const char *help;      /* one line */
	const char *arguments; /* after the options in the usage line, "" for none */
	const char *examples[2];
	unsigned int groups; /* OPTIONS_* whose options it takes */
	int (*run)(const struct options *o);
};

/* Groups of options; each option belongs to one or more, a command takes those of its groups and refuses others. */
#define OPTIONS_COMMON (1u << 0)  /* --quiet, -v, --no-color */
#define OPTIONS_OBSERVE (1u << 1) /* hooks, tables, --stall, --slow */
#define OPTIONS_NODE (1u << 2)	  /* --cgroup, --pod-logs, --container-logs, --runtime-dirs */
#define OPTIONS_ENDPOINTS (1u << 3)
#define OPTIONS_SELECT (1u << 4) /* --namespace, --pod, --container, --workload */
#define OPTIONS_FORMAT (1u << 5) /* text, json */
#define OPTIONS_HTML (1u << 6)	 /* text, json, html */
#define OPTIONS_PICK (1u << 7)	 /* --comm, --problems, --count */
#define OPTIONS_SERVE (1u << 8)
#define OPTIONS_REPORT (1u << 9)
#define OPTIONS_PROBE (1u << 10)
#define OPTIONS_FILES (1u << 11) /* no option: takes file names */
#define OPTIONS_UNTIL (1u << 12) /* --duration, without end unless given */
#define OPTIONS_OUTPUT (1u << 13)
#define OPTIONS_NAME (1u << 14)	 /* --node */
#define OPTIONS_READY (1u << 15) /* takes file names too, or --from-state */
#define OPTIONS_FROM (1u << 16)	 /* --from, --names, --pcapng */
#define OPTIONS_CHECK (1u << 17)
#define OPTIONS_LIVE (1u << 31) /* no group: the option is refused beside --from */

/*
 * Parses argv against the commands (ended by a row without name); file names are moved to the front of argv. Returns
 * -1 when *ret is to be run, else the exit code to end with: help or version was printed to out (EXIT_FINE), or one line to
 * err that says what is wrong and what to do (EXIT_USAGE).
 */
int options_parse(const struct command *commands, int argc, char **argv, FILE *out, FILE *err, struct options *ret);

/* --node, else the host name, else "localhost". buf holds it where needed; the return value is valid as long as buf. */
const char *options_node(const struct options *o, char *buf, size_t len);

/* What they say of the pod table; borrows o's endpoints. */
static inline struct pod_table_options options_pod_table(const struct options *o)
{
	return (struct pod_table_options){
		.max_pods = o->max_pods,
		.stall_ns = o->stall_ns,
		.slow_ns = o->slow_ns,
		.endpoints = o->endpoints,
		.endpoints_len = o->endpoints_len,
		.redact_paths = o->redact_paths,
	};
}

/* True when what goes to f may be coloured: a terminal, no --no-color, NO_COLOR unset or empty, TERM not dumb. */
bool options_color(const struct options *o, FILE *f);

/* Calls fn for each option, for tests of the documents: its long name without "--", and groups that take it. */
void options_for_each(void (*fn)(void *arg, const char *name, unsigned int groups), void *arg);

/*
 * Values, in options_value.c; each returns 0 or -EINVAL.
 *
 * "250ms", "30s", "1m30s", "1.5s", "1d": numbers with unit, larger units first; -ERANGE below 1 ms and above 1000 hours.
 */
int options_parse_duration(const char *text, uint64_t *ret_ns);

/* "ADDR", "ADDR:PORT", "[ADDR6]:PORT", "ADDR6"; unicast; port 0 in *ret: any. Class is told from the address. */
int options_parse_endpoint(const char *text, struct imds_endpoint *ret);

/* As options_parse_endpoint() reads it; 64 bytes suffice. Returns buf. */
const char *options_endpoint_text(const struct imds_endpoint *e, char *buf, size_t len);

/* "hop-limit=N", "tokens=required", "endpoint=off", "role-delivery=2.0", joined by commas: what_if* of o. N in 1..64, the range that EC2 takes. */
int options_parse_what_if(struct options *o, const char *text);

/* "127.0.0.1:9754", "[::1]:9754", "unix:/run/imdsnoop.sock": listen* of o. */
int options_parse_listen(struct options *o, const char *text);

#endif
