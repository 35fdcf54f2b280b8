// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an edu card that is bound to vfio-pci reaches of user space's memory:
 * what is mapped, not what was unmapped a moment ago, and nothing of what
 * another process had mapped that was killed.
 *
 *	vfio-unmap <PCI address of the card> <address for the card>
 *
 * Reports KTAP without head and plan. Exit code 2 when VFIO cannot be used.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edu.h"
#include "pattern.h"

#define PAGE	4096
/* What the card has in its buffer, as a seed */
#define DATA	8

struct user {
	int container, group, device;
	volatile void *card;
};

/* Of two processes; the second page is mapped in place of the first. */
static unsigned char *memory;
static uint64_t iova;

static void need(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(2);
	}
}

static int open_group(const char *device)
{
	char path[PATH_MAX], group[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 device);
	len = readlink(path, group, sizeof(group) - 1);
	need(len > 0, path);
	group[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(group, '/'));
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Lets the card do DMA, and finds its registers. */
static void start_card(struct user *user)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	need(!ioctl(user->device, VFIO_DEVICE_GET_REGION_INFO, &info),
	     "configuration");
	need(pwrite(user->device, &command, sizeof(command),
		    (off_t)info.offset + PCI_COMMAND) == sizeof(command),
	     "command");
	info.index = VFIO_PCI_BAR0_REGION_INDEX;
	need(!ioctl(user->device, VFIO_DEVICE_GET_REGION_INFO, &info), "BAR");
	user->card = mmap(NULL, EDU_REGISTERS, PROT_READ | PROT_WRITE,
			  MAP_SHARED, user->device, (off_t)info.offset);
	need(user->card != MAP_FAILED, "registers");
}

static struct user take(const char *device)
{
	struct user user = {
		.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC),
		.group = open_group(device),
	};

	need(user.container >= 0, "container");
	need(user.group >= 0, "group");
	need(!ioctl(user.group, VFIO_GROUP_SET_CONTAINER, &user.container),
	     "container of the group");
	need(!ioctl(user.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
	     "IOMMU");
	user.device = ioctl(user.group, VFIO_GROUP_GET_DEVICE_FD, device);
	need(user.device >= 0, "device");
	start_card(&user);
	return user;
}

static void leave(struct user *user)
{
	munmap((void *)user->card, EDU_REGISTERS);
	close(user->device);
	close(user->group);
	close(user->container);
}

static void map(const struct user *user, unsigned char *page)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg), .iova = iova, .size = PAGE,
		.vaddr = (uintptr_t)page,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};

	need(!ioctl(user->container, VFIO_IOMMU_MAP_DMA, &arg), "map");
}

static void unmap(const struct user *user)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg), .iova = iova, .size = PAGE,
	};

	need(!ioctl(user->container, VFIO_IOMMU_UNMAP_DMA, &arg), "unmap");
}

/* Is the card's data there, or nothing at all? */
static int has(const unsigned char *page)
{
	return pattern_check(page, DATA, 0, EDU_PIECE) < 0;
}

static int empty(const unsigned char *page)
{
	int i;

	for (i = 0; i < PAGE; i++)
		if (page[i])
			return 0;
	return 1;
}

/* The card writes, after both pages were emptied. */
static void write_by_card(const struct user *user)
{
	memset(memory, 0, 2 * PAGE);
	need(!edu_copy(user->card, iova, EDU_TO_MEMORY), "card");
}

static void say(const char *what, int good)
{
	printf("%s vfio.%s\n", good ? "ok" : "not ok", what);
}

static void map_and_unmap(const struct user *user)
{
	map(user, memory);
	pattern_fill(memory, DATA, 0, PAGE);
	need(!edu_copy(user->card, iova, 0), "card");
	write_by_card(user);
	say("mapped", has(memory));
	unmap(user);
	write_by_card(user);
	say("unmapped", empty(memory));
	map(user, memory + PAGE);
	write_by_card(user);
	say("mapped-anew", has(memory + PAGE) && empty(memory));
	unmap(user);
}

/* Maps, has the card use it, and is killed. */
static void die(const char *device)
{
	struct user user;
	pid_t child = fork();

	need(child >= 0, "fork");
	if (child) {
		need(waitpid(child, NULL, 0) == child, "wait");
		return;
	}
	user = take(device);
	map(&user, memory);
	write_by_card(&user);
	kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
	struct user user;

	if (argc != 3)
		return 2;
	iova = strtoull(argv[2], NULL, 0);
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	need(memory != MAP_FAILED, "memory");
	printf("# vfio: stale address: 0x%" PRIx64 "\n", iova);
	fflush(stdout);
	user = take(argv[1]);
	map_and_unmap(&user);
	leave(&user);
	die(argv[1]);
	say("killed", has(memory));
	user = take(argv[1]);
	write_by_card(&user);
	say("killed-unmapped", empty(memory));
	leave(&user);
	return 0;
}
