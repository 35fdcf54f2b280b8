# SPDX-License-Identifier: GPL-2.0-only
"""Configure and build a kernel tree."""

import hashlib
import os
import re
import shutil

from common import (CACHE, JOBS, LINUX, OUT, TOP, Failure, load, lock, logged,
                    run, say, step, store, tail_of)

CONFIGS = TOP / "configs"
# Prefixes of compilers for other machines than this one.
CROSS = {"powerpc": "powerpc64le-linux-gnu-"}
# Configurations that are not for x86.
FOREIGN = {"power": "powerpc"}
# What is done to modules when they are installed
INSTALLED = {"CONFIG_MODULE_SIG", "CONFIG_MODULE_COMPRESS"}
TARGETS = {"um": ("linux",), "powerpc": ("vmlinux", "modules"),
           "x86_64": ("bzImage", "modules")}
# Fixed, so that the same source gives the same kernel on every machine.
STAMP = {"KBUILD_BUILD_USER": "dma-windows", "KBUILD_BUILD_HOST": "build",
         "KBUILD_BUILD_VERSION": "1", "LC_ALL": "C",
         "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 2026"}


def configs():
    """Names of the configurations there are."""
    return sorted(p.stem for p in CONFIGS.glob("*.config"))


def fragments(name):
    """The fragments of a configuration: of "a-b", those of a and a-b."""
    parts = name.split("-")
    names = ["-".join(parts[:n]) for n in range(1, len(parts) + 1)]
    files = [CONFIGS / f"{n}.config" for n in names]
    if not files[-1].exists():
        raise Failure(f"no configs/{name}.config; accepted: "
                      + ", ".join(configs()))
    return [f for f in files if f.exists()]


def settings(text):
    """Symbols that a configuration sets, the last word counting."""
    found = {}
    for line in text.splitlines():
        m = re.match(r"(CONFIG_\w+)=(.*)$", line)
        off = re.match(r"# (CONFIG_\w+) is not set", line)
        if m:
            found[m.group(1)] = m.group(2)
        elif off:
            found[off.group(1)] = "n"
    return found


def environment():
    """Environment of the builds; ccache's directory is in our cache."""
    env = os.environ | STAMP
    for name in ("O", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "T", "ARCH",
                 "MACHINE"):
        env.pop(name, None)
    env.setdefault("CCACHE_DIR", str(CACHE / "ccache"))
    return env


def compiler(arch="x86_64", cache=True):
    """The compiler, through ccache when it is there."""
    gcc = f"{CROSS.get(arch, '')}gcc"
    return f"ccache {gcc}" if cache and shutil.which("ccache") else gcc


class Build:
    """One configuration of one tree and its build directory."""

    def __init__(self, config, tree=LINUX, where=None, arch=None,
                 extra="", strict=True):
        self.config = config
        self.tree = tree
        self.dir = where or OUT / f"build-{config}"
        self.name = self.dir.name
        self.arch = arch or FOREIGN.get(config.split("-")[0], "x86_64")
        self.strict = strict
        # The same symbol may be set twice; kconfig would only warn.
        merged = settings("\n".join(
            [f.read_text(encoding="utf-8") for f in fragments(config)]
            + [extra]))
        self.wanted = merged
        self.fragment = "".join(
            f"{k}={v}\n" if v != "n" else f"# {k} is not set\n"
            for k, v in merged.items())

    def alone(self):
        """Keep others out of the build directory."""
        return lock(self.dir.with_name(f"{self.name}.lock"),
                    f"the build of {self.name}")

    def command(self, *args):
        """A make command for this build."""
        return ["make", "-C", self.tree, f"O={self.dir}",
                f"ARCH={self.arch}", f"-j{JOBS}",
                f"CROSS_COMPILE={CROSS.get(self.arch, '')}",
                f"CC={compiler(self.arch)}", *args]

    def state(self, targets):
        """What the build depends on, for skipping it when nothing changed."""
        tree = run("git", "-C", self.tree, "rev-parse", "HEAD^{tree}")
        prefix = CROSS.get(self.arch, "")
        tools = (run(f"{prefix}gcc", "-v", "--version")
                 + run(f"{prefix}ld", "--version"))
        return hashlib.sha256("\0".join(
            [tree, tools, self.fragment, *targets]).encode()).hexdigest()

    def menu(self):
        """What the configuration depends on: fragments and Kconfig files."""
        names = run("git", "-C", self.tree, "ls-tree", "-r", "HEAD")
        files = [ln for ln in names.splitlines() if "/Kconfig" in ln]
        return hashlib.sha256("\n".join(
            files + [self.fragment]).encode()).hexdigest()

    def configure(self):
        """Write .config and see that no line of the fragment was dropped."""
        record = self.dir / "dma-windows-config.json"
        menu = self.menu()
        if load(record) == menu and (self.dir / ".config").exists():
            return
        record.unlink(missing_ok=True)
        self.dir.mkdir(parents=True, exist_ok=True)
        wanted = self.dir / "wanted.config"
        wanted.write_text(self.fragment, encoding="utf-8")
        with step(f"configuration of {self.name}"):
            code, log = logged(
                f"{self.name}-config", *self.command("allnoconfig"),
                env=environment() | {"KCONFIG_ALLCONFIG": str(wanted)})
        if code:
            raise Failure(f"configuration {self.config} failed, see {log}\n"
                          + tail_of(log))
        if self.strict:
            self.dropped()
        store(record, menu)

    def dropped(self):
        """Refuse a configuration that lost a line of its fragment."""
        have = settings((self.dir / ".config").read_text(encoding="utf-8"))
        lost = [f"{k}={v} (is {have.get(k, 'n')})"
                for k, v in self.wanted.items() if have.get(k, "n") != v]
        if lost:
            raise Failure(f"configs/{self.config}.config: these lines were "
                          "dropped, a dependency is missing or the symbol "
                          "does not exist:\n  " + "\n  ".join(lost))

    def make(self, *targets):
        """Build; quickly done when nothing changed since the last time."""
        with self.alone():
            self.make_alone(targets or TARGETS[self.arch])

    def make_alone(self, targets):
        """Build while no one else works in the directory."""
        record = self.dir / "dma-windows-build.json"
        state = self.state(targets)
        if load(record) == state:
            say(f"{self.name}: nothing changed")
            return
        record.unlink(missing_ok=True)
        self.configure()
        with step(f"kernel {self.name}"):
            code, log = logged(self.name, *self.command(*targets),
                               env=environment())
        if not code and "modules" in targets:
            code, log = self.install_modules()
        if code:
            raise Failure(f"the kernel does not build, see {log}\n"
                          + tail_of(log))
        store(record, state)

    def install_modules(self):
        """Modules as distributions have them: that signs and compresses."""
        where = self.dir / "installed"
        shutil.rmtree(where, ignore_errors=True)
        if not INSTALLED & self.wanted.keys():
            return 0, None
        return logged(f"{self.name}-modules", *self.command(
            f"INSTALL_MOD_PATH={where}", "DEPMOD=true", "modules_install"),
            env=environment())

    def object(self, *objects, options=(), name=None, again=False):
        """Build single objects; returns the exit code and the log."""
        with self.alone():
            for obj in objects if again else ():
                (self.dir / obj).unlink(missing_ok=True)
            self.configure()
            return logged(name or f"{self.name}-objects",
                          *self.command(*options, *objects),
                          env=environment())
