# SPDX-License-Identifier: GPL-2.0-only
"""The Kconfig options that the series adds, and builds without them."""

import re
from pathlib import PurePath

from common import LINUX, OUT, base, run
from kernel import Build

# Directories that an x86 configuration never enters.
FOREIGN = ("arch/powerpc", "arch/um", "Documentation", "tools", "include")
# A directory with at most so many C files is built as a whole.
SMALL = 60
# Of the base, what options of the series exclude or take the place of.
REPLACED = "CONFIG_GART_IOMMU=y"


def added(repo, commit):
    """Option name -> its type, for every option that the series adds."""
    diff = run("git", "-C", repo, "diff", "-U0", base()["commit"], commit,
               "--", ":(glob)**/Kconfig*")
    found, name = {}, None
    for line in diff.splitlines():
        m = re.match(r"\+(?:menu)?config (\w+)", line)
        if m:
            name = m.group(1)
            found[name] = None
        m = re.match(r"\+\s+(?:def_)?(bool|tristate)\b(.*)", line)
        if m and name and not found[name]:
            found[name] = m.group(1) if m.group(2) else "hidden"
    return found


def parts(full):
    """Objects of a kernel and its modules; others may lie there as well."""
    names = run("ar", "t", "vmlinux.a", cwd=full).split()
    for mod in full.rglob("*.mod"):
        names += mod.read_text().split()
    return set(names)


def targets(repo, commit, full):
    """What to build of the files that the series touches.

    New files: their directory, when it is a small one, as the options
    decide which are built. Existing files: the objects that a full build
    of the same configuration has.
    """
    names = run("git", "-C", repo, "diff", "--name-status", "--no-renames",
                base()["commit"], commit).splitlines()
    found, there = set(), parts(full)
    for status, name in (n.split("\t") for n in names):
        if not name.endswith(".c") or name.startswith(FOREIGN):
            continue
        where = PurePath(name).parent
        if status == "M":
            found |= {f"{name[:-2]}.o"} & there
        elif len(list((repo / where).rglob("*.c"))) <= SMALL:
            found.add(f"{where}/")
    return sorted(found)


def extra(repo, commit, how):
    """Configuration lines that set the added options to n or m."""
    lines = []
    for name, kind in added(repo, commit).items():
        if how == "n" and kind in ("bool", "tristate"):
            lines.append(f"# CONFIG_{name} is not set")
        elif how == "m" and kind == "tristate":
            lines.append(f"CONFIG_{name}=m")
    if lines and how == "n":
        lines.append(REPLACED)
    return "\n".join(lines)


def build(work, commit, how, full, name):
    """Build what the series touches with the added options off or =m."""
    lines = extra(LINUX, commit, how)
    wanted = targets(work.path, commit, full)
    if not lines or not wanted:
        return None
    # A warning has to fail each time, not only when its object is built.
    part = Build("q35", work.path, OUT / name, strict=False,
                 extra=f"CONFIG_WERROR=y\n{lines}")
    return part.object(*wanted, name=name)


def module_objects(where):
    """Objects of the series' modules in a build directory, by module."""
    files = {PurePath(n).stem for n in run(
        "git", "-C", LINUX, "diff", "--name-only", "--diff-filter=A",
        base()["commit"], "HEAD").split() if n.endswith(".c")}
    found = []
    for mod in where.rglob("*.mod"):
        parts = {PurePath(n).stem for n in mod.read_text().split()}
        if parts & files:
            found.append([mod.parent / PurePath(n).name
                          for n in mod.read_text().split()])
    return found


def names_of(objects, which):
    """Symbols that nm lists of objects."""
    return {ln.split()[-1] for ln in run("nm", which, *objects).splitlines()
            if ln and not ln.endswith(":")}


def undefined(objects):
    """Symbols that a module takes from elsewhere."""
    return names_of(objects, "-u") - names_of(objects, "--defined-only")
