# SPDX-License-Identifier: GPL-2.0-only
"""What the scripts share: where things are, running commands, progress."""

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(os.path.realpath(__file__)).parent.parent
OUT = Path(os.environ.get("O") or "out")
if not OUT.is_absolute():
    OUT = TOP / OUT
LINUX = OUT / "linux"
LOGS = OUT / "logs"
CACHE = Path(os.environ.get("XDG_CACHE_HOME")
             or Path.home() / ".cache") / "dma-windows"
JOBS = os.environ.get("JOBS") or str(len(os.sched_getaffinity(0)))

# Directories of the repository that hold new files of the kernel tree.
KERNEL_DIRS = ("arch", "block", "crypto", "drivers", "fs", "include", "init",
               "kernel", "lib", "mm", "net", "samples", "security", "sound",
               "tools", "usr", "virt", "Documentation")


class Failure(Exception):
    """An error that the user can act on: printed without a traceback."""


class Missing(Failure):
    """Something from outside cannot be had here: what needs it is skipped."""


def say(*words):
    """Print one line at once, even when the output is a pipe."""
    print(*words, flush=True)


def run(*cmd, **kw):
    """Run a command, return its standard output as text."""
    kw.setdefault("check", True)
    cmd = [str(c) for c in cmd]
    if isinstance(kw.get("input"), bytes):
        kw["text"] = False
    kw.setdefault("text", True)
    try:
        return subprocess.run(cmd, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **kw).stdout
    except FileNotFoundError:
        raise Failure(f"{cmd[0]}: not found; run scripts/deps") from None
    except subprocess.CalledProcessError as e:
        err = e.stderr if isinstance(e.stderr, str) else e.stderr.decode()
        raise Failure(f"{shlex.join(cmd[:6])}: exit code {e.returncode}\n"
                      + err.strip()) from None


def logged(name, *cmd, mode="w", **kw):
    """Run a command with all its output in out/logs/<name>.log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    cmd = [str(c) for c in cmd]
    with open(log, mode, encoding="utf-8") as f:
        f.write(f"$ {shlex.join(cmd)}\n")
        f.flush()
        code = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=f,
                              stderr=subprocess.STDOUT, check=False,
                              **kw).returncode
    return code, log


def tail_of(log, lines=25):
    """The end of a log, the compiler's errors first when there are some."""
    text = log.read_text(errors="replace").splitlines()
    bad = [ln for ln in text if "error:" in ln or "Error " in ln
           or "undefined reference" in ln]
    return "\n".join((bad or text)[-lines:])


def sha256(path):
    """SHA-256 of a file, as hex."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def load(path, default=None):
    """Read a JSON file; a missing or damaged one gives the default."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default


def store(path, data):
    """Write a JSON file in one step, so that no reader sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(f"{path.name}.{os.getpid()}")
    tmp.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    tmp.replace(path)


# What is done meanwhile by those who wait for a lock: a context manager
waiting = contextlib.nullcontext


@contextlib.contextmanager
def lock(path, other="another run"):
    """Keep two runs from working on the same directory at one time."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"waiting for {other} ({path})")
            with waiting():
                fcntl.flock(f, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def step(name):
    """Say which step runs and how long it took the last time."""
    times = CACHE / "times.json"
    last = (load(times) or {}).get(name)
    took = f"last time {last:.0f} s" if last is not None else "first time"
    say(f"step {name} ({took})")
    begin = time.monotonic()
    yield
    data = load(times) or {}
    data[name] = round(time.monotonic() - begin, 1)
    store(times, data)


def base():
    """The record of the base kernel that scripts/fetch wrote."""
    rec = load(OUT / "base.json")
    if not rec:
        raise Failure("no base kernel yet: run scripts/fetch (or make run)")
    return rec


def number(name, default):
    """A positive number from the environment."""
    word = os.environ.get(name) or str(default)
    if not word.isdigit() or not int(word):
        raise Failure(f"{name}={word}; accepted: a number from 1 up")
    return int(word)


def main(func):
    """Entry point of every script: messages instead of tracebacks."""
    try:
        sys.exit(func())
    except Failure as e:
        name = Path(sys.argv[0]).name
        print(f"{name}: error: {e}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
