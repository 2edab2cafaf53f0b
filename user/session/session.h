/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What trace, top, report and serve share: probes the node, starts the tracer, names cgroups, fills the pod table, runs
 * the event loop. One code path for counting; a command only looks.
 */
#ifndef IMDSNOOP_SESSION_H
#define IMDSNOOP_SESSION_H

#include "../kernel/features.h"
#include "../kernel/tracer.h"
#include "../model/pod_table.h"
#include "../view/text.h"
#include "../options/options.h"

struct event_base; /* libevent */
struct session;

/* All optional. Requests are valid during the call. */
struct session_callbacks {
	void (*on_request)(void *arg, const struct request *r, uint64_t now_ns); /* finished */
	void (*on_stall)(void *arg, const struct request *r, uint64_t now_ns);	 /* once per stalled request */
	void (*on_drop)(void *arg, const struct pod_identity *who, const struct imds_rec_drop *rec, const char *reason,
			const char *location);
	void (*on_tick)(void *arg, uint64_t now_ns); /* every 250 ms */
	void (*on_read)(void *arg); /* all that was there has been handed out: nothing comes before the next wait */
	void *arg;
};

/*
 * Probes and attaches. Returns NULL after printing one line to standard error; then nothing is attached. o and cb must
 * outlive the session.
 */
struct session *session_new(const struct options *o, const struct session_callbacks *cb);
void session_free(struct session *s);

/* What the session runs on, and owns: for timers and sockets of the command. */
struct event_base *session_base(struct session *s);
uint64_t session_now_ns(void); /* CLOCK_MONOTONIC */

/* True while some of our programs are detached: another tool did it, or their folder is gone. */
bool session_is_blind(const struct session *s);
/* How long that was until now_ns, in sum. */
uint64_t session_unwatched_ns(const struct session *s, uint64_t now_ns);

/* Runs until SIGINT, SIGTERM, --duration or session_stop(). Returns 0 or a negative errno: -ENOLINK when
 * it was blind for too long, -ECANCELED when it could not run to its end, -EIO when all was seen and --pcapng lacks some. */
int session_run(struct session *s);
void session_stop(struct session *s);

/*
 * Brings counts up to date and fills the snapshot with findings; valid until the next call. close_open also adds the
 * requests that are stalled now, as they stand: for the end of a report.
 */
const struct snapshot *session_snapshot(struct session *s, bool close_open);

/*
 * The exact counts since attach as of the newest snapshot: what pod_table_add_packets(), _lost() and _drops() were
 * given, in sum. who NULL: of no known connection. For the last line of `trace --json`.
 */
struct session_count_callbacks {
	void (*on_packets)(void *arg, const struct pod_identity *who, const struct imds_packet_counters *c);
	void (*on_lost)(void *arg, const struct pod_identity *who, const struct imds_request_key *key, uint64_t n);
	void (*on_drops)(void *arg, const struct pod_identity *who, const struct imds_drop_key *key, const char *reason,
			 uint64_t packets);
	void *arg;
};
void session_each_count(struct session *s, const struct session_count_callbacks *cb);

/* Fill levels of the kernel's tables and ours, and run times of the BPF programs; each returns how many it wrote. */
size_t session_tables(struct session *s, struct tracer_table *ret_tables, size_t len);
size_t session_programs(struct session *s, struct tracer_program *ret_programs, size_t len);
/* As session_snapshot(), but only what is known from the start: version, kernel, node, endpoints, features, times. */
const struct snapshot *session_describe(struct session *s);

/* True when r passes --namespace, --pod, --container, --comm and --problems. */
bool session_selects_request(const struct session *s, const struct request *r);
bool session_options_select(const struct options *o, const struct request *r);		/* the same without a session */
bool session_selects_identity(const struct options *o, const struct pod_identity *who); /* the first three */
bool session_selects_pod(const struct options *o, const struct pod_stats *p);

/*
 * Standard output, or --output: a whole document takes the place of the file that was there when it is closed without an
 * error; lines are written as they come. Prints one line on failure and returns NULL. New files are ours alone (0600).
 */
FILE *session_open_output(const struct options *o, bool whole);
/*
 * A descriptor to write to name, or -1 and errno, which session_open_failed() tells in one line and returns negated. The
 * reader of a named pipe is waited for until a signal, or as long as --duration.
 */
int session_open(const struct options *o, const char *name, int flags);
int session_open_failed(const char *name);
bool session_is_pipe(const char *name); /* a named one */
/* Before a watch: false, and one line, when it could not be opened now. Changes nothing. */
bool session_test_output(const struct options *o);
/* Colour, UTF-8 and width as they suit f. */
struct text_options session_text_options(const struct options *o, FILE *f);
/*
 * Closes what session_open_output gave; a failed write, or the earlier one err (0: none), is told and returned as a
 * negative errno. A reader that left (head, grep -m1) has what it wanted: no error.
 */
int session_close_output(const struct options *o, FILE *f, int err);
/*
 * A command's one document: opened as session_open_output() does, written by write(), closed. write() returns 0 or a negative
 * errno. Returns 0, or negative when that was told.
 */
int session_write_output(const struct options *o, int (*write)(FILE *out, const struct options *o, const void *what),
			 const void *what);

/*
 * Folders of the container runtimes' state that are there, as this process sees them: what names are read from later.
 * Fills up to SESSION_RUNTIMES pointers into buf and a NULL behind them.
 */
#define SESSION_RUNTIMES 4
#define SESSION_RUNTIME_PATH 512
void session_runtime_folders(const char *root, char buf[SESSION_RUNTIMES][SESSION_RUNTIME_PATH],
			     const char **ret_folders);

/* Adds a row for each container runtime whose state names its containers: found, readable, how many. */
void session_note_runtimes(struct features *f, const char *root);

/*
 * What is taken at most, kernel included, in words into buf. False when that is more than the cgroup of this process may
 * take: the words say so.
 */
bool session_tell_memory(const struct options *o, char *buf, size_t len);

/* A line to standard error, at most 4 KiB of it; control bytes, which names and files may bring, become '?'. */
void session_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
