# SPDX-License-Identifier: GPL-2.0-only
"""A PC whose KVM runs guests that have its devices.

QEMU in the machine is that of the machine which runs these scripts, whose
files it sees, read only.
"""

import dataclasses

from vm_machine import PC, Machine, Mode, with_caches
from vm_small import DISK, EDU, NICS, NVME, edu, network

# The kernel's KVM is that for AMD's SVM, which each emulated processor has.
BOARD = dataclasses.replace(PC, emulated=True)
PROCESSOR = ("-cpu", "max,la57=off")
FILES = ("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,"
         "multidevs=remap",
         "-device", "virtio-9p-pci,bus=pcie.0,addr=11,fsdev=host,"
         "mount_tag=host,disable-legacy=on,iommu_platform=on")
CARDS = ("edu64", "edu32")
STRAY = 0x20000000
STATS = tuple((device, "stats") for device in (
    NVME[1], "8086:10d3", "8086:100e", EDU))
# What the first guest does with its cards
TESTS = ("limits", "streaming-below-mask", "scatterlist", "coherent",
         "sync-reuse", "alloc-pages", "alloc-noncontiguous", "random",
         "mask-change")
INSIDE = (*DISK, *(f"{card}.{test}" for card in CARDS for test in TESTS),
          *NICS, "nvme.again.write", "nvme.again.verify",
          "edu32.again.random", "edu64.again.random", "nic32.again.receive")
# And what a process that has a card reaches
REACHED = ("mapped", "unmapped", "mapped-anew", "killed", "killed-unmapped")
# The second guest reads and writes what the first one had.
FAULTS = tuple(rf"DMAR: \[DMA {way}.*0000:00:08\.0\] fault addr {STRAY:#x} "
               for way in ("Read", "Write"))
AMD_FAULTS = tuple(rf"IO_PAGE_FAULT .*address={STRAY:#x} flags={flags}"
                   for flags in ("0x0000", "0x0020"))


def mode(words, what, domain, says=FAULTS, **more):
    """A way to boot the machine."""
    return Mode(f"{words} rig.mib=8", what, domain, layers=STATS,
                qemu=(*PROCESSOR, *FILES), next=("kernel", "initrd"),
                says=says, ran=tuple(f"guest.{test}" for test in INSIDE),
                **more)


def past(what, way="", **more):
    """A mode in pass-through."""
    return mode(f"iommu=pt {way}", f"{what}, else pass-through", "identity",
                **more)


def devices(images):
    """A disk, two network cards and two edu cards, all for the guest."""
    return network(images) + edu(64, 8) + edu(32, 9)


GUESTS = Machine(
    name="guests",
    memory="5G",
    cpus=2,
    board=BOARD,
    modes=with_caches({
        "lazy": mode("iommu.strict=0", "a guest has devices, else translated",
                     "DMA-FQ"),
        "pt": past("a guest has devices"),
    }) | {
        "container": past("a guest has devices in IOMMUFD's old container",
                          "rig.vfio=container"),
        "cdev": past("a guest has devices by IOMMUFD", "rig.vfio=cdev",
                     iommufd=True),
        # Linux finds no interrupt remapping there, for want of a southbridge,
        # and hears of no fault: QEMU alone says what it rejected.
        "amd": mode("iommu.strict=0 "
                    "vfio_iommu_type1.allow_unsafe_interrupts=1",
                    "a guest has devices, AMD-Vi", "DMA", AMD_FAULTS,
                    known=("log.says-1", "log.says-2"), iommu="amd-iommu",
                    trace="amdvi_pages_inval"),
    },
    disks=("nvme",),
    roles=("nvme", "nic1", "nic32", *CARDS),
    required=(
        *DISK, "edu64.beside-guest.random", "edu64.after.random", "edu32.run",
        *(f"vfio.{what}" for what in REACHED),
        "guest.moved", "guest.under-way", "guest.again",
        "guest.again.under-way", "guest.killed", "guest.log",
        "guest.nvme.data-after", "host.mounted", "stray.ended",
        "guest.stray.done", *(f"{card}.windows-again" for card in CARDS)),
    devices=devices,
    ids=(NVME, ("nic1", "8086:10d3", 1), ("nic32", "8086:100e", 1),
         ("edu64", EDU, 1), ("edu32", EDU, 2)),
    plan="guests",
)
