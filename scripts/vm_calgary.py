# SPDX-License-Identifier: GPL-2.0-only
"""PCs with IBM's Calgary or CalIOC2, and devices before and behind it."""

import dataclasses
import math

import vm_small
from vm_machine import PC, Machine, Mode
from vm_small import AHCI, DISK, EDU, NICS, NVME, edu

BOARD = dataclasses.replace(PC, built=True, trace="calgary_tar_write")
# Slots of bridges to the buses of PHBs; nothing is on the third one.
SLOTS = (0x14, 0x15, 0x16)
# Roles behind the first PHB, and behind the second one
FIRST = ("nvme", "edu32")
SECOND = ("nic32", "edu64")
CARDS = ("edu40", "edu32", "edu64")
# As with RESYNC, where there is no IOMMU, or it does not translate
BEFORE = ("edu40.mask-change",)
UNTRANSLATED = (*BEFORE, *vm_small.RESYNC)
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
    ] + edu(40, 8)


def behind(words, what, domain="DMA-FQ", roles=(*FIRST, *SECOND), **more):
    """A mode in which these devices are translated."""
    return Mode(f"iommu=calgary{words} rig.mib=8", what,
                {role: domain for role in roles}, iommu="",
                **{"bounce": "no", "known": BEFORE} | more)


def errant(words, what, domain, least, **more):
    """A mode in which a card uses an address that it has no more."""
    return behind(f" {words} rig.errant=edu32", what, domain, **more,
                  says=(r"errant DMA of agent",
                        r"calgary0-phb0: slots are on again"),
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


def modes(second_bus, largest):
    """The modes of a machine whose second PHB roots a bus."""
    return {
        "lazy": errant("iommu.strict=0", "translated, flushes batched",
                       "DMA-FQ", 10),
        "strict": errant("iommu.strict=1",
                         "translated, flush at each unmap", "DMA", 1000),
        "1g": behind(" iommu.strict=0", "translated, 1 GiB", memory="1G"),
        "8g": behind(" iommu.strict=0", "translated, 8 GiB", memory="8G"),
        # Bounced where there is a mask of 32 bits
        "pt": behind(",pt", "pass-through", "identity", bounce="yes",
                     known=UNTRANSLATED),
        "off": Mode("rig.mib=8", "not asked for", None, iommu="",
                    bounce="yes", known=UNTRANSLATED),
        "crash": crash("iommu.strict=0", "translated"),
        "kexec": kexec("iommu.strict=0", "translated, not, and again"),
        "8m": behind(" calgary=8M iommu.strict=0", "tables of 8 MB",
                     config="q35-distro",
                     says=(SIZE.format(0, 8192), SIZE.format(1, 8192))),
        "small": behind(" calgary=2M iommu.strict=0", "tables of 2 MB",
                        says=(SIZE.format(0, 2048), SIZE.format(1, 2048))),
        "empty": behind(" calgary=translate_empty_slots,2M iommu.strict=0",
                        "tables for empty buses as well"),
        "disable": behind(f" calgary=disable={second_bus} iommu.strict=0",
                          "one bus translated, one not", roles=FIRST,
                          bounce="yes",
                          says=(r"PHB 1: \w+, buses .*, disabled",)),
        "words": behind(f" calgary={largest},bogus iommu.strict=0",
                        "an unknown word",
                        says=(r"calgary: .*'bogus'.*accepted are: 64k",)),
        "debug": errant("iommu.strict=0", "debug kernel, flushes batched",
                        "DMA-FQ", 10, slow=True),
    }


def machine(name, phbs, places, second_bus, nic, more=None):
    """A machine with one kind of chip."""
    ids = {"e1000": ("nic32", "8086:100e", 1),
           "e1000e": ("nic32", "8086:10d3", 2)}
    return Machine(
        name=name,
        memory="4608M",
        cpus=2,
        board=BOARD,
        modes=modes(second_bus, "4M") | (more or {}),
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
                         ran=("sleep.slept",))}
ALL = (
    machine("calgary", calgary_phbs(), ("addr=1", "addr=3"), 2,
            "e1000", SLEEP),
    machine("calioc2", calioc2_phbs(),
            ("addr=0.0,multifunction=on", "addr=0.1"), 2 * SLOTS[1],
            # No pin of such a bus reaches a processor.
            "e1000e"),
)
