/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture_input.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "../base/text_add.h"
#include "../capture/capture_flows.h"
#include "../kernel/http_table.h"
#include "../report/findings.h"

#define NAMES_MAX 65536 /* lines of --names that are kept, and addresses that are told apart */
#define NAME_LINE_MAX 512
#define LATER_MAX 1024
#define LOSSES_MAX 16
#define WHY_LEN 400

/* A client: its address is its name until --names tells more. */
struct client {
	struct imds_addr addr;
	struct pod_identity who;
	char text[64];
	bool seen, reached; /* by the service */
	bool several;	    /* they are at several distances: NAT gave them one address */
	uint8_t routers;
	char *names; /* what who points to, from --names */
	UT_hash_handle hh;
};

struct later {
	struct imds_rec_request rec;
	struct capture_evidence evidence;
};

struct capture_input {
	const struct options *o;
	const struct session_callbacks *cb;
	struct pod_table *table;
	struct capture_flows *flows;
	struct imds_http_table *http;
	struct client *clients;
	struct client over; /* of all addresses above the bound */
	struct later later[LATER_MAX];
	size_t later_len;
	char node[256], why[WHY_LEN];
	struct feature features[1];
	struct loss losses[LOSSES_MAX];
	uint64_t files_bad, packets_lost, requests, alone;
	struct snapshot snapshot;
};

/* --- who ---------------------------------------------------------------------------------------------------------- */

static struct pod_identity client_named(const char *name, uint64_t id)
{
	struct pod_identity who = POD_IDENTITY_NOBODY;

	who.cgroup_id = id;
	who.cgroup = name;
	return who;
}

static struct client *client_get(struct capture_input *in, const struct imds_addr *addr)
{
	struct client *c;

	HASH_FIND(hh, in->clients, addr, sizeof(*addr), c);
	if (c)
		return c;
	c = HASH_COUNT(in->clients) < NAMES_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return &in->over;
	c->addr = *addr;
	request_address(addr, 0, c->text, sizeof(c->text));
	c->text[strlen(c->text) - 2] = '\0'; /* ":0" */
	c->who = client_named(c->text, HASH_COUNT(in->clients) + 2);
	HASH_ADD(hh, in->clients, addr, sizeof(c->addr), c);
	return HASH_ADDED(c) ? c : &in->over;
}

/* "10.244.0.2 shop/cart-7d9f/app" or "10.244.0.2 cart": namespace, pod, container. False: not such a line. */
static bool read_name(struct capture_input *in, char *line)
{
	char *save, *addr = strtok_r(line, " \t\r\n", &save), *name = strtok_r(NULL, " \t\r\n", &save), *slash;
	struct imds_endpoint e;
	struct client *c;

	if (!addr || *addr == '#')
		return true;
	if (!name || options_parse_endpoint(addr, &e))
		return false;
	c = client_get(in, &e.addr);
	if (c == &in->over || c->names)
		return c->names != NULL;
	c->names = strdup(name);
	if (!c->names)
		return false;
	c->who.pod = c->names;
	slash = strchr(c->names, '/');
	if (!slash)
		return true;
	*slash = '\0';
	c->who.namespace = c->names;
	c->who.pod = slash + 1;
	slash = strchr(slash + 1, '/');
	if (slash) {
		*slash = '\0';
		c->who.container = slash + 1;
	}
	return true;
}

/* Lines like those of --names, in the comment of a packet: what we write ourselves, and whoever else likes. */
static void read_comment(struct capture_input *in, const struct packet *p)
{
	char line[NAME_LINE_MAX];
	const char *at = p->comment, *end = p->comment + p->comment_len, *lf;

	for (; at < end; at = lf + 1) {
		lf = memchr(at, '\n', end - at);
		lf = lf ? lf : end;
		if (lf - at >= (ptrdiff_t)sizeof(line) || !(*at == ':' || isxdigit((unsigned char)*at)))
			continue;
		memcpy(line, at, lf - at);
		line[lf - at] = '\0';
		read_name(in, line);
	}
}

static int read_names(struct capture_input *in, char *msg, size_t msg_len)
{
	FILE *f = fopen(in->o->names, "re");
	char line[NAME_LINE_MAX];
	unsigned int n = 0;
	int err = 0;

	if (!f) {
		err = -errno;
		snprintf(msg, msg_len, "'%.200s': %s", in->o->names, strerror(-err));
		return err;
	}
	while (!err && fgets(line, sizeof(line), f)) {
		n++;
		if (!*line || !read_name(in, line)) { /* a NUL: no text, and /dev/zero has no end */
			err = -EINVAL;
			snprintf(msg, msg_len,
				 "'%.200s', line %u: give an address and a name, like '10.0.0.7 shop/cart-1'",
				 in->o->names, n);
		}
	}
	fclose(f);
	return err;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* The packet is not there to be asked where it ended: the words say how it is known. */
static void set_drop(struct request *r, const struct capture_evidence *e)
{
	struct imds_drop *drop = &r->rec.req.drop;

	if (e->dies && e->recorded)
		r->drop_location = "ip_forward (its drop is in the capture)";
	else if (e->dies && e->told)
		r->drop_location = "ip_forward (a router told so by ICMP)";
	else if (e->dies && e->missing_behind)
		r->drop_location = "ip_forward (seen before a router, not behind it)";
	if (!e->rejected || e->dies)
		return;
	*drop = (struct imds_drop){ .ts_ns = r->rec.req.end_ns, .match = IMDS_MATCH_TUPLE, .flags = IMDS_D_SYN };
	r->rec.req.drops = 1;
	r->drop_location = "nf_hook_slow (a filter told so by ICMP)";
}

static struct request request_of(struct capture_input *in, const struct imds_rec_request *rec,
				 const struct capture_evidence *e)
{
	struct request r = { .rec = *rec, .node = in->node, .drop_reason = "", .drop_location = "" };
	struct client *c = client_get(in, &rec->peer.local);

	c->several |= c->seen && c->routers != e->routers;
	c->seen = true;
	if (rec->synack_ns || rec->req.end == IMDS_END_ANSWERED)
		c->reached = client_get(in, &e->outer)->reached = true;
	c->routers = e->routers;
	r.who = &c->who;
	r.several = c->several;
	r.wall_ns = request_start_ns(&r);
	return r;
}

static void add(struct capture_input *in, const struct imds_rec_request *rec, const struct capture_evidence *e)
{
	struct request r = request_of(in, rec, e);
	uint64_t now_ns = rec->hdr.ts_ns;

	if (e->alone && !e->dies && client_get(in, &rec->peer.local)->reached) {
		in->alone++;
		return;
	}
	in->requests++;
	r.judged_ns = now_ns;
	set_drop(&r, e);
	pod_table_set_drops_watched(in->table, e->watched);
	r.drops_watched = e->watched;
	pod_table_add_request(in->table, &r, now_ns);
	if (rec->req.flags & IMDS_F_LATE_ANSWER)
		pod_table_add_flow_end(
		    in->table, r.who,
		    &(struct imds_rec_flow_end){ .hdr = rec->hdr, .flags = rec->req.flags, .last_kind = rec->req.kind });
	if (in->cb->on_drop && r.rec.req.drop.ts_ns) {
		struct imds_rec_drop drop = { .peer = r.rec.peer, .drop = r.rec.req.drop, .kind = r.rec.req.kind };

		in->cb->on_drop(in->cb->arg, r.who, &drop, r.drop_reason, r.drop_location);
	}
	if (in->cb->on_request)
		in->cb->on_request(in->cb->arg, &r, now_ns);
}

/* A silent token request is suspicious only when others of its client are answered: those may come a little later. */
static void add_later(struct capture_input *in, uint64_t now_ns, bool all)
{
	size_t kept = 0;

	for (size_t i = 0; i < in->later_len; i++) {
		struct later *l = &in->later[i];
		struct request r = request_of(in, &l->rec, &l->evidence);

		pod_table_set_drops_watched(in->table, l->evidence.watched);
		if (!all && pod_table_wants_later(in->table, &r, now_ns))
			in->later[kept++] = *l;
		else
			add(in, &l->rec, &l->evidence);
	}
	in->later_len = kept;
}

static void on_request(void *arg, const struct imds_rec_request *rec, const struct capture_evidence *e)
{
	struct capture_input *in = arg;
	struct request r = request_of(in, rec, e);

	pod_table_set_drops_watched(in->table, e->watched);
	if (in->later_len < LATER_MAX && pod_table_wants_later(in->table, &r, rec->hdr.ts_ns)) {
		in->later[in->later_len++] = (struct later){ *rec, *e };
		r.running = true; /* its client is remembered now: what it falls back to comes before the verdict */
		pod_table_add_request(in->table, &r, rec->hdr.ts_ns);
		return;
	}
	add(in, rec, e);
	if (in->later_len)
		add_later(in, rec->hdr.ts_ns, false);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void add_loss(struct capture_input *in, const char *name, const char *what, uint64_t count)
{
	if (count)
		in->losses[in->snapshot.losses_len++] = (struct loss){ name, what, count };
}

static int fill_snapshot(struct capture_input *in)
{
	const struct capture_stats *st = capture_flows_stats(in->flows);
	struct snapshot *s = &in->snapshot;

	snprintf(in->why, sizeof(in->why), "packets alone name no process and no container%s",
		 st->pod_side && st->far_side ? ""
		 : st->far_side ? "; only places behind a router were captured: what reached the client is concluded"
		 : st->pod_side ? "; only the client's side was captured: what the service sent is not seen"
				: "");
	if (st->bare)
		text_add(in->why, sizeof(in->why),
			 "; payload was not captured: what was asked and answered is not known");
	in->features[0] = (struct feature){ "capture", "degraded", in->why };
	s->version = IMDSNOOP_VERSION;
	s->node = in->node;
	s->kernel = "";
	s->started_wall_ns = s->started_ns = st->first_ns;
	s->now_wall_ns = s->now_ns = st->last_ns;
	s->slow_us = in->o->slow_ns / 1000;
	s->endpoints = in->o->endpoint_texts;
	s->features = in->features;
	s->features_len = 1;
	s->losses = in->losses;
	add_loss(in, "capture_files_bad", "captures that could not be read to their ends", in->files_bad);
	add_loss(in, "capture_packets_lost", "packets that the tool which captured says it lost", in->packets_lost);
	add_loss(in, "capture_packets_cut", "metadata packets whose headers the capture cut", st->cut + st->fragments);
	add_loss(in, "capture_gaps", "times that a client's bytes are missing: the capture lost packets", st->gaps);
	add_loss(in, "capture_answers_missing",
		 "answers that the capture does not have, for the client acknowledged them or did not ask again, or "
		 "of which it ended before the client took them",
		 st->answers_unseen + in->alone);
	add_loss(
	    in, "capture_requests_missing",
	    "packets to or from the service that make no request: a rule redirects the others, one direction alone was "
	    "captured, or the capture began or ended in between",
	    in->requests ? st->orphans : st->of_interest);
	add_loss(in, "capture_status_missing",
		 "answers of which too little was captured to know whether they are errors", st->status_cut);
	add_loss(in, "capture_link_unknown", "packets of a kind of interface that is not known", st->unknown_link);
	add_loss(in, "capture_nflog",
		 "packets logged by netfilter rules: their TTLs tell nothing here; capture on an interface, or any",
		 st->nflog);
	add_loss(in, "capture_packets_timeless",
		 "metadata packets without a time (pcapng Simple Packet Blocks): not used", st->timeless);
	add_loss(
	    in, "capture_clocks_apart",
	    "connections without an answer whose packets at another place are dated behind its end: set the clocks "
	    "right (editcap -t)",
	    st->clocks_apart);
	add_loss(in, "capture_connections_over_limit", "connections given up: too many at once", st->evicted);
	pod_table_set_drops_watched(in->table, false);
	if (pod_table_snapshot(in->table, s) || findings_collect(s, &s->findings, &s->findings_len))
		return -ENOMEM;
	return 0;
}

static int begin(struct capture_input *in, const struct options *o, char *msg, size_t msg_len)
{
	struct pod_table_options to = options_pod_table(o);
	struct capture_flows_options fo = {
		.endpoints = o->endpoints,
		.endpoints_len = o->endpoints_len,
		.stall_ns = o->stall_ns,
		.on_request = on_request,
		.arg = in,
	};

	in->over.who = client_named("other", 1);
	in->http = calloc(1, sizeof(*in->http));
	fo.http = in->http;
	if (!in->http || http_table_compile(in->http) || pod_table_new(&to, &in->table))
		return -ENOMEM;
	in->flows = capture_flows_new(&fo);
	if (!in->flows)
		return -ENOMEM;
	return o->names ? read_names(in, msg, msg_len) : 0;
}

bool capture_input_is_capture(FILE *f)
{
	int first = getc(f);

	if (first == EOF)
		return false;
	ungetc(first, f);
	return packet_file_begins(first);
}

int capture_input_read(const struct options *o, FILE *const *files, const char *const *names, size_t len,
		       const struct session_callbacks *cb, struct capture_input **ret, char *msg, size_t msg_len)
{
	struct capture_input *in = calloc(1, sizeof(*in));
	struct packet_files *p = packet_files_new(files, names, len);
	struct packet packet;
	int err, got;

	snprintf(msg, msg_len, "out of memory");
	if (!in || !p) {
		packet_files_free(p);
		capture_input_free(in);
		return -ENOMEM;
	}
	in->o = o;
	in->cb = cb;
	snprintf(in->node, sizeof(in->node), "%s", o->node ? o->node : "capture");
	err = begin(in, o, msg, msg_len);
	while (!err && (got = packet_files_next(p, &packet, msg, msg_len)) != 0) {
		if (got > 0) {
			if (packet.comment)
				read_comment(in, &packet);
			capture_flows_packet(in->flows, &packet);
			continue;
		}
		session_log("cannot read %s", msg);
		in->files_bad++;
		if (!capture_flows_stats(in->flows)->packets && in->files_bad == len)
			err = -ENODATA;
	}
	in->packets_lost = packet_files_lost(p);
	packet_files_free(p);
	if (!err) {
		capture_flows_end(in->flows);
		add_later(in, 0, true);
		err = fill_snapshot(in);
	}
	if (err) {
		capture_input_free(in);
		return err;
	}
	*ret = in;
	return 0;
}

void capture_input_free(struct capture_input *in)
{
	struct client *c, *tmp;

	if (!in)
		return;
	HASH_ITER (hh, in->clients, c, tmp) {
		HASH_DEL(in->clients, c);
		free(c->names);
		free(c);
	}
	findings_free(in->snapshot.findings, in->snapshot.findings_len);
	histogram_clear(&in->snapshot.totals.latency);
	pod_table_free(in->table);
	capture_flows_free(in->flows);
	free(in->http);
	free(in);
}

const struct snapshot *capture_input_snapshot(const struct capture_input *in)
{
	return &in->snapshot;
}
