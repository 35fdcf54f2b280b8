# SPDX-License-Identifier: GPL-2.0-only
"""Are the windows that the kernel states the ones that a device needs?"""

import dataclasses
import re

WINDOW = re.compile(r"(direct|translated):(0x[0-9a-f]+)-(0x[0-9a-f]+)$")
MAP = re.compile(r"BIOS-e820: \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] +(?:usable|"
                 r"System RAM)")
STOLEN = re.compile(r"AGP: Mapping aperture over RAM "
                    r"\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]")
PLUGGABLE = re.compile(r"SRAT: Node .* \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] "
                       r"hotplug")

# Below a mask, an eighth is translated at least, or as many bytes.
ROOM = 512 << 20


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
                                      for word in record.get("windows") or ())]


def translated(record):
    """Are some of a device's windows direct, and one translated?"""
    return {win.kind for win in of_record(record)} == {"direct", "translated"}


def memory_of(console):
    """[(first, last), ...] of the memory that the firmware states."""
    return sorted((int(first, 16), int(last, 16))
                  for first, last in MAP.findall(console))


def highest_of(console):
    """The highest address that memory can have, as the firmware states it."""
    return max(int(last, 16) for _, last in
               [*MAP.findall(console), *PLUGGABLE.findall(console)])


def complaints(windows, mask, memory, highest, shared=False):
    """What is wrong with the windows of a device in pass-through.

    Together, what is direct and what is translated has to serve all memory:
    memory within the mask that no direct window has needs a translated one, as
    has all memory above the mask, also that which may come later.  A device
    with a sufficient mask has one only for the sake of others in its group.
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
    mapped = [win for win in windows if win.kind == "translated"]
    if not direct:
        wrong.append("no direct window")
    room = sum(max(min(win.last, mask) + 1 - win.first, 0) for win in mapped)
    if mapped and room < min((mask + 1) // 8, ROOM):
        wrong.append(f"{room} bytes are translated below the mask {mask:#x}")
    if mapped:
        if mask >= highest and not shared:
            wrong.append("translated, though the mask covers all memory")
        return wrong
    if mask < highest:
        wrong.append(f"not translated, memory may reach {highest:#x}")
    return wrong + [
        f"memory {first:#x}-{last:#x} is not within a direct window"
        for first, last in memory if not any(
            win.first <= first and last <= win.last for win in direct)]


def reason(record, highest):
    """Why a device in pass-through has windows, as its masks tell."""
    if not translated(record):
        return None
    short = [key for key in ("dma_mask", "coherent_mask")
             if int(record[key], 16) < highest]
    return "masks" if len(short) == 2 else short[0] if short else "group"


def own_complaints(record, direct):
    """What is wrong with windows that only a platform's operations know.

    direct: where all memory has to be seen, or None.
    """
    windows = of_record(record)
    found = [win.first for win in windows if win.kind == "direct"]
    right = [direct] if direct is not None else []
    wrong = []
    if found != right:
        wrong.append(f"direct at {list(map(hex, found))} instead of "
                     f"{list(map(hex, right))}")
    translated = [win for win in windows if win.kind == "translated"]
    if [win.first for win in translated] != [0]:
        wrong.append(f"{len(translated)} translated windows, instead of one "
                     "from address 0 on")
    if windows != sorted(windows) or any(
            win.last >= first for win in translated for first in found):
        wrong.append("translated addresses above direct ones")
    return wrong


def check_direct(judge, records, roles, wanted):
    """Is all memory in one window, at this address, for these devices only?

    Below it, all devices have translated addresses.
    records: what dma-path states of each role; wanted: {role: address}.
    """
    for role in roles:
        wrong = own_complaints(records[role], wanted.get(role)) \
            if role in records else ["the kernel states nothing of it"]
        judge.add(f"{role}.direct", not wrong, wrong)


def aperture_of(console):
    """(first, last address) of the aperture that was taken from memory."""
    found = STOLEN.findall(console)
    return tuple(int(word, 16) for word in found[0]) if found else None


def aperture_complaints(record, aperture, highest, narrowed=False,
                        forced=False):
    """What is wrong with the windows of a device behind a GART.

    What reaches all memory has the plain direct path, which also tells that
    its driver has mapped nothing in the aperture; but for a device that was
    narrowed meanwhile.
    """
    first, last, *used = aperture
    windows = of_record(record)
    mask = min(int(record[key], 16) for key in ("dma_mask", "coherent_mask"))
    all_ = [Window(0, first - 1, "direct"),
            Window(*used or (first,), last, "translated"),
            Window(last + 1, (1 << 64) - 1, "direct")]
    if forced:
        all_ = [win for win in all_ if win.kind == "translated"]
    right = record["path"] == "iommu" and windows == all_
    if mask >= highest and not forced:
        right = right and narrowed or record["path"] == "direct" and [
            (win.first, win.kind) for win in windows] == [(0, "direct")]
    return [] if right else [
        f"{record['path']}, mask {mask:#x}, aperture {first:#x}-{last:#x}: "
        + ", ".join(f"{win.kind}:{win.first:#x}-{win.last:#x}"
                    for win in windows)]


def check_aperture(judge, records, console, aperture, forced):
    """One result for each device: {role: record}; forced: none is direct."""
    aperture = aperture or aperture_of(console)
    for role, record in records.items():
        wrong = aperture_complaints(record, aperture, highest_of(console),
                                    role.startswith("edu"), forced) \
            if aperture else ["no aperture was taken from memory"]
        judge.add(f"{role}.aperture", not wrong, wrong)


def untrusted_complaints(record):
    """What is wrong with a device that must not see anything directly."""
    wrong = [f"{win.kind} at {win.first:#x}" for win in of_record(record)
             if win.kind != "translated"]
    if not of_record(record):
        wrong.append("nothing is translated")
    if record["windows_for"]:
        wrong.append(f"for {record['windows_for']}")
    return wrong


def check(judge, records, console, shared, untrusted=()):
    """One result for each device under test: {role: record}."""
    memory = memory_of(console)
    highest = highest_of(console) if memory else 0
    for role, record in records.items():
        if role in untrusted:
            wrong = untrusted_complaints(record)
            judge.add(f"{role}.untrusted", not wrong, wrong)
            continue
        wrong = complaints(
            of_record(record), int(record["dma_mask"], 16), memory, highest,
            shared and role.startswith("edu")) \
            if memory else ["the firmware states no memory"]
        judge.add(f"{role}.windows", not wrong, wrong)
        said, right = record["windows_for"], reason(record, highest)
        judge.add(f"{role}.windows-for", said == right,
                  [f"for {said} instead of {right}"])
