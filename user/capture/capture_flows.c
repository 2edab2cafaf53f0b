/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture_flows.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "capture_flow.h"

#define IDLE_NS 130000000000ull
#define ORDER_NS 100000000ull /* queues, processors and merged files disorder packets by less */

/* Where the kernel dropped it, if the capture is one of ours: see session_copies.c. NULL: it was not dropped. */
static const char *dropped_at(const struct packet *p, uint32_t *ret_len)
{
	static const char begin[] = "dropped", at[] = ", at ";
	const char *end, *place;

	if (p->comment_len < sizeof(begin) || memcmp(p->comment, begin, sizeof(begin) - 1))
		return NULL;
	end = memchr(p->comment, '\n', p->comment_len);
	end = end ? end : p->comment + p->comment_len;
	place = memmem(p->comment, end - p->comment, at, sizeof(at) - 1);
	place = place ? place + sizeof(at) - 1 : end;
	*ret_len = end - place;
	return place;
}

/* A packet that never went on: seen before at another place, or, of the service's, nothing but a death. */
static void dropped(struct capture_flows *c, const struct segment *s, const struct tuple *t, const char *place,
		    uint32_t len, uint64_t now)
{
	static const char *const forwards[] = { "ip_forward", "ip6_forward" };
	struct flow *f = flow_find(c, t, s, false);

	for (int i = 0; f && i < 2; i++)
		if (s->ttl <= 1 && len == strlen(forwards[i]) && !memcmp(place, forwards[i], len)) {
			f->recorded = true;
			flow_answer_dies(c, f, s, 1, now);
		}
}

/* Behind NAT the quoted addresses are the inner ones: then the sequence number alone tells whose it is. */
static struct flow *find_quoted(struct capture_flows *c, const struct segment *s, const struct tuple *t, bool of_client)
{
	struct flow *f = flow_find(c, t, s, of_client);
	int left = 1024;

	for (struct flow *n = c->newest; !f && n && left--; n = n->older)
		if (of_client ? n->isn == s->seq
			      : n->deaths && !seq_before(s->seq, n->dead_seq) && !seq_before(n->dead_end, s->seq))
			f = n;
	return f;
}

static void from_router(struct capture_flows *c, const struct packet *p, const struct segment *s, const struct tuple *t,
			bool of_client)
{
	struct flow *f = find_quoted(c, s, t, of_client);
	bool exceeded = s->icmp_type == (s->family == 4 ? 11 : 3) && !s->icmp_code;
	bool forbidden = s->family == 4
			     ? s->icmp_type == 3 &&
				   (s->icmp_code == 3 || s->icmp_code == 9 || s->icmp_code == 10 || s->icmp_code == 13)
			     : s->icmp_type == 1 && (s->icmp_code == 1 || s->icmp_code == 4 || s->icmp_code == 5);

	if (!f)
		return;
	if (exceeded && !of_client) {
		if (!f->deaths) {
			f->deaths = 1;
			f->death_ns = p->ts_ns;
			f->dead_seq = s->seq;
			f->dead_end = s->seq + s->length;
			f->dead_payload = s->length && !(s->flags & (SEGMENT_SYN | SEGMENT_RST)) &&
					  s->seq == f->rcv_nxt && f->has_rcv;
		}
		f->told = true;
	}
	if (forbidden && of_client && !f->synack_ns) {
		f->rejected = true;
		if (!f->closed)
			flow_finish_all(c, f, IMDS_END_CLOSED, p->ts_ns);
	}
	flow_evidence_changed(c, f);
}

static bool is_endpoint(const void *arg, const struct imds_addr *a)
{
	const struct capture_flows *c = arg;

	for (size_t i = 0; i < c->o.endpoints_len; i++)
		if (c->o.endpoints[i].addr.d[1] == a->d[1] && c->o.endpoints[i].addr.d[0] == a->d[0])
			return true;
	return false;
}

static int endpoint_index(const struct capture_flows *c, const struct imds_addr *a, uint16_t port)
{
	for (size_t i = 0; i < c->o.endpoints_len; i++)
		if (!memcmp(&c->o.endpoints[i].addr, a, sizeof(*a)) &&
		    (c->o.endpoints[i].port ? c->o.endpoints[i].port == port : port != 53))
			return i;
	return -1;
}

static void take_segment(struct capture_flows *c, const struct packet *p, const struct waiting *w)
{
	const struct segment *s = &w->s;
	struct tuple t = { .local = w->out ? s->src : s->dst,
			   .remote = w->out ? s->dst : s->src,
			   .local_port = w->out ? s->src_port : s->dst_port,
			   .remote_port = w->out ? s->dst_port : s->src_port };
	uint32_t place_len;
	const char *place = dropped_at(p, &place_len);

	c->now_ns = p->ts_ns > c->now_ns ? p->ts_ns : c->now_ns;
	if (place) {
		if (!w->out)
			dropped(c, s, &t, place, place_len, p->ts_ns);
	} else if (w->icmp) {
		from_router(c, p, s, &t, w->out);
	} else if (w->out) {
		flow_from_client(c, p, s, &t, w->endpoint);
	} else {
		flow_from_service(c, p, s, &t);
	}
	flow_release(c, false);
	while (c->oldest && c->oldest->last_ns + IDLE_NS < c->now_ns) {
		flow_give_up(c, c->oldest);
		flow_forget(c, c->oldest);
	}
}

static bool is_earlier(const struct waiting *a, const struct waiting *b)
{
	return a->p.ts_ns != b->p.ts_ns ? a->p.ts_ns < b->p.ts_ns : a->serial < b->serial;
}

static void waiting_push(struct capture_flows *c, struct waiting *w)
{
	size_t i = c->waiting_len++;

	for (; i && is_earlier(w, c->waiting[(i - 1) / 2]); i = (i - 1) / 2)
		c->waiting[i] = c->waiting[(i - 1) / 2];
	c->waiting[i] = w;
}

/* The earliest; there is one. */
static struct waiting *waiting_pop(struct capture_flows *c)
{
	struct waiting *first = c->waiting[0], *last = c->waiting[--c->waiting_len];
	size_t i = 0, next;

	while ((next = 2 * i + 1) < c->waiting_len) {
		next += next + 1 < c->waiting_len && is_earlier(c->waiting[next + 1], c->waiting[next]);
		if (is_earlier(last, c->waiting[next]))
			break;
		c->waiting[i] = c->waiting[next];
		i = next;
	}
	c->waiting[i] = last;
	return first;
}

/* Those that no earlier one can precede any more, or all. */
static void take_waiting(struct capture_flows *c, bool all)
{
	while (c->waiting_len &&
	       (all || c->waiting_len > WAITING_MAX || c->waiting[0]->p.ts_ns + ORDER_NS < c->stats.last_ns)) {
		struct waiting *w = waiting_pop(c);

		take_segment(c, &w->p, w);
		free(w);
	}
}

/* A copy of it waits for its turn by time, behind those of the same time. */
static void wait_turn(struct capture_flows *c, const struct packet *p, const struct waiting *now)
{
	size_t captured = now->s.payload ? now->s.captured : 0;
	struct waiting *w = malloc(sizeof(*w) + captured + p->comment_len);

	if (!w) {
		take_segment(c, p, now);
		return;
	}
	*w = *now;
	w->serial = c->stats.packets;
	w->p = *p;
	w->p.data = NULL;
	if (captured)
		w->s.payload = memcpy(w->bytes, now->s.payload, captured);
	if (p->comment)
		w->p.comment = memcpy(w->bytes + captured, p->comment, p->comment_len);
	waiting_push(c, w);
}

void capture_flows_packet(struct capture_flows *c, const struct packet *p)
{
	struct waiting w;
	enum parsed what = packet_parse(p, is_endpoint, c, &w.s);
	int from;

	c->stats.packets++;
	if (p->timeless) {
		c->stats.timeless += what != PARSED_OTHER && what != PARSED_LINK;
		return;
	}
	c->stats.first_ns = c->stats.first_ns ? c->stats.first_ns : p->ts_ns;
	c->stats.last_ns = p->ts_ns > c->stats.last_ns ? p->ts_ns : c->stats.last_ns;
	if (what == PARSED_OTHER)
		return;
	if (what == PARSED_LINK) {
		*(p->link == LINK_NFLOG ? &c->stats.nflog : &c->stats.unknown_link) += 1;
		return;
	}
	if (what == PARSED_CUT) {
		*(w.s.fragment ? &c->stats.fragments : &c->stats.cut) += 1;
		return;
	}
	w.endpoint = endpoint_index(c, &w.s.dst, w.s.dst_port);
	from = endpoint_index(c, &w.s.src, w.s.src_port);
	/* a node asks an address of its own from that address: the client's port is the higher one */
	w.out = w.endpoint >= 0 && (from < 0 || w.s.dst_port < w.s.src_port);
	w.endpoint = w.out ? w.endpoint : from;
	if (w.endpoint < 0)
		return;
	c->stats.of_interest++;
	c->stats.of_service += !w.out;
	c->stats.bare += what == PARSED_TCP && w.s.length && !w.s.captured;
	w.icmp = what == PARSED_ICMP;
	wait_turn(c, p, &w);
	take_waiting(c, false);
}

void capture_flows_end(struct capture_flows *c)
{
	take_waiting(c, true);
	c->now_ns = c->stats.last_ns > c->now_ns ? c->stats.last_ns : c->now_ns; /* other packets' time counts as well */
	while (c->oldest) {
		flow_give_up(c, c->oldest);
		flow_forget(c, c->oldest);
	}
	flow_release(c, true);
}

struct capture_flows *capture_flows_new(const struct capture_flows_options *o)
{
	struct capture_flows *c = calloc(1, sizeof(*c));

	if (c) {
		c->o = *o;
		c->held_first = c->held_next = 1;
		if (getrandom(c->factors, sizeof(c->factors), GRND_NONBLOCK) < 0) /* at boot: better the same than none */
			memset(c->factors, 0x9d, sizeof(c->factors));
		for (int i = 0; i < 6; i++)
			c->factors[i] |= 1;
	}
	return c;
}

void capture_flows_free(struct capture_flows *c)
{
	while (c && c->waiting_len)
		free(waiting_pop(c));
	while (c && c->oldest)
		flow_forget(c, c->oldest); /* NOLINT(clang-analyzer-unix.Malloc): it takes the oldest off the list */
	free(c);
}

const struct capture_stats *capture_flows_stats(const struct capture_flows *c)
{
	return &c->stats;
}
