# SPDX-License-Identifier: GPL-2.0-only
"""QEMU with the changes and devices of emulation/qemu.

The source is the distribution's, and so are meson and the firmware, which are
unpacked beside it: the system needs compiler, ninja, GLib and libfdt only.
"""

import hashlib
import os
import re
import shutil
import subprocess

import sources
from common import (CACHE, JOBS, LOGS, TOP, Failure, Missing, load, lock,
                    logged, run, say, sha256, step, store, tail_of)

STORE = CACHE / "qemu"
CHANGES = TOP / "emulation/qemu"
SOURCE = STORE / "source"
BUILD = STORE / "build"
RECORD = STORE / "source.json"
# Where there is a QEMU 10.
SUITES = ("trixie", "bookworm-backports")
PACKAGES = ("meson", "python3-pycotap", "qemu-system-data", "seabios")
# Of these packages, what QEMU loads: below usr/share.
FIRMWARE = ("qemu", "seabios")
# For parts that Debian leaves out of the source.
DEBIAN_PATCHES = ("skip-unpack-edk2-blobs", "skip-install-dtb")
PROGRAMS = {"qemu-system-x86_64": "x86_64-softmmu",
            "qemu-system-ppc64": "ppc64-softmmu"}
OPTIONS = ("--python=/usr/bin/python3",
           f"--target-list={','.join(PROGRAMS.values())}",
           "--without-default-features", "--enable-tcg", "--enable-system",
           "--enable-fdt=system", "--enable-kvm", "--disable-download",
           "--disable-docs", "--disable-debug-info",
           "--disable-install-blobs")
# Builds that are kept: the last ones.
KEPT = 3


def take(env):
    """Download the source and the packages from one suite."""
    text = run("apt-cache", "showsrc", "--only-source", "qemu", env=env)
    versions = re.findall(r"^Version: (.*)$", text, re.M)
    found = [v for v in versions if re.match(r"(\d+:)?10\.", v)]
    if not found:
        raise Failure(f"only {', '.join(versions) or 'no source'}")
    where = STORE / "download"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    run("apt-get", "-qq", "source", "--download-only", "--only-source",
        f"qemu={found[-1]}", env=env, cwd=where)
    run("apt-get", "-qq", "download", *PACKAGES, env=env, cwd=where)
    return {"version": found[-1], "packages": list(PACKAGES),
            "files": {p.name: sha256(p) for p in sorted(where.iterdir())}}


def fetch():
    """The record of a source that lies in the cache, unaltered."""
    rec = load(RECORD)
    if rec and rec.get("packages") == list(PACKAGES) and all(
            (STORE / "download" / name).exists()
            and sha256(STORE / "download" / name) == digest
            for name, digest in rec["files"].items()):
        return rec
    RECORD.unlink(missing_ok=True)
    with step("fetch of QEMU"):
        try:
            rec = sources.by_apt("qemu 10", STORE / "apt", SUITES, take)
        except Failure as e:
            raise Missing("the source of QEMU 10 is not available: "
                          f"{e}") from None
        shutil.rmtree(STORE / "apt")
    store(RECORD, rec)
    return rec


def changes():
    """What emulation/qemu has: (patches, new files)."""
    files = sorted(p for p in CHANGES.rglob("*") if p.is_file())
    patches = [p for p in files if p.suffix == ".patch"]
    return patches, [p for p in files if p not in patches]


def state(rec):
    """What the build depends on."""
    digest = hashlib.sha256(repr((rec, OPTIONS, DEBIAN_PATCHES)).encode())
    for path in sum(changes(), []):
        digest.update(str(path.relative_to(CHANGES)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def apply(patch, tree):
    """Apply one patch; one that only nearly fits is refused."""
    try:
        run("patch", "-p1", "--fuzz=0", "--forward", "-i", patch, cwd=tree)
    except Failure as e:
        raise Failure(f"{patch.name} does not apply to QEMU\n{e}") from None


def unpack(rec):
    """The changed source in a new directory, and the tools beside it."""
    fresh = STORE / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "qemu").mkdir(parents=True)
    for name in rec["files"]:
        path = STORE / "download" / name
        if name.endswith(".deb"):
            run("dpkg-deb", "-x", path, STORE / "tools")
        elif ".orig." in name:
            run("tar", "-xf", path, "--strip-components=1", "-C",
                fresh / "qemu")
        elif ".debian." in name:
            run("tar", "-xf", path, "-C", fresh)
    tree = fresh / "qemu"
    for name in DEBIAN_PATCHES:
        patch = fresh / f"debian/patches/{name}.patch"
        if patch.exists():
            apply(patch, tree)
    patches, files = changes()
    for path in files:
        target = tree / path.relative_to(CHANGES)
        if target.exists():
            raise Failure(f"{path.relative_to(TOP)}: QEMU has such a file")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for path in patches:
        apply(path, tree)
    return tree


def renew(fresh):
    """Make the source what @fresh is; unchanged files keep their times."""
    SOURCE.mkdir(exist_ok=True)
    there = {p.relative_to(fresh) for p in fresh.rglob("*")}
    for path in sorted(SOURCE.rglob("*"), reverse=True):
        if path.relative_to(SOURCE) in there:
            continue
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    for name in sorted(there):
        new, mine = fresh / name, SOURCE / name
        if new.is_dir() and not new.is_symlink():
            mine.mkdir(parents=True, exist_ok=True)
        elif new.is_symlink() or not (
                mine.exists() and mine.read_bytes() == new.read_bytes()):
            new.replace(mine)
            if not mine.is_symlink():
                os.utime(mine)
    shutil.rmtree(fresh.parent)


def environment():
    """Of the build: its meson is ours, its make is not the one above us."""
    env = os.environ | {"LC_ALL": "C", "PYTHONPATH": str(
        STORE / "tools/usr/lib/python3/dist-packages")}
    for name in ("O", "T", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARCH"):
        env.pop(name, None)
    return env


def configure():
    """Run QEMU's configure once for these options."""
    record = STORE / "configured.json"
    if load(record) == list(OPTIONS) and (BUILD / "build.ninja").exists():
        return
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    with step("configuration of QEMU"):
        code, log = logged("qemu-config", SOURCE / "configure", *OPTIONS,
                           cwd=BUILD, env=environment())
    if code:
        raise Failure(f"QEMU cannot be configured, see {log}\n"
                      + tail_of(log))
    store(record, OPTIONS)


def compile_it(program):
    """Run ninja, and say how far it is."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "qemu.log"
    said = 0
    with (step(program), open(log, "w", encoding="utf-8") as file,
          subprocess.Popen(["ninja", f"-j{JOBS}", program], cwd=BUILD,
                           env=environment(), text=True, errors="replace",
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT) as ninja):
        for line in ninja.stdout:
            file.write(line)
            count = re.match(r"\[(\d+)/(\d+)\]", line)
            percent = count and 100 * int(count[1]) // int(count[2])
            if count and percent >= said + 20 and int(count[2]) > 100:
                said = percent
                say(f"  {percent} %")
    if ninja.returncode:
        raise Failure(f"QEMU does not build, see {log}\n" + tail_of(log))


def keep(program, target):
    """Put a program where later builds do not touch it; it comes last."""
    target.mkdir(parents=True, exist_ok=True)
    firmware = target / "firmware"
    if not firmware.exists():
        scratch = target / "firmware.part"
        shutil.rmtree(scratch, ignore_errors=True)
        for name in FIRMWARE:
            shutil.copytree(STORE / "tools/usr/share" / name, scratch,
                            dirs_exist_ok=True)
        scratch.replace(firmware)
    scratch = target / f"{program}.part"
    shutil.copy2(BUILD / program, scratch)
    scratch.replace(target / program)
    builds = sorted(STORE.glob("build-*"), key=os.path.getmtime)
    for old in builds[:-KEPT]:
        shutil.rmtree(old)


def program(name):
    """The path of a program, which is built when it is not there.

    Missing: it cannot be had here. Failure: what we have of it is broken.
    """
    with lock(STORE / "lock"):
        rec = fetch()
        digest = state(rec)
        target = STORE / f"build-{digest}"
        if not (target / name).exists():
            for tool in ("ninja", "patch", "cc"):
                if not shutil.which(tool):
                    raise Missing(f"{tool} is not installed; run "
                                  "scripts/deps")
            if load(STORE / "unpacked.json") != digest:
                renew(unpack(rec))
                store(STORE / "unpacked.json", digest)
            configure()
            compile_it(name)
            keep(name, target)
    return target / name
