// SPDX-License-Identifier: GPL-2.0-only
/*
 * A libFuzzer target: bytes are operations on a small space. What the tests
 * check holds after each of them.
 */
#include "test.h"

u64 test_seed;

static struct space s;
static const u8 *input;
static size_t left;

static u8 next(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

/* The tables of pages are for the tests of flushes. */
void iommu_put_pages_list(struct iommu_pages_list *list)
{
}

static struct iova_request request(u8 op)
{
	struct iova_request rq = { .hard = op & 1 };
	unsigned int shift = ilog2(s.granule);
	u8 how = next();

	rq.size = 1 + (how & 0x80 ? next() : next() & 15);
	rq.limit = (how & 0x7f) < 64 - shift ? (2UL << (how & 0x7f)) - 1
					      : ULONG_MAX >> shift;
	if (op & 2)
		rq.order = next() % 12;
	if (op & 4)
		rq.skew = next() & ((1UL << rq.order) - 1);
	return rq;
}

static void alloc_one(u8 op)
{
	struct iova_request rq = request(op);
	/* Nothing came in between that made room. */
	bool complete = rq.hard && !shim_fail_at && !shim_interrupt &&
			!s.in_flush;

	if (!space_alloc(&s, &rq) && complete)
		CHECK(arenas_room(s.as, &rq) == ROOM_NONE,
		      "%lu order %u limit 0x%lx: there is room", rq.size,
		      rq.order, rq.limit);
}

static void free_one(void)
{
	if (s.nr)
		space_free(&s, next() % s.nr);
}

/* What comes in between takes its operations from the same input. */
static void in_between(void)
{
	u8 op = left ? next() : 0;

	if (op < 0x40)
		return;
	if (op & 0x80)
		free_one();
	else
		alloc_one(op);
}

static void in_flush(struct space *space)
{
	in_between();
}

static void operation(u8 op)
{
	shim_cpu = op >> 3 & 3;
	switch (op >> 5) {
	case 0: case 1: case 2:
		alloc_one(op);
		break;
	case 3: case 4:
		free_one();
		break;
	case 5:
		shim_advance(1 + (op & 7 ? op & 7 : 2 * HZ));
		break;
	case 6:
		if (op & 1)
			iova_arenas_trim(s.as);
		else if (shim_cpu)
			shim_lose_cpu(shim_cpu - 1);
		break;
	case 7:
		if (op & 1)
			shim_interrupt = op & 2 ? in_between : NULL;
		else
			shim_fail_at = op & 7;
		break;
	}
}

static void start(void)
{
	u8 how = next();
	unsigned int n;

	space_init(&s, how & 1 ? 1UL << 24 : SZ_4K, 1 + next(),
		   300 + next() * 4);
	for (n = how >> 1 & 3; n; n--) {
		unsigned long lo = next() * 4, size = next();

		space_reserve(&s, lo, lo + size);
	}
	if (how & 0x10)
		space_defer(&s, 1 + next());
	if (how & 0x20)
		s.in_flush = in_flush;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size < 8 || size > 4096)
		return 0;
	input = data;
	left = size;
	start();
	while (left) {
		operation(next());
		space_check(&s);
	}
	shim_interrupt = NULL;
	shim_fail_at = 0;
	shim_cpu = 0;
	space_exit(&s);
	return 0;
}
