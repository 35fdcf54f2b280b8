// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is a DMAR table fit to be parsed?  Firmware's mistakes are found here, before
 * any of its contents is used: the parsers trust lengths, and what they make of
 * a table that contradicts itself is an IOMMU that serves a part of the devices.
 */
#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/dmar.h>
#include <linux/init.h>
#include <linux/printk.h>
#include <linux/string.h>

/* What a type of record has at least, and whether device scopes follow. */
struct dmar_form {
	u16 size;
	bool scopes;
};

static const struct dmar_form dmar_forms[] __initconst = {
	[ACPI_DMAR_TYPE_HARDWARE_UNIT] = {
		sizeof(struct acpi_dmar_hardware_unit), true
	},
	[ACPI_DMAR_TYPE_RESERVED_MEMORY] = {
		sizeof(struct acpi_dmar_reserved_memory), true
	},
	[ACPI_DMAR_TYPE_ROOT_ATS] = { sizeof(struct acpi_dmar_atsr), true },
	[ACPI_DMAR_TYPE_HARDWARE_AFFINITY] = { sizeof(struct acpi_dmar_rhsa) },
	[ACPI_DMAR_TYPE_NAMESPACE] = {
		offsetof(struct acpi_dmar_andd, device_name)
	},
	[ACPI_DMAR_TYPE_SATC] = { sizeof(struct acpi_dmar_satc), true },
	[ACPI_DMAR_TYPE_SIDP] = { sizeof(struct acpi_dmar_sidp), true },
};

/* The pairs of device and function that lead to a device. */
static size_t __init dmar_path_size(const struct acpi_dmar_device_scope *scope)
{
	return scope->length - sizeof(*scope);
}

static bool __init dmar_scope_is_pci(const struct acpi_dmar_device_scope *scope)
{
	return scope->entry_type == ACPI_DMAR_SCOPE_TYPE_ENDPOINT ||
	       scope->entry_type == ACPI_DMAR_SCOPE_TYPE_BRIDGE;
}

static int __init dmar_check_scopes(const void *table, const void *pos,
				    const void *end)
{
	const struct acpi_dmar_device_scope *scope;

	for (; pos < end; pos += scope->length) {
		scope = pos;
		/* Each has a path of at least one step. */
		if (end - pos >= sizeof(*scope) && scope->length <= end - pos &&
		    scope->length >= sizeof(*scope) +
				     sizeof(struct acpi_dmar_pci_path))
			continue;
		pr_warn(FW_BUG "device scope at %#zx has a wrong length\n",
			(size_t)(pos - table));
		return -EINVAL;
	}
	return 0;
}

static int __init dmar_check_record(const void *table,
				    const struct acpi_dmar_header *rec,
				    const void *end)
{
	size_t offset = (const void *)rec - table;
	const void *pos = rec;

	if (end - pos < sizeof(*rec) || rec->length > end - pos) {
		pr_warn(FW_BUG "record at %#zx passes the end of the table\n",
			offset);
		return -EINVAL;
	}
	if (rec->length < sizeof(*rec) ||
	    (rec->type < ARRAY_SIZE(dmar_forms) &&
	     rec->length < dmar_forms[rec->type].size)) {
		pr_warn(FW_BUG "record at %#zx has %u bytes, too few for its type %u\n",
			offset, rec->length, rec->type);
		return -EINVAL;
	}
	if (rec->type >= ARRAY_SIZE(dmar_forms) || !dmar_forms[rec->type].scopes)
		return 0;
	return dmar_check_scopes(table, pos + dmar_forms[rec->type].size,
				 pos + rec->length);
}

/*
 * The length of the records; what follows them is padding, which some firmware
 * leaves and which is all zeroes.
 */
static int __init dmar_check_records(struct acpi_table_dmar *dmar)
{
	const void *end = (void *)dmar + dmar->header.length;
	const struct acpi_dmar_header *rec;
	const void *pos;

	for (pos = dmar + 1; pos < end && memchr_inv(pos, 0, end - pos);
	     pos += rec->length) {
		int ret;

		rec = pos;
		ret = dmar_check_record(dmar, rec, end);
		if (ret)
			return ret;
	}
	return pos - (const void *)(dmar + 1);
}

static const struct acpi_dmar_hardware_unit * __init
dmar_next_unit(const void *pos, const void *end)
{
	const struct acpi_dmar_header *rec;

	for (; pos < end; pos += rec->length) {
		rec = pos;
		if (rec->type == ACPI_DMAR_TYPE_HARDWARE_UNIT)
			return pos;
	}
	return NULL;
}

static bool __init dmar_scope_listed(const struct acpi_dmar_device_scope *scope,
				     const struct acpi_dmar_hardware_unit *unit)
{
	const void *end = (const void *)unit + unit->header.length;
	const struct acpi_dmar_device_scope *other;
	const void *pos;

	for (pos = unit + 1; pos < end; pos += other->length) {
		other = pos;
		if (dmar_scope_is_pci(other) && other->bus == scope->bus &&
		    other->length == scope->length &&
		    !memcmp(other + 1, scope + 1, dmar_path_size(scope)))
			return true;
	}
	return false;
}

static bool __init dmar_units_overlap(const struct acpi_dmar_hardware_unit *a,
				      const struct acpi_dmar_hardware_unit *b)
{
	const void *end = (const void *)a + a->header.length;
	const struct acpi_dmar_device_scope *scope;
	const void *pos;

	for (pos = a + 1; pos < end; pos += scope->length) {
		scope = pos;
		if (dmar_scope_is_pci(scope) && dmar_scope_listed(scope, b))
			return true;
	}
	return false;
}

/*
 * One unit serves each device, and one record describes each unit: of two, the
 * parser would drop the second together with the devices that it names.
 */
static int __init dmar_check_pair(const struct acpi_dmar_hardware_unit *a,
				  const struct acpi_dmar_hardware_unit *b)
{
	if (a->segment != b->segment)
		return 0;
	if (a->address != b->address) {
		if (!dmar_units_overlap(a, b))
			return 0;
		pr_warn(FW_BUG "units at %#llx and %#llx claim the same device\n",
			a->address, b->address);
		return -EINVAL;
	}
	if (a->header.length == b->header.length &&
	    !memcmp(a, b, a->header.length)) {
		pr_warn(FW_BUG "unit at %#llx is there twice\n", a->address);
		return 0;
	}
	pr_warn(FW_BUG "two units at %#llx that differ\n", a->address);
	return -EINVAL;
}

static int __init dmar_check_units(const void *start, const void *end)
{
	const struct acpi_dmar_hardware_unit *a, *b;

	a = dmar_next_unit(start, end);
	if (!a) {
		pr_warn(FW_BUG "there is no remapping unit\n");
		return -ENODEV;
	}
	for (; a; a = dmar_next_unit((void *)a + a->header.length, end)) {
		b = dmar_next_unit((void *)a + a->header.length, end);
		for (; b; b = dmar_next_unit((void *)b + b->header.length, end)) {
			int ret = dmar_check_pair(a, b);

			if (ret)
				return ret;
		}
	}
	return 0;
}

static u8 __init dmar_sum(const u8 *bytes, size_t count)
{
	u8 sum = 0;

	while (count--)
		sum += *bytes++;
	return sum;
}

/**
 * dmar_check_table() - see whether a DMAR table is fit to be parsed
 * @dmar: the table, all of it mapped
 *
 * Checks the table's checksum, the lengths of its records and device scopes,
 * and that no device or set of registers belongs to two remapping units.  Says
 * what is wrong.  Registers are not touched.
 *
 * Return: 0, -EINVAL when the table is broken, -ENODEV when it has no unit.
 */
int __init dmar_check_table(struct acpi_table_dmar *dmar)
{
	const void *start = dmar + 1;
	int length;

	if (dmar->header.length < sizeof(*dmar)) {
		pr_warn(FW_BUG "the table has %u bytes only\n",
			dmar->header.length);
		return -EINVAL;
	}
	if (dmar_sum((u8 *)dmar, dmar->header.length)) {
		pr_warn(FW_BUG "the table's checksum is wrong\n");
		return -EINVAL;
	}
	length = dmar_check_records(dmar);
	if (length < 0)
		return length;
	return dmar_check_units(start, start + length);
}
