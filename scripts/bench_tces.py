# SPDX-License-Identifier: GPL-2.0-only
"""The window at 4 GB against TCEs for each mapping, on POWER9.

One kernel, booted with iommu=iommu_bypass and, as "stock", without. What
mapping costs is counted in instructions, on a machine whose time is their
number, in kills of TCEs, and in writes to the tables of all devices: QEMU sees
both, whatever the kernel says.
"""

import re
import subprocess

import emulator
import machines
import vm_power
from bench_report import derived
from bench_windows import SIZES
from common import LOGS, Failure, say, step

NAME = "tces"
SIDES = {"stock": "", "new": "iommu=iommu_bypass"}
LIMIT = 300
# Masks of the two cards
BITS = (40, 64)
# An instruction takes 1 ns; the time base counts each 1/512 us.
MACHINE = [*vm_power.POWERNV, "-display", "none",
           "-no-reboot", "-M", "powernv9", "-m", "6G", "-serial", "stdio",
           "-accel", "tcg,thread=single", "-smp", "1",
           "-icount", "shift=0,sleep=off", "-trace", "phb4_tce_kill",
           "-trace", "phb4_table_*"]
INSNS = 1000 / 512
PAGE = 1 << 16


def boot(qemu, images, side):
    """One boot; the console's text, with what QEMU traces in it."""
    cards = [word for number, bits in enumerate(BITS, 2)
             for word in vm_power.edu(bits, f"bus=pcie.{number},addr=0")]
    log = LOGS / f"{NAME}-{side}.console"
    LOGS.mkdir(parents=True, exist_ok=True)
    words = ("console=hvc0 panic=-1 loglevel=5 rdinit=/windows-bench "
             f"rig.do=cost rig.bits={','.join(map(str, BITS))} rig.leave=256 "
             f"{SIDES[side]}")
    with step(f"{NAME}-{side}"), open(log, "wb") as f:
        try:
            subprocess.run(
                [qemu, "-L", qemu.parent / "firmware", *MACHINE, *cards,
                 "-kernel", images[0], "-initrd", images[1],
                 "-append", words], stdin=subprocess.DEVNULL, stdout=f,
                stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"the machine did not power off, see {log}"
                          ) from None
    text = log.read_text(errors="replace")
    if "rig: done" not in text or "WARNING:" in text:
        raise Failure(f"{NAME}-{side} failed, see {log}")
    if "phb4_table_watched" not in text:
        raise Failure(f"{NAME}-{side}: no table was watched, see {log}")
    return text


def costs(text, side):
    """Rows of one boot."""
    rows = []
    for card in re.findall(r"rig: card (.*?)rig: bounced", text, re.S):
        bits = int(card.split()[0], 16).bit_length()
        start = re.search(r"rig: cost memory (\w+)", card)
        if not start or int(start[1], 16) < vm_power.GIB_4:
            raise Failure(f"the card with {bits} bits has mapped nothing "
                          "above 4 GB")
        mappings = pages = 0
        for size, way, ticks in re.findall(
                r"rig: cost (\d+) (\w+) ([\d ]+)", card):
            ticks = [int(t) * INSNS for t in ticks.split()]
            mappings += len(ticks)
            pages += len(ticks) * max(1, int(size) // PAGE)
            rows += derived(f"{NAME}-{bits}-{SIZES[size]}-{way}", "insns",
                            [(side, t) for t in ticks])
        if not mappings:
            raise Failure(f"the card with {bits} bits has measured nothing")
        kills = card.count("phb4_tce_kill ")
        writes = card.count("phb4_table_write ")
        for what, count in (("kills", kills / mappings),
                            ("writes", writes / mappings),
                            ("writes-64k", writes / pages)):
            rows += derived(f"{NAME}-{bits}-{what}", "per million",
                            [(side, count * 1000000)])
    return rows


def measure():
    """Both sides, as rows like those of the other works."""
    qemu = emulator.program("qemu-system-ppc64")
    images = machines.image(vm_power.POWER9, "bypass")
    rows = []
    for side in SIDES:
        rows += costs(boot(qemu, images, side), side)
    say("TCEs are killed in QEMU's host bridge; real ones take longer. "
        "Writes are given per\nmapping, and per 64 KiB of one; unmapping "
        "writes as well")
    return rows
