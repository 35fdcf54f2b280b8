# SPDX-License-Identifier: GPL-2.0-only
"""The suites of make test that need no emulated machine."""

import subprocess

import dispatch
import kernel
import options
import results
import suite_broken
import suite_ebda
import suite_iova
import suite_kcsan
import suite_models
import suite_powerpc
import suite_series
import suite_style
import suite_tools
from common import (JOBS, LINUX, OUT, TOP, Failure, logged, run, say, step,
                    tail_of)

# Seconds that a KUnit run may take; kunit.py's own limit is too short.
KUNIT_LIMIT = 3600
# Suites of the DMA API, the IOVA allocator and the software IOMMU
DMA_SUITES = "[dis]*-*"
# Runs of KUnit under User-mode Linux with each configuration: arguments.
KUNIT_RUNS = {
    "um": {
        "kunit": ("--kernel_args=seccomp=on", "--kernel_args=ncpus=2"),
        "kunit-1cpu": ("--kernel_args=seccomp=on", "--kernel_args=ncpus=1",
                       DMA_SUITES)},
    "um-up": {"kunit-up": ("--kernel_args=seccomp=on",)},
}
# Formats of page tables whose suites, the base's own, must be there, the ends
# of the names of such suites, and what of them may be skipped
FORMATS = {"kunit-up": ("amdv1", "amdv1_mock", "riscv_64", "vtdss", "x86_64")}
OF_FORMATS = ("_fmt_test", "_iommu_test")
SKIPS = TOP / "tests/known-skips"


def kunit(done):
    """KUnit under User-mode Linux: two CPUs, and one of two."""
    kunit_runs(done, "um")


def kunit_up(done):
    """KUnit under User-mode Linux with KASAN and without SMP."""
    kunit_runs(done, "um-up")


def kunit_runs(done, config):
    """All runs of one kernel."""
    runs = KUNIT_RUNS[config]
    done.check(next(iter(runs)), "build", build_um, config)
    if done.all[-1].status == "pass":
        for name, words in runs.items():
            kunit_run(done, name, config, words)


def kunit_run(done, name, config, words):
    """One run, by the kernel's own tool."""
    report = OUT / f"{name}.ktap"
    with step(name), open(report, "w", encoding="utf-8") as f:
        subprocess.run(
            [tool(), "exec", f"--build_dir={OUT / f'build-{config}'}",
             f"--timeout={KUNIT_LIMIT}", "--raw_output=all",
             f"--kernel_args=kunit.timeout={KUNIT_LIMIT}", *words],
            cwd=LINUX, stdin=subprocess.DEVNULL, stdout=f,
            stderr=subprocess.STDOUT, env=kernel.environment(), check=False)
    kunit_judge(done, name, results.kunit(report))
    done.check(name, "kernel log", log_is_clean, report)


def kunit_judge(done, name, found):
    """Add results; of the base's own tests none may be skipped or missing."""
    listed = SKIPS.read_text(encoding="utf-8").splitlines()
    for test, status, detail in found:
        of_base = test.split("/")[0].endswith(OF_FORMATS)
        if status == "skip" and of_base and test not in listed:
            status, detail = "fail", f"skipped, and not listed\n{detail}"
        done.add(name, test, status, detail)
    wanted = [f"{word}{end}" for word in FORMATS.get(name, ())
              for end in OF_FORMATS]
    there = {test.split("/")[0] for test, _, _ in found}
    for suite in wanted:
        done.add(name, f"{suite} is there",
                 "pass" if suite in there else "fail")
    skipped = {test for test, status, _ in found if status == "skip"}
    for test in listed if wanted else ():
        if test and not test.startswith("#") and test not in skipped:
            done.add(name, f"{test} is skipped", "fail",
                     f"take it out of tests/{SKIPS.name}")


def tool():
    """The kernel's KUnit tool."""
    return LINUX / "tools/testing/kunit/kunit.py"


def build_um(config):
    """Build a UML kernel; kunit.py refuses dropped configuration lines."""
    build = kernel.Build(config)
    wanted = build.dir / "wanted.config"
    with build.alone(), step(f"kernel {build.name}"):
        build.dir.mkdir(parents=True, exist_ok=True)
        wanted.write_text(build.fragment, encoding="utf-8")
        code, log = logged(
            build.name, tool(), "build", f"--jobs={JOBS}",
            f"--kunitconfig={wanted}", f"--build_dir={build.dir}",
            f"--make_options=CC={kernel.compiler()}", cwd=LINUX,
            env=kernel.environment())
    return tail_of(log) if code else None


def log_is_clean(report):
    """No warning, no lockdep report, no oops while the tests ran."""
    bad = ("WARNING:", "BUG:", "INFO: possible", "Kernel panic",
           "possible recursive locking", "possible circular locking",
           "sleeping function called", "KASAN:", "UBSAN:", "Oops")
    found = [ln for ln in report.read_text(errors="replace").splitlines()
             if any(b in ln for b in bad)]
    return "\n".join(found[:20])


def options_off(done):
    """The touched directories build with the added options off and =m."""
    head = run("git", "-C", LINUX, "rev-parse", "HEAD").strip()
    repo = OptionsTree()
    for how, word in (("n", "off"), ("m", "modules")):
        done.check("options", f"builds with the options {word}",
                   one_option, repo, head, how)
    done.check("options", "modules find their symbols", symbols)


class OptionsTree:
    """The composed tree, as options.build() wants it."""
    path = LINUX


def one_option(repo, head, how):
    """Build with the series' options set one way."""
    build = kernel.Build("q35")
    build.make()
    with step(f"objects with the options ={how}"):
        part = options.build(repo, head, how, build.dir,
                             f"build-q35-{how}")
    if not part:
        raise results.Skip("the series adds no such option")
    code, log = part
    if code:
        return tail_of(log)
    return "\n".join(ln for ln in log.read_text().splitlines()
                     if " warning: " in ln)


def symbols():
    """What the series' modules use is exported by the rest."""
    where = OUT / "build-q35-m"
    build = kernel.Build("q35")
    build.make()
    exported = {ln.split("\t")[1] for ln in
                (build.dir / "Module.symvers").read_text().splitlines()}
    # modpost makes this one for each module.
    exported.add("__this_module")
    names = options.module_objects(where)
    if not names:
        raise results.Skip("the series has no module")
    missing = []
    for objects in names:
        missing += [f"{objects[0]}: {s} is not exported"
                    for s in options.undefined(objects) - exported]
    return "\n".join(missing)


def bench(done):
    """No instruction more than stock on the fast path."""
    try:
        with step("dispatch"):
            stock, ours = dispatch.measure()
    except Failure as e:
        done.add("dispatch", "measure", "fail", str(e))
        return
    for name in dispatch.FUNCTIONS:
        a, b = stock[name]["run"], ours[name]["run"]
        say(f"  {name}: {a} instructions on stock, {b} with the series")
        done.add("dispatch", name, "pass" if b <= a else "fail",
                 f"{b} instructions, stock has {a}")


SUITES = {
    "style": suite_style.suite,
    "tools": suite_tools.suite,
    "series": suite_series.suite,
    "iova": suite_iova.suite,
    "ebda": suite_ebda.suite,
    "kunit": kunit,
    "kunit-up": kunit_up,
    "kcsan": suite_kcsan.suite,
    "options": options_off,
    "powerpc": suite_powerpc.suite,
    "dispatch": bench,
    "models": suite_models.suite,
    "broken": suite_broken.suite,
}

# The kernels that they build, and in which order.
KERNELS = {
    "kunit": ("um",),
    "kunit-up": ("um-up",),
    "kcsan": ("kcsan",),
    "options": ("q35",),
    "broken": ("q35", "power"),
}

# And the programs of QEMU.
PROGRAMS = {
    "models": ("qemu-system-x86_64",),
    "broken": ("qemu-system-x86_64", "qemu-system-ppc64"),
}
