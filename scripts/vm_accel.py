# SPDX-License-Identifier: GPL-2.0-only
"""Decide whether KVM can be used.

/dev/kvm may exist, open and even accept a guest without ever running it, so
only a kernel that has printed something under KVM counts.
"""

import json
import os
import pathlib
import subprocess

SECONDS = 15


def boot_id():
    """Changes with the next start of the host."""
    try:
        return pathlib.Path(
            "/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def probe(qemu, kernel):
    """Boot a kernel without anything under KVM: True if it speaks."""
    args = [qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-M", "q35,kernel-irqchip=split", "-accel", "kvm",
            "-cpu", "host", "-m", "512M", "-serial", "stdio",
            "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        done = subprocess.run(args, stdin=subprocess.DEVNULL, timeout=SECONDS,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return False
    # Without a root file system it panics, and that ends QEMU.
    return done.returncode == 0 and b"Linux version" in done.stdout


def choose(wanted, qemu, kernel, logs):
    """The accelerator to use: "kvm" or "tcg"."""
    if wanted != "auto":
        return wanted
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    # Probing a /dev/kvm that hangs takes long; once per start is enough.
    memory = logs / "kvm-probe.json"
    known = {"boot": boot_id(), "qemu": qemu}
    try:
        last = json.loads(memory.read_text(encoding="utf-8"))
        if {key: last.get(key) for key in known} == known:
            return "kvm" if last["works"] else "tcg"
    except (OSError, ValueError):
        pass
    known["works"] = probe(qemu, kernel)
    memory.write_text(json.dumps(known) + "\n", encoding="utf-8")
    return "kvm" if known["works"] else "tcg"
