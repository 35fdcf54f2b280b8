// SPDX-License-Identifier: GPL-2.0-only
/*
 * Without a kernel: what a device that is not coherent sees of a processor's
 * caches, and the processor of what the device wrote
 *
 * Multiboot, 32 bits, one processor, a camera somewhere on bus 0. Each test
 * is a line on the debug console; "end" is the last one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "camera_regs.h"

#define PAGE		4096u
#define PRESENT		3u
#define PWT		8u
#define PCD		16u
#define LARGE		0x80u
#define LARGE_PAT	0x1000u
#define MSR_PAT		0x277

/* Physical memory that the tests use: identity, but for ALIAS */
#define LEVEL_1		0x1000000u
#define LEVEL_2		0x1001000u
#define RING		0x1002000u
#define BUFFER		0x1010000u
#define OTHER		0x1020000u
#define ALIAS		0x2000000u
/* As the device sees it */
#define IOVA		0x100000u
#define IOVA_RING	0x200000u

#define ENTRIES		8
#define BYTES		64u
#define CAPTURE		0
#define READBACK	1

__asm__(".pushsection .multiboot, \"a\"\n\t"
	".balign 4\n\t"
	".long 0x1badb002, 0, -0x1badb002\n\t"
	".popsection\n\t"
	".globl _start\n"
	"_start: movl $stack + 16384, %esp\n\t"
	"call run\n"
	"1: hlt\n\t"
	"jmp 1b");

uint8_t stack[16384];
static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint32_t low_table[16][1024] __attribute__((aligned(4096)));
static uint32_t alias_table[1024] __attribute__((aligned(4096)));
static volatile uint32_t *regs;

static void outl(uint16_t port, uint32_t val)
{
	__asm__ volatile("outl %0, %1" :: "a"(val), "Nd"(port));
}

static uint32_t inl(uint16_t port)
{
	uint32_t val;

	__asm__ volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static void say(const char *text)
{
	for (; *text; text++)
		__asm__ volatile("outb %0, $0xe9" :: "a"(*text));
}

static void check(const char *what, bool good)
{
	say(good ? "ok " : "not ok ");
	say(what);
	say("\n");
}

static uint32_t config(uint32_t slot, uint32_t reg)
{
	outl(0xcf8, 1u << 31 | slot << 11 | reg);
	return inl(0xcfc);
}

static bool find_camera(void)
{
	uint32_t slot;

	for (slot = 1; slot < 32; slot++) {
		if (config(slot, 0) != (CAM_VENDOR_ID | CAM_DEVICE_ID << 16))
			continue;
		outl(0xcf8, 1u << 31 | slot << 11 | 4);
		outl(0xcfc, 6);
		regs = (void *)(config(slot, 0x10) & ~0xfu);
		return regs[CAM_ID / 4] == CAM_ID_VALUE;
	}
	return false;
}

static void reload(void)
{
	__asm__ volatile("movl %%cr3, %%eax; movl %%eax, %%cr3" ::: "eax",
			 "memory");
}

/* 64 MiB in pages, 4 GiB less that in large ones, not cached beyond 2 GiB */
static void enable_paging(void)
{
	uint32_t i;

	for (i = 0; i < 1024; i++) {
		directory[i] = i << 22 | PRESENT | LARGE | (i < 512 ? 0 : PCD);
		alias_table[i] = 0;
	}
	for (i = 0; i < 16 * 1024; i++)
		low_table[i / 1024][i % 1024] = i << 12 | PRESENT;
	for (i = 0; i < 16; i++)
		directory[i] = (uintptr_t)low_table[i] | PRESENT;
	directory[ALIAS >> 22] = (uintptr_t)alias_table | PRESENT;
	/* Write-combining is what PWT alone means, and PAT alone */
	__asm__ volatile("wrmsr" :: "c"(MSR_PAT), "a"(0x00070106),
			 "d"(0x00070401));
	__asm__ volatile("movl %0, %%cr3\n\t"
			 "movl %%cr4, %%eax\n\t"
			 "orl $0x10, %%eax\n\t"
			 "movl %%eax, %%cr4\n\t"
			 "movl %%cr0, %%eax\n\t"
			 "orl $0x80010000, %%eax\n\t"
			 "andl $0x9fffffff, %%eax\n\t"
			 "movl %%eax, %%cr0"
			 :: "r"(directory) : "eax", "memory");
}

/* How a page is mapped, from now on */
static void map(uint32_t addr, uint32_t attributes)
{
	low_table[addr >> 22][addr >> 12 & 1023] = addr | PRESENT | attributes;
	reload();
}

static void flush(uint32_t addr, uint32_t bytes)
{
	uint32_t line;

	for (line = addr; line < addr + bytes; line += 64)
		__asm__ volatile("clflush (%0)" :: "r"(line) : "memory");
}

static void flushopt(uint32_t addr)
{
	__asm__ volatile("clflushopt (%0)" :: "r"(addr) : "memory");
}

static volatile uint32_t *at(uint32_t addr)
{
	return (void *)(uintptr_t)addr;
}

static void fill(uint32_t addr, uint32_t word)
{
	uint32_t i;

	for (i = 0; i < BYTES / 4; i++)
		at(addr)[i] = word;
}

static bool filled(uint32_t addr, uint32_t word)
{
	uint32_t i;

	for (i = 0; i < BYTES / 4; i++)
		if (at(addr)[i] != word)
			return false;
	return true;
}

static uint32_t sum_of(uint32_t word)
{
	uint32_t i, sum = CAM_SUM_START;

	for (i = 0; i < BYTES / 4; i++)
		sum = cam_sum(sum, word);
	return sum;
}

static bool has_frame(uint32_t addr, uint32_t sequence)
{
	uint32_t i;

	for (i = 0; i < BYTES / 4; i++)
		if (at(addr)[i] != cam_frame_word(sequence, i))
			return false;
	return true;
}

static void set(uint32_t reg, uint32_t val)
{
	regs[reg / 4] = val;
}

static volatile uint32_t *pte(uint32_t iova)
{
	return at(LEVEL_2) + (iova >> 12 & 1023);
}

static void point(uint32_t iova, uint32_t addr)
{
	*pte(iova) = CAM_PTE(addr) | CAM_PTE_VALID | CAM_PTE_WRITE;
}

/* All that the device needs, seen by it; one buffer at IOVA */
static void prepare(void)
{
	uint32_t i;

	set(CAM_RESET, 1);
	for (i = 0; i < 1024; i++) {
		at(LEVEL_1)[i] = 0;
		at(LEVEL_2)[i] = 0;
	}
	at(LEVEL_1)[0] = CAM_PTE(LEVEL_2) | CAM_PTE_VALID;
	point(IOVA, BUFFER);
	point(IOVA_RING, RING);
	flush(LEVEL_1, PAGE);
	flush(LEVEL_2, PAGE);
	set(CAM_MMU_TABLE, LEVEL_1 / PAGE);
	set(CAM_MMU_CTRL, CAM_MMU_ENABLE);
}

static volatile uint32_t *describe(void)
{
	volatile uint32_t *desc = at(RING);

	desc[CAM_DESC_ADDR] = IOVA;
	desc[CAM_DESC_LENGTH] = BYTES;
	desc[CAM_DESC_FLAGS] = CAM_DESC_LAST;
	desc[CAM_DESC_STATUS] = 0;
	return desc;
}

/* Ring the bell for one descriptor, and wait; the channel's status */
static uint32_t go(uint32_t channel, uint32_t sequence)
{
	uint32_t ch = CAM_CH(channel), status;

	set(ch + CAM_CH_CTRL, 0);
	set(ch + CAM_CH_RING, IOVA_RING);
	set(ch + CAM_CH_ENTRIES, ENTRIES);
	set(ch + CAM_CH_SEQUENCE, sequence);
	set(ch + CAM_CH_CTRL, CAM_CH_RUN);
	set(ch + CAM_CH_HEAD, 1);
	do
		status = regs[(ch + CAM_CH_STATUS) / 4];
	while (status & CAM_CH_BUSY);
	return status;
}

/* The ring as it has to be; true when the frame is done */
static bool transfer(uint32_t channel, uint32_t sequence)
{
	volatile uint32_t *desc = describe();

	flush(RING, 32);
	if (go(channel, sequence))
		return false;
	flush(RING, 32);
	return desc[CAM_DESC_STATUS] == CAM_DESC_DONE &&
	       desc[CAM_DESC_BYTES] == BYTES;
}

static bool reads(uint32_t word)
{
	return transfer(READBACK, 0) && at(RING)[CAM_DESC_SUM] == sum_of(word);
}

static void test_capture(void)
{
	prepare();
	fill(BUFFER, 1);
	flush(BUFFER, BYTES);
	check("capture", transfer(CAPTURE, 7));
	check("capture: old until flushed", filled(BUFFER, 1));
	flush(BUFFER, BYTES);
	check("capture: flushed", has_frame(BUFFER, 7));
	fill(BUFFER, 2);
	check("capture over written lines", transfer(CAPTURE, 8));
	flush(BUFFER, BYTES);
	check("capture over written lines is lost", filled(BUFFER, 2));
	transfer(CAPTURE, 9);
	at(BUFFER)[3] = 5;
	flush(BUFFER, BYTES);
	check("one written word loses its line",
	      at(BUFFER)[3] == 5 && at(BUFFER)[4] == 2);
}

static void test_readback(void)
{
	prepare();
	fill(BUFFER, 3);
	flush(BUFFER, BYTES);
	check("readback: flushed", reads(3));
	fill(BUFFER, 4);
	check("readback: old until flushed", reads(3));
	flushopt(BUFFER);
	check("readback: CLFLUSHOPT", reads(4));
}

static void test_never_flushed(void)
{
	prepare();
	point(IOVA, OTHER);
	flush((uintptr_t)pte(IOVA), 4);
	fill(OTHER, 0);
	check("never flushed", reads(0xdededede));
	flush(OTHER, BYTES);
	check("never flushed, flushed", reads(0));
}

static void test_descriptors(void)
{
	volatile uint32_t *desc;

	prepare();
	fill(BUFFER, 1);
	flush(BUFFER, BYTES);
	desc = describe();
	desc[CAM_DESC_LENGTH] = 0;
	flush(RING, 32);
	describe();
	check("descriptor: old until flushed", go(CAPTURE, 1) == CAM_CH_BAD);
	flush(RING, 32);
	check("descriptor: flushed", !go(CAPTURE, 1));
	check("status: old until flushed", !desc[CAM_DESC_STATUS]);
	flush(RING, 32);
	check("status: flushed", desc[CAM_DESC_STATUS] == CAM_DESC_DONE);
}

static void test_tables(void)
{
	prepare();
	fill(BUFFER, 11);
	fill(OTHER, 12);
	flush(BUFFER, BYTES);
	flush(OTHER, BYTES);
	check("table: first page", reads(11));
	point(IOVA, OTHER);
	set(CAM_MMU_INV_PAGE, IOVA);
	check("table: old until flushed", reads(11));
	flush((uintptr_t)pte(IOVA), 4);
	check("table: old until invalidated", reads(11));
	set(CAM_MMU_INV_PAGE, IOVA);
	check("table: flushed and invalidated", reads(12));
}

/* Memory that a driver has mapped so shares what is in it with the device. */
static void uncached(const char *name, uint32_t attributes)
{
	say(name);
	say(":\n");
	map(BUFFER, 0);
	prepare();
	fill(BUFFER, 1);
	flush(BUFFER, BYTES);
	fill(BUFFER, 2);
	map(BUFFER, attributes);
	at(BUFFER + BYTES)[0];
	check("written before, not flushed", reads(1));
	flush(BUFFER, BYTES);
	check("written before, flushed", reads(2));
	fill(BUFFER, 3);
	check("the device sees at once", reads(3));
	transfer(CAPTURE, 5);
	check("the processor sees at once", has_frame(BUFFER, 5));
	map(BUFFER, 0);
	check("mapped cached", has_frame(BUFFER, 5));
	fill(BUFFER, 4);
	check("cached: old until flushed", !reads(4));
	flush(BUFFER, BYTES);
	check("cached: flushed", reads(4));
}

/* A large page has its bit of the PAT elsewhere. */
static void test_large(void)
{
	prepare();
	fill(BUFFER, 1);
	flush(BUFFER, PAGE);
	directory[ALIAS >> 22] = (BUFFER & ~0x3fffffu) | PRESENT | LARGE |
				 LARGE_PAT;
	reload();
	fill(ALIAS | (BUFFER & 0x3fffff), 6);
	check("large page, write-combining", reads(6));
	directory[ALIAS >> 22] &= ~LARGE_PAT;
	reload();
	fill(ALIAS | (BUFFER & 0x3fffff), 7);
	check("large page, cached", reads(6));
	directory[ALIAS >> 22] = (uintptr_t)alias_table | PRESENT;
	map(BUFFER, 0);
}

void run(void)
{
	if (!find_camera()) {
		check("camera", false);
		return;
	}
	enable_paging();
	test_capture();
	test_readback();
	test_never_flushed();
	test_descriptors();
	test_tables();
	uncached("UC", PCD | PWT);
	uncached("UC-", PCD);
	uncached("write-combining", PWT);
	uncached("write-combining by PAT", 0x80);
	test_large();
	say("end\n");
}
