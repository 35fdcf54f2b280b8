# SPDX-License-Identifier: GPL-2.0-only
"""A PC whose IOMMU is the GART in the northbridges of AMD's K8."""

import dataclasses
import math

from vm_machine import PC, Machine, Mode
import vm_small
from vm_small import AHCI, DISK, EDU, NICS, NVME, edu

# The cards use both nodes, where there are two: those in even and odd slots.
BASE_CARDS = ("edu32", "edu40", "edu64")
CARDS = ("edu30", *BASE_CARDS)
FIRST_SLOT = 8
# Firmware's aperture is where the memory below 4 GiB ends.
LOW = "-machine", "max-ram-below-4g=1G"
APERTURE = 1 << 30
TIGHT = 2 << 20
# All cards share one space: others may be given what a card had.
ALONE = "rig.skip=stale-address"
# Less does not suffice for what all drivers map at their start.
FULL = 16 << 20
# It cannot reach this one, but bounce buffers, unless its mask becomes
# narrower; see vm_small.BOUNCING.
BOUNCED = ("edu30",)
BOUNCING = ("edu30.mask-change", "edu30.masks-differ")
# With "force" nothing is direct, and the aperture is beyond its mask.
BEYOND = tuple(f"edu30.{test}" for test in (
    "streaming-below-mask", "streaming-above-mask", "streaming-above-4g",
    "scatterlist", "coherent", "sync-reuse", "alloc-pages",
    "alloc-noncontiguous", "random", "quiet.stale-address", "masks-differ",
    "mask-change"))
STATS = tuple((device, "stats") for device in (
    NVME[1], "8086:2922", "8086:10d3", "8086:100e", EDU))

BOARD = dataclasses.replace(PC, built=True, emulated=True,
                            trace="k8_gart_flush")


def chips(*nodes):
    """Arguments for northbridges with these properties.

    Linux asks for other functions of a slot when there is a function 0.
    """
    args = [*LOW, "-cpu", "qemu64"]
    for slot, properties in enumerate(nodes, 0x18):
        args += ["-device", f"pci-testdev,addr={slot:x}.0,multifunction=on",
                 "-device", f"k8-gart,addr={slot:x}.3{properties}"]
    return args


def northbridges(*nodes):
    """Arguments for such northbridges, each a socket."""
    return (*chips(*nodes), "-smp", f"2,sockets={len(nodes)}")


def aperture(order, more=""):
    """Properties of a northbridge whose firmware has set an aperture."""
    return f",aperture={APERTURE:#x},order={order}{more}"


def devices(cards):
    """The usual devices, a disk that the chipset serves, and edu cards."""
    def args_of(images):
        args = vm_small.network(images) + [
            "-device", "ide-hd,bus=ide.0,drive=disk-ahci,serial=ahci"]
        for slot, card in enumerate(cards, FIRST_SLOT):
            args += edu(int(card[3:]), slot)
        return args
    return args_of


def machine(name, board, cards, modes):
    """A machine with these cards."""
    return Machine(
        name=name, memory="4608M", cpus=2, board=board, modes=modes,
        disks=("nvme", "ahci"), roles=("nvme", "ahci", "nic1", "nic32",
                                       *cards),
        required=(*DISK, *AHCI, *(f"{card}.run" for card in cards), *NICS),
        devices=devices(cards), plan="short",
        ids=(NVME, ("ahci", "8086:2922", 1), ("nic1", "8086:10d3", 1),
             ("nic32", "8086:100e", 1),
             *((card, EDU, number) for number, card in enumerate(cards, 1))))


def gart(words, what, *nodes, flushes=(20, 3000), **more):
    """A mode with these northbridges, flushed so often if lazy."""
    strict = "iommu.strict=1" in words
    if strict:
        flushes = (1000, math.inf)
    return Mode(f"{words} {ALONE} rig.mib=8", what,
                "DMA" if strict else "DMA-FQ",
                iommu="", layers=STATS, qemu=northbridges(*nodes),
                events={"flush": tuple(n * len(nodes) for n in flushes)},
                says=(rf"gart: aperture \[mem \S+\], {len(nodes)} node\(s\)",
                      *more.pop("says", ())), **more)


def next_kernel(words, what, node=aperture(5, ",prefetch=on"), **more):
    """A mode in which another kernel follows, which finds the GART in use."""
    return Mode(f"iommu.strict=0 {words} {ALONE} rig.mib=8", what, "DMA-FQ",
                iommu="", layers=STATS, next=("kernel", "initrd"),
                qemu=northbridges(node, node), **more)


def crash(words, what, mib=1024, ran=(), **more):
    """A mode in which devices are at work when their kernel dies."""
    return next_kernel(f"{words} crashkernel=256M rig.plan=crash", what,
                       says=(r"gart: going on with the table at \S+, \d+ of "
                             rf"{mib} MB are left alone",),
                       known_log=(r"Kernel panic - not syncing: sysrq trigg",
                                  r"Call Trace:"),
                       ran=("crash.translated", "crash.load", "nvme.kept",
                            "ahci.kept", *ran), **more)


# Not to be left out where a card of 32 bits is translated
TRANSLATED = ("edu32.streaming-above-mask", "edu32.streaming-above-4g",
              "edu32.quiet.stale-address", "edu32.in-flight")
OFTEN = (20, math.inf)
# 64 MiB are full at times; a flush for each mapping would be more.
AT_TIMES = (20, 8000)
FIXED = {"bounce": "no", "bounced": BOUNCED, "known": BOUNCING,
         "aperture": (APERTURE, 2 * APERTURE - 1), "ran": TRANSLATED}
STOLEN = r"AGP: Mapping aperture over RAM \[mem "
GART = machine("gart", BOARD, CARDS, {
    "lazy": gart("iommu.strict=0", "the GART, flushes batched",
                 aperture(5, ",prefetch=on"), **FIXED),
    "strict": gart("iommu.strict=1", "two nodes, flush at each unmap",
                   *2 * (aperture(5, ",prefetch=on,inv-reads=3"),),
                   **FIXED),
    "stolen": gart("iommu.strict=0", "the firmware sets up nothing",
                   ",prefetch=on", says=(STOLEN,), aperture=(),
                   known=BOUNCING, flushes=AT_TIMES,
                   ran=("aperture.not-in-kcore", *TRANSLATED)),
    "small": gart("iommu.strict=0", "the firmware's aperture is too small",
                  aperture(0, ",prefetch=on"), aperture=(), flushes=AT_TIMES,
                  says=(r"AGP: Node 0: aperture .* \(32MB\)", STOLEN),
                  known=BOUNCING),
    # What finds no room is bounced, and nothing is lost.
    "tight": gart(f"iommu.strict=0 iommu={TIGHT}",
                  "a window that is soon full",
                  aperture(5, ",prefetch=on"), bounce="yes",
                  known=BOUNCING, flushes=OFTEN, ran=TRANSLATED,
                  aperture=(APERTURE, 2 * APERTURE - 1,
                            2 * APERTURE - TIGHT)),
    "force": gart("iommu.strict=0 iommu=force", "nothing is direct",
                  aperture(5, ",prefetch=on"), flushes=OFTEN,
                  **FIXED | {"known": BEYOND}),
    # A card that asks for too much is told so, others come again.
    "full": gart(f"iommu.strict=0 iommu={FULL} iommu=force iommu=panic "
                 "swiotlb=noforce rig.full=edu32",
                 "all share a window that is soon full, nothing is bounced",
                 aperture(5, ",prefetch=on"), bounce="no", flushes=OFTEN,
                 known=BEYOND,
                 # The disk's driver reports each command that it repeats.
                 known_log=(r"ata1\.00: (exception Emask 0x0|failed comm)",),
                 ran=("full.refused", "edu32.in-flight",
                      "edu32.full.in-flight"),
                 aperture=(APERTURE, 2 * APERTURE - 1,
                           2 * APERTURE - FULL)),
    "crash": crash("iommu=force", "the kernel after a crash, translated",
                   bounce="no", known=BEYOND,
                   aperture=(APERTURE, 2 * APERTURE - 1)),
    "crash-stolen": crash("iommu=force", "after a crash, with an aperture "
                          "over memory", 64, ("aperture.not-in-vmcore",),
                          node=",prefetch=on", aperture=(), known=BEYOND),
    "1cpu": gart("iommu.strict=1 nr_cpus=1", "a node without a processor",
                 *2 * (aperture(5, ",prefetch=on"),), **FIXED),
    "kexec": next_kernel(
        "rig.plan=next rig.next=kernel:iommu=noaperture,"
        "kernel:iommu=fullflush+rig.plan=short", "kernels with, without and "
        "with the driver, each started by the one before",
        **FIXED | {"ran": tuple(f"{card}.turn-{turn}.window" for card in CARDS
                                for turn in (1, 2))}),
    "sleep": gart("iommu.strict=0 rig.plan=sleep", "suspend to RAM",
                  *2 * (aperture(5, ",prefetch=on"),), config="q35-distro",
                  flushes=OFTEN,
                  **FIXED | {"ran": ("sleep.slept", *TRANSLATED)}),
    "fullflush": gart("iommu.strict=0 iommu=fullflush",
                      "a flush for each mapping",
                      aperture(5, ",prefetch=on"),
                      flushes=(5000, math.inf), **FIXED),
    "memaper": gart("iommu.strict=0 iommu=memaper=3",
                    "an aperture of 256 MiB is taken from memory",
                    aperture(5, ",prefetch=on"), aperture=(),
                    says=(r"This costs you 256MB of RAM", STOLEN),
                    known=BOUNCING, ran=TRANSLATED),
    "noaperture": Mode("iommu=noaperture rig.mib=8",
                       "no aperture may be taken from memory", None,
                       iommu="", layers=STATS, bounce="yes",
                       qemu=northbridges(",prefetch=on"), known=BOUNCING,
                       known_log=(r"swiotlb addr \S+ overflow "
                                  r"\(mask 1f{7},",)),
    # A window is enough for what is asked for with these.
    "pt": gart("iommu.strict=1 iommu=pt", "pass-through, strict",
               aperture(5, ",prefetch=on"), **FIXED),
    "words": gart("iommu.strict=0 iommu=allowed,merge,biomerge,nomerge,"
                  "noagp,nopanic,nofullflush,bogus,noforce",
                  "words of the base's driver, and one that nobody knows",
                  aperture(5, ",prefetch=on"),
                  says=(r"gart: iommu=nofullflush ignored",
                        r"iommu: .*'bogus'.*accepted are"), **FIXED),
    "8g": gart("iommu.strict=0", "8 GiB", aperture(5, ",prefetch=on"),
               memory="8G", **FIXED),
    # All reach all memory, and the driver stays away.
    "1g": Mode("rig.mib=8", "1 GiB, so that no GART is needed", None,
               iommu="", layers=STATS, memory="1G", bounce="no",
               qemu=northbridges(aperture(5, ",prefetch=on"))),
    # What waits is flushed after a time, of which this kernel takes more. One
    # flush for each mapping would be 19000.
    "debug": gart("iommu.strict=0", "debug kernel, two nodes",
                  *2 * (aperture(5, ",prefetch=on"),), slow=True,
                  flushes=(20, 8000), **FIXED),
})

# The base's driver, whose cards have to reach the aperture.


def base(what, *nodes, **more):
    """A mode with these northbridges."""
    return Mode(f"{ALONE} rig.mib=8", what, None, iommu="", layers=STATS,
                qemu=northbridges(*nodes),
                events={"flush": (1000 * len(nodes), math.inf)}, **more)


OLD_GART = machine(
    "oldgart", dataclasses.replace(BOARD, config="q35-gart-base"), BASE_CARDS,
    {"one": base("the base's driver", aperture(5, ",prefetch=on")),
     "two": base("the base's driver, two nodes",
                 *2 * (aperture(5, ",prefetch=on,inv-reads=3"),)),
     "stolen": base("the base's driver, the firmware sets up nothing",
                    ",prefetch=on", says=(STOLEN,),
                    known=("edu32.in-flight",))})
ALL = GART, OLD_GART
