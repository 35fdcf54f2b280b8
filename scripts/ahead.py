# SPDX-License-Identifier: GPL-2.0-only
"""What suites build, and building it before they are there.

Boots and most checks leave a part of the processors unused.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import common
import suites
from common import LOGS, TOP
from vm_all import MACHINES
from vm_machine import board_of, config_of

# How long builds may take to end.
SECONDS = 20


def config(name):
    """The kernel that a machine boots."""
    machine, _, mode = name.partition("-")
    return config_of(MACHINES[machine], mode)


def needs(names):
    """What suites build: (kernel configurations, programs of QEMU)."""
    configs, programs = {}, {}
    for name in names:
        if name in suites.SUITES:
            configs |= dict.fromkeys(suites.KERNELS.get(name, ()))
            programs |= dict.fromkeys(suites.PROGRAMS.get(name, ()))
            continue
        configs[config(name)] = None
        board = board_of(MACHINES[name.partition("-")[0]])
        if board.built:
            programs[board.qemu] = None
    return list(configs), list(programs)


def in_order(names):
    """Machines that share a kernel together, so that others get ready."""
    order, _ = needs(names)
    return sorted(names, key=lambda name: -1 if name in suites.SUITES
                  else order.index(config(name)))


def idle():
    """What gives a command the processors that others leave."""
    words = ["chrt", "--idle", "0"]
    try:
        subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        words = ["nice", "-n", "19"]
    return words


def processes(job):
    """A job and what it has started."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if os.getpgid(int(path.name)) == job.pid:
                yield int(path.name)


def give_policy(jobs, policy):
    """Processes that start meanwhile have what their parents have."""
    for job in jobs:
        changed = True
        while changed:
            changed = False
            for pid in processes(job):
                # Not everybody may leave SCHED_IDLE again.
                with contextlib.suppress(OSError):
                    if os.sched_getscheduler(pid) != policy:
                        os.sched_setscheduler(pid, policy, os.sched_param(0))
                        changed = True


@contextlib.contextmanager
def hurried(jobs):
    """While somebody waits for builds they do not wait for everybody."""
    give_policy(jobs, os.SCHED_OTHER)
    try:
        yield
    finally:
        give_policy(jobs, os.SCHED_IDLE)


def stop(job):
    """End a job and what it has started; only then others may build."""
    limit = time.monotonic() + SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGTERM)
        while time.monotonic() < limit:
            job.poll()
            os.killpg(job.pid, 0)
            time.sleep(0.05)
    job.stdin.close()


@contextlib.contextmanager
def building(names):
    """Build what later suites need, in what time the earlier ones leave."""
    LOGS.mkdir(parents=True, exist_ok=True)
    jobs = []
    with open(LOGS / "ahead.log", "w", encoding="utf-8") as log:
        for now, later in zip(needs(names[:1]), needs(names)):
            if wanted := [name for name in later if name not in now]:
                # Its session stays ours: priorities count within one.
                jobs.append(subprocess.Popen(
                    [*idle(), TOP / "scripts/build-ahead", *wanted],
                    stdin=subprocess.PIPE, stdout=log,
                    stderr=subprocess.STDOUT, process_group=0))
        outer, common.waiting = common.waiting, lambda: hurried(jobs)
        try:
            yield
        finally:
            common.waiting = outer
            for job in jobs:
                stop(job)
