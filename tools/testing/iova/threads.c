// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"
const struct test thread_tests[] = { { } };
