/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the IOVA allocator share. */
#ifndef __IOVA_TEST_H
#define __IOVA_TEST_H

#include "dma-flush.h"
#include "iova-arena.h"
#include "iova-tree.h"

#define CHECK(condition, ...) do {					\
	if (!(condition))						\
		shim_bug(__VA_ARGS__);					\
} while (0)

/* main.c */
extern u64 test_seed;

u64 rnd(void);
unsigned long rnd_below(unsigned long n);
unsigned long rnd_size(unsigned long max);

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test tree_tests[], arena_tests[], flush_tests[],
	thread_tests[];

/* inside.c: the sources are compiled there, so that it sees all of them */
enum room {
	ROOM_NONE,
	ROOM_TREE,
	ROOM_ARENA,
};

unsigned int tree_check(struct iova_tree *tree);
void find_check(unsigned long *map, unsigned int bits, unsigned int start,
		const struct iova_request *rq);
void arenas_check(struct iova_arenas *as, unsigned int reserved);
void arenas_plant(struct iova_arenas *as, unsigned long *words);
unsigned int arenas_on_their_way(struct iova_arenas *as);
unsigned int arenas_unflushed(struct iova_arenas *as);
unsigned int *arenas_lock(struct iova_arenas *as, int cpu);
unsigned long arenas_nth(struct iova_arenas *as, int cpu, unsigned int n);
unsigned int arenas_order(struct iova_arenas *as);
bool arenas_is_high(struct iova_arenas *as, unsigned long limit);
enum room arenas_room(struct iova_arenas *as, const struct iova_request *rq);
unsigned int arenas_show(struct iova_arenas *as, char *text, size_t size);

/*
 * space.c: an address space with a model of it. A byte for each page says what
 * it is, and a number up to which flush it was in the IOTLB when given back.
 */
struct alloc {
	unsigned long pfn;
	unsigned long size;
};

struct space {
	struct iova_arenas *as;
	struct dma_flush flush;
	struct iommu_domain domain;
	bool lazy;
	unsigned long granule;
	unsigned long start;
	unsigned long end;
	unsigned long last32;
	unsigned int reserved;
	long nr_allocated;

	unsigned char *state;
	unsigned int *stale;
	unsigned int begun;
	unsigned int done;
	void (*in_flush)(struct space *s);

	struct alloc *allocs;
	unsigned long nr;
	unsigned long max;
	unsigned long pages;
};

void space_init(struct space *s, unsigned long granule, unsigned long start,
		unsigned long end);
void space_defer(struct space *s, unsigned int batch);
void space_reserve(struct space *s, unsigned long lo, unsigned long hi);
bool space_alloc(struct space *s, const struct iova_request *rq);
void space_free(struct space *s, unsigned long nr);
void space_free_all(struct space *s);
void space_check(struct space *s);
void space_exit(struct space *s);

#endif /* __IOVA_TEST_H */
