# SPDX-License-Identifier: GPL-2.0-only
"""Are the windows that the kernel states the ones that a device needs?"""

import dataclasses
import re

WINDOW = re.compile(r"(direct|translated):(0x[0-9a-f]+)-(0x[0-9a-f]+)$")
MAP = re.compile(r"BIOS-e820: \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] +(?:usable|"
                 r"System RAM)")


@dataclasses.dataclass(frozen=True, order=True)
class Window:
    """A range of bus addresses, its last one included."""

    first: int
    last: int
    kind: str


def of_record(record):
    """The windows that dma-path --json states for a device, in its order."""
    return [Window(int(first, 16), int(last, 16), kind)
            for kind, first, last in (WINDOW.match(word).groups()
                                      for word in record["windows"] or ())]


def translated(record):
    """Are some of a device's windows direct, and one translated?"""
    return {win.kind for win in of_record(record)} == {"direct", "translated"}


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


def check_direct(judge, records, wanted):
    """Is all memory in one window, at this address, for these devices only?

    records: what dma-path states of each role; wanted: {role: address}.
    """
    for role, record in records.items():
        found = [win.first for win in of_record(record)
                 if win.kind == "direct"]
        right = [wanted[role]] if role in wanted else []
        judge.add(f"{role}.direct", found == right,
                  [f"direct at {list(map(hex, found))} instead of "
                   f"{list(map(hex, right))}"] if found != right else [])


def check(judge, records, console):
    """One result for each device under test: {role: record}."""
    memory = memory_of(console)
    for role, record in records.items():
        # The tests of the edu cards change their masks.
        plain = not role.startswith("edu")
        wrong = complaints(
            of_record(record), int(record["dma_mask"], 16), memory, plain) \
            if memory else ["the firmware states no memory"]
        judge.add(f"{role}.windows", not wrong, wrong)
