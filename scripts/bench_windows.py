# SPDX-License-Identifier: GPL-2.0-only
"""DMA windows against bounce buffers, on the machine with a VT-d.

One kernel in pass-through mode, booted with windows and, as "stock", without.
What mapping costs is counted in instructions, on a machine whose time is their
number: that repeats. What a disk moves is timed; boots of both sides take
turns, but the machine is emulated all the same.
"""

import re
import statistics
import tempfile

import bench_map
import machines
import vm_machine
import vm_q35
from bench_report import derived
from common import OUT, Failure, say, step

NAME = "windows"
SIDES = {"stock": "iommu.windows=off", "new": "iommu.windows=on"}
# Boots of each side in which a disk works.
STARTS = 3
MACHINE = ["-nodefaults", "-no-user-config", "-display", "none",
           "-no-reboot", "-M", "q35", "-m", "6G", "-serial", "stdio",
           "-device", "intel-iommu,intremap=on",
           "-device", "piix4-ide,id=ide,bus=pcie.0,addr=7",
           "-device", "edu,bus=pcie.0,addr=8,dma_mask=0xffffffff",
           "-device", "edu,bus=pcie.0,addr=9,dma_mask=0xffffffffffffffff"]
# An instruction takes 1 ns, the time stamp counter counts ns, and nothing
# comes from outside.
COUNTING = ["-accel", "tcg,thread=single", "-smp", "1", "-icount",
            "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
COUNTING_WORDS = ["nokaslr", "tsc=reliable", "tsc_early_khz=1000000"]
TIMING = ["-accel", "tcg,thread=multi", "-smp", "2"]
SIZES = {"4096": "4k", "65536": "64k", "1048576": "1m"}
CARDS = {32: NAME, 64: "capable"}
# Refused mappings are what is measured.
REFUSED = r"overflow|dma_direct_map|kernel/dma/direct|WARNING:.* dma_direct"


def boot(images, side, what, machine, words):
    """One boot; returns what the guest has reported."""
    name = f"{NAME}-{what}-{side}"
    with step(name):
        text = bench_map.console(
            [*MACHINE, *machine], *images, [
                "rdinit=/windows-bench", "iommu=pt", SIDES[side],
                f"rig.do={what.split('-')[0]}", *words], name,
            REFUSED if what.startswith("flight") else None)
    return re.findall(r"rig: (.*?)\r?\n", text)


def number(lines, what):
    """The number in the line that begins with this word."""
    for line in lines:
        if line.split()[0] == what:
            return int(line.split()[1])
    raise Failure(f"the guest did not say \"{what}\"")


def cost(images, side):
    """Instructions of each mapping and its unmapping, and bytes bounced."""
    lines = boot(images, side, "cost", COUNTING, COUNTING_WORDS)
    rows, card = [], None
    for line in lines:
        what, *rest = line.split()
        if what == "card":
            card = CARDS[int(rest[0], 16).bit_length()]
        elif what == "bounced":
            rows += derived(f"{card}-bounced", "MiB",
                            [(side, int(rest[0]) / vm_machine.MIB)])
        elif what == "cost" and rest[0] == "memory":
            if int(rest[1], 16) < 1 << 32:
                raise Failure("the buffer is not above 4 GiB")
        elif what == "cost":
            rows += derived(f"{card}-{SIZES[rest[0]]}-{rest[1]}", "insns",
                            [(side, int(ticks)) for ticks in rest[2:]])
    return rows


def rate(images, side, disk):
    """Time for each MiB of checked data, what was bounced for it, slots."""
    lines = boot(images, side, "rate", [
        *TIMING, "-device", "ide-hd,bus=ide.0,drive=disk", "-drive",
        f"if=none,id=disk,format=raw,cache=unsafe,file={disk.name}"],
        ["swiotlb=track_hiwater",
         *vm_machine.clock_words(OUT / "tools/dmaload")])
    rows = []
    for line in lines:
        m = re.match(r"rate (\d+) write (\d+) read (\d+)", line)
        for way, us in zip(("write", "read"), m.groups()[1:]) if m else ():
            rows += derived(f"{NAME}-disk-{way}", "us",
                            [(side, int(us) / int(m[1]))])
    if not rows:
        raise Failure("the disk has moved nothing")
    rows += derived(f"{NAME}-disk-bounced", "MiB",
                    [(side, number(lines, "bounced") / vm_machine.MIB)])
    rows += derived(f"{NAME}-disk-slots", "slots",
                    [(side, number(lines, "slots"))])
    return rows + derived(f"{NAME}-in-flight", "MiB",
                          [(side, number(lines, "flight"))])


def flight(images, side):
    """What can be mapped at once when swiotlb is forbidden."""
    lines = boot(images, side, "flight", TIMING, [
        "swiotlb=noforce", *vm_machine.clock_words(OUT / "tools/dmaload")])
    return derived(f"{NAME}-in-flight-noforce", "MiB",
                   [(side, number(lines, "flight"))])


def speeds(rows):
    """Say what the disk moves, for people."""
    for way in ("write", "read"):
        for side in SIDES:
            mib = sorted(1e6 / r["value"] for r in rows if r["side"] == side
                         and r["work"] == f"{NAME}-disk-{way}")
            say(f"  32-bit disk, {way}, {side}: "
                f"{statistics.median(mib):.0f} MiB/s, from {mib[0]:.0f} to "
                f"{mib[-1]:.0f}; the machine is emulated")


def measure():
    """Everything, as rows like those of the other works."""
    images = machines.image(vm_q35.Q35, "plain")
    rows = []
    for side in SIDES:
        rows += cost(images, side)
    with tempfile.NamedTemporaryFile(dir=OUT, prefix="disk-") as disk:
        disk.truncate(vm_machine.MIB << 7)
        for n in range(STARTS):
            for side in sorted(SIDES, reverse=bool(n & 1)):
                rows += rate(images, side, disk)
    for side in SIDES:
        rows += flight(images, side)
    speeds(rows)
    return rows
