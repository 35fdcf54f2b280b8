# SPDX-License-Identifier: GPL-2.0-only
"""The base's own selftests, as they are, in static programs."""

import tarfile

import kernel
from common import (LINUX, OUT, Failure, base, load, lock, logged, run, step,
                    store, tail_of)

WORK = OUT / "judges"
SOURCES = "tools/testing/selftests"
# Programs that want a device of their own, in this order
VFIO = ("vfio_iommufd_setup_test", "vfio_pci_device_test",
        "vfio_dma_mapping_test", "vfio_dma_mapping_mmio_test",
        "vfio_pci_driver_test", "vfio_pci_sriov_uapi_test",
        "vfio_pci_device_init_perf_test")
IOMMUFD = ("iommufd", "iommufd_fail_nth")
ARCHIVE = WORK / "selftests.tar"
# Directory: programs of it, and what has to be the base's
OURS = {"vfio": (VFIO, (f"{SOURCES}/vfio",)),
        "iommu": (IOMMUFD, (f"{SOURCES}/iommu/iommufd*",
                            "drivers/iommu/iommufd"))}


def changed(*paths):
    """What the series does to files that have to be the base's."""
    return run("git", "-C", LINUX, "diff", "--stat", base()["commit"], "HEAD",
               "--", f"{SOURCES}/*.h", f"{SOURCES}/lib.mk", *paths)


def build(directory, where, programs):
    """Build programs of a directory; the log's end when that fails."""
    record = WORK / f"{directory}.json"
    state = run("git", "-C", LINUX, "rev-parse", "HEAD^{tree}")
    paths = [where / p for p in programs]
    if load(record) == state and all(p.exists() for p in paths):
        return None
    headers = WORK / "headers"
    for path in (headers, where):
        path.mkdir(parents=True, exist_ok=True)
    # Not every directory knows which headers its programs depend on.
    for path in paths:
        path.unlink(missing_ok=True)
    with step(f"selftests of {directory}"):
        for name, words in (
                ("headers", (LINUX, f"O={headers}", "ARCH=x86_64",
                             f"-j{kernel.JOBS}", "headers")),
                (directory, (LINUX / SOURCES / directory, f"OUTPUT={where}",
                             "LDFLAGS=-static", "KHDR_INCLUDES=-isystem "
                             f"{headers / 'usr/include'}", *paths))):
            code, log = logged(f"judges-{name}", "make", "-C", *words,
                               env=kernel.environment())
            if code:
                return tail_of(log)
    store(record, state)
    return None


def archive():
    """The path of an archive of all programs, which a machine unpacks."""
    scratch = ARCHIVE.with_suffix(".part")
    with lock(WORK / "lock"), tarfile.open(scratch, "w") as tar:
        for directory, (programs, unchanged) in OURS.items():
            where = WORK / directory
            problem = (changed(*unchanged)
                       or build(directory, where, programs))
            if problem:
                raise Failure(f"selftests of {directory}: {problem}")
            for name in programs:
                tar.add(where / name, name)
        scratch.replace(ARCHIVE)
    return ARCHIVE
