// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has an edu card copy memory that the kernel does not manage, without a driver:
 * what a card does on its own in the memory that firmware reserves for it.
 *
 *	edu-poke <resource file of the card> <address> [<stop file>]
 *
 * The first half of 64 KiB at the address is copied to the card and from there
 * to the second half, piece after piece and each time with other data, until
 * the stop file is there.  Without one, the card reads and writes there once,
 * and nobody looks at the memory.  Exit code 0 when everything arrived, 1 if
 * something did not, 2 when the card or the memory cannot be used.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"
#include "pattern.h"

#define REGION		65536
#define HALF		(REGION / 2)

static volatile void *card;
/* Trips that went wrong and were told about: the first is enough. */
static unsigned int told;

/* Through the card and back; 0 when the data is the same. */
static int trip(unsigned char *memory, uint64_t base, uint64_t number)
{
	uint64_t pos = number * EDU_PIECE % HALF;
	int64_t bad;

	pattern_fill(memory + pos, number, 0, EDU_PIECE);
	memset(memory + HALF + pos, 0, EDU_PIECE);
	if (edu_copy(card, base + pos, 0) ||
	    edu_copy(card, base + HALF + pos, EDU_TO_MEMORY))
		return 1;
	bad = pattern_check(memory + HALF + pos, number, 0, EDU_PIECE);
	if (bad < 0)
		return 0;
	if (!told++)
		fprintf(stderr, "edu-poke: trip %" PRIu64 ": wrong from byte %"
			PRId64 "\n", number, bad);
	return 1;
}

static void *map(const char *name, off_t offset, size_t length)
{
	int fd = open(name, O_RDWR | O_SYNC | O_CLOEXEC);
	void *there = MAP_FAILED;

	if (fd >= 0) {
		there = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd, offset);
		close(fd);
	}
	if (there == MAP_FAILED) {
		perror(name);
		exit(2);
	}
	return there;
}

int main(int argc, char **argv)
{
	unsigned int failed = 0;
	unsigned char *memory;
	uint64_t base, number;

	if (argc != 3 && argc != 4)
		return 2;
	base = strtoull(argv[2], NULL, 0);
	card = map(argv[1], 0, EDU_REGISTERS);
	if (argc == 3) {
		failed = edu_copy(card, base, 0);
		/* An IOMMU may report one fault of a device at a time. */
		sleep(1);
		return failed || edu_copy(card, base, EDU_TO_MEMORY);
	}
	memory = map("/dev/mem", (off_t)base, REGION);
	/* One trip at least, however late this comes. */
	for (number = 0; !number || access(argv[3], F_OK); number++)
		failed += (unsigned int)trip(memory, base, number);
	printf("%" PRIu64 " trips, %u failed\n", number, failed);
	return !!failed;
}
