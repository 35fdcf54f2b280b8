// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaload - makes devices move data, and checks every byte of it
 *
 *   pattern SEED LENGTH            the data itself, to standard output
 *   write DEVICE SEED POS LENGTH   to a disk, past the page cache
 *   read DEVICE POS LENGTH         from a disk, to standard output
 *   verify DEVICE SEED POS LENGTH  from a disk, compared with the pattern
 *   hammer DEVICE SEED POS LENGTH  verify until the disk is gone
 *   serve PORT SEED LENGTH         receive by TCP, compare
 *   send ADDRESS PORT SEED LENGTH  send by TCP
 *   rate DEVICE SEED POS LENGTH    write and verify; say how many microseconds
 *                                  the requests of both took
 *   ticks                          frequency of the time stamp counter in kHz
 *
 * Exit codes: 0 all is right, 1 wrong data, 2 wrong use, 3 an input/output
 * error, 4 (hammer, serve) the transfer ended early but what came was right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"

#define CHUNK		(1 << 20)
#define SECTOR		512

enum { RIGHT = 0, WRONG_DATA = 1, WRONG_USE = 2, IO_ERROR = 3, ENDED = 4 };

static unsigned char *memory;
/*
 * Seconds after which nothing comes any more. QUIET=<seconds> is for those who
 * lose their card; a busy machine may stand still for some.
 */
static unsigned int quiet = 60;
/* What requests to disks have taken */
static uint64_t busy_us;

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end) {
		fprintf(stderr, "dmaload: %s: not a number\n", text);
		exit(WRONG_USE);
	}
	return value;
}

static int failed(const char *what, uint64_t pos)
{
	fprintf(stderr, "dmaload: %s at byte %" PRIu64 ": %s\n", what, pos,
		strerror(errno));
	return IO_ERROR;
}

static int wrong(const char *what, int64_t pos)
{
	fprintf(stderr, "dmaload: %s: wrong data at byte %" PRId64 "\n", what,
		pos);
	return WRONG_DATA;
}

/*
 * Requests vary in length and in where their buffer starts within a page, so
 * that scatterlists do too.  Both stay whole sectors, as O_DIRECT wants.
 */
static size_t piece(uint64_t pos, uint64_t left, unsigned char **buf)
{
	static const size_t lengths[] = {
		CHUNK, 4096, 65536, 512, CHUNK / 2, 12288, 131072, 8704,
	};
	static unsigned int turn;
	size_t len = lengths[turn % 8];

	*buf = memory + (pos / SECTOR % 8) * SECTOR;
	turn++;
	return left < len ? (size_t)left : len;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int write_out(const unsigned char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, buf, len);

		if (n <= 0)
			return failed("standard output", 0);
		buf += n;
		len -= (size_t)n;
	}
	return RIGHT;
}

static int put_pattern(uint64_t seed, uint64_t len)
{
	uint64_t pos;

	for (pos = 0; pos < len; pos += CHUNK) {
		size_t n = len - pos < CHUNK ? (size_t)(len - pos) : CHUNK;

		pattern_fill(memory, seed, pos, n);
		if (write_out(memory, n))
			return IO_ERROR;
	}
	return RIGHT;
}

static int disk_open(const char *name, int flags)
{
	int fd = open(name, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "dmaload: %s: %s\n", name, strerror(errno));
		exit(IO_ERROR);
	}
	return fd;
}

static int disk_write(const char *name, uint64_t seed, uint64_t pos,
		      uint64_t len)
{
	int fd = disk_open(name, O_WRONLY);
	uint64_t end = pos + len, begin;

	while (pos < end) {
		unsigned char *buf;
		size_t n = piece(pos, end - pos, &buf);

		pattern_fill(buf, seed, pos, n);
		begin = now_us();
		if (pwrite(fd, buf, n, (off_t)pos) != (ssize_t)n)
			return failed(name, pos);
		busy_us += now_us() - begin;
		pos += n;
	}
	if (fsync(fd) || close(fd))
		return failed(name, pos);
	return RIGHT;
}

/* With @seed the data is compared, without it goes to standard output. */
static int disk_scan(int fd, const char *name, const uint64_t *seed,
		     uint64_t pos, uint64_t len)
{
	uint64_t end = pos + len, begin;

	while (pos < end) {
		unsigned char *buf;
		size_t n = piece(pos, end - pos, &buf);
		int64_t bad;

		/* What an earlier read left there must not pass for data. */
		memset(buf, 0xa5, n);
		begin = now_us();
		if (pread(fd, buf, n, (off_t)pos) != (ssize_t)n)
			return failed(name, pos);
		busy_us += now_us() - begin;
		if (!seed) {
			if (write_out(buf, n))
				return IO_ERROR;
		} else {
			bad = pattern_check(buf, *seed, pos, n);
			if (bad >= 0)
				return wrong(name, bad);
		}
		pos += n;
	}
	return RIGHT;
}

static int rate(const char *name, uint64_t seed, uint64_t pos, uint64_t len)
{
	int rc = disk_write(name, seed, pos, len);
	uint64_t written_us = busy_us;

	if (!rc)
		rc = disk_scan(disk_open(name, O_RDONLY), name, &seed, pos,
			       len);
	if (!rc)
		printf("write %" PRIu64 " read %" PRIu64 "\n", written_us,
		       busy_us - written_us);
	return rc;
}

static int hammer(const char *name, uint64_t seed, uint64_t pos, uint64_t len)
{
	int fd = disk_open(name, O_RDONLY);
	uint64_t rounds = 0;
	int rc;

	do {
		rc = disk_scan(fd, name, &seed, pos, len);
		rounds += !rc;
	} while (!rc);
	printf("%" PRIu64 " whole rounds of %" PRIu64 " bytes\n", rounds, len);
	return rc == IO_ERROR && rounds ? ENDED : rc;
}

static void quiet_limit(int fd, unsigned int seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int serve(uint16_t port, uint64_t seed, uint64_t len)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET, .sin_port = htons(port),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer, on = 1;
	uint64_t pos = 0;
	int64_t bad;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	quiet_limit(fd, 60);
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1))
		return failed("listen", 0);
	peer = accept(fd, NULL, NULL);
	if (peer < 0)
		return failed("accept", 0);
	quiet_limit(peer, quiet);
	while ((n = recv(peer, memory, CHUNK, 0)) > 0) {
		bad = pattern_check(memory, seed, pos, (size_t)n);
		if (bad >= 0)
			return wrong("received", bad);
		pos += (uint64_t)n;
	}
	printf("%" PRIu64 " bytes\n", pos);
	if (pos == len)
		return RIGHT;
	return pos ? ENDED : failed("received", pos);
}

/* The listener may not be there yet, nor the link: tries for a while. */
static int connected(const struct sockaddr_in *to)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	int tries, fd;

	for (tries = 0; tries < 300; tries++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		quiet_limit(fd, quiet);
		if (!connect(fd, (const struct sockaddr *)to, sizeof(*to)))
			return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
	return -1;
}

static int deliver(const char *address, uint16_t port, uint64_t seed,
		   uint64_t len)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port),
	};
	uint64_t pos = 0;
	int fd;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return WRONG_USE;
	fd = connected(&to);
	if (fd < 0)
		return failed("connect", 0);
	while (pos < len) {
		size_t n = len - pos < 65536 ? (size_t)(len - pos) : 65536;
		ssize_t sent;

		pattern_fill(memory, seed, pos, n);
		sent = send(fd, memory, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return failed("send", pos);
		pos += (uint64_t)sent;
	}
	return close(fd) ? failed("close", pos) : RIGHT;
}

/*
 * An emulated x86 machine counts the ticks of its host, and a kernel cannot
 * measure them well while it is held up.  Of several tries, the one that was
 * disturbed least counts.
 */
static int ticks(void)
{
#ifdef __x86_64__
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct timespec before, after;
	double khz = 0, best = 1e18;
	int i;

	for (i = 0; i < 5; i++) {
		uint64_t first, last, slack;
		double ms;

		first = __builtin_ia32_rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &before);
		slack = __builtin_ia32_rdtsc() - first;
		nanosleep(&pause, NULL);
		last = __builtin_ia32_rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &after);
		slack += __builtin_ia32_rdtsc() - last;
		ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
		     (double)(after.tv_nsec - before.tv_nsec) / 1e6;
		if ((double)slack < best) {
			best = (double)slack;
			khz = (double)(last - first) / ms;
		}
	}
	printf("%.0f\n", khz);
	return RIGHT;
#else
	return WRONG_USE;
#endif
}

static int run(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	uint64_t seed;

	if (!strcmp(verb, "pattern") && argc == 4)
		return put_pattern(number(argv[2]), number(argv[3]));
	if (!strcmp(verb, "ticks"))
		return ticks();
	if (!strcmp(verb, "read") && argc == 5)
		return disk_scan(disk_open(argv[2], O_RDONLY), argv[2], NULL,
				 number(argv[3]), number(argv[4]));
	if (!strcmp(verb, "serve") && argc == 5)
		return serve((uint16_t)number(argv[2]), number(argv[3]),
			     number(argv[4]));
	if (argc != 6)
		return WRONG_USE;
	if (!strcmp(verb, "send"))
		return deliver(argv[2], (uint16_t)number(argv[3]),
			       number(argv[4]), number(argv[5]));
	seed = number(argv[3]);
	if (!strcmp(verb, "write"))
		return disk_write(argv[2], seed, number(argv[4]),
				  number(argv[5]));
	if (!strcmp(verb, "verify"))
		return disk_scan(disk_open(argv[2], O_RDONLY), argv[2], &seed,
				 number(argv[4]), number(argv[5]));
	if (!strcmp(verb, "rate"))
		return rate(argv[2], seed, number(argv[4]), number(argv[5]));
	if (!strcmp(verb, "hammer"))
		return hammer(argv[2], seed, number(argv[4]), number(argv[5]));
	return WRONG_USE;
}

int main(int argc, char **argv)
{
	int rc;

	if (posix_memalign((void **)&memory, 4096, CHUNK + 4096))
		return IO_ERROR;
	if (getenv("QUIET"))
		quiet = (unsigned int)number(getenv("QUIET"));
	rc = run(argc, argv);
	if (rc == WRONG_USE)
		fprintf(stderr, "dmaload: wrong use, see dmaload.c\n");
	return rc;
}
