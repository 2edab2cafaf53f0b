/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

const char *report_level_word(enum level level)
{
	static const char *const words[LEVEL_COUNT] = {
		[LEVEL_QUIET] = "QUIET", [LEVEL_OK] = "OK",	      [LEVEL_NOTE] = "NOTE",
		[LEVEL_BLIND] = "BLIND", [LEVEL_WARNING] = "WARNING", [LEVEL_PROBLEM] = "PROBLEM",
	};

	return level < LEVEL_COUNT ? words[level] : "UNKNOWN";
}

bool report_level_is_bad(enum level level)
{
	return level == LEVEL_PROBLEM || level == LEVEL_WARNING || level == LEVEL_BLIND;
}

enum level report_level_of(enum severity severity)
{
	return severity == SEVERITY_ERROR ? LEVEL_PROBLEM : severity == SEVERITY_WARNING ? LEVEL_WARNING : LEVEL_NOTE;
}
