# SPDX-License-Identifier: GPL-2.0-only
"""The base's own tests of what the series changes, as they are.

tests/known-failures and tests/known-skips say what cannot pass under
User-mode Linux whatever the series does, and why; all else has to.
"""

import shutil
import subprocess
import sys
import time

import kernel
import results
import selftests
import suite_tools
from common import LINUX, OUT, TOP, say, step

CONFIG = "um-judges"
NAME = "judges"
SKIPS = TOP / "tests/known-skips"
ROOT = selftests.WORK / "root"
PROGRAMS = ("iommufd", "iommufd_fail_nth")
SOURCES = f"{selftests.SOURCES}/iommu"
# What must be the base's. KUnit's files of the page table have more tests.
UNCHANGED = (*(f"{SOURCES}/{p}.c" for p in PROGRAMS),
             f"{SOURCES}/iommufd_utils.h", "drivers/iommu/iommufd")
# KUnit suites of the generic page table, and formats that must be there.
SUITES = "*_test"
FORMATS = ("amdv1", "riscv", "vtdss", "x86_64")
# Seconds for all programs, and for KUnit, on a slow machine.
LIMIT = 1800


def suite(done):
    """The tests on the series."""
    judged(done, NAME, lambda: kernel.Build(CONFIG, arch="um"))


def judged(done, name, build):
    """Build, run and compare."""
    built = []
    done.check(name, "tests are the base's", unchanged)
    done.check(name, "programs", programs)
    done.check(name, "build", lambda: built.append(made(build())))
    if any(r.status != "pass" for r in done.all if r.suite == name):
        return
    found = by_kunit(name, *built) + by_programs(name, *built)
    compare(done, name, found)


def made(build):
    """A build, when it is through."""
    build.make()
    return build


def unchanged():
    """The series has not touched these files."""
    return selftests.changed(*UNCHANGED)


def programs():
    """Static programs in a directory that is the kernel's root."""
    image = suite_tools.module_of("guest-image")
    for sub in (*image.DIRECTORIES, "results"):
        (ROOT / sub).mkdir(parents=True, exist_ok=True)
    (ROOT / "bin/busybox").write_bytes(image.find_busybox(None))
    (ROOT / "bin/busybox").chmod(0o755)
    shutil.copy(TOP / "guest/judges", ROOT / "init")
    return selftests.build("iommu", ROOT / "bin", PROGRAMS)


def by_kunit(name, build):
    """Results of KUnit: [(test, status, detail)]."""
    import suites       # needs us
    report = OUT / f"{name}-kunit.ktap"
    with step(f"{name} kunit"), open(report, "w", encoding="utf-8") as f:
        subprocess.run(
            [suites.tool(), "exec", f"--build_dir={build.dir}",
             f"--timeout={LIMIT}", "--raw_output=all",
             f"--kernel_args=kunit.timeout={LIMIT}",
             "--kernel_args=seccomp=on", SUITES],
            cwd=LINUX, stdin=subprocess.DEVNULL, stdout=f,
            stderr=subprocess.STDOUT, env=kernel.environment(), check=False)
    found = results.kunit(report)
    found += [(word, "fail", f"no test of this format has run, see {report}")
              for word in FORMATS
              if not any(test.startswith(word) for test, _, _ in found)]
    return found + log_of("kunit", report)


def by_programs(name, build):
    """Results of the programs, in a kernel whose root has them."""
    console = OUT / f"logs/{name}.console"
    for old in (ROOT / "results").iterdir():
        old.unlink()
    (OUT / "uml").mkdir(exist_ok=True)
    with step(f"{name} programs run"), open(console, "wb") as f:
        watch(subprocess.Popen(
            [build.dir / "linux", "mem=1G", "seccomp=on", "con=null",
             "con0=fd:0,fd:1", "ssl=null", f"uml_dir={OUT}/uml/", "panic=-1",
             "kunit.enable=0", "root=/dev/root", "rootfstype=hostfs",
             f"rootflags={ROOT}", "rw", "init=/init",
             f"judges={','.join(PROGRAMS)}"],
            stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT))
    return [r for p in PROGRAMS for r in by_program(name, p)] + log_of(
        "selftests", console)


def watch(process):
    """Wait for the end; people see how far it is."""
    limit = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < limit:
        time.sleep(0.2)
        if sys.stdout.isatty():
            said = [f"{p.stem}: {p.read_bytes().count(b'ok ')}"
                    for p in sorted((ROOT / "results").glob("*.ktap"))]
            print(f"\r  {', '.join(said)}", end="\r", flush=True)
    process.kill()
    process.wait()


def by_program(name, program):
    """What one program said, and whether it came to its end."""
    report = OUT / f"{name}-{program}.ktap"
    said, code = (ROOT / f"results/{program}.{suffix}"
                  for suffix in ("ktap", "code"))
    report.write_bytes(said.read_bytes() if said.exists() else b"")
    found = [(f"{program}/{test}", status, detail)
             for test, status, detail in results.machine(report)]
    ended = code.exists() and int(code.read_text())
    good = ended == any(s == "fail" for _, s, _ in found) and code.exists()
    return found + [(f"{program}/complete",
                     "pass" if good and found else "fail",
                     f"its exit code is {ended}, see {report}")]


def log_of(part, report):
    """The kernel log as a result."""
    import suites       # needs us
    bad = suites.log_is_clean(report)
    return [(f"kernel log of {part}", "fail" if bad else "pass", bad)]


def listed(done):
    """What the lists say of a test, unless it is to pass."""
    skips = SKIPS.read_text(encoding="utf-8").splitlines()
    return {line.removeprefix(f"{NAME}: "): status
            for status, lines in (("fail", done.known), ("skip", skips))
            for line in lines if line.startswith(f"{NAME}: ")}


def compare(done, name, found):
    """Add results; those that differ from the lists fail, or are told."""
    lists = listed(done)
    for test, status, detail in found:
        before = lists.pop(test, "pass")
        if status == before:
            done.add(name, test, "known" if status == "fail" else status,
                     detail)
        elif status == "pass":
            done.add(name, test, status)
            say(f"  note: {test} is listed as {before}; it passes here")
        else:
            done.add(name, test, "fail", f"{status}, {before} is expected\n"
                     f"{detail}")
    for test, before in lists.items():
        say(f"  note: {test} is listed as {before}; there is no such test")
