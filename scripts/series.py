# SPDX-License-Identifier: GPL-2.0-only
"""Read patches/series: headers, diffs and the new files they bring."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from common import KERNEL_DIRS, TOP, Failure, run

PATCHES = TOP / "patches"
# Files of the series that are no part of a kernel directory.
KERNEL_FILES = ()
AUTHOR = "DMA windows <dma-windows@example.org>"


@dataclass(eq=False)
class Patch:
    """One line of patches/series."""
    path: Path
    subject: str
    body: str
    author: str
    diff: str
    adds: list = field(default_factory=list)

    @property
    def name(self):
        """File name, as in patches/series."""
        return self.path.name

    @property
    def message(self):
        """The text of the commit."""
        return f"{self.subject}\n\n{self.body}".strip() + "\n"

    def person(self):
        """Name and mail address of the author."""
        m = re.fullmatch(r"(.+?) *<(.+)>", self.author)
        if not m:
            raise Failure(f"{self.name}: bad From: line '{self.author}'; "
                          "accepted: From: Name <mail>")
        return m.group(1), m.group(2)


def parse(path):
    """Take a patch file apart."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Failure(f"patches/series names {path.name}, which does not "
                      "exist") from None
    m = re.search(r"^diff --git ", text, re.M)
    head, diff = (text[:m.start()], text[m.start():]) if m else (text, "")
    head = re.split(r"^---[ \t]*$", head, maxsplit=1, flags=re.M)[0]
    author, lines, adds = AUTHOR, [], []
    for line in head.splitlines():
        if line.startswith("Adds:"):
            adds.append(line[5:].strip())
        elif line.startswith("From:") and not lines:
            author = line[5:].strip()
        elif line.startswith(("Date:", "From ")) and not lines:
            continue
        else:
            lines.append(line.rstrip())
    subject, _, body = "\n".join(lines).strip().partition("\n")
    subject = re.sub(r"^Subject:\s*(\[.*?\]\s*)?", "", subject)
    if not subject:
        raise Failure(f"patches/{path.name}: no commit message; its first "
                      "line is the subject")
    # A trailing "-- <version>" is the mail's signature.
    diff = re.sub(r"^-- \n\d[\w.]*\n*\Z", "", diff, flags=re.M)
    return Patch(path, subject, body.strip(), author, diff, adds)


def patches():
    """All patches in the order of patches/series."""
    listing = PATCHES / "series"
    if not listing.exists():
        return []
    names = [ln.split("#")[0].strip()
             for ln in listing.read_text(encoding="utf-8").splitlines()]
    found = [parse(PATCHES / n) for n in names if n]
    check(found)
    return found


def new_files():
    """Files of the repository that belong to the kernel tree."""
    names = run("git", "-C", TOP, "ls-files", "-co", "--exclude-standard",
                "-z", "--", *KERNEL_DIRS, *KERNEL_FILES).split("\0")
    return sorted(n for n in names if n and (TOP / n).is_file())


def check(found):
    """Every new file is brought by one patch, every patch is listed."""
    present, owner, errors = set(new_files()), {}, []
    for p in found:
        for name in p.adds:
            if name in owner:
                errors.append(f"{name}: Adds: in {owner[name]} and again in "
                              f"{p.name}; accepted: one patch")
            if name not in present:
                errors.append(f"{p.name}: Adds: {name}, but the repository "
                              "has no such file")
            owner[name] = p.name
    errors += [f"{name}: no patch brings it; accepted: one line "
               f"'Adds: {name}' in one patch"
               for name in sorted(present - set(owner))]
    listed = {p.name for p in found}
    errors += [f"patches/{p.name} is not in patches/series"
               for p in sorted(PATCHES.glob("*.patch"))
               if p.name not in listed]
    if errors:
        raise Failure("the series is not consistent:\n  "
                      + "\n  ".join(errors))
