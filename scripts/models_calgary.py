# SPDX-License-Identifier: GPL-2.0-only
"""The model of Calgary and CalIOC2, tried without a kernel."""

import pathlib
import struct
import subprocess

import qtest
from common import Failure

MIB = 1 << 20
PAGE = 4096
BBAR = 0xff000000
EBDA = 0x9fd80

# Registers: of the chip, 64 bits, and of a PHB, 32 bits
CCR, TAR = 0x108, 0x580
BUSES, SPLIT_QUEUE = 0x4020, 0x4870
CSR, PLSSR, CONFIG, AER = 0x110, 0x120, 0x160, 0x200
MEM_1, MEM_1_LIMIT = (0x1a0, 0x190), 0x1c0
MEM_2, MEM_2_LIMIT = (0x2c0, 0x2b0), (0x2d0, 0x2e0)
DETAIL, ROOT_COMPLEX = 0x810, 0xcb0
PMDR, PMCR, SAVIOR = 0xda0, 0xda8, 0xdb0

TCE_ENABLE, SLOTS_OFF, DAC_OFF, USE_MEM_2 = 1 << 29, 7 << 26, 1 << 24, 1 << 22
ARBITRATE = 0xf0000000
SOFT_STOP, SOFT_STOP_FAULT, HARD_STOP = 1 << 31, 1 << 30, 1 << 29
QUIRK = 1 << 23
IDLE = 0xff << 56
READ, WRITE = 1, 2
# Bits of CSR, as the model has them
NO_TCE, NO_PERMISSION, BEYOND, DAC = 1 << 31, 1 << 30, 1 << 29, 1 << 28
KEPT = 0x5a00000000000120      # what software has to leave in a TAR

# 2 GiB of the memory are below 4 GiB, the rest is above.
MEMORY = "3G"
HIGH = 1 << 32
TABLES = (16 * MIB, 24 * MIB)
SCRATCH = 30 * MIB
PAGES = 64 * MIB
BARS = 0x90000000
FIRST = 0x10       # slot of the first bridge
BUS = 0x20
FIRST_BEHIND, LAST_BEHIND = 0x28, 0x2a
SLOTS = (3, 5)


def function(bus, slot, number=0):
    """Where a function is, as qtest wants it."""
    return bus << 5 | slot, number


class Board(qtest.Machine):
    """A machine with a chip and one card for each of its PHBs in use."""

    def __init__(self, program, phbs=1, devices=(), **properties):
        options = {"id": "chip0", "bbar": BBAR} | properties
        words = "".join(f",{key.replace('_', '-')}={value}"
                        for key, value in options.items())
        args = ["-m", MEMORY, "-device", f"calgary{words}"]
        self.calioc2 = options.get("calioc2") == "on"
        for number in range(phbs):
            args += self.phb(number)
        for device in devices:
            args += ["-device", device]
        super().__init__(program, *args)
        self.cards = [self.card(number) for number in range(phbs)]

    def phb(self, number):
        """Arguments for a PHB, and for a card behind it."""
        top = f"bus{number}"
        kind, bus, slot = "calgary-phb", top, SLOTS[number]
        root, more = self.plain_bridge(top, "pcie.0", FIRST + number), ""
        if self.calioc2:
            kind, bus, slot = "calioc2-phb", f"port{number}", 0
            more = f",id={bus},chassis={number + 1}"
            root = f"pxb-pcie,id={top},bus=pcie.0,bus_nr={BUS + 16 * number}"
        return ["-device", root,
                "-device", f"{kind},chip=chip0,phb={number},bus={top},addr=0"
                f"{more}", "-device", f"edu,bus={bus},addr={slot:x},"
                f"dma_mask={2 ** 64 - 1}"]

    @staticmethod
    def plain_bridge(name, bus, slot):
        """A bridge to conventional PCI whose slot 0 is free."""
        return f"pci-bridge,id={name},bus={bus},addr={slot:x}," \
            f"chassis_nr={slot},shpc=off"

    def card(self, number):
        """The card behind a PHB, and the way to it."""
        bus, bar = BUS + 16 * number, BARS + 32 * MIB * number
        where = bus << 5 | SLOTS[number]
        if self.calioc2:
            self.bridge(function(bus, 0), (bus, bus + 8, bus + 8), bar)
            where = bus + 8 << 5
        else:
            self.bridge((FIRST + number, 0), (0, bus, bus + 15), bar, 32)
        return qtest.Card(self, where, bar, SCRATCH + PAGE * number)

    def bridge(self, where, buses_, memory, size=1):
        """Set up a bridge: its bus numbers, and some MiB of memory."""
        first, second, last = buses_
        self.set_config(where, 0x18, first | second << 8 | last << 16)
        self.set_config(where, 0x20,
                        memory >> 16 | memory + (size - 1) * MIB)
        self.set_config(where, qtest.COMMAND, qtest.COMMAND_VALUE)

    def get(self, offset, size=4):
        """A register of the chip."""
        return int.from_bytes(self.read(BBAR + offset, size), "big")

    def put(self, offset, value, size=4):
        """Write a register of the chip."""
        self.write(BBAR + offset, value.to_bytes(size, "big"))

    def of(self, reg, phb=0):
        """A register of a PHB."""
        return self.get(0x8000 + 0x1000 * phb + reg)

    def set(self, reg, value, phb=0):
        """Write a register of a PHB."""
        self.put(0x8000 + 0x1000 * phb + reg, value)

    def set_pair(self, regs, value):
        """Write 64 bits to a high and a low register."""
        self.set(regs[0], value >> 32)
        self.set(regs[1], value & 0xffffffff)

    def tar(self, phb=0):
        """The table address register."""
        return self.get(TAR + 8 * phb, 8)

    def set_tar(self, value, phb=0):
        """Write it."""
        self.put(TAR + 8 * phb, value, 8)

    def queue(self, phb=0):
        """The split queue."""
        return self.get(SPLIT_QUEUE + 0x1000 * phb, 8)

    def enable(self, code=0, config=TCE_ENABLE, phb=0):
        """Have a PHB translate; what the test and the card share stays."""
        self.tce(SCRATCH // PAGE + phb, SCRATCH + PAGE * phb, phb=phb)
        self.set_tar(KEPT | TABLES[phb] | code, phb)
        if self.calioc2:
            self.set(SAVIOR, QUIRK, phb)
        self.set(CONFIG, config, phb)

    def drain(self, phb=0):
        """Stop a PHB, as the rules want it."""
        if self.calioc2:
            self.set(PMCR, self.of(PMCR, phb) | SOFT_STOP, phb)
            self.queue(phb)
            self.of(PMCR, phb)
            return
        self.set(AER, 0, phb)
        self.of(PLSSR, phb)
        self.queue(phb)

    def resume(self, phb=0):
        """Have it go on."""
        if self.calioc2:
            self.set(PMCR, 0, phb)
        else:
            self.set(AER, ARBITRATE, phb)

    def flush(self, phb=0):
        """Have a PHB forget its TCEs."""
        self.drain(phb)
        self.set_tar(self.tar(phb), phb)
        self.resume(phb)

    def tce(self, index, addr, bits=READ | WRITE, phb=0):
        """Have a TCE name a page."""
        self.write(TABLES[phb] + 8 * index, struct.pack(">Q", addr | bits))

    def reads(self, addr, byte, card=0):
        """A card has to read this byte."""
        self.cards[card].reads(addr, byte)

    def writes(self, addr, target, there=True, card=0):
        """Does what a card writes get to its target?"""
        self.write(target, bytes(8))
        self.cards[card].write(addr, b"edu card")
        self.expect(f"card {card} writes {addr:#x} to {target:#x}",
                    self.read(target, 8) == b"edu card", there)

    def error(self, bits, agent=0, phb=0):
        """CSR has these bits and this agent, and is cleared."""
        self.expect("CSR", self.of(CSR, phb), bits | agent << 16)
        self.set(CSR, 0, phb)

    def quiet(self):
        """No rule was broken, and nothing failed."""
        super().quiet()
        for phb in range(4):
            self.expect(f"CSR of {phb}", self.of(CSR, phb), 0)


def each(test):
    """A test of both kinds."""
    def both(program):
        for kind in ("off", "on"):
            test(program, kind)
    both.__name__ = test.__name__
    both.__doc__ = test.__doc__
    return both


@each
def registers(program, kind):
    """What is there after reset, and what can be written."""
    with Board(program, calioc2=kind) as m:
        m.expect("id", m.config(function(BUS, 0), 0),
                 0x03081014 if kind == "on" else 0x02a11014)
        m.expect("header", m.config(function(BUS, 0), 0xc) >> 16 & 0x7f,
                 int(kind == "on"))
        m.expect("AER", m.of(AER), ARBITRATE)
        m.expect("TAR", m.tar(), KEPT)
        m.expect("MEM_1", [m.of(r) for r in (*MEM_1, MEM_1_LIMIT)],
                 [0, 0xc0000000, 0xfeffffff])
        m.put(CCR, 0xe00000000000, 8)
        m.expect("CCR", m.get(CCR, 8), 0xe00000000000)
        m.set(CONFIG, DAC_OFF, phb=2)
        m.expect("CONFIG_RW", [m.of(CONFIG, n) for n in range(4)],
                 [0, 0, DAC_OFF, 0])
        m.set_tar(KEPT | 0x12340000, phb=3)
        m.expect("TAR 3", m.tar(3), KEPT | 0x12340000)
        m.expect("TAR 2", m.tar(2), KEPT)
        for reg in (CSR, PLSSR, DETAIL):
            m.set(reg, 0xffffffff)
            m.expect(f"register {reg:#x}", m.of(reg), 0)
        m.quiet()
        for offset, size in ((0x8000 + AER, 8), (TAR, 4), (0x8004, 4),
                             (0xc110, 4), (SPLIT_QUEUE + 8, 8), (TAR + 32, 8)):
            m.expect(f"{offset:#x}", m.get(offset, size), 0)
            m.complains(f"no register of {size} bytes at {offset:#x}")
        if kind == "off":
            m.of(PMCR)
            m.complains("no register of 4 bytes at 0x8da8")


def buses(program):
    """Bus ranges are those of the bridges behind."""
    none = 0xffff00
    with Board(program, phbs=2, devices=(
            Board.plain_bridge("behind", "bus0", 9),)) as m:
        wanted = [BUS << 16, BUS + 0x10 << 16, none, none]
        m.expect("first", [m.get(BUSES + 0x1000 * n) for n in range(4)],
                 wanted)
        m.bridge(function(BUS, 9), (BUS, FIRST_BEHIND, LAST_BEHIND),
                 BARS + 16 * MIB)
        wanted[0] |= LAST_BEHIND << 8
        m.expect("then", [m.get(BUSES + 0x1000 * n) for n in range(4)],
                 wanted)
    with Board(program, calioc2="on") as m:
        m.expect("CalIOC2", m.get(BUSES), BUS << 16 | BUS + 8 << 8)


@each
def translation(program, kind):
    """Identity without enable; then TCEs, with addresses above 4 GiB."""
    with Board(program, calioc2=kind) as m:
        last = 8192 - 1
        m.fill(PAGES, 9)
        m.reads(PAGES, 9)
        m.fill(HIGH + 64, 8)
        m.reads(HIGH + 64, 8)
        m.enable()
        for number, index in enumerate((0, 1, 77, last)):
            addr = (PAGES, HIGH, HIGH + 5 * PAGE, PAGES + PAGE)[number]
            m.fill(addr, number + 1)
            m.tce(index, addr)
        for number, index in enumerate((0, 1, 77, last)):
            m.reads(PAGE * index + 8, number + 1)
        m.writes(77 * PAGE + 0x123, HIGH + 5 * PAGE + 0x123)
        # Over a border, to pages that are not neighbours
        m.cards[0].write(PAGE - 4, b"12345678")
        m.expect("before", m.read(PAGES + PAGE - 4, 4), b"1234")
        m.expect("behind", m.read(HIGH, 4), b"5678")
        m.quiet()


@each
def stale(program, kind):
    """What a PHB has read stays until its TAR is written."""
    with Board(program, calioc2=kind, phbs=2) as m:
        m.fill(PAGES, 1)
        m.fill(PAGES + PAGE, 2)
        for phb in range(2):
            m.enable(phb=phb)
            m.tce(3, PAGES, phb=phb)
            m.reads(3 * PAGE, 1, card=phb)
            m.tce(3, PAGES + PAGE, phb=phb)
            m.reads(3 * PAGE, 1, card=phb)
        for change in (lambda: m.set(CONFIG, 0), m.drain, m.resume):
            change()
        m.set(CONFIG, TCE_ENABLE)
        m.reads(3 * PAGE, 1)
        m.flush()
        m.reads(3 * PAGE, 2)
        m.reads(3 * PAGE, 1, card=1)
        m.flush(phb=1)
        m.reads(3 * PAGE, 2, card=1)
        # What permits nothing is not kept.
        m.tce(4, 0, bits=0)
        m.writes(4 * PAGE, PAGES, there=False)
        m.error(NO_TCE, SLOTS[0] if kind == "off" else 0)
        m.tce(4, PAGES)
        m.writes(4 * PAGE, PAGES)
        m.tce(4, 0, bits=0)
        m.writes(4 * PAGE, PAGES)
        m.quiet()


def prefetch(program):
    """A walk reads the line's other TCEs, or only its own."""
    for word, near in (("off", 2), ("on", 1)):
        with Board(program, prefetch=word) as m:
            m.fill(PAGES, 1)
            m.fill(PAGES + PAGE, 2)
            m.enable()
            for index in (15, 16, 31, 32):
                m.tce(index, PAGES)
            m.reads(16 * PAGE, 1)
            for index in (15, 16, 31, 32):
                m.tce(index, PAGES + PAGE)
            m.reads(31 * PAGE, near)
            m.reads(16 * PAGE, 1)
            m.reads(15 * PAGE, 2)
            m.reads(32 * PAGE, 2)
            m.flush()
            m.reads(31 * PAGE, 2)
            m.quiet()


def permissions(program):
    """A TCE permits reads, writes, both or nothing."""
    for bits in range(4):
        with Board(program) as m:
            m.enable()
            m.fill(PAGES, 1)
            m.tce(3, PAGES, bits=bits)
            wrong = NO_PERMISSION if bits else NO_TCE
            found = m.cards[0].read(3 * PAGE, 8) == b"\1" * 8
            m.expect(f"read with {bits}", found, bool(bits & READ))
            m.error(0 if bits & READ else wrong,
                    0 if bits & READ else SLOTS[0])
            m.writes(3 * PAGE, PAGES, there=bool(bits & WRITE))
            m.error(0 if bits & WRITE else wrong,
                    0 if bits & WRITE else SLOTS[0])
            m.quiet()


def sizes(program):
    """Each size code: the table's last entry, and what is behind it."""
    for code in range(8):
        with Board(program, mem1_base=0x50000000, mem1_limit=0x50000000) as m:
            m.enable(code)
            m.fill(PAGES, 1)
            entries = 8192 << code
            m.tce(entries - 1, PAGES)
            m.tce(entries, PAGES)
            m.reads((entries - 1) * PAGE, 1)
            m.quiet()
            m.writes(entries * PAGE, PAGES, there=False)
            m.error(BEYOND, SLOTS[0])
            m.quiet()


@each
def holes(program, kind):
    """What the chip does not translate."""
    def passed(addr):
        m.tce(addr // PAGE, PAGES)
        m.write(PAGES, bytes(8))
        m.cards[0].write(addr, b"edu card")
        return m.read(PAGES, 8) != b"edu card"

    with Board(program, calioc2=kind) as m:
        m.enable(7)
        for first, last in ((0xa0000, 0xfffff), (0xc0000000, 0xfeffffff)):
            m.expect(f"around {first:#x}",
                     [passed(addr) for addr in (
                         first - PAGE, first, last & -PAGE, last + 1)],
                     [False, True, True, False])
        m.quiet()
    with Board(program, calioc2=kind) as m:
        m.enable(7)
        m.set(MEM_1[1], 0x50000000)
        m.set(MEM_1_LIMIT, 0x50100000)
        m.set_pair(MEM_2, 0x60000000)
        m.set_pair(MEM_2_LIMIT, 0x60000000)
        for second in (False, True):
            if second:
                m.set(CONFIG, TCE_ENABLE | USE_MEM_2)
            m.expect("windows", [passed(addr) for addr in (
                0x50000000 - PAGE, 0x50000000, 0x501ff000, 0x50200000,
                0x60000000 - PAGE, 0x60000000, 0x600ff000, 0x60100000)],
                [False, True, True, False, False, second, second, False])
        m.writes(0x50000000, 0x50000000)
        # Interrupts pass in any case.
        m.expect("interrupts", [passed(addr) for addr in (
            0xfee00000 - PAGE, 0xfee00000, 0xfeeff000, 0xfef00000)],
            [False, True, True, False])
        m.quiet()
    with Board(program, calioc2=kind, mem2_base=HIGH + 16 * MIB,
               mem2_limit=HIGH + 16 * MIB) as m:
        m.expect("CONFIG_RW", m.of(CONFIG), USE_MEM_2)
        m.expect("MEM_2", [m.of(r) for r in (*MEM_2, *MEM_2_LIMIT)],
                 [1, 16 * MIB, 1, 16 * MIB])
        m.enable(7, config=TCE_ENABLE | USE_MEM_2)
        m.writes(HIGH + 16 * MIB, HIGH + 16 * MIB)
        m.quiet()
        m.writes(HIGH + 17 * MIB, HIGH + 17 * MIB, there=False)
        m.error(BEYOND, SLOTS[0] if kind == "off" else 0)


def split_queue(program):
    """It is busy for some reads after the PHB was stopped."""
    with Board(program, split_busy=3) as m:
        m.expect("before", m.queue(), IDLE)
        m.set(AER, 0)
        found = [m.read(BBAR + SPLIT_QUEUE, 8)[0] for _ in range(5)]
        m.expect("then", found, [0x7f, 0x7f, 0x7f, 0xff, 0xff])
        m.expect("of another PHB", m.queue(1), IDLE)
        m.quiet()


def soft_stop(program):
    """From SoftStop to HardStop, and what keeps a PHB from it."""
    with Board(program, calioc2="on", split_busy=2, soft_stop_faults=2) as m:
        m.enable()
        for _ in range(2):
            m.expect("PMCR", m.of(PMCR) & HARD_STOP, 0)
            m.set(PMCR, SOFT_STOP)
            while m.queue() != IDLE:
                pass
            m.expect("fault", m.of(PMDR), SOFT_STOP | SOFT_STOP_FAULT)
        m.of(PMCR)
        m.expect("fault", m.of(PMDR), SOFT_STOP | SOFT_STOP_FAULT)
        m.set(PMCR, SOFT_STOP)
        m.expect("soft", m.of(PMDR), SOFT_STOP)
        m.quiet()
        m.of(PMCR)
        m.complains("PMCR read in SoftStop, split queue not empty")
        while m.queue() != IDLE:
            pass
        m.expect("still soft", m.of(PMDR), SOFT_STOP)
        m.expect("PMCR", m.of(PMCR), SOFT_STOP)
        m.expect("hard", m.of(PMDR), HARD_STOP)
        m.set(PMDR, 0)
        m.expect("hard", m.of(PMDR), HARD_STOP)
        m.set_tar(m.tar())
        m.set(PMCR, 0)
        m.expect("running", [m.of(PMDR), m.of(PMCR)], [0, 0])
        m.quiet()


@each
def waiting(program, kind):
    """A stopped PHB lets nothing through, or what would wait sees memory."""
    for word in ("on", "off"):
        with Board(program, calioc2=kind, drop=word) as m:
            m.enable()
            m.tce(3, PAGES)
            m.writes(3 * PAGE, PAGES)
            m.tce(3, PAGES + PAGE)
            # The card fetches what it writes while that goes.
            m.write(SCRATCH, b"stopping")
            m.cards[0].transfer(SCRATCH, qtest.Card.BUFFER, 8,
                                qtest.Card.FROM_MEMORY)
            m.drain()
            m.cards[0].transfer(qtest.Card.BUFFER, 3 * PAGE, 8,
                                qtest.Card.TO_MEMORY)
            m.resume()
            m.expect("old page", m.read(PAGES, 8), b"edu card")
            m.expect("new page", m.read(PAGES + PAGE, 8) == b"stopping",
                     word == "off")
            m.writes(3 * PAGE, PAGES)
            m.quiet()


def errors(program):
    """The first error's device is named until the error is cleared."""
    with Board(program, devices=(
            Board.plain_bridge("behind", "bus0", 9),
            f"edu,bus=behind,addr=2,dma_mask={2 ** 64 - 1}")) as m:
        m.bridge(function(BUS, 9), (BUS, FIRST_BEHIND, LAST_BEHIND),
                 BARS + 16 * MIB)
        m.cards.append(qtest.Card(m, FIRST_BEHIND << 5 | 2, BARS + 16 * MIB,
                                  SCRATCH))
        m.enable()
        m.writes(5 * PAGE, PAGES, there=False, card=1)
        m.tce(6, PAGES, bits=READ)
        m.writes(6 * PAGE, PAGES, there=False)
        m.expect("where", [m.of(DETAIL + 0x10 * n) for n in range(3)],
                 [0, 5 * PAGE, BUS << 8 | 9 << 3])
        m.error(NO_TCE | NO_PERMISSION, 9)
        m.writes(6 * PAGE, PAGES, there=False)
        m.error(NO_PERMISSION, SLOTS[0])
        # Two of three bits do not cut the slots off.
        m.tce(7, PAGES)
        for off in (3 << 26, SLOTS_OFF, 0):
            m.set(CONFIG, TCE_ENABLE | off)
            m.writes(7 * PAGE, PAGES, there=off != SLOTS_OFF)
        m.quiet()
    with Board(program, calioc2="on") as m:
        m.enable()
        m.writes(5 * PAGE, PAGES, there=False)
        m.expect("root complex", m.of(ROOT_COMPLEX), 1)
        m.error(NO_TCE)


@each
def dac(program, kind):
    """Addresses of 64 bits are refused, translated or not."""
    with Board(program, calioc2=kind) as m:
        m.writes(HIGH, HIGH)
        m.set(CONFIG, DAC_OFF)
        m.writes(HIGH, HIGH, there=False)
        m.writes(PAGES, PAGES)
        m.error(DAC, SLOTS[0] if kind == "off" else 0)
        m.enable(7, config=TCE_ENABLE | DAC_OFF)
        m.tce(3, HIGH)
        m.writes(3 * PAGE, HIGH)
        m.writes(HIGH + 3 * PAGE, HIGH, there=False)
        m.error(DAC, SLOTS[0] if kind == "off" else 0)
        m.quiet()


NOT_DRAINED = "TAR written and the PHB not drained"
STOP, POSTED = (AER, 0), (PLSSR, None)
# What is done with registers, None: read, before the last write is complained
# about; a register of 64 bits is a letter.
RULES = (
    (NOT_DRAINED, "off", (("T", 0),)),
    (NOT_DRAINED, "off", (STOP, ("T", 0))),
    (NOT_DRAINED, "off", (STOP, POSTED, ("T", 0))),
    (NOT_DRAINED, "off", (STOP, ("Q", None), ("T", 0))),
    (NOT_DRAINED, "off", (POSTED, STOP, ("Q", None), ("T", 0))),
    (NOT_DRAINED, "off", (("Q", None), STOP, POSTED, ("T", 0))),
    (NOT_DRAINED, "off", (STOP, POSTED, ("Q", None), (AER, ARBITRATE),
                          ("T", 0))),
    (NOT_DRAINED, "on", (STOP, POSTED, ("Q", None), ("T", 0))),
    (NOT_DRAINED, "on", ((PMCR, SOFT_STOP), ("Q", None), (PMDR, None),
                         ("T", 0))),
    (NOT_DRAINED, "on", ((PMCR, SOFT_STOP), ("Q", None), (PMCR, None),
                         (PMCR, 0), ("T", 0))),
    ("TAR's other bits changed", "off", ((CONFIG, 0), ("T", 1 << 5))),
    ("TAR's other bits changed", "off", ((CONFIG, 0), ("T", 1 << 57))),
    ("is not aligned to 0x20000", "off", ((CONFIG, 0), ("T", 1 | 1 << 16))),
    ("without a table", "off", ((CONFIG, 0), ("T", TABLES[0]),
                                (CONFIG, TCE_ENABLE))),
    ("without bit 8 of 0xdb0", "on", ((CONFIG, 0), (SAVIOR, 0),
                                      (CONFIG, TCE_ENABLE))),
)


def rules(program):
    """Software that breaks a rule is named."""
    for words, kind, steps in RULES:
        with Board(program, calioc2=kind) as m:
            m.enable()
            for reg, value in steps:
                m.quiet()
                if reg == "T":
                    m.set_tar(m.tar() ^ value)
                elif reg == "Q":
                    m.queue()
                elif value is None:
                    m.of(reg)
                else:
                    m.set(reg, value)
            m.complains(words)
    with Board(program, split_busy=1) as m:
        m.enable()
        m.drain()
        m.set_tar(m.tar())
        m.complains(NOT_DRAINED)
    for bits in (1 << 2, 1 << 11, 1 << 48, 1 << 63):
        with Board(program) as m:
            m.enable()
            m.tce(3, PAGES, bits=READ | WRITE | bits)
            m.writes(3 * PAGE, PAGES)
            m.complains("TCE 3 has reserved bits")


def rio(version, *chips):
    """The table of the EBDA, by the facts."""
    none = b"\xff"
    table = struct.pack("<HHBBB", 0, 0x4752, version, 1, len(chips))
    table += struct.pack("<BI", 0, 0xfe000000) + none * 6
    table += bytes([1]) if version == 3 else b""
    for number, (bbar, chassis, slot) in enumerate(chips):
        table += struct.pack("<BIBB", number + 2, bbar, 5 if number else 4, 0)
        table += none * 4 + bytes([slot, 1])
        table += bytes([number, chassis]) if version == 3 else b""
    return table


def ebda(program):
    """The Rio table is where firmware has it, and again after a reset."""
    second = "calgary,id=second,bbar=0xff100000,chassis=2,first-slot=7"
    for version in (3, 2, 0):
        chips = (BBAR, 1, 1), (0xff100000, 2, 7)
        with Board(program, devices=(second,), rio_version=version) as m:
            wanted = rio(version, *chips) if version else b""
            wanted += bytes(80 - len(wanted))
            m.expect(f"version {version}", m.read(EBDA, 80).hex(" "),
                     wanted.hex(" "))
            m.write(EBDA, b"\xaa" * 80)
            m.enable()
            m.command("outb", 0xcf9, 6)
            for _ in range(1000):
                if m.tar() == KEPT:
                    break
            m.expect("TAR after reset", m.tar(), KEPT)
            m.expect("CONFIG_RW after reset", m.of(CONFIG), 0)
            if version:
                size = len(rio(version, *chips))
                m.expect("after reset", m.read(EBDA, size).hex(" "),
                         wanted[:size].hex(" "))


def refused(program):
    """What cannot be is refused."""
    bus = Board.plain_bridge("b", "pcie.0", FIRST)
    root = "pxb-pcie,id=b,bus_nr=32"
    other = Board.plain_bridge("d", "pcie.0", FIRST + 1)
    phb = "calgary-phb,bus=b,addr=0"
    for words, why in (
            ("calgary,bbar=0xff080000", "bbar"),
            ("calgary,rio-version=1", "rio-version"),
            ("calgary,rio-version=4", "rio-version"),
            (f"{bus} {phb}", "chip must be"),
            (f"calgary,id=c {root} calioc2-phb,bus=b,chip=c", "calioc2=on"),
            (f"calgary,id=c,calioc2=on {bus} {phb},chip=c", "calioc2=off"),
            (f"calgary,id=c {bus} {phb},chip=c,phb=4", "below 4"),
            (f"calgary,id=c {bus} calgary-phb,bus=b,chip=c,addr=1",
             "device 0"),
            (f"calgary,id=c {bus} {other} {phb},chip=c "
             "calgary-phb,bus=d,addr=0,chip=c", "not taken")):
        args = [word for device in words.split()
                for word in ("-device", device)]
        done = subprocess.run(
            [program, "-machine", "q35", "-accel", "qtest", "-display",
             "none", "-nodefaults", "-L",
             pathlib.Path(program).parent / "firmware", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
            timeout=60, text=True)
        if not done.returncode or why not in done.stderr:
            raise Failure(f"{words}: {done.stderr or 'accepted'}")


TESTS = (registers, buses, translation, stale, prefetch,
         permissions, sizes, holes, split_queue, soft_stop, waiting, errors,
         dac, rules, ebda, refused)
