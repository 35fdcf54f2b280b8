# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's debugger port: stop a guest before its kernel, change its memory."""

import re
import struct

# Where QEMU puts the part of a bzImage that runs in protected mode; paging is
# off there, and addresses are physical.
KERNEL_ENTRY = 0x100000
CHUNK = 1024
# Where the kernel's text is mapped, less where it lies in memory.
KERNEL_MAP = 0xffffffff80000000
# xor %eax, %eax; ret
RETURN_0 = b"\x31\xc0\xc3"


class GdbError(Exception):
    """QEMU answered something else than what was asked for."""


class Gdb:
    """One connection by the remote serial protocol."""

    def __init__(self, connection, seconds=600):
        self.socket = connection
        self.socket.settimeout(seconds)
        self.pending = b""

    def byte(self):
        """The next byte."""
        if not self.pending:
            self.pending = self.socket.recv(4096)
            if not self.pending:
                raise GdbError("QEMU closed the debugger port")
        first, self.pending = self.pending[:1], self.pending[1:]
        return first

    def send(self, text):
        """One packet."""
        data = text.encode()
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 255))

    def receive(self):
        """The next packet; what only acknowledges is passed over."""
        while self.byte() != b"$":
            pass
        data = b""
        while (byte := self.byte()) != b"#":
            data += byte
        self.byte()
        self.byte()
        self.socket.sendall(b"+")
        return data.decode()

    def command(self, text, answer=None):
        """Send, and return the answer, which may have to be a certain one."""
        self.send(text)
        got = self.receive()
        if got.startswith("E") or (answer is not None and got != answer):
            raise GdbError(f"{text[:40]}: {got[:40]}")
        return got

    def read(self, address, length):
        """Bytes of memory."""
        data = b""
        while len(data) < length:
            size = min(CHUNK, length - len(data))
            data += bytes.fromhex(
                self.command(f"m{address + len(data):x},{size:x}"))
        return data

    def write(self, address, data):
        """Bytes to memory."""
        for start in range(0, len(data), CHUNK):
            part = data[start:start + CHUNK]
            self.command(f"M{address + start:x},{len(part):x}:{part.hex()}",
                         "OK")

    def reach(self, address):
        """Let the guest run until it comes there."""
        self.command(f"Z1,{address:x},1", "OK")
        self.send("c")
        stopped = self.receive()
        if not stopped.startswith("T05"):
            raise GdbError(f"{address:#x} was not reached: {stopped}")
        self.command(f"z1,{address:x},1", "OK")

    def reach_kernel(self):
        """Let the firmware run; it has done all its work then."""
        self.reach(KERNEL_ENTRY)

    def leave(self):
        """Let the guest go on, without a debugger."""
        self.command("D", "OK")
        self.socket.close()


def listen_args(path):
    """What QEMU has to be told."""
    return ["-S", "-gdb", f"unix:{path},server=on,wait=off"]


def symbols(path):
    """{name: address in memory} of the functions in a System.map."""
    found = {}
    for line in path.read_text(encoding="ascii").splitlines():
        match = re.match(r"([0-9a-f]+) [tT] (\S+)$", line)
        if match:
            found[match[2]] = int(match[1], 16) - KERNEL_MAP
    return found


def leave_out(gdb, path, functions):
    """Let these functions of the kernel do nothing, and return 0.

    They are where System.map says once the kernel has been unpacked.
    """
    there = symbols(path)
    for name in functions:
        if name not in there:
            raise GdbError(f"{path} has no function {name}")
    gdb.reach(there["startup_64"])
    for name in functions:
        gdb.write(there[name], RETURN_0)


class Tables:
    """The ACPI tables that the firmware left in memory."""

    def __init__(self, gdb):
        self.gdb = gdb
        self.root = self.find_root()
        size, = struct.unpack("<I", gdb.read(self.root + 4, 4))
        table = gdb.read(self.root, size)
        count = (size - 36) // 4
        self.tables = struct.unpack_from(f"<{count}I", table, 36)

    def find_root(self):
        """Address of the RSDT."""
        area = self.gdb.read(0xe0000, 0x20000)
        for start in range(0, len(area), 16):
            if area[start:start + 8] == b"RSD PTR ":
                return struct.unpack_from("<I", area, start + 16)[0]
        raise GdbError("the firmware left no ACPI tables")

    def find(self, signature):
        """(index, address, content) of a table."""
        for index, address in enumerate(self.tables):
            name, size = struct.unpack("<4sI", self.gdb.read(address, 8))
            if name == signature:
                return index, address, self.gdb.read(address, size)
        raise GdbError(f"there is no table {signature.decode()}")

    def free_space(self, length):
        """An address behind all tables, within what is reserved for them."""
        end = 0
        for address in (*self.tables, self.root):
            size, = struct.unpack("<I", self.gdb.read(address + 4, 4))
            end = max(end, address + size)
        end = (end + 63) & ~63
        if any(self.gdb.read(end, length)):
            raise GdbError("no room behind the ACPI tables")
        return end

    def replace(self, signature, content):
        """Put another table in the place of one."""
        index, address, old = self.find(signature)
        if len(content) > len(old):
            address = self.free_space(len(content))
        self.gdb.write(address, content)
        entry = self.root + 36 + 4 * index
        self.gdb.write(entry, struct.pack("<I", address))
        size, = struct.unpack("<I", self.gdb.read(self.root + 4, 4))
        root = bytearray(self.gdb.read(self.root, size))
        root[9] = 0
        self.gdb.write(self.root + 9, bytes([-sum(root) & 255]))
