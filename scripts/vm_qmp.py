# SPDX-License-Identifier: GPL-2.0-only
"""A client for QEMU's monitor protocol, as small as the rig needs it."""

import json
import socket
import time


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    """One connection; events are of no interest."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(300)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw", encoding="utf-8")
        self.receive()
        self.command("qmp_capabilities")

    def receive(self):
        """One message."""
        line = self.file.readline()
        if not line:
            raise QmpError("QEMU closed the monitor")
        return json.loads(line)

    def command(self, name, **arguments):
        """Execute, and return what QEMU answers."""
        message = {"execute": name}
        if arguments:
            message["arguments"] = arguments
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()
        while True:
            answer = self.receive()
            if "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def insist(self, name, seconds, **arguments):
        """Execute as soon as QEMU lets it be done."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self.command(name, **arguments)
            except QmpError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def close(self):
        """End the connection."""
        self.file.close()
        self.socket.close()
