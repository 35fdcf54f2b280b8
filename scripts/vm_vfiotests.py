# SPDX-License-Identifier: GPL-2.0-only
"""A PC with network cards for the base's own tests of VFIO.

These have a driver for such a card, which has it copy memory.
"""

import dataclasses

import selftests
from vm_machine import PC, Machine, Mode

# Debian 12's QEMU has no such card.
BOARD = dataclasses.replace(PC, built=True, emulated=True)
CARD = "8086:10c9"
NICS = ("nic0", "nic1")
# The kernel has no CONFIG_HUGETLBFS, and no CONFIG_PCI_IOV.
SKIPS = ("vfio_dma_mapping_test/*_hugetlb_*",
         "vfio_pci_sriov_uapi_test/complete")
# A test that is not through after 30 s fails, and then all others, as the card
# is in use. Many pin 1 GiB, which takes several times as long with what this
# switches off.
WORDS = "debug_pagealloc=off"


def devices(_images):
    """Each card has a port, and with it a group, to itself."""
    args = []
    for number, nic in enumerate(NICS, 1):
        args += ["-device", f"pcie-root-port,id=port-{nic},bus=pcie.0,"
                 f"chassis={number},slot={number},addr={number + 1}",
                 "-device", f"igb,id={nic},bus=port-{nic},romfile=,"
                 f"mac=52:54:00:07:00:0{number}"]
    return args


def mode(words, what, domain, **more):
    """A way to boot the machine."""
    return Mode(f"{words} {WORDS}", f"the base's tests of VFIO, {what}",
                domain, slow=True, next=("judges",), skips=SKIPS, **more)


VFIOTESTS = Machine(
    name="vfiotests",
    memory="4G",
    cpus=2,
    board=BOARD,
    modes={
        "strict": mode("iommu.strict=1", "translated, flush at each unmap",
                       "DMA"),
        "pt": mode("iommu=pt", "pass-through", "identity"),
        "first": mode("iommu.strict=1 intel_iommu=sm_on",
                      "translated, tables of the first stage", "DMA",
                      vtd="x-scalable-mode=on,x-flts=on"),
    },
    disks=(),
    roles=NICS,
    required=(*(f"{program}/complete" for program in selftests.VFIO),
              *(f"nic0.refused.{way}" for way in ("Read", "Write")),
              *(f"{nic}.windows-again" for nic in NICS)),
    devices=devices,
    ids=tuple((role, CARD, number) for number, role in enumerate(NICS, 1)),
    plan="vfiotests",
)
