# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the model of the K8 GART, without a kernel."""

import struct

import qtest
from common import Failure

MIB = 1 << 20
PAGE = 4096
CONTROL, BASE, TABLE, CACHE, MCA = 0x90, 0x94, 0x98, 0x9c, 0x40
ENABLE, NO_CPU, NO_IO, NO_PROBES = 1, 1 << 4, 1 << 5, 1 << 6
INVALIDATE, PTE_ERROR = 1, 2
VALID = 3           # and coherent

# 2 GiB of the memory are below 4 GiB, the rest is above.
MEMORY = "3G"
HIGH = 1 << 32
TABLES = 16 * MIB
PAGES = 32 * MIB
SCRATCH = 48 * MIB
BARS = 0x90000000
# Over memory, as when the kernel has to make one
APERTURE, ORDER = 512 * MIB, 1
SIZE = 32 * MIB << ORDER
SLOTS = (4, 5)      # of two cards; with two nodes each has one


class Board(qtest.Machine):
    """A machine with northbridges and two cards."""

    def __init__(self, program, nodes=1, **properties):
        options = {"aperture": APERTURE, "order": ORDER} | properties
        words = "".join(f",{key.replace('_', '-')}={value}"
                        for key, value in options.items())
        args = ["-m", MEMORY]
        for node in range(nodes):
            args += ["-device", f"k8-gart,addr={0x18 + node:x}.3{words}"]
        for slot in SLOTS:
            args += ["-device", f"edu,addr={slot:x},dma_mask={2 ** 64 - 1}"]
        super().__init__(program, *args)
        self.nodes = [(0x18 + node, 3) for node in range(nodes)]
        self.cards = [qtest.Card(self, slot, BARS + (MIB * number),
                                 SCRATCH + PAGE * number)
                      for number, slot in enumerate(SLOTS)]

    def enable(self, more=0, nodes=None):
        """Enable translation, as the rules want it."""
        for node in self.nodes if nodes is None else nodes:
            self.set_config(node, TABLE, TABLES >> 8)
            self.set_config(node, CONTROL, ORDER << 1 | NO_PROBES | ENABLE
                            | more)

    def flush(self, nodes=None):
        """InvGart."""
        for node in self.nodes if nodes is None else nodes:
            self.set_config(node, CACHE, INVALIDATE)

    def pte(self, index, addr, bits=VALID):
        """Have a PTE name a page."""
        value = addr & 0xfffff000 | addr >> 32 << 4 | bits
        self.write(TABLES + 4 * index, struct.pack("<I", value))

    def reads(self, card, addr, byte):
        """A card has to read this byte."""
        self.cards[card].reads(addr, byte)

    def make_stale(self):
        """PTE 3 is changed after it was read: from page 1 to page 2."""
        self.fill(PAGES, 1)
        self.fill(PAGES + PAGE, 2)
        self.pte(3, PAGES)
        self.reads(0, at(3), 1)
        self.pte(3, PAGES + PAGE)


def at(index):
    """Where a PTE's page is in the aperture."""
    return APERTURE + PAGE * index


def registers(program):
    """What is there after reset, and what can be written."""
    with Board(program) as m:
        node = m.nodes[0]
        for reg, there, writable in (
                (0, 0x11031022, 0), (MCA, 0, ~0), (CONTROL, ORDER << 1, 0x7f),
                (BASE, APERTURE >> 25, 0x7fff), (TABLE, 0, ~0xf),
                (CACHE, 0, 0)):
            m.expect(f"register {reg:#x}", m.config(node, reg), there)
            # Without the bit that enables translation
            value = 0xffffffff & ~(reg == CONTROL)
            m.set_config(node, reg, value)
            wanted = there & ~writable | value & writable
            m.expect(f"register {reg:#x}, written", m.config(node, reg),
                     wanted & 0xffffffff)
        m.quiet()


def identity(program):
    """What is not in the aperture is not translated, nor without enable."""
    with Board(program) as m:
        for number, addr in enumerate((PAGES, at(0) - 64, at(0), at(0) + SIZE,
                                       HIGH)):
            m.fill(addr, number + 1)
            m.reads(0, addr, number + 1)
        m.enable()
        for number, addr in ((0, PAGES), (1, at(0) - 64), (3, at(0) + SIZE),
                             (4, HIGH)):
            m.reads(0, addr, number + 1)
        m.quiet()


def translation(program):
    """First, last and other PTEs, with addresses above 4 GiB."""
    last = SIZE // PAGE - 1
    with Board(program) as m:
        m.enable()
        for number, index in enumerate((0, 1, 77, last)):
            addr = (PAGES, HIGH, HIGH + 5 * PAGE, PAGES + PAGE)[number]
            m.fill(addr, number + 1)
            m.pte(index, addr)
        for number, index in enumerate((0, 1, 77, last)):
            m.reads(0, at(index) + 8, number + 1)
        m.cards[0].write(at(77) + 0x123, b"to device")
        m.expect("written", m.read(HIGH + 5 * PAGE + 0x123, 9), b"to device")
        # Over a border, to pages that are not neighbours
        m.cards[0].write(at(1) - 4, b"12345678")
        m.expect("before", m.read(PAGES + PAGE - 4, 4), b"1234")
        m.expect("behind", m.read(HIGH, 4), b"5678")
        m.quiet()


def stale(program):
    """What a node has read stays until InvGart."""
    with Board(program) as m:
        m.enable()
        m.make_stale()
        m.reads(0, at(3), 1)
        m.set_config(m.nodes[0], CACHE, 0)
        m.set_config(m.nodes[0], CONTROL, ORDER << 1 | NO_PROBES)
        m.enable()
        m.reads(0, at(3), 1)
        m.flush()
        m.reads(0, at(3), 2)
        m.quiet()


def nodes(program):
    """Each node has its own registers, cards and PTEs."""
    with Board(program, nodes=2) as m:
        m.fill(PAGES, 1)
        m.fill(PAGES + PAGE, 2)
        m.fill(at(3), 9)
        m.pte(3, PAGES)
        m.enable(more=NO_CPU, nodes=m.nodes[:1])
        m.reads(0, at(3), 1)
        m.reads(1, at(3), 9)
        m.enable(more=NO_CPU, nodes=m.nodes[1:])
        m.reads(1, at(3), 1)
        m.pte(3, PAGES + PAGE)
        m.flush(m.nodes[:1])
        m.reads(0, at(3), 2)
        m.reads(1, at(3), 1)
        m.flush(m.nodes[1:])
        m.reads(1, at(3), 2)
        m.quiet()


def together(program):
    """With spread=off, all cards are the first node's."""
    with Board(program, nodes=2, spread="off") as m:
        m.fill(PAGES, 1)
        m.pte(3, PAGES)
        m.enable(nodes=m.nodes[:1])
        m.reads(0, at(3), 1)
        m.reads(1, at(3), 1)
        m.quiet()


def prefetch(program):
    """A walk reads the line's other PTEs, or only its own."""
    for word, near in (("off", 2), ("on", 1)):
        with Board(program, prefetch=word) as m:
            m.enable()
            m.fill(PAGES, 1)
            m.fill(PAGES + PAGE, 2)
            for index in (15, 16, 31, 32):
                m.pte(index, PAGES)
            m.reads(0, at(16), 1)
            for index in (15, 16, 31, 32):
                m.pte(index, PAGES + PAGE)
            m.reads(0, at(31), near)
            m.reads(0, at(16), 1)
            m.reads(0, at(15), 2)
            m.reads(0, at(32), 2)
            m.flush()
            m.reads(0, at(31), 2)
            m.quiet()


def invalid(program):
    """An invalid PTE's page is read, but not written; the node notes it."""
    with Board(program, nodes=2) as m:
        m.enable()
        m.fill(PAGES, 1)
        m.pte(3, PAGES, bits=2)
        m.reads(0, at(3), 1)
        m.complains(f"node 0: invalid PTE {PAGES | 2:#010x} for a read at "
                    f"{at(3):#x}")
        m.expect("error", [m.config(n, CACHE) for n in m.nodes],
                 [PTE_ERROR, 0])
        m.flush()
        m.expect("error", m.config(m.nodes[0], CACHE), PTE_ERROR)
        m.set_config(m.nodes[0], CACHE, PTE_ERROR)
        m.expect("error", m.config(m.nodes[0], CACHE), 0)
        m.cards[0].write(at(3), b"1234")
        m.complains("for a write")
        m.expect("memory", m.read(PAGES, 8), b"\1" * 8)
        m.expect("error", m.config(m.nodes[0], CACHE), PTE_ERROR)
        m.write(at(3), b"1")
        m.complains("for a write")
        m.expect("memory", m.read(PAGES, 8), b"\1" * 8)


def switches(program):
    """Accesses of processors and of devices are switched off apart."""
    for cpu in (0, NO_CPU):
        for io in (0, NO_IO):
            with Board(program) as m:
                m.fill(PAGES, 1)
                m.fill(at(3), 2)
                m.pte(3, PAGES)
                m.enable(more=cpu | io)
                m.reads(0, at(3), 2 if io else 1)
                m.expect("processor", m.read(at(3) + 1, 8).hex(),
                         ("02" if cpu else "01") * 8)
                m.write(at(3) + 16, b"written")
                m.expect("memory", m.read(PAGES + 16, 7) == b"written",
                         not cpu)
                # Nothing is translated twice.
                m.pte(4, at(3))
                m.reads(0, at(4) if not io else at(3), 2)
                m.quiet()


def interrupts(program):
    """What leads to interrupts is no part of the aperture."""
    with Board(program, aperture=0xc0000000, order=5) as m:
        m.set_config(m.nodes[0], TABLE, TABLES >> 8)
        m.set_config(m.nodes[0], CONTROL, 5 << 1 | NO_PROBES | NO_CPU | ENABLE)
        for addr, through in ((0xfedff000, True), (0xfee00000, False),
                              (0xfeeff000, False), (0xfef00000, True)):
            m.fill(PAGES, 1)
            m.pte((addr - 0xc0000000) // PAGE, PAGES)
            m.cards[0].write(addr, b"4567")
            m.expect(f"{addr:#x}", m.read(PAGES, 4) == b"4567", through)
        m.quiet()


def waiting(program):
    """InvGart ends, and PTEs are forgotten, when it has been read enough."""
    with Board(program, inv_reads=3) as m:
        m.enable()
        m.make_stale()
        m.flush()
        m.reads(0, at(3), 1)
        m.expect("InvGart", [m.config(m.nodes[0], CACHE) for _ in range(3)],
                 [INVALIDATE] * 3)
        m.reads(0, at(3), 1)
        m.expect("InvGart", m.config(m.nodes[0], CACHE), 0)
        m.reads(0, at(3), 2)
        m.quiet()


ON = ORDER << 1 | NO_PROBES | ENABLE
# What is broken, the registers that are written: (node, register, value),
# and whether translation is enabled on both nodes before that.
RULES = (
    ("node 1: aperture changed while node 0", True, ((1, CONTROL, ON & ~1),
                                                     (1, BASE, 8))),
    ("node 1: aperture changed while node 0", True, ((1, CONTROL, ON & ~1),
                                                     (1, CONTROL, ON & ~7))),
    ("node 1: table changed while node 1", True, ((1, TABLE, 0),)),
    ("node 0: enabled with table walk probes", False,
     ((0, CONTROL, ON & ~NO_PROBES),)),
    ("node 0: enabled with an aperture at 0x0, size", False,
     ((0, BASE, 0), (0, CONTROL, ON))),
    ("node 0: enabled with an aperture at 0x22000000", False,
     ((0, BASE, 17), (0, CONTROL, ON))),
    ("node 0: enabled with an aperture at 0x100000000", False,
     ((0, BASE, 128), (0, CONTROL, ON))),
    ("node 1: enabled and not programmed like node 0", False,
     ((0, TABLE, TABLES >> 8), (0, CONTROL, ON), (1, CONTROL, ON))),
    ("node 1: enabled and not programmed like node 0", False,
     ((1, BASE, 18), (0, CONTROL, ON), (1, CONTROL, ON))),
    ("node 1: enabled and not programmed like node 0", False,
     ((1, CONTROL, NO_PROBES), (0, CONTROL, ON),
      (1, CONTROL, NO_PROBES | ENABLE))),
)


def rules(program):
    """Software that breaks a rule is named."""
    for words, enabled, writes in RULES:
        with Board(program, nodes=2) as m:
            if enabled:
                m.enable()
            for node, reg, value in writes[:-1]:
                m.set_config(m.nodes[node], reg, value)
            m.quiet()
            node, reg, value = writes[-1]
            m.set_config(m.nodes[node], reg, value)
            m.complains(words)
    for bits in (1, 3 | 4, 3 | 8):
        with Board(program) as m:
            m.enable()
            m.pte(3, PAGES, bits=bits)
            m.reads(0, at(3), 0)
            m.complains("PTE 3 is valid")


PLACES = (
    (("k8-gart,addr=18.2",), "function 3 of slots"),
    (("k8-gart,addr=17.3",), "function 3 of slots"),
    (("k8-gart,addr=19.3",), "no node 0"),
    (("k8-gart,addr=18.3,order=7",), "no such aperture"),
    (("k8-gart,addr=18.3,order=1,aperture=0x2000000",), "no such aperture"),
    (("k8-gart,addr=18.3", "k8-gart,addr=1a.3"), "node 2 is not the next"),
    (("intel-iommu", "k8-gart,addr=18.3"), "another IOMMU"),
)


def places(program):
    """What cannot be is refused."""
    for devices, words in PLACES:
        args = [word for device in devices for word in ("-device", device)]
        with qtest.Machine(program, *args) as m:
            try:
                m.config((0, 0), 0)
            except Failure as e:
                if words in str(e):
                    continue
                raise
        raise Failure(f"{devices}: accepted")


TESTS = (registers, identity, translation, stale, nodes, together, prefetch,
         invalid, switches, interrupts, waiting, rules, places)
