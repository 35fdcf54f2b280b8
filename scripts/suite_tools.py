# SPDX-License-Identifier: GPL-2.0-only
"""The tooling itself: what it refuses, and what it must not lose."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import shutil
import subprocess
import tarfile
import unittest.mock
from pathlib import Path

import suite_ahead
import suite_broken
import suite_emulator
from common import CACHE, LINUX, OUT, TOP, load, run, sha256, store

WORK = OUT / "tmp/tools"
MAKEFILE = "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\nEXTRAVERSION =\n"


def suite(done):
    """Run every check in a directory of its own."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name, func in (
            ("fetch refuses another version", wrong_version),
            ("fetch refuses a tree without a version", no_version),
            ("fetch refuses a truncated tarball", truncated),
            ("fetch takes a 7.3.y tarball, a tree and a git tree", accepted),
            ("fetch replaces an altered file of the cache", altered),
            ("fetch verifies the signed list of kernel.org", signed_list),
            ("compose refuses a file that no patch brings", unlisted),
            ("compose names patch and file that do not fit", misfit),
            ("compose does not lose edits", edits),
            ("compose keeps the time stamps of unchanged files", stamps),
            ("kbuild refuses a dropped configuration line", dropped),
            ("refresh writes edits back", refresh),
            ("make clean keeps files that are not ours", clean),
            ("make bench of some works keeps the results of all", bench_part),
            ("make bench tells flushes of a domain from those of ranges",
             bench_flushes),
            ("the judge of a boot notices what it should", judge),
            ("the list of skips excuses nothing else", excused),
            ("only what may be skipped is complete without", may_skip),
            ("what fails on the base's kernel has to fail there", base_fails),
            ("the base's kernel is told from ours", base_told),
            *suite_ahead.TESTS, *suite_broken.TESTS,
            *suite_emulator.TESTS):
        done.check("tools", name, func)
    shutil.rmtree(WORK)


def judge():
    """scripts/vm tests its own checks."""
    done = subprocess.run([TOP / "scripts/vm", "--self-test"], text=True,
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.stdout if done.returncode else None


def call(script, where, **env):
    """Run one of our scripts with an output and a cache of its own."""
    environ = os.environ | {"O": str(where / "out"),
                            "XDG_CACHE_HOME": str(where / "cache")} | env
    top = env.get("TOP", TOP)
    done = subprocess.run([Path(top) / "scripts" / script], env=environ,
                          text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def refused(answer, *words):
    """None when a script failed with these words in its message."""
    code, text = answer
    if not code:
        return f"it was accepted:\n{text}"
    missing = [w for w in words if w not in text]
    return f"no '{missing[0]}' in the message:\n{text}" if missing else None


def small_tree(where, version=(7, 3, 99)):
    """A directory that looks like a kernel tree."""
    tree = where / "linux-{}.{}.{}".format(*version)
    (tree / "kernel/dma").mkdir(parents=True)
    (tree / "Makefile").write_text(MAKEFILE.format(*version))
    (tree / "kernel/dma/mapping.c").write_text(
        "".join(f"int line_{n};\n" for n in range(40)))
    return tree


def pack(tree):
    """A tarball of a tree."""
    tarball = tree.parent / f"{tree.name}.tar.xz"
    with tarfile.open(tarball, "w:xz") as tar:
        tar.add(tree, tree.name)
    return tarball


def wrong_version():
    """7.2 is not 7.3, as a tarball and as a tree."""
    tree = small_tree(WORK / "version", (7, 2, 9))
    for source in (tree, pack(tree)):
        problem = refused(call("fetch", WORK / "version",
                               LINUX_SRC=str(source)), "7.2.9", "7.3.y")
        if problem:
            return problem
    return None


def no_version():
    """A Makefile of something else."""
    where = WORK / "none"
    where.mkdir()
    (where / "Makefile").write_text("all:\n\ttrue\n")
    return refused(call("fetch", WORK / "none", LINUX_SRC=str(where)),
                   "not a Linux tree", "7.3.y")


def truncated():
    """The second half of a tarball is missing."""
    where = WORK / "short"
    tree = small_tree(where)
    (tree / "noise").write_bytes(os.urandom(200000))
    tarball = pack(tree)
    os.truncate(tarball, tarball.stat().st_size // 2)
    return refused(call("fetch", where, LINUX_SRC=str(tarball)), "refused")


def accepted():
    """Three forms of the same tree give the same content."""
    where = WORK / "good"
    tree = small_tree(where)
    tarball = pack(tree)
    clone = where / "clone"
    shutil.copytree(tree, clone)
    run("git", "init", "-q", clone)
    run("git", "-C", clone, "add", "-Af", ".")
    run("git", "-C", clone, "-c", "user.name=t", "-c",
        "user.email=t@example.org", "commit", "-qm", "t")
    trees = set()
    for source in (tree, tarball, clone):
        code, text = call("fetch", where, LINUX_SRC=str(source))
        if code or "Linux 7.3.99" not in text:
            return text
        commit = text.split()[-1]
        trees.add(run("git", "--git-dir",
                      where / "cache/dma-windows/base/linux.git",
                      "rev-parse", f"{commit}^{{tree}}"))
    return None if len(trees) == 1 else f"different trees: {trees}"


def module_of(script):
    """One of our scripts as a module."""
    loader = importlib.machinery.SourceFileLoader(
        script, str(TOP / "scripts" / script))
    spec = importlib.util.spec_from_loader(script, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def fetcher(where):
    """The fetch script as a module, with a cache of its own."""
    module = module_of("fetch")
    module.BASE = where / "cache/dma-windows/base"
    module.RECORD = module.BASE / "base.json"
    module.gitbase.REPO = module.BASE / "linux.git"
    return module


def altered():
    """One byte of the cached tarball changes: refused, fetched again."""
    where = WORK / "altered"
    good = pack(small_tree(where))
    module = fetcher(where)
    try:
        module.BASE.mkdir(parents=True)
        bad = module.BASE / "linux-7.3.99.tar.xz"
        data = bytearray(good.read_bytes())
        data[len(data) // 2] ^= 1
        bad.write_bytes(data)
        store(module.RECORD, {"tarball": bad.name, "origin": "a test",
                              "sha256": sha256(good)})
        offered = shutil.copy(good, module.BASE / "new.part")
        module.sources.kernel_org, saved = (
            lambda _: (Path(offered), "a test")), module.sources.kernel_org
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                first = module.cached()
                module.download()
                again = module.cached()
        finally:
            module.sources.kernel_org = saved
    finally:
        module.gitbase.REPO = CACHE / "base/linux.git"
    if first or "truncated or altered" not in said.getvalue():
        return f"the altered file was taken: {said.getvalue()}"
    return None if again else "it was not fetched again"


def signed_list():
    """Good, altered and foreign signatures under a list of checksums."""
    import sources
    key = (TOP / "tests/kernel-org/key.pgp").read_bytes()
    text = (TOP / "tests/kernel-org/sha256sums.asc").read_bytes()
    saved, sources.KEY_PRINT = sources.KEY_PRINT, (
        TOP / "tests/kernel-org/fingerprint").read_text().split()[-1]
    try:
        if "linux-7.3.99" not in sources.signed_text(text, key):
            return "the signed text was not returned"
        if taken(sources, text.replace(b"7.3.99", b"7.3.98"), key):
            return "an altered list was accepted"
        sources.KEY_PRINT = saved
        if taken(sources, text, key):
            return "a list signed by another key was accepted"
    finally:
        sources.KEY_PRINT = saved
    return None


def taken(sources, text, key):
    """Whether a signed list is accepted."""
    try:
        sources.signed_text(text, key)
    except sources.Failure:
        return False
    return True


def project(where):
    """A small repository with a base, a patch and a new file."""
    top = where / "top"
    if top.exists():
        return top
    tree = small_tree(where)
    for sub in ("patches", "kernel/dma", "configs"):
        (top / sub).mkdir(parents=True)
    shutil.copytree(TOP / "scripts", top / "scripts",
                    ignore=shutil.ignore_patterns("__pycache__"))
    (top / "kernel/dma/new.c").write_text("int new;\n")
    (top / "patches/series").write_text("0001-a.patch\n0002-b.patch\n")
    for n, (line, adds) in enumerate(((10, "Adds: kernel/dma/new.c\n"),
                                      (30, "")), 1):
        patch_file(top, n, line, adds)
    run("git", "init", "-q", top)
    code, text = call("fetch", where, LINUX_SRC=str(tree))
    if not code:
        code, text = call("compose", where, TOP=str(top))
    if code:
        raise AssertionError(text)
    return top


def patch_file(top, number, line, adds):
    """A patch that changes one line of the small tree."""
    context = "".join(f" int line_{n};\n" for n in range(line - 3, line))
    after = "".join(f" int line_{n};\n" for n in range(line + 1, line + 4))
    (top / f"patches/000{number}-{'ab'[number - 1]}.patch").write_text(
        f"Subject: test: patch {number}\n\nFor a test.\n\n{adds}---\n"
        "diff --git a/kernel/dma/mapping.c b/kernel/dma/mapping.c\n"
        "--- a/kernel/dma/mapping.c\n+++ b/kernel/dma/mapping.c\n"
        f"@@ -{line - 2},7 +{line - 2},7 @@\n{context}-int line_{line};\n"
        f"+long line_{line};\n{after}")


def unlisted():
    """A kernel file that no Adds: line names, and one that is missing."""
    where = WORK / "unlisted"
    top = project(where)
    (top / "kernel/dma/other.c").write_text("int other;\n")
    problem = refused(call("compose", where, TOP=str(top)),
                      "kernel/dma/other.c", "Adds:")
    (top / "kernel/dma/other.c").unlink()
    (top / "kernel/dma/new.c").unlink()
    return problem or refused(call("compose", where, TOP=str(top)),
                              "kernel/dma/new.c", "0001-a.patch")


def misfit():
    """A patch whose context is not that of the base."""
    where = WORK / "misfit"
    top = project(where)
    patch = top / "patches/0002-b.patch"
    patch.write_text(patch.read_text().replace("line_29", "line_x"))
    return refused(call("compose", where, TOP=str(top)), "0002-b.patch",
                   "kernel/dma/mapping.c")


def edits():
    """An edited file, an edited commit and a new file stop compose."""
    where = WORK / "edits"
    top = project(where)
    tree = where / "out/linux"
    file = tree / "kernel/dma/mapping.c"
    file.write_text(file.read_text() + "int edited;\n")
    problem = refused(call("compose", where, TOP=str(top)),
                      "kernel/dma/mapping.c", "make refresh")
    run("git", "-C", tree, "commit", "-qam", "fixup")
    problem = problem or refused(call("compose", where, TOP=str(top)),
                                 "kernel/dma/mapping.c", "make refresh")
    run("git", "-C", tree, "reset", "-q", "--hard", "HEAD~1")
    (tree / "kernel/dma/fresh.c").write_text("int fresh;\n")
    return problem or refused(call("compose", where, TOP=str(top)),
                              "kernel/dma/fresh.c", "make refresh")


def stamps():
    """Only the changed file is written again."""
    where = WORK / "stamps"
    top = project(where)
    tree = where / "out/linux"
    names = ("Makefile", "kernel/dma/mapping.c", "kernel/dma/new.c")
    for name in names:
        os.utime(tree / name, (1, 1))
    (top / "kernel/dma/new.c").write_text("int newer;\n")
    code, text = call("compose", where, TOP=str(top))
    if code:
        return text
    old = [n for n in names if (tree / n).stat().st_mtime == 1]
    if old != list(names[:2]):
        return f"kept their time stamps: {old}"
    return None if "newer" in (tree / names[2]).read_text() else "stale"


def dropped():
    """A symbol that does not exist must not go unnoticed."""
    import kernel
    build = kernel.Build("q35", LINUX, OUT / "tmp/tools/config",
                         extra="CONFIG_NO_SUCH_SYMBOL=y")
    try:
        build.configure()
    except kernel.Failure as e:
        return None if "CONFIG_NO_SUCH_SYMBOL" in str(e) else str(e)
    return "the configuration was accepted"


def refresh():
    """Edits of a base file, of a new file, and a fresh file come back."""
    where = WORK / "refresh"
    top = project(where)
    tree = where / "out/linux"
    file = tree / "kernel/dma/mapping.c"
    file.write_text(file.read_text().replace("int line_12;",
                                             "char line_12;"))
    (tree / "kernel/dma/new.c").write_text("int newest;\n")
    (tree / "kernel/dma/fresh.c").write_text("int fresh;\n")
    problem = refused(call("refresh", where, TOP=str(top)), "P=")
    if problem:
        return problem
    want = {n: (tree / "kernel/dma" / n).read_text()
            for n in ("mapping.c", "new.c", "fresh.c")}
    code, text = call("refresh", where, TOP=str(top), P="1")
    if code:
        return text
    patch = (top / "patches/0001-a.patch").read_text()
    if "char line_12" not in patch or "Adds: kernel/dma/fresh.c" not in patch:
        return f"the patch is now\n{patch}"
    shutil.rmtree(tree)
    code, text = call("compose", where, TOP=str(top))
    if code:
        return text
    return "\n".join(n for n, t in want.items()
                     if (tree / "kernel/dma" / n).read_text() != t)


def bench_part():
    """What measures some works, or another tree, has files of its own."""
    where = WORK / "bench"
    where.mkdir()
    module = module_of("bench")
    module.OUT, module.base = where, lambda: {"version": "none"}
    row = module.bench_report.derived

    def measured(work, *_):
        samples = module.bench_run.Samples()
        samples.rows = row(work, "ns", [("new", 1)])
        return samples, ("stock", "new"), False

    module.one_tree = module.two_trees = measured
    module.EMULATED = {"windows": lambda: row("windows", "ns", [("new", 1)])}
    for works, other in (("all", ""), ("map-4k", ""), ("windows", ""),
                         ("all", "base"), ("map-4k", "base")):
        with (unittest.mock.patch.dict(os.environ, WORK=works,
                                       LINUX_SRC_B=other),
              contextlib.redirect_stdout(io.StringIO())):
            module.bench()
    found = {path.name: [rec["work"] for rec in load(path)]
             for path in where.glob("*.json")}
    right = {"bench.json": ["all", "windows"], "bench-part.json": ["windows"],
             "bench-trees.json": ["all"], "bench-trees-part.json": ["map-4k"]}
    return None if found == right else f"{found}"


def bench_flushes():
    """The second table, and what JSON has of it."""
    module = module_of("bench")
    rows = module.bench_report.derived("map", "ns", [("stock", 2), ("new", 1)])
    rows[0] |= {"unmaps": 2e6, "all": 7000}
    rows[1] |= {"unmaps": 5e5, "ranged": 500, "pages": 8000}
    samples = module.bench_run.Samples()
    samples.rows = rows + module.bench_report.derived("other", "ns",
                                                      [("new", 1)])
    found = module.bench_report.records(samples, ("stock", "new"))
    kinds = ("flushes", "domain_flushes", "ranged_flushes", "pages")
    figures = [[found[0][side][f"{kind}_per_million"] for kind in kinds]
               for side in ("stock", "new")]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        module.bench_report.flushed(found, ("stock", "new"))
    lines = out.getvalue().splitlines()
    right = ["map", "3,500", "0.00", "0.00", "0.00", "1,000", "16,000"]
    if figures != [[3500, 3500, 0, 0], [1000, 0, 1000, 16000]]:
        return f"{figures}"
    if lines[-1].split() != right or max(map(len, lines)) > 100:
        return out.getvalue()
    return None


def excused():
    """Of the base's own tests none is skipped or missing, but those listed."""
    import results
    import suites               # needs us
    skips = WORK / "known-skips"
    skips.write_text("a_iommu_test/b\n")
    found = {}
    for status in ("pass", "fail", "skip"):
        done = results.Results()
        with (unittest.mock.patch.object(suites, "SKIPS", skips),
              unittest.mock.patch.object(suites, "FORMATS",
                                         {"up": ("a", "x")}),
              contextlib.redirect_stdout(io.StringIO())):
            suites.kunit_judge(done, "up", [
                (test, status, "") for test in
                ("a_iommu_test/b", "a_iommu_test/c", "a_fmt_test/d",
                 "other/b")])
        found[status] = " ".join(r.status for r in done.all)
    # The tests, the suites of a and of x, and the entry if it excused nothing
    right = {"pass": "pass pass pass pass pass pass fail fail fail",
             "fail": "fail fail fail fail pass pass fail fail fail",
             "skip": "skip fail fail skip pass pass fail fail"}
    return None if found == right else f"{found}"


def may_skip():
    """A skip is a failure where only other results may be skipped."""
    vm = module_of("vm")
    for skips, ran, right in (
            (None, (), True), (None, ("a/b",), False), ((), (), False),
            (("b*", "a/*"), (), True), (("b*",), (), False),
            (("a/*",), ("a/b",), False)):
        judge = vm.Judge(())
        judge.take_report(
            ["KTAP version 1", "ok 1 a/b # SKIP no such card", "1..1"], (),
            vm.vm_machine.Mode("", "", None, skips=skips, ran=ran))
        if judge.results[-1].passed != right:
            return f"may be skipped: {skips}, not: {ran}"
    return None


def base_fails():
    """What the base's kernel is known to fail in has to fail on it."""
    vm = module_of("vm")
    for stock, line, right in (
            (True, "not ok 1 a/b", True), (True, "ok 1 a/b", False),
            (True, "ok 1 a/c", True), (False, "ok 1 a/b", True)):
        judge = vm.Judge(("a/b",))
        judge.take_report(["KTAP version 1", line, "1..1"], (),
                          vm.vm_machine.Mode("", "", None, known=("a/b",),
                                             stock=stock))
        if judge.results[-1].passed != right:
            return f"{line}, the base's kernel: {stock}"
    return None


def base_told():
    """A boot of the base's kernel is one, with the domains that it says."""
    vm = module_of("vm")
    for lines, right in (
            ([], [False, False]),
            (["# kernel: 1.2-stock+", "# device: nic0 1:0 igb",
              "# group: nic0 DMA"], [True, True]),
            (["# kernel: 1.2-ours", "# device: nic0 1:0 igb",
              "# group: nic0 DMA-FQ"], [False, False])):
        judge = vm.Judge(())
        vm.check_mode(judge, "", vm.vm_machine.Mode("", "", "DMA",
                                                    stock=True), lines)
        if [result.passed for result in judge.results] != right:
            return f"{lines}: {judge.body}"
    return None


def clean():
    """Files of others in O= survive."""
    where = WORK / "clean"
    top = project(where)
    (where / "out/mine").write_text("mine\n")
    code, text = call("clean", where, TOP=str(top))
    left = [p.name for p in (where / "out").iterdir()]
    return None if not code and left == ["mine"] else f"{left} {text}"
