// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the kernel that starts when this one crashes.
 *
 * Usage: crash-load KERNEL INITRAMFS WORDS
 *
 * WORDS is its command line. The running kernel must have set memory aside for
 * it, crashkernel=.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <string.h>
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
	if (argc != 4)
		errx(2, "usage: crash-load KERNEL INITRAMFS WORDS");
	if (syscall(SYS_kexec_file_load, open_or_exit(argv[1]),
		    open_or_exit(argv[2]), strlen(argv[3]) + 1, argv[3],
		    KEXEC_FILE_ON_CRASH))
		err(1, "kexec_file_load");
	return 0;
}
