# SPDX-License-Identifier: GPL-2.0-only
"""PCs with IBM's Calgary or CalIOC2, and devices before and behind it."""

import dataclasses
import math

import vm_small
from vm_gart import STATS
from vm_machine import PC, Machine, Mode
from vm_small import AHCI, DISK, EDU, NICS, NVME, edu

BOARD = dataclasses.replace(PC, built=True, trace="calgary_tar_write")
# Slots of bridges to the buses of PHBs; nothing is on the last one.
SLOTS = (0x14, 0x15, 0x16, 0x17)
# Roles behind each PHB
FIRST = ("nvme", "edu32")
SECOND = ("nic32", "edu64")
THIRD = ("edu32b",)
ALONE = THIRD[0]
CARDS = ("edu40", "edu32", "edu64", ALONE)
# As with RESYNC, where there is no IOMMU, or it does not translate
BEFORE = ("edu40.mask-change",)
UNTRANSLATED = (*BEFORE, *vm_small.RESYNC, f"{ALONE}.mask-change")
# A window that begins within the smallest table and ends behind it
STRADDLING = ("-global", "calgary.mem1-base=0x1f00000",
              "-global", "calgary.mem1-limit=0x2000000")
# What makes a flush last, but not for more tries than have to be made
SLOW = ("-global", "calgary.split-busy=3",
        "-global", "calgary.soft-stop-faults=8")
SIZE = r"calgary0-phb{}: table of {} KB\s"
# What the kernel says of a DMA that it was asked for
ERRANT = (r"calgary\d-phb\d: (?:errant DMA|CSR|slots are off)",
          r"suspected of an errant DMA")


def calgary_phbs():
    """PHBs of a Calgary: each is on the bus of a bridge."""
    args = ["-device", "calgary,id=chip0,prefetch=on"]
    for number, slot in enumerate(SLOTS):
        args += ["-device", f"pci-bridge,id=bus{number},bus=pcie.0,"
                 f"addr={slot:x},chassis_nr={slot},shpc=off",
                 "-device", f"calgary-phb,chip=chip0,phb={number},"
                 f"bus=bus{number},addr=0"]
    return args


def calioc2_phbs():
    """PHBs of a CalIOC2: each is a port of a root bus of its own."""
    args = ["-device", "calgary,id=chip0,calioc2=on,prefetch=on"]
    for number, slot in enumerate(SLOTS):
        args += ["-device", f"pxb-pcie,id=root{number},bus=pcie.0,"
                 f"addr={slot:x},bus_nr={2 * slot}",
                 "-device", f"calioc2-phb,chip=chip0,phb={number},"
                 f"bus=root{number},addr=0,id=bus{number},chassis={slot},"
                 "slot=0"]
    return args


def devices(images, phbs, places, nic):
    """A disk, a NIC and cards behind PHBs; a disk, a NIC, a card before."""
    one, other = places
    return phbs + vm_small.blockdevs(images) + [
        "-device", f"nvme,id=nvme,bus=bus0,{one},drive=disk-nvme,"
        "serial=nvme",
        "-netdev", "hubport,id=net-nic32,hubid=0",
        "-netdev", "hubport,id=net-nic1,hubid=0",
        "-device", f"{nic},id=nic32,bus=bus1,{one},netdev=net-nic32,"
        "romfile=,mac=52:54:00:07:00:03",
        "-device", "e1000e,id=nic1,bus=pcie.0,addr=5,netdev=net-nic1,"
        "romfile=,mac=52:54:00:07:00:02",
        "-device", "ide-hd,bus=ide.0,drive=disk-ahci,serial=ahci",
        "-device", f"edu,id=edu32,bus=bus0,{other},dma_mask=0xffffffff",
        "-device", f"edu,id=edu64,bus=bus1,{other},"
        f"dma_mask={(1 << 64) - 1:#x}",
        "-device", f"edu,id={ALONE},bus=bus2,{one},dma_mask=0xffffffff",
    ] + edu(40, 8)


def high(*cards):
    """What these cards, all of 32 bits, must have done with memory above."""
    return tuple(f"{card}.{test}" for card in cards
                 for test in ("streaming-above-4g", "in-flight"))


def behind(words, what, domain="DMA-FQ", roles=(*FIRST, *SECOND, *THIRD),
           **more):
    """A mode in which these devices are translated."""
    return Mode(f"iommu=calgary{words} rig.mib=8", what,
                {role: domain for role in roles}, iommu="", layers=STATS,
                **{"bounce": "no", "known": BEFORE,
                   "ran": high("edu32", ALONE)} | more)


def errant(words, what, domain, least, **more):
    """A mode in which a card uses an address that it has no more."""
    return behind(f" {words} rig.errant=edu32", what, domain, **more,
                  says=(r"errant DMA of agent",
                        r"calgary0-phb0: slots are on again"),
                  ran=("edu32.errant.stale-address", "errant.isolated",
                       "errant.reported", "errant.no-dma", "errant.enabled",
                       "edu64.bystander.random", "edu32.enabled.random",
                       *high("edu32", ALONE)),
                  known_log=ERRANT, events={"tar_write": (least, math.inf)})


def crash(words, what):
    """A mode in which a second kernel goes on with the running tables."""
    kept = r"calgary0-phb{}: table at 0x\w+ of the kernel that crashed is kept"
    return behind(f" {words} crashkernel=256M rig.plan=crash "
                  "rig.after=calgary", f"the kernel after a crash, {what}",
                  says=(kept.format(0), kept.format(1)),
                  ran=("crash.translated", "crash.load", "nvme.kept",
                       "ahci.kept"),
                  next=("kernel", "initrd"),
                  # No DMA is errant in either kernel.
                  known_log=(r"Kernel panic - not syncing: sysrq triggered",
                             r"Call Trace:"))


def kexec(words, what):
    """A mode in which the second kernel has no driver, but the third has."""
    return behind(f" {words} rig.plan=next rig.next=kernel:iommu=soft,"
                  "kernel:iommu=calgary+rig.plan=calgary", what,
                  next=("kernel", "initrd"),
                  ran=tuple(f"{card}.turn-{turn}.window" for card in CARDS
                            for turn in (1, 2)))


def modes(second_bus, third_bus, bounced):
    """The modes of a machine two of whose PHBs root these buses.

    Roles with 32 bits are bounced where nothing is translated.
    """
    return {
        "lazy": errant("iommu.strict=0", "translated, flushes batched",
                       "DMA-FQ", 10),
        "strict": errant("iommu.strict=1",
                         "translated, flush at each unmap", "DMA", 1000,
                         qemu=SLOW),
        "1g": behind(" iommu.strict=0", "translated, 1 GiB", memory="1G",
                     ran=()),
        "8g": behind(" iommu.strict=0", "translated, 8 GiB", memory="8G"),
        "pt": behind(",pt", "pass-through", "identity", bounce="yes",
                     bounced=("edu32", *bounced), known=UNTRANSLATED),
        "off": Mode("rig.mib=8", "not asked for", None, iommu="",
                    layers=STATS, bounce="yes",
                    bounced=("edu32", *bounced), known=UNTRANSLATED,
                    ran=high("edu32", ALONE)),
        "crash": crash("iommu.strict=0", "translated"),
        "kexec": kexec("iommu.strict=0", "translated, not, and again"),
        "8m": behind(" calgary=8M iommu.strict=0", "tables of 8 MB",
                     config="q35-distro",
                     says=(SIZE.format(0, 8192), SIZE.format(1, 8192))),
        "small": behind(" calgary=2M iommu.strict=0", "tables of 2 MB",
                        says=(SIZE.format(0, 2048), SIZE.format(1, 2048))),
        # A card that asks for too much is told so, the others go on.
        "64k": behind(" calgary=64k iommu.strict=0 rig.full=edu32",
                      "tables of 64 KB, which are soon full", qemu=STRADDLING,
                      says=tuple(SIZE.format(n, 64) for n in range(3)),
                      ran=("full.refused", "edu32.full.in-flight",
                           *high("edu32", ALONE))),
        "empty": behind(" calgary=translate_empty_slots,2M iommu.strict=0 "
                        f"rig.replug={ALONE}",
                        "tables for empty buses as well, a card comes back",
                        says=tuple(SIZE.format(n, 2048) for n in range(4)),
                        ran=("replug.back", *high("edu32", ALONE))),
        "disable": behind(f" calgary=disable={second_bus},{third_bus},5 "
                          "iommu.strict=0", "one bus translated, two not",
                          roles=FIRST, bounced=bounced, known=UNTRANSLATED,
                          says=(r"PHB 1: \w+, buses .*, disabled",
                                r"PHB 2: \w+, buses .*, disabled",
                                r"calgary: 'disable=5' ignored, accepted "
                                r"are: \d")),
        "words": behind(" calgary=1M,bogus iommu.strict=0",
                        "an unknown word",
                        says=(r"calgary: .*'bogus'.*accepted are: 64k",
                              SIZE.format(0, 1024), SIZE.format(1, 1024))),
        "debug": errant("iommu.strict=0", "debug kernel, flushes batched",
                        "DMA-FQ", 10, slow=True),
    }


def machine(name, phbs, places, buses, nic, more):
    """A machine with one kind of chip."""
    ids = {"e1000": ("nic32", "8086:100e", 1),
           "e1000e": ("nic32", "8086:10d3", 2)}
    return Machine(
        name=name,
        memory="4608M",
        cpus=2,
        board=BOARD,
        modes=more | modes(
            *buses, (ALONE, "nic32") if nic == "e1000" else (ALONE,)),
        disks=("nvme", "ahci"),
        roles=("nvme", "ahci", "nic1", "nic32", *CARDS),
        required=(*DISK, *AHCI, *(f"{card}.run" for card in CARDS), *NICS),
        devices=lambda images: devices(images, phbs, places, nic),
        ids=(NVME, ("ahci", "8086:2922", 1), ("nic1", "8086:10d3", 1),
             ids[nic],
             *((card, EDU, number) for number, card in enumerate(CARDS, 1))),
        plan="calgary",
    )


# QEMU's PCIe slots have lost their cards when the machine wakes.
SLEEP = {"sleep": behind(" iommu.strict=0 rig.plan=sleep rig.after=calgary",
                         "suspend to RAM", config="q35-distro",
                         ran=("sleep.slept", *high("edu32", ALONE)))}
ALL = (
    machine("calgary", calgary_phbs(), ("addr=1", "addr=3"), (2, 3),
            "e1000", SLEEP),
    machine("calioc2", calioc2_phbs(),
            ("addr=0.0,multifunction=on", "addr=0.1"),
            (2 * SLOTS[1], 2 * SLOTS[2]),
            # No pin of such a bus reaches a processor.
            "e1000e", {}),
)
