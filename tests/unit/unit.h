/* SPDX-License-Identifier: GPL-2.0-only */
/* What every unit test includes; cmocka wants the first four before it. */
#ifndef IMDSNOOP_UNIT_H
#define IMDSNOOP_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#endif
