// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the parser of the "Rio Grande" table.
 *
 * A test builds an EBDA. It is copied into a buffer of exactly its size before
 * it is parsed, so that KASAN sees each byte read beyond its end.
 */
#include <kunit/test.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "ebda.h"

#define RIO	0x180	/* the first block */
#define TABLE	(RIO + 4)

/* An EBDA in the making, and what was found in it */
struct image {
	u8 bytes[0x20000];
	size_t size;
	struct calgary_ebda found;
};

/* Where a machine of these tests has RAM; the hole ends at 4 GB. */
static bool is_ram(u64 start, u64 last)
{
	return start < 0xc0000000 || last >= SZ_4G;
}

static struct image *new_image(struct kunit *test)
{
	struct image *im = kunit_kzalloc(test, sizeof(*im), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, im);
	return im;
}

static void put_block(struct image *im, size_t block, u16 next, u16 id)
{
	put_unaligned_le16(next, im->bytes + block);
	put_unaligned_le16(id, im->bytes + block + 2);
}

static void put(struct image *im, const u8 *bytes, size_t size)
{
	memcpy(im->bytes + im->size, bytes, size);
	im->size += size;
}

static void put_chip(struct image *im, u8 type, u32 bbar)
{
	u8 version = im->bytes[TABLE];
	u8 entry[15] = { 7, 0, 0, 0, 0, type, 1, 0xff, 0xff, 0xff, 0xff,
			 3, 1, 0, 2 };

	put_unaligned_le32(bbar, entry + 1);
	put(im, entry, version == 3 ? 15 : 13);
	im->bytes[TABLE + 2]++;
}

static void put_scal(struct image *im)
{
	u8 version = im->bytes[TABLE];
	/* As CBAR an address that is none of a chip's */
	static const u8 entry[12] = { 0, 0x00, 0x00, 0xb0, 0xfd, 4, 4, 4, 4,
				      4, 4, 1 };

	put(im, entry, version == 3 ? 12 : 11);
	im->bytes[TABLE + 1]++;
}

/* A table of a version, as yet without entries */
static void start_table(struct image *im, u8 version)
{
	const u8 header[3] = { version };

	put_block(im, RIO, 0, 0x4752);
	im->size = TABLE;
	put(im, header, sizeof(header));
}

static int parse_size(struct kunit *test, struct image *im, size_t size)
{
	u8 *exact = kmemdup(im->bytes, size, GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, exact);
	ret = calgary_ebda_parse(exact, size, is_ram, &im->found);
	kfree(exact);
	return ret;
}

static int parse(struct kunit *test, struct image *im)
{
	return parse_size(test, im, im->size);
}

static void chassis_of_version_2_has_two_chips(struct kunit *test)
{
	static const u8 table[] = {
		0x00, 0x00, 0x52, 0x47, 2, 1, 2,
		0, 0x00, 0x00, 0x10, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		2, 0x00, 0x00, 0xa0, 0xfd, 4, 0, 0, 0, 0, 1, 1, 0,
		3, 0x00, 0x00, 0xb0, 0xfd, 5, 0, 1, 0, 0xff, 0xff, 5, 1,
	};
	struct image *im = new_image(test);

	im->size = RIO;
	put(im, table, sizeof(table));
	KUNIT_ASSERT_EQ(test, parse(test, im), 0);
	KUNIT_ASSERT_EQ(test, im->found.nr_chips, 2);
	KUNIT_EXPECT_EQ(test, im->found.bbars[0], 0xfda00000);
	KUNIT_EXPECT_EQ(test, im->found.bbars[1], 0xfdb00000);
	KUNIT_EXPECT_EQ(test, im->found.nr_bad, 0);
}

static void entries_of_version_3_are_longer(struct kunit *test)
{
	struct image *im = new_image(test);

	start_table(im, 3);
	put_scal(im);
	put_scal(im);
	put_chip(im, 4, 0xfda00000);
	put_chip(im, 5, 0xfdb00000);
	KUNIT_ASSERT_EQ(test, parse(test, im), 0);
	KUNIT_ASSERT_EQ(test, im->found.nr_chips, 2);
	KUNIT_EXPECT_EQ(test, im->found.bbars[0], 0xfda00000);
	KUNIT_EXPECT_EQ(test, im->found.bbars[1], 0xfdb00000);
}

static void table_in_a_later_block_is_found(struct kunit *test)
{
	struct image *im = new_image(test);

	start_table(im, 2);
	put_chip(im, 4, 0xfda00000);
	memmove(im->bytes + 0x301, im->bytes + RIO, im->size - RIO);
	im->size += 0x301 - RIO;
	put_block(im, RIO, 0x200, 0x1234);
	put_block(im, 0x200, 0x301, 0x5247);
	/* It ends where the next block begins, no matter what follows. */
	put_unaligned_le16(im->size, im->bytes + 0x301);
	im->size += 100;
	KUNIT_ASSERT_EQ(test, parse(test, im), 0);
	KUNIT_EXPECT_EQ(test, im->found.bbars[0], 0xfda00000);
}

/* Values that were seen on machines of other makers, and their like */
static void next_offsets_that_lead_nowhere(struct kunit *test)
{
	static const u16 offsets[] = {
		0, 1, 0x17f, 0x180, 384, 0x182, 0x184, 65282, 65532, 65533,
		65535,
	};
	struct image *im = new_image(test);
	unsigned int i, fill;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (fill = 0; fill < 256; fill += 51) {
			memset(im->bytes, fill, 0x10000);
			put_block(im, RIO, offsets[i], 1);
			KUNIT_EXPECT_EQ(test, parse_size(test, im, 0x10000),
					-ENOENT);
		}
	}
}

static void two_blocks_that_point_at_each_other(struct kunit *test)
{
	struct image *im = new_image(test);

	put_block(im, RIO, 0x400, 1);
	put_block(im, 0x400, RIO, 1);
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 0x500), -ENOENT);
}

/* No longer than the EBDA, each step by the least there is */
static void longest_chain_ends(struct kunit *test)
{
	struct image *im = new_image(test);
	size_t block;

	for (block = RIO; block < 0xfff0; block += 4)
		put_block(im, block, block + 4, 1);
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 0x10000), -ENOENT);
}

static void unknown_versions_are_refused(struct kunit *test)
{
	struct image *im = new_image(test);
	unsigned int version;

	start_table(im, 2);
	put_chip(im, 4, 0xfda00000);
	im->size += 100;
	for (version = 0; version < 256; version++) {
		im->bytes[TABLE] = version;
		KUNIT_EXPECT_EQ(test, parse(test, im),
				version == 2 || version == 3 ? 0 : -EPROTO);
	}
}

/* Each truncated table is refused, none is read beyond its end. */
static void truncated_buffers(struct kunit *test)
{
	struct image *im = new_image(test);
	size_t size;
	u8 version;

	for (version = 2; version <= 3; version++) {
		im->size = 0;
		start_table(im, version);
		put_scal(im);
		put_chip(im, 4, 0xfda00000);
		put_chip(im, 5, 0xfdb00000);
		for (size = 0; size < im->size; size++) {
			KUNIT_EXPECT_EQ_MSG(test, parse_size(test, im, size),
					    size < TABLE ? -ENOENT
							 : -EOVERFLOW,
					    "%zu of %zu bytes", size, im->size);
		}
		KUNIT_EXPECT_EQ(test, parse(test, im), 0);
	}
}

static void counts_beyond_the_end_are_refused(struct kunit *test)
{
	/* What fits into 100 bytes with each other count, and what is near it */
	static const u8 counts[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22, 127, 128, 254, 255,
	};
	struct image *im = new_image(test);
	unsigned int scal, chips;

	start_table(im, 3);
	im->size += 100;
	for (scal = 0; scal < ARRAY_SIZE(counts); scal++) {
		for (chips = 0; chips < ARRAY_SIZE(counts); chips++) {
			bool fits = counts[scal] * 12 + counts[chips] * 15 <=
				    100;

			im->bytes[TABLE + 1] = counts[scal];
			im->bytes[TABLE + 2] = counts[chips];
			KUNIT_EXPECT_EQ(test, parse(test, im),
					fits ? 0 : -EOVERFLOW);
		}
	}
}

static void table_must_end_before_the_next_block(struct kunit *test)
{
	struct image *im = new_image(test);

	start_table(im, 2);
	put_chip(im, 4, 0xfda00000);
	put_block(im, RIO, im->size, 0x4752);
	im->size += 100;
	KUNIT_EXPECT_EQ(test, parse(test, im), 0);
	put_block(im, RIO, im->size - 101, 0x4752);
	KUNIT_EXPECT_EQ(test, parse(test, im), -EOVERFLOW);
	put_block(im, RIO, RIO + 1, 0x4752);
	KUNIT_EXPECT_EQ(test, parse(test, im), -EOVERFLOW);
	/* A next offset that is behind the buffer says nothing. */
	put_block(im, RIO, 0xffff, 0x4752);
	KUNIT_EXPECT_EQ(test, parse(test, im), 0);
}

static void ebda_says_how_large_it_is(struct kunit *test)
{
	struct image *im = new_image(test);
	size_t start = 1024 - 4 - 3 - 13;

	start_table(im, 2);
	put_chip(im, 4, 0xfda00000);
	memmove(im->bytes + start, im->bytes + RIO, 4 + 3 + 13);
	put_block(im, RIO, start, 1);
	im->bytes[0] = 1;
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 4096), 0);
	memmove(im->bytes + start + 1, im->bytes + start, 4 + 3 + 13);
	put_block(im, RIO, start + 1, 1);
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 4096), -EOVERFLOW);
	im->bytes[0] = 2;
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 4096), 0);
	/* One that says nothing, or more than there is */
	im->bytes[0] = 0;
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 4096), 0);
	im->bytes[0] = 255;
	KUNIT_EXPECT_EQ(test, parse_size(test, im, 4096), 0);
}

static void only_two_types_translate(struct kunit *test)
{
	struct image *im = new_image(test);
	unsigned int type;

	for (type = 0; type < 256; type++) {
		im->size = 0;
		start_table(im, 2);
		put_chip(im, type, 0xfda00000);
		KUNIT_ASSERT_EQ(test, parse(test, im), 0);
		KUNIT_EXPECT_EQ(test, im->found.nr_chips,
				type == 4 || type == 5);
	}
}

struct bad_address {
	u32 bbar;
	const char *flaw;
};

static void bad_addresses_are_left_out(struct kunit *test)
{
	static const struct bad_address bad[] = {
		{ 0, "no address" },
		{ 0xfda00001, "an odd address" },
		{ 0xfda80000, "an odd address" },
		{ 0xffffffff, "an odd address" },
		{ 0x00100000, "an address where something else is" },
		{ 0xbff00000, "an address where something else is" },
		{ 0xfec00000, "an address where something else is" },
		{ 0xfee00000, "an address where something else is" },
		{ 0xfda00000, "the address of another" },
	};
	struct image *im = new_image(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		im->size = 0;
		start_table(im, 3);
		put_chip(im, 4, 0xfda00000);
		put_chip(im, 5, bad[i].bbar);
		put_chip(im, 5, 0xfff00000);
		put_chip(im, 5, 0xc0000000);
		KUNIT_ASSERT_EQ(test, parse(test, im), 0);
		KUNIT_EXPECT_EQ_MSG(test, im->found.nr_chips, 3, "0x%x",
				    bad[i].bbar);
		KUNIT_EXPECT_EQ(test, im->found.bbars[0], 0xfda00000);
		KUNIT_EXPECT_EQ(test, im->found.bbars[1], 0xfff00000);
		KUNIT_EXPECT_EQ(test, im->found.bbars[2], 0xc0000000);
		KUNIT_EXPECT_EQ(test, im->found.nr_bad, 1);
		KUNIT_EXPECT_STREQ(test, im->found.flaw, bad[i].flaw);
	}
}

static void more_chips_than_buses_are_left_out(struct kunit *test)
{
	struct image *im = new_image(test);
	unsigned int i;

	start_table(im, 3);
	for (i = 0; i < CALGARY_MAX_CHIPS; i++)
		put_chip(im, 4, 0xc0000000 + i * CALGARY_BBAR_SIZE);
	KUNIT_EXPECT_EQ(test, parse(test, im), 0);
	KUNIT_EXPECT_EQ(test, im->found.nr_chips, CALGARY_MAX_CHIPS);
	/* Neither one that is no chip nor a bad one is too many. */
	put_chip(im, 2, 0xd0000000);
	put_chip(im, 4, 0xc0000000);
	KUNIT_EXPECT_EQ(test, parse(test, im), 0);
	KUNIT_EXPECT_EQ(test, im->found.nr_chips, CALGARY_MAX_CHIPS);
	KUNIT_EXPECT_EQ(test, im->found.nr_bad, 1);
	KUNIT_EXPECT_STREQ(test, im->found.flaw, "the address of another");
	put_chip(im, 4, 0xd0000000);
	put_chip(im, 5, 0xd0100000);
	KUNIT_EXPECT_EQ(test, parse(test, im), 0);
	KUNIT_EXPECT_EQ(test, im->found.nr_chips, CALGARY_MAX_CHIPS);
	KUNIT_EXPECT_EQ(test, im->found.nr_bad, 3);
	/* Of several, the first is told. */
	KUNIT_EXPECT_STREQ(test, im->found.flaw, "the address of another");
	im->bytes[TABLE + 2] = CALGARY_MAX_CHIPS;
	im->size -= 4 * 15;
	put_chip(im, 4, 0xd0000000);
	KUNIT_EXPECT_EQ(test, parse(test, im), 0);
	KUNIT_EXPECT_EQ(test, im->found.nr_bad, 1);
	KUNIT_EXPECT_STREQ(test, im->found.flaw, "no number of a bus left");
}

/* Bytes at random behind a good start, so that they are looked at */
static void random_tables(struct kunit *test)
{
	struct image *im = new_image(test);
	unsigned int i, n;
	int ret;

	for (n = 0; n < 500; n++) {
		size_t size = 1 + get_random_u32_below(0x800);

		get_random_bytes(im->bytes, size);
		im->bytes[0] = 0;
		put_block(im, RIO, get_random_u32(), 0x4752);
		im->bytes[TABLE] = 2 + (n & 1);
		im->bytes[TABLE + 1] &= 15;
		ret = parse_size(test, im, size);
		if (ret)
			continue;
		KUNIT_EXPECT_LE(test, im->found.nr_chips, CALGARY_MAX_CHIPS);
		for (i = 0; i < im->found.nr_chips; i++) {
			u32 bbar = im->found.bbars[i];

			KUNIT_EXPECT_EQ(test, bbar % CALGARY_BBAR_SIZE, 0);
			KUNIT_EXPECT_GE(test, bbar, 0xc0000000);
		}
	}
}

static struct kunit_case calgary_ebda_cases[] = {
	KUNIT_CASE(chassis_of_version_2_has_two_chips),
	KUNIT_CASE(entries_of_version_3_are_longer),
	KUNIT_CASE(table_in_a_later_block_is_found),
	KUNIT_CASE(next_offsets_that_lead_nowhere),
	KUNIT_CASE(two_blocks_that_point_at_each_other),
	KUNIT_CASE(longest_chain_ends),
	KUNIT_CASE(unknown_versions_are_refused),
	KUNIT_CASE(truncated_buffers),
	KUNIT_CASE(counts_beyond_the_end_are_refused),
	KUNIT_CASE(table_must_end_before_the_next_block),
	KUNIT_CASE(ebda_says_how_large_it_is),
	KUNIT_CASE(only_two_types_translate),
	KUNIT_CASE(bad_addresses_are_left_out),
	KUNIT_CASE(more_chips_than_buses_are_left_out),
	KUNIT_CASE(random_tables),
	{}
};

static struct kunit_suite calgary_ebda_suite = {
	.name = "iommu-calgary-ebda",
	.test_cases = calgary_ebda_cases,
};

kunit_test_suite(calgary_ebda_suite);
