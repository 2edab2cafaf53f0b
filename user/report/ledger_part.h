/* SPDX-License-Identifier: GPL-2.0-only */
/* What the writer and the reader of a ledger share: its days, and how its file is looked at. */
#ifndef IMDSNOOP_LEDGER_PART_H
#define IMDSNOOP_LEDGER_PART_H

#include <sqlite3.h>

#include "ledger.h"

#define HOUR 3600
#define DAY 86400
#define SLOTS 24
#define SLOT_FIGURES 4 /* v1, v2 and others, unanswered, required hop limit */
#define AT_LEAST 256   /* added to a required hop limit: and perhaps more */
#define LOST 512       /* the same: and some of what was asked then was not followed */
#define PAGE 4096

/* Columns of a day, in the order of GET_DAY. */
enum day_figure { V1, V1_ANSWERED, V1_CREDENTIALS, V2, OTHERS, TOKENS, TOKENS_ANSWERED, UNANSWERED, REQUIRED, FIGURES };

struct day {
	uint64_t v[FIGURES];
	uint64_t slots[SLOTS][SLOT_FIGURES];
};

/* From column on. */
void ledger_read_day(sqlite3_stmt *st, int column, struct day *d);

int ledger_run(sqlite3 *db, const char *sql);	     /* 0 or -EIO */
int64_t ledger_pragma(sqlite3 *db, const char *sql); /* -1: none */
/* First column of sql's first row, whose ?1 is key. NULL: none, or no memory; free(3). */
char *ledger_text_of(sqlite3 *db, const char *sql, const char *key);
/* Regular files, or not there yet: SQLite would wait for a FIFO, and write where a link leads to. */
int ledger_check_files(const char *path, char *msg, size_t len);
/* -EBADMSG: it is no ledger, or damaged. */
int ledger_check_schema(sqlite3 *db, const char *path, char *msg, size_t len);

#endif
