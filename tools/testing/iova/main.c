// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the tests, each in a process of its own, and reports as KTAP.
 *
 *	iova-test [SEED [part of a name]]
 */
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

u64 test_seed;

/* Each thread has its own sequence. */
static __thread u64 rnd_state;

u64 rnd(void)
{
	u64 x;

	if (!rnd_state)
		rnd_state = test_seed + (u64)shim_cpu * 1000003;
	rnd_state += 0x9e3779b97f4a7c15ULL;
	x = rnd_state;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

unsigned long rnd_below(unsigned long n)
{
	return rnd() % n;
}

/* From 1 to @max, of all orders of magnitude alike. */
unsigned long rnd_size(unsigned long max)
{
	unsigned long top = 1UL << rnd_below(ilog2(max) + 1);

	return min(max, top + rnd_below(top));
}

static bool run(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* Nothing here waits for long. */
		alarm(600);
		test->run();
		fflush(stdout);
		/* Not _exit(): the leak checker runs at the end. */
		exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

int main(int argc, char **argv)
{
	const struct test *const lists[] = {
		tree_tests, arena_tests, flush_tests, thread_tests,
	};
	const char *part = argc > 2 ? argv[2] : "";
	unsigned int i, nr = 0, failed = 0;
	const struct test *test;

	test_seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	printf("KTAP version 1\n# seed %llu\n", (unsigned long long)test_seed);
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		for (test = lists[i]; test->name; test++) {
			bool good;

			if (!strstr(test->name, part))
				continue;
			good = run(test);
			failed += !good;
			printf("%sok %u %s\n", good ? "" : "not ", ++nr,
			       test->name);
		}
	}
	printf("1..%u\n", nr);
	return failed ? 1 : 0;
}
