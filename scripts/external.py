# SPDX-License-Identifier: GPL-2.0-only
"""An ACPI table which says that what is behind a port is outside the machine.

The kernel does not trust such devices: anybody can plug something in there.
"""

import struct
import uuid

import dmar

SLOT = 2                # of the port, on the first bus
# The port's name, as in QEMU's tables
PORT = f"S{SLOT << 3:02X}_".encode()
GUID = uuid.UUID("efcc06cc-73ac-4bc3-bff0-76143807c389")

# AML, chapter 20 of the ACPI specification
ZERO, ONE, BYTE, TEXT = b"\0", b"\1", b"\x0a", b"\x0d"
NAME, SCOPE, BUFFER, PACKAGE = b"\x08", b"\x10", b"\x11", b"\x12"
PATH = b"\\/\3_SB_PCI0"     # from the root, three names of which this is two


def block(code, body):
    """An opcode, the length of what follows, and that."""
    length = len(body) + 2
    return code + bytes([0x40 | length & 15, length >> 4]) + body


def package(*elements):
    """Several values in one."""
    return block(PACKAGE, bytes([len(elements)]) + b"".join(elements))


def text(value):
    """A string."""
    return TEXT + value.encode() + b"\0"


def properties(guid, *pairs):
    """What _DSD says of a device."""
    return NAME + b"_DSD" + package(
        block(BUFFER, BYTE + bytes([16]) + guid.bytes_le),
        package(*(package(text(key), value) for key, value in pairs)))


def table():
    """All of it."""
    scope = block(SCOPE, PATH + PORT + properties(
        GUID, ("ExternalFacingPort", ONE), ("UID", ZERO)))
    head = struct.pack("<4sIBB6s8sI4sI", b"SSDT", 0, 2, 0, b"RIG   ",
                       b"EXTERNAL", 1, b"RIG ", 1)
    return dmar.Table(head + scope, ()).encode()


def install(tables):
    """Put it in the place of a table that only Windows has a use for."""
    tables.replace(b"WAET", table())
