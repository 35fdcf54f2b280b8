# SPDX-License-Identifier: GPL-2.0-only
"""The emulated machines: what they need built, and how one is booted."""

import hashlib
import os
import subprocess
import sys

from common import LINUX, OUT, TOP, Failure, load, run, say, step, store
from kernel import Build

VM = TOP / "scripts/vm"
DEFAULT = "q35"


def modes():
    """(machine, mode) of every boot that there is."""
    return [tuple(line.split(":")[0].split()[:2])
            for line in run(VM, "--list").splitlines() if line.strip()]


def chosen():
    """The machines that MACHINE= names."""
    known = sorted({m for m, _ in modes()})
    name = os.environ.get("MACHINE") or DEFAULT
    if name == "all":
        return known
    wanted = name.split(",")
    if set(wanted) - set(known):
        raise Failure(f"MACHINE={name}; accepted: all, {', '.join(known)}")
    return wanted


def config(mode):
    """The configuration that a mode boots; all machines are x86 ones."""
    return "q35-debug" if mode.split("-")[0] == "debug" else "q35"


def image(name):
    """Build kernel and initramfs of a configuration."""
    build = Build(name)
    build.make()
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
                "--linux", LINUX, "--tools", OUT / "tools")
        store(record, digest.hexdigest())
    return build.dir / "arch/x86/boot/bzImage", target


def boot(machine, mode):
    """Boot a machine and judge it; 0 passed, 1 failed, 77 skipped."""
    kernel, initrd = image(config(mode))
    with step(f"{machine} {mode}"):
        sys.stdout.flush()
        return subprocess.run(
            [VM, "--machine", machine, "--mode", mode, "--kernel", kernel,
             "--initrd", initrd, "--tool", OUT / "tools/dmaload",
             "--out", OUT], check=False).returncode


def tree():
    """The composed tree's id, which names what was tested."""
    return run("git", "-C", LINUX, "rev-parse", "HEAD^{tree}").strip()


def announce():
    """Say what is going to run."""
    head = run("git", "-C", LINUX, "rev-parse", "--short=12", "HEAD").strip()
    say(f"tree: {head} in {LINUX}")
