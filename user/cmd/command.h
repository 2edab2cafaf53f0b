/* SPDX-License-Identifier: GPL-2.0-only */
/* One function per command; each logs its own errors and returns an exit code (enum exit_code). */
#ifndef IMDSNOOP_COMMAND_H
#define IMDSNOOP_COMMAND_H

#include "../options/options.h"

int cmd_trace(const struct options *o);
int cmd_top(const struct options *o);
int cmd_report(const struct options *o);
int cmd_serve(const struct options *o);
int cmd_probe(const struct options *o);
int cmd_check(const struct options *o);
int cmd_ready(const struct options *o);
int cmd_merge(const struct options *o);

#endif
