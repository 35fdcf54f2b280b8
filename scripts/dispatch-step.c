// SPDX-License-Identifier: GPL-2.0-only
/*
 * Call a mapping function of the kernel's own object code in this process and
 * print how many of its instructions ran. The processor's trap flag raises a
 * signal after each one.
 *
 * The device is zeroed memory but for a 64-bit DMA mask: no operations, no
 * IOMMU, no layer. The rest of the kernel is replaced by stubs.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

#define TRAP_FLAG 0x100
#define SA_RESTORER 0x04000000
#define BUS_ADDRESS 0x12345000

uint64_t dma_map_phys(void *dev, uint64_t phys, size_t size, int dir,
		      unsigned long attrs);
void dma_unmap_phys(void *dev, uint64_t addr, size_t size, int dir,
		    unsigned long attrs);
void restorer(void);
extern const char stubs[], stubs_end[];

/* The kernel's own layout, there is no C library here. */
struct action {
	void (*handler)(int sig, siginfo_t *info, void *context);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static _Alignas(64) unsigned char device[DEVICE_SIZE];
static uint64_t mask = UINT64_MAX;
static volatile unsigned long steps;
static volatile int inside;
static uintptr_t entry, back;

static long system_call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

__asm__(".text\n.globl restorer\nrestorer:\n"
	"mov $15, %eax\nsyscall\n"
	".globl _start\n_start:\n"
	"mov (%rsp), %rdi\nlea 8(%rsp), %rsi\nandq $-16, %rsp\n"
	"call stepper\nmov %eax, %edi\nmov $60, %eax\nsyscall\n");

/*
 * Called before each instruction. The return to the caller ends the count,
 * and the stubs do not belong to it.
 */
static void step(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t ip = uc->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)info;
	if (ip == entry) {
		inside = 1;
		back = *(uintptr_t *)uc->uc_mcontext.gregs[REG_RSP];
	}
	if (inside && ip == back) {
		inside = 0;
		uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	}
	if (inside && (ip < (uintptr_t)stubs || ip >= (uintptr_t)stubs_end))
		steps++;
}

static void trap_on(void)
{
	/* Past the red zone: the compiler may keep values there. */
	__asm__ volatile("subq $128, %%rsp\n\tpushfq\n\t"
			 "orq %0, (%%rsp)\n\tpopfq\n\taddq $128, %%rsp"
			 : : "i"(TRAP_FLAG) : "memory", "cc");
}

static void print(unsigned long value)
{
	char text[24], *at = text + sizeof(text);

	*--at = '\n';
	do {
		*--at = '0' + value % 10;
		value /= 10;
	} while (value);
	system_call(SYS_write, 1, (long)at, text + sizeof(text) - at, 0);
}

/* Exit code 1: the direct path was not taken, its count says nothing. */
int stepper(int argc, char **argv)
{
	struct action action = {
		.handler = step, .flags = SA_SIGINFO | SA_RESTORER,
		.restorer = restorer,
	};
	uint64_t result = BUS_ADDRESS;

	if (argc != 2)
		return 2;
	*(uint64_t **)(device + DMA_MASK_AT) = &mask;
	if (system_call(SYS_rt_sigaction, SIGTRAP, (long)&action, 0, 8))
		return 2;
	if (argv[1][4] == 'm') {
		entry = (uintptr_t)dma_map_phys;
		trap_on();
		result = dma_map_phys(device, BUS_ADDRESS, 4096, 1, 0);
	} else {
		entry = (uintptr_t)dma_unmap_phys;
		trap_on();
		dma_unmap_phys(device, BUS_ADDRESS, 4096, 1, 0);
	}
	if (!steps || inside || result != BUS_ADDRESS)
		return 1;
	print(steps);
	return 0;
}
