# SPDX-License-Identifier: GPL-2.0-only
"""A PC for the base's own tests of VFIO and of IOMMUFD.

Modes with "stock" boot the base's kernel: what fails there is no failure of
ours.
"""

import dataclasses

import selftests
from vm_machine import PC, Machine, Mode

# The tests of VFIO have a driver for such a card, which has it copy memory.
# Debian 12's QEMU has no such card.
CARD = "8086:10c9"
NICS = ("nic0", "nic1")
PAGES_OF_1G = ("-cpu", "max,la57=off")
BOARD = dataclasses.replace(PC, config="q35-judges", built=True)
# A test that is not through after 30 s fails, and then all others, as the card
# is in use. Many pin 1 GiB, which takes several times as long with what this
# switches off.
QUICK = "debug_pagealloc=off"
FOR_VFIO = ("rig.programs=vfio transparent_hugepage_shmem=always "
            "hugepagesz=2M hugepages=8 hugepagesz=1G hugepages=1 "
            "vfio_pci.enable_sriov=1")
FOR_IOMMUFD = "rig.programs=iommufd hugepagesz=2M hugepages=128"
# The card is driven through each of these.
WAYS = ("vfio_type1_iommu", "vfio_type1v2_iommu", "iommufd_compat_type1",
        "iommufd_compat_type1v2", "iommufd")
REFUSED = tuple(f"nic0.{way}.refused-{access}" for way in WAYS
                for access in ("Read", "Write"))
AS_BEFORE = tuple(f"{nic}.windows-again" for nic in NICS)
# The base's driver for the test returns 0 in place of its dma-buf's
# descriptor, so that these work on standard input.
NO_DESCRIPTOR = tuple(
    f"iommufd/iommufd_ioas.{variant}.dmabuf_{test}"
    for variant in ("no_domain", "mock_domain", "two_mock_domain",
                    "mock_domain_limit") for test in ("simple", "revoke"))
# These are not meant for this variant.
OTHER_VARIANT = tuple(
    f"iommufd/iommufd_viommu.no_viommu.{test}"
    for test in ("viommu_alloc_nested_iopf", "viommu_alloc_with_data",
                 "vdevice_cache", "hw_queue", "vdevice_tombstone"))


def devices(_images):
    """Each card has a port, and with it a group, to itself."""
    args = []
    for number, nic in enumerate(NICS, 1):
        args += ["-device", f"pcie-root-port,id=port-{nic},bus=pcie.0,"
                 f"chassis={number},slot={number},addr={number + 1}",
                 "-device", f"igb,id={nic},bus=port-{nic},romfile=,"
                 f"mac=52:54:00:07:00:0{number}"]
    return args


def mode(programs, words, what, domain, ran=(), skips=(), **more):
    """A way to boot the machine."""
    return Mode(f"{words} {QUICK}", f"the base's tests of {what}", domain,
                slow=True, next=("judges",), skips=skips, qemu=PAGES_OF_1G,
                ran=(*(f"{program}/complete" for program in programs), *ran),
                **more)


def vfio(words, what, domain="DMA", ran=AS_BEFORE, **more):
    """With the programs for VFIO."""
    return mode(selftests.VFIO, f"{words} {FOR_VFIO}", f"VFIO, {what}",
                domain, (*REFUSED, *ran), **more)


def iommufd(what, **more):
    """With the programs for IOMMUFD, which make devices of their own."""
    return mode(selftests.IOMMUFD, f"iommu.strict=0 {FOR_IOMMUFD}",
                f"IOMMUFD{what}", "DMA-FQ", skips=OTHER_VARIANT,
                known=NO_DESCRIPTOR, **more)


JUDGES = Machine(
    name="judges",
    memory="5G",
    cpus=2,
    board=BOARD,
    modes={
        "vfio-strict": vfio("iommu.strict=1",
                            "translated, flush at each unmap"),
        "vfio-pt": vfio("iommu=pt", "pass-through", "identity"),
        "vfio-first": vfio("iommu.strict=1 intel_iommu=sm_on",
                           "translated, tables of the first stage",
                           vtd="x-scalable-mode=on,x-flts=on"),
        "vfio-stock": vfio("iommu.strict=1", "the base's kernel", ran=(),
                           stock=True),
        "iommufd": iommufd(""),
        "iommufd-stock": iommufd(", the base's kernel", stock=True),
    },
    disks=(),
    roles=NICS,
    required=(),
    devices=devices,
    ids=tuple((role, CARD, number) for number, role in enumerate(NICS, 1)),
    plan="judges",
)
