# SPDX-License-Identifier: GPL-2.0-only
"""The parser of the table of Calgary chips in user space, under a fuzzer."""

from common import LINUX, OUT, logged, step, tail_of
from suite_iova import fuzzer

# Seconds of fuzzing that are part of the tests.
SECONDS = 60


def suite(done):
    """The fuzzer, with ASan and UBSan."""
    done.check("ebda", "fuzz", fuzz, SECONDS)


def fuzz(seconds):
    """Fuzz for a time; a crash is a failure that names its input."""
    where = OUT / "ebda"
    where.mkdir(parents=True, exist_ok=True)
    with step(f"ebda fuzz {seconds} s"):
        code, log = logged(
            "ebda-fuzz", "make", "-C", LINUX / "tools/testing/calgary",
            f"OUTPUT={where}/", "fuzz", f"CLANG={fuzzer()}",
            f"FUZZ_SECONDS={seconds}")
    return tail_of(log) if code else None
