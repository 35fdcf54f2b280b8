# SPDX-License-Identifier: GPL-2.0-only
"""The emulated machines: what they need built, and how one is booted."""

import hashlib
import os
import shutil
import subprocess
import sys

import emulator
import hypervisor
import kernel
import selftests
import sources
import tree as composed
from common import (CACHE, LINUX, OUT, TOP, Failure, Missing, load, lock, run,
                    say, step, store)
from vm_all import MACHINES
from vm_machine import PC, board_of, config_of

VM = TOP / "scripts/vm"
DEFAULT = "q35"
SKIPPED = 77
# What MACHINE= accepts as well: VFIO on both architectures.
OTHER_NAMES = {"vfio-x86": "guests", "vfio-power": "hypervisor"}
# A kernel that is called so refuses our modules, which know other structures.
NO_MODULES = 'CONFIG_LOCALVERSION="-stock"'
# What Debian calls the architectures of guests that are not PCs.
DEBIAN = {"powerpc": "ppc64el"}


def modes():
    """(machine, mode) of every boot that there is."""
    return [(name, mode) for name, machine in MACHINES.items()
            for mode in machine.modes]


def main_mode(name):
    """The boot that shows most of a machine."""
    modes_ = MACHINES[name].modes
    return name, "layers" if "layers" in modes_ else next(iter(modes_))


def chosen():
    """The machines that MACHINE= names."""
    known = sorted({m for m, _ in modes() if not m.startswith("soak.")})
    name = os.environ.get("MACHINE") or DEFAULT
    if name == "all":
        return known
    wanted = [OTHER_NAMES.get(word, word) for word in name.split(",")]
    if set(wanted) - set(known):
        accepted = ", ".join([*known, *OTHER_NAMES])
        raise Failure(f"MACHINE={name}; accepted: all, {accepted}")
    return wanted


def busybox(arch):
    """The static busybox of an architecture, from its package."""
    path = CACHE / f"busybox-{arch}/busybox"
    with lock(CACHE / "busybox.lock"):
        if not path.exists():
            with step(f"fetch of busybox for {arch}"):
                data = sources.package_file(
                    CACHE / "apt-busybox", "busybox-static", DEBIAN[arch],
                    "*bin/busybox")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return path


def image(machine, mode):
    """Build kernel and initramfs of what a machine boots in a mode."""
    board = board_of(machine)
    name = config_of(machine, mode)
    build = kernel.Build(name, arch=board.arch)
    build.make()
    options = []
    if board.arch in DEBIAN:
        options = ["--busybox", busybox(board.arch),
                   "--cc", kernel.compiler(board.arch, False)]
    target = OUT / f"initramfs-{name}.gz"
    digest = hashlib.sha256(repr(load(build.dir / "dma-windows-build.json"))
                            .encode())
    for path in sorted([*(TOP / "guest").rglob("*"),
                        TOP / "scripts/guest-image",
                        *(TOP / "tools/dma").rglob("*"),
                        *(TOP / "tools/testing").rglob("*")]):
        if path.is_file():
            digest.update(path.read_bytes())
    record = OUT / "tools" / f"{name}.json"
    if not target.exists() or load(record) != digest.hexdigest():
        with step(f"initramfs {name}"):
            run(TOP / "scripts/guest-image", target, "--build", build.dir,
                "--linux", LINUX, "--tools", OUT / "tools", *options)
        store(record, digest.hexdigest())
    return build.dir / board.kernel, target


def stock(config, extra=""):
    """Build the base's kernel in the same configuration, and what is extra."""
    build = kernel.Build(config, composed.stock(),
                         OUT / f"build-stock-{config}", extra=extra,
                         strict=False)
    build.make()
    return build.dir


def with_iommufd():
    """A QEMU for guests whose devices IOMMUFD serves; Debian 12's is older."""
    name = PC.qemu
    there = shutil.which(name)
    if there and "iommufd" in run(there, "-object", "help"):
        return there
    return emulator.program(name)


def boot(name, mode, *more):
    """Boot a machine and judge it; 0 passed, 1 failed, 77 skipped.

    More words are for scripts/vm.
    """
    machine = MACHINES[name]
    board = board_of(machine)
    options = []
    try:
        if board.built:
            options = ["--qemu", emulator.program(board.qemu)]
        image_, initrd = image(machine, mode)
        if machine.modes[mode].stock:
            image_ = stock(config_of(machine, mode),
                           NO_MODULES) / board.kernel
        if "stock" in machine.modes[mode].next:
            options += ["--stock", stock(board.config) / board.kernel]
        if "hypervisor" in machine.modes[mode].next:
            options += ["--hypervisor", hypervisor.archive()]
        if "judges" in machine.modes[mode].next:
            options += ["--judges", selftests.archive()]
        if machine.modes[mode].iommufd:
            options += ["--iommufd", with_iommufd()]
    except Missing as e:
        say(f"{name}-{mode}: SKIP, {e}")
        return SKIPPED
    with step(f"{name} {mode}"):
        sys.stdout.flush()
        return subprocess.run(
            [VM, "--machine", name, "--mode", mode, "--kernel", image_,
             "--initrd", initrd, "--tool", OUT / "tools/dmaload",
             "--out", OUT, *options, *more], check=False).returncode


def tree():
    """The composed tree's id, which names what was tested."""
    return run("git", "-C", LINUX, "rev-parse", "HEAD^{tree}").strip()


def announce():
    """Say what is going to run."""
    head = run("git", "-C", LINUX, "rev-parse", "--short=12", "HEAD").strip()
    say(f"tree: {head} in {LINUX}")
