/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of the kernel as the parser of the EBDA needs, in user space. */
#ifndef __CALGARY_SHIM_H
#define __CALGARY_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <linux/compiler.h>
#include <linux/kernel.h>

#endif /* __CALGARY_SHIM_H */
