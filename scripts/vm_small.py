# SPDX-License-Identifier: GPL-2.0-only
"""Machines with few devices and short boots, for modes of which many exist."""

import dataclasses
import functools
import math
import struct

import dmar
import external
from vm_machine import PC, Machine, Mode, blockdevs, with_caches

EDU = "1234:11e8"
NVME = ("nvme", "1b36:0010", 1)
# What the kernel says once, in addition to what is wrong.
GOES_ON = r"DMAR: DMA remapping stays off, the machine goes on without"
# What is required of the usual devices
DISK = tuple(f"nvme.traffic.{what}" for what in ("write", "verify"))
AHCI = tuple(f"ahci.traffic.{what}" for what in ("write", "verify"))
NICS = tuple(f"{nic}.{what}" for nic in ("nic32", "nic32.back")
             for what in ("send", "receive", "through-card"))

# dma_set_mask() has forgotten that bounced mappings exist, which then are not
# synchronised any more.
RESYNC = ("edu32.mask-change",)


def edu(bits, slot, bus="pcie.0"):
    """A card with an address mask."""
    return ["-device", f"edu,id=edu{bits},bus={bus},addr={slot:x},"
            f"dma_mask={(1 << bits) - 1:#x}"]


def bridged(roles):
    """Cards behind a bridge to conventional PCI; a role ends in its bits."""
    args = []
    for number, role in enumerate(roles, 1):
        args += edu(int(role[3:]), number, "bridge")
    return args


def disk(images):
    """The disk, which reaches all memory."""
    return [*blockdevs(images), "-device", "nvme,id=nvme,bus=pcie.0,addr=7,"
            "drive=disk-nvme,serial=nvme"]


def network(images):
    """The disk, and two network cards, one of which has 32 bits."""
    args = disk(images)
    for role in ("nic1", "nic32"):
        args += ["-netdev", f"hubport,id=net-{role},hubid=0"]
    return args + [
        "-device", "e1000e,id=nic1,bus=pcie.0,addr=5,netdev=net-nic1,"
        "romfile=,mac=52:54:00:07:00:02",
        "-device", "e1000,id=nic32,bus=pcie.0,addr=6,netdev=net-nic32,"
        "romfile=,mac=52:54:00:07:00:03"]


def one_of_each(images):
    """A disk with 64 bits and a card with 32, which has to be helped."""
    return disk(images) + edu(32, 8)


def two_devices(name, modes, **more):
    """A machine with one of each."""
    return Machine(
        name=name, modes=with_caches(modes), cpus=2, disks=("nvme",),
        roles=("nvme", "edu32"), devices=one_of_each,
        ids=(NVME, ("edu32", EDU, 1)), **more)


# --- tables that are broken -------------------------------------------------

def broken(case):
    """The mode that boots with a broken DMAR."""
    change = functools.partial(dmar.install, change=case.change,
                               ones=case.ones)
    if case.off:
        # Swiotlb is there when the IOMMU is not.
        return Mode(f"rig.mib=8 {case.words}", case.what, None,
                    says=(case.says, GOES_ON), firmware=change, bounce="yes",
                    known=RESYNC)
    return Mode(f"rig.mib=8 {case.words}", case.what, "DMA-FQ",
                says=(case.says,), firmware=change, bounce="no")


DMAR = two_devices(
    "dmar", {name: broken(case) for name, case in dmar.CASES.items()},
    memory="5G", plan="short", required=(*DISK, "edu32.run"))

# --- memory that firmware keeps for a device --------------------------------


def reserved(words, what, domain):
    """A mode with a region for the edu card."""
    return Mode(f"{words} {dmar.SPARE_WORDS} rig.region={dmar.SPARE:#x}",
                f"DMA to an RMRR while domains are replaced, {what}", domain,
                firmware=functools.partial(dmar.install, change=dmar.rmrr))


RMRR = Machine(
    name="rmrr",
    memory="5G",
    cpus=2,
    modes=with_caches({
        "lazy": reserved("iommu.strict=0", "translated", "DMA-FQ"),
        "pt": reserved("iommu=pt", "pass-through", "identity"),
        "pt-sm": dataclasses.replace(
            reserved("iommu=pt intel_iommu=sm_on rig.types=DMA,DMA-FQ",
                     "pass-through, scalable mode", "identity"),
            vtd="x-scalable-mode=on", bounce="no", windows=True,
            ran=("edu32.in-flight",)),
    }),
    disks=(),
    roles=("edu32",),
    required=("rmrr.DMA.data", "rmrr.switch.data", "rmrr.after.data",
              "rmrr.vfio.refused", "rmrr.vfio.data", "rmrr.bind-3.data"),
    devices=lambda images: edu(32, 8),
    ids=(("edu32", EDU, 1),),
    plan="switch",
)

# --- memory that comes later ------------------------------------------------

GROW = two_devices(
    "grow", {
        "lazy": Mode("iommu.strict=0 rig.mib=8", "memory comes, translated",
                     "DMA-FQ", bounce="no"),
        "pt": Mode("iommu=pt rig.mib=8", "memory comes, pass-through",
                   "identity", bounce="no", windows=True),
    },
    memory="2G", more_memory=",slots=2,maxmem=8G", plan="grow",
    required=(*DISK, "edu32.run", "edu32.grown.streaming-above-4g",
              "edu32.grown.streaming-above-mask"))

# --- a crash ---------------------------------------------------------------


def crash(words, what, domain):
    """A mode in which a second kernel finds the IOMMU translating."""
    return Mode(f"{words} crashkernel=256M rig.mib=8",
                f"the kernel after a crash, {what}", domain,
                next=("kernel", "initrd"),
                says=(r"DMAR: Translation already enabled",
                      r"Copied translation tables from previous kernel"),
                known_log=(r"Kernel panic - not syncing: sysrq triggered",
                           r"Call Trace:"))


CRASH = two_devices(
    "crash", {"pt": crash("iommu=pt", "pass-through", "identity"),
              "lazy": crash("iommu.strict=0", "translated", "DMA-FQ")},
    memory="5G", plan="crash",
    required=("crash.translated", "crash.load", "nvme.kept", *DISK,
              "edu32.run"))

# --- allocations that fail ---------------------------------------------------

# With PASID tables, QEMU does not notice that a card goes from pass-through to
# translation.  The driver is at work when the card gets its windows, so that
# they take the little room where no memory is; a mask of 31 bits is bounced.
FAULTS = two_devices(
    "faults", {
        "pt": Mode("iommu=pt rig.mib=8",
                   "allocations fail while a mask changes", "identity",
                   known=RESYNC,
                   known_log=(r"page allocation failure: order:\d, mode:.*",
                              r"Call Trace:"),
                   ran=("edu32.faults.mask-change-faults",)),
    },
    memory="5G", plan="faults",
    required=("edu32.said-once", "edu32.windows-again", *DISK, "edu32.run",
              "edu32.windows-anew"))

# --- devices that are not trusted --------------------------------------------

OUTSIDE = ("edu28", "edu32", "edu64")


def outside_devices(images):
    """A disk and a card, which has windows, and cards that must have none."""
    args = disk(images) + edu(30, 8) + [
        "-device", "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1,"
        f"addr={external.SLOT:x}",
        "-device", "pcie-pci-bridge,id=bridge,bus=port0"]
    return args + bridged(OUTSIDE)


EXTERNAL = Machine(
    name="external",
    memory="5G",
    cpus=2,
    modes=with_caches({
        "pt": Mode("iommu=pt iommu.strict=0 rig.mib=8",
                   "cards that are not trusted, pass-through", "identity",
                   firmware=external.install, bounce="no", windows=True,
                   untrusted=OUTSIDE,
                   # As with RESYNC: these are bounced.
                   known=tuple(f"{card}.mask-change" for card in OUTSIDE)),
    }),
    disks=("nvme",),
    roles=("nvme", "edu30", *OUTSIDE),
    required=(*DISK, "edu30.run", *(f"{card}.run" for card in OUTSIDE)),
    devices=outside_devices,
    ids=(NVME, ("edu30", EDU, 1),
         *((card, EDU, number) for number, card in enumerate(OUTSIDE, 2))),
    plan="short",
)

# --- every mask -------------------------------------------------------------

BITS = (28, 30, 32, 36, 40, 64)
CARDS = tuple(f"edu{bits}" for bits in BITS)


def all_masks(images):
    """Cards with six masks, one network card with 32 bits and one with 64."""
    args = network(images)
    for number, bits in enumerate(BITS):
        args += edu(bits, 0x11 + number)
    return args


def far_memory(tables):
    """Have the firmware say that memory may come in the third TiB.

    Without KVM, QEMU's processors have 40 bits and no room for it.
    """
    _, _, data = tables.find(b"SRAT")
    more = struct.pack("<BBIHQQIIQ", 1, 40, 0, 0, 2 << 40, 1 << 40, 0, 3, 0)
    tables.replace(b"SRAT", dmar.Table(data + more, ()).encode())


# Swiotlb's pool lies above what 28 and 30 bits reach: refused, with a warning.
ABOVE_MASK = ("streaming-above-mask", "streaming-above-4g", "scatterlist",
              "sync-reuse", "random", "masks-differ")
BOUNCING = {
    "known": (*(f"{card}.{test}" for card in ("edu28", "edu30")
                for test in ABOVE_MASK),
              *(f"{card}.mask-change" for card in CARDS)),
    "known_log": (r"swiotlb addr \S+ overflow \(mask [37]?f{6,7},",),
}
FULL_WINDOW = tuple(f"edu{bits}.full-window" for bits in (28, 30, 32))
MASKS = Machine(
    name="masks",
    memory="6G",
    cpus=2,
    modes=with_caches({
        "lazy": Mode("iommu.strict=0 rig.mib=8", "translated, flushes batched",
                     "DMA-FQ", bounce="no"),
        "strict": Mode("iommu.strict=1 rig.mib=8",
                       "translated, flush at each unmap", "DMA", bounce="no"),
        "pt": Mode("iommu=pt rig.mib=8", "pass-through", "identity",
                   bounce="no", windows=True,
                   ran=("edu32.in-flight", *FULL_WINDOW,
                        "edu28.type-stays")),
        "pt-noforce": Mode("iommu=pt iommu.strict=1 swiotlb=noforce rig.mib=8",
                           "pass-through, strict, swiotlb forbidden",
                           "identity", bounce="no", windows=True,
                           ran=("edu32.in-flight", *FULL_WINDOW,
                                "edu28.type-stays")),
        "pt-far": Mode("iommu=pt rig.mib=8",
                       "pass-through, memory may come beyond 40 bits",
                       "identity", bounce="no", windows=True,
                       memory="6G,slots=1,maxmem=7G", vtd="aw-bits=48",
                       firmware=far_memory),
        # At first all have 32 bits, which suffice.
        "pt-small": Mode("iommu=pt rig.mib=8", "pass-through, 1 GiB",
                         "identity", bounce="no", windows=True, memory="1G"),
        "pt-off": Mode("iommu=pt iommu.windows=off rig.mib=8",
                       "pass-through, without windows", "identity",
                       bounce="yes", **BOUNCING),
        "none": Mode("rig.mib=8", "without IOMMU", None, iommu="",
                     bounce="yes", **BOUNCING),
        "off": Mode("intel_iommu=off rig.mib=8", "IOMMU switched off", None,
                    bounce="yes", **BOUNCING),
        "soft": Mode("iommu=soft rig.mib=8", "swiotlb asked for", "DMA-FQ",
                     bounce="no"),
        "noforce": Mode("swiotlb=noforce rig.mib=8", "swiotlb forbidden",
                        "DMA-FQ", bounce="no"),
    }),
    disks=("nvme",),
    roles=("nvme", "nic1", "nic32", *CARDS),
    required=(*DISK, *(f"{card}.run" for card in CARDS), *NICS),
    devices=all_masks,
    ids=(NVME, ("nic1", "8086:10d3", 1), ("nic32", "8086:100e", 1),
         *((card, EDU, number) for number, card in enumerate(CARDS, 1))),
    plan="short",
)

# --- other IOMMUs ------------------------------------------------------------

# All of them want to hear of what is mapped, too. The base makes those strict
# that a hypervisor shadows; virtio-iommu may be lazy.
STALE = ("edu32.stale-address", "edu64.stale-address")
STATS = tuple((device, "stats")
              for device in (NVME[1], "8086:10d3", "8086:100e", EDU))


def another(what, domain, **more):
    """A mode in which all is translated, lazily if the IOMMU lets it."""
    return Mode("iommu.strict=0 rig.mib=8", what, domain, layers=STATS,
                bounce="no", ran=STALE, **more)


def past(what, bounce, words="", **more):
    """A mode in pass-through."""
    return Mode(f"iommu=pt {words} rig.mib=8", f"{what}, pass-through",
                "identity", bounce=bounce, **more)


CACHING = {"vtd": "caching-mode=on",
           "says": (r"DMAR: IOMMU batching disallowed",)}
AMD = {"iommu": "amd-iommu", "trace": "amdvi_pages_inval",
       "says": (r"AMD-Vi: Using strict mode due to virtualization",)}
VIRTIO = {"iommu": "virtio-iommu-pci", "trace": "virtio_iommu_*map",
          "says": (r"virtio_iommu virtio\d: page mask: ",)}
IOMMUS = Machine(
    name="iommus",
    memory="5G",
    cpus=2,
    modes=with_caches({
        "caching": another("VT-d in caching mode", "DMA", told=True,
                           **CACHING),
        "caching-pt": past("VT-d in caching mode", "no", "iommu.strict=1",
                           windows=True, ran=STALE[:1], **CACHING),
    }) | {
        "amd": another("AMD-Vi", "DMA", told=True, **AMD),
        "amd-pt": past("AMD-Vi", "yes", known=RESYNC, **AMD),
        "debug-amd": another("AMD-Vi, debug kernel", "DMA", told=True,
                             slow=True, **AMD),
        "virtio": another("virtio-iommu", "DMA-FQ",
                          events={"map": (1000, math.inf)}, **VIRTIO),
        "virtio-pt": past("virtio-iommu", "yes", known=RESYNC, **VIRTIO),
    },
    disks=("nvme",),
    roles=("nvme", "nic1", "nic32", "edu32", "edu64"),
    required=(*DISK, "edu32.run", "edu64.run", *NICS),
    devices=lambda images: network(images) + edu(32, 8) + edu(64, 9),
    ids=(NVME, ("nic1", "8086:10d3", 1), ("nic32", "8086:100e", 1),
         ("edu32", EDU, 1), ("edu64", EDU, 2)),
    plan="short",
)

# --- several devices in a group ----------------------------------------------

# All that is behind such a bridge has one requester id, that of the bridge.
GROUP = ("edu28", "edu32", "edu64")


def group_devices(images):
    """Cards behind a bridge to conventional PCI, a disk with an own IOTLB."""
    args = ["-device", "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1,"
            "addr=2",
            "-device", "pcie-pci-bridge,id=bridge,bus=pcie.0,addr=3"]
    args += [*blockdevs(images), "-device", "virtio-blk-pci,id=virtio,"
             "bus=port0,drive=disk-virtio,disable-legacy=on,"
             "iommu_platform=on,ats=on,serial=virtio"]
    return args + bridged(GROUP)


GROUPS = Machine(
    name="groups",
    memory="5G",
    cpus=2,
    modes=with_caches({
        "lazy": Mode("iommu.strict=0 rig.mib=8",
                     "a group of cards, translated", "DMA-FQ", bounce="no",
                     vtd="device-iotlb=on"),
        "pt": Mode("iommu=pt rig.mib=8", "a group of cards, pass-through",
                   "identity", bounce="no", windows=True, shared=True,
                   vtd="device-iotlb=on", ran=("edu32.in-flight",)),
    }),
    disks=("virtio",),
    roles=("virtio", *GROUP),
    required=("virtio.traffic.write", "virtio.traffic.verify", "virtio.ats",
              "edu.one-group", "group.refused", "vfio.killed-unmapped",
              *(f"{card}.beside-vfio.random" for card in GROUP[1:]),
              *(f"{card}.{what}" for card in GROUP
                for what in ("windows-again", "after-vfio.random")),
              *(f"{card}.{turn}-changes.run"
                for card in GROUP for turn in GROUP)),
    devices=group_devices,
    ids=(("virtio", "1af4:1042", 1),
         *((card, EDU, number) for number, card in enumerate(GROUP, 1))),
    plan="group",
)

# --- cards that reach each other ---------------------------------------------

PEERS = ("edu32", "edu64")


def switched(images):
    """A disk with memory of its own and two cards, below one PCIe switch."""
    args = ["-device", "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1,"
            "addr=2", "-device", "x3130-upstream,id=switch,bus=port0"]
    for number in range(1 + len(PEERS)):
        args += ["-device", f"xio3130-downstream,id=down{number},bus=switch,"
                 f"chassis={2 + number},slot={2 + number}"]
    args += [*blockdevs(images), "-device", "nvme,id=nvme,bus=down0,"
             "drive=disk-nvme,serial=nvme,cmb_size_mb=16"]
    for number, role in enumerate(PEERS, 1):
        args += edu(int(role[3:]), 0, f"down{number}")
    return args


# Behind a translating IOMMU QEMU's switch would ask it for addresses that only
# the switch knows.
PEER = Machine(
    name="peers",
    memory="5G",
    cpus=2,
    board=dataclasses.replace(PC, config="q35-distro"),
    modes=with_caches({
        "pt": Mode("iommu=pt rig.mib=8", "one card's memory for another",
                   "identity", bounce="no", windows=True,
                   ran=tuple(f"{role}.peer-memory" for role in PEERS)),
    }),
    disks=("nvme",),
    roles=("nvme", *PEERS),
    required=(*DISK, *(f"{role}.run" for role in PEERS)),
    devices=switched,
    ids=(NVME, *((role, EDU, number)
                 for number, role in enumerate(PEERS, 1))),
    plan="short",
)

ALL = (DMAR, RMRR, GROW, CRASH, FAULTS, EXTERNAL, MASKS, IOMMUS, GROUPS, PEER)
