# SPDX-License-Identifier: GPL-2.0-only
"""The IOVA allocator in user space: tests under sanitizers, and a fuzzer."""

import os
import subprocess

import results
from common import LINUX, OUT, logged, step, tail_of

SOURCE = LINUX / "tools/testing/iova"
WORK = OUT / "iova"
# Seconds of fuzzing that are part of the tests.
SECONDS = 60
FUZZERS = ("clang", "clang-19", "clang-16", "clang-14")


def make(variant, *words):
    """Run make in the tests' directory, with all output in a variant's own."""
    where = WORK / variant
    where.mkdir(parents=True, exist_ok=True)
    return logged(f"iova-{variant}", "make", "-C", SOURCE,
                  f"OUTPUT={where}/", *words)


def suite(done):
    """ASan with UBSan, TSan, then the fuzzer."""
    tests(done, "sanitized", "address,undefined", "")
    tests(done, "threads", "thread", "threads")
    done.check("iova", "fuzz", fuzz, SECONDS)


def tests(done, variant, sanitizers, part):
    """Build the tests with these sanitizers; each is one result."""
    with step(f"iova {variant}"):
        code, log = make(variant, f"SAN={sanitizers}")
        if code:
            done.add("iova", f"{variant}: build", "fail", tail_of(log))
            return
        report = OUT / f"iova-{variant}.ktap"
        with open(report, "w", encoding="utf-8") as f:
            subprocess.run([WORK / variant / "iova-test",
                            os.environ.get("SEED") or "1", part],
                           stdin=subprocess.DEVNULL, stdout=f,
                           stderr=subprocess.STDOUT, check=False)
    text = report.read_text(errors="replace")
    found = results.machine(report)
    if not found:
        done.add("iova", f"{variant}: report", "fail", text[-2000:])
    for name, status, detail in found:
        done.add("iova", f"{variant}: {name}", status,
                 detail or (reason(text, name) if status == "fail" else ""))


def reason(text, name):
    """What a report says right before the line of a test."""
    lines = text[:text.index(f" {name}\n")].splitlines()[:-1]
    first = max((n for n, ln in enumerate(lines)
                 if ln.startswith(("ok ", "not ok "))), default=-1)
    return "\n".join(lines[first + 1:][:60])


def fuzzer():
    """A clang that can build a fuzzer, or the reason that there is none."""
    probe = b"int LLVMFuzzerTestOneInput(void){return 0;}"
    for clang in FUZZERS:
        try:
            if not subprocess.run(
                    [clang, "-fsanitize=fuzzer,address", "-xc", "-o",
                     "/dev/null", "-"], input=probe, check=False,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL).returncode:
                return clang
        except FileNotFoundError:
            continue
    raise results.Skip("no clang with libFuzzer (packages clang, "
                       "libclang-rt-dev)")


def fuzz(seconds):
    """Fuzz for a time; a crash is a failure that names its input."""
    with step(f"iova fuzz {seconds} s"):
        code, log = make("fuzz", "fuzz", f"CLANG={fuzzer()}",
                         f"FUZZ_SECONDS={seconds}")
    return tail_of(log) if code else None
