// SPDX-License-Identifier: GPL-2.0-only
/*
 * Have the camera write and read frames, and look at each word of them
 *
 * camera-check capture-node readback-node [frames [bytes]]
 *
 * One line for each test, as TAP. Buffers are written to before each use, so
 * that what is seen afterwards is of this use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/dma-buf.h>

#include "camera-regs.h"
#include "camera.h"

#define BUFFERS	4
#define SHARES	7

struct buffer {
	int number;
	__u32 *words;
	__u32 sum;		/* of what was written to it */
};

/* A buffer of one unit that is the other one's as well */
struct share {
	struct buffer from, to;
	int fd;
	__u32 *words;
};

static unsigned int frames = 32, tests, failures;
static size_t size = 1 << 18;
static char why[200];

static const char * const kinds[] = {
	[CAMERA_COHERENT] = "coherent",
	[CAMERA_COMBINED] = "write-combining",
	[CAMERA_NONCONTIGUOUS] = "noncontiguous",
	[CAMERA_PAGES] = "pages",
};

static bool failed(const char *what, unsigned long got, unsigned long wanted)
{
	snprintf(why, sizeof(why), "%s: %#lx instead of %#lx", what, got,
		 wanted);
	return false;
}

static bool failed_call(const char *what)
{
	snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
	return false;
}

static void result(bool good, const char *what, const char *kind)
{
	tests++;
	failures += !good;
	printf("%s %u - %s, %s%s%s\n", good ? "ok" : "not ok", tests, what,
	       kind, good ? "" : ": ", good ? "" : why);
	fflush(stdout);
}

static __u32 fill_frame(__u32 *words, __u32 sequence)
{
	__u32 sum = CAM_SUM_START;
	size_t i;

	for (i = 0; i < size / 4; i++) {
		words[i] = cam_frame_word(sequence, i);
		sum = cam_sum(sum, words[i]);
	}
	return sum;
}

static bool check_frame(const __u32 *words, const struct camera_frame *frame)
{
	__u32 sum = CAM_SUM_START;
	char what[40];
	size_t i;

	if (frame->bytes != size)
		return failed("bytes", frame->bytes, size);
	for (i = 0; i < size / 4; i++) {
		__u32 wanted = cam_frame_word(frame->sequence, i);

		snprintf(what, sizeof(what), "word %zu of frame %u", i,
			 frame->sequence);
		if (words[i] != wanted)
			return failed(what, words[i], wanted);
		sum = cam_sum(sum, wanted);
	}
	return frame->sum == sum || failed("sum", frame->sum, sum);
}

static bool get_buffer(int node, __u32 kind, int fd, struct buffer *buf)
{
	struct camera_get get = { .kind = kind, .size = size, .fd = fd };

	buf->words = NULL;
	buf->number = ioctl(node, CAMERA_GET, &get);
	if (buf->number < 0)
		return failed_call("CAMERA_GET");
	if (kind == CAMERA_IMPORT)
		return true;
	buf->words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, node,
			  (off_t)buf->number << CAMERA_MMAP_SHIFT);
	if (buf->words != MAP_FAILED)
		return true;
	buf->words = NULL;
	return failed_call("mmap");
}

static bool put_buffer(int node, struct buffer *buf)
{
	if (buf->words && munmap(buf->words, size))
		return failed_call("munmap");
	buf->words = NULL;
	return !ioctl(node, CAMERA_PUT, &buf->number) ||
	       failed_call("CAMERA_PUT");
}

static bool queue(int node, struct buffer *buf)
{
	return !ioctl(node, CAMERA_QUEUE, &buf->number) ||
	       failed_call("CAMERA_QUEUE");
}

static bool dequeue(int node, struct buffer *buf, struct camera_frame *frame)
{
	if (ioctl(node, CAMERA_DEQUEUE, frame))
		return failed_call("CAMERA_DEQUEUE");
	return (int)frame->buffer == buf->number ||
	       failed("buffer", frame->buffer, buf->number);
}

/* What the kernel sees of a buffer, by a mapping of its own */
static bool check_sum(int node, struct buffer *buf, __u32 sum)
{
	__u32 number = buf->number;

	if (ioctl(node, CAMERA_SUM, &number))
		return failed_call("CAMERA_SUM");
	return number == sum || failed("the kernel's sum", number, sum);
}

/* The device has to overwrite this, and the cache must not bring it back. */
static bool queue_capture(int node, struct buffer *buf, unsigned int number)
{
	memset(buf->words, 0x55 + number, size);
	return queue(node, buf);
}

static bool run_capture(int node, struct buffer *buffers)
{
	struct camera_frame frame;
	__u32 next = 0;
	unsigned int i;

	for (i = 0; i < frames + BUFFERS; i++) {
		struct buffer *buf = &buffers[i % BUFFERS];

		if (i >= BUFFERS) {
			if (!dequeue(node, buf, &frame) ||
			    !check_frame(buf->words, &frame) ||
			    !check_sum(node, buf, frame.sum))
				return false;
			if (i > BUFFERS && frame.sequence != next)
				return failed("sequence", frame.sequence, next);
			next = frame.sequence + 1;
		}
		if (i < frames && !queue_capture(node, buf, i))
			return false;
	}
	return true;
}

static bool run_readback(int node, struct buffer *buffers)
{
	struct camera_frame frame;
	unsigned int i;

	for (i = 0; i < frames + BUFFERS; i++) {
		struct buffer *buf = &buffers[i % BUFFERS];

		if (i >= BUFFERS) {
			if (!dequeue(node, buf, &frame))
				return false;
			if (frame.sum != buf->sum)
				return failed("the device's sum", frame.sum,
					      buf->sum);
			if (!check_sum(node, buf, buf->sum))
				return false;
		}
		if (i < frames) {
			buf->sum = fill_frame(buf->words, i * 7);
			if (!queue(node, buf))
				return false;
		}
	}
	return true;
}

/* Closing the node gives all back, also what a failure has left queued. */
static void with_buffers(const char *path, __u32 kind, const char *what,
			 bool (*run)(int node, struct buffer *buffers))
{
	struct buffer buffers[BUFFERS] = { };
	int i, count, node = open(path, O_RDWR);
	bool good = node >= 0 || failed_call("open");

	for (count = 0; good && count < BUFFERS; count++)
		good = get_buffer(node, kind, -1, &buffers[count]);
	good = good && run(node, buffers);
	for (i = 0; good && i < count; i++)
		good = put_buffer(node, &buffers[i]);
	for (i = 0; !good && i < count; i++)
		if (buffers[i].words)
			munmap(buffers[i].words, size);
	close(node);
	result(good, what, kinds[kind]);
}

static bool sync_dma_buf(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return !ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ||
	       failed_call("DMA_BUF_IOCTL_SYNC");
}

/* The other unit reads what this one wrote; we look at it by the dma-buf. */
static bool share_frame(int capture, int readback, struct share *share)
{
	struct buffer *from = &share->from, *to = &share->to;
	struct camera_frame written, read;
	int fd = share->fd;

	memset(from->words, 0xaa, size);
	if (!queue(capture, from) || !dequeue(capture, from, &written) ||
	    !sync_dma_buf(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ) ||
	    !check_frame(share->words, &written) ||
	    !sync_dma_buf(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ) ||
	    !queue(readback, to) || !dequeue(readback, to, &read))
		return false;
	if (read.sequence != written.sequence)
		return failed("sequence", read.sequence, written.sequence);
	return read.sum == written.sum ||
	       failed("sum", read.sum, written.sum);
}

static bool share_buffer(int capture, int readback, struct share *share)
{
	if (!get_buffer(capture, CAMERA_PAGES, -1, &share->from))
		return false;
	share->fd = ioctl(capture, CAMERA_EXPORT, &share->from.number);
	if (share->fd < 0)
		return failed_call("CAMERA_EXPORT");
	share->words = mmap(NULL, size, PROT_READ, MAP_SHARED, share->fd, 0);
	if (share->words == MAP_FAILED)
		return failed_call("mmap of the dma-buf");
	return get_buffer(readback, CAMERA_IMPORT, share->fd, &share->to);
}

static bool unshare_buffer(int capture, int readback, struct share *share)
{
	munmap(share->words, size);
	close(share->fd);
	return put_buffer(readback, &share->to) &&
	       put_buffer(capture, &share->from);
}

/* Each frame is mapped anew: an address that comes again has another buffer. */
static bool run_shared(int capture, int readback)
{
	struct share shares[SHARES];
	bool good = true;
	unsigned int i;

	for (i = 0; good && i < SHARES; i++)
		good = share_buffer(capture, readback, &shares[i]);
	for (i = 0; good && i < frames; i++)
		good = share_frame(capture, readback, &shares[i % SHARES]);
	for (i = 0; good && i < SHARES; i++)
		good = unshare_buffer(capture, readback, &shares[i]);
	return good;
}

int main(int argc, char **argv)
{
	int capture, readback;
	__u32 kind;

	if (argc < 3) {
		fprintf(stderr, "usage: %s capture-node readback-node [frames [bytes]]\n",
			argv[0]);
		return 2;
	}
	if (argc > 3)
		frames = strtoul(argv[3], NULL, 0);
	if (argc > 4)
		size = strtoul(argv[4], NULL, 0);
	for (kind = 0; kind < CAMERA_IMPORT; kind++) {
		with_buffers(argv[1], kind, "capture", run_capture);
		with_buffers(argv[2], kind, "readback", run_readback);
	}
	capture = open(argv[1], O_RDWR);
	readback = open(argv[2], O_RDWR);
	if (capture < 0 || readback < 0) {
		perror("open");
		return 2;
	}
	result(run_shared(capture, readback), "export and import", "pages");
	printf("1..%u\n", tests);
	return !!failures;
}
