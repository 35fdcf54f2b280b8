# SPDX-License-Identifier: GPL-2.0-only
"""The model of the camera, and that of the cache, tried without a kernel."""

import pathlib
import struct
import subprocess
import tempfile

import qtest
from common import TOP, Failure

MIB = 1 << 20
PAGE = 4096
WORD = 0xffffffff
SLOT = 4
BAR = 0x90000000
MEMORY = "5G"
HIGH = 4096 * MIB

ID, CAPS, IRQ_STATUS, IRQ_ENABLE, RESET = 0, 4, 8, 0xc, 0x10
MMU_CTRL, MMU_TABLE, INV_PAGE, INV_FIRST, INV_LAST, INV_ALL = range(
    0x40, 0x58, 4)
FAULT_STATUS, FAULT_ADDR = 0x58, 0x5c
CTRL, STATUS, RING, ENTRIES, HEAD, TAIL, PACE, SEQUENCE = range(0, 0x20, 4)
BUSY, FAULTED, BAD = 1, 2, 4
VALID, WRITE = 1, 2
LAST, IRQ, DONE = 1, 2, 1
OFF, LEVEL_1, LEVEL_2, READ_ONLY, BUS = range(5)
FAULT = 1 << 31
MAGIC = 0x454d5246

# Where things are in memory; LEVEL_2 of IOVA and of IOVA_HIGH
TABLES = (16 * MIB, 17 * MIB, 18 * MIB)
RINGS = 20 * MIB
PAGES = 32 * MIB
IOVA, IOVA_HIGH, IOVA_RING = 0x100000, 0xffffe000, 0x300000
COUNT = 8


def frame(sequence, size):
    """What a frame has to be."""
    words = [MAGIC, sequence] + [
        (((sequence * 0x9e3779b1 + i) * 0x85ebca6b) ^ i) & WORD
        for i in range(2, size // 4)]
    return struct.pack(f"<{size // 4}I", *words)


def checksum(data):
    """The sum of a frame's words."""
    total = 0x811c9dc5
    for (word,) in struct.iter_unpack("<I", data):
        total = ((total ^ word) * 0x01000193) & WORD
    return total


class Board(qtest.Machine):
    """A machine with a camera; memory is what it sees, unless told."""

    def __init__(self, program, coherent="on", **properties):
        options = {"coherent": coherent} | properties
        words = "".join(f",{key}={value}" for key, value in options.items())
        super().__init__(program, "-m", MEMORY, "-device",
                         f"camera,addr={SLOT:x}{words}")
        self.set_config((SLOT, 0), qtest.BAR0, BAR)
        self.set_config((SLOT, 0), qtest.COMMAND, qtest.COMMAND_VALUE)

    def get(self, reg, channel=None):
        """A register, of the channel if there is one."""
        if channel is not None:
            reg += 0x100 + 0x40 * channel
        return int(self.command("readl", BAR + reg), 16)

    def set(self, reg, value, channel=None):
        """Write it."""
        if channel is not None:
            reg += 0x100 + 0x40 * channel
        self.command("writel", BAR + reg, value)

    def entry(self, table, index, addr, bits=VALID | WRITE):
        """Write an entry of a table."""
        self.write(table + 4 * index,
                   struct.pack("<I", addr >> 12 << 4 | bits))

    def point(self, iova, addr, bits=VALID | WRITE):
        """Have an IOVA lead to a page."""
        table = TABLES[1 if iova < 1 << 31 else 2]
        self.entry(table, iova >> 12 & 1023, addr, bits)

    def enable(self):
        """Tables for both ends of the IOVAs, and the rings."""
        for table in TABLES:
            self.command("memset", table, PAGE, "0x0")
        self.entry(TABLES[0], 0, TABLES[1])
        self.entry(TABLES[0], 1023, TABLES[2])
        for channel in range(2):
            self.point(IOVA_RING + PAGE * channel, RINGS + PAGE * channel)
        self.set(MMU_TABLE, TABLES[0] // PAGE)
        self.set(MMU_CTRL, 1)

    def describe(self, channel, index, addr, length, flags=LAST):
        """Write a descriptor."""
        self.write(RINGS + PAGE * channel + 32 * index,
                   struct.pack("<8I", addr, length, flags, *[0] * 5))

    def result(self, channel, index):
        """What the device wrote: status, number, sum, bytes."""
        data = self.read(RINGS + PAGE * channel + 32 * index + 12, 16)
        return struct.unpack("<4I", data)

    def start(self, channel, sequence=0):
        """Have a channel run, with an empty ring."""
        self.set(CTRL, 0, channel)
        self.set(RING, IOVA_RING + PAGE * channel, channel)
        self.set(ENTRIES, COUNT, channel)
        self.set(SEQUENCE, sequence, channel)
        self.set(CTRL, 1, channel)

    def ring(self, channel, head, status=0):
        """Hand over descriptors, wait; the status has to be this."""
        self.set(HEAD, head, channel)
        self.step(10)
        self.expect("status", self.get(STATUS, channel), status)

    def one(self, channel, iova, length, sequence=0, status=0):
        """One frame with one descriptor; what was written for it."""
        self.start(channel, sequence)
        self.describe(channel, 0, iova, length)
        self.ring(channel, 1, status)
        return self.result(channel, 0)

    def captures(self, iova, addr, sequence):
        """A frame comes to the page at this address, others do not change."""
        data = frame(sequence, 256)
        self.expect("result", self.one(0, iova, 256, sequence),
                    (DONE, sequence, checksum(data), 256))
        self.expect(f"{addr:#x}", self.read(addr, 256).hex(), data.hex())

    def fault(self, why, addr, channel=0, write=True, more=False):
        """The fault register has to have this; it is cleared."""
        self.expect("fault", self.get(FAULT_STATUS),
                    VALID | write << 1 | more << 2 | why << 4 | channel << 8)
        self.expect("address", self.get(FAULT_ADDR), addr)
        self.expect("interrupt", self.get(IRQ_STATUS) & FAULT, FAULT)
        self.set(FAULT_STATUS, 0)
        self.set(IRQ_STATUS, FAULT)
        self.expect("fault", self.get(FAULT_STATUS), 0)

    def interrupts(self):
        """Whether it asks for an interrupt by its pin."""
        return bool(self.config((SLOT, 0), 4) >> 19 & 1)


def registers(program):
    """What is there, what can be written, and what a reset leaves."""
    writable = {IRQ_ENABLE: WORD, MMU_CTRL: 1, MMU_TABLE: WORD,
                INV_FIRST: WORD}
    with Board(program) as m:
        m.expect("function", m.config((SLOT, 0), 0), 0x11ca1234)
        m.expect("ID", m.get(ID), 0x314d4143)
        m.expect("CAPS", m.get(CAPS), 0x201)
        for reg in range(IRQ_STATUS, FAULT_ADDR + 4, 4):
            if reg in (RESET, MMU_CTRL, INV_LAST):
                continue
            m.set(reg, WORD)
            m.expect(f"register {reg:#x}", m.get(reg), writable.get(reg, 0))
        m.set(MMU_CTRL, WORD)
        m.expect("MMU", m.get(MMU_CTRL), 1)
        for reg, mask in ((STATUS, 0), (RING, WORD), (ENTRIES, WORD),
                          (TAIL, 0), (PACE, WORD), (SEQUENCE, WORD)):
            m.set(reg, WORD, 1)
            m.expect(f"channel register {reg:#x}", m.get(reg, 1), mask)
        m.set(RESET, 1)
        for reg in list(range(IRQ_STATUS, FAULT_ADDR + 4, 4)) \
                + list(range(0x100, 0x180, 4)):
            m.expect(f"register {reg:#x} after reset", m.get(reg), 0)
        m.quiet()
    with Board(program, coherent="off", channels=8) as m:
        m.expect("CAPS", m.get(CAPS), 0x800)
        m.set(SEQUENCE, 5, 7)
        m.expect("channel 7", m.get(SEQUENCE, 7), 5)


def frames(program):
    """A ring that goes round; frames are written and read."""
    size = 2 * PAGE + 128
    with Board(program) as m:
        m.enable()
        for page in range(6):
            m.point(IOVA + PAGE * page, PAGES + PAGE * (5 - page))
        m.start(0, sequence=1000)
        m.start(1)
        for number in range(2 * COUNT + 3):
            place, head = number % COUNT, (number + 1) % COUNT
            data = frame(1000 + number, size)
            wanted = (DONE, 1000 + number, checksum(data), size)
            for channel in (0, 1):
                m.describe(channel, place, IOVA + 0x40, size)
                m.ring(channel, head)
                m.expect("tail", m.get(TAIL, channel), head)
                m.expect("result", m.result(channel, place), wanted)
            m.expect("start", m.read(PAGES + 5 * PAGE + 0x40, PAGE - 0x40),
                     data[:PAGE - 0x40])
            m.expect("end", m.read(PAGES + 3 * PAGE, size - 2 * PAGE + 0x40),
                     data[2 * PAGE - 0x40:])
        m.expect("sequence", m.get(SEQUENCE, 0), 1000 + 2 * COUNT + 3)
        m.quiet()


def scatter(program):
    """A frame of several descriptors, in several places."""
    parts = ((IOVA + 0xffc, 8), (IOVA + 3 * PAGE, PAGE), (IOVA + 0x10, 0x20))
    size = sum(length for _, length in parts)
    data = frame(3, size)
    with Board(program) as m:
        m.enable()
        for page in range(4):
            m.point(IOVA + PAGE * page, PAGES + PAGE * page)
        for channel in (0, 1):
            m.start(channel, sequence=3)
            for index, (addr, length) in enumerate(parts):
                m.describe(channel, index, addr, length,
                           LAST if index == 2 else 0)
            m.ring(channel, 3)
            m.expect("first", m.result(channel, 0), (DONE, 0, 0, 0))
            m.expect("last", m.result(channel, 2),
                     (DONE, 3, checksum(data), size))
        for addr, length in parts:
            m.expect("part", m.read(addr - IOVA + PAGES, length),
                     data[:length])
            data = data[length:]
        m.quiet()


def addresses(program):
    """Both ends of the IOVAs, and memory above 4 GiB."""
    with Board(program) as m:
        m.enable()
        for number, (iova, addr) in enumerate((
                (IOVA, PAGES), (IOVA_HIGH, HIGH + PAGE),
                (IOVA_HIGH + PAGE, HIGH + 512 * MIB))):
            m.point(iova, addr)
            m.captures(iova, addr, number + 1)
        m.quiet()


# What does, and what does not, make it forget the page at IOVA
FORGETS = (((INV_PAGE, IOVA),), ((INV_PAGE, IOVA + 0xfff),), ((INV_ALL, 0),),
           ((INV_FIRST, IOVA), (INV_LAST, IOVA)),
           ((INV_FIRST, 0), (INV_LAST, WORD)),
           ((INV_FIRST, IOVA - PAGE), (INV_LAST, IOVA)), ((RESET, 0),))
KEEPS = (((INV_PAGE, IOVA - 1),), ((INV_PAGE, IOVA + PAGE),),
         ((INV_FIRST, 0), (INV_LAST, IOVA - 1)),
         ((INV_FIRST, IOVA + PAGE), (INV_LAST, WORD)),
         ((MMU_CTRL, 0), (MMU_TABLE, 1), (MMU_CTRL, 1)))


def stale(program):
    """What it has read it uses until an invalidation covers it."""
    for number, writes in enumerate(FORGETS + KEEPS):
        with Board(program) as m:
            m.enable()
            m.point(IOVA, PAGES)
            m.captures(IOVA, PAGES, 1)
            m.point(IOVA, PAGES + PAGE)
            m.captures(IOVA, PAGES, 2)
            for reg, value in writes:
                m.set(reg, value)
            m.set(MMU_TABLE, TABLES[0] // PAGE)
            m.set(MMU_CTRL, 1)
            m.captures(IOVA, PAGES + PAGE * (number < len(FORGETS)), 3)


def stale_level(program):
    """So it does with the first level; an entry not there is read again."""
    with Board(program) as m:
        m.enable()
        m.one(0, IOVA_HIGH, 64, status=FAULTED)
        m.fault(LEVEL_2, IOVA_HIGH)
        m.point(IOVA_HIGH, PAGES)
        m.captures(IOVA_HIGH, PAGES, 1)
        # Another table, in which other pages are
        m.entry(TABLES[0], 1023, TABLES[0] + MIB)
        m.entry(TABLES[0] + MIB, 1023, PAGES + PAGE)
        m.one(0, IOVA_HIGH + PAGE, 64, status=FAULTED)
        m.fault(LEVEL_2, IOVA_HIGH + PAGE)
        m.set(INV_PAGE, IOVA)
        m.one(0, IOVA_HIGH + PAGE, 64, status=FAULTED)
        m.fault(LEVEL_2, IOVA_HIGH + PAGE)
        m.set(INV_PAGE, IOVA_HIGH + PAGE)
        m.captures(IOVA_HIGH + PAGE, PAGES + PAGE, 2)
        m.quiet()


def faults(program):
    """Each kind; the first one stays, and the channel stands still."""
    with Board(program) as m:
        m.one(0, IOVA, 64, status=FAULTED)
        m.fault(OFF, IOVA_RING, write=False)
        m.enable()
        m.one(0, 0x40000000, 64, status=FAULTED)
        m.fault(LEVEL_1, 0x40000000)
        m.one(1, IOVA, 64, status=FAULTED)
        m.fault(LEVEL_2, IOVA, channel=1, write=False)
        m.point(IOVA, PAGES, bits=VALID)
        m.one(1, IOVA, 64)
        m.one(0, IOVA, 64, status=FAULTED)
        m.fault(READ_ONLY, IOVA)
        m.point(IOVA, 1 << 39)
        m.set(INV_PAGE, IOVA)
        m.one(0, IOVA + 0x20, 64, status=FAULTED)
        m.one(1, IOVA, 64, status=FAULTED)
        m.fault(BUS, IOVA + 0x20, more=True)
        m.expect("tail", m.get(TAIL, 0), 0)
        m.point(IOVA, PAGES)
        m.set(INV_PAGE, IOVA)
        m.ring(0, 2, status=FAULTED)
        m.captures(IOVA, PAGES, 1)
        # The piece before is in memory, the rest is not.
        m.point(IOVA + PAGE, 0, bits=0)
        m.fill(PAGES, 9)
        m.one(0, IOVA, 2 * PAGE, 4, status=FAULTED)
        m.fault(LEVEL_2, IOVA + PAGE)
        m.expect("memory", m.read(PAGES, PAGE), frame(4, PAGE))
        m.quiet()


def interrupts(program):
    """By its pin: what is enabled, until it is cleared."""
    with Board(program) as m:
        m.enable()
        m.point(IOVA, PAGES)
        m.start(0)
        m.describe(0, 0, IOVA, 64)
        m.describe(0, 1, IOVA, 64, LAST | IRQ)
        m.ring(0, 1)
        m.expect("status", m.get(IRQ_STATUS), 0)
        m.ring(0, 2)
        m.expect("status", m.get(IRQ_STATUS), 1)
        m.expect("pin", m.interrupts(), False)
        m.set(IRQ_ENABLE, FAULT | 1)
        m.expect("pin", m.interrupts(), True)
        m.set(IRQ_STATUS, WORD - 1)
        m.expect("pin", m.interrupts(), True)
        m.set(IRQ_STATUS, 1)
        m.expect("pin", m.interrupts(), False)
        m.one(1, 0, 64, status=FAULTED)
        m.expect("pin", m.interrupts(), True)
        m.set(RESET, 0)
        m.expect("pin", m.interrupts(), False)
        m.quiet()


def stopping(program):
    """A channel that is stopped is at rest at once, and starts anew."""
    size = 16 * PAGE
    with Board(program) as m:
        for way in ((CTRL, 0, 0), (RESET, 0)):
            m.set(MMU_CTRL, 0)
            m.enable()
            for page in range(16):
                m.point(IOVA + PAGE * page, PAGES + PAGE * page)
            m.command("memset", PAGES, size, "0x0")
            m.start(0, sequence=5)
            m.set(PACE, 10_000_000, 0)
            m.describe(0, 0, IOVA, size)
            m.set(HEAD, 1, 0)
            m.step(35)
            m.expect("status", m.get(STATUS, 0), BUSY)
            m.set(*way)
            m.expect("status", m.get(STATUS, 0), 0)
            m.step(1000)
            m.expect("memory", m.read(PAGES, size),
                     frame(5, 3 * PAGE) + bytes(size - 3 * PAGE))
            m.expect("result", m.result(0, 0), (0, 0, 0, 0))
            m.set(MMU_CTRL, 0)
            m.set(MMU_TABLE, TABLES[0] // PAGE)
            m.set(MMU_CTRL, 1)
            m.set(PACE, 0, 0)
            m.captures(IOVA, PAGES, 6)
        m.set_config((SLOT, 0), qtest.COMMAND, 2)
        m.one(0, IOVA, 64, status=FAULTED)
        m.fault(BUS, IOVA_RING, write=False)
        m.quiet()


# What is broken, and how: (register, value, channel) after a start
RULES = (
    ("the table in use changes", ((MMU_TABLE, 1),)),
    ("invalidation from 0x1000 to 0xfff", ((INV_FIRST, PAGE),
                                           (INV_LAST, PAGE - 1))),
    ("channel 0: the ring in use", ((RING, 0, 0),)),
    ("channel 0: the ring in use", ((ENTRIES, 4, 0),)),
    ("channel 0: no descriptor 8", ((HEAD, COUNT, 0),)),
    ("channel 1: no descriptor 1", ((HEAD, 1, 1),)),
    ("no such ring", ((CTRL, 1, 1),)),
    ("no such ring", ((ENTRIES, 4097, 1), (CTRL, 1, 1))),
    ("no such ring", ((ENTRIES, 4, 1), (RING, 8, 1), (CTRL, 1, 1))),
)
DESCRIPTORS = (((IOVA + 2, 64, LAST), "address or length"),
               ((IOVA, 63, LAST), "address or length"),
               ((IOVA, 0, LAST), "address or length"),
               ((IOVA, 64, 4), "flags"))


def rules(program):
    """Software that breaks a rule is named."""
    for words, writes in RULES:
        with Board(program) as m:
            m.enable()
            m.start(0)
            for write in writes[:-1]:
                m.set(*write)
            m.quiet()
            m.set(*writes[-1])
            m.complains(words)
    for what, words in DESCRIPTORS:
        with Board(program) as m:
            m.enable()
            m.point(IOVA, PAGES)
            m.start(0)
            m.describe(0, 0, *what)
            m.ring(0, 1, status=BAD)
            m.complains(f"channel 0, descriptor 0: {words}")
            m.expect("interrupt", m.get(IRQ_STATUS), 1)
    with Board(program) as m:
        m.enable()
        m.point(IOVA, PAGES, bits=VALID | 4)
        m.one(1, IOVA, 64)
        m.complains(f"entry {IOVA // PAGE} of level 2 has bits")


def refused(program):
    """What cannot be is refused."""
    for words, why in (("channels=0", "1 to 8"), ("channels=9", "1 to 8")):
        try:
            with qtest.Machine(program, "-device", f"camera,{words}") as m:
                m.config((0, 0), 0)
        except Failure as e:
            if why in str(e):
                continue
            raise
        raise Failure(f"{words}: accepted")


def header(_):
    """The driver's copy of the registers is the model's."""
    model = TOP / "emulation/qemu/include/hw/misc/camera_regs.h"
    driver = TOP / "samples/iommu/camera-regs.h"
    if model.read_bytes() != driver.read_bytes():
        raise Failure(f"{driver.name} is not {model.name}")


def bare(program, directory):
    """Lines of the program that has the machine for itself."""
    image = pathlib.Path(directory) / "cpu_cache"
    subprocess.run(
        ["gcc", "-m32", "-O1", "-Wall", "-Werror", "-ffreestanding",
         "-fno-pic", "-no-pie", "-fno-stack-protector", "-nostdlib",
         "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-static",
         "-Wl,-Ttext-segment=0x100000,-z,noseparate-code,--build-id=none",
         "-I", TOP / "emulation/qemu/include/hw/misc", "-o", image,
         TOP / "guest/cpu_cache.c"], check=True)
    with subprocess.Popen(
            [program, "-machine", "q35", "-accel", "tcg", "-cpu", "max",
             "-m", "128M", "-display", "none", "-nodefaults", "-device",
             "camera", "-debugcon", "stdio", "-kernel", image, "-L",
             pathlib.Path(program).parent / "firmware"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True) as process:
        try:
            for line in process.stdout:
                if line.strip() == "end":
                    return
                yield line.strip()
        finally:
            process.kill()


def cache(program):
    """What a flush, or a mapping without the cache, makes seen, and when."""
    with tempfile.TemporaryDirectory(prefix="camera-") as directory:
        lines = list(bare(program, directory))
    # SeaBIOS may have its say before.
    bad = [line for line in lines if line.startswith("not ok")]
    good = [line for line in lines if line.startswith("ok")]
    if bad or len(good) < 20:
        raise Failure("; ".join(bad) or f"only {len(good)} tests: {lines}")


TESTS = (registers, frames, scatter, addresses, stale, stale_level, faults,
         interrupts, stopping, rules, refused, header, cache)
