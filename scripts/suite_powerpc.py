# SPDX-License-Identifier: GPL-2.0-only
"""Builds for POWER that no machine here boots."""

import kernel
from common import LINUX, OUT, step, tail_of

# Name of the build directory: what it is, lines of its configuration.
BUILDS = {
    "4k": ("4 KB pages",
           "CONFIG_PPC_4K_PAGES=y\nCONFIG_PPC_64K_PAGES=n"),
    "be": ("big endian",
           "CONFIG_CPU_BIG_ENDIAN=y\nCONFIG_CPU_LITTLE_ENDIAN=n"),
    "less": ("no memory hot-plug and no VFIO",
             "CONFIG_MEMORY_HOTPLUG=n\nCONFIG_VFIO=n\n"
             "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO=n\n"
             "CONFIG_SPAPR_TCE_IOMMU=n\nCONFIG_VFIO_CONTAINER=n\n"
             "CONFIG_VFIO_IOMMU_SPAPR_TCE=n\nCONFIG_VFIO_PCI=n"),
}
# Where the series has code that is not for x86 alone
WHAT = ("arch/powerpc/kernel/", "arch/powerpc/platforms/powernv/",
        "arch/powerpc/platforms/pseries/", "kernel/dma/", "drivers/iommu/",
        "drivers/vfio/")


def suite(done):
    """One result for each."""
    for name, (what, lines) in BUILDS.items():
        done.check("powerpc", f"builds with {what}", build, name, lines)


def build(name, lines):
    """The compiler's warnings are errors, as arch/powerpc wants it."""
    part = kernel.Build("power", LINUX, OUT / f"build-power-{name}",
                        extra=lines)
    with step(f"objects of {part.name}"):
        code, log = part.object(*WHAT)
    if code:
        return tail_of(log)
    return "\n".join(ln for ln in log.read_text(encoding="utf-8").splitlines()
                     if " warning: " in ln)
