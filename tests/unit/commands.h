/* SPDX-License-Identifier: GPL-2.0-only */
/* The real command table, included from main.c so that its rows are tested too; its commands do nothing. */
#define main imdsnoop_main
#include "../../user/main.c"
#undef main

#define RUN(name)                               \
	int cmd_##name(const struct options *o) \
	{                                       \
		(void)o;                        \
		return 0;                       \
	}
/* clang-format off */
RUN(trace) RUN(top) RUN(report) RUN(serve) RUN(probe) RUN(check) RUN(merge) RUN(ready)
    /* clang-format on */
