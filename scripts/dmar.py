# SPDX-License-Identifier: GPL-2.0-only
"""The DMAR table, by which firmware describes VT-d: read, changed, broken.

Every function takes the table of a machine and gives back another one.  It is
described in Intel's "Virtualization Technology for Directed I/O", chapter 8.
"""

import dataclasses
import struct

HEADER = 48             # of the table; the records follow
CHECKSUM = 9
DRHD, RMRR = 0, 1       # types of records
RESERVED_TYPE = 200     # one that nobody has given a meaning
ALL_DEVICES = 1         # flag of a DRHD
ENDPOINT, BRIDGE = 1, 2     # types of scopes
GIB = 1 << 30

# Memory that the kernel is told not to use: memmap=.
SPARE = 0x30000000
SPARE_PAGES = 16
SPARE_WORDS = f"memmap={4 * SPARE_PAGES}K${SPARE:#x}"


@dataclasses.dataclass(frozen=True)
class Record:
    """One structure of the table."""

    kind: int
    body: bytes             # without type and length
    length: int = None      # what it claims, if that is a lie

    def encode(self):
        """As it is in memory."""
        length = self.length
        if length is None:
            length = 4 + len(self.body)
        return struct.pack("<HH", self.kind, length) + self.body


@dataclasses.dataclass(frozen=True)
class Table:
    """All of it."""

    head: bytes
    records: tuple
    spoil: int = 0          # added to the checksum

    def encode(self):
        """As it is in memory, with the right length and checksum."""
        body = b"".join(record.encode() for record in self.records)
        data = bytearray(self.head + body)
        struct.pack_into("<I", data, 4, len(data))
        data[CHECKSUM] = 0
        data[CHECKSUM] = -sum(data) + self.spoil & 255
        return bytes(data)

    def replace(self, *records):
        """With other records."""
        return dataclasses.replace(self, records=records)

    def unit(self):
        """The record of the first remapping unit."""
        return next(rec for rec in self.records if rec.kind == DRHD)


def parse(data):
    """A table from memory."""
    records, at = [], HEADER
    while at < len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        records.append(Record(kind, data[at + 4:at + length]))
        at += length
    return Table(data[:HEADER], tuple(records))


def unit_at(unit, address, flags=None, scopes=None):
    """A DRHD like that one, with other registers, flags or scopes."""
    body = unit.body
    return Record(DRHD, struct.pack(
        "<BBHQ", body[0] if flags is None else flags, body[1],
        struct.unpack_from("<H", body, 2)[0], address)
        + (body[12:] if scopes is None else scopes))


def registers(unit):
    """Where the registers of a DRHD are."""
    return struct.unpack_from("<Q", unit.body, 4)[0]


def scope(slot, length=8):
    """A device of the first bus."""
    return struct.pack("<BBHBBBB", ENDPOINT, length, 0, 0, 0, slot, 0)


def region(first, last, slot, length=8):
    """An RMRR: memory that the device in a slot uses on its own."""
    return Record(RMRR, struct.pack("<HHQQ", 0, 0, first, last)
                  + scope(slot, length))


def elsewhere(address):
    """The registers are somewhere else."""
    return lambda table: table.replace(unit_at(table.unit(), address))


def bad_checksum(table):
    """One bit is wrong."""
    return dataclasses.replace(table, spoil=1)


def no_length(table):
    """A record in the middle claims to have no length."""
    return table.replace(*table.records, Record(RMRR, bytes(20), 0),
                         region(SPARE, SPARE + 0xfff, 8))


def beyond_end(table):
    """The last record claims to be longer than what is left."""
    last = table.records[-1]
    return table.replace(*table.records[:-1],
                         Record(last.kind, last.body, len(last.body) + 36))


def cut_head(table):
    """There is room for a type after the last record, not for a length."""
    return dataclasses.replace(table, records=(*table.records, Stump()))


class Stump:
    """Half the head of a record."""

    kind = RMRR

    @staticmethod
    def encode():
        """As it is in memory."""
        return struct.pack("<H", RMRR)


def short_record(table):
    """An RMRR that ends before its addresses do."""
    return table.replace(*table.records, Record(RMRR, bytes(8)))


def short_unit(table):
    """A DRHD that ends before the address of its registers."""
    return table.replace(Record(DRHD, bytes(4)), *table.records)


def empty_scope(table):
    """A scope that claims to have no length."""
    return table.replace(*table.records,
                         region(SPARE, SPARE + 0xfff, 8, length=0))


def long_scope(table):
    """A scope that claims to be longer than its record."""
    return table.replace(*table.records,
                         region(SPARE, SPARE + 0xfff, 8, length=16))


def wrong_kind(table):
    """The device is said to be a bridge, which is found out late."""
    unit = table.unit()
    bridge = bytearray(scope(8))
    bridge[0] = BRIDGE
    scopes = unit.body[12:].replace(scope(8), bytes(bridge))
    return table.replace(unit_at(unit, registers(unit), scopes=scopes))


def same_unit_twice(table):
    """One unit stands there twice, the second time without most scopes."""
    unit = table.unit()
    return table.replace(
        unit_at(unit, registers(unit), 0, scope(8)),
        unit_at(unit, registers(unit), ALL_DEVICES, unit.body[12:20]))


def copied_unit(table):
    """One unit stands there twice, word for word."""
    return table.replace(table.unit(), *table.records)


def overlapping_scopes(table):
    """Two units claim the same device."""
    unit = table.unit()
    return table.replace(*table.records,
                         unit_at(unit, registers(unit) + 0x1000, 0, scope(8)))


def with_regions(*regions):
    """RMRRs of the device in slot 8."""
    return lambda table: table.replace(
        *table.records, *(region(first, last, 8) for first, last in regions))


def unknown_type(table):
    """A record that a later version of the specification may bring."""
    return table.replace(Record(RESERVED_TYPE, bytes(12)), *table.records)


def no_units(table):
    """There is nothing that remaps."""
    return table.replace(region(SPARE, SPARE + 0xfff, 8))


@dataclasses.dataclass(frozen=True)
class Case:
    """What the firmware does wrong, and what the kernel has to make of it."""

    what: str
    change: object          # Table -> Table
    says: str               # what the kernel's log tells about it, just once
    off: bool = True        # the machine goes on without the IOMMU
    ones: bool = False      # the spare memory holds ones
    words: str = ""


# Nothing answers at this address, which reads as zeroes there.
NOWHERE = 0xfed91000

CASES = {
    "checksum": Case("wrong checksum", bad_checksum, "checksum is wrong"),
    "no-length": Case("a record without length", no_length,
                      r"record at 0x\w+ has 0 bytes"),
    "beyond-end": Case("a record passes the end of the table", beyond_end,
                       r"record at 0x\w+ passes the end of the table"),
    "cut-head": Case("the table ends within the head of a record", cut_head,
                     r"record at 0x\w+ passes the end of the table"),
    "short-record": Case("an RMRR without addresses", short_record,
                         r"record at 0x\w+ has 12 bytes, too few for"),
    "short-unit": Case("a DRHD without address", short_unit,
                       r"record at 0x\w+ has 8 bytes, too few for"),
    "empty-scope": Case("a scope without length", empty_scope,
                        r"device scope at 0x\w+ has a wrong length"),
    "long-scope": Case("a scope passes the end of its record", long_scope,
                       r"device scope at 0x\w+ has a wrong length"),
    "zero": Case("the registers are at address 0", elsewhere(0),
                 "reported at address 0!"),
    "ones": Case("the registers read as ones", elsewhere(SPARE),
                 f"reported at address {SPARE:x} returns all ones", ones=True,
                 words=SPARE_WORDS),
    "nowhere": Case("there are no registers", elsewhere(NOWHERE),
                    f"reported at address {NOWHERE:x} returns all zeroes"),
    "late": Case("an endpoint is listed as a bridge", wrong_kind,
                 r"scope type does not match for 0000:00:08\.0"),
    "twice": Case("two units with the same registers", same_unit_twice,
                  r"two units at 0x\w+"),
    "overlap": Case("two units claim one device", overlapping_scopes,
                    r"units at 0x\w+ and 0x\w+ claim the same device"),
    "no-units": Case("no unit at all", no_units, "there is no remapping unit",
                     words=SPARE_WORDS),
    "copied": Case("one unit is there twice", copied_unit,
                   r"unit at 0x\w+ is there twice", off=False),
    "unknown": Case("a record of an unknown type", unknown_type,
                    rf"record of type {RESERVED_TYPE} ignored", off=False),
    "rmrr-beyond": Case("an RMRR beyond all addresses",
                        with_regions((1 << 50, (1 << 50) + 0xffff)),
                        r"RMRR \[.*\] ignored", off=False),
    "rmrr-order": Case("an RMRR that ends before it begins",
                       with_regions((SPARE + 0x10000, SPARE - 1)),
                       r"RMRR \[.*\] ignored", off=False),
}


def rmrr(table):
    """A region that is right, for the device in slot 8."""
    return with_regions((SPARE, SPARE + 4096 * SPARE_PAGES - 1))(table)


def install(tables, change, ones=False):
    """Change the table of a machine that is about to start its kernel."""
    _, _, data = tables.find(b"DMAR")
    tables.replace(b"DMAR", change(parse(data)).encode())
    if ones:
        tables.gdb.write(SPARE, b"\xff" * 4096)
