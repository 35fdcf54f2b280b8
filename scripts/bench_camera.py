# SPDX-License-Identifier: GPL-2.0-only
"""The camera's MMU through the shared layer, and served by hand.

One kernel and one boot for each mode, in which cameras of both kinds take
turns. As "stock" it is the same sample with a file in the place of
camera-mmu.c that does all by itself. What a frame costs is counted in
instructions, on a machine whose time is their number.
"""

import re
import shutil

import bench_map
import emulator
import kernel
import machines
import vm_camera
import vm_machine
from bench_report import derived
from bench_windows import COUNTING, COUNTING_WORDS, SIZES
from common import LINUX, OUT, TOP, Failure, run, say, step, tail_of

NAME = "camera"
ROUNDS = 7
MODES = {"lazy": ("iommu.strict=0", "DMA-FQ"),
         "strict": ("iommu.strict=1", "DMA")}
SIDES = {"hand": "stock", "shared": "new"}
SAMPLE = TOP / "samples/iommu"
HAND = TOP / "guest/camera-by-hand"
# What each side has of its own.
CODE = {"stock": HAND / "camera-mmu-by-hand.c",
        "new": SAMPLE / "camera-mmu.c"}
MACHINE = ["-nodefaults", "-no-user-config", "-display", "none",
           "-no-reboot", "-M", "q35", "-m", "1G", "-serial", "stdio",
           *(word for slot in range(5, 9) for word in (
               "-device", f"camera,bus=pcie.0,addr={slot}"
               + (",coherent=on" if slot > 6 else "")))]


def code_lines(text):
    """How many lines have code: no comments, no blanks."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    return sum(bool(ln.strip()) for ln in text.splitlines())


def module(build):
    """The sample with the MMU by hand, built beside the kernel."""
    where = OUT / "camera-by-hand"
    where.mkdir(exist_ok=True)
    for path in (*SAMPLE.glob("*.[ch]"), *HAND.iterdir()):
        target = where / path.name
        if not target.exists() or target.read_bytes() != path.read_bytes():
            shutil.copyfile(path, target)
    with build.alone(), step("module by hand"):
        code, log = kernel.logged("camera-by-hand",
                                  *build.command(f"M={where}", "modules"),
                                  env=kernel.environment())
    if code:
        raise Failure(f"the module does not build, see {log}\n"
                      + tail_of(log))
    return where / "camera-by-hand.ko"


def images():
    """The camera's kernel, and an initramfs with both modules."""
    image, _ = machines.image(vm_camera.CAMERA, "lazy")
    build = kernel.Build(vm_camera.BOARD.config)
    target = OUT / f"initramfs-bench-{NAME}.gz"
    run(TOP / "scripts/guest-image", target, "--build", build.dir,
        "--module", module(build), "--linux", LINUX)
    return image, target


def boot(qemu, files, mode):
    """One boot, as rows."""
    words, domain = MODES[mode]
    name = f"bench-{NAME}-{mode}"
    with step(name):
        text = bench_map.console(
            [*vm_machine.firmware(qemu), *MACHINE, *COUNTING], *files,
            ["rdinit=/camera-bench", words, f"rig.rounds={ROUNDS}",
             *COUNTING_WORDS], name, qemu=qemu)
    if f"rig: domain {domain}" not in text:
        raise Failure(f"the domain is not {domain}, see {name}.console")
    rows = []
    for caches, way, size, costs in re.findall(
            r"rig: cost (\w+) (\w+) (\d+) (.*?)\r?\n", text):
        work = "-".join([NAME, mode, *(["snoop"] if caches == "coherent"
                                       else []),
                         *(["kept"] if way == "kept" else []), SIZES[size]])
        rows += derived(work, "insns", [
            (SIDES[side], int(cost))
            for side, cost in re.findall(r"(\w+) (\d+)", costs)])
    return rows


def spread(rows):
    """Say what differs between rounds, of both sides and of their ratio."""
    for work in dict.fromkeys(row["work"] for row in rows):
        hand, shared = ([row["value"] for row in rows if row["work"] == work
                         and row["side"] == side] for side in SIDES.values())
        ratios = [new / old for old, new in zip(hand, shared)]
        say(f"  {work:30}"
            f"by hand {min(hand):8,.0f} to {max(hand):8,.0f}   "
            f"shared {min(shared):8,.0f} to {max(shared):8,.0f}   "
            f"ratio {min(ratios):.3f} to {max(ratios):.3f}")


def measure():
    """Both modes, and the lines of code, as rows of the other works."""
    qemu = emulator.program(vm_camera.BOARD.qemu)
    files = images()
    rows = []
    for mode in MODES:
        rows += boot(qemu, files, mode)
    if not rows:
        raise Failure("the cameras have measured nothing")
    spread(rows)
    say(f"{NAME}: the side \"stock\" is an MMU that its driver serves by hand")
    return rows + derived(f"{NAME}-lines", "lines", [
        (side, code_lines(path.read_text(encoding="utf-8")))
        for side, path in CODE.items()])
