// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"
const struct test flush_tests[] = { { } };
void iommu_put_pages_list(struct iommu_pages_list *list) { }
