/* SPDX-License-Identifier: GPL-2.0-only */
#include "ui_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "../base/text_add.h"
#include "../report/findings.h"

int ui_rows_init(struct ui_rows *rows)
{
	memset(rows, 0, sizeof(*rows));
	rows->requests = calloc(UI_REQUESTS, sizeof(*rows->requests));
	return rows->requests ? 0 : -ENOMEM;
}

static void row_free(struct ui_rows *rows, struct ui_row *row)
{
	HASH_DEL(rows->by_key, row);
	free(row->notes);
	free(row);
}

void ui_rows_clear(struct ui_rows *rows)
{
	struct ui_row *row, *tmp;

	HASH_ITER (hh, rows->by_key, row, tmp)
		row_free(rows, row);
	free(rows->order);
	free(rows->requests);
	memset(rows, 0, sizeof(*rows));
}

/* --- from a snapshot --------------------------------------------------------------------------------------------- */

static struct ui_row *row_get(struct ui_rows *rows, uint64_t key)
{
	struct ui_row *row;

	HASH_FIND(hh, rows->by_key, &key, sizeof(key), row);
	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->key = key;
	HASH_ADD(hh, rows->by_key, key, sizeof(key), row);
	return HASH_ADDED(row);
}

static void sample_rate(struct ui_row *row, uint64_t now_ns)
{
	size_t n = row->samples_len, first = n < UI_SAMPLES ? 0 : n + 1 - UI_SAMPLES;
	uint64_t from_ns;

	row->samples[n % UI_SAMPLES].ns = now_ns;
	row->samples[n % UI_SAMPLES].requests = row->cells.requests;
	row->samples_len++;
	from_ns = row->samples[first % UI_SAMPLES].ns;
	row->cells.rate = now_ns > from_ns ? (row->cells.requests - row->samples[first % UI_SAMPLES].requests) /
						 ((now_ns - from_ns) / 1e9)
					   : 0;
}

static void list_processes(const struct pod_stats *p, char *buf, size_t len)
{
	buf[0] = '\0';
	for (size_t i = 0; i < p->processes_len; i++) {
		const struct process_count *c = &p->processes[i];

		text_add(buf, len, "%s%.16s[%u]%s%.16s %llu", i ? ", " : "", c->comm[0] ? c->comm : "?", c->pid,
			 c->parent[0] ? " of " : "", c->parent, (unsigned long long)c->requests);
	}
}

static void fill(struct ui_row *row, const struct report_row *said, uint64_t now_ns, bool utf8)
{
	const struct pod_stats *p = said->p;

	row->level = said->level;
	snprintf(row->cause, sizeof(row->cause), "%s", said->text);
	columns_cells(p, &row->cells);
	row->cells.brief = true;
	row->recent_len = p->recent_len;
	memcpy(row->recent_us, p->recent_us, sizeof(row->recent_us));
	snprintf(row->name, sizeof(row->name), "%s", said->subject);
	snprintf(row->who, sizeof(row->who), "%s%s%s%s%scgroup %s", p->who.pod_uid[0] ? "pod " : "", p->who.pod_uid,
		 p->who.pod_uid[0] ? ", " : "", p->host_network ? "host network, " : "",
		 p->own_network ? "own network, " : "", p->who.cgroup);
	list_processes(p, row->processes, sizeof(row->processes));
	path_draw(&said->path, utf8, row->path, sizeof(row->path));
	sample_rate(row, now_ns);
}

static void add_note(FILE *f, char kind, const char *text)
{
	fputc(kind, f);
	for (; *text; text++)
		fputc(*text == '\n' ? ' ' : *text, f); /* a process may be named so */
	fputc('\n', f);
}

static int fill_notes(struct ui_row *row, const struct snapshot *s, size_t pod)
{
	static const char kinds[] = { UI_NOTE_INFO, UI_NOTE_WARNING, UI_NOTE_ERROR };
	FILE *f = NULL;
	size_t len;

	free(row->notes);
	row->notes = NULL;
	for (size_t i = 0; i < s->findings_len; i++) {
		const struct finding *n = &s->findings[i];
		char head[64];

		if (!finding_is_about(n, pod))
			continue;
		if (!f)
			f = open_memstream(&row->notes, &len);
		if (!f)
			return -ENOMEM;
		snprintf(head, sizeof(head), "%s %s", severity_word(n->severity), finding_word(n->code));
		add_note(f, kinds[n->severity], head);
		add_note(f, UI_NOTE_SUMMARY, n->summary);
		for (char **line = n->evidence; line && *line; line++)
			add_note(f, UI_NOTE_EVIDENCE, *line);
		for (char **line = n->advice; line && *line; line++)
			add_note(f, UI_NOTE_ADVICE, *line);
	}
	return f && fclose(f) ? -ENOMEM : 0;
}

int ui_rows_update(struct ui_rows *rows, const struct report *r, bool utf8,
		   bool (*selects)(void *arg, const struct pod_stats *p), void *arg)
{
	const struct snapshot *s = r->s;
	struct ui_row *row, *tmp;

	rows->updates++;
	for (size_t i = 0; i < r->rows_len; i++) {
		const struct pod_stats *p = s->pods[i];

		if (selects && !selects(arg, p))
			continue;
		row = row_get(rows, p->other ? UINT64_MAX : p->who.cgroup_id);
		if (!row)
			return -ENOMEM;
		row->seen = rows->updates;
		row->rank = i;
		fill(row, &r->rows[i], s->now_ns, utf8);
		if (fill_notes(row, s, i))
			return -ENOMEM;
	}
	HASH_ITER (hh, rows->by_key, row, tmp)
		if (row->seen != rows->updates)
			row_free(rows, row);
	return ui_rows_arrange(rows);
}

/* --- order ------------------------------------------------------------------------------------------------------- */

static double weight(const struct ui_row *row, enum ui_sort sort)
{
	switch (sort) {
	case UI_SORT_REQUESTS:
		return row->cells.requests;
	case UI_SORT_FAILURES:
		return row->cells.failed;
	case UI_SORT_LOST:
		return row->cells.seconds_lost;
	case UI_SORT_LATENCY:
		return (double)row->cells.p99_us;
	case UI_SORT_RATE:
		return row->cells.rate;
	case UI_SORT_DROPS:
		return row->cells.drops;
	default:
		return -(double)row->rank;
	}
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct ui_row *x = *(struct ui_row *const *)a, *y = *(struct ui_row *const *)b;
	const enum ui_sort *sort = arg;
	int by_name = *sort == UI_SORT_NAME ? strcmp(x->name, y->name) : 0;
	double p = weight(x, *sort), q = weight(y, *sort);

	if (by_name)
		return by_name;
	if (p != q)
		return p < q ? 1 : -1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

int ui_rows_arrange(struct ui_rows *rows)
{
	struct ui_row **order = realloc(rows->order, (HASH_COUNT(rows->by_key) + 1) * sizeof(*order)), *row, *tmp;

	rows->len = 0;
	if (!order)
		return -ENOMEM;
	rows->order = order;
	HASH_ITER (hh, rows->by_key, row, tmp)
		if (!rows->filter[0] || strcasestr(row->name, rows->filter))
			order[rows->len++] = row;
	qsort_r(order, rows->len, sizeof(*order), compare, &rows->sort);
	return 0;
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

void ui_rows_add_request(struct ui_rows *rows, const struct request *r, uint64_t now_ns)
{
	const struct imds_request *q = &r->rec.req;
	uint64_t end = rows->requests_end, oldest = end > UI_REQUESTS ? end - UI_REQUESTS : 0;
	struct ui_request *u = NULL;

	for (uint64_t i = end; rows->stalls && i-- > oldest && !u;) {
		struct ui_request *before = &rows->requests[i % UI_REQUESTS];

		if (before->running && before->cookie == r->rec.peer.cookie && before->start_ns == q->start_ns)
			u = before;
	}
	if (!u)
		u = &rows->requests[rows->requests_end++ % UI_REQUESTS];
	rows->stalls += r->running - u->running;
	*u = (struct ui_request){
		.key = r->who->cgroup_id,
		.cookie = r->rec.peer.cookie,
		.start_ns = q->start_ns,
		.wall_ns = r->wall_ns,
		.running = r->running,
		.fallback = r->fallback,
		.status = q->status,
		.outcome = r->outcome,
		.confidence = r->confidence,
		.first_us = request_first_byte_us(r),
		.duration_us = request_duration_us(r, now_ns),
		.ttl = q->ttl_response ? q->ttl_response : r->rec.ttl_synack,
		.hops = r->hops,
		.required = r->required_hop_limit,
		.drops = q->drops,
	};
	snprintf(u->comm, sizeof(u->comm), "%.*s", IMDS_COMM_LEN, r->rec.peer.comm[0] ? r->rec.peer.comm : "-");
	if (q->method != IMDS_METHOD_NONE)
		snprintf(u->what, sizeof(u->what), "%s %.*s", method_word(q->method), IMDS_PATH_LEN,
			 q->path[0] ? q->path : kind_word(q->kind));
	else
		snprintf(u->what, sizeof(u->what), "(%s)", kind_word(q->kind));
}

const struct ui_request *ui_rows_next_request(const struct ui_rows *rows, uint64_t key, uint64_t *at)
{
	uint64_t end = rows->requests_end, oldest = end > UI_REQUESTS ? end - UI_REQUESTS : 0;

	while (*at > oldest) {
		const struct ui_request *u = &rows->requests[--*at % UI_REQUESTS];

		if (u->key == key)
			return u;
	}
	return NULL;
}

/* --- figures ----------------------------------------------------------------------------------------------------- */

char *ui_spark(const uint32_t *us, size_t len, size_t columns, bool utf8, char *buf, size_t buf_len)
{
	static const uint32_t steps[] = { 300, 1000, 3000, 10000, 30000, 100000, 1000000 };
	static const char *const fine[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const plain[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	size_t at = 0;

	if (!buf_len)
		return buf;
	for (size_t i = len > columns ? len - columns : 0; i < len; i++) {
		const char *mark;
		size_t level = 0;

		while (level < LEN(steps) && us[i] >= steps[level])
			level++;
		mark = utf8 ? fine[level] : plain[level];
		if (at + strlen(mark) >= buf_len)
			break;
		memcpy(buf + at, mark, strlen(mark));
		at += strlen(mark);
	}
	buf[at] = '\0';
	return buf;
}
