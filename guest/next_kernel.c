// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads another kernel and starts it.
 *
 * Usage: next-kernel [--crash] KERNEL INITRAMFS WORDS
 *
 * WORDS is its command line. With --crash it starts when the running kernel
 * crashes, which must have set memory aside for it, crashkernel=.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdbool.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_or_exit(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	bool crash = argc > 1 && !strcmp(argv[1], "--crash");

	if (argc != 4 + crash)
		errx(2, "usage: next-kernel [--crash] KERNEL INITRAMFS WORDS");
	argv += 1 + crash;
	if (syscall(SYS_kexec_file_load, open_or_exit(argv[0]),
		    open_or_exit(argv[1]), strlen(argv[2]) + 1, argv[2],
		    crash ? KEXEC_FILE_ON_CRASH : 0))
		err(1, "kexec_file_load");
	if (!crash && reboot(LINUX_REBOOT_CMD_KEXEC))
		err(1, "reboot");
	return 0;
}
