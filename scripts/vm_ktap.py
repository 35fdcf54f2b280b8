# SPDX-License-Identifier: GPL-2.0-only
"""KTAP: reading what a guest sent, and the kernel's own tests in a log."""

import dataclasses
import re

RESULT = re.compile(r"^( *)(ok|not ok) (\d+)(?: -)? ?([^#]*?)"
                    r"(?: *# *(SKIP|TODO|XFAIL)\b ?(.*)| *#.*)?$", re.I)
PLAN = re.compile(r"^( *)1\.\.(\d+)")
STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")


@dataclasses.dataclass
class Result:
    """One line of a report."""

    name: str
    passed: bool
    skipped: str = None     # the reason
    depth: int = 0
    known: bool = False     # fails on the stock kernel, too
    notes: tuple = ()       # the comments before it

    @property
    def failed(self):
        """Whether this is a reason to fail."""
        return not self.passed and not self.known


def parse_line(line):
    """The result that a line states, or None."""
    match = RESULT.match(line)
    if not match:
        return None
    reason = None
    if match[5] and match[5].upper() == "SKIP":
        reason = match[6] or "no reason given"
    known = bool(match[5]) and match[5].upper() == "TODO"
    return Result(match[4].strip(), match[2] == "ok", reason,
                  len(match[1]) // 4, known)


def parse(lines):
    """(results, complaints about the form) of one KTAP document."""
    results, complaints, notes = [], [], []
    seen, planned = {}, 0
    for line in lines:
        match = PLAN.match(line)
        if match and not match[1]:
            planned += int(match[2])
        result = parse_line(line)
        if not result:
            if line.strip().startswith("# "):
                notes.append(line.strip()[2:])
            continue
        result.notes, notes = tuple(notes), []
        # The numbers of a nested list start again after its parent.
        for deeper in [key for key in seen if key > result.depth]:
            del seen[deeper]
        seen[result.depth] = seen.get(result.depth, 0) + 1
        if int(RESULT.match(line)[3]) != seen[result.depth]:
            complaints.append(f"number {seen[result.depth]} expected: "
                              f"{line.strip()}")
        results.append(result)
    if planned and planned != seen.get(0, 0):
        complaints.append(f"{seen.get(0, 0)} results, {planned} were planned")
    return results, complaints


def from_console(text):
    """The KTAP lines of a kernel log, without time stamps.

    KUnit prints them between other messages; the indentation tells which
    level they belong to.
    """
    found, inside = [], False
    for line in text.splitlines():
        line = STAMP.sub("", line)
        bare = line.strip()
        if bare.startswith("KTAP version"):
            inside = True
        if inside and (bare.startswith(("KTAP version", "ok ", "not ok ",
                                        "# ")) or PLAN.match(line)):
            found.append(line.rstrip())
    return found


def line_of(number, result):
    """A result as KTAP."""
    note = f" # SKIP {result.skipped}" if result.skipped else ""
    if not result.passed and result.known:
        note = " # TODO known: the stock kernel fails as well"
    word = "ok" if result.passed else "not ok"
    return f"{word} {number} {result.name}{note}"
