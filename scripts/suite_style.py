# SPDX-License-Identifier: GPL-2.0-only
"""Style: the kernel's checkers on patches and files, ours on scripts."""

import os
import re
import socket
import subprocess
from pathlib import Path, PurePath

import export
import kernel
import options
import series
import sources
from common import LINUX, TOP, Failure, run, tail_of
from results import Skip

# Exported mails are signed by the person who sends them, not here.
IGNORED = "MISSING_SIGN_OFF,NO_AUTHOR_SIGN_OFF"
# Formats that have no comments, or a header of their own.
NO_LICENSE = ("patches/", "Documentation/ABI/", "tests/kernel-org/",
              "COPYING", "LICENSE")
COMMON_HOSTS = {"localhost", "debian", "linux", "build", "host", "main"}


def suite(done):
    """All style checks."""
    mails = export.write()[1:]
    for mail in mails:
        done.check("style", f"checkpatch {mail.name}", checkpatch, mail)
    new = series.new_files()
    code = [n for n in new if n.endswith((".c", ".h", ".S"))]
    for name in code:
        done.check("style", f"checkpatch {name}", checkpatch, "-f", name)
        done.check("style", f"kernel-doc {name}", kernel_doc, name)
    for name in (n for n in code if n.endswith(".c")):
        done.check("style", f"sparse {name}", sparse, name, code)
    scripts(done)


def scripts(done):
    """Shell and Python files, and what holds for every file."""
    names = run("git", "-C", TOP, "ls-files", "-co", "--exclude-standard",
                "-z").split("\0")
    names = sorted(n for n in names if n and (TOP / n).is_file())
    for name in names:
        first = (TOP / name).read_bytes()[:80].split(b"\n")[0]
        if re.match(rb"#!.*\b(ba|da)?sh\b", first):
            done.check("style", f"shellcheck {name}", tool, "shellcheck",
                       name)
        elif name.endswith(".py") or re.match(rb"#!.*python", first):
            done.check("style", f"pyflakes {name}", tool, "pyflakes3", name)
            done.check("style", f"pycodestyle {name}", tool, "pycodestyle",
                       name)
    done.check("style", "SPDX line in every file", spdx, names)
    done.check("style", "nothing of this machine in any file", private,
               names)


def tool(*cmd):
    """Run a checker; what it prints is the failure."""
    try:
        done = subprocess.run(cmd, cwd=TOP, text=True, check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Skip(f"{cmd[0]} is not installed") from None
    return done.stdout or f"exit {done.returncode}" if done.returncode \
        or done.stdout.strip() else None


def checkpatch(*args):
    """The kernel's checkpatch, in its own tree, without mercy."""
    done = subprocess.run(
        [LINUX / "scripts/checkpatch.pl", "--strict", "--quiet",
         "--color=never", "--show-types", "--no-summary",
         f"--ignore={IGNORED}", *map(str, args)], cwd=LINUX, text=True,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode or done.stdout.strip():
        return done.stdout.strip() or f"exit code {done.returncode}"
    return None


def kernel_doc(name):
    """Comments for the books are complete and well-formed."""
    script = next((s for s in ("tools/docs/kernel-doc",
                               "scripts/kernel-doc")
                   if (LINUX / s).exists()), None)
    if not script:
        raise Skip("the base has no kernel-doc")
    done = subprocess.run([LINUX / script, "-none", "-Wall", name],
                          cwd=LINUX, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.strip() or (done.returncode and "failed") or None


def sparse(name, code):
    """sparse and the compiler's W=1 warnings on one new file."""
    if name.startswith((*options.FOREIGN, "samples")):
        raise Skip("not part of the x86 kernel")
    build = kernel.Build("q35")
    obj = name[:-2] + ".o"
    (build.dir / obj).unlink(missing_ok=True)
    log_name = f"sparse-{obj.replace('/', '-')}"
    code_, log = build.object(obj, options=("C=2", "W=1"), name=log_name)
    text = log.read_text(errors="replace")
    if "sparse: not found" in text or "sparse: No such" in text:
        raise Skip("sparse is not installed")
    if code_:
        return tail_of(log)
    if f"CHECK   {name}" not in text.replace(str(LINUX) + "/", ""):
        return f"sparse did not see {name}, see {log}"
    found = re.findall(r"^.*?([\w./-]+):\d+:(?:\d+:)? *(?:warning|error):"
                       r".*$", text, re.M)
    bad = {n for n in code for f in found if f.endswith(n)}
    return "\n".join(ln for ln in text.splitlines()
                     if any(n in ln for n in bad)) or None


def spdx(names):
    """The licence is named in the first lines of every file."""
    bad = []
    for name in names:
        if name.startswith(NO_LICENSE):
            continue
        head = (TOP / name).read_bytes()[:400].split(b"\n")[:3]
        if not any(b"SPDX-License-Identifier: GPL-2.0" in ln
                   for ln in head):
            bad.append(f"{name}: no line SPDX-License-Identifier: "
                       "GPL-2.0-only at its beginning")
    return "\n".join(bad)


def forbidden():
    """Texts that only make sense on the machine where this runs."""
    words = {str(TOP), str(Path.home()), os.environ.get("O") or ""}
    found = [re.escape(w) + r"\b" for w in words
             if len(PurePath(w or "/").parts) > 2]
    host = socket.gethostname()
    if len(host) > 3 and host not in COMMON_HOSTS:
        found.append(rf"\b{re.escape(host)}\b")
    try:
        for uri, _ in sources.mirrors():
            name = re.match(r"\w+://([^/:]+)", uri)
            if name:
                found.append(re.escape(name.group(1)))
    except Failure:
        pass
    return re.compile("|".join(
        found + [r"Signed-off-by: *[^\n<]*\w <[^>\n]+@"]))


def private(names):
    """No path, host or mirror of this machine, no signature."""
    pattern, bad = forbidden(), []
    for name in names:
        text = (TOP / name).read_text(encoding="utf-8", errors="replace")
        for n, line in enumerate(text.splitlines(), 1):
            if pattern.search(line) and "sender@example.org" not in line:
                bad.append(f"{name}:{n}: {line.strip()[:100]}")
    return "\n".join(bad)
