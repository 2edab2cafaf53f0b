/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --pcapng: heads of packets wait here until what became of their request is known, and are written in the order of time
 * with that as their comment. Bounded: when too many wait, the oldest are written with what is known.
 */
#include "../base/clock.h"
#include "../base/hash.h"
#include "../base/text_add.h"
#include "session_part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "../capture/packet_writer.h"

#define WAITING_MAX 16384	    /* packets, 4 MiB */
#define WAIT_NS 10000000000ull	    /* for the end of a request: longer than most clients wait */
#define KEPT_NS 2000000000ull	    /* a connection whose packets are all written: late ones may come */
#define WAIT_BEHIND_NS 500000000ull /* behind the last request: closing packets */
#define LABEL_LEN 640

/* What is known of a request; shared by its packets. */
struct label {
	unsigned int refs;
	bool hidden; /* a filter leaves it out */
	char text[LABEL_LEN];
};

struct connection {
	uint64_t cookie;
	TAILQ_HEAD(copy_list, copy) copies; /* whose request has not ended */
	struct label *last;		    /* of the request that ended last */
	bool open;			    /* request bytes came since */
	uint64_t seen_ns;
	UT_hash_handle hh;
};

struct copy {
	TAILQ_ENTRY(copy) in_time, in_connection;
	struct connection *connection; /* NULL: nothing more is to be learned */
	struct label *label;
	struct imds_rec_copy rec;
};

struct copies {
	TAILQ_HEAD(copy_order, copy) waiting;
	size_t len;
	struct connection *connections;
	struct packet_writer writer;
	FILE *f;
	int err; /* of the first write that failed; 0: not known */
	uint64_t wall_offset_ns;
};

static void label_drop(struct label *l)
{
	if (l && !--l->refs)
		free(l);
}

static void copy_label(struct copy *c, struct label *l)
{
	l->refs++;
	label_drop(c->label);
	c->label = l;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

/* Comments are UTF-8, and a terminal shows them: any other byte than printable ASCII of a tenant's becomes '?'. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((*text < ' ' && *text != '\n') || *text == 0x7f || (*text & 0x80))
			*text = '?';
}

/* A line that --from reads back as a line of --names, when the pod is known. */
static void put_who(char *text, size_t size, const struct pod_identity *who, const struct imds_addr *local)
{
	char addr[64];

	if (!who->pod[0] || !local) {
		text_add(text, size, "%s\n", who->cgroup[0] ? who->cgroup : "unknown");
		return;
	}
	request_address(local, 0, addr, sizeof(addr));
	addr[strlen(addr) - 2] = '\0'; /* ":0" */
	text_add(text, size, "%.*s %s%s%s%s%s\n", (int)strcspn(addr + (*addr == '['), "]"), addr + (*addr == '['),
		 who->namespace, who->namespace[0] ? "/" : "", who->pod, who->container[0] ? "/" : "", who->container);
}

static void put_request(const struct session *s, const struct request *r, char *text, size_t size)
{
	const struct imds_request *q = &r->rec.req;
	const char *confidence = confidence_word(r->confidence), *cause = cause_word(r->cause);
	bool path = !s->o->redact_paths && q->path_len;
	char status[16];

	text[0] = '\0';
	put_who(text, size, r->who, &r->rec.peer.local);
	snprintf(status, sizeof(status), q->status ? "%u" : "no answer", q->status);
	if (q->kind == IMDS_KIND_CONNECT_ONLY || q->kind == IMDS_KIND_DNS)
		text_add(text, size, "%s: ", kind_word(q->kind));
	else
		text_add(text, size, "%s %s: %s, ", method_word(q->method), path ? q->path : kind_word(q->kind), status);
	text_add(text, size, "%s%s", r->running ? "stalled, so far " : "", outcome_word(r->outcome));
	if (confidence)
		text_add(text, size, " (%s)", confidence);
	if (cause && strcmp(cause, outcome_word(r->outcome)))
		text_add(text, size, ", cause %s", cause);
	if (r->required_hop_limit)
		text_add(text, size, ", needs hop limit %d", r->required_hop_limit);
	if (r->rec.peer.comm[0])
		text_add(text, size, ", process %s (%u)", r->rec.peer.comm, r->rec.peer.pid);
	clean(text);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static struct connection *connection_find(struct copies *cs, uint64_t cookie, bool make)
{
	struct connection *c;

	HASH_FIND(hh, cs->connections, &cookie, sizeof(cookie), c);
	if (c || !make || HASH_COUNT(cs->connections) >= WAITING_MAX)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->cookie = cookie;
	TAILQ_INIT(&c->copies);
	HASH_ADD(hh, cs->connections, cookie, sizeof(c->cookie), c);
	return HASH_ADDED(c);
}

static void connection_free(struct copies *cs, struct connection *c)
{
	HASH_DEL(cs->connections, c);
	label_drop(c->last);
	free(c);
}

/* Nothing more will be learned about it. */
static void settle(struct copy *c)
{
	if (c->connection)
		TAILQ_REMOVE(&c->connection->copies, c, in_connection);
	c->connection = NULL;
}

/* --- what the session calls --------------------------------------------------------------------------------------- */

void session_copies_judge(struct session *s, const struct request *r, uint64_t now_ns)
{
	struct connection *c = s->copies ? connection_find(s->copies, r->rec.peer.cookie, false) : NULL;
	uint64_t start_ns = request_start_ns(r), end_ns = r->running ? now_ns : r->rec.hdr.ts_ns;
	struct copy *copy, *next;
	struct label *l;

	if (!c)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		return;
	l->refs = 1;
	l->hidden = !session_options_select(s->o, r);
	put_request(s, r, l->text, sizeof(l->text));
	for (copy = TAILQ_FIRST(&c->copies); copy; copy = next) {
		next = TAILQ_NEXT(copy, in_connection);
		if (copy->rec.hdr.ts_ns > end_ns)
			continue;
		copy_label(copy, c->last && copy->rec.hdr.ts_ns < start_ns ? c->last : l);
		if (!r->running)
			settle(copy);
	}
	if (r->running) {
		label_drop(l);
		return;
	}
	label_drop(c->last);
	c->last = l;
	c->open = false;
	for (copy = TAILQ_FIRST(&c->copies); copy; copy = TAILQ_NEXT(copy, in_connection))
		c->open |= (copy->rec.flags & IMDS_C_OUT) && (copy->rec.flags & IMDS_C_PAYLOAD);
}

/* The interface's name: sockets, or the function that dropped it. */
static void write_copy(struct session *s, struct copy *c)
{
	struct label *l = c->label ? c->label : c->connection ? c->connection->last : NULL;
	bool drop = c->rec.flags & IMDS_C_DROP;
	char text[LABEL_LEN + 256] = "";
	const char *place = "sockets";

	if (drop) {
		place = drop_reasons_location(s->reasons, c->rec.location);
		place = place[0] ? place : "dropped";
		snprintf(text, sizeof(text), "dropped%s%s, at %s\n", c->rec.flags & IMDS_C_HAS_REASON ? ": " : "",
			 c->rec.flags & IMDS_C_HAS_REASON ? drop_reasons_name(s->reasons, c->rec.reason) : "", place);
	}
	if (l) {
		if (l->hidden)
			return;
		text_add(text, sizeof(text), "%s", l->text);
	} else {
		static const struct pod_identity nobody = POD_IDENTITY_NOBODY;
		const struct pod_identity *who =
		    c->rec.cgroup_id ? pod_names_get(s->names, c->rec.cgroup_id, 0, c->rec.hdr.ts_ns) : &nobody;

		if (!session_selects_identity(s->o, who))
			return;
		put_who(text, sizeof(text), who, NULL);
		text_add(text, sizeof(text), "%s",
			 c->rec.cookie ? "what became of it is not known" : "of no known connection");
		clean(text);
	}
	packet_writer_add(&s->copies->writer, &(struct packet_writer_packet){
						  .interface = place,
						  .ts_ns = c->rec.hdr.ts_ns + s->copies->wall_offset_ns,
						  .data = c->rec.bytes,
						  .captured = c->rec.captured,
						  .length = c->rec.length,
						  .outbound = c->rec.flags & IMDS_C_OUT,
						  .comment = text,
					      });
}

static bool is_due(const struct copy *c, uint64_t now_ns)
{
	const struct connection *of = c->connection;

	return !of || c->rec.hdr.ts_ns + (of->last && !of->open ? WAIT_BEHIND_NS : WAIT_NS) <= now_ns;
}

static void write_first(struct session *s)
{
	struct copies *cs = s->copies;
	struct copy *c = TAILQ_FIRST(&cs->waiting);

	write_copy(s, c); /* NOLINT(clang-analyzer-unix.Malloc): what is freed is off the list */
	settle(c);
	TAILQ_REMOVE(&cs->waiting, c, in_time);
	label_drop(c->label);
	free(c);
	cs->len--;
}

void session_copies_write(struct session *s, uint64_t now_ns, bool all)
{
	struct copies *cs = s->copies;
	struct connection *c, *tmp;
	struct copy *first;

	if (!cs)
		return;
	errno = 0;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is off the list */
	while ((first = TAILQ_FIRST(&cs->waiting)) && (all || is_due(first, now_ns)))
		write_first(s);
	HASH_ITER (hh, cs->connections, c, tmp)
		if (TAILQ_EMPTY(&c->copies) && c->seen_ns + KEPT_NS <= now_ns)
			connection_free(cs, c);
	fflush(cs->f);
	if (!ferror(cs->f))
		return;
	if (!cs->err)
		cs->err = errno;
	session_stop(s);
}

void session_copies_add(struct session *s, const struct imds_rec_copy *rec)
{
	struct copies *cs = s->copies;
	struct copy *c = cs ? calloc(1, sizeof(*c)) : NULL, *before; /* no cs: the file is closed */

	if (!c)
		return;
	c->rec = *rec;
	if (rec->cookie)
		c->connection = connection_find(cs, rec->cookie, true);
	if (c->connection) {
		TAILQ_INSERT_TAIL(&c->connection->copies, c, in_connection);
		c->connection->seen_ns = rec->hdr.ts_ns;
		c->connection->open |= (rec->flags & IMDS_C_OUT) && (rec->flags & IMDS_C_PAYLOAD);
	}
	/* CPUs write to the ring nearly in the order of time */
	before = TAILQ_LAST(&cs->waiting, copy_order);
	while (before && before->rec.hdr.ts_ns > rec->hdr.ts_ns)
		before = TAILQ_PREV(before, copy_order, in_time);
	if (before)
		TAILQ_INSERT_AFTER(&cs->waiting, before, c, in_time);
	else
		TAILQ_INSERT_HEAD(&cs->waiting, c, in_time);
	if (++cs->len > WAITING_MAX)
		write_first(s);
}

int session_copies_open(struct session *s)
{
	const char *name = s->o->pcapng;
	struct copies *cs;
	char comment[512];
	int fd;

	if (!name)
		return 0;
	cs = calloc(1, sizeof(*cs));
	if (!cs)
		return -ENOMEM;
	TAILQ_INIT(&cs->waiting);
	fd = strcmp(name, "-") ? session_open(s->o, name, O_CREAT | O_TRUNC) : dup(1);
	cs->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!cs->f) {
		int err = session_open_failed(name);

		if (fd >= 0)
			close(fd);
		free(cs);
		return err;
	}
	cs->wall_offset_ns = clock_ns(CLOCK_REALTIME) - session_now_ns();
	snprintf(
	    comment, sizeof(comment),
	    "Headers of IP, TCP and UDP alone, as sockets of node %.200s sent and received them, and packets that its "
	    "kernel dropped, by the place that did. What became of the request is each packet's comment.",
	    s->node);
	clean(comment);
	packet_writer_begin(&cs->writer, cs->f, "imdsnoop " IMDSNOOP_VERSION, comment);
	s->copies = cs;
	return 0;
}

int session_copies_close(struct session *s)
{
	struct copies *cs = s->copies;
	struct connection *c, *tmp;
	bool failed;

	if (!cs)
		return 0;
	while (!TAILQ_EMPTY(&cs->waiting))
		write_first(s);
	HASH_ITER (hh, cs->connections, c, tmp)
		connection_free(cs, c);
	errno = cs->err;
	failed = ferror(cs->f);
	failed |= fclose(cs->f) != 0;
	if (failed)
		session_log("cannot write to '%s': %s", s->o->pcapng, errno ? strerror(errno) : "write failed");
	free(cs);
	s->copies = NULL;
	return failed ? -EIO : 0;
}
