# SPDX-License-Identifier: GPL-2.0-only
"""The GART's driver against that of the base, on the same machine.

Two kernels of one tree, the one of "stock" with GART_IOMMU. What mapping costs
is counted in instructions, on a machine whose time is their number, and in
flushes of the northbridge, which QEMU sees, whatever the kernel says.
"""

import re

import bench_map
import emulator
import machines
import vm_gart
import vm_machine
from bench_report import derived
from bench_windows import CARDS, COUNTING, COUNTING_WORDS, SIZES
from common import LOGS, Failure, say, step

NAME = "gart"
SIDES = {"stock": (vm_gart.OLD_GART, "one", []),
         "new": (vm_gart.GART, "lazy", ["iommu.strict=0"]),
         "strict": (vm_gart.GART, "lazy", ["iommu.strict=1"])}
MACHINE = ["-nodefaults", "-no-user-config", "-display", "none",
           "-no-reboot", "-M", "q35", "-m", "5G", "-serial", "stdio",
           *vm_gart.chips(vm_gart.aperture(5, ",prefetch=on")),
           "-device", "edu,bus=pcie.0,addr=8,dma_mask=0xffffffff",
           "-device", "edu,bus=pcie.0,addr=9,dma_mask=0xffffffffffffffff"]
COLUMN = {"stock": "stock", "new": "new", "strict": "new"}


def boot(qemu, side):
    """One boot; what the guest has reported, and how often it flushed."""
    machine, mode, words = SIDES[side]
    images = machines.image(machine, mode)
    name = f"{NAME}-{side}"
    LOGS.mkdir(parents=True, exist_ok=True)
    trace = LOGS / f"{name}.trace"
    with step(name):
        text = bench_map.console(
            [*vm_machine.firmware(qemu), *MACHINE, *COUNTING,
             "-trace", "k8_gart_flush", "-D", trace],
            *images, ["rdinit=/windows-bench", "rig.do=cost", *words,
                      *COUNTING_WORDS], name, qemu=qemu)
    seen = trace.read_text(errors="replace").count("k8_gart_flush")
    return re.findall(r"rig: (.*?)\r?\n", text), seen


def costs(lines, seen, side):
    """Rows of one boot."""
    rows, bits, mapped = [], None, 0
    work = NAME if side != "strict" else f"{NAME}-strict"
    for line in lines:
        what, *rest = line.split()
        if what == "card":
            bits = int(rest[0], 16).bit_length()
        elif what == "bounced" and int(rest[0]):
            raise Failure(f"the card with {bits} bits was bounced")
        elif what == "cost" and rest[0] == "memory":
            if int(rest[1], 16) < 1 << 32:
                raise Failure("the buffer is not above 4 GiB")
        elif what == "cost":
            card = "" if bits == 32 else f"-{CARDS[bits]}"
            mapped += len(rest[2:]) if bits == 32 else 0
            rows += derived(f"{work}{card}-{SIZES[rest[0]]}-{rest[1]}",
                            "insns", [(COLUMN[side], int(ticks))
                                      for ticks in rest[2:]])
    if not mapped:
        raise Failure("the card with 32 bits has measured nothing")
    return rows + derived(f"{work}-flushes", "per million",
                          [(COLUMN[side], seen * 1000000 / mapped)])


def measure():
    """All sides, as rows like those of the other works."""
    qemu = emulator.program(vm_gart.BOARD.qemu)
    rows = []
    for side in SIDES:
        rows += costs(*boot(qemu, side), side)
    say("the northbridge is QEMU's model, which flushes at once; real ones "
        "take longer.\nFlushes are those of a whole boot, for each mapping "
        "of the card with 32 bits")
    return rows
