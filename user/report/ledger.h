/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each workload asked, hour by hour over 30 days, in DIR/ledger.db (SQLite, WAL). One writer; readers do not disturb
 * it. What was watched is written after what was seen in it, so that a crash at any moment makes the ledger know less, never
 * claim more. Bounded: LEDGER_WORKLOADS, LEDGER_BYTES.
 */
#ifndef IMDSNOOP_LEDGER_H
#define IMDSNOOP_LEDGER_H

#include "../model/workload_table.h"
#include "ready.h"

#define LEDGER_SCHEMA 1
#define LEDGER_DAYS 30
#define LEDGER_WORKLOADS 5000
#define LEDGER_BYTES (30u << 20) /* of the database; the log beside it has at most 2 MiB more */
#define LEDGER_EVERY_S 60

struct ledger;

/*
 * Makes it where there is none. Returns 0 or a negative errno, with one line for a person in msg: -EBUSY another writer,
 * -EPROTO a later version's. A damaged one is moved aside to ledger.db.damaged and begun anew: *ret_moved.
 * All files are open afterwards: nothing is opened later.
 */
int ledger_open(const char *dir, const char *node, struct ledger **ret, bool *ret_moved, char *msg, size_t len);
void ledger_close(struct ledger *l); /* NULL: nothing */

/*
 * t was just updated from s, all that was asked until then is in it. Begins to write when LEDGER_EVERY_S are over since the
 * last time, else does nothing.
 */
void ledger_note(struct ledger *l, const struct snapshot *s);
/* Writes a bounded part of what is due; to be called on each tick. 0, or a negative errno when writing failed: tried again. */
int ledger_step(struct ledger *l, struct workload_table *t);
bool ledger_is_due(const struct ledger *l, uint64_t now_ns);

/* Writes all that is left, for the end. */
void ledger_finish(struct ledger *l, struct workload_table *t, const struct snapshot *s);

/*
 * path: a folder or a database. The window is [from_s, to_s), whole hours. *ret owns its strings; free by
 * ready_free_node(). Returns 0 or a negative errno and msg.
 */
int ledger_read(const char *path, uint64_t from_s, uint64_t to_s, struct ready_node *ret, char *msg, size_t len);

#endif
