# SPDX-License-Identifier: GPL-2.0-only
"""What must not appear in a kernel log, nor in QEMU's own."""

import re

# Each is the start of a report that nobody should have to overlook.
KERNEL = re.compile("|".join((
    r"\bWARNING:",
    r"\bBUG:",
    r"\bOops\b",
    r"Kernel panic",
    r"general protection fault",
    r"Unable to handle kernel",
    r"kernel BUG at",
    r"\bKASAN:",
    r"\bKCSAN:",
    r"\bUBSAN:",
    r"\bKFENCE:",
    r"kmemleak: \d+ new suspected",
    r"kmemleak: .*(?:disabled|error|Cannot)",
    r"possible (?:circular|recursive|irq lock)",
    r"(?:circular|recursive) locking",
    r"inconsistent lock state",
    r"Invalid wait context",
    r"lock held when returning",
    r"suspicious RCU usage",
    r"sleeping function called",
    r"scheduling while atomic",
    r"INFO: task .* blocked for more than",
    r"INFO: rcu\w* .*(?:stall|detected)",
    r"rcu:.*(?:stall|detected)",
    r"soft lockup|hard LOCKUP",
    r"list_(?:add|del) corruption",
    r"refcount_t:",
    r"(?:use-after-free|slab-out-of-bounds|double[- ]free)",
    r"page allocation failure",
    r"Out of memory",
    r"DMAR:.*(?:fault|Fault)",
    r"DMAR: \[(?:DMA|INTR)",
    r"DMAR:.*(?:Invalidation|VT-d detected)",
    r"AMD-Vi: Event logged",
    r"virtio_iommu .*: page fault from",
    r"DMA-API:.*(?:device driver|cpu touching|exceed|leak|error)",
    r"swiotlb buffer is full",
    r"swiotlb addr .* overflow",
    r"DMA addr .* overflow",
    r"NETDEV WATCHDOG",
    r"(?:Hardware|Tx) Unit Hang",
    r"nvme\w*: I/O .* timeout|nvme .*QID \d+ timeout",
    r"ata\d.*(?:exception Emask|failed command)",
    r"calgary\d+-phb\d: .*(?:errant DMA|not stop|stay off|still busy)",
    r"suspected of an errant DMA",
    r"camera \S+: channel \d+: .* fault \d",
    r"MMU \S+: its devices are gone, unmapped what they left",
    r"EEH: (?:Frozen|Fenced|Detected)",
    r"iommu_free: invalid entry",
    r"Call Trace:",
    r"segfault at",
)))

# Where it happened: what a report of the kernel says below its first line, and
# how many such lines are enough.
PLACE = re.compile(r"(?:RIP|RSP|CR2|NIP|LR)\b|(?:\[\w+\] ){0,2}(?:\? )?"
                   r"[\w.]+\+0x[0-9a-f]+/0x")
PLACES = 14

# Said by the kernel in every boot of these machines, and harmless.
HARMLESS = re.compile("|".join((
    r"Spectre V2",
    r"DMAR: .*fault event irq",
    r"nvram corruption detected: 0-length partition",
)))

# A device that cut an address down to its mask wrote somewhere else.
QEMU = re.compile("|".join((
    r"EDU: clamping DMA",
    r"EDU: DMA range",
    r"vtd_\w+:.*(?:error|detected|invalid)",
    r"translate.*fail",
    r"detected (?:translation|IOMMU)",
    r"phb\d.*(?:xlate|invalid)",
    r"k8-gart: node",
    r"calgary [0-9a-f]+(?:\.\d)?: ",
    r"^camera: ",
)), re.I)

# What CONFIG_PRINTK_CALLER puts before a line: a task, or a CPU in interrupts.
CALLER = re.compile(r"^\[ *([TC]\d+)\] ")

TIMER = "timer doesn't work through Interrupt-remapped IO-APIC"
# The guest says so when its processors were taken away for seconds: drivers
# that watch their devices may have complained, and may have been right.
STOOD = "rig: the machine stood still"
# Where KVM runs on an emulated processor, exceptions of its thread have been
# seen to nest in irqentry_enter() until they had run through the stack.
LOST = re.compile(r"Oops: double fault(?:.*\n){1,12}.*\bComm: qemu-system")
# Who takes the console over prints what the other one had begun, anew.
ANEW = "** replaying previous printk message **"


# How a report begins and ends, and how many lines tell which one it is.
FORMS = (
    ("[ cut here ]", "[ end trace", 2),
    ("WARNING: possible circular locking dependency", "</TASK>", 6),
)


def once(text):
    """A console without lines that were begun and then printed anew."""
    mark = re.escape(ANEW)
    return re.sub(rf"^(?:(.*)\n(?={mark}\n\1))?{mark}\n", "", text,
                  flags=re.M)


def plain(text):
    """The text of a console, without who said each line."""
    return "\n".join(CALLER.sub("", line) for line in text.splitlines())


def by_caller(text):
    """Plain lines of a console, those of one task or CPU together.

    Two CPUs that complain at the same time do so line by line in turns.
    """
    said = {}
    for line in text.splitlines():
        found = CALLER.match(line)
        said.setdefault(found and found.group(1), []).append(
            CALLER.sub("", line))
    return list(said.values())


def without(lines, known):
    """Leave out the reports whose first lines match one of these patterns."""
    kept, report, form = [], None, None
    for line in lines:
        begun = next((f for f in FORMS if f[0] in line), None)
        if begun:
            kept += report or []
            report, form = [], begun
        elif report is None:
            kept.append(line)
            continue
        report.append(line)
        if form[1] in line:
            head = "\n".join(report[:form[2]])
            if not any(re.search(pattern, head) for pattern in known):
                kept += report
            report = None
    return kept + (report or [])


def stale_pages(report):
    """Pages of the addresses that a test used after unmapping them."""
    return {int(addr, 16) >> 12 for addr in re.findall(
        r"^# .*stale address: (0x[0-9a-f]+)$", "\n".join(report), re.M)}


def wanted(line, stale):
    """Is this the IOMMU's report of a fault that a test asked for?"""
    if stale and "handling fault status reg" in line:
        return True
    found = re.search(r"(?:fault addr |iova=|xlate |fault from EP \d+ at |"
                      r"FAULT .*address=)((?:0x)?[0-9a-f]+)", line)
    return found and int(found.group(1), 16) >> 12 in stale


def fails(line, pattern, known, stale):
    """Is this a line for which a boot fails?"""
    return (pattern.search(line)
            and not any(re.search(allowed, line) for allowed in known)
            and not wanted(line, stale))


def complaints(text, known=(), stale=()):
    """Lines of a kernel log that fail a boot, and where it happened.

    known: patterns of single lines, and of the first lines of reports, that
    the stock kernel makes as well.
    stale: pages at which faults are wanted.
    """
    found = []
    for lines in by_caller(text):
        places = 0
        for line in map(str.strip, without(lines, known)):
            if (fails(line, KERNEL, known, stale)
                    and not HARMLESS.search(line)):
                places = PLACES
            elif places and PLACE.match(line):
                places -= 1
            else:
                continue
            found.append(line)
    return found


def qemu_complaints(text, known=(), stale=()):
    """Lines of QEMU's log that fail a boot."""
    return [line.strip() for line in text.splitlines()
            if fails(line, QEMU, known, stale)]
