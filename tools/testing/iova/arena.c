// SPDX-License-Identifier: GPL-2.0-only
/* Arenas against a byte for each page. */
#include <semaphore.h>

#include "test.h"

#define SZ_BIG		0x1000000UL	/* granule of which 4 GiB have 256 */

static struct space s;

/* Any mask from 24 bits up that pages of this size can have, or any limit. */
static unsigned long rnd_limit(void)
{
	unsigned int least = max(24, ilog2(s.granule) + 2);
	unsigned int bits = least + rnd_below(65 - least);

	/* The end of a bus need not be a power of two. */
	if (rnd_below(6) == 0)
		return 3 + rnd_below(s.end);
	if (rnd_below(3) == 0)
		bits = 32;
	else if (rnd_below(4) == 0)
		bits = 64;
	return (bits == 64 ? ULONG_MAX : (1UL << bits) - 1) / s.granule;
}

static struct iova_request rnd_request(unsigned long max_size)
{
	struct iova_request rq = {
		.size = rnd_size(max_size),
		.limit = rnd_limit(),
		.hard = rnd_below(2),
	};

	if (rnd_below(3) == 0) {
		rq.order = rnd_below(12);
		if (rnd_below(2))
			rq.skew = rnd_below(1UL << rq.order);
	} else if (rnd_below(2)) {
		rq.order = order_base_2(rq.size);
	}
	return rq;
}

static void must_be_full(const struct iova_request *rq)
{
	static const char * const where[] = { "", "in the tree",
					      "in an arena" };
	enum room room;

	/* Nothing may have come in between that made room. */
	if (!rq->hard || shim_interrupt || s.in_flush)
		return;
	/* What was given back meanwhile waits for the next flush. */
	room = arenas_room(s.as, rq);
	CHECK(room == ROOM_NONE,
	      "no place for %lu order %u skew 0x%lx limit 0x%lx, but there is one %s",
	      rq->size, rq->order, rq->skew, rq->limit, where[room]);
}

static void step(unsigned int fill, unsigned long max_size)
{
	struct iova_request rq = rnd_request(max_size);

	shim_cpu = rnd_below(SHIM_CPUS);
	switch (rnd_below(200)) {
	case 0:
		iova_arenas_trim(s.as);
		return;
	case 1:
		shim_advance(1 + rnd_below(3));
		return;
	case 2:
		if (shim_cpu)
			shim_lose_cpu(rnd_below(shim_cpu));
		return;
	case 3:
		shim_advance(10 * HZ);
		return;
	}
	if (s.nr && rnd_below(100) >= fill)
		space_free(&s, rnd_below(s.nr));
	else if (!space_alloc(&s, &rq))
		must_be_full(&rq);
}

/* In a small space, where all can be looked at after each step. */
static void small_space(unsigned long granule, bool lazy, bool reserve)
{
	unsigned int i, fill, round;

	for (round = 0; round < 40; round++) {
		space_init(&s, granule, 1 + rnd_below(80),
			   100 + rnd_below(1400));
		for (i = reserve ? rnd_below(6) : 0; i; i--) {
			unsigned long lo = rnd_below(s.end + 50);

			space_reserve(&s, lo, lo + rnd_size(300) - 1);
		}
		if (lazy)
			space_defer(&s, 1 + rnd_below(300));
		fill = 40 + rnd_below(40);
		for (i = 0; i < 1500; i++) {
			step(fill, i % 3 ? 8 : 100);
			space_check(&s);
			if (rnd_below(100) == 0)
				fill = 30 + rnd_below(60);
		}
		space_exit(&s);
	}
}

static void small_strict(void)
{
	small_space(SZ_BIG, false, false);
}

static void small_lazy(void)
{
	small_space(SZ_BIG, true, false);
}

static void small_reserved(void)
{
	small_space(SZ_BIG, true, true);
	small_space(SZ_4K, false, true);
}

/* In 5 GiB of 4 KiB pages. */
static void large_space(bool lazy)
{
	unsigned int i, fill = 60;

	space_init(&s, SZ_4K, 1, (5UL << 30) / SZ_4K);
	space_reserve(&s, 0xfee00, 0xfeeff);
	space_reserve(&s, 0xfee80, 0xfefff);
	space_reserve(&s, 0, 0xff);
	if (lazy)
		space_defer(&s, 256);
	for (i = 0; i < 150000; i++) {
		step(fill, 5000);
		if (i % 5000 == 0) {
			space_check(&s);
			fill = 30 + rnd_below(60);
		}
	}
	space_exit(&s);
}

static void large_strict(void)
{
	large_space(false);
}

static void large_lazy(void)
{
	large_space(true);
}

static unsigned int nr_interrupts;

static void one_op(void)
{
	struct iova_request rq = rnd_request(10);

	nr_interrupts++;
	if (s.lazy && rnd_below(8) == 0)
		dma_flush_now(&s.flush);
	if (s.nr && rnd_below(2))
		space_free(&s, rnd_below(s.nr));
	else
		space_alloc(&s, &rq);
}

/* What is freed during a flush has to wait for another one. */
static void ops_in_flush(struct space *space)
{
	static unsigned int depth;
	unsigned int i;

	if (depth > 1)
		return;
	depth++;
	for (i = rnd_below(8); i; i--)
		one_op();
	depth--;
}

static void within_flush(void)
{
	unsigned int i, round;

	for (round = 0; round < 20; round++) {
		space_init(&s, SZ_BIG, 1, 700);
		space_defer(&s, 1 + rnd_below(64));
		s.in_flush = ops_in_flush;
		for (i = 0; i < 3000; i++) {
			step(55, 12);
			space_check(&s);
		}
		space_exit(&s);
	}
}

/* One page more is given back, and seen; room there is not. */
static void give_back_another(struct space *space)
{
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX };
	unsigned int i;

	space->in_flush = NULL;
	space_free(space, 0);
	/* Each of them looks at some of the arenas. */
	for (i = 0; i < 20; i++)
		CHECK(!space_alloc(space, &rq), "before its flush");
}

/* What waits in an arena is put off by what is given back after it. */
static void put_off(void)
{
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX,
				   .hard = true };

	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 1000);
	while (space_alloc(&s, &rq))
		;
	space_free(&s, 1);
	s.in_flush = give_back_another;
	CHECK(space_alloc(&s, &rq), "the first flush came to nothing");
	CHECK(!s.in_flush && s.done == s.begun, "no flush");
	space_exit(&s);
}

/* The only room is where no arena has been, and waits for a flush. */
/* Then what lies behind it stays what it is. */
static void free_nothing(void)
{
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX,
				   .hard = true };
	unsigned int i;

	space_init(&s, SZ_4K, 1, 0x3ff);
	for (i = 0; i < 20; i++)
		CHECK(space_alloc(&s, &rq), "page %u", i);
	iova_arenas_free(s.as, s.allocs[3].pfn, 0);
	while (space_alloc(&s, &rq))
		;
	space_exit(&s);
}

static void only_in_tree(void)
{
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX,
				   .hard = true };
	unsigned long i = 0;

	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 1000);
	while (space_alloc(&s, &rq))
		;
	while (s.allocs[i].pfn >= 1UL << arenas_order(s.as))
		i++;
	space_free(&s, i);
	CHECK(space_alloc(&s, &rq), "page 0x%lx", s.allocs[i].pfn);
	space_exit(&s);
}

/* At the second allocation of memory, all that waits is flushed and found. */
static void flush_and_find(void)
{
	static unsigned int n;
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX };
	unsigned int i;

	if (++n < 2)
		return;
	shim_in_alloc = NULL;
	dma_flush_now(&s.flush);
	shim_cpu = 1;
	for (i = 0; i < 20; i++)
		space_alloc(&s, &rq);
	shim_cpu = 0;
}

/* What waited while it was looked at need not wait any more afterwards. */
static void flushed_meanwhile(void)
{
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX,
				   .hard = true };
	unsigned long i;

	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 100000);
	while (space_alloc(&s, &rq))
		;
	for (i = 0; i < s.nr; ) {
		if (s.allocs[i].pfn >> arenas_order(s.as) == 40)
			space_free(&s, i);
		else
			i++;
	}
	shim_in_alloc = flush_and_find;
	CHECK(space_alloc(&s, &rq), "%lu pages are in use", s.pages);
	CHECK(!shim_in_alloc, "no flush meanwhile");
	space_exit(&s);
}

/* Ranges whose flush is over are room for any request. */
static void reap_ranges(void)
{
	struct iova_request rq = { .size = 64, .limit = 0xfff };

	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 1000);
	while (space_alloc(&s, &rq))
		;
	space_free_all(&s);
	dma_flush_now(&s.flush);
	rq.size = 4000;
	CHECK(space_alloc(&s, &rq), "all pages are free");
	space_exit(&s);
}

/* Only as many ranges as no flush has served yet ask for one. */
static void count_ranges(void)
{
	struct iova_request rq = { .size = 5, .limit = 0xfff };
	unsigned int i, n;

	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 1000);
	for (i = 0; i < 400; i++)
		CHECK(space_alloc(&s, &rq), "allocation %u", i);
	for (i = 0; i < 3; i++) {
		for (n = 0; n < 100; n++)
			space_free(&s, 0);
		CHECK(s.begun == i, "%u flushes, not %u", s.begun, i);
		dma_flush_now(&s.flush);
	}
	space_free_all(&s);
	CHECK(s.begun == i, "100 ranges, and a flush");
	for (i = 0; i < 256; i++)
		CHECK(space_alloc(&s, &rq), "allocation %u", i);
	i = s.begun;
	space_free_all(&s);
	CHECK(s.begun == i + 2, "%u flushes for 256 ranges", s.begun - i);
	space_exit(&s);
}

/* An interrupt gives as many back right before the flush for these begins. */
static void free_more(void)
{
	if (arenas_unflushed(s.as) != 128)
		return;
	shim_interrupt = NULL;
	while (s.nr)
		space_free(&s, 0);
}

static void count_more_ranges(void)
{
	struct iova_request rq = { .size = 5, .limit = 0xfff };
	unsigned int i;

	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 1000);
	for (i = 0; i < 256; i++)
		CHECK(space_alloc(&s, &rq), "allocation %u", i);
	shim_interrupt = free_more;
	for (i = 0; i < 128; i++)
		space_free(&s, 0);
	CHECK(!shim_interrupt, "no interrupt");
	CHECK(s.begun == 2, "%u flushes for 256 ranges", s.begun);
	space_exit(&s);
}

static sem_t stopped, go_on;
static pthread_t mover;
static const struct iova_request last_page = { .size = 1, .limit = 0xfff,
					       .hard = true };

/* The other CPU is stopped with an arena that no pool has. */
static void stop_on_the_way(void)
{
	if (!arenas_on_their_way(s.as))
		return;
	shim_interrupt = NULL;
	sem_post(&stopped);
	sem_wait(&go_on);
}

static void *trim_arenas(void *unused)
{
	shim_cpu = 1;
	shim_interrupt = stop_on_the_way;
	iova_arenas_trim(s.as);
	return NULL;
}

static void *move_arenas(void *unused)
{
	shim_cpu = 1;
	shim_interrupt = stop_on_the_way;
	shim_lose_cpu(0);
	return NULL;
}

static void *make_arena(void *unused)
{
	shim_cpu = 1;
	shim_interrupt = stop_on_the_way;
	CHECK(space_alloc(&s, &last_page), "no arena");
	return NULL;
}

static void let_go(struct space *space)
{
	space->in_flush = NULL;
	sem_post(&go_on);
	pthread_join(mover, NULL);
}

/* All that has room is an arena on its way; it arrives before the next look. */
static void one_moves(void *(*move)(void *))
{
	sem_init(&stopped, 0, 0);
	sem_init(&go_on, 0, 0);
	pthread_create(&mover, NULL, move, NULL);
	sem_wait(&stopped);
	s.in_flush = let_go;
	CHECK(space_alloc(&s, &last_page), "an arena was overlooked");
	CHECK(!s.in_flush, "there was other room");
	space_exit(&s);
}

/* Gives back what lies in a part of the space, until it is free. */
static void free_part(unsigned long lo, unsigned long hi)
{
	unsigned long i = 0;

	while (i < s.nr) {
		if (s.allocs[i].pfn >= lo && s.allocs[i].pfn <= hi)
			space_free(&s, i);
		else
			i++;
	}
}

static void on_their_way(void)
{
	struct iova_request rq = last_page;

	/* Into the tree, all of its pages being free */
	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 100000);
	while (space_alloc(&s, &rq))
		;
	free_part(4095 & ~63, 4095);
	one_moves(trim_arenas);

	/* To another CPU */
	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 100000);
	while (space_alloc(&s, &rq))
		;
	free_part(4095, 4095);
	iova_arenas_trim(s.as);
	one_moves(move_arenas);

	/* Out of the tree, where all else is taken */
	space_init(&s, SZ_1M, 1, 4095);
	space_defer(&s, 100000);
	for (rq.size = 64; rq.size; rq.size /= 64)
		while (space_alloc(&s, &rq))
			;
	free_part(4095 & ~63, 4095);
	iova_arenas_trim(s.as);
	one_moves(make_arena);
}

static unsigned long limited(void)
{
	struct iova_arena_stats stats;

	iova_arenas_get_stats(s.as, &stats);
	return stats.limited;
}

static const struct iova_request last_one = { .size = 256, .limit = 0xfffff };

/* Another CPU is first. */
static void take_last(void)
{
	unsigned long before = limited();

	shim_in_alloc = NULL;
	shim_cpu = 1;
	space_alloc(&s, &last_one);
	shim_cpu = 0;
	CHECK(limited() == before + 1, "that made no arena");
}

/* Two CPUs want the last arena that there may be below 4 GiB. */
static void last_arena(void)
{
	unsigned long most, n;

	space_init(&s, SZ_4K, 1, 0xfffff);
	while (space_alloc(&s, &last_one))
		;
	most = limited();
	space_free_all(&s);
	iova_arenas_trim(s.as);
	while (limited() < most - 1)
		space_alloc(&s, &last_one);
	for (n = (1UL << arenas_order(s.as)) / last_one.size - 1; n; n--)
		space_alloc(&s, &last_one);
	shim_in_alloc = take_last;
	space_alloc(&s, &last_one);
	CHECK(!shim_in_alloc && limited() == most, "%lu arenas, not %lu",
	      limited(), most);
	space_exit(&s);
}

/* Ranges just above a power of two fill at least 95 % of 4 GiB. */
static void sizes_fill(void)
{
	static const unsigned long sizes[] = {
		1, 3, 17, 33, 65, 129, 257, 513, 1025, 4097,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct iova_request rq = {
			.size = sizes[i],
			.limit = (SZ_4G - 1) / SZ_4K,
		};
		unsigned long percent;

		space_init(&s, SZ_4K, 1, (1UL << 36) / SZ_4K - 1);
		while (space_alloc(&s, &rq))
			;
		percent = s.pages * 100 / (SZ_4G / SZ_4K);
		printf("# %lu pages: %lu %%\n", sizes[i], percent);
		CHECK(percent >= 95, "%lu pages fill %lu %% only", sizes[i],
		      percent);
		space_check(&s);
		space_exit(&s);
	}
}

/* Mixed sizes on all CPUs, one mask: full, and usable again afterwards. */
static void exhaust(bool lazy)
{
	struct iova_request rq = { .limit = (SZ_4G - 1) / SZ_4K,
				   .hard = true };
	unsigned long i, n;
	unsigned int round;

	space_init(&s, SZ_4K, 1, (1UL << 33) / SZ_4K - 1);
	if (lazy)
		space_defer(&s, 256);
	for (round = 0; round < 4; round++) {
		do {
			shim_cpu = rnd_below(SHIM_CPUS);
			rq.size = rnd_size(600);
		} while (space_alloc(&s, &rq));
		for (n = 0; n < 500; n++) {
			unsigned long size;

			/* Each hole must be found, from any CPU. */
			i = rnd_below(s.nr);
			size = s.allocs[i].size;
			space_free(&s, i);
			shim_cpu = rnd_below(SHIM_CPUS);
			rq.size = size;
			CHECK(space_alloc(&s, &rq),
			      "round %u: %lu pages given back, not found",
			      round, size);
		}
		space_check(&s);
		while (s.nr > 100)
			space_free(&s, rnd_below(s.nr));
		/* Almost empty again: large ranges have room. */
		iova_arenas_trim(s.as);
		rq.size = 5000;
		for (n = 0; n < 20; n++)
			CHECK(space_alloc(&s, &rq), "5000 pages");
		space_free_all(&s);
		space_check(&s);
	}
	space_exit(&s);
}

static void exhaust_strict(void)
{
	exhaust(false);
}

static void exhaust_lazy(void)
{
	exhaust(true);
}

/* In a full space, only what something was given back to is worth a look. */
static void few_looks_in(unsigned long end, unsigned long limit,
			 unsigned int order)
{
	struct iova_request rq = { .size = 16, .limit = 0xfffff,
				   .hard = true };
	unsigned long i, reads, words;

	space_init(&s, SZ_4K, 1, end);
	space_defer(&s, 256);
	while (space_alloc(&s, &rq))
		shim_cpu = rnd_below(SHIM_CPUS);
	words = (1UL << arenas_order(s.as)) / BITS_PER_LONG;
	for (i = 0; i < 3; i++)
		space_free(&s, rnd_below(s.nr));
	rq.size = 17;
	rq.order = order;
	rq.limit = limit;
	reads = shim_nr_reads;
	CHECK(!space_alloc(&s, &rq), "17 pages between ranges of 16");
	reads = shim_nr_reads - reads;
	CHECK(reads <= i * words, "%lu words looked at for %lu ranges", reads,
	      i);
	reads = shim_nr_reads;
	i = s.begun;
	CHECK(!space_alloc(&s, &rq), "17 pages between ranges of 16");
	CHECK(shim_nr_reads == reads && s.begun == i,
	      "looked at again, though nothing was given back");
	rq.size = 16;
	rq.order = 0;
	rq.limit = 0xfffff;
	for (i = 0; i < 3; i++)
		CHECK(space_alloc(&s, &rq), "range %lu is not found", i);
	space_exit(&s);
}

/* Whether it reaches 4 GiB, ends there, or below, and with smaller masks */
static void few_looks(void)
{
	static const unsigned long ends[] = { 0x1fffff, 0xfffff, 0x7ffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		few_looks_in(ends[i], 0xfffff, 0);
		few_looks_in(ends[i], 0xfffff, 5);
		few_looks_in(ends[i], 0x3ffff, 0);
		few_looks_in(ends[i], 0x3ffff, 5);
	}
}

/* Arenas of which no page is in use make room for what fits into none. */
static void too_aligned(void)
{
	const struct iova_request one = { .size = 1, .limit = 0xffff,
					  .hard = true };
	struct iova_request rq = { .size = 16, .limit = 0xffff, .hard = true };
	unsigned long arena, first, i;

	for (i = 0; i < 2; i++) {
		unsigned long n = 0;

		space_init(&s, SZ_64K, 1, 0xffff);
		space_defer(&s, 256);
		arena = arenas_order(s.as);
		while (space_alloc(&s, &one))
			;
		/* Arenas come from the top, and what is below stays full. */
		first = 0x10000 - (limited() << arena);
		while (n < s.nr) {
			if (s.allocs[n].pfn >= first)
				space_free(&s, n);
			else
				n++;
		}
		rq.order = arena + i;
		rq.skew = (1UL << arena) - 8;
		CHECK(space_alloc(&s, &rq), "order %u", rq.order);
		space_exit(&s);
	}
}

/* In a full space whose holes are long enough, and none of them is aligned. */
static void no_looks(void)
{
	struct iova_request rq = { .size = 8, .limit = 0xffff, .hard = true };
	unsigned long i, words[256] = {};

	space_init(&s, SZ_64K, 1, 0x1ffff);
	space_defer(&s, 256);
	while (space_alloc(&s, &rq))
		shim_cpu = rnd_below(SHIM_CPUS);
	for (i = 0; i < s.nr; ) {
		if ((s.allocs[i].pfn / 8 & 3) % 3)
			space_free(&s, i);
		else
			i++;
	}
	rq.size = 16;
	for (rq.order = 5; rq.order >= 4; rq.order--) {
		CHECK(!space_alloc(&s, &rq), "order %u", rq.order);
		arenas_plant(s.as, words);
		CHECK(!space_alloc(&s, &rq), "order %u, searched again",
		      rq.order);
		arenas_plant(s.as, words);
	}
	rq.order = 3;
	CHECK(space_alloc(&s, &rq), "order 3, which there is");
	space_exit(&s);
}

/* Runs of zeros in a map, of all sizes and alignments */
static void runs(void)
{
	unsigned long map[8];
	unsigned int i, n;

	for (i = 0; i < 300000; i++) {
		struct iova_request rq = {
			.size = rnd_size(256),
			.order = rnd_below(10),
		};

		if (rnd_below(2))
			rq.skew = rnd_below(1UL << rq.order);
		if (i % 16 == 0)
			memset(map, rnd_below(2) ? 0xff : 0, sizeof(map));
		for (n = rnd_below(4); n; n--) {
			unsigned int from = rnd_below(512);
			unsigned int size = min(rnd_size(300), 512 - from);

			if (rnd_below(2))
				bitmap_set(map, from, size);
			else
				bitmap_clear(map, from, size);
		}
		find_check(map, 512, rnd_below(513), &rq);
	}
}

/* A request that fails under a small mask harms no other mask. */
static void poison(void)
{
	struct iova_request narrow = { .limit = 0xfff };
	struct iova_request wide = { .limit = 0xfffff };
	unsigned long n, size;

	for (size = 1; size <= 5000; size += rnd_size(size)) {
		space_init(&s, SZ_4K, 1, 1UL << 21);
		narrow.size = size;
		wide.size = size;
		for (n = 0; n < 20; n++) {
			while (space_alloc(&s, &narrow))
				;
			CHECK(space_alloc(&s, &wide),
			      "%lu pages below 4 GiB", size);
			narrow.size = rnd_size(size);
			wide.size = size;
		}
		space_check(&s);
		space_exit(&s);
	}
}

/* Small masks find room where larger ones have been at work. */
static void mixed_masks(void)
{
	struct iova_request rq = {};
	unsigned int i, bits;

	space_init(&s, SZ_4K, 1, 1UL << 21);
	for (i = 0; i < 20000; i++) {
		shim_cpu = rnd_below(SHIM_CPUS);
		rq.size = rnd_size(16);
		rq.limit = rnd_below(2) ? 0xfffff : ULONG_MAX / SZ_4K;
		CHECK(space_alloc(&s, &rq), "allocation %u", i);
	}
	for (bits = 24; bits < 32; bits++) {
		for (i = 0; i < 40; i++) {
			shim_cpu = rnd_below(SHIM_CPUS);
			rq.size = rnd_size(16);
			rq.limit = (1UL << bits) / SZ_4K - 1;
			CHECK(space_alloc(&s, &rq), "%u bits", bits);
		}
	}
	space_check(&s);
	space_exit(&s);
}

/* A lost CPU's arenas are used by others. */
static void lost_cpu(void)
{
	struct iova_request rq = { .size = 1, .limit = 0xfffff };
	struct iova_arena_stats before, after;
	unsigned int i;

	space_init(&s, SZ_4K, 1, 1UL << 21);
	shim_cpu = 1;
	for (i = 0; i < 100; i++)
		CHECK(space_alloc(&s, &rq), "allocation %u", i);
	iova_arenas_get_stats(s.as, &before);
	CHECK(before.arenas == 1, "%lu arenas", before.arenas);
	shim_cpu = 2;
	shim_lose_cpu(1);
	space_check(&s);
	for (i = 0; i < 100; i++)
		CHECK(space_alloc(&s, &rq), "allocation %u", i);
	iova_arenas_get_stats(s.as, &after);
	CHECK(after.arenas == 1 && after.created == 1 && !after.steals,
	      "%lu arenas, %lu steals", after.arenas, after.steals);
	space_exit(&s);
}

/* When nothing else is left, arenas of other CPUs are used. */
static void steal(void)
{
	struct iova_request rq = { .size = 1, .limit = 0xfffff };
	struct iova_request all = { .limit = 0xfffff };
	struct iova_arena_stats stats;
	unsigned long n = 0;

	space_init(&s, SZ_4K, 1, 1UL << 20);
	shim_cpu = 1;
	CHECK(space_alloc(&s, &rq), "first");
	for (all.size = 1UL << 19; all.size; all.size /= 2)
		while (all.size > 256 && space_alloc(&s, &all))
			;
	shim_cpu = 0;
	while (space_alloc(&s, &rq))
		n++;
	iova_arenas_get_stats(s.as, &stats);
	CHECK(stats.steals, "%lu pages, none of them stolen", n);
	CHECK(s.pages == (1UL << 20) - 1, "%lu pages are not found",
	      (1UL << 20) - 1 - s.pages);
	space_check(&s);
	space_exit(&s);
}

static void free_in_arena(unsigned long nr, unsigned int max)
{
	unsigned long i = s.nr;

	while (i-- && max)
		if (s.allocs[i].pfn >> arenas_order(s.as) == nr) {
			space_free(&s, i);
			max--;
		}
}

/* CPU 1 has a pool of its locked until somebody has waited so often. */
static unsigned int nr_waits, held_for;

static void hold_pool(void)
{
	if (++nr_waits == held_for)
		*arenas_lock(s.as, 1) = 0;
}

static bool alloc_while_held(const struct iova_request *rq, unsigned int waits,
			     int owner)
{
	bool ret;

	nr_waits = 0;
	held_for = waits;
	*arenas_lock(s.as, 1) = owner + 1;
	shim_in_wait = hold_pool;
	ret = space_alloc(&s, rq);
	shim_in_wait = NULL;
	*arenas_lock(s.as, 1) = 0;
	return ret;
}

/* All room is in an arena of CPU 1: a page is used, or none. */
static void held_pool_space(bool used, bool lazy)
{
	struct iova_request rq = { .size = 1, .limit = 0xfffff };

	space_init(&s, SZ_4K, 1, 1UL << 20);
	if (lazy)
		space_defer(&s, 256);
	shim_cpu = 1;
	CHECK(space_alloc(&s, &rq), "first");
	shim_cpu = 0;
	*arenas_lock(s.as, 1) = 2;
	for (rq.size = 1UL << 19; rq.size; rq.size /= 2)
		while (space_alloc(&s, &rq))
			;
	*arenas_lock(s.as, 1) = 0;
	CHECK(s.pages == (1UL << 20) - (1UL << arenas_order(s.as)),
	      "%lu pages", s.pages);
	if (!used)
		space_free(&s, 0);
}

/* A request that must not fail waits for another CPU, and for no other. */
static void held_pool(void)
{
	struct iova_request rq = { .size = 1, .limit = 0xfffff, .hard = true };

	held_pool_space(true, false);
	CHECK(alloc_while_held(&rq, 100, 1), "held for 100 waits");
	CHECK(nr_waits == 100, "%u waits", nr_waits);
	CHECK(!alloc_while_held(&rq, 0, 1), "held for good");
	CHECK(nr_waits > 1000 && nr_waits < 10000, "%u waits", nr_waits);
	CHECK(!alloc_while_held(&rq, 0, 0), "held by what it interrupts");
	CHECK(!nr_waits, "%u waits for itself", nr_waits);
	rq.hard = false;
	CHECK(!alloc_while_held(&rq, 0, 1), "held, and may fail");
	CHECK(!nr_waits, "%u waits although it may fail", nr_waits);
	space_exit(&s);
}

/* So does one that needs the arena itself; the second time, if it must. */
static void held_arena(void)
{
	struct iova_request rq = { .limit = 0xfffff, .hard = true };
	unsigned int waits;

	for (waits = 1; waits < 6000; waits += 300) {
		held_pool_space(false, waits >= 3000);
		rq.size = 1UL << arenas_order(s.as);
		CHECK(alloc_while_held(&rq, waits % 3000, 1),
		      "held for %u waits", waits);
		space_exit(&s);
	}
}

/* Neither waiting nor flushing helps against what a request interrupts. */
static void held_for_good(void)
{
	struct iova_request rq = { .limit = 0xfffff, .hard = true };
	unsigned int begun;

	held_pool_space(false, true);
	rq.size = 1UL << arenas_order(s.as);
	begun = s.begun;
	CHECK(!alloc_while_held(&rq, 0, 0), "held by what it interrupts");
	CHECK(!nr_waits && s.begun == begun, "%u waits, %u flushes", nr_waits,
	      s.begun - begun);
	CHECK(!alloc_while_held(&rq, 0, 1), "held by another CPU");
	CHECK(nr_waits && s.begun == begun, "%u waits, %u flushes", nr_waits,
	      s.begun - begun);
	CHECK(alloc_while_held(&rq, 1, 1), "held for one wait");
	space_exit(&s);
}

/* Whoever holds a pool adds an arena to it, before one that gets unused. */
static void add_arena(void)
{
	struct iova_request small = { .size = 256, .limit = 0xfffff };
	struct iova_request rest = { .limit = 0xfffff };
	unsigned long pages = 1UL << arenas_order(s.as), i;

	shim_in_wait = NULL;
	*arenas_lock(s.as, 1) = 0;
	shim_cpu = 1;
	for (i = 0; s.allocs[i].size != 2 * pages; i++)
		;
	space_free(&s, i);
	for (i = 0; i < pages / small.size; i++)
		CHECK(space_alloc(&s, &small), "%lu: one more", i);
	rest.size = pages;
	CHECK(space_alloc(&s, &rest), "the rest");
	free_in_arena(255, UINT_MAX);
	shim_cpu = 0;
}

static void added_arena(void)
{
	struct iova_request rq = { .limit = 0xfffff, .hard = true };

	held_pool_space(true, false);
	rq.size = 1UL << arenas_order(s.as);
	*arenas_lock(s.as, 1) = 2;
	shim_in_wait = add_arena;
	CHECK(space_alloc(&s, &rq), "an arena is not used");
	CHECK(!shim_in_wait, "nobody waited");
	space_exit(&s);
}

/*
 * While the arenas of a pool are looked at, some at a time, an interrupt turns
 * its list past one that it has just made unused.
 */
static unsigned long turn_at;

static void turn_pool(void)
{
	struct iova_request rq = { .size = 256, .limit = 0xfffff };
	unsigned long first = arenas_nth(s.as, 0, 0);
	unsigned long unused = arenas_nth(s.as, 0, 1);
	unsigned long used = arenas_nth(s.as, 0, 2);

	if (!turn_at || *arenas_lock(s.as, 0) || first == turn_at)
		return;
	turn_at = 0;
	free_in_arena(used, 1);
	CHECK(space_alloc(&s, &rq), "there is one");
	CHECK(arenas_nth(s.as, 0, 0) == used, "not turned");
	free_in_arena(unused, UINT_MAX);
}

static void turned_pool(void)
{
	struct iova_request rq = { .size = 256, .limit = 0xfffff };
	unsigned int i;

	space_init(&s, SZ_4K, 1, 1UL << 20);
	for (i = 0; i < 60 * 16; i++)
		CHECK(space_alloc(&s, &rq), "small ones");
	for (rq.size = 1UL << 19; rq.size > 256; rq.size /= 2)
		while (space_alloc(&s, &rq))
			;
	rq.size = 1UL << arenas_order(s.as);
	rq.hard = true;
	turn_at = arenas_nth(s.as, 0, 0);
	shim_interrupt = turn_pool;
	CHECK(space_alloc(&s, &rq), "an arena is unused");
	shim_interrupt = NULL;
	CHECK(!turn_at, "there was no interrupt");
	space_exit(&s);
}

/* Gaps that lie across multiples of 4 GiB, and one that does not, above them */
static void crossed(void)
{
	struct iova_request rq = { .size = 10, .limit = ULONG_MAX };
	unsigned long lo;

	for (rq.skew = 0; rq.skew < 3; rq.skew++) {
		rq.order = rq.skew ? 2 : 0;
		space_init(&s, 1UL << 24, 1, 0x1180);
		space_reserve(&s, 1, 0x1f6);
		for (lo = 0x209; lo < 0x1100; lo += 0x100)
			space_reserve(&s, lo, lo + 0xed);
		space_reserve(&s, 0x1109, 0x1123);
		space_reserve(&s, 0x1130, 0x1180);
		CHECK(space_alloc(&s, &rq), "skew %lu: there is room", rq.skew);
		CHECK(s.allocs[0].pfn >= 0x1124, "0x%lx", s.allocs[0].pfn);
		space_exit(&s);
	}
}

/* With tiny pages, an arena has more of them than 16 bits count. */
static void tiny_pages(void)
{
	struct iova_request rq = { .size = 1, .limit = 0xffffff };

	space_init(&s, 256, 1, 0xffffff);
	CHECK(arenas_order(s.as) == 16, "order %u", arenas_order(s.as));
	space_reserve(&s, 0x20000, 0xffffff);
	space_reserve(&s, 1, 0xffff);
	CHECK(space_alloc(&s, &rq), "first");
	/* For a smaller mask arenas like this one are the last chance. */
	rq.limit = 0x1ffff;
	rq.hard = true;
	CHECK(space_alloc(&s, &rq), "all but one page are free");
	space_exit(&s);
}

/* Making room takes a flush if something waits for one, wherever. */
static void trim_flushes(void)
{
	struct iova_request rq = { .limit = 0xfffff };
	unsigned int i;

	space_init(&s, SZ_4K, 1, 0xfffff);
	space_defer(&s, 256);
	for (rq.size = 1; rq.size <= 1001; rq.size += 1000) {
		for (i = 0; i < 10; i++)
			CHECK(space_alloc(&s, &rq), "allocation %u", i);
		i = s.begun;
		iova_arenas_trim(s.as);
		CHECK(s.begun == i, "%lu pages: for nothing", rq.size);
		space_free(&s, 3);
		iova_arenas_trim(s.as);
		CHECK(s.begun == i + 1, "%lu pages: no flush", rq.size);
		iova_arenas_trim(s.as);
		CHECK(s.begun == i + 1, "%lu pages: again", rq.size);
		space_free_all(&s);
		iova_arenas_trim(s.as);
	}
	space_exit(&s);
}

/* Every allocation of memory fails once, in each of the cases. */
static void no_memory_ops(bool lazy)
{
	unsigned int i;

	for (i = 0; i < 40; i++) {
		struct iova_request rq = rnd_request(i % 4 ? 8 : 200);

		shim_cpu = rnd_below(SHIM_CPUS);
		if (s.nr && rnd_below(3) == 0)
			space_free(&s, rnd_below(s.nr));
		else
			space_alloc(&s, &rq);
		space_check(&s);
	}
}

static void no_memory(void)
{
	unsigned long left;
	unsigned int nth, lazy;
	int ret;

	for (nth = 1; nth < 200; nth++) {
		lazy = nth % 2;
		shim_fail_at = nth < 6 ? nth : 0;
		space_init(&s, SZ_BIG, 1, 900);
		CHECK(!s.as == (nth <= 3), "creation %u", nth);
		if (!s.as) {
			CHECK(shim_nr_allocated == s.nr_allocated, "leak");
			free(s.state);
			free(s.stale);
			continue;
		}
		ret = iova_arenas_reserve(s.as, 300, 310);
		CHECK(ret == (nth == 4 ? -ENOMEM : 0), "%u: %d", nth, ret);
		if (!ret) {
			memset(s.state + 300, 2, 11);
			s.reserved = 1;
		}
		if (lazy)
			space_defer(&s, 16);
		shim_fail_at = nth;
		no_memory_ops(lazy);
		left = shim_fail_at;
		shim_fail_at = 0;
		if (left)
			shim_fail_at = 0;
		space_exit(&s);
	}
}

/* Freeing needs no memory. */
static void free_without_memory(void)
{
	unsigned int round, i;

	for (round = 0; round < 40; round++) {
		space_init(&s, SZ_BIG, 1, 900);
		if (round % 2)
			space_defer(&s, 16);
		for (i = 0; i < 300; i++)
			step(80, 20);
		shim_fail_at = LONG_MAX;
		space_free_all(&s);
		iova_arenas_trim(s.as);
		CHECK(shim_fail_at == LONG_MAX, "%ld allocations",
		      LONG_MAX - shim_fail_at);
		shim_fail_at = 0;
		space_exit(&s);
	}
}

/* Time alone gives back what is not used. */
static void idle(bool lazy)
{
	struct iova_request rq = { .limit = ULONG_MAX };
	struct iova_arena_stats stats;
	unsigned int i;

	space_init(&s, SZ_4K, 1, 1UL << 21);
	if (lazy)
		space_defer(&s, 256);
	for (i = 0; i < 1000; i++) {
		shim_cpu = rnd_below(SHIM_CPUS);
		rq.size = rnd_size(1000);
		rq.limit = i % 2 ? ULONG_MAX : 0xfffff;
		CHECK(space_alloc(&s, &rq), "allocation");
	}
	/* The trimmer comes by while some are in use, and then after the last. */
	while (s.nr > 500)
		space_free(&s, rnd_below(s.nr));
	shim_advance(20 * HZ);
	space_free_all(&s);
	shim_advance(20 * HZ);
	space_check(&s);
	iova_arenas_get_stats(s.as, &stats);
	CHECK(!stats.arenas && !stats.ranges,
	      "after 20 s: %lu arenas, %lu ranges", stats.arenas,
	      stats.ranges);
	space_exit(&s);
}

static void idle_strict(void)
{
	idle(false);
}

static void idle_lazy(void)
{
	idle(true);
}

/* A space on a machine with so many CPUs */
static void start_with_cpus(int cpus, unsigned long end)
{
	shim_nr_cpus = cpus;
	space_init(&s, SZ_4K, 1, end);
}

static void end_with_cpus(void)
{
	space_exit(&s);
	shim_nr_cpus = SHIM_CPUS;
	shim_cpu = 0;
}

/* One mapping on each CPU that is at work costs one arena on each, no more. */
static void little_use_of(int cpus)
{
	struct iova_request rq = { .size = 1, .limit = 0xfffff };
	struct iova_arena_stats stats;
	unsigned int i;

	start_with_cpus(cpus, 1UL << 21);
	iova_arenas_get_stats(s.as, &stats);
	CHECK(!stats.arenas, "%lu arenas before any use", stats.arenas);
	for (i = 0; i < 10000; i++) {
		shim_cpu = i % 2;
		CHECK(space_alloc(&s, &rq), "allocation");
		space_free(&s, 0);
	}
	iova_arenas_get_stats(s.as, &stats);
	CHECK(stats.created == 2, "%lu arenas", stats.created);
	end_with_cpus();
}

static void little_use(void)
{
	little_use_of(SHIM_CPUS);
	little_use_of(4096);
}

/*
 * CPUs have large mappings, a few at a time, below 4 GiB, @turns in a row. They
 * share the arenas there: nobody goes without, or to the others' arenas, and
 * there is about one flush for an arena that somebody has filled, at most.
 */
static void share_arenas(int first, int cpus, unsigned long turns)
{
	struct iova_request rq = { .size = 256, .limit = 0xfffff };
	unsigned long i, filled, nr = s.nr, live = nr + 2UL * cpus;
	struct iova_arena_stats stats;

	for (i = 0; i < 400UL * cpus; i++) {
		shim_cpu = first + i / turns % cpus;
		CHECK(space_alloc(&s, &rq), "%d CPUs, request %lu", cpus, i);
		if (s.nr > live)
			space_free(&s, nr);
	}
	space_check(&s);
	iova_arenas_get_stats(s.as, &stats);
	CHECK(!stats.steals, "%d CPUs: %lu stolen", cpus, stats.steals);
	CHECK(!stats.ranges, "%d CPUs: %lu ranges of the tree", cpus,
	      stats.ranges);
	filled = (i * rq.size) >> arenas_order(s.as);
	CHECK(s.begun <= filled / 3 * 4, "%d CPUs: %u flushes for %lu arenas",
	      cpus, s.begun, filled);
}

static void many_cpus(void)
{
	static const struct {
		int cpus;
		unsigned long turns;
	} works[] = { { 16, 1 }, { 64, 1 }, { 180, 1 }, { 64, 400 } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(works); i++) {
		start_with_cpus(works[i].cpus, 1UL << 21);
		space_defer(&s, 1024);
		share_arenas(0, works[i].cpus, works[i].turns);
		end_with_cpus();
	}
}

/* Where one CPU has most of the arenas in use, the others share the rest. */
static void greedy_cpu(void)
{
	struct iova_request rq = { .size = 256, .limit = 0xfffff };
	unsigned long i;

	start_with_cpus(16, 1UL << 21);
	space_defer(&s, 1024);
	shim_cpu = 0;
	for (i = 0; i < 16 * 150; i++)
		CHECK(space_alloc(&s, &rq), "request %lu", i);
	share_arenas(1, 15, 1);
	end_with_cpus();
}

/* Who has no arena looks at those of the CPUs that come next. */
static void next_cpus(void)
{
	struct iova_request rq = { .size = 256, .limit = 0xfffff };
	struct iova_arena_stats stats;
	unsigned long n = 0;

	start_with_cpus(16, 0xfffff);
	shim_cpu = 12;
	while (space_alloc(&s, &rq))
		n++;
	while (s.nr > n / 2)
		space_free(&s, 0);
	shim_cpu = 10;
	CHECK(space_alloc(&s, &rq), "allocation");
	iova_arenas_get_stats(s.as, &stats);
	CHECK(stats.steals == 1, "%lu stolen", stats.steals);
	end_with_cpus();
}

/* More CPUs than arenas: all of them find room, if they must. */
static void too_many_cpus(void)
{
	struct iova_request rq = { .size = 64, .limit = 0xfffff,
				   .hard = true };
	unsigned long i;

	start_with_cpus(4096, 0xfffff);
	space_defer(&s, 256);
	for (i = 0; i < 3UL * 4096; i++) {
		shim_cpu = i % 4096;
		CHECK(space_alloc(&s, &rq), "request %lu", i);
		if (s.nr > 4096)
			space_free(&s, 0);
	}
	space_check(&s);
	end_with_cpus();
}

/* Arenas far from each other: each hears of what is given back to it. */
static void far_apart(void)
{
	struct iova_request one = { .size = 1, .limit = ULONG_MAX };
	struct iova_request all = { .limit = ULONG_MAX };
	struct iova_arena_stats before, after;
	unsigned long gap, n, pages;

	for (gap = 1; gap < 1200; gap = (gap + 1) * 2 - 1) {
		space_init(&s, SZ_4K, 1, 1UL << 23);
		pages = 1UL << arenas_order(s.as);
		shim_cpu = 0;
		CHECK(space_alloc(&s, &one), "first");
		for (n = gap; n; n -= all.size / pages) {
			all.size = min(n, 128) * pages;
			CHECK(space_alloc(&s, &all), "%lu pages", all.size);
		}
		shim_cpu = 1;
		for (n = 0; n < pages; n++)
			CHECK(space_alloc(&s, &one), "second");
		/* All of CPU 1's are given back, and CPU 0 looks at its own. */
		for (n = 0; n < pages; n++)
			space_free(&s, s.nr - 1);
		shim_cpu = 0;
		for (n = 0; n < pages; n++)
			CHECK(space_alloc(&s, &one), "third");
		iova_arenas_get_stats(s.as, &before);
		shim_cpu = 1;
		for (n = 0; n < pages; n++)
			CHECK(space_alloc(&s, &one), "fourth");
		iova_arenas_get_stats(s.as, &after);
		CHECK(before.created == after.created,
		      "with %lu arenas between, CPU 1's is forgotten", gap);
		space_exit(&s);
	}
}

/* Within each there are as many places for another one. */
static void seldom_op(void)
{
	if (rnd_below(3) == 0)
		one_op();
}

/* Interrupts allocate and give back wherever they can. */
static void with_irqs(bool lazy)
{
	unsigned int i, round;

	for (round = 0; round < 20; round++) {
		space_init(&s, SZ_BIG, 1, 1000);
		if (lazy)
			space_defer(&s, 1 + rnd_below(64));
		s.in_flush = ops_in_flush;
		for (i = 0; i < 2000; i++) {
			shim_interrupt = seldom_op;
			step(50, 20);
			shim_interrupt = NULL;
			space_check(&s);
		}
		space_exit(&s);
	}
	CHECK(nr_interrupts > 20000, "%u interrupts", nr_interrupts);
}

static void interrupts_strict(void)
{
	with_irqs(false);
}

static void interrupts_lazy(void)
{
	with_irqs(true);
}

/* The file in debugfs tells what is there. */
static void show(void)
{
	struct iova_request rq = { .size = 3, .limit = 0xfffff };
	static char text[1 << 18];
	unsigned int n, shown = 0, used = 0;
	char want[64], *at;

	space_init(&s, SZ_4K, 1, 1UL << 21);
	iova_arenas_show_in_debugfs(s.as, "test");
	for (n = 0; n < 100000; n++) {
		shim_cpu = n % SHIM_CPUS;
		CHECK(space_alloc(&s, &rq), "allocation");
	}
	n = arenas_show(s.as, text, sizeof(text));
	snprintf(want, sizeof(want), "\narenas: %u\n", n);
	CHECK(strstr(text, want), "no '%s' in\n%s", want, text);
	for (at = text; (at = strstr(at, "arena: ")); at++) {
		unsigned int more;

		CHECK(sscanf(strstr(at, "used="), "used=%u", &more) == 1,
		      "%s", at);
		used += more;
		shown++;
	}
	CHECK(shown == n && n > 17 * SHIM_CPUS, "%u arenas of %u", shown, n);
	CHECK(used == 300000, "%u pages", used);
	space_exit(&s);
}

const struct test arena_tests[] = {
	{ "arenas: runs in a map", runs },
	{ "arenas: small spaces, strict", small_strict },
	{ "arenas: small spaces, lazy", small_lazy },
	{ "arenas: small spaces, reserved ranges", small_reserved },
	{ "arenas: 5 GiB, strict", large_strict },
	{ "arenas: 5 GiB, lazy", large_lazy },
	{ "arenas: allocations within a flush", within_flush },
	{ "arenas: a flush is put off", put_off },
	{ "arenas: nothing is given back", free_nothing },
	{ "arenas: room in the tree only", only_in_tree },
	{ "arenas: flushed meanwhile", flushed_meanwhile },
	{ "arenas: flushed ranges", reap_ranges },
	{ "arenas: ranges that are not flushed", count_ranges },
	{ "arenas: more of them, in an interrupt", count_more_ranges },
	{ "arenas: on their way", on_their_way },
	{ "arenas: the last one", last_arena },
	{ "arenas: a space is filled by ranges of one size", sizes_fill },
	{ "arenas: a full space, strict", exhaust_strict },
	{ "arenas: a full space, lazy", exhaust_lazy },
	{ "arenas: few looks in a full space", few_looks },
	{ "arenas: more alignment than arenas have", too_aligned },
	{ "arenas: no looks for what was not aligned before", no_looks },
	{ "arenas: a failure under a small mask", poison },
	{ "arenas: mixed masks", mixed_masks },
	{ "arenas: a lost CPU", lost_cpu },
	{ "arenas: other CPUs' arenas", steal },
	{ "arenas: a pool that another CPU holds", held_pool },
	{ "arenas: an arena that another CPU holds", held_arena },
	{ "arenas: a pool that is held for good", held_for_good },
	{ "arenas: a pool that gets one more arena", added_arena },
	{ "arenas: a pool whose arenas change places", turned_pool },
	{ "arenas: gaps across multiples of 4 GiB", crossed },
	{ "arenas: tiny pages", tiny_pages },
	{ "arenas: flushes to make room", trim_flushes },
	{ "arenas: allocations of memory fail", no_memory },
	{ "arenas: no memory to give back", free_without_memory },
	{ "arenas: an idle space, strict", idle_strict },
	{ "arenas: an idle space, lazy", idle_lazy },
	{ "arenas: little use needs few arenas", little_use },
	{ "arenas: many CPUs", many_cpus },
	{ "arenas: more CPUs than arenas", too_many_cpus },
	{ "arenas: much use on one CPU of many", greedy_cpu },
	{ "arenas: many CPUs, the next one's arenas", next_cpus },
	{ "arenas: far from each other", far_apart },
	{ "arenas: interrupts, strict", interrupts_strict },
	{ "arenas: interrupts, lazy", interrupts_lazy },
	{ "arenas: debugfs", show },
	{ }
};
