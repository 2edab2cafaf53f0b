/* SPDX-License-Identifier: GPL-2.0-only */
/* A row of the table of options, for the files that make and read it. */
#ifndef IMDSNOOP_OPTIONS_PART_H
#define IMDSNOOP_OPTIONS_PART_H

#include "../base/small.h"
#include "options.h"

enum option_type {
	OPTION_FLAG,	 /* bool */
	OPTION_SECTION,	 /* no option: a heading of --help */
	OPTION_STRING,	 /* const char * */
	OPTION_DURATION, /* uint64_t, ns */
	OPTION_U32,
	OPTION_U64,
	OPTION_WORD, /* an enum */
	OPTION_CALL  /* parse() */
};

/*
 * All that is known of an option. Commands that differ in default or bounds have a row each, of the same name. arg in
 * brackets: the value may be left out, and follows '=' alone.
 */
struct option_row {
	const char *name;
	char letter;
	const char *arg; /* NULL: takes no value */
	const char *help;
	unsigned int groups;
	enum option_type type;
	size_t offset;	     /* of the member of struct options */
	const char *initial; /* as typed, shown as the default; NULL: none, or help tells it */
	uint64_t min, max;   /* of a number or duration */
	const char *bounds;  /* the same, for people */
	int (*parse)(struct options *o, const char *value);
	const char *const *words; /* of an enum, in its order; NULL-ended */
	const char *expects;	  /* for the message when parse() refuses, or no word fits */
};

extern const struct option_row options_table[]; /* in the order of --help */
extern const size_t options_table_len;

/* One more of --endpoint: the first one given replaces the default list, one given twice counts once. */
int options_add_endpoint(struct options *o, const char *value);

#endif
