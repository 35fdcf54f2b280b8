# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the rig's own checks: what must be noticed, and what must not."""

import pathlib
import struct
import tempfile
import unittest

import dmar
import external
import vm_gdb
import vm_ktap
import vm_log
import vm_q35
import vm_windows

NOTICED = """\
WARNING: at swiotlb_map+0x1f4/0x290, CPU#0: sh/473
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: KASAN: slab-use-after-free in dma_layer_pop+0x12/0x90
Oops: 0000 [#1] SMP
Kernel panic - not syncing: Fatal exception
UBSAN: array-index-out-of-bounds in kernel/dma/layer.c:12:3
WARNING: possible circular locking dependency detected
WARNING: inconsistent lock state
[ BUG: Invalid wait context ]
BUG: sleeping function called from invalid context at mm/slab.h:1
INFO: task insmod:77 blocked for more than 120 seconds.
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [sh:1]
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
DMAR: DRHD: handling fault status reg 2
DMAR: [DMA Write NO_PASID] Request device [00:08.0] fault addr 0xfffe000
DMA-API: nvme 0000:01:00.0: device driver tries to free DMA memory
nvme 0000:01:00.0: swiotlb buffer is full (sz: 4096 bytes)
dma_edu_test 0000:00:08.0: swiotlb addr 0x7be0f000+4 overflow (mask f,
e1000e 0000:02:00.0 eth1: Detected Hardware Unit Hang:
nvme nvme0: I/O tag 1 (1001) QID 1 timeout, completion polled
ata1.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen
refcount_t: underflow; use-after-free.
list_add corruption. prev->next should be next
EEH: Frozen PHB#0-PE#fd detected
iommu_free: invalid entry
""".splitlines()

HARMLESS = """\
Linux version 7.3.4 (gcc) #1 SMP PREEMPT
DMAR: No RMRR found
DMAR: dmar0: Using Queued invalidation
iommu: Debugging page allocations, expect overhead
e1000e 0000:02:00.0 eth1: NIC Link is Down
pcieport 0000:00:02.0: pciehp: Slot(1): Button press: will power off
nvme nvme0: Ignoring bogus Namespace Identifiers
RCU Tasks: Setting shift to 1 and lim to 1
ACPI: Reserving DMAR table memory at [mem 0x7ffe24da-0x7ffe2581]
APIC timer disabled due to verification failure
debug: unmapping init [mem 0xffffffff81926000-0xffffffff81a11fff]
swiotlb: area num 2.
EEH: PowerNV platform initialized
nvram: WARNING: nvram corruption detected: 0-length partition
""".splitlines()

KNOWN = ["------------[ cut here ]------------",
         "edu: swiotlb addr 0x7be0f000+4 overflow (mask fffffff, bus",
         "WARNING: at swiotlb_map+0x1f4/0x290", "Call Trace:",
         "---[ end trace 0000000000000000 ]---"]

SWIOTLB_KNOWN = (r"swiotlb addr \S+ overflow \(mask f{7},",)

LOCKS = ["WARNING: possible circular locking dependency detected",
         "7.3.4 #1 Not tainted",
         "------------------------------------------------------",
         "irq/26-pciehp/42 is trying to acquire lock:",
         "ffff8881041cf2d8 (&ctrl->reset_lock){.+.+}-{4:4}, at: "
         "pciehp_unconfigure_device+0x12b/0x1b0",
         "Call Trace:", " </TASK>"]


OOPS = ["Oops: double fault: 0000 [#1] SMP",
        "CPU: 1 UID: 0 PID: 191 Comm: qemu-system-x86 Not tainted 7.3.0",
        "RIP: 0010:svm_vcpu_run+0x1f0/0x5b0",
        "Code: 48 8b 04 25 <0f> 01 d8",
        "RSP: 0018:ffffc90000a3fd50 EFLAGS: 00010046",
        "CR2: ffffc90000a3fd48 CR3: 0000000103c4e000 CR4: 00000000007506f0",
        "Call Trace:", " kvm_arch_vcpu_ioctl_run+0x9d6/0x1a10 [kvm]",
        " ? asm_exc_double_fault+0x23/0x30", " </TASK>"]


class Log(unittest.TestCase):
    """vm_log"""

    def test_noticed(self):
        """Every kind of report fails a boot."""
        for line in NOTICED:
            with self.subTest(line):
                self.assertTrue(vm_log.complaints("x\n" + line + "\ny"))

    def test_places(self):
        """A report says where it happened, and no more than that."""
        self.assertEqual(vm_log.complaints("\n".join(OOPS)),
                         [line.strip() for line in OOPS if line not in (
                             OOPS[1], OOPS[3], OOPS[-1])])
        many = ["Call Trace:", *(f" f{i}+0x1/0x2" for i in range(40))]
        self.assertLess(len(vm_log.complaints("\n".join(many))), 20)
        self.assertEqual(vm_log.complaints("\n".join(many[1:])), [])

    def test_lost(self):
        """A double fault of KVM's thread is told from others."""
        text = "\n".join(f"[   T191] {line}" for line in OOPS)
        self.assertTrue(vm_log.LOST.search(text))
        self.assertFalse(vm_log.LOST.search(text.replace("qemu", "dmaload")))
        self.assertFalse(vm_log.LOST.search(text.replace("double", "page")))
        self.assertFalse(vm_log.LOST.search(
            text.replace("CPU: 1", "x\n" * 20 + "CPU: 1")))

    def test_stamped(self):
        """Time stamps do not hide a report."""
        for line in NOTICED:
            with self.subTest(line):
                stamped = f"[   12.345678][  T123] {line}"
                self.assertTrue(vm_log.complaints(stamped))

    def test_harmless(self):
        """What every boot says does not."""
        self.assertEqual(vm_log.complaints("\n".join(HARMLESS)), [])

    def test_known(self):
        """A known report is left out, the same without the pattern not."""
        known = SWIOTLB_KNOWN
        text = "\n".join(["a", *KNOWN, "b"])
        self.assertEqual(vm_log.complaints(text, known), [])
        self.assertTrue(vm_log.complaints(text))

    def test_known_at_once(self):
        """Two known reports at the same time, line by line in turns."""
        text = "\n".join(f"[{who:>6}] {line}" for line in KNOWN
                         for who in ("T71", "T170"))
        self.assertEqual(vm_log.complaints(text, SWIOTLB_KNOWN), [])
        self.assertTrue(vm_log.complaints(
            text.replace("swiotlb addr", "DMA addr", 1), SWIOTLB_KNOWN))
        self.assertEqual(vm_log.plain(text).splitlines()[::2], KNOWN)

    def test_printed_anew(self):
        """A line that is cut, and comes again, is there once."""
        for number, line in enumerate(KNOWN):
            for cut in (0, 5, len(line)):
                text = "\n".join([*KNOWN[:number], line[:cut],
                                  "** replaying previous printk message **",
                                  *KNOWN[number:]])
                self.assertEqual(vm_log.once(text), "\n".join(KNOWN))
        other = "a\nb\n** replaying previous printk message **\nc"
        self.assertEqual(vm_log.once(other), "a\nb\nc")

    def test_known_lock(self):
        """A lock report counts as known by the function that it names."""
        known = vm_q35.PCIEHP_KNOWN
        for caller in ("", "[   T42] "):
            text = "\n".join(caller + line for line in ["a", *LOCKS, "b"])
            self.assertEqual(vm_log.complaints(text, known), [])
            self.assertTrue(vm_log.complaints(text))
            other = text.replace("pciehp_unconfigure_device",
                                 "dma_layer_push")
            self.assertTrue(vm_log.complaints(other, known))

    def test_not_known(self):
        """Other reports stay, before, after and cut off."""
        known = SWIOTLB_KNOWN
        other = [KNOWN[0], "edu: something else", *KNOWN[2:]]
        for lines in (KNOWN + other, other + KNOWN, other[:3],
                      other[:3] + KNOWN):
            with self.subTest(lines):
                self.assertTrue(vm_log.complaints("\n".join(lines), known))

    def test_qemu(self):
        """A device that went astray."""
        self.assertTrue(vm_log.qemu_complaints(
            "EDU: clamping DMA 0x00000000ffff4000 to 0x000000000fff4000!"))
        self.assertEqual(vm_log.qemu_complaints(
            "warning: hub 0 is not connected to host network"), [])

    def test_bridge(self):
        """POWER9's host bridge refuses an address; a test asked for that."""
        line = "phb4[0:2]:  xlate 1030000:W TVE=20000000"
        self.assertTrue(vm_log.qemu_complaints(line))
        self.assertEqual(vm_log.qemu_complaints(line, (), {0x1030}), [])

    def test_gart(self):
        """No entry of a GART may be invalid, whoever asked for an access."""
        self.assertTrue(vm_log.qemu_complaints(
            "k8-gart: node 1: invalid PTE 0x00000000 for a write at "
            "0x1030004", (), {0x1030}))

    def test_wanted(self):
        """A fault that a test asked for, as each IOMMU reports it."""
        for line in ("DMAR: [DMA Write NO_PASID] Request device [0000:00:08.0]"
                     " fault addr 0xbf000000 [fault reason 0x05]",
                     "pci 0000:00:08.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
                     "domain=0x0012 address=0xbf000004 flags=0x0020]",
                     "virtio_iommu virtio0: page fault from EP 64 at "
                     "0xbf000004 []"):
            with self.subTest(line):
                self.assertTrue(vm_log.complaints(line))
                self.assertTrue(vm_log.complaints(line, (), {0xbf001}))
                self.assertEqual(vm_log.complaints(line, (), {0xbf000}), [])

    def test_known_lines(self):
        """A single line can be known as well, in QEMU's log too."""
        line = "DMAR: [DMA Read NO_PASID] Request device [x] fault addr 0x3000"
        self.assertTrue(vm_log.complaints(line))
        self.assertTrue(vm_log.complaints(line, ("fault addr 0x4",)))
        self.assertEqual(vm_log.complaints(line, ("fault addr 0x3",)), [])
        line = "vtd_iommu_translate: detected translation failure (iova=0x30)"
        self.assertTrue(vm_log.qemu_complaints(line))
        self.assertEqual(vm_log.qemu_complaints(line, ("iova=0x3",)), [])


class Memory:
    """What vm_gdb.Gdb offers, with memory that is only here."""

    def __init__(self, parts):
        self.bytes = bytearray(0x110000)
        for address, data in parts.items():
            self.write(address, data)

    def read(self, address, length):
        """Bytes of memory."""
        return bytes(self.bytes[address:address + length])

    def write(self, address, data):
        """Bytes to memory."""
        self.bytes[address:address + len(data)] = data


def firmware():
    """Memory with two ACPI tables, one of them a DMAR."""
    head = struct.pack("<4sIBB30xBB10x", b"DMAR", 0, 1, 0, 38, 1)
    unit = dmar.Record(dmar.DRHD, struct.pack("<BBHQ", 0, 0, 0, 0xfed90000)
                       + dmar.scope(8) + dmar.scope(7))
    table = dmar.Table(head[:dmar.HEADER], (unit,)).encode()
    root = struct.pack("<4sI28xII", b"RSDT", 44, 0x100100, 0x100200)
    other = struct.pack("<4sI28x", b"WAET", 36)
    return table, Memory({0xf59e0: b"RSD PTR " + struct.pack("<8xI", 0x100000),
                          0x100000: root, 0x100100: table, 0x100200: other})


class Dmar(unittest.TestCase):
    """dmar and vm_gdb"""

    def test_same(self):
        """A table that is read and written stays as it is."""
        table, _ = firmware()
        self.assertEqual(dmar.parse(table).encode(), table)
        self.assertEqual(sum(table) & 255, 0)

    def test_cases(self):
        """Each case changes the table; one of them its checksum."""
        table, _ = firmware()
        for name, case in dmar.CASES.items():
            with self.subTest(name):
                data = case.change(dmar.parse(table)).encode()
                self.assertNotEqual(data, table)
                self.assertEqual(struct.unpack_from("<I", data, 4)[0],
                                 len(data))
                self.assertEqual(sum(data) & 255, name == "checksum")

    def test_replace(self):
        """A shorter table stays in its place, a longer one moves."""
        for change, address in ((dmar.elsewhere(0), 0x100100),
                                (dmar.rmrr, 0x100240)):
            table, memory = firmware()
            data = change(dmar.parse(table)).encode()
            vm_gdb.Tables(memory).replace(b"DMAR", data)
            found = vm_gdb.Tables(memory)
            self.assertEqual(found.find(b"DMAR"), (0, address, data))
            self.assertEqual(found.find(b"WAET")[1], 0x100200)
            self.assertEqual(sum(memory.read(0x100000, 44)) & 255, 0)


class Without(unittest.TestCase):
    """vm_gdb.leave_out"""

    MAP = ("ffffffff80001000 T startup_64\nffffffff80002000 t flush\n"
           "ffffffff80003000 D flush_data\n")

    def leave_out(self, *functions):
        """What is where the functions were."""
        memory = Memory({})
        reached = []

        def reach(address):
            reached.append((address, bytes(memory.bytes[0x2000:0x2004])))
        memory.reach = reach
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            file.write(self.MAP)
            file.flush()
            vm_gdb.leave_out(memory, pathlib.Path(file.name), functions)
        # The kernel has been unpacked then.
        self.assertEqual(reached, [(0x1000, bytes(4))])
        return bytes(memory.bytes[0x2000:0x2004])

    def test_function(self):
        """It returns 0, and nothing else changes."""
        self.assertEqual(self.leave_out("flush"), b"\x31\xc0\xc3\0")

    def test_no_function(self):
        """Data, and what is not there, cannot be left out."""
        for name in ("flush_data", "flus", "drain"):
            with self.assertRaisesRegex(vm_gdb.GdbError, name):
                self.leave_out(name)


class External(unittest.TestCase):
    """external"""

    def test_install(self):
        """The kernel finds the table, and the one that matters."""
        table, memory = firmware()
        external.install(vm_gdb.Tables(memory))
        found = vm_gdb.Tables(memory)
        self.assertEqual(found.find(b"DMAR"), (0, 0x100100, table))
        data = found.find(b"SSDT")[2]
        self.assertEqual(data, external.table())
        self.assertEqual(sum(data) & 255, 0)


class Verdicts:
    """What the judge of a run offers to checks."""

    def __init__(self):
        self.found = {}

    def add(self, name, passed, _notes=()):
        """One more result."""
        self.found[name] = passed


class Windows(unittest.TestCase):
    """vm_windows"""

    MEMORY = [(0x100000, 0x7fffffff), (0x100000000, 0x1ffffffff)]
    LOW, HIGH = MEMORY[0][1], MEMORY[1][1]

    @staticmethod
    def windows(*words):
        """As dma-path states them."""
        return vm_windows.of_record({"windows": [
            f"{kind}:{first:#x}-{last:#x}" for kind, first, last in words]})

    def test_right(self):
        """Windows of a limited device, and of one that needs none."""
        limited = (("direct", 0, self.LOW),
                   ("translated", self.LOW + 1, 0xffffffff))
        for mask, words, shared in (
                (0xffffffff, limited, False), (1 << 40, limited, True),
                (0x3fffffff, (("direct", 0, 0xffffff),
                              ("translated", 1 << 24, self.LOW)), False),
                (1 << 40, (("direct", 0, self.HIGH),), False)):
            self.assertEqual(vm_windows.complaints(
                self.windows(*words), mask, self.MEMORY, self.HIGH, shared),
                [])

    def test_wrong(self):
        """Each mistake is noticed."""
        direct = ("direct", 0, self.LOW)
        for mask, words in (
                (0xffffffff, (direct,)),
                (0xffffffff, (("translated", 0x1000, 0xffffffff),)),
                (0xffffffff, (direct, ("translated", self.LOW, 0xffffffff))),
                (0xffffffff, (direct, ("translated", 0xe1000000, 1 << 32))),
                (0xffffffff, (direct, ("translated", 1 << 32, 1 << 33))),
                (0xffffffff, (("translated", self.LOW + 1, 0xffffffff),
                              direct)),
                (0xffffffff, (direct, ("translated", 0xffffffff, 1 << 31))),
                (1 << 40, (direct,)),
                (1 << 40, (("direct", 0, self.HIGH),
                           ("translated", self.HIGH + 1, 1 << 39)))):
            with self.subTest(words):
                self.assertTrue(vm_windows.complaints(
                    self.windows(*words), mask, self.MEMORY, self.HIGH))
        # Memory may come that the mask does not cover.
        self.assertTrue(vm_windows.complaints(
            self.windows(("direct", 0, self.HIGH)), 1 << 40, self.MEMORY,
            1 << 41))

    def test_reason(self):
        """Why there are windows; what is said must be that."""
        words = [f"direct:0x0-{self.LOW:#x}",
                 f"translated:{self.LOW + 1:#x}-0xffffffff"]
        console = "BIOS-e820: [mem 0x100000-0x1ffffffff] usable"
        wide, narrow = f"{1 << 40:#x}", "0xffffffff"
        for mask, coherent, right in (
                (narrow, narrow, "masks"), (narrow, wide, "dma_mask"),
                (wide, narrow, "coherent_mask"), (wide, wide, "group")):
            record = {"windows": words, "dma_mask": mask,
                      "coherent_mask": coherent}
            self.assertEqual(vm_windows.reason(record, self.HIGH), right)
            self.assertIsNone(vm_windows.reason(
                record | {"windows": words[:1]}, self.HIGH))
            for said in ("masks", "group", None):
                judge = Verdicts()
                vm_windows.check(judge, {"edu": record | {
                    "windows_for": said}}, console, True)
                with self.subTest(right=right, said=said):
                    self.assertEqual(judge.found["edu.windows-for"],
                                     said == right)

    def test_untrusted(self):
        """A device that is not trusted sees nothing directly."""
        direct, mapped = "direct:0x0-0xffff", "translated:0x10000-0xffffffff"
        for words, why, right in (
                ([mapped], None, True), ([direct, mapped], None, False),
                ([direct], None, False), ([mapped], "masks", False),
                (None, None, False)):
            judge = Verdicts()
            vm_windows.check(judge, {"edu": {
                "windows": words, "windows_for": why}}, "", False, ("edu",))
            with self.subTest(words=words, why=why):
                self.assertEqual(judge.found, {"edu.untrusted": right})

    def test_direct(self):
        """All memory has to be where it should be, and nowhere else."""
        low, high = "translated:0x0-0x7fffffff", "0x100000000-0x17fffffff"
        top = "0x800000000000000-0x80000007fffffff"
        for words, wanted, right in (
                ([low, f"direct:{high}"], 1 << 32, True),
                ([low, f"direct:{top}"], 1 << 32, False),
                ([low, f"direct:{high}", f"direct:{top}"], 1 << 32, False),
                ([low, f"direct:{high}"], None, False),
                ([low], 1 << 32, False),
                ([low], None, True),
                ([f"direct:{high}"], 1 << 32, False),
                ([low, f"translated:{high}"], None, False),
                ([f"translated:{high}"], None, False),
                (["translated:0x0-0x1ffffffff", f"direct:{high}"], 1 << 32,
                 False),
                ([f"direct:{high}", low], 1 << 32, False),
                (None, None, False)):
            judge = Verdicts()
            vm_windows.check_direct(
                judge, {"a": {"windows": words}}, "ab",
                {} if wanted is None else {"a": wanted})
            with self.subTest(words=words, wanted=wanted):
                self.assertEqual(judge.found,
                                 {"a.direct": right, "b.direct": False})

    def test_memory(self):
        """The memory of the machine, from the kernel's log."""
        self.assertEqual(vm_windows.memory_of(
            "BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable\n"
            "BIOS-e820: [mem 0x00000000fffc0000-0x00000000ffffffff] reserved\n"
            "BIOS-e820: [mem 0x0000000100000000-0x00000001ffffffff] usable"),
            self.MEMORY)

    def test_highest(self):
        """Memory that may come counts."""
        there = "BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable"
        self.assertEqual(vm_windows.highest_of(there), 0x7fffffff)
        self.assertEqual(vm_windows.highest_of(
            there + "\nACPI: SRAT: Node 0 PXM 0 [mem 0x280000000-0x3ffffffff] "
            "hotplug"), 0x3ffffffff)


class Aperture(unittest.TestCase):
    """vm_windows.aperture_complaints"""

    HIGHEST = 0x1ffffffff
    ALL = ["direct:0x0-0x3fffffff", "translated:0x40000000-0x7fffffff",
           "direct:0x80000000-0xffffffffffffffff"]

    def wrong(self, mask, path, windows, narrowed=False, used=()):
        """What is wrong with a device like that?"""
        return vm_windows.aperture_complaints(
            {"path": path, "windows": windows, "dma_mask": f"{mask:#x}",
             "coherent_mask": "0xffffffffffffffff"},
            (0x40000000, 0x7fffffff, *used), self.HIGHEST, narrowed)

    def test_right(self):
        """A limited device, one that is not, and one that was limited."""
        direct = [f"direct:0x0-{self.HIGHEST:#x}"]
        self.assertEqual(self.wrong(0xffffffff, "iommu", self.ALL), [])
        self.assertEqual(self.wrong(1 << 40, "direct", direct), [])
        self.assertEqual(self.wrong(1 << 40, "iommu", self.ALL, True), [])
        self.assertEqual(self.wrong(
            0xffffffff, "iommu",
            [self.ALL[0], "translated:0x60000000-0x7fffffff", self.ALL[2]],
            used=(0x60000000,)), [])

    def test_wrong(self):
        """Each mistake is noticed."""
        direct = [f"direct:0x0-{self.HIGHEST:#x}"]
        self.assertTrue(self.wrong(1 << 40, "iommu", self.ALL))
        self.assertTrue(self.wrong(0xffffffff, "direct", direct))
        self.assertTrue(self.wrong(0xffffffff, "direct", direct, True))
        self.assertTrue(self.wrong(0xffffffff, "iommu", self.ALL[:2]))
        self.assertTrue(self.wrong(0xffffffff, "iommu", self.ALL,
                                   used=(0x60000000,)))
        self.assertTrue(self.wrong(0xffffffff, "iommu", []))


class Ktap(unittest.TestCase):
    """vm_ktap"""

    def test_plain(self):
        """Results, skips and known failures."""
        results, complaints = vm_ktap.parse([
            "KTAP version 1", "ok 1 a.b", "not ok 2 - c",
            "ok 3 d # SKIP no such device", "not ok 4 e # TODO known", "1..4"])
        self.assertEqual(complaints, [])
        self.assertEqual([r.name for r in results], ["a.b", "c", "d", "e"])
        self.assertEqual([r.failed for r in results],
                         [False, True, False, False])
        self.assertEqual(results[2].skipped, "no such device")

    def test_form(self):
        """Missing results and a wrong plan are noticed."""
        self.assertTrue(vm_ktap.parse(["ok 1 a", "ok 3 b"])[1])
        self.assertTrue(vm_ktap.parse(["ok 1 a", "1..2"])[1])

    def test_console(self):
        """KUnit's report in the middle of a kernel log."""
        log = ("[    1.0] DMAR: x\n[    2.0] KTAP version 1\n[    2.0] 1..1\n"
               "[    2.1]     KTAP version 1\n[    2.1]     # Subtest: s\n"
               "[    2.1]     1..2\n[    2.1]     ok 1 one\n"
               "[    2.2] pci 0000: noise\n[    2.2]     not ok 2 two\n"
               "[    2.2] not ok 1 s\n[    3.0] ok then\n")
        results, complaints = vm_ktap.parse(vm_ktap.from_console(log))
        self.assertEqual(complaints, [])
        self.assertEqual([(r.name, r.passed) for r in results],
                         [("one", True), ("two", False), ("s", False)])


def run():
    """True when everything passed."""
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case)
        for case in (Log, Dmar, External, Windows, Aperture, Ktap))
    return unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful()
