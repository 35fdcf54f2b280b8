// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for memory in a dump of it: /proc/kcore, or /proc/vmcore after a crash.
 *
 * Usage: dump-holds DUMP FIRST LAST
 *
 * Says how many pages of these physical addresses hold anything but zeros. Ends
 * with 0 if none does, with 1 if some do, with 2 if something is wrong, and with
 * 3 if the dump has no such memory.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE	4096UL

static const char *dump;

static void read_or_exit(int fd, void *to, size_t size, off_t at)
{
	ssize_t got = pread(fd, to, size, at);

	if (got < 0)
		err(2, "%s at %#llx", dump, (unsigned long long)at);
	if ((size_t)got != size)
		errx(2, "%s ends at %#llx", dump, (unsigned long long)at + got);
}

static bool holds(const char *page)
{
	return page[0] || memcmp(page, page + 1, PAGE - 1);
}

/* Pages of a part of the dump that are in the range, and those that hold much */
static void look_at(int fd, const struct elf64_phdr *part, unsigned long first,
		    unsigned long last, unsigned long *pages,
		    unsigned long *full)
{
	unsigned long at, end = part->p_paddr + part->p_filesz;
	char page[PAGE];

	if (first < part->p_paddr)
		first = part->p_paddr;
	for (at = first; at + PAGE <= end && at < last; at += PAGE) {
		read_or_exit(fd, page, PAGE,
			     part->p_offset + (at - part->p_paddr));
		*full += holds(page);
		++*pages;
	}
}

int main(int argc, char **argv)
{
	unsigned long pages = 0, full = 0, first, last;
	struct elf64_phdr part;
	struct elf64_hdr head;
	int fd, i;

	if (argc != 4)
		errx(2, "usage: dump-holds DUMP FIRST LAST");
	dump = argv[1];
	first = strtoul(argv[2], NULL, 0) & ~(PAGE - 1);
	last = strtoul(argv[3], NULL, 0);
	fd = open(dump, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", dump);
	read_or_exit(fd, &head, sizeof(head), 0);
	for (i = 0; i < head.e_phnum; i++) {
		read_or_exit(fd, &part, sizeof(part),
			     head.e_phoff + i * sizeof(part));
		if (part.p_type == PT_LOAD)
			look_at(fd, &part, first, last, &pages, &full);
	}
	printf("%lu of %lu pages hold something\n", full, pages);
	return pages ? full != 0 : 3;
}
