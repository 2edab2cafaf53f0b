/* SPDX-License-Identifier: GPL-2.0-only */
#include "waits.h"

#include <string.h>

#include "verdict.h"

/*
 * A pause between tries is part of the wait when it is a backoff: these are short, or no longer than the try before (it
 * doubles), and end by PAUSE_MAX_NS. A longer one is a poll's sleep.
 */
#define PAUSE_SHORT_NS (2ull * 1000000000)
#define PAUSE_MAX_NS (10ull * 1000000000)
/* A script's next command has begun by then. */
#define NEXT_NS (1ull * 1000000000)

static struct wait_client *client_get(struct waits *w, const struct imds_peer *peer, uint64_t now_ns)
{
	struct wait_client *oldest = &w->clients[0];

	for (int i = 0; i < WAIT_CLIENTS; i++) {
		struct wait_client *c = &w->clients[i];

		if (c->pid == peer->pid && c->born == peer->born && c->used_ns) {
			c->used_ns = now_ns;
			return c;
		}
		if (c->used_ns < oldest->used_ns)
			oldest = c;
	}
	*oldest = (struct wait_client){ .pid = peer->pid, .born = peer->born, .used_ns = now_ns };
	return oldest;
}

/* True for a request that waited for an answer which never came. Where no packet left connect() fails at once, as a rule. */
static bool waited_in_vain(const struct request *r, uint64_t waited_ns, uint64_t stall_ns)
{
	if (r->outcome == OUTCOME_NOT_SENT)
		return waited_ns >= stall_ns;
	if (verdict_is_refused_at_socket(&r->rec.req.drop))
		return r->outcome == OUTCOME_BLOCKED || r->outcome == OUTCOME_DROPPED;
	return !r->rec.req.first_byte_ns && r->rec.req.kind != IMDS_KIND_DNS &&
	       (r->outcome == OUTCOME_HOP_LIMIT || r->outcome == OUTCOME_NO_RESPONSE || r->outcome == OUTCOME_BLOCKED ||
		r->outcome == OUTCOME_DROPPED);
}

static uint64_t wait_start_ns(const struct imds_rec_request *rec)
{
	if ((rec->req.flags & IMDS_F_FIRST) || rec->req.kind == IMDS_KIND_CONNECT_ONLY)
		return rec->connect_call_ns ? rec->connect_call_ns : rec->syn_ns ? rec->syn_ns : rec->req.start_ns;
	return rec->req.start_ns;
}

/* Adds what of [start, end) was not counted yet. Stretches come in the order of their ends, nearly. */
static double count_wait(struct wait_client *c, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t lost_ns = 0;

	if (end_ns <= start_ns)
		return 0;
	if (start_ns > c->counted_end_ns) {
		lost_ns = end_ns - start_ns;
		c->counted_start_ns = start_ns;
		c->counted_end_ns = end_ns;
	} else if (end_ns < c->counted_start_ns) { /* told late, and all before: what lies between was no wait */
		lost_ns = end_ns - start_ns;
	} else {
		if (start_ns < c->counted_start_ns) {
			lost_ns += c->counted_start_ns - start_ns;
			c->counted_start_ns = start_ns;
		}
		if (end_ns > c->counted_end_ns) {
			lost_ns += end_ns - c->counted_end_ns;
			c->counted_end_ns = end_ns;
		}
	}
	return lost_ns / 1e9;
}

/* Waited long enough to give up: a request without a token that begins later is what the client fell back to. */
static bool is_after_wait(uint64_t silent_start_ns, uint64_t start_ns, uint64_t stall_ns)
{
	return silent_start_ns && start_ns >= silent_start_ns + stall_ns;
}

/* Whether one program started both, however far above: a script's curl, and one that its timeout or its subshell started. */
static bool have_one_starter(const char a[][IMDS_COMM_LEN], const char b[][IMDS_COMM_LEN])
{
	for (int i = 0; i < IMDS_ANCESTORS; i++)
		for (int k = 0; k < IMDS_ANCESTORS; k++)
			if (*a[i] && !strncmp(a[i], b[k], IMDS_COMM_LEN))
				return true;
	return !*a[0] && !*b[0];
}

static void note_silence(struct waits *w, const struct imds_peer *p, uint64_t start_ns, uint64_t end_ns)
{
	w->silent_start_ns = start_ns;
	w->silent_ns = end_ns;
	memcpy(w->silent_program, p->comm, IMDS_COMM_LEN);
	memcpy(w->silent_ancestors, p->ancestors, sizeof(w->silent_ancestors));
}

/*
 * A script asks by one curl after the other, or goes on at once with another tool. What another program asks is no answer to a
 * wait that it knows nothing of.
 */
static bool is_of_same_program(const struct waits *w, const struct imds_peer *p, uint64_t start_ns)
{
	if (!*p->comm || !*w->silent_program)
		return true;
	return have_one_starter(w->silent_ancestors, p->ancestors) &&
	       (!strncmp(w->silent_program, p->comm, IMDS_COMM_LEN) || start_ns < w->silent_ns + NEXT_NS);
}

double waits_follow(struct waits *w, struct request *r, uint64_t stall_ns, uint64_t now_ns)
{
	struct wait_client *c = client_get(w, &r->rec.peer, now_ns);
	uint64_t start_ns = wait_start_ns(&r->rec), end_ns = r->rec.req.end_ns;
	bool token = r->rec.req.kind == IMDS_KIND_TOKEN;
	bool vain = waited_in_vain(r, end_ns > start_ns ? end_ns - start_ns : 0, stall_ns);
	double lost_s = 0;

	if (r->running) { /* a token request that waits longer than --stall: its client may give up and leave it open */
		if (token && vain && start_ns >= c->silent_start_ns) {
			c->silent = true;
			c->silent_start_ns = start_ns;
			c->gave_up_ns = 0;
			note_silence(w, &r->rec.peer, start_ns, now_ns);
		}
		return 0;
	}
	if (r->rec.req.version == IMDS_VERSION_V1) {
		bool same_process = c->silent && r->rec.peer.pid && is_after_wait(c->silent_start_ns, start_ns, stall_ns);

		r->fallback =
		    same_process || (!r->several && !c->asks_v1 && is_of_same_program(w, &r->rec.peer, start_ns) &&
				     is_after_wait(w->silent_start_ns, start_ns, stall_ns) &&
				     request_is_recent(w->silent_ns, start_ns));
		c->asks_v1 |= !r->fallback && r->rec.peer.pid;
		if (same_process && !c->gave_up_ns && !c->pause_from_ns)
			c->gave_up_ns = start_ns;
	}
	if (c->pause_from_ns && start_ns > c->pause_from_ns && (vain || r->fallback)) {
		if (start_ns - c->pause_from_ns <= c->pause_max_ns)
			lost_s += count_wait(c, c->pause_from_ns, start_ns);
		c->pause_from_ns = 0; /* a pause is counted once */
	}
	if (r->fallback && r->rec.req.status == 401) /* refused: the client asks for a token again, after a while */
		c->pause_from_ns = end_ns;
	if (vain) {
		if (token && c->gave_up_ns > start_ns && c->gave_up_ns < end_ns)
			end_ns = c->gave_up_ns;
		lost_s += count_wait(c, start_ns, end_ns);
		c->pause_from_ns = end_ns;
		c->pause_max_ns = end_ns - start_ns > PAUSE_SHORT_NS ? end_ns - start_ns : PAUSE_SHORT_NS;
		if (c->pause_max_ns > PAUSE_MAX_NS)
			c->pause_max_ns = PAUSE_MAX_NS;
		if (token && start_ns >= c->silent_start_ns) {
			c->silent = true;
			c->silent_start_ns = start_ns;
			c->gave_up_ns = 0;
		}
		if (token)
			note_silence(w, &r->rec.peer, start_ns, end_ns);
	} else if (token && r->rec.req.first_byte_ns) {
		c->silent = false;
		c->silent_start_ns = c->gave_up_ns = 0;
		w->silent_start_ns = w->silent_ns = 0;
	}
	return lost_s;
}
