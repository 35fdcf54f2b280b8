# SPDX-License-Identifier: GPL-2.0-only
"""Kernels without one function each, which the tests of a machine must see.

A test that passes without a flush proves nothing of flushes. The function is
taken out of the running kernel's memory before its first instruction, so no
other kernel has to be built; or out of a module's file. Where neither works,
on POWER, a test is told to expect something else than what is right.
"""

import fnmatch
import re
from dataclasses import dataclass

import kernel
import machines
import results
from common import LINUX, OUT, TOP, Failure, run
from vm_gdb import RETURN_0

WHERE = OUT / "broken"
# Seconds for a boot, after which devices may wait for what never comes.
LIMIT = 180
# What is not as it was sent, or what a device wrote and the kernel stumbles
# on. An image that could not be compared, as the guest was not heard, is none.
WRONG = ("*.verify", "*.receive", "image.*.*", "log.kernel",
         *(f"edu*.{test}" for test in (
             "coherent", "sync-reuse", "scatterlist", "alloc-pages",
             "alloc-noncontiguous", "random", "in-flight", "mask-change")))
STALE = ("edu*.stale-address",)
FRAMES = ("camera*.frames-*",)
CAMERA = "samples/iommu/camera.ko"


@dataclass(frozen=True)
class Broken:
    """A boot that has to fail, and the results that have to be to blame."""

    machine: str
    mode: str
    function: str = ""      # what the kernel lacks
    seen: tuple = WRONG
    module: str = ""        # its file, when it is one's
    words: str = ""         # what the guest is told in the end
    limit: int = LIMIT

    @property
    def how(self):
        """Words for scripts/vm."""
        if self.module:
            return "--initrd", initramfs(self)
        if self.words:
            return "--append", self.words
        return "--without", self.function

    def __str__(self):
        return (f"{self.machine}-{self.mode} "
                + (f"without {self.function}" if self.function else
                   f"with {self.words}"))


ALL = (
    # VT-d: unmap in strict mode, and in lazy mode
    Broken("q35", "strict", "intel_iommu_tlb_sync", (*STALE, *WRONG)),
    Broken("q35", "lazy", "cache_tag_flush_all", (*STALE, *WRONG)),
    # The GART: any flush, unmap in strict mode, and in lazy mode
    Broken("gart", "strict", "gart_flush"),
    Broken("gart", "strict", "gart_sync", STALE),
    Broken("gart", "lazy", "gart_flush_all", STALE),
    # Calgary: any flush, and unmap in lazy mode
    Broken("calgary", "lazy", "calgary_phb_flush"),
    Broken("calgary", "lazy", "calgary_flush_all"),
    # Maintenance of caches that a device does not snoop: any, and each call
    Broken("camera", "strict", "x86_dma_flush", FRAMES),
    Broken("camera", "strict", "noncoherent_sync_single_for_device", FRAMES),
    Broken("camera", "strict", "noncoherent_sync_sg_for_device", FRAMES),
    Broken("camera", "strict", "noncoherent_sync_sg_for_cpu", FRAMES),
    Broken("q35", "layers", "noncoherent_sync_single_for_cpu", ("kunit",)),
    Broken("q35", "layers", "noncoherent_unmap_phys", ("kunit",)),
    # The MMU of a module: unmap in strict mode, and in lazy mode, maintenance
    # of the table, unmapping, and what each reload would leak
    Broken("camera", "strict", "camera_iotlb_sync", FRAMES, module=CAMERA),
    Broken("camera", "lazy", "camera_flush_iotlb_all", FRAMES, module=CAMERA),
    Broken("camera", "strict", "camera_iotlb_sync_map", FRAMES, module=CAMERA),
    Broken("camera", "strict", "camera_unmap_pages", ("log.kernel",),
           module=CAMERA),
    Broken("camera", "lazy", "camera_domain_free", ("reload.memory",),
           module=CAMERA, limit=2 * LIMIT),
    # A process that has a card: unmap without a flush, and what it had mapped
    # when it was killed
    Broken("guests", "pt", "intel_iommu_tlb_sync", ("vfio.*unmapped",)),
    Broken("guests", "pt", "iommu_detach_group",
           ("vfio.killed*", "log.kernel")),
    # VFIO's second window is not where it should be
    Broken("vfio", "bypass", seen=("kselftest.tce.info",),
           words="rig.window=0x100000000", limit=2 * LIMIT),
)


def place(path, function):
    """Where a function begins in the file of a module."""
    symbol = re.search(rf"^ *\d+: ([0-9a-f]+) +\d+ FUNC .* (\d+) "
                       rf"{function}$",
                       run("readelf", "-sW", path), re.M)
    if not symbol:
        raise Failure(f"{path} has no function {function}")
    section = re.search(
        rf"\[ *{symbol[2]}\] (\S+) +PROGBITS +[0-9a-f]+ ([0-9a-f]+) ",
        run("readelf", "-SW", path))
    start = int(symbol[1], 16)
    *_, moved = run("readelf", "-rW", path).partition(
        f"'.rela{section[1]}'")
    for offset in re.findall(r"^([0-9a-f]{16}) ", moved.partition("\n\n")[0],
                             re.M):
        if 0 <= int(offset, 16) - start < len(RETURN_0):
            raise Failure(f"{path}: {function} begins with an address")
    return start + int(section[2], 16)


def initramfs(broken):
    """That of a machine, but a function of a module returns 0 at once."""
    build = kernel.Build(machines.board_of(
        machines.MACHINES[broken.machine]).config)
    build.make()
    path = build.dir / broken.module
    data = bytearray(path.read_bytes())
    start = place(path, broken.function)
    data[start:start + len(RETURN_0)] = RETURN_0
    other = WHERE / path.name
    other.write_bytes(data)
    target = WHERE / "initramfs.gz"
    run(TOP / "scripts/guest-image", target, "--build", build.dir,
        "--linux", LINUX, "--instead", other)
    return target


def suite(done):
    """Each boot has to fail, for the reason that it should fail for."""
    for broken in ALL:
        done.check("broken", str(broken), see, broken)


def see(broken):
    """Boot without the function; what is wrong, if nothing failed."""
    report = WHERE / f"{broken.machine}-{broken.mode}.ktap"
    report.unlink(missing_ok=True)
    WHERE.mkdir(parents=True, exist_ok=True)
    try:
        code = machines.boot(broken.machine, broken.mode,
                             *broken.how, "--out", WHERE,
                             "--timeout", str(broken.limit))
    except Failure as e:
        return str(e)
    if code == machines.SKIPPED:
        raise results.Skip("a prerequisite is missing, see above")
    return judge(broken, results.machine(report) if report.exists() else [])


def judge(broken, found):
    """Did a result fail that says what is missing?"""
    failed = [test for test, status, _ in found if status == "fail"]
    if any(fnmatch.fnmatch(test, pattern) for test in failed
           for pattern in broken.seen):
        return None
    return (f"failed are: {', '.join(failed) or 'none'}; one of these should "
            f"have: {', '.join(broken.seen)}")


def blamed():
    """Only the right failure will do."""
    broken = Broken("q35", "strict", "flush", (*STALE, *WRONG))
    for status, tests, right in (
            ("fail", ("boot", "edu0.stale-address"), True),
            ("fail", ("image.nvme.1",), True),
            ("fail", ("boot", "report.complete", "image.nvme"), False),
            ("fail", ("boot", "stale-address"), False),
            ("pass", ("edu0.stale-address",), False),
            ("fail", (), False)):
        said = judge(broken, [(test, status, "") for test in tests])
        if (said is None) != right:
            return f"{status} {tests}: {said}"
    return None


TESTS = (("broken kernels have to fail for the right reason", blamed),)
