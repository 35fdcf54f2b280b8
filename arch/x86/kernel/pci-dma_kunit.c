// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the words that x86 and the GART add to "iommu=".
 *
 * The tests use the variables that the words set in earnest, and put them back.
 * Except for an active GART, which merely maps more than it needs to while
 * "force" is set, nothing looks at them once the machine is up.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/init.h>
#include <linux/iommu-words.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/types.h>

#include <asm/gart.h>
#include <asm/iommu.h>

#define GART_WORDS	(IS_ENABLED(CONFIG_GART_IOMMU) || \
			 IS_ENABLED(CONFIG_GART_IOMMU_WINDOWS))

struct words_state {
	int off;
	int force;
	int merge;
	int panic;
	int soft;
	int allowed;
	int aper_force;
	int aper_order;
	int fix;
};

static struct words_state __init get_state(void)
{
	struct words_state s = {
		.off = no_iommu,
		.force = force_iommu,
		.merge = iommu_merge,
		.panic = panic_on_overflow,
		.soft = x86_swiotlb_enable,
	};

#if GART_WORDS
	s.allowed = gart_iommu_aperture_allowed;
	s.aper_force = fallback_aper_force;
	s.aper_order = fallback_aper_order;
	s.fix = fix_aperture;
#endif
	return s;
}

static void __init set_state(const struct words_state *s)
{
	no_iommu = s->off;
	force_iommu = s->force;
	iommu_merge = s->merge;
	panic_on_overflow = s->panic;
#ifdef CONFIG_SWIOTLB
	x86_swiotlb_enable = s->soft;
#endif
#if GART_WORDS
	gart_iommu_aperture_allowed = s->allowed;
	fallback_aper_force = s->aper_force;
	fallback_aper_order = s->aper_order;
	fix_aperture = s->fix;
#endif
}

/* Start from @initial, parse @list, and compare with what should be set. */
static void __init expect_from(struct kunit *test,
			       const struct words_state initial,
			       const char *list,
			       const struct words_state expected)
{
	struct words_state saved = get_state(), seen;
	char copy[64];

	strscpy(copy, list);
	set_state(&initial);
	iommu_words_parse(copy);
	seen = get_state();
	set_state(&saved);

	KUNIT_EXPECT_EQ_MSG(test, seen.off, expected.off, "%s", list);
	KUNIT_EXPECT_EQ_MSG(test, seen.force, expected.force, "%s", list);
	KUNIT_EXPECT_EQ_MSG(test, seen.merge, expected.merge, "%s", list);
	KUNIT_EXPECT_EQ_MSG(test, seen.panic, expected.panic, "%s", list);
	KUNIT_EXPECT_EQ_MSG(test, seen.soft, expected.soft, "%s", list);
	KUNIT_EXPECT_EQ_MSG(test, seen.allowed, expected.allowed, "%s", list);
	KUNIT_EXPECT_EQ_MSG(test, seen.aper_force, expected.aper_force, "%s",
			    list);
	KUNIT_EXPECT_EQ_MSG(test, seen.aper_order, expected.aper_order, "%s",
			    list);
	KUNIT_EXPECT_EQ_MSG(test, seen.fix, expected.fix, "%s", list);
}

#define STATE(...)	((struct words_state) { __VA_ARGS__ })
#define EXPECT_SET(test, list, ...) \
	expect_from(test, STATE(), list, STATE(__VA_ARGS__))

static void __init words_that_set(struct kunit *test)
{
	EXPECT_SET(test, "off", .off = 1);
	EXPECT_SET(test, "force", .force = 1,
		   .allowed = GART_WORDS);
	EXPECT_SET(test, "merge", .force = 1, .merge = 1);
	EXPECT_SET(test, "biomerge", .force = 1, .merge = 1);
	EXPECT_SET(test, "panic", .panic = 1);
	if (IS_ENABLED(CONFIG_SWIOTLB))
		EXPECT_SET(test, "soft", .soft = 1);
}

static void __init words_that_clear(struct kunit *test)
{
	const struct words_state most = {
		.off = 1, .force = 1, .merge = 1, .panic = 1,
	};

	expect_from(test, most, "noforce", STATE(.off = 1, .panic = 1));
	expect_from(test, most, "nomerge",
		    STATE(.off = 1, .force = 1, .panic = 1));
	expect_from(test, most, "nopanic",
		    STATE(.off = 1, .force = 1, .merge = 1));
}

static void __init later_word_wins(struct kunit *test)
{
	EXPECT_SET(test, "merge,noforce");
	EXPECT_SET(test, "noforce,merge", .force = 1, .merge = 1);
	EXPECT_SET(test, "panic,nopanic");
	EXPECT_SET(test, "nopanic,panic", .panic = 1);
}

/* Each of these begins like a word that sets something. */
static void __init words_that_set_nothing_here(struct kunit *test)
{
	EXPECT_SET(test, "forcesac");
	EXPECT_SET(test, "allowdac");
	EXPECT_SET(test, "nodac");
	EXPECT_SET(test, "forcesac,panic", .panic = 1);
}

static void __init gart_words(struct kunit *test)
{
	if (!GART_WORDS)
		kunit_skip(test, "no driver for the GART");

	EXPECT_SET(test, "allowed", .allowed = 1);
	EXPECT_SET(test, "memaper", .aper_force = 1);
	EXPECT_SET(test, "memaper=", .aper_force = 1);
	EXPECT_SET(test, "memaper=3,panic", .aper_force = 1, .aper_order = 3,
		   .panic = 1);
	EXPECT_SET(test, "memaper=0x4", .aper_force = 1, .aper_order = 4);
	expect_from(test, STATE(.fix = 1), "noaperture", STATE());
}

static void __init gart_words_that_are_refused(struct kunit *test)
{
	if (!GART_WORDS)
		kunit_skip(test, "no driver for the GART");

	EXPECT_SET(test, "memaper=x");
	EXPECT_SET(test, "memaper=-1");
	EXPECT_SET(test, "memaper=4294967295");
	EXPECT_SET(test, "memaper3");
}

static char refusal[1024] __initdata;

static void __init keep_refusal(const char *message)
{
	strscpy(refusal, message);
}

static bool __init listed_once(const char *word)
{
	const char *found = strstr(refusal, word);

	return found && !strstr(found + 1, word);
}

static void __init refusal_lists_every_word(struct kunit *test)
{
	/* blanks around them tell "merge" from "nomerge" */
	static const char * const x86[] __initconst = {
		" off ", " force ", " noforce ", " biomerge ", " merge ",
		" nomerge ", " panic ", " nopanic ", " forcesac ",
		" allowdac ", " nodac ", " usedac ", " pt ", " nopt ",
	};
	static const char * const gart[] __initconst = {
		" <size> ", " fullflush ", " nofullflush ", " noagp ",
		" noaperture ", " allowed ", " memaper[=<order>] ",
	};
	unsigned int i;

	iommu_words_apply(__iommu_words_start, __iommu_words_end, "bogus",
			  keep_refusal);
	strlcat(refusal, " ", sizeof(refusal));

	KUNIT_EXPECT_NOT_NULL(test, strstr(refusal, "'bogus'"));
	for (i = 0; i < ARRAY_SIZE(x86); i++)
		KUNIT_EXPECT_TRUE_MSG(test, listed_once(x86[i]), "%s", x86[i]);
	for (i = 0; i < ARRAY_SIZE(gart); i++)
		KUNIT_EXPECT_EQ_MSG(test, listed_once(gart[i]),
				    GART_WORDS, "%s",
				    gart[i]);
	KUNIT_EXPECT_EQ(test, listed_once(" soft "), IS_ENABLED(CONFIG_SWIOTLB));
}

static struct kunit_case x86_iommu_words_cases[] __refdata = {
	KUNIT_CASE(words_that_set),
	KUNIT_CASE(words_that_clear),
	KUNIT_CASE(later_word_wins),
	KUNIT_CASE(words_that_set_nothing_here),
	KUNIT_CASE(gart_words),
	KUNIT_CASE(gart_words_that_are_refused),
	KUNIT_CASE(refusal_lists_every_word),
	{}
};

static struct kunit_suite x86_iommu_words_suite = {
	.name = "x86_iommu_words",
	.test_cases = x86_iommu_words_cases,
};

kunit_test_init_section_suite(x86_iommu_words_suite);
