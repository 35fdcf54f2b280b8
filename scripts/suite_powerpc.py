# SPDX-License-Identifier: GPL-2.0-only
"""Builds for POWER that no machine here boots, and what sparse says."""

import kernel
import series
import suite_style
from common import LINUX, OUT, step, tail_of

# Name of the build directory: what it is, lines of its configuration.
BUILDS = {
    "4k": ("4 KB pages",
           "CONFIG_PPC_4K_PAGES=y\nCONFIG_PPC_64K_PAGES=n"),
    "be": ("big endian",
           "CONFIG_CPU_BIG_ENDIAN=y\nCONFIG_CPU_LITTLE_ENDIAN=n"),
    "less": ("no memory hot-plug, VFIO or KVM",
             "CONFIG_VIRTUALIZATION=n\nCONFIG_KVM_BOOK3S_64=n\n"
             "CONFIG_KVM_BOOK3S_64_HV=n\nCONFIG_TCE_ARENA=n\n"
             "CONFIG_TCE_ARENA_KUNIT_TEST=n\n"
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
    code = [n for n in series.new_files() if n.startswith(suite_style.POWER)
            or n.endswith(".h")]
    source = [n for n in code if n.endswith(".c")]
    log = suite_style.sparse("power", source)
    for name in source:
        done.check("powerpc", f"sparse {name}", suite_style.sparse_result,
                   name, code, log)


def build(name, lines):
    """One configuration."""
    part = kernel.Build("power", LINUX, OUT / f"build-power-{name}",
                        extra=f"CONFIG_WERROR=y\n{lines}")
    with step(f"objects of {part.name}"):
        code, log = part.object(*WHAT)
    return tail_of(log) if code else None
