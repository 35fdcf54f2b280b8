# SPDX-License-Identifier: GPL-2.0-only
"""Build the benchmark's kernels, run them, collect what they measure."""

import os
import re
import selectors
import shlex
import subprocess
import sys
import time
from pathlib import Path

import gitbase
import kernel
from common import (LINUX, LOGS, OUT, TOP, Failure, base, run, say,
                    step)
from tree import Tree

MEMORY = "1G"
# Seconds without a line after which a kernel counts as stuck.
SILENCE = 300
# What any tree needs for the benchmark, as far as it is in files of its own.
OWN = ("drivers/iommu/soft", "drivers/iommu/dma-bench")
# What makes User-mode Linux fit for measuring; no part of the series.
RIG = TOP / "emulation/um-smp.patch"
DATES = {f"GIT_{who}_DATE": gitbase.DATE for who in ("AUTHOR", "COMMITTER")}
# What must not be in the log of a run.
BAD = ("WARNING:", "BUG:", "Kernel panic", "Oops", "general protection",
       "rcu: INFO", "Segfault")


class Samples:
    """All records, by work and side, in the order in which they came."""

    def __init__(self):
        self.rows = []
        self.skipped = {}
        self.errors = []
        self.arena = False
        self.starts = 0

    def take(self, fields, rename):
        """Take the fields of one line."""
        if "value" in fields:
            row = {k: v if k in ("work", "side", "unit") else float(v)
                   for k, v in fields.items()}
            if rename:
                row["side"] = rename
            row["start"] = self.starts
            self.rows.append(row)
        elif "skip" in fields:
            self.skipped[fields["work"]] = fields["skip"]
        elif "arena" in fields:
            self.arena = fields["arena"] == "1"
            self.starts += 1
        elif fields.get("error", "0") != "0":
            self.errors.append(" ".join(f"{k}={v}"
                                        for k, v in fields.items()))

    def works(self):
        """Names of the works that have records, in their order."""
        return list(dict.fromkeys(r["work"] for r in self.rows))


def build():
    """Our tree's kernel."""
    head = run("git", "-C", LINUX, "rev-parse", "HEAD").strip()
    repo = Tree(OUT / "linux-bench")
    repo.prepare(LINUX)
    repo.plumb("read-tree", head)
    level(repo)
    with step("tree of the benchmark"):
        repo.switch(committed(repo, head))
    made = kernel.Build("bench", repo.path, arch="um")
    made.make()
    return made.dir / "linux"


def committed(repo, parent):
    """A commit of what is in the index."""
    return repo.plumb("commit-tree", "-p", parent, "-m", "benchmark",
                      repo.plumb("write-tree"), extra=DATES)


def fetch_other(name):
    """Another tree as a commit, whatever version it is."""
    if name == "base":
        return base() | {"packs": {}}
    path = Path(name).expanduser().resolve()
    if (path / ".git").exists():
        if run("git", "-C", path, "status", "--porcelain", "-uno"):
            say(f"  note: uncommitted changes in {path} are left out")
        return gitbase.import_commit(path)
    if (path / "Makefile").exists():
        return gitbase.import_dir(path)
    if path.is_file():
        return gitbase.import_tar(path)
    raise Failure(f"LINUX_SRC_B={name}: not there; accepted: the word "
                  "base, or a Linux tree, as a git tree, a plain tree or a "
                  "tarball")


def planted_kconfig(text):
    """drivers/iommu/Kconfig with what the benchmark needs."""
    if "UML_DMA_EMULATION" not in text:
        text, found = re.subn(r"(config IOMMU_DMA\n\tdef_bool [^\n]*)",
                              r"\1 || UML_DMA_EMULATION", text)
        if not found:
            raise Failure("that tree's drivers/iommu/Kconfig has no "
                          "IOMMU_DMA that could be widened")
    at = text.rfind("endif # IOMMU_SUPPORT")
    lines = "".join(f'source "{d}/Kconfig"\n' for d in OWN
                    if f'"{d}/Kconfig"' not in text)
    return text[:at] + lines + text[at:]


def planted_makefile(text):
    """drivers/iommu/Makefile with what the benchmark needs."""
    for word, where in (("SOFT_IOMMU", "soft/"), ("DMA_BENCH", "dma-bench/")):
        if f"$(CONFIG_{word})" not in text:
            text += f"obj-$(CONFIG_{word}) += {where}\n"
    return text


def level(repo):
    """Apply the rig's patch in the index."""
    repo.plumb("apply", "--cached", "-",
               input=RIG.read_text(encoding="utf-8"))


def plant(repo, commit):
    """A commit on top of another tree's that has the benchmark."""
    repo.plumb("read-tree", commit)
    level(repo)
    files = [p for d in OWN for p in (TOP / d).iterdir() if p.is_file()]
    texts = {str(p.relative_to(TOP)): p.read_text(encoding="utf-8")
             for p in files}
    for name, change in (("drivers/iommu/Kconfig", planted_kconfig),
                         ("drivers/iommu/Makefile", planted_makefile)):
        texts[name] = change(repo.git("show", f"{commit}:{name}") + "\n")
    for name, text in texts.items():
        blob = repo.git("hash-object", "-w", "--stdin", input=text)
        repo.plumb("update-index", "--add", "--cacheinfo",
                   f"100644,{blob},{name}")
    return committed(repo, commit)


def build_other(name):
    """The kernel of another tree, with the benchmark in it."""
    with step("import of the other tree"):
        rec = fetch_other(name)
        repo = Tree(OUT / "linux-b")
        repo.base = rec
        repo.prepare()
        repo.switch(plant(repo, rec["commit"]))
    say(f"other tree: {name}, commit {rec['commit'][:12]}")
    # Lines about what only our tree has are dropped there.
    made = kernel.Build("bench", repo.path, OUT / "build-bench-b", arch="um",
                        strict=False)
    made.make()
    return made.dir / "linux"


def options(works, rounds, seed, sides="stock,new"):
    """The benchmark's parameters as words of a command line."""
    words = {"run": works, "rounds": rounds, "seed": seed, "sides": sides,
             "poweroff": 1}
    if os.environ.get("AGED_OPS"):
        words["aged_ops"] = os.environ["AGED_OPS"]
    minutes = os.environ.get("MINUTES") or "0"
    if not minutes.isdigit():
        raise Failure(f"MINUTES={minutes}: a number of minutes is wanted")
    if int(minutes):
        words["aged_seconds"] = 60 * int(minutes)
    return [f"dma_bench.{k}={v}" for k, v in words.items()]


def command(binary, words):
    """The command that starts a kernel."""
    cpus = min(2, len(os.sched_getaffinity(0)))
    return [str(binary), f"mem={MEMORY}", f"ncpus={cpus}", "seccomp=on",
            "con=null", "con0=fd:0,fd:1", "ssl=null",
            f"uml_dir={OUT}/uml/", "panic=-1", *words]


def lines_of(process):
    """Lines as they come; a kernel that falls silent is ended."""
    pending = b""
    with selectors.DefaultSelector() as wait:
        wait.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not wait.select(SILENCE):
                process.kill()
                raise Failure(f"the kernel said nothing for {SILENCE} s")
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            yield from (ln.decode(errors="replace").rstrip("\r")
                        for ln in lines)


class Progress:
    """What runs, for people: one line for each work, kept up to date."""

    def __init__(self):
        self.work = None
        self.count = 0
        self.begin = time.monotonic()

    def show(self, row):
        """A record came."""
        if row["work"] != self.work:
            self.done()
            self.work, self.count = row["work"], 0
            self.begin = time.monotonic()
        self.count += 1
        if sys.stdout.isatty():
            print(f"\r  {self.work}: {self.count} records", end="",
                  flush=True)

    def done(self):
        """The work is complete."""
        if self.work:
            took = time.monotonic() - self.begin
            end = "\r" if sys.stdout.isatty() else ""
            say(f"{end}  {self.work}: {self.count} records, {took:.1f} s")
        self.work = None


def start(binary, words, samples, rename=None):
    """Run a kernel to its end; returns whether something went wrong."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"bench{'-' + rename if rename else ''}.console"
    (OUT / "uml").mkdir(exist_ok=True)
    progress, ended, bad = Progress(), False, []
    said = " ".join(shlex.quote(w) for w in command(binary, words))
    with open(log, "w", encoding="utf-8") as f, \
            step("bench"), subprocess.Popen(
                command(binary, words), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        f.write(f"$ {said}\n")
        for line in lines_of(process):
            f.write(line + "\n")
            f.flush()
            bad += [line] if any(b in line for b in BAD) else []
            m = re.search(r"dma-bench: (.*)", line)
            if not m:
                continue
            fields = dict(re.findall(r"(\w+)=((?:[^ ]| (?!\w+=))+)",
                                     m.group(1)))
            samples.take(fields, rename)
            if "value" in fields:
                progress.show(fields)
            ended |= m.group(1).startswith("end ")
        progress.done()
    if not ended:
        raise Failure(f"the kernel did not finish the benchmark, see {log}")
    for line in samples.errors + bad:
        say(f"  error: {line}")
    return bool(samples.errors or bad)


def listing(binary, emulated):
    """Print the names of all works, those of emulated machines last."""
    done = subprocess.run(command(binary, options("list", 1, 1)),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    for m in re.finditer(rb"dma-bench: work=(\S+) unit=(\S+) cpus=(\d)",
                         done.stdout):
        say(f"{m[1].decode():32}{m[2].decode():8}{m[3].decode()} CPU")
    for name in emulated:
        say(f"{name:32}a machine in QEMU")
    return 0
