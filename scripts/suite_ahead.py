# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what builds kernels before their suites are there."""

import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import common
from common import OUT

# Builds ahead begin when nobody else wants to run.
PATIENCE = 300
# A build that never ends, and starts another process as make would.
BUILD = """#!/bin/sh
sleep 1000 &
echo $! "$@" >"$(dirname "$0")/there"
wait
"""


def order():
    """Each kernel once, in the order of need; machines of one together."""
    import ahead        # needs suites, which need us
    names = ["kunit", "kunit-up", "models", "q35-lazy", "q35-debug",
             "crash-pt", "tces-bypass"]
    found = ahead.needs(names), ahead.in_order(names)
    wanted = ((["um", "um-up", "q35", "q35-debug", "power"],
               ["qemu-system-x86_64", "qemu-system-ppc64"]),
              ["kunit", "kunit-up", "models", "q35-lazy", "crash-pt",
               "q35-debug", "tces-bypass"])
    return None if found == wanted else f"{found}"


def stopped():
    """What the last suite left unbuilt does not go on after it.

    Who builds for suites of which this is one is as it was.
    """
    import ahead
    waiting = common.waiting
    top = OUT / "tmp/tools/ahead"
    script = top / "scripts/build-ahead"
    script.parent.mkdir(parents=True)
    script.write_text(BUILD, encoding="utf-8")
    script.chmod(0o755)
    there = script.with_name("there")
    with (mock.patch.multiple(ahead, TOP=top, LOGS=top),
          ahead.building(["q35-lazy", "q35-debug"])):
        limit = time.monotonic() + PATIENCE
        while not there.exists() or not there.read_text(encoding="utf-8"):
            if time.monotonic() > limit:
                return "nothing was built"
            time.sleep(0.01)
    child, *names = there.read_text(encoding="utf-8").split()
    if names != ["q35-debug"]:
        return f"built: {names}"
    if common.waiting != waiting:
        return "those who wait do not hurry what was there before"
    limit = time.monotonic() + PATIENCE
    while runs(child):
        if time.monotonic() > limit:
            return "it still runs"
        time.sleep(0.01)
    return None


def hurried():
    """A build that somebody waits for is not idle until it is there."""
    import ahead
    policies = []
    job = subprocess.Popen([*ahead.idle(), "sh", "-c", "echo; sleep 1000 & "
                            "sleep 1000"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, process_group=0)
    job.stdout.readline()

    def look():
        policies.append({os.sched_getscheduler(pid)
                         for pid in ahead.processes(job)})

    look()
    with ahead.hurried([job]):
        look()
    look()
    ahead.stop(job)
    job.stdout.close()
    hasty = {os.SCHED_OTHER} if os.geteuid() == 0 else policies[0]
    return None if policies[1:] == [hasty, {os.SCHED_IDLE}] else f"{policies}"


def runs(pid):
    """Is there such a process, and is it more than a zombie?"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


# A build that only says that it has begun
BEGIN = """import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import kernel
build = kernel.Build("q35", where=Path(sys.argv[2]))
build.make_alone = build.configure = lambda *_: print("in")
kernel.logged = lambda *_, **__: print("in")
build.{}("x")
"""


def waits():
    """Two builds never work in one directory at a time."""
    import kernel
    where = OUT / "tmp/tools/alone/build"
    for call in ("make", "object"):
        with kernel.Build("q35", where=where).alone():
            other = subprocess.Popen(
                [sys.executable, "-B", "-c", BEGIN.format(call), sys.path[0],
                 where], text=True, stdout=subprocess.PIPE)
            first = other.stdout.readline()
        rest, _ = other.communicate(timeout=PATIENCE)
        if "waiting" not in first or "in\n" not in rest:
            return f"{call}: {first}{rest}"
    return None


TESTS = (
    ("builds ahead have the order of the suites", order),
    ("builds ahead end with the suites", stopped),
    ("builds ahead are hurried on by those who wait", hurried),
    ("builds of one directory wait for each other", waits),
)
