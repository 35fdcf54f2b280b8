# SPDX-License-Identifier: GPL-2.0-only
"""QEMU for a POWER machine that is a hypervisor itself.

The distribution's program for that architecture, with the libraries that it
needs, as an archive that the machine unpacks. A private apt state resolves
what belongs to it; nothing of it is installed here.
"""

import fnmatch
import re
import shutil
import tarfile

import sources
from common import CACHE, Failure, Missing, lock, run, step

STORE = CACHE / "hypervisor"
ARCHIVE = STORE / "qemu-ppc64el.tar"
ARCH = "ppc64el"
SUITES = ("bookworm", "trixie")
PROGRAM = "qemu-system-ppc64"
FIRMWARE = ("vof.bin", "slof.bin")
# As if nothing were installed: all that it needs is downloaded.
OPTIONS = ("-qq", "--no-install-recommends", "--yes", "--download-only",
           "-o", "Dir::State::status=/dev/null", "-o", "Debug::NoLocking=1")


def needed(path):
    """The libraries that a program or library names."""
    return re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", path))


def find(root, *patterns):
    """{name: file} of those files that fit."""
    return {p.name: p for p in sorted(root.rglob("*"))
            if p.exists() and not p.is_dir()
            and any(fnmatch.fnmatch(p.name, n) for n in patterns)}


def closure(root):
    """What the program needs: {where in the machine: file}."""
    libraries = find(root, "*.so", "*.so.*")
    program = find(root, PROGRAM)[PROGRAM]
    found = {f"usr/bin/{PROGRAM}": program}
    found |= {f"usr/share/qemu/{name}": path
              for name, path in find(root, *FIRMWARE).items()}
    todo = [program]
    while todo:
        for name in needed(todo.pop()):
            where = ("lib64" if name.startswith("ld64")
                     else "usr/lib/powerpc64le-linux-gnu")
            if name not in libraries:
                raise Failure(f"no package has {name}")
            if f"{where}/{name}" not in found:
                found[f"{where}/{name}"] = libraries[name]
                todo.append(libraries[name])
    return found


def take(env):
    """Download, unpack and pack again what is needed."""
    shutil.rmtree(STORE / "apt/cache", ignore_errors=True)
    (STORE / "apt/cache/archives/partial").mkdir(parents=True)
    run("apt-get", *OPTIONS, "install", f"qemu-system-ppc:{ARCH}", env=env)
    root = STORE / "root"
    shutil.rmtree(root, ignore_errors=True)
    for package in sorted((STORE / "apt/cache/archives").glob("*.deb")):
        run("dpkg-deb", "-x", package, root)
    scratch = ARCHIVE.with_suffix(".part")
    with tarfile.open(scratch, "w", dereference=True) as archive:
        for name, path in closure(root).items():
            archive.add(path, name)
    scratch.replace(ARCHIVE)


def archive():
    """The path of the archive, which is made when it is not there."""
    STORE.mkdir(parents=True, exist_ok=True)
    with lock(STORE / "lock"):
        if not ARCHIVE.exists():
            with step("fetch of QEMU for POWER"):
                try:
                    sources.by_apt(f"qemu-system-ppc:{ARCH}", STORE / "apt",
                                   SUITES, take, ARCH)
                except Failure as e:
                    raise Missing(str(e)) from None
            for scratch in ("apt", "root"):
                shutil.rmtree(STORE / scratch)
    return ARCHIVE
