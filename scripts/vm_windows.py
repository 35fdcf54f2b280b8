# SPDX-License-Identifier: GPL-2.0-only
"""Are the windows that the kernel states the ones that a device needs?"""

import dataclasses
import re

LINE = re.compile(r"# window: (\S+) window: (direct|translated) "
                  r"first=(0x[0-9a-f]+) last=(0x[0-9a-f]+)$")
MAP = re.compile(r"BIOS-e820: \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] (?:usable|"
                 r"System RAM)")


@dataclasses.dataclass(frozen=True, order=True)
class Window:
    """A range of bus addresses, its last one included."""

    first: int
    last: int
    kind: str


def of_report(lines):
    """{role: [Window, ...]} in the order in which the kernel states them."""
    found = {}
    for line in lines:
        match = LINE.match(line)
        if match:
            found.setdefault(match[1], []).append(
                Window(int(match[3], 16), int(match[4], 16), match[2]))
    return found


def translated(lines):
    """The roles whose devices have direct windows and a translated one."""
    return {role for role, windows in of_report(lines).items()
            if {win.kind for win in windows} == {"direct", "translated"}}


def memory_of(console):
    """[(first, last), ...] of the memory that the firmware states."""
    return sorted((int(first, 16), int(last, 16))
                  for first, last in MAP.findall(console))


def complaints(windows, mask, memory, plain=False):
    """What is wrong with the windows of a device in pass-through.

    Together, what is direct and what is translated has to serve all memory:
    memory within the mask that no direct window has needs a translated one, as
    has all memory above the mask.  A device with a sufficient mask has direct
    windows only when it is plain, that is, had this mask all the time.
    """
    wrong = []
    if windows != sorted(windows):
        wrong.append("not in order")
    for a, b in zip(sorted(windows), sorted(windows)[1:]):
        if b.first <= a.last:
            wrong.append(f"{a.first:#x}-{a.last:#x} overlaps the next")
    for win in windows:
        if win.first > win.last:
            wrong.append(f"{win.first:#x}-{win.last:#x} ends before it begins")
    direct = [win for win in windows if win.kind == "direct"]
    translated = [win for win in windows if win.kind == "translated"]
    if not direct:
        wrong.append("no direct window")
    wrong += [f"translated up to {win.last:#x}, beyond the mask {mask:#x}"
              for win in translated if win.last > mask]
    outside = [f"memory {first:#x}-{last:#x} is not within a direct window, "
               "and there is no translated one"
               for first, last in memory if last > mask or not any(
                   win.first <= first and last <= win.last for win in direct)]
    if not translated:
        wrong += outside
    elif plain and mask >= max(last for _, last in memory):
        wrong.append("translated, though the mask covers all memory")
    return wrong


def check(judge, lines, console, masks):
    """One result for each device under test: {role: mask}."""
    windows = of_report(lines)
    memory = memory_of(console)
    for role, mask in masks.items():
        # The tests of the edu cards change their masks.
        plain = not role.startswith("edu")
        wrong = (complaints(windows[role], mask, memory, plain)
                 if role in windows and memory else ["none stated"])
        judge.add(f"{role}.windows", not wrong, wrong)
