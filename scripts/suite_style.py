# SPDX-License-Identifier: GPL-2.0-only
"""Style: the kernel's checkers on patches and files, ours on scripts."""

import fnmatch
import os
import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

import export
import kernel
import options
import series
import sources
import tree
from common import JOBS, LINUX, TOP, Failure, run, step, tail_of
from results import Skip

# Exported mails are signed by the person who sends them, not here.
# Does MAINTAINERS need updating? maintainers() has the answer.
IGNORED = "MISSING_SIGN_OFF,NO_AUTHOR_SIGN_OFF,FILE_PATH_CHANGES"
# checkpatch looks for a parameter's documentation in the same patch, so a
# file alone can never pass; the mail that brings the file has to.
FILE_IGNORED = "UNDOCUMENTED_SETUP"
# What stands in for the kernel's own definitions cannot follow advice to use
# them, and libFuzzer chose the name of its function.
SHIMS = ("tools/testing/iova/", "tools/testing/calgary/")
SHIM_IGNORED = ("AVOID_EXTERNS,CAMELCASE,EXPORT_SYMBOL,FUNCTION_ARGUMENTS,"
                "IS_ENABLED_CONFIG,MACRO_ARG_PRECEDENCE,MACRO_ARG_REUSE,"
                "MACRO_ARG_UNUSED,MEMORY_BARRIER,NEW_TYPEDEFS,"
                "UNCOMMENTED_DEFINITION,VOLATILE")
# New files of the POWER kernel
POWER = ("arch/powerpc/", "drivers/iommu/tce-")
# Programs for user space among the kernel's files
PROGRAMS = ("samples/iommu/camera-check.c",)
# A part of an array's initialiser, which takes no parentheses.
GROUPS = "+#define ARCH_PCI_DEV_GROUPS"
# Debian 12's sparse does not know this keyword yet, and kbuild then skips it.
SPARSE = "sparse -D__typeof_unqual__=__typeof__"
# Formats that have no comments, or a header of their own.
NO_LICENSE = ("patches/", "Documentation/ABI/", "tests/kernel-org/",
              "COPYING", "LICENSE")
# Lists what modules may use, in lines of four blanks and names.
EXPORTS = "Documentation/driver-api/dma-mmu.rst"
COMMON_HOSTS = {"localhost", "debian", "linux", "build", "host", "main"}


def suite(done):
    """All style checks; the slow ones side by side."""
    mails = export.write()[1:]
    new = series.new_files()
    code = [n for n in new if n.endswith((".c", ".h", ".S"))]
    with ThreadPoolExecutor(int(JOBS)) as pool:
        jobs = [(f"checkpatch {m.name}", pool.submit(checkpatch, m))
                for m in mails]
        jobs += [(f"checkpatch {n}", pool.submit(checkpatch, "-f", n))
                 for n in code]
        jobs += [(f"kernel-doc {n}", pool.submit(kernel_doc, n))
                 for n in code]
        for name, job in jobs:
            done.check("style", name, job.result)
    done.check("style", "MAINTAINERS", maintainers)
    done.check("style", "exported symbols", exports)
    source = [n for n in code
              if n.endswith(".c") and not n.startswith("tools/")]
    log = sparse("q35", [n for n in source if not foreign(n)])
    for name in source:
        done.check("style", f"sparse {name}", sparse_here, name, code, log)
    scripts(done)


def scripts(done):
    """Shell and Python files, and what holds for every file."""
    names = run("git", "-C", TOP, "ls-files", "-co", "--exclude-standard",
                "-z").split("\0")
    names = sorted(n for n in names if n and (TOP / n).is_file())
    for name in names:
        first = (TOP / name).read_bytes()[:80].split(b"\n")[0]
        if re.match(rb"#!.*\b(ba|da)?sh\b|# shellcheck shell=", first):
            done.check("style", f"shellcheck {name}", tool, "shellcheck",
                       "-x", name)
        elif name.endswith(".py") or re.match(rb"#!.*python", first):
            done.check("style", f"pyflakes {name}", tool, "pyflakes3", name)
            done.check("style", f"pycodestyle {name}", tool, "pycodestyle",
                       name)
    done.check("style", "scripts are executable", executable, names)
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
    """The kernel's checkpatch, in its own tree, without mercy.

    Its helper for licences needs the distribution's python3-ply.
    """
    ignored = f"{IGNORED},{FILE_IGNORED}" if "-f" in args else IGNORED
    name = str(args[-1])
    mail = "" if "-f" in args else Path(name).read_text(encoding="utf-8")
    if name.startswith(SHIMS) or any(f"+++ b/{s}" in mail for s in SHIMS):
        ignored += f",{SHIM_IGNORED}"
    if GROUPS in mail:
        ignored += ",COMPLEX_MACRO"
    done = subprocess.run(
        [LINUX / "scripts/checkpatch.pl", "--strict", "--quiet",
         "--color=never", "--show-types", "--no-summary",
         f"--ignore={ignored}", *map(str, args)], cwd=LINUX, text=True,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PATH": f"/usr/bin:{os.environ['PATH']}"})
    if done.returncode or done.stdout.strip():
        return done.stdout.strip() or f"exit code {done.returncode}"
    return None


def maintainers():
    """What the series adds to MAINTAINERS are entries for its files."""
    diff = run("git", "-C", LINUX, "diff", "-U0",
               tree.Tree(LINUX).commits(series.patches())[0], "HEAD", "--",
               "MAINTAINERS")
    added = [ln for ln in diff.partition("\n@@ ")[2].splitlines()
             if ln.startswith("+")]
    wrong = [ln for ln in added if not re.fullmatch(
        r"\+([A-Z]:\t\S.*|[A-Z][-A-Z0-9 ,/()]*)?", ln)]
    patterns = [ln[4:] for ln in added if ln.startswith("+F:\t")]
    wrong += [f"{name} has no entry" for name in series.new_files()
              if not any(name.startswith(p) if p.endswith("/")
                         else fnmatch.fnmatch(name, p) for p in patterns)]
    return "\n".join(wrong)


def exported():
    """Symbols that any module may use, or any under the GPL."""
    line = r"EXPORT_SYMBOL(?:_GPL)?\((\w+)\)"
    diffs = "".join(p.diff for p in series.patches())
    names = [n for name in series.new_files() if name.endswith(".c")
             for n in re.findall(f"^{line}",
                                 (TOP / name).read_text(encoding="utf-8"),
                                 re.M)]
    # What a patch moves is not new.
    return set(names + re.findall(rf"^\+{line}", diffs, re.M)) - set(
        re.findall(rf"^-{line}", diffs, re.M))


def exports():
    """The documented list of exported symbols is what is exported."""
    text = (TOP / EXPORTS).read_text(encoding="utf-8")
    listed = {n for ln in re.findall(r"^ {4}(\w.*)$", text, re.M)
              for n in ln.split()}
    found = exported()
    return "\n".join(
        [f"{n} is exported, and not listed" for n in sorted(found - listed)]
        + [f"{n} is listed, and not exported"
           for n in sorted(listed - found)])


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


def foreign(name):
    """True for a file that the x86 kernel does not compile."""
    return name.startswith((*options.FOREIGN, *POWER, *PROGRAMS))


def sparse(config, names):
    """Compile the new files with sparse and W=1; returns the log."""
    build = kernel.Build(config)
    objects = [n[:-2] + ".o" for n in names]
    flags = ("-k", "C=2", "W=1", f"CHECK={SPARSE}")
    with step(f"sparse {config}"):
        _, log = build.object(*objects, options=flags,
                              name=f"sparse-{config}", again=True)
    return log


def stock_noise(name, line):
    """True for what the same sparse says about every module of the base.

    It cannot evaluate the length check in the base's MODULE_INFO().
    """
    number = re.search(r":(\d+):\d+: error: bad constant expression$", line)
    if not number:
        return False
    text = (TOP / name).read_text().splitlines()[int(number.group(1)) - 1]
    return text.startswith(("MODULE_", "module_param"))


def sparse_here(name, code, log):
    """The x86 kernel is checked; suite_powerpc has the rest."""
    if foreign(name):
        raise Skip("not part of the x86 kernel")
    return sparse_result(name, code, log)


def sparse_result(name, code, log):
    """What sparse and the compiler said about one new file."""
    text = log.read_text(errors="replace").replace(f"{LINUX}/", "")
    if not shutil.which("sparse"):
        raise Skip("sparse is not installed")
    if not re.search(rf"^ +CHECK +{re.escape(name)}$", text, re.M):
        return f"sparse did not see it, see {log}\n{tail_of(log)}"
    # A header's findings belong to every file that includes it.
    mine = [name] + [n for n in code if not n.endswith(".c")]
    found = [ln for ln in text.splitlines()
             if re.search(r":\d+:(\d+:)? *(warning|error|fatal)", ln)
             and re.sub(r"^(\.\./)*", "", ln).split(":")[0] in mine
             and not stock_noise(name, ln)]
    return "\n".join(found)


def executable(names):
    """What begins like a script can be run."""
    return "\n".join(n for n in names if not os.access(TOP / n, os.X_OK)
                     and (TOP / n).read_bytes()[:2] == b"#!")


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
