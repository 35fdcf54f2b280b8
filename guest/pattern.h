/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generated data: every byte is a function of a seed and of its position, so
 * that any part of a stream can be made, and checked, without the rest.
 */
#ifndef GUEST_PATTERN_H
#define GUEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_BLOCK	4096

/* Fills @len bytes as they stand at byte @pos of the stream of @seed. */
void pattern_fill(unsigned char *buf, uint64_t seed, uint64_t pos, size_t len);

/* Position of the first byte in @buf that is wrong, or -1. */
int64_t pattern_check(const unsigned char *buf, uint64_t seed, uint64_t pos,
		      size_t len);

#endif
