# SPDX-License-Identifier: GPL-2.0-only
"""QEMU without a processor: the test itself accesses the machine.

What a device does with its bus can be tried without a kernel, at once.
"""

import pathlib
import subprocess
import tempfile

from common import Failure

CONFIG_ADDRESS, CONFIG_DATA = 0xcf8, 0xcfc
COMMAND, COMMAND_VALUE = 0x04, 0x06     # memory, bus master
BAR0 = 0x10


class Machine:
    """A running q35, to be used as a context."""

    def __init__(self, program, *args):
        self.directory = tempfile.TemporaryDirectory(prefix="qtest-")
        self.log = pathlib.Path(self.directory.name) / "log"
        self.heard = 0
        self.process = subprocess.Popen(
            [program, "-machine", "q35", "-accel", "qtest", "-display", "none",
             "-nodefaults", "-no-user-config", "-qtest", "stdio",
             "-qtest-log", "none", "-d", "guest_errors", "-D", self.log,
             "-L", pathlib.Path(program).parent / "firmware", *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.directory.cleanup()

    def said(self):
        """Lines that QEMU has logged since the last time."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        heard, self.heard = self.heard, len(lines)
        return lines[heard:]

    @staticmethod
    def expect(what, found, wanted):
        """Compare."""
        if found != wanted:
            if isinstance(found, int):
                found, wanted = hex(found), hex(wanted)
            raise Failure(f"{what}: {found} instead of {wanted}")

    def quiet(self):
        """QEMU has not complained."""
        self.expect("QEMU's log", self.said(), [])

    def complains(self, words):
        """QEMU has complained of this, and of nothing else."""
        said = self.said()
        if len(said) != 1 or words not in said[0]:
            raise Failure(f"QEMU's log: {said} instead of '{words}'")

    def command(self, *words):
        """One command of the qtest protocol; its answer's last word."""
        line = " ".join(hex(w) if isinstance(w, int) else w for w in words)
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != "OK":
            why = " ".join(answer) or self.process.communicate()[1]
            raise Failure(f"qtest: {line[:60]}: {why.strip()}")
        return answer[-1]

    def read(self, addr, size):
        """Bytes, as a processor reads them."""
        return bytes.fromhex(self.command("read", addr, size)[2:])

    def write(self, addr, data):
        """Write bytes, as a processor does."""
        self.command("write", addr, len(data), "0x" + data.hex())

    def fill(self, addr, byte):
        """Memory that is recognized."""
        self.write(addr, bytes([byte]) * 64)

    def step(self, milliseconds):
        """Let time pass."""
        self.command("clock_step", str(milliseconds * 1000000))

    def _select(self, where, reg):
        slot, function = where
        self.command("outl", CONFIG_ADDRESS, 1 << 31 | slot << 11
                     | function << 8 | reg)

    def config(self, where, reg):
        """A register of the function (slot, function) on bus 0."""
        self._select(where, reg)
        return int(self.command("inl", CONFIG_DATA), 16)

    def set_config(self, where, reg, value):
        """Write such a register."""
        self._select(where, reg)
        self.command("outl", CONFIG_DATA, value)


class Card:
    """An edu card, which does DMA."""

    SOURCE, TARGET, COUNT, GO = 0x80, 0x88, 0x90, 0x98
    BUFFER = 0x40000
    FROM_MEMORY, TO_MEMORY = 1, 3

    def __init__(self, machine, slot, bar, scratch):
        """scratch: where the test and the card pass each other bytes."""
        self.machine, self.bar, self.scratch = machine, bar, scratch
        self.name = f"card {slot:#x}"
        machine.set_config((slot, 0), BAR0, bar)
        machine.set_config((slot, 0), COMMAND, COMMAND_VALUE)

    def transfer(self, source, target, count, what):
        """One piece of DMA, until it has ended."""
        for reg, value in ((self.SOURCE, source), (self.TARGET, target),
                           (self.COUNT, count), (self.GO, what)):
            self.machine.command("writeq", self.bar + reg, value)
        self.machine.step(200)
        if int(self.machine.command("readq", self.bar + self.GO), 16) & 1:
            raise Failure("the card did not end its transfer")

    def read(self, addr, count):
        """What the card reads."""
        self.transfer(addr, self.BUFFER, count, self.FROM_MEMORY)
        self.transfer(self.BUFFER, self.scratch, count, self.TO_MEMORY)
        return self.machine.read(self.scratch, count)

    def write(self, addr, data):
        """Have the card write."""
        self.machine.write(self.scratch, data)
        self.transfer(self.scratch, self.BUFFER, len(data), self.FROM_MEMORY)
        self.transfer(self.BUFFER, addr, len(data), self.TO_MEMORY)

    def reads(self, addr, byte):
        """It has to read this byte, eight times."""
        self.machine.expect(f"{self.name} reads {addr:#x}",
                            self.read(addr, 8).hex(" "),
                            (bytes([byte]) * 8).hex(" "))
