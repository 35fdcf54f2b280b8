# SPDX-License-Identifier: GPL-2.0-only
"""A PC with cameras, whose driver is a module and brings their MMUs."""

import dataclasses

from vm_machine import PC, Machine, Mode, option
from vm_q35 import PCIEHP_KNOWN

# TCG alone has the cache that a camera does not see.
BOARD = dataclasses.replace(PC, built=True, emulated=True)
ID = "1234:11ca"
ROLES = ("camera0", "camera1")
RELOADS = 200
REQUIRED = (
    *(f"{role}.frames-{size}" for role in ROLES
      for size in ("4k", "16k", "64k", "1m")),
    *(f"{role}.{what}.{result}"
      for role, what in (("camera0", "unbind"), ("camera1", "units"),
                         ("camera1", "unplug"))
      for result in ("streams", "no-wrong-word", "back")),
    "camera0.unbind-again", "camera1.unbind-bystander",
    "camera1.units-again", "camera0.units-bystander",
    "camera1.unplug-again", "camera0.unplug-bystander",
    "unload.refused", "unload", "reload.times", "reload.nothing-left",
)

# The base does not look whether it could make the files of /proc/irq/N, and
# warns when it removes one that is not there, as an allocation had failed.
IRQ_FILES = (r"cut here ]-*\nname '(smp_affinity(_list)?|affinity_hint|node|"
             r"effective_affinity(_list)?|spurious)'$",)


def devices(coherent):
    """One camera on the root bus, and one that can be unplugged."""
    return ["-device", "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1,"
            "addr=2",
            "-device", f"camera,id=camera0,bus=pcie.0,addr=5{coherent}",
            "-device", f"{option(HOT['camera1'])}{coherent}"]


def camera(words, what, coherent="", **more):
    """A mode with these cameras, whose parts have domains of their own."""
    return Mode(words, what, **{"domain": None, "iommu": ""} | more,
                qemu=tuple(devices(coherent)))


HOT = {"camera1": {"driver": "camera", "id": "camera1", "bus": "port0"}}
CAMERA = Machine(
    name="camera",
    memory="1G",
    cpus=2,
    board=BOARD,
    modes={
        "lazy": camera(f"iommu.strict=0 rig.reloads={RELOADS}",
                       "cameras that do not snoop, flushes batched",
                       ran=("reload.memory",)),
        "strict": camera("iommu.strict=1",
                         "cameras that do not snoop, flush at each unmap"),
        "coherent": camera("iommu.strict=0", "cameras that snoop",
                           ",coherent=on"),
        # The IOMMU before the camera's MMU may translate or not.
        "pt": camera("iommu=pt", "cameras behind VT-d, pass-through",
                     domain="identity", iommu="intel-iommu,intremap=on",
                     ran=("camera0.translated-refused",
                          "camera0.identity-bound")),
        "faults": camera("iommu.strict=0 rig.fail-steps",
                         "each allocation of probing fails once",
                         ran=("camera0.fail-steps",), known_log=IRQ_FILES),
        "distro": camera("iommu.strict=0", "modules signed and compressed",
                         config="q35-distro",
                         ran=("modules.unsigned-refused",)),
        "debug": camera("iommu.strict=0",
                        "debug kernel, cameras that do not snoop",
                        slow=True, ran=("kmemleak",), known_log=PCIEHP_KNOWN),
        "debug-reloads": camera("iommu.strict=0 rig.reloads=1000",
                                "debug kernel, the module comes 1000 times",
                                slow=True, limit=1800,
                                ran=("kmemleak", "reload.memory"),
                                known_log=PCIEHP_KNOWN),
    },
    disks=(),
    roles=ROLES,
    required=REQUIRED,
    devices=lambda images: [],
    hot=HOT,
    ids=tuple((role, ID, number) for number, role in enumerate(ROLES, 1)),
    plan="camera",
)
