/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the screen of `top` shows, copied out of snapshots so that it can stand still: rows with rates, the newest
 * requests, sorting and filtering. Knows no terminal.
 */
#ifndef IMDSNOOP_UI_ROWS_H
#define IMDSNOOP_UI_ROWS_H

#include "../base/hash.h"
#include "../model/request.h"
#include "../report/report.h"
#include "columns.h"

#define UI_REQUESTS 1024 /* the newest ones, of all pods */
#define UI_SAMPLES 6	 /* updates over which a rate is taken */
#define UI_FILTER_LEN 64

enum ui_sort {
	UI_SORT_WORST,
	UI_SORT_REQUESTS,
	UI_SORT_FAILURES,
	UI_SORT_LOST,
	UI_SORT_LATENCY,
	UI_SORT_RATE,
	UI_SORT_DROPS,
	UI_SORT_NAME,
	UI_SORT_COUNT
};

struct ui_row {
	uint64_t key;		       /* cgroup id; UINT64_MAX: the row for what is over --max-pods */
	char name[REPORT_SUBJECT_LEN]; /* not escaped, as all text here */
	char who[700];		       /* one line: UID, container id, cgroup */
	char processes[400];
	char path[512];
	char *notes; /* findings: lines, each begun by one of UI_NOTE_*; NULL without */
	enum level level;
	char cause[80]; /* "ok", or what went wrong in a few words */
	struct cells cells;
	uint32_t recent_us[32];
	size_t recent_len;
	size_t rank; /* worst first */
	struct {
		uint64_t ns, requests;
	} samples[UI_SAMPLES];
	size_t samples_len; /* ever taken */
	unsigned int seen;
	UT_hash_handle hh;
};

#define UI_NOTE_ERROR 'e' /* severity and code of a finding */
#define UI_NOTE_WARNING 'w'
#define UI_NOTE_INFO 'i'
#define UI_NOTE_SUMMARY 's'
#define UI_NOTE_EVIDENCE '-'
#define UI_NOTE_ADVICE '>'

struct ui_request {
	uint64_t key, cookie, start_ns, wall_ns;
	bool running, fallback;
	char comm[IMDS_COMM_LEN + 1];
	char what[IMDS_PATH_LEN + 32];
	unsigned int status;
	enum outcome outcome;
	enum confidence confidence;
	int64_t first_us, duration_us; /* -1: did not happen */
	int ttl, hops, required;
	uint32_t drops;
};

struct ui_rows {
	struct ui_row *by_key;
	struct ui_row **order; /* filtered and sorted */
	size_t len;
	enum ui_sort sort;
	char filter[UI_FILTER_LEN]; /* part of a name, any case */
	unsigned int updates;
	struct ui_request *requests; /* ring */
	size_t stalls;		     /* of these still running */
	uint64_t requests_end;	     /* ever added; the newest is at (end - 1) % UI_REQUESTS */
};

/* Returns 0 or -ENOMEM. */
int ui_rows_init(struct ui_rows *rows);
void ui_rows_clear(struct ui_rows *rows);

/* Takes over what selects (NULL: all) lets pass; utf8 is for the drawn path. Returns 0 or -ENOMEM. */
int ui_rows_update(struct ui_rows *rows, const struct report *r, bool utf8,
		   bool (*selects)(void *arg, const struct pod_stats *p), void *arg);

/* Fills order anew, after a change of sort or filter. Returns 0 or -ENOMEM. */
int ui_rows_arrange(struct ui_rows *rows);

/* A finished request takes the place of its own stall. */
void ui_rows_add_request(struct ui_rows *rows, const struct request *r, uint64_t now_ns);

/* Newest first: the one behind *at (start with the end to show), of that row; NULL when there are no more. */
const struct ui_request *ui_rows_next_request(const struct ui_rows *rows, uint64_t key, uint64_t *at);

/*
 * The newest of the durations, one character each, at most `columns`: from below 0.3 ms up by half decades to 1 s,
 * which is the same for each pod, so that rows can be compared. Returns buf.
 */
char *ui_spark(const uint32_t *us, size_t len, size_t columns, bool utf8, char *buf, size_t buf_len);

#endif
