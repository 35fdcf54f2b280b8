// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a frame costs the processor, with several cameras in turns
 *
 * camera-stream mapped|kept frames bytes capture-node...
 *
 * Buffers are in flight all the time. "mapped": each is imported, so that it is
 * mapped when it is queued and unmapped when it is dequeued, and all cameras
 * have the same memory, that of the first one. "kept": each is mapped once.
 * The results, one for each camera, are the time for each frame in which the
 * processor was not idle, in ns, which are instructions on a machine that counts
 * these. Each word of some frames before and after is looked at.
 *
 * The idle time is spent in a loop of known length: all that is not in there
 * counts, interrupts and timers too. The machine has one processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../samples/iommu/camera-regs.h"
#include "../samples/iommu/camera.h"

#define BUFFERS		4
#define CAMERAS		4
#define TURNS		10000
#define TRIES		50

struct buffer {
	int number;
	const volatile __u32 *words;
};

struct camera {
	int node;
	struct buffer buffers[BUFFERS];
};

static size_t size;
static volatile uint64_t idle_turns;

static void fail(const char *what)
{
	fprintf(stderr, "camera-stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static __attribute__((noinline)) void turn(volatile uint64_t *turns,
					   uint64_t last)
{
	while (++*turns != last)
		;
}

/* Instructions of one turn: the try that nothing has interrupted */
static uint64_t turn_length(void)
{
	uint64_t best = UINT64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		volatile uint64_t turns = 0;
		uint64_t start = now();

		turn(&turns, TURNS);
		start = now() - start;
		if (start < best)
			best = start;
	}
	return (best + TURNS / 2) / TURNS;
}

static void *idle(void *unused)
{
	const struct sched_param param = { };

	(void)unused;
	if (sched_setscheduler(0, SCHED_IDLE, &param))
		fail("SCHED_IDLE");
	turn(&idle_turns, 0);
	return NULL;
}

static int get(const struct camera *cam, __u32 kind, int fd)
{
	struct camera_get want = { .kind = kind, .size = size, .fd = fd };
	int number = ioctl(cam->node, CAMERA_GET, &want);

	if (number < 0)
		fail("CAMERA_GET");
	return number;
}

static void get_pages(struct camera *cam, struct buffer *buf)
{
	buf->number = get(cam, CAMERA_PAGES, -1);
	buf->words = mmap(NULL, size, PROT_READ, MAP_SHARED, cam->node,
			  (off_t)buf->number << CAMERA_MMAP_SHIFT);
	if (buf->words == MAP_FAILED)
		fail("mmap");
}

/* The same memory for all */
static void share_pages(struct camera *cams, int count, int index)
{
	struct buffer pages;
	int i, fd;

	get_pages(cams, &pages);
	fd = ioctl(cams->node, CAMERA_EXPORT, &pages.number);
	if (fd < 0)
		fail("CAMERA_EXPORT");
	for (i = 0; i < count; i++) {
		cams[i].buffers[index].number = get(&cams[i], CAMERA_IMPORT,
						    fd);
		cams[i].buffers[index].words = pages.words;
	}
}

static void prepare(struct camera *cams, int count, int shared)
{
	int i, index;

	for (index = 0; index < BUFFERS; index++) {
		if (shared)
			share_pages(cams, count, index);
		for (i = 0; !shared && i < count; i++)
			get_pages(&cams[i], &cams[i].buffers[index]);
	}
}

static void queue(const struct camera *cam, const struct buffer *buf)
{
	if (ioctl(cam->node, CAMERA_QUEUE, &buf->number))
		fail("CAMERA_QUEUE");
}

static void look_at(const struct buffer *buf, const struct camera_frame *frame,
		    size_t words)
{
	__u32 wanted;
	size_t i;

	for (i = 0; i < words; i++) {
		wanted = cam_frame_word(frame->sequence, i);
		if (frame->bytes == size && buf->words[i] == wanted)
			continue;
		fprintf(stderr, "word %zu of frame %u: %#x instead of %#x\n", i,
		        frame->sequence, buf->words[i], wanted);
		exit(1);
	}
}

static void dequeue(const struct camera *cam, const struct buffer *buf,
		    size_t words)
{
	struct camera_frame frame;

	if (ioctl(cam->node, CAMERA_DEQUEUE, &frame))
		fail("CAMERA_DEQUEUE");
	if ((int)frame.buffer != buf->number) {
		fprintf(stderr, "another buffer\n");
		exit(1);
	}
	look_at(buf, &frame, words);
}

/* So many frames, of which the first words are looked at, or all */
static void stream(const struct camera *cam, unsigned int frames, size_t words)
{
	unsigned int i;

	for (i = 0; i < frames; i++) {
		dequeue(cam, &cam->buffers[i % BUFFERS], words);
		queue(cam, &cam->buffers[i % BUFFERS]);
	}
}

static uint64_t cost(const struct camera *cam, unsigned int frames,
		     uint64_t length)
{
	uint64_t start, turns;
	int i;

	for (i = 0; i < BUFFERS; i++)
		queue(cam, &cam->buffers[i]);
	stream(cam, BUFFERS, size / sizeof(__u32));
	stream(cam, 2 * BUFFERS, 2);
	turns = idle_turns;
	start = now();
	stream(cam, frames, 2);
	start = now() - start;
	turns = idle_turns - turns;
	for (i = 0; i < BUFFERS; i++)
		dequeue(cam, &cam->buffers[i], size / sizeof(__u32));
	return (start - turns * length) / frames;
}

int main(int argc, char **argv)
{
	struct camera cams[CAMERAS] = { };
	int i, count = argc - 4;
	unsigned int frames;
	pthread_t thread;
	uint64_t length;

	if (count < 1 || count > CAMERAS ||
	    strtoul(argv[2], NULL, 0) % BUFFERS) {
		fprintf(stderr, "usage: %s mapped|kept frames bytes node...\n"
			"frames: a multiple of %u\n", argv[0], BUFFERS);
		return 2;
	}
	frames = strtoul(argv[2], NULL, 0);
	size = strtoul(argv[3], NULL, 0);
	for (i = 0; i < count; i++) {
		cams[i].node = open(argv[4 + i], O_RDWR);
		if (cams[i].node < 0)
			fail(argv[4 + i]);
	}
	prepare(cams, count, !strcmp(argv[1], "mapped"));
	length = turn_length();
	errno = pthread_create(&thread, NULL, idle, NULL);
	if (errno)
		fail("pthread_create");
	for (i = 0; i < count; i++)
		printf("%s%llu", i ? " " : "",
		       (unsigned long long)cost(&cams[i], frames, length));
	printf("\n");
	return 0;
}
